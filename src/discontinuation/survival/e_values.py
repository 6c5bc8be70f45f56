"""How strongly would a confounder have to act to explain an effect away?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival.stored import storable

Measure = Literal["HR", "RR", "OR"]
MEASURES: dict[str, Measure] = {"HR": "HR", "RR": "RR", "OR": "OR"}


@storable
@dataclass(frozen=True, eq=False)
class EValue:
    """How strong a confounder must be, as risk ratio with treatment and with outcome, both.

    Attributes
    ----------
    estimate, limit
        E-values of the estimate and of the confidence limit nearer to 1. The latter is 1 if the
        interval holds 1, NaN without limits.
    measure, rare
        As asked for.
    ratio, lower, upper
        As given; NaN: not given.
    risk_ratio, limit_risk_ratio
        The estimate, and the limit nearer to 1, as approximate risk ratios.
    """

    estimate: float
    limit: float
    measure: Measure
    rare: bool
    ratio: float
    lower: float
    upper: float
    risk_ratio: float
    limit_risk_ratio: float

    @property
    def summary(self) -> pd.DataFrame:
        """Rows estimate and limit: of, value, risk_ratio, e_value."""
        limit = self.lower if self.ratio >= 1 else self.upper
        return pd.DataFrame(
            {
                "of": ["estimate", "limit"],
                "value": [self.ratio, limit],
                "risk_ratio": [self.risk_ratio, self.limit_risk_ratio],
                "e_value": [self.estimate, self.limit],
            }
        )

    def __str__(self) -> str:
        outcome = "rare" if self.rare else "common"
        text = f"E-value of {self.measure} {self.ratio:g} ({outcome} outcome): {self.estimate:.3f}"
        return text if np.isnan(self.limit) else f"{text}; of its limit: {self.limit:.3f}"


def e_value(
    estimate: float,
    lower: float | None = None,
    upper: float | None = None,
    measure: str = "HR",
    rare: bool = False,
) -> EValue:
    """Compute the E-value of a ratio.

    Parameters
    ----------
    estimate
        Hazard, risk or odds ratio, above 0.
    lower, upper
        Its confidence limits; both or none.
    measure
        ``"HR"``, ``"RR"`` or ``"OR"``, in capitals or not.
    rare
        Whether fewer than 15 % have the outcome at the end of follow-up: hazard and odds ratios
        then are taken as risk ratios. Otherwise a hazard ratio h becomes
        (1 - 0.5^sqrt(h)) / (1 - 0.5^sqrt(1/h)) and an odds ratio its square root.

    Returns
    -------
    EValue
        RR + sqrt(RR (RR - 1)), with 1/RR below 1.

    Raises
    ------
    InvalidInput
        Values that are not above 0 and in order, one limit only, an unknown measure.

    References
    ----------
    VanderWeele TJ, Ding P. Ann Intern Med 2017;167:268-274.
    """
    kind = MEASURES.get(measure.upper())
    refuse(_problems(estimate, lower, upper, measure))
    assert kind is not None
    near = limit = blank = float("nan")
    if lower is not None and upper is not None:
        near = _as_risk_ratio(lower if estimate >= 1 else upper, kind, rare)
        limit = 1.0 if lower <= 1 <= upper else _e(near)
    ratio = _as_risk_ratio(estimate, kind, rare)
    return EValue(
        estimate=_e(ratio),
        limit=limit,
        measure=kind,
        rare=rare,
        ratio=float(estimate),
        lower=blank if lower is None else float(lower),
        upper=blank if upper is None else float(upper),
        risk_ratio=ratio,
        limit_risk_ratio=near,
    )


def _problems(
    estimate: float, lower: float | None, upper: float | None, measure: str
) -> list[Problem]:
    problems = []
    if measure.upper() not in MEASURES:
        problems.append(
            Problem("E-value", allowed_values(list(MEASURES)), None, "measure", measure)
        )
    if (lower is None) != (upper is None):
        problems.append(Problem("E-value", "both limits or none", column="limits"))
    given = [value for value in (lower, estimate, upper) if value is not None]
    shown = ", ".join(f"{value:g}" for value in given)
    if not all(0 < value < np.inf for value in given):
        problems.append(Problem("E-value", "allowed: above 0 and finite", value=shown))
    elif sorted(given) != given:
        rule = "the estimate must lie between its limits"
        problems.append(Problem("E-value", rule, value=shown))
    return problems


def _as_risk_ratio(value: float, measure: Measure, rare: bool) -> float:
    if rare or measure == "RR":
        return float(value)
    if measure == "OR":
        return float(np.sqrt(value))
    return float((1 - 0.5 ** np.sqrt(value)) / (1 - 0.5 ** np.sqrt(1 / value)))


def _e(ratio: float) -> float:
    above = max(ratio, 1 / ratio)
    return float(above + np.sqrt(above * (above - 1)))
