"""How early is the difference between two curves, and how early would it be with no withdrawal?

The early share of the endpoint difference (Recalt & Cohen 2019, doi:10.1159/000496734) from
individual or reconstructed data, beside its benchmarks under proportional hazards and beside what
the rule of one half would say over windows and horizons if nothing but a constant hazard ratio
were at work. The cause of what is early is not identified by any of this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from discontinuation.bias.early_share import (
    ESTIMABLE_FRACTION,
    Interval,
    Matrix,
    Vector,
    expected_share,
    gap_share,
)
from discontinuation.bias.two_arms import (
    Arm,
    TwoArms,
    checked,
    confidence_problems,
    early_problems,
    hazard_ratio,
    refuse_window,
    tabulate,
)
from discontinuation.bias.verdict_words import early_verdict
from discontinuation.problems import Problem
from discontinuation.survival import kaplan_meier

RULE = 0.5  # the published rule fires at this share

# Event-free shares (stopped, continued) at a number of weeks; domain.md 3.4 and 6.3 (tag D).
NULL_SETTINGS = (
    ("MDD 56/76 % at 1 y", (0.56, 0.76, 52.0), (52.0, 38.9, 26.0, 24.0, 16.0)),
    ("schizophrenia 36/73 % at 1 y", (0.36, 0.73, 52.0), (52.0, 26.0, 24.0, 12.0)),
    ("stimulant-like 25/84 % at 6 wk", (0.25, 0.84, 6.0), (6.0,)),
)
NULL_WEEKS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0)


@dataclass(frozen=True, eq=False)
class EarlyShare:
    """Early share of the endpoint difference with its benchmarks.

    Attributes
    ----------
    early, end
        The two points in time.
    event_free
        S of the continued and the stopped arm (rows) at both points (columns), shape (2, 2).
    share
        R with Fieller's limits; NaN limits where the endpoint difference may be zero.
    share_se
        Its standard error by the delta method.
    hazard_ratio_overall, hazard_ratio_late
        Cox, over the whole follow-up and after the early point.
    expected_overall, expected_late
        Share expected under proportional hazards with either; NaN where it cannot be had.
    expected_linear
        early / end.
    excess_overall, excess_late
        R less its expectation, with percentile limits over bootstrapped people.
    calibration
        Over windows and horizons: ``early, end, share, expected_overall, fires,
        fires_without_withdrawal``.
    confidence, replicates
        Of the intervals.
    notes
        What to know when reading the numbers.
    """

    early: float
    end: float
    event_free: Matrix
    share: Interval
    share_se: float
    hazard_ratio_overall: float
    hazard_ratio_late: float
    expected_overall: float
    expected_late: float
    expected_linear: float
    excess_overall: Interval
    excess_late: Interval
    calibration: pd.DataFrame
    confidence: float
    replicates: int
    notes: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """One row per measure: measure, estimate, se, lower, upper."""
        nan = math.nan
        rows = [
            ("early share", self.share.estimate, self.share_se, self.share.lower, self.share.upper),
            ("expected, proportional hazards overall", self.expected_overall, nan, nan, nan),
            ("expected, late-anchored hazard ratio", self.expected_late, nan, nan, nan),
            ("expected, linear in time", self.expected_linear, nan, nan, nan),
        ]
        for name, part in (("overall", self.excess_overall), ("late-anchored", self.excess_late)):
            rows.append((f"excess share, {name}", part.estimate, nan, part.lower, part.upper))
        return pd.DataFrame(rows, columns=["measure", "estimate", "se", "lower", "upper"])

    def verdict(self, margin: float = 0.2) -> str:
        """Read the excess over the late-anchored benchmark; see `early_verdict`."""
        return early_verdict(self.excess_late.lower, self.excess_late.upper, margin)


def early_share(
    continued: pd.DataFrame,
    stopped: pd.DataFrame,
    early: float,
    end: float,
    random: np.random.Generator,
    *,
    windows: Sequence[float] = (),
    horizons: Sequence[float] = (),
    replicates: int = 1000,
    confidence: float = 0.95,
) -> EarlyShare:
    """Compute the early share of the endpoint difference beside its benchmarks.

    Parameters
    ----------
    continued, stopped
        People of the two arms: ``time, event``.
    early, end
        The early point t1 and the horizon tau.
    random
        Random stream of the bootstrap.
    windows, horizons
        Further early points and ends for the calibration; those pairs with early < end are shown.
    replicates
        Bootstrap samples of people, drawn within arms.
    confidence
        Level of all limits.

    Returns
    -------
    EarlyShare

    Raises
    ------
    InvalidInput
        Follow-up that is none, an arm without events, points past the end of follow-up or out of
        order, too few replicates.

    References
    ----------
    Recalt AM, Cohen D. Psychother Psychosom 2019;88:105-113; Fieller EC. J R Stat Soc B
    1954;16:175-185; variance of S by Greenwood.
    """
    people = checked(continued, stopped)
    arms = tabulate(*people)
    problems = _option_problems(arms, windows, horizons, replicates, confidence)
    problems += early_problems(arms, early)
    refuse_window(arms, early, end, problems)
    points = [_points(arm, (early, end)) for arm in people]
    share = gap_share(points[0], points[1], confidence)
    se = _delta_se(points[0], points[1])
    excess = [_excess(arms, early, end, late) for late in (False, True)]
    limits = _bootstrap(people, early, end, random, replicates, confidence)
    unbounded = math.isnan(share.lower)
    intervals = [
        Interval(value.excess, *((math.nan, math.nan) if unbounded else limit))
        for value, limit in zip(excess, limits, strict=True)
    ]
    return EarlyShare(
        early=early,
        end=end,
        event_free=np.array([point[0] for point in points]),
        share=share,
        share_se=se,
        hazard_ratio_overall=excess[0].ratio,
        hazard_ratio_late=excess[1].ratio,
        expected_overall=excess[0].expected,
        expected_late=excess[1].expected,
        expected_linear=early / end,
        excess_overall=intervals[0],
        excess_late=intervals[1],
        calibration=_calibration(arms, sorted({early, *windows}), sorted({end, *horizons})),
        confidence=confidence,
        replicates=replicates,
        notes=_notes(unbounded, excess[1].expected, intervals[1]),
    )


def null_table() -> pd.DataFrame:
    """Share of the endpoint difference that is early with no withdrawal at all.

    Returns
    -------
    DataFrame
        ``setting, horizon, week, share, fires``: exponential arms in the settings of domain.md
        6.3, ``(e^-bw - e^-aw) / (e^-bh - e^-ah)`` at week w of horizon h; `fires` says whether
        the rule of one half calls that withdrawal.
    """
    rows = []
    for setting, (stopped, continued, at), horizons in NULL_SETTINGS:
        theta = np.array(math.log(stopped) / math.log(continued))
        for horizon in horizons:
            for week in NULL_WEEKS:
                if week <= horizon:
                    curve = continued ** (np.array([week, horizon]) / at)
                    share = float(expected_share(curve, theta))
                    rows.append((setting, horizon, week, share, share >= RULE))
    return pd.DataFrame(rows, columns=["setting", "horizon", "week", "share", "fires"])


@dataclass(frozen=True)
class _Excess:
    ratio: float
    expected: float
    excess: float


def _excess(arms: TwoArms, early: float, end: float, late: bool) -> _Excess:
    """Early share less what a constant hazard ratio would give."""
    curves = _survival(arms, (early, end))
    ratio = hazard_ratio(arms.between(early if late else 0.0, end)).ratio
    expected = float(expected_share(curves[:, 0], np.array(ratio)))
    gap = curves[:, 0] - curves[:, 1]
    share = float(gap[0] / gap[1]) if gap[1] else math.nan
    return _Excess(ratio, expected, share - expected)


def _survival(arms: TwoArms, times: tuple[float, float]) -> Matrix:
    """Kaplan-Meier proportions, shape (times, arms)."""
    curve = np.cumprod(1 - arms.hazard_steps, axis=0)
    position = np.searchsorted(arms.time, times, side="right")
    return np.vstack([np.ones((1, 2)), curve])[position]


def _points(arm: Arm, at: tuple[float, float]) -> tuple[Vector, Matrix]:
    """S at two times and its covariance S(s) S(t) G(min(s, t))."""
    read = kaplan_meier(*arm).at(list(at))
    survival, se = read["survival"].to_numpy(), read["se"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = (se / survival) ** 2
    covariance = np.outer(survival, survival) * np.minimum.outer(greenwood, greenwood)
    return survival, covariance


def _delta_se(continued: tuple[Vector, Matrix], stopped: tuple[Vector, Matrix]) -> float:
    gap, covariance = continued[0] - stopped[0], continued[1] + stopped[1]
    if gap[1] == 0:
        return math.nan
    slope = np.array([1 / gap[1], -gap[0] / gap[1] ** 2])
    return float(np.sqrt(slope @ covariance @ slope))


def _bootstrap(
    people: tuple[Arm, Arm],
    early: float,
    end: float,
    random: np.random.Generator,
    replicates: int,
    confidence: float,
) -> list[tuple[float, float]]:
    """Percentile limits of both excesses; NaN if more than one sample in twenty has none."""
    sizes = [len(time) for time, _ in people]
    found = np.empty((replicates, 2))
    for row in range(replicates):
        weights = [random.multinomial(n, np.full(n, 1 / n)).astype(float) for n in sizes]
        drawn = tabulate(*people, (weights[0], weights[1]))
        found[row] = [_excess(drawn, early, end, late).excess for late in (False, True)]
    tail = (1 - confidence) / 2
    limits = []
    for column in found.T:
        usable = column[np.isfinite(column)]
        if len(usable) < ESTIMABLE_FRACTION * replicates:
            limits.append((math.nan, math.nan))
        else:
            lower, upper = np.quantile(usable, [tail, 1 - tail])
            limits.append((float(lower), float(upper)))
    return limits


def _calibration(arms: TwoArms, windows: list[float], horizons: list[float]) -> pd.DataFrame:
    rows = []
    for end in horizons:
        for early in windows:
            if early < end:
                part = _excess(arms, early, end, late=False)
                share = part.excess + part.expected
                rows.append(
                    (early, end, share, part.expected, share >= RULE, part.expected >= RULE)
                )
    names = ["early", "end", "share", "expected_overall", "fires", "fires_without_withdrawal"]
    return pd.DataFrame(rows, columns=names)


def _notes(unbounded: bool, expected_late: float, late: Interval) -> tuple[str, ...]:
    notes = []
    if unbounded:
        notes.append("note: the endpoint difference may be zero, so no share has an interval")
    if math.isnan(expected_late):
        notes.append("note: an arm has no event after the early point, so there is no late anchor")
    elif math.isnan(late.lower) and not unbounded:
        notes.append("note: more than one bootstrap sample in twenty has no late anchor")
    return tuple(notes)


def _option_problems(
    arms: TwoArms,
    windows: Sequence[float],
    horizons: Sequence[float],
    replicates: int,
    confidence: float,
) -> list[Problem]:
    problems = list(confidence_problems(confidence))
    if replicates < 100:
        rule = "allowed: 100 or more"
        problems.append(Problem("options", rule, None, "replicates", str(replicates)))
    last = float(arms.last.min())
    for name, values in (("windows", windows), ("horizons", horizons)):
        for value in values:
            if not 0 < value <= last:
                rule = f"allowed: above 0 and up to {last:g}, where an arm's follow-up ends"
                problems.append(Problem("calibration", rule, None, name, f"{value:g}"))
    return problems
