"""What would the curves be if everybody, with the covariates they have, had been in each group?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse
from discontinuation.seeds import random_stream
from discontinuation.survival._parametric_prediction import check_confidence
from discontinuation.survival._risk_sets import at_each, at_risk
from discontinuation.survival.follow_up import (
    FloatArray,
    FollowUp,
    IntArray,
    asked_times,
    follow_up,
    missing_columns,
)
from discontinuation.survival.stored import storable
from discontinuation.survival.weighting import TreatmentWeights, treatment_weights

Variance = Literal["robust", "bootstrap"]

FAILED = 0.1  # share of resamples without weights above which an interval is refused


@storable
@dataclass(frozen=True, eq=False)
class StandardisedCurves:
    """Survival of each group, standardised over the covariates of everybody.

    Attributes
    ----------
    groups
        Labels, shape (g,); the first is the reference.
    times
        Times of events in any group, shape (m,).
    survival, se
        Shape (g, m); `at` gives NaN after a group's follow-up has ended.
    differences, difference_se
        Survival minus that of the first group, shape (g - 1, m).
    followed_to
        Last time at which anybody in each group was followed, shape (g,).
    people, events
        Counts per group, shape (g,).
    weights
        The weights, with their diagnostics.
    confidence, method, note
        As asked for; what was done, and what to be careful about, in words.
    """

    groups: tuple[str, ...]
    times: FloatArray
    survival: FloatArray
    se: FloatArray
    differences: FloatArray
    difference_se: FloatArray
    followed_to: FloatArray
    people: IntArray
    events: IntArray
    weights: TreatmentWeights
    confidence: float
    method: str
    note: str

    @property
    def summary(self) -> pd.DataFrame:
        """One row per group and event time: group, time, survival, se, lower, upper."""
        return self.at(self.times)

    def at(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Survival at given times: group, time, survival, se, lower, upper (log-log limits)."""
        asked, place = self._places(times)
        survival = _before_first(self.survival, 1.0)[:, place]
        survival = np.where(self._beyond(asked, survival), np.nan, survival)
        se = np.where(np.isnan(survival), np.nan, _before_first(self.se, 0.0)[:, place])
        lower, upper = _log_log(survival, se, self._quantile)
        columns = {"survival": survival, "se": se, "lower": lower, "upper": upper}
        return self._frame(self.groups, asked, columns)

    def difference(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Survival minus that of the first group: group, reference, time, difference, se, ..."""
        asked, place = self._places(times)
        apart = _before_first(self.differences, 0.0)[:, place]
        beyond = self._beyond(asked, _before_first(self.survival, 1.0)[:, place])
        apart = np.where(beyond[1:] | beyond[0], np.nan, apart)
        se = _before_first(self.difference_se, 0.0)[:, place]
        se = np.where(np.isnan(apart), np.nan, se)
        half = self._quantile * se
        columns = {"difference": apart, "se": se, "lower": apart - half, "upper": apart + half}
        frame = self._frame(self.groups[1:], asked, columns)
        frame.insert(1, "reference", self.groups[0])
        return frame

    @property
    def _quantile(self) -> float:
        return float(ndtri((1 + self.confidence) / 2))

    def _beyond(self, asked: FloatArray, survival: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether a group's curve has ended without reaching 0."""
        return (asked > self.followed_to[:, None]) & (survival > 0)

    def _places(self, times: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.intp]]:
        asked = asked_times(times)
        return asked, np.searchsorted(self.times, asked, side="right")

    def _frame(
        self, groups: tuple[str, ...], times: FloatArray, columns: dict[str, FloatArray]
    ) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "group": np.repeat(np.array(groups, dtype=object), len(times)),
                "time": np.tile(times, len(groups)),
                **{name: values.ravel() for name, values in columns.items()},
            }
        )

    def __str__(self) -> str:
        counts = ", ".join(
            f"{group}: {people} people, {events} events"
            for group, people, events in zip(self.groups, self.people, self.events, strict=True)
        )
        shown = self.at(np.quantile(self.times, [0.25, 0.5, 0.75, 1.0], method="lower"))
        table = shown.to_string(index=False, float_format="{:.4g}".format)
        limits = f"lower, upper: {100 * self.confidence:g}% limits on the log-log scale"
        return "\n".join(filter(None, [self.method, counts, table, limits, self.note]))


