"""What did the readers of a trial answer, and do their answers fit together?"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from discontinuation.audit.decision import LEVEL, NO_INFORMATION, NOT_ASKED, Domain, Question
from discontinuation.audit.tools import NO_TOOL, ROB2, ROBINS_I, domain_w, rob2, robins_i
from discontinuation.audit.withdrawal import ExcessFacts, PaceFacts, answer_excess, answer_pace
from discontinuation.config import complete_config
from discontinuation.fingerprint import ROOT
from discontinuation.ingest.yaml_text import read_yaml
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse

SCHEMA = ROOT.parents[1] / "workflow" / "schemas" / "audit.schema.yaml"
CONSENSUS = "consensus"
ABSTRACT = ("abstract only", "secondary source only")
PROBABLY = {"Y": "PY", "N": "PN"}
NO_EXCESS, NO_PACE = "W8", "W1"


@dataclass(frozen=True)
class Reading:
    """One answer of one reader, or of both together, with its reason and source."""

    answer: str
    reason: str
    source: str


@dataclass(frozen=True)
class Answer:
    """The answer to one question that counts, and how it came about.

    Attributes
    ----------
    question
        Its number.
    final
        Y, PY, PN, N, NI or NA. Two readers of whom one says Y and the other PY give PY.
    reason, source
        Of the final answer.
    readings
        By reader, and `consensus`.
    computed
        Whether it follows from numbers of the trial.
    """

    question: str
    final: str
    reason: str
    source: str
    readings: Mapping[str, Reading] = field(default_factory=dict)
    computed: bool = False


@dataclass(frozen=True)
class Result:
    """One result of a trial with all answers about it.

    Attributes
    ----------
    outcome, time, week
        What was counted, and until when; the week is NaN where it is not one time.
    tool
        RoB 2, ROBINS-I 2016 or none.
    effect
        Effect of interest: assignment or adhering.
    target_trial
        Of ROBINS-I, by field.
    answers
        By question.
    domains
        Of ROBINS-I: stated judgements by domain; their `final` is the judgement.
    concerns_add_up
        Whether some concerns in several domains of RoB 2 amount to a high risk.
    direction
        Expected direction of withdrawal confounding.
    """

    outcome: str
    time: str
    week: float
    tool: str
    effect: str
    target_trial: Mapping[str, str]
    answers: Mapping[str, Answer]
    domains: Mapping[str, Answer]
    concerns_add_up: bool
    direction: str

    @property
    def final(self) -> dict[str, str]:
        """Final answer of each question."""
        return {number: answer.final for number, answer in self.answers.items()}


@dataclass(frozen=True)
class Audit:
    """The audit of one trial.

    Attributes
    ----------
    study, title
        Key and name.
    read
        What the readers had before them.
    readers
        One or two.
    context
        C1 to C5 of domain W.
    note
        What else a reader must know.
    results
        Each judged by itself.
    """

    study: str
    title: str
    read: str
    readers: tuple[str, ...]
    context: Mapping[str, str]
    note: str
    results: tuple[Result, ...]

    @property
    def label(self) -> str:
        """What the judgements rest on; stands wherever they are shown."""
        return f"{self.read}, {'one reader' if len(self.readers) == 1 else 'two readers'}"

    @property
    def provisional(self) -> bool:
        """Whether they come from abstracts by one reader: drawn hatched, no GRADE downgrade."""
        return self.read in ABSTRACT and len(self.readers) == 1


@cache
def audit_schema() -> dict[str, Any]:
    """Read the JSON schema of an audit."""
    return dict(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))


def read_audits(folder: Path) -> tuple[Audit, ...]:
    """Read the audits of a folder, one YAML file per trial, in the order of their names.

    Raises
    ------
    InvalidInput
        With every problem of every file, and if a trial stands in two of them.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        refuse([Problem(str(folder), "there is no audit here; allowed: a folder with .yaml files")])
    audits: list[Audit] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            audits.append(read_audit(path))
        except InvalidInput as error:
            problems += error.problems
    seen: dict[str, str] = {}
    for path, audit in zip(paths, audits, strict=False):
        if audit.study in seen:
            message = f"stands in {seen[audit.study]} as well; allowed: one file per trial"
            problems.append(Problem(path.name, message, None, "study", audit.study))
        seen[audit.study] = path.name
    refuse(problems)
    return tuple(audits)


