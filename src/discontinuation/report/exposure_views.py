"""The tables of exposure on the pages: how each arm stopped, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

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
from discontinuation.report.numbers import (
    MISSING,
    Writer,
    count,
    decimal,
    full,
    percent,
    plain,
    written,
)
from discontinuation.report.pace_text import LINES, Line

Names = Mapping[str, str]
Tables = Mapping[str, pd.DataFrame]

LABELS = {"in_milligrams": "By its doses", "at_receptor": "At the receptor"}
# Columns of the table of arms, with what they are called there.
SHOWN = {
    "days_to_zero": "Days to 0",
    "steps": "Steps",
    "largest_step_of_previous": "Largest step, % of dose before",
    "lowest_dose": "Lowest dose, mg",
    "final_drop_occupancy": "Step to 0, points",
    "drop_7_days": "Fall in 7 days, points",
    "fall_90_10_days": "Days from 90 to 10 %",
    "hyperbolicity": "0 linear in mg, 1 in occupancy",
}
OF_LINE = {line.quantity: line for line in LINES}
QUANTITIES = {
    "fall_90_10_days": "days from 90 to 10 % of the occupancy at the start",
    "drop_7_days": "largest fall of occupancy in 7 days, share of receptors",
    "largest_drive": "largest drive",
    "drive_integral": "integral of the drive, days",
    "drive_squared_integral": "integral of the squared drive, days",
}
NUMBERS = {
    "half_life_days": "half-life, days",
    "k": "K, mg/day",
    "slow metaboliser": "half-life of slow metabolisers, times the usual one",
}
KINDS = {"delivered": "as taken", "planned": "as planned"}


def exposure_tables(
    tables: Tables, notes: pd.DataFrame, arms: Names, folder: str
) -> list[TableView]:
    """Show how the drugs of a dataset left.

    Parameters
    ----------
    tables
        From `expose_dataset`, masked.
    notes
        What could not be computed.
    arms
        Labels of the arms.
    folder
        Where the files lie.
    """
    drugs = tables["drugs"]
    made = []
    if "arm_quantities" in tables:
        made.append(_arms(tables, arms, folder))
    if "authors" in tables:
        made.append(_authors(tables["authors"], arms, folder))
    if "delivered_and_planned" in tables:
        made.append(_beside_plan(tables["delivered_and_planned"], arms, folder))
    if "uncertainty" in tables:
        made.append(_uncertainty(tables["uncertainty"], arms, folder))
        made.append(_ranges(tables["uncertainty_ranges"], folder))
    made.append(_drugs(drugs, folder))
    if len(notes):
        made.append(_notes(notes, folder))
    return made


def coverage_table(coverage: pd.DataFrame, file: str) -> TableView:
    """Show for how many drugs the reference tables hold what, and how well it was read."""
    columns = [
        words("quantity", "Quantity", choose=True),
        words("drug_class", "Class", choose=True),
        number("drugs", "Drugs", count),
        number("with_value", "With a value", count),
        number("share", "Share", percent),
        *(number(tag, tag, count) for tag in ("V", "V2", "UM", "D", "P")),
    ]
    note = (
        "V read in the source, V2 read in an abstract or a secondary source, UM remembered, "
        "D derived, P a proposal. What has no source is left blank."
    )
    title = "What is known about the drugs"
    first = coverage.assign(part=coverage["drug_class"] != "all")
    ordered = first.sort_values("part", kind="stable").drop(columns="part")
    return view("drug-coverage", title, Sheet(ordered, file), columns, note=note)


def published_pace_tables(tables: Tables, folder: str) -> list[TableView]:
    """Show how fast published arms can have stopped, and what each author would call that."""
    labels, authors = tables["published_pace_labels"], tables["published_authors"]
    if labels.empty:
        return []
    own = [
        text("study", "Study", choose=True),
        text("arm", "Arm"),
        *(text(name, heading, choose=True) for name, heading in LABELS.items()),
        text("assumed", "Assumed", wide=True),
    ]
    note = (
        "Only the length of a taper is printed, not its steps. Each arm has every label that one "
        "of a few plausible schedules of that length would have."
    )
    named = [text("study", "Study", choose=True), text("arm", "Arm"), *_author_columns(authors)]
    return [
        view("published-pace", "How fast published arms can have stopped",
             Sheet(labels, f"{folder}/published_pace_labels.csv"), own, note=note),
        view("published-authors", "The same arms as other authors would name them",
             Sheet(authors, f"{folder}/published_authors.csv"), named),
    ]  # fmt: skip


def _arm(arms: Names) -> Column:
    return words("arm", "Arm", arms, choose=True)


def _arms(tables: Tables, arms: Names, folder: str) -> TableView:
    """One row per drug, arm and kind of dose, with medians and quartiles."""
    keys = ["drug", "arm", "doses"]
    quantities = tables["arm_quantities"]
    rows = quantities[keys].drop_duplicates().reset_index(drop=True)
    for name in SHOWN:
        mine = quantities.loc[quantities["quantity"] == name, [*keys, "p25", "median", "p75"]]
        rows = rows.merge(mine.add_prefix(f"{name}_").rename(
            columns={f"{name}_{key}": key for key in keys}), on=keys, how="left")  # fmt: skip
    stopped = quantities.loc[quantities["quantity"] == "days_to_zero"]
    rows = rows.merge(stopped[[*keys, "people_shown"]], on=keys, how="left")
    rows = rows.merge(_commonest_labels(tables["arm_labels"]), on=keys, how="left")
    doubts = _doubts(tables["drugs"])
    columns = [
        words("drug", "Drug", choose=True),
        _arm(arms),
        words("doses", "Doses", KINDS, choose=True),
        text("people_shown", "Stopped", meaning="People whose stop can be described."),
        *(text(name, heading, choose=True, meaning="The commonest label of its people.")
          for name, heading in LABELS.items()),
        *(_quartiles(name, heading, doubts) for name, heading in SHOWN.items()),
    ]  # fmt: skip
    note = (
        "Medians with quartiles of each person's first stop. A mark says that a number of the drug "
        "behind it rests on memory (UM) or on a proposal (P)."
    )
    sheet = Sheet(rows, f"{folder}/arm_quantities.csv")
    return view("exposure-arms", "How each arm stopped", sheet, columns, note=note)


def _commonest_labels(labels: pd.DataFrame) -> pd.DataFrame:
    known = labels.loc[labels["people"].notna()]
    ranked = known.sort_values("people", ascending=False, kind="stable")
    first = ranked.drop_duplicates(["drug", "arm", "doses", "view"])
    wide = first.set_index(["drug", "arm", "doses", "view"])["label"].unstack("view")  # noqa: PD010
    return wide.reindex(columns=list(LABELS)).reset_index()


def _doubts(drugs: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Tag of each number of each drug that is doubtful, by drug and what it is tagged as."""
    names = {"K": "occupancy curve", "half-life": "half-life"}
    names["minimum effective dose"] = "minimum effective dose"
    chosen = drugs.loc[drugs["tag"].isin(["UM", "P"]) & drugs["number"].isin(names)]
    return {(str(row["drug"]), names[row["number"]]): str(row["tag"])
            for row in chosen.to_dict("records")}  # fmt: skip


