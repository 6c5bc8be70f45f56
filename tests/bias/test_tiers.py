"""Evidence tiers: less data never allow more, and every refusal says why."""

from itertools import pairwise

import pytest

from discontinuation.bias.tiers import (
    METHODS,
    TIERS,
    allowed_methods,
    refuse_on_tier,
    tier,
    tier_of,
    tier_table,
    why_not,
)
from discontinuation.problems import InvalidInput


def test_less_data_never_allow_more():
    for better, worse in pairwise(TIERS):
        assert set(allowed_methods(worse)) <= set(allowed_methods(better))
    assert set(allowed_methods(1)) == set(METHODS)


@pytest.mark.parametrize("number", [3, 4, 5])
def test_lower_tiers_leave_the_cause_open(number):
    assert "cause not identified" in tier(number).claim
    assert "withdrawal" not in tier(number).claim


@pytest.mark.parametrize(
    ("method", "number"),
    [
        ("late_anchored_excess", 4),
        ("early_share", 5),
        ("probabilistic_bias_analysis", 3),
        ("share_by_cause", 2),
        ("timing_only_model", 3),
    ],
)
def test_refusals_say_what_is_needed_and_what_is_allowed(method, number):
    reason = why_not(method, number)
    assert METHODS[method].needs in reason and f"tier {number} has" in reason
    with pytest.raises(InvalidInput, match="needs"):
        refuse_on_tier(method, number)


def test_allowed_methods_are_not_refused():
    for number in TIERS:
        for method in allowed_methods(number):
            assert why_not(method, number) == ""
            refuse_on_tier(method, number)


def test_data_decide_the_tier():
    assert tier_of(individual=True, symptoms_and_doses=True).number == 1
    assert tier_of(individual=True).number == 2
    assert tier_of(reconstructed=True, risk_table=True).number == 3
    assert tier_of(reconstructed=True).number == 4  # no risk table: tier 3 is refused
    assert tier_of(time_points=2).number == 4
    assert tier_of(time_points=1).number == 5
    with pytest.raises(InvalidInput, match="no count, no curve"):
        tier_of()


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(InvalidInput, match="did you mean 'early_share'"):
        why_not("early_shar", 3)
    with pytest.raises(InvalidInput, match="evidence tier"):
        tier(6)


def test_table_has_every_tier():
    assert tier_table()["tier"].to_list() == list(TIERS)
