"""Persistence, risk, onset, recovery and overlap on examples worked by hand."""

import numpy as np
import pandas as pd
import pytest

from discontinuation.events.declared import definitions_from
from discontinuation.events.derive import derive_deteriorations
from discontinuation.events.dosing import arrange_doses, end_of_dosing
from discontinuation.problems import InvalidInput
from discontinuation.tables.canonical import schema
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

TOTAL = {"instrument": "hamd17", "score": "total"}
SIXTEEN = {**TOTAL, "at_least": 16}


def hamd(**people):
    """Tables of people with a HAMD-17 total only."""
    return trial(ratings("hamd17", **people))


def onset(episode):
    """Last fine visit, onset, latest onset, detection."""
    return tuple(episode[name] for name in ("onset_earliest", "onset", "onset_latest", "detected"))


# --- persistence


def test_two_of_three_visits():
    tables = hamd(
        a={0: 5, 7: 18, 14: 10, 21: 17},
        b={0: 5, 7: 18, 14: 10, 21: 10, 28: 17},
        c={0: 5, 7: 18, 14: 18},
    )
    rule = definition(SIXTEEN, persistence={"visits": 2, "of": 3})
    assert found(tables, rule) == {"a": 21, "c": 14}


def missed(day):
    """A visit at which only some items were answered, too few for a total."""
    return answers("hamd17", "a", day, _1=None, _2=4)


def test_a_visit_that_cannot_be_decided_is_no_no():
    tables = trial([*ratings("hamd17", a={0: 5, 7: 18, 21: 17}), *missed(14)])
    twice = definition(SIXTEEN, persistence={"visits": 2})
    # Passed over, the two ratings are in a row; counted as not met, they are not.
    assert found(tables, twice) == {"a": 21}
    strict = definition(SIXTEEN, persistence={"visits": 2, "missing": "not_met"})
    assert found(tables, strict) == {}
    said = "visits at which rule 1 on ratings is undecided: "
    assert notes(tables, twice)[said + "passed over"] == 1
    assert notes(tables, strict)[said + "counted as not met"] == 1


def test_a_planned_visit_that_nobody_kept_can_break_the_run():
    tables = hamd(a={0: 5, 7: 18, 21: 17}, b={0: 5, 7: 18, 16: 17}, c={0: 5, 7: 18, 17: 18})
    planned = {"visits": 2, "missing": "not_met", "scheduled_days": [7, 14, 21]}
    exact = definition(SIXTEEN, persistence=planned)
    assert found(tables, exact) == {}
    # The visit of day 16 is the one of day 14, and so is not missed; that of day 17 is too late.
    loose = definition(SIXTEEN, persistence={**planned, "tolerance_days": 2})
    assert found(tables, loose) == {"b": 16}


def test_nobody_misses_a_visit_outside_their_follow_up():
    tables = trial(ratings("hamd17", a={7: 18, 21: 18}), follow_up={"a": {"start": 15}})
    planned = {"visits": 1, "missing": "not_met", "scheduled_days": [14, 28]}
    assert found(tables, definition(SIXTEEN, persistence=planned)) == {"a": 21}
    short = trial(ratings("hamd17", a={7: 5}), end=20)
    said = notes(short, definition(SIXTEEN, persistence=planned))
    assert said["visits at which rule 1 on ratings is undecided: counted as not met"] == 1


def test_within_days_keeps_ratings_that_lie_far_apart_from_counting_as_a_run():
    rule = definition(SIXTEEN, persistence={"visits": 2, "within_days": 14})
    assert found(hamd(a={7: 18, 28: 18, 42: 18}, b={7: 18, 22: 18}), rule) == {"a": 42}


def test_two_visits_7_to_14_days_apart():
    # As in NCT04007367. An unplanned visit in between neither helps nor harms.
    rule = definition(SIXTEEN, persistence={"visits": 2, "for_days": 7, "within_days": 14})
    tables = hamd(
        a={7: 18, 10: 18, 14: 18},
        b={7: 18, 10: 10, 14: 18},
        c={7: 18, 22: 18},
        d={7: 18, 12: 18, 17: 18, 19: 18},
    )
    assert found(tables, rule) == {"a": 14, "d": 17}


