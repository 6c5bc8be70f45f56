"""Steps are changes of a known dose, and gaps are none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.symptoms.steps import as_steps, dose_levels, dose_steps, last_doses


def doses(*rows, person="a", drug="x", unit="mg/day"):
    table = pd.DataFrame(rows, columns=["start", "stop", "dose"])
    return table.assign(person=person, drug=drug, unit=unit)


def test_each_change_is_a_step_with_its_size():
    steps = dose_steps(doses((0, 7, 20), (7, 14, 10), (14, 20, 15), (20, 30, 0)))
    assert steps["day"].tolist() == [7, 14, 20]
    assert steps["step"].tolist() == [1, 2, 3]
    assert steps["from_dose"].tolist() == [20, 10, 15]
    assert steps["change"].tolist() == [-10, 5, -15]
    assert steps["fraction_of_previous"].tolist() == [0.5, 1.5, 0.0]
    assert steps["direction"].tolist() == ["reduction", "increase", "reduction"]
    assert steps["days_at_previous"].tolist() == [7, 7, 6]
    assert steps["attempt"].tolist() == [1, 1, 2]


def test_a_gap_is_no_step_but_says_how_uncertain_the_day_is():
    steps = dose_steps(doses((0, 7, 20), (10, 14, 20), (20, 25, 10), (25, 30, 10)))
    assert len(steps) == 1
    assert steps.loc[0, ["day", "gap_days", "days_at_previous"]].tolist() == [20, 6, 11]


def test_rising_doses_before_the_first_reduction_are_no_attempt():
    steps = dose_steps(doses((0, 1, 5), (1, 2, 10), (2, 3, 5), (3, 4, 2), (4, 5, 0), (5, 6, 10)))
    assert steps["attempt"].tolist() == [0, 1, 1, 1, 1]
    assert steps["fraction_of_previous"].isna().tolist() == [False, False, False, False, True]


def test_units_are_converted_where_that_is_possible():
    table = doses((0, 5, 1000), (5, 9, 500), (9, 12, 0.25), (12, 15, 3))
    steps = dose_steps(table.assign(unit=["ug/day", "ug/day", "mg/day", "ml/day"]))
    assert steps["from_dose"].tolist()[:2] == [1000, 0.5]
    assert steps["fraction_of_previous"].tolist()[:2] == [0.5, 0.5]
    assert steps["direction"].tolist() == ["reduction", "reduction", "not comparable"]
    assert steps["change"].isna().tolist() == [False, False, True]
    same = dose_steps(doses((0, 7, 1), (7, 14, 1000)).assign(unit=["mg/day", "ug/day"]))
    assert same.empty


def test_a_change_that_cannot_be_compared_does_not_end_an_attempt():
    table = doses((0, 1, 20), (1, 2, 10), (2, 3, 4), (3, 4, 2))
    steps = dose_steps(table.assign(unit=["mg/day", "mg/day", "ml/day", "ml/day"]))
    assert steps["attempt"].tolist() == [1, 1, 1]


def test_people_and_drugs_are_kept_apart():
    parts = [
        doses((0, 7, 20), (7, 14, 10)),
        doses((0, 3, 2), (3, 14, 1), person="b"),
        doses((0, 9, 5), (9, 14, 4), drug="y"),
    ]
    steps = dose_steps(pd.concat(parts, ignore_index=True).sample(frac=1, random_state=1))
    assert steps[["person", "drug", "day"]].to_numpy().tolist() == [
        ["a", "x", 7], ["a", "y", 9], ["b", "x", 3]
    ]  # fmt: skip
    assert steps["step"].tolist() == [1, 1, 1]


def test_nobody_and_nothing():
    assert dose_steps(doses()).empty
    assert dose_steps(doses((0, 7, 20))).empty
    assert last_doses(doses()).empty
    assert dose_levels(doses()).empty


def test_last_dose_says_what_is_known_afterwards():
    table = pd.concat(
        [
            doses((0, 7, 20), (7, 14, 10), (14, 20, 0)),
            doses((0, 7, 20), (9, 14, 0), person="b"),
            doses((0, 7, 0), person="c"),
        ]
    )
    last = last_doses(table)
    assert last["person"].tolist() == ["a", "b"]
    assert last["day"].tolist() == [14, 7]
    assert last["dose"].tolist() == [10, 20]
    assert last["what_follows"].tolist() == ["no drug", "nothing known"]
    steps = as_steps(last)
    assert steps.columns.tolist() == dose_steps(table).columns.tolist()
    assert steps["to_dose"].tolist() == [0, 0]


def test_levels_join_neighbours_and_count_only_what_is_known():
    levels = dose_levels(doses((0, 7, 20), (10, 14, 20), (14, 20, 5)))
    assert levels[["level", "start", "stop", "dose", "days"]].to_numpy().tolist() == [
        [1, 0, 14, 20, 11], [2, 14, 20, 5, 6]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (doses((0, 7, 20), (5, 9, 10)), "begins before the interval before it"),
        (doses((7, 0, 20)), "the stop after the start"),
        (doses((0, 7, -1)), "the dose 0 or more"),
        (doses((0, 7, np.nan)), "allowed: numbers"),
        (doses((0, 7, 20)).drop(columns="unit"), "column unit: the column is missing"),
    ],
)
def test_intervals_that_contradict_each_other_are_refused(table, words):
    with pytest.raises(InvalidInput) as refusal:
        dose_steps(table)
    assert words in str(refusal.value)


def test_the_row_of_an_overlap_is_named():
    with pytest.raises(InvalidInput) as refusal:
        dose_steps(doses((5, 9, 10), (0, 7, 20)))
    assert refusal.value.problems[0].row == 2


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0.0, 5.0, 10.0, 20.0])), min_size=1))
@settings(max_examples=60, deadline=None)
def test_steps_add_up_to_the_whole_change(parts):
    stops = np.cumsum([length for length, _ in parts]).astype(float)
    rows = zip([0, *stops[:-1]], stops, [dose for _, dose in parts], strict=True)
    table = doses(*rows)
    steps = dose_steps(table)
    assert steps["change"].sum() == parts[-1][1] - parts[0][1]
    assert (steps["change"] != 0).all()
    assert len(dose_levels(table)) == len(steps) + 1
    assert dose_levels(table)["days"].sum() == stops[-1]
    assert (steps["attempt"].diff().dropna() >= 0).all()
