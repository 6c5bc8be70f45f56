"""Loops behind cumulative incidences, compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ROUNDING = 1e-14


@njit(cache=True, nogil=True, error_model="numpy")
def whole_range(values: FloatArray) -> tuple[float, float, bool]:
    """Find the smallest and largest value, and whether all are whole numbers."""
    low = high = values[0]
    whole = True
    for value in values:
        low = min(low, value)
        high = max(high, value)
        whole = whole and value == np.floor(value)
    return low, high, whole


@njit(cache=True, nogil=True, error_model="numpy")
def rank_whole_numbers(values: FloatArray, low: float, span: int) -> tuple[IntArray, FloatArray]:
    """Number the distinct whole numbers from `low` to `low + span - 1` in order.

    Returns their ranks per value, shape (n,), and the distinct numbers.
    """
    rank = np.full(span, -1, np.int64)
    for value in values:
        rank[np.int64(value - low)] = 0
    distinct = np.empty(span)
    count = 0
    for step in range(span):
        if rank[step] == 0:
            rank[step] = count
            distinct[count] = low + step
            count += 1
    ranks = np.empty(len(values), np.int64)
    for row in range(len(values)):
        ranks[row] = rank[np.int64(values[row] - low)]
    return ranks, distinct[:count].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def running_variance(step: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
    """Variance of a cumulative incidence after each time, in one pass.

    With increments F_j of the incidence F, the variance at t is the sum over times j up to t of
    ``(F(t) - F_j)**2 a_j + b_j - 2 (F(t) - F_j) c_j``. The sums move along with F, so nothing is
    subtracted that is larger than the result.

    Parameters
    ----------
    step, b, c
        Increment of the incidence and coefficients, shape (curves, causes, times).
    a
        Shape (curves, causes, times), or (curves, 1, times) if the causes share it.
    """
    curves, causes, times = step.shape
    variance = np.empty((curves, causes, times))
    for curve in range(curves):
        for cause in range(causes):
            weight = linear = square = cross_weight = cross = own = 0.0
            for j in range(times):
                rise = step[curve, cause, j]
                square += 2 * rise * linear + rise * rise * weight
                linear += rise * weight
                cross += rise * cross_weight
                weight += a[curve, min(cause, a.shape[1] - 1), j]
                cross_weight += c[curve, cause, j]
                own += b[curve, cause, j]
                found = square + own - 2 * cross
                # Once everybody has failed nothing is left but rounding.
                variance[curve, cause, j] = found if found > ROUNDING * (square + own) else 0.0
    return variance


@njit(cache=True, nogil=True, error_model="numpy")
def subdistribution_sums(
    x: FloatArray,
    risk: FloatArray,
    rank: IntArray,
    kind: IntArray,
    inverse_g: FloatArray,
    times: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sums of the risk scores, and of covariates times scores, per distinct time.

    Parameters
    ----------
    x
        Covariates, shape (n, p).
    risk
        Case weight times exp(linear predictor), shape (n,).
    rank
        Position of each person's time among the distinct times.
    kind
        0 censored, 1 event of interest, 2 another event.
    inverse_g
        1 / G(time-) by distinct time: what people with another event are multiplied with later.
    times
        Number of distinct times.

    Returns
    -------
    everybody, failed_otherwise, failed
        Shape (times, 1 + p): sum of the scores, then of the scores times each covariate, over all
        whose time it is; over those with another event, over G; over those with the event.
    """
    people, width = x.shape
    everybody = np.zeros((times, 1 + width))
    otherwise = np.zeros((times, 1 + width))
    failed = np.zeros((times, 1 + width))
    for row in range(people):
        j = rank[row]
        score = risk[row]
        everybody[j, 0] += score
        for k in range(width):
            everybody[j, 1 + k] += score * x[row, k]
        if kind[row] == 1:
            failed[j, 0] += score
            for k in range(width):
                failed[j, 1 + k] += score * x[row, k]
        elif kind[row] == 2:
            score *= inverse_g[j]
            otherwise[j, 0] += score
            for k in range(width):
                otherwise[j, 1 + k] += score * x[row, k]
    return everybody, otherwise, failed


