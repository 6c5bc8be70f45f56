"""What makes published figures impossible, beyond the limits of a single cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

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
    for row, cells in _rows(raw, "arms"):
        problems += _at(raw["arms"], row, cells, _arm_rules(cells))
    for row, cells in _rows(raw, "results"):
        size = randomised.get((cells.get("study", ""), cells.get("arm", "")))
        problems += _at(raw["results"], row, cells, _result_rules(cells, size))
    for row, cells in _rows(raw, "effects"):
        problems += _at(raw["effects"], row, cells, _effect_rules(cells))
    if "results" in raw:
        problems += _rising_curves(raw["results"])
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


def _effect_rules(cells: Cells) -> Iterator[Finding]:
    yield from _ordered(cells, "lower", "estimate", "upper")
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


def _rising_curves(results: RawTable) -> Iterator[Problem]:
    """Report event-free proportions that rise over time within an arm."""
    curves: dict[tuple[str, ...], list[tuple[float, float, int]]] = {}
    for row, cells in results.numbered():
        week, event_free = _get(cells, "week", "event_free")
        estimator = cells.get("estimator", "")
        if week is None or event_free is None or estimator not in ("kaplan_meier", "crude"):
            continue
        key = (*(cells.get(name, "") for name in ("study", "arm", "outcome")), estimator)
        curves.setdefault(key, []).append((week, event_free, row))
    for points in curves.values():
        points.sort()
        for (_, before, first), (_, after, row) in pairwise(points):
            if after > before:
                yield Problem(
                    results.file,
                    f"is higher than the {before:g} of an earlier week (row {first})",
                    row,
                    "event_free",
                    f"{after:g}",
                )
