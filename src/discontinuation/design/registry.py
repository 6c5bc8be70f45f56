"""What would a registry of dispensings hold if we knew why each person got worse?

The people are made up. Traits decide both how they leave the drug and how they fare, so that a
naive comparison of paces is confounded; what each strategy would do to the same people is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.design._daily import FloatArray
from discontinuation.design.hazards import cumulative, daily_hazards
from discontinuation.design.registry_behaviour import PACK_WEEKS, Habits, Traits, weekly_share
from discontinuation.design.scenario import DAYS_PER_YEAR, Arm, Scenario
from discontinuation.design.strategies import (
    DAYS,
    BoolArray,
    IntArray,
    Strategy,
    TargetTrial,
    hyperbolic_floor,
)
from discontinuation.problems import Problem, refuse
from discontinuation.seeds import random_stream

BLOCK = 10_000  # people made at a time; each block has random streams of its own
DRUG = "study drug"
DEFINITION = "protocol"
CONTROL = "injury"  # an outcome that the drug does not touch
STUDY = "synthetic registry"
Names = npt.NDArray[np.object_]
TABLES = ("people", "measures", "dispensings", "follow_up", "deteriorations")


@dataclass(frozen=True)
class RegistryScenario:
    """Every assumption of a made-up registry; all are inventions for tests and benchmarks.

    Attributes
    ----------
    name
        Part of the names of its random streams.
    people
        How many.
    weeks
        Followed from time zero, on which the pack in hand ends.
    hazards
        Drug, relapse, withdrawal and dropout of methods F2; its arms are not used. Relapse acts
        at its rates for a person with 2 earlier episodes who sleeps well.
    habits
        How people leave the drug.
    relapse_by_episode, relapse_by_sleep, withdrawal_by_attempt
        Log hazard ratios of one more episode, of poor sleep, and of one more attempt to stop.
    new_share
        Share of people whose record begins too late to be eligible.
    early_share
        Share of packs collected some days before the one in hand ends.
    injury_per_year
        Hazard of the negative control at age 45; doubled by poor sleep.
    """

    name: str = STUDY
    people: int = 20_000
    weeks: int = 52
    hazards: Scenario = field(
        default_factory=lambda: Scenario(study=STUDY, arms=(Arm("none", "maintain"),))
    )
    habits: Habits = field(default_factory=Habits)
    relapse_by_episode: float = 0.25
    relapse_by_sleep: float = 0.6
    withdrawal_by_attempt: float = 0.4
    new_share: float = 0.05
    early_share: float = 0.3
    injury_per_year: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated, with every reason.

        Raises
        ------
        InvalidInput
            All problems at once.
        """
        refuse(_problems(self))

    @property
    def days(self) -> int:
        """Days of follow-up."""
        return self.weeks * DAYS


@dataclass(frozen=True, eq=False)
class Registry:
    """A made-up registry; time is days since time zero.

    Attributes
    ----------
    people
        One row per person: person, study, arm, age, sex, prior_episodes, previous_attempts.
    measures
        person, day, poor_sleep: as known when a pack is due.
    dispensings
        person, drug, day, dose (mg per day), days_supply.
    follow_up, deteriorations
        Canonical. Definition ``"protocol"`` holds the deteriorations, ``"injury"`` the negative
        control.
    truth
        person, cause of the deterioration, and the share of the full dose in each week.
    """

    people: pd.DataFrame
    measures: pd.DataFrame
    dispensings: pd.DataFrame
    follow_up: pd.DataFrame
    deteriorations: pd.DataFrame
    truth: pd.DataFrame


@dataclass(frozen=True, eq=False)
class TrueEffects:
    """What the strategies would do to the people of a registry.

    Attributes
    ----------
    curves
        One row per strategy and day from 0: strategy, day, event_free, mcse.
    contrasts
        One row per pair: strategy, reference, measure (risk_difference, rmst_difference), truth,
        mcse.
    """

    curves: pd.DataFrame
    contrasts: pd.DataFrame

    @property
    def summary(self) -> pd.DataFrame:
        """The contrasts."""
        return self.contrasts


