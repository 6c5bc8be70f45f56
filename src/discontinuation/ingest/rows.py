"""Which rows of a source stand for rows of a canonical table?

Every step here is declared in the dataset's file, and every row it leaves out is counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.ingest.readers import SourceTable, as_numbers
from discontinuation.problems import Problem, allowed_values

# Problems of one kind in one column that are listed singly; the rest are named by their rows.
LISTED = 50


@dataclass(frozen=True)
class Rows:
    """Rows on their way from a source to a canonical table.

    Attributes
    ----------
    source
        Where they come from.
    frame
        Their cells, joined and virtual columns included.
    numbers
        Row number of each in its source.
    """

    source: SourceTable
    frame: pd.DataFrame
    numbers: np.ndarray

    def take(self, keep: np.ndarray) -> Rows:
        """Keep some rows: a mask or positions."""
        frame = self.frame.loc[keep] if keep.dtype == bool else self.frame.iloc[keep]
        return replace(self, frame=frame.reset_index(drop=True), numbers=self.numbers[keep])


@dataclass(frozen=True)
class Step:
    """What one step did to the rows of one table."""

    table: str
    step: str
    rows_before: int
    rows_after: int
    note: str = ""


def start_rows(source: SourceTable) -> Rows:
    """Take every row of a source."""
    return Rows(source, source.frame, np.asarray(source.rows))


def column_problem(rows: Rows, name: str, place: str, file: str) -> Problem | None:
    """Say that a column is not there, with the nearest name."""
    if name in rows.frame.columns:
        return None
    known = [str(column) for column in rows.frame.columns]
    near = {column.lower(): column for column in known}.get(name.lower())
    hint = f"did you mean {near!r}?" if near else allowed_values(known[:60], name)
    message = f"{rows.source.file} has no column {name!r}; {hint}"
    return Problem(file, message, column=place)


def cell_problems(
    rows: Rows, bad: np.ndarray, column: str, message: str | Mapping[Any, str], target: str
) -> list[Problem]:
    """Name every bad cell of one column.

    Parameters
    ----------
    rows
        The rows.
    bad
        Mask of the bad ones.
    column
        The source column.
    message
        What is wrong, or what is wrong with each value.
    target
        The canonical column it was to become.
    """
    places = np.flatnonzero(bad)
    if not len(places):
        return []
    cells = rows.frame[column].iloc[places[:LISTED]]
    label = column if column == target or not target else f"{column} (for {target})"
    word = rows.source.row_word
    problems = []
    for place, value in zip(places[:LISTED], cells, strict=True):
        text = message if isinstance(message, str) else message[value]
        number = int(rows.numbers[place])
        said = text if word == "row" else f"{word} {number}: {text}"
        problems.append(
            Problem(
                rows.source.file, said, number if word == "row" else None, label, written(value)
            )
        )
    if len(places) > LISTED:
        rest = row_ranges(rows.numbers[places[LISTED:]])
        problems.append(
            Problem(
                rows.source.file,
                f"the same in {len(places) - LISTED} more {word}s: {rest}",
                column=label,
            )
        )
    return problems


def written(value: Any) -> str | None:
    """Quote a cell as a reader would write it; a blank one has no quotation."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return None if np.isnan(value) else f"{value:.12g}"
    return str(value)


def row_ranges(numbers: Sequence[int] | np.ndarray | pd.Series) -> str:
    """Write row numbers as ranges: 3-7, 9, 12-40."""
    ordered = np.unique(np.asarray(numbers))
    breaks = np.flatnonzero(np.diff(ordered) > 1)
    starts, ends = np.r_[0, breaks + 1], np.r_[breaks, len(ordered) - 1]
    parts = [
        f"{ordered[a]}" if a == b else f"{ordered[a]}-{ordered[b]}"
        for a, b in zip(starts, ends, strict=True)
    ]
    more = f" and {len(parts) - 40} more ranges" if len(parts) > 40 else ""
    return ", ".join(parts[:40]) + more


