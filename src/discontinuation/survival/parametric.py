"""How do covariates stretch time or multiply the hazard, if survival has a known shape?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, ndtri

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._parametric_data import (
    Coding,
    Observed,
    Roles,
    code_covariates,
    code_profiles,
    observe,
)
from discontinuation.survival._parametric_kernels import (
    Error,
    build_likelihood,
    climb,
    maximise,
    sandwich,
)
from discontinuation.survival._parametric_prediction import (
    Predicted,
    check_confidence,
    check_times,
    grid,
    hazard_table,
    survival_table,
)
from discontinuation.survival._piecewise import PiecewiseLikelihood, log_cumulative
from discontinuation.survival.follow_up import FloatArray
from discontinuation.survival.stored import storable

Distribution = Literal["weibull", "exponential", "lognormal", "loglogistic", "piecewise"]

ERRORS: dict[str, Error] = {
    "weibull": "extreme value",
    "exponential": "extreme value",
    "piecewise": "extreme value",
    "lognormal": "normal",
    "loglogistic": "logistic",
}
LOG_SCALE = "log(scale)"


@storable
@dataclass(frozen=True, eq=False)
class ParametricModel:
    """A parametric survival model.

    Attributes
    ----------
    distribution, coding, cuts, confidence
        As asked for; `cuts` are the ends of the pieces but the last, which has none.
    terms
        Name of each of the q parameters. Accelerated failure time: the intercept, the
        covariates, and the log of the scale (not for the exponential): log T = intercept +
        x'b + scale * error, as in R's survreg. Piecewise: the log rate of each piece, and log
        hazard ratios of the covariates.
    coef, covariance, robust
        Estimates, shape (q,), their covariance (inverse observed information), shape (q, q), and
        the sandwich, or None.
    log_hazard_ratios
        Log hazard ratio that these imply for each covariate, and its standard error (robust if
        asked for), shape (2, p). NaN where hazards are not proportional.
    log_likelihood
        Of the times themselves (not of their logs), as R prints it.
    people, events
        Counts; people of weight 0 are left out.
    exact, right, between
        People whose event was seen on the day, who never had it, and with limits only.
    method
        What was done, in words.
    """

    distribution: Distribution
    coding: Coding
    cuts: FloatArray
    confidence: float
    terms: tuple[str, ...]
    coef: FloatArray
    covariance: FloatArray
    robust: FloatArray | None
    log_hazard_ratios: FloatArray
    log_likelihood: float
    people: int
    events: int
    exact: int
    right: int
    between: int
    method: str

    @property
    def aic(self) -> float:
        """Akaike's criterion, comparable between models of the same times."""
        return 2 * len(self.terms) - 2 * self.log_likelihood

    @property
    def scale(self) -> float:
        """Scale of the error: 1 for the exponential, NaN for pieces."""
        if self.distribution == "piecewise":
            return float("nan")
        return 1.0 if self.distribution == "exponential" else float(np.exp(self.coef[-1]))

    @property
    def variance(self) -> FloatArray:
        """Covariance behind intervals: robust if asked for."""
        return self.covariance if self.robust is None else self.robust

    @property
    def summary(self) -> pd.DataFrame:
        """One row per parameter.

        `time_ratio` (how many times as long) with `time_lower`, `time_upper`, and
        `hazard_ratio` with `lower`, `upper`, are NaN where the model has none.
        """
        se = np.sqrt(np.diag(self.variance))
        half = ndtri((1 + self.confidence) / 2)
        z = self.coef / se
        stretched = np.array([self._is_covariate(k) for k in range(len(self.terms))])
        stretched &= self.distribution != "piecewise"
        blank = np.full(len(self.terms), np.nan)
        ratio, ratio_se = blank.copy(), blank.copy()
        covariates = [k for k in range(len(self.terms)) if self._is_covariate(k)]
        ratio[covariates], ratio_se[covariates] = self.log_hazard_ratios
        robust = blank if self.robust is None else se
        return pd.DataFrame(
            {
                "term": self.terms,
                "coef": self.coef,
                "se": np.sqrt(np.diag(self.covariance)),
                "robust_se": robust,
                "time_ratio": np.where(stretched, np.exp(self.coef), np.nan),
                "time_lower": np.where(stretched, np.exp(self.coef - half * se), np.nan),
                "time_upper": np.where(stretched, np.exp(self.coef + half * se), np.nan),
                "hazard_ratio": np.exp(ratio),
                "lower": np.exp(ratio - half * ratio_se),
                "upper": np.exp(ratio + half * ratio_se),
                "z": z,
                "p_value": 2 * ndtr(-np.abs(z)),
            }
        )

    def _is_covariate(self, number: int) -> bool:
        start = len(self.cuts) + 1
        return start <= number < start + len(self.coding.terms)

    def at(self, times: npt.ArrayLike, profiles: pd.DataFrame | None = None) -> pd.DataFrame:
        """Predict survival.

        Parameters
        ----------
        times
            Above 0.
        profiles
            One row per profile, with the columns of the formula.

        Returns
        -------
        DataFrame
            profile (index of `profiles`), time, survival, se, lower, upper. Limits are made
            where the model is linear: log(-log S), logit or probit.
        """
        return survival_table(self._predict(times, profiles), self.variance, self.confidence)

    def hazard(self, times: npt.ArrayLike, profiles: pd.DataFrame | None = None) -> pd.DataFrame:
        """Predict the hazard: profile, time, hazard, se (of its log), lower, upper."""
        return hazard_table(self._predict(times, profiles), self.variance, self.confidence)

    def _predict(self, times: npt.ArrayLike, profiles: pd.DataFrame | None) -> Predicted:
        known, x = check_times(times), code_profiles(self.coding, profiles)
        labels, when, x = grid(profiles, x, known)
        error = ERRORS[self.distribution]
        if self.distribution == "piecewise":
            z, gradient, slope, bend = log_cumulative(self.cuts, self.coef, when, x)
            return Predicted(labels, when, z, slope, gradient, bend, error)
        p, scale = x.shape[1], self.scale
        ones = np.ones((len(x), 1))
        z = (np.log(when) - self.coef[0] - x @ self.coef[1 : p + 1]) / scale
        gradient = np.hstack([-ones, -x]) / scale
        slope, bend = np.full(len(x), 1 / scale), np.zeros((len(x), p + 1))
        if self.distribution != "exponential":
            gradient, bend = np.column_stack([gradient, -z]), np.column_stack([bend, -slope])
        return Predicted(labels, when, z, slope, gradient, bend, error)

    def __str__(self) -> str:
        table = self.summary.dropna(axis=1, how="all").to_string(
            index=False, float_format="{:.4g}".format
        )
        kinds = f"{self.exact} seen on the day, {self.between} between two times"
        return (
            f"{self.method}\n{self.people} people, {self.events} events ({kinds}), "
            f"{self.right} without\nlog-likelihood {self.log_likelihood:.3f}, AIC {self.aic:.2f}\n"
            f"{table}\nlower, upper: {100 * self.confidence:g}% Wald limits"
        )


