"""How much of the drug was taken and planned, day by day, in each arm?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.describe.day_steps import round_step
from discontinuation.describe.exposure_phases import doses_of_arms, main_drugs
from discontinuation.describe.given import Tables, arms_in_order, complete

QUANTILES = {"p10": 0.10, "p25": 0.25, "median": 0.50, "p75": 0.75, "p90": 0.90}
AS_PLANNED = 0.1  # a dose within a tenth of the planned one is as planned
POINTS = 200
CELLS = 4_000_000  # people times days that are looked at together


def dose_quantiles(tables: Tables) -> pd.DataFrame:
    """Describe the doses of each arm's main drug on a grid of days.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.

    Returns
    -------
    DataFrame
        arm, drug, unit, day, people (with a known dose on that day), p10, p25, median, p75, p90 of
        their doses, planned (median of the planned doses), planned_people. Days lie within
        follow-up, or within the doses where there is no follow-up.
    """
    given = complete(tables)
    columns = ["arm", "drug", "unit", "day", "people", *QUANTILES, "planned", "planned_people"]
    days = _days(given)
    if not len(days):
        return pd.DataFrame(columns=columns)
    by = ["arm", "cell"]
    taken = _on_days(doses_of_arms(given), days).groupby(by)
    planned = _planned(given, days).groupby(by)
    found = pd.DataFrame({name: taken["dose"].quantile(q) for name, q in QUANTILES.items()})
    found["people"] = taken["person"].nunique()
    plan = pd.DataFrame(
        {"planned": planned["dose"].median(), "planned_people": planned["person"].nunique()}
    )
    both = found.join(plan, how="outer").reset_index()
    both["day"] = days[both["cell"].to_numpy(dtype=int)]
    counts = ["people", "planned_people"]
    both[counts] = both[counts].fillna(0).astype("Int64")
    return _in_arm_order(both.merge(main_drugs(given), on="arm"), given)[columns]


def plan_agreement(tables: Tables) -> pd.DataFrame:
    """Compare the doses taken with the planned ones.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.

    Returns
    -------
    DataFrame
        arm, people (with both on some day), days (person-days compared, on the grid of
        `dose_quantiles`), and the shares of these days on which less than nine tenths of the plan
        was taken (below), about the plan (as_planned), or more than eleven tenths (above).
    """
    given = complete(tables)
    columns = ["arm", "people", "days", "below", "as_planned", "above"]
    days = _days(given)
    if not len(days) or given["planned_doses"].empty:
        return pd.DataFrame(columns=columns)
    both = _on_days(doses_of_arms(given), days).merge(
        _planned(given, days), on=["arm", "person", "cell"], suffixes=("", "_planned")
    )
    margin = AS_PLANNED * both["dose_planned"]
    both["below"] = both["dose"] < both["dose_planned"] - margin
    both["above"] = both["dose"] > both["dose_planned"] + margin
    found = both.groupby("arm").agg(
        people=("person", "nunique"),
        days=("person", "size"),
        below=("below", "mean"),
        above=("above", "mean"),
    )
    found["days"] = found["days"] * (float(days[1] - days[0]) if len(days) > 1 else 1.0)
    found["as_planned"] = 1 - found["below"] - found["above"]
    found["people"] = found["people"].astype("Int64")
    return _in_arm_order(found.reset_index(), given)[columns]


def _in_arm_order(frame: pd.DataFrame, given: Tables) -> pd.DataFrame:
    order = {arm: place for place, arm in enumerate(arms_in_order(given)["arm"])}
    place = frame["arm"].map(order)
    return frame.loc[place.sort_values(kind="stable").index].reset_index(drop=True)


def _days(given: Tables) -> npt.NDArray[np.float64]:
    """Choose the days to look at: a round step, fewer where there are many people."""
    doses, follow_up = given["doses"], given["follow_up"]
    if doses.empty:
        return np.empty(0)
    first, last = float(doses["start"].min()), float(doses["stop"].max())
    if len(follow_up):
        # What was taken long before the study would leave no room for the study itself.
        first = max(first, float(follow_up["start"].min()))
        last = min(last, float(follow_up["end"].max()))
    if last < first:
        return np.empty(0)
    points = int(np.clip(CELLS / max(len(given["people"]), 1), 40, POINTS))
    step = round_step(last - first, points)
    return np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step


def _planned(given: Tables, days: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Give every person their own plan, or that of their arm where they have none."""
    people = given["people"][["person", "arm"]]
    plans = given["planned_doses"].assign(stop=given["planned_doses"]["stop"].fillna(np.inf))
    drugs = main_drugs(given)
    own = plans.drop(columns="arm").merge(people, on="person")
    own = own.merge(drugs, on=["arm", "drug", "unit"])
    shared = plans.loc[plans["person"].isna()].merge(drugs, on=["arm", "drug", "unit"])
    others = people.loc[~people["person"].isin(own["person"])]
    of_arms = _on_days(shared, days).drop(columns="person").merge(others, on="arm")
    columns = ["arm", "person", "cell", "dose"]
    return pd.concat([of_arms[columns], _on_days(own, days)[columns]], ignore_index=True)


def _on_days(intervals: pd.DataFrame, days: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Look up the dose of every interval on every day it covers: arm, person, cell, dose."""
    first = np.searchsorted(days, intervals["start"].to_numpy(dtype=float), "left")
    last = np.searchsorted(days, intervals["stop"].to_numpy(dtype=float), "left")
    lengths = np.maximum(last - first, 0)
    rows = np.repeat(np.arange(len(intervals)), lengths)
    passed = np.repeat(np.cumsum(lengths) - lengths, lengths)
    cells = np.arange(lengths.sum()) - passed + np.repeat(first, lengths)
    columns = {name: intervals[name].to_numpy()[rows] for name in ("arm", "person")}
    doses = intervals["dose"].to_numpy(dtype=float)[rows]
    return pd.DataFrame({**columns, "cell": cells, "dose": doses})
