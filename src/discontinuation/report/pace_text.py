"""How is the pace of a schedule written down, in words and in tables?"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd

from discontinuation.exposure.drugs import DOUBTFUL
from discontinuation.exposure.pace import Pace
from discontinuation.exposure.parameters import Parameters
from discontinuation.exposure.schedules import STATEMENT, Schedule

COLUMNS = 100  # of a terminal
CURVE, HALF_LIFE, MINIMUM = "occupancy curve", "half-life", "minimum effective dose"
LABELS = {"in_milligrams": "by its doses", "at_receptor": "at the receptor"}
REASONS = {
    "refused": "no pace",
    "occupancy_refused": "no steady occupancy",
    "fall_refused": "no course of occupancy",
}


@dataclass(frozen=True)
class Line:
    """A quantity of pace as it is written: its words, its unit, and what it rests on."""

    quantity: str
    words: str
    unit: str = ""
    factor: float = 1.0
    rests_on: tuple[str, ...] = ()

    def doubts(self, drug: Parameters) -> str:
        """Tags of the doubtful numbers (UM, P) that it rests on."""
        tags = {drug.tag(name) for name in self.rests_on}
        return ", ".join(tag for tag in DOUBTFUL if tag in tags)


OF_BEFORE, OF_START = "% of the dose before", "% of the starting dose"
FALL = (CURVE, HALF_LIFE)
LINES = (
    Line("days_to_zero", "last day at the starting dose to dose 0", "days"),
    Line("days_from_therapeutic", "last day at the therapeutic dose to 0", "days", 1, (MINIMUM,)),
    Line("days_to_tenth", "to a tenth of the starting dose", "days"),
    Line("effective_taper_days", "to dose 0, with 3 half-lives added", "days", 1, (HALF_LIFE,)),
    Line("steps", "steps down, the one to 0 included"),
    Line("increases", "steps up"),
    Line("step_days", "between steps (median)", "days"),
    Line("median_step_of_previous", "steps before the one to 0 (median)", OF_BEFORE, 100),
    Line("largest_step_of_previous", "largest step before the one to 0", OF_BEFORE, 100),
    Line("largest_step_of_start", "largest step", OF_START, 100),
    Line("final_drop_of_start", "step to 0", OF_START, 100),
    Line("lowest_dose", "lowest dose above 0", "mg/day"),
    Line("hyperbolicity", "0 linear in mg, 1 linear in occupancy", "", 1, (CURVE,)),
    Line("starting_occupancy", "steady occupancy at the start", "%", 100, (CURVE,)),
    Line("largest_step_occupancy", "largest step in steady occupancy", "points", 100, (CURVE,)),
    Line("final_drop_occupancy", "step to 0 in steady occupancy", "points", 100, (CURVE,)),
    Line("fall_90_10_days", "from 90 to 10 % of the occupancy at the start", "days", 1, FALL),
    Line("drop_7_days", "largest fall of occupancy in any 7 days", "points", 100, FALL),
    Line("steepest_fall", "steepest fall of occupancy", "% of the start per day", 100, FALL),
    Line("self_taper_days", "the drug's own fall, if stopped at once", "days", 1, FALL),
)


def pace_table(pace: Pace, labels: pd.Series) -> pd.DataFrame:
    """Write the pace of one schedule as a table.

    Parameters
    ----------
    pace
        Of one schedule.
    labels
        Its row of `label_pace`.

    Returns
    -------
    DataFrame
        quantity, meaning, value, unit, text (labels, shape and reasons), doubtful (UM, P or blank)
        and the statement of every schedule.
    """
    row = pace.table.iloc[0]
    numbers = [
        {
            "quantity": line.quantity,
            "meaning": line.words,
            "value": line.factor * row[line.quantity],
            "unit": line.unit,
            "doubtful": line.doubts(pace.drug),
        }
        for line in LINES
    ]
    words = {name: row[name] for name in ("therapeutic_basis", "shape", *REASONS)} | dict(labels)
    texts = [
        {"quantity": name, "text": text, "doubtful": "P" if name in LABELS else ""}
        for name, text in words.items()
        if pd.notna(text)
    ]
    columns = ["quantity", "meaning", "value", "unit", "text", "doubtful"]
    return pd.DataFrame([*numbers, *texts], columns=columns).assign(statement=STATEMENT)


def describe_schedule(
    schedule: Schedule, pace: Pace, labels: pd.Series, authors: pd.DataFrame, tau_days: float
) -> str:
    """Write everything about a schedule for a terminal.

    Parameters
    ----------
    schedule
        The schedule.
    pace, labels
        As in `pace_table`.
    authors
        From `classify`.
    tau_days
        Adaptation time behind the drive of the figure.
    """
    kind = schedule.kind.replace("_", " ")
    days = f"over {schedule.days:g} days" if schedule.days else "on one day"
    parts = [
        f"{schedule.drug.name}, {schedule.start_dose:g} mg/day: {kind}, {days}\n{STATEMENT}",
        _step_lines(schedule),
        _pace_lines(pace),
        _label_lines(pace, labels, authors),
        _sources(schedule, tau_days),
    ]
    return "\n\n".join(parts)


def _step_lines(schedule: Schedule) -> str:
    drug = schedule.drug
    start = pd.DataFrame({"dose": [schedule.start_dose]})
    start = start.assign(
        occupancy=drug.occupancy(start["dose"]), outside_fitted=drug.outside_fitted(start["dose"])
    )
    table = pd.concat([start, schedule.table()], ignore_index=True)
    shown = pd.DataFrame(
        {
            "step": _numbers(table["step"]),
            "day": _numbers(table["day"]),
            "mg/day": _numbers(table["dose"]) + table["outside_fitted"].map({True: "!", False: ""}),
            "cut %": _numbers(100 * table["share_of_previous"]),
        }
    )
    if drug.no_occupancy is None:
        shown["occupancy %"] = _numbers(100 * table["occupancy"])
        shown["drop, points"] = _numbers(100 * table["drop"])
    if "wanted" in table:
        shown["wanted mg"] = _numbers(table["wanted"])
        if drug.no_occupancy is None:
            shown["wanted drop"] = _numbers(100 * table["wanted_drop"])
        same = np.where(table["same_as_before"].eq(True), " (no change)", "")
        shown["made of"] = table["made_of"].fillna("") + same
    lines = [_columns(shown)]
    if drug.fitted is not None and table["outside_fitted"].any():
        low, high = drug.fitted
        fitted = f"{low:g} to {high:g} mg/day"
        lines.append(_wrap(f"! outside the doses the occupancy curve was fitted to, {fitted}"))
    if drug.no_occupancy is not None:
        lines.append(_wrap(f"Occupancy is not computed: {drug.no_occupancy}."))
    return "\n".join(lines)


def _columns(shown: pd.DataFrame) -> str:
    """Set a table of words in columns; all but the last are set to the right."""
    last = shown.columns[-1] if shown.columns[-1] == "made of" else None
    widths = {name: max(len(str(name)), *shown[name].str.len()) for name in shown}
    rows = [dict(zip(shown, shown, strict=True)), *shown.to_dict("records")]
    lines = [
        "  ".join(
            str(row[name]) if name == last else str(row[name]).rjust(widths[name]) for name in shown
        )
        for row in rows
    ]
    return "\n".join(lines)


def _pace_lines(pace: Pace) -> str:
    row = pace.table.iloc[0]
    lines = []
    for line in LINES:
        value = row[line.quantity]
        if pd.notna(value):
            doubts = line.doubts(pace.drug)
            mark = f" [{doubts}]" if doubts else ""
            number = f"{line.factor * value:.4g} {line.unit}".rstrip()
            lines.append(f"{line.words + ':':<47}{number}{mark}")
    if pd.notna(row["shape"]):
        lines.append(f"{'shape:':<47}{row['shape'].replace('_', ' ')}")
    therapeutic = f"{row['therapeutic_dose']:g} mg/day, {row['therapeutic_basis']}"
    lines.append(_wrap(f"therapeutic dose: {therapeutic}"))
    for name, words in REASONS.items():
        if pd.notna(row[name]):
            lines.append(_wrap(f"{words}: {row[name]}"))
    return "\n".join(dict.fromkeys(lines))


def _label_lines(pace: Pace, labels: pd.Series, authors: pd.DataFrame) -> str:
    lines = ["What it would be called [rules of this project: P]"]
    for view, words in LABELS.items():
        label = labels[view] if pd.notna(labels[view]) else "not assessable"
        lines.append(_wrap(f"{words}: {label} ({labels[f'why_{view}']})", "  "))
    lines.append("and by others")
    for row in authors.to_dict("records"):
        written = row["written_for"].replace("_", " ")
        other = f", written for {written}s" if row["same_class"] is False else ""
        tag = f" [{row['tag']}]" if row["tag"] in DOUBTFUL else ""
        lines.append(_wrap(f"{row['author']}: {row['label']} ({row['kind']}{other}){tag}", "  "))
    return "\n".join(lines)


def _sources(schedule: Schedule, tau_days: float) -> str:
    drug = schedule.drug
    numbers = {
        HALF_LIFE: drug.half_life_days and f"{24 * drug.half_life_days:.3g} hours",
        CURVE: drug.curve,
        MINIMUM: drug.minimum_effective_dose and f"{drug.minimum_effective_dose:g} mg/day",
    }
    lines = ["Rests on (V, V2: read; UM: from memory; D: derived; P: a proposal)"]
    lines += [f"  {name}: {text} [{drug.tag(name)}]" for name, text in numbers.items() if text]
    if drug.no_half_life is not None:
        lines.append(_wrap(f"no half-life: {drug.no_half_life}", "  "))
    lines.append(f"  adaptation time of the drive in the figure: {tau_days:g} days [P]")
    return "\n".join(lines)


def _numbers(values: pd.Series) -> pd.Series:
    return values.map(lambda value: "" if pd.isna(value) else f"{value:.4g}").astype(object)


def _wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(text, COLUMNS, initial_indent=indent, subsequent_indent=indent + "  ")
