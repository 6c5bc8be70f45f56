"""How can raters judge single deteriorations blind, and what did they answer?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.classify.criteria import RELAPSE, WITHDRAWAL
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.seeds import random_stream

ANSWERS = (WITHDRAWAL, RELAPSE, "indeterminate", "other")
VIGNETTES, SHEET, KEY = "vignettes.md", "answers.csv", "key.csv"
SHEET_COLUMNS = ["vignette", "answer", "sure_percent", "comment"]
KEY_COLUMNS = ["vignette", "event", "masked", "repeat_of", "stratum"]
INTRODUCTION = """# Vignettes

Each vignette is one deterioration of one person. Judge each by itself: was it withdrawal, relapse,
something else, or can it not be told? Write your answers into `answers.csv`: one of withdrawal,
relapse, indeterminate, other; beside it how sure you are, from 0 to 100 percent, if you like.
"Indeterminate" is a full answer. Days are counted from the onset of the deterioration: day -7 is a
week before it. Where the treatment is withheld, it is withheld on purpose. Some cases may come
twice. Nothing here is advice about treatment.
"""


@dataclass(frozen=True, eq=False)
class Vignettes:
    """What was written for the raters.

    Attributes
    ----------
    key
        One row per vignette: vignette, event, masked (whether arm and all dates of doses are
        withheld), repeat_of (the vignette of which it is a repetition, else blank), stratum. Not
        for the raters.
    texts
        The vignettes in their order.
    """

    key: pd.DataFrame
    texts: pd.Series


def make_vignettes(
    events: pd.DataFrame,
    symptoms: pd.DataFrame,
    doses: pd.DataFrame,
    *,
    seed: int,
    strata: pd.Series | None = None,
    masked_share: float = 0.5,
    repeated_share: float = 0.2,
) -> Vignettes:
    """Write one vignette per deterioration, masked in half of them.

    Parameters
    ----------
    events
        One row per deterioration, the index its name: person, onset (days); of these columns
        those that are there are told: age, sex, diagnosis, prior_episodes; arm, reinstated_on,
        resolved, detected.
    symptoms
        One row per deterioration and symptom: event, symptom, baseline, at_onset, status (as
        `EventEvidence.ratings` has them).
    doses
        Canonical table.
    seed
        Of the order, the masking and the repetitions.
    strata
        Group of each deterioration, such as arm by time; masking and repeating are spread evenly
        over the groups. None: one group.
    masked_share
        Share without arm, doses, and what was done with the drug.
    repeated_share
        Share that comes a second time, masked or not as before.

    Returns
    -------
    Vignettes
        Names of people, calendar dates and days since randomisation are in none of them.

    Raises
    ------
    InvalidInput
        Missing columns, shares outside 0 to 1, onsets without a day.
    """
    refuse(_input_problems(events, symptoms, doses, masked_share, repeated_share))
    groups = pd.Series("all", events.index) if strata is None else strata.astype(str)
    stream = random_stream(seed, "vignettes")
    masked = _spread(groups, masked_share, stream)
    again = _spread(groups, repeated_share, stream)
    rows = [(name, bool(masked[name]), False) for name in events.index]
    rows += [(name, bool(masked[name]), True) for name in events.index if again[name]]
    order = stream.permutation(len(rows))
    shuffled = [rows[place] for place in order]
    names = [f"V{number:03d}" for number in range(1, len(rows) + 1)]
    first = {row[0]: name for row, name in zip(shuffled, names, strict=True) if not row[2]}
    key = pd.DataFrame(
        {
            "vignette": names,
            "event": [event for event, *_ in shuffled],
            "masked": [hidden for _, hidden, _ in shuffled],
            "repeat_of": [first[event] if second else None for event, _, second in shuffled],
            "stratum": [groups[event] for event, *_ in shuffled],
        }
    )
    asked = dict(list(symptoms.groupby("event", sort=False)))
    told = {
        (event, hidden): _text(events.loc[event], asked.get(event), doses, hidden)
        for event, hidden, _ in rows
    }
    texts = pd.Series([told[event, hidden] for event, hidden, _ in shuffled], names, dtype=object)
    return Vignettes(key, texts)


def _input_problems(
    events: pd.DataFrame,
    symptoms: pd.DataFrame,
    doses: pd.DataFrame,
    masked_share: float,
    repeated_share: float,
) -> Iterator[Problem]:
    needed = (
        ("events", events, ["person", "onset"]),
        ("symptoms", symptoms, ["event", "symptom", "baseline", "at_onset", "status"]),
        ("doses", doses, ["person", "drug", "start", "stop", "dose", "unit"]),
    )
    for name, frame, columns in needed:
        for column in columns:
            if column not in frame:
                yield Problem(name, "the column is missing", None, column)
    for name, share in (("masked_share", masked_share), ("repeated_share", repeated_share)):
        if not 0 <= share <= 1:
            yield Problem("vignettes", "allowed: a number from 0 to 1", None, name, f"{share:g}")
    if not events.index.is_unique:
        yield Problem("events", "the index names a deterioration more than once")
    if "onset" in events:
        for row in np.flatnonzero(events["onset"].isna()):
            yield Problem("events", "a vignette counts days from the onset", int(row) + 2, "onset")


def _spread(groups: pd.Series, share: float, stream: np.random.Generator) -> pd.Series:
    """Mark a share of every group, at random; what is left over of all groups together too."""
    mixed = groups.iloc[stream.permutation(len(groups))].sort_values(kind="stable")
    place = np.arange(1, len(mixed) + 1)
    # The running count of marks follows the share through all groups.
    marked = np.floor(place * share + 1e-9) > np.floor((place - 1) * share + 1e-9)
    return pd.Series(marked, mixed.index)


def _text(
    event: pd.Series, symptoms: pd.DataFrame | None, doses: pd.DataFrame, hidden: bool
) -> str:
    parts = [_person(event)]
    if hidden:
        parts.append("**Treatment.** Withheld.")
    else:
        parts.append(_treatment(event, doses))
    parts += [_symptoms(symptoms), _course(event, hidden)]
    return "\n\n".join(parts)


def _known(event: pd.Series, name: str) -> Any:
    value = event.get(name)
    return None if value is None or pd.isna(value) else value


def _person(event: pd.Series) -> str:
    said = []
    if (age := _known(event, "age")) is not None:
        said.append(f"{int(age // 10 * 10)} to {int(age // 10 * 10) + 9} years")
    said += [str(one) for name in ("sex", "diagnosis") if (one := _known(event, name)) is not None]
    if (episodes := _known(event, "prior_episodes")) is not None:
        said.append(f"earlier episodes: {int(episodes)}")
    return "**Person.** " + (", ".join(said) if said else "Nothing is known") + "."


def _treatment(event: pd.Series, doses: pd.DataFrame) -> str:
    mine = doses.loc[doses["person"] == event["person"]].sort_values(["drug", "start"])
    lines = ["**Treatment.**"]
    if (arm := _known(event, "arm")) is not None:
        lines[0] += f" Arm: {arm}."
    lines[0] += " Doses, in days from the onset:"
    detected = _known(event, "detected")
    seen = event["onset"] if detected is None else detected
    for row in mine.loc[mine["start"] < seen].to_dict("records"):
        start, stop = row["start"] - event["onset"], min(row["stop"], seen) - event["onset"]
        dose = f"{row['drug']} {row['dose']:g} {row['unit']}"
        lines.append(f"- day {_day(start)} to {_day(stop)}: {dose}")
    return "\n".join(lines if len(lines) > 1 else [*lines, "- none recorded"])


def _symptoms(symptoms: pd.DataFrame | None) -> str:
    lines = ["**Symptoms at the onset**, beside the time before:", "",
             "| symptom | before | at the onset | |", "| --- | --- | --- | --- |"]  # fmt: skip
    if symptoms is None or symptoms.empty:
        return "**Symptoms at the onset.** None was asked for."
    for row in symptoms.to_dict("records"):
        before, now = _number(row["baseline"]), _number(row["at_onset"])
        status = "not known" if pd.isna(row["status"]) else row["status"]
        lines.append(f"| {row['symptom'].replace('_', ' ')} | {before} | {now} | {status} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return "not rated" if pd.isna(value) else f"{value:.3g}"


def _day(value: float) -> str:
    """Write a day; what lies within half a day of the onset is day 0, on either side."""
    return f"{round(value) + 0:d}"


def _course(event: pd.Series, hidden: bool) -> str:
    """How it went on; masked, only until it was recorded, for what was done then tells the arm."""
    onset, seen = event["onset"], _known(event, "detected")
    again, resolved = _known(event, "reinstated_on"), _known(event, "resolved")
    if hidden:
        again = None
        resolved = (
            resolved if seen is not None and resolved is not None and resolved <= seen else None
        )
    said = []
    if again is not None:
        said.append(f"The drug was started again on day {_day(again - onset)}.")
    if resolved is not None:
        said.append(f"It had passed by day {_day(resolved - onset)}.")
    elif seen is not None:
        said.append(f"It still lasted on day {_day(seen - onset)}.")
    return "**Course.** " + (" ".join(said) if said else "Not known.")


def write_vignettes(vignettes: Vignettes, folder: Path, key_folder: Path) -> None:
    """Write the vignettes and an empty sheet for the answers, and the key elsewhere.

    Parameters
    ----------
    vignettes
        From `make_vignettes`.
    folder
        For the raters: vignettes.md and answers.csv. It is made if it is not there.
    key_folder
        For key.csv, which the raters must not see; another folder.

    Raises
    ------
    InvalidInput
        If both folders are the same or one lies in the other.
    """
    inside, key = folder.resolve(), key_folder.resolve()
    if inside == key or inside in key.parents or key in inside.parents:
        message = "allowed: a folder apart from the raters' folder"
        refuse([Problem("vignettes", message, None, "key_folder", key_folder.name)])
    for path in (folder, key_folder):
        path.mkdir(parents=True, exist_ok=True)
    written = [f"## {name}\n\n{text}" for name, text in vignettes.texts.items()]
    text = "\n\n".join([INTRODUCTION.rstrip(), *written]) + "\n"
    (folder / VIGNETTES).write_text(text, encoding="utf-8", newline="\n")
    sheet = pd.DataFrame({"vignette": vignettes.key["vignette"]}).reindex(columns=SHEET_COLUMNS)
    sheet.to_csv(folder / SHEET, index=False, lineterminator="\n")
    vignettes.key.to_csv(key_folder / KEY, index=False, lineterminator="\n")


def read_answers(sheets: dict[str, Path], key: Path) -> pd.DataFrame:
    """Read the raters' answers back.

    Parameters
    ----------
    sheets
        Filled-in sheet by the name of the rater.
    key
        key.csv.

    Returns
    -------
    DataFrame
        One row per rater and answered vignette: rater, vignette, event, masked, repeat_of,
        stratum, answer, sure_percent, comment. An empty answer is no answer and has no row.

    Raises
    ------
    InvalidInput
        With every problem of every sheet: unknown vignettes and answers, repeated vignettes,
        percentages outside 0 to 100.
    """
    known = pd.read_csv(key, dtype=str, keep_default_na=False)
    refuse(_column_problems(key.name, known, KEY_COLUMNS))
    frames, problems = [], []
    for rater, path in sheets.items():
        sheet = pd.read_csv(path, dtype=str, keep_default_na=False)
        missing = list(_column_problems(path.name, sheet, SHEET_COLUMNS[:2]))
        problems += missing or list(_answer_problems(path.name, sheet, set(known["vignette"])))
        frames.append(sheet.reindex(columns=SHEET_COLUMNS, fill_value="").assign(rater=rater))
    refuse(problems)
    answers = pd.concat(frames, ignore_index=True)
    answers["answer"] = answers["answer"].str.strip().str.lower()
    answers = answers.loc[answers["answer"] != ""].merge(known, on="vignette", how="left")
    answers["sure_percent"] = pd.to_numeric(answers["sure_percent"].str.strip(), errors="coerce")
    answers["masked"] = answers["masked"] == "True"
    answers["repeat_of"] = answers["repeat_of"].replace("", None)
    columns = ["rater", *KEY_COLUMNS, *SHEET_COLUMNS[1:]]
    return answers[columns].reset_index(drop=True)


def _column_problems(file: str, frame: pd.DataFrame, columns: Sequence[str]) -> Iterator[Problem]:
    for column in columns:
        if column not in frame:
            yield Problem(file, "the column is missing", None, column)


def _answer_problems(file: str, sheet: pd.DataFrame, known: set[str]) -> Iterator[Problem]:
    repeated = sheet["vignette"].duplicated()
    for row, (name, twice) in enumerate(zip(sheet["vignette"], repeated, strict=True), 2):
        if name not in known:
            yield Problem(file, "is no vignette of the key", row, "vignette", name)
        elif twice:
            yield Problem(file, "stands there more than once", row, "vignette", name)
    for row, answer in enumerate(sheet["answer"].str.strip().str.lower(), 2):
        if answer and answer not in ANSWERS:
            yield Problem(file, allowed_values(ANSWERS, answer), row, "answer", answer)
    if "sure_percent" in sheet:
        said = sheet["sure_percent"].str.strip()
        sure = pd.to_numeric(said, errors="coerce")
        wrong = np.flatnonzero((said != "") & ~sure.between(0, 100))
        message = "allowed: a number from 0 to 100, or nothing"
        for place in wrong:
            yield Problem(file, message, int(place) + 2, "sure_percent", said.iloc[place])


def answers_by_rater(answers: pd.DataFrame) -> pd.DataFrame:
    """Arrange first answers by deterioration and rater, for `agreement` and `fallible_raters`.

    Parameters
    ----------
    answers
        From `read_answers`.

    Returns
    -------
    DataFrame
        One row per deterioration, one column per rater; repetitions are left out.
    """
    first = answers.loc[answers["repeat_of"].isna()]
    by_rater = dict(list(first.groupby("rater", sort=False)))
    return pd.DataFrame(
        {rater: mine.set_index("event")["answer"] for rater, mine in by_rater.items()}
    )


def answers_twice(answers: pd.DataFrame) -> pd.DataFrame:
    """Set each rater's two answers to the same vignette side by side.

    Parameters
    ----------
    answers
        From `read_answers`.

    Returns
    -------
    DataFrame
        rater, event, masked, first, second; of vignettes answered both times.
    """
    first = answers.loc[answers["repeat_of"].isna(), ["rater", "event", "masked", "answer"]]
    again = answers.loc[answers["repeat_of"].notna(), ["rater", "event", "answer"]]
    both = first.merge(again, on=["rater", "event"], suffixes=("_first", "_second"))
    return both.rename(columns={"answer_first": "first", "answer_second": "second"})
