"""The tables of classification on the page of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from discontinuation.report.cells import (
    Cell,
    Column,
    Record,
    Sheet,
    TableView,
    is_missing,
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
    interval,
    plain,
    probability,
    ratio,
    signed,
    written,
)

Tables = Mapping[str, pd.DataFrame]
VARIANTS = {
    "main": "as above",
    "eta = 0": "no early surge of relapse",
    "frailty 0.5": "frailty of variance 0.5",
    "frailty 1": "frailty of variance 1",
    "frailty 2": "frailty of variance 2",
}
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
        "cases": _cases, "psi": _psi, "sensitivity": _sensitivity, "lower_bound": _lower_bound,
        "by_way": _by_way, "rules": _rules, "validation": _validation, "decisions": _decisions,
        "tests": _tests, "windows": _windows, "estimates": _estimates, "warnings": _warnings,
        "refused": _refused,
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
        Column("Interval", _share_limits, numeric=True),
        text("note", "Interval by, or why there is none", wide=True),
    ]
    note = (
        "How much of an arm's excess of deteriorations over the arm that kept the drug is "
        "withdrawal, under the model; the rest is relapse. Where a withdrawal component is not "
        "supported only the upper limit of its share is reported, and with it the least that is "
        "relapse. A blank is a refusal, with its reason."
    )
    sheet = Sheet(shown, f"{folder}/psi.csv")
    return view(
        "classified-psi", "How much of the excess is withdrawal?", sheet, columns, note=note
    )


def _share_limits(row: Record) -> Cell:
    """The interval, or that the share is below its upper limit where that is all there is."""
    lower, upper = row["lower"], row["upper"]
    if is_missing(lower) and not is_missing(upper):
        return Cell(f"below {decimal(upper)}", full(upper))
    return Cell(interval(lower, upper, decimal), full(lower))


def _sensitivity(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        words("variant", "Assumption", VARIANTS, choose=True),
        text("study", "Study"),
        text("arm", "Arm", choose=True),
        number("horizon", "By day", plain),
        number("psi_H", "Share that is withdrawal", decimal),
        number("withdrawal", "Withdrawal", decimal, meaning="Cumulative hazard."),
        number("excess", "Excess", decimal, meaning="Of the cumulative hazard of any cause."),
        text("reason", "Why not", wide=True),
    ]
    note = (
        "The share of the excess cumulative hazard if relapse may not surge early, and if people "
        "differ in their risk of relapse beyond what the model knows."
    )
    sheet = Sheet(table, f"{folder}/sensitivity.csv")
    return view("classified-sensitivity", "What if an assumption is another?", sheet, columns,
                note=note)  # fmt: skip


def _lower_bound(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        text("study", "Study"),
        text("arm", "Arm"),
        number("events", "Deteriorations", count),
        number("bound", "At least", decimal),
        number("lower_limit", "Lower limit", decimal),
        words("decided_by", "Answer that decides"),
        number("model_share", "The model's share", decimal),
    ]
    note = (
        "If relapses have the same symptoms in both arms, at least this share of an arm's "
        "deteriorations is something that the arm that keeps the drug does not have. It needs no "
        "hazard of withdrawal and no profile. Blank where no answer is frequent enough."
    )
    sheet = Sheet(table, f"{folder}/lower_bound.csv")
    return view("classified-bound", "A lower bound without the model", sheet, columns, note=note,
                tools=False)  # fmt: skip


def _tests(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        text("test", "Test"),
        number("statistic", "Chi-square", decimal),
        number("df", "Degrees of freedom", count),
        number("p_value", "p", probability),
        number("p_above", "p, one-sided", probability, meaning="Against kappa above 1."),
        text("reason", "Why not", wide=True),
    ]
    note = (
        "A small p of the first: the model misses when deteriorations happen. The second is a "
        "likelihood-ratio test: with kappa 1 a slower taper spreads withdrawal and does not lower "
        "its total."
    )
    sheet = Sheet(table, f"{folder}/tests.csv")
    return view("classified-tests", "Does the model fit, and is slower better?", sheet, columns,
                note=note, tools=False)  # fmt: skip


def _windows(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        text("study", "Study"),
        text("arm", "Arm", choose=True),
        number("start", "From day", plain),
        number("stop", "To day", plain),
        number("seen", "Seen", plain),
        number("expected", "Expected", decimal),
    ]
    note = "A blank count may not be shown."
    sheet = Sheet(table, f"{folder}/windows.csv")
    return view("classified-windows", "Deteriorations by window of time, seen and expected", sheet,
                columns, note=note)  # fmt: skip


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
        "by one rule set, and by imputed causes, whose uncertainty is in the interval. The "
        "effect of losing all protection is also given weighted by the probability of relapse "
        "(without an interval, as that of the regression would be too short) and as the model "
        "itself estimates it (joint)."
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


def _decisions(table: pd.DataFrame, folder: str) -> TableView:
    columns = [
        text("measure", "Measure"),
        number("count", "Deteriorations", count),
        number("of", "Of", count),
        number("share", "Share", decimal),
        limits(("lower", "upper"), "Interval", _decimal),
    ]
    note = (
        "Sensitivity: of those that raters call withdrawal, called withdrawal. Specificity: of "
        "those that they call relapse, called relapse. The undecided count against both."
    )
    sheet = Sheet(table, f"{folder}/decisions.csv")
    return view("classified-decisions", "Decisions beside the raters", sheet, columns, note=note,
                tools=False)  # fmt: skip


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
    """Say whether the model supports a withdrawal component, and what it learned that from."""
    evidence = tables.get("evidence")
    if evidence is None or evidence.empty:
        return []
    row = evidence.iloc[0]
    said = [
        f"A withdrawal component is {row['label']} (likelihood ratio "
        f"{float(row['likelihood_ratio']):.1f})."
    ]
    if float(row["draws"]):
        said.append(
            f"In {int(row['draws'])} simulated trials of this design without withdrawal, 95 % of "
            f"the ratios are below {float(row['null_point']):.1f}; p = {float(row['p_value']):.3f}."
        )
    return [" ".join([*said, *_learned_from(row), "It may be wrong where its assumptions are."])]


def _learned_from(row: pd.Series) -> Iterator[str]:
    """Say what the model could learn from in these data, and what they lack."""
    sources = {
        "their symptoms": (row["symptoms"], "symptoms"),
        "what reinstatement does": (row["reinstatement"], "courses after reinstatement"),
    }
    ways = ["when deteriorations happen against the drug's real departure"]
    ways += [f"from {way}" for way, (known, _) in sources.items() if known]
    before = f"{', '.join(ways[:-1])} and " if len(ways) > 1 else ""
    yield f"The model learns from {before}{ways[-1]}."
    lacking = [name for known, name in sources.values() if not known]
    if lacking:
        yield f"The data hold no {' and no '.join(lacking)}."
    studies, anchored = int(row["studies"]), int(row["anchored_studies"])
    if not anchored:
        yield (
            "No arm keeps the drug, so nothing anchors it: neither the share of the excess that is "
            "withdrawal nor the effect of losing the drug on relapse is reported."
        )
    elif anchored < studies:
        yield f"An arm that keeps the drug anchors it in {anchored} of {studies} studies."
    else:
        yield "The arm that keeps the drug anchors it: what happens there is relapse."
