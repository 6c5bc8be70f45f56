"""The trial that would settle it, as a page: its design, its power, and what it leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from discontinuation.design.design_file import TrialDesign
from discontinuation.design.hypotheses import (
    MAINTAINED,
    NON_INFERIOR,
    WORDS,
    hypothesis_of,
)
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
from discontinuation.report.inline import FigureFiles
from discontinuation.report.numbers import (
    count,
    decimal,
    full,
    is_number,
    percent,
    plain,
    whole_percent,
    written,
)
from discontinuation.report.page import render_page, show_figure
from discontinuation.report.words import DOUBTFUL_TAGS, FIXED_STATEMENTS

CAPTION = (
    "Dots are simulated trials with bars of two Monte-Carlo errors, lines the formula. Where a "
    "hypothesis is not true the line is dashed and the dots are open: that is the rate of false "
    "answers, which 2.5 % would be. Dotted: the power that is wanted and the recommended number."
)
HOW = {
    "H1": "Score test of the withdrawal drive in a Cox model of all arms that also has the loss of "
    "protection, on the clock that starts with the reduction, real or sham.",
    "H2": "Cumulative hazards of withdrawal at the end, abrupt minus taper. Were the "
    "withdrawal hazard linear in the drive, every taper would only spread it and they would be "
    "equal.",
    "H3": "Difference of the net risks of relapse, taper minus maintenance, withdrawal as "
    "censoring: not inferior if the upper limit is below the margin, maintenance better if "
    "the lower limit is above 0.",
    "H4": "Excess hazard of withdrawal against the share of the excess of any deterioration, "
    "abrupt against maintained (Fieller).",
}
LOW = 0.8  # power below which a page says that a truth may be missed
INFLATED = 0.05  # false answers above which it says so: twice what is asked for


def labels(design: TrialDesign) -> dict[str, str]:
    """Each truth in words."""
    return {name: truth["label"] or name for name, truth in design.content["truths"].items()}


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
    tested = content["hypotheses"]["tested"]
    name = str(content["design"])
    return render_page(
        "design.html",
        title=f"The trial that would settle it: {content['title']}",
        statements=FIXED_STATEMENTS,
        size=size_sentence(plan),
        facts=list(_facts(plan)),
        limits=list(limits(plan)),
        figure=show_figure(figure, "Power against people per arm", CAPTION, name),
        hypotheses=[(one, f"{_sentence(WORDS[one])} {HOW[one]}") for one in tested],
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


def _sentence(phrase: str) -> str:
    return f"{phrase[:1].upper()}{phrase[1:]}."


def size_sentence(plan: TrialPlan) -> str:
    """Say how many people are needed, or that no number that was tried is enough."""
    design = plan.power.design
    wanted = design.content["hypotheses"]["power"]
    goal = f"a power of at least {wanted:g} for {_listed(design.wanted)}, if the truth is "
    goal += f"“{labels(design)[design.planned_for]}”"
    if plan.power.recommended is None:
        return f"None of the sizes that were tried, up to {plan.size} per arm, has {goal}."
    arms = len(design.arms)
    return f"{plan.size} people per arm, {plan.size * arms:,} in all, have {goal}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _facts(plan: TrialPlan) -> Iterator[tuple[str, str]]:
    design = plan.power.design
    content, follow = design.content, design.content["follow_up"]
    yield "Arms", "; ".join(_arm_words(arm) for arm in content["arms"])
    yield "Drug", f"{content['drug']['name']}, {content['drug']['dose_mg']:g} mg per day"
    start = "Every arm goes through the same sequence of apparent steps, sham ones included"
    if follow["concealed_start_weeks"]:
        start += (
            f"; the reduction starts on a concealed day within {follow['concealed_start_weeks']} "
            "weeks of randomisation"
        )
    yield "Blinding", f"{start} (P)."
    yield "Follow-up", f"{follow['weeks']:g} weeks from the start of the reduction, in every arm"
    yield (
        "Visits",
        f"every {design.scenario.visit_days} day{'s' * (design.scenario.visit_days > 1)}",
    )
    raters = content["adjudication"]
    yield (
        "Raters",
        "blinded to arm and dose dates, assumed to recognise "
        f"{whole_percent(raters['withdrawal_recognised'])} of withdrawal and "
        f"{whole_percent(raters['relapse_recognised'])} of relapse (P)",
    )


def _arm_words(arm: Mapping[str, object]) -> str:
    if arm["strategy"] != "taper":
        return str(arm["name"])
    falls = "occupancy" if arm["shape"] == "hyperbolic" else "dose"
    return f"{arm['name']} over {arm['taper_weeks']:g} weeks in equal falls of {falls}"


def limits(plan: TrialPlan) -> Iterator[str]:
    """Say what the trial would leave open, from its own simulation."""
    design = plan.power.design
    names = labels(design)
    rows = _at_size(plan)
    if plan.power.recommended is None:
        yield size_sentence(plan)
    for row in rows.to_dict("records"):
        said, truth = percent(row["simulated"]), names[str(row["truth"])]
        if row["true"] and row["simulated"] < LOW:
            lead = f"{_test_words(row['test'])}, where it is true (“{truth}”)"
            yield f"{lead}: shown in {said} of trials only."
        if not row["true"] and row["simulated"] - 2 * row["mcse"] > INFLATED:
            lead = f"{_test_words(row['test'])}, where it is not true (“{truth}”)"
            yield f"{lead}: said in {said} of trials."
    yield from _protected(plan, names)
    yield from _unsure(plan)
    yield (
        "The size rests on how well raters tell the causes apart. No published trial has measured "
        "it, so it is a proposal (P)."
    )
    if (plan.follow_up["days_daily"] > plan.follow_up["followed_days"]).any():
        yield "Under a truth with protracted withdrawal it would not be over when follow-up ends."
    yield (
        "One trial tells about one drug at one dose in the people who enter it; it cannot tell for "
        "any one person why they got worse."
    )


def _unsure(plan: TrialPlan) -> Iterator[str]:
    """Say which wanted hypotheses would often stay open, given what is not known beforehand."""
    rows = plan.assured.summary.query("people_per_arm == @plan.size")
    rows = rows.assign(hypothesis=rows["test"].map(hypothesis_of))
    for name in plan.power.design.wanted:
        best = rows.loc[rows["hypothesis"] == name, "assurance"].max()  # H3: the likelier side
        if best < LOW:
            yield (
                f"Averaged over the priors, which include truths under which it is false, {name} "
                f"would be settled in {percent(best)} of trials."
            )


def _protected(plan: TrialPlan, names: Mapping[str, str]) -> Iterator[str]:
    """Say how often a plain test would take protection during the taper for withdrawal."""
    design = plan.power.design
    stopped, tapered = design.place("abrupt"), design.place("taper")
    if stopped is None or tapered is None:
        return
    first, second = sorted((stopped, tapered))
    contrast = f"{design.arms[second].name} v {design.arms[first].name}"
    none = [name for name, truth in design.truths.items() if truth.alpha_per_day == 0]
    rows = plan.power.summary
    chosen = rows.loc[
        (rows["test"] == "FH(1,0)")
        & (rows["contrast"] == contrast)
        & (rows["people_per_arm"] == plan.size)
        & rows["truth"].isin(none)
    ]
    for row in chosen.to_dict("records"):
        if row["simulated"] - 2 * row["mcse"] > INFLATED:
            yield (
                f"A plain early comparison of {contrast} differs in {percent(row['simulated'])} of "
                f"trials with no withdrawal at all (“{names[str(row['truth'])]}”), so it settles "
                "nothing."
            )


def _test_words(test: object) -> str:
    words = {
        "H1": "H1 (withdrawal exists)",
        "H2": "H2 (a taper prevents withdrawal)",
        NON_INFERIOR: "H3 (the taper is not inferior)",
        MAINTAINED: "H3 (maintenance is better)",
        "H4": "H4 (much of the excess is withdrawal)",
    }
    return words[str(test)]


def _at_size(plan: TrialPlan) -> pd.DataFrame:
    """Hypotheses at the recommended size, beside the truth."""
    rows = plan.power.summary.query("kind == 'hypothesis' and people_per_arm == @plan.size")
    return rows.merge(plan.answers, on=["truth", "test"], how="left")


def _with_error(name: str, error: str, heading: str, meaning: str = "") -> Column:
    def cell(row: Record) -> Cell:
        shown = written(row[name], percent)
        if is_number(row[error]):
            shown += f" ± {written(row[error], percent)}"
        return Cell(shown, full(row[name]))

    return Column(heading, cell, meaning=meaning, numeric=True)


def _answers(plan: TrialPlan, name: str) -> TableView:
    rows = _at_size(plan)
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
    ]
    note = f"With {plan.size} people per arm, under the truth that is planned for."
    answers = plan.answers.query("test == 'H4'")
    truth = answers.loc[answers["truth"] == plan.power.design.planned_for, "value"]
    if len(truth):
        note += (
            f" The share that H4 would find (truth: {decimal(truth.iloc[0])}) moves with the "
            "visits and with the errors of the raters: where it rises, more power is no gain."
        )
    sheet = Sheet(plan.visits, f"{name}/visits.csv")
    return view("visits", "The cost of fewer visits", sheet, columns, note=note, tools=False)


def _assurance(plan: TrialPlan, name: str) -> TableView:
    frame = plan.assured.summary.query("people_per_arm == @plan.size")
    prior = plan.power.design.content["assurance"]
    names = {
        "withdrawal_risk": "risk of withdrawal after an abrupt stop",
        "kappa": "kappa",
        "relapse_ratio": "hazard ratio of relapse",
        "relapse_per_year": "hazard of relapse per year",
    }
    medians = ", ".join(f"{words_} {prior[key]['median']:g}" for key, words_ in names.items())
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
