"""Pooling effects across trials.

Every random-effects estimator here is a root of an equation in tau2. With the weights
``w = 1 / (v + tau2)`` and the design matrix X, all of those equations are built from one matrix,
``P = W - W X (X'WX)^-1 X'W``, and P is kept as ``B B'``: sums of squares of B never cancel, so
the equations hold to rounding error however unequal the variances are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, stats

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

Method = Literal["REML", "DL", "PM", "common"]
Prediction = Literal["t_k-1", "t_k-2", "z"]
Measure = Literal["OR", "RR", "RD"]

# Finest bracket that brentq accepts: roots are then exact to the last digit or two.
_ROOT = {"xtol": np.finfo(float).tiny, "rtol": 4 * np.finfo(float).eps, "maxiter": 1000}


@dataclass(frozen=True, eq=False)
class PooledEffect:
    """One effect from several trials.

    Attributes
    ----------
    estimate, se, lower, upper
        Pooled effect, its standard error and confidence limits, on the scale of the input.
    df
        Degrees of freedom of the t quantile behind the limits; infinite for a normal one.
    p
        Two-sided p-value of no effect; NaN if the standard error is 0.
    tau2, tau2_lower, tau2_upper
        Between-trial variance and its Q-profile limits; 0 and NaN for ``"common"``.
    i2, i2_lower, i2_upper
        Percentage of the variance that is between trials: ``tau2 / (tau2 + typical v)`` with the
        limits of tau2 put in, or ``(Q - df) / Q``, not below 0 and without limits, for
        ``"common"``.
    i2_q
        ``(Q - df) / Q`` in percent, not below 0, whatever the method.
    q, q_df, q_p
        Cochran's heterogeneity statistic, its degrees of freedom and p-value.
    prediction_lower, prediction_upper
        Limits for the effect in a new trial; NaN below three trials and for ``"common"``.
    k
        Number of trials.
    method, prediction, confidence
        As asked for.
    knapp_hartung
        Whether the Knapp-Hartung variance was used.
    truncated
        Whether its factor fell below 1 and was set to 1.
    weights
        Weight of each trial, adding up to 1, in the order of the input.
    """

    estimate: float
    se: float
    lower: float
    upper: float
    df: float
    p: float
    tau2: float
    tau2_lower: float
    tau2_upper: float
    i2: float
    i2_lower: float
    i2_upper: float
    i2_q: float
    q: float
    q_df: int
    q_p: float
    prediction_lower: float
    prediction_upper: float
    k: int
    method: Method
    prediction: Prediction
    confidence: float
    knapp_hartung: bool
    truncated: bool
    weights: FloatArray


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


@dataclass(frozen=True, eq=False)
class _Trials:
    """Estimates, variances and design in order of increasing variance.

    The order keeps the orthogonal factorisation accurate row by row, and it does not depend on
    tau2. The estimates are measured from their median, which loses no digits and leaves P y as
    it is.
    """

    y: FloatArray
    v: FloatArray
    x: FloatArray
    spread: float  # sum of squared residuals with equal weights

    @property
    def df(self) -> int:
        return int(self.x.shape[0] - self.x.shape[1])


def _trials(y: FloatArray, v: FloatArray, x: FloatArray | None = None) -> _Trials:
    x = np.ones((len(y), 1)) if x is None else x
    order = np.argsort(v, kind="stable")
    centred, design = (y - np.median(y))[order], x[order]
    q = np.linalg.qr(design).Q
    residual = centred - q @ (q.T @ centred)
    return _Trials(centred, v[order], design, float(residual @ residual))


def _root_of_p(trials: _Trials, tau2: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Factorise P as B B'.

    Returns
    -------
    b
        Shape (..., k, k - p) for `tau2` of shape (...).
    log_det
        ``log det X'WX``, shape (...).
    """
    root_w = 1 / np.sqrt(trials.v + np.asarray(tau2)[..., None])
    q, r = np.linalg.qr(root_w[..., None] * trials.x, mode="complete")
    p = trials.x.shape[1]
    diagonal = np.diagonal(r, axis1=-2, axis2=-1)
    return root_w[..., None] * q[..., p:], 2 * np.log(np.abs(diagonal)).sum(axis=-1)


