"""Does domain W work in the hands of two readers? Files for a pilot, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from discontinuation.audit.answers import Audit, Result, questions_of, read_audits
from discontinuation.audit.decision import MEANING
from discontinuation.audit.judgements import judge_audits
from discontinuation.audit.rater_agreement import (
    ALL,
    agreement_of_answers,
    agreement_of_judgements,
    pair_audits,
)
from discontinuation.audit.tools import ROBINS_I, domain_w, robins_i
from discontinuation.problems import Problem, allowed_values, refuse

READERS = ("A", "B")
INSTRUCTIONS = "READ_ME_FIRST.md"
TEXT = """\
# Pilot of domain W: {trials} trials, two readers

1. Reader A works in `reader_A`, reader B in `reader_B`. Neither looks at the other's files, nor
   talks about the trials, until both have finished.
2. For each trial get the full text and, where there is one, the protocol. Write under `read` what
   you had: {read}.
3. Answer every question: {answers}. `NA` only where RoB 2 does not ask a question because of an
   earlier answer; domain W has none. Every question of domain W is worded so that yes reassures.
4. Give a `reason` for each answer, in a few words, and the `source`: page, table or figure. With
   `NI` and `NA` the source may stay empty.
5. Do not guess in order to avoid `NI`: how often the papers do not say is a finding.
6. Note the minutes each trial took, outside these files.
7. When both have finished, compare:
   `discontinuation.audit.pilot.compare_pilot(Path("this folder"))`.
   It refuses files that are not complete and names every place.
8. Talk about each disagreement afterwards, and write `consensus` into the joined file of the
   trial (`join_readings`).

