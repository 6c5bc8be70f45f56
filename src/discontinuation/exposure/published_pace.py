"""How fast can a published arm have stopped, if only the length of its taper is printed?

A length in days does not say in which steps. Its pace is given as the range over a few plausible
schedules of that length, each of them named.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import pandas as pd

from discontinuation.exposure.arm_pace import NO_LABEL
from discontinuation.exposure.authors import (
    STOPPED,
    courses_of_arms,
    days_of_arm,
    find_changes,
    name_by_authors,
)
from discontinuation.exposure.definitions import Definition
from discontinuation.exposure.drugs import Drug, Drugs, coverage
from discontinuation.exposure.pace import QUANTITIES, pace_of
from discontinuation.exposure.parameters import Parameters, parameters_of
from discontinuation.exposure.schedules import Schedule, hyperbolic, linear
from discontinuation.exposure.strategy import Strategies, label_pace
from discontinuation.problems import InvalidInput

STEP_DAYS = 7.0  # between the steps of an assumed schedule
UNKNOWN_START = 1.0  # stands for a dose of which only shares can be told
NO_START = "not known, shares only"
NO_DOSE = "the starting dose is not known"
IN_DOSES = ["start_dose", "lowest_dose"]
AFTER_HALF_LIVES, AFTER_DAYS = 10.0, 30.0  # followed after the last step
SLOWER = "slower"


@dataclass(frozen=True, eq=False)
class PublishedPace:
    """The pace that published arms can have had.

    Attributes
    ----------
    schedules
        One row per study, arm, drug and assumed schedule: study, arm, drug, start_dose_basis,
        days, minimum (whether the days are one), assumed (steps in words), the quantities of
        `pace_of`, in_milligrams and at_receptor (labels) and the reasons why any are missing.
    ranges
        One row per study, arm and quantity: lowest, highest, schedules (how many gave it) and
        minimum (whether the printed length is a minimum, so that the range is open).
    labels
        One row per study and arm: in_milligrams and at_receptor, every label that one of the
        schedules has, joined by " or " ("or slower" where the length is a minimum), and assumed
        (what was assumed of the arm).
    """

    schedules: pd.DataFrame
    ranges: pd.DataFrame
    labels: pd.DataFrame


def plausible_pace(
    arms: pd.DataFrame, studies: pd.DataFrame, drugs: Drugs, strategies: Strategies
) -> PublishedPace:
    """Give each published arm that stopped the range of pace its taper length allows.

    Parameters
    ----------
    arms
        study, arm, strategy, taper_days, taper_days_lower, taper_days_upper, formulation.
    studies
        study, drug (several separated by "|").
    drugs
        From `read_drugs`.
    strategies
        How to name them.

    Returns
    -------
    PublishedPace
        For each drug of the study and each end of the length in days: equal weekly steps in
        milligrams, equal weekly falls of occupancy (where the drug has a curve), and two steps,
        half the dose and then nothing; for 0 days one step. The starting dose is not printed: the
        minimum effective one is assumed, else only shares are given. Arms whose length is not
        printed are passed over.
    """
    names = dict(zip(studies["study"], studies["drug"], strict=True))
    cases = [
        case
        for arm in arms.loc[arms["strategy"].isin(STOPPED)].to_dict("records")
        for case in _cases(arm, names.get(arm["study"]), drugs)
    ]
    cases.sort(key=lambda case: case.drug.name or "")
    grouped = [list(group) for _, group in groupby(cases, key=lambda case: case.drug)]
    if not grouped:
        return PublishedPace(pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    described = [_describe(group, strategies) for group in grouped]
    schedules = pd.concat(described, ignore_index=True)
    order = arms[["study", "arm"]].reset_index(names="place")
    schedules = schedules.merge(order, on=["study", "arm"]).sort_values("place", kind="stable")
    schedules = schedules.drop(columns="place").reset_index(drop=True)
    return PublishedPace(schedules, _ranges(schedules), _joined_labels(schedules))


def published_tables(
    evidence: Mapping[str, pd.DataFrame],
    drugs: Drugs,
    strategies: Strategies,
    definitions: Sequence[Definition],
) -> tuple[dict[str, pd.DataFrame], PublishedPace]:
    """Describe the published arms of a run, and what each author would call them.

    Parameters
    ----------
    evidence
        Current tables of the evidence, with arms and studies; those in use are described.
    drugs, strategies, definitions
        As in `plausible_pace` and `name_by_authors`.

    Returns
    -------
    tables
        published_pace, published_pace_ranges and published_pace_labels (see `PublishedPace`),
        published_authors (study, arm, one column per author, and what `find_changes` says) and
        drug_coverage.
    pace
        What the first three are made of.
    """
    arms, studies = (evidence[name].query("use == 'include'") for name in ("arms", "studies"))
    pace = plausible_pace(arms, studies, drugs, strategies)
    classes = dict(zip(studies["study"], studies["drug_class"], strict=True))
    named = name_by_authors(courses_of_arms(arms, classes), definitions)
    tables = {
        "published_pace": pace.schedules,
        "published_pace_ranges": pace.ranges,
        "published_pace_labels": pace.labels,
        "published_authors": named.join(find_changes(named, strategies)).reset_index(),
        "drug_coverage": coverage(drugs),
    }
    return tables, pace


@dataclass(frozen=True, eq=False)
class _Case:
    """One schedule that an arm can have had."""

    about: dict[str, Any]
    drug: Parameters
    schedule: Schedule


def _cases(arm: Mapping[Hashable, Any], names: object, drugs: Drugs) -> Iterator[_Case]:
    days = days_of_arm(arm)
    if days is None:
        return
    low, high = days if isinstance(days, tuple) else (days, days)
    for name in str(names).split("|") if isinstance(names, str) else [""]:
        drug = parameters_of(_find(drugs, name))
        start, basis = drug.minimum_effective_dose, "minimum effective dose"
        basis = f"{basis}, assumed ({drug.tag(basis)})"
        if start is None:
            start, basis = UNKNOWN_START, NO_START
            drug = replace(drug, k=None, emax=None, no_occupancy=NO_DOSE)
        for length in sorted({low, high} - {math.inf}):
            for words, schedule in _schedules(drug, start, length):
                about = {"study": arm["study"], "arm": arm["arm"], "drug": name or None}
                about |= {"start_dose_basis": basis, "days": length}
                yield _Case(about | {"minimum": math.isinf(high), "assumed": words}, drug, schedule)


def _find(drugs: Drugs, name: str) -> Drug | None:
    try:
        return drugs.find(name)
    except InvalidInput:
        return None


def _schedules(drug: Parameters, start: float, days: float) -> Iterator[tuple[str, Schedule]]:
    if days == 0:
        yield "one step", linear(drug, start, 0, 1)
        return
    steps = max(2, round(days / STEP_DAYS) + 1)
    yield "two steps, half and then nothing", linear(drug, start, days, 2)
    if steps > 2:
        yield "equal weekly steps in milligrams", linear(drug, start, days, steps)
        if drug.no_occupancy is None:
            yield "equal weekly falls of occupancy", hyperbolic(drug, start, days, steps)


def _describe(cases: list[_Case], strategies: Strategies) -> pd.DataFrame:
    """Describe the schedules of one drug."""
    drug = cases[0].drug
    after = max(AFTER_DAYS, AFTER_HALF_LIVES * (drug.half_life_days or 0.0))
    doses = [case.schedule.doses(after).assign(person=at) for at, case in enumerate(cases)]
    table = pace_of(pd.concat(doses, ignore_index=True), drug).table
    labels = label_pace(table, strategies)[["in_milligrams", "at_receptor"]]
    about = pd.DataFrame([case.about for case in cases])
    reasons = ["occupancy_refused", "fall_refused", "doubtful"]
    found = pd.concat([about, table[list(QUANTITIES)], labels, table[reasons]], axis=1)
    found[IN_DOSES] = found[IN_DOSES].mask(found["start_dose_basis"] == NO_START)
    return found


def _ranges(schedules: pd.DataFrame) -> pd.DataFrame:
    keys = ["study", "arm", "minimum"]
    long = schedules.melt(keys, list(QUANTITIES), "quantity", "value")
    groups = long.groupby([*keys, "quantity"], sort=False)["value"]
    return groups.agg(lowest="min", highest="max", schedules="count").reset_index()


def _joined_labels(schedules: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (study, arm, minimum), group in schedules.groupby(["study", "arm", "minimum"], sort=False):
        joined = {
            view: _joined(group[view], open_end=bool(minimum))
            for view in ("in_milligrams", "at_receptor")
        }
        shapes = "; ".join(dict.fromkeys(group["assumed"]))
        basis = "; ".join(dict.fromkeys(group["start_dose_basis"]))
        assumed = f"steps: {shapes}; starting dose: {basis}"
        rows.append({"study": study, "arm": arm, **joined, "assumed": assumed})
    return pd.DataFrame(rows)


def _joined(labels: pd.Series, *, open_end: bool) -> str:
    """Name every label once, and what else a longer taper may be."""
    words = [word for label in labels.fillna(NO_LABEL) for word in label.split(" or ")]
    known = open_end and labels.notna().any()
    return " or ".join(dict.fromkeys([*words, SLOWER] if known else words))
