"""How high is the partial likelihood of a Cox model, and where is it highest?

Rows are people or stretches of their follow-up, n of them with p covariates. Slots are the distinct
event times, K of them, one stratum after the other and each in order of time. Row i is at risk at
the slots ``first[i]`` to ``last[i]``; an event of row i happens at ``last[i]``. ``start[k]`` is the
first slot of the stratum that slot k belongs to. Rows with ``last < first`` are never at risk.

With tied events the likelihood of Efron averages over the order in which they happened: the l-th
of d finds ``S0 - (l/d) E0`` in its risk set, S0 being everybody at risk and E0 those who have the
event now. Score and information then need five sums over l for each time, whatever d and p are:
``a = sum 1/D_l``, ``b = sum f_l/D_l``, ``c = sum 1/D_l^2``, ``e = sum f_l/D_l^2``,
``g = sum f_l^2/D_l^2`` with ``f_l = l/d`` and ``D_l = S0 - f_l E0``, times the mean weight of the
events. With Breslow's likelihood every ``f_l`` is 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

A, B, C, E, G, LOGS = range(6)

CONVERGED, NOT_CONVERGED, SINGULAR, MONOTONE, NOT_FINITE = range(5)

ENOUGH = 1e-10  # twice the gain in log-likelihood that a last step still promises
FLAT = 1e-6  # the likelihood no longer rises ...
MOVING = 0.5  # ... but somebody's log hazard still moves by this much: it has no maximum
FARTHEST = 300.0  # log hazards so far apart are on their way: their sums cancel to nothing
LEAST_PIVOT = 1e-9  # of a covariate's information, once the others are accounted for
LATER = 1e-4  # times that: away from 0, where likelihoods may be flat
MOST_HALVINGS = 30
BLOCK = 256


@njit(cache=True, nogil=True, error_model="numpy")
def _add(table: FloatArray, slot: int, r: float, x: FloatArray, row: int) -> None:
    table[slot, 0] += r
    for j in range(x.shape[1]):
        table[slot, j + 1] += r * x[row, j]


@njit(cache=True, nogil=True, error_model="numpy")
def risk_sums(
    x: FloatArray, r: FloatArray, died: IntArray, first: IntArray, last: IntArray,
    start: IntArray, total: FloatArray, dying: FloatArray,
) -> None:  # fmt: skip
    """Sum r and r x over those at risk and over those who have the event, at each slot.

    `died` lists the rows with an event. Fills `total` and `dying`, shape (K, p + 1); the first
    column is the sum of r.
    """
    total[:] = 0.0
    dying[:] = 0.0
    for i in range(x.shape[0]):
        k, before = last[i], first[i] - 1
        if k <= before:
            continue
        _add(total, k, r[i], x, i)
        if before >= start[k]:
            _add(total, before, -r[i], x, i)
    for i in died:
        _add(dying, last[i], r[i], x, i)
    for k in range(len(start) - 2, -1, -1):
        if start[k + 1] == start[k]:
            for j in range(total.shape[1]):
                total[k, j] += total[k + 1, j]


@njit(cache=True, nogil=True, error_model="numpy")
def tie_sums(
    deaths: FloatArray,
    death_weight: FloatArray,
    total: FloatArray,
    dying: FloatArray,
    efron: bool,
    sums: FloatArray,
) -> None:
    """Fill the five sums of each slot and the sum of log(D_l), times the mean event weight."""
    for k in range(len(deaths)):
        for m in range(6):
            sums[k, m] = 0.0
        d = int(deaths[k] + 0.5)
        if d == 0:
            continue
        if not efron or d == 1:
            one = 1.0 / total[k, 0]
            sums[k, A] = d * one
            sums[k, C] = d * one * one
            sums[k, LOGS] = d * np.log(total[k, 0])
        else:
            a, b, c, e, g, logs = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for m in range(d):
                f = m / d
                left = total[k, 0] - f * dying[k, 0]
                one = 1.0 / left
                a += one
                b += f * one
                c += one * one
                e += f * one * one
                g += f * f * one * one
                logs += np.log(left)
            sums[k, A], sums[k, B], sums[k, C] = a, b, c
            sums[k, E], sums[k, G], sums[k, LOGS] = e, g, logs
        mean = death_weight[k] / d
        for m in range(6):
            sums[k, m] *= mean


@njit(cache=True, nogil=True, error_model="numpy")
def _risks(
    x: FloatArray, weight: FloatArray, offset: FloatArray, beta: FloatArray, r: FloatArray
) -> None:
    """Fill r = weight exp(eta)."""
    n, p = x.shape
    for i in range(n):
        eta = offset[i]
        for j in range(p):
            eta += x[i, j] * beta[j]
        r[i] = weight[i] * np.exp(eta)


@njit(cache=True, nogil=True, error_model="numpy")
def _of_events(x: FloatArray, weight: FloatArray, offset: FloatArray, died: IntArray) -> FloatArray:
    """Add up offset [0] and covariates of the events, whatever beta is; shape (p + 1,)."""
    p = x.shape[1]
    out = np.zeros(p + 1)
    for i in died:
        out[0] += weight[i] * offset[i]
        for j in range(p):
            out[j + 1] += weight[i] * x[i, j]
    return out


# Sums may be taken in any order here, so that several are taken at once.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _dot(a: FloatArray, b: FloatArray) -> float:
    value = 0.0
    for i in range(len(a)):
        value += a[i] * b[i]
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _information(
    x: FloatArray, r: FloatArray, event: BoolArray, first: IntArray, last: IntArray,
    total: FloatArray, dying: FloatArray, sums: FloatArray, hazard: FloatArray,
    information: FloatArray,
) -> None:  # fmt: skip
    """Fill the upper triangle: squares of the covariates less squares of their means."""
    information[:] = 0.0
    hazard[0] = 0.0
    for k in range(len(sums)):
        hazard[k + 1] = hazard[k] + sums[k, A]
    _add_squares(x, r, event, first, last, sums, hazard, information)
    for k in range(len(sums)):
        c, e, g = sums[k, C], sums[k, E], sums[k, G]
        for j in range(x.shape[1]):
            s = c * total[k, j + 1] - e * dying[k, j + 1]
            t = g * dying[k, j + 1] - e * total[k, j + 1]
            for m in range(j, x.shape[1]):
                information[j, m] -= s * total[k, m + 1] + t * dying[k, m + 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_squares(
    x: FloatArray, r: FloatArray, event: BoolArray, first: IntArray, last: IntArray,
    sums: FloatArray, hazard: FloatArray, information: FloatArray,
) -> None:  # fmt: skip
    """Add products of the covariates, each row weighted by the hazard it lived through."""
    n, p = x.shape
    columns, weighted = np.empty((p, BLOCK)), np.empty((p, BLOCK))
    for low in range(0, n, BLOCK):
        size = min(BLOCK, n - low)
        for b in range(size):
            i = low + b
            k = last[i]
            q = 0.0
            if k >= first[i]:
                q = hazard[k + 1] - hazard[first[i]]
                if event[i]:
                    q -= sums[k, B]
                q *= r[i]
            for j in range(p):
                columns[j, b] = x[i, j]
                weighted[j, b] = q * x[i, j]
        for j in range(p):
            for m in range(j, p):
                information[j, m] += _dot(weighted[j, :size], columns[m, :size])


@njit(cache=True, nogil=True, error_model="numpy")
def _means(x: FloatArray, weight: FloatArray) -> FloatArray:
    centre = np.zeros(x.shape[1])
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            centre[j] += weight[i] * x[i, j]
    return centre / np.sum(weight)


@njit(cache=True, nogil=True, error_model="numpy")
def _deviations(x: FloatArray, weight: FloatArray, centre: FloatArray) -> FloatArray:
    square = np.zeros(x.shape[1])
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            square[j] += weight[i] * (x[i, j] - centre[j]) ** 2
    return np.sqrt(square / np.sum(weight))


@njit(cache=True, nogil=True, error_model="numpy")
def standardise(x: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Centre and scale: the likelihood stays, digits do too.

    Returns
    -------
    The columns, their centres and their scales; a column that is the same everywhere becomes 0.
    """
    n, p = x.shape
    centre = _means(x, weight)
    scale, out = _deviations(x, weight, centre), np.empty((n, p))
    factor = np.zeros(p)
    for j in range(p):
        if scale[j] > 1e-12 * abs(centre[j]):
            factor[j] = 1 / scale[j]
        else:
            scale[j] = 1.0
    for i in range(n):
        for j in range(p):
            out[i, j] = (x[i, j] - centre[j]) * factor[j]
    return out, centre, scale


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate(
    x: FloatArray, weight: FloatArray, offset: FloatArray, event: BoolArray, died: IntArray,
    of_events: FloatArray, first: IntArray, last: IntArray, start: IntArray, deaths: FloatArray,
    death_weight: FloatArray, efron: bool, beta: FloatArray, r: FloatArray, total: FloatArray,
    dying: FloatArray, sums: FloatArray, hazard: FloatArray, score: FloatArray,
    information: FloatArray,
) -> float:  # fmt: skip
    """Return the log partial likelihood; fill its score and information (upper triangle)."""
    p = x.shape[1]
    likelihood = float(of_events[0])
    for j in range(p):
        score[j] = of_events[j + 1]
        likelihood += score[j] * beta[j]
    _risks(x, weight, offset, beta, r)
    risk_sums(x, r, died, first, last, start, total, dying)
    tie_sums(deaths, death_weight, total, dying, efron, sums)
    for k in range(len(sums)):
        likelihood -= sums[k, LOGS]
        for j in range(p):
            score[j] -= sums[k, A] * total[k, j + 1] - sums[k, B] * dying[k, j + 1]
    _information(x, r, event, first, last, total, dying, sums, hazard, information)
    return likelihood


