"""Drive and its integrals: conservation, closed forms, and what must not change them."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import beta

from discontinuation.design import _daily
from discontinuation.exposure.trajectories import exposure_of

DRUG = {"half_life_days": 1.0, "k": 2.7, "emax": 0.95}  # the base scenario of methods F2
FOREVER = 4000.0


def doses(steps, person="x"):
    """Steps are (start, dose); the last lasts for ever."""
    start, dose = np.array(steps, dtype=float).T
    stop = np.append(start[1:], FOREVER)
    return pd.DataFrame({"person": person, "start": start, "stop": stop, "dose": dose})


def hyperbolic(days, step=1.0):
    """Equal falls of occupancy from 20 mg."""
    falls = np.arange(0, days, step)
    left = 1 - (falls + step) / days
    full = _daily.occupancy(np.array(20.0), 2.7, 0.95)
    amount = _daily.dose_for_occupancy(np.clip(left, 0, None) * full, 2.7, 0.95)
    return list(zip(falls, amount, strict=True))


def linear(days, step=1.0):
    falls = np.arange(0, days, step)
    left = np.clip(1 - (falls + step) / days, 0, None)
    return list(zip(falls, 20 * left, strict=True))


SCHEDULES = {
    "abrupt": [(0.0, 0.0)],
    "linear": linear(14),
    "hyperbolic": hyperbolic(84),
    "four steps": [(0.0, 15.0), (14.5, 10.0), (29.25, 2.5), (71.0, 0.0)],
    "part of the way": [(0.0, 5.0)],
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("tau", [7.0, 14.0, 28.0])
@pytest.mark.parametrize("extra", [{}, {"hill": 1.6}, {"release_half_life_days": 30.0}])
def test_integral_of_the_drive_is_tau_times_the_loss_whatever_the_schedule(name, tau, extra):
    """Methods B2, conservation."""
    taken = exposure_of(doses(SCHEDULES[name]), **DRUG, **extra, tau_days=tau, dose_before=20.0)
    lost = taken.at(FOREVER).protection_lost[0, 0]
    assert taken.integral(1.0).iloc[0] == pytest.approx(tau * lost, rel=1e-8)
    assert lost == pytest.approx(1.0 if name != "part of the way" else lost, abs=1e-9)


@pytest.mark.parametrize(("tau", "total"), [(7.0, 6.512), (14.0, 13.506), (28.0, 27.503)])
@pytest.mark.parametrize("name", ["abrupt", "linear", "hyperbolic", "four steps"])
def test_integral_of_the_drive_on_the_daily_grid(name, tau, total):
    """Methods B2: 1 / (e^(1/tau) - 1)."""
    taken = exposure_of(
        doses(SCHEDULES[name]), **DRUG, tau_days=tau, dose_before=20.0, grid="daily"
    )
    assert taken.integral(1.0).iloc[0] == pytest.approx(total, abs=5e-4)
    assert taken.integral(1.0).iloc[0] == pytest.approx(1 / np.expm1(1 / tau), rel=1e-9)


def test_daily_grid_is_the_recursion_of_the_simulator():
    stream = np.random.default_rng(3)
    given_doses = stream.choice([0.0, 2.5, 5.0, 10.0, 20.0], (6, 90))
    days = np.arange(90.0)
    frame = pd.concat(
        [
            pd.DataFrame({"person": n, "start": days, "stop": days + 1, "dose": row})
            for n, row in enumerate(given_doses)
        ]
    )
    level = _daily.level(given_doses, 20.0, 1.0)
    retained = _daily.occupancy(level, 2.7, 0.95) / _daily.occupancy(np.array(20.0), 2.7, 0.95)
    found = exposure_of(frame, **DRUG, dose_before=20.0, grid="daily").at(days + 1)
    assert found.dose == pytest.approx(given_doses)
    assert found.level == pytest.approx(level, rel=1e-12)
    assert found.retained == pytest.approx(retained, rel=1e-12)
    assert found.set_point == pytest.approx(_daily.set_point(retained, 14.0), rel=1e-12)
    assert found.drive == pytest.approx(_daily.withdrawal_drive(retained, 14.0), abs=1e-12)


def test_base_scenario_of_the_dossier():
    """Methods 9: Lambda_W at 52 weeks, on the daily grid and in continuous time."""
    expected = {"daily": 0.2783, "exact": 0.2988}
    for grid, total in expected.items():
        taken = exposure_of(doses([(0, 0)]), **DRUG, dose_before=20.0, grid=grid)
        hazard = 0.05 * taken.integral(2.0, 0.0, 364.0).iloc[0]
        assert hazard == pytest.approx(total, abs=5e-5)
    # The dossier's 0.2986 is the same sum with steps of a hundredth of a day.
    time = np.arange(1, 364 * 100 + 1) / 100
    level = 20 * 0.5**time
    retained = (level / (2.7 + level) / (20 / 22.7))[None, :]
    fine = 0.05 * (_daily.withdrawal_drive(retained, 1400.0) ** 2).sum() / 100
    assert fine == pytest.approx(0.2986, abs=5e-5)
    assert hazard == pytest.approx(fine, rel=1e-3)


@pytest.mark.parametrize("kappa", [0.5, 1.0, 1.5, 2.0, 3.0])
def test_abrupt_stop_with_instant_kinetics_gives_tau_over_kappa(kappa):
    """Methods B2."""
    taken = exposure_of(doses([(0, 0)]), half_life_days=1e-9, k=2.7, emax=1.0, dose_before=20.0)
    assert taken.integral(kappa).iloc[0] == pytest.approx(14 / kappa, rel=1e-8)


@pytest.mark.parametrize("kappa", [0.3, 1.0, 1.7, 2.0, 4.0])
@pytest.mark.parametrize("half_life", [0.4, 3.0, 9.0, 30.0])
def test_abrupt_stop_where_occupancy_is_proportional_to_level(kappa, half_life):
    """There w is a difference of two exponentials and the integral a beta function."""
    taken = exposure_of(
        doses([(0, 0)]), half_life_days=half_life, k=1e13, emax=1.0, dose_before=20.0
    )
    fast, slow = sorted([np.log(2) / half_life, 1 / 14], reverse=True)
    share = np.log(2) / half_life / (fast - slow)
    expected = share**kappa / (fast - slow) * beta(kappa * slow / (fast - slow), kappa + 1)
    assert taken.integral(kappa).iloc[0] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("days", "total"), [(28, 3.973), (56, 2.641), (112, 1.531)])
def test_squared_drive_of_a_taper_linear_in_occupancy(days, total):
    """Methods B2: tau^2/L {1 - (tau/L)(1 - e^(-L/tau))}, the limit of ever smaller steps."""
    closed = 14**2 / days * (1 - 14 / days * (1 - np.exp(-days / 14)))
    assert closed == pytest.approx(total, abs=1e-3)

    def staircase(steps):
        frame = doses(hyperbolic(days, days / steps))
        taken = exposure_of(frame, half_life_days=1e-9, k=2.7, emax=0.95, dose_before=20.0)
        return taken.integral(2.0).iloc[0]

    def exact_staircase(steps):
        """Drive jumps by 1/steps at each step and fades in between."""
        length, drive, found = days / steps, 0.0, 0.0
        for step in range(steps):
            drive += 1 / steps
            lasts = length if step < steps - 1 else np.inf
            found += drive**2 * 7 * (1 - np.exp(-2 * lasts / 14))
            drive *= np.exp(-length / 14)
        return found

    found = [staircase(steps) for steps in (100, 200, 400)]
    for steps, value in zip((100, 200, 400), found, strict=True):
        assert value == pytest.approx(exact_staircase(steps), rel=1e-8)
    assert found[-1] == pytest.approx(closed, rel=5e-3)
    once = [2 * fine - coarse for coarse, fine in pairwise(found)]
    assert (4 * once[1] - once[0]) / 3 == pytest.approx(closed, rel=1e-7)  # Richardson


def test_convex_drive_makes_slow_tapers_milder_and_a_linear_one_does_not():
    frame = pd.concat([doses(steps, name) for name, steps in SCHEDULES.items()])
    taken = exposure_of(frame, **DRUG, dose_before=20.0)
    squared = taken.integral(2.0)
    assert squared["abrupt"] > squared["linear"] > squared["four steps"] > squared["hyperbolic"]
    total = taken.integral(1.0).drop("part of the way")
    assert total.to_numpy() == pytest.approx(14.0, rel=1e-8)


def test_maintenance_pulls_not_at_all():
    for grid in ("exact", "daily"):
        taken = exposure_of(doses([(0, 20), (30, 20), (31.5, 20)]), **DRUG, grid=grid)
        found = taken.at(np.arange(0, 100, 0.25))
        assert (found.drive == 0).all()
        assert found.retained == pytest.approx(1.0, abs=1e-15)
        assert taken.integral(0.5).iloc[0] == 0


def test_rising_again_stops_the_drive_and_falling_starts_it():
    taken = exposure_of(doses([(0, 0), (20, 20), (60, 0)]), **DRUG, dose_before=20.0)
    found = taken.at(np.arange(0, 100, 0.5))
    pulls = found.drive[0] > 0
    assert pulls[1:40].all()
    assert not pulls[44:121].any()  # occupancy is back above the set-point
    assert pulls[-20:].all()
    parts = [taken.integral(1.5, *limits).iloc[0] for limits in ((0, 40), (40, 100))]
    assert sum(parts) == pytest.approx(taken.integral(1.5, 0, 100).iloc[0], rel=1e-8)


# What must not change anything ------------------------------------------------------------------

amounts = st.floats(0.5, 40) | st.just(0.0)
histories = st.lists(st.tuples(st.floats(0.05, 60), amounts), min_size=1, max_size=6)
drugs = st.fixed_dictionaries(
    {
        "half_life_days": st.floats(0.05, 40),
        "k": st.floats(0.2, 50),
        "emax": st.floats(0.3, 1.1),
        "hill": st.sampled_from([1.0, 1.0, 0.8, 1.7]),
        "tau_days": st.floats(2, 80),
        "release_half_life_days": st.none() | st.floats(0.5, 60),
    }
)
kappas = st.sampled_from([0.5, 1.0, 1.4, 2.0, 3.0])
few = settings(max_examples=40, deadline=None)


def frame_of(history, shift=0.0, scale=1.0):
    lengths, amount = np.array(history, dtype=float).T
    edges = np.append(0.0, np.cumsum(lengths)) + shift
    return pd.DataFrame(
        {"person": "x", "start": edges[:-1], "stop": edges[1:], "dose": amount * scale}
    )


def shown(taken, times):
    found = taken.at(times)
    return np.stack([found.level, found.retained, found.set_point, found.drive])


@few
@given(histories, drugs, kappas, st.floats(0.01, 0.99), st.integers(0, 5))
def test_splitting_an_interval_changes_nothing(history, drug, kappa, share, which):
    frame = frame_of(history)
    row = frame.iloc[[which % len(frame)]]
    middle = float((row["start"] + share * (row["stop"] - row["start"])).iloc[0])
    split = pd.concat([frame.drop(row.index), row.assign(stop=middle), row.assign(start=middle)])
    whole = exposure_of(frame, **drug, dose_before=20.0)
    parts = exposure_of(split, **drug, dose_before=20.0)
    times = np.linspace(0, frame["stop"].max(), 13)
    assert shown(parts, times) == pytest.approx(shown(whole, times), rel=1e-9, abs=1e-11)
    assert parts.integral(kappa).iloc[0] == pytest.approx(
        whole.integral(kappa).iloc[0], rel=1e-8, abs=1e-12
    )


@few
@given(histories, drugs, kappas, st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_output_times_change_nothing(history, drug, kappa, shares):
    frame = frame_of(history)
    taken = exposure_of(frame, **drug, dose_before=20.0)
    end = float(frame["stop"].max())
    times = np.array(shares) * end
    together = shown(taken, times)
    alone = np.concatenate([shown(taken, time) for time in times], axis=2)
    assert together == pytest.approx(alone, rel=1e-9, abs=1e-11)
    cuts = np.unique([0.0, *times, end])
    parts = [taken.integral(kappa, a, b).iloc[0] for a, b in pairwise(cuts)]
    assert sum(parts) == pytest.approx(taken.integral(kappa).iloc[0], rel=1e-8, abs=1e-12)


@few
@given(histories, drugs, kappas, st.sampled_from([-1024.0, -3.5, 0.25, 77.0, 512.0]))
def test_shifting_time_changes_nothing(history, drug, kappa, shift):
    here = exposure_of(frame_of(history), **drug, dose_before=20.0)
    there = exposure_of(frame_of(history, shift), **drug, dose_before=20.0, reference_day=shift)
    times = np.linspace(0, here.histories.ends[0], 9)[:-1]
    assert shown(there, times + shift) == pytest.approx(shown(here, times), rel=1e-8, abs=1e-10)
    assert there.integral(kappa, shift).iloc[0] == pytest.approx(
        here.integral(kappa).iloc[0], rel=1e-8, abs=1e-10
    )


@few
@given(histories, drugs, kappas, st.floats(0.01, 100))
def test_scaling_dose_and_k_together_changes_nothing(history, drug, kappa, scale):
    here = exposure_of(frame_of(history), **drug, dose_before=20.0)
    scaled = {**drug, "k": drug["k"] * scale}
    there = exposure_of(frame_of(history, scale=scale), **scaled, dose_before=20.0 * scale)
    times = np.linspace(0, here.histories.ends[0], 9)
    expected = shown(here, times)
    expected[0] *= scale
    assert shown(there, times) == pytest.approx(expected, rel=1e-8, abs=1e-10)
    assert there.integral(kappa).iloc[0] == pytest.approx(
        here.integral(kappa).iloc[0], rel=1e-8, abs=1e-10
    )


@few
@given(histories, drugs)
def test_a_falling_dose_pulls_with_tau_times_the_loss_in_all(history, drug):
    lengths, amount = zip(*history, strict=True)
    falling = list(zip(lengths, sorted(amount, reverse=True), strict=True))
    drug = {**drug, "tau_days": min(drug["tau_days"], 40.0)}
    frame = frame_of([*falling, (5000.0, 0.0)])
    taken = exposure_of(frame, **drug, dose_before=40.0)
    found = taken.at(np.linspace(0, 400, 50))
    assert (found.set_point >= found.retained - 1e-12).all()
    assert (found.drive >= 0).all()
    end = taken.histories.ends[0]
    assert taken.integral(1.0).iloc[0] == pytest.approx(drug["tau_days"], rel=1e-8)
    assert taken.at(end).protection_lost[0, 0] == pytest.approx(1.0, abs=1e-9)


@few
@given(histories, drugs, kappas)
def test_a_drive_is_never_more_than_the_protection_lost_from_the_highest(history, drug, kappa):
    taken = exposure_of(frame_of(history), **drug, dose_before=20.0)
    found = taken.at([*np.linspace(0, taken.histories.ends[0], 40), *taken.histories.stop])
    highest = max(1.0, float(found.retained.max()))
    assert (found.drive <= highest - found.retained + 1e-9).all()
    largest = highest**kappa * taken.histories.ends[0]
    assert 0 <= taken.integral(kappa).iloc[0] <= largest * (1 + 1e-9)


@pytest.mark.parametrize("kappa", [1.0, 2.0])
@pytest.mark.parametrize("name", ["abrupt", "four steps"])
def test_daily_grid_comes_close_to_the_exact_one_as_the_day_gets_short(name, kappa):
    """Everything twice as slow is the same with steps of half a day."""

    def difference(slower):
        frame = doses(SCHEDULES[name])
        frame[["start", "stop"]] *= slower
        totals = [
            exposure_of(
                frame,
                half_life_days=slower,
                k=2.7,
                emax=0.95,
                tau_days=14.0 * slower,
                dose_before=20.0,
                grid=grid,
            )
            .integral(kappa)
            .iloc[0]
            for grid in ("daily", "exact")
        ]
        return 1 - totals[0] / totals[1]

    apart = np.array([difference(slower) for slower in (1, 4, 16, 64)])
    assert (apart > 0).all()
    assert apart[:-1] / apart[1:] == pytest.approx(4.0, rel=0.1)
    assert apart[-1] < 1.5e-3


def test_people_do_not_touch_each_other_and_cores_do_not_matter(monkeypatch):
    stream = np.random.default_rng(5)
    frames = []
    for person in range(600):
        steps = np.sort(stream.uniform(0, 20, 4))[::-1]
        starts = [0, *np.cumsum(stream.integers(1, 70, 3))]
        frames.append(doses(list(zip(starts, steps, strict=True)), person))
    frame = pd.concat(frames)
    taken = exposure_of(frame, **DRUG, dose_before=20.0)
    times = np.arange(0, 300, 7.0)
    together, total = shown(taken, times), taken.integral(1.5)
    one = exposure_of(frames[417], **DRUG, dose_before=20.0)
    assert (shown(one, times)[:, 0] == together[:, 417]).all()
    assert one.integral(1.5).iloc[0] == total[417]
    monkeypatch.setattr("discontinuation.exposure.drive.PEOPLE_PER_THREAD", 10**9)
    assert (shown(taken, times) == together).all()
    assert (taken.integral(1.5) == total).all()
