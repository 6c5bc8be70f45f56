"""How much do groups of people differ in what was not measured?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from discontinuation.problems import Problem, refuse
from discontinuation.survival import cox_residuals
from discontinuation.survival._cox_kernels import FloatArray, IntArray
from discontinuation.survival.cox_design import RiskSets
from discontinuation.survival.cox_fit import Fit, Ties, fit, inverse, newton
from discontinuation.survival.cox_people import People

MOST_GROUPS = 10_000  # their covariance is inverted
MOST_ROUNDS = 5_000
# Below this variance groups are as good as equal; above, nearly all the hazard is in a few.
LEAST_THETA, MOST_THETA = 1e-6, 1e3


@dataclass(frozen=True, eq=False)
class SharedFrailty:
    """A Cox model whose groups share a gamma-distributed factor of the hazard.

    Attributes
    ----------
    fit
        Coefficients; its log-likelihood is integrated over the frailty.
    theta
        Variance of the factor.
    gain
        Twice the log-likelihood above that without frailty.
    factor
        Expected factor of each group, given what happened, shape (groups,).
    offset
        Its logarithm at each row.
    """

    fit: Fit
    theta: float
    gain: float
    factor: FloatArray
    offset: FloatArray

    def onto(self, people: People) -> People:
        """Let the risk sets know about the factors."""
        sets = people.sets
        return replace(people, sets=replace(sets, offset=sets.offset + self.offset))


def gamma_frailty(
    sets: RiskSets, ties: Ties, names: Sequence[str], group: IntArray, groups: int,
    theta: float | None = None,
) -> SharedFrailty:  # fmt: skip
    """Fit a shared gamma frailty of mean 1 and variance theta.

    For a given theta the factors are those of the EM algorithm (accelerated), which are also those
    of the penalised likelihood of R's ``frailty()``; theta is where the likelihood integrated over
    the factors is highest.

    Parameters
    ----------
    sets, ties, names
        As in `cox_fit.fit`.
    group, groups
        Number of each row's group, and how many there are.
    theta
        The variance, if it is not to be estimated.

    Raises
    ------
    InvalidInput
        Fewer than two groups, or more than can be handled; what `fit` refuses.

    References
    ----------
    Klein JP. Biometrics 1992;48:795-806; Therneau TM, Grambsch PM, Pankratz VS. J Comput Graph
    Stat 2003;12:156-175 (the same estimates, and the integrated likelihood); Varadhan R, Roland C.
    Scand J Stat 2008;35:335-353 (acceleration).
    """
    if not 2 <= groups <= MOST_GROUPS:
        rule = f"allowed: 2 to {MOST_GROUPS} groups"
        refuse([Problem("survival data", rule, column="frailty", value=str(groups))])
    plain = fit(sets, ties, names)
    state = _State(sets, ties, group, groups, plain.beta.copy(), np.zeros(groups))
    if theta is None:
        theta = _best_theta(state, plain.log_likelihood)
    if theta == 0:
        rest = np.zeros(len(group))
        return SharedFrailty(plain, 0.0, 0.0, np.ones(groups), rest)
    value = state.settle(theta)
    covariance, information = _covariance(state, theta)
    found = replace(
        plain,
        beta=state.beta,
        information=information,
        covariance=covariance,
        log_likelihood=value,
    )
    offset = state.log_factor[group]
    gain = 2 * (value - plain.log_likelihood)
    return SharedFrailty(found, theta, gain, np.exp(state.log_factor), offset)


@dataclass(eq=False)
class _State:
    """Where the search is: it goes on from there for the next theta."""

    sets: RiskSets
    ties: Ties
    group: IntArray
    groups: int
    beta: FloatArray
    log_factor: FloatArray

    def settle(self, theta: float) -> float:
        """Find the factors and coefficients for a variance; return the integrated likelihood."""
        nu = 1 / theta
        weighted = self.sets.weight * self.sets.event
        events = self._by_group(weighted)

        def again(log_factor: FloatArray) -> FloatArray:
            expected = self._expected(log_factor)
            factor: FloatArray = (nu + events) / (nu + expected / np.exp(log_factor))
            return np.log(factor)

        self.log_factor = _fixed_point(again, self.log_factor)
        return self._climb(self.log_factor) + _integration(nu, events, self.log_factor)

    def _climb(self, log_factor: FloatArray) -> float:
        sets = replace(self.sets, offset=self.sets.offset + log_factor[self.group])
        nothing = np.zeros(len(self.beta))
        return newton(sets, self.ties, nothing, self.beta).log_likelihood

    def _expected(self, log_factor: FloatArray) -> FloatArray:
        """Return the events expected in each group."""
        self._climb(log_factor)
        sets = replace(self.sets, offset=self.sets.offset + log_factor[self.group])
        at = cox_residuals.at_estimate(sets, self.ties, self.beta)
        each = sets.weight * (sets.event - cox_residuals.martingale(sets, at))
        return self._by_group(each)

    def _by_group(self, values: FloatArray) -> FloatArray:
        return np.bincount(self.group, values, minlength=self.groups).astype(float)


def _fixed_point(again: Callable[[FloatArray], FloatArray], at: FloatArray) -> FloatArray:
    """Repeat a contraction until nothing changes, leaping ahead along its direction."""
    for _ in range(MOST_ROUNDS):
        one = again(at)
        two = again(one)
        r, v = one - at, two - 2 * one + at
        if np.abs(two - one).max() < 1e-11:
            return two
        size = np.sqrt((v**2).sum())
        leap = min(-1.0, -np.sqrt((r**2).sum()) / size) if size > 0 else -1.0
        at = again(at - 2 * leap * r + leap**2 * v)
    refuse([Problem("frailty", f"was still changing after {MOST_ROUNDS} rounds")])
    return at


def _integration(nu: float, events: FloatArray, log_factor: FloatArray) -> float:
    """Turn the partial likelihood at the factors into the one integrated over them."""
    from scipy.special import gammaln

    each = nu * log_factor + events + nu * np.log(nu) - (nu + events) * np.log(nu + events)
    return float((each + gammaln(nu + events) - gammaln(nu)).sum())


def _best_theta(state: _State, without: float) -> float:
    """Find the variance at which the integrated likelihood is highest; 0 if that is none."""
    from scipy.optimize import minimize_scalar

    grid = np.geomspace(0.01, 30, 9)
    values = [state.settle(theta) for theta in grid]
    best = int(np.argmax(values))
    low = grid[best - 1] if best else LEAST_THETA
    high = grid[best + 1] if best + 1 < len(grid) else MOST_THETA
    found = minimize_scalar(
        lambda log_theta: -state.settle(float(np.exp(log_theta))),
        bounds=(np.log(low), np.log(high)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    theta = float(np.exp(found.x))
    return theta if -found.fun > without + 1e-9 else 0.0


def _covariance(state: _State, theta: float) -> tuple[FloatArray, FloatArray]:
    """Return the covariance of the coefficients with that of the factors taken into account."""
    sets, p = state.sets, len(state.beta)
    member = np.zeros((len(state.group), state.groups))
    member[np.arange(len(state.group)), state.group] = 1.0
    both = replace(
        sets,
        x=np.column_stack([sets.x, member]),
        offset=sets.offset + state.log_factor[state.group],
    )
    beta = np.concatenate([state.beta, np.zeros(state.groups)])
    at = cox_residuals.at_estimate(both, state.ties, beta)
    information = cox_residuals.weighted_information(both, at, np.ones(len(sets.start)))
    spread = information[p:, p:] + np.diag(np.exp(state.log_factor) / theta)
    cross = information[:p, p:]
    left = information[:p, :p] - cross @ np.linalg.solve(spread, cross.T)
    return inverse(left), information[:p, :p]
