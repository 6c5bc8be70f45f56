"""The tables of survival on the page of a dataset: what was asked, and what was found."""

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
    plain,
    probability,
    ratio,
    signed,
    written,
)

Names = Mapping[str, str]
Tables = Mapping[str, pd.DataFrame]

RATIOS = ("ratio", "E-value")
SIGNED = ("difference", "excess")
TESTS = ("log-rank", "MaxCombo")


def survival_tables(tables: Tables, arms: Names, folder: str) -> list[TableView]:
    """Show the estimands of a dataset and their estimates.

    Parameters
    ----------
    tables
        From `Survived.tables`, masked.
    arms
        Labels of the arms.
    folder
        Where the files lie.
    """
    made = [_estimands(tables["estimand_table"], folder)]
    estimates = tables["estimates"]
    if len(estimates):
        made += [_estimates(estimates, arms, folder), _windows(tables["windows"], folder)]
    if len(tables["steps"]):
        made.append(_steps(tables["steps"], folder))
    return made


def _estimands(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        text("estimand", "Estimand", choose=True),
        text("title", "Question"),
        text("attribute", "Attribute", choose=True),
        text("value", "", wide=True),
    ]
    note = (
        "An estimand is estimated only if it says how every intercurrent event is handled that "
        "happened to somebody. E1 is getting worse for any reason; it must not be read as relapse."
    )
    sheet = Sheet(table, f"{folder}/estimand_table.csv")
    return view("survival-estimands", "What was asked, and what may be answered", sheet, columns,
                note=note)  # fmt: skip


def _writer(row: Record) -> Writer:
    measure = str(row["measure"])
    if any(word in measure for word in RATIOS):
        return ratio
    if any(word in measure for word in SIGNED):
        return signed
    return plain if "days" in measure else decimal


def _estimates(table: pd.DataFrame, arms: Names, folder: str) -> TableView:
    def estimate(row: Record) -> Cell:
        return Cell(written(row["estimate"], _writer(row)), full(row["estimate"]))

    def window(row: Record) -> Cell:
        if is_missing(row["window_to"]):
            return Cell(MISSING)
        return Cell(f"{plain(row['window_from'])} to {plain(row['window_to'])}",
                    full(row["window_to"]))  # fmt: skip

    def people(names: tuple[str, str]) -> Column:
        def cell(row: Record) -> Cell:
            pair = [written(row[name], count) for name in names]
            return Cell("/".join(pair), full(row[names[0]]))

        heading = "Events/people" if names[0] == "events" else "In the reference"
        return Column(heading, cell, numeric=True)

    columns = [
        text("estimand", "Estimand", choose=True),
        text("comparison", "Comparison", choose=True),
        text("clock", "Days since", choose=True),
        Column("Days", window, numeric=True),
        text("measure", "Measure", choose=True),
        words("group", "Arm", arms),
        text("cause", "Cause", choose=True),
        text("adjusted", "Adjusted for"),
        Column("Estimate", estimate, numeric=True),
        limits(("lower", "upper"), "Interval", _writer),
        number("p_value", "P", probability),
        people(("events", "people")),
        people(("events_reference", "people_reference")),
        text("method", "Method", wide=True),
        text("assumptions", "Assumed", wide=True),
        text("why_not", "Why not", wide=True),
    ]
    sheet = Sheet(table, f"{folder}/estimates.csv")
    return view("survival-estimates", "Every estimate", sheet, columns)


def _windows(table: pd.DataFrame, folder: str) -> TableView:
    def randomised(row: Record) -> Cell:
        return Cell("yes" if row["randomised"] else "no")

    columns = [
        text("comparison", "Comparison"),
        number("last_change", "Last planned change of dose, day", plain),
        number("early_end", "End of the withdrawal window, day", plain),
        number("horizon", "End of the analysis, day", plain),
        Column("Allotted at random", randomised),
    ]
    note = (
        "The window ends 5 half-lives and 3 adaptation times after the last planned change, unless "
        "the dataset says otherwise (P: a proposal)."
    )
    sheet = Sheet(table, f"{folder}/windows.csv")
    return view("survival-windows", "Comparisons and windows", sheet, columns, note=note)


def _steps(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        text("estimand", "Estimand", choose=True),
        text("step", "Step"),
        number("people", "People left", count),
        number("left_out", "Left out", count),
    ]
    sheet = Sheet(table, f"{folder}/steps.csv")
    return view("survival-steps", "People at each step", sheet, columns)
