"""What effect do the counts of two arms show?"""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt

from discontinuation.synthesis.effect import (
    BoolArray,
    Effect,
    FloatArray,
    Floats,
    ZeroCells,
    bad_choice,
    bad_values,
    floats,
    not_positive,
    not_probability,
    plain,
    refuse,
)

ONE_SIDED_TRIAL = "not estimable: no events, or nothing but events, in both arms"
UNCORRECTED_ZERO = "not estimable: a cell is zero and nothing was added"


def risk_ratio(
    events_a: npt.ArrayLike,
    n_a: npt.ArrayLike,
    events_b: npt.ArrayLike,
    n_b: npt.ArrayLike,
    zero_cells: ZeroCells = "add_half_if_zero",
) -> Effect:
    """Log risk ratio of arm a to arm b.

    Parameters
    ----------
    events_a, n_a, events_b, n_b
        Events and people per arm; scalars or arrays that broadcast.
    zero_cells
        ``"add_half_if_zero"`` adds 1/2 to all four cells of a table that has an empty one,
        ``"add_half_always"`` to all tables, ``"none"`` to none.

    Returns
    -------
    Effect
        On the log scale. NaN, with the reason in `method`, where neither arm or everybody in
        both arms had the event: such a trial says nothing about a ratio, whatever is added.
        Otherwise as metafor's ``escalc(measure="RR", drop00=TRUE)`` with ``to`` ``"only0"``,
        ``"all"`` or ``"none"``.

    Raises
    ------
    ValueError
        Impossible counts or an unknown rule.

    References
    ----------
    Katz D et al. Biometrics 1978;34:469-474 (method C). Cochrane Handbook 6.4.1.
    """
    tables = two_by_two(events_a, n_a, events_b, n_b)
    add = _half(tables, zero_cells)
    a, b, c, d = (cell + add for cell in tables)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = np.log(a / (a + b)) - np.log(c / (c + d))
        # b / (a (a + b)) is 1/a - 1/n without the loss of digits when nearly all have the event.
        variance = b / (a * (a + b)) + d / (c * (c + d))
    return _log_ratio("log risk ratio", estimate, variance, _one_sided(*tables), add)


def odds_ratio(
    events_a: npt.ArrayLike,
    n_a: npt.ArrayLike,
    events_b: npt.ArrayLike,
    n_b: npt.ArrayLike,
    zero_cells: ZeroCells = "add_half_if_zero",
) -> Effect:
    """Log odds ratio of arm a to arm b.

    Parameters
    ----------
    events_a, n_a, events_b, n_b, zero_cells
        As for `risk_ratio`.

    Returns
    -------
    Effect
        On the log scale; NaN, with the reason in `method`, under the rule of `risk_ratio`.
        Otherwise as metafor's ``escalc(measure="OR", drop00=TRUE)``.

    Raises
    ------
    ValueError
        Impossible counts or an unknown rule.

    References
    ----------
    Woolf B. Ann Hum Genet 1955;19:251-253; Haldane JBS. Ann Hum Genet 1956;20:309-311.
    """
    tables = two_by_two(events_a, n_a, events_b, n_b)
    add = _half(tables, zero_cells)
    a, b, c, d = (cell + add for cell in tables)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = (np.log(a) - np.log(b)) - (np.log(c) - np.log(d))
        variance = (1 / a + 1 / b) + (1 / c + 1 / d)
    return _log_ratio("log odds ratio", estimate, variance, _one_sided(*tables), add)


def risk_difference(
    events_a: npt.ArrayLike,
    n_a: npt.ArrayLike,
    events_b: npt.ArrayLike,
    n_b: npt.ArrayLike,
    zero_cells: ZeroCells = "none",
) -> Effect:
    """Risk in arm a minus risk in arm b.

    Parameters
    ----------
    events_a, n_a, events_b, n_b, zero_cells
        As for `risk_ratio`, but ``"none"`` unless asked: a difference needs no correction, and
        adding 1/2 biases it. ``"add_half_if_zero"`` is what metafor's ``escalc(measure="RD")``
        does unless told otherwise.

    Returns
    -------
    Effect
        On the plain scale. The variance is zero, and `method` says so, when both risks are 0
        or 1; such a trial has no inverse-variance weight (`mantel_haenszel` can use it).

    Raises
    ------
    ValueError
        Impossible counts or an unknown rule.

    References
    ----------
    Cochrane Handbook 6.4.1; Newcombe RG. Stat Med 1998;17:873-890 (method 1).
    """
    tables = two_by_two(events_a, n_a, events_b, n_b)
    add = _half(tables, zero_cells)
    a, b, c, d = (cell + add for cell in tables)
    n1, n2 = a + b, c + d
    variance = a * b / n1**3 + c * d / n2**3
    name = "risk difference"
    method = np.where(add > 0, f"{name}, 1/2 added to every cell", name)
    method = np.where(variance == 0, f"{name}, variance zero: cannot be weighted", method)
    return Effect(plain(a / n1 - c / n2), plain(variance), "identity", _plain_text(method))


