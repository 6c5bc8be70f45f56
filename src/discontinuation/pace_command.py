"""What does `discontinuation pace` do: from a drug and a schedule to a table and a figure."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from discontinuation.exposure.authors import course_of
from discontinuation.exposure.definitions import classify, read_definitions
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.histories import MG_PER_DAY, WITHOUT_STRENGTH
from discontinuation.exposure.pace import pace_of
from discontinuation.exposure.parameters import Parameters, parameters_of
from discontinuation.exposure.schedules import (
    KINDS,
    Schedule,
    alternate_day,
    cut_and_hold,
    exponential,
    free_form,
    hyperbolic,
    hyperbolic_by_points,
    linear,
    micro,
    rounded,
)
from discontinuation.exposure.strategy import label_pace, read_strategies
from discontinuation.exposure.strengths import Strengths
from discontinuation.fingerprint import ROOT
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse

REFERENCE = ROOT.parents[1] / "data" / "reference"
REQUEST = "the request"
LONGEST_TAU = 3650.0  # days

# What each kind of schedule is made from; "hold_days" may stand for "steps".
NEEDS = {
    "linear": ("days", "steps"),
    "exponential": ("days", "steps", "lowest_dose"),
    "hyperbolic": ("days", "steps"),
    "cut_and_hold": ("cut", "hold_days", "lowest_dose"),
    "micro": ("days",),
    "alternate_day": ("days",),
    "free_form": ("schedule",),
}
BY_POINTS = ("points", "hold_days")
SHAPING = (
    "days",
    "steps",
    "hold_days",
    "lowest_dose",
    "cut",
    "points",
    "longest_interval",
    "schedule",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `discontinuation pace` can be asked with."""
    add = parser.add_argument
    add("drug", help="its name or a synonym")
    add("dose", type=float, help="starting dose")
    add("--unit", default="mg/day", help="of every dose: mg/day, ug/day or mg/week")
    add("--kind", help="kind of schedule: " + ", ".join(KINDS))
    add("--days", type=float, help="from the first step to the one to zero")
    add("--steps", type=int, help="number of steps, the one to zero included")
    add("--hold-days", type=float, help="days between steps")
    add("--lowest-dose", type=float, help="last dose above zero")
    add("--cut", type=float, help="percent of the latest dose that each step takes")
    add("--points", type=float, help="points of occupancy that each step takes")
    add(
        "--longest-interval",
        type=int,
        help="alternate_day: at the end every n-th day; 2 if not given",
    )
    add("--schedule", type=Path, help="CSV file with the columns day,dose, in place of a kind")
    add("--tablets", type=float, nargs="+", metavar="MG", help="strengths to round to")
    add("--halved", action="store_true", help="tablets can be halved")
    add("--liquid", type=float, metavar="MG_PER_ML", help="strength of a liquid to round to")
    add("--smallest-volume", type=float, metavar="ML", help="smallest volume that is measured")
    add("--curve", help="key of the occupancy curve; the default one if not given")
    add("--tau-days", type=float, default=14.0, help="adaptation time behind the drive")
    add("--into", type=Path, default=Path("pace"), help="folder for the figure and the tables")


def run_pace(options: argparse.Namespace) -> str:
    """Describe a schedule; write its tables and its figure.

    Parameters
    ----------
    options
        As `add_arguments` has them read.

    Returns
    -------
    str
        What to print.

    Raises
    ------
    InvalidInput
        With the problems of the request: an unknown drug (with the nearest names), unit, kind or
        curve; options that are missing or have no use; numbers that make no schedule.
    """
    from discontinuation.report.pace_text import describe_schedule, pace_table

    schedule = _asked_schedule(options)
    pace = pace_of(schedule.doses(), schedule.drug)
    labels = label_pace(pace.table, read_strategies()).iloc[0]
    course = course_of(pace.table.iloc[0].to_dict(), schedule.drug)
    authors = classify(course, read_definitions(REFERENCE))
    authors = authors.loc[authors["kind"] != "description"]
    tables = {
        "steps": schedule.table(),
        "pace": pace_table(pace, labels),
        "authors": authors.assign(statement=schedule.statement),
    }
    written = _write(options.into, schedule, tables, options.tau_days)
    text = describe_schedule(schedule, pace, labels, authors, options.tau_days)
    return "\n\n".join([text, "\n".join(f"wrote {path}" for path in written)])


def _write(
    folder: Path, schedule: Schedule, tables: Mapping[str, pd.DataFrame], tau_days: float
) -> list[Path]:
    from discontinuation.report.drawing import save_figure
    from discontinuation.report.exposure_figures import draw_schedule

    kind = schedule.kind.replace("_", " ")
    name = str(schedule.drug.name)
    title = f"{name[:1].upper()}{name[1:]} from {schedule.start_dose:g} mg/day: {kind}"
    stem = re.sub(r"[^a-z0-9]+", "_", f"{name} {kind}".lower())
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for part, table in tables.items():
        paths.append(folder / f"{stem}_{part}.csv")
        table.to_csv(paths[-1], index=False, lineterminator="\n")
    figures = [folder / f"{stem}.svg", folder / f"{stem}.png"]
    save_figure(draw_schedule(schedule, title, tau_days), *figures)
    return [*paths, *figures]


