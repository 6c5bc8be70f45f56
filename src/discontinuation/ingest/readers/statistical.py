"""What does a data file of SAS, SPSS or Stata hold?"""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.ingest.readers.content import HEAD, SAS7BDAT
from discontinuation.ingest.readers.display_formats import Package, clock, on_clock
from discontinuation.ingest.readers.headings import name_problems
from discontinuation.ingest.readers.source import (
    SourceFile,
    SourceTable,
    listing,
    records,
)
from discontinuation.ingest.readers.text_encoding import WESTERN, show_name
from discontinuation.ingest.readers.transport import check_transport
from discontinuation.ingest.readers.typed_columns import DAY, integers, texts, to_frame
from discontinuation.problems import Problem

CHILD = Path(__file__).with_name("statistical_child.py")
# A reader that needs more memory or time than this for a file of its size has lost its way.
MEMORY, MEMORY_PER_BYTE = 4 << 30, 100
SECONDS, SECONDS_PER_BYTE = 60, 1e-5
STATA_END = b"</stata_dta>"
# Stata 14 and its format 118 brought UTF-8; nothing in older files tells their encoding.
OLD_STATA = re.compile(rb"[\x66-\x73]|<stata_dta><header><release>117")

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Kind(NamedTuple):
    """How one kind of file is read."""

    words: str
    package: Package
    parser: str


XPORT = Kind("a SAS transport file", "SAS", "xport")
SAS_DATA = Kind("a SAS data set", "SAS", "sas7bdat")
STATA = Kind("a Stata data set", "Stata", "dta")
SPSS = Kind("an SPSS data set", "SPSS", "sav/zsav")
PORTABLE = Kind("an SPSS portable file", "SPSS", "por")


@dataclass
class Draft:
    """Columns and what is said of them, while they are being put together."""

    cells: dict[str, Any] = field(default_factory=dict)
    user_missing: dict[str, list[Any]] = field(default_factory=dict)
    kinds: dict[str, list[str]] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)


def read_statistical(file: SourceFile) -> SourceTable:
    """Read a SAS transport file or data set, a Stata data set, or an SPSS file.

    Parameters
    ----------
    file
        The file, with the option ``encoding``.

    Returns
    -------
    SourceTable
        Columns with a date or time format are dates or times. Special missing values (SAS,
        Stata) and user-missing values (SPSS) stand in the frame as codes.

    Raises
    ------
    InvalidInput
        See `read_source`.
    """
    head = file.head(HEAD)
    kind = _kind(head)
    _check_whole(file, kind, head)
    answer, encoding_statement = _read_in_any_encoding(file, kind, head)
    names = [name or "" for name, _ in answer["columns"]]
    if not names:
        raise file.invalid("holds no column")
    file.refuse(name_problems(file, names) + _doubled(file, answer["warnings"]))
    draft = Draft(statements=[encoding_statement])
    for name, cells in answer["columns"]:
        draft.cells[name] = _column(name, cells, answer, kind.package, draft)
    draft.statements += _date_statements(draft.kinds, kind.package)
    draft.statements += _label_statements(answer, kind)
    frame = to_frame(draft.cells, len(draft.cells[names[0]]))
    if not len(frame):
        draft.statements.append("there are no records")
    return SourceTable(
        file.name,
        frame,
        records(len(frame)),
        "record",
        labels={name: label for name, label in answer["labels"].items() if label},
        value_labels=_value_labels(answer, kind.package),
        user_missing=draft.user_missing,
        formats={name: display for name, display in answer["formats"].items() if display},
        statements=draft.statements,
    )


def _kind(head: bytes) -> Kind:
    if head.startswith(b"HEADER RECORD"):
        return XPORT
    if head.startswith(SAS7BDAT):
        return SAS_DATA
    if head.startswith(b"$FL"):
        return SPSS
    is_stata = head.startswith(b"<stata_dta>") or head[1:2] in (b"\1", b"\2")
    return STATA if is_stata else PORTABLE


def _check_whole(file: SourceFile, kind: Kind, head: bytes) -> None:
    """Refuse what the reader would take for a whole file though it was cut off."""
    if kind is XPORT:
        check_transport(file)
    elif head.startswith(b"<stata_dta>") and file.tail(len(STATA_END)) != STATA_END:
        raise file.invalid(f"is cut off: it does not end with {STATA_END.decode()}")


