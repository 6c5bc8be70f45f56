"""How fast the drugs of a dataset left: the bundled trial, and made-up records."""

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.exposure.definitions import read_definitions
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.of_dataset import Setting, expose_dataset
from discontinuation.exposure.parameters import parameters_of
from discontinuation.exposure.strategy import read_strategies
from discontinuation.exposure.uncertainty import SLOW, Uncertainty, ranges_of
from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import find_declaration, read_declaration

REFERENCE = ROOT / "data" / "reference"
DRUGS = read_drugs(REFERENCE)
FEW_DRAWS = Uncertainty(draws=8)


def expose(tables, smallest_cell=1, **setting):
    return expose_dataset(
        tables,
        Setting(**setting),
        DRUGS,
        read_strategies(),
        read_definitions(REFERENCE),
        FEW_DRAWS,
        smallest_cell,
    )


def doses(*rows):
    return pd.DataFrame(rows, columns=["person", "drug", "start", "stop", "dose"]).assign(
        unit="mg/day", route="oral"
    )


@pytest.fixture(scope="module")
def trial():
    folder = ROOT / "config" / "datasets"
    declaration = read_declaration(find_declaration("example_trial", (folder,)))
    tables = load_dataset(declaration, ROOT).tables
    return tables, expose(tables)


def test_arms_are_named_by_what_happened(trial):
    labels = trial[1].tables["arm_labels"]
    of_arm = labels.loc[(labels["doses"] == "delivered") & (labels["view"] == "at_receptor")]
    first = of_arm.sort_values("people", ascending=False).drop_duplicates("arm").set_index("arm")
    assert first["label"].to_dict() == {
        "A": "not assessable",
        "B": "abrupt",
        "C": "gradual hyperbolic",
    }
    planned = labels.loc[(labels["doses"] == "planned") & (labels["view"] == "in_milligrams")]
    assert planned.set_index("arm")["label"].to_dict() == {"B": "abrupt", "C": "gradual hyperbolic"}


def test_people_of_an_arm_add_up(trial):
    tables, exposure = trial
    sizes = tables["people"]["arm"].value_counts()
    labels = exposure.tables["arm_labels"]
    for (arm, doses_, _), rows in labels.groupby(["arm", "doses", "view"]):
        if doses_ == "delivered":
            assert rows["people"].sum() == sizes[arm]
            assert rows["share"].sum() == pytest.approx(1)


def test_everybody_has_a_course_and_a_first_stop_at_most(trial):
    tables, exposure = trial
    assert set(exposure.trajectories["person"]) == set(tables["people"]["person"])
    assert exposure.pace.loc[exposure.pace["stop"], "person"].is_unique
    first = exposure.trajectories.groupby("person")["day"].min()
    assert (first <= 0).all()


def test_the_drive_of_an_arm_adds_up_to_tau_whatever_its_pace(trial):
    """Conservation (methods B2): the integral of the drive is tau times the occupancy lost."""
    table = trial[1].tables["uncertainty"].set_index(["variant", "arm", "quantity"])
    for variant in ("usual", SLOW):
        for arm in ("B", "C"):
            row = table.loc[(variant, arm, "drive_integral")]
            assert 13.9 < row["q2.5"] <= row["q97.5"] < 14.001
    abrupt, taper = (
        table.loc[("usual", arm, "drive_squared_integral"), "q50"] for arm in ("B", "C")
    )
    assert taper < 0.35 * abrupt


def test_what_was_planned_was_taken(trial):
    beside = trial[1].tables["delivered_and_planned"]
    assert (beside["difference"].abs() < 1e-9).all()
    assert set(beside["arm"]) == {"B", "C"}


