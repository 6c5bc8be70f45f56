"""Which dose does a record of dispensings say that each person held at the start of each week?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.design._daily import FloatArray
from discontinuation.design._numbers import column_problems
from discontinuation.design.strategies import DAYS, SLACK, BoolArray, TargetTrial
from discontinuation.problems import Problem

COLUMNS = ("person", "day", "dose", "days_supply")
MOMENT = 1e-6  # days


@dataclass(frozen=True, eq=False)
class HeldDoses:
    """What people held, and whether they could enter the trial.

    Attributes
    ----------
    people
        Names, shape (n,).
    full_dose
        Dose in hand just before time zero, shape (n,); NaN if there was none.
    share
        Share of it held at the start of each week, shape (n, weeks).
    stable_days
        Days before time zero without a longer gap or another dose, shape (n,).
    """

    people: npt.NDArray[np.object_]
    full_dose: FloatArray
    share: FloatArray
    stable_days: FloatArray

    def eligible(self, trial: TargetTrial) -> BoolArray:
        """Who took one dose for long enough."""
        return np.asarray(np.isfinite(self.full_dose) & (self.stable_days >= trial.stable_days))


def supply_intervals(dispensings: pd.DataFrame) -> pd.DataFrame:
    """Turn dispensings into intervals in which a dose was in hand.

    Parameters
    ----------
    dispensings
        person, day, dose (mg per day), days_supply, in any order.

    Returns
    -------
    DataFrame
        person, start, stop, dose, by person and start. What is left when the same dose is
        collected again is used up first; another dose takes the place of what is left.
    """
    ordered = dispensings.sort_values(["person", "day"], kind="stable")
    person = pd.factorize(ordered["person"])[0]
    day, dose, supply = (ordered[name].to_numpy(dtype=float) for name in COLUMNS[1:])
    begins = np.append(True, (np.diff(person) != 0) | (np.diff(dose) != 0))
    run = np.cumsum(begins) - 1
    # stop_i = supply_i + max(day_i, stop_{i-1}) within a run: a running maximum of the slack.
    total = np.cumsum(supply)
    slack = day - (total - supply)
    base = np.ptp(slack) + 1.0  # runs far enough apart for one running maximum
    stop = total + np.maximum.accumulate(slack + run * base) - run * base
    start = np.maximum(day, stop - supply)
    opening = np.flatnonzero(begins)
    ends = np.append(day[opening[1:]], np.inf)  # when the person's next run begins
    ends[np.append(np.diff(person[opening]) != 0, True)[: len(opening)]] = np.inf
    stop = np.minimum(stop, ends[run])
    frame = pd.DataFrame(
        {"person": ordered["person"].to_numpy(), "start": start, "stop": stop, "dose": dose}
    )
    return frame.loc[frame["stop"] > frame["start"]].reset_index(drop=True)


def dose_intervals(dispensings: pd.DataFrame, follow_up: pd.DataFrame) -> pd.DataFrame:
    """Turn dispensings into canonical doses, from each first supply to the end of follow-up.

    Parameters
    ----------
    dispensings
        person, drug, day, dose (mg per day), days_supply; one drug. What is dispensed is taken to
        be taken.
    follow_up
        Canonical.

    Returns
    -------
    DataFrame
        Canonical doses, by person and start; days without a supply are intervals of dose 0.
    """
    supplies = supply_intervals(dispensings)
    end = follow_up.set_index("person")["end"].reindex(supplies["person"]).to_numpy(dtype=float)
    inside = supplies["start"].to_numpy() < end
    supplies, end = supplies.loc[inside], end[inside]
    start = supplies["start"].to_numpy(dtype=float)
    stop = np.minimum(supplies["stop"].to_numpy(dtype=float), end)
    person = supplies["person"].to_numpy(dtype=object)
    follows = np.append(person[1:] == person[:-1], False)[: len(person)]
    until = np.where(follows, np.append(start[1:], 0.0)[: len(person)], end)
    empty = until - stop > MOMENT
    frame = pd.DataFrame(
        {
            "person": np.concatenate([person, person[empty]]),
            "start": np.concatenate([start, stop[empty]]),
            "stop": np.concatenate([stop, until[empty]]),
            "dose": np.concatenate([supplies["dose"].to_numpy(), np.zeros(int(empty.sum()))]),
        }
    )
    frame.insert(1, "drug", str(dispensings["drug"].iloc[0]))
    order = np.argsort(np.append(np.arange(len(person)), np.flatnonzero(empty) + 0.5))
    return frame.assign(unit="mg/day", route="oral").iloc[order].reset_index(drop=True)


def held_doses(
    dispensings: pd.DataFrame, people: npt.NDArray[np.object_], trial: TargetTrial
) -> HeldDoses:
    """Read the dose at the start of each week, and eligibility at time zero.

    Parameters
    ----------
    dispensings
        Free of what `dispensing_problems` finds; time is days since time zero.
    people
        Names of those who are looked at, shape (n,); whoever has no dispensing held nothing.
    trial
        Its weeks, and its gap, which also counts before time zero.
    """
    supplies = supply_intervals(dispensings)
    code = pd.Index(people).get_indexer(pd.Index(supplies["person"]))
    known = code >= 0
    code, supplies = code[known], supplies.loc[known]
    order = np.argsort(code, kind="stable")
    code = code[order]
    start, stop, dose = (
        supplies[name].to_numpy(dtype=float)[order] for name in supplies.columns[1:]
    )
    gap = trial.gap_weeks * DAYS
    days = (np.arange(trial.weeks) * DAYS).astype(float)
    before = _dose_at(code, start, stop, dose, len(people), np.array([-1.0]))[:, 0]
    held = _dose_at(code, start, stop, dose, len(people), days)
    full = np.where(before > 0, before, np.nan)
    share = held / np.where(before > 0, before, 1.0)[:, None]
    since = _stable_since(code, start, stop, dose, full, gap)
    return HeldDoses(people, full, np.minimum(share, 1.0), -since)


def dispensing_problems(dispensings: pd.DataFrame) -> Iterator[Problem]:
    """Name what keeps a table from being a record of dispensings; rows as in a spreadsheet."""
    missing = [name for name in COLUMNS if name not in dispensings]
    for name in missing:
        yield Problem("dispensings", "this column is missing", column=name)
    if missing:
        return
    if not len(dispensings):
        yield Problem("dispensings", "there are none")
    yield from column_problems("dispensings", dispensings, ("day",))
    yield from column_problems("dispensings", dispensings, COLUMNS[2:], above_0=True)
    twice = dispensings.duplicated(["person", "day"])
    for row in np.flatnonzero(twice)[:5]:
        rule = "two dispensings to one person on a day; give the dose that they make together"
        yield Problem("dispensings", rule, int(row) + 2, "day")


def _dose_at(
    code: npt.NDArray[np.int64],
    start: FloatArray,
    stop: FloatArray,
    dose: FloatArray,
    people: int,
    days: FloatArray,
) -> FloatArray:
    """Dose in hand on each day, shape (people, days); 0 if there is none."""
    low = min(float(start.min(initial=0)), float(days[0])) - 1
    width = max(float(start.max(initial=0)), float(days[-1])) - low + 1
    keys = code * width + (start - low)
    asked = np.arange(people)[:, None] * width + (days[None, :] + MOMENT - low)
    place = np.searchsorted(keys, asked.ravel(), side="right") - 1
    place = np.maximum(place, 0).reshape(asked.shape)
    inside = (code[place] == np.arange(people)[:, None]) & (days + MOMENT < stop[place])
    inside &= start[place] <= days + MOMENT
    return np.where(inside, dose[place], 0.0)


def _stable_since(
    code: npt.NDArray[np.int64],
    start: FloatArray,
    stop: FloatArray,
    dose: FloatArray,
    full: FloatArray,
    gap: float,
) -> FloatArray:
    """First day of the unbroken run at the full dose that leads to time zero; 0 if none."""
    first = np.zeros(len(full))
    past = start < -MOMENT
    who, begin, end = code[past], start[past], stop[past]
    same_dose = np.abs(dose[past] - full[who]) <= SLACK * full[who]
    follows = np.append(False, who[1:] == who[:-1])
    apart = np.append(0.0, begin[1:] - end[:-1]) > gap + MOMENT
    breaks = ~follows | apart | ~same_dose | np.append(False, ~same_dose[:-1])
    run = np.cumsum(breaks) - 1
    opening = begin[np.flatnonzero(breaks)] if len(breaks) else begin
    last = np.append(who[1:] != who[:-1], True)[: len(who)]
    ending = last & same_dose
    first[who[ending]] = opening[run[ending]]
    return first
