"""What of the classification of a dataset may be shown, and which figures are there?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from discontinuation.classify.cases import CaseSeries
from discontinuation.classify.of_dataset import Classified
from discontinuation.classify.settings import Settings
from discontinuation.describe.given import Tables, complete
from discontinuation.describe.summary import individuals_shown
from discontinuation.report.classification_figures import (
    draw_agreement,
    draw_cases,
    draw_decision_curve,
    draw_events_by_time,
    draw_item_profiles,
    draw_labels,
    draw_reliability,
    draw_verdicts,
)
from discontinuation.report.dataset_parts import setting_of
from discontinuation.report.drawing import save_figure
from discontinuation.report.swimmer import draw_swimmer
from discontinuation.tables.files import write_table

FloatArray = npt.NDArray[np.float64]
LABELS = ["withdrawal", "relapse", "indeterminate", "not assessable"]
MOST_SINGLE = 60  # deteriorations that are drawn one by one


def write_classified(
    folder: Path,
    content: Mapping[str, Any],
    tables: Tables,
    classified: Classified,
    series: CaseSeries | None,
    by_way: pd.DataFrame,
    window_days: float | None,
    seed: int,
) -> None:
    """Write what is known of single people, tables that may be shown, and figures.

    Parameters
    ----------
    folder
        An empty one.
    content
        Of the declaration.
    tables
        Canonical tables.
    classified, series
        From `classify_declared`.
    by_way
        From `estimates_by_way`; shown where nothing has to be masked.
    window_days
        End of the withdrawal window after the last reduction.
    seed
        Chooses the people of the swimmer plot where there are many.
    """
    smallest = content["smallest_cell"]
    write_table(classified.events, folder / "classification.parquet")
    if series is not None:
        print(series)
        write_table(series.grid, folder / "case_grid.parquet")
    if classified.model is not None:
        print(classified.model)
        tests = json.loads(classified.tables["tests"].to_json(orient="records"))
        content_of_model = {**classified.model.as_dict(), "tests": tests}
        text = json.dumps(content_of_model, indent=1, default=str)
        (folder / "model.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    shown = mask_classified(classified.tables, smallest)
    if smallest == 1:
        shown = {**shown, "by_way": by_way}
    for name, table in shown.items():
        write_table(table, folder / f"{name}.csv", folder / f"{name}.parquet")
    individuals = individuals_shown(smallest, content["individual_figures"])
    figures = draw_classified(tables, classified, shown, window_days, individuals)
    if individuals and classified.events.get("q", pd.Series(dtype=float)).notna().any():
        definition = classified.evidence.events["definition"].to_numpy()
        figures["events_by_person"] = draw_swimmer(
            tables, setting_of(content), seed, {}, classified.events.assign(definition=definition)
        )
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.svg", folder / f"{name}.png")


def write_unclassified(folder: Path, reason: str) -> None:
    """Write why nothing was classified.

    Parameters
    ----------
    folder
        An empty one.
    reason
        Why.
    """
    refused = pd.DataFrame([("classification", reason)], columns=["what", "reason"])
    write_table(refused, folder / "refused.csv", folder / "refused.parquet")


def mask_classified(tables: dict[str, pd.DataFrame], smallest: int) -> dict[str, pd.DataFrame]:
    """Blank what rests on too few people.

    Parameters
    ----------
    tables
        Of `Classified`.
    smallest
        Smallest count that may be shown; 1 masks nothing.

    Returns
    -------
    dict
        Counts of labels below it are blank, and with one of a row its second smallest, so that it
        cannot be found from the total; of agreement and validation the rows with few events. The
        decision curve, whose steps give counts away, is left out.
    """
    if smallest <= 1:
        return tables
    masked = dict(tables)
    if "rules" in masked:
        rules = masked["rules"].copy()
        columns = [*LABELS, "hangs_on_onset"]
        counts = rules[columns].to_numpy(dtype=float)
        rules[columns] = np.where(_hidden(counts, smallest), np.nan, counts)
        masked["rules"] = rules
    for name in ("agreement", "agreement_overall", "validation", "reliability"):
        if name in masked and "n" in masked[name]:
            table = masked[name]
            masked[name] = table.loc[table["n"].astype(float) >= smallest].reset_index(drop=True)
    if "lower_bound" in masked:
        table = masked["lower_bound"]
        masked["lower_bound"] = table.loc[table["events"] >= smallest].reset_index(drop=True)
    if "windows" in masked:
        masked["windows"] = _mask_windows(masked["windows"], smallest)
    if "decisions" in masked:
        table = masked["decisions"]
        # What is not counted is known from the rest, so that must not be few either.
        few = pd.concat([table["of"], table["count"], table["of"] - table["count"]], axis=1)
        small = ((few > 0) & (few < smallest)).any(axis=1)
        masked["decisions"] = table.loc[~small].reset_index(drop=True)
    masked.pop("decision_curve", None)
    for name in ("cases", "case_onsets"):  # one row per person
        masked.pop(name, None)
    return masked


def _mask_windows(windows: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Blank small counts of events, so that none can be found from the total of its arm."""
    seen = windows["seen"].astype(float)
    for _, rows in windows.groupby(["study", "arm"], sort=False):
        counts = np.array(seen.loc[rows.index], dtype=np.float64)
        hidden = _hidden(counts[None, :], smallest, len(counts))[0]
        seen.loc[rows.index] = np.where(hidden, np.nan, counts)
    return windows.assign(seen=seen)


