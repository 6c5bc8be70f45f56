"""Cause-specific hazards equal survfit's, and add up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.survival import aalen_johansen, read_result, write_result
from discontinuation.survival.cause_specific import cause_specific_hazards, events_of
from survival.competing_reference import case_data, values_of


def fit_case(case):
    d = case_data(case)
    return cause_specific_hazards(d["stop"], d["cause"], d["group"], entry=d["start"] - 0.5)


@pytest.mark.parametrize("case", ["ties", "entry"])
@pytest.mark.parametrize(
    ("quantity", "column"),
    [("cumulative hazard", "cumulative_hazard"), ("cumulative hazard se", "se")],
)
def test_every_value_equals_survfit(case, quantity, column):
    d = case_data(case)
    entry = d["start"] if case == "entry" else None
    result = cause_specific_hazards(d["stop"], d["cause"], d["group"], entry=entry)
    values = values_of(case, quantity)
    frame = result.at(sorted({float(key[2]) for key, _ in values}))
    indexed = frame.set_index(["group", "cause", "time"])[column]
    found = [indexed[group, int(cause), float(time)] for (group, cause, time), _ in values]
    expected = [value for _, value in values]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)


def test_hazards_of_causes_add_up_to_that_of_any():
    d = case_data("ties")
    each = cause_specific_hazards(d["stop"], d["cause"], d["group"])
    any_ = cause_specific_hazards(d["stop"], d["cause"] > 0, d["group"])
    np.testing.assert_allclose(each.cumulative_hazard.sum(axis=1), any_.cumulative_hazard[:, 0])
    np.testing.assert_allclose((each.se**2).sum(axis=1), any_.se[:, 0] ** 2)


def test_incidence_is_the_hazard_weighed_by_who_is_left():
    d = case_data("ties")
    hazards = cause_specific_hazards(d["stop"], d["cause"], d["group"])
    curves = aalen_johansen(d["stop"], d["cause"], d["group"])
    left = np.concatenate([np.ones((3, 1)), curves.event_free[:, :-1]], axis=1)
    steps = np.diff(hazards.cumulative_hazard, prepend=0, axis=2) * left[:, None]
    np.testing.assert_allclose(np.cumsum(steps, axis=2), curves.probability, atol=1e-13)


def test_limits_surround_the_hazard_and_beyond_follow_up_nothing_is_known():
    result = cause_specific_hazards([1, 2, 3, 4], [1, 2, 1, 0], confidence=0.9)
    row = result.at([3]).iloc[0]
    factor = np.exp(1.6448536269514722 * row["se"] / row["cumulative_hazard"])
    assert row["cumulative_hazard"] == pytest.approx(1 / 4 + 1 / 2)
    assert row["lower"] == pytest.approx(row["cumulative_hazard"] / factor)
    assert row["upper"] == pytest.approx(row["cumulative_hazard"] * factor)
    assert result.at([4.5])["cumulative_hazard"].isna().all()
    assert "90 % intervals" in str(result)


def test_causes_are_recoded_for_one_of_them():
    np.testing.assert_array_equal(events_of([0, 1, 2, 3, 2], 2), [0, 0, 1, 0, 1])
    assert events_of(pd.Series([0, 1]), 1).dtype == np.int64


@pytest.mark.parametrize(
    ("cause", "of", "message"),
    [([0, 1, 3], 2, "allowed: 1, 3"), ([0, 1.5], 1, "the cause"), ([0, 0], 1, "nobody has")],
)
def test_recoding_refuses_what_is_not_there(cause, of, message):
    with pytest.raises(InvalidInput, match=message):
        events_of(cause, of)


def test_no_event_is_refused():
    with pytest.raises(InvalidInput, match="no event of any cause"):
        cause_specific_hazards([1, 2], [0, 0])


@pytest.mark.parametrize("ending", ["json", "parquet"])
def test_results_can_be_stored(tmp_path, ending):
    result = fit_case("ties")
    write_result(result, tmp_path / f"hazards.{ending}")
    again = read_result(tmp_path / f"hazards.{ending}")
    pd.testing.assert_frame_equal(again.summary, result.summary)
