"""What do counts by interval, quantiles, or survival with limits say of a curve, and what not?

Between the published points a curve is only known to fall from one to the next. What is asked
beyond that is refused with a sentence, not filled in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.synthesis.curve_clicks import FloatArray, numeric_frame
from discontinuation.synthesis.survival import risk_from_survival

PEOPLE = "people"
LARGEST_GAIN = 1.05  # of the effective number at risk, by rounding of the printed limits


@dataclass(frozen=True, eq=False)
class CoarseCurve:
    """What is known of a curve that was published at a few points.

    Attributes
    ----------
    points
        From (0, 1): time, and survival between lower and upper (equal where it is known).
    intervals
        Between neighbouring points: start, end, at_risk, events, censored (effective numbers where
        they come from confidence limits; NaN where they are not identified), mean_hazard.
    people
        Who can be told apart: lower, upper, weight. The event happened in (lower, upper]; upper is
        infinite: not by the lower one. `survival.turnbull` takes them. Empty if not identified.
    identified, refused
        What can and what cannot be said, a sentence each.
    """

    points: pd.DataFrame
    intervals: pd.DataFrame
    people: pd.DataFrame
    identified: tuple[str, ...]
    refused: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """One row per interval."""
        return self.intervals

    def bounds(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Read at any times between what limits the curve must lie: time, lower, upper."""
        asked = np.atleast_1d(np.asarray(times, dtype=float))
        known = self.points["time"].to_numpy()
        before = np.searchsorted(known, asked, side="right") - 1
        after = np.searchsorted(known, asked)
        lower = np.append(self.points["lower"].to_numpy(), 0.0)[after]
        upper = self.points["upper"].to_numpy()[np.maximum(before, 0)]
        return pd.DataFrame({"time": asked, "lower": lower, "upper": upper})

    def survival(self, time: float) -> float:
        """Read the curve at a time where it is known.

        Raises
        ------
        InvalidInput
            At any other time, with the limits between which it lies there.
        """
        row = self.bounds([time]).iloc[0]
        if not row["upper"] - row["lower"] < 1e-9:
            known = self.points.loc[self.points["lower"] == self.points["upper"], "time"]
            message = (
                f"survival there is not identified, only that it lies from {row['lower']:.4g} to "
                f"{row['upper']:.4g}; it is known at {', '.join(f'{t:g}' for t in known)}"
            )
            refuse([Problem("published points", message, column="time", value=f"{time:g}")])
        return float(row["upper"])

    def __str__(self) -> str:
        said = [f"  known: {text}" for text in self.identified]
        not_said = [f"  not identified: {text}" for text in self.refused]
        return "\n".join([self.intervals.to_string(index=False), *said, *not_said])