def rate_ratio(
    events_a: npt.ArrayLike,
    time_a: npt.ArrayLike,
    events_b: npt.ArrayLike,
    time_b: npt.ArrayLike,
    zero_cells: ZeroCells = "add_half_if_zero",
) -> Effect:
    """Log ratio of two rates of events per person-time.

    Parameters
    ----------
    events_a, events_b
        Events, counted once or repeatedly.
    time_a, time_b
        Person-time at risk, same unit in both arms.
    zero_cells
        As for `risk_ratio`, with the two event counts as the cells.

    Returns
    -------
    Effect
        On the log scale; NaN when neither arm has an event. Otherwise as metafor's
        ``escalc(measure="IRR", drop00=TRUE)``.

    Raises
    ------
    ValueError
        Negative counts, time that is not positive, or an unknown rule.

    References
    ----------
    Rothman KJ, Greenland S, Lash TL. Modern Epidemiology, 3rd ed., ch. 14. Cochrane Handbook 6.7.1.
    """
    ea, ta, eb, tb = floats(events_a, time_a, events_b, time_b)
    refuse(
        not_positive(time_a=ta, time_b=tb)
        + bad_values("events_a", ea, np.isfinite(ea) & (ea >= 0), "finite and at least 0")
        + bad_values("events_b", eb, np.isfinite(eb) & (eb >= 0), "finite and at least 0")
    )
    add = _half((ea, eb), zero_cells)
    one_sided = (ea == 0) & (eb == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = np.log((ea + add) / ta) - np.log((eb + add) / tb)
        variance = 1 / (ea + add) + 1 / (eb + add)
    return _log_ratio("log rate ratio", estimate, variance, one_sided, add)


def two_by_two(
    events_a: npt.ArrayLike, n_a: npt.ArrayLike, events_b: npt.ArrayLike, n_b: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Check the counts of two arms and lay them out as 2 x 2 tables.

    Parameters
    ----------
    events_a, n_a, events_b, n_b
        As for `risk_ratio`; need not be whole (effective counts are not).

    Returns
    -------
    tuple of arrays
        Events in a, event-free in a, events in b, event-free in b.

    Raises
    ------
    ValueError
        Sizes that are not positive, or events outside 0 to n.
    """
    ea, na, eb, nb = floats(events_a, n_a, events_b, n_b)
    refuse(_bad_counts("events_a", ea, "n_a", na) + _bad_counts("events_b", eb, "n_b", nb))
    return ea, na - ea, eb, nb - eb


def design_effect(cluster_size: npt.ArrayLike, icc: npt.ArrayLike) -> Floats:
    """Factor by which randomising clusters inflates the variance.

    Parameters
    ----------
    cluster_size
        Mean number of people per cluster, at least 1.
    icc
        Intracluster correlation, from 0 to 1.

    Returns
    -------
    float or array
        ``1 + (cluster_size - 1) icc``.

    Raises
    ------
    ValueError
        A size below 1 or a correlation outside 0 to 1.

    References
    ----------
    Cochrane Handbook 23.1.4; Donner A, Klar N. Design and Analysis of Cluster Randomization
    Trials in Health Research, 2000.
    """
    size, rho = floats(cluster_size, icc)
    refuse(
        bad_values("cluster_size", size, np.isfinite(size) & (size >= 1), "at least 1")
        + bad_values("icc", rho, (rho >= 0) & (rho <= 1), "from 0 to 1")
    )
    return plain(1 + (size - 1) * rho)


def effective_counts(
    events: npt.ArrayLike, n: npt.ArrayLike, deff: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Count a cluster-randomised arm as if its people had been randomised one by one.

    Parameters
    ----------
    events, n
        Events and people in the arm.
    deff
        From `design_effect`, at least 1.

    Returns
    -------
    tuple
        Events and people, each divided by the design effect and not rounded: the risk stays.

    Raises
    ------
    ValueError
        Impossible counts or a design effect below 1.

    References
    ----------
    Cochrane Handbook 23.1.4.
    """
    count, size, factor = floats(events, n, deff)
    refuse(
        _bad_counts("events", count, "n", size)
        + bad_values("deff", factor, np.isfinite(factor) & (factor >= 1), "at least 1")
    )
    return plain(count / factor), plain(size / factor)


def effective_n(p: npt.ArrayLike, variance: npt.ArrayLike) -> Floats:
    """Size of the simple sample in which a proportion would have the given variance.

    Parameters
    ----------
    p, variance
        Proportion, between 0 and 1, and its variance.

    Returns
    -------
    float or array
        ``p (1 - p) / variance``.

    Raises
    ------
    ValueError
        p outside (0, 1) or a variance that is not positive.

    References
    ----------
    Cutler SJ, Ederer F. J Chronic Dis 1958;8:699-712 (effective sample size).
    """
    prob, var = floats(p, variance)
    refuse(not_probability(p=prob) + not_positive(variance=var))
    return plain(prob * (1 - prob) / var)


def split_shared_arm(
    events: npt.ArrayLike, n: npt.ArrayLike, parts: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Share one control arm out among several comparisons, so that nobody counts twice.

    Parameters
    ----------
    events, n
        Events and people in the shared arm.
    parts
        Number of comparisons that use it, at least 1.

    Returns
    -------
    tuple
        Events and people of one part, not rounded. The parts are treated as independent, which
        is only approximate.

    Raises
    ------
    ValueError
        Impossible counts or less than one part.

    References
    ----------
    Cochrane Handbook 23.3.4.
    """
    count, size, share = floats(events, n, parts)
    refuse(
        _bad_counts("events", count, "n", size)
        + bad_values("parts", share, np.isfinite(share) & (share >= 1), "at least 1")
    )
    return plain(count / share), plain(size / share)


def combine_arms_counts(events: npt.ArrayLike, n: npt.ArrayLike) -> tuple[float, float]:
    """Join several arms of one trial into one.

    Parameters
    ----------
    events, n
        Events and people per arm, shape (arms,).

    Returns
    -------
    tuple of float
        Events and people together.

    Raises
    ------
    ValueError
        Impossible counts.

    References
    ----------
    Cochrane Handbook 23.3.4.
    """
    count, size = floats(events, n)
    refuse(_bad_counts("events", count, "n", size))
    return float(count.sum()), float(size.sum())


def _bad_counts(events_name: str, events: FloatArray, n_name: str, n: FloatArray) -> list[str]:
    n_good = np.isfinite(n) & (n > 0)
    # A wrong size is its own problem; do not call the events wrong as well.
    events_good = (events >= 0) & np.isfinite(events) & ((events <= n) | ~n_good)
    return [
        *bad_values(n_name, n, n_good, "finite and greater than 0"),
        *bad_values(events_name, events, events_good, f"from 0 to {n_name}"),
    ]


def _half(tables: tuple[FloatArray, ...], zero_cells: str) -> FloatArray:
    """Return what is added to each cell of each table."""
    refuse(bad_choice("zero_cells", zero_cells, get_args(ZeroCells)))
    any_zero = np.any([cell == 0 for cell in tables], axis=0)
    if zero_cells == "add_half_if_zero":
        return np.where(any_zero, 0.5, 0.0)
    return np.full(any_zero.shape, 0.5 if zero_cells == "add_half_always" else 0.0)


def _one_sided(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> BoolArray:
    """Tell where nobody, or everybody, had the event in both arms."""
    one_sided: BoolArray = ((a == 0) & (c == 0)) | ((b == 0) & (d == 0))
    return one_sided


def _log_ratio(
    name: str,
    estimate: FloatArray,
    variance: FloatArray,
    one_sided: BoolArray,
    added: FloatArray,
) -> Effect:
    """Blank what cannot be estimated and say, effect by effect, what was done."""
    estimable = ~one_sided & np.isfinite(estimate) & np.isfinite(variance) & (variance > 0)
    used = np.where(added > 0, f"{name}, 1/2 added to every cell", name)
    reason = np.where(one_sided, ONE_SIDED_TRIAL, UNCORRECTED_ZERO)
    return Effect(
        plain(np.where(estimable, estimate, np.nan)),
        plain(np.where(estimable, variance, np.nan)),
        "log",
        _plain_text(np.where(estimable, used, reason)),
    )


def _plain_text(values: npt.NDArray[np.str_]) -> str | npt.NDArray[np.str_]:
    return str(values) if values.ndim == 0 else values
