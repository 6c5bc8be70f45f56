"""Which values are missing: of the people, and of the ratings at each time?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.describe.day_steps import round_step
from discontinuation.describe.given import Tables, arms_in_order, complete
from discontinuation.describe.masking import Key, Sum

Schedule = Mapping[str, Sequence[float]]
By = Literal["arm", "person"]
COUNTS = ("expected", "observed", "missing")
MOST_BINS = {"arm": 16, "person": 60}


def missing_columns(tables: Tables) -> pd.DataFrame:
    """Count the blanks of every column of people.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.

    Returns
    -------
    DataFrame
        column (in the order of the table), filled and blank (people), share (of blanks).
    """
    people = complete(tables)["people"]
    blank = people.isna() | (people == "")
    counts = blank.sum().astype("Int64")
    return pd.DataFrame(
        {
            "column": list(people.columns),
            "filled": (len(people) - counts).array,
            "blank": counts.array,
            "share": (counts / len(people)).astype(float).array if len(people) else np.nan,
        }
    )


def ratings_over_time(
    tables: Tables, schedule: Schedule | None = None, by: By = "arm"
) -> pd.DataFrame:
    """Count who was rated and who could have been, instrument by instrument, over time.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.
    schedule
        Days of the planned visits by instrument. An instrument that it does not name is looked at
        in bins of equal length instead.
    by
        Count people by arm, or look at every person.

    Returns
    -------
    DataFrame
        arm or person, instrument, start and stop of the bin (days), visit (planned day, blank in
        bins), expected (people under observation on the planned day, or at some time of the bin,
        and whoever was rated all the same), observed (people rated at least once), missing,
        ratings (occasions), share (observed of expected), band (`share_band` of it). A planned
        visit reaches half-way to its neighbours, the first and the last without end.
    """
    given = complete(tables)
    columns = [by, "instrument", "start", "stop", "visit", "expected", "observed", "missing"]
    columns += ["ratings", "share", "band"]
    occasions = given["assessments"][["person", "instrument", "day"]].drop_duplicates()
    found = [
        _of_instrument(given, occasions.loc[occasions["instrument"] == name], name, days, by)
        for name, days in _instruments(occasions, schedule or {})
    ]
    found = [frame for frame in found if len(frame)]
    if not found:
        return pd.DataFrame(columns=columns)
    return pd.concat(found, ignore_index=True)[columns]


def instruments_used(tables: Tables) -> pd.DataFrame:
    """List the instruments with how often they were used.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.

    Returns
    -------
    DataFrame
        instrument, items, people (rated at least once), ratings (occasions), first_day, last_day;
        most used first.
    """
    rows = complete(tables)["assessments"]
    by = rows.groupby("instrument")
    found = by.agg(
        items=("item", "nunique"),
        people=("person", "nunique"),
        first_day=("day", "min"),
        last_day=("day", "max"),
    )
    occasions = rows[["person", "instrument", "day"]].drop_duplicates()
    found["ratings"] = occasions.groupby("instrument").size()
    found = found.astype({"people": "Int64", "ratings": "Int64"}).reset_index()
    order = ["instrument", "items", "people", "ratings", "first_day", "last_day"]
    return found.sort_values(["ratings", "instrument"], ascending=[False, True])[order]


def share_band(share: float) -> float:
    """Put a share into a band that does not give the number of people away.

    Returns
    -------
    float
        0 for none, 1 to 5 for fifths (the fifth includes all), NaN for no share.
    """
    if np.isnan(share) or share == 0:
        return share
    return float(min(np.floor(share * 5 + 1e-9) + 1, 5))


def _instruments(
    occasions: pd.DataFrame, schedule: Schedule
) -> list[tuple[str, Sequence[float] | None]]:
    """List planned instruments, then those that were only used, most used first."""
    used = occasions["instrument"].value_counts()
    others = sorted(set(used.index) - set(schedule), key=lambda name: (-used[name], name))
    return [*schedule.items(), *((name, None) for name in others)]


def _of_instrument(
    given: Tables, occasions: pd.DataFrame, name: str, days: Sequence[float] | None, by: By
) -> pd.DataFrame:
    spans = _spans(given)
    if spans.empty:
        return pd.DataFrame()
    if days is None:
        edges = _bins(spans, MOST_BINS[by])
        visits = np.full(len(edges) - 1, np.nan)
        under = _overlaps(spans, edges)
    else:
        visits = np.unique(np.asarray(days, dtype=float))
        edges = np.concatenate([[-np.inf], (visits[1:] + visits[:-1]) / 2, [np.inf]])
        under = _covers(spans, visits)
    ratings = _ratings(spans, occasions, edges)
    rated = ratings > 0
    cells = {"expected": under | rated, "observed": rated, "ratings": ratings}
    groups = spans[by].to_numpy()
    order = list(arms_in_order(given)["arm"]) if by == "arm" else list(spans["person"])
    frames = [
        pd.DataFrame(
            {by: group, "start": edges[:-1], "stop": edges[1:], "visit": visits}
            | {column: values[groups == group].sum(axis=0) for column, values in cells.items()}
        )
        for group in order
    ]
    found = pd.concat(frames, ignore_index=True).assign(instrument=name)
    counts = ["expected", "observed", "ratings"]
    found[counts] = found[counts].astype("Int64")
    found["missing"] = found["expected"] - found["observed"]
    expected = found["expected"].astype(float)
    found["share"] = (found["observed"] / expected.where(expected > 0)).astype(float)
    return found.assign(band=[share_band(share) for share in found["share"]])


def _spans(given: Tables) -> pd.DataFrame:
    """List each person's follow-up; without a table of follow-up, from the first to last rating."""
    people = given["people"][["person", "arm"]]
    if len(given["follow_up"]):
        return people.merge(given["follow_up"][["person", "start", "end"]], on="person")
    days = given["assessments"]["day"]
    return people.assign(start=days.min(), end=days.max())