def _quartiles(name: str, heading: str, doubts: Mapping[tuple[str, str], str]) -> Column:
    line = OF_LINE[name]

    def cell(row: Record) -> Cell:
        median = row[f"{name}_median"]
        if is_missing(median):
            return Cell()
        low, middle, high = (
            _scaled(row[f"{name}_{part}"], line) for part in ("p25", "median", "p75")
        )
        shown = middle if low == high else f"{middle} ({low} to {high})"
        tags = {doubts.get((str(row["drug"]), number)) for number in line.rests_on}
        return Cell(shown, full(median), tags=tuple(sorted(tag for tag in tags if tag)))

    return Column(heading, cell, numeric=True, meaning=line.words)


def _scaled(value: float, line: Line) -> str:
    return written(value * line.factor, plain)


def _authors(authors: pd.DataFrame, arms: Names, folder: str) -> TableView:
    columns = [
        words("drug", "Drug", choose=True),
        _arm(arms),
        words("doses", "Doses", KINDS, choose=True),
        *(text(name, heading, choose=True) for name, heading in LABELS.items()),
        *_author_columns(authors),
    ]
    note = (
        "What published definitions would call the median course of each arm. Where some authors "
        "put it on the quick side of their line and others on the slow side, its label depends on "
        "whom one asks."
    )
    sheet = Sheet(authors, f"{folder}/authors.csv")
    return view("exposure-authors", "What other authors would call it", sheet, columns, note=note)


