"""What would each author have called this taper?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from discontinuation.ingest.reference import read_reference_folder
from discontinuation.problems import Problem, allowed_values, refuse

DOES_NOT_SAY = "does not say"
NONE_OF_THEM = "none of its labels"

SHAPES = ("linear", "exponential", "hyperbolic", "alternate_day", "mixed")
FORMULATIONS = ("oral", "depot")

Amount = float | tuple[float, float]
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Definition:
    """One author's label and its limits; see the table of taper definitions for the columns."""

    definition: str
    author: str
    year: int | None
    drug_class: str | None
    kind: str
    label: str
    formulation: str | None
    ends_at: str | None
    days_min: float | None
    days_max: float | None
    open_end: str | None
    steps_min: float | None
    steps_max: float | None
    step_min: float | None
    step_max: float | None
    step_of: str | None
    step_days_min: float | None
    step_days_max: float | None
    lowest_dose_min: float | None
    lowest_dose_max: float | None
    final_dose_max: float | None
    shape: str | None
    complete: str
    statement: str
    source: str
    tag: str
    note: str | None

    @property
    def name(self) -> str:
        """Author and year."""
        return self.author if self.year is None else f"{self.author} {self.year}"


@dataclass(frozen=True)
class Course:
    """How one arm or person stopped, as far as it is known.

    Every amount may be a number, a pair (lowest, highest) where only a range is known, or None.

    Attributes
    ----------
    days
        From the last full dose to the last change of dose; 0 for a stop in one step.
    steps
        Changes of dose, the one to zero included.
    step_of_previous, step_of_start, step_of_minimum
        Largest step before the one to zero, as a share of the dose before it, of the starting
        dose, of the minimum effective dose.
    step_days
        Usual days between steps.
    lowest_dose
        Last dose before zero, as a share of the minimum effective dose.
    final_dose
        Dose kept in the end, as a share of the minimum effective dose; 0 for a full stop.
    shape
        linear, exponential, hyperbolic (equal falls in occupancy), alternate_day or mixed.
    drug_class, formulation
        Of the drug that was stopped; formulation is oral or depot.

    Raises
    ------
    InvalidInput
        Negative amounts, ranges that run backwards, unknown words.
    """

    days: Amount | None = None
    steps: Amount | None = None
    step_of_previous: Amount | None = None
    step_of_start: Amount | None = None
    step_of_minimum: Amount | None = None
    step_days: Amount | None = None
    lowest_dose: Amount | None = None
    final_dose: Amount | None = 0.0
    shape: str | None = None
    drug_class: str | None = None
    formulation: str | None = None

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterator[Problem]:
        for name in AMOUNTS:
            amount = getattr(self, name)
            low, high = _bounds(amount) or (0.0, 0.0)
            if not 0 <= low <= high:
                rule = "allowed: a number of 0 or more, or a pair from low to high"
                yield Problem("taper", rule, column=name, value=str(amount))
        for name, allowed in (("shape", SHAPES), ("formulation", FORMULATIONS)):
            word = getattr(self, name)
            if word is not None and word not in allowed:
                yield Problem("taper", allowed_values(allowed, word), column=name, value=word)

    @property
    def changes(self) -> Bounds | None:
        """Changes of dose, at least as far as the days tell: none pass where there is one."""
        days = _bounds(self.days)
        if self.steps is not None or days is None:
            return _bounds(self.steps)
        return (2.0 if days[0] > 0 else 1.0, 1.0 if days[1] == 0 else math.inf)

    @property
    def at_once(self) -> bool:
        """Whether the drug is known to have been stopped in one step."""
        return self.changes == (1.0, 1.0) and _bounds(self.final_dose) == (0.0, 0.0)

    def largest_step(self, of: str) -> Bounds | None:
        """Largest step as a share of the named dose; a stop in one step takes all of it."""
        known = {
            "previous": self.step_of_previous,
            "starting": self.step_of_start,
            "minimum_effective": self.step_of_minimum,
        }[of]
        if known is None and self.at_once and of != "minimum_effective":
            return (1.0, 1.0)
        return _bounds(known)


AMOUNTS = (
    "days",
    "steps",
    "step_of_previous",
    "step_of_start",
    "step_of_minimum",
    "step_days",
    "lowest_dose",
    "final_dose",
)


def read_definitions(folder: Path) -> tuple[Definition, ...]:
    """Read the published definitions of pace.

    Parameters
    ----------
    folder
        data/reference, or a folder of tables of the same form.

    Raises
    ------
    InvalidInput
        With every problem of every table.
    """
    names = [entry.name for entry in fields(Definition)]
    table = read_reference_folder(folder)["taper_definitions"]
    return tuple(
        Definition(**{name: _or_none(record[name]) for name in names})
        for record in table.to_dict("records")
    )


def classify(course: Course, definitions: Sequence[Definition]) -> pd.DataFrame:
    """Name a taper in the words of every author.

    Parameters
    ----------
    course
        What is known of the taper.
    definitions
        From `read_definitions`.

    Returns
    -------
    DataFrame
        One row per author: author, kind, written_for (class of drug; "any"), same_class (None if
        a class is unknown), label, complete (whether numbers decide all of the definition; None
        without a label), why, source, tag. The label is `NONE_OF_THEM` where every label is
        excluded and `DOES_NOT_SAY` where the words hold no number or the course lacks what they
        need; nothing is guessed. Within an author the first row that holds gives the label, if no
        earlier row could hold and say otherwise. A label is given also for a class of drug that
        the author did not write for.
    """
    authors: dict[str, list[Definition]] = {}
    for definition in definitions:
        authors.setdefault(definition.name, []).append(definition)
    return pd.DataFrame([_judge(course, name, rows) for name, rows in authors.items()])


