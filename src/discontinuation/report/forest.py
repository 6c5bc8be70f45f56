"""Forest plot: every trial, each class of drug, all together, and the next trial."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.report.drawing import new_figure, ratio_ticks, say_nothing_to_draw
from discontinuation.report.headline import headline_pools, headline_trials
from discontinuation.report.palette import FAINT, INK, STRATEGY_COLOURS, STRATEGY_NAMES, class_name

ROW_INCHES = 0.235
LIMITS = 0.2, 12.0
TICKS = (0.25, 0.5, 1, 2, 4, 8)


@dataclass(frozen=True)
class Row:
    """One line of the plot, from the top."""

    kind: str  # heading, trial, pool, test, gap
    label: str
    numbers: dict[str, Any]


def draw_forest(effects: pd.DataFrame, pooled: pd.DataFrame, confidence: float = 0.95) -> Figure:
    """Draw the risk of relapse after stopping against continuing, in randomised trials.

    Parameters
    ----------
    effects
        results/evidence/trial_effects.
    pooled
        results/evidence/pooled.
    confidence
        Level of their intervals.

    Returns
    -------
    Figure
        Trials by class of drug, their pooled risk ratio with its interval (diamond) and the
        prediction interval for a new trial (thin bar).
    """
    trials = headline_trials(effects).sort_values(["drug_class", "estimate"], kind="stable")
    pools = headline_pools(pooled)
    if trials.empty:
        return say_nothing_to_draw(
            "No randomised trial has a risk ratio of relapse with an interval."
        )
    rows = _rows(trials, pools)
    figure = new_figure(10.4, 1.6 + ROW_INCHES * len(rows))
    names, axes, values = figure.subplots(1, 3, width_ratios=[4.4, 3.0, 1.8], sharey=True)
    for text in (names, values):
        text.axis("off")
    axes.set_ylim(len(rows) - 0.3, -1.8)
    _draw_axis(axes)
    weights = _weights(trials)
    for position, row in enumerate(rows):
        _draw_names(names, position, row)
        _draw_row(axes, position, row, weights)
        _draw_values(values, position, row)
    _draw_headings(names, values, confidence)
    _draw_legend(figure)
    return figure


def _rows(trials: pd.DataFrame, pools: pd.DataFrame) -> list[Row]:
    rows = []
    classes = sorted(set(trials["drug_class"]))
    for drug_class in classes:
        members = trials.loc[trials["drug_class"] == drug_class]
        rows.append(Row("heading", class_name(drug_class).capitalize(), {}))
        rows += [Row("trial", str(row["title"]), dict(row)) for _, row in members.iterrows()]
        rows += _pool_rows(f"All {class_name(drug_class)} trials", pools, drug_class)
        rows.append(Row("gap", "", {}))
    if len(classes) > 1:
        rows += _pool_rows("All trials", pools, "all")
    return rows


def _pool_rows(label: str, pools: pd.DataFrame, drug_class: str) -> list[Row]:
    numbers: dict[str, Any] = dict(pools.loc[[drug_class]].iloc[0])
    if not math.isfinite(numbers["estimate"]):
        return [Row("test", f"{label}: {numbers['note']}", {})]
    text = f"I² {numbers['i2']:.0f} %, τ² {numbers['tau2']:.2f}"
    if math.isfinite(numbers["tau2_lower"]):
        text += f" ({numbers['tau2_lower']:.2f} to {numbers['tau2_upper']:.2f})"
    return [Row("pool", f"{label} ({numbers['trials']})", numbers), Row("test", text, {})]


def _weights(trials: pd.DataFrame) -> dict[str, float]:
    precision = trials["se"].astype(float) ** -1
    sizes = 2.5 + 6.5 * precision / precision.max()
    return dict(zip(trials["study"], sizes, strict=True))


def _draw_axis(axes: Axes) -> None:
    axes.axvline(1, color=FAINT, linewidth=0.8, zorder=0)
    axes.set_xlim(*LIMITS)
    ratio_ticks(axes, TICKS)
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("risk ratio of relapse, stopped against continued (log scale)")
    axes.text(0.94, -1.1, "fewer after stopping", ha="right", fontsize=8, color=FAINT)
    axes.text(1.06, -1.1, "more after stopping", ha="left", fontsize=8, color=FAINT)


def _draw_names(axes: Axes, position: int, row: Row) -> None:
    bold = "bold" if row.kind in ("heading", "pool") else "normal"
    indent = 0.02 if row.kind in ("trial", "test") else 0.0
    size = 8 if row.kind == "test" else 9
    axes.text(indent, position, row.label, va="center", weight=bold, fontsize=size)
    if row.kind in ("trial", "pool"):
        axes.text(0.84, position, _count(row, "a"), va="center", ha="right", weight=bold)
        axes.text(1.0, position, _count(row, "b"), va="center", ha="right", weight=bold)


def _count(row: Row, arm: str) -> str:
    events, n = row.numbers[f"events_{arm}"], row.numbers[f"n_{arm}"]
    if math.isfinite(events) and math.isfinite(n):
        return f"{events:.0f}/{n:.0f}"
    risk = row.numbers.get(f"risk_{arm}", math.nan)
    return f"{risk:.0%}" if math.isfinite(risk) else "–"


def _draw_row(axes: Axes, position: int, row: Row, weights: dict[str, float]) -> None:
    numbers = row.numbers
    if row.kind == "trial":
        colour = STRATEGY_COLOURS[str(numbers["strategy"])]
        _bar(axes, position, numbers["lower"], numbers["upper"], colour, 1.2)
        size = weights[str(numbers["study"])]
        axes.plot(numbers["estimate"], position, "s", color=colour, markersize=size)
    elif row.kind == "pool":
        xs = [numbers["lower"], numbers["estimate"], numbers["upper"], numbers["estimate"]]
        ys = [position, position - 0.32, position, position + 0.32]
        axes.fill(xs, ys, color=INK, linewidth=0)
        if math.isfinite(numbers["prediction_lower"]):
            limits = numbers["prediction_lower"], numbers["prediction_upper"]
            _bar(axes, position + 1, *limits, INK, 2.4, ends=True)


def _bar(
    axes: Axes, y: float, lower: float, upper: float, colour: str, width: float, ends: bool = False
) -> None:
    """Draw an interval; an arrow shows that it leaves the axis."""
    shown = max(lower, LIMITS[0]), min(upper, LIMITS[1])
    axes.plot(shown, [y, y], color=colour, linewidth=width, solid_capstyle="butt")
    for limit, edge, mark in ((lower, LIMITS[0], "<"), (upper, LIMITS[1], ">")):
        if (limit < edge) if mark == "<" else (limit > edge):
            axes.plot(edge, y, mark, color=colour, markersize=5, clip_on=False)
        elif ends:
            axes.plot([limit, limit], [y - 0.18, y + 0.18], color=colour, linewidth=1)


def _draw_values(axes: Axes, position: int, row: Row) -> None:
    if row.kind not in ("trial", "pool"):
        return
    n = row.numbers
    bold = "bold" if row.kind == "pool" else "normal"
    text = f"{n['estimate']:.2f} ({n['lower']:.2f} to {n['upper']:.2f})"
    axes.text(0.02, position, text, va="center", weight=bold)
    if row.kind == "pool" and math.isfinite(n["prediction_lower"]):
        new = f"{n['prediction_lower']:.2f} to {n['prediction_upper']:.2f} (a new trial)"
        axes.text(0.02, position + 1, new, va="center", fontsize=8)


def _draw_headings(names: Axes, values: Axes, confidence: float) -> None:
    names.text(0.0, -1.1, "Trial", weight="bold")
    names.text(0.84, -1.1, "stopped", weight="bold", ha="right")
    names.text(1.0, -1.1, "continued", weight="bold", ha="right")
    values.text(0.02, -1.1, f"risk ratio ({100 * confidence:g} % interval)", weight="bold")


def _draw_legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D(
            [],
            [],
            marker="s",
            linestyle="none",
            color=STRATEGY_COLOURS[name],
            label=STRATEGY_NAMES[name],
        )
        for name in ("abrupt", "taper", "unspecified", "any")
    ]
    marks.append(Line2D([], [], color=INK, linewidth=2.4, label="prediction interval"))
    figure.legend(handles=marks, loc="outside lower center", ncols=5, fontsize=8)
