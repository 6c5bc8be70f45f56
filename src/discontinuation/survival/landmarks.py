"""Who is still under observation without the event at a landmark, and who is not?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival.follow_up import PLACE, follow_up, missing_columns
from discontinuation.survival.stored import storable

Clock = Literal["kept", "reset"]


@storable
@dataclass(frozen=True, eq=False)
class Landmark:
    """The people of a landmark analysis.

    Attributes
    ----------
    data
        Their rows, with all columns; for a Kaplan-Meier curve, a mean time or a Cox model.
    at
        The landmark, on the clock of the original data.
    clock
        Whether the times still count from the original beginning or from the landmark.
    reasons, people
        What became of everybody, and how many: kept first, then the reasons for leaving out.
    """

    data: pd.DataFrame
    at: float
    clock: Clock
    reasons: tuple[str, ...]
    people: tuple[int, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """One row per reason: reason, people."""
        return pd.DataFrame({"reason": self.reasons, "people": self.people})

    def __str__(self) -> str:
        since = "the landmark" if self.clock == "reset" else "the original beginning"
        out = "; ".join(
            f"{people} {reason}"
            for reason, people in zip(self.reasons[1:], self.people[1:], strict=True)
        )
        return (
            f"Landmark at {self.at:g}: {self.people[0]} of {sum(self.people)} people kept, times "
            f"count from {since}\nleft out: {out}\n"
            "Those kept came past the landmark without the event: groups that were alike at the "
            "beginning need not be alike here."
        )


def landmark(
    data: pd.DataFrame,
    at: float,
    time: str = "time",
    event: str = "event",
    entry: str | None = None,
    *,
    clock: Clock = "kept",
) -> Landmark:
    """Keep those who are under observation and without the event just after a landmark.

    Parameters
    ----------
    data
        One row per person.
    at
        The landmark t1. Kept are those with time > t1 (not at t1) and entry <= t1.
    time, event, entry
        Names of columns: end of follow-up; what happened then (0 is censored, any other code the
        event or its cause); start of follow-up, if it is not the beginning.
    clock
        ``"kept"``: times stay as they are. ``"reset"``: t1 is subtracted from the times, and
        entry, if there is one, becomes 0.

    Returns
    -------
    Landmark
        How many were left out, and why, with the people who are kept.

    Raises
    ------
    InvalidInput
        Columns that are not there, follow-up that is none, a landmark that is not a number of 0 or
        more, nobody left.

    References
    ----------
    Anderson JR, Cain KC, Gelber RD. J Clin Oncol 1983;1:710-719.
    """
    refuse(
        [
            *missing_columns(data, {"time": time, "event": event, "entry": entry}),
            *_option_problems(at, clock),
        ]
    )
    start = None if entry is None else data[entry]
    follow = follow_up(data[time], data[event], start, causes=True)
    ended = follow.time <= at
    later = np.zeros(len(ended), dtype=bool) if follow.entry is None else follow.entry > at
    outs = {
        "had the event by then": ended & (follow.event > 0),
        "were censored by then": ended & (follow.event == 0),
        "entered later": later,
    }
    if entry is None:
        del outs["entered later"]
    kept = ~(ended | later)
    counts = {reason: int(who.sum()) for reason, who in outs.items()}
    if not kept.any():
        told = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        refuse([Problem(PLACE, f"nobody is left: {told}", None, "at", f"{at:g}")])
    chosen = data.loc[kept].copy()
    if clock == "reset":
        chosen[time] = follow.time[kept] - at
        if entry is not None:
            chosen[entry] = 0.0
    reasons = ("under observation without the event", *counts)
    return Landmark(chosen, float(at), clock, reasons, (int(kept.sum()), *counts.values()))


def _option_problems(at: float, clock: str) -> list[Problem]:
    problems = []
    if not 0 <= at < np.inf:
        problems.append(Problem(PLACE, "allowed: a number of 0 or more", None, "at", str(at)))
    if clock not in get_args(Clock):
        rule = allowed_values(get_args(Clock), str(clock))
        problems.append(Problem(PLACE, rule, None, "clock", str(clock)))
    return problems
