"""Text becomes a number only if it is a plain one."""

import decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.ingest.readers import as_numbers

GOOD = {
    "1": 1.0,
    "-1.5": -1.5,
    "+2": 2.0,
    ".5": 0.5,
    "5.": 5.0,
    "007": 7.0,
    "1e3": 1000.0,
    "2.5E-2": 0.025,
    " 3 ": 3.0,
    "\t4": 4.0,
    "12345678901234567890": 12345678901234567890.0,
    "0.1": 0.1,
}
BAD = [
    "1_0",
    "inf",
    "-Infinity",
    "nan",
    "NaN",
    "0x1F",
    "1,000",
    "1 000",
    "1.2.3",
    "--1",
    "1e",
    "e5",
]
BAD += [".", "-", "١٢", "1\n", "1d5", "½", "1e999", "abc", "1 2", "5%", "<1", "\xa01"]


@pytest.mark.parametrize(("text", "value"), GOOD.items())
def test_plain_numbers_are_read_exactly(text, value):
    values, bad = as_numbers(pd.Series([text], dtype=object))
    assert values.tolist() == [value] and not bad.any()


@pytest.mark.parametrize("text", BAD)
def test_what_float_or_a_spreadsheet_would_take_besides_is_bad(text):
    values, bad = as_numbers(pd.Series([text, "1"], dtype=object))
    assert bad.tolist() == [True, False] and np.isnan(values[0]) and values[1] == 1


def test_decimal_comma_is_taken_only_when_told():
    series = pd.Series(["1,5", "2", "-,5", "1.5", "1,2,3", None], name="x", index=range(3, 9))
    values, bad = as_numbers(series, decimal=",")
    assert values[:3].tolist() == [1.5, 2.0, -0.5]
    assert bad.tolist() == [False, False, False, True, True, False]
    assert values.index.equals(series.index) and values.name == bad.name == "x"
    assert as_numbers(series)[1].tolist() == [True, False, True, False, True, False]


def test_missing_cells_are_missing_and_not_bad():
    for series in (
        pd.Series([None, "1"], dtype=object),
        pd.Series([None, 1.0], dtype=object),
        pd.Series([pd.NA, 1], dtype="Int64"),
        pd.Series([np.nan, 1.0]),
        pd.Series([None, "1"], dtype="category"),
        pd.Series([None, True], dtype="boolean"),
    ):
        values, bad = as_numbers(series)
        assert np.isnan(values[0]) and values[1] == 1 and not bad.any(), series.dtype


def test_cells_of_a_spreadsheet_are_read_each_by_its_type():
    cells = [1, 2.5, "3", True, pd.Timestamp("2020-01-01"), "x", None, decimal.Decimal("1.25"), 1j]
    values, bad = as_numbers(pd.Series(cells, dtype=object))
    assert values[[0, 1, 2, 3, 7]].tolist() == [1, 2.5, 3, 1, 1.25]
    assert bad[bad].index.tolist() == [4, 5, 8]


def test_dates_and_numbers_that_are_not_finite_are_bad():
    assert as_numbers(pd.Series(["2020-01-01"], dtype="datetime64[us]"))[1].all()
    assert as_numbers(pd.Series([1], dtype="timedelta64[us]"))[1].all()
    assert as_numbers(pd.Series([np.inf, -np.inf]))[1].all()
    # A NaN that the file tells from a missing value is bad; a missing value is not.
    told = pd.Series(pd.arrays.FloatingArray(np.array([np.nan, 1.0]), np.array([False, True])))
    assert as_numbers(told)[1].tolist() == [True, False]


def test_half_a_character_is_no_number():
    assert as_numbers(pd.Series(["\ud800", 1], dtype=object))[1].tolist() == [True, False]


def test_unknown_separator_is_refused():
    with pytest.raises(ValueError, match="decimal"):
        as_numbers(pd.Series(["1"]), decimal=";")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.sampled_from(".,"))
def test_every_float_survives_as_text(numbers, separator):
    text = pd.Series([repr(number).replace(".", separator) for number in numbers], dtype=object)
    values, bad = as_numbers(text, separator)
    assert values.tolist() == numbers and not bad.any()


@given(st.lists(st.text()))
def test_no_text_becomes_a_number_that_python_reads_differently(texts):
    values, bad = as_numbers(pd.Series(texts, dtype=object))
    for text, value, is_bad in zip(texts, values, bad, strict=True):
        assert is_bad or value == float(text)
