"""Can these points be a survival curve, and this table the numbers at risk under it?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, refuse

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CLICKS, RISK_TABLE, EVENTS = "clicks", "risk table", "total of events"
# Two clicks on one level, each off by an SD of 0.003, differ by more about once in a million.
LARGEST_SLIP = 0.02
SLACK = 0.01  # of the time axis: how far a click may lie to the left or right of where it belongs
NOISE = 0.01  # no more than this apart, two clicks may be on one level
LISTED = 5  # offending rows named one by one


@dataclass(frozen=True, eq=False)
class PublishedArm:
    """What was printed of one arm, checked.

    Attributes
    ----------
    time, survival
        The clicks in order of time, and from the highest to the lowest at one time, shape (k,);
        so also where the top of a step was clicked a little to the right of its foot.
    table_time, table_people
        The risk table, shape (r,): at risk just before each time, the first one 0.
    events
        Total of events, if it was published.
    notes
        What was done to the clicks.
    """

    time: FloatArray
    survival: FloatArray
    table_time: FloatArray
    table_people: IntArray
    events: int | None
    notes: tuple[str, ...]

    @property
    def people(self) -> int:
        """Number at risk at the start."""
        return int(self.table_people[0])

    def with_survival(self, survival: FloatArray) -> PublishedArm:
        """Return the same arm as if its clicks had been read otherwise."""
        return replace(self, survival=survival)


def published_arm(clicks: object, at_risk: object, events: object = None) -> PublishedArm:
    """Check what was read of a published figure.

    Parameters
    ----------
    clicks
        Frame with the columns time and survival (1 is everybody), in any order.
    at_risk
        Frame with the columns time and at_risk, the first time 0.
    events
        Total of events, or None.

    Raises
    ------
    InvalidInput
        All at once: no such columns; cells that are not finite numbers; survival outside 0 to 1
        or that rises, by more than a slip of the hand (0.02 up, and 1 % of the time axis to the
        side, where a step was clicked); negative times; a risk table that
        grows, has no row at time 0 or one time twice, or does not count whole people; more events
        than people; neither a second row of the table nor a total of events, so that nothing says
        how many were censored.
    """
    points, problems = numeric_frame(clicks, ("time", "survival"), CLICKS)
    table, more = numeric_frame(at_risk, ("time", "at_risk"), RISK_TABLE)
    problems += more
    if points is not None:
        problems += list(_click_problems(points))
    if table is not None:
        problems += list(_table_problems(table))
        problems += list(_event_problems(events, table))
    refuse(problems)
    assert points is not None and table is not None
    table = table.sort_values("time")
    time, survival = points["time"].to_numpy(), points["survival"].to_numpy()
    order = np.lexsort((-survival, time))
    time, read = time[order], survival[order]
    survival = _tops_before_feet(time, read)
    return PublishedArm(
        time=np.maximum(time, 0.0),
        survival=survival,
        table_time=table["time"].to_numpy(),
        table_people=table["at_risk"].to_numpy().astype(np.int64),
        events=None if events is None else int(events),  # type: ignore[call-overload]
        notes=tuple(_notes(time, survival, int((survival != read).sum()), table)),
    )


def level(time: FloatArray, survival: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Turn clicks into a curve that never rises, one value per time, from (0, 1).

    Parameters
    ----------
    time, survival
        In order of time, and from the highest to the lowest at one time.

    Returns
    -------
    time, survival
        The nearest curve that does not rise (least squares), within 0 and 1; at each time the
        level below its step.

    References
    ----------
    Barlow RE, Bartholomew DJ, Bremner JM, Brunk HD. Statistical inference under order
    restrictions. Wiley 1972 (pool adjacent violators).
    """
    from scipy.optimize import isotonic_regression

    fitted = isotonic_regression(np.clip(survival, 0, 1), increasing=False).x
    last = np.append(np.diff(time) > 0, True)
    after = time[last] > 0
    return np.append(0.0, time[last][after]), np.append(1.0, fitted[last][after])


def _tops_before_feet(time: FloatArray, survival: FloatArray) -> FloatArray:
    """Exchange the top and the foot of a step where the top was clicked a little further right."""
    ordered, slack = survival.copy(), SLACK * time[-1]
    for k in range(1, len(ordered)):
        j = k
        while j and ordered[j] > ordered[j - 1] + NOISE and time[j] - time[j - 1] <= slack:
            ordered[[j - 1, j]] = ordered[[j, j - 1]]
            j -= 1
    return ordered


def numeric_frame(
    frame: object, columns: Sequence[str], place: str
) -> tuple[pd.DataFrame | None, list[Problem]]:
    """Pick columns as floats, or say why they are none."""
    if not isinstance(frame, pd.DataFrame):
        message = f"allowed: a table with the columns {', '.join(columns)}"
        if frame is None and place == RISK_TABLE:
            message = (
                "is missing: without it nothing says how many were censored, and people cannot "
                "be reconstructed (only counts at single times can be used)"
            )
        return None, [Problem(place, message)]
    missing = [name for name in columns if name not in frame.columns]
    if missing or frame.empty:
        problems = [Problem(place, "there is no such column", column=name) for name in missing]
        return None, problems or [Problem(place, "has no rows")]
    problems, numbers = [], {}
    for name in columns:
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
        wrong = np.flatnonzero(~np.isfinite(values))
        written = [str(value) for value in frame[name].iloc[wrong]]
        problems += _listed(place, wrong, name, written, "allowed: a finite number")
        numbers[name] = values
    return (None if problems else pd.DataFrame(numbers)), problems


