"""What did each person take from when to when, where is that unknown, and in which runs?

Unlike dose histories, records may hold days about which nothing is known: they stay unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.exposure.histories import (
    INJECTION,
    MG_PER_DAY,
    WITHOUT_STRENGTH,
    DoseBefore,
    dose_problems,
)
from discontinuation.problems import Problem, allowed_values, refuse

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Columns = tuple[IntArray, FloatArray, FloatArray, FloatArray]  # person, start, stop, dose

GAPS = ("unknown", "missed", "carried")
ZERO, TAKEN, UNKNOWN = 0, 1, 2
SAME_MOMENT = 1e-9  # days
LONG = 3650.0  # days; length of the interval that stands for the time before the record

# Dosing in turns: single doses with breaks between them, over and over.
SHORT = 1.5  # days; the longest interval that holds a single dose
LONGEST_BREAK = 7.0  # days
CYCLES = 3  # breaks in a row


@dataclass(frozen=True, eq=False)
class Record:
    """Unbroken records of n people, their intervals one after another.

    Attributes
    ----------
    people
        Their names, shape (n,).
    person
        Whose each interval is, position in `people`.
    start, stop
        Limits of the intervals, days. With a steady start the first interval of each person
        stands for the time before the record.
    dose
        Mean dose of each interval; NaN where nothing is known.
    smooth
        The same, with the mean over dose and break where dosing is in turns.
    steady
        Whether the dose before the record had been taken for long; if not, the drug was new.
    unit
        "mg/day", or the unit of doses that cannot be turned into milligrams.
    """

    people: npt.NDArray[np.object_]
    person: IntArray
    start: FloatArray
    stop: FloatArray
    dose: FloatArray
    smooth: FloatArray
    steady: bool
    unit: str

    @property
    def length(self) -> FloatArray:
        """Length of each interval, days."""
        return self.stop - self.start

    @property
    def kind(self) -> IntArray:
        """ZERO, TAKEN or UNKNOWN."""
        known = np.where(self.smooth > 0, TAKEN, ZERO)
        return np.where(np.isnan(self.smooth), UNKNOWN, known).astype(np.int64)

    @property
    def in_turns(self) -> BoolArray:
        """Whether dosing is in turns with breaks."""
        return np.asarray(self.smooth != self.dose) & ~np.isnan(self.dose)


@dataclass(frozen=True, eq=False)
class Runs:
    """Dosing without a long break; r runs, in the order of the record.

    Attributes
    ----------
    of_interval
        Run of each interval, -1 in long breaks and long unknown times.
    first, end
        First interval of each run and the one after its last, shape (r,).
    """

    of_interval: IntArray
    first: IntArray
    end: IntArray


def arrange_record(
    doses: pd.DataFrame,
    *,
    start_steady: bool = True,
    dose_before: DoseBefore = None,
    gaps: str = "unknown",
) -> Record:
    """Arrange the doses of one drug into unbroken records.

    Parameters
    ----------
    doses
        Canonical doses: person, start, stop (not included), dose, and perhaps unit (mg per day
        without it). An injection is spread over its interval.
    start_steady, dose_before
        As in `exposure_of`: whether, and at which dose, the drug had been taken for long before
        the record.
    gaps
        What happened between intervals: ``"unknown"``, ``"missed"`` doses, or the dose before
        ``"carried"`` on.

    Raises
    ------
    InvalidInput
        With every problem of the doses.
    """
    problems = []
    if gaps not in GAPS:
        problems.append(Problem("doses", allowed_values(GAPS, gaps), column="gaps", value=gaps))
    problems += dose_problems(
        doses.drop(columns="unit", errors="ignore"),
        start_steady=start_steady,
        dose_before=dose_before,
        gaps="missed",
    )
    unit, unit_problems = _common_unit(doses)
    refuse([*problems, *unit_problems])
    daily = _per_day(doses, unit)
    code, people = pd.factorize(daily["person"])
    start, stop, dose = (daily[name].to_numpy(dtype=float) for name in ("start", "stop", "dose"))
    order = np.lexsort((start, code))
    columns: Columns = (code[order].astype(np.int64), start[order], stop[order], dose[order])
    if start_steady:
        columns = _with_time_before(columns, people, dose_before)
    person, start, stop, dose = _without_gaps(columns, gaps)
    smooth = _smooth(person, stop - start, dose)
    names = np.asarray(people, dtype=object)
    return Record(names, person, start, stop, dose, smooth, start_steady, unit)


def find_runs(record: Record, gap_days: float) -> Runs:
    """Find the runs of dosing.

    Parameters
    ----------
    record
        From `arrange_record`.
    gap_days
        A break, or an unknown time, of more than this many days ends a run. So does a break at
        the end of the record, however short.
    """
    kind, person = record.kind, record.person
    opens = changes(person, kind)
    at = np.flatnonzero(opens)
    length = np.add.reduceat(record.length, at)
    edge = changes(person[at]) | np.append(changes(person[at])[1:], True)
    breaks = (kind[at] == ZERO) & (edge | (length > gap_days))
    breaks |= (kind[at] == UNKNOWN) & (length > gap_days)
    inside = ~breaks[np.cumsum(opens) - 1]
    begins = inside & (changes(person) | np.append(True, ~inside[:-1]))
    numbered = np.cumsum(begins)
    # Unknown days and short breaks alone are no run.
    with_dose = np.unique(numbered[inside & (kind == TAKEN)])
    place = np.full(int(numbered.max(initial=0)) + 1, -1, dtype=np.int64)
    place[with_dose] = np.arange(len(with_dose))
    run = np.where(inside, place[numbered], -1)
    rows = np.flatnonzero(run >= 0)
    end = np.zeros(len(with_dose), dtype=np.int64)
    end[run[rows]] = rows + 1
    return Runs(run, np.flatnonzero(begins)[with_dose - 1], end)


def changes(*keys: npt.NDArray[np.generic]) -> BoolArray:
    """Mark the rows at which any of the keys differs from the row before, and the first."""
    first = np.ones(len(keys[0]), dtype=bool)
    first[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return first


def _common_unit(doses: pd.DataFrame) -> tuple[str, list[Problem]]:
    """Find the unit in which all doses can be compared, and what is wrong with the units."""
    if "unit" not in doses:
        return "mg/day", []
    units = doses["unit"].astype(object).fillna("").astype(str)
    known = [*MG_PER_DAY, INJECTION, *WITHOUT_STRENGTH]
    problems = [
        Problem("doses", allowed_values(known, unit), row, "unit", unit)
        for row, unit in enumerate(units, 2)
        if unit not in known
    ]
    names = sorted(set(units))
    without = [name for name in names if name in WITHOUT_STRENGTH]
    if without and len(names) > 1:
        message = "cannot be compared with one another without the strength"
        problems.append(Problem("doses", message, None, "unit", ", ".join(names)))
    return (without[0] if without else "mg/day"), problems


def _per_day(doses: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Turn doses into mg per day, unless they have a unit without a strength."""
    if "unit" not in doses or unit != "mg/day":
        return doses
    units = doses["unit"].astype(object)
    factor = units.map(MG_PER_DAY).astype(float)
    factor = factor.where(units != INJECTION, 1 / (doses["stop"] - doses["start"]))
    return doses.assign(dose=doses["dose"] * factor)


