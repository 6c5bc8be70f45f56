"""How do arms compare by each estimand, clock and window?"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.estimands.question import BY_CAUSE, TITLES
from discontinuation.report.around import Setting, put_heading, wrapped
from discontinuation.report.drawing import new_figure, ratio_ticks, say_nothing_to_draw
from discontinuation.report.numbers import is_number, of_a_hundred, ratio
from discontinuation.report.palette import FAINT, GRID, INK

WIDTH = 12.2
ROW = 0.195  # inches
UNADJUSTED, ADJUSTED, WEIGHTED, DIFFERENCE = "unadjusted", "adjusted", "weighted", "difference"
RATIOS = ("hazard ratio", "cause-specific hazard ratio")
DIFFERENCES = ("risk difference", "crude risk difference", "net risk difference")
# Fill of the mark, offset from the middle of the row.
MARKS = {
    UNADJUSTED: ("o", INK, INK, -0.17),
    ADJUSTED: ("s", "white", "#0072B2", 0.17),
    WEIGHTED: ("D", "white", "#D55E00", 0.42),
    DIFFERENCE: ("o", INK, INK, 0.0),
}
MAIN_CAUSES = ("withdrawal", "relapse")
TICKS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32)
MOST_TICKS = 6
MOST_REASONS = 14


@dataclass(frozen=True)
class _Row:
    """One line of the plot: a heading, or the estimates of one window."""

    heading: str
    label: str = ""
    window: str = ""
    cells: Mapping[str, Mapping[Any, Any]] | None = None


def draw_estimates(
    estimates: pd.DataFrame, setting: Setting, *, confidence: float = 0.95
) -> Figure:
    """Draw hazard ratios and risk differences of every comparison, clock, estimand and window.

    Parameters
    ----------
    estimates
        Table of `survive_dataset`, or some of its rows.
    setting
        Of the dataset.
    confidence
        Level of the intervals.

    Returns
    -------
    Figure
        Of causes, withdrawal and relapse are drawn if there are either. What was refused says
        why, also of measures that are not drawn.
    """
    chosen, left_out = _chosen(estimates)
    if not len(chosen) or not np.isfinite(chosen["estimate"].astype(float)).any():
        reasons = list(pd.unique(estimates["why_not"].dropna())) if len(estimates) else []
        text = "No estimand has a hazard ratio or a risk difference."
        said = [textwrap.fill(str(reason), 100) for reason in reasons[:MOST_REASONS]]
        return say_nothing_to_draw("\n".join([text, *said]))
    rows = list(_rows(chosen))
    refused = estimates.loc[estimates["why_not"].notna()]
    reasons = [*pd.unique(chosen["why_not"].dropna()), *refused["why_not"]]
    reasons = list(dict.fromkeys(map(str, reasons)))
    kinds = [kind for kind in MARKS if kind in set(chosen["kind"])]
    notes = _notes(refused, chosen, reasons, left_out)
    figure = new_figure(WIDTH, 2.0 + ROW * len(rows) + 0.14 * len(notes))
    panels = figure.subplots(1, 4, width_ratios=[3.0, 2.6, 2.2, 1.25 * len(kinds)], sharey=True)
    names, ratios, differences, numbers = panels
    _set_up(panels, len(rows), chosen)
    for place, row in enumerate(rows):
        _write_names(names, place, row)
        for kind, cell in (row.cells or {}).items():
            axes = differences if kind == DIFFERENCE else ratios
            if is_number(cell["estimate"]):
                _mark(axes, place, cell, kind)
            _write_number(numbers, place, kinds, kind, cell, reasons)
        if row.cells is None:
            for axes in (ratios, differences):
                axes.axhline(place - 0.62, color=GRID, linewidth=0.8, zorder=0)
    for column, kind in enumerate(kinds):
        _write_heading(numbers, column / len(kinds), kind)
    first = (
        f"Lines and brackets: {100 * confidence:g} % interval. Differences: people of a hundred."
    )
    figure.supxlabel("\n".join([first, *notes]), x=0.01, ha="left", fontsize=7, color=INK)
    put_heading(figure, setting)
    return figure


# ---- which rows ----------------------------------------------------------------------------------


def _chosen(estimates: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Estimates that are drawn, with their kind; causes that are not."""
    if not len(estimates):
        return estimates, []
    adjusted = estimates["adjusted"].fillna("").astype(str) != ""
    kind = pd.Series(None, index=estimates.index, dtype=object)
    hazards = estimates["measure"].isin(RATIOS)
    kind[hazards & ~adjusted] = UNADJUSTED
    kind[hazards & adjusted] = ADJUSTED
    kind[estimates["measure"] == "weighted hazard ratio"] = WEIGHTED
    kind[estimates["measure"].isin(DIFFERENCES)] = DIFFERENCE
    chosen = estimates.assign(kind=kind).dropna(subset=["kind"])
    causes = list(pd.unique(chosen["cause"].dropna()))
    if not set(causes) & set(MAIN_CAUSES):
        return chosen, []
    main = chosen["cause"].isna() | chosen["cause"].isin(MAIN_CAUSES)
    return chosen.loc[main], [cause for cause in causes if cause not in MAIN_CAUSES]


