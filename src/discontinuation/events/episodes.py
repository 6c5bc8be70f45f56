"""When was a definition met, since when, and when was it over?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from discontinuation.events.definition import Persistence
from discontinuation.events.lookup import (
    SLACK,
    BoolArray,
    FloatArray,
    IntArray,
    last_before,
    last_marked,
    starts_of,
)
from discontinuation.events.rules import Visits


@dataclass(frozen=True, eq=False)
class Stream:
    """The visits of one criterion.

    Attributes
    ----------
    visits
        What its rule says.
    at_risk
        Visits at which it can be met.
    start
        Start of risk that counts at each visit.
    persistence
        How often it must be met.
    waiting
        How many people were taken out of risk because they were as bad when it began.
    """

    visits: Visits
    at_risk: BoolArray
    start: FloatArray
    persistence: Persistence
    waiting: int = 0


@dataclass(frozen=True, eq=False)
class Happenings:
    """What happened to people while they were at risk, sorted by person and day.

    Attributes
    ----------
    person, day
        Who and when.
    row
        Position of the record behind it, or -1.
    reinstated
        When the drug was started again because of it, or NaN.
    left_out
        How often it happened to people who were not at risk.
    """

    person: IntArray
    day: FloatArray
    row: IntArray
    reinstated: FloatArray
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class Detections:
    """When people first met a definition, one entry for each of them.

    Attributes
    ----------
    person, day
        Who, and when it was met.
    source
        Position of the stream, or of the happenings after all streams.
    row
        The visit, or the happening.
    first
        The first of the visits that had to meet it; -1 for a happening.
    """

    person: IntArray
    day: FloatArray
    source: IntArray
    row: IntArray
    first: IntArray

    def only(self, kept: BoolArray) -> Detections:
        """Leave out the other detections."""
        return Detections(
            self.person[kept], self.day[kept], self.source[kept], self.row[kept], self.first[kept]
        )


@dataclass(frozen=True, eq=False)
class Onsets:
    """When worsening began: its day, the last visit before it that was fine, the latest day."""

    day: FloatArray
    earliest: FloatArray
    latest: FloatArray


def add_missed_visits(
    visits: Visits, persistence: Persistence, start: FloatArray, end: FloatArray
) -> Visits:
    """Add the planned visits that people under observation did not keep, undecided.

    Parameters
    ----------
    visits
        The visits that took place.
    persistence
        The planned days and how far from them a visit may be.
    start, end
        Observation of each person; nobody whose observation is unknown misses a visit.
    """
    if not persistence.scheduled_days:
        return visits
    parts = [visits]
    for planned in persistence.scheduled_days:
        low, high = planned - persistence.tolerance_days, planned + persistence.tolerance_days
        kept = (visits.day >= low - SLACK) & (visits.day < np.floor(high) + 1)
        missed = (start <= planned + SLACK) & (end >= planned - SLACK)
        missed[visits.person[kept]] = False
        who = np.flatnonzero(missed)
        day = np.full(len(who), float(planned))
        no = np.zeros(len(who), dtype=bool)
        parts.append(Visits(who, np.floor(day).astype(np.int64), day, no, no))
    joined = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("person", "date", "day", "met", "decided")
    ]
    order = np.lexsort((joined[1], joined[0]))
    return Visits(*(values[order] for values in joined))


def wait_for_recovery(stream: Stream) -> Stream:
    """Take out of risk who was as bad when risk began, until they are seen well."""
    visits = stream.visits
    known = np.flatnonzero(visits.decided)
    person, met, day = visits.person[known], visits.met[known], visits.day[known]
    fresh = starts_of(person)
    before = np.r_[False, met[:-1]]
    run = last_marked(met & (fresh | ~before))
    seen_well = ~fresh[run] & (day[run] > stream.start[known] + SLACK)
    free = np.ones(len(visits.met), dtype=bool)
    free[known] = ~met | seen_well
    waiting = len(np.unique(visits.person[stream.at_risk & ~free]))
    return replace(stream, at_risk=stream.at_risk & free, waiting=waiting)


def first_detections(
    streams: Sequence[Stream], happenings: Sequence[Happenings], after: FloatArray
) -> Detections:
    """Find when each person first meets any criterion.

    Parameters
    ----------
    streams, happenings
        The criteria.
    after
        Of each person: the day after which they can meet it.
    """
    parts = [_met(number, stream, after) for number, stream in enumerate(streams)]
    parts += [
        _happened(len(streams) + number, found, after) for number, found in enumerate(happenings)
    ]
    joined = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("person", "day", "source", "row", "first")
    ]
    # Of several on one day, ratings stand before what happened, as they can tell the onset.
    order = np.lexsort((joined[2], joined[1], joined[0]))
    found = Detections(*(values[order] for values in joined))
    return found.only(starts_of(found.person))


def onsets_of_runs(worse: Visits, person: IntArray, date: IntArray, bound: FloatArray) -> Onsets:
    """Trace worsening back to the first visit of the run it belongs to.

    Parameters
    ----------
    worse
        Whether each visit is one of worsening; only decided visits.
    person, date
        The visits to start from, each of them one of worsening.
    bound
        Of each person: an onset is not sought before this day.
    """
    row = last_before(
        worse.person, worse.date.astype(float), person, date.astype(float), inclusive=True
    )
    fresh = starts_of(worse.person)
    inside = worse.day >= bound[worse.person] - SLACK
    before = np.r_[False, worse.met[:-1] & inside[:-1]]
    begin = last_marked(worse.met & (fresh | ~before))[row]
    day = worse.day[begin]
    return Onsets(day, _last_fine(worse, begin, person), day.copy())


def onsets_of_happenings(worse: Visits, person: IntArray, day: FloatArray) -> Onsets:
    """Bound the onset of what happened: after the last fine visit, at the latest when it did."""
    row = last_before(worse.person, worse.day, person, day, inclusive=False)
    return Onsets(np.full(len(day), np.nan), _last_fine(worse, row, person), day.copy())


def find_recoveries(
    well: Visits, visits: int, person: IntArray, day: FloatArray, end: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Find when people are well again after a day.

    Parameters
    ----------
    well
        Whether people are well at each visit.
    visits
        At how many visits in a row they must be.
    person, day
        Who, and after which day; each person once.
    end
        End of each person's observation, NaN where unknown.

    Returns
    -------
    resolved, confirmed
        First and last of these visits, NaN where there are none.
    """
    after = np.full(len(end), np.inf)
    after[person] = day
    within = ~(well.day > end[well.person] + SLACK)
    stream = Stream(well, within, np.zeros(len(within)), Persistence(visits, visits))
    found = _met(0, stream, after)
    resolved, confirmed = np.full((2, len(end)), np.nan)
    resolved[found.person] = well.day[found.first]
    confirmed[found.person] = found.day
    return resolved[person], confirmed[person]


