"""Can the maximum that was found be relied on, and the normal limits around it?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from discontinuation.classify.em import Maximum
from discontinuation.classify.excess_share import plain_shares
from discontinuation.classify.hazards import NOCEBO
from discontinuation.classify.identifiability import Caution
from discontinuation.classify.likelihood import Task

FEW_OF_A_CAUSE = 20.0  # expected events below which a bootstrap gives better limits
SAME_HEIGHT = 2.0  # log-likelihood units within which two maxima count as alike
FAR_APART = 0.1  # of psi_H between them


def search_cautions(
    maximum: Maximum, maxima: Sequence[Maximum], task: Task, limits: bool
) -> list[Caution]:
    """No convergence, two maxima that disagree, or too few events of a cause for normal limits.

    Parameters
    ----------
    maximum
        The fit.
    maxima
        From all starting values, best first.
    task
        The model.
    limits
        Whether there are limits of psi that may not hold.
    """
    found = []
    if not maximum.converged:
        found.append(Caution("search", "the search did not converge"))
    best = plain_shares(maximum.found, task)
    for other in maxima[1:]:
        near = maximum.found.penalised - other.found.penalised < SAME_HEIGHT
        shares_there = plain_shares(other.found, task) if near else []
        if any(
            not abs(one[1] - two[1]) <= FAR_APART
            for one, two in zip(best, shares_there, strict=False)
            if np.isfinite(one[1])
        ):
            message = "two solutions fit alike and differ in psi_H by more than 0.1"
            found.append(Caution("search", message))
            break
    if limits:
        found += _few_of_a_cause(maximum, task)
    return found


def _few_of_a_cause(maximum: Maximum, task: Task) -> Iterator[Caution]:
    """Where q has its mass near one boundary, normal limits of psi do not hold (methods B8)."""
    probability = maximum.found.probability
    for place, cause in enumerate(task.causes):
        expected = float(probability[:, place].sum())
        if cause != NOCEBO and expected < FEW_OF_A_CAUSE:
            message = (
                f"{expected:.1f} events of {cause} are expected, fewer than {FEW_OF_A_CAUSE:g}: "
                "the limits of the shares (psi) are rough and may be too narrow"
            )
            yield Caution("few", message)
