"""How much time without the event is there, on average, in a window?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, ndtri

from discontinuation.problems import Problem, refuse
from discontinuation.survival._curve_kernels import restricted_means, table_survival
from discontinuation.survival._curve_tables import (
    RiskTable,
    arms,
    plain_labels,
    present,
    risk_table,
)
from discontinuation.survival.follow_up import PLACE, FloatArray, IntArray, follow_up
from discontinuation.survival.stored import storable


@storable
@dataclass(frozen=True, eq=False)
class MeanTime:
    """Restricted mean time without the event.

    Attributes
    ----------
    groups
        Labels, in the order of the arrays; ``("all",)`` without groups.
    people, events
        Rows and (case-weighted) events up to the horizon per group, shape (groups,).
    start, horizon
        The window.
    mean, variance, se, lower, upper
        Area under each curve in the window, shape (groups,); the limits lie between 0 and the
        length of the window.
    difference, difference_se, difference_lower, difference_upper, difference_p
        Each other group minus the first, shape (groups - 1,).
    ratio, log_ratio_se, ratio_lower, ratio_upper, ratio_p
        Each other group over the first; the standard error is that of the log.
    confidence
        Level of all limits.
    notes
        What to know when reading the numbers.
    """

    groups: tuple[object, ...]
    people: IntArray
    events: FloatArray
    start: float
    horizon: float
    mean: FloatArray
    variance: FloatArray
    se: FloatArray
    lower: FloatArray
    upper: FloatArray
    difference: FloatArray
    difference_se: FloatArray
    difference_lower: FloatArray
    difference_upper: FloatArray
    difference_p: FloatArray
    ratio: FloatArray
    log_ratio_se: FloatArray
    ratio_lower: FloatArray
    ratio_upper: FloatArray
    ratio_p: FloatArray
    confidence: float
    notes: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """Tidy: measure, group, reference, estimate, se, lower, upper, p_value.

        The standard error of a ratio is that of its log.
        """
        first, *others = self.groups
        nothing = np.full(len(self.groups), np.nan)
        columns = {
            "estimate": (self.mean, self.difference, self.ratio),
            "se": (self.se, self.difference_se, self.log_ratio_se),
            "lower": (self.lower, self.difference_lower, self.ratio_lower),
            "upper": (self.upper, self.difference_upper, self.ratio_upper),
            "p_value": (nothing, self.difference_p, self.ratio_p),
        }
        measures = ["mean"] * len(self.groups)
        for measure in ("difference", "ratio"):
            measures += [measure] * len(others)
        labels = {
            "measure": measures,
            "group": [*self.groups, *others, *others],
            "reference": pd.Series(
                [None] * len(self.groups) + [first] * (2 * len(others)), dtype=object
            ),
        }
        numbers = {name: np.concatenate(parts) for name, parts in columns.items()}
        return pd.DataFrame({**labels, **numbers})

    def __str__(self) -> str:
        people = ", ".join(
            f"{group}: {size} people, {events:g} events"
            for group, size, events in zip(self.groups, self.people, self.events, strict=True)
        )
        return "\n".join(
            [
                f"Mean time without the event from {self.start:g} to {self.horizon:g}",
                people,
                self.summary.to_string(index=False, na_rep="-"),
                f"limits: {self.confidence:.0%}, normal (ratios on the log scale), Greenwood-type "
                "variance",
                *self.notes,
            ]
        )


def rmst(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    group: npt.ArrayLike | None = None,
    horizon: float | None = None,
    start: float = 0,
    *,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> MeanTime:
    """Estimate the restricted mean time without the event in a window, per group.

    It is the area under the Kaplan-Meier curve from `start` to `horizon`, with variance
    ``sum over t_j < horizon of {area from max(t_j, start) on}**2 d_j / (n_j (n_j - d_j))``.

    Parameters
    ----------
    time, event, entry, weights
        As in `kaplan_meier`.
    group
        Label per person, shape (n,). Every group is compared with the first.
    horizon
        End of the window; to be fixed in advance, so there is no default.
    start
        Its beginning.
    confidence
        Level of the limits.

    Returns
    -------
    MeanTime

    Raises
    ------
    InvalidInput
        Follow-up that is none; no horizon; a window that is empty; a horizon after the last
        follow-up of a group whose curve has not reached 0 by then, because nothing is known there.

    References
    ----------
    Uno H et al. J Clin Oncol 2014;32:2380-2385; Royston P, Parmar MKB. BMC Med Res Methodol
    2013;13:152. The variance is that of ``survfit`` in R (its square root is ``se(rmean)``).
    """
    follow, (labels,) = present(follow_up(time, event, entry, weights), group=group)
    codes, groups = arms(labels, len(follow.time))
    table = risk_table(follow, codes, len(groups))
    survival = table_survival(table.events[None], table.at_risk[None])[0]
    last = np.where(table.leaving > 0, table.time[:, None], -np.inf).max(axis=0)
    ends = np.where(survival[-1] > 0, last, np.inf)
    horizon = _window(horizon, start, ends, groups, confidence)
    means, variances = restricted_means(
        table.time, table.events[None], table.at_risk[None], start, horizon
    )
    people = np.bincount(codes, minlength=len(groups)) if len(codes) else [len(follow.time)]
    notes = _notes(table, groups, horizon)
    return _contrasted(
        groups=plain_labels(groups),
        people=np.asarray(people, dtype=np.int64),
        events=table.events[table.time <= horizon].sum(axis=0),
        window=(float(start), horizon),
        mean=means[0],
        variance=variances[0],
        confidence=confidence,
        notes=notes,
    )


def _window(
    horizon: float | None, start: float, ends: FloatArray, groups: list[object], confidence: float
) -> float:
    """Check the window; `ends` says until when each group's curve is known."""
    problems = []
    if not 0 < confidence < 1:
        message = "allowed: a number between 0 and 1"
        problems.append(Problem(PLACE, message, None, "confidence", str(confidence)))
    if horizon is None:
        known = f"; every group is known until {ends.min():g}" if np.isfinite(ends.min()) else ""
        problems.append(Problem(PLACE, f"is missing{known}", column="horizon"))
        refuse(problems)
    value = float(horizon)  # type: ignore[arg-type]
    if not 0 <= start < value < np.inf:
        message = "allowed: 0 <= start < horizon, both finite"
        problems.append(Problem(PLACE, message, None, "horizon", f"{start:g} to {value:g}"))
    for end, group in zip(ends, groups, strict=True):
        if value > end:
            name = "" if len(groups) == 1 else f" of group {group}"
            message = f"follow-up{name} ends at {end:g} before everybody had the event"
            problems.append(Problem(PLACE, message, None, "horizon", f"{value:g}"))
    refuse(problems)
    return value


