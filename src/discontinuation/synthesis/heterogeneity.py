"""How much do the true effects differ between trials?

Every random-effects estimator here is a root of an equation in tau2. With the weights
``w = 1 / (v + tau2)`` and the design matrix X, all of those equations are built from one matrix,
``P = W - W X (X'WX)^-1 X'W``, and P is kept as ``B B'``: sums of squares of B never cancel, so
the equations hold to rounding error however unequal the variances are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, stats

from discontinuation.synthesis.effect import FloatArray, bad_values, refuse
from discontinuation.synthesis.trials import Trials, arrange, as_trials, with_intercept

Method = Literal["REML", "DL", "PM", "common"]

# Finest bracket that brentq accepts: roots are then exact to the last digit or two.
_ROOT = {"xtol": np.finfo(float).tiny, "rtol": 4 * np.finfo(float).eps, "maxiter": 1000}


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
    return float(q_statistic(_checked(estimates, variances, tau2, covariates), tau2))


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
) -> Trials:
    y, v, problems = as_trials(estimates, variances)
    level = np.asarray(tau2, dtype=float)
    problems += bad_values("tau2", level, np.isfinite(level) & (level >= 0), "finite, at least 0")
    x = None
    if covariates is not None:
        x, _, wrong = with_intercept(covariates, len(y))
        problems += wrong
    refuse(problems)
    return arrange(y, v, x)


def estimate_tau2(trials: Trials, method: Method) -> float:
    """Return the variance between trials; 0 for ``"common"``."""
    return _TAU2[method](trials)


def q_profile(trials: Trials, confidence: float) -> tuple[float, float]:
    """Return the limits of tau2."""
    tail = (1 - confidence) / 2
    lower = _solve_q(trials, float(stats.chi2.isf(tail, trials.df)))
    return lower, _solve_q(trials, float(stats.chi2.ppf(tail, trials.df)))


def i2_from_tau2(tau2: float, trials: Trials) -> float:
    """Return tau2 in percent of itself and the typical sampling variance."""
    typical = trials.df / _trace_p(trials)
    return 100 * tau2 / (tau2 + typical)


def i2_from_q(q: float, df: int) -> float:
    """Return what Cochran's Q has beyond its degrees of freedom, in percent."""
    return 100 * (q - df) / q if q > df else 0.0


def _root_of_p(trials: Trials, tau2: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
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


def q_statistic(trials: Trials, tau2: npt.ArrayLike) -> FloatArray:
    """Return the generalised Q statistic y'Py."""
    b, _ = _root_of_p(trials, tau2)
    q: FloatArray = ((trials.y @ b) ** 2).sum(axis=-1)
    return q


def _score(trials: Trials, tau2: npt.ArrayLike) -> FloatArray:
    """Return the derivative of the restricted log-likelihood, (y'PPy - tr P) / 2."""
    b, _ = _root_of_p(trials, tau2)
    p_y = (b @ (trials.y @ b)[..., None])[..., 0]
    score: FloatArray = ((p_y**2).sum(axis=-1) - (b**2).sum(axis=(-2, -1))) / 2
    return score


def _restricted_loglik(trials: Trials, tau2: float) -> float:
    b, log_det = _root_of_p(trials, tau2)
    quadratic = ((trials.y @ b) ** 2).sum()
    return float(-(np.log(trials.v + tau2).sum() + log_det + quadratic) / 2)


def _trace_p(trials: Trials) -> float:
    """Return tr P at tau2 = 0; (k - p) over it is the typical sampling variance."""
    b, _ = _root_of_p(trials, 0.0)
    return float((b**2).sum())


def _dersimonian_laird(trials: Trials) -> float:
    return max(0.0, (float(q_statistic(trials, 0.0)) - trials.df) / _trace_p(trials))


def _solve_q(trials: Trials, target: float) -> float:
    """Return the tau2 at which the generalised Q equals `target`, or 0 if it is below there."""
    if float(q_statistic(trials, 0.0)) <= target:
        return 0.0
    # Q falls with tau2 and stays below spread / tau2, so the root lies below spread / target;
    # twice that leaves room for rounding.
    return _root(
        lambda tau2: float(q_statistic(trials, tau2)) - target, 0.0, 2 * trials.spread / target
    )


def _paule_mandel(trials: Trials) -> float:
    return _solve_q(trials, trials.df)


def _reml(trials: Trials) -> float:
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


def _common(trials: Trials) -> float:
    return 0.0


_TAU2: dict[str, Callable[[Trials], float]] = {
    "REML": _reml,
    "DL": _dersimonian_laird,
    "PM": _paule_mandel,
    "common": _common,
}
