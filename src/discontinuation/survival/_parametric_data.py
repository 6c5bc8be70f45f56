"""Which times and covariates does a data frame hold, for a model that names its columns?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival.follow_up import (
    PLACE,
    FloatArray,
    IntArray,
    as_numbers,
    follow_up,
    label_groups,
    missing_columns,
)
from discontinuation.survival.stored import storable

PROFILES = "profiles"
RULE = "allowed: names of columns joined by '+', ':' or '*', or 1 for no covariates"
LISTED = 5


@dataclass(frozen=True, eq=False)
class Observed:
    """When the event happened to n people, as far as is known: in (lower, upper].

    Attributes
    ----------
    lower, upper
        Shape (n,). Equal: seen on the day. Infinite upper limit: not by the lower one. Lower
        limit 0: at some time up to the upper one.
    entry
        Start of follow-up, shape (n,); 0 from the beginning.
    weights
        Shape (n,), above 0.
    clusters
        0, 1, ... per person if the variance is by cluster, else None.
    """

    lower: FloatArray
    upper: FloatArray
    entry: FloatArray
    weights: FloatArray
    clusters: IntArray | None = None

    @property
    def exact(self) -> npt.NDArray[np.bool_]:
        """Who had the event on a known day."""
        return np.asarray(self.lower == self.upper)

    @property
    def has_event(self) -> npt.NDArray[np.bool_]:
        """Who had the event, on a known day or between two."""
        return np.asarray(np.isfinite(self.upper))

    @property
    def event_times(self) -> FloatArray:
        """Times of events; the middle of its interval where that is all that is known."""
        return ((self.lower + self.upper) / 2)[self.has_event]

    @property
    def log_rate(self) -> float:
        """Log of events per time, about what an exponential without covariates has."""
        end = np.where(self.has_event, self.upper, self.lower)
        time = self.weights @ ((self.lower + end) / 2 - self.entry)
        return float(np.log(self.weights @ self.has_event / max(time, self.weights @ end * 1e-3)))


@dataclass(frozen=True)
class Roles:
    """Which columns hold what; None: there is none."""

    time: str | None
    event: str | None
    entry: str | None = None
    lower: str | None = None
    upper: str | None = None
    weights: str | None = None
    cluster: str | None = None

    @property
    def columns(self) -> dict[str, str | None]:
        """Columns by role: the two limits instead of time and event if there are limits."""
        one = ("lower", "upper") if self.by_limits else ("time", "event")
        return {name: getattr(self, name) for name in (*one, "entry", "weights", "cluster")}

    @property
    def by_limits(self) -> bool:
        """Whether events are known to lie between two columns."""
        return self.lower is not None or self.upper is not None


def observe(data: pd.DataFrame, roles: Roles) -> tuple[Observed, pd.DataFrame]:
    """Read times, weights and clusters; people of weight 0 are not there.

    Returns
    -------
    observed
        What is known of n people.
    data
        Their rows.

    Raises
    ------
    InvalidInput
        Columns that are missing, values that cannot be, and when nobody has an event.
    """
    if roles.by_limits and (roles.lower is None or roles.upper is None):
        refuse([Problem(PLACE, "both limits are needed: lower= and upper=")])
    refuse(missing_columns(data, {**roles.columns}))
    here: dict[str, pd.Series] = {
        role: data[name] for role, name in roles.columns.items() if name is not None
    }
    clusters = here.pop("cluster", None)
    observed = _between(here) if roles.by_limits else _dated(here)
    kept = observed.weights > 0
    if clusters is not None:
        codes, _ = label_groups(clusters, len(data), str(roles.cluster))
        observed = Observed(observed.lower, observed.upper, observed.entry, observed.weights, codes)
    observed = _keep(observed, kept)
    if not observed.has_event.any():
        refuse([Problem(PLACE, "nobody has the event, so there is nothing to fit")])
    return observed, data[kept]


def _keep(observed: Observed, kept: npt.NDArray[np.bool_]) -> Observed:
    clusters = None if observed.clusters is None else observed.clusters[kept]
    return Observed(
        observed.lower[kept],
        observed.upper[kept],
        observed.entry[kept],
        observed.weights[kept],
        clusters,
    )


def _dated(here: Mapping[str, pd.Series]) -> Observed:
    """Read follow-up that ends on a known day, with or without the event."""
    entry, weights = here.get("entry"), here.get("weights")
    known = follow_up(here["time"], here["event"], entry, weights)
    refuse(_offenders(known.time <= 0, known.time, "time", "allowed: above 0 (its log is taken)"))
    start = np.zeros(len(known.time)) if known.entry is None else known.entry
    refuse(_offenders(start < 0, start, "entry", "allowed: 0 or more"))
    upper = np.where(known.event == 1, known.time, np.inf)
    ones = np.ones(len(known.time)) if known.weights is None else known.weights
    return Observed(known.time, upper, start, ones)


def _between(here: Mapping[str, pd.Series]) -> Observed:
    """Read events known to lie between two times."""
    people = len(here["lower"])
    plain = {"entry": np.zeros(people), "weights": np.ones(people)}
    arrays = {**plain, **{name: as_numbers(values) for name, values in here.items()}}
    lower, upper, entry, weights = (arrays[n] for n in ("lower", "upper", "entry", "weights"))
    refuse(interval_problems(lower, upper, weights))
    late = ~np.isfinite(entry) | (entry < 0)
    # The last time at which something was known: the end of the interval, or of being without.
    known = np.where(np.isfinite(upper), upper, lower)
    refuse(
        [
            *_offenders(late, entry, "entry", "allowed: a number of 0 or more"),
            *_offenders(known <= entry, known, "upper", "follow-up must end after its entry"),
        ]
    )
    return Observed(lower, upper, entry, weights)


def interval_problems(
    lower: FloatArray, upper: FloatArray, weights: FloatArray | None
) -> list[Problem]:
    """Find limits between which no event can lie, and weights that are none."""
    if not len(lower):
        return [Problem(PLACE, "there is nobody")]
    problems = [
        *_offenders(
            ~np.isfinite(lower) | (lower < 0),
            lower,
            "lower",
            "allowed: a number of 0 or more, the last time known to be without the event",
        ),
        *_offenders(
            np.isnan(upper),
            upper,
            "upper",
            "allowed: a number, or inf for whoever never had the event",
        ),
        *_offenders(upper < lower, upper, "upper", "allowed: the lower limit or more"),
    ]
    if weights is not None:
        wrong = ~np.isfinite(weights) | (weights < 0)
        problems += _offenders(wrong, weights, "weights", "allowed: a number of 0 or more")
    return problems


def _offenders(
    wrong: npt.NDArray[np.bool_], values: FloatArray, name: str, rule: str
) -> list[Problem]:
    """Name the first rows that break a rule, and how many there are."""
    rows = np.flatnonzero(wrong)
    others = f" ({len(rows)} such rows)" if len(rows) > LISTED else ""
    return [
        Problem(PLACE, rule + others, int(row) + 2, name, None if np.isnan(value) else f"{value:g}")
        for row, value in zip(rows[:LISTED], values[rows[:LISTED]], strict=True)
    ]


@storable
@dataclass(frozen=True)
class Coding:
    """How columns of a frame become columns of a design, so that others can be coded alike.

    Attributes
    ----------
    formula
        Right-hand side.
    terms
        Name of each of the p columns; the intercept is not one of them.
    levels
        Levels of each column of labels; the first is the reference.
    numbers
        Columns of numbers.
    blocks
        First column and one past the last, by term of the formula.
    """

    formula: str
    terms: tuple[str, ...]
    levels: dict[str, tuple[object, ...]] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    blocks: dict[str, tuple[int, int]] = field(default_factory=dict)


def code_covariates(formula: str, data: pd.DataFrame) -> tuple[FloatArray, Coding]:
    """Code covariates by a formula.

    Parameters
    ----------
    formula
        Names of columns joined by ``+``, ``:`` or ``*``; ``1`` for none. There always is an
        intercept, so that labels are compared with their first level: of a categorical its
        first category, else the first in order.
    data
        One row per person.

    Returns
    -------
    x
        Shape (n, p), without the intercept.
    coding
        How it was done.

    Raises
    ------
    InvalidInput
        A formula that is more than columns; columns that are not there; blanks; columns that
        add nothing to the others.
    """
    names = _names(formula, data)
    refuse(_blanks(data, names, PLACE))
    levels = {name: _levels(data[name]) for name in names if not _is_number(data[name])}
    numbers = tuple(name for name in names if name not in levels)
    x, terms, blocks = _columns(formula, data, levels)
    refuse(_not_finite(x, terms))
    refuse(_dependent(x, terms))
    return x, Coding(formula, terms, levels, numbers, blocks)


def code_profiles(coding: Coding, profiles: pd.DataFrame | None) -> FloatArray:
    """Code other people, or imagined ones, as the data were.

    Parameters
    ----------
    coding
        As the model was made.
    profiles
        One row per profile with the columns of the formula; None if it has no covariates.

    Raises
    ------
    InvalidInput
        Missing columns, blanks, labels that the data did not have.
    """
    names = [*coding.levels, *coding.numbers]
    if profiles is None:
        message = "whose? give profiles=, one row each, with the columns " + ", ".join(names)
        refuse([Problem(PROFILES, message)] if names else [])
        return np.zeros((1, 0))
    if not names:
        return np.zeros((len(profiles), 0))
    refuse(missing_columns(profiles, {PROFILES: names}))
    refuse(_blanks(profiles, names, PROFILES))
    refuse(
        Problem(PROFILES, allowed_values([str(one) for one in levels], str(value)), None, name)
        for name, levels in coding.levels.items()
        for value in profiles[name].unique()
        if value not in levels
    )
    refuse(
        Problem(PROFILES, "allowed: numbers", None, name)
        for name in coding.numbers
        if not _is_number(profiles[name])
    )
    return _columns(coding.formula, profiles, coding.levels)[0]


def _names(formula: str, data: pd.DataFrame) -> list[str]:
    """Read a formula in which nothing but columns of the frame can stand."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError
    from formulaic.formula import SimpleFormula

    try:
        parsed = Formula(formula)
    except FormulaicError:
        parsed = None
    if not isinstance(parsed, SimpleFormula):
        refuse([Problem("formula", f"cannot be read; {RULE}", value=formula)])
    factors = {factor for term in parsed for factor in term.factors}
    if not any(factor.expr == "1" for factor in factors):
        refuse([Problem("formula", "the intercept cannot be left out here", value=formula)])
    asked = sorted((f for f in factors if f.expr != "1"), key=lambda factor: str(factor.expr))
    refuse(
        Problem("formula", f"is not a column; {RULE}", value=factor.expr)
        for factor in asked
        if factor.eval_method.value != "lookup"
    )
    names = [str(factor.expr) for factor in asked]
    refuse(missing_columns(data, {"formula": names}))
    return names


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype)


