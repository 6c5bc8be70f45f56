"""Which definitions of getting worse find the same people, as far as it may be shown?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from discontinuation.describe.given import Tables, complete
from discontinuation.events.comparison import compare_definitions

FOUR = ["both", "only_first", "only_second", "neither"]


def definitions_side_by_side(
    tables: Tables, assessed: pd.DataFrame | None, smallest_cell: int
) -> dict[str, pd.DataFrame]:
    """Set the definitions of a dataset side by side.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.
    assessed
        `DerivedEvents.assessed`.
    smallest_cell
        Smallest count of people that may be shown. Where it is above 1 only the agreement and
        kappa of each pair are given, in two digits, and those of a pair with a smaller count are
        blank: the counts themselves would tell what the person-time table hides.

    Returns
    -------
    dict
        Frames `definitions`, `definitions_by_arm` and `definition_pairs`; see
        `events.comparison.DefinitionComparison`.
    """
    given = complete(tables)
    compared = compare_definitions(given["deteriorations"], given["people"], assessed)
    if smallest_cell == 1:
        return {
            "definitions": compared.definitions,
            "definitions_by_arm": compared.by_arm,
            "definition_pairs": compared.pairs,
        }
    pairs = compared.pairs
    small = ((pairs[FOUR] > 0) & (pairs[FOUR] < smallest_cell)).any(axis=1)
    shown = pairs[["first", "second", "agreement", "kappa"]].copy()
    shown[["agreement", "kappa"]] = shown[["agreement", "kappa"]].astype("float64").round(2)
    shown.loc[small, ["agreement", "kappa"]] = np.nan
    return {"definition_pairs": shown.assign(hidden=small)}
