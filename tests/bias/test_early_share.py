"""Early shares: closed forms, published values, and the same words in both directions."""

import math

import numpy as np
import pandas as pd
import pytest

import made_up
from discontinuation.bias.early_share import (
    binomial_covariance,
    covariance_from_variances,
    excess_share,
    expected_share,
    fieller,
    gap_share,
    late_hazard_ratio,
    overall_hazard_ratio,
)
from discontinuation.bias.published import early_shares
from discontinuation.bias.windows import window_end
from discontinuation.ingest.evidence import read_collection
from discontinuation.ingest.gather import gather


def curve(people, early, end):
    event_free = 1 - np.array([early, end]) / people
    return event_free, binomial_covariance(event_free, people)


@pytest.mark.parametrize(
    ("hazard_per_year", "hazard_ratio", "share"),
    [(0.2, 2, 0.20), (0.3, 2, 0.22), (0.5, 2, 0.29), (1, 3, 0.71), (1, 4, 0.91)],
)
def test_half_of_the_difference_is_early_without_any_withdrawal(
    hazard_per_year, hazard_ratio, share
):
    continued = np.exp(-hazard_per_year * np.array([8 / 52, 1]))
    stopped = continued**hazard_ratio
    theta = overall_hazard_ratio(continued, stopped)
    assert theta == pytest.approx(hazard_ratio)
    assert expected_share(continued, theta) == pytest.approx(share, abs=0.005)
    gap = continued - stopped
    assert gap[0] / gap[1] == pytest.approx(float(expected_share(continued, theta)))


def test_late_anchor_finds_the_late_hazard_ratio_whatever_happened_early():
    continued = np.exp(-0.3 * np.array([8 / 52, 1]))
    stopped = continued**2 * np.exp(-0.2)
    assert late_hazard_ratio(continued, stopped) == pytest.approx(2)
    assert overall_hazard_ratio(continued, stopped) > 2


def greenwood(frame, times):
    """Kaplan-Meier proportions and their covariance, the slow way."""
    survival, total, out = 1.0, 0.0, {}
    events = frame.loc[frame["event"]]
    for time in sorted(set(events["time"]) | set(times)):
        at_risk = (frame["time"] >= time).sum()
        dead = (events["time"] == time).sum()
        if dead:
            survival *= 1 - dead / at_risk
            total += dead / (at_risk * (at_risk - dead))
        if time in times:
            out[time] = survival, total
    s = np.array([out[time][0] for time in times])
    g = np.array([out[time][1] for time in times])
    return s, np.outer(s, s) * np.minimum.outer(g, g)


def test_share_and_fieller_interval_of_the_lung_data(shared_data):
    lung = pd.read_csv(shared_data / "reference-survival" / "lung.csv")
    lung["event"] = lung["status"] == 2
    female, male = (greenwood(lung.loc[lung["sex"] == sex], [90, 365]) for sex in (2, 1))
    share = gap_share(female, male)
    assert share.estimate == pytest.approx(0.449151, abs=5e-7)
    assert (share.lower, share.upper) == pytest.approx((0.040792, 1.706210), abs=5e-7)


def test_covariance_without_censoring_is_greenwood():
    event_free = np.array([0.9, 0.7, 0.4])
    exact = binomial_covariance(event_free, 50)
    np.testing.assert_allclose(np.diag(exact), event_free * (1 - event_free) / 50)
    np.testing.assert_allclose(covariance_from_variances(event_free, np.diag(exact)), exact)


def test_fieller_is_unbounded_when_the_end_may_be_no_difference():
    lower, upper = fieller(np.array([0.1, 0.1]), np.diag([0.01, 0.01]))
    assert math.isnan(lower) and math.isnan(upper)


def test_fieller_covers_as_often_as_it_says():
    random = np.random.default_rng(1)
    truth = np.array([0.1, 0.2])
    covariance = np.array([[4e-4, 2e-4], [2e-4, 9e-4]])
    draws = random.multivariate_normal(truth, covariance, 4000)
    limits = np.array([fieller(draw, covariance) for draw in draws])
    covered = (limits[:, 0] <= 0.5) & (limits[:, 1] >= 0.5)
    assert covered[np.isfinite(limits[:, 0])].mean() == pytest.approx(0.95, abs=0.015)


