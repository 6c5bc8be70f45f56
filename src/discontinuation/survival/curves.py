"""What share is still without the event at each time, and how sure is that?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._curve_kernels import product_limit
from discontinuation.survival._curve_tables import RiskTable, present, risk_table
from discontinuation.survival.follow_up import PLACE, FloatArray, FollowUp, asked_times, follow_up
from discontinuation.survival.stored import storable

ConfType = Literal["log-log", "log", "plain"]
HazardConfType = Literal["log", "plain"]

QUARTILES = (0.25, 0.5, 0.75)
TOLERANCE = np.finfo(float).eps ** 0.5  # R's, for "S equals p exactly"


@storable
@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """Share without the event.

    Attributes
    ----------
    time
        Distinct times at which somebody leaves follow-up, shape (times,).
    at_risk, events, censored
        How many, as sums of case weights; `at_risk` just before the time.
    survival
        Estimate of S from this time on.
    se
        Root of Greenwood's variance; NaN once S is 0.
    lower, upper
        Confidence limits; NaN once S is 0, and for log-log also while S is 1.
    entry_time, entered
        Distinct times of entry and how many; empty without entry times.
    people
        Number of rows with a weight above 0.
    conf_type, confidence
        Scale of the limits and their level.
    notes
        What to know when reading the curve.
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    censored: FloatArray
    survival: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    entry_time: FloatArray
    entered: FloatArray
    people: int
    conf_type: ConfType
    confidence: float
    notes: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """One row per distinct time."""
        names = ("time", "at_risk", "events", "censored", "survival", "se", "lower", "upper")
        return pd.DataFrame({name: getattr(self, name) for name in names})

    def at(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Read the curve at any times: time, at_risk, survival, se, lower, upper.

        Beyond the last follow-up S is NaN, unless it has reached 0.
        """
        asked = asked_times(times)
        position = np.searchsorted(self.time, asked, side="right")
        unknown = (asked > self.time[-1]) & (self.survival[-1] > 0)
        plain_start = np.nan if self.conf_type == "log-log" else 1.0
        starts = {"survival": 1.0, "se": 0.0, "lower": plain_start, "upper": plain_start}
        read = {
            name: np.where(unknown, np.nan, np.append(start, getattr(self, name))[position])
            for name, start in starts.items()
        }
        return pd.DataFrame({"time": asked, "at_risk": _at_risk_at(self, asked), **read})

    def quantile(self, probabilities: npt.ArrayLike = QUARTILES) -> pd.DataFrame:
        """When has this share had the event? Columns probability, time, lower, upper.

        A quantile is the first time at which 1 - S reaches p; where S equals 1 - p exactly, the
        middle between that time and the next fall, or the end of follow-up if there is none. The
        limits read the limits of the curve in the same way. NaN: not reached. R's
        ``quantile.survfit`` does the same, but where a limit falls and rises again with very few
        at risk, the first time is taken here.

        References
        ----------
        Brookmeyer R, Crowley J. Biometrics 1982;38:29-41.
        """
        asked = asked_times(probabilities, "probabilities")
        if ((asked < 0) | (asked > 1)).any():
            refuse([Problem(PLACE, "allowed: 0 to 1", column="probabilities")])
        return pd.DataFrame(
            {
                "probability": asked,
                "time": _crossing(self.time, self.survival, asked),
                "lower": _crossing(self.time, self.lower, asked),
                "upper": _crossing(self.time, self.upper, asked),
            }
        )

    def numbers_at_risk(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Rows of a risk table: at risk at each time, events and censorings up to it."""
        return _risk_rows(self, times)

    def __str__(self) -> str:
        median = self.quantile([0.5]).iloc[0]
        limits = f"{median['lower']:g} to {median['upper']:g}"
        return "\n".join(
            [
                f"Kaplan-Meier: {_denominators(self)}",
                f"followed to {self.time[-1]:g}; S there {self.survival[-1]:.4f}",
                f"median {median['time']:g} ({limits})",
                f"limits: {self.confidence:.0%}, {self.conf_type}, Greenwood's variance",
                *self.notes,
            ]
        )


@storable
@dataclass(frozen=True, eq=False)
class NelsonAalen:
    """Cumulative hazard.

    Attributes
    ----------
    time, at_risk, events, censored, entry_time, entered, people, confidence, notes
        As in `KaplanMeier`.
    cumulative_hazard
        Sum of events / at risk up to and at this time.
    se
        Root of the sum of events / at risk squared (Aalen's variance).
    lower, upper
        Confidence limits; for log NaN while the hazard is 0.
    conf_type
        Scale of the limits.
    """

    time: FloatArray
    at_risk: FloatArray
    events: FloatArray
    censored: FloatArray
    cumulative_hazard: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    entry_time: FloatArray
    entered: FloatArray
    people: int
    conf_type: HazardConfType
    confidence: float
    notes: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """One row per distinct time."""
        counts = ("time", "at_risk", "events", "censored")
        names = (*counts, "cumulative_hazard", "se", "lower", "upper")
        return pd.DataFrame({name: getattr(self, name) for name in names})

    def at(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Read at any times: time, at_risk, cumulative_hazard, se, lower, upper.

        Beyond the last follow-up everything is NaN.
        """
        asked = asked_times(times)
        position = np.searchsorted(self.time, asked, side="right")
        plain_start = np.nan if self.conf_type == "log" else 0.0
        starts = {"cumulative_hazard": 0.0, "se": 0.0, "lower": plain_start, "upper": plain_start}
        unknown = asked > self.time[-1]
        read = {
            name: np.where(unknown, np.nan, np.append(start, getattr(self, name))[position])
            for name, start in starts.items()
        }
        return pd.DataFrame({"time": asked, "at_risk": _at_risk_at(self, asked), **read})

    def numbers_at_risk(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Rows of a risk table: at risk at each time, events and censorings up to it."""
        return _risk_rows(self, times)

    def __str__(self) -> str:
        last = f"{self.cumulative_hazard[-1]:.4f} ({self.lower[-1]:.4f} to {self.upper[-1]:.4f})"
        return "\n".join(
            [
                f"Nelson-Aalen: {_denominators(self)}",
                f"cumulative hazard at {self.time[-1]:g}: {last}",
                f"limits: {self.confidence:.0%}, {self.conf_type}, Aalen's variance",
                *self.notes,
            ]
        )


Curve = KaplanMeier | NelsonAalen


def kaplan_meier(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    conf_type: ConfType = "log-log",
    *,
    confidence: float = 0.95,
) -> KaplanMeier:
    """Estimate the share that is still without the event.

    Parameters
    ----------
    time
        End of follow-up per person, shape (n,). Times are taken as given: two that differ in the
        last digit are two times (R merges them).
    event
        1 if follow-up ended with the event, 0 if it was censored; at the same time events come
        before censorings.
    entry
        Start of follow-up (left truncation): at risk at t if entry < t <= time. None: everybody
        from the beginning.
    weights
        Case weights: a weight of 2 stands for two such people, 0 for a row that is not there.
        Greenwood's variance takes them as counts.
    conf_type
        ``"log-log"``: ``S ** exp(+-z sqrt(G) / log S)``; ``"log"`` (R's default):
        ``S exp(+-z sqrt(G))``; ``"plain"``: ``S +- z S sqrt(G)``; the last two cut to 0 and 1.
        ``G = sum d / (n (n - d))``.
    confidence
        Level of the limits.

    Returns
    -------
    KaplanMeier

    Raises
    ------
    InvalidInput
        Follow-up that is none (see `follow_up`), an unknown scale, a level outside (0, 1).

    References
    ----------
    Kaplan EL, Meier P. J Am Stat Assoc 1958;53:457-481; Greenwood M. The natural duration of
    cancer. HMSO 1926; Kalbfleisch JD, Prentice RL. The statistical analysis of failure time data.
    Wiley 1980 (log-log limits).
    """
    refuse(option_problems("conf_type", conf_type, get_args(ConfType), confidence))
    follow, _ = present(follow_up(time, event, entry, weights))
    table = risk_table(follow)
    at_risk, events = table.at_risk[:, 0], table.events[:, 0]
    survival, greenwood, _, _ = product_limit(events, at_risk)
    with np.errstate(invalid="ignore"):
        root = np.sqrt(greenwood)
        se = survival * root
    lower, upper = survival_limits(survival, root, conf_type, confidence)
    entry_time, entered = _entries(follow)
    return KaplanMeier(
        time=table.time,
        at_risk=at_risk,
        events=events,
        censored=table.leaving[:, 0] - events,
        survival=survival,
        se=se,
        lower=lower,
        upper=upper,
        entry_time=entry_time,
        entered=entered,
        people=len(follow.time),
        conf_type=conf_type,
        confidence=confidence,
        notes=_notes(follow, table, survival),
    )


def nelson_aalen(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    conf_type: HazardConfType = "log",
    *,
    confidence: float = 0.95,
) -> NelsonAalen:
    """Estimate the cumulative hazard.

    Parameters
    ----------
    time, event, entry, weights
        As in `kaplan_meier`.
    conf_type
        ``"log"``: ``H exp(+-z se / H)``; ``"plain"``: ``H +- z se``, not below 0.
    confidence
        Level of the limits.

    Returns
    -------
    NelsonAalen

    Raises
    ------
    InvalidInput
        As in `kaplan_meier`.

    References
    ----------
    Aalen O. Ann Stat 1978;6:701-726; Andersen PK, Borgan O, Gill RD, Keiding N. Statistical models
    based on counting processes. Springer 1993, IV.1 (variance 4.1.6, log limits 4.1.19).
    """
    refuse(option_problems("conf_type", conf_type, get_args(HazardConfType), confidence))
    follow, _ = present(follow_up(time, event, entry, weights))
    table = risk_table(follow)
    at_risk, events = table.at_risk[:, 0], table.events[:, 0]
    survival, _, hazard, variance = product_limit(events, at_risk)
    se = np.sqrt(variance)
    half = float(ndtri((1 + confidence) / 2)) * se
    if conf_type == "plain":
        lower, upper = np.maximum(hazard - half, 0), hazard + half
    else:
        with np.errstate(invalid="ignore"):
            factor = np.exp(half / hazard)
        lower, upper = hazard / factor, hazard * factor
    entry_time, entered = _entries(follow)
    return NelsonAalen(
        time=table.time,
        at_risk=at_risk,
        events=events,
        censored=table.leaving[:, 0] - events,
        cumulative_hazard=hazard,
        se=se,
        lower=lower,
        upper=upper,
        entry_time=entry_time,
        entered=entered,
        people=len(follow.time),
        conf_type=conf_type,
        confidence=confidence,
        notes=_notes(follow, table, survival),
    )


def survival_limits(
    survival: FloatArray, root: FloatArray, conf_type: ConfType, confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Confidence limits of S; `root` is the standard error of log S."""
    z = float(ndtri((1 + confidence) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        if conf_type == "plain":
            half = z * survival * root
            return np.maximum(survival - half, 0), np.minimum(survival + half, 1)
        if conf_type == "log":
            factor = np.exp(z * root)
            lower, upper = survival / factor, np.minimum(survival * factor, 1)
            return np.where(survival > 0, lower, np.nan), np.where(survival > 0, upper, np.nan)
        log = np.where((survival > 0) & (survival < 1), np.log(survival), np.nan)
        factor = np.exp(-z * root / log)
        return np.exp(log * factor), np.exp(log / factor)


def option_problems(
    name: str, value: str, allowed: tuple[str, ...], confidence: float
) -> list[Problem]:
    """Check a named choice and the level of the limits."""
    problems = []
    if value not in allowed:
        problems.append(Problem(PLACE, allowed_values(allowed, str(value)), None, name, str(value)))
    if not 0 < confidence < 1:
        message = "allowed: a number between 0 and 1"
        problems.append(Problem(PLACE, message, None, "confidence", str(confidence)))
    return problems


def _entries(follow: FollowUp) -> tuple[FloatArray, FloatArray]:
    if follow.entry is None:
        return np.empty(0), np.empty(0)
    times, position = np.unique(follow.entry, return_inverse=True)
    return times, np.bincount(position, follow.weights).astype(float)


def _at_risk_at(curve: Curve, times: FloatArray) -> FloatArray:
    """Count those with entry < t <= time; without entry times, all with t <= time."""
    following = np.searchsorted(curve.time, times)
    known = np.append(curve.at_risk, 0.0)[following]
    if not len(curve.entry_time):
        return known
    # Those who enter between t and the next distinct time are not at risk at t yet.
    so_far = np.append(0.0, np.cumsum(curve.entered))
    until = np.append(curve.time, np.inf)[following]
    entries = so_far[np.searchsorted(curve.entry_time, until)]
    return np.asarray(known - entries + so_far[np.searchsorted(curve.entry_time, times)])


def _risk_rows(curve: Curve, times: npt.ArrayLike) -> pd.DataFrame:
    asked = asked_times(times)
    position = np.searchsorted(curve.time, asked, side="right")
    return pd.DataFrame(
        {
            "time": asked,
            "at_risk": _at_risk_at(curve, asked),
            "events": np.append(0.0, np.cumsum(curve.events))[position],
            "censored": np.append(0.0, np.cumsum(curve.censored))[position],
        }
    )


def _crossing(time: FloatArray, curve: FloatArray, probabilities: FloatArray) -> FloatArray:
    """Find when 1 - curve reaches each probability; the middle of a flat piece that equals it."""
    known = np.isfinite(curve)
    fallen = np.append(0.0, 1 - curve[known])
    at = np.append(0.0, time[known])
    # A band can rise again; what counts is the first time that the level is reached.
    fallen = np.maximum.accumulate(fallen)
    first = np.searchsorted(fallen, probabilities - TOLERANCE)
    beyond = np.searchsorted(fallen, probabilities + TOLERANCE)
    # A piece that is flat to the end of follow-up ends there, if the curve is known there.
    ends = np.append(at, time[-1] if known[-1] else np.nan)
    middle = (np.append(at, np.nan)[first] + ends[beyond]) / 2
    return np.asarray(np.where(probabilities == 0, 0.0, middle))


def _notes(follow: FollowUp, table: RiskTable, survival: FloatArray) -> tuple[str, ...]:
    notes = []
    if not follow.event.any():
        notes.append("note: no event happened; the standard error of 0 says nothing")
    remaining = table.at_risk[:, 0] - table.leaving[:, 0]
    if follow.entry is not None and len(empty := np.flatnonzero(remaining[:-1] <= 0)):
        notes.append(f"note: nobody is at risk just after {table.time[empty[0]]:g}; others follow")
    if len(done := np.flatnonzero(survival[:-1] == 0)):
        notes.append(f"note: S is 0 from {table.time[done[0]]:g}; who is at risk later has no say")
    if follow.weights is not None and (follow.weights != np.floor(follow.weights)).any():
        notes.append("note: weights are not whole; the variance takes them as counts of people")
    return tuple(notes)


def _denominators(curve: Curve) -> str:
    events, censored = curve.events.sum(), curve.censored.sum()
    return f"{curve.people} people, {events:g} events, {censored:g} censored"
