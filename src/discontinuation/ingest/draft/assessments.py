"""Which scales and diaries were filled in, when, and with which answers?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from discontinuation.ingest.draft.columns import Column
from discontinuation.ingest.draft.families import Family, find_families
from discontinuation.ingest.draft.guess import Block, Guess, Remark
from discontinuation.ingest.draft.instruments import Scales, instrument_text, value_guess
from discontinuation.ingest.draft.long_tables import draft_long_table
from discontinuation.ingest.draft.people import People, blank_rows, person_columns, start_block
from discontinuation.ingest.draft.scale_names import Parsed, instrument_key, moment_days
from discontinuation.ingest.draft.source import Source, unique_rows
from discontinuation.ingest.draft.timing import Timing, row_timing
from discontinuation.ingest.draft.vocabulary import simplify
from discontinuation.tables.instruments import TOTAL, Instrument

# Numbers that count rows, visits or places and are no scores.
A_NUMBER = re.compile(r"(seq|num|nr|no|number|id|index|row|count|visit|phase|site|code)$")


def draft_assessments(
    source: Source,
    people: People,
    reference: Mapping[str, Instrument],
    used: Collection[str],
) -> Scales:
    """Draft the assessments of a file.

    Parameters
    ----------
    source
        The file.
    people
        Who is listed.
    reference
        The instruments of data/reference/instruments.yaml.
    used
        Columns that mean something else already.
    """
    timing = row_timing(source)
    long = draft_long_table(source, people, reference, timing)
    if long.blocks:
        return long
    scales = Scales()
    for family in find_families(source, reference):
        kept = {n: p for n, p in family.members.items() if n not in used}
        if kept and (timing is None or timing.column.name not in kept):
            family.members = kept
            scales.add(_family(source, people, family, timing))
    if not scales.blocks and timing is not None and not source.one_row_each:
        scales.add(_lonely_score(source, people, timing, used))
    return scales


def _family(source: Source, people: People, family: Family, timing: Timing | None) -> Scales:
    """Draft the blocks of one family: names with a time of their own apart from those without."""
    columns = {name: source.columns[name] for name in family.members}
    by_item: dict[str, list[Column]] = {}
    for name, part in family.members.items():
        by_item.setdefault(part.item, []).append(columns[name])
    text = instrument_text(family.known, family.instrument, by_item)
    timed = {name: part for name, part in family.members.items() if part.when}
    plain = {name: part for name, part in family.members.items() if not part.when}
    blocks = []
    if plain:
        blocks.append(_plain_block(source, people, family, plain, timing))
    if timed:
        blocks += _timed_blocks(source, people, family, timed)
    return Scales(blocks, {family.instrument: text})


def _plain_block(
    source: Source,
    people: People,
    family: Family,
    members: Mapping[str, Parsed],
    timing: Timing | None,
) -> Block:
    """Draft columns whose time the row tells."""
    block = start_block(source, people)
    moment: Guess | None = None
    if timing is not None:
        daily = _asked_once_a_day(source, list(members), timing)
        block |= daily or _shared_moments(source, timing)
        answered = np.logical_or.reduce([source.columns[name].filled for name in members])
        block |= blank_rows({"time": timing.column}, answered)
        spec = {k: v for k, v in timing.spec.items() if not daily or k not in ("time", "keep_time")}
        moment = Guess(spec, timing.reason, timing.column.examples)
    moment = moment or Guess({"constant": 0}, "no column says when: the start is taken")
    columns = person_columns(source) | {"day": moment, "instrument": _instrument(family)}
    values = [source.columns[name] for name in members]
    if len(members) == 1:
        ((name, part),) = members.items()
        columns |= {"item": {"constant": part.item}, "value": value_guess(values, name)}
    else:
        block["wide"] = {"columns": {name: part.item for name, part in members.items()}}
        columns |= {"item": "item", "value": value_guess(values)}
    return block | {"columns": columns}


def _timed_blocks(
    source: Source, people: People, family: Family, members: Mapping[str, Parsed]
) -> list[Block]:
    """Draft columns whose names tell their time: by a pattern, or moment by moment."""
    template = next(iter(members.values())).template
    columns = [source.columns[name] for name in members]
    found = pattern_parts(template, source.columns)
    same = set(found) == set(members) and "label " not in template
    if not same:
        return _moment_blocks(source, people, family, members)
    slots = {found[name]["when"]: part.when for name, part in members.items()}
    days = moment_days(slots.values())
    told = {slot: days[when] for slot, when in slots.items() if when in days}
    unclear = [slot for slot, when in slots.items() if when not in days]
    reason = f"the names tell the time, such as {next(iter(members))!r}"
    if unclear:
        reason += f"; write the day of {', '.join(unclear[:12])} in recode"
    block = start_block(source, people)
    block["wide"] = {"pattern": template}
    block["columns"] = person_columns(source) | {
        "day": Guess({"day": "when", "recode": told}, reason, list(slots)[:3]),
        "instrument": _instrument(family),
        "item": _item_of_pattern(found, members),
        "value": value_guess(columns),
    }
    return [block]


def _moment_blocks(
    source: Source, people: People, family: Family, members: Mapping[str, Parsed]
) -> list[Block]:
    blocks = []
    for when in dict.fromkeys(part.when for part in members.values()):
        part_of = {name: part for name, part in members.items() if part.when == when}
        day = moment_days([when]).get(when)
        said = f"the names or labels say {when!r}"
        moment = (
            Guess({"constant": day}, said)
            if day is not None
            else Guess({}, f"{said}: write constant: and its day")
        )
        block = start_block(source, people)
        block["wide"] = {"columns": {name: part.item for name, part in part_of.items()}}
        block["columns"] = person_columns(source) | {
            "day": moment,
            "instrument": _instrument(family),
            "item": "item",
            "value": value_guess([source.columns[name] for name in part_of]),
        }
        blocks.append(block)
    return blocks


def pattern_parts(template: str, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Give what stands in the slots of a pattern in each name that it fits."""
    parts = re.split(r"\{([a-z_]+)\}", template)
    expression = "".join(
        f"(?P<{part}>[^_\\W]+|\\d+)" if i % 2 else re.escape(part) for i, part in enumerate(parts)
    )
    found = {name: re.fullmatch(expression, name) for name in names}
    return {name: match.groupdict() for name, match in found.items() if match}


