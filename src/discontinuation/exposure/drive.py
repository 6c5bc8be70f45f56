"""How hard does the absence of the drug pull, and how much of that adds up between two times?"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from discontinuation.exposure.histories import DoseHistories
from discontinuation.exposure.pharmacology import Pharmacology

FloatArray = npt.NDArray[np.float64]
Grid = Literal["exact", "daily"]

PEOPLE_PER_THREAD = 256  # below that, starting a thread costs more than it saves


def level_at(histories: DoseHistories, drug: Pharmacology, times: npt.ArrayLike) -> FloatArray:
    """Effect-site level (methods B1), exact at any time on either grid.

    Parameters
    ----------
    histories
        Of n people.
    drug
        Their drug.
    times
        One time each, or one for all.

    Returns
    -------
    array
        mg per day (in steady state the dose), shape (n,); NaN outside the person's record.
    """
    from discontinuation.exposure import _kernels

    people = len(histories.people)
    out = np.empty(people)
    each = _per_person(times, people)
    _share_out(_kernels.levels, people, each, *_compiled(histories, drug), out)
    return out


def states_at(
    histories: DoseHistories,
    drug: Pharmacology,
    reference: FloatArray,
    times: FloatArray,
    grid: Grid = "exact",
) -> FloatArray:
    """Dose, level, occupancy, retained occupancy, set-point and drive (methods B1, B2).

    Parameters
    ----------
    histories
        Of n people.
    drug
        Their drug.
    reference
        Level of each person at which retained occupancy is 1, shape (n,).
    times
        Rising times, shape (1, m) for all alike or (n, m).
    grid
        ``"exact"`` in time, or ``"daily"``: the state at the end of the day that holds the time.

    Returns
    -------
    array
        Shape (6, n, m), in the order above; the dose is the one up to that moment. NaN outside
        the person's record, and occupancy and all after it NaN if the drug's is not known.
    """
    from discontinuation.exposure import _kernels

    kernel = _kernels.states if grid == "exact" else _kernels.daily_states
    people = len(histories.people)
    out = np.empty((6, people, times.shape[1]))
    known = (histories.mean_dose, reference, *_compiled(histories, drug))
    _share_out(kernel, people, times, *known, out)
    return out


def drive_integral(
    histories: DoseHistories,
    drug: Pharmacology,
    reference: FloatArray,
    kappa: float,
    start: npt.ArrayLike,
    stop: npt.ArrayLike,
    grid: Grid = "exact",
) -> FloatArray:
    """Integral of ``w^kappa`` between two times (methods B2), in days.

    Parameters
    ----------
    histories, drug, reference
        As in `states_at`.
    kappa
        Exponent, greater than 0.
    start, stop
        Limits, one each or one for all.
    grid
        ``"exact"``: quadrature with a relative error of at most 1e-8. ``"daily"``: the drive at
        the end of a day counts for all of that day, as in every simulation of methods F.

    Returns
    -------
    array
        Shape (n,); NaN where a limit lies outside the person's record.
    """
    from discontinuation.exposure import _kernels

    kernel = _kernels.integrals if grid == "exact" else _kernels.daily_integrals
    people = len(histories.people)
    limits = (_per_person(start, people), _per_person(stop, people))
    out = np.empty(people)
    _share_out(kernel, people, float(kappa), *limits, reference, *_compiled(histories, drug), out)
    return out


def _compiled(histories: DoseHistories, drug: Pharmacology) -> tuple[Any, Any]:
    """Hand histories and drug over to the kernels."""
    from discontinuation.exposure import _kernels

    release = drug.release_half_life_days
    numbers = _kernels.Drug(
        elimination=np.log(2) / drug.half_life_days,
        release=np.log(2) / release if release else 0.0,
        emax=np.nan if drug.emax is None else float(drug.emax),
        k=np.nan if drug.occupancy_refused else float(drug.k or np.nan),
        hill=float(drug.hill),
        tau=float(drug.tau_days),
    )
    named = {name: getattr(histories, name) for name in _kernels.Histories._fields}
    return _kernels.Histories(**named), numbers


def _per_person(values: npt.ArrayLike, people: int) -> FloatArray:
    spread = np.broadcast_to(np.asarray(values, dtype=float), (people,))
    return np.ascontiguousarray(spread)


def _share_out(kernel: Callable[..., None], people: int, *arguments: Any) -> None:
    """Let each core work on its own people: the result does not depend on how many there are."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = max(1, min(cores or 1, people // PEOPLE_PER_THREAD))
    if threads == 1:
        kernel(0, people, *arguments)
        return
    edges = np.linspace(0, people, threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        done = [pool.submit(kernel, low, high, *arguments) for low, high in pairwise(edges)]
    for part in done:
        part.result()
