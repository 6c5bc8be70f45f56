"""Symptoms around dose steps, drawn for every trajectory that a dataset declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from discontinuation.describe.given import Tables, arms_in_order, complete
from discontinuation.report.dataset_parts import setting_of
from discontinuation.report.trajectories import draw_single_case, draw_trajectories
from discontinuation.symptoms.followed import Followed, main_doses
from discontinuation.tables.instruments import Instrument


def draw_symptoms(
    dataset: Mapping[str, Any],
    tables: Tables,
    followed: Followed,
    instruments: Mapping[str, Instrument],
) -> dict[str, Figure]:
    """Draw every trajectory, and every single case that may be shown.

    Parameters
    ----------
    dataset
        Content of the declaration.
    tables
        Canonical tables; any may be missing.
    followed
        From `follow_symptoms`, masked.
    instruments
        The dataset's instruments, whose titles stand on the axes.

    Returns
    -------
    dict
        Figures by name.
    """
    given = complete(tables)
    setting = setting_of(dataset)
    arms = arms_in_order(given)
    names = {
        f"{key} {item}": f"{instrument.title}, {item}"
        for key, instrument in instruments.items()
        for item in instrument.item_names()
    }
    figures = {}
    for name, course in followed.courses.items():
        seen = course.summary.loc[course.summary["n_people"] > 0, "arm"]
        # One person's means stand in the figure of the single case.
        if len(seen) and given["people"]["person"].nunique() > 1:
            own = arms.loc[arms["arm"].isin(seen)]
            figures[f"trajectory_{name}"] = draw_trajectories(course, own, setting, names)
    drugs = main_doses(given["doses"]).drop_duplicates("person").set_index("person")["drug"]
    for name, people in followed.cases.items():
        for person, symptoms in people.items():
            figure = draw_single_case(symptoms, str(drugs[person]), setting)
            figures[f"case_{name}_{_plain(person)}"] = figure
    return figures


def _plain(person: str) -> str:
    """Make an identifier fit for a file name."""
    return "".join(letter if letter.isalnum() else "_" for letter in person)