def read_audit(path: Path) -> Audit:
    """Read the audit of one trial.

    Parameters
    ----------
    path
        YAML file; its form is that of workflow/schemas/audit.schema.yaml.

    Raises
    ------
    InvalidInput
        With every problem: unknown keys and questions with the nearest names, missing and
        contradictory answers, a reader or a consensus that is missing, a target trial that is not
        stated.
    """
    return make_audit(read_yaml(path, path.name), path.name)


def make_audit(content: Mapping[str, Any], file: str = "audit") -> Audit:
    """Check an audit as read from YAML and make it.

    Parameters
    ----------
    content
        Of the file.
    file
        How messages call it.

    Raises
    ------
    InvalidInput
        See `read_audit`.
    """
    text = complete_config(_text_keys(dict(content)), audit_schema(), file)
    readers = tuple(text["readers"])
    problems = list(_context_problems(text, file))
    for place, said in enumerate(text["results"]):
        problems += _Check(file, f"results[{place}]", readers, said).problems()
    problems += _repeated_results(text["results"], file)
    refuse(problems)
    return Audit(
        study=text["study"],
        title=text["title"],
        read=text["read"],
        readers=readers,
        context=text["context"],
        note=text["note"],
        results=tuple(_result(said, readers) for said in text["results"]),
    )


def _text_keys(value: Any) -> Any:
    """Read question numbers as text: YAML takes 1.1 without quotes for a number."""
    if isinstance(value, dict):
        return {str(key): _text_keys(part) for key, part in value.items()}
    return [_text_keys(part) for part in value] if isinstance(value, list) else value


def questions_of(tool: str, effect: str) -> tuple[Question, ...]:
    """List the questions a result is asked: those of its tool, then W1 to W8."""
    own: Iterable[Domain | Any] = ()
    if tool == ROB2:
        own = rob2().domains[effect]
    elif tool == ROBINS_I:
        own = robins_i().domains
    return (*(q for domain in own for q in domain.questions), *domain_w().questions)


def _context_problems(text: Mapping[str, Any], file: str) -> Iterator[Problem]:
    known = list(domain_w().context)
    for key in text["context"]:
        if key not in known:
            yield Problem(file, f"unknown; {allowed_values(known, key)}", column=f"context.{key}")
    if CONSENSUS in text["readers"]:
        yield Problem(file, "the name is taken; allowed: any other", None, "readers", CONSENSUS)


def _repeated_results(results: Sequence[Mapping[str, Any]], file: str) -> Iterator[Problem]:
    seen: dict[tuple[str, str, str], int] = {}
    for place, said in enumerate(results):
        key = (said["outcome"], said["time"], said["effect"])
        if key in seen:
            message = f"is the same result as results[{seen[key]}]"
            yield Problem(file, message, None, f"results[{place}]", ", ".join(key))
        seen.setdefault(key, place)


