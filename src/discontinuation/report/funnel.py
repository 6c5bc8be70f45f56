"""Contour-enhanced funnel plot: are small trials different, and where would missing ones lie?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtri

from discontinuation.report.drawing import new_figure, ratio_ticks, say_nothing_to_draw
from discontinuation.report.headline import headline_pools, headline_trials
from discontinuation.report.palette import CLASS_COLOURS, CLASS_MARKS, FAINT, INK, class_name

# Regions of two-sided P around no effect (Peters et al. 2008, doi:10.1016/j.jclinepi.2007.11.010).
CONTOURS = (
    (0.10, "#ffffff", "P > 0.10"),
    (0.05, "#e8e8e8", "0.05 to 0.10"),
    (0.01, "#d2d2d2", "0.01 to 0.05"),
)
OUTSIDE = "#bcbcbc"


def draw_funnel(effects: pd.DataFrame, pooled: pd.DataFrame, small_study: pd.DataFrame) -> Figure:
    """Draw each randomised trial's risk ratio of relapse against its standard error.

    Parameters
    ----------
    effects, pooled, small_study
        Tables of results/evidence.
    """
    trials = headline_trials(effects)
    if len(trials) < 3:
        return say_nothing_to_draw("Fewer than three randomised trials: no funnel plot.")
    figure = new_figure(6.6, 4.6)
    axes = figure.subplots()
    deepest = 1.12 * float(trials["se"].max())
    _draw_contours(axes, deepest, trials)
    _draw_centre(axes, pooled, deepest)
    for drug_class, members in trials.groupby("drug_class", sort=True):
        axes.plot(
            members["estimate"],
            members["se"],
            CLASS_MARKS[str(drug_class)],
            color=CLASS_COLOURS[str(drug_class)],
            markeredgecolor="white",
            markersize=7,
            label=f"{class_name(str(drug_class))} ({len(members)})",
        )
    axes.set_ylim(deepest, 0)
    axes.set_ylabel("standard error of the log risk ratio")
    axes.set_xlabel("risk ratio of relapse, stopped against continued (log scale)")
    axes.set_title(_test(small_study), fontsize=9, weight="normal")
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def _draw_contours(axes: Axes, deepest: float, trials: pd.DataFrame) -> None:
    reach = 1.15 * max(ndtri(0.995) * deepest, float(np.abs(trials["analysis_estimate"]).max()))
    axes.set_xlim(math.exp(-reach), math.exp(reach))
    axes.set_facecolor(OUTSIDE)
    se = np.linspace(0, deepest, 50)
    for p, colour, _ in reversed(CONTOURS):
        half = -ndtri(p / 2) * se
        axes.fill_betweenx(se, np.exp(-half), np.exp(half), color=colour, linewidth=0, zorder=0)
    axes.plot([], [], "s", color=OUTSIDE, markersize=9, label="P < 0.01")
    for _, colour, label in reversed(CONTOURS):
        axes.plot([], [], "s", color=colour, markeredgecolor=FAINT, markersize=9, label=label)
    axes.axvline(1, color=INK, linewidth=0.8, zorder=1)
    ticks = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16)
    ratio_ticks(axes, tuple(tick for tick in ticks if abs(math.log(tick)) < reach))


def _draw_centre(axes: Axes, pooled: pd.DataFrame, deepest: float) -> None:
    row = headline_pools(pooled).loc[["all"]].iloc[0]
    axes.axvline(row["estimate"], color=INK, linestyle=(0, (4, 2)), linewidth=1.2, label="pooled")
    axes.text(row["estimate"], 0.02 * deepest, f" {row['estimate']:.2f}", fontsize=8, va="top")


def _test(small_study: pd.DataFrame) -> str:
    row = headline_pools(small_study).loc[["all"]].iloc[0]
    if row["note"]:
        return f"Egger's test: {row['note']}"
    return (
        f"Egger's test: t = {row['egger_t']:.2f} on {row['egger_df']:.0f} df, "
        f"P = {row['egger_p']:.2g}; "
        f"trim and fill adds {row['trials_filled']:.0f}"
    )
