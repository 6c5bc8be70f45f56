"""Figures of a dataset show its summaries, no single person unasked, and the same bytes."""

import warnings

import numpy as np
import pandas as pd
import pytest

from describe.small_trial import trial
from discontinuation.describe.given import arms_in_order, complete
from discontinuation.report.around import SYNTHETIC, Setting, heading
from discontinuation.report.dataset_parts import draw_dataset, planned_visits, summarise_dataset
from discontinuation.report.drawing import save_figure
from discontinuation.report.person_time import draw_event_rates
from discontinuation.report.swimmer import draw_swimmer

LONG = "A title of a dataset that goes on and on, " * 8
DATASET = {
    "name": "made_up",
    "title": LONG,
    "synthetic": True,
    "notices": ["The pace was not randomised, and this is a notice of some length. " * 3],
    "licence": "CC0",
    "citation": "Made up",
    "smallest_cell": 1,
    "instruments": {"hamd": {"title": "Hamilton Depression Rating Scale"}},
    "events": {
        "main": "relapse",
        "definitions": [
            {"id": "hospital", "title": "Admission to hospital"},
            {"id": "relapse", "title": "HAMD-17 of 18 or more", "source": "tests", "tag": "P",
             "rule": {"any": [{"instrument": "hamd", "at_least": 18}]},
             "persistence": {"scheduled_days": [0, 14, 28, 56, 84]}},
        ],
    },
}  # fmt: skip
ALWAYS = {"flow_chart", "person_time", "event_rates", "dose_trajectories", "missingness"}
SINGLE = {"swimmer", "single_cases", "missingness_people"}


def drawn(dataset, tables):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return draw_dataset(dataset, tables, summarise_dataset(dataset, tables), seed=1)


