"""How figures are made and saved: the same bytes for the same numbers."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.report.palette import FAINT, GRID, INK

matplotlib.rcParams.update(
    {
        # Text stays text; identifiers inside the file are the same on every run.
        "svg.fonttype": "none",
        "svg.hashsalt": "discontinuation",
        "font.size": 9,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": GRID,
        "legend.frameon": False,
    }
)
PNG_DPI = 200


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, *paths: str | Path) -> None:
    """Save a figure in every format asked for, without a date."""
    for path in map(Path, paths):
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, metadata=metadata, dpi=PNG_DPI, bbox_inches="tight", pad_inches=0.1)


def say_nothing_to_draw(reason: str) -> Figure:
    """Draw a sentence where there is nothing else to draw."""
    figure = new_figure(7, 1.2)
    axes = figure.subplots()
    axes.axis("off")
    axes.text(0.5, 0.5, reason, ha="center", va="center", wrap=True)
    return figure


def ratio_ticks(axes: Axes, ticks: tuple[float, ...]) -> None:
    """Show a logarithmic axis of ratios with plain numbers."""
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