def parametric_model(
    formula: str,
    data: pd.DataFrame,
    time: str = "time",
    event: str = "event",
    entry: str | None = None,
    lower: str | None = None,
    upper: str | None = None,
    distribution: Distribution = "weibull",
    cuts: Sequence[float] = (),
    weights: str | None = None,
    cluster: str | None = None,
    confidence: float = 0.95,
) -> ParametricModel:
    """Fit a parametric survival model by maximum likelihood.

    Parameters
    ----------
    formula
        Columns joined by ``+``, ``:`` or ``*``; ``1`` for none. Labels are compared with their
        first level.
    data
        One row per person.
    time, event
        Columns of follow-up and of what ended it (1 the event, 0 nothing).
    entry
        Column of the start of follow-up, for people who were not there from time 0 (left
        truncation).
    lower, upper
        Columns to give instead of `time` and `event` where visits saw the event: it happened in
        (lower, upper]. Equal limits: on that day. Upper limit ``inf``: not by the lower one.
        Lower limit 0: before the upper one.
    distribution
        Of time: ``"weibull"``, ``"exponential"``, ``"lognormal"``, ``"loglogistic"`` (all
        accelerated failure time), or ``"piecewise"`` (hazard constant between cuts and
        proportional).
    cuts
        Where the pieces of ``"piecewise"`` end, above 0 and rising.
    weights
        Column of case weights; whoever has 0 is not there.
    cluster
        Column of clusters: asks for the sandwich variance (a column that differs between all
        people makes it person by person, as weights of inverse probability need).
    confidence
        Level of intervals.

    Returns
    -------
    ParametricModel
        Times are used as given; R merges times that differ by rounding only.

    Raises
    ------
    InvalidInput
        Columns, values or a formula that cannot be; nobody with an event; a likelihood without
        a maximum, such as by a group without events.

    References
    ----------
    Kalbfleisch JD, Prentice RL. The statistical analysis of failure time data, 2nd ed, Wiley
    2002, ch. 3; Olsen RJ. Econometrica 1978;46:1211-1215 (parameters in which the likelihood is
    concave); Friedman M. Ann Stat 1982;10:101-113 (pieces).
    """
    _check(distribution, cuts)
    check_confidence(confidence)
    roles = Roles(time, event, entry, lower, upper, weights, cluster)
    observed, rows = observe(data, roles)
    x, coding = code_covariates(formula, rows)
    ends = np.asarray(cuts, dtype=float)
    fit = _fit_pieces if distribution == "piecewise" else _fit_accelerated
    found = fit(observed, x, distribution, ends)
    names = {"piecewise": _piece_names(ends)}.get(distribution, ("Intercept",))
    scale = () if distribution in ("piecewise", "exponential") else (LOG_SCALE,)
    return ParametricModel(
        distribution=distribution,
        coding=coding,
        cuts=ends,
        confidence=confidence,
        terms=(*names, *coding.terms, *scale),
        coef=found.coef,
        covariance=found.covariance,
        robust=found.robust,
        log_hazard_ratios=found.log_hazard_ratios,
        log_likelihood=found.log_likelihood,
        people=len(x),
        events=int(observed.has_event.sum()),
        exact=int(observed.exact.sum()),
        right=int((~observed.has_event).sum()),
        between=int((observed.has_event & ~observed.exact).sum()),
        method=_describe(distribution, ends, observed),
    )


