"""How far does the z of the drive test spread between trials?

Its variance holds where there is no withdrawal. Where there is, most events while the drive is high
are in the abrupt arm: their number moves score and variance together, and z spreads less than by 1.
"""

from __future__ import annotations

import math

import numpy as np

from discontinuation.design._daily import FloatArray

STEP = 1e-5  # of numerical derivatives


def drive_spread(
    events: FloatArray, at_risk: FloatArray, protection_loss: FloatArray, drive: FloatArray
) -> float:
    """Standard deviation of the z of `trial_tests.drive_test` in large trials (delta method).

    Each person's influence on z is its derivative in the counts that the person adds to; the
    variance is the sum over arms of that of the influences. It does not depend on the number of
    people, and is 1 if no hazard follows the drive.

    Parameters
    ----------
    events, at_risk
        Expected counts of one person per arm, shape (visits, arms).
    protection_loss, drive
        As for `drive_test`.

    Returns
    -------
    float
        NaN where the test has no value.
    """
    x, y = protection_loss, drive
    beta = _maximum(events, at_risk, x, y)
    _, u2, v11, v12, v22 = _rows(events, at_risk, x, y, beta).sum(axis=1)
    variance = v22 - v12**2 / v11 if v11 > 0 else math.nan
    if not variance > 0:
        return math.nan
    # Derivatives of z in the five sums; the first sum acts through the maximum alone.
    of_variance = -0.5 * u2 * variance**-1.5
    slopes = of_variance * np.array([0.0, 0.0, (v12 / v11) ** 2, -2 * v12 / v11, 1.0])
    slopes[1] = variance**-0.5
    above, below = (_rows(events, at_risk, x, y, beta + h).sum(axis=1) for h in (STEP, -STEP))
    slopes[0] = slopes @ (above - below) / (2 * STEP) / v11
    by_event, by_person = np.zeros_like(events), np.zeros_like(events)
    for arm in range(events.shape[1]):
        more = np.zeros_like(events)
        more[:, arm] = STEP * at_risk.sum(axis=1)
        for target, (d, n) in (
            (by_event, (more, np.zeros_like(more))),
            (by_person, (np.zeros_like(more), more)),
        ):
            change = _rows(events + d, at_risk + n, x, y, beta)
            change -= _rows(events - d, at_risk - n, x, y, beta)
            with np.errstate(divide="ignore", invalid="ignore"):
                target[:, arm] = np.nan_to_num(slopes @ change / (2 * more[:, arm]))
    followed = by_person.cumsum(axis=0)
    leaving = np.clip(at_risk - np.append(at_risk[1:], 0 * at_risk[:1], axis=0) - events, 0, None)
    found = 0.0
    for influence, chance in ((followed + by_event, events), (followed, leaving)):
        found += (chance * influence**2).sum()
    mean = (events * (followed + by_event) + leaving * followed).sum(axis=0)
    return float(math.sqrt(max(found - (mean**2).sum(), 0.0)))


def _maximum(events: FloatArray, at_risk: FloatArray, x: FloatArray, y: FloatArray) -> float:
    """Coefficient of the first covariate alone, as in `_fit_kernels.adjusted_scores`."""
    beta = 0.0
    for _ in range(50):
        u1, _, v11, *_ = _rows(events, at_risk, x, y, beta).sum(axis=1)
        if not v11 > 0 or abs(beta) > 15:
            break
        step = min(max(u1 / v11, -1.0), 1.0)
        beta += step
        if abs(step) < 1e-9:
            break
    return beta


def _rows(
    events: FloatArray, at_risk: FloatArray, x: FloatArray, y: FloatArray, beta: float
) -> FloatArray:
    """Scores of both covariates and their information 11, 12, 22 by visit; shape (5, visits)."""
    total = events.sum(axis=1)
    share = at_risk * np.exp(beta * x)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(share / share.sum(axis=1, keepdims=True))
    mean_x, mean_y = (share * x).sum(axis=1), (share * y).sum(axis=1)
    return np.array(
        [
            (events * x).sum(axis=1) - total * mean_x,
            (events * y).sum(axis=1) - total * mean_y,
            total * ((share * x * x).sum(axis=1) - mean_x**2),
            total * ((share * x * y).sum(axis=1) - mean_x * mean_y),
            total * ((share * y * y).sum(axis=1) - mean_y**2),
        ]
    )
