"""How far does the interval of an estimate reach?"""

from __future__ import annotations

from scipy import stats

from discontinuation.synthesis.heterogeneity import q_statistic
from discontinuation.synthesis.trials import Trials


def hartung_factor(
    trials: Trials, tau2: float, knapp_hartung: bool, truncate: bool
) -> tuple[float, bool]:
    """Return what multiplies the variance, and whether it had to be raised to 1."""
    if not knapp_hartung:
        return 1.0, False
    q = float(q_statistic(trials, tau2)) / trials.df
    return (1.0, True) if truncate and q < 1 else (q, False)


def quantile(confidence: float, df: float) -> float:
    """Return how many standard errors a t interval reaches; infinite `df` is normal."""
    return float(stats.t.isf((1 - confidence) / 2, df))


def two_sided_p(estimate: float, se: float, df: float) -> float:
    """Return the p-value of no effect; NaN for a standard error of 0."""
    return float(2 * stats.t.sf(abs(estimate) / se, df)) if se > 0 else float("nan")
