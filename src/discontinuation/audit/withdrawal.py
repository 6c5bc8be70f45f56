"""Domain W: can withdrawal have been counted as relapse in this trial?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from discontinuation.audit.decision import LEVEL, NO_INFORMATION, both_ways
from discontinuation.audit.tools import domain_w

DIRECTIONS = ("favours continuation", "favours stopping", "unpredictable")
LARGE_SHARE = 0.5  # of the weight that is High, for one level of GRADE


@dataclass(frozen=True)
class PaceFacts:
    """How the drug left, in numbers; NaN where one is not known.

    Attributes
    ----------
    days_90_to_10
        Days from 90 to 10 % of the starting occupancy.
    largest_step_points
        Occupancy that the largest step takes away, percentage points.
    last_occupancy_percent
        Occupancy at the last dose above zero, percent.
    """

    days_90_to_10: float = math.nan
    largest_step_points: float = math.nan
    last_occupancy_percent: float = math.nan


@dataclass(frozen=True)
class ExcessFacts:
    """Early excess over its no-withdrawal benchmark, as a share; NaN where not known.

    Attributes
    ----------
    lower, upper
        Limits of the excess share.
    """

    lower: float = math.nan
    upper: float = math.nan


def answer_pace(facts: PaceFacts) -> str:
    """Answer W1 from the trial's own numbers.

    Parameters
    ----------
    facts
        Of the arm that stopped.

    Returns
    -------
    str
        Y if all three limits hold, N if one is known to fail, NI otherwise.
    """
    limits = domain_w().thresholds
    held = [
        _at_least(facts.days_90_to_10, limits.days_90_to_10),
        _at_most(facts.largest_step_points, limits.largest_step_points),
        _at_most(facts.last_occupancy_percent, limits.last_occupancy_percent),
    ]
    if False in held:
        return "N"
    return "Y" if all(held) else NO_INFORMATION


def answer_excess(facts: ExcessFacts, margin: float | None = None) -> str:
    """Answer W8 from an interval of the excess share.

    Parameters
    ----------
    facts
        With both limits.
    margin
        What counts as small; by default that of domain W.

    Returns
    -------
    str
        Y if the upper limit is under the margin, also where the lower one is above 0: that excess
        is there, and small. N if the lower limit is above 0. NI otherwise: an excess that is not
        significant is not thereby small.
    """
    if math.isnan(facts.lower) or math.isnan(facts.upper):
        return NO_INFORMATION
    limit = domain_w().thresholds.excess_margin if margin is None else margin
    if facts.upper < limit:
        return "Y"
    return "N" if facts.lower > 0 else NO_INFORMATION


def _at_least(value: float, limit: float) -> bool | None:
    return None if math.isnan(value) else value >= limit


def _at_most(value: float, limit: float) -> bool | None:
    return None if math.isnan(value) else value <= limit


def judge_withdrawal(answers: Mapping[str, str]) -> str:
    """Judge domain W from the answers to W1 to W8.

    Parameters
    ----------
    answers
        Question to Y, PY, PN, N or NI; one that is missing counts as NI.

    Returns
    -------
    str
        Low, Some concerns, High, or Cannot be judged. Each NI is completed both ways (the one of
        W8 is neither): one judgement, it stands; two neighbouring ones, Some concerns; from Low
        to High, Cannot be judged.
    """
    rules = domain_w()
    levels = tuple(
        LEVEL[answers.get(question.number, NO_INFORMATION)] for question in rules.questions
    )
    return _judge_levels(levels)


@cache
def _judge_levels(levels: tuple[str, ...]) -> str:
    rules = domain_w()
    known = dict(zip((question.number for question in rules.questions), levels, strict=True))
    found = set(_completions(known))
    if len(found) == 1:
        return found.pop()
    if {rules.levels[0], rules.levels[-1]} <= found:
        return rules.cannot
    return rules.levels[1]


def _completions(known: Mapping[str, str]) -> list[str]:
    rules = domain_w()
    open_ = [
        number
        for number, level in known.items()
        if level == NO_INFORMATION and number not in rules.neither
    ]
    return [_judge_complete({**known, **added}) for added in both_ways(open_)]


def _judge_complete(levels: Mapping[str, str]) -> str:
    rules = domain_w()
    low, middle, high = rules.levels
    if any(condition.holds(levels) for condition in rules.high):
        return high
    return low if any(condition.holds(levels) for condition in rules.low) else middle


def read_either_way(answers: Mapping[str, str]) -> tuple[str, str]:
    """Judge twice: with every NI read as yes, and with every NI read as no.

    Parameters
    ----------
    answers
        As in `judge_withdrawal`. The NI of W8 stays neither.
    """
    rules = domain_w()
    judged = []
    for reading in ("Y", "N"):
        levels = {}
        for question in rules.questions:
            level = LEVEL[answers.get(question.number, NO_INFORMATION)]
            completed = level == NO_INFORMATION and question.number not in rules.neither
            levels[question.number] = reading if completed else level
        judged.append(_judge_complete(levels))
    return judged[0], judged[1]


def changed_by_reading(results: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Count how many results change if every NI is read as yes, or as no.

    Parameters
    ----------
    results
        Answers of each result.

    Returns
    -------
    DataFrame
        One row per reading (yes, no): results, changed, and how many would then be Low, Some
        concerns and High.
    """
    stated = [judge_withdrawal(answers) for answers in results]
    rows = []
    for place, reading in enumerate(("yes", "no")):
        then = [read_either_way(answers)[place] for answers in results]
        counts = {level: then.count(level) for level in domain_w().levels}
        changed = sum(a != b for a, b in zip(stated, then, strict=True))
        row = {"every_ni_read_as": reading, "results": len(results), "changed": changed}
        rows.append({**row, **counts})
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Downgrade:
    """What domain W does to the certainty of one outcome.

    Attributes
    ----------
    levels
        0, 1 or 2, for risk of bias, and only there.
    large_effect_allowed
        Whether the certainty may still be raised for a large effect.
    reason
        In words.
    """

    levels: int
    large_effect_allowed: bool
    reason: str


def certainty_downgrade(
    results: pd.DataFrame, *, window_events_reverse: bool | None, bias_adjusted: bool = False
) -> Downgrade:
    """Turn judgements of domain W into a GRADE downgrade of an outcome.

    Parameters
    ----------
    results
        One row per trial in the pool: judgement, weight, provisional (from an abstract, by one
        reader) and W8 (its answer).
    window_events_reverse
        Whether leaving out the events inside the window reverses the effect; None if not known.
    bias_adjusted
        Whether the row shows a bias-adjusted effect, which is never downgraded as well.

    Returns
    -------
    Downgrade
        One level if half of the weight or more is High, two if all of it is and the effect
        reverses. Provisional judgements do not count as High.
    """
    weight = results["weight"].astype(float)
    high = (results["judgement"] == domain_w().levels[-1]) & ~results["provisional"].astype(bool)
    share = float(weight[high].sum() / weight.sum()) if len(results) else math.nan
    allowed = not (results["W8"].map(LEVEL) == "N").any()
    if bias_adjusted:
        return Downgrade(0, allowed, "shown bias-adjusted, so not downgraded as well")
    words = f"{100 * share:.0f} % of the weight is High and not provisional"
    if len(results) and bool(high.all()) and window_events_reverse:
        reverses = "leaving out the events inside the window reverses the effect"
        return Downgrade(2, allowed, f"{words}, and {reverses}")
    return Downgrade(int(share >= LARGE_SHARE), allowed, words)
