"""Which columns does a mixed model have, and can these visits tell its parameters apart?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.symptoms.likelihood import FloatArray, Rows
from discontinuation.symptoms.maximise import Correlation

Random = Literal["none", "intercept", "slope"]
SOURCE = "measurements"

# Rows that are enough to see whether the parameters differ in what they do.
PEOPLE_LOOKED_AT, VISITS_LOOKED_AT = 300, 15


@dataclass(frozen=True, eq=False)
class Design:
    """Measurements made ready for the likelihood.

    Attributes
    ----------
    rows : Rows
        Ordered by person and position. The outcome is what ordinary least squares leave of it,
        the fixed effects are orthonormal, time is centred and in standard deviations, and
        positions of a continuous autoregression are in median gaps: none of this changes the
        likelihood of the data, all of it keeps digits.
    terms
        Names of the fixed effects.
    triangle : array of shape (p, p)
        Turns coefficients of the orthonormal columns into those of `terms`.
    offset : array of shape (p,)
        Ordinary least squares estimate, to be added.
    back : array of shape (q, q)
        Turns random effects of the centred time into those of time as given.
    people
        Identifier of each person in the order of the rows.
    within, constant
        For each fixed effect, whether it varies within a person, and whether not at all.
    unit
        Length of a median gap, in the unit of the positions.
    """

    rows: Rows
    terms: tuple[str, ...]
    triangle: FloatArray
    offset: FloatArray
    back: FloatArray
    people: pd.Index
    within: tuple[bool, ...]
    constant: tuple[bool, ...]
    unit: float


def arrange(
    frame: pd.DataFrame,
    outcome: str,
    fixed: str | pd.DataFrame,
    person: str,
    time: str,
    random: Random,
    correlation: Correlation,
    position: str | None,
) -> Design:
    """Check and order the measurements of a mixed model.

    Parameters
    ----------
    frame
        One row per measurement.
    outcome, person, time
        Columns.
    fixed
        Right-hand side of a formula made of columns, ``+``, ``:``, ``*`` and ``0``; or a frame
        of numbers with the index of `frame`.
    random, correlation, position
        As in `fit_mixed_model`.

    Raises
    ------
    InvalidInput
        Columns that are missing, blank or not numbers, a formula that is more than columns,
        visits with the same position, fixed effects that are combinations of one another, and
        too little data for what is asked.
    """
    ordering = position or time
    numbers = [outcome]
    if random == "slope":
        numbers.append(time)
    if correlation != "none":
        numbers.append(ordering)
    numbers = list(dict.fromkeys(numbers))
    refuse(_bad_columns(frame, numbers, person))
    x = _fixed_columns(frame, fixed)
    by = [person, ordering] if ordering in frame else [person]
    order = frame.reset_index(drop=True).sort_values(by, kind="stable").index.to_numpy()
    frame, design = frame.iloc[order], x.to_numpy(dtype=float)[order]
    codes, people = pd.factorize(frame[person])
    gap, unit = _gaps(frame, codes, ordering, correlation, position)
    z, back = _random_columns(frame, time, random)
    refuse(_too_little(design, list(x.columns), codes, random))
    y = frame[outcome].to_numpy(dtype=float)
    q_matrix, r_matrix = np.linalg.qr(design)
    triangle = np.linalg.inv(r_matrix)
    left = y - q_matrix @ (q_matrix.T @ y)
    left -= q_matrix @ (q_matrix.T @ left)
    rows = Rows(left, q_matrix, z, gap)
    refuse(_nothing_to_explain(y, left, outcome))
    refuse(_not_told_apart(rows, random, correlation))
    return Design(
        rows=rows,
        terms=tuple(map(str, x.columns)),
        triangle=triangle,
        offset=triangle @ (q_matrix.T @ y),
        back=back,
        people=pd.Index(people, name=person),
        within=tuple(_varies_within(column, codes) for column in design.T),
        constant=tuple(bool(np.ptp(column) == 0) for column in design.T),
        unit=unit,
    )


def _bad_columns(frame: pd.DataFrame, numbers: Sequence[str], person: str) -> list[Problem]:
    problems = [
        Problem(SOURCE, allowed_values(list(map(str, frame.columns)), name), None, name)
        for name in (*numbers, person)
        if name not in frame
    ]
    if problems:
        return problems
    if frame.empty:
        return [Problem(SOURCE, "there are no measurements")]
    problems += _blanks(frame, [person])
    for name in numbers:
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            problems.append(
                Problem(
                    SOURCE,
                    f"{len(bad)} of {len(frame)} values are blank or not finite numbers; leave "
                    "those rows out knowingly, nothing is dropped here",
                    column=name,
                    value=str(frame[name].iloc[bad[0]]),
                )
            )
    return problems


def _blanks(frame: pd.DataFrame, columns: Iterable[str]) -> list[Problem]:
    return [
        Problem(
            SOURCE,
            f"{count} of {len(frame)} values are blank; leave those rows out knowingly, nothing "
            "is dropped here",
            column=name,
        )
        for name in columns
        if (count := int(frame[name].isna().sum()))
    ]


def _fixed_columns(frame: pd.DataFrame, fixed: str | pd.DataFrame) -> pd.DataFrame:
    if isinstance(fixed, str):
        columns = _from_formula(frame, fixed)
    else:
        columns = fixed
        if len(columns) != len(frame) or not columns.index.equals(frame.index):
            refuse([Problem("fixed effects", "must have the index of the measurements")])
    values = columns.to_numpy(dtype=float)
    refuse(
        Problem("fixed effects", "blank or not finite", column=str(name))
        for name, column in zip(columns.columns, values.T, strict=True)
        if not np.isfinite(column).all()
    )
    if not len(columns.columns):
        refuse([Problem("fixed effects", "there is none; allowed: at least 1, the mean")])
    return columns


def _from_formula(frame: pd.DataFrame, formula: str) -> pd.DataFrame:
    """Build the columns of a formula in which nothing but columns of the frame can stand."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError
    from formulaic.formula import SimpleFormula

    rule = "allowed: names of columns joined by '+', ':' or '*', and '0' for no intercept"
    try:
        parsed = Formula(formula)
    except FormulaicError:
        parsed = None
    if not isinstance(parsed, SimpleFormula):
        refuse([Problem("formula", f"cannot be read; {rule}", value=formula)])
    factors = {factor for term in parsed for factor in term.factors if factor.expr != "1"}
    names = sorted(factor.expr for factor in factors if factor.eval_method.value == "lookup")
    problems = [
        Problem("formula", f"is not a column; {rule}", value=factor.expr)
        for factor in sorted(factors, key=lambda factor: str(factor.expr))
        if factor.eval_method.value != "lookup"
    ]
    problems += [
        Problem("formula", allowed_values(list(map(str, frame.columns)), name), value=name)
        for name in names
        if name not in frame
    ]
    refuse(problems)
    refuse(_blanks(frame, names))
    matrix = pd.DataFrame(parsed.get_model_matrix(frame, context={}, na_action="raise"))
    return matrix.rename(columns={"Intercept": "intercept"}).astype(float)


