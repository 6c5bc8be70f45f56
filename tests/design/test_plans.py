"""Planned doses of each strategy."""

import numpy as np
import pytest

from discontinuation.design._daily import occupancy
from discontinuation.design.plans import planned_doses
from discontinuation.design.scenario import Arm, Scenario

SCENARIO = Scenario(horizon_days=120)


def test_maintenance_and_abrupt_stop():
    assert (planned_doses(Arm("m", "maintain"), SCENARIO) == 20).all()
    assert (planned_doses(Arm("a", "abrupt"), SCENARIO) == 0).all()


def test_hyperbolic_taper_falls_by_equal_occupancy_in_equal_times():
    dose = planned_doses(Arm("t", "taper", taper_days=84, step_days=14), SCENARIO)
    full = occupancy(np.array(20.0), 2.7, 0.95)
    left = occupancy(dose, 2.7, 0.95) / full
    assert left == pytest.approx(np.clip(1 - (np.arange(120) // 14 + 1) / 6, 0, 1), abs=1e-12)
    assert (dose[70:] == 0).all()
    assert dose[69] > 0


def test_linear_taper_falls_by_equal_doses():
    dose = planned_doses(Arm("t", "taper", taper_days=40, step_days=10, shape="linear"), SCENARIO)
    assert dose[:40:10] == pytest.approx([15, 10, 5, 0])


def test_a_taper_of_one_step_is_an_abrupt_stop():
    dose = planned_doses(Arm("t", "taper", taper_days=14, step_days=14), SCENARIO)
    assert (dose == 0).all()


def test_doses_are_rounded_to_what_can_be_made_up():
    exact = planned_doses(Arm("t", "taper", taper_days=84), SCENARIO)
    made = planned_doses(Arm("t", "taper", taper_days=84, rounded_to_mg=0.5), SCENARIO)
    assert np.abs(made - exact).max() <= 0.25 + 1e-12
    assert (made * 2 == np.rint(made * 2)).all()
