"""What is the effect across all trials, and in a new one?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import stats

from discontinuation.synthesis.effect import FloatArray, bad_choice, bad_confidence, refuse
from discontinuation.synthesis.heterogeneity import (
    Method,
    estimate_tau2,
    i2_from_q,
    i2_from_tau2,
    q_profile,
    q_statistic,
)
from discontinuation.synthesis.interval import hartung_factor, quantile, two_sided_p
from discontinuation.synthesis.trials import arrange, as_trials

Prediction = Literal["t_k-1", "t_k-2", "z"]


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
    trials, k = arrange(y, v), len(y)
    random = method != "common"
    tau2 = estimate_tau2(trials, method)
    estimate, weights, variance = _weighted_mean(y, v, tau2)
    hartung = knapp_hartung and random
    factor, truncated = hartung_factor(trials, tau2, hartung, truncate)
    se = float(np.sqrt(factor * variance))
    df = k - 1.0 if hartung else np.inf
    half = quantile(confidence, df) * se
    ahead = _half_prediction(prediction, confidence, k, tau2, se) if random else np.nan
    lower, upper = q_profile(trials, confidence) if random else (np.nan, np.nan)
    q = float(q_statistic(trials, 0.0))
    return PooledEffect(
        estimate=estimate,
        se=se,
        lower=estimate - half,
        upper=estimate + half,
        df=df,
        p=two_sided_p(estimate, se, df),
        tau2=tau2,
        tau2_lower=lower,
        tau2_upper=upper,
        i2=i2_from_tau2(tau2, trials) if random else i2_from_q(q, k - 1),
        i2_lower=i2_from_tau2(lower, trials),
        i2_upper=i2_from_tau2(upper, trials),
        i2_q=i2_from_q(q, k - 1),
        q=q,
        q_df=k - 1,
        q_p=float(stats.chi2.sf(q, k - 1)),
        prediction_lower=estimate - ahead,
        prediction_upper=estimate + ahead,
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


def _half_prediction(
    prediction: Prediction, confidence: float, k: int, tau2: float, se: float
) -> float:
    """Return how far the prediction interval reaches; NaN below three trials."""
    if k < 3:
        return float("nan")
    df = {"t_k-1": k - 1.0, "t_k-2": k - 2.0, "z": np.inf}[prediction]
    return float(quantile(confidence, df) * np.sqrt(tau2 + se**2))