def _read_in_any_encoding(file: SourceFile, kind: Kind, head: bytes) -> tuple[dict[str, Any], str]:
    """Read with the configured or declared encoding, else as UTF-8, else as Windows-1252."""
    configured = file.options.get("encoding")
    declared = not (kind is XPORT or (kind is STATA and OLD_STATA.match(head)))
    answer = _ask(file, kind, configured or (None if declared else "utf-8"))
    if not _is_misread(answer):
        found = _whole(file, kind, answer)
        return found, _encoding_statement(found, kind, configured, declared)
    if configured or declared:
        which = show_name(configured) if configured else "the encoding that it declares"
        raise file.invalid(f"holds text that is not in {which}; set the option encoding")
    answer = _ask(file, kind, WESTERN)
    if _is_misread(answer):
        raise file.invalid(
            "holds text that is neither UTF-8 nor Windows-1252; set the option encoding"
        )
    found = _whole(file, kind, answer)
    return found, _western_statement(file, found["columns"])


def _ask(file: SourceFile, kind: Kind, encoding: str | None) -> Any:
    """Let a process of its own read the file; its answer, or the name and words of its error."""
    size = file.size
    limits = str(MEMORY + MEMORY_PER_BYTE * size)
    path = file.path.absolute()
    try:
        done = subprocess.run(
            [sys.executable, "-P", CHILD, path, kind.parser, (encoding or "").upper(), limits],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS + SECONDS_PER_BYTE * size,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise file.invalid(
            f"cannot be read as {kind.words} within {late.timeout:.0f} seconds; is it damaged?"
        ) from None
    if done.returncode:
        file.damaged(kind.words, "its reader crashed; the file is damaged")
    return pickle.loads(done.stdout)


def _is_misread(answer: Any) -> bool:
    return isinstance(answer, tuple) and (
        answer[0] == "UnicodeDecodeError" or "requested encoding" in answer[1]
    )


def _whole(file: SourceFile, kind: Kind, answer: Any) -> dict[str, Any]:
    if isinstance(answer, dict):
        return answer
    name, words = answer
    if name in ("ImportError", "ModuleNotFoundError"):
        raise ImportError(words)
    if name == "MemoryError":
        words = "it asks for more memory than a file of its size can need; is it damaged?"
    file.damaged(kind.words, words)


def _encoding_statement(
    answer: Mapping[str, Any], kind: Kind, configured: str | None, declared: bool
) -> str:
    if configured:
        return f"encoding {configured} (as configured)"
    if not declared:
        found = [cells for name, cells in answer["columns"] if answer["types"][name] == "string"]
        plain = all(cell.isascii() for cells in found for cell in cells if cell)
        return "encoding ASCII" if plain else "encoding UTF-8 (not declared; all text is valid)"
    if answer["encoding"]:
        return f"encoding {answer['encoding']} (declared by the file)"
    if kind is PORTABLE:
        return "encoding by the file's own table of characters"
    return "encoding UTF-8 (as its format demands)" if kind is STATA else "encoding not declared"


def _western_statement(file: SourceFile, columns: Sequence[tuple[str, Any]]) -> str:
    """Name the first text that made the file Windows-1252; refuse a mixture with UTF-8."""
    utf8: list[Problem] = []
    western: list[tuple[int, str, str]] = []
    for name, cells in columns:
        if not isinstance(cells, list):
            continue
        for record, cell in enumerate(cells, 1):
            if not isinstance(cell, str) or cell.isascii():
                continue
            try:
                cell.encode(WESTERN).decode("utf-8")
            except UnicodeError:
                western.append((record, name, cell))
            else:
                message = f"record {record} is UTF-8, but other text is not; use one encoding"
                utf8.append(file.problem(message, column=name, value=cell))
    if western:
        file.refuse(utf8)
        record, name, cell = min(western)
        byte = next(char for char in cell if not char.isascii()).encode(WESTERN).hex()
        where = f"byte 0x{byte} in {name}, record {record}, read as {cell[:40]!r}"
    else:
        where = "names or labels"
    return f"encoding Windows-1252 (assumed: not UTF-8, {where})"


def _doubled(file: SourceFile, warnings: Sequence[str]) -> list[Problem]:
    """Read the reader's warnings that it renamed a doubled column."""
    names = [re.match(r"column '(.*)' is duplicated", words) for words in warnings]
    message = "the column stands there more than once"
    return [file.problem(message, column=name.group(1)) for name in names if name]


def _column(
    name: str, cells: Any, answer: Mapping[str, Any], package: Package, draft: Draft
) -> Any:
    """Make one column of the frame: text, numbers, dates or times, with codes among them."""
    if answer["types"][name] == "string":
        if ranges := answer["missing_ranges"].get(name):
            draft.user_missing[name] = _codes(ranges)
        return texts(np.array([*cells, None], object)[:-1])
    tags = np.array([None] * len(cells), object)
    if isinstance(cells, list):
        tags[:] = [f".{cell}" if isinstance(cell, str) else None for cell in cells]
        cells = np.array([None if isinstance(c, str) else c for c in cells], float)
    special = answer["special_missing"].get(name)
    if special:
        draft.user_missing[name] = [f".{tag}" for tag in special]
    if ranges := answer["missing_ranges"].get(name):
        draft.user_missing[name] = _codes(ranges)
        found = clock(package, answer["formats"][name])
        if found:
            declared = _within(cells, draft.user_missing[name])
            tags[declared] = cells[declared]
            cells = np.where(declared, np.nan, cells)
    values = _typed(name, cells, answer, package, draft)
    return _with_codes(values, tags)


def _typed(
    name: str, cells: FloatArray, answer: Mapping[str, Any], package: Package, draft: Draft
) -> Any:
    display = answer["formats"][name]
    found = clock(package, display)
    if found is not None:
        values = on_clock(cells, found, package)
        if values is not None:
            draft.kinds.setdefault(found.kind, []).append(name)
            if found.kind == "dates" and np.nansum(cells % (DAY / found.unit)) > 0:
                draft.statements.append(f"some dates of {name} have a time of day: kept")
            return values
        left = found.kind if found.kind in ("parts of dates", "leap-second times") else "no dates"
        draft.kinds.setdefault(left, []).append(f"{name} ({display})")
    if answer["types"][name].startswith("int"):
        return integers(np.nan_to_num(cells).astype(np.int64), np.isnan(cells))
    return cells


def _with_codes(values: Any, tags: npt.NDArray[np.object_]) -> Any:
    """Put codes of missing values among the values."""
    coded = np.array([tag is not None for tag in tags], bool)
    if not coded.any():
        return values
    cells = pd.Series(values).astype(object).to_numpy()
    cells[coded] = tags[coded]
    return cells


def _codes(ranges: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [
        entry["lo"] if entry["lo"] == entry["hi"] else (entry["lo"], entry["hi"])
        for entry in ranges
    ]


def _within(cells: FloatArray, codes: Sequence[Any]) -> BoolArray:
    inside = np.zeros(len(cells), bool)
    for code in codes:
        low, high = code if isinstance(code, tuple) else (code, code)
        inside |= (cells >= low) & (cells <= high)
    return inside


def _value_labels(answer: Mapping[str, Any], package: Package) -> dict[str, dict[Any, str]]:
    def shown(code: Any) -> Any:
        return f".{code}" if isinstance(code, str) and package != "SPSS" else code

    return {
        name: {shown(code): label for code, label in labels.items()}
        for name, labels in answer["value_labels"].items()
        if labels
    }


def _date_statements(kinds: Mapping[str, Sequence[str]], package: Package) -> list[str]:
    """Say which columns are dates by their format, and which only look like it."""
    words = {
        "dates": f"{package} dates by their format",
        "dates and times": f"{package} dates and times by their format",
        "times": f"{package} times by their format, as time since midnight",
        "parts of dates": f"formats that show a part of a {package} date, left as numbers",
        "leap-second times": "times that count leap seconds, left as milliseconds since 1960",
        "no dates": "numbers beyond the calendar in spite of their format, left as numbers",
    }
    return [f"{words[kind]}: {listing(names, 20)}" for kind, names in kinds.items()]


def _label_statements(answer: Mapping[str, Any], kind: Kind) -> list[str]:
    """Say which value labels a Stata file names but does not hold, as one cut off does."""
    if kind is not STATA:
        return []
    lost = [
        f"{name} ({label})"
        for name, label in answer["label_sets"].items()
        if label and name not in answer["value_labels"]
    ]
    return [f"value labels named but not in the file: {listing(lost)}"] if lost else []
