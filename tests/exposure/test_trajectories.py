"""What an exposure tells, what it does not know, and what it refuses."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pytest

from discontinuation.exposure.trajectories import exposure_of
from discontinuation.problems import InvalidInput

DRUG = {"half_life_days": 1.0, "k": 2.7, "emax": 0.95}
# Olanzapine: 30 d apparent half-life of the pamoate depot (domain 3.2, V) with a moiety of 30 h.
DEPOT = {"half_life_days": 1.3, "k": 3.2, "emax": 0.92, "release_half_life_days": 30.0}
COLUMNS = ["dose", "level", "occupancy", "retained", "protection_lost", "set_point", "drive"]


def frame(*rows, **more):
    return pd.DataFrame(rows, columns=["person", "start", "stop", "dose"]).assign(**more)


def injections(last, until):
    """300 mg every 28 days, the last on a day, then nothing."""
    days = np.arange(-84.0, last + 1, 28.0)
    rows = [("depot", day, day + 28, 300.0) for day in days]
    doses = frame(*rows, unit="mg/injection")
    return pd.concat([doses, frame(("depot", days[-1] + 28, until, 0.0), unit="mg/day")])


def test_trajectories_hold_every_whole_day_of_each_record():
    taken = exposure_of(
        frame(("a", -2.5, 3.2, 20), ("b", 0, 2, 20), ("b", 2, 4, 0), ("c", 1, 2, 5)), **DRUG
    )
    found = taken.trajectories()
    assert found.columns.tolist() == ["person", "day", *COLUMNS, "extrapolated"]
    days = found.groupby("person", sort=False)["day"].apply(list)
    assert days["a"] == [-2, -1, 0, 1, 2, 3]
    assert days["b"] == [0, 1, 2, 3, 4]
    assert days["c"] == [1, 2]
    assert not found.isna().any(axis=None)
    stopped = found[found["person"] == "b"]
    assert stopped["dose"].tolist() == [20, 20, 20, 0, 0]  # up to that moment
    assert stopped["level"].to_numpy() == pytest.approx([20, 20, 20, 10, 5])
    assert stopped["protection_lost"].to_numpy() == pytest.approx(1 - stopped["retained"])


def test_nothing_is_told_outside_the_record():
    taken = exposure_of(frame(("a", 0, 5, 20), ("b", 0, 9, 0)), **DRUG, dose_before=20.0)
    found = taken.at([-1, 5, 6, 9, 10])
    known = np.isfinite(found.drive).tolist()
    assert known == [[False, True, False, False, False], [False, True, True, True, False]]
    assert np.isnan(found.level[0, 2])
    total = taken.integral(2.0, 0.0, 7.0)
    assert np.isnan(total["a"])
    assert total["b"] > 0
    assert np.isnan(taken.integral(2.0, -1.0, 3.0)).all()
    assert np.isfinite(taken.integral(2.0, 0.0, [5.0, 9.0])).all()


def test_times_may_differ_between_people_and_come_in_any_order():
    taken = exposure_of(frame(("a", 0, 50, 0), ("b", 0, 50, 0)), **DRUG, dose_before=20.0)
    each = taken.at([[9, 2, 2, 30], [1, 0, 9, 2]])
    assert each.times.tolist() == [[9, 2, 2, 30], [1, 0, 9, 2]]
    assert each.drive[0, 0] == pytest.approx(each.drive[1, 2], rel=1e-12)
    assert each.drive[0, 1] == each.drive[0, 2] == pytest.approx(each.drive[1, 3], rel=1e-12)
    assert taken.at(2).drive.shape == (2, 1)
    for wrong in ([[1, 2], [1, 2], [1, 2]], [np.nan], [[[1.0]]]):
        with pytest.raises(InvalidInput, match="for each of the 2 people"):
            taken.at(wrong)


def test_a_new_drug_accumulates_and_what_is_new_is_not_yet_adapted_to():
    taken = exposure_of(frame(("x", -10, 0, 20), ("x", 0, 60, 0)), **DRUG, start_steady=False)
    before = taken.at([-10, -9, -8, 0])
    assert before.level[0] == pytest.approx(20 * (1 - 0.5 ** np.array([0, 1, 2, 10])))
    assert before.set_point[0, 0] == 0
    assert before.retained[0, 3] == 1
    assert 0 < before.set_point[0, 3] < 0.6
    assert (before.drive == 0).all()
    long = exposure_of(frame(("x", 0, 60, 0)), **DRUG, dose_before=20.0)
    assert taken.integral(1.0).iloc[0] < 0.6 * long.integral(1.0).iloc[0]


def test_a_missed_week_pulls_and_then_no_longer():
    doses = frame(("x", 0, 30, 20), ("x", 37, 90, 20))
    taken = exposure_of(doses, **DRUG, gaps="missed")
    found = taken.at([29, 34, 37, 45, 90])
    assert found.retained[0] == pytest.approx([1, 0.36, 0.06, 1, 1], abs=0.02)
    assert (found.drive[0] > 0).tolist() == [False, True, True, False, False]
    never = exposure_of(doses, **DRUG, gaps="carried")
    assert (never.at(np.arange(90)).drive == 0).all()


def test_a_depot_tapers_itself():
    """Domain 0.2, trap 7: the last injection is not an abrupt stop at the receptor."""
    depot = exposure_of(injections(-28.0, 900.0), **DEPOT, reference_day=-28.0)
    oral = exposure_of(
        frame(("oral", -28, 0, 300 / 28), ("oral", 0, 900, 0)),
        **{**DEPOT, "release_half_life_days": None},
        reference_day=-28.0,
    )
    days = np.arange(-28, 300.0)
    slow, fast = depot.at(days).retained[0], oral.at(days).retained[0]

    def days_from_90_to_10_percent(retained):
        return days[np.argmax(retained < 0.1)] - days[np.argmax(retained < 0.9)]

    assert days_from_90_to_10_percent(fast) < 8
    assert days_from_90_to_10_percent(slow) > 90
    assert (slow[:-7] - slow[7:]).max() < 0.1 < 0.7 < (fast[:-7] - fast[7:]).max()
    # What is seen in the end is the slower of release and elimination (flip-flop).
    late = depot.at([400.0, 430.0, 460.0]).level[0]
    assert late[1:] / late[:-1] == pytest.approx(0.5, rel=1e-6)
    assert depot.integral(2.0, 0.0).iloc[0] < 0.4 * oral.integral(2.0, 0.0).iloc[0]


def test_injections_in_rhythm_give_back_their_mean_dose():
    taken = exposure_of(injections(140.0, 200.0), **DEPOT)
    cycle = taken.at(np.linspace(28, 56, 2001)).level[0]
    assert cycle[0] == pytest.approx(cycle[-1], rel=1e-12)  # steady from the first day on
    assert np.trapezoid(cycle, dx=28 / 2000) / 28 == pytest.approx(300 / 28, rel=1e-6)
    assert taken.at(0.0).dose[0, 0] == pytest.approx(300 / 28)
    assert taken.at(-84.0).level[0, 0] == pytest.approx(cycle[0], rel=1e-12)


def test_without_occupancy_parameters_only_doses_are_described():
    taken = exposure_of(frame(("x", 0, 10, 0)), half_life_days=1.0, dose_before=20.0, emax=0.9)
    assert taken.occupancy_refused == "occupancy cannot be computed: k unknown for this drug"
    found = taken.trajectories()
    assert found["level"].to_numpy() == pytest.approx(20 * 0.5 ** found["day"].to_numpy())
    assert found[COLUMNS[2:]].isna().all(axis=None)
    assert not found["dose"].isna().any()
    with pytest.raises(InvalidInput, match="k unknown for this drug"):
        taken.integral(2.0)


@pytest.mark.parametrize("grid", ["exact", "daily"])
def test_doses_outside_the_fitted_range_are_computed_and_flagged(grid):
    doses = frame(("a", 0, 5, 80), ("a", 5, 20, 40), ("b", 0, 20, 30))
    taken = exposure_of(doses, **DRUG, fitted_range=(0, 60), grid=grid)
    (row,) = taken.outside_fitted_range().to_dict("records")
    assert row == {"person": "a", "start": 0, "stop": 5, "dose": 80}
    found = taken.trajectories()
    flagged = found.loc[found["extrapolated"], ["person", "day"]]
    assert flagged.to_numpy().tolist() == [["a", day] for day in range(6)]  # then 60 mg
    assert not found["occupancy"].isna().any()
    assert exposure_of(doses, **DRUG).outside_fitted_range().empty


def test_someone_who_takes_none_at_the_reference_day_is_named():
    doses = frame(("a", 0, 5, 0), ("b", -90, -60, 20), ("b", -60, 5, 0), ("c", -9, -5, 20))
    with pytest.raises(InvalidInput) as caught:
        exposure_of(doses, **DRUG)
    text = str(caught.value)
    assert "3 problems" in text
    assert "person a: takes none of the drug at the reference day" in text
    assert "person b: takes none" in text
    assert "person c: the record ends before the reference day" in text
    level = exposure_of(doses, half_life_days=1.0)  # levels need no reference
    assert level.at(0.0).level[0, 0] == 0


def test_the_reference_day_is_where_retained_occupancy_is_whole():
    doses = frame(("x", -14, 0, 10), ("x", 0, 30, 0))
    late = exposure_of(doses, **DRUG, dose_before=20.0)
    early = exposure_of(doses, **DRUG, dose_before=20.0, reference_day=-14.0)
    assert late.at(0.0).retained[0, 0] == early.at(-14.0).retained[0, 0] == 1
    assert late.at(-14.0).retained[0, 0] > 1
    ratio = late.at([0, 9]).drive / early.at([0, 9]).drive
    assert ratio[0] == pytest.approx(late.at(-14.0).retained[0, 0])
    begins_later = exposure_of(frame(("x", 3, 30, 0)), **DRUG, dose_before=20.0)
    assert begins_later.at(3.0).retained[0, 0] == 1


def test_other_parameters_on_the_same_doses():
    taken = exposure_of(frame(("x", 0, 900, 0)), **DRUG, dose_before=20.0)
    slow = replace(taken, drug=replace(taken.drug, tau_days=28.0))
    assert slow.integral(1.0).iloc[0] == pytest.approx(28.0, rel=1e-8)
    assert taken.integral(1.0).iloc[0] == pytest.approx(14.0, rel=1e-8)
    with pytest.raises(FrozenInstanceError):
        taken.grid = "daily"
    with pytest.raises(InvalidInput, match="half_life_days"):
        replace(taken.drug, half_life_days=-1.0)


def test_the_daily_grid_stands_still_within_a_day():
    taken = exposure_of(
        frame(("x", -2.5, 20.5, 0)), **DRUG, dose_before=20.0, grid="daily", reference_day=-3.0
    )
    found = taken.at([-2.5, 0.25, 0.75, 1.0, 20.0, 20.25])
    assert found.drive[0, 0] == 0
    assert found.drive[0, 1] == found.drive[0, 2] == found.drive[0, 3]
    assert np.isnan(found.drive[0, 5])  # the day is not known to its end
    assert np.isnan(taken.integral(1.0).iloc[0])
    assert taken.integral(1.0, 0.0, 20.0).iloc[0] > 0
    half = taken.integral(2.0, 0.0, 0.5).iloc[0]
    assert half == pytest.approx(found.drive[0, 1] ** 2 / 2)
    with pytest.raises(InvalidInput, match="a whole one on the daily grid"):
        exposure_of(frame(("x", 0, 5, 3)), **DRUG, grid="daily", reference_day=0.5)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ((0.0,), "column kappa: '0.0'"),
        ((np.nan,), "column kappa"),
        ((1.0, 5.0, 2.0), "ends before it starts"),
        ((1.0, 0.0, np.inf), "column stop"),
        ((1.0, [0.0, 1.0]), "one for each of the 1 people"),
    ],
)
def test_questions_without_an_answer(question, message):
    taken = exposure_of(frame(("x", 0, 10, 20)), **DRUG)
    with pytest.raises(InvalidInput) as caught:
        taken.integral(*question)
    assert message in str(caught.value)
