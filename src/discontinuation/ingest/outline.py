"""What does a dataset hold, in the few lines that `discontinuation check` prints?"""

from __future__ import annotations

import pandas as pd

from discontinuation.ingest.dataset import Dataset

FIRST_ROWS = 3


def outline(dataset: Dataset) -> str:
    """Summarise a dataset without problems.

    Parameters
    ----------
    dataset
        From `load_dataset`.

    Returns
    -------
    str
        How each file was read, people, arms, events, missing values, what cannot be run, and the
        first rows of each table.
    """
    tables = dataset.tables
    lines = [f"{dataset.declaration.name}: no problem found."]
    if dataset.declaration.content["synthetic"]:
        lines.append("SYNTHETIC: the people are made up by a program.")
    lines += dataset.declaration.content["notices"]
    lines += ["", "How the files were read"]
    for file, statements in dataset.statements.items():
        lines.append(f"  {file}: {'; '.join(statements) or 'as it is'}")
    lines += ["", "Rows before and after each step"]
    for step in dataset.steps:
        said = f"  {step.table}: {step.step}: {step.rows_before:,} -> {step.rows_after:,}"
        lines.append(f"{said} (look again: {step.note})" if step.note else said)
    lines += ["", "What it holds", *_holdings(tables)]
    lines += ["", "Days", *_days(tables)]
    if len(dataset.notes):
        lines += ["", "What the definitions could not see", *_notes(dataset.notes)]
    lines += ["", "Missing values", *_missing(tables)]
    limits = what_cannot_run(tables)
    if limits:
        lines += ["", "What cannot be run", *(f"  {limit}" for limit in limits)]
    lines += ["", "First rows", *_first_rows(tables)]
    return "\n".join(lines)


def count(number: int, one: str, several: str | None = None) -> str:
    """Write a number with its noun."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _holdings(tables: dict[str, pd.DataFrame]) -> list[str]:
    people, arms = tables["people"], tables["arms"]
    parts = (
        count(len(people), "person", "people"),
        count(len(arms), "arm"),
        count(len(tables["studies"]), "study", "studies"),
    )
    lines = ["  {} in {} of {}".format(*parts)]
    counts = people["arm"].value_counts()
    for _, arm in arms.iterrows():
        present = int(counts.get(arm["arm"], 0))
        said = f"    {arm['arm']} ({arm['strategy']}): {count(present, 'person', 'people')}"
        if pd.notna(arm["n"]) and int(arm["n"]) != present:
            said += f"; the source says {int(arm['n']):,}"
        lines.append(said)
    for definition, events in tables["deteriorations"].groupby("definition", sort=False):
        said = count(len(events), "deterioration")
        whose = count(events["person"].nunique(), "person", "people")
        lines.append(f"  {definition}: {said} of {whose}")
    for name in ("planned_doses", "doses", "assessments", "follow_up", "states"):
        lines.append(f"  {name}: {count(len(tables[name]), 'row')}")
    return lines


def _days(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Say which days each table covers, and what lies outside the follow-up."""
    follow_up = tables["follow_up"].drop_duplicates("person").set_index("person")
    lines = []
    for name, first, last in (
        ("follow_up", "start", "end"),
        ("doses", "start", "stop"),
        ("assessments", "day", "day"),
        ("deteriorations", "detected", "detected"),
    ):
        frame = tables[name]
        if frame.empty:
            continue
        said = f"  {name}: day {frame[first].min():g} to {frame[last].max():g}"
        if name != "follow_up" and len(follow_up):
            start, end = (frame["person"].map(follow_up[key]) for key in ("start", "end"))
            before, after = int((frame[first] < start).sum()), int((frame[first] > end).sum())
            said += f"; {count(before, 'row')} before the follow-up, {count(after, 'row')} after it"
        lines.append(said)
    return lines


def _notes(notes: pd.DataFrame) -> list[str]:
    return [
        f"  {note['definition']}: {note['note']}: {int(note['count']):,}"
        for note in notes.to_dict("records")
    ]


def _missing(tables: dict[str, pd.DataFrame]) -> list[str]:
    lines = []
    for name, frame in tables.items():
        blank = {str(column): int(frame[column].isna().sum()) for column in frame}
        partly = {column: n for column, n in blank.items() if 0 < n < len(frame)}
        empty = [column for column, n in blank.items() if n == len(frame) and n]
        if partly:
            said = ", ".join(f"{column} {n:,} of {len(frame):,}" for column, n in partly.items())
            lines.append(f"  {name}: {said}")
        if empty:
            lines.append(f"  {name}: blank throughout: {', '.join(empty)}")
    return lines or ["  none"]


def what_cannot_run(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Say what these tables are too little for."""
    limits = []
    for name, consequence in (
        ("doses", "no exposure: how fast the drug left can be described by the plan only"),
        ("assessments", "no symptom profile: events can be judged by their timing only"),
        ("follow_up", "no time at risk: no survival analysis"),
        ("deteriorations", "no deteriorations: nothing to classify and no time to event"),
    ):
        if tables[name].empty:
            limits.append(f"{name} is empty: {consequence}")
    assessments = tables["assessments"]
    if len(assessments):
        items = assessments.groupby("instrument", observed=True)["item"].unique()
        for instrument, names in items.items():
            if list(names) == ["total"]:
                limits.append(
                    f"{instrument} has totals without items: no core and overlap subscales, and "
                    "no symptom profile from it"
                )
    if not (tables["arms"]["strategy"] == "maintain").any():
        limits.append("no arm continued the drug: no share of the excess can be estimated")
    return limits


def _first_rows(tables: dict[str, pd.DataFrame]) -> list[str]:
    lines = []
    for name, frame in tables.items():
        filled = frame.dropna(axis="columns", how="all")
        if len(frame):
            lines.append(f"  {name}")
            text = filled.head(FIRST_ROWS).to_string(index=False, max_colwidth=28)
            lines += [f"    {line}" for line in text.splitlines()]
    return lines
