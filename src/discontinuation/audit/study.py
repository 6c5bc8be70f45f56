"""What does a publication tell about one trial, and how much can be done with it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from discontinuation.config import complete_config
from discontinuation.fingerprint import ROOT
from discontinuation.ingest.yaml_text import read_yaml
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse
from discontinuation.synthesis.curve_files import ClickedArm, read_clicks, read_risk_table

SCHEMA = ROOT.parents[1] / "workflow" / "schemas" / "study.schema.yaml"
DAYS = {"days": 1.0, "weeks": 7.0, "months": 365.25 / 12, "years": 365.25}
ARMS = ("continued", "stopped")


@dataclass(frozen=True, eq=False)
class StudyArm:
    """One arm; all times in days.

    Attributes
    ----------
    label
        Its name.
    people, events
        As printed; None where they are not.
    clicks
        time, survival; None without a curve.
    at_risk
        time, at_risk; None without a risk table.
    counts
        time, events, people: people with the event by some times; None without.
    """

    label: str
    people: int | None
    events: int | None
    clicks: pd.DataFrame | None
    at_risk: pd.DataFrame | None
    counts: pd.DataFrame | None


@dataclass(frozen=True, eq=False)
class Study:
    """One trial as far as its publication tells; `content` holds the file's other keys.

    Attributes
    ----------
    content
        The completed file.
    arms
        continued and stopped.
    file
        Where it was read.
    """

    content: Mapping[str, Any]
    arms: Mapping[str, StudyArm]
    file: str

    @property
    def tier(self) -> int:
        """Evidence tier (methods C10).

        3: curves with risk tables; 4: counts at two or more times
        in both arms, 5 counts at one time.
        """
        arms = [self.arms[name] for name in ARMS]
        if all(arm.clicks is not None and arm.at_risk is not None for arm in arms):
            return 3
        return 4 if len(self.shared_counts) > 1 else 5

    @property
    def shared_counts(self) -> pd.DataFrame:
        """Counts at times that both arms have: time, then events and people of each arm."""
        continued, stopped = (self.arms[name].counts for name in ARMS)
        if continued is None or stopped is None:
            columns = ["time", *(f"{kind}_{arm}" for arm in ARMS for kind in ("events", "people"))]
            return pd.DataFrame(columns=columns)
        both = continued.merge(stopped, on="time", suffixes=("_continued", "_stopped"))
        return both.sort_values("time").reset_index(drop=True)


def read_study(path: Path) -> Study:
    """Read one trial.

    Parameters
    ----------
    path
        A YAML file; files of clicks and risk tables are looked for beside it.

    Raises
    ------
    InvalidInput
        All at once: unknown keys, impossible values, files that cannot be read, an arm with
        neither a curve nor counts, counts that fall or hold more events than people.
    """
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    content = complete_config(read_yaml(path, path.name), schema, file=path.name)
    arms, problems = {}, list(_study_problems(content, path.name))
    for name in ARMS:
        try:
            arms[name] = _arm(name, content["arms"][name], content["unit"], path)
        except InvalidInput as invalid:
            problems += invalid.problems
    refuse(problems)
    return Study(content, arms, path.name)


def _study_problems(content: Mapping[str, Any], file: str) -> Iterator[Problem]:
    steps = content["taper"]
    days = [step["day"] for step in steps]
    if days != sorted(set(days)):
        yield Problem(file, "the days of the steps must rise", column="taper")
    if steps and steps[-1]["dose"] != 0:
        yield Problem(file, "the last step must be to dose 0", column="taper")
    if steps and content["starting_dose"] is None:
        yield Problem(file, "is needed where the steps are given", column="starting_dose")
    if steps and content["taper_days"] is not None:
        rule = "give the steps or the length, not both"
        yield Problem(file, rule, column="taper_days", value=f"{content['taper_days']:g}")


def _arm(name: str, arm: Mapping[str, Any], unit: str, path: Path) -> StudyArm:
    factor = DAYS[unit]
    clicks, table, events = _clicks(name, arm, path)
    if arm["at_risk"] and not isinstance(arm["at_risk"], str):
        table = pd.DataFrame(arm["at_risk"], columns=["time", "at_risk"], dtype=float)
    elif arm["at_risk"]:
        table = _of_file(read_risk_table(path.parent / arm["at_risk"]), arm["dataset"], name)
    counts = pd.DataFrame(arm["counts"]) if arm["counts"] else None
    refuse(_arm_problems(name, clicks, counts, path.name))
    scaled = [
        None if frame is None else frame.assign(time=frame["time"].astype(float) * factor)
        for frame in (clicks, table, counts)
    ]
    total = arm["events"] if arm["events"] is not None else events
    return StudyArm(arm["label"] or name, arm["people"], total, *scaled)


def _clicks(
    name: str, arm: Mapping[str, Any], path: Path
) -> tuple[pd.DataFrame | None, pd.DataFrame | None, int | None]:
    """Points of the curve, with the risk table and the events that their file may hold."""
    if not arm["clicks"]:
        return None, None, None
    if not isinstance(arm["clicks"], str):
        return pd.DataFrame(arm["clicks"], columns=["time", "survival"], dtype=float), None, None
    figure = read_clicks(path.parent / arm["clicks"], percent=arm["percent"], rising=arm["rising"])
    found: ClickedArm = _of_file(dict(figure.arms), arm["dataset"], name)
    return found.clicks, found.at_risk, found.events


def _of_file(found: Mapping[str, Any], dataset: str | None, name: str) -> Any:
    """Choose the arm of a file: the one that is named, or the only one."""
    wanted = dataset if dataset is not None else name
    if wanted in found:
        return found[wanted]
    if len(found) == 1 and dataset is None:
        return next(iter(found.values()))
    rule = allowed_values([str(key) for key in found], wanted)
    refuse([Problem("study", rule, None, f"arms.{name}.dataset", wanted)])
    raise AssertionError


def _arm_problems(
    name: str, clicks: pd.DataFrame | None, counts: pd.DataFrame | None, file: str
) -> Iterator[Problem]:
    place = f"arms.{name}"
    if clicks is None and counts is None:
        yield Problem(file, "has neither a curve (clicks) nor counts", column=place)
    if counts is None:
        return
    for row in counts.to_dict("records"):
        if row["events"] > row["people"]:
            value = f"{row['events']} of {row['people']}"
            yield Problem(file, "more events than people", None, f"{place}.counts", value)
    ordered = counts.sort_values("time")
    if ordered["time"].duplicated().any():
        yield Problem(file, "a time stands twice", column=f"{place}.counts")
    if (ordered["events"].diff() < 0).any():
        rule = "events are those by each time, so they cannot fall"
        yield Problem(file, rule, column=f"{place}.counts")
