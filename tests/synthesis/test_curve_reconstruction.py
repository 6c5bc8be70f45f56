"""People behind a published curve: what is met exactly, what nearly, and what is refused."""

from __future__ import annotations

import importlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival import cox, kaplan_meier
from discontinuation.synthesis import across_repeats, reconstruct, reconstruct_repeatedly


def risk_table(time, every):
    times = np.arange(0, np.max(time) + 1e-9, every)
    return pd.DataFrame({"time": times, "at_risk": [int((time >= t).sum()) for t in times]})


def exact_clicks(people):
    """Coordinates of a vector figure: every step and every censoring mark."""
    curve = kaplan_meier(people["time"], people["event"])
    return pd.DataFrame({"time": curve.time, "survival": curve.survival})


def clicks_at(people, count):
    """What somebody reads who clicks the curve at equal distances."""
    curve = exact_clicks(people)
    times = np.linspace(0, people["time"].max(), count)
    position = np.searchsorted(curve["time"], times, side="right")
    return pd.DataFrame({"time": times, "survival": np.append(1.0, curve["survival"])[position]})


def log_hazard_ratio(first, second):
    both = pd.concat([first.assign(second=0.0), second.assign(second=1.0)], ignore_index=True)
    model = cox("second", both)
    return float(model.coef[0]), float(model.covariance[0, 0])


@pytest.fixture(scope="module")
def lung(shared_data):
    table = pd.read_csv(shared_data / "reference-survival" / "lung.csv")
    table["event"] = (table["status"] == 2).astype(int)
    return [table.loc[table["sex"] == sex, ["time", "event"]] for sex in (1, 2)]


def made_up(seed=1, people=60, rate=0.05, dropout=0.02, end=52.0, visits=None):
    random = np.random.default_rng(seed)
    event = random.exponential(1 / rate, people)
    if visits:
        event = np.ceil(event / visits) * visits
    leaves = np.minimum(random.exponential(1 / dropout, people), end)
    return pd.DataFrame({"time": np.minimum(event, leaves), "event": (event <= leaves).astype(int)})


def test_the_function_is_not_hidden_by_its_module():
    importlib.import_module("discontinuation.synthesis.reconstruct")
    synthesis = importlib.import_module("discontinuation.synthesis")
    assert callable(synthesis.reconstruct)


# Published numbers


def test_a_digitised_trial_meets_its_risk_table_and_its_curve(shared_data):
    name = "km-digitised/checkmate067_S3A_nivolumab_{}.csv"
    clicks = pd.read_csv(shared_data / name.format("coordinates"))
    table = pd.read_csv(shared_data / name.format("at_risk"))
    found = reconstruct(
        clicks.set_axis(["time", "survival"], axis=1),
        table[["trisk", "nrisk"]].set_axis(["time", "at_risk"], axis=1),
    )
    assert (found.risk_table["published"] - found.risk_table["reconstructed"]).abs().max() <= 1
    assert found.quality.value("rmse") <= 0.01
    assert found.quality.value("largest error") <= 0.03
    assert len(found.people) == 80
    events = found.quality.summary.set_index("check").loc["events"]
    assert events["verdict"] == "unverified"
    assert "not verified" in events["sentence"]
    assert str(int(found.people["event"].sum())) in events["sentence"]
    assert found.quality.verdict == "accept"


@pytest.mark.parametrize("every", [50, 100, 182, 250, 365])
def test_hazard_ratio_of_lung_from_exact_coordinates(lung, every):
    found = [reconstruct(exact_clicks(arm), risk_table(arm["time"], every)).people for arm in lung]
    ratio = np.exp(log_hazard_ratio(*found)[0])
    assert ratio == pytest.approx(0.5880028172, rel=0.02)
    for arm, people in zip(lung, found, strict=True):
        assert abs(people["event"].sum() - arm["event"].sum()) <= 2


@pytest.mark.parametrize("every", [100, 182])
@pytest.mark.parametrize("with_events", [False, True])
def test_hazard_ratio_of_lung_from_noisy_clicks(lung, every, with_events):
    arms = [
        reconstruct_repeatedly(
            clicks_at(arm, 70),
            risk_table(arm["time"], every),
            int(arm["event"].sum()) if with_events else None,
            repeats=20,
            noise=0.003,
            seed=11,
        )
        for arm in lung
    ]
    ratios = [
        np.exp(log_hazard_ratio(first.people, second.people)[0])
        for first, second in zip(arms[0].runs, arms[1].runs, strict=True)
    ]
    true = np.exp(log_hazard_ratio(*lung)[0])
    assert np.mean(ratios) == pytest.approx(true, rel=0.05)
    assert ratios == pytest.approx([true] * 20, rel=0.10)
    assert max(run.quality.value("rmse") for run in arms[0].runs + arms[1].runs) <= 0.019


