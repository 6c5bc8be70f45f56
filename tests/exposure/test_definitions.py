"""Every author's words for a taper follow from their limits; what is not known is not guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from discontinuation.exposure.definitions import (
    DOES_NOT_SAY,
    NONE_OF_THEM,
    Course,
    classify,
    read_definitions,
    side_by_side,
)
from discontinuation.problems import InvalidInput

DEFINITIONS = read_definitions(ROOT / "data" / "reference")


def label(author, **course):
    return verdict(author, **course)["label"]


def verdict(author, **course):
    table = classify(Course(**course), DEFINITIONS).set_index("author")
    return table.loc[author]


@pytest.mark.parametrize(
    ("author", "days", "expected"),
    [
        ("Baldessarini 2010", 0, "rapid"),
        ("Baldessarini 2010", 7, "rapid"),
        ("Baldessarini 2010", 8, NONE_OF_THEM),
        ("Baldessarini 2010", 13, NONE_OF_THEM),
        ("Baldessarini 2010", 14, "gradual"),
        ("Faedda 1993", 13.5, "rapid"),
        ("Faedda 1993", 14, "gradual"),
        ("Faedda 1993", 28, "gradual"),
        ("Faedda 1993", 29, NONE_OF_THEM),
        ("Baldessarini 1996", 14, "abrupt or rapid"),
        ("Baldessarini 1997", 15, "gradual"),
        ("Baldessarini 1997", 31, NONE_OF_THEM),
        ("Viguera 1997", 20, NONE_OF_THEM),
        ("Viguera 1997", 21, "gradual"),
        ("Bogers 2023", 69, "rapid"),
        ("Bogers 2023", 70, "gradual"),
        ("Van Leeuwen 2021", 0, "abrupt"),
        ("Van Leeuwen 2021", 5, "taper"),
        ("Zaccoletti 2025", 0, "abrupt"),
        ("Zaccoletti 2025", 1, "fast taper"),
        ("Zaccoletti 2025", 28, "fast taper"),
        ("Zaccoletti 2025", 28.5, "slow taper"),
    ],
)
def test_limits_in_days(author, days, expected):
    assert label(author, days=days, formulation="oral") == expected


def test_one_arm_has_as_many_names_as_authors():
    labels = side_by_side({"four weeks": Course(days=28)}, DEFINITIONS).loc["four weeks"]
    assert labels["Bogers 2023"] == "rapid"
    assert labels["Zaccoletti 2025"] == "fast taper"
    assert labels["Baldessarini 2010"] == labels["Viguera 1997"] == "gradual"


def test_a_stopped_depot_is_gradual_for_viguera_however_fast():
    assert label("Viguera 1997", formulation="depot") == "gradual"
    assert label("Viguera 1997", formulation="depot", days=0) == "gradual"
    assert label("Viguera 1997", formulation="oral", days=0) == "abrupt"
    # Tablets or depot: 30 days are gradual either way, 0 days are not.
    assert label("Viguera 1997", days=30) == "gradual"
    assert label("Viguera 1997", days=0) == DOES_NOT_SAY


def test_a_range_of_days_gets_a_label_only_if_its_ends_agree():
    assert label("Zaccoletti 2025", days=(30, 60)) == "slow taper"
    assert label("Zaccoletti 2025", days=(14, 60)) == DOES_NOT_SAY
    assert label("Baldessarini 2010", days=(8, 13)) == NONE_OF_THEM
    assert verdict("Zaccoletti 2025", days=(14, 60))["why"] == "not known: days"
    # A one-step stop cannot be told from a fast taper when the days start at 0.
    assert label("Van Leeuwen 2021", days=(0, 10)) == DOES_NOT_SAY


def test_a_lower_dose_is_no_stop():
    lowered = {"days": 42, "final_dose": 0.5}
    assert label("Zaccoletti 2025", **lowered) == "dose reduction"
    assert label("Zaccoletti 2025", days=42, final_dose=0.6) == NONE_OF_THEM
    assert label("Baldessarini 2010", **lowered) == NONE_OF_THEM
    assert label("Bogers 2023", **lowered) == "rapid"
    assert label("Zaccoletti 2025", days=42, final_dose=None) == DOES_NOT_SAY


def test_sizes_of_steps():
    quarter = {"days": 400, "steps": 6, "step_of_previous": 0.25, "step_days": 90}
    assert label("Horowitz 2021", **quarter) == "hyperbolic, by a quarter"
    assert label("Horowitz 2021", **{**quarter, "step_days": 30}) == NONE_OF_THEM
    half = {**quarter, "step_of_previous": 0.5}
    assert label("Horowitz 2021", **half) == "hyperbolic, by a half"
    tenth = {**quarter, "step_of_previous": 0.1, "step_days": 30}
    assert label("Horowitz 2021", **tenth) == "hyperbolic, monthly"
    assert label("NICE NG222 2022", **half) == "stepwise"
    assert label("NICE NG222 2022", **{**half, "step_of_previous": 0.6}) == NONE_OF_THEM
    fifth = {"step_of_previous": 0.2, "step_days": 14, "steps": 9}
    assert label("NCT07393919", **fifth, shape="exponential") == "hyperbolic"
    assert label("NCT07393919", **fifth) == DOES_NOT_SAY  # its other arm is linear in mg
    in_mg = {"shape": "linear", "step_of_minimum": 0.5, "step_days": 14}
    assert label("NCT07393919", **in_mg, step_of_previous=0.5) == "linear"


def test_a_share_of_an_unnamed_dose_must_hold_of_both():
    every_three_weeks = {"step_days": 21, "steps": 12}
    both = {"step_of_previous": 0.08, "step_of_start": 0.05}
    assert label("ASAM 2025", **every_three_weeks, **both) == "recommended start"
    one = {"step_of_previous": 0.5, "step_of_start": 0.08}
    assert label("ASAM 2025", **every_three_weeks, **one) == DOES_NOT_SAY
    neither = {"step_of_previous": 0.5, "step_of_start": 0.3}
    assert label("ASAM 2025", **every_three_weeks, **neither) == NONE_OF_THEM


def test_a_stop_at_once_is_a_step_of_everything():
    for author in ("NICE NG222 2022", "Horowitz and Taylor 2019", "Horowitz 2021", "ASAM 2025"):
        assert label(author, days=0) == NONE_OF_THEM
    assert label("TAPER-AD", days=0) == NONE_OF_THEM
    assert label("TAPER-AD", days=14, steps=2) == "conventional"


def test_days_alone_cannot_show_a_hyperbola():
    assert label("Horowitz and Taylor 2019", days=180) == DOES_NOT_SAY
    row = verdict("Horowitz and Taylor 2019", days=180, shape="hyperbolic")
    assert row["label"] == "hyperbolic"
    assert row["complete"] is False  # "months" and "far below" are no numbers
    assert verdict("Baldessarini 2010", days=30)["complete"] is True


def test_descriptions_of_one_trial_give_no_label():
    table = classify(Course(days=60, steps=4, formulation="oral"), DEFINITIONS)
    described = table[table["kind"] == "description"]
    assert {"ANTLER (Lewis) 2021", "RADAR 2023", "Matthijssen 2019"} <= set(described["author"])
    assert (described["label"] == DOES_NOT_SAY).all()
    assert (table["source"] != "").all()
    assert set(table["tag"]) <= {"V", "V2"}


def test_the_class_an_author_wrote_for_is_told():
    table = classify(Course(days=20, drug_class="antipsychotic"), DEFINITIONS)
    same = table.set_index("author")["same_class"]
    assert same["Viguera 1997"]
    assert not same["Baldessarini 2010"]
    assert verdict("Viguera 1997", days=20)["same_class"] is None


def test_an_unknown_taper_is_named_by_nobody():
    table = classify(Course(), DEFINITIONS)
    assert (table["label"] == DOES_NOT_SAY).all()
    assert table["author"].is_unique
    assert (table["why"] != "").all()


@pytest.mark.parametrize(
    ("course", "message"),
    [
        ({"days": -1}, "taper, column days: '-1': allowed: a number of 0 or more"),
        ({"days": (30, 10)}, "a pair from low to high"),
        ({"step_of_previous": float("nan")}, "step_of_previous"),
        ({"shape": "hyperbola"}, "did you mean 'hyperbolic'"),
        ({"formulation": "tablet"}, "allowed: oral, depot"),
    ],
)
def test_bad_input_is_refused(course, message):
    with pytest.raises(InvalidInput) as refusal:
        Course(**course)
    assert message in str(refusal.value)


def test_every_problem_is_told_at_once():
    with pytest.raises(InvalidInput, match="3 problems"):
        Course(days=-1, steps=-1, shape="x")


@given(
    low=st.integers(0, 200),
    width=st.integers(0, 100),
    inside=st.floats(0, 1),
    formulation=st.sampled_from(["oral", "depot", None]),
)
def test_what_holds_of_a_range_holds_of_every_value_in_it(low, width, inside, formulation):
    whole = classify(Course(days=(low, low + width), formulation=formulation), DEFINITIONS)
    one = classify(Course(days=low + inside * width, formulation=formulation), DEFINITIONS)
    known = whole["label"] != DOES_NOT_SAY
    assert (whole["label"][known] == one["label"][known]).all()
