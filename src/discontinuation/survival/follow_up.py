"""Are these times, events and groups something that survival can be computed of?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, refuse
from discontinuation.survival._checks import count_small, fine

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PLACE = "survival data"
ONE_NUMBER = "allowed: one number per person"
NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal", "boolean", "empty")
MOST_CAUSES = 1e6
MOST_COUNTED = 1000  # whole labels below this are counted, not sorted
LISTED = 5  # offending rows named one by one


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Follow-up of n people, checked.

    Attributes
    ----------
    time
        End of follow-up, shape (n,).
    event
        What happened then: 0 nothing (censored), 1 the event; or 1, 2, ... the cause.
    entry
        Start of follow-up, shape (n,); None: everybody from the beginning. A person is at risk at
        t if entry < t <= time.
    weights
        Case weights, shape (n,); None: 1 each.
    """

    time: FloatArray
    event: IntArray
    entry: FloatArray | None = None
    weights: FloatArray | None = None


def follow_up(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    entry: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    *,
    causes: bool = False,
) -> FollowUp:
    """Check follow-up and turn it into arrays.

    Parameters
    ----------
    time, event, entry, weights
        As in `FollowUp`; events may be booleans.
    causes
        Whether an event may be coded above 1, as a cause.

    Raises
    ------
    InvalidInput
        All of: nobody; columns of different lengths; values that are not finite numbers; negative
        times or weights; follow-up that ends at or before its entry; event codes other than 0
        and 1 (with `causes` other than whole numbers of 0 or more).
    """
    given = {"time": time, "event": event, "entry": entry, "weights": weights}
    arrays, problems = {}, []
    for name, values in given.items():
        if values is not None or name in ("time", "event"):
            try:
                arrays[name] = as_numbers([] if values is None else values)
            except (TypeError, ValueError):
                problems.append(Problem(PLACE, ONE_NUMBER, column=name))
    refuse(problems)
    people = len(arrays["time"])
    if not people:
        refuse([Problem(PLACE, "there is nobody")])
    for name, values in arrays.items():
        if len(values) != people:
            rule = f"{len(values)} values for {people} times"
            problems.append(Problem(PLACE, rule, column=name))
    refuse(problems)
    usual = fine(arrays["time"], arrays["event"], MOST_CAUSES if causes else 1.0)
    if not usual or "entry" in arrays or "weights" in arrays:
        refuse(_value_problems(arrays, causes))
    return FollowUp(
        arrays["time"],
        arrays["event"].astype(np.int64),
        arrays.get("entry"),
        arrays.get("weights"),
    )


def as_numbers(values: npt.ArrayLike) -> FloatArray:
    """Turn a column into an array of floats, shape (n,); missing values become NaN.

    Raises
    ------
    TypeError, ValueError
        What is not one column of numbers or truth values: text (also if it reads as a number),
        dates and lengths of time, complex numbers.
    """
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    elif isinstance(values, pd.api.extensions.ExtensionArray):
        values = pd.Series(values)
    if isinstance(values, pd.Series) and not isinstance(values.dtype, np.dtype):
        if not pd.api.types.is_numeric_dtype(values.dtype):
            raise TypeError("not numbers")
        values = values.to_numpy(dtype=float, na_value=np.nan)
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError("not one-dimensional")
    if array.dtype.kind == "O":
        if pd.api.types.infer_dtype(array, skipna=True) not in NUMBERS:
            raise TypeError("not numbers")
        array = pd.Series(array).to_numpy(dtype=float, na_value=np.nan)
    elif array.dtype.kind not in "biuf":
        raise TypeError("not numbers")
    return np.ascontiguousarray(array, dtype=float)


def asked_times(values: npt.ArrayLike, name: str = "times") -> FloatArray:
    """Turn what is asked for, one number or several, into an array of shape (k,).

    Raises
    ------
    InvalidInput
        What is no finite number.
    """
    try:
        asked = as_numbers(np.atleast_1d(np.asarray(values)))
    except (TypeError, ValueError):
        asked = np.array([np.nan])
    if not np.isfinite(asked).all():
        refuse([Problem(PLACE, "allowed: finite numbers", column=name)])
    return asked


def label_groups(
    values: npt.ArrayLike, people: int, name: str = "group", at_least: int = 1
) -> tuple[IntArray, list[object]]:
    """Number the groups.

    Parameters
    ----------
    values
        One label per person. The levels of a categorical keep their order; others are sorted.
    people
        How many labels there must be.
    name
        What to call them in a message.
    at_least
        Fewest groups allowed.

    Returns
    -------
    codes
        0, 1, ... per person, shape (n,).
    labels
        By code; only groups that have people.

    Raises
    ------
    InvalidInput
        Missing labels, a wrong number of them, too few groups.
    """
    whole = _whole_labels(values, people)
    if whole is not None and len(whole[1]) >= at_least:
        return whole
    if isinstance(values, pd.DataFrame) or np.ndim(values) > 1:
        refuse([Problem(PLACE, "allowed: one label per person, in one column", column=name)])
    column = values if isinstance(values, pd.Series) else pd.Series(values)
    if len(column) != people:
        refuse([Problem(PLACE, f"{len(column)} values for {people} times", column=name)])
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, labels = _categories(column)
    else:
        codes, found = pd.factorize(column, sort=True)
        labels = list(found)
    missing = np.flatnonzero(codes < 0)
    refuse(_at(missing, np.full(people, np.nan), name, "is blank and must not be"))
    if len(labels) < at_least:
        rule = f"{len(labels)} group; at least {at_least} are needed to compare"
        refuse([Problem(PLACE, rule, column=name, value=", ".join(map(str, labels)))])
    return codes.astype(np.int64), labels


