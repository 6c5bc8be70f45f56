"""Onset, what it can be bounded by, detection and duration, for each step."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from discontinuation.problems import InvalidInput
from discontinuation.symptoms.onset import RiseRule, step_onsets, wilson


def case(days, values, steps=(0,), end=40.0, person="a", arm="taper"):
    n = len(days)
    return {
        "assessments": pd.DataFrame(
            {"person": [person] * n, "day": np.asarray(days, float), "instrument": "diary",
             "item": "worry", "value": np.asarray(values, float)}
        ),
        "steps": pd.DataFrame(
            {"person": person, "step": range(1, len(steps) + 1), "day": np.asarray(steps, float)}
        ),
        "people": pd.DataFrame({"person": [person], "arm": [arm]}),
        "follow_up": pd.DataFrame({"person": [person], "start": [-20.0], "end": [end]}),
    }  # fmt: skip


def together(*cases):
    return {name: pd.concat([one[name] for one in cases], ignore_index=True) for name in cases[0]}


BASELINE = [-6, -4, -2], [1, 2, 3]


def series(days, values, **options):
    return case([*BASELINE[0], *days], [*BASELINE[1], *values], **options)


def only(found):
    assert len(found.onsets) == 1
    return found.onsets.iloc[0]


def test_onset_lies_between_two_observations():
    given = series([1, 4, 8, 12], [2, 5, 5, 2])
    row = only(step_onsets(**given, rule=RiseRule(7, rise=2.0)))
    assert row["baseline"] == 2
    assert row["threshold"] == 4
    assert row["outcome"] == "rise"
    assert row[["onset_earliest", "onset", "onset_latest", "detected"]].tolist() == [1, 4, 4, 4]
    assert row["resolved"] == 12
    assert row["duration"] == 8
    assert not row["resolution_censored"]
    assert row["days_to_onset_earliest"] == 1


def test_a_rise_at_the_first_observation_can_have_begun_before_the_step():
    row = only(step_onsets(**series([1], [9]), rule=RiseRule(7, rise=2.0)))
    assert row["days_to_onset_earliest"] == -2
    assert row["days_to_onset"] == 1
    assert row["resolution_censored"]
    assert row["duration"] == 0


def test_two_of_three_needs_a_second_observation_and_is_detected_there():
    rule = RiseRule(7, rise=2.0, k=2, m=3)
    row = only(step_onsets(**series([1, 2, 3, 4, 5, 6, 7], [9, 1, 1, 9, 1, 9, 9]), rule=rule))
    assert row["onset"] == 4
    assert row["detected"] == 6
    assert row["onset_earliest"] == 3
    assert row["resolution_censored"]


def test_the_same_rule_ends_a_rise():
    rule = RiseRule(7, rise=2.0, k=2, m=2)
    row = only(step_onsets(**series([1, 2, 3, 4, 5, 6], [9, 9, 1, 9, 1, 1]), rule=rule))
    assert row["onset"] == 1
    assert row["resolved"] == 5


def test_a_single_day_above_is_no_rise_under_two_of_two():
    rule = RiseRule(7, rise=2.0, k=2, m=2)
    row = only(step_onsets(**series([1, 2, 3], [9, 1, 9]), rule=rule))
    assert row["outcome"] == "no rise seen"
    assert pd.isna(row["onset"])


def test_standard_deviations_of_the_baseline():
    given = series([1, 3], [3.9, 4.1])
    row = only(step_onsets(**given, rule=RiseRule(7, standard_deviations=2.0)))
    assert row["threshold"] == pytest.approx(2 + 2 * np.std([1, 2, 3], ddof=1))
    assert row["onset"] == 3
    flat = case([-3, -2, 1], [2, 2, 9])
    assert only(step_onsets(**flat, rule=RiseRule(7, standard_deviations=2.0)))["outcome"] == (
        "no baseline"
    )


def test_a_score_that_falls_when_worse_is_turned_around():
    given = series([1, 4], [2, -1])
    rule = RiseRule(7, rise=2.0, higher_is_worse=False)
    row = only(step_onsets(**given, rule=rule))
    assert row["threshold"] == 0
    assert row["onset"] == 4


def test_each_step_has_its_own_onset_and_what_was_raised_before_is_told_apart():
    given = series([1, 4, 8, 12, 15, 22], [2, 5, 5, 2, 9, 9], steps=(0, 7, 14, 21))
    found = step_onsets(**given, rule=RiseRule(7, rise=2.0)).onsets
    assert found["outcome"].tolist() == ["rise", "already raised", "rise", "already raised"]
    assert found["onset"].dropna().tolist() == [4, 15]
    assert found["window_end"].tolist() == [7, 7, 7, 19]
    assert found["n_observed"].tolist() == [2, 2, 1, 1]


def test_a_step_without_observations_and_a_person_without_any():
    given = series([1], [2], steps=(0, 7))
    nobody = case([], [], person="b")
    nobody["assessments"] = nobody["assessments"].astype({"person": object})
    found = step_onsets(**together(given, nobody), rule=RiseRule(7, rise=2.0)).onsets
    assert found["outcome"].tolist() == ["no rise seen", "not observed", "no baseline"]
    assert found["person"].tolist() == ["a", "a", "b"]


def test_shares_count_who_could_have_risen_by_then():
    cases = [
        series([3, 10], [9, 9], person="a"),
        series([3, 10], [2, 9], person="b"),
        series([3, 10], [2, 2], person="c"),
        series([3], [2], person="d", end=5.0),
        series([3], [2], person="e"),
        series([1], [9], person="f", end=5.0),
    ]
    found = step_onsets(**together(*cases), rule=RiseRule(7, rise=2.0), days=[4, 7, 12])
    table = found.summary.set_index("day")
    assert table["n_at_risk"].tolist() == [6, 4, 4]
    assert table["n_rise"].tolist() == [2, 1, 2]
    assert table["n_seen"].tolist() == [4, 3, 2]
    assert table.loc[12, "share"] == 0.5
    low, high = proportion_confint(2, 4, method="wilson")
    assert table.loc[12, ["lower", "upper"]].tolist() == pytest.approx([low, high])


def test_wilson_is_that_of_statsmodels_and_exact_at_its_ends():
    for count, n in [(0, 7), (7, 7), (3, 11), (1, 2)]:
        expected = proportion_confint(count, n, alpha=0.1, method="wilson")
        assert wilson(count, n, 0.9).tolist() == pytest.approx(expected, abs=1e-12)
    assert wilson([0, 7], [7, 7], 0.95)[[0, 1], [0, 1]].tolist() == [0.0, 1.0]
    assert np.isnan(wilson(0, 0, 0.95)).all()


def test_known_onsets_are_found_within_their_bounds():
    """Daily diaries with a known start of the rise: onset is the next diary, never later."""
    rng = np.random.default_rng(1)
    cases, truth = [], {}
    for number in range(60):
        who = f"p{number:02d}"
        days = np.sort(rng.choice(np.arange(-7, 30), 25, replace=False)) + rng.uniform(0, 0.9, 25)
        truth[who] = rng.uniform(1, 15)
        cases.append(case(days, 1.0 + 3 * (days >= truth[who]), person=who))
    found = step_onsets(**together(*cases), rule=RiseRule(7, rise=2.0, k=2, m=2)).onsets
    found = found[found["outcome"] == "rise"].set_index("person")
    assert len(found) > 50
    start = pd.Series(truth)[found.index]
    assert (found["onset_earliest"] <= start).all()
    assert (found["onset_latest"] >= start).all()
    assert (found["detected"] > found["onset"]).all()


def test_by_chance_alone_rises_are_as_rare_as_the_rule_says():
    """Independent normal days, threshold known: the share at day 1 is the tail probability."""
    rng = np.random.default_rng(2)
    cases = [
        case([*range(-300, 0), 1], [*rng.normal(size=300), rng.normal()], person=f"p{n}")
        for n in range(150)
    ]
    rule = RiseRule(300, rise=1.0)
    found = step_onsets(**together(*cases), rule=rule, days=[1]).summary.iloc[0]
    # Those who happen to be above at their last day before the step are told apart.
    assert found["n_at_risk"] + found["n_already_raised"] == 150
    for count, n in [(found["n_rise"], found["n_at_risk"]), (found["n_already_raised"], 150)]:
        assert stats.binomtest(int(count), int(n), stats.norm.sf(1)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (RiseRule(7), "exactly one of rise and standard_deviations"),
        (RiseRule(7, rise=1, standard_deviations=1), "exactly one"),
        (RiseRule(7, rise=-1), "greater than 0"),
        (RiseRule(7, rise=1, k=3, m=2), "1 <= k <= m"),
        (RiseRule(0, rise=1), "baseline_days"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(rule, words):
    with pytest.raises(InvalidInput, match="rise rule") as refusal:
        step_onsets(**series([1], [2]), rule=rule)
    assert words in str(refusal.value)