def same_value(cells: pd.Series, values: Sequence[Any]) -> np.ndarray:
    """Compare cells with declared values: as text, or as numbers where both are numbers."""
    wanted = {_key(value) for value in values}
    codes, distinct = pd.factorize(cells, use_na_sentinel=True)
    hits = np.array([_key(value) in wanted for value in distinct] + [False], dtype=bool)
    return np.asarray(hits[codes])


def _key(value: Any) -> Any:
    """Make 1, 1.0, "1" and "1.0" one value, but leave "01" and words as they are."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", text):
            return float(text)
        return text
    if isinstance(value, int | float | np.integer | np.floating):
        return float(value)
    return str(value)


def apply_where(
    rows: Rows, where: Mapping[str, Mapping[str, Any]], place: str, file: str
) -> tuple[Rows, list[Problem]]:
    """Keep the rows that meet every condition."""
    keep = np.ones(len(rows.frame), dtype=bool)
    problems: list[Problem] = []
    for name, condition in where.items():
        missing = column_problem(rows, name, f"{place}.where.{name}", file)
        if missing:
            problems.append(missing)
            continue
        cells = rows.frame[name]
        if "is" in condition:
            keep &= _code_or_label(rows, name, condition["is"])
        if "not" in condition:
            keep &= ~_code_or_label(rows, name, condition["not"])
        if "present" in condition:
            filled = cells.notna().to_numpy() & ~user_missing(rows, name)
            keep &= filled == condition["present"]
        if "at_least" in condition or "at_most" in condition:
            values, bad = as_numbers(cells)
            problems += cell_problems(rows, bad.to_numpy(), name, "is not a number", "where")
            with np.errstate(invalid="ignore"):
                keep &= values.to_numpy() >= condition.get("at_least", -np.inf)
                keep &= values.to_numpy() <= condition.get("at_most", np.inf)
    return rows.take(keep), problems


def _code_or_label(rows: Rows, name: str, values: Sequence[Any]) -> np.ndarray:
    """Compare a column's codes, and their labels where the file has them."""
    cells = rows.frame[name]
    labels = rows.source.value_labels.get(name)
    found = same_value(cells, values)
    if labels:
        found |= same_value(cells.map(labels, na_action="ignore").astype(object), values)
    return found


def unmatched(rows: Rows, where: Mapping[str, Mapping[str, Any]]) -> str:
    """Name the values of conditions that no row has: most often they are misspelt."""
    said = [
        f"no row has {name} {value!r}"
        for name, condition in where.items()
        if name in rows.frame.columns
        for value in [*condition.get("is", ()), *condition.get("not", ())]
        if not _code_or_label(rows, name, [value]).any()
    ]
    return "; ".join(said)


def take_one_per(
    rows: Rows, rule: Mapping[str, Any], place: str, file: str
) -> tuple[Rows, list[Problem]]:
    """Keep one row of each group: that with the smallest or the largest value of a column."""
    names = [*rule["columns"], rule["by"]]
    problems = [column_problem(rows, name, f"{place}.one_per", file) for name in names]
    if any(problems):
        return rows, [problem for problem in problems if problem]
    by = rows.frame[rule["by"]]
    values, bad = as_numbers(by)
    order = values if not bad.any() else by
    if bad.any() and not _sorts_by_time(by):
        message = (
            "is neither a number nor a date as 2024-03-31, so its order would be the alphabet's"
        )
        return rows, cell_problems(rows, bad.to_numpy(), rule["by"], message, "one_per")
    if order.isna().any():
        blank = order.isna().to_numpy()
        message = "is blank, so that nobody can tell which row of its group is first"
        return rows, cell_problems(rows, blank, rule["by"], message, "one_per")
    place_of = np.argsort(order.to_numpy(), kind="stable")
    if rule["take"] == "last":
        place_of = place_of[::-1]
    groups = rows.frame[rule["columns"]].iloc[place_of]
    kept = np.sort(place_of[~groups.duplicated().to_numpy()])
    tied = pd.concat([rows.frame[rule["columns"]], order.rename("__by")], axis=1)
    # Of rows that are the same throughout, any one will do.
    twice = (tied.duplicated(keep=False) & ~rows.frame.duplicated(keep=False)).to_numpy()
    chosen = np.zeros(len(tied), dtype=bool)
    chosen[kept] = True
    if (twice & chosen).any():
        message = "stands twice in its group, so that nobody can tell which row to take"
        return rows, cell_problems(rows, twice & chosen, rule["by"], message, "one_per")
    return rows.take(kept), []


