"""Which instruments are in a table with one row for each answer?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from discontinuation.ingest.draft.columns import Column
from discontinuation.ingest.draft.guess import Block, Guess
from discontinuation.ingest.draft.instruments import (
    Scales,
    instrument_text,
    observed_range,
    value_guess,
)
from discontinuation.ingest.draft.people import People, blank_rows, person_columns, start_block
from discontinuation.ingest.draft.scale_names import (
    instrument_key,
    item_name,
    known_instrument,
    parse_known_name,
)
from discontinuation.ingest.draft.source import Source
from discontinuation.ingest.draft.timing import Timing
from discontinuation.tables.instruments import TOTAL, Instrument

MOST_INSTRUMENTS = 12


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers to one instrument in a long table.

    Attributes
    ----------
    value
        Column of the answers.
    rows
        The rows of this instrument.
    item
        Column of the items; None where the answers are totals.
    scale, scale_name
        Column that names the instrument and what it says; None and blank where none does.
    words
        What the file says of an item besides its code.
    """

    value: Column
    rows: npt.NDArray[np.bool_]
    item: Column | None = None
    scale: Column | None = None
    scale_name: str = ""
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def items(self) -> list[str]:
        """The items as the file calls them."""
        if self.item is None:
            return []
        return [
            self.item.texts[code] for code in np.unique(self.item.codes[0][self.rows]) if code >= 0
        ]

    def part(self, item: str | None = None) -> Column:
        """Look at the answers to this instrument only, or to one of its items."""
        rows = self.rows
        if item is not None and self.item is not None:
            rows = rows & (self.item.codes[0] == self.item.texts.index(item))
        table = replace(self.value.table, frame=self.value.table.frame.loc[rows, [self.value.name]])
        return Column(table, self.value.name)


def draft_long_table(
    source: Source, people: People, reference: Mapping[str, Instrument], timing: Timing | None
) -> Scales:
    """Draft a table with a column of items or instruments and one of values, if it is one."""
    item = source.best("item", lambda c: c.kind in ("text", "numbers") and len(c.values) > 1)
    value = source.best("value", lambda c: c.is_number and c is not item)
    scale = source.best("instrument", lambda c: c.kind == "text" and c is not item)
    if value is None or timing is None or (item is None and scale is None):
        return Scales()
    rows = np.ones(source.length, dtype=bool)
    words = item.words if item is not None else {}
    if scale is None or len(scale.content_texts) > MOST_INSTRUMENTS:
        answers = Answers(value, rows, item, words=words)
        return long_block(source, start_block(source, people), answers, timing, reference)
    scales = Scales()
    for name in scale.content_texts:
        mine = np.asarray(scale.codes[0] == scale.texts.index(name))
        block = start_block(source, people)
        if len(scale.content_texts) > 1:
            block["where"] = {scale.name: [name]}
        answers = Answers(value, mine, item, scale, name, words)
        scales.add(long_block(source, block, answers, timing, reference))
    return scales


def long_block(
    source: Source,
    block: Block,
    answers: Answers,
    timing: Timing,
    reference: Mapping[str, Instrument],
) -> Scales:
    """Draft one instrument of a long table.

    Parameters
    ----------
    source
        The file.
    block
        The block so far.
    answers
        Which columns and rows.
    timing
        When the rows happened.
    reference
        The reference instruments.
    """
    name, known, items = _meant(source, answers, reference)
    parts = {meant: [answers.part(raw)] for raw, meant in items.items()}
    block |= blank_rows({"time": timing.column}, answers.rows & answers.value.filled)
    block["columns"] = person_columns(source) | {
        "day": timing.guess(),
        "instrument": Guess({"constant": name}, _why(answers), answers.items[:3]),
        "item": _item(answers, items),
        "value": _value(answers),
    }
    text = instrument_text(known, name, parts or {TOTAL: [answers.part()]})
    return Scales([block], {name: text})


def _why(answers: Answers) -> str:
    if answers.scale is not None:
        return f"{answers.scale.quoted()} names it: {answers.scale_name}"
    if answers.item is not None:
        return f"{answers.item.quoted()} holds items such as {', '.join(answers.items[:3])}"
    return f"{answers.value.quoted()} holds it"


def _item(answers: Answers, items: Mapping[str, str]) -> Guess | Block:
    if answers.item is None:
        return {"constant": TOTAL}
    said = f"{answers.item.quoted()} names the item"
    if all(raw == meant for raw, meant in items.items()):
        return Guess({"column": answers.item.name}, said, answers.items[:3])
    spec = {"column": answers.item.name, "recode": dict(items)}
    return Guess(spec, f"{said}, in another way than the instrument", answers.items[:3])


def _value(answers: Answers) -> Guess:
    found = value_guess([answers.part()], answers.value.name)
    if isinstance(found, Guess):
        return found
    low, high = observed_range([answers.part()])
    said = f"{answers.value.quoted()} is the answer: {low:g} to {high:g}"
    return Guess({"column": answers.value.name}, said, answers.value.examples)


def _meant(
    source: Source, answers: Answers, reference: Mapping[str, Instrument]
) -> tuple[str, bool, dict[str, str]]:
    """Tell which instrument is meant, whether it is a reference one, and its name of each item."""
    guessed = _guess_instrument(source, answers)
    if guessed in reference and guessed is not None:
        for shorten in (_without_instrument, _without_common_start):
            shorter = shorten(answers.items)
            items = {
                raw: TOTAL
                if "total" in answers.words.get(raw, "").lower()
                else item_name(short, reference[guessed])
                for raw, short in shorter.items()
            }
            if None not in items.values():
                return guessed, True, {raw: str(item) for raw, item in items.items()}
    own = instrument_key(answers.scale_name or source.key)
    return own, False, {raw: answers.words.get(raw, raw) for raw in answers.items}


def _guess_instrument(source: Source, answers: Answers) -> str | None:
    """Tell a reference instrument by the name of the scale, the items, or the file."""
    if answers.scale_name:
        return known_instrument(answers.scale_name)
    named = {found[0] if (found := parse_known_name(raw)) else None for raw in answers.items}
    if len(named) == 1 and None not in named:
        return named.pop()
    return known_instrument(source.path.stem)


def _without_instrument(items: list[str]) -> dict[str, str]:
    """Take the instrument's name off: hamd_01 becomes 01."""
    return {raw: found[1].item if (found := parse_known_name(raw)) else raw for raw in items}


def _without_common_start(items: list[str]) -> dict[str, str]:
    """Take off what all items start with: HAMD101 to HAMD117 become 01 to 17."""
    pairs = zip(min(items, default=""), max(items, default=""), strict=False)
    same = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))
    return {raw: raw[same:] or raw for raw in items}
