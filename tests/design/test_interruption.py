"""Randomised interruptions of one person or a few: closed forms, exact tests, known truth."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from discontinuation.design.interruption import (
    InterruptionDesign,
    analyse_interruptions,
    orders_of,
    window_means,
)
from discontinuation.design.interruption_course import (
    InterruptionResponse,
    carry_over,
    drive_of_orders,
    expected_difference,
)
from discontinuation.design.interruption_power import blocks_needed, interruption_power
from discontinuation.exposure.pharmacology import Pharmacology
from discontinuation.problems import InvalidInput
from discontinuation.symptoms import fit_mixed_model

DESIGN = InterruptionDesign()
RESPONSE = InterruptionResponse()
GONE_AT_ONCE = Pharmacology(half_life_days=0.01, k=2.7, emax=0.95)


def made_up(people, blocks, effect, seed=1, person_sd=1.0):
    """Scores and periods of a trial, drawn here and not by the package."""
    stream = np.random.default_rng(seed)
    design = replace(DESIGN, people=people, blocks=blocks)
    scores, periods = [], []
    for person in range(people):
        own = effect + person_sd * stream.standard_normal()
        values = 10 + stream.standard_normal(design.days)
        for block, pair in enumerate(design.steps):
            names = stream.permutation(["interrupted", "continued"])
            for step, name in zip(pair, names, strict=True):
                low, high = step + np.array(design.window_days)
                values[low:high] += own * (name == "interrupted")
                periods.append((person, block, name, step))
        scores += [(person, day, value) for day, value in enumerate(values)]
    return (
        design,
        pd.DataFrame(scores, columns=["person", "day", "value"]),
        pd.DataFrame(periods, columns=["person", "block", "condition", "start"]),
    )


def test_drive_of_a_drug_that_goes_at_once_is_the_set_point():
    """Without the drug o = 0, so that the drive is A = e^(-t / tau) until it is taken again."""
    drive = drive_of_orders(
        DESIGN, replace(RESPONSE, drug=GONE_AT_ONCE), np.array([[True] + [False] * 5])
    )
    start = DESIGN.run_in_days
    expected = np.exp(-np.arange(1, 8) / 14.0)
    assert drive[0, start : start + 7] == pytest.approx(expected, rel=1e-9)
    assert drive[0, start + 7 : start + 28] == pytest.approx(np.zeros(21), abs=1e-12)


def test_recovery_that_is_needed_is_that_of_the_set_point():
    """1 - A is 1 - e^(-1/2) after 7 days and falls with tau to 0.05 in 14 log(...) = 28.9 days."""
    fast = replace(RESPONSE, drug=GONE_AT_ONCE)
    (row,) = carry_over(DESIGN, fast, [0.01]).to_dict("records")
    assert row["recovery_days_needed"] == np.ceil(14 * np.log((1 - np.exp(-0.5)) / 0.05))
    table = carry_over(DESIGN, RESPONSE)
    assert table["peak_drive"].is_monotonic_decreasing
    assert (table["next_response"] < 1).all()


def test_slow_drug_leaves_drive_over_when_recovery_is_short():
    short = replace(DESIGN, recovery_days=3, window_days=(0, 10))
    table = carry_over(short, RESPONSE, [0.5, 16.0]).set_index("half_life_days")
    assert table.loc[16.0, "left_over"] > 0.05 > table.loc[0.5, "left_over"]


def test_expected_difference_is_the_mean_over_every_order():
    design = replace(DESIGN, blocks=3)
    drive = drive_of_orders(design, RESPONSE, orders_of(3))
    means = window_means(design, drive)
    by_hand = [
        RESPONSE.rise_points * (pair[0] - pair[1] if first else pair[1] - pair[0])
        for row, order in zip(means, orders_of(3), strict=True)
        for pair, first in zip(row, order, strict=True)
    ]
    assert expected_difference(design, RESPONSE) == pytest.approx(np.mean(by_hand), rel=1e-12)


def test_randomisation_p_is_that_of_all_orders():
    design, scores, periods = made_up(1, 7, 0.8)
    found = analyse_interruptions(scores, periods, design)
    parts = found.differences["difference"].to_numpy()
    signs = np.array(list(product([1, -1], repeat=7)))
    by_hand = (np.abs(signs @ parts) >= abs(parts.sum()) - 1e-9).mean()
    assert found.overall.p == pytest.approx(by_hand)
    assert found.overall.least_p == 2 / 2**7
    assert found.overall.estimate == pytest.approx(parts.mean())


def test_people_are_compared_as_by_a_mixed_model():
    design, scores, periods = made_up(8, 5, 1.0)
    found = analyse_interruptions(scores, periods, design)
    table = found.differences
    model = fit_mixed_model(
        table, "difference", "1", random="intercept", correlation="none", time="block"
    )
    row = model.fixed.iloc[0]
    assert found.overall.estimate == pytest.approx(row["estimate"], rel=1e-6)
    assert found.overall.se == pytest.approx(row["se"], rel=1e-5)
    assert found.overall.df == pytest.approx(row["df"], rel=1e-3)
    assert len(found.people) == 8


def test_a_nocebo_at_every_step_is_not_taken_for_withdrawal():
    nothing = replace(RESPONSE, rise_points=0.0, rise_sd=0.0, nocebo_points=10.0)
    power = interruption_power(replace(DESIGN, people=6, blocks=3), nothing, 300)
    bias = power.summary.set_index("measure").loc["bias"]
    assert power.truth == 0
    assert abs(bias["estimate"]) < 3 * bias["mcse"]


def test_randomisation_keeps_its_size_whatever_the_autocorrelation():
    nothing = replace(RESPONSE, rise_points=0.0, rise_sd=0.0, autocorrelation=0.95)
    power = interruption_power(DESIGN, nothing, 1000)
    size, expected = power.probability("P < 0.05 by randomisation"), 2 / 64
    assert abs(size - expected) < 3 * np.sqrt(expected * (1 - expected) / 1000)


def test_randomisation_tests_that_nobody_responds_not_that_the_mean_is_0():
    design, nobody = replace(DESIGN, people=8, blocks=3), replace(RESPONSE, rise_points=0.0)
    varied = interruption_power(design, replace(nobody, rise_sd=6.0), 200).summary
    sharp = interruption_power(design, replace(nobody, rise_sd=0.0), 200).summary
    size = [one.set_index("measure").loc["P < 0.05 by randomisation"] for one in (varied, sharp)]
    assert size[0]["estimate"] > 0.05 + 3 * size[0]["mcse"]
    assert size[1]["estimate"] < 0.05 + 3 * size[1]["mcse"]
    cover = varied.set_index("measure").loc["coverage"]
    assert abs(cover["estimate"] - 0.95) < 3 * cover["mcse"]  # the interval is about the mean


def test_a_precise_trial_says_none_and_a_small_one_cannot_tell():
    nothing = replace(RESPONSE, rise_points=0.0, rise_sd=0.0)
    precise = interruption_power(replace(DESIGN, people=20, blocks=4), nothing, 100)
    assert precise.probability("none") > 0.9
    small = interruption_power(replace(DESIGN, blocks=3), nothing, 100)
    assert small.probability("cannot tell") > 0.9
    shown = interruption_power(replace(DESIGN, people=20, blocks=4), RESPONSE, 100)
    assert shown.probability("higher when interrupted") > 0.9
    other = interruption_power(
        replace(DESIGN, people=20, blocks=4), replace(RESPONSE, rise_points=-3.0), 100
    )
    assert other.probability("lower when interrupted") > 0.9


def test_coverage_and_standard_errors_hold():
    power = interruption_power(replace(DESIGN, people=10, blocks=3), RESPONSE, 600)
    table = power.summary.set_index("measure")
    cover = table.loc["coverage"]
    assert abs(cover["estimate"] - 0.95) < 3 * cover["mcse"] + 0.01
    spread, stated = table.loc["empirical_se"], table.loc["mean_se"]
    error = np.hypot(spread["mcse"], stated["mcse"])
    assert abs(spread["estimate"] - stated["estimate"]) < 3 * error


def test_blocks_needed_is_the_first_that_is_enough_and_may_be_none():
    design = replace(DESIGN, people=6)
    found = blocks_needed(design, RESPONSE, replicates=200, most=10)
    assert found.blocks == found.table["blocks"].iloc[-1]
    assert (found.table["probability"].iloc[:-1] < 0.8).all()
    none = blocks_needed(design, replace(RESPONSE, rise_points=0.2), replicates=50, most=3)
    assert none.blocks is None
    assert "no number of blocks" in none.sentence


def test_same_seed_same_trials_however_many_are_run():
    one, again = (interruption_power(DESIGN, RESPONSE, 30, seed=4).summary for _ in range(2))
    pd.testing.assert_frame_equal(one, again)
    assert (
        one.loc[6, "estimate"]
        != interruption_power(DESIGN, RESPONSE, 30, 5).summary.loc[6, "estimate"]
    )


def test_unrated_windows_are_counted_as_lost():
    design, scores, periods = made_up(1, 5, 1.0)
    step = periods.loc[0, "start"]
    inside = (scores["day"] >= step) & (scores["day"] < step + DESIGN.period_days)
    found = analyse_interruptions(scores.loc[~inside], periods, design)
    assert (found.overall.blocks, found.overall.blocks_lost) == (4, 1)
    assert found.differences["difference"].isna().sum() == 1


def test_impossible_designs_are_refused_with_every_reason():
    with pytest.raises(InvalidInput) as caught:
        InterruptionDesign(people=0, blocks=1.5, relevant_points=0, confidence=2)
    assert len(caught.value.problems) == 4
    with pytest.raises(InvalidInput, match="end of a period"):
        InterruptionDesign(window_days=(5, 40))
    with pytest.raises(InvalidInput) as caught:
        InterruptionResponse(missing=2, autocorrelation=1, day_sd=-1)
    assert len(caught.value.problems) == 3
    with pytest.raises(InvalidInput, match="no spread"):
        interruption_power(InterruptionDesign(blocks=1), RESPONSE)


def test_bad_data_are_refused_with_every_reason():
    design, scores, periods = made_up(2, 3, 1.0)
    twice = pd.concat([scores, scores.iloc[:1]], ignore_index=True)
    periods.loc[0, "condition"] = "interupted"
    with pytest.raises(InvalidInput) as caught:
        analyse_interruptions(twice, periods, design)
    text = str(caught.value)
    assert "rated twice" in text
    assert "did you mean 'interrupted'" in text
    assert "one period of each" in text
    with pytest.raises(InvalidInput, match="missing"):
        analyse_interruptions(scores.drop(columns="day"), periods, design)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("window_days", ("a", 3)),
        ("window_days", (3,)),
        ("window_days", None),
        ("window_days", (1.5, 9.5)),
        ("window_days", (False, 9)),
        ("people", True),
        ("blocks", 3.0),
        ("confidence", "x"),
    ],
)
def test_options_of_the_wrong_kind_are_refused_by_name(option, value):
    with pytest.raises(InvalidInput) as caught:
        InterruptionDesign(**{option: value})
    (found,) = caught.value.problems
    assert (found.column, found.value) == (option, str(value))


def test_numbers_of_trials_must_be_whole():
    for wrong in (1, 20.5, "20", float("nan")):
        with pytest.raises(InvalidInput, match="replicates"):
            interruption_power(DESIGN, RESPONSE, wrong)
    with pytest.raises(InvalidInput) as caught:
        blocks_needed(DESIGN, RESPONSE, probability="x", most=2.5)
    assert [one.column for one in caught.value.problems] == ["probability", "most"]


def test_text_and_blanks_in_the_data_are_refused_by_row():
    design, scores, periods = made_up(2, 2, 1.0)
    as_text = scores.assign(day=scores["day"].astype(str), value=scores["value"].astype(str))
    with pytest.raises(InvalidInput, match=r"scores, row 2, column day: '0': .*not text"):
        analyse_interruptions(as_text, periods, design)
    for column in ("person", "block", "condition"):
        blank = periods.astype({column: object})
        blank.loc[3, column] = None
        with pytest.raises(InvalidInput, match=f"periods, row 5, column {column}"):
            analyse_interruptions(scores, blank, design)


def test_periods_that_overlap_are_refused_by_row():
    """With the same ratings on both sides every difference would be 0, and the error too."""
    design, scores, periods = made_up(2, 2, 1.0)
    with pytest.raises(InvalidInput) as caught:
        analyse_interruptions(scores, periods.assign(start=14), design)
    assert {one.row for one in caught.value.problems} == {3, 4, 5, 7, 8}
    assert "of row 2" in str(caught.value)
    close = periods.copy()
    close.loc[1, "start"] = close.loc[0, "start"] + 9  # its window ends before the tenth day
    with pytest.raises(InvalidInput, match=r"row 3, column start.* 9 days after"):
        analyse_interruptions(scores, close, design)
    close.loc[1, "start"] += 1
    assert analyse_interruptions(scores, close, design).overall.blocks == 4