def _gaps(
    frame: pd.DataFrame,
    codes: np.ndarray[tuple[int], np.dtype[np.intp]],
    ordering: str,
    correlation: Correlation,
    position: str | None,
) -> tuple[FloatArray, float]:
    """Return each row's distance to the person's row before, and what it is counted in."""
    first = np.append(True, codes[1:] != codes[:-1])
    if correlation == "none" or (correlation == "ar1" and position is None):
        # By order of observation: the next visit is one step away, however late it is.
        return np.where(first, np.nan, 1.0), 1.0
    values = frame[ordering].to_numpy(dtype=float)
    gap = np.where(first, np.nan, np.diff(values, prepend=0.0))
    same = np.flatnonzero(gap == 0)
    problems = []
    if len(same):
        problems.append(
            Problem(
                SOURCE,
                f"{len(same)} measurements have the position of the one before in the same "
                "person; an autoregression needs one at a time",
                column=ordering,
                value=f"{values[same[0]]:g}",
            )
        )
    if correlation == "ar1" and (values != np.round(values)).any():
        problems.append(
            Problem(
                SOURCE,
                "ar1 needs numbers of visits, which are whole; for times use car1",
                column=ordering,
                value=f"{values[values != np.round(values)][0]:g}",
            )
        )
    refuse(problems)
    unit = float(np.nanmedian(gap)) if correlation == "car1" and (~first).any() else 1.0
    return gap / unit, unit


