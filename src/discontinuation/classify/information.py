"""In which direction does the likelihood rise, and how sharply is it curved?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from discontinuation.classify.hazards import RELAPSE, CauseHazard
from discontinuation.classify.likelihood import Expectation, Task
from discontinuation.classify.observed import Points

FloatArray = npt.NDArray[np.float64]


def complete_score(found: Expectation, task: Task) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Score and information if the expected causes were seen, without the prior.

    The score is that of the observed likelihood (Fisher's identity).

    Returns
    -------
    score
        Shape (parameters,).
    information
        Minus the second derivative, shape (parameters, parameters).
    scoring
        The same with the expected events in place of the seen ones: never negative, so that a
        step along it goes uphill.
    """
    size = task.layout.size
    score, information, scoring = np.zeros(size), np.zeros((size, size)), np.zeros((size, size))
    for hazard, events, at_risk in zip(found.hazards, found.events, found.at_risk, strict=True):
        places, first, second = _hazard_terms(hazard, events, at_risk)
        score[places] += first
        information[np.ix_(places, places)] += second
        scoring[np.ix_(places, places)] += second
        rest = events - at_risk * hazard.value
        for (row, column), bend in hazard.curvature.items():
            total = float((rest * bend).sum())
            pair = (hazard.first_covariate + row, hazard.first_covariate + column)
            information[pair] -= total
            if row != column:
                information[pair[::-1]] -= total
    for places, first, second in _sign_terms(found, task):
        score[places] += first
        information[places, places] += second
        scoring[places, places] += second
    return score, information, scoring


def observed_information(found: Expectation, task: Task) -> FloatArray:
    """Information in what was seen, without the prior (methods B8).

    Louis' identity: the information if the causes were seen, less the variance of the score over
    the causes (and steps) that an event may have, given what was seen. For an exact onset this is
    ``sum q (1 - q) d d'`` with d the difference of the two causes' scores.

    References
    ----------
    Louis TA. J R Stat Soc B 1982;44:226-233.
    """
    complete = complete_score(found, task)[1]
    data = task.observed
    lost = np.zeros_like(complete)
    mean = np.zeros((len(data.events), task.layout.size))
    for column in range(len(found.hazards)):
        rows = _row_scores(found, task, column)
        weighted = found.share[:, column, None] * rows
        mean += np.add.reduceat(weighted, data.first_slice, axis=0)
        lost += rows.T @ (data.slices.weight[:, None] * weighted)
    lost -= mean.T @ (data.event_weight[:, None] * mean)
    return np.asarray(complete - lost)


def cause_contrast(found: Expectation, task: Task) -> FloatArray:
    """Derivative of the log odds of withdrawal against relapse of each event, shape (events, p)."""
    data = task.observed
    sides = []
    for column in (0, [hazard.cause for hazard in found.hazards].index(RELAPSE)):
        rows = _row_scores(found, task, column)
        share = found.share[:, column]
        sums = np.add.reduceat(share[:, None] * rows, data.first_slice, axis=0)
        total = np.maximum(found.probability[:, column], 1e-300)
        sides.append(sums / total[:, None])
    return np.asarray(sides[0] - sides[1])


def _hazard_terms(
    hazard: CauseHazard, events: FloatArray, at_risk: FloatArray
) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray]:
    """Score and information of a Poisson count with intercepts by stratum and covariates."""
    count = hazard.intercepts.stop - hazard.intercepts.start
    stratum = hazard.stratum.ravel()
    expected = (at_risk * hazard.value).ravel()
    rest = events.ravel() - expected
    covariates = [covariate.ravel() for covariate in hazard.covariates]
    size = count + len(covariates)
    first, second = np.empty(size), np.zeros((size, size))
    first[:count] = np.bincount(stratum, rest, count)
    second[np.arange(count), np.arange(count)] = np.bincount(stratum, expected, count)
    for place, covariate in enumerate(covariates, count):
        first[place] = rest @ covariate
        moved = expected * covariate
        second[:count, place] = second[place, :count] = np.bincount(stratum, moved, count)
        for other, further in enumerate(covariates, count):
            second[place, other] = moved @ further
    places = np.r_[
        np.arange(hazard.intercepts.start, hazard.intercepts.stop),
        np.arange(hazard.first_covariate, hazard.first_covariate + len(covariates)),
    ]
    return places, first, second


def _by_sign(found: Expectation) -> FloatArray:
    """Probability of the signs of withdrawal and of relapse, shape (events, 2)."""
    relapse = found.probability[:, [hazard.cause for hazard in found.hazards].index(RELAPSE)]
    return np.column_stack([1.0 - relapse, relapse])


def _sign_terms(
    found: Expectation, task: Task
) -> list[tuple[npt.NDArray[np.int64], FloatArray, FloatArray]]:
    """Score and diagonal information of symptoms and resolution times."""
    data, layout = task.observed, task.layout
    terms = []
    probability = _by_sign(found) * data.event_weight[:, None]
    for column, place in enumerate((layout.item_withdrawal, layout.item_relapse)):
        weight = probability[:, column]
        share = 1 / (1 + np.exp(-found.theta[place]))
        rated = weight @ data.rated
        where = np.arange(place.start, place.stop)
        terms.append((where, weight @ data.present - rated * share, rated * share * (1 - share)))
        position = layout.resolution.start + column
        followed = weight * data.followed
        days = float(followed @ data.resolution) * np.exp(-found.theta[position])
        seen = float(followed @ data.resolved)
        terms.append((np.array([position]), np.array([days - seen]), np.array([days])))
    return terms


def _row_scores(found: Expectation, task: Task, column: int) -> FloatArray:
    """Score of each slice if its cause were this one, shape (slices, parameters).

    What all slices and causes of an event have in common is left out: it has no variance.
    """
    data, layout, hazard = task.observed, task.layout, found.hazards[column]
    place = (data.slices.history, data.slices.step)
    each = np.arange(len(data.event))
    out = np.zeros((len(data.event), layout.size))
    out[each, hazard.intercepts.start + hazard.stratum[place]] = 1.0
    for offset, covariate in enumerate(hazard.covariates):
        out[:, hazard.first_covariate + offset] = covariate[place]
    relapse = int(hazard.cause == RELAPSE)
    items = (layout.item_withdrawal, layout.item_relapse)[relapse]
    share = 1 / (1 + np.exp(-found.theta[items]))
    out[:, items] = (data.present - data.rated * share)[data.event]
    position = layout.resolution.start + relapse
    lasted = data.resolution * np.exp(-found.theta[position]) - data.resolved
    out[:, position] = np.where(data.followed, lasted, 0.0)[data.event]
    if len(data.event) > len(data.events):
        for other in found.hazards:
            _take_exposure(out, other, data.slices)
    return out


def _take_exposure(out: FloatArray, hazard: CauseHazard, points: Points) -> None:
    """Subtract the derivative of the cumulative hazard at each point."""
    place = (points.history, points.step)

    def cumulated(rate: FloatArray) -> FloatArray:
        return np.asarray(np.cumsum(rate, axis=1)[place] - (1 - points.part) * rate[place])

    for stratum in range(hazard.intercepts.stop - hazard.intercepts.start):
        mine = np.where(hazard.stratum == stratum, hazard.value, 0.0)
        out[:, hazard.intercepts.start + stratum] -= cumulated(mine)
    for offset, covariate in enumerate(hazard.covariates):
        out[:, hazard.first_covariate + offset] -= cumulated(hazard.value * covariate)
