"""Which times do the tables of the latent-cause model hold, and when can each onset have been?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

EVENT_TIMES = ("onset", "onset_earliest", "onset_latest", "detected", "reinstated", "resolved")
SAME = 1e-9  # times closer than this are one


def as_numbers(values: pd.Series) -> FloatArray:
    """Numbers of a column, also where they are written as text; NaN where there is none.

    Parameters
    ----------
    values
        The column; `time_problems` names what is no number.
    """
    if values.dtype == float:
        return values.to_numpy(dtype=float)
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    found = pd.to_numeric(values, errors="coerce")
    return np.asarray(found.to_numpy(dtype=float, na_value=np.nan), dtype=float)


def time_of(table: pd.DataFrame, column: str) -> FloatArray:
    """Times in a column; NaN throughout if it is not there."""
    return as_numbers(table[column]) if column in table else np.full(len(table), np.nan)


def time_problems(
    file: str, table: pd.DataFrame, columns: tuple[str, ...], *, blank: bool
) -> Iterator[Problem]:
    """Times that are dates or no finite numbers.

    Parameters
    ----------
    file, table
        Name of the table, and the table.
    columns
        Those that hold times; one that is not there is passed over.
    blank
        Whether a time may be missing.
    """
    for column in columns:
        if column not in table:
            continue
        values = table[column]
        if _are_dates(values):
            rule = "these are dates; allowed: numbers, counted from the reference day"
            yield Problem(file, rule, None, column, str(values.dropna().iloc[0]))
            continue
        missing = values.isna().to_numpy()
        wrong = ~np.isfinite(as_numbers(values)) & ~(missing & blank)
        for row in np.flatnonzero(wrong):
            said = None if missing[row] else str(values.iloc[row])
            rule = "allowed: a finite number" + (", or blank" if blank else "")
            yield Problem(file, rule, int(row) + 2, column, said)


def _are_dates(values: pd.Series) -> bool:
    """Whether a column holds dates, or lengths of time, as such."""
    kinds = pd.api.types
    if values.dtype == float:
        return False
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    known = values.dropna()
    if kinds.is_object_dtype(values.dtype):
        return any(isinstance(one, date | timedelta | np.datetime64) for one in known)
    number = kinds.is_numeric_dtype(values.dtype) or kinds.is_string_dtype(values.dtype)
    return bool(len(known)) and not number


def onset_limits(
    events: pd.DataFrame, start: FloatArray, end: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Between which times each onset lies.

    Both limits are the onset where they are not known and it is. Where neither is known, an onset
    lies after the last time without the deterioration that is known (`onset_earliest`, or the
    start of follow-up), and up to the first with it (`onset_latest`, or the earliest of
    `detected`, `reinstated`, `resolved` and the end of follow-up): follow-up always bounds it, so
    that no event is lost, and none is said to be where it need not have been.

    Parameters
    ----------
    events
        One row per event.
    start, end
        Follow-up of the people who had them, shape (events,).

    Returns
    -------
    earliest, latest
        Shape (events,). `earliest` is not before `start`.
    bounded
        Whether the onset was not known, nor both of its limits, shape (events,).
    """
    onset, low, high = (time_of(events, name) for name in EVENT_TIMES[:3])
    both = np.isfinite(low) & np.isfinite(high)
    bounded = ~both & ~np.isfinite(onset)
    seen = np.fmin.reduce([end, *(time_of(events, name) for name in EVENT_TIMES[3:])])
    earliest = np.where(both, low, np.where(bounded, np.where(np.isfinite(low), low, start), onset))
    latest = np.where(both, high, np.where(bounded, np.where(np.isfinite(high), high, seen), onset))
    return np.maximum(earliest, start), latest, bounded


def course_problems(
    events: pd.DataFrame, earliest: FloatArray, latest: FloatArray, end: FloatArray
) -> Iterator[Problem]:
    """Reinstatement or resolution before the onset, and resolution before reinstatement.

    Parameters
    ----------
    events
        person, row (in its file), and perhaps reinstated and resolved.
    earliest, latest
        From `onset_limits`; an event whose limits cannot be is passed over.
    end
        Of follow-up, shape (events,).
    """
    restart, passed = time_of(events, "reinstated"), time_of(events, "resolved")
    possible = (earliest <= latest + SAME) & (latest <= end + SAME)
    early = possible & (restart < earliest - SAME)
    before = possible & (passed < earliest - SAME)
    turned = ~before & (passed < restart - SAME)
    for wrong, column, times, rule, limits in (
        (early, "reinstated", restart, "the drug was reinstated before the onset, {:g}", earliest),
        (before, "resolved", passed, "it had resolved before its onset, {:g}", earliest),
        (turned, "resolved", passed, "it had resolved before the reinstatement, {:g}", restart),
    ):
        for place in np.flatnonzero(wrong):
            said = f"person {events['person'].iloc[place]}: " + rule.format(limits[place])
            row = int(events["row"].iloc[place])
            yield Problem("events", said, row, column, f"{times[place]:g}")
