"""How many events would have to be something else to overturn the conclusion, either way?

An excess *stands* if the hazard ratio of the stopped over the continued arm is above 1 and its
Wald test says p <= alpha. Events are moved between two readings (`Hypotheses`): from the one that
is counted to the other until the excess no longer stands, and from the other to the counted one
until it stands again or is twice as large. Swapping the two readings and the labels of the people
swaps nothing but the words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.bias.misclassification import Handling, late_rate, returned
from discontinuation.bias.two_arms import (
    Arm,
    HazardRatio,
    checked,
    hazard_ratio,
    refuse_window,
    tabulate,
    until,
)
from discontinuation.bias.verdict_words import Goal, Hypotheses, tipping_sentence
from discontinuation.problems import Problem, allowed_values
from discontinuation.survival.follow_up import FloatArray

IntArray = npt.NDArray[np.int64]
Order = Literal["random", "earliest first", "likeliest first"]

DEFAULT_ORDERS: tuple[Order, ...] = ("random", "earliest first", "likeliest first")
PERMUTATIONS = 500
NEIGHBOURS = 3  # scanned exactly around what bisection finds

Conclusion = Callable[[HazardRatio], bool]


@dataclass(frozen=True)
class TippingPoint:
    """The fewest events that reach a goal, taken in one order.

    Attributes
    ----------
    goal
        "nullify", "restore" or "double".
    order
        In which events were moved.
    candidates
        How many could be moved.
    fewest
        Median over permutations, or over imputed times; 0 if none are needed, NaN if all do not
        suffice (infinity counts in the median).
    lowest, highest
        Its 2.5 and 97.5 % points over permutations; equal to `fewest` if there is one order only.
    share
        fewest / candidates.
    sentence
        In words.
    """

    goal: Goal
    order: Order
    candidates: int
    fewest: float
    lowest: float
    highest: float
    share: float
    sentence: str


@dataclass(frozen=True, eq=False)
class TippingPoints:
    """Tipping points in both directions.

    Attributes
    ----------
    points
        For each goal and order.
    observed
        The hazard ratio as counted.
    stands
        Whether the excess stands as counted.
    hypotheses
        The two readings.
    handling
        What happens to people whose event no longer counts.
    alpha, threshold
        What "stands" means: p at most, hazard ratio above.
    """

    points: tuple[TippingPoint, ...]
    observed: HazardRatio
    stands: bool
    hypotheses: Hypotheses
    handling: Handling
    alpha: float
    threshold: float

    @property
    def summary(self) -> pd.DataFrame:
        """One row per tipping point."""
        names = ["goal", "order", "candidates", "fewest", "lowest", "highest", "share", "sentence"]
        rows = [[getattr(one, name) for name in names] for one in self.points]
        return pd.DataFrame(rows, columns=names)


def tipping_points(
    continued: pd.DataFrame,
    stopped: pd.DataFrame,
    early: float,
    end: float,
    random: np.random.Generator,
    *,
    hypotheses: Hypotheses | None = None,
    reversible: Sequence[str] = (),
    orders: Sequence[Order] | None = None,
    handling: Handling = "censor",
    threshold: float = 1.0,
    alpha: float = 0.05,
    permutations: int = PERMUTATIONS,
) -> TippingPoints:
    """Find how many events must be read otherwise to overturn the conclusion (methods C8).

    Parameters
    ----------
    continued, stopped
        People of the two arms: ``time, event`` (1: counted). The stopped arm may have ``ended``,
        how follow-up ended where the event is 0 (dropout, rescue, reinstatement, the other
        reading's name, ...), and ``probability``, that the event is what `hypotheses.counted`
        says (for events) or would be (for other ends); blank where not known.
    early, end
        Early window and horizon: events of the stopped arm by `early` may be read otherwise to
        nullify; later follow-up than `end` does not count.
    random
        Random stream of permutations and imputed times.
    hypotheses
        The two readings; relapse is counted and withdrawal the other if not given.
    reversible
        Kinds of ``ended`` that may have been what is counted, to restore or double the excess.
        None given: those two goals are left out.
    orders
        "random" (the median over permutations), "earliest first", and "likeliest first": the
        event that is likeliest what it is not read as goes first. By default all for which the
        data suffice.
    handling
        People whose event no longer counts are censored then ("censor"), or stay in the risk set
        with a time to the next event imputed at the late rate of their arm ("return").
    threshold
        Hazard ratio above which an excess stands; a margin may be given instead of 1.
    alpha
        Largest p.
    permutations
        Random orders; with "return" a fifth as many sets of imputed times for the other orders.

    Returns
    -------
    TippingPoints
        Goals "nullify": the fewest early events after which the excess no longer stands;
        "restore": the fewest reversible ends after which it stands again; "double": after which
        the log hazard ratio is at least twice what was counted. Bisection, then an exact scan of
        the counts around.

    Raises
    ------
    InvalidInput
        Follow-up that is none, an arm without events, points past the end of follow-up, unknown
        kinds or options, probabilities outside 0 to 1.
    """
    hypotheses = hypotheses or Hypotheses()
    people = checked(continued, stopped)
    arms = tabulate(*people)
    asked = orders or _orders_possible(stopped)
    problems = [
        *_label_problems(stopped, reversible, asked),
        *_option_problems(asked, handling, threshold, alpha, permutations),
    ]
    refuse_window(arms, early, end, problems)
    trial = _Trial.of(people, early, end)
    observed = hazard_ratio(arms.between(-math.inf, end))
    stands = _stands(threshold, alpha)
    search = _Search(trial, handling, permutations, random, _probability(stopped))
    goals = [("nullify", trial.early_events(), f"early events counted as {hypotheses.counted}")]
    if reversible:
        ends = trial.others(stopped["ended"].isin(reversible).to_numpy())
        goals += [(goal, ends, _kinds(reversible)) for goal in ("restore", "double")]
    reached: dict[str, Conclusion] = {
        "nullify": lambda ratio: not stands(ratio),
        "restore": stands,
        "double": lambda ratio: ratio.log_ratio >= 2 * observed.log_ratio,
    }
    points = []
    for goal, candidates, kind in goals:
        needless = observed.log_ratio <= 0 if goal == "double" else reached[goal](observed)
        for order in asked:
            counts = (
                np.zeros(1)
                if needless
                else search.fewest(candidates, goal == "nullify", order, reached[goal])
            )
            points.append(_point(goal, order, candidates, counts, kind, hypotheses))  # type: ignore[arg-type]
    return TippingPoints(
        points=tuple(points),
        observed=observed,
        stands=stands(observed),
        hypotheses=hypotheses,
        handling=handling,
        alpha=alpha,
        threshold=threshold,
    )


@dataclass(frozen=True, eq=False)
class _Trial:
    """Both arms until the horizon."""

    continued: Arm
    time: FloatArray  # of the stopped arm
    event: FloatArray
    early: float
    end: float

    @classmethod
    def of(cls, people: tuple[Arm, Arm], early: float, end: float) -> _Trial:
        continued, (time, event) = until(people[0], end), until(people[1], end)
        return cls(continued, time, event, early, end)

    def early_events(self) -> IntArray:
        return np.flatnonzero((self.event == 1) & (self.time <= self.early))

    def others(self, kind: npt.NDArray[np.bool_]) -> IntArray:
        # Somebody who reached the horizon did not end otherwise before it.
        return np.flatnonzero(kind & (self.event == 0) & (self.time < self.end))

    def ratio(self, time: FloatArray, event: FloatArray) -> HazardRatio:
        return hazard_ratio(tabulate(self.continued, (time, event)))


@dataclass(frozen=True, eq=False)
class _Search:
    """Move candidates one after another and see when a conclusion is reached."""

    trial: _Trial
    handling: Handling
    permutations: int
    random: np.random.Generator
    probability: FloatArray

    def fewest(
        self, candidates: IntArray, remove: bool, order: Order, reached: Conclusion
    ) -> FloatArray:
        """Fewest moves in each permutation, or set of imputed times; infinite if never."""
        imputed = remove and self.handling == "return"
        runs = self.permutations if order == "random" else 1
        if imputed and order != "random":
            runs = max(self.permutations // 5, 1)
        found = np.empty(runs)
        for run in range(runs):
            queue = self._queue(candidates, remove, order)
            moved = self._moved(remove, imputed)
            found[run] = self._count(queue, moved, reached)
        return found

    def _count(
        self, queue: IntArray, moved: Callable[[IntArray], HazardRatio], reached: Conclusion
    ) -> float:
        return first_count(len(queue), lambda count: reached(moved(queue[:count])))

    def _queue(self, candidates: IntArray, remove: bool, order: Order) -> IntArray:
        if order == "random":
            return self.random.permutation(candidates)
        if order == "earliest first":
            return candidates[np.argsort(self.trial.time[candidates], kind="stable")]
        # Likeliest to be the other reading when removing, to be the counted one when adding.
        key = self.probability[candidates] * (1 if remove else -1)
        return candidates[np.argsort(key, kind="stable")]

    def _moved(self, remove: bool, imputed: bool) -> Callable[[IntArray], HazardRatio]:
        trial = self.trial
        time_after, event_after = trial.time, np.zeros(len(trial.time))
        if not remove:
            event_after = np.ones(len(trial.time))
        elif imputed:
            everybody = np.ones(len(trial.time), dtype=bool)
            stopped = trial.time, trial.event
            rate = late_rate(stopped, trial.early)
            time_after, event_after = returned(stopped, everybody, rate, trial.end, self.random)

        def ratio(moved: IntArray) -> HazardRatio:
            time, event = trial.time.copy(), trial.event.copy()
            time[moved], event[moved] = time_after[moved], event_after[moved]
            return trial.ratio(time, event)

        return ratio


def first_count(most: int, reached: Callable[[int], bool]) -> float:
    """Smallest count from 1 to `most` that reaches a goal; infinity if `most` does not.

    Bisection, then an exact scan of the counts just below in case the goal is not quite monotone.
    """
    if most == 0 or not reached(most):
        return math.inf
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    for count in range(max(1, high - NEIGHBOURS), high):
        if reached(count):
            return float(count)
    return float(high)


def _stands(threshold: float, alpha: float) -> Conclusion:
    def stands(ratio: HazardRatio) -> bool:
        # Without an event in an arm there is no ratio, and nothing stands.
        return bool(ratio.ratio > threshold and ratio.p <= alpha)

    return stands


def _point(
    goal: Goal,
    order: Order,
    candidates: IntArray,
    counts: FloatArray,
    kind: str,
    hypotheses: Hypotheses,
) -> TippingPoint:
    # Higher of the two middle counts: half of the orders need no more than this.
    points = np.quantile(counts, [0.5, 0.025, 0.975], method="higher")
    fewest, lowest, highest = (float(p) if math.isfinite(p) else math.nan for p in points)
    number = len(candidates)
    return TippingPoint(
        goal=goal,
        order=order,
        candidates=number,
        fewest=fewest,
        lowest=lowest,
        highest=highest,
        share=fewest / number if number else math.nan,
        sentence=tipping_sentence(goal, fewest, number, kind, order, hypotheses),
    )


def _probability(stopped: pd.DataFrame) -> FloatArray:
    if "probability" not in stopped:
        return np.full(len(stopped), math.nan)
    return stopped["probability"].to_numpy(dtype=float)


def _kinds(reversible: Sequence[str]) -> str:
    return "ends of follow-up by " + " or ".join(reversible)


def _orders_possible(stopped: pd.DataFrame) -> Sequence[Order]:
    return DEFAULT_ORDERS if "probability" in stopped else DEFAULT_ORDERS[:2]


def _label_problems(
    stopped: pd.DataFrame, reversible: Sequence[str], orders: Sequence[str]
) -> list[Problem]:
    place, problems = "stopped arm", []
    if reversible and "ended" not in stopped:
        rule = "there is no such column, so no end of follow-up can be read otherwise"
        problems.append(Problem(place, rule, column="ended"))
    elif reversible:
        kinds = sorted(set(stopped["ended"].dropna().astype(str)))
        problems += [
            Problem(place, allowed_values(kinds, kind), None, "ended", kind)
            for kind in reversible
            if kind not in kinds
        ]
    if "likeliest first" in orders:
        if "probability" not in stopped:
            rule = "there is no such column, so nothing can be taken likeliest first"
            problems.append(Problem(place, rule, column="probability"))
        else:
            known = stopped["probability"].dropna()
            if not known.between(0, 1).all():
                problems.append(Problem(place, "allowed: 0 to 1", column="probability"))
    return problems


def _option_problems(
    orders: Sequence[str], handling: str, threshold: float, alpha: float, permutations: int
) -> list[Problem]:
    problems = [
        Problem("options", allowed_values(get_args(Order), order), None, "orders", order)
        for order in orders
        if order not in get_args(Order)
    ]
    if handling not in get_args(Handling):
        rule = allowed_values(get_args(Handling), handling)
        problems.append(Problem("options", rule, None, "handling", handling))
    if not 0 < threshold < math.inf:
        problems.append(Problem("options", "allowed: above 0", None, "threshold", str(threshold)))
    if not 0 < alpha < 1:
        problems.append(Problem("options", "allowed: 0 to 1", None, "alpha", str(alpha)))
    if permutations < 1:
        rule = "allowed: 1 or more"
        problems.append(Problem("options", rule, None, "permutations", str(permutations)))
    return problems
