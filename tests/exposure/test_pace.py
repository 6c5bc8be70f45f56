"""Pace follows from the doses and the drug's own fall; what is unknown is never bridged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from discontinuation.exposure.arm_pace import (
    compare_with_plan,
    course_of_arms,
    first_stops,
    mask_arms,
    plans_as_doses,
    summarise_arms,
)
from discontinuation.exposure.dose_runs import find_dose_runs, stop_kinds
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.pace import DOSE_QUANTITIES, QUANTITIES, pace_of
from discontinuation.exposure.parameters import Parameters, parameters_of
from discontinuation.exposure.strategy import label_pace, read_strategies
from discontinuation.exposure.trajectories import exposure_of
from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import find_declaration, read_declaration
from discontinuation.problems import InvalidInput

DRUGS = read_drugs(ROOT / "data" / "reference")
FOLDER = [ROOT / "config" / "datasets"]
# Dose levels and their first days, from the description of the dataset.
KOSSAKOWSKI = ([150, 105, 73, 51, 37, 25, 18, 12, 9, 0], [0, 43, 49, 56, 63, 70, 77, 84, 91, 98])


def drug(name):
    return parameters_of(DRUGS.find(name))


CITALOPRAM = drug("citalopram")
MADE_UP = Parameters(
    half_life_days=2.0, k=3.0, emax=0.8, no_half_life=None, no_occupancy=None, name="made up"
)


def record(dose, start, end, person="a", **columns):
    stop = [*start[1:], end]
    return pd.DataFrame({"person": person, "start": start, "stop": stop, "dose": dose, **columns})


def one(doses, known=CITALOPRAM, **settings_):
    table = pace_of(doses, known, **settings_).table
    assert len(table) == 1
    return table.iloc[0]


def abrupt(dose=20.0, known=CITALOPRAM, end=400.0):
    return one(record([0.0], [0.0], end), known, dose_before=dose)


def test_kossakowski_is_constant_percent_with_steps_near_0_70():
    levels, days = KOSSAKOWSKI
    pace = pace_of(record(levels, days, 239), drug("venlafaxine"))
    row, steps = pace.table.iloc[0], pace.steps
    kept = 1 - steps["share_of_previous"].to_numpy()[:-1]
    assert np.median(kept) == pytest.approx(0.70, abs=0.005)
    assert ((kept > 0.66) & (kept < 0.76)).all()
    assert row["median_step_of_previous"] == pytest.approx(0.30, abs=0.005)
    assert row["shape"] == "exponential"
    assert (row["days_to_zero"], row["steps"], row["increases"]) == (55, 9, 0)
    assert (row["lowest_dose"], row["step_days"], row["days_to_tenth"]) == (9, 7, 41)
    # Of 75 mg, the minimum effective dose, the last day at or above it is the last at 105 mg.
    assert row["days_from_therapeutic"] == 98 - 49
    assert row["therapeutic_basis"] == "minimum effective dose 75 mg/day (UM)"
    # The smallest step in milligrams but one is the largest at the transporter.
    assert row["final_drop_occupancy"] == pytest.approx(0.9007 * 9 / (5.80 + 9), abs=1e-12)
    assert row["largest_step_occupancy"] == row["final_drop_occupancy"] > 0.5
    assert (steps["occupancy_drop"].iloc[:-1] < 0.08).all()


def test_an_abrupt_stop_falls_by_the_half_life_of_the_drug():
    row = abrupt(20.0)
    assert (row["days_to_zero"], row["steps"], row["final_drop_of_start"]) == (0, 1, 1)
    assert np.isnan(row["largest_step_of_previous"])
    k, emax, half_life = 2.33, 0.8398, np.sqrt(33 * 35) / 24
    start = emax * 20 / (k + 20)
    levels = [k * share * start / (emax - share * start) for share in (0.9, 0.1)]
    closed = half_life * np.log2(levels[0] / levels[1])
    assert row["self_taper_days"] == pytest.approx(closed, rel=1e-12)
    assert row["fall_90_10_days"] == pytest.approx(closed, rel=1e-10)
    assert row["effective_taper_days"] == pytest.approx(3 * half_life)
    # The steepest moment is at level K: there O' = Emax / (4 K) and x' = - ln 2 K / half-life.
    steepest = np.log(2) / half_life / 4 * emax / start
    assert row["steepest_fall"] == pytest.approx(steepest, rel=1e-9)
    # Largest fall over 7 days begins where sqrt of the two levels is K.
    root = 2 ** (-7 / half_life / 2)
    assert row["drop_7_days"] == pytest.approx(emax * (1 - root) / (1 + root), rel=1e-9)


def test_half_lives_from_90_to_10_percent_lie_between_log2_9_and_log2_81():
    for k in (1e-6, 1.0, 1e6):
        known = replace(MADE_UP, k=k, emax=1.0)
        row = abrupt(1.0, known, end=2000.0)
        assert np.log2(9) - 1e-5 < row["self_taper_days"] / 2.0 < np.log2(81) + 1e-5
        drop = row["drop_7_days"] / row["starting_occupancy"]
        assert drop <= 1 - 2 ** (-7 / 2.0) + 1e-9
    for k, half_lives in ((1e6, np.log2(9)), (1e-6, np.log2(81))):
        row = abrupt(1.0, replace(MADE_UP, k=k))
        assert row["self_taper_days"] == pytest.approx(2.0 * half_lives, rel=1e-4)


@st.composite
def histories(draw):
    """Between one and six changes of dose that end at 0."""
    count = draw(st.integers(1, 6))
    lengths = draw(st.lists(st.floats(0.5, 40), min_size=count, max_size=count))
    doses = draw(st.lists(st.floats(0.2, 40), min_size=count, max_size=count))
    start = np.append(0.0, np.cumsum(lengths))
    return record([*doses, 0.0], start.tolist(), start[-1] + 120)


@settings(max_examples=25, deadline=None)
@given(histories(), st.sampled_from([1.0, 1.7]))
def test_falls_are_those_of_the_trajectory(doses, hill):
    known = replace(MADE_UP, hill=hill)
    row = one(doses, known)
    exposure = exposure_of(doses, half_life_days=2.0, k=3.0, emax=0.8, hill=hill)
    begin, end = row["start_day"], float(doses["stop"].iloc[-1])
    kinks = [doses["start"], doses["start"] - 7]
    times = np.unique(np.concatenate([np.arange(begin, end, 0.02), *kinks]))
    times = times[(times >= begin) & (times <= end)]
    before = exposure.at(times).occupancy[0]
    after = exposure.at(np.minimum(times + 7, end)).occupancy[0]
    dense = max(0.0, float((before - after).max()))
    assert dense - 1e-12 <= row["drop_7_days"] <= dense + 2e-5
    tiny = 1e-6
    speed = (before - exposure.at(np.minimum(times + tiny, end)).occupancy[0]) / tiny
    steepest = speed.max() / row["starting_occupancy"]
    assert row["steepest_fall"] == pytest.approx(steepest, rel=2e-3)
    if row["fall_refused"] is None:
        high, low = row["starting_occupancy"] * 0.9, row["starting_occupancy"] * 0.1
        reached = times[np.argmax(before <= low)]
        # A short return to the starting dose need not bring occupancy back to 90 %.
        earlier = np.arange(0, reached, 0.02)
        last = earlier[exposure.at(earlier).occupancy[0] >= high][-1]
        assert row["fall_90_10_days"] == pytest.approx(reached - last, abs=0.05)


@settings(max_examples=25, deadline=None)
@given(histories(), st.floats(-200, 200), st.randoms(use_true_random=False))
def test_pace_knows_neither_the_date_nor_how_intervals_are_cut_or_ordered(doses, shift, random):
    before = pace_of(doses, MADE_UP).table
    middle = (doses["start"] + doses["stop"]) / 2
    cut = pd.concat([doses.assign(stop=middle), doses.assign(start=middle)])
    order = list(range(len(cut)))
    random.shuffle(order)
    moved = cut.iloc[order]
    moved = moved.assign(start=moved["start"] + shift, stop=moved["stop"] + shift)
    after = pace_of(moved, MADE_UP).table
    names = list(QUANTITIES)
    np.testing.assert_allclose(
        before[names].astype(float), after[names].astype(float), rtol=1e-6, atol=1e-6
    )


def test_people_do_not_touch_each_other():
    levels, days = KOSSAKOWSKI
    parts = [
        record(levels, days, 239, "k"),
        record([40, 20, 0], [0, 28, 56], 200, "two steps"),
        record([20, 20], [0, 30], 60, "continues"),
        record([0], [0], 60, "nothing"),
    ]
    together = pace_of(pd.concat(parts), CITALOPRAM).table.set_index("person")
    for part in parts:
        alone = pace_of(part, CITALOPRAM).table.set_index("person")
        pd.testing.assert_frame_equal(together.loc[alone.index], alone, check_dtype=False)
    assert together.loc["nothing", "refused"] == "takes none of the drug in the record"
    continues = together.loc["continues", "refused"]
    assert continues == "not stopped: the record ends on day 60 at a dose of 20"
    assert np.isnan(together.loc["continues", "days_to_zero"])


def test_unknown_days_in_the_reduction_leave_it_without_a_pace():
    doses = record([20, 10, 5, 0], [0, 30, 40, 50], 100)
    known = one(doses)
    assert known["refused"] is None
    gap = doses.assign(stop=[30, 37, 50, 100])
    row = one(gap)
    unknown = "nothing is known of the dose from day 37 to day 40, during the reduction"
    assert row["refused"] == unknown
    assert row["occupancy_refused"] == row["fall_refused"] == row["refused"]
    assert row[list(DOSE_QUANTITIES)].isna().all()
    assert row["shape"] is None
    # Only who declares what happened gets a pace.
    assert one(gap, gaps="carried")["days_to_zero"] == known["days_to_zero"] == 20
    assert one(gap, gaps="missed")["steps"] == 3
    unknown_end = doses.iloc[:3]
    assert one(unknown_end)["refused"] == "not stopped: the record ends on day 50 at a dose of 5"
    hole = pd.concat([unknown_end, record([20], [80], 90)])
    first, second = pace_of(hole, CITALOPRAM).table["refused"]
    assert first == "nothing is known of the dose after day 50"
    assert second == "not stopped: the record ends on day 90 at a dose of 20"


def test_unknown_days_before_the_reduction_matter_only_while_they_show():
    later = record([20, 10, 0], [0, 30, 40], 100)
    short = pd.concat([record([20], [-40], 18), later.assign(start=[28, 30, 40])])
    row = one(short)
    assert row["refused"] is None
    assert row["days_to_zero"] == 10
    assert row["fall_refused"].startswith("the dose is known for only 2 days before the reduction")
    assert np.isnan(row["drop_7_days"])
    long = pd.concat([record([20], [-40], -8), later])
    assert one(long)["fall_refused"] is None
    assert one(long)["drop_7_days"] == pytest.approx(one(later)["drop_7_days"], rel=1e-4)


def test_a_fall_that_is_cut_short_is_not_described():
    again = record([20, 0, 20], [0, 30, 34], 90)
    row = pace_of(again, CITALOPRAM, gap_days=3).table.iloc[0]
    assert row["days_to_zero"] == 0
    assert row["fall_refused"].endswith(
        "left when the drug is taken again or the record of days without it ends"
    )
    assert np.isnan(row["fall_90_10_days"])
    new = one(record([20, 0], [0, 1], 60), start_steady=False)
    never = "the level did not reach 90 % of the steady one at the starting dose"
    assert new["fall_refused"] == never


def test_missed_doses_are_no_steps_and_a_long_break_ends_a_run():
    missed = record([20, 0, 20, 0, 10, 0, 10, 0], [0, 10, 12, 30, 31, 37, 38, 45], 100)
    row = one(missed)
    assert (row["steps"], row["start_day"], row["zero_day"]) == (2, 30, 45)
    assert row["increases"] == 0
    restarted = record([20, 10, 0, 20, 0], [0, 10, 20, 40, 60], 200)
    assert pace_of(restarted, CITALOPRAM, gap_days=20).table["run"].tolist() == [1]
    runs = pace_of(restarted, CITALOPRAM, gap_days=19).table
    assert runs["run"].tolist() == [1, 2]
    assert runs["days_to_zero"].tolist() == [10, 0]
    assert first_stops(runs, from_day=0)["run"].tolist() == [1]
    assert first_stops(runs, from_day=21)["run"].tolist() == [2]


def test_dosing_in_turns_counts_with_its_mean():
    days = np.arange(0, 28)
    turns = record([20.0, *np.where(days % 2, 20.0, 0.0), 0.0], [-30, *days, 28], 90)
    row = one(turns)
    assert row["shape"] == "alternate_day"
    assert (row["steps"], row["days_to_zero"], row["lowest_dose"]) == (2, 28, 10)
    assert row["start_dose"] == 20
    two_breaks = record([20.0, 0, 20.0, 0, 20.0, 0.0], [-30, 0, 1, 2, 3, 4], 90)
    assert one(two_breaks)["steps"] == 1


def test_the_starting_dose_is_held_and_the_therapeutic_dose_is_named():
    # Two days at 40 mg are no starting dose; a whole week is.
    for days, start in ((2, 30), (7, 40)):
        doses = record([30, 40, 30, 10, 0], [0, 50, 50 + days, 80, 90], 200)
        row = one(doses)
        assert row["start_dose"] == start
    assert one(record([30, 10, 0], [0, 1, 2], 60), start_steady=False)["start_dose"] == 30
    low = one(record([15, 10, 0], [0, 50, 80], 200))
    assert low["therapeutic_dose"] == 15
    below = "starting dose, below the minimum effective dose 20 mg/day (UM)"
    assert low["therapeutic_basis"] == below
    high = one(record([40, 20, 10, 0], [0, 50, 80, 90], 200))
    assert (high["days_from_therapeutic"], high["days_to_zero"]) == (10, 40)
    none = one(record([4, 2, 0], [0, 50, 80], 200), drug("risperidone"))
    assert none["therapeutic_basis"] == "starting dose; no minimum effective dose is held"


def test_a_drug_without_a_curve_or_unknown_altogether_has_its_pace_in_doses():
    doses = record([16, 8, 4, 2, 0], [0, 30, 34, 38, 42], 100)
    for known, reason in (
        (drug("buprenorphine"), "no source for an occupancy curve of buprenorphine is held"),
        (parameters_of(None), "the drug is not in the reference tables"),
    ):
        row = one(doses, known)
        assert row["refused"] is None
        assert row["occupancy_refused"] == row["fall_refused"] == reason
        assert (row["days_to_zero"], row["steps"], row["largest_step_of_previous"]) == (12, 4, 0.5)
        assert np.isnan(row["largest_step_occupancy"])
        assert row["shape"] == "exponential"
    half_life_only = one(doses, drug("lithium"))
    assert half_life_only["effective_taper_days"] == pytest.approx(12 + 3 * np.sqrt(18 * 36) / 24)


def test_units_without_strength_have_shares_only():
    doses = record([2, 1, 0], [0, 10, 20], 60)
    row = one(doses.assign(unit="ml/day"))
    assert row["median_step_of_previous"] == 0.5
    assert "ml/day" in row["occupancy_refused"]
    assert row["therapeutic_basis"] == "starting dose; no minimum effective dose is held"
    micrograms = one(doses.assign(unit="ug/day", dose=doses["dose"] * 1000))
    weekly = one(doses.assign(unit="mg/week", dose=doses["dose"] * 7))
    for quantity in QUANTITIES:
        assert micrograms[quantity] == pytest.approx(weekly[quantity], nan_ok=True)
    depot = pd.DataFrame(
        {"person": "a", "start": [0.0, 28, 56], "stop": [28.0, 56, 400], "dose": [75.0, 75, 0]}
    ).assign(unit=["mg/injection", "mg/injection", "mg/day"])
    injected = one(depot, drug("PP1M"))
    assert injected["start_dose"] == pytest.approx(75 / 28)
    assert injected["days_to_zero"] == 0


def test_every_problem_of_the_doses_is_named():
    doses = record([20, -1, 5, 0], [0, 30, 40, 50], 100).assign(
        stop=[35, 40, 40, 100], unit=["mg/day", "mg", "mg/day", "mg/day"]
    )
    with pytest.raises(InvalidInput) as refused:
        pace_of(doses, CITALOPRAM, gaps="bridge")
    text = str(refused.value)
    assert "gaps" in text
    assert "did you mean" in text or "allowed: unknown, missed, carried" in text
    assert "'-1'" in text
    assert "does not end after its start" in text
    assert "allowed: mg/day" in text
    with pytest.raises(InvalidInput, match="cannot be compared"):
        pace_of(doses.iloc[[0, 3]].assign(unit=["mg/day", "drops/day"]), CITALOPRAM)
    with pytest.raises(InvalidInput, match="overlaps"):
        pace_of(record([20, 0], [0, 30], 60).assign(stop=[35, 60]), CITALOPRAM)


def test_doses_outside_the_fitted_range_are_computed_and_flagged():
    row = one(record([80, 40, 0], [0, 30, 60], 200))
    assert row["outside_fitted"]
    assert row["starting_occupancy"] == pytest.approx(0.8398 * 80 / 82.33)
    assert not one(record([60, 40, 0], [0, 30, 60], 200))["outside_fitted"]
    assert row["doubtful"] == "minimum effective dose (UM)"
    assert abrupt(20.0, drug("vortioxetine"))["doubtful"] == (
        "half-life (UM), minimum effective dose (UM)"
    )


def test_another_curve_can_be_asked_for():
    other = parameters_of(DRUGS.find("citalopram"), "citalopram_sert_horowitz2019")
    steps = pace_of(record([20, 10, 0], [0, 30, 60], 200), other).steps
    # Domain 4.2: 20 to 10 mg costs 7 points by one curve and 9 by the other.
    assert 100 * steps["occupancy_drop"].iloc[0] == pytest.approx(9, abs=0.5)
    with pytest.raises(InvalidInput, match="citalopram_sert_striatum_sorensen2022"):
        parameters_of(DRUGS.find("citalopram"), "citalopram_sert_striatum_sorensen2021")
    with pytest.raises(InvalidInput, match="K is not in the abstract"):
        parameters_of(DRUGS.find("haloperidol"), "haloperidol_d2_lako2013")


def test_a_draw_of_a_sensitivity_analysis_replaces_half_life_and_curve():
    taken = exposure_of(record([20, 0], [0, 30], 60), half_life_days=3.0, k=5.0, emax=0.9)
    known = CITALOPRAM.under(taken.drug)
    assert (known.half_life_days, known.k, known.emax) == (3.0, 5.0, 0.9)
    assert known.minimum_effective_dose == 20


@pytest.fixture(scope="module")
def example():
    return load_dataset(read_declaration(find_declaration("example_trial", FOLDER))).tables


def test_arms_of_the_example_trial(example):
    known = drug("paroxetine")
    taken = first_stops(pace_of(example["doses"], known).table)
    labels = label_pace(taken, read_strategies())
    arm_of = example["people"].set_index("person")["arm"]
    summary = summarise_arms(taken, labels, arm_of)
    wide = summary.quantities.pivot_table(index="arm", columns="quantity", values="median")
    assert wide.loc["B", "days_to_zero"] == 0
    assert wide.loc["C", "days_to_zero"] == 84
    for arm, people in taken.groupby(taken["person"].map(arm_of)):
        row = summary.quantities.set_index(["arm", "quantity"]).loc[(arm, "drop_7_days")]
        known_values = people["drop_7_days"].dropna()
        assert row["people"] == len(known_values)
        assert row["people"] + row["not_assessable"] == len(people)
        assert row["median"] == pytest.approx(known_values.median(), nan_ok=True)
        assert row["p25"] == pytest.approx(known_values.quantile(0.25), nan_ok=True)
    shares = summary.labels.groupby(["arm", "view"])["share"].sum()
    assert shares.tolist() == pytest.approx([1.0] * 6)
    receptor = summary.labels.loc[summary.labels["view"] == "at_receptor"]
    most = receptor.sort_values("share").drop_duplicates("arm", keep="last").set_index("arm")
    assert most["label"].to_dict() == {
        "A": "not assessable",
        "B": "abrupt",
        "C": "gradual hyperbolic",
    }
    arms = label_pace(summary.medians, read_strategies())["at_receptor"]
    assert dict(zip(summary.medians["arm"], arms, strict=True)) == {
        "A": None,
        "B": "abrupt",
        "C": "gradual hyperbolic",
    }


def test_small_counts_of_an_arm_are_masked(example):
    taken = first_stops(pace_of(example["doses"], drug("paroxetine")).table)
    arm_of = example["people"].set_index("person")["arm"]
    summary = summarise_arms(taken, label_pace(taken, read_strategies()), arm_of)
    few = summary.labels["people"].between(1, 4)
    assert few.any()
    masked = mask_arms(summary, 5)
    assert masked.labels.loc[few, "people_shown"].tolist() == ["<5"] * few.sum()
    assert masked.labels.loc[few, ["people", "share"]].isna().all(axis=None)
    # Nothing left in the row of an arm gives the hidden one away.
    for _, rows in masked.labels.groupby(["arm", "view"]):
        assert rows["people"].isna().sum() != 1
    hidden = masked.quantities["people"].isna()
    assert masked.quantities.loc[hidden, ["p25", "median", "p75"]].isna().all(axis=None)
    pd.testing.assert_series_equal(mask_arms(summary, 1).labels["share"], summary.labels["share"])


def test_delivered_is_set_beside_intended(example):
    known = drug("paroxetine")
    taken = first_stops(pace_of(example["doses"], known).table)
    before = taken.set_index("person")["start_dose"]
    people = example["people"].loc[example["people"]["person"].isin(before.index)]
    plan = plans_as_doses(example["planned_doses"], people)
    assert set(plan["person"]) == set(people["person"])
    intended = first_stops(pace_of(plan, known, dose_before=before).table)
    both = compare_with_plan(taken, intended).set_index("person")
    days = both.loc[both["quantity"] == "days_to_zero"]
    arm = people.set_index("person")["arm"]
    assert (days.loc[arm[arm == "B"].index, "intended"] == 0).all()
    assert (days.loc[arm[arm == "A"].index, "why_not"] == "no stop was planned").all()
    tapered = days.loc[arm[arm == "C"].index]
    finished = tapered["difference"].notna()
    assert (tapered.loc[finished, "difference"] == 0).mean() > 0.9
    assert tapered.loc[~finished, "why_not"].str.startswith("not stopped: the record ends").all()
    of_arms = plans_as_doses(example["planned_doses"])
    assert set(of_arms["person"]) == {"A", "B", "C"}


def test_an_own_plan_goes_before_that_of_the_arm():
    plans = pd.DataFrame(
        {
            "arm": ["x", "x", None],
            "person": [None, None, "b"],
            "start": [0.0, 7.0, 0.0],
            "stop": [7.0, np.nan, np.nan],
            "dose": [10.0, 0.0, 0.0],
            "unit": "mg/day",
        }
    )
    people = pd.DataFrame({"person": ["a", "b"], "arm": ["x", "x"]})
    table = pace_of(plans_as_doses(plans, people), CITALOPRAM, dose_before=20.0).table
    assert table.set_index("person")["days_to_zero"].to_dict() == {"a": 7.0, "b": 0.0}


def test_course_of_arms_gives_quantiles_day_by_day():
    doses = pd.concat(
        [record([20.0, dose, 0.0], [-5, 0, 7], 20, f"p{dose}") for dose in (2.0, 4.0, 6.0)]
    )
    exposure = exposure_of(doses, half_life_days=1.0, k=3.0, emax=0.8)
    arm_of = pd.Series("one", ["p2.0", "p4.0", "p6.0"])
    course = course_of_arms(exposure.trajectories(), arm_of)
    row = course.loc[(course["quantity"] == "dose") & (course["day"] == 3)].iloc[0]
    assert (row["people"], row["p25"], row["median"], row["p75"]) == (3, 3, 4, 5)
    assert course_of_arms(exposure.trajectories(), arm_of, smallest=4).empty


@pytest.fixture(scope="module")
def ctn0030():
    data = ROOT.parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("no copy of the public data at hand")
    dataset = load_dataset(read_declaration(find_declaration("ctn0094", FOLDER)), data)
    people = dataset.tables["people"]
    trial = people.loc[people["project"] == "30", "person"]
    doses = dataset.tables["doses"]
    return doses.loc[doses["person"].isin(trial)], dataset.declaration.content["dose_runs"]


def test_ctn0030_planned_tapers_are_told_apart_from_abrupt_stops(ctn0030):
    doses, rule = ctn0030
    runs = find_dose_runs(doses, rule["gap_days"])
    runs = runs.assign(stop_kind=stop_kinds(runs, rule))
    pace = pace_of(doses, drug("buprenorphine"), gaps="missed", start_steady=False).table
    labels = label_pace(pace, read_strategies())["in_milligrams"]
    both = runs.merge(pace.assign(label=labels), on=["person", "run"])
    assert len(both) == len(runs) == len(pace) == 841
    known = both.loc[both["refused"].isna()]
    # Where the starting dose is the peak, the days are those that were counted by hand.
    same = known.loc[known["start_dose"] == known["peak"]]
    assert len(same) > 500
    np.testing.assert_array_equal(same["days_to_zero"], same["days_from_peak"])
    assert (known.loc[known["stop_kind"] == "abrupt", "label"] == "abrupt").all()
    tapers = known.loc[known["stop_kind"] == "taper"]
    assert (tapers["label"] != "abrupt").all()
    # Phase 1 tapered over two weeks and phase 2 over four: two peaks with little in between.
    days = tapers["days_to_zero"]
    two, between, four = (days.between(*ends).sum() for ends in ((11, 15), (16, 20), (21, 29)))
    assert two > 200
    assert four > 150
    assert between < 40
    assert days[tapers["run"] == 1].median() == 12
    assert days[tapers["run"] == 2].median() == 25
    # No curve is held for buprenorphine, and unknown days are not bridged unless declared.
    assert known["drop_7_days"].isna().all()
    unknown = pace_of(doses, drug("buprenorphine"), start_steady=False).table
    assert unknown["refused"].notna().mean() > both["refused"].notna().mean()
