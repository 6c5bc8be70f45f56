"""How likely are the observed times, at given parameters, and where is that highest?

Every model here says that z = g(S(t)) is a known function of log t plus covariates, with g one of
log(-log S), logit or probit; accelerated failure time models and Royston-Parmar models are the
same thing with a straight and a bent function of log t. The likelihood then needs the error
distribution at z and, for events seen on the day, the slope of z in log t.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit, log_ndtr

from discontinuation.problems import Problem, refuse
from discontinuation.survival._parametric_data import Observed
from discontinuation.survival.follow_up import PLACE, FloatArray

Error = Literal["extreme value", "logistic", "normal"]
Terms = tuple[FloatArray, FloatArray, FloatArray]  # a function and its two derivatives
Evaluated = tuple[float, FloatArray, FloatArray]  # log-likelihood, gradient, Hessian

FLAT = 1e-10  # expected gain in log-likelihood at which only polishing is left
STEPS = 300
UNBOUNDED = 1e3  # standard error of a standardised parameter that says there is no maximum
UNLIMITED = (
    "the likelihood has no maximum: an effect fits ever better the larger it becomes; often a "
    "group has no event, or nobody without it, or all at one time, or events are few; merge "
    "groups, or leave a covariate or knots out"
)
TOO_MANY = (
    "there are more parameters than different times and covariates; ask for fewer knots or "
    "covariates"
)


def log_density(z: FloatArray, error: Error) -> Terms:
    """Log density of the error and its derivatives."""
    if error == "extreme value":
        hazard = np.exp(z)
        return z - hazard, 1 - hazard, -hazard
    if error == "logistic":
        p = expit(z)
        return z - 2 * np.logaddexp(0, z), 1 - 2 * p, -2 * p * (1 - p)
    return -0.5 * z**2 - 0.5 * np.log(2 * np.pi), -z, -np.ones_like(z)


def log_survival(z: FloatArray, error: Error) -> Terms:
    """Log of the probability of an error above z and its derivatives."""
    if error == "extreme value":
        hazard = np.exp(z)
        return -hazard, -hazard, -hazard
    if error == "logistic":
        p = expit(z)
        return -np.logaddexp(0, z), -p, -p * (1 - p)
    value = log_ndtr(-z)
    mills = np.exp(log_density(z, error)[0] - value)
    return value, -mills, -mills * (mills - z)


def log_between(
    low: FloatArray, high: FloatArray, error: Error
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Log of the probability of an error in (low, high], and its derivatives.

    Parameters
    ----------
    low, high
        Shape (n,); low may be minus infinity.
    error
        Distribution.

    Returns
    -------
    value, in_low, in_high, in_low_low, in_low_high, in_high_high
        Shape (n,) each.
    """
    bounded = np.isfinite(low)
    z = np.where(bounded, low, 0.0)
    above = np.where(bounded, log_survival(z, error)[0], 0.0)
    # Accurate in both tails: survival near 1 is kept as its logarithm.
    value = above + np.log(-np.expm1(log_survival(high, error)[0] - above))
    density, bend_low, _ = log_density(z, error)
    share_low = np.where(bounded, np.exp(density - value), 0.0)
    density, bend_high, _ = log_density(high, error)
    share_high = np.exp(density - value)
    return (
        value,
        -share_low,
        share_high,
        -share_low * (bend_low + share_low),
        share_low * share_high,
        share_high * (bend_high - share_high),
    )


