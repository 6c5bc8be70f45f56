"""When did events happen that are known only to lie between two visits?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.survival._parametric_data import interval_problems
from discontinuation.survival.follow_up import (
    ONE_NUMBER,
    PLACE,
    FloatArray,
    IntArray,
    as_numbers,
    asked_times,
)
from discontinuation.survival.stored import storable

KKT = 1e-8
ROUNDS = 200_000


@storable
@dataclass(frozen=True, eq=False)
class Turnbull:
    """Nonparametric maximum likelihood estimate of survival.

    Attributes
    ----------
    left, right
        Innermost intervals that carry mass, shape (m,): (left, right], or the day itself where
        both are equal. Where in an interval its mass lies cannot be known.
    mass
        Probability of each, shape (m,), adding up to 1.
    log_likelihood
        Where it is highest.
    excess
        Largest excess of a derivative of the mean log-likelihood over 1; at most 1e-8. The
        log-likelihood is within `people` times that of the highest.
    people, events
        Counts: people of weight above 0, and those of them with a finite upper limit.
    method
        What was done, in words.
    """

    left: FloatArray
    right: FloatArray
    mass: FloatArray
    log_likelihood: float
    excess: float
    people: int
    events: int
    method: str

    @property
    def summary(self) -> pd.DataFrame:
        """One row per interval with mass: left, right, mass, survival (after it)."""
        return pd.DataFrame(
            {
                "left": self.left,
                "right": self.right,
                "mass": self.mass,
                "survival": self._after(),
            }
        )

    def _after(self) -> FloatArray:
        return np.clip(1 - np.cumsum(self.mass), 0.0, 1.0)

    def at(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Survival at given times.

        Returns
        -------
        DataFrame
            time, survival (NaN inside an interval with mass, where it is anything between the
            bounds), least, most (the bounds; they are no confidence limits).
        """
        known = asked_times(times)[:, None]
        after = np.append(1.0, self._after())
        surely = self.right <= known
        perhaps = np.where(self.left == self.right, surely, self.left < known)
        least, most = after[perhaps.sum(axis=1)], after[surely.sum(axis=1)]
        survival = np.where(least == most, most, np.nan)
        return pd.DataFrame(
            {"time": known[:, 0], "survival": survival, "least": least, "most": most}
        )

    def __str__(self) -> str:
        table = self.summary.to_string(index=False, float_format="{:.4g}".format, max_rows=20)
        return (
            f"{self.method}\n{self.people} people, {self.events} events, log-likelihood "
            f"{self.log_likelihood:.3f}\n{table}\nsurvival: after the interval; inside one only "
            "bounds are known. No confidence limits."
        )