def _with_time_before(columns: Columns, people: pd.Index, dose_before: DoseBefore) -> Columns:
    """Put the long time before the record into an interval of its own, so that it has a length."""
    person, start, _, dose = columns
    at = np.flatnonzero(changes(person))
    before = dose[at]
    if isinstance(dose_before, Mapping | pd.Series):
        before = np.array([float(dose_before[name]) for name in people])
    elif dose_before is not None:
        before = np.full(len(at), float(dose_before))
    added = (person[at], start[at] - LONG, start[at], before)
    person, start, stop, dose = (
        np.insert(column, at, new) for column, new in zip(columns, added, strict=True)
    )
    return person, start, stop, dose


def _without_gaps(columns: Columns, gaps: str) -> Columns:
    """Put an interval into each gap."""
    person, start, stop, dose = columns
    apart = np.where(person[1:] == person[:-1], start[1:] - stop[:-1], 0.0)
    at = np.flatnonzero(apart > SAME_MOMENT) + 1
    within = dose[at - 1]
    if gaps != "carried":
        within = np.full(len(at), np.nan if gaps == "unknown" else 0.0)
    return (
        np.insert(person, at, person[at]),
        np.insert(start, at, stop[at - 1]),
        np.insert(stop, at, start[at]),
        np.insert(dose, at, within),
    )


def _smooth(person: IntArray, length: FloatArray, dose: FloatArray) -> FloatArray:
    """Average dose and break where a person takes single doses in turns with breaks."""
    broken = (dose == 0) & (length <= LONGEST_BREAK)
    single = (dose > 0) & (length <= SHORT)
    cycle = np.zeros(len(dose), dtype=bool)  # a break that is followed by a single dose
    cycle[:-1] = broken[:-1] & single[1:] & (person[:-1] == person[1:])
    inside = cycle | np.append(False, cycle[:-1])
    block = np.cumsum(changes(person, inside)) - 1
    use = np.flatnonzero(cycle & (np.bincount(block, cycle) >= CYCLES)[block])
    smooth = dose.copy()
    mean = dose[use + 1] * length[use + 1] / (length[use] + length[use + 1])
    smooth[use] = smooth[use + 1] = mean
    return smooth
