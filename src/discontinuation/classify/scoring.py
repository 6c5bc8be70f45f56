"""What does a fitted model say of events that it was not fitted to?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.arguments import kind_problems
from discontinuation.classify.given_problems import input_kind_problems
from discontinuation.classify.hazards import grid_of
from discontinuation.classify.likelihood import Task, expect
from discontinuation.classify.model import LatentCauseFit
from discontinuation.classify.observed import Observed, observe
from discontinuation.classify.why import probabilities
from discontinuation.exposure.trajectories import Exposure
from discontinuation.problems import Problem, allowed_values, refuse


def score(
    fitted: LatentCauseFit,
    events: pd.DataFrame,
    people: pd.DataFrame,
    exposure: Exposure | Mapping[str, Exposure],
    items: pd.DataFrame | None = None,
    *,
    follow_up: pd.DataFrame,
) -> pd.DataFrame:
    """Compute the probability of withdrawal of further events at the estimates of a fit.

    A registry too large to be fitted whole is fitted to a random sample of its people, and its
    events are scored part by part: q depends on nobody but the person who had the event, so that
    people without events need not be given.

    Parameters
    ----------
    fitted
        From `discontinuation.classify.fit`.
    events, people, exposure, items, follow_up
        As in `fit`, of people of the same studies. Symptoms that the fit did not have are refused;
        those that are missing here count as not rated.

    Returns
    -------
    DataFrame
        As `LatentCauseFit.q`. Where people are watched for longer than those of the fit, its last
        baseline hazard is carried on.

    Raises
    ------
    InvalidInput
        What `fit` refuses of tables; studies and symptoms that the fit does not know.
    """
    rule = "allowed: a fit, from discontinuation.classify.fit"
    refuse(
        [
            *kind_problems("fitted", fitted, LatentCauseFit, rule),
            *input_kind_problems(events, people, exposure, items, follow_up),
        ]
    )
    task = fitted.task
    observed = observe(events, people, exposure, items, follow_up, [], task.settings)
    refuse(_unknown(observed, task))
    observed = _with_items(_with_studies(observed, task), task)
    grid = grid_of(observed, task.settings, _blinded(observed, fitted))
    grid = replace(grid, stratum=_periods(observed, task))
    here = replace(task, observed=observed, grid=grid)
    return probabilities(expect(fitted.maximum.found.theta, here), here, fitted.covariance)


def _unknown(observed: Observed, task: Task) -> list[Problem]:
    found = []
    for column, names, known in (
        ("study", observed.studies, task.observed.studies),
        ("item", observed.items, task.observed.items),
    ):
        message = "is not in the fit; {}" if known else "is not in the fit, which had none"
        for name in names:
            if name not in known:
                said = message.format(allowed_values(list(known), name))
                found.append(Problem("events to score", said, column=column, value=name))
    return found


def _with_studies(observed: Observed, task: Task) -> Observed:
    """Number the studies as the fit does."""
    place = np.array([task.observed.studies.index(name) for name in observed.studies])
    begins = task.observed.begins.copy()
    begins[place] = observed.begins
    return replace(
        observed,
        studies=task.observed.studies,
        begins=begins,
        study_of_history=place[observed.study_of_history],
        study_of_person=place[observed.study_of_person],
    )


def _with_items(observed: Observed, task: Task) -> Observed:
    """Put the symptoms in the order of the fit; those not given were not rated."""
    known = list(task.observed.items)
    shape = (len(observed.events), len(known))
    present, rated = np.zeros(shape), np.zeros(shape)
    for column, name in enumerate(observed.items):
        present[:, known.index(name)] = observed.present[:, column]
        rated[:, known.index(name)] = observed.rated[:, column]
    return replace(observed, items=tuple(known), present=present, rated=rated)


def _blinded(observed: Observed, fitted: LatentCauseFit) -> npt.NDArray[np.bool_]:
    """Nocebo acts where it could in the fit, and in arms that the fit does not know."""
    without = set(fitted.task.observed.arms["arm"][~fitted.blinded])
    return np.array([name not in without for name in observed.arms["arm"]], dtype=bool)


def _periods(observed: Observed, task: Task) -> npt.NDArray[np.int64]:
    """Number the baseline hazards as the fit does, the last one going on."""
    cuts = np.array(task.settings.relapse_cuts, dtype=float)[: task.layout.periods - 1]
    study = observed.study_of_history[:, None]
    steps = task.settings.step * np.arange(observed.retained.shape[1])
    period = np.searchsorted(cuts, observed.begins[study] + steps + 1e-9, side="right")
    return np.asarray(study * task.layout.periods + period, dtype=np.int64)
