"""How do covariates order the cumulative incidence of one cause?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._incidence_counts import distinct_times
from discontinuation.survival._incidence_kernels import (
    subdistribution_moments,
    subdistribution_residuals,
    subdistribution_sums,
    weighted_squares,
    whole_range,
)
from discontinuation.survival._incidence_limits import chosen, normal_quantile, two_sided_p
from discontinuation.survival.covariates import FORMULA, blanks, columns_needed, covariates
from discontinuation.survival.follow_up import (
    PLACE,
    FloatArray,
    FollowUp,
    IntArray,
    asked_times,
    column_of,
    follow_up,
    label_groups,
    missing_columns,
)
from discontinuation.survival.stored import storable

Convention = Literal["crr", "finegray"]
CONVENTIONS = {
    "crr": (
        "as cmprsk::crr: Breslow for tied events; people with an event on a day are still at risk "
        "of censoring that day"
    ),
    "finegray": (
        "as survival::finegray with coxph: Efron for tied events; people with an event on a day "
        "have left before the censorings of that day"
    ),
}
MECHANICAL = (
    "A subdistribution hazard ratio falls mechanically when another cause removes people, who "
    "stay in its\nrisk set: it orders risks and does not say whether the cause itself became rarer."
)
ITERATIONS = 50
SETTLED = 1e-6  # step, in standard deviations in risk sets, after which one more is exact
LONG, FLAT = 0.1, 1e-10  # a step so long that gains so little of the likelihood: no maximum
SINGULAR = 1e-9  # share of variation, of a covariate or apart from the others, taken as none


@storable
@dataclass(frozen=True, eq=False)
class FineGray:
    """Proportional subdistribution hazards for one cause; p covariates.

    Attributes
    ----------
    terms
        Names of the covariates as coded.
    coef
        Log subdistribution hazard ratios, shape (p,).
    se
        From the inverse information, as if the censoring weights were known data.
    robust_se
        From the sandwich variance that counts the estimated censoring distribution in (that of
        cmprsk::crr); the limits, z and p_value are from it.
    covariance
        The sandwich variance, shape (p, p).
    of
        The cause.
    people, events, other_events
        Number of people (rows), of events of the cause and of other events.
    log_likelihood
        Partial log-likelihood without covariates and at the estimate.
    time, baseline_hazard
        Times of events of the cause and increments of the baseline subdistribution hazard there,
        for covariates equal to `centre`.
    centre
        Mean of each covariate among people with the event.
    formula
        As asked for.
    ties_with_censoring
        ``"crr"`` or ``"finegray"``.
    clusters
        Number of clusters of the sandwich variance; 0: each row by itself.
    confidence
        Level of the limits.
    """

    terms: tuple[str, ...]
    coef: FloatArray
    se: FloatArray
    robust_se: FloatArray
    covariance: FloatArray
    of: int
    people: int
    events: int
    other_events: int
    log_likelihood: tuple[float, float]
    time: FloatArray
    baseline_hazard: FloatArray
    centre: FloatArray
    formula: str
    ties_with_censoring: Convention
    clusters: int
    confidence: float

    @property
    def summary(self) -> pd.DataFrame:
        """Columns term, coef, se, robust_se, hazard_ratio, lower, upper, z, p_value.

        The hazard ratio is that of the subdistribution.
        """
        width = normal_quantile(self.confidence) * self.robust_se
        z = self.coef / self.robust_se
        return pd.DataFrame(
            {
                "term": self.terms,
                "coef": self.coef,
                "se": self.se,
                "robust_se": self.robust_se,
                "hazard_ratio": np.exp(self.coef),
                "lower": np.exp(self.coef - width),
                "upper": np.exp(self.coef + width),
                "z": z,
                "p_value": two_sided_p(z),
            }
        )

    def cumulative_incidence(
        self, profiles: pd.DataFrame, times: npt.ArrayLike | None = None
    ) -> pd.DataFrame:
        """Predict the cumulative incidence of the cause.

        Parameters
        ----------
        profiles
            One row per profile, with a column for each of `terms`.
        times
            When; by default at every time with an event of the cause.

        Returns
        -------
        pd.DataFrame
            profile (label of the row), time, probability: 1 - exp(-H0(t) exp(x'b)), as
            cmprsk::predict.crr.

        Raises
        ------
        InvalidInput
            Columns that are not there; values that are not finite numbers.
        """
        refuse(missing_columns(profiles, {"profiles": self.terms}))
        x = profiles[list(self.terms)].to_numpy(dtype=float)
        asked = self.time if times is None else asked_times(times)
        if not np.isfinite(x).all():
            refuse([Problem("profiles", "allowed: finite numbers")])
        hazard = np.concatenate([[0.0], np.cumsum(self.baseline_hazard)])
        hazard = hazard[np.searchsorted(self.time, asked, side="right")]
        ratio = np.exp((x - self.centre) @ self.coef)
        return pd.DataFrame(
            {
                "profile": profiles.index.repeat(len(asked)),
                "time": np.tile(asked, len(x)),
                "probability": -np.expm1(-np.outer(ratio, hazard)).ravel(),
            }
        )

    def __str__(self) -> str:
        robust = "sandwich variance with the estimated censoring distribution"
        if self.clusters:
            robust += f", {self.clusters} clusters"
        return (
            f"Fine-Gray model of cause {self.of}: {self.formula}\n"
            f"{self.people} people, {self.events} events, {self.other_events} other events\n"
            + self.summary.to_string(index=False, float_format=lambda value: f"{value:.4g}")
            + f"\nTies {CONVENTIONS[self.ties_with_censoring]}.\n"
            f"{100 * self.confidence:g} % normal intervals for the log ratio, {robust}.\n"
            + MECHANICAL
        )


def fine_gray(
    formula: str,
    data: pd.DataFrame,
    time: str = "time",
    cause: str = "cause",
    of: int = 1,
    *,
    ties_with_censoring: Convention = "crr",
    cluster: str | None = None,
    weights: str | None = None,
    confidence: float = 0.95,
) -> FineGray:
    """Fit proportional subdistribution hazards for one cause.

    Parameters
    ----------
    formula
        Covariates, for instance ``"arm + age"``; an intercept is dropped.
    data
        One row per person.
    time, cause
        Columns with the end of follow-up and with 0 (censored), 1, 2, ... (the cause).
    of
        The cause of interest.
    ties_with_censoring
        ``"crr"``: as cmprsk::crr (Breslow for tied events; people with an event on a day are
        still at risk of censoring that day). ``"finegray"``: as survival::finegray followed by
        coxph (Efron; they have left). The coefficients differ in the third or fourth digit with
        daily times.
    cluster
        Column with labels; residuals are added within them for the sandwich variance.
    weights
        Column of case weights. A person of weight w counts w times in every sum, that of the
        censoring distribution too, and adds w times their residual in the sandwich variance: with
        ``"crr"`` the same as w rows in one cluster. Rows of weight 0 are not there.
    confidence
        Level of the limits.

    Raises
    ------
    InvalidInput
        Unknown columns; bad follow-up; blanks; no event of the cause; covariates that are
        constant, depend on each other, or separate those with the event (no finite estimate).

    Notes
    -----
    Fine and Gray (1999), doi:10.1080/01621459.1999.10474144. People with another event stay in
    the risk set with weight G(t-) / G(T-), G the Kaplan-Meier estimate of being uncensored. Sums
    over the risk set are prefix sums over the distinct times, and so are both parts of the
    variance: time is linear in n once times are ranked.
    """
    chosen(ties_with_censoring, Convention, "ties_with_censoring")
    normal_quantile(confidence)
    needed = columns_needed(formula)
    refuse(
        missing_columns(
            data,
            {
                "time": time,
                "cause": cause,
                "cluster": cluster,
                "weights": weights,
                FORMULA: needed,
            },
        )
    )
    refuse(blanks(data, needed)[1])
    people = follow_up(
        data[time],
        data[cause],
        weights=None if weights is None else data[weights],
        causes=True,
    )
    coded = covariates(formula, data)
    x, terms = coded.x, coded.names
    clusters = None
    if cluster is not None:
        clusters = label_groups(column_of(data, cluster, "cluster"), len(data), cluster)[0]
    if (rows := _rows(people)) is not None:
        weight = None if people.weights is None else people.weights[rows]
        people = FollowUp(people.time[rows], people.event[rows], None, weight)
        x, clusters = x[rows], None if clusters is None else clusters[rows]
    refuse(_nothing_to_model(people.event, of))
    risk_sets = _risk_sets(people, of, ties_with_censoring)
    failed = risk_sets.kind == 1
    centre = np.average(x[failed], axis=0, weights=risk_sets.weights[failed])
    x -= centre
    fit, null = _maximise(x, risk_sets, terms)
    inverse = np.linalg.inv(fit.information)
    residuals = _residuals(x, risk_sets, fit)
    if people.weights is not None:
        residuals *= people.weights[:, None]
    if clusters is not None:
        residuals = _added_within(residuals, clusters)
    covariance = inverse @ (residuals.T @ residuals) @ inverse
    at = np.flatnonzero(risk_sets.deaths)
    return FineGray(
        terms,
        fit.coef,
        np.sqrt(np.diag(inverse)),
        np.sqrt(np.diag(covariance)),
        covariance,
        int(of),
        len(x),
        int(risk_sets.deaths.sum()),
        int((risk_sets.kind == 2).sum()),
        (null, fit.log_likelihood),
        risk_sets.distinct[at],
        fit.hazard[at, 0],
        centre,
        formula,
        ties_with_censoring,
        0 if clusters is None else len(np.unique(clusters)),
        confidence,
    )


def _rows(people: FollowUp) -> npt.NDArray[np.intp] | None:
    """Rows to use, in the order in which they are read fastest; None: all as they are."""
    rows = None
    if people.weights is not None and not people.weights.all():
        rows = np.flatnonzero(people.weights)
    if not whole_range(people.time)[2]:  # many distinct times: neighbours in time close together
        order = np.argsort(people.time if rows is None else people.time[rows], kind="stable")
        rows = order if rows is None else rows[order]
    return rows


def _nothing_to_model(event: IntArray, of: int) -> list[Problem]:
    found = np.unique(event[event > 0]).tolist()
    if of in found:
        return []
    rule = "nobody has this cause; " + allowed_values([str(code) for code in found])
    return [Problem(PLACE, rule, None, "of", str(of))]


@dataclass(frozen=True, eq=False)
class _RiskSets:
    """Who is at risk when, on the grid of t distinct times.

    Attributes
    ----------
    rank, kind, weights
        Per person: position of their time, 0 censored / 1 the cause / 2 another, case weight.
    distinct, g, inverse_g
        Times, G just before them and its inverse, shape (t,).
    censored, at_risk_of_it
        Weighted number censored, and at risk of being censored.
    events, deaths
        Weighted and unweighted number of events of the cause.
    convention
        How ties are handled.
    """

    rank: IntArray
    kind: IntArray
    weights: FloatArray
    distinct: FloatArray
    g: FloatArray
    inverse_g: FloatArray
    censored: FloatArray
    at_risk_of_it: FloatArray
    events: FloatArray
    deaths: IntArray
    convention: Convention


def _risk_sets(people: FollowUp, of: int, convention: Convention) -> _RiskSets:
    weights = np.ones(len(people.time)) if people.weights is None else people.weights
    kind = np.where(people.event == of, 1, np.minimum(people.event, 1) * 2)
    rank, distinct = distinct_times(people.time)
    cells, shape = kind * len(distinct) + rank, (3, len(distinct))
    counts = np.bincount(cells, weights, 3 * len(distinct)).reshape(shape)
    deaths = np.bincount(rank[kind == 1], minlength=len(distinct))
    everybody = np.cumsum(counts.sum(axis=0)[::-1])[::-1]
    later = np.append(everybody[1:], 0.0)
    # Added up from the end, so that nobody left over is exactly 0.
    left = later + counts[1:].sum(axis=0) if convention == "crr" else later
    at_risk = left + counts[0]
    uncensored = np.cumprod(np.where(at_risk > 0, left / np.maximum(at_risk, 1e-300), 1.0))
    g = np.append(1.0, uncensored[:-1])
    inverse_g = np.where(g > 0, 1 / np.where(g > 0, g, 1.0), 0.0)
    return _RiskSets(
        rank,
        kind,
        weights,
        distinct,
        g,
        inverse_g,
        counts[0],
        at_risk,
        counts[1],
        deaths,
        convention,
    )


@dataclass(frozen=True, eq=False)
class _Fit:
    """Likelihood, its derivatives and the sums behind them at some coefficients.

    Attributes
    ----------
    coef, log_likelihood, score, squares, information
        Shapes (p,), (), (p,), (p, p), (p, p); the information is what the squares exceed those of
        the means by.
    risk_score
        exp(linear predictor), shape (n,).
    mean, hazard, tied
        From `subdistribution_moments`.
    otherwise
        Sum of scores over G of people with another event up to each time, shape (t, 1 + p).
    """

    coef: FloatArray
    log_likelihood: float
    score: FloatArray
    squares: FloatArray
    information: FloatArray
    risk_score: FloatArray
    mean: FloatArray
    hazard: FloatArray
    tied: FloatArray
    otherwise: FloatArray


@np.errstate(over="ignore", invalid="ignore")  # a step too long, which is then halved
def _evaluate(x: FloatArray, coef: FloatArray, sets: _RiskSets, observed: FloatArray) -> _Fit:
    """Evaluate the likelihood; `observed` is the weighted sum of covariates over events."""
    risk_score = np.exp(x @ coef)
    weighted = risk_score * sets.weights
    everybody, otherwise, failed = subdistribution_sums(
        x, weighted, sets.rank, sets.kind, sets.inverse_g, len(sets.distinct)
    )
    taken, mean, hazard, tied, outer = subdistribution_moments(
        everybody,
        otherwise,
        failed,
        sets.g,
        sets.events,
        sets.deaths,
        sets.convention == "finegray",
    )
    # Each person meets one cumulative hazard: sums over people and over times change places.
    passed = np.cumsum(hazard[:, 0])
    met = np.stack(
        [passed, passed - tied[:, 0], passed + sets.inverse_g * _after(sets.g * hazard[:, 0])]
    )
    met = met[sets.kind, sets.rank]
    # Somebody who left before the first event may have any score, even an infinite one.
    squares = weighted_squares(x, np.where(met > 0, weighted * met, 0.0))
    return _Fit(
        coef,
        float(observed @ coef - taken),
        observed - sets.events @ mean,
        squares,
        squares - outer,
        risk_score,
        mean,
        hazard,
        tied,
        otherwise,
    )


def _after(values: FloatArray) -> FloatArray:
    """Sum over later positions along the first axis."""
    total = np.cumsum(values[::-1], axis=0)[::-1]
    return np.concatenate([total[1:], np.zeros_like(total[:1])])


def _maximise(x: FloatArray, sets: _RiskSets, terms: tuple[str, ...]) -> tuple[_Fit, float]:
    """Newton-Raphson with halved steps; returns the fit and the likelihood without covariates."""
    events = sets.kind == 1
    observed = sets.weights[events] @ x[events]
    fit = _evaluate(x, np.zeros(x.shape[1]), sets, observed)
    null = fit.log_likelihood
    refuse(_undetermined(x, fit, terms))
    spread = np.sqrt(np.diag(fit.information) / sets.events.sum())
    for _ in range(ITERATIONS):
        try:
            step = np.asarray(np.linalg.solve(fit.information, fit.score), dtype=float)
        except np.linalg.LinAlgError:
            break
        if not np.isfinite(step).all():
            break
        last, fit = fit, _improved(x, fit, step, sets, observed)
        size = np.abs(fit.coef - last.coef) * spread
        if size.max() < SETTLED:
            return fit, null
        gain = fit.log_likelihood - last.log_likelihood
        if size.max() > LONG and gain < FLAT * (1 + abs(fit.log_likelihood)):
            break
    return _no_maximum(fit, spread, terms)


def _improved(
    x: FloatArray, fit: _Fit, step: FloatArray, sets: _RiskSets, observed: FloatArray
) -> _Fit:
    rounding = 1e-12 * (1 + abs(fit.log_likelihood))
    for _ in range(30):
        new = _evaluate(x, fit.coef + step, sets, observed)
        if new.log_likelihood >= fit.log_likelihood - rounding:
            return new
        step = step / 2
    return fit


def _no_maximum(fit: _Fit, spread: FloatArray, terms: tuple[str, ...]) -> tuple[_Fit, float]:
    worst = int(np.argmax(np.abs(fit.coef) * spread))
    message = (
        "separates people with the event from all others at risk, so that there is no finite "
        "estimate; leave it out or merge levels"
    )
    refuse([Problem("formula", message, column=terms[worst])])
    return fit, fit.log_likelihood


def _undetermined(x: FloatArray, fit: _Fit, terms: tuple[str, ...]) -> list[Problem]:
    """Name covariates of which the data say nothing apart from the others."""
    size = np.diag(fit.information)
    silent = size <= SINGULAR * np.diag(fit.squares)
    if silent.any():
        everywhere = x.max(axis=0) == x.min(axis=0)
        rules = (
            "does not differ among people at risk when events happen",
            "is the same for everybody",
        )
        return [
            Problem("formula", rules[int(everywhere[k])], column=terms[k])
            for k in np.flatnonzero(silent)
        ]
    values, vectors = np.linalg.eigh(fit.information / np.sqrt(np.outer(size, size)))
    if values[0] > SINGULAR:
        return []
    involved = [terms[k] for k in np.flatnonzero(np.abs(vectors[:, 0]) > 1e-4)]
    message = "no information on these apart from each other; leave one out"
    return [Problem("formula", message, value=", ".join(involved))]


def _residuals(x: FloatArray, sets: _RiskSets, fit: _Fit) -> FloatArray:
    """Contribution of each person to the score, shape (n, p).

    The eta and psi of Fine and Gray (1999): psi is what a person adds through the estimate of the
    censoring distribution. In the convention of crr the hazard of censoring counts everybody
    whose time is t as at risk; in the other one psi is the exact derivative.
    """
    discounted = sets.g[:, None] * fit.hazard
    to_come = _after(discounted)
    with np.errstate(divide="ignore", invalid="ignore"):
        if sets.convention == "crr":
            failed = np.concatenate([np.zeros_like(fit.otherwise[:1]), fit.otherwise[:-1]])
            ahead = to_come + discounted
            divisor = sets.at_risk_of_it
        else:
            failed, ahead = fit.otherwise, to_come
            divisor = sets.at_risk_of_it - sets.censored
        q = failed[:, 1:] * ahead[:, :1] - failed[:, :1] * ahead[:, 1:]
        at_censoring = (sets.censored > 0) & (divisor > 0)
        censored = np.where(at_censoring[:, None], q / divisor[:, None], 0.0)
        rate = np.where(at_censoring, sets.censored / sets.at_risk_of_it, 0.0)
    steps = -rate[:, None] * censored
    including = np.cumsum(steps, axis=0)
    others = including if sets.convention == "crr" else including - steps
    return np.asarray(
        subdistribution_residuals(
            x,
            np.where(np.isfinite(fit.risk_score), fit.risk_score, 0.0),
            sets.rank,
            sets.kind,
            sets.inverse_g,
            fit.mean,
            np.cumsum(fit.hazard, axis=0),
            fit.tied,
            to_come,
            censored,
            np.stack([including, others]),
        )
    )


def _added_within(residuals: FloatArray, clusters: IntArray) -> FloatArray:
    return np.stack([np.bincount(clusters, column) for column in residuals.T], axis=1)