@dataclass(frozen=True, eq=False)
class Block:
    """Rows of a design, whom they belong to, and what is added to design times parameters."""

    design: FloatArray
    people: np.ndarray[tuple[int], np.dtype[np.intp]]
    offset: FloatArray

    def at(self, theta: FloatArray) -> FloatArray:
        """Linear predictor of each row."""
        return np.asarray(self.design @ theta + self.offset)

    def turned(self, turn: FloatArray, start: FloatArray) -> Block:
        """Rows for parameters phi with theta = start + turn phi."""
        return replace(self, design=self.design @ turn, offset=self.at(start))


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Log-likelihood of a model that is linear in z.

    Attributes
    ----------
    exact, slope
        z, and its derivative in log t, where the event was seen on the day.
    right
        z where follow-up ended.
    low, high
        z at both ends of an interval; rows of `low` that are not bounded are ignored.
    bounded
        Whether the lower end is above 0.
    entry
        z at entry after time 0.
    weights
        Per person, shape (n,).
    constant
        What does not depend on parameters: minus the log times of events seen on the day.
    error
        Distribution of the error.
    """

    exact: Block
    slope: Block
    right: Block
    low: Block
    high: Block
    bounded: np.ndarray[tuple[int], np.dtype[np.bool_]]
    entry: Block
    weights: FloatArray
    constant: float
    error: Error

    def turned(self, turn: FloatArray, start: FloatArray) -> Likelihood:
        """Likelihood of parameters phi with theta = start + turn phi."""
        names = ("exact", "slope", "right", "low", "high", "entry")
        return replace(self, **{name: getattr(self, name).turned(turn, start) for name in names})

    def _single(self, theta: FloatArray) -> Iterator[tuple[Block, Terms]]:
        """Contributions that depend on one linear predictor."""
        yield self.exact, log_density(self.exact.at(theta), self.error)
        slope = self.slope.at(theta)
        positive = np.where(slope > 0, slope, np.nan)
        yield self.slope, (np.log(positive), 1 / positive, -1 / positive**2)
        yield self.right, log_survival(self.right.at(theta), self.error)
        value, first, second = log_survival(self.entry.at(theta), self.error)
        yield self.entry, (-value, -first, -second)

    def _between(self, theta: FloatArray) -> tuple[FloatArray, ...]:
        low = np.where(self.bounded, self.low.at(theta), -np.inf)
        return log_between(low, self.high.at(theta), self.error)

    def __call__(self, theta: FloatArray) -> Evaluated:
        """Log-likelihood, gradient and Hessian; NaN where it is not defined."""
        size = len(theta)
        total, gradient, hessian = self.constant, np.zeros(size), np.zeros((size, size))
        with np.errstate(all="ignore"):
            for block, (value, first, second) in self._single(theta):
                w = self.weights[block.people]
                total += float(w @ value)
                gradient += block.design.T @ (w * first)
                hessian += block.design.T @ ((w * second)[:, None] * block.design)
            if len(self.high.people):
                value, in_low, in_high, low_low, low_high, high_high = self._between(theta)
                w = self.weights[self.high.people]
                low, high = self.low.design, self.high.design
                total += float(w @ value)
                gradient += low.T @ (w * in_low) + high.T @ (w * in_high)
                cross = low.T @ ((w * low_high)[:, None] * high)
                hessian += low.T @ ((w * low_low)[:, None] * low) + cross + cross.T
                hessian += high.T @ ((w * high_high)[:, None] * high)
        return total, gradient, hessian

    def scores(self, theta: FloatArray) -> FloatArray:
        """Weighted derivative of each person's contribution, shape (n, p)."""
        found = np.zeros((len(self.weights), len(theta)))
        for block, (_, first, _) in self._single(theta):
            np.add.at(found, block.people, first[:, None] * block.design)
        if len(self.high.people):
            _, in_low, in_high, *_ = self._between(theta)
            both = in_low[:, None] * self.low.design + in_high[:, None] * self.high.design
            np.add.at(found, self.high.people, both)
        return found * self.weights[:, None]


Basis = Callable[[FloatArray, np.ndarray[tuple[int], np.dtype[np.intp]]], FloatArray]


