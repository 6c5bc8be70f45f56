"""What would this design show if there were no withdrawal?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.hazards import RELAPSE
from discontinuation.classify.likelihood import Expectation
from discontinuation.classify.observed import Observed, Points
from discontinuation.classify.parameters import Layout

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def simulate_null(
    observed: Observed, null: Expectation, layout: Layout, random: np.random.Generator
) -> Observed:
    """Simulate the people of a design from the fit without withdrawal (parametric bootstrap).

    Doses, entries and the ends of those without an event stay. Those with an event get an end
    drawn from the others' ends after it. Onsets are seen as sharply as in the data (median width);
    which symptoms are rated, and for how long a course is followed, is drawn from the events.

    Parameters
    ----------
    observed
        The data.
    null
        Likelihood at the fit without withdrawal.
    layout
        Places of its parameters.
    random
        The stream.
    """
    end = _ends(observed, random)
    hazard = np.sum([part.value for part in null.hazards], axis=0)
    history = observed.history_of_person
    curves = np.hstack([np.zeros((len(hazard), 1)), np.cumsum(hazard, axis=1)])
    start = _at(curves, history, _entry(observed))
    level = start + random.exponential(size=len(history))
    time = np.full(len(history), np.inf)
    for row, curve in enumerate(curves):
        mine = np.flatnonzero(history == row)
        if mine.size:
            time[mine] = np.interp(level[mine], curve, np.arange(curve.size), right=np.inf)
    ill = np.flatnonzero(time < end)
    well = np.setdiff1d(np.flatnonzero(end > 0), ill)
    if not ill.size:
        ill = np.array([int(np.argmin(time))])
        time[ill] = np.minimum(time[ill], end[ill])
    points = _points(history[well], end[well], np.ones(len(well)), well)
    return _with_events(observed, null, layout, points, time, ill, random)


def _ends(observed: Observed, random: np.random.Generator) -> FloatArray:
    """End of observation of everybody, in steps, had there been no event."""
    ends = np.zeros(len(observed.person_weight))
    part = observed.ends
    ends[part.person] = part.step + part.part
    pool = np.sort(ends[part.person])
    first = observed.first_slice
    last = np.append(first[1:], len(observed.event)) - 1
    onset = observed.slices.step[last] + observed.slices.part[last]
    for person, time in zip(observed.event_person, onset, strict=True):
        later = pool[np.searchsorted(pool, time) :]
        ends[person] = random.choice(later) if later.size else time
    return ends


def _entry(observed: Observed) -> FloatArray:
    entry = np.zeros(len(observed.person_weight))
    entry[observed.entries.person] = observed.entries.step + observed.entries.part
    return entry


def _at(curves: FloatArray, history: IntArray, time: FloatArray) -> FloatArray:
    step = np.minimum(time.astype(np.int64), curves.shape[1] - 2)
    low, high = curves[history, step], curves[history, step + 1]
    return np.asarray(low + (time - step) * (high - low))


def _points(history: IntArray, time: FloatArray, weight: FloatArray, person: IntArray) -> Points:
    step = np.maximum(np.ceil(time).astype(np.int64) - 1, 0)
    return Points(history, step, time - step, weight, person)


def _with_events(
    observed: Observed,
    null: Expectation,
    layout: Layout,
    ends: Points,
    time: FloatArray,
    ill: IntArray,
    random: np.random.Generator,
) -> Observed:
    """Give the ill onsets, symptoms and courses of relapse (or of nocebo where that acts)."""
    width = max(1, int(np.median(np.bincount(observed.event))))
    step = np.maximum(np.ceil(time[ill]).astype(np.int64) - 1, 0)
    begin = step // width * width
    last = observed.retained.shape[1] - 1
    event = np.repeat(np.arange(len(ill)), width)
    slices = np.minimum(begin[event] + np.tile(np.arange(width), len(ill)), last)
    keep = np.append(True, (np.diff(slices) != 0) | (np.diff(event) != 0))
    event, slices = event[keep], slices[keep]
    ones = np.ones(len(event))
    history = observed.history_of_person[ill]
    relapse = _is_relapse(null, history, step, random)
    pattern = random.integers(len(observed.events), size=len(ill))
    rated = observed.rated[pattern]
    items = np.where(
        relapse[:, None], null.theta[layout.item_relapse], null.theta[layout.item_withdrawal]
    )
    present = rated * (random.random(rated.shape) < 1 / (1 + np.exp(-items)))
    means = np.exp(null.theta[layout.resolution])[relapse.astype(int)]
    took = random.exponential(means)
    watch = observed.resolution[pattern]
    longest = float(observed.resolution.max(initial=0.0))
    watch = np.where(observed.resolved[pattern] > 0, longest, watch)
    followed = observed.followed[pattern]
    return replace(
        observed,
        ends=ends,
        slices=Points(history[event], slices, 0.5 * ones, ones, ill[event]),
        log_width=np.zeros(len(event)),
        event=event,
        events=pd.DataFrame({"person": ill}),
        event_person=ill,
        present=present,
        rated=rated,
        resolution=np.where(followed, np.minimum(took, watch), 0.0),
        resolved=np.where(followed & (took <= watch), 1.0, 0.0),
        followed=followed,
        event_weight=np.ones(len(ill)),
    )


def _is_relapse(
    null: Expectation, history: IntArray, step: IntArray, random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    total = np.sum([part.value[history, step] for part in null.hazards], axis=0)
    relapse = next(part for part in null.hazards if part.cause == RELAPSE).value[history, step]
    return np.asarray(random.random(len(history)) * total <= relapse)