def side_by_side(courses: Mapping[str, Course], definitions: Sequence[Definition]) -> pd.DataFrame:
    """Set the labels of several tapers side by side.

    Parameters
    ----------
    courses
        Taper by the name of its arm.
    definitions
        From `read_definitions`.

    Returns
    -------
    DataFrame
        Label by arm (rows) and author (columns).
    """
    labels = {
        name: classify(course, definitions).set_index("author")["label"]
        for name, course in courses.items()
    }
    return pd.DataFrame(labels).T.rename_axis(index="arm")


def _judge(course: Course, name: str, rows: list[Definition]) -> dict[str, Any]:
    verdicts = [(row, dict(_limits(row, course))) for row in rows if row.kind != "description"]
    row, label, why, complete = rows[0], DOES_NOT_SAY, "tells what was done, draws no line", None
    possible = _possible(verdicts)
    if verdicts and not possible:
        label, why = NONE_OF_THEM, _excluded(verdicts)
    elif verdicts:
        row, limits = possible[-1]
        if all(limits.values()) and len({other.label for other, _ in possible}) == 1:
            label, why, complete = row.label, row.statement, row.complete == "yes"
        else:
            open_limits = [name for _, limits in possible for name in limits if not limits[name]]
            why = f"not known: {', '.join(dict.fromkeys(open_limits))}"
    return {
        "author": name,
        "kind": row.kind,
        "written_for": row.drug_class or "any",
        "same_class": _same(course.drug_class, row.drug_class),
        "label": label,
        "complete": complete,
        "why": why,
        "source": row.source,
        "tag": row.tag,
    }


Verdict = tuple[Definition, dict[str, bool | None]]


def _possible(verdicts: list[Verdict]) -> list[Verdict]:
    """Rows not excluded, in their order, as far as the first that certainly holds."""
    possible = []
    for row, limits in verdicts:
        if False not in limits.values():
            possible.append((row, limits))
        if all(limits.values()):
            break
    return possible


def _excluded(verdicts: list[Verdict]) -> str:
    parts = []
    for row, limits in verdicts:
        failed = " and ".join(limit for limit, holds in limits.items() if holds is False)
        parts.append(f"not {row.label!r} by {failed}")
    return "; ".join(parts)


def _limits(row: Definition, course: Course) -> Iterator[tuple[str, bool | None]]:
    """Each limit of a definition and whether it holds; None where that cannot be known."""
    numbers = [
        ("days", _bounds(course.days), row.days_min, row.days_max),
        ("steps", course.changes, row.steps_min, row.steps_max),
        ("days between steps", _bounds(course.step_days), row.step_days_min, row.step_days_max),
        ("lowest dose", _bounds(course.lowest_dose), row.lowest_dose_min, row.lowest_dose_max),
        ("final dose", _bounds(course.final_dose), None, row.final_dose_max),
    ]
    found = False
    for name, amount, low, high in numbers:
        if low is not None or high is not None:
            found = True
            yield name, _within(amount, low, high, row.open_end if name == "days" else None)
    if row.step_min is not None or row.step_max is not None:
        found = True
        yield "size of steps", _step_holds(row, course)
    if row.shape is not None:
        found = True
        yield "shape", False if course.at_once else _same(course.shape, row.shape)
    if row.formulation is not None:
        found = True
        yield "formulation", _same(course.formulation, row.formulation)
    if row.ends_at is not None:
        yield "final dose above zero or not", _ends(row.ends_at, course)
    if not found:
        yield "a number in the definition", None


def _within(
    amount: Bounds | None, low: float | None, high: float | None, open_end: str | None
) -> bool | None:
    """Whether all of a range lies between two limits; None if only a part of it does."""
    if amount is None:
        return None

    def too_low(value: float) -> bool:
        return low is not None and (value < low or (value == low and open_end == "lower"))

    def too_high(value: float) -> bool:
        return high is not None and (value > high or (value == high and open_end == "upper"))

    least, most = amount
    if too_low(most) or too_high(least):
        return False
    return None if too_low(least) or too_high(most) else True


def _step_holds(row: Definition, course: Course) -> bool | None:
    """Whether the largest step fits; where the dose it is a share of is not told, under both."""
    doses = [row.step_of] if row.step_of else ["previous", "starting"]
    verdicts = {
        _within(course.largest_step(dose), row.step_min, row.step_max, None) for dose in doses
    }
    return verdicts.pop() if len(verdicts) == 1 else None


def _ends(where: str, course: Course) -> bool | None:
    final = _bounds(course.final_dose)
    zero = _within(final, None, 0.0, None)
    return zero if where == "zero" or zero is None else not zero


def _same(known: str | None, wanted: str | None) -> bool | None:
    if known is None:
        return None if wanted else True
    return wanted is None or known == wanted


def _bounds(amount: Amount | None) -> Bounds | None:
    if amount is None:
        return None
    low, high = amount if isinstance(amount, tuple) else (amount, amount)
    return float(low), float(high)


def _or_none(value: Any) -> Any:
    return None if pd.isna(value) else value