def build_likelihood(observed: Observed, z: Basis, slope: Basis, error: Error) -> Likelihood:
    """Lay out the likelihood of people by what is known of them.

    Parameters
    ----------
    observed
        What is known.
    z, slope
        Design of z, and of its derivative in log t, shape (m, p), at m log times of m people
        (their numbers).
    error
        Distribution.
    """
    exact = np.flatnonzero(observed.exact)
    right = np.flatnonzero(~observed.has_event)
    between = np.flatnonzero(observed.has_event & ~observed.exact)
    late = np.flatnonzero(observed.entry > 0)
    # Whoever entered later cannot have had the event before.
    start = np.maximum(observed.lower, observed.entry)[between]
    bounded = start > 0

    def rows(
        make: Basis,
        times: FloatArray,
        people: np.ndarray[tuple[int], np.dtype[np.intp]],
    ) -> Block:
        design = np.ascontiguousarray(make(np.log(times), people))
        return Block(design, people, np.zeros(len(people)))

    return Likelihood(
        exact=rows(z, observed.lower[exact], exact),
        slope=rows(slope, observed.lower[exact], exact),
        right=rows(z, observed.lower[right], right),
        low=rows(z, np.where(bounded, start, observed.upper[between]), between),
        high=rows(z, observed.upper[between], between),
        bounded=bounded,
        entry=rows(z, observed.entry[late], late),
        weights=observed.weights,
        constant=-float(observed.weights[exact] @ np.log(observed.lower[exact])),
        error=error,
    )


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where a log-likelihood is highest.

    Attributes
    ----------
    theta
        Parameters, shape (p,).
    covariance
        Inverse of the observed information, shape (p, p).
    log_likelihood
        Its value there.
    iterations
        Newton steps taken.
    """

    theta: FloatArray
    covariance: FloatArray
    log_likelihood: float
    iterations: int


def climb(
    evaluate: Callable[[FloatArray], Evaluated], start: FloatArray, otherwise: str = UNLIMITED
) -> Maximum:
    """Maximise by damped Newton steps, in parameters of about unit scale.

    Raises
    ------
    InvalidInput
        If there is no maximum because something fits ever better the larger it becomes, with
        the sentence `otherwise`.
    """
    theta, now, damping = start, evaluate(start), 0.0
    for step in range(STEPS):
        gain, move = _newton(now, damping)
        ahead = evaluate(theta + move)
        if damping == 0 and gain < FLAT:
            return _polish(evaluate, theta + move, step, otherwise)
        if np.isfinite(ahead[0]) and ahead[0] > now[0] - 1e-12 * abs(now[0]):
            theta, now = theta + move, ahead
            damping = damping / 10 if damping > 1e-6 else 0.0
        else:
            damping = max(10 * damping, 1e-4)
        if damping > 1e12:
            break
    return _refuse(otherwise)


def _refuse(sentence: str) -> Maximum:
    refuse([Problem(PLACE, sentence)])
    raise AssertionError


def _newton(now: Evaluated, damping: float) -> tuple[float, FloatArray]:
    """Return the expected gain of a step and the step; the information is made definite."""
    _, gradient, hessian = now
    information = -hessian
    size = np.maximum(np.abs(np.diag(information)), 1e-12)
    for _ in range(60):
        try:
            factor = cho_factor(information + damping * np.diag(size), check_finite=False)
        except np.linalg.LinAlgError:
            damping = max(10 * damping, 1e-8)
            continue
        move = np.asarray(cho_solve(factor, gradient, check_finite=False))
        # A step made only by damping is no sign of a maximum.
        return (float(gradient @ move) if damping == 0 else np.inf), move
    return np.inf, np.zeros_like(gradient)


def _polish(
    evaluate: Callable[[FloatArray], Evaluated],
    theta: FloatArray,
    iterations: int,
    otherwise: str,
) -> Maximum:
    """Step on to rounding error, and look whether this is a maximum at all."""
    for _ in range(2):
        move = _newton(evaluate(theta), 0.0)[1]
        if np.isfinite(evaluate(theta + move)[0]):
            theta = theta + move
    value, _, hessian = evaluate(theta)
    try:
        inverse = cho_solve(cho_factor(-hessian), np.eye(len(theta)))
    except (np.linalg.LinAlgError, ValueError):
        return _refuse(otherwise)
    if not np.isfinite(value) or np.sqrt(np.diag(inverse)).max(initial=0) > UNBOUNDED:
        return _refuse(otherwise)
    return Maximum(theta, (inverse + inverse.T) / 2, value, iterations)


def standardise(likelihood: Likelihood) -> FloatArray:
    """Return the turn after which the columns of the design are of unit size and uncorrelated."""
    rows = [likelihood.exact, likelihood.right, likelihood.low, likelihood.high]
    design = np.vstack([block.design for block in rows])
    triangle = np.linalg.qr(design, mode="r") / np.sqrt(len(design))
    size = np.sqrt((triangle**2).sum(axis=0))
    if np.linalg.matrix_rank(triangle / np.where(size > 0, size, 1.0)) < len(size):
        refuse([Problem(PLACE, TOO_MANY)])
    signs = np.where(np.diag(triangle) < 0, -1.0, 1.0)
    return np.asarray(
        solve_triangular(signs[:, None] * triangle, np.eye(triangle.shape[1]), lower=False)
    )


def sandwich(scores: FloatArray, covariance: FloatArray, clusters: object) -> FloatArray:
    """Return the variance of Huber and White, by cluster if there are clusters."""
    if isinstance(clusters, np.ndarray):
        sums = np.zeros((int(clusters.max()) + 1, scores.shape[1]))
        np.add.at(sums, clusters, scores)
        scores = sums
    effects = scores @ covariance
    return np.asarray(effects.T @ effects)


def maximise(
    likelihood: Likelihood,
    start: FloatArray,
    origin: FloatArray | None = None,
    free: FloatArray | None = None,
) -> tuple[Maximum, FloatArray]:
    """Maximise in well-scaled parameters, whatever the unit of time or the covariates.

    Parameters
    ----------
    likelihood
        Of theta, shape (p,).
    start
        Theta to begin at.
    origin, free
        theta = origin + free @ phi, for parameters that are fixed; default: all are free.

    Returns
    -------
    maximum
        In phi.
    scores
        Weighted derivative of each person's contribution, shape (n, q).
    """
    free = np.eye(len(start)) if free is None else free
    origin = np.zeros(len(start)) if origin is None else origin
    freed = likelihood.turned(free, origin)
    turn = standardise(freed)
    begin = np.asarray(np.linalg.lstsq(free @ turn, start - origin, rcond=None)[0], float)
    top = climb(freed.turned(turn, np.zeros(free.shape[1])), begin)
    covariance = turn @ top.covariance @ turn.T
    back = replace(top, theta=turn @ top.theta, covariance=covariance)
    return back, freed.scores(back.theta)
