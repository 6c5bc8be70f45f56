"""How do answers to questions become a judgement, by a table and nothing else?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

ANSWERS = ("Y", "PY", "PN", "N", "NI", "NA")
NOT_ASKED = "NA"
NO_INFORMATION = "NI"
LEVEL = {"Y": "Y", "PY": "Y", "PN": "N", "N": "N", "NI": "NI", "NA": "NA"}
MEANING = {
    "Y": "yes",
    "PY": "probably yes",
    "PN": "probably no",
    "N": "no",
    "NI": "no information",
    "NA": "not applicable",
}
Answers = Mapping[str, str]


@dataclass(frozen=True)
class Condition:
    """What must have been answered.

    Attributes
    ----------
    every
        Pairs of a question and the levels (Y, N, NI, NA) of which it must have one.
    some
        Of these at least one must hold; none are there: nothing more is asked.
    """

    every: tuple[tuple[str, tuple[str, ...]], ...] = ()
    some: tuple[Condition, ...] = ()

    def holds(self, levels: Answers) -> bool:
        """Whether it holds; a question that is not answered meets nothing."""
        if not all(levels.get(question) in allowed for question, allowed in self.every):
            return False
        return not self.some or any(part.holds(levels) for part in self.some)

    def __str__(self) -> str:
        words = [f"{question} is {' or '.join(allowed)}" for question, allowed in self.every]
        if self.some:
            words.append(" or ".join(map(str, self.some)))
        return " and ".join(words)


@dataclass(frozen=True)
class Question:
    """One question of a tool.

    Attributes
    ----------
    number
        As the tool numbers it.
    prompt
        In our own words.
    asked_if
        When it is asked; without parts always.
    optional
        Whether NA is an answer although it is asked.
    """

    number: str
    prompt: str
    asked_if: Condition = Condition()
    optional: bool = False


@dataclass(frozen=True)
class Leaf:
    """One end of a decision table."""

    judgement: str
    when: Condition


@dataclass(frozen=True)
class Domain:
    """One domain of a tool that has a decision table.

    Attributes
    ----------
    key
        Its number, and the effect of interest where there are two versions.
    name, heading
        Ours, and the tool's own.
    questions
        In the order in which they are asked.
    parts
        One decision table each; the domain's judgement is the worst of them.
    """

    key: str
    name: str
    heading: str
    questions: tuple[Question, ...]
    parts: tuple[tuple[Leaf, ...], ...]

    def asked(self, answers: Answers) -> tuple[str, ...]:
        """List the questions that these answers lead to."""
        levels = self._levels(answers)
        return tuple(
            question.number for question in self.questions if question.asked_if.holds(levels)
        )

    def leaves(self, answers: Answers) -> tuple[tuple[Leaf, ...], ...]:
        """Find the leaves that hold, part by part: one each, if the answers are complete."""
        levels = self._levels(answers)
        return tuple(tuple(leaf for leaf in part if leaf.when.holds(levels)) for part in self.parts)

    def _levels(self, answers: Answers) -> dict[str, str]:
        """Reduce answers to levels; a question that is not asked has none but NA."""
        levels: dict[str, str] = {}
        for question in self.questions:
            asked = question.asked_if.holds(levels)
            given = answers.get(question.number)
            if not asked:
                levels[question.number] = NOT_ASKED
            elif given is not None:
                levels[question.number] = LEVEL[given]
        return levels


def judge_domain(domain: Domain, answers: Answers, levels: Sequence[str]) -> str:
    """Judge one domain.

    Parameters
    ----------
    domain
        With its decision table.
    answers
        Question number to Y, PY, PN, N, NI or NA; every question that is asked must be answered.
        Answers to questions that are not asked count for nothing.
    levels
        Of the tool, from the best.

    Raises
    ------
    ValueError
        If a question that is asked has no answer.
    """
    found = domain.leaves(answers)
    if not all(found):
        missing = [number for number in domain.asked(answers) if number not in answers]
        raise ValueError(f"domain {domain.key} cannot be judged: no answer to {missing}")
    return worst([leaf.judgement for part in found for leaf in part], levels)


def span_of_domain(domain: Domain, answers: Answers, levels: Sequence[str]) -> tuple[str, str]:
    """Best and worst judgement if each NI were a yes or a no.

    A completion may lead to questions that were not asked; they are completed both ways too.
    """
    known = {number: LEVEL[answer] for number, answer in answers.items()}
    asked = set(domain.asked(answers))
    open_ = [
        question.number
        for question in domain.questions
        if known.get(question.number, NO_INFORMATION) == NO_INFORMATION
        or (known[question.number] == NOT_ASKED and question.number not in asked)
    ]
    judgements = [
        judge_domain(domain, {**known, **completed}, levels) for completed in both_ways(open_)
    ]
    return best(judgements, levels), worst(judgements, levels)


def both_ways(questions: Sequence[str]) -> Iterator[dict[str, str]]:
    """Answer these questions in every way with yes and no."""
    for given in product("YN", repeat=len(questions)):
        yield dict(zip(questions, given, strict=True))


def worst(judgements: Sequence[str], levels: Sequence[str]) -> str:
    """Give the worst of some judgements."""
    return max(judgements, key=levels.index)


def best(judgements: Sequence[str], levels: Sequence[str]) -> str:
    """Give the best of some judgements."""
    return min(judgements, key=levels.index)


def read_condition(text: Mapping[str, Any] | None) -> Condition:
    """Read a condition: questions that must all be so, and under `any` alternatives."""
    if not text:
        return Condition()
    every = tuple(
        (str(question), (allowed,) if isinstance(allowed, str) else tuple(allowed))
        for question, allowed in text.items()
        if question != "any"
    )
    return Condition(every, tuple(read_condition(part) for part in text.get("any", ())))


def read_questions(text: Mapping[str, Mapping[str, Any]]) -> tuple[Question, ...]:
    """Read the questions of a domain."""
    return tuple(
        Question(
            str(number),
            said["prompt"],
            read_condition(said.get("asked_if")),
            bool(said.get("optional", False)),
        )
        for number, said in text.items()
    )


def read_domain(key: str, text: Mapping[str, Any]) -> Domain:
    """Read a domain with its decision table."""
    return Domain(
        key=key,
        name=text["name"],
        heading=text["heading"],
        questions=read_questions(text["questions"]),
        parts=tuple(
            tuple(Leaf(leaf["judgement"], read_condition(leaf["when"])) for leaf in part["leaves"])
            for part in text["parts"]
        ),
    )
