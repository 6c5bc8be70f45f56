"""Compiled steps towards the distribution under which interval-censored events are likeliest."""

from __future__ import annotations

import numpy as np
from numba import njit

from discontinuation.survival.follow_up import FloatArray, IntArray


@njit(cache=True, nogil=True, error_model="numpy")
def _probabilities(first: IntArray, last: IntArray, mass: FloatArray) -> FloatArray:
    """Probability of each interval, which holds the places first to last."""
    below = np.zeros(len(mass) + 1)
    for j in range(len(mass)):
        below[j + 1] = below[j] + mass[j]
    found = np.empty(len(first))
    for i in range(len(first)):
        found[i] = below[last[i] + 1] - below[first[i]]
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _log_likelihood(
    first: IntArray, last: IntArray, weights: FloatArray, mass: FloatArray
) -> float:
    """Weighted log-likelihood; minus infinity where an interval has no probability."""
    total = 0.0
    probability = _probabilities(first, last, mass)
    for i in range(len(first)):
        if probability[i] <= 0:
            return -np.inf
        total += weights[i] * np.log(probability[i])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient(first: IntArray, last: IntArray, weights: FloatArray, mass: FloatArray) -> FloatArray:
    """Derivative of the mean log-likelihood in each mass: 1 where mass is, at most 1 elsewhere."""
    probability = _probabilities(first, last, mass)
    change = np.zeros(len(mass) + 1)
    for i in range(len(first)):
        share = weights[i] / probability[i]
        change[first[i]] += share
        change[last[i] + 1] -= share
    found = np.empty(len(mass))
    running = 0.0
    for j in range(len(mass)):
        running += change[j]
        found[j] = running
    found /= weights.sum()
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _isotonic(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted least squares under the constraint of rising (pool adjacent violators)."""
    n = len(values)
    mean, weight, size = np.empty(n), np.empty(n), np.empty(n, np.int64)
    top = -1
    for i in range(n):
        top += 1
        mean[top], weight[top], size[top] = values[i], weights[i], 1
        while top > 0 and mean[top - 1] >= mean[top]:
            both = weight[top - 1] + weight[top]
            mean[top - 1] = (mean[top - 1] * weight[top - 1] + mean[top] * weight[top]) / both
            weight[top - 1] = both
            size[top - 1] += size[top]
            top -= 1
    found = np.empty(n)
    place = 0
    for k in range(top + 1):
        for _ in range(size[k]):
            found[place] = mean[k]
            place += 1
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _convex_minorant(
    first: IntArray, last: IntArray, weights: FloatArray, mass: FloatArray
) -> FloatArray:
    """Masses that the iterative convex minorant aims at (Groeneboom and Wellner 1992)."""
    m = len(mass)
    probability = _probabilities(first, last, mass)
    slope, bend = np.zeros(m), np.zeros(m)
    for i in range(len(first)):
        one = weights[i] / probability[i]
        if last[i] < m - 1:
            slope[last[i]] += one
            bend[last[i]] += one / probability[i]
        if first[i] > 0:
            slope[first[i] - 1] -= one
            bend[first[i] - 1] += one / probability[i]
    below = np.cumsum(mass)[: m - 1]
    aim = _isotonic(below + slope[: m - 1] / bend[: m - 1], bend[: m - 1])
    found = np.empty(m)
    before = 0.0
    for j in range(m - 1):
        here = min(max(aim[j], 0.0), 1.0)
        found[j] = here - before
        before = here
    found[m - 1] = 1.0 - before
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def climb(
    first: IntArray,
    last: IntArray,
    weights: FloatArray,
    mass: FloatArray,
    tolerance: float,
    steps: int,
) -> tuple[FloatArray, float, int]:
    """Alternate self-consistency and convex minorant until the KKT conditions hold.

    Parameters
    ----------
    first, last
        Which places each distinct interval holds, shape (n,).
    weights
        How many people have it, shape (n,).
    mass
        To begin with, shape (m,), m at least 2, adding up to 1, all above 0.
    tolerance
        Largest excess of a derivative over 1.
    steps
        Most rounds.

    Returns
    -------
    mass, excess, rounds
    """
    excess = np.inf
    for step in range(steps):
        gradient = _gradient(first, last, weights, mass)
        excess = gradient.max() - 1
        if excess <= tolerance:
            return mass, excess, step
        mass = mass * gradient
        mass = mass / mass.sum()
        now = _log_likelihood(first, last, weights, mass)
        aim = _convex_minorant(first, last, weights, mass)
        share = 1.0
        for _ in range(40):
            trial = mass + share * (aim - mass)
            if _log_likelihood(first, last, weights, trial) > now:
                mass = trial
                break
            share *= 0.5
    return mass, excess, steps
