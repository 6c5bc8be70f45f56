"""At which visits is a rule met?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from discontinuation.events.definition import RatingRule, Risk, Score
from discontinuation.events.lookup import (
    SLACK,
    BoolArray,
    FloatArray,
    IntArray,
    last_before,
    starts_of,
)
from discontinuation.events.records import Records
from discontinuation.events.risk import risk_start
from discontinuation.events.scores import Ratings, score_of


@dataclass(frozen=True, eq=False)
class Visits:
    """What a rule says at each visit: met, not met, or undecided.

    A visit is a person and a whole day; of several ratings on one day the worst counts.

    Attributes
    ----------
    person, date
        Position among the people and whole day, sorted by both, each pair once.
    day
        Moment of the day's last rating.
    met, decided
        Whether the rule is met, and whether that is known. What is not decided is not met.
    """

    person: IntArray
    date: IntArray
    day: FloatArray
    met: BoolArray
    decided: BoolArray

    def only(self, kept: BoolArray) -> Visits:
        """Leave out the other visits."""
        return Visits(
            self.person[kept], self.date[kept], self.day[kept], self.met[kept], self.decided[kept]
        )


def find_visits(rule: RatingRule, records: Records, risk: Risk, *, worse: bool = True) -> Visits:
    """Evaluate a rule at every visit at which anything it looks at was rated.

    Parameters
    ----------
    rule
        One rule, or several combined. In ``any``, a rule about which nothing was rated at a visit
        takes no part in it; in ``all``, it leaves the visit undecided unless another fails.
    records
        The people and their ratings.
    risk
        Start of risk, for changes from the rating before it.
    worse
        Whether meeting the rule is worse than not meeting it.
    """
    if isinstance(rule, Score):
        met, decided = _occasions(rule, records, risk)
        ratings = records.ratings[rule.instrument]
        return _by_day(ratings.person, ratings.day, met, decided, worse)
    parts = [find_visits(part, records, risk, worse=worse) for part in rule.rules]
    return combine_visits(rule.how, parts)


def combine_visits(how: str, parts: Sequence[Visits]) -> Visits:
    """Combine what several rules say about the same visits."""
    if len(parts) == 1:
        return parts[0]
    person = np.concatenate([part.person for part in parts])
    date = np.concatenate([part.date for part in parts])
    day = np.concatenate([part.day for part in parts])
    met = np.concatenate([part.met for part in parts])
    failed = np.concatenate([part.decided & ~part.met for part in parts])
    order = np.lexsort((day, date, person))
    first = starts_of(person[order], date[order])
    group = np.cumsum(first) - 1
    count = int(first.sum())
    present = np.bincount(group, minlength=count)
    times_met = np.bincount(group, weights=met[order], minlength=count)
    times_failed = np.bincount(group, weights=failed[order], minlength=count)
    if how == "any":
        is_met = times_met > 0
        decided = is_met | (times_failed == present)
    else:
        is_met = times_met == len(parts)
        decided = is_met | (times_failed > 0)
    last = np.flatnonzero(np.r_[first[1:], True]) if count else np.flatnonzero(first)
    rows = order[last]
    return Visits(person[rows], date[rows], day[rows], is_met, decided)


def baseline_of(
    rule: Score, name: str, score: FloatArray, records: Records, risk: Risk
) -> FloatArray:
    """Find the baseline of each rating of a score, NaN where there is none."""
    ratings = records.ratings[rule.instrument]
    if rule.baseline == "people":
        return np.asarray(records.baseline[ratings.person])
    rated = np.flatnonzero(~np.isnan(score))
    person, day = ratings.person[rated], ratings.day[rated]
    if rule.baseline == "origin":
        everybody = records.everybody
        row = last_before(person, day, everybody, np.zeros(len(everybody)), inclusive=True)
        row = row[ratings.person]
    else:
        start = risk_start(risk, records, ratings.person, ratings.day)
        row = last_before(person, day, ratings.person, start, inclusive=True)
        row = np.where(np.isnan(start), -1, row)
    baseline = np.full(len(score), np.nan)
    baseline[row >= 0] = score[rated[row[row >= 0]]]
    return baseline


def _occasions(rule: Score, records: Records, risk: Risk) -> tuple[BoolArray, BoolArray]:
    """Say of each occasion whether enough of the scores meet the threshold."""
    ratings = records.ratings[rule.instrument]
    times_met = np.zeros(len(ratings.person), dtype=np.int64)
    times_failed = np.zeros(len(ratings.person), dtype=np.int64)
    for name in rule.names:
        met, known = _compare(rule, name, ratings, records, risk)
        times_met += met
        times_failed += known & ~met
    is_met = times_met >= rule.need
    return is_met, is_met | (times_failed > len(rule.names) - rule.need)


def _compare(
    rule: Score, name: str, ratings: Ratings, records: Records, risk: Risk
) -> tuple[BoolArray, BoolArray]:
    score = score_of(ratings, name, rule.least_share)
    if rule.change is None:
        return _exceeds(rule, score), ~np.isnan(score)
    baseline = baseline_of(rule, name, score, records, risk)
    change = change_of(rule, name, score, baseline, ratings)
    known = ~np.isnan(change)
    met = _exceeds(rule, change)
    if rule.baseline_above is not None:
        known, met = _only_where(baseline > rule.baseline_above, baseline, known, met)
    if rule.baseline_at_most is not None:
        known, met = _only_where(baseline <= rule.baseline_at_most, baseline, known, met)
    return met, known


def change_of(
    rule: Score, name: str, score: FloatArray, baseline: FloatArray, ratings: Ratings
) -> FloatArray:
    """Say by how much a score is worse than its baseline, in the rule's unit.

    A percentage of a baseline that is in perfect health does not exist and is NaN.
    """
    instrument = ratings.instrument
    sign = 1.0 if instrument.higher_is_worse else -1.0
    worse = sign * (score - baseline)
    if rule.change == "points":
        return np.asarray(worse)
    floor = rule.floor if rule.floor is not None else instrument.best(name)
    room = sign * (baseline - (np.nan if floor is None else floor))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(room > SLACK, 100 * worse / room, np.nan)


def _exceeds(rule: Score, value: FloatArray) -> BoolArray:
    # Written with a slack, so that 25 % of 40 is 10 in binary numbers too.
    with np.errstate(invalid="ignore"):
        compared = {
            "at_least": value >= rule.threshold - SLACK,
            "above": value > rule.threshold + SLACK,
            "at_most": value <= rule.threshold + SLACK,
            "below": value < rule.threshold - SLACK,
        }
    return np.asarray(compared[rule.comparison])


def _only_where(
    applies: BoolArray, baseline: FloatArray, known: BoolArray, met: BoolArray
) -> tuple[BoolArray, BoolArray]:
    """Let only people with a certain baseline meet a rule; the others surely do not."""
    outside = ~np.isnan(baseline) & ~applies
    return known | outside, met & applies


def _by_day(
    person: IntArray, day: FloatArray, met: BoolArray, decided: BoolArray, worse: bool
) -> Visits:
    """Let the worst of several ratings on one day count."""
    date = np.floor(day + SLACK).astype(np.int64)
    first = starts_of(person, date)
    rows = np.flatnonzero(first)
    if len(rows) == len(first):
        return Visits(person, date, day, met, decided)
    last = np.flatnonzero(np.r_[first[1:], True])
    known = np.logical_or.reduceat(decided, rows)
    if worse:
        is_met = np.logical_or.reduceat(met, rows)
    else:
        is_met = known & ~np.logical_or.reduceat(decided & ~met, rows)
    return Visits(person[rows], date[rows], day[last], is_met, known)