@dataclass(frozen=True, eq=False)
class _Fitted:
    coef: FloatArray
    covariance: FloatArray
    robust: FloatArray | None
    log_hazard_ratios: FloatArray
    log_likelihood: float


def _check(distribution: str, cuts: Sequence[float]) -> None:
    problems = []
    if distribution not in get_args(Distribution):
        rule = allowed_values(get_args(Distribution), distribution)
        problems.append(Problem("distribution", rule, value=distribution))
    ends = np.asarray(cuts, dtype=float)
    if len(ends) and not (np.isfinite(ends).all() and (np.diff(ends, prepend=0.0) > 0).all()):
        problems.append(Problem("cuts", "allowed: rising numbers above 0", value=str(list(cuts))))
    if len(ends) and distribution != "piecewise":
        problems.append(Problem("cuts", "only the distribution 'piecewise' has them"))
    refuse(problems)


def _describe(distribution: Distribution, cuts: FloatArray, observed: Observed) -> str:
    kind = "proportional hazards" if distribution == "piecewise" else "accelerated failure time"
    name = {"piecewise": f"piecewise exponential ({len(cuts) + 1} pieces)"}.get(
        distribution, distribution
    )
    entry = ", delayed entry" if (observed.entry > 0).any() else ""
    robust = "" if observed.clusters is None else ", sandwich variance by cluster"
    return f"{name}, {kind}, maximum likelihood{entry}{robust}"


