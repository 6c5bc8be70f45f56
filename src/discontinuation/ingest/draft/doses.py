"""Which drug was taken, how much, and from when to when?"""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from discontinuation.fingerprint import ROOT
from discontinuation.ingest.draft.columns import Column
from discontinuation.ingest.draft.guess import Block, Guess, Remark
from discontinuation.ingest.draft.meanings import route_guess, unit_guess
from discontinuation.ingest.draft.people import People, blank_rows, person_columns, start_block
from discontinuation.ingest.draft.source import Source, unique_rows
from discontinuation.ingest.draft.timing import Timing, moment_of, row_timing
from discontinuation.ingest.draft.vocabulary import simplify

DRUGS = ROOT.parents[1] / "data" / "reference" / "drugs.csv"
OF_A_DRUG = re.compile(r"([a-z]{5,})_(?:dose|mg|dose_mg|mg_day|mg_per_day|daily_dose)")
NO_DRUG = re.compile(
    r"(daily|total|current|actual|taken|study|maximum|planned|starting|initial)\w*"
)
# From this share of steps of one day on, a file is a diary of days and not a log of changes.
DAILY = 0.5


def draft_doses(source: Source, people: People) -> list[Block]:
    """Draft the doses of a file: intervals as given, changes of dose, or days."""
    doses = _dose_columns(source)
    span = _span(source)
    timing = span[0] if span else row_timing(source)
    if timing is not None and len(doses) == 1:
        timing = _by_day(source, timing, next(iter(doses.values())))
    if not doses or timing is None or (source.one_row_each and span is None):
        return []
    drug = source.best("drug", lambda column: column.kind == "text") if len(doses) == 1 else None
    block = start_block(source, people)
    if len(doses) > 1:
        block["wide"] = {"columns": {column.name: name for name, column in doses.items()}}
    block |= blank_rows({"time": timing.column})
    if len(doses) == 1:
        block |= blank_rows({"dose": next(iter(doses.values()))})
    columns = person_columns(source)
    if span:
        block["intervals"] = {"from": "given"}
        columns |= {"start": timing.guess(), "stop": _stop(source, *span)}
    else:
        block |= _rows_to_intervals(source, list(doses.values()), timing, drug)
        columns["start"] = timing.guess()
    block["columns"] = columns | _dose_values(source, doses, drug)
    return [block]


def _by_day(source: Source, timing: Timing, dose: Column) -> Timing:
    """Leave out the time of day where all rows of a day hold the same dose."""
    days = np.floor(timing.days)
    if not {"time", "keep_time"} & set(timing.spec) or len(unique_rows(source.persons, days)) < len(
        unique_rows(source.persons, days, dose.codes[0])
    ):
        return timing
    spec = {key: part for key, part in timing.spec.items() if key not in ("time", "keep_time")}
    return replace(timing, spec=spec, days=days)


def _dose_columns(source: Source) -> dict[str, Column]:
    """Find the column of doses, or one for each drug under the drug's name."""

    def can_be(column: Column) -> bool:
        return column.is_number and bool(column.numbers.min() >= 0)

    named = {}
    for name, column in source.columns.items():
        match = OF_A_DRUG.fullmatch(simplify(name))
        if match and not NO_DRUG.fullmatch(match[1]) and can_be(column):
            named[match[1]] = column
    if named:
        return named
    found = source.best("dose", can_be)
    return {"": found} if found else {}


def _dose_values(source: Source, doses: dict[str, Column], drug: Column | None) -> Block:
    dose = next(iter(doses.values()))
    missing = list(dict.fromkeys(code for column in doses.values() for code in column.missing))
    spec: dict[str, Any] = {"column": "value" if len(doses) > 1 else dose.name}
    if missing:
        spec["missing"] = missing
    low = min(column.numbers.min() for column in doses.values())
    high = max(column.numbers.max() for column in doses.values())
    said = f"{' and '.join(column.quoted() for column in doses.values())} is the dose"
    values: Block = {"dose": Guess(spec, f"{said}: {low:g} to {high:g}", dose.examples)}
    unit = source.best("dose_unit", lambda column: column.kind == "text")
    values["unit"] = unit_guess(unit, dose)
    route = source.best("route", lambda column: column.kind == "text")
    if route is not None:
        values["route"] = route_guess(route)
    return {"drug": _drug(source, doses, drug), **values}


