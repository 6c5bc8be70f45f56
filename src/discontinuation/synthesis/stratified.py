"""What effect do the 2 x 2 tables of several trials share?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import stats

from discontinuation.synthesis.counts import (
    odds_ratio,
    risk_difference,
    risk_ratio,
    two_by_two,
)
from discontinuation.synthesis.effect import (
    FloatArray,
    bad_choice,
    bad_confidence,
    bad_values,
    refuse,
)
from discontinuation.synthesis.interval import quantile, two_sided_p

Measure = Literal["OR", "RR", "RD"]

_TABLE_EFFECT = {"OR": odds_ratio, "RR": risk_ratio, "RD": risk_difference}


@dataclass(frozen=True)
class StratifiedEffect:
    """A common effect from the 2 x 2 tables of several trials.

    Attributes
    ----------
    estimate, se, lower, upper
        Log ratio, or difference for ``"RD"``, with its standard error and normal limits. NaN
        when the trials together have no events, or nothing else, in an arm that needs them.
    p
        Two-sided p-value of no effect.
    q, q_df, q_p
        Heterogeneity statistic, its degrees of freedom and p-value.
    k
        Number of trials.
    k_informative
        Trials with an effect of their own, the ones that count in `q_df`.
    measure
        ``"OR"``, ``"RR"``, ``"RD"`` or ``"Peto OR"``.
    """

    estimate: float
    se: float
    lower: float
    upper: float
    p: float
    q: float
    q_df: int
    q_p: float
    k: int
    k_informative: int
    measure: str


def mantel_haenszel(
    events_a: npt.ArrayLike,
    n_a: npt.ArrayLike,
    events_b: npt.ArrayLike,
    n_b: npt.ArrayLike,
    measure: Measure = "OR",
    confidence: float = 0.95,
) -> StratifiedEffect:
    """Pool 2 x 2 tables by the method of Mantel and Haenszel, without any correction.

    Parameters
    ----------
    events_a, n_a, events_b, n_b
        Events and people per arm and trial, shape (k,), k at least 2.
    measure
        ``"OR"``, ``"RR"`` (both on the log scale) or ``"RD"``, arm a against arm b.
    confidence
        Level of the normal interval.

    Returns
    -------
    StratifiedEffect
        As metafor's ``rma.mh``. Trials without events in either arm do not move a ratio but
        do count for a difference. The heterogeneity statistic compares the trials' own effects,
        with 1/2 added where a cell is empty, with the pooled one.

    Raises
    ------
    ValueError
        Fewer than two trials, impossible counts, an unknown measure, a level outside (0, 1).

    References
    ----------
    Mantel N, Haenszel W. J Natl Cancer Inst 1959;22:719-748; variances: Robins J, Breslow N,
    Greenland S. Biometrics 1986;42:311-323 (OR), Greenland S, Robins JM. Biometrics
    1985;41:55-68 (RR), Sato T. Biometrics 1989;45:1323-1324 (RD).
    """
    refuse(bad_choice("measure", measure, get_args(Measure)) + bad_confidence(confidence))
    a, b, c, d = _tables(events_a, n_a, events_b, n_b)
    estimate, variance = _MANTEL_HAENSZEL[measure](a, b, c, d)
    own = _TABLE_EFFECT[measure](a, a + b, c, c + d, "add_half_if_zero")
    one_sided = ((a == 0) & (c == 0)) | ((b == 0) & (d == 0))
    residual = (np.asarray(own.estimate) - estimate)[~one_sided]
    q = float((residual**2 / np.asarray(own.variance)[~one_sided]).sum())
    return _stratified(estimate, variance, q, len(a), int((~one_sided).sum()), measure, confidence)


def _mantel_haenszel_or(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> tuple[float, float]:
    n = a + b + c + d
    p, q = (a + d) / n, (b + c) / n
    r, s = a * d / n, b * c / n
    total_r, total_s = r.sum(), s.sum()
    if total_r == 0 or total_s == 0:
        return np.nan, np.nan
    variance = (
        (p * r).sum() / total_r**2
        + (p * s + q * r).sum() / (total_r * total_s)
        + (q * s).sum() / total_s**2
    ) / 2
    return float(np.log(total_r) - np.log(total_s)), float(variance)


def _mantel_haenszel_rr(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> tuple[float, float]:
    n1, n2 = a + b, c + d
    n = n1 + n2
    r, s = (a * n2 / n).sum(), (c * n1 / n).sum()
    if r == 0 or s == 0:
        return np.nan, np.nan
    variance = (n1 * n2 * (a + c) / n**2 - a * c / n).sum() / (r * s)
    return float(np.log(r) - np.log(s)), float(variance)


def _mantel_haenszel_rd(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> tuple[float, float]:
    n1, n2 = a + b, c + d
    n = n1 + n2
    weight = (n1 * n2 / n).sum()
    estimate = ((a * n2 - c * n1) / n).sum() / weight
    first = (c * (n1 / n) ** 2 - a * (n2 / n) ** 2 + n1 * n2 * (n2 - n1) / (2 * n**2)).sum()
    second = ((a * d + c * b) / n).sum() / 2
    return float(estimate), float((estimate * first + second) / weight**2)


_MANTEL_HAENSZEL = {
    "OR": _mantel_haenszel_or,
    "RR": _mantel_haenszel_rr,
    "RD": _mantel_haenszel_rd,
}


def peto(
    events_a: npt.ArrayLike,
    n_a: npt.ArrayLike,
    events_b: npt.ArrayLike,
    n_b: npt.ArrayLike,
    confidence: float = 0.95,
) -> StratifiedEffect:
    """Pool log odds ratios by Peto's one-step method.

    Parameters
    ----------
    events_a, n_a, events_b, n_b
        Events and people per arm and trial, shape (k,), k at least 2.
    confidence
        Level of the normal interval.

    Returns
    -------
    StratifiedEffect
        As metafor's ``rma.peto``. Meant for rare events, small effects and arms of similar
        size; elsewhere it is biased.

    Raises
    ------
    ValueError
        Fewer than two trials, impossible counts, a trial with a single person, a level outside
        (0, 1).

    References
    ----------
    Yusuf S et al. Prog Cardiovasc Dis 1985;27:335-371; Greenland S, Salvan A. Stat Med
    1990;9:247-252 (bias).
    """
    refuse(bad_confidence(confidence))
    a, b, c, d = _tables(events_a, n_a, events_b, n_b)
    n1, n2, events = a + b, c + d, a + c
    n = n1 + n2
    refuse(bad_values("n_a + n_b", n, n > 1, "greater than 1"))
    excess = a - events * n1 / n
    v = events * (b + d) * n1 * n2 / (n**2 * (n - 1))
    informative = v > 0
    if not informative.any():
        return _stratified(np.nan, np.nan, 0.0, len(a), 0, "Peto OR", confidence)
    estimate = excess.sum() / v.sum()
    # Equals sum (O - E)^2 / V less its pooled part, but does not cancel.
    q = float((v * (excess / np.where(informative, v, 1) - estimate) ** 2).sum())
    k_informative = int(informative.sum())
    return _stratified(
        float(estimate), float(1 / v.sum()), q, len(a), k_informative, "Peto OR", confidence
    )


def _tables(
    events_a: npt.ArrayLike, n_a: npt.ArrayLike, events_b: npt.ArrayLike, n_b: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    cells = two_by_two(events_a, n_a, events_b, n_b)
    if cells[0].ndim != 1 or len(cells[0]) < 2:
        raise ValueError(
            "events and sizes must be sequences with one value per trial, at least 2 trials "
            f"(one trial is not pooled), but their shape is {cells[0].shape}."
        )
    return cells


def _stratified(
    estimate: float,
    variance: float,
    q: float,
    k: int,
    k_informative: int,
    measure: str,
    confidence: float,
) -> StratifiedEffect:
    se = float(np.sqrt(variance))
    half = quantile(confidence, np.inf) * se
    several = k_informative > 1
    return StratifiedEffect(
        estimate=estimate,
        se=se,
        lower=estimate - half,
        upper=estimate + half,
        p=two_sided_p(estimate, se, np.inf),
        q=q if several else 0.0,
        q_df=max(k_informative - 1, 0),
        q_p=float(stats.chi2.sf(q, k_informative - 1)) if several else 1.0,
        k=k,
        k_informative=k_informative,
        measure=measure,
    )
