"""Rows become intervals of constant dose, and nothing is invented between them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.ingest.intervals import to_intervals

RULE = {
    "from": "days",
    "end": "refuse",
    "gap": "unknown",
    "bridge_days": 0,
    "after_last": "unknown",
}


def rows(starts, doses, stops=None, person="a"):
    count = len(starts)
    return pd.DataFrame(
        {
            "person": [person] * count,
            "drug": "x",
            "start": np.asarray(starts, float),
            "stop": np.full(count, np.nan) if stops is None else np.asarray(stops, float),
            "dose": np.asarray(doses, float),
            "unit": "mg/day",
            "route": None,
        }
    )


def intervals(frame, ends=None, **rule):
    ends = pd.Series({"a": 100.0} if ends is None else ends)
    made, refused = to_intervals(frame, {**RULE, **rule}, ends)
    assert not any(mask.any() for mask in refused.values())
    return [tuple(row) for row in made[["start", "stop", "dose"]].to_numpy()]


def test_days_of_one_dose_are_joined():
    made = intervals(rows([0, 1, 2, 3, 4], [8, 8, 8, 4, 4]))
    assert made == [(0, 3, 8), (3, 5, 4)]


def test_a_gap_is_unknown_unless_declared():
    frame = rows([0, 1, 5], [8, 8, 8])
    assert intervals(frame) == [(0, 2, 8), (5, 6, 8)]
    assert intervals(frame, gap="zero") == [(0, 2, 8), (2, 5, 0), (5, 6, 8)]
    assert intervals(frame, bridge_days=3) == [(0, 6, 8)]
    assert intervals(frame, bridge_days=2) == [(0, 2, 8), (5, 6, 8)]


def test_a_bridged_gap_before_another_dose_keeps_the_earlier_one():
    assert intervals(rows([0, 3], [8, 4]), bridge_days=2) == [(0, 3, 8), (3, 4, 4)]


def test_the_time_after_the_last_row_is_unknown_unless_declared():
    assert intervals(rows([0], [8]), after_last="zero") == [(0, 1, 8), (1, 100, 0)]
    assert intervals(rows([0], [0]), after_last="zero") == [(0, 1, 0)]
    assert intervals(rows([0], [8]), {"a": 1.0}, after_last="zero") == [(0, 1, 8)]


def test_a_change_lasts_until_the_next_and_the_last_until_the_end():
    made = intervals(rows([10, -50], [5, 20]), **{"from": "changes"})
    assert made == [(-50, 10, 20), (10, 100, 5)]


def test_an_open_interval_is_closed_only_as_declared():
    frame = rows([0, 10], [8, 4], [np.nan, np.nan])
    given_rule = {"from": "given"}
    assert np.isnan(intervals(frame, **given_rule)[0][1])
    assert intervals(frame, **given_rule, end="follow_up") == [(0, 100, 8), (10, 100, 4)]
    assert intervals(frame, **given_rule, end="next") == [(0, 10, 8), (10, 100, 4)]


@pytest.mark.parametrize("kind", ["days", "changes"])
def test_two_doses_at_one_time_are_refused(kind):
    _, refused = to_intervals(
        rows([0, 0, 1], [8, 4, 4]), {**RULE, "from": kind}, pd.Series({"a": 9.0})
    )
    (mask,) = refused.values()
    assert mask.tolist() == [True, True, False]


def test_people_and_drugs_are_kept_apart():
    frame = pd.concat([rows([0, 1], [8, 8]), rows([2], [8], person="b")], ignore_index=True)
    frame.loc[1, "drug"] = "y"
    made, _ = to_intervals(frame, RULE, pd.Series({"a": 9.0, "b": 9.0}))
    assert made[["person", "drug", "start", "stop"]].to_numpy().tolist() == [
        ["a", "x", 0.0, 1.0],
        ["a", "y", 1.0, 2.0],
        ["b", "x", 2.0, 3.0],
    ]


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([4.0, 8.0])),
        min_size=1,
        unique_by=lambda day: day[0],
    ),
    st.randoms(),
)
def test_no_day_is_lost_or_made_up(days, random):
    random.shuffle(days)
    starts, doses = zip(*days, strict=True)
    made = intervals(rows(starts, doses))
    covered = {day: dose for start, stop, dose in made for day in range(int(start), int(stop))}
    assert covered == dict(days)