def _rows(chosen: pd.DataFrame) -> Iterator[_Row]:
    """Headings by comparison and clock, under them a row per estimand, cause and window."""
    for comparison in pd.unique(chosen["comparison"]):
        of_comparison = chosen.loc[chosen["comparison"] == comparison]
        for clock in pd.unique(of_comparison["clock"]):
            mine = of_comparison.loc[of_comparison["clock"] == clock]
            yield _Row(f"{comparison}, since {clock}")
            mine = mine.assign(cause=mine["cause"].fillna(""), group=mine["group"].fillna(""))
            parts = mine.groupby(["estimand", "cause", "group"], sort=False)
            for (estimand, cause, group), part in sorted(parts, key=_place):
                yield from _windows(str(estimand), str(cause), str(group), part)


def _place(named: tuple[Any, pd.DataFrame]) -> tuple[str, int, str]:
    """Order estimands by name; withdrawal and relapse come before other causes."""
    estimand, cause, _ = named[0]
    first = MAIN_CAUSES.index(cause) if cause in MAIN_CAUSES else len(MAIN_CAUSES)
    return str(estimand), first, str(cause)


def _windows(estimand: str, cause: str, group: str, part: pd.DataFrame) -> Iterator[_Row]:
    whole = (part["window_from"] == 0) & (part["window_to"] == part["window_to"].max())
    label = f"{estimand}: {cause or group or TITLES.get(estimand, '')}"
    ordered = part.assign(part=~whole).sort_values(["part", "window_from"], kind="stable")
    for (low, high), same in ordered.groupby(["window_from", "window_to"], sort=False):
        cells = {str(cell["kind"]): cell for cell in same.to_dict("records")}
        yield _Row("", label, f"day {low:g} to {high:g}", cells)
        label = ""


def _notes(
    refused: pd.DataFrame, chosen: pd.DataFrame, reasons: Sequence[str], left_out: Sequence[str]
) -> list[str]:
    """What the estimands are, what is not drawn, and why estimates were refused."""
    titles = [f"{name}: {TITLES[name]}" for name in BY_CAUSE if name in set(chosen["estimand"])]
    notes = ["; ".join(titles) + "."] if titles else []
    if left_out:
        notes.append(f"In the table of estimates only: {', '.join(left_out)}.")
    covariates = pd.unique(chosen.loc[chosen["kind"] == ADJUSTED, "adjusted"])
    if len(covariates):
        notes.append(f"Adjusted for: {'; '.join(covariates)}.")
    undrawn = refused.loc[~refused.index.isin(chosen.index)]
    for place, reason in enumerate(reasons[:MOST_REASONS], 1):
        mine = undrawn.loc[undrawn["why_not"] == reason]
        columns = ["estimand", "comparison", "clock", "measure", "cause"]
        named = mine[columns].drop_duplicates().itertuples(index=False)
        what = "; ".join(
            ", ".join(str(cell) for cell in cells if pd.notna(cell)) for cells in named
        )
        also = f" (not drawn: {what})" if what else ""
        notes.append(f"[{place}] Not estimated: {reason}{also}.")
    if len(reasons) > MOST_REASONS:
        notes.append(f"{len(reasons) - MOST_REASONS} more reasons are in the table of estimates.")
    return [line for note in notes for line in textwrap.wrap(note, int(WIDTH * 18.5))]


# ---- what is drawn -------------------------------------------------------------------------------


