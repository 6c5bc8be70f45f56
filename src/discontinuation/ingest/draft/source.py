"""What is one row of a file, and whose is it?"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.ingest.draft.columns import Column
from discontinuation.ingest.draft.vocabulary import fit, simplify
from discontinuation.ingest.readers import SourceTable

# SDTM domains and ADaM datasets that the draft knows, by the columns that only they have.
DOMAINS = {
    "adtte": {"USUBJID", "PARAMCD", "AVAL", "CNSR"},
    "adsl": {"USUBJID", "TRT01P"},
    "bds": {"USUBJID", "PARAMCD", "AVAL"},
    "dm": {"USUBJID", "RFSTDTC", "ARM", "DOMAIN"},
    "ex": {"USUBJID", "EXTRT", "EXDOSE"},
    "ds": {"USUBJID", "DSDECOD"},
    "ae": {"USUBJID", "AETERM"},
    "qs": {"USUBJID", "QSTESTCD"},
}
ANALYSIS = {"TRTA", "TRTP", "TRTAN", "TRTPN"}
UNNAMED = re.compile(r"|row|rows|index|obs|row_?(no|nr|num|number|name|names|id)|x|unnamed\w*")
VAGUE = re.compile(r"no|nr|num|number|code|key|identifier")
PERSON_CELLS = 0.95
# Values that a person's column of one file must share with that of another.
SHARED = 0.5


@dataclass(eq=False)
class Source:
    """One file of the dataset.

    Attributes
    ----------
    key
        Its name in the declaration.
    path
        As it was given.
    table
        What it holds.
    options
        Options with which it was read.
    person
        The column that says whose a row is; None where the file is about one person.
    person_reason
        Why that column.
    """

    key: str
    path: Path
    table: SourceTable
    options: dict[str, Any] = field(default_factory=dict)
    person: Column | None = None
    person_reason: str = ""

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Its columns by name."""
        return {str(name): Column(self.table, str(name)) for name in self.table.frame.columns}

    @cached_property
    def domain(self) -> str | None:
        """The SDTM domain or ADaM dataset that it is, "other" for one unknown here, or None."""
        names = set(self.columns)
        found = (name for name, needed in DOMAINS.items() if needed <= names)
        if "USUBJID" in names and names & ANALYSIS and "AETERM" in names:
            return "other"  # ADAE repeats what AE holds.
        return next(found, "other" if {"STUDYID", "DOMAIN"} <= names else None)

    @property
    def length(self) -> int:
        """Number of its rows."""
        return len(self.table.frame)

    @property
    def persons(self) -> npt.NDArray[np.intp]:
        """Code of the person of each row, -1 where blank."""
        if self.person is None:
            return np.zeros(self.length, dtype=np.intp)
        return self.person.codes[0]

    @property
    def person_count(self) -> int:
        """Number of different people."""
        return len(self.person.values) if self.person else 1

    @property
    def one_row_each(self) -> bool:
        """Whether each person has one row."""
        return self.person is not None and self.length == self.person_count

    def all_of(self, role: str, accept: Callable[[Column], bool] = lambda _: True) -> list[Column]:
        """List the columns that may play a role, the likeliest first."""
        scored = [
            (fit(role, name, column.label), column)
            for name, column in self.columns.items()
            if column is not self.person and not column.is_empty
        ]
        found = [(score, column) for score, column in scored if score and accept(column)]
        return [column for _, column in sorted(found, key=lambda pair: -pair[0])]

    def best(self, role: str, accept: Callable[[Column], bool] = lambda _: True) -> Column | None:
        """Find the likeliest column for a role."""
        return next(iter(self.all_of(role, accept)), None)

    def named(self, *names: str) -> Column | None:
        """Find the first of these columns that is there and holds something."""
        for name in names:
            if name in self.columns and not self.columns[name].is_empty:
                return self.columns[name]
        return None

    def same_within_person(self, column: Column) -> bool:
        """Whether a column says the same in all rows of a person."""
        both = (self.persons >= 0) & column.filled
        persons, values = self.persons[both], column.codes[0][both]
        return len(unique_rows(persons, values)) == len(unique_rows(persons))

    def differs_within_person(self, *keys: npt.NDArray[Any]) -> bool:
        """Whether the keys tell all rows of each person apart."""
        return len(unique_rows(self.persons, *keys)) == self.length


