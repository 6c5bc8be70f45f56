"""The parts of a table in the report: cells, columns, and the table itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from discontinuation.report.numbers import MISSING, Writer, full, interval, written

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Link:
    """A link within the page (`#...`) or to a publication."""

    text: str
    href: str

    @property
    def leaves(self) -> bool:
        """Whether it leads out of the page."""
        return not self.href.startswith("#")


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text
        What is read.
    sort
        The number behind it with all its digits; blank for text.
    links
        Shown instead of the text.
    tags
        Provenance tags shown as marks after the text.
    folded
        Shown when the reader opens the cell.
    """

    text: str = MISSING
    sort: str = ""
    links: tuple[Link, ...] = ()
    tags: tuple[str, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    heading
        Its name for people.
    cell
        Makes its cell from a row.
    meaning
        What the reader must know to read it.
    numeric
        Whether it is aligned to the right and sorted as numbers.
    choose
        Whether its values are offered in a drop-down.
    wide
        Whether it holds running text.
    """

    heading: str
    cell: Callable[[Record], Cell]
    meaning: str = ""
    numeric: bool = False
    choose: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Row:
    """One row, with the anchor other tables link to."""

    cells: tuple[Cell, ...]
    anchor: str = ""


@dataclass(frozen=True)
class TableView:
    """A table as the page shows it.

    Attributes
    ----------
    key
        Unique on the page.
    title, note
        Above the rows.
    file
        The results file that holds every number of it.
    columns, rows
        What it shows.
    tools
        Whether it can be filtered.
    """

    key: str
    title: str
    file: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    tools: bool = True

    @property
    def explained(self) -> list[Column]:
        """List the columns that need explaining."""
        return [column for column in self.columns if column.meaning]


@dataclass(frozen=True)
class Sheet:
    """A results table with the file it came from."""

    frame: pd.DataFrame
    file: str

    def where(self, chosen: pd.Series) -> Sheet:
        """Keep some rows."""
        return replace(self, frame=self.frame.loc[chosen])


def view(
    key: str,
    title: str,
    sheet: Sheet,
    columns: Sequence[Column],
    *,
    note: str = "",
    tools: bool = True,
    anchor: Callable[[Record], str] | None = None,
) -> TableView:
    """Show a results table."""
    records = [{str(k): v for k, v in row.items()} for row in sheet.frame.to_dict("records")]
    rows = tuple(
        Row(tuple(column.cell(row) for column in columns), anchor(row) if anchor else "")
        for row in records
    )
    return TableView(key, title, sheet.file, tuple(columns), rows, note, tools)


def is_missing(value: Any) -> bool:
    """Whether a cell of a results table is blank."""
    return bool(pd.isna(value)) or value == ""


def text(name: str, heading: str, **options: Any) -> Column:
    """Show text as it stands in the results."""

    def cell(row: Record) -> Cell:
        return Cell() if is_missing(row[name]) else Cell(str(row[name]))

    return Column(heading, cell, **options)


def words(
    name: str, heading: str, names: Mapping[str, str] | None = None, **options: Any
) -> Column:
    """Show a category in words: its name, or its key without underscores."""

    def cell(row: Record) -> Cell:
        return Cell() if is_missing(row[name]) else Cell(in_words(row[name], names))

    return Column(heading, cell, **options)


def in_words(value: Any, names: Mapping[str, str] | None = None) -> str:
    """Write a category for people."""
    return (names or {}).get(str(value), str(value).replace("_", " "))


def number(name: str, heading: str, writer: Writer, **options: Any) -> Column:
    """Show a number, with all its digits for sorting."""

    def cell(row: Record) -> Cell:
        return Cell(written(row[name], writer), full(row[name]))

    return Column(heading, cell, numeric=True, **options)


def limits(
    names: tuple[str, str],
    heading: str,
    writer: Callable[[Record], Writer],
    **options: Any,
) -> Column:
    """Show an interval, sorted by its lower limit."""

    def cell(row: Record) -> Cell:
        lower, upper = (row[name] for name in names)
        return Cell(interval(lower, upper, writer(row)), full(lower))

    return Column(heading, cell, numeric=True, **options)


def tags(name: str, heading: str = "Tag", **options: Any) -> Column:
    """Show provenance tags as marks."""

    def cell(row: Record) -> Cell:
        return Cell("", tags=split(row[name]))

    return Column(heading, cell, **options)


def split(value: Any) -> tuple[str, ...]:
    """Take apart what a results table joins with semicolons."""
    return () if is_missing(value) else tuple(part.strip() for part in str(value).split(";"))


def anchor(kind: str, *keys: Any) -> str:
    """Make an anchor that is unique for its keys and needs no escaping."""
    joined = "__".join(str(key) for key in keys)
    return f"{kind}-" + re.sub(r"[^A-Za-z0-9.-]", lambda m: f"_{ord(m[0]):x}", joined)


def web_link(address: Any) -> Cell:
    """Link to a web page; anything but http and https is only shown."""
    if is_missing(address):
        return Cell()
    shown = str(address)
    safe = re.fullmatch(r"https?://[^\s\"'<>]+", shown)
    return Cell(shown, links=(Link(shown, shown),) if safe else ())


def identifier_links(value: Any) -> Cell:
    """Link DOI, PMID, PMCID and registration numbers to where they resolve."""
    parts = split(value)
    links = tuple(Link(part, address) for part in parts if (address := _resolved(part)))
    return Cell("; ".join(parts) or MISSING, links=links if len(links) == len(parts) else ())


RESOLVERS = (
    (re.compile(r"(?:doi:)?\s*(10\.\d{4,9}/[^\s\"'<>]+)", re.I), "https://doi.org/{}"),
    (re.compile(r"PMID:?\s*(\d+)", re.I), "https://pubmed.ncbi.nlm.nih.gov/{}/"),
    (re.compile(r"(PMC\d+)", re.I), "https://www.ncbi.nlm.nih.gov/pmc/articles/{}/"),
    (re.compile(r"(NCT\d{8})", re.I), "https://clinicaltrials.gov/study/{}"),
)


def _resolved(part: str) -> str | None:
    for pattern, address in RESOLVERS:
        if match := pattern.fullmatch(part):
            return address.format(match[1])
    return None


@dataclass(frozen=True)
class References:
    """Which sources and studies the page has rows for, so that links never lead nowhere."""

    sources: Collection[tuple[str, str]] = field(default_factory=frozenset)
    studies: Collection[str] = field(default_factory=frozenset)

    def source_column(self, name: str = "source") -> Column:
        """Link each source key of a row to its row in the table of sources."""

        def cell(row: Record) -> Cell:
            keys = split(row[name])
            collection = row.get("collection")
            known = [key for key in keys if (str(collection), key) in self.sources]
            links = tuple(Link(key, "#" + anchor("source", collection, key)) for key in known)
            return Cell("; ".join(keys) or MISSING, links=links if len(known) == len(keys) else ())

        return Column("Source", cell, meaning="Key of the table of sources.")

    def study_links(self, value: Any) -> Cell:
        """Link study keys to their rows in the table of studies."""
        keys = split(value)
        links = tuple(Link(k, "#" + anchor("study", k)) for k in keys if k in self.studies)
        return Cell("; ".join(keys) or MISSING, links=links if len(links) == len(keys) else ())
