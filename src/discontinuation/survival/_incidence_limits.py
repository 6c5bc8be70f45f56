"""Between which limits does a probability or a hazard lie?"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival.follow_up import FloatArray

Interval = Literal["complementary log-log", "log-log", "log", "plain"]
MEANING = {
    "complementary log-log": "log(-log(1 - p))",
    "log-log": "log(-log(p))",
    "log": "log(p)",
    "plain": "p",
}


def normal_quantile(confidence: float) -> float:
    """Quantile of a two-sided normal interval.

    Raises
    ------
    InvalidInput
        A confidence that is not between 0 and 1.
    """
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        refuse([Problem("confidence", "allowed: between 0 and 1", value=f"{confidence:g}")])
    return float(ndtri(0.5 + confidence / 2))


def two_sided_p(z: FloatArray) -> FloatArray:
    """Two-sided normal p-value."""
    from scipy.special import ndtr

    return np.asarray(2 * ndtr(-np.abs(z)))


def chosen(value: str, allowed: object, name: str) -> None:
    """Refuse a word that is none of the literals.

    Raises
    ------
    InvalidInput
        With the nearest that is allowed.
    """
    words = [str(word) for word in get_args(allowed)]
    if value not in words:
        refuse([Problem(name, allowed_values(words, str(value)), value=str(value))])


def probability_limits(
    p: FloatArray, se: FloatArray, interval: Interval, confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Confidence limits of probabilities.

    Parameters
    ----------
    p, se
        Estimates and standard errors.
    interval
        Scale on which the interval is symmetric: complementary log-log is
        ``1 - (1 - p)**exp(+-z se / ((1 - p) |log(1 - p)|))``, log-log
        ``p**exp(+-z se / (p |log p|))``, log ``p exp(+-z se / p)``, plain ``p +- z se``.
    confidence
        For instance 0.95.

    Returns
    -------
    lower, upper
        Within 0 and 1. Where the standard error is 0 both are the probability itself.
    """
    if interval == "complementary log-log":
        low, high = probability_limits(1 - p, se, "log-log", confidence)
        return 1 - high, 1 - low
    width = normal_quantile(confidence) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        if interval == "plain":
            low, high = p - width, p + width
        elif interval == "log":
            low, high = p * np.exp(-width / p), p * np.exp(width / p)
        else:
            factor = np.exp(width / (p * np.abs(np.log(p))))
            low, high = p**factor, p ** (1 / factor)
    certain = se == 0
    low = np.where(certain, p, np.maximum(low, 0.0))
    return low, np.where(certain, p, np.minimum(high, 1.0))


def hazard_limits(
    hazard: FloatArray, se: FloatArray, confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Limits ``H exp(+-z se / H)`` of a cumulative hazard; the hazard itself where se is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(se == 0, 1.0, np.exp(normal_quantile(confidence) * se / hazard))
    return hazard / factor, hazard * factor
