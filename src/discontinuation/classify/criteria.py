"""Which published rules tell withdrawal from relapse, clause by clause, and how is each known?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from discontinuation.config import complete_config
from discontinuation.exposure.drugs import DOUBTFUL
from discontinuation.fingerprint import ROOT
from discontinuation.ingest.yaml_text import read_yaml
from discontinuation.problems import Problem, allowed_values, refuse

PROJECT = ROOT.parents[1]
REFERENCE = PROJECT / "data" / "reference" / "criteria.yaml"
SCHEMA = PROJECT / "workflow" / "schemas" / "criteria.schema.yaml"

WITHDRAWAL, RELAPSE = "withdrawal", "relapse"
# What may be recorded of a deterioration as a word, and the words; blank is "not recorded".
JUDGED: dict[str, tuple[str, ...]] = {
    "impairment": ("yes", "no"),
    "other_cause": ("yes", "no"),
    "recurrence": ("yes", "no"),
    "original_symptoms": ("yes", "no"),
    "intensity": ("greater", "not greater"),
    "gradual_onset": ("yes", "no"),
    "novelty": ("new or stronger", "as before"),
    "dyskinesia": ("yes", "no"),
    "tolerance": ("yes", "no"),
}
DESS43 = tuple(str(number) for number in range(1, 44))


@dataclass(frozen=True)
class Limit:
    """A number of days, or of half-lives with a least number of days and days on top."""

    days: float = 0.0
    half_lives: float = 0.0
    plus_days: float = 0.0


@dataclass(frozen=True)
class OnsetLimits:
    """When an onset must lie, in days since the last reduction or the last dose."""

    since: str = "last_reduction"
    at_least: Limit | None = None
    at_most: Limit | None = None
    later_than: Limit | None = None


@dataclass(frozen=True)
class ExposureTest:
    """Days of continuous use before the reduction."""

    at_least: float


@dataclass(frozen=True)
class OnsetTest:
    """When the onset must lie, with exceptions by drug and formulation."""

    limits: OnsetLimits
    by_drug: Mapping[str, OnsetLimits]
    by_formulation: Mapping[str, OnsetLimits]


@dataclass(frozen=True)
class WindowTest:
    """Inside the proposed window of the drug's class, its end multiplied; or later than that."""

    times: float
    later: bool


@dataclass(frozen=True)
class SymptomTest:
    """How many groups of a list are new or worse (or new)."""

    list: str
    at_least: int | None
    at_most: int | None
    only_new: bool


@dataclass(frozen=True)
class JudgedTest:
    """A recorded word; see `JUDGED`."""

    column: str
    word: str


@dataclass(frozen=True)
class ResponseTest:
    """Days from starting the drug again to resolution."""

    within: float | None
    later_than: float | None


@dataclass(frozen=True)
class DurationTest:
    """Days from onset to resolution; `untreated`: without starting the drug again."""

    at_most: float | None
    longer_than: float | None
    untreated: bool


Test = (
    ExposureTest | OnsetTest | WindowTest | SymptomTest | JudgedTest | ResponseTest | DurationTest
)


@dataclass(frozen=True)
class Clause:
    """One clause of a rule.

    Attributes
    ----------
    name, says
        Its name and what it says, in our own words.
    source, tag
        Key of the source, and how it is known: V, V2, UM, D or P.
    judgement
        Whether it asks for a clinician's judgement, which most datasets never recorded.
    test
        What must hold.
    """

    name: str
    says: str
    source: str
    tag: str
    judgement: bool
    test: Test


@dataclass(frozen=True)
class Verdict:
    """What a combination of clauses means.

    Attributes
    ----------
    kind, label
        Name of the verdict; withdrawal or relapse.
    all
        Clauses that must hold; of a tuple of several, one.
    doubt
        How doubtful the combination itself is ("P"), or None.
    """

    kind: str
    label: str
    all: tuple[tuple[str, ...], ...]
    doubt: str | None = None

    @property
    def clauses(self) -> list[str]:
        """Every clause it looks at."""
        return [name for one in self.all for name in one]


@dataclass(frozen=True)
class Features:
    """Features that speak for either side, without published weights."""

    withdrawal: tuple[str, ...]
    relapse: tuple[str, ...]
    least: int
    doubt: str | None


