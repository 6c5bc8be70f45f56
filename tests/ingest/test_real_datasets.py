"""The configured datasets give what their sources say, wherever a copy of the data is at hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.exposure.dose_runs import (
    align_to_last_dose,
    find_dose_runs,
    stop_kinds,
    summarise_after_last_dose,
)
from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import find_declaration, read_declaration

DATA = ROOT.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no copy of the public data at hand")
FOLDER = [ROOT / "config" / "datasets"]


@pytest.fixture(scope="module")
def load():
    loaded = {}

    def load_once(name):
        if name not in loaded:
            declaration = read_declaration(find_declaration(name, FOLDER))
            loaded[name] = load_dataset(declaration, DATA)
        return loaded[name]

    return load_once


@needs_data
def test_kossakowski_has_ten_dose_levels_on_their_dates(load):
    doses = load("kossakowski").tables["doses"]
    start = pd.Timestamp("2012-08-13")
    first = [str((start + pd.Timedelta(days=day)).date()) for day in doses["start"]]
    assert dict(zip(first, doses["dose"], strict=True)) == {
        "2012-08-13": 150,
        "2012-09-25": 105,
        "2012-10-01": 73,
        "2012-10-08": 51,
        "2012-10-15": 37,
        "2012-10-22": 25,
        "2012-10-29": 18,
        "2012-11-05": 12,
        "2012-11-12": 9,
        "2012-11-19": 0,
    }
    assert doses["stop"].iloc[-1] == 239
    np.testing.assert_array_equal(doses["stop"].to_numpy()[:-1], doses["start"].to_numpy()[1:])


@needs_data
def test_kossakowski_first_weekly_score_above_1_8_is_on_study_day_120(load):
    dataset = load("kossakowski")
    events = dataset.tables["deteriorations"].set_index("definition")
    # Day 0 is study day 1.
    assert events.loc["weekly_depression_above_1_8", "detected"] + 1 == 120
    ratings = dataset.tables["assessments"]
    weekly = ratings.loc[
        (ratings["instrument"] == "scl90r_depression") & (ratings["item"] == "total")
    ]
    assert len(weekly) == 28
    # Monday 24 September is the last day on 150 mg.
    full = weekly.loc[weekly["day"] < 43, "value"]
    assert round(full.mean(), 2) == 1.12
    assert round(full.std(), 2) == 0.14
    assert round(full.max(), 2) == 1.31
    assert round(weekly.loc[weekly["day"] >= 119, "value"].mean(), 2) == 1.91


@needs_data
def test_kossakowski_signed_items_and_flat_somatic_ones(load):
    ratings = load("kossakowski").tables["assessments"]
    diary = ratings.loc[ratings["instrument"] == "diary"]
    lows = diary.groupby("item")["value"].min()
    assert lows["mood_down"] < 0
    assert lows.drop(["mood_down", "mood_lonely", "mood_anxious", "mood_guilty"]).min() >= 1
    # Prompts between 7:30 and 22:30 keep their time of day.
    assert diary["day"].mod(1).between(0.3, 0.95).all()


@needs_data
def test_ctn0094_rows(load):
    dataset = load("ctn0094")
    people = dataset.tables["people"]
    assert people["project"].value_counts().to_dict() == {"27": 1920, "30": 868, "51": 772}
    assert dataset.tables["arms"].set_index("arm")["n"].sum() == 2492
    notices = " ".join(dataset.declaration.content["notices"])
    assert "Opioids" in notices
    assert "not randomised" in notices


@pytest.fixture(scope="module")
def runs(load):
    dataset = load("ctn0094")
    people = dataset.tables["people"]
    trial = people.loc[people["project"] == "30", "person"]
    doses = dataset.tables["doses"]
    rule = dataset.declaration.content["dose_runs"]
    found = find_dose_runs(doses.loc[doses["person"].isin(trial)], rule["gap_days"])
    return found.assign(stop_kind=stop_kinds(found, rule))


@needs_data
def test_ctn0030_dose_runs_are_those_of_the_reference_table(runs):
    assert runs["stop_kind"].value_counts().to_dict() == {"taper": 606, "abrupt": 127, "other": 108}
    assert runs["person"].nunique() == 651
    reference = pd.read_csv(DATA / "ctn0094-moud-trials" / "derived" / "ctn0030_dose_segments.csv")
    both = reference.merge(
        runs.assign(who=runs["person"].astype(int)),
        left_on=["who", "segment"],
        right_on=["who", "run"],
    )
    assert len(both) == len(reference) == 841
    for theirs, ours in {
        "first_dose_day": "first_day",
        "last_peak_day_x": "last_peak_day_y",
        "last_dose_day": "last_day",
        "dose_days_x": "dose_days_y",
        "peak_mg": "peak",
        "last_mg": "last_dose",
        "distinct_doses_x": "distinct_doses_y",
        "days_from_last_peak_to_last_dose": "days_from_peak",
        "stop_kind_x": "stop_kind_y",
    }.items():
        assert both[theirs].tolist() == both[ours].tolist(), theirs
    taper = runs.loc[runs["stop_kind"] == "taper", "days_from_peak"]
    assert taper.median() == 18


@needs_data
def test_ctn0030_withdrawal_rises_after_the_last_dose_and_fades(load, runs):
    ratings = load("ctn0094").tables["assessments"]
    ratings = ratings.loc[ratings["instrument"] == "cows_category"]
    aligned = align_to_last_dose(ratings, runs)
    summary = summarise_after_last_dose(aligned, [0, 4, 8, 15, 29, 57])
    taper = summary.loc[summary["stop_kind"] == "taper"]
    assert taper["mean"].round(2).tolist() == [0.48, 0.69, 0.44, 0.26, 0.16]
    assert (taper["lower"] < taper["mean"]).all()
    assert (taper["people"] <= taper["ratings"]).all()


@needs_data
def test_cdiscpilot01_times_and_censoring_are_those_of_adtte(load):
    import pyreadstat

    tables = load("cdiscpilot01").tables
    adtte, _ = pyreadstat.read_xport(DATA / "cdisc-pilot01-xpt" / "adam" / "adtte.xpt")
    adtte = adtte.set_index("USUBJID")
    assert len(adtte) == len(tables["people"]) == 254
    event = tables["deteriorations"].set_index("person")["detected"]
    end = tables["follow_up"].set_index("person")["end"]
    ours = event.reindex(adtte.index).fillna(end.reindex(adtte.index))
    np.testing.assert_array_equal(ours, adtte["AVAL"])
    np.testing.assert_array_equal(adtte.index.isin(event.index), adtte["CNSR"] == 0)
    arm = tables["people"].set_index("person")["arm"]
    assert arm.reindex(event.index).value_counts().to_dict() == {
        "Xan_Lo": 62,
        "Xan_Hi": 61,
        "Pbo": 29,
    }


@needs_data
def test_cdiscpilot01_dose_comes_down_at_the_end_of_the_high_arm(load):
    doses = load("cdiscpilot01").tables["doses"]
    high = doses.loc[doses["drug"] == "XANOMELINE"].sort_values(["person", "start"])
    after = high.groupby("person")["dose"].shift(-1)
    down = high.loc[(high["dose"] == 81) & (after == 54), "person"]
    # 28 of the high arm come down; 25 of the low arm have a third interval at the same dose.
    assert down.nunique() == 28
    assert (high["person"].value_counts() == 3).sum() == 53


@pytest.mark.parametrize("name", ["example_trial", "example_cases"])
def test_the_bundled_examples_load_without_any_other_data(name):
    declaration = read_declaration(find_declaration(name, FOLDER))
    dataset = load_dataset(declaration)
    assert declaration.content["synthetic"]
    assert any("Synthetic" in notice for notice in declaration.content["notices"])
    assert dataset.tables["studies"]["synthetic"].all()


def test_the_example_trial_keeps_what_its_generator_knows():
    dataset = load_dataset(read_declaration(find_declaration("example_trial", FOLDER)))
    events = dataset.tables["deteriorations"]
    reported = events.loc[events["source"] == "reported"]
    truth = pd.read_csv(ROOT / "data" / "example" / "truth.csv")
    recorded = truth.loc[(truth["part"] == "trial") & (truth["recorded"] == "yes")]
    assert sorted(recorded["person"]) == sorted(reported["person"])
    onset = recorded.set_index("person")["onset_day"].reindex(reported["person"]).to_numpy()
    latest = reported["onset_latest"].to_numpy()
    earliest = reported["onset_earliest"].fillna(-np.inf).to_numpy()
    # A visit on the day the onset falls on sees it or not.
    assert ((earliest - 1 < onset) & (onset <= latest + 1)).all()


def test_every_bundled_declaration_names_its_licence_citation_and_address():
    for path in sorted((ROOT / "config" / "datasets").glob("*.yaml")):
        declaration = read_declaration(path)
        files = declaration.content["files"].values()
        public = [file for file in files if "address" in file]
        assert declaration.content["synthetic"] or len(public) == len(list(files))
        assert all(len(file["sha256"]) == 64 for file in public)
        # A commit, not a branch.
        assert all(any(len(part) == 40 for part in file["address"].split("/")) for file in public)


def test_the_public_datasets_are_not_in_the_project():
    names = {"ESMdata.csv", "treatment.rda", "adtte.xpt"}
    shipped = itertools.chain.from_iterable((ROOT / part).rglob("*") for part in ("data", "tests"))
    assert not names & {path.name for path in shipped if "raw" not in path.parts}
