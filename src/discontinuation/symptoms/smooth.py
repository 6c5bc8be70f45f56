"""Where was one person's mean on each day, when nothing is assumed about when it changed?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from discontinuation.problems import InvalidInput, Problem, refuse
from discontinuation.symptoms.mixed_model import fit_mixed_model

FloatArray = npt.NDArray[np.float64]
# A line through fewer days than these, or days on one side only, would be drawn into the void.
FEWEST = 4


def smooth_mean(
    days: npt.ArrayLike,
    values: npt.ArrayLike,
    grid: npt.ArrayLike,
    bandwidth: float,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Estimate a mean that moves slowly, with a band that allows for autocorrelation.

    Parameters
    ----------
    days, values : arrays of shape (n,)
        One value per day, days rising.
    grid : array of shape (m,)
        Days at which the mean is wanted.
    bandwidth
        Half-width of the window, days: observations further away have no weight.
    confidence
        Level of the band at each day by itself (not of all days together). What smoothing rounds
        off (its bias) is not in it.

    Returns
    -------
    DataFrame
        day, mean, lower, upper, n_near (days with an answer within the window). A local straight
        line with Epanechnikov weights; blank below four days, and where all of them lie on one
        side further away than half the bandwidth. The band is normal; how much and how long days
        vary about the mean is the restricted maximum likelihood of a continuous first-order
        autoregression about lines that bend once per bandwidth, since what a smooth itself leaves
        varies too little. No band where that cannot be fitted.

    Raises
    ------
    InvalidInput
        A bandwidth that is not greater than 0, unequal lengths.

    References
    ----------
    Fan J, Gijbels I. Local polynomial modelling and its applications, Chapman & Hall 1996, ch. 3;
    Opsomer J, Wang Y, Yang Y. Stat Sci 2001;16:134-153 (autocorrelated errors).
    """
    x, y = np.asarray(days, dtype=float), np.asarray(values, dtype=float)
    at = np.asarray(grid, dtype=float)
    if not bandwidth > 0 or x.shape != y.shape:
        message = "needs a bandwidth greater than 0 and one value per day"
        refuse([Problem("time-varying mean", message, None, "bandwidth", f"{bandwidth:g}")])
    weights, near = _line_weights(x, at, bandwidth)
    variance = _variance(weights, x, y, bandwidth)
    mean = weights @ y
    half = stats.norm.isf((1 - confidence) / 2) * np.sqrt(variance)
    table = {"day": at, "mean": mean, "lower": mean - half, "upper": mean + half, "n_near": near}
    return pd.DataFrame(table)


def _line_weights(
    x: FloatArray, at: FloatArray, bandwidth: float
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return the weights, shape (m, n), that make a local line's height at each point."""
    distance = x[None, :] - at[:, None]
    kernel = np.clip(1 - (distance / bandwidth) ** 2, 0, None)
    near = (kernel > 0).sum(axis=1)
    s0, s1, s2 = (np.sum(kernel * distance**power, axis=1) for power in (0, 1, 2))
    determinant = s0 * s2 - s1**2
    closest = np.min(np.abs(distance), axis=1, initial=np.inf)
    usable = (near >= FEWEST) & (determinant > 1e-9 * s0**2) & (closest <= bandwidth / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = kernel * (s2[:, None] - distance * s1[:, None]) / determinant[:, None]
    return np.where(usable[:, None], weights, np.nan), near


def _variance(weights: FloatArray, x: FloatArray, y: FloatArray, bandwidth: float) -> FloatArray:
    """Variance of each weighted sum under the autocorrelation of the days."""
    number = max(int(np.ceil(np.ptp(x) / bandwidth)), 1) + 1 if len(x) else 0
    knots = np.linspace(x.min(initial=0.0), x.max(initial=0.0), number)
    bends = np.array([np.interp(x, knots, row) for row in np.eye(number)])
    kept = [row for row in bends if row.max(initial=0.0) > 0]
    frame = pd.DataFrame({"person": 1, "day": x, "value": y})
    lines = pd.DataFrame({f"bend {place}": row for place, row in enumerate(kept)}, frame.index)
    try:
        fit = fit_mixed_model(frame, "value", lines, random="none", correlation="car1")
    except InvalidInput:
        return np.full(len(weights), np.nan)
    parts = fit.components.set_index("component")["estimate"]
    distance = np.abs(np.subtract.outer(x, x))
    covariance = parts["sd_residual"] ** 2 * np.power(parts["phi"], distance)
    return np.asarray(np.einsum("ij,ij->i", weights @ covariance, weights))
