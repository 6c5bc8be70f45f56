"""Which definitions of getting worse does a dataset declare?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import yaml

from discontinuation.events.definition import (
    Combination,
    Comparison,
    Criterion,
    Definition,
    Ended,
    Happening,
    Persistence,
    RatingRule,
    Recovery,
    Reinstatement,
    Reported,
    Risk,
    Score,
)
from discontinuation.fingerprint import ROOT
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse
from discontinuation.tables.instruments import TOTAL, Instrument, complete_part

SCHEMA = ROOT.parents[1] / "workflow" / "schemas" / "definition.schema.yaml"

COMPARISONS: tuple[Comparison, ...] = ("at_least", "above", "at_most", "below")
HAPPENINGS = ("reported", "end_reason", "reinstatement")
# What may stand beside the key that says which kind of rule it is.
BESIDE = {
    "instrument": (
        *("score", "items", "how_many", "change", *COMPARISONS, "floor"),
        *("baseline", "baseline_above", "baseline_at_most", "least_share"),
    ),
    "any": (),
    "all": (),
    "reported": (),
    "end_reason": (),
    "reinstatement": ("drug",),
}
DOSE_STARTS = ("dose_change", "dose_reduction", "last_dose")

Found = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class _Spot:
    """Where a rule stands, and so what it may say."""

    instruments: Mapping[str, Instrument]
    worse: bool = True
    happenings: bool = True
    persistence: bool = False


def definitions_from(
    texts: Sequence[Mapping[str, Any]],
    instruments: Mapping[str, Instrument],
    file: str = "definitions",
    place: str = "definitions",
) -> list[Definition]:
    """Read several definitions, to be set side by side.

    Parameters
    ----------
    texts
        Each as workflow/schemas/definition.schema.yaml describes it.
    instruments
        The instruments that the dataset declares.
    file, place
        How messages call the file and the key that holds the definitions.

    Raises
    ------
    InvalidInput
        With the problems of all of them, and every identifier that is used twice.
    """
    found: list[Definition] = []
    problems: list[Problem] = []
    for position, text in enumerate(texts):
        where = f"{place}[{position}]"
        try:
            definition = definition_from(text, instruments, file, where)
        except InvalidInput as error:
            problems += error.problems
            continue
        if definition.id in {other.id for other in found}:
            message = "is the identifier of an earlier definition already"
            problems.append(Problem(file, message, column=f"{where}.id", value=definition.id))
        found.append(definition)
    refuse(problems)
    return found


def definition_from(
    text: Mapping[str, Any],
    instruments: Mapping[str, Instrument],
    file: str = "definitions",
    place: str = "",
) -> Definition:
    """Read one definition.

    Parameters
    ----------
    text
        As workflow/schemas/definition.schema.yaml describes it.
    instruments
        The instruments that the dataset declares.
    file, place
        How messages call the file and the key that holds the definition.

    Raises
    ------
    InvalidInput
        With every unknown key, instrument, subscale and item (and the nearest spelling), every
        rule that says two things or nothing, and every threshold that nobody or everybody meets.
    """
    if not isinstance(text, Mapping):
        raise InvalidInput([Problem(file, "allowed: a group of keys", column=place or None)])
    complete = complete_part(dict(text), _schema(), file, place)
    refuse(
        Problem(file, said, column=f"{place}.{key}".strip("."))
        for key, said in _problems(complete, instruments)
    )
    return _build(complete, instruments)


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return schema


def _problems(text: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> Found:
    """Find what a definition says that cannot be, with the key it stands under."""
    spot = _Spot(instruments)
    yield from _rule_problems(text["rule"], "rule", spot, branches=True)
    yield from _persistence_problems(text["persistence"], "persistence")
    yield from _risk_problems(text["risk"])
    if "onset" in text:
        yield from _rule_problems(text["onset"], "onset", replace(spot, happenings=False))
    if "core" in text:
        yield from _rule_problems(text["core"], "core", replace(spot, happenings=False))
    well = replace(spot, happenings=False, worse=False)
    recovery = text.get("recovery", {})
    if "rule" in recovery:
        yield from _rule_problems(recovery["rule"], "recovery.rule", well)
    elif recovery and not any("instrument" in leaf for leaf in _leaves(text["rule"])):
        yield "recovery.rule", "the key is missing: no rating in the definition tells who is well"
    if text["repeated"] and not recovery:
        yield "recovery", "the key is missing: further episodes need to know what ends one"


def _leaves(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    parts = [*rule.get("any", ()), *rule.get("all", ())]
    if not parts:
        yield rule
    for part in parts:
        yield from _leaves(part)


def _rule_problems(
    rule: Mapping[str, Any], place: str, spot: _Spot, branches: bool = False
) -> Found:
    """Find what is wrong with a rule; the branches of a definition's `any` stand by themselves."""
    kinds = [kind for kind in BESIDE if kind in rule]
    if len(kinds) != 1:
        said = " and ".join(kinds) or "none of them"
        yield place, f"says {said}; allowed: exactly one of {', '.join(BESIDE)}"
        return
    kind = kinds[0]
    for key in rule:
        if key not in (kind, "persistence", *BESIDE[kind]):
            yield f"{place}.{key}", f"says nothing beside {kind!r}"
    if "persistence" in rule:
        yield from _own_persistence_problems(rule, kind, place, spot)
    if kind in HAPPENINGS and not spot.happenings:
        yield f"{place}.{kind}", "has no place here; allowed: rules about ratings"
    if kind == "instrument":
        yield from _score_problems(rule, place, spot)
    for position, part in enumerate(rule.get("any", rule.get("all", ()))):
        free = branches and kind == "any"
        inner = replace(spot, happenings=free, persistence=free)
        yield from _rule_problems(part, f"{place}.{kind}[{position}]", inner)


