"""When did each person's dose come down, from what, and in which steps?

A descent goes from the last day at the starting dose of a run of dosing to the first day of the
break that ends it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.exposure.dose_records import (
    TAKEN,
    UNKNOWN,
    ZERO,
    Record,
    Runs,
    changes,
    find_runs,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SAME_DOSE = 1e-9  # of the starting dose


@dataclass(frozen=True, eq=False)
class Descents:
    """How each run of dosing came down; r runs.

    Attributes
    ----------
    table
        One row per run: person, run (from 1), start_dose (highest dose held for `stable_days`, in
        the record's unit), start_day (end of its last interval), therapeutic_dose and
        therapeutic_day (the same for that dose), last_dose, zero_day (end of the last interval
        with a dose), days_off (known days at 0 after it), share_in_turns (of the descent),
        ends_at ("zero", "unknown", "record") and refused (why it has no pace; None if it has).
    steps
        One row per change of dose in the descents that are not refused: row (of `table`), step
        (from 1), day, from_dose, to_dose.
    first, end
        The intervals over which the level can be followed: from the last unknown one before the
        descent to the end of the days off, shape (r,).
    """

    table: pd.DataFrame
    steps: pd.DataFrame
    first: IntArray
    end: IntArray


def find_descents(
    record: Record,
    *,
    minimum_effective_dose: float | None = None,
    gap_days: float = 13.0,
    stable_days: float = 7.0,
) -> Descents:
    """Find how each run of dosing came down.

    Parameters
    ----------
    record
        From `arrange_record`.
    minimum_effective_dose
        The therapeutic dose of people whose starting dose was at least that much, mg per day; for
        others it is their starting dose.
    gap_days
        A break of more than this many days ends a run; a shorter one is missed doses.
    stable_days
        The starting dose is the highest that was reached for this many days of the run in all; in
        a shorter run its highest dose.
    """
    runs = find_runs(record, gap_days)
    start_dose = _start_dose(record, runs, stable_days)
    least = np.inf if minimum_effective_dose is None else minimum_effective_dose
    therapeutic = np.where(least <= start_dose, least, start_dose)
    full = _last_at_least(record, runs, start_dose)
    end_full = _last_at_least(record, runs, therapeutic)
    last = _last_at_least(record, runs, np.zeros(len(runs.first)))
    after, days_off, end = _after(record, runs)
    table = pd.DataFrame(
        {
            "person": record.people[record.person[runs.first]],
            "run": _count_within(record.person[runs.first]),
            "start_dose": start_dose,
            "start_day": record.stop[full],
            "therapeutic_dose": therapeutic,
            "therapeutic_day": record.stop[end_full],
            "last_dose": record.smooth[last],
            "zero_day": record.stop[last],
            "days_off": days_off,
            "share_in_turns": _share_in_turns(record, full, runs.end),
            "ends_at": after,
        }
    )
    table["refused"] = _why_not(record, table, full, runs.end)
    return Descents(table, _steps(record, runs, table, full), _known_from(record, full), end)


def _start_dose(record: Record, runs: Runs, stable_days: float) -> FloatArray:
    """Highest dose that was reached for some days in all."""
    rows = np.flatnonzero((runs.of_interval >= 0) & (record.kind == TAKEN))
    run, dose = runs.of_interval[rows], record.smooth[rows]
    order = np.lexsort((-dose, run))
    run, dose, length = run[order], dose[order], record.length[rows[order]]
    at = np.flatnonzero(changes(run))
    days = np.cumsum(length)
    days -= (days[at] - length[at])[run]
    held = np.where(days >= stable_days - 1e-6, dose, -np.inf)
    highest = np.maximum.reduceat(held, at) if len(at) else held
    return np.asarray(np.where(np.isfinite(highest), highest, dose[at]))


def _last_at_least(record: Record, runs: Runs, dose: FloatArray) -> IntArray:
    """Last interval of each run with at least a dose."""
    rows = np.flatnonzero((runs.of_interval >= 0) & (record.kind == TAKEN))
    run = runs.of_interval[rows]
    rows = rows[record.smooth[rows] >= (dose * (1 - SAME_DOSE))[run]]
    last = np.zeros(len(dose), dtype=np.int64)
    last[runs.of_interval[rows]] = rows
    return last


def _after(record: Record, runs: Runs) -> tuple[npt.NDArray[np.object_], FloatArray, IntArray]:
    """What follows each run, for how many known days the dose is 0, and where they end."""
    kind = np.append(record.kind, -1)
    person = np.append(record.person, -1)
    stretch_ends = np.flatnonzero(changes(person, kind))
    following = kind[runs.end]
    same = person[runs.end] == record.person[runs.first]
    ends_at = np.where(same, np.where(following == ZERO, "zero", "unknown"), "record")
    zero = ends_at == "zero"
    end = runs.end.copy()
    end[zero] = stretch_ends[np.searchsorted(stretch_ends, runs.end[zero], side="right")]
    begins = record.start[np.minimum(runs.end, len(record.start) - 1)]
    days = np.where(zero, record.stop[end - 1] - begins, 0.0)
    return ends_at.astype(object), days, end


def _share_in_turns(record: Record, full: IntArray, end: IntArray) -> FloatArray:
    """Share of the time after the last full dose in which dosing was in turns with breaks."""
    turns = np.append(0.0, np.cumsum(record.length * record.in_turns))
    everything = np.append(0.0, np.cumsum(record.length))
    spent = everything[end] - everything[full + 1]
    within = turns[end] - turns[full + 1]
    return np.asarray(within / np.where(spent > 0, spent, 1.0))


def _why_not(
    record: Record, table: pd.DataFrame, full: IntArray, end: IntArray
) -> npt.NDArray[np.object_]:
    """Say of each run why its descent cannot be described; None if it can."""
    reasons = np.full(len(table), None, dtype=object)
    unknown = np.flatnonzero(record.kind == UNKNOWN)
    first = np.searchsorted(unknown, full)
    for row in np.flatnonzero(np.append(unknown, np.iinfo(np.int64).max)[first] < end):
        gap = unknown[first[row]]
        days = f"from day {record.start[gap]:g} to day {record.stop[gap]:g}"
        reasons[row] = f"nothing is known of the dose {days}, during the reduction"
    for row in np.flatnonzero((table["ends_at"] != "zero") & pd.isna(reasons)):
        day, dose = table["zero_day"].iloc[row], table["last_dose"].iloc[row]
        if table["ends_at"].iloc[row] == "unknown":
            reasons[row] = f"nothing is known of the dose after day {record.stop[end[row] - 1]:g}"
        else:
            reasons[row] = f"not stopped: the record ends on day {day:g} at a dose of {dose:g}"
    return reasons


def _known_from(record: Record, full: IntArray) -> IntArray:
    """First interval since which nothing is unknown before the descent."""
    breaks = np.flatnonzero(changes(record.person) | (record.kind == UNKNOWN))
    at = breaks[np.searchsorted(breaks, full, side="right") - 1]
    return np.asarray(at + (record.kind[at] == UNKNOWN))


def _steps(record: Record, runs: Runs, table: pd.DataFrame, full: IntArray) -> pd.DataFrame:
    """Changes of dose; a missed day between two equal doses is none."""
    fine = table["refused"].isna().to_numpy()
    run = runs.of_interval
    rows = np.flatnonzero((run >= 0) & (record.kind == TAKEN))
    rows = rows[fine[run[rows]] & (rows > full[run[rows]])]
    to_zero = np.flatnonzero(fine)
    row = np.concatenate([run[rows], to_zero])
    day = np.concatenate([record.start[rows], table["zero_day"].to_numpy()[to_zero]])
    dose = np.concatenate([record.smooth[rows], np.zeros(len(to_zero))])
    order = np.lexsort((-dose, day, row))
    row, day, dose = row[order], day[order], dose[order]
    start = table["start_dose"].to_numpy(dtype=float)[row]
    before = np.where(changes(row), start, np.roll(dose, 1))
    changed = np.abs(dose - before) > SAME_DOSE * start
    row, day, before, dose = row[changed], day[changed], before[changed], dose[changed]
    return pd.DataFrame(
        {"row": row, "step": _count_within(row), "day": day, "from_dose": before, "to_dose": dose}
    )


def _count_within(group: IntArray) -> IntArray:
    """Number the rows of each group from 1; groups lie together."""
    at = np.flatnonzero(changes(group))
    sizes = np.diff(np.append(at, len(group)))
    return np.asarray(np.arange(len(group)) - np.repeat(at, sizes) + 1, dtype=np.int64)
