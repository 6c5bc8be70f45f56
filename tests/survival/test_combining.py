"""Rubin's rules: R's numbers, limits of the formulas, coverage, refusals."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from discontinuation.problems import InvalidInput
from discontinuation.survival import combine, combine_probabilities

REFERENCE = Path(__file__).parents[1] / "reference"
I = np.arange(1, 8)  # noqa: E741 (as in the R script)
Q = np.column_stack([np.sin(I), 0.4 + np.cos(3 * I) / 9])
U = np.column_stack([0.2 + I / 50, 0.01 * I])


@cache
def numbers():
    found = pd.read_csv(REFERENCE / "survival_nonparametric.csv")
    return found[found["case"] == "combining"].set_index("quantity")["value"]


@pytest.mark.parametrize(("complete", "name"), [(None, "Inf"), (40, "40")])
def test_numbers_equal_those_of_r(complete, name):
    found = combine(Q, U, complete)
    for column in ("estimate", "se", "df", "lower", "p_value", "missing_information"):
        expected = [numbers()[f"combined {column} {one} {name}"] for one in (1, 2)]
        np.testing.assert_allclose(getattr(found, column), expected, rtol=1e-10)


def test_the_joint_test_equals_that_of_r():
    covariances = np.array([np.diag(u) + 0.005 for u in U])
    found = combine(Q, covariances)
    ours = found.joint_statistic, found.joint_df[1], found.joint_p_value
    expected = [numbers()[f"joint {name}"] for name in ("statistic", "df", "p_value")]
    np.testing.assert_allclose(ours, expected, rtol=1e-10)
    np.testing.assert_allclose(np.diag(found.covariance), found.se**2)
    assert "all 0: F =" in str(found)


def test_probabilities_equal_those_of_r():
    found = combine_probabilities(0.3 + 0.02 * I, 0.001 * I)
    ours = found.probability[0], found.lower[0], found.upper[0]
    expected = [numbers()[f"probability {name}"] for name in ("estimate", "lower", "upper")]
    np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_one_parameter_or_many_or_a_covariance_are_the_same():
    many = combine(Q, U, 30)
    covariances = np.array([np.diag(u) for u in U])
    matrix = combine(Q, covariances, 30)
    for one in (0, 1):
        single = combine(Q[:, one], U[:, one], 30)
        for name in ("estimate", "se", "df", "lower", "upper", "p_value"):
            value = getattr(single, name)[0]
            assert getattr(many, name)[one] == pytest.approx(value, rel=1e-12)
            assert getattr(matrix, name)[one] == pytest.approx(value, rel=1e-12)
    assert np.isnan(many.joint_statistic)


def test_imputations_that_agree_leave_the_complete_data():
    found = combine([2.0, 2.0, 2.0], [0.25] * 3)
    assert (found.se[0], found.df[0], found.missing_information[0]) == (0.5, np.inf, 0)
    assert found.upper[0] == pytest.approx(2 + 0.5 * stats.norm.ppf(0.975))
    small = combine([2.0, 2.0, 2.0], [0.25] * 3, complete_df=10)
    assert small.df[0] == pytest.approx(11 / 13 * 10)


def test_df_never_exceeds_that_of_complete_data():
    rng = np.random.default_rng(1)
    for spread in (0.001, 0.1, 10):
        found = combine(rng.normal(0, spread, 20), np.ones(20), 25)
        assert 0 < found.df[0] < 25


def test_the_joint_test_of_one_parameter_is_its_square():
    found = combine(Q[:, 0], U[:, 0][:, None, None])
    single = combine(Q[:, 0], U[:, 0])
    assert found.joint_statistic == pytest.approx(single.statistic[0] ** 2)


def test_coverage_of_an_interval_after_imputation():
    """Mean of normal data of which 2 in 5 are missing and imputed from the posterior."""
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(300):
        seen = rng.normal(1, 1, 15)
        estimates, variances = [], []
        for _ in range(10):
            variance = seen.var(ddof=1) * 14 / rng.chisquare(14)
            mean = rng.normal(seen.mean(), np.sqrt(variance / 15))
            full = np.concatenate([seen, rng.normal(mean, np.sqrt(variance), 10)])
            estimates.append(full.mean())
            variances.append(full.var(ddof=1) / 25)
        found = combine(estimates, variances, 24)
        inside += found.lower[0] < 1 < found.upper[0]
    assert stats.binomtest(inside, 300, 0.95).pvalue > 1e-3


def test_probabilities_stay_between_0_and_1():
    found = combine_probabilities([0.02, 0.03, 0.01, 0.06], [0.0004] * 4)
    assert 0 < found.lower[0] < found.probability[0] < found.upper[0] < 1
    plain = combine([0.02, 0.03, 0.01, 0.06], [0.0004] * 4)
    assert plain.lower[0] < 0


def test_probabilities_of_0_and_1():
    values = [[0, 0.1, 0.0, 1], [0, 0.2, 0.1, 1]]
    found = combine_probabilities(values, [[0, 0.01, 0, 0], [0, 0.01, 0.01, 0]])
    np.testing.assert_array_equal(found.probability[[0, 2, 3]], [0, np.nan, 1])
    assert np.isfinite(found.lower[1])
    assert np.isnan(found.lower[[0, 2, 3]]).all()
    assert "3 of 4" in found.notes[0]


def test_a_delta_method_standard_error_of_equal_imputations_is_theirs():
    found = combine_probabilities([0.3, 0.3], [0.0025, 0.0025])
    assert found.se[0] == pytest.approx(0.05)
    assert found.probability[0] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: combine([1.0], [1.0]), "at least two imputations"),
        (lambda: combine([1.0, 2.0], [1.0]), "does not belong"),
        (lambda: combine([1.0, np.nan], [1.0, 1]), "finite"),
        (lambda: combine([1.0, 2.0], [1.0, -1]), "0 or more"),
        (lambda: combine([1.0, 2.0], [1.0, 1], 0), "above 0"),
        (lambda: combine(["one", 2.0], [1.0, 1]), "allowed: numbers"),
        (lambda: combine([1.0, 2.0], [1.0, 1], confidence=95), "between 0 and 1"),
        (lambda: combine_probabilities([0.1, 1.2], [0.1, 0.1]), "0 to 1"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(InvalidInput, match=said):
        call()
