"""How long people were observed in each phase, and at what rate they got worse."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.describe.exposure_phases import PHASES
from discontinuation.describe.flow import ALL
from discontinuation.describe.person_time import ANY_PHASE, DAYS_PER_YEAR
from discontinuation.report.around import Setting, people_words, put_heading, wrapped
from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.numbers import MISSING
from discontinuation.report.palette import FAINT, GRID, INK, PHASE_COLOURS, PHASE_NAMES

WIDTH = 8.2
MOST_LINES = 48  # further definitions stand in the table only
TITLE = 42  # characters of a line of the left column
LABEL = 34  # characters of an arm's name in a line
WIDEST = 3.0  # the axis ends at so many times the largest rate that rests on
ENOUGH = 5  # events


def draw_person_time(observation: pd.DataFrame, arms: pd.DataFrame, setting: Setting) -> Figure:
    """Draw how long the people of each arm were observed in each phase.

    Parameters
    ----------
    observation
        Summary of that name.
    arms
        From `arms_in_order`.
    setting
        Of the dataset.
    """
    if not observation["days"].gt(0).any():
        return say_nothing_to_draw("Nobody was observed for any length of time.")
    labels = [wrapped(label, LABEL) for label in arms["label"]]
    figure = new_figure(WIDTH, 1.5 + sum(0.3 + 0.14 * label.count("\n") for label in labels))
    axes = figure.subplots()
    phases = [phase for phase in PHASES if phase in set(observation["phase"])] or [ANY_PHASE]
    for place, arm in enumerate(arms["arm"]):
        _draw_stack(axes, place, observation.loc[observation["arm"] == arm], phases)
    axes.set_yticks(range(len(arms)), labels)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.tick_params(axis="y", left=False)
    axes.margins(x=0.16)
    axes.set_xlim(left=0)
    axes.set_xlabel("person-years of observation")
    if phases != [ANY_PHASE]:
        _draw_legend(figure, phases)
    put_heading(figure, setting)
    return figure


def _draw_stack(axes: Axes, place: int, rows: pd.DataFrame, phases: Sequence[str]) -> None:
    by_phase = rows.set_index("phase")
    left = 0.0
    for phase in phases:
        years = float(by_phase["days"].get(phase, math.nan)) / DAYS_PER_YEAR
        if not years > 0:
            continue
        colour = PHASE_COLOURS.get(phase, FAINT)
        axes.barh(place, years, left=left, height=0.62, color=colour, edgecolor="white")
        left += years
    people = str(by_phase["people_shown"].get(ANY_PHASE, MISSING))
    hidden = by_phase["days"].reindex(list(phases)).isna().any()
    text = f"  {people_words(people)}" + (", not all phases shown" if hidden else "")
    axes.text(left, place, text, va="center", fontsize=8)


def _draw_legend(figure: Figure, phases: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    marks = [Patch(color=PHASE_COLOURS[phase], label=PHASE_NAMES[phase]) for phase in phases]
    figure.legend(handles=marks, loc="outside lower center", ncols=3, fontsize=8)


def draw_event_rates(
    person_time: pd.DataFrame,
    arms: pd.DataFrame,
    setting: Setting,
    names: Mapping[str, str],
    confidence: float = 0.95,
) -> Figure:
    """Draw crude rates of getting worse with their exact intervals, by arm and phase.

    Parameters
    ----------
    person_time
        Summary of that name. Rates by the time of detection are drawn, of as many
        definitions as there is room for.
    arms
        From `arms_in_order`.
    setting
        Of the dataset.
    names
        Definitions in words.
    confidence
        Level of the intervals.
    """
    detected = person_time.loc[person_time["clock"] == "detected"]
    rows = _rate_rows(detected, arms, names)
    if not rows:
        return say_nothing_to_draw("No definition of getting worse is declared or met.")
    figure = new_figure(WIDTH, 1.5 + 0.2 * len(rows))
    left, axes, right = figure.subplots(1, 3, width_ratios=[3.1, 3.0, 3.4], sharey=True)
    for text in (left, right):
        text.axis("off")
    highest = _axis_end(rows)
    axes.set_xlim(-0.02 * highest, highest)
    axes.set_ylim(len(rows) - 0.4, -1.6)
    axes.set_xlabel("first events per 100 person-years")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for place, row in enumerate(rows):
        _draw_rate(left, axes, right, place, row, highest)
    for x, words in ((0.30, "events"), (0.52, "years")):
        right.text(x, -1, words, ha="right", fontsize=8, weight="bold")
    right.text(0.57, -1, f"rate ({100 * confidence:g} % interval)", fontsize=8, weight="bold")
    right.set_xlim(0, 1)
    left.set_xlim(0, 1)
    put_heading(figure, setting)
    return figure


def _rate_rows(
    detected: pd.DataFrame, arms: pd.DataFrame, names: Mapping[str, str]
) -> list[dict[Hashable, Any]]:
    """List the lines of the figure: a definition, its arms, their phases; blanks between."""
    found: list[dict[Hashable, Any]] = []
    for definition in dict.fromkeys(detected["definition"]):
        rows = detected.loc[detected["definition"] == definition]
        title = wrapped(names.get(definition, definition), TITLE)
        lines: list[dict[Hashable, Any]] = [{"heading": line} for line in title.split("\n")]
        for arm in arms.to_dict("records"):
            lines += _arm_lines(arm["label"], rows.loc[rows["arm"] == arm["arm"]])
        if len(arms) > 1:
            lines += _arm_lines("All arms together", rows.loc[rows["arm"] == ALL])
        if found and len(found) + len(lines) > MOST_LINES:
            break
        found += [{}, *lines] if found else lines
    return found


def _arm_lines(label: str, rows: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Put the arm as a whole first, then its phases, unless nobody was at risk in them."""
    lines = wrapped(label, TITLE).split("\n")
    whole = rows.loc[rows["phase"] == ANY_PHASE].to_dict("records")
    phases = rows.loc[(rows["phase"] != ANY_PHASE) & (rows["people_shown"] != "0")]
    found: list[dict[Hashable, Any]] = [{"label": line} for line in lines[:-1]]
    found += [{**row, "label": lines[-1]} for row in whole]
    parts = phases.to_dict("records") if len(phases) > 1 else []
    return found + [{**row, "label": PHASE_NAMES[row["phase"]]} for row in parts]


