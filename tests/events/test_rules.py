"""Each kind of rule on examples worked by hand."""

import pytest

from discontinuation.tables.instruments import instrument_from
from events.small_trial import (
    INSTRUMENTS,
    answers,
    definition,
    derive,
    dosing,
    episodes,
    found,
    notes,
    ratings,
    trial,
)


def test_a_threshold_on_a_total_is_met_at_the_first_visit_at_or_above_it():
    tables = trial(ratings("hamd17", a={0: 5, 7: 15, 14: 16}, b={0: 5, 7: 15}, c={7: 17, 14: 30}))
    assert found(tables) == {"a": 14, "c": 7}


def test_above_is_not_at_least():
    rule = {"instrument": "hamd17", "score": "total", "above": 16}
    tables = trial(ratings("hamd17", a={7: 16, 14: 16.5}, b={7: 16}))
    assert found(tables, definition(rule)) == {"a": 14}


def test_a_scale_on_which_a_low_score_is_bad():
    text = {"items": {"a": [0, 5], "b": [0, 5]}, "higher_is_worse": False}
    instruments = {"wellbeing": instrument_from("wellbeing", text)}
    tables = trial(ratings("wellbeing", a={0: 8, 7: 5, 14: 3}, b={0: 10, 7: 6}))
    low = {"instrument": "wellbeing", "score": "total", "at_most": 3}
    assert found(tables, definition(low), instruments=instruments) == {"a": 14}
    # From 8 to 5 and from 10 to 6 is at least 3 points worse. Perfect health is 10 here: 8 is
    # 2 points from it, of which 3 are 150 %, and of a baseline of 10 there is no percentage.
    points = {"instrument": "wellbeing", "score": "total", "change": "points", "at_least": 3}
    assert found(tables, definition(points), instruments=instruments) == {"a": 7, "b": 7}
    percent = {**points, "change": "percent", "at_least": 100}
    assert found(tables, definition(percent), instruments=instruments) == {"a": 7}
    said = notes(tables, definition(percent), instruments=instruments)
    assert any("in perfect health" in note for note in said)


def test_a_rise_of_panss_counts_from_its_floor_of_thirty():
    # Baseline 70: 25 % of (70 - 30) is 10 points. Counted from 0 it would be 17.5.
    tables = trial(ratings("panss", a={0: 70, 14: 79, 28: 80}, b={0: 70, 14: 79.5, 28: 88}))
    total = {"instrument": "panss", "score": "total"}
    rule = {**total, "change": "percent", "at_least": 25}
    assert found(tables, definition(rule)) == {"a": 28, "b": 28}
    more = {**total, "change": "percent", "above": 25}
    assert found(tables, definition(more)) == {"b": 28}
    # Somebody may have published the wrong percentage; it can be declared.
    assert found(tables, definition({**rule, "floor": 0})) == {"b": 28}


def test_percent_or_points_depending_on_the_baseline():
    # A rise of 25 %, or of 10 points where the baseline is 40 or less (Csernansky et al. 2002).
    total = {"instrument": "panss", "score": "total"}
    rule = {
        "any": [
            {**total, "change": "percent", "at_least": 25, "baseline_above": 40},
            {**total, "change": "points", "at_least": 10, "baseline_at_most": 40},
        ]
    }
    tables = trial(
        ratings(
            "panss", low={0: 38, 7: 41, 14: 48}, high={0: 70, 7: 79, 14: 80}, same={0: 40, 7: 49}
        )
    )
    assert found(tables, definition(rule)) == {"low": 14, "high": 14}


def test_the_baseline_is_the_last_rating_up_to_day_0_and_without_it_nobody_is_a_no():
    rule = {"instrument": "hamd17", "score": "total", "change": "points", "at_least": 6}
    tables = trial(ratings("hamd17", a={-14: 2, -1: 10, 7: 15, 14: 16}, late={3: 2, 7: 20}))
    assert found(tables, definition(rule)) == {"a": 14}
    assessed = derive(tables, definition(rule)).assessed.set_index("person")["assessed"]
    assert assessed.to_dict() == {"a": True, "late": False}
    said = notes(tables, definition(rule))
    assert said["people without a baseline of hamd17 total: a change is not assessable"] == 1
    assert said["people of whom it can say neither yes nor no"] == 1


