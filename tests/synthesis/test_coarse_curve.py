"""Curves known at a few points: what they tell, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import SHARED
from discontinuation.problems import InvalidInput
from discontinuation.survival import kaplan_meier, turnbull
from discontinuation.synthesis import curve_from_counts, curve_from_limits, curve_from_quantiles

# Brams 2012, placebo: 26 relapses in week 1, 10 in week 2, 45 of 60 by week 6.
BRAMS = pd.DataFrame({"time": [1, 2, 6], "events": [26, 10, 9]})


def test_weekly_counts_give_exact_points_and_intervals():
    found = curve_from_counts(BRAMS, 60)
    assert [found.survival(t) for t in (0, 1, 2, 6)] == pytest.approx([1, 34 / 60, 24 / 60, 0.25])
    assert found.people.to_numpy().tolist() == [
        [0, 1, 26], [1, 2, 10], [2, 6, 9], [6, np.inf, 15],
    ]  # fmt: skip
    assert found.summary["mean_hazard"].tolist() == pytest.approx(
        [-np.log(34 / 60), -np.log(24 / 34), -np.log(15 / 24) / 4]
    )
    likely = turnbull(found.people["lower"], found.people["upper"], found.people["weight"])
    assert likely.summary["survival"].tolist() == pytest.approx([34 / 60, 0.4, 0.25, 0], abs=1e-6)


def test_between_the_points_only_limits_are_given():
    found = curve_from_counts(BRAMS, 60)
    limits = found.bounds([0.5, 2, 3, 8])
    assert limits["upper"].tolist() == pytest.approx([1, 0.4, 0.4, 0.25])
    assert limits["lower"].tolist() == pytest.approx([34 / 60, 0.4, 0.25, 0])
    with pytest.raises(InvalidInput, match=r"not identified, only that it lies from 0\.25 to 0\.4"):
        found.survival(3)
    assert "when within an interval" in str(found)


@given(
    st.integers(0, 2**31),
    st.integers(5, 60),
    st.lists(st.floats(0.5, 9), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_counted_with_censoring_the_true_curve_lies_within_the_limits(seed, people, ends):
    random = np.random.default_rng(seed)
    time = random.exponential(5, people).round(3) + 0.001
    event = random.random(people) < 0.6
    inside = np.searchsorted(ends, time)
    rows = [
        (end, ((inside == k) & event).sum(), ((inside == k) & ~event).sum())
        for k, end in enumerate(ends)
    ]
    counts = pd.DataFrame(rows, columns=["time", "events", "censored"])
    found = curve_from_counts(counts, people)
    true = kaplan_meier(time, event)
    for end in ends:
        limits = found.bounds([end]).iloc[0]
        survival = np.append(1.0, true.survival)[np.searchsorted(true.time, end, side="right")]
        assert limits["lower"] - 1e-9 <= survival <= limits["upper"] + 1e-9
    assert found.people["weight"].sum() == people


def test_quantiles_give_points_and_mean_hazards_and_no_people():
    # Viguera 1997: a quarter relapsed by week 6 after an abrupt stop.
    found = curve_from_quantiles(pd.DataFrame({"time": [6, 20], "survival": [0.75, 0.5]}))
    assert found.survival(6) == 0.75
    assert found.people.empty
    assert found.summary["mean_hazard"].tolist() == pytest.approx(
        [-np.log(0.75) / 6, -np.log(2 / 3) / 14]
    )
    assert any("no people, no variance and no hazard ratio" in text for text in found.refused)
    assert found.bounds([30]).iloc[0].tolist() == [30, 0, 0.5]
    with pytest.raises(InvalidInput):
        found.survival(30)


@pytest.mark.parametrize(
    ("study", "arm", "expected"),
    [
        ("PREVENT_VEN_Kocsis2007", "venlafaxine ER", [112, 82]),
        ("PREVENT_VEN_Kocsis2007", "placebo", [90, 81]),
        ("Chen2010_QTP", "quetiapine", [65]),
        ("Chen2010_QTP", "placebo", [53]),
        ("PREVENT_VEN_B_Keller2007", "placebo", [32]),
    ],
)
def test_effective_numbers_of_published_trials(study, arm, expected):
    path = SHARED / "published" / "arms.csv"
    if not path.is_file():
        pytest.skip("the published tables (../shared/published) are not on this machine")
    arms = pd.read_csv(path)
    rows = arms.query("study_id == @study and arm == @arm").dropna(subset="prob_ci_low")
    points = rows[["week", "event_free_prob", "prob_ci_low", "prob_ci_high"]]
    points = points.set_axis(["time", "survival", "lower", "upper"], axis=1)
    found = curve_from_limits(points, int(rows["n_randomised"].iat[0]))
    assert found.points["effective_n"].round().tolist()[1:] == expected
    assert found.people["weight"].sum() == pytest.approx(found.intervals["at_risk"].iat[0])


def test_limits_of_a_trial_without_censoring_give_back_its_people():
    time = np.repeat([1.0, 2.0, 3.0], [20, 10, 30])
    event = np.repeat([1, 1, 0], [20, 10, 30])
    curve = kaplan_meier(time, event, conf_type="log").summary.head(2)
    found = curve_from_limits(curve[["time", "survival", "lower", "upper"]], 60)
    assert found.intervals["at_risk"].tolist() == pytest.approx([60, 40], rel=1e-6)
    assert found.intervals["events"].tolist() == pytest.approx([20, 10], rel=1e-6)
    assert found.intervals["censored"].tolist() == pytest.approx([0, 0], abs=1e-4)
    assert found.refused == ("when within an interval people had the event or were censored.",)


def test_limits_that_do_not_widen_identify_no_later_people():
    points = pd.DataFrame(
        {
            "time": [10, 20, 30],
            "survival": [0.8, 0.7, 0.6],
            "lower": [0.72, 0.63, 0.52],
            "upper": [0.88, 0.77, 0.68],
        }
    )
    found = curve_from_limits(points, 100)
    assert found.intervals["at_risk"].notna().tolist() == [True, False, False]
    assert "from 10 to 20" in found.refused[0]
    assert found.survival(20) == 0.7
    assert found.people["weight"].sum() == pytest.approx(found.intervals["at_risk"].iat[0])


def test_more_effective_people_than_people_are_refused():
    points = pd.DataFrame({"time": [10], "survival": [0.5], "lower": [0.48], "upper": [0.52]})
    found = curve_from_limits(points, 100)
    assert "would need 2401 people, and at most 100 are left" in found.refused[0]
    assert found.people.empty


@pytest.mark.parametrize(
    ("function", "frame", "said"),
    [
        (curve_from_counts, BRAMS.assign(events=[26, 30, 9]), "more people leave (65) than there"),
        (curve_from_counts, BRAMS.assign(events=[26.5, 1, 1]), "'26.5': allowed: a whole number"),
        (curve_from_counts, BRAMS.assign(time=[2, 1, 6]), "times must rise"),
        (curve_from_counts, BRAMS.assign(time=[0, 1, 6]), "above 0"),
        (curve_from_counts, BRAMS[["time"]], "column events"),
        (curve_from_counts, None, "allowed: a table"),
    ],
)
def test_counts_that_are_none(function, frame, said):
    with pytest.raises(InvalidInput) as invalid:
        function(frame, 60)
    assert said in str(invalid.value)


def test_points_that_are_none_are_refused_all_at_once():
    rising = pd.DataFrame({"time": [5, 4], "survival": [0.5, 0.75]})
    with pytest.raises(InvalidInput) as invalid:
        curve_from_quantiles(rising)
    assert "2 problems" in str(invalid.value) and "the curve rises" in str(invalid.value)
    wrong = rising.assign(survival=[1.2, 0.5], lower=[0.4, 0.6], upper=[1.3, 0.7])
    with pytest.raises(InvalidInput) as invalid:
        curve_from_limits(wrong, 0.5, confidence=2)
    text = str(invalid.value)
    assert "6 problems" in text
    assert "around 0.5" in text and "people" in text and "confidence" in text
