"""Did the arms that are said to keep the drug keep it, by the doses that were given?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from discontinuation.classify.identifiability import Caution
from discontinuation.classify.observed import LOST, Observed, kept_protection
from discontinuation.problems import Problem

FloatArray = npt.NDArray[np.float64]

MOST_LOST = 0.5  # a proposal: an arm whose median person lost more did not keep the drug


def greatest_loss(observed: Observed) -> FloatArray:
    """Greatest loss of protection of each person up to the time they were last watched.

    Parameters
    ----------
    observed
        The data.

    Returns
    -------
    array
        Shape (people,), between 0 (all kept) and 1 (all lost); NaN for those never watched.
    """
    last = np.full(len(observed.person_weight), -1, dtype=np.int64)
    for part in (observed.ends, observed.slices):
        np.maximum.at(last, part.person, part.step)
    lost = np.maximum.accumulate(1 - observed.retained, axis=1)
    return np.where(last >= 0, lost[observed.history_of_person, last], np.nan)


def anchor_problems(observed: Observed) -> Iterator[Problem]:
    """Maintenance arms most of whose people lost most of their protection.

    People who stop on their own are in every trial, so a minority of them is no problem here;
    `anchor_cautions` counts them.

    Parameters
    ----------
    observed
        The data, with the maintenance arms as they were declared.
    """
    for name, study, loss in _losses(observed):
        middle, count = float(np.median(loss)), int((loss > MOST_LOST).sum())
        if middle > MOST_LOST:
            message = (
                f"this arm of study {study} does not keep the drug: {count} of its {len(loss)} "
                "people lost more than half of their protection while they were watched (median "
                f"of the lowest retained occupancy {1 - middle:.2f}); name arms that keep it "
                f"({_by_doses(observed)}), or end follow-up where it was stopped"
            )
            yield Problem("maintenance", message, value=name)


def _by_doses(observed: Observed) -> str:
    """Say which arms kept the drug by the doses given."""
    names = observed.arms.loc[kept_protection(observed), "arm"].unique()
    return (
        f"by their doses these do: {', '.join(names)}" if len(names) else "by the doses none does"
    )


def anchor_cautions(observed: Observed) -> Iterator[Caution]:
    """Whether some people of a maintenance arm lost more than a tenth of their protection.

    Parameters
    ----------
    observed
        The data.
    """
    for name, study, loss in _losses(observed):
        count = int((loss > LOST).sum())
        if count:
            message = (
                f"{count} of the {len(loss)} people of maintenance arm {name} of study {study} "
                f"lost more than a tenth of their protection while they were watched (at most "
                f"{loss.max():.2f} of 1): their deteriorations can be withdrawal, and psi does not "
                "take those off"
            )
            yield Caution("maintenance", message)


def _losses(observed: Observed) -> Iterator[tuple[str, str, FloatArray]]:
    """Name, study and losses of the people of each maintenance arm."""
    loss, arms = greatest_loss(observed), observed.arms
    for place in np.flatnonzero(arms["maintenance"].to_numpy()):
        mine = loss[(observed.arm_of_person == place) & np.isfinite(loss)]
        if mine.size:
            yield str(arms["arm"].iloc[place]), str(arms["study"].iloc[place]), mine