def _sorts_by_time(cells: pd.Series) -> bool:
    """Say whether the order of these cells is that of time."""
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return True
    return all(re.match(r"\d{4}-\d{2}(-\d{2})?", str(cell)) for cell in cells.dropna().unique())


def combine_rows(
    rows: Rows, rule: Mapping[str, Any], place: str, file: str
) -> tuple[Rows, list[Problem]]:
    """Make one row of each group: its first, with a column added up where that is declared."""
    names = [*rule["columns"], *([rule["sum"]] if "sum" in rule else [])]
    problems = [column_problem(rows, name, f"{place}.combine", file) for name in names]
    if any(problems):
        return rows, [problem for problem in problems if problem]
    first = ~rows.frame[rule["columns"]].duplicated().to_numpy()
    if "sum" not in rule:
        return rows.take(first), []
    values, bad = as_numbers(rows.frame[rule["sum"]])
    if bad.any():
        return rows, cell_problems(rows, bad.to_numpy(), rule["sum"], "is not a number", "combine")
    keys = [rows.frame[name] for name in rule["columns"]]
    totals = values.groupby(keys, dropna=False, sort=False).transform("sum", min_count=1)
    frame = rows.frame.assign(**{rule["sum"]: totals})
    return replace(rows, frame=frame).take(first), []


def join_columns(
    rows: Rows, other: Rows, join: Mapping[str, Any], place: str, file: str
) -> tuple[Rows, list[Problem]]:
    """Put the columns of another file beside each row; they are then called `file.column`.

    A key that stands twice in the other file, or a row without a partner, is a problem: no row
    may be multiplied or lost by a join.
    """
    here, there = list(join["on"]), list(join["on"].values())
    missing = [column_problem(rows, name, f"{place}.on", file) for name in here]
    missing += [column_problem(other, name, f"{place}.on", file) for name in there]
    if any(missing):
        return rows, [problem for problem in missing if problem]
    keys = _join_keys(other.frame[there])
    repeated = keys.duplicated(keep=False).to_numpy()
    if repeated.any():
        message = f"the key stands more than once, so it cannot be joined to {rows.source.file}"
        return rows, cell_problems(other, repeated, there[0], message, "")
    place_of = pd.Index(keys).get_indexer(pd.Index(_join_keys(rows.frame[here])))
    lonely = place_of < 0
    problems = []
    if lonely.any() and join["unmatched"] == "refuse":
        message = f"has no row in {other.source.file}; declare 'unmatched: blank' if it may"
        problems = cell_problems(rows, lonely, here[0], message, "")
    beside = other.frame.reindex(place_of.astype(int)) if len(other.frame) else other.frame
    beside = beside.set_axis(rows.frame.index) if len(other.frame) else beside
    beside = beside.add_prefix(f"{join['file']}.")
    return replace(rows, frame=pd.concat([rows.frame, beside], axis=1)), problems


def _join_keys(frame: pd.DataFrame) -> pd.Series:
    keys = [frame[name].map(_key, na_action="ignore") for name in frame.columns]
    return pd.Series(list(zip(*keys, strict=True)), index=frame.index, dtype=object)


