"""Imputed covariates keep their relation to survival, and nothing observed is changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.survival.baseline_imputation import impute_baseline, nelson_aalen_at_end
from discontinuation.survival.follow_up import follow_up
from discontinuation.survival.parametric import parametric_model
from discontinuation.survival.stored import from_json, to_json
from survival.parametric_reference import data, same_as_r


def people(n, seed, effect=0.8, share=0.4):
    """Two numbers and labels that go together; half of x is lost where z is high."""
    random = np.random.default_rng(seed)
    z = random.normal(size=n)
    x = 0.6 * z + random.normal(size=n) * 0.8
    site = np.where(x + random.normal(size=n) > 0.5, "north", np.where(z > 0, "south", "west"))
    sex = np.where(random.random(n) < 1 / (1 + np.exp(-z)), 1.0, 0.0)
    time = 60 * np.exp(-effect * x) * random.exponential(size=n)
    end = random.uniform(20, 120, n)
    frame = pd.DataFrame({"x": x, "z": z, "site": site, "sex": sex})
    frame["time"] = np.ceil(np.minimum(time, end))
    frame["event"] = (time <= end).astype(int)
    complete = frame.copy()
    frame.loc[random.random(n) < share * (0.5 + (z > 0)), "x"] = np.nan
    frame.loc[random.random(n) < 0.2, "site"] = None
    frame.loc[random.random(n) < 0.1, "sex"] = np.nan
    return frame, complete


def test_the_hazard_at_everybodys_end_equals_r():
    here = data("late")
    known = follow_up(here["time"], here["event"], here["entry"])
    same_as_r("nelson-aalen", "hazard", nelson_aalen_at_end(known)[:20])


def test_only_blanks_are_filled_and_with_values_that_occur():
    frame, _ = people(200, 1)
    found = impute_baseline(frame, ["x", "site", "sex"], 3, seed=5, predictors=["z"])
    for filled in found.frames:
        assert filled.columns.tolist() == frame.columns.tolist()
        assert filled.dtypes.equals(frame.dtypes)
        assert not filled[["x", "site", "sex"]].isna().any().any()
        for name in frame:
            seen = frame[name].notna()
            pd.testing.assert_series_equal(filled.loc[seen, name], frame.loc[seen, name])
            assert set(filled[name]) <= set(frame.loc[seen, name])
    missing = frame[["x", "site", "sex"]].isna().sum()
    assert found.summary["imputed"].tolist() == missing.tolist()
    assert found.summary["kind"].tolist() == ["number", "label", "label"]
    assert found.summary["observed"].tolist() == (200 - missing).tolist()


def test_the_seed_decides_and_imputations_differ():
    frame, _ = people(120, 2)
    one, same, other = (
        impute_baseline(frame, ["x", "site"], 2, seed=seed, predictors=["z"]) for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one.frames[1], same.frames[1])
    assert not one.frames[0]["x"].equals(one.frames[1]["x"])
    assert not one.frames[0]["x"].equals(other.frames[0]["x"])
    # A stream per imputation: asking for more does not change the first ones.
    more = impute_baseline(frame, ["x", "site"], 4, seed=1, predictors=["z"])
    pd.testing.assert_frame_equal(more.frames[0], one.frames[0])


def pooled(frames, formula="x + z"):
    """Rubin's rules for the log hazard ratio of x."""
    fits = [parametric_model(formula, frame) for frame in frames]
    values = np.array([fit.log_hazard_ratios[0, 0] for fit in fits])
    within = np.mean([fit.log_hazard_ratios[1, 0] ** 2 for fit in fits])
    return values.mean(), np.sqrt(within + (1 + 1 / len(fits)) * values.var(ddof=1))


