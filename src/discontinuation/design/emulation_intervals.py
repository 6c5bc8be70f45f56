"""How far could other people like these have moved what an emulation found?

People with all their clones are left out or drawn again, and all is fitted anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from discontinuation.design._daily import FloatArray
from discontinuation.design.cloning import (
    Clones,
    Cohort,
    fit_models,
    follow_weights,
    weighted_curve,
)
from discontinuation.design.strategies import PLACE, TargetTrial
from discontinuation.problems import InvalidInput, Problem, refuse
from discontinuation.seeds import random_stream


@dataclass(frozen=True)
class Resampling:
    """How the intervals are made.

    Attributes
    ----------
    groups
        Random groups of people of the delete-a-group jackknife.
    replicates
        Bootstrap samples of people drawn in its place; None: the jackknife.
    confidence
        Level of the intervals.
    seed
        Of the groups or samples.
    """

    groups: int
    replicates: int | None
    confidence: float
    seed: int

    @property
    def samples(self) -> int:
        """How often everything is fitted."""
        return self.groups if self.replicates is None else self.replicates

    def in_words(self) -> str:
        """What was done."""
        if self.replicates is None:
            return f"delete-a-group jackknife with {self.groups} random groups of people"
        return f"bootstrap of {self.replicates} samples of people"


@dataclass(frozen=True, eq=False)
class Resampled:
    """Everything fitted again.

    Attributes
    ----------
    how
        The resampling.
    curves
        Of each sample that could be analysed, shape (samples, strategies, days).
    failed
        Samples that could not be.
    """

    how: Resampling
    curves: FloatArray
    failed: int

    def limits(
        self, estimate: FloatArray, values: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Lower limit, upper limit and standard error of an estimate.

        Parameters
        ----------
        estimate
            Any shape.
        values
            The same of each sample, which is axis 0.

        Returns
        -------
        lower, upper, se
            Of the jackknife, se^2 is (g - 1) / g times the sum of squares about the mean of the g
            groups, and the limits are those of t with g - 1 degrees of freedom; of the bootstrap,
            they are percentiles.
        """
        if self.how.replicates is not None:
            tails = ((1 - self.how.confidence) / 2, (1 + self.how.confidence) / 2)
            lower, upper = np.nanquantile(values, tails, axis=0)
            return lower, upper, np.nanstd(values, axis=0, ddof=1)
        # Groups that failed are taken to be as far from the mean as the others: g - 1 times the
        # mean square, with a degree of freedom less for each.
        se = np.sqrt(self.how.groups - 1) * np.std(values, axis=0)
        half = stdtrit(len(values) - 1, (1 + self.how.confidence) / 2) * se
        return estimate - half, estimate + half, se

    def ratio_limits(
        self, estimate: FloatArray, values: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """As `limits`, of a ratio: its jackknife limits are made on the log scale."""
        if self.how.replicates is not None:
            return self.limits(estimate, values)
        with np.errstate(divide="ignore", invalid="ignore"):
            lower, upper, _ = self.limits(np.log(estimate), np.log(values))
            _, _, se = self.limits(estimate, values)
        return np.exp(lower), np.exp(upper), se

    def share_limits(
        self, estimate: FloatArray, values: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper limit of a probability, not beyond 0 and 1."""
        lower, upper, _ = self.limits(estimate, values)
        return np.clip(lower, 0.0, 1.0), np.clip(upper, 0.0, 1.0)


def resample(
    cohort: Cohort,
    clones: Sequence[Clones],
    fitted: Sequence[list[FloatArray]],
    trial: TargetTrial,
    truncate: float | None,
    how: Resampling,
) -> Resampled:
    """Do everything again without each group of people, or in bootstrap samples of them.

    Parameters
    ----------
    cohort, clones, trial
        Of n people.
    fitted
        Models of each strategy, from which the climbs begin.
    truncate
        As in `follow_weights`.
    how
        The resampling.

    Raises
    ------
    InvalidInput
        Fewer people than groups; more than half of the samples cannot be analysed.

    References
    ----------
    Kott PS. J Off Stat 2001;17:521-526 (delete-a-group jackknife).
    """
    if how.groups > len(cohort.people):
        rule = f"allowed: as many as there are eligible people, {len(cohort.people)}, or fewer"
        refuse([Problem(PLACE, rule, None, "groups", str(how.groups))])
    drawn = []
    for counts in _samples(len(cohort.people), how):
        try:
            curves = [
                weighted_curve(
                    cohort,
                    one,
                    follow_weights(one, fit_models(one, counts, theta), truncate, counts),
                    counts,
                    trial,
                )
                for one, theta in zip(clones, fitted, strict=True)
            ]
        except InvalidInput:
            continue
        drawn.append(np.array(curves))
    failed = how.samples - len(drawn)
    if failed > how.samples / 2:
        rule = f"{failed} of {how.samples} samples of people could not be analysed; ask for less"
        refuse([Problem(PLACE, rule)])
    return Resampled(how, np.array(drawn), failed)


def _samples(people: int, how: Resampling) -> Iterator[FloatArray]:
    """How often each person is in each sample, shape (people,)."""
    if how.replicates is None:
        stream = random_stream(how.seed, "target trial", "groups")
        group = stream.permutation(people) % how.groups
        for left_out in range(how.groups):
            yield (group != left_out).astype(float)
        return
    for number in range(how.replicates):
        stream = random_stream(how.seed, "target trial", str(number))
        yield np.bincount(stream.integers(0, people, people), minlength=people).astype(float)
