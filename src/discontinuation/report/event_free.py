"""Event-free proportion against time, every arm that has one, by what was done with the drug."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import (
    FAINT,
    GRID,
    INK,
    STRATEGY_COLOURS,
    STRATEGY_NAMES,
    class_name,
)
from discontinuation.tables.comparisons import join_results

SHOWN = ("maintain", "abrupt", "taper", "unspecified")
MARKS = {"kaplan_meier": "o", "crude": "s", "survival_quantile": "^"}
MARK_NAMES = {
    "kaplan_meier": "Kaplan-Meier",
    "crude": "crude proportion",
    "survival_quantile": "quantile",
}
LONGEST = 110.0  # weeks; later points are counted under the panel


def draw_event_free(frames: dict[str, pd.DataFrame]) -> Figure:
    """Draw all arms with a relapse result: classes of drugs down, what was done across.

    Parameters
    ----------
    frames
        Current tables studies, arms, results.
    """
    joined = join_results(frames)
    points = joined.loc[
        (joined["outcome_type"] == "relapse")
        & joined["event_free"].notna()
        & joined["week"].notna()
        & joined["strategy"].isin(SHOWN)
    ]
    if points.empty:
        return say_nothing_to_draw("No arm reports an event-free proportion at a stated time.")
    classes = sorted(set(points["drug_class"]))
    figure = new_figure(10.4, 2.05 * len(classes) + 1.1)
    panels = figure.subplots(len(classes), len(SHOWN), squeeze=False, sharey=True, sharex="row")
    for row, drug_class in zip(panels, classes, strict=True):
        members = points.loc[points["drug_class"] == drug_class]
        for axes, strategy in zip(row, SHOWN, strict=True):
            _draw_panel(axes, members, strategy)
        _label_row(row, members, drug_class)
    for axes, strategy in zip(panels[0], SHOWN, strict=True):
        name = STRATEGY_NAMES[strategy]
        axes.set_title(name.capitalize(), color=STRATEGY_COLOURS[strategy], pad=18)
    for axes in panels[-1]:
        axes.set_xlabel("weeks since randomisation")
    _draw_legend(figure)
    return figure


def _draw_panel(axes: Axes, points: pd.DataFrame, strategy: str) -> None:
    """Draw the arms of one strategy over all others of their class, which stay faint."""
    shown = points.loc[points["week"] <= LONGEST]
    for _, arm in shown.groupby(["study", "arm"], sort=False):
        ordered = arm.sort_values("week")
        axes.plot([0, *ordered["week"]], [1, *ordered["event_free"]], color=GRID, linewidth=0.7)
    mine = points.loc[points["strategy"] == strategy]
    for _, arm in mine.loc[mine["week"] <= LONGEST].groupby(["study", "arm"], sort=False):
        _draw_arm(axes, arm.sort_values("week"))
    axes.set_xlim(0, max(8.0, 1.06 * float(shown["week"].max()) if len(shown) else 8.0))
    axes.set_ylim(0, 1.03)
    late = int((mine["week"] > LONGEST).sum())
    text = _counted(len(mine.groupby(["study", "arm"])), "arm")
    if late:
        text += f", {_counted(late, 'point')} after week {LONGEST:g} not shown"
    axes.text(0, 1.05, text, transform=axes.transAxes, fontsize=7.5, color=FAINT)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _label_row(row: Sequence[Axes], points: pd.DataFrame, drug_class: str) -> None:
    numbers = int(points["at_risk"].notna().sum())
    row[0].set_ylabel(
        f"{class_name(drug_class)}\nwithout relapse\n(numbers at risk: {numbers} of {len(points)})",
        fontsize=8,
    )


def _draw_arm(axes: Axes, arm: pd.DataFrame) -> None:
    colour = STRATEGY_COLOURS[str(arm["strategy"].iat[0])]
    weeks = [0.0, *arm["week"]]
    event_free = [1.0, *arm["event_free"]]
    # A straight line joins what is known; it is no claim about the time between.
    axes.plot(weeks, event_free, color=colour, linewidth=1.0, alpha=0.8)
    for estimator, rows in arm.groupby("estimator"):
        axes.plot(
            rows["week"],
            rows["event_free"],
            MARKS[str(estimator)],
            color=colour,
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.5,
        )
    limits = arm.dropna(subset=["event_free_lower", "event_free_upper"])
    axes.vlines(
        limits["week"],
        limits["event_free_lower"],
        limits["event_free_upper"],
        color=colour,
        linewidth=0.8,
    )


def _draw_legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker=mark, linestyle="none", color=INK, label=MARK_NAMES[name])
        for name, mark in MARKS.items()
    ]
    others = "other arms of the class"
    marks.append(Line2D([], [], color=GRID, linewidth=2, label=others))
    marks.append(
        Line2D([], [], marker="|", linestyle="none", color=INK, label="published interval")
    )
    figure.legend(handles=marks, loc="outside lower center", ncols=5, fontsize=8)
