"""How many events or people does a plain test need?"""

from __future__ import annotations

import math
from collections.abc import Iterator

from scipy.special import ndtri

from discontinuation.design._numbers import is_number
from discontinuation.problems import Problem, refuse


def schoenfeld_events(
    hazard_ratio: float, power: float = 0.9, share: float = 0.5, alpha: float = 0.05
) -> float:
    """Events that a log-rank test needs under proportional hazards (methods G4).

    ``(z_{1 - alpha/2} + z_{power})^2 / (share (1 - share) log(hazard_ratio)^2)``. It fails for
    effects that pass, as withdrawal does; `trial_tests.drift` is for those.

    Parameters
    ----------
    hazard_ratio
        Constant over time, not 1.
    power
        Probability of rejecting.
    share
        Of the people in one of the two arms.
    alpha
        Two-sided level.

    Returns
    -------
    float
        Events in both arms, not rounded: 330.378 for a ratio of 0.70 and power 0.90.

    Raises
    ------
    InvalidInput
        Values out of range.

    References
    ----------
    Schoenfeld D. Biometrika 1981;68:316-319.
    """
    refuse(_problems(hazard_ratio, power, share, alpha))
    z = float(ndtri(1 - alpha / 2) + ndtri(power))
    return z**2 / (share * (1 - share) * math.log(hazard_ratio) ** 2)


def people_for(events: float, risks: tuple[float, float], share: float = 0.5) -> float:
    """People needed for so many events, given the risk of an event in each arm.

    Parameters
    ----------
    events
        From `schoenfeld_events`.
    risks
        Of an event by the end of follow-up in the two arms, dropout considered.
    share
        Of the people in the first arm.

    Raises
    ------
    InvalidInput
        Values out of range.
    """
    refuse([*_event_problems(events), *_share_problems(share=share), *_risk_problems(risks)])
    return events / (share * risks[0] + (1 - share) * risks[1])


def interval_ratio(events: float, share: float = 0.5) -> float:
    """Upper over lower 95 % limit of a hazard ratio from so many events (methods G5).

    80 events in two arms alike give 2.40.

    Raises
    ------
    InvalidInput
        Values out of range.
    """
    refuse([*_event_problems(events), *_share_problems(share=share)])
    return math.exp(2 * float(ndtri(0.975)) / math.sqrt(events * share * (1 - share)))


def _problems(hazard_ratio: float, power: float, share: float, alpha: float) -> Iterator[Problem]:
    if not (is_number(hazard_ratio) and hazard_ratio > 0) or hazard_ratio == 1:
        rule = "allowed: a number above 0, but not 1"
        yield Problem("options", rule, None, "hazard_ratio", str(hazard_ratio))
    outside = list(_share_problems(power=power, share=share, alpha=alpha))
    yield from outside
    if not {one.column for one in outside} & {"power", "alpha"} and power <= alpha / 2:
        rule = f"allowed: above half of the level of {alpha:g}"
        yield Problem("options", rule, None, "power", str(power))


def _share_problems(**shares: float) -> Iterator[Problem]:
    for name, value in shares.items():
        if not (is_number(value) and 0 < value < 1):
            rule = "allowed: a number between 0 and 1"
            yield Problem("options", rule, None, name, str(value))


def _event_problems(events: float) -> Iterator[Problem]:
    if not (is_number(events) and events > 0):
        yield Problem("options", "allowed: a number above 0", None, "events", str(events))


def _risk_problems(risks: tuple[float, float]) -> Iterator[Problem]:
    pair = isinstance(risks, tuple | list) and len(risks) == 2
    if not (pair and all(is_number(one) and 0 <= one <= 1 for one in risks) and max(risks) > 0):
        rule = "allowed: two numbers from 0 to 1, at least one of them above 0"
        yield Problem("options", rule, None, "risks", str(risks))
