"""How much of the difference at the end is already there early, and how much would be anyway?

The share of the endpoint difference that is present at an early point was proposed as a sign of
withdrawal confounding (Recalt & Cohen 2019, doi:10.1159/000496734). It is large under plain
proportional hazards too, so it never stands alone here: beside it stand the share expected with
no withdrawal at all and the difference of the two.

All functions work on event-free proportions of a continued arm (M) and a stopped arm (D).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

# An excess is reported only if nearly every simulated trial has one.
ESTIMABLE_FRACTION = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and its limits; limits are NaN where they cannot be estimated."""

    estimate: float
    lower: float
    upper: float


def binomial_covariance(event_free: Vector, n: float) -> Matrix:
    """Covariance over time of event-free proportions of people who are all followed.

    Parameters
    ----------
    event_free : array of shape (k,)
        Proportions at k rising times.
    n
        People in the arm.

    Returns
    -------
    array of shape (k, k)
        Cov{S(s), S(t)} = S(t) {1 - S(s)} / n for s <= t, Greenwood's formula without censoring.
    """
    earlier = np.maximum.outer(event_free, event_free)
    later = np.minimum.outer(event_free, event_free)
    return np.asarray(later * (1 - earlier) / n)


def covariance_from_variances(event_free: Vector, variances: Vector) -> Matrix:
    """Covariance over time of Kaplan-Meier proportions whose variances are known.

    Parameters
    ----------
    event_free, variances : arrays of shape (k,)
        At k rising times.

    Returns
    -------
    array of shape (k, k)
        Cov{S(s), S(t)} = Var{S(s)} S(t) / S(s) for s <= t (Greenwood).
    """
    k = len(event_free)
    covariance = np.diag(np.asarray(variances, dtype=float))
    for i in range(k):
        for j in range(i + 1, k):
            ratio = event_free[j] / event_free[i] if event_free[i] > 0 else 0.0
            covariance[i, j] = covariance[j, i] = variances[i] * ratio
    return covariance


def gap_share(
    continued: tuple[Vector, Matrix], stopped: tuple[Vector, Matrix], confidence: float = 0.95
) -> Interval:
    """Share of the endpoint difference that is present at the early point.

    Parameters
    ----------
    continued, stopped
        Event-free proportions (early, end) of an arm and their 2 x 2 covariance.
    confidence
        Level of the interval.

    Returns
    -------
    Interval
        R = {S_M(t1) - S_D(t1)} / {S_M(tau) - S_D(tau)} with Fieller's interval; NaN limits where
        that interval is unbounded, because the endpoint difference may be zero.
    """
    gap = continued[0] - stopped[0]
    covariance = continued[1] + stopped[1]
    if gap[1] == 0:
        return Interval(math.nan, math.nan, math.nan)
    lower, upper = fieller(gap, covariance, confidence)
    return Interval(float(gap[0] / gap[1]), lower, upper)


def fieller(pair: Vector, covariance: Matrix, confidence: float = 0.95) -> tuple[float, float]:
    """Fieller's interval of the ratio of two correlated normal estimates.

    Parameters
    ----------
    pair : array of shape (2,)
        Numerator and denominator.
    covariance : array of shape (2, 2)
        Their covariance.

    Returns
    -------
    lower, upper
        NaN when the denominator does not differ from zero at this level.
    """
    z2 = ndtri((1 + confidence) / 2) ** 2
    a = pair[1] ** 2 - z2 * covariance[1, 1]
    b = -2 * (pair[1] * pair[0] - z2 * covariance[0, 1])
    c = pair[0] ** 2 - z2 * covariance[0, 0]
    discriminant = b * b - 4 * a * c
    if not a > 0 or not discriminant >= 0:
        return math.nan, math.nan
    root = math.sqrt(discriminant)
    return float((-b - root) / (2 * a)), float((-b + root) / (2 * a))


