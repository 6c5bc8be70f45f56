"""How long were people observed, how many got worse, and at what rate, in each phase?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.describe.exposure_phases import PHASES, dose_phases
from discontinuation.describe.flow import ALL, analysed_key
from discontinuation.describe.given import Tables, arms_in_order, complete
from discontinuation.describe.masking import Key, Sum

Clock = Literal["detected", "onset"]
DAYS_PER_YEAR = 365.25
ANY_PHASE = "all"
COLUMNS = [
    "definition", "clock", "arm", "phase", "people", "days", "events", "rate", "lower", "upper",
]  # fmt: skip


def poisson_rate(
    events: npt.ArrayLike, days: npt.ArrayLike, confidence: float = 0.95
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give crude rates with exact Poisson intervals.

    Parameters
    ----------
    events
        Numbers of events, shape (k,).
    days
        Person-days in which they happened, shape (k,).
    confidence
        Level of the interval.

    Returns
    -------
    tuple of array
        Rate, lower and upper limit, events per 100 person-years; NaN where there are no days.

    References
    ----------
    Garwood F. Biometrika 1936;28:437-442. Its chi-square quantiles are twice those of a gamma
    distribution.
    """
    from scipy.special import gammaincinv

    count = np.asarray(events, dtype=float)
    time = np.asarray(days, dtype=float)
    hundreds = np.where(time > 0, time, np.nan) / (100 * DAYS_PER_YEAR)
    tail = (1 - confidence) / 2
    lower = np.where(count > 0, gammaincinv(np.maximum(count, 1), tail), 0.0)
    upper = gammaincinv(count + 1, 1 - tail)
    return count / hundreds, lower / hundreds, upper / hundreds


def observation_time(tables: Tables) -> pd.DataFrame:
    """Add up the whole follow-up by arm and phase, whatever happened in it.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.

    Returns
    -------
    DataFrame
        arm, phase (`ANY_PHASE` for all of them), people, days. Phases as in `dose_phases`; only
        those that occur, and no phase at all without doses. All arms together (`ALL`) are given
        for all phases together.
    """
    given = complete(tables)
    spans = _spans(given)
    return _counted(_in_phases(spans, given), spans, given)


