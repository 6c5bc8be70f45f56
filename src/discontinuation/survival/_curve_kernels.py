"""How are people counted by day and arm, and what follows from the counts? The loops, compiled.

A table has one row per distinct time (per stratum, in order of time within it) and one column per
group: how many leave follow-up then (`leaving`, with or without the event), how many of them with
the event (`events`), and how many are at risk just before (`at_risk`); all sums of case weights.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

inner = njit(nogil=True, error_model="numpy")
compiled = njit(cache=True, nogil=True, error_model="numpy")  # with all that it calls


@compiled
def whole_range(time: FloatArray) -> tuple[bool, float, float]:
    """Whether all times are whole numbers; the smallest and the largest of them if they are."""
    first = last = time[0]
    for one in time:
        if one != np.floor(one):
            return False, first, last
        first = min(first, one)
        last = max(last, one)
    return True, first, last


@compiled
def count(
    row: IntArray, group: IntArray, event: IntArray, weights: FloatArray, rows: int, groups: int
) -> FloatArray:
    """Add up case weights by row and group: all people [0] and those with the event [1].

    `group`, `event` and `weights` may be empty: one group, no event, weight 1.
    """
    out = np.zeros((2, rows, groups))
    for i in range(len(row)):
        weight = weights[i] if len(weights) else 1.0
        column = group[i] if len(group) else 0
        out[0, row[i], column] += weight
        if len(event) and event[i]:
            out[1, row[i], column] += weight
    return out


@compiled
def at_risk(stratum: IntArray, leaving: FloatArray, entered: FloatArray) -> FloatArray:
    """Count those at risk just before each time.

    `entered` counts people in the first row in which they are at risk; without rows: everybody is
    at risk from the beginning.
    """
    rows, groups = leaving.shape
    out = np.empty((rows, groups))
    for g in range(groups):
        after = total = 0.0
        for j in range(rows - 1, -1, -1):
            if j == rows - 1 or stratum[j] != stratum[j + 1]:
                after = total = 0.0
            out[j, g] = after + leaving[j, g]
            total += leaving[j, g]
            after = out[j, g] - (entered[j, g] if len(entered) else 0.0)
            if abs(after) < 1e-12 * total:  # what is left of fractional weights by rounding
                after = 0.0
    return out


@compiled
def product_limit(events: FloatArray, at_risk: FloatArray) -> FloatArray:
    """Follow one group: S [0], sum d / (n (n - d)) [1], sum d / n [2], sum d / n**2 [3]."""
    out = np.empty((4, len(events)))
    survival, greenwood, hazard, variance = 1.0, 0.0, 0.0, 0.0
    for j in range(len(events)):
        d, n = events[j], at_risk[j]
        if d > 0:
            survival *= (n - d) / n
            greenwood += d / (n * (n - d))
            hazard += d / n
            variance += d / (n * n)
        out[0, j], out[1, j], out[2, j], out[3, j] = survival, greenwood, hazard, variance
    return out


@compiled
def survival_before(
    stratum: IntArray, events: FloatArray, at_risk: FloatArray, added: float
) -> FloatArray:
    """Estimate S(t-) per stratum with factors 1 - d / (n + added); shape (rows,)."""
    out = np.empty(len(events))
    survival = 1.0
    for j in range(len(events)):
        if j == 0 or stratum[j] != stratum[j - 1]:
            survival = 1.0
        out[j] = survival
        if events[j] > 0:
            survival *= 1 - events[j] / (at_risk[j] + added)
    return out


@inner
def _total(table: FloatArray, row: int) -> float:
    total = 0.0
    for g in range(table.shape[1]):
        total += table[row, g]
    return total


@inner
def _add_scores(
    events: FloatArray,
    at_risk: FloatArray,
    row: int,
    weight: FloatArray,
    sums: FloatArray,
    covariance: FloatArray,
) -> None:
    """Add one row: observed [0] and expected [1] events, and their hypergeometric covariance."""
    groups, tests = events.shape[1], len(weight)
    d, n = _total(events, row), _total(at_risk, row)
    if d <= 0:
        return
    spread = d * (n - d) / (n - 1) if n > 1 else 0.0
    for k in range(tests):
        for g in range(groups):
            share = at_risk[row, g] / n
            sums[0, k, g] += weight[k] * events[row, g]
            sums[1, k, g] += weight[k] * d * share
            for m in range(tests):
                scale = weight[k] * weight[m] * spread * share
                covariance[k, m, g, g] += scale
                for h in range(groups):
                    covariance[k, m, g, h] -= scale * at_risk[row, h] / n


@compiled
def rank_scores(
    events: FloatArray, at_risk: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weighted observed and expected events and the covariance of their difference.

    `weight` has shape (rows, tests); the results (2, tests, groups) and (tests, tests, groups,
    groups).
    """
    groups, tests = events.shape[1], weight.shape[1]
    sums = np.zeros((2, tests, groups))
    covariance = np.zeros((tests, tests, groups, groups))
    for j in range(len(events)):
        _add_scores(events, at_risk, j, weight[j], sums, covariance)
    return sums, covariance


