"""Where is the partial likelihood of a Cox model highest?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from discontinuation.problems import Problem, refuse
from discontinuation.survival import _cox_kernels as kernels
from discontinuation.survival._cox_kernels import FloatArray, IntArray
from discontinuation.survival.cox_design import RiskSets

Ties = Literal["efron", "breslow", "exact"]

MOST_STEPS = 50
MOST_FIRTH_STEPS = 500
LIKELIHOOD = "partial likelihood"


@dataclass(frozen=True, eq=False)
class Fit:
    """The highest point of a (penalised) partial likelihood.

    Everything is on the scale of the standardised covariates of the `RiskSets` that were fitted.

    Attributes
    ----------
    beta
        Coefficients, shape (p,).
    information
        Observed information at `beta` without the penalty, shape (p, p).
    covariance
        Inverse of information plus penalty.
    log_likelihood_null, log_likelihood
        At 0 and at `beta`; with Firth's penalty included, without that of a ridge.
    score_test
        Chi-square of the score at 0.
    steps
        Newton steps.
    """

    beta: FloatArray
    information: FloatArray
    covariance: FloatArray
    log_likelihood_null: float
    log_likelihood: float
    score_test: float
    steps: int


@dataclass(frozen=True, eq=False)
class Climb:
    """What Newton's method found: see `_cox_kernels.newton`."""

    log_likelihood_null: float
    log_likelihood: float
    score_null: FloatArray
    score: FloatArray
    information_null: FloatArray
    information: FloatArray
    steps: int
    state: int


def newton(
    sets: RiskSets, ties: Ties, penalty: FloatArray, beta: FloatArray, most: int = MOST_STEPS
) -> Climb:
    """Climb from `beta`, which is changed in place, to the top; with `most` 0 look around only."""
    found = kernels.newton(
        sets.x, sets.weight, sets.offset, sets.event, sets.first, sets.last, sets.start,
        sets.deaths, sets.death_weight, ties == "efron", penalty, beta, most, True,
    )  # fmt: skip
    return Climb(*found)


def fit(
    sets: RiskSets,
    ties: Ties,
    names: Sequence[str],
    penalty: FloatArray | None = None,
    firth: bool = False,
) -> Fit:
    """Fit a Cox model.

    Parameters
    ----------
    sets
        Who is at risk when, with which covariates.
    ties
        How tied events enter.
    names
        Of the covariates, for messages.
    penalty
        Of the squared standardised coefficients, halved, shape (p,); None: nothing is taken off.
    firth
        Add half the log determinant of the information (Firth 1993; Heinze and Schemper 2001).

    Raises
    ------
    InvalidInput
        Covariates that do not vary or are combinations of others; a likelihood without maximum.
    """
    penalty = np.zeros(len(names)) if penalty is None else penalty
    if firth:
        return _fit_firth(sets, ties, names)
    if ties == "exact":
        return _fit_exact(sets, names, penalty)
    beta = np.zeros(len(names))
    found = newton(sets, ties, penalty, beta)
    refuse(_without_maximum(found.state, sets, beta, names))
    pull: FloatArray = np.diag(penalty)
    return Fit(
        beta=beta,
        information=found.information,
        covariance=inverse(found.information + pull),
        log_likelihood_null=found.log_likelihood_null,
        log_likelihood=found.log_likelihood,
        score_test=_quadratic(found.information_null + pull, found.score_null),
        steps=found.steps,
    )


def inverse(matrix: FloatArray) -> FloatArray:
    """Invert, and keep it symmetric."""
    found = np.linalg.inv(matrix)
    return np.asarray((found + found.T) / 2, dtype=float)


def _quadratic(matrix: FloatArray, vector: FloatArray) -> float:
    return float(vector @ np.linalg.solve(matrix, vector))


def _constant(sets: RiskSets, names: Sequence[str]) -> list[Problem]:
    """Name covariates that are the same for everybody at risk."""
    x = sets.x[sets.last >= sets.first]
    spread = np.ptp(x, axis=0) if x.shape[1] else np.empty(0)
    return [
        Problem(
            "formula", "is the same for everybody at risk: there is nothing to compare", value=n
        )
        for n, width in zip(names, spread, strict=True)
        if width == 0
    ]


