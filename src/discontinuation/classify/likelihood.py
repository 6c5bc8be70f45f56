"""How likely are the data, and how likely is each cause of each event?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.classify.hazards import (
    NOCEBO,
    RELAPSE,
    WITHDRAWAL,
    CauseHazard,
    Grid,
    grid_of,
    hazards_of,
)
from discontinuation.classify.observed import Observed, Points
from discontinuation.classify.parameters import Layout, layout_of
from discontinuation.classify.settings import Settings

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Task:
    """One model of one set of data.

    Attributes
    ----------
    observed, settings, layout, grid
        Data, assumptions, parameters, and what follows from the doses.
    causes
        Causes that can act.
    free
        Which parameters are estimated, shape (parameters,).
    held
        Values of those that are not, shape (parameters,).
    frailty
        Variance of the gamma frailty on the hazard of relapse.
    """

    observed: Observed
    settings: Settings
    layout: Layout
    grid: Grid
    causes: tuple[str, ...]
    free: BoolArray
    held: FloatArray
    frailty: float = 0.0


@dataclass(frozen=True, eq=False)
class Expectation:
    """The likelihood at some parameters, and what is expected of the unseen there (methods B7, E).

    Attributes
    ----------
    theta
        The parameters.
    log_likelihood
        Without priors.
    penalised
        With the log prior.
    hazards
        One per cause.
    symptoms
        Log likelihood of the signs by withdrawal and by relapse (second axis), of the symptoms
        and of the course after reinstatement (third axis), shape (events, 2, 2).
    share
        Probability of each slice and cause given the event, shape (slices, causes).
    probability
        Of each cause given the event, shape (events, causes).
    events
        Expected events by cause, shape (causes, histories, steps).
    at_risk
        Expected person-steps by cause; causes differ only under frailty.
    """

    theta: FloatArray
    log_likelihood: float
    penalised: float
    hazards: list[CauseHazard]
    symptoms: FloatArray
    share: FloatArray
    probability: FloatArray
    events: FloatArray
    at_risk: FloatArray


def task_of(
    observed: Observed,
    settings: Settings,
    blinded: BoolArray,
    kappa: float | None,
    *,
    withdrawal: bool = True,
    eta: bool | None = None,
    frailty: float = 0.0,
) -> Task:
    """Set up a model.

    Parameters
    ----------
    observed, settings
        Data and assumptions.
    blinded
        Whether nocebo can act in each arm.
    kappa
        None: estimated. A number: fixed.
    withdrawal
        Whether withdrawal can act at all; not in the null model alpha = 0.
    eta
        Whether the early multiplier is estimated; None: as the settings say.
    frailty
        Variance of the frailty.
    """
    layout = layout_of(observed, settings)
    free = np.ones(layout.size, dtype=bool)
    held = layout.centre.copy()
    if not (settings.early_multiplier if eta is None else eta):
        free[layout.eta] = False
        held[layout.eta] = 0.0
    if kappa is not None:
        free[layout.kappa] = False
        held[layout.kappa] = np.log(kappa)
    free[layout.protracted] = settings.protracted
    if not withdrawal:
        free[layout.alpha.start : layout.protracted + 1] = False
    free[layout.nocebo] = settings.nocebo
    if not (withdrawal or settings.nocebo):
        free[layout.item_withdrawal] = False
        free[layout.resolution.start] = False
    causes = ((WITHDRAWAL,) if withdrawal else ()) + (RELAPSE,)
    causes += (NOCEBO,) if settings.nocebo else ()
    grid = grid_of(observed, settings, blinded)
    return Task(observed, settings, layout, grid, causes, free, held, frailty)


def expect(theta: FloatArray, task: Task) -> Expectation:
    """Evaluate the likelihood and expect what is not seen (methods B5).

    An event contributes the sum, over the steps in which its onset may lie and over the causes,
    of hazard times signs times the probability of having been well until the middle of the step;
    the others contribute the probability of having stayed well.
    """
    data = task.observed
    hazards = hazards_of(theta, task.layout, task.grid, task.causes)
    symptoms = signs_of(theta, task)
    log = _joint(hazards, symptoms, task)
    first = data.first_slice
    top = np.maximum.reduceat(log.max(axis=1), first)
    weight = np.exp(log - top[data.event][:, None])
    total = np.add.reduceat(weight.sum(axis=1), first)
    share = weight / total[data.event][:, None]
    probability = np.add.reduceat(share, first, axis=0)
    value = float(data.event_weight @ (top + np.log(total)))
    stayed = [(part, _survival(hazards, part, task.frailty)) for part in (data.ends, data.entries)]
    value -= sum(float(part.weight @ total_hazard) for part, total_hazard in stayed)
    events, at_risk = _expected_counts(hazards, share, task)
    return Expectation(
        theta=theta,
        log_likelihood=value,
        penalised=value + task.layout.prior(theta)[0],
        hazards=hazards,
        symptoms=symptoms,
        share=share,
        probability=probability,
        events=events,
        at_risk=at_risk,
    )


def signs_of(theta: FloatArray, task: Task) -> FloatArray:
    """Log likelihood of symptoms and of resolution by withdrawal and by relapse.

    Missing symptoms are left out. Times to resolution are exponential.
    """
    data, layout = task.observed, task.layout
    out = np.empty((len(data.events), 2, 2))
    for column, place in enumerate((layout.item_withdrawal, layout.item_relapse)):
        logits = theta[place]
        out[:, column, 0] = data.present @ logits - data.rated @ np.logaddexp(0.0, logits)
        log_mean = theta[layout.resolution.start + column]
        lasted = -data.resolved * log_mean - data.resolution * np.exp(-log_mean)
        out[:, column, 1] = np.where(data.followed, lasted, 0.0)
    return out


def _joint(hazards: list[CauseHazard], symptoms: FloatArray, task: Task) -> FloatArray:
    """Log of each slice's and cause's contribution, shape (slices, causes)."""
    data = task.observed
    place = (data.slices.history, data.slices.step)
    signs = symptoms.sum(axis=2)[data.event]
    stayed = data.log_width - _survival(hazards, data.slices, task.frailty)
    columns = []
    for hazard in hazards:
        log = hazard.log[place] + signs[:, int(hazard.cause == RELAPSE)] + stayed
        if task.frailty and hazard.cause == RELAPSE:
            log = log - np.log1p(task.frailty * _cumulated(hazard.value, data.slices))
        columns.append(log)
    return np.column_stack(columns)


def _cumulated(hazard: FloatArray, points: Points) -> FloatArray:
    """Cumulative hazard at some points, straight within a step."""
    place = (points.history, points.step)
    now = hazard[place]
    return np.asarray(np.cumsum(hazard, axis=1)[place] - (1 - points.part) * now)


def _survival(hazards: list[CauseHazard], points: Points, frailty: float) -> FloatArray:
    """Minus log of the probability to be well until some points, frailty averaged out."""
    total = np.zeros(len(points.step))
    for hazard in hazards:
        cumulated = _cumulated(hazard.value, points)
        if frailty and hazard.cause == RELAPSE:
            cumulated = np.log1p(frailty * cumulated) / frailty
        total += cumulated
    return total


def _expected_counts(
    hazards: list[CauseHazard], share: FloatArray, task: Task
) -> tuple[FloatArray, FloatArray]:
    """Expected events and person-steps at risk by cause, history and step.

    Under frailty each person-step counts with the person's expected frailty,
    ``(1 / phi + relapses) / (1 / phi + H)``.
    """
    data, shape = task.observed, task.grid.retained.shape
    weighted = share * data.slices.weight[:, None]
    slice_cell = data.slices.history * shape[1] + data.slices.step
    events = np.array(
        [np.bincount(slice_cell, column, shape[0] * shape[1]) for column in weighted.T]
    ).reshape(len(hazards), *shape)
    parts = [(data.ends, data.ends.weight), (data.entries, data.entries.weight)]
    parts.append((data.slices, weighted.sum(axis=1)))
    plain = _person_steps(parts, shape)
    at_risk = np.broadcast_to(plain, (len(hazards), *shape))
    if task.frailty:
        relapse = [hazard.cause for hazard in hazards].index(RELAPSE)
        at_risk = at_risk.copy()
        tilted = []
        for part, weight in parts:
            spread = 1 + task.frailty * _cumulated(hazards[relapse].value, part)
            relapses = weighted[:, relapse] if part is data.slices else 0.0
            tilted.append((part, (weight + task.frailty * relapses) / spread))
        at_risk[relapse] = _person_steps(tilted, shape)
    return events, at_risk


def _person_steps(parts: list[tuple[Points, FloatArray]], shape: tuple[int, ...]) -> FloatArray:
    """Person-steps until some points."""
    cells = shape[0] * shape[1]
    whole, piece = np.zeros(cells), np.zeros(cells)
    for part, weight in parts:
        cell = part.history * shape[1] + part.step
        whole += np.bincount(cell, weight, cells)
        piece += np.bincount(cell, weight * part.part, cells)
    whole = whole.reshape(shape)
    later = np.cumsum(whole[:, ::-1], axis=1)[:, ::-1] - whole
    return np.asarray(later + piece.reshape(shape))
