"""Which earlier row of the same person comes last?

All arrays here are sorted by person and, within a person, by time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# Two points in time closer than this are the same, days.
SLACK = 1e-9


def starts_of(*keys: IntArray | FloatArray) -> BoolArray:
    """Mark the rows at which any of the keys differs from the row before."""
    first = np.ones(len(keys[0]), dtype=bool)
    if len(first) > 1:
        first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return first


def last_marked(marks: BoolArray) -> IntArray:
    """Give each row the position of the last marked row up to it, or -1."""
    position = np.where(marks, np.arange(len(marks)), -1)
    return np.asarray(np.maximum.accumulate(position), dtype=np.int64)


def last_before(
    rows_person: IntArray,
    rows_time: FloatArray,
    person: IntArray,
    time: FloatArray,
    *,
    inclusive: bool,
) -> IntArray:
    """Find the last row of a person before a time, for many persons and times at once.

    Parameters
    ----------
    rows_person, rows_time
        The rows, sorted by person and time.
    person, time
        What is asked for; need not be sorted.
    inclusive
        Whether a row at that very time counts.

    Returns
    -------
    array of int
        Position of the row, -1 where there is none.
    """
    low = np.searchsorted(rows_person, person, side="left")
    high = np.searchsorted(rows_person, person, side="right")
    first = low.copy()
    # Halve every person's stretch of rows at once.
    while (open_ := low < high).any():
        middle = np.where(open_, (low + high) // 2, 0)
        row = rows_time[middle]
        early = open_ & ((row <= time) if inclusive else (row < time))
        low = np.where(early, middle + 1, low)
        high = np.where(open_ & ~early, middle, high)
    return np.where(low > first, low - 1, -1).astype(np.int64)
