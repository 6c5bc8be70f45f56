"""Which covariates does a formula ask for?"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._cox_kernels import BoolArray, FloatArray
from discontinuation.survival.follow_up import LISTED

FORMULA, INTERCEPT = "formula", "1"

Columns = Callable[[pd.DataFrame], FloatArray]


@dataclass(frozen=True, eq=False)
class Covariates:
    """Columns of a formula.

    Attributes
    ----------
    x
        Shape (n, p), without an intercept.
    names
        One per column, as formulaic names them.
    term_of
        The term of the formula that each column belongs to.
    of
        Builds the same columns for other people.
    """

    x: FloatArray
    names: tuple[str, ...]
    term_of: tuple[str, ...]
    of: Columns


def columns_needed(formula: object) -> tuple[str, ...]:
    """List the columns of the data that a formula speaks of.

    Raises
    ------
    InvalidInput
        A formula that cannot be read, has a left-hand side or calls what is no transform.
    """
    if not isinstance(formula, str):
        refuse([Problem(FORMULA, "allowed: one text, as in 'arm + age'", value=repr(formula))])
    return _columns_needed(formula)


@lru_cache(maxsize=256)
def _columns_needed(formula: str) -> tuple[str, ...]:
    factors = {factor for term in list(_parse(formula))[1:] for factor in term.factors}
    named = {str(one.expr) for one in factors if one.eval_method.value == "lookup"}
    called = {
        str(variable.root)
        for one in factors
        if one.eval_method.value == "python"
        for variable in one.required_variables
    }
    return tuple(sorted(named | {name for name in called if name not in _transforms()}))


@lru_cache(maxsize=256)
def _parse(formula: str) -> Any:
    """Read a formula; whatever it says, factors are coded as if there were an intercept."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError
    from formulaic.formula import SimpleFormula

    try:
        parsed = Formula(formula)
    except (FormulaicError, SyntaxError):
        parsed = None
    if not isinstance(parsed, SimpleFormula):
        rule = "cannot be read; needed: terms joined by '+', ':' or '*', as in 'arm + age:sex'"
        refuse([Problem(FORMULA, rule, value=formula)])
    assert parsed is not None
    refuse(_foreign_calls(parsed))
    factors = [term for term in parsed if str(term) not in (INTERCEPT, "0")]
    if not factors:
        refuse([Problem(FORMULA, "names no covariate", value=formula)])
    return Formula([INTERCEPT, *factors])


def _foreign_calls(parsed: Any) -> Iterable[Problem]:
    """Let a formula call the transforms of formulaic and nothing else."""
    for expression in {f.expr for term in parsed for f in term.factors}:
        try:
            tree = ast.walk(ast.parse(expression, mode="eval"))
        except SyntaxError:
            continue
        called = [ast.unparse(node.func) for node in tree if isinstance(node, ast.Call)]
        if not all(map(_may_be_called, called)) or "__" in expression:
            rule = allowed_values([*sorted(_transforms() - {"contr", "np"}), "np.log and the like"])
            yield Problem(FORMULA, f"calls what is no transform; {rule}", value=expression)


@lru_cache(maxsize=1)
def _transforms() -> frozenset[str]:
    from formulaic.transforms import TRANSFORMS

    return frozenset(map(str, TRANSFORMS))


def _may_be_called(name: str) -> bool:
    """Allow transforms, and of numpy what takes numbers to numbers: it can also read files."""
    if name.startswith("np."):
        return isinstance(getattr(np, name.removeprefix("np."), None), np.ufunc)
    return name != "np" and (name in _transforms() or name.startswith("contr."))


def covariates(formula: str, data: pd.DataFrame) -> Covariates:
    """Build the columns of a formula.

    Parameters
    ----------
    formula
        Right-hand side, as formulaic reads it; its columns must be in `data` without blanks.
    data
        One row per person or stretch of follow-up.

    Raises
    ------
    InvalidInput
        As `columns_needed`; columns of dates or lengths of time; values that are not finite.
    """
    parsed, needed = _parse(formula), columns_needed(formula)
    data = _in_plain_types(data, needed)
    plain = _plain_terms(parsed, data)
    if plain is None:
        found = _formulaic_columns(parsed, data, needed)
    else:
        found = _plain_columns(plain, data, needed)
    finite = np.isfinite(found.x)
    if not finite.all():
        refuse(
            Problem(
                FORMULA,
                f"is not finite in {int((~good).sum())} rows; allowed: finite numbers",
                value=name,
            )
            for good, name in zip(finite.T, found.names, strict=True)
            if not good.all()
        )
    return found


