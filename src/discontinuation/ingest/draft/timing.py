"""When did the rows of a file happen, as its columns tell it?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from discontinuation.ingest.draft import dates
from discontinuation.ingest.draft.columns import Column
from discontinuation.ingest.draft.guess import Guess
from discontinuation.ingest.draft.source import Source
from discontinuation.ingest.draft.vocabulary import fit, simplify
from discontinuation.ingest.moments import DAYS_PER

UNIT_WORDS = {
    "weeks": r"weeks?|wks?",
    "months": r"months?|mon|mo|mths?",
    "years": r"years?|yrs?",
    "hours": r"hours?|hrs?",
    "days": r"days?",
}
STUDY_DAY = re.compile(r"([A-Z]{2}(ST|EN)?|A|AST|AEN)DY")
# What the name of a visit says of its time: 'Week 2', 'W2', 'Baseline', 'Month 6', '6m', 'day 14'.
BASELINE = re.compile(r"bl|base|baseline|pre|pre_?treatment|randomi[sz]ation|t0|w0|v0|entry")
LETTERS = {"w": 7.0, "d": 1.0, "m": DAYS_PER["months"], "y": DAYS_PER["years"]}


@dataclass(frozen=True, eq=False)
class Timing:
    """How a file tells a point in time.

    Attributes
    ----------
    spec
        Value specification.
    reason
        Why.
    column
        The column that it uses.
    days
        Days of each row on a scale of this column's own, for comparing rows; NaN where unknown.
    """

    spec: dict[str, Any]
    reason: str
    column: Column
    days: npt.NDArray[np.float64]

    @property
    def by_date(self) -> bool:
        """Whether it is a calendar date, which needs an origin to count from."""
        return "date" in self.spec

    def guess(self, **further: Any) -> Guess:
        """Make the guess of a moment, with further keys such as `end_of_day`."""
        return Guess({**self.spec, **further}, self.reason, self.column.examples)


def row_timing(source: Source) -> Timing | None:
    """Find out how a file tells when its rows happened, or None if it does not.

    Study days of SDTM and ADaM come first, then a column of days that agrees with the dates, if
    there are dates, then dates, weeks, months and visits.
    """
    by_date = _date_timing(source)
    for column in _day_columns(source):
        timing = moment_of(source, column)
        if timing is None:
            continue
        if by_date is None or _agree(source, timing, by_date):
            return timing
        by_date = replace(
            by_date,
            reason=f"{by_date.reason}; {column.quoted()} does not run with it (a day of the year?)",
        )
    if by_date is not None:
        return _with_clock(source, by_date)
    visit = source.best("visit", lambda column: column.kind in ("numbers", "text"))
    return _visit_timing(visit) if visit else None


def runs_with_time(source: Source, timing: Timing) -> str | None:
    """Find the column by whose values the rows of each person sort as they do in time.

    Rows are sorted by numbers or by text as it stands there, so that ISO dates sort and other
    dates do not.
    """
    if timing.column.is_number or timing.spec.get("order") == "iso":
        return timing.column.name
    order = np.lexsort([timing.days, source.persons])
    same = source.persons[order][1:] == source.persons[order][:-1]
    later = np.diff(timing.days[order])[same] > 0
    for name, column in source.columns.items():
        if column.is_number and column is not source.person and column.filled.all():
            steps = np.diff(column.every_number[order])[same]
            if len(steps) and (steps > 0).all() and later.any():
                return name
    return None


def moment_of(source: Source, column: Column) -> Timing | None:
    """Say how one column tells a point in time, or None if it does not."""
    if column.kind == "dates":
        return _from_dates(source, column)
    if not column.is_number:
        return None
    said = f"{column.quoted()} counts"
    if STUDY_DAY.fullmatch(column.name) and 0 not in column.numbers:
        reason = f"{said} study days, and there is no day 0: day 1 is the day of the origin"
        values = column.every_number
        days = np.where(values > 0, values - 1, values)
        return Timing({"study_day": column.name, **_missing(column)}, reason, column, days)
    programs = dates.count_orders(column.numbers)
    if programs and (fit("date", column.name, column.label) or "date" in column.name.lower()):
        return _from_count(column, programs)
    unit = unit_of(column)
    spec = {"day": column.name, **({} if unit == "days" else {"unit": unit}), **_missing(column)}
    low, high = column.numbers.min(), column.numbers.max()
    reason = f"{said} {unit}: {low:g} to {high:g}"
    if low == 1 and unit == "days":
        reason += "; no day 0 occurs: if the origin is day 1, write study_day in place of day"
    return Timing(spec, reason, column, column.every_number * DAYS_PER[unit])


def unit_of(column: Column) -> str:
    """Find the unit of time that a name or a label tells; days if none."""
    for text in (simplify(column.name).replace("_", " "), column.label.lower()):
        for unit, words in UNIT_WORDS.items():
            if re.search(rf"\b({words})\b", text):
                return unit
    return "days"


def visit_day(text: str) -> float | None:
    """Tell the day that the name of a visit means, or None if it does not say.

    >>> visit_day("WEEK 2"), visit_day("w12"), visit_day("Baseline"), visit_day("V3")
    (14.0, 84.0, 0.0, None)
    """
    plain = simplify(text)
    if BASELINE.fullmatch(plain):
        return 0.0
    letters = "|".join(LETTERS)
    match = re.fullmatch(rf"({letters})_?(\d+)|(\d+)_?({letters})", plain)
    if match:
        letter, number = match[1] or match[4], match[2] or match[3]
        return round(LETTERS[letter] * int(number), 1)
    for unit, words in UNIT_WORDS.items():
        match = re.search(
            rf"(?:^|_)(?:{words})_?(\d+)(?:_|$)|(?:^|_)(\d+)_?(?:{words})(?:_|$)", plain
        )
        if match:
            return round(DAYS_PER[unit] * int(match[1] or match[2]), 1)
    return None


def _missing(column: Column) -> dict[str, Any]:
    return {"missing": column.missing} if column.missing else {}


def _day_columns(source: Source) -> Iterator[Column]:
    """Yield the columns that may count time, the likeliest first."""
    numeric = [column for column in source.columns.values() if column.is_number]
    # Of the study days of a record that of its start or observation, not that of its end.
    study = [c for c in numeric if STUDY_DAY.fullmatch(c.name) and not c.name.endswith("ENDY")]
    yield from sorted(study, key=lambda column: len(column.name))
    for role in ("day", "week", "month"):
        yield from (
            c for c in source.all_of(role, lambda column: column.is_number) if c not in study
        )


def _date_timing(source: Source) -> Timing | None:
    columns = source.all_of("date", lambda c: _is_date(c) and not _is_birth(c))
    if not columns:
        columns = [c for c in source.columns.values() if c.kind == "dates" and not _is_birth(c)]
        columns = [c for c in columns if not source.same_within_person(c)] or columns[:1]
    return moment_of(source, columns[0]) if columns else None


def _is_date(column: Column) -> bool:
    return column.kind == "dates" or bool(dates.count_orders(column.numbers))


def _is_birth(column: Column) -> bool:
    return bool(re.search(r"birth|dob|brth", f"{column.name} {column.label}".lower()))


def _from_dates(source: Source, column: Column) -> Timing:
    values, orders = column.codes[1], column.orders
    read = {order: _days_in(column, order) for order in orders}
    spec: dict[str, Any] = {"date": column.name}
    reason = f"{column.quoted()} holds dates"
    if "iso" in orders or len(orders) == 1:
        spec["order"] = order = "iso" if "iso" in orders else orders[0]
        if order != "iso":
            reason += f", which only as {order} are all dates of the calendar"
    else:
        order, said = _likelier(source, read)
        reason += f" and every one can be read as {' and as '.join(orders)}: write the order{said}"
    if dates.has_short_years(values):
        century = dates.likely_century(values)
        spec |= {"century": century} if century else {}
        reason += "; years have two digits" + ("" if century else ": write century: 1900 or 2000")
    if dates.has_partial(values):
        spec["partial"] = "refuse"
        reason += "; some lack their day or month: write partial: blank, first, middle or last"
    return Timing({**spec, **_missing(column)}, reason, column, np.floor(read[order]))


def _days_in(column: Column, order: str) -> npt.NDArray[np.float64]:
    """Read every cell as a date in one order, as days since 1970."""
    days, _ = dates.read_as(column.values, order)
    return np.append(days, np.nan)[column.codes[0]]


def _likelier(source: Source, read: dict[str, npt.NDArray[np.float64]]) -> tuple[str, str]:
    """Choose the order in which the rows of each person follow one another in time, if one does."""
    follows = [order for order, days in read.items() if _rows_follow(source.persons, days)]
    if len(follows) == 1:
        return follows[0], f" (only as {follows[0]} do the rows follow one another in time)"
    return next(iter(read)), ""


def _rows_follow(persons: npt.NDArray[np.intp], days: npt.NDArray[np.float64]) -> bool:
    known = np.isfinite(days)
    same = persons[known][1:] == persons[known][:-1]
    steps = np.diff(days[known])[same]
    return bool(len(steps) and (steps >= 0).all() and (steps > 0).any())


def _from_count(column: Column, programs: list[str]) -> Timing:
    spec: dict[str, Any] = {"date": column.name}
    said = f"{column.quoted()} holds numbers that are dates when counted as by {programs[0]}"
    if len(programs) == 1:
        spec["order"] = programs[0]
    else:
        said += f" or {' or '.join(programs[1:])}: write the order"
    scale = 1 / 86400 if programs[0] == "spss" else 1.0
    return Timing({**spec, **_missing(column)}, said, column, np.floor(column.every_number * scale))


def _agree(source: Source, counted: Timing, dated: Timing) -> bool:
    """Whether days and dates run together in every person, in one order of the dates at least."""
    if len(dated.column.orders) > 1:
        readings = [_days_in(dated.column, order) for order in dated.column.orders]
    else:
        readings = [dated.days]
    return any(_run_together(source.persons, counted.days, np.floor(days)) for days in readings)


def _run_together(
    persons: npt.NDArray[np.intp],
    one: npt.NDArray[np.float64],
    other: npt.NDArray[np.float64],
) -> bool:
    known = np.isfinite(one) & np.isfinite(other)
    apart = np.round(other[known] - one[known])
    # Weeks and months are rounded; a day of the year jumps by a year.
    slack = max(1.0, float(np.ptp(one[known])) / 10) if known.any() else 0.0
    order = np.lexsort([apart, persons[known]])
    people, apart = persons[known][order], apart[order]
    first = np.r_[True, people[1:] != people[:-1]]
    last = np.r_[first[1:], True]
    return bool(known.any() and (apart[last] - apart[first] <= slack).all())


def _with_clock(source: Source, timing: Timing) -> Timing:
    """Add the time of day where a person has several rows on one day."""
    if dates.has_times(timing.column.values):
        return replace(timing, spec={**timing.spec, "keep_time": True})
    if source.differs_within_person(timing.days):
        return timing
    clocks = [c for c in source.columns.values() if c.kind == "times" and c.filled.mean() > 0.9]
    if not clocks:
        return timing
    clock = min(clocks, key=lambda c: -fit("clock", c.name, c.label))
    reason = f"{timing.reason}; {clock.quoted()} is the time of day"
    spec = {**timing.spec, "time": clock.name}
    fraction = np.append(np.arange(len(clock.values)) / (len(clock.values) + 1), np.nan)
    return replace(timing, spec=spec, reason=reason, days=timing.days + fraction[clock.codes[0]])


def _visit_timing(column: Column) -> Timing:
    """Turn the names of visits into days, as far as they tell them."""
    known = {text: visit_day(text) for text in column.content_texts}
    told = {text: day for text, day in known.items() if day is not None}
    unclear = [text for text in known if text not in told]
    reason = f"{column.quoted()} names visits"
    if not told:
        reason += f" ({', '.join(unclear[:12])}): write the day of each, such as {{1: 0, 2: 14}}"
    else:
        reason += ", which tell their weeks or days"
        if unclear:
            reason += f", except {', '.join(unclear[:12])}: add the day of each"
    spec = {"day": column.name, "recode": told, **_missing(column)}
    table = [told.get(text, np.nan) for text in column.texts]
    if not told:
        # Visits in the order of their numbers, which is enough to tell rows apart.
        table = [float(i) for i in range(len(column.texts))]
    return Timing(spec, reason, column, np.array([*table, np.nan])[column.codes[0]])
