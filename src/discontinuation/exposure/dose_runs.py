"""How did each unbroken run of dosing end: tapered, abruptly, or otherwise?

The runs describe what was taken. Whether a taper was gradual at the receptor is another question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

KEYS = ["person", "drug"]


def find_dose_runs(doses: pd.DataFrame, gap_days: float) -> pd.DataFrame:
    """Join the doses of each person and drug into runs.

    Parameters
    ----------
    doses
        Canonical doses: person, drug, start, stop (not included), dose. Intervals of dose 0 are
        no dosing.
    gap_days
        A new run starts when more than this many days lie between two days with a dose.

    Returns
    -------
    DataFrame
        One row per run: person, drug, run (from 1), first_day, last_peak_day, last_day, dose_days
        (days with a dose), peak, last_dose, distinct_doses, days_from_peak (from the last day at
        the peak to the last day with a dose). Days are days since the origin, the first moment of
        each.
    """
    taken = doses.loc[doses["dose"] > 0, [*KEYS, "start", "stop", "dose"]]
    taken = taken.sort_values([*KEYS, "start"], kind="stable").reset_index(drop=True)
    taken["last"] = taken["stop"] - 1.0
    same = (taken[KEYS] == taken[KEYS].shift(1)).all(axis=1)
    apart = taken["start"] - taken["last"].shift(1)
    taken["new"] = ~same | (apart > gap_days)
    taken["run"] = taken["new"].groupby([taken[key] for key in KEYS]).cumsum().astype(int)
    groups = taken.groupby([*KEYS, "run"], sort=False)
    peak = groups["dose"].transform("max")
    taken["peak_day"] = taken["last"].where(taken["dose"] == peak)
    taken["days"] = taken["stop"] - taken["start"]
    runs = groups.agg(
        first_day=("start", "min"),
        last_peak_day=("peak_day", "max"),
        last_day=("last", "max"),
        dose_days=("days", "sum"),
        peak=("dose", "max"),
        last_dose=("dose", "last"),
        distinct_doses=("dose", "nunique"),
    ).reset_index()
    runs["days_from_peak"] = runs["last_day"] - runs["last_peak_day"]
    return runs


def stop_kinds(runs: pd.DataFrame, rule: Mapping[str, float]) -> pd.Series:
    """Name how each run ended, by declared limits.

    Parameters
    ----------
    runs
        From `find_dose_runs`.
    rule
        `taper_last_dose_at_most` and `taper_days_at_least`: both must hold for a taper;
        `abrupt_days_at_most`: the last dose follows the last day at the peak within this many
        days.

    Returns
    -------
    Series of str
        "taper", "abrupt" or "other".
    """
    taper = (runs["last_dose"] <= rule["taper_last_dose_at_most"]) & (
        runs["days_from_peak"] >= rule["taper_days_at_least"]
    )
    abrupt = runs["days_from_peak"] <= rule["abrupt_days_at_most"]
    return pd.Series(np.select([taper, abrupt], ["taper", "abrupt"], "other"), runs.index)


def reach_the_end(runs: pd.DataFrame, follow_up: pd.DataFrame, gap_days: float) -> pd.Series:
    """Mark the runs that were still going on when observation ended: nobody saw them stop.

    Parameters
    ----------
    runs
        From `find_dose_runs`.
    follow_up
        Canonical follow-up.
    gap_days
        The gap that starts a new run; a run whose last dose lies closer to the end than that may
        have gone on.
    """
    end = runs["person"].map(follow_up.drop_duplicates("person").set_index("person")["end"])
    return (end - (runs["last_day"] + 1.0) <= gap_days) & end.notna()


def align_to_last_dose(assessments: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Pair each assessment with the run whose last dose it follows.

    Parameters
    ----------
    assessments
        Canonical assessments of one instrument and item.
    runs
        From `find_dose_runs`, with whatever further columns.

    Returns
    -------
    DataFrame
        person, day, value, the columns of the run, and days_since_last_dose (0 on the day of the
        last dose). Assessments before the last dose, or once another run has begun, are not in it.
    """
    runs = runs.sort_values(["person", "first_day"], kind="stable")
    following = runs.groupby("person")["first_day"].shift(-1).fillna(np.inf)
    both = assessments[["person", "day", "value"]].merge(
        runs.assign(next_day=following), on="person"
    )
    both["days_since_last_dose"] = both["day"] - both["last_day"]
    after = (both["days_since_last_dose"] >= 0) & (both["day"] < both["next_day"])
    return both.loc[after].drop(columns="next_day").reset_index(drop=True)


def summarise_after_last_dose(
    aligned: pd.DataFrame, limits: Sequence[float], confidence: float = 0.95
) -> pd.DataFrame:
    """Average a score over bins of days since the last dose, by how the run ended.

    Parameters
    ----------
    aligned
        From `align_to_last_dose`, with a column `stop_kind`.
    limits
        Limits of the bins; each bin holds its lower limit and not its upper.
    confidence
        Level of the interval.

    Returns
    -------
    DataFrame
        stop_kind, from_day, to_day (not included), people, ratings, mean of the ratings, and the
        interval of the mean on t with people - 1 degrees of freedom, its variance by
        linearisation with people as clusters. Bins without a rating have a row.
    """
    rows = []
    for kind in sorted(aligned["stop_kind"].unique()):
        chosen = aligned.loc[aligned["stop_kind"] == kind]
        for low, high in pairwise(limits):
            since = chosen["days_since_last_dose"]
            inside = chosen.loc[(since >= low) & (since < high)]
            rows.append(
                {
                    "stop_kind": kind,
                    "from_day": low,
                    "to_day": high,
                    **_clustered_mean(inside["value"], inside["person"], confidence),
                }
            )
    return pd.DataFrame(rows)


def _clustered_mean(values: pd.Series, people: pd.Series, confidence: float) -> dict[str, float]:
    """Average values whose errors are alike within a person."""
    clusters, ratings = people.nunique(), len(values)
    mean = float(values.mean()) if ratings else np.nan
    sums = (values - mean).groupby(people.to_numpy()).sum()
    half = np.nan
    if clusters > 1:
        variance = clusters / (clusters - 1) * float((sums**2).sum()) / ratings**2
        half = float(stats.t.ppf(0.5 + confidence / 2, clusters - 1)) * np.sqrt(variance)
    return {
        "people": clusters,
        "ratings": ratings,
        "mean": mean,
        "lower": mean - half,
        "upper": mean + half,
    }
