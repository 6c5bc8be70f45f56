"""Effects of each trial: right numbers, right names, nothing compared that may not be."""

import copy
import math
from statistics import NormalDist

import numpy as np
import pytest

import made_up
from discontinuation.ingest.evidence import read_collection
from discontinuation.ingest.gather import gather
from discontinuation.synthesis.contrasts import taper_band, trial_effects
from discontinuation.synthesis.means import mean_difference, standardised_mean_difference


def effects(tmp_path, rows, **options):
    folder = made_up.write_csv(tmp_path / "evidence", rows)
    return trial_effects(gather([read_collection(folder)]).current, **options)


def one(table, **where):
    for column, value in where.items():
        table = table.loc[table[column] == value]
    (row,) = table.to_dict("records")
    return row


def test_antler_counts_give_its_published_risk_ratio_and_never_a_hazard_ratio(tmp_path):
    rows = made_up.tables()
    rows["arms"][0]["n_randomised"], rows["arms"][1]["n_randomised"] = 238, 240
    rows["results"][0:4] = [
        made_up.result("Alpha", "drug", 52, 238, 92),
        made_up.result("Alpha", "placebo", 52, 240, 135),
    ]
    table = effects(tmp_path, rows)
    ratio = one(table, study="Alpha", measure="risk_ratio")
    assert ratio["estimate"] == pytest.approx(1.455163, abs=5e-7)
    assert ratio["lower"] == pytest.approx(1.197240, abs=5e-7)
    assert ratio["upper"] == pytest.approx(1.768651, abs=5e-7)
    difference = one(table, study="Alpha", measure="risk_difference")
    assert difference["estimate"] == pytest.approx(0.175945, abs=5e-7)
    assert "hazard_ratio" not in set(table["measure"])


def test_swapping_the_strategies_mirrors_every_effect(tmp_path):
    rows = made_up.tables()
    swapped = copy.deepcopy(rows)
    for arm in swapped["arms"]:
        stopped = arm["strategy"] != "maintain"
        arm["strategy"], arm["taper_days"] = ("maintain", None) if stopped else ("abrupt", 0)
    before = effects(tmp_path / "a", rows).set_index(["study", "week", "measure"])
    after = effects(tmp_path / "b", swapped).set_index(["study", "week", "measure"])
    np.testing.assert_allclose(after["analysis_estimate"], -before["analysis_estimate"], atol=1e-15)
    np.testing.assert_allclose(after["se"], before["se"], rtol=1e-15)


def test_arms_with_different_cointerventions_are_not_compared(tmp_path):
    rows = made_up.tables()
    rows["arms"][3]["cointervention"] = "psychological therapy"
    assert "Beta" not in set(effects(tmp_path, rows)["study"])


def test_arms_of_different_randomisations_are_not_compared(tmp_path):
    rows = made_up.tables()
    rows["arms"][3]["comparison"] = "second randomisation"
    assert "Beta" not in set(effects(tmp_path, rows)["study"])


@pytest.mark.parametrize("strategy", ["drug_free", "new_start"])
def test_people_who_stop_nothing_are_in_no_contrast(tmp_path, strategy):
    rows = made_up.tables()
    rows["arms"][5]["strategy"] = strategy
    assert "Gamma" not in set(effects(tmp_path, rows)["study"])


def test_several_arms_treated_alike_are_added_up(tmp_path):
    rows = made_up.tables()
    rows["arms"].append(made_up.arm("Gamma", "drug 2", "maintain", 40))
    rows["results"].append(made_up.result("Gamma", "drug 2", 26, 40, 5))
    row = one(effects(tmp_path, rows), study="Gamma", measure="odds_ratio")
    assert (row["events_b"], row["n_b"]) == (20, 100)
    assert row["estimate"] == pytest.approx((24 / 36) / (20 / 80))


def three_arms():
    rows = made_up.tables()
    rows["arms"].append(made_up.arm("Gamma", "slow", "taper", 60, 84))
    rows["results"].append(made_up.result("Gamma", "slow", 26, 60, 18))
    rows["arms"][5] |= {"strategy": "abrupt", "taper_days": 0}
    rows["studies"][2]["pace_randomised"] = "yes"
    return rows


