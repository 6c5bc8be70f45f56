"""What is wrong with a design file that its schema cannot tell: values that do not go together."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from discontinuation.design.plans import planned_doses
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.problems import Problem, allowed_values

WEEK = 7
SMALLEST_MG = 1e-6
# Which strategies each hypothesis compares.
NEEDS = {
    "H1": ("abrupt", "maintain"),
    "H2": ("abrupt", "taper"),
    "H3": ("taper", "maintain"),
    "H4": ("abrupt", "maintain"),
}
Content = Mapping[str, Any]
Found = Iterator[tuple[str, str, object]]  # column, what is allowed, value


def design_problems(content: Content, file: str, refused: Collection[str] = ()) -> list[Problem]:
    """Find values that do not go together.

    Parameters
    ----------
    content
        A design file with its defaults.
    file
        How messages call it.
    refused
        Keys that the schema refuses: what rests on one of them is not looked at.

    Returns
    -------
    list of Problem
        In the words and with the keys of the file.
    """
    found = []
    for needs, look in _LOOKS:
        if not any(_touch(place, need) for place in refused for need in needs):
            for column, rule, value in look(content):
                text = f"{value:g}" if isinstance(value, float) else str(value)
                found.append(Problem(file, rule, None, column, text))
    return found


def _touch(place: str, need: str) -> bool:
    """Whether a key is another, stands above it or below it."""
    return (
        place in ("", need)
        or place.startswith((f"{need}.", f"{need}["))
        or need.startswith(f"{place}.")
    )


def in_days(weeks: float) -> int:
    """Round weeks to whole days."""
    return round(weeks * WEEK)


def arm_of(arm: Content) -> Arm:
    """Make an arm with one person."""
    return Arm(
        name=arm["name"],
        strategy=arm["strategy"],
        people=1,
        taper_days=in_days(arm["taper_weeks"]),
        step_days=arm["step_days"],
        shape=arm["shape"],
        rounded_to_mg=arm["rounded_to_mg"],
    )


def _names(content: Content) -> Found:
    names = [arm["name"] for arm in content["arms"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield "arms", "two arms have this name", name


def _lengths(content: Content) -> Found:
    for position, arm in enumerate(content["arms"]):
        weeks, step, days = arm["taper_weeks"], arm["step_days"], in_days(arm["taper_weeks"])
        place = f"arms[{position}].taper_weeks"
        if arm["strategy"] != "taper":
            if weeks:
                yield place, f"only a taper has a length, not {arm['strategy']!r}", weeks
        elif not days:
            yield place, "a taper needs a length of a day or more", weeks
        elif days % step:
            rule = f"these {days} days must be a multiple of the step of {step} days"
            yield place, rule, weeks


def _taper_ends(content: Content) -> Found:
    weeks = content["follow_up"]["weeks"]
    for position, arm in enumerate(content["arms"]):
        if arm["taper_weeks"] >= weeks:
            rule = f"the taper must end within the {weeks:g} weeks of follow-up"
            yield f"arms[{position}].taper_weeks", rule, arm["taper_weeks"]


def _steps(content: Content) -> Found:
    """Find doses that cannot be made up as planned, and tapers that are abrupt stops."""
    full = content["drug"]["dose_mg"]
    for position, arm in enumerate(content["arms"]):
        unit, place = arm["rounded_to_mg"], f"arms[{position}]."
        if arm["strategy"] != "taper":
            if unit:
                rule = f"only doses of a taper are rounded, not those of {arm['strategy']!r}"
                yield place + "rounded_to_mg", rule, unit
        elif 0 < unit < SMALLEST_MG:
            yield place + "rounded_to_mg", f"allowed: 0, or {SMALLEST_MG:g} and more", unit
        elif unit and abs(math.remainder(full, unit)) > 1e-9 * full:
            yield place + "rounded_to_mg", f"the full dose of {full:g} mg is no multiple", unit
        elif _is_abrupt(content, arm):
            key = "rounded_to_mg" if unit else "step_days"
            rule = "leaves no dose between the full one and none: that is an abrupt stop"
            yield place + key, rule, arm[key]


def _is_abrupt(content: Content, arm: Content) -> bool:
    if not in_days(arm["taper_weeks"]) or in_days(arm["taper_weeks"]) % arm["step_days"]:
        return False  # no taper at all, which is said elsewhere
    drug = {key: value for key, value in content["drug"].items() if key != "name"}
    made = arm_of(arm)
    doses = planned_doses(made, Scenario(arms=(made,), horizon_days=made.taper_days, **drug))
    return not ((doses > 0) & (doses < drug["dose_mg"])).any()


def _a_day(content: Content) -> Found:
    if not in_days(content["follow_up"]["weeks"]):
        yield "follow_up.weeks", "allowed: a day or more", content["follow_up"]["weeks"]


def _visits(content: Content) -> Found:
    days = in_days(content["follow_up"]["weeks"])
    visits = [("every_days", content["visits"]["every_days"])]
    visits += [("compare_days", one) for one in content["visits"]["compare_days"]]
    for place, visit in visits:
        if visit > days > 0:
            rule = f"a visit must fall within the {days} days of follow-up"
            yield f"visits.{place}", rule, visit


def _planned(content: Content) -> Found:
    planned, truths = content["planned_for"], content.get("truths")
    names = [str(name) for name in truths] if isinstance(truths, dict) else []
    if planned and names and planned not in names:
        yield "planned_for", allowed_values(names, planned), planned


def _arms_needed(content: Content) -> Found:
    present = {arm["strategy"] for arm in content["arms"]}
    for name in content["hypotheses"]["tested"]:
        lacking = [strategy for strategy in NEEDS[name] if strategy not in present]
        if lacking:
            rule = f"{name} needs an arm with the strategy {' and one with '.join(lacking)}"
            yield "hypotheses.tested", rule, name


def _wanted(content: Content) -> Found:
    tested = content["hypotheses"]["tested"]
    for name in content["hypotheses"]["wanted"]:
        if name not in tested:
            yield "hypotheses.wanted", allowed_values(tested, name), name


def _tapers(content: Content) -> list[Content]:
    return [arm for arm in content["arms"] if arm["strategy"] == "taper"]


def _taper_named(content: Content) -> Found:
    named, tapers = content["hypotheses"]["taper"], [arm["name"] for arm in _tapers(content)]
    if named and named not in tapers:
        yield "hypotheses.taper", allowed_values(tapers, named), named


def _looks(content: Content) -> Found:
    """Find looks after the end of follow-up, and looks before anybody is seen."""
    asked, weeks = content["hypotheses"], content["follow_up"]["weeks"]
    first = min(content["visits"]["every_days"], in_days(weeks))
    if "H4" in asked["tested"]:
        key, value = "share_weeks", asked["share_weeks"]
        if value > weeks:
            yield f"hypotheses.{key}", f"follow-up ends after {weeks:g} weeks", value
        elif value * WEEK < first:
            yield f"hypotheses.{key}", _too_early(value * WEEK, first), value
    named = [arm for arm in _tapers(content) if asked["taper"] in ("", arm["name"])]
    if "H3" in asked["tested"] and named:
        key, value = "relapse_weeks_after_taper", asked["relapse_weeks_after_taper"]
        late = named[0]["taper_weeks"] + value
        if late > weeks:
            rule = f"with the taper that is week {late:g}, and follow-up ends after {weeks:g} weeks"
            yield f"hypotheses.{key}", rule, value
        elif late * WEEK < first:
            yield f"hypotheses.{key}", _too_early(late * WEEK, first), value


def _too_early(day: float, first: int) -> str:
    return f"that is day {day:g}, and nobody is looked at before the first visit on day {first}"


_LOOKS: tuple[tuple[tuple[str, ...], Callable[[Content], Found]], ...] = (
    (("arms",), _names),
    (("arms",), _lengths),
    (("arms", "follow_up.weeks"), _taper_ends),
    (("arms", "drug"), _steps),
    (("follow_up.weeks",), _a_day),
    (("visits", "follow_up.weeks"), _visits),
    (("planned_for",), _planned),
    (("arms", "hypotheses.tested"), _arms_needed),
    (("hypotheses.tested", "hypotheses.wanted"), _wanted),
    (("arms", "hypotheses.taper"), _taper_named),
    (("arms", "hypotheses", "follow_up.weeks", "visits.every_days"), _looks),
)
