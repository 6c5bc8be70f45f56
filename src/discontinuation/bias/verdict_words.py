"""In which words is a result told, so that they would be the same had it come out the other way?

No template names a hypothesis: the pair comes in as `Hypotheses`, and an early excess and an early
shortfall share one template. Swapping the hypotheses, or the sign, therefore swaps the words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from discontinuation.problems import Problem, allowed_values, refuse

Goal = Literal["nullify", "restore", "double"]

CAUSE_OPEN = "cause not identified"

_TIPPING = {
    "nullify": (
        "The excess of {counted} in the stopped arm would no longer stand if at least {fewest} of "
        "the {candidates} {kind} were {other} ({order})."
    ),
    "restore": (
        "An excess of {counted} in the stopped arm would stand again if at least {fewest} of the "
        "{candidates} {kind} were {counted} ({order})."
    ),
    "double": (
        "The excess of {counted} in the stopped arm would be twice as large if at least {fewest} "
        "of the {candidates} {kind} were {counted} ({order})."
    ),
}
_NEVER = {
    "nullify": (
        "The excess of {counted} in the stopped arm would still stand if all {candidates} {kind} "
        "were {other} ({order})."
    ),
    "restore": (
        "No excess of {counted} in the stopped arm would stand even if all {candidates} {kind} "
        "were {counted} ({order})."
    ),
    "double": (
        "The excess of {counted} in the stopped arm would not be twice as large even if all "
        "{candidates} {kind} were {counted} ({order})."
    ),
}
_ALREADY = {
    "nullify": "No excess of {counted} in the stopped arm stands, so there is none to nullify.",
    "restore": (
        "The excess of {counted} in the stopped arm stands as counted, so there is none to restore."
    ),
    "double": "There is no excess of {counted} in the stopped arm that could be doubled.",
}
_NO_CANDIDATES = {
    "nullify": "There are no {kind} that could be {other}.",
    "restore": "There are no {kind} that could be {counted}.",
    "double": "There are no {kind} that could be {counted}.",
}


@dataclass(frozen=True)
class Hypotheses:
    """Two readings of the same deteriorations.

    Attributes
    ----------
    counted
        What is counted as the outcome.
    other
        What some of it may be instead.
    """

    counted: str = "relapse"
    other: str = "withdrawal"

    def swapped(self) -> Hypotheses:
        """Return the pair the other way round."""
        return Hypotheses(self.other, self.counted)


def tipping_sentence(
    goal: Goal,
    fewest: float,
    candidates: int,
    kind: str,
    order: str,
    hypotheses: Hypotheses,
) -> str:
    """Tell a tipping point in one sentence.

    Parameters
    ----------
    goal
        What has to happen to the conclusion.
    fewest
        Events that suffice; 0 if none are needed, NaN if all do not suffice.
    candidates
        How many there are to choose from.
    kind
        What they are called, in the plural.
    order
        In which order they are taken.
    hypotheses
        The pair of readings.
    """
    if goal not in get_args(Goal):
        refuse([Problem("wording", allowed_values(get_args(Goal), goal), None, "goal", goal)])
    templates = _ALREADY if fewest == 0 else _NEVER if math.isnan(fewest) else _TIPPING
    if fewest != 0 and candidates == 0:
        templates = _NO_CANDIDATES
    return templates[goal].format(
        counted=hypotheses.counted,
        other=hypotheses.other,
        fewest=f"{fewest:g}",
        candidates=candidates,
        kind=kind,
        order=order,
    )


def early_verdict(lower: float, upper: float, margin: float) -> str:
    """Read the interval of an early excess; the cause is never named.

    Parameters
    ----------
    lower, upper
        Its limits; NaN where they cannot be estimated.
    margin
        An excess, or a shortfall, smaller than this counts as none (0 or more). Not significant
        is not none: the whole interval must lie within.
    """
    if not margin >= 0:
        refuse([Problem("wording", "allowed: 0 or more", None, "margin", str(margin))])
    if math.isnan(lower) or math.isnan(upper):
        return "cannot be judged"
    readings = (("excess", lower, upper), ("shortfall", -upper, -lower))
    for name, low, high in readings:
        if low > 0:
            small = f", smaller than the margin of {margin:g}" if high < margin else ""
            return f"early {name}, {CAUSE_OPEN}{small}"
    if -margin < lower and upper < margin:
        return f"no sign of an early excess or shortfall beyond the margin of {margin:g}"
    for (name, _, high), (opposite, *_) in (readings, readings[::-1]):
        if high < margin:
            unknown = f"whether there is an early {opposite} cannot be judged"
            return f"no sign of an early {name} beyond the margin of {margin:g}; {unknown}"
    return "cannot be judged"
