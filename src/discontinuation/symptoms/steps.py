"""When did the dose change, by how much, and when was the last dose?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, refuse

# Milligrams a day of one unit; any other unit is compared with itself only.
DAILY = {"mg/day": 1.0, "ug/day": 1e-3, "mg/week": 1 / 7}
# Two days, or two doses, this close (relative) are the same: sums of decimals are not exact.
SAME = 1e-9
STEP_COLUMNS = [
    "person",
    "drug",
    "step",
    "attempt",
    "day",
    "gap_days",
    "from_dose",
    "to_dose",
    "unit",
    "change",
    "fraction_of_previous",
    "direction",
    "days_at_previous",
]


def require_columns(frame: pd.DataFrame, table: str, columns: Iterable[str]) -> list[Problem]:
    """Describe the columns that a table lacks."""
    missing = [name for name in columns if name not in frame]
    return [Problem(table, "the column is missing", None, name) for name in missing]


def dose_steps(doses: pd.DataFrame) -> pd.DataFrame:
    """List the changes of each person's dose.

    Parameters
    ----------
    doses
        Canonical table: person, drug, start, stop, dose, unit; one row per interval of constant
        dose, time in days.

    Returns
    -------
    DataFrame
        One row per change, ordered by person, drug and day:

        - step: number of the change of this person and drug, from 1.
        - attempt: a run of reductions that no increase interrupts, from 1; an increase belongs to
          the run that it ends, and has 0 before the first reduction.
        - day: first moment of the new dose.
        - gap_days: time before `day` about which nothing is known; the change lies in it. A gap
          between equal doses is no step.
        - from_dose, to_dose, change: in `unit`, which is that of the new dose.
        - fraction_of_previous: to_dose / from_dose; NaN from 0.
        - direction: reduction, increase, or not comparable (another unit that cannot be
          converted; then the numbers but to_dose are NaN).
        - days_at_previous: how long the previous dose is known to have been taken.

    Raises
    ------
    InvalidInput
        Missing columns; intervals that overlap or run backwards.
    """
    rows = _stretches(_in_order(doses))
    known = (rows["stop"] - rows["start"]).groupby(rows["stretch"]).sum()
    before = rows.shift()
    changed = (rows["stretch"] != before["stretch"]) & ~_first_of_group(rows)
    steps, before = rows[changed], before[changed]
    from_dose = steps["from_dose"]
    change = steps["dose"] - from_dose
    table = pd.DataFrame(
        {
            "person": steps["person"],
            "drug": steps["drug"],
            "day": steps["start"],
            "gap_days": _without_noise(steps["start"] - before["stop"], steps["start"]),
            "from_dose": from_dose,
            "to_dose": steps["dose"],
            "unit": steps["unit"],
            "change": change,
            "fraction_of_previous": steps["dose"] / from_dose.where(from_dose > 0),
            "direction": np.select(
                [change < 0, change > 0], ["reduction", "increase"], "not comparable"
            ),
            "days_at_previous": (steps["stretch"] - 1).map(known),
        }
    )
    by = ["person", "drug"]
    table["step"] = table.groupby(by, sort=False).cumcount() + 1
    sign = table.assign(sign=np.sign(change)).groupby(by, sort=False)["sign"]
    last = sign.ffill().groupby([table["person"], table["drug"]], sort=False).shift()
    begins = (change < 0) & ~(last < 0)
    table["attempt"] = begins.groupby([table["person"], table["drug"]], sort=False).cumsum()
    return table[STEP_COLUMNS].reset_index(drop=True)


def dose_levels(doses: pd.DataFrame) -> pd.DataFrame:
    """List the stretches during which each person's dose stayed the same.

    Parameters
    ----------
    doses
        Canonical table.

    Returns
    -------
    DataFrame
        person, drug, level (from 1), start and stop of the stretch, dose, unit, and days (of the
        stretch about which something is known: without gaps between equal doses).

    Raises
    ------
    InvalidInput
        As for `dose_steps`.
    """
    rows = _stretches(_in_order(doses))
    rows["days"] = rows["stop"] - rows["start"]
    first = ["person", "drug", "start", "dose", "unit"]
    found = rows.groupby("stretch").agg(
        {**dict.fromkeys(first, "first"), "stop": "last", "days": "sum"}
    )
    found["level"] = found.groupby(["person", "drug"], sort=False).cumcount() + 1
    columns = ["person", "drug", "level", "start", "stop", "dose", "unit", "days"]
    return found[columns].reset_index(drop=True)


def last_doses(doses: pd.DataFrame) -> pd.DataFrame:
    """Find the end of each person's last dose above 0.

    Parameters
    ----------
    doses
        Canonical table.

    Returns
    -------
    DataFrame
        person, drug, day (end of the last interval with a dose above 0), dose, unit, and
        what_follows: ``"no drug"`` where an interval of dose 0 follows at once, ``"nothing known"``
        otherwise. Somebody who was never given the drug has no row. Put in the place of steps
        (`as_steps`) it aligns symptoms on the last dose.

    Raises
    ------
    InvalidInput
        As for `dose_steps`.
    """
    rows = _in_order(doses)
    taken = rows[rows["dose"] > 0]
    last = taken.groupby(["person", "drug"], sort=False).tail(1)
    none = rows.loc[rows["dose"] == 0, ["person", "drug", "start"]].rename(columns={"start": "day"})
    table = last[["person", "drug", "stop", "dose", "unit"]].rename(columns={"stop": "day"})
    found = table.merge(none, on=["person", "drug", "day"], how="left", indicator="what_follows")
    follows = found["what_follows"].astype(str)
    words = {"both": "no drug", "left_only": "nothing known"}
    return found.assign(what_follows=follows.map(words)).reset_index(drop=True)


def as_steps(last: pd.DataFrame) -> pd.DataFrame:
    """Write last doses as if they were steps to 0, one per person and drug.

    Parameters
    ----------
    last
        From `last_doses`, or any frame with person, drug, day, dose and unit.
    """
    return pd.DataFrame(
        {
            "person": last["person"],
            "drug": last["drug"],
            "step": 1,
            "attempt": 1,
            "day": last["day"].astype(float),
            "gap_days": 0.0,
            "from_dose": last["dose"].astype(float),
            "to_dose": 0.0,
            "unit": last["unit"],
            "change": -last["dose"].astype(float),
            "fraction_of_previous": 0.0,
            "direction": "reduction",
            "days_at_previous": np.nan,
        }
    )[STEP_COLUMNS].reset_index(drop=True)


def _in_order(doses: pd.DataFrame) -> pd.DataFrame:
    """Order the intervals, and refuse those that cannot be."""
    columns = ["person", "drug", "start", "stop", "dose", "unit"]
    refuse(require_columns(doses, "doses", columns))
    rows = doses[columns].astype({"person": object, "drug": object, "unit": object})
    rows = rows.astype({"start": float, "stop": float, "dose": float})
    rows = rows.sort_values(["person", "drug", "start"], kind="stable")
    bad = ~((rows["stop"] > rows["start"]) & (rows["dose"] >= 0))
    rule = "allowed: numbers, the stop after the start and the dose 0 or more"
    behind = rows["stop"].shift() - rows["start"]
    overlap = ~_first_of_group(rows) & (behind > SAME * rows["start"].abs().clip(lower=1))
    late = "begins before the interval before it of the same person and drug has ended"
    place = dict(zip(doses.index, range(2, len(doses) + 2), strict=True))
    problems = [
        Problem("doses", message, place[label], "start", f"{start:g} to {stop:g}, dose {dose:g}")
        for message, wrong in ((rule, bad), (late, overlap))
        for label, start, stop, dose in rows.loc[wrong, ["start", "stop", "dose"]].itertuples()
    ]
    refuse(problems)
    return rows.reset_index(drop=True)


def _stretches(rows: pd.DataFrame) -> pd.DataFrame:
    """Number the stretches of equal dose, and add the dose before in the unit of each row."""
    before = rows.shift()
    from_dose = before["dose"].astype(float) * _conversion(before["unit"], rows["unit"])
    same = np.isclose(from_dose, rows["dose"], rtol=SAME, atol=0) & ~_first_of_group(rows)
    return rows.assign(from_dose=from_dose, stretch=(~same).cumsum())


def _first_of_group(rows: pd.DataFrame) -> pd.Series[bool]:
    same = (rows["person"] == rows["person"].shift()) & (rows["drug"] == rows["drug"].shift())
    return ~same


def _conversion(before: pd.Series[str], after: pd.Series[str]) -> pd.Series[float]:
    """Say how many of the new unit one of the old unit is; NaN where nobody knows."""
    ratio = before.map(DAILY).astype(float) / after.map(DAILY).astype(float)
    return ratio.where(before != after, 1.0)


def _without_noise(days: pd.Series[float], size: pd.Series[float]) -> pd.Series[float]:
    return days.where(days > SAME * size.abs().clip(lower=1), 0.0)
