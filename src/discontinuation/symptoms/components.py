"""How much do people differ, and how alike are neighbouring measurements?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special, stats

from discontinuation.symptoms.design import Design
from discontinuation.symptoms.likelihood import FloatArray
from discontinuation.symptoms.maximise import (
    ETA_LIMIT,
    SINGULAR,
    Correlation,
    Maximum,
    Surface,
)

NAMES = (
    ("sd_residual",),
    ("sd_intercept", "sd_residual"),
    ("sd_intercept", "sd_slope", "correlation", "sd_residual"),
)


def parameter_covariance(top: Maximum, hessian: FloatArray) -> FloatArray:
    """Invert the Hessian by the variance parameters and log sigma.

    Parameters
    ----------
    top
        The maximum.
    hessian : array of shape (k + 1, k + 1)
        Of minus the log-likelihood there.

    Returns
    -------
    array of shape (k + 1, k + 1)
        A parameter at its bound and a direction in which nothing changes count as known.
    """
    free = np.ones(len(hessian), dtype=bool)
    if top.surface.correlation != "none":
        free[-2] = abs(top.theta[-1]) < ETA_LIMIT - 1
    kept = np.ix_(free, free)
    covariance = np.zeros_like(hessian)
    covariance[kept] = np.linalg.pinv(hessian[kept], rcond=1e-10, hermitian=True)
    return covariance


def variance_components(
    design: Design,
    top: Maximum,
    parameters: FloatArray,
    correlation: Correlation,
    confidence: float,
) -> pd.DataFrame:
    """Tabulate standard deviations, their correlation and phi.

    Parameters
    ----------
    design
        The measurements.
    top
        The maximum of their likelihood.
    parameters : array of shape (k + 1, k + 1)
        What `parameter_covariance` gives.
    correlation
        As asked for.
    confidence
        Level of the intervals, which are normal for log standard deviations, Fisher's z of the
        correlation and of an ``"ar1"`` phi, and the logit of a ``"car1"`` phi.

    Returns
    -------
    DataFrame
        component, estimate, lower, upper; limits are NaN for what lies at the boundary.
    """
    q = design.rows.z.shape[1]
    names = (*NAMES[q], *(("phi",) if correlation != "none" else ()))
    centre = np.append(top.theta, 0.5 * np.log(top.likelihood.sigma2))
    estimates = _natural(centre, design, top.surface)[: len(names)]
    inside = ~_at_the_edge(names, top)
    reach = np.full(len(names), np.nan)
    z = stats.norm.isf((1 - confidence) / 2)
    # Steps that leave the natural range say nothing; they occur at the boundary only.
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = np.column_stack(
            [_slope(centre, i, names, correlation, design, top.surface) for i in range(len(centre))]
        )
        middle = _bend(estimates, names, correlation)
        reach[inside] = z * np.sqrt(
            np.einsum("ij,jk,ik->i", slopes[inside], parameters, slopes[inside])
        )
        lower = _unbend(middle - reach, names, correlation)
        upper = _unbend(middle + reach, names, correlation)
    return pd.DataFrame({"component": names, "estimate": estimates, "lower": lower, "upper": upper})


def random_effects(design: Design, effects: FloatArray) -> pd.DataFrame:
    """Tabulate the predicted random effects of each person, for time as it was given."""
    back = effects @ design.back.T
    columns = dict(zip(("intercept", "slope"), back.T, strict=False))
    return pd.DataFrame({"person": design.people, **columns})


def _natural(full: FloatArray, design: Design, surface: Surface) -> FloatArray:
    """Return the components at free parameters followed by log sigma, phi last."""
    theta, sigma = full[:-1], np.exp(full[-1])
    factor = sigma * design.back @ surface.factor(theta)
    covariance = factor @ factor.T
    sd = np.sqrt(np.diag(covariance))
    phi = surface.phi(theta)[0] ** (1 / design.unit) if design.unit != 1 else surface.phi(theta)[0]
    if len(sd) < 2:
        return np.array([*sd, sigma, phi])
    product = sd[0] * sd[1]
    shared = np.clip(covariance[0, 1] / product, -1, 1) if product > 0 else np.nan
    return np.array([*sd, shared, sigma, phi])


def _slope(
    centre: FloatArray,
    i: int,
    names: tuple[str, ...],
    correlation: Correlation,
    design: Design,
    surface: Surface,
) -> FloatArray:
    """Differentiate the transformed components by one parameter."""
    step = np.zeros(len(centre))
    step[i] = 1e-6 * max(1.0, abs(centre[i]))
    up, down = (
        _bend(_natural(centre + side * step, design, surface)[: len(names)], names, correlation)
        for side in (1, -1)
    )
    return np.asarray((up - down) / (2 * step[i]))


def _bend(values: FloatArray, names: tuple[str, ...], correlation: Correlation) -> FloatArray:
    """Transform the components to the scale on which their intervals are normal."""
    return np.array(
        [
            np.log(value)
            if name.startswith("sd")
            else special.logit(value)
            if name == "phi" and correlation == "car1"
            else np.arctanh(value)
            for name, value in zip(names, values, strict=True)
        ]
    )


def _unbend(values: FloatArray, names: tuple[str, ...], correlation: Correlation) -> FloatArray:
    return np.array(
        [
            np.exp(value)
            if name.startswith("sd")
            else special.expit(value)
            if name == "phi" and correlation == "car1"
            else np.tanh(value)
            for name, value in zip(names, values, strict=True)
        ]
    )


def _at_the_edge(
    names: tuple[str, ...], top: Maximum
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which components have no interval, because they or their like are at a bound."""
    factor = top.surface.factor(top.theta)
    least = np.linalg.eigvalsh(factor @ factor.T).min(initial=np.inf)
    most = np.abs(factor).max(initial=0.0)
    singular = least <= SINGULAR * max(1.0, most**2)
    bound = top.surface.correlation == "none" or abs(top.theta[-1]) >= ETA_LIMIT - 1
    return np.array(
        [bound if name == "phi" else name != "sd_residual" and singular for name in names]
    )
