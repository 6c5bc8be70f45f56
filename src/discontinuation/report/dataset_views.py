"""The tables of a dataset's page: which columns of which summaries a reader sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from discontinuation.describe.flow import ALL
from discontinuation.describe.masking import Key, Sum, mask_small
from discontinuation.describe.person_time import ANY_PHASE, DAYS_PER_YEAR
from discontinuation.describe.shown import PER_PERSON
from discontinuation.report.around import HANDLING
from discontinuation.report.cells import (
    Cell,
    Column,
    Record,
    Sheet,
    TableView,
    is_missing,
    limits,
    number,
    text,
    view,
    words,
)
from discontinuation.report.dataset_words import BLINDING, DESIGNS
from discontinuation.report.flow_chart import PARTS, STAGES
from discontinuation.report.numbers import (
    MISSING,
    count,
    full,
    percent,
    plain,
    ratio,
    written,
)
from discontinuation.report.palette import PHASE_NAMES, class_name

Names = Mapping[str, str]
Summaries = Mapping[str, pd.DataFrame]
KNOWN = {
    "flow",
    "observation",
    "person_time",
    "dose_quantiles",
    "plan_agreement",
    "instruments",
    "ratings",
    "ratings_by_person",
    "missing_columns",
    "tables",
}
CLOCKS = {"detected": "when detected", "onset": "at the first worsening"}


def results_folder(name: str) -> str:
    """Name the folder of a dataset's results."""
    return f"results/datasets/{name}"


def sheet(summaries: Summaries, key: str, name: str) -> Sheet:
    """Take a summary with the name of its file."""
    return Sheet(summaries[key], f"{results_folder(name)}/summaries/{key}.csv")


def people(name: str, heading: str, **options: Any) -> Column:
    """Show a count of people as it may be printed."""

    def cell(row: Record) -> Cell:
        shown = row[f"{name}_shown"]
        return Cell(MISSING if is_missing(shown) else str(shown), full(row[name]))

    return Column(heading, cell, numeric=True, **options)


def years(heading: str = "Person-years", **options: Any) -> Column:
    """Show days as years."""

    def cell(row: Record) -> Cell:
        value = row["days"] / DAYS_PER_YEAR
        return Cell(written(value, lambda v: f"{v:,.1f}" if v >= 1 else f"{v:.2f}"), full(value))

    return Column(heading, cell, numeric=True, **options)


def _arm(labels: Names) -> Column:
    return words("arm", "Arm", {**labels, ALL: "All arms together"}, choose=True)


def at_a_glance(summaries: Summaries, arms: pd.DataFrame, names: Names, dataset: str) -> TableView:
    """People, person-years and events of each arm, by the main definition."""
    flow, observation = summaries["flow"], summaries["observation"]
    present = flow.loc[flow["stage"] == "present"].set_index("arm")
    whole = observation.loc[observation["phase"] == ANY_PHASE].set_index("arm")
    rows = arms[["arm", "label", "strategy"]]
    if len(arms) > 1:
        together = {"arm": ALL, "label": "All arms together", "strategy": None}
        rows = pd.concat([rows, pd.DataFrame([together])], ignore_index=True)
    rows = rows.assign(
        people=rows["arm"].map(present["people"]),
        people_shown=rows["arm"].map(present["people_shown"]),
        days=rows["arm"].map(whole["days"]),
    )
    columns = [
        text("label", "Arm"),
        words("strategy", "Drug", HANDLING),
        people("people", "People"),
        years("Years", meaning="Person-years of observation."),
    ]
    times = summaries["person_time"]
    for name in dict.fromkeys(times["definition"]):
        chosen = (times["clock"] == "detected") & (times["phase"] == ANY_PHASE)
        mine = times.loc[chosen & (times["definition"] == name)].set_index("arm")
        rows["events"] = rows["arm"].map(mine["events"])
        rows["events_shown"] = rows["arm"].map(mine["events_shown"])
        meaning = f"People who met: {names.get(name, name)}."
        columns.append(people("events", "Got worse", meaning=meaning))
        break  # the others stand in the table of rates
    glance = Sheet(rows, f"{results_folder(dataset)}/summaries/")
    return view("at-a-glance", "People, time and events", glance, columns, tools=False)


