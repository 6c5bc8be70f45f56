"""Which parameters make the data and the priors most likely together?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.classify.hazards import RELAPSE, hazards_of
from discontinuation.classify.information import complete_score, observed_information
from discontinuation.classify.likelihood import Expectation, Task, expect, signs_of
from discontinuation.classify.observed import at_risk
from discontinuation.classify.parameters import starting_values

FloatArray = npt.NDArray[np.float64]

EM_TOLERANCE = 0.05  # increase below which Newton's method takes over
DECREMENT = 1e-10  # expected gain below which the maximum has been reached
MOST_ROUNDS = 500
FALLS = 1e-8  # what rounding may take from the likelihood
FURTHEST = 2.0  # longest move of one parameter in one step


@dataclass(frozen=True, eq=False)
class Maximum:
    """A maximum of the penalised likelihood.

    Attributes
    ----------
    found
        The likelihood there, with its parameters.
    path
        Penalised log-likelihood after each round of EM and of Newton's method.
    converged
        Whether the expected further gain is below 1e-10.
    """

    found: Expectation
    path: tuple[float, ...]
    converged: bool

    @property
    def largest_fall(self) -> float:
        """Largest decrease over a round; above 1e-8 something is wrong."""
        return float(max(0.0, -np.diff(self.path).min(initial=0.0)))


def search(task: Task, starts: Sequence[FloatArray] | None = None) -> list[Maximum]:
    """Maximise from several starts (methods B7), best first.

    Parameters
    ----------
    task
        The model.
    starts
        Parameter vectors to begin with; None: those of the settings.
    """
    if starts is None:
        starts = first_guesses(task)
    found = [maximise(task, start) for start in starts]
    return sorted(found, key=lambda maximum: -maximum.found.penalised)


def first_guesses(task: Task) -> list[FloatArray]:
    """Starting values: each tau and kappa of the settings with a crude rate of relapse."""
    pairs = list(task.settings.starts)
    if not task.free[task.layout.tau]:
        pairs = pairs[:1]
    risk = float(at_risk(task.observed).sum())
    rate = max(float(task.observed.event_weight.sum()), 0.5) / max(risk, 1.0)
    return [starting_values(task.layout, tau, kappa, rate) for tau, kappa in pairs]


def maximise(task: Task, start: FloatArray, *, em_tolerance: float = EM_TOLERANCE) -> Maximum:
    """Climb by EM, then by Newton's method with Louis' information.

    Newton's method needs fewer rounds near the top; far from it EM is safer, as every round of
    EM must raise the penalised likelihood.

    Parameters
    ----------
    task
        The model.
    start
        Parameters to begin with; those held fixed are set.
    em_tolerance
        EM ends when a round gains less than this.
    """
    if task.frailty:
        return _quasi_newton(task, start)
    theta = np.where(task.free, start, task.held)
    found = expect(theta, task)
    path = [found.penalised]
    for _ in range(MOST_ROUNDS):
        found = expect(em_round(found, task), task)
        path.append(found.penalised)
        if path[-1] - path[-2] < em_tolerance:
            break
    return _polish(found, task, path)


def em_round(found: Expectation, task: Task) -> FloatArray:
    """One M-step: raise the expected complete-data likelihood, which EM proves is enough.

    One step of Fisher scoring on all parameters, halved until the expected likelihood has risen
    (a generalised EM; Lange K. J R Stat Soc B 1995;57:425-437).
    """
    prior, gradient, curvature = task.layout.prior(found.theta)
    score, _, scoring = complete_score(found, task)
    step = _solve(scoring + curvature, score + gradient, task)
    before = _expected_value(found.theta, found, task) + prior
    for _ in range(40):
        theta = found.theta + step
        if _expected_value(theta, found, task) + task.layout.prior(theta)[0] >= before:
            return theta
        step = step / 2
    return found.theta


def _expected_value(theta: FloatArray, found: Expectation, task: Task) -> float:
    """Expected complete-data log-likelihood (the Q of EM)."""
    total = 0.0
    hazards = hazards_of(theta, task.layout, task.grid, task.causes)
    for hazard, events, risk in zip(hazards, found.events, found.at_risk, strict=True):
        with np.errstate(invalid="ignore"):
            logs = np.where(events > 0, events * hazard.log, 0.0)
        total += float(logs.sum() - (risk * hazard.value).sum())
    signs = signs_of(theta, task).sum(axis=2)
    relapse = found.probability[:, task.causes.index(RELAPSE)]
    each = (1 - relapse) * signs[:, 0] + relapse * signs[:, 1]
    return total + float(task.observed.event_weight @ each)


def _polish(found: Expectation, task: Task, path: list[float]) -> Maximum:
    converged = False
    for _ in range(MOST_ROUNDS):
        gradient = complete_score(found, task)[0] + task.layout.prior(found.theta)[1]
        step = _newton_step(found, task, gradient)
        if float(gradient[task.free] @ step[task.free]) < DECREMENT:
            converged = True
            break
        nearer = _halved(found, task, step)
        if nearer is None:
            break
        found = nearer
        path.append(found.penalised)
    return Maximum(found, tuple(path), converged)


def _newton_step(found: Expectation, task: Task, gradient: FloatArray) -> FloatArray:
    """Newton's step, or one of scoring where the likelihood is not curved downwards."""
    curvature = task.layout.prior(found.theta)[2]
    free = np.ix_(task.free, task.free)
    matrix = (observed_information(found, task) + curvature)[free]
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return _solve(complete_score(found, task)[2] + curvature, gradient, task)
    step = np.zeros(task.layout.size)
    step[task.free] = np.linalg.solve(matrix, gradient[task.free])
    return _shortened(step)


def _halved(found: Expectation, task: Task, step: FloatArray) -> Expectation | None:
    """Go along a step, halved until the likelihood rises; None if it never does."""
    for _ in range(40):
        tried = expect(found.theta + step, task)
        if tried.penalised >= found.penalised - FALLS / 10:
            return tried
        step = step / 2
    return None


def _solve(matrix: FloatArray, gradient: FloatArray, task: Task) -> FloatArray:
    step = np.zeros(task.layout.size)
    free = task.free
    step[free] = np.linalg.solve(matrix[np.ix_(free, free)], gradient[free])
    return _shortened(step)


def _shortened(step: FloatArray) -> FloatArray:
    return step * min(1.0, FURTHEST / max(float(np.abs(step).max()), 1e-300))


def _quasi_newton(task: Task, start: FloatArray) -> Maximum:
    """Maximise by BFGS: under frailty Louis' formula above does not hold."""
    from scipy.optimize import minimize

    base = np.where(task.free, start, task.held)

    def downhill(free: FloatArray) -> tuple[float, FloatArray]:
        theta = base.copy()
        theta[task.free] = free
        found = expect(theta, task)
        gradient = complete_score(found, task)[0] + task.layout.prior(theta)[1]
        return -found.penalised, -gradient[task.free]

    result = minimize(
        downhill, base[task.free], jac=True, method="L-BFGS-B", options={"gtol": 1e-5}
    )
    theta = base.copy()
    theta[task.free] = result.x
    found = expect(theta, task)
    return Maximum(found, (expect(base, task).penalised, found.penalised), bool(result.success))
