"""Figures that set the methods side by side: over crossed assumptions, and over scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.classify.gate_scenarios import FACTORS
from discontinuation.classify.performance import METHODS
from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import FAINT, INK

COLOURS = {
    "model": "#0072B2",
    "imputed": "#56B4E9",
    "oracle": "#222222",
    "naive": "#D55E00",
    "time_28": "#E69F00",
    "haddad1998": "#CC79A7",
    "horowitz_taylor2022": "#999999",
    "landmark": "#009E73",
    "late_anchored": "#8C6D1F",
}
MARKS = dict(zip(METHODS, ("o", "s", "x", "^", "v", "D", "P", "*", "h"), strict=True))
LOOPS = (
    ("beta", "bias", "bias of the log HR of relapse"),
    ("beta", "coverage", "coverage of its interval"),
    ("F_W", "bias", "bias of the risk of withdrawal"),
)
SIDES = (
    ("beta", "from_oracle", "log HR of relapse:\ndistance from the oracle"),
    ("psi_H", "bias", "withdrawal share of\nthe excess: bias"),
    ("F_W", "bias", "risk of withdrawal:\nbias"),
)
IDEAL = {"bias": 0.0, "coverage": 0.95, "from_oracle": 0.0}


def draw_nested_loop(
    performance: pd.DataFrame, levels: Mapping[str, Mapping[str, float]]
) -> Figure:
    """Draw measures of every method over crossed factors (Ruecker and Schwarzer 2014).

    Parameters
    ----------
    performance
        From `performance`.
    levels
        Level of each factor by scenario, in the order of the horizontal axis; others are left out.
    """
    place = {name: x for x, name in enumerate(levels)}
    mine = performance.loc[performance["scenario"].isin(list(place))]
    if mine.empty:
        return say_nothing_to_draw("No trial of the crossed assumptions was simulated.")
    figure = new_figure(8.5, 9.0)
    heights = [3.0] * len(LOOPS) + [0.45] * len(FACTORS)
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    for axes, (quantity, measure, label) in zip(panels, LOOPS, strict=False):
        axes.axhline(IDEAL[measure], color=FAINT, linewidth=0.8, linestyle=(0, (3, 2)))
        own = mine.loc[mine["quantity"] == quantity]
        for name, rows in own.groupby("method", sort=False):
            method = str(name)
            values = np.full(len(place), np.nan)
            values[rows["scenario"].map(place)] = rows[measure]
            axes.stairs(values, np.arange(len(place) + 1) - 0.5, baseline=None,
                        color=COLOURS[method], linewidth=1.3, label=METHODS[method])  # fmt: skip
        axes.set_ylabel(label, fontsize=8)
        axes.grid(axis="y", linewidth=0.5)
    for axes, factor in zip(panels[len(LOOPS) :], FACTORS, strict=True):
        _strip(axes, factor, [named[factor] for named in levels.values()])
    panels[-1].set_xticks([])
    panels[0].set_xlim(-0.5, len(place) - 0.5)
    _legend(figure, panels[: len(LOOPS)])
    return figure


def _strip(axes: Axes, factor: str, values: list[float]) -> None:
    """Show the level of a factor along the axis, written once where it changes."""
    order = {level: rank for rank, level in enumerate(FACTORS[factor])}
    ranks = np.array([order[value] for value in values], dtype=float)
    axes.stairs(ranks, np.arange(len(ranks) + 1) - 0.5, baseline=None, color=INK, linewidth=1.0)
    begins = np.flatnonzero(np.diff(ranks, prepend=-1.0))
    ends = np.append(begins[1:], len(ranks))
    if len(begins) <= 12:
        for begin, end in zip(begins, ends, strict=True):
            middle = (begin + end - 1) / 2
            axes.text(middle, ranks[begin] + 0.15, f"{values[begin]:g}", ha="center", fontsize=7)
    said = ", ".join(f"{level:g}" for level in FACTORS[factor])
    axes.set_ylabel(f"{factor}\n({said})", rotation=0, ha="right", va="center", fontsize=7)
    axes.set_ylim(-0.4, len(order) + 0.2)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(bottom=False)


def draw_by_scenario(performance: pd.DataFrame, scenarios: list[str]) -> Figure:
    """Draw the mean error of every method in each scenario, with two Monte-Carlo errors.

    Parameters
    ----------
    performance
        From `performance`.
    scenarios
        Which, from top to bottom.
    """
    known = set(performance["scenario"])
    place = {name: y for y, name in enumerate(name for name in scenarios if name in known)}
    if not place:
        return say_nothing_to_draw("No trial was simulated.")
    figure = new_figure(8.5, 1.8 + 0.26 * len(place))
    panels = figure.subplots(1, len(SIDES), sharey=True)
    for axes, (quantity, measure, label) in zip(panels, SIDES, strict=True):
        axes.axvline(IDEAL[measure], color=FAINT, linewidth=0.8)
        own = performance.loc[performance["quantity"] == quantity]
        for method, rows in own.groupby("method", sort=False):
            shown = rows.loc[rows["scenario"].isin(place) & rows[measure].notna()]
            y = shown["scenario"].map(place).to_numpy(dtype=float)
            half = 2 * shown[f"{measure}_mcse"]
            colour = COLOURS[str(method)]
            axes.hlines(
                y, shown[measure] - half, shown[measure] + half, color=colour, linewidth=0.8
            )
            axes.plot(shown[measure], y, linestyle="none", marker=MARKS[str(method)], markersize=4,
                      color=colour, label=METHODS[str(method)])  # fmt: skip
        if quantity == "psi_H":  # where the excess is near 0 a share means little
            axes.set_xlim(-1.3, 1.3)
        axes.set_xlabel(label, fontsize=8)
        axes.grid(axis="y", linewidth=0.4)
    panels[0].set_yticks(range(len(place)), list(place), fontsize=7)
    panels[0].set_ylim(len(place) - 0.5, -0.5)
    _legend(figure, panels)
    return figure


def _legend(figure: Figure, panels: Iterable[Axes]) -> None:
    found: dict[str, Artist] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    order = [name for name in METHODS.values() if name in found]
    figure.legend(
        handles=[found[name] for name in order],
        labels=order,
        loc="outside lower center",
        ncols=3,
        fontsize=7.5,
    )
