"""What does each published set of rules say of each deterioration, and which clause decided?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.clauses import (
    STATUSES,
    Evidence,
    Held,
    all_of,
    any_of,
    between_visits,
    evaluate,
)
from discontinuation.classify.criteria import (
    JUDGED,
    RELAPSE,
    WITHDRAWAL,
    Clause,
    Criteria,
    Features,
    JudgedTest,
    RuleSet,
    Verdict,
    doubtful,
)
from discontinuation.problems import Problem, allowed_values, refuse

FloatArray = npt.NDArray[np.float64]
Reading = Literal["strict", "recorded"]

INDETERMINATE, NOT_ASSESSABLE = "indeterminate", "not assessable"
LABELS = (WITHDRAWAL, RELAPSE, INDETERMINATE, NOT_ASSESSABLE)
BOTH, NEITHER, DRUG = "both", "neither", "drug"

# What a frame of deteriorations may hold; every column may be missing or blank.
TEXT = ("drug", "drug_class", "subclass", "formulation", "half_life_tag", *JUDGED)
FLAGS = ("reduced", "onset_exact", "exposure_open", "reinstated")
NUMBERS = (
    "half_life_days",
    "exposure_days",
    "days_since_reduction",
    "days_since_reduction_earliest",
    "days_since_reduction_latest",
    "days_since_last_dose",
    "days_since_last_dose_earliest",
    "days_since_last_dose_latest",
    "response_days",
    "response_at_least",
    "duration_days",
    "duration_at_least",
    "untreated_days",
    "untreated_at_least",
)
EVENT_COLUMNS = (*TEXT, *FLAGS, *NUMBERS)
FRAME = [
    "event", "rule_set", "label", "kind", "clause", "why", "missing", "doubtful", "passed_over",
    "hangs_on_onset",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What the rule sets say.

    Attributes
    ----------
    frame
        One row per deterioration and rule set: event (its label in the index), rule_set, label
        (withdrawal, relapse, indeterminate, not assessable), kind (such as rebound), clause (the
        clauses that decided), why (the same in a sentence, with what was found), missing (clauses
        of the set that cannot be assessed), doubtful (everything it rests on that is tagged UM or
        P, whether it decided or not), passed_over (judgements that the data never recorded),
        hangs_on_onset (whether the label needs the onset to lie where it was first seen rather
        than anywhere since the visit before).
    reading
        "strict" or "recorded".
    can_say
        By rule set, which of withdrawal and relapse it can say.
    """

    frame: pd.DataFrame
    reading: Reading
    can_say: Mapping[str, tuple[str, ...]]

    @property
    def labels(self) -> pd.DataFrame:
        """One row per deterioration, one column per rule set."""
        return pd.DataFrame(
            {
                name: self.frame.loc[self.frame["rule_set"] == name].set_index("event")["label"]
                for name in self.can_say
            }
        )

    @property
    def summary(self) -> pd.DataFrame:
        """One row per rule set: how many of each label, and how many hang on the onset."""
        counts = pd.crosstab(self.frame["rule_set"], self.frame["label"])
        counts = counts.reindex(index=list(self.can_say), columns=list(LABELS), fill_value=0)
        hangs = self.frame.groupby("rule_set")["hangs_on_onset"].sum().astype(int)
        says = pd.Series({name: ", ".join(labels) for name, labels in self.can_say.items()})
        return counts.assign(hangs_on_onset=hangs, can_say=says).rename_axis(
            index="rule_set", columns=None
        )

    def __str__(self) -> str:
        return f"Verdicts of {len(self.can_say)} rule sets ({self.reading})\n{self.summary}"


