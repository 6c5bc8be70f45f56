"""Is an option, or a value in a column, a number? Text that reads as one is text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem

LISTED = 5


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; True and False are not."""
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def is_whole(value: Any, least: int) -> bool:
    """Whether a value is an integer of at least so much; 3.0 is not."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return bool(whole and value >= least)


def column_problems(
    table: str,
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    above_0: bool = False,
    blanks: bool = False,
) -> Iterator[Problem]:
    """Find what is not a finite number; rows as in a spreadsheet.

    Dates in text would be sorted by their first digit, so that text is refused whatever it says.

    Parameters
    ----------
    table, frame
        Name and content.
    columns
        Which must hold numbers.
    above_0
        Whether they must be above 0.
    blanks
        Whether a value may be missing.
    """
    rule = "allowed: a number above 0" if above_0 else "allowed: a number"
    for name in columns:
        column = frame[name]
        wrong = ~_numbers(column) & ~(blanks & column.isna().to_numpy(dtype=bool))
        if above_0:
            wrong[~wrong] = column.to_numpy(dtype=object)[~wrong] <= 0
        for row in np.flatnonzero(wrong)[:LISTED]:
            value = column.iloc[row]
            text = rule + ", not text" if isinstance(value, str) else rule
            yield Problem(table, text, int(row) + 2, name, str(value))


def _numbers(column: pd.Series) -> npt.NDArray[np.bool_]:
    """Where a column holds finite numbers, shape (n,)."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return np.asarray(np.isfinite(column.to_numpy(dtype=float, na_value=np.nan)))
    if column.dtype != object:
        return np.zeros(len(column), dtype=bool)
    return np.array([_counts(value) for value in column], dtype=bool)


def _counts(value: Any) -> bool:
    """Whether arithmetic takes a value of a mixed column for a number."""
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, bool | np.bool_) or is_number(value)
