"""How is follow-up cut into stretches?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival.follow_up import FloatArray, follow_up, missing_columns

SOURCE = "split_follow_up"


def split_follow_up(
    data: pd.DataFrame,
    cuts: Sequence[float] | Literal["events"],
    time: str = "time",
    event: str = "event",
    entry: str | None = None,
    episode: str = "episode",
    start: str = "entry",
) -> pd.DataFrame:
    """Cut each row's follow-up at the same times.

    A survival analysis of the stretches, with their entry, gives what one of the whole follow-up
    gives; but covariates may now differ between stretches, and effects by `episode`.

    Parameters
    ----------
    data
        One row per person, or per stretch already.
    cuts
        Times in increasing order; stretches end at them and begin after them. "events": all times
        at which somebody has the event.
    time, event, entry
        Columns; without `entry` follow-up begins at 0.
    episode
        New column: 0 before the first cut, 1 between the first and the second, and so on.
    start
        New column with the beginning of each stretch, if `entry` is not given; else that column is
        filled.

    Returns
    -------
    DataFrame
        The stretches of each row in turn, with the columns and the index of `data`; the event
        stays with the last.

    Raises
    ------
    InvalidInput
        Columns that are not there, or new ones that are; cuts that are not finite and increasing;
        what `follow_up` refuses, and follow-up of length 0.
    """
    refuse(missing_columns(data, {"time": time, "event": event, "entry": entry}))
    begin = entry or start
    taken = [name for name in (episode, *([] if entry else [start])) if name in data]
    refuse(Problem(SOURCE, "there is such a column already", column=name) for name in taken)
    before = np.zeros(len(data)) if entry is None else data[entry]
    follow = follow_up(data[time], data[event], before, causes=True)
    assert follow.entry is not None
    edges = _edges(cuts, follow.time[follow.event > 0])
    first = np.searchsorted(edges, follow.entry, side="right")
    last = np.searchsorted(edges, follow.time, side="left")
    pieces = last - first + 1
    row = np.repeat(np.arange(len(data)), pieces)
    number = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    number += first[row]
    low, high = np.append(-np.inf, edges)[number], np.append(edges, np.inf)[number]
    final = number == last[row]
    result = data.iloc[row].copy()
    result[begin] = np.maximum(low, follow.entry[row])
    result[time] = np.minimum(high, follow.time[row])
    result[event] = np.where(final, follow.event[row], 0)
    result[episode] = number
    return result


def _edges(cuts: Sequence[float] | str, event_times: FloatArray) -> FloatArray:
    if isinstance(cuts, str):
        if cuts != "events":
            rule = allowed_values(["events"], cuts) + ", or times"
            refuse([Problem(SOURCE, rule, column="cuts", value=cuts)])
        return np.unique(event_times)
    edges = np.asarray(cuts, dtype=float)
    if edges.ndim != 1 or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        rule = "allowed: finite times in increasing order"
        refuse([Problem(SOURCE, rule, column="cuts", value=str(list(cuts)))])
    return edges