@dataclass(frozen=True)
class _Check:
    """All that can be wrong with one result of an audit."""

    file: str
    place: str
    readers: tuple[str, ...]
    said: Mapping[str, Any]

    def problems(self) -> Iterator[Problem]:
        yield from self._unknown_questions()
        yield from self._readings("answers", "answer")
        yield from self._readings("domains", "judgement")
        yield from self._not_asked()
        yield from self._computed()
        yield from self._withdrawal_answers()
        yield from self._target_trial()
        yield from self._stated_judgements()

    def _problem(self, where: str, message: str, value: str | None = None) -> Problem:
        return Problem(self.file, message, None, f"{self.place}.{where}", value)

    def _unknown_questions(self) -> Iterator[Problem]:
        tool = self.said["tool"]
        known = [question.number for question in questions_of(tool, self.said["effect"])]
        for number in self.said["answers"]:
            if number not in known:
                message = f"{tool} and domain W have no such question; {_near(known, number)}"
                yield self._problem(f"answers.{number}", message)
        stated = [domain.key for domain in robins_i().domains] if tool == ROBINS_I else []
        for key in self.said["domains"]:
            if key not in stated:
                rule = allowed_values(stated, key) if stated else f"allowed: none with {tool}"
                yield self._problem(f"domains.{key}", f"no judgement is stated here; {rule}")

    def _readings(self, group: str, what: str) -> Iterator[Problem]:
        for number, readings in self.said[group].items():
            where = f"{group}.{number}"
            for name in readings:
                if name not in (*self.readers, CONSENSUS):
                    rule = allowed_values([*self.readers, CONSENSUS], name)
                    yield self._problem(f"{where}.{name}", f"is not a reader; {rule}")
            missing = [name for name in self.readers if name not in readings]
            for name in missing:
                yield self._problem(where, f"the {what} of the reader {name!r} is missing")
            if not missing:
                yield from self._consensus(where, readings, what)
            yield from self._sources(where, readings)

    def _consensus(self, where: str, readings: Mapping[str, Any], what: str) -> Iterator[Problem]:
        given = [readings[name][what] for name in self.readers]
        agree = len({LEVEL.get(each, each) for each in given}) == 1
        if len(self.readers) == 1 and CONSENSUS in readings:
            yield self._problem(f"{where}.{CONSENSUS}", "there is only one reader")
        elif not agree and CONSENSUS not in readings:
            both = " and ".join(f"{n} {g}" for n, g in zip(self.readers, given, strict=True))
            yield self._problem(where, f"the readers differ ({both}) and there is no consensus")
        elif agree and CONSENSUS in readings:
            settled = readings[CONSENSUS][what]
            if LEVEL.get(settled, settled) != LEVEL.get(given[0], given[0]):
                message = f"contradicts both readers, who say {' and '.join(given)}"
                yield self._problem(f"{where}.{CONSENSUS}", message, settled)

    def _sources(self, where: str, readings: Mapping[str, Any]) -> Iterator[Problem]:
        for name, reading in readings.items():
            given = reading.get("answer", reading.get("judgement"))
            needless = given in (NO_INFORMATION, NOT_ASKED, robins_i().no_information)
            if not reading["source"] and not needless:
                yield self._problem(f"{where}.{name}.source", f"is missing beside {given}")

    def _final(self) -> dict[str, str]:
        """Final answers, as far as there are any."""
        return {
            number: final
            for number, readings in self.said["answers"].items()
            if (final := _final(readings, self.readers, "answer"))
        }

    def _not_asked(self) -> Iterator[Problem]:
        if self.said["tool"] != ROB2:
            return
        given = self._final()
        for domain in rob2().domains[self.said["effect"]]:
            asked = domain.asked(given)
            numbers = {question.number for question in domain.questions}
            if (numbers & set(self.said["answers"])) - set(given):
                continue  # readers differ: what is asked next is not known
            for question in domain.questions:
                where = f"answers.{question.number}"
                said = given.get(question.number)
                if question.number not in asked and said not in (None, NOT_ASKED):
                    message = f"contradiction: it is asked only if {question.asked_if}"
                    yield self._problem(where, message, said)
                elif question.number in asked and question.number not in self.said["answers"]:
                    message = "is not answered; NI (no information) is an answer"
                    yield self._problem(where, message)
                elif question.number in asked and said == NOT_ASKED and not question.optional:
                    yield self._problem(where, "contradiction: the question does apply", said)

    def _withdrawal_answers(self) -> Iterator[Problem]:
        computed = _computed(self.said)
        for question in domain_w().questions:
            where = f"answers.{question.number}"
            readings = self.said["answers"].get(question.number)
            if readings is None and question.number not in computed:
                yield self._problem(where, "is not answered; NI (no information) is an answer")
            for name, reading in (readings or {}).items():
                if reading["answer"] == NOT_ASKED:
                    message = "allowed: Y, PY, PN, N, NI (every question of domain W applies)"
                    yield self._problem(f"{where}.{name}", message, NOT_ASKED)

    def _computed(self) -> Iterator[Problem]:
        given = self._final()
        for number, answer in _computed(self.said).items():
            said = given.get(number)
            if said is not None and LEVEL[said] not in (LEVEL[answer.final], NO_INFORMATION):
                message = f"contradicts the numbers of the trial, which say {answer.final}"
                yield self._problem(f"answers.{number}", f"{message} ({answer.reason})", said)
        excess = self.said.get("excess_share")
        if excess and excess["lower"] > excess["upper"]:
            message = "the lower limit is above the upper one"
            yield self._problem("excess_share", message, f"{excess['lower']} to {excess['upper']}")

    def _target_trial(self) -> Iterator[Problem]:
        stated, known = self.said["target_trial"], robins_i().target_trial
        if self.said["tool"] == ROBINS_I:
            for key, meaning in known.items():
                if key not in stated:
                    yield self._problem(f"target_trial.{key}", f"the key is missing ({meaning})")
        elif stated:
            yield self._problem("target_trial", f"has no place here; only {ROBINS_I} needs it")
        for key in stated:
            if key not in known:
                rule = allowed_values(list(known), key)
                yield self._problem(f"target_trial.{key}", f"unknown key; {rule}")

    def _stated_judgements(self) -> Iterator[Problem]:
        if self.said["tool"] != ROBINS_I:
            return
        levels = {number: LEVEL[answer] for number, answer in self._final().items()}
        for domain in robins_i().domains:
            where = f"domains.{domain.key}"
            if domain.key not in self.said["domains"]:
                yield self._problem(where, f"no judgement of the domain {domain.name!r}")
                continue
            judged = _final(self.said["domains"][domain.key], self.readers, "judgement")
            for rule in domain.contradictions:
                if judged == rule.judgement and rule.when.holds(levels):
                    yield self._problem(where, f"contradiction: {rule.because}", judged)


