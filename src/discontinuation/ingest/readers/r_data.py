"""What does a data frame saved by R hold?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.ingest.readers.headings import ROW_NAMES, name_problems
from discontinuation.ingest.readers.r_objects import (
    KIND,
    Texts,
    attributes,
    describe,
    follow,
    is_na,
    pairs,
    parse,
    type_name,
)
from discontinuation.ingest.readers.source import (
    SourceFile,
    SourceTable,
    listing,
    records,
)
from discontinuation.ingest.readers.typed_columns import (
    DAY,
    SECOND,
    categories,
    durations,
    floats,
    instants,
    integers,
    texts,
    to_frame,
)
from discontinuation.problems import allowed_values

if TYPE_CHECKING:
    from rdata.parser import RObject

# A list within a list within a list is as deep as data frames are looked for.
DEEPEST = 3


@dataclass
class Draft:
    """Columns and what is said of them, while they are being put together."""

    text: Texts
    cells: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    value_labels: dict[str, dict[Any, str]] = field(default_factory=dict)
    user_missing: dict[str, list[Any]] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Column:
    """One column as R holds it."""

    name: str
    item: RObject
    attributes: dict[str, RObject]
    classes: tuple[str, ...]


def read_r(file: SourceFile) -> SourceTable:
    """Read one data frame of an .rda, .RData or .rds file.

    Parameters
    ----------
    file
        The file, with the options ``object`` and ``encoding``.

    Returns
    -------
    SourceTable
        Factors are categories. Dates and POSIXct are dates and times, the latter in their time
        zone. A difftime keeps its numbers, its unit stands in `formats`. Row names that are text
        are the first column, ``row.names``.

    Raises
    ------
    InvalidInput
        See `read_source`; columns that are lists, matrices, complex numbers or the like.
    """
    parsed = parse(file)
    draft = Draft(Texts(file.options.get("encoding") or parsed.extra.encoding))
    with file.read_as(KIND):
        found = list(_objects(parsed.object, draft.text))
        name, item = _choose(file, found, draft.text)
    several = len(found) > 1 and name
    where = SourceFile(file.path, f"{file.name} [object {name}]") if several else file
    with where.read_as(KIND):
        rows = _read_frame(where, item, draft)
    if draft.text.assumed:
        shown = repr(draft.text.assumed[:40])
        draft.statements.insert(0, f"encoding Windows-1252 (assumed where not UTF-8: {shown})")
    if not rows:
        draft.statements.append("there are no records")
    return SourceTable(
        where.name,
        to_frame(draft.cells, rows),
        records(rows),
        "record",
        draft.labels,
        draft.value_labels,
        draft.user_missing,
        draft.formats,
        draft.statements,
    )


def _objects(root: RObject, text: Texts) -> Iterator[tuple[str, RObject]]:
    """Name every object of the file, and those within lists as list$name."""
    if type_name(root) == "LIST":
        for name, item in pairs(root, text):
            yield from _within(name, item, text, 1)
    else:
        yield from _within("", follow(root), text, 1)


def _within(name: str, item: RObject, text: Texts, depth: int) -> Iterator[tuple[str, RObject]]:
    yield name, item
    if type_name(item) != "VEC" or _is_frame(item, text) or depth > DEEPEST:
        return
    names = attributes(item, text).get("names")
    if names is None:
        return
    for inner, value in zip(text.all(names), item.value, strict=True):
        path = f"{name}${inner}" if name else str(inner)
        yield from _within(path, follow(value), text, depth + 1)


def _is_frame(item: RObject, text: Texts) -> bool:
    return type_name(item) == "VEC" and "data.frame" in _classes(attributes(item, text), text)


def _classes(found: dict[str, RObject], text: Texts) -> tuple[str, ...]:
    return tuple(str(name) for name in text.all(found["class"])) if "class" in found else ()


def _choose(
    file: SourceFile, found: Sequence[tuple[str, RObject]], text: Texts
) -> tuple[str, RObject]:
    """Find the one data frame, or the one asked for."""
    frames = {name: item for name, item in found if _is_frame(item, text)}
    wanted = file.options.get("object")
    if not frames:
        held = [
            f"{name} ({describe(item, text)})" if name else describe(item, text)
            for name, item in found
        ]
        raise file.invalid(f"holds no data frame; it holds {listing(held) or 'nothing'}")
    if wanted is None:
        if len(frames) > 1:
            raise file.invalid(
                f"holds {len(frames)} data frames; set the option object, one of: "
                f"{listing(frames, 20)}"
            )
        return next(iter(frames.items()))
    if wanted in frames:
        return wanted, frames[wanted]
    other = dict(found).get(wanted)
    what = "there is no such object" if other is None else f"is {describe(other, text)}"
    rule = allowed_values([name or "(the only one)" for name in frames], wanted)
    raise file.invalid(f"{what}; {rule}", column="object", value=wanted)


def _read_frame(file: SourceFile, item: RObject, draft: Draft) -> int:
    """Put the columns of a data frame together and return the number of records."""
    found = attributes(item, draft.text)
    names = [str(name or "") for name in draft.text.all(found["names"])] if "names" in found else []
    if not names:
        raise file.invalid("holds no column")
    file.refuse(name_problems(file, names))
    rows = _row_names(found.get("row.names"), len(item.value[0].value), names, draft)
    columns = []
    for name, value in zip(names, item.value, strict=True):
        value = follow(value)
        about = attributes(value, draft.text)
        columns.append(Column(name, value, about, _classes(about, draft.text)))
    file.refuse(
        [
            file.problem(f"is {what}; allowed: a vector or factor", column=column.name)
            for column in columns
            if (what := _not_a_column(column, draft.text))
        ]
    )
    for column in columns:
        if len(column.item.value) != rows:
            file.damaged(KIND, f"{column.name} has {len(column.item.value)} cells of {rows}")
        _describe(column, draft)
        draft.cells[column.name] = _cells(column, draft)
    return rows


def _row_names(item: RObject | None, rows: int, names: Sequence[str], draft: Draft) -> int:
    """Count the records; row names that are text are data."""
    if item is None or type_name(item) != "STR":
        return rows
    found = draft.text.all(item)
    if ROW_NAMES not in names and found != [str(row) for row in range(1, len(found) + 1)]:
        draft.cells[ROW_NAMES] = texts(np.array([*found, None], object)[:-1])
        draft.statements.append(f"names of the rows are the column {ROW_NAMES!r}")
    return len(found)


def _not_a_column(column: Column, text: Texts) -> str | None:
    """Say what a column is if it cannot be one of a table."""
    if "POSIXlt" in column.classes:
        return "of class POSIXlt (in R: as.POSIXct)"
    dim = column.attributes.get("dim")
    if dim is not None and len(dim.value) > 1:
        return "a matrix"
    if type_name(column.item) not in ("LGL", "INT", "REAL", "STR"):
        return describe(column.item, text)
    return None


def _describe(column: Column, draft: Draft) -> None:
    """Note label, display format, value labels and user-missing values."""
    text, about, name = draft.text, column.attributes, column.name
    if label := text.first(about.get("label")):
        draft.labels[name] = label
    display = [about[key] for key in ("format.sas", "format.spss", "format.stata") if key in about]
    unit = text.first(about.get("units"))
    described = text.first(display[0]) if display else ", ".join(column.classes)
    if described:
        draft.formats[name] = f"{described} ({unit})" if unit else described
    codes = about.get("labels")
    if codes is not None and "names" in (naming := attributes(codes, text)):
        labels = [label or "" for label in text.all(naming["names"])]
        draft.value_labels[name] = dict(zip(_plain(codes, text), labels, strict=True))
    missing = _plain(about["na_values"], text) if "na_values" in about else []
    if "na_range" in about:
        low, high = _plain(about["na_range"], text)
        missing.append((low, high))
    if missing:
        draft.user_missing[name] = missing


def _plain(item: RObject, text: Texts) -> list[Any]:
    """List the values of a short vector; a tagged NA as its code."""
    if type_name(item) == "STR":
        return list(text.all(item))
    values = np.ma.getdata(item.value)
    tags = _tags(values) if type_name(item) == "REAL" else {}
    return [tags.get(position, value.item()) for position, value in enumerate(values)]


def _cells(column: Column, draft: Draft) -> Any:
    """Make one column of the frame."""
    kind, classes = type_name(column.item), column.classes
    if kind == "STR":
        return texts(np.array([*draft.text.all(column.item), None], object)[:-1])
    data = np.ma.getdata(column.item.value)
    if "factor" in classes:
        levels = draft.text.all(column.attributes["levels"])
        codes = np.where(_masked(column), 0, data) - 1
        return categories(codes, levels, ordered="ordered" in classes)
    if kind == "LGL":
        return pd.arrays.BooleanArray(data.astype(bool), _masked(column))
    if kind == "INT":
        missing, values = _masked(column), data
    elif "integer64" in classes:
        values = data.view(np.int64)
        missing = values == np.iinfo(np.int64).min
    else:
        return _doubles(column, data, draft)
    clocked = _on_clock(column, np.where(missing, np.nan, values.astype(float)), draft)
    return integers(values, missing) if clocked is None else clocked


def _masked(column: Column) -> npt.NDArray[np.bool_]:
    return np.ma.getmaskarray(column.item.value).copy()


def _doubles(column: Column, data: npt.NDArray[np.float64], draft: Draft) -> Any:
    clocked = _on_clock(column, data, draft)
    if clocked is not None:
        return clocked
    tags = _tags(data)
    values = floats(data, is_na(data))
    if isinstance(values, pd.arrays.FloatingArray):
        draft.statements.append(f"{column.name} holds NaN, which is not a missing value (NA)")
    if not tags:
        return values
    draft.user_missing.setdefault(column.name, []).extend(sorted(set(tags.values())))
    cells = pd.Series(values).astype(object).to_numpy()
    cells[list(tags)] = list(tags.values())
    return cells


def _tags(data: npt.NDArray[np.float64]) -> dict[int, str]:
    """Find tagged missing values: NA with a letter in its fifth byte (as package haven does)."""
    letters = (np.ascontiguousarray(data).view(np.uint64) >> np.uint64(32)) & np.uint64(0xFF)
    tagged = is_na(data) & (letters > 0)
    return {int(at): f".{chr(int(letters[at]))}" for at in np.flatnonzero(tagged)}


def _on_clock(column: Column, values: npt.NDArray[np.float64], draft: Draft) -> Any:
    """Convert dates and times; None for other numbers, and for what no calendar has."""
    classes = column.classes
    clocked: Any = None
    values = np.where(np.isnan(values), np.nan, values)  # R's NA is a NaN that arithmetic warns of.
    if "Date" in classes:
        clocked = instants(values, DAY)
    elif "POSIXct" in classes:
        clocked = instants(values, SECOND)
        if clocked is not None:
            return _in_zone(column, clocked, draft)
    elif "hms" in classes:
        clocked = durations(values, SECOND)
    else:
        return None
    if clocked is None:
        message = "holds dates or times beyond the calendar, left as numbers"
        draft.statements.append(f"{column.name} ({classes[0]}) {message}")
    return clocked


def _in_zone(column: Column, times: npt.NDArray[np.datetime64], draft: Draft) -> Any:
    """Put times into the zone that the column names; without one R means that of the reader."""
    zone = draft.text.first(column.attributes.get("tzone"))
    series = pd.Series(times).dt.tz_localize("UTC")
    if not zone:
        draft.statements.append(f"{column.name} has no time zone: taken as UTC")
        return series
    try:
        shown = series.dt.tz_convert(zone)
    except Exception:  # Zones are looked up by libraries that raise what they like.
        draft.statements.append(f"{column.name} has the unknown time zone {zone!r}: taken as UTC")
        return series
    draft.statements.append(f"{column.name} has the time zone {zone}")
    return shown