def apply_rules(
    events: pd.DataFrame,
    status: pd.DataFrame,
    criteria: Criteria,
    rule_sets: Sequence[str] | None = None,
    reading: Reading = "strict",
) -> Verdicts:
    """Apply published rules to deteriorations.

    Parameters
    ----------
    events
        One row per deterioration, the index its name. Columns as in `EVENT_COLUMNS`, any of which
        may be missing or blank:

        - drug, drug_class, subclass, formulation; half_life_days with half_life_tag.
        - exposure_days of use before the reduction, exposure_open if it may be more.
        - reduced (whether a reduction not undone came before the onset), days_since_reduction,
          days_since_last_dose, each also with ``_earliest`` and ``_latest`` for an onset between
          two visits; onset_exact where it is no matter of visits.
        - reinstated, response_days or response_at_least (days from then to resolution, or for how
          long it had not come), duration_* and untreated_* likewise from the onset.
        - recorded words: see `criteria.JUDGED`.
    status
        The same index; one column per symptom (a word of the criteria) that was asked for,
        holding new, worse, new or worse, not worse, or blank.
    criteria
        From `read_criteria`.
    rule_sets
        Their keys; all where it is left out.
    reading
        "strict": everything that a rule asks for must be known. "recorded": judgements that were
        recorded of nobody and symptoms that were asked of nobody are passed over, and every
        verdict says so.

    Returns
    -------
    Verdicts
        What is missing makes a verdict "not assessable", never "no". Where the clauses of both
        sides hold, or of neither, it is "indeterminate".

    Raises
    ------
    InvalidInput
        Unknown rule sets, words, statuses and symptoms; numbers below 0; frames that do not match.

    References
    ----------
    Methods B10; sources of the rules in data/reference/criteria.yaml.
    """
    wanted = criteria.find(rule_sets)
    refuse([*_event_problems(events), *_status_problems(status, events, criteria)])
    given = events.reindex(columns=list(dict.fromkeys([*events, *EVENT_COLUMNS])))
    evidence = Evidence(given, status, criteria)
    spread = between_visits(evidence)
    parts = [_apply(rules, evidence, spread, reading) for rules in wanted]
    frame = pd.concat(parts, ignore_index=True) if len(events) else pd.DataFrame(columns=FRAME)
    return Verdicts(frame[FRAME], reading, {rules.name: rules.labels for rules in wanted})


def _event_problems(events: pd.DataFrame) -> Iterator[Problem]:
    if not events.index.is_unique:
        yield Problem("events", "the index names a deterioration more than once")
    for column, words in JUDGED.items():
        if column in events:
            for word in sorted({str(w) for w in events[column].dropna()} - set(words)):
                yield Problem("events", allowed_values(words, word), None, column, word)
    for column in NUMBERS:
        if column in events:
            values = pd.to_numeric(events[column], errors="coerce")
            wrong = (values < 0) | np.isinf(values) | (values.isna() & events[column].notna())
            for row in np.flatnonzero(wrong):
                said, message = str(events[column].iloc[row]), "allowed: a number of 0 or more"
                yield Problem("events", message, int(row) + 2, column, said)
    for column in FLAGS:
        if column in events and not events[column].dropna().isin([True, False]).all():
            yield Problem("events", "allowed: true, false or blank", None, column)


def _status_problems(
    status: pd.DataFrame, events: pd.DataFrame, criteria: Criteria
) -> Iterator[Problem]:
    if not status.index.equals(events.index):
        yield Problem("symptoms", "the rows are not those of the deteriorations")
    for column in status:
        if column not in criteria.symptoms:
            said = allowed_values(list(criteria.symptoms), str(column))
            yield Problem("symptoms", f"is no symptom of the criteria; {said}", None, str(column))
        for word in sorted({str(w) for w in status[column].dropna()} - set(STATUSES)):
            yield Problem("symptoms", allowed_values(STATUSES, word), None, str(column), word)


