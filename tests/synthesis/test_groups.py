"""Pools: one effect per cohort, unlike things apart, and both tables of the evidence."""

import math

import numpy as np
import pytest

import made_up
from discontinuation.ingest.evidence import read_collection
from discontinuation.ingest.gather import gather
from discontinuation.synthesis import pool
from discontinuation.synthesis.contrasts import trial_effects
from discontinuation.synthesis.eligibility import select_effects
from discontinuation.synthesis.groups import PoolingRule, pool_trials
from discontinuation.synthesis.robustness import leave_one_out_table, small_study_table

RULE = PoolingRule()


def effects(tmp_path, rows, use="include"):
    folder = made_up.write_csv(tmp_path / "evidence", rows)
    return trial_effects(gather([read_collection(folder, use)]).current)


def main_rows(table, **where):
    where = {"role": "main", "subgroup_by": "none", "drug_class": "all"} | where
    for column, value in where.items():
        table = table.loc[table[column] == value]
    return table


def test_overall_pool_is_the_pool_of_the_last_times(tmp_path):
    table = effects(tmp_path, made_up.tables())
    (row,) = main_rows(pool_trials(table, table, RULE), measure="risk_ratio").to_dict("records")
    log_ratios = np.log([2, 2, 1.6])
    variances = [1 / 40 - 1 / 100 + 1 / 20 - 1 / 100, 1 / 36 - 1 / 90 + 1 / 16 - 1 / 80,
                 1 / 24 - 1 / 60 + 1 / 15 - 1 / 60]  # fmt: skip
    expected = pool(log_ratios, variances)
    assert row["trials"] == 3
    assert row["people"] == 490
    assert row["estimate"] == pytest.approx(math.exp(expected.estimate))
    assert row["lower"] == pytest.approx(math.exp(expected.lower))
    assert row["reversed_estimate"] == pytest.approx(1 / row["estimate"])
    assert row["reversed_lower"] == pytest.approx(1 / row["upper"])
    assert (row["trials_abrupt"], row["trials_taper"], row["trials_unspecified"]) == (1, 1, 1)


def test_earlier_time_is_not_pooled_and_says_why(tmp_path):
    chosen = select_effects(effects(tmp_path, made_up.tables()))
    early = chosen.loc[chosen["week"] == 4]
    assert set(early["pooled"]) == {"no"}
    assert set(early["why_not"]) == {"a later time is in the pool (week 52)"}
    assert chosen.loc[chosen["pooled"] == "no", "why_not"].notna().all()
    assert chosen.loc[chosen["pooled"] != "no", "why_not"].isna().all()


def test_outcome_listed_first_is_pooled_even_if_another_has_a_later_time(tmp_path):
    rows = made_up.tables()
    later = {"outcome": "relapse or rescue", "outcome_type": "relapse"}
    rows["results"] += [
        made_up.result("Beta", "drug", 52, 80, 20, **later),
        made_up.result("Beta", "placebo", 52, 90, 45, **later),
    ]
    chosen = select_effects(effects(tmp_path, rows))
    beta = chosen.loc[(chosen["study"] == "Beta") & (chosen["measure"] == "risk_ratio")]
    assert beta.set_index("week")["pooled"].to_dict() == {26: "everywhere", 52: "no"}
    assert "the outcome listed first is in the pool (relapse)" in set(beta["why_not"])


def test_larger_outcome_does_not_displace_the_one_listed_first(tmp_path):
    rows = made_up.tables()
    admission = {"outcome": "hospital admission", "outcome_type": "relapse"}
    for arm in rows["arms"][2:4]:
        arm["n_randomised"] = 100
    rows["results"] += [
        made_up.result("Beta", "drug", 26, 100, 10, **admission),
        made_up.result("Beta", "placebo", 26, 100, 12, **admission),
    ]
    chosen = select_effects(effects(tmp_path, rows))
    beta = chosen.loc[(chosen["study"] == "Beta") & (chosen["measure"] == "risk_ratio")]
    assert beta.set_index("outcome")["pooled"]["relapse"] == "everywhere"
    assert set(beta["why_not"].dropna()) == {"the outcome listed first is in the pool (relapse)"}


