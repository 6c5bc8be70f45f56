"""Mantel-Haenszel and Peto against single tables, by hand and metafor."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare import assert_as_metafor, counts_of, datasets, exactly
from discontinuation.synthesis import (
    mantel_haenszel,
    odds_ratio,
    peto,
    risk_difference,
    risk_ratio,
)
from drawn_trials import property_test


def tables(
    a: np.ndarray, n1: np.ndarray, c: np.ndarray, n2: np.ndarray
) -> Iterator[tuple[str, float]]:
    for measure in ("OR", "RR", "RD"):
        fit = mantel_haenszel(a, n1, c, n2, measure)
        yield f"MH {measure} mu", fit.estimate
        yield f"MH {measure} se", fit.se
        yield f"MH {measure} lower", fit.lower
        yield f"MH {measure} Q", fit.q
        yield f"MH {measure} Q p", fit.q_p
    one_step = peto(a, n1, c, n2)
    yield "Peto mu", one_step.estimate
    yield "Peto se", one_step.se
    yield "Peto lower", one_step.lower
    yield "Peto Q", one_step.q
    yield "Peto Q p", one_step.q_p


@pytest.mark.parametrize("dataset", datasets("stratified"))
def test_as_by_metafor(dataset: str) -> None:
    assert_as_metafor("stratified", dataset, dict(tables(*counts_of(dataset))))


@pytest.mark.parametrize(
    ("measure", "single"), [("OR", odds_ratio), ("RR", risk_ratio), ("RD", risk_difference)]
)
def test_identical_tables_pool_to_one_of_them(measure: str, single: object) -> None:
    table = (12.0, 40.0, 21.0, 45.0)
    fit = mantel_haenszel(*([cell] * 3 for cell in table), measure)
    one = single(*table)
    assert fit.estimate == exactly(one.estimate)
    if measure != "RD":  # Sato's variance is not the binomial one even then
        assert fit.se == exactly(one.se / math.sqrt(3))
    assert fit.q == pytest.approx(0, abs=1e-20)


def test_peto_by_hand() -> None:
    fit = peto([1, 4], [50, 100], [3, 9], [50, 100])
    expected = [2.0, 6.5]
    v = [4 * 96 * 50 * 50 / (100**2 * 99), 13 * 187 * 100 * 100 / (200**2 * 199)]
    assert fit.estimate == exactly((1 - expected[0] + 4 - expected[1]) / sum(v))
    assert fit.se == exactly(1 / math.sqrt(sum(v)))
    q = 1 / v[0] + 2.5**2 / v[1] - 3.5**2 / sum(v)
    assert fit.q == pytest.approx(q, rel=1e-10)


def test_trials_without_events() -> None:
    none = mantel_haenszel([0, 0], [10, 20], [0, 0], [10, 20], "RR")
    assert math.isnan(none.estimate)
    assert (none.k, none.k_informative) == (2, 0)
    assert math.isnan(peto([0, 0], [10, 20], [0, 0], [10, 20]).estimate)
    # Eventless trials leave a ratio alone and pull a difference to 0.
    with_empty = ([3, 0, 5], [50, 60, 70], [8, 0, 9], [50, 60, 70])
    without = ([3, 5], [50, 70], [8, 9], [50, 70])
    for measure in ("OR", "RR"):
        assert mantel_haenszel(*with_empty, measure).estimate == exactly(
            mantel_haenszel(*without, measure).estimate
        )
    pulled = mantel_haenszel(*with_empty, "RD").estimate
    assert abs(pulled) < abs(mantel_haenszel(*without, "RD").estimate)


tables_of_trials = st.lists(
    st.tuples(st.integers(5, 60), st.integers(5, 60), st.floats(0, 1), st.floats(0, 1)),
    min_size=2,
    max_size=6,
).map(
    lambda rows: tuple(
        np.array(column, dtype=float)
        for column in zip(*((round(n * p), n, round(m * r), m) for n, m, p, r in rows), strict=True)
    )
)


@property_test
@given(tables_of_trials)
def test_swapping_arms_mirrors_stratified_effects(
    counts: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    ea, na, eb, nb = counts
    for measure in ("OR", "RR", "RD"):
        one = mantel_haenszel(ea, na, eb, nb, measure)
        other = mantel_haenszel(eb, nb, ea, na, measure)
        assert other.estimate == pytest.approx(-one.estimate, abs=1e-12, nan_ok=True)
        assert other.se == pytest.approx(one.se, rel=1e-9, abs=1e-12, nan_ok=True)
    one, other = peto(ea, na, eb, nb), peto(eb, nb, ea, na)
    assert other.estimate == pytest.approx(-one.estimate, abs=1e-12, nan_ok=True)


def test_one_trial_is_not_pooled() -> None:
    with pytest.raises(ValueError, match="one trial is not pooled"):
        mantel_haenszel([3], [10], [4], [10])
    with pytest.raises(ValueError, match="one trial is not pooled"):
        peto(3, 10, 4, 10)
