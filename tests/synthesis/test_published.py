"""Effects from printed ratios, tests and times against closed forms and published examples."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from compare import exactly
from discontinuation.synthesis import (
    hazard_ratio_from_logrank,
    log_hazard_ratio_from_interval,
    log_hazard_ratio_from_p,
    ratio_of_times,
    se_from_interval,
    se_from_p,
)

Z = 1.959963984540054


def test_standard_error_of_a_printed_ratio() -> None:
    assert se_from_interval(math.exp(1 - Z * 0.3), math.exp(1 + Z * 0.3)) == exactly(0.3)
    assert se_from_p(math.exp(-0.6), 2 * stats.norm.sf(3)) == exactly(0.2)
    # Altman and Bland's example: relative risk 0.30, P = 0.034, interval 0.10 to 0.90.
    se = se_from_p(0.30, 0.034)
    assert se == pytest.approx(0.57, abs=0.005)
    limits = [math.exp(math.log(0.30) + sign * Z * se) for sign in (-1, 1)]
    assert limits == pytest.approx([0.10, 0.91], abs=0.006)
    with pytest.raises(ValueError, match="different from 1"):
        se_from_p(1, 0.5)
    with pytest.raises(ValueError, match=r"lower = -1"):
        se_from_interval(-1, 2)


def test_published_hazard_ratios() -> None:
    # ANTLER as printed: 2.06 (1.56 to 2.70).
    effect = log_hazard_ratio_from_interval(2.06, 1.56, 2.70)
    assert effect.estimate == exactly(math.log(2.06))
    assert effect.variance == exactly((math.log(2.70 / 1.56) / (2 * Z)) ** 2)
    assert effect.natural()[1:] == pytest.approx((1.56, 2.70), abs=0.015)
    by_p = log_hazard_ratio_from_p(0.5, 0.01)
    assert by_p.estimate == exactly(math.log(0.5))
    assert by_p.se == exactly(math.log(2) / stats.norm.isf(0.005))
    with pytest.raises(ValueError, match="between its own limits"):
        log_hazard_ratio_from_interval(3, 1.5, 2.7)


def test_hazard_ratio_from_a_logrank_test() -> None:
    effect = hazard_ratio_from_logrank(30, 100, 20, 100, z=1.5)
    assert effect.estimate == exactly(1.5 / math.sqrt(12))
    assert effect.variance == exactly(1 / 12)
    p = 2 * stats.norm.sf(1.5)
    assert hazard_ratio_from_logrank(30, 100, 20, 100, p=p).estimate == exactly(effect.estimate)
    assert hazard_ratio_from_logrank(20, 100, 30, 100, p=p).estimate == exactly(-effect.estimate)
    shared = hazard_ratio_from_logrank(30, 90, 20, 180, z=1.5, information="allocation")
    assert shared.variance == exactly(1 / (50 * 90 * 180 / 270**2))
    with pytest.raises(ValueError, match="give either z or p"):
        hazard_ratio_from_logrank(30, 100, 20, 100)
    with pytest.raises(ValueError, match="direction"):
        hazard_ratio_from_logrank(30, 100, 30, 100, p=0.04)
    with pytest.raises(ValueError, match=r"events_b = 0"):
        hazard_ratio_from_logrank(30, 100, 0, 100, z=3)


def test_logrank_information_is_close_to_the_truth_in_a_real_trial() -> None:
    # survival::lung by sex: 112 of 138 men and 53 of 90 women died, chi-square 10.32674, V 40.371.
    z = math.sqrt(10.32674202)
    true = 1 / 40.37143400
    for information, within in (("events", 0.13), ("allocation", 0.03)):
        effect = hazard_ratio_from_logrank(112, 138, 53, 90, z=z, information=information)
        assert effect.variance == pytest.approx(true, rel=within)
        # Cox regression gives 0.531.
        assert effect.estimate == pytest.approx(0.531, rel=0.05)


def test_ratio_of_times() -> None:
    effect = ratio_of_times(120, 200, se_a=12, se_b=30)
    assert effect.estimate == exactly(math.log(0.6))
    assert effect.variance == exactly(0.01 + 0.0225)
    limits = (200 * math.exp(-Z * 0.15), 200 * math.exp(Z * 0.15))
    mixed = ratio_of_times(120, 200, se_a=12, interval_b=limits)
    assert mixed.variance == exactly(effect.variance)
    with pytest.raises(ValueError, match="give either se_b or interval_b"):
        ratio_of_times(120, 200, se_a=12)
    with pytest.raises(ValueError, match=r"time_b = 0"):
        ratio_of_times(120, 0, se_a=12, se_b=3)
