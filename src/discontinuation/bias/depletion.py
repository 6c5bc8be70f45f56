"""How strong would depletion of susceptible people have to be to explain the early excess?

Under a gamma frailty of variance phi the marginal cumulative hazard is ``log(1 + phi H) / phi``
(methods C4): the ratio of marginal hazards falls with time even though the true one is constant,
and a late anchor then takes the fall for an early excess.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy.special import ndtri

from discontinuation.bias.two_arms import (
    TwoArms,
    confidence_problems,
    refuse_window,
    two_arms,
)
from discontinuation.problems import Problem, allowed_values
from discontinuation.survival.follow_up import FloatArray

ActsOn = Literal["any event", "relapse only"]

VARIANCES = (0.0, 0.5, 1.0, 2.0)
LARGEST = 10.0
STEP = 0.05


@dataclass(frozen=True, eq=False)
class Depletion:
    """Early excess under a gamma frailty of several variances.

    Attributes
    ----------
    curve
        ``frailty_variance, theta, estimate, se, lower, upper``: late hazard ratio and early
        excess given the frailty. At 0 theta is the ratio of the late cumulative hazards.
    tipping
        Smallest variance, up to `searched`, at which the interval of the excess includes 0: 0 if
        it does without any frailty, NaN if it never does.
    searched
        Largest variance looked at.
    acts_on
        What the frailty multiplies.
    direction
        Whether the estimate without frailty is an excess or a shortfall.
    confidence
        Level of the limits.
    """

    curve: pd.DataFrame
    tipping: float
    searched: float
    acts_on: ActsOn
    direction: Literal["excess", "shortfall"]
    confidence: float

    @property
    def summary(self) -> pd.DataFrame:
        """The curve."""
        return self.curve

    @property
    def sentence(self) -> str:
        """Tell the tipping point."""
        if self.tipping == 0:
            return f"The interval of the early {self.direction} includes 0 without any frailty."
        if math.isnan(self.tipping):
            return (
                f"The interval of the early {self.direction} does not include 0 at any frailty "
                f"variance up to {self.searched:g}."
            )
        return (
            f"From a frailty variance of {self.tipping:.2f} on, depletion of susceptible people "
            f"alone is compatible with the early {self.direction}."
        )


def frailty_adjusted_excess(
    continued: pd.DataFrame,
    stopped: pd.DataFrame,
    early: float,
    end: float,
    variances: Sequence[float] = VARIANCES,
    *,
    acts_on: ActsOn = "any event",
    confidence: float = 0.95,
) -> Depletion:
    """Estimate the late-anchored early excess under a gamma frailty.

    Parameters
    ----------
    continued, stopped
        People of the two arms: ``time, event``.
    early, end
        The early point t1 and the horizon tau.
    variances
        Frailty variances phi to show, 0 or more.
    acts_on
        ``"any event"`` (methods C4): both arms' cumulative hazards are turned into
        ``H = {exp(phi NA) - 1} / phi`` and theta is the ratio of the late increments of H; the
        excess is ``H_D(t1) - theta H_M(t1)``, given the frailty. ``"relapse only"``: withdrawal
        strikes whatever the frailty; theta solves ``NA_D(tau) - NA_D(t1) = log{(1 + phi theta
        H_M(tau)) / (1 + phi theta H_M(t1))} / phi`` and the excess is ``NA_D(t1) - log{1 + phi
        theta H_M(t1)} / phi``.
    confidence
        Level of the limits (delta method on the four independent increments of the cumulative
        hazards).

    Returns
    -------
    Depletion

    Raises
    ------
    InvalidInput
        What `late_anchored_excess` refuses, and variances that are negative or not finite.
    """
    arms = two_arms(continued, stopped)
    problems = list(confidence_problems(confidence))
    if acts_on not in get_args(ActsOn):
        rule = allowed_values(get_args(ActsOn), str(acts_on))
        problems.append(Problem("options", rule, None, "acts_on", str(acts_on)))
    problems += [
        Problem("options", "allowed: 0 or more", None, "variances", f"{phi:g}")
        for phi in variances
        if not 0 <= phi < math.inf
    ]
    refuse_window(arms, early, end, problems, both_sides=True)
    increments = _Increments.of(arms, early, end)
    z = float(ndtri((1 + confidence) / 2))
    rows = []
    for phi in variances:
        theta, excess, se = increments.excess(phi, acts_on)
        rows.append((phi, theta, excess, se, excess - z * se, excess + z * se))
    names = ["frailty_variance", "theta", "estimate", "se", "lower", "upper"]
    return Depletion(
        curve=pd.DataFrame(rows, columns=names),
        tipping=_tipping(increments, acts_on, z),
        searched=LARGEST,
        acts_on=acts_on,
        direction="excess" if increments.excess(0.0, acts_on)[1] >= 0 else "shortfall",
        confidence=confidence,
    )


@dataclass(frozen=True, eq=False)
class _Increments:
    """Early and late increments of the cumulative hazards: continued, stopped; with variances."""

    values: FloatArray  # M early, M late, D early, D late
    variances: FloatArray

    @classmethod
    def of(cls, arms: TwoArms, early: float, end: float) -> _Increments:
        parts = arms.between(-math.inf, early), arms.between(early, end)
        values = np.array([part.hazard for part in parts]).T.ravel()
        variances = np.array([part.hazard_variance for part in parts]).T.ravel()
        return cls(values, variances)

    def excess(self, phi: float, acts_on: ActsOn) -> tuple[float, float, float]:
        """Late ratio, early excess and its standard error."""
        theta, excess = _solve(self.values, phi, acts_on)
        gradient = np.empty(4)
        for place in range(4):
            # Increments are of the order of 0.01 to 1; central differences are good to 1e-8.
            shift = 1e-5 * max(self.values[place], 1e-3)
            up, down = self.values.copy(), self.values.copy()
            up[place] += shift
            down[place] -= shift
            change = _solve(up, phi, acts_on)[1] - _solve(down, phi, acts_on)[1]
            gradient[place] = change / (2 * shift)
        return theta, excess, float(np.sqrt(gradient**2 @ self.variances))


def _solve(increments: FloatArray, phi: float, acts_on: ActsOn) -> tuple[float, float]:
    m1, m2, d1, d2 = (float(value) for value in increments)
    if phi == 0:
        return d2 / m2, d1 - d2 / m2 * m1
    h1, h2 = math.expm1(phi * m1) / phi, math.expm1(phi * (m1 + m2)) / phi
    if acts_on == "any event":
        k1, k2 = math.expm1(phi * d1) / phi, math.expm1(phi * (d1 + d2)) / phi
        theta = (k2 - k1) / (h2 - h1)
        return theta, k1 - theta * h1
    # The late fall of the stopped arm may be more than any ratio allows under this frailty.
    rise = math.exp(phi * d2)
    below = h2 - rise * h1
    if below <= 0:
        return math.inf, -math.inf
    theta = (rise - 1) / (phi * below)
    return theta, d1 - math.log1p(phi * theta * h1) / phi


def _tipping(increments: _Increments, acts_on: ActsOn, z: float) -> float:
    """First variance at which the interval includes 0, by a scan and bisection."""
    sign = 1.0 if increments.excess(0.0, acts_on)[1] > 0 else -1.0

    def clear(phi: float) -> bool:
        _, excess, se = increments.excess(phi, acts_on)
        return bool(sign * excess - z * se > 0)

    if not clear(0.0):
        return 0.0
    grid = np.arange(1, round(LARGEST / STEP) + 1) * STEP
    crossed = next((float(phi) for phi in grid if not clear(float(phi))), math.nan)
    if math.isnan(crossed):
        return math.nan
    low, high = crossed - STEP, crossed
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if clear(middle) else (low, middle)
    return high
