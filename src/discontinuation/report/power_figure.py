"""Power against the number of people, by simulation and by formula."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from discontinuation.design._daily import FloatArray
from discontinuation.design.power import Power
from discontinuation.report.drawing import new_figure
from discontinuation.report.palette import BAND_COLOURS, FAINT, INK

COLOURS = (*BAND_COLOURS, INK, FAINT)
MARKS = ("o", "s", "^", "v", "D", "P", "X", "*")
NAMES = {
    "H1": "H1  withdrawal exists",
    "H2": "H2  a taper prevents withdrawal",
    "H3: taper not inferior": "H3  relapse: taper not inferior",
    "H3: maintenance better": "H3  relapse: maintenance better",
    "H4": "H4  much of the excess is withdrawal",
}


def draw_power(power: Power, answers: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Draw a panel per hypothesis, a curve per truth.

    Parameters
    ----------
    power
        From `plan_power`.
    answers
        From `true_answers`.
    labels
        Of the truths.

    Returns
    -------
    Figure
        Dots: simulation, with bars of two Monte-Carlo errors. Lines: formula; dashed, with open
        dots, where the hypothesis is not true, so that its power is the rate of false answers.
    """
    shown = power.summary.loc[power.summary["kind"] == "hypothesis"]
    tests = [test for test in NAMES if (shown["test"] == test).any()]
    figure = new_figure(10.2, 3.4 * ((len(tests) + 3) // 3))
    panels = figure.subplots((len(tests) + 3) // 3, 3, squeeze=False, sharey=True).ravel()
    for axes, test in zip(panels, tests, strict=False):
        _draw_panel(axes, power, answers, test)
    for axes in panels[len(tests) :]:
        axes.axis("off")
    for axes in panels[: len(tests) : 3]:
        axes.set_ylabel("share of trials that say so")
    _draw_legend(panels[len(tests)], power, labels)
    return figure


def _draw_panel(axes: Axes, power: Power, answers: pd.DataFrame, test: str) -> None:
    chosen = power.summary.query("kind == 'hypothesis' and test == @test")
    lines = power.curves.query("kind == 'hypothesis' and test == @test")
    for place, truth in enumerate(power.design.truths):
        row = answers.loc[(answers["truth"] == truth) & (answers["test"] == test)]
        true = bool(row["true"].iloc[0])
        colour, mark = COLOURS[place % len(COLOURS)], MARKS[place % len(MARKS)]
        line = lines.loc[lines["truth"] == truth]
        style = "-" if true else (0, (4, 2))
        axes.plot(
            line["people_per_arm"], line["formula"], linestyle=style, color=colour, linewidth=1.3
        )
        dots = chosen.loc[chosen["truth"] == truth]
        axes.errorbar(
            dots["people_per_arm"],
            dots["simulated"],
            yerr=_bars(dots),
            fmt=mark,
            color=colour,
            markersize=4.5,
            elinewidth=1,
            capsize=0,
            markerfacecolor=colour if true else "white",
        )
    wanted = power.design.content["hypotheses"]["power"]
    axes.axhline(wanted, color=FAINT, linewidth=0.8, linestyle=":")
    if power.recommended is not None:
        axes.axvline(power.recommended, color=INK, linewidth=0.9, linestyle=":")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlim(left=0)
    axes.set_xlabel("people per arm")
    axes.set_title(NAMES[test], fontsize=9)
    axes.grid(axis="y")


def _bars(dots: pd.DataFrame) -> FloatArray:
    """Lengths of the bars below and above each dot, shape (2, dots)."""
    below, above = dots["simulated"] - dots["lower"], dots["upper"] - dots["simulated"]
    return np.clip([below, above], 0, None)  # rounding, where all trials agree


def _draw_legend(axes: Axes, power: Power, labels: Mapping[str, str]) -> None:
    handles = [
        Line2D(
            [],
            [],
            color=COLOURS[place % len(COLOURS)],
            marker=MARKS[place % len(MARKS)],
            markersize=4.5,
            linewidth=1.3,
            label=labels[truth],
        )
        for place, truth in enumerate(power.design.truths)
    ]
    handles += [
        Line2D([], [], color=INK, linewidth=1.3, label="formula"),
        Line2D(
            [],
            [],
            color=INK,
            linewidth=1.3,
            linestyle=(0, (4, 2)),
            marker="o",
            markerfacecolor="white",
            markersize=4.5,
            label="not true: rate of false answers",
        ),
    ]
    wanted = power.design.content["hypotheses"]["power"]
    text = f"power that is wanted: {wanted:g}"
    if power.recommended is not None:
        text += f", reached with {power.recommended} per arm"
    handles.append(Line2D([], [], color=INK, linewidth=0.9, linestyle=":", label=text))
    axes.legend(
        handles=handles,
        loc="center left",
        fontsize=8,
        title="What is true",
        title_fontsize=8.5,
        alignment="left",
        borderaxespad=0,
    )
