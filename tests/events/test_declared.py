"""Definitions are read from YAML, and what cannot be is refused with its place."""

import copy
import math

import pytest
import yaml
from jsonschema import Draft202012Validator

from conftest import ROOT
from discontinuation.config import complete_config
from discontinuation.events.declared import SCHEMA, definition_from, definitions_from
from discontinuation.events.definition import (
    Combination,
    Ended,
    Persistence,
    Reinstatement,
    Reported,
    Risk,
    Score,
)
from discontinuation.problems import InvalidInput
from discontinuation.tables.instruments import instrument_from
from discontinuation.tables.schema import read_schema
from events.small_trial import INSTRUMENTS, definition

TOTAL = {"instrument": "hamd17", "score": "total"}
SIXTEEN = {**TOTAL, "at_least": 16}
WRITTEN = """
id: nct04007367
title: HAMD-17 of 18 or more twice, 7 to 14 days apart, or hospital, or rescue
source: registry record NCT04007367
tag: V
counts_as: relapse
rule:
  any:
    - instrument: hamd17
      score: total
      at_least: 18
      persistence: {visits: 2, for_days: 7, within_days: 14}
    - {reported: hospital}
    - {end_reason: [rescued]}
    - {reinstatement: increase, drug: paroxetine}
    - all:
        - {instrument: hamd17, items: [3], at_least: 3}
        - {instrument: cgi_s, score: total, change: points, at_least: 2, baseline: risk_start}
risk: {from: dose_reduction, after_days: 1, until_days: 90, drug: paroxetine}
persistence: {visits: 2, of: 3}
if_met_at_start: wait
onset: {instrument: hamd17, score: total, at_least: 12}
core: {instrument: hamd17, score: core, at_least: 8}
recovery: {visits: 2, rule: {instrument: hamd17, score: total, at_most: 7}}
repeated: true
"""


def problems(text, instruments=INSTRUMENTS):
    """Place and message of everything that is refused."""
    with pytest.raises(InvalidInput) as refused:
        definition_from(text, instruments)
    return {problem.column: problem.message for problem in refused.value.problems}


def test_a_definition_is_what_was_written():
    read = definition_from(yaml.safe_load(WRITTEN), INSTRUMENTS)
    assert (read.id, read.tag, read.counts_as) == ("nct04007367", "V", "relapse")
    assert read.repeated and read.wait_if_met
    assert read.risk == Risk("dose_reduction", 1, 90, "paroxetine")
    first, *happened, both = read.criteria
    assert first.rule == Score("hamd17", ("total",), 1, "at_least", 18.0)
    assert first.persistence == Persistence(2, 2, within_days=14, for_days=7)
    assert [criterion.rule for criterion in happened] == [
        Reported("hospital"),
        Ended(("rescued",)),
        Reinstatement(restart_only=False, drug="paroxetine"),
    ]
    assert isinstance(both.rule, Combination)
    assert both.persistence == Persistence(2, 3)
    item, change = both.rule.rules
    assert item.names == ("3",)
    assert (change.change, change.baseline) == ("points", "risk_start")
    assert read.core.names == ("core",)
    assert (read.recovery.visits, read.recovery.rule.comparison) == (2, "at_most")


def test_what_is_left_out_has_the_plainest_meaning():
    read = definition_from(definition(SIXTEEN), INSTRUMENTS)
    assert read.risk == Risk("origin", 0, math.inf, None)
    assert read.criteria[0].persistence == Persistence(1, 1)
    assert read.onset is read.core is read.recovery is None
    assert not read.repeated and not read.wait_if_met


def test_all_and_any_of_items():
    rule = {"instrument": "dess43", "items": "all", "how_many": "all", "at_least": 1}
    score = definition_from(definition(rule), INSTRUMENTS).criteria[0].rule
    assert score.need == 43
    assert "electric_shock" not in score.names
    tier = definition_from(definition({**rule, "items": "tier_a", "how_many": 2}), INSTRUMENTS)
    assert (len(tier.criteria[0].rule.names), tier.criteria[0].rule.need) == (6, 2)


