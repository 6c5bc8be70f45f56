"""What were one person's symptoms like at each dose, and how did they change from dose to dose?

One person without a comparison: everything here describes. Neighbouring days are alike, so that
intervals which take them for independent are too narrow; all intervals here allow for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import InvalidInput, Problem, refuse
from discontinuation.symptoms.fixed_effects import FreedomMethod
from discontinuation.symptoms.maximise import Correlation
from discontinuation.symptoms.mixed_model import MixedModel, contrasts, fit_mixed_model
from discontinuation.symptoms.smooth import smooth_mean
from discontinuation.symptoms.steps import dose_levels, require_columns

FloatArray = npt.NDArray[np.float64]
SLACK = 1e-9
LIMITS = ["estimate", "se", "df", "lower", "upper"]


@dataclass(frozen=True, eq=False)
class SingleCase:
    """One person's series of one symptom against the dose.

    Attributes
    ----------
    summary
        One row per dose level: level, start, stop, dose, unit; n_observed (days, or other planned
        times, with an answer), n_expected, n_missing; mean, sd (of the days); estimate, se, df,
        lower, upper of the level under autocorrelation; and change, change_se, change_df,
        change_lower, change_upper against the level before. Blank where nothing was observed.
    trends
        Rows ``whole series`` (a straight line through everything) and ``within levels`` (one slope
        beside the levels): estimate per day, se, df, lower, upper.
    smooth
        Time-varying mean: day, mean, lower, upper, n_near; blank where too few days are near.
    observed
        day, value (mean of the day's answers), n_answers, level (blank where the dose is unknown).
    missing
        Days on which an answer was due and none came: between two answers, and before the first
        and after the last, as many as the planned distance has room for.
    model
        The fitted levels: autocorrelation, residual standard deviation, warnings.
    n_observed, n_expected, n_missing, n_unknown_dose
        Over the whole of observation; n_expected is the sum of the other two, and the last counts
        days with an answer at an unknown dose, which no level uses.
    every, bandwidth, confidence
        As asked for.
    warnings
        What a reader must know before the numbers are used.
    """

    summary: pd.DataFrame
    trends: pd.DataFrame
    smooth: pd.DataFrame
    observed: pd.DataFrame
    missing: FloatArray
    model: MixedModel
    n_observed: int
    n_expected: int
    n_missing: int
    n_unknown_dose: int
    every: float
    bandwidth: float
    confidence: float
    warnings: tuple[str, ...]


def describe_single_case(
    series: pd.DataFrame,
    doses: pd.DataFrame,
    observation: tuple[float, float],
    *,
    every: float = 1.0,
    correlation: Correlation = "car1",
    df: FreedomMethod = "satterthwaite",
    bandwidth: float | None = None,
    confidence: float = 0.95,
) -> SingleCase:
    """Describe one person's series of one symptom by dose level.

    Parameters
    ----------
    series
        day, value: the answers of one person to one item. Several on one day are averaged first.
    doses
        The person's canonical doses, of one drug.
    observation
        First and last day of observation.
    every
        Days between planned answers: 1 for a diary, 7 for a weekly scale.
    correlation
        ``"car1"`` (by time, not negative) or ``"ar1"`` (by whole days); see `fit_mixed_model`.
    df
        Degrees of freedom; see `fit_mixed_model`.
    bandwidth
        Half-width of the window of the time-varying mean, days; two weeks or four planned answers
        by default, whichever is longer.
    confidence
        Level of all intervals.

    Raises
    ------
    InvalidInput
        Missing columns, several people or drugs, no dose level with an answer, too few days for
        the model, with what is missing.

    References
    ----------
    Generalised least squares as R's nlme::gls; Pinheiro JC, Bates DM. Mixed-effects models in S
    and S-PLUS, Springer 2000, section 5.4.
    """
    refuse(_problems(series, doses, observation, every))
    width = max(14.0, 4 * every) if bandwidth is None else bandwidth
    levels = dose_levels(doses)
    observed = _daily(series, doses, levels)
    days = np.arange(np.floor(observation[0]), np.floor(observation[1]) + 1)
    placed = observed[observed["level"].notna()].astype({"level": int})
    if placed.empty:
        refuse([Problem("series", "has no answer on a day whose dose is known")])
    numbers = sorted(placed["level"].unique())
    design = pd.DataFrame(
        {f"level {number}": (placed["level"] == number).astype(float) for number in numbers}
    )

    def fit(columns: pd.DataFrame) -> MixedModel:
        return fit_mixed_model(
            placed.assign(person=1),
            "value",
            columns,
            random="none",
            correlation=correlation,
            position="day",
            df=df,
            confidence=confidence,
        )

    model = fit(design)
    missing = _missing(observed["day"].to_numpy(), days[0], days[-1], every)
    summary = _counts(levels, placed, missing)
    summary = summary.join(_level_means(placed, model, numbers), on="level")
    trends, trouble = _trends(fit, placed["day"], design)
    return SingleCase(
        summary=summary.join(_changes(model, numbers), on="level"),
        trends=trends,
        smooth=smooth_mean(observed["day"], observed["value"], days, width, confidence),
        observed=observed,
        missing=missing,
        model=model,
        n_observed=len(observed),
        n_expected=len(observed) + len(missing),
        n_missing=len(missing),
        n_unknown_dose=len(observed) - len(placed),
        every=every,
        bandwidth=width,
        confidence=confidence,
        warnings=(*model.warnings, *trouble),
    )


def _problems(
    series: pd.DataFrame, doses: pd.DataFrame, observation: tuple[float, float], every: float
) -> list[Problem]:
    found = require_columns(series, "series", ["day", "value"])
    found += require_columns(doses, "doses", ["person", "drug"])
    for table, frame, name in (
        ("doses", doses, "person"),
        ("doses", doses, "drug"),
        ("series", series, "person"),
    ):
        values = list(frame[name].unique()) if name in frame else []
        if len(values) > 1:
            message = f"a single case is one {name}, not {len(values)}"
            found.append(Problem(table, message, None, name, ", ".join(map(str, values[:5]))))
    if not observation[0] <= observation[1]:
        found.append(Problem("observation", "the last day must not come before the first"))
    if not every > 0:
        found.append(Problem("single case", "must be greater than 0", None, "every"))
    return found


def _daily(series: pd.DataFrame, doses: pd.DataFrame, levels: pd.DataFrame) -> pd.DataFrame:
    """Average the answers of each day and look up the dose level; blank in a gap of the doses."""
    day = np.floor(series["day"].astype(float) + SLACK)
    answers = series["value"].astype(float).groupby(day).agg(["mean", "size"])
    observed = pd.DataFrame(
        {
            "day": answers.index.to_numpy(dtype=float),
            "value": answers["mean"].to_numpy(),
            "n_answers": answers["size"].to_numpy(),
        }
    )
    intervals = doses[["start", "stop"]].astype(float).sort_values("start")
    intervals = intervals.assign(level=levels["level"].to_numpy()[
        np.searchsorted(levels["start"].to_numpy(dtype=float), intervals["start"], "right") - 1
    ])  # fmt: skip
    found = pd.merge_asof(observed, intervals, left_on="day", right_on="start")
    known = found["day"] < found["stop"] - SLACK
    return observed.assign(level=found["level"].where(known).astype("Int64").to_numpy())


def _missing(day: FloatArray, first: float, last: float, every: float) -> FloatArray:
    """Place the answers that were due and did not come, evenly in their gaps."""
    before = day[0] - every * np.arange(int((day[0] - first) // every), 0, -1)
    after = day[-1] + every * np.arange(1, int((last - day[-1]) // every) + 1)
    between = [
        np.linspace(left, right, max(round((right - left) / every), 1) + 1)[1:-1]
        for left, right in pairwise(day)
    ]
    return np.concatenate([before, *between, after])


def _counts(levels: pd.DataFrame, placed: pd.DataFrame, missing: FloatArray) -> pd.DataFrame:
    """Count answers, and those that were due, at each dose level."""
    table = levels[["level", "start", "stop", "dose", "unit"]].astype(
        {"start": float, "stop": float}
    )
    lost = [
        int(((missing >= start - SLACK) & (missing < stop - SLACK)).sum())
        for start, stop in zip(table["start"], table["stop"], strict=True)
    ]
    observed = table["level"].map(placed["level"].value_counts()).fillna(0).astype(int)
    return table.assign(n_observed=observed, n_expected=observed + lost, n_missing=lost)


def _level_means(placed: pd.DataFrame, model: MixedModel, numbers: list[int]) -> pd.DataFrame:
    raw = placed.groupby("level")["value"].agg(["mean", "std"]).rename(columns={"std": "sd"})
    fitted = model.fixed[LIMITS].set_axis(numbers, axis=0)
    return raw.join(fitted)


def _changes(model: MixedModel, numbers: list[int]) -> pd.DataFrame:
    """Compare each level with the one before it that was observed."""
    names = {"estimate": "change", **{name: f"change_{name}" for name in LIMITS[1:]}}
    weights = pd.DataFrame(
        np.eye(len(numbers))[1:] - np.eye(len(numbers))[:-1],
        index=numbers[1:],
        columns=list(model.effects.terms),
    )
    table = contrasts(model, weights)[LIMITS].rename(columns=names)
    return table.set_axis(numbers[1:], axis=0)


def _trends(
    fit: Callable[[pd.DataFrame], MixedModel], day: pd.Series[float], design: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """Fit a straight line through everything, and one slope beside the levels."""
    trend = (day - day.mean()).rename("trend")
    line = pd.DataFrame({"intercept": 1.0, "trend": trend})
    rows, trouble = [], []
    for name, columns in (("whole series", line), ("within levels", design.join(trend))):
        try:
            found = fit(columns)
        except InvalidInput as error:
            trouble.append(f"no trend {name}: {error.problems[0].message}")
            continue
        trouble += [f"trend, {name}: {warning}" for warning in found.warnings]
        rows.append({"trend": name, **found.fixed.iloc[-1][LIMITS].to_dict()})
    return pd.DataFrame(rows, columns=["trend", *LIMITS]), trouble
