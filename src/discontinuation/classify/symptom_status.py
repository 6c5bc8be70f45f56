"""Which symptoms were new or worse at an onset, against the person's own past?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.classify.clauses import EITHER, NEW, NOT_WORSE, SLACK, WORSE
from discontinuation.classify.criteria import Criteria
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.tables.instruments import Instrument, complete_part

DESS = "dess43"
MATCHED = ["instrument", "item", "symptom", "rise", "coded", "best", "sign"]
LONG = ["event", "instrument", "item", "symptom", "baseline", "at_onset", "status"]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "as": {"enum": [DESS], "description": "Items are named by the numbers of the DESS"},
        "items": {
            "type": "object",
            "default": {},
            "additionalProperties": {"type": "string"},
            "description": "Item to the symptom that it asks for",
        },
        "coded": {
            "enum": ["level", "change"],
            "default": "level",
            "description": "How bad a symptom is, or already whether it is new or worse (1) or not",
        },
        "rise": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "Points by which a level must lie above the person's own baseline",
        },
    },
}


def match_items(
    instruments: Mapping[str, Instrument],
    criteria: Criteria,
    declared: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    """Match the items of a dataset to the symptoms of the criteria.

    Parameters
    ----------
    instruments
        The dataset's instruments.
    criteria
        From `read_criteria`.
    declared
        By instrument: ``{"as": "dess43"}`` where items are numbered as in the DESS, ``items``
        (item to symptom), ``coded`` ("level", or "change" where 1 says new or worse already) and
        ``rise``. A rise that is not declared is one point, of long scales a tenth of their length
        (a proposal, P).

    Returns
    -------
    DataFrame
        One row per item: instrument, item, symptom, rise, coded, best (value without the symptom,
        NaN if not known), sign (1 where higher is worse, else -1). What is not matched is left
        out; the symptom is then one that was not asked for.

    Raises
    ------
    InvalidInput
        Unknown instruments, items, symptoms and keys.
    """
    refuse(
        Problem("symptoms", allowed_values(list(instruments), name), None, name, name)
        for name in declared
        if name not in instruments
    )
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for name, text in declared.items():
        said = complete_part(dict(text), SCHEMA, "symptoms", name)
        instrument = instruments[name]
        symptom_of = _by_number(instrument, criteria) if "as" in said else {}
        symptom_of |= said["items"]
        problems += _match_problems(name, symptom_of, instrument, criteria)
        rows += [_matched(instrument, item, word, said) for item, word in symptom_of.items()]
    refuse(problems)
    return pd.DataFrame(rows, columns=MATCHED)


def _by_number(instrument: Instrument, criteria: Criteria) -> dict[str, str]:
    symptom_of = {item: symptom for symptom, item in criteria.symptoms.items() if item}
    return {item: symptom_of[item] for item in instrument.items if item in symptom_of}


def _match_problems(
    name: str, symptom_of: Mapping[str, str], instrument: Instrument, criteria: Criteria
) -> Iterator[Problem]:
    for item, symptom in symptom_of.items():
        if item not in instrument.items:
            said = (
                f"the instrument has no such item; {allowed_values(list(instrument.items), item)}"
            )
            yield Problem("symptoms", said, None, f"{name}.items", item)
        if symptom not in criteria.symptoms:
            said = (
                f"is no symptom of the criteria; {allowed_values(list(criteria.symptoms), symptom)}"
            )
            yield Problem("symptoms", said, None, f"{name}.items.{item}", symptom)


def _matched(
    instrument: Instrument, item: str, symptom: str, said: Mapping[str, Any]
) -> dict[str, Any]:
    known = item in instrument.items
    best = instrument.best(item) if known else None
    reach = (instrument.reach(item) if known else None) or 0.0
    return {
        "instrument": instrument.name,
        "item": item,
        "symptom": symptom,
        "rise": float(said.get("rise", max(1.0, reach / 10))),
        "coded": said["coded"],
        "best": np.nan if best is None else best,
        "sign": 1.0 if instrument.higher_is_worse else -1.0,
    }


def symptom_status(
    assessments: pd.DataFrame,
    windows: pd.DataFrame,
    matched: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare each symptom at an onset with the person's own baseline.

    Parameters
    ----------
    assessments
        Canonical table.
    windows
        One row per deterioration, the index its name: person, baseline_from, baseline_to (both
        included), onset_from (included), onset_to (not included). Blank: no such window.
    matched
        From `match_items`.

    Returns
    -------
    status, ratings
        `status`: one row per deterioration and one column per symptom that was asked for, holding
        new (absent at baseline), worse, new or worse (which is not known), not worse, or blank.
        `ratings`: one row per deterioration and item with the two means behind it.

    Notes
    -----
    Each side is the mean of the ratings in its window. A symptom was absent at baseline if the
    mean lies less than half a rise from the value of somebody without it.
    """
    asked = list(dict.fromkeys(matched["symptom"]))
    rows = assessments.astype({"instrument": object, "item": object, "person": object})
    rows = rows.merge(matched, on=["instrument", "item"])
    cases = windows.rename_axis("event").reset_index()
    pairs = rows.merge(cases, on="person")
    day = pairs["day"].astype(float)
    before = (day >= pairs["baseline_from"] - SLACK) & (day <= pairs["baseline_to"] + SLACK)
    onset = (day >= pairs["onset_from"] - SLACK) & (day < pairs["onset_to"] - SLACK)
    by = ["event", "instrument", "item"]
    means = pd.DataFrame(
        {
            "baseline": pairs.loc[before].groupby(by)["value"].mean(),
            "at_onset": pairs.loc[onset].groupby(by)["value"].mean(),
        }
    )
    every = cases[["event"]].merge(matched, how="cross")
    table = every.merge(means.reset_index(), on=by, how="left")
    table["status"] = _status(table)
    status = _together(table, windows.index, asked)
    return status, table[LONG].reset_index(drop=True)


def _status(table: pd.DataFrame) -> pd.Series:
    base, now = table["baseline"].astype(float), table["at_onset"].astype(float)
    change = table["coded"] == "change"
    risen = table["sign"] * (now - base.where(~change, base.fillna(0.0))) >= table["rise"] - SLACK
    absent = (base - table["best"]).abs() < table["rise"] / 2
    unknown = now.isna() | (base.isna() & ~change)
    word = np.select(
        [unknown, ~risen, change | table["best"].isna(), absent],
        ["", NOT_WORSE, EITHER, NEW],
        WORSE,
    )
    return pd.Series(word, table.index, dtype=object).replace("", None)


def _together(table: pd.DataFrame, events: pd.Index, asked: list[str]) -> pd.DataFrame:
    """One status per symptom, where several items ask for it."""
    keys = [table["event"], table["symptom"]]
    has = {
        word: (table["status"] == word).groupby(keys, sort=False).any()
        for word in (WORSE, EITHER, NEW)
    }
    blank = table["status"].isna().groupby(keys, sort=False).any()
    word = np.select(
        [has[WORSE], has[EITHER], has[NEW], blank], [WORSE, EITHER, NEW, ""], NOT_WORSE
    )
    one = pd.Series(word, blank.index, dtype=object).replace("", None)
    pairs = pd.MultiIndex.from_product([events, asked])
    words = one.reindex(pairs).to_numpy().reshape(len(events), len(asked))
    return pd.DataFrame(words, events, asked, dtype=object)
