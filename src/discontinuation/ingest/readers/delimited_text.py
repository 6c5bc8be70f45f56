"""Which cells does a delimited text file hold, exactly as they were written?"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from discontinuation.ingest.readers.headings import settle_names
from discontinuation.ingest.readers.layout import find_delimiter, find_quote
from discontinuation.ingest.readers.numbers import comma_reading, has_decimal_point
from discontinuation.ingest.readers.source import RowNumbers, SourceFile, SourceTable, listing
from discontinuation.ingest.readers.text_encoding import to_utf8
from discontinuation.ingest.readers.text_grid import Grid, find_rows
from discontinuation.ingest.readers.typed_columns import to_frame

KIND = "delimited text"


def read_csv(file: SourceFile) -> SourceTable:
    """Read delimited text without interpreting its cells.

    Parameters
    ----------
    file
        The file, with the options of the format ``csv``.

    Returns
    -------
    SourceTable
        All cells str, or None where blank (empty or spaces only) or in the option ``missing``.

    Raises
    ------
    InvalidInput
        See `read_source`.
    """
    text, statements = to_utf8(file, file.options.get("encoding"))
    text = _line_feeds(file, text, statements)
    start = _start_of_header(file, text)
    delimiter, statement = find_delimiter(file, text[start:])
    statements.append(statement)
    quote = find_quote(file, text, start, delimiter, statements)
    grid = find_rows(file, text, delimiter, quote)
    header_at, kept = _choose_rows(file, text, grid, statements)
    names = _split(file, text, grid, header_at, delimiter, quote)
    if file.options.get("row_names"):
        names = ["", *names]
    _refuse_ragged(file, grid, kept, len(names))
    columns = _columns(file, text, grid, kept, len(names), delimiter, quote)
    columns, rows = _without_blanks(columns, kept + 1, names, statements)
    names, places = settle_names(
        file,
        names,
        [len(column) - column.null_count for column in columns],
        not names[0].strip() and len(columns[0].unique()) == len(rows),
        len(rows),
        header_at + 1,
        statements,
    )
    columns = _missing_as_null(file, [columns[place] for place in places], statements)
    comma = _decimal_comma(file, names, columns, statements)
    if not len(rows):
        statements.append("there are no records below the names")
    cells = {name: column.to_pandas() for name, column in zip(names, columns, strict=True)}
    return SourceTable(
        file.name,
        to_frame(cells, len(rows)),
        rows,
        "row",
        statements=statements,
        decimal_comma=comma,
    )


def _line_feeds(file: SourceFile, text: bytes, statements: list[str]) -> bytes:
    """End lines with line feeds, as old Macintosh files do not."""
    if not text.strip():
        raise file.invalid("holds no text: only blank rows")
    if b"\n" not in text and b"\r" in text:
        statements.append("lines end with a carriage return")
        text = text.replace(b"\r", b"\n")
    if not text.endswith(b"\n"):
        statements.append("the last row does not end with a line break")
    return text


def _start_of_header(file: SourceFile, text: bytes) -> int:
    """Find where the header begins: the configured row, or the first one that is not blank."""
    wanted = file.options.get("header_row")
    comment = file.options.get("comment", "").encode()
    position, row = 0, 1
    while position < len(text):
        end = text.find(b"\n", position)
        end = len(text) if end < 0 else end
        line = text[position:end]
        is_comment = bool(comment) and line.startswith(comment)
        if row == wanted or (wanted is None and line.strip() and not is_comment):
            return position
        position, row = end + 1, row + 1
    if wanted is None:
        raise file.invalid("holds only comments")
    raise file.invalid(f"there is no row {wanted}; the last is {row - 1}", column="header_row")


def _choose_rows(
    file: SourceFile, text: bytes, grid: Grid, statements: list[str]
) -> tuple[int, RowNumbers]:
    """Find the header and the rows of records, counted from 0."""
    used = ~grid.is_blank
    if comment := file.options.get("comment"):
        commented = _starting_with(text, grid, comment.encode())
        count = np.count_nonzero(commented)
        statements.append(f"rows that start with {comment!r} are not read: {count}")
        used &= ~commented
    wanted = file.options.get("header_row")
    header_at = int(np.flatnonzero(used)[0]) if wanted is None else wanted - 1
    if header_at >= len(used) or not used[header_at]:
        raise file.invalid("the row of the names is blank or not there", wanted)
    if header_at:
        statements.append(f"names are in row {header_at + 1}; rows above it are not read")
    first, last = file.options.get("rows", (header_at + 2, None))
    if first < header_at + 2:
        raise file.invalid(f"records cannot begin at row {first}: names are in {header_at + 1}")
    if "rows" in file.options:
        statements.append(f"records are read from row {first} to {last or 'the last'}")
    kept = np.flatnonzero(used[first - 1 : last]) + first - 1
    if kept.size and (blank := np.count_nonzero(grid.is_blank[first - 1 : kept[-1]])):
        statements.append(f"blank rows are left out: {blank}")
    return header_at, kept


def _starting_with(text: bytes, grid: Grid, prefix: bytes) -> npt.NDArray[np.bool_]:
    data = np.frombuffer(text + b"\n", np.uint8)
    found: npt.NDArray[np.bool_] = data[grid.starts] == prefix[0]
    for row in np.flatnonzero(found):
        found[row] = text.startswith(prefix, grid.starts[row])
    return found


def _split(
    file: SourceFile, text: bytes, grid: Grid, at: int, delimiter: str, quote: str
) -> list[str]:
    """Split one row into its cells."""
    line = io.StringIO(text[grid.starts[at] : grid.ends[at]].decode(), newline="")
    with file.read_as(f"the names in row {at + 1}"):
        if quote:
            return next(csv.reader(line, delimiter=delimiter, quotechar=quote))
        return next(csv.reader(line, delimiter=delimiter, quoting=csv.QUOTE_NONE))


def _refuse_ragged(file: SourceFile, grid: Grid, kept: RowNumbers, width: int) -> None:
    if kept.size and (grid.cells[kept] == width + 1).all():
        # Either the first cell is the name of the row, or the last is one too many.
        raise file.invalid(
            f"has {width} names and {width + 1} cells in every record; if the first cell is the "
            "name of the row, as R writes it, set the option row_names to true, else name them all"
        )
    rows = kept[grid.cells[kept] != width]
    file.refuse(
        file.problem(f"has {grid.cells[row]} cells; allowed: {width}, as the header", row + 1)
        for row in rows
    )


def _columns(
    file: SourceFile,
    text: bytes,
    grid: Grid,
    kept: RowNumbers,
    width: int,
    delimiter: str,
    quote: str,
) -> list[Any]:
    """Split the records into Arrow columns of text, null where empty."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if not kept.size:
        return [pa.chunked_array([[]], type=pa.string()) for _ in range(width)]
    longest = int((grid.ends - grid.starts).max())
    names = [str(position) for position in range(width)]
    with file.read_as(KIND):
        table = arrow_csv.read_csv(
            pa.py_buffer(_body(text, grid, kept)),
            arrow_csv.ReadOptions(column_names=names, block_size=max(1 << 22, 2 * longest + 64)),
            arrow_csv.ParseOptions(
                delimiter=delimiter,
                quote_char=quote or False,
                newlines_in_values=grid.breaks_in_cells,
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                check_utf8=False,
            ),
        )
        if table.num_rows != len(kept):
            raise ValueError(f"{len(kept)} rows give {table.num_rows} records")
    return list(table.columns)


