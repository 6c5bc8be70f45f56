"""Figures of the validation: intervals of simulated trials, and errors by scenario."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtri

from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import FAINT, INK

HOLDS, MISSES = "#0072B2", "#D55E00"
SHOWN = (("beta", "log hazard ratio of relapse"), ("psi_H", "withdrawal share of the excess"))


def draw_zip(trials: pd.DataFrame, scenario: str, truths: dict[str, float]) -> Figure:
    """Draw the interval of every trial of a scenario, the surest misses on top (zip plot).

    Parameters
    ----------
    trials
        From `measure_trial`.
    scenario
        Which.
    truths
        From `truth_of`.
    """
    mine = trials.loc[trials["scenario"] == scenario]
    shown = [(stem, label) for stem, label in SHOWN if f"{stem}_lower" in mine and stem in truths]
    if mine.empty or not shown:
        return say_nothing_to_draw("No trial of this scenario was simulated.")
    figure = new_figure(7.5, 4.2)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (stem, label) in zip(panels, shown, strict=True):
        _zip(axes, mine, stem, truths[stem])
        axes.set_xlabel(label)
    panels[0].set_ylabel("trials by how far the truth is from the estimate, %")
    return figure


def _zip(axes: Axes, trials: pd.DataFrame, stem: str, truth: float) -> None:
    centre = "psi_H_estimate" if stem == "psi_H" else stem
    given = trials.dropna(subset=[centre, f"{stem}_lower", f"{stem}_upper"])
    lower, upper, estimate = (
        given[name].to_numpy(dtype=float) for name in (f"{stem}_lower", f"{stem}_upper", centre)
    )
    width = np.maximum(upper - lower, 1e-12) / (2 * float(ndtri(0.975)))
    place = 100 * (np.argsort(np.argsort(np.abs(estimate - truth) / width)) + 0.5) / len(given)
    holds = (lower <= truth) & (truth <= upper)
    for colour, which in ((HOLDS, holds), (MISSES, ~holds)):
        axes.hlines(place[which], lower[which], upper[which], color=colour, linewidth=0.7)
    axes.axvline(truth, color=INK, linewidth=0.9)
    axes.axhline(95, color=FAINT, linewidth=0.8, linestyle=(0, (3, 2)))
    axes.set_title(f"{holds.mean():.1%} of {len(given)} hold the truth", fontsize=9)
    axes.set_ylim(0, 100)


def draw_performance(performance: pd.DataFrame) -> Figure:
    """Draw bias and coverage of the model in every scenario, with bars of two Monte-Carlo errors.

    Parameters
    ----------
    performance
        From `performance`.
    """
    if performance.empty:
        return say_nothing_to_draw("No trial was simulated.")
    scenarios = list(dict.fromkeys(performance["scenario"]))
    figure = new_figure(8.5, 1.4 + 0.27 * len(scenarios))
    panels = figure.subplots(1, 4, sharey=True)
    place = {name: row for row, name in enumerate(scenarios)}
    column = 0
    for stem, label in SHOWN:
        mine = performance.loc[
            (performance["quantity"] == stem) & (performance["method"] == "model")
        ]
        y = mine["scenario"].map(place)
        for measure, ideal in (("bias", 0.0), ("coverage", 0.95)):
            axes = panels[column]
            axes.axvline(ideal, color=INK, linewidth=0.8)
            lower, upper = (mine[measure] + k * mine[f"{measure}_mcse"] for k in (-2, 2))
            if measure == "coverage":
                lower, upper = lower.clip(lower=0), upper.clip(upper=1)
            axes.hlines(y, lower, upper, color=HOLDS, linewidth=1)
            axes.plot(mine[measure], y, "o", markersize=3.5, color=HOLDS)
            axes.set_title(measure, fontsize=9)
            axes.set_xlabel(label, fontsize=8)
            axes.grid(axis="y", linewidth=0.5)
            column += 1
    panels[0].set_yticks(range(len(scenarios)), scenarios)
    panels[0].set_ylim(len(scenarios) - 0.5, -0.5)
    return figure
