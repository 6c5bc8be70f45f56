"""The tables of audits in the report: each result's judgements, and withdrawal confounding."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from discontinuation.report.cells import (
    Cell,
    Column,
    Record,
    Sheet,
    TableView,
    number,
    text,
    view,
    words,
)
from discontinuation.report.numbers import count, full, written

FOLDER = "results/audit"


def audit_tables(tables: Mapping[str, pd.DataFrame]) -> list[TableView]:
    """Show the judgements of every audited result.

    Parameters
    ----------
    tables
        judgements and domain_w, as `judge_audits` and `withdrawal_table` give them.
    """
    judgements, withdrawal = tables["judgements"], tables["domain_w"]
    result = [text("title", "Trial", choose=True), text("outcome", "Outcome"), text("time", "Time")]
    either = text(
        "if_ni_were_yes_or_no", "If open answers were yes; no", meaning="The best and the worst."
    )
    domains = [
        *result,
        text("tool", "Tool", choose=True),
        words("domain_name", "Domain", choose=True),
        text("judgement", "Judgement", choose=True),
        either,
        text("label", "Rests on", choose=True),
    ]
    questions = [name for name in withdrawal.columns if name[:1] == "W" and name[1:].isdigit()]
    own = [
        *result,
        text("judgement", "Judgement", choose=True),
        *(text(name, name) for name in questions),
        either,
        text("label", "Rests on", choose=True),
    ]
    note = "A proposal, experimental until its pilot has passed; every yes reassures."
    made = [] if "early_excess" not in tables else [_performance(tables["early_excess"])]
    return [
        *made,
        view("audit-withdrawal", "Withdrawal confounding, result by result",
             Sheet(withdrawal, f"{FOLDER}/domain_w.csv"), own, note=note),
        view("audit-judgements", "Every judgement of every result",
             Sheet(judgements, f"{FOLDER}/judgements.csv"), domains),
    ]  # fmt: skip


def _performance(table: pd.DataFrame) -> TableView:
    """How the late-anchored early excess does in simulated trials whose truth is known."""

    def with_error(name: str) -> Callable[[Record], Cell]:
        def cell(row: Record) -> Cell:
            error = written(row[f"{name}_mcse"], decimal3)
            return Cell(f"{written(row[name], decimal3)} ({error})", full(row[name]))

        return cell

    columns = [
        text("setting", "Simulated"),
        number("people", "People per arm", count),
        number("truth", "True excess", decimal3),
        *(
            Column(heading, with_error(name), numeric=True)
            for name, heading in (
                ("mean", "Mean estimate"),
                ("sd", "Its SD"),
                ("mean_se", "Mean SE"),
                ("coverage", "Coverage"),
                ("rejection", "Says more than none"),
                ("share", "Share of the excess"),
            )
        ),
        number("replicates", "Trials", count),
        number("failed", "Failed", count),
    ]
    note = (
        "The late-anchored early excess in trials with and without withdrawal; in brackets the "
        "Monte-Carlo error. Depletion of susceptible people (frailty) makes it find an excess "
        "where there is no withdrawal: that is why the cause is never named."
    )
    sheet = Sheet(table, "results/validation/early_excess.csv")
    return view("audit-performance", "Does the early excess find the truth when it is known?",
                sheet, columns, note=note, tools=False)  # fmt: skip


def decimal3(value: float) -> str:
    """Three decimals, with a proper minus."""
    return f"{value:.3f}".replace("-", "−")


def audit_sentences(judgements: pd.DataFrame) -> list[str]:
    """Count the judgements of withdrawal confounding."""
    own = judgements.loc[judgements["domain"] == "W"]
    if own.empty:
        return []
    counted = own["judgement"].value_counts()
    told = ", ".join(f"{name}: {count}" for name, count in counted.items())
    provisional = int(own["provisional"].astype(bool).sum())
    return [
        f"Withdrawal confounding of {len(own)} results ({told}). {provisional} of these judgements "
        "come from abstracts read by one reader; they are drawn hatched."
    ]
