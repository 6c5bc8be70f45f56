"""Which people had the same doses while they were watched, and what occupancy was left?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from discontinuation.exposure.histories import DoseHistories
from discontinuation.exposure.trajectories import Exposure

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ROUNDED = 13  # decimals of retained occupancy: what is below is rounding


@dataclass(frozen=True, eq=False)
class SharedHistories:
    """Distinct dose histories, and whose they are.

    Attributes
    ----------
    history
        Row of `retained` of each person asked for, shape (n,).
    longest
        Position of the person whose record stands for each history, shape (histories,).
    retained
        Retained occupancy at the end of each step, shape (histories, steps); where the record is
        over, as at its end.
    """

    history: IntArray
    longest: IntArray
    retained: FloatArray


def share_histories(
    exposure: Exposure, people: IntArray, group: IntArray, until: FloatArray, times: FloatArray
) -> SharedHistories:
    """Find people of one group whose doses agree for as long as they are watched.

    Parameters
    ----------
    exposure
        Their doses.
    people
        Positions in the exposure, shape (n,).
    group
        People of different groups share nothing, shape (n,).
    until
        When each stops being watched, shape (n,).
    times
        Ends of the steps at which occupancy is worked out, rising.
    """
    history, longest = _assign(exposure, people, group, until)
    chosen = replace(
        exposure, histories=_only(exposure.histories, people[longest]), times=None, grid="exact"
    )
    ends = chosen.histories.ends[:, None]
    retained = np.round(chosen.at(np.minimum(times[None, :], ends)).retained, ROUNDED)
    before = times[None, :] <= chosen.histories.begins[:, None]
    return SharedHistories(history, longest, np.where(before, 1.0, retained))


def _assign(
    exposure: Exposure, people: IntArray, group: IntArray, until: FloatArray
) -> tuple[IntArray, IntArray]:
    """Give each person a history, longest records first.

    A person joins a history that had the same changes of dose and no further one before the
    person was last watched.
    """
    known: dict[Any, tuple[int, float]] = {}
    history = np.empty(len(people), dtype=np.int64)
    longest: list[int] = []
    for position in np.argsort(-until, kind="stable"):
        opening, changes = _changes(exposure, int(people[position]), float(until[position]))
        start = (int(group[position]), opening)
        found = known.get((start, changes))
        if found is None or found[1] < until[position]:
            found = (len(longest), np.inf)
            longest.append(int(position))
            for length in range(len(changes) + 1):
                after = changes[length][0] if length < len(changes) else np.inf
                key = (start, changes[:length])
                if key not in known or known[key][1] < after:
                    known[key] = (found[0], after)
        history[position] = found[0]
    return history, np.array(longest, dtype=np.int64)


def _changes(exposure: Exposure, person: int, until: float) -> tuple[Any, tuple[Any, ...]]:
    """How a record opens, and its changes of dose while the person is watched."""
    histories = exposure.histories
    first, last = histories.first[person], histories.first[person + 1]
    before = float(histories.before[person])
    opening = (before, float(histories.period[person]), float(exposure.reference[person]))
    changes = []
    for start, dose, bolus in zip(
        histories.start[first:last].tolist(),
        histories.dose[first:last].tolist(),
        histories.bolus[first:last].tolist(),
        strict=True,
    ):
        if start >= until:
            break
        if dose != before or bolus:
            changes.append((start, dose, bolus))
        before = dose
    return opening, tuple(changes)


def _only(histories: DoseHistories, people: IntArray) -> DoseHistories:
    """Keep some people's intervals."""
    count = np.diff(histories.first)[people]
    first = np.append(0, np.cumsum(count)).astype(np.int64)
    rows = np.arange(first[-1]) + np.repeat(histories.first[people] - first[:-1], count)
    return DoseHistories(
        histories.people[people],
        first,
        histories.start[rows],
        histories.stop[rows],
        histories.dose[rows],
        histories.bolus[rows],
        histories.before[people],
        histories.period[people],
    )
