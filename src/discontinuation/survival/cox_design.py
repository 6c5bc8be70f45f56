"""Who is at risk when, with which covariates?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discontinuation.problems import Problem, refuse
from discontinuation.survival._cox_kernels import (
    BoolArray,
    FloatArray,
    IntArray,
    standardise,
)
from discontinuation.survival.follow_up import FollowUp

# Rows in the order of their slots keep memory close together; below this it is close anyway.
MANY_SLOTS = 20_000
MOST_CELLS = 100_000  # of a table of strata and times, or 4 for each row


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Everything the partial likelihood needs, ready for the kernels (see `_cox_kernels`).

    Attributes
    ----------
    x
        Covariates, centred and scaled, shape (n, p).
    weight, offset, event, first, last
        One per row.
    start, deaths, death_weight, time, stratum
        One per slot: first slot of its stratum, events and their weight, its time, its stratum.
    centre, scale
        Of the covariates, shape (p,): what was given is ``centre + scale * x``.
    offset_mean
        Taken off the offsets.
    row
        Where in the data each row stands.
    """

    x: FloatArray
    weight: FloatArray
    offset: FloatArray
    event: BoolArray
    first: IntArray
    last: IntArray
    start: IntArray
    deaths: FloatArray
    death_weight: FloatArray
    time: FloatArray
    stratum: IntArray
    centre: FloatArray
    scale: FloatArray
    offset_mean: float
    row: IntArray


def rows_there(follow: FollowUp) -> tuple[FollowUp, IntArray]:
    """Leave out rows of weight 0; return the others and where they stand."""
    if follow.weights is None or follow.weights.all():
        return follow, np.arange(len(follow.time))
    row = np.flatnonzero(follow.weights)
    entry = None if follow.entry is None else follow.entry[row]
    return FollowUp(follow.time[row], follow.event[row], entry, follow.weights[row]), row


def risk_sets(
    follow: FollowUp,
    x: FloatArray,
    stratum: IntArray | None,
    offset: FloatArray | None,
    row: IntArray,
) -> RiskSets:
    """Arrange people, or stretches of their follow-up, for the kernels.

    Parameters
    ----------
    follow, row
        Checked follow-up of the rows that are there, and where in the data they stand.
    x
        Covariates, shape (rows of the data, p).
    stratum
        Number of each row's stratum, or None for one stratum.
    offset
        Added to each row's log hazard, or None.
    """
    n = len(row)
    if n < len(x):
        x = x[row]
        stratum = None if stratum is None else stratum[row]
        offset = None if offset is None else offset[row]
    weight = np.ones(n) if follow.weights is None else follow.weights
    stratum = np.zeros(n, np.int64) if stratum is None else stratum
    offset = np.zeros(n) if offset is None else offset
    event = follow.event == 1
    if not event.any():
        refuse([Problem("survival data", "nobody has the event", column="event")])
    first, last, start, time, slot_stratum = _slots(follow, event, stratum)
    if len(start) > MANY_SLOTS:
        order = np.argsort(last, kind="stable")
        row, weight, offset = row[order], weight[order], offset[order]
        event, first, last, x = event[order], first[order], last[order], x[order]
    x, centre, scale = standardise(x, weight)
    mean = float(np.average(offset, weights=weight))
    slots, at = len(start), last[event]
    return RiskSets(
        x=x,
        weight=weight,
        offset=offset - mean,
        event=event,
        first=first,
        last=last,
        start=start,
        deaths=np.bincount(at, minlength=slots).astype(float),
        death_weight=np.bincount(at, weight[event], minlength=slots).astype(float),
        time=time,
        stratum=slot_stratum,
        centre=centre,
        scale=scale,
        offset_mean=mean,
        row=row,
    )


def _slots(
    follow: FollowUp, event: BoolArray, stratum: IntArray
) -> tuple[IntArray, IntArray, IntArray, FloatArray, IntArray]:
    """Number the event times of each stratum; say between which each row is at risk."""
    times, code, entry_code, span = _time_codes(follow, event)
    key = stratum * span + code
    entry_key = stratum * span + entry_code
    strata = int(stratum.max()) + 1
    if strata * span <= max(4 * len(key), MOST_CELLS):
        there = np.zeros(strata * span, dtype=bool)
        there[key[event]] = True
        before = np.cumsum(there)
        slots = np.flatnonzero(there)
        last, first = before[key] - 1, before[entry_key]
    else:
        slots = np.unique(key[event])
        last = np.searchsorted(slots, key, side="right") - 1
        first = np.searchsorted(slots, entry_key, side="right")
    slot_stratum = slots // span
    start = np.searchsorted(slot_stratum, slot_stratum, side="left")
    return first, last, start, times[slots % span], slot_stratum


def _time_codes(
    follow: FollowUp, event: BoolArray
) -> tuple[FloatArray, IntArray, IntArray | int, int]:
    """Number times in their order, so that an entry at a time gets the same number.

    Returns
    -------
    Time of each number, number of each row's time and entry, how many numbers there are.
    """
    low, high = follow.time.min(), follow.time.max()
    if high - low <= 4 * len(event) and (follow.time == np.floor(follow.time)).all():
        span = int(high - low) + 2
        code = (follow.time - (low - 1)).astype(np.int64)
        entry: IntArray | int = 0
        if follow.entry is not None:
            entry = np.clip(np.floor(follow.entry - (low - 1)), 0, None).astype(np.int64)
        return np.arange(span) + (low - 1), code, entry, span
    times = np.unique(follow.time[event])
    code = np.searchsorted(times, follow.time, side="right")
    entry = 0
    if follow.entry is not None:
        entry = np.searchsorted(times, follow.entry, side="right")
    return np.append(-np.inf, times), code, entry, len(times) + 1