def _author_columns(authors: pd.DataFrame) -> list[Column]:
    def changes(row: Record) -> Cell:
        return Cell("yes" if row["changes"] else "no")

    fixed = {"drug", "study", "arm", "doses", "changes", "quick", "slow", "other"}
    fixed |= {*LABELS, *(f"why_{name}" for name in LABELS)}
    names = [name for name in authors.columns if name not in fixed]
    return [
        Column("Depends on the author", changes, choose=True),
        *(words(name, name) for name in names),
    ]


def _beside_plan(table: pd.DataFrame, arms: Names, folder: str) -> TableView:
    columns = [
        words("drug", "Drug", choose=True),
        _arm(arms),
        _quantity({name: line.words for name, line in OF_LINE.items()}),
        text("people_shown", "People"),
        *(
            number(name, name.capitalize(), plain)
            for name in ("intended", "delivered", "difference")
        ),
    ]
    note = "Medians of the people for whom both are known; the difference is that within people."
    sheet = Sheet(table, f"{folder}/delivered_and_planned.csv")
    return view("exposure-plan", "Was it what was planned?", sheet, columns, note=note)


def _quantity(names: Names) -> Column:
    return words("quantity", "Quantity", names, choose=True)


def _uncertainty(table: pd.DataFrame, arms: Names, folder: str) -> TableView:
    def writer(row: Record) -> Writer:
        return decimal

    columns = [
        words("drug", "Drug", choose=True),
        _arm(arms),
        _quantity(QUANTITIES),
        words("variant", "Metabolism", {"usual": "as usual"}, choose=True),
        number("q50", "Median", decimal),
        limits(("q2.5", "q97.5"), "95 % of the draws", writer),
    ]
    note = (
        "The median person of each arm under half-lives and K drawn from their ranges. This is "
        "what is not known about the drug, not how people differ."
    )
    sheet = Sheet(table, f"{folder}/uncertainty.csv")
    return view(
        "exposure-uncertainty", "How much hangs on the drug's numbers", sheet, columns, note=note
    )


def _ranges(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        words("drug", "Drug", choose=True),
        words("parameter", "Number", NUMBERS),
        number("low", "From", plain),
        number("high", "To", plain),
        _with_tag("basis", "Basis"),
    ]
    sheet = Sheet(table, f"{folder}/uncertainty_ranges.csv")
    return view("exposure-ranges", "Ranges that were drawn from", sheet, columns)


def _drugs(table: pd.DataFrame, folder: str) -> TableView:
    def value(row: Record) -> Cell:
        if is_missing(row["value"]):
            return Cell(MISSING)
        tags = () if is_missing(row["tag"]) else (str(row["tag"]),)
        return Cell(f"{written(row['value'], plain)} {row['unit']}", full(row["value"]), tags=tags)

    columns = [
        words("drug", "Drug", choose=True),
        text("number", "Number"),
        Column("Value", value, numeric=True),
        text("curve", "Curve"),
        text("missing", "Why it is missing", wide=True),
    ]
    sheet = Sheet(table, f"{folder}/drugs.csv")
    return view("exposure-drugs", "Numbers of the drugs that were used", sheet, columns)


def _with_tag(name: str, heading: str) -> Column:
    def cell(row: Record) -> Cell:
        return Cell(str(row[name]), tags=() if is_missing(row["tag"]) else (str(row["tag"]),))

    return Column(heading, cell, wide=True)


def _notes(notes: pd.DataFrame, folder: str) -> TableView:
    columns = [
        words("drug", "Drug", choose=True),
        text("concerns", "Concerns", choose=True),
        text("people_shown", "People", meaning="Blank where it concerns the drug."),
        text("reason", "Reason", wide=True),
    ]
    sheet = Sheet(notes, f"{folder}/notes.csv")
    return view("exposure-notes", "What could not be computed, and why", sheet, columns)


def published_sentences(authors: pd.DataFrame) -> list[str]:
    """Say for how many published arms the label depends on the author."""
    if authors.empty:
        return []
    changing = int(authors["changes"].sum())
    return [
        f"Of {len(authors)} published arms in which a drug was stopped, {changing} would be called "
        "quick by one published definition and slow by another."
    ]
