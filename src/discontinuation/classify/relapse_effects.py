"""What does losing the drug do to relapse, by how the causes of the events are dealt with?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from discontinuation.classify.hazards import RELAPSE
from discontinuation.classify.imputation import Imputations
from discontinuation.classify.likelihood import Task
from discontinuation.classify.observed import at_risk
from discontinuation.survival.combining import Combined, combine

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def effects_beside(
    task: Task,
    relapse: FloatArray,
    joint: tuple[float, float],
    imputations: Imputations,
) -> pd.DataFrame:
    """Log hazard ratio of relapse at complete loss of protection, by four ways (estimand E3).

    All but the joint one come from the same regression, in which events that are not relapses are
    censored.

    Parameters
    ----------
    task
        The model.
    relapse
        Probability of relapse of each event.
    joint
        beta of the latent-cause model and its standard error.
    imputations
        Of the causes.

    Returns
    -------
    DataFrame
        way, estimate, se, lower, upper: naive (every event is a relapse), weighted (each counts
        with its probability; no limits, as those of the regression would be too short), imputed
        (Rubin), joint.
    """
    z = float(ndtri((1 + task.settings.confidence) / 2))
    rows = []
    naive, variance = regression(task, np.ones(len(relapse)))
    rows.append(("naive", naive, math.sqrt(variance)))
    rows.append(("weighted", regression(task, relapse)[0], math.nan))
    combined = imputed_effect(task, imputations)
    frame = pd.DataFrame([*rows, ("joint", *joint)], columns=["way", "estimate", "se"])
    frame = frame.assign(
        lower=frame["estimate"] - z * frame["se"], upper=frame["estimate"] + z * frame["se"]
    )
    parts = ("estimate", "se", "lower", "upper")
    middle = pd.DataFrame([{"way": "imputed", **{p: getattr(combined, p)[0] for p in parts}}])
    return pd.concat([frame[:2], middle, frame[2:]], ignore_index=True)


def imputed_effect(task: Task, imputations: Imputations) -> Combined:
    """Effect of the loss of protection on relapse, combined over imputed causes."""
    found = np.array(
        [
            regression(task, np.asarray(causes == RELAPSE, dtype=float), onset=slices)
            for causes, slices in zip(imputations.causes, imputations.slices, strict=True)
        ]
    )
    return combine(found[:, 0], found[:, 1])


def regression(
    task: Task, weight: FloatArray, after: float = 0.0, onset: IntArray | None = None
) -> tuple[float, float]:
    """Piecewise exponential regression of the relapses on p(t), all arms together, no priors.

    Parameters
    ----------
    task
        The model, for its data and the cuts of its baseline hazards.
    weight
        How far each event counts as a relapse, shape (events,).
    after
        Events and person-time up to this time after the beginning are left out (a landmark).
    onset
        Slice in which each event begins, shape (events,); None: the middle of those possible.

    Returns
    -------
    estimate, variance; NaN where nothing tells them
    """
    data = task.observed
    slices, at = data.slices, data.middle_slice if onset is None else onset
    relapses = np.zeros(task.grid.retained.shape)
    np.add.at(relapses, (slices.history[at], slices.step[at]), weight)
    risk = at_risk(data, at)
    early = math.ceil(after / task.settings.step - 1e-9)
    relapses[:, :early], risk[:, :early] = 0.0, 0.0
    return piecewise_exponential(relapses, risk, task.grid.lost, task.grid.stratum)


def piecewise_exponential(
    events: FloatArray, risk: FloatArray, covariate: FloatArray, stratum: npt.NDArray[np.int64]
) -> tuple[float, float]:
    """Coefficient of one covariate and its variance, baseline hazards profiled out.

    Parameters
    ----------
    events, risk, covariate, stratum
        Of each cell; the hazard is ``exp(stratum's + beta covariate)`` per unit at risk.
    """
    strata, x = stratum.ravel(), covariate.ravel()
    seen = np.bincount(strata, events.ravel())
    total, beta, information = float(events.ravel() @ x), 0.0, math.nan
    for _ in range(50):
        rate = risk.ravel() * np.exp(beta * x)
        sums = [np.bincount(strata, rate * x**power) for power in range(3)]
        mean, square = (
            np.divide(part, sums[0], out=np.zeros_like(part), where=sums[0] > 0)
            for part in sums[1:]
        )
        information = float(seen @ (square - mean**2))
        if not information > 0:
            return math.nan, math.nan
        step = (total - float(seen @ mean)) / information
        beta += step
        if abs(step) < 1e-10:
            break
    return beta, 1 / information
