"""What makes published figures impossible, beyond the limits of a single cell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from discontinuation.problems import Problem
from discontinuation.tables.check import Cells, RawTable, number

# A proportion printed to two decimals can differ from the count by half a point.
ROUNDING = 0.0051


def check_evidence_rules(raw: Mapping[str, RawTable]) -> list[Problem]:
    """Find impossible figures: counts above denominators, disordered intervals, contradictions.

    Parameters
    ----------
    raw
        The tables of one collection, by name; tables that are absent are passed over.

    Returns
    -------
    list of Problem
    """
    problems: list[Problem] = []
    randomised = _sizes(raw)
    for row, cells in _rows(raw, "studies"):
        problems += _at(raw["studies"], row, cells, _study_rules(cells))
    for row, cells in _rows(raw, "arms"):
        problems += _at(raw["arms"], row, cells, _arm_rules(cells))
    for row, cells in _rows(raw, "results"):
        size = randomised.get((cells.get("study", ""), cells.get("arm", "")))
        problems += _at(raw["results"], row, cells, _result_rules(cells, size))
    for row, cells in _rows(raw, "effects"):
        problems += _at(raw["effects"], row, cells, _effect_rules(cells))
    if "results" in raw:
        problems += _rising_curves(raw["results"])
        problems += _falling_counts(raw["results"])
    problems += _effects_of_unknown_studies(raw)
    return problems


Finding = tuple[str, str]  # column, message


def _rows(raw: Mapping[str, RawTable], name: str) -> Iterator[tuple[int, Cells]]:
    return raw[name].numbered() if name in raw else iter(())


def _at(table: RawTable, row: int, cells: Cells, findings: Iterator[Finding]) -> list[Problem]:
    return [
        Problem(table.file, message, row, column, cells.get(column) or None)
        for column, message in findings
    ]


def _sizes(raw: Mapping[str, RawTable]) -> dict[tuple[str, str], float]:
    sizes = {}
    for _, cells in _rows(raw, "arms"):
        size = number(cells.get("n_randomised", ""))
        if size is not None:
            sizes[cells.get("study", ""), cells.get("arm", "")] = size
    return sizes


def _get(cells: Cells, *columns: str) -> list[float | None]:
    return [number(cells.get(column, "")) for column in columns]


def _ordered(cells: Cells, low: str, middle: str, high: str) -> Iterator[Finding]:
    lower, value, upper = _get(cells, low, middle, high)
    if lower is not None and value is not None and lower > value:
        yield low, f"lies above {middle} {value:g}; allowed: at most {value:g}"
    if upper is not None and value is not None and upper < value:
        yield high, f"lies below {middle} {value:g}; allowed: at least {value:g}"
    if lower is not None and upper is not None and lower > upper:
        yield low, f"lies above {high} {upper:g}; the interval runs backwards"


def _not_above(cells: Cells, part: str, whole: str) -> Iterator[Finding]:
    count, size = _get(cells, part, whole)
    if count is not None and size is not None and count > size:
        yield part, f"is more than {whole} {size:g}; allowed: 0 to {size:g}"


def _above_zero(cells: Cells, *columns: str) -> Iterator[Finding]:
    for column, value in zip(columns, _get(cells, *columns), strict=True):
        if value == 0:
            yield column, "gives no precision; allowed: above 0, or blank if 0 is what is printed"


def _wide(cells: Cells, low: str, high: str) -> Iterator[Finding]:
    lower, upper = _get(cells, low, high)
    if lower is not None and lower == upper:
        yield low, f"equals {high}, an interval without width; allowed: below {high}, or both blank"


def _study_rules(cells: Cells) -> Iterator[Finding]:
    # A cluster size alone is kept: it is often printed without its correlation.
    if cells.get("icc") and not cells.get("cluster_size"):
        yield "icc", "needs cluster_size beside it; allowed: both, or a blank icc"


def _arm_rules(cells: Cells) -> Iterator[Finding]:
    yield from _ordered(cells, "taper_days_lower", "taper_days", "taper_days_upper")
    if cells.get("strategy") in ("maintain", "new_start") and cells.get("taper_days"):
        yield "taper_days", f"an arm with strategy {cells['strategy']} has no taper; leave blank"


def _result_rules(cells: Cells, randomised: float | None) -> Iterator[Finding]:
    yield from _not_above(cells, "events", "n")
    yield from _not_above(cells, "at_risk", "n")
    yield from _ordered(cells, "event_free_lower", "event_free", "event_free_upper")
    yield from _ordered(cells, "week_lower", "week", "week_upper")
    yield from _ordered(cells, "mean_lower", "mean", "mean_upper")
    n, events, event_free = _get(cells, "n", "events", "event_free")
    if n is not None and randomised is not None and n > randomised:
        yield "n", f"is more than the {randomised:g} randomised to the arm (table arms)"
    if cells.get("estimator") == "crude" and n and events is not None and event_free is not None:
        expected = 1 - events / n
        possible = events <= n and 0 <= event_free <= 1
        if possible and abs(expected - event_free) > ROUNDING:
            yield (
                "event_free",
                f"does not follow from {events:g} events of {n:g}; allowed: about {expected:.3f}",
            )
    if cells.get("estimator") == "survival_quantile" and (
        not cells.get("week") or not cells.get("event_free")
    ):
        yield "estimator", "a survival quantile needs both its week and its event_free level"

    yield from _precision_rules(cells)


def _precision_rules(cells: Cells) -> Iterator[Finding]:
    """Report limits and errors from which no variance follows."""
    yield from _event_free_interval(cells)
    estimator = cells.get("estimator")
    if estimator == "survival_quantile":
        (week,) = _get(cells, "week")
        if week == 0:
            yield "week", "a survival quantile is reached after week 0; allowed: above 0"
        yield from _above_zero(cells, "week_se", "week_lower")
        yield from _wide(cells, "week_lower", "week_upper")
    if estimator in ("mean", "restricted_mean"):
        yield from _above_zero(cells, "sd", "se")
        yield from _wide(cells, "mean_lower", "mean_upper")
        (n,) = _get(cells, "n")
        spread = any(cells.get(name) for name in ("sd", "se", "mean_lower", "mean_upper"))
        if spread and n is not None and n < 2:
            yield "n", "a spread between people needs at least 2; allowed: 2 or more, or blank"


def _event_free_interval(cells: Cells) -> Iterator[Finding]:
    low, high = "event_free_lower", "event_free_upper"
    lower, value, upper = _get(cells, low, "event_free", high)
    if lower is None or upper is None:
        return
    yield from _wide(cells, low, high)
    if lower == 0 and upper == 1:
        yield low, "an interval from 0 to 1 says nothing; allowed: a narrower one, or both blank"
    elif lower == 0 < upper == value:
        yield high, f"equals event_free while {low} is cut at 0; allowed: above it, or both blank"
    elif upper == 1 > lower == value:
        yield low, f"equals event_free while {high} is cut at 1; allowed: below it, or both blank"


def _effect_rules(cells: Cells) -> Iterator[Finding]:
    yield from _ordered(cells, "lower", "estimate", "upper")
    yield from _wide(cells, "lower", "upper")
    yield from _above_zero(cells, "se")
    (p,) = _get(cells, "p_value")
    if cells.get("p_relation") == "exact" and p in (0, 1):
        yield (
            "p_value",
            "is rounded, not exact; allowed: above 0 and below 1, 'below' in p_relation, or blank",
        )
    yield from _ordered(cells, "week", "week", "week_upper")
    yield from _not_above(cells, "events_1", "n_1")
    yield from _not_above(cells, "events_2", "n_2")
    measure = cells.get("measure", "")
    if measure == "logrank_p":
        yield from _logrank_rules(cells)
    if "ratio" in measure:
        for column in ("estimate", "lower", "upper"):
            (value,) = _get(cells, column)
            if value is not None and value <= 0:
                yield column, f"a {measure} is above 0"


def _logrank_rules(cells: Cells) -> Iterator[Finding]:
    (p,) = _get(cells, "estimate")
    if p is not None and not 0 < p < 1:
        yield "estimate", "a P value lies between 0 and 1"
    counts = ("events_1", "n_1", "events_2", "n_2")
    for column in counts:
        (value,) = _get(cells, column)
        if value is None or value <= 0:
            yield column, "a hazard ratio from a log-rank test needs events and people in each arm"
    events_1, n_1, events_2, n_2 = _get(cells, *counts)
    if events_1 and n_1 and events_2 and n_2 and events_1 * n_2 == events_2 * n_1:
        yield "estimate", "equal crude risks: the P value does not say which arm fares worse"


def _effects_of_unknown_studies(raw: Mapping[str, RawTable]) -> Iterator[Problem]:
    """Report effects of a trial or cohort that is not described; a review's need not be."""
    known = {cells.get("study") for _, cells in _rows(raw, "studies")}
    for row, cells in _rows(raw, "effects"):
        study = cells.get("study")
        if cells.get("kind") in ("trial", "cohort") and study and study not in known:
            message = "is not in studies; allowed for a trial or cohort: a study key of studies"
            yield Problem(raw["effects"].file, message, row, "study", study)


