"""The page of a dataset says what it is, what is missing, and nothing about few people."""

import base64
import hashlib
import re

import pandas as pd
import pytest

from conftest import ROOT
from describe.small_trial import trial
from discontinuation.report import dataset_words as say
from discontinuation.report.around import SYNTHETIC
from discontinuation.report.dataset_page import render_dataset_report
from discontinuation.report.dataset_parts import summarise_dataset
from discontinuation.report.dataset_views import mask_steps
from discontinuation.report.inline import FigureFiles
from discontinuation.report.words import FIXED_STATEMENTS
from discontinuation.tables.files import read_tables, write_table

CODE = {"version": "0", "source_sha256": "0" * 64, "commit": "abc"}
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" width="72pt"><g id="a"><text>x</text></g></svg>'
FIGURES = [FigureFiles(name, DRAWING, b"\x89PNG") for name in ("flow_chart", "symptoms_hamd")]
STEPS = pd.DataFrame(
    [("read", "people", 14, 12, "not randomised"), ("joined", "doses", 99, 40, "")],
    columns=["step", "table", "rows_before", "rows_after", "note"],
)
DATASET = {
    "name": "made_up",
    "title": "Keep, stop or taper",
    "description": "Twelve people.",
    "notices": ["Opioids; the pace was not randomised."],
    "licence": "CC0",
    "citation": "Made up for tests",
    "terms": "None.",
    "synthetic": True,
    "smallest_cell": 1,
    "time": {"origin": "randomisation"},
    "instruments": {"hamd": {"title": "HAMD-17"}},
    "events": {
        "main": "relapse",
        "definitions": [{"id": "relapse", "title": "HAMD-17 of 18 or more.", "source": "Tests.",
                         "tag": "P"}],
    },
    "estimands": [
        {
            "id": "E1",
            "population": "stable for 6 months",
            "treatment": {"stop": "stop on day 0", "keep": "keep 20 mg"},
            "variable": "time to deterioration",
            "intercurrent_events": [
                {"event": "reinstatement", "strategy": "treatment_policy", "reason": "all count"}
            ],
            "summary": "risk difference at week 14",
        }
    ],
    "readings": ["people.csv: decimal commas"],
}  # fmt: skip


def page(dataset=DATASET, tables=None, figures=FIGURES, steps=STEPS):
    tables = trial() if tables is None else tables
    summaries = summarise_dataset(dataset, tables)
    return render_dataset_report(
        dataset, tables, summaries, steps, figures, say.methods(dataset, tables), CODE,
        {"data/raw/people.csv": "f" * 64},
    )  # fmt: skip


@pytest.fixture(scope="module")
def html():
    return page()


def test_first_screen_says_what_the_dataset_is(html):
    first = html[html.index("<header") : html.index("<nav")]
    for words in (
        SYNTHETIC,
        "Keep, stop or taper",
        "Opioids; the pace was not randomised.",
        "Twelve people.",
        "The data come from 1 study (design: parallel trial; class of drug: antidepressant).",
        "Allocation was randomised.",
        "Made up for tests",
        "CC0. None.",
        "Tapered over four weeks",
        "People who met: HAMD-17 of 18 or more",
        "Every count is shown as it is.",
        *FIXED_STATEMENTS,
    ):
        assert words in first, words
    row = first[first.index("All arms together") :]
    assert re.findall(r'data-sort="([^"]*)"', row)[0] == "12"


def test_a_real_dataset_carries_no_banner():
    assert SYNTHETIC not in page({**DATASET, "synthetic": False})


def test_estimands_stand_with_every_attribute(html):
    text = html[html.index('id="estimands"') : html.index('id="read"')]
    for words in (
        "E1: any deterioration (composite)",
        "stable for 6 months",
        "<strong>Stopped at once:</strong> stop on day 0",
        "time to deterioration",
        "<strong>reinstatement:</strong> treatment policy; all count",
        "risk difference at week 14",
    ):
        assert words in text, words
    assert "declares no estimand" in page({**DATASET, "estimands": []})


def test_methods_are_written_from_the_declaration_in_the_past_tense(html):
    text = " ".join(say.methods(DATASET, trial()))
    for words in (
        "We described the data of “Keep, stop or taper” (Made up for tests; licence: CC0).",
        "The people in them were made up by a program.",
        "Time was counted in days since randomisation.",
        "Doses were those of the drug that most people of an arm had: sertraline (mg/day).",
        "HAMD-17 of 18 or more (Tests; a proposal of this project, without published authority; "
        "main definition)",
        "exact Poisson 95 % intervals",
    ):
        assert words in text, words
    assert not re.search(r"\b(is|are|will be) (counted|computed|defined|divided)\b", text)
    assert "Counts of 1 to 4 people were not shown" in " ".join(
        say.methods({**DATASET, "smallest_cell": 5}, trial())
    )
    assert "We described the data of" in html