def test_three_weeks_without_a_break():
    rule = definition({**TOTAL, "at_least": 14}, persistence={"for_days": 21})
    tables = hamd(a={7: 14, 14: 15, 28: 14}, b={7: 14, 14: 13, 28: 14, 49: 14}, c={7: 14, 27.9: 14})
    assert found(tables, rule) == {"a": 28, "b": 49}


def test_of_two_ratings_on_one_day_the_worst_counts_and_that_is_said():
    rows = ratings("hamd17", a={7.25: 18, 7.75: 10}, b={7: 18}) + ratings("hamd17", b={7: 12})
    tables = trial(rows)
    (first, second) = episodes(tables)
    assert (first["detected"], second["detected"]) == (7.75, 7)
    said = notes(tables)
    assert said["hamd17: further ratings on the same day; the worst of the day counts"] == 1
    assert said["hamd17: answers given twice at the same moment; the worst counts"] == 1


def test_one_day_is_one_visit_however_often_it_is_rated():
    rule = definition(SIXTEEN, persistence={"visits": 2})
    assert found(hamd(a={7.2: 18, 7.6: 18}, b={7.2: 18, 8.1: 18}), rule) == {"b": 8.1}


# --- risk


def test_a_rating_on_day_0_is_the_baseline_and_never_a_deterioration():
    assert found(hamd(a={0: 20, 7: 10}, b={0: 20, 7: 20})) == {"b": 7}


def test_days_after_the_start_and_until():
    rule = definition(SIXTEEN, risk={"after_days": 14, "until_days": 28})
    tables = hamd(a={7: 20, 14: 20}, b={13: 20, 28: 20}, c={29: 20})
    assert found(tables, rule) == {"a": 14, "b": 28}


def test_the_start_of_observation_may_differ_between_people():
    tables = trial(ratings("hamd17", a={5: 20, 15: 20}, b={5: 20}), follow_up={"a": {"start": 10}})
    assert found(tables, definition(SIXTEEN, risk={"from": "follow_up"})) == {"a": 15, "b": 5}
    # Nothing is met before observation, whatever risk starts from.
    assert found(tables, definition(SIXTEEN)) == {"a": 15, "b": 5}


def test_within_two_weeks_of_the_latest_dose_change():
    steps = dosing("a", (0, 20, 20), (20, 60, 10), (60, 100, 0))
    rule = definition(SIXTEEN, risk={"from": "dose_change", "until_days": 14})
    assert found(
        trial([*ratings("hamd17", a={7: 20, 20: 20, 40: 20, 70: 20})], doses=steps), rule
    ) == {"a": 70}
    assert found(trial([*ratings("hamd17", a={34: 20})], doses=steps), rule) == {"a": 34}


def test_a_later_change_of_dose_does_not_hide_what_led_to_it():
    # The person is worse on day 25 and the dose goes up on day 26: the reduction of day 20 counts.
    steps = dosing("a", (0, 20, 20), (20, 26, 10), (26, 60, 20))
    tables = trial(ratings("hamd17", a={25: 20, 30: 20}), doses=steps)
    assert found(tables, definition(SIXTEEN, risk={"from": "dose_change"})) == {"a": 25}
    # On day 30 the latest change is a rise; only reductions count here.
    late = trial(ratings("hamd17", a={30: 20}), doses=steps)
    rule = definition(SIXTEEN, risk={"from": "dose_reduction", "until_days": 9})
    assert found(late, rule) == {}


def test_after_the_end_of_dosing():
    tables = trial(
        ratings("hamd17", a={7: 20, 28: 20, 30: 20}, b={50: 20}, c={35: 20, 50: 20}, d={35: 20}),
        doses=[
            *dosing("a", (0, 28, 20)),
            *dosing("b", (0, 100, 20)),
            *dosing("c", (0, 28, 20), (28, 32, 0), (32, 45, 20)),
            *dosing("d", (0, 28, 20), (28, 60, 0)),
            *dosing("d", (20, 40, 5), drug="diazepam"),
        ],
    )
    last = {"from": "last_dose"}
    # b takes it throughout, c takes it again on day 35, d still takes another drug then.
    assert found(tables, definition(SIXTEEN, risk=last)) == {"a": 30, "c": 50}
    one = {**last, "drug": "paroxetine"}
    assert found(tables, definition(SIXTEEN, risk=one)) == {"a": 30, "c": 50, "d": 35}
    assessed = derive(tables, definition(SIXTEEN, risk=last)).assessed
    assert assessed.set_index("person")["assessed"].to_dict() == {
        **{"a": True, "b": False, "c": True, "d": False}
    }