def test_the_baseline_of_the_people_table():
    rule = {
        **{"instrument": "hamd17", "score": "total", "change": "points", "at_least": 6},
        "baseline": "people",
    }
    tables = trial(ratings("hamd17", a={7: 15}, b={7: 15}, c={7: 15}))
    tables["people"]["baseline_score"] = [9.0, 10.0, None]
    assert found(tables, definition(rule)) == {"a": 7}


def test_the_baseline_before_each_dose_change():
    # The visit before the latest change counts: 9 on day 28, so 13 on day 35 is 4 points worse.
    rule = {
        **{"instrument": "dess43", "score": "total", "change": "points", "at_least": 4},
        "baseline": "risk_start",
    }
    tables = trial(
        ratings("dess43", a={0: 0, 14: 8, 28: 9, 35: 12, 42: 13}, b={0: 0, 14: 3, 28: 0, 42: 3}),
        doses=[
            *dosing("a", (0, 28, 20), (28, 100, 10)),
            *dosing("b", (0, 28, 20), (28, 100, 10)),
        ],
    )
    said = definition(rule, risk={"from": "dose_change"})
    assert found(tables, said) == {"a": 42}


@pytest.mark.parametrize(("how_many", "days"), [("any", 7), (2, 14), ("all", 21)])
def test_any_some_or_all_of_several_items(how_many, days):
    rule = {
        **{"instrument": "panss", "items": ["P1", "P3", "P6"], "at_least": 5},
        "how_many": how_many,
    }
    tables = trial(
        [
            *answers("panss", "a", 7, P1=5, P3=4, P4=7),
            *answers("panss", "a", 14, P1=4, P3=6, P6=5),
            *answers("panss", "a", 21, P1=5, P3=5, P6=5),
        ]
    )
    assert found(tables, definition(rule)) == {"a": days}


def test_items_that_were_not_answered_decide_only_what_they_can():
    rule = {"instrument": "panss", "items": ["P1", "P3"], "at_least": 5}
    both = definition({**rule, "how_many": "all"})
    tables = trial(
        ratings("panss", "P1", one={7: 5}, low={7: 1}),
        people=["low", "none", "one"],
    )
    # One item is enough for any of two; that it is not enough for both is known only if it is low.
    assert found(tables, definition(rule)) == {"one": 7}
    either = derive(tables, definition(rule)).assessed.set_index("person")["assessed"]
    assert either.to_dict() == {"low": False, "none": False, "one": True}
    assert found(tables, both) == {}
    each = derive(tables, both).assessed.set_index("person")["assessed"]
    assert each.to_dict() == {"low": True, "none": False, "one": False}


def test_four_symptoms_new_or_worse_since_the_baseline():
    rule = {
        **{"instrument": "dess43", "items": "all", "how_many": 4},
        **{"change": "points", "at_least": 1},
    }
    known = instrument_from("dess43", {"reference": "dess43", "every_item": [0, 3]}, INSTRUMENTS)
    instruments = {"dess43": known}
    rows = []
    for person, count in (("three", 3), ("four", 4)):
        for number in range(1, 44):
            # Everybody starts with a headache (item 27), which is no new symptom.
            rows += ratings("dess43", str(number), **{person: {0: float(number == 27)}})
            worse = float(number <= count or number == 27)
            rows += ratings("dess43", str(number), **{person: {7: worse}})
    assert found(trial(rows), definition(rule), instruments=instruments) == {"four": 7}


def test_a_subscale_is_added_up_from_its_items():
    rule = {"instrument": "hamd17", "score": "core", "at_least": 8}
    tables = trial(
        [
            *answers("hamd17", "a", 7, _1=3, _2=2, _3=2, _9=4, _10=4),
            *answers("hamd17", "a", 14, _1=3, _2=2, _3=2, _8=1),
        ]
    )
    assert found(tables, definition(rule)) == {"a": 14}


def test_a_named_set_of_items():
    tables = trial([*answers("panss", "a", 7, P1=6), *answers("panss", "b", 7, P2=6)])
    rule = {"instrument": "panss", "items": "core", "at_least": 6}
    assert found(tables, definition(rule)) == {"a": 7}


