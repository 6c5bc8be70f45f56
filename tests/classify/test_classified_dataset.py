"""The bundled trial, whose truth is known, through rules, model and estimates side by side."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.of_dataset import (
    Setting,
    causes_by_way,
    classify_dataset,
    relapse_effects_by_way,
)
from discontinuation.estimands.by_way import NAIVE, estimates_by_way
from discontinuation.estimands.of_dataset import Setting as Survival
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.of_dataset import Setting as Doses
from discontinuation.exposure.of_dataset import exposure_of_main_drug
from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import find_declaration, read_declaration
from discontinuation.report.classification_parts import mask_classified
from discontinuation.report.classification_views import classification_tables
from discontinuation.tables.instruments import instruments_from, read_instruments

REFERENCE = ROOT / "data" / "reference"
DRUGS = read_drugs(REFERENCE)
CRITERIA = read_criteria()
DEFINITION = "recorded_by_the_trial"


@pytest.fixture(scope="module")
def example():
    declaration = read_declaration(find_declaration("example_trial", [ROOT / "config/datasets"]))
    return declaration.content, load_dataset(declaration, ROOT).tables


def classify(content, tables, exposure="from the doses", symptoms=None):
    instruments = instruments_from(
        content["instruments"], read_instruments(REFERENCE / "instruments.yaml")
    )
    if exposure == "from the doses":
        _, exposure, _ = exposure_of_main_drug(tables, Doses(), DRUGS)
    asked = content["classification"]["symptoms"] if symptoms is None else symptoms
    setting = Setting(DEFINITION, asked)
    return classify_dataset(tables, exposure, setting, CRITERIA, DRUGS, instruments)


@pytest.fixture(scope="module")
def classified(example):
    return classify(*example)


@pytest.fixture(scope="module")
def truth():
    table = pd.read_csv(ROOT / "data" / "example" / "truth.csv")
    return table.loc[table["part"] == "trial"].set_index("person")["cause"]


def test_the_model_finds_most_of_what_is_true(classified, truth):
    events = classified.events.assign(truth=classified.events["person"].map(truth))
    decided = events.loc[events["decision"] != "indeterminate"]
    assert len(decided) > 0.8 * len(events)
    assert (decided["decision"] == decided["truth"]).mean() > 0.85
    timing = events["time_42"].isin(["withdrawal", "relapse"])
    by_rule = (events.loc[timing, "time_42"] == events.loc[timing, "truth"]).mean()
    assert (decided["decision"] == decided["truth"]).mean() > by_rule


def test_the_addends_are_the_logit(classified):
    events = classified.events
    inside = events.loc[events["q"].between(1e-9, 1 - 1e-9)]
    logit = np.log(inside["q"] / (1 - inside["q"]))
    total = inside[["timing", "symptoms", "reinstatement"]].sum(axis=1)
    np.testing.assert_allclose(total, logit, atol=1e-6)
    assert events["why"].str.len().gt(20).all()


def test_every_rule_gives_a_label_and_its_clause(classified):
    rules = classified.tables["rules"]["rule_set"]
    for rule in rules:
        assert classified.events[rule].notna().all()
        assert f"{rule}_clause" in classified.events
    counts = classified.tables["rules"][
        ["withdrawal", "relapse", "indeterminate", "not assessable"]
    ]
    assert (counts.sum(axis=1) == len(classified.events)).all()


def test_each_deterioration_names_the_rules_that_hang_on_its_onset(classified):
    named = classified.events["hangs_on_onset"].str.split(", ").explode().value_counts()
    counts = classified.tables["rules"].set_index("rule_set")["hangs_on_onset"]
    assert counts.sum() > 0
    assert named.drop("", errors="ignore").to_dict() == counts[counts > 0].to_dict()
    assert classified.events["component_supported"].all()
    assert not classified.events["why"].str.contains("not supported").any()


def test_without_symptoms_the_model_says_that_it_has_timing_only(example):
    found = classify(*example, symptoms={})
    assert found.model.timing_only
    assert (found.tables["warnings"]["code"] == "W5").any()


def test_without_exposure_the_rules_stand_alone(example):
    found = classify(*example, exposure=None)
    assert found.model is None
    assert "no exposure" in found.tables["refused"]["reason"].iloc[0]
    assert "rules" in found.tables


def test_estimates_of_every_way_stand_side_by_side(example, classified):
    content, tables = example
    ways = causes_by_way(classified, "time_42", 5, 1)
    table = estimates_by_way(content["estimands"], tables, Survival(DEFINITION), ways)
    assert set(table["way"]) == {NAIVE, "adjudicated", "time_42", "imputed"}
    ratio = table.loc[
        (table["comparison"] == "abrupt vs maintain")
        & table["measure"].str.endswith("hazard ratio")
        & (table["window_to"] == 252)
        & (table["window_from"] == 0)
        & (table["cause"].isna() | (table["cause"] == "relapse"))
    ].set_index("way")["estimate"]
    assert ratio["imputed"] < ratio[NAIVE]
    imputed = table.loc[table["way"] == "imputed"]
    assert (imputed["imputations"] == 5).all()
    assert (imputed["missing_information"] >= 0).all()


def test_what_the_model_can_say_beyond_its_estimates_is_in_the_tables(classified):
    model, tables = classified.model, classified.tables
    tests = tables["tests"].set_index("test")
    assert tests.loc["kappa = 1", "p_value"] == model.kappa_test.p_value
    window = tests.loc["events by arm and window of time"]
    assert window["p_value"] == model.windows.p_value
    assert tables["windows"]["seen"].sum() == pytest.approx(len(model.q))
    assert {"main", "eta = 0", "frailty 1"} <= set(tables["sensitivity"]["variant"])
    decided = tables["decisions"].set_index("measure")
    assert {"sensitivity", "specificity"} <= set(decided.index)
    assert len(tables["decision_curve"]) == 99
    shown = {view.key for view in classification_tables(tables, "folder")}
    parts = ("tests", "windows", "sensitivity", "bound", "decisions")
    assert {f"classified-{part}" for part in parts} <= shown


def test_weighted_and_joint_effects_stand_beside_the_imputed_one(classified):
    table = relapse_effects_by_way(classified, 5, 1)
    effect = table.set_index("way")["estimate"]
    assert list(effect.index) == [NAIVE, "weighted by probability", "imputed", "joint"]
    plain = classified.model.relapse_effects(5, 1)["estimate"]
    np.testing.assert_allclose(np.log(effect), plain)
    (view,) = classification_tables({"by_way": table}, "folder")
    assert len(view.rows) == 4


def test_a_trial_in_which_nothing_is_early_supports_nothing(example):
    """Deteriorations of the arm that goes on, given to everybody."""
    content, tables = example
    people = tables["people"]
    kept = people.loc[people["arm"] == "A", "person"].to_numpy()
    stream = np.random.default_rng(3)
    time = stream.exponential(500, len(people))
    followed = tables["follow_up"].set_index("person").loc[people["person"]]
    end = np.where(np.isin(people["person"], kept), followed["end"], 252.0)
    worse = time < end
    onset = pd.DataFrame(
        {
            "person": people["person"][worse].to_numpy(),
            "episode": 1,
            "definition": DEFINITION,
            "onset": time[worse],
            "onset_earliest": np.maximum(time[worse] - 7, 0),
            "onset_latest": time[worse],
            "detected": time[worse],
            "source": "reported",
        }
    )
    doses = tables["doses"].copy()
    last = doses.groupby("person")["stop"].transform("max") == doses["stop"]
    doses.loc[last, "stop"] = np.maximum(doses.loc[last, "stop"], 253.0)
    follow_up = tables["follow_up"].assign(
        end=np.minimum(time, end), end_reason=np.where(worse, "event", "completed")
    )
    made = {**tables, "deteriorations": onset, "doses": doses, "follow_up": follow_up}
    found = classify(content, made, symptoms={})
    assert found.model.evidence.label == "not supported"


def test_small_counts_of_labels_are_hidden(classified):
    masked = mask_classified(classified.tables, 10)
    counts = masked["rules"][["withdrawal", "relapse", "indeterminate", "not assessable"]]
    shown = counts.to_numpy(dtype=float)
    assert not ((shown > 0) & (shown < 10)).any()
    assert (np.isnan(shown).sum(axis=1) != 1).all()
    assert mask_classified(classified.tables, 1) is classified.tables


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Setting("x").definition = "y"
