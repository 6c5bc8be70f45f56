"""When did a symptom first rise after a dose step, since when can it have been, and for how long?

Onset is the first observation above a person's own threshold; it can lie anywhere between the
observation before and that one. Detection is the later observation at which the rule "k of m" was
met. A rise after a step is described, whatever caused it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from discontinuation.problems import Problem, refuse
from discontinuation.symptoms.steps import require_columns

SERIES = ["person", "instrument", "item"]
SLACK = 1e-9
COLUMNS = [
    *SERIES,
    "step",
    "step_day",
    "window_end",
    "baseline",
    "threshold",
    "n_baseline",
    "n_observed",
    "outcome",
    "onset_earliest",
    "onset",
    "onset_latest",
    "detected",
    "resolved",
    "resolution_censored",
    "days_to_onset",
    "days_to_onset_earliest",
    "days_seen",
    "duration",
]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RiseRule:
    """What counts as a rise of a symptom.

    Attributes
    ----------
    baseline_days
        The baseline is the mean of a person's observations in this many days before their first
        step, the day of the step not included.
    rise
        How far above the baseline a value must be, in units of the score.
    standard_deviations
        Or how far in standard deviations of the person's baseline; exactly one of the two is
        given. Fewer than two baseline observations, or none that differ, give no threshold.
    k, m
        At least k of m observations in a row, the first one included.
    higher_is_worse
        False turns the score around.
    """

    baseline_days: float
    rise: float | None = None
    standard_deviations: float | None = None
    k: int = 1
    m: int = 1
    higher_is_worse: bool = True

    def problems(self) -> list[Problem]:
        """Describe what is wrong with the rule."""
        found = []
        if (self.rise is None) == (self.standard_deviations is None):
            found.append("exactly one of rise and standard_deviations must be given")
        if any(
            not value > 0 for value in (self.rise, self.standard_deviations) if value is not None
        ):
            found.append("rise and standard_deviations must be greater than 0")
        if not 1 <= self.k <= self.m:
            found.append("k of m needs 1 <= k <= m")
        if not self.baseline_days > 0:
            found.append("baseline_days must be greater than 0")
        return [Problem("rise rule", message) for message in found]


@dataclass(frozen=True, eq=False)
class StepOnsets:
    """Rises of symptoms after dose steps.

    Attributes
    ----------
    onsets
        One row per person with a step, series and step:

        - person, arm, instrument, item, step, step_day.
        - window_end: days from the step to the next one or to the end of observation.
        - baseline, threshold, n_baseline, n_observed (in the window), days_seen (from the step to
          the last of these).
        - outcome: rise, no rise seen, already raised (at the step), not observed, or no baseline.
        - Of a rise, in days since the origin: onset_earliest (the last observation before), onset,
          onset_latest (as onset), detected, resolved (first of the observations by which it was
          over) and resolution_censored.
        - days_to_onset, days_to_onset_earliest (below 0 if the onset can lie before the step) and
          duration (to the last observation where censored).
    summary
        One row per arm, series, step and day: n_at_risk (series not raised at the step, with a
        baseline, that were observed in a window reaching that day), n_rise (with a rise by then),
        share, lower, upper (Wilson), n_seen (of those at risk, the risen and those who were still
        seen on or after that day: a rise of the others would have been missed), and
        n_already_raised, n_not_observed, n_no_baseline. People whose next step or end of
        observation came earlier leave all numbers, risen or not, so that the share may fall.
    rule, confidence
        As asked for.
    """

    onsets: pd.DataFrame
    summary: pd.DataFrame
    rule: RiseRule
    confidence: float


def step_onsets(
    assessments: pd.DataFrame,
    steps: pd.DataFrame,
    people: pd.DataFrame,
    follow_up: pd.DataFrame,
    rule: RiseRule,
    *,
    days: Sequence[float] = (7, 14, 28),
    confidence: float = 0.95,
) -> StepOnsets:
    """Find the first rise of every symptom after every dose step.

    Parameters
    ----------
    assessments, people, follow_up
        Canonical tables.
    steps
        From `dose_steps` or `as_steps`, of one drug.
    rule
        What counts as a rise.
    days
        Days since the step at which the shares are given.
    confidence
        Level of the Wilson intervals.

    Raises
    ------
    InvalidInput
        Missing columns, a rule that contradicts itself, two steps of a person on one day.

    References
    ----------
    Wilson EB. J Am Stat Assoc 1927;22:209-212.
    """
    refuse(
        rule.problems()
        + require_columns(assessments, "assessments", [*SERIES, "day", "value"])
        + require_columns(steps, "steps", ["person", "step", "day"])
        + require_columns(people, "people", ["person", "arm"])
        + require_columns(follow_up, "follow_up", ["person", "start", "end"])
    )
    first_day = steps.groupby("person")["day"].min().astype(float)
    measured = assessments[SERIES[1:]].drop_duplicates()
    series = pd.DataFrame({"person": first_day.index.astype(object)}).merge(measured, how="cross")
    series["series"] = np.arange(len(series))
    rows = assessments[[*SERIES, "day", "value"]].merge(series, on=SERIES)
    rows = rows.sort_values(["series", "day"], kind="stable").reset_index(drop=True)
    series = _add_thresholds(series, rows, first_day, rule)
    sign = 1.0 if rule.higher_is_worse else -1.0
    threshold = series["threshold"].to_numpy()[rows["series"]]
    above = (sign * (rows["value"] - threshold) >= -SLACK).to_numpy()
    windows = series.merge(_windows(steps, follow_up), on="person")
    onsets = _onsets(rows, _episodes(rows, above, rule), windows)
    arm = people.drop_duplicates("person").set_index("person")["arm"]
    onsets.insert(1, "arm", onsets["person"].map(arm).astype(object))
    return StepOnsets(onsets, _shares(onsets, days, confidence), rule, confidence)


def wilson(events: npt.ArrayLike, n: npt.ArrayLike, confidence: float) -> FloatArray:
    """Wilson's interval of a proportion.

    Returns
    -------
    array of shape (2, ...)
        Lower and upper limits; NaN where n is 0.
    """
    z2 = stats.norm.isf((1 - confidence) / 2) ** 2
    count, total = np.asarray(events, dtype=float), np.asarray(n, dtype=float)
    total = np.where(total > 0, total, np.nan)
    middle = (count + z2 / 2) / (total + z2)
    half = np.sqrt(z2 * (count * (total - count) / total + z2 / 4)) / (total + z2)
    # At 0 and n the limits are 0 and 1 exactly, which rounding would miss.
    lower = np.where(count == 0, 0 * total, middle - half)
    return np.array([lower, np.where(count == total, 1.0, middle + half)])


def _add_thresholds(
    series: pd.DataFrame, rows: pd.DataFrame, first_day: pd.Series[float], rule: RiseRule
) -> pd.DataFrame:
    """Add the baseline and threshold of each series: NaN where there is none."""
    first = rows["person"].map(first_day)
    inside = (rows["day"] >= first - rule.baseline_days - SLACK) & (rows["day"] < first - SLACK)
    values = rows.loc[inside].groupby("series")["value"]
    baseline = values.mean().reindex(series["series"]).to_numpy()
    sd = values.std().reindex(series["series"]).to_numpy()
    if rule.standard_deviations is None:
        distance = np.full(len(series), rule.rise, dtype=float)
    else:
        distance = np.where(sd > 0, sd, np.nan) * rule.standard_deviations
    return series.assign(
        baseline=baseline,
        n_baseline=values.size().reindex(series["series"], fill_value=0).to_numpy(),
        threshold=baseline + (distance if rule.higher_is_worse else -distance),
    )


def _episodes(rows: pd.DataFrame, above: BoolArray, rule: RiseRule) -> pd.DataFrame:
    """List every stretch during which a series was raised."""
    series, day = rows["series"].to_numpy(), rows["day"].to_numpy(dtype=float)
    begins = above & (_ahead(above, series, rule.m) >= rule.k)
    ends = ~above & (_ahead(~above, series, rule.m) >= rule.k)
    hits, rank = np.flatnonzero(above), np.cumsum(above) - 1
    found: list[tuple[int, int, int]] = []
    current, detected = -1, -1
    for row in np.flatnonzero(begins | ends):
        raised = current == series[row]
        if begins[row] and not raised:
            current, detected = int(series[row]), int(hits[rank[row] + rule.k - 1])
            found.append((int(row), detected, -1))
        elif ends[row] and raised and row > detected:
            current = -1
            found[-1] = (*found[-1][:2], int(row))
    onset, met, over = np.array(found, dtype=int).reshape(-1, 3).T
    before = np.where((onset > 0) & (series[onset - 1] == series[onset]), day[onset - 1], np.nan)
    last = day[np.searchsorted(series, series[onset], "right") - 1]
    return pd.DataFrame(
        {
            "series": series[onset],
            "onset_earliest": before,
            "onset": day[onset],
            "detected": day[met],
            "resolved": np.where(over >= 0, day[over], np.nan),
            "last_seen": last,
        }
    )


def _ahead(true: BoolArray, series: npt.NDArray[np.int64], m: int) -> npt.NDArray[np.int64]:
    """Count how many of m observations in a row are true, from each observation on."""
    passed = np.append(0, np.cumsum(true))
    end = np.searchsorted(series, series, "right")
    return np.asarray(passed[np.minimum(np.arange(len(true)) + m, end)] - passed[:-1])


def _windows(steps: pd.DataFrame, follow_up: pd.DataFrame) -> pd.DataFrame:
    """List the steps of each person and how many days each was followed."""
    ordered = steps.sort_values(["person", "day"], kind="stable")[["person", "step", "day"]]
    following = ordered.groupby("person", sort=False)["day"].shift(-1)
    end = ordered["person"].map(follow_up.drop_duplicates("person").set_index("person")["end"])
    stop = np.fmin(following, end.astype(float))
    return ordered.rename(columns={"day": "step_day"}).assign(window_end=stop - ordered["day"])


def _onsets(rows: pd.DataFrame, episodes: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """Say of every series at every step what became of it."""
    windows = windows.sort_values("step_day", kind="stable").reset_index(drop=True)
    windows["step_day"] = windows["step_day"].astype(float)
    seen = _latest_step(rows, windows, "day").groupby(["series", "step"])["day"]
    risen = _latest_step(episodes, windows, "onset").drop_duplicates(["series", "step"])
    table = windows.join(pd.DataFrame({"n_observed": seen.size(), "last": seen.max()}),
                         on=["series", "step"])  # fmt: skip
    table["n_observed"] = table["n_observed"].fillna(0).astype(int)
    earlier = episodes.sort_values("onset")[["series", "onset", "resolved"]]
    state = pd.merge_asof(
        windows[["series", "step_day"]], earlier, left_on="step_day", right_on="onset",
        by="series", allow_exact_matches=False,
    )  # fmt: skip
    raised = state["onset"].notna() & ~(state["resolved"] <= state["step_day"])
    table = table.merge(risen.drop(columns="step_day"), on=["series", "step"], how="left")
    table["outcome"] = np.select(
        [table["threshold"].isna(), raised, table["onset"].notna(), table["n_observed"] == 0],
        ["no baseline", "already raised", "rise", "not observed"],
        "no rise seen",
    )
    times = ["onset_earliest", "onset", "detected", "resolved", "last_seen"]
    table.loc[table["outcome"] != "rise", times] = np.nan
    over = table["resolved"].fillna(table["last_seen"])
    table = table.assign(
        onset_latest=table["onset"],
        resolution_censored=table["resolved"]
        .isna()
        .where(table["onset"].notna())
        .astype("boolean"),
        days_to_onset=table["onset"] - table["step_day"],
        days_to_onset_earliest=table["onset_earliest"] - table["step_day"],
        days_seen=table["last"] - table["step_day"],
        duration=over - table["onset"],
    )
    return table.sort_values([*SERIES, "step"], kind="stable")[COLUMNS].reset_index(drop=True)


def _latest_step(frame: pd.DataFrame, windows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Give each row of a series the latest step at or before it; rows before all steps go."""
    left = frame.assign(reach=frame[column].astype(float) + SLACK)
    left = left.sort_values("reach", kind="stable")
    right = windows[["series", "step", "step_day"]]
    found = pd.merge_asof(left, right, left_on="reach", right_on="step_day", by="series")
    return found.dropna(subset="step").astype({"step": right["step"].dtype}).drop(columns="reach")


