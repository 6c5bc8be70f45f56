"""Is an estimand declared well enough to be estimated from these data?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

TITLES = {
    "E1": "any deterioration",
    "E2": "relapse first, withdrawal first (crude risks)",
    "E3": "cause-specific hazards",
    "E4": "withdrawal pathway closed (hypothetical)",
    "E5": "separable effects",
    "E6": "time in each state",
    "E7": "success of stopping",
    "E8": "never withdrawal (principal stratum)",
}
BY_CAUSE = ("E2", "E3", "E4")
# How an intercurrent event enters the event time of a person.
COUNTS, OWN_CAUSE, ENDS, IGNORED = "counts as the event", "is a cause of its own", "ends", "ignored"
ROLES = {
    "composite": COUNTS,
    "competing_risk": OWN_CAUSE,
    "while_on": ENDS,
    "hypothetical": ENDS,
    "missing_data": ENDS,
    "treatment_policy": IGNORED,
    "part_of_strategy": IGNORED,
}
ENDED_BY = {
    "reinstatement": ("reinstated",),
    "rescue": ("rescued",),
    "death": ("died",),
    "dropout": ("lost", "withdrew", "adverse_event", "unknown"),
}
WORDS = {
    "withdrawal_syndrome": "withdrawal syndrome",
    "reinstatement": "reinstatement",
    "rescue": "rescue treatment",
    "death": "death",
    "dropout": "dropout",
}


@dataclass(frozen=True)
class Question:
    """One estimand, as the dataset declares it.

    Attributes
    ----------
    estimand
        E1 to E8.
    population, variable, summary
        In words.
    treatment
        Strategy in words by arm.
    strategies
        How each intercurrent event is handled.
    """

    estimand: str
    population: str
    variable: str
    summary: str
    treatment: Mapping[str, str]
    strategies: Mapping[str, str] = field(default_factory=dict)

    def role(self, event: str) -> str:
        """How an intercurrent event enters the event times; ended follow-up if undeclared."""
        return ROLES.get(self.strategies.get(event, "missing_data"), ENDS)


def read_questions(declared: Sequence[Mapping[str, Any]]) -> list[Question]:
    """Read the estimands of a dataset's declaration."""
    return [
        Question(
            str(each["id"]),
            str(each["population"]),
            str(each["variable"]),
            str(each["summary"]),
            dict(each["treatment"]),
            {event["event"]: event["strategy"] for event in each["intercurrent_events"]},
        )
        for each in declared
    ]


def happened(
    follow_up: pd.DataFrame, deteriorations: pd.DataFrame, withdrawal: Sequence[str]
) -> dict[str, int]:
    """Count the people to whom each intercurrent event happened.

    Parameters
    ----------
    follow_up, deteriorations
        Canonical tables.
    withdrawal
        Definitions that count as withdrawal.
    """
    reason = follow_up["end_reason"].astype(object)
    people = {
        event: set(follow_up.loc[reason.isin(ended), "person"]) for event, ended in ENDED_BY.items()
    }
    again = deteriorations.loc[deteriorations["reinstated"].notna(), "person"]
    people["reinstatement"] |= set(again)
    syndrome = (deteriorations["adjudicated"] == "withdrawal") | deteriorations["definition"].isin(
        list(withdrawal)
    )
    people["withdrawal_syndrome"] = set(deteriorations.loc[syndrome, "person"])
    return {event: len(found) for event, found in people.items() if found}


def why_not(question: Question, occurred: Mapping[str, int]) -> list[str]:
    """Say why an estimand is refused; an empty list if it is not.

    Parameters
    ----------
    question
        What is asked.
    occurred
        From `happened`.
    """
    reasons = []
    undeclared = [event for event in occurred if event not in question.strategies]
    if undeclared:
        named = ", ".join(f"{WORDS[event]} ({occurred[event]} people)" for event in undeclared)
        reasons.append(f"it happened and the estimand does not say how it is handled: {named}")
    stratum = [event for event, how in question.strategies.items() if how == "principal_stratum"]
    if stratum or question.estimand == "E8":
        reasons.append(
            "a principal stratum is not identified without strong monotonicity and an exclusion "
            "restriction (methods A2)"
        )
    if question.estimand == "E5":
        reasons.append(
            "separable effects need dismissible components and no unmeasured common cause of "
            "withdrawal and relapse; a slow taper followed from its end shows the direct effect "
            "(E1 or E2 on the clock of the last dose change)"
        )
    handled = question.role("withdrawal_syndrome")
    if "withdrawal_syndrome" in question.strategies:
        reasons += _contradiction(question.estimand, handled)
    return reasons


def _contradiction(estimand: str, handled: str) -> list[str]:
    if estimand in ("E1", "E7") and handled != COUNTS:
        return [
            f"{estimand} counts every deterioration whatever its cause: the withdrawal syndrome "
            "must be declared composite"
        ]
    if estimand in ("E2", "E3") and handled != OWN_CAUSE:
        return [f"{estimand} needs the withdrawal syndrome declared as competing_risk"]
    if estimand == "E4" and handled != ENDS:
        return ["E4 needs the withdrawal syndrome declared as hypothetical"]
    return []


def estimand_table(
    questions: Sequence[Question], occurred: Mapping[str, int], people: Mapping[str, int]
) -> pd.DataFrame:
    """Set the estimands out by their attributes (ICH E9(R1)), with those refused and why.

    Parameters
    ----------
    questions
        Declared estimands.
    occurred
        From `happened`.
    people
        People by arm.

    Returns
    -------
    DataFrame
        One row per estimand and attribute, E1 to E8: estimand, title, attribute, value. Estimands
        that are not declared have the attribute ``status`` alone.
    """
    rows = []
    declared = {question.estimand: question for question in questions}
    for estimand, title in TITLES.items():
        question = declared.get(estimand)
        if question is None:
            attributes = [("status", "not declared, so not estimated")]
        else:
            reasons = why_not(question, occurred)
            status = "refused: " + "; ".join(reasons) if reasons else "estimated"
            treatment = "; ".join(
                f"{arm} ({people.get(arm, 0)} people): {text}"
                for arm, text in question.treatment.items()
            )
            handled = "; ".join(
                f"{event.replace('_', ' ')}: {how.replace('_', ' ')}"
                f" ({occurred.get(event, 0)} people)"
                for event, how in question.strategies.items()
            )
            attributes = [
                ("status", status),
                ("population", question.population),
                ("treatment", treatment),
                ("variable", question.variable),
                ("intercurrent events", handled or "none declared"),
                ("summary", question.summary),
            ]
        rows += [(estimand, title, *attribute) for attribute in attributes]
    return pd.DataFrame(rows, columns=["estimand", "title", "attribute", "value"])