def _drug(source: Source, doses: dict[str, Column], drug: Column | None) -> Guess:
    if drug is not None:
        return Guess({"column": drug.name}, f"{drug.quoted()} names the drug", drug.examples)
    if len(doses) > 1:
        return Guess({"column": "item"}, "the columns of doses are named after their drugs")
    ((name, dose),) = doses.items()
    if name:
        return Guess({"constant": name}, f"{dose.quoted()} is named after a drug")
    said = f"{dose.name} {dose.label} {source.path.stem}".lower()
    named = [known for known in known_drugs() if re.search(rf"(^|[^a-z]){known}([^a-z]|$)", said)]
    if len(named) == 1:
        return Guess({"constant": named[0]}, f"the name or label of {dose.quoted()}, or the file's")
    return Guess({}, "no column names the drug: write constant: and its name")


@cache
def known_drugs() -> tuple[str, ...]:
    """List the drugs of data/reference/drugs.csv."""
    with DRUGS.open(encoding="utf-8", newline="") as stream:
        return tuple(dict.fromkeys(row["drug"] for row in csv.DictReader(stream)))


def _span(source: Source) -> tuple[Timing, Timing] | None:
    """Find the columns with the start and the end of an interval."""

    def can_be(column: Column) -> bool:
        return column.kind in ("numbers", "dates")

    start, stop = source.best("start", can_be), source.best("stop", can_be)
    if start is None or stop is None or start is stop:
        return None
    begins, ends = moment_of(source, start), moment_of(source, stop)
    return (begins, ends) if begins and ends and begins.by_date == ends.by_date else None


def _stop(source: Source, start: Timing, stop: Timing) -> Guess:
    """Tell whether the last day of an interval belongs to it."""
    inclusive, said = last_day_counts(source, start.days, stop.days)
    guess = stop.guess(end_of_day=True) if inclusive else stop.guess()
    return Guess(guess.spec, f"{guess.reason}; {said}", guess.examples)


def last_day_counts(
    source: Source, start: npt.NDArray[np.float64], stop: npt.NDArray[np.float64]
) -> tuple[bool, str]:
    """Tell whether the last day of an interval belongs to it, from where the next one starts.

    Returns
    -------
    counts : bool
        True if the next interval starts on the day after, or one starts and ends on one day.
    reason : str
    """
    order = np.lexsort([start, source.persons])
    persons, first, last = source.persons[order], start[order], stop[order]
    gaps = (first[1:] - last[:-1])[persons[1:] == persons[:-1]]
    gaps = gaps[np.isfinite(gaps)]
    if len(gaps) and np.mean(gaps == 0) > np.mean(gaps == 1):
        return False, "the next interval starts on the day on which one ends"
    if len(gaps) and np.mean(gaps == 1) > 0:
        return True, "the next interval starts on the day after one ends, so that day counts"
    if (first == last).any():
        return True, "some start and end on one day, so the last day counts"
    return True, "the last day is taken to count (end_of_day)"


def _rows_to_intervals(
    source: Source, doses: list[Column], timing: Timing, drug: Column | None
) -> Block:
    """Tell a diary of days from a log of changes, and make one row of each day."""
    keys = [drug.codes[0]] if drug else []
    firsts = unique_rows(source.persons, timing.days, *keys)
    block: Block = {}
    if len(firsts) < source.length:
        block |= _one_dose_each(source, doses, timing, drug)
    order = np.lexsort(
        [timing.days[firsts], *(key[firsts] for key in keys), source.persons[firsts]]
    )
    days, persons = timing.days[firsts][order], source.persons[firsts][order]
    steps = np.diff(days)[persons[1:] == persons[:-1]]
    if len(steps) and np.mean(np.round(steps, 6) == 1) >= DAILY:
        said = "most rows are one day apart: a row is a day, and a day without one is unknown"
        return {**block, Remark(said): None, "intervals": {"from": "days", "gap": "unknown"}}
    said = "rows lie apart: a row is a change of dose, which lasts until the next one"
    return {**block, Remark(said): None, "intervals": {"from": "changes"}}


def _one_dose_each(
    source: Source, doses: list[Column], timing: Timing, drug: Column | None
) -> Block:
    """Make one row of a person's rows of one day: the first if they agree, else their sum."""
    columns = [column for column in (source.person, drug, timing.column) if column is not None]
    keys = [source.persons, timing.days, *([drug.codes[0]] if drug else [])]
    days = len(unique_rows(*keys))
    group = {"columns": [column.name for column in columns]}
    shared = f"rows that share their day with another: {source.length - days:,}"
    if len(unique_rows(*keys, *(dose.codes[0] for dose in doses))) == days:
        said = f"{shared}; they have the same dose, and the first stands for all of them"
        return {Remark(said): None, "combine": group}
    if len(doses) == 1:
        said = f"{shared}; their doses are added up"
        return {Remark(said): None, "combine": {**group, "sum": doses[0].name}}
    return {Remark(f"{shared}; declare which row to take"): None}
