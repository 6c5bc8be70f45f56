"""From when to when was a dose taken?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

KEYS = ["person", "drug"]


def to_intervals(
    frame: pd.DataFrame, rule: Mapping[str, Any], ends: pd.Series
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Turn rows of doses into intervals of constant dose.

    Parameters
    ----------
    frame
        Columns person, drug, start, stop, dose, unit, route and the place of each row; one row
        per interval, per change of dose, or per day.
    rule
        The `intervals` of the declaration.
    ends
        End of follow-up per person, days.

    Returns
    -------
    intervals : DataFrame
        With the same columns, sorted by person, drug and start.
    refused : dict
        Message and the mask of the rows of `frame` it concerns.
    """
    keys = frame[KEYS].assign(start=frame["start"])
    codes = [_codes(frame[key]) for key in reversed(KEYS)]
    ordered = frame.iloc[np.lexsort([frame["start"].to_numpy(), *codes])]
    refused: dict[str, np.ndarray] = {}
    if rule["from"] != "given":
        repeated = keys.duplicated(keep=False).to_numpy() & frame["start"].notna().to_numpy()
        word = "day" if rule["from"] == "days" else "moment"
        refused[
            f"the same person and drug have two doses on this {word}; add them up with "
            "'combine', let one stand for both with 'combine' without 'sum', or correct them"
        ] = repeated
    if any(mask.any() for mask in refused.values()):
        return ordered, refused
    if rule["from"] == "changes":
        made = _until_next(ordered, ends)
    elif rule["from"] == "days":
        made = _runs_of_days(ordered, rule)
    else:
        made = _close_open_ends(ordered, rule, ends)
    if rule["after_last"] == "zero":
        made = _zero_after_last(made, ends)
    return made.reset_index(drop=True), refused


def _codes(values: pd.Series) -> np.ndarray:
    return pd.factorize(values)[0]


def _next_start(ordered: pd.DataFrame) -> pd.Series:
    """Find the start of the next row of the same person and drug, NaN for the last."""
    following: pd.Series = ordered["start"].shift(-1)
    same = (ordered[KEYS] == ordered[KEYS].shift(-1)).all(axis=1)
    return following.where(same)


def _until_next(ordered: pd.DataFrame, ends: pd.Series) -> pd.DataFrame:
    """Let each dose last until the next change, the last one until the end of follow-up."""
    stop = _next_start(ordered).fillna(ordered["person"].map(ends))
    return ordered.assign(stop=stop)


def _close_open_ends(
    ordered: pd.DataFrame, rule: Mapping[str, Any], ends: pd.Series
) -> pd.DataFrame:
    if rule["end"] == "refuse":
        return ordered
    last = ordered["person"].map(ends)
    stop = ordered["stop"]
    if rule["end"] == "next":
        stop = stop.fillna(_next_start(ordered))
    return ordered.assign(stop=stop.fillna(last))


def _runs_of_days(ordered: pd.DataFrame, rule: Mapping[str, Any]) -> pd.DataFrame:
    """Join days of the same dose into intervals; a gap is unknown or a dose of 0."""
    same = (ordered[KEYS] == ordered[KEYS].shift(1)).all(axis=1).to_numpy()
    dose, start = ordered["dose"].to_numpy(), ordered["start"].to_numpy()
    gap = np.r_[0.0, np.diff(start) - 1.0]
    bridged = same & (gap <= rule["bridge_days"])
    alike = np.r_[False, (dose[1:] == dose[:-1])] & _alike(ordered["unit"])
    new = ~(bridged & alike)
    firsts = np.flatnonzero(new)
    lasts = np.r_[firsts[1:] - 1, len(ordered) - 1]
    made = ordered.iloc[firsts].copy()
    stop = start[lasts] + 1.0
    follows = np.r_[bridged[firsts[1:]], False]
    made["stop"] = np.where(follows, np.r_[start[firsts[1:]], np.nan], stop)
    if rule["gap"] == "unknown":
        return made
    empty = made.assign(start=made["stop"], dose=0.0, stop=_next_start(made))
    empty = empty.loc[empty["stop"] > empty["start"]]
    return pd.concat([made, empty]).sort_values([*KEYS, "start"], kind="stable")


def _alike(values: pd.Series) -> np.ndarray:
    cells = values.to_numpy()
    return np.append(False, cells[1:] == cells[:-1])


def _zero_after_last(made: pd.DataFrame, ends: pd.Series) -> pd.DataFrame:
    """Add the time without the drug between the last interval and the end of follow-up."""
    last = made.loc[~made[KEYS].duplicated(keep="last")]
    end = last["person"].map(ends)
    empty = last.assign(start=last["stop"], stop=end, dose=0.0)
    empty = empty.loc[(empty["stop"] > empty["start"]) & (last["dose"] > 0)]
    return pd.concat([made, empty]).sort_values([*KEYS, "start"], kind="stable")
