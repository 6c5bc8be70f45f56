"""Instruments say what their items hold and which of them withdrawal can raise."""

import math
from collections import Counter

import pytest
import yaml

from conftest import ROOT
from discontinuation.problems import InvalidInput
from discontinuation.tables.instruments import (
    Item,
    Range,
    instrument_from,
    instruments_from,
    read_instruments,
)

FILE = ROOT / "data" / "reference" / "instruments.yaml"
REFERENCE = read_instruments(FILE)


@pytest.mark.parametrize(
    ("name", "overlap", "core", "lowest", "highest"),
    [
        ("hamd17", 24, 20, 0, 52),
        ("madrs", 30, 30, 0, 60),
        ("phq9", 15, 12, 0, 27),
        ("gad7", 21, None, 0, 21),
        ("panss", 36, 24, 30, 210),
        ("ymrs", 24, None, 0, 60),
    ],
)
def test_points_that_overlap_items_alone_can_add(name, overlap, core, lowest, highest):
    instrument = REFERENCE[name]
    assert instrument.reach("overlap") == overlap
    assert instrument.limits("total") == (lowest, highest)
    if core is None:
        assert "core" not in instrument.subscales
        assert instrument.reach("core") is None
    else:
        assert instrument.reach("core") == core
        assert not set(instrument.subscales["core"]) & set(instrument.subscales["overlap"])


def test_a_scale_of_overlap_items_only_has_every_item_among_them():
    assert REFERENCE["gad7"].subscales["overlap"] == tuple(REFERENCE["gad7"].items)


def test_panss_items_start_at_one_so_that_perfect_health_is_thirty():
    panss = REFERENCE["panss"]
    assert len(panss.items) == 30
    assert panss.limits("overlap") == (6, 42)
    assert panss.best("total") == 30
    assert panss.limits("P1") == (1, 7)


def test_dess_tiers_and_what_each_symptom_can_raise():
    dess = REFERENCE["dess43"]
    listed = [item for item in dess.items.values() if item.scored]
    assert len(listed) == 43
    assert Counter(item.tier for item in listed) == {"A": 6, "B": 23, "C": 14}
    assert dess.subscales["tier_a"] == ("22", "29", "39", "40", "41", "43")
    unspecific = [item for item in listed if item.tier in ("B", "C")]
    raised = {name for item in unspecific for name in item.raises.get("hamd17", ())}
    # A pure withdrawal episode can move most of the HAMD.
    assert raised == {"1", *map(str, range(4, 14))}
    for item in listed:
        for scale, names in item.raises.items():
            assert set(names) <= set(REFERENCE[scale].items)


def test_dess_has_no_item_for_electric_shocks_and_no_sum_of_unknown_codes():
    dess = REFERENCE["dess43"]
    assert not dess.items["electric_shock"].scored
    assert dess.members("total") == ()
    assert dess.limits("7") == (-math.inf, math.inf)
    assert dess.limits("total") == (0, 43)


def test_every_fact_of_the_file_names_its_source(tmp_path):
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    del content["hamd17"]["provenance"]["core"], content["cgi_s"]["provenance"]
    path = tmp_path / "instruments.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    with pytest.raises(InvalidInput) as refused:
        read_instruments(path)
    places = [problem.column for problem in refused.value.problems]
    assert places == ["hamd17.provenance.core", "cgi_s.provenance.total"]


@pytest.mark.parametrize("content", [None, "a: [", "- a", "\x00", "a: 3"])
def test_a_file_that_is_none_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "instruments.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"instruments\.yaml"):
        read_instruments(path)


def test_an_instrument_derived_from_a_reference_one_keeps_what_it_does_not_change():
    text = {"reference": "hamd17", "items": {"18": [0, 2], 1: {"label": "mood"}}, "total": [0, 54]}
    hamd18 = instrument_from("hamd18", text, REFERENCE)
    assert hamd18.name == "hamd18"
    assert hamd18.limits("total") == (0, 54)
    assert hamd18.items["1"] == Item(Range(0, 4, 1), "mood")
    assert hamd18.subscales == REFERENCE["hamd17"].subscales
    assert instrument_from("a", {"reference": "panss"}, REFERENCE).items == REFERENCE["panss"].items


