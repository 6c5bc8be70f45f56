"""How do symptoms move on average, when people differ and neighbouring days are alike?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.symptoms.components import (
    parameter_covariance,
    random_effects,
    variance_components,
)
from discontinuation.symptoms.design import Random, arrange
from discontinuation.symptoms.fixed_effects import FixedEffects, FreedomMethod, containment
from discontinuation.symptoms.likelihood import FloatArray
from discontinuation.symptoms.maximise import Correlation, Maximum, Surface, curvature, maximise

Method = Literal["REML", "ML"]

# Largest derivative of the log-likelihood, per measurement, that still counts as none.
FLAT = 1e-8


@dataclass(frozen=True, eq=False)
class MixedModel:
    """A fitted linear mixed model with autoregressive errors.

    Attributes
    ----------
    fixed
        One row per fixed effect: term, estimate, se, df, t, p, lower, upper.
    components
        One row per variance component: component (sd_intercept, sd_slope, correlation,
        sd_residual, phi), estimate, lower, upper. Standard deviations are in units of the
        outcome (the slope's per unit of time); `phi` is the correlation of errors one visit
        (``"ar1"``) or one unit of time (``"car1"``) apart. Limits are NaN at the boundary.
    random_effects
        One row per person: person, intercept, slope (best linear unbiased predictions).
    log_likelihood, aic, bic
        As R's nlme defines them; the BIC of a restricted likelihood counts n - p measurements.
    n_parameters, n_people, n_observations
        Counts.
    method, random, correlation, df_method, confidence
        As asked for.
    converged
        Whether the gradient vanished where the likelihood is highest.
    gradient
        Largest absolute derivative of the log-likelihood that is left.
    boundary
        What lies at the edge of what is possible, in words; empty for an interior maximum.
    warnings
        What a reader must know before the numbers are used, `boundary` included.
    """

    fixed: pd.DataFrame
    components: pd.DataFrame
    random_effects: pd.DataFrame
    log_likelihood: float
    aic: float
    bic: float
    n_parameters: int
    n_people: int
    n_observations: int
    method: Method
    random: Random
    correlation: Correlation
    df_method: FreedomMethod
    confidence: float
    converged: bool
    gradient: float
    boundary: tuple[str, ...]
    warnings: tuple[str, ...]
    effects: FixedEffects = field(repr=False)

    @property
    def covariance(self) -> FloatArray:
        """Covariance of the fixed effects, shape (p, p)."""
        return self.effects.covariance

    @property
    def summary(self) -> pd.DataFrame:
        """Fixed effects and variance components under each other, with the counts."""
        fixed = self.fixed.rename(columns={"term": "name"})
        components = self.components.rename(columns={"component": "name"})
        components = components.reindex(columns=fixed.columns)
        table = pd.DataFrame(
            [*fixed.to_dict("records"), *components.to_dict("records")], columns=fixed.columns
        )
        kinds = ["fixed effect"] * len(fixed) + ["variance component"] * len(components)
        table.insert(0, "kind", kinds)
        return table.assign(n_people=self.n_people, n_observations=self.n_observations)


def fit_mixed_model(
    frame: pd.DataFrame,
    outcome: str,
    fixed: str | pd.DataFrame,
    *,
    person: str = "person",
    time: str = "day",
    random: Random = "slope",
    correlation: Correlation = "ar1",
    position: str | None = None,
    method: Method = "REML",
    df: FreedomMethod = "satterthwaite",
    confidence: float = 0.95,
) -> MixedModel:
    """Fit a linear mixed model with first-order autoregressive errors.

    Parameters
    ----------
    frame
        One row per measurement. Blanks in a column that is used are refused, not dropped: a
        visit that did not happen simply has no row.
    outcome
        Column to explain.
    fixed
        Right-hand side of a formula, for example ``"since_step * arm"``: columns joined by
        ``+``, ``:`` or ``*``, ``0`` for no intercept, text columns against their first value.
        Or a frame of numbers with the index of `frame`, one column per fixed effect.
    person, time
        Columns of the identifier and of the time of the random slope.
    random
        ``"slope"``: random intercept and slope in `time`, any covariance between them;
        ``"intercept"``; or ``"none"`` (generalised least squares, the model for one person).
    correlation
        Of the errors within a person: ``"ar1"`` by visit, phi^|visits apart|, phi in (-1, 1);
        ``"car1"`` by time, phi^|time apart|, phi in (0, 1); or ``"none"``.
    position
        Column of whole visit numbers (``"ar1"``; default: order of observation, so that a
        missed visit leaves no gap) or of times (``"car1"``; default: `time`).
    method
        Restricted or full maximum likelihood.
    df
        Degrees of freedom of the fixed effects: ``"satterthwaite"``, which follows from how
        well the variances are known, or ``"containment"``, which is what nlme prints and which
        is too many for a slope that differs between few people.
    confidence
        Level of all intervals: t for fixed effects; normal for the logarithm of standard
        deviations, Fisher's z of the correlation and of an ``"ar1"`` phi, and the logit of a
        ``"car1"`` phi.

    Returns
    -------
    MixedModel
        Standard errors under ``"ML"`` are multiplied by sqrt(n / (n - p)), as nlme prints them.

    Raises
    ------
    InvalidInput
        Columns that are not there, blank or not numbers; a formula that is more than columns;
        too few people or visits for what is asked, with what is missing.

    References
    ----------
    Pinheiro JC, Bates DM. Mixed-effects models in S and S-PLUS, Springer 2000, ch. 2 and 5;
    Laird NM, Ware JH. Biometrics 1982;38:963-974; Jones RH, Boadi-Boateng F. Biometrics
    1991;47:161-175 (continuous autoregression); Satterthwaite FE. Biometrics Bull 1946;2:110-114;
    Fai AHT, Cornelius PL. J Stat Comput Simul 1996;54:363-378.
    """
    _check(random=random, correlation=correlation, method=method, df=df, confidence=confidence)
    design = arrange(frame, outcome, fixed, person, time, random, correlation, position)
    n, p, q = design.rows.shape
    top = maximise(Surface(design.rows, correlation, method == "REML"))
    bent = curvature(top.surface, top.theta)
    parameters = parameter_covariance(top, bent.hessian)
    here = top.likelihood
    triangle = design.triangle * (np.sqrt(n / (n - p)) if method == "ML" else 1.0)
    effects = FixedEffects(
        terms=design.terms,
        estimates=design.offset + design.triangle @ here.coefficients,
        covariance=here.sigma2 * triangle @ np.linalg.inv(here.information) @ triangle.T,
        method=df,
        containment=containment(design),
        d_covariance=triangle @ bent.d_covariance @ triangle.T,
        parameters=parameters,
    )
    log_likelihood = here.log_likelihood
    if method == "REML":
        # |X' W^-1 X| of the columns as given, not of the orthonormal ones.
        log_likelihood += float(np.linalg.slogdet(design.triangle)[1])
    n_parameters = p + q * (q + 1) // 2 + 1 + (correlation != "none")
    converged = top.gradient <= FLAT * n and _is_top(bent.profiled)
    return MixedModel(
        fixed=effects.sums(np.eye(p), list(design.terms), confidence),
        components=variance_components(design, top, parameters, correlation, confidence),
        random_effects=random_effects(design, here.effects),
        log_likelihood=log_likelihood,
        aic=2 * n_parameters - 2 * log_likelihood,
        bic=float(n_parameters * np.log(here.freedom) - 2 * log_likelihood),
        n_parameters=n_parameters,
        n_people=len(design.people),
        n_observations=n,
        method=method,
        random=random,
        correlation=correlation,
        df_method=df,
        confidence=confidence,
        converged=converged,
        gradient=top.gradient,
        boundary=top.boundary,
        warnings=tuple(_warnings(top, converged)),
        effects=effects,
    )


def contrasts(fit: MixedModel, weights: pd.DataFrame) -> pd.DataFrame:
    """Estimate weighted sums of fixed effects.

    Parameters
    ----------
    fit
        A fitted model.
    weights
        One row per sum, its name in the index; one column per fixed effect that takes part,
        the others weigh 0.

    Returns
    -------
    DataFrame
        term, estimate, se, df, t, p, lower, upper. Under ``"containment"`` a sum has the
        fewest degrees of freedom of its parts.

    Raises
    ------
    InvalidInput
        A column that is not a fixed effect of the model.
    """
    terms = list(fit.effects.terms)
    refuse(
        Problem("contrast", allowed_values(terms, str(name)), value=str(name))
        for name in weights.columns
        if name not in terms
    )
    matrix = weights.reindex(columns=terms, fill_value=0.0).to_numpy(dtype=float)
    return fit.effects.sums(matrix, list(map(str, weights.index)), fit.confidence)


def _check(random: str, correlation: str, method: str, df: str, confidence: float) -> None:
    kinds = {"random": Random, "correlation": Correlation, "method": Method, "df": FreedomMethod}
    chosen = {"random": random, "correlation": correlation, "method": method, "df": df}
    problems = [
        Problem("mixed model", allowed_values(get_args(kinds[name]), value), None, name, value)
        for name, value in chosen.items()
        if value not in get_args(kinds[name])
    ]
    if not 0 < confidence < 1:
        message = "allowed: a number between 0 and 1"
        problems.append(Problem("mixed model", message, None, "confidence", f"{confidence:g}"))
    refuse(problems)


def _is_top(hessian: FloatArray) -> bool:
    """Whether minus the log-likelihood bends upwards or is level in every direction."""
    values = np.linalg.eigvalsh(hessian)
    return bool(values.min(initial=0.0) >= -1e-6 * np.abs(values).max(initial=1.0))


def _warnings(top: Maximum, converged: bool) -> Iterator[str]:
    yield from top.boundary
    if not converged:
        yield "the likelihood has no maximum that could be reached; do not use these numbers"
    if top.starts[0] - min(top.starts) > 1e-3:
        yield (
            "the likelihood has several maxima; these are the numbers of the highest that was "
            f"found, {top.starts[0] - min(top.starts):.3g} above the lowest"
        )