def _own_persistence_problems(rule: Mapping[str, Any], kind: str, place: str, spot: _Spot) -> Found:
    where = f"{place}.persistence"
    if kind in HAPPENINGS:
        yield where, "says nothing about what happened once"
    elif not spot.persistence:
        yield where, "has no place here; allowed: beside 'rule', or in a branch of its 'any'"
    yield from _persistence_problems(rule["persistence"], where)


def _persistence_problems(text: Mapping[str, Any], place: str) -> Found:
    visits, of = text["visits"], text.get("of", text["visits"])
    if of < visits:
        yield f"{place}.of", f"{visits} of {of} visits cannot be; allowed: {visits} or more"
    if "for_days" in text and of > visits:
        yield f"{place}.for_days", "needs visits in a row; allowed: without 'of'"
    if text.get("within_days", math.inf) < text.get("for_days", 0):
        yield f"{place}.within_days", "is less than for_days"
    if "scheduled_days" in text and text["missing"] == "skip":
        yield f"{place}.scheduled_days", "changes nothing while missing visits are passed over"
    if text["tolerance_days"] and "scheduled_days" not in text:
        yield f"{place}.tolerance_days", "says nothing without 'scheduled_days'"


def _risk_problems(text: Mapping[str, Any]) -> Found:
    if text.get("until_days", math.inf) < text["after_days"]:
        yield "risk.until_days", "is before after_days"
    if "drug" in text and text["from"] not in DOSE_STARTS:
        yield "risk.drug", f"says nothing unless risk starts from one of {', '.join(DOSE_STARTS)}"


def _score_problems(rule: Mapping[str, Any], place: str, spot: _Spot) -> Found:
    name = rule["instrument"]
    instrument = spot.instruments.get(name)
    if instrument is None:
        known = allowed_values(list(spot.instruments), name)
        yield f"{place}.instrument", f"there is no instrument called {name!r}; {known}"
        return
    unknown = [*_name_problems(rule, instrument)]
    compared = [*_comparison_problems(rule, instrument, spot.worse)]
    for key, said in [*unknown, *compared, *_change_problems(rule)]:
        yield f"{place}.{key}".strip("."), said
    if not unknown:
        for key, said in _how_many_problems(rule, instrument):
            yield f"{place}.{key}", said
    if not unknown and not compared:
        for key, said in _threshold_problems(rule, instrument, spot.worse):
            yield f"{place}.{key}", said


