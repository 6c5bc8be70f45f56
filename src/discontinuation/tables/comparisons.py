"""Which arms of a trial may be compared with which?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

STOPPED = ("abrupt", "taper", "unspecified")
# Arms are compared only when all of these are the same.
SAME = ["study", "comparison", "cointervention", "outcome", "outcome_type", "estimator", "score"]

OUTCOME_GROUPS = {
    "relapse": "relapse",
    "withdrawal_syndrome": "withdrawal",
    "withdrawal_symptom": "withdrawal",
    "withdrawal_score": "withdrawal",
}


@dataclass(frozen=True)
class Comparison:
    """Two groups of arms of one study, at one point, that differ only in how the drug was handled.

    Attributes
    ----------
    contrast
        "stop vs continue", "abrupt vs taper" or "faster vs slower taper"; the group named
        first is `a`.
    strategy
        Strategy of group a, or "any" when arms stopped in different ways are taken together.
    parts
        In how many comparisons of this contrast group b is used; its people are shared out.
    a, b
        Rows of results joined to their arms.
    """

    contrast: str
    strategy: str
    parts: int
    a: pd.DataFrame
    b: pd.DataFrame


def join_results(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Join each result to its arm and study.

    Parameters
    ----------
    frames
        The tables studies, arms and results.

    Returns
    -------
    DataFrame
        One row per result; the arm's and the study's columns carry no suffix, except `note`,
        `tag`, `source` and `reading`, which are those of the result. Where only a count is
        given, `event_free` follows from it.
    """
    arms = frames["arms"].drop(columns=["reading", "tag", "source", "note", "collection", "use"])
    studies = frames["studies"].drop(columns=["reading", "tag", "source", "note"])
    results = frames["results"].drop(columns=["collection", "use"])
    counted = 1 - results["events"].astype(float) / results["n"].astype(float)
    crude = results["estimator"] == "crude"
    results["event_free"] = results["event_free"].fillna(counted.where(crude))
    joined = results.merge(arms, on=["study", "arm"], how="left", validate="many_to_one")
    return joined.merge(studies, on="study", how="left", validate="many_to_one")


def comparisons(joined: pd.DataFrame) -> Iterator[Comparison]:
    """Find every comparison that the published arms allow.

    Parameters
    ----------
    joined
        Results joined to arms and studies, see `join_results`.

    Yields
    ------
    Comparison
        Arms that were drug-free before randomisation, or that started a drug, are in none.
    """
    rows = joined.loc[joined["estimator"] != "none"].copy()
    # Quantiles are compared at the same level, everything else at the same time.
    rows["point"] = rows["week"].where(rows["estimator"] != "survival_quantile", rows["event_free"])
    for _, group in rows.groupby([*SAME, "point"], dropna=False, sort=False):
        yield from _stop_against_continue(group)
        yield from _pace(group)


def _stop_against_continue(group: pd.DataFrame) -> Iterator[Comparison]:
    stopped = group.loc[group["strategy"].isin(STOPPED)]
    continued = group.loc[group["strategy"] == "maintain"]
    if stopped.empty or continued.empty:
        return
    strategies = list(stopped["strategy"].unique())
    for strategy in strategies:
        arms = stopped.loc[stopped["strategy"] == strategy]
        yield Comparison("stop vs continue", strategy, len(strategies), arms, continued)
    if len(strategies) > 1:
        yield Comparison("stop vs continue", "any", 1, stopped, continued)


def _pace(group: pd.DataFrame) -> Iterator[Comparison]:
    abrupt = group.loc[group["strategy"] == "abrupt"]
    taper = group.loc[group["strategy"] == "taper"]
    if len(abrupt) and len(taper):
        yield Comparison("abrupt vs taper", "abrupt", 1, abrupt, taper)
        return
    days = taper["taper_days"]
    if days.min() < days.max():
        fastest, slowest = taper.loc[days == days.min()], taper.loc[days == days.max()]
        yield Comparison("faster vs slower taper", "taper", 1, fastest, slowest)