def _q(trials: _Trials, tau2: npt.ArrayLike) -> FloatArray:
    """Return the generalised Q statistic y'Py."""
    b, _ = _root_of_p(trials, tau2)
    q: FloatArray = ((trials.y @ b) ** 2).sum(axis=-1)
    return q


def _score(trials: _Trials, tau2: npt.ArrayLike) -> FloatArray:
    """Return the derivative of the restricted log-likelihood, (y'PPy - tr P) / 2."""
    b, _ = _root_of_p(trials, tau2)
    p_y = (b @ (trials.y @ b)[..., None])[..., 0]
    score: FloatArray = ((p_y**2).sum(axis=-1) - (b**2).sum(axis=(-2, -1))) / 2
    return score


def _restricted_loglik(trials: _Trials, tau2: float) -> float:
    b, log_det = _root_of_p(trials, tau2)
    quadratic = ((trials.y @ b) ** 2).sum()
    return float(-(np.log(trials.v + tau2).sum() + log_det + quadratic) / 2)


def _trace_p(trials: _Trials) -> float:
    """Return tr P at tau2 = 0; (k - p) over it is the typical sampling variance."""
    b, _ = _root_of_p(trials, 0.0)
    return float((b**2).sum())


def _dersimonian_laird(trials: _Trials) -> float:
    return max(0.0, (float(_q(trials, 0.0)) - trials.df) / _trace_p(trials))


def _solve_q(trials: _Trials, target: float) -> float:
    """Return the tau2 at which the generalised Q equals `target`, or 0 if it is below there."""
    if float(_q(trials, 0.0)) <= target:
        return 0.0
    # Q falls with tau2 and stays below spread / tau2, so the root lies below spread / target;
    # twice that leaves room for rounding.
    return _root(lambda tau2: float(_q(trials, tau2)) - target, 0.0, 2 * trials.spread / target)


def _paule_mandel(trials: _Trials) -> float:
    return _solve_q(trials, trials.df)


def _reml(trials: _Trials) -> float:
    """Return the tau2 with the highest restricted likelihood.

    In the eigenvectors of the error contrasts the score is a sum of terms with the signs of
    ``u_j^2 - l_j - tau2``, where the u_j^2 add up to the spread and no l_j is below the least
    variance. So every stationary point is below spread - min(v), and the ones there are show
    up as changes of sign on a grid that is fine on the scale of ``tau2 + v``.
    """
    least = float(trials.v[0])
    highest = trials.spread - least
    if highest <= 0:
        return 0.0
    grid = np.concatenate([[0.0], _ratio_grid(min(1e-3 * least, highest), highest)])
    score = _score(trials, grid)
    maxima = [0.0] if score[0] <= 0 else []
    for i in np.flatnonzero((score[:-1] > 0) & (score[1:] <= 0)):
        maxima.append(_root(lambda tau2: float(_score(trials, tau2)), grid[i], grid[i + 1]))
    return max(maxima, key=lambda tau2: _restricted_loglik(trials, tau2))


def _ratio_grid(low: float, high: float, ratio: float = 1.25) -> FloatArray:
    """Return points in steps of `ratio`, from `low` to at least one step beyond `high`."""
    steps = int(np.ceil(np.log(high / low) / np.log(ratio))) + 1
    grid: FloatArray = low * ratio ** np.arange(steps + 1, dtype=float)
    return grid


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(function, low, high, **_ROOT))


def _common(trials: _Trials) -> float:
    return 0.0


_TAU2: dict[str, Callable[[_Trials], float]] = {
    "REML": _reml,
    "DL": _dersimonian_laird,
    "PM": _paule_mandel,
    "common": _common,
}


