"""Risks from published survival proportions, and their contrasts, against closed forms."""

from __future__ import annotations

import math

import pytest

from compare import exactly
from discontinuation.synthesis import (
    difference_of_risks_from_variances,
    odds_ratio,
    ratio_of_odds_from_variances,
    ratio_of_risks_from_variances,
    risk_difference,
    risk_from_survival,
    risk_ratio,
)

Z = 1.959963984540054


def interval(scale: str, s: float, se: float) -> tuple[float, float]:
    """Make an interval on a scale the way survival programs do."""
    if scale == "plain":
        return s - Z * se, s + Z * se
    if scale == "log":
        return s * math.exp(-Z * se / s), s * math.exp(Z * se / s)
    shift = Z * se / abs(s * math.log(s))
    return s ** math.exp(shift), s ** math.exp(-shift)


@pytest.mark.parametrize("scale", ["plain", "log", "log-log"])
def test_the_scale_of_a_survival_interval_is_recognised(scale: str) -> None:
    lower, upper = interval(scale, 0.7, 0.08)
    for asked in ("auto", scale):
        risk = risk_from_survival(0.7, lower, upper, scale=asked)
        assert risk.risk == exactly(0.3)
        assert math.sqrt(risk.variance) == pytest.approx(0.08, rel=1e-9)
        assert risk.method == f"variance from the interval on the {scale} scale"


def test_rounded_limits_count_as_symmetric() -> None:
    # The estimate is 0.009 off the middle on the plain scale and 0.008 on the log-log scale.
    figures = (0.83, 0.742, 0.90)
    assert "plain" in risk_from_survival(*figures, rounding=0.005).method
    assert "log-log" in risk_from_survival(*figures).method


def test_an_interval_cut_at_one() -> None:
    risk = risk_from_survival(0.95, 0.87, 1.0)
    assert risk.variance == exactly((0.08 / Z) ** 2)
    assert risk.method == "variance from half the interval (upper limit 1)"
    assert risk_from_survival(0.04, 0.0, 0.1).variance == exactly((0.06 / Z) ** 2)


@pytest.mark.parametrize("figures", [(0.5, 0.6, 0.7), (0.5, 0.5, 0.5), (0.5, -0.1, 0.7)])
def test_impossible_survival_is_refused(figures: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="0 <= lower <= survival <= upper <= 1"):
        risk_from_survival(*figures)
    with pytest.raises(ValueError, match=r"gives no variance"):
        risk_from_survival(0.5, 0, 1)
    with pytest.raises(ValueError, match=r"scale must be one of"):
        risk_from_survival(0.5, 0.4, 0.6, scale="cubic")


def test_delta_method_with_binomial_variances_gives_the_count_formulae() -> None:
    p1, v1, p2, v2 = 0.25, 0.25 * 0.75 / 80, 0.4, 0.4 * 0.6 / 60
    counts_of = (20, 80, 24, 60)
    for by_variance, by_count in (
        (ratio_of_risks_from_variances, risk_ratio),
        (ratio_of_odds_from_variances, odds_ratio),
        (difference_of_risks_from_variances, risk_difference),
    ):
        one, other = by_variance(p1, v1, p2, v2), by_count(*counts_of)
        assert one.estimate == exactly(other.estimate)
        assert one.variance == exactly(other.variance)


def test_risks_that_cannot_be_used_are_refused() -> None:
    assert difference_of_risks_from_variances(0, 0.01, 0.2, 0.01).estimate == exactly(-0.2)
    with pytest.raises(ValueError, match=r"p_a = 0"):
        ratio_of_risks_from_variances(0, 0.01, 0.2, 0.01)
    with pytest.raises(ValueError, match=r"p_b = 1"):
        ratio_of_odds_from_variances(0.5, 0.01, 1, 0.01)
    with pytest.raises(ValueError, match=r"variance_b = 0.*p_a = 1.2"):
        difference_of_risks_from_variances(1.2, 0.01, 0.2, 0)