def _met(number: int, stream: Stream, after: FloatArray) -> Detections:
    """Find the first visit of each person at which a stream has been met often enough."""
    visits = stream.visits
    usable = stream.at_risk & (visits.day > after[visits.person] + SLACK)
    if stream.persistence.missing == "skip":
        usable &= visits.decided
    rows = np.flatnonzero(usable)
    person, day, met = visits.person[rows], visits.day[rows], visits.met[rows]
    find = _lasting if stream.persistence.for_days else _frequent
    last, first = find(person, day, met, stream.persistence)
    once = starts_of(person[last])
    last, first = rows[last[once]], rows[first[once]]
    source = np.full(len(last), number, dtype=np.int64)
    return Detections(visits.person[last], visits.day[last], source, last, first)


def _frequent(
    person: IntArray, day: FloatArray, met: BoolArray, persistence: Persistence
) -> tuple[IntArray, IntArray]:
    """Find the visits at which a rule has been met at enough of the last visits."""
    hits = np.flatnonzero(met)
    count = max(len(hits) - persistence.visits + 1, 0)
    first = hits[:count]
    last = hits[persistence.visits - 1 :][:count]
    near = last - first < persistence.of
    soon = day[last] - day[first] <= persistence.within_days + SLACK
    enough = near & soon & (person[last] == person[first])
    return last[enough], first[enough]


def _lasting(
    person: IntArray, day: FloatArray, met: BoolArray, persistence: Persistence
) -> tuple[IntArray, IntArray]:
    """Find the visits at which a rule has been met without a break for long enough."""
    hits = np.flatnonzero(met)
    run = last_marked(met & (starts_of(person) | ~np.r_[False, met[:-1]]))[hits]
    since = day[hits] - persistence.for_days + SLACK
    long_ago = last_before(person, day, person[hits], since, inclusive=True)
    first = np.minimum(long_ago, hits - persistence.visits + 1)
    enough = (long_ago >= 0) & (first >= run)
    soon = day[hits] - day[np.maximum(first, 0)] <= persistence.within_days + SLACK
    return hits[enough & soon], first[enough & soon]


def _happened(number: int, happenings: Happenings, after: FloatArray) -> Detections:
    rows = np.flatnonzero(happenings.day > after[happenings.person] + SLACK)
    rows = rows[starts_of(happenings.person[rows])]
    none = np.full(len(rows), -1, dtype=np.int64)
    source = np.full(len(rows), number, dtype=np.int64)
    return Detections(happenings.person[rows], happenings.day[rows], source, rows, none)


def _last_fine(worse: Visits, row: IntArray, person: IntArray) -> FloatArray:
    """Give the day of the last visit up to a row that is not one of worsening."""
    fine = np.full(len(row), np.nan)
    known = np.flatnonzero(row >= 0)
    before = last_marked(~worse.met)[row[known]]
    same = (before >= 0) & (worse.person[before] == person[known])
    fine[known[same]] = worse.day[before[same]]
    return fine
