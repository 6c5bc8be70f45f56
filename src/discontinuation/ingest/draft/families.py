"""Which columns are the items and totals of one instrument?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from discontinuation.ingest.draft.columns import Column
from discontinuation.ingest.draft.scale_names import (
    Parsed,
    instrument_key,
    item_name,
    parse_known_label,
    parse_known_name,
    parse_name,
    with_item,
)
from discontinuation.ingest.draft.source import Source
from discontinuation.tables.instruments import Instrument

# Answers to one question: few values, close together.
MOST_ANSWERS, WIDEST_ANSWERS = 13, 20
FEWEST_ITEMS = 3


@dataclass
class Family:
    """Columns that hold the items or the total of one instrument.

    Attributes
    ----------
    instrument
        Its name: of the reference instruments, or one made from the columns' names.
    known
        Whether it is a reference instrument.
    template
        Pattern of the columns' names.
    members
        Each column with its item (as the instrument calls it) and what its name says of time.
    reason
        Why they belong together.
    """

    instrument: str
    known: bool
    template: str
    members: dict[str, Parsed] = field(default_factory=dict)
    reason: str = ""

    @property
    def items(self) -> list[str]:
        """The items, each once."""
        return list(dict.fromkeys(parsed.item for parsed in self.members.values()))

    @property
    def moments(self) -> list[str]:
        """What the names say of time, each once."""
        return list(dict.fromkeys(parsed.when for parsed in self.members.values()))


def find_families(source: Source, reference: Mapping[str, Instrument]) -> list[Family]:
    """Find the instruments whose items or totals are columns of a file."""
    free = {
        name: column
        for name, column in source.columns.items()
        if column.is_number and column is not source.person
    }
    found = _known_families(free, reference)
    taken = {name for family in found for name in family.members}
    rest = {name: c for name, c in free.items() if name not in taken and _is_answer(c)}
    numbered = _numbered_families(rest)
    taken |= {name for family in numbered for name in family.members}
    rest = {name: c for name, c in rest.items() if name not in taken}
    return [*found, *numbered, *(_worded_families(rest) if not source.one_row_each else [])]


def _known_families(
    columns: Mapping[str, Column], reference: Mapping[str, Instrument]
) -> list[Family]:
    """Match names and labels with the reference instruments."""
    parsed: dict[str, tuple[str, Parsed]] = {}
    for name, column in columns.items():
        found = parse_known_name(name) or parse_known_label(name, column.label)
        if found and found[0] in reference:
            parsed[name] = found
    parsed |= _own_numbers(parsed)
    families: dict[tuple[str, str], Family] = {}
    for name, (instrument, part) in parsed.items():
        item = item_name(part.item, reference[instrument])
        if item is None:
            continue
        family = families.setdefault(
            (instrument, part.template), Family(instrument, True, part.template)
        )
        family.members[name] = Parsed(part.template, item, part.when)
    for family in families.values():
        first = next(iter(family.members))
        family.reason = f"names such as {first!r} ({reference[family.instrument].title})"
        family.reason += _beyond(family, columns, reference[family.instrument])
    return _without_foreign_items(list(families.values()), parsed, columns, reference)


def _beyond(family: Family, columns: Mapping[str, Column], instrument: Instrument) -> str:
    """Name the columns with values that the instrument cannot have."""
    bad = []
    for name, part in family.members.items():
        low, high = instrument.limits(part.item) or (-np.inf, np.inf)
        numbers = columns[name].numbers
        if len(numbers) and (numbers.min() < low or numbers.max() > high):
            bad.append(f"{name} ({numbers.min():g} to {numbers.max():g})")
    more = f" and {len(bad) - 4} more" if len(bad) > 4 else ""
    return f"; values outside its range in {', '.join(bad[:4])}{more}" if bad else ""


def _own_numbers(parsed: Mapping[str, tuple[str, Parsed]]) -> dict[str, tuple[str, Parsed]]:
    """Tell the item PHQ9 from the total of the PHQ-9: it is one if PHQ1 and PHQ2 are there."""
    templates = {part.template for _, part in parsed.values()}
    changed = {}
    for name, (instrument, part) in parsed.items():
        number = re.search(r"\d+$", instrument)
        if part.item or number is None:
            continue
        template = with_item(part.template, number[0]) if number[0] in part.template else ""
        if template in templates:
            changed[name] = (instrument, Parsed(template, number[0], part.when))
    return changed


def _without_foreign_items(
    families: list[Family],
    parsed: Mapping[str, tuple[str, Parsed]],
    columns: Mapping[str, Column],
    reference: Mapping[str, Instrument],
) -> list[Family]:
    """Take a version with further items (HAMD-21) for an instrument of its own."""
    foreign = {
        (instrument, part.template)
        for instrument, part in parsed.values()
        if item_name(part.item, reference[instrument]) is None
    }
    for family in families:
        if (family.instrument, family.template) not in foreign:
            continue
        members = {
            name: Parsed(part.template, str(item_name(part.item, None)), part.when)
            for name, (instrument, part) in parsed.items()
            if (instrument, part.template) == (family.instrument, family.template)
        }
        title = reference[family.instrument].title
        family.reason = (
            f"{family.reason}, but with items that it does not have: another version of {title}"
        )
        family.instrument = f"{family.instrument}_other_version"
        family.known = False
        family.members = members
    return families


def _is_answer(column: Column) -> bool:
    """Whether a column looks like answers to one question."""
    numbers = column.numbers
    few = 0 < len(numbers) <= MOST_ANSWERS
    return few and column.is_whole and bool(np.ptp(numbers) <= WIDEST_ANSWERS)


def _numbered_families(columns: Mapping[str, Column]) -> list[Family]:
    """Put together names that differ in a number only (and in their time)."""
    groups: dict[str, dict[str, Parsed]] = {}
    for name in columns:
        cut = parse_name(name)
        match = next(reversed(list(re.finditer(r"\d{1,3}", cut.template))), None)
        if match is None or not re.search(r"[A-Za-z]", cut.template[: match.start()]):
            continue
        template = f"{cut.template[: match.start()]}{{item}}{cut.template[match.end() :]}"
        groups.setdefault(template, {})[name] = Parsed(template, match.group(), cut.when)
    return [
        Family(
            instrument_key(template),
            False,
            template,
            {
                name: Parsed(template, str(item_name(part.item, None)), part.when)
                for name, part in members.items()
            },
            f"the names differ in a number only, such as {next(iter(members))!r}",
        )
        for template, members in groups.items()
        if len({part.item for part in members.values()}) >= FEWEST_ITEMS
    ]


def _worded_families(columns: Mapping[str, Column]) -> list[Family]:
    """Put together names with the same first word, as diaries have them: mood_down, mood_calm."""
    groups: dict[str, dict[str, Parsed]] = {}
    for name in columns:
        stem, cut, item = name.partition("_")
        if cut and stem and item:
            groups.setdefault(stem, {})[name] = Parsed(f"{stem}_{{item}}", item)
    return [
        Family(
            instrument_key(stem),
            False,
            f"{stem}_{{item}}",
            members,
            f"the names start with {stem!r} and hold answers on short scales",
        )
        for stem, members in groups.items()
        if len(members) >= FEWEST_ITEMS
    ]
