"""Which numbers does a formula make of the columns of a frame?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.survival.follow_up import PLACE, FloatArray, missing_columns

RULE = "allowed: covariates joined by +, : or *, such as 'arm + age'"


def design_matrix(formula: str, data: pd.DataFrame) -> tuple[FloatArray, tuple[str, ...]]:
    """Code covariates as numbers; there is no intercept.

    Parameters
    ----------
    formula
        Right-hand side of a formula, as formulaic reads it. Labels are compared with their first
        level whether or not the formula leaves the intercept out.
    data
        One row per person.

    Returns
    -------
    x
        Shape (n, p).
    terms
        Names of the columns of `x`.

    Raises
    ------
    InvalidInput
        A formula that cannot be read or names no covariate; columns that are not there, with the
        nearest that are; values that are blank or not finite.
    """
    from formulaic import Formula
    from formulaic.errors import FormulaicError
    from formulaic.formula import SimpleFormula

    try:
        parsed = Formula(formula)
    except (FormulaicError, TypeError):
        parsed = None
    if not isinstance(parsed, SimpleFormula):
        refuse([Problem("formula", f"cannot be read; {RULE}", value=formula)])
    terms = [term for term in parsed if str(term) != "1"]
    if not terms:
        refuse([Problem("formula", f"names no covariate; {RULE}", value=formula)])
    names = sorted(map(str, parsed.required_variables))
    refuse(missing_columns(data, {"formula": names}))
    refuse(_blanks(data, names))
    if all(_is_numeric_column(str(term), data) for term in terms):
        labels = tuple(str(term) for term in terms)
        x = np.empty((len(data), len(labels)))
        for number, label in enumerate(labels):
            x[:, number] = data[label].to_numpy()
    else:
        x, labels = _coded([str(term) for term in terms], data, formula)
    refuse(
        Problem(PLACE, "allowed: finite numbers", None, label)
        for label, column in zip(labels, x.T, strict=True)
        if not np.isfinite(column).all()
    )
    return x, labels


def _is_numeric_column(term: str, data: pd.DataFrame) -> bool:
    if term not in data.columns:
        return False
    dtype: Any = data[term].dtype
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def _coded(
    terms: list[str], data: pd.DataFrame, formula: str
) -> tuple[FloatArray, tuple[str, ...]]:
    from formulaic import model_matrix
    from formulaic.errors import FormulaicError

    try:
        matrix = model_matrix(" + ".join(["1", *terms]), data, na_action="raise")
    except FormulaicError as error:
        refuse([Problem("formula", f"cannot be computed: {error}", value=formula)])
    matrix = matrix.drop(columns="Intercept")
    return np.ascontiguousarray(matrix, dtype=float), tuple(map(str, matrix.columns))


def _blanks(data: pd.DataFrame, names: list[str]) -> list[Problem]:
    rule = "{} of {} values are blank; nothing is left out silently, so impute or drop them first"
    return [
        Problem(PLACE, rule.format(count, len(data)), None, name)
        for name in names
        if (count := int(data[name].isna().sum()))
    ]
