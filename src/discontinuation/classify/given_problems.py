"""What is wrong with the tables that the latent-cause model is given?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.arguments import table_problems
from discontinuation.classify.given_times import EVENT_TIMES, time_of, time_problems
from discontinuation.exposure.trajectories import Exposure
from discontinuation.problems import Problem, allowed_values

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EVENTS, PEOPLE, FOLLOW_UP, ITEMS = "events", "people", "follow_up", "items"


def input_kind_problems(
    events: object, people: object, exposure: object, items: object, follow_up: object
) -> Iterator[Problem]:
    """Something else in the place of tables and exposures."""
    tables = {EVENTS: events, PEOPLE: people, FOLLOW_UP: follow_up}
    for file, table in (tables if items is None else {**tables, ITEMS: items}).items():
        yield from table_problems(file, table)
    by_study = exposure if isinstance(exposure, Mapping) else {None: exposure}
    for study, one in by_study.items():
        if not isinstance(one, Exposure):
            rule = "allowed: what exposure_of returns, or one for each study by its name"
            place = None if study is None else str(study)
            yield Problem("exposure", rule, column=place, value=type(one).__name__)


def column_problems(
    events: pd.DataFrame,
    people: pd.DataFrame,
    items: pd.DataFrame | None,
    follow_up: pd.DataFrame,
) -> Iterator[Problem]:
    """Columns that are missing, no deterioration at all, several definitions of one."""
    needed = {EVENTS: ("person",), PEOPLE: ("person", "arm"), FOLLOW_UP: ("person", "start", "end")}
    tables = {EVENTS: events, PEOPLE: people, FOLLOW_UP: follow_up}
    if items is not None:
        needed[ITEMS], tables[ITEMS] = ("person", "item", "value"), items
    for file, columns in needed.items():
        for column in columns:
            if column not in tables[file]:
                yield Problem(file, "this column is missing", column=column)
        names = tables[file].columns
        for column in names[names.duplicated()].unique():
            yield Problem(file, "there are several columns of this name", column=str(column))
    if "onset" not in events and not {"onset_earliest", "onset_latest"} <= set(events):
        message = "neither the onset nor its limits (onset_earliest, onset_latest) are there"
        yield Problem(EVENTS, message, column="onset")
    if not len(events):
        yield Problem(EVENTS, "there is no deterioration, so there is nothing to classify")
    definitions = (
        sorted(events["definition"].astype(str).unique()) if "definition" in events else []
    )
    if len(definitions) > 1:
        message = "one definition of getting worse at a time"
        yield Problem(EVENTS, message, None, "definition", ", ".join(definitions))


def person_problems(
    events: pd.DataFrame,
    people: pd.DataFrame,
    items: pd.DataFrame | None,
    follow_up: pd.DataFrame,
) -> Iterator[Problem]:
    """People, arms and studies that are blank, listed twice or not listed."""
    for column in ("person", "arm", "study"):
        if column in people:
            for row in np.flatnonzero(_is_blank(people[column])):
                yield Problem(PEOPLE, "is blank and must not be", int(row) + 2, column)
    for file, table in ((PEOPLE, people), (FOLLOW_UP, follow_up)):
        for row in np.flatnonzero(table["person"].duplicated() & table["person"].notna()):
            person = str(table["person"].iloc[row])
            yield Problem(file, "this person is listed twice", int(row) + 2, "person", person)
    tables = {EVENTS: events, FOLLOW_UP: follow_up} | ({} if items is None else {ITEMS: items})
    for file, table in tables.items():
        for row in np.flatnonzero(~table["person"].isin(people["person"])):
            person = str(table["person"].iloc[row])
            yield Problem(file, "this person is not in people", int(row) + 2, "person", person)
    without = people.loc[~people["person"].isin(follow_up["person"]), "person"]
    for person in without:
        yield Problem(FOLLOW_UP, "has no follow-up", column="person", value=str(person))
    keys = ["person", "episode"] if "episode" in events else ["person"]
    for row in np.flatnonzero(events.duplicated(keys)):
        message = "has two deteriorations of this episode; number them (episode)"
        person = str(events["person"].iloc[row])
        yield Problem(EVENTS, message, int(row) + 2, "person", person)


def _is_blank(values: pd.Series) -> npt.NDArray[np.bool_]:
    """Whether each cell is missing or holds nothing but spaces."""
    empty = [one for one in values.unique() if isinstance(one, str) and not one.strip()]
    missing = values.isna()
    return np.asarray(missing | values.isin(empty) if empty else missing, dtype=bool)


def all_time_problems(
    events: pd.DataFrame, items: pd.DataFrame | None, follow_up: pd.DataFrame
) -> Iterator[Problem]:
    """Times that are dates or no numbers; those of follow-up must not be blank."""
    yield from time_problems(EVENTS, events, EVENT_TIMES, blank=True)
    yield from time_problems(FOLLOW_UP, follow_up, ("start", "end"), blank=False)
    if items is not None:
        yield from time_problems(ITEMS, items, ("day",), blank=True)


def exposure_problems(
    people: pd.DataFrame, exposures: dict[str, Exposure], studies: list[str]
) -> Iterator[Problem]:
    """Studies without exposure or occupancy, people without doses."""
    for study in studies:
        if study not in exposures:
            rule = "this study has no exposure; " + allowed_values(list(exposures), study)
            yield Problem("exposure", rule, column="study", value=study)
            continue
        refused = exposures[study].occupancy_refused
        if refused:
            yield Problem("exposure", f"{refused}; the model needs it", None, "study", study)
        mine = people.loc[people["study"].astype(str) == study, "person"]
        for person in mine[~mine.isin(exposures[study].people)]:
            yield Problem("exposure", "has no doses", column="person", value=str(person))


def event_problems(
    first: pd.DataFrame,
    earliest: FloatArray,
    latest: FloatArray,
    start: FloatArray,
    end: FloatArray,
) -> Iterator[Problem]:
    """Onsets outside follow-up, or whose limits are the wrong way round."""
    rows = zip(first["row"], first["person"], earliest, latest, start, end, strict=True)
    for row, person, low, high, entry, last in rows:
        message = None
        if high < low:
            message = "the latest onset lies before the earliest or before follow-up"
        elif high <= entry:
            message = f"the onset is not after the start of follow-up, {entry:g}"
        elif high > last + 1e-9:
            message = f"the onset lies after the end of follow-up, {last:g}"
        if message:
            yield Problem(EVENTS, f"person {person}: {message}", int(row), "onset", f"{high:g}")


def follow_up_problems(follow_up: pd.DataFrame) -> Iterator[Problem]:
    """Follow-up that ends before it starts."""
    start, end = time_of(follow_up, "start"), time_of(follow_up, "end")
    for row in np.flatnonzero(end < start):
        person = follow_up["person"].iloc[row]
        message = f"person {person}: allowed: an end not before the start, {start[row]:g}"
        yield Problem(FOLLOW_UP, message, int(row) + 2, "end", f"{end[row]:g}")


def record_problems(
    people: pd.DataFrame,
    exposures: dict[str, Exposure],
    exposed: IntArray,
    last: FloatArray,
    start: FloatArray,
) -> Iterator[Problem]:
    """Doses must be known for as long as people are watched."""
    for study, exposure in exposures.items():
        mine = np.flatnonzero((people["study"].astype(str) == study).to_numpy())
        ends = exposure.histories.ends[exposed[mine]]
        for position in mine[ends < last[mine] - 1e-9]:
            person = people["person"].iloc[position]
            message = f"person {person}: the doses end before the observation, {last[position]:g}"
            yield Problem("exposure", message, column="stop")
        for position in mine[start[mine] < exposure.reference_day]:
            person = people["person"].iloc[position]
            message = f"person {person}: observation starts before the reference day"
            yield Problem(FOLLOW_UP, message, column="start", value=f"{start[position]:g}")


def arm_problems(
    arms: pd.DataFrame,
    arm: IntArray,
    watched: npt.NDArray[np.bool_],
    owner: IntArray,
    maintenance: str | list[str] | None,
) -> Iterator[Problem]:
    """Arms without anybody at risk; maintenance arms that are not there."""
    risk = watched.copy()
    risk[owner] = True
    for code in np.setdiff1d(np.arange(len(arms)), arm[risk]):
        name = str(arms["arm"].iloc[code])
        yield Problem(FOLLOW_UP, "nobody of this arm is at risk", column="arm", value=name)
    chosen = [maintenance] if isinstance(maintenance, str) else list(maintenance or [])
    known = sorted(arms["arm"].unique())
    for name in chosen:
        if name not in known:
            yield Problem("maintenance", allowed_values(known, name), value=name)


def item_problems(
    items: pd.DataFrame | None, dated: bool, grades: Mapping[str, int]
) -> Iterator[Problem]:
    """Ratings that are not allowed, or given twice."""
    if items is None:
        return
    value = pd.to_numeric(items["value"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    highest = items["item"].astype(str).map(dict(grades)).fillna(1).to_numpy(dtype=float)
    allowed = (value == np.floor(value)) & (value >= 0) & (value <= highest)
    for row in np.flatnonzero(items["value"].notna().to_numpy() & ~allowed):
        rule = "allowed: 1 (new or worse than before), 0 (not), or blank (not rated)"
        if highest[row] > 1:
            rule = f"allowed: whole grades from 0 to {highest[row]:g}, or blank (not rated)"
        yield Problem(ITEMS, rule, int(row) + 2, "value", str(items["value"].iloc[row]))
    keys = ["person", "item"]
    if "episode" in items:
        keys.append("episode")
    elif "day" in items and dated:
        keys.append("day")
    for row in np.flatnonzero(items.duplicated(keys)):
        message = "this item is rated twice for the same deterioration"
        yield Problem(ITEMS, message, int(row) + 2, "item", str(items["item"].iloc[row]))
