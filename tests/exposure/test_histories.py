"""From rows of doses to unbroken histories, and what is wrong with rows that are none."""

import numpy as np
import pandas as pd
import pytest

from discontinuation.exposure.histories import arrange_doses, dose_problems
from discontinuation.exposure.trajectories import exposure_of
from discontinuation.problems import InvalidInput

DRUG = {"half_life_days": 1.0, "k": 2.7, "emax": 0.95}


def frame(*rows, **more):
    return pd.DataFrame(rows, columns=["person", "start", "stop", "dose"]).assign(**more)


def messages(doses, **rules):
    return [str(problem) for problem in dose_problems(doses, **rules)]


def test_rows_are_sorted_and_people_keep_their_order():
    found = arrange_doses(frame(("b", 5, 9, 1), ("a", 0, 3, 2), ("b", 0, 5, 4)))
    assert found.people.tolist() == ["b", "a"]
    assert found.first.tolist() == [0, 2, 3]
    assert found.start.tolist() == [0, 5, 0]
    assert found.dose.tolist() == [4, 1, 2]
    assert found.before.tolist() == [4, 2]
    assert found.begins.tolist() == [0, 0]
    assert found.ends.tolist() == [9, 3]
    assert found.person_of_interval.tolist() == ["b", "b", "a"]


def test_units_become_milligrams_a_day():
    rows = [("x", n, n + 1, 70) for n in range(3)]
    found = arrange_doses(frame(*rows, unit=["mg/day", "mg/week", "ug/day"]))
    assert found.dose == pytest.approx([70, 10, 0.07])


def test_gaps_are_refused_missed_or_carried():
    doses = frame(("x", 0, 5, 4), ("x", 8, 10, 2))
    (problem,) = messages(doses)
    assert "row 3" in problem
    assert "nothing is known of the 3 days before" in problem
    missed = arrange_doses(doses, gaps="missed")
    assert list(zip(missed.start, missed.stop, missed.dose, strict=True)) == [
        (0, 5, 4),
        (5, 8, 0),
        (8, 10, 2),
    ]
    carried = arrange_doses(doses, gaps="carried")
    assert carried.stop.tolist() == [8, 10]
    assert not messages(doses, gaps="missed")
    assert "did you mean 'missed'" in messages(doses, gaps="mised")[0]


def test_an_injection_is_not_carried_on():
    doses = frame(("x", 0, 28, 300), ("x", 60, 88, 300), unit="mg/injection")
    (problem,) = messages(doses, gaps="carried", depot=True)
    assert "list the injections" in problem
    missed = arrange_doses(doses, gaps="missed")
    assert missed.bolus.tolist() == [300, 0, 300]
    assert missed.dose.tolist() == [0, 0, 0]
    assert missed.period.tolist() == [28]
    assert missed.mean_dose == pytest.approx([300 / 28, 0, 300 / 28])


def test_dose_before_the_record():
    doses = frame(("a", 0, 5, 0), ("b", 0, 5, 3))
    assert arrange_doses(doses, dose_before=20.0).before.tolist() == [20, 20]
    by_person = {"a": 20.0, "b": 7.5}
    assert arrange_doses(doses, dose_before=by_person).before.tolist() == [20, 7.5]
    assert arrange_doses(doses, dose_before=pd.Series(by_person)).before.tolist() == [20, 7.5]
    assert arrange_doses(doses, start_steady=False).before.tolist() == [0, 0]
    found = messages(doses, dose_before={"a": -1.0})
    assert len(found) == 2
    assert "person b: allowed: a number of 0 or more" in found[1]
    assert "start_steady" in messages(doses, dose_before=20.0, start_steady=False)[0]
    assert len(messages(doses, dose_before="20 mg")) == 2


def test_every_problem_is_named_at_once_with_its_row():
    doses = frame(
        ("a", 0, 5, -2.0),
        ("a", 4, 6, 1.0),
        ("b", 3, 3, 1.0),
        ("b", np.nan, 4, 1.0),
        ("c", 0, 2, np.inf),
        (None, 0, 2, 1.0),
        ("d", 0, 2, 1.0),
        ("d", 5, 7, 1.0),
        unit=["mg/day"] * 4 + ["mg/d", "drops/day", "mg/injection", "mg/day"],
        drug=["citalopram"] * 7 + ["sertraline"],
    )
    with pytest.raises(InvalidInput) as caught:
        exposure_of(
            doses,
            half_life_days=0.0,
            k=-1.0,
            emax=84.0,
            tau_days=np.nan,
            grid="hourly",
            fitted_range=(60, 0),
            reference_day=np.nan,
        )
    text = str(caught.value)
    for expected in (
        "18 problems",
        "doses, row 2, column dose: '-2.0'",
        "row 3, column start: '4': person a: overlaps the interval before by 1 days",
        "row 4, column stop: '3': does not end after its start, 3",
        "row 5, column start: 'nan'",
        "row 6, column dose: 'inf'",
        "row 7, column person",
        "row 6, column unit: 'mg/d': allowed: mg/day, ug/day, mg/week, mg/injection (did you mean",
        "row 7, column unit: 'drops/day': cannot be turned into mg without the strength",
        "row 8, column unit: 'mg/injection': an injection needs the half-life of its release",
        "row 9, column start: '5': person d: nothing is known of the 3 days before",
        "column drug: 'citalopram, sertraline': one drug at a time",
        "column half_life_days: '0.0': allowed: a number greater than 0",
        "column k: '-1.0'",
        "column emax: '84.0': is a share, not a percentage",
        "column tau_days: 'nan'",
        "column grid: 'hourly': allowed: exact, daily",
    ):
        assert expected in text
    assert "Traceback" not in text


def test_missing_columns_text_and_no_rows():
    assert "column dose: this column is missing" in messages(frame().drop(columns="dose"))[0]
    assert messages(frame()) == ["doses: there are no doses"]
    (problem,) = messages(frame(("x", 0, 5, "20 mg")))
    assert "column dose: '20 mg': allowed: a number of 0 or more" in problem
    assert "'0,5'" in messages(frame(("x", "0,5", 5, 20)))[0]


def test_an_interval_inside_a_long_one_overlaps_what_comes_later_too():
    found = messages(frame(("x", 0, 100, 5), ("x", 10, 20, 5), ("x", 50, 120, 5)))
    assert ["row 3" in found[0], "row 4" in found[1]] == [True, True]
    assert "by 50 days" in found[1]


def test_many_rows_are_checked_quickly():
    people = 50_000
    doses = pd.DataFrame(
        {
            "person": np.repeat(np.arange(people), 4),
            "start": np.tile([0.0, 7, 14, 21], people),
            "stop": np.tile([7.0, 14, 21, 28], people),
            "dose": np.tile([15.0, 10, 5, 0], people),
        }
    )
    assert not messages(doses)
    assert len(arrange_doses(doses).people) == people
