"""What of that is seen at the visits, until observation ends?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.design._daily import FloatArray
from discontinuation.design.courses import BoolArray, Courses, stream
from discontinuation.design.hazards import cumulative
from discontinuation.design.latent import Latent, crossing
from discontinuation.design.scenario import Scenario


@dataclass(frozen=True, eq=False)
class Record:
    """What is seen of it. Infinite days: never."""

    detected: FloatArray  # first deterioration
    reinstated: BoolArray
    resolution: FloatArray  # days from reinstatement
    second_onset: FloatArray  # relapse after a withdrawal episode
    second_detected: FloatArray
    end: FloatArray
    end_reason: npt.NDArray[np.str_]


def observe(scenario: Scenario, courses: Courses, latent: Latent, seed: int) -> Record:
    """Turn what happens into what is seen at the visits, until observation ends."""
    n, delay = scenario.people, scenario.definition_delay_days
    end = _last_visit(scenario, latent.dropout)
    detected = _seen_by(next_visit(scenario, latent.onset + delay), end)
    has_event = np.isfinite(detected)
    reinstated = has_event & (
        stream(scenario, seed, "reinstatement").random(n) < scenario.reinstated_share
    )
    resolution = _resolution(scenario, latent, seed)
    second_onset = _second_onset(scenario, courses, latent, detected, reinstated, seed)
    second_detected = _seen_by(next_visit(scenario, second_onset + delay), end)
    goes_on = np.zeros(n, dtype=bool)
    if scenario.relapse_after_withdrawal_ratio is not None:
        goes_on = (latent.cause == 0) & ~np.isfinite(second_detected)
    reason = np.where(latent.dropout < scenario.horizon_days, "lost", "completed")
    reason = np.where(has_event & ~goes_on, "event", reason)
    last = np.where(np.isfinite(second_detected), second_detected, detected)
    watched = detected + np.minimum(resolution, scenario.reinstatement_watch_days)
    end = np.where(has_event & ~goes_on, last, end)
    return Record(
        detected=detected,
        reinstated=reinstated,
        resolution=resolution,
        second_onset=second_onset,
        second_detected=second_detected,
        end=np.where(reinstated, watched, end),
        end_reason=np.where(reinstated, "reinstated", reason),
    )


def _resolution(scenario: Scenario, latent: Latent, seed: int) -> FloatArray:
    """Days from reinstatement to resolution, exponential with the mean of the cause."""
    means = (
        scenario.resolution_days_withdrawal,
        scenario.resolution_days_relapse,
        scenario.resolution_days_nocebo,
    )
    draws = stream(scenario, seed, "resolution").exponential(size=scenario.people)
    return np.array(means)[latent.cause] * draws


def next_visit(scenario: Scenario, time: FloatArray) -> FloatArray:
    """Day of the first visit at or after a time; infinite if there is none."""
    visit = np.ceil(time / scenario.visit_days) * scenario.visit_days
    horizon = float(scenario.horizon_days)
    return np.where(time <= horizon, np.minimum(visit, horizon), np.inf)


def _last_visit(scenario: Scenario, time: FloatArray) -> FloatArray:
    """Day of the last visit at or before a time."""
    visit = np.floor(time / scenario.visit_days) * scenario.visit_days
    horizon = float(scenario.horizon_days)
    return np.where(time >= horizon, horizon, np.minimum(visit, horizon))


def _seen_by(visit: FloatArray, end: FloatArray) -> FloatArray:
    return np.where(visit <= end, visit, np.inf)


def _second_onset(
    scenario: Scenario,
    courses: Courses,
    latent: Latent,
    detected: FloatArray,
    reinstated: BoolArray,
    seed: int,
) -> FloatArray:
    """When a relapse follows a recorded withdrawal episode without reinstatement (methods A3)."""
    ratio = scenario.relapse_after_withdrawal_ratio
    followed = np.isfinite(detected) & ~reinstated & (latent.cause == 0)
    if ratio is None or not followed.any():
        return np.full(scenario.people, np.inf)
    draws = stream(scenario, seed, "second relapse").exponential(size=scenario.people)
    curves = cumulative(courses.hazards.relapse)
    so_far = curves[courses.history, np.where(followed, detected, 0).astype(np.int64)]
    onset = crossing(curves, courses.history, so_far + draws / (ratio * latent.frailty))
    return np.where(followed, onset, np.inf)
