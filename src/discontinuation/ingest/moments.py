"""When did something happen, in days since each person's origin?

Dates are parsed once per distinct text, in one declared order; a text that does not fit it is a
problem and never read another way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

DAYS_PER = {"days": 1.0, "weeks": 7.0, "months": 365.25 / 12, "years": 365.25, "hours": 1 / 24}
# Day 0 of programs that count days.
DAY_ZERO = {
    "excel": "1899-12-30",
    "excel1904": "1904-01-01",
    "sas": "1960-01-01",
    "stata": "1960-01-01",
    "unix": "1970-01-01",
}
SPSS_ZERO = "1582-10-14"  # SPSS counts seconds
SECONDS = 86400.0

MONTHS = [
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
]
CLOCK = (
    r"(?:[T ](?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
    r"(?:Z|[+-]\d{2}:?\d{2})?)?"
)
YEAR, MONTH, DAY = r"(?P<year>\d{4}|\d{2})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
NAMED = r"(?P<month>[A-Za-z]{3,9})"
CUT = r"(?P<cut>[-/. ])"  # the same between all three parts
PATTERNS = {
    "iso": [rf"(?P<year>\d{{4}})(?:-(?P<month>\d{{2}})(?:-(?P<day>\d{{2}}){CLOCK})?)?"],
    "ymd": [
        rf"{YEAR}{CUT}{MONTH}(?P=cut){DAY}{CLOCK}",
        rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}}){CLOCK}",
        rf"{YEAR}[-/. ]?{NAMED}[-/. ]?{DAY}{CLOCK}",
    ],
    "dmy": [
        rf"{DAY}{CUT}{MONTH}(?P=cut){YEAR}{CLOCK}",
        rf"(?P<day>\d{{2}})(?P<month>\d{{2}})(?P<year>\d{{4}}){CLOCK}",
        rf"{DAY}[-/. ]?{NAMED}[-/. ]?{YEAR}{CLOCK}",
    ],
    "mdy": [
        rf"{MONTH}{CUT}{DAY}(?P=cut){YEAR}{CLOCK}",
        rf"(?P<month>\d{{2}})(?P<day>\d{{2}})(?P<year>\d{{4}}){CLOCK}",
        rf"{NAMED}[-/. ]?{DAY},?[-/. ]?{YEAR}{CLOCK}",
    ],
}
IN_WORDS = {
    "iso": "a date as 2024-03-31",
    "ymd": "year, month, day",
    "dmy": "day, month, year",
    "mdy": "month, day, year",
}


@dataclass(frozen=True)
class Clock:
    """How a dataset counts time.

    Attributes
    ----------
    kind
        "counted" (the files count from the origin), "date" or "day" (each person has an origin).
    origin
        Days since 1970-01-01, or the day number; one for everybody, or one per person.
    """

    kind: str
    origin: pd.Series | float

    def since_origin(self, persons: pd.Series, days: pd.Series) -> pd.Series:
        """Subtract each person's origin; NaN where the person has none."""
        if self.kind == "counted":
            return days
        if isinstance(self.origin, float):
            return days - self.origin
        return days - persons.map(self.origin).astype("float64")


