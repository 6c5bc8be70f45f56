"""At what rate does each cause strike those still free of all of them?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._incidence_counts import count_events
from discontinuation.survival._incidence_frames import curve_frame, curves_at
from discontinuation.survival._incidence_limits import hazard_limits, normal_quantile
from discontinuation.survival.follow_up import PLACE, FloatArray, IntArray, asked_times, follow_up
from discontinuation.survival.stored import storable


@storable
@dataclass(frozen=True, eq=False)
class CauseSpecificHazards:
    """Nelson-Aalen estimate for each cause; g groups, c causes, t times.

    Attributes
    ----------
    time
        Times with an event of any cause in any group, increasing, shape (t,).
    cumulative_hazard, se
        Shape (g, c, t).
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
    confidence
        Level of the limits.
    """

    time: FloatArray
    cumulative_hazard: FloatArray
    se: FloatArray
    at_risk: FloatArray
    causes: tuple[int, ...]
    groups: tuple[object, ...] | None
    people: IntArray
    events: IntArray
    last: FloatArray
    confidence: float

    def at(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Give the estimate at some times.

        Parameters
        ----------
        times
            Finite numbers.

        Returns
        -------
        pd.DataFrame
            time, cause, cumulative_hazard, se, lower, upper, with the group before them if there
            are groups; NaN after the last follow-up of a group.

        Raises
        ------
        InvalidInput
            Times that are not finite numbers.
        """
        asked = asked_times(times)
        hazard, se = curves_at(
            self.time, (self.cumulative_hazard, self.se), asked, asked <= self.last[:, None]
        )
        lower, upper = hazard_limits(hazard, se, self.confidence)
        values = {"cumulative_hazard": hazard, "se": se, "lower": lower, "upper": upper}
        return curve_frame(self.groups, asked, "cause", self.causes, values)

    @property
    def summary(self) -> pd.DataFrame:
        """The estimate at every event time, as `at` gives it."""
        return self.at(self.time)

    def __str__(self) -> str:
        ends = self.at(self.time[self.time <= self.last.min()][-1:])
        return (
            "Cause-specific cumulative hazards (Nelson-Aalen)\n"
            f"{self.people.sum()} people, {self.events.sum()} events\n"
            + ends.to_string(index=False)
            + "\nVariance sum d / n^2; "
            f"{100 * self.confidence:g} % intervals, symmetric for log(H)."
        )


def cause_specific_hazards(
    time: npt.ArrayLike,
    cause: npt.ArrayLike,
    group: npt.ArrayLike | None = None,
    *,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> CauseSpecificHazards:
    """Estimate the cumulative hazard of each cause among those free of all causes.

    Parameters
    ----------
    time, cause, group, entry, weights, confidence
        As for `aalen_johansen`.

    Raises
    ------
    InvalidInput
        Bad follow-up; no event of any cause.

    Notes
    -----
    Nelson-Aalen: sum d_k / n with variance sum d_k / n^2, as the cumulative hazard of R's survfit.
    """
    normal_quantile(confidence)
    counts = count_events(time, cause, group, entry, weights)
    n = counts.at_risk[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(counts.events > 0, counts.events / n, 0.0)
        variance = np.where(counts.events > 0, counts.events / n**2, 0.0)
    return CauseSpecificHazards(
        counts.time,
        np.cumsum(step, axis=2),
        np.sqrt(np.cumsum(variance, axis=2)),
        counts.at_risk,
        counts.causes,
        counts.groups,
        counts.people,
        counts.failed,
        counts.last,
        confidence,
    )


def events_of(cause: npt.ArrayLike, of: int) -> IntArray:
    """Recode causes for a model of one of them: 1 that cause, 0 another cause or censored.

    What a Cox model of these events estimates is the cause-specific hazard ratio: people who fail
    of another cause leave the risk set then.

    Parameters
    ----------
    cause
        0 censored, 1, 2, ... the cause, shape (n,).
    of
        The cause wanted.

    Raises
    ------
    InvalidInput
        Codes that are not whole numbers of 0 or more; a cause that nobody has.
    """
    event = follow_up(np.ones(len(np.atleast_1d(cause))), cause, causes=True).event
    found = np.unique(event[event > 0])
    if of not in found:
        rule = "nobody has this cause; " + allowed_values([str(code) for code in found])
        refuse([Problem(PLACE, rule, None, "of", str(of))])
    return np.asarray(event == of, dtype=np.int64)
