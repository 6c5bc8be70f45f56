"""What effect, and how precise, lies behind a published ratio, test or time?"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import stats

from discontinuation.synthesis.counts import two_by_two
from discontinuation.synthesis.effect import (
    Effect,
    FloatArray,
    Floats,
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

Information = Literal["events", "allocation"]


def se_from_interval(
    lower: npt.ArrayLike, upper: npt.ArrayLike, confidence: float = 0.95
) -> Floats:
    """Find the standard error of a log ratio from the limits of the ratio.

    Parameters
    ----------
    lower, upper
        Limits of the ratio, as ratios.
    confidence
        Level of the interval.

    Returns
    -------
    float or array
        ``(log(upper) - log(lower)) / (2 z)``.

    Raises
    ------
    ValueError
        Limits that are not positive or in the wrong order, a level outside (0, 1).

    References
    ----------
    Cochrane Handbook 6.3.2.
    """
    low, high = floats(lower, upper)
    refuse(
        bad_confidence(confidence)
        + not_positive(lower=low, upper=high)
        + bad_values("upper - lower", high - low, high > low, "greater than 0")
    )
    return plain((np.log(high) - np.log(low)) / (2 * normal_quantile(confidence)))


def se_from_p(ratio: npt.ArrayLike, p: npt.ArrayLike) -> Floats:
    """Find the standard error of a log ratio from the ratio and its exact p-value.

    Parameters
    ----------
    ratio
        The ratio, not 1.
    p
        Two-sided p-value, as printed with an equals sign.

    Returns
    -------
    float or array
        ``|log(ratio)| / z``, z the exact normal quantile of p (the reference approximates it by
        ``-0.862 + sqrt(0.743 - 2.404 log p)``).

    Raises
    ------
    ValueError
        A ratio that is 1 or not positive, p outside (0, 1).

    References
    ----------
    Altman DG, Bland JM. BMJ 2011;343:d2090.
    """
    value, prob = floats(ratio, p)
    refuse(
        not_positive(ratio=value)
        + not_probability(p=prob)
        + bad_values("ratio", value, value != 1, "different from 1 to give a standard error")
    )
    return plain(np.abs(np.log(value)) / stats.norm.isf(prob / 2))


def log_hazard_ratio_from_interval(
    hazard_ratio: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
    confidence: float = 0.95,
) -> Effect:
    """Log hazard ratio and variance from a published ratio and its interval.

    Parameters
    ----------
    hazard_ratio, lower, upper
        As printed, as ratios.
    confidence
        Level of the interval.

    Returns
    -------
    Effect
        On the log scale.

    Raises
    ------
    ValueError
        A ratio outside its own limits, limits that are not positive or in the wrong order.

    References
    ----------
    Parmar MKB, Torri V, Stewart L. Stat Med 1998;17:2815-2834, equation 7 (section 4.1).
    """
    value, low, high = floats(hazard_ratio, lower, upper)
    se = se_from_interval(low, high, confidence)
    inside = (low <= value) & (value <= high)
    refuse(bad_values("hazard_ratio", value, inside, "between its own limits"))
    method = "log hazard ratio, variance from its interval"
    return Effect(plain(np.log(value)), plain(np.square(se)), "log", method)


def log_hazard_ratio_from_p(hazard_ratio: npt.ArrayLike, p: npt.ArrayLike) -> Effect:
    """Log hazard ratio and variance from a published ratio and its exact p-value.

    Parameters
    ----------
    hazard_ratio
        As printed, not 1.
    p
        Two-sided p-value, as printed with an equals sign.

    Returns
    -------
    Effect
        On the log scale.

    Raises
    ------
    ValueError
        A ratio that is 1 or not positive, p outside (0, 1).

    References
    ----------
    Parmar MKB, Torri V, Stewart L. Stat Med 1998;17:2815-2834, equation 7 (section 4.1).
    """
    se = se_from_p(hazard_ratio, p)
    method = "log hazard ratio, variance from its p-value"
    return Effect(plain(np.log(hazard_ratio)), plain(np.square(se)), "log", method)


def hazard_ratio_from_logrank(
    events_a: npt.ArrayLike,
    n_a: npt.ArrayLike,
    events_b: npt.ArrayLike,
    n_b: npt.ArrayLike,
    *,
    z: npt.ArrayLike | None = None,
    p: npt.ArrayLike | None = None,
    information: Information = "events",
) -> Effect:
    """Log hazard ratio of a to b from a log-rank test and the counts of both arms.

    Parameters
    ----------
    events_a, n_a, events_b, n_b
        Events and people per arm; at least one event in each.
    z
        Signed root of the log-rank chi-square, positive when arm a has more events than
        expected. Give either `z` or `p`.
    p
        Exact two-sided p-value. It has no sign, so the arm with the higher crude risk is taken
        to have the higher hazard; equal crude risks are refused.
    information
        How V, the variance of observed minus expected events, is approximated:
        ``"events"`` is ``events_a events_b / (events_a + events_b)``; ``"allocation"`` is
        ``(events_a + events_b) n_a n_b / (n_a + n_b)**2``, right when the hazards hardly differ.

    Returns
    -------
    Effect
        On the log scale: ``z / sqrt(V)`` with variance ``1 / V``.

    Raises
    ------
    ValueError
        Impossible counts, an arm without events, both or neither of `z` and `p`, a p-value
        without a direction, an unknown rule for V.

    References
    ----------
    Parmar MKB, Torri V, Stewart L. Stat Med 1998;17:2815-2834, section 4.3, equations 4, 11,
    12 and 13; Tierney JF et al. Trials 2007;8:16. Both halve a two-sided p-value before they
    look up z.
    """
    ea, free_a, eb, free_b = two_by_two(events_a, n_a, events_b, n_b)
    refuse(
        not_positive(events_a=ea, events_b=eb)
        + bad_choice("information", information, get_args(Information))
    )
    if (z is None) == (p is None):
        raise ValueError("give either z or p of the log-rank test, not both and not neither.")
    if z is not None:
        score = np.asarray(z, dtype=float)
        refuse(bad_values("z", score, np.isfinite(score), "finite"))
    else:
        score = _signed_z(p, ea / (ea + free_a) - eb / (eb + free_b))
    score, v = floats(score, _information(information, ea, ea + free_a, eb, eb + free_b))
    source = "z" if z is not None else "p-value"
    method = f"log hazard ratio from the log-rank {source}, variance from {information}"
    return Effect(plain(score / np.sqrt(v)), plain(1 / v), "log", method)


def _information(
    rule: str, ea: FloatArray, na: FloatArray, eb: FloatArray, nb: FloatArray
) -> FloatArray:
    """Return the variance of observed minus expected events."""
    if rule == "events":
        return ea * eb / (ea + eb)
    return (ea + eb) * na * nb / (na + nb) ** 2


def _signed_z(p: npt.ArrayLike | None, risk_difference: FloatArray) -> FloatArray:
    prob = np.asarray(p, dtype=float)
    refuse(
        not_probability(p=prob)
        + bad_values(
            "the difference of crude risks",
            risk_difference,
            risk_difference != 0,
            "different from 0 to give a p-value its direction",
        )
    )
    signed: FloatArray = np.sign(risk_difference) * stats.norm.isf(prob / 2)
    return signed


def ratio_of_times(
    time_a: npt.ArrayLike,
    time_b: npt.ArrayLike,
    *,
    se_a: npt.ArrayLike | None = None,
    se_b: npt.ArrayLike | None = None,
    interval_a: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    interval_b: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    confidence: float = 0.95,
) -> Effect:
    """Log ratio of two times, medians or means, to the same event.

    Parameters
    ----------
    time_a, time_b
        Times in the same unit, greater than 0.
    se_a, se_b
        Standard errors in that unit, taken to the log scale by the delta method.
    interval_a, interval_b
        Lower and upper limits in that unit, taken as symmetric on the log scale. Give either
        the standard error or the interval of each arm.
    confidence
        Level of the intervals.

    Returns
    -------
    Effect
        On the log scale.

    Raises
    ------
    ValueError
        Times or errors that are not positive, or an arm with both or neither of the two.

    References
    ----------
    Michiels S et al. Int J Technol Assess Health Care 2005;21:119-125 (and why a ratio of
    medians is second best to a hazard ratio).
    """
    t1, t2 = floats(time_a, time_b)
    refuse(not_positive(time_a=t1, time_b=t2))
    v1 = _log_time_variance("a", t1, se_a, interval_a, confidence)
    v2 = _log_time_variance("b", t2, se_b, interval_b, confidence)
    return Effect(plain(np.log(t1) - np.log(t2)), plain(v1 + v2), "log", "log ratio of times")


def _log_time_variance(
    arm: str,
    time: FloatArray,
    se: npt.ArrayLike | None,
    interval: tuple[npt.ArrayLike, npt.ArrayLike] | None,
    confidence: float,
) -> FloatArray:
    if (se is None) == (interval is None):
        raise ValueError(f"give either se_{arm} or interval_{arm}, not both and not neither.")
    if interval is not None:
        return np.asarray(se_from_interval(*interval, confidence=confidence)) ** 2
    error = np.asarray(se, dtype=float)
    refuse(not_positive(**{f"se_{arm}": error}))
    return (error / time) ** 2
