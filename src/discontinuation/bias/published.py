"""The early share of every published trial with two or more time points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.bias.early_share import (
    Interval,
    Matrix,
    Vector,
    binomial_covariance,
    covariance_from_variances,
    excess_share,
    expected_share,
    gap_share,
    late_hazard_ratio,
    overall_hazard_ratio,
)
from discontinuation.bias.windows import window_end
from discontinuation.seeds import random_stream
from discontinuation.synthesis.survival import risk_from_survival
from discontinuation.tables.comparisons import STOPPED, join_results

NAN = float("nan")
COLUMNS = [
    "study", "title", "cohort", "collection", "use", "drug", "drug_class", "design", "strategy",
    "taper_days", "source", "early_week", "end_week", "time_points", "continued_early",
    "stopped_early", "continued_end", "stopped_end", "gap_early", "gap_end", "share",
    "share_lower", "share_upper", "hazard_ratio_assumed", "benchmark",
    "expected_share_proportional_hazards", "expected_share_linear", "excess_share",
    "excess_lower", "excess_upper", "interval_basis", "tier", "window_end_days", "window_rule",
    "window_tag", "window_taper_known", "inside_window", "reading",
]  # fmt: skip
SAME_CURVE = ["study", "comparison", "cointervention", "outcome", "estimator"]


@dataclass(frozen=True)
class Curve:
    """Event-free proportions of one arm or of several alike, at rising weeks.

    Attributes
    ----------
    weeks, event_free
        Arrays of shape (k,).
    covariance
        Of shape (k, k), or None where nothing published gives it.
    basis
        What the covariance rests on, or why there is none.
    """

    weeks: Vector
    event_free: Vector
    covariance: Matrix | None
    basis: str

    def at(self, weeks: Sequence[float]) -> tuple[Vector, Matrix]:
        """Pick the curve and its covariance at some of its weeks."""
        index = [int(np.flatnonzero(self.weeks == week)[0]) for week in weeks]
        k = len(index)
        covariance = (
            np.full((k, k), NAN)
            if self.covariance is None
            else self.covariance[np.ix_(index, index)]
        )
        return self.event_free[index], covariance


def early_shares(
    frames: dict[str, pd.DataFrame],
    windows: pd.DataFrame,
    factors: Sequence[float],
    seed: int,
    replicates: int,
    confidence: float,
) -> pd.DataFrame:
    """Compute the early share of every trial that allows it.

    Parameters
    ----------
    frames
        Current tables studies, arms, results.
    windows
        Withdrawal windows by class of drug.
    factors
        Factors on the windows; the first is the main analysis.
    seed, replicates, confidence
        Of the simulated intervals.

    Returns
    -------
    DataFrame
        One row per trial, way of stopping and early point.
    """
    joined = join_results(frames)
    usable = joined["estimator"].isin(["crude", "kaplan_meier"])
    curves = joined.loc[
        (joined["outcome_type"] == "relapse") & usable & joined["event_free"].notna()
    ]
    curves = curves.loc[curves["week"] > 0]
    rows = []
    for _, group in curves.groupby(SAME_CURVE, dropna=False, sort=False):
        continued = group.loc[group["strategy"] == "maintain"]
        for strategy in STOPPED:
            stopped = group.loc[group["strategy"] == strategy]
            pair = _curve(continued), _curve(stopped)
            if pair[0] is None or pair[1] is None:
                continue
            for numbers in _points(pair[0], pair[1], seed, replicates, confidence, stopped):
                rows.append(
                    {**_about(stopped), **numbers, **_window(stopped, windows, factors, numbers)}
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def _curve(arms: pd.DataFrame) -> Curve | None:
    """Merge arms treated alike into one curve; None without two time points."""
    if arms.empty:
        return None
    by_week = arms.groupby("week")
    complete = by_week.size() == arms["arm"].nunique()
    weeks = complete.index[complete].to_numpy(dtype=float)
    if len(weeks) < 2:
        return None
    rows = arms.loc[arms["week"].isin(weeks)].sort_values("week")
    if (rows["estimator"] == "crude").all() and rows[["events", "n"]].notna().all(axis=None):
        events = rows.groupby("week")["events"].sum().to_numpy(dtype=float)
        people = rows.groupby("week")["n"].sum().to_numpy(dtype=float)
        if np.ptp(people) == 0:
            event_free = 1 - events / people
            covariance = binomial_covariance(event_free, people[0])
            return Curve(weeks, event_free, covariance, "counts, everyone followed")
    if len(set(rows["arm"])) > 1:
        return _averaged_curve(rows, weeks)
    return _published_curve(rows, weeks)


def _averaged_curve(rows: pd.DataFrame, weeks: Vector) -> Curve | None:
    """Average several Kaplan-Meier curves by size; None without the sizes."""
    size = rows["n"].astype(float).fillna(rows["n_randomised"].astype(float))
    if size.isna().any():
        return None
    weighted = (rows["event_free"] * size).groupby(rows["week"]).sum()
    event_free = (weighted / size.groupby(rows["week"]).sum()).to_numpy(dtype=float)
    return Curve(weeks, event_free, None, "several arms averaged")


def _published_curve(rows: pd.DataFrame, weeks: Vector) -> Curve:
    """Use a Kaplan-Meier curve with its published intervals, where every point has one."""
    event_free = rows["event_free"].to_numpy(dtype=float)
    limits = rows[["event_free_lower", "event_free_upper"]].to_numpy(dtype=float)
    variances = np.array(
        [
            risk_from_survival(s, *pair).variance if np.isfinite(pair).all() else NAN
            for s, pair in zip(event_free, limits, strict=True)
        ]
    )
    if np.isfinite(variances).all():
        covariance = covariance_from_variances(event_free, variances)
        return Curve(weeks, event_free, covariance, "published intervals")
    known = np.isfinite(variances)
    if known.sum() < 2:
        return Curve(weeks, event_free, None, "no interval published at these points")
    # Points with an interval keep it; the others stay unknown rather than guessed.
    covariance = np.full((len(weeks), len(weeks)), NAN)
    covariance[np.ix_(known, known)] = covariance_from_variances(
        event_free[known], variances[known]
    )
    return Curve(weeks, event_free, covariance, "published intervals at some points")


def _points(
    continued: Curve,
    stopped: Curve,
    seed: int,
    replicates: int,
    confidence: float,
    about: pd.DataFrame,
) -> Iterator[dict[str, Any]]:
    """Compare every early point with the last one that both arms share."""
    weeks = np.intersect1d(continued.weeks, stopped.weeks)
    if len(weeks) < 2:
        return
    late_anchored = len(weeks) > 2
    for week in weeks[:-1]:
        at = [float(week), float(weeks[-1])]
        m, d = continued.at(at), stopped.at(at)
        random = random_stream(seed, "early share", str(about["study"].iat[0]), f"{week:g}")
        theta = (late_hazard_ratio if late_anchored else overall_hazard_ratio)(m[0], d[0])
        excess = _excess(m, d, late_anchored, random, replicates, confidence)
        share = gap_share(m, d, confidence)
        expected = float(expected_share(m[0], theta))
        yield {
            "early_week": at[0],
            "end_week": at[1],
            "time_points": len(weeks),
            "continued_early": m[0][0],
            "stopped_early": d[0][0],
            "continued_end": m[0][1],
            "stopped_end": d[0][1],
            "gap_early": m[0][0] - d[0][0],
            "gap_end": m[0][1] - d[0][1],
            "share": share.estimate,
            "share_lower": share.lower,
            "share_upper": share.upper,
            "hazard_ratio_assumed": float(theta),
            "benchmark": "late-anchored" if late_anchored else "whole follow-up",
            "expected_share_proportional_hazards": expected,
            "expected_share_linear": at[0] / at[1],
            "excess_share": excess.estimate,
            "excess_lower": excess.lower,
            "excess_upper": excess.upper,
            "interval_basis": _basis(continued, stopped, m[1], d[1], share),
            "tier": 4,
        }


def _excess(
    m: tuple[Vector, Matrix],
    d: tuple[Vector, Matrix],
    late_anchored: bool,
    random: np.random.Generator,
    replicates: int,
    confidence: float,
) -> Interval:
    if np.isfinite(m[1]).all() and np.isfinite(d[1]).all():
        return excess_share(m, d, late_anchored, random, replicates, confidence)
    theta = (late_hazard_ratio if late_anchored else overall_hazard_ratio)(m[0], d[0])
    gap = m[0] - d[0]
    estimate = gap[0] / gap[1] - expected_share(m[0], theta) if gap[1] else NAN
    return Interval(float(estimate), NAN, NAN)


def _basis(continued: Curve, stopped: Curve, cov_m: Matrix, cov_d: Matrix, share: Interval) -> str:
    if not (np.isfinite(cov_m).all() and np.isfinite(cov_d).all()):
        return "not estimable: no count and no interval published at both points in both arms"
    if not np.isfinite(share.lower):
        return "not estimable: the endpoint difference may be zero"
    return " / ".join(dict.fromkeys([continued.basis, stopped.basis]))


def _about(stopped: pd.DataFrame) -> dict[str, Any]:
    first = stopped.iloc[0]
    names = ["study", "title", "cohort", "collection", "use", "drug", "drug_class", "design"]
    about = {name: first[name] for name in names}
    about["strategy"] = first["strategy"]
    days = stopped["taper_days"].unique()
    about["taper_days"] = days[0] if len(days) == 1 else NAN
    about["source"] = first["source"]
    return about


def _window(
    stopped: pd.DataFrame,
    windows: pd.DataFrame,
    factors: Sequence[float],
    numbers: dict[str, Any],
) -> dict[str, Any]:
    """Say whether the early point lies inside the withdrawal window."""
    # Arms taken together: a point is inside only if it is inside for each of them.
    ends = [window_end(arm, windows, factors[0]) for _, arm in stopped.iterrows()]
    window = min(ends, key=lambda window: window.end_days)
    inside = numbers["early_week"] * 7 <= window.end_days
    reading = "inside the withdrawal window" if inside else "not informative about withdrawal"
    if not np.isfinite(window.end_days):
        reading = "no window is stated for this drug class"
    return {
        **{f"window_{key}": value for key, value in asdict(window).items()},
        "inside_window": bool(inside),
        "reading": _words(reading, inside, numbers),
    }


def _words(reading: str, inside: bool, numbers: dict[str, Any]) -> str:
    """Read the excess the same way in both directions; the cause is never named."""
    if not inside:
        return reading
    lower, upper = numbers["excess_lower"], numbers["excess_upper"]
    if not np.isfinite(lower):
        return f"{reading}; whether more or less than the benchmark is early cannot be judged"
    if lower > 0:
        return f"{reading}; early excess over the benchmark, cause not identified"
    if upper < 0:
        return f"{reading}; early shortfall against the benchmark, cause not identified"
    return f"{reading}; compatible with the benchmark, and with more and with less"
