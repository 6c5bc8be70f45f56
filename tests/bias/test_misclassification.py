"""Misclassified outcomes: nothing wrong changes nothing, known truth comes back."""

import numpy as np
import pytest

from bias.two_arm_trials import trial
from discontinuation.bias.misclassification import (
    Belief,
    misclassification_grid,
    probabilistic_bias_analysis,
)
from discontinuation.bias.two_arms import hazard_ratio, two_arms
from discontinuation.problems import InvalidInput


def stream():
    return np.random.default_rng(1)


def test_perfect_classification_changes_nothing():
    pair = trial(1)
    grid = misclassification_grid(*pair, 84, 364).summary
    observed = hazard_ratio(two_arms(*pair))
    first = grid.iloc[0]
    assert first["hazard_ratio"] == pytest.approx(observed.ratio, rel=1e-6)
    assert first["p"] == pytest.approx(observed.p, rel=1e-5)
    assert len(grid) == 8 * 3 * 2


def test_true_ratio_comes_back_when_the_predictive_value_is_true():
    pair = trial(2, 4000, 0.3, 1.5, early_hazard=0.28)
    early = pair[1][(pair[1]["time"] <= 84) & (pair[1]["event"] == 1)]
    ppv = 1 - early["withdrawal"].mean()
    grid = misclassification_grid(
        *pair, 84, 364, ppv_early=[1.0, ppv], ppv_late=[1.0], ppv_continued=[1.0]
    ).summary
    naive, right = grid["hazard_ratio"]
    oracle = pair[1].assign(event=pair[1]["event"] * ~pair[1]["withdrawal"])
    truth = hazard_ratio(two_arms(pair[0], oracle))
    assert naive > 2
    assert right == pytest.approx(truth.ratio, rel=0.02)
    assert abs(np.log(right / 1.5)) < 3 * truth.se


def test_fewer_true_events_in_an_arm_always_move_the_ratio_away_from_it():
    grid = misclassification_grid(*trial(3), 84, 364).summary
    grid = grid.set_index(["ppv_stopped_early", "ppv_stopped_late", "ppv_continued"])[
        "hazard_ratio"
    ]
    table = grid.unstack("ppv_stopped_early")
    assert (table.diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    assert (grid.unstack("ppv_continued").diff(axis=1).iloc[:, 1:] < 0).all(axis=None)


def test_certain_beliefs_change_nothing_but_add_random_error():
    pair = trial(4)
    found = probabilistic_bias_analysis(*pair, 84, 364, {}, stream())
    assert (
        found.systematic.lower == found.systematic.upper == pytest.approx(found.observed.estimate)
    )
    assert found.total.lower == pytest.approx(found.observed.lower, rel=0.04)
    assert found.total.upper == pytest.approx(found.observed.upper, rel=0.04)
    assert found.rejected == 0


@pytest.mark.parametrize("handling", ["censor", "return"])
def test_draws_centre_on_the_grid(handling):
    pair = trial(5, 1500, 0.3, 1.5, early_hazard=0.28)
    beliefs = {"stopped early": Belief(300, 700)}
    found = probabilistic_bias_analysis(
        *pair, 84, 364, beliefs, stream(), handling=handling, iterations=300
    )
    grid = misclassification_grid(
        *pair, 84, 364, ppv_early=[0.3], ppv_late=[1.0], ppv_continued=[1.0]
    ).summary["hazard_ratio"][0]
    # Those returned to the risk set relapse at the late rate, as censoring assumes of the others.
    assert found.systematic.estimate == pytest.approx(grid, rel=0.04)
    assert found.systematic.lower < grid < found.systematic.upper
    assert found.draws["stopped_early"].mean() == pytest.approx(0.3, abs=0.01)
    assert found.total.lower < found.systematic.lower


def test_impossible_draws_are_rejected_and_counted():
    beliefs = {"stopped early": Belief(1, 1, lowest=0.5)}
    found = probabilistic_bias_analysis(*trial(6), 84, 364, beliefs, stream(), iterations=1000)
    assert found.draws["stopped_early"].min() >= 0.5
    assert found.rejected == pytest.approx(0.5, abs=0.06)


def test_raters_who_err_alike_err_in_both_arms():
    beliefs = {"continued": Belief(8, 2), "stopped early": Belief(8, 2)}
    found = probabilistic_bias_analysis(
        *trial(7), 84, 364, beliefs, stream(), correlation=0.9, iterations=500
    )
    assert found.draws[["continued", "stopped_early"]].corr().iloc[0, 1] > 0.8


def test_everything_wrong_is_told_at_once():
    with pytest.raises(InvalidInput) as error:
        misclassification_grid(*trial(8), 84, 900, ppv_early=[0.0], ppv_late=[1.2])
    text = str(error.value)
    assert "ppv_early" in text and "ppv_late" in text and "followed to 364 only" in text
    with pytest.raises(InvalidInput) as error:
        probabilistic_bias_analysis(
            *trial(8), 84, 364, {"stoped early": Belief(0, 1)}, stream(), correlation=2,
            iterations=3, handling="keep",
        )  # fmt: skip
    text = str(error.value)
    assert "did you mean 'stopped early'" in text and "a 0, b 1" in text
    assert "correlation" in text and "iterations" in text and "handling" in text
    with pytest.raises(InvalidInput, match="draws were impossible"):
        probabilistic_bias_analysis(
            *trial(8), 84, 364, {"continued": Belief(1, 99, 0.9)}, stream(), iterations=100
        )