def _apply(rules: RuleSet, evidence: Evidence, spread: Evidence, reading: Reading) -> pd.DataFrame:
    weighed, elsewhere = _weigh(rules, evidence, reading), _weigh(rules, spread, reading)
    outside = _outside(rules, evidence)
    places = range(len(evidence.events))
    rows = [_row(rules, weighed, row, outside[row]) for row in places]
    hangs = [
        outside[row] is None and _label(weighed, row)[0] != _label(elsewhere, row)[0]
        for row in places
    ]
    frame = pd.DataFrame(rows, columns=["label", "kind", "clause", "why", "missing", "doubtful"])
    frame.insert(0, "event", evidence.events.index)
    passed = ", ".join(weighed.passed)
    return frame.assign(rule_set=rules.name, passed_over=passed, hangs_on_onset=hangs)


@dataclass(frozen=True, eq=False)
class _Side:
    """What speaks for one kind of verdict: whether it is met, and which clauses it looks at."""

    label: str
    kind: str
    met: FloatArray
    clauses: Sequence[str]


@dataclass(frozen=True, eq=False)
class _Weighed:
    """Every clause of a rule set evaluated, and what that means for its verdicts."""

    held: Mapping[str, Held]
    sides: Sequence[_Side]
    passed: Sequence[str]
    by_features: bool

    def value(self, name: str, row: int) -> float:
        return float(self.held[name].value[row])


def _weigh(rules: RuleSet, evidence: Evidence, reading: Reading) -> _Weighed:
    recorded = reading == "recorded"
    passed = [
        name
        for name, clause in rules.clauses.items()
        if recorded and clause.judgement and not _is_recorded(clause, evidence)
    ]
    held = {
        name: evaluate(clause, evidence, recorded)
        for name, clause in rules.clauses.items()
        if name not in passed
    }
    value = {name: one.value for name, one in held.items()}
    if rules.features is not None:
        sides = _weigh_features(rules.features, value)
    else:
        sides = _weigh_verdicts(rules.verdicts, value, passed)
    return _Weighed(held, sides, passed, rules.features is not None)


def _is_recorded(clause: Clause, evidence: Evidence) -> bool:
    test = clause.test
    return not isinstance(test, JudgedTest) or bool(evidence.events[test.column].notna().any())


def _weigh_verdicts(
    verdicts: Sequence[Verdict], value: Mapping[str, FloatArray], passed: Sequence[str]
) -> list[_Side]:
    sides = []
    for verdict in verdicts:
        groups = [[name for name in one if name not in passed] for one in verdict.all]
        met = all_of([any_of([value[name] for name in names]) for names in groups if names])
        clauses = [name for names in groups for name in names]
        sides.append(_Side(verdict.label, verdict.kind, met, clauses))
    return sides


def _weigh_features(features: Features, value: Mapping[str, FloatArray]) -> list[_Side]:
    """A side is met by `least` features of its own and none of the other."""
    sides = []
    for label, own, other in (
        (WITHDRAWAL, features.withdrawal, features.relapse),
        (RELAPSE, features.relapse, features.withdrawal),
    ):
        table = np.asarray([value[name] for name in own])
        found, possible = (table == 1).sum(axis=0), (table != 0).sum(axis=0)
        against = (np.asarray([value[name] for name in other]) == 1).any(axis=0)
        open_ = possible >= features.least
        met = np.where(found >= features.least, 1.0, np.where(open_, np.nan, 0.0))
        sides.append(_Side(label, "features", np.where(against, 0.0, met), own))
    return sides


def _outside(rules: RuleSet, evidence: Evidence) -> list[str | None]:
    """Why the rule set does not speak of a drug; None where it does."""
    if rules.applies is None:
        return [None] * len(evidence.events)
    said = rules.applies
    names = zip(*(evidence.words(c) for c in ("drug", "drug_class", "subclass")), strict=True)
    found: list[str | None] = []
    for drug, drug_class, subclass in names:
        wanted, own = (said.subclasses, subclass) if said.subclasses else (said.classes, drug_class)
        if own is None:
            found.append(f"{said.says}; what kind of drug it was is not known")
        else:
            found.append(None if own in wanted else f"{said.says}, not for {drug or own}")
    return found


