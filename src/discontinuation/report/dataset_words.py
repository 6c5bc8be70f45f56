"""Sentences about one dataset, written from its own declaration and its counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from discontinuation.describe.exposure_phases import main_drugs
from discontinuation.describe.given import complete
from discontinuation.describe.summary import individuals_shown
from discontinuation.fingerprint import ROOT
from discontinuation.report.numbers import plain
from discontinuation.report.palette import class_name
from discontinuation.report.words import TAGS, joined, many
from discontinuation.tables.instruments import read_instruments

Dataset = Mapping[str, Any]
INSTRUMENTS = ROOT.parents[1] / "data" / "reference" / "instruments.yaml"
SMALLEST_CELL = 5

DESIGNS = {
    "parallel_trial": "parallel trial",
    "crossover_trial": "crossover trial",
    "single_case": "single case",
    "case_series": "case series",
    "cohort": "cohort",
    "registry": "registry",
}
BLINDING = {
    "open": "open",
    "single": "single blind",
    "double": "double blind",
    "unclear": "blinding unclear",
}
ESTIMANDS = {
    "E1": "any deterioration (composite)",
    "E2": "relapse first, withdrawal first (crude)",
    "E3": "cause-specific hazards",
    "E4": "hypothetical: withdrawal pathway closed",
    "E5": "separable effects",
    "E6": "time in each state",
    "E7": "success of stopping",
    "E8": "principal stratum: never withdrawal",
}
# What cannot be said without a table.
NOTHING_KNOWN = {
    "people": "There is no table of people, so nobody can be counted.",
    "arms": "There is no table of arms; the arms are those that people name.",
    "planned_doses": "No planned doses are known, so doses cannot be compared with a plan.",
    "doses": "No doses are known: phases of stopping and dose curves cannot be given.",
    "assessments": "No ratings are known.",
    "follow_up": "No follow-up is known: time, rates and reasons for ending cannot be given.",
    "deteriorations": "No deterioration is recorded or derived.",
    "states": "No sequence of states is recorded.",
}


def origin(dataset: Dataset) -> str:
    """Name day 0."""
    return str((dataset.get("time") or {}).get("origin") or "randomisation")


def smallest_cell(dataset: Dataset) -> int:
    """Give the smallest count of people that may be printed."""
    return int(dataset.get("smallest_cell", SMALLEST_CELL))


def shows_individuals(dataset: Dataset) -> bool:
    """Say whether people may be shown one by one."""
    return individuals_shown(smallest_cell(dataset), bool(dataset.get("individual_figures")))


def definition_names(dataset: Dataset, deteriorations: pd.DataFrame | None) -> dict[str, str]:
    """Name the definitions of getting worse: the declared ones, then those of the data."""
    declared = (dataset.get("events") or {}).get("definitions") or []
    names = {str(each["id"]): str(each.get("title") or each["id"]) for each in declared}
    occurring = [] if deteriorations is None else sorted(set(deteriorations["definition"]))
    return {name: name.replace("_", " ") for name in occurring} | names


def definitions_in_order(dataset: Dataset) -> list[str]:
    """List the declared definitions, the main one first, which the data themselves may record."""
    events = dataset.get("events") or {}
    names = [str(each["id"]) for each in events.get("definitions") or []]
    main = events.get("main")
    return [*([str(main)] if main else []), *(name for name in names if name != main)]


def instrument_names(dataset: Dataset) -> dict[str, str]:
    """Name the instruments: as the declaration does, or else as the reference does."""
    declared = dataset.get("instruments") or {}
    titles = {key: str((each or {}).get("title") or "") for key, each in declared.items()}
    if not all(titles.values()):
        reference = read_instruments(INSTRUMENTS)
        titles = {
            key: title or (reference[key].title if key in reference else "")
            for key, title in titles.items()
        }
    return {key: title for key, title in titles.items() if title}


def about_studies(studies: pd.DataFrame | None) -> list[str]:
    """Say what kind of studies these are, and what was randomised."""
    if studies is None or studies.empty:
        return ["There is no table of studies, so nothing is known about the design."]
    return [f"The data come from {_studies(studies)}.", *_allocation(studies)]


def _studies(studies: pd.DataFrame) -> str:
    kinds = [DESIGNS.get(str(kind), str(kind)) for kind in dict.fromkeys(studies["design"])]
    classes = [class_name(str(kind)) for kind in dict.fromkeys(studies["drug_class"])]
    return (
        f"{many(len(studies), 'study', 'studies')} (design: {joined(kinds)}; class of drug: "
        f"{joined(classes)})"
    )


def _allocation(studies: pd.DataFrame) -> list[str]:
    return [
        _randomised(studies["allocation_randomised"], "Allocation"),
        _randomised(studies["pace_randomised"], "The pace of stopping"),
    ]


def _randomised(randomised: pd.Series, what: str) -> str:
    yes = int(randomised.eq(True).sum())
    if len(randomised) == 1:
        return f"{what} was {'' if yes else 'not '}randomised."
    return f"{what} was randomised in {yes} of {len(randomised)}."


def missing_tables(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Say what cannot be said because a table is missing or empty, by table."""
    return {
        name: text
        for name, text in NOTHING_KNOWN.items()
        if name not in tables or tables[name].empty
    }


