"""What would a registry show if its people had been allocated to paces of leaving a drug?

Clone, censor, weight: everybody follows every strategy from time zero until the record shows that
they do not, and those who go on count for those like them who do not. That rests on knowing every
reason why people who fare differently leave the drug differently; nothing here can show that it
does. It compares strategies and advises nobody.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from discontinuation.design.emulation_checks import (
    empty_strategies,
    following,
    notes_on,
    option_problems,
    outcomes,
    too_short,
)
from discontinuation.design.emulation_intervals import Resampled, Resampling, resample
from discontinuation.design.registry_cohort import RegistryTables, build_cohort
from discontinuation.design.strategies import DAYS, TargetTrial
from discontinuation.problems import refuse
from discontinuation.survival.e_values import e_value
from discontinuation.survival.weighting import diagnose

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
    resampling
        How the intervals were made: groups, replicates, confidence, seed.
    failed
        Samples of people that could not be analysed.
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
    resampling: Resampling
    failed: int

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
    groups: int = 20,
    replicates: int | None = None,
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
        Level of the intervals.
    groups
        Random groups of people, 10 or more, each left out once by the delete-a-group jackknife;
        all models are fitted again. Limits are those of t with one degree of freedom less than
        groups, of a risk ratio on the log scale.
    replicates
        Bootstrap samples of people with percentile intervals in place of the jackknife, 200 or
        more; None: the jackknife. Where few people stand for many the bootstrap is too sure of
        itself: docs/design.md has the figures.
    seed
        Of the groups or samples.

    Returns
    -------
    Emulation

    Raises
    ------
    InvalidInput
        Tables that cannot be used, options that make no sense, nobody eligible; a strategy that
        fewer than 10 people follow beyond the grace period or to the last day, or under which
        nobody has the event, covariates that tell without error who follows it.

    References
    ----------
    Hernan MA, Robins JM. Am J Epidemiol 2016;183:758-764 (target trial); Cain LE et al. Int J
    Biostat 2010;6:18 (grace period); Cashin AG et al. BMJ 2025;390:e087179 (TARGET); Kott PS.
    J Off Stat 2001;17:521-526 (delete-a-group jackknife).
    """
    how = Resampling(groups, replicates, confidence, seed)
    refuse(option_problems(truncate, relevant_difference, how))
    cohort, flow = build_cohort(tables, trial, covariates, definition)
    clones = [clone(cohort, strategy, trial) for strategy in trial.strategies]
    refuse(empty_strategies(cohort, clones, trial))
    refuse(too_short(cohort, clones, trial))
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
    again = resample(cohort, clones, fitted, trial, truncate, how)
    positivity = _positivity(clones, weights, trial)
    balance = _balance(cohort, clones, weights, trial)
    models = pd.DataFrame([row for one in clones for row in describe_models(one)])
    return Emulation(
        trial=trial,
        covariates=tuple(covariates),
        definition=definition,
        flow=flow,
        risks=_risks(cohort, clones, curves, plain, again, trial),
        contrasts=_contrasts(trial, curves, plain, again, relevant_difference),
        curves=_curves(trial, curves, plain, again),
        weights=positivity,
        balance=balance,
        models=models,
        naive=naive_comparison(cohort, trial),
        notes=tuple(notes_on(positivity, balance, models, again)),
        resampling=how,
        failed=again.failed,
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
    again: Resampled,
    relevant: float | None,
) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    names = [strategy.name for strategy in trial.strategies]
    for other, one in combinations(range(len(names)), 2):
        found, unweighted = _measures(curves, one, other), _measures(plain, one, other)
        sampled = _measures(again.curves, one, other)
        for measure in MEASURES:
            limits = again.ratio_limits if measure == "risk_ratio" else again.limits
            lower, upper, se = map(float, limits(found[measure], sampled[measure]))
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
    again: Resampled,
    trial: TargetTrial,
) -> pd.DataFrame:
    low, high = again.share_limits(1 - curves[:, -1], 1 - again.curves[..., -1])
    rmst = curves[:, :-1].sum(axis=1)
    rmst_low, rmst_high, _ = again.limits(rmst, again.curves[..., :-1].sum(axis=-1))
    return pd.DataFrame(
        {
            "strategy": [one.strategy.name for one in clones],
            "compatible": [int(following(one, trial).sum()) for one in clones],
            "to_end": [int((one.deviation * DAYS >= cohort.day).sum()) for one in clones],
            "events": [int(outcomes(cohort, one).sum()) for one in clones],
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
    trial: TargetTrial, curves: FloatArray, plain: FloatArray, again: Resampled
) -> pd.DataFrame:
    lower, upper = again.share_limits(curves, again.curves)
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
