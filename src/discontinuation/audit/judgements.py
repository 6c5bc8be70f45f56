"""What is the risk of bias of each result, domain by domain and overall?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from discontinuation.audit.answers import Audit, Result, questions_of
from discontinuation.audit.decision import judge_domain, span_of_domain, worst
from discontinuation.audit.tools import ROB2, ROBINS_I, domain_w, rob2, robins_i
from discontinuation.audit.withdrawal import judge_withdrawal, read_either_way

OVERALL = "Overall"
W = "W"
COLUMNS = [
    "study", "title", "outcome", "time", "week", "tool", "version", "effect", "domain",
    "domain_name", "judgement", "if_ni_were_yes_or_no", "label", "provisional", "direction",
]  # fmt: skip
ANSWER_COLUMNS = [
    "study", "title", "outcome", "time", "tool", "question", "prompt", "answer", "computed",
    "readings", "reason", "source", "label",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Judgements:
    """Judgements of results, with the answers behind them.

    Attributes
    ----------
    summary
        One row per result and domain, Overall and W included: study, title, outcome, time, week,
        tool, version, effect, domain, domain_name, judgement, if_ni_were_yes_or_no (the best and
        the worst it could be if each "no information" were a yes or a no; one word if that changes
        nothing; for W with all of them yes, and all no), label (what was read, by how many),
        provisional and direction (W only).
    answers
        One row per result and question: prompt, answer, computed, readings (of each reader),
        reason, source.
    """

    summary: pd.DataFrame
    answers: pd.DataFrame


def judge_audits(audits: Sequence[Audit]) -> Judgements:
    """Judge every result of some audits.

    Parameters
    ----------
    audits
        From `read_audits`.

    Returns
    -------
    Judgements
        RoB 2 by its decision tables, overall as the guidance says (doi:10.1136/bmj.l4898); the
        domains of ROBINS-I as stated, overall the worst (doi:10.1136/bmj.i4919); domain W by its
        rule, apart from both.
    """
    judged = [row for audit in audits for result in audit.results for row in _rows(audit, result)]
    answered = [
        row for audit in audits for result in audit.results for row in _answer_rows(audit, result)
    ]
    return Judgements(
        pd.DataFrame(judged, columns=COLUMNS), pd.DataFrame(answered, columns=ANSWER_COLUMNS)
    )


def judge_rob2(result: Result) -> dict[str, str]:
    """Judge domains 1 to 5 of RoB 2 and, under `Overall`, the result as a whole."""
    tool = rob2()
    found = {
        domain.key[0]: judge_domain(domain, result.final, tool.levels)
        for domain in tool.domains[result.effect]
    }
    overall = overall_rob2(found.values(), concerns_add_up=result.concerns_add_up)
    return {**found, OVERALL: overall}


def overall_rob2(domains: Iterable[str], *, concerns_add_up: bool) -> str:
    """Judge a result as a whole.

    Parameters
    ----------
    domains
        Judgements of the domains.
    concerns_add_up
        Whether the readers hold that some concerns in several domains substantially lower
        confidence in the result; it needs at least two such domains.

    Returns
    -------
    str
        High if any domain is, or if concerns add up; else the worst.
    """
    low, some, high = rob2().levels
    judged = list(domains)
    if concerns_add_up and judged.count(some) > 1:
        return high
    return worst([low, *judged], rob2().levels)


def overall_robins_i(domains: Iterable[str]) -> str:
    """Judge a study as a whole: the worst domain.

    A domain without information does not hide a serious or critical one; where there is none, the
    whole cannot be judged either.
    """
    tool = robins_i()
    judged = list(domains)
    known = [judgement for judgement in judged if judgement in tool.levels]
    settled = worst([tool.levels[0], *known], tool.levels)
    if len(known) < len(judged) and settled in tool.levels[:2]:
        return tool.no_information
    return settled


def _rows(audit: Audit, result: Result) -> Iterator[dict[str, Any]]:
    about = {
        "study": audit.study,
        "title": audit.title,
        "outcome": result.outcome,
        "time": result.time,
        "week": result.week,
        "label": audit.label,
        "provisional": audit.provisional,
    }
    if result.tool == ROB2:
        yield from ({**about, **row} for row in _rob2_rows(result))
    elif result.tool == ROBINS_I:
        yield from ({**about, **row} for row in _robins_rows(result))
    rules = domain_w()
    yield {
        **about,
        "tool": result.tool,
        "version": rules.version,
        "domain": W,
        "domain_name": rules.name,
        "judgement": judge_withdrawal(result.final),
        "if_ni_were_yes_or_no": _span(*read_either_way(result.final)),
        "direction": result.direction,
    }


def _rob2_rows(result: Result) -> Iterator[dict[str, Any]]:
    tool = rob2()
    about = {"tool": ROB2, "version": tool.version, "effect": result.effect}
    judged = judge_rob2(result)
    spans = []
    for domain in tool.domains[result.effect]:
        key = domain.key[0]
        spans.append(span_of_domain(domain, result.final, tool.levels))
        yield {
            **about,
            "domain": f"D{key}",
            "domain_name": domain.name,
            "judgement": judged[key],
            "if_ni_were_yes_or_no": _span(*spans[-1]),
        }
    ends = [
        overall_rob2(judgements, concerns_add_up=result.concerns_add_up)
        for judgements in zip(*spans, strict=True)
    ]
    yield {
        **about,
        "domain": OVERALL,
        "domain_name": OVERALL,
        "judgement": judged[OVERALL],
        "if_ni_were_yes_or_no": _span(*ends),
    }


def _robins_rows(result: Result) -> Iterator[dict[str, Any]]:
    tool = robins_i()
    about = {"tool": ROBINS_I, "version": tool.version, "effect": result.effect}
    stated = {key: answer.final for key, answer in result.domains.items()}
    for domain in tool.domains:
        named = {"domain": f"D{domain.key}", "domain_name": domain.name}
        yield {**about, **named, "judgement": stated[domain.key]}
    overall = overall_robins_i(stated.values())
    yield {**about, "domain": OVERALL, "domain_name": OVERALL, "judgement": overall}


def _span(one: str, other: str) -> str:
    return one if one == other else f"{one} to {other}"


def _answer_rows(audit: Audit, result: Result) -> Iterator[dict[str, Any]]:
    about: Mapping[str, Any] = {
        "study": audit.study,
        "title": audit.title,
        "outcome": result.outcome,
        "time": result.time,
        "label": audit.label,
    }
    own = {question.number for question in domain_w().questions}
    for question in questions_of(result.tool, result.effect):
        answer = result.answers.get(question.number)
        if answer is None:
            continue
        readings = "; ".join(f"{name}: {each.answer}" for name, each in answer.readings.items())
        yield {
            **about,
            "tool": "Domain W" if question.number in own else result.tool,
            "question": question.number,
            "prompt": question.prompt,
            "answer": answer.final,
            "computed": answer.computed,
            "readings": readings,
            "reason": answer.reason,
            "source": answer.source,
        }
