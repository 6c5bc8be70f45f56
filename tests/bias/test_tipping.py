"""Tipping points: brute force, both directions, and mirrored hypotheses."""

import math
from itertools import count

import numpy as np
import pandas as pd
import pytest

from bias.two_arm_trials import trial
from discontinuation.bias.tipping import first_count, tipping_points
from discontinuation.bias.two_arms import hazard_ratio, two_arms
from discontinuation.bias.verdict_words import Hypotheses
from discontinuation.problems import InvalidInput
from discontinuation.survival import cox


def stream():
    return np.random.default_rng(1)


def labelled(seed, people=120, ratio=1.6, early_hazard=0.35):
    """A trial with withdrawal in the stopped arm, its events labelled with some doubt."""
    continued, stopped = trial(seed, people, 0.5, ratio, early_hazard=early_hazard)
    random = np.random.default_rng(seed)
    sure = np.where(stopped["withdrawal"], 0.3, 0.7) + random.uniform(-0.3, 0.3, people)
    return continued, stopped.assign(probability=sure)


def recount(people, queue, event):
    """Give some people another event status."""
    return people.assign(event=people["event"].where(~people.index.isin(queue), event))


def stands(continued, stopped):
    data = pd.concat([continued.assign(arm=0.0), stopped.assign(arm=1.0)])[["time", "event", "arm"]]
    model = cox("arm", data)
    return model.coef[0] > 0 and model.p_value[0] <= 0.05


ORDER = {
    "earliest first": lambda frame: frame.sort_values("time", kind="stable"),
    "likeliest first": lambda frame: frame.sort_values("probability", kind="stable"),
}


@pytest.mark.parametrize("seed", range(4))
def test_nullifying_equals_brute_force_with_the_general_cox_model(seed):
    continued, stopped = labelled(seed)
    found = tipping_points(continued, stopped, 84, 364, stream(), permutations=1).summary
    found = found.set_index("order")["fewest"]
    for order, sorted_by in ORDER.items():
        early = sorted_by(stopped[(stopped["event"] == 1) & (stopped["time"] <= 84)])
        brute = math.nan
        for k in range(len(early) + 1):
            changed = stopped.assign(
                event=stopped["event"].where(~stopped.index.isin(early.index[:k]), 0)
            )
            if not stands(continued, changed):
                brute = k
                break
        assert found[order] == pytest.approx(brute, nan_ok=True)
    assert found["earliest first"] > 0


@pytest.mark.parametrize("seed", range(3))
def test_restoring_and_doubling_equal_brute_force(seed):
    continued, stopped = labelled(seed, ratio=1.5)
    # Withdrawal is not counted; it may have been relapse after all.
    stopped = stopped.assign(
        event=stopped["event"] * ~stopped["withdrawal"],
        ended=stopped["ended"].where(~stopped["withdrawal"], "withdrawal"),
    )
    found = tipping_points(
        continued, stopped, 84, 364, stream(), reversible=["withdrawal"], permutations=1,
        orders=["earliest first"],
    ).summary.set_index("goal")["fewest"]  # fmt: skip
    observed = hazard_ratio(two_arms(continued, stopped)).log_ratio
    queue = stopped[stopped["ended"] == "withdrawal"].sort_values("time").index
    changed = [recount(stopped, queue[:k], 1) for k in range(len(queue) + 1)]
    restore = next((k for k in range(len(changed)) if stands(continued, changed[k])), math.nan)
    double = next(
        (
            k
            for k in range(len(changed))
            if hazard_ratio(two_arms(continued, changed[k])).log_ratio >= 2 * observed
        ),
        math.nan,
    )
    assert found["restore"] == pytest.approx(restore, nan_ok=True)
    if observed > 0:
        assert found["double"] == pytest.approx(double, nan_ok=True)


def swap(people):
    """Count what was labelled as the other reading, and the other way round."""
    other = people["ended"].eq("other")
    return people.assign(
        event=other.astype(int),
        ended=people["ended"].where(~other, None).mask(people["event"] == 1, "other"),
        probability=1 - people["probability"],
    )


@pytest.mark.parametrize("handling", ["censor", "return"])
def test_swapping_the_hypotheses_mirrors_numbers_and_words(handling):
    """The same people, once told by who calls them relapse and once by who calls them withdrawal.

    Swapping the names of the readings, and each label with them, must change no number; and in
    every sentence nothing but the two names.
    """
    random = np.random.default_rng(5)
    continued, stopped = labelled(7, ratio=2.2)
    halves = random.random(len(stopped)) < 0.35
    moved = halves & (stopped["event"] == 1)
    stopped = stopped.assign(
        event=stopped["event"] * ~moved, ended=stopped["ended"].mask(moved, "other")
    )
    pair = Hypotheses("relapse", "withdrawal")
    options = {"reversible": ["other"], "permutations": 20, "handling": handling}
    there = tipping_points(continued, stopped, 84, 364, stream(), hypotheses=pair, **options)
    back = tipping_points(
        continued, stopped, 84, 364, stream(), hypotheses=pair.swapped(), **options
    )
    numbers = ["goal", "order", "candidates", "fewest", "lowest", "highest", "share"]
    pd.testing.assert_frame_equal(there.summary[numbers], back.summary[numbers])
    for one, other in zip(there.points, back.points, strict=True):
        mirrored = one.sentence.replace("relapse", "\0").replace("withdrawal", "relapse")
        assert mirrored.replace("\0", "withdrawal") == other.sentence
    # Labels swapped twice are the labels.
    again = swap(swap(stopped))
    assert again["event"].eq(stopped["event"]).all()