def unique_rows(*keys: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Position of the first of each group of rows that are alike; NaN is like NaN."""
    together = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        codes, different = pd.factorize(key, use_na_sentinel=False)
        # Coded anew after each key, so that the product stays within 64 bits.
        together = pd.factorize(together * max(len(different), 1) + codes)[0]
    return np.flatnonzero(~pd.Series(together).duplicated().to_numpy())


def file_key(name: str, others: Sequence[Source]) -> str:
    """Make a name for a file: small letters, digits and '_', different from the others."""
    key = re.sub(r"[^a-z0-9_]", "", simplify(name)).strip("_")
    key = key if re.match(r"[a-z]", key) else f"file_{key}".rstrip("_")
    taken = {source.key for source in others}
    further = (f"{key}_{number}" for number in itertools.count(2))
    return next(tried for tried in itertools.chain([key], further) if tried not in taken)


def link_people(sources: Sequence[Source]) -> None:
    """Find the column of each file that says whose a row is.

    A name that means a person is needed in one file; a file without such a name takes a column
    of the same name or, if its values are those of the others, of another one.
    """
    candidates = {source.key: _candidates(source) for source in sources}
    for source in sources:
        found = candidates[source.key] or _by_values(source, sources, candidates)
        if not found:
            continue
        others = [c for key, columns in candidates.items() if key != source.key for c in columns]
        shared = [sum(_shares(column, other) for other in others) for column in found]
        source.person = found[shared.index(max(shared))]
        source.person_reason = _person_reason(source, sources, candidates)


def _candidates(source: Source) -> list[Column]:
    """List the columns that are named like a person's identifier and can be one."""
    found = [column for column in source.all_of("person") if _can_be_person(source, column)]
    return sorted(found, key=lambda column: bool(VAGUE.fullmatch(simplify(column.name))))


def _can_be_person(source: Source, column: Column) -> bool:
    if UNNAMED.fullmatch(simplify(column.name)) or column.kind in ("dates", "times"):
        return False
    if column.is_number and not column.is_whole:
        return False
    return len(column.values) > 1 and bool(column.filled.mean() >= PERSON_CELLS)


def _by_values(
    source: Source, sources: Sequence[Source], candidates: dict[str, list[Column]]
) -> list[Column]:
    """Find a column that holds the people of another file under a name that says nothing."""
    known = [column for columns in candidates.values() for column in columns]
    names = {column.name for column in known}
    return [
        column
        for name, column in source.columns.items()
        if len(column.values) > 5
        and _can_be_person(source, column)
        and (name in names or any(_shares(column, other) for other in known))
        and column.kind != "numbers"
    ]


def _shares(one: Column, other: Column) -> bool:
    """Whether two columns hold the same people, at least many of them."""
    both = set(one.texts) & set(other.texts)
    return len(both) > SHARED * min(len(one.texts), len(other.texts))


def _person_reason(
    source: Source, sources: Sequence[Source], candidates: dict[str, list[Column]]
) -> str:
    assert source.person is not None
    people, rows = source.person_count, source.length
    said = f"{source.person.quoted()} names a person: {people:,} values in {rows:,} rows"
    mine = set(source.person.texts)
    shared = {
        other.key: max(
            (len(mine & set(column.texts)) for column in candidates[other.key]), default=0
        )
        for other in sources
        if other is not source
    }
    most = max(shared, key=lambda key: shared[key], default="")
    return said + (f", {shared[most]:,} of them in {most} as well" if shared.get(most) else "")
