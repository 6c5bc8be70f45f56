"""Which tables of counts by day and arm does a trial give? Expected, and drawn by the thousand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from discontinuation.design._daily import FloatArray
from discontinuation.design.courses import IntArray, started_plans
from discontinuation.design.hazards import DailyHazards, cumulative, daily_hazards
from discontinuation.design.plans import planned_doses
from discontinuation.design.scenario import DAYS_PER_YEAR, Scenario
from discontinuation.problems import Problem, refuse


@dataclass(frozen=True, eq=False)
class Cells:
    """What can become of one person of each arm: with which probability, and by which visit.

    Attributes
    ----------
    day
        Days of the visits, shape (visits,).
    seen
        Probability that a first deterioration of each cause (withdrawal, relapse, nocebo) is seen
        at each visit, shape (arms, causes, visits).
    censored
        Probability of leaving without one just after each visit, shape (arms, visits + 1); the
        first are those who leave before any visit. With `seen` the cells of an arm add up to 1.
    """

    day: FloatArray
    seen: FloatArray
    censored: FloatArray


@dataclass(frozen=True, eq=False)
class Tables:
    """Counts of many trials.

    Attributes
    ----------
    day
        Days of the visits, shape (visits,).
    events
        First deteriorations by cause, shape (trials, causes, visits, arms).
    at_risk
        Under observation just before each visit, shape (trials, visits, arms).
    """

    day: FloatArray
    events: FloatArray
    at_risk: FloatArray

    @property
    def any(self) -> FloatArray:
        """Deteriorations of any cause, shape (trials, visits, arms)."""
        return np.asarray(self.events.sum(axis=1))


@dataclass(frozen=True, eq=False)
class _Histories:
    """What people go through, one row per arm and per day on which its reduction can start.

    The visits are counted from the start of the reduction, real or sham; `totals` are cumulative
    hazards of each cause, frailty averaged out, from day 0 on, shape (causes, rows, days + 1).
    """

    hazards: DailyHazards
    totals: FloatArray
    at: IntArray  # day of randomised time of each visit, the start first, (rows, visits + 1)


def _histories(scenario: Scenario) -> _Histories:
    refuse(_uncountable(scenario))
    starts = np.arange(scenario.concealed_start_days + 1)
    arm = np.repeat(np.arange(len(scenario.arms)), len(starts))
    start = np.tile(starts, len(scenario.arms))
    plans = np.array([planned_doses(one, scenario) for one in scenario.arms])
    blinded = np.array([one.blinded for one in scenario.arms])[arm]
    hazards = daily_hazards(started_plans(scenario, plans, arm, start), start, blinded, scenario)
    relapse = cumulative(hazards.relapse)
    if scenario.frailty_variance:  # averaged out, as in `expected_curves`
        relapse = np.log1p(scenario.frailty_variance * relapse) / scenario.frailty_variance
    totals = np.array([cumulative(hazards.withdrawal), relapse, cumulative(hazards.nocebo)])
    return _Histories(hazards, totals, start[:, None] + np.append(0, visit_days(scenario)))


def visit_days(scenario: Scenario) -> IntArray:
    """Days of the visits since the start of the reduction, as far as everybody is followed.

    The last is at the horizon, less the longest concealed time before the start.
    """
    last = scenario.horizon_days - scenario.concealed_start_days
    return np.append(np.arange(scenario.visit_days, last, scenario.visit_days), last)


def cells(scenario: Scenario) -> Cells:
    """Probabilities of all that can be seen of a person, exactly as `simulate_trial` draws it.

    A deterioration between two visits is seen at the later one if the person is still there.
    The clock starts with the reduction, real or sham; who does not get that far is never at risk.

    Parameters
    ----------
    scenario
        The assumptions. Frailty and concealed starts are averaged over.

    Returns
    -------
    Cells

    Raises
    ------
    InvalidInput
        As `histories`.
    """
    found = _histories(scenario)
    together = found.totals.sum(axis=0)
    free = np.exp(-together)
    step, steps = np.diff(together, axis=-1), np.diff(found.totals, axis=-1)
    share = np.divide(steps, step, out=np.zeros_like(steps), where=step > 0)
    crude = np.zeros_like(found.totals)
    np.cumsum(-np.diff(free, axis=-1) * share, axis=-1, out=crude[..., 1:])
    stays = _stays(scenario, found.at)
    seen = np.diff(_at(crude, found.at), axis=-1) * stays[:, 1:]
    censored = _at(free, found.at) * -np.diff(stays, append=0.0)
    censored[:, 0] += 1 - _at(free, found.at[:, :1])[:, 0] * stays[:, 0]
    arms = len(scenario.arms)
    return Cells(
        day=visit_days(scenario).astype(float),
        seen=_by_arm(np.moveaxis(seen, 0, 1), arms),
        censored=_by_arm(censored, arms),
    )


@dataclass(frozen=True, eq=False)
class Expected:
    """What methods G4 puts into its formulae, for one person per arm.

    Attributes
    ----------
    day
        Days of the visits, shape (visits,).
    events
        First deteriorations ``h(u) S(u) G(u)`` by cause, shape (causes, visits, arms).
    at_risk
        ``S(u) G(u)`` with S just after the visit before, shape (visits, arms).
    protection_loss, drive
        Loss of protection p and withdrawal drive w, means of the days since the visit before,
        shape (visits, arms).
    """

    day: FloatArray
    events: FloatArray
    at_risk: FloatArray
    protection_loss: FloatArray
    drive: FloatArray


def expected_counts(scenario: Scenario) -> Expected:
    """Expected counts by visit and arm (methods G4), with hazards as they act on each day.

    Parameters
    ----------
    scenario
        The assumptions.

    Returns
    -------
    Expected
        On the clock of `cells`. Events are hazard times those free at the start of a day, as in
        the dossier; within a day nobody is lost.

    Raises
    ------
    InvalidInput
        As `cells`.
    """
    found = _histories(scenario)
    free = np.exp(-found.totals.sum(axis=0))
    lived = np.zeros_like(found.totals)
    np.cumsum(np.diff(found.totals, axis=-1) * free[:, :-1], axis=-1, out=lived[..., 1:])
    stays = _stays(scenario, found.at)
    events = np.diff(_at(lived, found.at), axis=-1) * stays[:, 1:]
    at_risk = _at(free, found.at[:, :-1]) * stays[:, 1:]
    arms = len(scenario.arms)
    visits = visit_days(scenario)
    days = np.diff(visits, prepend=0)
    loss, drive = (
        np.diff(_at(cumulative(x), found.at), axis=-1) / days
        for x in (found.hazards.protection_loss, found.hazards.drive)
    )
    return Expected(
        day=visits.astype(float),
        events=np.moveaxis(_by_arm(np.moveaxis(events, 0, 1), arms), 0, -1),
        at_risk=_by_arm(at_risk, arms).T,
        protection_loss=_by_arm(loss, arms).T,
        drive=_by_arm(drive, arms).T,
    )


def _at(values: FloatArray, days: IntArray) -> FloatArray:
    """Values of each row on its own days."""
    return np.asarray(values[..., np.arange(len(days))[:, None], days])


def _stays(scenario: Scenario, days: IntArray) -> FloatArray:
    return np.asarray(np.exp(-scenario.dropout_per_year / DAYS_PER_YEAR * days))


def _by_arm(values: FloatArray, arms: int) -> FloatArray:
    """Average over start days."""
    return np.asarray(values.reshape(arms, -1, *values.shape[1:]).mean(axis=1))


def draw_tables(
    cells: Cells, people: tuple[int, ...], trials: int, random: np.random.Generator
) -> Tables:
    """Draw the counts of many trials.

    Parameters
    ----------
    cells
        From `cells`.
    people
        Of each arm.
    trials
        How many.
    random
        Where chance comes from.

    Returns
    -------
    Tables
        Each person falls into one cell: the same distribution as counting the people of
        `simulate_trial`.
    """
    arms, causes, visits = cells.seen.shape
    events = np.empty((trials, causes, visits, arms))
    at_risk = np.empty((trials, visits, arms))
    for arm in range(arms):
        chance = np.concatenate([cells.seen[arm].ravel(), cells.censored[arm]]).cumsum()
        cell = np.searchsorted(chance[:-1], random.random((trials, people[arm])), side="right")
        place = cell + np.arange(trials)[:, None] * len(chance)
        counts = np.bincount(place.ravel(), minlength=trials * len(chance))
        counts = counts.reshape(trials, len(chance))
        seen = counts[:, : causes * visits].reshape(trials, causes, visits)
        leaving = seen.sum(axis=1) + counts[:, causes * visits + 1 :]
        events[..., arm] = seen
        at_risk[..., arm] = leaving[:, ::-1].cumsum(axis=1)[:, ::-1]
    return Tables(cells.day, events, at_risk)


def _uncountable(scenario: Scenario) -> Iterator[Problem]:
    """Find assumptions under which arm, start and day do not tell all."""
    plain = {
        "stop_early_share": 0.0,
        "keep_taking_share": 0.0,
        "dropout_ratio": 1.0,
        "definition_delay_days": 0,
        "relapse_after_withdrawal_ratio": None,
    }
    for name, value in plain.items():
        if getattr(scenario, name) != value:
            message = f"tables of counts by day and arm cannot hold this; allowed: {value}"
            file = f"scenario {scenario.study!r}"
            yield Problem(file, message, None, name, str(getattr(scenario, name)))