def _in_plain_types(data: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Give columns, none of them blank, the types that formulaic tells apart.

    Those are numbers, truth values, labels, and categories that somebody is in.
    """
    given = {name: data[name] for name in names}
    found = {name: _in_plain_type(column) for name, column in given.items()}
    refuse(
        Problem(FORMULA, "is neither a number nor a label; give days, say", None, name)
        for name, column in found.items()
        if column.dtype.kind in "mMc"
    )
    changed = {name: column for name, column in found.items() if column is not given[name]}
    return data[list(names)].assign(**changed) if changed else data


def _in_plain_type(column: pd.Series) -> pd.Series:
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return column.astype(float) if dtype.kind == "f" and dtype.itemsize < 8 else column
    if isinstance(dtype, pd.CategoricalDtype):
        people = np.bincount(column.cat.codes, minlength=len(column.cat.categories))
        return column if people.all() else column.cat.remove_unused_categories()
    if pd.api.types.is_bool_dtype(dtype):
        return column.astype(bool)
    if pd.api.types.is_integer_dtype(dtype):
        return column.astype(np.int64)
    return column.astype(float if pd.api.types.is_numeric_dtype(dtype) else object)


Plain = list[tuple[str, list[str], list[Any] | None]]


def _plain_terms(parsed: Any, data: pd.DataFrame) -> Plain | None:
    """Spell out terms that are one column, or a product of numbers; None if there are others.

    Formulaic takes longer over these than the fit does. It builds them the same way.
    """
    plain: Plain = []
    for term in list(parsed)[1:]:
        if any(factor.eval_method.value != "lookup" for factor in term.factors):
            return None
        names = [str(factor.expr) for factor in term.factors]
        numeric = [_is_number(data[name]) for name in names]
        if all(numeric):
            plain.append((str(term), names, None))
        elif len(names) == 1 and isinstance(data[names[0]].dtype, pd.CategoricalDtype):
            plain.append((str(term), names, list(data[names[0]].cat.categories)))
        else:
            return None
    return plain


def _is_number(column: pd.Series) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf"


def _not_numbers(frame: pd.DataFrame, names: Iterable[str]) -> list[Problem]:
    """Name columns of other people that were numbers in the data and are none here."""
    return [
        Problem(FORMULA, "allowed: numbers", column=name, value=str(frame[name].iloc[0]))
        for name in dict.fromkeys(names)
        if len(frame) and frame[name].dtype.kind not in "biuf"
    ]


def _plain_columns(plain: Plain, data: pd.DataFrame, needed: Sequence[str]) -> Covariates:
    names: list[str] = []
    term_of: list[str] = []
    for term, columns, levels in plain:
        own = [term] if levels is None else [f"{columns[0]}[T.{level}]" for level in levels[1:]]
        names += own
        term_of += [term] * len(own)

    numbers = [name for _, columns, levels in plain if levels is None for name in columns]

    def build(frame: pd.DataFrame) -> FloatArray:
        frame = _in_plain_types(frame, needed)
        refuse(_not_numbers(frame, numbers))
        x = np.empty((len(frame), len(names)))
        place = 0
        for _, columns, levels in plain:
            if levels is None:
                x[:, place] = frame[columns[0]].to_numpy()
                for name in columns[1:]:
                    x[:, place] *= frame[name].to_numpy()
                place += 1
                continue
            codes = _codes(frame[columns[0]], levels)
            for code in range(1, len(levels)):
                x[:, place] = codes == code
                place += 1
        return x

    return Covariates(build(data), tuple(names), tuple(term_of), build)


def _codes(column: pd.Series, levels: list[Any]) -> npt.NDArray[Any]:
    known = isinstance(column.dtype, pd.CategoricalDtype) and list(column.cat.categories) == levels
    if not known:
        refuse(_unknown_levels(column, levels))
        column = pd.Series(pd.Categorical(column, categories=levels))
    return column.cat.codes.to_numpy()


def _unknown_levels(column: pd.Series, levels: Sequence[Any]) -> list[Problem]:
    unknown = sorted(set(column.dropna().unique()) - set(levels), key=str)
    rule = "the model does not know this level; "
    return [
        Problem(
            FORMULA, rule + allowed_values(list(map(str, levels)), str(one)), None,
            str(column.name), str(one),
        )
        for one in unknown
    ]  # fmt: skip


def _formulaic_columns(parsed: Any, data: pd.DataFrame, needed: Sequence[str]) -> Covariates:
    levels = {
        name: sorted(data[name].unique(), key=str) for name in needed if not _is_number(data[name])
    }
    matrix = _model_matrix(parsed, data)
    spec = matrix.model_spec
    names = tuple(map(str, matrix.columns))[1:]
    term_of = [""] * len(matrix.columns)
    for term, places in spec.term_indices.items():
        for place in places:
            term_of[place] = str(term)

    def build(frame: pd.DataFrame) -> FloatArray:
        frame = _in_plain_types(frame, needed)
        refuse(_not_numbers(frame, set(needed) - set(levels)))
        refuse(
            problem
            for name, known in levels.items()
            for problem in _unknown_levels(frame[name], known)
        )
        columns = _model_matrix(spec, frame)
        return np.ascontiguousarray(columns.to_numpy(dtype=float)[:, 1:])

    x = np.ascontiguousarray(matrix.to_numpy(dtype=float)[:, 1:])
    return Covariates(x, names, tuple(term_of[1:]), build)


def _model_matrix(recipe: Any, data: pd.DataFrame) -> Any:
    """Build the columns of a formula or of a model specification."""
    from formulaic.errors import DataMismatchWarning, FormulaicError

    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", DataMismatchWarning)  # levels the model does not know
            return recipe.get_model_matrix(data, context={}, na_action="ignore")
    except (FormulaicError, DataMismatchWarning) as error:
        refuse([Problem(FORMULA, str(error))])
        raise


def blanks(data: pd.DataFrame, columns: Iterable[str]) -> tuple[BoolArray, list[Problem]]:
    """Find rows in which a column is blank.

    Returns
    -------
    blank
        Per row, whether any of the columns is.
    problems
        One per column that has blanks, with the first rows as a spreadsheet counts them.
    """
    blank = np.zeros(len(data), dtype=bool)
    problems = []
    for name in dict.fromkeys(columns):
        own = pd.isna(data[name].array)
        if own.any():
            blank |= own
            rows = np.flatnonzero(own)
            listed = ", ".join(str(row + 2) for row in rows[:LISTED])
            more = ", ..." if len(rows) > LISTED else ""
            rule = (
                f"{len(rows)} of {len(data)} values are blank (rows {listed}{more}); fill them in, "
                "or leave these rows out knowingly (missing='drop' of cox does, and counts them)"
            )
            problems.append(Problem("survival data", rule, column=name))
    return blank, problems
