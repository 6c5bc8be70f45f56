"""Figures of exposure show the computed courses and say what is missing, the same each time."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.exposure.arm_pace import COURSES, course_of_arms
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.parameters import Parameters, parameters_of
from discontinuation.exposure.published_pace import PublishedPace, plausible_pace
from discontinuation.exposure.schedules import (
    STATEMENT,
    alternate_day,
    hyperbolic_by_points,
    linear,
    rounded,
)
from discontinuation.exposure.strategy import read_strategies
from discontinuation.exposure.strengths import Strengths
from discontinuation.exposure.trajectories import exposure_of
from discontinuation.report.around import Setting
from discontinuation.report.drawing import save_figure
from discontinuation.report.exposure_figures import (
    MOST_CASES,
    draw_arms,
    draw_cases,
    draw_published,
    draw_schedule,
)

DRUGS = read_drugs(ROOT / "data" / "reference")
SETTING = Setting("A made-up trial", synthetic=True)
ARMS = pd.DataFrame(
    {
        "arm": ["A", "B", "C"],
        "label": ["Stop at once", "Taper over two weeks", "Nobody"],
        "strategy": ["abrupt", "taper", "maintain"],
    }
)


def drug(name):
    return parameters_of(DRUGS.find(name))


PAROXETINE = drug("paroxetine")


@pytest.fixture(scope="module")
def trajectories():
    people = []
    for number in range(6):
        taper = [0.0, 0.0] if number < 3 else [10.0 - number, 0.0]
        people.append(
            pd.DataFrame(
                {
                    "person": f"p{number}",
                    "start": [-28.0, 0, 14],
                    "stop": [0.0, 14, 60],
                    "dose": [20.0, *taper],
                }
            )
        )
    return exposure_of(
        pd.concat(people), half_life_days=PAROXETINE.half_life_days, k=5.6, emax=0.9714
    ).trajectories()


@pytest.fixture(scope="module")
def arm_of():
    return pd.Series({f"p{number}": "A" if number < 3 else "B" for number in range(6)})


def svg(figure, tmp_path):
    save_figure(figure, tmp_path / "figure.svg", tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    return (tmp_path / "figure.svg").read_text(encoding="utf-8")


def words(text):
    """The words of a figure whose lines are broken, without the marks around them."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_arms_show_median_and_spread_of_dose_occupancy_and_drive(trajectories, arm_of, tmp_path):
    course = course_of_arms(trajectories, arm_of)
    figure = draw_arms(course, ARMS, SETTING, PAROXETINE, 14.0)
    axes = figure.axes
    assert len(axes) == 2 * len(COURSES)
    for place, arm in enumerate(("A", "B")):
        for column, (quantity, factor) in enumerate(zip(COURSES, (1, 100, 1), strict=True)):
            chosen = (course["arm"] == arm) & (course["quantity"] == quantity)
            drawn = axes[3 * place + column].lines[0].get_ydata()
            np.testing.assert_allclose(drawn, factor * course.loc[chosen, "median"])
    assert axes[1].lines[0].get_ydata().max() == pytest.approx(100 * 0.9714 * 20 / 25.6)
    text = words(svg(figure, tmp_path))
    assert "SYNTHETIC DATA" in text
    for part in ("Stop at once", "stopped abruptly", "tapered", "Withdrawal drive w"):
        assert part in text
    assert "Nobody" not in text
    assert "half-life 0.935 days (V)" in text
    assert "adaptation time 14 days: median of its prior (P)" in text


def test_arms_without_an_occupancy_curve_say_why(trajectories, arm_of, tmp_path):
    bare = trajectories.assign(occupancy=np.nan, drive=0.0)
    figure = draw_arms(course_of_arms(bare, arm_of), ARMS, SETTING, drug("buprenorphine"), 14.0)
    text = words(svg(figure, tmp_path))
    assert text.count("not computed: no source for an") == 4
    cases = bare.loc[bare["person"] == "p0"]
    text = words(svg(draw_cases(cases, SETTING, drug("buprenorphine"), 14.0), tmp_path))
    assert text.count("not computed: no source for an") == 2
    none = draw_arms(course_of_arms(bare, arm_of).iloc[:0], ARMS, SETTING, PAROXETINE, 14.0)
    assert "No arm has doses" in words(svg(none, tmp_path))


def test_days_on_which_next_to_nobody_is_known_are_not_drawn(trajectories, arm_of):
    late = trajectories.loc[trajectories["person"] == "p0"].tail(5)
    late = pd.concat([trajectories, late.assign(day=late["day"] + 100)])
    many = course_of_arms(late, arm_of)
    many["people"] = many["people"].where(many["day"] > 60, 30)
    figure = draw_arms(many, ARMS, SETTING, PAROXETINE, 14.0)
    assert max(figure.axes[0].lines[0].get_xdata()) == 60


