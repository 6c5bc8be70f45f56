"""The page says what the tables say, escapes what it is given, and asks for nothing."""

import base64
import hashlib
import re

import pandas as pd
import pytest

import made_up
from conftest import ROOT
from discontinuation.audit.agreement import agreement_statistics, compare_readings
from discontinuation.audit.answerable import answerable
from discontinuation.audit.exports import withdrawal_table
from discontinuation.audit.judgements import judge_audits
from discontinuation.bias.published import early_shares
from discontinuation.exposure.definitions import read_definitions
from discontinuation.exposure.drugs import read_drugs
from discontinuation.exposure.published_pace import published_tables
from discontinuation.exposure.strategy import read_strategies
from discontinuation.ingest.evidence import count_rows, read_collection
from discontinuation.ingest.gather import gather
from discontinuation.report import words as say
from discontinuation.report.document import render_report
from discontinuation.report.inline import FigureFiles
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
CONFIG = {
    "title": "A page <b>of</b> its own",
    "seed": 1,
    "evidence": {
        "sources": [{"folder": "evidence", "use": "include"}],
        "confidence": 0.95,
        "pooling": {
            "method": "REML",
            "knapp_hartung": True,
            "truncate": True,
            "prediction": "t_k-1",
        },
        "zero_cells": "add_half_if_zero",
        "taper_bands_days": [0, 14, 28],
        "window_factors": [1],
        "bootstrap_replicates": 200,
    },
}
REFERENCE = ROOT / "data" / "reference"
CODE = {"version": "0", "source_sha256": "0" * 64, "commit": None}
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" width="72pt"><g id="a"><text>x</text></g></svg>'


def results(folder, rows):
    collection = read_collection(made_up.write_csv(folder, rows))
    gathered = gather([collection])
    frames = gathered.current
    rule = PoolingRule()
    effects = select_effects(trial_effects(frames))
    early = early_shares(frames, WINDOWS, [1], 1, 200, 0.95)
    compared = compare_readings(frames["readings"])
    published, _ = published_tables(
        frames, read_drugs(REFERENCE), read_strategies(), read_definitions(REFERENCE)
    )
    judged = judge_audits([])
    return (
        frames
        | published
        | {"judgements": judged.summary, "domain_w": withdrawal_table(judged)}
        | {
            "trial_effects": effects,
            "pooled": pool_trials(effects, effects, rule),
            "small_study_effects": small_study_table(effects, rule),
            "leave_one_out": leave_one_out_table(effects, rule),
            "early_share": early,
            "answerable": answerable(frames, early, WINDOWS, [1]),
            "extraction_agreement": compared,
            "extraction_agreement_statistics": agreement_statistics(compared),
            "counts": pd.DataFrame(count_rows(collection)),
            "same_trial_twice": gathered.duplicates,
        }
    )


def page(tables):
    names = ("forest", "early_share", "evidence_map", "event_free", "funnel")
    figures = [FigureFiles(name, DRAWING, b"\x89PNG") for name in names]
    return render_report(tables, figures, CONFIG, CODE, {"data/x.csv": "0" * 64})


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return page(results(tmp_path_factory.mktemp("e") / "evidence", made_up.tables()))


def test_first_screen_holds_the_counts_of_the_answers(html):
    first = html[html.index('id="first"') : html.index("<nav")]
    assert "in 1 of 3 trials" in first
    assert "cannot be answered: no trial could be asked" in first
    assert "cannot be answered: in none of 3 trials" in first
    assert "was 1.88 times as frequent" in first
    for statement in say.FIXED_STATEMENTS:
        assert statement in html


def test_title_and_data_are_escaped(tmp_path, html):
    assert "A page &lt;b&gt;of&lt;/b&gt; its own" in html
    rows = made_up.tables()
    evil = "<script>alert(1)</script>\"'=1+1"
    rows["studies"][0] |= {"title": evil, "note": evil}
    rows["results"][2]["note"] = evil
    rows["sources"][0] |= {"citation": evil, "url": "javascript:alert(1)"}
    hostile = page(results(tmp_path / "evidence", rows))
    assert "<script>alert" not in hostile
    assert hostile.count("<script>") == 1
    assert 'href="javascript' not in hostile


def test_the_only_script_that_may_run_is_the_pages_own(html):
    script = html[html.index("<script>") + 8 : html.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    assert "default-src 'none'" in html
    assert not re.search(r"\son[a-z]+=", html[: html.index("<script>")])


def test_nothing_is_asked_for(html):
    asking = re.findall(r"<(?:img|link|iframe|script|audio|video|source|embed|object)\b[^>]*", html)
    assert asking == ["<script"]
    for address in re.findall(r'(?:src|xlink:href|href)="([^"#]*)', html):
        assert address == "" or address.startswith(("https://", "http://", "data:"))
    for tag in re.findall(r"<[a-z]+[^>]*=\"https?://[^>]*>", html):
        assert tag.startswith("<a ") or tag.startswith("<svg"), tag


def test_every_figure_can_be_taken_away_as_svg_and_png(html):
    for name in ("forest", "early_share", "evidence_map", "event_free", "funnel"):
        assert f'download="{name}.svg" href="data:image/svg+xml;base64,' in html
        assert f'download="{name}.png" href="data:image/png;base64,' in html
        assert f'id="figure-{name}-a"' in html


def test_same_tables_same_page(tmp_path, html):
    assert page(results(tmp_path / "evidence", made_up.tables())) == html


def test_a_review_without_results_still_has_a_page(tmp_path):
    rows = made_up.tables()
    for row in rows["results"]:
        row |= {"estimator": "none", "events": None, "event_free": None, "basis": "not_reported"}
    text = page(results(tmp_path / "evidence", rows))
    assert "No randomised trial of these data has a risk ratio" in text
    assert "No trial has an early point inside the withdrawal window" in text


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((1, 0, 0, 0), "1 lies above the benchmark (early excess, cause not identified)"),
        ((0, 1, 0, 0), "1 lies below the benchmark (early shortfall, cause not identified)"),
    ],
)
def test_both_directions_of_the_early_share_are_said_alike(counts, said):
    assert said in say.early_counts(*counts)


def test_exchanging_the_arms_exchanges_the_words():
    row = {"estimate": 0.2, "lower": 0.1, "upper": 0.3, "prediction_lower": 0, "trials": 3}
    row["prediction_upper"] = 0.4
    turned = {"estimate": -0.2, "lower": -0.3, "upper": -0.1, "prediction_lower": -0.4, "trials": 3}
    turned["prediction_upper"] = 0
    more = say.difference_headline(row, 0.95)
    fewer = say.difference_headline(turned, 0.95)
    assert "20 more were counted as relapsed" in more
    assert "20 fewer were counted as relapsed" in fewer
    assert "excludes no difference" in more and "excludes no difference" in fewer


def test_no_output_gives_advice_or_names_a_cause():
    text = " ".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "src" / "discontinuation" / "report").rglob("*.*")
        if path.suffix in (".py", ".html")
    ).lower()
    # The size of a trial may be recommended, nothing else.
    text = re.sub(r"recommended (design|number|size)|\.recommended\b|id=\"recommended\"", "", text)
    for phrase in ("% is withdrawal", "you should", "recommend", "safe to stop", "patients should"):
        assert phrase not in text