def _shares(onsets: pd.DataFrame, days: Sequence[float], confidence: float) -> pd.DataFrame:
    """Give the share of series with a rise by certain days since the step."""
    by = ["arm", "instrument", "item", "step"]
    at_risk = onsets["outcome"].isin(["rise", "no rise seen"])
    parts = []
    for day in sorted(days):
        reaches = onsets["window_end"] >= day - SLACK
        rise = at_risk & (onsets["days_to_onset"] <= day + SLACK)
        flags = {
            "n_at_risk": at_risk,
            "n_rise": rise,
            "n_seen": at_risk & (rise | (onsets["days_seen"] >= day - SLACK)),
            "n_already_raised": onsets["outcome"] == "already raised",
            "n_not_observed": onsets["outcome"] == "not observed",
            "n_no_baseline": onsets["outcome"] == "no baseline",
        }
        counted = pd.DataFrame(flags).mul(reaches, axis=0).astype(int)
        parts.append(onsets[by].assign(day=float(day)).join(counted))
    table = pd.concat(parts, ignore_index=True).groupby([*by, "day"], as_index=False).sum()
    share = table["n_rise"] / table["n_at_risk"].where(table["n_at_risk"] > 0)
    lower, upper = wilson(table["n_rise"], table["n_at_risk"], confidence)
    table = table.assign(share=share, lower=lower, upper=upper)
    first = [*by, "day", "n_at_risk", "n_rise", "share", "lower", "upper"]
    return table[[*first, *(name for name in table if name not in first)]]
