"""Verdicts, probabilities of withdrawal and their validation, drawn.

Withdrawal and relapse are drawn alike: two hues of the same weight, grey between them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import (
    FAINT,
    GRID,
    INK,
    SHADES,
    STRATEGY_NAMES,
)

LABEL_COLOURS = {
    "withdrawal": "#D55E00",
    "relapse": "#0072B2",
    "indeterminate": "#999999",
    "not assessable": "#FFFFFF",
}
CAUSE_MARKS = {"withdrawal": "o", "relapse": "s", "nocebo": "^", "other": "D"}
CAUSE_COLOURS = {**LABEL_COLOURS, "nocebo": "#CC79A7", "other": "#009E73"}
HATCH = "////"
# From relapse over undecided to withdrawal, symmetric about one half.
Q_MAP = LinearSegmentedColormap.from_list(
    "q", [LABEL_COLOURS["relapse"], "#DDDDDD", LABEL_COLOURS["withdrawal"]]
)
AGREEMENT_MAP = LinearSegmentedColormap.from_list("agreement", ["#FFFFFF", *SHADES])


def draw_labels(summary: pd.DataFrame, titles: Mapping[str, str] | None = None) -> Figure:
    """Draw how many deteriorations each rule set gives each label.

    Parameters
    ----------
    summary
        One row per rule set, columns withdrawal, relapse, indeterminate, not assessable.
    titles
        What rule sets are called; their keys where it is left out.
    """
    if summary.empty or not summary[list(LABEL_COLOURS)].to_numpy().sum():
        return say_nothing_to_draw("No deterioration was looked at.")
    figure = new_figure(7.5, 1.2 + 0.26 * len(summary))
    axes = figure.subplots()
    place, left = np.arange(len(summary)), np.zeros(len(summary))
    for label, colour in LABEL_COLOURS.items():
        count = summary[label].to_numpy(dtype=float)
        hatch, edge = (HATCH, FAINT) if label == "not assessable" else (None, "white")
        axes.barh(place, count, left=left, color=colour, height=0.8, linewidth=0.4, hatch=hatch,
                  edgecolor=edge)  # fmt: skip
        for row, number in enumerate(count):
            if number >= 0.05 * summary[list(LABEL_COLOURS)].sum(axis=1).max():
                ink = INK if label in ("not assessable",) else "white"
                axes.text(left[row] + number / 2, row, f"{number:.0f}", ha="center", va="center",
                          color=ink, fontsize=7, bbox=_behind(label))  # fmt: skip
        left = left + count
    axes.set_yticks(place, _named(summary.index, titles), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("deteriorations")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(handles=_label_handles(), loc="outside upper left", ncols=4)
    return figure


def _behind(label: str) -> dict[str, object] | None:
    """White behind numbers on hatching."""
    if label != "not assessable":
        return None
    return {"facecolor": "white", "edgecolor": "none", "pad": 0.8}


def _label_handles() -> list[Patch]:
    return [
        Patch(
            facecolor=colour,
            edgecolor=FAINT,
            hatch=HATCH if label == "not assessable" else None,
            label=label,
        )
        for label, colour in LABEL_COLOURS.items()
    ]


def _named(keys: Sequence[str] | pd.Index, titles: Mapping[str, str] | None) -> list[str]:
    return [(titles or {}).get(str(key), str(key)) for key in keys]


def draw_verdicts(
    labels: pd.DataFrame, titles: Mapping[str, str] | None = None, most: int = 60
) -> Figure:
    """Draw every rule set's label of every deterioration, side by side.

    Parameters
    ----------
    labels
        One row per deterioration, one column per rule set.
    titles
        As in `draw_labels`.
    most
        Deteriorations that can be told apart; of more nothing is drawn.
    """
    if labels.empty or len(labels) > most:
        reason = "No deterioration was looked at." if labels.empty else (
            f"{len(labels)} deteriorations are too many to be drawn one by one.")  # fmt: skip
        return say_nothing_to_draw(reason)
    figure = new_figure(3.2 + 0.34 * len(labels), 1.6 + 0.26 * labels.shape[1])
    axes = figure.subplots()
    for column, name in enumerate(labels):
        for row, label in enumerate(labels[name]):
            axes.add_patch(
                _tile(
                    row, column, LABEL_COLOURS[label], HATCH if label == "not assessable" else None
                )
            )
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.set_ylim(labels.shape[1] - 0.5, -0.5)
    axes.set_xticks(range(len(labels)), [str(one) for one in labels.index], rotation=90, fontsize=7)
    axes.set_yticks(range(labels.shape[1]), _named(labels.columns, titles), fontsize=8)
    axes.tick_params(length=0)
    _no_frame(axes)
    figure.legend(handles=_label_handles(), loc="outside upper left", ncols=4)
    return figure


def _tile(x: float, y: float, colour: object, hatch: str | None = None) -> Patch:
    from matplotlib.patches import Rectangle

    edge = FAINT if hatch else "white"
    return Rectangle(
        (x - 0.46, y - 0.46),
        0.92,
        0.92,
        facecolor=colour,
        edgecolor=edge,
        hatch=hatch,
        linewidth=0.4,
    )


def _no_frame(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_confusion(table: pd.DataFrame, first: str, second: str, note: str | None = None) -> Figure:
    """Draw deteriorations by the labels of two rule sets, or of a rule set and raters.

    Parameters
    ----------
    table
        Counts; rows are labels of the first, columns of the second.
    first, second
        What they are called.
    note
        A sentence below, such as a coefficient of agreement.
    """
    counts = table.to_numpy(dtype=float)
    if not counts.sum():
        return say_nothing_to_draw("No deterioration was labelled by both.")
    figure = new_figure(1.9 + 0.95 * table.shape[1], 1.5 + 0.62 * table.shape[0])
    axes = figure.subplots()
    colour = Normalize(0, counts.max())
    for (row, column), count in np.ndenumerate(counts):
        shade = AGREEMENT_MAP(colour(count) * 0.9)
        axes.add_patch(_tile(column, row, shade))
        ink = "white" if colour(count) > 0.55 else INK
        weight = "bold" if table.index[row] == table.columns[column] else "normal"
        axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=ink, weight=weight)
    _square_axes(axes, list(table.columns), list(table.index))
    axes.set_xlabel(f"{second}\n{note}" if note else second)
    axes.set_ylabel(first)
    return figure


def _square_axes(axes: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), [str(name) for name in columns], fontsize=8)
    axes.set_yticks(range(len(rows)), [str(name) for name in rows], fontsize=8)
    axes.tick_params(length=0)
    _no_frame(axes)


def draw_agreement(
    pairs: pd.DataFrame, coefficient: str = "Gwet's AC1", titles: Mapping[str, str] | None = None
) -> Figure:
    """Draw the agreement of every pair of rule sets.

    Parameters
    ----------
    pairs
        As `classify.agreement.pairwise_agreement` gives them: first, second, coefficient, n, same,
        estimate.
    coefficient
        Which of them.
    titles
        As in `draw_labels`.

    Returns
    -------
    Figure
        Below the diagonal the coefficient, above it how many deteriorations both could label.
        Hatched: it cannot be computed. Rule sets that share nothing with any other are named
        below and not drawn.
    """
    mine = pairs.loc[pairs["coefficient"] == coefficient]
    if mine["estimate"].isna().all():
        return say_nothing_to_draw("No two rule sets could both label two deteriorations or more.")
    every = list(dict.fromkeys([*mine["first"], *mine["second"]]))
    shared = mine.loc[mine["n"] > 0]
    names = [name for name in every if name in {*shared["first"], *shared["second"]}]
    place = {name: number for number, name in enumerate(names)}
    figure = new_figure(3.4 + 0.42 * len(names), 2.6 + 0.36 * len(names))
    axes = figure.subplots()
    drawn = mine.loc[mine["first"].isin(names) & mine["second"].isin(names)]
    for pair in drawn.to_dict("records"):
        low, high = sorted((place[pair["first"]], place[pair["second"]]))
        estimate = float(pair["estimate"])
        known = not np.isnan(estimate)
        shade = AGREEMENT_MAP(max(estimate, 0.0) * 0.9) if known else "#FFFFFF"
        axes.add_patch(_tile(low, high, shade, None if known else HATCH))
        if known:
            ink = "white" if estimate > 0.6 else INK
            text = f"{estimate:.2f}".replace("-", "−")
            axes.text(low, high, text, ha="center", va="center", fontsize=6.5, color=ink)
        axes.text(high, low, str(pair["n"]), ha="center", va="center", fontsize=6.5, color=FAINT)
    _square_axes(axes, _named(names, titles), _named(names, titles))
    axes.set_xticks(axes.get_xticks(), _named(names, titles), rotation=90)
    scale = ScalarMappable(Normalize(0, 1), AGREEMENT_MAP)
    bar = figure.colorbar(scale, ax=axes, shrink=0.5, aspect=18)
    bar.set_label(f"{coefficient} (0 or less is white)")
    bar.outline.set_visible(False)
    heading = "Below: agreement (hatched: not computable). Above: how many both could label."
    axes.set_title(heading, fontsize=8)
    left_out = _named([name for name in every if name not in names], titles)
    if left_out:
        text = textwrap.fill(f"Not assessable beside any other: {', '.join(left_out)}.", 90)
        figure.supxlabel(text, fontsize=7, x=0.02, ha="left")
    return figure


def draw_events_by_time(
    events: pd.DataFrame, window_days: float | None = None, longest: float | None = None
) -> Figure:
    """Draw deteriorations by time since the last reduction, coloured by q.

    Parameters
    ----------
    events
        One row per deterioration: days_since_reduction (blank: none is known to have come before
        it), q (probability of withdrawal; blank: not classified), strategy.
    window_days
        A line at the end of a window.
    longest
        Where the axis ends; events beyond it stand at its end.
    """
    if events.empty:
        return say_nothing_to_draw("There is no deterioration.")
    if events["days_since_reduction"].isna().all():
        return say_nothing_to_draw("No deterioration is known to have come after a reduction.")
    strategies = [one for one in STRATEGY_NAMES if (events["strategy"] == one).any()]
    days = events["days_since_reduction"].astype(float)
    end = longest or max(float(days.max()), 1.0)
    beyond = end * 1.12
    figure = new_figure(7.5, 1.3 + 1.15 * len(strategies))
    panels = figure.subplots(len(strategies), sharex=True, squeeze=False)[:, 0]
    for axes, strategy in zip(panels, strategies, strict=True):
        mine = events.loc[events["strategy"] == strategy]
        at = mine["days_since_reduction"].astype(float).clip(upper=end).fillna(beyond)
        x, y = _stack(at.to_numpy(), end / 70)
        q = mine["q"].astype(float).to_numpy()
        known = ~np.isnan(q)
        axes.scatter(x[known], y[known], c=Q_MAP(q[known]), s=20, edgecolor="white", linewidth=0.3)
        axes.scatter(x[~known], y[~known], s=20, facecolor="none", edgecolor=FAINT, linewidth=0.7)
        axes.set_title(f"{STRATEGY_NAMES[strategy]} ({len(mine)})", fontsize=9)
        axes.set_ylim(-1, max(y.max() if len(y) else 0, 5) + 1)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        if window_days is not None:
            axes.axvline(window_days, color=INK, linewidth=0.8, linestyle=(0, (3, 2)))
    ticks = [tick for tick in MaxNLocator(7).tick_values(0, end) if 0 <= tick <= end]
    panels[-1].set_xlim(-end * 0.02, beyond * 1.05)
    panels[-1].set_xticks([*ticks, beyond], [*(f"{tick:g}" for tick in ticks), "none\nknown"])
    panels[-1].set_xlabel("days from the last dose reduction to the onset")
    show_q(figure, *panels)
    return figure


def show_q(figure: Figure, *panels: Axes, shrink: float = 1.0) -> None:
    """Show the colours of q beside some panels, over this share of their height."""
    colours = ScalarMappable(Normalize(0, 1), Q_MAP)
    bar = figure.colorbar(colours, ax=list(panels), aspect=22, shrink=shrink)
    bar.set_label("probability of withdrawal, q")
    bar.outline.set_visible(False)


def draw_cases(cases: pd.DataFrame, thresholds: tuple[float, float]) -> Figure:
    """Draw how far the probability of withdrawal of each deterioration hangs on the priors.

    Parameters
    ----------
    cases
        One row per deterioration: person, episode, q, lowest, highest, lowest_one, highest_one;
        those without q are left out.
    thresholds
        Below the first the decision is relapse, above the second withdrawal.
    """
    shown = cases.loc[cases["q"].notna()]
    if shown.empty:
        return say_nothing_to_draw("No deterioration could be assessed.")
    place = np.arange(len(shown))
    figure = new_figure(7.0, 1.3 + 0.3 * len(shown))
    axes = figure.subplots()
    axes.hlines(place, shown["lowest"], shown["highest"], color=FAINT, linewidth=1)
    axes.hlines(place, shown["lowest_one"], shown["highest_one"], color=FAINT, linewidth=4)
    q = shown["q"].astype(float).to_numpy()
    axes.scatter(q, place, c=Q_MAP(q), s=42, edgecolor=INK, linewidth=0.7, zorder=3)
    for threshold in thresholds:
        axes.axvline(threshold, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    names = [f"{row.person}, episode {row.episode}" for row in shown.itertuples()]
    axes.set_yticks(place, names)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("probability of withdrawal, q")
    return figure


def _stack(days: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Put marks that would hide one another on top of each other."""
    cell = np.round(days / width).astype(int)
    order = np.lexsort((days, cell))
    height = pd.Series(cell[order]).groupby(cell[order]).cumcount().to_numpy()
    y = np.empty(len(days))
    y[order] = height
    return cell * width, y


