"""How do a dataset's files become the canonical tables, as its declaration says?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.ingest.declaration import Declaration
from discontinuation.ingest.intervals import to_intervals
from discontinuation.ingest.moments import Clock, parse_dates
from discontinuation.ingest.readers import SourceTable
from discontinuation.ingest.rows import (
    LISTED,
    Rows,
    Step,
    apply_where,
    cell_problems,
    column_problem,
    combine_rows,
    join_columns,
    start_rows,
    take_one_per,
    unmatched,
    widen,
)
from discontinuation.ingest.values import (
    Aim,
    as_type,
    empty_column,
    make_column,
    read_date,
    read_day,
    used_columns,
)
from discontinuation.problems import Problem, refuse
from discontinuation.tables.schema import Column, Table

Sources = Mapping[str, SourceTable]
COUNTED = Clock("counted", 0.0)


@dataclass(frozen=True)
class MappedTable:
    """A canonical table with the place from which each of its rows comes.

    Attributes
    ----------
    table
        Its columns and keys.
    frame
        The canonical columns.
    places
        `block` (number) and `row` (row of the source) of each row.
    files, row_words
        How messages call the source of each block, and its rows.
    columns
        Per block, the source column behind each canonical one.
    """

    table: Table
    frame: pd.DataFrame
    places: pd.DataFrame
    files: list[str]
    row_words: list[str]
    columns: list[dict[str, str]]


@dataclass(frozen=True)
class _Task:
    """What every block of a dataset needs to know."""

    declaration: Declaration
    sources: Sources
    clock: Clock
    made: dict[str, MappedTable]

    @property
    def file(self) -> str:
        return self.declaration.file


@dataclass
class _Part:
    """What one block gives."""

    frame: pd.DataFrame
    numbers: np.ndarray
    file: str
    row_word: str
    columns: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def keep(self, name: str, words: str, mask: np.ndarray) -> None:
        """Leave rows out and count them."""
        self.steps.append(Step(name, words, len(mask), int(mask.sum())))
        self.frame = self.frame.loc[mask].reset_index(drop=True)
        self.numbers = self.numbers[mask]


def map_tables(
    declaration: Declaration, sources: Sources
) -> tuple[dict[str, MappedTable], list[Step]]:
    """Map every table of a dataset.

    Parameters
    ----------
    declaration
        The checked declaration.
    sources
        Each file as read, by its name in the declaration.

    Returns
    -------
    tables : dict
        Canonical table by name; those that are not declared are empty.
    steps : list of Step
        Rows before and after every step.

    Raises
    ------
    InvalidInput
        With every cell that could not be mapped.
    """
    clock, problems, steps = _clock(declaration, sources)
    task = _Task(declaration, sources, clock, {})
    for name in _order(declaration):
        parts = [
            _map_block(block, name, f"tables.{name}[{number}]", task)
            for number, block in enumerate(declaration.content["tables"][name])
        ]
        problems += [problem for part in parts for problem in part.problems]
        steps += [step for part in parts for step in part.steps]
        task.made[name] = _put_together(declaration.tables[name], parts)
    refuse(dict.fromkeys(problems))
    return {name: task.made[name] for name in declaration.tables}, steps


def _order(declaration: Declaration) -> list[str]:
    """Order the tables so that each comes after those it needs.

    Others refer to who is listed and to when they end; a follow-up that is only as long as the
    records needs them all.
    """
    first = ["studies", "arms", "people", "assessments"]
    others = [name for name in declaration.tables if name not in [*first, "follow_up"]]
    observed = any("observed" in block for block in declaration.content["tables"]["follow_up"])
    return [*first, *others, "follow_up"] if observed else [*first, "follow_up", *others]


def _clock(declaration: Declaration, sources: Sources) -> tuple[Clock, list[Problem], list[Step]]:
    """Read each person's origin of time."""
    time, file = declaration.content["time"], declaration.file
    kind = next((kind for kind in ("date", "day") if kind in time), None)
    if kind is None:
        return COUNTED, [], []
    spec = time[kind]
    if "constant" in spec:
        return _same_origin(kind, spec, file), [], []
    everybody = start_rows(sources[time["file"]])
    note = unmatched(everybody, time.get("where", {}))
    rows, problems = apply_where(everybody, time.get("where", {}), "time", file)
    if "one_per" in time and not problems:
        rows, problems = take_one_per(rows, time["one_per"], "time", file)
    absent = [column_problem(rows, name, f"time.{kind}", file) for name in used_columns(spec)]
    problems += [problem for problem in absent if problem]
    aim = Aim(declaration.tables["people"].columns[0], "time.person", file)
    persons, further = make_column(rows, time["person"], aim, COUNTED, None)
    problems += further
    if problems:
        return COUNTED, problems, []
    days, problems = (read_date if kind == "date" else read_day)(rows, spec, "origin")
    filled = (persons.notna() & days.notna()).to_numpy()
    origins = days.groupby(persons.to_numpy()).transform("nunique")
    repeated = (origins > 1).to_numpy() & filled
    column = time["person"].get("column", rows.frame.columns[0])
    message = "the person has more than one origin of time; declare 'one_per' or 'where'"
    problems += cell_problems(rows, repeated, column, message, "")
    origin = pd.Series(days[filled].to_numpy(), index=persons[filled].to_numpy())
    origin = origin[~origin.index.duplicated()]
    step = Step("origin of time", "people with an origin", len(everybody.frame), len(origin), note)
    return Clock(kind, origin), problems, [step]


