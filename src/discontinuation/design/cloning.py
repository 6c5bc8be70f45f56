"""Who follows each strategy until when, and what decides whether they go on following it?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discontinuation.design._daily import FloatArray
from discontinuation.design._pooled_logistic import PersonWeeks, fit_pooled, log_stay
from discontinuation.design.strategies import (
    DAYS,
    SLACK,
    BoolArray,
    IntArray,
    Strategy,
    TargetTrial,
    deviation_week,
    lapsed_weeks,
)

FEWEST = 20  # that deviate, and that do not, in an interval with a chance of its own
FEWEST_PER_COVARIATE = 10
STATES = ("full dose", "full dose, last week of grace", "no supply", "reduced dose")


@dataclass(frozen=True, eq=False)
class Cohort:
    """Those who enter the emulated trial.

    Attributes
    ----------
    people
        Names, shape (n,).
    share
        Share of the full dose held at the start of each week, shape (n, weeks).
    day
        Last day of follow-up, whole, at most the horizon, shape (n,).
    event
        Whether the outcome happened then, shape (n,).
    names
        Of the p covariates.
    covariates
        As known at the start of each week, of mean 0 and standard deviation 1 at time zero,
        shape (n, weeks, p).
    """

    people: npt.NDArray[np.object_]
    share: FloatArray
    day: IntArray
    event: BoolArray
    names: tuple[str, ...]
    covariates: FloatArray


@dataclass(frozen=True, eq=False)
class StateModel:
    """Chances to deviate from a strategy in one state, and whether covariates explain them."""

    state: str
    rows: PersonWeeks
    adjusted: bool


@dataclass(frozen=True, eq=False)
class Clones:
    """Everybody, followed under one strategy until they deviate.

    Attributes
    ----------
    strategy
        Which.
    deviation
        First week at whose start the person no longer follows it, shape (n,).
    followed
        Whether the person is observed in the week and follows it, shape (n, weeks).
    models
        One per state in which somebody deviates and somebody does not.
    """

    strategy: Strategy
    deviation: IntArray
    followed: BoolArray
    models: tuple[StateModel, ...]


def clone(cohort: Cohort, strategy: Strategy, trial: TargetTrial) -> Clones:
    """Follow everybody under one strategy.

    What may make a person deviate differs between those at the full dose, those without a supply
    and those at a reduced dose, and in the last week of grace; each state has a model of its own,
    with an intercept per week. Weeks are merged until 20 deviate and 20 do not.

    References
    ----------
    Cain LE, Robins JM, Lanoy E, et al. Int J Biostat 2010;6:18 (grace periods); Hernan MA. BMJ
    2018;360:k182 (cloning, censoring, weighting).
    """
    deviation = deviation_week(cohort.share, strategy, trial)
    week = np.arange(trial.weeks)
    observed = cohort.day[:, None] > week * DAYS
    may = observed & (deviation[:, None] >= week)
    person, at = np.nonzero(may)
    state, key = _states(cohort.share, strategy, trial, person, at)
    deviates = deviation[person] == at
    models = []
    for number, name in enumerate(STATES):
        here = state == number
        found = _model(cohort, person[here], at[here], key[here], deviates[here])
        if found is not None:
            models.append(StateModel(name, *found))
    followed = observed & (deviation[:, None] > week)
    return Clones(strategy, deviation, followed, tuple(models))


def fit_models(
    clones: Clones, counts: FloatArray, starts: list[FloatArray] | None = None
) -> list[FloatArray]:
    """Fit the model of each state, each person counting `counts` times.

    Raises
    ------
    InvalidInput
        Covariates that predict without error who deviates.
    """
    found = []
    for place, model in enumerate(clones.models):
        otherwise = (
            f"strategy {clones.strategy.name!r}, {model.state}: the covariates tell without error "
            "who goes on following it (no positivity), so that nobody comparable is left; leave a "
            "covariate out, or ask for less"
        )
        start = None if starts is None else starts[place]
        found.append(fit_pooled(model.rows, counts, start, otherwise))
    return found


def follow_weights(
    clones: Clones,
    fitted: list[FloatArray],
    truncate: float | None = None,
    counts: FloatArray | None = None,
) -> FloatArray:
    """Inverse probability of still following the strategy, shape (n, weeks).

    Parameters
    ----------
    clones, fitted
        The clones and their models.
    truncate
        Share of the largest weights that is set to the smallest of them.
    counts
        How often each person is there, whole, shape (n,); None: once.

    Returns
    -------
    array
        0 where the person is not followed.
    """
    logs = np.zeros(clones.followed.shape)
    for model, theta in zip(clones.models, fitted, strict=True):
        logs[model.rows.person, model.rows.week] = log_stay(model.rows, theta)
    np.cumsum(logs, axis=1, out=logs)
    weights = np.where(clones.followed, np.exp(-logs), 0.0)
    if truncate:
        held = weights[clones.followed]
        if counts is not None:  # who is not in a sample has no part in where it is cut
            times = np.broadcast_to(counts[:, None], weights.shape)[clones.followed]
            held = np.repeat(held, times.astype(np.int64))
        limit = np.quantile(held, 1 - truncate)
        np.minimum(weights, limit, out=weights)
    return weights


def weighted_curve(
    cohort: Cohort, clones: Clones, weights: FloatArray, counts: FloatArray, trial: TargetTrial
) -> FloatArray:
    """Weighted share without the event on each day (Kaplan-Meier), shape (horizon + 1,).

    Parameters
    ----------
    cohort, clones, trial
        Of n people.
    weights
        From `follow_weights`, shape (n, weeks).
    counts
        How often each person is there, shape (n,).
    """
    size = trial.horizon_days + 1
    inside = np.flatnonzero(cohort.day <= clones.deviation * DAYS)
    day = cohort.day[inside]
    leaving = weights[inside, (day - 1) // DAYS] * counts[inside]
    events = np.bincount(day, leaving * cohort.event[inside], size)[1:]
    gone = np.bincount(day, leaving, size)[1:].reshape(-1, DAYS)
    left = np.cumsum(gone, axis=1) - gone
    present = ((counts @ weights)[:, None] - left).ravel()
    free = 1 - np.divide(events, present, out=np.zeros(size - 1), where=events > 0)
    return np.append(1.0, np.cumprod(np.maximum(free, 0.0)))


def _states(
    share: FloatArray, strategy: Strategy, trial: TargetTrial, person: IntArray, week: IntArray
) -> tuple[IntArray, IntArray]:
    """State of each chance to deviate, and the key of its intercept."""
    before = np.where(week > 0, share[person, np.maximum(week - 1, 0)], 1.0)
    none = before <= 0
    late = (week == trial.grace_weeks) & (strategy.kind != "continue")
    state = np.select([none, before < 1 - SLACK], [2, 3], np.where(late, 1, 0))
    run = lapsed_weeks(share <= 0)[person, np.maximum(week - 1, 0)]
    run = np.minimum(np.where(none, run, 0), trial.gap_weeks + 1)
    return state, run * trial.weeks + week


def _model(
    cohort: Cohort, person: IntArray, week: IntArray, key: IntArray, deviates: BoolArray
) -> tuple[PersonWeeks, bool] | None:
    """Keep the chances where it is open who deviates, and merge weeks with few of them."""
    if not len(key):
        return None
    size = int(key.max()) + 1
    gone = np.bincount(key, deviates, size)
    stay = np.bincount(key, ~deviates, size)
    open_ = (gone > 0) & (stay > 0)
    used = open_[key]
    if not used.any():
        return None
    interval = _merged(gone.astype(float), stay.astype(float), open_, cohort.share.shape[1])[
        key[used]
    ]
    fewest = min(gone[open_].sum(), stay[open_].sum())
    adjusted = fewest >= FEWEST_PER_COVARIATE * len(cohort.names)
    covariates = cohort.covariates[person[used], week[used]]
    rows = PersonWeeks(
        person=person[used],
        week=week[used],
        interval=interval,
        deviates=deviates[used].astype(float),
        covariates=np.ascontiguousarray(covariates if adjusted else covariates[:, :0]),
    )
    return rows, bool(adjusted)


def _merged(gone: FloatArray, stay: FloatArray, open_: BoolArray, weeks: int) -> IntArray:
    """Number the intervals: open weeks after each other until both counts are large enough."""
    interval = np.full(len(open_), -1, dtype=np.int64)
    number = -1
    for first in range(0, len(open_), weeks):  # weeks without a supply are not mixed
        keys = first + np.flatnonzero(open_[first : first + weeks])
        opening, counts = number + 1, np.zeros(2)
        fresh = True
        for key in keys:
            if fresh:
                number, counts, fresh = number + 1, np.zeros(2), False
            interval[key] = number
            counts += (gone[key], stay[key])
            fresh = bool(counts.min() >= FEWEST)
        if keys.size and not fresh and number > opening:
            interval[interval == number] = number - 1
            number -= 1
    return interval


def describe_models(clones: Clones) -> Iterator[dict[str, object]]:
    """One row per state: strategy, state, chances, deviations, intercepts, adjusted."""
    for model in clones.models:
        yield {
            "strategy": clones.strategy.name,
            "state": model.state,
            "chances": len(model.rows.person),
            "deviations": int(model.rows.deviates.sum()),
            "intercepts": model.rows.intervals,
            "adjusted": model.adjusted,
        }