def test_somebody_who_is_as_bad_from_the_start_counts_or_must_be_seen_well_first():
    tables = hamd(
        a={0: 20, 7: 20, 14: 20}, b={0: 20, 7: 10, 14: 20}, c={0: 5, 7: 20}, d={7: 20, 14: 20}
    )
    count, wait = definition(SIXTEEN), definition(SIXTEEN, if_met_at_start="wait")
    assert found(tables, count) == {"a": 7, "b": 14, "c": 7, "d": 7}
    # Of d nobody knows how bad they were before day 7.
    assert found(tables, wait) == {"b": 14, "c": 7}
    early, *_ = episodes(tables, count)
    # They were as bad at the first rating of all: when it began is not known.
    assert onset(early) == (None, 0, 0, 7)
    text = "people who meet rule 1 on ratings before they are at risk: not counted then"
    assert notes(tables, count)[text] == 2
    text = "people who meet rule 1 on ratings already when risk begins: to be seen well first"
    assert notes(tables, wait)[text] == 2


def test_a_drug_taken_throughout_covers_another_that_ended_meanwhile():
    steps = [*dosing("a", (0, 60, 20)), *dosing("a", (5, 10, 5), drug="diazepam")]
    tables = trial(ratings("hamd17", a={35: 20, 70: 20}), doses=steps)
    assert found(tables, definition(SIXTEEN, risk={"from": "last_dose"})) == {"a": 70}


def test_the_end_of_dosing_never_lies_ahead():
    steps = [*dosing("a", (0, 28, 20), (35, 60, 20)), *dosing("b", (10, 20, 0))]
    doses = arrange_doses(trial(doses=steps)["doses"], pd.Index(["a", "b"]))
    day = np.array([20.0, 28.0, 30.0, 35.0, 70.0, 30.0])
    person = np.array([0, 0, 0, 0, 0, 1])
    expected = [np.nan, 28, 28, np.nan, 60, np.nan]
    np.testing.assert_array_equal(end_of_dosing(doses, person, day, None), expected)


# --- onset


def test_onset_is_no_later_than_detection_when_another_instrument_is_rated_later_that_day():
    tables = trial(ratings("hamd17", a={7.25: 18}) + ratings("cgi_s", a={7.75: 6}))
    cgi = {"instrument": "cgi_s", "score": "total", "at_least": 4}
    (one,) = episodes(tables, definition({"any": [cgi, SIXTEEN]}))
    assert onset(one) == (None, 7.25, 7.25, 7.25)


def test_onset_is_the_first_visit_of_the_run_and_detection_the_visit_that_settles_it():
    tables = hamd(
        a={0: 5, 7: 8, 14: 18, 21: 17},
        b={0: 5, 7: 18, 14: 10, 21: 18, 28: 10, 35: 18, 42: 18},
    )
    a, b = episodes(tables, definition(SIXTEEN, persistence={"visits": 2}))
    assert onset(a) == (7, 14, 14, 21)
    assert onset(b) == (28, 35, 35, 42)


def test_onset_of_two_of_three_visits_is_the_first_of_the_two():
    (one,) = episodes(
        hamd(a={0: 5, 7: 18, 14: 10, 21: 18}),
        definition(SIXTEEN, persistence={"visits": 2, "of": 3}),
    )
    assert onset(one) == (0, 7, 7, 21)


