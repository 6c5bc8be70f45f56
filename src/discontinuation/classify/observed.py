"""What does the latent-cause model see: who was at risk, what happened when, with what signs?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.given import Given, check_given
from discontinuation.classify.settings import Settings
from discontinuation.classify.shared_histories import share_histories
from discontinuation.exposure.trajectories import Exposure

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LOST = 0.1  # of protection: what an arm that keeps the drug stays below


@dataclass(frozen=True, eq=False)
class Points:
    """Moments on the grid: in which history, in which step, and how far into it.

    Attributes
    ----------
    history, step, part
        Shape (n,); `part` is the share of the step that had passed.
    weight
        How often each counts, shape (n,).
    person
        Whose it is, shape (n,).
    """

    history: IntArray
    step: IntArray
    part: FloatArray
    weight: FloatArray
    person: IntArray


@dataclass(frozen=True, eq=False)
class Observed:
    """Everything the likelihood needs, as arrays.

    Attributes
    ----------
    studies
        Their names, shape (studies,).
    arms
        One row per arm: study, arm, maintenance.
    retained
        Retained occupancy by history at the end of each step, shape (histories, steps).
    study_of_history, arm_of_history
        Positions in `studies` and `arms`, shape (histories,).
    begins
        Time at which the grid of each study begins, shape (studies,).
    study_of_person, arm_of_person, history_of_person
        Shape (people,).
    ends
        Where people without an event stop being watched.
    entries
        Where people start being watched, if after the beginning of the grid.
    slices
        Every step in which the onset of an event may lie, event by event; `part` is the middle of
        the piece of the step.
    log_width
        Log of the share of the step, shape (slices,).
    event
        To which event each slice belongs, shape (slices,), rising.
    events
        The first deterioration of each person who had one: person, study, arm, episode,
        onset_earliest, onset_latest, last_reduction (last fall of the dose before it).
    event_person
        Position of the person, shape (events,).
    items
        Names of the symptoms.
    present, rated
        Whether each symptom was new or worse, and whether it was rated, 0 or 1, shape
        (events, items).
    resolution, resolved, followed
        Time from reinstatement to resolution or to the last look, whether it had resolved, and
        whether the drug was started again and this known, shape (events,).
    person_weight, event_weight
        How often each person and event counts; 1 except in a bootstrap.
    notes
        What was given and not used.
    """

    studies: tuple[str, ...]
    arms: pd.DataFrame
    retained: FloatArray
    study_of_history: IntArray
    arm_of_history: IntArray
    begins: FloatArray
    study_of_person: IntArray
    arm_of_person: IntArray
    history_of_person: IntArray
    ends: Points
    entries: Points
    slices: Points
    log_width: FloatArray
    event: IntArray
    events: pd.DataFrame
    event_person: IntArray
    items: tuple[str, ...]
    present: FloatArray
    rated: FloatArray
    resolution: FloatArray
    resolved: FloatArray
    followed: npt.NDArray[np.bool_]
    person_weight: FloatArray
    event_weight: FloatArray
    notes: tuple[str, ...]

    @property
    def first_slice(self) -> IntArray:
        """Where the slices of each event begin, shape (events,)."""
        return np.searchsorted(self.event, np.arange(len(self.events)))

    @property
    def middle_slice(self) -> IntArray:
        """The slice in the middle of each event's, shape (events,)."""
        return self.first_slice + np.bincount(self.event, minlength=len(self.events)) // 2

    def reweighted(self, person_weight: FloatArray) -> Observed:
        """Count each person this often, as a bootstrap does."""
        parts = {
            name: replace(part, weight=person_weight[part.person] * np.sign(part.weight))
            for name in ("ends", "entries", "slices")
            for part in [getattr(self, name)]
        }
        return replace(
            self,
            person_weight=person_weight,
            event_weight=person_weight[self.event_person],
            **parts,
        )


