"""The tables of the report: which columns of which results a reader sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from discontinuation.report import words as say
from discontinuation.report.cells import (
    Cell,
    Column,
    Link,
    Record,
    References,
    Sheet,
    TableView,
    anchor,
    identifier_links,
    is_missing,
    limits,
    number,
    split,
    tags,
    text,
    view,
    web_link,
    words,
)
from discontinuation.report.headline import headline_pools
from discontinuation.report.numbers import (
    Writer,
    already_percent,
    count,
    decimal,
    full,
    interval,
    of_measure,
    percent,
    plain,
    probability,
    signed,
    written,
)
from discontinuation.report.palette import class_name

Tables = Mapping[str, pd.DataFrame]


def sheet(tables: Tables, name: str) -> Sheet:
    """Take a results table with the name of its file."""
    folder = "evidence" if name in EVIDENCE else "evidence/tables"
    ending = "csv" if name in EVIDENCE else "parquet"
    return Sheet(tables[name], f"results/{folder}/{name}.{ending}")


EVIDENCE = (
    "trial_effects",
    "pooled",
    "small_study_effects",
    "leave_one_out",
    "early_share",
    "answerable",
    "extraction_agreement",
    "extraction_agreement_statistics",
    "counts",
    "same_trial_twice",
)


def references(tables: Tables) -> References:
    """Collect what the page has rows for."""
    sources = tables["sources"]
    return References(
        frozenset(zip(sources["collection"], sources["source"], strict=True)),
        frozenset(tables["studies"]["study"]),
    )


def _estimate(heading: str = "Estimate") -> Column:
    def cell(row: Record) -> Cell:
        return Cell(
            written(row["estimate"], of_measure(str(row["measure"]))), full(row["estimate"])
        )

    return Column(heading, cell, numeric=True)


def _of_row(row: Record) -> Writer:
    return of_measure(str(row["measure"]))


def _pair(names: tuple[str, str], heading: str) -> Column:
    """Show events of people, or the risk where there is no count."""
    events, people = names
    risk = events.replace("events", "risk")

    def cell(row: Record) -> Cell:
        if is_missing(row[events]) or is_missing(row[people]):
            return Cell(written(row.get(risk), percent), full(row.get(risk)))
        return Cell(
            f"{count(round(row[events], 1))}/{count(round(row[people], 1))}", full(row[risk])
        )

    return Column(heading, cell, numeric=True, meaning="Events of people; a risk where no count.")


def _study(refs: References) -> Column:
    def cell(row: Record) -> Cell:
        link = Link(str(row["title"]), "#" + anchor("study", row["study"]))
        return Cell(str(row["title"]), links=(link,) if row["study"] in refs.studies else ())

    return Column("Trial", cell)


def _class(name: str = "drug_class") -> Column:
    def cell(row: Record) -> Cell:
        return Cell("all classes" if row[name] == "all" else class_name(str(row[name])))

    return Column("Class", cell, choose=True)


def _how_stopped() -> Column:
    def cell(row: Record) -> Cell:
        parts = [f"{row[f'trials_{n}']:.0f} {w}" for n, w in HOW if row[f"trials_{n}"]]
        return Cell(", ".join(parts) or "–")

    return Column("How stopped", cell, meaning="Trials by how the drug was stopped.")


HOW = (
    ("abrupt", "abrupt"),
    ("taper", "taper"),
    ("several", "several ways"),
    ("unspecified", "not stated"),
)


def pooled_columns(*, sensitivity: bool = False) -> list[Column]:
    """Columns of a table of pools."""
    first: list[Column] = [_class()]
    if sensitivity:
        first += [text("set", "Trials and table", wide=True), text("rule", "Rule", choose=True)]
    else:
        first.append(_subgroup())
    return [
        *first,
        words("measure", "Measure", say.MEASURES, choose=True),
        number("trials", "Trials", count),
        number("people", "People", count, meaning="Where every trial of the pool says."),
        _estimate(),
        limits(("lower", "upper"), "Interval", _of_row),
        limits(("prediction_lower", "prediction_upper"), "New trial", _of_row,
               meaning="Prediction interval, from three trials on."),
        number("i2", "I²", already_percent),
        limits(("i2_lower", "i2_upper"), "I² interval", lambda _: already_percent),
        number("tau2", "τ²", decimal),
        limits(("tau2_lower", "tau2_upper"), "τ² interval", lambda _: decimal),
        _how_stopped(),
        words("allocation", "Allocation", choose=True),
        text("note", "Note", wide=True),
    ]  # fmt: skip


def _subgroup() -> Column:
    def cell(row: Record) -> Cell:
        if row["subgroup_by"] == "none":
            return Cell("all trials")
        kind = {"strategy": "stopped: ", "taper_band": "taper: "}[str(row["subgroup_by"])]
        name = say.STRATEGIES.get(str(row["subgroup"]), str(row["subgroup"]))
        return Cell(kind + name)

    return Column("Pool", cell)


def pooled_main(tables: Tables, outcome: str) -> TableView:
    """Pools of the main analysis, one kind of outcome, stopping against continuing."""
    results = sheet(tables, "pooled")
    frame = results.frame
    chosen = (
        (frame["role"] == "main")
        & (frame["contrast"] == "stop vs continue")
        & (frame["outcome_group"] == outcome)
    )
    title = {
        "relapse": "Relapse, stopped against continued: main analysis",
        "withdrawal": "Withdrawal, stopped against continued: pooled apart from relapse",
    }[outcome]
    return view(f"pooled-{outcome}", title, results.where(chosen), pooled_columns())


def pooled_others(tables: Tables) -> TableView:
    """The check and the sensitivity analyses beside the main pools."""
    results = sheet(tables, "pooled")
    frame = results.frame
    main = (frame["role"] == "main") & (frame["subgroup_by"] == "none")
    chosen = (
        (main | (frame["role"] != "main"))
        & (frame["contrast"] == "stop vs continue")
        & (frame["outcome_group"] == "relapse")
        & (frame["allocation"] == "randomised")
        & frame["measure"].isin(["risk_ratio", "odds_ratio"])
    )
    order = {"check": 0, "main": 1, "sensitivity": 2}
    ordered = results.where(chosen)
    ordered = Sheet(
        ordered.frame.sort_values("role", key=lambda c: c.map(order), kind="stable"), ordered.file
    )
    columns = pooled_columns(sensitivity=True)
    columns.insert(1, words("role", "Role", choose=True))
    columns.insert(-1, _reversed())
    note = (
        "The check pools the figures as first read. Continued against stopped is the same number "
        "seen from the other side."
    )
    return view("pooled-others", "As first read, corrected, and otherwise chosen", ordered, columns,
                note=note)  # fmt: skip


def _reversed() -> Column:
    def cell(row: Record) -> Cell:
        writer = of_measure(str(row["measure"]))
        shown = written(row["reversed_estimate"], writer)
        bounds = interval(row["reversed_lower"], row["reversed_upper"], writer)
        return Cell(f"{shown} ({bounds})", full(row["reversed_estimate"]))

    return Column("Continued against stopped", cell, numeric=True)


def pace(tables: Tables, refs: References) -> TableView:
    """Every effect of the pace of stopping."""
    results = sheet(tables, "trial_effects")
    chosen = results.frame["contrast"] != "stop vs continue"
    return view(
        "pace", "Abrupt against tapered, faster against slower", results.where(chosen),
        _effect_columns(refs, contrast=True),
    )  # fmt: skip


def effects(tables: Tables, refs: References) -> TableView:
    """Every effect of every trial."""
    return view(
        "trial-effects", "Every effect of every trial", sheet(tables, "trial_effects"),
        _effect_columns(refs, contrast=True),
    )  # fmt: skip


def _effect_columns(refs: References, contrast: bool) -> list[Column]:
    return [
        _study(refs),
        _class(),
        *([text("contrast", "Contrast", choose=True)] if contrast else []),
        words("strategy", "Stopped", say.STRATEGIES, choose=True),
        number("taper_days", "Taper, days", plain),
        words("outcome_type", "Outcome", choose=True),
        number("week", "Week", plain),
        _pair(("events_a", "n_a"), "First"),
        _pair(("events_b", "n_b"), "Second"),
        words("measure", "Measure", say.MEASURES, choose=True),
        _estimate(),
        limits(("lower", "upper"), "Interval", _of_row),
        number("tier", "Tier", count, meaning="4: two or more times; 5: one time or one number."),
        words("randomised", "Randomised", choose=True),
        words("pooled", "Pooled", choose=True),
        text("why_not", "Why not", wide=True),
        text("method", "Computed from", wide=True),
        words("basis", "Count", choose=True),
        tags("tag"),
        refs.source_column(),
    ]


def early(tables: Tables, refs: References) -> TableView:
    """The early share beside its benchmarks."""

    def share(row: Record) -> Writer:
        return decimal

    def excess(row: Record) -> Writer:
        return signed

    columns = [
        _study(refs),
        _class(),
        words("strategy", "Stopped", say.STRATEGIES),
        number("early_week", "Early, week", plain),
        number("end_week", "End, week", plain),
        number("gap_early", "Gap early", signed),
        number("gap_end", "Gap at end", signed),
        number("share", "Early share", decimal),
        limits(("share_lower", "share_upper"), "Interval", share),
        number("expected_share_proportional_hazards", "No withdrawal", decimal,
               meaning="Share expected under proportional hazards, with no withdrawal at all."),
        number("expected_share_linear", "Straight line", decimal),
        number("excess_share", "Excess", signed, meaning="Early share less no withdrawal."),
        limits(("excess_lower", "excess_upper"), "Interval", excess),
        number("window_end_days", "Window ends, day", plain),
        tags("window_tag", "Window's tag"),
        text("reading", "Reading", wide=True),
        text("interval_basis", "Interval rests on", wide=True),
        number("tier", "Tier", count),
        refs.source_column(),
    ]  # fmt: skip
    return view("early", "Early share of the difference", sheet(tables, "early_share"), columns)


def answerable(tables: Tables) -> TableView:
    """What can be answered, by class and window."""

    def factor(row: Record) -> Cell:
        value = row["window_factor"]
        return Cell("–" if is_missing(value) else f"× {plain(value)}", full(value))

    columns = [
        text("question", "Question", wide=True),
        _class(),
        Column("Window", factor, choose=True, meaning="Factor on the withdrawal window."),
        number("trials", "Asked", count),
        number("answering", "Answering", count),
        text("answer", "Answer"),
        text("answering_studies", "By", wide=True),
        text("missing", "What is missing", wide=True),
        text("figures", "Figures that would change it once digitised", wide=True),
    ]
    return view("answerable", "What can be answered", sheet(tables, "answerable"), columns)


def agreement(tables: Tables) -> TableView:
    """Agreement of the readings, by kind of field."""
    columns = [
        words("reading_pair", "Readings", say.READING_PAIRS, wide=True),
        words("field_group", "Field"),
        number("fields", "Fields", count),
        number("compared", "Compared", count),
        number("agree", "Agree", count),
        number("proportion", "Proportion", percent),
        limits(("lower", "upper"), "Interval", lambda _: percent),
        number("kappa", "Kappa", decimal),
        number("added_by_second", "Added", count, meaning="Blank in the first reading."),
        number("only_second", "Only second", count),
        number("not_readable", "Not readable", count),
    ]
    results = sheet(tables, "extraction_agreement_statistics")
    return view("agreement", "Agreement of two readings", results, columns, tools=False)


def disagreements(tables: Tables, refs: References) -> TableView:
    """Every field on which the readings differ."""
    results = sheet(tables, "extraction_agreement")
    chosen = results.frame["agreement"] == "disagree"
    return view(
        "disagreements", "Every disagreement", results.where(chosen), _reading_columns(refs)
    )


def readings(tables: Tables, refs: References) -> TableView:
    """All fields that were read twice."""
    columns = [*_reading_columns(refs), words("agreement", "Verdict", choose=True)]
    results = sheet(tables, "extraction_agreement")
    return view("readings", "All fields, side by side", results, columns)


def _reading_columns(refs: References) -> list[Column]:
    return [
        words("reading_pair", "Readings", say.READING_PAIRS, choose=True),
        _study_key(refs),
        text("arm", "Arm"),
        text("field", "Field"),
        text("first_value", "First"),
        text("second_value", "Second"),
        text("note", "Note", wide=True),
        Column("Read at", lambda row: web_link(row["url"]), wide=True),
    ]


def _study_key(refs: References) -> Column:
    return Column("Study", lambda row: refs.study_links(row["study"]))


def corrections(tables: Tables, refs: References) -> TableView:
    """Both values of every reconciled cell, and why."""
    columns = [
        text("table", "Table", choose=True),
        _study_key(refs),
        text("arm", "Arm"),
        text("column", "Column"),
        number("week", "Week", plain),
        text("first_value", "First"),
        text("second_value", "Second"),
        text("used_value", "Used"),
        words("decision", "Decision", choose=True),
        text("reason", "Why", wide=True),
        refs.source_column(),
    ]
    return view("corrections", "Corrections", sheet(tables, "corrections"), columns)


def same_trial(tables: Tables, refs: References) -> TableView:
    """Records that are, or look like, the same trial."""
    columns = [
        _study_key(refs),
        Column("Same as", lambda row: refs.study_links(row["same_as"])),
        text("collection", "Collection"),
        text("same_as_collection", "In"),
        text("reason", "Because of the"),
    ]
    return view("same-trial", "The same trial twice", sheet(tables, "same_trial_twice"), columns)


def counts(tables: Tables) -> TableView:
    """Rows as read and as used."""
    columns = [
        text("collection", "Collection"),
        text("table", "Table"),
        number("first_read", "First read", count),
        number("added", "Added", count),
        number("other_reader", "Other reader", count),
        number("used", "Used", count),
    ]
    return view("counts", "Rows read and used", sheet(tables, "counts"), columns, tools=False)


def studies(tables: Tables, refs: References) -> TableView:
    """All study records."""
    columns = [
        text("study", "Key"),
        text("title", "Title"),
        text("cohort", "Cohort", meaning="Records of the same people share it."),
        number("year", "Year", lambda year: f"{year:.0f}"),
        text("drug", "Drug"),
        _class(),
        words("design", "Design", choose=True),
        words("allocation_randomised", "Randomised", choose=True),
        words("pace_randomised", "Pace randomised", choose=True),
        words("blinding", "Blinding", choose=True),
        words("withdrawal_measured", "Withdrawal measured", choose=True),
        text("relapse_definition", "Relapse was", wide=True),
        text("note", "Note", wide=True),
        tags("tag"),
        refs.source_column(),
    ]
    return view(
        "studies", "Study records", sheet(tables, "studies"), columns,
        anchor=lambda row: anchor("study", row["study"]),
    )  # fmt: skip


def sources(tables: Tables) -> TableView:
    """All publications and pages that were read."""
    columns = [
        text("source", "Key"),
        text("citation", "Publication", wide=True),
        Column("Identifier", lambda row: identifier_links(row["identifier"])),
        Column("Read at", lambda row: web_link(row["url"]), wide=True),
        words("kind", "Kind", choose=True),
        text("note", "Note", wide=True),
    ]
    return view(
        "sources", "Sources", sheet(tables, "sources"), columns,
        anchor=lambda row: anchor("source", row["collection"], row["source"]),
    )  # fmt: skip


def small_study(tables: Tables) -> TableView:
    """Tests for small-study effects."""
    results = sheet(tables, "small_study_effects")
    columns = [
        text("contrast", "Contrast", choose=True),
        words("outcome_group", "Outcome"),
        words("measure", "Measure", say.MEASURES, choose=True),
        _class(),
        number("trials", "Trials", count),
        number("egger_t", "Egger's t", signed),
        number("egger_p", "P", probability),
        number("trials_filled", "Filled", count),
        number("filled_estimate", "Filled estimate", decimal),
        limits(("filled_lower", "filled_upper"), "Interval", lambda _: decimal),
        text("note", "Note", wide=True),
    ]
    return view("small-study", "Small-study effects", results, columns)


def headline_numbers(tables: Tables) -> TableView:
    """Pooled risk ratios of relapse, class by class, for the first screen."""
    frame = headline_pools(tables["pooled"]).reset_index()
    columns = [
        _class(),
        number("trials", "Trials", count),
        _estimate("Risk ratio"),
        limits(("lower", "upper"), "Interval", _of_row),
        limits(("prediction_lower", "prediction_upper"), "New trial", _of_row),
    ]
    file = sheet(tables, "pooled").file
    note = "One trial is not pooled; a new trial's range needs three."
    return view("headline", "Relapse after stopping, by class", Sheet(frame, file), columns,
                note=note, tools=False)  # fmt: skip


def finding_groups(findings: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Sort findings by the reading they support, each with its links."""
    groups: dict[str, list[dict[str, Any]]] = {name: [] for name in say.DIRECTIONS}
    for _, row in findings.iterrows():
        shown = {str(name): None if is_missing(value) else value for name, value in row.items()}
        cells = {"links": identifier_links(row["identifier"]), "tags": split(row["tag"])}
        groups[str(row["direction"])].append({**shown, **cells})
    return groups


