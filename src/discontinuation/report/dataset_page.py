"""The page of one dataset: what is in it, how it was read, and what cannot be said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from discontinuation.describe.given import arms_in_order, complete
from discontinuation.report import dataset_views as views
from discontinuation.report import dataset_words as say
from discontinuation.report.around import SYNTHETIC
from discontinuation.report.cells import TableView
from discontinuation.report.classification_views import classification_tables, evidence_words
from discontinuation.report.exposure_views import exposure_tables
from discontinuation.report.inline import FigureFiles
from discontinuation.report.page import render_page, show_figure
from discontinuation.report.survival_views import survival_tables
from discontinuation.report.words import DOUBTFUL_TAGS, FIXED_STATEMENTS

FIGURES = {
    "flow_chart": (
        "Where the people went",
        "One column of boxes per arm. In each box below the first the counts add up to the people "
        "in the data.",
    ),
    "person_time": (
        "Time of observation",
        "Person-years of each arm, divided by the dose at the time. The highest "
        "dose is the highest up to then; no phase looks ahead.",
    ),
    "event_rates": (
        "Crude rates of getting worse",
        "First events per 100 person-years with exact Poisson intervals, when the definition was "
        "met: diamonds for whole arms, dots for phases, arrows where intervals leave the axis. "
        "Phases follow one another in time, so their rates differ for more reasons than the dose.",
    ),
    "dose_trajectories": (
        "Doses of each arm",
        "The drug that most people of an arm had: median, middle half and middle four fifths of "
        "the doses among people whose dose is known on the day; their number stands below. The "
        "dashed line is the median of what was "
        "planned. Days on which hardly anybody's dose is known (one in ten) are not drawn.",
    ),
    "single_cases": (
        "Doses person by person",
        "Each step as taken and as planned, the days with a rating, and when a definition was met.",
    ),
    "missingness": (
        "Ratings made and missing",
        "The number of people rated, shaded by their share of those under observation.",
    ),
    "missingness_people": (
        "Ratings made and missing, person by person",
        "Shaded by the number of ratings, or by whether a planned visit was rated.",
    ),
    "swimmer": (
        "People one by one",
        "One line per person, by arm and length of observation; the shade is the dose relative to "
        "the person's highest. Filled marks are recorded in the data, open ones were derived; a "
        "line joins a mark to the first worsening.",
    ),
}
EXPOSURE_FIGURES = {
    "arms": (
        "Dose, occupancy and drive of each arm",
        "Median, middle half and middle four fifths of the people. The drive is how far occupancy "
        "has fallen below what people have adapted to; it is computed from doses, not observed.",
    ),
    "bands": (
        "How much hangs on the numbers of the drug",
        "The median person of each arm, with half-life and K drawn from their ranges, and with the "
        "longer half-life of slow metabolisers.",
    ),
    "cases": (
        "Dose, occupancy and drive person by person",
        "The drive is computed from doses, not observed.",
    ),
}
SURVIVAL_FIGURES = {
    "event_free": (
        "Without deterioration over time",
        "Kaplan-Meier, with numbers at risk and the withdrawal window shaded. Every deterioration "
        "counts, whatever its cause.",
    ),
    "causes": (
        "Which cause came first",
        "Aalen-Johansen, stacked: the crude risk of each cause as it was judged.",
    ),
    "hazards": (
        "Hazards, and their ratio over time",
        "Smoothed. Where the ratio falls after the withdrawal window, depletion of those at high "
        "risk does the same as withdrawal that is over.",
    ),
    "estimates": (
        "The estimands side by side",
        "What is refused is listed with the reason.",
    ),
}
CLASSIFICATION_FIGURES = {
    "labels": (
        "What each published rule set says",
        "Deteriorations by label. A rule that looks at timing alone calls every early relapse "
        "withdrawal; one that asks for what was not recorded can say nothing.",
    ),
    "agreement": (
        "Do the rule sets agree?",
        "Labelled withdrawal or not: Gwet's AC1 below the diagonal, the number "
        "that both could label above it.",
    ),
    "profiles": (
        "Symptoms by cause",
        "How often each symptom is new or worse, as the model learned it; bars: intervals.",
    ),
    "reliability": ("Probability against what raters say", "The diagonal is perfect calibration."),
    "decision_curve": (
        "What is it worth to decide by the probability?",
        "Net benefit against the raters' labels, from each limit on from which a deterioration "
        "would be called withdrawal. A limit t says that calling a relapse withdrawal is "
        "t / (1 - t) times as bad as calling a withdrawal relapse.",
    ),
    "events_by_time": (
        "Deteriorations by time since the last reduction",
        "Coloured by the probability of withdrawal, under the model.",
    ),
    "events_by_person": (
        "People one by one",
        "Shades: dose relative to the person's highest. Each classified deterioration stands "
        "where it was detected, joined to its onset, in the colour of its probability; without "
        "one it is open.",
    ),
    "cases": (
        "How much hangs on the priors?",
        "Dot: central prior. Thick bar: one prior moved. Thin line: every combination of low, "
        "central and high priors. Left of the first dotted line the decision would be relapse, "
        "right of the second withdrawal.",
    ),
    "verdicts": ("Every verdict", "One column per deterioration, one row per rule set."),
}
# Figures and the tables without which a section has something to say about what is missing.
SECTIONS = {
    "flow": (("flow_chart",), ("people", "arms", "follow_up")),
    "time": (("person_time", "event_rates"), ("follow_up", "deteriorations", "doses")),
    "doses": (("dose_trajectories", "single_cases"), ("doses", "planned_doses")),
    "ratings": (("missingness", "missingness_people"), ("assessments",)),
    "individuals": (("swimmer",), ()),
}


def render_dataset_report(
    dataset: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    summaries: Mapping[str, pd.DataFrame],
    checks: pd.DataFrame,
    figures: Sequence[FigureFiles],
    methods: Sequence[str],
    code: Mapping[str, str | None],
    inputs: Mapping[str, str],
    symptoms: Mapping[str, pd.DataFrame] | None = None,
    symptom_figures: Sequence[FigureFiles] = (),
    exposure: Mapping[str, pd.DataFrame] | None = None,
    exposure_figures: Sequence[FigureFiles] = (),
    survival: Mapping[str, pd.DataFrame] | None = None,
    survival_figures: Sequence[FigureFiles] = (),
    classification: Mapping[str, pd.DataFrame] | None = None,
    classification_figures: Sequence[FigureFiles] = (),
) -> str:
    """Write the page of a dataset.

    Parameters
    ----------
    dataset
        The content of its declaration (title, description, notices, licence, citation, terms,
        synthetic, smallest_cell, individual_figures, time, instruments, events, estimands), with
        `name`, and `readings`: sentences on how the files were read.
    tables
        Canonical tables; any may be missing. Nothing about single people is taken from them.
    summaries
        From `summarise`, masked; others that are there too are shown as they are.
    checks
        One row per step of reading: step, table, rows_before, rows_after, note.
    figures
        SVG and PNG of each figure. Those of `FIGURES` stand in their sections, others follow.
    methods
        Paragraphs, ready to be pasted; `dataset_words.methods` writes them.
    code
        From `provenance.describe_code`.
    inputs
        SHA-256 of each input file.
    symptoms, symptom_figures
        Tables and figures of the symptoms around dose steps, masked.
    exposure, exposure_figures
        Tables (with the `notes`) and figures of how the drugs left, masked.
    survival, survival_figures
        Tables and figures of the declared estimands, masked.
    classification, classification_figures
        Tables and figures of what the deteriorations were, masked.

    Returns
    -------
    str
        HTML. Everything that comes from the dataset is escaped; the page may not ask for anything.
    """
    name = str(dataset["name"])
    arms = arms_in_order(complete(tables))
    labels = dict(zip(arms["arm"], arms["label"], strict=True))
    names = say.definition_names(dataset, tables.get("deteriorations"))
    folder = f"{views.results_folder(name)}/figures"
    drawn = {figure.name: show_figure(figure, *_caption(figure.name), folder) for figure in figures}
    placed = {figure for shown, _ in SECTIONS.values() for figure in shown}
    return render_page(
        "dataset.html",
        title=str(dataset["title"]),
        dataset={"description": "", "terms": "", "notices": [], **dataset},
        name=name,
        synthetic=SYNTHETIC if dataset.get("synthetic") else "",
        statements=FIXED_STATEMENTS,
        about=say.about_studies(tables.get("studies")),
        masking=say.masking_note(dataset),
        no_individuals="" if say.shows_individuals(dataset) else say.why_no_individuals(dataset),
        lacking={
            key: say.missing_in_section(tables, needed) for key, (_, needed) in SECTIONS.items()
        },
        glance=views.at_a_glance(summaries, arms, names, name),
        sections=_sections(dataset, tables, summaries, checks, labels),
        figures={
            key: [drawn[figure] for figure in shown if figure in drawn]
            for key, (shown, _) in SECTIONS.items()
        },
        symptoms=[
            show_figure(
                figure, *_symptom_caption(figure.name), f"{views.results_folder(name)}/symptoms"
            )
            for figure in symptom_figures
        ],
        symptom_tables=views.plain_tables(
            "symptoms", symptoms or {}, f"{views.results_folder(name)}/symptoms"
        ),
        exposure=[
            show_figure(
                figure, *_exposure_caption(figure.name), f"{views.results_folder(name)}/exposure"
            )
            for figure in exposure_figures
        ],
        exposure_tables=_exposure_tables(exposure, labels, name),
        survival=[
            show_figure(
                figure, *_survival_caption(figure.name), f"{views.results_folder(name)}/survival"
            )
            for figure in survival_figures
        ],
        survival_tables=survival_tables(survival, labels, f"{views.results_folder(name)}/survival")
        if survival
        else [],
        classification=[
            show_figure(
                figure,
                *CLASSIFICATION_FIGURES.get(figure.name, (figure.name.capitalize(), "")),
                f"{views.results_folder(name)}/classification",
            )
            for figure in classification_figures
        ],
        classification_tables=classification_tables(
            classification, f"{views.results_folder(name)}/classification"
        )
        if classification
        else [],
        evidence=evidence_words(classification or {}),
        further=[figure for key, figure in drawn.items() if key not in placed],
        further_tables=views.further(summaries, name),
        estimands=[_estimand(each, labels) for each in dataset.get("estimands") or []],
        readings=list(dataset.get("readings") or []),
        methods=list(methods),
        code=code,
        inputs=inputs,
        doubtful=DOUBTFUL_TAGS,
    )


def _symptom_caption(figure: str) -> tuple[str, str]:
    """Explain a figure of symptoms by the kind its name begins with."""
    kind, _, rest = figure.partition("_")
    title = rest.replace("_", " ").capitalize()
    if kind == "case":
        return title, (
            "One person: the dose on top, below it each day's answer, a moving mean, and the "
            "mean at each dose with an interval that allows for neighbouring days being alike."
        )
    return title, (
        "Means of the people's means with their interval. Below, how many were rated of those "
        "followed. What changes around a step is described here, whatever caused it."
    )


def _exposure_caption(figure: str) -> tuple[str, str]:
    """Explain a figure of exposure by the kind its name begins with."""
    kind, _, drug = figure.partition("_")
    title, words = EXPOSURE_FIGURES[kind]
    return f"{title}: {drug.replace('_', ' ')}", words


def _survival_caption(figure: str) -> tuple[str, str]:
    kind = next((key for key in SURVIVAL_FIGURES if figure.startswith(key)), "")
    return SURVIVAL_FIGURES.get(kind, (figure.replace("_", " ").capitalize(), ""))


def _exposure_tables(
    exposure: Mapping[str, pd.DataFrame] | None, labels: Mapping[str, str], name: str
) -> list[TableView]:
    if not exposure:
        return []
    tables = {key: table for key, table in exposure.items() if key != "notes"}
    folder = f"{views.results_folder(name)}/exposure"
    return exposure_tables(tables, exposure["notes"], labels, folder)


def _caption(figure: str) -> tuple[str, str]:
    return FIGURES.get(figure, (figure.replace("_", " ").capitalize(), ""))


def _sections(
    dataset: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    summaries: Mapping[str, pd.DataFrame],
    checks: pd.DataFrame,
    labels: Mapping[str, str],
) -> dict[str, TableView]:
    """Make every table of the page."""
    name = str(dataset["name"])
    definitions = say.definition_names(dataset, tables.get("deteriorations"))
    instruments = say.instrument_names(dataset)
    made = [
        views.studies(complete(tables), name),
        views.flow(summaries, labels, name),
        views.observation(summaries, labels, name),
        views.event_rates(summaries, labels, definitions, name),
        views.plan_agreement(summaries, labels, name),
        views.instruments(summaries, instruments, name),
        views.ratings(summaries, labels, instruments, name),
        views.missing_columns(summaries, name),
        views.tables_filled(summaries, name),
        views.steps(checks, say.smallest_cell(dataset), name),
    ]
    return {table.key: table for table in made}


def _estimand(each: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """Write an estimand by its attributes (ICH E9(R1))."""
    kind = str(each["id"])
    return {
        "id": kind,
        "title": say.ESTIMANDS.get(kind, ""),
        "population": each["population"],
        "treatment": [(labels.get(arm, arm), text) for arm, text in each["treatment"].items()],
        "variable": each["variable"],
        "events": [
            (_words(event["event"]), _words(event["strategy"]), event.get("reason", ""))
            for event in each["intercurrent_events"]
        ],
        "summary": each["summary"],
    }


def _words(key: str) -> str:
    return str(key).replace("_", " ")
