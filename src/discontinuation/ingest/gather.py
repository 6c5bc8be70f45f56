"""Bring several collections of evidence together, and name trials that stand there twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import pandas as pd

from discontinuation.ingest.evidence import Collection
from discontinuation.tables.frames import to_frame
from discontinuation.tables.schema import read_schema

Frames = dict[str, pd.DataFrame]
KEYED = ("studies", "arms", "results", "effects", "corrections", "readings")


@dataclass(frozen=True)
class Gathered:
    """Every collection as one set of frames.

    Attributes
    ----------
    current
        Tables as they are used; each has a `collection` and a `use` column.
    first
        The same as first read.
    duplicates
        One row per pair of study records that look like the same trial.
    """

    current: Frames
    first: Frames
    duplicates: pd.DataFrame


def gather(collections: Sequence[Collection]) -> Gathered:
    """Join collections; the one listed first wins where a trial stands in two of them.

    Parameters
    ----------
    collections
        In the order of the configuration.
    """
    current = _joined(collections, "current")
    first = _joined(collections, "first")
    duplicates = same_trial_twice(current)
    return Gathered(_one_cohort(current, duplicates), _one_cohort(first, duplicates), duplicates)


def _joined(collections: Sequence[Collection], state: Literal["current", "first"]) -> Frames:
    schema = read_schema("evidence")
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in schema}
    taken: dict[str, str] = {}
    for collection in collections:
        raw = getattr(collection, state)
        renamed = _renamed_studies(collection, taken)
        for name, table in schema.items():
            if name not in raw:
                continue
            frame = to_frame(raw[name], table)
            if name in KEYED:
                frame["study"] = frame["study"].replace(renamed)
            frame.insert(0, "collection", collection.name)
            frame.insert(1, "use", collection.use)
            parts[name].append(frame)
    return {
        name: pd.concat(frames, ignore_index=True)
        if frames
        else pd.DataFrame(columns=["collection", "use", *schema[name].column_names])
        for name, frames in parts.items()
    }


def _renamed_studies(collection: Collection, taken: dict[str, str]) -> dict[str, str]:
    """Rename studies whose key an earlier collection uses, so that keys stay unique."""
    renamed = {}
    for cells in collection.current["studies"].records:
        study = cells["study"]
        if taken.setdefault(study, collection.name) != collection.name:
            renamed[study] = f"{study}@{collection.name}"
    return renamed


def same_trial_twice(frames: Frames) -> pd.DataFrame:
    """Name pairs of study records that are, or look like, the same trial.

    Within a collection two records are named when they are declared to be one cohort, or have the
    same registration number, or the same drug, year and arm sizes. Across collections the same key
    or the same publication counts too: there nobody has compared them yet.

    Returns
    -------
    DataFrame
        study, collection, same_as, same_as_collection, reason. `same_as` is listed first.
    """
    studies = frames["studies"]
    marks = [_marks(study, frames) for _, study in studies.iterrows()]
    rows = []
    for i, j in combinations(range(len(studies)), 2):
        across = studies["collection"].iat[i] != studies["collection"].iat[j]
        kinds = marks[i] if across else [kind for kind in marks[i] if kind in WITHIN]
        reasons = [kind for kind in kinds if marks[i][kind] & marks[j].get(kind, set())]
        if reasons:
            rows.append(
                {
                    "study": studies["study"].iat[j],
                    "collection": studies["collection"].iat[j],
                    "same_as": studies["study"].iat[i],
                    "same_as_collection": studies["collection"].iat[i],
                    "reason": "same " + ", ".join(reasons),
                }
            )
    columns = ["study", "collection", "same_as", "same_as_collection", "reason"]
    return pd.DataFrame(rows, columns=columns)


# A publication may report several trials, so within a collection it marks none of them.
WITHIN = ("cohort", "registration number", "drug, year and arm sizes")


def _marks(study: pd.Series, frames: Frames) -> dict[str, set[str]]:
    """Collect what identifies a trial, whatever its key."""
    arms = frames["arms"]
    mine = arms.loc[arms["study"] == study["study"]]
    sizes = mine["n_randomised"].dropna().astype(int).sort_values().astype(str)
    marks = {
        "key": {study["study"].partition("@")[0]},
        "cohort": {study["cohort"] or study["study"]},
        "registration number": {study["registration"]} - {None},
        "publication": _publications(study, frames["sources"]),
    }
    if len(sizes) >= 2 and pd.notna(study["year"]):
        known = f"{study['drug'].lower()} {study['year']} {'/'.join(sizes)}"
        marks["drug, year and arm sizes"] = {known}
    return marks


def _publications(study: pd.Series, sources: pd.DataFrame) -> set[str]:
    """List the DOI, PMID and registration numbers of the study's own report, with its drug.

    A secondary source reports many trials and identifies none.
    """
    mine = sources.loc[
        (sources["source"] == study["source"])
        & (sources["collection"] == study["collection"])
        & (sources["kind"] != "secondary")
        & (sources["kind"] != "dataset")
    ]
    parts = [
        part.strip().lower() for cell in mine["identifier"].dropna() for part in cell.split(";")
    ]
    named = [part for part in parts if part.startswith(("10.", "pmid", "nct", "pmc"))]
    return {f"{part} {study['drug_class']}" for part in named}


def _one_cohort(frames: Frames, duplicates: pd.DataFrame) -> Frames:
    """Give a trial that stands in two collections one cohort, so that it is pooled once."""
    studies = frames["studies"].copy()
    studies["cohort"] = studies["cohort"].fillna(studies["study"])
    across = duplicates.loc[duplicates["collection"] != duplicates["same_as_collection"]]
    cohort = studies.set_index("study")["cohort"].to_dict()
    for pair in across.itertuples():
        if pair.study in cohort:
            cohort[pair.study] = cohort.get(pair.same_as, cohort[pair.study])
    studies["cohort"] = studies["study"].map(cohort)
    return {**frames, "studies": studies}