def studies(tables: Mapping[str, pd.DataFrame], dataset: str) -> TableView:
    """What kind of studies these are."""
    columns = [
        text("title", "Study", wide=True),
        number("year", "Year", lambda year: f"{year:.0f}"),
        Column("Class", lambda row: Cell(class_name(str(row["drug_class"])))),
        words("design", "Design", DESIGNS),
        _yes("allocation_randomised", "Allocation randomised"),
        _yes("pace_randomised", "Pace randomised"),
        words("blinding", "Blinding", BLINDING),
        _yes("switch_concealed", "Switch concealed"),
        _yes("withdrawal_measured", "Withdrawal measured"),
        text("relapse_definition", "Relapse as the study defines it", wide=True),
        text("source", "Source", wide=True),
    ]
    frame = Sheet(tables["studies"], f"{results_folder(dataset)}/tables/studies.parquet")
    return view("studies", "Studies", frame, columns, tools=False)


def _yes(name: str, heading: str) -> Column:
    def cell(row: Record) -> Cell:
        return Cell() if is_missing(row[name]) else Cell("yes" if row[name] else "no")

    return Column(heading, cell)


def flow(summaries: Summaries, labels: Names, dataset: str) -> TableView:
    """Every count of the flow."""
    columns = [
        _arm(labels),
        words("stage", "Stage", {**STAGES, "present": "In these data"}, choose=True),
        words("part", "People", PARTS),
        people("people", "Count"),
    ]
    return view("flow", "Flow of people", sheet(summaries, "flow", dataset), columns)


def observation(summaries: Summaries, labels: Names, dataset: str) -> TableView:
    """How long people were observed."""
    columns = [
        _arm(labels),
        words("phase", "Phase", PHASE_NAMES, choose=True),
        people("people", "People"),
        number("days", "Person-days", count),
        years(),
    ]
    title = "Time of observation by arm and phase"
    return view("observation", title, sheet(summaries, "observation", dataset), columns)


def event_rates(summaries: Summaries, labels: Names, names: Names, dataset: str) -> TableView:
    """Events, person-time and rates."""
    columns = [
        words("definition", "Definition", names, choose=True, wide=True),
        words("clock", "Counted", CLOCKS, choose=True),
        _arm(labels),
        words("phase", "Phase", PHASE_NAMES, choose=True),
        people("events", "Events", meaning="People with a first episode."),
        people("people", "At risk"),
        years(),
        number("rate", "Rate", ratio, meaning="Per 100 person-years."),
        limits(("lower", "upper"), "Interval", lambda _: ratio, meaning="Exact Poisson."),
    ]
    title = "First events and crude rates"
    return view("event-rates", title, sheet(summaries, "person_time", dataset), columns)


def plan_agreement(summaries: Summaries, labels: Names, dataset: str) -> TableView:
    """Doses taken against doses planned."""
    columns = [
        _arm(labels),
        people("people", "People"),
        number("days", "Person-days", count),
        number("below", "Less than planned", percent),
        number("as_planned", "As planned", percent, meaning="Within a tenth of the plan."),
        number("above", "More than planned", percent),
    ]
    title = "Doses taken against doses planned, shares of person-days"
    made = sheet(summaries, "plan_agreement", dataset)
    return view("plan-agreement", title, made, columns, tools=False)


def instruments(summaries: Summaries, names: Names, dataset: str) -> TableView:
    """The instruments with how often they were used."""
    columns = [
        words("instrument", "Instrument", names),
        number("items", "Items", count),
        people("people", "People rated"),
        number("ratings", "Ratings", count, meaning="Occasions, whatever the number of items."),
        number("first_day", "First day", _day),
        number("last_day", "Last day", _day),
    ]
    made = sheet(summaries, "instruments", dataset)
    return view("instruments", "Instruments", made, columns, tools=False)


def _day(value: float) -> str:
    return plain(round(value, 1))


def ratings(summaries: Summaries, labels: Names, names: Names, dataset: str) -> TableView:
    """Who was rated and who could have been."""

    def bin_of(row: Record) -> Cell:
        if not is_missing(row["visit"]):
            return Cell(f"visit on day {plain(row['visit'])}", full(row["visit"]))
        return Cell(f"days {plain(row['start'])} to {plain(row['stop'])}", full(row["start"]))

    columns = [
        words("instrument", "Instrument", names, choose=True),
        _arm(labels),
        Column("When", bin_of, numeric=True),
        people("expected", "Under observation"),
        people("observed", "Rated"),
        people("missing", "Not rated"),
        number("share", "Share rated", percent),
    ]
    title = "People rated and not rated over time"
    return view("ratings", title, sheet(summaries, "ratings", dataset), columns)


