"""Other methods beside the model: their numbers by hand, and how they are shown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.gate_measures import fit_trials, truth_of
from discontinuation.classify.gate_scenarios import (
    chosen_scenarios,
    factorial_names,
    gate_scenarios,
    scenario_of,
)
from discontinuation.classify.other_methods import other_methods, withdrawals_by_method
from discontinuation.classify.performance import performance
from discontinuation.classify.settings import Settings
from discontinuation.design.expected import expected_curves
from discontinuation.design.scenario import BASE_ARMS, Scenario
from discontinuation.design.simulate import simulate_trial
from discontinuation.problems import InvalidInput
from discontinuation.report.inline import FigureFiles
from discontinuation.report.method_figures import draw_by_scenario, draw_nested_loop
from discontinuation.report.method_page import ordered_scenarios, render_methods

CRITERIA = read_criteria(ROOT / "data" / "reference" / "criteria.yaml")


@pytest.fixture(scope="module")
def two_arms():
    """A trial of maintenance and abrupt stop, its fit with one baseline hazard, true causes."""
    trial = simulate_trial(replace(Scenario(), arms=BASE_ARMS[:2]), 3)
    result = fit_trials([trial], "maintain", Settings(relapse_cuts=()))
    causes = result.q.merge(trial.truth, on=["person", "episode"])["cause"].to_numpy(dtype=object)
    return trial, result, causes, other_methods(result.task, trial, causes, CRITERIA)


def rates(result, keep, after):
    """Log ratio of the rates of the two arms, from plain counts of events and days."""
    data, events = result.task.observed, result.task.observed.events
    days = {"maintain": 0.0, "abrupt": 0.0}
    seen = dict(days)
    arms = data.arms["arm"].to_numpy()
    for history, step, part in zip(data.ends.history, data.ends.step, data.ends.part, strict=True):
        days[arms[data.arm_of_history[history]]] += max(step + part - after, 0.0)
    for row, happened in zip(events.itertuples(), keep, strict=True):
        onset = row.onset_latest - 0.5  # the middle of its day
        days[row.arm] += max(onset - after, 0.0)
        seen[row.arm] += happened and onset > after
    return np.log((seen["abrupt"] / days["abrupt"]) / (seen["maintain"] / days["maintain"]))


def test_a_landmark_is_the_ratio_of_the_rates_after_it(two_arms):
    trial, result, _, found = two_arms
    everything = np.ones(len(result.task.observed.events), dtype=bool)
    assert found["beta_landmark"] == pytest.approx(rates(result, everything, 84), abs=1e-6)
    assert found["beta_landmark_lower"] < found["beta_landmark"] < found["beta_landmark_upper"]
    assert trial.scenario.horizon_days == 364


def test_naive_is_what_the_fit_calls_naive(two_arms):
    _, result, _, found = two_arms
    row = result.relapse_effects(m=2).set_index("way").loc["naive"]
    assert found["beta_naive"] == row["estimate"]
    assert found["beta_naive_upper"] == pytest.approx(row["upper"], abs=1e-12)
    assert found["psi_H_naive"] == 0


def test_the_rule_of_time_is_applied_as_it_stands(two_arms):
    _, result, causes, _ = two_arms
    called = withdrawals_by_method(result.task.observed, causes, CRITERIA, 1.0)
    events = result.task.observed.events
    since = events["onset_latest"] - events["last_reduction"]
    assert (called["time_28"] == (since <= 7 + 28).to_numpy()).all()  # 5 half-lives are less
    assert not called["naive"].any()
    assert (called["oracle"] == (causes == "withdrawal")).all()


def test_shares_and_risks_of_the_oracle_by_hand(two_arms):
    trial, result, causes, found = two_arms
    events = result.task.observed.events.assign(cause=causes)
    people = trial.people.merge(trial.follow_up, on="person").set_index("person")
    onset = events.set_index("person")["onset_latest"]
    end = people["end"].copy()
    end[onset.index] = onset
    hazard = {}
    for arm in ("maintain", "abrupt"):
        times = end[people["arm"] == arm]
        mine = events.loc[events["arm"] == arm]
        hazard[arm] = sum(1 / (times >= t).sum() for t in mine["onset_latest"])
        if arm == "abrupt":
            own = mine.loc[mine["cause"] == "withdrawal", "onset_latest"]
            hazard["withdrawal"] = sum(1 / (times >= t).sum() for t in own)
    share = hazard["withdrawal"] / (hazard["abrupt"] - hazard["maintain"])
    assert found["psi_H_oracle"] == pytest.approx(share, rel=1e-12)
    withdrawn = (events["cause"] == "withdrawal") & (events["arm"] == "abrupt")
    assert withdrawn.sum() / 200 < found["F_W_oracle"] < withdrawn.sum() / 150


def test_without_withdrawals_the_risk_is_0_and_has_no_limits():
    trial = simulate_trial(replace(Scenario(alpha_per_day=0.0), arms=BASE_ARMS[:2]), 3)
    result = fit_trials([trial], "maintain")
    causes = np.full(len(result.q), "relapse", dtype=object)
    found = other_methods(result.task, trial, causes, CRITERIA)
    assert found["F_W_oracle"] == 0
    assert "F_W_oracle_lower" not in found
    assert found["beta_oracle"] == found["beta_naive"]


def test_nocebo_is_neither_withdrawal_nor_relapse_to_the_oracle():
    scenario = replace(Scenario(alpha_per_day=0.0, nocebo_risk=0.1), arms=BASE_ARMS[:2])
    trial = simulate_trial(scenario, 3)
    result = fit_trials([trial], "maintain")
    causes = result.q.merge(trial.truth, on=["person", "episode"])["cause"].to_numpy(dtype=object)
    assert set(causes) == {"relapse", "nocebo"}
    found = other_methods(result.task, trial, causes, CRITERIA)
    assert found["F_W_oracle"] == found["psi_H_oracle"] == 0
    assert found["beta_oracle"] != found["beta_naive"]


def test_crossed_scenarios_are_what_their_names_say():
    names = factorial_names()
    assert len(names) == 36
    name = "people per arm 80, item contrast 0, relapse HR 2.5, withdrawal risk 0.06"
    scenario = scenario_of(name)
    assert scenario.people == 240
    assert scenario.relapse_ratio == 2.5
    withdrawal, relapse = scenario.item_profiles()
    assert withdrawal == pytest.approx(relapse)
    curves = expected_curves(scenario).query("arm == 'abrupt' and day == 364")
    assert curves["crude_withdrawal"].iloc[0] == pytest.approx(0.06, abs=1e-9)
    none = "people per arm 200, item contrast 1, relapse HR 1, withdrawal risk 0"
    assert scenario_of(none).alpha_per_day == 0


@pytest.mark.parametrize("name", [*gate_scenarios(), *factorial_names()])
def test_every_scenario_has_a_truth(name):
    truth = truth_of(name)
    assert truth["beta"] == pytest.approx(np.log(scenario_of(name).relapse_ratio))
    assert 0 <= truth.get("F_W", 0) < 1


def test_scenarios_are_chosen_by_name():
    single, crossed = chosen_scenarios([])
    assert single == list(gate_scenarios())
    assert crossed == list(factorial_names())
    assert chosen_scenarios(["S1", crossed[3], "S0"]) == (["S0", "S1"], [crossed[3]])
    with pytest.raises(InvalidInput, match=r"consealed start.*did you mean 'concealed start'"):
        chosen_scenarios(["S0", "consealed start"])


def made_up(bias):
    """Two trials of some crossed scenarios in which each method misses by its own bias."""
    rows = []
    for name in list(factorial_names())[1:6]:
        beta = np.log(factorial_names()[name]["relapse HR"])
        for error in (-0.01, 0.01):
            row = {"scenario": name, "beta_oracle": beta + error}
            row |= {f"beta_{method}": beta + b + error for method, b in bias.items()}
            row["beta"] = beta + bias["model"] + error
            row |= {"beta_lower": row["beta"] - 0.2, "beta_upper": row["beta"] + 0.2}
            row |= {"F_W": 0.1, "F_W_lower": 0.0, "F_W_upper": 0.3, "F_W_time_28": 0.2}
            rows.append(row)
    return performance(pd.DataFrame(rows))


def test_the_order_of_biases_is_counted():
    right = {"naive": 0.6, "time_28": -0.2, "model": 0.02}
    assert ordered_scenarios(made_up(right)) == (4, 4, 4)  # of five one has no withdrawal
    assert ordered_scenarios(made_up(right | {"time_28": -0.7})) == (0, 4, 4)
    assert ordered_scenarios(made_up(right | {"model": 0.3})) == (0, 0, 4)
    rows = made_up(right).query("quantity == 'beta' and method == 'time_28'")
    assert rows["from_oracle"].to_numpy() == pytest.approx(-0.2)


def test_figures_and_page_hold_every_method(tmp_path):
    found = made_up({"naive": 0.6, "time_28": -0.2, "model": 0.02})
    loop = draw_nested_loop(found, factorial_names())
    said = {text.get_text() for text in loop.legends[0].get_texts()}
    assert said == {"latent-cause model", "true causes known", "every event a relapse",
                    "rule: by 28 days after washout"}  # fmt: skip
    drawn = loop.axes[0].patches[0].get_data()[0]
    assert np.isfinite(drawn).sum() == 5
    assert len(drawn) == 36
    files = {}
    for name, figure in (("nested_loop", loop), ("methods", draw_by_scenario(found, ["S0"]))):
        paths = [tmp_path / f"{name}.{end}" for end in ("svg", "png")]
        for path in paths:
            figure.savefig(path)
        files[name] = FigureFiles.read(*paths)
    failed = pd.DataFrame({"scenario": ["S0"], "number": [4]})
    page = render_methods(found, failed, files, {"version": "1", "commit": None}, 1)
    assert "1 further trials failed: they are in no estimate" in page
    assert "In 4 of 4 crossed combinations" in page
    assert "ADEMP" in page


def test_without_crossed_scenarios_that_is_said():
    figure = draw_nested_loop(made_up({"model": 0.0}).iloc[:0], factorial_names())
    assert "No trial" in figure.axes[0].texts[0].get_text()