def _asked_schedule(options: argparse.Namespace) -> Schedule:
    """Find the drug and the strengths and make the schedule, or name every problem."""
    problems = list(_request_problems(options))
    drug, strengths = Parameters(), None
    try:
        drug = parameters_of(read_drugs(REFERENCE).find(options.drug, REQUEST), options.curve)
    except InvalidInput as invalid:
        problems += invalid.problems
    try:
        strengths = _strengths(options)
    except InvalidInput as invalid:
        problems += invalid.problems
    refuse(problems)
    schedule = _make(drug, options)
    return rounded(schedule, strengths) if strengths else schedule


def _strengths(options: argparse.Namespace) -> Strengths | None:
    given = (options.tablets, options.liquid, options.smallest_volume)
    if given == (None, None, None) and not options.halved:
        return None
    tablets = tuple(options.tablets or ())
    return Strengths(tablets, options.halved, options.liquid, options.smallest_volume)


def _request_problems(options: argparse.Namespace) -> Iterator[Problem]:
    if options.unit not in MG_PER_DAY:
        rule = allowed_values(list(MG_PER_DAY), options.unit)
        if options.unit in WITHOUT_STRENGTH:
            rule = f"cannot be turned into mg without the strength; {rule}"
        yield Problem(REQUEST, rule, column="--unit", value=options.unit)
    if not 0 < options.tau_days <= LONGEST_TAU:
        rule = f"allowed: a number above 0, up to {LONGEST_TAU:g}"
        yield Problem(REQUEST, rule, column="--tau-days", value=f"{options.tau_days:g}")
    kind = _kind(options)
    if kind in KINDS:
        yield from _shape_problems(str(kind), options)
    elif kind is None:
        yield Problem(REQUEST, f"is missing; {allowed_values(KINDS)}", column="--kind")
    else:
        yield Problem(REQUEST, allowed_values(KINDS, kind), column="--kind", value=options.kind)


def _shape_problems(kind: str, options: argparse.Namespace) -> Iterator[Problem]:
    """Find options that a kind of schedule lacks, and those it has no use for."""
    given = {name for name in SHAPING if getattr(options, name) is not None}
    needed = BY_POINTS if kind == "hyperbolic" and "points" in given else NEEDS[kind]
    by_steps = "steps" in needed
    for name in needed:
        if name not in given and not (name == "steps" and "hold_days" in given):
            or_else = " (or --hold-days)" if name == "steps" else ""
            message = f"is missing: a schedule of the kind {kind} needs it{or_else}"
            yield Problem(REQUEST, message, column=_option(name))
    useful = {*needed, "hold_days"} if by_steps else set(needed)
    if kind == "alternate_day":
        useful.add("longest_interval")
    for name in sorted(given - useful):
        message = f"has no use in a schedule of the kind {kind}"
        yield Problem(REQUEST, message, column=_option(name))
    if by_steps and "hold_days" in given:
        yield from _hold_problems(options)


def _hold_problems(options: argparse.Namespace) -> Iterator[Problem]:
    value = f"{options.hold_days:g}"
    if options.steps is not None:
        yield Problem(REQUEST, "give it or --steps, not both", column="--hold-days", value=value)
    elif not options.hold_days > 0:
        yield Problem(REQUEST, "allowed: a number above 0", column="--hold-days", value=value)
    elif options.days is not None and options.days % options.hold_days:
        rule = f"allowed: a number that divides the {options.days:g} days"
        yield Problem(REQUEST, rule, column="--hold-days", value=value)


def _kind(options: argparse.Namespace) -> str | None:
    if options.kind is None:
        return None if options.schedule is None else "free_form"
    return str(options.kind).strip().lower().replace("-", "_").replace(" ", "_")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _make(drug: Parameters, options: argparse.Namespace) -> Schedule:
    factor = MG_PER_DAY[options.unit]
    start, days, hold = options.dose * factor, options.days, options.hold_days
    lowest = math.nan if options.lowest_dose is None else options.lowest_dose * factor
    steps = options.steps or (round(days / hold) + 1 if days is not None and hold else 0)

    def equal_falls() -> Schedule:
        if options.points is None:
            return hyperbolic(drug, start, days, steps)
        return hyperbolic_by_points(drug, start, options.points / 100, hold)

    makers: dict[str, Callable[[], Schedule]] = {
        "linear": lambda: linear(drug, start, days, steps),
        "exponential": lambda: exponential(drug, start, days, steps, lowest),
        "hyperbolic": equal_falls,
        "cut_and_hold": lambda: cut_and_hold(drug, start, options.cut / 100, hold, lowest),
        "micro": lambda: micro(drug, start, days),
        "alternate_day": lambda: alternate_day(drug, start, days, options.longest_interval or 2),
        "free_form": lambda: free_form(drug, start, _read_schedule(options.schedule, factor)),
    }
    return makers[str(_kind(options))]()


def _read_schedule(path: Path, factor: float) -> pd.DataFrame:
    from discontinuation.ingest.delimited import read_delimited
    from discontinuation.tables.check import check_table
    from discontinuation.tables.frames import to_frame
    from discontinuation.tables.schema import Column, Table

    columns = (
        Column("day", "number", "Day from which the dose is taken.", required=True),
        Column("dose", "number", "The dose.", required=True, minimum=0.0),
    )
    table = Table("schedule", "Schedule", "One row per change of dose.", columns)
    raw, problems = read_delimited(path, path.name, table)
    refuse([*problems, *check_table(raw, table)])
    frame = to_frame(raw, table)
    return frame.assign(dose=frame["dose"] * factor)
