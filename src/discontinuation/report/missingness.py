"""Which ratings there are and which are missing, over time."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.report.around import Setting, put_heading, wrapped
from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import FAINT, INK, NOTHING, SHADES

WIDTH = 8.2
ROW = 0.24
MOST_INSTRUMENTS = 6
LABEL = 30
# Ratings in a bin, for one person.
RATINGS = (1, 2, 4, 8, 16)
SHARES = ("under 20 %", "20 to 40 %", "40 to 60 %", "60 to 80 %", "80 to 100 %")
EMPTY = "#FFFFFF"
HIDDEN = "#BDBDBD"


def draw_missingness(
    ratings: pd.DataFrame,
    labels: Mapping[str, str],
    instruments: Mapping[str, str],
    setting: Setting,
) -> Figure:
    """Draw a map of the ratings: arms or people down, time across, one panel per instrument.

    Parameters
    ----------
    ratings
        Summary ``ratings``, or ``ratings_by_person``.
    labels
        Names of the arms, or of the people.
    instruments
        Names of the instruments; one without a name is called by its key.
    setting
        Of the dataset.

    Returns
    -------
    Figure
        The shade is the share of the people under observation who were rated; where rows are
        people, planned visits are rated or not, and bins show the number of ratings. Counts of
        rated people stand in the cells of arms.
    """
    if ratings.empty:
        return say_nothing_to_draw("Nobody was rated.")
    by = "arm" if "arm" in ratings else "person"
    names = list(dict.fromkeys(ratings["instrument"]))[:MOST_INSTRUMENTS]
    groups = list(dict.fromkeys(ratings[by]))
    row = ROW if by == "arm" else max(0.1, min(ROW, 6 / len(groups)))
    tall = [0.75 + row * len(groups) for _ in names]
    figure = new_figure(WIDTH, sum(tall) + 0.9)
    panels = figure.subplots(len(names), 1, squeeze=False, height_ratios=tall)[:, 0]
    for axes, name in zip(panels, names, strict=True):
        rows = ratings.loc[ratings["instrument"] == name]
        _draw_panel(axes, rows, by, groups)
        axes.set_yticks(
            range(len(groups)),
            [wrapped(labels.get(group, group), LABEL) for group in groups],
            fontsize=7.5 if row >= 0.15 else 5,
        )
        title = f"{instruments.get(name, name)} ({_times(rows)})"
        axes.set_title(wrapped(title, 86), fontsize=9)
        axes.set_xlabel(f"days since {setting.origin}", fontsize=8)
    _draw_legend(figure, by, ratings)
    put_heading(figure, setting)
    return figure


def _times(rows: pd.DataFrame) -> str:
    """Say what a column is."""
    if rows["visit"].notna().any():
        return "planned visits"
    step = float(rows["stop"].to_numpy()[0] - rows["start"].to_numpy()[0])
    return f"no planned visits known; columns of {step:g} day{'' if step == 1 else 's'}"


def _draw_panel(axes: Axes, rows: pd.DataFrame, by: str, groups: Sequence[str]) -> None:
    bins = rows.drop_duplicates("start").sort_values("start")
    columns = {start: place for place, start in enumerate(bins["start"])}
    places = {group: place for place, group in enumerate(groups)}
    colours = np.full((len(groups), len(bins)), EMPTY, dtype=object)
    for record in rows.to_dict("records"):
        cell = places[record[by]], columns[record["start"]]
        colours[cell] = _colour(record, by)
        if by == "arm":
            _write_count(axes, cell, record)
    _draw_cells(axes, colours)
    planned = bins["visit"].notna().any()
    ticks = bins["visit"] if planned else bins["start"]
    every = max(1, -(-len(bins) // 12))
    shift = 0.0 if planned else -0.5
    axes.set_xticks(
        np.arange(len(bins))[::every] + shift,
        [f"{tick:g}".replace("-", "−") for tick in ticks][::every],
        fontsize=7.5,
    )
    axes.set_xlim(-0.5, len(bins) - 0.5)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.tick_params(length=2)


def _draw_cells(axes: Axes, colours: np.ndarray) -> None:
    """Draw all cells of one colour as one shape, which keeps the file small."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    for colour in sorted(set(colours.ravel()) - {EMPTY}):
        squares = [
            Path(np.array([(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1), (x, y)]) - 0.5)
            for y, x in np.argwhere(colours == colour)
        ]
        shape = Path.make_compound_path(*squares)
        axes.add_patch(PathPatch(shape, facecolor=colour, edgecolor="white", linewidth=0.6))


def _colour(row: Mapping[Hashable, Any], by: str) -> str:
    if by == "person":
        return _person_colour(row)
    if row["expected_shown"] == "0":
        return EMPTY
    band = row["band"]
    if pd.isna(band):
        return HIDDEN
    return NOTHING if band == 0 else SHADES[int(band) - 1]


def _person_colour(row: Mapping[Hashable, Any]) -> str:
    if row["expected"] == 0:
        return EMPTY
    if row["ratings"] == 0:
        return NOTHING
    if pd.notna(row["visit"]):
        return SHADES[-1]
    return SHADES[int(np.searchsorted(RATINGS, int(row["ratings"]), "right")) - 1]


def _write_count(axes: Axes, cell: tuple[int, int], row: Mapping[Hashable, Any]) -> None:
    if row["expected_shown"] == "0":
        return
    dark = pd.notna(row["band"]) and row["band"] >= 4
    axes.text(
        cell[1],
        cell[0],
        str(row["observed_shown"]),
        ha="center",
        va="center",
        fontsize=6.5,
        color="white" if dark else INK,
    )


def _draw_legend(figure: Figure, by: str, ratings: pd.DataFrame) -> None:
    from matplotlib.patches import Patch

    if by == "arm":
        names = ["nobody rated", *SHARES]
    elif ratings["visit"].notna().all():
        names = ["not rated", "rated"]
    else:
        names = ["not rated", "1 rating", "2 to 3", "4 to 7", "8 to 15", "16 or more"]
    shades = [NOTHING, *SHADES] if len(names) > 2 else [NOTHING, SHADES[-1]]
    marks = [Patch(color=shade, label=name) for shade, name in zip(shades, names, strict=True)]
    marks.append(Patch(facecolor=EMPTY, edgecolor=FAINT, label="not under observation"))
    if by == "arm" and (ratings["expected_shown"].ne("0") & ratings["band"].isna()).any():
        marks.append(Patch(color=HIDDEN, label="too few to show"))
    figure.legend(handles=marks, loc="outside lower center", ncols=4, fontsize=8)
