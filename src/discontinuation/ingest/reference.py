"""Read the reference tables: facts about drugs, checked against their schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from discontinuation.ingest.delimited import read_delimited
from discontinuation.problems import refuse
from discontinuation.tables.check import RawTable, check_table
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
    table = read_schema("reference")[path.stem]
    raw, problems = read_delimited(path, path.name, table)
    refuse([*problems, *check_table(raw, table)])
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
