"""Symptoms against days since each dose step, by arm, and one person's symptoms under the dose."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.report.around import Setting, put_heading, show_days, wrapped
from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import (
    BAND_COLOURS,
    FAINT,
    GRID,
    INK,
    NOTHING,
    SHADES,
    STRATEGY_COLOURS,
)
from discontinuation.symptoms.single_case import SingleCase
from discontinuation.symptoms.trajectory import Trajectories

WIDTH = 8.2
PANEL, STRIP = 2.3, 0.21  # heights of a panel and of one arm's line of counts, inches
CHARACTER = 0.068  # width of a digit in a line of counts, inches
MOST_PANELS = 10
SEVERAL = 5  # people: intervals of fewer may leave the panel
SERIES = ["instrument", "item"]
ANSWER, CURVE, LEVEL, MISSING = FAINT, BAND_COLOURS[4], INK, BAND_COLOURS[0]


def draw_trajectories(
    found: Trajectories, arms: pd.DataFrame, setting: Setting, names: Mapping[str, str]
) -> Figure:
    """Draw means and their intervals by days since the dose step, and who was there to answer.

    Parameters
    ----------
    found
        From `trajectories`. Counts are written from the column ``n_shown`` of its summary if a
        report has put one there to hide small ones, otherwise as observed/followed.
    arms
        arm, label, strategy; in the order in which they are drawn.
    setting
        Of the dataset.
    names
        How readers know a series: from ``"instrument item"`` to words; others are shown as they
        are.

    Returns
    -------
    Figure
        One line of panels per series, one panel per step. Under each panel one line per arm:
        darker where more of the people who were followed were observed, orange where none was.
    """
    summary = found.summary.assign(x=_centres(found.summary))
    if "arm" not in summary:
        summary["arm"] = "all"
        arms = pd.DataFrame({"arm": ["all"], "label": ["all arms"], "strategy": ["any"]})
    shown = arms.loc[arms["arm"].isin(summary["arm"])]
    if shown.empty or not summary["n_people"].sum():
        return say_nothing_to_draw("No symptom was rated around any dose step.")
    panels = _panels(summary)
    series = summary[SERIES].drop_duplicates().to_dict("records")
    strip = STRIP * len(shown)
    figure = new_figure(WIDTH, (PANEL + strip + 0.35) * len(series) + 1.35)
    widths = [float(rows["bin_end"].max() - rows["bin_start"].min()) for rows in panels.values()]
    widths = list(np.maximum(widths, 0.15 * max(widths)))
    grid = figure.subplots(
        2 * len(series),
        len(panels),
        squeeze=False,
        sharey="row",
        width_ratios=widths,
        height_ratios=[PANEL, strip] * len(series),
    )
    colours = _colours(shown)
    inches = (WIDTH - 1.0 - 0.1 * len(widths)) / sum(widths)
    for column, (title, rows) in enumerate(panels.items()):
        grid[0][column].set_title(title, fontsize=9)
        for line, one in enumerate(series):
            mine = rows[(rows["instrument"] == one["instrument"]) & (rows["item"] == one["item"])]
            _draw_means(grid[2 * line][column], mine, colours)
            grid[2 * line][column].tick_params(axis="y", left=column == 0)
            _draw_counts(grid[2 * line + 1][column], mine, shown, inches)
    for line, one in enumerate(series):
        name = f"{one['instrument']} {one['item']}"
        of_series = (summary[SERIES] == pd.Series(one)).all(axis=1)
        grid[2 * line][0].set_ylim(*_limits(summary.loc[of_series]))
        grid[2 * line][0].set_ylabel(wrapped(names.get(name, name), 26), fontsize=8.5)
        _label_arms(grid[2 * line + 1][0], shown, colours)
    widest = grid[-1][int(np.argmax(widths))]
    widest.set_xlabel(f"days since the dose step{_left_out(summary)}", fontsize=8.5)
    _draw_legend(figure, shown, colours, found)
    put_heading(figure, setting)
    return figure


def _centres(summary: pd.DataFrame) -> pd.Series[float]:
    """Find the middle of each bin; of bins of whole days, the middle of its days."""
    edges = summary[["bin_start", "bin_end"]].to_numpy(dtype=float)
    last = 1.0 if (edges == np.round(edges)).all() else 0.0
    return (summary["bin_start"] + summary["bin_end"] - last) / 2


def _panels(summary: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Give each step its rows, and the first one the window before it too."""
    keys = [name for name in ("attempt", "step") if name in summary]
    if not keys:
        return {"": summary}
    before = (summary[keys] == 0).all(axis=1)
    parts = summary.loc[~before].groupby(keys, sort=True)
    panels: dict[str, pd.DataFrame] = {}
    for values, rows in list(parts)[:MOST_PANELS]:
        title = ", ".join(f"{key} {value}" for key, value in zip(keys, values, strict=True))
        panels[title] = rows if panels else pd.concat([summary.loc[before], rows])
    return panels if len(panels) > 1 else dict.fromkeys([""], next(iter(panels.values())))


