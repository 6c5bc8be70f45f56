"""What may be computed, and what may be claimed, from this much data?

Evidence tiers of methods C10: from individual data with symptoms (1) down to endpoint counts (5).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from discontinuation.bias.verdict_words import CAUSE_OPEN
from discontinuation.problems import Problem, allowed_values, refuse

TIERS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Tier:
    """One level of evidence.

    Attributes
    ----------
    number
        1 to 5.
    data
        What there is.
    claim
        What may be claimed at most.
    """

    number: int
    data: str
    claim: str


@dataclass(frozen=True)
class Method:
    """One way of looking at the early excess.

    Attributes
    ----------
    name
        As the function, or the model, is called.
    tiers
        On which it may be used.
    needs
        What it needs that other tiers do not have.
    """

    name: str
    tiers: frozenset[int]
    needs: str


_OF_TIER = (
    Tier(
        1,
        "individual data with symptoms and dose dates",
        "share of the excess that is withdrawal, with its interval, under the model's assumptions",
    ),
    Tier(
        2,
        "individual data without symptoms",
        "share under a constant late hazard ratio, with frailty and early-surge bands",
    ),
    Tier(
        3,
        "data reconstructed from a published curve and its risk table",
        f"early excess under a constant late hazard ratio, reconstruction error included; "
        f"{CAUSE_OPEN}",
    ),
    Tier(4, "counts at two or more times", f"descriptive only: early excess, {CAUSE_OPEN}"),
    Tier(5, "counts at the endpoint", f"tipping only; {CAUSE_OPEN}"),
)

_PEOPLE = "follow-up of single people, individual or reconstructed"
_EXACT = "individual follow-up that was not reconstructed"

_METHODS = (
    Method("early_share", frozenset({1, 2, 3, 4}), "event-free shares at an early point and later"),
    Method("window_effects", frozenset({1, 2, 3}), _PEOPLE),
    Method("late_anchored_excess", frozenset({1, 2, 3}), _PEOPLE),
    Method("frailty_adjusted_excess", frozenset({1, 2, 3}), _PEOPLE),
    Method("misclassification_grid", frozenset({1, 2, 3}), _PEOPLE),
    Method("probabilistic_bias_analysis", frozenset({1, 2}), _EXACT),
    Method("tipping_points", frozenset({1, 2, 3}), _PEOPLE),
    Method("risk_bounds", frozenset({1, 2, 3}), _PEOPLE),
    Method("delta_adjusted", frozenset({1, 2}), "individual reasons and times of leaving"),
    Method("differential_error_bounds", frozenset({1, 2, 3, 4, 5}), "a risk ratio"),
    Method("e_value_of_pace", frozenset({1, 2, 3, 4, 5}), "a comparison of paces, not randomised"),
    Method("timing_only_model", frozenset({1, 2}), _EXACT),
    Method("share_by_cause", frozenset({1}), "symptoms and dates of dose changes"),
)
METHODS = {method.name: method for method in _METHODS}


def tier_of(
    *,
    individual: bool = False,
    symptoms_and_doses: bool = False,
    reconstructed: bool = False,
    risk_table: bool = False,
    time_points: int = 0,
) -> Tier:
    """Find the tier of a study's data.

    Parameters
    ----------
    individual
        Whether there are individual data.
    symptoms_and_doses
        Whether these hold symptoms and dates of dose changes.
    reconstructed
        Whether people were reconstructed from a curve.
    risk_table
        Whether that was done with numbers at risk; without them tier 3 is refused (methods D10).
    time_points
        Times at which counts or event-free shares are known.

    Raises
    ------
    InvalidInput
        No data at all.
    """
    if individual:
        return tier(1 if symptoms_and_doses else 2)
    if reconstructed and risk_table:
        return tier(3)
    if reconstructed or time_points >= 2:
        return tier(4)
    if time_points < 1:
        refuse([Problem("evidence tier", "there is no count, no curve and no individual data")])
    return tier(5)


def tier(number: int) -> Tier:
    """Look a tier up.

    Raises
    ------
    InvalidInput
        Another number than 1 to 5.
    """
    if number not in TIERS:
        rule = allowed_values([str(one) for one in TIERS], str(number))
        refuse([Problem("evidence tier", rule, value=str(number))])
    return _OF_TIER[number - 1]


def why_not(method: str, number: int) -> str:
    """Say in a sentence why a method is not for a tier; empty if it is.

    Raises
    ------
    InvalidInput
        An unknown method or tier.
    """
    given = tier(number)
    if method not in METHODS:
        rule = allowed_values(sorted(METHODS), method)
        refuse([Problem("evidence tier", rule, None, "method", method)])
    chosen = METHODS[method]
    if number in chosen.tiers:
        return ""
    words = method.replace("_", " ")
    return (
        f"{words} needs {chosen.needs}; tier {number} has {given.data}, which allows: "
        f"{', '.join(allowed_methods(number)).replace('_', ' ')}."
    )


def refuse_on_tier(method: str, number: int) -> None:
    """Refuse a method where the data do not carry it.

    Raises
    ------
    InvalidInput
        With the sentence of `why_not`; an unknown method or tier.
    """
    reason = why_not(method, number)
    if reason:
        refuse([Problem("evidence tier", reason, None, "method", method)])


def allowed_methods(number: int) -> tuple[str, ...]:
    """List the methods allowed on a tier."""
    given = tier(number).number
    return tuple(name for name, method in METHODS.items() if given in method.tiers)


def tier_table() -> pd.DataFrame:
    """Tabulate the tiers: ``tier, data, methods, claim``."""
    rows = [
        (one.number, one.data, ", ".join(allowed_methods(one.number)), one.claim)
        for one in _OF_TIER
    ]
    return pd.DataFrame(rows, columns=["tier", "data", "methods", "claim"])
