"""What the validation of the classifier found, as a page."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from discontinuation.classify.performance import METHODS
from discontinuation.report.cells import Sheet, TableView, number, text, view
from discontinuation.report.inline import FigureFiles
from discontinuation.report.numbers import count, decimal, plain, signed
from discontinuation.report.page import render_page, show_figure
from discontinuation.report.words import FIXED_STATEMENTS

FOLDER = "results/validation"
OWN = ("model", "imputed", "oracle")  # other methods are on their own page
FIGURES = {
    "zip": (
        "Does the interval hold the truth?",
        "Each line is the interval of one simulated trial of the base scenario S0, sorted by the "
        "distance of its estimate from the truth (vertical line) in standard errors. If the "
        "intervals are right, those above the dashed line, and only those, miss it.",
    ),
    "performance": (
        "Errors by scenario",
        "Bias and coverage with bars of two Monte-Carlo errors. The line is what is ideal.",
    ),
}


def render_validation(
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, FigureFiles],
    code: Mapping[str, str | None],
    seed: int,
) -> str:
    """Write the page.

    Parameters
    ----------
    tables
        gates, performance and failures.
    figures
        zip and performance.
    code
        From `provenance.describe_code`.
    seed
        Of the run.
    """
    gates = tables["gates"]
    verdicts = gates["passed"].fillna("").value_counts()
    trials = tables["performance"].groupby("scenario")["trials"].max()
    said = [f"{verdicts.get(name, 0)} {name}" for name in ("pass", "fail", "inconclusive")]
    return render_page(
        "validation.html",
        title="Does the classifier find the truth when it is known?",
        statements=FIXED_STATEMENTS,
        verdicts=", ".join(said),
        reported=int(verdicts.get("", 0)),
        fewest=int(trials.min()) if len(trials) else 0,
        failed=len(tables["failures"]),
        figures=[show_figure(figures[key], *FIGURES[key], FOLDER) for key in FIGURES],
        tables=[_gates(gates), _performance(tables["performance"]), _failures(tables["failures"])],
        code=code,
        seed=seed,
    )


def _gates(table: pd.DataFrame) -> TableView:
    columns = [
        text("gate", "Gate", choose=True),
        text("scenario", "Scenario", choose=True),
        text("quantity", "Quantity"),
        text("criterion", "Promise"),
        number("value", "Value", plain),
        number("mcse", "Monte-Carlo error", plain),
        text("passed", "Verdict", choose=True),
    ]
    note = (
        "Pass or fail only where the value lies more than two Monte-Carlo errors inside or outside "
        "of what was promised; else inconclusive. Without a promise there is no verdict."
    )
    return view("gates", "Promises and what was found", Sheet(table, f"{FOLDER}/gates.csv"),
                columns, note=note)  # fmt: skip


def _performance(table: pd.DataFrame) -> TableView:
    columns = [
        text("scenario", "Scenario", choose=True),
        text("name", "Quantity", choose=True),
        text("method", "Method", choose=True),
        number("truth", "Truth", decimal),
        number("trials", "Trials", count),
        number("intervals", "With an interval", count),
        number("bias", "Bias", signed),
        number("bias_mcse", "its error", plain),
        number("empirical_se", "Empirical SE", decimal),
        number("model_se", "Model SE", decimal),
        number("coverage", "Coverage", decimal),
        number("coverage_mcse", "its error", plain),
        number("excludes_0", "Excludes 0", decimal),
    ]
    shown = table.loc[table["method"].isin(OWN)]
    shown = shown.assign(method=shown["method"].map(METHODS))
    return view("performance", "Estimates beside the truth",
                Sheet(shown, f"{FOLDER}/performance.csv"), columns)  # fmt: skip


def _failures(table: pd.DataFrame) -> TableView:
    columns = [
        text("scenario", "Scenario"),
        number("number", "Trial", count),
        number("seed", "Seed", plain),
        text("error", "Error"),
        text("message", "Message", wide=True),
    ]
    return view("failures", "Trials that failed", Sheet(table, f"{FOLDER}/failures.csv"),
                columns, note="None is left out of the count.")  # fmt: skip
