"""W1 from doses and from the length of a taper."""

import math

import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.audit.removal import (
    answer_published_arm,
    facts_of_pace,
    longest_half_life,
    most_days_90_to_10,
)
from discontinuation.audit.withdrawal import answer_pace
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.pace import pace_of
from discontinuation.exposure.parameters import parameters_of
from discontinuation.exposure.schedules import hyperbolic, hyperbolic_by_points, linear

NO_SCHEDULES = pd.DataFrame(
    columns=["fall_90_10_days", "largest_step_occupancy", "final_drop_occupancy", "minimum"]
)


@pytest.fixture(scope="module")
def drugs():
    return read_drugs(ROOT / "data" / "reference")


def arm(**changes):
    return {
        "strategy": "taper", "formulation": "oral", "taper_days": math.nan,
        "taper_days_lower": math.nan, "taper_days_upper": math.nan, "note": None, **changes,
    }  # fmt: skip


def pace(schedule):
    return pace_of(schedule.doses(), schedule.drug).table


@pytest.mark.parametrize("name", ["sertraline", "fluoxetine", "olanzapine"])
@pytest.mark.parametrize("days", [7, 28, 60])
def test_no_schedule_takes_longer_than_the_bound(drugs, name, days):
    drug = parameters_of(drugs.find(name))
    start = drug.minimum_effective_dose or 10.0
    bound = most_days_90_to_10(days, drug.half_life_days)
    for schedule in (linear(drug, start, days, 2), linear(drug, start, days, 8),
                     hyperbolic(drug, start, days, 8)):  # fmt: skip
        table = pace_of(schedule.doses(40 * drug.half_life_days), drug).table
        assert 0 < table["fall_90_10_days"].iloc[0] <= bound


def test_a_slow_hyperbolic_taper_is_slow_and_a_linear_one_is_not(drugs):
    """Steps of 10 points, four weeks apart, down to 10 % against a stop from half the dose."""
    drug = parameters_of(drugs.find("citalopram"))
    slow = hyperbolic_by_points(drug, 20, 0.1, 28)
    facts = facts_of_pace(pace(slow))
    assert facts.largest_step_points == pytest.approx(10, abs=1e-6)
    assert answer_pace(facts) == "Y"
    halves = facts_of_pace(pace(linear(drug, 20, 60, 2)))
    assert halves.last_occupancy_percent > 50 and answer_pace(halves) == "N"


def test_a_stop_in_one_step_is_no(drugs):
    abrupt = arm(strategy="abrupt", taper_days=0.0)
    assert answer_published_arm(abrupt, NO_SCHEDULES, None).answer == "N"
    inferred = arm(strategy="abrupt", taper_days=0.0, note="Direct change is inferred.")
    assert answer_published_arm(inferred, NO_SCHEDULES, None).answer == "PN"


def test_a_short_taper_of_a_short_drug_is_no_whatever_its_steps():
    said = answer_published_arm(arm(taper_days=7.0), NO_SCHEDULES, 0.5)
    assert said.answer == "N" and "at most 10 days" in said.reason
    assert answer_published_arm(arm(taper_days=7.0), NO_SCHEDULES, 8.0).answer == "NI"


def test_what_is_not_stated_is_no_information():
    assert answer_published_arm(arm(), NO_SCHEDULES, 0.5).answer == "NI"
    open_end = arm(taper_days=14.0, taper_days_lower=14.0)
    assert answer_published_arm(open_end, NO_SCHEDULES, 0.5).answer == "NI"
    depot = arm(strategy="abrupt", formulation="depot", taper_days=0.0)
    assert answer_published_arm(depot, NO_SCHEDULES, 30.0).answer == "NI"


def schedules(*rows, minimum=False):
    return pd.DataFrame(
        [
            {"fall_90_10_days": a, "largest_step_occupancy": b, "final_drop_occupancy": c,
             "minimum": minimum}
            for a, b, c in rows
        ]
    )  # fmt: skip


def test_plausible_schedules_must_agree():
    fast, slow = (20, 0.4, 0.4), (60, 0.1, 0.05)
    month = arm(taper_days=60.0)
    assert answer_published_arm(month, schedules(fast, fast), 1.0).answer == "PN"
    assert answer_published_arm(month, schedules(slow, slow), 1.0).answer == "PY"
    assert answer_published_arm(month, schedules(fast, slow), 1.0).answer == "NI"
    at_least = arm(taper_days=60.0, taper_days_lower=60.0)
    assert answer_published_arm(at_least, schedules(fast, minimum=True), 1.0).answer == "NI"


def test_the_longest_half_life_needs_all_of_them():
    assert longest_half_life([24.0, 48.0]) == 2
    assert longest_half_life([24.0, None]) is None
    assert longest_half_life([]) is None
