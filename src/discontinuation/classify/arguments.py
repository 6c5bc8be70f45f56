"""Are the arguments of a call of the kind that they should be?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import pandas as pd

from discontinuation.problems import Problem


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; True and False are none."""
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def kind_problems(file: str, value: object, kind: type, rule: str) -> Iterator[Problem]:
    """Something else in the place of an object of some class.

    Parameters
    ----------
    file, value
        What to call it, and what was given.
    kind
        The class.
    rule
        What is allowed, in words.
    """
    if not isinstance(value, kind):
        yield Problem(file, rule, value=type(value).__name__)


def table_problems(file: str, value: object) -> Iterator[Problem]:
    """Something else in the place of a table.

    Parameters
    ----------
    file
        What to call it.
    value
        What was given.
    """
    return kind_problems(file, value, pd.DataFrame, "allowed: a table (pandas DataFrame)")


def whole_number_problems(file: str, name: str, value: Any, least: int) -> Iterator[Problem]:
    """An argument that is no whole number, or below the least that is allowed.

    Parameters
    ----------
    file
        What was called.
    name, value
        The argument.
    least
        The smallest value allowed.
    """
    whole = not isinstance(value, bool) and isinstance(value, Integral)
    if not whole or int(value) < least:
        rule = f"allowed: a whole number, {least} or more"
        yield Problem(file, rule, column=name, value=str(value))


def share_problems(file: str, value: Any, name: str = "confidence") -> Iterator[Problem]:
    """An argument that does not lie between 0 and 1.

    Parameters
    ----------
    file
        What was called.
    value, name
        The argument.
    """
    if not is_number(value) or not 0 < value < 1:
        yield Problem(file, "allowed: a number between 0 and 1", column=name, value=str(value))
