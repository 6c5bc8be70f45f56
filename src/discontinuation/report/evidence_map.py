"""Map of the evidence: drug, taper length, follow-up, and whether withdrawal was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import BAND_COLOURS, FAINT, GRID, INK, class_name
from discontinuation.synthesis.contrasts import taper_band
from discontinuation.tables.comparisons import STOPPED, join_results

NOT_STATED = "not stated"
MEASURED = {
    "yes": ("o", "full", "withdrawal measured"),
    "not_stated": ("o", "none", "text read does not say"),
    "no": ("X", "full", "withdrawal not measured"),
}


def draw_evidence_map(frames: dict[str, pd.DataFrame], bands: Sequence[float]) -> Figure:
    """Draw one mark per cohort and way of stopping, at its longest follow-up.

    Parameters
    ----------
    frames
        Current tables studies, arms, results.
    bands
        Upper ends of the taper bands, days.
    """
    arms = _stopped_arms(frames, bands)
    if arms.empty:
        return say_nothing_to_draw("No arm in which the drug was stopped has a stated follow-up.")
    drugs = sorted(set(zip(arms["drug_class"], arms["drug"], strict=True)))
    classes = {drug_class for drug_class, _ in drugs}
    figure = new_figure(9.2, 1.6 + 0.23 * (len(drugs) + len(classes)))
    axes = figure.subplots()
    heights = _draw_rows(axes, drugs)
    colours = _band_colours(bands)
    for key in drugs:
        same_drug = (arms["drug_class"] == key[0]) & (arms["drug"] == key[1])
        members = arms.loc[same_drug].sort_values(["week", "study", "arm"])
        for (_, arm), offset in zip(members.iterrows(), _offsets(members["week"]), strict=True):
            _draw_arm(axes, heights[key] + offset, arm, colours)
    _finish(axes, arms)
    _draw_legend(figure, colours)
    return figure


def _stopped_arms(frames: dict[str, pd.DataFrame], bands: Sequence[float]) -> pd.DataFrame:
    joined = join_results(frames)
    stopped = joined.loc[joined["strategy"].isin(STOPPED) & joined["week"].gt(0)]
    stopped = stopped.assign(cohort=stopped["cohort"].fillna(stopped["study"]))
    ordered = stopped.sort_values(["week", "study", "arm"])
    ways = ["cohort", "drug", "strategy", "taper_days"]
    longest = ordered.groupby(ways, dropna=False).tail(1).copy()
    longest["band"] = [
        taper_band(days, strategy, bands)
        for days, strategy in zip(longest["taper_days"], longest["strategy"], strict=True)
    ]
    longest["drug"] = longest["drug"].str.replace("|", ", ", regex=False)
    return longest


def _draw_rows(axes: Axes, drugs: list[tuple[str, str]]) -> dict[tuple[str, str], float]:
    heights: dict[tuple[str, str], float] = {}
    labels: dict[float, tuple[str, str]] = {}
    y = 0.0
    previous = ""
    for drug_class, drug in drugs:
        if drug_class != previous:
            labels[y] = class_name(drug_class).capitalize(), "bold"
            y += 1
            previous = drug_class
        heights[drug_class, drug] = y
        labels[y] = drug, "normal"
        axes.axhline(y, color=GRID, linewidth=0.8, zorder=0)
        y += 1
    axes.set_ylim(y - 0.3, -0.8)
    axes.set_yticks(list(labels), [text for text, _ in labels.values()])
    for tick, (_, weight) in zip(axes.get_yticklabels(), labels.values(), strict=True):
        tick.set_fontsize(8)
        tick.set_fontweight(weight)
    axes.tick_params(axis="y", length=0)
    return heights


def _offsets(weeks: pd.Series) -> np.ndarray:
    """Shift marks that would cover each other up and down, in a fixed pattern."""
    repeats = weeks.groupby(weeks.round(0)).cumcount().to_numpy()
    return np.array([(-1) ** n * 0.24 * ((n + 1) // 2) for n in repeats])


def _band_colours(bands: Sequence[float]) -> dict[str, str]:
    names = [taper_band(edge, "taper", bands) for edge in (*bands, bands[-1] + 1)]
    return {**dict(zip(names, BAND_COLOURS, strict=False)), NOT_STATED: FAINT}


def _draw_arm(axes: Axes, y: float, arm: pd.Series, colours: dict[str, str]) -> None:
    mark, fill, _ = MEASURED[arm["withdrawal_measured"]]
    colour = colours[arm["band"]]
    axes.plot(
        arm["week"],
        y,
        mark,
        markersize=7,
        color=colour,
        markerfacecolor=colour if fill == "full" else "white",
        markeredgewidth=1.6,
    )


def _finish(axes: Axes, arms: pd.DataFrame) -> None:
    axes.set_xscale("log")
    ticks = (1, 2, 4, 8, 13, 26, 52, 104, 208, 520)
    highest = float(arms["week"].max())
    lowest = float(arms["week"].min())
    shown = [tick for tick in ticks if lowest / 1.5 <= tick <= highest * 1.5]
    axes.set_xticks(shown, [str(tick) for tick in shown])
    axes.minorticks_off()
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("longest follow-up, weeks (log scale)")
    axes.set_title(f"{len(arms)} ways in which independent cohorts stopped a drug")


def _draw_legend(figure: Figure, colours: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="o", linestyle="none", color=colour, label=f"taper: {name}")
        for name, colour in colours.items()
    ]
    marks += [
        Line2D(
            [],
            [],
            marker=mark,
            linestyle="none",
            color=INK,
            markerfacecolor=INK if fill == "full" else "white",
            label=label,
        )
        for mark, fill, label in MEASURED.values()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=4, fontsize=8)