def as_trials(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    minimum: int = 2,
    purpose: str = "pooling (one trial is not pooled)",
) -> tuple[FloatArray, FloatArray, list[str]]:
    """Return effects and variances as arrays, and a sentence for each thing wrong with them."""
    y, v = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    problems = bad_values("estimates", y, np.isfinite(y), "finite")
    problems += bad_values("variances", v, np.isfinite(v) & (v > 0), "finite and greater than 0")
    if y.ndim != 1 or y.shape != v.shape:
        problems.append(
            "estimates and variances must be two sequences of the same length, "
            f"but their shapes are {y.shape} and {v.shape}"
        )
    elif len(y) < minimum:
        problems.append(f"{purpose} needs at least {minimum} trials, but there are {len(y)}")
    return y, v, problems


def _design(
    covariates: npt.ArrayLike | pd.DataFrame, k: int
) -> tuple[FloatArray, tuple[str, ...], list[str]]:
    """Put an intercept before the covariates; return names and problems too."""
    frame = covariates if isinstance(covariates, pd.DataFrame) else None
    values = np.asarray(covariates, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) != k:
        shape = f"covariates must have one row per trial ({k}), but their shape is {values.shape}"
        return np.ones((k, 1)), ("intercept",), [shape]
    labels = [f"x{j + 1}" for j in range(values.shape[1])] if frame is None else frame.columns
    x = np.column_stack([np.ones(k), values])
    problems = bad_values("covariates", values, np.isfinite(values), "finite")
    if not problems:
        problems = _bad_design(x)
    return x, ("intercept", *map(str, labels)), problems


def _bad_design(x: FloatArray) -> list[str]:
    k, p = x.shape
    if k <= p:
        return [f"{p} coefficients need at least {p + 1} trials, but there are {k}"]
    # Rank is judged on centred and scaled columns: units must not decide it.
    centred = x[:, 1:] - x[:, 1:].mean(axis=0)
    scale = np.linalg.norm(centred, axis=0)
    size = np.linalg.norm(x[:, 1:], axis=0)
    constant = scale <= 1e-12 * size
    if constant.any() or np.linalg.matrix_rank(centred / scale, tol=1e-10) < p - 1:
        return ["covariates must not be constant or combinations of one another"]
    return []


def generalised_q(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    tau2: float,
    covariates: npt.ArrayLike | pd.DataFrame | None = None,
) -> float:
    """Evaluate the generalised Q statistic, whose root is the Paule-Mandel estimate.

    Parameters
    ----------
    estimates, variances
        Effects and sampling variances, shape (k,).
    tau2
        Between-trial variance at which to evaluate, at least 0; 0 gives Cochran's Q.
    covariates
        Design without intercept, shape (k, p); none means one common mean.

    Returns
    -------
    float
        Sum of ``(y - fitted)**2 / (v + tau2)``.

    Raises
    ------
    ValueError
        As `pool`, and for a tau2 that is negative or not finite.

    References
    ----------
    Paule RC, Mandel J. J Res Natl Bur Stand 1982;87:377-385; Viechtbauer W. Stat Med
    2007;26:37-52.
    """
    return float(_q(_checked(estimates, variances, tau2, covariates), tau2))


def reml_score(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    tau2: float,
    covariates: npt.ArrayLike | pd.DataFrame | None = None,
) -> float:
    """Evaluate the derivative of the restricted log-likelihood with respect to tau2.

    Parameters
    ----------
    estimates, variances, tau2, covariates
        As for `generalised_q`.

    Returns
    -------
    float
        ``(y'PPy - tr P) / 2``: zero at a REML estimate inside the parameter space, not positive
        at an estimate of 0.

    Raises
    ------
    ValueError
        As `generalised_q`.

    References
    ----------
    Harville DA. J Am Stat Assoc 1977;72:320-338; Viechtbauer W. J Educ Behav Stat
    2005;30:261-293.
    """
    return float(_score(_checked(estimates, variances, tau2, covariates), tau2))


def _checked(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    tau2: float,
    covariates: npt.ArrayLike | pd.DataFrame | None,
) -> _Trials:
    y, v, problems = as_trials(estimates, variances)
    level = np.asarray(tau2, dtype=float)
    problems += bad_values("tau2", level, np.isfinite(level) & (level >= 0), "finite, at least 0")
    x = None
    if covariates is not None:
        x, _, wrong = _design(covariates, len(y))
        problems += wrong
    refuse(problems)
    return _trials(y, v, x)


