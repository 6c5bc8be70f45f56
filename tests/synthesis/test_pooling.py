"""Pooling against closed forms and metafor."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from compare import Columns, assert_as_metafor, datasets, effects_of, exactly
from discontinuation.synthesis import pool
from drawn_trials import METHODS, RANDOM, effect_lists, methods, property_test, random_methods


def pooled(y: np.ndarray, v: np.ndarray, method: str) -> Iterator[tuple[str, float]]:
    fit = pool(y, v, method, knapp_hartung=False, prediction="z")
    yield from (("mu", fit.estimate), ("se", fit.se), ("lower", fit.lower), ("upper", fit.upper))
    yield "prediction z lower", fit.prediction_lower
    yield "prediction z upper", fit.prediction_upper
    riley = pool(y, v, method, knapp_hartung=False, prediction="t_k-2")
    yield "prediction t_k-2 lower", riley.prediction_lower
    yield "prediction t_k-2 upper", riley.prediction_upper
    for test, truncate in (("knha", False), ("adhoc", True)):
        hk = pool(y, v, method, truncate=truncate)
        yield from ((f"{test} se", hk.se), (f"{test} lower", hk.lower), (f"{test} upper", hk.upper))
        yield from ((f"{test} p", hk.p), (f"{test} prediction lower", hk.prediction_lower))
        yield f"{test} prediction upper", hk.prediction_upper


@pytest.mark.parametrize("dataset", datasets("pooling"))
def test_as_by_metafor(dataset: str) -> None:
    got = {}
    for method in METHODS:
        prefix = "FE" if method == "common" else method
        for name, value in pooled(*effects_of(dataset), method):
            # "default": with metafor's own tolerances
            got |= {f"{prefix} {name}": value, f"{prefix} default {name}": value}
    assert_as_metafor("pooling", dataset, got)


def test_common_effect() -> None:
    y, v = np.array([0.3, -0.2, 0.5]), np.array([0.04, 0.09, 0.25])
    fit = pool(y, v, "common")
    w = 1 / v
    mean = (w * y).sum() / w.sum()
    q = (w * (y - mean) ** 2).sum()
    assert fit.estimate == exactly(mean)
    assert fit.se == exactly(1 / math.sqrt(w.sum()))
    assert fit.upper == exactly(mean + stats.norm.ppf(0.975) / math.sqrt(w.sum()))
    assert fit.q == exactly(q)
    assert fit.q_p == exactly(stats.chi2.sf(q, 2))
    assert fit.p == exactly(2 * stats.norm.sf(abs(mean) * math.sqrt(w.sum())))
    np.testing.assert_allclose(fit.weights, w / w.sum(), rtol=1e-14)
    # Knapp-Hartung was left on and does not apply; nothing random has an interval.
    assert not fit.knapp_hartung
    assert fit.df == math.inf
    nothing = (fit.tau2_lower, fit.i2_upper, fit.prediction_lower, fit.prediction_upper)
    assert all(map(math.isnan, nothing))


@pytest.mark.parametrize("method", RANDOM)
def test_equal_variances_give_the_t_interval_of_the_effects(method: str) -> None:
    y = np.array([0.2, 1.4, -0.7, 0.9, 0.1])
    fit = pool(y, np.full(5, 0.15), method)
    assert fit.estimate == exactly(y.mean())
    assert fit.se == exactly(y.std(ddof=1) / math.sqrt(5))
    assert fit.upper == exactly(y.mean() + stats.t.ppf(0.975, 4) * fit.se)
    spread = math.sqrt(fit.tau2 + fit.se**2)
    assert fit.prediction_upper == exactly(y.mean() + stats.t.ppf(0.975, 4) * spread)


@pytest.mark.parametrize("method", RANDOM)
def test_two_trials_do_not_predict_a_third(method: str) -> None:
    fit = pool([1.0, 1.4], [0.1, 0.3], method)
    assert math.isnan(fit.prediction_lower)
    assert math.isnan(fit.prediction_upper)


@property_test
@given(effect_lists, methods, st.floats(-50, 50))
def test_shifting_all_effects_shifts_the_result(trials: Columns, method: str, shift: float) -> None:
    y, v = trials
    one, other = pool(y, v, method), pool(y + shift, v, method)
    assert other.estimate == pytest.approx(one.estimate + shift, abs=1e-8)
    assert other.tau2 == pytest.approx(one.tau2, abs=1e-8)
    assert other.se == pytest.approx(one.se, abs=1e-8)


@property_test
@given(effect_lists, methods, st.integers(-8, 8))
def test_changing_the_unit_changes_the_result_by_the_unit(
    trials: Columns, method: str, power: int
) -> None:
    y, v = trials
    unit = 2.0**power  # a power of two is exact, so the results must be too
    one, other = pool(y, v, method), pool(unit * y, unit**2 * v, method)
    assert other.estimate == pytest.approx(unit * one.estimate, rel=1e-12, abs=1e-300)
    assert other.tau2 == pytest.approx(unit**2 * one.tau2, rel=1e-12)
    assert other.upper == pytest.approx(unit * one.upper, rel=1e-12)
    assert other.tau2_upper == pytest.approx(unit**2 * one.tau2_upper, rel=1e-12, nan_ok=True)
    assert other.i2 == pytest.approx(one.i2, rel=1e-12)


@property_test
@given(effect_lists, methods, st.randoms(use_true_random=False))
def test_the_order_of_trials_does_not_matter(trials: Columns, method: str, random: object) -> None:
    y, v = trials
    order = list(range(len(y)))
    random.shuffle(order)
    one, other = pool(y, v, method), pool(y[order], v[order], method)
    assert other.estimate == pytest.approx(one.estimate, abs=1e-10)
    assert other.tau2 == pytest.approx(one.tau2, abs=1e-10)
    np.testing.assert_allclose(other.weights, one.weights[order], atol=1e-10)


@property_test
@given(effect_lists, methods)
def test_swapping_arms_mirrors_the_pooled_effect_exactly(trials: Columns, method: str) -> None:
    y, v = trials
    one, other = pool(y, v, method), pool(-y, v, method)
    assert other.estimate == -one.estimate
    assert (other.lower, other.upper) == (-one.upper, -one.lower)
    assert (other.tau2, other.q, other.se) == (one.tau2, one.q, one.se)


@property_test
@given(effect_lists, random_methods, st.booleans(), st.sampled_from(["t_k-1", "t_k-2", "z"]))
def test_a_new_trial_is_less_certain_than_the_mean(
    trials: Columns, method: str, hartung: bool, prediction: str
) -> None:
    y, v = trials
    assume(len(y) >= 3)
    assume(not (hartung and prediction == "z"))  # a normal quantile beside a t interval
    fit = pool(y, v, method, hartung, prediction=prediction)
    slack = 1e-12 * (1 + abs(fit.estimate) + fit.se)
    assert fit.prediction_lower <= fit.lower + slack
    assert fit.prediction_upper >= fit.upper - slack


@property_test
@given(effect_lists, methods)
def test_the_estimate_is_an_average(trials: Columns, method: str) -> None:
    y, v = trials
    fit = pool(y, v, method)
    assert y.min() - 1e-12 <= fit.estimate <= y.max() + 1e-12
    assert fit.weights.sum() == pytest.approx(1, rel=1e-12)
    assert np.all(np.diff(fit.weights[np.argsort(v)]) <= 1e-15)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="estimates must be finite") as error:
        pool(
            [0.1, math.nan, 0.3],
            [0.0, 0.2, -1, math.inf],
            method="ML",
            prediction="t",
            confidence=95,
        )
    text = str(error.value)
    for part in (
        "estimates[1] = nan",
        "variances[0] = 0, variances[2] = -1, variances[3] = inf",
        "(3,) and (4,)",
        "method must be one of REML, DL, PM, common, but method = 'ML'",
        "prediction must be one of t_k-1, t_k-2, z, but prediction = 't'",
        "confidence must be between 0 and 1, but confidence = 95",
    ):
        assert part in text


@pytest.mark.parametrize(("y", "v", "k"), [([0.3], [0.1], 1), ([], [], 0)])
def test_one_trial_is_not_pooled(y: list[float], v: list[float], k: int) -> None:
    sentence = rf"pooling \(one trial is not pooled\) needs at least 2 trials, but there are {k}\."
    with pytest.raises(ValueError, match=sentence):
        pool(y, v)
