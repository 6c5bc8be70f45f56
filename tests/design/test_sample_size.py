"""Events by Schoenfeld's formula (methods G4) and what they are worth (G5)."""

import pytest

from discontinuation.design.sample_size import interval_ratio, people_for, schoenfeld_events
from discontinuation.problems import InvalidInput


def test_reference_value():
    assert schoenfeld_events(0.70, 0.90) == pytest.approx(330.3779140, abs=1e-6)
    assert schoenfeld_events(1 / 0.70, 0.90) == pytest.approx(330.3779140, abs=1e-6)


def test_unequal_arms_need_more():
    assert schoenfeld_events(0.7, share=2 / 3) == pytest.approx(330.3779140 * 9 / 8, abs=1e-6)


def test_people_follow_from_risks():
    assert people_for(330, (0.3, 0.5)) == pytest.approx(825)
    with pytest.raises(InvalidInput, match="above 0"):
        people_for(330, (0.0, 0.0))


def test_eighty_events_give_limits_that_are_two_point_four_apart():
    assert interval_ratio(80) == pytest.approx(2.40, abs=0.005)


def test_every_impossible_value_is_named():
    with pytest.raises(InvalidInput) as invalid:
        schoenfeld_events(1.0, 1.2, 0.0)
    assert [problem.column for problem in invalid.value.problems] == [
        "hazard_ratio",
        "power",
        "share",
    ]
    with pytest.raises(InvalidInput, match="half of the level"):
        schoenfeld_events(0.7, 0.02)


@pytest.mark.parametrize(
    ("arguments", "column"),
    [
        ((100, (-0.5, 1.0)), "risks"),
        ((100, (0.5,)), "risks"),
        ((100, (0.5, "x")), "risks"),
        ((-3, (0.5, 0.5)), "events"),
        ((float("nan"), (0.5, 0.5)), "events"),
        ((100, (0.5, 0.5), 2), "share"),
    ],
)
def test_people_are_not_worked_out_from_what_cannot_be(arguments, column):
    with pytest.raises(InvalidInput) as invalid:
        people_for(*arguments)
    assert [problem.column for problem in invalid.value.problems] == [column]


def test_an_interval_needs_events():
    for events in (0, -1, "80"):
        with pytest.raises(InvalidInput, match="events"):
            interval_ratio(events)
    with pytest.raises(InvalidInput, match="share"):
        interval_ratio(80, 1.5)
    with pytest.raises(InvalidInput, match="hazard_ratio"):
        schoenfeld_events("x")
