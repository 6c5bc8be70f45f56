"""At which variances and autocorrelation are the measurements most likely?

D is written as L L' with L lower triangular and its diagonal free in sign, not as an exponential:
random effects that vanish or are perfectly correlated are then an ordinary stationary point, which
an optimiser reaches, and not a place infinitely far away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from discontinuation.symptoms.likelihood import FloatArray, Likelihood, Rows, likelihood

Correlation = Literal["none", "ar1", "car1"]

ETA_LIMIT = 16.0  # phi within 1e-6 of its bound
FACTOR_LIMIT = 1e4  # standard deviations of random effects in residual ones
GRADIENT = 1e-8
STEPS = 40
DRIFT = "the errors drift without coming back, so that means have no meaning, only changes"
SINGULAR = 1e-8  # smallest variance of random effects, in residual variances


@dataclass(frozen=True, eq=False)
class Surface:
    """The likelihood as a function of free parameters.

    Attributes
    ----------
    rows
        The measurements.
    correlation
        ``"ar1"``: phi = tanh(eta / 2) in (-1, 1). ``"car1"``: phi = 1 / (1 + exp(-eta)) in (0, 1).
        ``"none"``: phi = 0. As in nlme's corAR1 and corCAR1.
    restricted
        Whether it is the restricted likelihood.
    """

    rows: Rows
    correlation: Correlation
    restricted: bool

    @property
    def size(self) -> int:
        """Number of free parameters: the lower triangle of L, and eta if there is one."""
        q = self.rows.z.shape[1]
        return int(q * (q + 1) // 2 + (self.correlation != "none"))

    def factor(self, theta: FloatArray) -> FloatArray:
        """Return L."""
        q = self.rows.z.shape[1]
        matrix = np.zeros((q, q))
        matrix[np.tril_indices(q)] = theta[: q * (q + 1) // 2]
        return matrix

    def phi(self, theta: FloatArray) -> tuple[float, float]:
        """Return phi and its derivative by eta."""
        if self.correlation == "none":
            return 0.0, 0.0
        half = float(np.tanh(theta[-1] / 2))
        if self.correlation == "ar1":
            return half, (1 - half**2) / 2
        return (1 + half) / 2, (1 - half**2) / 4

    def at(self, theta: FloatArray) -> Likelihood:
        """Evaluate the likelihood, its derivatives by `theta` included."""
        phi, slope = self.phi(theta)
        parts = likelihood(self.rows, self.factor(theta), phi, self.restricted)
        chain = np.ones(len(parts.d_rss))
        chain[-1] = slope
        return replace(
            parts,
            d_rss=(parts.d_rss * chain)[: self.size],
            d_logdet=(parts.d_logdet * chain)[: self.size],
        )


@dataclass(frozen=True, eq=False)
class Curvature:
    """Second derivatives of minus the log-likelihood, and how the information changes.

    Attributes
    ----------
    hessian : array of shape (k + 1, k + 1)
        By the k free parameters and log sigma.
    d_covariance : array of shape (k + 1, p, p)
        Derivatives of the covariance of the fixed effects by the same.
    """

    hessian: FloatArray
    d_covariance: FloatArray

    @property
    def profiled(self) -> FloatArray:
        """Hessian by the k free parameters once sigma is profiled out."""
        h = self.hessian
        return np.asarray(h[:-1, :-1] - np.outer(h[:-1, -1], h[-1, :-1]) / h[-1, -1])


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where the likelihood is highest.

    Attributes
    ----------
    surface
        The surface it belongs to; its correlation is ``"none"`` if phi went to 0 as its bound.
    theta
        Free parameters there.
    likelihood
        The likelihood there.
    gradient
        Largest absolute derivative by a parameter that is not at a bound.
    starts
        Log-likelihood (without constants) that was reached from each start, best first.
    boundary
        What lies at the edge of what is possible, in words; empty for an interior maximum.
    """

    surface: Surface
    theta: FloatArray
    likelihood: Likelihood
    gradient: float
    starts: tuple[float, ...]
    boundary: tuple[str, ...]


