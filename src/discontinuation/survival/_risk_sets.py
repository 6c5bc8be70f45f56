"""How many are at risk at each time, and how many have the event then?"""

from __future__ import annotations

import numpy as np

from discontinuation.survival.follow_up import FloatArray


def at_risk(
    times: FloatArray, time: FloatArray, entry: FloatArray | None, weights: FloatArray
) -> FloatArray:
    """Weight of the people at risk at each of some rising times: entry < t <= time."""
    found = _at_or_after(times, time, weights)
    if entry is not None:
        found = found - _at_or_after(times, entry, weights)
    return found


def _at_or_after(times: FloatArray, values: FloatArray, weights: FloatArray) -> FloatArray:
    place = np.searchsorted(times, values, side="right")
    counted = np.bincount(place, weights, minlength=len(times) + 1)
    return np.asarray(np.cumsum(counted[::-1])[::-1][1:])


def at_each(times: FloatArray, values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weight of the values that are exactly each of some rising times."""
    place = np.searchsorted(times, values)
    hit = place < len(times)
    hit[hit] = times[place[hit]] == values[hit]
    return np.asarray(np.bincount(place[hit], weights[hit], minlength=len(times)))


def step_at(times: FloatArray, values: FloatArray, start: float, asked: FloatArray) -> FloatArray:
    """Value of a right-continuous step function that is `start` before the first time."""
    return np.append(start, values)[np.searchsorted(times, asked, side="right")]
