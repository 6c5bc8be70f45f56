"""The trial that would settle it, as a page: its design, its power, and what it leaves open."""

from __future__ import annotations

from collections.abc import Mapping

from discontinuation.design.hypotheses import hypothesis_of
from discontinuation.design.trial_plan import TrialPlan
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
from discontinuation.report.design_words import (
    PRIORS,
    at_size,
    facts,
    hypotheses,
    labels,
    limits,
    size_sentence,
    visits_words,
)
from discontinuation.report.inline import FigureFiles
from discontinuation.report.numbers import (
    count,
    decimal,
    full,
    is_number,
    percent,
    plain,
    written,
)
from discontinuation.report.page import render_page, show_figure
from discontinuation.report.words import DOUBTFUL_TAGS, FIXED_STATEMENTS

CAPTION = (
    "Dots are simulated trials with bars of two Monte-Carlo errors (Wilson), lines the formula. "
    "Where a hypothesis is not true the line is dashed and the dots are open: that is the rate of "
    "false answers, which 2.5 % would be. Dotted: the power that is wanted and the "
    "recommended number."
)


def render_design(
    plan: TrialPlan, figure: FigureFiles, code: Mapping[str, str | None], digest: str
) -> str:
    """Write the page.

    Parameters
    ----------
    plan
        From `plan_trial`.
    figure
        From `draw_power`, saved.
    code
        From `provenance.describe_code`.
    digest
        SHA-256 of the design file.

    Returns
    -------
    str
        HTML. Everything that comes from the design file is escaped; the page may not ask for
        anything.
    """
    design = plan.power.design
    content = design.content
    name = str(content["design"])
    return render_page(
        "design.html",
        title=f"The trial that would settle it: {content['title']}",
        statements=FIXED_STATEMENTS,
        size=size_sentence(plan),
        facts=list(facts(design)),
        limits=list(limits(plan)),
        figure=show_figure(figure, "Power against people per arm", CAPTION, name),
        hypotheses=hypotheses(design),
        tables={
            "main": [_answers(plan, name)],
            "more": [
                _follow_up(plan, name),
                _visits(plan, name),
                _assurance(plan, name),
                _chosen_again(plan, name),
            ],
            "folded": [_plain_tests(plan, name), _all_sizes(plan, name)],
        },
        replicates=f"{content['replicates']:,}",
        code=code,
        seed=content["seed"],
        file=design.file,
        digest=digest,
        doubtful_tags=DOUBTFUL_TAGS,
    )


def _with_error(name: str, error: str, heading: str, meaning: str = "") -> Column:
    def cell(row: Record) -> Cell:
        shown = written(row[name], percent)
        if is_number(row[error]):
            shown += f" ± {written(row[error], percent)}"
        return Cell(shown, full(row[name]))

    return Column(heading, cell, meaning=meaning, numeric=True)


def _answers(plan: TrialPlan, name: str) -> TableView:
    rows = at_size(plan)
    ordered = plan.power.summary.query("kind == 'in order' and people_per_arm == @plan.size")
    reached = ordered.set_index(["truth", "test"])["simulated"]
    rows = rows.assign(
        truth_words=rows["truth"].map(labels(plan.power.design)),
        is_true=rows["true"].map({True: "yes", False: "no"}),
        in_order=[
            float(reached.loc[(truth, hypothesis_of(test))])
            for truth, test in zip(rows["truth"], rows["test"], strict=True)
        ],
    )
    columns = [
        text("truth_words", "What is true"),
        text("test", "Hypothesis"),
        text("quantity", "", wide=True),
        number("value", "Truth", decimal),
        text("is_true", "Holds"),
        _with_error("simulated", "mcse", "Simulated", "Share of trials ± Monte-Carlo error."),
        number("formula", "Formula", percent),
        number(
            "in_order",
            "In order",
            percent,
            meaning="Settled, with all hypotheses before it; of H3 by a side that holds.",
        ),
        number("failed", "Without a value", count),
    ]
    title = f"With {plan.size} people per arm"
    return view("answers", title, Sheet(rows, f"{name}/power.csv"), columns, tools=False)


