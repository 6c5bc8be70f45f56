"""Can these tables be given to the latent-cause model, and if not, why not?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.given_problems import (
    EVENTS,
    all_time_problems,
    arm_problems,
    column_problems,
    event_problems,
    exposure_problems,
    follow_up_problems,
    input_kind_problems,
    item_problems,
    person_problems,
    record_problems,
)
from discontinuation.classify.given_times import SAME, course_problems, onset_limits, time_of
from discontinuation.exposure.trajectories import Exposure
from discontinuation.problems import Problem, refuse

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

ONE_STUDY = "study"


@dataclass(frozen=True, eq=False)
class Given:
    """Checked tables, as arrays by person and by event.

    Attributes
    ----------
    studies, arms, exposures
        Names of the studies, one row per arm (study, arm), exposure by study.
    study, arm, exposed
        Position of each person's study, arm, and place in the study's exposure.
    start, end, last
        When each person is watched, and until when the doses must be known.
    maintenance
        Whether each arm keeps the drug; all False where it is left to the doses.
    events, event_person
        First deteriorations, and whose they are.
    earliest, latest
        Limits of each onset; equal where it is exact.
    items, symptoms
        Names, and 1, 0 or NaN, shape (events, items).
    resolution, resolved, followed
        As in `Observed`.
    notes
        What was given and not used.
    """

    studies: list[str]
    arms: pd.DataFrame
    exposures: dict[str, Exposure]
    study: IntArray
    arm: IntArray
    exposed: IntArray
    start: FloatArray
    end: FloatArray
    last: FloatArray
    maintenance: BoolArray
    events: pd.DataFrame
    event_person: IntArray
    earliest: FloatArray
    latest: FloatArray
    items: list[str]
    symptoms: FloatArray
    resolution: FloatArray
    resolved: FloatArray
    followed: BoolArray
    notes: tuple[str, ...]


def check_given(
    events: pd.DataFrame,
    people: pd.DataFrame,
    exposure: Exposure | Mapping[str, Exposure],
    items: pd.DataFrame | None,
    follow_up: pd.DataFrame,
    maintenance: str | list[str] | None,
    grades: Mapping[str, int],
) -> Given:
    """Check the tables and bring them into arrays; parameters as in `fit` and `Settings`.

    Raises
    ------
    InvalidInput
        All problems at once; values are looked at once the columns are there.
    """
    refuse(input_kind_problems(events, people, exposure, items, follow_up))
    refuse(column_problems(events, people, items, follow_up))
    people = people.reset_index(drop=True)
    if "study" not in people:
        people = people.assign(study=ONE_STUDY)
    studies = [str(name) for name in people["study"].dropna().unique()]
    exposures = _by_study(exposure, studies)
    names = pd.Index(people["person"])
    problems = [*person_problems(events, people, items, follow_up)]
    problems += exposure_problems(people, exposures, studies)
    problems += all_time_problems(events, items, follow_up)
    refuse(problems)
    first, notes = _first_events(events)
    watched = follow_up.set_index("person").reindex(names)
    start, end = time_of(watched, "start"), time_of(watched, "end").copy()
    owner = names.get_indexer(pd.Index(first["person"]))
    earliest, latest, bounded = onset_limits(first, start[owner], end[owner])
    arms, arm = _arms(people)
    study = pd.Index(studies).get_indexer(pd.Index(people["study"].astype(str)))
    exposed = _places(people, exposures)
    recorded = _record_ends(study, exposed, studies, exposures)
    problems = [*event_problems(first, earliest, latest, start[owner], end[owner])]
    problems += course_problems(first, earliest, latest, end[owner])
    out = bounded & (recorded[owner] < latest - SAME)
    notes += _left_out(first, out, bounded)
    end[owner[out]] = np.minimum(earliest[out], np.maximum(recorded, start)[owner[out]])
    first, owner = first[~out].reset_index(drop=True), owner[~out]
    earliest, latest = earliest[~out], latest[~out]
    if not len(first):
        problems.append(Problem(EVENTS, "no deterioration can be placed in time", column="onset"))
    last = end.copy()
    last[owner] = np.minimum(latest, end[owner])  # a later onset was named above
    problems += follow_up_problems(follow_up)
    problems += record_problems(people, exposures, exposed, last, start)
    problems += arm_problems(arms, arm, end > start, owner, maintenance)
    problems += item_problems(items, "detected" in first, grades)
    refuse(problems)
    symptoms, labels, unused = _symptoms(items, first, grades)
    resolution, resolved, followed = _resolution(first, end[owner])
    chosen = [maintenance] if isinstance(maintenance, str) else list(maintenance or [])
    return Given(
        studies=studies,
        arms=arms,
        exposures=exposures,
        study=study,
        arm=arm,
        exposed=exposed,
        start=start,
        end=end,
        last=last,
        maintenance=arms["arm"].isin(chosen).to_numpy(),
        events=_event_frame(first, people, owner, exposures, exposed, earliest, latest),
        event_person=owner,
        earliest=earliest,
        latest=latest,
        items=labels,
        symptoms=symptoms,
        resolution=resolution,
        resolved=resolved,
        followed=followed,
        notes=(*notes, *unused),
    )


def _by_study(
    exposure: Exposure | Mapping[str, Exposure], studies: list[str]
) -> dict[str, Exposure]:
    if isinstance(exposure, Mapping):
        return {str(name): one for name, one in exposure.items()}
    return {study: exposure for study in studies}


def _first_events(events: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """First deterioration of each person; the model is one of first events."""
    ordered = events.reset_index(drop=True).assign(row=np.arange(len(events)) + 2)
    if "episode" not in ordered:
        ordered["episode"] = 1
    ordered = ordered.sort_values(["person", "episode"], kind="stable")
    first = ordered.drop_duplicates("person").sort_values("row").reset_index(drop=True)
    later = len(ordered) - len(first)
    note = f"{later} later deteriorations of people who already had one are not classified"
    return first, [note] if later else []


def _left_out(first: pd.DataFrame, out: BoolArray, bounded: BoolArray) -> list[str]:
    """Say what was done with the deteriorations without onset."""
    notes = []
    if count := int((bounded & ~out).sum()):
        notes.append(
            f"deteriorations without onset: {count}, taken to lie after the last time without it "
            "(or the start of follow-up) and up to the first with it (or the end of follow-up)"
        )
    if out.any():
        names = ", ".join(map(str, first["person"][out]))
        notes.append(
            f"deteriorations without onset that are not classified: {int(out.sum())} ({names}), as "
            "the doses end before the last time at which they can have begun; these people count "
            "as watched until they were last known to be without it"
        )
    return notes


def _arms(people: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
    keys = people[["study", "arm"]].astype(str)
    arms = keys.drop_duplicates().reset_index(drop=True)
    code = pd.MultiIndex.from_frame(arms).get_indexer(pd.MultiIndex.from_frame(keys))
    return arms, code.astype(np.int64)


def _symptoms(
    items: pd.DataFrame | None, first: pd.DataFrame, grades: Mapping[str, int]
) -> tuple[FloatArray, list[str], list[str]]:
    """Ratings at the first deteriorations, matched by episode or by the day of its detection."""
    if items is None or not len(items):
        return np.empty((len(first), 0)), [], []
    keys = ["person"]
    events = first[["person", "episode"]].copy()
    if "episode" in items:
        keys.append("episode")
    elif "day" in items and "detected" in first:
        keys.append("day")
        events["day"] = time_of(first, "detected")
        items = items.assign(day=time_of(items, "day"))
    matched = items.merge(events.assign(event=np.arange(len(first)))[[*keys, "event"]], on=keys)
    unused = len(items) - len(matched)
    labels = sorted(str(name) for name in matched["item"].unique())
    symptoms = np.full((len(first), len(labels)), np.nan)
    column = pd.Index(labels).get_indexer(pd.Index(matched["item"].astype(str)))
    symptoms[matched["event"].to_numpy(), column] = pd.to_numeric(matched["value"]).to_numpy(
        dtype=float, na_value=np.nan
    )
    note = f"{unused} ratings do not belong to a person's first deterioration and are not used"
    symptoms, labels = _in_steps(symptoms, labels, grades)
    return symptoms, labels, [note] if unused else []


def _in_steps(
    symptoms: FloatArray, labels: list[str], grades: Mapping[str, int]
) -> tuple[FloatArray, list[str]]:
    """Spell out grades as steps: at least 1; at least 2, asked only of those at least 1; ...

    Any probabilities of the grades are a product of those of the steps (continuation ratios), and
    Beta priors of the steps are a generalised Dirichlet prior of the grades (Connor RJ, Mosimann
    JE. J Am Stat Assoc 1969;64:194-206).
    """
    columns, names = [], []
    for column, name in zip(symptoms.T, labels, strict=True):
        for step in range(1, grades.get(name, 1) + 1):
            asked = column >= step - 1  # a blank is asked nothing
            columns.append(np.where(asked, column >= step, np.nan))
            names.append(name if step == 1 else f"{name} >= {step}")
    return np.array(columns).reshape(len(names), len(symptoms)).T, names


def _resolution(first: pd.DataFrame, end: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Time from reinstatement to resolution, or to the end of follow-up if it had not resolved."""
    restart, passed = time_of(first, "reinstated"), time_of(first, "resolved")
    open_ended = first.get("resolution_censored", pd.Series(pd.NA, index=first.index))
    censored = open_ended.astype("boolean").fillna(False).to_numpy(dtype=bool)
    resolved = np.isfinite(passed) & ~censored
    until = np.where(resolved, passed, np.where(censored, end, np.nan))
    took = until - restart
    followed = np.isfinite(took) & (took >= 0) & (resolved | (took > 0))
    return took, resolved.astype(float), followed


