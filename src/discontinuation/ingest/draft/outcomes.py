"""How long was each person observed, and who got worse?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from discontinuation.ingest.draft.columns import Column, plain
from discontinuation.ingest.draft.guess import Block, Guess, Remark
from discontinuation.ingest.draft.meanings import end_reason_guess, event_values
from discontinuation.ingest.draft.people import (
    People,
    one_row_each,
    person_columns,
    start_block,
)
from discontinuation.ingest.draft.source import Source
from discontinuation.ingest.draft.timing import Timing, moment_of
from discontinuation.ingest.draft.vocabulary import simplify

REPORTED = {"constant": "reported"}
# Indicator (None where a date alone tells it), the values that mean the event, its time, and why.
Event = tuple[Column | None, list[Any], Timing, str]


def draft_follow_up(sources: Sequence[Source], people: People) -> list[Block]:
    """Draft the follow-up from a column with its end, or from the time to an event."""
    ends = [(source, end) for source in sources if (end := _end_column(source)) is not None]
    if ends:
        source, end = max(ends, key=lambda pair: _coverage(pair[0], people))
        return [_declared_end(source, end, people)]
    events = [(source, event) for source in sources if (event := _event(source)) and event[0]]
    if events:
        source, event = max(events, key=lambda pair: _coverage(pair[0], people))
        return [_until_event(source, event, people)]
    return []


def follow_to_last_record(tables: Sequence[str]) -> list[Block]:
    """Follow each person to the last record, where no column says how long that was."""
    observed = [name for name in ("assessments", "doses", "deteriorations") if name in tables]
    if not observed:
        return []
    said = "no column says how long people were observed: until their last record"
    why = Guess({"constant": "unknown"}, "no column says why observation ended")
    return [{Remark(said): None, "observed": observed, "columns": {"end_reason": why}}]


def draft_deteriorations(source: Source, people: People) -> list[Block]:
    """Draft reported deteriorations: an indicator with its time, or a date of the event."""
    event = _event(source)
    if event is None:
        return []
    indicator, values, time, said = event
    block = start_block(source, people)
    name = re.sub(r"_?(date|day|time|dt)$", "", simplify((indicator or time.column).name))
    if indicator is not None:
        block["where"] = {indicator.name: [plain(value) for value in values]}
        reason = f"{time.reason}; {indicator.quoted()}: {said}"
    else:
        block["where"] = {time.column.name: {"present": True}}
        reason = f"{time.reason}; a blank one means that the event did not happen"
    block["columns"] = {
        **person_columns(source),
        "episode": {"constant": 1},
        "definition": {"constant": name if name not in ("status", "event") else "reported_event"},
        "detected": Guess(time.spec, reason, time.column.examples),
        "source": REPORTED,
    }
    return [block]


def _coverage(source: Source, people: People) -> tuple[int, bool]:
    """Count the people of whom a file tells, and prefer one row for each."""
    known = people.known & set(source.person.texts) if source.person else people.known
    return len(known), source.one_row_each


def _event(source: Source) -> Event | None:
    """Find an indicator of an event and its time, or a date that is blank without the event."""

    def can_be(column: Column) -> bool:
        return column.kind in ("numbers", "dates")

    time = source.best("event_time", can_be)
    for indicator in source.all_of("event", lambda column: bool(event_values(column)[0])):
        values, said = event_values(indicator)
        column = time or (source.best("end", can_be) or source.best("day", can_be))
        timing = moment_of(source, column) if column is not None else None
        if timing is not None and (source.one_row_each or time is not None):
            return indicator, values, timing, said
    if time is not None and time.filled.mean() < 1:
        timing = moment_of(source, time)
        return (None, [], timing, "") if timing else None
    return None


def _end_column(source: Source) -> Column | None:
    return source.best(
        "end",
        lambda column: (
            column.kind in ("numbers", "dates")
            and (source.one_row_each or source.same_within_person(column))
        ),
    )


def _declared_end(source: Source, end: Column, people: People) -> Block:
    timing = moment_of(source, end)
    assert timing is not None
    block = start_block(source, people)
    reason = source.best("end_reason", lambda column: column.kind != "dates")
    block |= one_row_each(source, [end, *([reason] if reason else [])]) if source.person else {}
    block["columns"] = {
        **person_columns(source),
        "start": {"constant": 0},
        "end": timing.guess(),
        "end_reason": _end_reason(source, reason),
    }
    return block


def _end_reason(source: Source, reason: Column | None) -> Guess | Block:
    if reason is not None:
        return end_reason_guess(reason, reason.content_texts)
    event = _event(source)
    if event is not None and event[0] is not None:
        return _reason_of_event(event[0], event[1], event[3])
    return Guess({"constant": "unknown"}, "no column says why observation ended")


def _reason_of_event(indicator: Column, values: list[Any], said: str) -> Guess:
    recode = {
        plain(value): "event" if value in values else "administrative"
        for value in indicator.codes[1]
        if plain(value) not in indicator.missing
    }
    reason = f"{indicator.quoted()}: {said}; the others are taken to end by plan"
    return Guess({"column": indicator.name, "recode": recode}, reason, indicator.examples)


def _until_event(source: Source, event: Event, people: People) -> Block:
    indicator, values, time, said = event
    assert indicator is not None
    reason = f"{time.reason}; without the event it is the end of observation"
    return start_block(source, people) | {
        "columns": person_columns(source)
        | {
            "start": {"constant": 0},
            "end": Guess(time.spec, reason, time.column.examples),
            "end_reason": _reason_of_event(indicator, values, said),
        },
    }
