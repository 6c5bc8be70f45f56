"""How does a typed column of a binary format stand in a frame without losing anything?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

BoolArray = npt.NDArray[np.bool_]

# Microseconds in a day, a second and a millisecond.
DAY, SECOND, MILLISECOND = 86_400_000_000, 1_000_000, 1_000
# Calendar dates reach from year 1 to 9999.
FIRST = np.datetime64("0001-01-01", "us").astype(np.int64)
LAST = np.datetime64("9999-12-31T23:59:59.999999", "us").astype(np.int64)
MOST_MICROSECONDS = 2.0**62


def floats(values: npt.NDArray[np.floating[Any]], missing: BoolArray) -> Any:
    """Make a column of numbers, in which NaN is told from missing only if the file has both.

    Parameters
    ----------
    values
        Numbers, shape (n,).
    missing
        Where the file says that there is no value, shape (n,).
    """
    values = np.where(missing, np.nan, values).astype(float)
    if (np.isnan(values) & ~missing).any():
        return pd.arrays.FloatingArray(np.where(missing, 1.0, values), missing.copy())
    return values


def integers(values: npt.NDArray[np.integer[Any]], missing: BoolArray) -> Any:
    """Make a column of whole numbers."""
    if values.dtype == np.uint64 and values.size and values.max() > np.iinfo(np.int64).max:
        return pd.arrays.IntegerArray(np.where(missing, np.uint64(1), values), missing.copy())
    return pd.arrays.IntegerArray(np.where(missing, 1, values).astype(np.int64), missing.copy())


def texts(values: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Make a column of text: None where there is none, or nothing but spaces."""
    cells = np.empty(len(values), object)
    cells[:] = [value if value is not None and value.strip() else None for value in values]
    return cells


def categories(codes: npt.NDArray[np.integer[Any]], levels: Any, ordered: bool) -> pd.Categorical:
    """Make a column of categories; a level that is blank or missing is a missing cell.

    Parameters
    ----------
    codes
        Position of each cell's level, -1 where missing, shape (n,).
    levels
        Text of each level, shape (k,).
    ordered
        Whether their order means something.
    """
    named = texts(np.array([*levels, None], object)[:-1])
    kept = [level for level in named if level is not None]
    place = np.full(len(named) + 1, -1)  # The last is that of code -1.
    place[[at for at, level in enumerate(named) if level is not None]] = range(len(kept))
    if codes.size and not (codes.min() >= -1 and codes.max() < len(named)):
        raise ValueError("a code without a level")
    return pd.Categorical.from_codes(place[codes], pd.Index(kept, dtype=object), ordered=ordered)


def to_frame(columns: Mapping[str, Any], records: int) -> pd.DataFrame:
    """Put columns into a frame as they are: pandas would make dates of objects.

    Parameters
    ----------
    columns
        Arrays of `records` cells by name.
    records
        Number of records, which a frame without columns does not tell.
    """
    index = pd.RangeIndex(records)
    kept = {
        name: pd.Series(cells, index=index, dtype=getattr(cells, "dtype", object), copy=False)
        for name, cells in columns.items()
    }
    return pd.DataFrame(kept, index=index, copy=False)


def microseconds(
    values: npt.NDArray[np.float64], unit: int, step: int = 1
) -> npt.NDArray[np.int64] | None:
    """Count microseconds, exactly for whole numbers of units; None if one cannot be held.

    Parameters
    ----------
    values
        Times in units, NaN where missing (counted as 0).
    unit
        Microseconds in a unit.
    step
        Round parts of a unit to so many microseconds.
    """
    held = np.where(np.isnan(values), 0.0, values)
    if held.size and not np.abs(held).max() < MOST_MICROSECONDS / unit:
        return None
    whole = np.floor(held)
    parts = np.round((held - whole) * (unit / step)) * step
    return whole.astype(np.int64) * unit + parts.astype(np.int64)


def instants(
    values: npt.NDArray[np.float64], unit: int, origin: int = 0, step: int = 1
) -> npt.NDArray[np.datetime64] | None:
    """Make dates and times; None if a year is not 1 to 9999.

    Parameters
    ----------
    values, unit, step
        As in `microseconds`.
    origin
        Microseconds from 1970 to what is counted from.
    """
    ticks = microseconds(values, unit, step)
    if ticks is None:
        return None
    ticks += origin
    missing = np.isnan(values)
    held = ticks[~missing]
    if held.size and (held.min() < FIRST or held.max() > LAST):
        return None
    dates = ticks.view("datetime64[us]")
    dates[missing] = np.datetime64("NaT")
    return dates


def durations(values: npt.NDArray[np.float64], unit: int) -> npt.NDArray[np.timedelta64] | None:
    """Make times of day or durations; None if one is too long."""
    ticks = microseconds(values, unit)
    if ticks is None:
        return None
    spans = ticks.view("timedelta64[us]")
    spans[np.isnan(values)] = np.timedelta64("NaT")
    return spans