def test_shared_arm_is_split_between_strategies_and_whole_for_all_together(tmp_path):
    table = effects(tmp_path, three_arms())
    abrupt = one(
        table, study="Gamma", measure="risk_ratio", contrast="stop vs continue", strategy="abrupt"
    )
    together = one(
        table, study="Gamma", measure="risk_ratio", contrast="stop vs continue", strategy="any"
    )
    assert (abrupt["events_b"], abrupt["n_b"]) == (7.5, 30)
    assert abrupt["se"] ** 2 == pytest.approx(1 / 24 - 1 / 60 + 1 / 7.5 - 1 / 30)
    assert (together["events_a"], together["n_a"], together["n_b"]) == (42, 120, 60)


def test_pace_contrast_compares_abrupt_with_taper(tmp_path):
    row = one(effects(tmp_path, three_arms()), contrast="abrupt vs taper", measure="risk_ratio")
    assert row["estimate"] == pytest.approx((24 / 60) / (18 / 60))
    assert row["randomised"] == "yes"


def test_two_tapers_are_compared_as_faster_and_slower(tmp_path):
    rows = three_arms()
    rows["arms"][5] |= {"strategy": "taper", "taper_days": 7}
    row = one(effects(tmp_path, rows), contrast="faster vs slower taper", measure="risk_ratio")
    assert row["arms_a"] == "placebo"
    assert row["arms_b"] == "slow"


def test_clusters_shrink_the_numbers_by_the_design_effect(tmp_path):
    rows = made_up.tables()
    rows["studies"][2] |= {"cluster_size": 11, "icc": 0.05}
    row = one(effects(tmp_path, rows), study="Gamma", measure="risk_ratio")
    assert row["design_effect"] == pytest.approx(1.5)
    assert row["n_a"] == pytest.approx(40)
    assert row["estimate"] == pytest.approx(1.6)


def kaplan_meier(rows, limits):
    for row, (lower, upper) in zip(rows["results"][6:8], limits, strict=True):
        row |= {"events": None, "n": None, "estimator": "kaplan_meier", "basis": "not_reported"}
        row |= {"event_free_lower": lower, "event_free_upper": upper}
    return rows


def test_kaplan_meier_with_intervals_uses_their_variance(tmp_path):
    rows = kaplan_meier(made_up.tables(), [(0.65, 0.85), (0.48, 0.72)])
    row = one(effects(tmp_path, rows), study="Gamma", measure="risk_difference")
    se = [0.2 / (2 * 1.959964), 0.24 / (2 * 1.959964)]
    assert row["estimate"] == pytest.approx(0.15)
    assert row["se"] == pytest.approx(math.hypot(*se), rel=1e-6)


def test_kaplan_meier_without_interval_is_flagged_as_if_uncensored(tmp_path):
    rows = kaplan_meier(made_up.tables(), [(None, None), (None, None)])
    row = one(effects(tmp_path, rows), study="Gamma", measure="risk_ratio")
    assert "as if nobody was censored" in row["method"]


def test_proportion_without_size_has_no_interval(tmp_path):
    rows = kaplan_meier(made_up.tables(), [(None, None), (None, None)])
    for arm in rows["arms"][4:6]:
        arm["n_randomised"] = None
    row = one(effects(tmp_path, rows), study="Gamma", measure="risk_ratio")
    assert row["estimate"] == pytest.approx(1.6)
    assert math.isnan(row["lower"])


def test_quantiles_compare_times_and_take_their_precision_from_what_is_published(tmp_path):
    rows = made_up.tables()
    for row, week, se in zip(rows["results"][6:8], (87.0, 17.4), (25.2, 3.0), strict=True):
        row |= {"events": None, "event_free": 0.5, "week": week, "week_se": se}
        row |= {"estimator": "survival_quantile", "basis": "not_reported"}
    row = one(effects(tmp_path, rows), study="Gamma")
    assert row["measure"] == "ratio_of_times"
    assert row["estimate"] == pytest.approx(0.2)
    assert row["se"] == pytest.approx(math.hypot(25.2 / 87, 3.0 / 17.4))