# What is met exactly


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    people=st.integers(3, 200),
    every=st.sampled_from([3.0, 8.0, 13.0, 26.0]),
    noise=st.sampled_from([0.0, 0.003]),
    known=st.booleans(),
)
def test_the_risk_table_is_met_whatever_the_clicks(seed, people, every, noise, known):
    true = made_up(seed, people)
    clicks = exact_clicks(true)
    clicks["survival"] += np.random.default_rng(seed).normal(0, noise, len(clicks))
    clicks["survival"] = np.minimum.accumulate(clicks["survival"].clip(0, 1))
    table = risk_table(true["time"], every)
    if len(table) == 1 and not known:
        return
    found = reconstruct(clicks, table, int(true["event"].sum()) if known else None)
    assert len(found.people) == people
    assert (found.risk_table["published"] == found.risk_table["reconstructed"]).all()
    assert found.people["time"].between(0, true["time"].max()).all()
    assert found.people["time"].is_monotonic_increasing
    assert set(found.people["event"]) <= {0, 1}


@pytest.mark.parametrize("seed", range(4))
def test_without_censoring_people_are_found_one_by_one(seed):
    true = made_up(seed, people=45, dropout=1e-9, end=1e6).sort_values("time")
    found = reconstruct(exact_clicks(true), risk_table(true["time"], 10))
    assert found.people["event"].all()
    assert found.people["time"].to_numpy() == pytest.approx(true["time"].to_numpy())
    assert found.quality.value("rmse") == pytest.approx(0, abs=1e-12)


def test_the_order_of_clicks_and_the_unit_of_time_do_not_matter():
    true = made_up(3)
    clicks, table = exact_clicks(true), risk_table(true["time"], 8)
    first = reconstruct(clicks, table).people
    shuffled = clicks.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(first, reconstruct(shuffled, table[::-1]).people)
    in_days = reconstruct(
        clicks.assign(time=7 * clicks["time"]), table.assign(time=7 * table["time"])
    )
    assert in_days.people["time"].to_numpy() == pytest.approx(7 * first["time"].to_numpy())
    assert (in_days.people["event"] == first["event"]).all()


def test_a_total_of_events_is_met_by_censoring_after_the_last_row():
    true = made_up(5, people=80, rate=0.02, dropout=0.02)
    clicks, table = exact_clicks(true), risk_table(true["time"], 30).head(1)
    events = int(true["event"].sum())
    found = reconstruct(clicks, table, events)
    assert int(found.people["event"].sum()) == events
    assert found.quality.verdict == "warn"
    assert "only its first row" in found.quality.sentence


def test_the_last_person_is_followed_to_the_end_of_the_curve():
    clicks = pd.DataFrame({"time": [2.0, 5.0, 20.0], "survival": [0.9, 0.8, 0.8]})
    table = pd.DataFrame({"time": [0, 10, 30], "at_risk": [10, 6, 0]})
    found = reconstruct(clicks, table)
    assert found.people["time"].max() == 20
    assert (found.people.query("time > 10")["event"] == 0).all()


def test_where_curve_and_table_disagree_the_table_is_met_and_the_error_shown():
    clicks = pd.DataFrame({"time": [1.0, 5.0, 12.0, 20.0], "survival": [0.9, 0.7, 0.7, 0.7]})
    table = pd.DataFrame({"time": [0, 10], "at_risk": [100, 90]})
    found = reconstruct(clicks, table)
    assert found.risk_table["reconstructed"].tolist() == [100, 90]
    assert found.people.query("time < 10")["event"].sum() == 10
    assert found.quality.value("largest error") > 0.05
    assert found.quality.verdict == "reject"
    assert found.quality.tier == 4
    assert "Only counts at single times" in found.quality.sentence


# Slips of the hand


