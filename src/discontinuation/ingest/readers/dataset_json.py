"""What does a CDISC Dataset-JSON file hold?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from discontinuation.ingest.readers.display_formats import clock, on_clock
from discontinuation.ingest.readers.headings import name_problems
from discontinuation.ingest.readers.source import (
    SourceFile,
    SourceTable,
)
from discontinuation.ingest.readers.text_encoding import to_utf8
from discontinuation.ingest.readers.typed_columns import floats, integers, texts, to_frame
from discontinuation.problems import Problem, allowed_values

KIND = "Dataset-JSON"
# CDISC Dataset-JSON 1.1, supported column data type combinations, and the types of version 1.0.
# Dates stay ISO 8601 text: they may be partial. Decimals stay text, as exact as they are written.
TYPES: dict[str, frozenset[type]] = {
    **dict.fromkeys(("string", "datetime", "date", "time", "URI"), frozenset({str})),
    **dict.fromkeys(("integer", "float", "double"), frozenset({int, float})),
    "decimal": frozenset({str, int, float}),
    "boolean": frozenset({bool}),
}
WORDS = {str: "text", int: "a number", float: "a number", bool: "true or false"}


@dataclass(frozen=True)
class Document:
    """The parts of a Dataset-JSON file, whichever version.

    Attributes
    ----------
    version
        Words for the statement.
    columns
        Description of each column: name, label, type, display format.
    rows
        Cells of each record.
    declared
        Number of records that the file declares.
    first
        Row number of the first record.
    word
        What messages call a record.
    """

    version: str
    columns: Sequence[Any]
    rows: Sequence[Any]
    declared: Any
    first: int = 1
    word: Literal["row", "record"] = "record"


def read_dataset_json(file: SourceFile) -> SourceTable:
    """Read CDISC Dataset-JSON, version 1.0 or 1.1, as one document or as NDJSON.

    Parameters
    ----------
    file
        The file.

    Returns
    -------
    SourceTable
        Dates, times and decimals are text as written; numbers with a SAS date format are dates.
        `rows` are line numbers in NDJSON, numbers of records otherwise.

    Raises
    ------
    InvalidInput
        See `read_source`; records that do not match the described columns.
    """
    text, statements = to_utf8(file)
    first, _, rest = text.partition(b"\n")
    if rest.lstrip().startswith(b"["):
        document = _ndjson(file, _parse(file, first, 1), rest)
    else:
        document = _document(file, _parse(file, text, 1))
    names = _described(file, document.columns)
    _refuse_misshapen(file, document, len(names))
    cells = [list(column) for column in zip(*document.rows, strict=True)] or [[] for _ in names]
    file.refuse(_mistyped(file, document, names, cells))
    statements.append(document.version)
    with file.read_as(KIND):
        columns = {
            name: _column(column, values, statements)
            for name, column, values in zip(names, document.columns, cells, strict=True)
        }
    frame = to_frame(columns, len(document.rows))
    if not len(frame):
        statements.append("there are no records")
    return SourceTable(
        file.name,
        frame,
        np.arange(document.first, document.first + len(frame), dtype=np.int64),
        document.word,
        labels=_about(names, document.columns, "label"),
        formats=_about(names, document.columns, "displayFormat"),
        statements=statements,
    )


def _parse(file: SourceFile, text: bytes, row: int) -> Any:
    """Parse JSON strictly: no NaN, no key twice."""
    try:
        return json.loads(
            text.decode(), parse_constant=_no_constant, object_pairs_hook=_unique_keys
        )
    except json.JSONDecodeError as error:
        message = f"cannot be read as JSON ({error.msg}, at character {error.colno})"
        raise file.invalid(message, row + error.lineno - 1) from None
    except (ValueError, RecursionError) as error:
        raise file.invalid(f"cannot be read as JSON ({error})", row) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _unique_keys(found: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(found)
    if len(keys) < len(found):
        raise ValueError("an object has the same key twice")
    return keys


def _ndjson(file: SourceFile, head: Any, rest: bytes) -> Document:
    if not isinstance(head, dict) or not isinstance(head.get("columns"), list):
        raise file.invalid("is not Dataset-NDJSON: its first line does not describe columns", 1)
    rows, problems, numbers = [], [], []
    for number, line in enumerate(rest.split(b"\n"), 2):
        if not line.strip():
            continue
        try:
            rows.append(_parse(file, line, number))
            numbers.append(number)
        except ValueError as error:
            problems += error.problems  # type: ignore[attr-defined]
    file.refuse(problems)
    if numbers != list(range(2, len(numbers) + 2)):
        raise file.invalid("has blank lines between its records; allowed: one record per line")
    version = f"Dataset-NDJSON {head.get('datasetJSONVersion', '')}".strip()
    return Document(version, head["columns"], rows, head.get("records"), 2, "row")


def _document(file: SourceFile, top: Any) -> Document:
    if isinstance(top, dict) and isinstance(top.get("columns"), list):
        version = f"{KIND} {top.get('datasetJSONVersion', '')}".strip()
        rows = top.get("rows", [])
        if isinstance(rows, list):
            return Document(version, top["columns"], rows, top.get("records"))
    groups = _groups(top)
    if len(groups) > 1:
        raise file.invalid(f"holds {len(groups)} data sets; allowed: one per file")
    if groups and isinstance(groups[0].get("items"), list):
        rows = groups[0].get("itemData", [])
        if isinstance(rows, list):
            return Document(f"{KIND} 1.0", groups[0]["items"], rows, groups[0].get("records"))
    raise file.invalid(
        "is not Dataset-JSON; allowed: columns and rows (1.1), or itemGroupData with items and "
        "itemData (1.0)"
    )


def _groups(top: Any) -> list[dict[str, Any]]:
    """List the data sets of a version 1.0 document."""
    found: list[dict[str, Any]] = []
    for part in ("clinicalData", "referenceData"):
        held = top.get(part) if isinstance(top, dict) else None
        groups = held.get("itemGroupData") if isinstance(held, dict) else None
        if isinstance(groups, dict):
            found += [group for group in groups.values() if isinstance(group, dict)]
    return found


def _described(file: SourceFile, columns: Sequence[Any]) -> list[str]:
    """Give the names of the columns, if each is described."""
    if not columns:
        raise file.invalid("holds no column")
    problems = []
    for position, column in enumerate(columns, 1):
        if not isinstance(column, dict) or not isinstance(column.get("name"), str):
            problems.append(file.problem(f"column {position} has no name"))
        elif _type(column) not in TYPES:
            message = f"unknown data type; {allowed_values(list(TYPES), str(_type(column)))}"
            problems.append(file.problem(message, None, column["name"], _type(column)))
    file.refuse(problems)
    names = [str(column["name"]) for column in columns]
    file.refuse(name_problems(file, names))
    return names


def _type(column: Mapping[str, Any]) -> Any:
    """Give the data type: dataType since version 1.1, type before."""
    found = column.get("dataType", column.get("type"))
    return found if isinstance(found, str) else None


def _about(names: Sequence[str], columns: Sequence[Any], key: str) -> dict[str, str]:
    return {
        name: str(column[key])
        for name, column in zip(names, columns, strict=True)
        if column.get(key)
    }


def _refuse_misshapen(file: SourceFile, document: Document, width: int) -> None:
    file.refuse(_misshapen(file, document, width))
    held, declared = len(document.rows), document.declared
    if declared is not None and declared != held:
        raise file.invalid(f"declares {declared!r} records and holds {held}; was it cut off?")


def _misshapen(file: SourceFile, document: Document, width: int) -> Iterator[Problem]:
    for at, row in enumerate(document.rows):
        if not isinstance(row, list):
            yield _problem(file, document, at, "is not a list of values")
        elif len(row) != width:
            message = f"has {len(row)} values; allowed: {width}, as the columns"
            yield _problem(file, document, at, message)


def _problem(
    file: SourceFile,
    document: Document,
    at: int,
    message: str,
    column: str | None = None,
    value: object = None,
) -> Problem:
    number = document.first + at
    if document.word == "row":
        return file.problem(message, number, column, value)
    return file.problem(f"record {number} {message}", None, column, value)


def _mistyped(
    file: SourceFile, document: Document, names: Sequence[str], cells: Sequence[list[Any]]
) -> Iterator[Problem]:
    for name, column, values in zip(names, document.columns, cells, strict=True):
        allowed = TYPES[_type(column)] | {type(None)}
        if set(map(type, values)) <= allowed:
            continue
        words = " or ".join(dict.fromkeys(WORDS[kind] for kind in WORDS if kind in allowed))
        message = f"is not {words}, as its type {_type(column)} demands"
        for at, value in enumerate(values):
            if type(value) not in allowed:
                yield _problem(file, document, at, message, name, json.dumps(value))


def _column(column: Mapping[str, Any], values: list[Any], statements: list[str]) -> Any:
    """Make one column of the frame."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {bool}:
        missing = np.array([value is None for value in values], bool)
        return pd.arrays.BooleanArray(np.array([bool(value) for value in values], bool), missing)
    if str in kinds or TYPES[_type(column)] == {str}:
        mixed = [None if value is None else str(value) for value in values]
        return texts(np.array([*mixed, None], object)[:-1])
    return _numbers(column, values, statements)


def _numbers(column: Mapping[str, Any], values: list[Any], statements: list[str]) -> Any:
    missing = np.array([value is None for value in values], bool)
    plain = np.array([np.nan if value is None else value for value in values], float)
    display = column.get("displayFormat")
    found = clock("SAS", display) if isinstance(display, str) else None
    if found is not None and (dates := on_clock(plain, found, "SAS")) is not None:
        statements.append(f"SAS {found.kind} by their format: {column['name']} ({display})")
        return dates
    whole = bool((plain[~missing] % 1 == 0).all())
    if _type(column) != "integer" or not whole:
        if _type(column) == "integer":
            statements.append(f"{column['name']} is declared integer but holds fractions")
        return floats(plain, missing)
    exact = [0 if value is None else int(value) for value in values]
    return integers(np.array(exact, np.int64), missing)
