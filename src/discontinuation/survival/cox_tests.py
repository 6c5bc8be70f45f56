"""Do the effects of a Cox model stay the same over time?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._cox_kernels import FloatArray
from discontinuation.survival.cox_design import RiskSets
from discontinuation.survival.cox_residuals import AtEstimate, schoenfeld, weighted_information
from discontinuation.survival.follow_up import FollowUp
from discontinuation.survival.stored import storable

Clock = str | Callable[[FloatArray], FloatArray]
CLOCKS = ("km", "rank", "identity", "log")


@storable
@dataclass(frozen=True, eq=False)
class ProportionalHazards:
    """Score tests of effects that change with a function of time.

    Attributes
    ----------
    term
        Terms of the formula; the last is GLOBAL.
    statistic, df, p_value
        Of each, chi-square distributed if effects are constant.
    transform
        The function of time.
    events
        How many there were.
    time
        Of each event, shape (events,).
    transformed
        The function there.
    coefficient
        Names of the coefficients, p of them.
    scaled
        Scaled Schoenfeld residuals, shape (events, p): their mean is the coefficient, and a trend
        in them is how it changes.
    """

    term: tuple[str, ...]
    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray
    transform: str
    events: int
    time: FloatArray
    transformed: FloatArray
    coefficient: tuple[str, ...]
    scaled: FloatArray = field(repr=False)

    @property
    def summary(self) -> pd.DataFrame:
        """One row per term and GLOBAL: ``term, statistic, df, p_value``."""
        return pd.DataFrame(
            {
                "term": self.term,
                "statistic": self.statistic,
                "df": self.df.astype(int),
                "p_value": self.p_value,
            }
        )

    @property
    def residuals(self) -> pd.DataFrame:
        """Scaled Schoenfeld residuals: ``time, transformed`` and one column per coefficient."""
        columns = dict(zip(self.coefficient, self.scaled.T, strict=True))
        return pd.DataFrame({"time": self.time, "transformed": self.transformed, **columns})

    def __str__(self) -> str:
        heading = (
            f"Proportional hazards: score tests against effects that change with {self.transform} "
            f"time ({self.events} events)"
        )
        return f"{heading}\n{self.summary.to_string(index=False)}"


def proportional_hazards(
    sets: RiskSets, at: AtEstimate, follow: FollowUp, transform: Clock, beta: FloatArray,
    names: tuple[str, ...], term_of: tuple[str, ...], penalty: FloatArray,
) -> ProportionalHazards:  # fmt: skip
    """Test each term, and all together, for an effect that changes with time.

    The score test of adding covariates times a centred function of time, with the information at
    each event time itself: what R's cox.zph does from survival 3.0 on, not the older approximation
    by a constant information. `transform` "km" is one less the Kaplan-Meier estimate of everybody
    just before, "rank" the rank among all follow-up times.

    References
    ----------
    Grambsch PM, Therneau TM. Biometrika 1994;81:515-526; Therneau T, survival 3.x,
    documentation of cox.zph.
    """
    label, clock = _clock(sets, follow, transform)
    clock = clock - clock @ sets.deaths / sets.deaths.sum()
    rows, residual = schoenfeld(sets, at)
    slot = sets.last[rows]
    weighted = sets.weight[rows, None] * residual
    score = clock[slot] @ weighted
    p = len(names)
    plain, once, twice = (weighted_information(sets, at, clock**power) for power in range(3))
    plain = plain + np.diag(penalty)
    twice = twice + np.diag(penalty)
    # The coefficients are at their best: only the new ones have a score.
    left = twice - once @ np.linalg.solve(plain, once)
    terms = list(dict.fromkeys(term_of))
    groups = [[j for j in range(p) if term_of[j] == term] for term in terms] + [list(range(p))]
    statistic = np.array([_quadratic(left, score, own) for own in groups])
    df = np.array([float(len(own)) for own in groups])
    from scipy.special import chdtrc

    scaled = weighted @ np.linalg.inv(plain) * len(rows)
    shown = sets.deaths.sum()
    return ProportionalHazards(
        term=(*terms, "GLOBAL"),
        statistic=statistic,
        df=df,
        p_value=chdtrc(df, statistic),
        transform=label,
        events=int(shown),
        time=sets.time[slot],
        transformed=_clock(sets, follow, transform)[1][slot],
        coefficient=names,
        scaled=(scaled + beta) / sets.scale,
    )


def _quadratic(left: FloatArray, score: FloatArray, own: list[int]) -> float:
    try:
        return float(score[own] @ np.linalg.solve(left[np.ix_(own, own)], score[own]))
    except np.linalg.LinAlgError:
        return float("nan")


def _clock(sets: RiskSets, follow: FollowUp, transform: Clock) -> tuple[str, FloatArray]:
    """Evaluate the function of time at the slots."""
    if callable(transform):
        values = np.asarray(transform(sets.time), dtype=float)
        return getattr(transform, "__name__", "given").strip("<>"), values
    if transform not in CLOCKS:
        refuse([Problem("transform", allowed_values(CLOCKS, transform), value=transform)])
    if transform == "identity":
        return transform, sets.time
    if transform == "log":
        if (sets.time <= 0).any():
            refuse([Problem("transform", "there is an event at time 0", value="log")])
        return transform, np.log(sets.time)
    if transform == "rank":
        ordered = np.sort(follow.time)
        below = np.searchsorted(ordered, sets.time, "left")
        return transform, (below + 1 + np.searchsorted(ordered, sets.time, "right")) / 2
    return transform, _event_free_before(follow, sets.time)


def _event_free_before(follow: FollowUp, at: FloatArray) -> FloatArray:
    """Return one less the Kaplan-Meier estimate of all rows just before the times."""
    time, deaths = np.unique(follow.time[follow.event == 1], return_counts=True)
    at_risk = len(follow.time) - np.searchsorted(np.sort(follow.time), time, "left")
    if follow.entry is not None:
        at_risk = at_risk - (
            len(follow.time) - np.searchsorted(np.sort(follow.entry), time, "left")
        )
    survival = np.concatenate([[1.0], np.cumprod(1 - deaths / at_risk)])
    result: FloatArray = 1 - survival[np.searchsorted(time, at, "left")]
    return result
