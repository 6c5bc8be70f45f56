"""How much would a result vary between samples, and how often would chance give as much?

A bootstrap sample is a vector of multiplicities: how often each person was drawn. Any function of
this package that takes weights takes it. With arms only, the day by arm table of counts holds
everything, and thousands of tables are drawn and computed together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import InvalidInput, Problem, refuse
from discontinuation.seeds import random_stream
from discontinuation.survival._curve_kernels import (
    efron_coefficients,
    restricted_means,
    table_scores,
    table_survival,
)
from discontinuation.survival._curve_tables import arms, plain_labels, present, risk_table
from discontinuation.survival.follow_up import (
    PLACE,
    FloatArray,
    IntArray,
    asked_times,
    follow_up,
    label_groups,
)
from discontinuation.survival.rank_tests import quadratic
from discontinuation.survival.stored import storable


@storable
@dataclass(frozen=True, eq=False)
class Bootstrap:
    """A statistic and its bootstrap replicates.

    Attributes
    ----------
    names
        Of the statistic's values.
    estimate, se, lower, upper
        Of the sample itself; standard deviation of the replicates; their percentiles. Shape
        (values,).
    replicates
        Shape (replicates, values); NaN where the statistic could not be computed.
    failed
        How many replicates have such a value; they are left out of se and limits.
    people, units, strata
        What was drawn: people, or clusters of them, within strata.
    seed, confidence
        As asked for.
    """

    names: tuple[str, ...]
    estimate: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    replicates: FloatArray
    failed: int
    people: int
    units: int
    strata: int
    seed: int
    confidence: float

    @property
    def summary(self) -> pd.DataFrame:
        """One row per value: name, estimate, se, lower, upper."""
        names = ("estimate", "se", "lower", "upper")
        columns = {name: getattr(self, name) for name in names}
        return pd.DataFrame({"name": list(self.names), **columns})

    def __str__(self) -> str:
        drawn = f"{self.people} people"
        drawn += f" in {self.units} clusters" if self.units < self.people else ""
        drawn += f", {self.strata} strata" if self.strata > 1 else ""
        heading = (
            f"Bootstrap of {drawn}: {len(self.replicates)} replicates, {self.failed} of them could "
            f"not be computed; {self.confidence:.0%} percentile limits; seed {self.seed}"
        )
        return f"{heading}\n{self.summary.to_string(index=False)}"


@storable
@dataclass(frozen=True, eq=False)
class Permutation:
    """A statistic and its values when labels are shuffled.

    Attributes
    ----------
    statistic
        With the labels as they are.
    p_value
        Share of statistics at least as far from 0, the observed one included.
    shuffled
        Shape (permutations,); NaN where the statistic could not be computed.
    failed
        How many of these; they are left out.
    people, units, strata
        What was shuffled: labels of people, or of clusters of them, within strata.
    seed
        As asked for.
    """

    statistic: float
    p_value: float
    shuffled: FloatArray
    failed: int
    people: int
    units: int
    strata: int
    seed: int

    @property
    def summary(self) -> pd.DataFrame:
        """One row: statistic, p_value, permutations, failed."""
        row = {"statistic": self.statistic, "p_value": self.p_value}
        row |= {"permutations": len(self.shuffled), "failed": self.failed}
        return pd.DataFrame([row])

    def __str__(self) -> str:
        return (
            f"Permutation test: statistic {self.statistic:.6g}, p = {self.p_value:.4g} "
            f"({len(self.shuffled)} permutations of {self.units} labels, {self.strata} strata, "
            f"{self.failed} could not be computed; seed {self.seed})"
        )


@storable
@dataclass(frozen=True, eq=False)
class DayCounts:
    """How many had the event and how many were censored, by day and arm: one table or many.

    Attributes
    ----------
    day
        Distinct times, shape (days,).
    groups
        Labels of the arms.
    events, censored
        Counts, shape (days, groups), or (tables, days, groups) for many tables.
    """

    day: FloatArray
    groups: tuple[object, ...]
    events: FloatArray
    censored: FloatArray

    @property
    def at_risk(self) -> FloatArray:
        """Count those at risk just before each day; same shape as the events."""
        leaving = self.events + self.censored
        return np.ascontiguousarray(np.cumsum(leaving[..., ::-1, :], axis=-2)[..., ::-1, :])

    @property
    def summary(self) -> pd.DataFrame:
        """One row per table, day and group: table, day, group, at_risk, events, censored."""
        tables = self._tables(self.events)
        shape = tables.shape
        table, day, group = (index.ravel() for index in np.indices(shape))
        labels = np.array(self.groups, dtype=object)
        counts = {name: getattr(self, name).ravel() for name in ("at_risk", "events", "censored")}
        return pd.DataFrame(
            {"table": table, "day": self.day[day], "group": list(labels[group]), **counts}
        )

    def __str__(self) -> str:
        events, people = self.events.sum(), (self.events + self.censored).sum()
        tables = len(self._tables(self.events))
        return (
            f"{tables} day by arm table{'s' * (tables > 1)}: {len(self.day)} days, "
            f"{len(self.groups)} arms; {people / tables:g} people and {events / tables:g} events "
            "each"
        )

    def survival(self, times: npt.ArrayLike) -> FloatArray:
        """Read the Kaplan-Meier curves; shape (..., times, groups).

        NaN after an arm's last follow-up unless its curve is at 0.
        """
        asked = asked_times(times)
        events, at_risk = self._tables(self.events), self._tables(self.at_risk)
        survival = table_survival(events, at_risk)
        padded = np.concatenate([np.ones_like(survival[:, :1]), survival], axis=1)
        read = padded[:, np.searchsorted(self.day, asked, side="right")]
        ends = self._ends(at_risk, survival)[:, None, :]
        read[np.broadcast_to(asked[None, :, None] > ends, read.shape)] = np.nan
        return self._shaped(read)

    def rmst(self, horizon: float, start: float = 0) -> FloatArray:
        """Compute restricted mean times (see `rmst`); shape (..., groups).

        NaN where the horizon is after an arm's last follow-up and its curve is not at 0.
        """
        if not 0 <= start < horizon < np.inf:
            message = "allowed: 0 <= start < horizon, both finite"
            value = f"{start:g} to {horizon:g}"
            refuse([Problem(PLACE, message, None, "horizon", value)])
        events, at_risk = self._tables(self.events), self._tables(self.at_risk)
        mean, _ = restricted_means(self.day, events, at_risk, float(start), float(horizon))
        ends = self._ends(at_risk, table_survival(events, at_risk))
        return self._shaped(np.where(horizon > ends, np.nan, mean))

    def logrank(self, rho: float = 0, gamma: float = 0) -> FloatArray:
        """Compute chi-square statistics (see `logrank`); shape (...). NaN: nothing to compare."""
        events, at_risk = self._tables(self.events), self._tables(self.at_risk)
        scores, covariances = table_scores(events, at_risk, float(rho), float(gamma))
        pairs = zip(scores, covariances, strict=True)
        found = [quadratic(score, covariance) for score, covariance in pairs]
        return self._shaped(np.array([value if df else np.nan for value, df in found]))

    def log_hazard_ratios(self) -> FloatArray:
        """Fit Cox models (Efron) against the first arm; shape (..., groups - 1).

        NaN where the likelihood has no maximum, for example because an arm has no event.
        """
        events, at_risk = self._tables(self.events), self._tables(self.at_risk)
        return self._shaped(efron_coefficients(events, at_risk))

    def resampled(self, replicates: int, *, seed: int, within_groups: bool = True) -> DayCounts:
        """Draw bootstrap tables of people: within arms, or from all together."""
        stream = random_stream(seed, "survival", "counts", "bootstrap")
        cells = np.stack([self._one(self.events), self._one(self.censored)])
        shape = cells.shape
        drawn = np.zeros((replicates, *shape))
        pools = [(..., g) for g in range(shape[-1])] if within_groups else [(...,)]
        for pool in pools:
            counts = cells[pool].ravel()
            filled = np.flatnonzero(counts)
            if not len(filled):
                continue
            share = counts[filled] / counts.sum()
            flat = np.zeros((replicates, len(counts)))
            flat[:, filled] = stream.multinomial(int(counts.sum()), share, size=replicates)
            drawn[(slice(None), *pool)] = flat.reshape(replicates, *cells[pool].shape)
        return DayCounts(self.day, self.groups, *_parts(drawn))

    def permuted(self, permutations: int, *, seed: int) -> DayCounts:
        """Shuffle the arms of people."""
        stream = random_stream(seed, "survival", "counts", "permutation")
        cells = np.stack([self._one(self.events), self._one(self.censored)]).astype(np.int64)
        groups = len(self.groups)
        people = cells.reshape(-1, groups)
        cell = np.repeat(np.arange(len(people)), people.sum(axis=1)) * groups
        arm = np.repeat(np.arange(groups), people.sum(axis=0))
        drawn = np.empty((permutations, *cells.shape))
        for one in range(permutations):
            counts = np.bincount(cell + stream.permutation(arm), minlength=cells.size)
            drawn[one] = counts.reshape(cells.shape)
        return DayCounts(self.day, self.groups, *_parts(drawn))

    def _one(self, counts: FloatArray) -> FloatArray:
        if counts.ndim != 2:
            refuse([Problem(PLACE, "one table is resampled, not many")])
        return counts

    def _tables(self, counts: FloatArray) -> FloatArray:
        return np.ascontiguousarray(counts.reshape(-1, *counts.shape[-2:]))

    def _shaped(self, values: FloatArray) -> FloatArray:
        return np.asarray(values[0] if self.events.ndim == 2 else values)

    def _ends(self, at_risk: FloatArray, survival: FloatArray) -> FloatArray:
        """Until when each curve is known: for ever once it is at 0. Shape (tables, groups)."""
        last = np.where(at_risk > 0, self.day[:, None], -np.inf).max(axis=1)
        return np.where(survival[:, -1] > 0, last, np.inf)


def counts_by_day(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    group: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
) -> DayCounts:
    """Count events and censorings by day and arm.

    Parameters
    ----------
    time, event
        As in `kaplan_meier`; everybody is followed from the beginning.
    group
        Arm per person; None: one arm, "all".
    weights
        Multiplicities, whole numbers.

    Returns
    -------
    DayCounts

    Raises
    ------
    InvalidInput
        Follow-up that is none, weights that are not whole.
    """
    follow, (labels,) = present(follow_up(time, event, None, weights), group=group)
    if follow.weights is not None and (follow.weights != np.floor(follow.weights)).any():
        refuse([Problem(PLACE, "allowed: whole numbers", column="weights")])
    codes, groups = arms(labels, len(follow.time))
    table = risk_table(follow, codes, len(groups))
    return DayCounts(table.time, plain_labels(groups), table.events, table.leaving - table.events)


def bootstrap(
    statistic: Callable[[FloatArray], npt.ArrayLike | pd.Series],
    people: int,
    *,
    seed: int,
    replicates: int = 1000,
    cluster: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> Bootstrap:
    """Bootstrap any statistic that takes weights.

    Parameters
    ----------
    statistic
        Called with how often each person was drawn, shape (people,), as floats; gives a number,
        several, or a series whose index names them. For example
        ``lambda drawn: kaplan_meier(time, event, weights=drawn).at(90)["survival"]``. A replicate
        for which it refuses its input is counted as failed.
    people
        How many there are.
    seed
        Of the random stream.
    replicates
        How many samples.
    cluster
        Label per person: whole clusters are drawn.
    strata
        Label per person: the draws are made within strata, as many as there are in each.
    confidence
        Level of the percentile limits.

    Returns
    -------
    Bootstrap

    Raises
    ------
    InvalidInput
        Labels that are not one per person, a cluster in two strata, fewer than two replicates; a
        statistic that cannot be computed of the sample itself.

    References
    ----------
    Efron B, Tibshirani RJ. An introduction to the bootstrap. Chapman & Hall 1993, 6 and 13.3;
    Davison AC, Hinkley DV. Bootstrap methods and their application. Cambridge 1997, 3.8 (clusters).
    """
    refuse(_number_problems({"people": people}, 1))
    refuse(_number_problems({"replicates": replicates}, 2))
    if not 0 < confidence < 1:
        message = "allowed: a number between 0 and 1"
        refuse([Problem(PLACE, message, None, "confidence", str(confidence))])
    units = _units(people, cluster, strata)
    first = statistic(np.ones(people))
    names, estimate = _named(first)
    stream = random_stream(seed, "survival", "bootstrap")
    drawn = np.full((replicates, len(estimate)), np.nan)
    for one, multiplicities in enumerate(_draws(units, replicates, stream)):
        try:
            drawn[one] = _named(statistic(multiplicities))[1]
        except InvalidInput:
            continue  # stays NaN and is counted
    complete = np.isfinite(drawn).all(axis=1)
    kept = drawn[complete] if complete.sum() > 1 else np.full((2, len(estimate)), np.nan)
    outside = (1 - confidence) / 2
    lower, upper = np.quantile(kept, [outside, 1 - outside], axis=0)
    return Bootstrap(
        names=names,
        estimate=estimate,
        se=kept.std(axis=0, ddof=1),
        lower=lower,
        upper=upper,
        replicates=drawn,
        failed=int((~complete).sum()),
        people=people,
        units=len(units.offset),
        strata=units.strata,
        seed=seed,
        confidence=confidence,
    )


def permute(
    statistic: Callable[[npt.NDArray[Any]], float],
    group: npt.ArrayLike,
    *,
    seed: int,
    permutations: int = 1000,
    cluster: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
) -> Permutation:
    """Test whether labels matter, by shuffling them.

    Parameters
    ----------
    statistic
        Called with one label per person; gives a number that is far from 0 if groups differ. For
        example ``lambda labels: logrank(time, event, labels).statistic``. A permutation for which
        it refuses its input is counted as failed.
    group
        The labels, shape (people,).
    seed
        Of the random stream.
    permutations
        How many.
    cluster
        Label per person: whole clusters, each with one group, swap their groups.
    strata
        Label per person: shuffled within strata.

    Returns
    -------
    Permutation

    Raises
    ------
    InvalidInput
        Labels that are not one per person or blank, one group, a cluster in two strata or two
        groups.

    References
    ----------
    Phipson B, Smyth GK. Stat Appl Genet Mol Biol 2010;9:39 (the observed one is included).
    """
    refuse(_number_problems({"permutations": permutations}, 1))
    column = group if isinstance(group, pd.Series) else pd.Series(group)
    codes, _ = label_groups(column, len(column), at_least=2)
    labels: npt.NDArray[Any] = column.to_numpy()
    units = _units(len(labels), cluster, strata)
    one_of = np.zeros(len(units.offset), dtype=np.int64)
    one_of[units.unit] = np.arange(len(labels))
    if (codes[one_of][units.unit] != codes).any():
        refuse([Problem(PLACE, "a cluster is in two groups", column="cluster")])
    observed = float(statistic(labels))
    stream = random_stream(seed, "survival", "permutation")
    shuffled = np.full(permutations, np.nan)
    for one in range(permutations):
        # Sorting by stratum and then by chance shuffles within strata.
        order = np.lexsort((stream.random(len(one_of)), units.offset))
        new = np.empty_like(one_of)
        new[units.by_stratum] = one_of[order]
        try:
            shuffled[one] = statistic(labels[new[units.unit]])
        except InvalidInput:
            continue  # stays NaN and is counted
    known = shuffled[np.isfinite(shuffled)]
    as_far = np.abs(known) >= np.abs(observed) * (1 - 1e-12)  # equal up to rounding is as far
    return Permutation(
        statistic=observed,
        p_value=float((1 + as_far.sum()) / (1 + len(known))),
        shuffled=shuffled,
        failed=int(permutations - len(known)),
        people=len(labels),
        units=len(one_of),
        strata=units.strata,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class _Units:
    """What is drawn or shuffled: units (people or clusters), in order of their stratum.

    `unit` is each person's unit; `offset` and `size` are, per unit, where its stratum begins and
    how many units that has; `by_stratum` lists the units in order of stratum.
    """

    unit: IntArray
    offset: IntArray
    size: IntArray
    by_stratum: IntArray
    strata: int


def _units(people: int, cluster: npt.ArrayLike | None, strata: npt.ArrayLike | None) -> _Units:
    unit = np.arange(people)
    if cluster is not None:
        unit, _ = label_groups(cluster, people, "cluster")
    stratum, count = np.zeros(people, dtype=np.int64), 1
    if strata is not None:
        stratum, labels = label_groups(strata, people, "strata")
        count = len(labels)
    of_unit = np.zeros(int(unit.max()) + 1, dtype=np.int64)
    of_unit[unit] = stratum
    if (of_unit[unit] != stratum).any():
        refuse([Problem(PLACE, "a cluster is in two strata", column="cluster")])
    sizes = np.bincount(of_unit, minlength=count)
    begins = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    by_stratum = np.argsort(of_unit, kind="stable")
    return _Units(unit, begins[of_unit], sizes[of_unit], by_stratum, count)


def _draws(units: _Units, replicates: int, stream: np.random.Generator) -> Iterator[FloatArray]:
    """Draw how often each person is in the sample, again and again."""
    count = len(units.offset)
    for _ in range(replicates):
        picked = units.offset + (stream.random(count) * units.size).astype(np.int64)
        times = np.bincount(units.by_stratum[picked], minlength=count)
        yield times[units.unit].astype(float)


def _named(result: npt.ArrayLike | pd.Series) -> tuple[tuple[str, ...], FloatArray]:
    values = np.atleast_1d(np.asarray(result, dtype=float)).ravel()
    if isinstance(result, pd.Series):
        return tuple(map(str, result.index)), values
    return tuple(str(one + 1) for one in range(len(values))), values


def _number_problems(numbers: dict[str, int], least: int) -> list[Problem]:
    return [
        Problem(PLACE, f"allowed: a whole number of at least {least}", None, name, str(value))
        for name, value in numbers.items()
        if not (isinstance(value, (int, np.integer)) and value >= least)
    ]


def _parts(drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.ascontiguousarray(drawn[:, 0]), np.ascontiguousarray(drawn[:, 1])
