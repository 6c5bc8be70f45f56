"""When did the dose change, and when did it end?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from discontinuation.events.lookup import (
    SLACK,
    BoolArray,
    FloatArray,
    IntArray,
    last_before,
    last_marked,
    starts_of,
)

# Milligrams a day of one unit; any other unit is only compared with itself.
DAILY = {"mg/day": 1.0, "ug/day": 1e-3, "mg/week": 1 / 7}


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals of constant dose, sorted by person, drug and start.

    Attributes
    ----------
    person, drug
        Position among the people and among `drugs`.
    start, stop, dose
        First moment, end (not included) and dose.
    unit
        Position among the units that can be compared with one another.
    drugs
        The drugs that occur.
    """

    person: IntArray
    drug: IntArray
    start: FloatArray
    stop: FloatArray
    dose: FloatArray
    unit: IntArray
    drugs: list[str]

    def of(self, drug: str | None) -> BoolArray:
        """Mark the intervals of one drug, or of any."""
        if drug is None:
            return np.ones(len(self.person), dtype=bool)
        wanted = self.drugs.index(drug) if drug in self.drugs else -1
        return np.asarray(self.drug == wanted)

    def _before(self) -> tuple[BoolArray, BoolArray]:
        """Mark the intervals that follow one of the same person and drug, and of the same unit."""
        follows = ~starts_of(self.person, self.drug)
        return follows, follows & (np.r_[-1, self.unit[:-1]] == self.unit)

    def change(self) -> FloatArray:
        """By how much each interval's dose differs from the one before; NaN if there is none."""
        _, comparable = self._before()
        change = self.dose - np.r_[np.nan, self.dose[:-1]]
        same = np.isclose(change, 0, atol=1e-9)
        return np.where(comparable, np.where(same, 0.0, change), np.nan)

    def not_comparable(self) -> int:
        """Count the intervals whose unit cannot be compared with that of the one before."""
        follows, comparable = self._before()
        return int((follows & ~comparable).sum())


def arrange_doses(doses: pd.DataFrame, people: pd.Index) -> Intervals:
    """Sort the doses as taken.

    Parameters
    ----------
    doses
        The canonical table.
    people
        The people; intervals of anybody else are left out.
    """
    person = people.get_indexer(pd.Index(doses["person"]))
    drug, drugs = pd.factorize(doses["drug"].astype(object))
    factor = doses["unit"].astype(object).map(DAILY)
    unit, _ = pd.factorize(doses["unit"].astype(object).where(factor.isna(), "daily"))
    start = doses["start"].to_numpy(dtype=float)
    daily = doses["dose"].astype(float) * factor.fillna(1.0).astype(float)
    dose = np.asarray(daily, dtype=np.float64)
    order = np.lexsort((start, drug, person))
    order = order[person[order] >= 0]
    return Intervals(
        person=person[order].astype(np.int64),
        drug=drug[order].astype(np.int64),
        start=start[order],
        stop=doses["stop"].to_numpy(dtype=float)[order],
        dose=dose[order],
        unit=unit[order].astype(np.int64),
        drugs=list(drugs),
    )


def latest_change(
    intervals: Intervals,
    person: IntArray,
    day: FloatArray,
    drug: str | None,
    *,
    reductions_only: bool,
) -> FloatArray:
    """Find when the dose last changed before a day.

    A change that fell into a gap between two known intervals counts from the start of the later
    one. A dose that changes on the very day of a rating comes after it.

    Returns
    -------
    array of float
        NaN where the dose had not changed yet.
    """
    change = intervals.change()
    changed = change < 0 if reductions_only else (change != 0) & ~np.isnan(change)
    rows = np.flatnonzero(changed & intervals.of(drug))
    return _latest(intervals.person[rows], intervals.start[rows], person, day)


def end_of_dosing(
    intervals: Intervals, person: IntArray, day: FloatArray, drug: str | None
) -> FloatArray:
    """Find when the drug was last taken before a day on which it is not taken.

    Time about which nothing is known counts as time without the drug.

    Returns
    -------
    array of float
        End of the latest interval with a dose above 0; NaN where there is none yet, or where
        that interval still covers the day.
    """
    rows = np.flatnonzero((intervals.dose > 0) & intervals.of(drug))
    order = rows[np.lexsort((intervals.start[rows], intervals.person[rows]))]
    who, start, stop = intervals.person[order], intervals.start[order], intervals.stop[order]
    latest_stop = (
        pd.Series(stop).groupby(who).cummax().to_numpy(dtype=float) if len(order) else stop
    )
    found = last_before(who, start, person, day, inclusive=True)
    end = np.full(len(person), np.nan)
    known = found >= 0
    end[known] = latest_stop[found[known]]
    return np.where(end <= day + SLACK, end, np.nan)


def reinstatements(
    intervals: Intervals, drug: str | None, *, restart_only: bool
) -> tuple[IntArray, FloatArray]:
    """Find when a dose went up after it had gone down.

    Parameters
    ----------
    intervals
        The doses as taken.
    drug
        Only this drug; None for any.
    restart_only
        Only from a dose of 0 to one above 0.

    Returns
    -------
    person, day
        Sorted by both.
    """
    change = intervals.change()
    first = last_marked(starts_of(intervals.person, intervals.drug))
    reduced = last_marked(change < 0) >= first if len(change) else np.zeros(0, dtype=bool)
    up = (change > 0) & reduced & intervals.of(drug)
    if restart_only:
        up &= np.r_[np.nan, intervals.dose[:-1]] == 0 if len(up) else up
    rows = np.flatnonzero(up)
    order = rows[np.lexsort((intervals.start[rows], intervals.person[rows]))]
    return intervals.person[order], intervals.start[order]


def _latest(
    rows_person: IntArray, rows_day: FloatArray, person: IntArray, day: FloatArray
) -> FloatArray:
    order = np.lexsort((rows_day, rows_person))
    rows_person, rows_day = rows_person[order], rows_day[order]
    found = last_before(rows_person, rows_day, person, day, inclusive=False)
    latest = np.full(len(person), np.nan)
    latest[found >= 0] = rows_day[found[found >= 0]]
    return latest
