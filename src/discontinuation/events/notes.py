"""What should a reader know who counts these events?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from discontinuation.events.definition import (
    Combination,
    Definition,
    Ended,
    RatingRule,
    Reported,
    Score,
)
from discontinuation.events.episodes import Detections
from discontinuation.events.evidence import Evidence
from discontinuation.events.lookup import SLACK, FloatArray, starts_of
from discontinuation.events.records import Records
from discontinuation.events.rules import baseline_of
from discontinuation.events.scores import Ratings, disagreements, is_prorated, score_of
from discontinuation.problems import allowed_values

Note = tuple[str | None, str | None, str, int]


def notes_frame(notes: Sequence[Note]) -> pd.DataFrame:
    """Put notes into a table: definition, person (None: about all), note, count."""
    columns = ["definition", "person", "note"]
    table = pd.DataFrame([*notes], columns=[*columns, "count"])
    return table.astype({**dict.fromkeys(columns, "object"), "count": "Int64"})


def notes_on_records(records: Records) -> list[Note]:
    """Say what is odd about the records, whatever the definition."""
    notes: list[Note] = [
        (None, None, f"rows of {table} about nobody among the people: not used", count)
        for table, count in records.strangers.items()
    ]
    unseen = int(np.isnan(records.end).sum())
    if unseen:
        text = "people without a follow-up: nothing is cut off at its end"
        notes.append((None, None, text, unseen))
    odd = records.doses.not_comparable()
    if odd:
        text = "doses whose unit cannot be compared with that of the dose before: no change seen"
        notes.append((None, None, text, odd))
    for ratings in records.ratings.values():
        notes += _notes_on_ratings(ratings, records)
    return notes


def notes_on_definition(definition: Definition, records: Records) -> list[Note]:
    """Say what one definition could not see."""
    notes: list[Note] = []
    for score in dict.fromkeys(_scores(definition)):
        for name in score.names:
            notes += _notes_on_score(definition, score, name, records)
    for criterion in definition.criteria:
        if isinstance(criterion.rule, Reported):
            notes += _notes_on_reported(definition, criterion.rule, records)
        if isinstance(criterion.rule, Ended) and records.end_reason.isna().all():
            text = "nothing is recorded about why observation ended"
            notes.append((definition.id, None, text, len(records.people)))
    return notes


def notes_on_late(found: Detections, definition: Definition, records: Records) -> list[Note]:
    """Name everybody who met a definition after the end of their follow-up."""
    ends = records.end[found.person]
    return [
        (
            definition.id,
            records.people[int(person)],
            f"met on day {day:g}, after the end of follow-up on day {end:g}: not counted",
            1,
        )
        for person, day, end in zip(found.person, found.day, ends, strict=True)
    ]


def notes_on_evidence(evidence: Evidence, unknown: int) -> list[Note]:
    """Say how much of a definition could not be decided or does not count.

    Parameters
    ----------
    evidence
        The definition and what the records say about it.
    unknown
        The number of people of whom it can say neither yes nor no.
    """
    said = [("people of whom it can say neither yes nor no", unknown)]
    for number, stream in enumerate(evidence.streams, 1):
        visits = stream.visits
        open_visits = int((stream.at_risk & ~visits.decided).sum())
        how = {"skip": "passed over", "not_met": "counted as not met"}[stream.persistence.missing]
        said.append((f"visits at which rule {number} on ratings is undecided: {how}", open_visits))
        before = visits.met & (visits.day <= stream.start + SLACK)
        text = f"people who meet rule {number} on ratings before they are at risk: not counted then"
        said.append((text, len(np.unique(visits.person[before]))))
        text = f"people who meet rule {number} on ratings already when risk begins: to be seen well"
        said.append((f"{text} first", stream.waiting))
    for number, happenings in enumerate(evidence.happenings, 1):
        text = f"events of rule {number} on events before observation or risk begins, or after risk"
        said.append((f"{text} ends: not counted", happenings.left_out))
    return [(evidence.definition.id, None, text, count) for text, count in said if count]


def _notes_on_ratings(ratings: Ratings, records: Records) -> list[Note]:
    instrument = ratings.instrument.name
    notes: list[Note] = []
    if ratings.repeated:
        text = f"{instrument}: answers given twice at the same moment; the worst counts"
        notes.append((None, None, text, ratings.repeated))
    date = np.floor(ratings.day + SLACK).astype(np.int64)
    same_day = int((~starts_of(ratings.person, date)).sum())
    if same_day:
        text = f"{instrument}: further ratings on the same day; the worst of the day counts"
        notes.append((None, None, text, same_day))
    apart = np.bincount(ratings.person[disagreements(ratings)], minlength=len(records.people))
    text = f"{instrument}: the given total is not what its items add up to; the given one is used"
    notes += [
        (None, records.people[int(person)], text, int(apart[person]))
        for person in np.flatnonzero(apart)
    ]
    return notes


def _scores(definition: Definition) -> Iterator[Score]:
    rules: list[RatingRule | None] = [rule for rule, _ in definition.ratings]
    rules += [definition.onset, definition.core]
    rules += [definition.recovery.rule if definition.recovery else None]
    for rule in rules:
        if rule is not None:
            yield from _leaves(rule)


def _leaves(rule: RatingRule) -> Iterator[Score]:
    if isinstance(rule, Combination):
        for part in rule.rules:
            yield from _leaves(part)
    else:
        yield rule


def _notes_on_score(definition: Definition, rule: Score, name: str, records: Records) -> list[Note]:
    ratings = records.ratings[rule.instrument]
    what = f"{rule.instrument} {name}"
    if not len(ratings.person):
        text = f"{rule.instrument} was never rated: what rests on it cannot be decided"
        return [(definition.id, None, text, len(records.people))]
    score = score_of(ratings, name, rule.least_share)
    notes: list[Note] = []
    blank = int(np.isnan(score).sum())
    if blank:
        text = f"ratings without {what} (answers are missing): not assessable, never a no"
        notes.append((definition.id, None, text, blank))
    prorated = int(is_prorated(ratings, name, rule.least_share).sum())
    if prorated:
        text = f"ratings at which {what} is prorated from the answered items"
        notes.append((definition.id, None, text, prorated))
    if rule.change is not None:
        notes += _notes_on_baseline(definition, rule, name, score, records)
    return notes


def _notes_on_baseline(
    definition: Definition, rule: Score, name: str, score: FloatArray, records: Records
) -> list[Note]:
    ratings = records.ratings[rule.instrument]
    baseline = baseline_of(rule, name, score, records, definition.risk)
    rated = ~np.isnan(score)
    notes: list[Note] = []
    without = len(set(ratings.person[rated]) - set(ratings.person[rated & ~np.isnan(baseline)]))
    if without:
        text = f"people without a baseline of {rule.instrument} {name}: a change is not assessable"
        notes.append((definition.id, None, text, without))
    if rule.change == "percent":
        floor = rule.floor if rule.floor is not None else ratings.instrument.best(name)
        sign = 1 if ratings.instrument.higher_is_worse else -1
        healthy = sign * (baseline - (np.nan if floor is None else floor)) <= SLACK
        count = len(np.unique(ratings.person[rated & healthy]))
        if count:
            text = (
                f"people whose baseline of {rule.instrument} {name} is in perfect health: "
                "a percentage of it does not exist"
            )
            notes.append((definition.id, None, text, count))
    return notes


def _notes_on_reported(definition: Definition, rule: Reported, records: Records) -> list[Note]:
    known = sorted(set(records.reported["definition"]))
    if rule.definition in known:
        return []
    others = allowed_values(known, rule.definition) if known else "nothing is recorded"
    text = f"no deterioration is recorded as {rule.definition!r}; {others}"
    return [(definition.id, None, text, len(records.people))]
