"""How does the hazard move over time, smoothly, and what do covariates do to it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    maximise,
    sandwich,
)
from discontinuation.survival._parametric_prediction import (
    Predicted,
    check_confidence,
    check_times,
    grid,
    hazard_table,
    ratio_table,
    survival_table,
)
from discontinuation.survival.follow_up import FloatArray, IntArray
from discontinuation.survival.stored import storable

Scale = Literal["hazard", "odds", "normal"]

ERRORS: dict[str, Error] = {"hazard": "extreme value", "odds": "logistic", "normal": "normal"}
WORDS = {"hazard": "log cumulative hazard", "odds": "log odds of the event", "normal": "probit"}


def spline_basis(log_time: FloatArray, knots: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Natural cubic spline: straight outside the first and last knot.

    Parameters
    ----------
    log_time
        Shape (n,).
    knots
        Log times, rising, shape (k + 2,): the outer ones and k between them.

    Returns
    -------
    basis, slope
        log t and v_1 to v_k, and their derivatives in log t, shape (n, k + 1):
        v = (x - knot)+^3 - l (x - first)+^3 - (1 - l) (x - last)+^3 with
        l = (last - knot) / (last - first).
    """
    first, inner, last = knots[0], knots[1:-1], knots[-1]
    share = (last - inner) / (last - first)
    x = log_time[:, None]

    def bent(power: int) -> FloatArray:
        above = [np.maximum(x - knot, 0) ** power for knot in (inner, first, last)]
        return np.asarray(above[0] - share * above[1] - (1 - share) * above[2])

    return np.hstack([x, bent(3)]), np.hstack([np.ones_like(x), 3 * bent(2)])


@dataclass(frozen=True, eq=False)
class _Basis:
    """Design of z: the baseline, the covariates, and covariates times time.

    Attributes
    ----------
    knots
        Of the baseline.
    columns, varying_knots
        Covariates whose effect moves, and the knots of each.
    """

    knots: FloatArray
    columns: tuple[int, ...]
    varying_knots: tuple[FloatArray, ...]

    def z(self, log_time: FloatArray, x: FloatArray) -> FloatArray:
        ones = np.ones((len(log_time), 1))
        return np.hstack(
            [ones, spline_basis(log_time, self.knots)[0], x, *self._moving(log_time, x, 0)]
        )

    def slope(self, log_time: FloatArray, x: FloatArray) -> FloatArray:
        zeros = np.zeros((len(log_time), 1))
        base = spline_basis(log_time, self.knots)[1]
        return np.hstack([zeros, base, np.zeros_like(x), *self._moving(log_time, x, 1)])

    def _moving(self, log_time: FloatArray, x: FloatArray, which: int) -> list[FloatArray]:
        return [
            x[:, [column]] * spline_basis(log_time, knots)[which]
            for column, knots in zip(self.columns, self.varying_knots, strict=True)
        ]

    def names(self, terms: Sequence[str]) -> tuple[str, ...]:
        baseline = [f"gamma{k}" for k in range(len(self.knots))]
        moving = [
            f"{terms[column]}:{name}"
            for column, knots in zip(self.columns, self.varying_knots, strict=True)
            for name in ["log time", *(f"v{k}" for k in range(1, len(knots) - 1))]
        ]
        return (*baseline, *terms, *moving)


