"""Where do the rows of a delimited text begin and end, and how many cells have they?

A quoted cell may hold delimiters and line breaks, so that both count only outside of quotation
marks. That is worked out for all bytes of the text at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.ingest.readers.source import SourceFile

NEWLINE, RETURN = ord("\n"), ord("\r")
LONGEST_ROW = 1 << 28

Bytes = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """The rows of a text, blank ones included.

    Attributes
    ----------
    starts, ends
        Byte at which each row begins, and the one behind its last, without the line break.
    cells
        Number of cells of each row.
    breaks_in_cells
        Whether a quoted cell holds a line break.
    """

    starts: Positions
    ends: Positions
    cells: Positions
    breaks_in_cells: bool

    @property
    def is_blank(self) -> npt.NDArray[np.bool_]:
        """Which rows hold nothing at all."""
        blank: npt.NDArray[np.bool_] = self.ends == self.starts
        return blank


def opens_cells(text: bytes, delimiter: str, quote: str) -> bool:
    """Tell whether a quotation mark begins a cell anywhere."""
    data = np.frombuffer(text, np.uint8)
    marks = np.flatnonzero(data == ord(quote))
    before = np.where(marks > 0, data[marks - 1], NEWLINE)
    return bool(np.isin(before, [ord(delimiter), NEWLINE]).any())


def find_rows(file: SourceFile, text: bytes, delimiter: str, quote: str) -> Grid:
    """Find the rows of a text.

    Parameters
    ----------
    file
        The file, for messages.
    text
        UTF-8 with line feeds, or carriage returns and line feeds.
    delimiter
        Character between cells.
    quote
        Quotation mark, or "" if there is none.

    Returns
    -------
    Grid

    Raises
    ------
    InvalidInput
        A quotation mark within a cell or left open, a carriage return within a row, a row that
        is too long.
    """
    data = np.frombuffer(text, np.uint8)
    marks = np.flatnonzero(data == ord(quote)) if quote else np.empty(0, np.int64)
    breaks = _outside(np.flatnonzero(data == NEWLINE), marks)
    if marks.size:
        _refuse_misquoted(file, data, marks, breaks, delimiter, quote)
    starts = np.concatenate([[0], breaks + 1])
    ends = np.concatenate([breaks, [len(data)]])
    if len(starts) > 1 and starts[-1] == len(data):
        starts, ends = starts[:-1], ends[:-1]
    ends = ends - ((ends > starts) & (data[np.maximum(ends - 1, 0)] == RETURN))
    _refuse_stray_returns(file, data, marks, ends, breaks)
    if (ends - starts).max() > LONGEST_ROW:
        row = int((ends - starts).argmax()) + 1
        raise file.invalid(f"the row has more than {LONGEST_ROW} bytes", row)
    between = _outside(np.flatnonzero(data == ord(delimiter)), marks)
    cells = np.searchsorted(between, ends) - np.searchsorted(between, starts) + 1
    return Grid(starts, ends, cells, text.count(b"\n") > len(breaks))


def _outside(positions: Positions, marks: Positions) -> Positions:
    """Keep the positions outside of quotation: an even number of marks stands before them."""
    if not marks.size:
        return positions
    kept: Positions = positions[np.searchsorted(marks, positions) % 2 == 0]
    return kept


def _refuse_misquoted(
    file: SourceFile, data: Bytes, marks: Positions, breaks: Positions, delimiter: str, quote: str
) -> None:
    """Check that marks open and close whole cells, or are doubled within one (RFC 4180)."""
    edges = [ord(delimiter), NEWLINE, RETURN]
    padded = np.concatenate([[NEWLINE], data, [NEWLINE]])
    opening, closing = marks[0::2], marks[1::2]
    opens = np.isin(padded[opening], edges)
    closes = np.isin(padded[closing + 2], edges)
    # A mark that closes and one that opens side by side are one mark within the cell.
    doubled = closing[: len(opening) - 1] + 1 == opening[1 : len(closing) + 1]
    opens[1 : len(doubled) + 1] |= doubled
    closes[: len(doubled)] |= doubled
    wrong = [*opening[~opens][:1], *closing[~closes][:1]]
    if not wrong and len(marks) % 2:
        wrong = [marks[-1]]
    if wrong:
        row = int(np.searchsorted(breaks, min(wrong))) + 1
        raise file.invalid(
            f"a quotation mark ({quote}) stands within a cell, or is left open in this or an "
            "earlier row; double it within a quoted cell, or set the option quote to none",
            row,
        )


def _refuse_stray_returns(
    file: SourceFile, data: Bytes, marks: Positions, ends: Positions, breaks: Positions
) -> None:
    """Refuse a carriage return within a row: some readers end the row there, others do not."""
    returns = _outside(np.flatnonzero(data == RETURN), marks)
    stray = np.setdiff1d(returns, ends, assume_unique=True)
    rows = np.unique(np.searchsorted(breaks, stray)) + 1
    file.refuse(file.problem("holds a carriage return within the row", row) for row in rows)
