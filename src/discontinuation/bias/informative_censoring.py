"""What if people who left would have done worse, or better, than those who stayed?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.bias.two_arms import (
    Arm,
    checked,
    confidence_problems,
    hazard_ratio,
    refuse_window,
    tabulate,
    until,
)
from discontinuation.problems import Problem, allowed_values
from discontinuation.survival import combine
from discontinuation.survival.follow_up import FloatArray

BoolArray = npt.NDArray[np.bool_]
After = Literal["own arm", "continued arm"]

DELTAS = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)


@dataclass(frozen=True, eq=False)
class DeltaAdjusted:
    """Hazard ratio when people who left had another hazard afterwards.

    Attributes
    ----------
    summary
        One row per pair: ``delta_continued, delta_stopped, hazard_ratio, lower, upper, p,
        missing_information``.
    people_imputed
        How many of the continued and the stopped arm left before the horizon.
    tipping_continued, tipping_stopped
        The delta of one arm nearest to 1, on the log scale, at which the conclusion (whether p
        is at most 1 - confidence) is not that of 1 and 1; the other arm's is 1. NaN: none.
    after
        Whose hazard people of the stopped arm have after they left.
    end, imputations, confidence
        As asked for.
    """

    summary: pd.DataFrame
    people_imputed: tuple[int, int]
    tipping_continued: float
    tipping_stopped: float
    after: After
    end: float
    imputations: int
    confidence: float


def delta_adjusted(
    continued: pd.DataFrame,
    stopped: pd.DataFrame,
    end: float,
    random: np.random.Generator,
    *,
    deltas: Sequence[float] = DELTAS,
    after: After = "own arm",
    kinds: Sequence[str] = (),
    imputations: int = 20,
    confidence: float = 0.95,
) -> DeltaAdjusted:
    """Impute what happened to people who left, with the hazard multiplied (methods C9).

    Parameters
    ----------
    continued, stopped
        People of the two arms: ``time, event`` and, if `kinds` are given, ``ended``.
    end
        The horizon; later follow-up does not count.
    random
        Random stream. Every pair of deltas uses the same draws.
    deltas
        By what the hazard is multiplied after leaving, above 0; a grid over both arms. 1 is
        added.
    after
        "own arm", or "continued arm": people who left the stopped arm have the hazard of the
        continued one (jump to reference), as when the drug was started again.
    kinds
        Ends of follow-up that count as leaving; none given: every censoring before the horizon.
    imputations
        How many, 2 or more.
    confidence
        Level of the limits.

    Returns
    -------
    DeltaAdjusted
        Each imputation draws people anew before the cumulative hazard H of each arm is estimated
        (proper), and puts the event where ``H(T) - H(C) = E / delta`` with E exponential; then a
        Cox fit; Rubin's rules on the log hazard ratio.

    Raises
    ------
    InvalidInput
        Follow-up that is none, an arm without events, a horizon past the end of follow-up, deltas
        that are not above 0, unknown kinds.

    References
    ----------
    Jackson D et al. Stat Med 2014;33:4681-4694 (doi:10.1002/sim.6274); Zhao Y et al. J Biopharm
    Stat 2014;24:229-253 (doi:10.1080/10543406.2013.860769).
    """
    people = checked(continued, stopped)
    arms = tabulate(*people)
    problems = _option_problems(deltas, after, imputations)
    problems += _kind_problems((continued, stopped), kinds)
    refuse_window(arms, end / 2, end, [*problems, *confidence_problems(confidence)])
    trial = [until(arm, end) for arm in people]
    leavers = [
        _leavers(arm, end, frame, kinds)
        for arm, frame in zip(trial, (continued, stopped), strict=True)
    ]
    grid = sorted({1.0, *map(float, deltas)})
    fits = np.empty((imputations, len(grid), len(grid), 2))
    for number in range(imputations):
        curves = [_drawn_hazard(arm, random) for arm in trial]
        if after == "continued arm":
            curves[1] = curves[0]
        waits = [random.exponential(size=len(arm[0])) for arm in trial]
        made = [
            [_imputed(arm, left, curve, wait / delta, end) for delta in grid]
            for arm, left, curve, wait in zip(trial, leavers, curves, waits, strict=True)
        ]
        for i, kept in enumerate(made[0]):
            for j, left in enumerate(made[1]):
                found = hazard_ratio(tabulate(kept, left))
                fits[number, i, j] = found.log_ratio, found.se**2
    summary = _summary(fits, grid, confidence)
    return DeltaAdjusted(
        summary=summary,
        people_imputed=(int(leavers[0].sum()), int(leavers[1].sum())),
        tipping_continued=_tipping(summary, "delta_continued", "delta_stopped", confidence),
        tipping_stopped=_tipping(summary, "delta_stopped", "delta_continued", confidence),
        after=after,
        end=float(end),
        imputations=imputations,
        confidence=confidence,
    )


def _leavers(arm: Arm, end: float, people: pd.DataFrame, kinds: Sequence[str]) -> BoolArray:
    left = (arm[1] == 0) & (arm[0] < end)
    return np.asarray(left & people["ended"].isin(kinds).to_numpy() if kinds else left)


def _drawn_hazard(arm: Arm, random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Nelson-Aalen estimate of people drawn with replacement: times and H there."""
    time, event = arm
    drawn = random.integers(len(time), size=len(time))
    times, slot = np.unique(time[drawn], return_inverse=True)
    deaths = np.bincount(slot, event[drawn])
    at_risk = np.bincount(slot)[::-1].cumsum()[::-1]
    return times, np.cumsum(deaths / at_risk)


