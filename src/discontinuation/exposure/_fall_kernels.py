"""How does occupancy fall along thousands of dose histories? The loops, compiled.

Between two changes of dose the level moves along one exponential, ``d + (x - d) exp(-k t)``. The
steepest moment and the largest drop over a window are looked for between all moments at which one
of these exponentials begins or ends; in each piece on a few points, then by golden section.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

compiled = njit(cache=True, nogil=True, error_model="numpy")

_SETTLED = 20.0  # time constants after which nothing moves
_MOST_POINTS = 41
_GOLDEN = 0.3819660112501051
_ROUNDS = 25  # the value is then known to about 1e-10 of itself
_WORTH = 0.97  # of the best point: pieces whose best point is below are not searched further

# Columns of the result.
LEFT_90, REACHED_10, DROP, STEEPEST, LEFT = range(5)


class Curve(NamedTuple):
    """Speed of elimination per day, and occupancy ``emax x^hill / (k^hill + x^hill)``."""

    speed: float
    emax: float
    k: float
    hill: float


class Walk(NamedTuple):
    """Intervals: limits, dose, and the level at the start of each."""

    start: FloatArray
    stop: FloatArray
    dose: FloatArray
    level: FloatArray


@compiled
def _power(level: float, curve: Curve) -> float:
    share = level / curve.k
    return share if curve.hill == 1.0 else float(share**curve.hill)


@compiled
def _occupied(level: float, curve: Curve) -> float:
    power = _power(level, curve)
    return curve.emax * power / (1.0 + power)


@compiled
def _level(time: float, at: int, walk: Walk, curve: Curve) -> float:
    passed = np.exp(-curve.speed * (time - walk.start[at]))
    return float(walk.dose[at] + (walk.level[at] - walk.dose[at]) * passed)


@compiled
def _value(
    time: float, at: int, later: int, window: float, last: float, walk: Walk, curve: Curve
) -> float:
    """Fall of occupancy over the window, or per day where the window is 0."""
    level = _level(time, at, walk, curve)
    if window > 0.0:
        then = _level(min(time + window, last), later, walk, curve)
        return _occupied(level, curve) - _occupied(then, curve)
    power = _power(level, curve)
    slope = curve.emax * curve.hill * power / (max(level, 1e-300) * (1.0 + power) ** 2)
    return float(slope * curve.speed * (level - walk.dose[at]))


@compiled
def _best_in_piece(
    begin: float,
    finish: float,
    at: int,
    later: int,
    window: float,
    last: float,
    search_from: float,
    walk: Walk,
    curve: Curve,
) -> float:
    """Largest value between two moments; searched between points if it exceeds `search_from`."""
    length = min(finish - begin, _SETTLED / curve.speed)
    points = min(_MOST_POINTS, 4 + int(2.0 * length * curve.speed))
    step = length / (points - 1)
    place, found = 0, -np.inf
    for point in range(points):
        value = _value(begin + point * step, at, later, window, last, walk, curve)
        if value > found:
            place, found = point, value
    if found < search_from:
        return found
    low, high = begin + max(place - 1, 0) * step, begin + min(place + 1, points - 1) * step
    for _ in range(_ROUNDS):
        one, two = low + _GOLDEN * (high - low), high - _GOLDEN * (high - low)
        first = _value(one, at, later, window, last, walk, curve)
        second = _value(two, at, later, window, last, walk, curve)
        found = max(found, first, second)
        if first >= second:
            high = two
        else:
            low = one
    return found


@compiled
def _largest(
    first: int,
    end: int,
    begin: float,
    window: float,
    search_from: float,
    walk: Walk,
    curve: Curve,
) -> float:
    """Largest fall from `begin` on: over the window, or per day where it is 0."""
    last = walk.stop[end - 1]
    time, at, later, best = begin, first, first, 0.0
    while time < last:
        while at < end - 1 and walk.stop[at] <= time:
            at += 1
        while later < end - 1 and walk.stop[later] <= time + window:
            later += 1
        until = walk.stop[at]
        if time + window < last:
            until = min(until, walk.stop[later] - window)
        if until <= time:  # by rounding
            until = min(walk.stop[at], time + 1e-9 * max(1.0, abs(time)))
        piece = _best_in_piece(time, until, at, later, window, last, search_from, walk, curve)
        best, time = max(best, piece), until
    return best


@compiled
def _searched(first: int, end: int, begin: float, window: float, walk: Walk, curve: Curve) -> float:
    """Find the largest fall in two rounds, so that only pieces that can win are searched."""
    best = _largest(first, end, begin, window, np.inf, walk, curve)
    return _largest(first, end, begin, window, _WORTH * best, walk, curve)


@compiled
def _crossing(level: float, at: int, walk: Walk, speed: float) -> float:
    """When a level is passed in an interval that begins above it and ends below."""
    ratio = (walk.level[at] - walk.dose[at]) / (level - walk.dose[at])
    return float(walk.start[at] + np.log(ratio) / speed)


@compiled
def _crossings(
    first: int, end: int, begin: float, high: float, low: float, walk: Walk, curve: Curve
) -> tuple[float, float]:
    """When the level is last at `high` before it first comes down to `low`; NaN if never."""
    left = np.nan
    for at in range(first, end):
        if walk.stop[at] <= begin:
            if _level(walk.stop[at], at, walk, curve) >= high:
                left = walk.stop[at]
            continue
        above, under = walk.level[at], _level(walk.stop[at], at, walk, curve)
        if under >= high:
            left = walk.stop[at]
        elif above > high:
            left = _crossing(high, at, walk, curve.speed)
        if under <= low < above:
            return left, _crossing(low, at, walk, curve.speed)
    return left, np.nan


@compiled
def falls(
    first: IntArray,
    end: IntArray,
    begin: FloatArray,
    opening: FloatArray,
    reference: FloatArray,
    high: FloatArray,
    low: FloatArray,
    window: float,
    walk: Walk,
    curve: Curve,
    out: FloatArray,
) -> None:
    """Describe how occupancy falls along n stretches of intervals.

    Parameters
    ----------
    first, end
        Which intervals each stretch has, shape (n,).
    begin
        When its fall begins, shape (n,).
    opening
        Level at the start of its first interval, shape (n,).
    reference
        Occupancy from which it falls, shape (n,).
    high, low
        Levels at 90 and at 10 % of that occupancy, shape (n,).
    window
        Days over which the largest drop is looked for.
    walk
        The intervals; `level` is written.
    curve
        Of the drug.
    out
        Written, shape (n, 5): when the level was last at `high`, when it first reached `low`,
        largest drop of occupancy over the window, steepest fall as a share of `reference` per
        day, and the share of `reference` that is left at the end.
    """
    for row in range(len(first)):
        level = opening[row]
        for at in range(first[row], end[row]):
            walk.level[at] = level
            level = _level(walk.stop[at], at, walk, curve)
        stretch = (first[row], end[row], begin[row])
        left, reached = _crossings(*stretch, high[row], low[row], walk, curve)
        out[row, LEFT_90], out[row, REACHED_10] = left, reached
        out[row, DROP] = _searched(*stretch, window, walk, curve)
        out[row, STEEPEST] = _searched(*stretch, 0.0, walk, curve) / reference[row]
        out[row, LEFT] = _occupied(level, curve) / reference[row]