def test_everything_from_the_dataset_is_escaped():
    evil = "<script>alert(1)</script>\"'&"
    tables = trial()
    tables["arms"]["label"] = evil
    tables["studies"]["title"] = evil
    tables["deteriorations"]["definition"] = evil
    tables["assessments"]["instrument"] = evil
    dataset = {key: evil if isinstance(value, str) else value for key, value in DATASET.items()}
    dataset |= {"notices": [evil], "readings": [evil], "events": {}, "name": "made_up"}
    hostile = page(dataset, tables, steps=STEPS.assign(step=evil, note=evil))
    assert "<script>alert" not in hostile
    assert hostile.count("<script>") == 1


def test_nothing_is_asked_for_and_only_the_pages_script_runs(html):
    script = html[html.index("<script>") + 8 : html.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html and "default-src 'none'" in html
    asking = re.findall(r"<(?:img|link|iframe|script|audio|video|source|embed|object)\b[^>]*", html)
    assert asking == ["<script"]
    for address in re.findall(r'(?:src|xlink:href|href)="([^"#]*)', html):
        assert address == "" or address.startswith("data:"), address


def test_figures_of_other_steps_follow_and_all_can_be_taken_away(html):
    assert 'id="figure-symptoms_hamd"' in html[html.index('id="further"') :]
    for name in ("flow_chart", "symptoms_hamd"):
        assert f'download="{name}.svg"' in html and f'download="{name}.png"' in html
        assert f"results/datasets/made_up/figures/{name}.svg" in html


def test_further_summaries_are_shown_as_they_are():
    summaries = summarise_dataset(DATASET, trial())
    summaries["definitions"] = pd.DataFrame({"definition": ["relapse"], "with_event": [7]})
    html = render_dataset_report(
        DATASET, trial(), summaries, STEPS, [], [], CODE, {"x": "0" * 64}
    )  # fmt: skip
    assert "results/datasets/made_up/summaries/definitions.csv" in html
    assert "With event" in html


def test_people_are_not_shown_one_by_one_without_leave(html):
    sentence = say.why_no_individuals({**DATASET, "smallest_cell": 5})
    assert sentence not in html
    masked = page({**DATASET, "smallest_cell": 5})
    assert sentence in masked
    assert "Counts of 1 to 4 people are shown as &lt;5" in masked


def test_no_small_count_is_in_the_page():
    masked = page({**DATASET, "smallest_cell": 5}, figures=[])
    tables = re.findall(r"<table>.*?</table>", masked, flags=re.S)
    assert len(tables) > 8
    for table in tables:
        if any(f">{heading}<" in table for heading in ("Items", "Year", "Rows")):
            continue  # items, a year, rows of doses: no counts of people
        cells = re.findall(r'<td class="n" data-sort="([^"]*)"[^>]*>([^<]*)', table)
        for sort, text in cells:
            if text.endswith("%"):
                continue
            assert text not in {"1", "2", "3", "4"} and sort not in {"1", "2", "3", "4"}, table


@pytest.mark.parametrize("kept", [(), ("people", "arms"), ("people", "arms", "follow_up")])
def test_each_section_says_what_is_missing(kept):
    tables = {name: trial()[name] for name in kept}
    html = page(tables=tables, figures=[])
    for table, sentence in say.NOTHING_KNOWN.items():
        if table in ("states",):
            continue
        assert (sentence in html) == (table not in kept), table


def test_a_dataset_may_declare_next_to_nothing():
    bare = {"name": "x", "title": "Bare", "licence": "-", "citation": "-"}
    html = page(bare, {}, figures=[], steps=STEPS.iloc[:0])
    assert "There is no table of studies" in html
    assert say.why_no_individuals(bare) in html


def test_steps_of_tables_of_people_are_masked():
    masked = mask_steps(STEPS, 5)
    # How many there were before may stand elsewhere, and would tell the small difference.
    assert masked["rows_before_shown"].tolist() == ["≥5", "99"]
    assert masked["rows_after_shown"].tolist() == ["≥5", "40"]
    assert masked["difference_shown"].tolist() == ["<5", "59"]
    assert pd.isna(masked.loc[0, "rows_after"])
    assert mask_steps(STEPS, 1)["difference_shown"].tolist() == ["2", "59"]
    assert mask_steps(STEPS.iloc[:0], 5).empty


@pytest.mark.parametrize("names", [None, ()])
def test_summaries_survive_their_files(tmp_path, names):
    """What the page is given comes from Parquet, empty tables included."""
    dataset = {**DATASET, "smallest_cell": 5}
    tables = trial() if names is None else {}
    summaries = summarise_dataset(dataset, tables)
    for name, frame in summaries.items():
        write_table(frame, tmp_path / f"{name}.parquet", tmp_path / f"{name}.csv")
    read = read_tables(sorted(tmp_path.glob("*.parquet")))
    rest = (STEPS, FIGURES, [], CODE, {"x": "0" * 64})
    assert render_dataset_report(dataset, tables, read, *rest) == render_dataset_report(
        dataset, tables, summaries, *rest
    )


def test_same_dataset_same_page(html):
    assert page() == html


def test_no_sentence_gives_advice_or_prefers_a_cause():
    text = " ".join(
        (ROOT / "src" / "discontinuation" / "report" / name).read_text(encoding="utf-8").lower()
        for name in ("dataset_words.py", "dataset_page.py", "templates/dataset.html")
    )
    for phrase in ("you should", "recommend", "safe to stop", "is withdrawal", "is relapse"):
        assert phrase not in text
