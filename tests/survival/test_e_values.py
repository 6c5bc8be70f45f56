"""E-values as in the paper, and none where the interval holds 1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival.e_values import e_value
from discontinuation.survival.stored import from_json, to_json
from survival.parametric_reference import printed, same_as_r


def test_reference_values():
    found = e_value(2.06, 1.56, 2.70)
    assert found.estimate == printed("E-value HR common outcome [estimate]")
    assert found.limit == printed("E-value HR common outcome [CI limit]")


def test_the_example_of_the_paper():
    # VanderWeele & Ding 2017: RR 3.9 (1.8 to 8.7) has E-values 7.26 and 3.0.
    found = e_value(3.9, 1.8, 8.7, measure="RR")
    assert found.estimate == pytest.approx(7.26, abs=0.005)
    assert found.limit == pytest.approx(3.0, abs=0.005)


def test_values_of_r():
    for name, found in {
        "HR 0.6": e_value(0.6),
        "HR 0.6 rare": e_value(0.6, rare=True),
        "OR 2.5": e_value(2.5, measure="OR"),
        "RR 1.4": e_value(1.4, measure="RR"),
    }.items():
        same_as_r("e-value", name, found.estimate, rtol=1e-12)


@given(st.floats(0.05, 20), st.sampled_from(["HR", "RR", "OR"]), st.booleans())
def test_an_effect_and_its_inverse_have_the_same(ratio, measure, rare):
    one, other = (e_value(r, measure=measure, rare=rare).estimate for r in (ratio, 1 / ratio))
    assert one == pytest.approx(other, rel=1e-9)
    assert one >= 1


def test_an_interval_that_holds_one_needs_no_confounder():
    assert e_value(1.5, 0.9, 2.5).limit == 1
    assert e_value(0.7, 0.5, 1.1).limit == 1
    assert e_value(0.5, 0.4, 0.8).limit == e_value(0.8).estimate
    assert e_value(1).estimate == 1
    assert np.isnan(e_value(2).limit)
    assert e_value(2, measure="hr").estimate == e_value(2).estimate


def test_it_is_stored_and_prints():
    found = e_value(2.06, 1.56, 2.70)
    assert from_json(to_json(found)).summary.equals(found.summary)
    assert "2.676" in str(found)
    assert found.summary["of"].tolist() == ["estimate", "limit"]


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"estimate": 0}, "above 0"),
        ({"estimate": 2, "lower": 1}, "both limits or none"),
        ({"estimate": 2, "lower": 3, "upper": 4}, "between its limits"),
        ({"estimate": 2, "measure": "RD"}, "allowed: HR, RR, OR"),
        ({"estimate": float("nan")}, "above 0"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(given_, message):
    with pytest.raises(InvalidInput, match=message):
        e_value(**given_)