@pytest.mark.parametrize(
    ("rule", "place", "words"),
    [
        ({}, "rule", "at least 1 key"),
        ({"score": "total"}, "rule", "exactly one of instrument, any, all"),
        ({**SIXTEEN, "reported": "x"}, "rule", "says instrument and reported"),
        ({**SIXTEEN, "instrument": "hamd"}, "rule.instrument", "did you mean 'hamd17'"),
        ({**SIXTEEN, "score": "cor"}, "rule.score", "did you mean 'core'"),
        ({**SIXTEEN, "items": ["1"]}, "rule", "either 'score'"),
        ({"instrument": "hamd17", "at_least": 3}, "rule", "either 'score'"),
        ({"instrument": "hamd17", "items": ["18"], "at_least": 2}, "rule.items", "no item '18'"),
        ({"instrument": "hamd17", "items": "cores", "at_least": 2}, "rule.items", "mean 'core'"),
        ({**SIXTEEN, "how_many": 2}, "rule.how_many", "without 'items'"),
        (
            {"instrument": "hamd17", "items": ["1", "2"], "how_many": 3, "at_least": 2},
            "rule.how_many",
            "from 1 to 2",
        ),
        (
            {"instrument": "hamd17", "items": ["1"], "how_many": "some", "at_least": 2},
            "rule.how_many",
            "any, all, or a whole number",
        ),
        (TOTAL, "rule", "says none of the comparisons"),
        ({**SIXTEEN, "above": 3}, "rule", "at_least and above"),
        ({**TOTAL, "at_most": 16}, "rule.at_most", "higher scores of hamd17 are worse"),
        ({**TOTAL, "at_least": 53}, "rule.at_least", "never met: hamd17 total lies from 0 to 52"),
        ({**TOTAL, "above": 52}, "rule.above", "never met"),
        ({**TOTAL, "at_least": 0}, "rule.at_least", "always met"),
        (
            {"instrument": "panss", "score": "total", "above": 29},
            "rule.above",
            "always met: panss total lies from 30 to 210",
        ),
        ({**SIXTEEN, "floor": 0}, "rule.floor", "without 'change'"),
        ({**SIXTEEN, "baseline": "origin"}, "rule.baseline", "without 'change'"),
        ({**SIXTEEN, "change": "points", "floor": 0}, "rule.floor", "in points"),
        ({**TOTAL, "change": "points", "at_most": 4}, "rule.at_most", "towards worse"),
        ({**TOTAL, "change": "points", "at_least": 0}, "rule.at_least", "above 0"),
        ({**SIXTEEN, "change": "ratio"}, "rule.change", "points, percent"),
        (
            {
                **{"instrument": "hamd17", "score": "core", "change": "points"},
                **{"at_least": 4, "baseline": "people"},
            },
            "rule.baseline",
            "is a total",
        ),
        (
            {"instrument": "dess43", "score": "7", "change": "percent", "at_least": 50},
            "rule.floor",
            "no source says how low dess43 7 can be",
        ),
        (
            {"instrument": "dess43", "score": "tier_a", "at_least": 1},
            "rule.score",
            "no rule adds up the items",
        ),
        ({**SIXTEEN, "persistence": {}}, "rule.persistence", "has no place here"),
        ({"reported": "x", "floor": 1}, "rule.floor", "nothing beside 'reported'"),
        ({"reported": "x", "drug": "y"}, "rule.drug", "nothing beside 'reported'"),
        ({"end_reason": ["moved"]}, "rule.end_reason[0]", "allowed: completed, lost"),
        ({"reinstatement": "again"}, "rule.reinstatement", "increase, restart"),
        ({"all": [SIXTEEN, {"reported": "x"}]}, "rule.all[1].reported", "rules about ratings"),
        (
            {"any": [{"reported": "x", "persistence": {}}]},
            "rule.any[0].persistence",
            "what happened once",
        ),
        (
            {"any": [{"all": [{**SIXTEEN, "persistence": {}}]}]},
            "rule.any[0].all[0].persistence",
            "has no place here",
        ),
        ({"any": [{"any": [{"any": [SIXTEEN]}]}]}, "rule.any[0].any[0].any", "unknown key"),
        ({**SIXTEEN, "at_lest": 3}, "rule.at_lest", "did you mean 'at_least'"),
        ({**SIXTEEN, "at_least": "16"}, "rule.at_least", "a number"),
        ({**SIXTEEN, "least_share": 0}, "rule.least_share", "above 0"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_place(rule, place, words):
    text = {**definition(SIXTEEN), "rule": rule}
    found = problems(text)
    assert list(found) == [place]
    assert words in found[place]


@pytest.mark.parametrize(
    ("further", "place", "words"),
    [
        ({"id": "two words"}, "id", "of the form"),
        ({"tag": "VV"}, "tag", "V, V2, UM, D, P"),
        ({"counts_as": "withdrawl"}, "counts_as", "did you mean 'withdrawal'"),
        ({"persistance": {}}, "persistance", "did you mean 'persistence'"),
        ({"persistence": {"visits": 0}}, "persistence.visits", "1 or more"),
        ({"persistence": {"visits": 3, "of": 2}}, "persistence.of", "3 of 2 visits"),
        (
            {"persistence": {"visits": 2, "of": 3, "for_days": 7}},
            "persistence.for_days",
            "in a row",
        ),
        (
            {"persistence": {"visits": 2, "for_days": 14, "within_days": 7}},
            "persistence.within_days",
            "less than for_days",
        ),
        ({"persistence": {"scheduled_days": [7]}}, "persistence.scheduled_days", "changes nothing"),
        ({"persistence": {"tolerance_days": 3}}, "persistence.tolerance_days", "says nothing"),
        ({"risk": {"from": "randomisation"}}, "risk.from", "origin, follow_up"),
        ({"risk": {"after_days": 9, "until_days": 7}}, "risk.until_days", "before after_days"),
        ({"risk": {"drug": "paroxetine"}}, "risk.drug", "says nothing unless"),
        ({"if_met_at_start": "ignore"}, "if_met_at_start", "count, wait"),
        ({"onset": {"reported": "x"}}, "onset.reported", "rules about ratings"),
        (
            {"core": {"instrument": "gad7", "score": "core", "at_least": 3}},
            "core.score",
            "no 'core'",
        ),
        ({"recovery": {"rule": SIXTEEN}}, "recovery.rule.at_least", "does not tell who is well"),
        ({"repeated": True}, "recovery", "further episodes need to know what ends one"),
        (
            {"rule": {"reported": "x"}, "recovery": {"visits": 1}},
            "recovery.rule",
            "no rating in the definition tells who is well",
        ),
    ],
)
def test_a_definition_that_cannot_be_is_refused_with_its_place(further, place, words):
    found = problems({**definition(SIXTEEN), **further})
    assert list(found) == [place]
    assert words in found[place]


def test_on_a_scale_where_low_is_bad_the_comparisons_turn_round():
    text = {"items": {"a": [0, 10]}, "higher_is_worse": False}
    instruments = {"wellbeing": instrument_from("wellbeing", text)}
    rule = {"instrument": "wellbeing", "score": "total", "at_least": 3}
    assert (
        "lower scores of wellbeing are worse"
        in problems(definition(rule), instruments)["rule.at_least"]
    )


def test_all_problems_of_all_definitions_come_at_once():
    texts = [
        definition({**SIXTEEN, "instrument": "hamd", "score": "cor"}, id="one", tag="X"),
        definition(SIXTEEN, id="two"),
        definition({"any": [{**TOTAL, "above": 99}, {**SIXTEEN, "score": "cor"}]}, id="three"),
        definition(SIXTEEN, id="two"),
        "four",
    ]
    with pytest.raises(InvalidInput) as refused:
        definitions_from(texts, INSTRUMENTS, "trial.yaml", "events.definitions")
    assert [problem.column for problem in refused.value.problems] == [
        "events.definitions[0].tag",
        "events.definitions[2].rule.any[0].above",
        "events.definitions[2].rule.any[1].score",
        "events.definitions[3].id",
        "events.definitions[4]",
    ]
    assert {problem.file for problem in refused.value.problems} == {"trial.yaml"}


def test_reading_changes_nothing_that_was_written():
    text = yaml.safe_load(WRITTEN)
    before = copy.deepcopy(text)
    definition_from(text, INSTRUMENTS)
    assert text == before


# --- the schema


def schema():
    """The JSON schema of one definition."""
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def test_the_schema_is_one_and_every_key_of_it_says_what_it_means():
    Draft202012Validator.check_schema(schema())
    assert SCHEMA == ROOT / "workflow" / "schemas" / "definition.schema.yaml"
    groups = [schema(), *schema()["$defs"].values()]
    groups += [part for part in schema()["properties"].values() if "properties" in part]
    silent = [
        key
        for group in groups
        for key, part in group["properties"].items()
        if "description" not in part
    ]
    assert silent == []


def test_the_schema_can_be_put_into_another_one():
    whole = schema()
    outer = {
        "type": "object",
        "properties": {"definitions": {"type": "array", "items": {"$ref": "#/$defs/definition"}}},
        "$defs": {
            **whole["$defs"],
            "definition": {key: whole[key] for key in ("type", "properties", "required")},
        },
    }
    completed = complete_config({"definitions": [yaml.safe_load(WRITTEN)]}, outer)
    (one,) = completed["definitions"]
    assert one["persistence"]["missing"] == "skip"
    assert one["rule"]["any"][0]["persistence"]["visits"] == 2


def test_the_reasons_of_the_schema_are_those_of_the_canonical_table():
    columns = {column.name: column for column in read_schema("canonical")["follow_up"].columns}
    leaf = schema()["$defs"]["event_leaf"]["properties"]
    assert tuple(leaf["end_reason"]["items"]["enum"]) == columns["end_reason"].allowed
