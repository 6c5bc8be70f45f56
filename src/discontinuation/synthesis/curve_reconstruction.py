"""Who had the event when, and who was censored, under a published curve?

The algorithm of Guyot and others with four refinements: the clicks are made a curve that never
rises by least squares; the risk table is met exactly (where the two disagree the curve, which was
read by hand, gives way to the table, which was printed); a step that was clicked at a time of the
table is put before it or at it, whichever agrees with the table; and nobody is followed beyond the
end of the curve.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from discontinuation.synthesis.curve_clicks import (
    SLACK,
    FloatArray,
    IntArray,
    PublishedArm,
    level,
)

GAIN = 0.9  # a step is moved if no more than this share of the squared error is left


@dataclass(frozen=True, eq=False)
class _Stretch:
    """What happens between two rows of the risk table.

    Attributes
    ----------
    censored
        Times, shape (c,).
    events
        How many at each click, shape (k,).
    km
        The curve from each click on, shape (k,).
    short
        How many more events a click asks for than the risk table leaves room for.
    """

    censored: FloatArray
    events: IntArray
    km: FloatArray
    short: int


@dataclass(frozen=True, eq=False)
class _Fit:
    """Times of events and censorings, the mean squared error, and what each stretch is short of."""

    events: FloatArray
    censored: FloatArray
    error: float
    short: tuple[int, ...]


def people_under(arm: PublishedArm) -> tuple[pd.DataFrame, PublishedArm]:
    """Find people whose curve and numbers at risk are those of a figure.

    Parameters
    ----------
    arm
        The clicks, the risk table and the total of events.

    Returns
    -------
    people : DataFrame
        One row per person in order of time: time, event (1, or 0 for censored).
    settled : PublishedArm
        The arm, with the clicks that had to be put on the other side of a time of the table.

    References
    ----------
    Guyot P, Ades AE, Ouwens MJNM, Welton NJ. BMC Med Res Methodol 2012;12:9.
    """
    best, settled = _fit(arm), arm
    boundaries = arm.table_time[1:]
    # First all of them: visits at the times of the table, or an axis set a little to one side.
    for k in (slice(None), *(slice(one, one + 1) for one in range(len(boundaries)))):
        if not any(best.short[k.start or 0 : k.stop and k.stop + 1]):
            continue
        for moved in _on_the_other_side(settled, boundaries[k]):
            other = _fit(moved)
            if other.error <= GAIN * best.error:
                best, settled = other, moved
    times = np.concatenate([best.events, best.censored])
    event = np.repeat([1, 0], [len(best.events), len(best.censored)])
    order = np.lexsort((1 - event, times))
    return pd.DataFrame({"time": times[order], "event": event[order]}), settled


def _on_the_other_side(arm: PublishedArm, boundaries: FloatArray) -> Iterator[PublishedArm]:
    """Move clicks near times of the risk table from before them to them, and the other way."""
    slack = SLACK * arm.time[-1]
    later, earlier = arm.time.copy(), arm.time.copy()
    for boundary in boundaries:
        before = (arm.time >= boundary - slack) & (arm.time < boundary)
        later[before] = boundary
        after = (arm.time >= boundary) & (arm.time <= boundary + slack)
        last = max(boundary - slack, float(arm.time[arm.time < boundary].max(initial=0.0)))
        earlier[after] = (last + boundary) / 2
    yield from (replace(arm, time=time) for time in (later, earlier) if (time != arm.time).any())


def _fit(arm: PublishedArm) -> _Fit:
    time, survival = _steps(*level(arm.time, arm.survival), arm.table_time)
    width = np.append(np.diff(time), 0.0)  # how long the level of each click lasts
    km, squares = 1.0, 0.0
    events: list[FloatArray] = []
    censored: list[FloatArray] = []
    short = []
    rows = [*zip(arm.table_time, arm.table_people, strict=True), (np.inf, 0)]
    for (start, people), (stop, left) in pairwise(rows):
        inside = (time >= start) & (time < stop) & (time > 0)
        at, s = time[inside], survival[inside]
        if stop < np.inf:
            end = stop if time[-1] <= start else min(stop, time[-1])
            # If nobody is left, the last to leave is the one at whom the curve ends.
            closed = left == 0 and start < time[-1] < stop
            part = _between(at, s, int(people), int(left), km, (start, end), closed)
        else:
            known = sum(map(len, censored)), sum(map(len, events))
            part = _at_the_end(arm, at, s, km, *known)
        events.append(np.repeat(at, part.events))
        censored.append(part.censored)
        short.append(part.short)
        squares += float(width[inside] @ (part.km - s) ** 2)
        km = float(part.km[-1]) if len(part.km) else km
    error = squares / float(time[-1])
    return _Fit(np.concatenate(events), np.concatenate(censored), error, tuple(short))


def _steps(
    time: FloatArray, survival: FloatArray, table_time: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Keep the clicks that say something: falls, the first in each interval, and the last."""
    kept = np.append(True, np.diff(survival) < 0)
    first = np.searchsorted(time, table_time)
    kept[first[first < len(time)]] = True
    kept[-1] = True
    return time[kept], survival[kept]


