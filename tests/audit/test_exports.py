"""Exports: robvis without and with W, and RevMan's files under the review's own names."""

import pandas as pd
import pytest

from audit import made_up_audit as made
from conftest import ROOT
from discontinuation.audit.answers import make_audit
from discontinuation.audit.exports import (
    Criteria,
    revman_files,
    robvis_generic,
    robvis_rob2,
    robvis_robins_i,
    withdrawal_table,
    write_revman,
)
from discontinuation.audit.judgements import judge_audits
from discontinuation.ingest.evidence import read_collection
from discontinuation.ingest.gather import gather
from discontinuation.problems import InvalidInput


def trial(study, **changes):
    return make_audit(made.audit(("A",), study=study, title=f"{study} 2020", **changes))


@pytest.fixture
def judged():
    two_times = [
        made.result(("A",), time="week 12", week=12), made.result(("A",)),
    ]  # fmt: skip
    for number in ("3.2", "3.3", "3.4"):
        two_times[1]["answers"][number] = {"A": made.said("NI")}
    two_times[1]["answers"]["3.1"] = {"A": made.said("NI")}
    unknown = made.result(("A",))
    for number in made.WITHDRAWAL:
        unknown["answers"][number] = {"A": made.said("NI")}
    return judge_audits(
        [
            trial("Alpha", results=two_times),
            trial("Beta", results=[unknown]),
            trial("Gamma", results=[made.cohort_result()]),
        ]
    )


def test_robvis_has_the_columns_it_counts(judged):
    """robvis looks at places, not names: study first, then domains, overall, weight."""
    table = robvis_rob2(judged, {"Alpha": 12.5})
    assert list(table.columns) == ["Study", "D1", "D2", "D3", "D4", "D5", "Overall", "Weight"]
    assert list(table["Study"]) == [
        "Alpha 2020: relapse, week 12", "Alpha 2020: relapse, week 26", "Beta 2020",
    ]  # fmt: skip
    assert list(table["D3"]) == ["Low", "High", "Low"]
    assert list(table["Overall"]) == ["Low", "High", "Low"]
    assert list(table["Weight"]) == [12.5, 12.5, 1.0]


def test_robvis_generic_has_w_and_says_unclear_where_it_cannot_be_judged(judged):
    table = robvis_generic(judged)
    assert len(table.columns) == 9 and list(table.columns)[-2:] == ["Overall", "Weight"]
    w = "Withdrawal confounding (domain W, experimental)"
    assert list(table[w]) == ["Low", "Low", "Unclear"]
    # W takes no part in the overall judgement.
    assert list(table["Overall"]) == list(robvis_rob2(judged)["Overall"])


def test_robvis_robins_i(judged):
    table = robvis_robins_i(judged)
    assert table.shape == (1, 10) and set(table.iloc[0, 1:9]) == {"Moderate"}


def test_robvis_of_nothing_keeps_its_columns():
    empty = judge_audits([])
    assert len(robvis_rob2(empty)) == 0 and len(robvis_rob2(empty).columns) == 8


def test_domain_w_as_a_table(judged):
    table = withdrawal_table(judged)
    assert len(table) == 4 and table.iloc[0]["W3"] == "N"
    assert table.set_index("study").loc["Beta", "if_ni_were_yes_or_no"] == "Low to High"


@pytest.fixture(scope="module")
def frames():
    return gather([read_collection(ROOT / "data" / "published")]).current


ANTLER = "ANTLER_Lewis2021"
CRITERIA = Criteria(
    studies={ANTLER: "Lewis 2021", "Simon2004_VEN": "Simon 2004"},
    interventions={"maintain": "Continue", "taper": "Stop slowly", "unspecified": "Stop"},
    outcomes={
        "first relapse of depression": "Relapse",
        "relapse, week 13": "Relapse at 3 months",
        "relapse, week 26": "Relapse at 6 months",
    },
)


@pytest.fixture(scope="module")
def published():
    from discontinuation.audit.answers import read_audits

    return judge_audits(read_audits(ROOT / "data" / "published" / "audits"))


@pytest.fixture(scope="module")
def files(published, frames):
    return revman_files(published, frames, CRITERIA)


def test_revman_study_data_carry_the_names_of_the_review(files):
    assert list(files["study_information"]["Study"]) == ["Lewis 2021", "Simon 2004"]
    arms = files["study_arms"]
    assert list(arms.columns) == ["Study", "Arm", "Description", "Intervention"]
    assert list(arms["Intervention"]) == ["Continue", "Stop slowly", "Continue", "Stop"]


def test_revman_results_are_counts_and_what_has_none_is_named(files):
    results = files["study_results"]
    assert len(results.columns) == 41 and list(results.columns)[:3] == [
        "Study", "Outcome", "Data type",
    ]  # fmt: skip
    assert results[["Outcome", "Sample size", "Cases"]].to_numpy().tolist() == [
        ["Relapse", 238, 92], ["Relapse", 240, 135],
    ]  # fmt: skip
    left = files["left_out"]
    assert len(left) == 4 and set(left["study"]) == {"Simon2004_VEN"}
    assert set(left["why"]) == {"no count of events and people"}


def test_revman_has_one_row_of_bias_per_result(files):
    risk = files["risk_of_bias_2"]
    assert list(risk["Outcome"]) == ["Relapse", "Relapse at 3 months", "Relapse at 6 months"]
    assert len(risk.columns) == 14
    assert set(risk["Overall bias (judgement)"]) == {"High risk"}
    first = risk.iloc[0]["Bias in measurement of the outcome (support)"]
    assert "4.3 PN: called double-blind" in first and "abstract only, one reader" in first
    assert not any("ithdrawal" in column for column in risk.columns)


def test_what_is_written_says_that_nobody_has_tried_it(files, tmp_path):
    paths = write_revman(tmp_path / "revman", files)
    page = paths[0].read_text(encoding="utf-8")
    assert page.startswith("Files for RevMan: not yet tried in RevMan.")
    back = pd.read_csv(tmp_path / "revman" / "study_results.csv")
    assert back["Cases"].tolist() == [92, 135]
    assert {path.name for path in paths} >= {"domain_w.csv", "left_out.csv"}


def test_names_that_are_missing_are_all_named(published, frames):
    criteria = Criteria({ANTLER: "Lewis 2021", "Simon2004": "Simon"}, {"maintain": "Go on"}, {})
    with pytest.raises(InvalidInput) as raised:
        revman_files(published, frames, criteria)
    assert "'Simon2004': is not in the evidence" in str(raised.value)
    with pytest.raises(InvalidInput) as raised:
        revman_files(published, frames, Criteria({ANTLER: "x"}, {"maintain": "Go on"}, {}))
    said = str(raised.value)
    assert "no intervention for it" in said and "first relapse of depression, week 52" in said


def test_two_results_under_one_name_are_refused(published, frames):
    criteria = Criteria(
        {"Brams2012_LDX": "Brams 2012"},
        {"maintain": "Go on", "abrupt": "Stop"},
        {"symptom relapse": "Relapse"},
    )
    with pytest.raises(InvalidInput, match="name them apart"):
        revman_files(published, frames, criteria)
