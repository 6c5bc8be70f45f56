"""Which share of an arm's events must be something that the maintenance arm does not have?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from discontinuation.classify.observed import Observed

LEAST_EVENTS = 10  # of the maintenance arm in which an answer is expected, for it to count
LARGEST_RATIO = 100.0

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def share_bound(
    observed: Observed, probability: pd.Series, confidence: float = 0.95
) -> pd.DataFrame:
    """Non-parametric lower bound on the share of withdrawal among an arm's events (methods B9).

    If relapses have the same symptoms in both arms, the symptoms of the stopping arm are a mixture
    of those of the maintenance arm and something else, and the share of the latter is at least
    ``1 - min_x g_stop(x) / g_maintain(x)``. Here x is the presence, or the absence, of any one
    symptom. The lower limit puts the smallest of the upper score limits of the ratios, shared
    out over all of them (Bonferroni), in the place of the smallest ratio.

    Parameters
    ----------
    observed
        The data.
    probability
        Probability of withdrawal of each event, for comparison.
    confidence
        Level of the one-sided limit.

    Returns
    -------
    DataFrame
        One row per stopping arm of a study with a maintenance arm: study, arm, events, bound,
        lower_limit, decided_by (the answer with the smallest ratio), model_share (mean of
        `probability`). Bounds are NaN where no answer occurs often enough.

    References
    ----------
    Blanchard G, Lee G, Scott C. J Mach Learn Res 2010;11:2973-3009 (the bound).
    """
    arm_of_event = observed.arm_of_person[observed.event_person]
    arms = observed.arms
    rows = []
    for arm in np.flatnonzero(~arms["maintenance"].to_numpy()):
        study = arms["study"].iloc[arm]
        anchors = np.flatnonzero(arms["maintenance"] & (arms["study"] == study))
        if not anchors.size:
            continue
        mine = arm_of_event == arm
        bound = _smallest(observed, mine, np.isin(arm_of_event, anchors), confidence)
        share = float(probability[mine].mean()) if mine.any() else np.nan
        rows.append((study, arms["arm"].iloc[arm], int(mine.sum()), *bound, share))
    columns = ["study", "arm", "events", "bound", "lower_limit", "decided_by", "model_share"]
    return pd.DataFrame(rows, columns=columns)


def _smallest(
    observed: Observed, stopped: BoolArray, kept: BoolArray, confidence: float
) -> tuple[float, float, str]:
    """Bound, its lower limit, and the answer that decides."""
    cells = []
    for item, name in enumerate(observed.items):
        rated = observed.rated[:, item] > 0
        for value, word in ((1.0, "present"), (0.0, "absent")):
            answer = rated & (observed.present[:, item] == value)
            counts = [
                float(group.sum())
                for group in (stopped & answer, stopped & rated, kept & answer, kept & rated)
            ]
            # By the arms together: to ask for many in the maintenance arm would favour answers
            # that are frequent there by chance, and lift the bound.
            a, n, b, m = counts
            if n > 0 and m > 0 and (a + b) / (n + m) * m >= LEAST_EVENTS:
                cells.append((counts, f"{name} {word}"))
    if not cells:
        return np.nan, np.nan, ""
    a, n, b, m = np.array([counts for counts, _ in cells]).T
    ratio = (a / n) / np.maximum(b / m, 1e-12)
    upper = upper_ratio(a, n, b, m, float(ndtri(1 - (1 - confidence) / len(cells))))
    smallest = int(ratio.argmin())
    bound, limit = 1 - ratio[smallest], 1 - upper.min()
    return max(0.0, float(bound)), max(0.0, float(limit)), cells[smallest][1]


def upper_ratio(a: FloatArray, n: FloatArray, b: FloatArray, m: FloatArray, z: float) -> FloatArray:
    """Upper score limit of the ratio of the probabilities behind a of n and b of m.

    Parameters
    ----------
    a, n, b, m
        Counts, of the same shape.
    z
        Normal quantile of the one-sided limit.

    References
    ----------
    Koopman PAR. Biometrics 1984;40:513-517.
    """
    low, high = np.zeros(len(a)), np.full(len(a), LARGEST_RATIO)
    for _ in range(60):
        middle = (low + high) / 2
        inside = (middle <= (a / n) * (m / np.maximum(b, 1e-12))) | (
            _score(middle, a, n, b, m) < z**2
        )
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low


def _score(
    ratio: FloatArray, a: FloatArray, n: FloatArray, b: FloatArray, m: FloatArray
) -> FloatArray:
    """Chi-square of the counts under a ratio, at the most likely probabilities with this ratio."""
    linear = ratio * (n + b) + a + m
    root = np.sqrt(np.maximum(linear**2 - 4 * (n + m) * ratio * (a + b), 0.0))
    second = np.clip((linear - root) / (2 * (n + m) * ratio), 1e-12, 1 - 1e-12)
    first = np.clip(ratio * second, 1e-12, 1 - 1e-12)
    return np.asarray(
        (a - n * first) ** 2 / (n * first * (1 - first))
        + (b - m * second) ** 2 / (m * second * (1 - second))
    )