def test_labels_swapped_with_the_names_ask_the_opposite_question_of_the_same_events():
    """Nullifying one reading moves exactly the events that restoring the other moves back."""
    continued, stopped = labelled(9, people=150, ratio=1.2, early_hazard=0.6)
    moved = stopped["withdrawal"]
    relapse = stopped.assign(
        event=stopped["event"] * ~moved, ended=stopped["ended"].mask(moved, "other")
    )
    withdrawal = swap(relapse)
    assert withdrawal["event"].sum() == moved.sum()
    there = tipping_points(
        continued, relapse, 84, 364, stream(), reversible=["other"], permutations=5
    )
    back = tipping_points(
        continued, withdrawal, 84, 364, stream(), hypotheses=Hypotheses().swapped(), permutations=5
    )
    restore = there.summary.query("goal == 'restore'").iloc[0]
    nullify = back.summary.query("goal == 'nullify'").iloc[0]
    assert restore["candidates"] == nullify["candidates"] == moved.sum()


def test_return_to_the_risk_set_takes_at_least_about_as_many():
    pair = labelled(11, people=300)
    kept = tipping_points(*pair, 84, 364, stream(), orders=["random"], permutations=60)
    back = tipping_points(
        *pair, 84, 364, stream(), orders=["random"], permutations=60, handling="return"
    )
    one, other = kept.points[0], back.points[0]
    assert one.lowest <= one.fewest <= one.highest
    assert other.highest - other.lowest > one.highest - one.lowest


def test_no_excess_needs_no_events_and_cannot_be_doubled():
    found = tipping_points(
        *labelled(3, ratio=0.6, early_hazard=0.0), 84, 364, stream(), reversible=["dropout"],
        permutations=3,
    )  # fmt: skip
    assert not found.stands
    goals = found.summary.groupby("goal")["fewest"].first()
    assert goals["nullify"] == 0 and goals["double"] == 0
    assert "none to nullify" in found.points[0].sentence


def test_an_excess_that_is_late_only_cannot_be_nullified_by_early_events():
    continued, stopped = trial(12, 400, 0.5, 4.0)
    found = tipping_points(continued, stopped, 5, 364, stream(), permutations=5)
    assert math.isnan(found.points[0].fewest)
    assert "would still stand if all" in found.points[0].sentence


def test_a_margin_is_reached_before_the_null():
    pair = labelled(13, people=400)
    null, margin = (
        tipping_points(*pair, 84, 364, stream(), orders=["earliest first"], threshold=c).points[0]
        for c in (1.0, 1.5)
    )
    assert margin.fewest < null.fewest


@pytest.mark.parametrize("most", range(9))
def test_first_count_equals_a_linear_scan(most):
    for pattern in range(2**most):
        reached = [bool(pattern >> k & 1) for k in range(most)]
        if sum(a != b for a, b in zip([False, *reached], reached, strict=False)) > 1:
            continue  # bisection is for goals that, once reached, stay reached
        brute = next((k for k in count(1) if k > most or reached[k - 1]), 0)
        found = first_count(most, lambda k, r=reached: r[k - 1])
        assert found == (math.inf if brute > most else brute)


def test_a_dent_next_to_the_tipping_point_is_scanned():
    reached = [False] * 10 + [True, False] + [True] * 8
    assert first_count(20, lambda k: reached[k - 1]) == 11


def test_everything_wrong_is_told_at_once():
    continued, stopped = trial(14)
    with pytest.raises(InvalidInput) as error:
        tipping_points(
            continued, stopped, 84, 900, stream(), reversible=["drop out"],
            orders=["likeliest first", "latest first"], handling="keep", alpha=2, threshold=0,
            permutations=0,
        )  # fmt: skip
    text = str(error.value)
    for part in (
        "did you mean 'dropout'", "column probability", "latest first", "column handling",
        "column alpha", "column threshold", "column permutations", "followed to 364 only",
    ):  # fmt: skip
        assert part in text
    with pytest.raises(InvalidInput, match="no end of follow-up can be read otherwise"):
        tipping_points(
            continued, stopped.drop(columns="ended"), 84, 364, stream(), reversible=["dropout"]
        )
    with pytest.raises(InvalidInput, match="allowed: 0 to 1"):
        tipping_points(continued, stopped.assign(probability=2.0), 84, 364, stream())
