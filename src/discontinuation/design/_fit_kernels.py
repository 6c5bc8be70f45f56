"""Information of many Cox fits at once, from tables of counts by day and arm."""

from __future__ import annotations

import numpy as np
from numba import njit

from discontinuation.design._daily import FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def efron_information(events: FloatArray, at_risk: FloatArray, beta: FloatArray) -> FloatArray:
    """Information of log hazard ratios against the first arm with Efron's ties.

    Tables have shape (tables, rows, arms), `beta` (tables, arms - 1); the result (tables,
    arms - 1, arms - 1).
    """
    tables, rows, arms = events.shape
    out = np.zeros((tables, arms - 1, arms - 1))
    share = np.empty(arms)
    ratio = np.ones(arms)
    for b in range(tables):
        for g in range(1, arms):
            ratio[g] = np.exp(beta[b, g - 1])
        for j in range(rows):
            d = 0.0
            for g in range(arms):
                d += events[b, j, g]
            for tie in range(round(d)):
                total = 0.0
                for g in range(arms):
                    share[g] = (at_risk[b, j, g] - tie / d * events[b, j, g]) * ratio[g]
                    total += share[g]
                for g in range(1, arms):
                    p = share[g] / total
                    out[b, g - 1, g - 1] += p
                    for h in range(1, arms):
                        out[b, g - 1, h - 1] -= p * share[h] / total
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _moments(
    events: FloatArray, at_risk: FloatArray, first: FloatArray, second: FloatArray, beta: float
) -> tuple[float, float, float, float, float]:
    """Scores of both covariates at (beta, 0), and their information: 11, 12, 22 (Breslow)."""
    rows, arms = events.shape
    u1 = u2 = v11 = v12 = v22 = 0.0
    for j in range(rows):
        d = total = m1 = m2 = m11 = m12 = m22 = 0.0
        for g in range(arms):
            d += events[j, g]
        if d <= 0:
            continue
        for g in range(arms):
            x, y = first[j, g], second[j, g]
            share = at_risk[j, g] * np.exp(beta * x)
            total += share
            m1 += share * x
            m2 += share * y
            m11 += share * x * x
            m12 += share * x * y
            m22 += share * y * y
            u1 += events[j, g] * x
            u2 += events[j, g] * y
        u1 -= d * m1 / total
        u2 -= d * m2 / total
        v11 += d * (m11 / total - (m1 / total) ** 2)
        v12 += d * (m12 / total - m1 * m2 / total**2)
        v22 += d * (m22 / total - (m2 / total) ** 2)
    return u1, u2, v11, v12, v22


@njit(cache=True, nogil=True, error_model="numpy")
def adjusted_scores(
    events: FloatArray, at_risk: FloatArray, first: FloatArray, second: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Score of the second covariate at the maximum in the first, and its efficient variance.

    Tables have shape (tables, rows, arms), the covariates (rows, arms). NaN where there is no
    maximum.
    """
    tables = len(events)
    score, variance = np.full(tables, np.nan), np.full(tables, np.nan)
    for b in range(tables):
        beta = 0.0
        for _ in range(50):
            u1, u2, v11, v12, v22 = _moments(events[b], at_risk[b], first, second, beta)
            if not v11 > 0 or abs(beta) > 15:
                break
            step = min(max(u1 / v11, -1.0), 1.0)
            beta += step
            if abs(step) < 1e-9:
                score[b] = u2
                variance[b] = v22 - v12 * v12 / v11
                break
    return score, variance