def turnbull(
    lower: npt.ArrayLike, upper: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> Turnbull:
    """Estimate survival from intervals without assuming a shape.

    Parameters
    ----------
    lower, upper
        The event happened in (lower, upper], shape (n,). Equal: on that day. Upper limit
        infinite: not by the lower one. Visits may be shared: (0, 7] and (7, 14] do not touch.
    weights
        Case weights, shape (n,); whoever has 0 is not there.

    Returns
    -------
    Turnbull
        Survival where it can be known, and bounds where it cannot.

    Raises
    ------
    InvalidInput
        Limits between which nothing can lie, values that are not numbers, nobody with an event.

    References
    ----------
    Turnbull BW. J R Stat Soc B 1976;38:290-295; Groeneboom P, Wellner JA. Information bounds and
    nonparametric maximum likelihood estimation, Birkhauser 1992; Wellner JA, Zhan Y. J Am Stat
    Assoc 1997;92:945-959 (the mixture of both steps); Gentleman R, Geyer CJ. Biometrika
    1994;81:618-623 (when to stop).
    """
    low, high, weight = _read(lower, upper, weights)
    left, right = innermost(low, high)
    first, last, count = _held(low, high, weight, left, right)
    mass, excess = _fit(first, last, count, len(left))
    kept = mass > 1e-14
    log_likelihood = _value(first, last, count, mass)
    return Turnbull(
        left=left[kept],
        right=right[kept],
        mass=mass[kept] / mass[kept].sum(),
        log_likelihood=log_likelihood,
        excess=excess,
        people=len(low),
        events=int(np.isfinite(high).sum()),
        method="Turnbull, intervals (left, right], highest likelihood by KKT to 1e-8",
    )


def _read(
    lower: npt.ArrayLike, upper: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Check the limits and leave out people of weight 0."""
    given = {"lower": lower, "upper": upper, "weights": weights}
    arrays, problems = {}, []
    for name, values in given.items():
        if values is None:
            continue
        try:
            arrays[name] = as_numbers(values)
        except (TypeError, ValueError):
            problems.append(Problem(PLACE, ONE_NUMBER, column=name))
    refuse(problems)
    people = len(arrays["lower"])
    refuse(
        Problem(PLACE, f"{len(values)} values for {people} lower limits", column=name)
        for name, values in arrays.items()
        if len(values) != people
    )
    low, high, weight = arrays["lower"], arrays["upper"], arrays.get("weights")
    refuse(interval_problems(low, high, weight))
    weight = np.ones(people) if weight is None else weight
    kept = weight > 0
    if not np.isfinite(high[kept]).any():
        refuse([Problem(PLACE, "nobody has the event, so there is nothing to estimate")])
    return low[kept], high[kept], weight[kept]


def innermost(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Find the maximal intersections: a left end directly followed by a right end.

    On one day the order is: the day itself begins, intervals end, the time after begins.
    """
    begins = np.column_stack([lower, np.where(lower == upper, 0, 2)])
    ends = np.column_stack([upper, np.ones(len(upper))])
    points = np.unique(np.vstack([begins, ends]), axis=0)
    pairs = np.flatnonzero((points[:-1, 1] != 1) & (points[1:, 1] == 1))
    return points[pairs, 0], points[pairs + 1, 0]


def _held(
    low: FloatArray, high: FloatArray, weight: FloatArray, left: FloatArray, right: FloatArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return which places each distinct interval holds, from first to last, and its weight."""
    # An innermost interval (q, p] lies in (low, high] if q >= low and p <= high; a day p lies in
    # it only if p > low, unless the interval is that day.
    day = np.where(left == right, -1.0, 1.0)
    order = np.column_stack([left, day])
    asked = np.column_stack([low, np.where(low == high, -1.0, 0.0)])
    both = np.vstack([order, asked])
    rank = np.unique(both, axis=0, return_inverse=True)[1].ravel()
    first = np.searchsorted(rank[: len(left)], rank[len(left) :])
    last = np.searchsorted(right, high, side="right") - 1
    pairs, which = np.unique(np.column_stack([first, last]), axis=0, return_inverse=True)
    count = np.bincount(which.ravel(), weights=weight).astype(float)
    return (
        np.ascontiguousarray(pairs[:, 0], dtype=np.int64),
        np.ascontiguousarray(pairs[:, 1], dtype=np.int64),
        count,
    )


def _fit(
    first: IntArray, last: IntArray, count: FloatArray, places: int
) -> tuple[FloatArray, float]:
    from discontinuation.survival._interval_kernels import climb

    if places == 1:
        return np.ones(1), 0.0
    mass, excess, _ = climb(first, last, count, np.full(places, 1 / places), KKT, ROUNDS)
    if excess > KKT:
        message = f"no maximum within {ROUNDS} rounds (KKT excess {excess:.2g})"
        refuse([Problem(PLACE, message)])
    return mass, float(excess)


def _value(first: IntArray, last: IntArray, count: FloatArray, mass: FloatArray) -> float:
    below = np.append(0.0, np.cumsum(mass))
    return float(count @ np.log(below[last + 1] - below[first]))
