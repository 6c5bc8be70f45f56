"""The kernels do what a slow reading of the definitions does."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.survival import _cox_kernels as kernels
from discontinuation.survival import cox_design
from discontinuation.survival.cox_changing import Changing, unfold
from discontinuation.survival.cox_design import risk_sets, rows_there
from discontinuation.survival.cox_fit import evaluate, firth_pieces, fit, refit
from discontinuation.survival.cox_model import cox
from discontinuation.survival.follow_up import FollowUp, follow_up
from survival.cox_cases import case


def arranged(seed=0, n=25, ties=6, entry=True, weights=True, strata=2):
    rng = np.random.default_rng(seed)
    time = rng.integers(3, 3 + ties, n).astype(float)
    event = (rng.random(n) < 0.6).astype(int)
    event[0] = 1
    follow = follow_up(
        time,
        event,
        rng.integers(0, 5, n).clip(max=time - 1) if entry else None,
        rng.uniform(0.1, 2, n) if weights else None,
    )
    x = rng.normal(size=(n, 2)) * [1, 20] + 5
    stratum = rng.integers(0, strata, n)
    offset = rng.normal(size=n) / 3
    sets = risk_sets(follow, x, stratum, offset, np.arange(n))
    return follow, x, stratum, offset, sets


def slow_likelihood(follow, x, stratum, offset, beta, ties):
    """Sum over events of the log share of the hazard at risk, from the definition."""
    n = len(x)
    entry = np.full(n, -np.inf) if follow.entry is None else follow.entry
    weight = np.ones(n) if follow.weights is None else follow.weights
    eta, value = x @ beta + offset, 0.0
    for here in np.unique(stratum):
        for t in np.unique(follow.time[(follow.event == 1) & (stratum == here)]):
            at_risk = np.flatnonzero((entry < t) & (follow.time >= t) & (stratum == here))
            dying = [i for i in at_risk if follow.time[i] == t and follow.event[i]]
            if ties == "exact":
                subsets = combinations(at_risk, len(dying))
                value += eta[dying].sum()
                value -= np.log(sum(np.exp(eta[list(one)].sum()) for one in subsets))
                continue
            value += weight[dying] @ eta[dying]
            risk = weight * np.exp(eta)
            for place in range(len(dying)):
                gone = place / len(dying) if ties == "efron" else 0
                left = risk[at_risk].sum() - gone * risk[dying].sum()
                value -= weight[dying].mean() * np.log(left)
    return value


def slope(f, at, h=1e-5):
    steps = np.eye(len(at)) * h
    return np.array([(f(at + s) - f(at - s)) / (2 * h) for s in steps])


@pytest.mark.parametrize("ties", ["efron", "breslow", "exact"])
@pytest.mark.parametrize("seed", range(4))
def test_likelihood_score_and_information(ties, seed):
    weights = ties != "exact"
    follow, x, stratum, offset, sets = arranged(seed, weights=weights, entry=seed % 2 == 0)
    for gamma in (np.zeros(2), np.array([0.4, -0.7])):
        value, score, information = evaluate(sets, ties, gamma)
        beta = gamma / sets.scale
        slow = slow_likelihood(follow, x, stratum, offset, beta, ties)
        assert value == pytest.approx(slow, rel=1e-10)

        np.testing.assert_allclose(
            score, slope(lambda g: evaluate(sets, ties, g)[0], gamma), rtol=1e-6, atol=1e-8
        )
        np.testing.assert_allclose(
            information, -slope(lambda g: evaluate(sets, ties, g)[1], gamma), rtol=1e-6, atol=1e-7
        )


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_firth_score_is_the_slope_of_its_likelihood(ties):
    *_, sets = arranged(3)
    gamma = np.array([0.3, -0.5])
    score = firth_pieces(sets, ties, gamma)[1]
    slow = slope(lambda g: firth_pieces(sets, ties, g)[0], gamma)
    np.testing.assert_allclose(score, slow, rtol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), covariates=st.integers(0, 4))
def test_firth_climbs_to_the_top_in_few_steps(seed, covariates):
    # Its information is not the curvature: without learning that a climb took 68 steps on average.
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=(40, covariates)), np.repeat([0.0, 1.0], 20)])
    event = (x[:, -1] * rng.random(40) > 0.7).astype(int)  # separated by the last
    event[20] = 1
    follow = follow_up(rng.integers(1, 30, 40).astype(float), event)
    sets = risk_sets(follow, x, None, None, np.arange(40))
    found = fit(sets, "efron", [str(j) for j in range(covariates + 1)], firth=True)
    assert found.steps < 40
    np.testing.assert_allclose(firth_pieces(sets, "efron", found.beta)[1], 0, atol=1e-6)


def test_the_exact_likelihood_does_not_overflow():
    n = 3000
    rng = np.random.default_rng(5)
    event = (rng.random(n) < 0.4).astype(int)
    x = rng.normal(size=(n, 1)) + event[:, None]
    follow = follow_up(np.where(event, 1.0, 2.0), event)
    sets = risk_sets(follow, x, None, None, np.arange(n))
    found = fit(sets, "exact", ["x"])
    # One event time: conditional logistic regression, close to the logistic slope of 1.
    assert found.beta[0] / sets.scale[0] == pytest.approx(1, abs=0.15)


def test_refits_are_fits_of_copied_rows():
    follow, x, stratum, offset, sets = arranged(7, n=40, weights=False)
    rng = np.random.default_rng(1)
    times = rng.integers(0, 4, (5, 40))
    for ties in ("efron", "breslow"):
        found, states = refit(sets, times, ties)
        for one, copies in zip(found, times, strict=True):
            rows = np.repeat(np.arange(40), copies)
            own = FollowUp(follow.time[rows], follow.event[rows], follow.entry[rows])
            again = risk_sets(own, x[rows], stratum[rows], offset[rows], np.arange(len(rows)))
            best = fit(again, ties, ["a", "b"])
            np.testing.assert_allclose(one, best.beta / again.scale, rtol=1e-8)
    assert not states.any()


def test_a_refit_without_maximum_is_not_a_number():
    d = case("separated")
    follow = follow_up(d["time"], d["event"])
    sets = risk_sets(follow, d[["x"]].to_numpy(), None, None, np.arange(len(d)))
    nobody = np.zeros((1, len(d)))
    some = np.ones((1, len(d)))
    found, states = refit(sets, np.vstack([nobody, some]))
    assert np.isnan(found[0]).all() and states[0] != kernels.CONVERGED
    assert np.isfinite(found[1]).all()


@given(st.integers(0, 10_000))
def test_slots_are_the_same_from_whole_and_broken_times(seed):
    """Whole times are counted, others sorted."""
    follow, x, stratum, offset, sets = arranged(seed)
    entry = None if follow.entry is None else follow.entry / 7
    broken = FollowUp(follow.time / 7, follow.event, entry, follow.weights)
    again = risk_sets(broken, x, stratum, offset, np.arange(len(x)))
    at_risk = sets.last >= sets.first
    np.testing.assert_array_equal(at_risk, again.last >= again.first)
    for name in ("first", "last"):
        np.testing.assert_array_equal(getattr(sets, name)[at_risk], getattr(again, name)[at_risk])
    np.testing.assert_array_equal(sets.start, again.start)
    np.testing.assert_allclose(sets.time / 7, again.time, rtol=1e-15)


def test_the_layout_for_many_slots_and_strata_gives_the_same(monkeypatch):
    d = case("entry")
    asked = {"entry": "entry", "strata": "stratum", "cluster": "cluster", "weights": "weight"}
    usual = cox("x + arm", d, **asked)
    monkeypatch.setattr(cox_design, "MANY_SLOTS", 1)
    monkeypatch.setattr(cox_design, "MOST_CELLS", 0)
    d.index = d.index + 10
    other = cox("x + arm", d, **asked)
    np.testing.assert_allclose(other.coef, usual.coef, rtol=1e-10)
    np.testing.assert_allclose(other.robust_covariance, usual.robust_covariance, rtol=1e-9)
    for kind in ("martingale", "dfbeta"):
        np.testing.assert_allclose(other.residuals(kind), usual.residuals(kind), atol=1e-11)
    assert (other.residuals().index == usual.residuals().index + 10).all()
    times = np.random.default_rng(1).integers(0, 3, (3, len(d)))
    np.testing.assert_allclose(other.refit(times), usual.refit(times), rtol=1e-8)


def test_unfolding_without_any_change_is_nothing():
    _, x, *_, sets = arranged(2)
    flat = Changing((0,), np.ones((len(sets.start), 1)), ("again",), ("again",))
    folded = unfold(sets, x, flat)
    assert len(folded.row) == int((sets.last >= sets.first).sum())
    np.testing.assert_allclose(folded.x[:, 0], folded.x[:, 2])
    assert folded.event.sum() == sets.event.sum()


def test_rows_of_weight_0_are_not_there():
    follow = follow_up([1, 2, 3], [1, 0, 1], None, [1, 0, 2])
    left, row = rows_there(follow)
    assert row.tolist() == [0, 2] and left.weights.tolist() == [1, 2]