The pilot has passed when at least {trials_needed} trials were read by {readers} readers and Gwet's
AC1 over all answers to domain W is at least {ac1}. Until then the domain is called experimental.
"""


@dataclass(frozen=True, eq=False)
class Pilot:
    """What came of a pilot.

    Attributes
    ----------
    summary
        Agreement by tool and question, and over all.
    judgements
        Agreement of the judgements, by tool and domain.
    trials
        How many both have read.
    passed
        Whether domain W may be used without the word experimental.
    reason
        Why, or why not.
    """

    summary: pd.DataFrame
    judgements: pd.DataFrame
    trials: int
    passed: bool
    reason: str


def write_pilot_kit(
    folder: Path, audits: Sequence[Audit], studies: Sequence[str] | None = None
) -> list[Path]:
    """Write empty answer files for two readers, and instructions.

    Parameters
    ----------
    folder
        Made if it does not exist; it must hold no earlier pilot.
    audits
        Trials to choose from; only their names and results are taken over, never an answer.
    studies
        Which trials; by default as many as a pilot needs, spread evenly over the list.

    Returns
    -------
    list of Path
        The instructions and one file per reader and trial.

    Raises
    ------
    InvalidInput
        If a trial is not known, there are too few, or the folder holds a pilot.
    """
    chosen = _chosen(audits, studies)
    refuse(
        Problem(str(folder / f"reader_{reader}"), "a pilot is there already and is left as it is")
        for reader in READERS
        if (folder / f"reader_{reader}").exists()
    )
    folder.mkdir(parents=True, exist_ok=True)
    limits = domain_w().thresholds
    paths = [folder / INSTRUCTIONS]
    instructions = TEXT.format(
        trials=len(chosen),
        read="abstract only, secondary source only, full text, full text and protocol",
        answers=", ".join(f"`{short}` {long}" for short, long in MEANING.items()),
        trials_needed=limits.pilot_trials,
        readers=limits.pilot_readers,
        ac1=limits.pilot_ac1,
    )
    paths[0].write_text(instructions, encoding="utf-8", newline="\n")
    for reader in READERS:
        place = folder / f"reader_{reader}"
        place.mkdir()
        for audit in chosen:
            path = place / f"{audit.study}.yaml"
            text = "\n".join(_empty(audit, reader)) + "\n"
            path.write_text(text, encoding="utf-8", newline="\n")
            paths.append(path)
    return paths


def _chosen(audits: Sequence[Audit], studies: Sequence[str] | None) -> list[Audit]:
    needed = domain_w().thresholds.pilot_trials
    known = {audit.study: audit for audit in audits}
    if studies is None:
        if len(audits) < needed:
            message = f"{len(audits)} trials; a pilot needs {needed}"
            refuse([Problem("audits", message)])
        return [audits[place * len(audits) // needed] for place in range(needed)]
    problems = [
        Problem("studies", f"there is no audit of it; {allowed_values(list(known), study)}")
        for study in studies
        if study not in known
    ]
    if len(set(studies)) < needed:
        problems.append(Problem("studies", f"{len(set(studies))} trials; a pilot needs {needed}"))
    refuse(problems)
    return [known[study] for study in dict.fromkeys(studies)]


def _empty(audit: Audit, reader: str) -> Iterator[str]:
    """Write the lines of one empty answer file."""
    yield f"study: {_quoted(audit.study)}"
    yield f"title: {_quoted(audit.title)}"
    yield "read:  # abstract only, secondary source only, full text, full text and protocol"
    yield f"readers: [{reader}]"
    yield "context:"
    for key, meaning in domain_w().context.items():
        yield f"  {key}: ''  # {meaning}"
    yield "results:"
    for result in audit.results:
        yield from _empty_result(result, reader)


def _empty_result(result: Result, reader: str) -> Iterator[str]:
    yield f"- outcome: {_quoted(result.outcome)}"
    yield f"  time: {_quoted(result.time)}"
    yield f"  tool: {result.tool}"
    if result.tool == ROBINS_I:
        yield "  target_trial:"
        for key, meaning in robins_i().target_trial.items():
            yield f"    {key}: ''  # {meaning}"
        yield "  domains:  # Low, Moderate, Serious, Critical, No information"
        for domain in robins_i().domains:
            yield f"    '{domain.key}':  # {domain.name}"
            yield f"      {reader}: {{judgement: , reason: '', source: ''}}"
    else:
        yield f"  effect: {result.effect}"
    yield "  direction: unpredictable  # favours continuation, favours stopping, unpredictable"
    yield "  answers:"
    for question in questions_of(result.tool, result.effect):
        condition = str(question.asked_if)
        yield f"    # {question.prompt}" + (f" (asked only if {condition})" if condition else "")
        yield f"    '{question.number}':"
        yield f"      {reader}: {{answer: , reason: '', source: ''}}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def compare_pilot(folder: Path, confidence: float = 0.95) -> Pilot:
    """Compare what two readers of a pilot answered.

    Parameters
    ----------
    folder
        From `write_pilot_kit`, filled in.
    confidence
        Level of the intervals.

    Raises
    ------
    InvalidInput
        With every problem of every file, and every trial that only one reader has.
    """
    first, second = (read_audits(folder / f"reader_{reader}") for reader in READERS)
    refuse(_missing_trials(first, second))
    pairs = pair_audits(first, second)
    summary = agreement_of_answers(pairs, confidence)
    judgements = agreement_of_judgements(
        judge_audits(first).summary, judge_audits(second).summary, confidence
    )
    trials = len(first)
    passed, reason = _verdict(summary, trials)
    return Pilot(summary, judgements, trials, passed, reason)


def _missing_trials(first: Sequence[Audit], second: Sequence[Audit]) -> Iterator[Problem]:
    has = [{audit.study for audit in audits} for audits in (first, second)]
    for reader, mine, others in zip(READERS, has, reversed(has), strict=True):
        for study in sorted(others - mine):
            yield Problem(f"reader_{reader}", "the file of this trial is missing", value=study)


def _verdict(summary: pd.DataFrame, trials: int) -> tuple[bool, str]:
    limits = domain_w().thresholds
    overall = summary.loc[(summary["tool"] == "Domain W") & (summary["question"] == ALL)]
    ac1 = float(overall["ac1"].iloc[0])
    words = f"AC1 {ac1:.2f} over {int(overall['pairs'].iloc[0])} answers in {trials} trials"
    if trials < limits.pilot_trials:
        return False, f"{words}: fewer than {limits.pilot_trials} trials, still experimental"
    if ac1 < limits.pilot_ac1:
        return False, f"{words}: under {limits.pilot_ac1}, still experimental"
    return True, f"{words}: at least {limits.pilot_ac1}, the pilot has passed"


def join_readings(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Join the files of two readers of one trial, for a consensus to be added.

    Parameters
    ----------
    first, second
        As read from YAML, one reader each, of the same results in the same order.

    Returns
    -------
    dict
        With both readers in each answer. `make_audit` refuses it until every disagreement has a
        consensus.

    Raises
    ------
    InvalidInput
        If they are not about the same results.
    """
    refuse(_different(first, second))
    results = [
        {
            **one,
            **{
                group: {
                    number: {**one[group].get(number, {}), **other[group].get(number, {})}
                    for number in dict.fromkeys([*one[group], *other[group]])
                }
                for group in ("answers", "domains")
                if group in one and group in other
            },
        }
        for one, other in zip(first["results"], second["results"], strict=True)
    ]
    return {**first, "readers": [*first["readers"], *second["readers"]], "results": results}


def _different(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Problem]:
    if first["study"] != second["study"]:
        yield Problem("readings", "are of two trials", None, "study", second["study"])
    if set(first["readers"]) & set(second["readers"]):
        yield Problem("readings", "are of one reader", None, "readers", str(second["readers"]))
    keys = [
        [(said["outcome"], said["time"], said["tool"]) for said in each["results"]]
        for each in (first, second)
    ]
    if keys[0] != keys[1]:
        yield Problem("readings", "are not about the same results", None, "results")
