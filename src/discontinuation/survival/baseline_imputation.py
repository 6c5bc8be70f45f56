"""What could the baseline values that nobody wrote down have been?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.seeds import random_stream
from discontinuation.survival._multinomial import Multinomial, fit_multinomial
from discontinuation.survival._risk_sets import at_each, at_risk, step_at
from discontinuation.survival.follow_up import (
    PLACE,
    FloatArray,
    FollowUp,
    IntArray,
    follow_up,
    missing_columns,
)
from discontinuation.survival.stored import storable

DONORS = 5
PRIOR = 0.01  # precision of log odds ratios per standard deviation: a standard deviation of 10


@storable
@dataclass(frozen=True, eq=False)
class Imputed:
    """Completed data frames.

    Attributes
    ----------
    frames
        One per imputation, with the rows, columns and types of the data.
    columns, kinds
        What was imputed, and how: ``"number"`` by predictive mean matching, ``"label"`` by
        (multinomial) logistic regression.
    missing
        How many values of each column.
    people, events
        Counts.
    iterations, seed
        As asked for.
    method
        What was done, in words.
    """

    frames: tuple[pd.DataFrame, ...]
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    missing: IntArray
    people: int
    events: int
    iterations: int
    seed: int
    method: str

    @property
    def summary(self) -> pd.DataFrame:
        """One row per column: column, kind, observed, imputed, share."""
        return pd.DataFrame(
            {
                "column": self.columns,
                "kind": self.kinds,
                "observed": self.people - self.missing,
                "imputed": self.missing,
                "share": self.missing / self.people,
            }
        )

    def __str__(self) -> str:
        table = self.summary.to_string(index=False, float_format="{:.3f}".format)
        people = f"{self.people} people, {self.events} events, {len(self.frames)} imputations"
        return f"{self.method}\n{people}\n{table}"


def impute_baseline(
    data: pd.DataFrame,
    columns: Sequence[str],
    imputations: int = 20,
    seed: int = 0,
    predictors: Sequence[str] = (),
    time: str = "time",
    event: str = "event",
    entry: str | None = None,
    iterations: int = 10,
) -> Imputed:
    """Impute missing baseline covariates several times by chained equations.

    Parameters
    ----------
    data
        One row per person.
    columns
        Covariates to complete; each also predicts the others.
    imputations
        How many completed frames.
    seed
        Of the draws; every imputation has a stream of its own.
    predictors
        Further columns without blanks, such as the group. All that the analysis will use should
        be in one of both.
    time, event, entry
        Columns of follow-up. Whether the event happened and the Nelson-Aalen cumulative hazard
        at the end of follow-up predict every covariate: without them imputed covariates would
        look unrelated to survival.
    iterations
        Rounds through the columns.

    Returns
    -------
    Imputed
        Numbers are observed values of one of the five people predicted most alike; labels are
        drawn. Parameters are drawn anew each time, so that Rubin's rules hold.

    Raises
    ------
    InvalidInput
        Columns that are not there; a predictor with blanks; a column with nothing observed or
        one value only; fewer observed values than predictors.

    References
    ----------
    White IR, Royston P. Stat Med 2009;28:1982-1998; White IR, Royston P, Wood AM. Stat Med
    2011;30:377-399; van Buuren S. Flexible imputation of missing data, 2nd ed, CRC 2018, 3.4.
    """
    columns, predictors = tuple(columns), tuple(predictors)
    roles = {"columns": columns, "predictors": predictors}
    ends = {"time": time, "event": event, "entry": entry}
    refuse(missing_columns(data, {**roles, **ends}))
    refuse(_problems(data, columns, predictors, imputations, iterations))
    known = follow_up(data[time], data[event], None if entry is None else data[entry])
    variables = [_as_variable(data[name]) for name in columns]
    outcome = np.column_stack([known.event == 1, nelson_aalen_at_end(known)])
    fixed = np.hstack([outcome, *(_as_variable(data[name]).coded() for name in predictors)])
    _refuse_too_few(variables, fixed)
    frames = []
    for number in range(imputations):
        stream = random_stream(seed, "impute baseline", str(number))
        frames.append(_complete(data, variables, fixed, iterations, stream))
    return Imputed(
        frames=tuple(frames),
        columns=columns,
        kinds=tuple("label" if one.labels else "number" for one in variables),
        missing=np.array([one.missing.sum() for one in variables], dtype=np.int64),
        people=len(data),
        events=int((known.event == 1).sum()),
        iterations=iterations,
        seed=seed,
        method=f"chained equations, {iterations} rounds, with event and Nelson-Aalen hazard as "
        "predictors; numbers by predictive mean matching, labels by logistic regression",
    )


def nelson_aalen_at_end(known: FollowUp) -> FloatArray:
    """Cumulative hazard of everybody at the end of each person's follow-up, shape (n,)."""
    ones = np.ones(len(known.time))
    had = known.event == 1
    times = np.unique(known.time[had])
    present = at_risk(times, known.time, known.entry, ones)
    hazard = np.cumsum(at_each(times, known.time[had], ones[had]) / present)
    return step_at(times, hazard, 0.0, known.time)


