"""How do estimates differ with the way in which causes were told apart?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.describe.given import Tables
from discontinuation.estimands.of_dataset import Setting, survive_dataset
from discontinuation.estimands.question import BY_CAUSE
from discontinuation.survival import combine

KEYS = ["estimand", "comparison", "clock", "window_from", "window_to", "measure", "group", "cause",
        "adjusted"]  # fmt: skip
SHOWN = ("risk difference", "net risk difference", "crude risk difference", "hazard ratio",
         "cause-specific hazard ratio", "cause-specific excess cumulative hazard")  # fmt: skip
NAIVE = "any deterioration counted as relapse"
COLUMNS = ["way", *KEYS, "estimate", "se", "lower", "upper", "imputations", "missing_information"]


def estimates_by_way(
    declared: Sequence[Mapping[str, Any]],
    tables: Tables,
    setting: Setting,
    ways: Iterable[tuple[str, list[pd.Series]]],
) -> pd.DataFrame:
    """Estimate E1 to E4 with causes told apart in several ways.

    Parameters
    ----------
    declared
        The estimands of the dataset's declaration.
    tables
        Canonical tables.
    setting
        Of the survival of the dataset; estimates are not adjusted, and nothing is masked here.
    ways
        From `causes_by_way`: causes by person, one series or one per imputation.

    Returns
    -------
    DataFrame
        One row per way, and what identifies an estimate. The naive way is E1, which counts every
        deterioration. Imputations are combined by Rubin's rules, ratios on the log scale.
    """
    setting = replace(setting, covariates=(), smallest_cell=1)
    wanted = [each for each in declared if each["id"] in BY_CAUSE]
    first = [each for each in declared if each["id"] == "E1"]
    parts = [_shown(survive_dataset(first, tables, setting).estimates).assign(way=NAIVE)]
    for way, causes in ways:
        found = [_shown(survive_dataset(wanted, tables, setting, one).estimates) for one in causes]
        table = found[0] if len(found) == 1 else _combined(found, setting.confidence)
        parts.append(table.assign(way=way))
    kept = [part.dropna(axis=1, how="all") for part in parts if len(part)]
    table = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()
    return table.reindex(columns=COLUMNS)


def _shown(estimates: pd.DataFrame) -> pd.DataFrame:
    chosen = estimates["measure"].isin(SHOWN) & estimates["estimate"].notna()
    return estimates.loc[chosen, [*KEYS, "estimate", "se", "lower", "upper"]]


def _combined(found: Sequence[pd.DataFrame], confidence: float) -> pd.DataFrame:
    """Combine what every imputation has."""
    whole = pd.concat(found, ignore_index=True)
    rows = []
    for keys, mine in whole.groupby(KEYS, sort=False, dropna=False):
        fine = mine.dropna(subset=["estimate", "se"])
        if len(fine) < len(found):
            continue
        ratio = "ratio" in str(mine["measure"].iloc[0])
        value = fine["estimate"].to_numpy(dtype=float)
        pooled = combine(
            np.log(value) if ratio else value,
            fine["se"].to_numpy(dtype=float) ** 2,
            confidence=confidence,
        )
        cells = [float(pooled.estimate[0]), float(pooled.lower[0]), float(pooled.upper[0])]
        estimate, lower, upper = np.exp(cells) if ratio else cells
        rows.append(
            {
                **dict(zip(KEYS, keys, strict=True)),
                "estimate": estimate,
                "se": float(pooled.se[0]),
                "lower": lower,
                "upper": upper,
                "imputations": len(found),
                "missing_information": float(pooled.missing_information[0]),
            }
        )
    return pd.DataFrame(rows)