def _hartung_factor(
    trials: _Trials, tau2: float, knapp_hartung: bool, truncate: bool
) -> tuple[float, bool]:
    """Return what multiplies the variance, and whether it had to be raised to 1."""
    if not knapp_hartung:
        return 1.0, False
    q = float(_q(trials, tau2)) / trials.df
    return (1.0, True) if truncate and q < 1 else (q, False)


def _quantile(confidence: float, df: float) -> float:
    return float(stats.t.isf((1 - confidence) / 2, df))


def _two_sided_p(estimate: float, se: float, df: float) -> float:
    return float(2 * stats.t.sf(abs(estimate) / se, df)) if se > 0 else float("nan")


def _i2(tau2: float, trials: _Trials) -> float:
    typical = trials.df / _trace_p(trials)
    return 100 * tau2 / (tau2 + typical)


def _i2_from_q(q: float, df: int) -> float:
    return 100 * (q - df) / q if q > df else 0.0


def _q_profile(trials: _Trials, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    lower = _solve_q(trials, float(stats.chi2.isf(tail, trials.df)))
    return lower, _solve_q(trials, float(stats.chi2.ppf(tail, trials.df)))


def _prediction_df(prediction: Prediction, k: int) -> float:
    return {"t_k-1": k - 1.0, "t_k-2": k - 2.0, "z": np.inf}[prediction]


def pool(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    method: Method = "REML",
    knapp_hartung: bool = True,
    truncate: bool = True,
    prediction: Prediction = "t_k-1",
    confidence: float = 0.95,
) -> PooledEffect:
    """Pool effects by inverse variance.

    Parameters
    ----------
    estimates
        One effect per trial, shape (k,), k at least 2, on the scale on which they are normal.
    variances
        Their sampling variances, greater than 0.
    method
        Estimator of the between-trial variance tau2: ``"REML"`` (restricted maximum likelihood,
        the highest of its maxima), ``"DL"`` (DerSimonian-Laird), ``"PM"`` (Paule-Mandel), or
        ``"common"`` for one effect common to all trials, tau2 = 0.
    knapp_hartung
        Multiply the variance of the estimate by ``q = sum w (y - estimate)**2 / (k - 1)`` and
        use t on k - 1 degrees of freedom. Without it, and always with ``"common"``, the
        interval is normal.
    truncate
        Do not let q fall below 1: otherwise trials that happen to agree give an interval that
        is narrower than if there were no heterogeneity at all.
    prediction
        Quantile of the prediction interval ``estimate +- quantile sqrt(tau2 + se**2)``: t on
        k - 1 or k - 2 degrees of freedom, or normal.
    confidence
        Level of all intervals.

    Returns
    -------
    PooledEffect
        The interval of tau2 is the Q-profile interval; both its ends are 0 if even Q at
        tau2 = 0 is below the lower chi-square quantile.

    Raises
    ------
    ValueError
        Fewer than two trials, columns of unequal length, effects that are not finite, variances
        that are not finite and positive, an unknown method or prediction, a level outside
        (0, 1). All of them are named at once, with the positions of the values.

    References
    ----------
    Viechtbauer W. J Educ Behav Stat 2005;30:261-293 (REML); DerSimonian R, Laird N. Control
    Clin Trials 1986;7:177-188; Paule RC, Mandel J. J Res Natl Bur Stand 1982;87:377-385;
    Hartung J, Knapp G. Stat Med 2001;20:3875-3889; Rover C et al. BMC Med Res Methodol
    2015;15:99 (truncation); Viechtbauer W. Stat Med 2007;26:37-52 (Q-profile); Higgins JPT,
    Thompson SG. Stat Med 2002;21:1539-1558 (I2, typical variance); Higgins JPT, Thompson SG,
    Spiegelhalter DJ. J R Stat Soc A 2009;172:137-159 (prediction with k - 2).
    """
    y, v, problems = as_trials(estimates, variances)
    problems += bad_choice("method", method, get_args(Method))
    problems += bad_choice("prediction", prediction, get_args(Prediction))
    refuse(problems + bad_confidence(confidence))
    trials, k = _trials(y, v), len(y)
    random = method != "common"
    tau2 = _TAU2[method](trials)
    estimate, weights, variance = _weighted_mean(y, v, tau2)
    hartung = knapp_hartung and random
    factor, truncated = _hartung_factor(trials, tau2, hartung, truncate)
    se = float(np.sqrt(factor * variance))
    df = k - 1.0 if hartung else np.inf
    half = _quantile(confidence, df) * se
    ahead = np.nan
    if random and k >= 3:
        ahead = _quantile(confidence, _prediction_df(prediction, k)) * np.sqrt(tau2 + se**2)
    lower, upper = _q_profile(trials, confidence) if random else (np.nan, np.nan)
    q = float(_q(trials, 0.0))
    return PooledEffect(
        estimate=estimate,
        se=se,
        lower=estimate - half,
        upper=estimate + half,
        df=df,
        p=_two_sided_p(estimate, se, df),
        tau2=tau2,
        tau2_lower=lower,
        tau2_upper=upper,
        i2=_i2(tau2, trials) if random else _i2_from_q(q, k - 1),
        i2_lower=_i2(lower, trials),
        i2_upper=_i2(upper, trials),
        i2_q=_i2_from_q(q, k - 1),
        q=q,
        q_df=k - 1,
        q_p=float(stats.chi2.sf(q, k - 1)),
        prediction_lower=float(estimate - ahead),
        prediction_upper=float(estimate + ahead),
        k=k,
        method=method,
        prediction=prediction,
        confidence=confidence,
        knapp_hartung=hartung,
        truncated=truncated,
        weights=weights,
    )


def _weighted_mean(y: FloatArray, v: FloatArray, tau2: float) -> tuple[float, FloatArray, float]:
    """Return the mean, the weights that add up to 1, and the variance 1 / sum w."""
    w = 1 / (v + tau2)
    total = w.sum()
    centre = np.median(y)
    return float(centre + (w * (y - centre)).sum() / total), w / total, float(1 / total)


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
    x, names, wrong = _design(covariates, len(y))
    problems += wrong + bad_choice("method", method, get_args(Method))
    refuse(problems + bad_confidence(confidence))
    trials = _trials(y, v, x)
    tau2 = _TAU2[method](trials)
    hartung = knapp_hartung and method != "common"
    factor, truncated = _hartung_factor(trials, tau2, hartung, truncate)
    beta, covariance = _least_squares(y, v + tau2, x)
    covariance = factor * covariance
    se = np.sqrt(np.diag(covariance))
    df = float(trials.df) if hartung else np.inf
    half = _quantile(confidence, df) * se
    m = x.shape[1] - 1
    wald = float(beta[1:] @ np.linalg.solve(covariance[1:, 1:], beta[1:]))
    qm = wald / m if hartung else wald
    qe = float(_q(trials, 0.0))
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
        i2=_i2(tau2, trials) if method != "common" else _i2_from_q(qe, trials.df),
        r2=_explained(_TAU2[method](_trials(y, v)), tau2),
        qm=qm,
        qm_df=m,
        qm_p=float(stats.f.sf(qm, m, df) if hartung else stats.chi2.sf(qm, m)),
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


def _explained(tau2_without: float, tau2_with: float) -> float:
    if tau2_without == 0:
        return float("nan")
    return max(0.0, 100 * (tau2_without - tau2_with) / tau2_without)


_TABLE_EFFECT = {"OR": odds_ratio, "RR": risk_ratio, "RD": risk_difference}


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
    half = _quantile(confidence, np.inf) * se
    several = k_informative > 1
    return StratifiedEffect(
        estimate=estimate,
        se=se,
        lower=estimate - half,
        upper=estimate + half,
        p=_two_sided_p(estimate, se, np.inf),
        q=q if several else 0.0,
        q_df=max(k_informative - 1, 0),
        q_p=float(stats.chi2.sf(q, k_informative - 1)) if several else 1.0,
        k=k,
        k_informative=k_informative,
        measure=measure,
    )
