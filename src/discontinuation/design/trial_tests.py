"""What would each usual test say about two arms of many trials, or of the expected counts?

Every function takes counts of shape (trials, visits, arms) and returns one z value per trial, above
0 where the second arm does worse, NaN where a trial gives none. Given expected counts as a
single trial, the same functions are the drifts of methods G4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.bias._two_arm_kernels import maximise
from discontinuation.design._daily import FloatArray
from discontinuation.design._fit_kernels import adjusted_scores, efron_information
from discontinuation.survival._curve_kernels import (
    efron_coefficients,
    restricted_means,
    table_scores,
    table_survival,
)

Z = 1.959963984540054  # two-sided 5 %


@dataclass(frozen=True, eq=False)
class Pair:
    """Counts of two arms of many trials.

    Attributes
    ----------
    day
        Days of the visits, shape (visits,).
    events, at_risk
        Shape (trials, visits, 2); the first arm is the reference.
    """

    day: FloatArray
    events: FloatArray
    at_risk: FloatArray

    def after(self, day: float) -> Pair:
        """Keep those still followed and event-free just after a day (landmark)."""
        kept = self.day > day
        return Pair(self.day[kept], self.events[:, kept], self.at_risk[:, kept])


def pair_of(
    day: FloatArray, events: FloatArray, at_risk: FloatArray, reference: int, other: int
) -> Pair:
    """Take two arms out of the counts of all."""
    both = [reference, other]
    return Pair(
        day, np.ascontiguousarray(events[..., both]), np.ascontiguousarray(at_risk[..., both])
    )


def _ratio(value: FloatArray, variance: FloatArray) -> FloatArray:
    """Value over its standard error; NaN without a variance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 0, value / np.sqrt(variance), np.nan)


def log_rank(pair: Pair, rho: float = 0.0, gamma: float = 0.0) -> FloatArray:
    """Fleming-Harrington test with hypergeometric variance (methods D2, D3)."""
    score, covariance = table_scores(pair.events, pair.at_risk, rho, gamma)
    return _ratio(score[:, 1], covariance[:, 1, 1])


def cox_wald(pair: Pair) -> FloatArray:
    """Wald test of the log hazard ratio, Efron's ties (methods D7)."""
    beta = efron_coefficients(pair.events, pair.at_risk)
    information = efron_information(pair.events, pair.at_risk, np.nan_to_num(beta))
    return np.asarray(beta[:, 0] * np.sqrt(information[:, 0, 0]))


def mean_time(pair: Pair, horizon: float) -> FloatArray:
    """Difference of restricted mean times up to the horizon (methods D6)."""
    mean, variance = restricted_means(pair.day, pair.events, pair.at_risk, 0.0, horizon)
    difference = np.where(_known(pair, horizon), mean[:, 0] - mean[:, 1], np.nan)
    return _ratio(difference, variance.sum(axis=1))


def _known(pair: Pair, day: float) -> npt.NDArray[np.bool_]:
    """Whether somebody of both arms is followed to the last visit by a day, if there is one."""
    before = np.flatnonzero(pair.day <= day)
    if not before.size:
        return np.zeros(len(pair.at_risk), dtype=bool)
    last = before[-1]
    return np.asarray((pair.at_risk[:, last] > 0).all(axis=-1))


def risk_by(pair: Pair, day: float) -> tuple[FloatArray, FloatArray]:
    """Difference of Kaplan-Meier risks at a day, second minus first, and Greenwood's variance.

    NaN where nobody of an arm is followed so far, or nobody is looked at yet.
    """
    seen = pair.day <= day
    if not seen.any():
        nothing = np.full(len(pair.at_risk), np.nan)
        return nothing, nothing
    events, at_risk = pair.events[:, seen], pair.at_risk[:, seen]
    survival = table_survival(events, at_risk)[:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0)
        spread = (survival**2 * steps.sum(axis=1)).sum(axis=1)
    known = _known(pair, day)
    return (
        np.where(known, survival[:, 0] - survival[:, 1], np.nan),
        np.where(known, spread, np.nan),
    )


def risk_difference(pair: Pair, day: float) -> FloatArray:
    """Difference of Kaplan-Meier risks at a day over its standard error."""
    return _ratio(*risk_by(pair, day))


def hazard_contrast(
    pairs: dict[str, Pair], weights: dict[str, float], day: float
) -> tuple[FloatArray, FloatArray]:
    """Weighted sum over causes of differences of Nelson-Aalen hazards, with its variance.

    Parameters
    ----------
    pairs
        By cause, with the same people at risk.
    weights
        Of each cause.
    day
        Up to when; NaN where nobody of an arm is followed so far, or nobody is looked at yet.
    """
    found = variance = np.zeros(1)
    for cause, weight in weights.items():
        pair = pairs[cause]
        seen = pair.day <= day
        events, at_risk = pair.events[:, seen], pair.at_risk[:, seen]
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(events > 0, events / at_risk, 0.0)
            spread = np.where(events > 0, events / at_risk**2, 0.0)
        found = found + weight * (steps[..., 1] - steps[..., 0]).sum(axis=1)
        variance = variance + weight**2 * spread.sum(axis=(1, 2))
        found = np.where(_known(pair, day), found, np.nan)
    return found, variance


