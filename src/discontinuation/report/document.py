"""The report: one HTML file that works without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from discontinuation.report import views
from discontinuation.report import words as say
from discontinuation.report.audit_views import audit_sentences, audit_tables
from discontinuation.report.cells import TableView
from discontinuation.report.exposure_views import (
    coverage_table,
    published_pace_tables,
    published_sentences,
)
from discontinuation.report.headline import headline_pools
from discontinuation.report.inline import FigureFiles
from discontinuation.report.page import render_page, show_figure
from discontinuation.tables.comparisons import STOPPED

FIGURES = {
    "forest": (
        "Relapse after stopping, randomised trials",
        "Each square is a trial, its size the precision; colour says how the drug was stopped. The "
        "diamond is the pooled risk ratio with its interval, the bar beneath it where a new trial "
        "would be expected.",
    ),
    "early_share": (
        "How much of the difference is early",
        "The dot is the share of the final difference that is already there at the early time, the "
        "open diamond the share that proportional hazards would give with no withdrawal at all.",
    ),
    "published_pace": (
        "How fast published arms can have stopped",
        "Each mark is a schedule that an arm can have had; the line is their range. An arrow says "
        "that the printed length is a minimum. Arms whose length is not printed are left out.",
    ),
    "event_free": (
        "Without relapse over time, every arm with data",
        "Classes of drugs from top to bottom, what was done with the drug from left to right. "
        "Straight lines join what is published and claim nothing about the time between.",
    ),
    "evidence_map": (
        "What the evidence looks like",
        "One mark for each way in which an independent cohort stopped a drug, at its longest "
        "follow-up.",
    ),
    "traffic_lights": (
        "Risk of bias, result by result",
        "RoB 2, with withdrawal confounding apart: it never enters the overall judgement. Hatched: "
        "from abstracts, by one reader. No information is turned into a judgement as the guidance "
        "of RoB 2 asks, which makes most of them high.",
    ),
    "judgement_bars": (
        "Risk of bias by domain",
        "Share of the results with each judgement; hatched as above.",
    ),
    "funnel": (
        "Small trials and missing ones",
        "Shaded regions are levels of P around no difference. Missing trials in the white region "
        "point to selective publication, elsewhere to other causes.",
    ),
}


def render_report(
    tables: Mapping[str, pd.DataFrame],
    figures: Sequence[FigureFiles],
    config: Mapping[str, Any],
    code: Mapping[str, str | None],
    inputs: Mapping[str, str],
    datasets: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Write the report.

    Parameters
    ----------
    tables
        Results tables and current evidence tables, by name.
    figures
        Every figure, as SVG and PNG.
    config
        The completed configuration.
    code
        From `provenance.describe_code`.
    inputs
        SHA-256 of each input file.
    datasets
        name, title, description, synthetic and notices of each dataset with a page of its own.

    Returns
    -------
    str
        HTML. Everything that comes from data is escaped; the page may not ask for anything.
    """
    return render_page(
        "document.html",
        title=config["title"],
        statements=say.FIXED_STATEMENTS,
        first=first_screen(tables, config["evidence"]),
        sections=sections(tables),
        sentences=sentences(tables, config["evidence"]),
        findings=views.finding_groups(tables["findings"]),
        directions=say.DIRECTIONS,
        tags=views.tags_used(tables, ("studies", "results", "effects", "findings")),
        doubtful=say.DOUBTFUL_TAGS,
        figures={figure.name: show_figure(figure, *FIGURES[figure.name]) for figure in figures},
        methods=say.methods(config["evidence"]),
        seed=config["seed"],
        code=code,
        inputs=inputs,
        collections=config["evidence"]["sources"],
        datasets=datasets,
    )


