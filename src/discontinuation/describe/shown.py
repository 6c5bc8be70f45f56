"""Which numbers of the summaries may be shown without giving few people away?"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from discontinuation.describe import flow, missing, person_time
from discontinuation.describe.dosing import QUANTILES
from discontinuation.describe.flow import ALL
from discontinuation.describe.masking import Bounds, Key, Sum, hide_derivable, mask_small

# Tables whose rows are people, or episodes of which a person has one or two.
PER_PERSON = ("people", "follow_up", "deteriorations", "states")
# Blanked wherever the count of people beside them is masked.
FOLLOWING = (
    ("dose_quantiles", "people", list(QUANTILES)),
    ("dose_quantiles", "planned_people", ["planned"]),
    ("plan_agreement", "people", ["days", "below", "as_planned", "above"]),
    ("missing_columns", "blank", ["share"]),
    ("instruments", "people", ["ratings", "first_day", "last_day"]),
    ("ratings", "observed", ["share", "ratings"]),
)


@dataclass
class _Counts:
    """Counts of people of all summaries, by key, with the sums that tie them together."""

    smallest: int
    counts: dict[Key, int] = field(default_factory=dict)
    sums: list[Sum] = field(default_factory=list)
    columns: dict[tuple[str, str], Sequence[Key]] = field(default_factory=dict)
    unprinted: set[Key] = field(default_factory=set)

    def add(
        self,
        table: str,
        frame: pd.DataFrame,
        column: str,
        keys: Sequence[Key],
        sums: Iterable[Sum] = (),
    ) -> None:
        """Take in a column of counts."""
        filled = zip(keys, frame[column], strict=True)
        self.counts |= {key: int(count) for key, count in filled if not pd.isna(count)}
        self.columns[table, column] = keys
        self.sums += sums

    def add_rest(self, total: Key, part: Key) -> None:
        """Protect the people who are left when a part is taken from a total, where they are few.

        Where nobody is left, a reader takes both for one number, and they are hidden together.
        """
        if total not in self.counts or part not in self.counts:
            return
        left = self.counts[total] - self.counts[part]
        if left == 0:
            self.sums.append(Sum(total, (part,)))
        elif 0 < left < self.smallest:
            rest = ("rest", total, part)
            self.counts[rest] = left
            self.unprinted.add(rest)
            self.sums.append(Sum(total, (part, rest)))

    def add_total(self, total: Key, parts: Sequence[Key]) -> None:
        """Add a total that is printed nowhere."""
        if all(part in self.counts for part in parts):
            self.counts[total] = sum(self.counts[part] for part in parts)
            self.unprinted.add(total)
            self.sums.append(Sum(total, tuple(parts)))


def mask_summaries(frames: Mapping[str, pd.DataFrame], smallest: int) -> dict[str, pd.DataFrame]:
    """Mask small counts of people in all summaries at once.

    Parameters
    ----------
    frames
        Summaries by name, as `summarise` makes them.
    smallest
        Smallest count of people that may be printed; 1 masks nothing.

    Returns
    -------
    dict
        Beside each column of counts of people a column with ``_shown`` added: the count as it may
        be printed. Where that is masked, the count is blank, and so is every number from which it,
        or the time of a few people, could be worked out.

    Notes
    -----
    Numbers on different days (people under observation at one visit and at the next) are masked
    each by itself: what can be concluded from their differences is not looked at.
    """
    known = _Counts(smallest)
    arms = [arm for arm in frames["flow"]["arm"].unique() if arm != ALL]
    _add_flow(known, frames["flow"], arms)
    _add_time(known, frames["observation"], frames["person_time"])
    _add_doses(known, frames)
    _add_ratings(known, frames["ratings"])
    _add_people(known, frames, arms)
    dear = flow.headcounts(frames["flow"])
    shown = mask_small(known.counts, known.sums, smallest, known.unprinted, dear)
    found = {name: frame.reset_index(drop=True) for name, frame in frames.items()}
    for (table, column), keys in known.columns.items():
        found[table] = _write(found[table], column, [shown.get(key) for key in keys])
    for table, count, columns in FOLLOWING:
        masked = _is_masked(found[table][f"{count}_shown"])
        found[table] = _blank(found[table], columns, masked)
    return found | {
        "observation": _with_masked_days(found["observation"]),
        "person_time": _with_masked_rates(_with_masked_days(found["person_time"])),
        "ratings": _with_masked_bands(found["ratings"], smallest),
        "tables": _with_masked_rows(found["tables"], smallest),
    }


def _add_flow(known: _Counts, counted: pd.DataFrame, arms: Sequence[str]) -> None:
    known.add("flow", counted, "people", flow.flow_keys(counted), flow.flow_sums(counted))
    for arm in arms:
        dosed = [("flow", arm, "reduction", part) for part in ("started", "not_started")]
        known.add_total(_dosed_key(arm), dosed)
        known.add_rest(flow.present_key(arm), _dosed_key(arm))


def _dosed_key(arm: str) -> Key:
    return ("dosed", arm)


def _rated_key(arm: str) -> Key:
    return ("flow", arm, "rated", "rated")


def _add_time(known: _Counts, observed: pd.DataFrame, times: pd.DataFrame) -> None:
    keys = person_time.time_keys(observed)
    known.add("observation", observed, "people", keys, person_time.people_sums(observed))
    at_risk, events = person_time.time_keys(times), person_time.event_keys(times)
    known.add("person_time", times, "people", at_risk, person_time.people_sums(times))
    known.add("person_time", times, "events", events, person_time.event_sums(times))
    for arm, key in (
        *zip(observed["arm"], keys, strict=True),
        *zip(times["arm"], at_risk, strict=True),
    ):
        if key != flow.analysed_key(arm):
            known.add_rest(flow.analysed_key(arm), key)
    for phase, risk, event in zip(times["phase"], at_risk, events, strict=True):
        if phase == person_time.ANY_PHASE:
            known.add_rest(risk, event)


def _add_doses(known: _Counts, frames: Mapping[str, pd.DataFrame]) -> None:
    for table, column in (
        ("dose_quantiles", "people"),
        ("dose_quantiles", "planned_people"),
        ("plan_agreement", "people"),
    ):
        frame = frames[table]
        keys = [(table, column, row) for row in range(len(frame))]
        known.add(table, frame, column, keys)
        for arm, key in zip(frame["arm"], keys, strict=True):
            whole = flow.present_key(arm) if column == "planned_people" else _dosed_key(arm)
            known.add_rest(whole, key)


def _add_ratings(known: _Counts, ratings: pd.DataFrame) -> None:
    for count in missing.COUNTS:
        known.add("ratings", ratings, count, missing.rating_keys(ratings, count))
    known.sums += missing.rating_sums(ratings)
    for count, whole in (("expected", flow.analysed_key), ("observed", _rated_key)):
        keys = missing.rating_keys(ratings, count)
        for arm, key in zip(ratings["arm"], keys, strict=True):
            known.add_rest(whole(arm), key)


def _add_people(known: _Counts, frames: Mapping[str, pd.DataFrame], arms: Sequence[str]) -> None:
    columns = frames["missing_columns"]
    for count in ("filled", "blank"):
        known.add("missing_columns", columns, count, missing.column_keys(columns, count))
    known.sums += missing.column_sums(columns, flow.present_key(ALL))
    instruments = frames["instruments"]
    keys: list[Key] = [("instruments", name) for name in instruments["instrument"]]
    known.add("instruments", instruments, "people", keys)
    known.add_total(_rated_key(ALL), [_rated_key(arm) for arm in arms])
    for key in keys:
        known.add_rest(_rated_key(ALL), key)


def _write(frame: pd.DataFrame, column: str, shown: Sequence[Any]) -> pd.DataFrame:
    """Set the printed counts beside the numbers, and blank the numbers that are masked."""
    text = pd.Series(shown, index=frame.index, dtype=object)
    position = list(frame.columns).index(column) + 1
    frame = frame.assign(**{column: frame[column].mask(_is_masked(text))})
    frame.insert(position, f"{column}_shown", text)
    return frame


def _is_masked(shown: pd.Series) -> pd.Series:
    return shown.map(lambda text: isinstance(text, str) and text[0] in "<≥–").astype(bool)


def _with_masked_days(counted: pd.DataFrame) -> pd.DataFrame:
    """Blank the time of few people, and whatever total would give it away."""

    def anything(key: Key) -> Bounds:
        return (0.0, math.inf)

    few = counted["people_shown"].str.startswith("<")
    keys, sums = person_time.day_sums(counted)
    values = dict(zip(keys, counted["days"].astype(float), strict=True))
    protected = {key for key, hide in zip(keys, few, strict=True) if hide}
    hidden, _ = hide_derivable(values, protected, set(), sums, anything)
    return _blank(counted, ["days"], pd.Series([key in hidden for key in keys], dtype=bool))


def _with_masked_rates(times: pd.DataFrame) -> pd.DataFrame:
    unknown = times["days"].isna() | _is_masked(times["events_shown"])
    return _blank(times, ["rate", "lower", "upper"], unknown)


def _with_masked_bands(ratings: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Blank the bands that would leave one possible number of people who were not rated."""

    def tells(row: Mapping[Hashable, Any]) -> bool:
        if any(str(row[f"{name}_shown"]).startswith("<") for name in ("expected", "observed")):
            return True
        if not str(row["observed_shown"]).startswith("≥") or pd.isna(row["expected"]):
            return False
        expected = int(row["expected"])
        shares = [(expected - absent) / expected for absent in range(1, smallest)]
        return [missing.share_band(share) for share in shares].count(float(row["band"])) < 2

    return _blank(ratings, ["band"], pd.Series(map(tells, ratings.to_dict("records")), dtype=bool))


def _with_masked_rows(tables: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Blank the rows of tables whose rows are people: the flow and the events count them."""
    people = tables["table"].isin(PER_PERSON)
    return _blank(tables, ["rows"], people & (smallest > 1))


def _blank(frame: pd.DataFrame, columns: Sequence[str], where: pd.Series) -> pd.DataFrame:
    return frame.assign(**{name: frame[name].mask(where.to_numpy()) for name in columns})