def _imputed(
    arm: Arm,
    leaver: BoolArray,
    curve: tuple[FloatArray, FloatArray],
    waits: FloatArray,
    end: float,
) -> Arm:
    (time, event), (at, hazard) = arm, curve
    before = np.append(0.0, hazard)[np.searchsorted(at, time, side="right")]
    place = np.searchsorted(hazard, before + waits)
    reached = place < len(at)
    when = np.where(reached, at[np.minimum(place, len(at) - 1)], end)
    new_time = np.where(leaver, when, time)
    new_event = np.where(leaver, reached, event).astype(float)
    return new_time, new_event


def _summary(fits: np.ndarray, grid: Sequence[float], confidence: float) -> pd.DataFrame:
    rows = []
    for i, kept in enumerate(grid):
        for j, left in enumerate(grid):
            pooled = combine(fits[:, i, j, 0], fits[:, i, j, 1], confidence=confidence)
            ratio = [float(np.exp(x[0])) for x in (pooled.estimate, pooled.lower, pooled.upper)]
            p, missing = float(pooled.p_value[0]), float(pooled.missing_information[0])
            rows.append((kept, left, *ratio, p, missing))
    names = ["delta_continued", "delta_stopped", "hazard_ratio", "lower", "upper", "p"]
    return pd.DataFrame(rows, columns=[*names, "missing_information"])


def _tipping(summary: pd.DataFrame, of: str, other: str, confidence: float) -> float:
    """Delta nearest to 1 with another conclusion; the sign of the effect is part of it."""
    line = summary[summary[other] == 1.0].set_index(of)
    found = np.sign(np.log(line["hazard_ratio"])) * (line["p"] <= 1 - confidence)
    changed = [float(delta) for delta in line.index[found != found.loc[1.0]]]
    return min(changed, key=lambda delta: abs(math.log(delta)), default=math.nan)


def _option_problems(deltas: Sequence[float], after: str, imputations: int) -> list[Problem]:
    problems = [
        Problem("options", "allowed: above 0", None, "deltas", f"{delta:g}")
        for delta in deltas
        if not 0 < delta < math.inf
    ]
    if after not in get_args(After):
        rule = allowed_values(get_args(After), after)
        problems.append(Problem("options", rule, None, "after", after))
    if imputations < 2:
        rule = "allowed: 2 or more"
        problems.append(Problem("options", rule, None, "imputations", str(imputations)))
    return problems


def _kind_problems(
    frames: tuple[pd.DataFrame, pd.DataFrame], kinds: Sequence[str]
) -> list[Problem]:
    if not kinds:
        return []
    if any("ended" not in frame for frame in frames):
        return [Problem("people", "there is no such column in both arms", column="ended")]
    known = sorted({str(kind) for frame in frames for kind in frame["ended"].dropna()})
    return [
        Problem("people", allowed_values(known, kind), None, "kinds", kind)
        for kind in kinds
        if kind not in known
    ]
