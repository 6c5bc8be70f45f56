"""Which trials and which pools carry the headline: relapse after stopping, randomised trials."""

from __future__ import annotations

import pandas as pd

HEADLINE = {
    "contrast": "stop vs continue",
    "outcome_group": "relapse",
    "measure": "risk_ratio",
}


def headline_trials(effects: pd.DataFrame) -> pd.DataFrame:
    """Choose the trials of the headline pool, one effect each."""
    chosen = _matching(effects) & (effects["randomised"] == "yes")
    return effects.loc[chosen & effects["pooled"].isin(["everywhere", "overall"])]


def headline_pools(table: pd.DataFrame) -> pd.DataFrame:
    """Choose the headline rows of a table of pools, indexed by drug class.

    Parameters
    ----------
    table
        results/evidence/pooled or small_study_effects.
    """
    chosen = _matching(table) & (table["allocation"] == "randomised")
    for name, value in (("role", "main"), ("subgroup_by", "none")):
        if name in table:
            chosen &= table[name] == value
    return table.loc[chosen].set_index("drug_class")


def _matching(table: pd.DataFrame) -> pd.Series:
    matches = pd.Series(True, index=table.index)
    for name, value in HEADLINE.items():
        matches &= table[name] == value
    return matches
