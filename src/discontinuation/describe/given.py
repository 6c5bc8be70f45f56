"""Which of the canonical tables does a dataset have?"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from discontinuation.tables.schema import Column, read_schema

Tables = Mapping[str, pd.DataFrame]
TYPES = {"integer": "Int64", "number": "float64", "boolean": "boolean"}


def complete(tables: Tables) -> dict[str, pd.DataFrame]:
    """Add the canonical tables and columns that are not there, without rows or values.

    Parameters
    ----------
    tables
        Canonical tables, by name; any may be missing.

    Returns
    -------
    dict
        Every canonical table with every canonical column. Categories are plain text.
    """
    found = {}
    for name, table in read_schema("canonical").items():
        frame = _plain(tables[name]) if name in tables else pd.DataFrame()
        for column in table.columns:
            if column.name not in frame:
                frame[column.name] = pd.Series(index=frame.index, dtype=_type(column))
        found[name] = frame
    return found


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Copy a table with its categories as text."""
    categories = frame.select_dtypes("category").columns
    return frame.astype(dict.fromkeys(categories, object)).reset_index(drop=True)


def _type(column: Column) -> str:
    return TYPES.get(column.type, "object")


def arms_in_order(given: Tables) -> pd.DataFrame:
    """List the arms in the order of their table, then those that only people name.

    Parameters
    ----------
    given
        From `complete`.

    Returns
    -------
    DataFrame
        arm, label (the arm's identifier where it has none; with the study where two arms share
        one), strategy, n.
    """
    arms = given["arms"][["arm", "study", "label", "strategy", "n"]]
    further = given["people"].loc[~given["people"]["arm"].isin(arms["arm"])]
    unlisted = further.dropna(subset="arm").drop_duplicates("arm").sort_values("arm")
    arms = pd.concat([arms, unlisted[["arm", "study"]]]) if len(unlisted) else arms
    label = arms["label"].fillna(arms["arm"]).astype(str)
    shared = label.duplicated(keep=False)
    return arms.assign(
        label=label.where(~shared, label + " (" + arms["study"].astype(str) + ")"),
        strategy=arms["strategy"].fillna("unspecified"),
        n=arms["n"].astype("Int64"),
    )[["arm", "label", "strategy", "n"]].reset_index(drop=True)


def arm_of_person(given: Tables) -> pd.Series:
    """Look up arms by person."""
    people = given["people"].drop_duplicates("person")
    return people.set_index("person")["arm"]