def test_small_counts_are_hidden_everywhere(trial):
    hidden = expose(trial[0], smallest_cell=30)
    labels = hidden.tables["arm_labels"]
    assert labels["people"].dropna().ge(30).all()
    assert labels.loc[labels["people"].isna(), "share"].isna().all()
    notes = expose(trial[0], smallest_cell=200).notes
    assert notes["people"].isna().all()
    assert (notes["people_shown"] == "<200").any()
    courses = hidden.tables["arm_courses"]
    assert (courses["people"] >= 30).all()
    assert (hidden.tables["uncertainty_courses"]["people"] >= 30).all()


def test_an_unknown_drug_keeps_the_pace_of_its_doses():
    table = doses(("a", "paroxetene", -60, 0, 20.0), ("a", "paroxetene", 0, 60, 0.0))
    exposure = expose({"doses": table})
    row = exposure.pace.iloc[0]
    assert row["days_to_zero"] == 0
    assert row["in_milligrams"] == "abrupt"
    assert pd.isna(row["at_receptor"])
    assert exposure.trajectories.empty
    assert "did you mean 'paroxetine'" in " ".join(exposure.notes["reason"])


def test_unknown_days_leave_a_person_out_and_say_so():
    table = doses(
        ("a", "paroxetine", -60, 0, 20.0),
        ("a", "paroxetine", 3, 60, 10.0),
        ("b", "paroxetine", -60, 60, 20.0),
    )
    unknown, missed = expose({"doses": table}), expose({"doses": table}, gaps="missed")
    assert set(unknown.trajectories["person"]) == {"b"}
    assert set(missed.trajectories["person"]) == {"a", "b"}
    reasons = unknown.notes.set_index("reason")["people"]
    assert reasons["the dose of some days is not known; declare what gaps are"] == 1


def test_an_arm_that_stops_on_day_0_needs_the_dose_before():
    table = doses(("a", "paroxetine", 0, 90, 0.0), ("b", "paroxetine", 0, 90, 20.0))
    without = expose({"doses": table})
    assert set(without.trajectories["person"]) == {"b"}
    reason = "takes none of the drug at the reference day, so there is nothing to retain"
    assert (without.notes["reason"] == reason).any()
    given = expose({"doses": table}, doses_before={"paroxetine": 20.0})
    of_a = given.trajectories.loc[given.trajectories["person"] == "a"]
    assert of_a["occupancy"].iloc[0] == pytest.approx(0.9714 * 20 / 25.6)
    assert given.pace.set_index("person").loc["a", "in_milligrams"] == "abrupt"


def test_levels_outside_the_fitted_doses_are_computed_and_flagged():
    exposure = expose({"doses": doses(("a", "paroxetine", -60, 60, 100.0))})
    assert exposure.trajectories["extrapolated"].all()
    assert exposure.trajectories["occupancy"].notna().all()
    assert exposure.notes["reason"].str.contains("computed and flagged").any()


def test_a_depot_that_leaves_slowly_is_not_called_abrupt_at_the_receptor():
    """Fluoxetine stands for it among oral drugs: stopped in one step, gone in weeks."""
    table = doses(("a", "fluoxetine", -200, 0, 20.0), ("a", "fluoxetine", 0, 200, 0.0))
    row = expose({"doses": table}).pace.iloc[0]
    assert row["in_milligrams"] == "abrupt"
    assert row["at_receptor"] not in ("abrupt", "rapid")


def test_ranges_are_those_that_are_held_and_else_a_marked_proposal():
    def of(name):
        drug = DRUGS.find(name)
        return ranges_of(drug, parameters_of(drug), Uncertainty()).set_index("parameter")

    paroxetine, citalopram = of("paroxetine"), of("citalopram")
    assert tuple(paroxetine.loc["half_life_days", ["low", "high"]]) == (21 / 24, 1.0)
    assert paroxetine.loc["k", "tag"] == "P"
    np.testing.assert_allclose(paroxetine.loc["k", ["low", "high"]].astype(float), [5.6 / 1.5, 8.4])
    assert tuple(citalopram.loc["k", ["low", "high"]]) == (2.33, 2.85)
    assert "2 fitted curves" in citalopram.loc["k", "basis"]
