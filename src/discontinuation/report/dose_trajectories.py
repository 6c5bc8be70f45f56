"""The doses of each arm over time, and of single people, planned against taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.describe.exposure_phases import doses_of_people
from discontinuation.describe.given import Tables, complete
from discontinuation.report.around import HANDLING, Setting, put_heading, show_days, wrapped
from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import (
    BAND_COLOURS,
    FAINT,
    INK,
    STRATEGY_COLOURS,
)

WIDTH = 8.2
PANEL = 1.95  # height of an arm's panel, inches
MOST_CASES = 8
FEW = 0.1  # of the people known at best; the axis of days ends where fewer are


def draw_dose_trajectories(quantiles: pd.DataFrame, arms: pd.DataFrame, setting: Setting) -> Figure:
    """Draw median and spread of the doses taken in each arm, and the median of what was planned.

    Parameters
    ----------
    quantiles
        Summary ``dose_quantiles``.
    arms
        From `arms_in_order`.
    setting
        Of the dataset.

    Returns
    -------
    Figure
        One panel per arm: line for the median, bands for the middle half and the middle four
        fifths, a dashed line for the plan; below it how many people have a known dose.
    """
    shown = arms.loc[arms["arm"].isin(quantiles["arm"])]
    if shown.empty:
        return say_nothing_to_draw("Nothing is known about the doses of any arm.")
    figure = new_figure(WIDTH, PANEL * len(shown) + 1.1)
    panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    limits = _limits(quantiles)
    for axes, arm in zip(panels, shown.to_dict("records"), strict=True):
        rows = quantiles.loc[quantiles["arm"] == arm["arm"]].sort_values("day")
        _draw_arm(axes, rows, STRATEGY_COLOURS[arm["strategy"]])
        title = f"{arm['label']}: {HANDLING[arm['strategy']]}"
        axes.set_title(wrapped(title, 90), fontsize=9)
        axes.set_ylabel(wrapped(f"{rows['drug'].iat[0]}, {rows['unit'].iat[0]}", 22), fontsize=8)
        show_days(axes, setting, *limits)
        _write_people(axes, rows)
    for axes in panels[:-1]:
        axes.set_xlabel("")
    panels[-1].set_xlabel(panels[-1].get_xlabel(), labelpad=14)
    _draw_legend(figure)
    put_heading(figure, setting)
    return figure


def _limits(quantiles: pd.DataFrame) -> tuple[float, float]:
    """Leave out days on which next to nobody's dose is known in any arm."""
    people = quantiles["people"].astype(float)
    most = people.groupby(quantiles["arm"]).transform("max")
    days = quantiles.loc[people >= FEW * most, "day"]
    days = days if len(days) else quantiles["day"]
    return float(days.min()), float(days.max())


def _draw_arm(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    days = rows["day"].to_numpy(dtype=float)
    values = {name: rows[name].to_numpy(dtype=float) for name in ("p10", "p25", "p75", "p90")}
    if np.isnan(values["p10"]).all():
        axes.set_yticks([])
        axes.text(0.5, 0.5, "too few people to show their doses", ha="center", fontsize=8,
                  transform=axes.transAxes)  # fmt: skip
    for low, high, alpha in (("p10", "p90", 0.18), ("p25", "p75", 0.32)):
        axes.fill_between(days, values[low], values[high], color=colour, alpha=alpha,
                          linewidth=0, step="post")  # fmt: skip
    median = rows["median"].to_numpy(dtype=float)
    axes.plot(days, median, color=colour, linewidth=1.6, drawstyle="steps-post")
    planned = rows["planned"].to_numpy(dtype=float)
    axes.plot(days, planned, "--", color=INK, linewidth=1.0, drawstyle="steps-post")
    highest = float(np.nanmax([*values["p90"], *planned, 0.0]))
    highest = highest or 1.0
    axes.set_ylim(-0.02 * highest, 1.08 * highest)


def _write_people(axes: Axes, rows: pd.DataFrame) -> None:
    """Write under the ticks how many people have a known dose on that day."""
    known = rows.set_index("day")["people_shown"]
    for tick in axes.get_xticks():
        nearest = known.index[np.abs(known.index.to_numpy(dtype=float) - tick).argmin()]
        axes.annotate(
            str(known[nearest]),
            (tick, 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -17),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=7.5,
            color="#666666",
        )
    axes.annotate(
        "people",
        (0, 0),
        xycoords="axes fraction",
        xytext=(-14, -17),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=7.5,
        color="#666666",
    )


def _draw_legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks = [
        Line2D([], [], color=FAINT, linewidth=1.6, label="median taken"),
        Patch(color=FAINT, alpha=0.5, linewidth=0, label="25 to 75 %"),
        Patch(color=FAINT, alpha=0.25, linewidth=0, label="10 to 90 %"),
        Line2D([], [], color=INK, linestyle="--", linewidth=1, label="median planned"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=4, fontsize=8)


def draw_single_cases(tables: Tables, setting: Setting, names: Mapping[str, str]) -> Figure:
    """Draw the doses of every person as steps, planned against taken, with what happened.

    Parameters
    ----------
    tables
        Canonical tables of a few people, who may be shown one by one.
    setting
        Of the dataset.
    names
        Definitions in words.
    """
    given = complete(tables)
    doses = doses_of_people(given).sort_values(["person", "start"])
    people = sorted(doses["person"].unique())
    if not people or len(people) > MOST_CASES:
        return say_nothing_to_draw(
            f"Single cases are drawn where one to {MOST_CASES} people have a record of doses; "
            f"here {len(people)} have one."
        )
    figure = new_figure(WIDTH, PANEL * 1.15 * len(people) + 1.1)
    panels = figure.subplots(len(people), 1, squeeze=False)[:, 0]
    for axes, person in zip(panels, people, strict=True):
        mine = doses.loc[doses["person"] == person]
        _draw_steps(axes, mine, INK, "-")
        _draw_steps(axes, _plan(given, person, mine), BAND_COLOURS[4], "--")
        _draw_happenings(axes, given, person, names)
        axes.set_title(str(person), fontsize=9, pad=16)
        axes.set_ylabel(wrapped(f"{mine['drug'].iat[0]}, {mine['unit'].iat[0]}", 22), fontsize=8)
        axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])
        show_days(axes, setting, *_span(given, mine, person))
    _draw_case_legend(figure, given, people)
    put_heading(figure, setting)
    return figure


