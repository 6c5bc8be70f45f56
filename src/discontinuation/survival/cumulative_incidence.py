"""What share of people has had each cause first, and how much time did it take from them?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.survival._incidence_counts import ROUNDING, Counts, count_events
from discontinuation.survival._incidence_frames import curve_frame, curves_at
from discontinuation.survival._incidence_kernels import running_variance
from discontinuation.survival._incidence_limits import (
    MEANING,
    Interval,
    chosen,
    normal_quantile,
    probability_limits,
    two_sided_p,
)
from discontinuation.survival.follow_up import PLACE, FloatArray, IntArray, asked_times
from discontinuation.survival.stored import storable

Variance = Literal["greenwood", "aalen"]


@storable
@dataclass(frozen=True, eq=False)
class CumulativeIncidence:
    """Aalen-Johansen estimate; g groups, c causes, t times.

    Attributes
    ----------
    time
        Times with an event of any cause in any group, increasing, shape (t,).
    probability, se
        Cumulative incidence of each cause and its standard error, shape (g, c, t).
    event_free
        Probability of none of the causes, shape (g, t); with the incidences it adds up to 1.
    at_risk
        (Weighted) number at risk just before, shape (g, t).
    causes
        Codes of the causes.
    groups
        Labels, or None.
    people, events
        Number of people (rows) and of events per group, shape (g,).
    last
        Largest follow-up time per group, shape (g,).
    variance
        ``"greenwood"`` or ``"aalen"``.
    conf_type, confidence
        Kind and level of the limits.
    note
        What a reader must know; empty: nothing.
    """

    time: FloatArray
    probability: FloatArray
    se: FloatArray
    event_free: FloatArray
    at_risk: FloatArray
    causes: tuple[int, ...]
    groups: tuple[object, ...] | None
    people: IntArray
    events: IntArray
    last: FloatArray
    variance: str
    conf_type: Interval
    confidence: float
    note: str

    def at(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Give the estimate at some times.

        Parameters
        ----------
        times
            Finite numbers.

        Returns
        -------
        pd.DataFrame
            time, cause, probability, se, lower, upper, with the group before them if there are
            groups. NaN after the last follow-up of a group of which somebody is still free of
            events: nothing is known from there on.

        Raises
        ------
        InvalidInput
            Times that are not finite numbers.
        """
        asked = asked_times(times)
        known = (asked <= self.last[:, None]) | (self.event_free[:, -1:] == 0)
        probability, se = curves_at(self.time, (self.probability, self.se), asked, known)
        lower, upper = probability_limits(probability, se, self.conf_type, self.confidence)
        values = {"probability": probability, "se": se, "lower": lower, "upper": upper}
        return curve_frame(self.groups, asked, "cause", self.causes, values)

    @property
    def summary(self) -> pd.DataFrame:
        """The estimate at every event time, as `at` gives it."""
        return self.at(self.time)

    def __str__(self) -> str:
        ends = pd.concat([self._last_of(number) for number in range(len(self.last))])
        heading = (
            "Cumulative incidence (Aalen-Johansen)\n"
            f"{self.people.sum()} people, {self.events.sum()} events; at the last event time:\n"
        )
        interval = (
            f"\n{VARIANCES[self.variance]}; {100 * self.confidence:g} % {self.conf_type} intervals,"
            f" symmetric for {MEANING[self.conf_type]}."
        )
        return heading + ends.to_string(index=False) + interval + _sentence(self.note)

    def _last_of(self, number: int) -> pd.DataFrame:
        latest = self.time[self.time <= self.last[number]]
        frame = self.at(latest[-1:] if len(latest) else self.time[:1])
        count = len(self.causes)
        return frame.iloc[number * count : (number + 1) * count]


VARIANCES = {
    "greenwood": "Greenwood-type (multinomial) standard errors",
    "aalen": "Aalen's standard errors, as cmprsk::cuminc",
}