def standardised_curves(
    formula: str,
    data: pd.DataFrame,
    group: str,
    time: str = "time",
    event: str = "event",
    entry: str | None = None,
    truncate: float | None = None,
    variance: Variance = "robust",
    replicates: int = 200,
    seed: int | None = None,
    confidence: float = 0.95,
) -> StandardisedCurves:
    """Standardise survival curves over baseline covariates by weighting.

    Parameters
    ----------
    formula
        Covariates to standardise over.
    data
        One row per person.
    group
        Column of the groups; the levels of a categorical keep their order.
    time, event, entry
        Columns of follow-up.
    truncate
        As in `treatment_weights`.
    variance
        ``"robust"``: infinitesimal jackknife by person, which takes weights as known and is
        rather too large for estimated ones; ``"bootstrap"``: people are drawn anew within
        groups and weights estimated anew.
    replicates, seed
        Of the bootstrap; a seed is needed.
    confidence
        Level of intervals.

    Returns
    -------
    StandardisedCurves
        Weighted Kaplan-Meier curves.

    Raises
    ------
    InvalidInput
        As `treatment_weights` and `follow_up`; nobody with an event; more than a tenth of the
        resamples without weights because of separation.

    References
    ----------
    Cole SR, Hernan MA. Comput Methods Programs Biomed 2004;75:45-49; Xie J, Liu C. Stat Med
    2005;24:3089-3110.
    """
    refuse(missing_columns(data, {"group": group, "time": time, "event": event, "entry": entry}))
    refuse(_problems(variance, replicates, seed))
    check_confidence(confidence)
    known = follow_up(data[time], data[event], None if entry is None else data[entry])
    if not known.event.any():
        refuse([Problem("survival data", "nobody has the event, so there is nothing to draw")])
    weights = treatment_weights(formula, data, group, truncate=truncate)
    times = np.unique(known.time[known.event == 1])
    codes = weights.group
    survival = _curves(known, codes, weights.weights, times)

    def estimate(drawn: pd.DataFrame) -> TreatmentWeights:
        return treatment_weights(formula, drawn, group, truncate=truncate)

    if variance == "robust":
        se = _robust(known, codes, weights.weights, times, survival)
        difference_se = np.hypot(se[1:], se[0])
        failed, words = 0, "robust variance (weights taken as known)"
    else:
        se, difference_se, failed = _bootstrap(
            data, known, codes, times, replicates, int(seed or 0), estimate
        )
        words = f"bootstrap variance ({replicates} resamples, weights estimated anew)"
    here = np.bincount(codes), np.bincount(codes, known.event)
    notes = [weights.note, f"{failed} resamples had no weights and were left out" * (failed > 0)]
    return StandardisedCurves(
        groups=weights.groups,
        times=times,
        survival=survival,
        se=se,
        differences=survival[1:] - survival[0],
        difference_se=difference_se,
        followed_to=np.array([known.time[codes == k].max() for k in range(len(survival))]),
        people=here[0].astype(np.int64),
        events=here[1].astype(np.int64),
        weights=weights,
        confidence=confidence,
        method=f"Kaplan-Meier, weighted to everybody's covariates; {weights.method}; {words}",
        note="; ".join(filter(None, notes)),
    )


def _problems(variance: str, replicates: int, seed: int | None) -> Iterator[Problem]:
    if variance not in get_args(Variance):
        rule = allowed_values(get_args(Variance), variance)
        yield Problem("variance", rule, value=variance)
    if replicates < 2:
        yield Problem("replicates", "allowed: 2 or more", value=str(replicates))
    if variance == "bootstrap" and seed is None:
        yield Problem("seed", "a bootstrap needs one, so that it can be repeated")


def _before_first(values: FloatArray, start: float) -> FloatArray:
    return np.hstack([np.full((len(values), 1), start), values])


