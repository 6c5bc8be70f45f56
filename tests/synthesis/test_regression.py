"""Meta-regression against two groups pooled apart and metafor."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from compare import Columns, assert_as_metafor, covariates_of, datasets, effects_of, exactly
from discontinuation.synthesis import generalised_q, meta_regression, pool, reml_score
from drawn_trials import RANDOM, effect_lists, property_test, random_methods


def regression(y: np.ndarray, v: np.ndarray, x: object, method: str) -> Iterator[tuple[str, float]]:
    name = f"meta-regression {method}"
    for test, hartung, truncate in (
        ("z", False, False),
        ("knha", True, False),
        ("adhoc", True, True),
    ):
        fit = meta_regression(y, v, x, method, hartung, truncate)
        for i, (b, se) in enumerate(zip(fit.coefficients, fit.se, strict=True)):
            yield f"{name} {test} b{i}", b
            yield f"{name} {test} se{i}", se
        yield f"{name} {test} lower1", fit.lower[1]
        yield f"{name} {test} upper1", fit.upper[1]
        yield f"{name} {test} p1", fit.p[1]
        yield f"{name} {test} QM", fit.qm
        yield f"{name} {test} QM p", fit.qm_p
    yield f"{name} tau2", fit.tau2
    yield f"{name} I2", fit.i2
    yield f"{name} QE", fit.qe
    yield f"{name} R2", fit.r2


@pytest.mark.parametrize("dataset", datasets("regression"))
def test_as_by_metafor(dataset: str) -> None:
    x = covariates_of(dataset)
    got = {}
    for method in RANDOM:
        got |= regression(*effects_of(dataset), x, method)
    for name in [name for name in got if "REML" in name]:  # with metafor's own tolerances
        got[name.replace("REML z", "default").replace("REML", "default")] = got[name]
    assert_as_metafor("regression", dataset, got)


def test_the_columns_of_a_frame_are_the_names() -> None:
    dataset = "dat.bcg latitude and year"
    fit = meta_regression(*effects_of(dataset), covariates_of(dataset))
    assert fit.names == ("intercept", "ablat", "year")


def test_a_binary_covariate_compares_two_groups() -> None:
    y, v = np.array([0.1, 0.4, 0.3, 1.1, 0.9]), np.array([0.04, 0.09, 0.05, 0.02, 0.06])
    late = np.array([0, 0, 0, 1, 1])
    fit = meta_regression(y, v, late, "common")
    first, second = pool(y[:3], v[:3], "common"), pool(y[3:], v[3:], "common")
    assert fit.coefficients == pytest.approx(
        [first.estimate, second.estimate - first.estimate], rel=1e-12
    )
    assert fit.se[1] == exactly(math.hypot(first.se, second.se))
    assert fit.qm == exactly((fit.coefficients[1] / fit.se[1]) ** 2)
    assert fit.qe == exactly(first.q + second.q)
    assert (fit.qm_df, fit.qe_df, fit.names) == (1, 3, ("intercept", "x1"))
    assert math.isnan(fit.r2)


@property_test
@given(effect_lists, random_methods, st.floats(-100, 100), st.floats(0.01, 100))
def test_rescaling_a_covariate_rescales_its_coefficient(
    trials: Columns, method: str, shift: float, unit: float
) -> None:
    y, v = trials
    assume(len(y) >= 4)
    x = np.linspace(-1, 1, len(y)) ** 3
    one = meta_regression(y, v, x, method)
    other = meta_regression(y, v, shift + unit * x, method)
    assert other.tau2 == pytest.approx(one.tau2, abs=1e-6)
    assert other.coefficients[1] * unit == pytest.approx(one.coefficients[1], abs=1e-6)
    assert other.qm == pytest.approx(one.qm, rel=1e-5, abs=1e-6)
    if method == "REML" and one.tau2 > 0:
        assert abs(reml_score(y, v, one.tau2, x)) < 1e-10 * max(1, 1 / (one.tau2 + v.min()))
    if method == "PM" and one.tau2 > 0:
        assert generalised_q(y, v, one.tau2, x) == pytest.approx(one.qe_df, abs=1e-10)