def _same_origin(kind: str, spec: dict[str, Any], file: str) -> Clock:
    """Give every person the origin that the declaration writes out."""
    if kind == "day":
        return Clock(kind, float(spec["constant"]))
    days, refused = parse_dates(pd.Series([spec["constant"]], dtype=object), spec)
    refuse(
        Problem(file, reason, column="time.date.constant", value=str(value))
        for value, reason in refused.items()
    )
    return Clock(kind, float(days.iloc[0]))


def _map_block(block: Mapping[str, Any], name: str, place: str, task: _Task) -> _Part:
    if "rows" in block:
        return _written_out(block["rows"], name, place, task)
    if "observed" in block:
        return _observed(block, task)
    rows, problems, steps = _select(block, name, place, task)
    part = _Part(
        pd.DataFrame(),
        rows.numbers,
        rows.source.file,
        rows.source.row_word,
        {column: " + ".join(used_columns(spec)) for column, spec in block["columns"].items()},
        problems,
        steps,
    )
    if problems:
        return part
    rows, persons, part.problems = _known_people(rows, block, name, place, task, part)
    part.numbers = rows.numbers
    part.frame, found = _make_columns(rows, persons, block, name, place, task)
    part.problems += found
    if name == "assessments":
        part.keep(name, "answers that are not blank", part.frame["value"].notna().to_numpy())
    if "intervals" in block and not part.problems:
        _make_intervals(part, block, name, task)
    if name == "deteriorations" and "episode" not in block["columns"]:
        part.frame["episode"] = _numbered(part.frame)
    return part


def _numbered(events: pd.DataFrame) -> pd.Series:
    """Number each person's deteriorations of one definition by the day they were detected."""
    order = events.sort_values("detected", kind="stable")
    return (order.groupby(["person", "definition"], dropna=False).cumcount() + 1).astype("Int64")


def _aim(column: Column, place: str, task: _Task) -> Aim:
    return Aim(column, f"{place}.columns.{column.name}", task.file)


def _known_people(
    rows: Rows, block: Mapping[str, Any], name: str, place: str, task: _Task, part: _Part
) -> tuple[Rows, pd.Series | None, list[Problem]]:
    """Make the person of each row; leave out people who are not listed where that is declared."""
    table = task.declaration.tables[name]
    column = next((column for column in table.columns if column.name == "person"), None)
    spec = block["columns"].get("person")
    if column is None or spec is None:
        return rows, None, []
    persons, problems = make_column(rows, spec, _aim(column, place, task), task.clock, None)
    if not block["only_known_people"] or "people" not in task.made:
        return rows, persons, problems
    known = persons.isin(task.made["people"].frame["person"]).to_numpy()
    part.steps.append(Step(name, "people who are listed", len(known), int(known.sum())))
    return rows.take(known), persons[known].reset_index(drop=True), problems


def _make_columns(
    rows: Rows,
    persons: pd.Series | None,
    block: Mapping[str, Any],
    name: str,
    place: str,
    task: _Task,
) -> tuple[pd.DataFrame, list[Problem]]:
    """Make every canonical column; the person's origin of time shifts the others."""
    table = task.declaration.tables[name]
    labels = task.declaration.content["files"][block["from"]]["labels"]
    made: dict[str, pd.Series] = {}
    problems: list[Problem] = []
    for column in table.columns:
        spec = block["columns"].get(column.name)
        if column.name == "person" and persons is not None:
            made[column.name] = persons
        elif spec is None:
            made[column.name] = empty_column(column, len(rows.frame))
        else:
            spec = {"labels": labels, **spec}
            aim = _aim(column, place, task)
            made[column.name], found = make_column(rows, spec, aim, task.clock, persons)
            problems += found
    return pd.DataFrame(made), problems


