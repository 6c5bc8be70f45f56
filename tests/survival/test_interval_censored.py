"""Turnbull's estimate is the likeliest one, and says where it cannot say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival._interval_kernels import (
    _convex_minorant,
    _gradient,
    _isotonic,
    _log_likelihood,
)
from discontinuation.survival.interval_censored import innermost, turnbull
from discontinuation.survival.stored import from_json, read_result, to_json, write_result
from survival.parametric_reference import present, printed, same_as_r, shared_table


def probability(found, lower, upper):
    """Probability that the estimate gives to each interval."""
    days = found.left == found.right
    inside = np.where(
        days,
        (found.left > lower[:, None])
        | ((found.left == lower[:, None]) & (lower == upper)[:, None]),
        (found.left >= lower[:, None]) & (lower < upper)[:, None],
    )
    inside &= found.right <= upper[:, None]
    return inside @ found.mass


@pytest.mark.parametrize("who", ["abrupt", "everybody"])
@pytest.mark.parametrize("name", ["visits", "ties"])
def test_it_equals_long_self_consistency_in_r(name, who):
    here = present(name)
    here = here if who == "everybody" else here[here["arm"] == who]
    found = turnbull(here["lower"], here["upper"], here["weight"])
    case = f"turnbull {name} {who}"
    same_as_r(case, "log-likelihood", found.log_likelihood, rtol=1e-10)
    shown = probability(found, here["lower"].to_numpy(), here["upper"].to_numpy())[:12]
    same_as_r(case, "probability", shown, rtol=1e-6)


def test_reference_values_of_the_radiotherapy_arm():
    table = shared_table("bcos")
    arm = table[table["treatment"] == "Rad"]
    found = turnbull(arm["left"], arm["right"])
    assert found.excess <= 1e-8
    for time in (10, 20, 30, 38, 46):
        row = found.at([time]).iloc[0]
        assert row["survival"] == printed(f"Turnbull NPMLE S(t), radiotherapy [{time}]")
    assert found.at([47]).iloc[0][["least", "most"]].tolist() == [
        pytest.approx(0, abs=1e-12),
        printed("Turnbull NPMLE S(t), radiotherapy [46]"),
    ]


def test_shared_visits_do_not_touch():
    # The trap: closed on both ends, neighbouring intervals would share day 14.
    lower = np.repeat([0.0, 14.0, 28.0, 42.0], [4, 3, 2, 1])
    upper = np.repeat([14.0, 28.0, 42.0, np.inf], [4, 3, 2, 1])
    found = turnbull(lower, upper)
    np.testing.assert_allclose(found.mass, [0.4, 0.3, 0.2, 0.1], rtol=1e-12)
    np.testing.assert_allclose(found.at([14, 28, 42])["survival"], [0.6, 0.3, 0.1], rtol=1e-12)
    inside = found.at([20]).iloc[0]
    assert np.isnan(inside["survival"])
    np.testing.assert_allclose(inside[["least", "most"]].astype(float), [0.3, 0.6])


def kaplan_meier(time, event):
    """Slow twin for people seen every day."""
    survival, now = {}, 1.0
    for t in np.unique(time[event == 1]):
        now *= 1 - ((time == t) & (event == 1)).sum() / (time >= t).sum()
        survival[t] = now
    return survival


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=2, max_size=30))
def test_days_and_censoring_alone_give_kaplan_meier(people):
    time = np.array([t for t, _ in people], dtype=float)
    event = np.array([int(e) for _, e in people])
    if not event.any():
        return
    found = turnbull(time, np.where(event == 1, time, np.inf))
    for t, survival in kaplan_meier(time, event).items():
        assert found.at([t])["survival"][0] == pytest.approx(survival, abs=1e-6)


intervals = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 6), st.booleans()), min_size=1, max_size=40
)


def as_limits(people):
    lower = np.array([float(a) for a, _, _ in people])
    upper = np.array([np.inf if never else float(a + w) for a, w, never in people])
    return lower, np.where(upper == 0, 1.0, upper)


@given(intervals)
def test_no_other_distribution_is_likelier(people):
    lower, upper = as_limits(people)
    if not np.isfinite(upper).any():
        return
    found = turnbull(lower, upper)
    assert found.mass.sum() == pytest.approx(1, abs=1e-12)
    assert found.excess <= 1e-8
    own = probability(found, lower, upper)
    assert np.log(own).sum() == pytest.approx(found.log_likelihood, abs=1e-6)
    # KKT, over every innermost interval and not only those with mass.
    for left, right in zip(*innermost(lower, upper), strict=True):
        holds = (
            (lower == left) & (upper == right)
            if left == right
            else (lower <= left) & (upper >= right) & (lower < upper)
        )
        if left == right:
            holds |= (lower < left) & (upper >= left)
        assert (holds / own).mean() <= 1 + 1e-6


@given(intervals, st.randoms())
def test_order_weights_and_units_do_not_matter(people, shuffler):
    lower, upper = as_limits(people)
    if not np.isfinite(upper).any():
        return
    one = turnbull(lower, upper)
    order = list(range(len(people)))
    shuffler.shuffle(order)
    twice = turnbull(7 * lower[order], 7 * upper[order], np.full(len(people), 2.0))
    assert twice.log_likelihood == pytest.approx(2 * one.log_likelihood, abs=1e-5)
    own, again = probability(one, lower, upper), probability(twice, 7 * lower, 7 * upper)
    np.testing.assert_allclose(own, again, atol=1e-4)


def test_innermost_intervals_of_a_worked_example():
    lower, upper = np.array([0, 4, 5, 5, 7]), np.array([7, 8, 5, 12, np.inf])
    left, right = innermost(lower.astype(float), upper)
    assert list(zip(left, right, strict=True)) == [(5, 5), (5, 7), (7, 8)]


def test_a_plateau_is_where_the_likelihood_says_not_where_em_stops():
    # A step in self-consistency so slow that EM stops in the fourth digit.
    lower = np.array([0, 0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 9.0])
    upper = np.array([3, 6, 5, 9, 7, 10, 8, np.inf, 11, 12, np.inf, 12, np.inf])
    found = turnbull(lower, upper)
    assert found.excess <= 1e-8


def test_isotonic_regression_pools_adjacent_violators():
    values, weights = np.array([1.0, 3, 2, 2, 5, 4]), np.array([1.0, 1, 1, 2, 1, 3])
    np.testing.assert_allclose(
        _isotonic(values, weights), [1, 2.25, 2.25, 2.25, 4.25, 4.25], rtol=1e-12
    )


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 3)), min_size=1, max_size=30))
def test_isotonic_regression_is_that_of_scipy(pairs):
    from scipy.optimize import isotonic_regression

    values, weights = np.array(pairs).T
    found = _isotonic(np.ascontiguousarray(values), np.ascontiguousarray(weights))
    np.testing.assert_allclose(found, isotonic_regression(values, weights=weights).x, atol=1e-12)


@given(st.integers(0, 10_000))
def test_compiled_steps_equal_dense_ones(seed):
    random = np.random.default_rng(seed)
    n, m = random.integers(2, 12), random.integers(2, 8)
    first = random.integers(0, m, n)
    last = random.integers(first, m)
    # Every place begins and ends some interval.
    first, last = np.concatenate([first, np.arange(m)]), np.concatenate([last, np.arange(m)])
    weights, mass = random.uniform(0.5, 2, n + m), random.dirichlet(np.ones(m))
    place = np.arange(m)
    holds = (place >= first[:, None]) & (place <= last[:, None])
    chance = holds @ mass
    value = weights @ np.log(chance)
    gradient = holds.T @ (weights / chance) / weights.sum()
    assert _log_likelihood(first, last, weights, mass) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(_gradient(first, last, weights, mass), gradient, rtol=1e-10)
    # Newton's step for each distribution value by itself, then rising values between 0 and 1.
    below = np.cumsum(mass)[:-1]
    in_below = (last[:, None] == place[:-1]) * 1.0 - (first[:, None] - 1 == place[:-1])
    slope = in_below.T @ (weights / chance)
    bend = (in_below**2).T @ (weights / chance**2)
    aim = np.clip(_isotonic(below + slope / bend, bend), 0, 1)
    np.testing.assert_allclose(
        _convex_minorant(first, last, weights, mass),
        np.diff(aim, prepend=0.0, append=1.0),
        atol=1e-9,
    )


def test_everybody_at_once_and_weight_nought():
    found = turnbull([0.0, 2.0, 0.0], [5.0, 9.0, 1.0], [1, 1, 0])
    assert (found.left.tolist(), found.right.tolist()) == ([2.0], [5.0])
    assert found.people == 2
    assert found.log_likelihood == pytest.approx(0, abs=1e-12)


def test_results_are_stored_and_print(tmp_path):
    here = present("visits")
    found = turnbull(here["lower"], here["upper"])
    again = from_json(to_json(found))
    pd.testing.assert_frame_equal(again.at([10, 30]), found.at([10, 30]))
    write_result(found, tmp_path / "found.parquet")
    assert read_result(tmp_path / "found.parquet").people == len(here)
    assert "only bounds are known" in str(found)


@pytest.mark.parametrize(
    ("lower", "upper", "weights", "message"),
    [
        ([5], [3], None, "the lower limit or more"),
        ([1, 2], [3], None, "values for 2 lower limits"),
        ([1, np.nan], [3, 4], None, "the last time known"),
        ([1, -2], [3, 4], None, "the last time known"),
        ([1], [np.nan], None, "inf for whoever"),
        ([1, 2], [np.inf, np.inf], None, "nobody has the event"),
        ([1, 2], [2, 4], [1, -1], "0 or more"),
        ([1, 2], [2, np.inf], [0, 1], "nobody has the event"),
        (["a"], [2], None, "one number per person"),
        ([], [], None, "there is nobody"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(lower, upper, weights, message):
    with pytest.raises(InvalidInput) as raised:
        turnbull(lower, upper, weights)
    assert message in str(raised.value)
