"""When did what happen to each person, as an estimand wants it counted?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from discontinuation.estimands.question import (
    COUNTS,
    ENDED_BY,
    ENDS,
    OWN_CAUSE,
    WORDS,
    Question,
)

DETERIORATION = "deterioration"
NOT_ADJUDICATED = "not adjudicated"
STILL_ON = "not off the drug at the horizon"


@dataclass(frozen=True, eq=False)
class EventTimes:
    """Time to event of each person.

    Attributes
    ----------
    people
        One row per person: person, study, arm, strategy, time (end of follow-up or event), entry
        (start of follow-up), event (0 or 1: of any cause that is counted), cause (in words; None
        if censored), then the covariates.
    steps
        How many people were left after each step, and why others were not: step, people, left_out.
    """

    people: pd.DataFrame
    steps: pd.DataFrame


def event_times(
    question: Question,
    tables: Mapping[str, pd.DataFrame],
    definition: str,
    causes: pd.Series | None = None,
    clock: str = "detected",
    off_drug_by: float | None = None,
) -> EventTimes:
    """Put the events of a dataset into times to a first event.

    Parameters
    ----------
    question
        Which estimand, and how each intercurrent event is handled.
    tables
        Canonical tables, complete.
    definition
        Of getting worse.
    causes
        Cause of each person's first deterioration; None: every deterioration is the event. Blank:
        not adjudicated.
    clock
        "detected" (when the trial knew) or "onset".
    off_drug_by
        For E7: the horizon; people who take the drug then have failed.

    Returns
    -------
    EventTimes
        Deteriorations after the end of follow-up are not counted. Somebody whose first event lies
        at or before the start of follow-up is left out.
    """
    people = tables["people"].merge(tables["arms"][["study", "arm", "strategy"]], how="left")
    steps = [("in the data", len(people), 0)]
    people, steps = _keep(people, people["arm"].notna(), "without an arm", steps)
    followed = tables["follow_up"][["person", "start", "end", "end_reason"]]
    people = people.merge(followed, on="person", how="left")
    people, steps = _keep(people, people["end"].notna(), "without follow-up", steps)
    first = first_deteriorations(tables["deteriorations"], definition, clock, causes)
    people = people.merge(first, on="person", how="left")
    timed = _first_event(people, question, tables["deteriorations"], causes is not None)
    if off_drug_by is not None:
        timed = _failed_on_drug(timed, tables["doses"], off_drug_by)
    late = timed["time"] > timed["entry"]
    timed, steps = _keep(timed, late, "with nothing after the start of follow-up", steps)
    columns = ["person", "study", "arm", "strategy", "time", "entry", "event", "cause"]
    others = [name for name in tables["people"].columns if name not in ("person", "study", "arm")]
    frame = timed[[*columns, *others]].reset_index(drop=True)
    table = pd.DataFrame(steps, columns=["step", "people", "left_out"])
    return EventTimes(frame, table)


def first_deteriorations(
    deteriorations: pd.DataFrame, definition: str, clock: str, causes: pd.Series | None = None
) -> pd.DataFrame:
    """First episode of each person by a definition.

    Parameters
    ----------
    deteriorations
        Canonical table.
    definition, clock, causes
        As in `event_times`.

    Returns
    -------
    DataFrame
        person, worse (day), worse_cause.
    """
    mine = deteriorations.loc[deteriorations["definition"] == definition]
    day = mine["detected"] if clock == "detected" else mine["onset"].fillna(mine["detected"])
    frame = pd.DataFrame({"person": mine["person"].astype(object), "worse": day.astype(float)})
    frame = frame.sort_values("worse", kind="stable").drop_duplicates("person")
    if causes is None:
        return frame.assign(worse_cause=DETERIORATION)
    cause = frame["person"].map(causes.astype(object))
    return frame.assign(worse_cause=cause.where(cause.notna(), NOT_ADJUDICATED))


def adjudicated_causes(deteriorations: pd.DataFrame, definition: str) -> pd.Series:
    """Cause of each person's first deterioration according to raters; blank if nobody judged."""
    mine = deteriorations.loc[deteriorations["definition"] == definition]
    first = mine.sort_values("detected", kind="stable").drop_duplicates("person")
    return first.set_index("person")["adjudicated"].astype(object)


def _keep(
    people: pd.DataFrame, kept: pd.Series, reason: str, steps: list[tuple[str, int, int]]
) -> tuple[pd.DataFrame, list[tuple[str, int, int]]]:
    chosen = people.loc[kept]
    return chosen, [*steps, (reason, len(chosen), len(people) - len(chosen))]


def _first_event(
    people: pd.DataFrame, question: Question, deteriorations: pd.DataFrame, by_cause: bool
) -> pd.DataFrame:
    """Find the earliest of what counts, in the order deterioration, intercurrent event, end."""
    end = people["end"].to_numpy(dtype=float)
    reason = people["end_reason"].astype(object)
    again = deteriorations.groupby("person", observed=True)["reinstated"].min()
    time = np.where(people["worse"] <= end, people["worse"], np.inf).astype(float)
    cause = people["worse_cause"].where(np.isfinite(time))
    if by_cause and question.role("withdrawal_syndrome") == ENDS:
        cause = cause.mask(cause == "withdrawal")
    censored_at = end.copy()
    for event, ended in ENDED_BY.items():
        role = question.role(event)
        day = np.where(reason.isin(ended), end, np.inf)
        if event == "reinstatement":
            known = people["person"].map(again).to_numpy(dtype=float)
            day = np.fmin(day, np.where(known <= end, known, np.inf))
        if role in (COUNTS, OWN_CAUSE):
            earlier = day < time
            time = np.where(earlier, day, time)
            word = DETERIORATION if role == COUNTS and not by_cause else WORDS[event]
            cause = cause.mask(earlier, word)
        elif role == ENDS:
            censored_at = np.minimum(censored_at, day)
    happened = (time <= censored_at) & cause.notna()
    # Closed at withdrawal: such a person leaves without an event.
    stopped = np.where(np.isfinite(time), np.minimum(time, censored_at), censored_at)
    return people.assign(
        entry=people["start"].astype(float),
        time=stopped,
        event=happened.astype(int),
        cause=cause.where(happened),
    )


def _failed_on_drug(people: pd.DataFrame, doses: pd.DataFrame, horizon: float) -> pd.DataFrame:
    """Let those who take the drug at the horizon have failed then."""
    taken = doses.loc[(doses["start"] <= horizon) & (doses["stop"] > horizon) & (doses["dose"] > 0)]
    until = doses.loc[(doses["stop"] == horizon) & (doses["dose"] > 0)]
    on_drug = people["person"].isin(set(taken["person"]) | set(until["person"]))
    fails = (
        on_drug
        & (people["time"] >= horizon)
        & ~((people["event"] == 1) & (people["time"] <= horizon))
    )
    return people.assign(
        time=people["time"].where(~fails, horizon),
        event=people["event"].where(~fails, 1),
        cause=people["cause"].where(~fails, STILL_ON),
    )