def _body(text: bytes, grid: Grid, kept: RowNumbers) -> bytes | memoryview:
    """Cut out the records, without the rows between them that are not read."""
    first, last = int(kept[0]), int(kept[-1])
    if len(kept) == np.count_nonzero(~grid.is_blank[first : last + 1]):
        return memoryview(text)[grid.starts[first] : grid.ends[last]]
    return b"\n".join(text[grid.starts[row] : grid.ends[row]] for row in kept)


def _without_blanks(
    columns: Sequence[Any], rows: RowNumbers, names: Sequence[str], statements: list[str]
) -> tuple[list[Any], RowNumbers]:
    """Take cells of nothing but spaces as blank; leave out records of nothing but blank cells."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found, spaces = [], []
    filled = np.zeros(len(rows), bool)
    for name, column in zip(names, columns, strict=True):
        blank = pc.utf8_is_space(column)
        if pc.any(blank).as_py():
            spaces.append(name)
            column = pc.if_else(blank, None, column)
        found.append(column)
        filled |= column.is_valid().to_numpy().astype(bool)
    if spaces:
        statements.append(f"cells of spaces only are blank, in {listing(spaces)}")
    if not filled.all():
        statements.append(f"rows of blank cells are left out: {np.count_nonzero(~filled)}")
        kept = pa.array(filled)
        found, rows = [column.filter(kept) for column in found], rows[filled]
    return found, rows


def _missing_as_null(file: SourceFile, columns: Sequence[Any], statements: list[str]) -> list[Any]:
    """Blank the cells that mean a missing value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = file.options.get("missing")
    if not missing:
        return list(columns)
    statements.append(f"missing are also: {listing(missing, 20)}")
    meant = pa.array(missing, type=pa.string())
    return [pc.if_else(pc.is_in(column, meant), None, column) for column in columns]


def _decimal_comma(
    file: SourceFile, names: Sequence[str], columns: Sequence[Any], statements: list[str]
) -> frozenset[str]:
    """Find the columns whose numbers have a decimal comma."""
    if decimal := file.options.get("decimal"):
        statements.append(f"decimal separator {decimal!r} (as configured)")
        return frozenset(names if decimal == "," else ())
    reading = {name: comma_reading(column) for name, column in zip(names, columns, strict=True)}
    comma = [name for name, found in reading.items() if found == "decimal"]
    unclear = [name for name, found in reading.items() if found == "unclear"]
    if unclear and comma and not any(map(has_decimal_point, columns)):
        comma, unclear = [name for name in names if reading[name]], []
    if comma:
        statements.append(f"decimal comma in {listing(comma, 20)}")
    if unclear:
        statements.append(
            f"commas in {listing(unclear, 20)} may be decimal commas or mark thousands: "
            "not taken as numbers; set the option decimal"
        )
    return frozenset(comma)