@dataclass(frozen=True)
class Applies:
    """Drugs for which a rule set was written; empty tuples mean any."""

    classes: tuple[str, ...]
    subclasses: tuple[str, ...]
    says: str
    tag: str


@dataclass(frozen=True)
class RuleSet:
    """One published set of rules.

    Attributes
    ----------
    name, title
        Key and name.
    applies
        Drugs for which it was written; None: any.
    clauses
        By name.
    verdicts, features
        How clauses become a verdict; one of the two.
    noted
        What is published beside it and not used: what it says, source, tag.
    """

    name: str
    title: str
    applies: Applies | None
    clauses: Mapping[str, Clause]
    verdicts: tuple[Verdict, ...] = ()
    features: Features | None = None
    noted: tuple[tuple[str, str, str], ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can say beside indeterminate and not assessable."""
        if self.features is not None:
            return (WITHDRAWAL, RELAPSE)
        said = {verdict.label for verdict in self.verdicts}
        return tuple(label for label in (WITHDRAWAL, RELAPSE) if label in said)

    @property
    def used(self) -> list[str]:
        """Names of the clauses that a verdict looks at."""
        if self.features is not None:
            return [*self.features.withdrawal, *self.features.relapse]
        return list(dict.fromkeys(name for one in self.verdicts for name in one.clauses))


@dataclass(frozen=True)
class Window:
    """Proposed window of an acute onset for a class of drug."""

    drug_class: str
    drugs: tuple[str, ...]
    formulation: str | None
    since: str
    floor: Limit
    ceiling: Limit


@dataclass(frozen=True)
class SymptomList:
    """A published list: group by its name, each with its symptoms."""

    groups: Mapping[str, tuple[str, ...]]
    source: str
    tag: str


@dataclass(frozen=True)
class Criteria:
    """Every rule that is held.

    Attributes
    ----------
    rule_sets
        By key, in the order of the file.
    symptoms
        The words in which symptoms are compared, each with the item of the DESS that asks for it
        (blank where none does).
    lists, windows
        Lists of symptoms; proposed windows by class.
    citations
        Citation by the key of the source.
    without_rule
        Published, but no rule that a program could apply: title, source, tag, reason.
    """

    rule_sets: Mapping[str, RuleSet]
    symptoms: Mapping[str, str]
    lists: Mapping[str, SymptomList]
    windows: tuple[Window, ...]
    citations: Mapping[str, str] = field(default_factory=dict, repr=False)
    without_rule: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def find(self, names: Sequence[str] | None = None) -> list[RuleSet]:
        """Give some rule sets, or all.

        Raises
        ------
        InvalidInput
            For every name that is not held.
        """
        wanted = list(self.rule_sets) if names is None else list(names)
        known = list(self.rule_sets)
        refuse(
            Problem("rule sets", f"is not held; {allowed_values(known, name)}", value=name)
            for name in wanted
            if name not in self.rule_sets
        )
        return [self.rule_sets[name] for name in wanted]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per rule set and clause: what it says, source, citation, tag, judgement, used."""
        rows = [
            {
                "rule_set": rules.name,
                "title": rules.title,
                "clause": clause.name,
                "says": clause.says,
                "source": clause.source,
                "citation": self.citations[clause.source],
                "tag": clause.tag,
                "judgement": clause.judgement,
                "used": clause.name in rules.used,
            }
            for rules in self.rule_sets.values()
            for clause in rules.clauses.values()
        ]
        return pd.DataFrame(rows)


def doubtful(tag: str | None) -> bool:
    """Whether what carries this tag must be marked wherever it is used."""
    return tag in DOUBTFUL


def read_criteria(path: Path = REFERENCE) -> Criteria:
    """Read the rule sets.

    Parameters
    ----------
    path
        data/reference/criteria.yaml, or a file of the same form.

    Raises
    ------
    InvalidInput
        With every problem: unknown keys and impossible values, clauses, lists, symptoms and
        sources that are named and not there, clauses that no verdict uses, limits that exclude
        one another.
    """
    content = complete_config(read_yaml(path, path.name), _schema(), path.name)
    refuse(Problem(path.name, said, column=place) for place, said in _problems(content))
    return _build(content)


@cache
def _schema() -> dict[str, Any]:
    text: dict[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return text


Found = Iterator[tuple[str, str]]


def _problems(content: Mapping[str, Any]) -> Found:
    """What a schema cannot see."""
    yield from _unknown_sources(content, content["sources"], "")
    symptoms = content["symptoms"]
    for name, listed in content["lists"].items():
        if ("groups" in listed) == ("every" in listed):
            yield f"lists.{name}", "allowed: either 'groups' or 'every'"
        for group, members in listed.get("groups", {}).items():
            for member in members:
                if member not in symptoms:
                    yield f"lists.{name}.groups.{group}", _unknown(member, symptoms)
    for name, rules in content["rule_sets"].items():
        yield from _rule_set_problems(f"rule_sets.{name}", rules, content)


def _unknown_sources(value: Any, sources: Mapping[str, Any], place: str) -> Found:
    if isinstance(value, Mapping):
        source = value.get("source")
        if isinstance(source, str) and source not in sources:
            yield f"{place}.source", _unknown(source, sources)
        for key, part in value.items():
            yield from _unknown_sources(part, sources, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from _unknown_sources(part, sources, f"{place}[{position}]")


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    return f"{name!r} is not defined; {allowed_values(list(known), name)}"


def _rule_set_problems(place: str, rules: Mapping[str, Any], content: Mapping[str, Any]) -> Found:
    others = content["rule_sets"]
    base = rules.get("clauses_of")
    if base is not None and (base not in others or "clauses_of" in others[base]):
        yield f"{place}.clauses_of", "allowed: a rule set with clauses of its own"
        return
    clauses = {**(others[base]["clauses"] if base else {}), **rules["clauses"]}
    if ("verdicts" in rules) == ("features" in rules):
        yield place, "allowed: either 'verdicts' or 'features'"
    used = list(_used_names(rules))
    for name in dict.fromkeys(used):
        if name not in clauses:
            yield f"{place}.verdicts", _unknown(name, clauses)
    for name, clause in rules["clauses"].items():
        if name not in used:
            yield f"{place}.clauses.{name}", "no verdict uses it; what is only noted is 'noted'"
        for said in _test_problems(clause["test"], content):
            yield f"{place}.clauses.{name}.test", said


def _used_names(rules: Mapping[str, Any]) -> Iterator[str]:
    for verdict in rules.get("verdicts", ()):
        for entry in verdict["all"]:
            yield from [entry] if isinstance(entry, str) else entry["any"]
    features = rules.get("features", {})
    yield from [*features.get(WITHDRAWAL, ()), *features.get(RELAPSE, ())]


def _test_problems(test: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[str]:
    [(kind, said)] = test.items()
    if kind == "symptoms":
        yield from _symptom_problems(said, content["lists"])
    elif kind == "judged":
        allowed = JUDGED.get(said["column"])
        if allowed is None:
            yield _unknown(said["column"], JUDGED)
        elif said["is"] not in allowed:
            yield f"{said['is']!r}: {allowed_values(allowed, said['is'])}"
    elif kind in ("response", "duration"):
        low, high = ("later_than", "within") if kind == "response" else ("longer_than", "at_most")
        if (low in said) == (high in said):
            yield f"allowed: either '{low}' or '{high}'"
    elif kind == "onset":
        for limits in [said, *said.get("by_drug", {}).values(),
                       *said.get("by_formulation", {}).values()]:  # fmt: skip
            yield from _onset_problems(limits)


def _symptom_problems(said: Mapping[str, Any], lists: Mapping[str, Any]) -> Iterator[str]:
    if said["list"] not in lists:
        yield _unknown(said["list"], lists)
    elif said.get("at_least", 0) > len(lists[said["list"]].get("groups", DESS43)):
        yield f"the list has fewer than {said['at_least']} groups"
    if ("at_least" in said) == ("at_most" in said):
        yield "allowed: either 'at_least' or 'at_most'"


def _onset_problems(said: Mapping[str, Any]) -> Iterator[str]:
    given = [key for key in ("at_least", "at_most", "later_than") if key in said]
    if not given or ("later_than" in given and len(given) > 1):
        yield "allowed: 'at_least' with 'at_most', one of them, or 'later_than' alone"
    low, high = said.get("at_least"), said.get("at_most")
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        yield f"no onset can lie from {low:g} to {high:g} days"


def _build(content: Mapping[str, Any]) -> Criteria:
    symptoms = {name: said.get("dess43", "") for name, said in content["symptoms"].items()}
    own = {
        name: {key: _clause(key, said) for key, said in rules["clauses"].items()}
        for name, rules in content["rule_sets"].items()
    }
    return Criteria(
        rule_sets={
            name: _rule_set(name, said, {**own.get(said.get("clauses_of", ""), {}), **own[name]})
            for name, said in content["rule_sets"].items()
        },
        symptoms=symptoms,
        lists={
            name: SymptomList(_groups(said, symptoms), said["source"], said["tag"])
            for name, said in content["lists"].items()
        },
        windows=tuple(_window(said) for said in content["windows"]),
        citations={name: said["citation"] for name, said in content["sources"].items()},
        without_rule=content["without_rule"],
    )


def _groups(said: Mapping[str, Any], symptoms: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    if "groups" in said:
        return {name: tuple(members) for name, members in said["groups"].items()}
    every = said["every"] == "symptom"
    return {name: (name,) for name, item in symptoms.items() if every or item in DESS43}


def _rule_set(name: str, said: Mapping[str, Any], clauses: Mapping[str, Clause]) -> RuleSet:
    drugs, features = said.get("drugs"), said.get("features")
    used = set(_used_names(said))
    return RuleSet(
        name=name,
        title=said["title"],
        applies=None if drugs is None else _applies(drugs),
        clauses={key: clause for key, clause in clauses.items() if key in used},
        verdicts=tuple(_verdict(verdict) for verdict in said.get("verdicts", ())),
        features=None if features is None else _features(features),
        noted=tuple((one["says"], one["source"], one["tag"]) for one in said["noted"]),
    )


def _applies(said: Mapping[str, Any]) -> Applies:
    classes, subclasses = said.get("classes", ()), said.get("subclasses", ())
    return Applies(tuple(classes), tuple(subclasses), said["says"], said["tag"])


def _features(said: Mapping[str, Any]) -> Features:
    sides = tuple(said[WITHDRAWAL]), tuple(said[RELAPSE])
    return Features(*sides, said["least"], said["combination"]["tag"])


def _verdict(said: Mapping[str, Any]) -> Verdict:
    entries = [(one,) if isinstance(one, str) else tuple(one["any"]) for one in said["all"]]
    doubt = said.get("combination", {}).get("tag")
    return Verdict(said["kind"], said["label"], tuple(entries), doubt)


def _clause(name: str, said: Mapping[str, Any]) -> Clause:
    test = _test(said["test"])
    return Clause(name, said["says"], said["source"], said["tag"], said["judgement"], test)


def _test(said: Mapping[str, Any]) -> Test:
    [(kind, text)] = said.items()
    if kind == "onset":
        exceptions = [
            {name: _onset_limits(limits) for name, limits in text.get(key, {}).items()}
            for key in ("by_drug", "by_formulation")
        ]
        return OnsetTest(_onset_limits(text), *exceptions)
    simple: dict[str, Test] = {
        "exposure": ExposureTest(text.get("at_least", 0.0)),
        "window": WindowTest(text.get("times", 1.0), text.get("later", False)),
        "judged": JudgedTest(text.get("column", ""), text.get("is", "")),
        "response": ResponseTest(text.get("within"), text.get("later_than")),
        "duration": DurationTest(
            text.get("at_most"), text.get("longer_than"), text.get("untreated", False)
        ),
        "symptoms": SymptomTest(
            text.get("list", ""),
            text.get("at_least"),
            text.get("at_most"),
            text.get("only_new", False),
        ),
    }
    return simple[kind]


def _onset_limits(said: Mapping[str, Any]) -> OnsetLimits:
    limits = {
        key: _limit(said[key]) for key in ("at_least", "at_most", "later_than") if key in said
    }
    return OnsetLimits(said.get("since", "last_reduction"), **limits)


def _limit(said: float | Mapping[str, float]) -> Limit:
    if isinstance(said, Mapping):
        return Limit(said["at_least_days"], said["half_lives"], said["plus_days"])
    return Limit(float(said))


def _window(said: Mapping[str, Any]) -> Window:
    return Window(
        drug_class=said["drug_class"],
        drugs=tuple(said.get("drugs", ())),
        formulation=said.get("formulation"),
        since=said.get("since", "last_reduction"),
        floor=_limit(said["floor"]),
        ceiling=_limit(said["ceiling"]),
    )