def _piece_names(cuts: FloatArray) -> tuple[str, ...]:
    starts, ends = [0.0, *cuts], [*cuts, np.inf]
    return tuple(f"log rate ({a:g}, {b:g}]" for a, b in zip(starts, ends, strict=True))


def _fit_accelerated(
    observed: Observed, x: FloatArray, distribution: Distribution, cuts: FloatArray
) -> _Fitted:
    """Fit z = (log t - intercept - x'b) / scale as a linear model in log t, 1 and x."""
    p, fixed = x.shape[1], distribution == "exponential"
    likelihood = build_likelihood(
        observed,
        lambda log_time, people: np.column_stack([log_time, np.ones(len(people)), x[people]]),
        lambda log_time, people: np.eye(1, p + 2).repeat(len(people), axis=0),
        ERRORS[distribution],
    )
    start = np.zeros(p + 2)
    start[:2] = 1.0, observed.log_rate
    origin = np.eye(1, p + 2)[0] * fixed
    free = np.eye(p + 2)[:, fixed:]
    top, scores = maximise(likelihood, start, origin, free)
    slope = 1.0 if fixed else top.theta[0]
    linear = top.theta[1 - fixed :]
    # b = -c / h and log scale = -log h, with their derivatives.
    coef = -linear / slope
    jacobian = np.zeros((p + 1, len(top.theta)))
    jacobian[:, 1 - fixed :] = -np.eye(p + 1) / slope
    if not fixed:
        jacobian[:, 0] = linear / slope**2
        coef = np.append(coef, -np.log(slope))
        jacobian = np.vstack([jacobian, np.eye(1, p + 2) * (-1 / slope)])
    covariance = jacobian @ top.covariance @ jacobian.T
    robust = None
    hazard_covariance = top.covariance
    if observed.clusters is not None:
        hazard_covariance = sandwich(scores, top.covariance, observed.clusters)
        robust = jacobian @ hazard_covariance @ jacobian.T
    ratios = np.full((2, p), np.nan)
    if ERRORS[distribution] == "extreme value":
        last = slice(len(top.theta) - p, None)
        ratios = np.array([top.theta[last], np.sqrt(np.diag(hazard_covariance))[last]])
    return _Fitted(coef, covariance, robust, ratios, top.log_likelihood)


def _fit_pieces(
    observed: Observed, x: FloatArray, distribution: Distribution, cuts: FloatArray
) -> _Fitted:
    """Fit log hazards by piece and log hazard ratios."""
    pieces = len(cuts) + 1
    refuse(_empty_pieces(observed, cuts))
    likelihood = PiecewiseLikelihood.build(observed, x, cuts)
    start = np.zeros(pieces + x.shape[1])
    start[:pieces] = observed.log_rate
    top = climb(likelihood, start)
    turn = likelihood.turn
    coef = turn @ top.theta
    covariance = turn @ top.covariance @ turn.T
    robust = None
    if observed.clusters is not None:
        inner = sandwich(likelihood.scores(top.theta), top.covariance, observed.clusters)
        robust = turn @ inner @ turn.T
    se = np.sqrt(np.diag(covariance if robust is None else robust))
    ratios = np.array([coef[pieces:], se[pieces:]])
    return _Fitted(coef, covariance, robust, ratios, top.log_likelihood)


def _empty_pieces(observed: Observed, cuts: FloatArray) -> list[Problem]:
    """Find pieces in which no event can lie."""
    starts, ends = np.array([0.0, *cuts]), np.array([*cuts, np.inf])
    some = observed.has_event
    low = np.where(observed.exact, np.nextafter(observed.lower, 0), observed.lower)[some]
    high = observed.upper[some]
    return [
        Problem("cuts", f"no event in ({a:g}, {b:g}]; leave a cut point out")
        for a, b in zip(starts, ends, strict=True)
        if not ((low < b) & (high > a)).any()
    ]
