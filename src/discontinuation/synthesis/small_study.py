"""Do small trials differ from large ones, and does one trial carry the result?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import stats

from discontinuation.synthesis.effect import FloatArray, bad_choice, refuse
from discontinuation.synthesis.heterogeneity import Method
from discontinuation.synthesis.pooling import PooledEffect, pool
from discontinuation.synthesis.regression import meta_regression
from discontinuation.synthesis.trials import as_trials

Side = Literal["left", "right"]


@dataclass(frozen=True)
class Egger:
    """Egger's test of funnel-plot asymmetry.

    Attributes
    ----------
    t, df, p
        Test of `slope` = 0, two-sided.
    slope, slope_se
        Change of the effect per unit of standard error; the asymmetry.
    intercept, intercept_se
        Effect where the standard error is 0.
    k
        Number of trials.
    """

    t: float
    df: int
    p: float
    slope: float
    slope_se: float
    intercept: float
    intercept_se: float
    k: int


@dataclass(frozen=True, eq=False)
class TrimAndFill:
    """Trials that symmetry would add, and the result with them.

    Attributes
    ----------
    k0, k0_se
        Number of trials filled in, and the standard error of that number before rounding.
    side
        Side of the funnel on which they are missing.
    filled_estimates, filled_variances
        The trials filled in, shape (k0,).
    pooled
        Result with them.
    """

    k0: int
    k0_se: float
    side: Side
    filled_estimates: FloatArray
    filled_variances: FloatArray
    pooled: PooledEffect


@dataclass(frozen=True, eq=False)
class Influence:
    """How each trial stands out from the others, arrays of shape (k,).

    Attributes
    ----------
    studentised
        Residual of the trial from the result without it, over the standard error of that.
    dffits
        Change of the estimate on leaving the trial out, in standard errors.
    cooks_distance
        The same change squared, over the variance of the full estimate.
    hat
        Share of the weight.
    tau2_without, q_without
        tau2 and Cochran's Q without the trial.
    q_share
        Baujat plot, horizontal: squared residual over its variance, ``v + tau2``.
    shift
        Baujat plot, vertical: squared change of the estimate over the variance of the
        estimate without the trial.
    """

    studentised: FloatArray
    dffits: FloatArray
    cooks_distance: FloatArray
    hat: FloatArray
    tau2_without: FloatArray
    q_without: FloatArray
    q_share: FloatArray
    shift: FloatArray


def egger(estimates: npt.ArrayLike, variances: npt.ArrayLike, minimum: int = 10) -> Egger:
    """Test whether effects depend on their standard errors.

    Parameters
    ----------
    estimates, variances
        Effects and sampling variances, shape (k,).
    minimum
        Fewest trials for which the test is worth doing; below ten it hardly ever detects an
        asymmetry. Three are needed for the arithmetic.

    Returns
    -------
    Egger
        From the regression of effects on standard errors with weights 1/v and a free residual
        variance, which is the regression of ``y / se`` on ``1 / se`` with the coefficients
        swapped (metafor's ``regtest(model="lm")``).

    Raises
    ------
    ValueError
        Fewer trials than `minimum`, trials that are all equally precise, or as `pool`.

    References
    ----------
    Egger M et al. BMJ 1997;315:629-634; Sterne JAC et al. BMJ 2011;343:d4002 (ten trials).
    """
    y, v, problems = as_trials(estimates, variances, max(minimum, 3), "Egger's test")
    refuse(problems)
    fit = meta_regression(y, v, _standard_errors(v), method="common")
    df = fit.qe_df
    scale = float(np.sqrt(fit.qe / df))
    intercept, slope = map(float, fit.coefficients)
    intercept_se, slope_se = (scale * float(s) for s in fit.se)
    t = slope / slope_se
    p = float(2 * stats.t.sf(abs(t), df))
    return Egger(t, df, p, slope, slope_se, intercept, intercept_se, len(y))


def _standard_errors(v: FloatArray) -> FloatArray:
    se = np.sqrt(v)
    if np.ptp(se) <= 1e-12 * np.max(se):
        raise ValueError("trials that are all equally precise cannot show a small-study effect.")
    return se


def trim_and_fill(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    method: Method = "REML",
    side: Side | None = None,
    knapp_hartung: bool = False,
    truncate: bool = True,
    confidence: float = 0.95,
) -> TrimAndFill:
    """Fill in the mirror images of the trials that make the funnel asymmetric.

    Parameters
    ----------
    estimates, variances
        Effects and sampling variances, shape (k,), k at least 3.
    method, knapp_hartung, truncate, confidence
        As for `pool`; without Knapp-Hartung unless asked, as metafor's ``trimfill``.
    side
        Side on which trials are missing. By default the one that a regression on the standard
        error points to: the right if effects fall with it, otherwise the left.

    Returns
    -------
    TrimAndFill
        With the estimator L0 of the number of missing trials. It shows how sensitive the result
        is to asymmetry; the filled trials are not data.

    Raises
    ------
    ValueError
        Fewer than three trials, an unknown side, or as `pool`.
    ArithmeticError
        If trimming does not settle.

    References
    ----------
    Duval S, Tweedie R. J Am Stat Assoc 2000;95:89-98, and Biometrics 2000;56:455-463.
    """
    y, v, problems = as_trials(estimates, variances, 3, "trim and fill")
    if side is not None:
        problems += bad_choice("side", side, get_args(Side))
    refuse(problems)
    options: dict[str, Any] = {
        "method": method,
        "knapp_hartung": knapp_hartung,
        "truncate": truncate,
        "confidence": confidence,
    }
    whole = pool(y, v, **options)
    chosen: Side = _missing_side(y, v, method) if side is None else side
    sign = -1.0 if chosen == "right" else 1.0
    order = np.argsort(sign * y, kind="stable")
    k0, k0_se, centre = _trim(sign * y[order], v[order], method)
    extreme = order[len(y) - k0 :]
    filled = sign * (2 * centre - sign * y[extreme])
    pooled = whole
    if k0 > 0:
        pooled = pool(np.append(y, filled), np.append(v, v[extreme]), **options)
    return TrimAndFill(k0, k0_se, chosen, filled, v[extreme], pooled)


def _missing_side(y: FloatArray, v: FloatArray, method: Method) -> Side:
    slope = meta_regression(y, v, _standard_errors(v), method=method).coefficients[1]
    return "right" if slope < 0 else "left"


def _centre(y: FloatArray, v: FloatArray, method: Method) -> float:
    return pool(y, v, method=method).estimate if len(y) > 1 else float(y[0])


def _trim(y: FloatArray, v: FloatArray, method: Method) -> tuple[int, float, float]:
    """Trim from the right, where `y` ends, until the number to trim stays the same.

    Returns
    -------
    tuple
        Number of missing trials, its standard error and the centre of the trimmed funnel.
    """
    k0 = 0
    for _ in range(100):
        centre = _centre(y[: len(y) - k0], v[: len(y) - k0], method)
        found, se = _l0(y - centre)
        if found == k0:
            return k0, se, centre
        k0 = found
    raise ArithmeticError("trim and fill did not settle on a number of missing trials.")


def _l0(deviations: FloatArray) -> tuple[int, float]:
    """Estimate the number of missing trials from the signed ranks, with its standard error."""
    k = len(deviations)
    ranks = np.empty(k)
    ranks[np.argsort(np.abs(deviations), kind="stable")] = np.arange(1, k + 1)
    rank_sum = ranks[deviations > 0].sum()
    l0 = (4 * rank_sum - k * (k + 1)) / (2 * k - 1)
    variance = (
        k * (k + 1) * (2 * k + 1)
        + 10 * l0**3
        + 27 * l0**2
        + 17 * l0
        - 18 * k * l0**2
        - 18 * k * l0
        + 6 * k**2 * l0
    ) / 24
    # The variance is an approximation and negative for some l0 far below 0.
    se = 4 * np.sqrt(variance) / (2 * k - 1) if variance >= 0 else np.nan
    return max(0, round(l0)), float(se)


def leave_one_out(
    estimates: npt.ArrayLike, variances: npt.ArrayLike, **options: Any
) -> tuple[PooledEffect, ...]:
    """Pool the trials again without each one in turn.

    Parameters
    ----------
    estimates, variances
        Effects and sampling variances, shape (k,), k at least 3.
    **options
        As for `pool`.

    Returns
    -------
    tuple of PooledEffect
        One result per trial left out, in the order of the input.

    Raises
    ------
    ValueError
        Fewer than three trials, or as `pool`.
    """
    y, v, problems = as_trials(estimates, variances, 3, "leaving one out")
    refuse(problems)
    return tuple(pool(y[rest], v[rest], **options) for rest in ~np.eye(len(y), dtype=bool))


def influence(
    estimates: npt.ArrayLike, variances: npt.ArrayLike, method: Method = "REML"
) -> Influence:
    """Measure how much each trial deviates from the others and moves the result.

    Parameters
    ----------
    estimates, variances
        Effects and sampling variances, shape (k,), k at least 3.
    method
        As for `pool`; normal standard errors, without Knapp-Hartung.

    Returns
    -------
    Influence
        As metafor's ``influence`` and ``baujat``.

    Raises
    ------
    ValueError
        As `leave_one_out`.

    References
    ----------
    Viechtbauer W, Cheung MWL. Res Synth Methods 2010;1:112-125; Baujat B et al. Stat Med
    2002;21:2641-2652.
    """
    without = leave_one_out(estimates, variances, method=method, knapp_hartung=False)
    full = pool(estimates, variances, method=method, knapp_hartung=False)
    y, v = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    centre = np.array([result.estimate for result in without])
    se = np.array([result.se for result in without])
    tau2 = np.array([result.tau2 for result in without])
    moved = full.estimate - centre
    return Influence(
        studentised=(y - centre) / np.sqrt(v + tau2 + se**2),
        dffits=moved / np.sqrt(full.weights * (v + tau2)),
        cooks_distance=(moved / full.se) ** 2,
        hat=full.weights,
        tau2_without=tau2,
        q_without=np.array([result.q for result in without]),
        q_share=(y - full.estimate) ** 2 / (v + full.tau2),
        shift=(moved / se) ** 2,
    )
