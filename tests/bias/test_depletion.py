"""Frailty: exact recovery from exact curves, the tipping point, and both readings of frailty."""

import math

import numpy as np
import pytest

from bias.two_arm_trials import trial
from discontinuation.bias.depletion import _solve, frailty_adjusted_excess
from discontinuation.problems import InvalidInput


def marginal(h, phi):
    return math.log1p(phi * h) / phi


def increments(phi, theta, h1, h2, early):
    """Exact increments when frailty acts on relapse only and withdrawal is early."""
    m1, m2 = marginal(h1, phi), marginal(h2, phi) - marginal(h1, phi)
    d1 = marginal(theta * h1, phi) + early
    d2 = marginal(theta * h2, phi) - marginal(theta * h1, phi)
    return np.array([m1, m2, d1, d2])


@pytest.mark.parametrize("phi", [0.5, 1.0, 2.0])
def test_exact_curves_give_the_truth_at_the_true_variance(phi):
    theta, excess = _solve(increments(phi, 3.0, 0.07, 0.3, 0.2), phi, "relapse only")
    assert (theta, excess) == (pytest.approx(3.0), pytest.approx(0.2))
    # Without withdrawal both readings of the frailty agree.
    none = increments(phi, 3.0, 0.07, 0.3, 0.0)
    assert _solve(none, phi, "any event") == (pytest.approx(3.0), pytest.approx(0, abs=1e-12))
    assert _solve(none, 0.0, "any event")[1] > 0.005  # depletion taken for an early excess


def test_shared_frailty_on_any_event_is_recovered_given_the_frailty():
    phi, theta, h1, h2, early = 1.0, 2.0, 0.07, 0.3, 0.2
    d1, d = marginal(theta * h1 + early, phi), marginal(theta * h2 + early, phi)
    m1, m = marginal(h1, phi), marginal(h2, phi)
    found = _solve(np.array([m1, m - m1, d1, d - d1]), phi, "any event")
    assert found == (pytest.approx(theta), pytest.approx(early))


@pytest.mark.parametrize("acts_on", ["any event", "relapse only"])
def test_no_frailty_is_the_limit_of_a_small_one(acts_on):
    found = frailty_adjusted_excess(
        *trial(1, early_hazard=0.2), 84, 364, [0.0, 1e-5], acts_on=acts_on
    )
    assert found.curve["estimate"][0] == pytest.approx(found.curve["estimate"][1], abs=1e-4)
    assert found.curve["se"][0] == pytest.approx(found.curve["se"][1], abs=1e-4)


def test_standard_error_is_that_of_the_estimates():
    found = [
        frailty_adjusted_excess(
            *trial(seed, 400, 0.5, 3.0, frailty=1.0), 84, 364, [1.0], acts_on="relapse only"
        ).curve.iloc[0]
        for seed in range(200, 320)
    ]
    estimates = np.array([row["estimate"] for row in found])
    assert np.mean([row["se"] for row in found]) == pytest.approx(estimates.std(), rel=0.2)
    assert abs(estimates.mean()) < 4 * estimates.std() / math.sqrt(120)


def test_tipping_point_is_where_the_interval_first_includes_zero():
    pair = trial(2, 3000, 0.5, 3.0, frailty=2.0)
    found = frailty_adjusted_excess(*pair, 84, 364)
    assert 0 < found.tipping < 2.5
    at = frailty_adjusted_excess(*pair, 84, 364, [found.tipping - 0.01, found.tipping + 0.01])
    assert at.curve["lower"][0] > 0 > at.curve["lower"][1]
    assert "depletion of susceptible people alone is compatible" in found.sentence


def test_no_excess_tips_at_once_and_a_strong_one_never_does():
    none = frailty_adjusted_excess(*trial(3), 84, 364)
    assert none.tipping == 0 and "without any frailty" in none.sentence
    strong = frailty_adjusted_excess(
        *trial(4, 3000, 0.1, 1.2, early_hazard=0.8), 84, 364, acts_on="relapse only"
    )
    assert math.isnan(strong.tipping) and "up to 10" in strong.sentence


def test_everything_wrong_is_told_at_once():
    with pytest.raises(InvalidInput) as error:
        frailty_adjusted_excess(*trial(5), 84, 900, [-1.0], acts_on="relapse")
    text = str(error.value)
    assert "did you mean 'relapse only'" in text
    assert "'-1': allowed: 0 or more" in text and "followed to 364 only" in text
