"""Counts by day and arm: the same distribution as counting the people of simulated trials."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from discontinuation.design.courses import draw_courses
from discontinuation.design.day_tables import cells, draw_tables, expected_counts, visit_days
from discontinuation.design.latent import draw_latent
from discontinuation.design.record import observe
from discontinuation.design.scenario import CAUSES, Arm, Scenario
from discontinuation.problems import InvalidInput

ARMS = (
    Arm("maintain", "maintain"),
    Arm("abrupt", "abrupt"),
    Arm("taper", "taper", taper_days=56),
)


def scenario(**changes):
    return replace(Scenario(arms=ARMS, horizon_days=200), **changes)


@given(
    visit=some.sampled_from([1, 7, 50, 130]),
    start=some.sampled_from([0, 3, 40]),
    frailty=some.sampled_from([0.0, 1.5]),
    nocebo=some.sampled_from([0.0, 0.2]),
    dropout=some.sampled_from([0.0, 0.8]),
)
def test_somebody_becomes_exactly_one_thing(visit, start, frailty, nocebo, dropout):
    found = cells(
        scenario(
            visit_days=visit,
            concealed_start_days=start,
            frailty_variance=frailty,
            nocebo_risk=nocebo,
            dropout_per_year=dropout,
        )
    )
    assert (found.seen >= 0).all() and (found.censored >= -1e-15).all()
    total = found.seen.sum(axis=(1, 2)) + found.censored.sum(axis=1)
    assert total == pytest.approx(1, abs=1e-12)
    assert found.day[-1] == 200 - start


@pytest.mark.parametrize("visit", [1, 28])
def test_cells_are_the_frequencies_of_simulated_people(visit):
    people = 30_000
    arms = tuple(replace(arm, people=people) for arm in ARMS)
    assumed = scenario(
        arms=arms, visit_days=visit, frailty_variance=1.0, nocebo_risk=0.1, dropout_per_year=0.6
    )
    courses = draw_courses(assumed, 3)
    latent = draw_latent(assumed, courses, 3)
    record = observe(assumed, courses, latent, 3)
    found = cells(assumed)
    for arm in range(3):
        mine = courses.arm == arm
        for cause in range(len(CAUSES)):
            hit = mine & (latent.cause == cause)
            days = record.detected[hit]
            seen = np.array([(days == day).sum() for day in found.day])
            expected = people * found.seen[arm, cause]
            few = expected < 5
            pulls = (seen - expected)[~few] ** 2 / expected[~few]
            freedom = max(len(pulls), 1)
            assert pulls.sum() < freedom + 5 * np.sqrt(2 * freedom)
            assert seen.sum() == pytest.approx(expected.sum(), abs=5 * np.sqrt(expected.sum() + 1))


def test_concealed_start_is_a_clock_of_its_own():
    """With a constant hazard the people who start are those of a trial without the waiting."""
    waiting = scenario(concealed_start_days=30, horizon_days=230)
    plain, late = cells(scenario()), cells(waiting)
    rate = 0.29 / 365 + 0.25 / 365
    started = np.exp(-rate * np.arange(31)).mean()
    assert late.seen == pytest.approx(started * plain.seen, rel=1e-9, abs=1e-15)
    assert late.day.tolist() == plain.day.tolist()


def test_drawn_tables_have_the_expected_counts():
    assumed = scenario(visit_days=20, concealed_start_days=10)
    found = cells(assumed)
    tables = draw_tables(found, (50, 80, 110), 4000, np.random.default_rng(1))
    sizes = np.array([50, 80, 110])
    expected = np.moveaxis(found.seen, 0, -1) * sizes
    error = np.sqrt(expected / 4000)
    assert np.abs(tables.events.mean(axis=0) - expected).max() < 5 * error.max()
    assert tables.at_risk[:, 0].max() <= 110
    leaving = -np.diff(tables.at_risk, axis=1)
    assert (leaving >= tables.any[:, :-1]).all()
    assert (tables.at_risk[:, -1] >= tables.any[:, -1]).all()


def test_expected_counts_of_the_dossier_are_near_the_cells():
    assumed = scenario()
    expected, found = expected_counts(assumed), cells(assumed)
    assert expected.events.sum() == pytest.approx(found.seen.sum(), rel=0.02)
    assert expected.at_risk[0] == pytest.approx(np.exp(-0.25 / 365), rel=1e-12)
    assert expected.protection_loss[:, 0] == pytest.approx(0, abs=1e-12)
    assert (expected.drive[:, 1] >= 0).all() and expected.drive[0, 1] > expected.drive[0, 2]


def test_last_visit_is_at_the_end():
    assert visit_days(scenario(visit_days=80)).tolist() == [80, 160, 200]
    assert visit_days(scenario(visit_days=80, concealed_start_days=40)).tolist() == [80, 160]


def test_what_counts_cannot_hold_is_refused_with_every_reason():
    with pytest.raises(InvalidInput) as invalid:
        cells(scenario(stop_early_share=0.2, dropout_ratio=2.0, definition_delay_days=7))
    assert [problem.column for problem in invalid.value.problems] == [
        "stop_early_share",
        "dropout_ratio",
        "definition_delay_days",
    ]