def _plan(given: Tables, person: str, doses: pd.DataFrame) -> pd.DataFrame:
    """Find the plan of a person, their own or that of their arm, for the drug they took."""
    plans = given["planned_doses"]
    plans = plans.loc[plans["drug"].isin(doses["drug"]) & plans["unit"].isin(doses["unit"])]
    own = plans.loc[plans["person"] == person]
    shared = plans["person"].isna() & plans["arm"].isin(doses["arm"])
    return own if len(own) else plans.loc[shared]


def _span(given: Tables, doses: pd.DataFrame, person: str) -> tuple[float, float]:
    follow_up = given["follow_up"].loc[given["follow_up"]["person"] == person]
    starts = [float(doses["start"].min()), *follow_up["start"]]
    return min(starts), max([float(doses["stop"].max()), *follow_up["end"]])


def _draw_steps(axes: Axes, doses: pd.DataFrame, colour: str, style: str) -> None:
    """Draw intervals of dose, joined where one begins as the other ends."""
    days: list[float] = []
    values: list[float] = []
    rows = doses.sort_values("start")
    ends = rows["stop"].fillna(rows["start"] + 28)
    for start, stop, dose in zip(rows["start"], ends, rows["dose"], strict=True):
        if days and start > days[-1]:
            days.append(float("nan"))
            values.append(float("nan"))
        days += [start, stop]
        values += [dose, dose]
    axes.plot(days, values, style, color=colour, linewidth=1.5 if style == "-" else 1.0)


def _draw_happenings(axes: Axes, given: Tables, person: str, names: Mapping[str, str]) -> None:
    """Mark days with ratings along the bottom, and each deterioration with its definition."""
    rated = given["assessments"].loc[given["assessments"]["person"] == person, "day"]
    days = np.unique(np.floor(rated.to_numpy(dtype=float)))
    axes.plot(days, np.full(len(days), -0.025), "|", color=FAINT, markersize=4, clip_on=False,
              transform=axes.get_xaxis_transform())  # fmt: skip
    axes.tick_params(axis="x", pad=7)
    events = given["deteriorations"].loc[given["deteriorations"]["person"] == person]
    for place, event in enumerate(events.sort_values("detected").to_dict("records")):
        axes.axvline(event["detected"], color=BAND_COLOURS[0], linewidth=1.2)
        axes.annotate(
            wrapped(names.get(event["definition"], event["definition"]), 60),
            (event["detected"], 1.01),
            xycoords=("data", "axes fraction"),
            xytext=(0, 9 * (place % 2)),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color=BAND_COLOURS[0],
        )
        if pd.notna(event["reinstated"]):
            axes.plot(event["reinstated"], 0, "^", color=INK, markersize=7, clip_on=False)


def _draw_case_legend(figure: Figure, given: Tables, people: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    def mark(symbol: str, colour: str, label: str) -> Line2D:
        return Line2D([], [], marker=symbol, color=colour, linestyle="none", label=label)

    events = given["deteriorations"].loc[given["deteriorations"]["person"].isin(people)]
    marks = [Line2D([], [], color=INK, linewidth=1.5, label="taken")]
    if len(given["planned_doses"]):
        plan = Line2D([], [], color=BAND_COLOURS[4], linestyle="--", linewidth=1, label="planned")
        marks.append(plan)
    if len(events):
        marks.append(Line2D([], [], color=BAND_COLOURS[0], linewidth=1.2, label="definition met"))
    if events["reinstated"].notna().any():
        marks.append(mark("^", INK, "drug reinstated"))
    if len(given["assessments"]):
        marks.append(mark("|", FAINT, "day with a rating"))
    figure.legend(handles=marks, loc="outside lower center", ncols=5, fontsize=8)
