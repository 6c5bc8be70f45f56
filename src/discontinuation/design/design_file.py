"""What trial is being planned, and what could be true of it?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from discontinuation.config import check_config
from discontinuation.design.day_tables import expected_counts, visit_days
from discontinuation.design.design_problems import WEEK, arm_of, design_problems, in_days
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.fingerprint import ROOT
from discontinuation.ingest.yaml_text import read_yaml
from discontinuation.problems import InvalidInput, Problem, refuse

SCHEMA = ROOT.parents[1] / "workflow" / "schemas" / "design.schema.yaml"
# Where the file has what a scenario calls otherwise.
PLACES = {
    "horizon_days": "follow_up.weeks",
    "concealed_start_days": "follow_up.concealed_start_weeks",
    "dropout_per_year": "follow_up.dropout_in_a_year",
    "visit_days": "visits.every_days",
}


@dataclass(frozen=True, eq=False)
class TrialDesign:
    """A planned trial.

    Attributes
    ----------
    content
        The completed file.
    truths
        What is assumed under each truth, with one person per arm.
    file
        Where it was read.
    """

    content: Mapping[str, Any]
    truths: Mapping[str, Scenario]
    file: str

    @property
    def planned_for(self) -> str:
        """The truth under which the size is chosen."""
        return str(self.content["planned_for"] or next(iter(self.truths)))

    @property
    def scenario(self) -> Scenario:
        """The assumptions under that truth."""
        return self.truths[self.planned_for]

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms."""
        return self.scenario.arms

    @property
    def wanted(self) -> list[str]:
        """Hypotheses that must reach the wanted power."""
        asked = self.content["hypotheses"]
        return list(asked["wanted"] or asked["tested"])

    @property
    def end(self) -> int:
        """Last day on which everybody is followed, since the start of the reduction."""
        return self.scenario.horizon_days - self.scenario.concealed_start_days

    @property
    def taper_end(self) -> int:
        """Day on which the compared taper ends; 0 without one."""
        place = self.place("taper")
        return 0 if place is None else self.arms[place].taper_days

    def place(self, strategy: str) -> int | None:
        """Position of the first arm with a strategy, of tapers the one that is named."""
        named = self.content["hypotheses"]["taper"] if strategy == "taper" else ""
        found = (
            position
            for position, arm in enumerate(self.arms)
            if arm.strategy == strategy and named in ("", arm.name)
        )
        return next(found, None)

    def look(self, hypothesis: str) -> float:
        """Day since the start of the reduction on which a hypothesis looks."""
        asked = self.content["hypotheses"]
        if hypothesis == "H3":
            return self.taper_end + WEEK * float(asked["relapse_weeks_after_taper"])
        return WEEK * float(asked["share_weeks"]) if hypothesis == "H4" else float(self.end)

    def looks_on(self, hypothesis: str) -> float:
        """Day of the last visit by then, which is what is seen; NaN before the first visit."""
        days = visit_days(self.scenario)
        return float(max(days[days <= self.look(hypothesis)], default=math.nan))

    def seen_every(self, days: int) -> TrialDesign:
        """Return the same trial with another time between visits."""
        truths = {
            name: replace(truth, visit_days=min(days, self.end))
            for name, truth in self.truths.items()
        }
        return replace(self, truths=truths)


def read_design(path: Path) -> TrialDesign:
    """Read a planned trial.

    Parameters
    ----------
    path
        A YAML file; `workflow/schemas/design.schema.yaml` describes it.

    Returns
    -------
    TrialDesign

    Raises
    ------
    InvalidInput
        All at once: unknown keys, impossible values, a taper longer than follow-up, hypotheses
        without their arms, a truth under which nobody has an event.
    """
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    content, problems = check_config(read_yaml(path, path.name), schema, path.name)
    refused = {str(problem.column) for problem in problems}
    refuse([*problems, *design_problems(content, path.name, refused)])
    return design_of(content, path.name)


def design_of(content: Mapping[str, Any], file: str) -> TrialDesign:
    """Make the design of a completed file.

    Parameters
    ----------
    content
        As the schema completes it.
    file
        How messages call it.

    Raises
    ------
    InvalidInput
        As `read_design`.
    """
    refuse(design_problems(content, file))
    problems: list[Problem] = []
    truths = {}
    for name, truth in content["truths"].items():
        try:
            truths[name] = _scenario(content, name, truth)
        except InvalidInput as invalid:
            problems += [_in_file(one, file, content, name) for one in invalid.problems]
    refuse(dict.fromkeys(problems))
    refuse(_eventless(truths, file))
    return TrialDesign(content, truths, file)


def _scenario(content: Mapping[str, Any], name: str, truth: Mapping[str, Any]) -> Scenario:
    follow, drug = content["follow_up"], content["drug"]
    concealed = in_days(follow["concealed_start_weeks"])
    assumed = {key: value for key, value in truth.items() if key != "label"}
    assumed["relapse_per_year"] = (float(assumed["relapse_per_year"]),)
    return Scenario(
        study=f"{content['design']}: {name}",
        arms=tuple(arm_of(arm) for arm in content["arms"]),
        horizon_days=in_days(follow["weeks"]) + concealed,
        concealed_start_days=concealed,
        dropout_per_year=-math.log1p(-follow["dropout_in_a_year"]),
        visit_days=content["visits"]["every_days"],
        **{key: value for key, value in drug.items() if key != "name"},
        **assumed,
    )


def _in_file(problem: Problem, file: str, content: Mapping[str, Any], truth: str) -> Problem:
    """Say what is wrong with a scenario with the keys of the file."""
    column = str(problem.column)
    if column in content["truths"][truth]:
        column = f"truths.{truth}.{column}"
    elif column in content["drug"]:
        column = f"drug.{column}"
    else:
        column = PLACES.get(column, column.replace("taper_days", "taper_weeks"))
    return replace(problem, file=file, column=column)


def _eventless(truths: Mapping[str, Scenario], file: str) -> Iterator[Problem]:
    for name, truth in truths.items():
        if not expected_counts(truth).events.any():
            rule = "nobody would have an event under this truth, so no test could be made"
            yield Problem(file, rule, column=f"truths.{name}")
