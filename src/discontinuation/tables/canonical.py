"""What makes a canonical table valid?

The columns stand in canonical.yaml; here they become pandera schemas, so that a reader of the
package can validate a frame of their own with `schema(name).validate(frame, lazy=True)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discontinuation.tables.schema import Column, Table, read_schema

if TYPE_CHECKING:
    import pandera.pandas as pa

NO_FORMULA = "starts with = or @, which a spreadsheet would run as a formula; allowed: other text"
DTYPES = {"string": "object", "integer": "Int64", "number": "float64", "boolean": "boolean"}


def schema(name: str) -> pa.DataFrameSchema:
    """Give the pandera schema of a canonical table.

    Parameters
    ----------
    name
        One of the tables of docs/tables.md, such as "doses".

    Raises
    ------
    KeyError
        For any other name.
    """
    return schema_of(read_schema("canonical")[name])


def schema_of(table: Table) -> pa.DataFrameSchema:
    """Give the pandera schema of a table, a dataset's own covariates included."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {column.name: _column(column) for column in table.columns},
        unique=list(table.primary_key) or None,
        strict=True,
        ordered=True,
        name=table.name,
        title=table.title,
        description=table.description,
    )


def _column(column: Column) -> pa.Column:
    import pandera.pandas as pa

    checks = []
    if column.allowed:
        checks.append(pa.Check.isin(column.allowed, error=f"allowed: {', '.join(column.allowed)}"))
    if column.minimum is not None:
        checks.append(pa.Check.ge(column.minimum, error=f"allowed: {column.minimum:g} or more"))
    if column.maximum is not None:
        checks.append(pa.Check.le(column.maximum, error=f"allowed: {column.maximum:g} or less"))
    if column.type == "number":
        checks.append(pa.Check(np.isfinite, error="allowed: a finite number"))
    if column.type == "string":
        checks.append(pa.Check(_is_plain_text, error="allowed: text without control characters"))
        checks.append(pa.Check(_is_no_formula, error=NO_FORMULA))
    return pa.Column(
        DTYPES[column.type],
        checks,
        nullable=not column.required,
        title=column.name,
        description=column.description,
    )


def _is_plain_text(values: pd.Series) -> pd.Series:
    return _each_distinct(values, lambda text: isinstance(text, str) and text.isprintable())


def _is_no_formula(values: pd.Series) -> pd.Series:
    return _each_distinct(values, lambda text: not str(text).startswith(("=", "@")))


def _each_distinct(values: pd.Series, rule: Callable[[Any], bool]) -> pd.Series:
    """Try each distinct value once; blank ones pass."""
    codes, distinct = pd.factorize(values)
    fine = np.array([rule(value) for value in distinct] + [True])
    return pd.Series(fine[codes], index=values.index)


def failures(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """List every cell that its table's schema refuses.

    Returns
    -------
    DataFrame
        row (position in the frame), column, rule.
    """
    import pandera.errors

    empty = pd.DataFrame({"row": pd.Series(dtype=int), "column": [], "rule": []})
    try:
        schema_of(table).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return empty
    # A repeated key is reported once for each of its columns; the first says enough.
    repeated = cases["check"].astype(str).str.contains("uniqueness")
    first_key = cases["column"] == (table.primary_key[0] if table.primary_key else "")
    cases = cases.loc[cases["index"].notna() & (~repeated | first_key)]
    found = pd.DataFrame(
        {
            "row": cases["index"].astype(int),
            "column": cases["column"].astype(object),
            "rule": [_rule(table, case) for case in cases.to_dict("records")],
        }
    )
    return found.drop_duplicates().sort_values(["row", "column"], kind="stable")


def _rule(table: Table, case: Mapping[str, Any]) -> str:
    check = str(case["check"])
    if "uniqueness" in check:
        return f"the same {', '.join(table.primary_key)} stands there more than once"
    if check == "not_nullable":
        column = next(c for c in table.columns if c.name == case["column"])
        hint = f"allowed: {', '.join(column.allowed)}" if column.allowed else column.description
        return f"is blank and must not be ({hint})"
    return check
