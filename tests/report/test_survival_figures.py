"""Figures of survival show the tables, say what is missing, and are the same each time."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from discontinuation.estimands.effects import COLUMNS
from discontinuation.report.around import Setting
from discontinuation.report.drawing import save_figure
from discontinuation.report.palette import STRATEGY_COLOURS
from discontinuation.report.survival_figures import (
    CAUSE_COLOURS,
    draw_causes,
    draw_estimates,
    draw_event_free,
    draw_hazards,
)

SETTING = Setting("A made-up trial", synthetic=True, origin="randomisation")
LONG = "Taper with equal steps of occupancy of the transporter over twelve weeks, with visits"
ARMS = pd.DataFrame(
    {
        "arm": ["A", "B", "C"],
        "label": ["Keep going", "Stop at once", LONG],
        "strategy": ["maintain", "abrupt", "taper"],
    }
)
WINDOWS = pd.DataFrame(
    {
        "comparison": ["abrupt vs gradual", "abrupt vs maintain", "gradual vs maintain"],
        "last_change": [84.0, 0.0, 84.0],
        "early_end": [131.0, 47.0, 131.0],
        "horizon": 252.0,
        "randomised": True,
    }
)
GRID = np.arange(0.0, 253, 7)
CAUSES = ("withdrawal", "relapse", "not adjudicated")


def curve(arm, estimand, what, rate):
    share = np.exp(-rate * GRID) if what == "event-free" else rate * GRID
    strategy = ARMS.set_index("arm").loc[arm, "strategy"]
    return pd.DataFrame(
        {
            "estimand": estimand, "arm": arm, "strategy": strategy, "what": what, "time": GRID,
            "probability": share, "se": 0.02, "lower": share - 0.03, "upper": share + 0.03,
            "at_risk": 80.0 - np.floor(GRID / 14),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def curves():
    rates = dict(zip(ARMS["arm"], (0.001, 0.004, 0.002), strict=True))
    parts = [curve(arm, name, "event-free", rate) for name in ("E1", "E7")
             for arm, rate in rates.items()]  # fmt: skip
    parts += [
        curve(arm, name, cause, rate / (3 + place))
        for name in ("E2", "E3")
        for arm, rate in rates.items()
        for place, cause in enumerate(CAUSES)
    ]
    return pd.concat(parts, ignore_index=True)


def row(**cells):
    return {
        "estimand": "E1", "comparison": "abrupt vs maintain", "clock": "randomisation",
        "window_from": 0.0, "window_to": 252.0, "measure": "hazard ratio", "adjusted": "",
        "estimate": 2.0, "lower": 1.25, "upper": 3.2, **cells,
    }  # fmt: skip


@pytest.fixture(scope="module")
def estimates():
    refused = {"estimate": np.nan, "lower": np.nan, "upper": np.nan}
    rows = [
        row(),
        row(adjusted="age", estimate=2.5, lower=1.3, upper=4.8),
        row(window_to=47.0, estimate=7.0, lower=2.5, upper=500.0),
        row(measure="risk difference", estimate=0.321, lower=0.163, upper=0.48),
        row(measure="weighted hazard ratio", estimate=1.9, lower=1.1, upper=3.3),
        row(measure="E-value", estimate=9.9),
        row(estimand="E3", measure="cause-specific hazard ratio", cause="relapse", **refused,
            why_not="the events are separated by arm"),
        row(estimand="E3", measure="cause-specific hazard ratio", cause="withdrawal", estimate=1.7),
        row(estimand="E3", measure="cause-specific hazard ratio", cause="death", estimate=6.5),
        row(clock="last dose change", estimate=0.8, lower=0.4, upper=1.6),
        row(comparison="pace as a continuous exposure", group="per 4 weeks of planned taper",
            estimate=0.81, lower=0.7, upper=0.94),
        row(estimand="E6", comparison="all arms", measure="time in state", **refused,
            why_not="the data do not record states"),
    ]  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


@pytest.fixture(scope="module")
def smoothed():
    parts = [
        pd.DataFrame(
            {"group": arm, "time": GRID, "hazard": level, "lower": level / 2, "upper": level * 2}
        )
        for arm, level in zip(ARMS["arm"], (0.001, 0.004, 0.002), strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def ratios():
    known = pd.DataFrame({"time": GRID[1:], "hazard_ratio": 4 * np.exp(-GRID[1:] / 90)})
    known = known.assign(
        lower=known["hazard_ratio"] / 2, upper=known["hazard_ratio"] * 2,
        comparison="abrupt vs maintain", p_value=0.0123,
    )  # fmt: skip
    refused = {"comparison": "abrupt vs gradual", "why_not": "12 events are too few"}
    return pd.concat([known, pd.DataFrame([refused])], ignore_index=True)


def svg(figure, tmp_path):
    save_figure(figure, tmp_path / "figure.svg", tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    return (tmp_path / "figure.svg").read_text(encoding="utf-8")


def words(text):
    """The words of a figure whose lines are broken, without the marks around them."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_event_free_curves_have_a_panel_per_estimand_and_numbers_at_risk(curves, tmp_path):
    figure = draw_event_free(curves, ARMS, WINDOWS, SETTING)
    panels = [axes for axes in figure.axes if axes.get_title(loc="left").startswith("E")]
    assert [axes.get_title(loc="left") for axes in panels] == [
        "E1: any deterioration",
        "E7: success of stopping",
    ]
    drawn = {
        line.get_color(): line.get_ydata() for line in panels[0].lines if len(line.get_xdata()) > 2
    }
    for arm, strategy in zip(ARMS["arm"], ARMS["strategy"], strict=True):
        mine = curves.loc[(curves["arm"] == arm) & (curves["estimand"] == "E1")]
        np.testing.assert_allclose(drawn[STRATEGY_COLOURS[strategy]], mine["probability"])
    assert panels[0].get_ylim()[0] == 0
    assert panels[0].get_ylim()[1] >= 1
    table = figure.axes[1]
    assert texts(table).count("80") == 3
    assert "76" in texts(table)  # day 56
    text = words(svg(figure, tmp_path))
    for part in (
        "SYNTHETIC DATA", "days since randomisation", "at risk", "Keep going (continued)",
        "Stop at once (stopped abruptly)", "withdrawal window to day 47: abrupt vs maintain",
        "withdrawal window to day 131: abrupt vs gradual, gradual vs maintain", "95 % limits",
    ):  # fmt: skip
        assert part in text
    assert " ".join(LONG.split()[:4]) in text