def registry_blocks(scenario: RegistryScenario, seed: int) -> Iterator[Registry]:
    """Make a registry block by block; block 3 is the same however many there are."""
    for block, first in enumerate(range(0, scenario.people, BLOCK)):
        people = min(BLOCK, scenario.people - first)
        yield _Block(scenario, seed, block, people, first).registry()


def draw_registry(scenario: RegistryScenario, seed: int) -> Registry:
    """Make a registry that fits into memory."""
    blocks = list(registry_blocks(scenario, seed))
    names = (*TABLES, "truth")
    return Registry(
        *(pd.concat([getattr(b, name) for b in blocks], ignore_index=True) for name in names)
    )


def write_registry(folder: str | Path, scenario: RegistryScenario, seed: int) -> None:
    """Write a registry as folders of Parquet parts, one block in memory at a time.

    Parameters
    ----------
    folder
        Gets people/, measures/, dispensings/, follow_up/ and deteriorations/ and a table
        studies.parquet that says that nobody in it exists.
    scenario, seed
        As in `draw_registry`.
    """
    from discontinuation.tables.files import new_folder, write_table

    about = {"synthetic": True, "scenario": scenario.name, "seed": seed}
    with new_folder(folder) as fresh:
        for name in TABLES:
            (fresh / name).mkdir()
        for number, block in enumerate(registry_blocks(scenario, seed)):
            for name in TABLES:
                path = fresh / name / f"part-{number:05d}.parquet"
                write_table(getattr(block, name), path, provenance=about)
        write_table(_studies(scenario), fresh / "studies.parquet", provenance=about)


def true_effects(
    scenario: RegistryScenario, trial: TargetTrial, people: int = 20_000, seed: int = 1
) -> TrueEffects:
    """Make everybody follow each strategy in turn (a simulated intervention).

    Parameters
    ----------
    scenario
        The registry; its dropout does not act.
    trial
        The strategies. Those who may begin within a grace period begin as they would of
        themselves, and all that have not done so begin in its last week.
    people
        How many are averaged over; the same people follow each strategy.
    seed
        Of the run.

    Returns
    -------
    TrueEffects
        Expected curves with Monte-Carlo standard errors between people.
    """
    refuse(_trial_problems(scenario, trial))
    free: dict[str, list[FloatArray]] = {strategy.name: [] for strategy in trial.strategies}
    for block, first in enumerate(range(0, people, BLOCK)):
        made = _Block(scenario, seed, block, min(BLOCK, people - first), first)
        for strategy in trial.strategies:
            share = made.share(strategy, trial)
            free[strategy.name].append(made.event_free(share)[:, : trial.horizon_days + 1])
    whole = {name: np.concatenate(parts) for name, parts in free.items()}
    return TrueEffects(_true_curves(whole), _true_contrasts(whole))


