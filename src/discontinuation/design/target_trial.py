"""What would a registry show if its people had been allocated to paces of leaving a drug?

Clone, censor, weight: everybody follows every strategy from time zero until the record shows that
they do not, and those who go on count for those like them who do not. That rests on knowing every
reason why people who fare differently leave the drug differently; nothing here can show that it
does. It compares strategies and advises nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from discontinuation.design._daily import FloatArray
from discontinuation.design.cloning import (
    Clones,
    Cohort,
    clone,
    describe_models,
    fit_models,
    follow_weights,
    weighted_curve,
)
from discontinuation.design.registry_cohort import RegistryTables, build_cohort
from discontinuation.design.strategies import DAYS, TargetTrial
from discontinuation.problems import InvalidInput, Problem, refuse
from discontinuation.seeds import random_stream
from discontinuation.survival.e_values import e_value
from discontinuation.survival.weighting import diagnose

FEWEST_FOLLOWING = 10
SMALL_SIZE = 50.0  # an effective number of people below which results are called fragile
LARGE_WEIGHT = 50.0
UNBALANCED = 0.1
MEASURES = ("risk_difference", "risk_ratio", "rmst_difference")


@dataclass(frozen=True, eq=False)
class Emulation:
    """An emulated target trial.

    Attributes
    ----------
    trial, covariates, definition
        What was asked.
    flow
        One row per criterion: step, people.
    risks
        One row per strategy: strategy, compatible (people who follow it beyond the grace period),
        to_end (follow it to the end of what is recorded of them), events, risk and rmst (days) by
        the horizon with limits, and unweighted_risk.
    contrasts
        One row per pair and measure: strategy, reference, measure, estimate, se, lower, upper,
        unweighted, conclusion; e_value and e_value_limit of a risk ratio.
    curves
        One row per strategy and day: strategy, day, event_free, lower, upper, unweighted.
    weights
        Positivity, one row per strategy at the end of the grace period and at the end of
        follow-up: strategy, week, people, smallest_probability (of still following),
        mean_weight, largest_weight, extreme_share, effective_size.
    balance
        Among those who still follow in the week after the grace period, difference from
        everybody at time zero in standard deviations: strategy, covariate, before, after.
    models
        One row per strategy and state: see `cloning.describe_models`.
    naive
        What a comparison of people classified by all that they did later would have said, from
        time zero: group, people, events, risk. It is biased, and stands here as a warning.
    notes
        What must be known before the numbers are used.
    confidence, replicates, failed, seed
        Bootstrap of people: level, samples, samples that could not be analysed.
    """

    trial: TargetTrial
    covariates: tuple[str, ...]
    definition: str
    flow: pd.DataFrame
    risks: pd.DataFrame
    contrasts: pd.DataFrame
    curves: pd.DataFrame
    weights: pd.DataFrame
    balance: pd.DataFrame
    models: pd.DataFrame
    naive: pd.DataFrame
    notes: tuple[str, ...]
    confidence: float
    replicates: int
    failed: int
    seed: int

    @property
    def summary(self) -> pd.DataFrame:
        """The contrasts."""
        return self.contrasts


def emulate(
    tables: RegistryTables,
    trial: TargetTrial,
    covariates: Sequence[str],
    definition: str,
    *,
    truncate: float | None = None,
    relevant_difference: float | None = None,
    confidence: float = 0.95,
    replicates: int = 500,
    seed: int = 1,
) -> Emulation:
    """Emulate a target trial by cloning, censoring and weighting.

    Parameters
    ----------
    tables
        The registry.
    trial
        The strategies; a reduction may begin at any time in the grace period, as people do of
        themselves, and everybody who has not is taken to begin in its last week.
    covariates
        Whatever decides both how people go on and how they fare, at time zero (columns of people)
        or in between (columns of measures).
    definition
        Of the outcome; with a negative control as the outcome a difference is a sign of bias.
    truncate
        Share of the largest weights set to the smallest of them; None: none.
    relevant_difference
        Smallest difference in risk that would matter; with it a conclusion can be ``"none of that
        size"``.
    confidence
        Level of the percentile intervals.
    replicates
        Bootstrap samples of people, at least 20; all models are fitted again in each.
    seed
        Of the bootstrap.

    Returns
    -------
    Emulation

    Raises
    ------
    InvalidInput
        Tables that cannot be used, options that make no sense, nobody eligible; a strategy that
        hardly anybody follows or under which nobody has the event, covariates that tell without
        error who follows it.

    References
    ----------
    Hernan MA, Robins JM. Am J Epidemiol 2016;183:758-764 (target trial); Cain LE et al. Int J
    Biostat 2010;6:18 (grace period); Cashin AG et al. BMJ 2025;390:e087179 (TARGET).
    """
    refuse(_option_problems(truncate, relevant_difference, confidence, replicates))
    cohort, flow = build_cohort(tables, trial, covariates, definition)
    clones = [clone(cohort, strategy, trial) for strategy in trial.strategies]
    refuse(_empty_strategies(cohort, clones, trial))
    everybody = np.ones(len(cohort.people))
    fitted = [fit_models(one, everybody) for one in clones]
    weights = [
        follow_weights(one, theta, truncate) for one, theta in zip(clones, fitted, strict=True)
    ]
    curves = np.array(
        [
            weighted_curve(cohort, one, weight, everybody, trial)
            for one, weight in zip(clones, weights, strict=True)
        ]
    )
    plain = np.array(
        [weighted_curve(cohort, c, c.followed.astype(float), everybody, trial) for c in clones]
    )
    drawn, failed = _bootstrap(cohort, clones, fitted, trial, truncate, replicates, seed)
    limits = _Limits(drawn, confidence)
    positivity = _positivity(clones, weights, trial)
    balance = _balance(cohort, clones, weights, trial)
    models = pd.DataFrame([row for one in clones for row in describe_models(one)])
    return Emulation(
        trial=trial,
        covariates=tuple(covariates),
        definition=definition,
        flow=flow,
        risks=_risks(cohort, clones, curves, plain, limits, trial),
        contrasts=_contrasts(trial, curves, plain, limits, relevant_difference),
        curves=_curves(trial, curves, plain, limits),
        weights=positivity,
        balance=balance,
        models=models,
        naive=naive_comparison(cohort, trial),
        notes=tuple(_notes(positivity, balance, models, failed, replicates)),
        confidence=confidence,
        replicates=replicates,
        failed=failed,
        seed=seed,
    )


def naive_comparison(cohort: Cohort, trial: TargetTrial) -> pd.DataFrame:
    """Classify people by all that they did later, and compare them from time zero.

    Whoever was to complete a taper had to stay free of the event until then (immortal time), and
    those who chose to do so were other people (confounding).

    Returns
    -------
    DataFrame
        One row per strategy: group, people, events, risk (Kaplan-Meier, by the horizon).
    """
    rows = []
    for strategy in trial.strategies:
        group = clone(cohort, strategy, trial)
        last = (cohort.day - 1) // DAYS
        lowest = np.where(np.arange(trial.weeks) <= last[:, None], cohort.share, np.inf).min(axis=1)
        done = lowest >= 1 if strategy.kind == "continue" else lowest <= 0
        member = (group.deviation * DAYS >= cohort.day) & done
        free = weighted_curve(
            cohort, _everybody(group), np.ones(group.followed.shape) * _seen(cohort), member * 1.0,
            trial,
        )  # fmt: skip
        rows.append(
            {
                "group": strategy.name,
                "people": int(member.sum()),
                "events": int(cohort.event[member].sum()),
                "risk": float(1 - free[-1]) if member.any() else math.nan,
            }
        )
    return pd.DataFrame(rows)


def _everybody(clones: Clones) -> Clones:
    never = np.full(len(clones.deviation), clones.followed.shape[1])
    return Clones(clones.strategy, never, clones.followed, ())


def _seen(cohort: Cohort) -> FloatArray:
    weeks = cohort.share.shape[1]
    return np.asarray(cohort.day[:, None] > np.arange(weeks) * DAYS, dtype=float)


class _Limits:
    """Percentile limits and standard errors of whatever is computed from bootstrapped curves."""

    def __init__(self, curves: FloatArray, confidence: float) -> None:
        self.curves = curves  # (samples, strategies, days)
        self._tails = ((1 - confidence) / 2, (1 + confidence) / 2)

    def of(self, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Lower limit, upper limit and standard error over the samples (axis 0)."""
        lower, upper = np.nanquantile(values, self._tails, axis=0)
        return lower, upper, np.nanstd(values, axis=0, ddof=1)