def draw_item_profiles(profiles: pd.DataFrame, title: str = "") -> Figure:
    """Draw how often each symptom is new or worse, by cause.

    Parameters
    ----------
    profiles
        One row per item and cause: item, cause (withdrawal, relapse, nocebo, other), estimate, and
        if there are any lower and upper.
    title
        Above the figure.
    """
    if profiles.empty:
        return say_nothing_to_draw("No symptom was asked for: timing only.")
    by_cause = dict(list(profiles.groupby("cause", sort=False)))
    wide = pd.DataFrame(
        {cause: mine.set_index("item")["estimate"] for cause, mine in by_cause.items()}
    )
    causes = [cause for cause in CAUSE_MARKS if cause in wide]
    order = _contrast(wide).sort_values(kind="stable").index
    figure = new_figure(6.5, 1.3 + 0.27 * len(order))
    axes = figure.subplots()
    for number, cause in enumerate(causes):
        mine = profiles.loc[profiles["cause"] == cause].set_index("item").reindex(order)
        y = np.arange(len(order)) + 0.22 * (number - (len(causes) - 1) / 2)
        if {"lower", "upper"} <= set(mine):
            axes.hlines(y, mine["lower"], mine["upper"], color=CAUSE_COLOURS[cause], linewidth=1)
        axes.scatter(mine["estimate"], y, marker=CAUSE_MARKS[cause], s=24,
                     color=CAUSE_COLOURS[cause], label=cause, zorder=3)  # fmt: skip
    axes.set_yticks(range(len(order)), [str(item).replace("_", " ") for item in order], fontsize=8)
    axes.set_xlim(-0.02, 1.02)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("probability that the symptom is new or worse at the onset")
    axes.set_title(title)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=len(causes))
    return figure


