"""Effects by window: R's numbers, additivity, and equality with the general models."""

import numpy as np
import pandas as pd
import pytest

from bias.two_arm_trials import lung, trial
from discontinuation.bias.windows_effects import smooth_hazard_ratio, window_effects
from discontinuation.problems import InvalidInput
from discontinuation.survival import cox


def together(continued, stopped, end):
    data = pd.concat([continued.assign(stopped=0.0), stopped.assign(stopped=1.0)])
    return data.assign(
        event=data["event"] * (data["time"] <= end), time=data["time"].clip(upper=end)
    )


def test_lung_windows(shared_data):
    found = window_effects(*lung(shared_data), [90], 365)
    # The totals of section 9 of the methods dossier.
    assert found.share_mean_time.total == pytest.approx(-55.97032434, abs=1e-7)
    assert found.mean_time["estimate"].sum() == pytest.approx(-55.97032434, abs=1e-7)
    assert found.share_mean_time.total_variance == pytest.approx(107.2928560 + 116.4526732)
    assert found.landmark_people == (84, 117)


def test_covariance_of_early_and_total_mean_time_is_that_of_the_areas(shared_data):
    """Cov = sum over t_j of {area to t1}{area to tau} d / (n (n - d)), the slow way."""
    pair = lung(shared_data)
    covariance = 0.0
    for one in pair:
        times = np.sort(one.loc[one["event"] == 1, "time"].unique())
        at_risk = np.array([(one["time"] >= t).sum() for t in times])
        deaths = np.array([((one["time"] == t) & (one["event"] == 1)).sum() for t in times])
        curve = np.cumprod(1 - deaths / at_risk)
        grid = np.arange(0, 365) + 0.5
        s = np.append(1.0, curve)[np.searchsorted(times, grid, side="right")]
        for t, n, d in zip(times, at_risk, deaths, strict=True):
            early, total = s[(grid > t) & (grid < 90)].sum(), s[grid > t].sum()
            covariance += early * total * d / (n * (n - d))
    found = window_effects(*pair, [90], 365).share_mean_time
    assert found.covariance == pytest.approx(covariance, rel=1e-9)


def test_excess_hazards_add_up_and_the_early_one_is_its_own_covariance():
    found = window_effects(*trial(1), [30, 84, 200], 364)
    share = found.share_excess_hazard
    assert found.excess_hazard["estimate"].sum() == pytest.approx(share.total)
    assert (found.excess_hazard["se"] ** 2).sum() == pytest.approx(share.total_variance)
    assert share.covariance == share.early_variance


def test_piecewise_ratios_and_their_test_are_those_of_one_model():
    pair = trial(2)
    found = window_effects(*pair, [60, 180], 364)
    model = cox("stopped", together(*pair, 364), piecewise={"stopped": [60, 180]})
    assert found.hazard_ratios["estimate"].to_numpy() == pytest.approx(np.exp(model.coef))
    assert found.hazard_ratios["se"].to_numpy() == pytest.approx(np.sqrt(np.diag(model.covariance)))
    contrast = np.array([[1.0, -1, 0], [0, 1, -1]])
    difference = contrast @ model.coef
    wald = difference @ np.linalg.solve(contrast @ model.covariance @ contrast.T, difference)
    assert found.heterogeneity[:2] == (pytest.approx(wald), 2)


def test_smooth_ratio_is_recovered():
    """A hazard t^-0.5 against a constant one: the log ratio falls by half a unit per log day."""
    random = np.random.default_rng(3)
    n = 800
    continued = pd.DataFrame({"time": random.exponential(400, n)})
    stopped = pd.DataFrame({"time": 400 * (random.exponential(1, n)) ** 2})
    pair = [
        one.assign(event=(one["time"] <= 364).astype(int), time=one["time"].clip(upper=364))
        for one in (continued, stopped)
    ]
    found = smooth_hazard_ratio(*pair, [10, 100, 300], 364)
    truth = 0.5 * (np.array([10, 100, 300]) / 400) ** -0.5
    assert ((found.curve["lower"] < truth) & (truth < found.curve["upper"])).all()
    assert found.slope.lower < -0.5 < found.slope.upper
    assert found.p_schoenfeld < 1e-4


def test_share_is_recovered_when_withdrawal_is_early():
    found = window_effects(*trial(4, 3000, 0.3, 1.5, early_hazard=0.28), [84], 364)
    early = 0.28 + 0.3 * 0.5 * 84 / 365
    truth = early / (0.28 + 0.3 * 0.5 * 364 / 365)
    share = found.share_excess_hazard.share
    assert share.lower < truth < share.upper
    assert found.early_to_late.lower > 1


def test_a_window_without_events_is_noted():
    continued, stopped = trial(5, 200)
    continued = continued[(continued["time"] > 40) | (continued["event"] == 0)]
    found = window_effects(continued, stopped, [30], 364)
    assert np.isnan(found.hazard_ratios["estimate"][0])
    assert any("no event in a window" in note for note in found.notes)
    assert np.isnan(found.heterogeneity[2])


def test_everything_wrong_is_told_at_once():
    with pytest.raises(InvalidInput) as error:
        window_effects(*trial(6), [180, 90], 900, confidence=0)
    text = str(error.value)
    assert "cuts must rise" in text and "confidence" in text
    assert text.count("is followed to 364 only") == 2
    with pytest.raises(InvalidInput, match="at least one cut"):
        window_effects(*trial(6), [], 364)
    with pytest.raises(InvalidInput, match="column times"):
        smooth_hazard_ratio(*trial(6), [0], 364)