@njit(cache=True, nogil=True, error_model="numpy")
def solve_symmetric(
    matrix: FloatArray, right: FloatArray, least: FloatArray, root: FloatArray, out: FloatArray
) -> bool:
    """Solve by Cholesky (upper triangle given); False if a pivot is not above `least`."""
    p = len(right)
    for j in range(p):
        for m in range(j, p):
            value = matrix[j, m]
            for k in range(j):
                value -= root[k, j] * root[k, m]
            if m == j:
                if not value > least[j]:
                    return False
                root[j, j] = np.sqrt(value)
            else:
                root[j, m] = value / root[j, j]
    for j in range(p):
        value = right[j]
        for k in range(j):
            value -= root[k, j] * out[k]
        out[j] = value / root[j, j]
    for j in range(p - 1, -1, -1):
        value = out[j]
        for k in range(j + 1, p):
            value -= root[j, k] * out[k]
        out[j] = value / root[j, j]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def spread(x: FloatArray, step: FloatArray, first: IntArray, last: IntArray) -> float:
    """Return by how much a step moves the log hazards of those at risk apart."""
    low, high = np.inf, -np.inf
    for i in range(x.shape[0]):
        if last[i] < first[i]:
            continue
        move = 0.0
        for j in range(x.shape[1]):
            move += x[i, j] * step[j]
        low, high = min(low, move), max(high, move)
    return high - low