def question_rows(answers: pd.DataFrame, factor: float) -> list[dict[str, Any]]:
    """Turn the answers to each question into one line for the first screen."""
    main = answers.loc[answers["window_factor"].isna() | (answers["window_factor"] == factor)]
    rows = []
    for question in main["question_id"].unique():
        mine = main.loc[main["question_id"] == question]
        overall = mine.loc[mine["drug_class"] == "all"].iloc[0]
        classes = mine.loc[mine["drug_class"] != "all"]
        rows.append(
            {
                "id": question,
                "question": overall["question"],
                "verdict": say.answered(int(overall["answering"]), int(overall["trials"])),
                "answering": int(overall["answering"]),
                "trials": int(overall["trials"]),
                "classes": [
                    (class_name(str(name)), int(a), int(t))
                    for name, a, t in zip(
                        classes["drug_class"], classes["answering"], classes["trials"], strict=True
                    )
                ],
                "missing": overall["missing"],
                "figures": [f for f in str(overall["figures"] or "").split(" | ") if f],
            }
        )
    return rows


def tags_used(tables: Tables, names: Sequence[str]) -> list[tuple[str, str]]:
    """Explain the provenance tags that occur."""
    used = {tag for name in names for cell in tables[name]["tag"].dropna() for tag in split(cell)}
    return [(tag, meaning) for tag, meaning in say.TAGS.items() if tag in used]