def test_onset_by_a_lower_threshold():
    tables = hamd(a={0: 5, 7: 9, 14: 12, 21: 13, 28: 17}, b={0: 12, 7: 12, 14: 17}, c={7: 17})
    rule = definition(SIXTEEN, onset={**TOTAL, "at_least": 12})
    a, b, c = episodes(tables, rule)
    assert onset(a) == (7, 14, 14, 28)
    assert onset(b) == (None, 0, 0, 14)
    assert onset(c) == (None, 7, 7, 7)


def test_ratings_before_the_follow_up_bound_the_onset_but_it_does_not_lie_there():
    tables = trial(
        ratings("hamd17", a={-14: 5, -7: 18, 0: 18, 7: 18}, b={-7: 5, 7: 18}),
    )
    a, b = episodes(tables)
    assert onset(a) == (-14, 0, 0, 7)
    assert onset(b) == (-7, 7, 7, 7)


def test_a_visit_that_cannot_be_decided_widens_the_interval_of_the_onset():
    rows = ratings("hamd17", a={0: 5, 7: 5, 21: 18}) + missed(14)
    (one,) = episodes(trial(rows))
    assert onset(one) == (7, 21, 21, 21)


def test_what_happened_has_bounds_but_no_onset():
    tables = trial(
        ratings("hamd17", a={0: 5, 7: 10, 14: 18}),
        reported=[{"person": "a", "definition": "hospital", "detected": 16}],
    )
    twice = {**SIXTEEN, "persistence": {"visits": 2}}
    (one,) = episodes(tables, definition({"any": [twice, {"reported": "hospital"}]}))
    assert onset(one) == (7, None, 16, 16)


def test_the_first_of_several_criteria_decides():
    tables = trial(
        ratings("hamd17", a={0: 5, 7: 10, 14: 18}, b={0: 5, 14: 18}),
        reported=[
            {"person": "a", "definition": "hospital", "detected": 16},
            {"person": "b", "definition": "hospital", "detected": 10},
        ],
    )
    rule = definition({"any": [{"reported": "hospital"}, SIXTEEN]})
    a, b = episodes(tables, rule)
    assert onset(a) == (7, 14, 14, 14)
    assert onset(b) == (0, None, 10, 10)


# --- recovery and further episodes


def test_an_episode_ends_with_the_first_of_enough_visits_below_the_threshold():
    tables = hamd(
        a={0: 5, 7: 18, 14: 10, 21: 18, 28: 9, 35: 8, 42: 18}, b={0: 5, 7: 18, 14: 10}, c={7: 18}
    )
    rule = definition(SIXTEEN, recovery={"visits": 2})
    a, b, c = episodes(tables, rule)
    assert (a["resolved"], a["resolution_censored"]) == (28, False)
    assert (b["resolved"], b["resolution_censored"]) == (None, True)
    assert (c["resolved"], c["resolution_censored"]) == (None, True)
    (unsought,) = episodes(hamd(c={7: 18}))
    assert unsought["resolution_censored"] is None


def test_being_well_can_be_defined_by_itself():
    tables = hamd(a={0: 5, 7: 18, 14: 10, 21: 7, 28: 7, 35: 20})
    rule = definition(SIXTEEN, recovery={"rule": {**TOTAL, "at_most": 7}}, repeated=True)
    first, second = episodes(tables, rule)
    assert (first["resolved"], second["detected"]) == (21, 35)
    assert [first["episode"], second["episode"]] == [1, 2]


def test_on_a_day_with_a_good_and_a_bad_rating_nobody_is_well():
    tables = hamd(a={7: 18, 14.2: 5, 14.8: 12, 21.2: 5, 21.8: 6})
    rule = definition(SIXTEEN, recovery={"rule": {**TOTAL, "at_most": 7}})
    (one,) = episodes(tables, rule)
    assert one["resolved"] == 21.8


def test_further_episodes_are_sought_only_if_wanted_and_after_the_last_one_ended():
    tables = hamd(a={0: 5, 7: 18, 14: 18, 21: 5, 28: 5, 35: 18, 42: 18, 49: 5, 56: 5, 63: 18})
    twice = {"persistence": {"visits": 2}, "recovery": {"visits": 2}}
    assert found(tables, definition(SIXTEEN, **twice)) == {"a": 14}
    rule = definition(SIXTEEN, **twice, repeated=True)
    first, second = episodes(tables, rule)
    assert (first["onset"], first["detected"], first["resolved"]) == (7, 14, 21)
    assert onset(second) == (28, 35, 35, 42)
    assert second["resolved"] == 49
    once = definition(SIXTEEN, recovery={"visits": 2}, repeated=True)
    assert found(tables, once) == {"a": [7, 35, 63]}


