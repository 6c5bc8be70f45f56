"""Does a clause of a rule hold for each deterioration: yes, no, or is it not known?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.criteria import (
    Clause,
    Criteria,
    DurationTest,
    ExposureTest,
    JudgedTest,
    Limit,
    OnsetLimits,
    OnsetTest,
    ResponseTest,
    SymptomTest,
    Test,
    Window,
    WindowTest,
    doubtful,
)

FloatArray = npt.NDArray[np.float64]

# Days closer than this are the same.
SLACK = 1e-9
NEW, WORSE, EITHER, NOT_WORSE = "new", "worse", "new or worse", "not worse"
STATUSES = (NEW, WORSE, EITHER, NOT_WORSE)
SINCE = {"last_reduction": "days_since_reduction", "last_dose": "days_since_last_dose"}
WORDS = {"last_reduction": "the last reduction", "last_dose": "the last dose"}


@dataclass(frozen=True)
class Evidence:
    """What is known of each deterioration.

    Attributes
    ----------
    events
        One row per deterioration; see `rules.EVENT_COLUMNS`. What is missing is blank.
    status
        The same rows; one column per symptom that was asked for, holding new, worse, new or worse
        (which of the two is not known), not worse, or blank.
    criteria
        From `read_criteria`.
    between_visits
        Whether an onset between two visits may lie anywhere between them; else it lies where
        `onset` says.
    """

    events: pd.DataFrame
    status: pd.DataFrame
    criteria: Criteria
    between_visits: bool = False

    def numbers(self, column: str) -> FloatArray:
        """Give a column of numbers or of true and false; NaN where blank."""
        return np.asarray(
            self.events[column].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        )

    def words(self, column: str) -> npt.NDArray[np.object_]:
        """Give a column of words; None where blank."""
        found = [None if pd.isna(word) else str(word) for word in self.events[column]]
        return np.array(found, dtype=np.object_)

    @cached_property
    def raised(self) -> dict[bool, dict[str, FloatArray]]:
        """Whether each symptom asked for is new or worse (False), or new (True)."""
        either = {NEW: 1.0, WORSE: 1.0, EITHER: 1.0, NOT_WORSE: 0.0}
        only_new = {NEW: 1.0, WORSE: 0.0, NOT_WORSE: 0.0}
        return {
            new: {
                str(name): np.array([value.get(word, np.nan) for word in self.status[name]])
                for name in self.status
            }
            for new, value in ((False, either), (True, only_new))
        }


@dataclass(frozen=True, eq=False)
class Held:
    """Whether a clause holds.

    Attributes
    ----------
    value
        1, 0 or NaN (not known) per deterioration.
    facts
        What was found, in words.
    doubts
        Doubtful inputs beside the clause itself, such as "half-life (UM)"; "" if none.
    """

    value: FloatArray
    facts: Sequence[str]
    doubts: Sequence[str]


def all_of(values: Sequence[FloatArray]) -> FloatArray:
    """And, in three values: no if any is no, else not known if any is not known."""
    table = np.asarray(values, dtype=float)
    known = np.where(np.isnan(table), 1.0, table).min(axis=0)
    return np.where((known == 1) & np.isnan(table).any(axis=0), np.nan, known)


def any_of(values: Sequence[FloatArray]) -> FloatArray:
    """Or, in three values: yes if any is yes, else not known if any is not known."""
    return 1.0 - all_of([1.0 - np.asarray(value) for value in values])


def evaluate(clause: Clause, evidence: Evidence, asked_only: bool = False) -> Held:
    """Evaluate one clause for every deterioration.

    Parameters
    ----------
    clause
        The clause.
    evidence
        What is known.
    asked_only
        Whether symptoms that were asked of nobody are left out of a count, instead of being not
        known.
    """
    test: Any = clause.test
    if isinstance(test, SymptomTest):
        return _symptoms(test, evidence, asked_only)
    return _EVALUATE[type(test)](test, evidence)


def _exposure(test: ExposureTest, evidence: Evidence) -> Held:
    days, open_ended = evidence.numbers("exposure_days"), evidence.numbers("exposure_open") == 1
    value = np.where(days >= test.at_least - SLACK, 1.0, np.where(open_ended, np.nan, 0.0))
    facts = [
        "not recorded" if np.isnan(day) else f"{'at least ' if more else ''}{day:.4g} days of use"
        for day, more in zip(days, open_ended, strict=True)
    ]
    return _held(np.where(np.isnan(days), np.nan, value), facts)


def _onset(test: OnsetTest, evidence: Evidence) -> Held:
    drugs, formulations = evidence.words("drug"), evidence.words("formulation")
    limits = [
        test.by_drug.get(drug) or test.by_formulation.get(form) or test.limits
        for drug, form in zip(drugs, formulations, strict=True)
    ]
    return _onset_within(limits, evidence)


def _window(test: WindowTest, evidence: Evidence) -> Held:
    names = zip(*(evidence.words(c) for c in ("drug_class", "drug", "formulation")), strict=True)
    found = [_window_of(evidence.criteria.windows, *name) for name in names]
    limits = [None if one is None else _as_limits(one, test) for one in found]
    return _onset_within(limits, evidence)


def _window_of(
    windows: Sequence[Window], drug_class: str | None, drug: str | None, formulation: str | None
) -> Window | None:
    for window in windows:
        form = "depot" if formulation == "depot" else "oral"
        if (
            window.drug_class == drug_class
            and (not window.drugs or drug in window.drugs)
            and window.formulation in (None, form)
        ):
            return window
    return None


def _as_limits(window: Window, test: WindowTest) -> OnsetLimits:
    end = window.ceiling
    last = Limit(end.days * test.times, end.half_lives * test.times, end.plus_days * test.times)
    if test.later:
        return OnsetLimits(window.since, later_than=last)
    return OnsetLimits(window.since, at_least=window.floor, at_most=last)


def _onset_within(limits: Sequence[OnsetLimits | None], evidence: Evidence) -> Held:
    reduced, half_life = evidence.numbers("reduced"), evidence.numbers("half_life_days")
    tags = evidence.words("half_life_tag")
    spans = {since: _span(evidence, since) for since in SINCE}
    value, facts, doubts = np.full(len(reduced), np.nan), [], []
    for row, limit in enumerate(limits):
        if limit is None:
            facts.append("no window is proposed for the drug")
            doubts.append("")
            continue
        span = spans[limit.since]
        value[row] = _is_within(limit, span, row, reduced[row], half_life[row])
        facts.append(_onset_fact(span.day[row], reduced[row], limit))
        uses = any(
            end and end.half_lives for end in (limit.at_least, limit.at_most, limit.later_than)
        )
        doubts.append(f"half-life ({tags[row]})" if uses and doubtful(tags[row]) else "")
    return _held(value, facts, doubts)


@dataclass(frozen=True, eq=False)
class _Span:
    """Days between which an onset lies: from `low` (itself outside where `open`) to `high`."""

    low: FloatArray
    high: FloatArray
    open: npt.NDArray[np.bool_]
    day: FloatArray


def _span(evidence: Evidence, since: str) -> _Span:
    column = SINCE[since]
    day = evidence.numbers(column)
    if not evidence.between_visits:
        return _Span(day, day, np.zeros(len(day), dtype=bool), day)
    # Without either bound the onset is a day that somebody told.
    exact = evidence.numbers("onset_exact") == 1
    low, high = evidence.numbers(f"{column}_earliest"), evidence.numbers(f"{column}_latest")
    return _Span(np.where(exact, day, low), np.where(exact, day, high), ~exact, day)


def _is_within(
    limits: OnsetLimits, span: _Span, row: int, reduced: float, half_life: float
) -> float:
    if np.isnan(reduced):
        return np.nan
    if reduced == 0:
        return 1.0 if limits.later_than is not None else 0.0
    low, high, beyond = span.low[row], span.high[row], SLACK * (-1 if span.open[row] else 1)
    found = []
    if limits.at_least is not None:
        first, last = _limit_days(limits.at_least, half_life)
        found.append(_three(low >= last - SLACK, high < first - SLACK))
    for limit, later in ((limits.at_most, False), (limits.later_than, True)):
        if limit is not None:
            first, last = _limit_days(limit, half_life)
            within = _three(high <= first + SLACK, low > last + beyond)
            found.append(1.0 - within if later else within)
    return float(all_of([np.array([one]) for one in found])[0])


def _three(yes: bool, no: bool) -> float:
    return 1.0 if yes else 0.0 if no else np.nan


def _limit_days(limit: Limit, half_life: float) -> tuple[float, float]:
    """Least and greatest number of days that a limit can be."""
    if not limit.half_lives:
        return limit.days + limit.plus_days, limit.days + limit.plus_days
    if np.isnan(half_life):
        return limit.days + limit.plus_days, np.inf
    days = max(limit.half_lives * half_life, limit.days) + limit.plus_days
    return days, days


def _onset_fact(days: float, reduced: float, limits: OnsetLimits) -> str:
    if np.isnan(reduced):
        return "whether the dose was reduced before is not known"
    if reduced == 0:
        return "no reduction before it"
    if np.isnan(days):
        return "the day of onset is not known"
    return f"{days:.4g} days after {WORDS[limits.since]}"


def _symptoms(test: SymptomTest, evidence: Evidence, asked_only: bool) -> Held:
    listed = evidence.criteria.lists[test.list]
    status, asked = evidence.status, set(evidence.status.columns)
    groups = {
        name: [member for member in members if member in asked or not asked_only]
        for name, members in listed.groups.items()
    }
    groups = {name: members for name, members in groups.items() if members}
    known, nobody = evidence.raised[test.only_new], np.full(len(status), np.nan)
    raised = {
        name: any_of([known.get(member, nobody) for member in members])
        for name, members in groups.items()
    }
    table = np.asarray(list(raised.values())).reshape(len(groups), len(status))
    found, unknown = (table == 1).sum(axis=0), np.isnan(table).sum(axis=0)
    if test.at_least is not None:
        yes, no = found >= test.at_least, found + unknown < test.at_least
    else:
        most = int(test.at_most or 0)
        yes, no = found + unknown <= most, found > most
    # Nothing that the list names was asked of anybody: nothing is known.
    nothing = (len(groups) == 0) | (unknown == len(groups))
    value = np.where(yes, 1.0, np.where(no, 0.0, np.nan))
    facts = [
        _symptom_fact([name for name, one in raised.items() if one[row] == 1],
                      len(groups), int(unknown[row]), test.only_new)
        for row in range(len(status))
    ]  # fmt: skip
    doubt = ", ".join([f"list ({listed.tag})"] * doubtful(listed.tag) + ["matching of items (P)"])
    return _held(np.where(nothing, np.nan, value), facts, [doubt] * len(status))


def _symptom_fact(names: Sequence[str], groups: int, unknown: int, only_new: bool) -> str:
    if unknown == groups:
        return "none of them was asked for" if not groups else "none of them is known"
    shown = [name.replace("_", " ") for name in names]
    listed = f" ({', '.join(shown[:6])}{', and more' if len(shown) > 6 else ''})" if shown else ""
    rest = f"; {unknown} not known" if unknown else ""
    return f"{len(names)} of {groups} {'new' if only_new else 'new or worse'}{listed}{rest}"


def _judged(test: JudgedTest, evidence: Evidence) -> Held:
    words = evidence.words(test.column)
    value = [np.nan if word is None else float(word == test.word) for word in words]
    name = test.column.replace("_", " ")
    facts = [f"{name}: {'not recorded' if word is None else word}" for word in words]
    return _held(np.array(value, dtype=float), facts)


def _response(test: ResponseTest, evidence: Evidence) -> Held:
    days, least = evidence.numbers("response_days"), evidence.numbers("response_at_least")
    again = evidence.numbers("reinstated") == 1
    facts = [
        _course_fact(day, low, "after the drug was started again") if started
        else "the drug was not started again"
        for day, low, started in zip(days, least, again, strict=True)
    ]  # fmt: skip
    return _held(_longer_or_not(days, least, test.within, test.later_than), facts)


def _duration(test: DurationTest, evidence: Evidence) -> Held:
    name = "untreated" if test.untreated else "duration"
    days, least = evidence.numbers(f"{name}_days"), evidence.numbers(f"{name}_at_least")
    since = "from its onset, without the drug" if test.untreated else "from its onset"
    facts = [_course_fact(day, low, since) for day, low in zip(days, least, strict=True)]
    return _held(_longer_or_not(days, least, test.at_most, test.longer_than), facts)


def _longer_or_not(
    days: FloatArray, least: FloatArray, at_most: float | None, longer: float | None
) -> FloatArray:
    """Whether a course is short, or long; of one still open only its least length is known."""
    limit = at_most if at_most is not None else longer or 0.0
    over = np.where(np.isnan(days), least, days) > limit + SLACK
    over |= np.isnan(days) & (least >= limit - SLACK)
    is_long = np.where(over, 1.0, np.where(np.isnan(days), np.nan, 0.0))
    return np.asarray(is_long if at_most is None else 1.0 - is_long, dtype=np.float64)


def _course_fact(days: float, least: float, since: str) -> str:
    if not np.isnan(days):
        return f"over {days:.4g} days {since}"
    return f"still there {least:.4g} days {since}" if least >= 0 else "its end is not known"


def _held(value: FloatArray, facts: Sequence[str], doubts: Sequence[str] | None = None) -> Held:
    return Held(value, facts, doubts or [""] * len(value))


_EVALUATE: dict[type[Test], Callable[[Any, Evidence], Held]] = {
    ExposureTest: _exposure,
    OnsetTest: _onset,
    WindowTest: _window,
    JudgedTest: _judged,
    ResponseTest: _response,
    DurationTest: _duration,
}


def between_visits(evidence: Evidence) -> Evidence:
    """Give the same evidence, the onset lying anywhere between two visits."""
    return replace(evidence, between_visits=True)
