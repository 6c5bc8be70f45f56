"""Coefficients of agreement against published examples, R, and what they must be."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from discontinuation.classify.agreement import (
    agreement,
    binary,
    confusion,
    overall_agreement,
    pairwise_agreement,
)
from discontinuation.problems import InvalidInput
from validation_in_r import assert_as_in_r, made_up

LABELS = ["withdrawal", "relapse", "indeterminate"]


def expanded(table):
    """One row per case from a square table."""
    cells = [(a, b) for a, row in enumerate(table) for b, n in enumerate(row) for _ in range(n)]
    return pd.DataFrame(cells, columns=["first", "second"])


# Gwet KL. irrCAC: Computing Chance-Corrected Agreement Coefficients (R package), vignette
# "overview": tables cont3x3abstractors, distrib.6raters and cac.raw4raters (the last is the example
# of Krippendorff, Computing Krippendorff's alpha-reliability, 2011, whose nominal alpha is 0.743).
ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
PSYCHIATRISTS = [
    [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0],
    [2, 0, 4, 0, 0], [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6],
    [1, 0, 0, 5, 0], [1, 1, 0, 4, 0], [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1],
]  # fmt: skip
N = math.nan
FOUR = [
    [1, 1, N, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [N, 5, 5, 5], [N, N, 1, 1], [N, N, 3, N],
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "coefficient", "estimate", "error"),
    [
        # methods B11: irrCAC of a two by two table.
        ([[40, 9], [6, 45]], "cohen", 0.6995192308, 0.07139360270),
        ([[40, 9], [6, 45]], "ac1", 0.7007481297, 0.07135180336),
        (ABSTRACTORS, "cohen", 0.7964094, 0.05891072),
        (ABSTRACTORS, "ac1", 0.8493305, 0.04321747),
        (ABSTRACTORS, "alpha", 0.7972585, None),
        (ABSTRACTORS, "fleiss", 0.7962397, None),  # two raters: Scott's pi
    ],
)
def test_published_tables_of_two_raters(table, coefficient, estimate, error):
    found = agreement(expanded(table), coefficient)
    assert found.estimate == pytest.approx(estimate, abs=1e-7)
    assert error is None or found.standard_error == pytest.approx(error, abs=1e-8)


@pytest.mark.parametrize(
    ("coefficient", "estimate", "error"),
    [("ac1", 0.4448007, 0.08418757), ("fleiss", 0.4139265, 0.08119291), ("alpha", 0.4204384, None)],
)
def test_published_table_of_six_psychiatrists(coefficient, estimate, error):
    rows = [[k for k, n in enumerate(row) for _ in range(n)] for row in PSYCHIATRISTS]
    found = agreement(pd.DataFrame(rows), coefficient)
    assert found.estimate == pytest.approx(estimate, abs=1e-7)
    assert error is None or found.standard_error == pytest.approx(error, abs=1e-8)


@pytest.mark.parametrize(
    ("coefficient", "estimate", "error", "interval"),
    [("ac1", 0.77544, 0.14295, (0.461, 1.0)), ("fleiss", 0.76117, 0.15302, (0.424, 1.0)),
     ("alpha", 0.74342, None, None)],
)  # fmt: skip
def test_published_ratings_with_missing_ones(coefficient, estimate, error, interval):
    found = agreement(pd.DataFrame(FOUR), coefficient)
    assert found.n == 11
    assert found.estimate == pytest.approx(estimate, abs=5e-6)
    if error is not None:
        assert found.standard_error == pytest.approx(error, abs=5e-6)
        assert (found.lower, found.upper) == pytest.approx(interval, abs=5e-4)


def test_made_up_ratings_as_in_r():
    ratings = made_up()[["rater1", "rater2", "rater3"]]
    pair, known = ratings[["rater1", "rater2"]], ["W", "R", "I"]
    for name, quantity in (("cohen", "cohen"), ("ac1", "ac1 of two")):
        found = agreement(pair, name, known)
        assert_as_in_r(quantity, found.estimate)
        assert_as_in_r(f"{quantity} standard error", found.standard_error)
    for name in ("ac1", "fleiss", "alpha"):
        assert_as_in_r(name, agreement(ratings, name, known).estimate)
    assert_as_in_r("alpha standard error", agreement(ratings, "alpha", known).standard_error)


two = st.lists(st.tuples(*[st.sampled_from(["W", "R", "I"])] * 3), min_size=5, max_size=40)


@given(two)
def test_what_every_coefficient_must_be(rows):
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    for name in ("ac1", "fleiss", "alpha"):
        found = agreement(frame, name, ["W", "R", "I"])
        swapped = agreement(
            frame[["c", "a", "b"]].replace({"W": "R", "R": "W"}).sample(frac=1, random_state=1),
            name, ["W", "R", "I"],
        )  # fmt: skip
        np.testing.assert_allclose(found.estimate, swapped.estimate, atol=1e-12)
        np.testing.assert_allclose(found.standard_error, swapped.standard_error, atol=1e-9)
        assert not found.estimate > 1 + 1e-12
    same = pd.DataFrame({"a": frame["a"], "b": frame["a"]})
    if len(set(frame["a"])) > 1:
        for name in ("cohen", "ac1", "fleiss", "alpha"):
            assert agreement(same, name).estimate == pytest.approx(1)


def test_ac1_and_alpha_keep_their_names_of_several_raters_at_two():
    pair = made_up()[["rater1", "rater2"]].dropna()
    table = agreement(pair, "ac1", ["W", "R", "I"])
    third = pair.assign(nobody=None)
    several = agreement(third, "ac1", ["W", "R", "I"])
    assert table.estimate == pytest.approx(several.estimate)
    assert table.standard_error == pytest.approx(several.standard_error, rel=0.02)


def test_reasons_instead_of_numbers():
    alike = pd.DataFrame({"a": ["W"] * 5, "b": ["W"] * 5})
    for name in ("cohen", "fleiss", "alpha"):
        assert "only one category" in str(agreement(alike, name, ["W", "R"]))
    assert "only one category" in str(agreement(alike, "ac1"))
    one_says_one = pd.DataFrame({"a": ["W"] * 4, "b": ["W", "R", "W", "R"]})
    assert "same of every case" in agreement(one_says_one, "cohen").reason
    assert agreement(one_says_one, "ac1").reason is None
    apart = pd.DataFrame({"a": ["W", None], "b": [None, "R"]})
    assert "fewer than two" in agreement(apart, "alpha", ["W", "R"]).reason


@pytest.mark.parametrize("raters", [2, 3])
@pytest.mark.parametrize("category", ["W", "R"])
def test_ac1_of_raters_who_say_the_same_of_every_case_is_1(raters, category):
    alike = pd.DataFrame(dict.fromkeys([f"r{n}" for n in range(raters)], [category] * 30))
    found = agreement(alike, "ac1", ["W", "R"])
    assert (found.estimate, found.observed, found.expected, found.reason) == (1, 1, 0, None)
    assert found.upper == 1
    # 30 of 30 cases agree: the exact lower limit, where the standard error of 0 would give 1.
    assert found.lower == pytest.approx(stats.beta.ppf(0.025, 30, 1))


def test_the_interval_of_full_agreement_has_a_width():
    same = pd.DataFrame({"a": ["W", "R"] * 10, "b": ["W", "R"] * 10})
    for name in ("cohen", "ac1", "fleiss", "alpha"):
        found = agreement(same, name, ["W", "R"])
        assert found.estimate == pytest.approx(1) and found.upper == 1
        limit = 1 - (1 - stats.beta.ppf(0.025, 20, 1)) / (1 - found.expected)
        assert found.lower == pytest.approx(limit) and 0.6 < found.lower < 0.7


@pytest.mark.parametrize("confidence", [2, 0, 1, "high", None, float("nan")])
def test_a_confidence_that_cannot_be_is_refused(confidence):
    same = pd.DataFrame({"a": ["W", "R"] * 10, "b": ["W", "R"] * 10})
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        agreement(same, "ac1", confidence=confidence)


def test_bad_input():
    with pytest.raises(InvalidInput, match="allowed: a table"):
        agreement([["W", "R"]], "ac1")
    frame = pd.DataFrame({"a": ["W", "X"], "b": ["W", "R"]})
    with pytest.raises(InvalidInput, match="'X'"):
        agreement(frame, "ac1", ["W", "R"])
    with pytest.raises(InvalidInput, match="did you mean 'cohen'"):
        agreement(frame, "cohn")
    with pytest.raises(InvalidInput, match="two raters, not 3"):
        agreement(frame.assign(c="W"), "cohen")


def test_pairs_count_only_what_both_could_label():
    labels = pd.DataFrame(
        {
            "one": ["withdrawal", "relapse", "not assessable", "indeterminate"] * 3,
            "two": ["withdrawal", "relapse", "relapse", "not assessable"] * 3,
            "none": ["not assessable"] * 12,
        }
    )
    pairs = pairwise_agreement(labels, LABELS)
    first = pairs.loc[(pairs["first"] == "one") & (pairs["second"] == "two")]
    assert (first["n"] == 6).all() and (first["cases"] == 12).all() and (first["same"] == 1).all()
    assert (first["estimate"] == 1).all()
    nothing = pairs.loc[pairs["second"] == "none"]
    assert nothing["estimate"].isna().all() and (nothing["n"] == 0).all()
    whole = overall_agreement(labels, LABELS)
    assert set(whole["coefficient"]) == {"Gwet's AC1", "Fleiss' kappa", "Krippendorff's alpha"}
    assert (whole["estimate"] == 1).all() and (whole["n"] == 6).all()


def test_confusion_and_binary():
    labels = pd.DataFrame(
        {"one": ["withdrawal", "relapse", "not assessable"], "two": ["withdrawal"] * 3}
    )
    every = [*LABELS, "not assessable"]
    table = confusion(labels, "one", "two", every)
    assert table.to_numpy().sum() == 3
    assert table.loc["not assessable", "withdrawal"] == 1
    with pytest.raises(InvalidInput, match="not assessable"):
        confusion(labels, "one", "two", LABELS)
    asked = binary(labels, "withdrawal", ["relapse", "indeterminate"])
    assert asked["one"].tolist()[:2] == ["withdrawal", "not withdrawal"]
    assert pd.isna(asked["one"].iloc[2])