def _name_problems(rule: Mapping[str, Any], instrument: Instrument) -> Found:
    if ("score" in rule) == ("items" in rule):
        yield "", "allowed: either 'score' (total, a subscale or one item) or 'items'"
        return
    known = [TOTAL, *instrument.subscales, *instrument.items]
    score = str(rule.get("score", TOTAL))
    if score not in known:
        yield "score", f"{instrument.name} has no {score!r}; {allowed_values(known, score)}"
    elif score in instrument.subscales and instrument.scoring == "none":
        yield "score", f"no rule adds up the items of {instrument.name}; allowed: 'items'"
    items = rule.get("items", [])
    if isinstance(items, str) and items not in ("all", *instrument.subscales):
        sets = allowed_values(["all", *instrument.subscales], items)
        yield "items", f"{instrument.name} has no items {items!r}; {sets}"
    for item in items if isinstance(items, list) else ():
        if str(item) not in instrument.items:
            several = allowed_values(list(instrument.items), str(item))
            yield "items", f"{instrument.name} has no item {str(item)!r}; {several}"


def _how_many_problems(rule: Mapping[str, Any], instrument: Instrument) -> Found:
    if "how_many" not in rule:
        return
    if "items" not in rule:
        yield "how_many", "says nothing without 'items'"
        return
    count, known = rule["how_many"], len(_names(rule, instrument))
    if count not in ("any", "all") and not (isinstance(count, int) and 1 <= count <= known):
        yield "how_many", f"{count!r}: allowed: any, all, or a whole number from 1 to {known}"


def _comparison_problems(rule: Mapping[str, Any], instrument: Instrument, worse: bool) -> Found:
    stated = [name for name in COMPARISONS if name in rule]
    if len(stated) != 1:
        said = " and ".join(stated) or "none"
        yield (
            "",
            f"says {said} of the comparisons; allowed: exactly one of {', '.join(COMPARISONS)}",
        )
        return
    up = instrument.higher_is_worse or "change" in rule
    sense = ("at_least", "above") if up == worse else ("at_most", "below")
    if stated[0] not in sense:
        scale = "higher" if instrument.higher_is_worse else "lower"
        what = "worse" if worse else "well"
        also = "; a change is counted towards worse" if "change" in rule else ""
        yield (
            stated[0],
            f"does not tell who is {what}: {scale} scores of {instrument.name} are worse{also}; "
            f"allowed: {' or '.join(sense)}",
        )


def _change_problems(rule: Mapping[str, Any]) -> Found:
    if "change" not in rule:
        for key in ("floor", "baseline", "baseline_above", "baseline_at_most"):
            if key in rule:
                yield key, "says nothing without 'change'"
    elif rule["change"] == "points" and "floor" in rule:
        yield "floor", "says nothing about a change in points"
    if rule.get("baseline") == "people" and str(rule.get("score")) != TOTAL:
        yield "baseline", "baseline_score of the people is a total; allowed: with 'score: total'"


def _threshold_problems(rule: Mapping[str, Any], instrument: Instrument, worse: bool) -> Found:
    comparison = next(name for name in COMPARISONS if name in rule)
    threshold = rule[comparison]
    names = _names(rule, instrument)
    if rule.get("change") == "percent" and "floor" not in rule:
        unknown = [name for name in names if instrument.best(name) is None]
        if unknown:
            what = f"{instrument.name} {unknown[0]}"
            yield "floor", f"the key is missing: no source says how low {what} can be"
    if "change" in rule:
        if worse and (threshold < 0 or (threshold == 0 and comparison == "at_least")):
            yield comparison, f"{threshold:g}: allowed: a change above 0"
        return
    for name in names:
        low, high = instrument.limits(name) or (-math.inf, math.inf)
        verdict = _always_or_never(comparison, threshold, low, high)
        if verdict:
            span = f"{instrument.name} {name} lies from {low:g} to {high:g}"
            yield comparison, f"{threshold:g} is {verdict} met: {span}"
            return