def _bootstrap(
    cohort: Cohort,
    clones: Sequence[Clones],
    fitted: Sequence[list[FloatArray]],
    trial: TargetTrial,
    truncate: float | None,
    replicates: int,
    seed: int,
) -> tuple[FloatArray, int]:
    """Draw people with all their clones, and do everything again."""
    n = len(cohort.people)
    drawn = []
    for number in range(replicates):
        stream = random_stream(seed, "target trial", str(number))
        counts = np.bincount(stream.integers(0, n, n), minlength=n).astype(float)
        try:
            curves = [
                weighted_curve(
                    cohort,
                    one,
                    follow_weights(one, fit_models(one, counts, theta), truncate),
                    counts,
                    trial,
                )
                for one, theta in zip(clones, fitted, strict=True)
            ]
        except InvalidInput:
            continue
        drawn.append(np.array(curves))
    failed = replicates - len(drawn)
    if failed > replicates / 2:
        rule = f"{failed} of {replicates} bootstrap samples could not be analysed; ask for less"
        refuse([Problem("target trial", rule)])
    return np.array(drawn), failed


def _measures(curves: FloatArray, one: int, other: int) -> dict[str, FloatArray]:
    """Each measure of one strategy against another; curves of shape (..., strategies, days)."""
    risk, reference = 1 - curves[..., one, -1], 1 - curves[..., other, -1]
    rmst = curves[..., :-1].sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = risk / reference
    return dict(
        zip(
            MEASURES,
            (risk - reference, np.asarray(ratio), rmst[..., one] - rmst[..., other]),
            strict=True,
        )
    )


