"""What curve does a parametric model expect, and how sure is it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from discontinuation.problems import Problem, refuse
from discontinuation.survival._parametric_kernels import Error, log_density, log_survival
from discontinuation.survival.follow_up import FloatArray, asked_times


@dataclass(frozen=True, eq=False)
class Predicted:
    """z and its slope in log t, with their derivatives, at m pairs of profile and time.

    Attributes
    ----------
    profile, time
        Shape (m,).
    z, slope
        Shape (m,).
    z_gradient, slope_gradient
        Derivatives in the parameters, shape (m, p).
    error
        What is between z and survival.
    """

    profile: npt.NDArray[np.object_]
    time: FloatArray
    z: FloatArray
    slope: FloatArray
    z_gradient: FloatArray
    slope_gradient: FloatArray
    error: Error


def survival_table(predicted: Predicted, covariance: FloatArray, confidence: float) -> pd.DataFrame:
    """Survival with limits that are symmetric on the scale of z.

    Returns
    -------
    DataFrame
        profile, time, survival, se, lower, upper.
    """
    z, se = predicted.z, _standard_errors(predicted.z_gradient, covariance)
    half = ndtri((1 + confidence) / 2) * se
    density = np.exp(log_density(z, predicted.error)[0])
    lower, middle, upper = (
        np.exp(log_survival(value, predicted.error)[0]) for value in (z + half, z, z - half)
    )
    return pd.DataFrame(
        {
            "profile": predicted.profile,
            "time": predicted.time,
            "survival": middle,
            "se": density * se,
            "lower": lower,
            "upper": upper,
        }
    )


def log_hazard(predicted: Predicted) -> tuple[FloatArray, FloatArray]:
    """Log hazard and its derivatives in the parameters, shapes (m,) and (m, p)."""
    value, bend, _ = log_density(predicted.z, predicted.error)
    above, fall, _ = log_survival(predicted.z, predicted.error)
    with np.errstate(invalid="ignore"):
        hazard = value - above + np.log(predicted.slope) - np.log(predicted.time)
    gradient = (bend - fall)[:, None] * predicted.z_gradient
    return hazard, gradient + predicted.slope_gradient / predicted.slope[:, None]


def hazard_table(predicted: Predicted, covariance: FloatArray, confidence: float) -> pd.DataFrame:
    """Hazard per unit of time with limits that are symmetric for its logarithm.

    Returns
    -------
    DataFrame
        profile, time, hazard, se (of the log hazard), lower, upper.
    """
    value, gradient = log_hazard(predicted)
    columns = exponentials(value, _standard_errors(gradient, covariance), confidence, "hazard")
    return pd.DataFrame({"profile": predicted.profile, "time": predicted.time, **columns})


def ratio_table(
    predicted: Predicted, reference: Predicted, covariance: FloatArray, confidence: float
) -> pd.DataFrame:
    """Ratio of two hazards at the same times.

    Returns
    -------
    DataFrame
        profile, time, hazard_ratio, se (of its logarithm), lower, upper.
    """
    value, gradient = log_hazard(predicted)
    base, base_gradient = log_hazard(reference)
    se = _standard_errors(gradient - base_gradient, covariance)
    columns = exponentials(value - base, se, confidence, "hazard_ratio")
    return pd.DataFrame({"profile": predicted.profile, "time": predicted.time, **columns})


def exponentials(
    value: FloatArray, se: FloatArray, confidence: float, name: str
) -> dict[str, FloatArray]:
    """Exponentiate a logarithm and its limits."""
    half = ndtri((1 + confidence) / 2) * se
    return {
        name: np.exp(value),
        "se": se,
        "lower": np.exp(value - half),
        "upper": np.exp(value + half),
    }


def _standard_errors(gradient: FloatArray, covariance: FloatArray) -> FloatArray:
    variance = np.einsum("ij,jk,ik->i", gradient, covariance, gradient)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def check_times(times: npt.ArrayLike) -> FloatArray:
    """Check times to predict at: finite and above 0."""
    array = asked_times(times)
    if not (array > 0).all():
        refuse([Problem("times", "allowed: finite numbers above 0")])
    return array


def check_confidence(confidence: float) -> None:
    """Check the level of intervals."""
    if not 0 < confidence < 1:
        refuse([Problem("confidence", "allowed: between 0 and 1", value=f"{confidence:g}")])


def grid(
    profiles: pd.DataFrame | None, x: FloatArray, times: FloatArray
) -> tuple[npt.NDArray[np.object_], FloatArray, FloatArray]:
    """Pair every profile with every time: label, time and covariates of each pair."""
    labels = np.array([0] if profiles is None else list(profiles.index), dtype=object)
    return (
        np.repeat(labels, len(times)),
        np.tile(times, len(labels)),
        np.repeat(x, len(times), axis=0),
    )
