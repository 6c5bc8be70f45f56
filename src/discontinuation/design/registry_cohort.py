"""Who in a registry could have entered the target trial, and what is known of them?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.design._daily import FloatArray
from discontinuation.design._numbers import LISTED, column_problems
from discontinuation.design.cloning import Cohort
from discontinuation.design.dispensing import dispensing_problems, held_doses
from discontinuation.design.strategies import DAYS, TargetTrial
from discontinuation.problems import Problem, allowed_values, refuse

Names = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class RegistryTables:
    """A registry; time is days since the person's time zero.

    Attributes
    ----------
    people
        person and covariates that do not change.
    dispensings
        person, day, dose (mg per day), days_supply.
    follow_up
        person, start, end.
    deteriorations
        person, definition, detected.
    measures
        person, day and covariates that change, as known from that day on; None: there are none.
    """

    people: pd.DataFrame
    dispensings: pd.DataFrame
    follow_up: pd.DataFrame
    deteriorations: pd.DataFrame
    measures: pd.DataFrame | None = None


def build_cohort(
    tables: RegistryTables, trial: TargetTrial, covariates: Sequence[str], definition: str
) -> tuple[Cohort, pd.DataFrame]:
    """Apply the criteria at time zero.

    Parameters
    ----------
    tables
        The registry.
    trial
        What is emulated.
    covariates
        Columns of people or measures that decide both how people go on and how they fare. Text
        becomes one column per value but the first.
    definition
        Of the outcome, as in the deteriorations.

    Returns
    -------
    cohort
        Those who could enter.
    flow
        One row per criterion: step, people (left after it).

    Raises
    ------
    InvalidInput
        Everything that keeps the tables from being used, and when nobody is eligible.
    """
    refuse(_problems(tables, covariates, definition))
    people = tables.people["person"].to_numpy(dtype=object)
    follow = tables.follow_up.set_index("person").reindex(people)
    last = follow["end"].to_numpy(dtype=float)
    first = _first_outcome(tables.deteriorations, people, definition)
    held = held_doses(tables.dispensings, people, trial)
    steps = {
        "in the registry": np.ones(len(people), dtype=bool),
        "observed at time zero": (follow["start"].to_numpy(dtype=float) <= 0) & (last > 0),
        "a dose in hand just before time zero": np.isfinite(held.full_dose),
        f"the same dose for at least {trial.stable_days} days": held.eligible(trial),
        "no outcome before": ~(first <= 0),
    }
    kept = np.logical_and.accumulate(np.array(list(steps.values())), axis=0)
    flow = pd.DataFrame({"step": list(steps), "people": kept.sum(axis=1)})
    chosen = kept[-1]
    if not chosen.any():
        refuse([Problem("registry", "nobody is eligible at time zero", value=str(len(people)))])
    names, values = _covariates(tables, covariates, people[chosen], trial)
    event = (first <= np.minimum(last, trial.horizon_days)) & chosen
    day = np.where(event, first, np.minimum(np.floor(last), trial.horizon_days))
    cohort = Cohort(
        people=people[chosen],
        share=held.share[chosen],
        day=np.maximum(np.ceil(day[chosen]), 1).astype(np.int64),
        event=event[chosen],
        names=names,
        covariates=values,
    )
    return cohort, flow


def _first_outcome(events: pd.DataFrame, people: Names, definition: str) -> FloatArray:
    chosen = events.loc[events["definition"] == definition]
    first = chosen.groupby("person")["detected"].min().reindex(people)
    return np.asarray(first.astype(float).fillna(np.inf), dtype=np.float64)


def _covariates(
    tables: RegistryTables, names: Sequence[str], people: Names, trial: TargetTrial
) -> tuple[tuple[str, ...], FloatArray]:
    """Standardise what is known at the start of each week, shape (n, weeks, p)."""
    fixed = tables.people.set_index("person").reindex(people)
    labels: list[str] = []
    columns: list[FloatArray] = []
    for name in names:
        if name in fixed:
            coded = _coded(fixed[name], name)
            labels += list(coded)
            columns += [np.repeat(column[:, None], trial.weeks, 1) for column in coded.values()]
        else:
            labels.append(name)
            columns.append(_over_time(tables.measures, name, people, trial))
    values = np.stack(columns, axis=2) if columns else np.empty((len(people), trial.weeks, 0))
    refuse(_blanks(values, labels, people))
    start = values[:, 0]
    spread = start.std(axis=0)
    constant = [label for label, size in zip(labels, spread, strict=True) if size == 0]
    refuse(
        Problem("covariates", "is the same for everybody at time zero; leave it out", column=label)
        for label in constant
    )
    return tuple(labels), (values - start.mean(axis=0)) / spread


def _coded(column: pd.Series, name: str) -> dict[str, FloatArray]:
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return {name: column.to_numpy(dtype=float, na_value=np.nan)}
    levels = sorted(column.dropna().unique())
    blank = column.isna().to_numpy()
    return {
        f"{name}: {level}": np.where(blank, np.nan, (column == level).to_numpy(dtype=float))
        for level in levels[1:] or levels
    }


def _over_time(
    measures: pd.DataFrame | None, name: str, people: Names, trial: TargetTrial
) -> FloatArray:
    """Last value known at the start of each week; NaN before the first."""
    assert measures is not None
    known = measures.loc[measures[name].notna(), ["person", "day", name]]
    code = pd.Index(people).get_indexer(pd.Index(known["person"]))
    week = np.ceil(known["day"].to_numpy(dtype=float) / DAYS).astype(np.int64)
    here = (code >= 0) & (week < trial.weeks)
    order = np.lexsort((known["day"].to_numpy()[here], code[here]))
    found = np.full((len(people), trial.weeks), np.nan)
    found[code[here][order], np.maximum(week[here][order], 0)] = known[name].to_numpy(dtype=float)[
        here
    ][order]
    at = np.where(np.isfinite(found), np.arange(trial.weeks), 0)
    np.maximum.accumulate(at, axis=1, out=at)
    return np.take_along_axis(found, at, axis=1)


def _blanks(values: FloatArray, labels: Sequence[str], people: Names) -> Iterator[Problem]:
    blank = np.asarray(~np.isfinite(values).all(axis=1))
    for place, label in enumerate(labels):
        who = people[blank[:, place]]
        if len(who):
            some = ", ".join(map(str, who[:LISTED]))
            rule = f"is not known at time zero of {len(who)} eligible people, such as {some}"
            yield Problem("covariates", rule, column=label)


def _problems(
    tables: RegistryTables, covariates: Sequence[str], definition: str
) -> Iterator[Problem]:
    needed = {
        "people": ("person",),
        "follow_up": ("person", "start", "end"),
        "deteriorations": ("person", "definition", "detected"),
        **({} if tables.measures is None else {"measures": ("person", "day")}),
    }
    missing = [
        Problem(table, "this column is missing", column=name)
        for table, names in needed.items()
        for name in names
        if name not in getattr(tables, table)
    ]
    yield from missing
    yield from dispensing_problems(tables.dispensings)
    if missing:
        return
    for name in ("people", "follow_up"):
        twice = getattr(tables, name)["person"].duplicated()
        for row in np.flatnonzero(twice)[:LISTED]:
            yield Problem(name, "this person has two rows", int(row) + 2, "person")
    yield from _number_problems(tables, covariates)
    yield from _person_problems(tables)
    known = [str(value) for value in tables.deteriorations["definition"].unique()]
    if definition not in known:
        rule = allowed_values(known, definition)
        yield Problem("deteriorations", rule, None, "definition", definition)
    measured = [] if tables.measures is None else list(tables.measures.columns)
    possible = [str(name) for name in (*tables.people.columns, *measured)]
    possible = [name for name in possible if name not in ("person", "day")]
    for name in dict.fromkeys(covariates):
        if list(covariates).count(name) > 1:
            yield Problem("covariates", "is named twice; name it once", value=str(name))
        if name not in possible:
            yield Problem("covariates", allowed_values(possible, name), value=name)


def _number_problems(tables: RegistryTables, covariates: Sequence[str]) -> Iterator[Problem]:
    yield from column_problems("follow_up", tables.follow_up, ("start", "end"))
    yield from column_problems("deteriorations", tables.deteriorations, ("detected",))
    if tables.measures is None:
        return
    yield from column_problems("measures", tables.measures, ("day",))
    changing = [
        name
        for name in dict.fromkeys(covariates)
        if name in tables.measures and name not in tables.people and name != "day"
    ]
    yield from column_problems("measures", tables.measures, changing, blanks=True)


def _person_problems(tables: RegistryTables) -> Iterator[Problem]:
    alone = ~tables.people["person"].isin(tables.follow_up["person"])
    for person in tables.people.loc[alone, "person"][:LISTED]:
        yield Problem("follow_up", f"person {person}: has no row")
    for table in ("dispensings", "follow_up", "deteriorations", "measures"):
        frame = getattr(tables, table)
        if frame is None or "person" not in frame:
            continue
        strangers = frame.loc[~frame["person"].isin(tables.people["person"]), "person"].unique()
        if len(strangers):
            some = ", ".join(map(str, strangers[:LISTED]))
            rule = f"without a row in people: {len(strangers)}"
            yield Problem(table, rule, None, "person", some)
