"""Which counts of people are too small to be printed, and which would give such a count away?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

Key = Hashable
Bounds = tuple[float, float]
CLOSE = 1e-9
MOVED = 1e-6
MISSING = "–"


@dataclass(frozen=True)
class Sum:
    """One number that is the sum of others, all of them named by their keys."""

    total: Key
    parts: tuple[Key, ...]

    @property
    def cells(self) -> tuple[Key, ...]:
        """Name the total and its parts."""
        return (self.total, *self.parts)


def mask_small(
    counts: Mapping[Key, int],
    sums: Iterable[Sum],
    smallest: int,
    unprinted: Set[Key] = frozenset(),
    dear: Set[Key] = frozenset(),
) -> dict[Key, str]:
    """Write counts of people so that no small one can be read or worked out.

    Parameters
    ----------
    counts
        Counts by key, 0 or more.
    sums
        Which of them add up to which others; sums that name an unknown key are left aside.
    smallest
        Smallest count that may be printed, 1 or more; 1 masks nothing.
    unprinted
        Counts that are printed nowhere and must not be worked out either when they are small, such
        as the people who are left when a part is taken from its total.
    dear
        Counts that are hidden only when hiding others does not help.

    Returns
    -------
    dict
        The printed counts as text; ``<5`` for one from 1 to ``smallest - 1`` (here 5); ``≥5`` for
        a larger one that is hidden because a small one would follow from it; ``–`` for both where
        a small one would follow from just these limits, as among four people in four groups.

    Raises
    ------
    ValueError
        A negative count, or `smallest` below 1.

    Notes
    -----
    What a reader can work out is judged from all sums together: by linear algebra, and by the
    limits that ``<5`` and ``≥5`` themselves give away. 0 is always printed.
    """
    if smallest < 1 or any(count < 0 for count in counts.values()):
        raise ValueError("counts are 0 or more, and the smallest to be printed is 1 or more")
    small = {key for key, count in counts.items() if 0 < count < smallest}

    def bounds(key: Key) -> Bounds:
        if key in unprinted:
            return (0, math.inf)
        return (1, smallest - 1) if key in small else (smallest, math.inf)

    hidden, told = hide_derivable(counts, small, unprinted, sums, bounds, dear)
    masked = {
        key: MISSING if key in told else f"<{smallest}" if key in small else f"≥{smallest}"
        for key in hidden
    }
    printed = {key: count for key, count in counts.items() if key not in unprinted}
    return {key: masked.get(key, f"{count:,}") for key, count in printed.items()}


def hide_derivable(
    values: Mapping[Key, float],
    protected: Set[Key],
    unprinted: Set[Key],
    sums: Iterable[Sum],
    bounds: Callable[[Key], Bounds],
    dear: Set[Key] = frozenset(),
) -> tuple[set[Key], set[Key]]:
    """Hide numbers until none of the protected ones follows from those that are left.

    Parameters
    ----------
    values
        Numbers by key, 0 or more.
    protected
        Keys that must stay unknown.
    unprinted
        Keys that are printed nowhere.
    sums
        Which numbers add up to which.
    bounds
        What a reader knows beforehand of a number that is not shown.
    dear
        Keys that are hidden only when hiding others does not help.

    Returns
    -------
    hidden : set
        Everything that is not shown: the protected, the unprinted and, near each protected one
        that would otherwise follow, the smallest part that is not 0, or a total where no part is
        left.
    told : set
        Of these, the ones around a protected one that follows from the bounds alone, with
        everything hidden.
    """
    known = [each for each in sums if all(key in values for key in each.cells)]
    known = _without_zeros(known, values, set(protected) | set(unprinted))
    name = _same_number(values, known, unprinted)
    same: dict[Key, set[Key]] = {}
    for key in values:
        same.setdefault(name[key], set()).add(key)
    guarded = {first for first, keys in same.items() if not keys.isdisjoint(protected)}
    costly = {first for first, keys in same.items() if not keys.isdisjoint(dear)}
    fixed = guarded | {first for first, keys in same.items() if keys <= unprinted}
    hidden, told = set(fixed), set()
    proper = [
        Sum(name[each.total], tuple(name[part] for part in each.parts))
        for each in known
        if len(each.parts) > 1
    ]
    for connected in _components(proper):
        while found := _derivable(values, guarded, hidden, connected, bounds):
            further = {_next_to_hide(key, values, hidden, costly, connected) for key in found}
            if further <= {None}:
                told |= hidden & _cells(connected)
                break
            hidden |= further - {None}
        # Some of it may have turned out to be of no use.
        for key in _dearest_first(hidden - fixed, values, costly, connected):
            if not _derivable(values, guarded, hidden - {key}, connected, bounds):
                hidden.remove(key)
    return _all_names(hidden, same) | set(unprinted), _all_names(told, same)


def _same_number(
    values: Mapping[Key, float], sums: Iterable[Sum], unprinted: Set[Key]
) -> dict[Key, Key]:
    """Name every number; a total with one part that is not 0 is that part, with two names."""
    leader = _leaders((each.total, each.parts[0]) for each in sums if len(each.parts) == 1)
    first: dict[Key, Key] = {}
    for key in values:
        if key not in unprinted:
            first.setdefault(leader(key), key)
    return {key: first.get(leader(key), leader(key)) for key in values}


def _all_names(chosen: Set[Key], same: Mapping[Key, Set[Key]]) -> set[Key]:
    return {key for first in chosen for key in same[first]}


def _cells(sums: Iterable[Sum]) -> set[Key]:
    return {cell for each in sums for cell in each.cells}


def _dearest_first(
    keys: Set[Key], values: Mapping[Key, float], dear: Set[Key], sums: Sequence[Sum]
) -> list[Key]:
    """Order numbers of some sums by how much a reader would miss them."""
    totals = {each.total for each in sums}
    concerned = keys & _cells(sums)
    return sorted(
        concerned,
        key=lambda cell: (cell in dear, cell in totals, values[cell], str(cell)),
        reverse=True,
    )


def _without_zeros(sums: Iterable[Sum], values: Mapping[Key, float], kept: Set[Key]) -> list[Sum]:
    """Leave out the parts that are 0 and shown as 0."""
    shorter = [
        Sum(each.total, tuple(part for part in each.parts if part in kept or values[part] > 0))
        for each in sums
    ]
    return [each for each in shorter if each.parts]


def _leaders(pairs: Iterable[tuple[Key, Key]]) -> Callable[[Key], Key]:
    """Give all keys that pairs connect the same leader."""
    leader: dict[Key, Key] = {}

    def find(key: Key) -> Key:
        while leader.get(key, key) != key:
            key = leader[key]
        return key

    for one, other in pairs:
        leader[find(other)] = find(one)
    return find


def _components(sums: Sequence[Sum]) -> list[list[Sum]]:
    """Part sums that have no number in common, directly or through others."""
    name = _leaders((each.total, part) for each in sums for part in each.parts)
    found: dict[Key, list[Sum]] = {}
    for each in sums:
        found.setdefault(name(each.total), []).append(each)
    return list(found.values())


def _derivable(
    values: Mapping[Key, float],
    protected: Set[Key],
    hidden: Set[Key],
    sums: Sequence[Sum],
    bounds: Callable[[Key], Bounds],
) -> list[Key]:
    """List the protected numbers that a reader could work out.

    All solutions of the sums within the bounds form a polytope, and the truth is one of them. A
    number is known if it is the same in all: either it is stuck at a bound, or, beside those that
    are stuck, the sums determine it.
    """
    unknown = list(dict.fromkeys(key for s in sums for key in s.cells if key in hidden))
    if protected.isdisjoint(unknown):
        return []
    stuck = _stuck(values, unknown, sums, bounds)
    fixed = stuck | _determined(protected, set(unknown) - stuck, sums)
    return [key for key in unknown if key in protected and key in fixed]


def _stuck(
    values: Mapping[Key, float],
    unknown: Sequence[Key],
    sums: Sequence[Sum],
    bounds: Callable[[Key], Bounds],
) -> set[Key]:
    """List the numbers at a bound that cannot leave it, whatever the others do.

    Each round asks for a direction in which as many of them as possible leave their bound; those
    that did are not asked again. Directions add up, so what no round moved cannot be moved.
    """
    from scipy.optimize import linprog

    limits = [bounds(key) for key in unknown]
    room = [
        (-1.0 if values[key] > low + CLOSE else 0.0, 1.0 if values[key] < high - CLOSE else 0.0)
        for key, (low, high) in zip(unknown, limits, strict=True)
    ]
    left = {place for place, ends in enumerate(room) if ends != (-1.0, 1.0)}
    system = _system(unknown, sums)
    while left:
        aim = [-sum(room[place]) if place in left else 0.0 for place in range(len(unknown))]
        found = linprog(aim, A_eq=system, b_eq=np.zeros(len(sums)), bounds=room)
        moved = {place for place in left if abs(found.x[place]) > MOVED}
        if not moved:
            break
        left -= moved
    return {unknown[place] for place in left}


def _determined(protected: Set[Key], unknown: Set[Key], sums: Sequence[Sum]) -> set[Key]:
    """List the protected unknowns that the sums determine: those their null space leaves alone."""
    used = Counter(cell for each in sums for cell in each.cells if cell in unknown)
    # A sum with an unknown of its own that nobody asks about says nothing of the others.
    free = {cell for cell, times in used.items() if times == 1 and cell not in protected}
    telling = [each for each in sums if free.isdisjoint(each.cells)]
    keys = [key for key in used if key in _cells(telling)]
    if not keys:
        return set()
    _, sizes, directions = np.linalg.svd(_system(keys, telling).toarray())
    null_space = directions[int((sizes > CLOSE).sum()) :]
    fixed = (np.abs(null_space) < CLOSE).all(axis=0)
    return {key for key, same in zip(keys, fixed, strict=True) if same and key in protected}


def _system(keys: Sequence[Key], sums: Sequence[Sum]) -> csr_array:
    """Write the sums as equations in some unknowns, shape (sums, keys): parts less total."""
    column = {key: place for place, key in enumerate(keys)}
    entries = [
        (row, column[cell], sign)
        for row, each in enumerate(sums)
        for cell, sign in ((each.total, -1.0), *((part, 1.0) for part in each.parts))
        if cell in column
    ]
    rows, columns, signs = np.array(entries).T if entries else np.empty((3, 0))
    where = rows.astype(int), columns.astype(int)
    return csr_array((signs, where), shape=(len(sums), len(keys)))


def _next_to_hide(
    key: Key, values: Mapping[Key, float], hidden: Set[Key], dear: Set[Key], sums: Sequence[Sum]
) -> Key | None:
    """Choose what to hide beside a number: the nearest small part, dear numbers and totals last."""
    totals = {each.total for each in sums}
    reached: set[Key] = set()
    further = {key}
    choices = []
    step = 0
    while further != reached:
        reached, step = further, step + 1
        near = set().union(*(each.cells for each in sums if not reached.isdisjoint(each.cells)))
        choices += [
            (cell in dear, step, cell in totals, values[cell], str(cell), cell)
            for cell in near - hidden
            if values[cell] > 0
        ]
        further = reached | (near & hidden)
    return min(choices, key=lambda choice: choice[:-1])[-1] if choices else None
