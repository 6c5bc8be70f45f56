"""What do the records say about one definition?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discontinuation.events.definition import (
    Combination,
    Definition,
    Ended,
    Happening,
    RatingRule,
    Reinstatement,
    Reported,
    Score,
)
from discontinuation.events.dosing import reinstatements
from discontinuation.events.episodes import (
    Happenings,
    Stream,
    add_missed_visits,
    wait_for_recovery,
)
from discontinuation.events.lookup import SLACK, BoolArray, FloatArray
from discontinuation.events.records import Records
from discontinuation.events.risk import is_at_risk, risk_start
from discontinuation.events.rules import Visits, combine_visits, find_visits


@dataclass(frozen=True, eq=False)
class Evidence:
    """One definition beside what the records say about it.

    Attributes
    ----------
    definition
        The definition.
    streams, happenings
        Its criteria, those about ratings and those about what happened.
    worse
        Whether each decided visit is one of worsening, by any criterion or the lower threshold.
    well
        Whether people are well at each visit; None if the end of an episode is not sought.
    core
        Whether the core subscale is at or above its cut; None if there is no cut.
    """

    definition: Definition
    streams: list[Stream]
    happenings: list[Happenings]
    worse: Visits
    well: Visits | None
    core: Visits | None


def rules_of(definition: Definition) -> list[RatingRule | Happening]:
    """List every rule of a definition."""
    rules = [criterion.rule for criterion in definition.criteria]
    recovery = definition.recovery.rule if definition.recovery else None
    return rules + [r for r in (definition.onset, definition.core, recovery) if r is not None]


def gather_evidence(definition: Definition, records: Records) -> Evidence:
    """Evaluate everything that a definition looks at."""
    risk, onset, core = definition.risk, definition.onset, definition.core
    visits = [find_visits(rule, records, risk) for rule, _ in definition.ratings]
    signs = visits + ([find_visits(onset, records, risk)] if onset else [])
    worse = combine_visits("any", signs) if signs else _no_visits()
    return Evidence(
        definition=definition,
        streams=[
            _stream(definition, number, found, records) for number, found in enumerate(visits)
        ],
        happenings=[
            _happenings(criterion.rule, definition, records)
            for criterion in definition.criteria
            if not isinstance(criterion.rule, Score | Combination)
        ],
        worse=worse.only(worse.decided),
        well=_well(definition, visits, records),
        core=find_visits(core, records, risk) if core else None,
    )


def count_decided(evidence: Evidence, records: Records) -> tuple[BoolArray, FloatArray]:
    """Find the people of whom every part of a definition could be told.

    Returns
    -------
    able, visits
        Of each person: whether so, and at how many visits every part about ratings was decided;
        infinite if no part is about ratings.
    """
    visits = np.full(len(records.people), np.inf)
    able = np.ones(len(records.people), dtype=bool)
    for stream in evidence.streams:
        visits = np.minimum(visits, _decided(stream, records))
    for criterion in evidence.definition.criteria:
        if not isinstance(criterion.rule, Score | Combination):
            able &= _is_recorded(criterion.rule, records)
    return able & (visits > 0), visits


def _stream(definition: Definition, number: int, visits: Visits, records: Records) -> Stream:
    _, persistence = definition.ratings[number]
    visits = add_missed_visits(visits, persistence, records.start, records.end)
    start = risk_start(definition.risk, records, visits.person, visits.day)
    at_risk = is_at_risk(definition.risk, start, visits.day)
    # Ratings before the observation tell the baseline and the onset, but nothing is met there.
    at_risk &= ~(visits.day < records.start[visits.person] - SLACK)
    stream = Stream(visits, at_risk, start, persistence)
    return wait_for_recovery(stream) if definition.wait_if_met else stream


def _well(definition: Definition, visits: list[Visits], records: Records) -> Visits | None:
    """Say at which visits people are well, if that ends an episode."""
    if definition.recovery is None:
        return None
    if definition.recovery.rule is not None:
        return find_visits(definition.recovery.rule, records, definition.risk, worse=False)
    worse = combine_visits("any", visits)
    return Visits(worse.person, worse.date, worse.day, worse.decided & ~worse.met, worse.decided)


def _happenings(rule: Happening, definition: Definition, records: Records) -> Happenings:
    """Find what happened to people while they were at risk."""
    found = _recorded(rule, records)
    start = risk_start(definition.risk, records, found.person, found.day)
    kept = is_at_risk(definition.risk, start, found.day)
    kept &= ~(found.day < records.start[found.person] - SLACK)
    return Happenings(
        found.person[kept],
        found.day[kept],
        found.row[kept],
        found.reinstated[kept],
        left_out=int((~kept).sum()),
    )


def _recorded(rule: Happening, records: Records) -> Happenings:
    if isinstance(rule, Reported):
        rows = np.flatnonzero(records.reported["definition"] == rule.definition)
        table = records.reported.iloc[rows]
        day = table["detected"].to_numpy(dtype=np.float64)
        reinstated = table["reinstated"].to_numpy(dtype=np.float64)
        return Happenings(table["who"].to_numpy(dtype=np.int64), day, rows, reinstated)
    if isinstance(rule, Ended):
        person = np.flatnonzero(records.end_reason.isin(rule.reasons))
        day = records.end[person]
        restarted = records.end_reason.iloc[person] == "reinstated"
        reinstated = np.where(restarted, day, np.nan)
    else:
        person, day = reinstatements(records.doses, rule.drug, restart_only=rule.restart_only)
        reinstated = day
    return Happenings(person, day, np.full(len(day), -1, dtype=np.int64), reinstated)


def _decided(stream: Stream, records: Records) -> FloatArray:
    """Count each person's visits at risk at which a criterion could be decided."""
    visits = stream.visits
    kept = stream.at_risk & visits.decided
    kept &= ~(visits.day > records.end[visits.person] + SLACK)
    return np.bincount(visits.person[kept], minlength=len(records.people)).astype(np.float64)


def _is_recorded(rule: Happening, records: Records) -> BoolArray:
    """Mark the people of whom the records would tell if it had happened."""
    if isinstance(rule, Reported):
        present = bool((records.reported["definition"] == rule.definition).any())
        return np.full(len(records.people), present)
    if isinstance(rule, Reinstatement):
        people = np.zeros(len(records.people), dtype=bool)
        people[records.doses.person[records.doses.of(rule.drug)]] = True
        return people
    return records.end_reason.notna().to_numpy(dtype=bool)


def _no_visits() -> Visits:
    nobody, never = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    return Visits(nobody, nobody, np.zeros(0), never, never)
