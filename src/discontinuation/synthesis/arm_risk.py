"""What risk do the arms of one group have together, and how precisely is it known?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from discontinuation.synthesis.survival import risk_from_survival

NAN = math.nan

COUNTS = "counts"
PROPORTION = "proportion and number"
INTERVAL = "Kaplan-Meier with its published interval"
UNCENSORED = "Kaplan-Meier as if nobody was censored"
POINT_ONLY = "proportion without a number"


@dataclass(frozen=True)
class ArmRisk:
    """The risk of one group of arms.

    Attributes
    ----------
    risk
        Proportion with the event.
    n, events
        People and events; events need not be whole when they come from a proportion.
    variance
        Variance of the risk where it does not follow from the counts; NaN otherwise.
    method
        What the risk rests on.
    """

    risk: float
    n: float
    events: float
    variance: float
    method: str

    @property
    def from_counts(self) -> bool:
        """Whether effects are computed as from a two-by-two table."""
        return math.isfinite(self.events) and math.isfinite(self.n)

    @property
    def is_precise(self) -> bool:
        """Whether its precision rests on something published."""
        return self.method in (COUNTS, PROPORTION, INTERVAL)

    def divided(self, parts: float) -> ArmRisk:
        """Give a part of the people, at the same risk, to each of several comparisons."""
        return replace(
            self, n=self.n / parts, events=self.events / parts, variance=self.variance * parts
        )


def arm_risk(rows: pd.DataFrame) -> ArmRisk:
    """Take arms that were treated alike together.

    Parameters
    ----------
    rows
        Results of the arms at one time: events, n, n_randomised, event_free and its limits,
        estimator.

    Returns
    -------
    ArmRisk
        Counts are added; proportions are averaged by size. Where neither a number nor an
        interval is published the risk stands alone, without precision.
    """
    number = rows["n"].astype(float).fillna(rows["n_randomised"].astype(float)).to_numpy()
    events = rows["events"].astype(float).to_numpy()
    event_free = rows["event_free"].to_numpy(dtype=float)
    crude = (rows["estimator"] == "crude").all()
    if crude and np.isfinite(events).all() and rows["n"].notna().all():
        return _sized(1 - events / number, number, COUNTS)
    if not np.isfinite(event_free).all():
        return ArmRisk(NAN, NAN, NAN, NAN, POINT_ONLY)
    has_interval = rows[["event_free_lower", "event_free_upper"]].notna().all(axis=None)
    if has_interval and (len(rows) == 1 or np.isfinite(number).all()):
        return _with_intervals(rows, number)
    if np.isfinite(number).all():
        return _sized(event_free, number, PROPORTION if crude else UNCENSORED)
    if len(rows) == 1:
        return ArmRisk(float(1 - event_free[0]), NAN, NAN, NAN, POINT_ONLY)
    return ArmRisk(NAN, NAN, NAN, NAN, POINT_ONLY)


def _sized(event_free: np.ndarray, number: np.ndarray, method: str) -> ArmRisk:
    people = float(number.sum())
    events = float(((1 - event_free) * number).sum())
    # A count is whole; multiplying its proportion back must not make it almost whole.
    events = float(round(events)) if method == COUNTS else events
    return ArmRisk(events / people, people, events, NAN, method)


def _with_intervals(rows: pd.DataFrame, number: np.ndarray) -> ArmRisk:
    """Average Kaplan-Meier risks by size; their variances follow from the published intervals."""
    limits = rows[["event_free", "event_free_lower", "event_free_upper"]].astype(float)
    risks = [
        risk_from_survival(float(event_free), float(lower), float(upper))
        for event_free, lower, upper in limits.to_numpy()
    ]
    share = number / number.sum() if len(rows) > 1 else np.ones(1)
    risk = float(sum(w * r.risk for w, r in zip(share, risks, strict=True)))
    variance = float(sum(w**2 * r.variance for w, r in zip(share, risks, strict=True)))
    return ArmRisk(risk, float(number.sum()), NAN, variance, INTERVAL)
