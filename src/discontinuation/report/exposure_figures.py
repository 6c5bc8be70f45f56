"""Dose, occupancy and withdrawal drive over time: of arms, single cases and schedules."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence, Set

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from discontinuation.exposure.arm_pace import COURSES
from discontinuation.exposure.parameters import Parameters
from discontinuation.exposure.published_pace import PublishedPace
from discontinuation.exposure.schedules import Schedule
from discontinuation.exposure.trajectories import exposure_of
from discontinuation.report.around import HANDLING, Setting, put_heading, show_days, wrapped
from discontinuation.report.drawing import new_figure, say_nothing_to_draw
from discontinuation.report.palette import BAND_COLOURS, FAINT, INK, STRATEGY_COLOURS

WIDTH = 9.4
PANEL = 1.75  # height of a row of panels, inches
MOST_CASES = 8
TITLES = {
    "dose": "Dose, mg per day",
    "occupancy": "Occupancy, % of receptors",
    "drive": "Withdrawal drive w",
}
PERCENT = {"dose": 1.0, "occupancy": 100.0, "drive": 1.0}
TAU_NOTE = "adaptation time {tau:g} days: median of its prior (P)"
SPREAD_NOTE = "Line: median. Dark band: 25 to 75 %. Light band: 10 to 90 % of the people."
BAND_NOTE = (
    "Median person of each arm, with 95 % of the draws of half-life and K: what is not known about "
    "the drug, not how people differ."
)
POINTS = 2000
FEW = 0.2  # of the people known at best; where fewer are, nothing is drawn
CASE_COLOUR = BAND_COLOURS[4]
ASSUMED = (
    ("one step", "o", BAND_COLOURS[0]),
    ("two steps, half and then nothing", "s", BAND_COLOURS[1]),
    ("equal weekly steps in milligrams", "^", BAND_COLOURS[4]),
    ("equal weekly falls of occupancy", "D", BAND_COLOURS[3]),
)


def draw_arms(
    courses: pd.DataFrame, arms: pd.DataFrame, setting: Setting, drug: Parameters, tau_days: float
) -> Figure:
    """Draw median and spread of dose, occupancy and drive in each arm.

    Parameters
    ----------
    courses
        From `course_of_arms`.
    arms
        arm, label, strategy, in the order in which to draw them.
    setting
        Of the dataset.
    drug
        The numbers that were used.
    tau_days
        Adaptation time behind the drive.

    Returns
    -------
    Figure
        One row per arm and one column per quantity: line for the median, bands for the middle half
        and the middle four fifths, as long as a fifth of the people are known.
    """
    shown = arms.loc[arms["arm"].isin(courses["arm"])]
    if shown.empty:
        return say_nothing_to_draw("No arm has doses from which exposure could be computed.")
    most = courses.groupby(["arm", "quantity"])["people"].transform("max")
    courses = courses.loc[courses["people"] >= FEW * most]
    figure, panels = _grid(len(shown))
    limits = float(courses["day"].min()), float(courses["day"].max())
    for row, arm in zip(panels, shown.to_dict("records"), strict=True):
        colour = STRATEGY_COLOURS[arm["strategy"]]
        for axes, quantity in zip(row, COURSES, strict=True):
            mine = courses.loc[(courses["arm"] == arm["arm"]) & (courses["quantity"] == quantity)]
            _draw_spread(axes, mine, PERCENT[quantity], colour)
            _show_days(axes, setting, *limits)
        _name_row(row[0], f"{arm['label']}\n{HANDLING[arm['strategy']]}")
    _finish(panels, drug, set(courses["quantity"]))
    _note(figure, drug, tau_days, SPREAD_NOTE)
    put_heading(figure, setting)
    return figure


def draw_cases(
    trajectories: pd.DataFrame, setting: Setting, drug: Parameters, tau_days: float
) -> Figure:
    """Draw dose, occupancy and drive of single people who may be shown one by one.

    Parameters
    ----------
    trajectories
        From `Exposure.trajectories`.
    setting, drug, tau_days
        As in `draw_arms`.
    """
    people = pd.unique(trajectories["person"])
    # Without an occupancy there is no drive, not one of 0.
    drive = trajectories["drive"].where(trajectories["occupancy"].notna())
    trajectories = trajectories.assign(drive=drive)
    if not 0 < len(people) <= MOST_CASES:
        return say_nothing_to_draw(
            f"Single cases are drawn where one to {MOST_CASES} people have a record of doses; "
            f"here {len(people)} have one."
        )
    figure, panels = _grid(len(people))
    for row, person in zip(panels, people, strict=True):
        mine = trajectories.loc[trajectories["person"] == person]
        for axes, quantity in zip(row, COURSES, strict=True):
            values = mine[quantity].to_numpy(dtype=float) * PERCENT[quantity]
            style = "steps-pre" if quantity == "dose" else "default"
            axes.plot(mine["day"], values, color=INK, linewidth=1.4, drawstyle=style)
            _show_days(axes, setting, float(mine["day"].min()), float(mine["day"].max()))
        _name_row(row[0], str(person))
    _finish(panels, drug, {name for name in COURSES if trajectories[name].notna().any()})
    _note(figure, drug, tau_days)
    put_heading(figure, setting)
    return figure


def draw_bands(
    courses: pd.DataFrame, arms: pd.DataFrame, setting: Setting, drug: Parameters, tau_days: float
) -> Figure:
    """Draw how far the median occupancy and drive of each arm hang on the drug's numbers.

    Parameters
    ----------
    courses
        Table uncertainty_courses of `expose_dataset`, of one drug.
    arms, setting, drug, tau_days
        As in `draw_arms`.

    Returns
    -------
    Figure
        One row per arm; bands of 95 % of the draws, shaded for the usual half-life and hatched for
        that of slow metabolisers, with their medians.
    """
    shown = arms.loc[arms["arm"].isin(courses["arm"])]
    if shown.empty:
        return say_nothing_to_draw("No arm has an occupancy that could be drawn.")
    figure = new_figure(WIDTH, PANEL * len(shown) + 1.5)
    panels = figure.subplots(len(shown), 2, squeeze=False, sharex=True, sharey="col").tolist()
    limits = float(courses["day"].min()), float(courses["day"].max())
    for row, arm in zip(panels, shown.to_dict("records"), strict=True):
        for axes, quantity in zip(row, COURSES[1:], strict=True):
            mine = courses.loc[(courses["arm"] == arm["arm"]) & (courses["quantity"] == quantity)]
            _draw_variants(axes, mine, PERCENT[quantity])
            _show_days(axes, setting, *limits)
        _name_row(row[0], f"{arm['label']}\n{HANDLING[arm['strategy']]}")
    for column, quantity in enumerate(COURSES[1:]):
        panels[0][column].set_title(TITLES[quantity], fontsize=9)
    for place, axes in enumerate(np.ravel(np.array(panels, dtype=object))):
        axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])
        axes.grid(axis="y")
        if place < 2 * (len(shown) - 1):
            axes.set_xlabel("")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=2, fontsize=7.5)
    _note(figure, drug, tau_days, BAND_NOTE)
    put_heading(figure, setting)
    return figure


def _draw_variants(axes: Axes, rows: pd.DataFrame, factor: float) -> None:
    looks = (("usual", "-", BAND_COLOURS[4]), ("slow metaboliser", "--", BAND_COLOURS[0]))
    for variant, style, colour in looks:
        mine = rows.loc[rows["variant"] == variant].sort_values("day")
        days = mine["day"].to_numpy(dtype=float)
        low, high = factor * mine["q2.5"], factor * mine["q97.5"]
        axes.fill_between(days, low, high, color=colour, alpha=0.3, linewidth=0)
        axes.plot(days, factor * mine["q50"], style, color=colour, linewidth=1.2, label=variant)


def draw_schedule(schedule: Schedule, title: str, tau_days: float = 14.0) -> Figure:
    """Draw a schedule: dose on top, occupancy and drive below.

    Parameters
    ----------
    schedule
        For designing and describing trials; its statement stands under the figure.
    title
        Over the figure.
    tau_days
        Adaptation time behind the drive.

    Returns
    -------
    Figure
        The dose as wanted is dashed where it was rounded. Occupancy is drawn as it follows the
        doses, with that of the steady dose dashed. What cannot be computed says why.
    """
    figure = new_figure(7.2, 6.4)
    panels = figure.subplots(3, 1, sharex=True)
    doses = schedule.doses()
    days = np.append(doses["start"], doses["stop"].iloc[-1])
    _steps(panels[0], days, doses["dose"].to_numpy(dtype=float), INK, "-", "dose")
    if schedule.changes["made_of"].notna().any():
        wanted = np.append(schedule.start_dose, schedule.changes["wanted"])
        _steps(panels[0], days, wanted, CASE_COLOUR, "--", "before rounding")
    _draw_response(panels[1:], schedule, days, tau_days)
    for axes, quantity in zip(panels, COURSES, strict=True):
        axes.set_ylabel(TITLES[quantity].replace(", ", ",\n", 1), fontsize=8.5)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.grid(axis="y")
        if axes.get_legend_handles_labels()[0][1:]:
            axes.legend(fontsize=7.5, loc="upper right")
    panels[2].set_xlim(days[0], days[-1])
    panels[2].set_xlabel("days since the first step")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")
    _note(figure, schedule.drug, tau_days, schedule.statement)
    return figure


def draw_published(published: PublishedPace, quantity: str, label: str) -> Figure:
    """Draw the range of a quantity that published arms can have had.

    Parameters
    ----------
    published
        From `plausible_pace`.
    quantity
        One of `QUANTITIES`.
    label
        Of the axis.

    Returns
    -------
    Figure
        One row per arm: a mark for each assumed schedule, a line for the range, an arrow where the
        printed length is a minimum.
    """
    schedules = published.schedules
    known = schedules.dropna(subset=[quantity]) if len(schedules) else schedules
    if known.empty:
        return say_nothing_to_draw(f"No published arm has a plausible range of: {label}.")
    arms = known[["study", "arm"]].drop_duplicates().reset_index(drop=True)
    figure = new_figure(8.2, 1.4 + 0.24 * len(arms))
    axes = figure.subplots()
    for place, arm in enumerate(arms.to_dict("records")):
        rows = known.loc[(known["study"] == arm["study"]) & (known["arm"] == arm["arm"])]
        low, high = rows[quantity].min(), rows[quantity].max()
        axes.plot([low, high], [place, place], color=FAINT, linewidth=1.2, zorder=1)
        if rows["minimum"].any():
            axes.annotate("", (high, place), (12, 0), textcoords="offset points",
                          arrowprops={"arrowstyle": "<-", "color": FAINT})  # fmt: skip
        for words, mark, colour in ASSUMED:
            chosen = rows.loc[rows["assumed"] == words, quantity]
            axes.plot(chosen, [place] * len(chosen), mark, color=colour, markersize=4.5)
    names = [wrapped(f"{study}: {arm}", 60) for study, arm in arms.itertuples(index=False)]
    axes.set_yticks(range(len(arms)), names, fontsize=7.5)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.set_xlabel(label)
    axes.grid(axis="x")
    used = [case for case in ASSUMED if (known["assumed"] == case[0]).any()]
    _legend_of_marks(figure, used)
    return figure


def _grid(rows: int) -> tuple[Figure, list[list[Axes]]]:
    figure = new_figure(WIDTH, PANEL * rows + 1.3)
    panels = figure.subplots(rows, len(COURSES), squeeze=False, sharex=True, sharey="col")
    return figure, panels.tolist()


def _draw_spread(axes: Axes, rows: pd.DataFrame, factor: float, colour: str) -> None:
    days = rows["day"].to_numpy(dtype=float)
    for low, high, alpha in (("p10", "p90", 0.18), ("p25", "p75", 0.32)):
        axes.fill_between(days, factor * rows[low], factor * rows[high], color=colour, alpha=alpha,
                          linewidth=0)  # fmt: skip
    axes.plot(days, factor * rows["median"], color=colour, linewidth=1.6)


def _show_days(axes: Axes, setting: Setting, first: float, last: float) -> None:
    """Show days on an axis that has room for half as many ticks as others."""
    show_days(axes, setting, first, last)
    ticks = axes.get_xticks()
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    kept = [tick for tick in ticks if round(tick / step) % 2 == 0]
    axes.set_xticks(kept, [f"{tick:g}".replace("-", "−") for tick in kept])
    axes.set_xlabel(textwrap.fill(axes.get_xlabel(), 30))


def _name_row(axes: Axes, text: str) -> None:
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, 24)]
    axes.set_ylabel("\n".join(lines), fontsize=8)


def _finish(panels: Sequence[Sequence[Axes]], drug: Parameters, known: Set[str]) -> None:
    """Name the columns, and say in those that are empty why they are."""
    for column, quantity in enumerate(COURSES):
        panels[0][column].set_title(TITLES[quantity], fontsize=9)
        for row in panels:
            if quantity not in known:
                _say(row[column], drug.no_occupancy or drug.no_half_life)
    for row in panels:
        for axes in row:
            axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])
            axes.grid(axis="y")
    for row in panels[:-1]:
        for axes in row:
            axes.set_xlabel("")


def _say(axes: Axes, reason: str | None) -> None:
    text = textwrap.fill(f"not computed: {reason}", 32)
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=7.5, transform=axes.transAxes)
    axes.set_yticks([])


def _steps(
    axes: Axes, days: np.ndarray, dose: np.ndarray, colour: str, style: str, label: str
) -> None:
    axes.step(days, np.append(dose, dose[-1]), style, where="post", color=colour, linewidth=1.5,
              label=label)  # fmt: skip


def _draw_response(
    panels: Sequence[Axes], schedule: Schedule, days: np.ndarray, tau_days: float
) -> None:
    """Draw occupancy and drive, or say why there are none."""
    drug = schedule.drug
    reason = drug.no_occupancy or drug.no_half_life
    if drug.no_occupancy is None:
        mean = schedule.changes_of_mean
        steady = drug.occupancy(np.append(schedule.start_dose, mean["dose"]))
        at = np.concatenate([days[:1], mean["day"], days[-1:]])
        _steps(panels[0], at, 100 * steady, FAINT, "--", "of the mean dose, at steady state")
    if reason is not None or drug.half_life_days is None:
        _say(panels[1], reason)
        if drug.no_occupancy is not None:
            _say(panels[0], reason)
        return
    found = exposure_of(
        schedule.doses(),
        half_life_days=drug.half_life_days,
        k=drug.k,
        emax=drug.emax,
        hill=drug.hill,
        tau_days=tau_days,
        reference_day=float(days[0]),
    ).at(np.linspace(days[0], days[-1], POINTS))
    panels[0].plot(found.times[0], 100 * found.occupancy[0], color=CASE_COLOUR, linewidth=1.5,
                   label="following the doses")  # fmt: skip
    panels[1].plot(found.times[0], found.drive[0], color=BAND_COLOURS[0], linewidth=1.5)


def _note(figure: Figure, drug: Parameters, tau_days: float, statement: str = "") -> None:
    """Write under a figure what it rests on."""
    half_life = drug.half_life_days
    parts = [drug.name or "drug not in the reference tables"]
    if half_life is not None:
        parts.append(f"half-life {half_life:.3g} days ({drug.tag('half-life')})")
    if drug.curve is not None:
        parts.append(f"curve {drug.curve} ({drug.tag('occupancy curve')})")
    if half_life is not None and drug.curve is not None:
        parts.append(TAU_NOTE.format(tau=tau_days))
    width = int(figure.get_figwidth() * 17)
    lines = textwrap.wrap(statement, width) + textwrap.wrap("; ".join(parts), width)
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7.5, color=INK)


def _legend_of_marks(figure: Figure, used: Sequence[tuple[str, str, str]]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker=mark, color=colour, linestyle="none", label=f"assumed: {words}")
        for words, mark, colour in used
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2, fontsize=7.5)