def test_excess_interval_contains_zero_under_proportional_hazards_as_often_as_it_says():
    """No withdrawal at all: the excess is declared early no more often than its level."""
    random = np.random.default_rng(2)
    risks = [1 - np.exp(-0.5 * hr * np.array([8 / 52, 1])) for hr in (1, 2.5)]
    outside = 0
    for _ in range(200):
        arms = []
        for early, end in risks:
            first = random.binomial(300, early)
            arms.append(
                curve(300, first, first + random.binomial(300 - first, (end - early) / (1 - early)))
            )
        excess = excess_share(*arms, False, random, replicates=400)
        outside += excess.lower > 0 or excess.upper < 0
    assert outside <= 20


def test_excess_is_found_when_a_third_of_the_arm_fails_at_once():
    excess = excess_share(curve(200, 6, 40), curve(200, 70, 110), False, np.random.default_rng(3))
    assert excess.lower > 0


def test_excess_is_negative_when_the_early_curves_coincide():
    excess = excess_share(curve(400, 60, 120), curve(400, 60, 260), False, np.random.default_rng(4))
    assert excess.upper < 0


WINDOWS = pd.DataFrame(
    {
        "drug_class": ["antidepressant", "antidepressant", "antipsychotic", "antipsychotic"],
        "match": ["fluoxetine", None, None, None],
        "formulation": ["oral", "oral", "oral", "depot"],
        "acute_end_days": [70.0, 42.0, 42.0, 90.0],
        "tag": ["P"] * 4,
    }
)


@pytest.mark.parametrize(
    ("drug", "drug_class", "formulation", "taper", "end"),
    [
        ("sertraline", "antidepressant", "oral", 0, 42),
        ("sertraline", "antidepressant", "oral", 28, 70),
        ("sertraline", "antidepressant", "oral", math.nan, 42),
        ("citalopram|fluoxetine", "antidepressant", "oral", 0, 70),
        ("paliperidone palmitate", "antipsychotic", "depot", 0, 90),
        ("olanzapine", "antipsychotic", None, 0, 42),
        ("lithium", "mood_stabiliser", "oral", 0, math.nan),
    ],
)
def test_window_ends_after_the_taper_and_the_acute_phase(drug, drug_class, formulation, taper, end):
    arm = pd.Series(
        {"drug": drug, "drug_class": drug_class, "formulation": formulation, "taper_days": taper}
    )
    assert window_end(arm, WINDOWS).end_days == pytest.approx(end, nan_ok=True)


def shares(tmp_path, rows):
    folder = made_up.write_csv(tmp_path, rows)
    return early_shares(gather([read_collection(folder)]).current, WINDOWS, [1], 1, 400, 0.95)


def test_table_holds_the_trial_with_two_times(tmp_path):
    (row,) = shares(tmp_path, made_up.tables()).to_dict("records")
    assert row["study"] == "Alpha"
    assert row["share"] == pytest.approx(0.5)
    assert row["expected_share_linear"] == pytest.approx(4 / 52)
    theta = math.log(0.6) / math.log(0.8)
    assert row["hazard_ratio_assumed"] == pytest.approx(theta)
    expected = (0.95 - 0.95**theta) / 0.2
    assert row["expected_share_proportional_hazards"] == pytest.approx(expected)
    assert row["excess_share"] == pytest.approx(0.5 - expected)
    assert row["inside_window"]


def test_point_past_the_window_says_it_is_not_informative(tmp_path):
    rows = made_up.tables()
    rows["results"][0]["week"] = rows["results"][2]["week"] = 13
    (row,) = shares(tmp_path, rows).to_dict("records")
    assert not row["inside_window"]
    assert row["reading"] == "not informative about withdrawal"


