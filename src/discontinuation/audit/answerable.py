"""Which questions can the published figures answer, and which can they not?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from discontinuation.bias.windows import window_end
from discontinuation.tables.comparisons import STOPPED, comparisons, join_results

ALL = "all"
QUESTIONS = {
    "early_point": (
        "Is relapse reported for the stopped and the continued arm at a time inside the withdrawal "
        "window?"
    ),
    "early_share": (
        "Can the share of the difference that is early be estimated, with an interval, inside the "
        "withdrawal window?"
    ),
    "pace": "Is relapse counted in a trial that randomised abrupt against tapered stopping?",
    "schedule": "Do trials with a relapse result say how the drug was stopped?",
    "withdrawal_measured": "Did trials with a relapse result measure withdrawal?",
    "numbers_at_risk": "Are numbers at risk published, so that curves can be rebuilt?",
}
MISSING = {
    "early_point": "relapse by arm or a survival curve in the first weeks after the last dose step",
    "early_share": "counts or intervals at an early and at a late time, in both arms",
    "pace": "a trial that randomises pace and counts relapse in each arm",
    "schedule": "the length and steps of the reduction, in the report or the protocol",
    "withdrawal_measured": "a named instrument at two or more visits inside the window",
    "numbers_at_risk": "the table under the survival curve",
}


def answerable(
    frames: dict[str, pd.DataFrame],
    early: pd.DataFrame,
    windows: pd.DataFrame,
    factors: Sequence[float],
) -> pd.DataFrame:
    """Count, question by question and class by class, the trials that could answer.

    Parameters
    ----------
    frames
        Current tables.
    early
        From `bias.published.early_shares`.
    windows
        Withdrawal windows by class of drug.
    factors
        Factors on the windows; each gives its own count, the first is the main analysis.

    Returns
    -------
    DataFrame
        question, drug_class, window_factor, trials (independent cohorts that were asked),
        answering, answering_studies, answer, missing, figures (what to digitise).
    """
    joined = join_results(frames)
    joined = joined.loc[joined["use"] == "include"]
    figures = frames["figures"]
    rows = []
    for question, counted in _counts(joined, early, windows, factors):
        for drug_class in [ALL, *sorted(counted["drug_class"].unique())]:
            asked = counted if drug_class == ALL else counted[counted["drug_class"] == drug_class]
            rows.append(_row(question, drug_class, asked, figures))
    return pd.DataFrame(rows)


def _counts(
    joined: pd.DataFrame, early: pd.DataFrame, windows: pd.DataFrame, factors: Sequence[float]
) -> Iterator[tuple[tuple[str, float | None], pd.DataFrame]]:
    """List for each question the records that were asked and whether they answer."""
    compared = _relapse_comparisons(joined)
    inside = [_window_days(row, windows) for _, row in compared.iterrows()]
    for factor in factors:
        hit = [
            pd.notna(week) and 0 < week * 7 <= taper + factor * acute
            for week, (taper, acute) in zip(compared["week"], inside, strict=True)
        ]
        at_a_time = compared["estimator"] != "survival_quantile"
        yield (
            ("early_point", factor),
            compared.assign(answers=pd.Series(hit, index=compared.index) & at_a_time),
        )
    yield (
        ("early_share", factors[0]),
        compared.assign(answers=compared["study"].isin(_estimable(early))),
    )
    yield ("pace", None), _pace_trials(joined)
    yield ("schedule", None), compared.assign(answers=compared["strategy"] != "unspecified")
    yield (
        ("withdrawal_measured", None),
        compared.assign(answers=compared["withdrawal_measured"] == "yes"),
    )
    yield ("numbers_at_risk", None), compared.assign(answers=compared["at_risk"].notna())


def _relapse_comparisons(joined: pd.DataFrame) -> pd.DataFrame:
    """List the stopped arms that are compared with a continued arm and report relapse."""
    relapse = joined.loc[joined["outcome_type"] == "relapse"]
    stopped = [
        pair.a
        for pair in comparisons(relapse)
        if pair.contrast == "stop vs continue" and pair.strategy != "any"
    ]
    return pd.concat(stopped) if stopped else joined.iloc[:0]


def _window_days(arm: pd.Series, windows: pd.DataFrame) -> tuple[float, float]:
    """Split the window of an arm into its taper and the acute part."""
    taper = float(arm["taper_days"]) if pd.notna(arm["taper_days"]) else 0.0
    return taper, window_end(arm, windows).end_days - taper


def _estimable(early: pd.DataFrame) -> list[str]:
    if early.empty:
        return []
    good = early["inside_window"] & early["share_lower"].notna() & (early["use"] == "include")
    return list(early.loc[good, "study"])


def _pace_trials(joined: pd.DataFrame) -> pd.DataFrame:
    """List arms of trials that randomised the pace of stopping."""
    pace = joined.loc[(joined["pace_randomised"] == "yes") & joined["strategy"].isin(STOPPED)]
    counted = (pace["outcome_type"] == "relapse") & pace["events"].notna()
    return pace.assign(answers=counted)


def _row(
    key: tuple[str, float | None], drug_class: str, asked: pd.DataFrame, figures: pd.DataFrame
) -> dict[str, Any]:
    question, factor = key
    cohort = asked["cohort"].fillna(asked["study"])
    answers = asked["answers"].astype(bool)
    answering = sorted(set(asked.loc[answers, "study"]))
    count = cohort[answers].nunique()
    return {
        "question_id": question,
        "question": QUESTIONS[question],
        "drug_class": drug_class,
        "window_factor": factor,
        "trials": cohort.nunique(),
        "answering": count,
        "answering_studies": "; ".join(answering),
        "answer": _answer(count, cohort.nunique()),
        "missing": MISSING[question],
        "figures": _figures(question, drug_class, figures),
    }


def _answer(count: int, asked: int) -> str:
    if asked == 0:
        return "no trial could be asked"
    if count == 0:
        return f"cannot be answered: none of {asked}"
    return f"{count} of {asked}"


def _figures(question: str, drug_class: str, figures: pd.DataFrame) -> str:
    """Name the published figures that would change the answer once digitised."""
    helps = {
        "early_point": "adds_early_point",
        "early_share": "adds_early_point",
        "pace": "adds_pace_contrast",
        "numbers_at_risk": "numbers_at_risk",
    }.get(question)
    if helps is None:
        return ""
    chosen = figures.loc[figures[helps] != "no"]
    if drug_class != ALL:
        chosen = chosen.loc[chosen["drug_class"] == drug_class]
    verdicts = zip(chosen["publication"], chosen["identifier"], chosen[helps], strict=True)
    return " | ".join(
        f"{publication} ({identifier}){'' if verdict == 'yes' else ', to be verified'}"
        for publication, identifier, verdict in verdicts
    )