def curve_from_counts(counts: pd.DataFrame, people: int) -> CoarseCurve:
    """Reconstruct from how many had the event in each interval.

    Parameters
    ----------
    counts
        One row per interval: time (its end), events in it, and optionally censored in it.
    people
        At risk at time 0.

    Returns
    -------
    CoarseCurve
        Survival at the ends of intervals is exact while nobody was censored; otherwise it lies
        between what it would be if they had left at the beginning and at the end of the interval.

    Raises
    ------
    InvalidInput
        Counts that are not whole or are more than the people left; times that do not rise.
    """
    columns = ("time", "events") + (("censored",) if "censored" in _columns(counts) else ())
    table, problems = numeric_frame(counts, columns, "counts")
    problems += _people_problems(people)
    if table is not None:
        problems += [*_time_problems(table, "counts"), *_count_problems(table, people)]
    refuse(problems)
    assert table is not None
    censored = table.get("censored", 0 * table["events"]).to_numpy(dtype=float)
    events, end = table["events"].to_numpy(dtype=float), table["time"].to_numpy()
    start = np.append(0.0, end[:-1])
    at_risk: FloatArray = people - np.append(0.0, np.cumsum(events + censored)[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        late = np.where(at_risk > 0, 1 - events / at_risk, 1.0)
        early = np.where(events > 0, np.maximum(1 - events / (at_risk - censored), 0.0), 1.0)
    points = _points(end, _product(early), _product(late))
    last = at_risk[-1] - events[-1] - censored[-1]
    rows = [
        *zip(start, end, events, strict=True),
        *zip(start, np.full(len(end), math.inf), censored, strict=True),
        (end[-1], math.inf, last),
    ]
    identified = ["how many had the event in each interval, and S at the ends of intervals."]
    refused = ["when within an interval an event happened, and S between the published times."]
    if censored.any():
        identified = ["how many had the event in each interval, and limits of S at their ends."]
        refused.append("when within an interval people were censored, and so S itself after it.")
    return CoarseCurve(
        points=points,
        intervals=_intervals(points, at_risk, events, censored),
        people=_weighted(rows),
        identified=tuple(identified),
        refused=tuple(refused),
    )


def curve_from_quantiles(quantiles: pd.DataFrame) -> CoarseCurve:
    """Reconstruct from the times at which survival reached given levels.

    Parameters
    ----------
    quantiles
        time, and survival reached at that time (0.75 for the lower quartile, 0.5 the median).

    Returns
    -------
    CoarseCurve
        Points of the curve, as exact as the steps of the published curve were small, and mean
        hazards between them. No people: quantiles do not say how many were at risk or censored.

    Raises
    ------
    InvalidInput
        Times that do not rise, levels that do not fall or lie outside 0 to 1.
    """
    place = "quantiles"
    table, problems = numeric_frame(quantiles, ("time", "survival"), place)
    if table is not None:
        problems += [*_time_problems(table, place), *_level_problems(table, place)]
    refuse(problems)
    assert table is not None
    survival = table["survival"].to_numpy()
    points = _points(table["time"].to_numpy(), survival, survival)
    unknown = np.full(len(table), math.nan)
    return CoarseCurve(
        points=points,
        intervals=_intervals(points, unknown, unknown, unknown),
        people=_weighted([]),
        identified=("S at the published quantiles, and the mean hazard from one to the next.",),
        refused=(
            "how many people were at risk, had the event or were censored: no people, no variance "
            "and no hazard ratio.",
            "S between the quantiles and after the last one.",
        ),
    )


def curve_from_limits(survival: pd.DataFrame, people: int, confidence: float = 0.95) -> CoarseCurve:
    """Reconstruct from survival at a few times with its confidence limits.

    Parameters
    ----------
    survival
        time, survival, lower, upper.
    people
        At risk at time 0.
    confidence
        Level of the limits.

    Returns
    -------
    CoarseCurve
        `points` has effective_n, the size p (1 - p) / SE**2 of a sample without censoring that
        would be as precise. Each interval has the effective number at risk that Greenwood's
        formula needs for the gain in variance; numbers are not whole.

    Raises
    ------
    InvalidInput
        Times that do not rise, levels that do not fall, limits that do not enclose them.

    References
    ----------
    Greenwood M. The natural duration of cancer. HMSO 1926; Peto R et al. Br J Cancer 1977;35:1-39
    (effective numbers at risk).
    """
    place = "survival with limits"
    table, problems = numeric_frame(survival, ("time", "survival", "lower", "upper"), place)
    problems += _people_problems(people)
    if table is not None:
        problems += [*_time_problems(table, place), *_level_problems(table, place)]
        problems += _limit_problems(table, place)
    if not 0 < confidence < 1:
        rule = "allowed: a number between 0 and 1"
        problems.append(Problem(place, rule, column="confidence", value=f"{confidence:g}"))
    refuse(problems)
    assert table is not None
    s = table["survival"].to_numpy()
    limits = table[["survival", "lower", "upper"]].to_numpy()
    variance = np.array(
        [risk_from_survival(p, low, high, confidence).variance for p, low, high in limits]
    )
    points = _points(table["time"].to_numpy(), s, s)
    points["effective_n"] = np.append(float(people), s * (1 - s) / variance)
    at_risk, refused = _effective(points, variance / s**2, people)
    events = at_risk * (1 - s / np.append(1.0, s[:-1]))
    following = np.append(at_risk[1:], 0.0)
    # After the last known interval everybody is followed to its end and no further.
    following = np.where(np.isfinite(following), following, 0.0)
    remaining = at_risk - events
    last = np.append(np.isnan(at_risk[1:]), True) & np.isfinite(at_risk)
    censored = np.where(last, 0.0, remaining - following)
    start, end = points["time"].to_numpy()[:-1], points["time"].to_numpy()[1:]
    rows = [
        *zip(start, end, events, strict=True),
        *zip(end, np.full(len(end), math.inf), np.where(last, remaining, censored), strict=True),
    ]
    return CoarseCurve(
        points=points,
        intervals=_intervals(points, at_risk, events, censored),
        people=_weighted([row for row in rows if np.isfinite(row[2])]),
        identified=(
            "S at the published times, and how many fully followed people would be as precise.",
        ),
        refused=(
            *refused,
            "when within an interval people had the event or were censored.",
        ),
    )


def _effective(
    points: pd.DataFrame, relative: FloatArray, people: int
) -> tuple[FloatArray, list[str]]:
    """Find effective numbers at risk, NaN from where the limits do not identify them."""
    s, times = points["lower"].to_numpy(), points["time"].to_numpy()
    at_risk = np.full(len(s) - 1, math.nan)
    refused, remaining, before = [], float(people), 0.0
    for k in range(len(at_risk)):
        share, gain = s[k + 1] / s[k], relative[k] - before
        span = f"from {times[k]:g} to {times[k + 1]:g}"
        if gain <= 0 or share == 1:
            refused.append(f"how many were at risk {span}: the limits become no wider there.")
            break
        needed = (1 - share) / (share * gain)
        if needed > remaining * LARGEST_GAIN:
            refused.append(
                f"how many were at risk {span}: the limits would need {needed:.0f} people, and "
                f"at most {remaining:.0f} are left."
            )
            break
        at_risk[k] = min(needed, remaining)
        remaining, before = at_risk[k] * share, relative[k]
    return at_risk, refused


def _product(shares: FloatArray) -> FloatArray:
    return np.asarray(np.cumprod(shares), dtype=float)


def _columns(frame: object) -> Sequence[str]:
    return list(frame.columns) if isinstance(frame, pd.DataFrame) else []


def _points(time: FloatArray, lower: FloatArray, upper: FloatArray) -> pd.DataFrame:
    columns = {"time": np.append(0.0, time), "lower": np.append(1.0, lower)}
    return pd.DataFrame({**columns, "upper": np.append(1.0, upper)})


def _intervals(
    points: pd.DataFrame, at_risk: FloatArray, events: FloatArray, censored: FloatArray
) -> pd.DataFrame:
    time, lower, upper = (points[name].to_numpy() for name in ("time", "lower", "upper"))
    middle = np.where(lower == upper, upper, math.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = -np.diff(np.log(middle)) / np.diff(time)
    return pd.DataFrame(
        {
            "start": time[:-1],
            "end": time[1:],
            "at_risk": at_risk,
            "events": events,
            "censored": censored,
            "mean_hazard": hazard,
        }
    )


def _weighted(rows: Sequence[tuple[float, float, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["lower", "upper", "weight"], dtype=float)
    return frame.loc[frame["weight"] > 0].sort_values(["lower", "upper"], ignore_index=True)


def _people_problems(people: int) -> list[Problem]:
    if people >= 1 and people == int(people):
        return []
    return [Problem(PEOPLE, "allowed: a whole number, 1 or more", value=f"{people:g}")]


def _time_problems(table: pd.DataFrame, place: str) -> Iterator[Problem]:
    time = table["time"].to_numpy()
    for row in np.flatnonzero(np.diff(np.append(0.0, time)) <= 0):
        rule = "times must rise from row to row and be above 0"
        yield Problem(place, rule, int(row) + 2, "time", f"{time[row]:g}")


def _level_problems(table: pd.DataFrame, place: str) -> Iterator[Problem]:
    survival = table["survival"].to_numpy()
    for row in np.flatnonzero(~((survival > 0) & (survival <= 1))):
        rule = "allowed: above 0, up to 1"
        yield Problem(place, rule, int(row) + 2, "survival", f"{survival[row]:g}")
    for row in np.flatnonzero(np.diff(survival) > 0) + 1:
        rule = "the curve rises; a survival curve cannot rise"
        yield Problem(place, rule, int(row) + 2, "survival", f"{survival[row]:g}")


def _limit_problems(table: pd.DataFrame, place: str) -> Iterator[Problem]:
    for row, (s, lower, upper) in enumerate(
        table[["survival", "lower", "upper"]].itertuples(index=False), 2
    ):
        if not 0 <= lower < s < upper <= 1 or (lower == 0 and upper == 1):
            rule = "allowed: limits from 0 to 1 on both sides of survival"
            yield Problem(place, rule, row, "lower", f"{lower:g} to {upper:g} around {s:g}")


def _count_problems(table: pd.DataFrame, people: int) -> Iterator[Problem]:
    for name in table.columns.intersection(["events", "censored"]):
        values = table[name].to_numpy()
        for row in np.flatnonzero((values < 0) | (values != np.floor(values))):
            rule = "allowed: a whole number, 0 or more"
            yield Problem("counts", rule, int(row) + 2, name, f"{values[row]:g}")
    leaving = float(table.drop(columns="time").to_numpy().sum())
    if leaving > people:
        message = f"more people leave ({leaving:g}) than there are ({people:g})"
        yield Problem("counts", message, column="events")