def test_three_times_anchor_the_hazard_ratio_late(tmp_path):
    rows = made_up.tables()
    rows["results"] += [
        made_up.result("Alpha", "drug", 26, 100, 12),
        made_up.result("Alpha", "placebo", 26, 100, 28),
    ]
    table = shares(tmp_path, rows).set_index("early_week")
    assert set(table["benchmark"]) == {"late-anchored"}
    theta = math.log(0.6 / 0.85) / math.log(0.8 / 0.95)
    assert table.loc[4.0, "hazard_ratio_assumed"] == pytest.approx(theta)


def test_swapping_the_arms_keeps_the_share_and_mirrors_nothing_else(tmp_path):
    """The share is a ratio of gaps: exchanging the hypotheses must not change it."""
    rows = made_up.tables()
    before = shares(tmp_path / "a", rows).iloc[0]
    rows["arms"][0] |= {"strategy": "abrupt", "taper_days": 0}
    rows["arms"][1] |= {"strategy": "maintain", "taper_days": None}
    after = shares(tmp_path / "b", rows).iloc[0]
    for name in ("share", "share_lower", "share_upper", "expected_share_linear"):
        assert after[name] == pytest.approx(before[name])
    assert after["gap_end"] == pytest.approx(-before["gap_end"])
    theta = before["hazard_ratio_assumed"], after["hazard_ratio_assumed"]
    assert theta[0] * theta[1] == pytest.approx(1)


def test_no_late_event_on_the_drug_leaves_no_benchmark(tmp_path):
    rows = made_up.tables()
    rows["results"] = rows["results"][4:]
    for week, on, off in ((2, 5, 20), (12, 5, 30), (52, 5, 45)):
        rows["results"] += [
            made_up.result("Alpha", "drug", week, 100, on),
            made_up.result("Alpha", "placebo", week, 100, off),
        ]
    first = shares(tmp_path, rows).set_index("early_week").loc[2.0]
    assert math.isnan(first["expected_share_proportional_hazards"])
    assert math.isnan(first["excess_lower"])
    assert "cannot be judged" in first["reading"]


def test_baseline_is_no_early_point(tmp_path):
    rows = made_up.tables()
    rows["results"][0] |= {"week": 0, "events": 0, "event_free": 1}
    rows["results"][2] |= {"week": 0, "events": 0, "event_free": 1}
    assert shares(tmp_path, rows).empty


def test_counts_alone_are_enough(tmp_path):
    rows = made_up.tables()
    for row in rows["results"]:
        row["event_free"] = None
    assert shares(tmp_path, rows)["share"].tolist() == [pytest.approx(0.5)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_window_does_not_depend_on_the_order_of_the_arms(tmp_path, order):
    rows = made_up.tables()
    rows["arms"].append(made_up.arm("Alpha", "slow", "taper", 100, 112))
    rows["arms"][1] |= {"strategy": "taper", "taper_days": 7}
    slow = [dict(row, arm="slow") for row in rows["results"][2:4]]
    for row in (*rows["results"][0:4:2], slow[0]):
        row["week"] = 8
    both = [rows["results"][2:4], slow]
    rows["results"] = rows["results"][:2] + both[order[0]] + both[order[1]]
    (row,) = shares(tmp_path, rows).to_dict("records")
    assert row["window_end_days"] == 49
    assert not row["inside_window"]


def test_words_mirror_the_sign_of_the_excess(tmp_path):
    def words(events):
        rows = made_up.tables()
        for row, count in zip(rows["results"][0:4], events, strict=True):
            row |= {"n": 400, "events": count, "event_free": 1 - count / 400}
        for arm in rows["arms"][0:2]:
            arm["n_randomised"] = 400
        return shares(tmp_path / str(events[2]), rows)["reading"].iloc[0]

    early, late = words([12, 80, 140, 220]), words([60, 120, 60, 260])
    assert early.endswith("early excess over the benchmark, cause not identified")
    assert late.endswith("early shortfall against the benchmark, cause not identified")
