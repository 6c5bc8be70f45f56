"""People one by one: how long each was observed, on how much of the drug, and what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path

from discontinuation.describe.exposure_phases import doses_of_people
from discontinuation.describe.given import Tables, arms_in_order, complete
from discontinuation.describe.summary import MOST_PEOPLE
from discontinuation.report.around import Setting, put_heading, show_days, wrapped
from discontinuation.report.classification_figures import Q_MAP, show_q
from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.flow_chart import PARTS
from discontinuation.report.palette import BAND_COLOURS, FAINT, INK, SHADES
from discontinuation.seeds import random_stream

WIDTH = 8.2
LANE = 0.155  # inches per person
HALF = 0.36  # half the width of a bar, lanes
MARKS = ("o", "s", "D", "v", "P", "X")
# Where colours mean probabilities, doses are grey.
GREYS = ("#F2F2F2", "#DEDEDE", "#C4C4C4", "#A3A3A3", "#7A7A7A")
LEVELS = ("dose 0", "to 20 % of the highest", "to 40 %", "to 60 %", "to 80 %", "to 100 %")
AGAIN = "(reinstated)"  # no identifier looks like this
END_MARKS = {
    "completed": "|",
    "administrative": "|",
    "lost": "x",
    "withdrew": "+",
    "died": "*",
    "reinstated": "2",
    "rescued": "1",
    "adverse_event": "3",
    "event": "4",
    "unknown": ".",
}


def draw_swimmer(
    tables: Tables,
    setting: Setting,
    seed: int,
    names: Mapping[str, str],
    probability: pd.DataFrame | None = None,
) -> Figure:
    """Draw one line per person, longest observed first within each arm.

    Parameters
    ----------
    tables
        Canonical tables of people who may be shown one by one.
    setting
        Of the dataset.
    seed
        Chooses the people where there are many: as many of each arm, at random, and the figure
        says so.
    names
        Definitions in words.
    probability
        person, episode, definition and q of deteriorations: only these are drawn then, coloured
        by their probability of withdrawal; without a q they are open.

    Returns
    -------
    Figure
        The shade is the dose relative to the person's highest; a thin line is time with an
        unknown dose. Marks are deteriorations where they were detected, joined to their onset
        where that is known: filled if the data record them, open if they were derived.
    """
    given = complete(tables)
    lanes = _lanes(given, seed)
    if lanes.empty:
        return say_nothing_to_draw("Nobody has a record of follow-up.")
    figure = new_figure(WIDTH, LANE * len(lanes) + 2.6)
    axes = figure.subplots()
    lane = {person: place for place, person in enumerate(lanes["person"])}
    axes.hlines(lanes.index, lanes["start"], lanes["end"], color=FAINT, linewidth=0.7, zorder=0.5)
    colours = SHADES if probability is None else GREYS
    shades = _draw_doses(axes, given, lanes, lane, colours)
    reasons = _draw_ends(axes, lanes)
    if probability is None:
        events = _draw_events(axes, given, lane)
    else:
        events = _draw_probabilities(axes, given, lane, probability)
        show_q(figure, axes, shrink=min(1.0, 2.5 / (LANE * len(lanes))))
    _name_lanes(axes, lanes, given)
    first, last = float(lanes["start"].min()), float(lanes["end"].max())
    show_days(axes, setting, first, last + 0.02 * (last - first))
    axes.set_ylim(len(lanes) - 0.3, -0.7)
    axes.tick_params(axis="y", length=0)
    _draw_legend(figure, shades, reasons, events, names)
    put_heading(figure, setting)
    total = int(given["people"]["person"].isin(given["follow_up"]["person"]).sum())
    axes.set_title(_who(len(lanes), total, seed), fontsize=8, weight="normal")
    return figure


def _who(shown: int, total: int, seed: int) -> str:
    """Say who is shown, of those with a record of follow-up."""
    if shown == total:
        return f"All {total} people with follow-up" if total > 1 else "The only person"
    return (
        f"{shown} of {total:,} people with follow-up: as many of each arm, drawn at random "
        f"(seed {seed})"
    )


def _lanes(given: Tables, seed: int) -> pd.DataFrame:
    """Choose and order the people: person, arm, start, end, end_reason."""
    people = given["people"][["person", "arm"]].sort_values("person")
    people = people.merge(given["follow_up"], on="person")
    arms = [arm for arm in arms_in_order(given)["arm"] if arm in set(people["arm"])]
    if len(people) > MOST_PEOPLE:
        each = max(1, MOST_PEOPLE // len(arms))
        people = pd.concat(_drawn(people.loc[people["arm"] == arm], each, seed) for arm in arms)
    order = {arm: place for place, arm in enumerate(arms)}
    length = people["end"] - people["start"]
    people = people.assign(place=people["arm"].map(order), length=-length)
    ordered = people.sort_values(["place", "length", "person"]).reset_index(drop=True)
    return ordered[["person", "arm", "start", "end", "end_reason"]]


def _drawn(people: pd.DataFrame, number: int, seed: int) -> pd.DataFrame:
    if len(people) <= number:
        return people
    stream = random_stream(seed, "swimmer", str(people["arm"].iat[0]))
    return people.iloc[np.sort(stream.choice(len(people), number, replace=False))]


def _draw_doses(
    axes: Axes,
    given: Tables,
    lanes: pd.DataFrame,
    lane: Mapping[str, int],
    shades: Sequence[str],
) -> dict[str, str]:
    """Draw the intervals of dose in shades, each as one shape; return the names of those used."""
    from matplotlib.patches import PathPatch

    bars = _bars(doses_of_people(given), lanes)
    used = {}
    for level, colour in enumerate(("#FFFFFF", *shades)):
        mine = bars.loc[bars["shade"] == level]
        if len(mine):
            used[colour] = LEVELS[level]
            edge = FAINT if level == 0 else colour
            shape = _rectangles(mine, np.array([float(lane[person]) for person in mine["person"]]))
            axes.add_patch(PathPatch(shape, facecolor=colour, edgecolor=edge, linewidth=0.3))
    return used


def _bars(doses: pd.DataFrame, lanes: pd.DataFrame) -> pd.DataFrame:
    """Join intervals of the same shade, within follow-up: person, shade, start, stop."""
    spans = lanes.set_index("person")
    doses = doses.loc[doses["person"].isin(spans.index)].sort_values(["person", "start"])
    highest = doses.groupby("person")["dose"].transform("max")
    share = (doses["dose"] / highest.where(highest > 0)).fillna(0)
    bars = pd.DataFrame(
        {
            "person": doses["person"],
            "shade": np.ceil(share * len(SHADES) - 1e-9).astype(int),
            "start": np.maximum(doses["start"], doses["person"].map(spans["start"])),
            "stop": np.minimum(doses["stop"], doses["person"].map(spans["end"])),
        }
    )
    bars = bars.loc[bars["stop"] > bars["start"]]
    before = bars.shift()
    same = (bars["person"] == before["person"]) & (bars["shade"] == before["shade"])
    joined = (~(same & (bars["start"] == before["stop"]))).cumsum()
    how = {"person": "first", "shade": "first", "start": "min", "stop": "max"}
    return bars.groupby(joined).agg(how)


def _rectangles(bars: pd.DataFrame, rows: npt.NDArray[np.float64]) -> Path:
    begin, end = bars["start"].to_numpy(), bars["stop"].to_numpy()
    corners = [(begin, -HALF), (end, -HALF), (end, HALF), (begin, HALF), (begin, -HALF)]
    points = np.stack([np.stack([x, rows + y], axis=1) for x, y in corners], axis=1)
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    return Path(points.reshape(-1, 2), np.tile(codes, len(begin)))


def _draw_ends(axes: Axes, lanes: pd.DataFrame) -> list[str]:
    reasons = [reason for reason in END_MARKS if reason in set(lanes["end_reason"])]
    for reason in reasons:
        rows = lanes.loc[lanes["end_reason"] == reason]
        axes.plot(rows["end"], rows.index, END_MARKS[reason], color=INK, markersize=5.5,
                  markeredgewidth=1.1, clip_on=False)  # fmt: skip
    return reasons


def _draw_events(axes: Axes, given: Tables, lane: Mapping[str, int]) -> list[tuple[str, str]]:
    """Draw deteriorations and reinstatements; return the definitions and sources drawn."""
    events = given["deteriorations"]
    events = events.loc[events["person"].isin(lane)].assign(
        lane=lambda rows: rows["person"].map(lane)
    )
    found = []
    for place, definition in enumerate(_definitions(events)):
        colour, mark = BAND_COLOURS[place], MARKS[place]
        mine = events.loc[events["definition"] == definition]
        axes.hlines(mine["lane"], mine["onset"], mine["detected"], color=colour, linewidth=1.4)
        for source, face in (("reported", colour), ("derived", "white")):
            rows = mine.loc[mine["source"] == source]
            if len(rows):
                found.append((definition, source))
                axes.plot(rows["detected"], rows["lane"], mark, markerfacecolor=face,
                          markeredgecolor=colour, markersize=4.6, clip_on=False)  # fmt: skip
    return found + _draw_reinstatements(axes, events)


def _draw_probabilities(
    axes: Axes, given: Tables, lane: Mapping[str, int], probability: pd.DataFrame
) -> list[tuple[str, str]]:
    """Draw classified deteriorations in the colour of q, and reinstatements."""
    keys = ["person", "episode", "definition"]
    events = given["deteriorations"].merge(probability[[*keys, "q"]], on=keys)
    events = events.loc[events["person"].isin(lane)].assign(
        lane=lambda rows: rows["person"].map(lane)
    )
    q = events["q"].astype(float).to_numpy()
    known = ~np.isnan(q)
    rows, at = events["lane"].to_numpy(), events["detected"].to_numpy(dtype=float)
    axes.hlines(rows, events["onset"], at, color=INK, linewidth=0.9)
    axes.scatter(at[known], rows[known], c=Q_MAP(q[known]), s=26, edgecolor=INK, linewidth=0.6,
                 zorder=3, clip_on=False)  # fmt: skip
    axes.scatter(at[~known], rows[~known], facecolor="white", s=26, edgecolor=INK, linewidth=0.6,
                 zorder=3, clip_on=False)  # fmt: skip
    return _draw_reinstatements(axes, events)


def _draw_reinstatements(axes: Axes, events: pd.DataFrame) -> list[tuple[str, str]]:
    again = events.dropna(subset="reinstated")
    axes.plot(again["reinstated"], again["lane"], "^", color=INK, markersize=5, linestyle="none")
    return [(AGAIN, "")] if len(again) else []


def _definitions(events: pd.DataFrame) -> list[str]:
    """List the definitions that most people met, as many as there are marks for."""
    return list(events["definition"].value_counts().sort_index(kind="stable").sort_values(
        ascending=False, kind="stable").index[: len(MARKS)])  # fmt: skip


def _name_lanes(axes: Axes, lanes: pd.DataFrame, given: Tables) -> None:
    """Name the people, and the arms beside them."""
    axes.set_yticks(lanes.index, lanes["person"], fontsize=6)
    labels = arms_in_order(given).set_index("arm")["label"]
    for arm, rows in lanes.groupby("arm", sort=False):
        first, last = rows.index.min(), rows.index.max()
        if first:
            axes.axhline(first - 0.5, color=FAINT, linewidth=0.6)
        axes.text(1.01, (first + last) / 2, wrapped(labels[arm], 22), va="center", fontsize=7,
                  transform=axes.get_yaxis_transform())  # fmt: skip


def _draw_legend(
    figure: Figure,
    shades: Mapping[str, str],
    reasons: Sequence[str],
    events: Sequence[tuple[str, str]],
    names: Mapping[str, str],
) -> None:
    from matplotlib.patches import Patch

    marks: list[Patch | Line2D] = [
        Patch(facecolor=shade, edgecolor=FAINT, linewidth=0.4, label=label)
        for shade, label in shades.items()
    ]
    marks.append(Line2D([], [], color=FAINT, linewidth=0.7, label="dose not known"))
    marks += _event_marks(events, names)
    for reason in reasons:
        label = f"end: {PARTS[reason].lower()}"
        marks.append(
            Line2D([], [], linestyle="none", marker=END_MARKS[reason], color=INK, label=label)
        )
    figure.legend(handles=marks, loc="outside lower center", ncols=3, fontsize=7.5)


def _event_marks(events: Sequence[tuple[str, str]], names: Mapping[str, str]) -> list[Line2D]:
    order = list(dict.fromkeys(definition for definition, _ in events))
    found = []
    for definition, source in events:
        look: dict[str, Any] = {"marker": "^", "color": INK, "label": "drug reinstated"}
        if definition != AGAIN:
            colour = BAND_COLOURS[order.index(definition)]
            label = wrapped(f"{names.get(definition, definition)} ({source})", 44)
            face = colour if source == "reported" else "white"
            look = {"marker": MARKS[order.index(definition)], "color": colour, "label": label}
            look |= {"markerfacecolor": face}
        found.append(Line2D([], [], linestyle="none", markersize=5, **look))
    return found
