"""With what hazard does each cause of deterioration act on each day?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.design._daily import FloatArray, level, occupancy, withdrawal_drive
from discontinuation.design.scenario import DAYS_PER_YEAR, Scenario

NOCEBO_RISK_DAYS = 56


@dataclass(frozen=True, eq=False)
class DailyHazards:
    """Exposure and hazards of several dose histories; shape (histories, days), one per day.

    Attributes
    ----------
    protection_loss
        1 - retained occupancy at the end of the day.
    drive
        Withdrawal drive w at the end of the day, with the main time constant.
    withdrawal, relapse, nocebo
        Hazard per day of each cause, constant within the day; relapse without frailty.
    """

    protection_loss: FloatArray
    drive: FloatArray
    withdrawal: FloatArray
    relapse: FloatArray
    nocebo: FloatArray


def daily_hazards(
    doses: FloatArray,
    start_day: npt.NDArray[np.int64],
    blinded: npt.NDArray[np.bool_],
    scenario: Scenario,
) -> DailyHazards:
    """Hazards of each cause under given doses (methods B1 to B3).

    Parameters
    ----------
    doses
        Dose taken on each day, mg, shape (histories, days).
    start_day
        Day on which the reduction starts, from which an early surge counts, shape (histories,).
    blinded
        Whether nocebo can act, shape (histories,).
    scenario
        The assumptions; the true half-life and ED50 are used.
    """
    retained = _retained_occupancy(doses, scenario)
    lost = 1 - retained
    drive = withdrawal_drive(retained, scenario.tau_days)
    share = scenario.protracted_share
    withdrawal = (1 - share) * drive**scenario.kappa
    if share:
        slow = withdrawal_drive(retained, scenario.protracted_tau_days)
        withdrawal = withdrawal + share * slow**scenario.kappa
    nocebo = blinded[:, None] * _nocebo(scenario, doses.shape[1])
    return DailyHazards(
        protection_loss=lost,
        drive=drive,
        withdrawal=scenario.alpha_per_day * withdrawal,
        relapse=_relapse(lost, start_day, scenario),
        nocebo=nocebo,
    )


def cumulative(hazard: FloatArray) -> FloatArray:
    """Cumulative hazard at the start of day 0 and at the end of each day, one column more."""
    total = np.zeros((hazard.shape[0], hazard.shape[1] + 1))
    np.cumsum(hazard, axis=1, out=total[:, 1:])
    return total


def _retained_occupancy(doses: FloatArray, scenario: Scenario) -> FloatArray:
    """Occupancy as a share of that under the full dose, with the true drug."""
    half_life = scenario.half_life_days * scenario.true_half_life_ratio
    drug = (scenario.ed50_mg * scenario.true_ed50_ratio, scenario.occupancy_max, scenario.hill)
    full = float(occupancy(np.array(scenario.dose_mg, dtype=float), *drug))
    return occupancy(level(doses, scenario.dose_mg, half_life), *drug) / full


def _relapse(lost: FloatArray, start_day: npt.NDArray[np.int64], scenario: Scenario) -> FloatArray:
    """Baseline hazard times exp{(beta + eta 1(early)) p} (methods B3)."""
    day = np.arange(lost.shape[1])
    period = np.searchsorted(scenario.relapse_cuts_days, day, side="right")
    baseline = np.array(scenario.relapse_per_year)[period] / DAYS_PER_YEAR
    log_ratio = np.full(lost.shape, scenario.beta)
    if scenario.surge_ratio != 1:
        early = day[None, :] < start_day[:, None] + scenario.surge_days
        log_ratio += np.log(scenario.surge_ratio) * early
    return np.asarray(baseline * np.exp(log_ratio * lost))


def _nocebo(scenario: Scenario, days: int) -> FloatArray:
    """Decaying hazard whose sum over the first 8 weeks gives the risk asked for."""
    decay = np.exp(-np.arange(1, days + 1) / scenario.nocebo_tau_days)
    whole = np.exp(-np.arange(1, NOCEBO_RISK_DAYS + 1) / scenario.nocebo_tau_days).sum()
    return np.asarray(-np.log1p(-scenario.nocebo_risk) / whole * decay)
