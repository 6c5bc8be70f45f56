"""What must be declared of an instrument so that its assessments are checked?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from discontinuation.ingest.draft.columns import Column, plain
from discontinuation.ingest.draft.guess import Block, Guess
from discontinuation.tables.instruments import TOTAL


@dataclass
class Scales:
    """Blocks of assessments and the instruments that they need.

    Attributes
    ----------
    blocks
        Blocks of the table assessments.
    instruments
        Declarations of instruments by name.
    """

    blocks: list[Block] = field(default_factory=list)
    instruments: Block = field(default_factory=dict)

    def add(self, other: Scales) -> None:
        """Take in those of another file; an instrument of both has the wider ranges."""
        self.blocks += other.blocks
        for name, text in other.instruments.items():
            self.instruments[name] = _merge(self.instruments.get(name), text)


def instrument_text(
    known: bool, reference_name: str, items: Mapping[str, Iterable[Column]]
) -> Block:
    """Declare an instrument: by its reference, or with the ranges that occur and no title yet."""
    if known:
        return {"reference": reference_name}
    ranges = {item: observed_range(columns) for item, columns in items.items()}
    total = ranges.pop(TOTAL, None)
    text: Block = {"title": "", "scoring": "none"}
    if ranges:
        text["items"] = ranges
    if total is not None:
        text["total"] = total
    return text


def _merge(one: Block | None, other: Block) -> Block:
    if one is None or "reference" in other:
        return other
    items = {**one.get("items", {})}
    for item, (low, high) in other.get("items", {}).items():
        known = items.get(item, [low, high])
        items[item] = [min(low, known[0]), max(high, known[1])]
    return {**one, **other, **({"items": items} if items else {})}


def observed_range(columns: Iterable[Column]) -> list[float]:
    """Give the lowest and the highest value that occurs."""
    numbers = np.concatenate([column.numbers for column in columns])
    return [float(numbers.min()), float(numbers.max())] if len(numbers) else [0.0, 0.0]


def value_guess(columns: list[Column], name: str = "value") -> Guess | str:
    """Make the column of values, with all codes that look like a missing answer."""
    missing = list(dict.fromkeys(code for column in columns for code in column.missing))
    if not missing:
        return name
    declared = [plain(code) for column in columns for code in column.file_codes]
    guessed = [code for code in missing if code not in declared]
    said = []
    if declared:
        said.append(f"the file calls {', '.join(map(str, dict.fromkeys(declared)))} missing")
    if guessed:
        lie = "lies" if len(guessed) == 1 else "lie"
        words = ", ".join(map(str, guessed))
        said.append(f"{words} {lie} apart from all other answers and may mean missing")
    first = next(column for column in columns if column.missing)
    return Guess(
        {"column": name, "missing": missing}, "; ".join(said), [*first.examples[:2], missing[0]]
    )
