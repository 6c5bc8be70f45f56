"""Smoothed hazards and hazard ratios over time: closed forms, simulated truth, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival import cox, nelson_aalen
from discontinuation.survival.smoothing import (
    GRID,
    KNOTS,
    _kernel,
    hazard_ratio_over_time,
    smoothed_hazard,
)
from discontinuation.survival.stored import from_json, to_json

Z = 1.959963984540054


def epanechnikov(z):
    return np.where(np.abs(z) <= 1, 0.75 * (1 - np.square(z)), 0.0)


def test_one_event_has_the_shape_of_the_kernel_and_the_limits_of_one_event():
    found = smoothed_hazard([10, 20, 20, 20], [1, 0, 0, 0], bandwidth=5, at=[6, 8, 10, 13, 15.5])
    expected = epanechnikov((found.time - 10) / 5) / 5 / 4
    np.testing.assert_allclose(found.hazard[0], expected, rtol=1e-12)
    np.testing.assert_allclose(found.se, found.hazard, rtol=1e-12)
    np.testing.assert_allclose(found.upper[0, :4], expected[:4] * np.exp(Z), rtol=1e-9)
    np.testing.assert_allclose(found.lower[0, :4], expected[:4] * np.exp(-Z), rtol=1e-9)
    assert found.hazard[0, 4] == 0
    assert np.isnan(found.upper[0, 4])


def test_tied_events_and_the_variance_are_those_of_the_nelson_aalen_increments():
    time, event = [3, 3, 4, 6, 6, 9, 12, 30], [1, 1, 0, 1, 1, 1, 0, 0]
    found = smoothed_hazard(time, event, bandwidth=7, at=[10.0, 14.0])
    curve = nelson_aalen(time, event)
    steps = np.diff(curve.cumulative_hazard, prepend=0)
    variance = np.diff(curve.se**2, prepend=0)
    for place, at in enumerate(found.time):
        kernel = epanechnikov((at - curve.time) / 7) / 7
        assert found.hazard[0, place] == pytest.approx(kernel @ steps, rel=1e-12)
        assert found.se[0, place] == pytest.approx(np.sqrt(kernel**2 @ variance), rel=1e-12)


@pytest.mark.parametrize("q", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_the_boundary_kernel_is_that_of_the_textbook(q):
    """Klein and Moeschberger 2003, section 6.2; the right end is its mirror image."""
    down = (1 + q) ** 4 * (19 - 18 * q + 3 * q**2)
    alpha = 64 * (2 - 4 * q + 6 * q**2 - 3 * q**3) / down
    beta = 240 * (1 - q) ** 2 / down
    z = np.linspace(-1, q, 9)
    expected = epanechnikov(z) * (alpha + beta * z)
    at, width = 100 + 20 * q, 20.0
    left = _kernel(np.array([at]), at - width * z, width, 100.0, 900.0)
    np.testing.assert_allclose(width * left[0], expected, rtol=1e-10, atol=1e-12)
    at = 900 - 20 * q
    right = _kernel(np.array([at]), at + width * z, width, 100.0, 900.0)
    np.testing.assert_allclose(width * right[0], expected, rtol=1e-10, atol=1e-12)


def test_the_kernel_keeps_mass_and_straight_lines_up_to_both_ends():
    events = np.linspace(0, 50, 200_001)
    weight = events[1] - events[0]
    for bandwidth in (8.0, 40.0):  # the wider reaches over both ends at once
        at = np.array([0.0, 3, 25, 46, 50])
        kernel = _kernel(at, events, bandwidth, 0.0, 50.0) * weight
        edges = kernel[:, [0, -1]].sum(axis=1) / 2
        np.testing.assert_allclose(kernel.sum(axis=1) - edges, 1, atol=1e-6)
        ends = (kernel[:, [0, -1]] * events[[0, -1]]).sum(axis=1) / 2
        np.testing.assert_allclose(kernel @ events - ends, at, atol=1e-4)


def test_a_hazard_that_is_known_is_found_and_its_limits_cover_it():
    """Weibull of shape 2: a hazard that is a straight line has no bias, even at the ends."""
    rng = np.random.default_rng(5)
    at = np.array([0.05, 0.3, 0.6, 0.9])
    truth = 2 * at
    found, covered = [], []
    for _ in range(300):
        time = np.sqrt(rng.exponential(size=300))
        event = time < 1.0
        one = smoothed_hazard(np.minimum(time, 1.0), event, bandwidth=0.25, at=at)
        found.append(one.hazard[0])
        covered.append((one.lower[0] <= truth) & (truth <= one.upper[0]))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(300)
    # Beside 0 an estimate below 0 is cut, which lifts the mean: leave it out here.
    assert (np.abs(mean - truth)[1:] < 4 * error[1:]).all()
    assert (np.abs(np.mean(covered, axis=0)[1:] - 0.95) < 0.045).all()


def test_the_default_bandwidth_is_stated():
    rng = np.random.default_rng(2)
    time, group = np.ceil(rng.exponential(50, 120)), np.repeat(["a", "b", "c"], 40)
    found = smoothed_hazard(time, np.ones(120), group)
    assert found.bandwidth == pytest.approx(time.max() / (4 * 40**0.2))
    assert "events^(1/5)" in str(found)
    assert list(found.summary) == ["group", "time", "hazard", "se", "lower", "upper"]
    assert len(found.summary) == 3 * GRID
    assert found.events.tolist() == [40, 40, 40]
    table = found.summary
    ends = pd.Series(time).groupby(group).max()
    beyond = table["time"] > table["group"].map(ends)
    assert beyond.any()
    assert (table["hazard"].isna() == beyond).all()


def test_a_group_without_events_has_hazard_0_without_limits_and_a_note():
    found = smoothed_hazard([5, 9, 20, 20], [1, 1, 0, 0], list("aabb"), bandwidth=4)
    assert (found.hazard[1] == 0).all()
    assert np.isnan(found.upper[1]).all()
    assert any("b: no event" in note for note in found.notes)


days = st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=3, max_size=25)


@given(days, st.floats(0.1, 20))
def test_time_rescales_and_weight_2_is_a_copy(rows, factor):
    time = np.array([row[0] for row in rows], dtype=float)
    event = np.array([row[1] for row in rows], dtype=int)
    event[0] = 1
    at = np.linspace(0, time.max(), 7)
    one = smoothed_hazard(time, event, bandwidth=6, at=at)
    scaled = smoothed_hazard(factor * time, event, bandwidth=6 * factor, at=factor * at)
    ends = [0, -1]  # rounding may put an end outside follow-up
    inner = np.ones(7, dtype=bool)
    inner[ends] = False
    np.testing.assert_allclose(
        factor * scaled.hazard[0, inner], one.hazard[0, inner], rtol=1e-6, atol=1e-9
    )
    twice = smoothed_hazard(np.tile(time, 2), np.tile(event, 2), bandwidth=6, at=at)
    heavy = smoothed_hazard(time, event, weights=np.full(len(time), 2.0), bandwidth=6, at=at)
    for name in ("hazard", "se"):
        np.testing.assert_allclose(getattr(twice, name), getattr(heavy, name), rtol=1e-9)
    np.testing.assert_allclose(heavy.hazard, one.hazard, rtol=1e-9)


def test_splitting_follow_up_changes_nothing():
    time, event = np.array([4.0, 9, 9, 14, 21]), np.array([1, 1, 0, 1, 0])
    one = smoothed_hazard(time, event, bandwidth=6)
    start = np.concatenate([np.zeros(5), np.full(4, 5.0)])
    stop = np.concatenate([np.minimum(time, 5), time[1:]])
    happened = np.concatenate([event * (time <= 5), event[1:]])
    split = smoothed_hazard(stop, happened, entry=start, bandwidth=6)
    np.testing.assert_allclose(split.hazard, one.hazard, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"event": [0, 0, 0]}, "nobody has the event"),
        ({"bandwidth": 0.0}, "above 0"),
        ({"confidence": 1.0}, "between 0 and 1"),
        ({"event": [0, 2, 1]}, "0 or 1"),
        ({"entry": [0, 5, 0]}, "end after its entry"),
        ({"at": [1, np.nan]}, "finite"),
        ({"group": ["a", None, "b"]}, "blank"),
    ],
)
def test_what_cannot_be_smoothed_is_refused(change, said):
    with pytest.raises(InvalidInput, match=said):
        smoothed_hazard(**{"time": [3.0, 5.0, 8.0], "event": [1, 0, 1], **change})


# ---- the ratio of two hazards --------------------------------------------------------------------


def two_arms(rng, people, ratio, cut, hazard=0.01, end=200.0):
    """Exponential times; the ratio holds until `cut`, later it is 1."""
    arm = np.repeat([0, 1], people)
    early = hazard * np.where(arm, ratio, 1.0)
    drawn = rng.exponential(size=2 * people)
    time = np.where(drawn < early * cut, drawn / early, cut + (drawn - early * cut) / hazard)
    frame = pd.DataFrame({"arm": np.where(arm, "stop", "continue"), "time": time})
    frame["event"] = (frame["time"] <= end).astype(int)
    frame["time"] = frame["time"].clip(upper=end)
    return frame


@pytest.fixture(scope="module")
def trial():
    return two_arms(np.random.default_rng(11), 120, 4.0, 40.0)


def test_with_two_knots_it_is_the_cox_model_with_log_time(trial):
    found = hazard_ratio_over_time(trial, "time", "event", "arm", knots=2)
    model = cox("arm", trial, time_varying={"arm": "log1p"})
    np.testing.assert_allclose(found.coef, model.coef, rtol=1e-7)
    np.testing.assert_allclose(found.covariance, model.covariance, rtol=1e-6)
    same = cox("arm", trial)
    gain = 2 * (model.log_likelihood - same.log_likelihood)
    assert found.statistic == pytest.approx(gain, rel=1e-7)
    assert found.df == 1
    assert found.constant == pytest.approx(same.coef[0], rel=1e-9)
    line = found.at([30.0]).iloc[0]
    design = np.array([1, np.log(31)])
    assert line["log_hazard_ratio"] == pytest.approx(design @ model.coef, rel=1e-7)
    se = np.sqrt(design @ model.covariance @ design)
    assert line["upper"] == pytest.approx(np.exp(design @ model.coef + Z * se), rel=1e-6)


@pytest.mark.parametrize("knots", list(KNOTS))
def test_the_spline_is_straight_beyond_its_outer_knots(trial, knots):
    found = hazard_ratio_over_time(trial, "time", "event", "arm", knots=knots)
    assert found.df == knots - 1
    assert len(found.knots) == knots
    for low, high in ((found.span[0], found.knots[0]), (found.knots[-1], found.span[1])):
        inside = np.expm1(np.linspace(np.log1p(low + 1e-9), np.log1p(high - 1e-9), 5))
        logs = found.at(inside)["log_hazard_ratio"].to_numpy()
        np.testing.assert_allclose(np.diff(logs, 2), 0, atol=1e-8)


def test_an_effect_that_fades_is_found_and_one_that_does_not_is_not():
    rng = np.random.default_rng(3)
    faded = hazard_ratio_over_time(two_arms(rng, 600, 4.0, 30.0), "time", "event", "arm")
    assert faded.p_value < 1e-4
    at = faded.at([10.0, 150.0])
    assert at["lower"].iloc[0] > 1.5
    assert at["lower"].iloc[1] < 1 < at["upper"].iloc[1]
    p_values, covered = [], []
    for _ in range(60):
        steady = two_arms(rng, 80, 2.0, 1e9)
        found = hazard_ratio_over_time(steady, "time", "event", "arm", at=[20.0, 80.0])
        p_values.append(found.p_value)
        line = found.summary
        covered.append((line["lower"] < 2) & (line["upper"] > 2))
    assert np.mean(np.array(p_values) < 0.05) < 0.15
    assert 0.87 < np.mean(covered) <= 1


def test_swapped_arms_turn_the_ratio_over_and_categories_set_the_reference(trial):
    one = hazard_ratio_over_time(trial, "time", "event", "arm", at=[5, 50, 150])
    assert (one.arm, one.reference) == ("stop", "continue")
    order = pd.Categorical(trial["arm"], ["stop", "continue"])
    other = hazard_ratio_over_time(trial.assign(arm=order), "time", "event", "arm", at=[5, 50, 150])
    assert (other.arm, other.reference) == ("continue", "stop")
    np.testing.assert_allclose(
        one.summary["hazard_ratio"] * other.summary["hazard_ratio"], 1, rtol=1e-6
    )
    assert other.p_value == pytest.approx(one.p_value, rel=1e-6)
    assert one.events == other.events[::-1]


def test_strata_that_are_copies_change_the_estimate_by_nothing(trial):
    plain = hazard_ratio_over_time(trial, "time", "event", "arm", at=[5, 50, 150])
    twice = pd.concat([trial.assign(place="x"), trial.assign(place="y")])
    within = hazard_ratio_over_time(twice, "time", "event", "arm", strata="place", at=[5, 50, 150])
    np.testing.assert_allclose(within.coef, plain.coef, rtol=1e-6)
    np.testing.assert_allclose(within.covariance, plain.covariance / 2, rtol=1e-5)
    assert within.strata == 2
    assert within.events == tuple(2 * number for number in plain.events)


def test_delayed_entry_before_the_first_event_changes_nothing(trial):
    early = trial["time"].min() / 2
    plain = hazard_ratio_over_time(trial, "time", "event", "arm")
    late = hazard_ratio_over_time(trial.assign(start=early), "time", "event", "arm", entry="start")
    np.testing.assert_allclose(late.coef, plain.coef, rtol=1e-8)


def test_there_is_no_estimate_outside_the_events(trial):
    found = hazard_ratio_over_time(trial, "time", "event", "arm")
    outside = found.at([found.span[0] / 2, found.span[1] + 1])
    assert outside[["hazard_ratio", "se", "lower", "upper"]].isna().all().all()
    assert found.summary["hazard_ratio"].notna().all()
    assert "against a constant ratio" in str(found)


def test_too_few_events_are_refused_in_words(trial):
    few = trial.assign(event=trial["event"].where(trial["time"].rank() <= 24, 0))
    with pytest.raises(InvalidInput, match=r"24 events .* too few .* at least 30 .* 2 knots"):
        hazard_ratio_over_time(few, "time", "event", "arm")
    spared = trial["arm"] == "continue"
    rare = trial.assign(event=trial["event"].where(~spared | (trial["time"] < 3), 0))
    with pytest.raises(InvalidInput, match="events in continue"):
        hazard_ratio_over_time(rare, "time", "event", "arm")


def test_events_when_one_arm_has_nobody_left_do_not_count(trial):
    cut = trial["time"].where(trial["arm"] == "stop", trial["time"].clip(upper=60))
    event = trial["event"].where((trial["arm"] == "stop") | (trial["time"] <= 60), 0)
    found = hazard_ratio_over_time(trial.assign(time=cut, event=event), "time", "event", "arm")
    assert found.span[1] <= 60
    assert found.knots[-1] <= 60


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arm": "arms"}, "did you mean 'arm'"),
        ({"knots": 9}, "2, 3, 4 or 5"),
        ({"confidence": 0.0}, "between 0 and 1"),
        ({"arm": "three"}, "two can be compared"),
        ({"arm": "one"}, "at least 2"),
    ],
)
def test_what_cannot_be_compared_is_refused(trial, change, said):
    data = trial.assign(three=["a", "b", "c"] * (len(trial) // 3), one="a")
    call = {"time": "time", "event": "event", "arm": "arm", **change}
    with pytest.raises(InvalidInput, match=said):
        hazard_ratio_over_time(data, **call)


def test_events_at_too_few_times_are_refused():
    time = np.repeat([10.0, 20.0], 40)
    data = pd.DataFrame({"time": time, "event": 1, "arm": np.tile([0, 1], 40)})
    with pytest.raises(InvalidInput, match="too few different times"):
        hazard_ratio_over_time(data, "time", "event", "arm")


def test_results_are_stored_and_read_back(trial):
    hazard = smoothed_hazard(trial["time"], trial["event"], trial["arm"])
    pd.testing.assert_frame_equal(from_json(to_json(hazard)).summary, hazard.summary)
    ratio = hazard_ratio_over_time(trial, "time", "event", "arm")
    again = from_json(to_json(ratio))
    pd.testing.assert_frame_equal(again.summary, ratio.summary)
    assert str(again) == str(ratio)
