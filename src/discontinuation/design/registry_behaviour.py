"""What does each person of a made-up registry collect, week by week?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from discontinuation.design._daily import FloatArray
from discontinuation.design.strategies import SLACK, BoolArray, IntArray, Strategy, TargetTrial

PACK_WEEKS = 4
GAP_WEEKS = 2  # weeks without a supply after which nobody in the registry comes back


@dataclass(frozen=True, eq=False)
class Traits:
    """What people bring along, one entry per person.

    Attributes
    ----------
    age, female, episodes, attempts
        Years; whether female; earlier episodes; earlier attempts to stop.
    poor_sleep
        Whether sleep is poor in each week, shape (n, weeks).
    """

    age: FloatArray
    female: BoolArray
    episodes: IntArray
    attempts: IntArray
    poor_sleep: BoolArray


@dataclass(frozen=True)
class Habits:
    """How people go on with the drug; every number is invented.

    Attributes
    ----------
    lapse, taper
        Odds of not collecting, and of beginning a taper, against collecting the full dose, at
        each pack.
    comes_back
        Probability of coming back in each of the first weeks without a supply.
    abandons
        Probability of giving up a taper and taking nothing from then on, each week.
    plans
        Lengths of the tapers that begin, in weeks; each falls in equal steps of occupancy.
    by_trait
        How much traits matter to all of that; 0: people reduce at random.
    """

    lapse: float = 0.10
    taper: float = 0.15
    comes_back: float = 0.5
    abandons: float = 0.01
    plans: tuple[int, ...] = (4, 8, 16, 26)
    by_trait: float = 1.0


@dataclass(frozen=True, eq=False)
class _Options:
    """Probabilities of what each person does in one week; shape (n,) each."""

    lapse: FloatArray
    taper: FloatArray
    comes_back: FloatArray
    abandons: FloatArray
    last_week_away: int  # weeks without a supply after which nobody comes back, or everybody
    all_come_back: bool


def weekly_share(
    habits: Habits,
    traits: Traits,
    plans: FloatArray,
    draws: FloatArray,
    plan_draw: FloatArray,
    strategy: Strategy | None = None,
    trial: TargetTrial | None = None,
) -> FloatArray:
    """Share of the full dose that each person holds in each week.

    Parameters
    ----------
    habits, traits
        Of n people.
    plans
        Share of the full dose in each week of each plan, shape (plans, weeks).
    draws, plan_draw
        Uniform numbers, shapes (n, weeks) and (n,).
    strategy, trial
        None: people do as they please. Else they are made to follow the strategy: whatever it
        forbids is not open to them, what is left keeps its proportions, and they begin in the
        last week of grace if not before.

    Returns
    -------
    array
        Shape (n, weeks).
    """
    n, weeks = draws.shape
    allowed = _allowed(plans, strategy)
    scores = _plan_scores(habits, traits)
    plan = _choose_plan(scores * allowed, plan_draw)
    slow = (scores * allowed).sum(axis=1) / scores.sum(axis=1)
    since = np.full(n, -1)  # week of the taper; -1: none
    lapsed = np.zeros(n, dtype=np.int64)
    given_up = np.zeros(n, dtype=bool)
    share = np.empty((n, weeks))
    for week in range(weeks):
        option = _natural(habits, traits, week)
        if strategy is not None and trial is not None:
            option = _following(option, strategy, trial, week, slow)
        draw = draws[:, week]
        free = (lapsed == 0) & (since < 0)
        since[since >= 0] += 1
        given_up |= (since > 0) & (draw < option.abandons)
        lapsed = np.where(_come_back(option, lapsed, draw), 0, lapsed + (lapsed > 0))
        if week % PACK_WEEKS == 0:
            begins = free & (draw < option.taper)
            since[begins] = 0
            lapsed[free & ~begins & (draw < option.taper + option.lapse)] = 1
        held = np.where(since >= 0, plans[plan, np.maximum(since, 0)], 1.0)
        share[:, week] = np.where(given_up | (lapsed > 0), 0.0, held)
    return share


def _natural(habits: Habits, traits: Traits, week: int) -> _Options:
    """What people do as they please."""
    sleep, more = traits.poor_sleep[:, week], habits.by_trait
    episodes, attempts = traits.episodes - 2.0, traits.attempts - 0.6
    lapse = habits.lapse * np.exp(more * (-0.25 * episodes - 0.5 * sleep))
    taper = habits.taper * np.exp(more * (-0.1 * episodes + 0.4 * attempts - 0.4 * sleep))
    even = habits.comes_back / (1 - habits.comes_back)
    odds = even * np.exp(more * (0.2 * episodes + 0.3 * sleep))
    return _Options(
        lapse=lapse / (1 + lapse + taper),
        taper=taper / (1 + lapse + taper),
        comes_back=odds / (1 + odds),
        abandons=habits.abandons * np.exp(more * 0.5 * sleep),
        last_week_away=GAP_WEEKS,
        all_come_back=False,
    )


def _following(
    option: _Options, strategy: Strategy, trial: TargetTrial, week: int, slow: FloatArray
) -> _Options:
    """Close what the strategy forbids, in proportion to what is left open."""
    none, last = np.zeros_like(slow), week == trial.grace_weeks
    without_taper = option.lapse / (1 - option.taper)
    if strategy.kind == "stop":
        lapse = np.ones_like(none) if last else without_taper
        return replace(option, lapse=lapse, taper=none, comes_back=none, abandons=none)
    option = replace(option, abandons=none, last_week_away=trial.gap_weeks, all_come_back=True)
    if strategy.kind == "continue":
        return replace(option, lapse=without_taper, taper=none)
    if last:
        return replace(option, lapse=none, taper=np.ones_like(none))
    whole = 1 - option.taper + option.taper * slow
    return replace(option, lapse=option.lapse / whole, taper=option.taper * slow / whole)


def _come_back(option: _Options, lapsed: IntArray, draw: FloatArray) -> BoolArray:
    early = (lapsed > 0) & (lapsed <= option.last_week_away)
    back = early & (draw < option.comes_back)
    if option.all_come_back:
        back |= (lapsed > 0) & (lapsed >= option.last_week_away)
    return back


def _allowed(plans: FloatArray, strategy: Strategy | None) -> BoolArray:
    """Which plans may be begun."""
    if strategy is None or strategy.kind != "taper":
        return np.ones(len(plans), dtype=bool)
    floor = np.asarray(strategy.lowest)
    return np.asarray((plans[:, : len(floor)] >= floor - SLACK).all(axis=1))


def _plan_scores(habits: Habits, traits: Traits) -> FloatArray:
    """Longer plans for those who had more episodes and more attempts."""
    longer = habits.by_trait * (0.2 * (traits.episodes - 2) + 0.3 * (traits.attempts - 0.6))
    return np.asarray(np.exp(longer[:, None] * np.arange(len(habits.plans))))


def _choose_plan(scores: FloatArray, draw: FloatArray) -> IntArray:
    total = np.cumsum(scores, axis=1)
    return np.asarray((draw[:, None] * total[:, -1:] >= total).sum(axis=1))
