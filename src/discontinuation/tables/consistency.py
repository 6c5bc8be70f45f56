"""Do the canonical tables of a dataset agree with one another?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from discontinuation.problems import allowed_values
from discontinuation.tables.instruments import Instrument
from discontinuation.tables.schema import Table

Tables = Mapping[str, pd.DataFrame]
# A gap this wide between two neighbouring doses of one person and drug, in order of size, is
# milligrams taken for micrograms. A taper in small steps reaches any low dose without one.
UNIT_MIX_UP = 500.0
# A point in time and a day number are compared with this slack, days.
SLACK = 1e-9


@dataclass(frozen=True)
class Finding:
    """Rows of a table that disagree with something.

    Attributes
    ----------
    table, column
        Where.
    rows
        Positions in the table; empty where the table as a whole is meant.
    message
        What is wrong and what is allowed, in general or for each row.
    """

    table: str
    column: str | None
    rows: np.ndarray
    message: str | list[str]


def find_disagreements(
    tables: Tables,
    schemas: Mapping[str, Table],
    instruments: Mapping[str, Instrument],
    dose_limits: Mapping[str, Mapping[str, float]],
) -> list[Finding]:
    """Find everything in which the tables contradict one another or themselves.

    Parameters
    ----------
    tables
        Every canonical table, each of the right types.
    schemas
        Their columns and keys.
    instruments
        The instruments that the dataset declares.
    dose_limits
        Per drug, `smallest_dose` and `largest_dose`.

    Returns
    -------
    list of Finding
    """
    found: list[Finding] = []
    for rule in (_empty, _strangers, _doses, _plans, _follow_up, _deteriorations, _states):
        found += rule(tables, schemas)
    found += _outside_follow_up(tables)
    found += _assessments(tables["assessments"], instruments)
    found += _dose_limits(tables["doses"], dose_limits)
    return [finding for finding in found if len(finding.rows) or finding.column is None]


def _where(
    table: str, column: str, mask: np.ndarray | pd.Series, message: str | Callable[[int], str]
) -> Finding:
    rows = np.flatnonzero(np.asarray(mask, dtype=bool))
    said = message if isinstance(message, str) else [message(int(row)) for row in rows]
    return Finding(table, column, rows, said)


def _empty(tables: Tables, schemas: Mapping[str, Table]) -> Iterator[Finding]:
    for name in ("studies", "arms", "people"):
        if tables[name].empty:
            yield Finding(name, None, np.array([], int), f"the table {name} has no row")


def _strangers(tables: Tables, schemas: Mapping[str, Table]) -> Iterator[Finding]:
    """Find references to studies, arms and people that are not listed."""
    for name, schema in schemas.items():
        for key in schema.foreign_keys:
            (column,), (referenced,) = key.columns, key.referenced
            cells = tables[name][column]
            known = tables[key.table][referenced]
            mask = cells.notna() & ~cells.isin(known)
            # An empty table is a problem of its own.
            if mask.any() and len(known):
                options = [str(value) for value in known.head(2000)]
                yield _where(
                    name,
                    column,
                    mask,
                    lambda row, c=cells, o=options, t=key.table: (  # type: ignore[misc]
                        f"is not among the {t}; " + _nearest(str(c.iloc[row]), o)
                    ),
                )
    people, arms = tables["people"], tables["arms"]
    study_of = arms.drop_duplicates("arm").set_index("arm")["study"]
    other = people["arm"].map(study_of)
    mask = other.notna() & (other != people["study"])
    yield _where("people", "study", mask, "is not the study of this arm")


def _nearest(value: str, options: list[str]) -> str:
    if len(options) <= 12:
        return allowed_values(options, value)
    text = allowed_values(options, value)
    # The nearest of many numbers is not what was meant.
    near = text[text.index(" (did you") :] if " (did you" in text and not value.isdigit() else ""
    return f"allowed: one of its {len(options)} entries{near}"


def _backwards(table: str, frame: pd.DataFrame, start: str, stop: str) -> Finding:
    mask = frame[stop] <= frame[start]
    return _where(
        table, stop, mask, lambda row: f"is not after the {start}, {frame[start].iloc[row]:g}"
    )


def _overlaps(table: str, frame: pd.DataFrame, keys: list[str], stop: str = "stop") -> Finding:
    """Find intervals that start before an earlier one of the same keys has ended."""
    codes = [pd.factorize(frame[key])[0] for key in keys]
    order = np.lexsort([frame["start"].to_numpy(), *codes[::-1]])
    ordered = frame.iloc[order]
    group = ordered.groupby([code[order] for code in codes], sort=False)[stop]
    ended = group.cummax().shift(1).to_numpy()
    same = np.ones(len(frame), dtype=bool)
    for code in codes:
        same &= np.r_[False, code[order][1:] == code[order][:-1]]
    with np.errstate(invalid="ignore"):
        mask = np.zeros(len(frame), dtype=bool)
        mask[order] = same & (ordered["start"].to_numpy() < ended - SLACK)
    before = np.full(len(frame), np.nan)
    before[order] = ended
    what = ", ".join(keys)
    return _where(
        table,
        "start",
        mask,
        lambda row: f"overlaps an interval of the same {what} that ends at {before[row]:g}",
    )


def _doses(tables: Tables, schemas: Mapping[str, Table]) -> Iterator[Finding]:
    doses = tables["doses"]
    yield _backwards("doses", doses, "start", "stop")
    yield _overlaps("doses", doses, ["person", "drug"])
    positive = doses.loc[(doses["dose"] > 0).to_numpy()].sort_values("dose", kind="stable")
    groups = positive.groupby(["person", "drug", "unit"], sort=False)["dose"]
    leap = (positive["dose"] / groups.shift(1) >= UNIT_MIX_UP).astype(int)
    above = leap.groupby([positive[key] for key in ("person", "drug", "unit")], sort=False).cumsum()
    mask = np.zeros(len(doses), dtype=bool)
    mask[positive.index] = (above > 0).to_numpy()
    yield _where(
        "doses",
        "dose",
        mask,
        f"is {UNIT_MIX_UP:g} times or more the next smaller dose of this person in the same unit: "
        "milligrams and micrograms mixed up?",
    )


def _plans(tables: Tables, schemas: Mapping[str, Table]) -> Iterator[Finding]:
    plans = tables["planned_doses"]
    both = plans["arm"].notna() == plans["person"].notna()
    yield _where("planned_doses", "arm", both, "allowed: either an arm or a person")
    yield _backwards("planned_doses", plans, "start", "stop")
    yield _overlaps("planned_doses", plans, ["arm", "person", "drug"])


def _follow_up(tables: Tables, schemas: Mapping[str, Table]) -> Iterator[Finding]:
    follow_up, people = tables["follow_up"], tables["people"]
    mask = follow_up["end"] < follow_up["start"]
    yield _where("follow_up", "end", mask, "is before the start")
    if len(follow_up):
        missing = ~people["person"].isin(follow_up["person"])
        yield _where("people", "person", missing, "has no row in follow_up")


def _deteriorations(tables: Tables, schemas: Mapping[str, Table]) -> Iterator[Finding]:
    found = tables["deteriorations"]
    for early, late in (
        ("onset", "detected"),
        ("onset_earliest", "onset"),
        ("onset", "onset_latest"),
        ("onset_earliest", "onset_latest"),
        ("onset_latest", "detected"),
        ("onset", "reinstated"),
        ("onset", "resolved"),
    ):
        mask = found[late] < found[early] - SLACK
        yield _where(
            "deteriorations",
            late,
            mask,
            lambda row, e=early: f"is before {e}, {found[e].iloc[row]:g}",  # type: ignore[misc]
        )
    mask = found["resolved"].notna() & found["resolution_censored"].fillna(False)
    yield _where("deteriorations", "resolved", mask, "is given although the resolution is censored")


def _states(tables: Tables, schemas: Mapping[str, Table]) -> Iterator[Finding]:
    states = tables["states"]
    mask = states["stop"] < states["start"]
    yield _where("states", "stop", mask, "is before the start")
    yield _overlaps("states", states, ["person"])
    last = states.groupby("person")["start"].transform("max")
    mask = (states["state"] == "dead") & (states["start"] < last)
    yield _where("states", "state", mask, "is followed by another state")


def _outside_follow_up(tables: Tables) -> Iterator[Finding]:
    """Find events outside the follow-up, and anything recorded after a death."""
    follow_up = tables["follow_up"].drop_duplicates("person").set_index("person")
    if follow_up.empty:
        return
    events = tables["deteriorations"]
    start, end = (events["person"].map(follow_up[key]) for key in ("start", "end"))
    late, early = events["detected"] > end + SLACK, events["detected"] < start - SLACK
    yield _where(
        "deteriorations", "detected", late, lambda row: f"is after the follow-up, {end.iloc[row]:g}"
    )
    yield _where(
        "deteriorations",
        "detected",
        early,
        lambda row: f"is before the follow-up, {start.iloc[row]:g}",
    )
    dead = follow_up.loc[follow_up["end_reason"] == "died", "end"]
    if dead.empty:
        return
    for name, column in (("assessments", "day"), ("doses", "start")):
        died = tables[name]["person"].map(dead)
        # The day of death still counts.
        mask = tables[name][column] >= died + 1
        yield _where(name, column, mask, "is after the person's death")


def _assessments(
    assessments: pd.DataFrame, instruments: Mapping[str, Instrument]
) -> Iterator[Finding]:
    """Find unknown instruments and items, and values that an item cannot have."""
    pairs = assessments[["instrument", "item"]].astype(object).drop_duplicates()
    codes = assessments.groupby(["instrument", "item"], sort=False, dropna=False, observed=True)
    position = codes.ngroup().to_numpy()
    value = assessments["value"].to_numpy()
    unknown: set[str] = set()
    for group, (instrument, item) in enumerate(pairs.itertuples(index=False)):
        rows = position == group
        if pd.isna(instrument) or pd.isna(item):
            continue
        if instrument not in instruments:
            if instrument not in unknown:
                unknown.add(instrument)
                rows = (assessments["instrument"] == instrument).to_numpy()
                text = "is not declared; " + allowed_values(sorted(instruments), instrument)
                yield _where("assessments", "instrument", rows, text)
            continue
        known = instruments[instrument]
        limits = known.limits(item)
        if limits is None:
            text = f"is no item of {instrument}; " + allowed_values(known.item_names(), item)
            yield _where("assessments", "item", rows, text)
            continue
        low, high = limits
        with np.errstate(invalid="ignore"):
            bad = rows & ((value < low) | (value > high))
        text = f"{instrument} {item}: allowed: {low:g} to {high:g}"
        yield _where("assessments", "value", bad, text)


def _dose_limits(
    doses: pd.DataFrame, limits: Mapping[str, Mapping[str, float]]
) -> Iterator[Finding]:
    """Find doses that cannot be, and drugs that are not declared."""
    if not limits:
        return
    unknown = ~doses["drug"].isin(list(limits)) & doses["drug"].notna()
    yield _where(
        "doses",
        "drug",
        unknown,
        lambda row: (
            "is not declared; " + allowed_values(sorted(limits), str(doses["drug"].iloc[row]))
        ),
    )
    for drug, limit in limits.items():
        rows = (doses["drug"] == drug).to_numpy()
        dose = doses["dose"].to_numpy()
        if "largest_dose" in limit:
            text = f"{drug}: allowed: {limit['largest_dose']:g} or less"
            yield _where("doses", "dose", rows & (dose > limit["largest_dose"]), text)
        if "smallest_dose" in limit:
            text = f"{drug}: allowed: 0, or {limit['smallest_dose']:g} or more"
            bad = rows & (dose > 0) & (dose < limit["smallest_dose"])
            yield _where("doses", "dose", bad, text)
