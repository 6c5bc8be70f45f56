"""What does the fitted model expect in each arm, cause by cause, and how sure is it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.classify.hazards import RELAPSE, CauseHazard
from discontinuation.classify.likelihood import Expectation, Task
from discontinuation.classify.observed import at_risk

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArmCurves:
    """Expected course of one arm at the ends of the steps, with derivatives by the parameters.

    Attributes
    ----------
    hazard
        Hazard per step by cause, shape (steps,), averaged over those at risk in that step.
    slope
        Its derivatives, shape (steps, parameters).
    steps
        Steps in which somebody is at risk; nothing is said after them.
    """

    hazard: dict[str, FloatArray]
    slope: dict[str, FloatArray]
    steps: int

    def cumulative(self, cause: str, steps: int) -> tuple[float, FloatArray]:
        """Cumulative hazard of a cause after some steps, and its gradient; 0 if it cannot act."""
        if cause not in self.hazard:
            return 0.0, np.zeros(next(iter(self.slope.values())).shape[1])
        return float(self.hazard[cause][:steps].sum()), self.slope[cause][:steps].sum(axis=0)

    def any_cause(self, steps: int) -> tuple[float, FloatArray]:
        """Cumulative hazard of any cause after some steps, and its gradient."""
        parts = [self.cumulative(cause, steps) for cause in self.hazard]
        return sum(value for value, _ in parts), np.sum([slope for _, slope in parts], axis=0)

    def incidence(self, cause: str, steps: int) -> tuple[float, FloatArray]:
        """Crude incidence: the first deterioration is of this cause; and its gradient."""
        if cause not in self.hazard:
            return self.cumulative(cause, steps)
        total = np.sum([hazard[:steps] for hazard in self.hazard.values()], axis=0)
        total_slope = np.sum([slope[:steps] for slope in self.slope.values()], axis=0)
        after = np.exp(-np.cumsum(total))
        after_slope = -after[:, None] * np.cumsum(total_slope, axis=0)
        before = np.append(1.0, after[:-1])
        before_slope = np.vstack([np.zeros(total_slope.shape[1]), after_slope[:-1]])
        safe = np.where(total > 0, total, 1.0)
        share = self.hazard[cause][:steps] / safe
        share_slope = (self.slope[cause][:steps] - share[:, None] * total_slope) / safe[:, None]
        fall = before - after
        slope = share_slope * fall[:, None] + share[:, None] * (before_slope - after_slope)
        return float(share @ fall), slope.sum(axis=0)


def arm_curves(found: Expectation, task: Task) -> list[ArmCurves]:
    """Expected course of every arm.

    Where people of an arm have several dose histories, the hazard of each step is that of those
    at risk in it, as in a Nelson-Aalen increment.
    """
    data = task.observed
    risk = at_risk(data)
    curves = []
    for arm in range(len(data.arms)):
        mine = np.flatnonzero(data.arm_of_history == arm)
        total = risk[mine].sum(axis=0)
        watched = total > 1e-9
        steps = int(np.flatnonzero(watched)[-1]) + 1 if watched.any() else 0
        share = np.divide(risk[mine], total, out=np.zeros((len(mine), total.size)), where=watched)
        hazard, slope = {}, {}
        for each in found.hazards:
            value, gradient = _averaged(each, mine, share, task)
            hazard[each.cause], slope[each.cause] = value, gradient
        curves.append(ArmCurves(hazard, slope, steps))
    return curves


def _averaged(
    hazard: CauseHazard, mine: npt.NDArray[np.int64], share: FloatArray, task: Task
) -> tuple[FloatArray, FloatArray]:
    """Average over the histories of an arm; under frailty the marginal hazard, without slopes."""
    value = hazard.value[mine]
    slope = np.zeros((value.shape[1], task.layout.size))
    if task.frailty and hazard.cause == RELAPSE:
        marginal = np.log1p(task.frailty * np.cumsum(value, axis=1)) / task.frailty
        return (share * np.diff(marginal, axis=1, prepend=0.0)).sum(axis=0), slope
    weighted = share * value
    for stratum in np.unique(hazard.stratum[mine]):
        where = hazard.stratum[mine] == stratum
        slope[:, hazard.intercepts.start + stratum] = np.where(where, weighted, 0.0).sum(axis=0)
    for offset, covariate in enumerate(hazard.covariates):
        slope[:, hazard.first_covariate + offset] = (weighted * covariate[mine]).sum(axis=0)
    return weighted.sum(axis=0), slope
