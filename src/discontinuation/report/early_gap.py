"""Early share of each trial against the share that no withdrawal at all would give."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import FAINT, INK, STRATEGY_COLOURS, class_name

LIMITS = -0.5, 2.0
ROW_INCHES = 0.42


def draw_early_share(early: pd.DataFrame, confidence: float = 0.95) -> Figure:
    """Draw the observed early share, its interval, and both benchmarks.

    Parameters
    ----------
    early
        results/evidence/early_share.
    confidence
        Level of its intervals.

    Returns
    -------
    Figure
        One line per trial and early point; points inside the withdrawal window first.
    """
    if early.empty:
        return say_nothing_to_draw("No trial reports relapse in both arms at two or more times.")
    rows = early.sort_values(
        ["inside_window", "drug_class", "study", "early_week"],
        ascending=[False, True, True, True],
        kind="stable",
    )
    figure = new_figure(9.8, 1.5 + ROW_INCHES * (len(rows) + 2))
    names, axes, words = figure.subplots(1, 3, width_ratios=[2.5, 3.3, 2.3], sharey=True)
    for text in (names, words):
        text.axis("off")
    position = 0.0
    for inside, members in rows.groupby("inside_window", sort=False):
        label = (
            "Inside the withdrawal window"
            if inside
            else "Past it: not informative about withdrawal"
        )
        names.text(0, position, label, weight="bold", va="center")
        for _, row in members.iterrows():
            position += 1
            _draw_row(names, axes, words, position, row)
        position += 1.4
    _finish(axes, position)
    words.text(0.02, 0, "excess over proportional hazards", weight="bold", va="center")
    _draw_legend(figure, confidence)
    return figure


def _draw_row(names: Axes, axes: Axes, words: Axes, y: float, row: pd.Series) -> None:
    inside = bool(row["inside_window"])
    colour = STRATEGY_COLOURS[row["strategy"]] if inside else FAINT
    names.text(0.02, y - 0.16, row["title"], va="center")
    about = f"week {row['early_week']:g} of {row['end_week']:g}, {class_name(row['drug_class'])}"
    names.text(0.02, y + 0.22, about, va="center", fontsize=7.5, color=FAINT)
    if math.isfinite(row["share_lower"]):
        shown = max(row["share_lower"], LIMITS[0]), min(row["share_upper"], LIMITS[1])
        axes.plot(shown, [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot(row["share"], y, "o", color=colour, markersize=7, clip_on=False)
    axes.plot(
        row["expected_share_proportional_hazards"],
        y,
        "D",
        markersize=6,
        markerfacecolor="none",
        markeredgecolor=INK,
    )
    axes.plot(row["expected_share_linear"], y, "|", markersize=12, color=INK)
    words.text(0.02, y, _excess(row), va="center", fontsize=8)


def _excess(row: pd.Series) -> str:
    if not math.isfinite(row["excess_share"]):
        return "not estimable"
    text = f"{row['excess_share']:+.2f}"
    if math.isfinite(row["excess_lower"]):
        return f"{text} ({row['excess_lower']:+.2f} to {row['excess_upper']:+.2f})"
    return f"{text} (no interval)"


def _finish(axes: Axes, last: float) -> None:
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    axes.axvline(1, color=FAINT, linewidth=0.8, zorder=0)
    axes.axvline(0.5, color=FAINT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    axes.set_xlim(*LIMITS)
    axes.set_ylim(last - 0.6, -0.9)
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(
        "share of the endpoint difference already present (dotted: the published 50 % rule)"
    )


def _draw_legend(figure: Figure, confidence: float) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D(
            [],
            [],
            marker="o",
            color=INK,
            label=f"observed, {100 * confidence:g} % interval",
            markersize=6,
        ),
        Line2D(
            [],
            [],
            marker="D",
            linestyle="none",
            markerfacecolor="none",
            markeredgecolor=INK,
            label="expected with no withdrawal, proportional hazards",
        ),
        Line2D(
            [],
            [],
            marker="|",
            linestyle="none",
            color=INK,
            markersize=10,
            label="expected if the difference grew in a straight line",
        ),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3, fontsize=8)