def observe(
    events: pd.DataFrame,
    people: pd.DataFrame,
    exposure: Exposure | Mapping[str, Exposure],
    items: pd.DataFrame | None,
    follow_up: pd.DataFrame,
    maintenance: str | list[str] | None,
    settings: Settings,
) -> Observed:
    """Turn tables into the arrays of the model; parameters as in `discontinuation.classify.fit`.

    Raises
    ------
    InvalidInput
        All problems at once.
    """
    given = check_given(events, people, exposure, items, follow_up, maintenance, settings.grades)
    begins = np.array([given.exposures[study].reference_day for study in given.studies])
    history, retained, study_of_history, arm_of_history = _histories(given, begins, settings)
    origin = begins[given.study]
    has_event = np.zeros(len(given.end), dtype=bool)
    has_event[given.event_person] = True

    def points(who: IntArray, times: FloatArray, weight: float) -> Points:
        elapsed = (times - origin[who]) / settings.step
        step = np.maximum(np.ceil(elapsed - 1e-9).astype(np.int64) - 1, 0)
        weights = np.full(len(who), weight)
        return Points(history[who], step, elapsed - step, weights, who)

    watched = given.end > given.start
    quiet = np.flatnonzero(watched & ~has_event)
    late = np.flatnonzero((watched | has_event) & (given.start > origin))
    slices, log_width, event = _slices(given, history, origin, settings)
    arms = given.arms.assign(maintenance=given.maintenance)
    observed = Observed(
        studies=tuple(given.studies),
        arms=arms,
        retained=retained,
        study_of_history=study_of_history,
        arm_of_history=arm_of_history,
        begins=begins,
        study_of_person=given.study,
        arm_of_person=given.arm,
        history_of_person=history,
        ends=points(quiet, given.end[quiet], 1.0),
        entries=points(late, given.start[late], -1.0),
        slices=slices,
        log_width=log_width,
        event=event,
        events=given.events,
        event_person=given.event_person,
        items=tuple(given.items),
        present=np.where(np.isnan(given.symptoms), 0.0, given.symptoms),
        rated=(~np.isnan(given.symptoms)).astype(float),
        resolution=np.where(given.followed, given.resolution, 0.0),
        resolved=np.where(given.followed, given.resolved, 0.0),
        followed=given.followed,
        person_weight=np.ones(len(given.end)),
        event_weight=np.ones(len(given.event_person)),
        notes=given.notes,
    )
    if maintenance is None:
        observed = replace(observed, arms=arms.assign(maintenance=kept_protection(observed)))
    return observed


def _histories(
    given: Given, begins: FloatArray, settings: Settings
) -> tuple[IntArray, FloatArray, IntArray, IntArray]:
    """Distinct histories of all studies on one grid of steps from the beginning of each."""
    length = max(float((given.last - begins[given.study]).max()), settings.step)
    steps = int(np.ceil(length / settings.step - 1e-9))
    history = np.zeros(len(given.end), dtype=np.int64)
    retained: list[FloatArray] = []
    study_of: list[IntArray] = []
    arm_of: list[IntArray] = []
    for code, study in enumerate(given.studies):
        mine = np.flatnonzero(given.study == code)
        times = begins[code] + settings.step * np.arange(1, steps + 1)
        shared = share_histories(
            given.exposures[study], given.exposed[mine], given.arm[mine], given.last[mine], times
        )
        history[mine] = shared.history + sum(len(part) for part in retained)
        retained.append(shared.retained)
        study_of.append(np.full(len(shared.longest), code))
        arm_of.append(given.arm[mine][shared.longest])
    return history, np.concatenate(retained), np.concatenate(study_of), np.concatenate(arm_of)


def _slices(
    given: Given, history: IntArray, origin: FloatArray, settings: Settings
) -> tuple[Points, FloatArray, IntArray]:
    """Cut the interval of each onset at the grid; an exact onset is a slice of a whole step."""
    who = given.event_person
    low = (given.earliest - origin[who]) / settings.step
    high = (given.latest - origin[who]) / settings.step
    first = np.floor(low + 1e-9).astype(np.int64)
    last = np.maximum(np.ceil(high - 1e-9).astype(np.int64) - 1, 0)
    exact = high - low < 1e-9
    first = np.where(exact, last, first)
    count = last - first + 1
    event = np.repeat(np.arange(len(who)), count)
    before = np.cumsum(count) - count
    step = np.arange(count.sum()) - before[event] + first[event]
    left = np.maximum(low[event] - step, 0.0)
    right = np.minimum(high[event] - step, 1.0)
    width = np.where(exact[event], 1.0, right - left)
    weight = np.ones(len(event))
    points = Points(history[who][event], step, (left + right) / 2, weight, who[event])
    return points, np.log(width), event


def at_risk(observed: Observed, onset: IntArray | None = None) -> FloatArray:
    """Person-steps at risk by history and step.

    Parameters
    ----------
    observed
        The data.
    onset
        Slice in which each event begins, shape (events,); None: the middle one.
    """
    if onset is None:
        onset = observed.middle_slice
    total = np.zeros(observed.retained.shape)
    for part, chosen in (
        (observed.ends, slice(None)),
        (observed.entries, slice(None)),
        (observed.slices, onset),
    ):
        place = (part.history[chosen], part.step[chosen])
        whole = np.zeros_like(total)
        np.add.at(whole, place, part.weight[chosen])
        total += np.cumsum(whole[:, ::-1], axis=1)[:, ::-1] - whole
        np.add.at(total, place, part.weight[chosen] * part.part[chosen])
    return total


def kept_protection(observed: Observed) -> npt.NDArray[np.bool_]:
    """Arms in which those watched never lost a tenth of protection on average.

    Parameters
    ----------
    observed
        The data; their maintenance arms are not looked at.

    Returns
    -------
    array
        Shape (arms,).
    """
    risk = at_risk(observed)
    lost = risk * (1 - observed.retained)
    kept = np.zeros(len(observed.arms), dtype=bool)
    for arm in range(len(kept)):
        mine = observed.arm_of_history == arm
        total = risk[mine].sum(axis=0)
        mean = lost[mine].sum(axis=0)[total > 0] / total[total > 0]
        kept[arm] = mean.size > 0 and float(mean.max()) < LOST
    return kept
