"""Weights make groups, and those still followed, comparable, and say where they cannot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival.stored import from_json, read_result, to_json, write_result
from discontinuation.survival.weighting import censoring_weights, treatment_weights
from survival.parametric_reference import ARMS, data, expected, present, same_as_r


def two_groups():
    here = data("late")[lambda d: d["arm"] != "maintain"]
    return here.assign(high=(here["cluster"] > 4).astype(int)).reset_index(drop=True)


def test_two_groups_equal_glm():
    found = treatment_weights("x + high", two_groups(), "arm")
    same_as_r("two groups", "coef", found.coef[:, 0])
    same_as_r("two groups", "se", found.se[:, 0])
    same_as_r("two groups", "largest", found.weights.max())
    same_as_r("two groups", "smallest", found.weights.min())
    size = found.weights.sum() ** 2 / (found.weights**2).sum()
    same_as_r("two groups", "effective size", size)
    same_as_r("two groups", "before", found.before[0, 0])
    same_as_r("two groups", "after", found.after[0, 0], atol=1e-9)


def test_three_groups_equal_a_maximisation_in_r():
    found = treatment_weights("x", data("late"), "arm", stabilised=False)
    same_as_r("three groups", "intercept", found.coef[0])
    same_as_r("three groups", "slope", found.coef[1])
    same_as_r("three groups", "se", found.se.T.ravel())
    same_as_r("three groups", "sum of 1/p", found.weights.sum())
    same_as_r("three groups", "smallest probability", 1 / found.weights.max())


def test_the_first_level_is_the_reference_and_labels_do_not_matter():
    here = data("late")
    one = treatment_weights("x", here, "arm")
    turned = here.assign(arm=pd.Categorical(here["arm"], ARMS[::-1]))
    other = treatment_weights("x", turned, "arm")
    assert other.groups == tuple(ARMS[::-1])
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-9)


def test_stabilised_weights_are_the_share_times_the_others():
    here = data("late")
    plain = treatment_weights("x", here, "arm", stabilised=False)
    stable = treatment_weights("x", here, "arm")
    share = here["arm"].map(here["arm"].value_counts(normalize=True)).to_numpy()
    np.testing.assert_allclose(stable.weights, share * plain.weights, rtol=1e-12)


def test_a_saturated_model_gives_the_share_in_each_stratum_and_perfect_balance():
    random = np.random.default_rng(3)
    stratum = random.choice(list("pqr"), 300)
    share = pd.Series({"p": 0.2, "q": 0.5, "r": 0.7})[stratum].to_numpy()
    arm = np.where(random.random(300) < share, "stop", "go")
    frame = pd.DataFrame({"stratum": stratum, "arm": arm})
    found = treatment_weights("stratum", frame, "arm", stabilised=False)
    own = frame.groupby("stratum")["arm"].transform(
        lambda column: column.map(column.value_counts(normalize=True))
    )
    np.testing.assert_allclose(found.weights, 1 / own.astype(float), rtol=1e-9)
    np.testing.assert_allclose(found.after, 0, atol=1e-9)
    assert np.abs(found.before).max() > 0.3
    # In each group the weights stand for everybody.
    for number in (0, 1):
        assert found.weights[found.group == number].sum() == pytest.approx(300, rel=1e-9)


def test_truncation_cuts_both_ends():
    here = data("late")
    plain, cut = (treatment_weights("x", here, "arm", truncate=t) for t in (None, 0.05))
    low, high = np.quantile(plain.weights, [0.05, 0.95])
    np.testing.assert_allclose(cut.weights, np.clip(plain.weights, low, high))
    assert "truncated" in cut.method


def test_bad_positivity_is_said():
    random = np.random.default_rng(6)
    x = random.normal(size=2000)
    arm = np.where(random.random(2000) < 1 / (1 + np.exp(-3 * x)), "stop", "go")
    found = treatment_weights("x", pd.DataFrame({"x": x, "arm": arm}), "arm")
    assert "probability is below 0.01" in found.note
    table = found.summary.set_index("group")
    assert (table["smallest_probability"] < 0.01).all()
    assert (table["extreme_share"] > 0).any()
    assert (table["effective_size"] < 0.5 * table["people"]).any()
    assert found.note in str(found)


@pytest.mark.parametrize("kind", ["complete", "quasi", "three"])
def test_separation_is_refused(kind):
    random = np.random.default_rng(1)
    x = random.normal(size=60)
    arm = np.where(x > 0, "stop", "go")
    if kind == "quasi":
        x = np.where(np.arange(60) < 10, 1.0, 0.0)
        arm = np.where(np.arange(60) < 10, "stop", np.where(np.arange(60) % 2, "stop", "go"))
    if kind == "three":
        arm = np.where(x > 0, "stop", np.where(np.arange(60) % 2, "go", "slow"))
    with pytest.raises(InvalidInput, match="separation"):
        treatment_weights("x", pd.DataFrame({"x": x, "arm": arm}), "arm")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"treatment": "arn"}, "did you mean 'arm'"),
        ({"treatment": "one"}, "at least 2"),
        ({"formula": "z"}, "no such column"),
        ({"truncate": 0.5}, "below 0.5"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(change, message):
    here = data("late").assign(one="a")
    with pytest.raises(InvalidInput, match=message):
        treatment_weights(**{"formula": "x", "data": here, "treatment": "arm", **change})


def test_weights_are_stored(tmp_path):
    found = treatment_weights("x", data("late"), "arm")
    assert from_json(to_json(found)).balance.equals(found.balance)
    write_result(found, tmp_path / "w.parquet")
    np.testing.assert_array_equal(read_result(tmp_path / "w.parquet").weights, found.weights)
    assert found.coefficients["term"].tolist() == ["Intercept", "x"] * 2


# ---- losses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arm", ARMS)
def test_losses_within_strata_equal_survfit(arm):
    here = present("ties")
    found = censoring_weights(here, strata="arm")
    inside = (here["arm"] == arm).to_numpy()[found.row]
    start, chance = found.start[inside], found.probability[inside]
    shown = []
    for time in (0, 9, 18, 30):
        # The piece that begins last at or before a time holds the probability to be followed.
        shown.append(chance[start == start[start <= time].max()][0])
    same_as_r(f"losses {arm}", "followed", shown)


def test_pooled_logistic_regression_equals_glm():
    found = censoring_weights(
        present("ties"), formula="arm + x", cuts=[12, 24, 45], stabilised=False
    )
    assert len(found.row) == expected("pooled", "pieces")[0]
    for k, start in enumerate([0, 12, 24, 45], start=1):
        total = found.weights[found.start == start].sum()
        same_as_r("pooled", f"sum of weights {k}", total)
    same_as_r("pooled", "smallest probability", found.probability.min())


@given(
    st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=3, max_size=40).filter(
        lambda people: not all(e for _, e in people)
    )
)
def test_weighted_events_give_kaplan_meier(people):
    # Satten & Datta 2001: 1 - S(t) is the mean of weighted events up to t.
    time = np.array([float(t) for t, _ in people])
    event = np.array([int(e) for _, e in people])
    frame = pd.DataFrame({"time": time, "event": event})
    rows = censoring_weights(frame, stabilised=False).rows
    had, survival = rows[rows["event"] == 1], 1.0
    for t in np.unique(time[event == 1]):
        survival *= 1 - ((time == t) & (event == 1)).sum() / (time >= t).sum()
        weighted = had.loc[had["stop"] <= t, "weight"].sum() / len(time)
        assert 1 - weighted == pytest.approx(survival, abs=1e-9)


def test_without_strata_stabilised_weights_are_one():
    found = censoring_weights(data("late"), entry="entry")
    np.testing.assert_allclose(found.weights, 1.0, rtol=1e-12)


def test_pieces_are_the_follow_up_and_nothing_else():
    here = data("late")
    rows = censoring_weights(here, entry="entry", strata="arm").rows
    spent = rows["stop"] - rows["start"]
    assert (spent > 0).all()
    whole = spent.groupby(rows["row"]).sum()
    np.testing.assert_allclose(whole, here["time"] - here["entry"])
    np.testing.assert_array_equal(rows.groupby("row")["event"].sum(), here["event"])


def test_losses_that_depend_on_a_covariate_are_made_up_for():
    random = np.random.default_rng(9)
    n = 6000
    frail = random.random(n) < 0.5
    time = random.exponential(np.where(frail, 30, 90), n)
    lost = random.exponential(np.where(frail, 25, 400), n)
    frame = pd.DataFrame(
        {
            "frail": frail.astype(int),
            "time": np.ceil(np.minimum(time, lost)),
            "event": (time <= lost).astype(int),
        }
    )
    truth = 0.5 * np.exp(-60 / 30) + 0.5 * np.exp(-60 / 90)

    def survival(rows, column):
        now = 1.0
        for t in np.unique(rows.loc[(rows["event"] == 1) & (rows["stop"] <= 60), "stop"]):
            there = (rows["start"] < t) & (rows["stop"] >= t)
            had = there & (rows["stop"] == t) & (rows["event"] == 1)
            now *= 1 - rows.loc[had, column].sum() / rows.loc[there, column].sum()
        return now

    by_strata = censoring_weights(frame, strata="frail").rows.assign(one=1.0)
    by_model = censoring_weights(frame, formula="frail", cuts=range(2, 120, 2)).rows
    assert survival(by_strata, "one") > truth + 0.03
    assert survival(by_strata, "weight") == pytest.approx(truth, abs=0.025)
    assert survival(by_model, "weight") == pytest.approx(truth, abs=0.025)


def stretches():
    """Two stretches per person, with a covariate that changes."""
    here = present("ties")
    here = here.assign(person=np.arange(len(here)), begin=0.0)
    middle = np.floor(here["time"] / 2)
    early = here.assign(time=middle, event=0, x=-here["x"])
    return here, pd.concat([early, here.assign(begin=middle)], ignore_index=True)


def test_stretches_of_one_person_belong_together():
    here, split = stretches()
    whole = censoring_weights(here, strata="arm", stabilised=False).rows
    parts = censoring_weights(
        split, entry="begin", person="person", strata="arm", stabilised=False
    ).rows
    parts = parts.assign(person=split["person"].to_numpy()[parts["row"]])
    joined = parts.merge(whole.rename(columns={"row": "person"}), on="person")
    at_once = joined[
        (joined["start_x"] >= joined["start_y"]) & (joined["stop_x"] <= joined["stop_y"])
    ]
    assert len(at_once) == len(parts)
    np.testing.assert_allclose(at_once["weight_x"], at_once["weight_y"], rtol=1e-10)


def test_stretches_with_gaps_or_events_between_are_refused():
    _, split = stretches()
    gap = split.assign(begin=split["begin"] + 0.5 * (split["begin"] > 0))
    with pytest.raises(InvalidInput, match="does not begin where"):
        censoring_weights(gap, entry="begin", person="person", strata="arm")
    dead = split.assign(event=1)
    dead.loc[len(dead) - 1, "event"] = 0
    with pytest.raises(InvalidInput, match="follows an event"):
        censoring_weights(dead, entry="begin", person="person", strata="arm")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strata": "arm", "formula": "x"}, "not both"),
        ({"formula": "x"}, "needs cuts"),
        ({"formula": "x", "cuts": [9, 3]}, "rising"),
        ({"strata": "arn"}, "did you mean 'arm'"),
        ({"event": "all"}, "nobody is lost"),
        ({"formula": "sure", "cuts": [30]}, "separation"),
        ({"truncate": -1}, "below 0.5"),
    ],
)
def test_what_cannot_be_weighted_is_refused(change, message):
    here = present("ties")
    # Whoever is sure is never lost in the interval.
    sure = (here["event"] == 1) & (np.arange(len(here)) % 2 == 0)
    here = here.assign(all=1, sure=sure.astype(int))
    with pytest.raises(InvalidInput, match=message):
        censoring_weights(**{"data": here, **change})


def test_losses_are_stored_and_print(tmp_path):
    found = censoring_weights(present("ties"), strata=["arm"], truncate=0.01)
    assert from_json(to_json(found)).rows.equals(found.rows)
    write_result(found, tmp_path / "w.parquet")
    assert "Kaplan-Meier of losses" in str(found)
    assert found.summary["start"].is_monotonic_increasing
