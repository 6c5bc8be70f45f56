"""Who was at risk and who had the event in the continued and in the stopped arm, over time?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from discontinuation.bias._two_arm_kernels import maximise
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse
from discontinuation.survival.follow_up import FloatArray, follow_up

# Time and event (0, 1, or a share of one) of the people of an arm, each of shape (people,).
Arm = tuple[FloatArray, FloatArray]

ARMS = ("continued", "stopped")


@dataclass(frozen=True, eq=False)
class TwoArms:
    """Risk table of two arms; column 0 is the continued arm, column 1 the stopped one.

    Attributes
    ----------
    time
        Distinct times at which somebody leaves follow-up, shape (k,).
    at_risk
        How many are under observation just before, shape (k, 2).
    events
        How many have the event then, shape (k, 2).
    last
        Last follow-up of each arm, shape (2,).
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    last: FloatArray

    def between(self, start: float, end: float) -> TwoArms:
        """Keep the times after `start` up to and with `end`."""
        kept = (self.time > start) & (self.time <= end)
        return TwoArms(self.time[kept], self.at_risk[kept], self.events[kept], self.last)

    @property
    def hazard_steps(self) -> FloatArray:
        """Steps d / Y of the cumulative hazards, shape (k, 2)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.events > 0, self.events / self.at_risk, 0.0)

    @property
    def hazard(self) -> FloatArray:
        """Nelson-Aalen cumulative hazard of each arm over all times, shape (2,)."""
        return np.asarray(self.hazard_steps.sum(axis=0))

    @property
    def hazard_variance(self) -> FloatArray:
        """Its variance, the sum of d / Y^2, shape (2,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = np.where(self.events > 0, self.events / self.at_risk**2, 0.0)
        return np.asarray(parts.sum(axis=0))


@dataclass(frozen=True)
class HazardRatio:
    """Hazard ratio of the stopped over the continued arm (Cox).

    Attributes
    ----------
    log_ratio, se
        On the log scale; NaN where an arm has no event and the likelihood no maximum.
    ratio, lower, upper
        With limits.
    p
        Two-sided Wald test of a ratio of 1.
    """

    log_ratio: float
    se: float
    ratio: float
    lower: float
    upper: float
    p: float


def two_arms(continued: pd.DataFrame, stopped: pd.DataFrame) -> TwoArms:
    """Tabulate two arms.

    Parameters
    ----------
    continued, stopped
        One row per person: ``time`` (end of follow-up) and ``event`` (1 if the event happened
        then), as `discontinuation.synthesis.reconstruct` gives or as individual data hold them.

    Raises
    ------
    InvalidInput
        All of: missing columns, follow-up that is none, an arm without an event.
    """
    return tabulate(*checked(continued, stopped))


def checked(continued: pd.DataFrame, stopped: pd.DataFrame) -> tuple[Arm, Arm]:
    """Return time and event of both arms, or refuse both with every reason."""
    problems: list[Problem] = []
    found = []
    for name, people in zip(ARMS, (continued, stopped), strict=True):
        try:
            follow = _read(people)
        except InvalidInput as error:
            problems += [_in_arm(problem, name) for problem in error.problems]
            continue
        found.append(follow)
        if not follow[1].any():
            problems.append(Problem(f"{name} arm", "has no event: nothing can be compared"))
    refuse(problems)
    return found[0], found[1]


def _read(people: pd.DataFrame) -> Arm:
    columns = [str(column) for column in people.columns]
    refuse(
        Problem("", "there is no such column; " + allowed_values(columns, name), column=name)
        for name in ("time", "event")
        if name not in columns
    )
    follow = follow_up(people["time"], people["event"])
    return follow.time, follow.event.astype(float)


def _in_arm(problem: Problem, name: str) -> Problem:
    return Problem(f"{name} arm", problem.message, problem.row, problem.column, problem.value)


def until(arm: Arm, end: float) -> Arm:
    """End everybody's follow-up at the horizon."""
    time, event = arm
    return np.minimum(time, end), event * (time <= end)


def tabulate(
    continued: Arm, stopped: Arm, weights: tuple[FloatArray, FloatArray] | None = None
) -> TwoArms:
    """Tabulate arrays that were checked, or made, before.

    Parameters
    ----------
    continued, stopped
        Time and event of their people.
    weights
        How often each person of the two arms is there.
    """
    times = np.unique(np.concatenate([continued[0], stopped[0]]))
    at_risk, events = np.empty((len(times), 2)), np.empty((len(times), 2))
    for column, (time, event) in enumerate((continued, stopped)):
        slot = np.searchsorted(times, time)
        weight = np.ones(len(time)) if weights is None else weights[column]
        events[:, column] = np.bincount(slot, weight * event, minlength=len(times))
        leaving = np.bincount(slot, weight, minlength=len(times))
        at_risk[:, column] = leaving[::-1].cumsum()[::-1]
    last = np.array([continued[0].max(initial=0), stopped[0].max(initial=0)])
    return TwoArms(times, at_risk, events, last)


def hazard_ratio(
    arms: TwoArms,
    confidence: float = 0.95,
    loss: FloatArray | None = None,
    whole_events: bool = True,
) -> HazardRatio:
    """Fit a Cox model with the arm as its only covariate.

    Parameters
    ----------
    arms
        The risk table; only its times enter, so that ``arms.between(t1, tau)`` gives the ratio
        among those event-free at t1.
    confidence
        Level of the limits.
    loss
        Loss of protection p(t) of the stopped arm at each time, shape (k,): the log ratio then
        is ``log_ratio * p(t)``. None: 1 throughout.
    whole_events
        Efron's likelihood for ties; with shares of events Breslow's.

    Returns
    -------
    HazardRatio
        Equal to that of `discontinuation.survival.cox`.
    """
    multiplier = np.ones(len(arms.time)) if loss is None else np.asarray(loss, dtype=float)
    beta, information = maximise(arms.events, arms.at_risk, multiplier, whole_events)
    se = 1 / math.sqrt(information) if information > 0 else math.nan
    half = float(ndtri((1 + confidence) / 2)) * se
    p = float(2 * ndtr(-abs(beta / se)))
    ratio, lower, upper = (math.exp(b) for b in (beta, beta - half, beta + half))
    return HazardRatio(beta, se, ratio, lower, upper, p)


def refuse_window(
    arms: TwoArms, early: float, end: float, also: Iterable[Problem] = (), both_sides: bool = False
) -> None:
    """Refuse an early point and a horizon that the data do not reach, with every reason.

    Parameters
    ----------
    arms
        The risk table.
    early, end
        End of the early window and horizon, in the unit of time of the data.
    also
        Further problems to be told at once.
    both_sides
        Whether an event is needed by the early point, and one in each arm after it.
    """
    problems = [*also, *window_problems(arms, {"early": early}, end)]
    if not problems and both_sides:
        problems = [*early_problems(arms, early), *_late_problems(arms, early, end)]
    refuse(problems)


def window_problems(arms: TwoArms, points: Mapping[str, float], end: float) -> Iterator[Problem]:
    """Name what is wrong with points in time and a horizon."""
    place = "windows"
    for name, point in points.items():
        if not 0 < point < end:
            yield Problem(place, f"allowed: above 0 and below {end:g}", None, name, f"{point:g}")
    for column, name in enumerate(ARMS):
        if not 0 < end <= arms.last[column]:
            rule = f"the {name} arm is followed to {arms.last[column]:g} only"
            yield Problem(place, rule, None, "end", f"{end:g}")
        elif not arms.between(0, end).events[:, column].any():
            yield Problem(place, f"the {name} arm has no event by then", None, "end", f"{end:g}")


def early_problems(arms: TwoArms, early: float) -> Iterator[Problem]:
    """Say so if there is no early event at all."""
    if not arms.between(-math.inf, early).events.any():
        rule = "neither arm has an event by then, so nothing early can be judged"
        yield Problem("windows", rule, None, "early", f"{early:g}")


def _late_problems(arms: TwoArms, early: float, end: float) -> Iterator[Problem]:
    late = arms.between(early, end).events
    for column, name in enumerate(ARMS):
        if not late[:, column].any():
            rule = f"the {name} arm has no event after it: no late anchor"
            yield Problem("windows", rule, None, "early", f"{early:g}")


def confidence_problems(confidence: float) -> Iterator[Problem]:
    """Name what is wrong with a confidence level."""
    if not 0 < confidence < 1:
        rule = "allowed: a number between 0 and 1"
        yield Problem("options", rule, None, "confidence", str(confidence))