def first_screen(tables: Mapping[str, pd.DataFrame], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what a reader sees first: what can be answered, and the headline numbers."""
    questions = views.question_rows(tables["answerable"], settings["window_factors"][0])
    unanswered = sum(question["answering"] == 0 for question in questions)
    pools = headline_pools(tables["pooled"])
    overall = [dict(row) for name, row in pools.iterrows() if name == "all"]
    differences = _risk_differences(tables["pooled"])
    return {
        "questions": questions,
        "summary": say.answer_summary(unanswered, len(questions)),
        "sentences": [
            *(say.ratio_headline(row, settings["confidence"]) for row in overall),
            *(say.difference_headline(row, settings["confidence"]) for row in differences),
        ],
        "numbers": views.headline_numbers(tables),
        "stopping": [say.stopping_stated(row) for row in overall],
        "arms": _arms_stated(tables["arms"]),
    }


def _risk_differences(pooled: pd.DataFrame) -> list[dict[str, Any]]:
    chosen = pooled.loc[
        (pooled["role"] == "main")
        & (pooled["contrast"] == "stop vs continue")
        & (pooled["outcome_group"] == "relapse")
        & (pooled["measure"] == "risk_difference")
        & (pooled["allocation"] == "randomised")
        & (pooled["drug_class"] == "all")
        & (pooled["subgroup_by"] == "none")
    ]
    return [{str(k): v for k, v in row.items()} for _, row in chosen.iterrows()]


def _arms_stated(arms: pd.DataFrame) -> str:
    stopped = arms.loc[(arms["use"] == "include") & arms["strategy"].isin(STOPPED)]
    return say.arms_stated(len(stopped), int((stopped["strategy"] == "unspecified").sum()))


def sections(tables: Mapping[str, pd.DataFrame]) -> dict[str, TableView]:
    """Make every table of the page."""
    refs = views.references(tables)
    made = [
        views.answerable(tables),
        views.pooled_main(tables, "relapse"),
        views.pooled_main(tables, "withdrawal"),
        views.pooled_others(tables),
        views.small_study(tables),
        views.pace(tables, refs),
        views.early(tables, refs),
        views.agreement(tables),
        views.disagreements(tables, refs),
        views.readings(tables, refs),
        views.corrections(tables, refs),
        views.same_trial(tables, refs),
        views.counts(tables),
        views.effects(tables, refs),
        views.studies(tables, refs),
        views.sources(tables),
        *audit_tables(tables),
        *published_pace_tables(tables, "results/evidence"),
        coverage_table(tables["drug_coverage"], "results/evidence/drug_coverage.csv"),
    ]
    return {table.key: table for table in made}


def sentences(
    tables: Mapping[str, pd.DataFrame], settings: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Write the sentences that lead each section."""
    early = tables["early_share"].loc[tables["early_share"]["use"] == "include"]
    inside = early.loc[early["inside_window"].astype(bool)]
    known = inside["excess_lower"].notna()
    above = int((inside["excess_lower"] > 0).sum())
    below = int((inside["excess_upper"] < 0).sum())
    either = int(known.sum()) - above - below
    lead = [say.early_counts(above, below, either, int((~known).sum()))]
    if len(early) > len(inside):
        lead.append(say.outside_counts(len(early) - len(inside)))
    answers = tables["answerable"]
    paces = answers.loc[(answers["question_id"] == "pace") & (answers["drug_class"] == "all")]
    agreements = tables["extraction_agreement_statistics"]
    return {
        "early": lead,
        "pace": [
            say.pace_answer(int(row["answering"]), int(row["trials"]))
            for _, row in paces.iterrows()
        ],
        "audits": audit_sentences(tables["judgements"]),
        "published_pace": published_sentences(tables["published_authors"]),
        "robust": _robustness(tables),
        "agreement": [
            say.agreement(dict(row))
            for _, row in agreements.loc[agreements["field_group"] == "all"].iterrows()
        ],
    }


def _robustness(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Say how far the headline moves with one trial, and what small trials do."""
    found = []
    left = headline_pools(tables["leave_one_out"])
    if "all" in left.index:
        rows = left.loc[["all"]]
        lowest, highest = float(rows["estimate"].min()), float(rows["estimate"].max())
        found.append(say.left_out_range(lowest, highest, len(rows)))
    tests = headline_pools(tables["small_study_effects"])
    if "all" in tests.index:
        found.append(say.small_study(dict(tests.loc[["all"]].iloc[0])))
    return found
