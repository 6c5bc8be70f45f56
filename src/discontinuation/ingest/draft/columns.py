"""What does one column of a file hold?"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.ingest.draft.dates import date_orders
from discontinuation.ingest.readers import SourceTable, as_numbers
from discontinuation.ingest.rows import written

# Words that mean a blank cell in a column of numbers.
MISSING_WORDS = frozenset(
    {
        *("NA", "N/A", "n/a", "na", "n.a.", ".", "-", "?", "NULL", "null", "NaN", "nan", "#N/A"),
        *("#NULL!", "ND", "missing", "Missing", "MISSING", "none", "None"),
    }
)
MISSING_LABEL = re.compile(
    r"missing|refus|not (done|applicable|answered|asked)|unknown|don'?t know"
)
# Numbers that stand for a missing value, where they lie apart from the others.
CODES = np.array(
    [
        *(-code for code in (1, 2, 3, 6, 7, 8, 9, 66, 77, 88, 98, 99, 666, 777, 888, 998, 999)),
        *(-9998, -9999, -99999, 8, 9, 66, 77, 88, 97, 98, 99, 777, 888, 997, 998, 999),
        *(7777, 8888, 9998, 9999, 99999, 999999),
    ],
    dtype=float,
)
# Codes from here on are no days and no scores.
FAR = 666
# A person's identifier may have as many values as there are people; what they look like shows in
# the first of them.
LOOKED_AT = 3000
TIME_NAME = re.compile(r"(^|[^a-z])(days?|weeks?|months?|visit|time|when|date)([^a-z]|$)|dy$|_no$")
CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?")
EXAMPLES = 3


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a source with what its values show.

    Attributes
    ----------
    table
        The file.
    name
        Its name there.
    """

    table: SourceTable
    name: str

    @property
    def cells(self) -> pd.Series[Any]:
        """Every cell."""
        return self.table.frame[self.name]

    @property
    def label(self) -> str:
        """The label that the file gives it."""
        return self.table.labels.get(self.name, "")

    @property
    def value_labels(self) -> dict[Any, str]:
        """The label of each code."""
        return self.table.value_labels.get(self.name, {})

    @cached_property
    def codes(self) -> tuple[npt.NDArray[np.intp], list[Any]]:
        """Code of every cell (-1 where blank) and the different values, in order of appearance."""
        codes, values = pd.factorize(self.cells.astype(object), use_na_sentinel=True)
        return codes, list(values)

    @property
    def values(self) -> list[Any]:
        """The different values as they stand there, in order of appearance."""
        return self.codes[1]

    @cached_property
    def texts(self) -> list[str]:
        """The different values as a reader would write them."""
        return [str(written(value)) for value in self.values]

    @cached_property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Which cells hold something."""
        return np.asarray(self.codes[0] >= 0)

    @property
    def is_empty(self) -> bool:
        """Whether no cell holds anything."""
        return not self.values

    @cached_property
    def file_codes(self) -> list[Any]:
        """Values that the file itself, or the label of the value, calls missing."""
        declared = self.table.user_missing.get(self.name, [])
        labelled = [
            code for code, label in self.value_labels.items() if MISSING_LABEL.search(label.lower())
        ]
        return [value for value in self.values if _among(value, declared) or value in labelled]

    @cached_property
    def blank_words(self) -> list[str]:
        """Words that mean missing, in a column that holds numbers, dates or times otherwise."""
        found = [value for value in self.values if value in MISSING_WORDS]
        return found if found and self.kind != "text" else []

    @cached_property
    def _content(self) -> list[Any]:
        """The values that are neither words for missing nor codes that the file declares."""
        return [v for v in self.values if v not in MISSING_WORDS and v not in self.file_codes]

    @cached_property
    def _numbers(self) -> npt.NDArray[np.float64] | None:
        """The content as numbers, or None if it is something else."""
        if not self._content or isinstance(self._content[0], bool):
            return None
        decimal = "," if self.name in self.table.decimal_comma else "."
        numbers, bad = as_numbers(pd.Series(self._content, dtype=object), decimal)
        return None if bad.any() else np.asarray(numbers, dtype=np.float64)

    @cached_property
    def kind(self) -> str:
        """What it holds: nothing, numbers, dates, times (of day), or text."""
        if not self._content:
            return "nothing"
        if self._numbers is not None:
            return "numbers"
        if all(CLOCK.fullmatch(_clock_text(value)) for value in self._content[:LOOKED_AT]):
            return "times"
        return "dates" if self.orders else "text"

    @cached_property
    def orders(self) -> list[str]:
        """Orders of day, month and year in which every value is a date."""
        if self._numbers is not None:
            return []
        return date_orders(self._content[:LOOKED_AT])

    @property
    def is_number(self) -> bool:
        """Whether all it holds are numbers."""
        return self.kind == "numbers"

    @cached_property
    def is_whole(self) -> bool:
        """Whether all it holds are whole numbers."""
        return self.is_number and bool((self.numbers % 1 == 0).all())

    @cached_property
    def outliers(self) -> list[Any]:
        """Numbers that look like codes for missing: they lie apart from all other values."""
        if self._numbers is None:
            return []
        numbers = self._numbers
        candidates = np.isin(numbers, CODES)
        if TIME_NAME.search(self.name.lower()) or TIME_NAME.search(self.label.lower()):
            # A visit may well be on day -7 or 99.
            candidates &= np.abs(numbers) >= FAR
        apart = _apart(numbers, candidates)
        return [value for value, is_code in zip(self._content, apart, strict=True) if is_code]

    @property
    def missing(self) -> list[Any]:
        """All that means missing: words, codes that the file declares, and those that look so."""
        return [plain(value) for value in (*self.blank_words, *self.file_codes, *self.outliers)]

    @cached_property
    def numbers(self) -> npt.NDArray[np.float64]:
        """The different numbers, without codes for missing; empty if it holds something else."""
        if self._numbers is None:
            return np.array([])
        kept = [value not in self.outliers for value in self._content]
        return np.asarray(self._numbers[kept])

    @cached_property
    def every_number(self) -> npt.NDArray[np.float64]:
        """The number in every cell; NaN where there is none or a code for missing."""
        by_value: dict[Any, float] = {}
        if self._numbers is not None:
            by_value = dict(zip(self._content, self._numbers, strict=True))
        dropped = set(self.outliers)
        table = [by_value.get(v, np.nan) if v not in dropped else np.nan for v in self.values]
        return np.array([*table, np.nan])[self.codes[0]]

    @property
    def content_texts(self) -> list[str]:
        """The different values as text, without those that mean missing."""
        missing = set(map(str, self.missing))
        return [text for text in self.texts if text not in missing]

    @property
    def words(self) -> dict[str, str]:
        """The label of each different value, or the value itself, by the value as text."""
        pairs = zip(self.texts, self.values, strict=True)
        return {text: self.value_labels.get(value, text) for text, value in pairs}

    @property
    def examples(self) -> list[str | float | int]:
        """Three of its values, as the declaration can hold them."""
        missing = self.missing
        kept = (plain(value) for value in self.values)
        shown = list(itertools.islice((value for value in kept if value not in missing), EXAMPLES))
        return shown or [plain(value) for value in self.values[:EXAMPLES]]

    def quoted(self) -> str:
        """Name it as a reason does: with its label, where that says more than the name."""
        label = " ".join(self.label.split())
        said = f"{self.name!r}"
        return f"{said} ({label})" if label and label.lower() != self.name.lower() else said


def _among(value: Any, declared: Iterable[Any]) -> bool:
    """Tell whether a value is one of the declared codes or lies in a declared range."""
    for code in declared:
        if isinstance(code, tuple):
            numeric = isinstance(value, int | float | np.number)
            if numeric and float(code[0]) <= float(value) <= float(code[1]):
                return True
        elif value == code:
            return True
    return False


def _apart(
    numbers: npt.NDArray[np.float64], candidates: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Keep the candidates that cannot belong to the other values.

    A negative code must lie below the others with a gap, so that -1 is an answer beside 0, and no
    other value may be negative unless the code is far away. A positive one must lie above the
    others by more than their whole range, so that 99 is a code among scores of 0 to 4 and an age
    among ages; and 8 or 9 must follow answers without a gap, so that a dose of 8 mg is a dose.
    """
    others = numbers[~candidates]
    if not len(others):
        return np.zeros(len(numbers), dtype=bool)
    low, high = others.min(), others.max()
    lowest = low
    for number in sorted(numbers[candidates & (numbers < 0)], reverse=True):
        lowest = number if lowest - number <= 1 else lowest
    below = candidates & (numbers < min(lowest, 0)) & (low >= 0)
    below |= candidates & (numbers <= -FAR) & (numbers < low - (high - low))
    above = candidates & (numbers > high + np.maximum(high - low, 2))
    above &= (high <= 20) | (numbers >= FAR) | (numbers > 3 * high)
    if set(others) != set(np.arange(low, high + 1)) or low not in (0, 1):
        above &= numbers > 9
    return np.asarray(below | above)


def _clock_text(value: Any) -> str:
    if isinstance(value, pd.Timedelta):
        return str(value).removeprefix("0 days ")
    return value.strip() if isinstance(value, str) else str(value)


def plain(value: Any) -> str | float | int:
    """Turn a cell into what YAML holds: a number that is plainly one becomes one."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return int(value) if float(value).is_integer() else float(value)
    if isinstance(value, datetime):
        return value.isoformat().removesuffix("T00:00:00")
    text = str(value)
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d{1,12})?", text):
        return float(text) if "." in text else int(text)
    return text