@njit(cache=True, nogil=True, error_model="numpy")
def _events_at_a_time(
    total: FloatArray,
    failed: FloatArray,
    each: float,
    steps: int,
    mean: FloatArray,
    hazard: FloatArray,
    tied: FloatArray,
    outer: FloatArray,
) -> float:
    """Add one time to the moments; `each` is the case weight per step."""
    width = len(mean)
    average = np.empty(width)
    taken = 0.0
    for step in range(steps):
        share = step / steps
        at_risk = total[0] - share * failed[0]
        taken += each * np.log(at_risk)
        rise = each / at_risk
        hazard[0] += rise
        tied[0] += share * rise
        for k in range(width):
            average[k] = (total[1 + k] - share * failed[1 + k]) / at_risk
            mean[k] += average[k] / steps
            hazard[1 + k] += rise * average[k]
            tied[1 + k] += share * rise * average[k]
        for k in range(width):
            for m in range(width):
                outer[k, m] += each * average[k] * average[m]
    return taken


@njit(cache=True, nogil=True, error_model="numpy")
def subdistribution_moments(
    everybody: FloatArray,
    otherwise: FloatArray,
    failed: FloatArray,
    g: FloatArray,
    weight: FloatArray,
    deaths: IntArray,
    efron: bool,
) -> tuple[float, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Turn sums per time into what each distinct time adds to likelihood, score and information.

    Parameters
    ----------
    everybody, otherwise, failed
        From `subdistribution_sums`; the first two are overwritten by their sums from each time on
        and up to each time.
    g
        G(t-) at each distinct time.
    weight, deaths
        Sum of case weights and number of people with the event, shape (times,).
    efron
        Whether tied events leave the risk set one by one (Efron) or together (Breslow).

    Returns
    -------
    log_likelihood
        What the risk sets take off the log-likelihood.
    mean
        Mean covariates of the risk set of an event, shape (times, p); averaged over the steps of
        tied events.
    hazard, tied
        Shape (times, 1 + p): increment of the baseline hazard that everybody at risk meets, and
        what those with an event then are spared; the same times the mean covariates.
    outer
        Sum of weight * mean mean', shape (p, p).
    """
    times, width = everybody.shape
    mean = np.zeros((times, width - 1))
    hazard = np.zeros((times, width))
    tied = np.zeros((times, width))
    outer = np.zeros((width - 1, width - 1))
    taken = 0.0
    for j in range(times - 2, -1, -1):
        for k in range(width):
            everybody[j, k] += everybody[j + 1, k]
    before = np.zeros(width)
    total = np.zeros(width)
    for j in range(times):
        if deaths[j] > 0:
            for k in range(width):
                total[k] = everybody[j, k] + g[j] * before[k]
            steps = deaths[j] if efron else 1
            taken += _events_at_a_time(
                total, failed[j], weight[j] / steps, steps, mean[j], hazard[j], tied[j], outer
            )
        for k in range(width):
            before[k] += otherwise[j, k]
            otherwise[j, k] = before[k]
    return taken, mean, hazard, tied, outer


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_squares(x: FloatArray, weight: FloatArray) -> FloatArray:
    """Sum of weight * x x' over people, shape (p, p)."""
    people, width = x.shape
    total = np.zeros((width, width))
    for row in range(people):
        for k in range(width):
            part = weight[row] * x[row, k]
            for m in range(k + 1):
                total[k, m] += part * x[row, m]
    for k in range(width):
        for m in range(k):
            total[m, k] = total[k, m]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def value_of_states(
    steps: FloatArray, waits: FloatArray, final: float, target: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Expect a quantity from each state, backwards in time.

    Parameters
    ----------
    steps
        Transition matrix at each time, shape (times, states, states).
    waits
        What being in the target state between the time before and each time is worth; shape
        (times,).
    final
        What being in the target state after the last time is worth.
    target
        The state.

    Returns
    -------
    at_origin, before, after
        Expected worth for somebody in each state at the origin, shape (states,), and just before
        and just after each time, shape (times, states).
    """
    times, states = steps.shape[:2]
    before = np.zeros((times, states))
    after = np.zeros((times, states))
    value = np.zeros(states)
    value[target] = final
    for j in range(times - 1, -1, -1):
        after[j] = value
        for h in range(states):
            total = 0.0
            for m in range(states):
                total += steps[j, h, m] * after[j, m]
            before[j, h] = total
        value[:] = before[j]
        value[target] += waits[j]
    return value, before, after


@njit(cache=True, nogil=True, error_model="numpy")
def squared_influences(
    first: BoolArray,
    begin: IntArray,
    end: IntArray,
    state: IntArray,
    entered: IntArray,
    weight: FloatArray,
    counted: BoolArray,
    ratio: FloatArray,
    before: FloatArray,
    after: FloatArray,
    at_start: FloatArray,
) -> float:
    """Sum of squared influences of people on a quantity of a multi-state curve.

    Parameters
    ----------
    first
        Whether a row is the first of its person, shape (rows,); rows of a person are together.
    begin, end
        Number of transition times up to the start and up to the stop of the row.
    state, entered
        State in the row, and that entered at its stop; -1: none.
    weight
        Case weight.
    counted
        Whether the row counts in the initial distribution.
    ratio
        p_h(s-) / n_h(s), shape (times, states).
    before, after
        From `value_of_states`, for the times that matter.
    at_start
        Influence of being counted in a state, shape (states,).

    Returns
    -------
    float
        The infinitesimal-jackknife variance.
    """
    times, states = before.shape
    stayed = np.zeros((times + 1, states))
    for j in range(times):
        for h in range(states):
            stayed[j + 1, h] = stayed[j, h] + ratio[j, h] * (after[j, h] - before[j, h])
    variance = 0.0
    influence = 0.0
    for row in range(len(state)):
        if first[row]:
            variance += influence * influence
            influence = 0.0
        h = state[row]
        effect = stayed[min(end[row], times), h] - stayed[min(begin[row], times), h]
        if entered[row] >= 0 and end[row] <= times:
            j = end[row] - 1
            effect += ratio[j, h] * (after[j, entered[row]] - after[j, h])
        if counted[row]:
            effect += at_start[h]
        influence += weight[row] * effect
    return variance + influence * influence


@njit(cache=True, nogil=True, error_model="numpy")
def subdistribution_residuals(
    x: FloatArray,
    score: FloatArray,
    rank: IntArray,
    kind: IntArray,
    inverse_g: FloatArray,
    mean: FloatArray,
    passed: FloatArray,
    spared: FloatArray,
    to_come: FloatArray,
    censored: FloatArray,
    survived: FloatArray,
) -> FloatArray:
    """What each person adds to the score, and to it through the censoring distribution.

    Parameters
    ----------
    x, score, rank, kind, inverse_g
        Covariates, exp(linear predictor) and as in `subdistribution_sums`.
    mean
        Mean covariates of the risk set of an event, shape (times, p).
    passed, spared, to_come
        Shape (times, 1 + p): cumulative hazard up to each time, what those with an event then
        are spared of it, and hazard times G after it; each also times the mean covariates.
    censored
        What being censored at each time adds, shape (times, p).
    survived
        What being at risk of censoring up to each time adds, shape (2, times, p): for those who
        are censored at it, and for the others.

    Returns
    -------
    array
        Shape (n, p).
    """
    people, width = x.shape
    residual = np.empty((people, width))
    for row in range(people):
        j = rank[row]
        what = kind[row]
        for k in range(width):
            value = x[row, k]
            change = -score[row] * (value * passed[j, 0] - passed[j, 1 + k])
            if what == 0:
                change += censored[j, k] + survived[0, j, k]
            else:
                change += survived[1, j, k]
            if what == 1:
                change += value - mean[j, k]
                change += score[row] * (value * spared[j, 0] - spared[j, 1 + k])
            elif what == 2:
                change -= score[row] * inverse_g[j] * (value * to_come[j, 0] - to_come[j, 1 + k])
            residual[row, k] = change
    return residual
