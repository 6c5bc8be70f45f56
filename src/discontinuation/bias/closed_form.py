"""How much differential error or confounding would it take, from the published ratio alone?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.survival import e_value
from discontinuation.survival.e_values import EValue, Measure

ERROR_RATIOS = (1.0, 1.1, 1.25, 1.5, 2.0)


@dataclass(frozen=True, eq=False)
class DifferentialError:
    """Bounds of a risk ratio under differential error of the outcome.

    Attributes
    ----------
    estimate, lower, upper
        Observed risk ratio of the stopped over the continued arm, and its limits.
    bounds
        ``error_ratio, estimate, lower, upper``: what the true ratio and its limits cannot be
        nearer to 1 than (or further beyond it), if the outcome is recorded by at most that factor
        more often in the arm where more was observed.
    tipping, tipping_limit
        Error ratio that would nullify the estimate, and its limit nearer to 1; 1 where the
        interval includes 1 already.
    """

    estimate: float
    lower: float
    upper: float
    bounds: pd.DataFrame
    tipping: float
    tipping_limit: float

    @property
    def summary(self) -> pd.DataFrame:
        """The bounds."""
        return self.bounds

    @property
    def sentence(self) -> str:
        """Tell the tipping values; the same words whichever arm had more events."""
        if self.estimate == 1:
            return "The observed risks are the same, so there is no difference to explain."
        arm = "stopped" if self.estimate > 1 else "continued"
        text = (
            f"The observed difference could be error alone if the outcome was recorded "
            f"{self.tipping:.3f} times as often in the {arm} arm as in the other, given what truly "
            f"happened"
        )
        if self.tipping_limit == 1:
            return f"{text}; its interval includes no difference without any error."
        return f"{text}; {self.tipping_limit:.3f} times would do for its confidence limit."


def differential_error_bounds(
    estimate: float,
    lower: float,
    upper: float,
    error_ratios: Sequence[float] = ERROR_RATIOS,
) -> DifferentialError:
    """Bound a risk ratio for errors of the outcome that depend on the arm.

    Parameters
    ----------
    estimate, lower, upper
        Observed risk ratio and its confidence limits.
    error_ratios
        Largest ratio, between arms, of the probability that the outcome is recorded among those
        with it and among those without it; 1 or more.

    Returns
    -------
    DifferentialError
        ``RR_true >= RR_observed / ratio`` for ratios above 1, and mirrored below 1.

    Raises
    ------
    InvalidInput
        Ratios that are not above 0 and in order; error ratios below 1.

    References
    ----------
    VanderWeele TJ, Li Y. Am J Epidemiol 2019;188:1823-1829 (doi:10.1093/aje/kwz133).
    """
    problems = _ratio_problems(estimate, lower, upper)
    problems += [
        Problem("differential error", "allowed: 1 or more", None, "error_ratios", f"{ratio:g}")
        for ratio in error_ratios
        if not 1 <= ratio < math.inf
    ]
    refuse(problems)
    above = estimate >= 1
    rows = [
        tuple(value / ratio if above else value * ratio for value in (estimate, lower, upper))
        for ratio in error_ratios
    ]
    bounds = pd.DataFrame(rows, columns=["estimate", "lower", "upper"])
    bounds.insert(0, "error_ratio", list(map(float, error_ratios)))
    near = lower if above else 1 / upper
    return DifferentialError(
        estimate=float(estimate),
        lower=float(lower),
        upper=float(upper),
        bounds=bounds,
        tipping=float(estimate if above else 1 / estimate),
        tipping_limit=float(max(near, 1.0)),
    )


def e_value_of_pace(
    estimate: float,
    lower: float | None = None,
    upper: float | None = None,
    *,
    pace_randomised: bool,
    measure: Measure = "HR",
    rare: bool = False,
) -> EValue:
    """Compute the E-value of a comparison of paces that was not randomised.

    Parameters
    ----------
    estimate, lower, upper, measure, rare
        As in `discontinuation.survival.e_value`.
    pace_randomised
        Whether people were randomised to the pace of stopping.

    Raises
    ------
    InvalidInput
        A randomised comparison, which needs no E-value; what `e_value` refuses.

    References
    ----------
    VanderWeele TJ, Ding P. Ann Intern Med 2017;167:268-274 (doi:10.7326/M16-2607).
    """
    if pace_randomised:
        rule = "the pace was randomised: unmeasured confounding is not what threatens this contrast"
        refuse([Problem("E-value", rule, None, "pace_randomised", "True")])
    found: EValue = e_value(estimate, lower, upper, measure, rare)
    return found


def _ratio_problems(estimate: float, lower: float, upper: float) -> list[Problem]:
    shown = f"{estimate:g} ({lower:g} to {upper:g})"
    if not all(0 < value < math.inf for value in (estimate, lower, upper)):
        return [Problem("differential error", "allowed: ratios above 0 and finite", value=shown)]
    if not lower <= estimate <= upper:
        rule = "the estimate must lie between its limits"
        return [Problem("differential error", rule, value=shown)]
    return []
