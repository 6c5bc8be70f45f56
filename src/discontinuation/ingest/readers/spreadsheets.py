"""Which cells does a sheet of an Excel workbook hold?"""

from __future__ import annotations

import datetime
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt

from discontinuation.ingest.readers.headings import settle_names
from discontinuation.ingest.readers.source import (
    SourceFile,
    SourceTable,
    listing,
)
from discontinuation.ingest.readers.typed_columns import to_frame
from discontinuation.ingest.readers.unpacking import refuse_large_zip
from discontinuation.problems import Problem, allowed_values

if TYPE_CHECKING:
    from openpyxl import Workbook

KIND = "an Excel workbook"
LAST_ROW = 1 << 20
# Parts of a sheet that openpyxl does not tell of when it reads cell by cell.
FORMULA = re.compile(rb"<(?:\w+:)?f[ >/]")
MERGED = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*?\bref=\"([A-Z]+[0-9]+:[A-Z]+[0-9]+)\"")
HIDDEN_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*?\bhidden=\"(?:1|true)\"")
HIDDEN_COLUMN = re.compile(rb"<(?:\w+:)?col\b[^>]*?\bhidden=\"(?:1|true)\"")
ROW = re.compile(rb"<(?:\w+:)?row[ >/]")


@dataclass
class Grid:
    """Cells of a sheet.

    Attributes
    ----------
    lines
        Values of each row that has a cell, by row number.
    width
        Number of columns.
    errors, formulas
        Places (row, column) of cells with an Excel error, and of formulas.
    empty_results
        Places of formulas whose stored result is an empty text.
    """

    lines: dict[int, list[Any]] = field(default_factory=dict)
    width: int = 0
    errors: list[tuple[int, int]] = field(default_factory=list)
    formulas: list[tuple[int, int]] = field(default_factory=list)
    empty_results: set[tuple[int, int]] = field(default_factory=set)

    def is_unstored(self, row: int, at: int) -> bool:
        """Tell whether a formula has no stored result."""
        values = self.lines.get(row, [])
        return (at >= len(values) or values[at] is None) and (row, at) not in self.empty_results


def read_excel(file: SourceFile) -> SourceTable:
    """Read one sheet of an Excel workbook.

    Parameters
    ----------
    file
        The file, with the options of the format ``excel``.

    Returns
    -------
    SourceTable
        Each cell keeps its type: a number is a date or time only if the cell's format says so.
        Formulas are read by their stored results.

    Raises
    ------
    InvalidInput
        See `read_source`; formulas without a stored result, dates that Excel cannot have.
    """
    with file.read_as(KIND), ZipFile(io.BytesIO(file.content)) as archive:
        refuse_large_zip(file, archive)
        book = _open(file, results=True)
        title, statements = _choose_sheet(file, book)
        several = len(book.sheetnames) > 1
        where = SourceFile(
            file.path, file.name + (f" [sheet {title}]" if several else ""), file.options
        )
        sheet: Any = book[title]
        xml = archive.read(sheet._worksheet_path)  # No public name tells it.
        grid = _read_cells(where, book, title, xml)
        if FORMULA.search(xml):
            _read_formulas(_open(file, results=False), title, grid)
    statements += _sheet_statements(xml)
    return _table(where, grid, statements)


def _open(file: SourceFile, results: bool) -> Workbook:
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of drop-downs and the like that are not read.
        return load_workbook(io.BytesIO(file.content), read_only=True, data_only=results)


def _choose_sheet(file: SourceFile, book: Workbook) -> tuple[str, list[str]]:
    """Find the one sheet with cells, or the one asked for."""
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    sheets = {sheet.title: sheet.sheet_state for sheet in book.worksheets}
    wanted = file.options.get("sheet")
    if wanted is not None and wanted not in sheets:
        rule = allowed_values(list(sheets), wanted)
        raise file.invalid(f"there is no such sheet; {rule}", column="sheet", value=wanted)
    used = [title for title in sheets if _has_cells(book[title])]
    if wanted is None and len(used) > 1:
        raise file.invalid(
            f"holds {len(used)} sheets; set the option sheet, one of: {listing(used, 20)}"
        )
    if wanted is None and not used:
        raise file.invalid("holds no sheet with cells")
    title = used[0] if wanted is None else wanted
    statements = [f"sheet {title!r}"]
    if sheets[title] != "visible":
        statements.append("the sheet is hidden")
    if hidden := [other for other in used if other != title and sheets[other] != "visible"]:
        statements.append(f"hidden sheets that are not read: {listing(hidden)}")
    if book.epoch == CALENDAR_MAC_1904:
        statements.append("dates are counted from 1904")
    return title, statements


def _has_cells(sheet: Any) -> bool:
    sheet.reset_dimensions()
    rows = sheet.iter_rows(values_only=True)
    return any(_blank_as_none(value) is not None for row in _first(rows) for value in row)


def _first(rows: Iterator[Any]) -> Iterator[Any]:
    """Stop where Excel's sheets end: a damaged row number may be beyond."""
    for number, row in enumerate(rows, 1):
        if number > LAST_ROW:
            raise ValueError(f"a row number beyond {LAST_ROW}")
        yield row


def _read_cells(file: SourceFile, book: Workbook, title: str, xml: bytes) -> Grid:
    """Read the cells of a sheet; a date that there is none of is a problem."""
    grid, present = Grid(), 0
    sheet: Any = book[title]
    sheet.reset_dimensions()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for number, row in enumerate(_first(sheet.iter_rows()), 1):
            present += isinstance(row, tuple)  # A row that is not there comes as a list.
            values = [_value(cell.value) for cell in row]
            grid.errors += [(number, at) for at, cell in enumerate(row) if cell.data_type == "e"]
            grid.empty_results |= {
                (number, at)
                for at, cell in enumerate(row)
                if cell.value is None and cell.data_type == "str"
            }
            if any(value is not None for value in values):
                grid.lines[number] = values
                grid.width = max(grid.width, len(values))
    if present != len(ROW.findall(xml)):
        raise ValueError("rows that are not in order, or doubled")
    file.refuse(_impossible_dates(file, [str(warning.message) for warning in told]))
    return grid


