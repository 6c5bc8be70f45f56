"""Bounds: they hold whatever the undecided events were, and the interval has its closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from bias.two_arm_trials import trial
from discontinuation.bias.bounds import imbens_manski, risk_bounds
from discontinuation.bias.verdict_words import Hypotheses
from discontinuation.problems import InvalidInput
from discontinuation.survival import aalen_johansen


def labelled(seed, undecided=0.3):
    random = np.random.default_rng(seed)
    arms = []
    for one in trial(seed, 300, early_hazard=0.2):
        cause = np.where(one["withdrawal"], "withdrawal", "relapse")
        cause = np.where(random.random(len(one)) < undecided, "indeterminate", cause)
        cause = np.where(one["event"] == 1, cause, np.where(one["ended"] == "dropout", "lost", ""))
        arms.append(one.assign(cause=pd.Series(cause).replace("", None).to_numpy()))
    return arms


def risk(people, counted, end):
    cause = np.where(people["cause"].isin(counted), 1, 0)
    other = people["cause"].isin(["relapse", "withdrawal", "indeterminate"]) & (cause == 0)
    curve = aalen_johansen(people["time"], np.where(other, 2, cause))
    return curve.probability[0, 0, np.searchsorted(curve.time, end, side="right") - 1]


def test_bounds_are_those_of_the_extreme_readings():
    continued, stopped = labelled(1)
    found = risk_bounds(continued, stopped, 300).summary.set_index("quantity")
    low = [risk(one, ["relapse"], 300) for one in (continued, stopped)]
    high = [risk(one, ["relapse", "indeterminate"], 300) for one in (continued, stopped)]
    assert found["lower_bound"].to_list() == pytest.approx([*low, low[1] - high[0]])
    assert found["upper_bound"].to_list() == pytest.approx([*high, high[1] - low[0]])


@pytest.mark.parametrize("seed", range(3))
def test_any_reading_of_the_undecided_lies_within(seed):
    continued, stopped = labelled(seed)
    row = risk_bounds(continued, stopped, 300).summary.set_index("quantity").loc["difference"]
    random = np.random.default_rng(seed)
    for _ in range(20):
        read = []
        for one in (continued, stopped):
            drawn = random.choice(["relapse", "withdrawal"], len(one), p=random.dirichlet([1, 1]))
            read.append(one.assign(cause=one["cause"].mask(one["cause"] == "indeterminate", drawn)))
        difference = risk(read[1], ["relapse"], 300) - risk(read[0], ["relapse"], 300)
        assert row["lower_bound"] - 1e-12 <= difference <= row["upper_bound"] + 1e-12


def test_nothing_undecided_leaves_a_point_with_its_usual_interval():
    found = risk_bounds(*labelled(2, undecided=0.0), 300).summary
    assert (found["upper_bound"] - found["lower_bound"]).to_list() == pytest.approx([0, 0, 0])


def test_assumptions_narrow_and_losses_widen():
    pair = labelled(3)
    width = [
        float(
            np.ptp(
                risk_bounds(*pair, 300, **options)
                .summary.iloc[2][["lower_bound", "upper_bound"]]
                .astype(float)
            )
        )
        for options in ({"none_other_in_continued": True}, {}, {"lost_included": True})
    ]
    assert width[0] < width[1] < width[2]


def test_swapping_the_hypotheses_bounds_the_other_reading():
    pair = labelled(4)
    swapped = [
        one.assign(cause=one["cause"].replace({"relapse": "withdrawal", "withdrawal": "relapse"}))
        for one in pair
    ]
    there = risk_bounds(*pair, 300)
    back = risk_bounds(*swapped, 300, hypotheses=Hypotheses().swapped())
    pd.testing.assert_frame_equal(there.summary, back.summary)
    assert there.sentence.replace("relapse", "withdrawal") == back.sentence


def test_imbens_manski_is_two_sided_at_a_point_and_one_sided_far_apart():
    point = imbens_manski((0.3, 0.1), (0.3, 0.1))
    assert point.upper == pytest.approx(0.3 + norm.ppf(0.975) * 0.1)
    apart = imbens_manski((0.0, 0.01), (0.9, 0.02))
    assert apart.lower == pytest.approx(-norm.ppf(0.95) * 0.01, rel=1e-6)
    assert apart.upper == pytest.approx(0.9 + norm.ppf(0.95) * 0.02, rel=1e-6)
    assert imbens_manski((0.1, 0.0), (0.4, 0.0)).upper == 0.4


def test_everything_wrong_is_told_at_once():
    continued, stopped = labelled(5)
    with pytest.raises(InvalidInput) as error:
        risk_bounds(
            continued.assign(cause="relaps"), stopped.drop(columns="cause"), 300, confidence=0
        )
    text = str(error.value)
    assert (
        "continued arm, row 2, column cause: 'relaps'" in text and "did you mean 'relapse'" in text
    )
    assert "stopped arm, column cause: there is no such column" in text and "confidence" in text
    with pytest.raises(InvalidInput, match="followed to 364 only"):
        risk_bounds(continued, stopped, 5000)
