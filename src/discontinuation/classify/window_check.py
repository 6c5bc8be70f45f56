"""Does each arm have as many events in each window of time as the model expects?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import chdtrc

from discontinuation.classify.likelihood import Expectation, Task

FloatArray = npt.NDArray[np.float64]

CUTS = (14.0, 28.0, 56.0, 112.0, 182.0)  # days since the beginning of the grid
LEAST_EXPECTED = 1.0  # windows that expect less are joined with the next


@dataclass(frozen=True, eq=False)
class WindowCheck:
    """Seen against expected events (methods B11, internal check i).

    Attributes
    ----------
    windows
        One row per arm and window: study, arm, start, stop, seen, expected.
    statistic, df, p_value
        Chi-square of all windows together, allowing for the parameters that were estimated.
    """

    windows: pd.DataFrame
    statistic: float
    df: int
    p_value: float

    @property
    def misfit(self) -> bool:
        """Whether the model misses the timing of the events."""
        return self.p_value < 0.05


def check_windows(
    found: Expectation, task: Task, covariance: FloatArray, cuts: tuple[float, ...]
) -> WindowCheck:
    """Compare events by arm and window with what the model expects.

    The differences have the covariance ``diag(E) - C V C'``, with E the expected events, C their
    derivatives and V the covariance of the parameters; the statistic is their quadratic form in
    its pseudo-inverse, on as many degrees of freedom as it has sizeable eigenvalues.
    """
    data = task.observed
    steps = task.grid.retained.shape[1]
    edges = np.unique(np.clip(np.ceil(np.array(cuts) / task.settings.step), 1, steps))
    edges = np.append(edges[edges < steps], steps).astype(np.int64)
    rows, slopes = [], []
    for arm in range(len(data.arms)):
        mine = data.arm_of_history == arm
        start = 0
        for edge in edges:
            seen, expected, slope = _window(found, task, mine, start, int(edge))
            if expected < LEAST_EXPECTED and edge != edges[-1]:
                continue
            names = data.arms.iloc[arm]
            span = (start * task.settings.step, int(edge) * task.settings.step)
            rows.append((names["study"], names["arm"], *span, seen, expected))
            slopes.append(slope)
            start = int(edge)
    windows = pd.DataFrame(rows, columns=["study", "arm", "start", "stop", "seen", "expected"])
    counts = windows["expected"].to_numpy(dtype=float)
    moved = np.array(slopes)
    spread = np.diag(counts) - moved @ covariance @ moved.T
    scale = 1 / np.sqrt(np.maximum(counts, 1e-12))
    size, direction = np.linalg.eigh(spread * np.outer(scale, scale))
    off = direction.T @ ((windows["seen"].to_numpy(dtype=float) - counts) * scale)
    kept = size > 0.1
    statistic = float((off[kept] ** 2 / size[kept]).sum())
    df = int(kept.sum())
    return WindowCheck(windows, statistic, df, float(chdtrc(df, statistic)) if df else math.nan)


def _window(
    found: Expectation, task: Task, mine: npt.NDArray[np.bool_], start: int, stop: int
) -> tuple[float, float, FloatArray]:
    """Seen and expected events of an arm between two steps, and the latter's derivatives."""
    seen, expected = 0.0, 0.0
    slope = np.zeros(task.layout.size)
    span = (mine, slice(start, stop))
    for hazard, events, risk in zip(found.hazards, found.events, found.at_risk, strict=True):
        rate = risk[span] * hazard.value[span]
        seen += float(events[span].sum())
        expected += float(rate.sum())
        count = hazard.intercepts.stop - hazard.intercepts.start
        strata = hazard.stratum[span]
        slope[hazard.intercepts] += np.bincount(strata.ravel(), rate.ravel(), count)
        for offset, covariate in enumerate(hazard.covariates):
            slope[hazard.first_covariate + offset] += float((rate * covariate[span]).sum())
    return seen, expected, slope
