"""Labels follow from declared rules; nothing unknown is guessed, and every author is heard."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from discontinuation.exposure.authors import (
    course_of,
    courses_of,
    courses_of_arms,
    find_changes,
    name_by_authors,
)
from discontinuation.exposure.definitions import DOES_NOT_SAY, NONE_OF_THEM, read_definitions
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.pace import QUANTITIES, pace_of
from discontinuation.exposure.parameters import parameters_of
from discontinuation.exposure.published_pace import plausible_pace
from discontinuation.exposure.schedules import (
    cut_and_hold,
    hyperbolic,
    hyperbolic_by_points,
    linear,
    micro,
)
from discontinuation.exposure.strategy import (
    SCHEMA,
    label_by_rules,
    label_pace,
    read_strategies,
)
from discontinuation.problems import InvalidInput

DRUGS = read_drugs(ROOT / "data" / "reference")
DEFINITIONS = read_definitions(ROOT / "data" / "reference")
STRATEGIES = read_strategies()
VIEWS = ["in_milligrams", "at_receptor"]


def drug(name):
    return parameters_of(DRUGS.find(name))


def stopped(name, dose, known_days=1000.0):
    doses = pd.DataFrame({"person": ["a"], "start": [0.0], "stop": [known_days], "dose": [0.0]})
    return pace_of(doses, drug(name), dose_before=dose).table


def both_labels(table):
    return tuple(label_pace(table, STRATEGIES)[VIEWS].iloc[0])


def of(schedule):
    return both_labels(pace_of(schedule.doses(200.0), schedule.drug).table)


def test_a_depot_that_tapers_itself_is_not_abrupt_at_the_receptor():
    for name in ("PP1M", "PP3M", "aripiprazole monohydrate", "fluphenazine decanoate"):
        milligrams, receptor = both_labels(stopped(name, 5.0))
        assert milligrams == "abrupt"
        assert receptor is not None
        assert not {"abrupt", "rapid"} & set(receptor.split(" or "))
        assert "gradual hyperbolic" in receptor
    # The same substance as a tablet is abrupt or rapid at best.
    assert both_labels(stopped("paliperidone", 5.0)) == ("abrupt", "abrupt or rapid")
    # A depot is only told if it is known not to be given again.
    assert both_labels(stopped("PP1M", 5.0, known_days=60.0)) == ("abrupt", None)


def test_stopping_at_once_by_the_half_life_of_the_drug():
    assert both_labels(stopped("venlafaxine", 75)) == ("abrupt", "abrupt")
    assert both_labels(stopped("citalopram", 20)) == ("abrupt", "abrupt")
    assert both_labels(stopped("vortioxetine", 10)) == ("abrupt", "rapid")
    assert both_labels(stopped("fluoxetine", 20)) == ("abrupt", "gradual linear")
    # Nothing is known of the level of buprenorphine: no half-life is held.
    label = label_pace(stopped("buprenorphine", 16), STRATEGIES).iloc[0]
    assert label["at_receptor"] is None
    assert label["why_at_receptor"] == "no source for an occupancy curve of buprenorphine is held"


def test_the_same_months_are_abrupt_or_gradual_at_the_receptor():
    citalopram = drug("citalopram")
    # Two steps of 20 mg, four weeks apart and more: the last takes 68 of 75 points.
    assert of(linear(citalopram, 20, 56, 2)) == ("gradual linear", "abrupt")
    assert of(linear(citalopram, 20, 56, 9)) == ("gradual linear", "rapid")
    assert of(hyperbolic(citalopram, 20, 112, 9)) == ("gradual hyperbolic", "gradual hyperbolic")
    assert of(micro(citalopram, 20, 168)) == ("gradual hyperbolic", "micro")
    assert of(linear(citalopram, 20, 14, 3)) == ("rapid", "abrupt")
    assert of(hyperbolic_by_points(citalopram, 20, 0.1, 28))[1] == "gradual hyperbolic"
    assert of(cut_and_hold(citalopram, 20, 0.25, 14, 0.5))[0] == "gradual hyperbolic"
    assert of(linear(citalopram, 20, 200, 41))[0] == "micro"


def test_who_does_not_stop_has_no_label():
    doses = pd.DataFrame({"person": ["a"], "start": [0.0], "stop": [90.0], "dose": [20.0]})
    label = label_pace(pace_of(doses, drug("citalopram")).table, STRATEGIES).iloc[0]
    assert label["in_milligrams"] is None
    reason = "not stopped: the record ends on day 90 at a dose of 20"
    assert label["why_in_milligrams"] == label["why_at_receptor"] == reason


def rules(**block):
    return read_strategies(block).milligrams


def frame(**columns):
    return pd.DataFrame(columns, dtype=float)


TWO = [
    {"label": "quick", "limits": [{"quantity": "days_to_zero", "at_most": 7}], "source": "test"},
    {"label": "slow", "limits": [{"quantity": "days_to_zero", "above": 14}], "source": "test"},
]


def test_rules_are_tried_in_their_order_and_may_all_fail():
    table = frame(days_to_zero=[0, 7, 7.5, 14, 15, np.nan])
    found = label_by_rules(table, rules(milligrams=TWO), pd.Series([None] * 5 + ["a reason"]))
    assert found["label"].tolist() == ["quick", "quick", None, None, "slow", None]
    assert found["why"].tolist() == [
        "days_to_zero at most 7",
        "days_to_zero at most 7",
        "none of the rules holds",
        "none of the rules holds",
        "days_to_zero above 14",
        "a reason",
    ]


def test_a_range_that_reaches_over_a_limit_leaves_several_labels():
    table = frame(days_to_zero=[np.nan] * 3)
    spans = {"days_to_zero": (np.array([0.0, 5, 15]), np.array([7.0, 30, 20]))}
    last = [*TWO[:1], {"label": "other", "source": "test"}]
    found = label_by_rules(table, rules(milligrams=last), pd.Series([None] * 3), spans)
    assert found["label"].tolist() == ["quick", "quick or other", "other"]
    # Where the rules may all fail within the range, no label is sure.
    found = label_by_rules(table, rules(milligrams=TWO), pd.Series([None] * 3), spans)
    assert found["label"].tolist() == ["quick", None, "slow"]


def test_one_known_limit_can_be_enough():
    any_of = [
        {
            "label": "abrupt",
            "hold": "any",
            "limits": [
                {"quantity": "fall_90_10_days", "at_most": 3},
                {"quantity": "drop_7_days", "at_least": 0.5},
            ],
            "source": "test",
        },
        {"label": "other", "source": "test"},
    ]
    table = frame(fall_90_10_days=[np.nan, 9, np.nan], drop_7_days=[0.6, np.nan, 0.1])
    reasons = pd.Series([None, "why", "why"])
    found = label_by_rules(table, rules(milligrams=any_of), reasons)
    assert found["label"].tolist() == ["abrupt", None, None]


@given(st.floats(0, 400), st.floats(0, 1))
def test_defaults_name_everything_that_is_known_at_the_receptor(days, drop):
    table = frame(fall_90_10_days=[days], drop_7_days=[drop])
    label = label_by_rules(table, STRATEGIES.receptor, pd.Series([None]))["label"].iloc[0]
    assert (label == "abrupt") == (days <= 3 or drop >= 0.5)
    assert (label in ("abrupt", "rapid")) == (days <= 28 or drop >= 0.2)
    assert (label == "micro") == (days > 28 and drop <= 0.05)


def test_the_schema_names_the_quantities_of_pace_and_a_source_for_every_rule():
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    known = schema["$defs"]["strategy_limit"]["properties"]["quantity"]["enum"]
    assert sorted(known) == sorted(QUANTITIES)
    for rule in (*STRATEGIES.milligrams, *STRATEGIES.receptor):
        assert rule.source
        assert rule.tag == "P"
    assert (STRATEGIES.gap_days, STRATEGIES.stable_days) == (13, 7)
    drawn = {row.label for row in DEFINITIONS if row.kind == "definition"}
    assert drawn - {"dose reduction"} == {*STRATEGIES.quick, *STRATEGIES.slow}


def test_a_wrong_block_is_refused_with_every_problem():
    block = {
        "gap_day": 14,
        "milligrams": [{"label": "x", "limits": [{"quantity": "days_to_zeros", "at_most": 3}]}],
        "receptor": [{"label": "x", "source": "s", "limits": [{"quantity": "drop_7_days"}]}],
    }
    with pytest.raises(InvalidInput) as refused:
        read_strategies(block)
    text = str(refused.value)
    for part in (
        "strategies.gap_day: unknown key",
        "did you mean 'gap_days'",
        "strategies.milligrams[0].source: the key is missing",
        "did you mean 'days_to_zero'",
        "strategies.receptor[0].limits[0]",
    ):
        assert part in text


def test_a_schedule_in_the_words_of_every_author():
    schedule = linear(drug("citalopram"), 20, 28, 2)
    row = pace_of(schedule.doses(), schedule.drug).table.iloc[0]
    course = course_of(row.to_dict(), schedule.drug)
    assert (course.days, course.steps, course.step_of_previous) == (28, 2, 0.5)
    assert (course.step_of_start, course.step_of_minimum, course.lowest_dose) == (0.5, 0.5, 0.5)
    assert (course.drug_class, course.formulation) == ("antidepressant", "oral")
    labels = name_by_authors(pd.Series([course]), DEFINITIONS).iloc[0]
    assert labels["Baldessarini 2010"] == "gradual"
    assert labels["Zaccoletti 2025"] == "fast taper"
    assert labels["Bogers 2023"] == "rapid"
    assert "NICE NG222 2022" not in labels
    never = pd.DataFrame({"person": ["a"], "start": [0.0], "stop": [90.0], "dose": [20.0]})
    table = pace_of(never, schedule.drug).table
    unknown = name_by_authors(courses_of(table, schedule.drug), DEFINITIONS)
    assert set(unknown.iloc[0]) == {DOES_NOT_SAY}


def arms(**columns):
    given = {
        "study": ["s", "s", "s", "s", "t"],
        "arm": ["at once", "four weeks", "14 days or more", "some taper", "kept"],
        "strategy": ["abrupt", "taper", "taper", "taper", "maintain"],
        "taper_days": [0.0, 28, 14, np.nan, np.nan],
        "taper_days_lower": [np.nan, np.nan, 14, np.nan, np.nan],
        "taper_days_upper": [np.nan] * 5,
        "formulation": ["oral"] * 5,
    }
    return pd.DataFrame({**given, **columns})


def test_which_published_arms_change_label_under_which_author():
    labels = name_by_authors(courses_of_arms(arms(), {"s": "antidepressant"}), DEFINITIONS)
    assert list(labels.index) == [("s", arm) for arm in arms()["arm"][:4]]
    changes = find_changes(labels, STRATEGIES)
    assert changes["changes"].tolist() == [False, True, False, False]
    four_weeks = changes.loc[("s", "four weeks")]
    assert four_weeks["quick"] == "Bogers 2023; Zaccoletti 2025"
    assert "Baldessarini 2010" in four_weeks["slow"]
    at_once = changes.loc[("s", "at once")]
    assert at_once["slow"] == at_once["other"] == ""
    # 14 days or more is gradual for one author; the others would need the upper end.
    least = labels.loc[("s", "14 days or more")]
    assert least["Baldessarini 2010"] == "gradual"
    assert least["Zaccoletti 2025"] == DOES_NOT_SAY
    # A taper of unknown length has two steps or more, which is all that one author asks.
    assert labels.loc[("s", "some taper"), "Van Leeuwen 2021"] == "taper"
    assert labels.loc[("s", "some taper"), "Baldessarini 2010"] == DOES_NOT_SAY


def test_the_arms_of_the_published_evidence():
    published = pd.read_csv(ROOT / "data" / "published" / "arms.csv")
    studies = pd.read_csv(ROOT / "data" / "published" / "studies.csv")
    classes = dict(zip(studies["study"], studies["drug_class"], strict=True))
    labels = name_by_authors(courses_of_arms(published, classes), DEFINITIONS)
    stopped_arms = published["strategy"].isin(["abrupt", "taper", "unspecified"])
    assert len(labels) == stopped_arms.sum()
    changes = find_changes(labels, STRATEGIES)
    # Stopping monthly injections is gradual for Viguera and abrupt for everybody else.
    depot = changes.loc[("Weiden2017_PP1M", "withdrawal arm")]
    assert depot["slow"] == "Viguera 1997"
    assert depot["changes"]
    # Two weeks lie on both sides of the lines.
    assert changes.loc[("Tint2008", "14-day taper"), "changes"]
    assert labels.loc[("Huijbers2016_MBCT", "MBCT + discontinue"), "Faedda 1993"] == NONE_OF_THEM


def test_a_length_alone_gives_a_range_of_pace():
    studies = pd.DataFrame({"study": ["s", "t"], "drug": ["citalopram", "no such drug"]})
    found = plausible_pace(arms(), studies, DRUGS, STRATEGIES)
    assert set(found.labels["arm"]) == {"at once", "four weeks", "14 days or more"}
    ranges = found.ranges.set_index(["arm", "quantity"])
    days = ranges.loc[("four weeks", "days_to_zero")]
    assert (days["lowest"], days["highest"], days["schedules"]) == (28, 28, 3)
    steps = ranges.loc[("four weeks", "steps")]
    assert (steps["lowest"], steps["highest"]) == (2, 5)
    shape = ranges.loc[("four weeks", "hyperbolicity")]
    assert (shape["lowest"], shape["highest"]) == (pytest.approx(0), pytest.approx(1))
    labels = found.labels.set_index("arm")
    assert labels.loc["four weeks", "in_milligrams"] == "rapid"
    assert labels.loc["four weeks", "at_receptor"] == "abrupt or rapid"
    assert labels.loc["14 days or more", "in_milligrams"] == "rapid or slower"
    assert "equal weekly falls of occupancy" in labels.loc["four weeks", "assumed"]
    assert "minimum effective dose, assumed (UM)" in labels.loc["four weeks", "assumed"]
    assert ranges.loc[("14 days or more", "days_to_zero"), "minimum"]


def test_no_dose_is_made_up_for_a_published_arm():
    studies = pd.DataFrame({"study": ["s"], "drug": ["olanzapine"]})
    found = plausible_pace(arms().iloc[:2], studies, DRUGS, STRATEGIES).schedules
    assert (
        found[["start_dose", "lowest_dose", "drop_7_days", "starting_occupancy"]].isna().all(None)
    )
    assert set(found["occupancy_refused"]) == {"the starting dose is not known"}
    assert found["largest_step_of_start"].notna().all()
    assert found.loc[found["arm"] == "at once", "at_receptor"].tolist() == ["abrupt or rapid"]
    nobody = plausible_pace(arms().iloc[4:], studies, DRUGS, STRATEGIES)
    assert nobody.schedules.empty
