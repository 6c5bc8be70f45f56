"""The compiled loops against their slow twins, which use other methods."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import expm

from discontinuation.exposure import _kernels
from discontinuation.exposure.trajectories import exposure_of
from exposure import slow_twins


def exposure(history, drug, **settings):
    frame = pd.DataFrame(history, columns=["start", "stop", "dose", "bolus"])
    injected = frame["bolus"] > 0
    frame["dose"] = frame["dose"].where(~injected, frame["bolus"])
    frame["unit"] = np.where(injected, "mg/injection", "mg/day")
    return exposure_of(
        frame.assign(person="x"),
        half_life_days=drug.half_life,
        k=drug.k,
        emax=drug.emax,
        hill=drug.hill,
        tau_days=drug.tau,
        release_half_life_days=drug.release_half_life,
        **settings,
    )


def drawn_case(seed):
    """A history that goes up and down, and a drug."""
    stream = np.random.default_rng(seed)
    edges = np.cumsum(np.r_[0, stream.exponential(20, stream.integers(1, 6)) + 0.1])
    doses = stream.choice([0, 1, 5, 20, 40, stream.uniform(0, 30)], edges.size - 1)
    drug = slow_twins.Drug(
        half_life=float(np.exp(stream.uniform(np.log(0.3), np.log(30)))),
        k=float(np.exp(stream.uniform(np.log(0.3), np.log(30)))),
        emax=0.9,
        hill=float(stream.choice([1, 1, 1.5, 2, 0.7])),
        tau=float(stream.uniform(3, 60)),
        release_half_life=float(np.exp(stream.uniform(0, 4))) if seed % 3 == 0 else None,
    )
    history = [(a, b, d, 0.0) for a, b, d in zip(edges[:-1], edges[1:], doses, strict=True)]
    times = np.sort(stream.uniform(0, edges[-1], 4))
    window = tuple(np.sort(stream.uniform(0, edges[-1], 2)))
    return history, drug, stream.uniform(2, 30), times, window


@pytest.mark.parametrize("seed", range(24))
def test_exact_grid_against_a_solver_of_differential_equations(seed):
    history, drug, before, times, window = drawn_case(seed)
    kappa = [0.5, 1.0, 1.5, 2.0, 3.0][seed % 5]
    taken = exposure(history, drug, dose_before=before)
    states, total = slow_twins.solve(
        history, drug, (before, before, 1.0), before, kappa, window, times
    )
    _, level, adapted, _ = np.array(states).T
    retained = np.array([drug.occupancy(x) for x in level]) / drug.occupancy(before)
    found = taken.at(times)
    assert found.level[0] == pytest.approx(level, rel=1e-8, abs=1e-8)
    assert found.retained[0] == pytest.approx(retained, rel=1e-8, abs=1e-9)
    assert found.set_point[0] == pytest.approx(adapted, rel=1e-9, abs=1e-10)
    assert found.drive[0] == pytest.approx(np.maximum(0, adapted - retained), abs=1e-9)
    assert taken.integral(kappa, *window).iloc[0] == pytest.approx(total, rel=2e-8, abs=1e-9)


def test_injections_against_a_solver_and_the_sum_over_all_earlier_injections():
    drug = slow_twins.Drug(half_life=1.3, k=3.2, release_half_life=25.0, tau=20.0)
    history = [(28.0 * n - 56, 28.0 * n - 28, 0.0, 300.0) for n in range(3)] + [(28.0, 300.0, 0, 0)]
    release, level = slow_twins.steady_cycle(drug, 300.0, 28.0)
    taken = exposure(history, drug)
    assert taken.at(-56.0).level[0, 0] == pytest.approx(level, rel=1e-12)
    # What was adapted to before: the mean of occupancy over all earlier cycles, fading.
    cycle = [(0.0, 28.0, 0.0, 300.0)]
    ((*_, after, _),), _ = slow_twins.solve(
        cycle, drug, (release, level, 0.0), 5.0, times=[28.0 - 1e-9]
    )
    adapted = after / (1 - np.exp(-28 / drug.tau))
    begin = (release, level, adapted * drug.occupancy(5.0) / drug.occupancy(taken.reference[0]))
    times = [-30.0, -1.0, 15.0, 60.0, 200.0]
    states, total = slow_twins.solve(
        history, drug, begin, taken.reference[0], 2.0, (0.0, 250.0), times
    )
    found = taken.at(times)
    assert found.level[0] == pytest.approx([state[1] for state in states], rel=1e-8)
    assert found.set_point[0] == pytest.approx([state[2] for state in states], rel=1e-8)
    assert taken.integral(2.0, 0.0, 250.0).iloc[0] == pytest.approx(total, rel=1e-8)


@pytest.mark.parametrize("release", [0.05, 0.69, 0.7, 0.71, 4.0])
def test_depot_closed_form_against_the_matrix_exponential(release):
    drug = _kernels.Drug(0.7, release, 1.0, 1.0, 1.0, 14.0)
    flow = np.array([[-release, 0, release * 20.0], [0.7, -0.7, 0], [0, 0, 0]])
    for time in (1e-3, 0.4, 3.0, 50.0):
        expected = expm(time * flow) @ [3.0, 5.0, 1.0]
        assert _kernels._move(time, 20.0, 3.0, 5.0, drug) == pytest.approx(expected[:2], rel=1e-13)


def test_level_turns_where_it_meets_the_release():
    drug = _kernels.Drug(0.7, 0.1, 1.0, 1.0, 1.0, 14.0)
    time = _kernels._turning_time(0.0, 9.0, 2.0, drug)
    release, level = _kernels._move(time, 0.0, 9.0, 2.0, drug)
    assert level == pytest.approx(release, rel=1e-13)
    assert time > 0
    assert _kernels._turning_time(0.0, 0.0, 2.0, drug) == np.inf


@pytest.mark.parametrize("seed", range(12))
def test_daily_grid_against_the_printed_recursion(seed):
    history, drug, before, _, _ = drawn_case(3 * seed + 1)  # without depot
    taken = exposure(history, drug, dose_before=before, grid="daily")
    days = int(history[-1][1])
    rows = slow_twins.daily(history, drug, before, before, days)
    found = taken.at(np.arange(1.0, days + 1))
    shown = [found.dose, found.level, found.retained, found.set_point, found.drive]
    for column, twin in zip(shown, rows.T, strict=True):
        assert column[0] == pytest.approx(twin, rel=1e-11, abs=1e-13)
    whole = taken.integral(1.5, 0.0, days).iloc[0]
    assert whole == pytest.approx((rows[:, 4] ** 1.5).sum(), rel=1e-10)
    part = taken.integral(1.5, 0.25, days - 0.5).iloc[0]
    ends = 0.25 * rows[0, 4] ** 1.5 + 0.5 * rows[-1, 4] ** 1.5
    assert part == pytest.approx(whole - ends, rel=1e-10)


def test_points_and_weights_are_those_of_gauss_and_kronrod():
    nodes, weights = np.polynomial.legendre.leggauss(7)
    assert _kernels._SYMMETRIC[:7] == pytest.approx(nodes, abs=1e-15)
    assert pytest.approx(weights / 2, rel=1e-14) == _kernels._GAUSS
    for degree in range(24):
        exact = 1 / (degree + 1)
        assert _kernels._KRONROD @ _kernels._NODES[:15] ** degree == pytest.approx(exact, rel=1e-13)
        if degree < 15:
            partial = _kernels._PARTIAL @ _kernels._NODES[:15] ** degree
            expected = _kernels._NODES[:15] ** (degree + 1) / (degree + 1)
            assert partial == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_the_twin_itself_against_a_closed_form():
    """Level far below K: o = e^-kt, and w is the difference of two exponentials."""
    drug = slow_twins.Drug(half_life=2.0, k=1e12, tau=14.0)
    states, total = slow_twins.solve(
        [(0.0, 400.0, 0.0, 0.0)], drug, (20.0, 20.0, 1.0), 20.0, 1.0, (0, 400), [7.0]
    )
    k, tau = drug.elimination, drug.tau
    share = k * tau / (k * tau - 1)
    drive = share * (np.exp(-7 / tau) - np.exp(-k * 7))
    assert states[0][2] - np.exp(-k * 7) == pytest.approx(drive, rel=1e-9)
    assert total == pytest.approx(tau, rel=1e-9)