def _impossible_dates(file: SourceFile, told: Sequence[str]) -> list[Problem]:
    found = [re.search(r"Cell ([A-Z]+)(\d+) is marked as a date .* value (\S+)", t) for t in told]
    message = "is formatted as a date, but no calendar has it; format the cell as a number"
    return [
        file.problem(message, int(match.group(2)), match.group(1), match.group(3))
        for match in found
        if match
    ]


def _value(value: Any) -> Any:
    """Give a cell's value: dates as datetimes, blank text as None."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime.combine(value, datetime.time())
    return _blank_as_none(value)


def _blank_as_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _read_formulas(book: Workbook, title: str, grid: Grid) -> None:
    """Find the cells that hold formulas."""
    sheet: Any = book[title]
    sheet.reset_dimensions()
    for number, row in enumerate(_first(sheet.iter_rows()), 1):
        grid.formulas += [(number, at) for at, cell in enumerate(row) if cell.data_type == "f"]


def _sheet_statements(xml: bytes) -> list[str]:
    statements = []
    if merged := [place.decode() for place in MERGED.findall(xml)]:
        statements.append(f"merged cells, of which only the first holds a value: {listing(merged)}")
    if hidden := len(HIDDEN_ROW.findall(xml)):
        statements.append(f"{hidden} hidden or filtered rows are read like the others")
    if hidden := len(HIDDEN_COLUMN.findall(xml)):
        statements.append(f"{hidden} groups of hidden columns are read like the others")
    return statements


def _table(file: SourceFile, grid: Grid, statements: list[str]) -> SourceTable:
    header_row, kept = _choose_rows(file, grid, statements)
    lines = [_padded(grid.lines[row], grid.width) for row in kept]
    cells = [list(column) for column in zip(*lines, strict=True)] or [[]] * grid.width
    names, places = settle_names(
        file,
        [_text(value) for value in _padded(grid.lines[header_row], grid.width)],
        [len(column) - column.count(None) for column in cells],
        len(set(map(_text, cells[0]))) == len(kept),
        len(kept),
        header_row,
        statements,
    )
    named = dict(zip(places, names, strict=True))
    file.refuse(_unstored_results(file, grid, {*kept, header_row}, named))
    statements += _cell_statements(grid, set(kept), named)
    missing = file.options.get("missing", ())
    if missing:
        statements.append(f"missing are also: {listing(missing, 20)}")
    if not kept:
        statements.append("there are no records below the names")
    columns = {name: _column(cells[at], missing) for at, name in named.items()}
    rows = np.array(kept, dtype=np.int64)
    return SourceTable(file.name, to_frame(columns, len(kept)), rows, "row", statements=statements)


def _padded(line: Sequence[Any], width: int) -> list[Any]:
    return [*line, *[None] * (width - len(line))]


def _column(values: Sequence[Any], missing: Sequence[str]) -> npt.NDArray[np.object_]:
    """Make a column of cells, None where one means missing."""
    cells = np.empty(len(values), object)
    cells[:] = [None if missing and _text(value) in missing else value for value in values]
    return cells


def _choose_rows(file: SourceFile, grid: Grid, statements: list[str]) -> tuple[int, list[int]]:
    """Find the row of the names and those of the records."""
    configured = file.options.get("header_row")
    if not grid.lines:
        raise file.invalid("holds no cell")
    header_row = configured or min(grid.lines)
    if header_row not in grid.lines:
        raise file.invalid("the row of the names is blank or not there", configured)
    if header_row > min(grid.lines):
        statements.append(f"names are in row {header_row}; rows above it are not read")
    first, last = file.options.get("rows", (header_row + 1, None))
    if first <= header_row:
        raise file.invalid(f"records cannot begin at row {first}: names are in {header_row}")
    if "rows" in file.options:
        statements.append(f"records are read from row {first} to {last or 'the last'}")
    kept = [row for row in grid.lines if first <= row <= (last or LAST_ROW)]
    if kept and (blank := kept[-1] - first + 1 - len(kept)):
        statements.append(f"blank rows are left out: {blank}")
    return header_row, kept


def _unstored_results(
    file: SourceFile, grid: Grid, rows: set[int], names: dict[int, str]
) -> list[Problem]:
    if not grid.formulas:
        return []
    message = "holds a formula without a stored result; open the file in Excel and save it"
    return [
        file.problem(message, row, names[at])
        for row, at in grid.formulas
        if row in rows and at in names and grid.is_unstored(row, at)
    ]


def _cell_statements(grid: Grid, rows: set[int], names: dict[int, str]) -> list[str]:
    """Say which columns hold formulas and errors."""
    statements = []
    for places, words in (
        (grid.formulas, "formulas, read by their stored results"),
        (grid.errors, "Excel errors, kept as text"),
    ):
        held: dict[str, list[int]] = {}
        for row, at in places:
            if row in rows and at in names:
                held.setdefault(names[at], []).append(row)
        statements += [
            f"{len(found)} cells of {name} hold {words} (rows {listing(found)})"
            for name, found in held.items()
        ]
    return statements


def _text(value: Any) -> str:
    """Write a cell as a spreadsheet would show it plainly."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat() if value.time() != datetime.time() else str(value.date())
    return str(value)
