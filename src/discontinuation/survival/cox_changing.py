"""Which effects change with time, and how?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._cox_kernels import FloatArray, standardise
from discontinuation.survival.covariates import Covariates
from discontinuation.survival.cox_design import RiskSets


@dataclass(frozen=True, eq=False)
class Changing:
    """Covariates that are multiplied by a function of time.

    Attributes
    ----------
    column
        Which column each of them multiplies, q of them.
    factor
        The function at the slots, shape (K, q).
    names, term_of
        Of the new columns.
    """

    column: tuple[int, ...]
    factor: FloatArray
    names: tuple[str, ...]
    term_of: tuple[str, ...]


def unfold(sets: RiskSets, x: FloatArray, changing: Changing) -> RiskSets:
    """Add columns that change with time: rows are cut where a function of time changes.

    Parameters
    ----------
    sets
        Whatever its columns are; `row` of it points into `x`.
    x
        Columns as given, shape (rows of the data, p).
    changing
        What is added behind those columns.
    """
    factor, slots = changing.factor, len(sets.start)
    new = np.ones(slots, dtype=bool)
    new[1:] = (factor[1:] != factor[:-1]).any(axis=1) | (sets.start[1:] != sets.start[:-1])
    segment = np.cumsum(new) - 1
    low = np.flatnonzero(new)
    high = np.append(low[1:], slots) - 1
    at_risk = np.flatnonzero(sets.last >= sets.first)
    from_, to = segment[sets.first[at_risk]], segment[sets.last[at_risk]]
    pieces = to - from_ + 1
    which = np.repeat(at_risk, pieces)
    place = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    own = np.repeat(from_, pieces) + place
    final = place == np.repeat(pieces, pieces) - 1
    row = sets.row[which]
    fixed = x[row]
    columns = np.column_stack(
        [fixed, fixed[:, list(changing.column)] * factor[low[own]]],
    )
    weight = sets.weight[which]
    columns, centre, scale = standardise(columns, weight)
    return replace(
        sets,
        x=columns,
        weight=weight,
        offset=sets.offset[which],
        event=sets.event[which] & final,
        first=np.maximum(sets.first[which], low[own]),
        last=np.minimum(sets.last[which], high[own]),
        centre=centre,
        scale=scale,
        row=row,
    )


def keep_columns(sets: RiskSets, kept: Sequence[int]) -> RiskSets:
    """Leave out columns."""
    places = list(kept)
    return replace(
        sets,
        x=np.ascontiguousarray(sets.x[:, places]),
        centre=sets.centre[places],
        scale=sets.scale[places],
    )


Transform = str | Callable[[FloatArray], npt.ArrayLike]
TRANSFORMS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "identity": lambda time: time,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
}


def changing_effects(
    given: Covariates,
    sets: RiskSets,
    time_varying: Mapping[str, Transform],
    piecewise: Mapping[str, Sequence[float]],
) -> tuple[Changing, list[int]]:
    """Spell out effects that change with time.

    Parameters
    ----------
    given
        Columns of the formula.
    sets
        For its slots.
    time_varying
        Function of time by term or column of the formula: that, times the covariate, is added.
    piecewise
        Cut points by term or column: it gets one effect for each stretch instead of one for all.

    Returns
    -------
    What to add, and the columns of the formula that stay.
    """
    refuse(_bad_changes(given, time_varying, piecewise))
    column: list[int] = []
    factor: list[FloatArray] = []
    names: list[str] = []
    term_of: list[str] = []
    replaced: set[int] = set()
    for name, transform in time_varying.items():
        label, values = _transformed(name, transform, sets.time)
        for place in _columns_called(given, name):
            column.append(place)
            factor.append(values)
            names.append(f"{given.names[place]}:{label}")
            term_of.append(f"{name}:{label}")
    for name, cuts in piecewise.items():
        edges = [0.0, *map(float, cuts), np.inf]
        for place in _columns_called(given, name):
            replaced.add(place)
            for low, high in pairwise(edges):
                column.append(place)
                factor.append(((sets.time > low) & (sets.time <= high)).astype(float))
                names.append(f"{given.names[place]}:({low:g}, {high:g}]")
                term_of.append(name)
    stay = [place for place in range(len(given.names)) if place not in replaced]
    changing = Changing(tuple(column), np.column_stack(factor), tuple(names), tuple(term_of))
    return changing, stay


def _columns_called(given: Covariates, name: str) -> list[int]:
    pairs = zip(given.names, given.term_of, strict=True)
    return [place for place, names in enumerate(pairs) if name in names]


def _transformed(name: str, transform: Transform, time: FloatArray) -> tuple[str, FloatArray]:
    if isinstance(transform, str):
        label, function = f"{transform}(time)", TRANSFORMS[transform]
        with np.errstate(divide="ignore", invalid="ignore"):
            values = function(time)
    else:
        label = f"{getattr(transform, '__name__', 'f').strip('<>')}(time)"
        values = np.asarray(transform(time), dtype=float)
    if values.shape != time.shape or not np.isfinite(values).all():
        rule = "must give one finite number for each event time"
        refuse([Problem("time_varying", rule, column=name, value=label)])
    return label, values


def _bad_changes(
    given: Covariates,
    time_varying: Mapping[str, Transform],
    piecewise: Mapping[str, Sequence[float]],
) -> Iterable[Problem]:
    known = list(dict.fromkeys([*given.term_of, *given.names]))
    for role, names in (("time_varying", time_varying), ("piecewise", piecewise)):
        for name in names:
            if name not in known:
                rule = "is no term of the formula; " + allowed_values(known, name)
                yield Problem(role, rule, value=name)
    for name, transform in time_varying.items():
        if isinstance(transform, str) and transform not in TRANSFORMS:
            rule = allowed_values(list(TRANSFORMS), transform) + ", or a function of time"
            yield Problem("time_varying", rule, column=name, value=transform)
    for name, cuts in piecewise.items():
        edges = np.asarray(cuts, dtype=float)
        if not len(edges) or not np.isfinite(edges).all() or (np.diff([0, *edges]) <= 0).any():
            rule = "allowed: times above 0 in increasing order"
            yield Problem("piecewise", rule, column=name, value=str(list(cuts)))
