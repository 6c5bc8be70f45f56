"""Which arms would be named differently by different authors?"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from discontinuation.exposure.definitions import (
    FORMULATIONS,
    SHAPES,
    Amount,
    Course,
    Definition,
    side_by_side,
)
from discontinuation.exposure.parameters import Parameters
from discontinuation.exposure.strategy import Strategies

STOPPED = ("abrupt", "taper", "unspecified")


def course_of(row: Mapping[Hashable, Any], drug: Parameters) -> Course:
    """Put the pace of a person, an arm or a schedule into the terms of published definitions.

    Parameters
    ----------
    row
        A row of `Pace.table`, or of medians of an arm.
    drug
        From `parameters_of`.
    """
    formulation = _formulation(drug.formulation)
    if pd.notna(row["refused"]):
        return Course(final_dose=None, drug_class=drug.drug_class, formulation=formulation)
    least = drug.minimum_effective_dose
    largest = _number(row["largest_earlier_step_of_start"])
    in_doses = None if largest is None else largest * float(row["start_dose"])
    shape = row["shape"]
    return Course(
        days=_number(row["days_to_zero"]),
        steps=_number(row["steps"]),
        step_of_previous=_number(row["largest_step_of_previous"]),
        step_of_start=largest,
        step_of_minimum=None if least is None or in_doses is None else in_doses / least,
        step_days=_number(row["step_days"]),
        lowest_dose=None if least is None else float(row["lowest_dose"]) / least,
        shape=shape if shape in SHAPES else None,
        drug_class=drug.drug_class,
        formulation=formulation,
    )


def courses_of(table: pd.DataFrame, drug: Parameters) -> pd.Series:
    """Put every row of a table of paces into these terms, under the index of the table."""
    courses = [course_of(row, drug) for row in table.to_dict("records")]
    return pd.Series(courses, table.index, dtype=object)


def courses_of_arms(arms: pd.DataFrame, drug_class: Mapping[str, str] | None = None) -> pd.Series:
    """Put published arms, of which often only the days are known, into the same terms.

    Parameters
    ----------
    arms
        Published arms: study, arm, strategy, taper_days, taper_days_lower, taper_days_upper,
        formulation. Arms in which the drug was continued are passed over.
    drug_class
        Class of the drug by study.

    Returns
    -------
    Series of Course
        By study and arm. A lower limit alone leaves the upper end open; a taper of unknown length
        is known to have had two changes of dose or more.
    """
    stopped = arms.loc[arms["strategy"].isin(STOPPED)]
    found = []
    for arm in stopped.to_dict("records"):
        days = days_of_arm(arm)
        tapered = arm["strategy"] == "taper" and days is None
        course = Course(
            days=days,
            steps=(2.0, math.inf) if tapered else None,
            drug_class=(drug_class or {}).get(str(arm["study"])),
            formulation=_formulation(arm["formulation"]),
        )
        found.append(course)
    return pd.Series(found, pd.MultiIndex.from_frame(stopped[["study", "arm"]]), dtype=object)


def days_of_arm(arm: Mapping[Hashable, Any]) -> Amount | None:
    """Length of a published taper: a number, or a range whose end may be open.

    Parameters
    ----------
    arm
        A row of published arms.
    """
    low, high, days = (_number(arm[f"taper_days{end}"]) for end in ("_lower", "_upper", ""))
    if low is None and high is None:
        return days
    return (low or 0.0, math.inf if high is None else high)


def name_by_authors(courses: pd.Series, definitions: Sequence[Definition]) -> pd.DataFrame:
    """Set the labels of all authors who draw a line side by side.

    Parameters
    ----------
    courses
        Manner of stopping of people, arms or schedules.
    definitions
        From `read_definitions`; those that only describe, recommend or register an arm are passed
        over.

    Returns
    -------
    DataFrame
        The index of `courses`, one column per author.
    """
    sorting = [row for row in definitions if row.kind == "definition"]
    places = {course: place for place, course in enumerate(dict.fromkeys(courses))}
    table = side_by_side({str(place): course for course, place in places.items()}, sorting)
    return table.iloc[[places[course] for course in courses]].set_axis(courses.index, axis=0)


def find_changes(labels: pd.DataFrame, strategies: Strategies) -> pd.DataFrame:
    """Find what lies on the quick side of one author's line and on the slow side of another's.

    Parameters
    ----------
    labels
        From `name_by_authors`.
    strategies
        Which labels lie on which side.

    Returns
    -------
    DataFrame
        The index of `labels`; quick and slow: authors with such a label; other: authors whose
        label is neither, or who do not say (all separated by "; "); changes: whether both sides
        have authors.
    """
    sides = {
        "quick": labels.isin(strategies.quick),
        "slow": labels.isin(strategies.slow),
    }
    sides["other"] = ~(sides["quick"] | sides["slow"])
    named = {
        side: ["; ".join(labels.columns[row]) for row in held.to_numpy(dtype=bool)]
        for side, held in sides.items()
    }
    changes = sides["quick"].any(axis=1) & sides["slow"].any(axis=1)
    return pd.DataFrame(named, labels.index).assign(changes=changes)


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _formulation(word: Any) -> str | None:
    return str(word) if word in FORMULATIONS else None