def _between(
    time: FloatArray, survival: FloatArray, people: int, left: int, km: float,
    span: tuple[float, float], closed: bool,
) -> _Stretch:  # fmt: skip
    """Share those who leave between two rows of the risk table into events and censorings."""
    leaving, censored = people - left, 0
    while True:
        at = _spread(censored, span, closed)
        part = _events(time, survival, people, km, at, leaving - censored)
        unexplained = leaving - censored - int(part.events.sum())
        if not unexplained:
            return part
        # More censorings never make more events necessary, so this cannot go too far.
        censored += unexplained


def _at_the_end(
    arm: PublishedArm, time: FloatArray, survival: FloatArray, km: float, known: int, seen: int
) -> _Stretch:
    """Share those at risk at the last row of the table; who remains is censored at the end."""
    start, people = float(arm.table_time[-1]), int(arm.table_people[-1])
    end = max(float(arm.time[-1]), start)

    def attempt(censored: int) -> _Stretch:
        for nobody_remains in (False, True):  # then the last censored is the end of the curve
            at = _spread(censored, (start, end), closed=nobody_remains)
            part = _events(time, survival, people, km, at, people - censored)
            remaining = people - censored - int(part.events.sum())
            if remaining:
                break
        return replace(part, censored=np.append(at, np.full(remaining, end)))

    likely = _likely_to_be_censored(arm, known, end)
    if arm.events is None:
        # Not so many that too few are left for the falls of the curve.
        while likely and attempt(likely).short:
            likely -= 1
        return attempt(likely)
    wanted = arm.events - seen
    low, high = 0, people  # the more are censored, the fewer events are needed for the same fall
    while low < high:
        middle = (low + high) // 2
        if attempt(middle).events.sum() > wanted:
            low = middle + 1
        else:
            high = middle
    near = {min(max(low + step, 0), people) for step in (-1, 0)} | {likely}
    best = min(near, key=lambda c: (abs(attempt(c).events.sum() - wanted), abs(c - likely)))
    return attempt(best)


def _likely_to_be_censored(arm: PublishedArm, known: int, end: float) -> int:
    """Count who would be censored after the last row of the table at the rate of before."""
    time, people = arm.table_time, arm.table_people
    lived = float((np.diff(time) * (people[1:] + people[:-1]) / 2).sum())
    if not lived:
        return 0
    return round(int(people[-1]) * -float(np.expm1(-known / lived * (end - time[-1]))))


def _spread(count: int, span: tuple[float, float], closed: bool) -> FloatArray:
    """Spread censorings evenly between two times, the last one at the end if it is closed."""
    start, end = span
    gaps = count if closed else count + 1
    return start + (end - start) * np.arange(1, count + 1) / max(gaps, 1)


def _events(
    time: FloatArray, survival: FloatArray, people: int, km: float, censored: FloatArray, most: int
) -> _Stretch:
    """Find the whole events that keep the curve nearest to the clicks.

    Each click asks for ``n (1 - S / KM)`` events, KM being the curve so far: what was rounded away
    at one click is made up for at the next.
    """
    events, path = np.zeros(len(time), dtype=np.int64), np.full(len(time), km)
    gone = np.searchsorted(censored, time)  # events come before censorings at the same time
    total = short = 0
    for k in range(len(time)):
        at_risk = people - total - int(gone[k])
        if at_risk > 0 and km > 0:
            asked = max(int(np.floor(at_risk * (1 - survival[k] / km) + 0.5)), 0)
            given = min(asked, at_risk, most - total)
            events[k], short = given, max(short, asked - given)
            km *= 1 - given / at_risk
            total += given
        path[k] = km
    return _Stretch(censored, events, path, short)
