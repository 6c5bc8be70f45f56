"""What is written around a figure of a dataset: its title, its days, and who is counted."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.describe.day_steps import round_step
from discontinuation.report.palette import GRID, STRATEGY_NAMES

SYNTHETIC = "SYNTHETIC DATA: these people are made up by a program."
CHARACTERS_PER_INCH = 12.5  # of the title's type
SMALL_PER_INCH = 17.5  # of the notices' type
# Not every arm of a dataset stopped the drug, as arms of published stopping trials did.
HANDLING = {**STRATEGY_NAMES, "unspecified": "handling of the drug not stated"}
MOST_TICKS = 9


@dataclass(frozen=True)
class Setting:
    """What all figures of a dataset have in common.

    Attributes
    ----------
    title
        Title of the dataset.
    synthetic
        Whether its people are made up, which every figure then says.
    origin
        What day 0 is.
    notices
        Sentences that stand on every output.
    """

    title: str
    synthetic: bool = False
    origin: str = "the origin of time"
    notices: tuple[str, ...] = ()


def heading(setting: Setting, width: float) -> str:
    """Write the title over a figure, in lines that fit.

    Parameters
    ----------
    setting
        Of the dataset.
    width
        Of the figure, inches.
    """
    lines = [SYNTHETIC] if setting.synthetic else []
    lines += textwrap.wrap(setting.title, int(width * CHARACTERS_PER_INCH))
    return "\n".join(lines)


def notice_lines(setting: Setting, width: float) -> list[str]:
    """Write the notices of a dataset in lines that fit a figure."""
    characters = int(width * SMALL_PER_INCH)
    return [line for notice in setting.notices for line in textwrap.wrap(notice, characters)]


def put_heading(figure: Figure, setting: Setting) -> None:
    """Put the title over a figure, and the notices under the title."""
    width = figure.get_figwidth()
    notices = notice_lines(setting, width)
    # Empty lines of the title keep the room in which the notices are written smaller.
    text = heading(setting, width) + "\n" * len(notices)
    title = figure.suptitle(text, x=0.01, ha="left", fontsize=10, weight="bold")
    if notices:
        figure.set_figheight(figure.get_figheight() + 0.17 * len(notices))
        written = figure.axes[0].annotate(
            "\n".join(notices), (0, 0), xycoords=title, va="bottom", fontsize=7.5,
            annotation_clip=False,
        )  # fmt: skip
        written.set_in_layout(False)


def people_words(shown: str) -> str:
    """Write a count of people with its noun."""
    return f"{shown} {'person' if shown == '1' else 'people'}"


def wrapped(text: str, width: int) -> str:
    """Break a label into lines; a word that is too long is broken too."""
    return "\n".join(textwrap.wrap(text, width)) or text


def show_days(axes: Axes, setting: Setting, first: float, last: float) -> None:
    """Set up an axis of days with round ticks and a line at day 0."""
    last = max(last, first + 1)
    step = round_step(last - first, MOST_TICKS)
    ticks = np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axes.set_xlim(first, last)
    axes.set_xlabel(f"days since {setting.origin}")
    if first < 0 < last:
        axes.axvline(0, color=GRID, linewidth=1.2, zorder=0)