def _without_maximum(
    state: int, sets: RiskSets, beta: FloatArray, names: Sequence[str]
) -> list[Problem]:
    """Say why there is no estimate."""
    if state == kernels.SINGULAR:
        if constant := _constant(sets, names):
            return constant
        listed = ", ".join(_tangled(sets, names))
        rule = f"covariates are combinations of one another within the strata: {listed}"
        return [Problem("formula", rule)]
    if state == kernels.MONOTONE:
        # Where the climb had got to: what runs off has the largest share of somebody's log hazard.
        share = np.abs(beta) * np.ptp(sets.x, axis=0)
        listed = ", ".join(n for n, s in zip(names, share, strict=True) if s >= share.max() / 2)
        rule = (
            "has no maximum: it rises for ever as a coefficient grows, because the events are "
            f"separated by {listed}; firth=True gives an estimate that is finite"
        )
        return [Problem(LIKELIHOOD, rule)]
    if state == kernels.NOT_FINITE:
        return [Problem(LIKELIHOOD, "is not finite: offsets or weights are too large")]
    if state == kernels.NOT_CONVERGED:
        return [Problem(LIKELIHOOD, f"was still rising after {MOST_STEPS} steps")]
    return []


def _tangled(sets: RiskSets, names: Sequence[str]) -> list[str]:
    """Find covariates that carry a direction in which nothing is known."""
    zero = np.zeros(len(names))
    information = newton(sets, "efron", zero, zero.copy(), 0).information
    size = np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    empty = vectors[:, values < 1e-8]
    named = [n for n, part in zip(names, empty, strict=True) if np.abs(part).max(initial=0) > 1e-4]
    return named or list(names)


def refit(
    sets: RiskSets, multiplicities: FloatArray, ties: Ties = "efron", beta: FloatArray | None = None
) -> tuple[FloatArray, IntArray]:
    """Fit again and again with each row there as often as its multiplicity says.

    A row that is there twice is two rows, with ties between them treated as any others: that is
    what a bootstrap is. (A case weight of 2 is not the same under Efron's ties.)

    Parameters
    ----------
    sets
        Of the whole data.
    multiplicities
        Whole numbers of 0 or more, shape (fits, rows of the data).
    ties
        "efron" or "breslow".
    beta
        Standardised coefficients to start from, say those of the whole data.

    Returns
    -------
    coefficients
        On the scale of the data, shape (fits, p); NaN where there is no maximum.
    states
        0 where there is one, shape (fits,).
    """
    p = sets.x.shape[1]
    times = np.ascontiguousarray(np.atleast_2d(multiplicities)[:, sets.row], dtype=float)
    found, states = np.empty((len(times), p)), np.empty(len(times), np.int64)
    kernels.refit_all(
        sets.x, sets.weight, sets.offset, sets.event, sets.first, sets.last, sets.start,
        ties == "efron", np.zeros(p), np.zeros(p) if beta is None else beta, times, MOST_STEPS,
        found, states,
    )  # fmt: skip
    found[states != kernels.CONVERGED] = np.nan
    return found / sets.scale, states


# ---- climbing in Python: exact ties and Firth ----------------------------------------------------

Pieces = tuple[float, FloatArray, FloatArray]


def evaluate(sets: RiskSets, ties: Ties, beta: FloatArray) -> Pieces:
    """Return log-likelihood, score and information at a point."""
    p = len(beta)
    if ties == "exact":
        score, information = np.empty(p), np.empty((p, p))
        value = kernels.evaluate_exact(
            sets.x, sets.offset, sets.event, sets.first, sets.last, sets.deaths, beta, score,
            information,
        )  # fmt: skip
        return value, score, information
    here = newton(sets, ties, np.zeros(p), beta.copy(), 0)
    return here.log_likelihood, here.score, here.information


