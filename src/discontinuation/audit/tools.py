"""Which questions do the audit tools ask, and what are their rules?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from discontinuation.audit.decision import (
    Condition,
    Domain,
    Question,
    read_condition,
    read_domain,
    read_questions,
)
from discontinuation.fingerprint import ROOT

FOLDER = ROOT.parents[1] / "data" / "reference" / "audit"
ROB2, ROBINS_I, NO_TOOL = "RoB 2", "ROBINS-I 2016", "none"
EFFECTS = ("assignment", "adhering")


@dataclass(frozen=True)
class Rob2:
    """RoB 2 (doi:10.1136/bmj.l4898).

    Attributes
    ----------
    version
        Stands in every output.
    levels
        Judgements, from the best.
    domains
        Domains 1 to 5 by the effect of interest; domain 2 has two versions.
    """

    version: str
    levels: tuple[str, ...]
    domains: Mapping[str, tuple[Domain, ...]]


@dataclass(frozen=True)
class Contradiction:
    """A judgement that the guidance rules out beside some answers."""

    judgement: str
    when: Condition
    because: str


@dataclass(frozen=True)
class StatedDomain:
    """A domain of which the reader states the judgement."""

    key: str
    name: str
    questions: tuple[Question, ...]
    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True)
class RobinsI:
    """ROBINS-I of 2016 (doi:10.1136/bmj.i4919).

    Attributes
    ----------
    version, levels
        As in `Rob2`.
    no_information
        What stands where a domain cannot be judged.
    target_trial
        What must be said of the target trial, and what it means.
    domains
        All seven.
    """

    version: str
    levels: tuple[str, ...]
    no_information: str
    target_trial: Mapping[str, str]
    domains: tuple[StatedDomain, ...]


@dataclass(frozen=True)
class Thresholds:
    """Numbers in the questions and rules of domain W."""

    days_90_to_10: float
    largest_step_points: float
    last_occupancy_percent: float
    excess_margin: float
    pilot_trials: int
    pilot_readers: int
    pilot_ac1: float


@dataclass(frozen=True)
class DomainW:
    """Domain W, withdrawal confounding (domain.md 6.6; a proposal, experimental).

    Attributes
    ----------
    version, name, levels
        As in `Rob2`.
    cannot
        Judgement where the answers that are missing leave everything open.
    questions
        W1 to W8.
    hides_in
        Domain of RoB 2 in which each would otherwise hide.
    computed
        Questions that are computed where the trial's data allow it.
    neither
        Questions whose NI is neither yes nor no.
    high, low
        Conditions, one of which must hold; High is looked at first.
    context
        What is recorded and not judged.
    thresholds
        Numbers in the questions.
    """

    version: str
    name: str
    levels: tuple[str, ...]
    cannot: str
    questions: tuple[Question, ...]
    hides_in: Mapping[str, str]
    computed: tuple[str, ...]
    neither: tuple[str, ...]
    high: tuple[Condition, ...]
    low: tuple[Condition, ...]
    context: Mapping[str, str]
    thresholds: Thresholds


@cache
def rob2() -> Rob2:
    """Read RoB 2 from data/reference/audit/rob2.yaml."""
    text = _read("rob2")
    domains = {key: (read_domain(key, said), said) for key, said in text["domains"].items()}
    return Rob2(
        version=text["version"],
        levels=tuple(text["levels"]),
        domains={
            effect: tuple(
                domain for domain, said in domains.values() if said.get("effect", effect) == effect
            )
            for effect in EFFECTS
        },
    )


@cache
def robins_i() -> RobinsI:
    """Read ROBINS-I 2016 from data/reference/audit/robins_i.yaml."""
    text = _read("robins_i")
    return RobinsI(
        version=text["version"],
        levels=tuple(text["levels"]),
        no_information=text["no_information"],
        target_trial=text["target_trial"],
        domains=tuple(
            StatedDomain(
                key,
                said["name"],
                read_questions(said["questions"]),
                tuple(
                    Contradiction(rule["judgement"], read_condition(rule["when"]), rule["because"])
                    for rule in said.get("contradictions", ())
                ),
            )
            for key, said in text["domains"].items()
        ),
    )


@cache
def domain_w() -> DomainW:
    """Read domain W from data/reference/audit/domain_w.yaml."""
    text = _read("domain_w")
    rules = text["judgement"]
    return DomainW(
        version=text["version"],
        name=text["name"],
        levels=tuple(text["levels"]),
        cannot=text["cannot"],
        questions=read_questions(text["questions"]),
        hides_in={number: said["hides_in"] for number, said in text["questions"].items()},
        computed=tuple(text["computed"]),
        neither=tuple(text["neither"]),
        high=tuple(read_condition(rule) for rule in rules["High"]),
        low=tuple(read_condition(rule) for rule in rules["Low"]),
        context=text["context"],
        thresholds=Thresholds(**text["thresholds"]),
    )


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
