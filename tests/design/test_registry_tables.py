"""Numbers in the tables of a registry: text is refused, by row and column."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from discontinuation.design._numbers import column_problems
from discontinuation.design.registry import DEFINITION, RegistryScenario, draw_registry
from discontinuation.design.registry_cohort import RegistryTables, build_cohort
from discontinuation.design.strategies import Strategy, TargetTrial
from discontinuation.problems import InvalidInput

TRIAL = TargetTrial((Strategy("continue", "continue"), Strategy("stop", "stop")))


@pytest.fixture(scope="module")
def tables():
    made = draw_registry(RegistryScenario(people=300), 1)
    return RegistryTables(
        made.people, made.dispensings, made.follow_up, made.deteriorations, made.measures
    )


def problems_of(tables, covariates=("prior_episodes", "poor_sleep")):
    with pytest.raises(InvalidInput) as caught:
        build_cohort(tables, TRIAL, list(covariates), DEFINITION)
    return caught.value.problems


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("deteriorations", "detected"),
        ("follow_up", "end"),
        ("dispensings", "day"),
        ("dispensings", "dose"),
        ("measures", "day"),
        ("measures", "poor_sleep"),
    ],
)
def test_numbers_in_text_are_refused_with_row_and_column(tables, table, column):
    """Days in text are sorted by their first digit: the first of 9 and 1009 would be 1009."""
    frame = getattr(tables, table)
    first = problems_of(
        replace(tables, **{table: frame.assign(**{column: frame[column].astype(str)})})
    )[0]
    assert (first.file, first.row, first.column) == (table, 2, column)
    assert "not text" in first.message


def rows_of(values, **options):
    frame = pd.DataFrame({"day": values})
    return [one.row for one in column_problems("table", frame, ("day",), **options)]


def test_what_counts_as_a_number_in_a_column():
    mixed = pd.Series([1, "2", None, np.inf, Decimal("3.5"), True, 0.0], dtype=object)
    assert rows_of(mixed) == [3, 4, 5]
    assert rows_of(mixed, blanks=True) == [3, 5]
    assert rows_of(mixed, above_0=True) == [3, 4, 5, 8]
    assert rows_of(pd.to_datetime(["2020-01-01"])) == [2]
    assert rows_of(pd.array([1, None], dtype="Int64")) == [3]
    assert rows_of(pd.array(["1"], dtype="string")) == [2]


def test_a_covariate_named_twice_is_called_that(tables):
    (found,) = problems_of(tables, covariates=["age", "poor_sleep", "age"])
    assert "twice" in found.message
    assert found.value == "age"
