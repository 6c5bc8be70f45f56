"""Between which values does the effect lie if nothing is assumed about what cannot be decided?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from discontinuation.bias.early_share import Interval
from discontinuation.bias.two_arms import ARMS, confidence_problems
from discontinuation.bias.verdict_words import Hypotheses
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse
from discontinuation.survival import aalen_johansen
from discontinuation.survival.follow_up import FloatArray, follow_up

INDETERMINATE, LOST = "indeterminate", "lost"


@dataclass(frozen=True, eq=False)
class RiskBounds:
    """Bounds of the risk of what is counted, and of its difference between arms.

    Attributes
    ----------
    summary
        One row per quantity (risk of each arm, their difference): ``quantity, lower_bound,
        upper_bound, lower_limit, upper_limit``. The limits are those of Imbens and Manski: they
        cover the true value, wherever between the bounds it lies.
    end
        The horizon.
    counted
        The reading whose risk it is.
    none_other_in_continued
        Whether every undecided event of the continued arm was taken for the counted reading.
    lost_included
        Whether everybody lost before the horizon counts as undecided.
    confidence
        Level of the limits.
    """

    summary: pd.DataFrame
    end: float
    counted: str
    none_other_in_continued: bool
    lost_included: bool
    confidence: float

    @property
    def sentence(self) -> str:
        """Tell the bounds of the difference."""
        row = self.summary.set_index("quantity").loc["difference"]
        span = f"{row['lower_bound']:.3f} to {row['upper_bound']:.3f}"
        limits = f"{row['lower_limit']:.3f} to {row['upper_limit']:.3f}"
        return (
            f"Whatever the undecided events were, the difference in the risk of {self.counted} "
            f"by {self.end:g} (stopped minus continued) lies between {span} "
            f"({self.confidence:.0%} limits {limits})."
        )


def risk_bounds(
    continued: pd.DataFrame,
    stopped: pd.DataFrame,
    end: float,
    *,
    hypotheses: Hypotheses | None = None,
    none_other_in_continued: bool = False,
    lost_included: bool = False,
    confidence: float = 0.95,
) -> RiskBounds:
    """Bound the risk of a reading when some events fit either (methods C9).

    Parameters
    ----------
    continued, stopped
        People of the two arms: ``time`` and ``cause``, blank where follow-up ended without an
        event, else one of the two readings, ``indeterminate``, or ``lost``.
    end
        The horizon.
    hypotheses
        The two readings; the risk of `counted` is bounded.
    none_other_in_continued
        Assume that nothing in the continued arm is the other reading: what is undecided there is
        counted.
    lost_included
        Take everybody ``lost`` before the horizon for undecided (worst case); otherwise they are
        censored.
    confidence
        Level of the limits.

    Returns
    -------
    RiskBounds
        Cumulative incidence (Aalen-Johansen) of the counted reading alone, and of it together
        with what is undecided; difference ``[L_D - U_M, U_D - L_M]``.

    Raises
    ------
    InvalidInput
        Follow-up that is none, unknown causes, a horizon past the end of follow-up.

    References
    ----------
    Manski CF. Am Econ Rev 1990;80:319-323; Imbens GW, Manski CF. Econometrica
    2004;72:1845-1857 (doi:10.1111/j.1468-0262.2004.00555.x).
    """
    hypotheses = hypotheses or Hypotheses()
    problems = list(confidence_problems(confidence))
    found = []
    for name, people in zip(ARMS, (continued, stopped), strict=True):
        try:
            found.append(_read(people, hypotheses))
        except InvalidInput as error:
            problems += [
                Problem(f"{name} arm", one.message, one.row, one.column, one.value)
                for one in error.problems
            ]
            continue
        last = found[-1][0].max()
        if not 0 < end <= last:
            rule = f"the {name} arm is followed to {last:g} only"
            problems.append(Problem("windows", rule, None, "end", f"{end:g}"))
    refuse(problems)
    kept = [
        _bounds(*arm, end, hypotheses, lost_included, arm is found[0] and none_other_in_continued)
        for arm in found
    ]
    (low_m, high_m), (low_d, high_d) = kept
    rows = [
        ("continued", low_m, high_m),
        ("stopped", low_d, high_d),
        ("difference", _minus(low_d, high_m), _minus(high_d, low_m)),
    ]
    return RiskBounds(
        summary=pd.DataFrame(
            [_row(name, low, high, confidence) for name, low, high in rows],
            columns=["quantity", "lower_bound", "upper_bound", "lower_limit", "upper_limit"],
        ),
        end=float(end),
        counted=hypotheses.counted,
        none_other_in_continued=none_other_in_continued,
        lost_included=lost_included,
        confidence=confidence,
    )


def imbens_manski(
    lower: tuple[float, float], upper: tuple[float, float], confidence: float = 0.95
) -> Interval:
    """Confidence interval of a parameter that is only known to lie between two bounds.

    Parameters
    ----------
    lower, upper
        Estimate and standard error of each bound.
    confidence
        Level of the limits.

    Returns
    -------
    Interval
        ``L - c se_L`` to ``U + c se_U`` with ``Phi(c + (U - L) / max(se)) - Phi(-c) =
        confidence``: two-sided where the bounds meet, one-sided where they are far apart. Its
        estimate is NaN: no point between the bounds is better than another.

    References
    ----------
    Imbens GW, Manski CF. Econometrica 2004;72:1845-1857, equation 7.
    """
    from scipy.optimize import brentq

    widest = max(lower[1], upper[1])
    if widest == 0:
        return Interval(math.nan, lower[0], upper[0])
    gap = (upper[0] - lower[0]) / widest
    c = float(brentq(lambda c: ndtr(c + gap) - ndtr(-c) - confidence, 0.0, 40.0))
    return Interval(math.nan, lower[0] - c * lower[1], upper[0] + c * upper[1])


Estimate = tuple[float, float]


def _bounds(
    time: FloatArray,
    cause: np.ndarray,
    end: float,
    hypotheses: Hypotheses,
    lost_included: bool,
    all_counted: bool,
) -> tuple[Estimate, Estimate]:
    undecided = cause == INDETERMINATE
    if lost_included:
        undecided |= (cause == LOST) & (time < end)
    counted, other = cause == hypotheses.counted, cause == hypotheses.other
    high = _incidence(time, counted | undecided, other, end)
    low = high if all_counted else _incidence(time, counted, other | undecided, end)
    return low, high


def _incidence(time: FloatArray, counted: np.ndarray, other: np.ndarray, end: float) -> Estimate:
    if not counted.any():
        return 0.0, 0.0
    curve = aalen_johansen(time, np.where(counted, 1, np.where(other, 2, 0)))
    position = int(np.searchsorted(curve.time, end, side="right")) - 1
    if position < 0:
        return 0.0, 0.0
    which = curve.causes.index(1)
    return float(curve.probability[0, which, position]), float(curve.se[0, which, position])


def _minus(one: Estimate, other: Estimate) -> Estimate:
    return one[0] - other[0], math.hypot(one[1], other[1])


def _row(
    name: str, low: Estimate, high: Estimate, confidence: float
) -> tuple[str, float, float, float, float]:
    limits = imbens_manski(low, high, confidence)
    return name, low[0], high[0], limits.lower, limits.upper


def _read(people: pd.DataFrame, hypotheses: Hypotheses) -> tuple[FloatArray, np.ndarray]:
    columns = [str(column) for column in people.columns]
    refuse(
        Problem("", "there is no such column; " + allowed_values(columns, name), column=name)
        for name in ("time", "cause")
        if name not in columns
    )
    allowed = (hypotheses.counted, hypotheses.other, INDETERMINATE, LOST)
    cause = people["cause"].astype(object).where(people["cause"].notna(), "").to_numpy()
    refuse(
        Problem("", f"{allowed_values(allowed, str(value))} or blank", row, "cause", str(value))
        for row, value in enumerate(cause, 2)
        if value not in ("", *allowed)
    )
    follow = follow_up(people["time"], (cause != "").astype(int))
    return follow.time, cause
