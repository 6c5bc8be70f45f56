"""What is known of one table of a file, before anybody interprets it?"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import InvalidInput, Problem, shorten

# How many of many alike are named in a message or statement.
NAMED = 5
# A file with thousands of bad rows is bad in one way; the first rows show which.
MOST_PROBLEMS = 20

RowNumbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SourceTable:
    """One table as its file holds it, with everything that was assumed to read it.

    Attributes
    ----------
    file
        How messages call it: the name given by the caller, followed by ``[sheet X]`` or
        ``[object y]`` where the file holds several tables.
    frame
        Columns in the order of the file, one row per record, index 0 to n - 1.

        Cells of text formats are str, or None where blank. Cells of a spreadsheet keep the
        type of the cell: str, int, float, bool, datetime.datetime, datetime.time,
        datetime.timedelta or None, in columns of type object. Columns of the binary formats
        and of Dataset-JSON have one type each: whole numbers ``Int64`` (``UInt64`` beyond its
        range), other numbers ``float64`` (``Float64`` where the file tells a missing value,
        NA, from a result that is not a number, NaN), truth values ``boolean``, text object
        (str or None), categories ``category`` (of text), dates and times ``datetime64[us]``
        (``ns`` where finer; with a time zone where the file has one), times of day
        ``timedelta64[us]``. A column that holds special or user-missing codes besides its
        values is object.
    rows
        Row number of each record as a spreadsheet counts, the header being row 1; for binary
        formats the first record is 1. Shape (records,).
    row_word
        How messages call it: ``"row"`` or ``"record"``.
    labels
        Label of the variable, where the file has one.
    value_labels
        Label of each code of a column, where the file has them.
    user_missing
        Codes of a column that mean a kind of missing: numbers or text, ``(low, high)`` for
        a range (SPSS), ``".A"`` and the like for special missing values (SAS, Stata). They
        stay in the frame.
    formats
        Display or storage format, where the file has one.
    statements
        Everything that was found out or assumed.
    decimal_comma
        Text columns whose numbers are written with a decimal comma.
    """

    file: str
    frame: pd.DataFrame
    rows: RowNumbers
    row_word: str
    labels: dict[str, str] = field(default_factory=dict)
    value_labels: dict[str, dict[Any, str]] = field(default_factory=dict)
    user_missing: dict[str, list[Any]] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    decimal_comma: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SourceFile:
    """A file to be read and the options for it.

    Attributes
    ----------
    path
        Where it lies.
    name
        How messages call it.
    options
        Checked options of its format.
    """

    path: Path
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def content(self) -> bytes:
        """All bytes of the file."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise self.invalid(f"cannot be read ({error.strerror or error})") from None

    def head(self, length: int) -> bytes:
        """Return the first bytes of the file."""
        return self._part(0, length)

    def tail(self, length: int) -> bytes:
        """Return the last bytes of the file."""
        return self._part(max(self.size - length, 0), length)

    @property
    def size(self) -> int:
        """Number of bytes of the file."""
        return self.path.stat().st_size

    def _part(self, start: int, length: int) -> bytes:
        try:
            with self.path.open("rb") as stream:
                stream.seek(start)
                return stream.read(length)
        except OSError as error:
            raise self.invalid(f"cannot be read ({error.strerror or error})") from None

    def problem(
        self,
        message: str,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
    ) -> Problem:
        """Name a problem of this file."""
        shown = None if value is None else str(value)
        return Problem(self.name, message, None if row is None else int(row), column, shown)

    def invalid(
        self,
        message: str,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
    ) -> InvalidInput:
        """Make the exception for a single problem of this file."""
        return InvalidInput([self.problem(message, row, column, value)])

    def refuse(self, problems: Iterable[Problem]) -> None:
        """Raise the problems, if any: the first of them and how many more there are."""
        remaining = iter(problems)
        found = list(itertools.islice(remaining, MOST_PROBLEMS))
        if more := sum(1 for _ in remaining):
            found.append(self.problem(f"{more} more problems of this file are not shown"))
        if found:
            raise InvalidInput(found)

    @contextmanager
    def read_as(self, kind: str) -> Iterator[None]:
        """Turn whatever a third-party reader raises into one sentence about the file.

        A flipped byte surfaces as anything from an IndexError to a TypeError, so every
        exception is caught, but for those that are not the file's fault.
        """
        try:
            yield
        except (InvalidInput, MemoryError):
            raise
        except Exception as error:
            self.damaged(kind, error)

    def damaged(self, kind: str, error: BaseException | str) -> NoReturn:
        """Refuse a file that its reader cannot read, in the reader's own words."""
        raise self.invalid(f"cannot be read as {kind} ({one_line(error)})") from None


def one_line(error: BaseException | str) -> str:
    """Shorten what a third-party reader says to one line without places of its own."""
    text = " ".join(str(error).split())
    text = re.sub(r"'?(?:[A-Za-z]:)?[/\\][^\s']+[/\\]([^\s'/\\]+)'?", r"\1", text)
    return shorten(text.rstrip("."), 160) or type(error).__name__


def listing(items: Iterable[object], most: int = NAMED) -> str:
    """List the first items and say how many more there are.

    >>> listing([2, 3, 5], most=2)
    '2, 3 and 1 more'
    """
    found = [str(item) for item in items]
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def records(count: int) -> RowNumbers:
    """Number the records of a binary format."""
    return np.arange(1, count + 1, dtype=np.int64)
