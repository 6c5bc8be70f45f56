"""Standardised curves are what everybody would show in each group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.survival.standardised import standardised_curves
from discontinuation.survival.stored import from_json, read_result, to_json, write_result
from survival.parametric_reference import ARMS, data, same_as_r


def test_curves_and_robust_errors_equal_weighted_survfit():
    found = standardised_curves("x", data("late"), "arm", entry="entry")
    for number, arm in enumerate(ARMS, start=1):
        shown = found.at([6, 15, 30])[lambda table, arm=arm: table["group"] == arm]
        same_as_r(f"weighted curve {number}", "survival", shown["survival"])
        same_as_r(f"weighted curve {number}", "se", shown["se"])


def confounded(n, seed):
    """The frail are stopped abruptly more often; pace has no effect at all."""
    random = np.random.default_rng(seed)
    frail = (random.random(n) < 0.5).astype(int)
    arm = np.where(random.random(n) < np.where(frail == 1, 0.75, 0.25), "abrupt", "gradual")
    time = np.ceil(random.exponential(np.where(frail == 1, 40, 160), n))
    end = np.ceil(random.uniform(60, 200, n))
    return pd.DataFrame(
        {
            "frail": frail,
            "arm": arm,
            "time": np.minimum(time, end),
            "event": (time <= end).astype(int),
        }
    )


def test_confounding_is_removed():
    frame = confounded(8000, 2)
    crude = standardised_curves("1", frame, "arm").difference([50])
    weighted = standardised_curves("frail", frame, "arm").difference([50])
    assert crude["difference"][0] > 0.15
    assert weighted["lower"][0] < 0 < weighted["upper"][0]
    assert abs(weighted["difference"][0]) < 0.03
    truth = 0.5 * np.exp(-50 / 40) + 0.5 * np.exp(-50 / 160)
    found = standardised_curves("frail", frame, "arm").at([50])
    np.testing.assert_allclose(found["survival"], truth, atol=0.02)


def test_a_saturated_model_equals_the_mean_of_strata():
    frame = confounded(600, 3).assign(event=1)
    found = standardised_curves("frail", frame, "arm").at([30])
    share = frame["frail"].mean()
    for arm in ("abrupt", "gradual"):
        here = frame[frame["arm"] == arm]
        alive = (here["time"] > 30).groupby(here["frail"]).mean()
        expected = (1 - share) * alive[0] + share * alive[1]
        value = found.loc[found["group"] == arm, "survival"].iloc[0]
        assert value == pytest.approx(expected, rel=1e-9)


def test_without_covariates_it_is_kaplan_meier_with_greenwood_nearly():
    frame = confounded(400, 4)
    found = standardised_curves("1", frame, "arm")
    here = frame[frame["arm"] == "gradual"]
    survival, total = 1.0, 0.0
    for t in np.unique(here.loc[here["event"] == 1, "time"]):
        if t > 80:
            break
        n, d = (here["time"] >= t).sum(), ((here["time"] == t) & (here["event"] == 1)).sum()
        survival *= 1 - d / n
        total += d / (n * (n - d))
    row = found.at([80]).query("group == 'gradual'").iloc[0]
    assert row["survival"] == pytest.approx(survival, rel=1e-12)
    # Identical for the empirical curve up to rounding; Greenwood's formula is exactly that.
    assert row["se"] == pytest.approx(survival * np.sqrt(total), rel=1e-10)
    half = 1.959963984540054 * np.sqrt(total) / abs(np.log(survival))
    assert row["lower"] == pytest.approx(survival ** np.exp(half), rel=1e-9)


def test_the_bootstrap_repeats_itself_and_is_no_larger_than_the_robust_error():
    frame = confounded(500, 5)
    how = {"formula": "frail", "data": frame, "group": "arm"}
    one, other = (
        standardised_curves(**how, variance="bootstrap", seed=7, replicates=120) for _ in range(2)
    )
    np.testing.assert_array_equal(one.se, other.se)
    another = standardised_curves(**how, variance="bootstrap", seed=8, replicates=120)
    assert not np.array_equal(one.se, another.se)
    robust = standardised_curves(**how).difference([50])["se"][0]
    assert one.difference([50])["se"][0] < 1.1 * robust
    assert one.difference([50])["se"][0] > 0.6 * robust


def test_robust_limits_hold_the_truth_about_as_often_as_they_say():
    truth = 0.5 * np.exp(-50 / 40) + 0.5 * np.exp(-50 / 160)
    inside = []
    for seed in range(120):
        table = standardised_curves("frail", confounded(300, 100 + seed), "arm").at([50])
        inside += ((table["lower"] < truth) & (truth < table["upper"])).tolist()
    assert 0.92 <= np.mean(inside) <= 1


def test_a_curve_ends_with_its_follow_up():
    frame = confounded(200, 6)
    late = (frame["arm"] == "gradual") & (frame["time"] > 89)
    frame.loc[late, ["time", "event"]] = [89, 0]
    found = standardised_curves("frail", frame, "arm").at([89, 150])
    gradual = found[found["group"] == "gradual"]
    assert np.isfinite(gradual["survival"].iloc[0])
    assert np.isnan(gradual["survival"].iloc[1])
    apart = standardised_curves("frail", frame, "arm").difference([150])
    assert np.isnan(apart["difference"][0])


def test_before_the_first_event_everybody_survives():
    row = standardised_curves("frail", confounded(100, 7), "arm").at([0]).iloc[0]
    assert row[["survival", "se", "lower", "upper"]].tolist() == [1, 0, 1, 1]


def test_results_are_stored_and_print(tmp_path):
    found = standardised_curves("x", data("late"), "arm")
    assert from_json(to_json(found)).at([5, 20]).equals(found.at([5, 20]))
    write_result(found, tmp_path / "curves.parquet")
    pd.testing.assert_frame_equal(read_result(tmp_path / "curves.parquet").summary, found.summary)
    for part in ("robust variance", "log-log scale", "abrupt: "):
        assert part in str(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": "arn"}, "did you mean 'arm'"),
        ({"variance": "robus"}, "did you mean 'robust'"),
        ({"variance": "bootstrap"}, "needs one"),
        ({"replicates": 1}, "2 or more"),
        ({"event": "none"}, "nobody has the event"),
        ({"formula": "told"}, "separation"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(change, message):
    here = data("late")
    here = here.assign(none=0, told=(here["arm"] == "abrupt").astype(int))
    with pytest.raises(InvalidInput, match=message):
        standardised_curves(**{"formula": "x", "data": here, "group": "arm", **change})
