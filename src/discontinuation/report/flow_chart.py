"""Where the people of each arm went, from allocation to analysis (after CONSORT)."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.describe.flow import ALL, NO_FOLLOW_UP
from discontinuation.report.around import HANDLING, Setting, heading, notice_lines, people_words
from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import INK

ACROSS = 3  # arms beside each other; further ones follow below
BOX = 2.45  # width of a box, inches
LEFT = 0.95  # room for the names of the stages
GAP = 0.16
LINE = 0.152
CHARACTERS = 37  # of a line in a box
STAGES = {
    "allocated": "Allocation",
    "reduction": "Drug",
    "rated": "Ratings",
    "end": "Follow-up",
    "analysed": "Analysis",
}
PARTS = {
    "source": "Allocated according to the source",
    "present": "In these data",
    "absent": "in the source, not in these data",
    "beyond": "in these data beyond the source",
    "started": "Dose fell below its highest",
    "not_started": "Dose did not fall",
    "no_dose_record": "No record of the dose",
    "rated": "Rated at least once",
    "never_rated": "Never rated",
    "analysed": "Analysed",
    "not_analysed": "Not analysed: not observed",
    "completed": "Completed",
    "lost": "Lost to follow-up",
    "withdrew": "Withdrew",
    "died": "Died",
    "reinstated": "Drug reinstated",
    "rescued": "Other treatment given",
    "adverse_event": "Adverse event",
    "event": "Ended by the event",
    "administrative": "Ended by the study",
    "unknown": "Reason not known",
    NO_FOLLOW_UP: "No record of follow-up",
}


@dataclass(frozen=True)
class Line:
    """One line of a box: words to the left, a count to the right."""

    words: str
    count: str = ""
    bold: bool = False


def draw_flow_chart(flow: pd.DataFrame, arms: pd.DataFrame, setting: Setting) -> Figure:
    """Draw the flow of people through the study.

    Parameters
    ----------
    flow
        Summary of that name; its printed counts are drawn.
    arms
        From `arms_in_order`.
    setting
        Of the dataset.

    Returns
    -------
    Figure
        One column of boxes per arm. In each box below the first the counts add up to the people
        in the data.
    """
    if arms.empty:
        return say_nothing_to_draw("There is no arm and no person in these data.")
    columns = [_boxes(flow, arm) for arm in arms.to_dict("records")]
    bands = [columns[i : i + ACROSS] for i in range(0, len(columns), ACROSS)]
    width = LEFT + min(len(columns), ACROSS) * (BOX + GAP)
    top = _total(flow, setting, width)
    heights = [_heights(band) for band in bands]
    figure = new_figure(width, 0.25 + len(top) * LINE * 1.15 + sum(map(_band_height, heights)))
    figure.set_layout_engine("none")  # boxes are placed in inches
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set_xlim(0, figure.get_figwidth())
    axes.set_ylim(figure.get_figheight(), 0)
    y = 0.12
    for line in top:
        _write(axes, 0.05, y, width - 0.1, line)
        y += LINE * 1.15
    y += 0.2
    for band, tall in zip(bands, heights, strict=True):
        _draw_band(axes, band, tall, y)
        y += _band_height(tall)
    return figure


def _total(flow: pd.DataFrame, setting: Setting, width: float) -> list[Line]:
    people = _count(flow, ALL, "present", "present")
    return [
        *(Line(text, bold=True) for text in heading(setting, width).split("\n")),
        *(Line(text) for text in notice_lines(setting, width)),
        Line(f"All arms together: {people_words(people)} in these data"),
    ]


def _boxes(flow: pd.DataFrame, arm: Mapping[Hashable, Any]) -> dict[str, list[Line]]:
    """Write the boxes of one arm, by stage."""
    mine = flow.loc[flow["arm"] == arm["arm"]]
    title = textwrap.wrap(arm["label"], CHARACTERS - 2) or [""]
    first = [Line(text, bold=True) for text in title]
    first.append(Line(HANDLING[arm["strategy"]]))
    source = _count(flow, arm["arm"], "allocated", "source")
    first.append(Line(PARTS["source"] if source else "Allocated: the source does not say", source))
    first.append(Line(PARTS["present"], _count(flow, arm["arm"], "present", "present"), bold=True))
    for part in ("absent", "beyond"):
        number = _count(flow, arm["arm"], "allocated", part)
        if number not in ("", "0"):
            first.append(Line(PARTS[part], number))
    boxes = {"allocated": first}
    for stage in ("reduction", "rated", "end", "analysed"):
        rows = mine.loc[mine["stage"] == stage]
        if len(rows):
            pairs = zip(rows["part"], rows["people_shown"], strict=True)
            boxes[stage] = [Line(PARTS[part], count) for part, count in pairs]
    return boxes


def _count(flow: pd.DataFrame, arm: str, stage: str, part: str) -> str:
    chosen = (flow["arm"] == arm) & (flow["stage"] == stage) & (flow["part"] == part)
    shown = flow.loc[chosen, "people_shown"].dropna()
    return str(shown.iat[0]) if len(shown) else ""


def _heights(band: Sequence[dict[str, list[Line]]]) -> dict[str, float]:
    """Make the boxes of one stage as high as the highest of them."""
    return {
        stage: max(len(boxes[stage]) for boxes in band) * LINE + 0.14
        for stage in STAGES
        if stage in band[0]
    }


def _band_height(heights: dict[str, float]) -> float:
    return sum(heights.values()) + GAP * len(heights) + 0.25


def _draw_band(
    axes: Axes, band: Sequence[dict[str, list[Line]]], heights: dict[str, float], top: float
) -> None:
    y = top
    last = list(heights)[-1]
    for stage, height in heights.items():
        axes.text(0.05, y + height / 2, STAGES[stage], va="center", fontsize=8, color="#666666")
        for place, boxes in enumerate(band):
            x = LEFT + place * (BOX + GAP)
            _draw_box(axes, x, y, height, boxes[stage])
            if stage != last:
                _draw_arrow(axes, x + BOX / 2, y + height)
        y += height + GAP


def _draw_arrow(axes: Axes, x: float, y: float) -> None:
    look = {"arrowstyle": "-|>", "color": INK, "linewidth": 0.8, "mutation_scale": 7}
    ends = {"shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=(x, y + GAP), xytext=(x, y), arrowprops=look | ends)


def _draw_box(axes: Axes, x: float, y: float, height: float, lines: Sequence[Line]) -> None:
    from matplotlib.patches import Rectangle

    box = Rectangle((x, y), BOX, height, facecolor="white", edgecolor=INK, linewidth=0.8)
    axes.add_patch(box)
    for row, line in enumerate(lines):
        _write(axes, x + 0.07, y + 0.07 + row * LINE, BOX - 0.14, line)


def _write(axes: Axes, x: float, y: float, width: float, line: Line) -> None:
    weight = "bold" if line.bold else "normal"
    y += LINE / 2
    axes.text(x, y, line.words, va="center", fontsize=8, weight=weight)
    axes.text(x + width, y, line.count, va="center", ha="right", fontsize=8, weight=weight)