def test_larger_early_count_does_not_displace_the_end(tmp_path):
    rows = made_up.tables()
    rows["results"][1] |= {"n": 60, "events": 12, "event_free": 0.8}
    rows["results"][3] |= {"n": 60, "events": 30, "event_free": 0.5}
    chosen = select_effects(effects(tmp_path, rows))
    alpha = chosen.loc[(chosen["study"] == "Alpha") & (chosen["measure"] == "risk_ratio")]
    assert alpha.set_index("week")["pooled"].to_dict() == {4: "no", 52: "everywhere"}


def test_trial_without_any_event_is_left_out_with_a_reason(tmp_path):
    rows = made_up.tables()
    for row in rows["results"][4:6]:
        row |= {"events": 0, "event_free": 1}
    chosen = select_effects(effects(tmp_path, rows))
    beta = chosen.loc[chosen["study"] == "Beta"]
    assert set(beta["pooled"]) == {"no"}
    assert len(pool_trials(chosen.drop(columns=["pooled", "why_not"]), chosen, RULE))


def test_randomised_record_stays_when_a_larger_cohort_holds_the_same_people(tmp_path):
    rows = made_up.tables()
    rows["studies"][1]["cohort"] = rows["studies"][2]["cohort"] = "same_people"
    rows["studies"][1] |= {"design": "cohort", "allocation_randomised": "no"}
    chosen = select_effects(effects(tmp_path, rows))
    gamma = chosen.loc[chosen["study"] == "Gamma", "pooled"]
    assert set(gamma) == {"everywhere"}


def test_each_way_of_stopping_with_its_own_hazard_ratio_is_in_its_subgroup(tmp_path):
    rows = made_up.tables()
    both = {
        "study": "Gamma", "kind": "trial", "contrast": "stop_vs_continue", "tag": "V",
        "outcome_type": "relapse", "measure": "hazard_ratio", "source": "gamma2022",
    }  # fmt: skip
    abrupt = {"comparison": "abrupt", "strategy": "abrupt"}
    taper = {"comparison": "taper", "strategy": "taper"}
    rows["effects"] = [
        both | abrupt | {"estimate": 2.5, "lower": 1.5, "upper": 4},
        both | taper | {"estimate": 1.5, "lower": 1, "upper": 2},
    ]
    chosen = select_effects(effects(tmp_path, rows))
    ratios = chosen.loc[chosen["measure"] == "hazard_ratio"].set_index("strategy")["pooled"]
    assert ratios.to_dict() == {"abrupt": "everywhere", "taper": "by strategy"}


def test_people_reported_twice_are_pooled_once(tmp_path):
    rows = made_up.tables()
    rows["studies"][2]["cohort"] = "Beta"
    chosen = select_effects(effects(tmp_path, rows))
    why = chosen.loc[chosen["study"] == "Gamma", "why_not"]
    assert set(why) == {"the same people are in the pool through Beta"}


def test_randomised_and_other_trials_are_never_in_one_number(tmp_path):
    rows = made_up.tables()
    rows["studies"][2] |= {"design": "cohort", "allocation_randomised": "no"}
    table = effects(tmp_path, rows)
    pooled = main_rows(pool_trials(table, table, RULE), measure="risk_ratio")
    by_allocation = pooled.set_index("allocation")["trials"].to_dict()
    assert by_allocation == {"randomised": 2, "not randomised or not stated": 1}


def test_withdrawal_outcomes_are_pooled_apart(tmp_path):
    rows = made_up.tables()
    for row in rows["results"][6:8]:
        row |= {"outcome": "DESS", "outcome_type": "withdrawal_syndrome"}
    table = effects(tmp_path, rows)
    pooled = main_rows(pool_trials(table, table, RULE), measure="risk_ratio")
    assert pooled.set_index("outcome_group")["trials"].to_dict() == {"relapse": 2, "withdrawal": 1}