def test_numbers_that_are_not_in_the_table_are_not_written(curves):
    late = curves.loc[(curves["arm"] != "B") | (curves["time"] < 100)]
    figure = draw_event_free(late.loc[late["estimand"] == "E1"], ARMS, WINDOWS, SETTING)
    table = figure.axes[1]
    colour = STRATEGY_COLOURS["abrupt"]
    places = [text.get_position()[0] for text in table.texts
              if text.get_color() == colour and text.get_text().isdigit()]  # fmt: skip
    assert places
    assert max(places) < 100


def test_windows_are_shaded_to_their_ends(curves):
    figure = draw_event_free(curves, ARMS, WINDOWS, SETTING)
    ends = sorted({patch.get_x() + patch.get_width() for patch in figure.axes[0].patches})
    assert ends == [47, 131]
    figure = draw_event_free(curves, ARMS, WINDOWS.iloc[:0], SETTING)
    assert not figure.axes[0].patches


def test_arms_handled_alike_differ_in_their_lines(curves):
    arms = ARMS.assign(strategy=["taper", "taper", "taper"])
    figure = draw_event_free(curves, arms, WINDOWS, SETTING)
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    assert len({line.get_linestyle() for line in lines}) == 3


def test_causes_are_stacked_up_to_their_sum_and_named_beside(curves, tmp_path):
    figure = draw_causes(curves, ARMS, WINDOWS, SETTING)
    panels = [axes for axes in figure.axes if axes.collections]
    assert len(panels) == 3
    last = curves.loc[(curves["time"] == GRID[-1]) & (curves["estimand"] == "E2")]
    for axes, arm in zip(panels, ARMS["arm"], strict=True):
        mine = last.loc[last["arm"] == arm]
        tops = [path.vertices[:, 1].max() for c in axes.collections for path in c.get_paths()]
        assert max(tops) == pytest.approx(mine["probability"].sum())
        shares = mine.set_index("what")["probability"]
        for cause in CAUSES:
            assert f"{cause} {100 * shares[cause]:.0f} %" in texts(axes)
    text = words(svg(figure, tmp_path))
    for part in ("tapered", "stopped abruptly", "E2: relapse first", "share to whom it happened"):
        assert part in text
    for cause in CAUSES:
        assert CAUSE_COLOURS[cause].lower() in (tmp_path / "figure.svg").read_text().lower()
    tapered = {patch.get_width() for patch in panels[2].patches}
    assert tapered == {131}  # no comparison of the taper has another window


def test_two_arms_are_two_panels_and_e3_stands_in_for_e2(curves, tmp_path):
    only = curves.loc[curves["estimand"] != "E2"]
    figure = draw_causes(only, ARMS.iloc[:2], WINDOWS.iloc[1:2], SETTING)
    assert len([axes for axes in figure.axes if axes.collections]) == 2
    assert "E3: cause-specific hazards" in words(svg(figure, tmp_path))


def test_a_cause_without_a_share_has_no_label(curves):
    none = curves.assign(probability=curves["probability"].where(curves["what"] != "relapse", 0.0))
    figure = draw_causes(none, ARMS, WINDOWS, SETTING)
    assert not any("relapse" in text for text in texts(figure.axes[0]))


