"""Accuracy of raters without a truth: a published example, simulated truth, and refusals."""

import numpy as np
import pandas as pd
import pytest

from discontinuation.classify.fallible_raters import fallible_raters
from discontinuation.problems import InvalidInput
from validation_in_r import assert_as_in_r

# Hui, Walter. Biometrics 1980;36:167-171, table 1: two tuberculin tests in two populations.
MANTOUX_TINE = {"1": [14, 4, 9, 528], "2": [887, 31, 37, 367]}
CELLS = [("+", "+"), ("+", "-"), ("-", "+"), ("-", "-")]
CAUSES = ["withdrawal", "relapse", "indeterminate"]


def tuberculin():
    rows = [
        (group, *cell)
        for group, counts in MANTOUX_TINE.items()
        for cell, n in zip(CELLS, counts, strict=True)
        for _ in range(n)
    ]
    return pd.DataFrame(rows, columns=["population", "Mantoux", "Tine"])


def simulated(n, errors, prevalence, seed, missing=0.0):
    stream = np.random.default_rng(seed)
    size = len(prevalence)
    truth = stream.choice(size, n, p=prevalence)
    ratings = pd.DataFrame(
        {
            f"rater {number}": [CAUSES[stream.choice(size, p=error[one])] for one in truth]
            for number, error in enumerate(errors)
        },
        dtype=object,
    )
    hidden = stream.uniform(size=ratings.shape) < missing
    hidden[:, 0] = False
    return ratings.mask(hidden), np.array(CAUSES)[truth]


def test_hui_and_walter():
    data = tuberculin()
    found = fallible_raters(
        data[["Mantoux", "Tine"]], ["+", "-"], data["population"], seed=1, resamples=200
    )
    right = found.accuracy.loc[found.accuracy["truth"] == found.accuracy["says"]]
    right = right.set_index(["rater", "truth"])["estimate"]
    ill = found.prevalence.set_index(["group", "category"])
    # Published: prevalences .0268 and .7168, false negatives .0339 and .0312, false positives
    # .0067 and .0159.
    assert 1 - right["Mantoux", "+"] == pytest.approx(0.0339, abs=5e-5)
    assert 1 - right["Tine", "+"] == pytest.approx(0.0312, abs=5e-5)
    assert 1 - right["Mantoux", "-"] == pytest.approx(0.0067, abs=5e-5)
    assert 1 - right["Tine", "-"] == pytest.approx(0.0159, abs=5e-5)
    assert ill.loc[("1", "+"), "estimate"] == pytest.approx(0.0268, abs=5e-5)
    assert ill.loc[("2", "+"), "estimate"] == pytest.approx(0.7168, abs=5e-5)
    for test in ("Mantoux", "Tine"):
        assert_as_in_r(f"Hui-Walter sensitivity {test}", right[test, "+"])
        assert_as_in_r(f"Hui-Walter specificity {test}", right[test, "-"])
    # As many parameters as cells: the tables are met exactly, nothing is left to test.
    assert found.degrees_of_freedom == 0
    assert found.deviance == pytest.approx(0, abs=1e-4)
    # The published standard error of the second prevalence is .013.
    width = ill.loc[("2", "+"), "upper"] - ill.loc[("2", "+"), "lower"]
    assert width / 3.92 == pytest.approx(0.013, abs=0.003)


def test_three_raters_and_three_causes_are_recovered():
    errors = [
        np.array([[0.85, 0.1, 0.05], [0.1, 0.8, 0.1], [0.1, 0.15, 0.75]]),
        np.array([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.1, 0.1, 0.8]]),
        np.array([[0.9, 0.05, 0.05], [0.15, 0.75, 0.1], [0.1, 0.2, 0.7]]),
    ]
    ratings, truth = simulated(3000, errors, [0.35, 0.45, 0.2], 4, missing=0.1)
    found = fallible_raters(ratings, CAUSES, seed=2, resamples=60)
    wanted = np.array(errors).ravel()
    assert np.abs(found.accuracy["estimate"] - wanted).max() < 0.08
    inside = (found.accuracy["lower"] <= wanted) & (wanted <= found.accuracy["upper"])
    assert inside.mean() > 0.8
    shares = found.prevalence["estimate"].to_numpy()
    np.testing.assert_allclose(shares, [0.35, 0.45, 0.2], atol=0.05)
    best = found.posterior.idxmax(axis=1).to_numpy()
    majority = ratings.mode(axis=1)[0].to_numpy()
    assert (best == truth).mean() > (majority == truth).mean() - 0.005
    assert found.posterior.sum(axis=1).to_numpy() == pytest.approx(1)
    assert found.degrees_of_freedom > 0


