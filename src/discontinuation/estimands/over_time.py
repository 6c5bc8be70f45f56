"""How do the hazards of arms, and their ratio, change over time?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from discontinuation.estimands.comparisons import Comparison
from discontinuation.problems import InvalidInput
from discontinuation.survival import hazard_ratio_over_time, smoothed_hazard

RATIO_COLUMNS = ["comparison", "time", "hazard_ratio", "lower", "upper", "p_value", "method",
                 "why_not"]  # fmt: skip
HAZARD_COLUMNS = ["group", "time", "hazard", "se", "lower", "upper", "method"]


def hazards_of_arms(people: pd.DataFrame, smallest: int, confidence: float) -> pd.DataFrame:
    """Smooth the hazard of each arm.

    Parameters
    ----------
    people
        From `event_times`: arm, time, event, entry.
    smallest
        Arms with fewer events are left out; at least 2.
    confidence
        Level of the limits.

    Returns
    -------
    DataFrame
        group (the arm), time, hazard (per day), se, lower, upper, method.
    """
    events = people.groupby("arm")["event"].transform("sum")
    kept = people.loc[events >= max(smallest, 2)]
    if kept.empty:
        return pd.DataFrame(columns=HAZARD_COLUMNS)
    late = kept["entry"].to_numpy(dtype=float)
    try:
        found = smoothed_hazard(
            kept["time"].to_numpy(dtype=float), kept["event"].to_numpy(), kept["arm"].to_numpy(),
            entry=late if (late > 0).any() else None, confidence=confidence,
        )  # fmt: skip
    except InvalidInput:
        return pd.DataFrame(columns=HAZARD_COLUMNS)
    table: pd.DataFrame = found.summary
    return table.assign(method=found.method)


def ratios_over_time(
    people: pd.DataFrame, comparisons: Sequence[Comparison], smallest: int, confidence: float
) -> pd.DataFrame:
    """Hazard ratio of each comparison over time, with its test against a constant one.

    Parameters
    ----------
    people
        From `event_times`.
    comparisons
        Which arms.
    smallest, confidence
        As in `hazards_of_arms`.

    Returns
    -------
    DataFrame
        comparison, time, hazard_ratio, lower, upper, p_value, method, and why_not: one row for a
        comparison that was refused.
    """
    parts = []
    for comparison in comparisons:
        mine = people.loc[people["strategy"].isin([comparison.first, comparison.reference])]
        order = [comparison.reference, comparison.first]
        mine = mine.assign(strategy=pd.Categorical(mine["strategy"], order, ordered=True))
        try:
            if mine.groupby("strategy", observed=False)["event"].sum().min() < smallest:
                raise InvalidInput([])
            found = hazard_ratio_over_time(
                mine, "time", "event", "strategy", confidence=confidence,
                entry="entry" if (mine["entry"] > 0).any() else None,
                strata="study" if len(mine["study"].unique()) > 1 else None,
            )  # fmt: skip
            part = found.summary.assign(p_value=found.p_value, method=found.method, why_not=None)
        except InvalidInput as refused:
            reason = "; ".join(problem.message for problem in refused.problems)
            part = pd.DataFrame(
                [{"time": np.nan, "why_not": reason or f"fewer than {smallest} events in an arm"}]
            )
        parts.append(part.assign(comparison=comparison.name).reindex(columns=RATIO_COLUMNS))
    kept = [part.astype({"why_not": object, "method": object}) for part in parts]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=RATIO_COLUMNS)
