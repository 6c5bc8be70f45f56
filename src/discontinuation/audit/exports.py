"""How do judgements and results leave for robvis and RevMan?

The headings of the RevMan files are those of the study data in Cochrane data packages, and of
RevMan's import guidance (one row per study, per arm, per arm and result, per RoB 2 result). Nobody
has yet put these files into RevMan; until somebody has, they say so.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from discontinuation.audit.answers import time_words
from discontinuation.audit.judgements import OVERALL, Judgements, W
from discontinuation.audit.tools import ROB2, ROBINS_I, domain_w, rob2, robins_i
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.tables.comparisons import STOPPED

NOT_TRIED = "not yet tried in RevMan"
UNCLEAR = "Unclear"  # robvis has no word for "cannot be judged"
RISK = {"Low": "Low risk", "Some concerns": "Some concerns", "High": "High risk"}
RESULT_COLUMNS = (
    "Study", "Outcome", "Data type", "Effect measure", "Arm", "Reference arm", "Sample size",
    "Cases", "Mean", "SD", "SE", "Variance", "CI level", "CI start", "CI end", "Exp mean",
    "Exp CI start", "Exp CI end", "t-test", "z-test", "P value", "Covariance method", "Covariance",
    "Other arm 1", "Other arm 2", "Correlation arm 1", "Correlation arm 2", "Correlation",
    "Other mean", "Other SE", "Other variance", "Other CI level", "Other CI start", "Other CI end",
    "Other exp mean", "Other exp CI start", "Other exp CI end", "Other t-test", "Other z-test",
    "Other P value", "Footnotes",
)  # fmt: skip
RESULT = ["study", "outcome", "time"]
README = """\
Files for RevMan: {label}.

Import them in this order, into a review whose criteria carry the same names:
  study_information.csv   one row per study
  study_arms.csv          one row per arm
  study_results.csv       one row per arm and result (counts)
  risk_of_bias_2.csv      one row per result
domain_w.csv is not for import: it is an additional table, and RevMan has no place for domain W.
left_out.csv names every result that is not in study_results.csv or risk_of_bias_2.csv, and why.

The headings follow Cochrane data packages; the guidance on importing study data asks for names
that match the review criteria exactly. Try one study first and compare.
"""


@dataclass(frozen=True)
class Criteria:
    """Names of a review, as its review criteria spell them.

    Attributes
    ----------
    studies
        Study key to study name.
    interventions
        Strategy (maintain, abrupt, ...) or `study: arm` to intervention.
    outcomes
        Outcome, or `outcome, time`, to the outcome of the review.
    """

    studies: Mapping[str, str]
    interventions: Mapping[str, str]
    outcomes: Mapping[str, str]

    def intervention(self, study: str, arm: str, strategy: str) -> str | None:
        """Intervention of an arm."""
        return self.interventions.get(f"{study}: {arm}", self.interventions.get(strategy))

    def outcome(self, outcome: str, time: str) -> str | None:
        """Outcome of a result."""
        return self.outcomes.get(f"{outcome}, {time}", self.outcomes.get(outcome))


def criteria_of(judged: Judgements, frames: Mapping[str, pd.DataFrame]) -> Criteria:
    """Name everything as the evidence does, for a review that has no criteria of its own.

    Parameters
    ----------
    judged
        From `judge_audits`.
    frames
        Current tables studies, arms and results of the evidence.

    Returns
    -------
    Criteria
        Audited studies that are in use, by title; arms and outcomes by their own names.
    """
    studies = frames["studies"]
    kept = studies.loc[
        (studies["use"] == "include") & studies["study"].isin(judged.summary["study"])
    ]
    arms = frames["arms"]
    results = frames["results"]
    named = {str(outcome): str(outcome) for outcome in results["outcome"].dropna().unique()}
    for outcome, time in judged.summary[["outcome", "time"]].drop_duplicates().to_numpy():
        named[f"{outcome}, {time}"] = f"{outcome}, {time}"
    return Criteria(
        {str(key): str(title) for key, title in kept[["study", "title"]].to_numpy()},
        {f"{study}: {arm}": str(arm) for study, arm in arms[["study", "arm"]].to_numpy()},
        named,
    )


def robvis_rob2(judged: Judgements, weights: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Write RoB 2 judgements in the layout of robvis (tool "ROB2"); domain W is not in it.

    Parameters
    ----------
    judged
        From `judge_audits`.
    weights
        Study key to weight; 1 where none is given.

    Returns
    -------
    DataFrame
        Study, D1 to D5, Overall, Weight, one row per result.
    """
    return _robvis(judged, ROB2, [f"D{i}" for i in range(1, 6)], weights)


