"""How many are at risk, and how many fail of what, at each time in each group?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.problems import Problem, refuse
from discontinuation.survival._incidence_kernels import rank_whole_numbers, whole_range
from discontinuation.survival.follow_up import (
    PLACE,
    FloatArray,
    FollowUp,
    IntArray,
    follow_up,
    label_groups,
)

ROUNDING = 1e-12  # share of a weighted risk set that only the order of adding leaves over


@dataclass(frozen=True, eq=False)
class Counts:
    """Follow-up of groups as counts; g groups, c causes, t times at which anything happened.

    Attributes
    ----------
    time
        Times with an event of any cause in any group, increasing, shape (t,).
    events
        Weighted number of events, shape (g, c, t).
    at_risk
        Weighted number at risk just before, shape (g, t).
    causes
        The codes that occur.
    groups
        Labels; None: one group of everybody.
    people, failed
        Number of people (rows) and of events (rows) per group, shape (g,).
    last
        Largest follow-up time per group, shape (g,).
    """

    time: FloatArray
    events: FloatArray
    at_risk: FloatArray
    causes: tuple[int, ...]
    groups: tuple[object, ...] | None
    people: IntArray
    failed: IntArray
    last: FloatArray


def count_events(
    time: npt.ArrayLike,
    cause: npt.ArrayLike,
    group: npt.ArrayLike | None = None,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
) -> Counts:
    """Check follow-up with causes and count it.

    Raises
    ------
    InvalidInput
        Bad follow-up (see `follow_up`); no event of any cause.
    """
    people = follow_up(time, cause, entry, weights, causes=True)
    codes, groups = group_codes(group, people)
    people, codes, groups = without_zero_weights(people, codes, groups)
    causes, numbers = number_causes(people.event)
    rank, distinct = distinct_times(people.time)
    shape = (len(groups or "1"), len(causes) + 1, len(distinct))
    cells = (codes * shape[1] + numbers) * shape[2] + rank
    size = int(np.prod(shape))
    rows = np.bincount(cells, minlength=size).reshape(shape)
    ended = rows.astype(float)
    if people.weights is not None:
        ended = np.bincount(cells, people.weights, size).reshape(shape)
    at_risk = _at_risk(ended, people, codes, distinct)
    kept = np.flatnonzero(rows[:, 1:].any(axis=(0, 1)))
    here = np.asarray(rows.any(axis=1))
    return Counts(
        distinct[kept],
        np.ascontiguousarray(ended[:, 1:, kept]),
        np.ascontiguousarray(at_risk[:, kept]),
        causes,
        groups,
        rows.sum(axis=(1, 2)),
        rows[:, 1:].sum(axis=(1, 2)),
        distinct[len(distinct) - 1 - np.argmax(here[:, ::-1], axis=1)],
    )


def group_codes(
    group: npt.ArrayLike | None, people: FollowUp, name: str = "group", at_least: int = 1
) -> tuple[IntArray, tuple[object, ...] | None]:
    """Number the groups; None is one group without a label."""
    if group is None:
        return np.zeros(len(people.time), dtype=np.int64), None
    codes, labels = label_groups(group, len(people.time), name, at_least)
    return codes, tuple(labels)


def without_zero_weights(
    people: FollowUp, codes: IntArray, groups: tuple[object, ...] | None
) -> tuple[FollowUp, IntArray, tuple[object, ...] | None]:
    """Leave out people of weight 0, and groups that then are empty."""
    if people.weights is None or people.weights.all():
        return people, codes, groups
    kept = np.flatnonzero(people.weights)
    if not len(kept):
        refuse([Problem(PLACE, "nobody has a weight above 0", column="weights")])
    present, codes = np.unique(codes[kept], return_inverse=True)
    if groups is not None:
        groups = tuple(groups[code] for code in present)
    entry = None if people.entry is None else people.entry[kept]
    left = FollowUp(people.time[kept], people.event[kept], entry, people.weights[kept])
    return left, codes.astype(np.int64), groups


def number_causes(event: IntArray) -> tuple[tuple[int, ...], IntArray]:
    """Number the causes that occur 1, 2, ...; 0 stays 0.

    Raises
    ------
    InvalidInput
        If nobody has an event.
    """
    few = event.max() < 1000
    found = np.flatnonzero(np.bincount(event)) if few else np.unique(event)
    causes = found[found > 0]
    if not len(causes):
        refuse([Problem(PLACE, "there is no event of any cause, everybody is censored")])
    if causes[-1] == len(causes):
        return tuple(causes.tolist()), event
    numbers = np.searchsorted(causes, event, side="right")
    return tuple(causes.tolist()), numbers.astype(np.int64)


def distinct_times(time: FloatArray) -> tuple[IntArray, FloatArray]:
    """Rank times among the distinct ones: by counting where they are whole and close together.

    Returns
    -------
    rank
        Position of each time, shape (n,).
    distinct
        Increasing.
    """
    low, high, whole = whole_range(time)
    if whole and high - low <= 4 * len(time) + 1000:
        ranks, distinct = rank_whole_numbers(time, low, int(high - low) + 1)
        return ranks, distinct
    distinct, ranks = np.unique(time, return_inverse=True)
    return ranks.astype(np.int64, copy=False), distinct


def _at_risk(
    ended: FloatArray, people: FollowUp, codes: IntArray, distinct: FloatArray
) -> FloatArray:
    """Weighted number with entry < t <= time, shape (groups, times)."""
    groups, _, times = ended.shape
    leaving = ended.sum(axis=1)
    at_risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1]
    if people.entry is None:
        return at_risk
    after = np.searchsorted(distinct, people.entry, side="right")
    cells = codes * times + after
    late = np.bincount(cells, people.weights, groups * times).reshape(groups, times)
    to_come = np.cumsum(late[:, ::-1], axis=1)[:, ::-1] - late
    left = at_risk - to_come
    return np.where(left <= ROUNDING * at_risk, 0.0, left)
