"""Figures show what the tables hold, and the same bytes each time."""

import pandas as pd
import pytest

import made_up
from discontinuation.audit.agreement import agreement_statistics, compare_readings
from discontinuation.audit.answerable import answerable
from discontinuation.bias.published import early_shares
from discontinuation.ingest.evidence import read_collection
from discontinuation.ingest.gather import gather
from discontinuation.report.drawing import save_figure
from discontinuation.report.early_gap import draw_early_share
from discontinuation.report.event_free import draw_event_free
from discontinuation.report.evidence_map import draw_evidence_map
from discontinuation.report.forest import draw_forest
from discontinuation.report.funnel import draw_funnel
from discontinuation.synthesis.contrasts import trial_effects
from discontinuation.synthesis.eligibility import select_effects
from discontinuation.synthesis.groups import PoolingRule, pool_trials
from discontinuation.synthesis.robustness import leave_one_out_table, small_study_table

WINDOWS = pd.DataFrame(
    {
        "drug_class": ["antidepressant"],
        "match": [None],
        "formulation": [None],
        "acute_end_days": [42.0],
        "tag": ["P"],
    }
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Everything the figures need, from three made-up trials."""
    folder = made_up.write_csv(tmp_path_factory.mktemp("e") / "evidence", made_up.tables())
    frames = gather([read_collection(folder)]).current
    effects = select_effects(trial_effects(frames))
    rule = PoolingRule()
    return {
        "frames": frames,
        "effects": effects,
        "pooled": pool_trials(effects, effects, rule),
        "small_study": small_study_table(effects, rule),
        "early": early_shares(frames, WINDOWS, [1], 1, 200, 0.95),
    }


def svg(figure, tmp_path):
    save_figure(figure, tmp_path / "figure.svg", tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    return (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_forest_names_each_trial_with_its_counts_and_the_pool(made, tmp_path):
    text = svg(draw_forest(made["effects"], made["pooled"]), tmp_path)
    for words in ("Alpha 2020", "40/100", "20/100", "2.00 (1.26 to 3.17)", "All antidepressant"):
        assert words in text


def test_forest_without_trials_says_so(made, tmp_path):
    text = svg(draw_forest(made["effects"].iloc[:0], made["pooled"]), tmp_path)
    assert "No randomised trial" in text


def test_forest_with_one_trial_does_not_pool_it(made, tmp_path):
    effects = made["effects"].loc[made["effects"]["study"] == "Beta"]
    pooled = pool_trials(effects, effects, PoolingRule())
    assert "one trial is not pooled" in svg(draw_forest(effects, pooled), tmp_path)


def test_funnel_shows_its_regions_and_the_test(made, tmp_path):
    text = svg(draw_funnel(made["effects"], made["pooled"], made["small_study"]), tmp_path)
    assert "not tested: fewer than 10 trials" in text
    for region in ("P &lt; 0.01", "0.01 to 0.05", "0.05 to 0.10", "P &gt; 0.10"):
        assert region in text


def test_early_share_stands_beside_its_benchmarks(made, tmp_path):
    text = svg(draw_early_share(made["early"]), tmp_path)
    assert "Inside the withdrawal window" in text
    assert "expected with no withdrawal, proportional hazards" in text
    assert "+0.20 (" in text
    assert "% is withdrawal" not in text


def test_event_free_shows_every_strategy_and_counts_the_arms(made, tmp_path):
    text = svg(draw_event_free(made["frames"]), tmp_path)
    for words in ("Continued", "Stopped abruptly", "Tapered", "Stopped, pace not stated", "3 arms"):
        assert words in text
    assert "numbers at risk: 0 of 8" in text


def test_evidence_map_has_a_line_for_the_drug(made, tmp_path):
    text = svg(draw_evidence_map(made["frames"], [0, 14, 28]), tmp_path)
    for words in ("sertraline", "taper: not stated", "withdrawal measured", "3 ways"):
        assert words in text


@pytest.mark.parametrize("name", ["forest", "early", "event_free", "map", "funnel"])
def test_same_figure_same_bytes(made, tmp_path, name):
    draw = {
        "forest": lambda: draw_forest(made["effects"], made["pooled"]),
        "early": lambda: draw_early_share(made["early"]),
        "event_free": lambda: draw_event_free(made["frames"]),
        "map": lambda: draw_evidence_map(made["frames"], [0, 14, 28]),
        "funnel": lambda: draw_funnel(made["effects"], made["pooled"], made["small_study"]),
    }[name]
    (tmp_path / "again").mkdir()
    assert svg(draw(), tmp_path) == svg(draw(), tmp_path / "again")


@pytest.mark.parametrize("estimator", ["none", "crude"])
def test_a_review_with_next_to_nothing_in_it_is_drawn_all_the_same(tmp_path, estimator):
    """One trial, with or without a result: tables keep their columns, figures say why."""
    rows = {name: [dict(row) for row in table] for name, table in made_up.tables().items()}
    rows["studies"], rows["arms"] = rows["studies"][2:], rows["arms"][4:]
    rows["results"] = rows["results"][6:]
    if estimator == "none":
        for row in rows["results"]:
            row |= {"estimator": "none", "events": None, "event_free": None}
            row["basis"] = "not_reported"
    frames = gather([read_collection(made_up.write_csv(tmp_path / "e", rows))]).current
    rule = PoolingRule()
    effects = select_effects(trial_effects(frames))
    pooled = pool_trials(effects, effects, rule)
    early = early_shares(frames, WINDOWS, [1], 1, 200, 0.95)
    small_study = small_study_table(effects, rule)
    assert len(answerable(frames, early, WINDOWS, [1]))
    assert len(leave_one_out_table(effects, rule)) == 0
    assert len(agreement_statistics(compare_readings(frames["readings"]))) == 0
    for figure in (
        draw_forest(effects, pooled),
        draw_funnel(effects, pooled, small_study),
        draw_early_share(early),
        draw_event_free(frames),
        draw_evidence_map(frames, [0, 14, 28]),
    ):
        assert "<text" in svg(figure, tmp_path)
    for table in (effects, pooled, early, small_study):
        assert len(table.columns) > 8
