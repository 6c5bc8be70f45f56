"""What makes a table invalid: every problem, none repaired.

Works on rows of text as they were written, so that a message can quote them, and
imports nothing heavy, so that a workflow can check its inputs before any job runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from discontinuation.problems import Problem, allowed_values
from discontinuation.tables.schema import Column, ForeignKey, Table

Cells = dict[str, str]

# Patterns in words, for people who do not read regular expressions.
PATTERNS = {
    "[A-Za-z0-9][A-Za-z0-9_.-]*": "letters, digits, '_', '.', '-', first a letter or digit",
    "[a-z0-9_]+": "small letters, digits and '_'",
    "[A-Za-z0-9_.-]+": "letters, digits, '_', '.' and '-'",
}


# What float() also takes is refused: 1_0, digits of other scripts, infinity, surrounding spaces.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class RawTable:
    """A table as written: text cells, with the row number of each record.

    Attributes
    ----------
    file
        Name shown in messages: a file, or a workbook and its sheet.
    header
        Column names in the order of the file.
    records
        One mapping of column to text per record; a blank cell is "".
    rows
        Row number of each record as a spreadsheet counts, header = 1.
    """

    file: str
    header: list[str]
    records: list[Cells]
    rows: list[int] = field(repr=False)

    def numbered(self) -> Iterator[tuple[int, Cells]]:
        """Pair each record with its row number."""
        return zip(self.rows, self.records, strict=True)


def check_table(raw: RawTable, table: Table) -> list[Problem]:
    """Find the problems within one table.

    Parameters
    ----------
    raw
        The table as written.
    table
        What it should look like.

    Returns
    -------
    list of Problem
        In the order of the file: header first, then cell by cell, then duplicates.
    """
    problems = list(_header_problems(raw, table))
    known = [column for column in table.columns if column.name in raw.header]
    for row, cells in raw.numbered():
        for column in known:
            problem = cell_problem(cells[column.name], column)
            if problem:
                value = cells[column.name] or None
                problems.append(Problem(raw.file, problem, row, column.name, value))
    problems.extend(_duplicates(raw, table))
    return problems


def check_references(
    raw_tables: Mapping[str, RawTable], tables: Mapping[str, Table]
) -> list[Problem]:
    """Find rows that refer to something that another table does not hold."""
    problems: list[Problem] = []
    for name, raw in raw_tables.items():
        for key in tables[name].foreign_keys:
            if key.table in raw_tables:
                problems.extend(_dangling(raw, key, raw_tables[key.table]))
    return problems


def number(text: str) -> float | None:
    """Read a plain number, or return None for anything else (blank included)."""
    if not NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def cell_problem(text: str, column: Column) -> str | None:
    """Say what is wrong with one cell, or return None."""
    if text == "":
        return _missing(column) if column.required else None
    if text != text.strip():
        return "starts or ends with a space"
    if column.is_number:
        return _number_problem(text, column)
    if text.startswith(("=", "@")):
        return f"starts with {text[0]!r}, which a spreadsheet would run; allowed: other text"
    if column.allowed and text not in column.allowed:
        return allowed_values(column.allowed, text)
    if column.pattern and not re.fullmatch(column.pattern, text):
        return f"allowed: {PATTERNS.get(column.pattern, f'text of the form {column.pattern}')}"
    return None


def _missing(column: Column) -> str:
    rule = allowed_values(column.allowed) if column.allowed else column.description
    return f"is blank and must not be ({rule})"


def _number_problem(text: str, column: Column) -> str | None:
    value = number(text)
    kind = "a whole number" if column.type == "integer" else "a number"
    limits = _limits(column)
    if value is None:
        hint = " (with a point, not a comma)" if re.fullmatch(r"-?[0-9]+,[0-9]+", text) else ""
        return f"is not {kind}{hint}; allowed: {kind}{limits}, or blank"
    too_small = column.minimum is not None and value < column.minimum
    too_large = column.maximum is not None and value > column.maximum
    fraction = column.type == "integer" and value != int(value)
    if too_small or too_large or fraction:
        return f"allowed: {kind}{limits}"
    if column.type == "integer" and not re.fullmatch(r"-?\d+", text):
        return "is to be written in digits only, without a decimal point"
    return None


def _limits(column: Column) -> str:
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        return f" from {low:.10g} to {high:.10g}"
    if low is not None:
        return f" of {low:.10g} or more"
    return f" of {high:.10g} or less" if high is not None else ""


def _header_problems(raw: RawTable, table: Table) -> Iterator[Problem]:
    names = table.column_names
    for name in sorted({name for name in raw.header if raw.header.count(name) > 1}):
        yield Problem(raw.file, "the column stands there more than once", 1, name)
    for name in names:
        if name not in raw.header:
            yield Problem(raw.file, "the column is missing", 1, name)
    for name in raw.header:
        if name not in names:
            yield Problem(raw.file, f"unknown column; {allowed_values(names, name)}", 1, name)


def _duplicates(raw: RawTable, table: Table) -> Iterator[Problem]:
    key = table.primary_key or tuple(table.column_names)
    if not set(key) <= set(raw.header):
        return
    seen: dict[tuple[str, ...], int] = {}
    for row, cells in raw.numbered():
        values = tuple(_canonical(cells[name]) for name in key)
        if values in seen:
            what = ", ".join(f"{name} {cells[name] or 'blank'}" for name in key[:4])
            yield Problem(
                raw.file, f"duplicate of row {seen[values]} (same {what}); one row each", row
            )
        else:
            seen[values] = row


def _canonical(text: str) -> str:
    """Spell equal numbers alike, so that 26 and 26.0 are the same week."""
    value = number(text)
    return text if value is None else repr(value)


def _dangling(raw: RawTable, key: ForeignKey, target: RawTable) -> Iterator[Problem]:
    if not set(key.columns) <= set(raw.header) or not set(key.referenced) <= set(target.header):
        return
    present = {tuple(cells[name] for name in key.referenced) for cells in target.records}
    for row, cells in raw.numbered():
        values = tuple(cells[name] for name in key.columns)
        if any(values) and values not in present:
            yield Problem(
                raw.file,
                f"not in {target.file}; {_known(present, values)}",
                row,
                " + ".join(key.columns),
                " + ".join(values),
            )


def _known(present: set[tuple[str, ...]], values: Sequence[str]) -> str:
    options = sorted(" + ".join(known) for known in present)
    if len(options) > 12:
        text = allowed_values(options, " + ".join(values))
        near = text[text.index(" (did you") :] if " (did you" in text else ""
        return f"allowed: one of its {len(options)} entries{near}"
    return allowed_values(options, " + ".join(values)) if options else "it has no entries"