def scale(rows, **numbers):
    for row in rows["results"][6:8]:
        row |= {"events": None, "event_free": None, "estimator": "mean", "basis": "reported"}
        row |= {"outcome": "DESS", "outcome_type": "withdrawal_score", "score": "final"}
        row |= {"mean": 4.1 if row["arm"] == "drug" else 5.3, "n": 60, **numbers}
    return rows


@pytest.mark.parametrize(
    ("numbers", "sd", "said"),
    [
        ({"sd": 4.0}, 4.0, "SD published"),
        ({"se": 0.52}, 0.52 * math.sqrt(60), "SD from the SE"),
        ({"mean_lower": 3.9, "mean_upper": 5.9}, None, "SD from the interval"),
    ],
)
def test_scales_give_mean_and_standardised_differences(tmp_path, numbers, sd, said):
    table = effects(tmp_path, scale(made_up.tables(), **numbers))
    row = one(table, study="Gamma", measure="mean_difference")
    assert row["estimate"] == pytest.approx(1.2)
    assert said in row["method"] and "final" in row["method"]
    if sd:
        expected = mean_difference(5.3, sd, 60, 4.1, sd, 60)
        assert row["se"] == pytest.approx(math.sqrt(expected.variance))
        standardised = standardised_mean_difference(5.3, sd, 60, 4.1, sd, 60)
        smd = one(table, study="Gamma", measure="standardised_mean_difference")
        assert smd["estimate"] == pytest.approx(standardised.estimate)


def test_scale_without_precision_has_a_difference_and_no_interval(tmp_path):
    row = one(effects(tmp_path, scale(made_up.tables())), study="Gamma")
    assert row["measure"] == "mean_difference"
    assert math.isnan(row["lower"])


def hazard_ratio(**numbers):
    return {
        "study": "Alpha", "kind": "trial", "comparison": "drug vs placebo",
        "contrast": "continue_vs_stop", "strategy": "abrupt", "outcome_type": "relapse",
        "measure": "hazard_ratio", "estimate": 0.5, "tag": "V", "source": "alpha2020", **numbers,
    }  # fmt: skip


def test_published_hazard_ratio_is_turned_round_with_its_interval(tmp_path):
    rows = made_up.tables()
    rows["effects"] = [hazard_ratio(lower=0.25, upper=1.0)]
    row = one(effects(tmp_path, rows), measure="hazard_ratio")
    assert (row["estimate"], row["lower"], row["upper"]) == pytest.approx((2, 1, 4))
    assert row["se"] == pytest.approx(math.log(4) / (2 * 1.959964), rel=1e-6)
    assert row["taper_days"] == 0
    assert row["computed_from"] == "effects table"


def test_hazard_ratio_with_an_exact_p_gets_its_interval_from_it(tmp_path):
    rows = made_up.tables()
    rows["effects"] = [hazard_ratio(p_value=0.05, p_relation="exact")]
    row = one(effects(tmp_path, rows), measure="hazard_ratio")
    assert row["lower"] == pytest.approx(1, abs=1e-9)


def test_hazard_ratio_with_a_bound_on_p_has_no_interval(tmp_path):
    rows = made_up.tables()
    rows["effects"] = [hazard_ratio(p_value=0.001, p_relation="below")]
    assert math.isnan(one(effects(tmp_path, rows), measure="hazard_ratio")["lower"])


def test_hazard_ratio_from_a_logrank_test_is_parmars(tmp_path):
    rows = made_up.tables()
    counts = {"events_1": 20, "n_1": 100, "events_2": 40, "n_2": 100}
    rows["effects"] = [hazard_ratio(measure="logrank_p", estimate=0.01) | counts]
    row = one(effects(tmp_path, rows), measure="hazard_ratio")
    variance = 1 / 20 + 1 / 40
    assert row["se"] == pytest.approx(math.sqrt(variance))
    z = NormalDist().inv_cdf(1 - 0.005)
    assert row["analysis_estimate"] == pytest.approx(z * math.sqrt(variance))


def test_published_ratio_is_not_repeated_where_the_counts_give_it(tmp_path):
    rows = made_up.tables()
    rows["effects"] = [
        hazard_ratio(measure="risk_ratio", lower=0.3, upper=0.8),
        hazard_ratio(measure="ratio_of_times", estimate=2.5, lower=1.2, upper=5.2),
    ]
    table = effects(tmp_path, rows)
    assert set(table.loc[table["measure"] == "risk_ratio", "computed_from"]) == {"results table"}
    assert one(table, measure="ratio_of_times")["estimate"] == pytest.approx(0.4)


