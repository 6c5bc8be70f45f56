"""The published rules: read whole, sourced, and refused with every problem at once."""

import copy

import pytest
import yaml

from discontinuation.classify.criteria import DESS43, REFERENCE, read_criteria
from discontinuation.classify.rules import EVENT_COLUMNS
from discontinuation.ingest.dataset import INSTRUMENTS
from discontinuation.ingest.yaml_text import read_yaml
from discontinuation.problems import InvalidInput
from discontinuation.tables.instruments import read_instruments


@pytest.fixture(scope="module")
def criteria():
    return read_criteria()


def changed(tmp_path, change):
    content = copy.deepcopy(read_yaml(REFERENCE, "criteria.yaml"))
    change(content)
    path = tmp_path / "criteria.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def test_every_set_that_was_asked_for_is_there(criteria):
    wanted = {
        *("black2000", "haddad1998", "haddad2007", "dsm5", "chouinard2015", "didw1"),
        *("horowitz_taylor2022", "dess4", "nice_ng222", "antipsychotic2020", "benzodiazepine"),
        *("time_14", "time_28", "time_42", "window_half", "window", "window_double"),
    }
    assert wanted <= set(criteria.rule_sets)
    kinds = [verdict.kind for verdict in criteria.rule_sets["chouinard2015"].verdicts]
    assert kinds == ["persistent", "new", "rebound", "relapse"]


def test_every_clause_has_a_source_and_a_tag(criteria):
    frame = criteria.frame
    assert frame["used"].all()
    assert frame["tag"].isin(["V", "V2", "UM", "D", "P"]).all()
    assert (frame["citation"].str.len() > 3).all()
    # From memory or a proposal means that no publication is claimed for the number.
    ours = frame.loc[frame["source"].isin(["this_project", "general_knowledge"])]
    assert ours["tag"].isin(["UM", "P"]).all()
    numbered = frame["says"].str.contains("our number")
    assert (frame.loc[numbered, "tag"] == "P").all()


def test_sets_that_describe_withdrawal_only_cannot_say_relapse(criteria):
    one_sided = {name for name, rules in criteria.rule_sets.items() if len(rules.labels) == 1}
    assert {"black2000", "haddad1998", "dsm5", "dess4", "didw1", "nice_ng222"} <= one_sided
    assert criteria.rule_sets["chouinard2015"].labels == ("withdrawal", "relapse")


def test_symptoms_are_items_of_the_reference_instrument(criteria):
    dess = read_instruments(INSTRUMENTS)["dess43"]
    items = [item for item in criteria.symptoms.values() if item]
    assert set(items) == set(dess.items)
    assert len(items) == len(set(items))
    assert len(criteria.lists["dess43"].groups) == len(DESS43) == 43


def test_distinctive_symptoms_hold_every_near_specific_item(criteria):
    dess = read_instruments(INSTRUMENTS)["dess43"]
    members = criteria.lists["distinctive_physical"].groups.values()
    held = {criteria.symptoms[name] for group in members for name in group}
    assert held == {*dess.subscales["tier_a"], "electric_shock", "vertigo"}


def test_black_lists_twelve_groups_and_haddad_twelve(criteria):
    assert len(criteria.lists["black12"].groups) == 12
    assert len(criteria.lists["haddad12"].groups) == 12


def test_names_of_rule_sets_are_found_or_refused_together(criteria):
    assert [rules.name for rules in criteria.find(["dsm5", "dess4"])] == ["dsm5", "dess4"]
    with pytest.raises(InvalidInput, match="did you mean 'black2000'") as refusal:
        criteria.find(["black200", "nobody", "dsm5"])
    assert len(refusal.value.problems) == 2


def test_all_problems_are_told_at_once(tmp_path):
    def change(content):
        black = content["rule_sets"]["black2000"]
        black["clauses"]["onset"]["test"]["onset"] = {"at_least": 9, "at_most": 7}
        black["clauses"]["symptoms"]["test"]["symptoms"]["list"] = "black13"
        black["clauses"]["impairment"]["source"] = "nobody1999"
        black["clauses"]["not_medical"]["test"]["judged"]["is"] = "maybe"
        black["verdicts"][0]["all"].remove("not_recurrence")
        black["verdicts"][0]["all"].append("colour")
        content["lists"]["haddad12"]["groups"]["tremor"] = ["tremors"]
        content["rule_sets"]["dess4"]["clauses"]["count"]["test"]["symptoms"]["at_least"] = 44

    with pytest.raises(InvalidInput) as refusal:
        read_criteria(changed(tmp_path, change))
    said = "\n".join(map(str, refusal.value.problems))
    for part in (
        "no onset can lie from 9 to 7 days",
        "did you mean 'black12'",
        "'nobody1999' is not defined",
        "'maybe': allowed: yes, no",
        "no verdict uses it",
        "'colour' is not defined",
        "'tremors' is not defined",
        "fewer than 44 groups",
    ):
        assert part in said
    assert len(refusal.value.problems) == 8


def test_the_schema_refuses_what_no_rule_can_be(tmp_path):
    def change(content):
        clauses = content["rule_sets"]["dsm5"]["clauses"]
        clauses["onset"]["tag"] = "X"
        clauses["exposure"]["test"] = {"exposure": {"at_least": -1}}
        del clauses["symptoms"]["source"]
        clauses["not_other"]["colour"] = "red"

    with pytest.raises(InvalidInput) as refusal:
        read_criteria(changed(tmp_path, change))
    columns = {problem.column.rsplit(".", 1)[1] for problem in refusal.value.problems}
    assert columns == {"tag", "at_least", "source", "colour"}


def test_words_that_may_be_recorded_are_columns_of_events(criteria):
    assert len(EVENT_COLUMNS) == len(set(EVENT_COLUMNS))
    assert {"impairment", "intensity", "novelty"} <= set(EVENT_COLUMNS)