def test_hazards_and_ratios_stand_over_each_other(smoothed, ratios, tmp_path):
    figure = draw_hazards(smoothed, ratios, ARMS, WINDOWS, SETTING, method="smoothed with a kernel")
    hazard, known, refused = figure.axes[:3]
    lines = {
        line.get_color(): line.get_ydata() for line in hazard.lines if len(line.get_xdata()) > 2
    }
    assert lines[STRATEGY_COLOURS["abrupt"]][0] == pytest.approx(700 * 0.004)
    assert known.get_yscale() == "log"
    assert any(np.all(np.asarray(line.get_ydata()) == 1) for line in known.lines)
    assert {patch.get_width() for patch in known.patches} == {47}
    assert any("not estimated: 12 events" in text for text in texts(refused))
    text = words(svg(figure, tmp_path))
    for part in (
        "events per 100 people", "hazard ratio (log scale)", "against a constant ratio: p = 0.012",
        "smoothed with a kernel.", "abrupt vs maintain",
    ):  # fmt: skip
        assert part in text


def test_hazards_or_ratios_alone_are_drawn(smoothed, ratios, tmp_path):
    alone = draw_hazards(smoothed, pd.DataFrame(), ARMS, WINDOWS, SETTING)
    assert "Smoothed hazard" in words(svg(alone, tmp_path))
    alone = draw_hazards(pd.DataFrame(), ratios, ARMS, WINDOWS, SETTING)
    assert "Smoothed hazard" not in words(svg(alone, tmp_path))
    refused = ratios.loc[ratios["time"].isna(), ["comparison", "why_not"]]
    alone = draw_hazards(pd.DataFrame(), refused, ARMS, WINDOWS, SETTING)
    assert "too few" in words(svg(alone, tmp_path))


def test_the_forest_prints_every_estimate_and_lists_what_was_refused(estimates, tmp_path):
    text = words(svg(draw_estimates(estimates, SETTING), tmp_path))
    for part in (
        "abrupt vs maintain, since randomisation", "abrupt vs maintain, since last dose change",
        "pace as a continuous exposure", "E1: any deterioration", "day 0 to 47",
        "2.00 (1.25 to 3.20)", "2.50 (1.30 to 4.80)", "7.00 (2.50 to 500)", "1.90 (1.10 to 3.30)",
        "+32.1 (+16.3 to +48.0)", "0.81 (0.70 to 0.94)", "per 4 weeks of planned taper",
        "not estimated [1]", "[1] Not estimated: the events are separated by arm.",
        "[2] Not estimated: the data do not record states (not drawn: E6, all arms",
        "In the table of estimates only: death.", "Adjusted for: age.", "95 % interval",
        "hazard ratio, unadjusted", "hazard ratio, adjusted", "hazard ratio, weighted",
    ):  # fmt: skip
        assert part in text, part
    assert "9.90" not in text  # an E-value is no hazard ratio
    assert "6.50" not in text


def test_the_forest_marks_estimates_where_they_are(estimates):
    figure = draw_estimates(estimates, SETTING)
    _, ratios, differences, _ = figure.axes
    marks = [line for line in ratios.lines if line.get_marker() in "osD" and line.get_marker()]
    values = sorted(float(line.get_xdata()[0]) for line in marks)
    assert values == [0.8, 0.81, 1.7, 1.9, 2.0, 2.5, 7.0]
    assert ratios.get_xscale() == "log"
    assert any(line.get_marker() == ">" for line in ratios.lines)  # 500 leaves the axis
    dots = [line for line in differences.lines if line.get_marker() == "o"]
    assert [float(line.get_xdata()[0]) for line in dots] == [pytest.approx(32.1)]
    filled = {line.get_marker(): line.get_markerfacecolor() for line in marks}
    assert filled["o"] != filled["s"]


def test_without_withdrawal_or_relapse_every_cause_is_drawn(estimates, tmp_path):
    other = estimates.loc[estimates["cause"].isna() | (estimates["cause"] == "death")]
    text = words(svg(draw_estimates(other, SETTING), tmp_path))
    assert "E3: death" in text
    assert "table of estimates only" not in text


def test_nothing_to_draw_says_so(estimates, tmp_path):
    none = pd.DataFrame()
    for figure, said in (
        (draw_event_free(none, ARMS, none, SETTING), "No estimand has a curve"),
        (draw_causes(none, ARMS, none, SETTING), "No curves of the risk of each cause"),
        (draw_hazards(none, none, ARMS, none, SETTING), "No hazard was estimated"),
        (draw_estimates(none, SETTING), "No estimand has a hazard ratio"),
        (draw_estimates(estimates.tail(1), SETTING), "the data do not record states"),
    ):
        assert said in words(svg(figure, tmp_path))


def test_the_same_tables_give_the_same_bytes(curves, estimates, smoothed, ratios, tmp_path):
    drawers = {
        "event_free": lambda: draw_event_free(curves, ARMS, WINDOWS, SETTING),
        "causes": lambda: draw_causes(curves, ARMS, WINDOWS, SETTING),
        "hazards": lambda: draw_hazards(smoothed, ratios, ARMS, WINDOWS, SETTING),
        "estimates": lambda: draw_estimates(estimates, SETTING),
    }
    for name, draw in drawers.items():
        paths = [tmp_path / f"{name}{number}.svg" for number in (1, 2)]
        for path in paths:
            save_figure(draw(), path)
        assert paths[0].read_bytes() == paths[1].read_bytes()