def _contrasts(
    trial: TargetTrial,
    curves: FloatArray,
    plain: FloatArray,
    limits: _Limits,
    relevant: float | None,
) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    names = [strategy.name for strategy in trial.strategies]
    for other, one in combinations(range(len(names)), 2):
        found, unweighted = _measures(curves, one, other), _measures(plain, one, other)
        sampled = _measures(limits.curves, one, other)
        for measure in MEASURES:
            lower, upper, se = (float(value) for value in limits.of(sampled[measure]))
            estimate = float(found[measure])
            rows.append(
                {
                    "strategy": names[one],
                    "reference": names[other],
                    "measure": measure,
                    "estimate": estimate,
                    "se": se,
                    "lower": lower,
                    "upper": upper,
                    "unweighted": float(unweighted[measure]),
                    "conclusion": _conclusion(measure, lower, upper, relevant),
                    **_e_values(measure, estimate, lower, upper),
                }
            )
    return pd.DataFrame(rows)


def _conclusion(measure: str, lower: float, upper: float, relevant: float | None) -> str:
    nothing = 1.0 if measure == "risk_ratio" else 0.0
    if measure == "risk_difference" and relevant and -relevant < lower and upper < relevant:
        return f"no difference of {relevant:g} or more"
    if lower > nothing:
        return "higher"
    return "lower" if upper < nothing else "no difference shown"


def _e_values(measure: str, estimate: float, lower: float, upper: float) -> dict[str, float]:
    """How strong what was not measured would have to be to explain the estimate away."""
    if measure != "risk_ratio" or not 0 < lower <= estimate <= upper < math.inf:
        return {"e_value": math.nan, "e_value_limit": math.nan}
    found = e_value(estimate, lower, upper, "RR")
    return {"e_value": found.estimate, "e_value_limit": found.limit}


def _risks(
    cohort: Cohort,
    clones: Sequence[Clones],
    curves: FloatArray,
    plain: FloatArray,
    limits: _Limits,
    trial: TargetTrial,
) -> pd.DataFrame:
    low, high, _ = limits.of(1 - limits.curves[..., -1])
    rmst = curves[:, :-1].sum(axis=1)
    rmst_low, rmst_high, _ = limits.of(limits.curves[..., :-1].sum(axis=-1))
    return pd.DataFrame(
        {
            "strategy": [one.strategy.name for one in clones],
            "compatible": [int(_compatible(one, trial).sum()) for one in clones],
            "to_end": [int((one.deviation * DAYS >= cohort.day).sum()) for one in clones],
            "events": [int(_events(cohort, one).sum()) for one in clones],
            "risk": 1 - curves[:, -1],
            "risk_lower": low,
            "risk_upper": high,
            "rmst": rmst,
            "rmst_lower": rmst_low,
            "rmst_upper": rmst_high,
            "unweighted_risk": 1 - plain[:, -1],
        }
    )


