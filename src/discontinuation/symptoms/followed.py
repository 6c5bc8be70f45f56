"""What do the symptoms that a dataset asks to be followed do around its dose steps?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.describe.given import Tables, complete
from discontinuation.events.scores import arrange_ratings, score_of
from discontinuation.exposure.dose_runs import (
    align_to_last_dose,
    find_dose_runs,
    reach_the_end,
    stop_kinds,
    summarise_after_last_dose,
)
from discontinuation.problems import InvalidInput
from discontinuation.symptoms.mixed_model import fit_mixed_model
from discontinuation.symptoms.onset import RiseRule, step_onsets
from discontinuation.symptoms.single_case import SingleCase, describe_single_case
from discontinuation.symptoms.steps import dose_steps
from discontinuation.symptoms.trajectory import Trajectories, trajectories
from discontinuation.tables.instruments import TOTAL, Instrument

# A mixed model of fewer people says little about how they differ.
FEWEST_PEOPLE = 10
# More people than this are not looked at one by one.
MOST_CASES = 12


@dataclass(frozen=True, eq=False)
class Followed:
    """Symptoms around dose steps, for every trajectory that a dataset declares.

    Attributes
    ----------
    courses
        By name of the trajectory: means by days since the step.
    cases
        By name of the trajectory and person: the single-case description of each symptom.
    tables
        Frames for the report: `trajectories`, `models`, `onsets`, `dose_runs` and
        `after_last_dose`; counts are not masked. Empty ones are left out.
    refused
        One row per analysis that could not be done: trajectory, analysis, reason.
    """

    courses: dict[str, Trajectories] = field(default_factory=dict)
    cases: dict[str, dict[str, dict[str, SingleCase]]] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    refused: pd.DataFrame = field(default_factory=pd.DataFrame)


def follow_symptoms(
    declared: Mapping[str, Any],
    tables: Tables,
    instruments: Mapping[str, Instrument],
    individuals: bool,
) -> Followed:
    """Follow the declared symptoms around the dose steps.

    Parameters
    ----------
    declared
        Content of a dataset's declaration: `trajectories` and `dose_runs`.
    tables
        Canonical tables; any may be missing.
    instruments
        The dataset's instruments, which make totals of items.
    individuals
        Whether people may be described one by one.

    Returns
    -------
    Followed
        What was described, and what could not be and why. A change around a step is described,
        whatever caused it.
    """
    given = complete(tables)
    followed = Followed()
    refused: list[dict[str, str]] = []
    parts: dict[str, list[pd.DataFrame]] = {}
    for wanted in declared["trajectories"]:
        name = trajectory_name(wanted)
        try:
            course, steps = _course(wanted, given, instruments)
        except InvalidInput as error:
            refused.append(_refusal(name, "trajectory", error))
            continue
        followed.courses[name] = course
        _add(parts, "trajectories", name, course.summary)
        for analysis, act in (("model", _models), ("onset", _onset)):
            try:
                found = act(wanted, course, steps, given)
            except InvalidInput as error:
                refused.append(_refusal(name, analysis, error))
            else:
                _add(parts, f"{analysis}s", name, found)
        if individuals and given["people"]["person"].nunique() <= MOST_CASES:
            followed.cases[name] = _single_cases(name, course, given, refused)
    _add_runs(declared.get("dose_runs"), given, instruments, parts)
    followed.tables.update({key: pd.concat(frames) for key, frames in parts.items()})
    columns = ["trajectory", "analysis", "reason"]
    return Followed(
        followed.courses, followed.cases, followed.tables, pd.DataFrame(refused, columns=columns)
    )


def trajectory_name(wanted: Mapping[str, Any]) -> str:
    """Name a trajectory by its instrument and the steps it is laid around."""
    return f"{wanted['instrument']}_{wanted['steps']}"


def _refusal(name: str, analysis: str, error: InvalidInput) -> dict[str, str]:
    reasons = "; ".join(str(problem) for problem in error.problems)
    return {"trajectory": name, "analysis": analysis, "reason": reasons}


def _add(parts: dict[str, list[pd.DataFrame]], key: str, name: str, frame: pd.DataFrame) -> None:
    if len(frame):
        parts.setdefault(key, []).append(frame.assign(trajectory=name))


def _course(
    wanted: Mapping[str, Any], given: Tables, instruments: Mapping[str, Instrument]
) -> tuple[Trajectories, pd.DataFrame]:
    """Lay one instrument around the steps of each person's main drug."""
    steps = dose_steps(main_doses(given["doses"]))
    to_zero = wanted["steps"] == "to_zero"
    if to_zero:
        steps = steps.loc[steps["to_dose"] == 0].drop_duplicates("person").assign(step=1, attempt=1)
    before, after, width = (wanted[f"{key}_days"] for key in ("before", "after", "bin"))
    bins = np.arange(-np.ceil(before / width) * width, after + width / 2, width)
    course = trajectories(
        _series(wanted, given["assessments"], instruments),
        steps,
        given["people"],
        given["follow_up"],
        before=before,
        bins=[float(edge) for edge in bins],
        by=("arm",) if to_zero else ("arm", "step"),
    )
    return course, steps


