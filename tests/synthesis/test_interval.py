"""The Knapp-Hartung factor and p-values against metafor and in closed form."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from scipy import stats

from compare import TOY, Columns, assert_as_metafor
from discontinuation.synthesis import generalised_q, pool
from drawn_trials import effect_lists, property_test, random_methods


def test_trials_that_agree_too_well() -> None:
    assert_as_metafor("interval", "homogeneous toy", {"q": generalised_q(*TOY, 0) / 3})
    plain, truncated = pool(*TOY, truncate=False), pool(*TOY)
    assert plain.se == pytest.approx(0.006017995652, rel=1e-9)
    assert truncated.se == pytest.approx(0.1025978352, rel=1e-9)
    assert truncated.truncated
    assert not plain.truncated


def test_a_standard_error_of_zero_has_no_p_value() -> None:
    fit = pool([0.2, 0.2, 0.2], [0.1, 0.1, 0.1], truncate=False)
    assert (fit.se, fit.lower, fit.upper) == (0, 0.2, 0.2)
    assert math.isnan(fit.p)


@property_test
@given(effect_lists, random_methods)
def test_truncation_never_narrows(trials: Columns, method: str) -> None:
    y, v = trials
    fit, plain = pool(y, v, method), pool(y, v, method, truncate=False)
    at_one = stats.t.ppf(0.975, len(y) - 1) / math.sqrt((1 / (v + fit.tau2)).sum())
    half = (fit.upper - fit.lower) / 2
    assert half >= at_one * (1 - 1e-12)
    assert half >= (plain.upper - plain.lower) / 2 * (1 - 1e-12)
    q = generalised_q(y, v, fit.tau2) / (len(y) - 1)
    assert fit.truncated == (q < 1)
    if not fit.truncated:
        assert half == pytest.approx(at_one * math.sqrt(q), rel=1e-9)
