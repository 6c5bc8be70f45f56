"""Heterogeneity against closed forms, its own estimating equations and metafor."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from compare import Columns, asked, assert_as_metafor, datasets, effects_of, exactly
from discontinuation.synthesis import generalised_q, pool, reml_score
from drawn_trials import METHODS, RANDOM, effect_lists, methods, property_test


def heterogeneity(y: np.ndarray, v: np.ndarray) -> Iterator[tuple[str, float]]:
    for method in METHODS:
        fit = pool(y, v, method)
        values = {"tau2": fit.tau2, "I2": fit.i2, "Q": fit.q, "Q p": fit.q_p}
        for name, value in values.items():
            yield f"{'FE' if method == 'common' else method} {name}", value
    fit = pool(y, v)
    yield "Q-profile tau2 lower", fit.tau2_lower
    yield "Q-profile tau2 upper", fit.tau2_upper
    yield "Q-profile I2 lower", fit.i2_lower
    yield "Q-profile I2 upper", fit.i2_upper


@pytest.mark.parametrize("dataset", datasets("heterogeneity"))
def test_as_by_metafor(dataset: str) -> None:
    got = dict(heterogeneity(*effects_of(dataset)))
    for name, value in list(got.items()):  # with metafor's own tolerances
        first, _, rest = name.partition(" ")
        got[f"{first} default {rest}"] = value
    assert_as_metafor("heterogeneity", dataset, got)


@pytest.mark.parametrize("method", RANDOM)
@pytest.mark.parametrize("difference", [0.0, 0.4, 3.0])
def test_two_trials_have_one_tau2_in_closed_form(method: str, difference: float) -> None:
    fit = pool([1.0, 1 + difference], [0.1, 0.3], method)
    assert fit.tau2 == exactly(max(0, difference**2 / 2 - 0.2))


@pytest.mark.parametrize("method", RANDOM)
def test_equal_variances_have_one_tau2_in_closed_form(method: str) -> None:
    y = np.array([0.2, 1.4, -0.7, 0.9, 0.1])
    fit = pool(y, np.full(5, 0.15), method)
    assert fit.tau2 == exactly(y.var(ddof=1) - 0.15)
    assert fit.i2 == exactly(100 * fit.tau2 / (fit.tau2 + 0.15))


def test_dersimonian_laird_and_i2() -> None:
    y, v = np.array([0.3, -0.9, 0.5, 1.2]), np.array([0.04, 0.09, 0.25, 0.02])
    w = 1 / v
    q = (w * (y - (w * y).sum() / w.sum()) ** 2).sum()
    c = w.sum() - (w**2).sum() / w.sum()
    fit = pool(y, v, "DL")
    assert fit.tau2 == exactly((q - 3) / c)
    assert fit.i2_q == exactly(100 * (q - 3) / q)
    assert fit.i2 == exactly(100 * fit.tau2 / (fit.tau2 + 3 / c))


def test_q_profile_limits_in_closed_form() -> None:
    y = np.array([0.2, 1.4, -0.7, 0.9, 0.1])
    fit = pool(y, np.full(5, 0.15), confidence=0.9)
    squares = 4 * y.var(ddof=1)
    assert fit.tau2_lower == exactly(max(0, squares / stats.chi2.ppf(0.95, 4) - 0.15))
    assert fit.tau2_upper == exactly(squares / stats.chi2.ppf(0.05, 4) - 0.15)
    agreeing = pool([0.1, 0.1, 0.1], [1, 1, 1])
    assert (agreeing.tau2_lower, agreeing.tau2_upper) == (0, 0)


MAXIMA = {
    "two maxima": ([1.6, -0.2, 1.4], [0.15, 0.62, 0.1]),
    "two maxima trap": ([-8.9, -3.2, -5.4, -3, 6.3], [4.9, 0.43, 18, 0.00067, 270]),
}


@pytest.mark.parametrize("name", MAXIMA)
def test_reml_takes_the_highest_of_two_maxima(name: str) -> None:
    y, v = MAXIMA[name]
    table = asked("two maxima")
    rows = table[table["dataset"] == name].set_index("quantity")["value"]
    inner = pool(y, v).tau2
    assert reml_score(y, v, 0) < 0  # so tau2 = 0 is a local maximum
    assert inner == pytest.approx(rows["inner tau2"], rel=1e-9)
    # metafor's own log-likelihood says that the inner one is the higher.
    gained, _ = integrate.quad(
        lambda log_tau2: reml_score(y, v, math.exp(log_tau2)) * math.exp(log_tau2),
        math.log(1e-12),
        math.log(inner),
        epsabs=1e-10,
        limit=500,
    )
    assert gained > 0
    assert gained == pytest.approx(rows["log-likelihood gained"], abs=1e-8)
    if name == "two maxima":
        assert inner == pytest.approx(rows["metafor tau2"], rel=1e-9)


@pytest.mark.parametrize("method", RANDOM)
@pytest.mark.parametrize(
    ("y", "v"),
    [
        ([0.1] * 4, [1e-8, 1.0, 1e8, 3.0]),
        ([1e6, 1e6 + 1, 1e6 - 2], [0.1, 0.2, 0.3]),
        ([0, 1, 2, 30], [1e-9, 1e-3, 1, 1e9]),
        ([0, 5e-7, 1e-6], [1e-12, 4e-12, 2e-13]),
        ([0, 400, -900], [1e-6, 1e-6, 1e-6]),
        ([0.1, 0.7, -0.3], [1e-22, 1e-22, 1e-22]),
        ([0.3, 1.1], [0.07, 0.07]),
        ([0.1, 0.9, 2.3, 0.4], [0.11, 0.11, 0.11, 0.11]),
    ],
)
def test_estimating_equations_hold_in_hard_cases(
    method: str, y: list[float], v: list[float]
) -> None:
    fit = pool(y, v, method)
    least = min(v)
    assert math.isfinite(fit.se)
    if method == "PM" and fit.tau2 > 0:
        assert abs(generalised_q(y, v, fit.tau2) - (len(y) - 1)) < 1e-10
    if method == "REML":
        # Multiplied by the scale of tau2 the score has no unit.
        score = reml_score(y, v, fit.tau2) * (fit.tau2 + least)
        assert abs(score) < 1e-10 if fit.tau2 > 0 else score <= 0
    if len(set(y)) == 1:
        assert fit.tau2 == 0


@property_test
@given(effect_lists)
def test_reml_and_paule_mandel_solve_their_equations(trials: Columns) -> None:
    y, v = trials
    tau2 = pool(y, v, "REML").tau2
    score = reml_score(y, v, tau2)
    if tau2 > 0:
        assert abs(score) < 1e-10 * max(1, 1 / (tau2 + v.min()))
    else:
        assert score <= 0
    tau2 = pool(y, v, "PM").tau2
    if tau2 > 0:
        assert abs(generalised_q(y, v, tau2) - (len(y) - 1)) < 1e-10
    else:
        assert generalised_q(y, v, 0) <= len(y) - 1


@property_test
@given(effect_lists)
def test_the_score_is_the_slope_of_the_restricted_likelihood(trials: Columns) -> None:
    y, v = trials

    def loglik(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = (w * y).sum() / w.sum()
        return -(-np.log(w).sum() + np.log(w.sum()) + (w * (y - mean) ** 2).sum()) / 2

    h = 1e-4
    slope = (loglik(0.5 + h) - loglik(0.5 - h)) / (2 * h)
    assert reml_score(y, v, 0.5) == pytest.approx(slope, abs=1e-5)


@property_test
@given(effect_lists)
def test_homogeneous_trials_have_no_tau2(trials: Columns) -> None:
    y, v = trials
    q, df = generalised_q(y, v, 0), len(y) - 1
    # Shrink the effects towards their mean until Cochran's Q is below its expectation.
    calm = y * math.sqrt(0.99 * df / q) if q > df else y
    for method in ("DL", "PM"):
        assert pool(calm, v, method).tau2 == 0
    assert pool(np.full(len(y), y[0]), v).tau2 == 0


@property_test
@given(effect_lists, st.floats(0.5, 0.99))
def test_q_profile_limits_hit_the_quantiles(trials: Columns, confidence: float) -> None:
    y, v = trials
    fit = pool(y, v, confidence=confidence)
    df, tail = len(y) - 1, (1 - confidence) / 2
    for limit, target in (
        (fit.tau2_lower, stats.chi2.isf(tail, df)),
        (fit.tau2_upper, stats.chi2.ppf(tail, df)),
    ):
        if limit > 0:
            assert generalised_q(y, v, limit) == pytest.approx(target, rel=1e-10)
        else:
            assert generalised_q(y, v, 0) <= target * (1 + 1e-12)
    assert fit.tau2_lower <= fit.tau2_upper


@property_test
@given(effect_lists, methods)
def test_i2_q_is_what_q_has_beyond_its_degrees_of_freedom(trials: Columns, method: str) -> None:
    y, v = trials
    fit = pool(y, v, method)
    assert fit.i2_q == pytest.approx(max(0, 100 * (1 - (len(y) - 1) / fit.q)) if fit.q else 0)


def test_a_tau2_below_0_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tau2 must be .*tau2 = -1"):
        reml_score([0.1, 0.4, 0.2, 0.9], [0.1, 0.2, 0.1, 0.3], -1)
    with pytest.raises(ValueError, match=r"tau2 must be .*tau2 = nan"):
        generalised_q([0.1, 0.4], [0.1, 0.2], math.nan)