def svg(figure, folder, name="figure"):
    save_figure(figure, folder / f"{name}.svg")
    return (folder / f"{name}.svg").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Every figure of the small trial, as SVG."""
    folder = tmp_path_factory.mktemp("figures")
    return {name: svg(figure, folder, name) for name, figure in drawn(DATASET, trial()).items()}


def few(count):
    """Keep a few people."""
    kept = ["t3", "t1", "s1", "k3"][:count]
    return {
        name: frame.loc[frame["person"].isin(kept)]
        if "person" in frame and name != "planned_doses"
        else frame
        for name, frame in trial().items()
    }


def test_every_figure_says_what_it_is_and_that_the_people_are_made_up(texts):
    assert set(texts) == ALWAYS | {"swimmer", "missingness_people"}
    for name, text in texts.items():
        assert SYNTHETIC in text, name
        assert "The pace was not randomised" in text, name
        assert "A title of a dataset" in text, name


def test_figures_are_saved_as_pictures_too(tmp_path):
    figures = drawn(DATASET, few(1))
    for name in ("flow_chart", "single_cases"):
        save_figure(figures[name], tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_long_titles_wrap():
    lines = heading(Setting(LONG), 8.0).split("\n")
    assert len(lines) > 3 and max(map(len, lines)) <= 100


def test_flow_chart_names_what_differs_from_the_source(texts):
    text = texts["flow_chart"]
    for words in (
        "Allocated according to the source",
        "in the source, not in these data",
        "in these data beyond the source",
        "All arms together: 12 people in these data",
        "Tapered over four weeks",
        "Dose fell below its highest",
        "No record of follow-up",
        "Not analysed: not observed",
    ):
        assert words in text


def test_a_source_that_does_not_say_how_many_were_allocated_is_named(tmp_path):
    tables = trial()
    tables["arms"].loc[0, "n"] = None
    text = svg(drawn(DATASET, tables)["flow_chart"], tmp_path)
    assert text.count("Allocated: the source does not say") == 1
    assert text.count("Allocated according to the source") == 2


def test_rates_stand_beside_their_counts(texts):
    text = texts["event_rates"]
    assert "HAMD-17 of 18 or more" in text and "Admission to hospital" in text
    # The main definition comes first.
    assert text.index("HAMD-17 of 18") < text.index("Admission to hospital")
    assert "1 of 4" in text and "below the highest dose so far" in text


def test_dose_curves_say_how_many_people_are_known(texts):
    for words in ("sertraline, mg/day", "people", "median planned", "tapered"):
        assert words in texts["dose_trajectories"]


def test_missing_ratings_are_told_from_visits_that_were_not_due(texts):
    text = texts["missingness"]
    for words in ("Hamilton Depression Rating Scale (planned visits)", "nobody rated",
                  "not under observation"):  # fmt: skip
        assert words in text
    assert planned_visits(DATASET) == {"hamd": [0.0, 14.0, 28.0, 56.0, 84.0]}
    other = drawn({**DATASET, "events": {}}, trial())["missingness"]
    titles = [axes.get_title("left") for axes in other.axes]
    assert any("no planned visits known" in title for title in titles)


def test_swimmer_tells_recorded_from_derived(texts):
    text = texts["swimmer"]
    for words in ("All 11 people with follow-up", "(derived)", "(reported)", "drug reinstated",
                  "end: lost to follow-up"):  # fmt: skip
        assert words in text


def test_many_people_are_sampled_by_the_seed_and_it_is_said(tmp_path):
    people = [f"t{number}" for number in range(1, 200)]
    tables = trial()
    tables["people"] = tables["people"].iloc[[7] * len(people)].assign(person=people)
    record = tables["follow_up"].loc[lambda rows: rows["person"] == "t1"]
    tables["follow_up"] = record.iloc[[0] * len(people)].assign(person=people)
    setting = Setting("x")
    first, again, other = (
        svg(draw_swimmer(tables, setting, seed, {}), tmp_path) for seed in (1, 1, 2)
    )
    assert "60 of 199 people with follow-up: as many of each arm, drawn at random (seed 1)" in first
    assert first == again
    assert first != other


def test_nobody_is_shown_alone_where_counts_are_masked():
    masked = drawn({**DATASET, "smallest_cell": 5}, few(1))
    assert not SINGLE & set(masked)
    public = drawn({**DATASET, "smallest_cell": 5, "individual_figures": True}, few(1))
    assert set(public) >= SINGLE


def test_masked_counts_are_masked_in_figures_too(tmp_path):
    figures = drawn({**DATASET, "smallest_cell": 5}, trial())
    text = svg(figures["flow_chart"], tmp_path)
    assert "&lt;5" in text
    assert not [number for number in "1234" if f">{number}</text>" in text]
    assert "too few people to show" in svg(figures["dose_trajectories"], tmp_path)


@pytest.mark.parametrize("count", [1, 3])
def test_a_single_case_is_drawn_step_by_step(count, tmp_path):
    figures = drawn(DATASET, few(count))
    text = svg(figures["single_cases"], tmp_path)
    for words in ("taken", "planned", "HAMD-17 of 18 or more", "drug reinstated"):
        assert words in text
    assert ("missingness" in figures) == (count > 1)
    assert "person in these data" in svg(figures["flow_chart"], tmp_path) or count > 1


@pytest.mark.parametrize(
    "without",
    [
        ("doses",),
        ("assessments", "planned_doses"),
        ("doses", "assessments", "follow_up", "deteriorations", "planned_doses"),
    ],
)
def test_what_is_missing_is_not_drawn_and_no_error(without):
    tables = {name: frame for name, frame in trial().items() if name not in without}
    figures = drawn({**DATASET, "events": {}}, tables)
    assert "flow_chart" in figures
    assert ("dose_trajectories" in figures) == ("doses" not in without)
    assert ("missingness" in figures) == ("assessments" not in without)
    assert ("person_time" in figures) == ("follow_up" not in without)
    assert drawn(DATASET, {}).keys() <= {"event_rates"}


def test_only_as_many_definitions_are_drawn_as_there_is_room_for():
    summaries = summarise_dataset(DATASET, trial())
    times = summaries["person_time"]
    many = [times.loc[times["definition"] == "relapse"].assign(definition=f"d{n}")
            for n in range(30)]  # fmt: skip
    arms = arms_in_order(complete(trial()))
    figure = draw_event_rates(pd.concat(many), arms, Setting("x"), {})
    assert figure.get_figheight() < 20


def test_same_figure_same_bytes(texts, tmp_path):
    again = drawn(DATASET, trial())
    for name, text in texts.items():
        assert svg(again[name], tmp_path, name) == text, name


def test_deteriorations_are_coloured_by_their_probability():
    tables = trial()
    worse = tables["deteriorations"]
    definition = worse["definition"].iloc[0]
    known = worse.loc[worse["definition"] == definition, ["person", "episode", "definition"]]
    q = np.linspace(0, 1, len(known))
    q[0] = np.nan
    figure = draw_swimmer(tables, Setting("x"), 1, {}, known.assign(q=q))
    filled, blank = figure.axes[0].collections[-2:]
    shown = {text.get_text() for text in figure.axes[0].get_yticklabels()}
    expected = known.assign(q=q).loc[known["person"].isin(shown)]
    assert len(filled.get_offsets()) == expected["q"].notna().sum()
    assert len(blank.get_offsets()) == expected["q"].isna().sum()
    assert figure.axes[1].get_ylabel() == "probability of withdrawal, q"
