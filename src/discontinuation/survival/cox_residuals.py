"""How far is each person from what a Cox model expects?

Sums over those at risk are made once (`at_estimate`); everything here follows from them. With
Efron's ties the l-th of d tied events finds a share l/d of the tied already gone, and the averages
over l are those of `_cox_kernels`: R's residuals, and variances built of them, equal these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discontinuation.survival import _cox_kernels as kernels
from discontinuation.survival._cox_kernels import A, B, C, E, FloatArray, G, IntArray
from discontinuation.survival.cox_design import RiskSets
from discontinuation.survival.cox_fit import Ties, sums_at_risk


@dataclass(frozen=True, eq=False)
class AtEstimate:
    """What goes on at each event time, on the scale of the standardised covariates.

    Attributes
    ----------
    risk
        Hazard of each row relative to the average person, shape (n,).
    hazard
        Of the average person at each slot, shape (K,).
    hazard_dying
        What of it those who have the event are spared, by how the ties are broken, shape (K,).
    hazard_square
        Variance of `hazard`, shape (K,).
    mean, mean_dying
        `hazard` and `hazard_dying` times the mean covariates at risk, shape (K, p).
    expected
        Mean covariates of the one who has the event, shape (K, p).
    total, dying, sums
        As the kernels make them.
    """

    risk: FloatArray
    hazard: FloatArray
    hazard_dying: FloatArray
    hazard_square: FloatArray
    mean: FloatArray
    mean_dying: FloatArray
    expected: FloatArray
    total: FloatArray
    dying: FloatArray
    sums: FloatArray


def at_estimate(sets: RiskSets, ties: Ties, beta: FloatArray) -> AtEstimate:
    """Sum up who is at risk, and with what hazard, at every event time."""
    total, dying = sums_at_risk(sets, sets.x, beta)
    sums = np.empty((len(total), 6))
    kernels.tie_sums(sets.deaths, sets.death_weight, total, dying, ties == "efron", sums)
    s, d = total[:, 1:], dying[:, 1:]
    a, b, c, e, g = (sums[:, m, None] for m in (A, B, C, E, G))
    return AtEstimate(
        risk=np.exp(sets.offset + sets.x @ beta),
        hazard=sums[:, A],
        hazard_dying=sums[:, B],
        hazard_square=sums[:, C],
        mean=c * s - e * d,
        mean_dying=e * s - g * d,
        expected=(a * s - b * d) / sets.death_weight[:, None],
        total=total,
        dying=dying,
        sums=sums,
    )


def over_follow_up(sets: RiskSets, steps: FloatArray) -> FloatArray:
    """Sum something that happens at slots over the slots at which each row is at risk."""
    before = np.concatenate([np.zeros((1, *steps.shape[1:])), np.cumsum(steps, axis=0)])
    summed: FloatArray = before[np.maximum(sets.last + 1, sets.first)] - before[sets.first]
    return summed


def at_own_event(sets: RiskSets, values: FloatArray) -> FloatArray:
    """Pick the value at the slot of a row's event; 0 for rows without one."""
    picked = np.zeros((len(sets.row), *values.shape[1:]))
    picked[sets.event] = values[sets.last[sets.event]]
    return picked


def martingale(sets: RiskSets, at: AtEstimate) -> FloatArray:
    """Return events less expected events, shape (n,)."""
    hazard = over_follow_up(sets, at.hazard) - at_own_event(sets, at.hazard_dying)
    result: FloatArray = sets.event - at.risk * hazard
    return result


def deviance(residual: FloatArray, events: FloatArray) -> FloatArray:
    """Turn martingale residuals into those whose squares sum to the deviance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(events > 0, events * np.log(events - residual), 0.0)
    result: FloatArray = np.sign(residual) * np.sqrt(np.maximum(-2 * (residual + logs), 0.0))
    return result


def score(sets: RiskSets, at: AtEstimate) -> FloatArray:
    """Return each row's share of the score, before its weight, shape (n, p).

    References
    ----------
    Lin DY, Wei LJ. J Am Stat Assoc 1989;84:1074-1078; for tied events Therneau and Grambsch,
    Modeling Survival Data, 2000, section 7.2.
    """
    hazard = over_follow_up(sets, at.hazard) - at_own_event(sets, at.hazard_dying)
    mean = over_follow_up(sets, at.mean) - at_own_event(sets, at.mean_dying)
    own = sets.event[:, None] * sets.x - at_own_event(sets, at.expected)
    result: FloatArray = own - at.risk[:, None] * (sets.x * hazard[:, None] - mean)
    return result


def schoenfeld(sets: RiskSets, at: AtEstimate) -> tuple[IntArray, FloatArray]:
    """Return covariates of those who have an event less those expected, in order of slots.

    Returns
    -------
    Rows with the events, and residuals, shape (events, p).
    """
    rows = np.flatnonzero(sets.event)
    rows = rows[np.argsort(sets.last[rows], kind="stable")]
    return rows, sets.x[rows] - at.expected[sets.last[rows]]


def grouped_sums(values: FloatArray, group: IntArray, groups: int) -> FloatArray:
    """Sum rows by group, shape (groups, columns)."""
    return np.column_stack([np.bincount(group, column, minlength=groups) for column in values.T])


def sandwich(
    sets: RiskSets, at: AtEstimate, covariance: FloatArray, group: IntArray, groups: int
) -> FloatArray:
    """Return the variance that stays right if the model is wrong, or rows go together.

    Parameters
    ----------
    sets, at
        The model.
    covariance
        That of the model.
    group
        Which rows go together, one number per row.
    groups
        How many there are.

    References
    ----------
    Lin and Wei 1989, as `score`; Lee EW, Wei LJ, Amato DA 1992 (clusters).
    """
    each = grouped_sums(sets.weight[:, None] * score(sets, at), group, groups)
    change = each @ covariance
    result: FloatArray = change.T @ change
    return result


def weighted_information(sets: RiskSets, at: AtEstimate, factor: FloatArray) -> FloatArray:
    """Sum the information of the slots, each times a factor.

    Parameters
    ----------
    sets, at
        The model.
    factor
        One per slot, shape (K,).
    """
    hazard = over_follow_up(sets, at.hazard * factor)
    hazard -= at_own_event(sets, at.hazard_dying * factor)
    square = (sets.weight * at.risk * hazard)[:, None] * sets.x
    s, d = at.total[:, 1:], at.dying[:, 1:]
    c, e, g = ((at.sums[:, m] * factor)[:, None] for m in (C, E, G))
    result: FloatArray = sets.x.T @ square - s.T @ (c * s - e * d) - d.T @ (g * d - e * s)
    return result
