"""What keeps a target trial from being emulated, and what must be known of one that was?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.design._numbers import is_number, is_whole
from discontinuation.design.cloning import Clones, Cohort
from discontinuation.design.emulation_intervals import Resampled, Resampling
from discontinuation.design.strategies import DAYS, PLACE, BoolArray, IntArray, TargetTrial
from discontinuation.problems import Problem

FEWEST_FOLLOWING = 10
FEWEST_GROUPS = 10  # a t interval from fewer is an eighth wider or more than need be
FEWEST_REPLICATES = 200  # a 95 % percentile limit then has five samples beyond it
# An effective number of people below which results are called fragile. With 137 to 225 the
# bootstrap's 95 % intervals covered in 89 % (docs/design.md): weights of a few decide.
SMALL_SIZE = 300.0
LARGE_WEIGHT = 50.0
UNBALANCED = 0.1


def following(clones: Clones, trial: TargetTrial) -> BoolArray:
    """Who is seen to follow the strategy once the grace period is over."""
    return np.asarray(clones.followed[:, min(trial.grace_weeks + 1, trial.weeks - 1)])


def outcomes(cohort: Cohort, clones: Clones) -> BoolArray:
    """Who has the event while following the strategy."""
    return np.asarray(cohort.event & (cohort.day <= clones.deviation * DAYS))


def empty_strategies(
    cohort: Cohort, clones: Sequence[Clones], trial: TargetTrial
) -> Iterator[Problem]:
    """Find strategies of which nothing can be said."""
    for one in clones:
        place = f"strategy {one.strategy.name!r}"
        compatible = int(following(one, trial).sum())
        if compatible < FEWEST_FOLLOWING:
            yield Problem(
                place,
                f"{compatible} of {len(cohort.people)} eligible people follow it beyond the grace "
                f"period; at least {FEWEST_FOLLOWING} are needed, so nothing can be said of it",
            )
        elif not outcomes(cohort, one).any():
            yield Problem(place, "nobody who follows it has the event: no risk can be compared")


def too_short(cohort: Cohort, clones: Sequence[Clones], trial: TargetTrial) -> Iterator[Problem]:
    """Find strategies that too few people are seen to follow up to the last day.

    Beyond that day a curve would be its last value carried on, whatever happened to people.
    """
    reached = [_weeks_reached(cohort, one) for one in clones]
    last = min(int(np.sort(weeks)[-FEWEST_FOLLOWING]) for weeks in reached)
    for one, weeks in zip(clones, reached, strict=True):
        count = int((weeks >= trial.weeks).sum())
        if count < FEWEST_FOLLOWING:
            yield Problem(
                f"strategy {one.strategy.name!r}",
                f"{count} people are followed under it to the end of {trial.weeks} weeks; at least "
                f"{FEWEST_FOLLOWING} are needed; weeks={last} can be had under all strategies",
                column="weeks",
                value=str(trial.weeks),
            )


def _weeks_reached(cohort: Cohort, clones: Clones) -> IntArray:
    """Whole weeks that each person is followed under the strategy, shape (n,)."""
    return np.asarray(np.minimum(cohort.day // DAYS, clones.deviation))


def notes_on(
    positivity: pd.DataFrame, balance: pd.DataFrame, models: pd.DataFrame, again: Resampled
) -> Iterator[str]:
    """Say what must be known before the numbers are used; tables as in `Emulation`."""
    columns = ["strategy", "week", "effective_size", "largest_weight"]
    for name, week, size, largest in positivity[columns].itertuples(index=False, name=None):
        place = f"{name}, week {week}"
        if size < SMALL_SIZE:
            yield f"{place}: the weights leave {size:.0f} effective people; fragile"
        if largest > LARGE_WEIGHT:
            yield f"{place}: one person counts for {largest:.0f}, as hardly anybody alike follows"
    for name, covariate, _, after in balance.itertuples(index=False, name=None):
        if abs(after) > UNBALANCED:
            yield f"{name}: {covariate} is unbalanced after weighting ({after:.2f} SD)"
    for name, state, chances, gone, _, adjusted in models.itertuples(index=False, name=None):
        if not adjusted:
            yield (
                f"{name}, {state}: {gone} deviations in {chances} chances are too few for the "
                "covariates, which were left out there"
            )
    if again.failed:
        yield (
            f"{again.failed} of {again.how.samples} samples of people could not be analysed; the "
            "intervals lack them"
        )


def option_problems(truncate: Any, relevant: Any, how: Resampling) -> Iterator[Problem]:
    """Find options of `emulate` that make no sense."""
    if truncate is not None and not (is_number(truncate) and 0 <= truncate < 0.5):
        yield Problem(PLACE, "allowed: from 0 to below 0.5", None, "truncate", str(truncate))
    shares = {"confidence": how.confidence}
    if relevant is not None:
        shares["relevant_difference"] = relevant
    for name, value in shares.items():
        if not (is_number(value) and 0 < value < 1):
            yield Problem(PLACE, "allowed: a number between 0 and 1", None, name, str(value))
    counts = {"groups": (how.groups, FEWEST_GROUPS), "seed": (how.seed, 0)}
    if how.replicates is not None:
        counts["replicates"] = (how.replicates, FEWEST_REPLICATES)
    for name, (value, least) in counts.items():
        if not is_whole(value, least):
            rule = f"allowed: a whole number of at least {least}"
            yield Problem(PLACE, rule, None, name, str(value))