def _listed(
    place: str, rows: npt.NDArray[np.intp], column: str, values: Sequence[str], rule: str
) -> list[Problem]:
    """Name the first offending rows, and how many there are."""
    others = f" ({len(rows)} such rows)" if len(rows) > LISTED else ""
    pairs = list(zip(rows, values, strict=True))[:LISTED]
    return [Problem(place, rule + others, int(row) + 2, column, value) for row, value in pairs]


def _at(
    place: str, frame: pd.DataFrame, wrong: npt.NDArray[np.bool_], column: str, rule: str
) -> list[Problem]:
    rows = np.flatnonzero(wrong)
    return _listed(place, rows, column, [f"{v:g}" for v in frame[column].iloc[rows]], rule)


def _click_problems(points: pd.DataFrame) -> Iterator[Problem]:
    time, survival = points["time"].to_numpy(), points["survival"].to_numpy()
    width = max(float(time.max()), 0.0)
    yield from _at(CLICKS, points, time < -0.01 * width, "time", "allowed: 0 or more")
    if not width:
        yield Problem(CLICKS, "there is no point after time 0", column="time")
    outside = (survival < -LARGEST_SLIP) | (survival > 1 + LARGEST_SLIP)
    if outside.any():
        percent = survival.max() > 1.5 and survival.max() <= 100 * (1 + LARGEST_SLIP)
        hint = "; are these percentages? divide them by 100" if percent else ""
        yield from _at(CLICKS, points, outside, "survival", "allowed: 0 to 1" + hint)
        return
    at_start = (time <= 0) & (survival < 1 - LARGEST_SLIP)
    start = at_start & (survival >= survival[time <= 0].max(initial=-np.inf))
    rule = "the curve must begin at 1 (everybody is without the event at time 0)"
    yield from _at(CLICKS, points, start, "survival", rule)
    order = np.lexsort((-survival, time))
    lowest = np.append(np.inf, np.minimum.accumulate(survival[order]))
    # A top that was clicked a little to the right of its foot is no rise.
    rise = survival - lowest[np.searchsorted(time[order], time - SLACK * width)]
    rule = f"the curve rises by more than {LARGEST_SLIP:g}; a survival curve cannot rise"
    yield from _at(CLICKS, points, rise > LARGEST_SLIP, "survival", rule)


def _table_problems(table: pd.DataFrame) -> Iterator[Problem]:
    time, people = table["time"].to_numpy(), table["at_risk"].to_numpy()
    yield from _at(RISK_TABLE, table, time < 0, "time", "allowed: 0 or more")
    twice = table["time"].duplicated().to_numpy()
    rule = "stands twice; allowed: one row per time, of one arm"
    yield from _at(RISK_TABLE, table, twice, "time", rule)
    whole = (people >= 0) & (people == np.floor(people))
    yield from _at(RISK_TABLE, table, ~whole, "at_risk", "allowed: whole people, 0 or more")
    if not (time == 0).any():
        yield Problem(RISK_TABLE, "there is no row for time 0: how many were at risk at the start?")
    elif not people[time == 0][0] >= 1:
        yield Problem(RISK_TABLE, "nobody is at risk at time 0", column="at_risk")
    order = np.argsort(time, kind="stable")
    grows = np.zeros(len(time), dtype=bool)
    grows[order[1:]] = np.diff(people[order]) > 0
    rule = "more people are at risk than at the time before; a risk table cannot grow"
    yield from _at(RISK_TABLE, table, grows, "at_risk", rule)


def _event_problems(events: object, table: pd.DataFrame) -> Iterator[Problem]:
    people = float(table["at_risk"].max())
    if events is None:
        if len(table) == 1:
            yield Problem(
                RISK_TABLE,
                "has only one row, and no total of events is given: nothing says how many were "
                "censored, and people cannot be reconstructed",
            )
        return
    number = pd.to_numeric(pd.Series([events]), errors="coerce").to_numpy(dtype=float)[0]
    if isinstance(events, bool) or not (number >= 0 and number == np.floor(number)):
        yield Problem(EVENTS, "allowed: a whole number, 0 or more", value=str(events))
    elif number > people:
        message = f"there are more events than people ({people:g})"
        yield Problem(EVENTS, message, value=f"{number:g}")


def _notes(
    time: FloatArray, survival: FloatArray, exchanged: int, table: pd.DataFrame
) -> Iterator[str]:
    if exchanged:
        yield f"tops clicked to the right of their feet: {exchanged} clicks exchanged their levels"
    rises = int((survival > np.minimum.accumulate(survival)).sum())
    if rises:
        yield f"above an earlier click: {rises} of {len(time)} clicks; the curve was levelled there"
    outside = int(((survival < 0) | (survival > 1)).sum())
    if outside:
        yield f"outside 0 to 1 by a slip: {outside} of {len(time)} clicks, put on the limit"
    if (time < 0).any():
        before = int((time < 0).sum())
        yield f"before time 0 by a slip: {before} of {len(time)} clicks, put on it"
    last_row = table.iloc[-1]
    if last_row["at_risk"] == 0 and time[-1] > last_row["time"]:
        yield (
            f"nobody is at risk at {last_row['time']:g}, yet the clicks go on to {time[-1]:g}; "
            "nothing is reconstructed there"
        )
    beyond = table.loc[(table["time"] > time[-1]) & (table["at_risk"] > 0)]
    if len(beyond):
        yield (
            f"people are at risk at {beyond['time'].max():g}, after the last click at "
            f"{time[-1]:g}; the curve is taken as flat between"
        )
