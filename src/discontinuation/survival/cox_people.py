"""Whom is a Cox model fitted to, and whom does it predict for?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._cox_kernels import FloatArray, IntArray
from discontinuation.survival.covariates import (
    FORMULA,
    Columns,
    blanks,
    columns_needed,
    covariates,
)
from discontinuation.survival.cox_changing import (
    Changing,
    Transform,
    changing_effects,
    keep_columns,
    unfold,
)
from discontinuation.survival.cox_design import RiskSets, risk_sets, rows_there
from discontinuation.survival.follow_up import (
    FollowUp,
    as_numbers,
    follow_up,
    label_groups,
    missing_columns,
)

Missing = Literal["refuse", "drop"]


@dataclass(frozen=True, eq=False)
class People:
    """People, checked and arranged for a Cox model.

    Attributes
    ----------
    formula
        As given.
    sets
        What the kernels take; its columns are `names`.
    names, term_of
        Of the p coefficients, and the term each belongs to.
    follow
        Follow-up of the rows of weight above 0.
    columns_of
        Builds the columns of the formula for other people.
    stay, changing
        Which of these have one effect, and what else has one that changes with time.
    strata, stratum_labels, stratum_of
        Columns, labels, and the number of a stratum by the labels of its columns.
    offset
        Column.
    index
        Of the data, without rows left out for blanks.
    group, groups, group_labels
        Which rows of `sets` go together, how many such groups, their labels.
    dropped
        Rows left out for blanks.
    n
        Rows of weight above 0.
    """

    formula: str
    sets: RiskSets
    names: tuple[str, ...]
    term_of: tuple[str, ...]
    follow: FollowUp
    columns_of: Columns
    stay: list[int]
    changing: Changing | None
    strata: list[str]
    stratum_labels: list[str]
    stratum_of: dict[tuple[str, ...], int]
    offset: str | None
    index: pd.Index
    group: IntArray
    groups: int
    group_labels: list[object]
    dropped: int
    n: int


def arrange(
    formula: str, data: pd.DataFrame, time: str, event: str, entry: str | None,
    strata: str | Sequence[str] | None, group: str | None, weights: str | None,
    offset: str | None, time_varying: Mapping[str, Transform],
    piecewise: Mapping[str, Sequence[float]], missing: Missing,
) -> People:  # fmt: skip
    """Check and arrange; see `cox`, `group` being its cluster or its frailty."""
    strata = [strata] if isinstance(strata, str) else list(strata or [])
    roles: dict[str, str | Sequence[str] | None] = {
        "time": time, "event": event, "entry": entry, "strata": strata,
        "cluster or frailty": group,
        "weights": weights, "offset": offset, FORMULA: columns_needed(formula),
    }  # fmt: skip
    refuse(missing_columns(data, roles))
    data, dropped = _without_blanks(data, roles, missing)
    given = covariates(formula, data)
    follow = follow_up(
        data[time],
        data[event],
        None if entry is None else data[entry],
        None if weights is None else data[weights],
    )
    code, labels, numbers = _number_strata(data, strata)
    added = None if offset is None else _numbers(data, offset)
    follow, row = rows_there(follow)
    sets = risk_sets(follow, given.x, code, added, row)
    n = len(sets.row)
    stay, changing = list(range(len(given.names))), None
    names, term_of = given.names, given.term_of
    if time_varying or piecewise:
        changing, stay = changing_effects(given, sets, time_varying, piecewise)
        kept = [*stay, *range(len(names), len(names) + len(changing.names))]
        sets = keep_columns(unfold(sets, given.x, changing), kept)
        names = (*(names[j] for j in stay), *changing.names)
        term_of = (*(term_of[j] for j in stay), *changing.term_of)
    own, groups, group_labels = _groups(data, sets, group)
    return People(
        formula, sets, names, term_of, follow, given.of, stay, changing, strata, labels, numbers,
        offset, data.index, own, groups, group_labels, dropped, n,
    )  # fmt: skip


def _without_blanks(
    data: pd.DataFrame, roles: Mapping[str, str | Sequence[str] | None], missing: Missing
) -> tuple[pd.DataFrame, int]:
    needed = [
        name
        for names in roles.values()
        for name in ([names] if isinstance(names, str) else names or [])
    ]
    blank, problems = blanks(data, needed)
    if missing == "refuse":
        refuse(problems)
    dropped = int(blank.sum())
    return (data[~blank], dropped) if dropped else (data, 0)


def _numbers(data: pd.DataFrame, name: str) -> FloatArray:
    try:
        values = as_numbers(data[name])
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        refuse([Problem("survival data", "allowed: finite numbers", column=name)])
    return values


def _number_strata(
    data: pd.DataFrame, strata: list[str]
) -> tuple[IntArray | None, list[str], dict[tuple[str, ...], int]]:
    """Number the combinations of levels that there are."""
    if not strata:
        return None, [""], {(): 0}
    columns = [label_groups(data[name], len(data), name) for name in strata]
    if len(columns) == 1:
        code, levels = columns[0]
        found: list[tuple[str, ...]] = [(_named(level),) for level in levels]
    else:
        every, code = np.unique(
            np.column_stack([own for own, _ in columns]), axis=0, return_inverse=True
        )
        pairs = [zip(row, columns, strict=True) for row in every]
        found = [tuple(_named(labels[one]) for one, (_, labels) in pair) for pair in pairs]
    labels = [", ".join(f"{n}={v}" for n, v in zip(strata, row, strict=True)) for row in found]
    return code.astype(np.int64).ravel(), labels, {row: k for k, row in enumerate(found)}


def _named(level: Any) -> str:
    """Name a level; 1.0 is 1, whichever of them the data have."""
    whole = isinstance(level, float) and level.is_integer()
    return str(int(level)) if whole else str(level)


def _groups(
    data: pd.DataFrame, sets: RiskSets, group: str | None
) -> tuple[IntArray, int, list[object]]:
    """Number the groups of rows that go together; without a column, the rows of the data."""
    if group is None:
        if len(sets.row) == len(data):
            return sets.row, len(data), []
        rows, own = np.unique(sets.row, return_inverse=True)
        return own, len(rows), []
    code, labels = label_groups(data[group], len(data), group)
    there, own = np.unique(code[sets.row], return_inverse=True)
    return own, len(there), [labels[one] for one in there]


def for_new_people(
    people: People, new_data: pd.DataFrame
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
    """Build what `cox_curves.curves` needs of new people.

    Returns
    -------
    Covariates (m, p), their factors at the slots (K, p), offsets (m,), strata (m,).

    Raises
    ------
    InvalidInput
        Columns that are missing or blank, levels and strata that the model does not know.
    """
    needed = [*columns_needed(people.formula), *people.strata]
    needed += [people.offset] if people.offset else []
    refuse(missing_columns(new_data, {"new_data": needed}))
    refuse([] if len(new_data) else [Problem("new_data", "there is nobody")])
    refuse(blanks(new_data, needed)[1])
    x = people.columns_of(new_data)
    slots = len(people.sets.start)
    if people.changing is None:
        factor = np.ones((slots, x.shape[1]))
    else:
        factor = np.column_stack([np.ones((slots, len(people.stay))), people.changing.factor])
        x = x[:, [*people.stay, *people.changing.column]]
    offset = _numbers(new_data, people.offset) if people.offset else np.zeros(len(x))
    return x, factor, offset, _strata_of(people, new_data)


def _strata_of(people: People, new_data: pd.DataFrame) -> IntArray:
    rows: npt.NDArray[Any] = new_data[people.strata].to_numpy(dtype=object)
    keys = [tuple(map(_named, row)) for row in rows] if people.strata else [()] * len(new_data)
    known = ["/".join(key) for key in people.stratum_of]
    refuse(
        Problem(
            "new_data",
            "the model does not know this stratum; " + allowed_values(known, "/".join(key)),
            column=", ".join(people.strata),
            value="/".join(key),
        )
        for key in dict.fromkeys(keys)
        if key not in people.stratum_of
    )
    return np.array([people.stratum_of[key] for key in keys], dtype=np.int64)
