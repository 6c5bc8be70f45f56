"""Closed forms: the published values, and the same words in both directions."""

import pytest

from discontinuation.bias.closed_form import differential_error_bounds, e_value_of_pace
from discontinuation.problems import InvalidInput


def test_e_value_of_the_published_ratio():
    found = e_value_of_pace(2.06, 1.56, 2.70, pace_randomised=False)
    assert found.estimate == pytest.approx(2.675801, abs=5e-7)
    assert found.limit == pytest.approx(2.059862, abs=5e-7)


def test_a_randomised_pace_needs_no_e_value():
    with pytest.raises(InvalidInput, match="the pace was randomised"):
        e_value_of_pace(2.06, 1.56, 2.70, pace_randomised=True)


def test_antler_would_be_nullified_by_its_own_ratio():
    found = differential_error_bounds(1.455, 1.197, 1.769, [1.0, 1.455])
    assert (found.tipping, found.tipping_limit) == (1.455, 1.197)
    assert found.bounds["estimate"].to_list() == pytest.approx([1.455, 1.0])
    assert "1.455 times as often in the stopped arm" in found.sentence


def test_swapping_the_arms_mirrors_numbers_and_words():
    one = differential_error_bounds(1.455, 1.197, 1.769)
    other = differential_error_bounds(1 / 1.455, 1 / 1.769, 1 / 1.197)
    assert other.tipping == pytest.approx(one.tipping)
    assert other.tipping_limit == pytest.approx(one.tipping_limit)
    mirrored = 1 / other.bounds[["estimate", "upper", "lower"]].to_numpy()
    assert mirrored == pytest.approx(one.bounds[["estimate", "lower", "upper"]].to_numpy())
    assert other.sentence == one.sentence.replace("stopped", "continued")


def test_an_interval_with_one_needs_no_error():
    found = differential_error_bounds(1.2, 0.9, 1.6)
    assert found.tipping_limit == 1
    assert "includes no difference without any error" in found.sentence
    assert "no difference to explain" in differential_error_bounds(1, 0.9, 1.1).sentence


def test_everything_wrong_is_told_at_once():
    with pytest.raises(InvalidInput) as error:
        differential_error_bounds(1.5, 1.6, 1.4, [0.5])
    assert "between its limits" in str(error.value) and "'0.5': allowed: 1 or more" in str(
        error.value
    )
    with pytest.raises(InvalidInput, match="above 0"):
        differential_error_bounds(0, 0, 1)
