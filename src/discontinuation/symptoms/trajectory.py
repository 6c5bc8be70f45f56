"""What were symptoms like before and after each step of the dose?

Rows with nobody in them stay: a day on which people were followed and nobody answered is a
finding, not an empty place. What is described here stands beside a step in time; whether the step
brought it about is another question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import stats

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.symptoms.likelihood import FloatArray
from discontinuation.symptoms.steps import require_columns

Interval = Literal["t", "normal"]
By = Literal["arm", "step", "attempt"]
SERIES = ["instrument", "item"]
QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}
# One moment and another this close are the same (days).
SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Symptoms against days since the step, by group.

    Attributes
    ----------
    summary
        One row per group, series and bin in which anybody was followed:

        - the grouping columns; step 0 is the window before the first step, where days are negative.
        - instrument, item, bin_start, bin_end: days since the step, the end not included.
        - n_followed: people under observation at some time of the bin.
        - n_people, n_observations: people with an observation, and observations.
        - n_people_expected, n_expected: the same of scheduled visits; blank without a schedule.
        - mean, sd, lower, upper, q25, median, q75: of the people's means, so that nobody counts
          more for answering more often. sd is NaN below two people, limits also where all people
          are equal.
    aligned
        Every observation with the step it belongs to.
    not_placed
        Observations that belong to no step (before the window before the first one, or of people
        without a step) or lie beyond the bins.
    before, interval, confidence
        As asked for.
    """

    summary: pd.DataFrame
    aligned: pd.DataFrame
    not_placed: int
    before: float
    interval: Interval
    confidence: float


def align(observations: pd.DataFrame, steps: pd.DataFrame, before: float = 14.0) -> pd.DataFrame:
    """Count the days from each person's latest dose step to each observation.

    Parameters
    ----------
    observations
        Any frame with person and day, such as the canonical assessments.
    steps
        From `dose_steps` or `as_steps`, of one drug.
    before
        Length of the window before the first step, days.

    Returns
    -------
    DataFrame
        The observations in their order with further columns: step (the latest at or before the
        observation; 0 in the window before the first; blank if neither), attempt, step_day and
        since_step (negative in that window). No row is left out.

    Raises
    ------
    InvalidInput
        Missing columns, or two steps of a person on one day, as two drugs have.
    """
    refuse(
        require_columns(observations, "observations", ["person", "day"])
        + require_columns(steps, "steps", ["person", "day", "step", "attempt"])
    )
    refuse(_two_on_a_day(steps))
    left = pd.DataFrame(
        {
            "person": observations["person"].astype(object).to_numpy(),
            "day": observations["day"].to_numpy(dtype=float),
            "place": np.arange(len(observations)),
        }
    ).sort_values("day", kind="stable")
    right = steps[["person", "step", "attempt"]].assign(step_day=steps["day"].astype(float))
    right = right.astype({"person": object}).sort_values("step_day", kind="stable")
    # A decimal day that is the step's up to rounding counts as the step's.
    left["reach"] = left["day"] + SLACK
    found = pd.merge_asof(left, right, left_on="reach", right_on="step_day", by="person")
    first = right.groupby("person", sort=False)["step_day"].first()
    to_first = found["day"] - found["person"].map(first).astype(float)
    early = found["step"].isna() & (to_first >= -before - SLACK)
    since = (found["day"] - found["step_day"]).clip(lower=0).where(~early, to_first)
    found = found.assign(
        step=found["step"].where(~early, 0).astype("Int64"),
        attempt=found["attempt"].where(~early, 0).astype("Int64"),
        step_day=found["step_day"].where(~early, found["day"] - to_first),
        since_step=since,
    ).sort_values("place")
    columns = {name: found[name].to_numpy() for name in ("step_day", "since_step")}
    whole = {name: pd.array(found[name].array, "Int64") for name in ("step", "attempt")}
    return observations.assign(**whole, **columns)