@pytest.mark.parametrize("slip", [-0.2, 0.0, 0.2, None])
@pytest.mark.parametrize("seed", range(5))
def test_events_at_visits_that_stand_in_the_risk_table(seed, slip):
    """Visits and rows of the table at the same weeks: a click beside one must not matter."""
    true = made_up(seed, people=60, visits=4)
    steps = exact_clicks(true).drop_duplicates("survival")
    before = np.append(1.0, steps["survival"])[:-1]
    corners = np.column_stack([before, steps["survival"]]).ravel()
    off = np.random.default_rng(seed).normal(0, 0.12, len(corners)) if slip is None else slip
    clicks = pd.DataFrame(
        {
            "time": np.append(np.repeat(steps["time"], 2) + off, 52.0),
            "survival": np.append(corners, corners[-1]),
        }
    )
    found = reconstruct(clicks, risk_table(true["time"], 4))
    happened = found.people.query("event == 1")["time"]
    expected = np.sort(true.query("event == 1")["time"])
    assert len(happened) == len(expected)
    assert np.abs(happened.to_numpy() - expected).max() < 0.6  # 1 % of the axis
    assert found.quality.verdict == "accept"


def test_a_top_clicked_to_the_right_of_its_foot_is_no_rise():
    times = [4.9, 5.0, 9.8, 9.9, 40.0]
    right = pd.DataFrame({"time": times, "survival": [1.0, 0.8, 0.8, 0.6, 0.6]})
    wrong = pd.DataFrame({"time": times, "survival": [0.8, 1.0, 0.6, 0.8, 0.6]})
    table = pd.DataFrame({"time": [0, 20], "at_risk": [20, 12]})
    found = reconstruct(wrong, table)
    pd.testing.assert_frame_equal(found.people, reconstruct(right, table).people)
    assert "4 clicks exchanged" in found.notes[0]


def test_small_rises_are_levelled_and_said():
    clicks = pd.DataFrame({"time": [1.0, 9.0, 17.0, 30.0], "survival": [0.9, 0.89, 0.9, 0.7]})
    table = pd.DataFrame({"time": [0, 20], "at_risk": [10, 9]})
    found = reconstruct(clicks, table)
    assert found.people.query("event == 1")["time"].tolist()[:1] == [1.0]
    assert any("above an earlier click: 1 of 4" in note for note in found.notes)


# Repetition


