"""Which covariates go with a higher hazard?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._cox_kernels import FloatArray
from discontinuation.survival.cox_changing import Transform
from discontinuation.survival.cox_fit import Fit, Ties, fit
from discontinuation.survival.cox_people import Missing, People, arrange
from discontinuation.survival.cox_profile import profile_limits
from discontinuation.survival.cox_residuals import at_estimate, sandwich
from discontinuation.survival.cox_result import CoxModel, Fitted, Interval

OPTIONS = "options"
# What has no common theory, or none that is known to be right.
APART = {
    "ties='exact'": ("firth=True", "frailty", "cluster or robust=True", "weights"),
    "firth=True": ("frailty", "cluster or robust=True", "penalty"),
    "frailty": ("cluster or robust=True", "penalty", "interval='profile'"),
    "interval='profile'": ("cluster or robust=True",),
}


def cox(
    formula: str,
    data: pd.DataFrame,
    time: str = "time",
    event: str = "event",
    entry: str | None = None,
    strata: str | Sequence[str] | None = None,
    cluster: str | None = None,
    weights: str | None = None,
    ties: Ties = "efron",
    *,
    offset: str | None = None,
    robust: bool | None = None,
    penalty: float = 0.0,
    firth: bool = False,
    frailty: str | None = None,
    time_varying: Mapping[str, Transform] | None = None,
    piecewise: Mapping[str, Sequence[float]] | None = None,
    interval: Interval | None = None,
    level: float = 0.95,
    missing: Missing = "refuse",
) -> CoxModel:
    """Fit a Cox model.

    Parameters
    ----------
    formula
        Right-hand side in formulaic's language: ``"arm + age:sex"``. The intercept is left out
        whatever it says; levels are compared with the first.
    data
        One row per person, or per stretch of a person's follow-up (with `entry`, and `cluster`
        the person): covariates may then change from stretch to stretch.
    time, event, entry
        Columns: end of follow-up, 1 if the event happened then, its beginning. A row is at risk
        at t if entry < t <= time. Times are taken as given: R merges those that differ in the
        last digits, this does not.
    strata
        Column or columns: people are compared within. A stratum without events does no harm.
    cluster
        Column: rows that go together. The robust variance adds them up.
    weights
        Column of case weights; 0: the row is not there. Under Efron's ties they are R's weighted
        form, not copies of rows.
    ties
        "efron", "breslow" or "exact" (Cox's discrete likelihood).
    offset
        Column that is added to the log hazard.
    robust
        Whether to report the sandwich variance. By default with `cluster`, and with weights that
        are not whole.
    penalty
        Ridge: half of it times the squared coefficients is taken off the log-likelihood.
    firth
        Firth's penalised likelihood, finite also where events are separated.
    frailty
        Column: people of a group share an unobserved gamma-distributed factor of their hazard,
        with mean 1 and a variance theta that is estimated.
    time_varying
        Function of time by term or column of the formula: the covariate times that is added, as
        by R's ``tt()``. Named functions: "identity", "log", "log1p", "sqrt".
    piecewise
        Cut points by term or column: one effect on each of (0, cut], ..., (cut, inf].
    interval
        "wald" or "profile" limits; by default profile with `firth`, else Wald.
    level
        Of the limits.
    missing
        "refuse" blanks, or "drop" the rows and count them.

    Returns
    -------
    CoxModel
        Prints as a table; has `summary`, `tests`, `proportional_hazards`, `residuals`,
        `baseline`, `predict` and `refit`.

    Raises
    ------
    InvalidInput
        All at once: columns that are not there (the nearest is named), blanks, what `follow_up`
        refuses; a formula that cannot be read; nobody with an event; covariates that do not vary
        or are combinations of others; events separated by covariates (without `firth` or
        `penalty`); options that do not go together.

    References
    ----------
    Efron B. J Am Stat Assoc 1977;72:557-565; Breslow N. Biometrics 1974;30:89-99; Lin DY, Wei LJ.
    J Am Stat Assoc 1989;84:1074-1078; Heinze G, Schemper M. Biometrics 2001;57:114-119 (Firth); for
    the frailty see `frailty.gamma_frailty`.
    """
    refuse(_bad_choices(ties, interval, level, missing, penalty))
    robust = _is_robust(robust, cluster, data, weights)
    refuse(_bad_together(ties, robust, cluster, weights, penalty, firth, frailty, interval))
    people = arrange(
        formula, data, time, event, entry, strata, cluster or frailty, weights, offset,
        time_varying or {}, piecewise or {}, missing,
    )  # fmt: skip
    pull = penalty / people.sets.scale**2
    theta, gain, factor = np.nan, np.nan, None
    if frailty is None:
        found = fit(people.sets, ties, people.names, pull, firth)
    else:
        from discontinuation.survival.frailty import gamma_frailty

        shared = gamma_frailty(people.sets, ties, people.names, people.group, people.groups)
        people, found = shared.onto(people), shared.fit
        theta, gain = shared.theta, shared.gain
        factor = pd.Series(shared.factor, index=people.group_labels, name=frailty)
    variance = found.covariance
    if robust:
        at = at_estimate(people.sets, ties, found.beta)
        variance = sandwich(people.sets, at, variance, people.group, people.groups)
    interval = interval or ("profile" if firth else "wald")
    limits, p_value = _inference(people, ties, found, variance, pull, firth, interval, level)
    scale = people.sets.scale
    square = np.outer(scale, scale)
    model = CoxModel(
        formula=formula,
        terms=people.names,
        coef=found.beta / scale,
        covariance=found.covariance / square,
        robust_covariance=variance / square if robust else np.full_like(variance, np.nan),
        lower=limits[:, 0] / scale,
        upper=limits[:, 1] / scale,
        p_value=p_value,
        interval=interval,
        level=level,
        ties=ties,
        log_likelihood_null=found.log_likelihood_null,
        log_likelihood=found.log_likelihood,
        score_test=found.score_test,
        n=people.n,
        events=int(people.sets.deaths.sum()),
        clusters=people.groups,
        strata=len(people.stratum_labels),
        eventless_strata=len(people.stratum_labels) - len(np.unique(people.sets.stratum)),
        dropped=people.dropped,
        firth=firth,
        penalty=float(penalty),
        theta=theta,
        frailty_test=gain,
        steps=found.steps,
    )
    object.__setattr__(model, "_fitted", Fitted(people, found, variance, pull, factor))
    return model


def _inference(
    people: People, ties: Ties, found: Fit, variance: FloatArray, penalty: FloatArray,
    firth: bool, interval: Interval, level: float,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Return limits, shape (p, 2), on the standardised scale, and p-values."""
    from scipy.special import chdtrc, chdtri, ndtri

    se = np.sqrt(np.diag(variance))
    if interval == "wald":
        width = float(ndtri(0.5 + level / 2)) * se
        limits = np.column_stack([found.beta - width, found.beta + width])
        return limits, chdtrc(1, (found.beta / se) ** 2)
    cutoff = float(chdtri(1, 1 - level))
    limits, drops = profile_limits(
        people.sets, ties, people.names, found, penalty, firth, cutoff
    )  # fmt: skip
    return limits, chdtrc(1, np.maximum(2 * drops, 0.0))


def _is_robust(
    robust: bool | None, cluster: str | None, data: pd.DataFrame, weights: str | None
) -> bool:
    """Decide as R does: with clusters, and with weights that are not whole."""
    if robust is not None:
        return robust
    if cluster is not None or weights is None or weights not in data:
        return cluster is not None
    values = pd.to_numeric(data[weights], errors="coerce").to_numpy(dtype=float)
    return bool((values[np.isfinite(values)] % 1).any())


def _bad_choices(
    ties: str, interval: str | None, level: float, missing: str, penalty: float
) -> Iterable[Problem]:
    for name, value, allowed in (
        ("ties", ties, get_args(Ties)),
        ("interval", interval or "wald", get_args(Interval)),
        ("missing", missing, get_args(Missing)),
    ):
        if value not in allowed:
            yield Problem(OPTIONS, allowed_values(allowed, value), column=name, value=str(value))
    if not 0 < level < 1:
        yield Problem(OPTIONS, "allowed: between 0 and 1", column="level", value=str(level))
    if not 0 <= penalty < np.inf:
        yield Problem(OPTIONS, "allowed: 0 or more", column="penalty", value=str(penalty))


def _bad_together(
    ties: str, robust: bool, cluster: str | None, weights: str | None, penalty: float,
    firth: bool, frailty: str | None, interval: str | None,
) -> Iterable[Problem]:  # fmt: skip
    asked = {
        "ties='exact'": ties == "exact",
        "firth=True": firth,
        "frailty": frailty is not None,
        "interval='profile'": interval == "profile",
        "cluster or robust=True": robust,
        "weights": weights is not None,
        "penalty": penalty > 0,
    }
    for one, others in APART.items():
        for other in others:
            if asked[one] and asked[other]:
                yield Problem(OPTIONS, f"{one} does not go together with {other}")
    if cluster is not None and not robust:
        yield Problem(OPTIONS, "cluster means a robust variance; robust=False contradicts it")