def trajectories(
    assessments: pd.DataFrame,
    steps: pd.DataFrame,
    people: pd.DataFrame,
    follow_up: pd.DataFrame,
    *,
    before: float = 14.0,
    bins: Sequence[float] | None = None,
    by: Sequence[By] = ("arm", "step"),
    visits: pd.DataFrame | None = None,
    interval: Interval = "t",
    confidence: float = 0.95,
) -> Trajectories:
    """Describe totals, items or diaries by days since the dose step.

    Parameters
    ----------
    assessments
        Canonical table: person, day, instrument, item, value.
    steps
        From `dose_steps` or `as_steps`, of one drug.
    people
        Canonical table: person, arm.
    follow_up
        Canonical table: person, start, end.
    before
        Length of the window before the first step, days.
    bins
        Rising edges in days since the step, the upper one of each bin not included; whole days
        by default.
    by
        What to keep apart. Without ``"step"`` the days after all steps are put together.
    visits
        Scheduled visits, one row per person and day, to count what was expected; see
        `scheduled_visits`.
    interval
        ``"t"`` on n - 1 degrees of freedom, or ``"normal"``, about the mean of the people's means.
    confidence
        Level of the interval.

    Raises
    ------
    InvalidInput
        Missing columns, unknown choices, edges that do not rise, people without an arm or without
        follow-up.
    """
    refuse(_bad_choices(bins, by, interval, confidence))
    refuse(
        require_columns(assessments, "assessments", ["person", "day", *SERIES, "value"])
        + require_columns(people, "people", ["person", "arm"])
        + require_columns(follow_up, "follow_up", ["person", "start", "end"])
    )
    refuse(_strangers(assessments, people, follow_up))
    arm = people.drop_duplicates("person").set_index("person")["arm"].astype(object)
    aligned = align(assessments, steps, before)
    windows = _windows(steps, follow_up, before)
    edges = _edges(aligned["since_step"], windows, bins)
    keys: list[str] = list(by)

    def placed(frame: pd.DataFrame) -> pd.DataFrame:
        """Put rows into groups and bins, and leave out those that belong nowhere."""
        cell = (
            np.searchsorted(edges, frame["since_step"].to_numpy(dtype=float) + SLACK, "right") - 1
        )
        inside = frame["step"].notna().to_numpy() & (cell >= 0) & (cell < len(edges) - 1)
        return frame.assign(arm=frame["person"].map(arm), cell=cell)[inside]

    seen = placed(aligned)
    observed = _of_people(seen, [*keys, *SERIES, "cell"], interval, confidence)
    followed = _followed(windows.assign(arm=windows["person"].map(arm)), edges, [*keys, "cell"])
    series = seen[SERIES].drop_duplicates()
    frame = followed.merge(series, how="cross").merge(
        observed, on=[*keys, *SERIES, "cell"], how="outer"
    )
    frame = _add_expected(frame, visits, steps, before, placed, keys)
    counts = ["n_followed", "n_people", "n_observations"]
    frame[counts] = frame[counts].fillna(0).astype(int)
    frame["bin_start"], frame["bin_end"] = edges[frame["cell"]], edges[frame["cell"] + 1]
    frame = frame.sort_values([*SERIES, *keys, "cell"], kind="stable").reset_index(drop=True)
    columns = [*keys, *SERIES, "bin_start", "bin_end", *counts, "n_people_expected", "n_expected"]
    return Trajectories(
        summary=frame[[*columns, "mean", "sd", "lower", "upper", *QUARTILES]],
        aligned=aligned,
        not_placed=len(aligned) - len(seen),
        before=before,
        interval=interval,
        confidence=confidence,
    )


def scheduled_visits(follow_up: pd.DataFrame, days: Iterable[float]) -> pd.DataFrame:
    """List the visits that were due while each person was under observation.

    Parameters
    ----------
    follow_up
        Canonical table: person, start, end.
    days
        Days on which everybody was to be seen.

    Returns
    -------
    DataFrame
        person, day.
    """
    refuse(require_columns(follow_up, "follow_up", ["person", "start", "end"]))
    grid = pd.DataFrame({"day": sorted(float(day) for day in days)})
    pairs = follow_up[["person", "start", "end"]].merge(grid, how="cross")
    due = (pairs["day"] >= pairs["start"] - SLACK) & (pairs["day"] <= pairs["end"] + SLACK)
    return pairs.loc[due, ["person", "day"]].reset_index(drop=True)


def _two_on_a_day(steps: pd.DataFrame) -> list[Problem]:
    twice = steps.loc[steps.duplicated(["person", "day"]), ["person", "day"]]
    return [
        Problem(
            "steps",
            f"person {person} has two steps on this day; choose the steps of one drug",
            column="day",
            value=f"{day:g}",
        )
        for person, day in twice.drop_duplicates().itertuples(index=False)
    ]


def _bad_choices(
    bins: Sequence[float] | None, by: Sequence[str], interval: str, confidence: float
) -> list[Problem]:
    problems = [
        Problem("trajectories", allowed_values(get_args(kind), value), None, name, value)
        for name, kind, values in (("by", By, by), ("interval", Interval, [interval]))
        for value in values
        if value not in get_args(kind)
    ]
    if bins is not None and (len(bins) < 2 or not (np.diff(np.asarray(bins, float)) > 0).all()):
        problems.append(Problem("trajectories", "edges must rise, two or more", None, "bins"))
    if not 0 < confidence < 1:
        message = "allowed: a number between 0 and 1"
        problems.append(Problem("trajectories", message, None, "confidence", f"{confidence:g}"))
    return problems