def test_the_effect_survives_and_without_the_outcome_it_would_not():
    effects, inside, naive = [], 0, []
    for seed in range(25):
        frame, _ = people(250, 100 + seed)
        found = impute_baseline(frame, ["x"], 6, seed=seed, predictors=["z"], iterations=1)
        estimate, se = pooled(found.frames)
        effects.append(estimate)
        inside += abs(estimate - 0.8) < 2.1 * se
        # The same with an outcome that says nothing: the relation is diluted.
        blind = frame.assign(time=np.arange(1, 251.0), event=1).sample(frac=1, random_state=seed)
        blind = blind.assign(time=np.arange(1, 251.0)).sort_index()
        filled = impute_baseline(blind, ["x"], 2, seed=seed, predictors=["z"], iterations=1).frames
        real = frame[["time", "event"]]
        naive.append(pooled([f.assign(time=real["time"], event=real["event"]) for f in filled])[0])
    assert np.mean(effects) == pytest.approx(0.8, abs=0.06)
    assert np.mean(naive) < np.mean(effects) - 0.1
    assert inside >= 21


def test_labels_are_drawn_as_often_as_they_should_be():
    random = np.random.default_rng(3)
    n = 4000
    z = random.integers(0, 2, n)
    label = np.where(random.random(n) < np.where(z == 1, 0.8, 0.3), "yes", "no").astype(object)
    frame = pd.DataFrame({"z": z, "label": label, "time": random.exponential(size=n), "event": 1})
    frame.loc[random.random(n) < 0.5 * z, "label"] = None
    found = impute_baseline(frame, ["label"], 5, seed=1, predictors=["z"], iterations=1)
    blank = frame["label"].isna()
    share = np.mean([(filled.loc[blank, "label"] == "yes").mean() for filled in found.frames])
    assert share == pytest.approx(0.8, abs=0.03)


def test_categories_keep_their_order():
    frame, _ = people(150, 4)
    frame["site"] = pd.Categorical(frame["site"], ["west", "north", "south", "nowhere"])
    found = impute_baseline(frame, ["site"], 1, seed=1, predictors=["z"])
    assert found.frames[0]["site"].cat.categories.tolist() == ["west", "north", "south", "nowhere"]
    assert "nowhere" not in found.frames[0]["site"].tolist()


def test_a_label_that_a_covariate_tells_without_error_can_still_be_imputed():
    frame, _ = people(150, 5)
    frame["z_sign"] = np.where(frame["z"] > 0, "up", "down").astype(object)
    frame.loc[frame.index % 5 == 0, "z_sign"] = None
    found = impute_baseline(frame, ["z_sign"], 2, seed=1, predictors=["z"])
    blank = frame["z_sign"].isna() & (frame["z"].abs() > 0.3)
    for filled in found.frames:
        right = (filled["z_sign"] == np.where(frame["z"] > 0, "up", "down"))[blank]
        assert right.mean() > 0.9


def test_a_predictor_that_repeats_another_does_no_harm():
    frame, _ = people(150, 6)
    frame["again"] = 2 * frame["z"]
    found = impute_baseline(frame, ["x"], 1, seed=1, predictors=["z", "again"])
    assert not found.frames[0]["x"].isna().any()


def test_nothing_missing_changes_nothing():
    _, complete = people(60, 7)
    found = impute_baseline(complete, ["x"], 2, seed=1)
    pd.testing.assert_frame_equal(found.frames[1], complete)
    assert found.summary["imputed"].tolist() == [0]


def test_results_are_stored_and_print():
    frame, _ = people(80, 8)
    found = impute_baseline(frame, ["x"], 2, seed=1, predictors=["z"])
    again = from_json(to_json(found))
    pd.testing.assert_frame_equal(again.frames[1], found.frames[1])
    assert "predictive mean matching" in str(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": ["y"]}, "no such column"),
        ({"columns": []}, "at least one column"),
        ({"predictors": ["site"]}, "has blanks"),
        ({"predictors": ["x"]}, "both a column to impute and a predictor"),
        ({"columns": ["empty"]}, "no two different values"),
        ({"columns": ["scarce"]}, "too few for"),
        ({"imputations": 0}, "1 or more"),
        ({"event": "z"}, "allowed: 0 or 1"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(change, message):
    frame, _ = people(80, 9)
    frame = frame.assign(empty=np.nan, scarce=np.where(frame.index < 4, frame["z"], np.nan))
    with pytest.raises(InvalidInput, match=message):
        impute_baseline(**{"data": frame, "columns": ["x"], "imputations": 1, **change})
