"""The tables of classification on the page of a dataset."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from discontinuation.report.cells import (
    Cell,
    Column,
    Record,
    Sheet,
    TableView,
    limits,
    number,
    tags,
    text,
    view,
    words,
)
from discontinuation.report.numbers import (
    Writer,
    count,
    decimal,
    full,
    plain,
    ratio,
    signed,
    written,
)

Tables = Mapping[str, pd.DataFrame]
PSI = {
    "psi_H": "of the excess cumulative hazard",
    "psi_net": "of the excess net risk",
    "psi_crude": "of the excess crude risk",
}


def classification_tables(tables: Tables, folder: str) -> list[TableView]:
    """Show what the rules and the model say.

    Parameters
    ----------
    tables
        Masked; from `classify_dataset`, with `by_way`.
    folder
        Where the files lie.
    """
    makers = {
        "cases": _cases, "psi": _psi, "by_way": _by_way, "rules": _rules, "validation": _validation,
        "estimates": _estimates, "warnings": _warnings, "refused": _refused,
        "case_notes": _case_notes, "case_onsets": _case_onsets, "case_priors": _case_priors,
    }  # fmt: skip
    return [make(tables[name], folder) for name, make in makers.items() if name in tables
            and len(tables[name])]  # fmt: skip


def _decimal(row: Record) -> Writer:
    return decimal


def _psi(table: pd.DataFrame, folder: str) -> TableView:
    shown = table.assign(of=table["measure"].map(PSI), note=table["interval"])
    columns = [
        text("study", "Study"),
        text("arm", "Arm", choose=True),
        number("horizon", "By day", plain),
        text("of", "Share", choose=True),
        number("kappa", "kappa held at", plain),
        number("estimate", "Estimate", decimal),
        limits(("lower", "upper"), "Interval", _decimal),
        text("note", "Interval by, or why there is none", wide=True),
    ]
    note = (
        "How much of an arm's excess of deteriorations over the arm that kept the drug is "
        "withdrawal, under the model. A blank is a refusal, with its reason."
    )
    sheet = Sheet(shown, f"{folder}/psi.csv")
    return view(
        "classified-psi", "How much of the excess is withdrawal?", sheet, columns, note=note
    )


def _by_way(table: pd.DataFrame, folder: str) -> TableView:
    def writer(row: Record) -> Writer:
        return ratio if "ratio" in str(row["measure"]) else signed

    def estimate(row: Record) -> Cell:
        return Cell(written(row["estimate"], writer(row)), full(row["estimate"]))

    relapse = table["cause"].isna() | (table["cause"] == "relapse")
    whole = (table["window_from"] == 0) & (table["clock"] == "randomisation")
    last = table.groupby("comparison")["window_to"].transform("max")
    shown = table.loc[relapse & whole & (table["window_to"] == last)]
    columns = [
        text("way", "Causes told apart by", choose=True),
        text("comparison", "Comparison", choose=True),
        text("estimand", "Estimand", choose=True),
        text("measure", "Measure", choose=True),
        text("adjusted", "Adjusted for"),
        Column("Estimate", estimate, numeric=True),
        limits(("lower", "upper"), "Interval", writer),
        number("imputations", "Imputations", count),
    ]
    note = (
        "Relapse over the whole follow-up: with every deterioration counted as relapse, by raters, "
        "by one rule set, and by imputed causes, whose uncertainty is in the interval."
    )
    sheet = Sheet(shown, f"{folder}/by_way.csv")
    return view("classified-ways", "What changes with how causes are told apart", sheet, columns,
                note=note)  # fmt: skip


def _rules(table: pd.DataFrame, folder: str) -> TableView:
    names = ("withdrawal", "relapse", "indeterminate", "not assessable")
    columns = [
        text("rule_set", "Rule set"),
        *(number(name, name.capitalize(), count) for name in names),
        number("hangs_on_onset", "Hangs on the onset", count,
               meaning="Verdicts that depend on when between two visits it began."),
        text("can_say", "Can say"),
    ]  # fmt: skip
    note = (
        "Published rules as published: missing information is not assessable, never no. A blank "
        "count may not be shown."
    )
    sheet = Sheet(table, f"{folder}/rules.csv")
    return view("classified-rules", "What each published rule set says", sheet, columns, note=note)


def _validation(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        text("measure", "Measure"),
        number("estimate", "Estimate", decimal),
        limits(("lower", "upper"), "Interval", _decimal),
        number("n", "Events", count),
        text("reason", "Why not", wide=True),
    ]
    note = "The model's probability against the raters' labels; the raters are fallible too."
    sheet = Sheet(table, f"{folder}/validation.csv")
    return view("classified-validation", "The model beside the raters", sheet, columns, note=note)


def _estimates(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        text("parameter", "Parameter", choose=True),
        text("item", "Of"),
        number("estimate", "Estimate", plain),
        limits(("lower", "upper"), "Interval", lambda row: plain),
        number("prior", "Prior median", plain),
        number("prior_share", "Share of the prior", decimal,
               meaning="How much of what is known of it comes from the prior."),
        text("refused", "Why not", wide=True),
    ]  # fmt: skip
    sheet = Sheet(table, f"{folder}/estimates.csv")
    return view("classified-estimates", "Numbers of the model, prior and posterior", sheet, columns)


def _warnings(table: pd.DataFrame, folder: str) -> TableView:
    columns = [text("code", "Code"), text("message", "What the data cannot tell", wide=True)]
    sheet = Sheet(table, f"{folder}/warnings.csv")
    return view("classified-warnings", "Warnings and refusals of the model", sheet, columns,
                tools=False)  # fmt: skip


def _refused(table: pd.DataFrame, folder: str) -> TableView:
    columns = [text("what", "What"), text("reason", "Why not", wide=True)]
    sheet = Sheet(table, f"{folder}/refused.csv")
    return view("classified-refused", "What could not be done", sheet, columns, tools=False)


def _cases(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        text("person", "Person"),
        text("episode", "Episode"),
        text("drug", "Drug"),
        number("attempt", "Attempt", plain, meaning="Number of the attempt in the record."),
        number("days_since_reduction", "Days since the last reduction", plain),
        number("q", "Probability of withdrawal", decimal, meaning="At the central prior."),
        limits(("lowest_one", "highest_one"), "One prior moved", _decimal),
        limits(("lowest", "highest"), "All priors", _decimal),
        text("decision", "Decision"),
        text("why", "Why", wide=True),
    ]
    note = (
        "Nothing is fitted to single cases. Each deterioration has the probability that the model "
        "gives it at stated priors, and at every combination of low, central and high ones. There "
        "is a decision only where it is the same at all of them."
    )
    sheet = Sheet(table, f"{folder}/cases.csv")
    return view("classified-cases", "Each deterioration at the priors", sheet, columns, note=note)


def _case_notes(table: pd.DataFrame, folder: str) -> TableView:
    sheet = Sheet(table, f"{folder}/case_notes.csv")
    columns = [text("note", "Note", wide=True)]
    return view("classified-case-notes", "What single cases cannot tell", sheet, columns,
                tools=False)  # fmt: skip


def _case_onsets(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        text("person", "Person", choose=True),
        text("episode", "Episode"),
        words("symptom", "Symptom", choose=True),
        number("rose_on", "Rose on day", plain),
        text("status", "Or", wide=True),
    ]
    sheet = Sheet(table, f"{folder}/case_onsets.csv")
    return view("classified-onsets", "When each symptom first rose", sheet, columns)


def _case_priors(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        words("prior", "Prior", choose=True),
        words("symptom", "Symptom", choose=True),
        words("level", "Level", choose=True),
        number("value", "Value", plain),
        tags("tag"),
        words("sources", "Sources", wide=True),
    ]
    sheet = Sheet(table, f"{folder}/case_priors.csv")
    return view("classified-case-priors", "What was assumed", sheet, columns)


def evidence_words(tables: Tables) -> list[str]:
    """Say whether the model supports a withdrawal component at all, either way."""
    evidence = tables.get("evidence")
    if evidence is None or evidence.empty:
        return []
    label = str(evidence["label"].iloc[0])
    return [
        f"A withdrawal component is {label}. The model learns from when deteriorations happen "
        "against the drug's real departure, from their symptoms, and from what reinstatement does; "
        "the arm that keeps the drug anchors it. It may be wrong where its assumptions are."
    ]
