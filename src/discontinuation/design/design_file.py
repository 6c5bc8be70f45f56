"""What trial is being planned, and what could be true of it?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from discontinuation.config import complete_config
from discontinuation.design.day_tables import expected_counts
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.fingerprint import ROOT
from discontinuation.ingest.yaml_text import read_yaml
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse

SCHEMA = ROOT.parents[1] / "workflow" / "schemas" / "design.schema.yaml"
WEEK = 7
# Which strategies each hypothesis compares.
NEEDS = {
    "H1": ("abrupt", "maintain"),
    "H2": ("abrupt", "taper"),
    "H3": ("taper", "maintain"),
    "H4": ("abrupt", "maintain"),
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
    return design_of(complete_config(read_yaml(path, path.name), schema, path.name), path.name)


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
    problems = [*_design_problems(content, file), *_hypothesis_problems(content, file)]
    truths = {}
    for name, truth in content["truths"].items():
        try:
            truths[str(name)] = _scenario(content, str(name), truth)
        except InvalidInput as invalid:
            problems += [replace(one, file=file) for one in invalid.problems]
    refuse(dict.fromkeys(problems))
    refuse(_eventless(truths, file))
    return TrialDesign(content, truths, file)


def _days(weeks: float) -> int:
    return round(weeks * WEEK)


def _scenario(content: Mapping[str, Any], name: str, truth: Mapping[str, Any]) -> Scenario:
    follow, drug = content["follow_up"], content["drug"]
    concealed = _days(follow["concealed_start_weeks"])
    assumed = {key: value for key, value in truth.items() if key != "label"}
    assumed["relapse_per_year"] = (float(assumed["relapse_per_year"]),)
    return Scenario(
        study=f"{content['design']}: {name}",
        arms=tuple(_arm(arm) for arm in content["arms"]),
        horizon_days=_days(follow["weeks"]) + concealed,
        concealed_start_days=concealed,
        dropout_per_year=-math.log1p(-follow["dropout_in_a_year"]),
        visit_days=content["visits"]["every_days"],
        **{key: value for key, value in drug.items() if key != "name"},
        **assumed,
    )


def _arm(arm: Mapping[str, Any]) -> Arm:
    return Arm(
        name=arm["name"],
        strategy=arm["strategy"],
        people=1,
        taper_days=_days(arm["taper_weeks"]),
        step_days=arm["step_days"],
        shape=arm["shape"],
        rounded_to_mg=arm["rounded_to_mg"],
    )


def _design_problems(content: Mapping[str, Any], file: str) -> Iterator[Problem]:
    weeks = content["follow_up"]["weeks"]
    for position, arm in enumerate(content["arms"]):
        if arm["taper_weeks"] >= weeks:
            rule = f"the taper must end within the {weeks:g} weeks of follow-up"
            place = f"arms[{position}].taper_weeks"
            yield Problem(file, rule, None, place, f"{arm['taper_weeks']:g}")
    days = _days(weeks)
    for place, visit in (
        ("every_days", content["visits"]["every_days"]),
        *(("compare_days", one) for one in content["visits"]["compare_days"]),
    ):
        if visit > days:
            rule = f"a visit must fall within the {days} days of follow-up"
            yield Problem(file, rule, None, f"visits.{place}", str(visit))
    planned, truths = content["planned_for"], [str(name) for name in content["truths"]]
    if planned and planned not in truths:
        yield Problem(file, allowed_values(truths, planned), None, "planned_for", planned)
    risk = content["assurance"]["withdrawal_risk"]["median"]
    if risk >= 1:
        place = "assurance.withdrawal_risk.median"
        yield Problem(file, "allowed: a number below 1", None, place, f"{risk:g}")


def _hypothesis_problems(content: Mapping[str, Any], file: str) -> Iterator[Problem]:
    asked = content["hypotheses"]
    present = {arm["strategy"] for arm in content["arms"]}
    for name in asked["tested"]:
        lacking = [strategy for strategy in NEEDS[name] if strategy not in present]
        if lacking:
            rule = f"{name} needs an arm with the strategy {' and one with '.join(lacking)}"
            yield Problem(file, rule, None, "hypotheses.tested", name)
    for name in asked["wanted"]:
        if name not in asked["tested"]:
            rule = allowed_values(asked["tested"], name)
            yield Problem(file, rule, None, "hypotheses.wanted", name)
    tapers = {arm["name"]: arm for arm in content["arms"] if arm["strategy"] == "taper"}
    if asked["taper"] and asked["taper"] not in tapers:
        rule = allowed_values(list(tapers), asked["taper"])
        yield Problem(file, rule, None, "hypotheses.taper", asked["taper"])
    yield from _time_problems(content, list(tapers.values()), file)


def _time_problems(
    content: Mapping[str, Any], tapers: Sequence[Mapping[str, Any]], file: str
) -> Iterator[Problem]:
    """Find looks that come after the end of follow-up."""
    asked, weeks = content["hypotheses"], content["follow_up"]["weeks"]
    if "H4" in asked["tested"] and asked["share_weeks"] > weeks:
        rule = f"follow-up ends after {weeks:g} weeks"
        yield Problem(file, rule, None, "hypotheses.share_weeks", f"{asked['share_weeks']:g}")
    named = [arm for arm in tapers if asked["taper"] in ("", arm["name"])]
    if "H3" in asked["tested"] and named:
        late = named[0]["taper_weeks"] + asked["relapse_weeks_after_taper"]
        if late > weeks:
            rule = f"with the taper that is week {late:g}, and follow-up ends after {weeks:g} weeks"
            place = "hypotheses.relapse_weeks_after_taper"
            yield Problem(file, rule, None, place, f"{asked['relapse_weeks_after_taper']:g}")


def _eventless(truths: Mapping[str, Scenario], file: str) -> Iterator[Problem]:
    for name, truth in truths.items():
        if not expected_counts(truth).events.any():
            rule = "nobody would have an event under this truth, so no test could be made"
            yield Problem(file, rule, column=f"truths.{name}")
