"""What was the score at each rating?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from discontinuation.events.lookup import BoolArray, FloatArray, IntArray, starts_of
from discontinuation.tables.instruments import TOTAL, Instrument

# How far a given total may lie from its items: a mean is printed with few decimals.
SLACK = {"sum": 1e-6, "mean": 0.05, "none": math.inf}


@dataclass(frozen=True, eq=False)
class Ratings:
    """All answers of one instrument, arranged by occasion.

    Attributes
    ----------
    instrument
        The instrument.
    person, day
        Of each occasion: position among the people, and day. Sorted by both.
    occasion, item, value
        Of each answer: its occasion, position among `names`, and value.
    names
        The items that occur.
    repeated
        How many answers were given a second time at the same moment; the worst is kept.
    """

    instrument: Instrument
    person: IntArray
    day: FloatArray
    occasion: IntArray
    item: IntArray
    value: FloatArray
    names: list[str]
    repeated: int

    def answers(self, *names: str) -> IntArray:
        """Find the answers to some items."""
        codes = [self.names.index(name) for name in names if name in self.names]
        if len(codes) == len(self.names):
            return np.arange(len(self.item))
        return np.flatnonzero(np.isin(self.item, codes))

    def has_items(self, name: str) -> bool:
        """Whether any item of a total or subscale was answered at all."""
        members = self.instrument.members(name)
        listed = self.instrument.unlisted is not None and bool(members)
        return listed or any(member in self.names for member in members)


def arrange_ratings(
    instrument: Instrument,
    person: IntArray,
    day: FloatArray,
    item: Sequence[str] | pd.Series,
    value: FloatArray,
) -> Ratings:
    """Sort the answers of one instrument into occasions.

    Parameters
    ----------
    instrument
        The instrument.
    person, day, item, value
        One entry per answer. An occasion is a person and a moment.
    """
    code, names = pd.factorize(pd.Series(item, dtype=object))
    order = np.lexsort((code, day, person))
    single = starts_of(person[order], day[order], code[order])
    if not single.all():
        # Of several answers at one moment the worst stands first.
        sign = -1.0 if instrument.higher_is_worse else 1.0
        order = np.lexsort((sign * value, code, day, person))
    kept = order[single]
    person, day, code, value = person[kept], day[kept], code[kept], value[kept]
    first = starts_of(person, day)
    return Ratings(
        instrument=instrument,
        person=person[first],
        day=day[first],
        occasion=np.cumsum(first) - 1,
        item=code.astype(np.int64),
        value=value,
        names=list(names),
        repeated=int((~single).sum()),
    )


def score_of(ratings: Ratings, name: str, least_share: float = 1.0) -> FloatArray:
    """Score every occasion.

    Parameters
    ----------
    ratings
        The answers.
    name
        ``total``, a subscale or an item.
    least_share
        Share of the items that must be answered. What is missing is replaced by the mean of the
        answered items.

    Returns
    -------
    array of float
        One score per occasion: the given one, or else the one made up of its items; NaN where
        there is neither.
    """
    given = _given(ratings, name)
    if not ratings.has_items(name):
        return given
    added, answered = _added(ratings, name)
    enough = answered >= least_share - 1e-9
    return np.where(np.isnan(given) & enough, added, given)


def is_prorated(ratings: Ratings, name: str, least_share: float) -> BoolArray:
    """Mark the occasions at which `score_of` replaces missing items."""
    if least_share >= 1 or not ratings.has_items(name):
        return np.zeros(len(ratings.person), dtype=bool)
    _, answered = _added(ratings, name)
    enough = (answered >= least_share - 1e-9) & (answered < 1)
    return np.asarray(enough & np.isnan(_given(ratings, name)))


def disagreements(ratings: Ratings) -> BoolArray:
    """Mark the occasions at which a given total is not what its items make it."""
    if not ratings.has_items(TOTAL):
        return np.zeros(len(ratings.person), dtype=bool)
    given = _given(ratings, TOTAL)
    added, answered = _added(ratings, TOTAL)
    apart = np.abs(given - added) > SLACK[ratings.instrument.scoring]
    return np.asarray((answered == 1) & apart)


def _given(ratings: Ratings, name: str) -> FloatArray:
    instrument = ratings.instrument
    unlisted = instrument.unlisted if name in instrument.items else None
    score = np.full(len(ratings.person), np.nan if unlisted is None else unlisted)
    wanted = ratings.answers(name)
    score[ratings.occasion[wanted]] = ratings.value[wanted]
    return score


def _added(ratings: Ratings, name: str) -> tuple[FloatArray, FloatArray]:
    """Make a score up of its items; beside it, the share of them that is answered."""
    members = ratings.instrument.members(name)
    wanted = ratings.answers(*members)
    occasion, occasions = ratings.occasion[wanted], len(ratings.person)
    answered = np.bincount(occasion, minlength=occasions)
    added = np.bincount(occasion, weights=ratings.value[wanted], minlength=occasions)
    if ratings.instrument.unlisted is not None:
        added = added + (len(members) - answered) * ratings.instrument.unlisted
        answered = np.full(occasions, len(members))
    mean = np.where(answered > 0, added / np.maximum(answered, 1), np.nan)
    whole = len(members) if ratings.instrument.scoring == "sum" else 1
    # All answered: the sum itself, without the rounding of a division.
    exact = (answered == len(members)) & (ratings.instrument.scoring == "sum")
    return np.where(exact, added, mean * whole), answered / len(members)