def test_a_modified_dess_can_be_coded_and_added_up():
    text = {"reference": "dess43", "scoring": "sum", "every_item": [0, 1]}
    coded = instrument_from("dess", text, REFERENCE)
    assert coded.members("total") == tuple(str(number) for number in range(1, 44))
    assert coded.limits("tier_a") == (0, 6)
    assert len(coded.subscales["tier_c"]) == 14


def test_a_diary_needs_no_more_than_its_items_and_their_range():
    text = {"items": ["down", "restless", 3], "every_item": [1, 7, 1], "scoring": "mean"}
    diary = instrument_from("diary", text)
    assert diary.item_names() == ["down", "restless", "3", "total"]
    assert diary.limits("total") == (1, 7)
    assert diary.limits("up") is None
    assert diary.items["down"].range == Range(1, 7, 1)


def test_where_a_high_score_is_good_perfect_health_is_the_highest_one():
    text = {"items": {"a": [0, 10]}, "higher_is_worse": False}
    assert instrument_from("wellbeing", text).best("total") == 10


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ({}, "x", "neither 'reference' nor 'items'"),
        (7, "x", "a group of keys"),
        ({"reference": "hamd"}, "x.reference", "did you mean 'hamd17'"),
        ({"item": {}}, "x.item", "did you mean 'items'"),
        ({"items": {"a": [4, 0]}}, "x.items.a", "backwards, from 4 to 0"),
        ({"items": {"a": [0, 4, 0]}}, "x.items.a", "a number above 0"),
        ({"items": {"a": [0]}}, "x.items.a", "at least 2"),
        ({"items": {"a": ["0", 4]}}, "x.items.a[0]", "a number"),
        ({"items": {"total": [0, 4]}}, "x.items.total", "stands for the total"),
        ({"items": ["a", "a"]}, "x.items", "without repetitions"),
        ({"items": ["mood"], "subscales": {"core": ["moods"]}}, "x.subscales.core", "'mood'"),
        ({"items": ["mood"], "subscales": {"mood": ["mood"]}}, "x.subscales.mood", "already"),
        ({"items": {"a": [0, 4], "b": [0, 4]}, "total": [0, 9]}, "x.total", "make it 8"),
        ({"items": {"a": [1, 4]}, "total": [0, 4]}, "x.total", "make it 1"),
        ({"items": ["a"], "scoring": "median"}, "x.scoring", "sum, mean, none"),
        ({"items": {"a": {"tier": "D"}}}, "x.items.a.tier", "A, B, C"),
        ({"total": [5, 1]}, "x.total", "backwards"),
        (
            {"items": ["a"], "provenance": {"item": {"tag": "V", "source": "s"}}},
            "x.provenance.item",
            "did you mean 'items'",
        ),
        (
            {"items": ["a"], "provenance": {"items": {"tag": "Z", "source": "s"}}},
            "x.provenance.items.tag",
            "V, V2, UM, D, P",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(text, place, words):
    with pytest.raises(InvalidInput) as refused:
        instrument_from("x", text, REFERENCE)
    (problem,) = refused.value.problems
    assert problem.column == place
    assert words in problem.message


def test_the_problems_of_all_instruments_come_at_once():
    texts = {
        "one": {"reference": "phq"},
        "two": {"items": {"a": [2, 1]}},
        "three": {"items": ["b"]},
    }
    with pytest.raises(InvalidInput) as refused:
        instruments_from(texts, REFERENCE, "trial.yaml")
    assert [str(problem).split(": ")[0] for problem in refused.value.problems] == [
        "trial.yaml, column instruments.one.reference",
        "trial.yaml, column instruments.two.items.a",
    ]


def test_what_a_list_of_findings_leaves_out_must_be_possible():
    text = {"items": {"opioid": [0, 1]}, "unlisted": 0}
    assert instrument_from("screen", text).unlisted == 0
    with pytest.raises(InvalidInput, match="opioid lies from 0 to 1"):
        instrument_from("screen", {**text, "unlisted": 2})