class _Block:
    """Some people of a registry, with random streams of their own."""

    def __init__(
        self, scenario: RegistryScenario, seed: int, block: int, people: int, first: int
    ) -> None:
        self._scenario, self._seed, self._block = scenario, seed, block
        self._n, self._first = people, first
        self._traits = self._draw_traits()

    def _stream(self, name: str) -> np.random.Generator:
        return random_stream(self._seed, "registry", self._scenario.name, str(self._block), name)

    def _draw_traits(self) -> Traits:
        n, weeks = self._n, self._scenario.weeks
        stream = self._stream("traits")
        episodes = np.minimum(stream.poisson(2.0, n), 8)
        packs = -(-weeks // PACK_WEEKS)
        sleep = np.empty((n, packs), dtype=bool)
        logit, before = -1.2 + 0.2 * (episodes - 2), stream.random(n) < 0.3
        for pack, draw in enumerate(stream.random((packs, n))):
            before = draw < 1 / (1 + np.exp(-(logit + 1.2 * before)))
            sleep[:, pack] = before
        age = np.round(np.clip(45 + 14 * stream.standard_normal(n), 18.0, 95.0)).astype(float)
        return Traits(
            age=age,
            female=stream.random(n) < 0.6,
            episodes=episodes,
            attempts=np.minimum(stream.poisson(0.6, n), 4),
            poor_sleep=np.repeat(sleep, PACK_WEEKS, axis=1)[:, :weeks],
        )

    def share(
        self, strategy: Strategy | None = None, trial: TargetTrial | None = None
    ) -> FloatArray:
        """Share of the full dose in each week, shape (n, weeks)."""
        scenario = self._scenario
        plans = _plans(scenario)
        draws = self._stream("habits").random((self._n, scenario.weeks))
        plan_draw = self._stream("plan").random(self._n)
        return weekly_share(scenario.habits, self._traits, plans, draws, plan_draw, strategy, trial)

    def event_free(self, share: FloatArray) -> FloatArray:
        """Probability of no deterioration up to each day, shape (n, days + 1)."""
        return np.asarray(np.exp(-np.sum(self._cumulative(share), axis=0)))

    def _cumulative(self, share: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Cumulative hazards of withdrawal and relapse, shape (n, days + 1) each."""
        scenario, traits = self._scenario, self._traits
        daily = np.repeat(share, DAYS, axis=1) * scenario.hazards.dose_mg
        first = (share < 1).argmax(axis=1) * DAYS
        found = daily_hazards(daily, first, np.zeros(self._n, dtype=bool), scenario.hazards)
        sleep = np.repeat(traits.poor_sleep, DAYS, axis=1)
        relapse = np.exp(scenario.relapse_by_episode * (traits.episodes - 2))[:, None]
        relapse = found.relapse * relapse * np.where(sleep, math.exp(scenario.relapse_by_sleep), 1)
        sensitive = np.exp(scenario.withdrawal_by_attempt * (traits.attempts - 0.6))[:, None]
        return cumulative(found.withdrawal * sensitive), cumulative(relapse)

    def registry(self) -> Registry:
        """What would be recorded of these people."""
        scenario, n = self._scenario, self._n
        names = np.array([f"P{i:08d}" for i in range(self._first, self._first + n)], dtype=object)
        share = self.share()
        dropout = self._stream("dropout").exponential(size=n) * DAYS_PER_YEAR
        rate = scenario.hazards.dropout_per_year
        left = np.ceil(dropout / rate) if rate else np.full(n, np.inf)
        end = np.minimum(left, scenario.days)
        events, causes = self._deteriorations(share)
        return Registry(
            people=_people(self._traits, names),
            measures=_measures(self._traits, names, end),
            dispensings=self._dispensings(share, names, end),
            follow_up=_follow_up(names, end, scenario.days),
            deteriorations=_events(names, {DEFINITION: events, CONTROL: self._injuries()}, end),
            truth=_truth(names, share, causes, events, end),
        )

    def _deteriorations(self, share: FloatArray) -> tuple[FloatArray, IntArray]:
        """Day of the first deterioration (infinite: none) and its place among the causes."""
        stream = self._stream("events")
        days = np.array(
            [
                _first_day(total, stream.exponential(size=self._n))
                for total in self._cumulative(share)
            ]
        )
        return np.ceil(days.min(axis=0)), days.argmin(axis=0)

    def _injuries(self) -> FloatArray:
        traits, scenario = self._traits, self._scenario
        sleep = np.repeat(traits.poor_sleep, DAYS, axis=1)
        rate = scenario.injury_per_year / DAYS_PER_YEAR * np.exp(0.02 * (traits.age - 45))
        total = cumulative(rate[:, None] * np.where(sleep, 2.0, 1.0))
        return np.ceil(_first_day(total, self._stream("injuries").exponential(size=self._n)))

    def _dispensings(self, share: FloatArray, names: Names, end: FloatArray) -> pd.DataFrame:
        """Packs before time zero, full packs after it, and weekly supplies of tapers."""
        stream = self._stream("collections")
        new = stream.random(self._n) < self._scenario.new_share
        early = np.where(
            stream.random(share.shape) < self._scenario.early_share,
            stream.integers(1, 6, share.shape),
            0,
        )
        person, day, dose, supply = _packs(share, early, new)
        kept = day < end[person]
        order = np.lexsort((day[kept], person[kept]))
        who = person[kept][order]
        return pd.DataFrame(
            {
                "person": names[who],
                "drug": DRUG,
                "day": day[kept][order].astype(float),
                "dose": dose[kept][order] * self._scenario.hazards.dose_mg,
                "days_supply": supply[kept][order].astype(float),
            }
        )


def _packs(
    share: FloatArray, early: IntArray, new: BoolArray
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Person, day, share of the full dose and length of each supply."""
    n, weeks = share.shape
    week = np.arange(weeks)
    full = share >= 1
    before = np.column_stack([np.ones(n, dtype=bool), full[:, :-1]])
    due = full & ((week % PACK_WEEKS == 0) | ~before)
    who, at = np.nonzero(due)
    kept_going = before[who, at]
    days = at * DAYS - np.where(kept_going, early[who, at], 0)
    length = (PACK_WEEKS - at % PACK_WEEKS) * DAYS
    part, part_week = np.nonzero((share > 0) & ~full)
    packs_before = np.where(new, 3, 7)
    old = np.repeat(np.arange(n), packs_before)
    back = np.concatenate([np.arange(1, count + 1) for count in packs_before])
    return (
        np.concatenate([who, part, old]),
        np.concatenate([days, part_week * DAYS, -back * PACK_WEEKS * DAYS]),
        np.concatenate([np.ones(who.size), share[part, part_week], np.ones(old.size)]),
        np.concatenate([length, np.full(part.size, DAYS), np.full(old.size, PACK_WEEKS * DAYS)]),
    )


def _plans(scenario: RegistryScenario) -> FloatArray:
    """Share of the full dose in each week of each length of taper."""
    drug = scenario.hazards
    plans = np.zeros((len(scenario.habits.plans), scenario.weeks))
    for row, weeks in zip(plans, scenario.habits.plans, strict=True):
        lowest = hyperbolic_floor(weeks, drug.dose_mg, drug.ed50_mg, drug.occupancy_max, drug.hill)
        row[:weeks] = lowest[: len(row)]
    return plans


def _first_day(total: FloatArray, threshold: FloatArray) -> FloatArray:
    """When a cumulative hazard, straight within a day, meets a threshold; infinite if never."""
    day = (total < threshold[:, None]).sum(axis=1)
    reached = day < total.shape[1]
    place = np.where(reached, day, 1)[:, None]
    high = np.take_along_axis(total, place, axis=1)[:, 0]
    low = np.take_along_axis(total, place - 1, axis=1)[:, 0]
    step = np.where(reached, high - low, 1.0)
    return np.where(reached, day - 1 + (threshold - low) / step, np.inf)


def _people(traits: Traits, names: Names) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person": names,
            "study": STUDY,
            "arm": "registry",
            "age": traits.age,
            "sex": np.where(traits.female, "female", "male").astype(object),
            "prior_episodes": traits.episodes,
            "previous_attempts": traits.attempts,
        }
    )


