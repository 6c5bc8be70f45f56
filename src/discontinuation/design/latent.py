"""When would each cause strike, and when would each person drop out?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discontinuation.design._daily import FloatArray
from discontinuation.design.courses import Courses, IntArray, stream
from discontinuation.design.hazards import cumulative
from discontinuation.design.scenario import CAUSES, DAYS_PER_YEAR, Scenario


@dataclass(frozen=True, eq=False)
class Latent:
    """When each cause would strike; infinite if not within the horizon."""

    frailty: FloatArray
    times: FloatArray  # (causes, people)
    onset: FloatArray
    cause: IntArray  # -1: none
    dropout: FloatArray


def draw_latent(scenario: Scenario, courses: Courses, seed: int) -> Latent:
    """Draw when each cause would strike and when each person would drop out."""
    n = scenario.people
    thresholds = np.array([stream(scenario, seed, c).exponential(size=n) for c in CAUSES])
    frailty = _frailty(scenario, seed)
    thresholds[1] /= frailty
    hazards = (courses.hazards.withdrawal, courses.hazards.relapse, courses.hazards.nocebo)
    curves = [cumulative(hazard) for hazard in hazards]
    times = np.array(
        [crossing(c, courses.history, t) for c, t in zip(curves, thresholds, strict=True)]
    )
    onset = times.min(axis=0)
    return Latent(
        frailty=frailty,
        times=times,
        onset=onset,
        cause=np.where(np.isfinite(onset), times.argmin(axis=0), -1),
        dropout=_dropout(scenario, onset, seed),
    )


def crossing(curves: FloatArray, history: IntArray, threshold: FloatArray) -> FloatArray:
    """When each person's cumulative hazard, straight within a day, first meets the threshold."""
    day = np.empty(threshold.size, dtype=np.int64)
    for row, curve in enumerate(curves):
        mine = history == row
        day[mine] = np.searchsorted(curve, threshold[mine])
    reached = day < curves.shape[1]
    day[~reached] = 1
    low, high = curves[history, day - 1], curves[history, day]
    step = np.where(reached, high - low, 1.0)
    return np.where(reached, day - 1 + (threshold - low) / step, np.inf)


def _frailty(scenario: Scenario, seed: int) -> FloatArray:
    """Gamma frailty of mean 1; never quite 0, by which the thresholds are divided."""
    if not scenario.frailty_variance:
        return np.ones(scenario.people)
    shape = 1 / scenario.frailty_variance
    drawn = stream(scenario, seed, "frailty").gamma(shape, 1 / shape, scenario.people)
    return np.maximum(drawn, 1e-12)


def _dropout(scenario: Scenario, onset: FloatArray, seed: int) -> FloatArray:
    """Invert the dropout hazard, which is another one in the window before an onset."""
    draws = stream(scenario, seed, "dropout").exponential(size=scenario.people)
    if not scenario.dropout_per_year:
        return np.full(scenario.people, np.inf)
    opens = np.maximum(onset - scenario.dropout_window_days, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):  # nobody ill, hardly anybody leaving
        time = draws * DAYS_PER_YEAR / scenario.dropout_per_year
        within = opens + (time - opens) / scenario.dropout_ratio
        after = onset + (time - opens) - (onset - opens) * scenario.dropout_ratio
    return np.where(time <= opens, time, np.where(within < onset, within, after))
