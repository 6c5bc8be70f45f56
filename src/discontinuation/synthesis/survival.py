"""What risk lies behind a published survival proportion, and how do two such risks differ?"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from discontinuation.synthesis.effect import (
    Effect,
    FloatArray,
    Risk,
    bad_choice,
    bad_confidence,
    bad_values,
    floats,
    normal_quantile,
    not_positive,
    not_probability,
    plain,
    refuse,
)

SurvivalScale = Literal["auto", "plain", "log", "log-log"]


def risk_from_survival(
    survival: float,
    lower: float,
    upper: float,
    confidence: float = 0.95,
    scale: SurvivalScale = "auto",
    rounding: float = 0.0005,
) -> Risk:
    """Risk and variance from a published survival proportion with its interval.

    Parameters
    ----------
    survival, lower, upper
        Proportion without the event and its limits, from 0 to 1.
    confidence
        Level of the interval.
    scale
        Scale on which the interval was made. ``"auto"`` takes the plain scale if the estimate
        lies in the middle, up to rounding; otherwise the one of plain, log and log-log on
        which it lies nearest to the middle.
    rounding
        Largest rounding error of the printed figures, 0.0005 for three decimals.

    Returns
    -------
    Risk
        ``1 - survival``, its variance, and in `method` the scale that was used. An interval
        cut at 0 or 1 gives the variance from its other half.

    Raises
    ------
    ValueError
        Figures outside 0 to 1 or not in order, an interval cut at both ends, an unknown scale.

    References
    ----------
    Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data, 2nd ed., 1.4;
    Borgan O, Liestol K. Scand J Stat 1990;17:35-41.
    """
    refuse(
        bad_confidence(confidence)
        + bad_choice("scale", scale, get_args(SurvivalScale))
        + _bad_survival(survival, lower, upper)
    )
    z = normal_quantile(confidence)
    if lower == 0 or upper == 1:
        half = upper - survival if lower == 0 else survival - lower
        cut = "lower limit 0" if lower == 0 else "upper limit 1"
        return Risk(1 - survival, (half / z) ** 2, f"variance from half the interval ({cut})")
    chosen = _interval_scale(survival, lower, upper, rounding) if scale == "auto" else scale
    width = abs(_transform(chosen, upper) - _transform(chosen, lower))
    se = width / (2 * z) * _per_unit(chosen, survival)
    return Risk(1 - survival, se**2, f"variance from the interval on the {chosen} scale")


def _bad_survival(survival: float, lower: float, upper: float) -> list[str]:
    problems = []
    if not 0 <= lower <= survival <= upper <= 1 or lower == upper:
        problems.append(
            "survival and its limits must satisfy 0 <= lower <= survival <= upper <= 1 with "
            f"lower < upper, but lower = {lower:g}, survival = {survival:g}, upper = {upper:g}"
        )
    elif lower == 0 and upper == 1:
        problems.append("an interval from 0 to 1 gives no variance")
    return problems


def _interval_scale(survival: float, lower: float, upper: float, rounding: float) -> str:
    # Each of the three printed figures may be off by `rounding`; the middle then by twice that.
    if _off_centre("plain", survival, lower, upper) <= 2 * rounding:
        return "plain"
    return min(
        ("log-log", "log", "plain"), key=lambda name: _off_centre(name, survival, lower, upper)
    )


def _off_centre(scale: str, survival: float, lower: float, upper: float) -> float:
    """Return how far, in survival units, the estimate lies from the middle of its interval."""
    middle = (_transform(scale, lower) + _transform(scale, upper)) / 2
    return abs(middle - _transform(scale, survival)) * _per_unit(scale, survival)


def _transform(scale: str, survival: float) -> float:
    if scale == "plain":
        return survival
    cumulative_hazard = -np.log(survival)
    return float(-cumulative_hazard if scale == "log" else np.log(cumulative_hazard))


def _per_unit(scale: str, survival: float) -> float:
    """Return how far survival moves per unit on the scale, taken at the estimate."""
    if scale == "plain":
        return 1.0
    return float(survival if scale == "log" else abs(survival * np.log(survival)))


def ratio_of_risks_from_variances(
    p_a: npt.ArrayLike,
    variance_a: npt.ArrayLike,
    p_b: npt.ArrayLike,
    variance_b: npt.ArrayLike,
) -> Effect:
    """Log ratio of two independent risks whose variances are known.

    Parameters
    ----------
    p_a, variance_a, p_b, variance_b
        Risks, greater than 0, and their variances.

    Returns
    -------
    Effect
        On the log scale, variance ``variance_a / p_a**2 + variance_b / p_b**2``.

    Raises
    ------
    ValueError
        Risks outside (0, 1] or variances that are not positive.

    References
    ----------
    Delta method; Rao CR. Linear Statistical Inference and Its Applications, 2nd ed., 6a.2.
    """
    p1, v1, p2, v2 = _risks(p_a, variance_a, p_b, variance_b)
    refuse(not_positive(p_a=p1, p_b=p2))
    estimate = np.log(p1) - np.log(p2)
    variance = v1 / p1**2 + v2 / p2**2
    return Effect(plain(estimate), plain(variance), "log", "log risk ratio, delta method")


def difference_of_risks_from_variances(
    p_a: npt.ArrayLike,
    variance_a: npt.ArrayLike,
    p_b: npt.ArrayLike,
    variance_b: npt.ArrayLike,
) -> Effect:
    """Difference of two independent risks whose variances are known.

    Parameters
    ----------
    p_a, variance_a, p_b, variance_b
        As for `ratio_of_risks_from_variances`; a risk of 0 is allowed.

    Returns
    -------
    Effect
        On the plain scale, variance ``variance_a + variance_b``.

    Raises
    ------
    ValueError
        Risks outside 0 to 1 or variances that are not positive.
    """
    p1, v1, p2, v2 = _risks(p_a, variance_a, p_b, variance_b)
    method = "risk difference, variances added"
    return Effect(plain(p1 - p2), plain(v1 + v2), "identity", method)


def ratio_of_odds_from_variances(
    p_a: npt.ArrayLike,
    variance_a: npt.ArrayLike,
    p_b: npt.ArrayLike,
    variance_b: npt.ArrayLike,
) -> Effect:
    """Log odds ratio of two independent risks whose variances are known.

    Parameters
    ----------
    p_a, variance_a, p_b, variance_b
        As for `ratio_of_risks_from_variances`; risks strictly between 0 and 1.

    Returns
    -------
    Effect
        On the log scale, each variance divided by ``(p (1 - p))**2``.

    Raises
    ------
    ValueError
        Risks outside (0, 1) or variances that are not positive.

    References
    ----------
    Delta method; Rao CR. Linear Statistical Inference and Its Applications, 2nd ed., 6a.2.
    """
    p1, v1, p2, v2 = _risks(p_a, variance_a, p_b, variance_b)
    refuse(not_probability(p_a=p1, p_b=p2))
    estimate = (np.log(p1) - np.log1p(-p1)) - (np.log(p2) - np.log1p(-p2))
    variance = v1 / (p1 * (1 - p1)) ** 2 + v2 / (p2 * (1 - p2)) ** 2
    return Effect(plain(estimate), plain(variance), "log", "log odds ratio, delta method")


def _risks(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    p1, v1, p2, v2 = floats(*values)
    refuse(
        not_positive(variance_a=v1, variance_b=v2)
        + bad_values("p_a", p1, (p1 >= 0) & (p1 <= 1), "from 0 to 1")
        + bad_values("p_b", p2, (p2 >= 0) & (p2 <= 1), "from 0 to 1")
    )
    return p1, v1, p2, v2
