"""Bring several collections of evidence together, and name trials that stand there twice."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal
from urllib.parse import unquote

import pandas as pd

from discontinuation.ingest.evidence import Collection
from discontinuation.tables.frames import to_frame
from discontinuation.tables.schema import read_schema

Frames = dict[str, pd.DataFrame]
KEYED = ("studies", "arms", "results", "effects", "corrections", "readings")
# A report of one of these kinds is about many trials and identifies none.
MANY_TRIALS = ("secondary", "dataset")
THROUGH_OTHERS = "other records of the trial that join them"

DOI = re.compile(r"10\.\d{4,9}/[^\s;,|?#]+", re.I)
DOI_TAIL = re.compile(r"(/(full|fulltext|abstract|e?pdf|html|meta|summary)|\.(pdf|html?|full))+$")
PMID = re.compile(
    r"(?:\bPMID[:\s]*|pubmed(?:\.ncbi\.nlm\.nih)?(?:\.gov)?/|europepmc\.org/\w+/med/)0*(\d+)", re.I
)
PMC = re.compile(r"PMC(?:ID)?[:\s]*(?:PMC)?(\d+)", re.I)
REGISTRIES = {
    "nct": re.compile(r"NCT[-:\s]*(\d{8})(?!\d)", re.I),
    "isrctn": re.compile(r"ISRCTN[-:\s]*(\d+)", re.I),
    "eudract": re.compile(r"(?<!\d)(\d{4}-\d{6}-\d{2})(?!\d)"),
}


@dataclass(frozen=True)
class Gathered:
    """Every collection as one set of frames.

    Attributes
    ----------
    current
        Tables as they are used; each has a `collection` and a `use` column. In `studies`, records
        of the same people share a `cohort`, and `collection_rank` is the place of the collection
        in the configuration (0 for the first).
    first
        The same as first read.
    duplicates
        One row per pair of study records that are, or look like, the same trial.
    """

    current: Frames
    first: Frames
    duplicates: pd.DataFrame


@dataclass(frozen=True)
class _Marks:
    """What identifies a trial, whatever its key, by kind: inside its collection and across."""

    within: dict[str, set[str]]
    across: dict[str, set[str]]


@dataclass(frozen=True)
class _Pair:
    """Two study records with a mark in common; `apart` says why they are not joined for it."""

    study: str
    same_as: str
    same: tuple[str, ...]
    apart: str | None


def gather(collections: Sequence[Collection]) -> Gathered:
    """Join collections; a trial that stands in two of them gets one cohort and is pooled once.

    Parameters
    ----------
    collections
        In the order of the configuration.
    """
    current = _joined(collections, "current")
    first = _joined(collections, "first")
    pairs = _pairs(current)
    return Gathered(
        _one_cohort(current, pairs), _one_cohort(first, pairs), _duplicates(current, pairs)
    )


def _joined(collections: Sequence[Collection], state: Literal["current", "first"]) -> Frames:
    schema = read_schema("evidence")
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in schema}
    taken: dict[str, str] = {}
    for rank, collection in enumerate(collections):
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
            if name == "studies":
                frame["collection_rank"] = rank
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


def _pairs(frames: Frames) -> list[_Pair]:
    """Name pairs of study records that are, or look like, the same trial; `same_as` comes first.

    Within a collection these are records of one declared cohort, or with the same registration
    number, or the same drug, year and arm sizes. Across collections the same key or the same
    publication counts too: there nobody has compared them yet.
    """
    studies = frames["studies"].to_dict("records")
    marks = [_marks(study, frames) for study in studies]
    declared: dict[str, set[str]] = {}
    for study in studies:
        if pd.notna(study["cohort"]):
            declared.setdefault(study["collection"], set()).add(study["cohort"])
    pairs = []
    for i, j in combinations(range(len(studies)), 2):
        side = "within" if studies[i]["collection"] == studies[j]["collection"] else "across"
        mine, other = getattr(marks[i], side), getattr(marks[j], side)
        same = tuple(kind for kind in mine if mine[kind] & other.get(kind, set()))
        if same:
            cohorts = {studies[i]["cohort"], studies[j]["cohort"]}
            apart = None
            if {"key", "cohort"}.isdisjoint(same):
                if any(cohorts <= names for names in declared.values()):
                    apart = "different cohorts are declared"
                elif side == "within" and "registration number" not in same:
                    apart = "no cohort or registration number in common"
            pairs.append(_Pair(studies[j]["study"], studies[i]["study"], same, apart))
    return pairs


def _marks(study: Mapping[Hashable, Any], frames: Frames) -> _Marks:
    arms = frames["arms"]
    sizes = arms.loc[arms["study"] == study["study"], "n_randomised"].dropna().astype(int)
    cohort = {study["cohort"] if pd.notna(study["cohort"]) else study["study"]}
    registered = _registrations(study["registration"])
    report = _report(study, frames["sources"])
    look = {}
    if len(sizes) >= 2 and pd.notna(study["year"]):
        numbers = "/".join(sizes.sort_values().astype(str))
        known = f"{study['drug'].lower()} {study['year']} {numbers}"
        look = {"drug, year and arm sizes": {known}}
    return _Marks(
        # A publication may report several trials, so within a collection it marks none of them.
        within={"cohort": cohort, "registration number": registered, **look},
        across={
            "key": {study["study"].partition("@")[0]},
            "cohort": cohort,
            "registration number": registered | _registry_numbers(report),
            "publication": {f"{paper} {study['drug_class']}" for paper in _papers(report)},
            **look,
        },
    )


def _report(study: Mapping[Hashable, Any], sources: pd.DataFrame) -> str:
    """Return the identifiers and the address of the study's own report as one text."""
    own = sources.loc[
        (sources["source"] == study["source"])
        & (sources["collection"] == study["collection"])
        & ~sources["kind"].isin(MANY_TRIALS)
    ]
    return "\n".join([*own["identifier"].dropna(), *map(unquote, own["url"].dropna())])


