"""Which covariates go with more events, where people can have several?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival.cox_model import cox
from discontinuation.survival.cox_result import CoxModel
from discontinuation.survival.follow_up import IntArray, follow_up, missing_columns

Kind = Literal["andersen-gill", "pwp-total", "pwp-gap", "wlw"]
SOURCE = "recurrent events"
EVENT_NUMBER = "event_number"


def recurrent_model(
    formula: str,
    data: pd.DataFrame,
    person: str,
    kind: Kind = "andersen-gill",
    time: str = "time",
    event: str = "event",
    entry: str = "entry",
    most: int | None = None,
    strata: str | Sequence[str] | None = None,
    **options: Any,
) -> CoxModel:
    """Fit a Cox model of recurrent events, with a variance that is right for several per person.

    Parameters
    ----------
    formula
        As in `cox`.
    data
        One row per stretch of a person's follow-up; each ends with an event, or ends the
        follow-up, or is where a covariate changes. Stretches of a person do not overlap.
    person
        Column: who it is. The robust variance adds up a person's rows.
    kind
        "andersen-gill": every event is alike, time runs from the beginning. "pwp-total" and
        "pwp-gap" (Prentice, Williams and Peterson): the k-th event is compared among those who
        have had k - 1, with time from the beginning or since the last event. "wlw" (Wei, Lin and
        Weissfeld): the k-th event is looked at from the beginning in everybody (from their first
        entry), with covariates as they were then.
    time, event, entry
        Columns: end of a stretch, 1 if an event ends it, its beginning.
    most
        The k-th event for k above this counts with the last (pwp) or not at all (wlw). By default
        as many as anybody has.
    strata
        Further strata, as in `cox`.
    options
        Passed on to `cox`: weights, ties, offset, level, ...

    Raises
    ------
    InvalidInput
        Stretches of a person that overlap or, for "pwp-gap" and "wlw", leave gaps; an unknown
        kind; `cluster`, which is the person; what
        `cox` refuses.

    References
    ----------
    Andersen PK, Gill RD. Ann Stat 1982;10:1100-1120; Prentice RL, Williams BJ, Peterson AV.
    Biometrika 1981;68:373-379; Wei LJ, Lin DY, Weissfeld L. J Am Stat Assoc 1989;84:1065-1073;
    Lin DY, Wei LJ, Yang I, Ying Z. J R Stat Soc B 2000;62:711-730 (robust variance of the first).
    """
    if kind not in get_args(Kind):
        refuse([Problem(SOURCE, allowed_values(get_args(Kind), kind), column="kind", value=kind)])
    if most is not None and most < 1:
        refuse([Problem(SOURCE, "allowed: 1 or more", column="most", value=str(most))])
    refuse(missing_columns(data, {"person": person, "time": time, "event": event, "entry": entry}))
    follow_up(data[time], data[event], data[entry])
    blank = int(data[person].isna().sum())
    refuse([Problem(SOURCE, f"{blank} values are blank", column=person)] if blank else [])
    data = data.sort_values([person, entry], kind="stable").reset_index(drop=True)
    refuse(_overlaps(data, person, time, entry))
    refuse(_gaps(data, person, time, entry, kind) if kind in ("pwp-gap", "wlw") else [])
    if "cluster" in options:
        refuse([Problem(SOURCE, "the rows of a person go together", column="cluster")])
    own = [strata] if isinstance(strata, str) else list(strata or [])
    if kind != "andersen-gill":
        number = _event_numbers(data, person, event)
        if EVENT_NUMBER in data:
            refuse([Problem(SOURCE, "there is such a column already", column=EVENT_NUMBER)])
        if kind == "wlw":
            data = _marginal(data, person, time, event, number, most)
        else:
            capped = number if most is None else np.minimum(number, most)
            data = data.assign(**{EVENT_NUMBER: capped})
        own.append(EVENT_NUMBER)
    if kind == "pwp-gap":
        data = _since_last_event(data, person, time, entry, number)
    return cox(formula, data, time, event, entry, own or None, person, **options)


def _overlaps(data: pd.DataFrame, person: str, time: str, entry: str) -> list[Problem]:
    same = data[person].eq(data[person].shift()).to_numpy()
    wrong = same & (data[entry] < data[time].shift()).to_numpy()
    if not wrong.any():
        return []
    who = ", ".join(map(str, data.loc[wrong, person].unique()[:5]))
    rule = f"{int(wrong.sum())} stretches begin before the one before has ended"
    return [Problem(SOURCE, rule, column=entry, value=who)]


def _gaps(data: pd.DataFrame, person: str, time: str, entry: str, kind: str) -> list[Problem]:
    """Find stretches that begin later than the one before has ended."""
    same = data[person].eq(data[person].shift()).to_numpy()
    late = same & (data[entry] > data[time].shift()).to_numpy()
    if not late.any():
        return []
    who = ", ".join(map(str, data.loc[late, person].unique()[:5]))
    rule = (
        f"{int(late.sum())} stretches begin after the one before has ended; {kind!r} needs "
        "follow-up without gaps"
    )
    return [Problem(SOURCE, rule, column=entry, value=who)]


def _event_numbers(data: pd.DataFrame, person: str, event: str) -> IntArray:
    """Say which event each stretch waits for: 1 for the first."""
    happened = data[event].astype(np.int64)
    waiting = happened.groupby(data[person]).cumsum() - happened + 1
    return np.asarray(waiting, dtype=np.int64)


def _since_last_event(
    data: pd.DataFrame, person: str, time: str, entry: str, number: IntArray
) -> pd.DataFrame:
    """Let the clock start again with every event."""
    began = data.groupby([data[person], number])[entry].transform("min")
    return data.assign(**{time: data[time] - began, entry: data[entry] - began})


def _marginal(
    data: pd.DataFrame, person: str, time: str, event: str, number: IntArray, most: int | None
) -> pd.DataFrame:
    """Give everybody one row for each event they could have had, all from their first entry."""
    happened = data[event].to_numpy() == 1
    events = int(number[happened].max()) if happened.any() else 1
    people = data.groupby(person, sort=False)
    rows = people.head(1).drop(columns=[time, event])
    end = people[time].max()
    times = data.loc[happened, [person, time]].assign(**{EVENT_NUMBER: number[happened]})
    every = [rows.assign(**{EVENT_NUMBER: k}) for k in range(1, min(most or events, events) + 1)]
    table = pd.concat(every, ignore_index=True).merge(times, "left", [person, EVENT_NUMBER])
    known = table[time].notna()
    ends = table[person].map(end)
    return table.assign(**{event: known.astype(int), time: table[time].where(known, ends)})