def test_an_episode_without_an_end_has_no_successor():
    tables = hamd(a={7: 18, 14: 5, 21: 18, 28: 5, 35: 18})
    rule = definition(SIXTEEN, recovery={"visits": 2}, repeated=True)
    assert found(tables, rule) == {"a": 7}


def test_a_recorded_end_ends_an_episode():
    reported = [
        {"person": "a", "definition": "hospital", "detected": 20, "resolved": 30},
        {"person": "a", "definition": "hospital", "detected": 25, "episode": 2},
        {"person": "a", "definition": "hospital", "detected": 50, "episode": 3},
    ]
    rule = definition(
        {"reported": "hospital"}, recovery={"rule": {**TOTAL, "at_most": 7}}, repeated=True
    )
    tables = trial(ratings("hamd17", a={60: 20, 70: 5}), reported=reported)
    first, second = episodes(tables, rule)
    assert (first["detected"], first["resolved"]) == (20, 30)
    assert (second["detected"], second["resolved"]) == (50, 70)


# --- follow-up


def test_what_is_met_after_the_follow_up_is_not_counted_but_said():
    tables = trial(
        [*ratings("hamd17", a={7: 18, 14: 18}, b={7: 18, 14: 18}), *ratings("hamd17", c={7: 5})],
        follow_up={"a": {"end": 10}, "b": {"end": 14}},
    )
    rule = definition(SIXTEEN, persistence={"visits": 2})
    assert found(tables, rule) == {"b": 14}
    said = derive(tables, rule).notes
    (late,) = said.loc[said["note"].str.contains("follow-up")].to_dict("records")
    assert late == {
        **{"definition": "worse", "person": "a", "count": 1},
        "note": "met on day 14, after the end of follow-up on day 10: not counted",
    }


def test_ratings_after_the_follow_up_make_nobody_a_no():
    tables = trial(ratings("hamd17", a={7: 5, 14: 5}, b={14: 5}), end=10)
    assessed = derive(tables).assessed.set_index("person")
    assert assessed["assessed"].to_dict() == {"a": True, "b": False}
    assert assessed["visits"].to_dict() == {"a": 1, "b": 0}


def test_a_recovery_after_the_follow_up_does_not_count():
    tables = trial(ratings("hamd17", a={7: 18, 14: 5, 21: 5}), end=20)
    (one,) = episodes(tables, definition(SIXTEEN, recovery={"visits": 2}))
    assert (one["resolved"], one["resolution_censored"]) == (None, True)


def test_recorded_events_outside_risk_are_counted_in_the_notes():
    reported = [
        {"person": "a", "definition": "hospital", "detected": -3},
        {"person": "b", "definition": "hospital", "detected": 0},
        {"person": "c", "definition": "hospital", "detected": 300},
        {"person": "d", "definition": "hospital", "detected": 5},
    ]
    tables = trial(reported=reported)
    rule = definition({"reported": "hospital"})
    assert found(tables, rule) == {"d": 5}
    said = notes(tables, rule)
    assert [count for note, count in said.items() if "before observation" in note] == [2]
    assert said["met on day 300, after the end of follow-up on day 200: not counted"] == 1


def test_without_a_follow_up_nothing_is_cut_off_and_that_is_said():
    tables = hamd(a={7: 18})
    del tables["follow_up"], tables["doses"], tables["deteriorations"]
    assert found(tables) == {"a": 7}
    assert notes(tables)["people without a follow-up: nothing is cut off at its end"] == 1


def test_rows_about_strangers_are_said():
    tables = hamd(a={7: 18}, b={7: 18})
    tables["people"] = tables["people"].iloc[:1]
    assert found(tables) == {"a": 7}
    assert notes(tables)["rows of assessments about nobody among the people: not used"] == 1
    assert notes(tables)["rows of follow_up about nobody among the people: not used"] == 1