@dataclass(frozen=True, eq=False)
class _Variable:
    """A column as numbers.

    Attributes
    ----------
    name
        Of the column.
    numbers
        Numbers, or positions among the labels; arbitrary where missing.
    missing
        Whether each is.
    labels
        What positions mean; empty for numbers.
    """

    name: str
    numbers: FloatArray
    missing: npt.NDArray[np.bool_]
    labels: tuple[object, ...]

    def coded(self, given: FloatArray | None = None) -> FloatArray:
        """Columns of a design: the number, or whether it is each label but the first."""
        here = self.numbers if given is None else given
        if not self.labels:
            return here[:, None]
        return np.asarray(here[:, None] == np.arange(1, len(self.labels)), dtype=float)


def _as_variable(column: pd.Series) -> _Variable:
    missing = column.isna().to_numpy()
    name, seen = str(column.name), column[~missing]
    number = pd.api.types.is_numeric_dtype(column.dtype)
    if number and seen.nunique() > 2:
        return _Variable(name, column.to_numpy(dtype=float, na_value=np.nan), missing, ())
    if isinstance(column.dtype, pd.CategoricalDtype):
        labels = tuple(seen.cat.remove_unused_categories().cat.categories)
    else:
        labels = tuple(sorted(seen.unique(), key=str))
    place = {label: number for number, label in enumerate(labels)}
    values = np.zeros(len(column))
    values[~missing] = [place[value] for value in seen]
    return _Variable(name, values, missing, labels)


def _problems(
    data: pd.DataFrame,
    columns: tuple[str, ...],
    predictors: tuple[str, ...],
    imputations: int,
    iterations: int,
) -> list[Problem]:
    problems = [
        Problem(PLACE, "has blanks; name it among the columns to impute", column=name)
        for name in predictors
        if data[name].isna().any()
    ]
    problems += [
        Problem(PLACE, "has no two different values to learn from", column=name)
        for name in columns
        if data[name].nunique() < 2
    ]
    problems += [
        Problem("imputation", "is both a column to impute and a predictor", column=name)
        for name in columns
        if name in predictors
    ]
    problems += [
        Problem("imputation", "allowed: 1 or more", column=name, value=str(count))
        for name, count in (("imputations", imputations), ("iterations", iterations))
        if count < 1
    ]
    if not columns:
        problems.append(Problem("imputation", "name at least one column", column="columns"))
    return problems


def _refuse_too_few(variables: list[_Variable], fixed: FloatArray) -> None:
    """Refuse columns with fewer observed values than parameters to learn from them."""
    widths = [one.coded().shape[1] for one in variables]
    refuse(
        Problem(PLACE, f"{seen} values are too few for {needed} predictors", column=one.name)
        for one, width in zip(variables, widths, strict=True)
        if (seen := int((~one.missing).sum()))
        < (needed := 1 + fixed.shape[1] + sum(widths) - width) + 2
    )


