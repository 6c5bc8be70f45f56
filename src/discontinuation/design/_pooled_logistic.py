"""How likely is it in each interval that somebody no longer follows a strategy?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from discontinuation.design._daily import FloatArray
from discontinuation.design.strategies import IntArray
from discontinuation.problems import Problem, refuse

STEPS = 50
FLAT = 1e-9  # expected gain in log-likelihood per observation at which the climb ends
FARTHEST = 30.0  # a log odds beyond that: something predicts without error


@dataclass(frozen=True, eq=False)
class PersonWeeks:
    """Chances to deviate that share one model.

    Attributes
    ----------
    person, week
        Whose and when, shape (m,).
    interval
        Which intercept, 0 to the number of intervals - 1, shape (m,).
    deviates
        Shape (m,).
    covariates
        Shape (m, p), each of about mean 0 and standard deviation 1.
    """

    person: IntArray
    week: IntArray
    interval: IntArray
    deviates: FloatArray
    covariates: FloatArray

    @property
    def intervals(self) -> int:
        """Number of intercepts."""
        return int(self.interval.max()) + 1


def fit_pooled(
    rows: PersonWeeks, weights: FloatArray, start: FloatArray | None, otherwise: str
) -> FloatArray:
    """Fit an intercept per interval and one log odds ratio per covariate, by Newton's method.

    Parameters
    ----------
    rows
        Chances to deviate.
    weights
        Of each person, shape (people,).
    start
        Coefficients to begin from.
    otherwise
        What to say where covariates separate.

    Returns
    -------
    array
        Intercepts, then log odds ratios.

    Raises
    ------
    InvalidInput
        With that sentence.
    """
    size = rows.intervals + rows.covariates.shape[1]
    theta = np.zeros(size) if start is None else start.copy()
    gradient, information = np.empty(size), np.empty((size, size))
    arguments = (rows.person, rows.interval, rows.deviates, rows.covariates, weights)
    total = max(float(weights[rows.person].sum()), 1.0)
    value = _evaluate(theta, *arguments, gradient, information)
    for _ in range(STEPS):
        try:
            move = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            break
        gain = float(gradient @ move)
        if gain < FLAT * total and np.abs(theta).max() < FARTHEST:
            return np.asarray(theta + move)
        length = 1.0
        while length > 1e-6:
            ahead = _evaluate(theta + length * move, *arguments, gradient, information)
            if ahead >= value - 1e-12 * abs(value):
                break
            length /= 2
        theta, value = theta + length * move, ahead
        if np.abs(theta).max() > FARTHEST:
            break
    refuse([Problem("censoring model", otherwise)])
    raise AssertionError


def log_stay(rows: PersonWeeks, theta: FloatArray) -> FloatArray:
    """Log of the probability of following on, shape (m,)."""
    linear = theta[rows.interval] + rows.covariates @ theta[rows.intervals :]
    return np.asarray(-np.logaddexp(0.0, linear))


@njit(cache=True, nogil=True, error_model="numpy")
def _evaluate(theta, person, interval, deviates, covariates, weights, gradient, information):  # type: ignore[no-untyped-def]
    """Log-likelihood; the gradient and the information are written in place."""
    size, p = theta.size, covariates.shape[1]
    first = size - p
    gradient[:] = 0.0
    information[:, :] = 0.0
    value = 0.0
    for row in range(person.size):
        weight = weights[person[row]]
        if weight == 0.0:
            continue
        own = interval[row]
        linear = theta[own]
        for a in range(p):
            linear += theta[first + a] * covariates[row, a]
        small = np.exp(-abs(linear))
        chance = 1.0 / (1.0 + small) if linear >= 0 else small / (1.0 + small)
        value += weight * (deviates[row] * linear - max(linear, 0.0) - np.log1p(small))
        off = weight * (deviates[row] - chance)
        spread = weight * chance * (1.0 - chance)
        gradient[own] += off
        information[own, own] += spread
        for a in range(p):
            x = covariates[row, a]
            gradient[first + a] += off * x
            information[own, first + a] += spread * x
            for b in range(a + 1):
                information[first + a, first + b] += spread * x * covariates[row, b]
    for a in range(p):
        for b in range(a):
            information[first + b, first + a] = information[first + a, first + b]
        for own in range(first):
            information[first + a, own] = information[own, first + a]
    return value