def _left_out(summary: pd.DataFrame) -> str:
    keys = [name for name in ("attempt", "step") if name in summary]
    count = (
        len(summary.loc[(summary[keys] != 0).any(axis=1), keys].drop_duplicates()) if keys else 0
    )
    return f" (the first {MOST_PANELS} of {count} steps)" if count > MOST_PANELS else ""


def _colours(arms: pd.DataFrame) -> dict[str, str]:
    """Colour arms by what was done with the drug, or one by one where two did the same."""
    if arms["strategy"].is_unique:
        return {row["arm"]: STRATEGY_COLOURS[row["strategy"]] for row in arms.to_dict("records")}
    cycle = [*BAND_COLOURS[3:], *BAND_COLOURS[:3]]
    return {arm: cycle[place % len(cycle)] for place, arm in enumerate(arms["arm"])}


def _draw_means(axes: Axes, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
    for arm, colour in colours.items():
        own = rows.loc[rows["arm"] == arm].sort_values("x")
        # Days before and after the step are not joined, nor days across one without answers.
        for side in (own[own["bin_end"] <= 0], own[own["bin_end"] > 0]):
            x, mean, lower, upper = (
                side[name].to_numpy(dtype=float) for name in ("x", "mean", "lower", "upper")
            )
            axes.fill_between(x, lower, upper, color=colour, alpha=0.16, linewidth=0)
            axes.plot(x, mean, color=colour, linewidth=1.4)
            axes.vlines(x, lower, upper, color=colour, linewidth=0.8, alpha=0.7)
            axes.plot(x, mean, "o", color=colour, markersize=3.6, markeredgecolor="white",
                      markeredgewidth=0.5)  # fmt: skip
    axes.axvline(-0.5, color=INK, linewidth=0.8, linestyle=(0, (3, 2)), zorder=0)
    axes.grid(axis="y", linewidth=0.6)
    axes.set_xlim(rows["bin_start"].min() - 0.5, rows["bin_end"].max() - 0.5)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", labelsize=8)


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Leave room for all means, and for intervals of at least a few people."""
    several = rows["n_people"] >= SEVERAL
    values = [rows["mean"], rows.loc[several, "lower"], rows.loc[several, "upper"]]
    low, high = float(min(v.min() for v in values)), float(max(v.max() for v in values))
    margin = 0.07 * (high - low) or 0.5
    return low - margin, high + margin


def _draw_counts(axes: Axes, rows: pd.DataFrame, arms: pd.DataFrame, inches: float) -> None:
    """Shade, arm by arm, how many of those followed were observed; write it where there is room."""
    for place, arm in enumerate(arms["arm"]):
        for bin_ in rows.loc[rows["arm"] == arm].to_dict("records"):
            left, width = bin_["bin_start"] - 0.5, bin_["bin_end"] - bin_["bin_start"]
            colour, ink = _shade(bin_)
            edge = 0.4 if width * inches > 0.08 else 0.0
            axes.broken_barh([(left, width)], (place - 0.46, 0.92), facecolor=colour,
                             edgecolor="white", linewidth=edge)  # fmt: skip
            whole = str(bin_.get("n_shown", f"{bin_['n_people']}/{bin_['n_followed']}"))
            text, turned = _fitting(whole, width * inches)
            axes.text(left + width / 2, place, text, ha="center", va="center", fontsize=6.5,
                      color=ink, rotation=turned)  # fmt: skip
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.set_xlim(rows["bin_start"].min() - 0.5, rows["bin_end"].max() - 0.5)
    axes.set_xticks([])
    axes.tick_params(axis="y", left=False, labelleft=False)
    for side in axes.spines.values():
        side.set_visible(False)


def _fitting(counts: str, inches: float) -> tuple[str, float]:
    """Choose what of observed/followed fits into a cell, and how far it is turned."""
    observed = counts.partition("/")[0]
    for text in (counts, observed):
        if len(text) * CHARACTER <= inches:
            return text, 0.0
    return (observed, 90.0) if inches > 1.3 * CHARACTER and len(observed) < 4 else ("", 0.0)


def _shade(bin_: Mapping[str, float]) -> tuple[str, str]:
    """Choose the colour of a cell of counts and of what is written in it."""
    if not bin_["n_people"]:
        return NOTHING, INK
    share = min(bin_["n_people"] / max(bin_["n_followed"], bin_["n_people"]), 0.999)
    place = int(share * len(SHADES))
    return SHADES[place], "white" if place > 2 else INK


def _label_arms(axes: Axes, arms: pd.DataFrame, colours: Mapping[str, str]) -> None:
    for place, (arm, label) in enumerate(zip(arms["arm"], arms["label"], strict=True)):
        axes.annotate(str(label)[:22], (0, place), xycoords=("axes fraction", "data"),
                      xytext=(-4, 0), textcoords="offset points", ha="right", va="center",
                      fontsize=7, color=colours[arm], annotation_clip=False)  # fmt: skip


def _draw_legend(
    figure: Figure, arms: pd.DataFrame, colours: Mapping[str, str], found: Trajectories
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks: list[Line2D | Patch] = [
        Line2D([], [], color=colours[row["arm"]], marker="o", markersize=4, label=row["label"])
        for row in arms.to_dict("records")
    ]
    if found.summary["lower"].notna().any():
        level = f"{100 * found.confidence:g} % {found.interval} interval of the people's means"
        marks.append(Patch(color=FAINT, alpha=0.3, linewidth=0, label=level))
    marks += [
        Patch(facecolor=SHADES[-1], label="observed: more than 4 of 5 of those followed"),
        Patch(facecolor=SHADES[0], label="fewer than 1 of 5"),
        Patch(facecolor=NOTHING, label="nobody"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3, fontsize=7.5)


def draw_single_case(cases: Mapping[str, SingleCase], drug: str, setting: Setting) -> Figure:
    """Draw one person's dose on top and their symptoms below, with the days that are missing.

    Parameters
    ----------
    cases
        From `describe_single_case`, all of the same doses, by the name of the symptom.
    drug
        Name of the drug.
    setting
        Of the dataset.
    """
    if not cases:
        return say_nothing_to_draw("No symptom of this person was rated.")
    doses = next(iter(cases.values())).summary
    figure = new_figure(WIDTH, 1.5 + 1.75 * len(cases) + 1.0)
    panels = figure.subplots(
        len(cases) + 1, 1, sharex=True, height_ratios=[1.35] + [1.75] * len(cases)
    )
    first = min(
        [float(doses["start"].min()), *(case.smooth["day"].min() for case in cases.values())]
    )
    last = max([float(doses["stop"].max()), *(case.smooth["day"].max() for case in cases.values())])
    margin = 0.008 * (last - first)
    _draw_dose(panels[0], doses, drug)
    for axes, (name, case) in zip(panels[1:], cases.items(), strict=True):
        _draw_case(axes, case, name)
        for day in doses["start"].iloc[1:]:
            axes.axvline(day, color=GRID, linewidth=0.8, zorder=0)
    for axes in panels:
        show_days(axes, setting, first, last)
        axes.set_xlim(first - margin, last + margin)
        axes.tick_params(labelsize=8)
    for axes in panels[:-1]:
        axes.set_xlabel("")
    _draw_case_legend(figure, next(iter(cases.values())))
    put_heading(figure, setting)
    return figure


def _draw_dose(axes: Axes, doses: pd.DataFrame, drug: str) -> None:
    edges = [*doses["start"], float(doses["stop"].iloc[-1])]
    axes.stairs(doses["dose"], edges, color=INK, linewidth=1.5, baseline=None)
    axes.fill_between(edges, [*doses["dose"], doses["dose"].iloc[-1]], step="post", color=GRID)
    highest = float(doses["dose"].max()) or 1.0
    for start, stop, dose in doses[["start", "stop", "dose"]].itertuples(index=False):
        axes.annotate(f"{dose:g}", ((start + stop) / 2, dose), xytext=(0, 2), fontsize=7.5,
                      textcoords="offset points", ha="center", va="bottom")  # fmt: skip
    axes.set_ylim(0, 1.22 * highest)
    axes.set_ylabel(wrapped(f"{drug}, {doses['unit'].iloc[0]}", 14), fontsize=8.5)


def _draw_case(axes: Axes, case: SingleCase, name: str) -> None:
    seen, smooth = case.observed, case.smooth
    axes.plot(seen["day"], seen["value"], "o", color=ANSWER, markersize=2.6, markeredgewidth=0)
    axes.fill_between(smooth["day"], smooth["lower"], smooth["upper"], color=CURVE, alpha=0.18,
                      linewidth=0)  # fmt: skip
    axes.plot(smooth["day"], smooth["mean"], color=CURVE, linewidth=1.3)
    known = case.summary.dropna(subset="estimate")
    middle = (known["start"] + known["stop"]) / 2
    axes.hlines(known["estimate"], known["start"], known["stop"], color=LEVEL, linewidth=1.6)
    axes.vlines(middle, known["lower"], known["upper"], color=LEVEL, linewidth=0.9)
    axes.plot(case.missing, np.full(len(case.missing), 0.03), "|", color=MISSING, markersize=8,
              markeredgewidth=1.4, transform=axes.get_xaxis_transform())  # fmt: skip
    axes.set_ylabel(wrapped(name, 22), fontsize=8.5)
    axes.grid(axis="y", linewidth=0.6)
    missing = f"{case.n_observed} of {case.n_expected} planned answers, {case.n_missing} missing"
    axes.set_title(f"{missing}; {_likeness(case)}", fontsize=7.5, weight="normal", loc="right")


def _likeness(case: SingleCase) -> str:
    """Write how alike answers are that lie one planned interval apart."""
    phi = case.model.components.set_index("component")["estimate"].get("phi", 0.0)
    days = "1 day" if case.every == 1 else f"{case.every:g} days"
    return f"autocorrelation over {days}: {phi**case.every:.2f}".replace("-", "−")


def _draw_case_legend(figure: Figure, case: SingleCase) -> None:
    from matplotlib.lines import Line2D

    level = f"{100 * case.confidence:g} %"
    marks = [
        Line2D([], [], color=ANSWER, marker="o", linestyle="none", markersize=3,
               label="mean of a day"),
        Line2D([], [], color=CURVE, linewidth=1.3, label=f"moving mean, {level} band at each day"),
        Line2D([], [], color=LEVEL, linewidth=1.6, label=f"mean at a dose, {level} interval"),
        Line2D([], [], color=MISSING, marker="|", linestyle="none", markersize=8,
               label="no answer"),
    ]  # fmt: skip
    figure.legend(handles=marks, loc="outside lower center", ncols=4, fontsize=7.5)