def _rising_curves(results: RawTable) -> Iterator[Problem]:
    """Report event-free proportions that rise over time within an arm."""
    for earlier, later in _successive(results, "event_free", ("kaplan_meier", "crude")):
        if later.value > earlier.value:
            message = f"is higher than the {earlier.value:g} of an earlier week (row {earlier.row})"
            yield Problem(results.file, message, later.row, "event_free", f"{later.value:g}")


def _falling_counts(results: RawTable) -> Iterator[Problem]:
    """Report events that become fewer over time within an arm."""
    for earlier, later in _successive(results, "events", ("crude",)):
        if later.value < earlier.value:
            message = (
                f"is fewer than the {earlier.value:.10g} of an earlier week (row {earlier.row}); "
                "allowed: events counted from the start, which never fall"
            )
            yield Problem(results.file, message, later.row, "events", f"{later.value:.10g}")


class _Point(NamedTuple):
    week: float
    value: float
    row: int


def _successive(
    results: RawTable, column: str, estimators: Collection[str]
) -> Iterator[tuple[_Point, _Point]]:
    """Pair each value of an arm's outcome with that of the next week."""
    curves: dict[tuple[str, ...], list[_Point]] = {}
    for row, cells in results.numbered():
        week, value = _get(cells, "week", column)
        if week is None or value is None or cells.get("estimator") not in estimators:
            continue
        key = tuple(cells.get(name, "") for name in ("study", "arm", "outcome", "estimator"))
        curves.setdefault(key, []).append(_Point(week, value, row))
    for points in curves.values():
        yield from pairwise(sorted(points))
