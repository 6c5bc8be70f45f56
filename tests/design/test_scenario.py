"""A scenario that cannot be simulated is refused with every reason."""

import dataclasses
import math

import pytest

from discontinuation.design.scenario import Arm, Scenario
from discontinuation.problems import InvalidInput

BROKEN = {
    "horizon_days": 0,
    "stable_days": -1,
    "dose_mg": 0.0,
    "ed50_mg": math.nan,
    "occupancy_max": 3.0,
    "hill": 0.0,
    "half_life_days": -1.0,
    "true_ed50_ratio": 0.0,
    "true_half_life_ratio": math.inf,
    "relapse_per_year": (-0.1,),
    "relapse_ratio": 0.0,
    "surge_ratio": -2.0,
    "surge_days": 1.5,
    "frailty_variance": -1.0,
    "alpha_per_day": "a lot",
    "tau_days": 0.0,
    "kappa": None,
    "protracted_share": 1.1,
    "protracted_tau_days": 0.0,
    "nocebo_risk": 1.0,
    "nocebo_tau_days": 0.0,
    "dropout_per_year": -0.1,
    "dropout_ratio": 0.0,
    "dropout_window_days": -1.0,
    "visit_days": 0,
    "definition_delay_days": -1,
    "withdrawal_items": (0.5,) * 7 + (1.0,),
    "relapse_items": (0.5,) * 8 + (0.5,),
    "item_distinctiveness": -0.1,
    "off_drug_shift": 1.0,
    "severity_sd": True,
    "item_missing": 2.0,
    "reinstated_share": -0.1,
    "resolution_days_withdrawal": 0.0,
    "resolution_days_relapse": 0.0,
    "resolution_days_nocebo": 0.0,
    "reinstatement_watch_days": 0.0,
    "relapse_after_withdrawal_ratio": 0.0,
    "concealed_start_days": -1,
    "stop_early_share": 1.5,
    "keep_taking_share": -0.5,
    "doses_recorded": "as taken",
}


def problems_of(**changes):
    with pytest.raises(InvalidInput) as refused:
        Scenario(**changes)
    return refused.value.problems


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_value_is_named(name):
    assert name in {problem.column for problem in problems_of(**{name: BROKEN[name]})}


def test_every_broken_value_is_told_at_once():
    assert {problem.column for problem in problems_of(**BROKEN)} == set(BROKEN)


def test_every_number_has_limits():
    numbers = {field.name for field in dataclasses.fields(Scenario)}
    assert numbers - set(BROKEN) == {"study", "arms", "items", "relapse_cuts_days"}


def test_broken_arms_are_named_with_their_place():
    arms = (
        Arm("one", "stop"),
        Arm("two", "taper", taper_days=10, step_days=3),
        Arm("two", "maintain", people=0, taper_days=5),
        Arm("four", "abrupt", taper_days=5),
        Arm("five", "taper", taper_days=14, shape="round", rounded_to_mg=-1),
    )
    found = {(problem.column, problem.value) for problem in problems_of(arms=arms)}
    assert found == {
        ("arms[0].strategy", "stop"),
        ("arms[1].taper_days", "10"),
        ("arms[2].people", "0"),
        ("arms", "two"),
        ("arms[3].taper_days", "5"),
        ("arms[4].shape", "round"),
        ("arms[4].rounded_to_mg", "-1"),
    }


def test_nearest_spelling_is_offered():
    (problem,) = problems_of(arms=(Arm("one", "mantain"),))
    assert "did you mean 'maintain'?" in problem.message


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"arms": ()}, "arms"),
        ({"relapse_cuts_days": (56,)}, "relapse_per_year"),
        ({"relapse_cuts_days": (56, 28), "relapse_per_year": (1, 1, 1)}, "relapse_cuts_days"),
        ({"items": ("dizziness",) * 8}, "items"),
        ({"stop_early_share": 0.6, "keep_taking_share": 0.6}, "stop_early_share"),
        ({"visit_days": 400}, "visit_days"),
        ({"concealed_start_days": 364}, "concealed_start_days"),
    ],
)
def test_values_that_do_not_go_together(changes, column):
    assert {problem.column for problem in problems_of(**changes)} == {column}


def test_distinctiveness_pulls_the_profiles_together():
    full = Scenario().item_profiles()
    assert full[0] == pytest.approx(Scenario().withdrawal_items)
    assert full[1] == pytest.approx(Scenario().relapse_items)
    none = Scenario(item_distinctiveness=0).item_profiles()
    assert none[0] == pytest.approx(none[1])


def test_beta_is_the_log_hazard_ratio():
    assert Scenario().beta == pytest.approx(0.405465)
    assert Scenario(relapse_ratio=1).beta == 0
