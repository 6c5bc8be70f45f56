"""How fast does occupancy fall, the drug's own half-life included?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.exposure.descents import Descents
from discontinuation.exposure.dose_records import Record, changes
from discontinuation.exposure.parameters import Parameters

FloatArray = npt.NDArray[np.float64]

WINDOW_DAYS = 7.0
HIGH, LOW = 0.9, 0.1  # shares of the starting occupancy between which the fall is timed
SETTLED = 5.0  # half-lives after which an unknown past no longer shows
FALL_QUANTITIES = ("fall_90_10_days", "drop_7_days", "steepest_fall")


def self_taper_days(dose: npt.ArrayLike, drug: Parameters) -> FloatArray:
    """Days from 90 to 10 % of the starting occupancy after an abrupt stop.

    The level falls by half per half-life, so this takes ``log2(x90 / x10)`` half-lives, x90 and
    x10 being the levels at these occupancies.

    Parameters
    ----------
    dose
        Steady dose before the stop, mg per day.
    drug
        From `parameters_of`.

    Returns
    -------
    array
        NaN without a half-life or an occupancy curve.
    """
    high, low = (drug.dose_for(share * drug.occupancy(dose)) for share in (HIGH, LOW))
    half_life = np.nan if drug.half_life_days is None else drug.half_life_days
    return np.asarray(half_life * np.log2(high / low))


def describe_falls(record: Record, descents: Descents, drug: Parameters) -> pd.DataFrame:
    """Describe the fall of occupancy in each descent.

    The level follows the doses with one first-order lag (methods B1), whose half-life is that of
    the active moiety, or the apparent one of a depot.

    Parameters
    ----------
    record
        What was taken.
    descents
        Its descents.
    drug
        From `parameters_of`.

    Returns
    -------
    DataFrame
        One row per descent: fall_90_10_days (from the last day at 90 % of the steady occupancy of
        the starting dose to the first at 10 %), drop_7_days (largest fall within 7 days, share of
        receptors), steepest_fall (share of the starting occupancy per day), fall_refused.
    """
    table = descents.table
    reasons = table["refused"].to_numpy(dtype=object).copy()
    reasons[pd.isna(reasons)] = drug.no_occupancy or drug.no_half_life
    found = np.full((len(table), 5), np.nan)
    if drug.half_life_days is not None and drug.no_occupancy is None:
        after_unknown = _known_for_too_short(record, descents, drug.half_life_days)
        reasons = np.where(pd.isna(reasons), after_unknown, reasons)
        rows = np.flatnonzero(pd.isna(reasons))
        found[rows] = _walk(record, descents, rows, drug)
        reasons[rows] = [_unfinished(*ends) for ends in found[rows][:, [0, 1, 4]]]
    fine = pd.isna(reasons)[:, None]
    columns = np.stack([found[:, 1] - found[:, 0], found[:, 2], found[:, 3]], axis=1)
    frame = pd.DataFrame(np.where(fine, columns, np.nan), columns=list(FALL_QUANTITIES))
    return frame.assign(fall_refused=reasons)


def _known_for_too_short(
    record: Record, descents: Descents, half_life: float
) -> npt.NDArray[np.object_]:
    """Refuse descents before which the level is not known because doses are unknown."""
    reasons = np.full(len(descents.table), None, dtype=object)
    after_gap = ~changes(record.person)[descents.first] if len(reasons) else reasons.astype(bool)
    known = descents.table["start_day"].to_numpy(dtype=float) - record.start[descents.first]
    for row in np.flatnonzero(after_gap & (known < SETTLED * half_life)):
        reasons[row] = (
            f"the dose is known for only {known[row]:g} days before the reduction; after unknown "
            f"days the level needs {SETTLED * half_life:.3g} (five half-lives)"
        )
    return reasons


def _unfinished(left_90: float, reached_10: float, left: float) -> str | None:
    if np.isnan(left_90):
        return "the level did not reach 90 % of the steady one at the starting dose"
    if np.isnan(reached_10):
        percent = f"{100 * left:.0f} % of the starting occupancy is left"
        return f"{percent} when the drug is taken again or the record of days without it ends"
    return None


def _walk(
    record: Record, descents: Descents, rows: npt.NDArray[np.int64], drug: Parameters
) -> FloatArray:
    from discontinuation.exposure import _fall_kernels as kernels

    first, end = descents.first[rows], descents.end[rows]
    at_start = changes(record.person)[first] & (not record.steady)
    start_dose = descents.table["start_dose"].to_numpy(dtype=float)[rows]
    occupancy = drug.occupancy(start_dose)
    half_life = float(drug.half_life_days or np.nan)
    curve = kernels.Curve(
        np.log(2) / half_life, float(drug.emax or np.nan), float(drug.k or np.nan), drug.hill
    )
    out = np.empty((len(rows), 5))
    kernels.falls(
        first,
        end,
        descents.table["start_day"].to_numpy(dtype=float)[rows],
        np.where(at_start, 0.0, record.dose[first]),
        occupancy,
        drug.dose_for(HIGH * occupancy),
        drug.dose_for(LOW * occupancy),
        WINDOW_DAYS,
        kernels.Walk(record.start, record.stop, record.dose, np.empty(len(record.dose))),
        curve,
        out,
    )
    return out