def _always_or_never(
    comparison: Comparison, threshold: float, low: float, high: float
) -> str | None:
    met = {
        "at_least": (low >= threshold, high >= threshold),
        "above": (low > threshold, high > threshold),
        "at_most": (high <= threshold, low <= threshold),
        "below": (high < threshold, low < threshold),
    }
    always, ever = met[comparison]
    return "always" if always else None if ever else "never"


def _build(text: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> Definition:
    """Put a definition together from a text without problems."""
    common = _persistence(text["persistence"])
    rule = text["rule"]
    branches = rule.get("any", [rule])
    recovery = text.get("recovery")
    return Definition(
        id=text["id"],
        title=text["title"],
        source=text["source"],
        tag=text["tag"],
        counts_as=text["counts_as"],
        criteria=tuple(
            Criterion(
                _rule(branch, instruments),
                _persistence(branch["persistence"]) if "persistence" in branch else common,
            )
            for branch in branches
        ),
        risk=_risk(text["risk"]),
        wait_if_met=text["if_met_at_start"] == "wait",
        onset=_rating(text["onset"], instruments) if "onset" in text else None,
        core=_score(text["core"], instruments) if "core" in text else None,
        recovery=None if recovery is None else _recovery(recovery, instruments),
        repeated=text["repeated"],
    )


def _rule(text: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> RatingRule | Happening:
    if "reported" in text:
        return Reported(text["reported"])
    if "end_reason" in text:
        return Ended(tuple(text["end_reason"]))
    if "reinstatement" in text:
        return Reinstatement(text["reinstatement"] == "restart", text.get("drug"))
    return _rating(text, instruments)


def _rating(text: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> RatingRule:
    if "any" in text:
        return Combination("any", tuple(_rating(part, instruments) for part in text["any"]))
    if "all" in text:
        return Combination("all", tuple(_rating(part, instruments) for part in text["all"]))
    return _score(text, instruments)


def _score(text: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> Score:
    names = _names(text, instruments[text["instrument"]])
    count = text.get("how_many", "any")
    comparison = next(name for name in COMPARISONS if name in text)
    return Score(
        instrument=text["instrument"],
        names=names,
        need={"any": 1, "all": len(names)}.get(count, count),
        comparison=comparison,
        threshold=float(text[comparison]),
        change=text.get("change"),
        floor=text.get("floor"),
        baseline=text.get("baseline", "origin"),
        baseline_above=text.get("baseline_above"),
        baseline_at_most=text.get("baseline_at_most"),
        least_share=text.get("least_share", 1.0),
    )


def _names(text: Mapping[str, Any], instrument: Instrument) -> tuple[str, ...]:
    items = text.get("items")
    if items is None:
        return (str(text["score"]),)
    if items == "all":
        return tuple(name for name, item in instrument.items.items() if item.scored)
    if isinstance(items, str):
        return instrument.subscales[items]
    return tuple(dict.fromkeys(str(item) for item in items))


def _persistence(text: Mapping[str, Any]) -> Persistence:
    return Persistence(
        visits=text["visits"],
        of=text.get("of", text["visits"]),
        within_days=text.get("within_days", math.inf),
        for_days=text.get("for_days", 0.0),
        missing=text["missing"],
        scheduled_days=tuple(text.get("scheduled_days", ())),
        tolerance_days=text["tolerance_days"],
    )


def _risk(text: Mapping[str, Any]) -> Risk:
    until = text.get("until_days", math.inf)
    return Risk(text["from"], text["after_days"], until, text.get("drug"))


def _recovery(text: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> Recovery:
    rule = _rating(text["rule"], instruments) if "rule" in text else None
    return Recovery(text["visits"], rule)
