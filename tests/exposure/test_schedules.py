"""Schedules are what their names say, before and after rounding to what can be made."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.pace import pace_of
from discontinuation.exposure.parameters import Parameters, parameters_of
from discontinuation.exposure.schedules import (
    STATEMENT,
    alternate_day,
    cut_and_hold,
    exponential,
    free_form,
    hyperbolic,
    hyperbolic_by_points,
    linear,
    micro,
    rounded,
)
from discontinuation.exposure.strengths import Strengths
from discontinuation.problems import InvalidInput

DRUGS = read_drugs(ROOT / "data" / "reference")


def drug(name, curve=None):
    return parameters_of(DRUGS.find(name), curve)


CITALOPRAM = drug("citalopram")
WITH_CURVE = [found.name for found in DRUGS if found.curve() is not None]


@pytest.mark.parametrize("name", WITH_CURVE)
def test_equal_occupancy_steps_are_equal_to_1e_9(name):
    known = drug(name)
    start = 2 * (known.minimum_effective_dose or 10.0)
    table = hyperbolic(known, start, 84, 13).table()
    drop = table["drop"].to_numpy()
    np.testing.assert_allclose(drop, known.occupancy(np.array(start)) / 13, rtol=0, atol=1e-9)
    assert table["dose"].iloc[-1] == 0
    assert table["day"].tolist() == pytest.approx(np.arange(0, 85, 7))


def test_citalopram_in_ten_points_is_the_published_example():
    # Domain 5.3, worked out from the pooled curve.
    table = hyperbolic_by_points(CITALOPRAM, 20, 0.1, 28).table()
    np.testing.assert_allclose(
        table["dose"], [8.1, 4.5, 2.7, 1.7, 1.0, 0.52, 0.15, 0], rtol=0, atol=0.05
    )
    np.testing.assert_allclose(
        100 * table["occupancy"], [65, 55, 45, 35, 25, 15, 5, 0], rtol=0, atol=0.5
    )


def test_the_inverse_gives_the_published_doses():
    # Domain 4.2: doses for 80 to 10 % by the default curves, to their last printed digit.
    printed = {
        "citalopram": "46.8 11.7 5.83 3.43 2.12 1.29 0.73 0.31",
        "paroxetine": "26.1 14.4 9.05 5.94 3.92 2.50 1.45 0.64",
        "sertraline": "51.4 24.6 14.5 9.19 5.94 3.73 2.14 0.94",
        "venlafaxine": "46.1 20.2 11.6 7.24 4.63 2.90 1.66 0.72",
        "vortioxetine": "16.8 10.2 6.65 4.48 3.01 1.94 1.14 0.51",
    }
    for name, doses in printed.items():
        computed = drug(name).dose_for(np.arange(0.8, 0.05, -0.1))
        for dose, text in zip(computed, doses.split(), strict=True):
            last_digit = 10.0 ** -len(text.partition(".")[2])
            assert dose == pytest.approx(float(text), abs=0.501 * last_digit)
    assert np.isnan(CITALOPRAM.dose_for(0.9))


def test_halving_risperidone_takes_the_published_points():
    # Domain 4.3: 8 to 0.125 mg by halves.
    table = cut_and_hold(drug("risperidone"), 8, 0.5, 90, 0.125).table()
    assert table["dose"].tolist() == [4, 2, 1, 0.5, 0.25, 0.125, 0]
    points = [6.9, 10.8, 14.4, 15.6, 13.3, 9.4, 12.3]
    np.testing.assert_allclose(100 * table["drop"], points, rtol=0, atol=0.06)
    # Cutting by a quarter every three months: about 5 points each in the therapeutic range.
    quarter = cut_and_hold(drug("risperidone"), 6, 0.25, 90, 3).table()
    assert (quarter["drop"].iloc[:-1] < 0.06).all()


def test_protocol_arms_of_a_registered_trial():
    # NCT07393919: 50 % of the minimum effective dose every two weeks, or 20 to 25 % each time.
    sertraline = drug("sertraline")
    in_mg = linear(sertraline, 150, 70, 6)
    assert in_mg.changes["dose"].tolist() == pytest.approx([125, 100, 75, 50, 25, 0])
    assert in_mg.changes["day"].tolist() == [0, 14, 28, 42, 56, 70]
    shares = cut_and_hold(sertraline, 150, 0.25, 14, 5).table()["share_of_previous"]
    assert shares.iloc[:-1].tolist() == pytest.approx([0.25] * (len(shares) - 1))


def test_daily_strips_are_exponential():
    # Van Os and Groot: 4.5 % of the previous dose per day.
    daily = cut_and_hold(drug("venlafaxine"), 75, 0.045, 1, 1.0)
    assert pace_of(daily.doses(), daily.drug).table["shape"].iloc[0] == "exponential"
    per_week = 1 - (1 - 0.045) ** 7
    weekly = daily.changes["dose"].iloc[7] / daily.changes["dose"].iloc[0]
    assert weekly == pytest.approx(1 - per_week)
    days = len(daily.changes) - 1
    same = exponential(drug("venlafaxine"), 75, days, days + 1, 75 * 0.955**days)
    np.testing.assert_allclose(same.changes["dose"], daily.changes["dose"], rtol=1e-9)


@settings(max_examples=50, deadline=None)
@given(
    st.floats(0.5, 60), st.floats(7, 700), st.integers(2, 30), st.floats(0.3, 20), st.floats(0.5, 1)
)
def test_every_kind_starts_at_the_dose_ends_at_zero_and_only_falls(start, days, steps, k, emax):
    known = Parameters(half_life_days=1.0, k=k, emax=emax, no_half_life=None, no_occupancy=None)
    made = [
        linear(known, start, days, steps),
        hyperbolic(known, start, days, steps),
        exponential(known, start, days, steps, start / 50),
        cut_and_hold(known, start, 0.3, days / steps, start / 50),
        hyperbolic_by_points(known, start, 0.07, days / steps),
    ]
    for schedule in made:
        dose = np.append(schedule.start_dose, schedule.changes["dose"])
        assert (np.diff(dose) < 0).all()
        assert (dose[0], dose[-1]) == (start, 0)
        table = schedule.table()
        total = float(known.occupancy(np.array(start)))
        assert table["drop"].sum() == pytest.approx(total)
        assert schedule.days == pytest.approx(table["day"].iloc[-1])
        assert (table["statement"] == STATEMENT).all()
        assert "not advice" in schedule.statement


def test_shapes_are_recognised():
    for schedule, shape, index in (
        (linear(CITALOPRAM, 20, 56, 9), "linear", 0.0),
        (hyperbolic(CITALOPRAM, 20, 56, 9), "hyperbolic", 1.0),
        (micro(CITALOPRAM, 20, 90), "hyperbolic", 1.0),
        (exponential(CITALOPRAM, 20, 56, 9, 0.5), "exponential", None),
    ):
        row = pace_of(schedule.doses(), schedule.drug).table.iloc[0]
        assert row["shape"] == shape
        if index is None:
            assert 0 < row["hyperbolicity"] < 1
        else:
            assert row["hyperbolicity"] == pytest.approx(index, abs=1e-9)
        assert row["days_to_zero"] == schedule.days
        assert row["steps"] == len(schedule.changes)
    two = linear(CITALOPRAM, 20, 28, 2)
    assert pace_of(two.doses(), two.drug).table["shape"].iloc[0] is None


def test_alternate_days():
    schedule = alternate_day(CITALOPRAM, 20, 28)
    doses = schedule.doses()
    taken = doses.loc[(doses["dose"] > 0) & (doses["start"] >= 0)]
    assert taken["start"].tolist() == list(range(1, 28, 2))
    assert ((taken["stop"] - taken["start"]) == 1).all()
    table = schedule.table()
    assert table["dose"].tolist() == [10, 0]
    assert table["day"].tolist() == [0, 28]
    growing = alternate_day(CITALOPRAM, 20, 60, 4)
    assert growing.table()["dose"].tolist() == pytest.approx([10, 20 / 3, 5, 0])
    with pytest.raises(InvalidInput, match="12 or more"):
        alternate_day(CITALOPRAM, 20, 9, 4)


def test_free_form_is_the_record_of_kossakowski():
    days = [0, 6, 13, 20, 27, 34, 41, 48, 55]
    levels = [105, 73, 51, 37, 25, 18, 12, 9, 0]
    schedule = free_form(drug("venlafaxine"), 150, pd.DataFrame({"day": days, "dose": levels}))
    table = schedule.table()
    assert table["share_of_previous"].iloc[:-1].median() == pytest.approx(0.30, abs=0.005)
    assert schedule.days == 55
    again = pd.DataFrame({"day": [0, 5, 10], "dose": [10, 10, 0]})
    assert len(free_form(CITALOPRAM, 20, again).changes) == 2


def test_every_problem_of_a_free_form_is_named():
    table = pd.DataFrame({"day": [0, 5, 5, "x"], "dose": [10, -1, "much", 0]})
    with pytest.raises(InvalidInput) as refused:
        free_form(CITALOPRAM, -20, table)
    text = str(refused.value)
    for part in ("start_dose", "row 3, column dose", "row 4, column dose", "row 5, column day"):
        assert part in text
    assert "does not come after the day before" in text
    with pytest.raises(InvalidInput, match="column day: this column is missing"):
        free_form(CITALOPRAM, 20, pd.DataFrame({"dose": [1]}))
    with pytest.raises(InvalidInput, match="the dose never changes"):
        free_form(CITALOPRAM, 20, pd.DataFrame({"day": [0], "dose": [20]}))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: linear(CITALOPRAM, 20, 4000, 5), "ten years"),
        (lambda: linear(CITALOPRAM, 20, -1, 5), "0 to 3650"),
        (lambda: linear(CITALOPRAM, 0, 28, 5), "greater than 0"),
        (lambda: linear(CITALOPRAM, 20, 28, 1), "one step is a stop on one day"),
        (lambda: linear(CITALOPRAM, 20, 0, 3), "several steps need more than 0 days"),
        (lambda: linear(CITALOPRAM, 20, 28, 0), "from 1 to 2000"),
        (lambda: exponential(CITALOPRAM, 20, 28, 5, 20), "below the starting dose"),
        (lambda: cut_and_hold(CITALOPRAM, 20, 1.5, 7, 1), "up to 1"),
        (lambda: cut_and_hold(CITALOPRAM, 20, 0.001, 7, 1e-9), "ten years"),
        (lambda: micro(CITALOPRAM, 20, 10.5), "whole days"),
        (lambda: hyperbolic(drug("lithium"), 600, 28, 5), "no source for an occupancy curve"),
        (lambda: alternate_day(CITALOPRAM, 20, 28, 1), "2 or more"),
    ],
)
def test_numbers_that_make_no_schedule_are_refused(make, words):
    with pytest.raises(InvalidInput, match=words):
        make()


def test_a_stop_on_one_day_is_a_schedule_of_one_step():
    schedule = linear(CITALOPRAM, 20, 0, 1)
    assert schedule.changes[["day", "dose"]].to_numpy().tolist() == [[0, 0]]
    assert schedule.days == 0


def test_rounding_shows_what_it_did_to_each_step():
    schedule = hyperbolic_by_points(CITALOPRAM, 20, 0.1, 28)
    liquid = rounded(schedule, Strengths((10, 20), True, 2.0, 0.1)).table()
    assert liquid["dose"].tolist() == pytest.approx([8, 4.4, 2.8, 1.6, 1.0, 0.6, 0.2, 0])
    assert liquid["made_of"].iloc[0] == "½ × 10 mg + 1.5 ml"
    np.testing.assert_allclose(liquid["wanted_drop"].iloc[:-1], 0.1, atol=1e-9)
    assert (liquid["drop"] - liquid["wanted_drop"]).abs().max() > 0.01
    assert liquid["drop"].sum() == pytest.approx(liquid["wanted_drop"].sum())
    tablets = rounded(schedule, Strengths((10, 20), True)).table()
    assert tablets["dose"].tolist() == [10, 5, 5, 5, 5, 5, 5, 0]
    assert tablets["same_as_before"].tolist() == [False, False, True, True, True, True, True, False]
    # With half of the smallest tablet as the last dose, the last step takes 57 points.
    assert 100 * tablets["drop"].iloc[-1] == pytest.approx(57.3, abs=0.05)
    with pytest.raises(InvalidInput, match="nearest that can is 25 mg"):
        rounded(replace(schedule, start_dose=23.0), Strengths((10,), True))


def brute(strengths, dose):
    """Nearest dose by trying every combination."""
    units = [
        s * part for s in strengths.tablets for part in ((1, 0.5) if strengths.halved else (1,))
    ]
    limits = [range(int(dose // unit) + 3) for unit in units]
    sums = {sum(n * u for n, u in zip(ns, units, strict=True)) for ns in product(*limits)}
    if strengths.liquid:
        step = strengths.liquid * strengths.smallest_volume
        sums = {s + n * step for s in sums for n in range(int(dose / step) + 3)}
    return min((round(abs(s - dose), 9), -round(s, 9)) for s in sums if s > 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([2.5, 5.0, 10.0, 12.5]), min_size=0, max_size=2, unique=True),
    st.booleans(),
    st.sampled_from([None, 0.5, 1.0, 2.0]),
    st.floats(0.01, 30).map(lambda x: round(x, 3)),
)
def test_no_combination_comes_nearer(tablets, halved, liquid, dose):
    if not tablets and liquid is None:
        return
    volume = None if liquid is None else 0.5
    strengths = Strengths(tuple(tablets), halved and bool(tablets), liquid, volume)
    made = strengths.nearest(dose)
    assert (round(abs(made.dose - dose), 9), -round(made.dose, 9)) == brute(strengths, dose)
    total = sum(strength * number for strength, number in made.tablets)
    assert total + made.millilitres * (liquid or 0) == pytest.approx(made.dose)
    assert made.dose in strengths.doses_up_to(made.dose)


def test_reachable_doses():
    assert Strengths((10, 20), True).doses_up_to(30) == [0, 5, 10, 15, 20, 25, 30]
    assert Strengths((10, 20)).doses_up_to(35) == [0, 10, 20, 30]
    assert Strengths((), False, 2.0, 0.5).doses_up_to(3) == [0, 1, 2, 3]
    assert str(Strengths((37.5, 75)).nearest(150)) == "2 × 75 mg"
    assert str(Strengths((5,)).nearest(0)) == "nothing"


def test_impossible_strengths_are_refused_all_at_once():
    with pytest.raises(InvalidInput) as refused:
        Strengths((0, -5), False, 2.0)
    assert len(refused.value.problems) == 3
    for wrong in ({}, {"liquid": 1.0, "smallest_volume": 0.1, "halved": True}):
        with pytest.raises(InvalidInput):
            Strengths(**wrong)
    with pytest.raises(InvalidInput, match="too fine"):
        Strengths((0.001,)).nearest(500)
