"""Datasets that can tell little: what is said, what is left blank, and that nothing breaks."""

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.declared import NOTHING, classify_declared
from discontinuation.classify.excess_share import UPPER_ONLY, in_words, reported
from discontinuation.classify.model_tables import validation_tables
from discontinuation.classify.of_dataset import UNSUPPORTED, Setting, classify_dataset
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.of_dataset import Setting as Doses
from discontinuation.exposure.of_dataset import exposure_of_main_drug
from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import find_declaration, read_declaration
from discontinuation.report.classification_parts import (
    draw_classified,
    mask_classified,
    write_unclassified,
)
from discontinuation.report.classification_views import classification_tables, evidence_words
from discontinuation.tables.files import read_table

DRUGS = read_drugs(ROOT / "data" / "reference")
CRITERIA = read_criteria()
DEFINITION = "recorded_by_the_trial"


@pytest.fixture(scope="module")
def example():
    """Every ninth person of the bundled trial: its tables, and their exposure."""
    declaration = read_declaration(find_declaration("example_trial", [ROOT / "config/datasets"]))
    tables = load_dataset(declaration, ROOT).tables
    people = set(tables["people"]["person"].iloc[::9])
    few = {
        name: table.loc[table["person"].isin(people)] if "person" in table else table
        for name, table in tables.items()
    }
    return few, exposure_of_main_drug(few, Doses(), DRUGS)[1]


def classify(example, worse, **setting):
    tables, exposure = example
    made = {**tables, "deteriorations": worse}
    asked = Setting(DEFINITION, **setting)
    return made, classify_dataset(made, exposure, asked, CRITERIA, DRUGS, {})


def poor_events(tables, kind):
    worse = tables["deteriorations"]
    arms = tables["people"].set_index("person")["arm"]
    if kind == "no onset":
        return worse.assign(onset=np.nan, onset_earliest=np.nan, onset_latest=np.nan)
    if kind == "between two visits, no day":
        return worse.assign(onset=np.nan)
    kept = worse.loc[(worse["person"].map(arms) == "A") & worse["onset"].notna()]
    return kept.iloc[:1] if kind == "one, of those who go on" else kept


@pytest.mark.parametrize(
    "kind",
    ["no onset", "between two visits, no day", "one, of those who go on", "all of those who go on"],
)
def test_a_dataset_without_a_reduction_before_a_deterioration_has_its_section(example, kind):
    made, found = classify(example, poor_events(example[0], kind))
    assert found.events["days_since_reduction"].isna().all()
    assert (found.events["time_42"] != "withdrawal").all()
    if kind in ("no onset", "between two visits, no day"):
        assert (found.events["time_42"] == "not assessable").all()
    if kind == "no onset":  # follow-up bounds every one of them, so that the model has them all
        assert found.events["q"].notna().sum() == found.events["person"].nunique()
    if kind.endswith("of those who go on"):
        assert not found.events["component_supported"].any()
        assert found.events["why"].str.endswith(UNSUPPORTED).all()
    figures = draw_classified(made, found, {}, 42.0, True)
    said = [text.get_text() for text in figures["events_by_time"].axes[0].texts]
    assert said == ["No deterioration is known to have come after a reduction."]
    assert classification_tables(found.tables, "folder")


def test_where_nobody_got_worse_the_report_says_so(example, tmp_path):
    tables, _ = example
    made = {**tables, "deteriorations": tables["deteriorations"].iloc[:0]}
    content = {"classification": {}}
    assert classify_declared(content, made, "", DRUGS, CRITERIA, {}, None, 14.0) is None
    write_unclassified(tmp_path, NOTHING)
    refused = read_table(tmp_path / "refused.parquet")
    view = classification_tables({"refused": refused}, "folder")[0]
    assert "record no deterioration" in str(view)