@storable
@dataclass(frozen=True, eq=False)
class RoystonParmar:
    """A Royston-Parmar model: z, a function of survival, is a spline in log time plus covariates.

    Attributes
    ----------
    scale, coding, confidence
        As asked for.
    knots
        Of the baseline in units of time, the outer ones included.
    varying, varying_knots
        Numbers of the covariates whose effect moves over time, and the knots of each.
    terms
        Name of each of the q parameters: gamma0, gamma1 (of log t), gamma2, ... (of the bends),
        the covariates, and their interactions with log time and bends.
    coef, covariance, robust
        Estimates, shape (q,), their covariance (inverse observed information), shape (q, q), and
        the sandwich, or None.
    log_likelihood
        Of the times themselves.
    people, events
        Counts; people of weight 0 are left out.
    exact, right, between
        People whose event was seen on the day, who never had it, and with limits only.
    method, note
        What was done, and what to be careful about, in words.
    """

    scale: Scale
    coding: Coding
    confidence: float
    knots: FloatArray
    varying: tuple[int, ...]
    varying_knots: tuple[FloatArray, ...]
    terms: tuple[str, ...]
    coef: FloatArray
    covariance: FloatArray
    robust: FloatArray | None
    log_likelihood: float
    people: int
    events: int
    exact: int
    right: int
    between: int
    method: str
    note: str

    @property
    def aic(self) -> float:
        """Akaike's criterion, comparable between models of the same times."""
        return 2 * len(self.terms) - 2 * self.log_likelihood

    @property
    def variance(self) -> FloatArray:
        """Covariance behind intervals: robust if asked for."""
        return self.covariance if self.robust is None else self.robust

    @property
    def summary(self) -> pd.DataFrame:
        """One row per parameter.

        `hazard_ratio`, `lower` and `upper` are NaN except for covariates whose effect on the
        hazard is the same at all times.
        """
        se = np.sqrt(np.diag(self.variance))
        half = ndtri((1 + self.confidence) / 2)
        first = len(self.knots)
        constant = np.zeros(len(self.terms), dtype=bool)
        constant[first : first + len(self.coding.terms)] = self.scale == "hazard"
        constant[[first + column for column in self.varying]] = False
        z = self.coef / se
        return pd.DataFrame(
            {
                "term": self.terms,
                "coef": self.coef,
                "se": np.sqrt(np.diag(self.covariance)),
                "robust_se": np.nan if self.robust is None else se,
                "hazard_ratio": np.where(constant, np.exp(self.coef), np.nan),
                "lower": np.where(constant, np.exp(self.coef - half * se), np.nan),
                "upper": np.where(constant, np.exp(self.coef + half * se), np.nan),
                "z": z,
                "p_value": 2 * ndtr(-np.abs(z)),
            }
        )

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
            where the model is linear.
        """
        return survival_table(self._predict(times, profiles), self.variance, self.confidence)

    def hazard(self, times: npt.ArrayLike, profiles: pd.DataFrame | None = None) -> pd.DataFrame:
        """Predict the hazard: profile, time, hazard, se (of its log), lower, upper."""
        return hazard_table(self._predict(times, profiles), self.variance, self.confidence)

    def hazard_ratio(
        self, times: npt.ArrayLike, profiles: pd.DataFrame, reference: pd.DataFrame
    ) -> pd.DataFrame:
        """Compare hazards over time.

        Parameters
        ----------
        times
            Above 0.
        profiles, reference
            Whose hazard is divided by whose: one row for `reference`.

        Returns
        -------
        DataFrame
            profile, time, hazard_ratio, se (of its logarithm), lower, upper.
        """
        if len(reference) != 1:
            refuse([Problem("reference", "allowed: one row", value=str(len(reference)))])
        base = self._predict(times, reference.loc[reference.index.repeat(len(profiles))])
        return ratio_table(self._predict(times, profiles), base, self.variance, self.confidence)

    def _predict(self, times: npt.ArrayLike, profiles: pd.DataFrame | None) -> Predicted:
        known, x = check_times(times), code_profiles(self.coding, profiles)
        labels, when, x = grid(profiles, x, known)
        basis = _Basis(np.log(self.knots), self.varying, tuple(map(np.log, self.varying_knots)))
        z, slope = basis.z(np.log(when), x), basis.slope(np.log(when), x)
        return Predicted(
            labels, when, z @ self.coef, slope @ self.coef, z, slope, ERRORS[self.scale]
        )

    def __str__(self) -> str:
        table = self.summary.dropna(axis=1, how="all")
        kinds = f"{self.exact} seen on the day, {self.between} between two times"
        return (
            f"{self.method}\n{self.people} people, {self.events} events ({kinds}), "
            f"{self.right} without\nlog-likelihood {self.log_likelihood:.3f}, AIC {self.aic:.2f}\n"
            f"{table.to_string(index=False, float_format='{:.4g}'.format)}\n"
            f"lower, upper: {100 * self.confidence:g}% Wald limits" + f"\n{self.note}".rstrip()
        )


def royston_parmar(
    formula: str,
    data: pd.DataFrame,
    time: str = "time",
    event: str = "event",
    entry: str | None = None,
    lower: str | None = None,
    upper: str | None = None,
    knots: int | Sequence[float] = 2,
    boundary: tuple[float, float] | None = None,
    scale: Scale = "hazard",
    time_varying: Mapping[str, int] | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    confidence: float = 0.95,
) -> RoystonParmar:
    """Fit a Royston-Parmar model by maximum likelihood.

    Parameters
    ----------
    formula
        Columns joined by ``+``, ``:`` or ``*``; ``1`` for none. Labels are compared with their
        first level.
    data
        One row per person.
    time, event, entry, lower, upper
        Columns, as in `parametric_model`: follow-up and what ended it, delayed entry, or the two
        times between which the event happened.
    knots
        Inner knots: how many, at equally spaced quantiles of log event times (0: a Weibull
        model on the hazard scale), or their positions in units of time.
    boundary
        Outer knots; default: the first and last event time. Beyond them the spline is straight.
        Events between two times count at the middle.
    scale
        ``"hazard"``: the spline is the log cumulative hazard, hazards proportional; ``"odds"``:
        log odds of the event; ``"normal"``: minus the probit of survival.
    time_varying
        Terms of the formula whose effect moves over time, with the number of inner knots of the
        movement (0: straight in log time).
    weights
        Column of case weights; whoever has 0 is not there.
    cluster
        Column of clusters: asks for the sandwich variance.
    confidence
        Level of intervals.

    Returns
    -------
    RoystonParmar
        Any unit of time gives the same fit.

    Raises
    ------
    InvalidInput
        Columns, values, knots or a formula that cannot be; nobody with an event; a likelihood
        without a maximum.

    References
    ----------
    Royston P, Parmar MKB. Stat Med 2002;21:2175-2197; Jackson CH. J Stat Softw 2016;70(8)
    (flexsurv, whose parameters and knots these are).
    """
    if scale not in get_args(Scale):
        refuse([Problem("scale", allowed_values(get_args(Scale), scale), value=scale)])
    check_confidence(confidence)
    observed, rows = observe(data, Roles(time, event, entry, lower, upper, weights, cluster))
    x, coding = code_covariates(formula, rows)
    columns, counts = _varying(coding, time_varying or {})
    ends = _boundary(observed, boundary)
    basis = _Basis(
        _place(observed, knots, ends),
        columns,
        tuple(_place(observed, count, ends) for count in counts),
    )
    likelihood = build_likelihood(
        observed,
        lambda log_time, people: basis.z(log_time, x[people]),
        lambda log_time, people: basis.slope(log_time, x[people]),
        ERRORS[scale],
    )
    terms = basis.names(coding.terms)
    start = np.zeros(len(terms))
    start[:2] = observed.log_rate, 1.0
    top, scores = maximise(likelihood, start)
    robust = None
    if observed.clusters is not None:
        robust = sandwich(scores, top.covariance, observed.clusters)
    entered = ", delayed entry" if (observed.entry > 0).any() else ""
    return RoystonParmar(
        scale=scale,
        coding=coding,
        confidence=confidence,
        knots=np.exp(basis.knots),
        varying=columns,
        varying_knots=tuple(np.exp(one) for one in basis.varying_knots),
        terms=terms,
        coef=top.theta,
        covariance=top.covariance,
        robust=robust,
        log_likelihood=top.log_likelihood,
        people=len(x),
        events=int(observed.has_event.sum()),
        exact=int(observed.exact.sum()),
        right=int((~observed.has_event).sum()),
        between=int((observed.has_event & ~observed.exact).sum()),
        method=f"Royston-Parmar, {WORDS[scale]}, {len(basis.knots) - 2} inner knots"
        + f"{entered}{'' if robust is None else ', sandwich variance by cluster'}",
        note=_falls(basis, top.theta, x, observed),
    )


def _varying(
    coding: Coding, time_varying: Mapping[str, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Find the columns whose effect moves, and how many inner knots each has."""
    refuse(
        Problem("time_varying", allowed_values(list(coding.blocks), term), value=term)
        for term in time_varying
        if term not in coding.blocks
    )
    pairs = [
        (column, count)
        for term, count in time_varying.items()
        for column in range(*coding.blocks[term])
    ]
    return tuple(column for column, _ in pairs), tuple(count for _, count in pairs)