def main_doses(doses: pd.DataFrame) -> pd.DataFrame:
    """Keep each person's main drug: the one, in one unit, that was taken for most days.

    Parameters
    ----------
    doses
        Canonical doses. Two drugs of one person cannot be laid on the same scale.
    """
    taken = doses["stop"].sub(doses["start"]).where(doses["dose"] > 0, 0.0)
    days = taken.groupby([doses[key] for key in ("person", "drug", "unit")], sort=False).sum()
    longest = days.rename("days").reset_index().sort_values("days", ascending=False, kind="stable")
    chosen = longest.drop_duplicates("person")[["person", "drug", "unit"]]
    kept: pd.DataFrame = doses.merge(chosen, on=["person", "drug", "unit"])
    return kept


def _series(
    wanted: Mapping[str, Any], assessments: pd.DataFrame, instruments: Mapping[str, Instrument]
) -> pd.DataFrame:
    """Take the items asked for, or the total: as given, otherwise made of the items."""
    own: pd.DataFrame = assessments.loc[assessments["instrument"] == wanted["instrument"]]
    if "items" in wanted:
        chosen: pd.DataFrame = own.loc[own["item"].isin(wanted["items"])]
        return chosen
    people, codes = np.unique(own["person"].astype(str), return_inverse=True)
    ratings = arrange_ratings(
        instruments[wanted["instrument"]],
        codes,
        own["day"].to_numpy(dtype=float),
        own["item"].astype(str),
        own["value"].to_numpy(dtype=float),
    )
    totals = pd.DataFrame(
        {
            "person": people[ratings.person] if len(people) else [],
            "day": ratings.day,
            "instrument": wanted["instrument"],
            "item": TOTAL,
            "value": score_of(ratings, TOTAL),
        }
    )
    return totals.dropna(subset="value").astype({"person": object}).reset_index(drop=True)


def _models(
    wanted: Mapping[str, Any], course: Trajectories, steps: pd.DataFrame, given: Tables
) -> pd.DataFrame:
    """Fit each symptom's course after the dose came to 0: random intercept and slope, AR(1)."""
    if wanted["steps"] != "to_zero":
        return pd.DataFrame()
    arm = given["people"].drop_duplicates("person").set_index("person")["arm"]
    after = course.aligned.loc[
        (course.aligned["since_step"] >= 0) & (course.aligned["since_step"] < wanted["after_days"])
    ]
    after = after.assign(arm=after["person"].map(arm).astype(object))
    frames = []
    for item, rows in after.groupby("item", sort=False):
        if rows["person"].nunique() < FEWEST_PEOPLE:
            continue
        fixed = "since_step * arm" if len(rows["arm"].unique()) > 1 else "since_step"
        days = rows.groupby(["person", "arm", "since_step"], sort=False)["value"].mean()
        model = fit_mixed_model(
            days.reset_index(),
            "value",
            fixed,
            time="since_step",
            correlation="car1",
            position="since_step",
        )
        warnings = "; ".join(model.warnings)
        frames.append(model.summary.assign(item=item, warnings=warnings))
    return pd.concat(frames) if frames else pd.DataFrame()


