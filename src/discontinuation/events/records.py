"""What do the canonical tables hold about each person, as arrays?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from discontinuation.events.dosing import Intervals, arrange_doses
from discontinuation.events.lookup import FloatArray, IntArray
from discontinuation.events.scores import Ratings, arrange_ratings
from discontinuation.tables.canonical import DTYPES
from discontinuation.tables.instruments import Instrument
from discontinuation.tables.schema import read_schema


@dataclass(frozen=True, eq=False)
class Records:
    """The people and what is recorded about them.

    Attributes
    ----------
    people
        The people; everywhere else they are positions among these.
    start, end
        Observation of each person, NaN where the follow-up does not say.
    end_reason
        Why it ended, None where the follow-up does not say.
    baseline
        `baseline_score` of each person, NaN where blank.
    doses
        The doses as taken.
    ratings
        The answers, by instrument.
    reported
        The recorded deteriorations, with the person's position in `who`; sorted by person, day of
        detection and episode.
    strangers
        How many rows name somebody who is not among the people, by table.
    """

    people: pd.Index
    start: FloatArray
    end: FloatArray
    end_reason: pd.Series
    baseline: FloatArray
    doses: Intervals
    ratings: dict[str, Ratings]
    reported: pd.DataFrame
    strangers: dict[str, int]

    @property
    def everybody(self) -> IntArray:
        """Positions of all people."""
        return np.arange(len(self.people), dtype=np.int64)


def arrange_records(
    tables: Mapping[str, pd.DataFrame], instruments: Mapping[str, Instrument], needed: Iterable[str]
) -> Records:
    """Arrange the canonical tables.

    Parameters
    ----------
    tables
        The canonical tables by name. `people` must be there; any other may be missing.
    instruments
        The instruments that the dataset declares.
    needed
        Names of the instruments that are looked at.
    """
    people = pd.Index(tables["people"]["person"])
    found = {name: _table(tables, name) for name in ("follow_up", "doses", "assessments")}
    reported = _table(tables, "deteriorations")
    follow_up = found["follow_up"].drop_duplicates("person").set_index("person").reindex(people)
    strangers = {
        name: int((people.get_indexer(pd.Index(table["person"])) < 0).sum())
        for name, table in (found | {"deteriorations": reported}).items()
        if name != "assessments"
    }
    who = people.get_indexer(pd.Index(found["assessments"]["person"]))
    strangers["assessments"] = int((who < 0).sum())
    return Records(
        people=people,
        start=follow_up["start"].to_numpy(dtype=np.float64),
        end=follow_up["end"].to_numpy(dtype=np.float64),
        end_reason=follow_up["end_reason"].reset_index(drop=True),
        baseline=_baseline(tables["people"]),
        doses=arrange_doses(found["doses"], people),
        ratings=_ratings(found["assessments"], who, instruments, needed),
        reported=_reported(reported, people),
        strangers={name: count for name, count in strangers.items() if count},
    )


@cache
def column_types(table: str) -> dict[str, str]:
    """Name the columns of a canonical table and the type of each."""
    return {column.name: DTYPES[column.type] for column in read_schema("canonical")[table].columns}


def empty_table(types: Mapping[str, str]) -> pd.DataFrame:
    """Give a table without rows, each column of its type."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in types.items()})


def stack_tables(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tables of the same columns and types below one another."""
    return pd.DataFrame(
        {
            name: pd.concat([table[name] for table in tables], ignore_index=True)
            for name in tables[0].columns
        }
    )


def _table(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    return tables[name] if name in tables else empty_table(column_types(name))


def _baseline(people: pd.DataFrame) -> FloatArray:
    if "baseline_score" not in people:
        return np.full(len(people), np.nan)
    return people["baseline_score"].to_numpy(dtype=np.float64)


def _ratings(
    assessments: pd.DataFrame,
    who: IntArray,
    instruments: Mapping[str, Instrument],
    needed: Iterable[str],
) -> dict[str, Ratings]:
    code, names = pd.factorize(assessments["instrument"])
    positions = {str(name): position for position, name in enumerate(names)}
    day = assessments["day"].to_numpy(dtype=np.float64)
    value = assessments["value"].to_numpy(dtype=np.float64)
    usable = (who >= 0) & np.isfinite(day) & np.isfinite(value)
    item = assessments["item"].array
    arranged = {}
    for name in sorted(needed):
        rows = np.flatnonzero((code == positions.get(name, -2)) & usable)
        arranged[name] = arrange_ratings(
            instruments[name], who[rows].astype(np.int64), day[rows], item[rows], value[rows]
        )
    return arranged


def _reported(reported: pd.DataFrame, people: pd.Index) -> pd.DataFrame:
    who = people.get_indexer(pd.Index(reported["person"]))
    table = reported.assign(who=who)
    table = table.loc[(table["source"] == "reported") & (table["who"] >= 0)]
    return table.sort_values(["who", "detected", "episode"], ignore_index=True)
