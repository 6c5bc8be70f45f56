"""Figures of audits show every judgement, set domain W apart, and refuse what does not add up."""

import re

import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.audit.answers import read_audits
from discontinuation.audit.judgements import judge_audits
from discontinuation.problems import InvalidInput
from discontinuation.report.audit_figures import (
    draw_flow,
    draw_judgement_bars,
    draw_traffic_lights,
)
from discontinuation.report.drawing import save_figure

FLOW = {
    "databases": {"MEDLINE": 1200, "Embase": 900},
    "removed": {"duplicates": 700},
    "screened": 1400,
    "screened_out": 1300,
    "sought": 100,
    "not_retrieved": 5,
    "assessed": 95,
    "excluded": {"no discontinuation arm": 60},
    "included": {"studies": 30, "reports": 35},
}


@pytest.fixture(scope="module")
def summary():
    return judge_audits(read_audits(ROOT / "data" / "published" / "audits")).summary


@pytest.fixture(scope="module")
def few(summary):
    """Some of each tool; a figure of all takes seconds."""
    studies = ["Brams2012_LDX", "Reimherr1998_FLX", "Viguera1997", "VeryStable_NLP"]
    return summary.loc[summary["study"].isin(studies)]


def svg(figure, folder):
    folder.mkdir(exist_ok=True)
    save_figure(figure, folder / "figure.svg", folder / "figure.png")
    return (folder / "figure.svg").read_text(encoding="utf-8")


def made_up(*trials):
    """Trials with one judgement of every domain: (name, judgements, provisional)."""
    names = ["D1", "D2", "D3", "D4", "D5", "Overall", "W"]
    return pd.DataFrame(
        [
            {
                "study": study, "title": study, "outcome": "relapse", "time": "week 26",
                "tool": "RoB 2", "version": "RoB 2", "domain": domain, "domain_name": domain,
                "judgement": judgement, "if_ni_were_yes_or_no": judgement,
                "provisional": provisional,
            }
            for study, judgements, provisional in trials
            for domain, judgement in zip(names, judgements, strict=True)
        ]
    )  # fmt: skip


LOW = ["Low"] * 7
MIXED = ["Low", "High", "Some concerns", "Low", "Low", "High", "Cannot be judged"]


def test_every_light_has_its_sign(tmp_path):
    text = svg(draw_traffic_lights(made_up(("Alpha", LOW, False), ("Beta", MIXED, False)), "RoB 2"),
               tmp_path)  # fmt: skip
    signs = re.findall(r">([+–×?])</text>", text)
    # 14 lights and four in the key
    assert sorted(signs) == sorted("+" * 10 + "–" + "××" + "?" + "+–×?")
    assert "hatched" not in text and "(experimental)" in text


def test_domain_w_stands_apart(tmp_path):
    figure = draw_traffic_lights(made_up(("Alpha", LOW, False)), "RoB 2")
    x = {text.get_text(): text.get_position()[0] for text in figure.axes[0].texts}
    step = x["D2"] - x["D1"]
    assert x["W\n(experimental)"] - x["Overall"] > 1.5 * step


def test_provisional_judgements_are_hatched(tmp_path):
    text = svg(draw_traffic_lights(made_up(("Alpha", LOW, True)), "RoB 2"), tmp_path)
    assert "hatched: from an abstract, one reader" in text and "pattern" in text
    settled = svg(draw_traffic_lights(made_up(("Alpha", LOW, False)), "RoB 2"), tmp_path)
    assert "<pattern" not in settled


def test_bundled_audits_say_what_rests_on_no_information(few, tmp_path):
    text = svg(draw_traffic_lights(few, "RoB 2"), tmp_path)
    for words in ("Brams 2012 (lisdexamfetamine): week 6", "RoB 2 (22 August 2019)", "rest on"):
        assert words in text
    assert "(interval 3)" in text  # three results at one time


def bars(figure):
    """Width of the bars by row and colour, hatching left out."""
    axes = figure.axes[0]
    found = {}
    for patch in axes.patches:
        if patch.get_hatch() is None:
            row = round(patch.get_y() + patch.get_height() / 2, 2)
            found.setdefault(row, []).append(round(patch.get_width(), 6))
    return found


def test_bars_carry_the_weights():
    rows = made_up(("Alpha", LOW, False), ("Beta", MIXED, True))
    found = bars(draw_judgement_bars(rows, "RoB 2", {"Alpha": 30, "Beta": 10}))
    assert found[0.0] == [75.0, 25.0]  # low both, the second provisional
    assert found[1.0] == [75.0, 25.0]
    assert found[6.7] == [75.0, 25.0]  # domain W, apart
    assert all(sum(widths) == pytest.approx(100) for widths in found.values())


def test_results_of_one_study_share_its_weight():
    rows = made_up(("Alpha", LOW, False), ("Beta", MIXED, False))
    again = rows.loc[rows["study"] == "Beta"].assign(time="week 52")
    found = bars(draw_judgement_bars(pd.concat([rows, again]), "RoB 2"))
    assert found[1.0] == [50.0, 50.0]


@pytest.mark.parametrize("draw", [draw_traffic_lights, draw_judgement_bars])
@pytest.mark.parametrize("tool", ["RoB 2", "ROBINS-I 2016", "none"])
def test_same_figure_same_bytes(few, tmp_path, draw, tool):
    one, other = (svg(draw(few, tool), tmp_path / name) for name in ("a", "b"))
    assert one == other


def test_all_bundled_audits_are_drawn(summary):
    texts = {text.get_text() for text in draw_traffic_lights(summary, "RoB 2").axes[0].texts}
    titles = summary.loc[summary["tool"] == "RoB 2", "title"].unique()
    assert all(any(text.startswith(title[:30]) for text in texts) for title in titles)


@pytest.mark.parametrize("draw", [draw_traffic_lights, draw_judgement_bars])
def test_nothing_judged_is_said(summary, draw, tmp_path):
    text = svg(draw(summary.iloc[:0], "RoB 2"), tmp_path)
    assert "No result was judged with RoB 2" in text


def test_flow_shows_every_count(tmp_path):
    text = svg(draw_flow(FLOW), tmp_path)
    for words in (
        "(n = 2100)", "MEDLINE (n = 1200)", "Records screened (n = 1400)",
        "Records excluded (n = 1300)", "Reports sought (n = 100)", "(n = 5)",
        "Reports assessed (n = 95)", "no discontinuation arm (n = 60)",
        "New studies included (n = 30)", "in 35 reports",
    ):  # fmt: skip
        assert words in text
    assert "Other methods" not in text and text == svg(draw_flow(FLOW), tmp_path / "again")


def test_flow_of_an_update_with_other_methods(tmp_path):
    found = {"identified": {"citations": 4}, "sought": 4, "not_retrieved": 0, "assessed": 4}
    flow = {
        **FLOW, "other_methods": {**found, "excluded": {}},
        "included": {"studies": 33, "reports": 39},
        "earlier": {"studies": 10, "reports": 11}, "total": {"studies": 43, "reports": 50},
    }  # fmt: skip
    text = svg(draw_flow(flow), tmp_path)
    for words in ("Other methods", "citations (n = 4)", "All studies included (n = 43)"):
        assert words in text


def test_flow_that_does_not_add_up_is_not_drawn():
    with pytest.raises(InvalidInput) as raised:
        draw_flow({**FLOW, "screened": 1399, "included": {"studies": 30, "reports": 36}})
    assert len(raised.value.problems) == 3