def curvature(surface: Surface, theta: FloatArray) -> Curvature:
    """Differentiate the gradient numerically (central differences) at one point.

    Parameters
    ----------
    surface
        The likelihood.
    theta
        Where.
    """
    here = surface.at(theta)
    sigma2, k = here.sigma2, surface.size
    hessian = np.zeros((k + 1, k + 1))
    d_covariance = np.zeros((k + 1, *here.information.shape))
    for i in range(k):
        step = np.zeros(k)
        step[i] = 1e-5 * max(1.0, abs(theta[i]))
        up, down = surface.at(theta + step), surface.at(theta - step)
        change = (up.d_rss - down.d_rss) / sigma2 + up.d_logdet - down.d_logdet
        hessian[i, :k] = change / (4 * step[i])
        spread = np.linalg.inv(up.information) - np.linalg.inv(down.information)
        d_covariance[i] = sigma2 * spread / (2 * step[i])
    hessian[:k, :k] = (hessian[:k, :k] + hessian[:k, :k].T) / 2
    hessian[k, :k] = hessian[:k, k] = -here.d_rss / sigma2
    hessian[k, k] = 2 * here.freedom
    d_covariance[k] = 2 * sigma2 * np.linalg.inv(here.information)
    return Curvature(hessian, d_covariance)


def maximise(surface: Surface) -> Maximum:
    """Find the highest maximum from several starts and polish it by Newton steps.

    Parameters
    ----------
    surface
        The likelihood.

    Returns
    -------
    Maximum
        With phi = 0 put in where the continuous autoregression runs to that bound.
    """
    ends = sorted((_descend(surface, start) for start in _starts(surface)), key=lambda end: end[0])
    theta = _leave_saddle(surface, _polish(surface, ends[0][1]))
    reached = tuple(-float(value) for value, _ in ends)
    at_zero = _without_phi(surface, theta)
    if at_zero is not None:
        words = ("phi is at its bound 0: no positive autocorrelation is to be seen",)
        return replace(at_zero, starts=reached, boundary=words + at_zero.boundary)
    return Maximum(
        surface,
        theta,
        surface.at(theta),
        float(np.abs(_free_gradient(surface, theta)).max(initial=0.0)),
        reached,
        tuple(_edges(surface, theta)),
    )


def _starts(surface: Surface) -> Iterator[FloatArray]:
    """Give starts between which the two ways of being alike, random effects and phi, differ."""
    q = surface.rows.z.shape[1]
    lower = np.eye(q)[np.tril_indices(q)]
    if surface.correlation == "none":
        for size in (0.3, 2.0):
            yield size * lower
        return
    choices = [(1.0, 0.8), (0.2, 2.5), (2.5, 0.2)]
    if surface.correlation == "ar1":
        choices.append((1.0, -0.8))
    for size, eta in choices:
        yield np.append(size * lower, eta)


def _bounds(surface: Surface) -> list[tuple[float, float]]:
    limits = [(-FACTOR_LIMIT, FACTOR_LIMIT)] * surface.size
    if surface.correlation != "none":
        limits[-1] = (-ETA_LIMIT, ETA_LIMIT)
    return limits


def _descend(surface: Surface, start: FloatArray) -> tuple[float, FloatArray]:
    from scipy.optimize import minimize

    if not surface.size:
        return surface.at(start).criterion, start

    def value(theta: FloatArray) -> tuple[float, FloatArray]:
        parts = surface.at(theta)
        return parts.criterion, parts.gradient

    options = {"gtol": 1e-6, "ftol": 1e-14, "maxiter": 500}
    end = minimize(
        value, start, jac=True, method="L-BFGS-B", bounds=_bounds(surface), options=options
    )
    return float(end.fun), np.asarray(end.x)