def test_one_trial_is_not_pooled(tmp_path):
    table = effects(tmp_path, made_up.tables())
    pooled = pool_trials(table, table, RULE)
    alone = pooled.loc[pooled["trials"] == 1]
    assert len(alone)
    assert set(alone["note"]) == {"one trial is not pooled"}
    assert alone["estimate"].isna().all()


def test_comparison_only_evidence_is_never_pooled(tmp_path):
    chosen = select_effects(effects(tmp_path, made_up.tables(), use="compare"))
    assert set(chosen["pooled"]) == {"no"}
    assert set(chosen["why_not"]) == {"its collection is used for comparison only"}


def test_other_outcomes_are_not_pooled(tmp_path):
    rows = made_up.tables()
    for row in rows["results"][6:8]:
        row["outcome_type"] = "successful_discontinuation"
    chosen = select_effects(effects(tmp_path, rows))
    assert set(chosen.loc[chosen["study"] == "Gamma", "pooled"]) == {"no"}


def test_classes_are_tested_against_each_other(tmp_path):
    rows = made_up.tables()
    for name, year in (("Delta", 2023), ("Epsilon", 2024)):
        rows["sources"].append({"source": f"{name.lower()}{year}", "citation": name})
        rows["studies"].append(made_up.study(name, year, drug_class="antipsychotic"))
        rows["arms"] += [
            made_up.arm(name, "drug", "maintain", 100),
            made_up.arm(name, "placebo", "abrupt", 100, 0),
        ]
        rows["results"] += [
            made_up.result(name, "drug", 52, 100, 10),
            made_up.result(name, "placebo", 52, 100, 60),
        ]
    table = effects(tmp_path, rows)
    pooled = pool_trials(table, table, RULE)
    classes = pooled.loc[
        (pooled["role"] == "main") & (pooled["measure"] == "odds_ratio")
        & (pooled["subgroup_by"] == "none") & (pooled["drug_class"] != "all")
    ]  # fmt: skip
    y, se = classes["analysis_estimate"].to_numpy(), classes["se"].to_numpy()
    q = (y[0] - y[1]) ** 2 / (se**2).sum()
    assert classes["subgroup_q"].to_list() == pytest.approx([q, q])
    assert set(classes["subgroup_df"]) == {1}


def test_note_tells_the_untruncated_and_the_old_revman_interval(tmp_path):
    table = effects(tmp_path, made_up.tables())
    (row,) = main_rows(pool_trials(table, table, RULE), measure="risk_ratio").to_dict("records")
    assert "untruncated Hartung-Knapp interval" in row["note"]
    assert "RevMan's interval before 2025 (DL, normal)" in row["note"]


def test_small_pools_are_not_tested_for_small_study_effects(tmp_path):
    chosen = select_effects(effects(tmp_path, made_up.tables()))
    table = small_study_table(chosen, RULE)
    assert set(table["note"]) == {"not tested: fewer than 10 trials"}


def test_leave_one_out_names_the_trial_and_pools_the_rest(tmp_path):
    chosen = select_effects(effects(tmp_path, made_up.tables()))
    table = leave_one_out_table(chosen, RULE)
    row = table.loc[
        (table["left_out"] == "Alpha") & (table["measure"] == "risk_ratio")
        & (table["drug_class"] == "all")
    ].iloc[0]  # fmt: skip
    rest = chosen.loc[
        (chosen["pooled"] != "no") & (chosen["measure"] == "risk_ratio")
        & (chosen["study"] != "Alpha")
    ]  # fmt: skip
    expected = pool(rest["analysis_estimate"], rest["se"] ** 2)
    assert row["estimate"] == pytest.approx(math.exp(expected.estimate))
