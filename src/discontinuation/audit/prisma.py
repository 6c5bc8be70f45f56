"""Do the counts of a review's flow add up?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from discontinuation.config import complete_config
from discontinuation.fingerprint import ROOT
from discontinuation.ingest.yaml_text import read_yaml
from discontinuation.problems import Problem, refuse

SCHEMA = ROOT.parents[1] / "workflow" / "schemas" / "prisma.schema.yaml"
Counts = Mapping[str, Any]


@cache
def prisma_schema() -> dict[str, Any]:
    """Read the JSON schema of a flow."""
    return dict(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))


def read_flow(path: Path) -> dict[str, Any]:
    """Read the counts of a PRISMA 2020 flow from a YAML file.

    Raises
    ------
    InvalidInput
        See `check_flow`.
    """
    return check_flow(read_yaml(path, path.name), path.name)


def check_flow(counts: Counts, file: str = "flow") -> dict[str, Any]:
    """Check that the counts of a PRISMA 2020 flow add up (doi:10.1136/bmj.n71).

    Parameters
    ----------
    counts
        In the form of workflow/schemas/prisma.schema.yaml.
    file
        How messages call it.

    Returns
    -------
    dict
        With the defaults filled in.

    Raises
    ------
    InvalidInput
        With every contradiction.
    """
    flow = complete_config(dict(counts), prisma_schema(), file)
    refuse(Problem(file, *said) for said in _contradictions(flow))
    return flow


def total(counts: Mapping[str, int]) -> int:
    """Add counts up."""
    return sum(counts.values())


def _contradictions(flow: Counts) -> Iterator[tuple[str, None, str]]:
    identified = total(flow["databases"]) + total(flow["registers"])
    removed = total(flow["removed"])
    screened, out = flow["screened"], flow["screened_out"]
    found = f"{identified} identified - {removed} removed"
    left = f"{screened} screened - {out} excluded on screening"
    sums = [
        ("screened", screened, identified - removed, found),
        ("sought", flow["sought"], screened - out, left),
        *_retrieved(flow, ""),
    ]
    other = flow.get("other_methods")
    if other:
        more = total(other["identified"])
        sums.append(("other_methods.sought", other["sought"], more, f"{more} identified"))
        sums += _retrieved(other, "other_methods.")
    sums.append(_included(flow, other))
    sums += _totals(flow)
    for place, stated, expected, words in sums:
        if stated != expected:
            yield f"{stated} does not add up: {words} = {expected}", None, place
    if "earlier" in flow and "total" not in flow:
        yield "the key is missing (all studies and reports, earlier and new)", None, "total"
    yield from _more_studies_than_reports(flow)


Sum = tuple[str, int, int, str]


def _retrieved(flow: Counts, place: str) -> list[Sum]:
    sought, missing = flow["sought"], flow["not_retrieved"]
    words = f"{sought} sought - {missing} not retrieved"
    return [(f"{place}assessed", flow["assessed"], sought - missing, words)]


def _included(flow: Counts, other: Counts | None) -> Sum:
    excluded = total(flow["excluded"])
    expected = flow["assessed"] - excluded
    words = f"{flow['assessed']} assessed - {excluded} excluded"
    if other:
        more = total(other["excluded"])
        expected += other["assessed"] - more
        words += f" + {other['assessed']} assessed - {more} excluded of other methods"
    return "included.reports", flow["included"]["reports"], expected, words


def _totals(flow: Counts) -> list[Sum]:
    none = {"studies": 0, "reports": 0}
    earlier, both, new = flow.get("earlier", none), flow.get("total"), flow["included"]
    if both is None:
        return []
    return [
        (
            f"total.{what}",
            both[what],
            earlier[what] + new[what],
            f"{earlier[what]} earlier + {new[what]} new",
        )
        for what in ("studies", "reports")
    ]


def _more_studies_than_reports(flow: Counts) -> Iterator[tuple[str, None, str]]:
    for part in ("included", "earlier", "total"):
        pair = flow.get(part)
        if pair and pair["studies"] > pair["reports"]:
            words = f"{pair['studies']} studies cannot have {pair['reports']} reports"
            yield f"{words}; each has at least one", None, part
        if pair and pair["reports"] and not pair["studies"]:
            yield f"{pair['reports']} reports of no study", None, part