def _complete(
    data: pd.DataFrame,
    variables: list[_Variable],
    fixed: FloatArray,
    iterations: int,
    stream: np.random.Generator,
) -> pd.DataFrame:
    """Draw one completed frame."""
    now = []
    for one in variables:
        values = one.numbers.copy()
        values[one.missing] = stream.choice(one.numbers[~one.missing], int(one.missing.sum()))
        now.append(values)
    # The column with least missing first, as its imputations lean least on others.
    order = sorted(range(len(variables)), key=lambda k: int(variables[k].missing.sum()))
    for _ in range(iterations):
        for k in order:
            if variables[k].missing.any():
                others = [variables[j].coded(now[j]) for j in order if j != k]
                now[k] = _draw(variables[k], np.hstack([fixed, *others]), stream)
    filled = {}
    for one, values in zip(variables, now, strict=True):
        column = data[one.name].copy()
        drawn = values[one.missing]
        if one.labels:
            drawn = np.array([one.labels[int(place)] for place in drawn], dtype=object)
            if pd.api.types.is_numeric_dtype(column.dtype):
                drawn = drawn.astype(float)
        column[one.missing] = drawn
        filled[one.name] = column
    return data.assign(**filled)


def _draw(one: _Variable, others: FloatArray, stream: np.random.Generator) -> FloatArray:
    """Draw the missing values of a variable given the others."""
    design = _independent(others, ~one.missing)
    seen, blank = design[~one.missing], design[one.missing]
    values = one.numbers.copy()
    if one.labels:
        values[one.missing] = _draw_labels(one, seen, blank, stream)
    else:
        values[one.missing] = _match(seen, blank, one.numbers[~one.missing], stream)
    return values


def _independent(others: FloatArray, seen: npt.NDArray[np.bool_]) -> FloatArray:
    """Intercept and uncorrelated columns of unit size; what adds nothing is left out."""
    centre, spread = others[seen].mean(axis=0), others[seen].std(axis=0)
    scaled = (others - centre)[:, spread > 0] / spread[spread > 0]
    _, size, turn = np.linalg.svd(scaled[seen], full_matrices=False)
    kept = size > 1e-7 * size.max(initial=0)
    columns = scaled @ turn[kept].T / size[kept] * np.sqrt(seen.sum())
    return np.column_stack([np.ones(len(others)), columns])


def _match(
    seen: FloatArray, blank: FloatArray, values: FloatArray, stream: np.random.Generator
) -> FloatArray:
    """Predictive mean matching: one of the five nearest predictions (type 1)."""
    coef, *_ = np.linalg.lstsq(seen, values, rcond=None)
    rest = values - seen @ coef
    freedom = len(values) - seen.shape[1]
    sigma = np.sqrt(rest @ rest / stream.chisquare(freedom))
    root = np.linalg.inv(np.linalg.qr(seen, mode="r"))
    drawn = coef + sigma * root @ stream.standard_normal(seen.shape[1])
    fitted, wanted = seen @ coef, blank @ drawn
    order = np.argsort(fitted, kind="stable")
    donors = min(DONORS, len(values))
    place = np.searchsorted(fitted[order], wanted)
    # The nearest donors are next to the place in the order: look at as many on either side.
    around = place[:, None] + np.arange(-donors, donors)
    around = np.clip(around, 0, len(values) - 1)
    distance = np.abs(fitted[order][around] - wanted[:, None])
    repeated = np.diff(around, axis=1, prepend=-1) == 0
    nearest = np.argsort(np.where(repeated, np.inf, distance), axis=1, kind="stable")
    pick = nearest[np.arange(len(wanted)), stream.integers(0, donors, len(wanted))]
    return np.asarray(values[order][around[np.arange(len(wanted)), pick]])


def _draw_labels(
    one: _Variable, seen: FloatArray, blank: FloatArray, stream: np.random.Generator
) -> FloatArray:
    """Draw labels by logistic regression with drawn coefficients and a weak prior."""
    codes = one.numbers[~one.missing].astype(np.int64)
    groups = len(one.labels)
    fit = fit_multinomial(seen, codes, groups, f"{one.name!r} cannot be imputed", PRIOR)
    root = np.linalg.cholesky(fit.covariance)
    shift = root @ stream.standard_normal(len(root))
    coef = fit.coef + shift.reshape(groups - 1, -1).T
    drawn = Multinomial(coef, fit.covariance, fit.log_likelihood)
    below = np.cumsum(drawn.probabilities(blank), axis=1)
    uniform = stream.random(len(blank))[:, None]
    return np.asarray(np.minimum((uniform > below).sum(axis=1), groups - 1), dtype=float)
