"""Which figures of exposure does a dataset have something for?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from discontinuation.describe.given import Tables, arms_in_order, complete
from discontinuation.exposure.of_dataset import DatasetExposure
from discontinuation.report.dataset_parts import setting_of
from discontinuation.report.exposure_figures import MOST_CASES, draw_arms, draw_bands, draw_cases


def draw_exposure(
    dataset: Mapping[str, Any],
    tables: Tables,
    exposure: DatasetExposure,
    tau_days: float,
    individuals: bool,
) -> dict[str, Figure]:
    """Draw dose, occupancy and drive of each arm, and of single cases that may be shown.

    Parameters
    ----------
    dataset
        Content of its declaration.
    tables
        Canonical tables; any may be missing.
    exposure
        From `expose_dataset`.
    tau_days
        Adaptation time behind the drive.
    individuals
        Whether people may be shown one by one; they are where they are few.

    Returns
    -------
    dict
        Figures by name: arms_<drug>, bands_<drug>, cases_<drug>.
    """
    setting = setting_of(dataset)
    arms = arms_in_order(complete(tables))
    figures: dict[str, Figure] = {}
    for name, drug in exposure.parameters.items():
        stem = re.sub(r"[^a-z0-9]+", "_", name.lower())
        for kind, table, draw in (
            ("arms", "arm_courses", draw_arms),
            ("bands", "uncertainty_courses", draw_bands),
        ):
            courses = exposure.tables.get(table)
            mine = None if courses is None else courses.loc[courses["drug"] == name]
            # One person's course stands in the figure of single cases.
            few = kind == "arms" and mine is not None and mine["people"].max() < 2
            if mine is not None and len(mine) and not few:
                figures[f"{kind}_{stem}"] = draw(mine, arms, setting, drug, tau_days)
        people = exposure.trajectories
        own = people.loc[people["drug"] == name] if len(people) else people
        if individuals and len(own) and own["person"].nunique() <= MOST_CASES:
            figures[f"cases_{stem}"] = draw_cases(own, setting, drug, tau_days)
    return figures