def _follow_up(plan: TrialPlan, name: str) -> TableView:
    frame = plan.follow_up.assign(truth=plan.follow_up["truth"].map(labels(plan.power.design)))
    columns = [
        text("truth", "What is true"),
        text("arm", "Arm"),
        number("days_formula", "Formula", plain),
        number("days_daily", "Daily scheme", plain),
        number("followed_days", "Followed after the last dose", plain),
        number("people_for_80", "People per arm for 80 late events", count),
    ]
    note = (
        "Days after the last dose until the withdrawal hazard is below 5 % of the hazard of "
        "relapse. 80 events after that, in this arm and the maintained one, give a hazard ratio "
        "whose limits are 2.4 apart."
    )
    sheet = Sheet(frame, f"{name}/follow_up.csv")
    return view("follow-up", "How long after the taper", sheet, columns, note=note, tools=False)


def _visits(plan: TrialPlan, name: str) -> TableView:
    columns = [
        number("visit_days", "Days between visits", plain),
        number("visits_per_person", "Visits per person", plain),
        text("test", "Hypothesis"),
        number("formula", "Formula", percent),
        _with_error("simulated", "mcse", "Simulated"),
        number("people_needed", "People per arm needed", count),
        number("expected_share", "Share that H4 would find", decimal),
        number("looks_on", "Last visit by its look, day", plain),
    ]
    sheet = Sheet(plan.visits, f"{name}/visits.csv")
    return view(
        "visits", "The cost of fewer visits", sheet, columns, note=visits_words(plan), tools=False
    )


def _assurance(plan: TrialPlan, name: str) -> TableView:
    frame = plan.assured.summary.query("people_per_arm == @plan.size")
    prior = plan.power.design.content["assurance"]
    medians = ", ".join(f"{words_} {prior[key]['median']:g}" for key, words_ in PRIORS.items())
    columns = [
        text("test", "Hypothesis"),
        _with_error("assurance", "mcse", "Assurance", "Power averaged over the priors."),
        number("enough", "Draws with the wanted power", percent),
        number("draws", "Draws", count),
    ]
    sheet = Sheet(frame, f"{name}/assurance.csv")
    note = f"Priors are proposals (P) with medians: {medians}."
    title = f"Assurance with {plan.size} people per arm"
    return view("assurance", title, sheet, columns, note=note, tools=False)


def _chosen_again(plan: TrialPlan, name: str) -> TableView:
    again = plan.chosen_again
    frame = again.summary.assign(truth=again.summary["truth"].map(labels(plan.power.design)))
    columns = [
        text("truth", "What is true"),
        text("test", "Hypothesis"),
        number("size_median", "Chosen size, median", count),
        number("size_low", "10th percentile", count),
        number("size_high", "90th percentile", count),
        _with_error("fixed", "fixed_mcse", "As planned"),
        _with_error("reestimated", "reestimated_mcse", "With the chosen size"),
    ]
    note = (
        f"When {again.interim} people per arm have finished, the events of all arms together and "
        "how many raters call withdrawal choose the size again, between "
        f"{again.planned} and {again.largest} per arm. Nobody learns anything about an arm."
    )
    sheet = Sheet(frame, f"{name}/reestimation.csv")
    return view(
        "reestimation", "Choosing the size again, blinded", sheet, columns, note=note, tools=False
    )


def _plain_tests(plan: TrialPlan, name: str) -> TableView:
    frame = plan.power.summary.query("kind == 'test' and people_per_arm == @plan.size")
    frame = frame.assign(truth=frame["truth"].map(labels(plan.power.design)))
    columns = [
        text("truth", "What is true", choose=True),
        text("contrast", "Contrast", choose=True),
        text("test", "Test", choose=True),
        _with_error("simulated", "mcse", "Simulated"),
        number("formula", "Formula", percent),
        number("failed", "Without a value", count),
    ]
    title = f"Comparisons of two arms, {plan.size} people per arm"
    return view("plain", title, Sheet(frame, f"{name}/power.csv"), columns)


def _all_sizes(plan: TrialPlan, name: str) -> TableView:
    frame = plan.power.summary.query("kind != 'test'")
    frame = frame.assign(truth=frame["truth"].map(labels(plan.power.design)))
    columns = [
        number("people_per_arm", "People per arm", count),
        text("truth", "What is true", choose=True),
        words("kind", "Tested", choose=True),
        text("test", "Hypothesis", choose=True),
        _with_error("simulated", "mcse", "Simulated"),
        number("formula", "Formula", percent),
    ]
    return view("sizes", "Every size", Sheet(frame, f"{name}/power.csv"), columns)
