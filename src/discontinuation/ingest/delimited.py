"""Read a delimited text file as it was written, and say what is wrong with its form."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from discontinuation.problems import Problem, refuse
from discontinuation.tables.check import RawTable
from discontinuation.tables.schema import Table

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def read_delimited(path: Path, name: str, table: Table) -> tuple[RawTable, list[Problem]]:
    """Read a CSV file without interpreting its cells.

    The form asked for is UTF-8 with commas. Anything else is a problem, but reading
    goes on as far as it can, so that the problems of the cells are found as well.

    Parameters
    ----------
    path
        The file.
    name
        How messages call it.
    table
        The expected columns: they tell which delimiter the file really has.

    Returns
    -------
    raw : RawTable
    problems : list of Problem
        Those of the form: encoding, delimiter, ragged rows.

    Raises
    ------
    InvalidInput
        If there is nothing to read: a folder, or a file that may not be opened.
    """
    content = _content(path, name)
    text, problems = _decode(content, name)
    delimiter = _delimiter(text, table)
    if delimiter != ",":
        line_ends = ", lines ended by CRLF as spreadsheets write them" if b"\r\n" in content else ""
        problems.append(
            Problem(
                name,
                f"columns are separated by {DELIMITERS[delimiter]}s{line_ends}; "
                "allowed: commas (save as 'CSV UTF-8, comma delimited', numbers with a point)",
                1,
            )
        )
    return _records(text, delimiter, name, problems)


def _content(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        # Windows calls a folder a file without permission.
        message = "is not a file" if path.is_dir() else f"cannot be read ({reason})"
        refuse([Problem(name, message)])
        raise


def _decode(content: bytes, name: str) -> tuple[str, list[Problem]]:
    try:
        return content.decode("utf-8-sig").replace("\0", ""), _null_bytes(content, name)
    except UnicodeDecodeError:
        pass
    problems = []
    for row, line in enumerate(content.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            bad = line[error.start : error.start + 1].hex()
            shown = line[max(0, error.start - 20) : error.start + 20].decode("cp1252", "replace")
            problems.append(
                Problem(
                    name, f"byte 0x{bad} is not UTF-8; save the file as UTF-8", row, value=shown
                )
            )
    # Windows' Western encoding is what such files most often are: good enough to go on checking.
    return content.decode("cp1252", "replace").replace("\0", ""), problems


def _null_bytes(content: bytes, name: str) -> list[Problem]:
    if b"\0" not in content:
        return []
    row = content[: content.index(b"\0")].count(b"\n") + 1
    return [Problem(name, "holds a null byte; is this a text file in UTF-8?", row)]


def _delimiter(text: str, table: Table) -> str:
    """Choose the delimiter under which the header looks most like the table's."""
    header = text.partition("\n")[0].strip("\r")
    names = set(table.column_names)

    def hits(delimiter: str) -> int:
        return len(names & {cell.strip('" ') for cell in header.split(delimiter)})

    best = max(DELIMITERS, key=hits)
    return best if hits(best) > hits(",") else ","


def _records(
    text: str, delimiter: str, name: str, problems: list[Problem]
) -> tuple[RawTable, list[Problem]]:
    lines = []
    try:
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            lines.append(line)
    except csv.Error as error:
        limit = csv.field_size_limit()
        message = f"cannot be read as CSV ({error}); is a quotation mark left open?"
        if "field larger" in str(error):
            message = f"has a cell of more than {limit} characters; is a quotation mark left open?"
        problems.append(Problem(name, message, len(lines) + 1))
    header = [cell.strip() for cell in lines[0]] if lines else []
    records, rows = [], []
    for row, cells in enumerate(lines[1:], 2):
        if not any(cells):
            continue
        if len(cells) != len(header):
            problems.append(
                Problem(name, f"has {len(cells)} cells; allowed: {len(header)}, as the header", row)
            )
        padded = cells + [""] * (len(header) - len(cells))
        records.append(dict(zip(header, padded, strict=False)))
        rows.append(row)
    return RawTable(name, header, records, rows), problems
