"""What can be answered is counted, question by question, from the tables."""

import pandas as pd
import pytest

import made_up
from discontinuation.audit.answerable import QUESTIONS, answerable
from discontinuation.bias.published import early_shares
from discontinuation.ingest.evidence import read_collection
from discontinuation.ingest.gather import gather

WINDOWS = pd.DataFrame(
    {
        "drug_class": ["antidepressant"],
        "match": [None],
        "formulation": ["oral"],
        "acute_end_days": [42.0],
        "tag": ["P"],
    }
)


@pytest.fixture
def table(tmp_path):
    def count(rows, factors=(1, 0.5, 2)):
        frames = gather([read_collection(made_up.write_csv(tmp_path / "e", rows))]).current
        early = early_shares(frames, WINDOWS, factors, 1, 200, 0.95)
        return answerable(frames, early, WINDOWS, factors)

    return count


def of(table, question, drug_class="all", factor=None):
    rows = table.loc[(table["question_id"] == question) & (table["drug_class"] == drug_class)]
    if factor is not None:
        rows = rows.loc[rows["window_factor"] == factor]
    (row,) = rows.to_dict("records")
    return row


def test_every_question_is_answered_for_all_classes(table):
    assert set(table(made_up.tables())["question_id"]) == set(QUESTIONS)


def test_early_points_are_counted_inside_each_window(table):
    counted = table(made_up.tables())
    assert of(counted, "early_point", factor=1)["answer"] == "1 of 3"
    assert of(counted, "early_point", factor=0.5)["answer"] == "cannot be answered: none of 3"
    assert of(counted, "early_point", factor=1)["answering_studies"] == "Alpha"


def test_a_taper_moves_the_window(table):
    rows = made_up.tables()
    rows["arms"][3]["taper_days"] = 26 * 7 - 42
    assert of(table(rows), "early_point", factor=1)["answering"] == 2


def test_trials_of_one_cohort_count_once(table):
    rows = made_up.tables()
    rows["studies"][1]["cohort"] = rows["studies"][2]["cohort"] = "same_people"
    assert of(table(rows), "schedule")["trials"] == 2


def test_pace_needs_randomised_pace_and_counts_of_relapse(table):
    assert of(table(made_up.tables()), "pace")["answer"] == "no trial could be asked"
    rows = made_up.tables()
    rows["studies"][2]["pace_randomised"] = "yes"
    rows["arms"][5] |= {"strategy": "abrupt", "taper_days": 0}
    rows["arms"].append(made_up.arm("Gamma", "slow", "taper", 60, 84))
    rows["results"].append(made_up.result("Gamma", "slow", 26, 60, 18))
    assert of(table(rows), "pace")["answer"] == "1 of 1"
    for row in rows["results"][6:9]:
        row["outcome_type"] = "withdrawal_symptom"
    assert of(table(rows), "pace")["answer"] == "cannot be answered: none of 1"


def test_figures_that_would_help_are_named(table):
    rows = made_up.tables()
    rows["figures"] = [
        {
            "figure": "alpha", "drug_class": "antidepressant", "publication": "Alpha 2020",
            "identifier": "10.1/alpha", "shows": "relapse", "trials": 1,
            "numbers_at_risk": "not_verified", "adds_early_point": "yes",
            "adds_pace_contrast": "no", "tag": "V",
        }
    ]  # fmt: skip
    counted = table(rows)
    assert of(counted, "early_point", factor=1)["figures"] == "Alpha 2020 (10.1/alpha)"
    assert of(counted, "numbers_at_risk")["figures"].endswith("to be verified")
    assert of(counted, "pace")["figures"] == ""
