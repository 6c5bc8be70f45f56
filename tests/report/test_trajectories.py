"""Figures of symptoms show means, who answered, and the days on which nobody did."""

import numpy as np
import pandas as pd
import pytest

from discontinuation.report.around import Setting
from discontinuation.report.drawing import save_figure
from discontinuation.report.trajectories import draw_single_case, draw_trajectories
from discontinuation.symptoms.single_case import describe_single_case
from discontinuation.symptoms.trajectory import trajectories

SETTING = Setting("A made-up trial", synthetic=True, origin="randomisation")
ARMS = pd.DataFrame(
    {
        "arm": ["t", "q"],
        "label": ["slow taper", "abrupt stop"],
        "strategy": ["taper", "abrupt"],
    }
)


def svg(figure, folder):
    save_figure(figure, folder / "figure.svg")
    return (folder / "figure.svg").read_text(encoding="utf-8")


def found(steps=1, people=12, **options):
    rng = np.random.default_rng(1)
    names = [f"p{n:02d}" for n in range(people)]
    doses = pd.DataFrame(
        [(who, "x", k + 1, 1, 20.0 * k) for who in names for k in range(steps)],
        columns=["person", "drug", "step", "attempt", "day"],
    )
    rows = [
        (who, day, "PHQ-9", "total", 5 + rng.normal())
        for who in names
        for day in (-7.0, 0, 7, 14, *range(20, 20 * steps, 7))
    ]
    return trajectories(
        pd.DataFrame(rows, columns=["person", "day", "instrument", "item", "value"]),
        doses,
        pd.DataFrame({"person": names, "arm": ["t", "q"] * (people // 2)}),
        pd.DataFrame({"person": names, "start": -14.0, "end": 20.0 * steps}),
        **options,
    )


def case(**options):
    rng = np.random.default_rng(2)
    series = pd.DataFrame({"day": np.arange(60.0), "value": rng.normal(3, 1, 60)}).drop(
        index=[7, 8]
    )
    doses = pd.DataFrame(
        {"person": "a", "drug": "x", "start": [0.0, 20, 40], "stop": [20.0, 40, 60],
         "dose": [20.0, 10, 0], "unit": "mg/day"}
    )  # fmt: skip
    return describe_single_case(series, doses, (0, 59), **options)


def test_each_cell_says_how_many_of_those_followed_answered(tmp_path):
    course = found(bins=[-14, 0, 7, 14, 21])
    text = svg(draw_trajectories(course, ARMS, SETTING, {"PHQ-9 total": "depression"}), tmp_path)
    for words in ("slow taper", "abrupt stop", "depression", "6/6", "days since the dose step"):
        assert words in text
    assert "95 % t interval" in text
    assert "SYNTHETIC DATA" in text


def test_days_without_any_answer_are_drawn_as_such(tmp_path):
    text = svg(draw_trajectories(found(), ARMS, SETTING, {}), tmp_path)
    assert ">0/6<" in text or ">0<" in text
    assert "nobody" in text


def test_steps_stand_side_by_side_and_too_many_are_said_to_be_left_out(tmp_path):
    text = svg(draw_trajectories(found(3), ARMS, SETTING, {}), tmp_path)
    for number in (1, 2, 3):
        assert f"step {number}" in text
    text = svg(draw_trajectories(found(12, people=2), ARMS, SETTING, {}), tmp_path)
    assert "the first 10 of 12 steps" in text
    assert "step 11" not in text


def test_counts_that_a_report_hides_are_not_worked_out_again(tmp_path):
    course = found(bins=[-14, 0, 7, 14, 21])
    course.summary["n_shown"] = "few"
    text = svg(draw_trajectories(course, ARMS, SETTING, {}), tmp_path)
    assert ">few<" in text
    assert ">6/6<" not in text


def test_two_arms_of_one_strategy_have_two_colours(tmp_path):
    same = ARMS.assign(strategy="taper")
    text = svg(draw_trajectories(found(), same, SETTING, {}), tmp_path)
    assert "#009e73" in text
    assert "#0072b2" in text


def test_steps_without_arms_are_all_arms_together(tmp_path):
    assert "all arms" in svg(draw_trajectories(found(by=["step"]), ARMS, SETTING, {}), tmp_path)


def test_nothing_to_draw_is_said():
    course = found()
    course.summary["n_people"] = 0
    assert (
        "No symptom was rated"
        in draw_trajectories(course, ARMS, SETTING, {}).axes[0].texts[0].get_text()
    )
    assert "No symptom" in draw_single_case({}, "x", SETTING).axes[0].texts[0].get_text()


def test_single_case_shows_doses_symptoms_and_missing_days(tmp_path):
    figure = draw_single_case({"worry": case(), "sleep": case(bandwidth=10)}, "drug x", SETTING)
    text = svg(figure, tmp_path)
    for words in ("drug x", "mg/day", "worry", "sleep", "58 of 60 planned answers, 2 missing"):
        assert words in text
    assert "autocorrelation over 1 day" in text
    rug = [line for line in figure.axes[1].lines if line.get_marker() == "|"]
    assert rug[0].get_xdata().tolist() == [7, 8]


@pytest.mark.parametrize("draw", ["trajectories", "single case"])
def test_same_figure_same_bytes(tmp_path, draw):
    def make():
        if draw == "trajectories":
            return draw_trajectories(found(2), ARMS, SETTING, {})
        return draw_single_case({"worry": case()}, "drug x", SETTING)

    (tmp_path / "again").mkdir()
    for folder in (tmp_path, tmp_path / "again"):
        save_figure(make(), folder / "figure.svg", folder / "figure.png")
    assert (tmp_path / "figure.svg").read_bytes() == (
        tmp_path / "again" / "figure.svg"
    ).read_bytes()
    assert (tmp_path / "figure.png").read_bytes() == (
        tmp_path / "again" / "figure.png"
    ).read_bytes()
