"""Was the drug removed slowly for its pharmacology (W1), as far as the doses tell?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.audit.decision import NO_INFORMATION
from discontinuation.audit.tools import domain_w
from discontinuation.audit.withdrawal import PaceFacts, answer_pace

POINTS = 100.0
# The level falls 9 (1 - 0.1 x) / (1 - 0.9 x)-fold from 90 to 10 % of the start, x being the
# starting occupancy as a share of Emax: at most 81-fold, for any hyperbola (Hill exponent 1).
MOST_HALF_LIVES = float(np.log2(81))


@dataclass(frozen=True)
class PaceAnswer:
    """Answer to W1 for one arm, with its reason."""

    answer: str
    reason: str


def facts_of_pace(table: pd.DataFrame) -> PaceFacts:
    """Take the numbers of W1 from how people's doses fell.

    Parameters
    ----------
    table
        `Pace.table` of discontinuation.exposure, or rows of it; runs without a quantity are
        left out of its median.

    Returns
    -------
    PaceFacts
        Medians over runs: fall_90_10_days, largest_step_occupancy and final_drop_occupancy.
    """
    return PaceFacts(
        _median(table["fall_90_10_days"]),
        POINTS * _median(table["largest_step_occupancy"]),
        POINTS * _median(table["final_drop_occupancy"]),
    )


def _median(values: pd.Series) -> float:
    """Median of what is known; NaN if nothing is."""
    known = values.dropna()
    return float(known.median()) if len(known) else math.nan


def most_days_90_to_10(taper_days: float, half_life_days: float) -> float:
    """Most days that the fall from 90 to 10 % occupancy can take after a taper of this length.

    Parameters
    ----------
    taper_days
        From the first reduction to no drug.
    half_life_days
        Of the drug.

    Returns
    -------
    float
        ``taper_days + log2(81) half_life_days``: no dose rises, so 90 % is left no sooner than
        after a stop on the first day, and the level at the last dose is at most the first one.
        For any hyperbolic occupancy curve and any steps.
    """
    return taper_days + MOST_HALF_LIVES * half_life_days


def answer_published_arm(
    arm: Mapping[Hashable, Any], schedules: pd.DataFrame, half_life_days: float | None
) -> PaceAnswer:
    """Answer W1 for a published arm, of which at best the length of the taper is printed.

    Parameters
    ----------
    arm
        strategy, formulation, taper_days, taper_days_lower, taper_days_upper and note.
    schedules
        Rows of `plausible_pace(...).schedules` for this arm.
    half_life_days
        The longest of the arm's drugs; None if one is not known.

    Returns
    -------
    PaceAnswer
        N where a stop in one step, or the longest possible fall, is stated; PN or PY where every
        plausible schedule of that length agrees; NI otherwise.
    """
    from discontinuation.exposure.authors import days_of_arm

    if arm["formulation"] == "depot":
        slow = "injections stopped: the drug leaves over weeks, and no occupancy by dose is held"
        return PaceAnswer(NO_INFORMATION, slow)
    days = days_of_arm(arm)
    longest = days[1] if isinstance(days, tuple) else days
    if longest is None:
        return PaceAnswer(NO_INFORMATION, "how fast the drug was stopped is not stated")
    sure = "PN" if "inferred" in str(arm["note"]) else "N"
    if longest == 0:
        return PaceAnswer(sure, "stopped in one step, from the treatment dose to none")
    limit = domain_w().thresholds.days_90_to_10
    if half_life_days is not None:
        most = most_days_90_to_10(longest, half_life_days)
        if most < limit:
            words = f"a taper of {longest:g} days and a half-life of {half_life_days:.3g} days"
            return PaceAnswer(sure, f"{words} allow at most {most:.0f} days from 90 to 10 %")
    return _from_schedules(schedules)


def _from_schedules(schedules: pd.DataFrame) -> PaceAnswer:
    """Look at every plausible schedule."""
    found = Counter(
        answer_pace(
            PaceFacts(
                row["fall_90_10_days"],
                POINTS * row["largest_step_occupancy"],
                POINTS * row["final_drop_occupancy"],
            )
        )
        for row in schedules.to_dict("records")
    )
    count = sum(found.values())
    open_end = bool(len(schedules)) and bool(schedules["minimum"].any())
    if found["N"] == count and count and not open_end:
        return PaceAnswer("PN", f"none of {count} plausible schedules of that length meets it")
    if found["Y"] == count and count:
        return PaceAnswer("PY", f"all {count} plausible schedules of that length meet it")
    told = ", ".join(f"{found[answer]} {answer}" for answer in ("Y", "N", "NI") if found[answer])
    why = (
        "the printed length is a minimum" if open_end else f"plausible schedules: {told or 'none'}"
    )
    return PaceAnswer(NO_INFORMATION, f"the steps are not stated ({why})")


def longest_half_life(hours: list[float | None]) -> float | None:
    """Longest half-life of several drugs in days; None if one is not known."""
    known = [value for value in hours if value is not None and not math.isnan(value)]
    return max(known) / 24 if known and len(known) == len(hours) else None