# Loops over a few numbers: array expressions would take seconds to compile.
@njit(cache=True, nogil=True, error_model="numpy")
def _move(at: FloatArray, step: FloatArray, size: float, out: FloatArray) -> None:
    for j in range(len(at)):
        out[j] = at[j] + size * step[j]


@njit(cache=True, nogil=True, error_model="numpy")
def _pull(penalty: FloatArray, beta: FloatArray) -> float:
    value = 0.0
    for j in range(len(beta)):
        value += penalty[j] * beta[j] * beta[j]
    return value / 2


@njit(cache=True, nogil=True, error_model="numpy")
def _mirror(matrix: FloatArray) -> None:
    for j in range(len(matrix)):
        for m in range(j):
            matrix[j, m] = matrix[m, j]


@njit(cache=True, nogil=True, error_model="numpy")
def newton(  # noqa: C901 (one climb, read from top to bottom)
    x: FloatArray, weight: FloatArray, offset: FloatArray, event: BoolArray, first: IntArray,
    last: IntArray, start: IntArray, deaths: FloatArray, death_weight: FloatArray, efron: bool,
    penalty: FloatArray, beta: FloatArray, most: int, finish: bool,
) -> tuple[
    float, float, FloatArray, FloatArray, FloatArray, FloatArray, int, int
]:  # fmt: skip
    """Climb from `beta`, which is changed in place, to the highest penalised likelihood.

    `penalty` is multiplied by the squared coefficients, halved and taken off; `finish` asks for
    likelihood and information at the very end, which a bootstrap does not need.

    Returns
    -------
    log-likelihood at the start and at the end, score at the start and at the end, information at
    the start and at the end (symmetric, without the penalty), steps, what became of it
    """
    n, p = x.shape
    slots = len(start)
    r, hazard = np.empty(n), np.empty(slots + 1)
    total, dying = np.empty((slots, p + 1)), np.empty((slots, p + 1))
    sums = np.empty((slots, 6))
    score, information = np.empty(p), np.empty((p, p))
    curvature, root = np.empty((p, p)), np.zeros((p, p))
    gradient, step, trial = np.empty(p), np.zeros(p), np.empty(p)
    least = np.zeros(p)
    events = np.sum(death_weight)
    unit = events / max(np.sum(deaths), 1.0)
    died = np.flatnonzero(event)
    of_events = _of_events(x, weight, offset, died)

    value = evaluate(
        x, weight, offset, event, died, of_events, first, last, start, deaths, death_weight,
        efron, beta, r, total, dying, sums, hazard, score, information,
    )  # fmt: skip
    value0, score0, information0 = value, score.copy(), information.copy()
    state, steps = NOT_CONVERGED, 0
    if not np.isfinite(value):
        state = NOT_FINITE
    while state == NOT_CONVERGED and steps < most:
        for j in range(p):
            gradient[j] = score[j] - penalty[j] * beta[j]
            for m in range(j, p):
                curvature[j, m] = information[j, m]
            curvature[j, j] += penalty[j]
            if steps == 0:
                least[j] = LEAST_PIVOT * curvature[j, j] + 1e-12 * events
        if not solve_symmetric(curvature, gradient, least, root, step):
            state = SINGULAR if steps == 0 else MONOTONE
            break
        if steps == 0:
            _move(least, least, LATER - 1, least)
        steps += 1
        gain = _dot(gradient, step) / unit
        if gain < FLAT and spread(x, step, first, last) > MOVING:
            state = MONOTONE
            break
        done = gain < ENOUGH
        if done and spread(x, beta, first, last) > FARTHEST:
            state = MONOTONE
            break
        if done and not finish:
            _move(beta, step, 1.0, beta)
            state = CONVERGED
            break
        before = value - _pull(penalty, beta)
        size = 1.0
        for _ in range(MOST_HALVINGS):
            _move(beta, step, size, trial)
            value = evaluate(
                x, weight, offset, event, died, of_events, first, last, start, deaths,
                death_weight, efron, trial, r, total, dying, sums, hazard, score, information,
            )  # fmt: skip
            after = value - _pull(penalty, trial)
            if done or after >= before - 1e-9 * abs(before):
                break
            size /= 2
        _move(trial, step, 0.0, beta)
        if done:
            state = CONVERGED
    _mirror(information)
    _mirror(information0)
    return value0, value, score0, score, information0, information, steps, state


