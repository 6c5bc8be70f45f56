"""The likelihood is that of the normal distribution, and its gradient its derivative."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discontinuation.symptoms.likelihood import Rows, likelihood
from discontinuation.symptoms.maximise import Surface, curvature, maximise

shapes = st.lists(st.integers(1, 6), min_size=2, max_size=6)


def make_rows(sizes, q, seed, fractional=False):
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    gaps = [np.r_[np.nan, 1.0 + rng.integers(0, 3, size - 1)] for size in sizes]
    gap = np.concatenate(gaps) * (rng.uniform(0.5, 2, n) if fractional else 1)
    time = rng.normal(size=n)
    x = np.column_stack([np.ones(n), time])
    return Rows(rng.normal(size=n), x, np.column_stack([np.ones(n), time])[:, :q], gap)


def dense(rows, factor, phi, restricted):
    """Weighted sum of squares, log determinant, coefficients and effects, the long way."""
    n = len(rows.y)
    person = np.cumsum(np.isnan(rows.gap))
    v = np.zeros((n, n))
    for who in np.unique(person):
        own = np.flatnonzero(person == who)
        place = np.cumsum(np.nan_to_num(rows.gap[own]))
        z = rows.z[own]
        errors = np.power(phi, np.abs(np.subtract.outer(place, place)))
        v[np.ix_(own, own)] = z @ factor @ factor.T @ z.T + errors
    w = np.linalg.inv(v)
    information = rows.x.T @ w @ rows.x
    beta = np.linalg.solve(information, rows.x.T @ w @ rows.y)
    residual = rows.y - rows.x @ beta
    logdet = np.linalg.slogdet(v)[1]
    if restricted:
        logdet += np.linalg.slogdet(information)[1]
    d = factor @ factor.T
    effects = [
        d @ (rows.z * (person == who)[:, None]).T @ w @ residual for who in np.unique(person)
    ]
    return residual @ w @ residual, logdet, beta, np.array(effects)


@given(shapes, st.integers(0, 2), st.floats(-0.9, 0.95), st.booleans(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_likelihood_is_that_of_the_whole_covariance_matrix(sizes, q, phi, restricted, seed):
    if sum(sizes) < 4:
        sizes = [*sizes, 4]
    rows = make_rows(sizes, q, seed, fractional=False)
    factor = np.tril(np.random.default_rng(seed).normal(size=(q, q)))
    found = likelihood(rows, factor, phi, restricted)
    rss, logdet, beta, effects = dense(rows, factor, phi, restricted)
    assert found.rss == pytest.approx(rss, rel=1e-8)
    assert found.logdet == pytest.approx(logdet, rel=1e-8, abs=1e-8)
    np.testing.assert_allclose(found.coefficients, beta, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.effects, effects, rtol=1e-6, atol=1e-8)


@given(shapes, st.integers(0, 2), st.floats(-2, 3), st.booleans(), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("correlation", ["ar1", "car1"])
def test_gradient_is_the_derivative(correlation, sizes, q, eta, restricted, seed):
    rows = make_rows([*sizes, 4], q, seed, fractional=correlation == "car1")
    surface = Surface(rows, correlation, restricted)
    rng = np.random.default_rng(seed)
    theta = np.append(rng.normal(size=q * (q + 1) // 2), eta)
    steps = 1e-5 * np.eye(len(theta))
    slopes = [
        (surface.at(theta + h).criterion - surface.at(theta - h).criterion) / 2e-5 for h in steps
    ]
    np.testing.assert_allclose(surface.at(theta).gradient, slopes, rtol=1e-5, atol=1e-6)


def test_curvature_is_that_of_the_whole_likelihood():
    """By sigma too, which is differentiated by hand."""
    rows = make_rows([5] * 8, 2, 3)
    surface = Surface(rows, "ar1", True)
    theta = np.array([0.8, -0.3, 0.5, 0.7])
    sigma2 = surface.at(theta).sigma2

    def whole(full):
        parts = surface.at(full[:-1])
        return (
            parts.freedom * full[-1] + 0.5 * parts.rss * np.exp(-2 * full[-1]) + 0.5 * parts.logdet
        )

    full = np.append(theta, 0.5 * np.log(sigma2))
    h = 1e-4 * np.eye(5)
    hessian = [
        [
            (whole(full + a + b) - whole(full + a - b) - whole(full - a + b) + whole(full - a - b))
            / 4e-8
            for b in h
        ]
        for a in h
    ]
    np.testing.assert_allclose(curvature(surface, theta).hessian, hessian, rtol=1e-3, atol=2e-4)


def test_gradient_vanishes_at_the_maximum_from_every_start():
    rows = make_rows([6] * 12, 2, 8)
    for correlation in ("none", "ar1", "car1"):
        top = maximise(Surface(rows, correlation, True))
        assert top.gradient <= 1e-8
        assert top.starts[0] - min(top.starts) < 1e-6
