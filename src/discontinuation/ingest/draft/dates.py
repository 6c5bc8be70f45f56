"""In which orders can these values be read as dates?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.ingest.moments import parse_dates

TEXT_ORDERS = ("iso", "ymd", "dmy", "mdy")
TWO_DIGITS = re.compile(r"(?<!\d)\d{1,2}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{1,2}(?!\d)")
# Day counts of programs, with the numbers that they give for the years 1990 to 2040.
COUNTS = {
    "excel": (32_874, 51_501),
    "sas": (10_957, 29_585),
    "unix": (7_305, 25_933),
    "spss": (12_850_000_000, 14_500_000_000),
}
# Years with two digits up to this one are of this century, from the other one on of the last.
LAST_OF_2000, FIRST_OF_1900 = 35, 50


def date_orders(values: Sequence[Any]) -> list[str]:
    """List the orders in which every value is a date, the most likely first.

    Parameters
    ----------
    values
        Different values of one column, none blank.

    Returns
    -------
    list of str
        Among iso, ymd, dmy and mdy; empty if they are no dates. Dates without their day or
        month count as iso only among full ones.
    """
    if not values:
        return []
    if all(hasattr(value, "toordinal") for value in values):
        return ["iso"]
    if not all(isinstance(value, str) for value in values):
        return []
    return [order for order in TEXT_ORDERS if _fits(values, order)]


def _fits(values: Sequence[str], order: str) -> bool:
    days, refused = read_as(values, order)
    return not refused and bool(np.isfinite(days).mean() >= 0.5)


def read_as(values: Sequence[Any], order: str) -> tuple[np.ndarray, dict[Any, str]]:
    """Read values as dates in one order, with the times of day that they have.

    Returns
    -------
    days : array
        Days since 1970-01-01.
    refused : dict
        The values that are no dates in this order.
    """
    century = likely_century(values) or 2000
    spec = {"order": order, "century": century, "partial": "blank", "keep_time": True}
    days, refused = parse_dates(pd.Series(list(values), dtype=object), spec)
    return days.to_numpy(), refused


def has_short_years(values: Sequence[Any]) -> bool:
    """Whether years are written with two digits."""
    return any(isinstance(value, str) and TWO_DIGITS.search(value) for value in values)


def likely_century(values: Sequence[Any]) -> int | None:
    """Guess the century of years with two digits; None where it could be either."""
    years = [int(text[-2:]) for text in map(str, values) if re.search(r"(?<!\d)\d\d$", text)]
    if years and max(years) <= LAST_OF_2000:
        return 2000
    return 1900 if years and min(years) >= FIRST_OF_1900 else None


def has_partial(values: Sequence[Any]) -> bool:
    """Whether a date lacks its month or day, as ISO dates of SDTM may."""
    return any(
        isinstance(value, str) and re.fullmatch(r"\d{4}(-\d{2})?", value) for value in values
    )


def has_times(values: Sequence[Any]) -> bool:
    """Whether a date has a time of day."""
    return any(
        bool(re.search(r"\d[T ]\d{1,2}:\d{2}", value))
        if isinstance(value, str)
        else isinstance(value, pd.Timestamp) and value != value.normalize()
        for value in values
    )


def count_orders(numbers: np.ndarray) -> list[str]:
    """List the programs whose day count the numbers can be, for dates of 1990 to 2040."""
    if not len(numbers):
        return []
    return [
        program
        for program, (low, high) in COUNTS.items()
        if low <= numbers.min() and numbers.max() <= high
    ]
