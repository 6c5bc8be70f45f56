"""Which ways of going on with a drug or leaving it are compared, and who still follows each?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from discontinuation.design._daily import FloatArray, dose_for_occupancy, occupancy
from discontinuation.design._numbers import is_number, is_whole
from discontinuation.problems import Problem, allowed_values, refuse

Kind = Literal["continue", "stop", "taper"]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

PLACE = "target trial"
DAYS = 7
SLACK = 0.01  # share of the full dose that two doses may differ by and still be the same


@dataclass(frozen=True)
class Strategy:
    """One strategy of the target trial.

    Attributes
    ----------
    name
        In tables and figures.
    kind
        ``"continue"``: the full dose throughout. ``"stop"``: from the full dose to none between
        the beginning of one week and of the next. ``"taper"``: never below `lowest`.
    lowest
        Of a taper: smallest share of the full dose at the beginning of each week, the first
        being that of the first reduction; nothing is asked after its end, which is the shortest
        length of the taper in weeks. See `straight_floor` and `hyperbolic_floor`.
    """

    name: str
    kind: Kind
    lowest: tuple[float, ...] = ()


@dataclass(frozen=True)
class TargetTrial:
    """What the trial would compare, from the same time zero.

    Attributes
    ----------
    strategies
        Two or more.
    weeks
        Length of follow-up.
    grace_weeks
        A reduction must begin in week 0 to this one, counted from time zero.
    gap_weeks
        Weeks without a supply that do not yet count as having stopped, under the strategies that
        do not stop.
    stable_days
        Days at one dose, without a longer gap, that make a person eligible at time zero.
    """

    strategies: tuple[Strategy, ...]
    weeks: int = 52
    grace_weeks: int = 8
    gap_weeks: int = 2
    stable_days: int = 180

    def __post_init__(self) -> None:
        """Refuse a trial that cannot be carried out, with every reason.

        Raises
        ------
        InvalidInput
            All problems at once.
        """
        refuse(_problems(self))

    @property
    def horizon_days(self) -> int:
        """Last day of follow-up."""
        return self.weeks * DAYS


def straight_floor(weeks: int) -> tuple[float, ...]:
    """Shares of the full dose of a straight line over some weeks, the first step taken.

    Raises
    ------
    InvalidInput
        Fewer weeks than one.
    """
    refuse(_floor_problems(weeks, {}))
    return tuple(float(left) for left in 1 - np.arange(1, weeks + 1) / weeks)


def hyperbolic_floor(
    weeks: int, dose_mg: float, ed50_mg: float, occupancy_max: float = 1.0, hill: float = 1.0
) -> tuple[float, ...]:
    """Shares of the full dose that let occupancy fall in a straight line over some weeks.

    Parameters
    ----------
    weeks
        Shortest length of the taper.
    dose_mg
        The full dose.
    ed50_mg, occupancy_max, hill
        Occupancy curve (methods B1).

    Raises
    ------
    InvalidInput
        Fewer weeks than one; a dose or a curve that no drug has.
    """
    known = {"dose_mg": dose_mg, "ed50_mg": ed50_mg, "occupancy_max": occupancy_max, "hill": hill}
    refuse(_floor_problems(weeks, known))
    drug = (ed50_mg, occupancy_max, hill)
    full = occupancy(np.array(float(dose_mg)), *drug)
    doses = dose_for_occupancy(np.array(straight_floor(weeks)) * full, *drug)
    return tuple(float(share) for share in doses / dose_mg)


def deviation_week(share: FloatArray, strategy: Strategy, trial: TargetTrial) -> IntArray:
    """Tell the first week at whose beginning a history no longer follows a strategy.

    Parameters
    ----------
    share
        Dose held at the beginning of each week as a share of the full dose, shape (n, weeks).
    strategy, trial
        Which.

    Returns
    -------
    array
        Shape (n,); `trial.weeks` for those who follow it to the end.
    """
    none, full = share <= 0, share >= 1 - SLACK
    reduced = ~none & ~full
    week = np.arange(share.shape[1])
    gone = lapsed_weeks(none) > trial.gap_weeks
    late = week == trial.grace_weeks
    if strategy.kind == "continue":
        wrong = reduced | gone
    elif strategy.kind == "stop":
        begun = np.logical_or.accumulate(none, axis=1)
        wrong = (begun & ~none) | reduced | (late & ~begun)
    else:
        begun = np.logical_or.accumulate(reduced, axis=1)
        wrong = np.where(begun, full | _too_low(share, begun, strategy), gone | late)
    return _first(wrong)


def lapsed_weeks(none: BoolArray) -> IntArray:
    """How many weeks without a supply each week ends a run of, shape (n, weeks)."""
    week = np.arange(none.shape[1])
    last = np.maximum.accumulate(np.where(none, -1, week), axis=1)
    return np.asarray(week - last)


def _too_low(share: FloatArray, begun: BoolArray, strategy: Strategy) -> BoolArray:
    since = np.cumsum(begun, axis=1) - 1
    floor = np.append(np.asarray(strategy.lowest, dtype=float), 0.0)
    return np.asarray(share < floor[np.clip(since, 0, len(floor) - 1)] - SLACK)


def _first(wrong: BoolArray) -> IntArray:
    first: IntArray = np.where(wrong.any(axis=1), wrong.argmax(axis=1), wrong.shape[1])
    return first


def _floor_problems(weeks: Any, drug: dict[str, Any]) -> Iterator[Problem]:
    if not is_whole(weeks, 1):
        rule = "allowed: a whole number of at least 1"
        yield Problem("lowest doses", rule, None, "weeks", str(weeks))
    for name, value in drug.items():
        most = 1.0 if name == "occupancy_max" else np.inf
        if not (is_number(value) and 0 < value <= most):
            rule = "allowed: a number above 0" + (", at most 1" if most == 1 else "")
            yield Problem("lowest doses", rule, None, name, str(value))


def _problems(trial: TargetTrial) -> Iterator[Problem]:
    least = {"weeks": 1, "grace_weeks": 0, "gap_weeks": 0, "stable_days": 1}
    for name, low in least.items():
        value = getattr(trial, name)
        if not is_whole(value, low):
            rule = f"allowed: a whole number of at least {low}"
            yield Problem(PLACE, rule, None, name, str(value))
            return
    if trial.grace_weeks >= trial.weeks:
        rule = f"must end before the {trial.weeks} weeks of follow-up do"
        yield Problem(PLACE, rule, None, "grace_weeks", str(trial.grace_weeks))
    if len(trial.strategies) < 2:
        yield Problem(PLACE, "needs two strategies or more", column="strategies")
    names = [strategy.name for strategy in trial.strategies]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(PLACE, "two strategies have this name", column="strategies", value=name)
    for strategy in trial.strategies:
        yield from _strategy_problems(strategy, trial)


def _strategy_problems(strategy: Strategy, trial: TargetTrial) -> Iterator[Problem]:
    place = f"strategy {strategy.name!r}"
    if strategy.kind not in get_args(Kind):
        kind = str(strategy.kind)
        yield Problem(place, allowed_values(get_args(Kind), kind), None, "kind", kind)
    given = strategy.lowest
    if not (isinstance(given, tuple | list) and all(is_number(share) for share in given)):
        yield Problem(place, "allowed: numbers", None, "lowest", str(strategy.lowest))
        return
    lowest = np.asarray(strategy.lowest, dtype=float)
    if strategy.kind != "taper" and lowest.size:
        yield Problem(place, "only a taper has a lowest dose", column="lowest")
    if strategy.kind == "taper":
        sound = (
            lowest.size and ((lowest >= 0) & (lowest < 1)).all() and (np.diff(lowest) <= 0).all()
        )
        if not sound:
            rule = "a taper needs falling shares of the full dose from below 1 to 0"
            yield Problem(place, rule, column="lowest")
        elif trial.grace_weeks + lowest.size > trial.weeks:
            rule = (
                f"a taper of {lowest.size} weeks that begins by week {trial.grace_weeks} does not "
                f"end within the {trial.weeks} weeks of follow-up"
            )
            yield Problem(place, rule, column="lowest")
