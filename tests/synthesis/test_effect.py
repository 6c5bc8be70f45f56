"""One trial or many, on the scale of analysis and as printed."""

from __future__ import annotations

import math

import pytest

from compare import exactly
from discontinuation.synthesis import Effect, risk_ratio


def test_one_trial_gives_numbers_and_many_give_arrays() -> None:
    one = risk_ratio(12, 40, 20, 41)
    assert isinstance(one.estimate, float)
    assert isinstance(one.variance, float)
    assert isinstance(one.method, str)
    many = risk_ratio([12, 0], 40, [20, 5], [41, 40])
    assert many.estimate[0] == one.estimate
    assert list(many.method) == ["log risk ratio", "log risk ratio, 1/2 added to every cell"]


def test_limits_are_symmetric_on_the_scale_of_analysis() -> None:
    z = 1.6448536269514722
    difference = Effect(0.5, 0.04, "identity", "made up").natural(0.9)
    assert difference == (0.5, exactly(0.5 - 0.2 * z), exactly(0.5 + 0.2 * z))
    ratio = Effect(0.5, 0.04, "log", "made up").natural(0.9)
    assert ratio == tuple(exactly(math.exp(value)) for value in difference)
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        risk_ratio(1, 2, 1, 2).natural(95)