@njit(cache=True, nogil=True, error_model="numpy")
def refit_all(
    x: FloatArray, weight: FloatArray, offset: FloatArray, event: BoolArray, first: IntArray,
    last: IntArray, start: IntArray, efron: bool, penalty: FloatArray, beta: FloatArray,
    multiplicities: FloatArray, most: int, found: FloatArray, states: IntArray,
) -> None:  # fmt: skip
    """Fit again with each row there as often as its multiplicity says, from `beta` on.

    `multiplicities` has shape (fits, n); fills `found` (fits, p) and `states` (fits,).
    """
    n, slots = x.shape[0], len(start)
    deaths, death_weight, now = np.empty(slots), np.empty(slots), np.empty(n)
    for fit in range(multiplicities.shape[0]):
        deaths[:] = 0.0
        death_weight[:] = 0.0
        for i in range(n):
            now[i] = weight[i] * multiplicities[fit, i]
            if event[i]:
                deaths[last[i]] += multiplicities[fit, i]
                death_weight[last[i]] += now[i]
        here = beta.copy()
        states[fit] = newton(
            x, now, offset, event, first, last, start, deaths, death_weight, efron, penalty, here,
            most, False,
        )[7]  # fmt: skip
        found[fit] = here


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(x: FloatArray, eta: FloatArray, row: int, sign: float, score: FloatArray) -> float:
    for j in range(x.shape[1]):
        score[j] += sign * x[row, j]
    value: float = eta[row]
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate_exact(
    x: FloatArray, offset: FloatArray, event: BoolArray, first: IntArray, last: IntArray,
    deaths: FloatArray, beta: FloatArray, score: FloatArray, information: FloatArray,
) -> float:  # fmt: skip
    """Return Cox's exact partial likelihood of tied events; fill its score and information.

    The events of a slot are d of those at risk, drawn with odds exp(eta): a sum over all subsets
    of size d. With independent draws of probability c exp(eta) / (1 + c exp(eta)) and c chosen so
    that d are expected, that sum is the probability of drawing d, up to known factors. Its
    recursion (Gail, Lubin, Rubinstein, Biometrika 1981;68:703) then adds probabilities and cannot
    overflow; its derivatives are moments of the sum of covariates of the d who were drawn.
    """
    n, p = x.shape
    eta, risk = offset.copy(), np.empty(n, np.int64)
    likelihood = 0.0
    score[:] = 0.0
    information[:] = 0.0
    for i in range(n):
        for j in range(p):
            eta[i] += x[i, j] * beta[j]
    for i in range(n):
        if event[i]:
            likelihood += _draw(x, eta, i, 1.0, score)
    for k in range(len(deaths)):
        count, d = 0, int(deaths[k] + 0.5)
        for i in range(n):
            if first[i] <= k <= last[i]:
                risk[count] = i
                count += 1
        if d == count:  # nobody was spared: certain, whatever beta is
            for i in risk[:count]:
                likelihood -= _draw(x, eta, i, -1.0, score)
        else:
            likelihood -= _log_subsets(x, eta, risk[:count], d, score, information)
    _mirror(information)
    return likelihood