@compiled
def table_scores(
    events: FloatArray, at_risk: FloatArray, rho: float, gamma: float
) -> tuple[FloatArray, FloatArray]:
    """Fleming-Harrington scores of many tables (tables, rows, groups) without strata."""
    tables, rows, groups = events.shape
    sums = np.empty((2, 1, groups))
    covariance = np.empty((1, 1, groups, groups))
    score = np.empty((tables, groups))
    covariances = np.empty((tables, groups, groups))
    weight = np.empty(1)
    for b in range(tables):
        sums[:] = 0.0
        covariance[:] = 0.0
        survival = 1.0
        for j in range(rows):
            d = _total(events[b], j)
            if d > 0:
                weight[0] = survival**rho * (1 - survival) ** gamma
                _add_scores(events[b], at_risk[b], j, weight, sums, covariance)
                survival *= 1 - d / _total(at_risk[b], j)
        for g in range(groups):
            score[b, g] = sums[0, 0, g] - sums[1, 0, g]
            for h in range(groups):
                covariances[b, g, h] = covariance[0, 0, g, h]
    return score, covariances


@compiled
def table_survival(events: FloatArray, at_risk: FloatArray) -> FloatArray:
    """Kaplan-Meier estimates of many tables (tables, rows, groups); the same shape."""
    out = np.empty(events.shape)
    tables, rows, groups = events.shape
    for b in range(tables):
        for g in range(groups):
            survival = 1.0
            for j in range(rows):
                if events[b, j, g] > 0:
                    survival *= (at_risk[b, j, g] - events[b, j, g]) / at_risk[b, j, g]
                out[b, j, g] = survival
    return out


@compiled
def restricted_means(
    time: FloatArray, events: FloatArray, at_risk: FloatArray, start: float, horizon: float
) -> tuple[FloatArray, FloatArray]:
    """Area under each curve from start to horizon, and its variance; shape (tables, groups).

    The tables have shape (tables, rows, groups). From the last row back: `area` is what lies under
    the part of the curve from the row on, relative to S just before that row.
    """
    tables, rows, groups = events.shape
    mean = np.empty((tables, groups))
    variance = np.empty((tables, groups))
    for b in range(tables):
        for g in range(groups):
            area, spread, later = 0.0, 0.0, horizon
            for j in range(rows - 1, -1, -1):
                d, n = events[b, j, g], at_risk[b, j, g]
                if d <= 0 or time[j] >= horizon:
                    continue
                # Both are relative to S after this event; S falls by (n - d) / n here.
                area += max(later - max(time[j], start), 0.0)
                later = time[j]
                factor = (n - d) / n
                if factor > 0:
                    spread += area * area * d / (n * (n - d))
                area *= factor
                spread *= factor * factor
            mean[b, g] = area + max(later - start, 0.0)
            variance[b, g] = spread
    return mean, variance


@inner
def _efron_terms(
    events: FloatArray,
    at_risk: FloatArray,
    beta: FloatArray,
    score: FloatArray,
    hessian: FloatArray,
) -> float:
    """Log partial likelihood of one table with Efron's ties; score and information by the way."""
    rows, groups = events.shape
    score[:] = 0.0
    hessian[:] = 0.0
    likelihood = 0.0
    share = np.empty(groups)
    for j in range(rows):
        d = _total(events, j)
        if d <= 0:
            continue
        for g in range(1, groups):
            score[g - 1] += events[j, g]
            likelihood += events[j, g] * beta[g]
        for tie in range(round(d)):
            total = 0.0
            for g in range(groups):
                share[g] = (at_risk[j, g] - tie / d * events[j, g]) * np.exp(beta[g])
                total += share[g]
            likelihood -= np.log(total)
            for g in range(1, groups):
                score[g - 1] -= share[g] / total
                hessian[g - 1, g - 1] += share[g] / total
                for h in range(1, groups):
                    hessian[g - 1, h - 1] -= share[g] * share[h] / total**2
    return likelihood


@inner
def _solved(matrix: FloatArray, vector: FloatArray) -> bool:
    """Solve in place by Cholesky's elimination; False unless the matrix is positive definite."""
    size = len(vector)
    for i in range(size):
        if not matrix[i, i] > 0:
            return False
        for j in range(i + 1, size):
            factor = matrix[j, i] / matrix[i, i]
            for k in range(i, size):
                matrix[j, k] -= factor * matrix[i, k]
            vector[j] -= factor * vector[i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            vector[i] -= matrix[i, k] * vector[k]
        vector[i] /= matrix[i, i]
    return True


@compiled
def efron_coefficients(events: FloatArray, at_risk: FloatArray) -> FloatArray:
    """Log hazard ratios against the first group by Newton's steps, shape (tables, groups - 1).

    NaN where the likelihood has no maximum, for example because a group has no event.
    """
    tables, _, groups = events.shape
    out = np.full((tables, groups - 1), np.nan)
    step = np.empty(groups - 1)
    information = np.empty((groups - 1, groups - 1))
    for b in range(tables):
        beta, old = np.zeros(groups), np.zeros(groups)
        best, largest = -np.inf, 1.0
        for _ in range(60):
            likelihood = _efron_terms(events[b], at_risk[b], beta, step, information)
            if not likelihood >= best - 1e-10 * abs(best):  # too far: halfway back
                for g in range(groups):
                    beta[g] = (beta[g] + old[g]) / 2
                continue
            best = likelihood
            if largest < 1e-9:
                for g in range(1, groups):
                    out[b, g - 1] = beta[g]
                break
            if not _solved(information, step):
                break
            largest = 0.0
            for g in range(1, groups):
                old[g] = beta[g]
                beta[g] += step[g - 1]
                largest = max(largest, abs(step[g - 1]))
    return out