def _polish(surface: Surface, theta: FloatArray) -> FloatArray:
    """Take Newton steps in the parameters that are not at a bound."""
    for _ in range(STEPS):
        gradient = _free_gradient(surface, theta)
        if np.abs(gradient).max(initial=0.0) <= GRADIENT:
            break
        values, vectors = np.linalg.eigh(curvature(surface, theta).profiled)
        # A flat direction (random effects that vanish) gets no step, a falling one its mirror's.
        flat = np.abs(values) <= 1e-9 * np.abs(values).max()
        along = np.where(flat, 0.0, vectors.T @ gradient / np.where(flat, 1.0, np.abs(values)))
        step = np.where(gradient == 0, 0.0, -vectors @ along)
        better = _shorten(surface, theta, step, float(np.abs(gradient).max()))
        if better is None:
            break
        theta = better
    return theta


def _shorten(
    surface: Surface, theta: FloatArray, step: FloatArray, gradient: float
) -> FloatArray | None:
    """Halve a step until it makes things better; None if it never does."""
    lower, upper = np.array(_bounds(surface)).T
    before = surface.at(theta).criterion
    for _ in range(30):
        there = np.clip(theta + step, lower, upper)
        parts = surface.at(there)
        # Close to the top the value no longer tells two points apart, but the gradient does.
        flatter = np.abs(_free_gradient(surface, there)).max(initial=0.0) < gradient
        if parts.criterion < before or (
            flatter and parts.criterion <= before + 1e-12 * abs(before)
        ):
            return there
        step = step / 2
    return None


def _leave_saddle(surface: Surface, theta: FloatArray) -> FloatArray:
    """Go on downhill where the stationary point is not a minimum of the criterion."""
    if not surface.size:
        return theta
    values, vectors = np.linalg.eigh(curvature(surface, theta).profiled)
    if values[0] >= -1e-6 * np.abs(values).max():
        return theta
    sides = [_descend(surface, theta + sign * 0.1 * vectors[:, 0]) for sign in (-1, 1)]
    value, end = min(sides, key=lambda side: side[0])
    return _polish(surface, end) if value < surface.at(theta).criterion else theta


def _free_gradient(surface: Surface, theta: FloatArray) -> FloatArray:
    """Return the gradient, 0 for a parameter at its bound."""
    if not surface.size:
        return np.zeros(0)
    limit = np.array(_bounds(surface))[:, 1]
    return np.asarray(np.where(np.abs(theta) >= limit, 0.0, surface.at(theta).gradient))


def _without_phi(surface: Surface, theta: FloatArray) -> Maximum | None:
    """Return the maximum at phi = 0 where a continuous autoregression prefers it."""
    if surface.correlation != "car1" or surface.phi(theta)[0] > 1e-3:
        return None
    at_zero = maximise(replace(surface, correlation="none"))
    here = surface.at(theta).criterion
    return at_zero if at_zero.likelihood.criterion <= here + 1e-9 * abs(here) else None


def _edges(surface: Surface, theta: FloatArray) -> Iterator[str]:
    """Say what lies at the edge of what is possible."""
    factor = surface.factor(theta)
    variances = np.linalg.eigvalsh(factor @ factor.T)
    if len(variances) and variances[-1] <= SINGULAR:
        yield "the random effects have no variance: people differ no more than their days do"
    elif len(variances) and variances[0] <= SINGULAR * max(1.0, variances[-1]):
        yield (
            "the covariance of the random effects is singular (one of them has no variance, or "
            "both are perfectly correlated): the model is larger than these data can carry"
        )
    if np.abs(factor).max(initial=0.0) >= 0.99 * FACTOR_LIMIT:
        yield "the residual variance is at its bound 0: the random effects fit all there is"
    if surface.correlation != "none" and abs(theta[-1]) >= ETA_LIMIT - 1:
        bound = round(surface.phi(theta)[0])
        why = DRIFT if bound > 0 else "neighbouring measurements are opposites"
        yield f"phi is at its bound {bound}: {why}"
