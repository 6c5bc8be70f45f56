"""How many are at risk, leave and have the event at each distinct time, per group and stratum?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.survival._curve_kernels import at_risk, count, whole_range
from discontinuation.survival.follow_up import (
    PLACE,
    FloatArray,
    FollowUp,
    IntArray,
    label_groups,
)

NO_GROUPS = np.empty(0, dtype=np.int64)
NO_WEIGHTS = np.empty(0)
NO_ENTRIES = np.empty((0, 0))
MOST_GROUPS = 500


@dataclass(frozen=True, eq=False)
class RiskTable:
    """Counts at the distinct times at which somebody leaves follow-up.

    Attributes
    ----------
    time, stratum
        Shape (rows,): by stratum, in order of time within it.
    at_risk, events, leaving
        Sums of case weights, shape (rows, groups); who leaves has the event or is censored.
    """

    time: FloatArray
    stratum: IntArray
    at_risk: FloatArray
    events: FloatArray
    leaving: FloatArray


def present(
    follow: FollowUp, **labels: npt.ArrayLike | None
) -> tuple[FollowUp, list[npt.ArrayLike | None]]:
    """Leave out rows of weight 0, in the follow-up and in any labels of the same people.

    Raises
    ------
    InvalidInput
        If no row is left, or labels are not as many as the people.
    """
    weights = follow.weights
    if weights is None or weights.all():
        return follow, list(labels.values())
    kept = weights > 0
    if not kept.any():
        refuse([Problem(PLACE, "there is nobody: every weight is 0", column="weights")])
    entry = None if follow.entry is None else follow.entry[kept]
    some = FollowUp(follow.time[kept], follow.event[kept], entry, weights[kept])
    return some, [_kept(one, kept, name) for name, one in labels.items()]


def _kept(
    labels: npt.ArrayLike | None, kept: npt.NDArray[np.bool_], name: str
) -> npt.ArrayLike | None:
    if labels is None:
        return None
    column = pd.Series(labels)
    if len(column) != len(kept):
        refuse([Problem(PLACE, f"{len(column)} values for {len(kept)} times", column=name)])
    return column[kept]


def risk_table(
    follow: FollowUp,
    group: IntArray = NO_GROUPS,
    groups: int = 1,
    stratum: IntArray = NO_GROUPS,
    strata: int = 1,
) -> RiskTable:
    """Count people by time, group and stratum.

    Whole-number times that span few values are counted in one pass; others are sorted.
    """
    time, stratum_of_row, row, entry_row = _rows(follow, stratum, strata)
    weights = NO_WEIGHTS if follow.weights is None else follow.weights
    leaving, events = count(row, group, follow.event, weights, len(time), groups)
    entered = NO_ENTRIES
    if entry_row is not None:
        entered = count(entry_row, group, NO_GROUPS, weights, len(time), groups)[0]
    risk = at_risk(stratum_of_row, leaving, entered)
    used = leaving @ np.ones(groups) > 0
    if used.all():
        return RiskTable(time, stratum_of_row, risk, events, leaving)
    return RiskTable(time[used], stratum_of_row[used], risk[used], events[used], leaving[used])


def _rows(
    follow: FollowUp, stratum: IntArray, strata: int
) -> tuple[FloatArray, IntArray, IntArray, IntArray | None]:
    """Number the rows: their time and stratum, each person's row, and the first at risk."""
    whole, first, last = whole_range(follow.time)
    days = int(last - first) + 1 if whole else 0
    if whole and days * strata <= 4 * len(follow.time) + 1000:
        return _rows_of_days(follow, stratum, strata, int(first), days)
    return _rows_of_times(follow, stratum)


def _rows_of_days(
    follow: FollowUp, stratum: IntArray, strata: int, first: int, days: int
) -> tuple[FloatArray, IntArray, IntArray, IntArray | None]:
    day = np.arange(first, first + days, dtype=float)
    row = follow.time.astype(np.int64)
    row -= first
    entry_row = None
    if follow.entry is not None:
        entry_row = np.maximum(np.floor(follow.entry) + (1 - first), 0).astype(np.int64)
    if strata == 1:
        return day, np.zeros(days, dtype=np.int64), row, entry_row
    row += stratum * days
    if entry_row is not None:
        entry_row += stratum * days
    return np.tile(day, strata), np.repeat(np.arange(strata), days), row, entry_row


def _rows_of_times(
    follow: FollowUp, stratum: IntArray
) -> tuple[FloatArray, IntArray, IntArray, IntArray | None]:
    times, row = np.unique(follow.time, return_inverse=True)
    entry_row = None
    if follow.entry is not None:
        entry_row = np.searchsorted(times, follow.entry, side="right")
    if not len(stratum):
        return times, np.zeros(len(times), dtype=np.int64), row, entry_row
    keys, key_row = np.unique(stratum * len(times) + row, return_inverse=True)
    if entry_row is not None:
        entry_row = np.searchsorted(keys, stratum * len(times) + entry_row)
    return times[keys % len(times)], keys // len(times), key_row, entry_row


def arms(labels: npt.ArrayLike | None, people: int) -> tuple[IntArray, list[object]]:
    """Number the groups (see `label_groups`); without labels everybody is in one, "all"."""
    if labels is None:
        return NO_GROUPS, ["all"]
    return some_groups(labels, people)


def some_groups(
    labels: npt.ArrayLike, people: int, at_least: int = 1
) -> tuple[IntArray, list[object]]:
    """Number the groups (see `label_groups`), unless they are so many that they name people."""
    codes, found = label_groups(labels, people, at_least=at_least)
    if len(found) > MOST_GROUPS:
        message = f"{len(found)} groups; at most {MOST_GROUPS}: do these labels name people?"
        refuse([Problem(PLACE, message, column="group")])
    return codes, found


def plain_labels(labels: list[object]) -> tuple[object, ...]:
    """Labels as plain numbers and text, so that they can be kept in a file."""
    found = [one.item() if isinstance(one, np.generic) else one for one in labels]
    return tuple(one if isinstance(one, (str, bool, int, float)) else str(one) for one in found)
