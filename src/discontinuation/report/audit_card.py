"""The audit card of one trial as a page."""

from __future__ import annotations

from collections.abc import Mapping

from discontinuation.audit.card import AuditCard
from discontinuation.report.cells import Cell, Column, Record, Sheet, TableView, limits, text, view
from discontinuation.report.inline import FigureFiles
from discontinuation.report.numbers import Writer, full, plain, written
from discontinuation.report.page import render_page, show_figure
from discontinuation.report.words import DOUBTFUL_TAGS, FIXED_STATEMENTS

CAPTION = (
    "Top: how the drug was stopped, the withdrawal window (shaded) and when symptoms were rated. "
    "Middle: what was read from the publication, and the people reconstructed from it. Bottom: the "
    "share of the difference that is early (dots) beside what would be expected with no "
    "withdrawal at all (diamonds)."
)


def render_card(
    card: AuditCard,
    figure: FigureFiles,
    code: Mapping[str, str | None],
    digest: str,
    seed: int,
) -> str:
    """Write the page.

    Parameters
    ----------
    card
        From `audit_card`.
    figure
        From `draw_card`, saved.
    code
        From `provenance.describe_code`.
    digest
        SHA-256 of the study file.
    seed
        That was used.

    Returns
    -------
    str
        HTML. Everything that comes from the study file is escaped; the page may not ask for
        anything.
    """
    content = card.study.content
    name = str(content["study"])
    return render_page(
        "card.html",
        title=f"Audit card: {content['title']}",
        citation=content["citation"],
        statements=FIXED_STATEMENTS,
        verdict=card.verdict,
        tier=card.tier,
        claim=card.claim,
        judgement=card.judgement,
        either_way=card.either_way,
        read=content["read"],
        labels=dict(card.removal.labels),
        removal=card.removal.reason + ".",
        doubtful=card.removal.doubtful,
        early=f"{card.early:g}",
        window_rule=card.window_rule,
        would_change=card.would_change,
        tipping=card.tipping,
        figure=show_figure(figure, "The trial at a glance", CAPTION, name),
        tables=_tables(card, name),
        notes=card.notes,
        code=code,
        seed=seed,
        file=card.study.file,
        digest=digest,
        doubtful_tags=DOUBTFUL_TAGS,
    )


def _tables(card: AuditCard, name: str) -> list[TableView]:
    made = [_measures(card, name), _answers(card, name)]
    if len(card.removal.quantities):
        made.append(_removal(card, name))
    if len(card.quality):
        made.append(_quality(card, name))
    return made


def _measures(card: AuditCard, name: str) -> TableView:
    def writer(row: Record) -> Writer:
        return plain

    def estimate(row: Record) -> Cell:
        return Cell(written(row["estimate"], plain), full(row["estimate"]))

    columns = [
        text("measure", "Measure"),
        Column("Estimate", estimate, numeric=True),
        limits(("lower", "upper"), "95 % interval", writer),
        text("method", "Method", wide=True),
    ]
    sheet = Sheet(card.measures, f"{name}/measures.csv")
    return view(
        "card-measures", "What is early, beside its benchmarks", sheet, columns, tools=False
    )


def _answers(card: AuditCard, name: str) -> TableView:
    columns = [
        text("question", "Question"),
        text("prompt", "", wide=True),
        text("answer", "Answer"),
        text("reason", "Reason", wide=True),
        text("source", "Source"),
    ]
    note = "Every question is worded so that yes reassures. W1 and W8 are computed."
    sheet = Sheet(card.answers, f"{name}/answers.csv")
    return view(
        "card-answers", "Domain W, answer by answer", sheet, columns, note=note, tools=False
    )


def _removal(card: AuditCard, name: str) -> TableView:
    columns = [
        text("quantity", "Quantity"),
        Column("From", lambda row: Cell(written(row["lowest"], plain)), numeric=True),
        Column("To", lambda row: Cell(written(row["highest"], plain)), numeric=True),
    ]
    known = {
        "steps": "The steps are known.",
        "length": "Only the length is known: the range over a few plausible schedules of it.",
        "nothing": "",
    }[card.removal.known]
    table = card.removal.quantities.assign(
        quantity=card.removal.quantities["quantity"].str.replace("_", " ")
    )
    sheet = Sheet(table, f"{name}/removal.csv")
    return view("card-removal", "How fast the drug left", sheet, columns, note=known, tools=False)


def _quality(card: AuditCard, name: str) -> TableView:
    columns = [
        text("arm", "Arm"),
        text("check", "Check"),
        text("verdict", "Verdict"),
        text("sentence", "Why", wide=True),
    ]
    sheet = Sheet(card.quality, f"{name}/reconstruction.csv")
    return view("card-quality", "How good the reconstruction is", sheet, columns, tools=False)