@pytest.fixture(scope="module")
def unanchored(example):
    """The same without the arm that keeps the drug, and without any course or symptom."""
    tables, exposure = example
    arms = tables["people"].set_index("person")["arm"]
    stopped = {
        name: table.loc[table["person"].map(arms) != "A"] if "person" in table else table
        for name, table in tables.items()
    }
    worse = stopped["deteriorations"].assign(reinstated=np.nan, resolved=np.nan)
    return classify((stopped, exposure), worse)[1]


def test_without_an_arm_that_keeps_the_drug_nothing_is_said_to_anchor_the_model(unanchored):
    (said,) = evidence_words(unanchored.tables)
    assert "nothing anchors it" in said
    assert "The arm that keeps the drug" not in said
    assert "from their symptoms" not in said and "from what reinstatement" not in said
    assert "no symptoms and no courses after reinstatement" in said


def test_where_no_share_is_reported_nothing_is_said_of_its_limits(unanchored):
    assert unanchored.tables["psi"]["upper"].isna().all()
    assert "few" not in unanchored.tables["warnings"]["code"].tolist()


def test_the_likelihood_ratio_is_set_against_trials_without_withdrawal_where_asked(example):
    tables, _ = example
    found = classify(example, tables["deteriorations"], null_draws=3, seed=5)[1]
    row = found.tables["evidence"].iloc[0]
    assert row["draws"] == 3 and np.isfinite(row["null_point"])
    assert row["p_value"] in (0.25, 0.5, 0.75, 1.0)
    assert (
        "In 3 simulated trials of this design without withdrawal" in evidence_words(found.tables)[0]
    )


def test_of_an_unsupported_component_only_the_upper_limit_is_shown():
    row = {
        "study": "s", "arm": "B", "horizon": 364.0, "measure": "psi_H", "kappa": np.nan,
        "estimate": 0.077, "lower": 0.0, "upper": 0.3, "interval": UPPER_ONLY,
    }  # fmt: skip
    psi = reported(pd.DataFrame([row, {**row, "interval": "Fieller", "lower": 0.01}]))
    assert psi["estimate"].isna().tolist() == psi["lower"].isna().tolist() == [True, False]
    first, second = classification_tables({"psi": psi}, "folder")[0].rows
    shown = [cell.text for cell in first.cells]
    assert "below 0.30" in shown and not {"0.08", "0.00"} & set(shown)
    assert "0.01 to 0.30" in [cell.text for cell in second.cells]
    kept = in_words(*psi.loc[0, ["estimate", "lower", "upper"]])
    assert kept == "below 0.30"


def test_small_counts_by_window_and_decision_are_hidden():
    windows = pd.DataFrame(
        {"study": "s", "arm": "B", "start": [0, 14, 28], "stop": [14, 28, 56],
         "seen": [3.0, 12.0, 20.0], "expected": [4.0, 11.0, 19.0]}
    )  # fmt: skip
    decisions = pd.DataFrame(
        {"measure": ["sensitivity", "undecided"], "count": [20, 25], "of": [24, 60]}
    )
    bound = pd.DataFrame({"arm": ["B", "C"], "events": [9, 40]})
    given = {"windows": windows, "decisions": decisions, "lower_bound": bound}
    masked = mask_classified({**given, "decision_curve": windows}, 10)
    assert masked["windows"]["seen"].isna().tolist() == [True, True, False]
    assert masked["decisions"]["measure"].tolist() == ["undecided"]
    assert masked["lower_bound"]["arm"].tolist() == ["C"]
    assert "decision_curve" not in masked


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (["withdrawal"] * 12, "none of 12 events with a label of raters is labelled relapse"),
        (["relapse"] * 12, "none of 12 events with a label of raters is labelled withdrawal"),
        (["relapse", "withdrawal"], "2 events with a label of raters"),
    ],
)
def test_which_labels_of_raters_are_missing_is_said(labels, reason):
    refused = []
    assert validation_tables(pd.DataFrame({"adjudicated": labels, "q": 0.5}), refused) == {}
    ((what, said),) = refused
    assert what == "validation" and said.startswith(reason)
