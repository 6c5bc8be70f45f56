"""From the tables of a dataset to what a rule asks for."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.evidence_of_events import evidence_of_events
from discontinuation.classify.rules import apply_rules
from discontinuation.classify.symptom_status import match_items
from discontinuation.exposure.drugs import read_drugs
from discontinuation.ingest.dataset import INSTRUMENTS, load_dataset
from discontinuation.ingest.declaration import find_declaration, read_declaration
from discontinuation.problems import InvalidInput
from discontinuation.tables.instruments import instruments_from, read_instruments

CRITERIA = read_criteria()
DRUGS = read_drugs(ROOT / "data" / "reference")
SCALES = instruments_from(
    {
        "list": {"items": ["dizzy", "sad"], "every_item": [0, 10], "scoring": "none"},
        "wellness": {"items": ["calm"], "every_item": [0, 10], "higher_is_worse": False},
        "codes": {"items": ["29"], "every_item": [0, 1]},
        "open": {"items": ["nausea"]},
    },
    {},
)
SYMPTOMS = {"list": {"items": {"dizzy": "dizziness", "sad": "low_mood"}, "rise": 2}}
CHECKLIST = {
    "dess": {"as": "dess43", "items": {"shock": "electric_shock"}, "coded": "change"},
}
DIARY = {
    "diary": {
        "rise": 2,
        "items": {
            "dizziness": "dizziness", "shocks": "electric_shock", "nausea": "nausea",
            "irritability": "irritability", "anxiety": "anxiety", "low_mood": "low_mood",
            "no_interest": "loss_of_interest", "poor_sleep": "insomnia",
        },
    }
}  # fmt: skip


def tables(doses, *, onset=10.0, ratings=(), prior=math.nan, end=100.0, **event):
    """One person with one deterioration."""
    start, stop, dose = zip(*doses, strict=True) if doses else ((), (), ())
    frames = {
        "studies": pd.DataFrame({"study": ["s"], "drug_class": ["antidepressant"]}),
        "people": pd.DataFrame(
            {"person": ["p"], "study": ["s"], "arm": ["a"], "prior_exposure_days": [prior]}
        ),
        "follow_up": pd.DataFrame({"person": ["p"], "start": [0.0], "end": [end]}),
        "doses": pd.DataFrame(
            {"person": "p", "drug": "paroxetine", "start": start, "stop": stop, "dose": dose,
             "unit": "mg/day", "route": "oral"}
        ),
        "deteriorations": pd.DataFrame(
            [{"person": "p", "episode": 1, "definition": "d", "onset": onset,
              "detected": event.pop("detected", onset + 2 if onset == onset else 12.0), **event}]
        ),
    }  # fmt: skip
    if ratings:
        columns = ["person", "instrument", "item", "day", "value"]
        rows = [("p", *one) for one in ratings]
        frames["assessments"] = pd.DataFrame(rows, columns=columns)
    return frames


def gather(doses, symptoms=None, **given):
    words = {name: given.pop(name) for name in ("declared", "recorded") if name in given}
    made = tables(doses, **given)
    return evidence_of_events(made, CRITERIA, DRUGS, SCALES, "d", symptoms=symptoms, **words)


def one(doses, **given):
    return gather(doses, **given).events.iloc[0]


FULL = [(-100.0, 0.0, 20.0), (0.0, 100.0, 0.0)]
STEPS = [(-100.0, 0.0, 20.0), (0.0, 7.0, 10.0), (7.0, 100.0, 0.0)]


def test_days_count_from_the_last_reduction():
    found = one(FULL, onset=10.0)
    assert found["reduced"] and found["days_since_reduction"] == 10.0
    assert found["half_lives_since_reduction"] == pytest.approx(10 / found["half_life_days"])
    assert found["days_since_last_dose"] == 10.0
    later = one(STEPS, onset=10.0)
    assert (later["days_since_reduction"], later["attempt_start"]) == (3.0, 0.0)
    # A step on the day of the rating comes after it.
    same_day = one(STEPS, onset=7.0)
    assert (same_day["days_since_reduction"], same_day["last_reduction"]) == (7.0, 0.0)


def test_no_reduction_is_known_and_no_record_is_not():
    on = one([(-100.0, 100.0, 20.0)])
    assert (on["reduced"], on["drug"]) == (False, "paroxetine")
    assert np.isnan(on.get("days_since_reduction", np.nan))
    assert one([])["reduced"] is None
    assert one([(-100.0, 5.0, 20.0)], onset=10.0)["reduced"] is None
    before = one(FULL, onset=math.nan)
    assert before["reduced"] is None


def test_a_reduction_that_was_undone_no_longer_counts():
    up = [(-100.0, 0.0, 20.0), (0.0, 5.0, 0.0), (5.0, 100.0, 20.0)]
    assert one(up, onset=4.0)["reduced"]
    assert not one(up, onset=10.0)["reduced"]
    half = [(-100.0, 0.0, 20.0), (0.0, 5.0, 0.0), (5.0, 100.0, 10.0)]
    found = one(half, onset=10.0)
    assert found["reduced"] and found["days_since_reduction"] == 10.0


@pytest.mark.parametrize(
    ("bounds", "least", "most"),
    [((2.0, 6.0), 2.0, 6.0), ((3.0, 10.0), 0.0, 7.0), ((8.0, 10.0), 1.0, 3.0),
     ((-5.0, 5.0), math.nan, math.nan)],
)  # fmt: skip
def test_an_onset_between_two_visits(bounds, least, most):
    found = one(STEPS, onset=bounds[1], onset_earliest=bounds[0], onset_latest=bounds[1])
    assert not found["onset_exact"]
    np.testing.assert_equal(found["days_since_reduction_earliest"], least)
    np.testing.assert_equal(found["days_since_reduction_latest"], most)


def test_days_of_use_before():
    assert one(FULL)["exposure_days"] == 100.0
    assert one(FULL)["exposure_open"]
    known = one(FULL, prior=400.0)
    assert (known["exposure_days"], known["exposure_open"]) == (400.0, False)
    # Started again after a break: only the use since then.
    broken = [(-100.0, -50.0, 20.0), (-50.0, -30.0, 0.0), (-30.0, 0.0, 20.0), (0.0, 100.0, 0.0)]
    again = one(broken, prior=400.0)
    assert (again["exposure_days"], again["exposure_open"]) == (30.0, False)
    # A taper is use.
    assert one(STEPS, onset=20.0, prior=400.0)["exposure_days"] == 407.0


def test_course_with_and_without_the_drug():
    alone = one(FULL, resolved=25.0)
    assert (alone["duration_days"], alone["untreated_days"]) == (15.0, 15.0)
    assert not alone["reinstated"]
    treated = one(FULL, reinstated=14.0, resolved=20.0)
    assert (treated["response_days"], treated["duration_days"]) == (6.0, 10.0)
    assert np.isnan(treated["untreated_days"])
    assert treated["untreated_at_least"] == 4.0
    still = one(FULL, reinstated=14.0, resolution_censored=True, end=60.0)
    assert (still["response_at_least"], still["duration_at_least"]) == (46.0, 50.0)
    unknown = one(FULL, detected=13.0)
    assert (unknown["duration_at_least"], unknown["untreated_at_least"]) == (3.0, 3.0)
    over_before = one(FULL, reinstated=30.0, resolved=25.0)
    assert over_before["untreated_days"] == 15.0
    assert np.isnan(over_before["response_days"])


def ratings(before, after, item="dizzy", instrument="list"):
    found = [(instrument, item, 0.0, before)] if before is not None else []
    return [*found, *([(instrument, item, 10.0, after)] if after is not None else [])]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [(0.0, 2.0, "new"), (0.9, 3.0, "new"), (1.0, 3.0, "worse"), (5.0, 7.0, "worse"),
     (5.0, 6.9, "not worse"), (6.0, 2.0, "not worse"), (None, 9.0, None), (0.0, None, None)],
)  # fmt: skip
def test_a_symptom_against_the_persons_own_baseline(before, after, said):
    found = gather(FULL, SYMPTOMS, ratings=ratings(before, after))
    assert found.status.loc["p/1", "dizziness"] == said
    assert found.status.loc["p/1", "low_mood"] is None


def test_the_baseline_is_that_of_the_attempt():
    rows = [("list", "dizzy", 0.0, 0.0), ("list", "dizzy", 7.0, 6.0), ("list", "dizzy", 20.0, 6.0)]
    found = gather(STEPS, SYMPTOMS, ratings=rows, onset=20.0)
    assert found.status.loc["p/1", "dizziness"] == "new"
    assert found.ratings.loc[0, "baseline"] == 0.0


def test_scales_that_are_better_when_higher_and_codes_of_change():
    calm = {"wellness": {"items": {"calm": "anxiety"}, "rise": 2}}
    rows = ratings(10.0, 6.0, "calm", "wellness")
    assert gather(FULL, calm, ratings=rows).status.iloc[0, 0] == "new"
    coded = {"codes": {"as": "dess43", "coded": "change"}}
    for before, after, said in (
        (None, 1.0, "new or worse"), (0.0, 1.0, "new or worse"), (1.0, 1.0, "not worse"),
        (0.0, 0.0, "not worse"), (0.0, None, None),
    ):  # fmt: skip
        found = gather(FULL, coded, ratings=ratings(before, after, "29", "codes"))
        assert found.status.iloc[0, 0] == said
    # Without a known value of somebody well nobody can tell new from worse.
    open_ended = {"open": {"items": {"nausea": "nausea"}}}
    rows = ratings(0.0, 5.0, "nausea", "open")
    assert gather(FULL, open_ended, ratings=rows).status.iloc[0, 0] == "new or worse"


def test_two_items_of_one_symptom():
    both = {"list": {"items": {"dizzy": "dizziness", "sad": "dizziness"}, "rise": 2}}
    rows = [*ratings(0.0, 5.0), *ratings(0.0, 0.0, "sad")]
    assert gather(FULL, both, ratings=rows).status.loc["p/1", "dizziness"] == "new"
    rows = [*ratings(0.0, 0.0), *ratings(0.0, None, "sad")]
    assert gather(FULL, both, ratings=rows).status.loc["p/1", "dizziness"] is None


def test_ratings_after_the_drug_was_started_again_do_not_count():
    rows = [("list", "dizzy", 0.0, 0.0), ("list", "dizzy", 10.0, 4.0), ("list", "dizzy", 12.0, 0.0)]
    treated = gather(FULL, SYMPTOMS, ratings=rows, reinstated=11.0)
    assert treated.ratings.loc[0, "at_onset"] == 4.0
    assert gather(FULL, SYMPTOMS, ratings=rows).ratings.loc[0, "at_onset"] == 2.0


def test_recorded_words_go_before_declared_ones():
    declared = {"other_cause": "no", "impairment": "no"}
    told = pd.DataFrame({"person": ["p"], "episode": [1], "impairment": ["yes"]})
    found = one(FULL, declared=declared, recorded=told)
    assert (found["other_cause"], found["impairment"]) == ("no", "yes")
    assert found["recurrence"] is None or pd.isna(found["recurrence"])


def test_core_and_novelty():
    assert one(FULL, overlap_only=True)["original_symptoms"] == "no"
    assert one(FULL, overlap_only=False)["original_symptoms"] == "yes"
    rows = ratings(0.0, 5.0)
    assert gather(FULL, SYMPTOMS, ratings=rows).events.iloc[0]["novelty"] == "new or stronger"
    rows = [*ratings(3.0, 9.0), *ratings(3.0, 9.0, "sad")]
    weak = {"original_symptoms": "yes", "intensity": "not greater"}
    found = gather(FULL, SYMPTOMS, ratings=rows, declared=weak)
    assert found.events.iloc[0]["novelty"] == "as before"
    assert pd.isna(gather(FULL, SYMPTOMS, ratings=rows).events.iloc[0]["novelty"])


def test_problems_are_told_at_once():
    with pytest.raises(InvalidInput) as refusal:
        match_items(SCALES, CRITERIA, {"list": {"items": {"dizy": "dizziness", "sad": "sadness"}}})
    said = "\n".join(map(str, refusal.value.problems))
    assert "did you mean 'dizzy'" in said and "'sadness'" in said
    with pytest.raises(InvalidInput, match="lists"):
        match_items(SCALES, CRITERIA, {"lists": {}})
    with pytest.raises(InvalidInput, match="unknown key"):
        match_items(SCALES, CRITERIA, {"list": {"item": {}}})
    with pytest.raises(InvalidInput, match="allowed: d"):
        evidence_of_events(tables(FULL), CRITERIA, DRUGS, SCALES, "e")
    told = pd.DataFrame({"person": ["p", "p"], "episode": [1, 1], "impairment": ["so", "yes"]})
    with pytest.raises(InvalidInput) as refusal:
        one(FULL, declared={"colour": "red", "intensity": "much"}, recorded=told)
    assert len(refusal.value.problems) == 4


def test_no_matched_item_leaves_symptoms_unasked():
    found = gather(FULL)
    assert found.status.shape == (1, 0)
    assert "no symptom is known: 1" in str(found)
    verdicts = apply_rules(found.events, found.status, CRITERIA)
    assert verdicts.labels.loc["p/1", "dess4"] == "not assessable"
    assert verdicts.labels.loc["p/1", "time_14"] == "withdrawal"


def dataset(name, definition, symptoms):
    loaded = load_dataset(read_declaration(find_declaration(name)))
    scales = instruments_from(
        loaded.declaration.content["instruments"], read_instruments(INSTRUMENTS)
    )
    found = evidence_of_events(
        loaded.tables, CRITERIA, DRUGS, scales, definition, symptoms=symptoms
    )  # fmt: skip
    truth = pd.read_csv(Path(ROOT) / "data" / "example" / "truth.csv")
    truth.index = truth["person"] + "/" + truth["episode"].astype(str)
    return found, truth["cause"].reindex(found.events.index)


def test_the_example_trial():
    found, truth = dataset("example_trial", "recorded_by_the_trial", CHECKLIST)
    assert len(found.events) == 103
    assert truth.value_counts().to_dict() == {"relapse": 75, "withdrawal": 28}
    kept = found.events["arm"] == "A"
    assert not found.events.loc[kept, "reduced"].any()
    assert found.events.loc[~kept, "reduced"].mean() > 0.95
    strict = apply_rules(found.events, found.status, CRITERIA).labels
    # Judgements were never recorded, so these sets can only be not met.
    assert set(strict["black2000"]) == {"indeterminate", "not assessable"}
    assert set(strict["chouinard2015"]) == {"not assessable"}
    # Timing alone calls early relapses withdrawal.
    early = strict["time_42"] == "withdrawal"
    assert early[truth == "withdrawal"].all()
    assert 15 <= early[truth == "relapse"].sum() <= 35
    assert (strict.loc[kept, "time_42"] == "relapse").all()
    recorded = apply_rules(found.events, found.status, CRITERIA, reading="recorded")
    black = recorded.labels["black2000"] == "withdrawal"
    assert black[truth == "withdrawal"].mean() > 0.4
    assert black[truth == "relapse"].mean() < 0.1
    # Weekly visits: a window that ends on a visit's day hangs on where the onset lies.
    assert recorded.summary.loc["window", "hangs_on_onset"] > 20


def test_the_example_cases():
    found, truth = dataset("example_cases", "told_by_the_person", DIARY)
    labels = apply_rules(found.events, found.status, CRITERIA, reading="recorded").labels
    assert len(labels) == 9
    assert (labels.loc[truth == "withdrawal", "time_28"] == "withdrawal").all()
    assert (labels.loc[truth == "relapse", "time_28"] == "relapse").all()
    assert not (labels.loc[truth == "relapse"] == "withdrawal").any().any()
    features = labels["horowitz_taylor2022"]
    assert (features[truth == "relapse"] == "relapse").all()
    assert not (features[truth == "withdrawal"] == "relapse").any()