def _boundary(observed: Observed, boundary: tuple[float, float] | None) -> tuple[float, float]:
    times = observed.event_times
    first, last = boundary or (float(times.min()), float(times.max()))
    if not 0 < first < last < np.inf:
        rule = "the outer knots must be two times above 0, the first before the second"
        refuse([Problem("knots", rule, value=f"{first:g}, {last:g}")])
    return first, last


def _place(
    observed: Observed, knots: int | Sequence[float], ends: tuple[float, float]
) -> FloatArray:
    """Return the logs of all knots."""
    if isinstance(knots, (int, np.integer)):
        if knots < 0:
            refuse([Problem("knots", "allowed: 0 or more", value=str(knots))])
        shares = np.arange(1, knots + 1) / (knots + 1)
        weights = observed.weights[observed.has_event]
        inner = _quantiles(np.log(observed.event_times), weights, shares)
    else:
        with np.errstate(all="ignore"):
            inner = np.log(np.asarray(knots, dtype=float))
    placed = np.array([np.log(ends[0]), *inner, np.log(ends[1])])
    if not (np.diff(placed) > 0).all():
        shown = ", ".join(f"{value:g}" for value in np.exp(placed))
        rule = "must rise, inner ones within the outer; ask for fewer or give positions"
        refuse([Problem("knots", rule, value=shown)])
    return placed