def _curves(
    trial: TargetTrial, curves: FloatArray, plain: FloatArray, limits: _Limits
) -> pd.DataFrame:
    lower, upper, _ = limits.of(limits.curves)
    parts = [
        pd.DataFrame(
            {
                "strategy": strategy.name,
                "day": np.arange(curves.shape[1]),
                "event_free": curves[place],
                "lower": lower[place],
                "upper": upper[place],
                "unweighted": plain[place],
            }
        )
        for place, strategy in enumerate(trial.strategies)
    ]
    return pd.concat(parts, ignore_index=True)


def _compatible(clones: Clones, trial: TargetTrial) -> np.ndarray:
    """Who is seen to follow the strategy once the grace period is over."""
    return np.asarray(clones.followed[:, min(trial.grace_weeks + 1, trial.weeks - 1)])


def _events(cohort: Cohort, clones: Clones) -> np.ndarray:
    return np.asarray(cohort.event & (cohort.day <= clones.deviation * DAYS))


def _positivity(
    clones: Sequence[Clones], weights: Sequence[FloatArray], trial: TargetTrial
) -> pd.DataFrame:
    rows = []
    for one, weight in zip(clones, weights, strict=True):
        for week in sorted({min(trial.grace_weeks + 1, trial.weeks - 1), trial.weeks - 1}):
            held = weight[one.followed[:, week], week]
            if held.size:
                rows.append(
                    {"strategy": one.strategy.name, "week": week, **diagnose(held, 1 / held)}
                )
    return pd.DataFrame(rows)


def _balance(
    cohort: Cohort, clones: Sequence[Clones], weights: Sequence[FloatArray], trial: TargetTrial
) -> pd.DataFrame:
    """Standardised differences at time zero of those who still follow, from everybody."""
    start, week = cohort.covariates[:, 0], min(trial.grace_weeks + 1, trial.weeks - 1)
    rows = []
    for one, weight in zip(clones, weights, strict=True):
        here = one.followed[:, week]
        before = start[here].mean(axis=0)
        after = np.average(start[here], axis=0, weights=weight[here, week])
        for place, name in enumerate(cohort.names):
            rows.append(
                {
                    "strategy": one.strategy.name,
                    "covariate": name,
                    "before": float(before[place]),
                    "after": float(after[place]),
                }
            )
    return pd.DataFrame(rows, columns=["strategy", "covariate", "before", "after"])


def _notes(
    positivity: pd.DataFrame, balance: pd.DataFrame, models: pd.DataFrame, failed: int, of: int
) -> Iterator[str]:
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
    if failed:
        yield f"{failed} of {of} bootstrap samples could not be analysed; the intervals lack them"


def _empty_strategies(
    cohort: Cohort, clones: Sequence[Clones], trial: TargetTrial
) -> Iterator[Problem]:
    for one in clones:
        place = f"strategy {one.strategy.name!r}"
        following = int(_compatible(one, trial).sum())
        if following < FEWEST_FOLLOWING:
            yield Problem(
                place,
                f"{following} of {len(cohort.people)} eligible people follow it beyond the grace "
                f"period; at least {FEWEST_FOLLOWING} are needed, so nothing can be said of it",
            )
        elif not _events(cohort, one).any():
            yield Problem(place, "nobody who follows it has the event: no risk can be compared")


def _option_problems(
    truncate: float | None, relevant: float | None, confidence: float, replicates: int
) -> Iterator[Problem]:
    place = "target trial"
    if truncate is not None and not 0 <= truncate < 0.5:
        yield Problem(place, "allowed: from 0 to below 0.5", None, "truncate", str(truncate))
    if relevant is not None and not 0 < relevant < 1:
        rule = "allowed: a number between 0 and 1"
        yield Problem(place, rule, None, "relevant_difference", str(relevant))
    if not 0 < confidence < 1:
        rule = "allowed: a number between 0 and 1"
        yield Problem(place, rule, None, "confidence", str(confidence))
    if replicates < 20:
        yield Problem(place, "allowed: 20 or more", None, "replicates", str(replicates))
