"""Who stayed well, what happened to the others first, and when?"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.estimands.comparisons import NAMES
from discontinuation.estimands.question import TITLES
from discontinuation.report.around import HANDLING, Setting, put_heading, show_days, wrapped
from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.numbers import count, probability, whole_percent
from discontinuation.report.palette import FAINT, INK, STRATEGY_COLOURS
from discontinuation.report.survival_forest import draw_estimates

__all__ = ["draw_causes", "draw_estimates", "draw_event_free", "draw_hazards"]

WIDTH = 9.4
KEY = 0.5  # least height of the key, inches
LINE = 0.16  # height of a line of the numbers at risk, inches
EVENT_FREE = "event-free"
CRUDE = ("E2", "E3")  # the curves of either are the crude risks of each cause
# From the bottom of the stack: hues of Okabe and Ito that no strategy has, and greys.
CAUSE_COLOURS = {
    "withdrawal": "#E69F00",
    "relapse": "#56B4E9",
    "withdrawal syndrome": "#B87F00",
    "deterioration": "#8C8C8C",
    "reinstatement": "#F0E442",
    "rescue treatment": "#B8A9D9",
    "death": "#222222",
    "dropout": "#CDB79E",
    "other": "#777777",
    "indeterminate": "#A6A6A6",
    "not adjudicated": "#D4D4D4",
}
UNKNOWN_CAUSE = "#5E5E5E"
APART = 0.06  # between the labels of a stack, share of the axis
WINDOW_SHADES = ("#EFD9E7", "#F6E9F1", "#FAF3F7")  # the shortest window is the darkest
Style = Literal["-", "--", ":", "-."]
STYLES: tuple[Style, ...] = ("-", "--", ":", "-.")  # of arms that handle the drug in the same way
WIDE = 4.0  # upper limit of a hazard over the hazard, where little is known of it
PER_WEEK = 700.0  # turns a hazard per day into events per 100 people and week
RATIO_COLUMNS = ["comparison", "time", "hazard_ratio", "lower", "upper", "p_value", "why_not"]
RATIO_TICKS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16)
CURVES_NOTE = (
    "Kaplan-Meier estimates of each week, joined by straight lines; bands: {level} limits at each "
    "time for itself. No number at risk: nobody, or fewer people than may be shown."
)
STACK_NOTE = (
    "{estimand}: {title}. Aalen-Johansen estimates of each week, stacked; white: no event yet. "
    "Shares at the end are written beside them; limits are in the table of curves."
)
BAND_NOTE = (
    "Bands: {level} limits at each time for itself; none where less than one event counts. A "
    "hazard ratio above 1: more events in the arm named first."
)
# Arms that were compared at first need not be alike later: those at risk are those still well.
SURVIVORS_NOTE = "Later hazards are those of people who were still free of the event."


@dataclass(frozen=True)
class _Arm:
    name: str
    label: str
    strategy: str
    style: Style

    @property
    def colour(self) -> str:
        return STRATEGY_COLOURS[self.strategy]


@dataclass(frozen=True)
class _End:
    """End of a withdrawal window and the comparisons it belongs to."""

    day: float
    comparisons: tuple[str, ...]
    shade: str

    @property
    def strategies(self) -> set[str]:
        return {part for name in self.comparisons for part in name.split(" vs ")}


def draw_event_free(
    curves: pd.DataFrame,
    arms: pd.DataFrame,
    windows: pd.DataFrame,
    setting: Setting,
    *,
    confidence: float = 0.95,
) -> Figure:
    """Draw the share of each arm that is still free of the event, with the people at risk.

    Parameters
    ----------
    curves, windows
        Tables of `survive_dataset`; curves of ``what`` "event-free" are drawn.
    arms
        arm, label, strategy, in the order in which to name them.
    setting
        Of the dataset.
    confidence
        Level of the limits.

    Returns
    -------
    Figure
        One panel per estimand; the withdrawal window of each comparison is shaded.
    """
    curves = curves.loc[curves["what"] == EVENT_FREE] if len(curves) else curves
    shown = _arms_of(curves, "arm", arms)
    if not shown:
        return say_nothing_to_draw("No estimand has a curve of people free of the event.")
    estimands = curves["estimand"].unique().tolist()
    names = [wrapped(arm.label, 24) for arm in shown]
    titles = [wrapped(f"{name}: {TITLES[name]}", 84 // len(estimands)) for name in estimands]
    figure, panels, key = _with_tables(len(estimands), names, titles)
    last = float(curves["time"].max())
    ends = _window_ends(windows, last)
    for estimand, title, axes, table in zip(estimands, titles, *panels, strict=True):
        first = estimand == estimands[0]
        mine = curves.loc[curves["estimand"] == estimand]
        _shade(axes, ends)
        for arm in shown:
            _draw_band(axes, mine.loc[mine["arm"] == arm.name], "probability", arm)
        axes.set_ylim(0, 1.02)
        axes.set_title(title, fontsize=9)
        _show(axes, setting, last, len(estimands) > 1)
        _write_at_risk(table, mine, shown, names, named=first)
    panels[0][0].set_ylabel("share free of the event")
    panels[1][0].set_title("at risk", fontsize=7.5, weight="normal", pad=1)
    _key(key, [*_arm_keys(shown), *_window_keys(ends)])
    _note(figure, CURVES_NOTE.format(level=whole_percent(confidence)))
    put_heading(figure, setting)
    return figure


def draw_causes(
    curves: pd.DataFrame, arms: pd.DataFrame, windows: pd.DataFrame, setting: Setting
) -> Figure:
    """Draw what happened first to what share of each arm, stacked, with the people at risk.

    Parameters
    ----------
    curves, arms, windows, setting
        As in `draw_event_free`; the crude risks of E2 are drawn, or those of E3, which are the
        same.

    Returns
    -------
    Figure
        One panel per arm, with the windows of the comparisons it is part of.
    """
    crude = [name for name in CRUDE if len(curves) and (curves["estimand"] == name).any()]
    curves = curves.loc[curves["estimand"].isin(crude[:1])] if len(curves) else curves
    shown = _arms_of(curves, "arm", arms)
    if not shown:
        return say_nothing_to_draw("No curves of the risk of each cause were estimated.")
    causes = _in_order(curves["what"].unique().tolist())
    titles = [
        "\n".join(wrapped(text, 72 // len(shown)) for text in (arm.label, HANDLING[arm.strategy]))
        for arm in shown
    ]
    figure, panels, key = _with_tables(len(shown), ["at risk"], titles)
    last = float(curves["time"].max())
    ends = _window_ends(windows, last)
    for arm, title, axes, table in zip(shown, titles, *panels, strict=True):
        mine = curves.loc[curves["arm"] == arm.name]
        mine_ends = [end for end in ends if NAMES.get(arm.strategy) in end.strategies]
        _shade(axes, mine_ends, top=True)
        _stack(axes, mine, causes)
        axes.set_ylim(0, 1)
        axes.set_title(title, fontsize=8.5, color=arm.colour)
        _show(axes, setting, last, len(shown) > 1)
        _write_at_risk(table, mine, [arm], ["at risk"], named=arm is shown[0])
    panels[0][0].set_ylabel("share to whom it happened first")
    patches = [_patch(_cause_colour(cause), cause) for cause in causes]
    _key(key, [*patches, *_window_keys(ends)])
    _note(figure, STACK_NOTE.format(estimand=crude[0], title=TITLES[crude[0]]))
    put_heading(figure, setting)
    return figure


def draw_hazards(
    smoothed: pd.DataFrame,
    ratios: pd.DataFrame,
    arms: pd.DataFrame,
    windows: pd.DataFrame,
    setting: Setting,
    *,
    method: str = "",
    confidence: float = 0.95,
) -> Figure:
    """Draw the smoothed hazard of each arm, and the hazard ratio of each comparison over time.

    Parameters
    ----------
    smoothed
        ``SmoothedHazard.summary`` in days, the groups being arms: group, time, hazard, lower,
        upper.
    ratios
        ``HazardRatioOverTime.summary`` of each comparison with its name: comparison, time,
        hazard_ratio, lower, upper; if wanted also p_value (of the test against a constant ratio,
        the same in all rows) and why_not (of a comparison that was refused: one row without time).
    arms, windows, setting
        As in `draw_event_free`.
    method
        How the hazards were smoothed, such as ``SmoothedHazard.method``.
    confidence
        Level of the bands.
    """
    shown = _arms_of(smoothed, "group", arms)
    names = list(pd.unique(ratios["comparison"])) if len(ratios) else []
    if not shown and not names:
        return say_nothing_to_draw("No hazard was estimated: there are too few events.")
    ratios = ratios.reindex(columns=RATIO_COLUMNS)
    rows = bool(shown) + bool(names)
    figure = new_figure(WIDTH, 2.6 * rows + 2.0)
    grid = figure.add_gridspec(rows + 1, max(1, len(names)), height_ratios=[2.4] * rows + [KEY])
    times = [table["time"].max() for table in (smoothed, ratios) if len(table)]
    last = float(np.nanmax([*times, 1.0]))
    ends = _window_ends(windows, last)
    if shown:
        axes = figure.add_subplot(grid[0, :])
        _shade(axes, ends, top=True)
        _draw_smoothed(axes, smoothed, shown)
        _show(axes, setting, last, sparse=False)
    limits = _ratio_limits(ratios)
    for column, name in enumerate(names):
        axes = figure.add_subplot(grid[rows - 1, column])
        mine = ratios.loc[ratios["comparison"] == name]
        _shade(axes, [end for end in ends if name in end.comparisons])
        axes.set_title(wrapped(str(name), 66 // len(names)), fontsize=9)
        _draw_ratio(axes, mine, limits)
        _show(axes, setting, last, len(names) > 1)
        if column == 0:
            axes.set_ylabel("hazard ratio (log scale)")
    _key(figure.add_subplot(grid[rows, :]), [*_arm_keys(shown), *_window_keys(ends)])
    said = [f"{method}." if method else "", BAND_NOTE.format(level=whole_percent(confidence))]
    _note(figure, " ".join([*filter(None, said), SURVIVORS_NOTE]))
    put_heading(figure, setting)
    return figure


# ---- curves --------------------------------------------------------------------------------------


def _arms_of(frame: pd.DataFrame, column: str, arms: pd.DataFrame) -> list[_Arm]:
    """Arms that a table has rows of; those alike in strategy differ in their line."""
    present = set(frame[column]) if len(frame) else set()
    found: list[_Arm] = []
    for arm in arms.to_dict("records"):
        if arm["arm"] in present:
            alike = sum(other.strategy == arm["strategy"] for other in found)
            style = STYLES[alike % len(STYLES)]
            found.append(_Arm(arm["arm"], str(arm["label"]), str(arm["strategy"]), style))
    return found


def _draw_band(axes: Axes, rows: pd.DataFrame, value: str, arm: _Arm, factor: float = 1.0) -> None:
    rows = rows.sort_values("time")
    days = rows["time"].to_numpy(dtype=float)
    low, high = (factor * rows[name].to_numpy(dtype=float) for name in ("lower", "upper"))
    axes.fill_between(days, low, high, color=arm.colour, alpha=0.15, linewidth=0)
    values = factor * rows[value].to_numpy(dtype=float)
    axes.plot(days, values, arm.style, color=arm.colour, linewidth=1.6)


def _stack(axes: Axes, rows: pd.DataFrame, causes: list[str]) -> None:
    """Fill the risk of each cause over those below it, and write its last share beside it."""
    table = rows.set_index(["time", "what"])["probability"].unstack(fill_value=0)  # noqa: PD010
    table = table.reindex(columns=causes, fill_value=0.0)
    tops = table.cumsum(axis=1)
    places: list[tuple[float, str]] = []
    for cause in causes:
        top = tops[cause].to_numpy()
        bottom = top - table[cause].to_numpy()
        axes.fill_between(table.index, bottom, top, facecolor=_cause_colour(cause),
                          edgecolor="white", linewidth=0.4)  # fmt: skip
        if top[-1] > bottom[-1]:
            text = f"{cause} {whole_percent(top[-1] - bottom[-1])}"
            places.append(((top[-1] + bottom[-1]) / 2, text))
    lowest = 0.0
    for place, text in places:
        lowest = max(place, lowest)
        axes.annotate(text, (float(table.index[-1]), lowest), (3, 0), va="center", fontsize=7,
                      textcoords="offset points", annotation_clip=False)  # fmt: skip
        lowest += APART


def _in_order(causes: list[str]) -> list[str]:
    known = list(CAUSE_COLOURS)
    return sorted(causes, key=lambda name: (known.index(name) if name in known else 99, name))


def _cause_colour(cause: str) -> str:
    return CAUSE_COLOURS.get(cause, UNKNOWN_CAUSE)


# ---- hazards -------------------------------------------------------------------------------------


def _draw_smoothed(axes: Axes, smoothed: pd.DataFrame, shown: Sequence[_Arm]) -> None:
    for arm in shown:
        _draw_band(axes, smoothed.loc[smoothed["group"] == arm.name], "hazard", arm, PER_WEEK)
    # A line or band that leaves the panel says that little is known there; others stay readable.
    known = smoothed.loc[smoothed["upper"] <= WIDE * smoothed["hazard"]]
    highest = (known if len(known) else smoothed)["hazard"].max()
    most = max(highest, min(float(known["upper"].max()), 2 * highest) if len(known) else 0.0)
    axes.set_ylim(0, 1.05 * PER_WEEK * most or 1.0)
    axes.set_ylabel("events per 100 people\nand week")
    axes.set_title("Smoothed hazard of each arm", fontsize=9)


def _ratio_limits(ratios: pd.DataFrame) -> tuple[float, float]:
    if not len(ratios):
        return RATIO_TICKS[3], RATIO_TICKS[5]
    value = ratios["hazard_ratio"].astype(float)
    low = float(np.nanmin([0.4, *ratios["lower"].clip(lower=value / 4)]))
    high = float(np.nanmax([2.5, *ratios["upper"].clip(upper=value * 4)]))
    return max(low, RATIO_TICKS[0]), min(high, RATIO_TICKS[-1])


def _draw_ratio(axes: Axes, rows: pd.DataFrame, limits: tuple[float, float]) -> None:
    axes.set_yscale("log")
    ticks = [tick for tick in RATIO_TICKS if limits[0] <= tick <= limits[1]]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(*limits)
    axes.axhline(1, color=FAINT, linewidth=1.0, zorder=1)
    refused = rows["why_not"].dropna()
    if len(refused):
        text = textwrap.fill(f"not estimated: {refused.iloc[0]}", 34)
        axes.text(0.5, 0.52, text, ha="center", va="bottom", fontsize=7.5, transform=axes.transAxes)
        return
    rows = rows.sort_values("time")
    days = rows["time"].to_numpy(dtype=float)
    axes.fill_between(days, rows["lower"], rows["upper"], color=INK, alpha=0.15, linewidth=0)
    axes.plot(days, rows["hazard_ratio"], color=INK, linewidth=1.6)
    if rows["p_value"].notna().any():
        text = f"against a constant ratio: p {_equals(float(rows['p_value'].max()))}"
        axes.text(1, 0.99, text, ha="right", va="top", fontsize=7.5, transform=axes.transAxes)


def _equals(p_value: float) -> str:
    text = probability(p_value)
    return text if text.startswith("<") else f"= {text}"


# ---- around the panels ---------------------------------------------------------------------------


def _with_tables(
    panels: int, names: Sequence[str], titles: Sequence[str]
) -> tuple[Figure, list[list[Axes]], Axes]:
    """Make a row of panels, a row of tables with a line for each name, and room for the key."""
    high = LINE * sum(_lines(name) for name in names) + 0.05
    figure = new_figure(WIDTH, 4.3 + high + LINE * max(map(_lines, titles)))
    grid = figure.add_gridspec(3, panels, height_ratios=[2.7, high, KEY])
    rows: list[list[Axes]] = [[], []]
    for column in range(panels):
        first = rows[0][0] if column else None
        upper = figure.add_subplot(grid[0, column], sharey=first)
        upper.tick_params(labelleft=column == 0)
        rows[0].append(upper)
        rows[1].append(figure.add_subplot(grid[1, column], sharex=upper))
    return figure, rows, figure.add_subplot(grid[2, :])


def _lines(text: str) -> int:
    return text.count("\n") + 1


def _write_at_risk(
    axes: Axes, rows: pd.DataFrame, shown: Sequence[_Arm], names: Sequence[str], named: bool
) -> None:
    """Write the people at risk under the ticks where they are known, one row per arm."""
    heights = np.array([_lines(name) for name in names], dtype=float)
    places = np.cumsum(heights) - heights / 2
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    for arm, name, place in zip(shown, names, places, strict=True):
        mine = rows.loc[rows["arm"] == arm.name].drop_duplicates("time").set_index("time")
        known = mine["at_risk"].dropna()
        for tick in ticks:
            if tick in known.index:
                axes.text(tick, place, count(float(known[tick])), ha="center", va="center",
                          fontsize=7, color=arm.colour)  # fmt: skip
        if named:
            axes.annotate(
                name, (0, place), (-16, 0), xycoords=("axes fraction", "data"), fontsize=7,
                textcoords="offset points", ha="right", va="center", color=arm.colour,
            )  # fmt: skip
    axes.set_ylim(heights.sum(), 0)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    axes.spines[:].set_visible(False)


def _show(axes: Axes, setting: Setting, last: float, sparse: bool) -> None:
    """Show days and a grid; a panel that has neighbours has room for half as many ticks."""
    show_days(axes, setting, 0, last)
    if sparse:
        ticks = axes.get_xticks()[::2]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xlabel(textwrap.fill(axes.get_xlabel(), 30))
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def _window_ends(windows: pd.DataFrame, last: float) -> list[_End]:
    """Ends of the withdrawal windows, the shortest first."""
    if not len(windows):
        return []
    known = windows.loc[windows["early_end"] > 0]
    days = known["early_end"].clip(upper=last)
    return [
        _End(float(day), tuple(pd.unique(known.loc[days == day, "comparison"])), shade)
        for day, shade in zip(
            np.unique(days), [*WINDOW_SHADES, *WINDOW_SHADES[-1:] * len(days)], strict=False
        )
    ]


def _shade(axes: Axes, ends: Sequence[_End], top: bool = False) -> None:
    """Shade the withdrawal windows, longer ones behind shorter ones, and say where they end."""
    for end in reversed(ends):
        axes.axvspan(0, end.day, color=end.shade, linewidth=0, zorder=0)
        axes.axvline(end.day, color="#C9A3BB", linewidth=0.7, linestyle=":", zorder=0.5)
        axes.annotate(
            f"day {end.day:g}", (end.day, 0.985 if top else 0.015), (-2, 0), rotation=90,
            xycoords=("data", "axes fraction"), textcoords="offset points", ha="right",
            va="top" if top else "bottom", fontsize=6.5, color="#8A5577",
        )  # fmt: skip


def _window_keys(ends: Sequence[_End]) -> list[Artist]:
    return [
        _patch(end.shade, f"withdrawal window to day {end.day:g}: {', '.join(end.comparisons)}")
        for end in ends
    ]


def _arm_keys(shown: Sequence[_Arm]) -> list[Artist]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=arm.colour, linestyle=arm.style, linewidth=1.6,
               label=f"{arm.label} ({HANDLING[arm.strategy]})")
        for arm in shown
    ]  # fmt: skip


def _patch(colour: str, label: str) -> Artist:
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, edgecolor="none", label=label)


def _key(axes: Axes, handles: Sequence[Artist]) -> None:
    for handle in handles:
        handle.set_label(wrapped(str(handle.get_label()), 70))
    axes.axis("off")
    axes.legend(handles=list(handles), loc="center", ncols=2, fontsize=7.5, borderaxespad=0)


def _note(figure: Figure, text: str) -> None:
    width = int(figure.get_figwidth() * 17)
    figure.supxlabel(textwrap.fill(text, width), x=0.01, ha="left", fontsize=7.5, color=INK)
