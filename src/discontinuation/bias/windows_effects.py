"""What is the effect of stopping in each window of time, and does it differ between windows?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import ndtri

from discontinuation.bias.early_share import Interval, fieller
from discontinuation.bias.two_arms import (
    HazardRatio,
    TwoArms,
    confidence_problems,
    hazard_ratio,
    two_arms,
    window_problems,
)
from discontinuation.problems import Problem, refuse
from discontinuation.survival import cox, landmark, rmst

SURVIVORS = (
    "People still event-free at the landmark were selected by what happened before it; the arms "
    "need not be alike there, and depletion of susceptible people lowers the ratio."
)


@dataclass(frozen=True)
class Share:
    """Share of a total that falls into the early window.

    Attributes
    ----------
    early, total
        Numerator and denominator.
    covariance
        Of the two.
    early_variance, total_variance
        Their variances.
    share
        With Fieller's limits; NaN limits where the total may be zero.
    """

    early: float
    total: float
    early_variance: float
    total_variance: float
    covariance: float
    share: Interval


@dataclass(frozen=True, eq=False)
class WindowEffects:
    """Effects of stopping by window (stopped against continued arm).

    Attributes
    ----------
    edges
        0, the cuts and the horizon, shape (windows + 1,).
    mean_time
        Difference of mean event-free time in each window: ``start, end, measure, estimate, se,
        lower, upper``.
    excess_hazard
        Difference of cumulative hazard in each window, same columns; windows are uncorrelated.
    hazard_ratios
        Piecewise, same columns, on the ratio scale with `se` that of the log.
    share_mean_time, share_excess_hazard
        Share of the total up to the horizon that lies before the first cut.
    heterogeneity
        Wald chi-square of equal hazard ratios in all windows, its degrees of freedom and p.
    early_to_late
        First window's hazard ratio over the last one's.
    landmark_ratio, landmark_mean_time
        Hazard ratio, and difference of event-free time, after the first cut among those
        event-free then.
    landmark_people
        How many of each arm these are.
    confidence
        Level of all limits.
    notes
        What to know when reading the numbers.
    """

    edges: tuple[float, ...]
    mean_time: pd.DataFrame
    excess_hazard: pd.DataFrame
    hazard_ratios: pd.DataFrame
    share_mean_time: Share
    share_excess_hazard: Share
    heterogeneity: tuple[float, int, float]
    early_to_late: Interval
    landmark_ratio: HazardRatio
    landmark_mean_time: Interval
    landmark_people: tuple[int, int]
    confidence: float
    notes: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """Every measure in one table: measure, start, end, estimate, se, lower, upper."""
        first, last = self.edges[1], self.edges[-1]
        extra = [
            ("share of mean time difference", 0.0, first, self.share_mean_time.share),
            ("share of excess cumulative hazard", 0.0, first, self.share_excess_hazard.share),
            ("first over last hazard ratio", 0.0, last, self.early_to_late),
            ("landmark mean time difference", first, last, self.landmark_mean_time),
        ]
        rows = [
            (measure, start, end, part.estimate, math.nan, part.lower, part.upper)
            for measure, start, end, part in extra
        ]
        ratio = self.landmark_ratio
        rows.append(
            ("landmark hazard ratio", first, last, ratio.ratio, ratio.se, ratio.lower, ratio.upper)
        )
        names = ["measure", "start", "end", "estimate", "se", "lower", "upper"]
        parts = [self.mean_time[names], self.excess_hazard[names], self.hazard_ratios[names]]
        return pd.concat([*parts, pd.DataFrame(rows, columns=names)], ignore_index=True)


@dataclass(frozen=True, eq=False)
class SmoothHazardRatio:
    """Hazard ratio that changes with the log of time.

    Attributes
    ----------
    curve
        ``time, hazard_ratio, lower, upper``.
    slope
        Change of the log hazard ratio per unit of log time.
    p_slope
        Wald test that there is none.
    p_schoenfeld
        Test of the scaled Schoenfeld residuals against the Kaplan-Meier clock.
    confidence
        Level of the limits.
    """

    curve: pd.DataFrame
    slope: Interval
    p_slope: float
    p_schoenfeld: float
    confidence: float

    @property
    def summary(self) -> pd.DataFrame:
        """The curve."""
        return self.curve


def window_effects(
    continued: pd.DataFrame,
    stopped: pd.DataFrame,
    cuts: Sequence[float],
    end: float,
    *,
    confidence: float = 0.95,
) -> WindowEffects:
    """Estimate the effect of stopping in each window.

    Parameters
    ----------
    continued, stopped
        People of the two arms: ``time, event``.
    cuts
        Rising ends of all windows but the last, fixed in advance; the first is the end of the
        early window and the landmark.
    end
        The horizon, end of the last window.
    confidence
        Level of all limits.

    Returns
    -------
    WindowEffects
        Methods C3. Cumulative hazards: ``E(a, b) = sum {d_D / Y_D - d_M / Y_M}`` with variance
        ``sum {d_D / Y_D^2 + d_M / Y_M^2}``; as windows are uncorrelated, the covariance of
        E(0, t1) with E(0, tau) is the variance of E(0, t1). Mean times: that covariance is
        ``{V(0, tau) + V(0, t1) - V(t1, tau)} / 2``.

    Raises
    ------
    InvalidInput
        Follow-up that is none, an arm without events, cuts that do not rise or lie past the
        horizon, a horizon past the end of follow-up.
    """
    arms = two_arms(continued, stopped)
    problems = [*_cut_problems(cuts), *confidence_problems(confidence)]
    points = {f"cut {number}": cut for number, cut in enumerate(cuts, 1)}
    refuse([*problems, *window_problems(arms, points, end)])
    edges = (0.0, *map(float, cuts), float(end))
    people = _together(continued, stopped, edges[-1])
    excess, share_hazard = _excess_hazard(arms, edges, confidence)
    means, share_mean, late_mean = _mean_times(people, edges, confidence)
    ratios = [hazard_ratio(arms.between(a, b), confidence) for a, b in _pairs(edges)]
    kept = landmark(people, edges[1]).data["stopped"].value_counts()
    notes = [SURVIVORS]
    if any(math.isnan(ratio.ratio) for ratio in ratios):
        notes.append("note: an arm has no event in a window, so that window has no hazard ratio")
    return WindowEffects(
        edges=edges,
        mean_time=means,
        excess_hazard=excess,
        hazard_ratios=_ratio_table(edges, ratios),
        share_mean_time=share_mean,
        share_excess_hazard=share_hazard,
        heterogeneity=_heterogeneity(ratios),
        early_to_late=_ratio_of_ratios(ratios, confidence),
        landmark_ratio=hazard_ratio(arms.between(edges[1], edges[-1]), confidence),
        landmark_mean_time=late_mean,
        landmark_people=(int(kept.get(0.0, 0)), int(kept.get(1.0, 0))),
        confidence=confidence,
        notes=tuple(notes),
    )


def smooth_hazard_ratio(
    continued: pd.DataFrame,
    stopped: pd.DataFrame,
    times: Sequence[float],
    end: float,
    *,
    confidence: float = 0.95,
) -> SmoothHazardRatio:
    """Let the log hazard ratio change with the log of time: ``b0 + b1 log t``.

    Parameters
    ----------
    continued, stopped
        People of the two arms: ``time, event``.
    times
        Where to read the curve, above 0 and up to the horizon.
    end
        The horizon; later events do not count.
    confidence
        Level of the limits.

    Raises
    ------
    InvalidInput
        What `window_effects` refuses, and times outside (0, end]; events at time 0.

    References
    ----------
    Grambsch PM, Therneau TM. Biometrika 1994;81:515-526 (test of the residuals).
    """
    arms = two_arms(continued, stopped)
    problems = [*confidence_problems(confidence), *window_problems(arms, {}, end)]
    asked = np.asarray(times, dtype=float)
    if not len(asked) or not ((asked > 0) & (asked <= end)).all():
        problems.append(Problem("windows", f"allowed: above 0 and up to {end:g}", column="times"))
    if arms.between(-1, 0).events.any():
        rule = "an event at time 0 has no logarithm; give times in finer units"
        problems.append(Problem("windows", rule, column="time"))
    refuse(problems)
    people = _together(continued, stopped, end)
    model = cox("stopped", people, time_varying={"stopped": "log"}, level=confidence)
    design = np.column_stack([np.ones(len(asked)), np.log(asked)])
    log_ratio = design @ model.coef
    se = np.sqrt(np.einsum("ij,jk,ik->i", design, model.covariance, design))
    half = float(ndtri((1 + confidence) / 2)) * se
    curve = pd.DataFrame(
        {
            "time": asked,
            "hazard_ratio": np.exp(log_ratio),
            "lower": np.exp(log_ratio - half),
            "upper": np.exp(log_ratio + half),
        }
    )
    plain = cox("stopped", people).proportional_hazards("km")
    return SmoothHazardRatio(
        curve=curve,
        slope=Interval(float(model.coef[1]), float(model.lower[1]), float(model.upper[1])),
        p_slope=float(model.p_value[1]),
        p_schoenfeld=float(plain.p_value[0]),
        confidence=confidence,
    )


def _together(continued: pd.DataFrame, stopped: pd.DataFrame, end: float) -> pd.DataFrame:
    """One frame of both arms, observed until the horizon."""
    parts = [
        pd.DataFrame(
            {
                "time": np.minimum(people["time"].to_numpy(dtype=float), end),
                "event": people["event"].to_numpy(dtype=float)
                * (people["time"].to_numpy(dtype=float) <= end),
                "stopped": float(arm),
            }
        )
        for arm, people in enumerate((continued, stopped))
    ]
    return pd.concat(parts, ignore_index=True)


def _pairs(edges: tuple[float, ...]) -> list[tuple[float, float]]:
    return list(pairwise(edges))


def _excess_hazard(
    arms: TwoArms, edges: tuple[float, ...], confidence: float
) -> tuple[pd.DataFrame, Share]:
    parts = [arms.between(start, stop) for start, stop in _pairs(edges)]
    estimates = np.array([float(part.hazard[1] - part.hazard[0]) for part in parts])
    variances = np.array([float(part.hazard_variance.sum()) for part in parts])
    table = _table("excess cumulative hazard", edges, estimates, np.sqrt(variances), confidence)
    share = share_of(
        (estimates[0], estimates.sum()), (variances[0], variances.sum()), variances[0], confidence
    )
    return table, share


def _mean_times(
    people: pd.DataFrame, edges: tuple[float, ...], confidence: float
) -> tuple[pd.DataFrame, Share, Interval]:
    def difference(data: pd.DataFrame, start: float, stop: float) -> tuple[float, float]:
        found = rmst(data["time"], data["event"], data["stopped"], stop, start)
        return float(found.difference[0]), float(found.difference_se[0])

    parts = np.array([difference(people, a, b) for a, b in _pairs(edges)])
    table = _table("mean time difference", edges, parts[:, 0], parts[:, 1], confidence)
    whole = difference(people, 0.0, edges[-1])
    late = difference(people, edges[1], edges[-1])
    covariance = (whole[1] ** 2 + parts[0, 1] ** 2 - late[1] ** 2) / 2
    share = share_of(
        (parts[0, 0], whole[0]), (parts[0, 1] ** 2, whole[1] ** 2), covariance, confidence
    )
    after = difference(landmark(people, edges[1]).data, edges[1], edges[-1])
    half = float(ndtri((1 + confidence) / 2)) * after[1]
    return table, share, Interval(after[0], after[0] - half, after[0] + half)


def share_of(
    pair: tuple[float, float], variances: tuple[float, float], covariance: float, confidence: float
) -> Share:
    """Divide an early part by the total, with Fieller's limits.

    Parameters
    ----------
    pair
        Early part and total.
    variances
        Their variances.
    covariance
        Of the two.
    confidence
        Level of the limits.
    """
    early, total = float(pair[0]), float(pair[1])
    matrix = np.array([[variances[0], covariance], [covariance, variances[1]]])
    lower, upper = fieller(np.array([early, total]), matrix, confidence)
    ratio = early / total if total else math.nan
    return Share(
        early,
        total,
        float(variances[0]),
        float(variances[1]),
        float(covariance),
        Interval(ratio, lower, upper),
    )


def _table(
    measure: str,
    edges: tuple[float, ...],
    estimates: np.ndarray,
    se: np.ndarray,
    confidence: float,
) -> pd.DataFrame:
    half = float(ndtri((1 + confidence) / 2)) * se
    return pd.DataFrame(
        {
            "measure": measure,
            "start": edges[:-1],
            "end": edges[1:],
            "estimate": estimates,
            "se": se,
            "lower": estimates - half,
            "upper": estimates + half,
        }
    )


def _ratio_table(edges: tuple[float, ...], ratios: list[HazardRatio]) -> pd.DataFrame:
    rows = [
        ("hazard ratio", start, stop, one.ratio, one.se, one.lower, one.upper)
        for (start, stop), one in zip(_pairs(edges), ratios, strict=True)
    ]
    return pd.DataFrame(
        rows, columns=["measure", "start", "end", "estimate", "se", "lower", "upper"]
    )


def _heterogeneity(ratios: list[HazardRatio]) -> tuple[float, int, float]:
    """Wald test that all log ratios are equal; the windows of a Cox model are independent."""
    from scipy.special import chdtrc

    logs, weights = (
        np.array([one.log_ratio for one in ratios]),
        1 / np.array([one.se**2 for one in ratios]),
    )
    mean = (weights * logs).sum() / weights.sum()
    statistic = float((weights * (logs - mean) ** 2).sum())
    df = len(ratios) - 1
    return statistic, df, float(chdtrc(df, statistic))


def _ratio_of_ratios(ratios: list[HazardRatio], confidence: float) -> Interval:
    first, last = ratios[0], ratios[-1]
    log_ratio = first.log_ratio - last.log_ratio
    half = float(ndtri((1 + confidence) / 2)) * math.hypot(first.se, last.se)
    return Interval(*(math.exp(log_ratio + shift) for shift in (0.0, -half, half)))


def _cut_problems(cuts: Sequence[float]) -> list[Problem]:
    values = [float(cut) for cut in cuts]
    if not values:
        return [Problem("windows", "at least one cut is needed", column="cuts")]
    if any(b <= a for a, b in pairwise(values)):
        shown = ", ".join(f"{value:g}" for value in values)
        return [Problem("windows", "cuts must rise", None, "cuts", shown)]
    return []