def _bins(spans: pd.DataFrame, most: int) -> npt.NDArray[np.float64]:
    first, last = float(spans["start"].min()), float(spans["end"].max())
    step = round_step(last - first, most - 1)
    return np.arange(np.floor(first / step), np.floor(last / step) + 2) * step


def _overlaps(spans: pd.DataFrame, edges: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Say who was under observation at some time of each bin, shape (people, bins)."""
    start, end = (spans[name].to_numpy()[:, None] for name in ("start", "end"))
    return (start < edges[None, 1:]) & (end >= edges[None, :-1])


def _covers(spans: pd.DataFrame, visits: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Say who was under observation on each planned day, shape (people, visits)."""
    start, end = (spans[name].to_numpy()[:, None] for name in ("start", "end"))
    return (start <= visits[None, :]) & (visits[None, :] <= end)


def _ratings(
    spans: pd.DataFrame, occasions: pd.DataFrame, edges: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Count rating occasions, shape (people, bins); those outside all bins are not counted."""
    rows = pd.Index(spans["person"]).get_indexer(occasions["person"])
    bins = np.searchsorted(edges, occasions["day"].to_numpy(dtype=float), "right") - 1
    counts = np.zeros((len(spans), len(edges) - 1), dtype=np.int64)
    inside = (rows >= 0) & (bins >= 0) & (bins < counts.shape[1])
    np.add.at(counts, (rows[inside], bins[inside]), 1)
    return counts


def column_keys(columns: pd.DataFrame, count: str) -> list[Key]:
    """Name the filled or blank counts of the columns of people."""
    return [("column", name, count) for name in columns["column"]]


def column_sums(columns: pd.DataFrame, present: Key) -> list[Sum]:
    """Say that filled and blank people add up to the people present."""
    names = columns["column"]
    return [Sum(present, (("column", name, "filled"), ("column", name, "blank"))) for name in names]


def rating_keys(ratings: pd.DataFrame, count: str) -> list[Key]:
    """Name the expected, observed or missing people of every row."""
    return [("ratings", row, count) for row in range(len(ratings))]


def rating_sums(ratings: pd.DataFrame) -> list[Sum]:
    """Say that observed and missing people add up to those expected."""
    rows = [[("ratings", row, name) for name in COUNTS] for row in range(len(ratings))]
    return [Sum(expected, (observed, absent)) for expected, observed, absent in rows]
