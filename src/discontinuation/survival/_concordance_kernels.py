"""How many pairs of people are in the right order?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def _add(tree: FloatArray, rank: int, weight: float) -> None:
    place = rank + 1
    while place < len(tree):
        tree[place] += weight
        place += place & -place


@njit(cache=True, nogil=True, error_model="numpy")
def _up_to(tree: FloatArray, rank: int) -> float:
    """Sum the weights of ranks below `rank`."""
    total = 0.0
    while rank > 0:
        total += tree[rank]
        rank -= rank & -rank
    return total


# A tree of partial sums by rank has, beside it, the weight at each rank and, at its end, of all.
@njit(cache=True, nogil=True, error_model="numpy")
def _put(tree: FloatArray, at_rank: FloatArray, rank: int, weight: float) -> None:
    _add(tree, rank, weight)
    at_rank[rank] += weight
    at_rank[-1] += weight


@njit(cache=True, nogil=True, error_model="numpy")
def count_later(
    time: FloatArray, entry: FloatArray, event: IntArray, weight: FloatArray, rank: IntArray,
    by_time: IntArray, by_entry: IntArray, ranks: int, counts: FloatArray,
) -> None:  # fmt: skip
    """Count, for each person with an event, those who are still at risk after it.

    Persons are kept by rank in a tree of partial sums, so that each takes log(ranks) steps.

    Parameters
    ----------
    rank
        Of the score, 0 to ranks - 1.
    by_time, by_entry
        Persons in order of decreasing time and decreasing entry.
    counts
        Shape (n, 5): weight of others in pairs where the earlier event has the higher score, the
        lower, the same; of events at the same time with another score, with the same. Added to.
    """
    n, left, low = len(time), 0, 0
    tree, at_rank = np.zeros(ranks + 1), np.zeros(ranks + 1)
    while low < n:
        high, now = low, time[by_time[low]]
        while high < n and time[by_time[high]] == now:
            i = by_time[high]
            if not event[i]:  # censored at this time: at risk after the events
                _put(tree, at_rank, rank[i], weight[i])
            high += 1
        while left < n and entry[by_entry[left]] >= now:
            i = by_entry[left]
            _put(tree, at_rank, rank[i], -weight[i])
            left += 1
        for i in by_time[low:high]:
            if event[i]:
                below, same = _up_to(tree, rank[i]), at_rank[rank[i]]
                counts[i, 0] += below
                counts[i, 1] += at_rank[-1] - below - same
                counts[i, 2] += same
        for i in by_time[low:high]:
            if event[i]:
                _put(tree, at_rank, rank[i], weight[i])
        low = high


@njit(cache=True, nogil=True, error_model="numpy")
def count_earlier(
    time: FloatArray, entry: FloatArray, event: IntArray, weight: FloatArray, rank: IntArray,
    by_time: IntArray, by_entry: IntArray, ranks: int, counts: FloatArray,
) -> None:  # fmt: skip
    """Count, for each person, the events before, since they entered; as `count_later`."""
    enter, high = len(time) - 1, len(time) - 1
    tree, at_rank = np.zeros(ranks + 1), np.zeros(ranks + 1)
    while high >= 0:
        now = time[by_time[high]]
        # Entries at a time come after the events at it, and before the next time.
        while enter >= 0 and entry[by_entry[enter]] < now:
            i = by_entry[enter]
            _count_events(tree, at_rank, rank[i], -1.0, counts[i])
            enter -= 1
        low = high
        while low >= 0 and time[by_time[low]] == now:
            low -= 1
        tied = by_time[low + 1 : high + 1]
        _count_tied(tree, at_rank, tied, event, weight, rank, counts)
        for i in tied:
            if not event[i]:
                _count_events(tree, at_rank, rank[i], 1.0, counts[i])
        high = low


@njit(cache=True, nogil=True, error_model="numpy")
def _count_tied(
    tree: FloatArray, at_rank: FloatArray, tied: IntArray, event: IntArray, weight: FloatArray,
    rank: IntArray, counts: FloatArray,
) -> None:  # fmt: skip
    """Count for the events of one time those before, and each other; then put them in."""
    before = at_rank[-1]
    for i in tied:
        if event[i]:
            _count_events(tree, at_rank, rank[i], 1.0, counts[i])
            counts[i, 4] -= at_rank[rank[i]] + weight[i]
    for i in tied:
        if event[i]:
            _put(tree, at_rank, rank[i], weight[i])
    for i in tied:
        if event[i]:
            counts[i, 4] += at_rank[rank[i]]
            counts[i, 3] += at_rank[-1] - before - weight[i] - counts[i, 4]


@njit(cache=True, nogil=True, error_model="numpy")
def _count_events(
    tree: FloatArray, at_rank: FloatArray, rank: int, sign: float, count: FloatArray
) -> None:
    below, same = _up_to(tree, rank), at_rank[rank]
    count[0] += sign * (at_rank[-1] - below - same)
    count[1] += sign * below
    count[2] += sign * same