def _written_out(records: list[dict[str, Any]], name: str, place: str, task: _Task) -> _Part:
    """Make a table of rows that stand in the declaration itself; their moments are days."""
    table = task.declaration.tables[name]
    rows = start_rows(
        SourceTable(
            file=f"{task.file}, {place}.rows",
            frame=pd.DataFrame(records, dtype=object),
            rows=np.arange(1, len(records) + 1),
            row_word="entry",
        )
    )
    made: dict[str, pd.Series] = {}
    problems: list[Problem] = []
    for column in table.columns:
        made[column.name] = empty_column(column, len(records))
        if column.name in rows.frame:
            spec = {"column": column.name}
            aim = Aim(column, place, task.file)
            made[column.name], found = make_column(rows, spec, aim, COUNTED, None)
            problems += found
    return _Part(pd.DataFrame(made), rows.numbers, rows.source.file, "entry", {}, problems)


def _observed(block: Mapping[str, Any], task: _Task) -> _Part:
    """Follow each person from the origin to the last record of the tables named."""
    moments = {"assessments": "day", "doses": "stop", "deteriorations": "detected"}
    last = pd.concat(
        [task.made[name].frame.groupby("person")[moments[name]].max() for name in block["observed"]]
    )
    people = task.made["people"]
    end = people.frame["person"].map(last.groupby(level=0).max()).clip(lower=0.0).fillna(0.0)
    frame = pd.DataFrame(
        {
            "person": people.frame["person"],
            "start": 0.0,
            "end": end,
            "end_reason": block["columns"]["end_reason"]["constant"],
        }
    )
    step = Step("follow_up", "people, each to the last record", len(frame), len(frame))
    numbers = np.arange(1, len(frame) + 1)
    return _Part(frame, numbers, task.file, "entry", steps=[step])


def _last_known(task: _Task) -> pd.Series:
    """Find the end of each person's follow-up, or the last assessment where that is all."""
    if "follow_up" in task.made:
        follow_up = task.made["follow_up"].frame
        return follow_up.drop_duplicates("person").set_index("person")["end"]
    return task.made["assessments"].frame.groupby("person")["day"].max()


def _select(
    block: Mapping[str, Any], name: str, place: str, task: _Task
) -> tuple[Rows, list[Problem], list[Step]]:
    """Take the rows that a block asks for, step by step, up to the first step that fails."""
    rows = start_rows(task.sources[block["from"]])
    steps = [Step(name, f"read {rows.source.file}", len(rows.frame), len(rows.frame))]
    for number, join in enumerate(block["join"]):
        rows, problems = _join(rows, join, f"{place}.join[{number}]", task)
        if problems:
            return rows, problems, steps
    for key, words, act in (
        ("where", "conditions", apply_where),
        ("combine", "rows of one group combined", combine_rows),
        ("one_per", "one row of each group", take_one_per),
        ("wide", "columns to rows", widen),
    ):
        if not block.get(key):
            continue
        before = len(rows.frame)
        note = unmatched(rows, block[key]) if key == "where" else ""
        rows, problems = act(rows, block[key], place, task.file)
        if problems:
            return rows, problems, steps
        steps.append(Step(name, words, before, len(rows.frame), note))
    return rows, [], steps


def _join(
    rows: Rows, join: Mapping[str, Any], place: str, task: _Task
) -> tuple[Rows, list[Problem]]:
    other = start_rows(task.sources[join["file"]])
    other, problems = apply_where(other, join.get("where", {}), place, task.file)
    if "one_per" in join and not problems:
        other, problems = take_one_per(other, join["one_per"], place, task.file)
    if problems:
        return rows, problems
    return join_columns(rows, other, join, place, task.file)


def _make_intervals(part: _Part, block: Mapping[str, Any], name: str, task: _Task) -> None:
    placed = part.frame.assign(place=part.numbers)
    intervals, refused = to_intervals(placed, block["intervals"], _last_known(task))
    start = part.columns.get("start")
    for message, mask in refused.items():
        part.problems += [
            Problem(part.file, message, int(row), start) for row in part.numbers[mask][:LISTED]
        ]
    part.steps.append(Step(name, "rows to intervals", len(placed), len(intervals)))
    part.numbers = intervals["place"].to_numpy()
    part.frame = intervals.drop(columns="place")


def _put_together(table: Table, parts: list[_Part]) -> MappedTable:
    filled = [part for part in parts if len(part.frame)]
    frames = [part.frame[table.column_names] for part in filled]
    frame = pd.concat(frames, ignore_index=True) if frames else _no_rows(table)
    typed = {column.name: as_type(frame[column.name], column) for column in table.columns}
    blocks = [np.full(len(part.frame), number) for number, part in enumerate(parts)]
    none = [np.array([], dtype=int)]
    return MappedTable(
        table=table,
        frame=pd.DataFrame(typed),
        places=pd.DataFrame(
            {
                "block": np.concatenate(blocks or none),
                "row": np.concatenate([part.numbers for part in filled] or none),
            }
        ),
        files=[part.file for part in parts],
        row_words=[part.row_word for part in parts],
        columns=[part.columns for part in parts],
    )


def _no_rows(table: Table) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in table.column_names})
