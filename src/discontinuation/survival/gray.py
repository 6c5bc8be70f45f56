"""Do groups differ in the cumulative incidence of a cause?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.survival._incidence_counts import distinct_times, group_codes, number_causes
from discontinuation.survival.follow_up import FloatArray, IntArray, follow_up
from discontinuation.survival.stored import storable

SINGULAR = 1e-10  # smallest eigenvalue of the scaled variance taken as different from 0


@storable
@dataclass(frozen=True, eq=False)
class GrayTest:
    """Gray's test of equal cumulative incidence, for each cause.

    Attributes
    ----------
    causes
        Codes of the causes.
    statistic, df, p_value
        Chi-square statistic, its degrees of freedom (groups less 1) and p-value, by cause; NaN
        where the variance allows no test.
    score, variance
        Events less those expected, for every group but the last, shape (causes, groups - 1), and
        their variance, shape (causes, groups - 1, groups - 1).
    groups
        Labels.
    people
        Number of people per group.
    events
        Number of events by cause.
    strata
        Number of strata.
    rho
        Power of 1 - F that weighs the times.
    note
        What a reader must know; empty: nothing.
    """

    causes: tuple[int, ...]
    statistic: FloatArray
    df: int
    p_value: FloatArray
    score: FloatArray
    variance: FloatArray
    groups: tuple[object, ...]
    people: IntArray
    events: IntArray
    strata: int
    rho: float
    note: str

    @property
    def summary(self) -> pd.DataFrame:
        """One row per cause: cause, statistic, df, p_value."""
        return pd.DataFrame(
            {
                "cause": self.causes,
                "statistic": self.statistic,
                "df": self.df,
                "p_value": self.p_value,
            }
        )

    def __str__(self) -> str:
        counts = ", ".join(
            f"{label}: {count}" for label, count in zip(self.groups, self.people, strict=True)
        )
        strata = f"; {self.strata} strata" if self.strata > 1 else ""
        return (
            f"Gray's test, weight (1 - F)^{self.rho:g}{strata}\n"
            f"{self.people.sum()} people ({counts}), {self.events.sum()} events\n"
            + self.summary.to_string(index=False)
            + (f"\n{self.note}." if self.note else "")
        )


def gray_test(
    time: npt.ArrayLike,
    cause: npt.ArrayLike,
    group: npt.ArrayLike,
    strata: npt.ArrayLike | None = None,
    rho: float = 0,
) -> GrayTest:
    """Compare the cumulative incidence of each cause between groups.

    Parameters
    ----------
    time
        End of follow-up, shape (n,).
    cause
        0 censored, 1, 2, ... the cause.
    group
        Labels, at least two different ones.
    strata
        Labels; scores and variances are added over strata.
    rho
        Power of 1 - F (pooled, just before) that weighs each time.

    Raises
    ------
    InvalidInput
        Bad follow-up; no event; one group; a rho that is not finite.

    Notes
    -----
    Gray (1988), doi:10.1214/aos/1176350951, with the handling of ties of cmprsk::cuminc, whose
    numbers these are. The score compares subdistribution hazards, in which people with another
    cause stay at risk: a difference in one cause shows in the other. Time is linear in n after
    the times are ranked.
    """
    people = follow_up(time, cause, causes=True)
    codes, groups = group_codes(group, people, at_least=2)
    layers, labels = group_codes(strata, people, "strata")
    causes, numbers = number_causes(people.event)
    if not np.isfinite(rho):
        refuse([Problem("rho", "allowed: a finite number", value=f"{rho:g}")])
    width, kinds = len(groups or ()), len(causes)
    score = np.zeros((kinds, width - 1))
    variance = np.zeros((kinds, width - 1, width - 1))
    for layer in range(len(labels or "1")):
        here = slice(None) if labels is None else np.flatnonzero(layers == layer)
        rank, distinct = distinct_times(people.time[here])
        cells = (codes[here] * (kinds + 1) + numbers[here]) * len(distinct) + rank
        shape = (width, kinds + 1, len(distinct))
        ended = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape).astype(float)
        leaving = ended.sum(axis=1)
        at_risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1]
        kept = ended[:, 1:].any(axis=(0, 1))
        ended, at_risk = ended[:, :, kept], at_risk[:, kept]
        failed = ended[:, 1:].sum(axis=1)
        for number in range(kinds):
            own = ended[:, number + 1]
            add_score, add_variance = _score(own, failed - own, at_risk, rho)
            score[number] += add_score
            variance[number] += add_variance
    statistic = np.array([_chi_square(s, v) for s, v in zip(score, variance, strict=True)])
    return GrayTest(
        causes,
        statistic,
        width - 1,
        _chi_square_p(statistic, width - 1),
        score,
        variance,
        groups or (),
        np.bincount(codes, minlength=width),
        np.bincount(numbers, minlength=kinds + 1)[1:],
        len(labels or "1"),
        float(rho),
        _note(statistic, causes),
    )


def _score(
    own: FloatArray, other: FloatArray, at_risk: FloatArray, rho: float
) -> tuple[FloatArray, FloatArray]:
    """Score and variance for one cause in one stratum.

    The names are those of Gray (1988): h_k = Y_k / S_k(t-), R_k = h_k (1 - F_k(t-)), with F the
    pooled incidence of the cause. The score of group i is a sum over groups k of integrals
    against their martingales, with integrand a_ik + u_k (c_i k(end) - c_ik(t)): a from the score
    itself, the rest because S_k and F_k are estimated.

    Parameters
    ----------
    own, other
        Events of the cause and of all others, shape (groups, times).
    at_risk
        Shape (groups, times).
    rho
        Weight.
    """
    failed = own + other
    here = at_risk > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(here, (at_risk - failed) / at_risk, 1.0)
        free = np.asarray(np.cumprod(left, axis=1), dtype=float)
        before = _lagged(free, 1.0)
        h = np.where(here, at_risk / before, 0.0)
        rise = np.where(here, own / h, 0.0)
        incidence = _lagged(np.cumsum(rise, axis=1), 0.0)
        r = h * (1 - incidence)
        events = own.sum(axis=0)
        all_h = h.sum(axis=0)
        pooled: FloatArray = np.cumsum(events / all_h)
        pooled_before = _lagged(pooled[None], 0.0)[0]
        weight = (1 - pooled_before) ** rho
        score = (weight * (own - events * r / r.sum(axis=0))).sum(axis=1, where=here)
        a = weight * h[:, None] * (np.eye(len(h))[:, :, None] - h[None] / all_h)
        rate = events / (all_h * (1 - pooled_before))
        c = np.cumsum(np.where(events > 0, a * rate, 0.0), axis=2)
        to_come = c[:, :, -1:] - c
        ratio = np.where(free > 0, (1 - pooled) / free, 0.0)
        own_variance = np.where(
            here & (events > 0),
            events / (all_h * h) * np.where(events > 1, 1 - (events - 1) / (all_h * before - 1), 1),
            0.0,
        )
        other_variance = np.where(
            (free > 0) & (other > 0),
            other / h**2 * np.where(other > 1, 1 - (other - 1) / (at_risk - 1), 1.0),
            0.0,
        )
    direct = (a + (1 - ratio) * to_come)[:-1]
    indirect = (ratio * to_come)[:-1]
    variance = np.einsum("ikt,jkt,kt->ij", direct, direct, own_variance)
    variance += np.einsum("ikt,jkt,kt->ij", indirect, indirect, other_variance)
    return score[:-1], variance


def _lagged(values: FloatArray, first: float) -> FloatArray:
    start = np.full((len(values), 1), first)
    return np.concatenate([start, values[:, :-1]], axis=1)


def _chi_square(score: FloatArray, variance: FloatArray) -> float:
    """Quadratic form; NaN if the variance is not positive definite."""
    size = np.diag(variance)
    if not (np.isfinite(variance).all() and (size > 0).all()):
        return float("nan")
    scale = np.sqrt(size)
    if np.linalg.eigvalsh(variance / np.outer(scale, scale))[0] < SINGULAR:
        return float("nan")
    return float(score @ np.linalg.solve(variance, score))


def _chi_square_p(statistic: FloatArray, df: int) -> FloatArray:
    from scipy.special import chdtrc

    return np.asarray(chdtrc(df, statistic), dtype=float)


def _note(statistic: FloatArray, causes: tuple[int, ...]) -> str:
    untested = [str(code) for code, value in zip(causes, statistic, strict=True) if value != value]
    if not untested:
        return ""
    return (
        f"No test for cause {', '.join(untested)}: the variance of its scores is not positive (a "
        "group without anybody at risk at its events, or a handful of people with many ties)"
    )