def _log_log(
    survival: FloatArray, se: FloatArray, quantile: float
) -> tuple[FloatArray, FloatArray]:
    """Limits that are symmetric for log(-log S); the estimate itself where S is 1."""
    with np.errstate(all="ignore"):
        half = quantile * se / (survival * np.abs(np.log(survival)))
        lower, upper = survival ** np.exp(half), survival ** np.exp(-half)
    sure = survival == 1
    return np.where(sure, 1.0, lower), np.where(sure, 1.0, upper)


def _counts(
    known: FollowUp, here: npt.NDArray[np.bool_], weights: FloatArray, times: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weighted people at risk and events of one group at each time."""
    entry = None if known.entry is None else known.entry[here]
    present = at_risk(times, known.time[here], entry, weights[here])
    had = here & (known.event == 1)
    return present, at_each(times, known.time[had], weights[had])


def _curves(known: FollowUp, codes: IntArray, weights: FloatArray, times: FloatArray) -> FloatArray:
    """Weighted Kaplan-Meier of each group; it stays where it is when follow-up has ended."""
    found = []
    for code in range(int(codes.max()) + 1):
        here = codes == code
        present, events = _counts(known, here, weights, times)
        with np.errstate(all="ignore"):
            left = np.where(events > 0, 1 - events / present, 1.0)
        # Whoever has the last event leaves nothing but rounding error.
        left = np.where(left < 1e-12, 0.0, left)
        found.append(np.cumprod(left))
    return np.array(found)


def _robust(
    known: FollowUp,
    codes: IntArray,
    weights: FloatArray,
    times: FloatArray,
    survival: FloatArray,
) -> FloatArray:
    """Infinitesimal jackknife: the root of the summed squares of w dS/dw."""
    found = np.empty_like(survival)
    for code, curve in enumerate(survival):
        here = codes == code
        present, events = _counts(known, here, weights, times)
        with np.errstate(all="ignore"):
            jump = np.where(events > 0, 1 / (present - events), 0.0)
            fall = np.cumsum(np.where(events > 0, events / present, 0.0) * jump)
        had, w = known.event[here] == 1, weights[here]
        place = np.searchsorted(times, known.time[here], side="right")
        entered = np.zeros(int(here.sum()), dtype=np.int64)
        if known.entry is not None:
            entered = np.searchsorted(times, known.entry[here], side="right")
        falls = np.append(0.0, fall)
        for k in range(len(times)):
            with np.errstate(invalid="ignore"):
                seen = falls[np.minimum(place, k + 1)] - falls[np.minimum(entered, k + 1)]
                own = np.where(had & (place <= k + 1), jump[np.maximum(place, 1) - 1], 0.0)
                found[code, k] = curve[k] * np.sqrt((w**2 * (own - seen) ** 2).sum())
    return np.where(np.isfinite(found), found, np.nan)


def _bootstrap(
    data: pd.DataFrame,
    known: FollowUp,
    codes: IntArray,
    times: FloatArray,
    replicates: int,
    seed: int,
    estimate: Callable[[pd.DataFrame], TreatmentWeights],
) -> tuple[FloatArray, FloatArray, int]:
    """Standard errors of curves and differences over resamples of people within groups."""
    stream = random_stream(seed, "standardised curves")
    members = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
    drawn = []
    for _ in range(replicates):
        rows = np.concatenate([stream.choice(one, len(one)) for one in members])
        try:
            found = estimate(data.iloc[rows])
        except InvalidInput:
            continue
        entry = None if known.entry is None else known.entry[rows]
        again = FollowUp(known.time[rows], known.event[rows], entry)
        drawn.append(_curves(again, found.group, found.weights, times))
    failed = replicates - len(drawn)
    if failed > FAILED * replicates or len(drawn) < 2:
        message = f"{failed} of {replicates} resamples had no weights; use fewer covariates"
        refuse([Problem("bootstrap", message)])
    curves = np.array(drawn)
    return (
        curves.std(axis=0, ddof=1),
        (curves[:, 1:] - curves[:, :1]).std(axis=0, ddof=1),
        failed,
    )
