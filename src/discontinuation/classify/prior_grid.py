"""What is assumed of a single case, from which source, and between which limits?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from discontinuation.config import complete_config
from discontinuation.exposure.drugs import DOUBTFUL
from discontinuation.fingerprint import ROOT
from discontinuation.ingest.yaml_text import read_yaml
from discontinuation.problems import Problem, allowed_values, refuse

REFERENCE = ROOT.parents[1] / "data" / "reference" / "case_priors.yaml"
LEVELS = ("low", "central", "high")
TIMING = ("withdrawal_incidence", "tau_days", "kappa", "relapse_per_year", "early_multiplier")
SYMPTOMS = ("symptom_strength", "symptom_share")
FIXED = (
    "relapse_hazard_ratio",
    "resolution_withdrawal_days",
    "resolution_relapse_days",
    "symptom_correlation",
    "protracted_after_days",
)
SHARES = ("withdrawal_incidence", "symptom_share", "symptom_correlation")


@dataclass(frozen=True, eq=False)
class CasePriors:
    """Frozen priors of a case series; made by `read_case_priors`.

    Attributes
    ----------
    frozen
        Day on which the numbers were fixed.
    axes
        By name: low, central and high value of each prior on the grid.
    fixed
        By name: priors that are not on the grid.
    odds_ratios
        By symptom: its odds in withdrawal over those in relapse.
    table
        One row per number: prior, symptom, level, value, tag, sources.
    """

    frozen: str
    axes: Mapping[str, tuple[float, float, float]]
    fixed: Mapping[str, float]
    odds_ratios: Mapping[str, float]
    table: pd.DataFrame

    def points(self, names: tuple[str, ...]) -> pd.DataFrame:
        """Every combination of some priors, and how many of them are not central (moved)."""
        levels = list(product(range(3), repeat=len(names)))
        rows = [[self.axes[n][k] for n, k in zip(names, row, strict=True)] for row in levels]
        moved = [sum(k != 1 for k in row) for row in levels]
        return pd.DataFrame(rows, columns=list(names)).assign(moved=moved)

    def doubtful(self, symptoms: list[str]) -> str:
        """Priors that rest on memory or a proposal, as they are marked on every verdict.

        Parameters
        ----------
        symptoms
            Whose odds ratios were used.
        """
        mine = self.table["symptom"].isna() | self.table["symptom"].isin(symptoms)
        central = self.table["level"].isin(["central", "value"])
        rows = self.table.loc[mine & central & self.table["tag"].isin(DOUBTFUL)]
        names = rows["prior"].where(rows["symptom"].isna(), "odds ratio of " + rows["symptom"])
        return ", ".join(f"{n} ({tag})" for n, tag in zip(names, rows["tag"], strict=True))


def read_case_priors(path: Path = REFERENCE) -> CasePriors:
    """Read the frozen priors of case series.

    Parameters
    ----------
    path
        data/reference/case_priors.yaml, or a file of the same form.

    Raises
    ------
    InvalidInput
        All problems at once: unknown keys, impossible numbers, sources that are not named, limits
        that do not enclose the central value.
    """
    content = complete_config(read_yaml(path, path.name), _schema(), path.name)
    refuse(Problem(path.name, said, column=place) for place, said in _problems(content))
    table = pd.DataFrame(_rows(content))
    return CasePriors(
        frozen=content["frozen"],
        axes={name: tuple(one[k] for k in LEVELS) for name, one in content["axes"].items()},
        fixed={name: one["value"] for name, one in content["fixed"].items()},
        odds_ratios={name: one["ratio"] for name, one in content["odds_ratios"].items()},
        table=table,
    )


def alpha_of(incidence: float, tau: float, kappa: float) -> float:
    """Withdrawal hazard per day at full drive that gives this incidence after an abrupt stop.

    After an instant loss of all occupancy ``w = e^(-t/tau)``, so the hazard ``alpha w^kappa`` adds
    up to ``alpha tau / kappa`` (methods B2) and the share with an event is
    ``1 - exp(-alpha tau / kappa)``.
    """
    return -math.log1p(-incidence) * kappa / tau


def _rows(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, one in content["axes"].items():
        sources = ", ".join(one["sources"])
        for level in LEVELS:
            yield _row(name, None, level, one[level], one["tags"][level], sources)
    for name, one in content["fixed"].items():
        yield _row(name, None, "value", one["value"], one["tag"], ", ".join(one["sources"]))
    for symptom, one in content["odds_ratios"].items():
        yield _row("odds_ratio", symptom, "value", one["ratio"], one["tag"], one["source"])


def _row(
    prior: str, symptom: str | None, level: str, value: float, tag: str, sources: str
) -> dict[str, Any]:
    return {
        "prior": prior,
        "symptom": symptom,
        "level": level,
        "value": float(value),
        "tag": tag,
        "sources": sources,
    }


def _problems(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    known = list(content["sources"])
    for part in ("axes", "fixed", "odds_ratios"):
        for name, one in content[part].items():
            for source in one.get("sources", [one.get("source")]):
                if source not in known:
                    said = f"{allowed_values(known, source)}; found {source}"
                    yield f"{part}.{name}", f"no such source: {said}"
    for name, one in content["axes"].items():
        if not one["low"] < one["central"] < one["high"]:
            yield f"axes.{name}", "the values must rise from low over central to high"
        if name in SHARES and not one["high"] < 1:
            yield f"axes.{name}", "allowed: shares below 1"
    if not content["fixed"]["symptom_correlation"]["value"] < 1:
        yield "fixed.symptom_correlation", "allowed: a correlation below 1"


def _schema() -> dict[str, Any]:
    number = {"type": "number", "exclusiveMinimum": 0}
    words = {"type": "string"}
    tag = {"enum": ["V", "V2", "UM", "D", "P"]}
    sources = {"type": "array", "items": words, "minItems": 1}
    tags = _group({level: tag for level in LEVELS})
    axis = _group(
        {"says": words, "basis": words, "sources": sources, "tags": tags}
        | dict.fromkeys(LEVELS, number)
    )
    fixed = _group({"value": number, "says": words, "sources": sources, "tag": tag})
    ratio = _group({"ratio": number, "source": words, "tag": tag})
    source = _group({"citation": words, "identifier": words})
    return _group(
        {
            "frozen": words,
            "sources": {"type": "object", "additionalProperties": source},
            "axes": _group(dict.fromkeys((*TIMING, *SYMPTOMS), axis)),
            "fixed": _group(dict.fromkeys(FIXED, fixed)),
            "odds_ratios": {"type": "object", "additionalProperties": ratio},
        }
    )


def _group(properties: dict[str, Any]) -> dict[str, Any]:
    """Schema of a group of keys that must all be there, and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }
