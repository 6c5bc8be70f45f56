"""Does the reconstructed curve lie on the published one, and do the numbers at risk agree?"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import FAINT, GRID, INK
from discontinuation.synthesis.reconstruct import Reconstruction

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKS = ("o", "s", "^", "D", "v", "P")
MOST_POINTS = 150  # drawn per arm; more hide the curve
NARROWEST = 0.045  # of the axis, between two columns of the risk table
VERDICTS = {
    "accept": "accepted",
    "warn": "accepted with a warning",
    "reject": "rejected: not to be analysed",
}


def draw_reconstruction(
    arms: Mapping[str, Reconstruction], time_unit: str = "", title: str = ""
) -> Figure:
    """Draw the clicks over the reconstructed curves, and both risk tables beneath.

    Parameters
    ----------
    arms
        Reconstructions by the name of the arm, in order.
    time_unit
        Of the horizontal axis; left out if it is not known.
    title
        Above the figure.
    """
    if not arms:
        return say_nothing_to_draw("No arm was reconstructed.")
    rows = 2 * len(arms) + 1
    figure = new_figure(7.4, 4.1 + 0.2 * rows)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4.0, 0.22 * rows])
    for k, (name, arm) in enumerate(arms.items()):
        _draw_arm(upper, name, arm, COLOURS[k % len(COLOURS)], MARKS[k % len(MARKS)])
    end = max(_last(arm) for arm in arms.values())
    upper.set_xlim(-0.02 * end, 1.03 * end)
    upper.set_ylim(0, 1.03)
    upper.set_ylabel("share without the event")
    upper.grid(axis="y", linewidth=0.6)
    if title:
        upper.set_title(title)
    upper.legend(loc="best", fontsize=8)
    _draw_tables(lower, arms)
    lower.set_xlabel(f"time ({time_unit})" if time_unit else "time, in the unit of the figure")
    return figure


def _last(arm: Reconstruction) -> float:
    times = (arm.people["time"].max(), arm.clicks["time"].max(), arm.risk_table["time"].max())
    return float(max(times))


def _draw_arm(axes: Axes, name: str, arm: Reconstruction, colour: str, mark: str) -> None:
    curve = arm.curve
    end = float(arm.people["time"].max())
    axes.step(
        [*curve["time"], end],
        [*curve["survival"], curve["survival"].iat[-1]],
        where="post",
        color=colour,
        linewidth=1.3,
        label=f"{name}: reconstructed, {VERDICTS[arm.quality.verdict]}",
    )
    every = -(-len(arm.clicks) // MOST_POINTS)
    shown = arm.clicks.iloc[::every]
    label = "clicked in the published figure"
    label += f" (every {every}th shown)" if every > 3 else " (not all shown)" if every > 1 else ""
    axes.plot(
        shown["time"],
        shown["survival"],
        mark,
        color=colour,
        markerfacecolor="none",
        markersize=4.5,
        markeredgewidth=0.8,
        label=f"{name}: {label}",
    )


def _draw_tables(axes: Axes, arms: Mapping[str, Reconstruction]) -> None:
    """Write the printed numbers at risk above the reconstructed ones; bold where they differ."""
    axes.set_ylim(2 * len(arms) - 0.3, -0.8)
    axes.set_yticks(
        range(2 * len(arms)),
        [f"{name}, {what}" for name in arms for what in ("printed", "reconstructed")],
        fontsize=7.5,
    )
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.text(0, 1.0, "Numbers at risk", transform=axes.transAxes, fontsize=8, fontweight="bold")
    low, high = axes.get_xlim()
    for k, arm in enumerate(arms.values()):
        if k:
            axes.axhline(2 * k - 0.5, color=GRID, linewidth=0.6)
        before = -float("inf")
        for time, printed, found in arm.risk_table.itertuples(index=False):
            differs = printed != found
            if time - before < NARROWEST * (high - low) and not differs:
                continue
            before = time
            weight = "bold" if differs else "normal"
            for row, number in ((2 * k, printed), (2 * k + 1, found)):
                colour = INK if row % 2 == 0 or differs else FAINT
                axes.text(
                    time, row, f"{number}", ha="center", va="center", fontsize=7.5,
                    fontweight=weight, color=colour,
                )  # fmt: skip
