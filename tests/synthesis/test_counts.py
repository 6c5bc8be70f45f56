"""Effects from counts against closed forms, ANTLER and metafor's escalc."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compare import assert_as_escalc, assert_as_metafor, effects_of, exactly, reference
from discontinuation.synthesis import (
    Effect,
    combine_arms_counts,
    design_effect,
    effective_counts,
    effective_n,
    odds_ratio,
    rate_ratio,
    risk_difference,
    risk_ratio,
    split_shared_arm,
)

property_test = settings(max_examples=80, deadline=None, derandomize=True, database=None)

ESCALC: dict[str, Callable[[pd.DataFrame], Effect]] = {
    "RR add_half_if_zero": lambda t: risk_ratio(t.events_a, t.n_a, t.events_b, t.n_b),
    "RR add_half_always": lambda t: risk_ratio(
        t.events_a, t.n_a, t.events_b, t.n_b, "add_half_always"
    ),
    "OR add_half_if_zero": lambda t: odds_ratio(t.events_a, t.n_a, t.events_b, t.n_b),
    "OR add_half_always": lambda t: odds_ratio(
        t.events_a, t.n_a, t.events_b, t.n_b, "add_half_always"
    ),
    "RD none": lambda t: risk_difference(t.events_a, t.n_a, t.events_b, t.n_b),
    "RD add_half_if_zero": lambda t: risk_difference(
        t.events_a, t.n_a, t.events_b, t.n_b, "add_half_if_zero"
    ),
    "RD add_half_always": lambda t: risk_difference(
        t.events_a, t.n_a, t.events_b, t.n_b, "add_half_always"
    ),
    "IRR add_half_if_zero": lambda t: rate_ratio(t.events_a, t.time_a, t.events_b, t.time_b),
}


@pytest.mark.parametrize("name", ESCALC)
def test_effects_are_those_of_escalc(name: str) -> None:
    assert_as_escalc(name, ESCALC[name])


def test_antler() -> None:
    ratio, lower, upper = risk_ratio(135, 240, 92, 238).natural()
    assert ratio == exactly((135 / 240) / (92 / 238))
    assert (ratio, lower, upper) == pytest.approx((1.455163, 1.197240, 1.768651), abs=5e-7)
    difference = risk_difference(135, 240, 92, 238)
    assert difference.estimate == exactly(135 / 240 - 92 / 238)
    assert (difference.estimate, difference.se) == pytest.approx((0.175945, 0.044964), abs=5e-7)


def test_antler_to_the_digits_that_r_gives() -> None:
    rows = reference()[reference()["dataset"] == "ANTLER"].set_index("quantity")
    ratio, lower, upper = risk_ratio(135, 240, 92, 238).natural()
    difference = risk_difference(135, 240, 92, 238)
    got = {
        "RR": ratio,
        "RR lower": lower,
        "RR upper": upper,
        "RD": difference.estimate,
        "RD se": difference.se,
    }
    assert set(got) == set(rows.index)
    for name, value in got.items():
        assert abs(value - rows.loc[name, "value"]) <= rows.loc[name, "tolerance"]


def test_bcg_to_the_digits_that_r_gives() -> None:
    got = {}
    for short, values in zip(("yi", "vi"), effects_of("dat.bcg"), strict=True):
        got |= {f"RR {short} {i}": value for i, value in enumerate(values, 1)}
    assert_as_metafor("effects", "dat.bcg", got)


def test_closed_forms_of_the_2_by_2_table() -> None:
    a, b, c, d = 15.0, 85.0, 30.0, 60.0
    ratio, odds, difference = (
        f(a, a + b, c, c + d) for f in (risk_ratio, odds_ratio, risk_difference)
    )
    assert ratio.estimate == exactly(math.log(15 / 100 / (30 / 90)))
    assert ratio.variance == exactly(1 / 15 - 1 / 100 + 1 / 30 - 1 / 90)
    assert odds.estimate == exactly(math.log(15 * 60 / (85 * 30)))
    assert odds.variance == exactly(1 / 15 + 1 / 85 + 1 / 30 + 1 / 60)
    assert difference.estimate == exactly(0.15 - 1 / 3)
    assert difference.variance == exactly(0.15 * 0.85 / 100 + (1 / 3) * (2 / 3) / 90)
    assert (ratio.scale, odds.scale, difference.scale) == ("log", "log", "identity")


@pytest.mark.parametrize("function", [risk_ratio, odds_ratio])
@pytest.mark.parametrize("rule", ["add_half_if_zero", "add_half_always", "none"])
@pytest.mark.parametrize("events", [(0, 0), (20, 30)])
def test_a_trial_without_contrast_says_nothing_about_a_ratio(
    function: Callable[..., Effect], rule: str, events: tuple[int, int]
) -> None:
    effect = function(events[0], 20, events[1], 30, rule)
    assert math.isnan(effect.estimate)
    assert math.isnan(effect.variance)
    assert effect.method == "not estimable: no events, or nothing but events, in both arms"


def test_an_empty_cell_without_correction() -> None:
    for function in (risk_ratio, odds_ratio):
        effect = function(0, 20, 5, 20, "none")
        assert math.isnan(effect.estimate)
        assert effect.method == "not estimable: a cell is zero and nothing was added"
    # Everybody in one arm: the risk ratio needs no correction, the odds ratio does.
    assert risk_ratio(20, 20, 5, 20, "none").estimate == exactly(math.log(4))
    assert math.isnan(odds_ratio(20, 20, 5, 20, "none").estimate)


def test_a_difference_without_variance_is_flagged() -> None:
    effect = risk_difference(0, 20, 0, 30)
    assert (effect.estimate, effect.variance) == (0, 0)
    assert effect.method == "risk difference, variance zero: cannot be weighted"
    assert risk_difference(0, 20, 0, 30, "add_half_if_zero").variance > 0


def test_impossible_counts_are_all_named_with_their_places() -> None:
    with pytest.raises(ValueError, match=r"n_b must be") as error:
        risk_ratio([3, 9, -1], [10, 8, 10], [1, math.nan, 1], [0, 10, 10])
    text = str(error.value)
    for part in ("events_a[1] = 9", "events_a[2] = -1", "events_b[1] = nan", "n_b[0] = 0"):
        assert part in text
    assert "events_b[0]" not in text
    with pytest.raises(ValueError, match=r"zero_cells must be one of .*'sometimes'"):
        odds_ratio(1, 2, 1, 2, "sometimes")


counts = st.tuples(st.integers(1, 400), st.integers(1, 400)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)


@property_test
@given(counts, st.sampled_from(["add_half_if_zero", "add_half_always", "none"]))
def test_swapping_arms_mirrors_exactly(table: tuple[int, int, int, int], rule: str) -> None:
    ea, na, eb, nb = table
    for function in (risk_ratio, odds_ratio, risk_difference):
        one, other = function(ea, na, eb, nb, rule), function(eb, nb, ea, na, rule)
        assert one.method == other.method
        if not math.isnan(one.estimate):
            assert one.estimate == -other.estimate
            assert one.variance == other.variance


@property_test
@given(counts)
def test_calling_events_non_events_mirrors_odds_and_differences(
    table: tuple[int, int, int, int],
) -> None:
    ea, na, eb, nb = table
    for function in (odds_ratio, risk_difference):
        one, other = function(ea, na, eb, nb), function(na - ea, na, nb - eb, nb)
        assert one.estimate == pytest.approx(-other.estimate, abs=1e-12, nan_ok=True)
        assert one.variance == pytest.approx(other.variance, rel=1e-12, nan_ok=True)


def test_rate_ratio() -> None:
    effect = rate_ratio(12, 340.5, 30, 320)
    assert effect.estimate == exactly(math.log(12 / 340.5 / (30 / 320)))
    assert effect.variance == exactly(1 / 12 + 1 / 30)
    empty = rate_ratio(0, 100, 7, 100)
    assert (empty.estimate, empty.variance) == (exactly(math.log(0.5 / 7.5)), exactly(2 + 2 / 15))
    assert math.isnan(rate_ratio(0, 100, 0, 90).estimate)
    with pytest.raises(ValueError, match=r"time_a = 0.*events_b = -1"):
        rate_ratio(3, 0, -1, 10)


def test_clusters_and_shared_arms() -> None:
    assert design_effect(21, 0.05) == exactly(2)
    assert effective_counts(30, 120, 2) == (15, 60)
    assert split_shared_arm(30, 120, 3) == (10, 40)
    assert combine_arms_counts([3, 4], [10, 20]) == (7, 30)
    with pytest.raises(ValueError, match=r"icc = 1.5"):
        design_effect(20, 1.5)
    with pytest.raises(ValueError, match=r"deff = 0.5"):
        effective_counts(1, 2, 0.5)
    with pytest.raises(ValueError, match=r"parts = 0"):
        split_shared_arm(1, 2, 0)
    with pytest.raises(ValueError, match=r"events\[1\] = 30"):
        combine_arms_counts([3, 30], [10, 20])


def test_the_sample_that_would_have_a_known_variance() -> None:
    assert effective_n(0.25, 0.25 * 0.75 / 80) == exactly(80)
    with pytest.raises(ValueError, match=r"p = 0.*variance = 0"):
        effective_n(0, 0)
