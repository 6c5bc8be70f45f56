"""Validation of probabilities against known causes: R, closed forms, mirrors, refusals."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.classify.validation import (
    auc,
    brier_parts,
    calibration,
    compare_auc,
    decision_curve,
    decisions,
    expected_calibration_error,
    reliability_curve,
    validate,
)
from discontinuation.problems import InvalidInput
from validation_in_r import FOLDER, assert_as_in_r, made_up, reference

MEASURES = ("sensitivity", "specificity", "called withdrawal and is")


@pytest.fixture(scope="module")
def data():
    frame = made_up()
    return frame["q"].to_numpy(), frame["second"].to_numpy(), frame["y"].to_numpy()


def test_area_as_in_r(data):
    q, second, y = data
    found = auc(q, y)
    assert_as_in_r("AUC", found.value)
    assert_as_in_r("AUC by Wilcoxon", found.value)
    assert_as_in_r("AUC standard error", found.standard_error)
    assert_as_in_r("AUC lower", found.lower)
    assert_as_in_r("AUC upper", found.upper)
    apart = compare_auc(q, second, y)
    assert_as_in_r("AUC difference", apart.value)
    assert_as_in_r("AUC difference standard error", apart.standard_error)


def test_calibration_as_in_r(data):
    intercept, slope = calibration(data[0], data[2])
    assert_as_in_r("calibration intercept", intercept.value)
    assert_as_in_r("calibration intercept standard error", intercept.standard_error)
    assert_as_in_r("calibration slope", slope.value)
    assert_as_in_r("calibration slope standard error", slope.standard_error)


def test_brier_and_error_as_in_r(data):
    q, _, y = data
    for name, value in brier_parts(q, y, kind="equal_width").items():
        assert_as_in_r(name, value)
    error = expected_calibration_error(q, y, kind="equal_width")
    assert_as_in_r("expected calibration error", error)
    assert_as_in_r("bins", len(reliability_curve(q, y, kind="equal_width")))


def test_decisions_and_net_benefit_as_in_r(data):
    q, _, y = data
    table = decisions(q, y).set_index("measure")
    for name in MEASURES:
        assert_as_in_r(name, table.loc[name, "share"])
        assert_as_in_r(f"{name} lower", table.loc[name, "lower"])
        assert_as_in_r(f"{name} upper", table.loc[name, "upper"])
    curve = decision_curve(q, y, [0.1, 0.5, 0.8]).set_index("threshold")
    for threshold, row in curve.iterrows():
        assert_as_in_r(f"net benefit at {threshold:g}", row["model"])
        assert_as_in_r(f"net benefit of all at {threshold:g}", row["all_withdrawal"])


@pytest.mark.r
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="needs R")
def test_the_reference_is_what_r_gives(tmp_path):
    script = FOLDER / "classify_validation.R"
    subprocess.run(["Rscript", script, tmp_path], check=True, capture_output=True)
    again = pd.read_csv(tmp_path / "classify_validation.csv").set_index("quantity")
    np.testing.assert_allclose(again["value"], reference()["value"], rtol=1e-6, atol=1e-9)
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "classify_validation_data.csv"), made_up()
    )  # fmt: skip


def test_hanley_and_mcneil_ratings():
    """Hanley, McNeil. Radiology 1982;143:29-36, table 1: area 0.893 of 109 images."""
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    rating = np.repeat([1, 2, 3, 4, 5] * 2, normal + abnormal) / 5
    truth = np.repeat([0, 1], [sum(normal), sum(abnormal)])
    assert auc(rating, truth).value == pytest.approx(0.893, abs=5e-4)


causes = st.lists(
    st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.booleans()), min_size=4, max_size=60
).filter(lambda rows: 1 < sum(y for _, y in rows) < len(rows) - 1)


@given(causes)
def test_swapping_the_causes_mirrors_everything(rows):
    q, y = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    one, other = auc(q, y), auc(1 - q, 1 - y)
    assert one.value == pytest.approx(other.value)
    assert one.standard_error == pytest.approx(other.standard_error)
    here, there = (decisions(*pair).set_index("measure") for pair in ((q, y), (1 - q, 1 - y)))
    np.testing.assert_equal(here.loc["sensitivity"].to_numpy(), there.loc["specificity"].to_numpy())
    assert here.loc["undecided", "count"] == there.loc["undecided", "count"]
    (a, b), (c, d) = calibration(q, y), calibration(1 - q, 1 - y)
    assert a.value == pytest.approx(-c.value, abs=1e-7)
    assert b.value == pytest.approx(d.value, rel=1e-6, nan_ok=True)


@given(causes, st.integers(1, 15), st.sampled_from(["equal_count", "equal_width"]))
def test_the_parts_add_up_to_the_brier_score(rows, bins, kind):
    q, y = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    parts = brier_parts(q, y, bins, kind)
    total = parts["Brier reliability"] - parts["Brier resolution"] + parts["Brier uncertainty"]
    assert parts["Brier score"] == pytest.approx(total + parts["Brier within bins"])
    curve = reliability_curve(q, y, bins, kind)
    assert curve["n"].sum() == len(q) and len(curve) <= max(bins, 1)
    # Equal probabilities share a bin.
    assert curve["predicted"].is_monotonic_increasing and curve["predicted"].is_unique


def test_hand_worked_reliability():
    q = [0.1, 0.1, 0.3, 0.3, 0.8, 0.8]
    y = [0, 0, 0, 1, 1, 1]
    curve = reliability_curve(q, y, 3)
    assert curve["predicted"].tolist() == pytest.approx([0.1, 0.3, 0.8])
    assert curve["observed"].tolist() == [0.0, 0.5, 1.0]
    assert expected_calibration_error(q, y, 3) == pytest.approx((0.1 + 0.2 + 0.2) / 3)
    parts = brier_parts(q, y, 3)
    assert parts["Brier within bins"] == pytest.approx(0)
    assert parts["Brier reliability"] == pytest.approx((0.01 + 0.04 + 0.04) / 3)
    assert parts["Brier resolution"] == pytest.approx((0.25 + 0 + 0.25) / 3)
    assert parts["Brier uncertainty"] == 0.25


def test_calibrated_probabilities_are_found_so_and_sharpened_ones_are_not():
    stream = np.random.default_rng(20)
    q = stream.beta(0.8, 0.8, 4000)
    y = stream.uniform(size=4000) < q
    intercept, slope = calibration(q, y)
    assert intercept.lower < 0 < intercept.upper
    assert slope.lower < 1 < slope.upper
    odds = (q / (1 - q)) ** 2
    too_sure = calibration(odds / (1 + odds), y)[1]
    assert too_sure.value == pytest.approx(0.5, abs=0.05)
    assert too_sure.upper < 1
    assert (
        expected_calibration_error(q, y) < 0.03 < expected_calibration_error(odds / (1 + odds), y)
    )


def test_decision_curve_of_certain_knowledge():
    y = np.array([1, 0, 1, 0, 0])
    curve = decision_curve(y, y)
    assert curve["model"].tolist() == pytest.approx([0.4] * 99)
    assert (curve["model"] >= curve[["all_withdrawal", "all_relapse"]].max(axis=1)).all()
    assert curve.loc[curve["threshold"] == 0.4, "all_withdrawal"].item() == pytest.approx(0)


def test_edges_are_named_not_computed():
    perfect = auc([0.9, 0.8, 0.1], [1, 1, 0])
    assert perfect.value == 1 and perfect.reason is not None
    four = auc([0.9, 0.8, 0.1, 0.2], [1, 1, 0, 0])
    assert (four.value, four.upper) == (1.0, 1.0)
    assert four.lower == pytest.approx(0.025**0.5)
    assert "does not occur" in auc([0.5, 0.6], [1, 1]).reason
    intercept, slope = calibration([0.9, 0.8, 0.1], [1, 1, 0])
    assert intercept.reason is None and "separate" in slope.reason
    assert "the same" in calibration([0.5] * 4, [1, 0, 1, 0])[1].reason
    assert "does not occur" in calibration([0.5, 0.6], [1, 1])[0].reason
    assert np.isnan(decisions([0.5], [1]).set_index("measure").loc["specificity", "share"])


def test_the_whole_table(data):
    found = validate(data[0], data[2])
    measures = found.measures.set_index("measure")
    assert_as_in_r("AUC", measures.loc["AUC", "estimate"])
    assert_as_in_r("calibration slope", measures.loc["calibration slope", "estimate"])
    assert "calibration slope" in str(found)
    assert len(found.reliability) == 10 and len(found.decision_curve) == 99


def test_bad_input():
    with pytest.raises(InvalidInput) as refusal:
        validate([0.5, 1.2, np.nan], [1, 0, 2])
    assert len(refusal.value.problems) == 3
    with pytest.raises(InvalidInput, match="2 probabilities for 1 labels"):
        auc([0.5, 0.5], [1])
    with pytest.raises(InvalidInput, match="0 probabilities"):
        auc([], [])
    with pytest.raises(InvalidInput, match="lower < upper"):
        decisions([0.5], [1], upper=0.2, lower=0.8)
    with pytest.raises(InvalidInput, match="1 or more"):
        reliability_curve([0.5], [1], 0)
    with pytest.raises(InvalidInput, match="below 1"):
        decision_curve([0.5], [1], [1.0])


def test_words_in_the_place_of_numbers_are_named_with_their_rows():
    with pytest.raises(InvalidInput) as caught:
        validate(["a", 0.2, None], [0, "W", 1], bins=2.5, confidence=2, lower="x")
    message = str(caught.value)
    assert "6 problems" in message
    for said in (
        "row 1, column q: 'a'",
        "row 3, column q: 'None'",
        "row 2, column is_withdrawal: 'W'",
        "column lower, upper",
        "column bins: '2.5'",
        "column confidence: '2'",
    ):
        assert said in message
    for measure in (auc, calibration, decisions, reliability_curve):
        with pytest.raises(InvalidInput, match="column confidence"):
            measure([0.1, 0.9], [0, 1], confidence=0)
    with pytest.raises(InvalidInput, match="above 0 and below 1"):
        decision_curve([0.1, 0.9], [0, 1], ["x"])
    nullable = pd.Series([0.2, 0.7, 0.4], dtype="Float64")
    whole = pd.Series([0, 1, 1], dtype="Int64")
    assert auc(nullable, whole).value == auc([0.2, 0.7, 0.4], [0, 1, 1]).value