def climb(
    sets: RiskSets,
    pieces: Callable[[FloatArray], Pieces],
    beta: FloatArray,
    free: IntArray,
    most: int,
    *,
    secant: bool = False,
) -> tuple[FloatArray, Pieces, int, bool]:
    """Take Newton steps, halved where they overshoot, until the score is nothing.

    With `secant` the information is not that of the whole likelihood; what the score's own change
    says of the rest is then added (quasi-Newton), without which the last digits are slow to come.

    Returns
    -------
    Where it got to, the pieces there, how many steps, whether it is the top.
    """
    here, steps = pieces(beta), 0
    within = np.ix_(free, free)
    bend = np.zeros((len(free), len(free)))
    for steps in range(1, most + 1):
        _, score, information = here
        step = np.zeros(len(beta))
        step[free] = np.linalg.solve(information[within] + bend, score[free])
        if not score @ step >= 0:  # what was learnt elsewhere does not hold here
            bend = np.zeros_like(bend)
            step[free] = np.linalg.solve(information[within], score[free])
        gain = float(score @ step)
        size = 1.0
        for _ in range(kernels.MOST_HALVINGS):
            trial = beta + size * step
            there = pieces(trial)
            if there[0] >= here[0] - 1e-10 * abs(here[0]):
                break
            size /= 2
        if secant:
            moved, fell = (trial - beta)[free], (here[1] - there[1])[free]
            bend = _bend(bend, moved, fell - there[2][within] @ moved)
        beta, here = trial, there
        if gain < kernels.FLAT:
            if kernels.spread(sets.x, step, sets.first, sets.last) > kernels.MOVING:
                break
            if gain < 1e-15:
                return beta, here, steps, True
    return beta, here, steps, False


def _bend(bend: FloatArray, moved: FloatArray, unexplained: FloatArray) -> FloatArray:
    """Learn the curvature that the information leaves out from how the score fell (SR1 update)."""
    rest = unexplained - bend @ moved
    along = float(rest @ moved)
    if abs(along) <= 1e-8 * float(np.linalg.norm(rest) * np.linalg.norm(moved)):
        return bend
    return np.asarray(bend + np.outer(rest, rest) / along)


def _fit_exact(sets: RiskSets, names: Sequence[str], penalty: FloatArray) -> Fit:
    def pieces(beta: FloatArray) -> Pieces:
        value, score, information = evaluate(sets, "exact", beta)
        pull = penalty * beta
        return value - float(beta @ pull) / 2, score - pull, information + np.diag(penalty)

    zero = np.zeros(len(names))
    free = np.arange(len(names))
    null, score0, information0 = pieces(zero)
    least = np.diag(information0) * kernels.LEAST_PIVOT
    test, root = np.empty(len(names)), np.zeros_like(information0)
    if not kernels.solve_symmetric(information0, score0, least, root, test):
        refuse(_without_maximum(kernels.SINGULAR, sets, zero, names))
    try:
        beta, _, steps, top = climb(sets, pieces, zero, free, MOST_STEPS)
    except np.linalg.LinAlgError:
        refuse(_without_maximum(kernels.MONOTONE, sets, zero + 1, names))
        raise
    if not top:
        refuse(_without_maximum(kernels.MONOTONE, sets, beta, names))
    value, _, information = evaluate(sets, "exact", beta)
    covariance = inverse(information + np.diag(penalty))
    return Fit(beta, information, covariance, null, value, float(score0 @ test), steps)


def firth_pieces(sets: RiskSets, ties: Ties, beta: FloatArray) -> Pieces:
    """Return the likelihood with Firth's penalty, its score, and the information without it."""
    value, score, information = evaluate(sets, ties, beta)
    try:
        root: FloatArray = np.asarray(np.linalg.cholesky(information), dtype=float)
    except np.linalg.LinAlgError:
        return -np.inf, score, information
    penalised = value + float(np.log(np.diag(root)).sum())
    if not np.isfinite(penalised):
        return -np.inf, score, information
    return penalised, score + _firth_score(sets, ties, beta, root), information


