"""What do later analyses say when the cause of each event is not known but imputed?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.likelihood import Task, expect
from discontinuation.problems import Problem, refuse
from discontinuation.seeds import random_stream
from discontinuation.survival.combining import Combined, combine

FloatArray = npt.NDArray[np.float64]
Analysis = Callable[[pd.DataFrame], tuple[npt.ArrayLike, npt.ArrayLike]]


@dataclass(frozen=True, eq=False)
class Imputations:
    """Causes of all events, drawn several times.

    Attributes
    ----------
    events
        The events, one row each.
    causes
        Names of the causes, shape (m, events).
    probabilities
        Probability of withdrawal under each draw of the parameters, shape (m, events).
    """

    events: pd.DataFrame
    causes: npt.NDArray[np.object_]
    probabilities: FloatArray

    def completed(self, number: int) -> pd.DataFrame:
        """Events with the causes of one imputation, counted from 0, in the column `cause`."""
        return self.events.assign(cause=self.causes[number])

    def combine(self, analysis: Analysis) -> Combined:
        """Analyse every imputation and combine by Rubin's rules.

        Parameters
        ----------
        analysis
            Takes the events with their `cause`; returns an estimate (or several), on the scale
            on which it is normal, and its variance (or covariance).
        """
        results = [analysis(self.completed(number)) for number in range(len(self.causes))]
        return combine(
            np.array([np.asarray(estimate, dtype=float) for estimate, _ in results]),
            np.array([np.asarray(variance, dtype=float) for _, variance in results]),
        )


def impute_causes(
    theta: FloatArray, covariance: FloatArray, task: Task, m: int, seed: int, *, draw: bool = True
) -> Imputations:
    """Draw parameters, then causes (proper multiple imputation, methods B8).

    Parameters
    ----------
    theta, covariance
        Maximum of the penalised likelihood, and its normal approximation.
    task
        The model.
    m
        How many imputations, at least 2.
    seed
        Of the draws.
    draw
        Whether parameters are drawn; if not the imputation is improper, and its intervals are
        too short.

    Raises
    ------
    InvalidInput
        Fewer than two imputations.
    """
    if m < 2:
        refuse([Problem("imputation", "at least two are needed", column="m", value=str(m))])
    random = random_stream(seed, "classify", "imputed causes")
    free = task.free
    root = np.linalg.cholesky(covariance[np.ix_(free, free)])
    names = np.array(task.causes, dtype=object)
    causes, probabilities = [], []
    for _ in range(m):
        drawn = theta.copy()
        noise = root @ random.standard_normal(int(free.sum()))
        drawn[free] += noise if draw else 0.0
        probability = expect(drawn, task).probability
        limit = np.cumsum(probability, axis=1)
        place = (random.random(len(limit))[:, None] > limit).sum(axis=1)
        causes.append(names[np.minimum(place, len(names) - 1)])
        probabilities.append(probability[:, 0])
    return Imputations(task.observed.events, np.array(causes), np.array(probabilities))
