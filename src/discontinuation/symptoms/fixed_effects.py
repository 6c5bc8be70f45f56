"""What do the fixed effects of a mixed model, and sums of them, amount to?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from discontinuation.symptoms.design import Design
from discontinuation.symptoms.likelihood import FloatArray

FreedomMethod = Literal["satterthwaite", "containment"]


@dataclass(frozen=True, eq=False)
class FixedEffects:
    """Estimated fixed effects and what the degrees of freedom of their sums follow from.

    Attributes
    ----------
    terms
        Names.
    estimates : array of shape (p,)
    covariance : array of shape (p, p)
    method
        How degrees of freedom are found.
    containment : array of shape (p,)
        Degrees of freedom as nlme counts them.
    d_covariance : array of shape (k, p, p)
        Derivatives of `covariance` by the variance parameters.
    parameters : array of shape (k, k)
        Asymptotic covariance of the variance parameters.
    """

    terms: tuple[str, ...]
    estimates: FloatArray
    covariance: FloatArray
    method: FreedomMethod
    containment: FloatArray
    d_covariance: FloatArray
    parameters: FloatArray

    def degrees_of_freedom(self, weights: FloatArray) -> float:
        """Degrees of freedom of one weighted sum, weights of shape (p,)."""
        if self.method == "containment":
            return float(self.containment[weights != 0].min(initial=np.inf))
        variance = weights @ self.covariance @ weights
        slope = self.d_covariance @ weights @ weights
        spread = slope @ self.parameters @ slope
        return float(2 * variance**2 / spread) if spread > 0 else float("inf")

    def sums(self, weights: FloatArray, names: list[str], confidence: float) -> pd.DataFrame:
        """Tabulate weighted sums with t intervals, weights of shape (number, p)."""
        values = weights @ self.estimates
        se = np.sqrt(np.einsum("ij,jk,ik->i", weights, self.covariance, weights))
        df = np.array([self.degrees_of_freedom(row) for row in weights])
        t = np.divide(values, se, out=np.full(len(se), np.nan), where=se > 0)
        half = stats.t.isf((1 - confidence) / 2, df) * se
        return pd.DataFrame(
            {
                "term": names,
                "estimate": values,
                "se": se,
                "df": df,
                "t": t,
                "p": 2 * stats.t.sf(np.abs(t), df),
                "lower": values - half,
                "upper": values + half,
            }
        )


def containment(design: Design) -> FloatArray:
    """Count the degrees of freedom of each fixed effect as nlme does.

    Parameters
    ----------
    design
        The measurements.

    Returns
    -------
    array of shape (p,)
        Measurements less people less columns that vary within people, for those columns; people
        less columns that do not, for the others; the larger of both for the intercept; without
        random effects measurements less columns (Pinheiro & Bates 2000, section 2.4.2).
    """
    n, p, q = design.rows.shape
    if not q:
        return np.full(p, float(n - p))
    people, within = len(design.people), np.array(design.within)
    constant = np.array(design.constant)
    intercept = bool(constant.any())
    inner = n - people - int(within.sum()) + (not intercept)
    outer = people - int((~within & ~constant).sum()) - intercept
    freedom = np.where(within, inner, outer)
    return np.where(constant, max(inner, outer), freedom).astype(float)
