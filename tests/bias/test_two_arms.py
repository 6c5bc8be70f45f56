"""Two arms: the same numbers as the general models, and refusals."""

import numpy as np
import pandas as pd
import pytest

from bias.two_arm_trials import lung, trial
from discontinuation.bias.two_arms import hazard_ratio, two_arms
from discontinuation.problems import InvalidInput
from discontinuation.survival import cox, nelson_aalen


def together(continued, stopped):
    return pd.concat([continued.assign(stopped=0.0), stopped.assign(stopped=1.0)])


@pytest.mark.parametrize("round_to", [1, 30])
def test_hazard_ratio_is_that_of_the_cox_model_with_and_without_ties(round_to):
    pair = [one.assign(time=np.ceil(one["time"] / round_to)) for one in trial(1)]
    found = hazard_ratio(two_arms(*pair), 0.9)
    model = cox("stopped", together(*pair), level=0.9)
    assert found.log_ratio == pytest.approx(model.coef[0], abs=1e-8)
    assert found.se == pytest.approx(model.summary["se"][0], rel=1e-7)
    assert found.p == pytest.approx(model.p_value[0], rel=1e-6)
    row = model.summary.loc[0, ["hazard_ratio", "lower", "upper"]].astype(float)
    assert [found.ratio, found.lower, found.upper] == pytest.approx(row.to_list())


def test_late_ratio_is_that_of_those_event_free_at_the_landmark():
    pair = trial(2)
    late = hazard_ratio(two_arms(*pair).between(84, 300))
    data = together(*pair)
    data = data[data["time"] > 84]
    data = data.assign(
        event=data["event"] * (data["time"] <= 300), time=data["time"].clip(upper=300)
    )
    assert late.log_ratio == pytest.approx(cox("stopped", data).coef[0], abs=1e-8)


def test_ratio_that_acts_through_the_loss_of_protection_is_that_of_a_changing_covariate():
    few = [one.iloc[:60] for one in trial(3)]
    arms = two_arms(*few)
    found = hazard_ratio(arms, loss=np.minimum(arms.time / 100, 1))
    rows = []
    for one, stopped in zip(few, (0, 1), strict=True):
        for time, event in zip(one["time"], one["event"], strict=True):
            cuts = [*arms.time[arms.time < time], time]
            for start, stop in zip([0.0, *cuts[:-1]], cuts, strict=True):
                rows.append((start, stop, event * (stop == time), stopped * min(stop / 100, 1)))
    stretches = pd.DataFrame(rows, columns=["entry", "time", "event", "loss"])
    model = cox("loss", stretches, entry="entry")
    assert found.log_ratio == pytest.approx(model.coef[0], abs=1e-8)
    assert found.se == pytest.approx(float(np.sqrt(model.covariance[0, 0])), rel=1e-7)


def test_cumulative_hazards_are_nelson_and_aalens(shared_data):
    pair = lung(shared_data)
    arms = two_arms(*pair).between(0, 365)
    for column, one in enumerate(pair):
        read = nelson_aalen(one["time"], one["event"]).at([365]).iloc[0]
        assert arms.hazard[column] == pytest.approx(read["cumulative_hazard"])
        assert arms.hazard_variance[column] == pytest.approx(read["se"] ** 2)


def test_an_arm_without_events_has_no_ratio():
    arms = two_arms(*trial(4, people=50))
    arms.events[:, 0] = 0
    assert np.isnan(hazard_ratio(arms).ratio)


def test_everything_wrong_is_told_at_once():
    continued = pd.DataFrame({"time": [1.0, -2.0], "events": [1, 0]})
    stopped = pd.DataFrame({"time": [1.0, np.inf, 3.0], "event": [0, 0, 2]})
    with pytest.raises(InvalidInput) as error:
        two_arms(continued, stopped)
    text = str(error.value)
    assert "continued arm, column event: there is no such column" in text
    assert "did you mean 'events'" in text
    assert "stopped arm, row 3, column time" in text
    assert "stopped arm, row 4, column event: '2': allowed: 0 or 1" in text


def test_an_arm_without_events_is_refused():
    continued, stopped = trial(5, people=20)
    with pytest.raises(InvalidInput, match="continued arm: has no event"):
        two_arms(continued.assign(event=0), stopped)