def _places(people: pd.DataFrame, exposures: dict[str, Exposure]) -> IntArray:
    place = np.empty(len(people), dtype=np.int64)
    names = people["study"].astype(str).to_numpy()
    for study, exposure in exposures.items():
        mine = names == study
        place[mine] = pd.Index(exposure.people).get_indexer(pd.Index(people.loc[mine, "person"]))
    return place


def _record_ends(
    study: IntArray, exposed: IntArray, studies: list[str], exposures: dict[str, Exposure]
) -> FloatArray:
    """When each person's doses stop being known."""
    ends = np.empty(len(study))
    for code, name in enumerate(studies):
        mine = study == code
        ends[mine] = exposures[name].histories.ends[exposed[mine]]
    return ends


def _event_frame(
    first: pd.DataFrame,
    people: pd.DataFrame,
    owner: IntArray,
    exposures: dict[str, Exposure],
    exposed: IntArray,
    earliest: FloatArray,
    latest: FloatArray,
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "person": first["person"].to_numpy(),
            "study": people["study"].astype(str).to_numpy()[owner],
            "arm": people["arm"].astype(str).to_numpy()[owner],
            "episode": first["episode"].to_numpy(),
            "onset_earliest": earliest,
            "onset_latest": latest,
        }
    )
    frame["last_reduction"] = np.nan
    for study, exposure in exposures.items():
        mine = np.flatnonzero((frame["study"] == study).to_numpy())
        found = _last_reductions(exposure, exposed[owner[mine]], latest[mine])
        frame.loc[mine, "last_reduction"] = found
    return frame


def _last_reductions(exposure: Exposure, people: IntArray, times: FloatArray) -> list[float]:
    """When the dose of some people last fell before a time; NaN if it never did."""
    histories = exposure.histories
    dose, found = histories.mean_dose, []
    for person, time in zip(people, times, strict=True):
        mine = slice(histories.first[person], histories.first[person + 1])
        falls = np.diff(dose[mine], prepend=histories.before[person]) < 0
        starts = histories.start[mine][falls]
        before = starts[starts < time]
        found.append(float(before.max()) if before.size else float("nan"))
    return found
