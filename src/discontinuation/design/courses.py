"""What does each person take, and how do these doses act?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.design._daily import FloatArray
from discontinuation.design.hazards import DailyHazards, daily_hazards
from discontinuation.design.plans import planned_doses
from discontinuation.design.scenario import Scenario
from discontinuation.seeds import random_stream

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Courses:
    """What each person was to take, and how each history of doses acts."""

    arm: IntArray
    start_day: IntArray
    stop_day: IntArray  # day of stopping early; the horizon if not
    keeps: BoolArray
    plans: FloatArray  # (arms, days), as if the reduction started on day 0
    history: IntArray  # row of `taken` and of `hazards`
    taken: FloatArray
    hazards: DailyHazards


def stream(scenario: Scenario, seed: int, name: str) -> np.random.Generator:
    """Random stream of one trial for one purpose."""
    return random_stream(seed, "trial", scenario.study, name)


def draw_courses(scenario: Scenario, seed: int) -> Courses:
    """Draw start and adherence, and work out each distinct history of doses once."""
    arm = np.repeat(np.arange(len(scenario.arms)), [one.people for one in scenario.arms])
    plans = np.array([planned_doses(one, scenario) for one in scenario.arms])
    draws = stream(scenario, seed, "start").random(scenario.people)
    start_day = np.floor(draws * (scenario.concealed_start_days + 1)).astype(np.int64)
    stop_day, keeps = _adherence(scenario, plans, arm, start_day, seed)
    keys = np.column_stack([arm, start_day, stop_day, keeps])
    distinct, history = np.unique(keys, axis=0, return_inverse=True)
    taken = _taken(scenario, plans, distinct)
    blinded = np.array([one.blinded for one in scenario.arms])[distinct[:, 0]]
    return Courses(
        arm=arm,
        start_day=start_day,
        stop_day=stop_day,
        keeps=keeps,
        plans=plans,
        history=history.reshape(-1),
        taken=taken,
        hazards=daily_hazards(taken, distinct[:, 1], blinded, scenario),
    )


def started_plans(
    scenario: Scenario, plans: FloatArray, arm: IntArray, start: IntArray
) -> FloatArray:
    """Doses of the plans, each from its start day on; shape (histories, days)."""
    since = np.arange(scenario.horizon_days) - start[:, None]
    return np.where(since < 0, scenario.dose_mg, plans[arm[:, None], np.maximum(since, 0)])


def _adherence(
    scenario: Scenario, plans: FloatArray, arm: IntArray, start_day: IntArray, seed: int
) -> tuple[IntArray, BoolArray]:
    """Draw the day of stopping early and who goes on taking the full dose.

    Stopping early is uniform over the days on which the plan still has a dose.
    """
    dosed = (plans > 0).sum(axis=1)[arm]
    reduces = (plans.min(axis=1) < scenario.dose_mg)[arm]
    who, when = stream(scenario, seed, "adherence").random((2, scenario.people))
    early = (who < scenario.stop_early_share) & (dosed > 0)
    until = np.minimum(start_day + dosed, scenario.horizon_days)
    stop_day = np.where(early, np.floor(when * until).astype(np.int64), scenario.horizon_days)
    return stop_day, (who >= 1 - scenario.keep_taking_share) & reduces


def _taken(scenario: Scenario, plans: FloatArray, distinct: IntArray) -> FloatArray:
    """Doses of each distinct history: the plan, unless it is not kept."""
    arm, start_day, stop_day, keeps = (distinct[:, column] for column in range(4))
    doses = started_plans(scenario, plans, arm, start_day)
    doses[keeps == 1] = scenario.dose_mg
    return np.where(np.arange(scenario.horizon_days) < stop_day[:, None], doses, 0.0)