# --- overlap


CORE = {"instrument": "hamd17", "score": "core", "at_least": 6}


def overlap(tables, rule):
    """Verdict by person."""
    return {one["person"]: one["overlap_only"] for one in episodes(tables, rule)}


def test_a_threshold_met_on_overlap_items_alone_is_a_column():
    withdrawal = {"_4": 2, "_5": 2, "_6": 2, "_9": 3, "_10": 4, "_11": 4, "_12": 2}
    rows = [
        *answers("hamd17", "a", 7, **withdrawal),
        *answers("hamd17", "b", 7, **withdrawal, _1=3, _2=1, _7=2),
        *answers("hamd17", "c", 7, **withdrawal, _1=3, _2=1, _7=None, _8=1),
        *ratings("hamd17", c={7: 23}, d={7: 23}),
    ]
    rule = definition(SIXTEEN, core=CORE)
    # In c an item of the core is missing, d has a total only: not assessable.
    assert overlap(trial(rows), rule) == {"a": True, "b": False, "c": None, "d": None}
    assert overlap(trial(rows), definition(SIXTEEN)) == dict.fromkeys("abcd")


def test_overlap_is_judged_at_the_visit_of_detection():
    rows = [
        *answers("hamd17", "a", 7, _9=4, _10=4, _11=4, _4=2, _5=2),
        *answers("hamd17", "a", 14, _9=4, _10=4, _1=4, _2=4),
    ]
    rule = definition(SIXTEEN, core=CORE)
    assert overlap(trial(rows), rule) == {"a": True}
    twice = definition(SIXTEEN, core=CORE, persistence={"visits": 2})
    assert overlap(trial(rows), twice) == {"a": False}


def test_core_items_of_another_visit_say_nothing():
    rows = [*answers("hamd17", "a", 7, _1=1), *ratings("hamd17", a={14: 20})]
    assert overlap(trial(rows), definition(SIXTEEN, core=CORE)) == {"a": None}
    cgi = {"instrument": "cgi_s", "score": "total", "at_least": 4}
    rows = [*answers("hamd17", "a", 7, _1=1), *ratings("cgi_s", a={14: 6})]
    rule = definition({"all": [{"any": [cgi, SIXTEEN]}]}, core=CORE)
    assert found(trial(rows), rule) == {"a": 14}
    assert overlap(trial(rows), rule) == {"a": None}


def test_what_the_core_items_say_about_another_instrument_is_nothing():
    rows = [*answers("hamd17", "a", 7, _9=4), *ratings("cgi_i", a={7: 6})]
    rule = definition({"instrument": "cgi_i", "score": "total", "at_least": 6}, core=CORE)
    assert overlap(trial(rows), rule) == {"a": None}


# --- totals and items


def test_totals_without_items_meet_thresholds_but_subscales_stay_unknown():
    tables = hamd(a={0: 5, 7: 18}, b={0: 5, 7: 5})
    assert found(tables) == {"a": 7}
    core = definition({"instrument": "hamd17", "score": "core", "at_least": 8})
    result = derive(tables, core)
    assert result.deteriorations.empty
    assert not result.assessed["assessed"].any()
    said = dict(zip(result.notes["note"], result.notes["count"], strict=True))
    assert said["people of whom it can say neither yes nor no"] == 2
    text = "ratings without hamd17 core (answers are missing): not assessable, never a no"
    assert said[text] == 4


def test_a_total_needs_all_its_items_unless_proration_is_declared():
    rows = [
        *answers("phq9", "full", 7, _1=2, _2=2, _3=2, _4=2, _5=2),
        # Eight items with 9 points: prorated to 10.125.
        *answers("phq9", "most", 7, _1=2, _2=2, _3=2, _4=2, _5=1, _9=None),
        *answers("phq9", "few", 7, _1=3, _2=3, _3=3, _4=3, _5=None, _6=None, _7=None),
    ]
    rule = {"instrument": "phq9", "score": "total", "at_least": 10}
    assert found(trial(rows), definition(rule)) == {"full": 7}
    prorated = definition({**rule, "least_share": 0.8})
    assert found(trial(rows), prorated) == {"full": 7, "most": 7}
    text = "ratings at which phq9 total is prorated from the answered items"
    assert notes(trial(rows), prorated)[text] == 1