def _strangers(
    assessments: pd.DataFrame, people: pd.DataFrame, follow_up: pd.DataFrame
) -> list[Problem]:
    rated = pd.Index(assessments["person"].unique())
    problems = []
    for name, table in (("people", people), ("follow_up", follow_up)):
        missing = sorted(map(str, rated[~rated.isin(table["person"])]))
        if missing:
            listed = ", ".join(missing[:5]) + (" and others" if len(missing) > 5 else "")
            message = f"{len(missing)} people with assessments are not in {name}: {listed}"
            problems.append(Problem("assessments", message, None, "person"))
    return problems


def _windows(steps: pd.DataFrame, follow_up: pd.DataFrame, before: float) -> pd.DataFrame:
    """List from when to when each person was observed around each step, in days since it."""
    ordered = steps.sort_values(["person", "day"], kind="stable")
    observed = follow_up.drop_duplicates("person").set_index("person")[["start", "end"]]
    next_day = ordered.groupby("person", sort=False)["day"].shift(-1)
    after = ordered[["person", "step", "attempt", "day"]].assign(
        low=0.0, high=next_day - ordered["day"]
    )
    first = after.drop_duplicates("person").assign(step=0, attempt=0, low=-before, high=0.0)
    windows = pd.concat([first, after], ignore_index=True).join(observed, on="person", how="inner")
    low = np.maximum(windows["low"], windows["start"] - windows["day"])
    # The end of observation is itself observed, the next step belongs to the next window.
    last = windows["end"] - windows["day"] + SLACK
    windows = windows.assign(low=low, high=np.fmin(windows["high"], last))
    kept = windows.loc[
        windows["high"] > windows["low"], ["person", "step", "attempt", "low", "high"]
    ]
    return kept.reset_index(drop=True)


def _edges(
    since: pd.Series[float], windows: pd.DataFrame, bins: Sequence[float] | None
) -> FloatArray:
    if bins is not None:
        return np.asarray(bins, dtype=float)
    days = np.concatenate([since.dropna(), windows["low"], windows["high"] - SLACK / 2])
    if not len(days):
        return np.array([0.0, 1.0])
    return np.arange(np.floor(days.min()), np.floor(days.max()) + 2)


def _followed(windows: pd.DataFrame, edges: FloatArray, keys: list[str]) -> pd.DataFrame:
    """Count the people who were under observation at some time of each bin."""
    low = np.searchsorted(edges, windows["low"].to_numpy() + SLACK, "right") - 1
    high = np.searchsorted(edges, windows["high"].to_numpy() - SLACK / 2, "left")
    low, high = np.maximum(low, 0), np.minimum(high, len(edges) - 1)
    length = np.maximum(high - low, 0)
    rows = np.repeat(np.arange(len(windows)), length)
    passed = np.repeat(np.cumsum(length) - length, length)
    cells = windows.iloc[rows].assign(cell=np.arange(len(rows)) - passed + np.repeat(low, length))
    counted = cells.groupby(keys, sort=False)["person"].nunique()
    return counted.rename("n_followed").reset_index()


def _of_people(
    seen: pd.DataFrame, keys: list[str], interval: Interval, confidence: float
) -> pd.DataFrame:
    """Describe the means of people: mean, spread, interval and quartiles."""
    grouped = seen.groupby([*keys, "person"], sort=False, observed=True)["value"]
    means = grouped.agg(["mean", "size"]).reset_index()
    cells = means.groupby(keys, sort=False, observed=True)
    table = cells["mean"].agg(["mean", "std", "size"])
    table.columns = pd.Index(["mean", "sd", "n_people"])
    table["n_observations"] = cells["size"].sum()
    for name, share in QUARTILES.items():
        table[name] = cells["mean"].quantile(share)
    n = table["n_people"].to_numpy()
    df = np.maximum(n - 1, 1) if interval == "t" else np.full(len(n), np.inf)
    # Equal means (or one person) tell nothing of the spread: no limits rather than no width.
    spread = table["sd"].where(table["sd"] > 0)
    half = stats.t.isf((1 - confidence) / 2, df) * spread / np.sqrt(n)
    return table.assign(lower=table["mean"] - half, upper=table["mean"] + half).reset_index()


def _add_expected(
    frame: pd.DataFrame,
    visits: pd.DataFrame | None,
    steps: pd.DataFrame,
    before: float,
    placed: Callable[[pd.DataFrame], pd.DataFrame],
    keys: list[str],
) -> pd.DataFrame:
    """Count scheduled visits in the bins; blank without a schedule."""
    columns = ["n_people_expected", "n_expected"]
    if visits is None:
        return frame.assign(**dict.fromkeys(columns, pd.array([pd.NA] * len(frame), "Int64")))
    due = placed(align(visits, steps, before)).groupby([*keys, "cell"], sort=False)["person"]
    counted = pd.DataFrame({columns[0]: due.nunique(), columns[1]: due.size()}).reset_index()
    merged = frame.merge(counted, on=[*keys, "cell"], how="left")
    merged[columns] = merged[columns].fillna(0).astype("Int64")
    return merged