def test_naming_the_causes_otherwise_mirrors_the_result():
    errors = [np.array([[0.8, 0.2], [0.1, 0.9]])] * 3
    ratings, _ = simulated(400, errors, [0.4, 0.6], 6)
    one = fallible_raters(ratings, CAUSES[:2], seed=1, resamples=5).accuracy
    swapped = ratings.replace({"withdrawal": "relapse", "relapse": "withdrawal"})
    other = fallible_raters(swapped, CAUSES[:2], seed=1, resamples=5).accuracy
    a = one.set_index(["rater", "truth", "says"])["estimate"]
    b = other.set_index(["rater", "truth", "says"])["estimate"]
    for rater, truth, says in a.index:
        mirrored = b[
            rater, *({"withdrawal": "relapse"}.get(x, "withdrawal") for x in (truth, says))
        ]
        assert a[rater, truth, says] == pytest.approx(mirrored, abs=1e-4)


def test_what_cannot_be_identified_is_refused():
    data = tuberculin()
    alone = fallible_raters(data[["Mantoux", "Tine"]], ["+", "-"], seed=1)
    assert "2 raters and 1 group" in alone.reason
    assert alone.accuracy.empty
    assert str(alone).startswith("Not estimated")
    # Two groups of the same prevalence are one.
    twin = pd.concat([data.assign(half=half) for half in "ab"], ignore_index=True)
    same = fallible_raters(twin[["Mantoux", "Tine"]], ["+", "-"], twin["half"], seed=1)
    assert "unidentified at the estimate" in same.reason
    # Three raters, but never three on one case.
    errors = [np.array([[0.8, 0.2], [0.2, 0.8]])] * 3
    ratings, _ = simulated(300, errors, [0.5, 0.5], 8)
    pairs = ratings.mask(np.arange(3) == (np.arange(300) % 3)[:, None])
    assert fallible_raters(pairs, CAUSES[:2], seed=1).reason is not None
    assert fallible_raters(ratings, CAUSES[:2], seed=1, resamples=5).reason is None


def test_the_seed_decides_the_intervals():
    errors = [np.array([[0.8, 0.2], [0.2, 0.8]])] * 4
    ratings, _ = simulated(150, errors, [0.5, 0.5], 9)
    runs = [fallible_raters(ratings, CAUSES[:2], seed=s, resamples=20) for s in (1, 1, 2)]
    pd.testing.assert_frame_equal(runs[0].accuracy, runs[1].accuracy)
    assert not runs[0].accuracy["lower"].equals(runs[2].accuracy["lower"])
    np.testing.assert_allclose(
        runs[0].accuracy["estimate"], runs[2].accuracy["estimate"], atol=1e-4
    )


def test_bad_input():
    frame = pd.DataFrame({"a": ["+", None, "?"], "b": ["+", None, "-"], "c": ["+", None, "-"]})
    with pytest.raises(InvalidInput) as refusal:
        fallible_raters(frame, ["+", "-"], pd.Series(["x", None, "y"]), seed=1)
    said = "\n".join(map(str, refusal.value.problems))
    assert len(refusal.value.problems) == 3
    assert "'?'" in said and "nobody rated" in said and "one for each case" in said


def test_a_frame_without_cases_and_numbers_that_cannot_be_are_refused_together():
    empty = pd.DataFrame({"a": [], "b": [], "c": []})
    for frame in (empty, pd.DataFrame(), pd.DataFrame(index=[0, 1])):
        with pytest.raises(InvalidInput, match="there is no case"):
            fallible_raters(frame, ["W", "R"], seed=1)
    with pytest.raises(InvalidInput) as caught:
        fallible_raters(empty, ["W", "R"], seed="a", resamples=0, confidence=95)
    assert "4 problems" in str(caught.value)
    with pytest.raises(InvalidInput, match="allowed: a table"):
        fallible_raters([["W"]], ["W", "R"], seed=1)
