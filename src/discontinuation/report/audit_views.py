"""The tables of audits in the report: each result's judgements, and withdrawal confounding."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from discontinuation.report.cells import Sheet, TableView, text, view, words

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
    return [
        view("audit-withdrawal", "Withdrawal confounding, result by result",
             Sheet(withdrawal, f"{FOLDER}/domain_w.csv"), own, note=note),
        view("audit-judgements", "Every judgement of every result",
             Sheet(judgements, f"{FOLDER}/judgements.csv"), domains),
    ]  # fmt: skip


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
