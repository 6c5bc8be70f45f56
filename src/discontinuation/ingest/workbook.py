"""A review as one spreadsheet: write an empty one with drop-downs, read a filled one."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discontinuation.problems import Problem, shorten
from discontinuation.tables.check import RawTable
from discontinuation.tables.schema import Column, Table, read_schema

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

WORKBOOK = "review.xlsx"
READ_ME = "read me"
# Spreadsheets keep drop-downs for this many rows: enough for any review by hand.
ROWS = 2000
# Columns that only the bundled evidence, read more than once, needs.
NOT_ASKED = ("reading",)


def workbook_tables() -> dict[str, Table]:
    """List the tables that a review workbook holds, one per sheet."""
    return {name: table for name, table in read_schema("evidence").items() if table.in_workbook}


def write_workbook(path: Path, title: str) -> None:
    """Write an empty review workbook.

    Parameters
    ----------
    path
        Where; an existing file is never overwritten.
    title
        Name of the review, shown on the first sheet.

    Raises
    ------
    FileExistsError
        If there is a file already.
    """
    from openpyxl import Workbook

    if path.exists():
        raise FileExistsError(path)
    book = Workbook()
    _write_read_me(book, title)
    lists = book.create_sheet("lists")
    for table in workbook_tables().values():
        _write_sheet(book.create_sheet(table.name), table, lists)
    lists.sheet_state = "hidden"
    book.move_sheet("lists", len(book.sheetnames))
    book.save(path)


def asked_columns(table: Table) -> list[Column]:
    """List the columns of a sheet."""
    return [column for column in table.columns if column.name not in NOT_ASKED]


def _write_read_me(book: Workbook, title: str) -> None:
    from openpyxl.styles import Alignment, Font

    sheet = book.active
    assert sheet is not None
    sheet.title = READ_ME
    lines = [
        (title, "A review of trials in which people stop a psychiatric drug."),
        ("", "Fill the sheets from left to right: sources, studies, arms, results, effects."),
        ("", "One row each; leave blank what the publication does not say. Nothing is guessed."),
        ("", "A shaded heading must be filled. Point at a heading to see what it means."),
        ("", "Then: discontinuation review check FOLDER, and discontinuation review run FOLDER."),
        ("", "This is a research tool. Nothing in it advises anyone to stop or reduce a drug."),
        ("", ""),
        ("sheet, column", "meaning"),
    ]
    for table in workbook_tables().values():
        lines.append((table.name, table.description))
        for column in asked_columns(table):
            unit = f" [{column.unit}]" if column.unit else ""
            lines.append((f"{table.name}, {column.name}", column.description + unit))
    for line in lines:
        sheet.append(line)
    sheet["A1"].font = Font(bold=True, size=14)
    sheet.column_dimensions["A"].width = 34
    sheet.column_dimensions["B"].width = 120
    for row in sheet.iter_rows(min_col=2, max_col=2):
        row[0].alignment = Alignment(wrap_text=True, vertical="top")


def _write_sheet(sheet: Worksheet, table: Table, lists: Worksheet) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter

    for position, column in enumerate(asked_columns(table), 1):
        letter = get_column_letter(position)
        heading = sheet.cell(1, position, column.name)
        heading.font = Font(bold=True)
        if column.required:
            heading.fill = PatternFill("solid", fgColor="DDDDDD")
        unit = f"\nUnit: {column.unit}" if column.unit else ""
        heading.comment = Comment(column.description + unit, "discontinuation", 220, 420)
        sheet.column_dimensions[letter].width = max(12, len(column.name) + 3)
        cells = f"{letter}2:{letter}{ROWS}"
        _add_validation(sheet, column, cells, lists, f"{table.name}, {column.name}")
        if not column.is_number:
            # Text format keeps a spreadsheet from turning an identifier into a date.
            for row in range(2, 202):
                sheet.cell(row, position).number_format = "@"
    _add_key_lists(sheet, table)
    sheet.freeze_panes = "B2"


def _add_validation(
    sheet: Worksheet, column: Column, cells: str, lists: Worksheet, title: str
) -> None:
    from openpyxl.worksheet.datavalidation import DataValidation

    if column.allowed:
        rule = DataValidation(
            type="list", formula1=_list_of(column, lists, title), allow_blank=True
        )
    elif column.is_number:
        low = column.minimum if column.minimum is not None else -1_000_000_000
        high = column.maximum if column.maximum is not None else 1_000_000_000
        rule = DataValidation(
            type="whole" if column.type == "integer" else "decimal",
            operator="between",
            formula1=f"{low:.10g}",
            formula2=f"{high:.10g}",
        )
        rule.allow_blank = True
    else:
        return
    rule.showErrorMessage = True
    rule.errorTitle = column.name
    rule.error = ("Allowed: " + ", ".join(column.allowed))[:250] if column.allowed else "A number."
    sheet.add_data_validation(rule)
    rule.add(cells)


def _list_of(column: Column, lists: Worksheet, title: str) -> str:
    """Put the allowed values of a column on the hidden sheet."""
    from openpyxl.utils import get_column_letter

    position = 1 if lists["A1"].value is None else lists.max_column + 1
    for row, value in enumerate((title, *column.allowed), 1):
        lists.cell(row, position, value)
    letter = get_column_letter(position)
    return f"lists!${letter}$2:${letter}${len(column.allowed) + 1}"


def _add_key_lists(sheet: Worksheet, table: Table) -> None:
    """Offer the keys already entered on the sheet that a column refers to."""
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    names = [column.name for column in asked_columns(table)]
    for key in table.foreign_keys:
        if len(key.columns) != 1:
            continue
        letter = get_column_letter(names.index(key.columns[0]) + 1)
        rule = DataValidation(type="list", formula1=f"{key.table}!$A$2:$A${ROWS}", allow_blank=True)
        sheet.add_data_validation(rule)
        rule.add(f"{letter}2:{letter}{ROWS}")


def read_workbook(path: Path) -> tuple[dict[str, RawTable], list[Problem]]:
    """Read a review workbook as text.

    Returns
    -------
    tables : dict of RawTable
        Every sheet that is a table, all cells as text; columns that are not asked for in a
        workbook are added blank.
    problems : list of Problem
        Missing sheets, unknown sheets, and cells that are not plain values.
    """
    from openpyxl import load_workbook
    from openpyxl.worksheet.worksheet import Worksheet

    try:
        # Read first: openpyxl leaves a damaged file open.
        book = load_workbook(io.BytesIO(path.read_bytes()))
    except Exception as error:
        return {}, [_unreadable(path.name, error)]
    wanted = workbook_tables()
    problems = [
        Problem(path.name, f"the sheet {name} is missing") for name in wanted if name not in book
    ]
    problems += [
        Problem(path.name, f"unknown sheet {name!r}; allowed: {', '.join(wanted)}")
        for name in book.sheetnames
        if name not in (*wanted, READ_ME, "lists")
    ]
    tables = {}
    for name in wanted:
        if name not in book:
            continue
        file = f"{path.name}, sheet {name}"
        if not isinstance(book[name], Worksheet):
            problems.append(Problem(file, "is not a worksheet; allowed: a sheet of cells"))
            continue
        try:
            tables[name], found = _read_sheet(book[name], wanted[name], file)
        except Exception as error:
            found = [_unreadable(file, error)]
        problems += found
    return tables, problems


def _unreadable(file: str, error: Exception) -> Problem:
    """Report a damaged workbook.

    A flipped byte or a truncated part surfaces as whatever openpyxl, its XML parser, zlib or a
    conversion happens to raise, so the callers catch every exception: none is worth a traceback.
    """
    reason = " ".join(str(error).split()) or type(error).__name__
    return Problem(file, f"cannot be read as an XLSX workbook ({shorten(reason, 160)})")


def _read_sheet(sheet: Any, table: Table, file: str) -> tuple[RawTable, list[Problem]]:
    problems: list[Problem] = []
    lines = list(sheet.iter_rows())
    header = [_text(cell.value) for cell in lines[0]] if lines else []
    while header and header[-1] == "":
        header.pop()
    records, rows = [], []
    for row, line in enumerate(lines[1:], 2):
        cells = {}
        for name, cell in zip(header, line, strict=False):
            if cell.data_type in ("f", "e"):
                kind = "a formula" if cell.data_type == "f" else "an error"
                message = f"holds {kind}; allowed: a value (paste it as a value)"
                problems.append(Problem(file, message, row, name, str(cell.value)))
            cells[name] = _text(cell.value)
        problems += _beyond(line[len(header) :], row, file)
        if any(cells.values()):
            records.append(cells | {name: "" for name in NOT_ASKED if name in table.column_names})
            rows.append(row)
    added = [name for name in NOT_ASKED if name in table.column_names and name not in header]
    return RawTable(file, header + added, records, rows), problems


def _beyond(line: Sequence[Any], row: int, file: str) -> Iterator[Problem]:
    """Report what stands to the right of the last heading."""
    for cell in line:
        if value := _text(cell.value):
            message = "stands beyond the last heading; allowed: values under a heading"
            yield Problem(file, message, row, cell.column_letter, value)


def _text(value: object) -> str:
    """Write a cell's value as text, as a CSV file would hold it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value)