def _levels(column: pd.Series) -> tuple[object, ...]:
    """Levels that occur, the reference first."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return tuple(column.cat.remove_unused_categories().cat.categories)
    return tuple(sorted(column.unique(), key=str))


def _blanks(data: pd.DataFrame, names: Sequence[str], place: str) -> list[Problem]:
    rule = "values are blank; impute them or leave those rows out knowingly, nothing is dropped"
    return [
        Problem(place, f"{count} of {len(data)} {rule} here", column=name)
        for name in names
        if (count := int(data[name].isna().sum()))
    ]


def _columns(
    formula: str, data: pd.DataFrame, levels: Mapping[str, tuple[object, ...]]
) -> tuple[FloatArray, tuple[str, ...], dict[str, tuple[int, int]]]:
    from formulaic import model_matrix

    coded = {
        name: pd.Categorical(data[name], categories=list(known)) for name, known in levels.items()
    }
    matrix = model_matrix(formula, data.assign(**coded), context={}, na_action="raise")
    blocks = {
        str(term): (columns.start - 1, columns.stop - 1)
        for term, columns in matrix.model_spec.term_slices.items()
        if str(term) != "1"
    }
    x = np.ascontiguousarray(matrix.to_numpy(dtype=float)[:, 1:])
    return x, tuple(map(str, matrix.columns[1:])), blocks


def _not_finite(x: FloatArray, terms: Sequence[str]) -> list[Problem]:
    return [
        Problem(PLACE, "allowed: finite numbers", column=term)
        for term, column in zip(terms, x.T, strict=True)
        if not np.isfinite(column).all()
    ]


def _dependent(x: FloatArray, terms: Sequence[str]) -> list[Problem]:
    """Name columns that follow from the ones before them, such as a constant."""
    centred = x - x.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    problems, basis = [], np.zeros((len(x), 0))
    for term, column, length, scale in zip(
        terms, centred.T, size, np.abs(x).max(axis=0, initial=0), strict=True
    ):
        rest = column
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        norm = np.sqrt(rest @ rest)
        if norm <= 1e-9 * length or length <= 1e-12 * scale * np.sqrt(len(x)):
            what = "is the same for everybody, or follows from the columns before it"
            problems.append(Problem(PLACE, what + "; leave it out", column=term))
        else:
            basis = np.column_stack([basis, rest / norm])
    return problems
