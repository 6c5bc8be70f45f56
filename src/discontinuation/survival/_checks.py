"""One pass over a column instead of several: is it what it should be?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def fine(time: npt.NDArray[np.float64], event: npt.NDArray[np.float64], largest: float) -> bool:
    """Whether times are finite and not negative, and events whole numbers from 0 to `largest`."""
    for person in range(len(time)):
        t, e = time[person], event[person]
        if not (0.0 <= t < math.inf and 0.0 <= e <= largest) or e != math.floor(e):
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def count_small(values: npt.NDArray[np.int64], limit: int) -> npt.NDArray[np.int64]:
    """Count each whole number from 0 to below `limit`; empty if there is any other."""
    found = np.zeros(limit, dtype=np.int64)
    for value in values:
        if value < 0 or value >= limit:
            return np.empty(0, dtype=np.int64)
        found[value] += 1
    return found