def masking_note(dataset: Dataset) -> str:
    """Say how small counts are shown."""
    smallest = smallest_cell(dataset)
    if smallest == 1:
        return "Every count is shown as it is."
    return (
        f"Counts of 1 to {smallest - 1} people are shown as <{smallest}. A larger count is shown "
        f"as ≥{smallest}, and any number as a dash, where a small count would follow from it."
    )


def why_no_individuals(dataset: Dataset) -> str:
    """Say why people are not shown one by one."""
    return (
        "People are not shown one by one: this dataset masks counts below "
        f"{smallest_cell(dataset)} people and is not declared public (individual_figures)."
    )


def methods(
    dataset: Dataset,
    tables: Mapping[str, pd.DataFrame],
    confidence: float = 0.95,
) -> list[str]:
    """Write the methods of the data report, ready to be pasted into a paper.

    Parameters
    ----------
    dataset
        Its declaration.
    tables
        Canonical tables; any may be missing.
    confidence
        Level of the intervals.

    Returns
    -------
    list of str
        Paragraphs in the past tense.
    """
    return [
        _source_methods(dataset, tables),
        _dose_methods(main_drugs(complete(tables))),
        _event_methods(dataset, confidence),
        _missing_methods(dataset),
    ]


def _source_methods(dataset: Dataset, tables: Mapping[str, pd.DataFrame]) -> str:
    studies = tables.get("studies")
    described = ""
    if studies is not None and len(studies):
        described = f"They came from {_studies(studies)}. {' '.join(_allocation(studies))}"
    made_up = " The people in them were made up by a program." if dataset.get("synthetic") else ""
    notices = " ".join(_sentence(notice) for notice in dataset.get("notices") or [])
    text = (
        f"We described the data of “{dataset['title']}” ({str(dataset['citation']).strip()}; "
        f"licence: {dataset['licence']}).{made_up} {described} Time was counted in days since "
        f"{origin(dataset)}. {notices}"
    )
    return " ".join(text.split())


def _sentence(text: str) -> str:
    text = str(text).strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _dose_methods(drugs: pd.DataFrame) -> str:
    if drugs.empty:
        return "No doses were known, so follow-up was not divided into phases of stopping."
    pairs = dict.fromkeys(zip(drugs["drug"], drugs["unit"], strict=True))
    named = joined([f"{drug} ({unit})" for drug, unit in pairs])
    return (
        f"Doses were those of the drug that most people of an arm had: {named}. They were "
        "described by their median, quartiles and deciles among people with a known dose, and "
        "called as planned within a tenth of the plan. Each person's follow-up was divided, by "
        "the drug of their arm or else by their own, into time at the highest dose so far, time "
        "below it, and time at dose 0, without looking ahead; time without a record of the dose "
        "was counted as unknown."
    )


def _event_methods(dataset: Dataset, confidence: float) -> str:
    events = dataset.get("events") or {}
    declared = events.get("definitions") or []
    if declared:
        named = "; ".join(_definition(each, events.get("main")) for each in declared)
        first = f"Deterioration was defined as follows: {named}."
    else:
        first = "Deterioration was taken as the data recorded it."
    return (
        f"{first} Of each person and definition the first episode was counted, and time at risk "
        "ended when the definition was met (and, separately, at the first worsening, where every "
        "onset was known). Crude rates were computed per 100 person-years with exact Poisson "
        f"{plain(100 * confidence)} % intervals (Garwood 1936)."
    )


def _definition(each: Mapping[str, Any], main: Any) -> str:
    title = str(each.get("title") or each["id"]).strip().rstrip(".")
    source = str(each.get("source") or "").strip().rstrip(".")
    tag = TAGS.get(str(each.get("tag")), "")
    details = [part for part in (source, tag, "main definition" * (each["id"] == main)) if part]
    return f"{title} ({'; '.join(details)})" if details else title


def _missing_methods(dataset: Dataset) -> str:
    text = (
        "Nothing was imputed or carried forward. Ratings were compared with the planned visits "
        "where these were known, and otherwise counted in intervals of equal length among people "
        "under observation."
    )
    smallest = smallest_cell(dataset)
    if smallest > 1:
        text += (
            f" Counts of 1 to {smallest - 1} people were not shown, nor numbers from which they "
            "would follow."
        )
    return text


def missing_in_section(tables: Mapping[str, pd.DataFrame], names: Sequence[str]) -> list[str]:
    """Say what is missing for one section."""
    found = missing_tables(tables)
    return [found[name] for name in names if name in found]
