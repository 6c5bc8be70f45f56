"""How do daily doses become occupancy, adaptation and withdrawal drive? One value per day.

Everything is on the daily grid of the dossier: column k of an array is the state at the end of
day k (days counted from 0), and a dose given on day k is taken throughout that day. Before day 0
the dose was constant for long enough that level and adaptation had settled.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def first_order_lag(target: FloatArray, start: float, rate: float) -> FloatArray:
    """Follow a target that is constant within each day: ``y <- target + (y - target) e^-rate``.

    Parameters
    ----------
    target
        What is followed, one row per history, shape (histories, days).
    start
        State before day 0, the same in every history.
    rate
        Speed, per day.

    Returns
    -------
    array
        State at the end of each day, shape (histories, days).
    """
    keep = np.exp(-rate)
    followed = np.empty(target.T.shape)  # a day is one contiguous row
    state = np.full(target.shape[0], float(start))
    for day, aim in enumerate(target.T):
        state = aim + (state - aim) * keep
        followed[day] = state
    return np.ascontiguousarray(followed.T)


def level(dose: FloatArray, start: float, half_life_days: float) -> FloatArray:
    """Effect-site level in units of the dose (methods B1): ``dx/dt = (d - x) ln 2 / t_half``.

    Parameters
    ----------
    dose
        Dose of each day, shape (histories, days).
    start
        Constant dose before day 0.
    half_life_days
        Elimination half-life.

    Returns
    -------
    array
        Level at the end of each day; in steady state it equals the dose.
    """
    return first_order_lag(dose, start, np.log(2) / half_life_days)


def occupancy(
    level: FloatArray, ed50: float, occupancy_max: float, hill: float = 1.0
) -> FloatArray:
    """Receptor occupancy at a level (methods B1): ``O = O_max x^h / (ED50^h + x^h)``.

    Parameters
    ----------
    level
        Effect-site level in units of the dose, any shape.
    ed50
        Level at half of the largest occupancy.
    occupancy_max
        Largest occupancy, a share.
    hill
        Exponent h.
    """
    power = np.power(level, hill)
    return np.asarray(occupancy_max * power / (ed50**hill + power))


def dose_for_occupancy(
    occupancy: FloatArray, ed50: float, occupancy_max: float, hill: float = 1.0
) -> FloatArray:
    """Invert `occupancy` in steady state (methods B1): ``d = ED50 (O / (O_max - O))^(1/h)``."""
    return np.asarray(ed50 * np.power(occupancy / (occupancy_max - occupancy), 1 / hill))


def set_point(retained: FloatArray, tau_days: float) -> FloatArray:
    """Adapted set-point (methods B2): ``dA/dt = (o - A) / tau``, A = 1 before day 0.

    Parameters
    ----------
    retained
        Retained occupancy o = O(t) / O(0) at the end of each day, shape (histories, days).
    tau_days
        Time constant of adaptation.
    """
    return first_order_lag(retained, 1.0, 1 / tau_days)


def withdrawal_drive(retained: FloatArray, tau_days: float) -> FloatArray:
    """Withdrawal drive (methods B2): ``w = max(0, A - o)`` at the end of each day.

    For an occupancy that only falls its daily sum is ``(1 - o_end) / (e^(1/tau) - 1)``, whatever
    the schedule, up to what is left of the drive on the last day.

    Parameters
    ----------
    retained
        Retained occupancy at the end of each day, shape (histories, days).
    tau_days
        Time constant of adaptation.
    """
    return np.maximum(0.0, set_point(retained, tau_days) - retained)