def _axis_end(rows: Sequence[Mapping[Hashable, Any]]) -> float:
    """End the axis at the largest limit, or where it would leave no room for firm rates."""
    shown = [row for row in rows if pd.notna(row.get("rate"))]
    limit = max((row["upper"] for row in shown), default=1.0)
    firm = max((row["rate"] for row in shown if row["events"] >= ENOUGH), default=0.0)
    return 1.05 * (min(limit, WIDEST * firm) if firm else limit)


def _draw_rate(
    left: Axes, axes: Axes, right: Axes, place: int, row: Mapping[Hashable, Any], highest: float
) -> None:
    if "heading" in row:
        left.text(0, place, row["heading"], va="center", fontsize=8.5, weight="bold")
        return
    part = row.get("phase", ANY_PHASE) != ANY_PHASE
    indent, colour = (0.08, "#666666") if part else (0.02, INK)
    left.text(indent, place, row.get("label", ""), va="center", fontsize=8, color=colour)
    if "rate" not in row:
        return
    _draw_interval(axes, place, row, highest)
    counts = f"{row['events_shown']} of {row['people_shown']}"
    for x, words in ((0.30, counts), (0.52, _years(row["days"]))):
        right.text(x, place, words, va="center", ha="right", fontsize=8)
    right.text(0.57, place, _rate(row), va="center", fontsize=8)


def _years(days: float) -> str:
    years = days / DAYS_PER_YEAR
    return MISSING if pd.isna(days) else f"{years:,.1f}" if years >= 1 else f"{years:.2f}"


def _rate(row: Mapping[Hashable, Any]) -> str:
    if pd.isna(row["rate"]):
        return MISSING
    rate, lower, upper = (
        f"{row[name]:,.0f}" if row[name] >= 1000 else f"{row[name]:.1f}"
        for name in ("rate", "lower", "upper")
    )
    return f"{rate} ({lower} to {upper})"


def _draw_interval(axes: Axes, place: int, row: Mapping[Hashable, Any], highest: float) -> None:
    if pd.isna(row["rate"]):
        return
    whole = row["phase"] == ANY_PHASE
    colour = INK if whole else FAINT if row["phase"] == "unknown" else PHASE_COLOURS[row["phase"]]
    ends = min(row["lower"], highest), min(row["upper"], highest)
    axes.plot(ends, [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
    if row["upper"] > highest:
        # Beyond the end of the axis there is only the arrow.
        axes.plot(highest, place, ">", color=colour, markersize=4.5, clip_on=False)
    if row["rate"] <= highest:
        axes.plot(row["rate"], place, "D" if whole else "o", color=colour, markersize=4.5)