def _onset(
    wanted: Mapping[str, Any], course: Trajectories, steps: pd.DataFrame, given: Tables
) -> pd.DataFrame:
    """Count the people whose symptom rose after a step, where the rise is declared."""
    if "rise" not in wanted:
        return pd.DataFrame()
    rule = RiseRule(baseline_days=wanted["before_days"], rise=wanted["rise"])
    series = course.aligned[["person", "day", "instrument", "item", "value"]]
    days = [day for day in (7.0, 14.0, 28.0, 56.0) if day <= wanted["after_days"]]
    return step_onsets(series, steps, given["people"], given["follow_up"], rule, days=days).summary


def _single_cases(
    name: str, course: Trajectories, given: Tables, refused: list[dict[str, str]]
) -> dict[str, dict[str, SingleCase]]:
    """Describe each person's symptoms by dose level."""
    found: dict[str, dict[str, SingleCase]] = {}
    doses = main_doses(given["doses"])
    spans = given["follow_up"].drop_duplicates("person").set_index("person")
    starts, ends = spans["start"].to_dict(), spans["end"].to_dict()
    for (person, item), rows in course.aligned.groupby(["person", "item"], sort=False):
        # Observation that ends with a day does not reach into the next one.
        span = (float(starts[person]), max(float(starts[person]), np.ceil(ends[person]) - 1.0))
        own = doses.loc[doses["person"] == person]
        series = rows[["day", "value"]].assign(day=rows["day"])
        try:
            case = describe_single_case(series, own, span, every=_every(rows["day"]))
        except InvalidInput as error:
            refused.append(_refusal(name, f"single case {person}, {item}", error))
        else:
            found.setdefault(str(person), {})[str(item)] = case
    return found


def _every(days: pd.Series) -> float:
    """Find the usual distance of answers, whole days."""
    distinct = np.unique(np.floor(days.to_numpy(dtype=float)))
    return float(max(1.0, np.median(np.diff(distinct)))) if len(distinct) > 1 else 1.0


def _add_runs(
    rule: Mapping[str, Any] | None,
    given: Tables,
    instruments: Mapping[str, Instrument],
    parts: dict[str, list[pd.DataFrame]],
) -> None:
    """Count how the runs of dosing ended, and follow a score after their last dose."""
    if not rule:
        return
    runs = find_dose_runs(given["doses"], rule["gap_days"])
    runs = runs.assign(stop_kind=stop_kinds(runs, rule))
    study = given["people"].drop_duplicates("person").set_index("person")["study"]
    runs["study"] = runs["person"].map(study)
    runs["seen_to_end"] = ~reach_the_end(runs, given["follow_up"], rule["gap_days"])
    counts = runs.groupby(["study", "drug", "stop_kind"], sort=True)
    parts["dose_runs"] = [
        counts.agg(
            runs=("run", "size"),
            people=("person", "nunique"),
            runs_seen_to_end=("seen_to_end", "sum"),
            median_days_from_peak=("days_from_peak", "median"),
            median_last_dose=("last_dose", "median"),
        ).reset_index()
    ]
    if "instrument" not in rule:
        return
    wanted = {"instrument": rule["instrument"]}
    if rule["item"] != TOTAL:
        wanted["items"] = [rule["item"]]
    series = _series(wanted, given["assessments"], instruments)
    frames = [
        summarise_after_last_dose(align_to_last_dose(series, own), _limits(rule)).assign(study=name)
        for name, own in runs.groupby("study", sort=True)
    ]
    parts["after_last_dose"] = [frame for frame in frames if len(frame)] or [pd.DataFrame()]


def _limits(rule: Mapping[str, Any]) -> Sequence[float]:
    return [float(limit) for limit in rule.get("days", (0, 7, 14, 28, 56))]