def missing_columns(summaries: Summaries, dataset: str) -> TableView:
    """Blanks in the table of people."""
    columns = [
        words("column", "Column"),
        people("filled", "Known"),
        people("blank", "Blank"),
        number("share", "Share blank", percent),
    ]
    made = sheet(summaries, "missing_columns", dataset)
    return view("missing-columns", "What is known of the people", made, columns, tools=False)


def tables_filled(summaries: Summaries, dataset: str) -> TableView:
    """The canonical tables with their sizes."""
    columns = [
        words("table", "Table"),
        number("rows", "Rows", count),
    ]
    made = sheet(summaries, "tables", dataset)
    return view("tables-filled", "Canonical tables", made, columns, tools=False)


def further(summaries: Summaries, dataset: str) -> list[TableView]:
    """Show summaries that the page does not know, column by column."""
    unknown = {key: summaries[key] for key in sorted(set(summaries) - KNOWN)}
    return plain_tables("further", unknown, f"{results_folder(dataset)}/summaries")


def plain_tables(prefix: str, frames: Summaries, folder: str) -> list[TableView]:
    """Show tables as they are, column by column.

    Parameters
    ----------
    prefix
        Of their keys on the page.
    frames
        Tables by name; their small counts are masked already.
    folder
        Where their files lie.
    """
    found = []
    for key, frame in frames.items():
        if frame.empty:
            continue
        made = Sheet(frame, f"{folder}/{key}.csv")
        columns = [
            number(name, _heading(name), plain)
            if pd.api.types.is_numeric_dtype(made.frame[name])
            and not pd.api.types.is_bool_dtype(made.frame[name])
            else text(name, _heading(name))
            for name in made.frame.columns
        ]
        found.append(view(f"{prefix}-{key}", _heading(key), made, columns))
    return found


def _heading(name: str) -> str:
    return str(name).replace("_", " ").capitalize()


def steps(checks: pd.DataFrame, smallest: int, dataset: str) -> TableView:
    """Rows before and after every step of reading."""
    columns = [
        text("step", "Step"),
        words("table", "Table", choose=True),
        people("rows_before", "Rows before"),
        people("rows_after", "Rows after"),
        people("difference", "Left out or added"),
    ]
    if checks["note"].fillna("").ne("").any():
        columns.append(text("note", "Note", wide=True))
    made = Sheet(mask_steps(checks, smallest), f"{results_folder(dataset)}/steps.csv")
    return view("steps", "Rows before and after every step", made, columns, tools=False)


def mask_steps(checks: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Mask the steps of tables whose rows are people.

    Parameters
    ----------
    checks
        step, table, rows_before, rows_after, note.
    smallest
        Smallest count of people that may be printed.

    Returns
    -------
    DataFrame
        With difference, and every count also as it may be printed (``_shown``).
    """
    rows = checks.reset_index(drop=True)
    counts = ["rows_before", "rows_after", "difference"]
    rows[counts[:2]] = rows[counts[:2]].astype("Int64")
    rows["difference"] = (rows["rows_after"] - rows["rows_before"]).abs()
    # One small difference hides every count of people here: the others would tell it.
    of_people = rows["table"].isin([*PER_PERSON, "origin of time"]).tolist()
    small = rows["difference"].between(1, smallest - 1).tolist()
    hidden = any(mine and few for mine, few in zip(of_people, small, strict=True))
    for position, row in enumerate(rows.to_dict("records")):
        limit = smallest if of_people[position] else 1
        known: dict[Key, int] = {name: int(row[name]) for name in counts if pd.notna(row[name])}
        smaller, larger = sorted(counts[:2], key=lambda name: known.get(name, 0))
        shown = mask_small(known, [Sum(larger, (smaller, "difference"))], limit)
        if hidden and of_people[position]:
            shown |= {name: f"≥{limit}" for name in counts[:2] if known.get(name, 0) >= limit}
        for name, written_as in shown.items():
            rows.loc[position, f"{name}_shown"] = written_as
            if not written_as[0].isdigit():
                rows.loc[position, name] = pd.NA
    return rows.reindex(columns=[*rows.columns, *_missing(rows, counts)])


def _missing(rows: pd.DataFrame, counts: list[str]) -> list[str]:
    return [f"{name}_shown" for name in counts if f"{name}_shown" not in rows]