def aalen_johansen(
    time: npt.ArrayLike,
    cause: npt.ArrayLike,
    group: npt.ArrayLike | None = None,
    *,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    variance: Variance = "greenwood",
    conf_type: Interval = "complementary log-log",
    confidence: float = 0.95,
) -> CumulativeIncidence:
    """Estimate the cumulative incidence of each cause.

    Ties need no breaking: events of all causes at a time share one risk set, and come before
    censorings at that time. Times are taken as given; near-ties are not merged.

    Parameters
    ----------
    time
        End of follow-up, shape (n,).
    cause
        0 censored, 1, 2, ... the cause.
    group
        Labels; estimated for each group by itself.
    entry
        Start of follow-up; a person is at risk at t if entry < t <= time.
    weights
        How many people a row stands for: weight 2 is the same as the row twice, 0 as no row.
    variance
        ``"greenwood"``: events at a time are multinomial given those at risk; equals the
        infinitesimal jackknife of R's survfit if nobody enters late and weights are 1.
        ``"aalen"``: as cmprsk::cuminc, somewhat larger where many fail at a time. Once everybody
        at risk has failed the standard error stays as it is.
    conf_type
        Scale of the limits: ``"complementary log-log"`` is symmetric for log(-log(1 - F)), so with
        one cause it is the log-log interval of `kaplan_meier`; ``"log-log"`` for log(-log(F)), as
        conf.type of R's survfit; ``"log"``; ``"plain"``.
    confidence
        Level of the limits.

    Raises
    ------
    InvalidInput
        Bad follow-up; no event of any cause; words that are not among the choices.

    Notes
    -----
    Aalen and Johansen (1978). With S the Kaplan-Meier estimate of freedom from every cause, d
    events of which d_k of cause k, and n at risk, F_k(t) = sum S(t_j-) d_kj / n_j with variance
    (Greenwood type) sum (F(t) - F_j)^2 d / (n (n - d)) + sum S(t_j-)^2 d_k (n - d_k) / n^3
    - 2 sum (F(t) - F_j) S(t_j-) d_k / n^2.
    """
    chosen(variance, Variance, "variance")
    chosen(conf_type, Interval, "conf_type")
    normal_quantile(confidence)
    counts = count_events(time, cause, group, entry, weights)
    parts = _increments(counts, variance)
    steps = parts.step
    se = np.sqrt(running_variance(steps, parts.a, parts.b, parts.c))
    return CumulativeIncidence(
        counts.time,
        np.cumsum(steps, axis=2),
        se,
        parts.event_free,
        counts.at_risk,
        counts.causes,
        counts.groups,
        counts.people,
        counts.failed,
        counts.last,
        variance,
        conf_type,
        confidence,
        _emptied(counts, parts),
    )


@dataclass(frozen=True, eq=False)
class _Increments:
    """Steps of the curves and what they add to variances (see `running_variance`).

    Attributes
    ----------
    step, b, c
        Shape (g, causes, t).
    event_free
        Shape (g, t).
    a
        Shape (g, causes, t), or (g, 1, t) if the causes share it.
    """

    step: FloatArray
    event_free: FloatArray
    a: FloatArray
    b: FloatArray
    c: FloatArray


def _increments(counts: Counts, variance: Variance) -> _Increments:
    n, d = counts.at_risk, counts.events.sum(axis=1)
    left = n - d
    left[left <= ROUNDING * n] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        after = np.asarray(np.cumprod(np.where(n > 0, left / n, 1.0), axis=1), dtype=float)
        before = np.concatenate([np.ones((len(n), 1)), after[:, :-1]], axis=1)
        share = np.where(n > 0, before / n, 0.0)[:, None, :]
        step = share * counts.events
        if variance == "greenwood":
            a = np.where((after > 0) & (d > 0), d / (n * left), 0.0)[:, None, :]
            b = share * step * (1 - counts.events / n[:, None, :])
            c = share * step / before[:, None, :]
        else:
            b = share * step * _finite_population(counts.events, n)
            others = d[:, None, :] - counts.events
            rest = share**2 * others * _finite_population(others, n)
            alive = (after > 0)[:, None, :]
            a = np.where(alive & (d > 0)[:, None, :], (b + rest) / after[:, None, :] ** 2, 0.0)
            c = np.where(alive, b / after[:, None, :], 0.0)
    return _Increments(step, after, a, np.where(step > 0, b, 0.0), np.where(step > 0, c, 0.0))


def _finite_population(events: FloatArray, at_risk: FloatArray) -> FloatArray:
    """Correction of a Poisson variance for ties: one less is at risk after each of them."""
    correction = 1 - (events - 1) / (at_risk[:, None, :] - 1)
    return np.where(events > 1, correction, 1.0)


def _emptied(counts: Counts, parts: _Increments) -> str:
    """Say so if everybody at risk failed before others had entered."""
    empty = (parts.event_free == 0) & (counts.at_risk > 0)
    empty[:, 1:] &= parts.event_free[:, :-1] == 0
    empty[:, 0] = False
    if not empty.any():
        return ""
    return (
        "Everybody at risk had failed at some time while others entered later: the incidences "
        "cannot rise after it"
    )


def _sentence(note: str) -> str:
    return f"\n{note}." if note else ""


