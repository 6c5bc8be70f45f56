"""What is in this dataset, read, mapped and checked?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.events.declared import definitions_from
from discontinuation.events.definition import Definition, Reported
from discontinuation.events.derive import derive_deteriorations
from discontinuation.events.evidence import rules_of
from discontinuation.fingerprint import ROOT
from discontinuation.ingest.declaration import Declaration, unconfirmed
from discontinuation.ingest.mapping import MappedTable, map_tables
from discontinuation.ingest.places import locate, sha256
from discontinuation.ingest.readers import SourceTable, read_source
from discontinuation.ingest.rows import LISTED, Step, row_ranges, written
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse
from discontinuation.tables.canonical import failures
from discontinuation.tables.consistency import find_disagreements
from discontinuation.tables.instruments import Instrument, instruments_from, read_instruments

INSTRUMENTS = ROOT.parents[1] / "data" / "reference" / "instruments.yaml"


@dataclass(frozen=True)
class Dataset:
    """A dataset without problems.

    Attributes
    ----------
    declaration
        What its file says.
    tables
        The canonical tables by name; derived deteriorations stand with the reported ones.
    steps
        Rows before and after every step.
    statements
        Per file, what was assumed in reading it.
    notes, assessed
        What the derivation of events could not assess, and who was assessed by each definition.
    inputs
        SHA-256 of every file.
    """

    declaration: Declaration
    tables: dict[str, pd.DataFrame]
    steps: list[Step]
    statements: dict[str, list[str]]
    notes: pd.DataFrame
    assessed: pd.DataFrame
    inputs: dict[str, str]


def load_dataset(declaration: Declaration, mirror: Path | None = None) -> Dataset:
    """Read, map and check a dataset, and derive its events.

    Parameters
    ----------
    declaration
        The checked declaration.
    mirror
        A local copy of the data, laid out as the paths of the declaration.

    Raises
    ------
    InvalidInput
        With every problem of the first stage that has any: guesses that nobody confirmed and
        files that cannot be read; cells that cannot be mapped; rows that cannot be.
    """
    content = declaration.content
    paths, problems = locate(content["files"], mirror, declaration.name, declaration.file)
    instruments, definitions, further = _declared_parts(declaration)
    sources, unread = _read(declaration, paths)
    refuse([*unconfirmed(declaration), *problems, *further, *unread])
    mapped, steps = map_tables(declaration, sources)
    refuse(_row_problems(declaration, mapped, instruments))
    tables = {name: table.frame for name, table in mapped.items()}
    derived = derive_deteriorations(definitions, tables, instruments)
    tables = _with_derived(tables, derived.deteriorations, steps)
    refuse(_main_problems(declaration, definitions, mapped["deteriorations"].frame))
    return Dataset(
        declaration=declaration,
        tables=tables,
        steps=steps,
        statements={source.file: source.statements for source in sources.values()},
        notes=_stacked(_never_recorded(definitions, mapped), derived.notes),
        assessed=derived.assessed,
        inputs={content["files"][name]["path"]: sha256(path) for name, path in paths.items()},
    )


@cache
def _reference_instruments() -> dict[str, Instrument]:
    return read_instruments(INSTRUMENTS)


def _declared_parts(
    declaration: Declaration,
) -> tuple[dict[str, Instrument], list[Definition], list[Problem]]:
    """Build the instruments and the definitions of events, or list what is wrong with them."""
    reference = _reference_instruments()
    declared = declaration.content["instruments"]
    try:
        instruments = instruments_from(declared, reference, declaration.file)
    except InvalidInput as error:
        return {}, [], error.problems
    texts = declaration.content["events"]["definitions"]
    try:
        definitions = definitions_from(texts, instruments, declaration.file, "events.definitions")
    except InvalidInput as error:
        return instruments, [], error.problems
    return instruments, definitions, []


def _stacked(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    filled = [frame for frame in (first, second) if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else second


def _never_recorded(
    definitions: list[Definition], mapped: Mapping[str, MappedTable]
) -> pd.DataFrame:
    """Note names of recorded deteriorations that the data do not hold: none, or misspelt?"""
    known = set(mapped["deteriorations"].frame["definition"].dropna())
    rows = []
    for definition in definitions:
        for rule in rules_of(definition):
            if isinstance(rule, Reported) and rule.definition not in known:
                near = allowed_values(sorted(known), rule.definition)
                note = f"the data record no {rule.definition!r}; {near}"
                rows.append({"definition": definition.id, "person": None, "note": note, "count": 0})
    return pd.DataFrame(rows, columns=["definition", "person", "note", "count"])


def _main_problems(
    declaration: Declaration, definitions: list[Definition], reported: pd.DataFrame
) -> list[Problem]:
    """Check that the main definition is declared here or stands in the data.

    Where nobody got worse there is nothing that it could be compared with.
    """
    main = declaration.content["events"].get("main")
    known = [definition.id for definition in definitions]
    known += sorted(set(reported["definition"].dropna()))
    if main is None or main in known or not known:
        return []
    message = f"is neither declared nor in the data; {allowed_values(known, main)}"
    return [Problem(declaration.file, message, column="events.main", value=main)]


def _read(
    declaration: Declaration, paths: Mapping[str, Path]
) -> tuple[dict[str, SourceTable], list[Problem]]:
    sources, problems = {}, []
    for name, path in paths.items():
        file = declaration.content["files"][name]
        try:
            sources[name] = read_source(
                path, file["path"], format=file.get("format"), options=file["options"]
            )
        except InvalidInput as error:
            problems += error.problems
    return sources, problems


def _row_problems(
    declaration: Declaration,
    mapped: Mapping[str, MappedTable],
    instruments: Mapping[str, Instrument],
) -> list[Problem]:
    """Find every row that its table's schema or another table refuses."""
    problems = []
    for table in mapped.values():
        found = failures(table.table, table.frame)
        for (column, rule), cases in found.groupby(["column", "rule"], sort=False):
            message = _nearest(table, str(column), str(rule))
            problems += _at_rows(table, str(column), cases["row"].to_numpy(), message)
    limits = declaration.content["drugs"]
    frames = {name: table.frame for name, table in mapped.items()}
    for finding in find_disagreements(frames, declaration.tables, instruments, limits):
        if finding.column is None:
            problems.append(
                Problem(declaration.file, str(finding.message), column=f"tables.{finding.table}")
            )
            continue
        problems += _at_rows(mapped[finding.table], finding.column, finding.rows, finding.message)
    return list(dict.fromkeys(problems))