def _item_of_pattern(found: Mapping[str, dict[str, str]], members: Mapping[str, Parsed]) -> Any:
    """Recode what the pattern finds into the names of the items, where they differ."""
    items = {found[name].get("item", ""): part.item for name, part in members.items()}
    if list(items) == [""]:
        return {"constant": items[""]}
    if all(raw == item for raw, item in items.items()):
        return "item"
    return {"column": "item", "recode": items}


def _instrument(family: Family) -> Guess:
    return Guess({"constant": family.instrument}, family.reason, list(family.members)[:3])


def _asked_once_a_day(source: Source, names: list[str], timing: Timing) -> Block:
    """Take one row of a day on which all rows hold the same answers."""
    days = np.floor(timing.days)
    groups = len(unique_rows(source.persons, days))
    if groups * 1.5 > source.length:
        return {}
    asked = max(names, key=lambda name: int(source.columns[name].filled.sum()))
    rows = source.columns[asked].filled
    per_day = unique_rows(source.persons[rows], days[rows])
    if len(per_day) == rows.sum() or len(per_day) * 1.5 > rows.sum():
        return {}
    codes = [source.columns[name].codes[0][rows] for name in names]
    if len(unique_rows(source.persons[rows], days[rows], *codes)) > len(per_day) * 1.02:
        return {}
    group = [source.person.name] if source.person else []
    return {
        Remark("all rows of a day hold the same answers: they were asked once a day"): None,
        "where": {asked: {"present": True}},
        "combine": {"columns": [*group, timing.column.name]},
    }


def _shared_moments(source: Source, timing: Timing) -> Block:
    """Say that a person has several rows at one time, and which column tells them apart."""
    known = np.isfinite(timing.days)
    shared = int(known.sum()) - len(unique_rows(source.persons[known], timing.days[known]))
    if not shared:
        return {}
    said = (
        f"rows that share their person and time with another: {shared:,}; `check` will refuse them"
    )
    for name, column in source.columns.items():
        apart = unique_rows(source.persons[known], timing.days[known], column.codes[0][known])
        if column.kind == "text" and len(apart) == known.sum():
            said += f"; {name!r} tells them apart ({', '.join(column.texts[:6])}): see where"
            break
    return {Remark(said): None}


def _lonely_score(source: Source, people: People, timing: Timing, used: Collection[str]) -> Scales:
    """Take the one number of a file that nothing else explains for the total of a scale."""
    keys = {timing.column.name, timing.spec.get("time")}
    free = [
        column
        for name, column in source.columns.items()
        if column.is_number and column is not source.person and name not in {*used, *keys}
        if not A_NUMBER.search(simplify(name))
    ]
    if len(free) != 1:
        return Scales()
    column = free[0]
    name = instrument_key(column.name)
    family = Family(name, False, column.name, {column.name: Parsed(column.name, TOTAL)})
    family.reason = f"{column.quoted()} is the only number beside the person and the time"
    return _family(source, people, family, timing)