@njit(cache=True, nogil=True, error_model="numpy")
def _log_subsets(
    x: FloatArray, eta: FloatArray, risk: IntArray, d: int, score: FloatArray,
    information: FloatArray,
) -> float:  # fmt: skip
    """Return the log of the sum over subsets of size d; take it off score and information."""
    p = x.shape[1]
    chance, mean, square = np.zeros(d + 1), np.zeros((d + 1, p)), np.zeros((d + 1, p, p))
    chance[0] = 1.0
    shift = _odds_for(eta, risk, d)
    value: float = -d * shift
    for i in risk:
        drawn = 1 / (1 + np.exp(-eta[i] - shift))
        value -= np.log1p(-drawn)
        for m in range(d, 0, -1):
            for j in range(p):
                for h in range(j, p):
                    grown = square[m - 1, j, h] + mean[m - 1, j] * x[i, h]
                    grown += x[i, j] * (mean[m - 1, h] + x[i, h] * chance[m - 1])
                    square[m, j, h] += drawn * (grown - square[m, j, h])
            for j in range(p):
                grown = mean[m - 1, j] + x[i, j] * chance[m - 1]
                mean[m, j] += drawn * (grown - mean[m, j])
            chance[m] += drawn * (chance[m - 1] - chance[m])
        chance[0] *= 1 - drawn
    for j in range(p):
        score[j] -= mean[d, j] / chance[d]
        for h in range(j, p):
            middle = mean[d, j] * mean[d, h] / chance[d]
            information[j, h] += (square[d, j, h] - middle) / chance[d]
    value += np.log(chance[d])
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _odds_for(eta: FloatArray, risk: IntArray, d: int) -> float:
    """Return the shift of eta with which d of those at risk are expected to be drawn."""
    low, high = np.inf, -np.inf
    for i in risk:
        low, high = min(low, -eta[i] - 40.0), max(high, -eta[i] + 40.0)
    for _ in range(60):
        middle = (low + high) / 2
        expected = 0.0
        for i in risk:
            expected += 1 / (1 + np.exp(-eta[i] - middle))
        if expected < d:
            low = middle
        else:
            high = middle
    return (low + high) / 2