def _nearest(table: MappedTable, column: str, rule: str) -> str | dict[Any, str]:
    """Offer the nearest spelling of each value that is not among the allowed ones."""
    declared = next((c for c in table.table.columns if c.name == column), None)
    if declared is None or not declared.allowed or not rule.startswith("allowed:"):
        return rule
    values = table.frame[column].dropna().unique()
    return {value: allowed_values(declared.allowed, str(value)) for value in values}


def _at_rows(
    table: MappedTable, column: str, rows: np.ndarray, message: str | list[str] | dict[Any, str]
) -> list[Problem]:
    """Name each refused row by its place in the file it comes from."""
    places = table.places.iloc[rows]
    problems = []
    for order, (position, block, number) in enumerate(
        zip(rows[:LISTED], places["block"], places["row"], strict=False)
    ):
        value = table.frame[column].iloc[position]
        if isinstance(message, list):
            text = message[order]
        else:
            text = message[value] if isinstance(message, dict) else message
        problems.append(_problem_at(table, column, int(block), int(number), value, text))
    if len(rows) > LISTED:
        for block, rest in places.iloc[LISTED:].groupby("block")["row"]:
            number = int(str(block))
            words = f"{len(rest)} more {table.row_words[number]}s"
            text = f"the same in {words}: {row_ranges(rest)}"
            problems.append(Problem(table.files[number], text, column=column))
    return problems


def _problem_at(
    table: MappedTable, column: str, block: int, number: int, value: Any, text: str
) -> Problem:
    source = table.columns[block].get(column)
    label = source if source and source != column else column
    if label != column:
        label = f"{label} (for {table.table.name}.{column})"
    word = table.row_words[block]
    said = text if word == "row" else f"{word} {number}: {text}"
    row = number if word == "row" else None
    return Problem(table.files[block], said, row, label, written(value))


def _with_derived(
    tables: dict[str, pd.DataFrame], derived: pd.DataFrame, steps: list[Step]
) -> dict[str, pd.DataFrame]:
    """Put the derived deteriorations beside the reported ones."""
    if derived.empty:
        return tables
    reported = tables["deteriorations"]
    both = pd.concat([frame for frame in (reported, derived) if len(frame)], ignore_index=True)
    both = both[reported.columns].astype(reported.dtypes.to_dict())
    steps.append(Step("deteriorations", "derived from assessments", len(reported), len(both)))
    return {**tables, "deteriorations": both}