def overall_hazard_ratio(continued: Vector, stopped: Vector) -> Vector:
    """Hazard ratio that joins both arms' endpoints under proportional hazards.

    Parameters
    ----------
    continued, stopped : arrays of shape (..., 2)
        Event-free proportions (early, end).

    Returns
    -------
    array of shape (...)
        theta = ln S_D(tau) / ln S_M(tau).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(1 / stopped[..., 1]) / np.log(1 / continued[..., 1]))


def late_hazard_ratio(continued: Vector, stopped: Vector) -> Vector:
    """Hazard ratio after the early point, free of anything that happened before it.

    Returns
    -------
    array of shape (...)
        theta = ln{S_D(tau)/S_D(t1)} / ln{S_M(tau)/S_M(t1)}: the late-anchored estimate.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        # Written as hazards, at least 0: no late event on the drug then gives +inf, not -inf.
        late_stopped = np.log(stopped[..., 0] / stopped[..., 1])
        late_continued = np.log(continued[..., 0] / continued[..., 1])
        return np.asarray(late_stopped / late_continued)


def expected_share(continued: Vector, hazard_ratio: Vector) -> Vector:
    """Share expected at the early point with no withdrawal, under proportional hazards.

    Parameters
    ----------
    continued : array of shape (..., 2)
        Event-free proportions (early, end) of the continued arm.
    hazard_ratio : array of shape (...)
        Constant hazard ratio of the stopped arm.

    Returns
    -------
    array of shape (...)
        {S_M(t1) - S_M(t1)^theta} / {S_M(tau) - S_M(tau)^theta}; NaN for a hazard ratio of 0 or
        infinity, under which one arm would have had no event, or nobody left.
    """
    early, end = continued[..., 0], continued[..., 1]
    hazard_ratio = np.where(np.isfinite(hazard_ratio) & (hazard_ratio > 0), hazard_ratio, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((early - early**hazard_ratio) / (end - end**hazard_ratio))


def excess_share(
    continued: tuple[Vector, Matrix],
    stopped: tuple[Vector, Matrix],
    late_anchored: bool,
    random: np.random.Generator,
    replicates: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Early share beyond what proportional hazards alone would give.

    Parameters
    ----------
    continued, stopped
        Event-free proportions (early, end) of an arm and their covariance.
    late_anchored
        Take the hazard ratio from the time after the early point instead of from the whole.
    random
        Random stream of the simulated trials.
    replicates
        How many.

    Returns
    -------
    Interval
        R minus its expectation. The limits are percentiles over trials simulated with normal
        cumulative hazards; NaN when the endpoint difference may be zero, or when more than one
        simulated trial in twenty has no excess.
    """
    estimate = float(_excess(continued[0], stopped[0], late_anchored))
    if math.isnan(gap_share(continued, stopped, confidence).lower):
        return Interval(estimate, math.nan, math.nan)
    simulated = _excess(
        _simulate(*continued, random, replicates),
        _simulate(*stopped, random, replicates),
        late_anchored,
    )
    usable = simulated[np.isfinite(simulated)]
    if not math.isfinite(estimate) or len(usable) < ESTIMABLE_FRACTION * replicates:
        return Interval(estimate, math.nan, math.nan)
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(usable, [tail, 1 - tail])
    return Interval(estimate, float(lower), float(upper))


def _excess(continued: Vector, stopped: Vector, late_anchored: bool) -> Vector:
    ratio = (late_hazard_ratio if late_anchored else overall_hazard_ratio)(continued, stopped)
    gap = continued - stopped
    with np.errstate(divide="ignore", invalid="ignore"):
        share = gap[..., 0] / gap[..., 1]
    return np.asarray(share - expected_share(continued, ratio))


def _simulate(
    event_free: Vector, covariance: Matrix, random: np.random.Generator, replicates: int
) -> Vector:
    """Draw curves with independent increments of the cumulative hazard, never rising."""
    hazard = -np.log(event_free)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.diag(covariance) / event_free**2
    increments = np.diff(hazard, prepend=0)
    variances = np.maximum(np.diff(relative, prepend=0), 0)
    steps = increments + np.sqrt(variances) * random.standard_normal((replicates, len(hazard)))
    return np.asarray(np.exp(-np.cumsum(np.maximum(steps, 0), axis=1)))
