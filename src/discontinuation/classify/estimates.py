"""What are the parameters, and how much of what is known of each comes from its prior?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betaincinv, ndtri

from discontinuation.classify.identifiability import weak_information
from discontinuation.classify.likelihood import Task

FloatArray = npt.NDArray[np.float64]


def parameter_table(
    theta: FloatArray,
    information: FloatArray,
    covariance: FloatArray,
    task: Task,
    refused: Mapping[str, str],
) -> pd.DataFrame:
    """Parameters on their natural scales, prior beside posterior.

    Parameters
    ----------
    theta, information, covariance
        The estimates, the information without the prior, and the inverse of that with it.
    task
        The model.
    refused
        Why a parameter is not reported, by its name.

    Returns
    -------
    DataFrame
        As `LatentCauseFit.estimates`.
    """
    share = weak_information(theta, information, covariance, task)[0]
    medians = _prior_medians(task)
    z = float(ndtri((1 + task.settings.confidence) / 2))
    rows = []
    for place, (name, study, item, scale) in enumerate(_names(task)):
        shift = _shift(name, task)
        se = math.sqrt(covariance[place, place])
        middle = theta[place] - shift
        values = [_natural(middle + side * se, scale) for side in (0.0, -z, z)]
        why = refused.get(name)
        if not task.free[place]:
            why = why or "held fixed"
            values[1:] = [math.nan, math.nan]
            se = math.nan
        if name == "beta" and why:
            values = [math.nan] * 3
        prior = _natural(medians[place] - shift, scale)
        rows.append((name, study, item, *values, se, scale, prior, share[place], why))
    columns = ["parameter", "study", "item", "estimate", "lower", "upper", "se", "scale"]
    return pd.DataFrame(rows, columns=[*columns, "prior", "prior_share", "refused"])


def _prior_medians(task: Task) -> FloatArray:
    """Median of each prior, on the scale on which the parameter is estimated."""
    medians = task.layout.centre.copy()
    a, b = task.layout.beta_prior
    median = betaincinv(1 + a, 1 + b, 0.5)
    medians[task.layout.symptoms] = np.log(median) - np.log1p(-median)
    return medians


def _shift(name: str, task: Task) -> float:
    """Log of the step for rates, which are kept per step."""
    rate = name in ("baseline hazard", "alpha", "nu")
    return math.log(task.settings.step) if rate else 0.0


def _names(task: Task) -> list[tuple[str, str | None, str | None, str]]:
    """Name, study, item and scale of every parameter, in order; unused ones included."""
    data, layout = task.observed, task.layout
    names: list[tuple[str, str | None, str | None, str]] = []
    for study in data.studies:
        names += [
            ("baseline hazard", study, f"period {k + 1}", "log") for k in range(layout.periods)
        ]
    names += [("beta", None, None, "identity"), ("eta", None, None, "identity")]
    names += [("alpha", study, None, "log") for study in data.studies]
    names += [("tau", None, None, "log"), ("kappa", None, None, "log")]
    names += [("protracted share", None, None, "logit")]
    names += [("nu", study, None, "log") for study in data.studies]
    for cause in ("withdrawal", "relapse"):
        names += [(f"symptom by {cause}", None, item, "logit") for item in data.items]
    names += [
        (f"mean resolution by {cause}", None, None, "log") for cause in ("withdrawal", "relapse")
    ]
    return names


def _natural(value: float, scale: str) -> float:
    if scale == "identity":
        return value
    return math.exp(value) if scale == "log" else 1 / (1 + math.exp(-value))