def _papers(text: str) -> set[str]:
    """Extract the DOI, PMID and PMC numbers, however they are written."""
    return (
        {f"doi {_trimmed(doi.lower())}" for doi in DOI.findall(text)}
        | {f"pmid {number}" for number in PMID.findall(text)}
        | {f"pmc {number}" for number in PMC.findall(text)}
    )


def _trimmed(doi: str) -> str:
    """Cut what follows a DOI in a sentence or an address; it may itself end in a bracket."""
    while True:
        cut = DOI_TAIL.sub("", doi.rstrip(".:'\"/]}>"))
        if cut.endswith(")") and cut.count(")") > cut.count("("):
            cut = cut[:-1]
        if cut == doi:
            return doi
        doi = cut


def _registry_numbers(text: str) -> set[str]:
    return {
        f"{registry} {number}"
        for registry, pattern in REGISTRIES.items()
        for number in pattern.findall(text)
    }


def _registrations(cell: str | None) -> set[str]:
    """Extract registration numbers; one of another registry is a single word with a digit."""
    if pd.isna(cell):
        return set()
    words = {part.strip().lower() for part in re.split("[;,|]", cell)}
    return _registry_numbers(cell) or {word for word in words if re.fullmatch(r"\S*\d\S*", word)}


def _one_cohort(frames: Frames, pairs: Iterable[_Pair]) -> Frames:
    """Give all records of the same people the cohort of the one listed first."""
    studies = frames["studies"].copy()
    studies["cohort"] = studies["cohort"].fillna(studies["study"])
    links = [(pair.same_as, pair.study) for pair in pairs if pair.apart is None]
    same_name = studies.groupby("cohort")["study"].transform("first")
    links += zip(same_name, studies["study"], strict=True)
    people = _sets(studies["study"], links)
    studies["cohort"] = studies.groupby(studies["study"].map(people))["cohort"].transform("first")
    return {**frames, "studies": studies}


def _sets(names: Iterable[str], links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name, for every record, one record of its set (union-find)."""
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for one, other in links:
        parent[root(other)] = root(one)
    return {name: root(name) for name in list(parent)}


def _duplicates(frames: Frames, pairs: Iterable[_Pair]) -> pd.DataFrame:
    """List every pair that was joined, and the look-alikes that were not, each once."""
    studies = _one_cohort(frames, pairs)["studies"]
    found = {(pair.same_as, pair.study): pair for pair in pairs}
    rows = []
    for one, other in combinations(studies.to_dict("records"), 2):
        pair = found.get((one["study"], other["study"]))
        joined = one["cohort"] == other["cohort"]
        if pair or joined:
            rows.append(
                {
                    "study": other["study"],
                    "collection": other["collection"],
                    "same_as": one["study"],
                    "same_as_collection": one["collection"],
                    "reason": _reason(pair, joined),
                }
            )
    columns = ["study", "collection", "same_as", "same_as_collection", "reason"]
    return pd.DataFrame(rows, columns=columns)


def _reason(pair: _Pair | None, joined: bool) -> str:
    if pair is None:
        return THROUGH_OTHERS
    same = "same " + ", ".join(pair.same)
    if pair.apart is None:
        return same
    return f"{same}; {THROUGH_OTHERS}" if joined else f"{same}; not joined: {pair.apart}"
