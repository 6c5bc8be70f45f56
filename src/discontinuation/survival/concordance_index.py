"""Does a score put people in the order in which they have the event?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._concordance_kernels import count_earlier, count_later
from discontinuation.survival.follow_up import (
    PLACE,
    FloatArray,
    FollowUp,
    IntArray,
    as_numbers,
    follow_up,
    label_groups,
)
from discontinuation.survival.stored import storable

Higher = Literal["earlier", "later"]


@storable
@dataclass(frozen=True, eq=False)
class Concordance:
    """Harrell's index: the share of pairs that are in the right order.

    Attributes
    ----------
    concordance
        Pairs in the right order, and half of those with the same score, over all pairs.
    se
        Standard error by the infinitesimal jackknife, as R's ``concordance`` has it.
    concordant, discordant, tied_score, tied_time, tied_both
        Pairs, each the product of two weights. Pairs whose events are at the same time do not
        count.
    higher
        Whether a higher score is expected to mean an earlier event or a later one.
    level
        Of the limits in `summary`, which are normal.
    people, events
        How many there are.
    """

    concordance: float
    se: float
    concordant: float
    discordant: float
    tied_score: float
    tied_time: float
    tied_both: float
    higher: Higher
    level: float
    people: int
    events: int

    @property
    def summary(self) -> pd.DataFrame:
        """One row: ``concordance, se, lower, upper`` and the pairs."""
        from scipy.special import ndtri

        width = float(ndtri(0.5 + self.level / 2)) * self.se
        row = {
            "concordance": self.concordance,
            "se": self.se,
            "lower": max(self.concordance - width, 0.0),
            "upper": min(self.concordance + width, 1.0),
            "concordant": self.concordant,
            "discordant": self.discordant,
            "tied_score": self.tied_score,
            "tied_time": self.tied_time,
            "tied_both": self.tied_both,
        }
        return pd.DataFrame([row])

    def __str__(self) -> str:
        row = self.summary.iloc[0]
        return (
            f"Concordance {row['concordance']:.4f} (se {row['se']:.4f}, {self.level:.0%} normal "
            f"limits {row['lower']:.4f} to {row['upper']:.4f}); {self.people} people, "
            f"{self.events} events; a higher score means {self.higher}"
        )


def concordance(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    score: npt.ArrayLike,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    *,
    higher: Higher = "earlier",
    level: float = 0.95,
) -> Concordance:
    """Compute Harrell's index of concordance.

    A pair can be compared if one has the event while the other is at risk and stays so, or is
    censored at that very time. Two events at one time cannot be compared.

    Parameters
    ----------
    time, event, entry, weights
        As in `follow_up`.
    score
        One number per person: for example the log hazard of a Cox model.
    strata
        People are compared within.
    cluster
        Who goes together in the variance.
    higher
        What a higher score is expected to mean: an "earlier" event (a risk) or a "later" one.
    level
        Of the limits.

    Raises
    ------
    InvalidInput
        What `follow_up` refuses; scores that are not finite numbers; no pair to compare.

    References
    ----------
    Harrell FE, Lee KL, Mark DB. Stat Med 1996;15:361-387; Therneau TM, Atkinson E. The
    concordance statistic, vignette of survival 3.x (ties and variance).
    """
    if higher not in get_args(Higher):
        rule = allowed_values(get_args(Higher), str(higher))
        refuse([Problem("concordance", rule, column="higher", value=str(higher))])
    follow = follow_up(time, event, entry, weights)
    people = len(follow.time)
    try:
        scores = as_numbers(score)
    except (TypeError, ValueError):
        scores = np.full(people, np.nan)
    refuse(_bad_scores(scores, people))
    weight = np.ones(people) if follow.weights is None else follow.weights
    group = np.zeros(people, np.int64) if strata is None else label_groups(strata, people)[0]
    own = np.arange(people) if cluster is None else label_groups(cluster, people, "cluster")[0]
    counts = np.zeros((people, 5))
    for one in range(int(group.max()) + 1):
        rows = np.flatnonzero(group == one)
        counts[rows] = _pairs_of_each(follow, scores, weight, rows)
    if higher == "later":
        counts = counts[:, [1, 0, 2, 3, 4]]
    pairs = weight @ counts / 2
    comparable = float(pairs[:3].sum())
    if not comparable > 0:
        refuse([Problem(PLACE, "there is no pair to compare: nobody is at risk after an event")])
    excess = (pairs[0] - pairs[1]) / comparable
    change = counts[:, 0] - counts[:, 1] - excess * counts[:, :3].sum(axis=1)
    change = np.bincount(own, weight * change / comparable)
    return Concordance(
        concordance=float((excess + 1) / 2),
        se=float(np.sqrt((change**2).sum()) / 2),
        concordant=float(pairs[0]),
        discordant=float(pairs[1]),
        tied_score=float(pairs[2]),
        tied_time=float(pairs[3]),
        tied_both=float(pairs[4]),
        higher=higher,
        level=level,
        people=int((weight > 0).sum()),
        events=int(((follow.event == 1) & (weight > 0)).sum()),
    )


def _pairs_of_each(
    follow: FollowUp, score: FloatArray, weight: FloatArray, rows: IntArray
) -> FloatArray:
    time = follow.time[rows]
    entry = np.full(len(rows), -np.inf) if follow.entry is None else follow.entry[rows]
    values, rank = np.unique(score[rows], return_inverse=True)
    counts = np.zeros((len(rows), 5))
    by_time, by_entry = np.argsort(-time, kind="stable"), np.argsort(-entry, kind="stable")
    for count in (count_later, count_earlier):
        count(
            time, entry, follow.event[rows], weight[rows], rank, by_time, by_entry, len(values),
            counts,
        )  # fmt: skip
    return counts


def _bad_scores(scores: FloatArray, people: int) -> Iterable[Problem]:
    if len(scores) != people:
        yield Problem(PLACE, f"{len(scores)} values for {people} times", column="score")
    elif not np.isfinite(scores).all():
        wrong = int((~np.isfinite(scores)).sum())
        yield Problem(PLACE, f"{wrong} values are not finite numbers", column="score")
