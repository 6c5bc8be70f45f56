"""State occupation equals survfit's with its jackknife, and times in states add up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival import (
    aalen_johansen,
    read_result,
    state_probabilities,
    write_result,
)
from survival.competing_reference import case_data, course, values_of

EXACT = {"rtol": 1e-8, "atol": 1e-13}
CASES = {"course": 50, "late course": 60}


def fit_case(case, **options):
    d = case_data(case)
    options = {"group": "group", "entry_state": "present", "horizon": CASES[case], **options}
    return state_probabilities(d, **options)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("column", ["probability", "se"])
def test_curves_equal_survfit(case, column):
    frame = fit_case(case).at([3, 10, 30, 60]).set_index(["group", "state", "time"])[column]
    for (group, state, time), value in values_of(case, column):
        assert frame[group, state, float(time)] == pytest.approx(value, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_times_initial_distribution_and_counts_equal_survfit(case):
    result = fit_case(case)
    times = result.time_in_state.set_index(["group", "state"])
    for quantity, column in (("mean time", "mean_time"), ("mean time se", "se")):
        for (group, state, _), value in values_of(case, quantity):
            assert times.loc[(group, state), column] == pytest.approx(value, rel=1e-8, abs=1e-12)
    for (group, state), value in values_of(case, "initial"):
        found = result.initial[result.groups.index(group), result.states.index(state)]
        assert found == pytest.approx(value)
    counts = result.transition_counts.groupby(["from_state", "to_state"])["transitions"].sum()
    expected = {tuple(key): int(value) for key, value in values_of(case, "transitions")}
    assert counts.to_dict() == expected


def dense_influence(d, times, horizon):
    """Probabilities, mean times and their jackknife, with a matrix of people by states."""
    states = list(pd.unique(pd.concat([d["present"], d["state"].dropna()])))
    code = {label: number for number, label in enumerate(states)}
    people = {label: number for number, label in enumerate(d["person"].unique())}
    who = d["person"].map(people).to_numpy()
    now, to = d["present"].map(code).to_numpy(), d["state"].map(code).to_numpy()
    start, stop = d["start"].to_numpy(), d["stop"].to_numpy()
    changes = np.unique(stop[~np.isnan(to)])
    counted = (start < changes[0]) & (changes[0] <= stop)
    p = np.bincount(now[counted], minlength=len(states)) / counted.sum()
    u = np.zeros((len(people), len(states)))
    u[who[counted]] = (np.eye(len(states))[now[counted]] - p) / counted.sum()
    area, area_u, last, found = 0 * p, 0 * u, 0.0, {}
    for t in [*changes, np.inf]:
        for time in times:
            if last <= time < t:
                found[time] = p, np.sqrt((u**2).sum(axis=0))
        width = max(min(t, horizon) - last, 0)
        area, area_u, last = area + width * p, area_u + width * u, min(t, horizon)
        if t == np.inf:
            break
        at_risk = (start < t) & (t <= stop)
        step = np.eye(len(states))
        for h in range(len(states)):
            rows = at_risk & (now == h)
            for j in range(len(states)):
                moved = (rows & (stop == t) & (to == j)).sum()
                step[h, j] += moved / max(rows.sum(), 1)
                step[h, h] -= moved / max(rows.sum(), 1)
        new = u @ step
        for row in np.flatnonzero(at_risk):
            h = now[row]
            end = int(to[row]) if stop[row] == t and not np.isnan(to[row]) else h
            share = p[h] / (at_risk & (now == h)).sum()
            new[who[row]] += share * (np.eye(len(states))[end] - step[h])
        u, p, last = new, p @ step, t if t < horizon else last
    return states, found, area, np.sqrt((area_u**2).sum(axis=0))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_backwards_over_rows_equals_forwards_over_people(seed):
    d = course("any", np.random.default_rng(seed), 25, late=True).replace({"state": {"": None}})
    # A gap: somebody is away between two rows, in the same state.
    late_rows = d["start"] == d.loc[d["person"].duplicated(), "start"].median()
    d["start"] = d["start"] + 0.5 * late_rows
    result = state_probabilities(d, entry_state="present", horizon=40)
    states, found, area, area_se = dense_influence(d, [4, 12, 33], 40)
    order = [result.states.index(state) for state in states]
    for time, (p, se) in found.items():
        at = result.at([time])
        np.testing.assert_allclose(at["probability"].to_numpy()[order], p, atol=1e-12)
        np.testing.assert_allclose(at["se"].to_numpy()[order], se, atol=1e-12)
    np.testing.assert_allclose(result.mean_time[0][order], area, atol=1e-11)
    np.testing.assert_allclose(result.mean_time_se[0][order], area_se, atol=1e-11)


@given(st.integers(0, 10_000), st.floats(5, 45))
def test_probabilities_add_up_to_1_and_times_to_the_horizon(seed, horizon):
    d = course("any", np.random.default_rng(seed), 20, late=False)
    result = state_probabilities(d, group="group", horizon=min(horizon, 0.999 * d["stop"].min()))
    np.testing.assert_allclose(result.probability.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(result.mean_time.sum(axis=1), result.horizon, atol=1e-10)


def test_first_events_are_a_special_case():
    """One row per person: the probabilities and standard errors of aalen_johansen."""
    d = case_data("ties")
    names = {0: None, 1: "relapse", 2: "withdrawal"}
    result = state_probabilities(d.assign(state=d["cause"].map(names)), group="group")
    curves = aalen_johansen(d["stop"], d["cause"], d["group"])
    np.testing.assert_array_equal(result.time, curves.time)
    assert result.states == ("stable", "relapse", "withdrawal")
    np.testing.assert_allclose(result.probability[:, 0], curves.event_free, atol=1e-13)
    np.testing.assert_allclose(result.probability[:, 1:], curves.probability, atol=1e-13)
    np.testing.assert_allclose(result.se[:, 1:], curves.se, atol=1e-12)


def test_order_splits_and_labels_of_rows_do_not_matter():
    d = case_data("late course")
    base = fit_case("late course")
    cut = d["stop"] - d["start"] > 3
    early = d[cut].assign(stop=d["start"] + 2, state=None)
    late = d[cut].assign(start=d["start"] + 2)
    split = pd.concat([d[~cut], early, late]).sample(frac=1, random_state=3)
    split["person"] = "p" + split["person"].astype(str)
    options = {"group": "group", "entry_state": "present", "horizon": 60}
    other = state_probabilities(split, **options)
    np.testing.assert_allclose(other.probability, base.probability, atol=1e-13)
    np.testing.assert_allclose(other.se, base.se, atol=1e-13)
    np.testing.assert_allclose(other.mean_time_se, base.mean_time_se, atol=1e-12)
    np.testing.assert_array_equal(other.transitions, base.transitions)


def test_weights_count_and_0_is_no_row():
    d = case_data("course")
    d["w"] = d["person"] % 3
    copies = pd.concat([d.assign(copy=copy)[d["w"] > copy] for copy in range(2)])
    copies["one"] = copies["person"] * 10 + copies["copy"]
    options = {"group": "group", "horizon": 50, "entry_state": "present"}
    weighted = state_probabilities(d, weights="w", **options)
    repeated = state_probabilities(copies, person="one", **options)
    np.testing.assert_allclose(weighted.probability, repeated.probability, atol=1e-13)
    np.testing.assert_allclose(weighted.mean_time, repeated.mean_time, atol=1e-12)
    kept = state_probabilities(d[d["w"] > 0], weights="w", **options)
    np.testing.assert_array_equal(weighted.se, kept.se)
    double = state_probabilities(d.assign(w=2.0), weights="w", **options)
    np.testing.assert_allclose(double.se, fit_case("course").se, atol=1e-13)


def test_times_can_be_named():
    base = fit_case("course")
    named = fit_case("course", times=[30, 10, 30])
    np.testing.assert_array_equal(named.time, [10, 30])
    both = base.at([10, 30]), named.summary
    pd.testing.assert_frame_equal(*both)
    np.testing.assert_array_equal(named.mean_time_se, base.mean_time_se)
    before = base.at([-1, 0])
    assert before["probability"][:5].isna().all()
    assert before["probability"][before["state"] == "stable"].dropna().eq(1).all()


def test_differences_are_between_groups_of_people():
    result = fit_case("course")
    frame = result.differences
    np.testing.assert_allclose(frame["difference"], result.mean_time[1] - result.mean_time[0])
    np.testing.assert_allclose(frame["se"] ** 2, (result.mean_time_se**2).sum(axis=0))
    np.testing.assert_allclose(frame["difference"].sum(), 0, atol=1e-12)
    assert set(frame["reference"]) == {"abrupt"}
    assert state_probabilities(case_data("course")).differences.empty


def test_late_entry_is_noted_and_results_print():
    text = str(fit_case("late course"))
    assert "entered after 0" in text
    assert "Differences" in text
    assert fit_case("course").note == ""


def test_simulated_chain_finds_the_truth():
    """Two states to and fro at rates 0.2 and 0.3 a day: P(away at t) is known."""
    rng = np.random.default_rng(6)
    rows = []
    for person in range(1500):
        now, state = 0.0, "stable"
        while now < 20:
            stay = rng.exponential(5 if state == "stable" else 1 / 0.3)
            end = min(np.ceil((now + stay) * 50) / 50, 20.0)
            other = "relapse" if state == "stable" else "stable"
            rows.append((person, now, end, other if end < 20 else None))
            now, state = end, other
    d = pd.DataFrame(rows, columns=["person", "start", "stop", "state"])
    result = state_probabilities(d, times=[2, 15])
    away = result.at([2, 15]).set_index(["state", "time"]).loc["relapse"]
    truth = 0.4 * (1 - np.exp(-0.5 * np.array([2, 15])))
    assert (np.abs(away["probability"] - truth) < 3.5 * away["se"] + 0.005).all()
    time = 0.4 * (20 - (1 - np.exp(-10)) / 0.5)
    assert abs(result.mean_time[0][1] - time) < 3.5 * result.mean_time_se[0][1] + 0.05


ROWS = pd.DataFrame(
    {
        "person": [1, 1, 2, 3],
        "start": [0, 4, 0, 0],
        "stop": [4, 9, 7, 8],
        "state": ["withdrawal", "relapse", None, "relapse"],
        "group": ["a", "a", "b", "b"],
        "w": [1, 1, 1, 1],
        "from": ["stable", None, "stable", "stable"],
    }
)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"start": [0, 3, 0, 0]}, {}, "row 3, column start: begins before"),
        ({"stop": [4, 4, 7, 8]}, {}, "row 3, column stop: a row must end after its start"),
        ({"state": ["stable", "relapse", None, None]}, {}, "row 2, column state: is the state"),
        ({"state": ["withdrawal", "withdrawal", None, None]}, {}, "row 3, column state: is the"),
        ({"state": [None] * 4}, {}, "nobody changes state"),
        ({"start": ["x", 4, 0, 0]}, {}, "row 2, column start: allowed: a finite number"),
        ({"person": [1, 1, None, 3]}, {}, "row 4, column person: is blank"),
        ({"group": list("abbb")}, {"group": "group"}, "row 3, column group: differs"),
        ({"w": [1, 2, 1, 1]}, {"weights": "w"}, "row 3, column w: differs"),
        ({"w": [1, -1, 1, 1]}, {"weights": "w"}, "0 or more"),
        ({"w": 0}, {"weights": "w"}, "nobody has a weight above 0"),
        ({"from": None}, {"entry_state": "from"}, "row 2, column from: is blank"),
        (
            {"from": ["stable", "dead", "stable", "stable"]},
            {"entry_state": "from"},
            "row 3, column from: differs from the state",
        ),
        ({}, {"group": "group", "horizon": 9}, "group b is followed up to 8 only"),
        ({}, {"horizon": 0}, "above the earliest start"),
        ({}, {"state": "stat"}, "did you mean 'state'"),
        ({}, {"conf_type": "plane"}, "did you mean 'plain'"),
        ({}, {"times": ["soon"]}, "finite numbers"),
    ],
)
def test_refusals(change, options, message):
    with pytest.raises(InvalidInput, match=message):
        state_probabilities(ROWS.assign(**change), **options)


def test_nobody_and_too_many_times_are_refused():
    with pytest.raises(InvalidInput, match="there is nobody"):
        state_probabilities(ROWS.iloc[:0])
    many = pd.DataFrame({"person": range(2001), "start": 0, "state": "relapse"})
    many["stop"] = np.arange(2001) + 1.0
    with pytest.raises(InvalidInput, match="2001 transition times; name those"):
        state_probabilities(many)
    assert state_probabilities(many, times=[1000]).probability[0, 1, 0] == pytest.approx(
        1000 / 2001
    )


@pytest.mark.parametrize("ending", ["json", "parquet"])
def test_results_can_be_stored(tmp_path, ending):
    result = fit_case("late course")
    write_result(result, tmp_path / f"states.{ending}")
    again = read_result(tmp_path / f"states.{ending}")
    pd.testing.assert_frame_equal(again.summary, result.summary)
    assert str(again) == str(result)