def parse_dates(cells: pd.Series, spec: dict[str, Any]) -> tuple[pd.Series, dict[Any, str]]:
    """Turn cells into days since 1970-01-01.

    Parameters
    ----------
    cells
        Text, numbers or dates; blank is None.
    spec
        `order`, `century`, `partial` and `keep_time` of the declaration.

    Returns
    -------
    days : Series of float64
        NaN for blank cells and for those that could not be read.
    refused : dict
        Each value that could not be read, with the reason.
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        days = (cells.dt.tz_localize(None) - pd.Timestamp(0)) / pd.Timedelta(days=1)
        return days if spec["keep_time"] else np.floor(days), {}
    codes, distinct = pd.factorize(cells, use_na_sentinel=True)
    values = np.full(len(distinct) + 1, np.nan)
    refused: dict[Any, str] = {}
    for i, value in enumerate(distinct):
        day, reason = _parse_date(value, spec)
        values[i] = day
        if reason:
            refused[value] = reason
    return pd.Series(values[codes], index=cells.index), refused


def _parse_date(value: Any, spec: dict[str, Any]) -> tuple[float, str | None]:
    order = spec["order"]
    if hasattr(value, "toordinal"):
        return _from_object(value, spec)
    if order in DAY_ZERO or order == "spss":
        return _from_count(value, spec)
    if not isinstance(value, str):
        return np.nan, (
            f"is a number where {IN_WORDS[order]} is declared; a spreadsheet's or program's day "
            "count is declared as order: excel, excel1904, sas, stata, spss or unix"
        )
    matches = (re.fullmatch(pattern, value.strip()) for pattern in PATTERNS[order])
    match = next((match for match in matches if match), None)
    if match is None:
        return np.nan, f"is not {IN_WORDS[order]}, the declared order"
    return _from_parts(match.groupdict(), spec)


def _from_object(value: Any, spec: dict[str, Any]) -> tuple[float, str | None]:
    stamp = pd.Timestamp(value)
    days = (stamp.tz_localize(None) - pd.Timestamp(0)) / pd.Timedelta(days=1)
    return (days if spec["keep_time"] else float(np.floor(days))), None


def _from_count(value: Any, spec: dict[str, Any]) -> tuple[float, str | None]:
    try:
        count = float(value)
    except (TypeError, ValueError):
        return np.nan, f"is not a number, which the order '{spec['order']}' counts in"
    if spec["order"] == "spss":
        count, zero = count / SECONDS, SPSS_ZERO
    else:
        zero = DAY_ZERO[spec["order"]]
    if not np.isfinite(count):
        return np.nan, "is not a finite number"
    days = count + (np.datetime64(zero) - np.datetime64("1970-01-01")).astype(float)
    if not -100_000 < days < 100_000:
        return np.nan, f"lies outside the years 1700 to 2240 when counted as '{spec['order']}'"
    return (days if spec["keep_time"] else float(np.floor(days))), None


def _from_parts(parts: dict[str, str | None], spec: dict[str, Any]) -> tuple[float, str | None]:
    year, reason = _year(str(parts["year"]), spec)
    if reason:
        return np.nan, reason
    month, day = _month(parts["month"]), int(parts["day"]) if parts["day"] else None
    if month is None and parts["month"]:
        return np.nan, "names no month in English"
    if month is None or day is None:
        return _partial(year, month, spec)
    try:
        moment = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}").astype(float)
    except ValueError:
        order = spec["order"]
        return np.nan, f"is no date of the calendar when read as {IN_WORDS[order]}"
    return moment + (_clock(parts) if spec["keep_time"] else 0.0), None


def _year(text: str, spec: dict[str, Any]) -> tuple[int, str | None]:
    if len(text) == 4:
        return int(text), None
    if spec.get("century") is None:
        return 0, "has a year of two digits; declare its century: 1900 or 2000"
    return int(spec["century"]) + int(text), None


def _month(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isdigit():
        return int(text)
    name = text.lower()
    known = [number for number, month in enumerate(MONTHS, 1) if name in (month, month[:3])]
    return known[0] if known else None


def _partial(year: int, month: int | None, spec: dict[str, Any]) -> tuple[float, str | None]:
    rule = spec["partial"]
    if rule == "refuse":
        return np.nan, (
            "is a date without its day or month; declare 'partial': blank, first, middle or last"
        )
    if rule == "blank":
        return np.nan, None
    try:
        first = np.datetime64(f"{year:04d}-{month or 1:02d}-01").astype(float)
    except ValueError:
        return np.nan, "is no date of the calendar"
    after = (
        np.datetime64(f"{year:04d}-{month:02d}") + 1
        if month
        else np.datetime64(f"{year + 1:04d}-01")
    )
    last = after.astype("datetime64[D]").astype(float) - 1
    return {"first": first, "middle": np.floor((first + last) / 2), "last": last}[rule], None


def _clock(parts: dict[str, str | None]) -> float:
    hour, minute, second = (int(parts.get(key) or 0) for key in ("hour", "minute", "second"))
    return (hour + minute / 60 + second / 3600) / 24


def parse_times(cells: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Turn times of day ("14:32", "14:32:09" or time objects) into fractions of a day.

    Returns
    -------
    fraction : Series of float64
    bad : Series of bool
        Cells that are neither blank nor a time of day.
    """
    if pd.api.types.is_timedelta64_dtype(cells.dtype):
        return cells.dt.total_seconds() / SECONDS, pd.Series(False, index=cells.index)
    text = cells.map(lambda value: None if pd.isna(value) else str(value))
    parts = text.str.extract(r"^(\d{1,2}):(\d{2})(?::(\d{2}))?$").astype("float64")
    hour, minute, second = parts[0], parts[1], parts[2].fillna(0)
    fraction = (hour + minute / 60 + second / 3600) / 24
    valid = (hour < 24) & (minute < 60) & (second < 60)
    return fraction.where(valid), text.notna() & ~valid


def from_study_days(days: pd.Series) -> pd.Series:
    """Turn study days without a day 0 into days since the reference day.

    In SDTM the reference day is 1 and the day before it -1. A study day of 0 does not exist and
    becomes NaN.
    """
    return pd.Series(np.where(days > 0, days - 1, np.where(days < 0, days, np.nan)), days.index)
