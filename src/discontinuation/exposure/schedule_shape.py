"""Does a schedule come down in a straight line: in milligrams, in shares, or in occupancy?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]

FEWEST_STEPS = 3  # two points lie on every line
STRAIGHT = 0.98  # R2 from which a schedule is called by the line that fits best
IN_TURNS = 0.5  # share of the descent from which its shape is alternate-day
ROUNDING = 1e-12  # of 1 - R2


def shapes_of(steps: pd.DataFrame, share_in_turns: FloatArray) -> pd.DataFrame:
    """Compare schedules with straight lines in time.

    A schedule of equal steps at equal intervals is a staircase. Its line runs through the middles
    of the steps: through the mean of the doses before and after each change, on the day of the
    change. So a schedule of equal steps in milligrams, or in occupancy, is exactly straight.

    Parameters
    ----------
    steps
        Changes of dose: row (of the schedule), day, from_dose, to_dose, occupancy_before,
        occupancy_after.
    share_in_turns
        Share of each schedule in which dosing was in turns with breaks, shape (n,).

    Returns
    -------
    DataFrame
        One row per schedule: linearity_in_dose, linearity_in_occupancy (R2 of the line),
        hyperbolicity (0: linear in dose, 1: linear in occupancy) and shape. NaN and None with
        fewer than three changes.
    """
    rows = len(share_in_turns)
    dose = _straightness(steps, (steps["from_dose"] + steps["to_dose"]) / 2, rows)
    middle = (steps["occupancy_before"] + steps["occupancy_after"]) / 2
    occupancy = _straightness(steps, middle, rows)
    # In equal shares of the dose before; the step to zero, which is all of it, is left out.
    above_zero = steps["to_dose"].where(steps["to_dose"] > 0)
    logarithm = pd.Series(np.log(steps["from_dose"] * above_zero), steps.index)
    share = _straightness(steps, logarithm, rows)
    fits = np.stack([dose, share, occupancy])
    best = np.argmax(np.where(np.isnan(fits), -np.inf, fits), axis=0)
    names = np.array(["linear", "exponential", "hyperbolic"])[best]
    straight = np.nanmax(np.append(fits, np.zeros((1, rows)), axis=0), axis=0) >= STRAIGHT
    shape = np.where(straight, names, "mixed").astype(object)
    shape[np.isnan(dose)] = None
    shape[share_in_turns >= IN_TURNS] = "alternate_day"
    off_dose, off_occupancy = 1 - dose, 1 - occupancy
    both = off_dose + off_occupancy
    return pd.DataFrame(
        {
            "linearity_in_dose": dose,
            "linearity_in_occupancy": occupancy,
            "hyperbolicity": np.where(both > ROUNDING, off_dose / both, np.nan),
            "shape": shape,
        }
    )


def _straightness(steps: pd.DataFrame, middle: pd.Series, rows: int) -> FloatArray:
    """R2 of the line through the middles of the steps of each schedule."""
    points = pd.DataFrame({"row": steps["row"], "t": steps["day"], "m": middle}).dropna()
    means = points.groupby("row")[["t", "m"]].transform("mean")
    t, m = points["t"] - means["t"], points["m"] - means["m"]
    products = pd.DataFrame({"tt": t * t, "mm": m * m, "tm": t * m, "n": 1})
    total = products.groupby(points["row"]).sum().reindex(range(rows), fill_value=0)
    enough = (total["n"] >= FEWEST_STEPS) & (total["tt"] > 0) & (total["mm"] > 0)
    r2 = total["tm"] ** 2 / (total["tt"] * total["mm"]).where(enough)
    return np.asarray(np.minimum(r2.to_numpy(dtype=float), 1.0))