@storable
@dataclass(frozen=True, eq=False)
class TimeLost:
    """Mean time lost to each cause up to a horizon; g groups, c causes.

    Attributes
    ----------
    lost, se
        Area under each cumulative incidence and its standard error, shape (g, c).
    event_free
        Mean time without any event, shape (g,); with the times lost it adds up to the horizon.
    horizon
        End of the window, which begins at 0.
    causes, groups, people, events, confidence
        As in `CumulativeIncidence`.
    """

    lost: FloatArray
    se: FloatArray
    event_free: FloatArray
    horizon: float
    causes: tuple[int, ...]
    groups: tuple[object, ...] | None
    people: IntArray
    events: IntArray
    confidence: float

    @property
    def summary(self) -> pd.DataFrame:
        """Columns cause, time_lost, se, lower, upper, with the group before them if there are."""
        groups, causes = self.lost.shape
        width = normal_quantile(self.confidence) * self.se
        columns: dict[str, object] = {}
        if self.groups is not None:
            columns["group"] = pd.Series(self.groups).repeat(causes).to_numpy()
        columns |= {
            "cause": np.tile(self.causes, groups),
            "time_lost": self.lost.ravel(),
            "se": self.se.ravel(),
            "lower": (self.lost - width).ravel(),
            "upper": (self.lost + width).ravel(),
        }
        return pd.DataFrame(columns)

    @property
    def differences(self) -> pd.DataFrame:
        """Every other group minus the first.

        Columns group, reference, cause, difference, se, lower, upper, z, p_value; no rows if
        there is only one group.
        """
        others = len(self.lost) - 1
        labels = pd.Series(self.groups or ("everybody",))
        difference = (self.lost[1:] - self.lost[0]).ravel()
        se = np.sqrt(self.se[1:] ** 2 + self.se[0] ** 2).ravel()
        width = normal_quantile(self.confidence) * se
        with np.errstate(divide="ignore", invalid="ignore"):
            z = difference / se
        return pd.DataFrame(
            {
                "group": labels[1:].repeat(len(self.causes)).to_numpy(),
                "reference": labels[:1].repeat(others * len(self.causes)).to_numpy(),
                "cause": np.tile(self.causes, others),
                "difference": difference,
                "se": se,
                "lower": difference - width,
                "upper": difference + width,
                "z": z,
                "p_value": two_sided_p(z),
            }
        )

    def __str__(self) -> str:
        lines = [
            f"Mean time lost to each cause up to {self.horizon:g}",
            f"{self.people.sum()} people, {self.events.sum()} events",
            self.summary.to_string(index=False),
        ]
        if len(self.lost) > 1:
            lines += ["Differences:", self.differences.to_string(index=False)]
        level = f"{100 * self.confidence:g} %"
        return "\n".join([*lines, f"Greenwood-type standard errors; {level} normal intervals."])


def time_lost(
    time: npt.ArrayLike,
    cause: npt.ArrayLike,
    group: npt.ArrayLike | None = None,
    *,
    horizon: float,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> TimeLost:
    """Estimate how much time up to a horizon each cause takes from people on average.

    Parameters
    ----------
    time, cause, group, entry, weights, confidence
        As for `aalen_johansen`.
    horizon
        End of the window; above 0 and not beyond the follow-up of any group (unless everybody in
        it has failed).

    Raises
    ------
    InvalidInput
        Bad follow-up; no event; a horizon beyond what is known.

    Notes
    -----
    The area under F_k up to the horizon (Andersen 2013, doi:10.1002/sim.5903). Its variance is
    that of `aalen_johansen` with F(t) - F_j replaced by its integral from t_j to the horizon and
    the direct effect of an event at t_j by horizon - t_j.
    """
    normal_quantile(confidence)
    counts = count_events(time, cause, group, entry, weights)
    parts = _increments(counts, "greenwood")
    refuse(_beyond(horizon, counts, parts))
    inside = counts.time <= horizon
    rest = np.where(inside, horizon - counts.time, 0.0)
    gains = rest * parts.step
    later = np.cumsum(gains[:, :, ::-1], axis=2)[:, :, ::-1] - gains
    terms = later**2 * parts.a + rest**2 * parts.b - 2 * later * rest * parts.c
    variance = terms[:, :, inside].sum(axis=2)
    lost = gains.sum(axis=2)
    return TimeLost(
        lost,
        np.sqrt(np.maximum(variance, 0.0)),
        horizon - lost.sum(axis=1),
        float(horizon),
        counts.causes,
        counts.groups,
        counts.people,
        counts.failed,
        confidence,
    )


def _beyond(horizon: float, counts: Counts, parts: _Increments) -> list[Problem]:
    if not (np.isfinite(horizon) and horizon > 0):
        return [Problem("horizon", "allowed: a number above 0", value=f"{horizon:g}")]
    rule = "group {} is followed up to {:g} only; allowed: a horizon up to there"
    labels = counts.groups or ("of everybody",)
    return [
        Problem(PLACE, rule.format(label, last), None, "horizon", f"{horizon:g}")
        for label, last, free in zip(labels, counts.last, parts.event_free[:, -1], strict=True)
        if last < horizon and free > 0
    ]
