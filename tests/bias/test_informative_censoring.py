"""Delta-adjusted imputation: no change at delta 1, and the truth when delta is right."""

import math

import numpy as np
import pandas as pd
import pytest

from bias.two_arm_trials import trial
from discontinuation.bias.informative_censoring import delta_adjusted
from discontinuation.bias.two_arms import hazard_ratio, two_arms
from discontinuation.problems import InvalidInput


def stream():
    return np.random.default_rng(1)


def test_delta_one_is_close_to_the_observed_ratio():
    pair = trial(1, 800, dropout=0.5)
    found = delta_adjusted(*pair, 364, stream(), deltas=[1.0], imputations=40)
    row, observed = found.summary.iloc[0], hazard_ratio(two_arms(*pair))
    assert row["hazard_ratio"] == pytest.approx(observed.ratio, rel=0.05)
    assert math.log(row["upper"] / row["lower"]) == pytest.approx(
        math.log(observed.upper / observed.lower), rel=0.12
    )
    assert found.people_imputed == tuple(
        int(((one["event"] == 0) & (one["time"] < 364)).sum()) for one in pair
    )


def test_right_delta_removes_the_bias_of_informative_dropout():
    """People of the stopped arm leave, and then have three times the hazard."""
    random = np.random.default_rng(2)
    n = 6000
    kept = pd.DataFrame({"time": random.exponential(800, n)})
    leave = random.exponential(300, n)
    first = random.exponential(500, n)
    true_time = np.where(first < leave, first, leave + random.exponential(500 / 3, n))
    full = pd.DataFrame({"time": np.minimum(true_time, 364), "event": (true_time <= 364) * 1})
    seen = pd.DataFrame(
        {
            "time": np.minimum(np.minimum(first, leave), 364),
            "event": (first <= np.minimum(leave, 364)) * 1,
        }
    )
    kept = kept.assign(event=(kept["time"] <= 364) * 1, time=kept["time"].clip(upper=364))
    truth = hazard_ratio(two_arms(kept, full)).ratio
    found = delta_adjusted(kept, seen, 364, stream(), deltas=[3.0], imputations=10).summary
    ratios = found[found["delta_continued"] == 1].set_index("delta_stopped")["hazard_ratio"]
    assert ratios[3.0] == pytest.approx(truth, rel=0.04)
    assert ratios[1.0] < 0.85 * truth


def test_ratio_rises_with_the_delta_of_the_stopped_arm_and_falls_with_the_other():
    found = delta_adjusted(*trial(3, 300, dropout=0.6), 364, stream()).summary
    table = found.pivot_table("hazard_ratio", "delta_continued", "delta_stopped")
    assert (table.diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    assert (table.diff(axis=0).iloc[1:] < 0).all(axis=None)


def test_tipping_delta_changes_the_conclusion_and_nearer_ones_do_not():
    found = delta_adjusted(
        *trial(4, 250, 0.3, 1.7, dropout=0.8), 364, stream(), deltas=[1.2, 1.5, 2, 3, 5, 8]
    )
    line = found.summary[found.summary["delta_stopped"] == 1].set_index("delta_continued")["p"]
    assert line[1.0] <= 0.05 < line[found.tipping_continued]
    assert (line[(line.index > 1) & (line.index < found.tipping_continued)] <= 0.05).all()
    assert math.isnan(found.tipping_stopped)


def test_jump_to_reference_moves_toward_no_effect():
    pair = trial(5, 800, 0.4, 3.0, dropout=0.8)
    own, jump = (
        delta_adjusted(*pair, 364, stream(), deltas=[1.0], after=after).summary["hazard_ratio"][0]
        for after in ("own arm", "continued arm")
    )
    assert 1 < jump < 0.95 * own


def test_only_the_named_kinds_are_imputed():
    pair = trial(6, dropout=0.6)
    some = delta_adjusted(*pair, 364, stream(), deltas=[5.0], kinds=["dropout"])
    every = delta_adjusted(*pair, 364, stream(), deltas=[5.0])
    assert some.people_imputed == every.people_imputed
    pd.testing.assert_frame_equal(some.summary, every.summary)


def test_everything_wrong_is_told_at_once():
    with pytest.raises(InvalidInput) as error:
        delta_adjusted(
            *trial(7), 900, stream(), deltas=[0.0], after="own", kinds=["lost"], imputations=1
        )
    text = str(error.value)
    for part in ("deltas", "did you mean 'own arm'", "'lost': allowed", "imputations", "364 only"):
        assert part in text
