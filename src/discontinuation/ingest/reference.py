"""Read the reference tables: facts about drugs, checked against their schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from discontinuation.ingest.delimited import read_delimited
from discontinuation.problems import Problem, refuse
from discontinuation.tables.check import RawTable, check_references, check_table
from discontinuation.tables.reference_rules import check_reference_rules
from discontinuation.tables.schema import read_schema

if TYPE_CHECKING:
    import pandas as pd


def check_reference(path: Path) -> RawTable:
    """Check a reference table, named after its file.

    Raises
    ------
    InvalidInput
        With every problem.
    """
    raw, problems = _check(path)
    refuse(problems)
    return raw


def read_reference(path: Path) -> pd.DataFrame:
    """Read a reference table with its types.

    Raises
    ------
    InvalidInput
        With every problem.
    """
    from discontinuation.tables.frames import to_frame

    return to_frame(check_reference(path), read_schema("reference")[path.stem])


def check_reference_folder(folder: Path) -> dict[str, RawTable]:
    """Check every reference table of a folder, and what they say of each other.

    Returns
    -------
    dict
        Table as written, by name.

    Raises
    ------
    InvalidInput
        With every problem of every table.
    """
    schema = read_schema("reference")
    raw, problems = {}, []
    for name in schema:
        path = folder / f"{name}.csv"
        if path.exists():
            raw[name], found = _check(path)
            problems += found
        else:
            problems.append(Problem(path.name, "is missing among the reference tables"))
    problems += check_references(raw, schema) + check_reference_rules(raw)
    refuse(problems)
    return raw


def read_reference_folder(folder: Path) -> dict[str, pd.DataFrame]:
    """Read every reference table of a folder with its types.

    Raises
    ------
    InvalidInput
        With every problem of every table.
    """
    from discontinuation.tables.frames import to_frame

    schema = read_schema("reference")
    return {
        name: to_frame(raw, schema[name]) for name, raw in check_reference_folder(folder).items()
    }


def _check(path: Path) -> tuple[RawTable, list[Problem]]:
    table = read_schema("reference")[path.stem]
    raw, problems = read_delimited(path, path.name, table)
    return raw, [*problems, *check_table(raw, table)]
