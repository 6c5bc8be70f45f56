"""Do several definitions find the same people?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.events.lookup import BoolArray

COUNTS = ["people", "with_event", "unknown", "episodes", "median_detected"]


@dataclass(frozen=True, eq=False)
class DefinitionComparison:
    """Definitions side by side.

    Attributes
    ----------
    definitions
        One row per definition: `people` of whom it can say yes or no, those `with_event`, those
        of whom it is `unknown`, all `episodes`, and `median_detected`, the median day of the first
        detections. Where many are unknown, those with an event are too large a share of `people`.
    by_arm
        The same for each arm.
    pairs
        One row per pair, among the people of whom both can say yes or no: how many have an event
        by `both`, `only_first`, `only_second` and `neither`, the `agreement` (share of people with
        the same answer), and Cohen's `kappa`, NaN where all answers are equal.
    """

    definitions: pd.DataFrame
    by_arm: pd.DataFrame
    pairs: pd.DataFrame


def compare_definitions(
    deteriorations: pd.DataFrame, people: pd.DataFrame, assessed: pd.DataFrame | None = None
) -> DefinitionComparison:
    """Set definitions side by side.

    Parameters
    ----------
    deteriorations
        The canonical table, of any number of definitions.
    people
        The canonical table.
    assessed
        `DerivedEvents.assessed`. Without it, and for a definition it does not name, everybody
        without an event counts as a no.

    Returns
    -------
    DefinitionComparison
        Definitions in the order in which they first occur in `assessed`, then in
        `deteriorations`.

    References
    ----------
    Cohen J. Educ Psychol Meas 1960;20:37-46 (kappa).
    """
    names = _names(deteriorations, assessed)
    index = pd.Index(people["person"])
    arms = people["arm"].to_numpy(dtype=object)
    yes, known, rows, by_arm = {}, {}, [], []
    for name in names:
        own = deteriorations.loc[deteriorations["definition"] == name]
        yes[name] = index.isin(own["person"])
        known[name] = _known(index, name, assessed) | yes[name]
        who = index.get_indexer(pd.Index(own["person"]))
        own = own.loc[who >= 0].assign(arm=arms[who[who >= 0]])
        everybody = np.ones(len(index), dtype=bool)
        rows.append({"definition": name, **_counts(own, known[name], yes[name], everybody)})
        for arm in sorted(set(arms)):
            here = arms == arm
            counts = _counts(own.loc[own["arm"] == arm], known[name], yes[name], here)
            by_arm.append({"definition": name, "arm": arm, **counts})
    return DefinitionComparison(
        definitions=_frame(rows, ["definition", *COUNTS]),
        by_arm=_frame(by_arm, ["definition", "arm", *COUNTS]),
        pairs=_frame(list(_pairs(names, yes, known)), PAIRS),
    )


PAIRS = [
    *("first", "second", "people", "both", "only_first", "only_second", "neither"),
    *("agreement", "kappa"),
]


def cohens_kappa(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Agreement of two yes-or-no answers beyond chance, NaN where chance alone makes them agree."""
    total = both + only_first + only_second + neither
    if not total:
        return math.nan
    first, second = both + only_first, both + only_second
    chance = (first * second + (total - first) * (total - second)) / total**2
    observed = (both + neither) / total
    return (observed - chance) / (1 - chance) if chance < 1 else math.nan


def _names(deteriorations: pd.DataFrame, assessed: pd.DataFrame | None) -> list[str]:
    names = [] if assessed is None else list(assessed["definition"].unique())
    return list(dict.fromkeys([*names, *deteriorations["definition"].unique()]))


def _known(index: pd.Index, name: str, assessed: pd.DataFrame | None) -> BoolArray:
    if assessed is None or name not in set(assessed["definition"]):
        return np.ones(len(index), dtype=bool)
    own = assessed.loc[(assessed["definition"] == name) & assessed["assessed"], "person"]
    return np.asarray(index.isin(own))


def _counts(own: pd.DataFrame, known: BoolArray, yes: BoolArray, here: BoolArray) -> dict[str, Any]:
    first = own.groupby("person")["detected"].min()
    return {
        "people": int((known & here).sum()),
        "with_event": int((yes & here).sum()),
        "unknown": int((~known & here).sum()),
        "episodes": len(own),
        "median_detected": float(first.median()) if len(first) else math.nan,
    }


def _pairs(
    names: list[str], yes: dict[str, BoolArray], known: dict[str, BoolArray]
) -> Iterator[dict[str, Any]]:
    for first, second in combinations(names, 2):
        among = known[first] & known[second]
        a, b = yes[first][among], yes[second][among]
        cells = [int(cell.sum()) for cell in (a & b, a & ~b, ~a & b, ~a & ~b)]
        total = sum(cells)
        values: list[Any] = [first, second, total, *cells]
        values.append((cells[0] + cells[3]) / total if total else math.nan)
        yield dict(zip(PAIRS, [*values, cohens_kappa(*cells)], strict=True))


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=columns)
    text = {"definition", "arm", "first", "second"}
    share = {"median_detected", "agreement", "kappa"}
    types = {
        name: "object" if name in text else "float64" if name in share else "Int64"
        for name in columns
    }
    return table.astype(types)
