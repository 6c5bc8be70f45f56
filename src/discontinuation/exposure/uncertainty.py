"""How far do occupancy and drive of an arm hang on what is not known about the drug?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.exposure.drugs import Drug
from discontinuation.exposure.parameters import HOURS, Parameters
from discontinuation.exposure.sensitivity import USUAL, Spread, bands, draw_drugs
from discontinuation.exposure.trajectories import Exposure, States

FloatArray = npt.NDArray[np.float64]
Arms = dict[object, npt.NDArray[np.intp]]
SLOW = "slow metaboliser"
WEEK = 7
HIGH, LOW = 0.9, 0.1
FEW = 0.2  # of the people known at best; where fewer are, nothing is said of their median
KAPPA = 2.0  # median of its prior (methods B6)


@dataclass(frozen=True)
class Uncertainty:
    """From which ranges the numbers of a drug are drawn.

    Attributes
    ----------
    draws
        Sets of parameters per variant.
    unknown_factor
        Where no range of a number is held, it is drawn from the number divided by this to the
        number times this (P).
    slow_factor
        By how much the half-life of slow metabolisers is longer where no source says (P).
    seed
        The run's seed.
    """

    draws: int = 100
    unknown_factor: float = 1.5
    slow_factor: float = 2.0
    seed: int = 0


def ranges_of(reference: Drug, drug: Parameters, uncertainty: Uncertainty) -> pd.DataFrame:
    """Find the range of each number that is drawn, and where it comes from.

    Parameters
    ----------
    reference
        The drug in the reference tables.
    drug
        The numbers that are used; half-life and curve must be known.
    uncertainty
        What to do where no range is held.

    Returns
    -------
    DataFrame
        parameter (half_life_days, k, and slow metaboliser: a factor), low, high, basis, tag.
    """
    rows = [
        _half_life_range(reference, drug, uncertainty.unknown_factor),
        _k_range(reference, drug, uncertainty.unknown_factor),
        _slow_factor(reference, uncertainty.slow_factor),
    ]
    return pd.DataFrame(rows, columns=["parameter", "low", "high", "basis", "tag"])


def describe_uncertainty(
    exposure: Exposure,
    reference: Drug,
    drug: Parameters,
    arm_of: pd.Series,
    uncertainty: Uncertainty,
    smallest_cell: int = 1,
) -> dict[str, pd.DataFrame]:
    """Draw half-life and K, and describe each arm under every draw.

    Parameters
    ----------
    exposure
        Doses of the people, and the drug as it is thought to be.
    reference, drug
        The drug, and the numbers that are used.
    arm_of
        Arm by person.
    uncertainty
        From which ranges.
    smallest_cell
        Arms with fewer people are left out.

    Returns
    -------
    dict
        uncertainty: by variant (usual, slow metaboliser), arm and quantity, the 2.5, 50 and
        97.5 % points of the median of the arm; uncertainty_courses: the same of occupancy and
        drive on each day on which a fifth of the arm's people or more are known;
        uncertainty_ranges: from `ranges_of`. One set of numbers holds for all people at once.
    """
    ranges = ranges_of(reference, drug, uncertainty)
    spreads, factors = {}, dict(USUAL)
    for parameter, low, high in ranges[["parameter", "low", "high"]].itertuples(index=False):
        if parameter == SLOW:
            factors[SLOW] = float(low)
        else:
            spreads[str(parameter)] = Spread(float(low), float(high))
    drawn = draw_drugs(
        exposure.drug,
        spreads,
        seed=uncertainty.seed,
        draws=uncertainty.draws,
        half_life_factors=factors,
    )
    arms = _arms(exposure, arm_of, smallest_cell)
    found = {"uncertainty_ranges": ranges}
    if arms:
        days = _days(exposure)
        both = bands(exposure, drawn, lambda one: _describe_arms(one, arms, days))
        by_day = both["day"] >= days[0]
        found["uncertainty"] = both.loc[~by_day].drop(columns="day").reset_index(drop=True)
        courses = both.loc[by_day].merge(_known_days(exposure, arms, days, smallest_cell))
        found["uncertainty_courses"] = courses.reset_index(drop=True)
    return found


def _half_life_range(reference: Drug, drug: Parameters, factor: float) -> tuple[object, ...]:
    fact = reference.half_life
    ends = fact.ends if fact is not None else None
    if fact is not None and ends is not None and ends[0] < ends[1]:
        basis = "range of the half-life that is held"
        return "half_life_days", ends[0] / HOURS, ends[1] / HOURS, basis, fact.tag
    return _assumed("half_life_days", float(drug.half_life_days or np.nan), factor)


def _k_range(reference: Drug, drug: Parameters, factor: float) -> tuple[object, ...]:
    held = [row for row in reference.curves if row.usable and row.unit == "mg/day"]
    values = [float(row.k) for row in held if row.k is not None]
    if len(values) > 1 and min(values) < max(values):
        tag = next(row.tag for row in held if row.curve == drug.curve)
        return "k", min(values), max(values), f"{len(values)} fitted curves", tag
    return _assumed("k", float(drug.k or np.nan), factor)


def _assumed(name: str, value: float, factor: float) -> tuple[object, ...]:
    basis = f"no range is held: divided and multiplied by {factor:g}"
    return name, value / factor, value * factor, basis, "P"


def _slow_factor(reference: Drug, factor: float) -> tuple[object, ...]:
    usual = reference.half_life
    moiety = usual.moiety if usual is not None else None
    slow = reference.fact("half_life", moiety, "poor metaboliser")
    if usual is not None and slow is not None and usual.central and slow.central:
        ratio = slow.central / usual.central
        return SLOW, ratio, ratio, "half-life of poor metabolisers", slow.tag
    return SLOW, factor, factor, "no source is held: times the usual half-life", "P"


def _arms(exposure: Exposure, arm_of: pd.Series, smallest: int) -> Arms:
    """Positions of the people of each arm."""
    arm = pd.Series(exposure.people).map(arm_of)
    rows: Arms = {name: np.flatnonzero(arm == name) for name in arm.dropna().unique()}
    return {name: found for name, found in rows.items() if len(found) >= smallest}


def _days(exposure: Exposure) -> FloatArray:
    """Whole days from the reference day to the end of the last record."""
    last = np.floor(exposure.histories.ends.max())
    return np.arange(np.ceil(exposure.reference_day), last + 1)


def _known_days(exposure: Exposure, arms: Arms, days: FloatArray, smallest: int) -> pd.DataFrame:
    """Days on which enough people of an arm are known to speak of its median: arm, day, people."""
    known = ~np.isnan(exposure.at(days).occupancy)
    parts = []
    for arm, rows in arms.items():
        people = known[rows].sum(axis=0)
        enough = (people >= smallest) & (people >= FEW * people.max())
        parts.append(pd.DataFrame({"arm": arm, "day": days[enough], "people": people[enough]}))
    return pd.concat(parts, ignore_index=True)


def _describe_arms(exposure: Exposure, arms: Arms, days: FloatArray) -> pd.Series:
    """Medians of each arm: by day, and of what sums up a person (under a day before the first)."""
    states = exposure.at(days)
    persons = _describe_people(exposure, states)
    before = days[0] - 1
    parts = {}
    for arm, rows in arms.items():
        for name, values in (("occupancy", states.occupancy), ("drive", states.drive)):
            for day, value in zip(days, _median(values[rows]), strict=True):
                parts[arm, name, day] = value
        for name, values in persons.items():
            parts[arm, name, before] = float(_median(values[rows][:, None])[0])
    index = pd.MultiIndex.from_tuples(list(parts), names=["arm", "quantity", "day"])
    return pd.Series(list(parts.values()), index)


def _median(values: FloatArray) -> FloatArray:
    """Median of each column over the people who are known; NaN where nobody is."""
    known = ~np.isnan(values).all(axis=0)
    found = np.full(values.shape[1], np.nan)
    found[known] = np.nanmedian(values[:, known], axis=0)
    return found


def _describe_people(exposure: Exposure, states: States) -> dict[str, FloatArray]:
    """Fall of occupancy, from whole days, and drive of each person."""
    start = np.maximum(exposure.reference_day, exposure.histories.begins)
    return {
        "fall_90_10_days": _fall_days(states.retained),
        "drop_7_days": _largest_drop(states.occupancy),
        "largest_drive": np.nan_to_num(states.drive).max(axis=1),
        "drive_integral": exposure.integral(1.0, start).to_numpy(dtype=float),
        "drive_squared_integral": exposure.integral(KAPPA, start).to_numpy(dtype=float),
    }


def _fall_days(retained: FloatArray) -> FloatArray:
    """Days from the last at 90 % of the reference occupancy to the first at 10 %, shape (n,)."""
    days = retained.shape[1]
    high = np.where(retained >= HIGH, np.arange(days), -1).max(axis=1)
    low = np.where(retained <= LOW, np.arange(days), days).min(axis=1)
    found = np.full(len(retained), np.nan)
    rows = np.flatnonzero((high >= 0) & (low < days) & (high < low))
    high, low = high[rows], low[rows]
    left = _crossing(retained[rows, high], retained[rows, high + 1], HIGH)
    reached = _crossing(retained[rows, low - 1], retained[rows, low], LOW)
    found[rows] = (low - 1 + reached) - (high + left)
    return found


def _crossing(before: FloatArray, after: FloatArray, share: float) -> FloatArray:
    """Part of a day after which a straight line between its ends crosses a share."""
    return np.asarray((before - share) / (before - after))


def _largest_drop(occupancy: FloatArray) -> FloatArray:
    """Largest fall of occupancy over any 7 days on which it is known, shape (n,)."""
    if occupancy.shape[1] <= WEEK:
        return np.full(len(occupancy), np.nan)
    falls = occupancy[:, :-WEEK] - occupancy[:, WEEK:]
    return np.asarray(np.fmax(0.0, np.fmax.reduce(falls, axis=1)))
