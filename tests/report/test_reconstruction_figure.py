"""The overlay shows what was clicked, what was reconstructed, and both risk tables."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from discontinuation.report.drawing import save_figure
from discontinuation.report.reconstruction_figure import MOST_POINTS, draw_reconstruction
from discontinuation.synthesis import reconstruct

CLICKS = pd.DataFrame({"time": [2.0, 5.0, 9.0, 20.0], "survival": [0.9, 0.8, 0.7, 0.7]})
TABLE = pd.DataFrame({"time": [0, 6, 12], "at_risk": [40, 31, 25]})


@pytest.fixture
def arms():
    steep = CLICKS.assign(survival=[0.7, 0.5, 0.4, 0.4])
    return {
        "continued": reconstruct(CLICKS, TABLE),
        "stopped <at once>": reconstruct(steep, TABLE.assign(at_risk=[40, 20, 12]), events=36),
    }


def text_of(figure, tmp_path):
    path = tmp_path / "figure.svg"
    save_figure(figure, path)
    return path.read_text(encoding="utf-8")


def test_both_tables_stand_beneath_one_another(arms, tmp_path):
    svg = text_of(draw_reconstruction(arms, "weeks", "A made-up trial"), tmp_path)
    for words in ("A made-up trial", "time (weeks)", "Numbers at risk", "share without the event",
                  "continued, printed", "continued, reconstructed", "continued: reconstructed, acc",
                  "rejected: not to be analysed", "stopped &lt;at once&gt;, printed"):  # fmt: skip
        assert words in svg
    assert len(re.findall(">31<", svg)) == 2


def test_the_curve_drawn_is_that_of_the_people(arms):
    upper, _ = draw_reconstruction({"continued": arms["continued"]}).axes
    curve, points = upper.lines
    survival = arms["continued"].curve["survival"].tolist()
    assert curve.get_ydata().tolist() == [*survival, survival[-1]]
    assert points.get_xdata().tolist() == CLICKS["time"].tolist()
    assert points.get_ydata().tolist() == CLICKS["survival"].tolist()


def test_numbers_that_differ_are_bold_and_always_shown(arms):
    arm = arms["continued"]
    table = arm.risk_table.copy()
    table.loc[1, "reconstructed"] -= 2
    object.__setattr__(arm, "risk_table", table)
    _, lower = draw_reconstruction({"continued": arm}).axes
    bold = {t.get_text() for t in lower.texts if t.get_fontweight() == "bold"}
    assert bold == {"31", "29", "Numbers at risk"}


def test_many_points_are_thinned_and_said(tmp_path):
    many = pd.DataFrame({"time": range(1, 1001), "survival": 0.9})
    figure = draw_reconstruction({"a": reconstruct(many, TABLE)})
    assert len(figure.axes[0].lines[1].get_xdata()) <= MOST_POINTS
    assert "every 7th shown" in text_of(figure, tmp_path)


def test_the_same_bytes_every_time(arms, tmp_path):
    first, second = (text_of(draw_reconstruction(arms), tmp_path) for _ in range(2))
    assert first == second
    assert "No arm was reconstructed" in text_of(draw_reconstruction({}), tmp_path)