def robvis_robins_i(judged: Judgements, weights: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Write ROBINS-I judgements in the layout of robvis (tool "ROBINS-I").

    Parameters
    ----------
    judged, weights
        As in `robvis_rob2`.

    Returns
    -------
    DataFrame
        Study, D1 to D7, Overall, Weight, one row per result.
    """
    return _robvis(judged, ROBINS_I, [f"D{d.key}" for d in robins_i().domains], weights)


def robvis_generic(judged: Judgements, weights: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Write RoB 2 judgements with domain W in the generic layout of robvis (tool "Generic").

    Parameters
    ----------
    judged, weights
        As in `robvis_rob2`.

    Returns
    -------
    DataFrame
        Study, one column per domain under its name, domain W, Overall (without W), Weight. robvis
        knows no "Cannot be judged": it stands as "Unclear".
    """
    names = {f"D{domain.key[0]}": domain.name for domain in rob2().domains["assignment"]}
    names[W] = f"{domain_w().name} (domain W, experimental)"
    table = _robvis(judged, ROB2, list(names), weights).rename(columns=names)
    return table.replace({domain_w().cannot: UNCLEAR})


def _robvis(
    judged: Judgements, tool: str, domains: list[str], weights: Mapping[str, float] | None
) -> pd.DataFrame:
    chosen = judged.summary.loc[judged.summary["tool"] == tool]
    wide = _wide(chosen)
    many = wide.groupby("study")["study"].transform("size") > 1
    named = wide["title"].where(~many, wide["title"] + ": " + wide["outcome"] + ", " + wide["time"])
    return pd.DataFrame(
        {
            "Study": named,
            **{domain: wide[domain] for domain in [*domains, OVERALL] if len(wide)},
            "Weight": [(weights or {}).get(study, 1.0) for study in wide["study"]],
        },
        columns=["Study", *domains, OVERALL, "Weight"],
    )


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the domains of a result beside each other, results in their order."""
    about = rows.drop_duplicates(RESULT)[[*RESULT, "title", "label"]]
    judgements = rows.pivot_table(
        index=RESULT, columns="domain", values="judgement", aggfunc="first"
    ).reset_index()
    return about.merge(judgements, on=RESULT)


def withdrawal_table(judged: Judgements) -> pd.DataFrame:
    """Write domain W as a table of its own, with the answer to each question.

    Returns
    -------
    DataFrame
        One row per result: study, title, outcome, time, judgement, W1 to W8,
        if_ni_were_yes_or_no, direction, label, version.
    """
    rows = judged.summary.loc[judged.summary["domain"] == W]
    own = judged.answers.loc[judged.answers["tool"] == "Domain W"]
    answers = own.pivot_table(
        index=RESULT, columns="question", values="answer", aggfunc="first"
    ).reset_index()
    numbers = [question.number for question in domain_w().questions]
    table = rows.merge(answers.reindex(columns=[*RESULT, *numbers]), on=RESULT, how="left")
    columns = ["study", "title", "outcome", "time", "judgement", *numbers]
    return table[[*columns, "if_ni_were_yes_or_no", "direction", "label", "version"]]


def revman_files(
    judged: Judgements, frames: Mapping[str, pd.DataFrame], criteria: Criteria
) -> dict[str, pd.DataFrame]:
    """Write study data as RevMan imports them.

    Parameters
    ----------
    judged
        From `judge_audits`.
    frames
        Current tables studies, arms and results of the evidence.
    criteria
        Names of the review; the studies it names are exported, no others.

    Returns
    -------
    dict
        study_information, study_arms, study_results, risk_of_bias_2 (one row per result),
        domain_w (an additional table) and left_out (what is not there, and why).

    Raises
    ------
    InvalidInput
        With every study that is not in the evidence, every strategy and outcome without a name,
        and every outcome under which a study would have two results.
    """
    refuse(_unknown_studies(frames, criteria))
    chosen = {
        name: frames[name].loc[frames[name]["study"].isin(list(criteria.studies))]
        for name in ("studies", "arms", "results")
    }
    relapse = _relapse(chosen["results"])
    summary = judged.summary.loc[judged.summary["study"].isin(list(criteria.studies))]
    refuse(_names_missing(chosen["arms"], relapse, criteria))
    results, left = _study_results(relapse, criteria)
    risk, left_too = _risk_of_bias(judged, summary, criteria)
    refuse(_same_name_twice(risk))
    own = withdrawal_table(judged)
    return {
        "study_information": _study_information(chosen["studies"], criteria),
        "study_arms": _study_arms(chosen["arms"], criteria),
        "study_results": results,
        "risk_of_bias_2": risk,
        "domain_w": own.loc[own["study"].isin(list(criteria.studies))],
        "left_out": pd.DataFrame([*left, *left_too], columns=["file", "study", "result", "why"]),
    }


def write_revman(folder: Path, files: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Write RevMan's files, and a page that says that nobody has tried them yet.

    Parameters
    ----------
    folder
        Made if it does not exist.
    files
        From `revman_files`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "READ_ME_FIRST.txt"
    page.write_text(README.format(label=NOT_TRIED), encoding="utf-8", newline="\n")
    paths = [page]
    for name, frame in files.items():
        paths.append(folder / f"{name}.csv")
        frame.to_csv(paths[-1], index=False, encoding="utf-8", lineterminator="\n")
    return paths


def _relapse(results: pd.DataFrame) -> pd.DataFrame:
    rows = results.loc[(results["outcome_type"] == "relapse") & (results["estimator"] != "none")]
    return rows.assign(time=[time_words(row) for row in rows.to_dict("records")])


def _unknown_studies(frames: Mapping[str, pd.DataFrame], criteria: Criteria) -> Iterator[Problem]:
    known = list(frames["studies"]["study"])
    for study in criteria.studies:
        if study not in known:
            hint = allowed_values(known, study).partition(" (did")[2]
            message = "is not in the evidence" + (f" (did{hint}" if hint else "")
            yield Problem("review criteria", message, None, "studies", study)


def _names_missing(
    arms: pd.DataFrame, relapse: pd.DataFrame, criteria: Criteria
) -> Iterator[Problem]:
    place = "review criteria"
    for row in arms.to_dict("records"):
        if criteria.intervention(row["study"], row["arm"], row["strategy"]) is None:
            message = f"no intervention for it, nor for '{row['study']}: {row['arm']}'"
            yield Problem(place, message, None, "interventions", row["strategy"])
    seen: dict[tuple[str, str, str], str] = {}
    for row in relapse.drop_duplicates(["study", "outcome", "time", "arm"]).to_dict("records"):
        name = criteria.outcome(row["outcome"], row["time"])
        if name is None:
            words = f"{row['outcome']}, {row['time']}"
            yield Problem(place, f"no outcome for it ({row['study']})", None, "outcomes", words)
            continue
        key = (row["study"], row["arm"], name)
        if row["estimator"] == "crude" and seen.setdefault(key, row["time"]) != row["time"]:
            message = f"stands for {seen[key]} and {row['time']} of {row['study']}"
            yield Problem(place, f"{message}; name them apart", None, "outcomes", name)


def _same_name_twice(risk: pd.DataFrame) -> Iterator[Problem]:
    for row in risk.loc[risk.duplicated(["Study", "Outcome"])].to_dict("records"):
        message = f"stands for two judged results of {row['Study']}; name them apart"
        yield Problem("review criteria", message, None, "outcomes", row["Outcome"])


def _study_information(studies: pd.DataFrame, criteria: Criteria) -> pd.DataFrame:
    rows = [
        {
            "Study": criteria.studies[row["study"]],
            "Study year": row["year"],
            "Char: Methods": _joined(row, ["design", "blinding"]),
            "Char: Participants": row["population"],
            "Char: Interventions": row["drug"],
            "Char: Outcomes": row["relapse_definition"],
            "Char: Notes": row["note"],
        }
        for row in studies.to_dict("records")
    ]
    table = pd.DataFrame(rows)
    return table.assign(**{"Study year": table["Study year"].astype("Int64")}) if rows else table


def _joined(row: Mapping[Hashable, Any], names: Sequence[str]) -> str:
    return "; ".join(
        f"{name}: {str(row[name]).replace('_', ' ')}" for name in names if pd.notna(row[name])
    )


def _study_arms(arms: pd.DataFrame, criteria: Criteria) -> pd.DataFrame:
    rows = [
        {
            "Study": criteria.studies[row["study"]],
            "Arm": row["arm"],
            "Description": _description(row),
            "Intervention": criteria.intervention(row["study"], row["arm"], row["strategy"]),
        }
        for row in arms.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["Study", "Arm", "Description", "Intervention"])


def _description(row: Mapping[Hashable, Any]) -> str:
    words = []
    if row["strategy"] in STOPPED and pd.notna(row["taper_days"]):
        words.append(f"{row['taper_days']:g} days from the first reduction to none")
    words += [str(row[name]) for name in ("cointervention", "note") if pd.notna(row[name])]
    return "; ".join(words)


def _study_results(
    relapse: pd.DataFrame, criteria: Criteria
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    rows: list[dict[str, Any]] = []
    left = []
    for row in relapse.to_dict("records"):
        name = criteria.outcome(row["outcome"], row["time"])
        if row["estimator"] != "crude" or pd.isna(row["events"]) or pd.isna(row["n"]):
            result = f"{row['arm']}: {row['outcome']}, {row['time']}"
            why = "no count of events and people"
            left.append(
                {"file": "study_results", "study": row["study"], "result": result, "why": why}
            )
            continue
        said = {
            "Study": criteria.studies[row["study"]],
            "Outcome": name,
            "Data type": "Dichotomous",
            "Arm": row["arm"],
            "Sample size": int(row["n"]),
            "Cases": int(row["events"]),
            "Footnotes": "" if pd.isna(row["note"]) else row["note"],
        }
        rows.append({**dict.fromkeys(RESULT_COLUMNS, ""), **said})
    return pd.DataFrame(rows, columns=list(RESULT_COLUMNS)), left


def _risk_of_bias(
    judged: Judgements, summary: pd.DataFrame, criteria: Criteria
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    domains = rob2().domains["assignment"]
    headings = {f"D{domain.key[0]}": domain.heading for domain in domains}
    headings[OVERALL] = "Overall bias"
    rows: list[dict[str, Any]] = []
    left = []
    for key, group in summary.groupby(RESULT, sort=False):
        study, outcome, time = map(str, key)
        name = criteria.outcome(outcome, time)
        tool = str(group["tool"].iloc[0])
        if tool != ROB2 or name is None:
            why = f"judged with {tool}" if tool != ROB2 else "no outcome of the review"
            result = f"{outcome}, {time}"
            left.append({"file": "risk_of_bias_2", "study": study, "result": result, "why": why})
            continue
        support = _support(judged, key)
        by_domain = group.set_index("domain")
        row: dict[str, Any] = {"Study": criteria.studies[study], "Outcome": name}
        for domain, heading in headings.items():
            row[f"{heading} (judgement)"] = RISK[str(by_domain.loc[domain, "judgement"])]
            label = str(by_domain.loc[domain, "label"])
            row[f"{heading} (support)"] = "; ".join([*support.get(domain, []), label])
        rows.append(row)
    columns = [f"{h} ({what})" for h in headings.values() for what in ("judgement", "support")]
    return pd.DataFrame(rows, columns=["Study", "Outcome", *columns]), left


def _support(judged: Judgements, key: Any) -> dict[str, list[str]]:
    """List the answers behind each domain, in words."""
    answers = judged.answers
    mine = (answers[RESULT] == list(key)).all(axis=1) & (answers["tool"] == ROB2)
    found: dict[str, list[str]] = {}
    for row in answers.loc[mine].to_dict("records"):
        words = f"{row['question']} {row['answer']}: {row['reason']}"
        found.setdefault(f"D{row['question'][0]}", []).append(words)
    return found