def _whole_labels(values: npt.ArrayLike, people: int) -> tuple[IntArray, list[object]] | None:
    """Number labels that are small whole numbers by counting them; None if they are not."""
    if isinstance(values, pd.Series):
        if not isinstance(values.dtype, np.dtype):
            return None
        values = values.to_numpy()
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu" or len(values) != people:
        return None
    codes = np.ascontiguousarray(values, dtype=np.int64)
    counted = count_small(codes, MOST_COUNTED)
    labels: list[object] = list(np.flatnonzero(counted).tolist())
    if not labels:
        return None
    if labels[-1] == len(labels) - 1:
        return codes, labels
    place = np.cumsum(counted > 0) - 1
    return place[codes].astype(np.int64), labels


def _categories(column: pd.Series) -> tuple[IntArray, list[object]]:
    """Codes and labels of the categories that people have; -1 for a blank."""
    codes = np.asarray(column.cat.codes)
    used = np.zeros(len(column.cat.categories) + 1, dtype=bool)
    used[codes] = True  # a blank marks the last place
    labels = [label for label, kept in zip(column.cat.categories, used, strict=False) if kept]
    if len(labels) == len(column.cat.categories):
        return codes.astype(np.int64), labels
    place = np.append(np.cumsum(used[:-1]) - 1, -1)
    return place[codes].astype(np.int64), labels


def _value_problems(arrays: dict[str, FloatArray], causes: bool) -> Iterator[Problem]:
    for name, values in arrays.items():
        finite = np.isfinite(values)
        if not finite.all():
            yield from _at(np.flatnonzero(~finite), values, name, "allowed: a finite number")
    for name, rule in (("time", "0 or more"), ("weights", "0 or more")):
        if name in arrays and (wrong := arrays[name] < 0).any():
            yield from _at(np.flatnonzero(wrong), arrays[name], name, f"allowed: {rule}")
    event = arrays["event"]
    whole = (event == np.floor(event)) & (event >= 0) & (event <= (np.inf if causes else 1))
    if not (whole | ~np.isfinite(event)).all():
        rule = "allowed: 0 (censored), 1, 2, ... (the cause)" if causes else "allowed: 0 or 1"
        wrong = ~whole & np.isfinite(event)
        yield from _at(np.flatnonzero(wrong), event, "event", rule)
    if "entry" in arrays and (wrong := arrays["time"] <= arrays["entry"]).any():
        rule = "follow-up must end after its entry"
        yield from _at(np.flatnonzero(wrong), arrays["time"], "time", rule)


def _at(rows: npt.NDArray[np.intp], values: FloatArray, name: str, rule: str) -> Iterator[Problem]:
    """Name the first offending rows, and how many there are."""
    others = f" ({len(rows)} such rows)" if len(rows) > LISTED else ""
    for row in rows[:LISTED]:
        value = None if np.isnan(values[row]) else f"{values[row]:g}"
        yield Problem(PLACE, rule + others, int(row) + 2, name, value)


def column_of(data: pd.DataFrame, name: str, role: str) -> pd.Series:
    """Pick a column by name.

    Raises
    ------
    InvalidInput
        If there is no such column; the nearest name is offered.
    """
    refuse(missing_columns(data, {role: name}))
    return data[name]


def missing_columns(data: object, roles: Mapping[str, str | Sequence[str] | None]) -> list[Problem]:
    """Name the columns that were asked for and are not there, with the nearest that are.

    Parameters
    ----------
    data
        The frame.
    roles
        Column or columns by what they are for; None: not asked for.
    """
    from discontinuation.problems import allowed_values

    if not isinstance(data, pd.DataFrame):
        what = type(data).__name__
        return [Problem(PLACE, "allowed: a pandas DataFrame, one row per person", value=what)]
    columns = [str(column) for column in data.columns]
    asked = [
        (role, name)
        for role, names in roles.items()
        for name in ([names] if isinstance(names, str) else names or [])
    ]
    twice = {name for _, name in asked if columns.count(name) > 1}
    return [
        Problem(
            PLACE, "there is no such column; " + allowed_values(columns, name), None, role, name
        )
        for role, name in asked
        if name not in columns
    ] + [
        Problem(PLACE, f"there are {columns.count(name)} columns of this name", column=name)
        for name in sorted(twice)
    ]
