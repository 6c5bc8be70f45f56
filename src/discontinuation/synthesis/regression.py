"""Do characteristics of the trials explain why their effects differ?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from discontinuation.synthesis.effect import FloatArray, bad_choice, bad_confidence, refuse
from discontinuation.synthesis.heterogeneity import (
    Method,
    estimate_tau2,
    i2_from_q,
    i2_from_tau2,
    q_statistic,
)
from discontinuation.synthesis.interval import hartung_factor, quantile
from discontinuation.synthesis.trials import arrange, as_trials, with_intercept


@dataclass(frozen=True, eq=False)
class MetaRegression:
    """Effects regressed on characteristics of the trials.

    Attributes
    ----------
    names
        ``"intercept"`` and the covariates.
    coefficients, se, lower, upper, p
        One value per name.
    covariance
        Covariance matrix of the coefficients.
    df
        Degrees of freedom of the quantile behind the limits; infinite for a normal one.
    tau2
        Variance between trials that the covariates leave.
    i2
        That variance in percent of the variance the covariates leave.
    r2
        Percentage of the between-trial variance that the covariates take away, not below 0;
        NaN when there was none to begin with, and for ``"common"``.
    qm, qm_df, qm_p
        Wald test of all covariates together: chi-square, or F with Knapp-Hartung, whose
        denominator has `df` degrees of freedom.
    qe, qe_df, qe_p
        Test of the heterogeneity that the covariates leave.
    k
        Number of trials.
    method
        As asked for.
    knapp_hartung, truncated
        Whether the Knapp-Hartung variance was used, and whether its factor was set to 1.
    """

    names: tuple[str, ...]
    coefficients: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    p: FloatArray
    covariance: FloatArray
    df: float
    tau2: float
    i2: float
    r2: float
    qm: float
    qm_df: int
    qm_p: float
    qe: float
    qe_df: int
    qe_p: float
    k: int
    method: Method
    knapp_hartung: bool
    truncated: bool


def meta_regression(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    covariates: npt.ArrayLike | pd.DataFrame,
    method: Method = "REML",
    knapp_hartung: bool = False,
    truncate: bool = True,
    confidence: float = 0.95,
) -> MetaRegression:
    """Regress effects on characteristics of the trials, with residual heterogeneity.

    Parameters
    ----------
    estimates, variances
        As for `pool`, shape (k,).
    covariates
        Characteristics without intercept, shape (k,) or (k, p), k at least p + 2; the columns
        of a frame give the names. Between-trial differences are observational: people were not
        randomised to trials.
    method, knapp_hartung, truncate, confidence
        As for `pool`; Knapp-Hartung uses t and F with k - p - 1 degrees of freedom.

    Returns
    -------
    MetaRegression
        As metafor's ``rma(mods=)``, except that `r2` is NaN, not 0, when the model without
        covariates has tau2 = 0.

    Raises
    ------
    ValueError
        As `pool`, and for covariates that are not finite, have another number of rows, are
        constant or depend on one another, or are too many.

    References
    ----------
    Berkey CS et al. Stat Med 1995;14:395-411; Knapp G, Hartung J. Stat Med 2003;22:2693-2710;
    Raudenbush SW, in Cooper H et al. (eds), Handbook of Research Synthesis and Meta-Analysis,
    2nd ed., 2009 (r2).
    """
    y, v, problems = as_trials(estimates, variances)
    x, names, wrong = with_intercept(covariates, len(y))
    problems += wrong + bad_choice("method", method, get_args(Method))
    refuse(problems + bad_confidence(confidence))
    trials = arrange(y, v, x)
    tau2 = estimate_tau2(trials, method)
    hartung = knapp_hartung and method != "common"
    factor, truncated = hartung_factor(trials, tau2, hartung, truncate)
    beta, covariance = _least_squares(y, v + tau2, x)
    covariance = factor * covariance
    se = np.sqrt(np.diag(covariance))
    df = float(trials.df) if hartung else np.inf
    half = quantile(confidence, df) * se
    qm, m, qm_p = _joint_test(beta, covariance, df)
    qe = float(q_statistic(trials, 0.0))
    return MetaRegression(
        names=names,
        coefficients=beta,
        se=se,
        lower=beta - half,
        upper=beta + half,
        p=2 * stats.t.sf(np.abs(beta / se), df),
        covariance=covariance,
        df=df,
        tau2=tau2,
        i2=i2_from_tau2(tau2, trials) if method != "common" else i2_from_q(qe, trials.df),
        r2=_explained(estimate_tau2(arrange(y, v), method), tau2),
        qm=qm,
        qm_df=m,
        qm_p=qm_p,
        qe=qe,
        qe_df=trials.df,
        qe_p=float(stats.chi2.sf(qe, trials.df)),
        k=len(y),
        method=method,
        knapp_hartung=hartung,
        truncated=truncated,
    )


def _least_squares(
    y: FloatArray, variance: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    root_w = 1 / np.sqrt(variance)
    q, r = np.linalg.qr(root_w[:, None] * x)
    inverse = np.linalg.inv(r)
    return inverse @ (q.T @ (root_w * y)), inverse @ inverse.T


def _joint_test(beta: FloatArray, covariance: FloatArray, df: float) -> tuple[float, int, float]:
    """Test all covariates together: by F with a finite `df`, otherwise by chi-square."""
    m = len(beta) - 1
    wald = float(beta[1:] @ np.linalg.solve(covariance[1:, 1:], beta[1:]))
    if np.isinf(df):
        return wald, m, float(stats.chi2.sf(wald, m))
    return wald / m, m, float(stats.f.sf(wald / m, m, df))


def _explained(tau2_without: float, tau2_with: float) -> float:
    if tau2_without == 0:
        return float("nan")
    return max(0.0, 100 * (tau2_without - tau2_with) / tau2_without)
