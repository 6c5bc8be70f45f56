"""Which figures of survival does a dataset have something for?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from discontinuation.describe.given import Tables, arms_in_order, complete
from discontinuation.estimands.of_dataset import Setting, Survived
from discontinuation.report.dataset_parts import setting_of
from discontinuation.report.survival_figures import draw_causes, draw_event_free, draw_hazards
from discontinuation.report.survival_forest import draw_estimates


def draw_survival(
    dataset: Mapping[str, Any], tables: Tables, survived: Survived, setting: Setting
) -> dict[str, Figure]:
    """Draw curves, causes, hazards and estimates, where there are any.

    Parameters
    ----------
    dataset
        Content of its declaration.
    tables
        Canonical tables; any may be missing.
    survived
        From `survive_dataset`, masked.
    setting
        How it was computed.

    Returns
    -------
    dict
        Figures by name; one for which there is nothing to draw is left out.
    """
    about = setting_of(dataset)
    arms = arms_in_order(complete(tables))
    curves, windows, level = survived.curves, survived.windows, setting.confidence
    kinds = set(curves["what"]) if len(curves) else set()
    figures: dict[str, Figure] = {}
    if "event-free" in kinds:
        figures["event_free"] = draw_event_free(curves, arms, windows, about, confidence=level)
    if kinds - {"event-free"}:
        figures["causes"] = draw_causes(curves, arms, windows, about)
    if len(survived.hazards):
        method = str(survived.hazards["method"].iloc[0])
        figures["hazards"] = draw_hazards(
            survived.hazards, survived.ratios, arms, windows, about, method=method,
            confidence=level,
        )  # fmt: skip
    if survived.estimates["estimate"].notna().any():
        figures["estimates"] = draw_estimates(survived.estimates, about, confidence=level)
    return figures
