"""Datasets that can tell little: what is said, what is left blank, and that nothing breaks."""

import numpy as np
import pytest

from conftest import ROOT
from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.declared import NOTHING, classify_declared
from discontinuation.classify.of_dataset import Setting, classify_dataset
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.of_dataset import Setting as Doses
from discontinuation.exposure.of_dataset import exposure_of_main_drug
from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import find_declaration, read_declaration
from discontinuation.report.classification_parts import draw_classified, write_unclassified
from discontinuation.report.classification_views import classification_tables
from discontinuation.tables.files import read_table

DRUGS = read_drugs(ROOT / "data" / "reference")
CRITERIA = read_criteria()
DEFINITION = "recorded_by_the_trial"
LIMITS = ["onset_earliest", "onset_latest"]


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


def classify(example, worse):
    tables, exposure = example
    made = {**tables, "deteriorations": worse}
    return made, classify_dataset(made, exposure, Setting(DEFINITION), CRITERIA, DRUGS, {})


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
    if kind == "no onset":
        assert "model" in found.tables["refused"]["what"].tolist()
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
