"""What may be shown of symptoms around dose steps, where counts of people are small?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from discontinuation.symptoms.followed import Followed
from discontinuation.symptoms.trajectory import Trajectories

# Counts of people in each table, and what makes the rows that add up to a known total.
COUNTS = {
    "trajectories": ["n_people", "n_followed"],
    "onsets": ["n_at_risk", "n_rise", "n_seen", "n_already_raised", "n_not_observed"],
    "dose_runs": ["people"],
    "after_last_dose": ["people"],
}
TOGETHER = {"dose_runs": ["study", "drug"]}


def mask_followed(followed: Followed, smallest_cell: int) -> Followed:
    """Blank every number that rests on fewer people than may be shown.

    Parameters
    ----------
    followed
        From `follow_symptoms`.
    smallest_cell
        Smallest count of people that may be shown; 1 masks nothing.

    Returns
    -------
    Followed
        Rows with a smaller count are blank in all their numbers but the days and say so in
        `hidden`. Where the rows of a table add up to a known number, all of them are.
    """
    tables = {
        name: _masked(frame, COUNTS[name], smallest_cell, TOGETHER.get(name, []))
        if name in COUNTS
        else frame
        for name, frame in followed.tables.items()
    }
    courses = {
        name: _masked_course(course, smallest_cell) for name, course in followed.courses.items()
    }
    return replace(followed, courses=courses, tables=tables)


def _masked(
    frame: pd.DataFrame, counts: list[str], smallest: int, together: list[str]
) -> pd.DataFrame:
    if frame.empty:
        return frame
    frame = frame.reset_index(drop=True)
    small = ((frame[counts] > 0) & (frame[counts] < smallest)).any(axis=1)
    if together:
        small = small.groupby([frame[key] for key in together]).transform("any")
    keep = {"bin_start", "bin_end", "step", "day", "from_day", "to_day"}
    numbers = [str(name) for name in frame.select_dtypes("number") if name not in keep]
    frame[numbers] = frame[numbers].astype("float64")
    frame.loc[small, numbers] = np.nan
    return frame.assign(hidden=small)


def _masked_course(course: Trajectories, smallest: int) -> Trajectories:
    """Blank the means of few people; their number is written as fewer than allowed."""
    summary = course.summary.copy()
    small = summary["n_people"].between(1, smallest - 1)
    followed = summary["n_followed"].where(
        ~summary["n_followed"].between(1, smallest - 1), f"<{smallest}"
    )
    people = summary["n_people"].astype(object).mask(small, f"<{smallest}")
    summary["n_shown"] = people.astype(str) + "/" + followed.astype(str)
    blank = ["mean", "sd", "lower", "upper", "q25", "median", "q75"]
    summary.loc[small, blank] = np.nan
    return replace(course, summary=summary)
