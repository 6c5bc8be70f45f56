"""Effects from means against closed forms and metafor's escalc."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from compare import assert_as_escalc, exactly
from discontinuation.synthesis import (
    Effect,
    combine_arms_means,
    mean_difference,
    sd_from_interval,
    sd_from_p,
    sd_from_se,
    standardised_mean_difference,
)

ESCALC: dict[str, Callable[[pd.DataFrame], Effect]] = {
    "MD": lambda t: mean_difference(t.mean_a, t.sd_a, t.n_a, t.mean_b, t.sd_b, t.n_b),
    "SMD": lambda t: standardised_mean_difference(t.mean_a, t.sd_a, t.n_a, t.mean_b, t.sd_b, t.n_b),
}


@pytest.mark.parametrize("name", ESCALC)
def test_effects_are_those_of_escalc(name: str) -> None:
    assert_as_escalc(name, ESCALC[name])


def test_mean_difference() -> None:
    effect = mean_difference(12.1, 4.2, 30, 10.4, 5.5, 28)
    assert effect.estimate == exactly(12.1 - 10.4)
    assert effect.variance == exactly(4.2**2 / 30 + 5.5**2 / 28)
    with pytest.raises(ValueError, match=r"sd_a = 0.*n_b = -5"):
        mean_difference(1, 0, 10, 1, 1, -5)


def test_hedges_correction_is_exact() -> None:
    effect = standardised_mean_difference(12.1, 4.2, 30, 10.4, 5.5, 28)
    pooled = math.sqrt((29 * 4.2**2 + 27 * 5.5**2) / 56)
    j = math.gamma(28) / (math.sqrt(28) * math.gamma(27.5))
    assert effect.estimate == exactly(j * (12.1 - 10.4) / pooled)
    assert effect.variance == exactly(1 / 30 + 1 / 28 + effect.estimate**2 / (2 * 58))
    # The usual approximation is not what is computed, but it must be close.
    assert j == pytest.approx(1 - 3 / (4 * 56 - 1), abs=1e-4)
    with pytest.raises(ValueError, match="at least 4"):
        standardised_mean_difference(1, 1, 1, 2, 1, 2)


def test_standard_deviations_from_what_was_printed() -> None:
    assert sd_from_se(1.3, 25) == exactly(6.5)
    # Mean 10, SD 4, n 16: the t interval gives the SD back.
    half = stats.t.ppf(0.975, 15) * 4 / 4
    assert sd_from_interval(10 - half, 10 + half, 16) == exactly(4)
    half = stats.t.ppf(0.95, 15) * 4 / 4
    assert sd_from_interval(10 - half, 10 + half, 16, confidence=0.9) == exactly(4)
    # Two arms of SD 5 that differ by 3.
    t = 3 / (5 * math.sqrt(1 / 20 + 1 / 24))
    assert sd_from_p(-3, 2 * stats.t.sf(t, 42), 20, 24) == exactly(5)
    with pytest.raises(ValueError, match="at least 2"):
        sd_from_interval(1, 2, 1)
    with pytest.raises(ValueError, match=r"p = 0.*difference = 0"):
        sd_from_p(0, 0, 10, 10)


def test_combined_arms_have_the_mean_and_sd_of_all_their_people() -> None:
    arms = [np.array([3.0, 7, 8]), np.array([1.0, 2, 2, 9]), np.array([4.0, 4.5])]
    everybody = np.concatenate(arms)
    got = combine_arms_means(
        [a.mean() for a in arms], [a.std(ddof=1) for a in arms], [len(a) for a in arms]
    )
    assert got == (exactly(everybody.mean()), exactly(everybody.std(ddof=1)), 9)


def test_two_combined_arms_follow_the_cochrane_formula() -> None:
    m1, s1, n1, m2, s2, n2 = 12.0, 4.0, 30, 15.0, 5.0, 20
    variance = ((n1 - 1) * s1**2 + (n2 - 1) * s2**2 + n1 * n2 / (n1 + n2) * (m1 - m2) ** 2) / (
        n1 + n2 - 1
    )
    mean, sd, n = combine_arms_means([m1, m2], [s1, s2], [n1, n2])
    assert (mean, sd, n) == (exactly(13.2), exactly(math.sqrt(variance)), 50)
    with pytest.raises(ValueError, match=r"sds\[1\] = 0"):
        combine_arms_means([1, 2], [1, 0], [3, 4])