def _quantiles(values: FloatArray, weights: FloatArray, shares: FloatArray) -> FloatArray:
    """Quantiles as R makes them (type 7), a weight of 2 being two equal values."""
    order = np.argsort(values, kind="stable")
    ordered, total = values[order], np.cumsum(weights[order])
    place = np.maximum(total[-1] - 1, 0) * shares

    def value(position: FloatArray) -> FloatArray:
        rank: IntArray = np.searchsorted(total, position * (1 + 1e-12), side="right")
        return np.asarray(ordered[np.minimum(rank, len(ordered) - 1)])

    low = np.floor(place + 1e-9)
    return np.asarray(value(low) + (place - low) * (value(low + 1) - value(low)))


def _falls(basis: _Basis, theta: FloatArray, x: FloatArray, observed: Observed) -> str:
    """Say if the fitted survival rises anywhere between the first and last time."""
    end = np.where(observed.has_event, observed.upper, observed.lower)
    times = np.linspace(np.log(observed.event_times.min()), np.log(end.max()), 200)
    patterns = np.unique(x[:, list(basis.columns)], axis=0, return_index=True)[1][:1000]
    rows = x[patterns] if basis.columns else x[:1]
    for row in rows:
        if (basis.slope(times, np.tile(row, (len(times), 1))) @ theta <= 0).any():
            return "careful: the fitted survival rises somewhere; fewer knots may be better"
    return ""
