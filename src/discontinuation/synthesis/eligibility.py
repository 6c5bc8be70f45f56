"""Which effects may enter a pool, and why not the others?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from discontinuation.synthesis.arm_risk import UNCENSORED

POOLED_MEASURES = (
    "risk_ratio",
    "odds_ratio",
    "risk_difference",
    "hazard_ratio",
    "rate_ratio",
    "ratio_of_times",
    "restricted_mean_difference",
    "standardised_mean_difference",
)
OUTCOME_ORDER = ["relapse", "withdrawal_syndrome", "withdrawal_symptom", "withdrawal_score"]
# One pool never mixes any of these.
ONE_POOL = ["contrast", "outcome_group", "measure"]


def select_effects(effects: pd.DataFrame, uncensored: bool = False) -> pd.DataFrame:
    """Choose one effect per independent cohort for each pool.

    Parameters
    ----------
    effects
        From `contrasts.trial_effects`.
    uncensored
        Also accept Kaplan-Meier proportions without an interval, as if nobody was censored.

    Returns
    -------
    DataFrame
        The same rows with two more columns: `pooled` (everywhere; overall - not in subgroups by
        strategy or taper; by strategy - only there; no) and `why_not`.
    """
    table = effects.copy()
    table["why_not"] = _why_not(table, uncensored)
    table["pooled"] = np.where(table["why_not"].isna(), _scope(table), "no")
    for scope in ("overall", "by strategy"):
        _keep_one_per_cohort(table, scope)
    return table


def _why_not(table: pd.DataFrame, uncensored: bool) -> pd.Series:
    reasons = pd.Series(None, index=table.index, dtype=object)
    rules = [
        (table["use"] == "compare", "its collection is used for comparison only"),
        (table["outcome_group"] == "other", "the outcome is neither relapse nor withdrawal"),
        (~table["measure"].isin(POOLED_MEASURES), "differences on different scales are not pooled"),
        (~table["se"].gt(0), "no interval can be derived from what is published"),
    ]
    if not uncensored:
        assumed = table["method"].str.contains(UNCENSORED, regex=False)
        rules.append((assumed, "Kaplan-Meier without an interval: censoring unknown"))
    for applies, reason in rules:
        reasons[applies & reasons.isna()] = reason
    return reasons


def _scope(table: pd.DataFrame) -> pd.Series:
    """Where a trial stopped in several ways: all ways together overall, each in its subgroup."""
    same = ["study", "contrast", "outcome", "week", "measure"]
    together = (table["strategy"] == "any").groupby([table[name] for name in same], dropna=False)
    has_any = together.transform("any")
    scope = pd.Series("everywhere", index=table.index)
    scope[has_any] = "by strategy"
    scope[table["strategy"] == "any"] = "overall"
    return scope


def _keep_one_per_cohort(table: pd.DataFrame, scope: str) -> None:
    """Keep one candidate of each cohort.

    Of several records the one of the collection listed first, then the one with the main outcome
    and the most people; within a record the outcome listed first at its latest time.
    """
    candidates = table.loc[table["pooled"].isin(["everywhere", scope])]
    order = _ordered(candidates, table)
    key = [*ONE_POOL, "allocation", "cohort"] + (["strategy"] if scope == "by strategy" else [])
    for _, rows in order.groupby(key, dropna=False):
        kept = table.loc[rows.index[0]]
        for index in rows.index[1:]:
            row = table.loc[index]
            # A trial that reports each way of stopping by itself has one in the overall pool and
            # every one in the subgroups by strategy.
            other_way = row["study"] == kept["study"] and row["strategy"] != kept["strategy"]
            if scope == "overall" and other_way:
                table.loc[index, "pooled"] = "by strategy"
            else:
                table.loc[index, ["pooled", "why_not"]] = ["no", _repeat(row, kept)]


def _ordered(candidates: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    listed = table.groupby("study", sort=False)["outcome"].transform(lambda o: pd.factorize(o)[0])
    people = (candidates["n_a"].astype(float) + candidates["n_b"].astype(float)).fillna(0)
    return candidates.assign(
        allocation=candidates["randomised"] == "yes",
        outcome_rank=candidates["outcome_type"].map(OUTCOME_ORDER.index),
        people=-people.groupby(candidates["study"]).transform("max"),
        listed=listed.loc[candidates.index],
        time=-candidates["week"].fillna(np.inf),
    ).sort_values(
        ["collection_rank", "outcome_rank", "people", "study", "listed", "time"], kind="stable"
    )


def _repeat(row: pd.Series, kept: pd.Series) -> str:
    if row["study"] != kept["study"]:
        return f"the same people are in the pool through {kept['study']}"
    if row["outcome_type"] != kept["outcome_type"]:
        return f"the trial is in the pool with {kept['outcome_type']}"
    if row["outcome"] != kept["outcome"]:
        return f"the outcome listed first is in the pool ({kept['outcome']})"
    if pd.notna(kept["week"]) and row["week"] != kept["week"]:
        return f"a later time is in the pool (week {kept['week']:g})"
    return "another result of the same trial is in the pool"