def test_published_withdrawal_effect_stays_beside_a_computed_relapse_effect(tmp_path):
    rows = made_up.tables()
    other = {"outcome_type": "withdrawal_syndrome", "contrast": "stop_vs_continue"}
    rows["effects"] = [hazard_ratio(measure="risk_ratio", estimate=3, lower=2, upper=4.5) | other]
    row = one(effects(tmp_path, rows), study="Alpha", outcome_group="withdrawal")
    assert (row["estimate"], row["lower"], row["upper"]) == (pytest.approx(3), 2, 4.5)
    assert "hazard" not in row["method"]


def test_published_difference_is_turned_round_by_its_sign(tmp_path):
    rows = made_up.tables()
    other = {"outcome_type": "withdrawal_score"}
    rows["effects"] = [
        hazard_ratio(measure="mean_difference", estimate=-1.2, lower=-2.2, upper=-0.2) | other
    ]
    row = one(effects(tmp_path, rows), study="Alpha", outcome_group="withdrawal")
    assert (row["estimate"], row["lower"], row["upper"]) == pytest.approx((1.2, 0.2, 2.2))
    assert row["scale"] == "identity"


def test_final_values_are_not_compared_with_changes(tmp_path):
    rows = scale(made_up.tables(), sd=4.0)
    rows["results"][7]["score"] = "change"
    assert "Gamma" not in set(effects(tmp_path, rows)["study"])


def test_clusters_shrink_a_scale_too(tmp_path):
    rows = scale(made_up.tables(), sd=4.0)
    rows["studies"][2] |= {"cluster_size": 21, "icc": 0.1}
    row = one(effects(tmp_path, rows), study="Gamma", measure="mean_difference")
    assert row["design_effect"] == pytest.approx(3)
    assert row["se"] == pytest.approx(4 * math.sqrt(2 / 20))


def test_several_kaplan_meier_arms_with_intervals_are_averaged_by_size(tmp_path):
    rows = kaplan_meier(made_up.tables(), [(0.65, 0.85), (0.48, 0.72)])
    rows["arms"].append(made_up.arm("Gamma", "drug 2", "maintain", 180))
    rows["results"].append(dict(rows["results"][6], arm="drug 2", event_free=0.85,
                                event_free_lower=0.8, event_free_upper=0.9))  # fmt: skip
    row = one(effects(tmp_path, rows), study="Gamma", measure="risk_difference")
    assert row["risk_b"] == pytest.approx((60 * 0.25 + 180 * 0.15) / 240)
    variances = [(0.2 / 3.919928) ** 2, (0.1 / 3.919928) ** 2]
    expected = 0.25**2 * variances[0] + 0.75**2 * variances[1] + (0.24 / 3.919928) ** 2
    assert row["se"] ** 2 == pytest.approx(expected, rel=1e-6)


def test_tapers_of_several_lengths_say_so(tmp_path):
    rows = three_arms()
    rows["arms"][5] |= {"strategy": "taper", "taper_days": 7}
    row = one(effects(tmp_path, rows), study="Gamma", contrast="stop vs continue",
              measure="risk_ratio", strategy="taper")  # fmt: skip
    assert row["taper_band"] == "several lengths"


def test_two_times_are_tier_four_and_one_is_tier_five(tmp_path):
    table = effects(tmp_path, made_up.tables())
    assert set(table.loc[table["study"] == "Alpha", "tier"]) == {4}
    assert set(table.loc[table["study"] != "Alpha", "tier"]) == {5}


@pytest.mark.parametrize(
    ("days", "strategy", "band"),
    [
        (0, "abrupt", "at once (0 days)"),
        (4, "abrupt", "over 0 to 14 days"),
        (14, "taper", "over 0 to 14 days"),
        (28, "taper", "over 14 to 28 days"),
        (29, "taper", "over 28 days"),
        (math.nan, "taper", "not stated"),
        (0, "unspecified", "not stated"),
    ],
)
def test_taper_bands(days, strategy, band):
    assert taper_band(days, strategy, [0, 14, 28]) == band
