"""From which day does a dataset count time?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from discontinuation.ingest.draft.guess import Block, Guess, Remark
from discontinuation.ingest.draft.people import People, one_row_each
from discontinuation.ingest.draft.source import Source
from discontinuation.ingest.draft.timing import Timing, moment_of, row_timing, runs_with_time

PREFERRED = ("RFSTDTC", "TRTSDT", "RFXSTDTC")


def draft_time(sources: Sequence[Source], people: People, needs_date: bool) -> Block:
    """Draft the origin of time.

    Parameters
    ----------
    sources
        The files.
    people
        Who is listed, and where.
    needs_date
        Whether any point in time is a calendar date, which needs an origin to count from.
    """
    found = _origin_column(sources)
    if not needs_date:
        said = "the files count time themselves; say in words what their day 0 is"
        reference = found is not None and found[1].column.name in PREFERRED
        words = found[1].column.quoted() if found and reference else None
        return {Remark(said): None, "origin": words, **_other_day(people)}
    if found is not None:
        source, timing = found
        return _of_column(source, timing)
    return _of_first_row(sources)


def _other_day(people: People) -> Block:
    """Point to a day in the file of the arms, which may be that of the randomisation."""
    source = people.source
    timing = row_timing(source) if source is not None else None
    if source is None or source.person is None or timing is None:
        return {}
    # A file of visits has many rows for each person; one of randomisations has one or two.
    if list(timing.spec) != ["day"] or source.length > 2 * source.person_count:
        return {}
    said = (
        f"{source.key} has a day of its own. If that is to be day 0: file: {source.key}, "
        f"person: {source.person.name}, day: {timing.column.name}"
    )
    return {Remark(said): None}


def _origin_column(sources: Sequence[Source]) -> tuple[Source, Timing] | None:
    """Find a date of randomisation, baseline or first dose, in a file of one row each first."""
    for source in sorted(sources, key=lambda source: not source.one_row_each):
        if source.person is None:
            continue
        columns = [c for name in PREFERRED if (c := source.named(name)) is not None]
        columns += source.all_of("origin", lambda column: column.kind in ("dates", "numbers"))
        for column in columns:
            timing = moment_of(source, column)
            if timing is not None and timing.by_date and source.same_within_person(column):
                return source, timing
    return None


def _of_column(source: Source, timing: Timing) -> Block:
    assert source.person is not None
    block: Block = {
        "origin": timing.column.label or timing.column.name,
        "file": source.key,
        "person": source.person.name,
        "date": Guess(timing.spec, f"{timing.reason}: the origin?", timing.column.examples),
    }
    if not source.one_row_each:
        # `combine` is no part of the origin: take any row, since all of a person say the same.
        rule = {k: v for k, v in one_row_each(source, []).items() if k != "combine"}
        block |= rule
    return block


def _of_first_row(sources: Sequence[Source]) -> Block:
    """Count from the first date of each person."""
    timed = [(s, t) for s in sources if (t := row_timing(s)) is not None and t.by_date]
    if not timed:
        said = "write the date of each person's origin: file, person and date"
        return {Remark(said): None, "origin": None}
    source, timing = max(timed, key=lambda pair: pair[0].person_count)
    spec = {k: v for k, v in timing.spec.items() if k in ("order", "century", "partial")}
    if source.person is None:
        said = f"the first date of {source.key}"
        if "order" not in spec:
            why = f"write constant: and {said}, with its order; {timing.reason}"
            return {"origin": said, "date": Guess({}, why, timing.column.examples)}
        first = np.nanmin(timing.days)
        day = str((np.datetime64("1970-01-01") + int(first)).astype("datetime64[D]"))
        guess = Guess({"constant": day, "order": "iso"}, said, timing.column.examples)
        return {"origin": said, "date": guess}
    block: Block = {
        Remark("no date of randomisation or baseline: the first date of each person"): None,
        "origin": f"first date in {source.key}",
        "file": source.key,
        "person": source.person.name,
        "date": Guess(timing.spec, timing.reason, timing.column.examples),
    }
    by = runs_with_time(source, timing)
    if by is None:
        why = f"{timing.reason}; no column sorts a person's rows by it: see one_per"
        return block | {"date": Guess({}, why, timing.column.examples)}
    return block | {"one_per": {"columns": [source.person.name], "by": by, "take": "first"}}
