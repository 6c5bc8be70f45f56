"""The hazard ratio of two arms from their risk table: Newton's method in one dimension.

`discontinuation.survival.cox` gives the same number and much more; these loops are for the many
thousand fits of tipping points, bias analyses and simulations.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]

MOST_STEPS = 50
LONGEST_STEP = 1.0
LARGEST = 15.0  # a log hazard ratio beyond this has no maximum of the likelihood


@njit(cache=True, nogil=True, error_model="numpy")
def score_and_information(
    events: FloatArray, at_risk: FloatArray, loss: FloatArray, beta: float, efron: bool
) -> tuple[float, float]:
    """Score and information of the log hazard ratio ``beta * loss`` at the times of a table."""
    score, information = 0.0, 0.0
    for j in range(len(events)):
        total = events[j, 0] + events[j, 1]
        if total <= 0:
            continue
        ratio = np.exp(beta * loss[j])
        stopped, everybody = at_risk[j, 1] * ratio, at_risk[j, 0] + at_risk[j, 1] * ratio
        dying, all_dying = events[j, 1] * ratio, events[j, 0] + events[j, 1] * ratio
        score += loss[j] * events[j, 1]
        if not efron or total <= 1.0:
            share = stopped / everybody
            score -= loss[j] * total * share
            information += loss[j] ** 2 * total * share * (1 - share)
            continue
        ties = int(total + 0.5)
        for done in range(ties):
            left = done / ties
            share = (stopped - left * dying) / (everybody - left * all_dying)
            score -= loss[j] * share
            information += loss[j] ** 2 * share * (1 - share)
    return score, information


@njit(cache=True, nogil=True, error_model="numpy")
def maximise(
    events: FloatArray, at_risk: FloatArray, loss: FloatArray, efron: bool
) -> tuple[float, float]:
    """Log hazard ratio at complete loss and its information; NaN where there is no maximum."""
    beta = 0.0
    for _ in range(MOST_STEPS):
        score, information = score_and_information(events, at_risk, loss, beta, efron)
        if not information > 0:
            return np.nan, np.nan
        step = min(max(score / information, -LONGEST_STEP), LONGEST_STEP)
        beta += step
        if abs(beta) > LARGEST:
            return np.nan, np.nan
        if abs(step) < 1e-10:
            _, information = score_and_information(events, at_risk, loss, beta, efron)
            return beta, information
    return np.nan, np.nan