def test_single_cases(trajectories, tmp_path):
    figure = draw_cases(trajectories, SETTING, PAROXETINE, 14.0)
    assert len(figure.axes) == 6 * len(COURSES)
    mine = trajectories.loc[trajectories["person"] == "p4"]
    np.testing.assert_allclose(figure.axes[14].lines[0].get_ydata(), mine["drive"])
    many = pd.concat([trajectories.assign(person=f"q{n}") for n in range(MOST_CASES + 1)])
    refused = words(svg(draw_cases(many, SETTING, PAROXETINE, 14.0), tmp_path))
    assert "one to 8 people" in refused
    assert "here 9 have one" in refused


def test_a_schedule_shows_dose_occupancy_drive_and_its_statement(tmp_path):
    schedule = rounded(
        hyperbolic_by_points(drug("citalopram"), 20, 0.1, 28), Strengths((10, 20), True, 2.0, 0.1)
    )
    figure = draw_schedule(schedule, "Citalopram in steps of ten points")
    dose, occupancy, drive = figure.axes
    assert dose.lines[0].get_ydata()[:3].tolist() == [20, 8, 4.4]
    assert dose.lines[1].get_ydata()[1] == pytest.approx(8.0988, abs=1e-4)
    steady, course = occupancy.lines
    assert course.get_ydata()[0] == pytest.approx(steady.get_ydata()[0])
    assert course.get_ydata()[-1] == pytest.approx(0, abs=1e-3)
    assert 0.1 < drive.lines[0].get_ydata().max() < 0.2
    text = words(svg(figure, tmp_path))
    assert STATEMENT in text
    assert "before rounding" in text
    assert "citalopram_sert_striatum_sorensen2022 (V2)" in text


def test_a_schedule_of_a_drug_without_a_curve_says_why(tmp_path):
    text = words(svg(draw_schedule(linear(drug("lithium"), 900, 28, 4), "Lithium"), tmp_path))
    assert text.count("no source for an occupancy curve") == 2
    assert STATEMENT in text
    half_known = Parameters(k=3.0, emax=0.8, no_occupancy=None, no_half_life="nobody knows")
    figure = draw_schedule(linear(half_known, 20, 28, 4), "Half known")
    text = words(svg(figure, tmp_path))
    assert text.count("not computed: nobody knows") == 1
    assert figure.axes[1].lines[0].get_ydata()[0] == pytest.approx(100 * 0.8 * 20 / 23)


def test_alternate_days_are_drawn_with_the_steady_occupancy_of_their_mean():
    figure = draw_schedule(alternate_day(drug("citalopram"), 20, 28), "Every second day")
    steady = figure.axes[1].lines[0].get_ydata()
    assert steady[:3].tolist() == pytest.approx(
        [100 * 0.8398 * d / (d + 2.33) for d in (20, 10, 0)]
    )


def test_published_arms_show_every_assumed_schedule(tmp_path):
    arms = pd.DataFrame(
        {
            "study": ["s", "s"],
            "arm": ["four weeks", "two weeks or more"],
            "strategy": ["taper", "taper"],
            "taper_days": [28.0, 14.0],
            "taper_days_lower": [np.nan, 14.0],
            "taper_days_upper": [np.nan, np.nan],
            "formulation": ["oral", "oral"],
        }
    )
    studies = pd.DataFrame({"study": ["s"], "drug": ["citalopram"]})
    found = plausible_pace(arms, studies, DRUGS, read_strategies())
    figure = draw_published(found, "drop_7_days", "largest fall in any 7 days")
    text = words(svg(figure, tmp_path))
    for part in ("s: four weeks", "assumed: equal weekly falls of occupancy", "any 7 days"):
        assert part in text
    drawn = np.concatenate([line.get_xdata() for line in figure.axes[0].lines[1:5]])
    expected = found.schedules.loc[found.schedules["arm"] == "four weeks", "drop_7_days"]
    assert sorted(drawn) == sorted(expected)
    empty = pd.DataFrame()
    nothing = draw_published(PublishedPace(empty, empty, empty), "drop_7_days", "falls")
    assert "No published arm" in words(svg(nothing, tmp_path))


def test_the_same_numbers_give_the_same_bytes(trajectories, arm_of, tmp_path):
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        course = course_of_arms(trajectories, arm_of)
        save_figure(draw_arms(course, ARMS, SETTING, PAROXETINE, 14.0), folder / "a.svg")
        save_figure(draw_schedule(linear(PAROXETINE, 20, 28, 5), "Linear"), folder / "b.svg")
        made.append([(folder / part).read_bytes() for part in ("a.svg", "b.svg")])
    assert made[0] == made[1]