def widen(rows: Rows, rule: Mapping[str, Any], place: str, file: str) -> tuple[Rows, list[Problem]]:
    """Turn columns into rows, with virtual columns for what their names say and for the value."""
    chosen, problems = _wide_columns(rows, rule, f"{place}.wide", file)
    if problems or not chosen:
        return rows, problems
    others = rows.frame.drop(columns=list(chosen))
    virtual = sorted({name for parts in chosen.values() for name in parts} | {"value"})
    clash = [name for name in virtual if name in others.columns]
    if clash:
        message = f"{rows.source.file} has a column {clash[0]!r} of its own, which this would hide"
        return rows, [Problem(file, message, column=f"{place}.wide")]
    n, k = len(rows.frame), len(chosen)
    # Row by row rather than column by column, so that a person's items stay together.
    frame = others.loc[others.index.repeat(k)].reset_index(drop=True)
    for name in virtual:
        if name != "value":
            frame[name] = np.tile([parts[name] for parts in chosen.values()], n)
    cells = _without_missing(rows, list(chosen))
    frame["value"] = cells.to_numpy(dtype=object).reshape(-1) if n else pd.Series(dtype=object)
    if all(pd.api.types.is_numeric_dtype(cells[name]) for name in cells) and n:
        frame["value"] = cells.to_numpy(dtype="float64", na_value=np.nan).reshape(-1)
    return replace(rows, frame=frame, numbers=np.repeat(rows.numbers, k)), []


def _without_missing(rows: Rows, names: list[str]) -> pd.DataFrame:
    """Blank the codes that the file itself declares missing; a row does not know its column."""
    cells = rows.frame[names]
    coded = [name for name in names if name in rows.source.user_missing]
    return cells.assign(**{name: cells[name].mask(user_missing(rows, name)) for name in coded})


def user_missing(rows: Rows, name: str) -> np.ndarray:
    """Find the cells of a column that the file itself declares missing: codes and ranges."""
    cells = rows.frame[name]
    mask = np.zeros(len(cells), dtype=bool)
    for code in rows.source.user_missing.get(name, []):
        if isinstance(code, tuple):
            numbers, _ = as_numbers(cells)
            mask |= numbers.between(*code).to_numpy()
        else:
            mask |= same_value(cells, [code])
    return mask


def _wide_columns(
    rows: Rows, rule: Mapping[str, Any], place: str, file: str
) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    names = [str(name) for name in rows.frame.columns]
    if ("columns" in rule) == ("pattern" in rule):
        return {}, [Problem(file, "allowed: either 'columns' or 'pattern'", column=place)]
    if "pattern" in rule:
        return _matching(names, rule["pattern"], rows.source.file, place, file)
    asked = rule["columns"]
    chosen: dict[str, dict[str, str]] = {}
    problems = []
    for name in asked:
        hits = [known for known in names if fnmatchcase(known, name)] if "*" in name else []
        if "*" not in name and name in names:
            hits = [name]
        if not hits:
            problem = column_problem(rows, name, f"{place}.columns", file)
            problems.append(problem or Problem(file, "names no column", column=place, value=name))
        for hit in hits:
            item = asked[name] if isinstance(asked, dict) else hit
            chosen[hit] = {"item": str(item)}
    return chosen, problems


def _matching(
    names: list[str], pattern: str, source: str, place: str, file: str
) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    parts = re.split(r"\{([a-z_]+)\}", pattern)
    if len(parts) < 3:
        message = "allowed: a pattern with at least one part in braces, such as HAMD{item}"
        return {}, [Problem(file, message, column=f"{place}.pattern", value=pattern)]
    expression = "".join(
        f"(?P<{part}>[^_\\W]+|\\d+)" if i % 2 else re.escape(part) for i, part in enumerate(parts)
    )
    found = {name: re.fullmatch(expression, name) for name in names}
    chosen = {name: match.groupdict() for name, match in found.items() if match}
    if chosen:
        return chosen, []
    message = f"{source} has no column of this form; its columns: {', '.join(names[:30])}"
    return {}, [Problem(file, message, column=f"{place}.pattern", value=pattern)]