def person_time(
    tables: Tables,
    definitions: Sequence[str] | None = None,
    clock: Clock = "detected",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count people's first deteriorations and the time at risk of them, by arm and phase.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.
    definitions
        Definitions of getting worse, also such as nobody met; those of the table of deteriorations
        by default.
    clock
        What ends the time at risk: when the definition was met, or the first worsening.
    confidence
        Level of the intervals.

    Returns
    -------
    DataFrame
        definition, clock, arm, phase (both as in `observation_time`), people at risk, days,
        events, rate with lower and upper limit per 100 person-years.

    Notes
    -----
    The first episode of each person and definition counts; time at risk ends there. Someone who
    had it before the start of follow-up is not at risk. An event belongs to the phase that the
    moment just before it lies in.
    """
    given = complete(tables)
    episodes = given["deteriorations"]
    names = sorted(set(episodes["definition"])) if definitions is None else definitions
    found = [
        _of_definition(given, episodes.loc[episodes["definition"] == name], clock).assign(
            definition=name, clock=clock
        )
        for name in names
    ]
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    counted = pd.concat(found, ignore_index=True)
    limits = poisson_rate(counted["events"].astype(float), counted["days"], confidence)
    counted["rate"], counted["lower"], counted["upper"] = limits
    return counted[COLUMNS]


def onset_known(tables: Tables, definition: str) -> bool:
    """Say whether a definition can be counted by onset: whether it was met and each has one."""
    episodes = complete(tables)["deteriorations"]
    onset = episodes.loc[episodes["definition"] == definition, "onset"]
    return bool(len(onset) and onset.notna().all())


def _spans(given: Tables) -> pd.DataFrame:
    """List each person's arm, start and end of follow-up, leaving out follow-up of no length."""
    people = given["people"][["person", "arm"]]
    spans = people.merge(given["follow_up"][["person", "start", "end"]], on="person")
    return spans.loc[spans["end"] > spans["start"]]


def _of_definition(given: Tables, episodes: pd.DataFrame, clock: Clock) -> pd.DataFrame:
    spans = _spans(given)
    first = episodes.groupby("person")[clock].min()
    event = spans["person"].map(first).astype(float)
    spans = spans.assign(event=event).loc[~(event < spans["start"])]
    spans["end"] = spans["end"].where(~(spans["event"] <= spans["end"]), spans["event"])
    spans["event"] = spans["event"].where(spans["event"] <= spans["end"])
    return _counted(_in_phases(spans, given), spans, given, events=True)


def _in_phases(spans: pd.DataFrame, given: Tables) -> pd.DataFrame | None:
    """Cut time at risk at the changes of phase; None without doses.

    Each row is a person's time in one phase between two changes: arm, person, phase, days, and
    whether the event happened at its end.
    """
    if given["doses"].empty:
        return None
    phases = dose_phases(given)[["person", "start", "stop", "phase"]]
    pieces = spans.merge(phases, on="person", suffixes=("", "_dose"))
    begin = np.maximum(pieces["start"], pieces["start_dose"])
    end = np.minimum(pieces["end"], pieces["stop"])
    pieces["days"] = np.maximum(end - begin, 0)
    pieces["event_here"] = _happens_in(pieces)
    known = pieces.loc[(pieces["days"] > 0) | pieces["event_here"]]
    columns = ["person", "arm", "phase", "days", "event_here"]
    return pd.concat([known[columns], _unknown(spans, known)[columns]], ignore_index=True)


def _happens_in(pieces: pd.DataFrame) -> pd.Series:
    """Say whether the event happened in an interval of dose, or at its very end."""
    if "event" not in pieces:
        return pd.Series(False, index=pieces.index)
    inside = (pieces["start_dose"] < pieces["event"]) & (pieces["event"] <= pieces["stop"])
    # An event at the very start of follow-up has no moment before it that was observed.
    at_start = (pieces["event"] == pieces["start"]) & (pieces["start_dose"] == pieces["event"])
    before = (pieces["event"] == pieces["start"]) & inside
    begins_here = at_start.groupby(pieces["person"]).transform("any")
    return (inside & ~(before & begins_here)) | at_start


def _unknown(spans: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Give the time and the events that no interval of dose covers to the phase "unknown"."""
    covered = known.groupby("person")["days"].sum()
    placed = known.groupby("person")["event_here"].any()
    rest = spans["end"] - spans["start"] - spans["person"].map(covered).fillna(0)
    event = spans["event"].notna() if "event" in spans else pd.Series(False, index=spans.index)
    left = spans.assign(
        phase="unknown",
        days=rest.where(rest > 1e-6, 0.0),
        event_here=event & ~spans["person"].map(placed).eq(True),
    )
    return left.loc[(left["days"] > 0) | left["event_here"]]


def _counted(
    pieces: pd.DataFrame | None, spans: pd.DataFrame, given: Tables, events: bool = False
) -> pd.DataFrame:
    """Count people, days and events by arm and phase, with every total."""
    whole = spans.assign(
        phase=ANY_PHASE,
        days=spans["end"] - spans["start"],
        event_here=spans["event"].notna() if events else False,
    )
    cut = [whole] if pieces is None else [pieces, whole]
    rows = pd.concat([piece[["person", "arm", "phase", "days", "event_here"]] for piece in cut])
    both = pd.concat([rows, whole[list(rows.columns)].assign(arm=ALL)])
    found = both.groupby(["arm", "phase"]).agg(
        people=("person", "nunique"), days=("days", "sum"), events=("event_here", "sum")
    )
    arms = list(arms_in_order(given)["arm"])
    phases = [phase for phase in PHASES if phase in set(rows["phase"])]
    every = [(arm, phase) for arm in arms for phase in (*phases, ANY_PHASE)]
    index = pd.MultiIndex.from_tuples([*every, (ALL, ANY_PHASE)], names=["arm", "phase"])
    counted = found.reindex(index, fill_value=0).reset_index()
    counted = counted.astype({"people": "Int64", "events": "Int64", "days": float})
    return counted if events else counted.drop(columns="events")


def time_keys(counted: pd.DataFrame) -> list[Key]:
    """Name the people of every row of observation or person-time, as `mask_small` wants them.

    The people observed at all are the people analysed of the flow: one number, one name.
    """
    return [
        analysed_key(row["arm"])
        if "definition" not in row and row["phase"] == ANY_PHASE
        else ("at_risk", row.get("definition"), row.get("clock"), row["arm"], row["phase"])
        for row in counted.to_dict("records")
    ]


def event_keys(counted: pd.DataFrame) -> list[tuple[str, ...]]:
    """Name the events of every row."""
    columns = ("definition", "clock", "arm", "phase")
    rows = zip(*(counted[name] for name in columns), strict=True)
    return [("events", *names) for names in rows]


def people_sums(counted: pd.DataFrame) -> list[Sum]:
    """Say that the people of the arms add up, phase by phase."""
    return _over_arms(counted, time_keys(counted))


def event_sums(counted: pd.DataFrame) -> list[Sum]:
    """Say that events add up over arms and over phases, and are the same ones on either clock."""
    keys = event_keys(counted)
    number = dict(zip(keys, counted["events"], strict=True))
    pairs = [(key, ("events", key[1], "onset", *key[3:])) for key in keys if key[2] == "detected"]
    same = [
        Sum(detected, (onset,))
        for detected, onset in pairs
        if detected[4] == ANY_PHASE and number.get(onset) == number[detected]
    ]
    return _over_arms(counted, keys) + _over_phases(counted, keys) + same


def _over_arms(counted: pd.DataFrame, keys: Sequence[Key]) -> list[Sum]:
    return _grouped(counted, keys, "arm", ALL)


def _over_phases(counted: pd.DataFrame, keys: Sequence[Key]) -> list[Sum]:
    return _grouped(counted, keys, "phase", ANY_PHASE)


def _grouped(counted: pd.DataFrame, keys: Sequence[Key], over: str, total: str) -> list[Sum]:
    """Make one sum of the rows that differ in nothing but one column."""
    others = [n for n in ("definition", "clock", "arm", "phase") if n in counted and n != over]
    found = []
    for _, places in counted.reset_index(drop=True).groupby(others, sort=False).groups.items():
        parts = [keys[i] for i in places if counted[over].iat[i] != total]
        totals = [keys[i] for i in places if counted[over].iat[i] == total]
        if parts and totals:
            found.append(Sum(totals[0], tuple(parts)))
    return found


def day_sums(counted: pd.DataFrame) -> tuple[list[Key], list[Sum]]:
    """Name the days of every row, and say that they add up over arms and over phases."""
    keys: list[Key] = list(range(len(counted)))
    return keys, _over_arms(counted, keys) + _over_phases(counted, keys)
