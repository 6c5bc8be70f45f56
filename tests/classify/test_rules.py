"""Truth tables of the published rules; what is missing is never a no."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.classify.clauses import all_of, any_of
from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.rules import LABELS, apply_rules
from discontinuation.problems import InvalidInput

NAN = math.nan
SSRI = {"drug": "paroxetine", "drug_class": "antidepressant", "subclass": "SSRI",
        "formulation": "oral", "half_life_days": 1.0, "half_life_tag": "V"}  # fmt: skip
EARLY = {"reduced": True, "days_since_reduction": 3.0, "onset_exact": True}
LATE = {"reduced": True, "days_since_reduction": 90.0, "onset_exact": True}
NEVER = {"reduced": False, "onset_exact": True}
JUDGED_W = {"impairment": "yes", "other_cause": "no", "recurrence": "no"}
DIZZY = {"dizziness": "new", "nausea": "worse"}
WELL = {"dizziness": "not worse", "nausea": "not worse"}

CRITERIA = read_criteria()


def verdict(rule_set, symptoms=None, reading="strict", **known):
    events = pd.DataFrame([{**SSRI, **known}], index=["one"])
    status = pd.DataFrame([symptoms or {}], index=["one"], dtype=object)
    return apply_rules(events, status, CRITERIA, [rule_set], reading).frame.iloc[0]


def label(rule_set, symptoms=None, reading="strict", **known):
    return verdict(rule_set, symptoms, reading, **known)["label"]


def complete(rule_set, answer="not worse"):
    """Every symptom of every list answered."""
    return dict.fromkeys(CRITERIA.symptoms, answer)


@pytest.mark.parametrize("one", [0.0, 1.0, NAN])
@pytest.mark.parametrize("other", [0.0, 1.0, NAN])
def test_three_values_follow_kleene(one, other):
    both, either = all_of([np.array([one]), np.array([other])]), any_of(
        [np.array([one]), np.array([other])]
    )  # fmt: skip
    least = {0.0: 0, NAN: 1, 1.0: 2}
    rank = sorted((least[x] if x == x else 1) for x in (one, other))
    back = {0: 0.0, 1: NAN, 2: 1.0}
    np.testing.assert_equal(both[0], back[rank[0]])
    np.testing.assert_equal(either[0], back[rank[1]])


BLACK = {
    "exposure": ({"exposure_days": 60.0}, {"exposure_days": 20.0}, {}),
    "onset": (EARLY, LATE, {"reduced": True}),
    "impairment": ({"impairment": "yes"}, {"impairment": "no"}, {}),
    "not_medical": ({"other_cause": "no"}, {"other_cause": "yes"}, {}),
    "not_recurrence": ({"recurrence": "no"}, {"recurrence": "yes"}, {}),
}


EVERY = list(itertools.product((0, 1, 2), repeat=5))


def labels_of(rule_set, known, symptoms):
    """Label many deteriorations at once."""
    events = pd.DataFrame([{**SSRI, **one} for one in known])
    status = pd.DataFrame(symptoms, dtype=object)
    return apply_rules(events, status.set_axis(events.index), CRITERIA, [rule_set]).frame


def test_black_over_every_combination_of_yes_no_and_unknown():
    ways = list(BLACK.values())
    known = [
        {k: v for way, one in zip(ways, answers, strict=True) for k, v in way[one].items()}
        for answers in EVERY
    ]
    found = labels_of("black2000", known, [DIZZY] * len(EVERY))
    names = np.array(list(BLACK))
    for answers, row in zip(EVERY, found.itertuples(), strict=True):
        if 1 in answers:
            assert row.label == "indeterminate"
            assert row.clause == ", ".join(names[[one == 1 for one in answers]])
        elif 2 in answers:
            assert row.label == "not assessable"
            assert row.clause == ", ".join(names[[one == 2 for one in answers]])
        else:
            assert row.label == "withdrawal"
            assert row.clause.split(", ") == ["exposure", "onset", "symptoms", *names[2:]]


@pytest.mark.parametrize(
    ("rule_set", "day", "inside"),
    [
        *[("black2000", day, 1 <= day <= 7) for day in (0, 0.9, 1, 4, 7, 7.1, 30)],
        *[("haddad1998", day, 1 <= day <= 10) for day in (0.9, 1, 10, 10.1)],
        *[("dsm5", day, 2 <= day <= 4) for day in (1.9, 2, 4, 4.1)],
    ],
)
def test_windows_hold_both_their_ends(rule_set, day, inside):
    known = {"exposure_days": 60.0, **JUDGED_W, "reduced": True, "days_since_reduction": day}
    symptoms = {"dizziness": "new", "nausea": "new"}
    assert (label(rule_set, symptoms, **known) == "withdrawal") == inside


def test_haddad_gives_fluoxetine_28_days():
    known = {"exposure_days": 60.0, **JUDGED_W, "reduced": True, "days_since_reduction": 20.0}
    assert label("haddad1998", DIZZY, **known) == "indeterminate"
    assert label("haddad1998", DIZZY, **known | {"drug": "fluoxetine"}) == "withdrawal"


@pytest.mark.parametrize(
    ("rule_set", "known"),
    [
        ("black2000", {"exposure_days": 60.0, **JUDGED_W}),
        ("dess4", {}),
        ("nice_ng222", {}),
    ],
)
def test_without_a_reduction_no_onset_is_early(rule_set, known):
    every = complete(rule_set, "new")
    assert label(rule_set, every, **EARLY, **known) == "withdrawal"
    assert label(rule_set, every, **NEVER, **known) == "indeterminate"
    assert label(rule_set, every, **known) == "not assessable"


def test_a_group_counts_once_and_missing_symptoms_keep_it_open():
    known = {"exposure_days": 60.0, **JUDGED_W, **EARLY}
    asked = complete("black2000")
    assert label("black2000", asked, **known) == "indeterminate"
    one_group = asked | {"nausea": "new", "vomiting": "new"}
    assert label("black2000", one_group, **known) == "indeterminate"
    assert label("black2000", one_group | {"tremor": "worse"}, **known) == "withdrawal"
    # One group found and one not known: two are possible.
    open_ = {**one_group, "tremor": None}
    assert label("black2000", open_, **known) == "not assessable"
    # The other member of a found group does not matter.
    assert label("black2000", {**one_group, "vomiting": None}, **known) == "indeterminate"


@pytest.mark.parametrize(
    ("found", "unknown", "said"),
    [(4, 0, "withdrawal"), (4, 39, "withdrawal"), (3, 0, "indeterminate"),
     (3, 1, "not assessable"), (0, 3, "indeterminate"), (0, 4, "not assessable")],
)  # fmt: skip
def test_four_items_of_the_dess(found, unknown, said):
    items = [name for name in CRITERIA.lists["dess43"].groups]
    answers = dict.fromkeys(items, "not worse")
    answers |= dict.fromkeys(items[:found], "new or worse")
    answers |= dict.fromkeys(items[found : found + unknown], None)
    assert label("dess4", answers, **EARLY) == said


@pytest.mark.parametrize(
    ("status", "new", "worse"),
    [("new", "withdrawal", 1.0), ("worse", "indeterminate", 1.0),
     ("new or worse", "not assessable", 1.0), ("not worse", "indeterminate", 0.0)],
)  # fmt: skip
def test_new_is_more_than_worse(status, new, worse):
    every = complete("dsm5") | {"dizziness": status}
    known = {**EARLY, "exposure_days": 60.0, "other_cause": "no"}
    assert label("dsm5", every, **known) == new
    assert label("nice_ng222", every, **known) == ("withdrawal" if worse else "indeterminate")


CHOUINARD = {
    ("new", ("new",), None, None, None, 3, None): ("withdrawal", "new"),
    ("rebound", (), "yes", "greater", None, 3, None): ("withdrawal", "rebound"),
    ("persistent", ("new",), None, None, None, 3, 50): ("withdrawal", "persistent"),
    ("relapse", (), "yes", "not greater", "yes", 60, None): ("relapse", "relapse"),
    ("too fast", (), "yes", "not greater", "no", 60, None): ("indeterminate", "neither"),
    ("both", ("new",), "yes", "not greater", "yes", 3, None): ("indeterminate", "both"),
    ("late and new", ("new",), "no", "not greater", "yes", 60, None): ("indeterminate", "neither"),
    ("strength not known", (), "yes", None, "yes", 60, None): ("not assessable", None),
}


@pytest.mark.parametrize(("case", "said"), CHOUINARD.items())
def test_chouinard_new_rebound_persistent_relapse(case, said):
    _, new, original, intensity, gradual, day, lasted = case
    symptoms = complete("chouinard2015")
    symptoms |= {"dizziness": "new"} if new else {}
    known = {"original_symptoms": original, "intensity": intensity, "gradual_onset": gradual,
             "reduced": True, "days_since_reduction": float(day), "exposure_days": 200.0,
             "duration_days": NAN if lasted is None else float(lasted)}  # fmt: skip
    found = verdict("chouinard2015", symptoms, **known)
    assert (found["label"], found["kind"]) == said


def test_persistent_needs_six_months_of_use():
    known = {**EARLY, "duration_at_least": 50.0}
    symptoms = complete("x") | {"dizziness": "new"}
    assert verdict("didw1", symptoms, **known, exposure_days=180.0)["kind"] == "persistent"
    assert verdict("didw1", symptoms, **known, exposure_days=179.0)["kind"] == "new"
    # The record may begin within the use.
    unsure = verdict("didw1", symptoms, **known, exposure_days=100.0, exposure_open=True)
    assert unsure["kind"] == "new"
    assert "long_use" in unsure["missing"]


def test_features_need_two_on_one_side_and_none_on_the_other():
    rule = "horowitz_taylor2022"
    every = complete(rule)
    assert label(rule, every | DIZZY, **EARLY) == "withdrawal"
    assert label(rule, every | DIZZY, **LATE) == "indeterminate"
    assert label(rule, every, **LATE) == "relapse"
    assert label(rule, every, **NEVER) == "relapse"
    assert label(rule, every, **EARLY) == "indeterminate"
    assert verdict(rule, every, **EARLY)["kind"] == "both"
    assert label(rule, {}, **EARLY) == "not assessable"
    # Days of response: up to 3 for one side, over 14 for the other, between them for neither.
    again = {"reinstated": True, "untreated_at_least": 2.0}
    assert label(rule, {}, **EARLY, **again, response_days=3.0) == "withdrawal"
    assert label(rule, {}, **LATE, **again, response_days=15.0) == "relapse"
    assert label(rule, {}, **LATE, **again, response_at_least=14.0) == "relapse"
    assert label(rule, {}, **EARLY, **again, response_days=8.0) == "not assessable"


MIRROR = {
    "early": (EARLY, LATE),
    "physical": ({"dizziness": "new"}, None),
    "novel": ({"novelty": "new or stronger"}, {"novelty": "as before"}),
    "prompt": (
        {"response_days": 2.0, "reinstated": True},
        {"response_days": 30.0, "reinstated": True},
    ),
    "wave": ({"untreated_days": 10.0}, {"untreated_at_least": 60.0}),
}  # fmt: skip
SWAP = {"withdrawal": "relapse", "relapse": "withdrawal"}


def test_swapping_the_hypotheses_mirrors_the_features():
    seen = {0: complete("x") | {"dizziness": "new"}, 1: complete("x"), 2: complete("x", None)}
    ways = {name: pair for name, pair in MIRROR.items() if name != "physical"}
    place = list(MIRROR).index("physical")
    known = []
    for answers in EVERY:
        sides = [side for number, side in enumerate(answers) if number != place]
        given = [pair[side] for pair, side in zip(ways.values(), sides, strict=True) if side < 2]
        known.append({key: value for one in given for key, value in one.items()})
    symptoms = [seen[answers[place]] for answers in EVERY]
    found = dict(
        zip(EVERY, labels_of("horowitz_taylor2022", known, symptoms)["label"], strict=True)
    )
    assert set(found.values()) == set(LABELS)
    for answers, one in found.items():
        mirrored = found[tuple({0: 1, 1: 0, 2: 2}[side] for side in answers)]
        assert mirrored == SWAP.get(one, one)


@pytest.mark.parametrize("days", [14, 28, 42])
@pytest.mark.parametrize("half_life", [0.5, 10.0])
def test_timing_alone_ends_five_half_lives_or_a_week_later(days, half_life):
    end = max(5 * half_life, 7) + days
    known = {"reduced": True, "half_life_days": half_life}
    name = f"time_{days}"
    assert label(name, **known, days_since_reduction=end) == "withdrawal"
    assert label(name, **known, days_since_reduction=end + 0.1) == "relapse"
    assert label(name, **NEVER) == "relapse"
    assert label(name) == "not assessable"


def test_an_unknown_half_life_leaves_open_only_what_it_decides():
    known = {"reduced": True, "half_life_days": NAN, "half_life_tag": None}
    assert label("time_14", **known, days_since_reduction=21.0) == "withdrawal"
    assert label("time_14", **known, days_since_reduction=22.0) == "not assessable"


def test_windows_by_class_and_formulation():
    known = {"reduced": True, "days_since_reduction": 20.0}
    assert label("window", **known) == "relapse"
    assert label("window_double", **known) == "withdrawal"
    assert label("window", **known | {"drug": "fluoxetine"}) == "withdrawal"
    # Earlier than the window begins is neither inside nor later.
    assert label("window", **known | {"days_since_reduction": 0.2}) == "indeterminate"
    depot = {"drug": "x", "drug_class": "antipsychotic", "formulation": "depot",
             "half_life_days": 30.0, "reduced": True, "days_since_reduction": 200.0}  # fmt: skip
    assert label("window", **depot, days_since_last_dose=180.0) == "withdrawal"
    assert label("window", **depot, days_since_last_dose=181.0) == "relapse"
    other = verdict("window", drug="y", drug_class="opioid", **EARLY)
    assert other["label"] == "not assessable"
    assert "no window is proposed" in other["why"]


def test_a_set_is_silent_on_drugs_it_was_not_written_for():
    found = verdict("black2000", DIZZY, **EARLY, subclass="SNRI")
    assert (found["label"], found["clause"]) == ("not assessable", "drug")
    assert label("haddad2007", DIZZY, drug_class=None) == "not assessable"


BENZODIAZEPINE = {"drug": "lorazepam", "drug_class": "benzodiazepine"}


def test_benzodiazepine_patterns():
    name, anxious = "benzodiazepine", complete("x") | {"anxiety": "worse"}
    drug = BENZODIAZEPINE | {"reduced": True}
    rebound = verdict(name, anxious, **drug, days_since_reduction=2.0, duration_days=5.0,
                      untreated_days=5.0)  # fmt: skip
    assert (rebound["label"], rebound["kind"]) == ("withdrawal", "rebound")
    rings = complete("x") | {"tinnitus": "new"}
    syndrome = verdict(name, rings, **drug, days_since_reduction=10.0, duration_days=14.0)
    assert (syndrome["label"], syndrome["kind"]) == ("withdrawal", "full syndrome")
    back = verdict(name, anxious, **drug, days_since_reduction=30.0, duration_at_least=40.0,
                   untreated_at_least=40.0)  # fmt: skip
    assert (back["label"], back["kind"]) == ("relapse", "return of anxiety")
    assert label("benzodiazepine_trials", **drug, novelty="new or stronger") == "withdrawal"
    assert label("benzodiazepine_trials", **drug, novelty="as before",
                 duration_at_least=50.0) == "relapse"  # fmt: skip


def test_antipsychotic_variants():
    tablets = {"drug": "x", "drug_class": "antipsychotic", "formulation": "oral",
               "reduced": True, "original_symptoms": "yes", "exposure_days": 100.0}  # fmt: skip
    depot = tablets | {"formulation": "depot", "half_life_days": 25.0}
    minor = {"dyskinesia": "yes"}
    name = "supersensitivity"
    assert label(name, **tablets, **minor, days_since_reduction=42.0) == "withdrawal"
    assert label(name, **tablets, **minor, days_since_reduction=43.0) == "indeterminate"
    assert label(name, **depot, **minor, days_since_last_dose=90.0) == "withdrawal"
    assert label(name, **tablets, days_since_reduction=10.0) == "not assessable"
    no_minor = {"dyskinesia": "no", "tolerance": "no", "novelty": "as before"}
    assert label(name, **tablets, **no_minor, days_since_reduction=10.0) == "indeterminate"
    rebound = {"intensity": "greater"}
    assert (
        label("antipsychotic2020", **depot, **rebound, days_since_last_dose=150.0) == "withdrawal"
    )
    assert (
        label("antipsychotic2020", **tablets, **rebound, days_since_reduction=50.0) != "withdrawal"
    )


def test_other_courses():
    seen = complete("x") | DIZZY
    name = "haddad2007"
    assert label(name, seen, **EARLY, untreated_days=10.0) == "withdrawal"
    assert label(name, seen, **EARLY, untreated_at_least=4.0, reinstated=True,
                 response_days=1.0) == "withdrawal"  # fmt: skip
    assert label(name, seen, **EARLY, untreated_at_least=30.0) == "not assessable"
    assert label(name, seen, **EARLY, untreated_days=30.0, reinstated=True,
                 response_days=9.0) == "indeterminate"  # fmt: skip
    assert label("teaching_time", seen, **EARLY, duration_days=21.0) == "withdrawal"
    assert label("teaching_time", seen, **EARLY, duration_at_least=21.0) == "indeterminate"
    heuristic = "teaching_heuristic"
    day2 = {"reduced": True, "days_since_reduction": 2.0}
    assert label(heuristic, **day2, untreated_days=40.0) == "withdrawal"
    assert label(heuristic, **LATE, untreated_at_least=61.0) == "relapse"
    assert label(heuristic, **day2, untreated_at_least=61.0) == "indeterminate"


def test_what_nobody_recorded_is_passed_over_only_if_asked_and_said():
    known = {"exposure_days": 60.0, **EARLY}
    assert label("black2000", DIZZY, **known) == "not assessable"
    found = verdict("black2000", DIZZY, "recorded", **known)
    assert found["label"] == "withdrawal"
    assert found["passed_over"] == "impairment, not_medical, not_recurrence"
    # Recorded of somebody else: it is missing here, not never asked.
    events = pd.DataFrame([{**SSRI, **known}, {**SSRI, **known, "impairment": "yes"}])
    status = pd.DataFrame([DIZZY, DIZZY])
    both = apply_rules(events, status, CRITERIA, ["black2000"], "recorded").frame
    assert both["label"].tolist() == ["not assessable", "withdrawal"]
    # A symptom that nobody was asked for does not keep a count open.
    assert label("dess4", WELL, **EARLY) == "not assessable"
    assert label("dess4", WELL, "recorded", **EARLY) == "indeterminate"
    assert label("dess4", {"dizziness": None}, "recorded", **EARLY) == "not assessable"
    assert label("dess4", {}, "recorded", **EARLY) == "not assessable"


def test_marks_stand_on_every_verdict():
    doubts = {name: set() for name in CRITERIA.rule_sets}
    for known in (EARLY, LATE, NEVER, {}):
        events = pd.DataFrame([{**SSRI, **known, "half_life_tag": "UM"}])
        found = apply_rules(events, pd.DataFrame(index=events.index), CRITERIA).frame
        for row in found.itertuples():
            doubts[row.rule_set].add(row.doubtful)
            for name, clause in CRITERIA.rule_sets[row.rule_set].clauses.items():
                if clause.tag in ("UM", "P"):
                    assert f"{name} ({clause.tag})" in row.doubtful
    assert "half-life (UM)" in next(iter(doubts["time_14"]))
    assert "half-life" not in next(iter(doubts["black2000"]))
    assert "list (UM)" in next(iter(doubts["dess4"]))
    assert "combination (P)" in next(iter(doubts["horowitz_taylor2022"]))
    assert doubts["black2000"] == {"symptoms: matching of items (P)"}


def test_an_onset_between_visits_can_decide():
    known = {"exposure_days": 60.0, **JUDGED_W, "reduced": True, "onset_exact": False}
    at_visit = {"days_since_reduction": 7.0, "days_since_reduction_earliest": 0.0,
                "days_since_reduction_latest": 7.0}  # fmt: skip
    inside = {"days_since_reduction": 7.0, "days_since_reduction_earliest": 4.0,
              "days_since_reduction_latest": 7.0}  # fmt: skip
    assert verdict("black2000", DIZZY, **known, **at_visit)["hangs_on_onset"]
    assert not verdict("black2000", DIZZY, **known, **inside)["hangs_on_onset"]
    # Open at the lower end: after day 7 is later than day 7.
    after = {"days_since_reduction": 14.0, "days_since_reduction_earliest": 7.0,
             "days_since_reduction_latest": 14.0}  # fmt: skip
    found = verdict("black2000", DIZZY, **known, **after)
    assert (found["label"], found["hangs_on_onset"]) == ("indeterminate", False)


def test_why_says_what_was_found():
    why = verdict("black2000", DIZZY, **EARLY, exposure_days=60.0, **JUDGED_W)["why"]
    assert why.startswith("withdrawal (syndrome): ")
    assert "3 days after the last reduction" in why
    assert "2 of 12 new or worse (dizziness, nausea or vomiting); 10 not known" in why
    late = verdict("black2000", DIZZY, **LATE)["why"]
    assert late.startswith("indeterminate: not met (the set says nothing of relapse); fails: ")


words = st.sampled_from([None, "new", "worse", "new or worse", "not worse"])


@given(
    answers=st.fixed_dictionaries(
        dict.fromkeys(["dizziness", "nausea", "tremor", "insomnia"], words)
    ),
    day=st.one_of(st.none(), st.integers(0, 120)),
    reduced=st.sampled_from([True, False, None]),
    hidden=st.sets(st.sampled_from(["dizziness", "nausea", "day", "reduced", "impairment"])),
)
def test_less_information_never_turns_one_label_into_another(answers, day, reduced, hidden):
    """Hiding what is known can only open a verdict (features apart, which take what there is)."""
    names = [name for name in CRITERIA.rule_sets if name != "horowitz_taylor2022"]
    known = {"exposure_days": 60.0, **JUDGED_W, "reduced": reduced,
             "days_since_reduction": None if day is None else float(day)}  # fmt: skip
    less = {**known}
    if "day" in hidden:
        less["days_since_reduction"] = None
    if "reduced" in hidden:
        less["reduced"] = None
    if "impairment" in hidden:
        less["impairment"] = None
    fewer = {name: None if name in hidden else word for name, word in answers.items()}
    events = pd.DataFrame([{**SSRI, **known}, {**SSRI, **less}])
    status = pd.DataFrame([answers, fewer], dtype=object)
    found = apply_rules(events, status, CRITERIA, names).labels
    for name in names:
        whole, part = found[name]
        # A relapse side that is no longer known can leave withdrawal standing that was "both".
        assert part in (whole, "not assessable") or whole == "indeterminate"
        if part in ("withdrawal", "relapse"):
            assert whole in (part, "indeterminate")


def test_frames_and_summary():
    events = pd.DataFrame([{**SSRI, **EARLY}, {**SSRI, **LATE}], index=["b", "a"])
    status = pd.DataFrame([DIZZY, WELL], index=["b", "a"])
    found = apply_rules(events, status, CRITERIA)
    assert list(found.labels.index) == ["b", "a"]
    assert list(found.labels) == list(CRITERIA.rule_sets)
    assert (found.summary[list(LABELS)].sum(axis=1) == 2).all()
    assert found.summary.loc["black2000", "can_say"] == "withdrawal"
    assert "time_14" in str(found)
    empty = apply_rules(events.iloc[:0], status.iloc[:0], CRITERIA)
    assert len(empty.frame) == 0
    assert (empty.summary[list(LABELS)] == 0).all().all()


def test_bad_input_is_refused_with_all_its_problems():
    events = pd.DataFrame(
        [{**SSRI, "impairment": "perhaps", "days_since_reduction": -1.0, "reduced": "soon"}]
    )
    status = pd.DataFrame([{"dizzyness": "new", "nausea": "bad"}])
    with pytest.raises(InvalidInput) as refusal:
        apply_rules(events, status, CRITERIA)
    said = "\n".join(map(str, refusal.value.problems))
    for part in (
        "'perhaps'",
        "a number of 0 or more",
        "true, false or blank",
        "'dizziness'",
        "'bad'",
    ):
        assert part in said
    with pytest.raises(InvalidInput, match="not those of the deteriorations"):
        apply_rules(pd.DataFrame([SSRI]), pd.DataFrame(index=[5]), CRITERIA)
    with pytest.raises(InvalidInput, match="more than once"):
        apply_rules(pd.DataFrame([SSRI, SSRI], index=[1, 1]), pd.DataFrame(index=[1, 1]), CRITERIA)
