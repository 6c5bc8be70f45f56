"""How are the cells of a text file separated and quoted?"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from discontinuation.ingest.readers.source import SourceFile
from discontinuation.ingest.readers.text_grid import opens_cells

WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
USUAL = (",", ";", "\t", "|")
# Enough rows to see the pattern, little enough to be read at once.
SAMPLE_ROWS = 200
SAMPLE_BYTES = 1 << 20
DOUBLE, SINGLE = '"', "'"


@dataclass(frozen=True)
class Sample:
    """How many cells the first records have under one delimiter."""

    delimiter: str
    header: int
    records: tuple[int, ...]

    @property
    def named_rows(self) -> bool:
        """Whether every record has one cell more than the header, as R writes row names."""
        return self.header > 1 and set(self.records) == {self.header + 1}

    @property
    def fits(self) -> bool:
        """Whether all records have the cells of the header, and more than one."""
        return self.header > 1 and (set(self.records) <= {self.header} or self.named_rows)

    @property
    def agreement(self) -> float:
        """Share of records with the cells of the header, 0 if that has one."""
        if self.header < 2 or not self.records:
            return 0.0
        return sum(count == self.header for count in self.records) / len(self.records)


def find_delimiter(file: SourceFile, text: bytes) -> tuple[str, str]:
    """Find the character between cells.

    Parameters
    ----------
    file
        The file, with its options.
    text
        UTF-8, starting with the header.

    Returns
    -------
    delimiter, statement : str

    Raises
    ------
    InvalidInput
        No delimiter fits, or several do, or another one fits than the configured one.
    """
    lines, whole = _sample_lines(text, file.options.get("comment"))
    samples = {mark: _sample(lines, mark, whole) for mark in (*USUAL, " ")}
    fitting = [mark for mark in USUAL if samples[mark].fits]
    if not fitting and samples[" "].fits:
        fitting = [" "]
    chosen = file.options.get("delimiter")
    if chosen is not None:
        given = _sample(lines, chosen, whole)
        if given.header == 1 and not given.fits and len(fitting) == 1 and fitting != [chosen]:
            raise _wrong(file, chosen, samples[fitting[0]])
        return chosen, f"delimiter {show(chosen)} (as configured)"
    if len(fitting) == 1:
        return fitting[0], f"delimiter {show(fitting[0])}"
    if len(fitting) > 1:
        raise file.invalid(
            f"cells may be separated by {_either(fitting)}; set the option delimiter", 1
        )
    return _best(file, samples, lines)


def _best(file: SourceFile, samples: dict[str, Sample], lines: Sequence[str]) -> tuple[str, str]:
    """Choose the delimiter of a file in which some rows are ragged, or that has one column."""
    agreeing = [mark for mark in USUAL if samples[mark].agreement >= 0.5]
    if len(agreeing) == 1:
        return agreeing[0], f"delimiter {show(agreeing[0])}"
    if not any(mark in line for line in lines for mark in USUAL):
        return ",", "one column: no delimiter in the first rows"
    widest = max(USUAL, key=lambda mark: max(samples[mark].header, *samples[mark].records, 0))
    cells = [samples[widest].header, *samples[widest].records]
    raise file.invalid(
        f"cannot tell how cells are separated: split at {WORDS[widest]}s, the first rows have "
        f"{', '.join(map(str, cells[:6]))} cells; set the options delimiter and header_row"
    )


def _wrong(file: SourceFile, chosen: str, better: Sample) -> Exception:
    return file.invalid(
        f"with the delimiter {show(chosen)} the first row is one cell; "
        f"the delimiter {show(better.delimiter)} would give {better.header}",
        column="delimiter",
    )


def show(delimiter: str) -> str:
    """Name a delimiter in a message."""
    word = WORDS.get(delimiter, "")
    return word if delimiter in "\t " else f"{delimiter!r}"


def _either(marks: Sequence[str]) -> str:
    words = [f"{WORDS[mark]}s" for mark in marks]
    return ", ".join(words[:-1]) + f" or {words[-1]}"


def _sample_lines(text: bytes, comment: str | None) -> tuple[list[str], bool]:
    """Give the first lines, and whether they are the whole text."""
    head = text[:SAMPLE_BYTES]
    lines = head.decode("utf-8", "ignore").split("\n")
    whole = len(head) == len(text) and len(lines) <= 2 * SAMPLE_ROWS
    lines = [line.removesuffix("\r") for line in lines[: 2 * SAMPLE_ROWS]]
    return [line for line in lines if not (comment and line.startswith(comment))], whole


def _sample(lines: Sequence[str], delimiter: str, whole: bool) -> Sample:
    counts = []
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if any(cells):
                counts.append(len(cells))
    except csv.Error:
        pass
    if not whole and len(counts) > 2:
        counts.pop()  # The last row may have been cut off.
    return Sample(delimiter, counts[0] if counts else 1, tuple(counts[1:SAMPLE_ROWS]))


def find_quote(
    file: SourceFile, text: bytes, start: int, delimiter: str, statements: list[str]
) -> str:
    """Find the quotation mark around cells.

    Single marks are taken only if all names stand in them.

    Parameters
    ----------
    file
        The file, with its options.
    text
        UTF-8.
    start
        Where the header begins.
    delimiter
        Character between cells.
    statements
        What was found is added here.

    Returns
    -------
    str
        "" if there is none, or marks are part of the text.
    """
    if "quote" in file.options:
        statements.append(f"quotation mark {file.options['quote'] or 'none'} (as configured)")
        return str(file.options["quote"])
    end = text.find(b"\n", start)
    header = text[start : len(text) if end < 0 else end].decode().rstrip("\r")
    names = [name.strip() for name in header.split(delimiter)]
    if all(len(name) > 1 and name[0] == name[-1] == SINGLE for name in names):
        statements.append(f"quotation mark {SINGLE}")
        return SINGLE
    if DOUBLE.encode() not in text:
        return ""
    if not opens_cells(text, delimiter, DOUBLE):
        statements.append("quotation marks are part of the text: no cell begins with one")
        return ""
    return DOUBLE