def _measures(traits: Traits, names: Names, end: FloatArray) -> pd.DataFrame:
    weeks = np.arange(0, traits.poor_sleep.shape[1], PACK_WEEKS)
    who, at = np.nonzero(weeks * DAYS < end[:, None])
    return pd.DataFrame(
        {
            "person": names[who],
            "day": (weeks[at] * DAYS).astype(float),
            "poor_sleep": traits.poor_sleep[who, weeks[at]].astype(float),
        }
    )


def _follow_up(names: Names, end: FloatArray, days: int) -> pd.DataFrame:
    reason = np.where(end < days, "lost", "administrative").astype(object)
    return pd.DataFrame({"person": names, "start": 0.0, "end": end, "end_reason": reason})


def _events(names: Names, days: dict[str, FloatArray], end: FloatArray) -> pd.DataFrame:
    parts = []
    for definition, day in days.items():
        seen = day <= end
        parts.append(
            pd.DataFrame(
                {
                    "person": names[seen],
                    "episode": 1,
                    "definition": definition,
                    "onset": day[seen],
                    "detected": day[seen],
                    "source": "reported",
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _truth(
    names: Names, share: FloatArray, causes: IntArray, day: FloatArray, end: FloatArray
) -> pd.DataFrame:
    seen = day <= end
    cause = np.where(seen, np.array(["withdrawal", "relapse"], dtype=object)[causes], "none")
    weeks = {f"share_{week}": share[:, week] for week in range(share.shape[1])}
    return pd.DataFrame({"person": names, "cause": cause, **weeks})


def _studies(scenario: RegistryScenario) -> pd.DataFrame:
    row = {
        "study": STUDY,
        "title": "A made-up registry: nobody in it exists",
        "drug_class": "other",
        "design": "registry",
        "allocation_randomised": False,
        "pace_randomised": False,
        "synthetic": True,
        "source": f"simulated: {scenario.name}",
    }
    return pd.DataFrame([row])


def _true_curves(free: dict[str, FloatArray]) -> pd.DataFrame:
    parts = []
    for name, curves in free.items():
        error = curves.std(axis=0, ddof=1) / math.sqrt(len(curves))
        columns = {"event_free": curves.mean(axis=0), "mcse": error}
        parts.append(pd.DataFrame({"strategy": name, "day": np.arange(curves.shape[1]), **columns}))
    return pd.concat(parts, ignore_index=True)


def _true_contrasts(free: dict[str, FloatArray]) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for reference, name in combinations(free, 2):
        apart = free[name] - free[reference]
        measures = {
            "risk_difference": -apart[:, -1],
            "rmst_difference": apart[:, :-1].sum(axis=1),
        }
        for measure, values in measures.items():
            pair = {"strategy": name, "reference": reference, "measure": measure}
            error = float(values.std(ddof=1)) / math.sqrt(len(values))
            rows.append({**pair, "truth": float(values.mean()), "mcse": error})
    return pd.DataFrame(rows)


def _problems(scenario: RegistryScenario) -> Iterator[Problem]:
    place = f"registry {scenario.name!r}"
    for name in ("people", "weeks"):
        value = getattr(scenario, name)
        if not (isinstance(value, int) and value > 0):
            yield Problem(place, "allowed: a whole number above 0", None, name, str(value))
    shares = {name: getattr(scenario, name) for name in ("new_share", "early_share")}
    habits = scenario.habits
    shares |= {"comes_back": habits.comes_back, "abandons": habits.abandons}
    for name, value in shares.items():
        if not (isinstance(value, int | float) and 0 <= value < 1):
            yield Problem(place, "allowed: a number from 0 to below 1", None, name, str(value))
    for name in ("lapse", "taper"):
        value = getattr(habits, name)
        if not (isinstance(value, int | float) and value >= 0):
            yield Problem(place, "allowed: a number of 0 or more", None, name, str(value))
    if not habits.plans or min(habits.plans) < 1:
        yield Problem(place, "needs lengths of at least one week", None, "plans", str(habits.plans))


def _trial_problems(scenario: RegistryScenario, trial: TargetTrial) -> Iterator[Problem]:
    if trial.weeks > scenario.weeks:
        rule = f"the registry holds {scenario.weeks} weeks only"
        yield Problem("target trial", rule, None, "weeks", str(trial.weeks))
    if trial.grace_weeks % PACK_WEEKS:
        rule = f"packs are collected every {PACK_WEEKS} weeks, and nothing begins in between"
        yield Problem("target trial", rule, None, "grace_weeks", str(trial.grace_weeks))
