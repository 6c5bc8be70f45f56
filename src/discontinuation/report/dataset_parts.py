"""What the page of a dataset is made of: its summaries and its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from discontinuation.describe.given import Tables, arms_in_order, complete
from discontinuation.describe.summary import summarise
from discontinuation.report import dataset_words as say
from discontinuation.report.around import Setting
from discontinuation.report.dose_trajectories import (
    MOST_CASES,
    draw_dose_trajectories,
    draw_single_cases,
)
from discontinuation.report.flow_chart import draw_flow_chart
from discontinuation.report.missingness import draw_missingness
from discontinuation.report.person_time import draw_event_rates, draw_person_time
from discontinuation.report.swimmer import draw_swimmer


def summarise_dataset(dataset: Mapping[str, Any], tables: Tables) -> dict[str, pd.DataFrame]:
    """Make the summaries of a dataset as its declaration asks for them, small counts masked.

    Parameters
    ----------
    dataset
        Content of its declaration.
    tables
        Canonical tables; any may be missing.
    """
    return summarise(
        tables,
        definitions=say.definitions_in_order(dataset),
        schedule=planned_visits(dataset),
        smallest_cell=say.smallest_cell(dataset),
        individual_figures=bool(dataset.get("individual_figures")),
    )


def planned_visits(dataset: Mapping[str, Any]) -> dict[str, list[float]]:
    """Collect, by instrument, the days on which the declared definitions expect a visit."""
    found: dict[str, set[float]] = {}
    for definition in (dataset.get("events") or {}).get("definitions") or []:
        days = (definition.get("persistence") or {}).get("scheduled_days") or []
        for instrument in _instruments(definition.get("rule")):
            found.setdefault(instrument, set()).update(map(float, days))
    return {name: sorted(days) for name, days in found.items() if days}


def _instruments(rule: Any) -> Iterator[str]:
    """Find the instruments that a rule names, however deep."""
    if isinstance(rule, Mapping):
        if "instrument" in rule:
            yield str(rule["instrument"])
        for part in rule.values():
            yield from _instruments(part)
    elif isinstance(rule, list):
        for part in rule:
            yield from _instruments(part)


def draw_dataset(
    dataset: Mapping[str, Any], tables: Tables, summaries: Mapping[str, pd.DataFrame], seed: int
) -> dict[str, Figure]:
    """Draw every figure that a dataset has something for.

    Parameters
    ----------
    dataset
        Content of its declaration.
    tables
        Canonical tables; any may be missing.
    summaries
        From `summarise_dataset`.
    seed
        Chooses the people of the swimmer plot where there are many.

    Returns
    -------
    dict
        Figures by name; one for which there is nothing to draw is left out. People are shown one
        by one only where that is allowed, and in ``single_cases`` and ``missingness_people`` only
        where they are few.
    """
    setting = setting_of(dataset)
    arms = arms_in_order(complete(tables))
    labels = dict(zip(arms["arm"], arms["label"], strict=True))
    names = say.definition_names(dataset, tables.get("deteriorations"))
    instruments = say.instrument_names(dataset)
    figures = {}
    if len(arms):
        figures["flow_chart"] = draw_flow_chart(summaries["flow"], arms, setting)
    if summaries["observation"]["people_shown"].ne("0").any():
        figures["person_time"] = draw_person_time(summaries["observation"], arms, setting)
    if len(summaries["person_time"]):
        figures["event_rates"] = draw_event_rates(summaries["person_time"], arms, setting, names)
    if len(summaries["dose_quantiles"]):
        quantiles = summaries["dose_quantiles"]
        figures["dose_trajectories"] = draw_dose_trajectories(quantiles, arms, setting)
    people = tables.get("people")
    if len(summaries["ratings"]) and people is not None and len(people) > 1:
        ratings = summaries["ratings"]
        figures["missingness"] = draw_missingness(ratings, labels, instruments, setting)
    if say.shows_individuals(dataset):
        figures |= _individuals(dataset, tables, summaries, setting, seed)
    return figures


def setting_of(dataset: Mapping[str, Any]) -> Setting:
    """Collect what all figures of a dataset have in common."""
    return Setting(
        str(dataset["title"]),
        bool(dataset.get("synthetic")),
        say.origin(dataset),
        tuple(map(str, dataset.get("notices") or ())),
    )


def _individuals(
    dataset: Mapping[str, Any],
    tables: Tables,
    summaries: Mapping[str, pd.DataFrame],
    setting: Setting,
    seed: int,
) -> dict[str, Figure]:
    """Draw people one by one: a choice of them, and all of them where they are few."""
    given = complete(tables)
    names = say.definition_names(dataset, tables.get("deteriorations"))
    figures = {}
    if len(given["follow_up"]):
        figures["swimmer"] = draw_swimmer(tables, setting, seed, names)
    if 0 < given["doses"]["person"].nunique() <= MOST_CASES:
        figures["single_cases"] = draw_single_cases(tables, setting, names)
    by_person = summaries.get("ratings_by_person")
    if by_person is not None and len(by_person):
        instruments = say.instrument_names(dataset)
        figures["missingness_people"] = draw_missingness(by_person, {}, instruments, setting)
    return figures
