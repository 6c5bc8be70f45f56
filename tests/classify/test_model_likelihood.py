"""The likelihood, its derivatives and Louis' information against slow and independent twins."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from discontinuation.classify._drive_kernel import drive
from discontinuation.classify.em import first_guesses, maximise
from discontinuation.classify.gate_measures import exposure_of_trial
from discontinuation.classify.information import (
    cause_contrast,
    complete_score,
    observed_information,
)
from discontinuation.classify.likelihood import Task, expect, task_of
from discontinuation.classify.observed import at_risk, observe
from discontinuation.classify.settings import Settings
from discontinuation.design.scenario import BASE_ARMS, Scenario
from discontinuation.design.simulate import SimulatedTrial, simulate_trial

SETTINGS = Settings()
SMALL = tuple(replace(arm, people=30) for arm in BASE_ARMS)


def small_trial(**changes: object) -> SimulatedTrial:
    return simulate_trial(Scenario(arms=SMALL, **changes), 7)  # type: ignore[arg-type]


def task_from(trial: SimulatedTrial, settings: Settings = SETTINGS, **options: object) -> Task:
    observed = observe(
        trial.deteriorations,
        trial.people,
        exposure_of_trial(trial),
        trial.assessments,
        options.pop("follow_up", trial.follow_up),  # type: ignore[arg-type]
        "maintain",
        settings,
    )
    blinded = np.array([True, True, False])
    return task_of(observed, settings, blinded, None, **options)  # type: ignore[arg-type]


def some_parameters(task: Task, seed: int = 3) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.3, task.layout.size)
    return first_guesses(task)[0] + noise


def slow_drive(retained: list[float], tau: float) -> list[float]:
    set_point, found = 1.0, []
    for now in retained:
        set_point = set_point * math.exp(-1 / tau) + now * (1 - math.exp(-1 / tau))
        found.append(max(0.0, set_point - now))
    return found


def test_drive_is_the_recursion_of_the_dossier_and_its_derivatives() -> None:
    retained = np.cumprod(np.random.default_rng(1).uniform(0.9, 1.01, (3, 60)), axis=1)
    w, first, second = drive(retained, 9.0)
    expected = [slow_drive(list(row), 9.0) for row in retained]
    np.testing.assert_allclose(w, expected, atol=1e-14)
    step = 1e-4
    up, down = (drive(retained, 9.0 * math.exp(side * step))[0] for side in (1, -1))
    np.testing.assert_allclose(first, (up - down) / (2 * step), atol=1e-7)
    np.testing.assert_allclose(second, (up - 2 * w + down) / step**2, atol=1e-5)


def test_drive_is_exactly_0_while_nothing_changes() -> None:
    assert not drive(np.ones((2, 500)), 14.0).any()


def test_abrupt_stop_gives_the_closed_form() -> None:
    retained = np.zeros((1, 100))
    w = drive(retained, 14.0)[0, 0]
    np.testing.assert_allclose(w, np.exp(-np.arange(1, 101) / 14.0), rtol=1e-12)


def slow_log_likelihood(
    theta: np.ndarray, trial: SimulatedTrial, entries: dict[str, float]
) -> float:
    """One person and one day at a time, straight from methods B1 to B5, for daily visits."""
    items = sorted(trial.scenario.items)
    j = len(items)
    baseline, beta, eta = theta[:3], theta[3], theta[4]
    alpha, tau, kappa = (math.exp(theta[i]) for i in (5, 6, 7))
    logits = {"W": theta[10 : 10 + j], "R": theta[10 + j : 10 + 2 * j]}
    means = {"W": math.exp(theta[10 + 2 * j]), "R": math.exp(theta[11 + 2 * j])}
    events = trial.deteriorations.set_index("person")
    ratings = trial.assessments.set_index(["person", "item"])["value"].to_dict()
    states = exposure_of_trial(trial).at(np.arange(1, 365))
    retained = dict(zip(states.people, states.retained, strict=True))
    total = 0.0
    for person, end in trial.follow_up[["person", "end"]].itertuples(index=False):
        last = events.loc[person, "onset_latest"] if person in events.index else end
        o = list(retained[person][: int(last)])
        w, p = slow_drive(o, tau), [1 - value for value in o]
        opened = next((day for day, lost in enumerate(p) if lost > 0.1), 0)
        hazards = []
        for day, lost in enumerate(p):
            period = sum(day >= cut for cut in (56, 182))
            early = day < opened + 56
            relapse = math.exp(baseline[period] + (beta + eta * early) * lost)
            hazards.append((alpha * w[day] ** kappa if w[day] > 0 else 0.0, relapse))
        entry = int(entries.get(person, 0))
        if person not in events.index:
            total -= sum(sum(pair) for pair in hazards[entry:])
            continue
        total -= sum(sum(pair) for pair in hazards[entry:-1]) + sum(hazards[-1]) / 2
        row = events.loc[person]
        joint = []
        for cause, hazard in zip("WR", hazards[-1], strict=True):
            value = hazard
            for item, logit in zip(items, logits[cause], strict=True):
                rated = ratings.get((person, item))
                if rated is not None:
                    chance = 1 / (1 + math.exp(-logit))
                    value *= chance if rated else 1 - chance
            if not math.isnan(row["reinstated"]):
                mean = means[cause]
                if row["resolution_censored"]:
                    value *= math.exp(-(end - row["reinstated"]) / mean)
                else:
                    value *= math.exp(-(row["resolved"] - row["reinstated"]) / mean) / mean
            joint.append(value)
        total += math.log(sum(joint))
    return total


@pytest.mark.parametrize("entry", [0.0, 3.0])
def test_likelihood_is_that_of_one_person_and_day_at_a_time(entry: float) -> None:
    trial = small_trial()
    late = trial.follow_up["person"].iloc[::3]
    ends = trial.follow_up.set_index("person")["end"]
    onsets = trial.deteriorations.set_index("person")["onset"]
    first = ends.combine(onsets.reindex(ends.index), lambda end, onset: np.fmin(end, onset))
    entries = {person: entry for person in late if first[person] > entry}
    follow = trial.follow_up.assign(start=trial.follow_up["person"].map(entries).fillna(0.0))
    task = task_from(trial, follow_up=follow)
    theta = some_parameters(task)
    expected = slow_log_likelihood(theta, trial, entries)
    assert expect(theta, task).log_likelihood == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("visit_days", [1, 42])
@pytest.mark.parametrize("frailty", [0.0, 1.5])
@pytest.mark.parametrize("extra", [{}, {"nocebo": True}, {"protracted": True}])
def test_score_is_the_slope_of_the_likelihood(
    visit_days: int, frailty: float, extra: dict[str, bool]
) -> None:
    settings = replace(SETTINGS, **extra)
    task = task_from(small_trial(visit_days=visit_days), settings, frailty=frailty)
    theta = some_parameters(task)
    score = complete_score(expect(theta, task), task)[0]
    for place in np.flatnonzero(task.free):
        step = np.zeros(theta.size)
        step[place] = 1e-5
        sides = [expect(theta + side * step, task).log_likelihood for side in (1, -1)]
        assert score[place] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=2e-6)


@pytest.mark.parametrize("visit_days", [1, 42])
@pytest.mark.parametrize("extra", [{}, {"nocebo": True}, {"protracted": True}])
def test_louis_is_the_numerical_hessian(visit_days: int, extra: dict[str, bool]) -> None:
    task = task_from(small_trial(visit_days=visit_days), replace(SETTINGS, **extra))
    theta = some_parameters(task)
    louis = observed_information(expect(theta, task), task)
    hessian = np.empty_like(louis)
    for place in range(theta.size):
        step = np.zeros(theta.size)
        step[place] = 1e-5
        sides = [complete_score(expect(theta + side * step, task), task)[0] for side in (1, -1)]
        hessian[place] = -(sides[0] - sides[1]) / 2e-5
    free = np.ix_(task.free, task.free)
    scale = np.sqrt(np.abs(np.diag(louis)[task.free]))
    assert np.abs((louis - hessian)[free] / np.outer(scale, scale)).max() < 1e-6


def test_louis_has_the_closed_form_of_one_binary_latent_per_event() -> None:
    task = task_from(small_trial())
    found = expect(some_parameters(task), task)
    q, d = found.probability[:, 0], cause_contrast(found, task)
    acts = q > 0  # a slice that cannot be withdrawal has no variance and no contrast
    lost = (d[acts] * (q * (1 - q))[acts, None]).T @ d[acts]
    complete = complete_score(found, task)[1]
    np.testing.assert_allclose(observed_information(found, task), complete - lost, atol=1e-8)


def test_every_round_of_em_climbs_and_newton_ends_where_em_does() -> None:
    task = task_from(small_trial())
    start = first_guesses(task)[1]
    em = maximise(task, start, em_tolerance=1e-9)
    quick = maximise(task, start)
    assert len(em.path) > len(quick.path)
    assert max(em.largest_fall, quick.largest_fall) <= 1e-8
    assert em.converged and quick.converged
    assert quick.found.penalised == pytest.approx(em.found.penalised, abs=1e-7)


def test_bfgs_finds_nothing_higher() -> None:
    task = task_from(small_trial())
    top = maximise(task, first_guesses(task)[0]).found

    def downhill(free: np.ndarray) -> float:
        theta = top.theta.copy()
        theta[task.free] = free
        return -expect(theta, task).penalised

    rough = top.theta[task.free] + np.random.default_rng(1).normal(0, 0.05, int(task.free.sum()))
    best = minimize(downhill, rough, method="BFGS", options={"gtol": 1e-3})
    assert -best.fun <= top.penalised + 1e-8
    assert -best.fun == pytest.approx(top.penalised, abs=1e-3)


def test_people_with_the_same_doses_share_a_history_until_they_end() -> None:
    task = task_from(small_trial(reinstated_share=1.0))
    assert task.grid.retained.shape == (3, 364)
    own = task_from(small_trial(stop_early_share=0.5))
    assert 3 < own.grid.retained.shape[0] <= 90


def test_sharing_changes_no_occupancy() -> None:
    trial = small_trial(stop_early_share=0.5)
    task = task_from(trial)
    data, states = task.observed, exposure_of_trial(trial).at(np.arange(1, 365))
    order = {person: place for place, person in enumerate(states.people)}
    rows = [order[person] for person in trial.people["person"]]
    own = states.retained[rows]
    part = data.ends
    for person, step in zip(part.person, part.step, strict=True):
        shared = task.grid.retained[data.history_of_person[person]]
        np.testing.assert_allclose(shared[:step], own[person][:step], atol=1e-12)


def test_person_time_at_risk_adds_up() -> None:
    trial = small_trial()
    task = task_from(trial)
    onset = trial.deteriorations.set_index("person")["onset_latest"] - 0.5
    end = trial.follow_up.set_index("person")["end"]
    days = onset.reindex(end.index).fillna(end)
    assert at_risk(task.observed).sum() == pytest.approx(days.sum())


def test_counting_a_person_twice_is_having_the_person_twice() -> None:
    task = task_from(small_trial())
    theta = some_parameters(task)
    once = expect(theta, task)
    twice_data = task.observed.reweighted(np.full(90, 2.0))
    twice = expect(theta, replace(task, observed=twice_data))
    assert twice.log_likelihood == pytest.approx(2 * once.log_likelihood)
    np.testing.assert_allclose(
        observed_information(twice, replace(task, observed=twice_data)),
        2 * observed_information(once, task),
        atol=1e-7,
    )