def _set_up(panels: Sequence[Axes], rows: int, chosen: pd.DataFrame) -> None:
    names, ratios, differences, numbers = panels
    for axes in (names, numbers):
        axes.axis("off")
        axes.set_xlim(0, 1)
    names.set_ylim(rows - 0.3, -1.9)
    for axes, null in ((ratios, 1), (differences, 0)):
        axes.axvline(null, color=FAINT, linewidth=0.8, zorder=0)
        axes.tick_params(axis="y", left=False, labelleft=False)
        axes.spines["left"].set_visible(False)
    hazards = chosen.loc[chosen["kind"] != DIFFERENCE]
    values = hazards[["estimate", "lower", "upper"]].to_numpy(dtype=float).ravel()
    values = np.append(values[np.isfinite(values) & (values > 0)], [0.45, 2.2])
    low = max(values.min(), TICKS[0])
    high = min(values.max(), TICKS[-1])
    ticks = [tick for tick in TICKS if low <= tick <= high]
    if len(ticks) > MOST_TICKS:
        ticks = [tick for tick in ticks if np.log2(tick) % 2 == 0]
    ratio_ticks(ratios, tuple(ticks))
    ratios.set_xlim(low, high)
    ratios.set_xlabel(
        "hazard ratio (log scale)\nabove 1: more events in the first named", fontsize=8
    )
    of_risk = chosen.loc[chosen["kind"] == DIFFERENCE]
    values = of_risk[["estimate", "lower", "upper"]].to_numpy(dtype=float).ravel()
    most = float(np.nanmax(np.abs([10.0, *(100 * values)])))
    differences.set_xlim(-1.03 * most, 1.03 * most)
    differences.set_xlabel(
        "risk difference, people of a hundred\nabove 0: more in the first named", fontsize=8
    )


def _write_names(axes: Axes, place: int, row: _Row) -> None:
    if row.cells is None:
        axes.text(0, place, row.heading, va="center", fontsize=8.5, weight="bold")
        return
    axes.text(0.02, place, wrapped(row.label, 44), va="center", fontsize=7.5)
    axes.text(1, place, row.window, va="center", ha="right", fontsize=7.5)


def _mark(axes: Axes, place: int, cell: Mapping[Any, Any], kind: str) -> None:
    """Draw an estimate and its interval; an arrow shows that it leaves the axis."""
    shape, face, edge, offset = MARKS[kind]
    factor = 100.0 if kind == DIFFERENCE else 1.0
    low, high = axes.get_xlim()
    y = place + offset
    value, lower, upper = (factor * float(cell[name]) for name in ("estimate", "lower", "upper"))
    if np.isfinite(lower) and np.isfinite(upper):
        axes.plot([max(lower, low), min(upper, high)], [y, y], color=edge, linewidth=1.0)
        for outside, at, arrow in ((lower < low, low, "<"), (upper > high, high, ">")):
            if outside:
                axes.plot(at, y, arrow, color=edge, markersize=4, clip_on=False)
    if low <= value <= high:
        axes.plot(value, y, shape, markersize=4, markerfacecolor=face, markeredgecolor=edge)


def _write_number(
    axes: Axes,
    place: int,
    kinds: Sequence[str],
    kind: str,
    cell: Mapping[Any, Any],
    reasons: Sequence[str],
) -> None:
    writer = of_a_hundred if kind == DIFFERENCE else ratio
    if is_number(cell["estimate"]):
        text = writer(float(cell["estimate"]))
        if is_number(cell["lower"]) and is_number(cell["upper"]):
            text += f" ({writer(float(cell['lower']))} to {writer(float(cell['upper']))})"
    else:
        known = cell["why_not"] in reasons
        number = f" [{reasons.index(cell['why_not']) + 1}]" if known else ""
        text = f"not estimated{number}"
    axes.text(kinds.index(kind) / len(kinds), place, text, va="center", fontsize=7.5)


def _write_heading(axes: Axes, x: float, kind: str) -> None:
    shape, face, edge, _ = MARKS[kind]
    axes.plot(x + 0.012, -1.15, shape, markersize=4.5, markerfacecolor=face, markeredgecolor=edge)
    words = "risk difference" if kind == DIFFERENCE else f"hazard ratio,\n{kind}"
    axes.text(x + 0.03, -1.15, words, va="center", fontsize=7.5, weight="bold")