def test_a_given_total_that_its_items_contradict_is_used_and_said():
    rows = [
        *answers("phq9", "a", 7, _1=3, _2=3, _3=3),
        *ratings("phq9", a={7: 12}),
        *answers("phq9", "b", 7, _1=3),
        *ratings("phq9", b={7: 3}),
    ]
    rule = definition({"instrument": "phq9", "score": "total", "at_least": 10})
    assert found(trial(rows), rule) == {"a": 7}
    said = derive(trial(rows), rule).notes
    (one,) = said.loc[said["note"].str.contains("add up")].to_dict("records")
    assert (one["person"], one["count"], one["definition"]) == ("a", 1, None)


def test_a_total_that_is_a_mean_of_its_items():
    text = {"items": ["x", "y", "z"], "every_item": [1, 4], "scoring": "mean"}
    instruments = {"scl": instrument_from("scl", text)}
    rows = [
        *ratings("scl", "x", a={7: 1, 14: 2}),
        *ratings("scl", "y", a={7: 2, 14: 2}),
        *ratings("scl", "z", a={7: 2, 14: 2}),
        *ratings("scl", a={7: 1.67}),
    ]
    rule = definition({"instrument": "scl", "score": "total", "above": 1.8})
    assert found(trial(rows), rule, instruments=instruments) == {"a": 14}
    assert not any("add up" in note for note in notes(trial(rows), rule, instruments=instruments))


# --- the result as a table


def test_the_result_is_a_valid_canonical_table_with_and_without_events():
    tables = hamd(a={0: 5, 7: 18, 14: 5}, b={7: 5})
    rules = [
        definition(SIXTEEN, recovery={}),
        definition({**TOTAL, "at_least": 5}, id="low"),
        definition({**TOTAL, "at_least": 50}, id="never"),
    ]
    events = derive(tables, *rules).deteriorations
    schema("deteriorations").validate(events, lazy=True)
    assert list(events["definition"]) == ["worse", "low", "low"]
    nothing = derive(tables, rules[2])
    schema("deteriorations").validate(nothing.deteriorations, lazy=True)
    assert nothing.assessed["assessed"].all()
    pd.testing.assert_series_equal(nothing.deteriorations.dtypes, events.dtypes)


def test_alternatives_side_by_side_equal_each_alone():
    tables = hamd(a={0: 5, 7: 18, 14: 20, 21: 3}, b={0: 5, 7: 15, 14: 16, 21: 17})
    rules = [
        definition(id="once"),
        definition(id="twice", persistence={"visits": 2}),
        definition({**TOTAL, "change": "points", "at_least": 10}, id="rise"),
    ]
    together = derive(tables, *rules).deteriorations
    alone = [derive(tables, rule).deteriorations for rule in rules]
    columns = list(together)
    assert together.astype(object).where(together.notna(), None).to_numpy().tolist() == [
        row
        for one in alone
        for row in one[columns].astype(object).where(one.notna(), None).to_numpy().tolist()
    ]


def test_a_name_that_a_recorded_deterioration_has_already_is_refused():
    tables = trial(reported=[{"person": "a", "definition": "worse", "detected": 20}])
    with pytest.raises(InvalidInput, match="name of a recorded deterioration"):
        derive(tables, definition())


def test_definitions_of_an_unknown_instrument_and_doubled_people_are_refused():
    known = definitions_from([definition()], INSTRUMENTS)
    tables = trial(people=["a", "a"])
    with pytest.raises(InvalidInput, match="no such instrument") as refused:
        derive_deteriorations(known, tables, {"hamd_17": INSTRUMENTS["hamd17"]})
    assert [problem.value for problem in refused.value.problems] == ["hamd17", "a"]


def test_nobody_at_all():
    tables = trial(people=[])
    result = derive(tables, definition(), definition({"reinstatement": "restart"}, id="again"))
    assert result.deteriorations.empty
    assert result.assessed.empty
