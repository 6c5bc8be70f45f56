"""What does a source's cell mean in a canonical table?

Each specification is a declaration from a closed vocabulary; nothing in it is ever evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.ingest.moments import (
    DAYS_PER,
    Clock,
    from_study_days,
    parse_dates,
    parse_times,
)
from discontinuation.ingest.readers import as_numbers
from discontinuation.ingest.rows import (
    Rows,
    cell_problems,
    column_problem,
    same_value,
    user_missing,
    written,
)
from discontinuation.problems import Problem, allowed_values
from discontinuation.tables.schema import Column


@dataclass(frozen=True)
class Aim:
    """The canonical column that is to be made, and where that is declared."""

    column: Column
    place: str
    file: str


TRUE_WORDS, FALSE_WORDS = ("true", "yes", "1", "y"), ("false", "no", "0", "n")


def make_column(
    rows: Rows,
    spec: dict[str, Any],
    aim: Aim,
    clock: Clock,
    persons: pd.Series | None,
) -> tuple[pd.Series, list[Problem]]:
    """Make one canonical column.

    Parameters
    ----------
    rows
        The source rows.
    spec
        The specification, completed.
    aim
        The canonical column, and where the specification stands.
    clock
        How the dataset counts time.
    persons
        The person of each row, where the table has one.

    Returns
    -------
    values : Series
        Of the canonical type: object (text), Int64, float64 or boolean.
    problems : list of Problem
    """
    target = aim.column
    missing = [column_problem(rows, name, aim.place, aim.file) for name in used_columns(spec)]
    if any(missing):
        return empty_column(target, len(rows.frame)), [p for p in missing if p]
    if "date" in spec or "day" in spec or "study_day" in spec:
        return _moment(rows, spec, target, clock, persons)
    if "equals" in spec:
        cells, problems = _cells(rows, spec)
        truth = pd.Series(same_value(cells, spec["equals"]), dtype="boolean")
        return truth.mask(cells.isna().to_numpy()), problems
    cells, problems = _cells(rows, spec)
    values, further = _typed(rows, cells, spec, target)
    return values, problems + further


def used_columns(spec: dict[str, Any]) -> list[str]:
    """List the source columns that a specification reads."""
    names = [spec[kind] for kind in ("column", "date", "day", "study_day", "time") if kind in spec]
    return names + list(spec.get("first", ())) + list(spec.get("paste", ()))


def empty_column(target: Column, length: int) -> pd.Series:
    """Make a column of blanks of the canonical type."""
    return as_type(pd.Series([None] * length, dtype=object), target)


def as_type(values: pd.Series, target: Column) -> pd.Series:
    """Give checked values the canonical type."""
    if target.type == "integer":
        return pd.to_numeric(values).astype("Int64")
    if target.type == "number":
        return pd.to_numeric(values).astype("float64")
    if target.type == "boolean":
        return values.astype("boolean")
    return _none_where_blank(values)


def _none_where_blank(values: pd.Series) -> pd.Series:
    cells = values.to_numpy(dtype=object, copy=True)
    cells[values.isna().to_numpy() | (cells == "")] = None
    return pd.Series(cells, index=values.index, dtype=object)


def _cells(rows: Rows, spec: dict[str, Any]) -> tuple[pd.Series, list[Problem]]:
    """Take the cells, set missing codes to blank, recode, and fill blanks where declared."""
    cells, problems = _found_cells(rows, spec)
    if "blank" in spec:
        cells = cells.astype(object).where(cells.notna(), spec["blank"])
    return cells, problems


def _found_cells(rows: Rows, spec: dict[str, Any]) -> tuple[pd.Series, list[Problem]]:
    if "constant" in spec:
        return pd.Series([spec["constant"]] * len(rows.frame), dtype=object), []
    if "paste" in spec:
        cells = _pasted(rows, spec)
    else:
        cells = _first_filled(rows, spec) if "first" in spec else _labelled(rows, spec)
    cells = cells.mask(_missing(rows, spec, cells))
    if "recode" in spec:
        return _recoded(rows, cells, spec)
    return cells, []


def _pasted(rows: Rows, spec: dict[str, Any]) -> pd.Series:
    parts = [rows.frame[name].map(written, na_action="ignore") for name in spec["paste"]]
    blank = np.logical_or.reduce([part.isna().to_numpy() for part in parts])
    texts = [spec["separator"].join(map(str, row)) for row in zip(*parts, strict=True)]
    return pd.Series(texts, dtype=object).mask(blank, None)


def _first_filled(rows: Rows, spec: dict[str, Any]) -> pd.Series:
    cells: pd.Series = rows.frame[spec["first"][0]].astype(object)
    for name in spec["first"][1:]:
        cells = cells.where(cells.notna(), rows.frame[name].astype(object))
    return cells


def _labelled(rows: Rows, spec: dict[str, Any]) -> pd.Series:
    """Put value labels in the place of codes, where that is declared."""
    cells: pd.Series = rows.frame[spec["column"]]
    labels = rows.source.value_labels.get(spec["column"])
    if not spec.get("labels") or not labels:
        return cells
    named: pd.Series = cells.map(lambda code: labels.get(code, code), na_action="ignore")
    return named


def _missing(rows: Rows, spec: dict[str, Any], cells: pd.Series) -> np.ndarray:
    """Find the cells that mean missing: declared here, or by the file itself."""
    declared = list(spec.get("missing", ()))
    mask = same_value(cells, declared)
    return mask | user_missing(rows, spec["column"]) if "column" in spec else mask


def _recoded(rows: Rows, cells: pd.Series, spec: dict[str, Any]) -> tuple[pd.Series, list[Problem]]:
    recoded = pd.Series([None] * len(cells), dtype=object)
    done = cells.isna().to_numpy()
    for old, new in spec["recode"].items():
        hit = same_value(cells, [old]) & ~done
        recoded = recoded.mask(hit, new)
        done |= hit
    if done.all() or spec["otherwise"] == "blank":
        return recoded, []
    if spec["otherwise"] == "keep":
        return recoded.where(done, cells.astype(object)), []
    known = [str(value) for value in spec["recode"]]
    near = {
        value: f"is not among the recoded values; {allowed_values(known, str(value))}"
        for value in pd.unique(cells[~done])
    }
    name = used_columns(spec)[0]
    return recoded, cell_problems(rows, ~done, name, near, "")


def _typed(
    rows: Rows, cells: pd.Series, spec: dict[str, Any], target: Column
) -> tuple[pd.Series, list[Problem]]:
    name = (used_columns(spec) or [""])[0]
    if target.is_number:
        values, bad = as_numbers(cells, decimal=spec.get("decimal") or decimal_mark(rows, name))
        if "constant" in spec and bad.any():
            said = str(spec["constant"])
            problem = Problem(rows.source.file, "allowed: a number", column=target.name, value=said)
            return empty_column(target, len(cells)), [problem]
        hints = {value: number_hint(target, value) for value in pd.unique(cells[bad])}
        problems = cell_problems(rows, bad.to_numpy(), name, hints, target.name)
        values = values * spec.get("multiply", 1) + spec.get("add", 0)
        fraction = (target.type == "integer") & values.notna() & (values % 1 != 0)
        problems += cell_problems(
            rows, fraction.to_numpy(), name, "allowed: a whole number", target.name
        )
        return as_type(values.mask(fraction), target), problems
    if target.type == "boolean":
        return _boolean(rows, cells, name, target)
    text = cells.map(written, na_action="ignore")
    return _none_where_blank(text), []


def decimal_mark(rows: Rows, name: str) -> str:
    """Tell which mark the numbers of a column are written with."""
    joined = name.rpartition(".")[2]
    return "," if {name, joined} & rows.source.decimal_comma else "."


def number_hint(target: Column, value: Any) -> str:
    """Say which number a column takes, and how a decimal comma is declared."""
    kind = "a whole number" if target.type == "integer" else "a number"
    comma = re.fullmatch(r"\s*-?\d+,\d+\s*", str(value))
    hint = "; for decimal commas declare decimal: ','" if comma else ""
    return f"is not a number; allowed: {kind}, or blank{hint}"


def _boolean(
    rows: Rows, cells: pd.Series, name: str, target: Column
) -> tuple[pd.Series, list[Problem]]:
    words = cells.map(lambda value: (written(value) or "").lower(), na_action="ignore")
    truth = pd.Series(pd.NA, index=cells.index, dtype="boolean")
    truth[words.isin(TRUE_WORDS).to_numpy()] = True
    truth[words.isin(FALSE_WORDS).to_numpy()] = False
    bad = (cells.notna() & truth.isna()).to_numpy()
    if not bad.any():
        return truth, []
    message = "allowed: true or false; declare 'equals' (what means true) or 'recode'"
    if not name:
        return truth, [Problem(rows.source.file, message, column=target.name)]
    return truth, cell_problems(rows, bad, name, message, target.name)


def _moment(
    rows: Rows,
    spec: dict[str, Any],
    target: Column,
    clock: Clock,
    persons: pd.Series | None,
) -> tuple[pd.Series, list[Problem]]:
    """Make a point in time, in days since the origin."""
    if "date" in spec:
        days, problems = read_date(rows, spec, target.name)
        relative = clock.kind == "date" and target.moment
        if target.moment and clock.kind != "date":
            message = "a date needs an origin to count from: declare time.date"
            problems.append(Problem(rows.source.file, message, column=target.name))
    else:
        days, problems = read_day(rows, spec, target.name)
        relative = clock.kind == "day" and "day" in spec and target.moment
    if relative and persons is not None:
        shifted = clock.since_origin(persons, days)
        lost = (shifted.isna() & days.notna() & persons.notna()).to_numpy()
        message = "the person has no origin of time"
        name = spec.get("date", spec.get("day"))
        problems += cell_problems(rows, lost, str(name), message, target.name)
        days = shifted
    days = days + (1.0 if spec["end_of_day"] else 0.0)
    if target.type == "integer":
        return days.round().astype("Int64"), problems
    return days.astype("float64"), problems


def read_date(rows: Rows, spec: dict[str, Any], target: str) -> tuple[pd.Series, list[Problem]]:
    """Read a column of dates as days since 1970-01-01, with the time of day if declared."""
    cells = rows.frame[spec["date"]]
    cells = cells.mask(_missing(rows, {**spec, "column": spec["date"]}, cells))
    days, refused = parse_dates(cells, spec)
    bad = same_object(cells, refused)
    problems = cell_problems(rows, bad, spec["date"], refused, target)
    if "time" in spec:
        fraction, wrong = parse_times(rows.frame[spec["time"]])
        problems += cell_problems(
            rows, wrong.to_numpy(), spec["time"], "is not a time of day such as 14:32", target
        )
        days = days + fraction.fillna(0.0)
    return days, problems


def same_object(cells: pd.Series, values: dict[Any, str]) -> np.ndarray:
    """Find the cells that are among the values, without any conversion."""
    return cells.isin(list(values)).to_numpy() if values else np.zeros(len(cells), dtype=bool)


def read_day(rows: Rows, spec: dict[str, Any], target: str) -> tuple[pd.Series, list[Problem]]:
    """Read a column that counts days, weeks, months, years or hours, as days."""
    name = spec.get("day", spec.get("study_day"))
    assert name is not None
    cells = rows.frame[name]
    cells = cells.mask(_missing(rows, {**spec, "column": name}, cells))
    problems: list[Problem] = []
    if "recode" in spec:
        cells, problems = _recoded(rows, cells, spec)
    values, bad = as_numbers(cells, decimal=spec.get("decimal") or decimal_mark(rows, name))
    problems += cell_problems(rows, bad.to_numpy(), name, "is not a number of days", target)
    if "study_day" in spec:
        days = from_study_days(values)
        zero = (days.isna() & values.notna()).to_numpy()
        message = "there is no study day 0: the first day is 1, the day before it -1"
        problems += cell_problems(rows, zero, name, message, target)
        return days, problems
    values = values * spec.get("multiply", 1) + spec.get("add", 0)
    return values * DAYS_PER[spec["unit"]], problems