def test_global_worsening_by_the_clinician():
    tables = trial(
        ratings("cgi_i", a={7: 5, 14: 6}) + ratings("cgi_s", a={0: 3, 7: 3}, b={0: 2, 7: 3, 14: 4})
    )
    much_worse = {"instrument": "cgi_i", "score": "total", "at_least": 6}
    two_steps = {"instrument": "cgi_s", "score": "total", "change": "points", "at_least": 2}
    assert found(tables, definition(much_worse)) == {"a": 14}
    assert found(tables, definition(two_steps)) == {"b": 14}
    assert found(tables, definition({"any": [much_worse, two_steps]})) == {"a": 14, "b": 14}


def test_a_positive_screen():
    text = {"items": {"opioid": [0, 1]}}
    instruments = {"screen": instrument_from("screen", text)}
    tables = trial(ratings("screen", "opioid", a={7: 0, 14: 1}, b={7: 0}))
    rule = {"instrument": "screen", "score": "opioid", "at_least": 1}
    assert found(tables, definition(rule), instruments=instruments) == {"a": 14}


def test_all_of_several_rules_at_the_same_visit():
    hamd = {"instrument": "hamd17", "score": "total", "at_least": 14}
    cgi = {"instrument": "cgi_s", "score": "total", "at_least": 4}
    tables = trial(
        ratings("hamd17", a={7: 20, 14: 10, 21: 20}, b={7: 20, 14: 20})
        + ratings("cgi_s", a={7: 3, 14: 5, 21: 4}, b={7: 2})
    )
    both = definition({"all": [hamd, cgi]})
    assert found(tables, both) == {"a": 21}
    # On day 14 b had no global rating: neither a yes nor a no.
    said = "visits at which rule 1 on ratings is undecided: passed over"
    assert notes(tables, both)[said] == 1


def test_all_with_one_level_of_any_inside():
    hamd = {"instrument": "hamd17", "score": "total", "at_least": 14}
    inner = {
        "any": [
            {"instrument": "cgi_s", "score": "total", "at_least": 4},
            {"instrument": "cgi_i", "score": "total", "at_least": 6},
        ]
    }
    tables = trial(
        ratings("hamd17", a={7: 20, 14: 20}, b={7: 20}, c={7: 20})
        + ratings("cgi_s", a={7: 3, 14: 3}, b={7: 4}, c={7: 3})
        + ratings("cgi_i", a={14: 6})
    )
    # In `any`, what was not rated at a visit takes no part in it.
    rule = definition({"all": [hamd, inner]})
    assert found(tables, rule) == {"a": 14, "b": 7}
    assert derive(tables, rule).assessed["assessed"].all()


def test_each_branch_of_any_persists_by_itself():
    # 18 or more once, or 15 to 17 at two visits in a row.
    total = {"instrument": "hamd17", "score": "total"}
    rule = {
        "any": [
            {**total, "at_least": 18},
            {**total, "at_least": 15, "persistence": {"visits": 2}},
        ]
    }
    tables = trial(
        ratings("hamd17", a={7: 16, 14: 16}, b={7: 16, 14: 10, 21: 18}, c={7: 16, 14: 14, 21: 16})
    )
    assert found(tables, definition(rule)) == {"a": 14, "b": 21}


def test_a_recorded_deterioration_keeps_what_the_record_says():
    reported = [
        {
            **{"person": "a", "definition": "hospital", "detected": 20, "onset": 12},
            **{"onset_earliest": 9, "onset_latest": 14, "adjudicated": "relapse"},
            **{"resolved": 40, "reinstated": 22},
        },
        {"person": "b", "definition": "hospital", "detected": 30},
        {"person": "c", "definition": "judgement", "detected": 30},
    ]
    tables = trial(reported=reported)
    first, second = episodes(tables, definition({"reported": "hospital"}))
    assert (first["onset"], first["onset_earliest"], first["onset_latest"]) == (12, 9, 14)
    assert (first["reinstated"], first["resolved"], first["adjudicated"]) == (22, 40, "relapse")
    assert first["resolution_censored"] is False
    assert (first["source"], first["definition"]) == ("derived", "worse")
    assert second["detected"] == 30
    assert second["onset"] is None and second["adjudicated"] is None
    assert second["resolution_censored"] is None


def test_the_name_of_a_record_that_nobody_has_is_said_with_the_nearest():
    tables = trial(reported=[{"person": "a", "definition": "hospital", "detected": 20}])
    rule = definition({"reported": "hospitel"})
    (said,) = [note for note in notes(tables, rule) if "recorded" in note]
    assert "did you mean 'hospital'" in said
    assert not derive(tables, rule).assessed["assessed"].any()


