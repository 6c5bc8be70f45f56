"""Who follows which strategy: histories worked out by hand."""

import numpy as np
import pytest

from discontinuation.design.plans import planned_doses
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.design.strategies import (
    Strategy,
    TargetTrial,
    deviation_week,
    hyperbolic_floor,
    lapsed_weeks,
    straight_floor,
)
from discontinuation.problems import InvalidInput

CONTINUE = Strategy("continue", "continue")
STOP = Strategy("stop", "stop")
TAPER = Strategy("taper", "taper", straight_floor(4))
TRIAL = TargetTrial((CONTINUE, STOP, TAPER), weeks=10, grace_weeks=3, gap_weeks=2)

# Share of the full dose by week; first week off: continue, stop, taper.
HISTORIES = {
    "full throughout": ([1] * 10, (10, 3, 3)),
    "stops at once": ([0] * 10, (2, 10, 2)),
    "stops in the last week of grace": ([1, 1, 1] + [0] * 7, (5, 10, 3)),
    "stops too late": ([1, 1, 1, 1] + [0] * 6, (6, 3, 3)),
    "a gap, then back": ([0, 0, 1] + [1] * 7, (10, 2, 3)),
    "a gap, then a taper": ([0, 0, 0.8, 0.5, 0.3, 0] + [0] * 4, (2, 2, 10)),
    "tapers straight": ([1, 0.75, 0.5, 0.25, 0] + [0] * 5, (1, 1, 10)),
    "tapers too fast": ([1, 0.75, 0.25, 0, 0] + [0] * 5, (1, 1, 2)),
    "tapers, then full again": ([1, 0.75, 1, 1, 1] + [1] * 5, (1, 1, 2)),
    "gives up a taper": ([0.75, 0, 0, 0, 0] + [0] * 5, (0, 0, 1)),
    "a taper that starts too late": ([1, 1, 1, 1, 0.9] + [0.9] * 5, (4, 3, 3)),
    "a slower taper": ([0.9] * 5 + [0.5] * 5, (0, 0, 10)),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_deviation(name):
    share, expected = HISTORIES[name]
    given = np.array([share], dtype=float)
    found = tuple(int(deviation_week(given, one, TRIAL)[0]) for one in TRIAL.strategies)
    assert found == expected


def test_everybody_follows_at_most_one_strategy_to_the_end():
    shares = np.array([share for share, _ in HISTORIES.values()], dtype=float)
    followed = [deviation_week(shares, one, TRIAL) == 10 for one in TRIAL.strategies]
    assert np.sum(followed, axis=0).max() == 1


def test_runs_without_a_supply_are_counted():
    none = np.array([[True, True, False, True, False, True, True, True]])
    assert lapsed_weeks(none).tolist() == [[1, 2, 0, 1, 0, 1, 2, 3]]


def test_floors_are_the_schedules_of_the_simulator():
    scenario = Scenario(arms=(Arm("t", "taper", taper_days=112, step_days=7),))
    daily = planned_doses(scenario.arms[0], scenario) / scenario.dose_mg
    floor = hyperbolic_floor(16, scenario.dose_mg, scenario.ed50_mg, scenario.occupancy_max)
    assert floor == pytest.approx(daily[: 16 * 7 : 7], abs=1e-12)
    linear = Scenario(arms=(Arm("t", "taper", taper_days=28, step_days=7, shape="linear"),))
    daily = planned_doses(linear.arms[0], linear) / linear.dose_mg
    assert straight_floor(4) == pytest.approx(daily[:28:7], abs=1e-12)


def test_impossible_trials_are_refused():
    with pytest.raises(InvalidInput, match="does not end within the 10 weeks"):
        TargetTrial((STOP, Strategy("slow", "taper", straight_floor(8))), weeks=10, grace_weeks=3)
    with pytest.raises(InvalidInput) as caught:
        TargetTrial((Strategy("a", "stopp"), Strategy("a", "stop", (0.5,))), weeks=4, grace_weeks=4)
    text = str(caught.value)
    assert len(caught.value.problems) == 4
    assert "did you mean 'stop'" in text
    with pytest.raises(InvalidInput, match="two strategies or more"):
        TargetTrial((STOP,))
    with pytest.raises(InvalidInput, match="falling shares"):
        TargetTrial((STOP, Strategy("up", "taper", (0.2, 0.5))))


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        ({"weeks": 0}, "weeks"),
        ({"weeks": -3}, "weeks"),
        ({"weeks": 4.0}, "weeks"),
        ({"dose_mg": 0}, "dose_mg"),
        ({"dose_mg": float("nan")}, "dose_mg"),
        ({"ed50_mg": "2.7"}, "ed50_mg"),
        ({"occupancy_max": 1.5}, "occupancy_max"),
        ({"hill": -1}, "hill"),
    ],
)
def test_floors_of_no_weeks_or_of_no_drug_are_refused(changed, column):
    with pytest.raises(InvalidInput) as caught:
        hyperbolic_floor(**({"weeks": 4, "dose_mg": 20, "ed50_mg": 2.7} | changed))
    assert [one.column for one in caught.value.problems] == [column]
    with pytest.raises(InvalidInput, match="weeks"):
        straight_floor(0)


def test_a_trial_of_the_wrong_kinds_is_refused():
    for weeks in (True, 52.0, "52"):
        with pytest.raises(InvalidInput, match="a whole number"):
            TargetTrial((CONTINUE, STOP), weeks=weeks)
    for lowest in (None, ("x",), (float("nan"),)):
        with pytest.raises(InvalidInput, match="allowed: numbers"):
            TargetTrial((CONTINUE, Strategy("b", "taper", lowest)))
    with pytest.raises(InvalidInput, match="kind"):
        TargetTrial((CONTINUE, Strategy("b", None)))
