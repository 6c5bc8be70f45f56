"""When did each person deteriorate, by each of the declared definitions?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from discontinuation.events.declared import definitions_from
from discontinuation.events.definition import Definition, instruments_of
from discontinuation.events.episodes import (
    Detections,
    Onsets,
    find_recoveries,
    first_detections,
    onsets_of_happenings,
    onsets_of_runs,
)
from discontinuation.events.evidence import (
    Evidence,
    count_decided,
    gather_evidence,
    rules_of,
)
from discontinuation.events.lookup import SLACK, FloatArray, IntArray, last_before
from discontinuation.events.notes import (
    Note,
    notes_frame,
    notes_on_definition,
    notes_on_evidence,
    notes_on_late,
    notes_on_records,
)
from discontinuation.events.records import (
    Records,
    arrange_records,
    column_types,
    empty_table,
    stack_tables,
)
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.tables.instruments import Instrument

ASSESSED = {"definition": "object", "person": "object", "assessed": "boolean", "visits": "Int64"}
# What the record behind an episode may say better than the ratings.
FROM_RECORD = ["onset", "onset_earliest", "onset_latest", "reinstated", "resolved"]


@dataclass(frozen=True, eq=False)
class DerivedEvents:
    """What the definitions found.

    Attributes
    ----------
    deteriorations
        The canonical table, one row per person, definition and episode, in the order of the
        definitions.
    notes
        What could not be told, was not counted, or needs a second look: `definition` and `person`
        (blank where it is about all), `note`, and `count`, how often.
    assessed
        One row per definition and person: `assessed`, whether the definition can say yes or no
        (otherwise the answer is unknown, never a no), and `visits`, at how many visits every part
        about ratings was decided (blank if there is no such part).
    """

    deteriorations: pd.DataFrame
    notes: pd.DataFrame
    assessed: pd.DataFrame


def derive_deteriorations(
    definitions: Sequence[Definition] | Sequence[Mapping[str, object]],
    tables: Mapping[str, pd.DataFrame],
    instruments: Mapping[str, Instrument],
) -> DerivedEvents:
    """Find when each person deteriorated, by several definitions side by side.

    Parameters
    ----------
    definitions
        From `definitions_from`, or as they are written in YAML.
    tables
        The canonical tables `people`, `doses`, `assessments`, `follow_up` and `deteriorations`
        (as recorded), by name. `people` must be there; what else no definition looks at may be
        missing.
    instruments
        The instruments that the dataset declares.

    Returns
    -------
    DerivedEvents
        Detection is the visit at which a definition is met, or the day of what happened. Onset is
        the first visit of the run of worsening that led to it; it lies after `onset_earliest`, the
        last visit before that was fine (blank if there is none: it may have begun any time
        before). What happened without a run of ratings has no onset, only its bounds. Nothing
        outside the follow-up is counted, and the notes say so.

    Raises
    ------
    InvalidInput
        With every problem of the definitions, and every identifier that the recorded
        deteriorations use already.
    """
    known = _as_definitions(definitions, instruments)
    needed = {name for one in known for rule in rules_of(one) for name in instruments_of(rule)}
    _refuse_unknown(needed, instruments, tables["people"])
    records = arrange_records(tables, instruments, needed)
    _refuse_taken_names(known, records)
    notes = notes_on_records(records)
    events = [empty_table(column_types("deteriorations"))]
    assessed = [empty_table(ASSESSED)]
    for definition in known:
        evidence = gather_evidence(definition, records)
        episodes, said = _find_episodes(evidence, records)
        people = _assessed(evidence, records, episodes)
        events.append(episodes)
        assessed.append(people)
        unknown = int((~people["assessed"]).sum())
        notes += [*notes_on_definition(definition, records)]
        notes += [*said, *notes_on_evidence(evidence, unknown)]
    return DerivedEvents(
        deteriorations=stack_tables(events),
        notes=notes_frame(notes),
        assessed=stack_tables(assessed),
    )


def _as_definitions(
    definitions: Sequence[Definition] | Sequence[Mapping[str, object]],
    instruments: Mapping[str, Instrument],
) -> list[Definition]:
    if all(isinstance(definition, Definition) for definition in definitions):
        return list(cast("Sequence[Definition]", definitions))
    return definitions_from(cast("Sequence[Mapping[str, object]]", definitions), instruments)


def _refuse_unknown(
    needed: set[str], instruments: Mapping[str, Instrument], people: pd.DataFrame
) -> None:
    problems = [
        Problem(
            "definitions",
            f"there is no such instrument; {allowed_values(list(instruments), name)}",
            value=name,
        )
        for name in sorted(needed - set(instruments))
    ]
    twice = sorted(set(people.loc[people["person"].duplicated(), "person"]))
    problems += [Problem("people", "stands there more than once", value=name) for name in twice]
    refuse(problems)


def _refuse_taken_names(definitions: Sequence[Definition], records: Records) -> None:
    taken = set(records.reported["definition"])
    message = "is the name of a recorded deterioration already; allowed: another identifier"
    refuse(
        Problem("definitions", message, column="id", value=definition.id)
        for definition in definitions
        if definition.id in taken
    )


def _find_episodes(evidence: Evidence, records: Records) -> tuple[pd.DataFrame, list[Note]]:
    """Find the first episode of each person, and further ones if they are sought."""
    after = np.full(len(records.people), -np.inf)
    since = np.where(np.isnan(records.start), -np.inf, records.start)
    episodes: list[pd.DataFrame] = []
    notes: list[Note] = []
    while True:
        found = first_detections(evidence.streams, evidence.happenings, after)
        late = found.day > records.end[found.person] + SLACK
        notes += notes_on_late(found.only(late), evidence.definition, records)
        found = found.only(~late)
        episode, confirmed = _episode(evidence, records, found, since, len(episodes) + 1)
        episodes.append(episode)
        over = ~np.isnan(confirmed)
        if not evidence.definition.repeated or not over.any():
            break
        after[:] = np.inf
        after[found.person[over]] = confirmed[over]
        since[found.person[over]] = episode["resolved"].to_numpy()[over]
    table = stack_tables(episodes)
    return table.sort_values(["person", "episode"], ignore_index=True), notes


def _episode(
    evidence: Evidence, records: Records, found: Detections, since: FloatArray, number: int
) -> tuple[pd.DataFrame, FloatArray]:
    """Describe one episode of each person who has it, and say when its end was confirmed."""
    onsets = _onsets(evidence, found, since)
    recorded, reinstated = _behind(evidence, found)
    resolved, confirmed = _recoveries(evidence, records, found)
    sought = evidence.well is not None
    episode = pd.DataFrame(
        {
            "person": records.people[found.person],
            "episode": number,
            "definition": evidence.definition.id,
            "onset": onsets.day,
            "onset_earliest": onsets.earliest,
            "onset_latest": onsets.latest,
            "detected": found.day,
            "reinstated": reinstated,
            "resolved": resolved,
            "resolution_censored": pd.array(
                np.isnan(resolved) if sought else [None] * len(resolved), dtype="boolean"
            ),
            "adjudicated": None,
            "overlap_only": pd.array(_overlap_only(evidence, found), dtype="boolean"),
            "source": "derived",
        }
    ).astype(column_types("deteriorations"))
    return _with_record(episode, recorded, records, confirmed)


def _onsets(evidence: Evidence, found: Detections, since: FloatArray) -> Onsets:
    rated = found.first >= 0
    date = np.zeros(len(found.day), dtype=np.int64)
    for number, stream in enumerate(evidence.streams):
        rows = found.source == number
        date[rows] = stream.visits.date[found.first[rows]]
    runs = onsets_of_runs(evidence.worse, found.person[rated], date[rated], since)
    other = onsets_of_happenings(evidence.worse, found.person[~rated], found.day[~rated])
    day, earliest, latest = (np.full(len(found.day), np.nan) for _ in range(3))
    # A day's visit is timed by its last rating, which another instrument may make later.
    day[rated] = latest[rated] = np.minimum(runs.day, found.day[rated])
    earliest[rated] = runs.earliest
    earliest[~rated], latest[~rated] = other.earliest, other.latest
    return Onsets(day, earliest, latest)


def _behind(evidence: Evidence, found: Detections) -> tuple[IntArray, FloatArray]:
    """Find the record behind each detection (-1: none), and the day of reinstatement."""
    recorded = np.full(len(found.day), -1, dtype=np.int64)
    reinstated = np.full(len(found.day), np.nan)
    for number, happenings in enumerate(evidence.happenings, len(evidence.streams)):
        rows = found.source == number
        recorded[rows] = happenings.row[found.row[rows]]
        reinstated[rows] = happenings.reinstated[found.row[rows]]
    return recorded, reinstated


def _recoveries(
    evidence: Evidence, records: Records, found: Detections
) -> tuple[FloatArray, FloatArray]:
    recovery = evidence.definition.recovery
    if evidence.well is None or recovery is None:
        nothing = np.full(len(found.day), np.nan)
        return nothing, nothing.copy()
    return find_recoveries(evidence.well, recovery.visits, found.person, found.day, records.end)


def _overlap_only(evidence: Evidence, found: Detections) -> np.ndarray:
    """Say where the core subscale stayed below its cut at the visit of detection."""
    verdict = np.full(len(found.day), None, dtype=object)
    core, rule = evidence.core, evidence.definition.core
    if core is None or rule is None:
        return verdict
    for number, (criterion, _) in enumerate(evidence.definition.ratings):
        if rule.instrument not in instruments_of(criterion):
            continue
        rows = np.flatnonzero(found.source == number)
        date = evidence.streams[number].visits.date[found.row[rows]]
        row = last_before(
            core.person,
            core.date.astype(float),
            found.person[rows],
            date.astype(float),
            inclusive=True,
        )
        known = (row >= 0) & (core.date[row] == date) & core.decided[row]
        verdict[rows[known]] = ~core.met[row[known]]
    return verdict


def _with_record(
    episode: pd.DataFrame, recorded: IntArray, records: Records, confirmed: FloatArray
) -> tuple[pd.DataFrame, FloatArray]:
    """Keep what the record behind an episode says, where it says something."""
    rows = np.flatnonzero(recorded >= 0)
    if not len(rows):
        return episode, confirmed
    record = records.reported.iloc[recorded[rows]].set_axis(rows)
    for name in [*FROM_RECORD, "adjudicated"]:
        said = record[name].dropna()
        episode.loc[said.index, name] = said
    ended = record["resolved"].dropna()
    confirmed[ended.index] = ended
    episode.loc[ended.index, "resolution_censored"] = False
    censored = record["resolution_censored"].dropna()
    episode.loc[censored.index, "resolution_censored"] = censored
    return episode, confirmed


def _assessed(evidence: Evidence, records: Records, episodes: pd.DataFrame) -> pd.DataFrame:
    """Say of whom a definition can say yes or no."""
    able, visits = count_decided(evidence, records)
    people = pd.DataFrame(
        {
            "definition": evidence.definition.id,
            "person": records.people,
            "assessed": able | records.people.isin(episodes["person"]),
            "visits": np.where(np.isinf(visits), np.nan, visits),
        }
    ).astype(ASSESSED)
    return people.sort_values("person", ignore_index=True)