def test_observation_that_ended_for_a_reason():
    tables = trial(
        ratings("hamd17", a={7: 5}, b={7: 5}, c={7: 5}),
        follow_up={"a": {"end": 30, "end_reason": "rescued"}, "b": {"end_reason": "lost"}},
    )
    assert found(tables, definition({"end_reason": ["rescued", "reinstated"]})) == {"a": 30}


def test_the_day_of_reinstatement_is_kept():
    tables = trial(people=["a"], follow_up={"a": {"end": 30, "end_reason": "reinstated"}})
    (one,) = episodes(tables, definition({"end_reason": ["reinstated"]}))
    assert one["reinstated"] == one["detected"] == 30


def test_the_dose_going_up_again_after_a_reduction():
    doses = [
        *dosing("up_only", (0, 14, 10), (14, 28, 20)),
        *dosing("back_up", (0, 14, 20), (14, 28, 10), (28, 42, 15)),
        *dosing("restart", (0, 14, 20), (14, 28, 10), (28, 42, 0), (42, 56, 10)),
        *dosing("down", (0, 14, 20), (14, 28, 0)),
        *dosing("unit", (0, 14, 20), (14, 28, 10)),
        *dosing("unit", (28, 42, 12000), unit="ug/day"),
    ]
    tables = trial(doses=doses)
    again = found(tables, definition({"reinstatement": "increase"}))
    assert again == {"back_up": 28, "restart": 42, "unit": 28}
    assert found(tables, definition({"reinstatement": "restart"})) == {"restart": 42}


def test_another_drug_is_no_reinstatement():
    doses = [
        *dosing("a", (0, 14, 20), (14, 28, 0)),
        *dosing("a", (20, 28, 5), drug="diazepam"),
        *dosing("b", (0, 14, 20), (14, 28, 0), (28, 42, 5)),
        *dosing("b", (0, 14, 4), (14, 20, 2), (20, 30, 4), drug="diazepam"),
    ]
    tables = trial(doses=doses)
    assert found(tables, definition({"reinstatement": "increase"})) == {"b": 20}
    assert found(tables, definition({"reinstatement": "increase", "drug": "paroxetine"})) == {
        "b": 28
    }


def test_units_that_cannot_be_compared_are_said():
    doses = [*dosing("a", (0, 14, 20)), *dosing("a", (14, 28, 40), unit="drops/day")]
    assert found(trial(doses=doses), definition({"reinstatement": "increase"})) == {}
    assert any("unit cannot be compared" in note for note in notes(trial(doses=doses)))


def test_what_is_rated_in_part_leaves_any_open_but_does_not_break_a_run():
    hamd = {"instrument": "hamd17", "score": "total", "at_least": 14}
    inner = {
        "any": [
            {"instrument": "cgi_s", "score": "total", "at_least": 4},
            {"instrument": "phq9", "score": "total", "at_least": 10},
        ]
    }
    # On day 14 the global rating says no and the PHQ-9 lacks answers: neither yes nor no.
    tables = trial(
        ratings("hamd17", a={7: 20, 14: 20, 21: 20})
        + ratings("cgi_s", a={7: 4, 14: 3, 21: 4})
        + ratings("phq9", "1", a={14: 3})
    )
    rule = definition({"all": [hamd, inner]}, persistence={"visits": 2})
    assert found(tables, rule) == {"a": 21}


def test_people_outside_the_baseline_that_a_rule_is_for_are_a_no():
    rule = {
        **{"instrument": "panss", "score": "total", "change": "percent", "at_least": 25},
        "baseline_above": 40,
    }
    # Of 30, perfect health, there is no percentage; but the rule is not for such people anyway.
    tables = trial(ratings("panss", a={0: 30, 7: 60}))
    assert found(tables, definition(rule)) == {}
    assert derive(tables, definition(rule)).assessed["assessed"].all()
    del rule["baseline_above"]
    assert not derive(tables, definition(rule)).assessed["assessed"].any()


def test_several_recorded_deteriorations_in_any_order():
    reported = [
        {"person": "a", "definition": "hospital", "detected": day, "episode": number}
        for number, day in ((3, 90), (1, 20), (2, 50))
    ]
    assert found(trial(reported=reported), definition({"reported": "hospital"})) == {"a": 20}