def _row(
    rules: RuleSet, weighed: _Weighed, row: int, outside: str | None
) -> tuple[str, str | None, str, str, str, str]:
    marks = _marks(rules, weighed.held, row)
    missing = ", ".join(name for name in weighed.held if np.isnan(weighed.value(name, row)))
    if outside is not None:
        return NOT_ASSESSABLE, None, DRUG, f"{NOT_ASSESSABLE}: {outside}", missing, marks
    label, kind = _label(weighed, row)
    names = _decisive(weighed, row, label, kind)
    facts = [f"{rules.clauses[n].says} [{weighed.held[n].facts[row]}]" for n in names]
    why = f"{_heading(rules, label, kind)}: {'; '.join(facts)}"
    return label, kind, ", ".join(names), why, missing, marks


def _label(weighed: _Weighed, row: int) -> tuple[str, str | None]:
    """Label and kind of one deterioration, by a rule set that speaks of its drug."""
    met = [side for side in weighed.sides if side.met[row] == 1]
    labels = {side.label for side in met}
    if len(labels) == 1:
        return met[0].label, met[0].kind
    if labels:
        return INDETERMINATE, BOTH
    if any(np.isnan(side.met[row]) for side in weighed.sides):
        return NOT_ASSESSABLE, None
    # Features on both sides rule each other out.
    held = [any(weighed.value(n, row) == 1 for n in side.clauses) for side in weighed.sides]
    return INDETERMINATE, BOTH if weighed.by_features and all(held) else NEITHER


def _decisive(weighed: _Weighed, row: int, label: str, kind: str | None) -> list[str]:
    """The clauses that hold, that fail, or that are not known, whichever decided."""
    wanted: Callable[[float], bool]
    if label == NOT_ASSESSABLE:
        sides = [side for side in weighed.sides if np.isnan(side.met[row])]
        wanted = math.isnan
    elif kind == NEITHER:
        sides, wanted = list(weighed.sides), _fails
    else:
        met = [side for side in weighed.sides if side.met[row] == 1]
        sides = (met if kind == BOTH else met[:1]) or list(weighed.sides)
        wanted = _holds
    names = dict.fromkeys(name for side in sides for name in side.clauses)
    return [name for name in names if wanted(weighed.value(name, row))]


def _holds(value: float) -> bool:
    return value == 1


def _fails(value: float) -> bool:
    return value == 0


def _heading(rules: RuleSet, label: str, kind: str | None) -> str:
    if label == NOT_ASSESSABLE:
        return f"{label}: not known"
    if label != INDETERMINATE:
        return f"{label} ({kind})"
    if kind == BOTH:
        return f"{label}: the rules of both sides hold"
    silent = [one for one in (WITHDRAWAL, RELAPSE) if one not in rules.labels]
    beside = f" (the set says nothing of {silent[0]})" if silent else ""
    return f"{label}: not met{beside}; fails"


def _marks(rules: RuleSet, held: Mapping[str, Held], row: int) -> str:
    """Everything tagged UM or P that the set rests on, for this deterioration."""
    marks = []
    if rules.applies is not None and doubtful(rules.applies.tag):
        marks.append(f"drugs ({rules.applies.tag})")
    for name, one in held.items():
        own = [f"({rules.clauses[name].tag})"] if doubtful(rules.clauses[name].tag) else []
        further = [one.doubts[row]] if one.doubts[row] else []
        if own or further:
            marks.append(f"{name}: {', '.join([*own, *further])}".replace(": (", " (", 1))
    combinations = {verdict.doubt for verdict in rules.verdicts}
    if rules.features is not None:
        combinations.add(rules.features.doubt)
    marks += [f"combination ({tag})" for tag in sorted(filter(None, combinations)) if doubtful(tag)]
    return "; ".join(marks)
