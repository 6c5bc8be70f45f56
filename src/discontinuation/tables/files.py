"""Read and write result tables, as CSV and as Parquet with what made them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

import discontinuation

SCHEMA_VERSION = "1"


def read_tables(paths: Iterable[str | Path]) -> dict[str, pd.DataFrame]:
    """Read Parquet tables, keyed by the names of their files."""
    return {Path(path).stem: read_table(path) for path in paths}


def read_table(path: str | Path) -> pd.DataFrame:
    """Read one Parquet table; blank text is None, also in a column that holds nothing else."""
    frame = pd.read_parquet(path)
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.StringDtype):
            blank = [None if pd.isna(value) else value for value in frame[name]]
            frame[name] = pd.Series(blank, index=frame.index, dtype=object)
    return frame


def write_table(
    frame: pd.DataFrame, *paths: str | Path, provenance: dict[str, Any] | None = None
) -> None:
    """Write one table to every path, in the format its ending names.

    Parameters
    ----------
    frame
        The table.
    *paths
        Ending in .csv or .parquet.
    provenance
        What made it; kept in the Parquet file's metadata beside the package's version.

    Raises
    ------
    ValueError
        For any other ending.
    """
    for path in map(Path, paths):
        if path.suffix == ".csv":
            frame.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
        elif path.suffix == ".parquet":
            _write_parquet(frame, path, provenance or {})
        else:
            raise ValueError(f"{path.name}: a table is written as .csv or .parquet")


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of an earlier one only once all is written."""
    path = Path(path)
    fresh = path.with_name(f"{path.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    yield fresh
    shutil.rmtree(path, ignore_errors=True)
    fresh.rename(path)


def _write_parquet(frame: pd.DataFrame, path: Path, provenance: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(_text_where_empty(frame), preserve_index=False)
    about = {
        "discontinuation_version": discontinuation.__version__,
        "schema_version": SCHEMA_VERSION,
        "provenance": json.dumps(provenance, sort_keys=True, ensure_ascii=False),
    }
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **about})
    pq.write_table(table, path)


def _text_where_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """Give text type to columns of nothing, so that a table's columns keep their type."""
    empty = [name for name in frame if frame[name].dtype == object and frame[name].isna().all()]
    return frame.astype(dict.fromkeys(empty, "string"))
