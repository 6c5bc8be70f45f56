"""How the methods compare on simulated trials, as a page."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from discontinuation.classify.gate_scenarios import factorial_names
from discontinuation.classify.performance import METHODS
from discontinuation.report.cells import Sheet, TableView, number, text, view
from discontinuation.report.inline import FigureFiles
from discontinuation.report.numbers import count, decimal, plain, signed
from discontinuation.report.page import render_page, show_figure
from discontinuation.report.words import FIXED_STATEMENTS

FOLDER = "results/validation"
LEAST_RISK = 0.06
FIGURES = {
    "nested_loop": (
        "Crossed assumptions",
        "Each step is one combination of the assumptions shown below the curves (nested-loop "
        "plot). The dashed line is what is ideal. The oracle knows the true causes.",
    ),
    "methods": (
        "Scenario by scenario",
        "Mean errors with bars of two Monte-Carlo errors. The relapse effect is compared with the "
        "oracle, because where an assumption is broken there may be no parameter to compare with.",
    ),
}


def render_methods(
    performance: pd.DataFrame,
    failures: pd.DataFrame,
    figures: Mapping[str, FigureFiles],
    code: Mapping[str, str | None],
    seed: int,
) -> str:
    """Write the page.

    Parameters
    ----------
    performance
        From `performance`.
    failures
        One row per trial that failed.
    figures
        nested_loop and methods.
    code
        From `provenance.describe_code`.
    seed
        Of the run.
    """
    trials = performance.groupby("scenario")["trials"].max()
    return render_page(
        "methods.html",
        title="How do the methods compare on trials whose truth is known?",
        statements=FIXED_STATEMENTS,
        scenarios=len(trials),
        fewest=int(trials.min()) if len(trials) else 0,
        failed=len(failures),
        ordering=_ordering(performance),
        figures=[show_figure(figures[key], *FIGURES[key], FOLDER) for key in FIGURES],
        table=_table(performance),
        code=code,
        seed=seed,
    )


def ordered_scenarios(performance: pd.DataFrame, rule: str = "time_28") -> tuple[int, int, int]:
    """Count scenarios by the order of the biases of the relapse effect (methods F6).

    Returns
    -------
    in_order, model_least, looked_at
        Those in which the bias falls from naive over the rule to the model; those in which the
        model has the least of the three; all crossed assumptions with a true risk of withdrawal
        of at least 0.06.
    """
    wide = performance.pivot_table(index="scenario", columns=["quantity", "method"], values="bias")
    risk = {name: levels["withdrawal risk"] for name, levels in factorial_names().items()}
    crossed = wide.index[wide.index.map(risk).to_numpy(dtype=float) >= LEAST_RISK]
    wanted = [("beta", method) for method in ("naive", rule, "model")]
    if crossed.empty or not set(wanted) <= set(wide.columns):
        return 0, 0, 0
    naive, by_rule, model = (wide.loc[crossed, one].abs() for one in wanted)
    least = (naive > model) & (by_rule > model)
    return int((least & (naive > by_rule)).sum()), int(least.sum()), len(crossed)


def _ordering(performance: pd.DataFrame) -> str:
    in_order, least, looked_at = ordered_scenarios(performance)
    if not looked_at:
        return "The crossed assumptions were not simulated, so the order of biases is not judged."
    return (
        f"In {least} of {looked_at} crossed combinations with a risk of withdrawal of at least "
        f"{LEAST_RISK:g} the model's bias of the relapse effect is smaller than those of counting "
        f"every event a relapse and of the rule of 28 days. In {in_order} the bias falls from the "
        "first over the rule to the model; 90 % were expected."
    )


def _table(performance: pd.DataFrame) -> TableView:
    shown = performance.assign(method=performance["method"].map(METHODS))
    columns = [
        text("scenario", "Scenario", choose=True),
        text("name", "Estimand", choose=True),
        text("method", "Method", choose=True),
        number("truth", "Truth", decimal),
        number("trials", "Trials", count),
        number("estimates", "Estimates", count),
        number("bias", "Bias", signed),
        number("bias_mcse", "its error", plain),
        number("from_oracle", "From the oracle", signed),
        number("empirical_se", "Empirical SE", decimal),
        number("model_se", "Model SE", decimal),
        number("intervals", "Intervals", count),
        number("coverage", "Coverage", decimal),
        number("coverage_mcse", "its error", plain),
        number("excludes_0", "Excludes 0", decimal),
    ]
    note = (
        "A trial without an estimate or an interval was refused one, or the fit failed: they are "
        "counted, not left out. A share has no value where the excess is not above 0."
    )
    sheet = Sheet(shown, f"{FOLDER}/methods.csv")
    return view("methods", "Every estimand by every method", sheet, columns, note=note)
