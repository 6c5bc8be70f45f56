"""Turn checked tables of text into data frames with types."""

from __future__ import annotations

import pandas as pd

from discontinuation.tables.check import RawTable
from discontinuation.tables.schema import Table


def to_frame(raw: RawTable, table: Table) -> pd.DataFrame:
    """Give a checked table its types.

    Parameters
    ----------
    raw
        A table without problems.
    table
        Its columns.

    Returns
    -------
    DataFrame
        Text as `object` with None for blank, whole numbers as `Int64`, numbers as `float64`.
    """
    columns = {}
    for column in table.columns:
        cells = pd.Series([record[column.name] or None for record in raw.records], dtype=object)
        if column.type == "integer":
            cells = pd.to_numeric(cells).astype("Int64")
        elif column.type == "number":
            cells = pd.to_numeric(cells).astype("float64")
        columns[column.name] = cells
    return pd.DataFrame(columns)