def _random_columns(
    frame: pd.DataFrame, time: str, random: Random
) -> tuple[FloatArray, FloatArray]:
    """Return the random-effects design with time centred and scaled, and the way back."""
    n = len(frame)
    if random == "none":
        return np.zeros((n, 0)), np.zeros((0, 0))
    if random == "intercept":
        return np.ones((n, 1)), np.eye(1)
    values = frame[time].to_numpy(dtype=float)
    centre, scale = values.mean(), values.std()
    if scale == 0:
        refuse([Problem(SOURCE, "is the same everywhere; a slope needs times", column=time)])
    back = np.array([[1.0, -centre / scale], [0.0, 1.0 / scale]])
    return np.column_stack([np.ones(n), (values - centre) / scale]), back


def _too_little(
    x: FloatArray,
    terms: list[str],
    codes: np.ndarray[tuple[int], np.dtype[np.intp]],
    random: Random,
) -> list[Problem]:
    n, p = x.shape
    people = int(codes.max()) + 1
    if n <= p + 1:
        return [Problem(SOURCE, f"{p} fixed effects need more than {p + 1} measurements, not {n}")]
    if random != "none" and people < 2:
        return [
            Problem(
                SOURCE,
                "there is one person only, so that variances between people have no meaning; "
                "random 'none' describes one person's series",
            )
        ]
    size = np.linalg.norm(x, axis=0)
    if (size == 0).any() or np.linalg.matrix_rank(x / np.where(size, size, 1), tol=1e-10) < p:
        listed = ", ".join(map(str, terms))
        return [Problem("fixed effects", f"are combinations of one another: {listed}")]
    between = sum(not _varies_within(column, codes) for column in x.T)
    if random != "none" and people <= between:
        return [
            Problem(
                SOURCE,
                f"{between} fixed effects that do not vary within a person need more than "
                f"{between} people, not {people}",
            )
        ]
    return []


def _varies_within(column: FloatArray, codes: np.ndarray[tuple[int], np.dtype[np.intp]]) -> bool:
    return bool((np.diff(column)[np.diff(codes) == 0] != 0).any())


def _nothing_to_explain(y: FloatArray, left: FloatArray, outcome: str) -> list[Problem]:
    if np.linalg.norm(left) > 1e-10 * np.linalg.norm(y):
        return []
    why = "is the same everywhere" if np.ptp(y) == 0 else "is fitted exactly by the fixed effects"
    return [Problem(SOURCE, f"{why}: there is no variance to divide", column=outcome)]


def _not_told_apart(rows: Rows, random: Random, correlation: Correlation) -> list[Problem]:
    """Refuse variances and phi that do the same to every covariance of these visits."""
    names = {"none": [], "intercept": ["variance of the intercepts"]}.get(
        random, ["variances of intercepts and slopes", "their covariance"]
    )
    names = [*names, "residual variance", *(["phi"] if correlation != "none" else [])]
    ends = np.append(rows.starts[1:], len(rows.y))
    longest = np.argsort(rows.starts - ends, kind="stable")[:PEOPLE_LOOKED_AT]
    last = np.minimum(ends, rows.starts + VISITS_LOOKED_AT)
    own = [slice(rows.starts[i], last[i]) for i in longest]
    parts = [_covariance_slopes(rows, visits, correlation) for visits in own]
    slopes = np.vstack(parts)
    size = np.linalg.norm(slopes, axis=0)
    scaled = slopes / np.where(size, size, 1)
    told = int(np.linalg.matrix_rank(scaled, tol=1e-7))
    if told == slopes.shape[1]:
        return []
    most = int((ends - rows.starts).max())
    return [
        Problem(
            SOURCE,
            f"the visits (at most {most} of one person) tell {told} of {slopes.shape[1]} "
            f"parameters apart ({', '.join(names)}); needed are more visits of a person, or a "
            "smaller model: random 'intercept' or 'none', or correlation 'none'",
        )
    ]


def _covariance_slopes(rows: Rows, own: slice, correlation: Correlation) -> FloatArray:
    """Differentiate one person's covariances by D, the residual variance and phi = 0.4."""
    z, phi = rows.z[own], 0.4
    positions = np.cumsum(np.nan_to_num(rows.gap[own]))
    i, j = np.tril_indices(len(positions))
    lag = positions[i] - positions[j]
    columns = [z[i, 0] * z[j, 0]] if z.shape[1] else []
    if z.shape[1] > 1:
        columns += [z[i, 1] + z[j, 1], z[i, 1] * z[j, 1]]
    if correlation == "none":
        columns.append((lag == 0).astype(float))
    else:
        columns += [phi**lag, lag * phi**lag]
    return np.column_stack(columns)
