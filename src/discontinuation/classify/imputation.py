"""What do later analyses say when the cause of each event is not known but imputed?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.arguments import whole_number_problems
from discontinuation.classify.likelihood import Task, expect
from discontinuation.classify.observed import Observed
from discontinuation.problems import refuse
from discontinuation.seeds import random_stream
from discontinuation.survival.combining import Combined, combine

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Analysis = Callable[[pd.DataFrame], tuple[npt.ArrayLike, npt.ArrayLike]]


@dataclass(frozen=True, eq=False)
class Imputations:
    """Causes of all events, and their onsets between visits, drawn several times.

    Attributes
    ----------
    events
        The events, one row each.
    causes
        Names of the causes, shape (m, events).
    probabilities
        Probability of withdrawal under each draw of the parameters, shape (m, events).
    slices
        Slice of `Observed.slices` in which each onset lies, shape (m, events): cause and onset
        are drawn together, as withdrawal is the likelier the sooner after a reduction.
    onsets
        Its middle as a time, shape (m, events).
    """

    events: pd.DataFrame
    causes: npt.NDArray[np.object_]
    probabilities: FloatArray
    slices: IntArray
    onsets: FloatArray

    def completed(self, number: int) -> pd.DataFrame:
        """Events with the `cause` and the `onset` of one imputation, counted from 0."""
        return self.events.assign(cause=self.causes[number], onset=self.onsets[number])

    def combine(self, analysis: Analysis) -> Combined:
        """Analyse every imputation and combine by Rubin's rules.

        Parameters
        ----------
        analysis
            Takes the events with their `cause` and `onset`; returns an estimate (or several), on
            the scale on which it is normal, and its variance (or covariance).
        """
        results = [analysis(self.completed(number)) for number in range(len(self.causes))]
        return combine(
            np.array([np.asarray(estimate, dtype=float) for estimate, _ in results]),
            np.array([np.asarray(variance, dtype=float) for _, variance in results]),
        )


def impute_causes(
    theta: FloatArray, covariance: FloatArray, task: Task, m: int, seed: int, *, draw: bool = True
) -> Imputations:
    """Draw parameters, then causes and onsets (proper multiple imputation, methods B8).

    Parameters
    ----------
    theta, covariance
        Maximum of the penalised likelihood, and its normal approximation.
    task
        The model.
    m
        How many imputations, at least 2.
    seed
        Of the draws, 0 or more.
    draw
        Whether parameters are drawn; if not the imputation is improper, and its intervals are
        too short.

    Raises
    ------
    InvalidInput
        Fewer than two imputations; numbers of them and seeds that are not whole.
    """
    refuse(
        [
            *whole_number_problems("imputation", "m", m, 2),
            *whole_number_problems("imputation", "seed", seed, 0),
        ]
    )
    random = random_stream(seed, "classify", "imputed causes")
    free = task.free
    root = np.linalg.cholesky(covariance[np.ix_(free, free)])
    names = np.array(task.causes, dtype=object)
    causes, probabilities, slices = [], [], []
    for _ in range(m):
        drawn = theta.copy()
        noise = root @ random.standard_normal(int(free.sum()))
        drawn[free] += noise if draw else 0.0
        found = expect(drawn, task)
        at, place = _drawn(found.share, task.observed, random)
        slices.append(at)
        causes.append(names[place])
        probabilities.append(found.probability[:, 0])
    rows = np.array(slices)
    return Imputations(
        task.observed.events, np.array(causes), np.array(probabilities), rows, _times(rows, task)
    )


def _drawn(
    share: FloatArray, observed: Observed, random: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Draw slice and cause of each event from their joint probability."""
    first = observed.first_slice
    last = np.append(first[1:], len(share)) - 1
    reached = np.cumsum(share.sum(axis=1))
    before = np.append(0.0, reached)[first]
    wanted = before + random.random(len(first)) * (reached[last] - before)
    at = np.clip(np.searchsorted(reached, wanted, side="right"), first, last)
    left = wanted - np.append(0.0, reached)[at]
    place = (left[:, None] >= np.cumsum(share[at], axis=1)).sum(axis=1)
    return at, np.minimum(place, share.shape[1] - 1)


def _times(slices: IntArray, task: Task) -> FloatArray:
    """Time at the middle of slices."""
    data = task.observed
    begins = data.begins[data.study_of_history[data.slices.history[slices]]]
    passed = data.slices.step[slices] + data.slices.part[slices]
    return np.asarray(begins + task.settings.step * passed)
