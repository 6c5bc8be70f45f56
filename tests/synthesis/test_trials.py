"""What is refused before trials are analysed together, and how they are arranged."""

from __future__ import annotations

import math

import numpy as np
import pytest

from compare import exactly
from discontinuation.synthesis import meta_regression
from discontinuation.synthesis.trials import arrange, as_trials


def test_trials_are_arranged_by_variance_around_their_median() -> None:
    y, v = np.array([3.0, 1.0, 2.5, 7.0]), np.array([0.4, 0.1, 0.4, 0.2])
    trials = arrange(y, v)
    np.testing.assert_array_equal(trials.v, [0.1, 0.2, 0.4, 0.4])
    np.testing.assert_array_equal(trials.y, [-1.75, 4.25, 0.25, -0.25])
    assert trials.df == 3
    assert trials.spread == exactly(3 * y.var(ddof=1))


def test_what_is_asked_for_says_how_many_trials_it_needs() -> None:
    _, _, problems = as_trials([0.1, 0.2], [1, 1], 3, "trim and fill")
    assert problems == ["trim and fill needs at least 3 trials, but there are 2"]


def test_useless_covariates_are_refused() -> None:
    y, v = [0.1, 0.4, 0.2, 0.9], [0.1, 0.2, 0.1, 0.3]
    with pytest.raises(ValueError, match=r"covariates\[2, 0\] = nan"):
        meta_regression(y, v, [1, 2, math.nan, 3])
    with pytest.raises(ValueError, match=r"one row per trial \(4\).*\(3, 1\)"):
        meta_regression(y, v, [1, 2, 3])
    with pytest.raises(ValueError, match="must not be constant"):
        meta_regression(y, v, [0.1, 0.1, 0.1, 0.1])
    with pytest.raises(ValueError, match="combinations of one another"):
        meta_regression(y, v, np.array([[1, 2], [2, 4], [3, 6], [4, 8]]))
    with pytest.raises(ValueError, match="4 coefficients need at least 5 trials"):
        meta_regression(y, v, np.eye(4)[:, :3])
