"""What would an endless number of people show under a scenario? The truth to be recovered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from discontinuation.design._daily import FloatArray
from discontinuation.design.hazards import cumulative, daily_hazards
from discontinuation.design.plans import planned_doses
from discontinuation.design.scenario import CAUSES, Scenario
from discontinuation.problems import Problem, refuse


@dataclass(frozen=True)
class ExcessShare:
    """Share of an arm's excess of deteriorations that is withdrawal (methods A4).

    Attributes
    ----------
    hazard
        psi_H: of the excess cumulative hazard.
    net
        psi_net: of the excess risk, had withdrawal been prevented.
    crude
        psi_crude: withdrawal-first events per excess event.
    excess_hazard, excess_risk
        The excess of any deterioration on both scales.
    """

    hazard: float
    net: float
    crude: float
    excess_hazard: float
    excess_risk: float


def expected_curves(scenario: Scenario) -> pd.DataFrame:
    """Cumulative hazards and incidences of each cause in each arm, day by day.

    Parameters
    ----------
    scenario
        A trial whose arms start on day 0 and do as planned.

    Returns
    -------
    DataFrame
        One row per arm and day from 0 to the horizon, with ``arm``, ``day`` and for each of the
        causes withdrawal, relapse and nocebo its marginal cumulative hazard ``hazard_<cause>``
        and crude cumulative incidence ``crude_<cause>`` (first deterioration by that cause,
        nobody dropping out), and ``event_free``. Hazards are constant within a day. Under
        frailty of variance phi the marginal hazard is ``log(1 + phi H) / phi`` (methods C4).

    Raises
    ------
    InvalidInput
        If people start on random days or do not take the drug as planned.
    """
    _refuse_mixtures(scenario)
    arms = scenario.arms
    hazards = daily_hazards(
        np.array([planned_doses(arm, scenario) for arm in arms]),
        np.zeros(len(arms), dtype=np.int64),
        np.array([arm.blinded for arm in arms]),
        scenario,
    )
    totals = [
        cumulative(hazards.withdrawal),
        _without_frailty(cumulative(hazards.relapse), scenario.frailty_variance),
        cumulative(hazards.nocebo),
    ]
    free = np.exp(-np.sum(totals, axis=0))
    days = scenario.horizon_days + 1
    columns: dict[str, object] = {
        "arm": np.repeat([arm.name for arm in arms], days),
        "day": np.tile(np.arange(days), len(arms)),
    }
    for cause, total in zip(CAUSES, totals, strict=True):
        columns[f"hazard_{cause}"] = total.ravel()
        columns[f"crude_{cause}"] = _crude_incidence(total, np.sum(totals, axis=0), free).ravel()
    return pd.DataFrame(columns | {"event_free": free.ravel()})


def expected_excess_share(curves: pd.DataFrame, arm: str, reference: str, day: int) -> ExcessShare:
    """Share of the excess of an arm over the reference that is withdrawal, by a day.

    Parameters
    ----------
    curves
        Result of `expected_curves`.
    arm, reference
        Names of two arms.
    day
        The horizon.

    Returns
    -------
    ExcessShare
        NaN where there is no excess.
    """
    at_day = curves[curves["day"] == day].set_index("arm")
    stopped, kept = at_day.loc[arm], at_day.loc[reference]
    hazard = sum(stopped[f"hazard_{cause}"] - kept[f"hazard_{cause}"] for cause in CAUSES)
    risk = kept["event_free"] - stopped["event_free"]
    relapse = np.exp(-kept["hazard_relapse"]) - np.exp(-stopped["hazard_relapse"])
    with np.errstate(divide="ignore", invalid="ignore"):
        return ExcessShare(
            hazard=float(np.divide(stopped["hazard_withdrawal"], hazard)),
            net=float(1 - np.divide(relapse, risk)),
            crude=float(np.divide(stopped["crude_withdrawal"], risk)),
            excess_hazard=float(hazard),
            excess_risk=float(risk),
        )


def _without_frailty(total: FloatArray, variance: float) -> FloatArray:
    """Average the frailty out of a cumulative hazard."""
    return np.asarray(np.log1p(variance * total) / variance) if variance else total


def _crude_incidence(total: FloatArray, total_any: FloatArray, free: FloatArray) -> FloatArray:
    """Add up, day by day, the events that meet this cause first."""
    step, step_any = np.diff(total, axis=1), np.diff(total_any, axis=1)
    share = np.divide(step, step_any, out=np.zeros_like(step), where=step_any > 0)
    incidence = np.zeros_like(total)
    np.cumsum(-np.diff(free, axis=1) * share, axis=1, out=incidence[:, 1:])
    return incidence


def _refuse_mixtures(scenario: Scenario) -> None:
    message = "the truth is computed for arms that start on day 0 and do as planned: allowed is 0"
    names = ("concealed_start_days", "stop_early_share", "keep_taking_share")
    refuse(
        Problem(f"scenario {scenario.study!r}", message, None, name, str(getattr(scenario, name)))
        for name in names
        if getattr(scenario, name)
    )