def _near(known: Sequence[str], number: str) -> str:
    """Name the nearest questions; all of them would fill the screen."""
    import difflib

    near = difflib.get_close_matches(number.upper(), known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"allowed: {', '.join(known)}"


def _final(readings: Mapping[str, Any], readers: Sequence[str], what: str) -> str | None:
    """Answer that counts: the consensus, or what the readers agree on."""
    if CONSENSUS in readings:
        return str(readings[CONSENSUS][what])
    given = [readings[name][what] for name in readers if name in readings]
    levels = {LEVEL.get(each, each) for each in given}
    if len(levels) != 1:
        return None
    return str(given[0] if len(set(given)) == 1 else PROBABLY[levels.pop()])


def _computed(said: Mapping[str, Any]) -> dict[str, Answer]:
    """Answers that follow from numbers of the trial."""
    found = {}
    if pace := said.get("pace"):
        facts = PaceFacts(
            _or_nan(pace["days_90_to_10"]),
            _or_nan(pace["largest_step_points"]),
            _or_nan(pace["last_occupancy_percent"]),
        )
        answer = answer_pace(facts)
        words = [
            f"{_number(pace['days_90_to_10'])} days from 90 to 10 % occupancy",
            f"largest step {_number(pace['largest_step_points'])} points",
            f"last dose at {_number(pace['last_occupancy_percent'])} %",
        ]
        found[NO_PACE] = Answer(NO_PACE, answer, "; ".join(words), pace["basis"], computed=True)
    if excess := said.get("excess_share"):
        limits = ExcessFacts(excess["lower"], excess["upper"])
        answer = answer_excess(limits, excess["margin"])
        words = [
            f"excess share {excess['lower']:g} to {excess['upper']:g}",
            f"margin {excess['margin']:g}",
        ]
        found[NO_EXCESS] = Answer(
            NO_EXCESS, answer, "; ".join(words), excess["basis"], computed=True
        )
    return {n: answer for n, answer in found.items() if answer.final != NO_INFORMATION}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _result(said: Mapping[str, Any], readers: tuple[str, ...]) -> Result:
    answers = {
        number: _answer(number, readings, readers, "answer")
        for number, readings in said["answers"].items()
    }
    for number, computed in _computed(said).items():
        given = answers.get(number)
        readings = given.readings if given else {}
        answers[number] = Answer(
            number, computed.final, computed.reason, computed.source, readings, True
        )
    return Result(
        outcome=said["outcome"],
        time=said["time"],
        week=_or_nan(said["week"]),
        tool=said["tool"],
        effect=said["effect"],
        target_trial=said["target_trial"],
        answers=answers,
        domains={
            key: _answer(key, readings, readers, "judgement")
            for key, readings in said["domains"].items()
        },
        concerns_add_up=said["concerns_add_up"],
        direction=said["direction"],
    )


def _answer(
    number: str, readings: Mapping[str, Any], readers: tuple[str, ...], what: str
) -> Answer:
    final = _final(readings, readers, what)
    shown = [readings[CONSENSUS]] if CONSENSUS in readings else [readings[n] for n in readers]
    return Answer(
        question=number,
        final=str(final),
        reason=" | ".join(dict.fromkeys(each["reason"] for each in shown)),
        source=" | ".join(dict.fromkeys(each["source"] for each in shown if each["source"])),
        readings={
            name: Reading(each[what], each["reason"], each["source"])
            for name, each in readings.items()
        },
    )


def tool_of(allocation_randomised: str) -> str:
    """Tool for a study: RoB 2 if continuing or stopping was randomised, ROBINS-I if not."""
    return {"yes": ROB2, "no": ROBINS_I}.get(allocation_randomised, NO_TOOL)


def time_words(row: Mapping[Hashable, Any] | pd.Series) -> str:
    """Say when a published result was counted.

    Parameters
    ----------
    row
        week, estimator and event_free of the table of results.
    """
    if row["estimator"] == "survival_quantile":
        return f"time until {100 * (1 - row['event_free']):g} % had the event"
    return "end of follow-up, not one time" if pd.isna(row["week"]) else f"week {row['week']:g}"