def _contrast(wide: pd.DataFrame) -> pd.Series:
    """By how much an item is commoner in withdrawal than in relapse."""
    nothing = pd.Series(0.0, wide.index)
    return wide.get("withdrawal", nothing) - wide.get("relapse", nothing)


def draw_reliability(curve: pd.DataFrame, note: str | None = None) -> Figure:
    """Draw predicted probabilities of withdrawal beside what happened.

    Parameters
    ----------
    curve
        As `classify.validation.reliability_curve` gives it: predicted, observed, lower, upper, n.
    note
        A sentence inside, such as slope and calibration error.
    """
    if curve.empty:
        return say_nothing_to_draw("No deterioration has a known cause.")
    figure = new_figure(4.4, 4.4)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    axes.vlines(curve["predicted"], curve["lower"], curve["upper"], color=INK, linewidth=0.9)
    size = 14 + 60 * curve["n"] / curve["n"].max()
    axes.scatter(curve["predicted"], curve["observed"], s=size, c=Q_MAP(curve["predicted"]),
                 edgecolor=INK, linewidth=0.6, zorder=3)  # fmt: skip
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    axes.grid()
    axes.set_axisbelow(True)
    axes.set_xlabel("predicted probability of withdrawal")
    axes.set_ylabel("share that was withdrawal")
    if note:
        axes.text(0.03, 0.97, note, transform=axes.transAxes, va="top", fontsize=8)
    return figure


def draw_decision_curve(curve: pd.DataFrame) -> Figure:
    """Draw the net benefit of the classifier beside calling every event the same.

    Parameters
    ----------
    curve
        As `classify.validation.decision_curve` gives it: threshold, model, all_withdrawal,
        all_relapse.
    """
    if curve.empty:
        return say_nothing_to_draw("No deterioration has a known cause.")
    figure = new_figure(5.6, 3.6)
    axes = figure.subplots()
    lines = (
        ("model", INK, "-", "by q"),
        ("all_withdrawal", LABEL_COLOURS["withdrawal"], "--", "call every event withdrawal"),
        ("all_relapse", LABEL_COLOURS["relapse"], ":", "call every event relapse"),
    )
    for column, colour, style, label in lines:
        axes.plot(curve["threshold"], curve[column], color=colour, linestyle=style, label=label)
    top = max(float(curve[["model", "all_withdrawal"]].max().max()), 0.01)
    axes.set_ylim(-0.25 * top, 1.1 * top)
    axes.set_xlim(0, 1)
    axes.axhline(0, color=GRID, linewidth=0.8, zorder=0)
    axes.set_xlabel("q from which an event is called withdrawal")
    axes.set_ylabel("net benefit")
    axes.legend()
    return figure