def _firth_score(sets: RiskSets, ties: Ties, beta: FloatArray, root: FloatArray) -> FloatArray:
    """Differentiate half the log determinant of the information.

    The r-th derivative is ``tr(I^-1 dI/db_r) / 2`` and ``dI/db_r`` holds third central moments of
    the covariates over the risk sets. With u the covariates turned so that the information is the
    identity (`root` is its Cholesky factor), that is half the sum of ``E |u - E u|^2 (u - E u)_r``.
    """
    p = len(beta)
    u = np.linalg.solve(root, sets.x.T).T
    size = (u**2).sum(axis=1)
    pairs = (u[:, :, None] * u[:, None, :]).reshape(len(u), p * p)
    values = np.ascontiguousarray(np.column_stack([u, size, pairs, size[:, None] * u]))
    total, dying = sums_at_risk(sets, values, beta)
    slot, share, weight = _each_event(sets, ties)
    sums = total[slot] - share[:, None] * dying[slot]
    means = sums[:, 1:] / sums[:, :1]
    mean, mean_size = means[:, :p], means[:, p]
    mean_pairs = means[:, p + 1 : p + 1 + p * p].reshape(-1, p, p)
    third = means[:, p + 1 + p * p :] - mean * mean_size[:, None]
    third -= 2 * np.einsum("ma,mar->mr", mean, mean_pairs)
    third += 2 * (mean**2).sum(axis=1)[:, None] * mean
    turned: FloatArray = root @ (weight @ third) / 2
    return turned


def _each_event(sets: RiskSets, ties: Ties) -> tuple[IntArray, FloatArray, FloatArray]:
    """Spell out tied events one by one: slot, share of the tied that is gone, weight."""
    count = sets.deaths.astype(np.int64)
    slot = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(slot)) - np.repeat(np.cumsum(count) - count, count)
    share = place / count[slot] if ties == "efron" else np.zeros(len(slot))
    return slot, share, (sets.death_weight / sets.deaths)[slot]


def sums_at_risk(
    sets: RiskSets, values: FloatArray, beta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Sum hazards and hazards times values over those at risk, and those with the event.

    Returns
    -------
    Two arrays of shape (K, 1 + columns of values).
    """
    r = sets.weight * np.exp(sets.offset + sets.x @ beta)
    shape = (len(sets.start), values.shape[1] + 1)
    total, dying = np.empty(shape), np.empty(shape)
    died = np.flatnonzero(sets.event)
    kernels.risk_sums(values, r, died, sets.first, sets.last, sets.start, total, dying)
    return total, dying


def _fit_firth(sets: RiskSets, ties: Ties, names: Sequence[str]) -> Fit:
    zero, free = np.zeros(len(names)), np.arange(len(names))
    null, score0, information0 = firth_pieces(sets, ties, zero)
    size = np.sqrt(np.maximum(np.diag(information0), 1e-300))
    if np.linalg.eigvalsh(information0 / np.outer(size, size))[0] < kernels.LEAST_PIVOT:
        refuse(_without_maximum(kernels.SINGULAR, sets, zero, names))
    beta, value, steps, top = climb_firth(sets, ties, zero, free)
    if not top:
        refuse([Problem(LIKELIHOOD, f"was still rising after {MOST_FIRTH_STEPS} steps")])
    information = evaluate(sets, ties, beta)[2]
    test = _quadratic(information0, score0)
    shift = float(np.log(sets.scale).sum())  # of the penalty, on the scale of the data
    covariance = inverse(information)
    return Fit(beta, information, covariance, null + shift, value + shift, test, steps)


def climb_firth(
    sets: RiskSets, ties: Ties, beta: FloatArray, free: IntArray
) -> tuple[FloatArray, float, int, bool]:
    """Climb Firth's likelihood in some of the coefficients, the others being held."""
    beta, pieces, steps, top = climb(
        sets, lambda here: firth_pieces(sets, ties, here), beta, free, MOST_FIRTH_STEPS, secant=True
    )
    return beta, pieces[0], steps, top