def _notes(table: RiskTable, groups: list[object], horizon: float) -> tuple[str, ...]:
    seen = table.time < horizon
    notes = []
    for position, group in enumerate(groups):
        name = "" if len(groups) == 1 else f" in group {group}"
        if not table.events[seen, position].any():
            notes.append(f"note: no event before the horizon{name}; its variance of 0 says nothing")
        remaining = (table.at_risk - table.leaving)[:, position]
        here = (table.leaving[:, position] > 0) & (table.time < horizon) & (remaining <= 0)
        if len(empty := np.flatnonzero(here)) and table.at_risk[empty[0] :, position][1:].any():
            notes.append(
                f"note: nobody is at risk just after {table.time[empty[0]]:g}{name}; others follow"
            )
    return tuple(notes)


def _contrasted(
    groups: tuple[object, ...],
    people: IntArray,
    events: FloatArray,
    window: tuple[float, float],
    mean: FloatArray,
    variance: FloatArray,
    confidence: float,
    notes: tuple[str, ...],
) -> MeanTime:
    z = float(ndtri((1 + confidence) / 2))
    se = np.sqrt(variance)
    difference = mean[1:] - mean[0]
    difference_se = np.sqrt(variance[1:] + variance[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = mean[1:] / mean[0]
        relative = variance / mean**2
        log_se = np.sqrt(relative[1:] + relative[0])
        difference_p = 2 * ndtr(-np.abs(difference / difference_se))
        ratio_p = 2 * ndtr(-np.abs(np.log(ratio) / log_se))
        factor = np.exp(z * log_se)
        limits = ratio / factor, ratio * factor
    return MeanTime(
        groups=groups,
        people=people,
        events=events,
        start=window[0],
        horizon=window[1],
        mean=mean,
        variance=variance,
        se=se,
        lower=np.maximum(mean - z * se, 0),
        upper=np.minimum(mean + z * se, window[1] - window[0]),
        difference=difference,
        difference_se=difference_se,
        difference_lower=difference - z * difference_se,
        difference_upper=difference + z * difference_se,
        difference_p=difference_p,
        ratio=ratio,
        log_ratio_se=log_se,
        ratio_lower=limits[0],
        ratio_upper=limits[1],
        ratio_p=ratio_p,
        confidence=confidence,
        notes=notes,
    )