def _hidden(counts: FloatArray, smallest: int, labels: int = len(LABELS)) -> npt.NDArray[np.bool_]:
    """Which counts to hide: small ones, and in a row with one of them the next larger label."""
    small: npt.NDArray[np.bool_] = (counts > 0) & (counts < smallest)
    for row in np.flatnonzero(small[:, :labels].sum(axis=1) == 1):
        others = np.where(small[row, :labels] | (counts[row, :labels] == 0), np.inf,
                          counts[row, :labels])  # fmt: skip
        if np.isfinite(others).any():
            small[row, int(others.argmin())] = True
    return small


def draw_classified(
    tables: Tables,
    classified: Classified,
    shown: dict[str, pd.DataFrame],
    window_days: float | None,
    individuals: bool,
) -> dict[str, Figure]:
    """Draw the classification of a dataset.

    Parameters
    ----------
    tables
        Canonical tables.
    classified
        From `classify_dataset`.
    shown
        Its tables, masked.
    window_days
        End of the withdrawal window after the last reduction.
    individuals
        Whether people may be shown one by one.
    """
    figures = {}
    if "rules" in shown:
        rules = shown["rules"].set_index("rule_set")
        figures["labels"] = draw_labels(rules.assign(**rules[LABELS].fillna(0)))
    if "agreement" in shown and len(shown["agreement"]):
        figures["agreement"] = draw_agreement(shown["agreement"])
    if "profiles" in shown:
        figures["profiles"] = draw_item_profiles(shown["profiles"])
    if "reliability" in shown and len(shown["reliability"]):
        figures["reliability"] = draw_reliability(shown["reliability"])
    if "decision_curve" in shown:
        figures["decision_curve"] = draw_decision_curve(shown["decision_curve"])
    if individuals:
        arms = complete(tables)["arms"].drop_duplicates("arm").set_index("arm")["strategy"]
        strategy = classified.events["arm"].map(arms.astype(object)).fillna("unspecified")
        events = classified.events.assign(strategy=strategy)
        if "q" not in events:
            events = events.assign(q=np.nan)
        if "cases" in shown and shown["cases"]["q"].notna().any():
            figures["cases"] = draw_cases(
                shown["cases"], (Settings().relapse_at, Settings().withdrawal_at)
            )
        figures["events_by_time"] = draw_events_by_time(events, window_days)
        if len(classified.verdicts.labels) <= MOST_SINGLE:
            figures["verdicts"] = draw_verdicts(classified.verdicts.labels)
    return figures
