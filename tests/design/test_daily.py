"""Daily recursions of level, occupancy, adaptation and drive against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.design._daily import (
    dose_for_occupancy,
    first_order_lag,
    level,
    occupancy,
    set_point,
    withdrawal_drive,
)
from discontinuation.design.plans import planned_doses
from discontinuation.design.scenario import Arm, Scenario

DAY = np.arange(1, 4001)


def retained(dose, half_life=1.0):
    taken = level(np.atleast_2d(dose), 20.0, half_life)
    return occupancy(taken, 2.7, 0.95) / occupancy(np.array(20.0), 2.7, 0.95)


def schedules(days):
    scenario = Scenario(horizon_days=days)
    return {
        "abrupt": planned_doses(Arm("x", "abrupt"), scenario),
        "linear": planned_doses(Arm("x", "taper", taper_days=14, shape="linear"), scenario),
        "hyperbolic": planned_doses(Arm("x", "taper", taper_days=84), scenario),
        "steps": planned_doses(Arm("x", "taper", taper_days=84, step_days=14), scenario),
    }


# methods B2: the integral of w on the daily grid.
@pytest.mark.parametrize(("tau", "total"), [(7, 6.512), (14, 13.506), (28, 27.503)])
@pytest.mark.parametrize("name", ["abrupt", "linear", "hyperbolic", "steps"])
def test_withdrawal_drive_is_conserved_whatever_the_schedule(name, tau, total):
    drive = withdrawal_drive(retained(schedules(2000)[name]), tau)
    assert drive.sum() == pytest.approx(total, abs=5e-4)
    assert drive.sum() == pytest.approx(1 / np.expm1(1 / tau), rel=1e-9)


def test_drive_is_conserved_for_a_partial_fall():
    drive = withdrawal_drive(retained(np.full(2000, 5.0)), 14)
    left = retained(np.full(2000, 5.0))[0, -1]
    assert drive.sum() == pytest.approx((1 - left) / np.expm1(1 / 14), rel=1e-9)


# methods section 9: integral of w^2 for tapers linear in occupancy, instant kinetics, tau 14.
@pytest.mark.parametrize(("days", "total"), [(28, 3.973), (56, 2.641), (112, 1.531)])
def test_squared_drive_of_a_linear_fall_on_a_fine_grid(days, total):
    fine = 200
    time = np.arange(1, 400 * fine + 1) / fine
    drive = withdrawal_drive(np.clip(1 - time / days, 0, 1)[None, :], 14 * fine)[0]
    closed = 14**2 / days * (1 - 14 / days * (1 - np.exp(-days / 14)))
    assert (drive**2).sum() / fine == pytest.approx(closed, rel=3e-3)
    assert closed == pytest.approx(total, abs=1e-3)  # 3.97367 is printed as 3.973
    falling = time <= days
    expected = 14 / days * (1 - np.exp(-time[falling] / 14))
    assert drive[falling] == pytest.approx(expected, abs=1 / fine)


def test_level_after_an_abrupt_stop_halves_each_half_life():
    taken = level(np.zeros((1, 10)), 20.0, 2.0)[0]
    assert taken == pytest.approx(20.0 * 0.5 ** (np.arange(1, 11) / 2))


def test_level_and_set_point_are_exact_for_piecewise_constant_targets():
    target = np.repeat([[3.0, 8.0]], [4, 6], axis=1)
    rate = 0.3
    first = 3 + (1 - 3) * np.exp(-rate * np.arange(1, 5))
    second = 8 + (first[-1] - 8) * np.exp(-rate * np.arange(1, 7))
    assert first_order_lag(target, 1.0, rate)[0] == pytest.approx(np.append(first, second))
    adapted = set_point(np.zeros((1, 30)), 14)[0]
    assert adapted == pytest.approx(np.exp(-np.arange(1, 31) / 14))


def test_histories_do_not_touch_each_other():
    doses = np.random.default_rng(1).uniform(0, 20, (5, 40))
    together = withdrawal_drive(retained(doses), 14)
    alone = np.vstack([withdrawal_drive(retained(dose), 14) for dose in doses])
    assert (together == alone).all()


@given(
    share=st.floats(0.0, 0.99),
    ed50=st.floats(0.1, 20),
    largest=st.floats(0.3, 1.1),
    hill=st.floats(0.5, 2),
)
def test_dose_for_occupancy_inverts_occupancy(share, ed50, largest, hill):
    wanted = np.array(share * largest)
    dose = dose_for_occupancy(wanted, ed50, largest, hill)
    assert occupancy(dose, ed50, largest, hill) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_citalopram_doses_of_the_dossier():
    """Domain 5.3: 20 mg in falls of 10 points with K 2.33 and Emax 83.98 %."""
    points = np.array([65, 55, 45, 35, 25, 15, 5]) / 100
    printed = [8.1, 4.5, 2.7, 1.7, 1.0, 0.52, 0.15]
    assert dose_for_occupancy(points, 2.33, 0.8398) == pytest.approx(printed, rel=0.03)


@given(st.lists(st.floats(0, 20), min_size=1, max_size=60), st.floats(1, 60))
def test_drive_is_never_negative_and_at_most_the_lost_protection(doses, tau):
    kept = retained(np.sort(doses)[::-1])
    drive = withdrawal_drive(kept, tau)
    assert (drive >= 0).all()
    assert (drive <= 1 - kept + 1e-12).all()