def drive_test(
    events: FloatArray, at_risk: FloatArray, protection_loss: FloatArray, drive: FloatArray
) -> FloatArray:
    """Do events follow the withdrawal drive, beyond what lost protection does?

    The score test of a term in the drive in a Cox model of all arms, with loss of protection as
    its other covariate (methods G3, reading i).

    Parameters
    ----------
    events, at_risk
        Shape (trials, visits, arms).
    protection_loss, drive
        Covariates of each arm at each visit, shape (visits, arms); the drive to the planned power.
    """
    score, variance = adjusted_scores(events, at_risk, protection_loss, drive)
    return _ratio(score, variance)


def omnibus(events: FloatArray, at_risk: FloatArray) -> FloatArray:
    """Chi-square statistic of the log-rank test of all arms, shape (trials,)."""
    score, covariance = table_scores(events, at_risk, 0.0, 0.0)
    return _quadratic(score[:, 1:], covariance[:, 1:, 1:])


def _quadratic(score: FloatArray, covariance: FloatArray) -> FloatArray:
    sound = np.linalg.det(covariance) > 0
    out = np.full(len(score), np.nan)
    solved = np.linalg.solve(covariance[sound], score[sound][..., None])[..., 0]
    out[sound] = (score[sound] * solved).sum(axis=1)
    return out


def plain_tests(end: float, taper_end: float) -> dict[str, Callable[[Pair], FloatArray]]:
    """Tests of two arms by name.

    Parameters
    ----------
    end
        Last day, up to which means and risks are compared.
    taper_end
        Day of the landmark.
    """
    return {
        "log-rank": log_rank,
        "FH(1,0)": lambda pair: log_rank(pair, 1.0, 0.0),
        "FH(0,1)": lambda pair: log_rank(pair, 0.0, 1.0),
        "Cox": cox_wald,
        "RMST": lambda pair: mean_time(pair, end),
        "risk at the end": lambda pair: risk_difference(pair, end),
        "landmark at taper end": lambda pair: log_rank(pair.after(taper_end)),
    }


def drifts(end: float, taper_end: float) -> dict[str, Callable[[Pair], FloatArray]]:
    """Expected z of each of `plain_tests` from expected counts of one person per arm (methods G4).

    Multiplied by the root of the number of people per arm they are the drift of a trial. Those of
    the rank tests have binomial variance in place of the hypergeometric one, and ties are single
    events (Breslow), as counts are not whole.
    """
    others = plain_tests(end, taper_end)
    return {
        "log-rank": drift,
        "FH(1,0)": lambda pair: drift(pair, 1.0, 0.0),
        "FH(0,1)": lambda pair: drift(pair, 0.0, 1.0),
        "Cox": _cox_drift,
        "RMST": others["RMST"],
        "risk at the end": others["risk at the end"],
        "landmark at taper end": lambda pair: drift(pair.after(taper_end)),
    }


def drift(pair: Pair, rho: float = 0.0, gamma: float = 0.0) -> FloatArray:
    """Expected z of a weighted log-rank test (methods G4).

    ``sum w (d_1 - d pi) / sqrt(sum w^2 d pi (1 - pi))`` over days, with pi the share of the second
    arm among those at risk and w the Fleming-Harrington weight of the expected pooled curve.
    """
    total, at_risk = pair.events.sum(axis=-1), pair.at_risk.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(at_risk > 0, pair.at_risk[..., 1] / at_risk, 0.0)
        kept = np.where(at_risk > 0, 1 - total / at_risk, 1.0)
    before = np.concatenate([np.ones((len(kept), 1)), kept.cumprod(axis=1)[:, :-1]], axis=1)
    weight = before**rho * (1 - before) ** gamma
    score = (weight * (pair.events[..., 1] - total * share)).sum(axis=1)
    return _ratio(score, (weight**2 * total * share * (1 - share)).sum(axis=1))


def omnibus_drift(events: FloatArray, at_risk: FloatArray) -> FloatArray:
    """Noncentrality of the log-rank test of all arms from expected counts, shape (trials,)."""
    total = events.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(at_risk / at_risk.sum(axis=-1, keepdims=True))
    score = (events - total * share).sum(axis=1)
    spread = share[..., None] * (np.eye(events.shape[-1]) - share[..., None, :])
    covariance = (total[..., None] * spread).sum(axis=1)
    return _quadratic(score[:, 1:], covariance[:, 1:, 1:])


def _cox_drift(pair: Pair) -> FloatArray:
    flat = np.ones(len(pair.day))
    found = [maximise(d, n, flat, False) for d, n in zip(pair.events, pair.at_risk, strict=True)]
    return np.array([beta * np.sqrt(information) for beta, information in found])
