"""Restricted mean times: R's numbers, closed forms, refusals."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from discontinuation.problems import InvalidInput
from discontinuation.survival import kaplan_meier, rmst

REFERENCE = Path(__file__).parents[1] / "reference"
RTOL = 1e-8
CASES = ("ties", "entry", "weights", "strata", "floating", "half", "fractional")


@cache
def numbers():
    found = pd.read_csv(REFERENCE / "survival_nonparametric.csv")
    return found.set_index(["case", "quantity"])["value"].sort_index()


@cache
def dataset(name):
    data = pd.read_csv(REFERENCE / "survival_nonparametric_data.csv")
    return data[data["dataset"] == name]


@pytest.mark.parametrize("case", CASES)
def test_means_equal_those_of_r(case):
    here = dataset(case)
    horizon = numbers()[case, "horizon"]
    named = {"entry": here["entry"] if here["entry"].any() else None, "weights": here["weight"]}
    call = here["time"], here["event"], here["group"], horizon
    whole, window = rmst(*call, **named), rmst(*call, horizon / 3, **named)
    for one, group in enumerate(whole.groups):
        expected = numbers()[case]
        np.testing.assert_allclose(whole.mean[one], expected[f"mean {group}"], rtol=RTOL)
        np.testing.assert_allclose(whole.se[one], expected[f"mean se {group}"], rtol=RTOL)
        np.testing.assert_allclose(window.mean[one], expected[f"window mean {group}"], rtol=RTOL)
        variance = expected[f"window variance {group}"]
        np.testing.assert_allclose(window.variance[one], variance, rtol=RTOL)


def test_published_values(shared_data):
    lung = pd.read_csv(shared_data / "reference-survival" / "lung.csv")
    found = rmst(lung["time"], lung["status"] == 2, lung["sex"], 365)
    np.testing.assert_allclose(found.mean, [241.4950852, 297.4654095], atol=1e-7)
    np.testing.assert_allclose(found.variance, [107.2928560, 116.4526732], atol=1e-7)
    rows = found.summary.set_index("measure")[["estimate", "lower", "upper", "p_value"]]
    expected = [55.97032434, 26.65293638, 85.28771230, 0.0001827064613]
    np.testing.assert_allclose(rows.loc["difference"], expected, atol=1e-7)
    expected = [1.231765894, 1.103343391, 1.375136001, 0.0002067612225]
    np.testing.assert_allclose(rows.loc["ratio"], expected, atol=1e-7)
    women = lung[lung["sex"] == 2]
    window = rmst(women["time"], women["status"] == 2, horizon=365, start=90)
    assert window.mean[0] == pytest.approx(209.5987429, abs=1e-6)
    assert window.variance[0] == pytest.approx(105.3380661, abs=1e-6)


def test_without_censoring_it_is_the_mean_of_times_cut_at_the_horizon():
    time = np.array([3.0, 8, 8, 15, 21, 40])
    found = rmst(time, np.ones(6), horizon=20)
    cut = np.minimum(time, 20)
    assert found.mean[0] == pytest.approx(cut.mean())
    assert found.variance[0] == pytest.approx(cut.var() / 6)  # no n / (n - 1)
    window = rmst(time, np.ones(6), horizon=20, start=5)
    assert window.mean[0] == pytest.approx((np.clip(time, 5, 20) - 5).mean())
    assert window.variance[0] == pytest.approx(np.clip(time, 5, 20).var() / 6)


@given(
    st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=2, max_size=20),
    st.floats(0.1, 0.9),
)
def test_windows_add_up_and_equal_the_area_of_the_curve(rows, share):
    time, event = map(np.array, zip(*rows, strict=True))
    horizon = float(time.max())
    cut = share * horizon
    early, late = rmst(time, event, horizon=cut), rmst(time, event, horizon=horizon, start=cut)
    whole = rmst(time, event, horizon=horizon)
    assert early.mean[0] + late.mean[0] == pytest.approx(whole.mean[0])
    grid = np.arange(0, int(horizon))
    area = kaplan_meier(time, event).at(grid)["survival"].sum()
    assert whole.mean[0] == pytest.approx(area)


def test_scale_and_duplicates():
    rng = np.random.default_rng(1)
    time, event, group = rng.integers(5, 40, 50), rng.random(50) < 0.6, np.arange(50) % 2
    weights = rng.integers(1, 3, 50)
    one = rmst(time, event, group, 30, weights=weights)
    scaled = rmst(time * 0.1, event, group, 3, weights=weights)
    copied = rmst(*(np.repeat(x, weights) for x in (time, event, group)), 30)
    np.testing.assert_allclose(scaled.se * 10, one.se)
    np.testing.assert_allclose(copied.mean, one.mean)
    np.testing.assert_allclose(copied.variance, one.variance)
    assert scaled.ratio_lower == pytest.approx(one.ratio_lower)


def test_the_interval_holds_what_it_promises():
    """Exponential times; the mean until 1 is 1 - 1 / e."""
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(300):
        time, censored = rng.exponential(1, 80), rng.uniform(0.5, 3, 80)
        found = rmst(np.minimum(time, censored), time <= censored, horizon=1)
        inside += found.lower[0] < 1 - np.exp(-1) < found.upper[0]
    assert stats.binomtest(inside, 300, 0.95).pvalue > 1e-3


def test_it_is_the_variance_of_the_estimate_not_of_the_times():
    """Lifelines returns Var[min(T, horizon)]."""
    time = np.arange(1, 101)
    assert rmst(time, np.ones(100), horizon=50).variance[0] == pytest.approx(
        np.minimum(time, 50).var() / 100
    )


def test_horizons_up_to_what_is_known():
    time, group = [2, 4, 6, 3, 5, 9], list("aaabbb")
    ends_with_events = [1, 1, 1, 1, 0, 1]
    # Group a is at 0 from 6 on: its curve is known for ever.
    assert rmst(time, ends_with_events, group, 9).mean[0] == pytest.approx(4)
    assert rmst(time, ends_with_events, group, 100).mean[0] == pytest.approx(4)
    censored = [1, 1, 0, 1, 0, 0]
    assert rmst(time, censored, group, 6).horizon == 6
    with pytest.raises(InvalidInput, match="group a ends at 6 before"):
        rmst(time, censored, group, 6.5)
    with pytest.raises(InvalidInput, match="2 problems"):
        rmst(time, censored, group, 10)
    with pytest.raises(InvalidInput, match="is missing; every group is known until 6"):
        rmst(time, censored, group)


def test_three_groups_are_compared_with_the_first():
    time = np.tile(np.arange(1, 21), 3) + np.repeat([0, 3, 6], 20)
    found = rmst(time, np.ones(60), np.repeat(list("abc"), 20), 15)
    assert found.summary["measure"].tolist() == ["mean"] * 3 + ["difference"] * 2 + ["ratio"] * 2
    np.testing.assert_allclose(found.difference, found.mean[1:] - found.mean[0])
    assert (found.difference[1] > found.difference[0] > 0) and (found.ratio > 1).all()
    assert "20 people" in str(found)


def test_without_events_the_variance_says_nothing():
    found = rmst([5, 6, 7, 8], [0, 0, 1, 0], list("aabb"), 6)
    assert found.mean.tolist() == [6, 6]
    assert any("no event before the horizon in group a" in note for note in found.notes)
    assert np.isnan(found.difference_p[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(horizon=3, start=3), "start < horizon"),
        (dict(horizon=np.inf), "both finite"),
        (dict(horizon=3, start=-1), "0 <= start"),
        (dict(horizon=2, confidence=95), "between 0 and 1"),
        (dict(horizon=2, event=[1, 0, 2]), "allowed: 0 or 1"),
        (dict(horizon=2, group=[1, 2]), "2 values for 3 times"),
    ],
)
def test_refusals(arguments, said):
    with pytest.raises(InvalidInput, match=said):
        rmst(**{"time": [1, 3, 5], "event": [1, 0, 1]} | arguments)