def test_repeats_depend_on_the_seed_and_on_nothing_else():
    true = made_up(2)
    given_ = clicks_at(true, 60), risk_table(true["time"], 8)
    first, again, other = (reconstruct_repeatedly(*given_, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.people, again.people)
    assert not first.people.equals(other.people)
    assert first.people["repeat"].nunique() == len(first.summary) == 20
    pd.testing.assert_frame_equal(first.as_read.people, reconstruct(*given_).people)


def test_two_arms_with_one_seed_get_different_errors():
    """Otherwise the errors of both arms would cancel in their contrast."""
    flat = pd.DataFrame({"time": np.linspace(1, 50, 40), "survival": 0.5})
    table = pd.DataFrame({"time": [0, 30], "at_risk": [400, 150]})
    lower = flat.assign(survival=0.45)
    arms = [reconstruct_repeatedly(clicks, table, seed=3) for clicks in (flat, lower)]
    falls = [[run.people["event"].sum() for run in arm.runs] for arm in arms]
    assert abs(np.corrcoef(*falls)[0, 1]) < 0.6


def test_error_of_reconstruction_enters_the_interval():
    arms = []
    for seed, rate in ((1, 0.03), (2, 0.06)):
        true = made_up(seed, people=80, rate=rate)
        arms.append(
            reconstruct_repeatedly(clicks_at(true, 50), risk_table(true["time"], 13), seed=4)
        )
    result = across_repeats(log_hazard_ratio, *arms)
    pairs = [
        log_hazard_ratio(a.people, b.people)
        for a, b in zip(arms[0].runs, arms[1].runs, strict=True)
    ]
    estimates, variances = np.array(pairs).T
    between = estimates.var(ddof=1)
    assert between > 0
    assert result.estimate[0] == pytest.approx(estimates.mean())
    assert result.se[0] ** 2 == pytest.approx(variances.mean() + 1.05 * between)
    still = [
        reconstruct_repeatedly(
            arm.runs[0].clicks, arm.runs[0].risk_table.rename(columns={"published": "at_risk"}),
            seed=4, noise=0.0,
        )
        for arm in arms
    ]  # fmt: skip
    assert across_repeats(log_hazard_ratio, *still).between[0] == pytest.approx(0, abs=1e-25)


# Refusals

GOOD = pd.DataFrame({"time": [1.0, 2.0, 4.0], "survival": [0.9, 0.8, 0.6]})
TABLE = pd.DataFrame({"time": [0, 2, 4], "at_risk": [20, 16, 10]})


def refusal(*given, **options):
    with pytest.raises(InvalidInput) as invalid:
        reconstruct(*given, **options)
    return str(invalid.value)


@pytest.mark.parametrize(
    ("survival", "said"),
    [
        ([0.9, 0.95, 0.6], "row 3, column survival: '0.95': the curve rises by more than 0.02"),
        ([90.0, 80.0, 60.0], "are these percentages"),
        ([0.9, -0.3, 0.6], "'-0.3': allowed: 0 to 1"),
        ([0.9, None, 0.6], "row 3, column survival: 'nan': allowed: a finite number"),
        ([0.9, "no", 0.6], "'no': allowed: a finite number"),
    ],
)
def test_clicks_that_are_no_survival_curve(survival, said):
    assert said in refusal(GOOD.assign(survival=survival), TABLE)


@pytest.mark.parametrize(
    ("at_risk", "said"),
    [
        ([20, 21, 10], "row 3, column at_risk: '21': more people are at risk than at the time"),
        ([20, 16.5, 10], "'16.5': allowed: whole people"),
        ([20, 16, -1], "'-1': allowed: whole people"),
        ([0, 0, 0], "nobody is at risk at time 0"),
    ],
)
def test_tables_that_count_no_people(at_risk, said):
    assert said in refusal(GOOD, TABLE.assign(at_risk=at_risk))


@pytest.mark.parametrize(
    ("times", "said"),
    [([1, 2, 4], "no row for time 0"), ([0, 2, 2], "stands twice"), ([0, -2, 4], "0 or more")],
)
def test_tables_at_impossible_times(times, said):
    assert said in refusal(GOOD, TABLE.assign(time=times))


@pytest.mark.parametrize(
    ("events", "said"),
    [(21, "more events than people (20)"), (-1, "whole number"), (2.5, "whole"), ("x", "whole")],
)
def test_impossible_totals(events, said):
    assert said in refusal(GOOD, TABLE, events)


def test_a_curve_that_does_not_begin_at_1():
    late = pd.DataFrame({"time": [0.0, 1.0, 4.0], "survival": [0.9, 0.8, 0.6]})
    assert "must begin at 1" in refusal(late, TABLE)
    step_at_0 = pd.DataFrame({"time": [0.0, 0.0, 4.0], "survival": [1.0, 0.8, 0.6]})
    assert "must begin" not in str(reconstruct(step_at_0, TABLE))


def test_without_a_risk_table_people_are_refused():
    assert "without it nothing says how many were censored" in refusal(GOOD, None)
    first_row = TABLE.head(1)
    assert "no total of events is given" in refusal(GOOD, first_row)
    assert reconstruct(GOOD, first_row, 8).quality.verdict == "warn"


def test_all_problems_are_named_at_once():
    text = refusal(GOOD.assign(survival=[0.7, 0.9, 0.6]), TABLE.assign(at_risk=[20, 25, 10]), 99)
    assert "3 problems" in text
    assert "rises" in text and "grow" in text and "more events than people" in text
    text = refusal(GOOD[["time"]], TABLE[["at_risk"]])
    assert "2 problems" in text and "column survival" in text and "column time" in text


def test_windows_and_medians_after_the_end_of_follow_up_are_refused():
    text = refusal(GOOD, TABLE, window=5.0, median=9.0)
    assert "2 problems" in text and "up to the end of follow-up (4)" in text
    assert "needs the window" in refusal(GOOD, TABLE, window_events=3)
    assert "more events than people (20)" in refusal(GOOD, TABLE, window=2.0, window_events=30)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"repeats": 5}, "20 or more"), ({"noise": 0.5}, "0 to 0.02"), ({"noise": -1}, "0 to 0.02")],
)
def test_repetitions_that_tell_nothing_are_refused(options, said):
    with pytest.raises(InvalidInput, match=said):
        reconstruct_repeatedly(GOOD, TABLE, seed=1, **options)


def test_arms_repeated_unequally_are_refused():
    arms = [reconstruct_repeatedly(GOOD, TABLE, seed=1, repeats=n) for n in (20, 21)]
    with pytest.raises(InvalidInput, match="20, 21"):
        across_repeats(log_hazard_ratio, *arms)
    with pytest.raises(InvalidInput, match="no arms"):
        across_repeats(log_hazard_ratio)
