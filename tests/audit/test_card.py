"""Audit cards: the same words whatever the verdict, and never more than the tier allows."""

import json
from argparse import Namespace

import numpy as np
import pytest
import yaml

from conftest import ROOT
from discontinuation.audit.card import audit_card, card_as_data
from discontinuation.audit.study import read_study
from discontinuation.audit_command import run_audit
from discontinuation.exposure.drugs import read_drugs
from discontinuation.problems import InvalidInput
from discontinuation.survival import kaplan_meier

DRUGS = read_drugs(ROOT / "data" / "reference")
WEEKS = np.arange(53)


def arm(rate, seed, early=0.0, people=300):
    """Points and risk table of a made-up arm, followed for a year; times in weeks."""
    stream = np.random.default_rng(seed)
    time = stream.exponential(1 / rate, people)
    hit = stream.random(people) < early
    time = np.where(hit, np.minimum(time, stream.uniform(0.5, 4, people)), time)
    end = np.minimum(stream.uniform(40, 120, people), 52)
    seen, event = np.minimum(time, end), (time <= end).astype(int)
    curve = kaplan_meier(seen, event).at(WEEKS)["survival"].ffill()
    return {
        "people": people,
        "events": int(event.sum()),
        "clicks": [[float(t), float(s)] for t, s in zip(WEEKS, curve, strict=True)],
        "at_risk": [[float(t), int((seen >= t).sum())] for t in (0, 13, 26, 39, 52)],
    }


def study(**changes):
    base = {
        "study": "made_up",
        "title": "A made-up trial",
        "drug": "paroxetine",
        "starting_dose": 20,
        "taper_days": 0,
        "unit": "weeks",
        "arms": {"continued": arm(0.009, 1), "stopped": arm(0.027, 2)},
    }
    return {**base, **changes}


def counts(continued, stopped, people=100, **changes):
    """A study with counts (week, events) only."""
    arms = {
        name: {"counts": [{"time": t, "events": e, "people": people} for t, e in given]}
        for name, given in (("continued", continued), ("stopped", stopped))
    }
    return study(arms=arms, **changes)


def card(content, tmp_path, seed=1):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return audit_card(read_study(path), DRUGS, seed)


def estimate(card, measure):
    return card.measures.set_index("measure").loc[measure]


@pytest.mark.long
def test_a_trial_without_withdrawal_and_a_hazard_ratio_of_3_gets_a_card_that_says_so(tmp_path):
    found = card(study(), tmp_path)
    assert found.tier == 3
    assert found.verdict == "no sign of an early excess or shortfall beyond the margin of 0.2"
    ratio = estimate(found, "late hazard ratio")
    assert ratio["lower"] < 3 < ratio["upper"]
    answers = found.answers.set_index("question")["answer"]
    assert answers["W8"] == "Y"


def test_a_trial_with_much_early_says_so_and_names_no_cause(tmp_path):
    content = study(arms={"continued": arm(0.009, 1), "stopped": arm(0.012, 2, early=0.3)})
    found = card(content, tmp_path)
    assert found.verdict == "early excess, cause not identified"
    assert found.answers.set_index("question").loc["W8", "answer"] == "N"
    said = json.dumps(card_as_data(found))
    assert "% is withdrawal" not in said
    assert "cause not identified" in found.claim


def test_swapping_the_arms_mirrors_the_verdict(tmp_path):
    early = arm(0.012, 2, early=0.3)
    one = card(study(arms={"continued": arm(0.009, 1), "stopped": early}), tmp_path)
    other = card(study(arms={"continued": early, "stopped": arm(0.009, 1)}), tmp_path)
    assert "excess" in one.verdict
    assert one.verdict.replace("excess", "shortfall") == other.verdict


def test_counts_are_descriptive_and_the_endpoint_alone_cannot_be_judged(tmp_path):
    two = card(counts([(4, 5), (52, 30)], [(4, 20), (52, 50)]), tmp_path)
    assert two.tier == 4
    assert "descriptive only" in two.claim
    one = card(counts([(52, 30)], [(52, 50)]), tmp_path)
    assert one.tier == 5
    assert one.verdict == "cannot be judged"
    assert estimate(one, "risk ratio, stopped over continued")["estimate"] == pytest.approx(5 / 3)


def test_published_counts_give_the_published_share(tmp_path):
    """PREVENT with venlafaxine: half of the difference at a year is there within weeks."""
    found = card(counts([(4, 10), (52, 40)], [(4, 30), (52, 80)]), tmp_path)
    share = estimate(found, "early share of the difference at the end")["estimate"]
    assert share == pytest.approx((0.3 - 0.1) / (0.8 - 0.4))


@pytest.mark.parametrize(
    ("weeks", "continued", "stopped", "share"),
    [
        ((26, 52), (170, 210), (348, 451), 0.74),  # Hu 2024, 35 trials pooled, per 1000
        ((13, 26), (0, 0), (250, 240), 1.04),  # Simon 2004: the gap shrinks
        ((26, 52), (0, 0), (96, 189), 0.51),  # PREVENT, venlafaxine
    ],
)
def test_published_gaps_have_the_published_share_and_tell_nothing_about_withdrawal(
    tmp_path, weeks, continued, stopped, share
):
    gaps = [s - c for s, c in zip(stopped, continued, strict=True)]
    assert gaps[0] / gaps[1] == pytest.approx(share, abs=0.005)
    if gaps[0] <= gaps[1] and all(continued):
        given = [list(zip(weeks, arm, strict=True)) for arm in (continued, stopped)]
        inside = card(counts(*given, people=1000, window_days=200), tmp_path)
        found = estimate(inside, "early share of the difference at the end")
        assert found["estimate"] == pytest.approx(share, abs=0.005)
        expected = estimate(inside, "expected with no withdrawal")["estimate"]
        assert 0.5 < expected < 1  # most of it would be early anyway
        outside = card(counts(*given, people=1000), tmp_path)
        assert outside.verdict == "cannot be judged"


def test_points_outside_the_window_tell_nothing_early(tmp_path):
    found = card(counts([(26, 10), (52, 30)], [(26, 30), (52, 50)]), tmp_path)
    assert found.verdict == "cannot be judged"
    assert any("within the withdrawal window" in note for note in found.notes)


def test_a_window_past_the_end_says_that_nothing_can_be_compared(tmp_path):
    found = card(study(window_days=900), tmp_path)
    assert found.verdict == "cannot be judged"
    assert any("reaches past the end of follow-up" in note for note in found.notes)


def test_an_unknown_taper_is_not_guessed(tmp_path):
    found = card(study(taper_days=None), tmp_path)
    assert found.removal.known == "nothing"
    answer = found.answers.set_index("question").loc["W1"]
    assert answer["answer"] == "NI"
    assert "not stated" in answer["reason"]


def test_a_length_alone_gives_a_range_and_steps_give_a_number(tmp_path):
    length = card(study(taper_days=84), tmp_path).removal.quantities.set_index("quantity")
    assert length.loc["fall_90_10_days", "lowest"] < length.loc["fall_90_10_days", "highest"]
    steps = [{"day": 0, "dose": 10}, {"day": 14, "dose": 5}, {"day": 28, "dose": 0}]
    known = card(study(taper=steps, taper_days=None), tmp_path).removal
    assert known.known == "steps"
    assert known.taper_days == 28


def test_a_drug_that_is_not_known_keeps_what_needs_no_occupancy(tmp_path):
    found = card(study(drug="nothing at all", window_days=60), tmp_path)
    assert found.tier == 3
    assert any("not in the reference tables" in note for note in found.notes)


def test_a_rejected_reconstruction_is_not_analysed(tmp_path):
    content = study()
    content["arms"]["stopped"]["at_risk"] = [[0, 300], [13, 299], [26, 298], [52, 297]]
    found = card(content, tmp_path)
    assert found.tier > 3
    assert found.people.empty
    assert any("rejected" in note for note in found.notes)


def test_what_would_change_it_names_answers_that_would(tmp_path):
    found = card(study(answers={"W2": {"answer": "N", "reason": "none"}}), tmp_path)
    assert found.would_change[-1].startswith("Individual data")
    assert found.judgement == "Cannot be judged" or found.would_change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"drugg": "x"}, "unknown key"),
        ({"taper_days": -1}, "taper_days"),
        ({"taper": [{"day": 0, "dose": 5}]}, "last step must be to dose 0"),
        ({"taper": [{"day": 5, "dose": 5}, {"day": 1, "dose": 0}]}, "must rise"),
        ({"answers": {"W9": {"answer": "Y", "reason": "x"}}}, "W9"),
        ({"answers": {"W2": {"answer": "maybe", "reason": "x"}}}, "maybe"),
        ({"arms": {"continued": {}, "stopped": {}}}, "neither a curve (clicks) nor counts"),
        ({"unit": "fortnights"}, "days, weeks, months, years"),
    ],
)
def test_bad_files_are_refused_in_words(tmp_path, change, said):
    with pytest.raises(InvalidInput) as refused:
        card(study(**change), tmp_path)
    assert said in str(refused.value)


def test_impossible_counts_are_all_listed(tmp_path):
    content = counts([(4, 50), (52, 40)], [(4, 20), (52, 150)])
    with pytest.raises(InvalidInput) as refused:
        card(content, tmp_path)
    assert len(refused.value.problems) == 2


def test_the_command_writes_a_card_that_asks_for_nothing(tmp_path):
    said = run_audit(
        Namespace(study=ROOT / "docs" / "example_study.yaml", into=tmp_path / "card", seed=1)
    )
    assert "Verdict: " in said
    page = (tmp_path / "card" / "card.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "This is a research tool" in page
    data = json.loads((tmp_path / "card" / "card.json").read_text(encoding="utf-8"))
    assert data["tier"] == 3
    again = tmp_path / "again"
    run_audit(Namespace(study=ROOT / "docs" / "example_study.yaml", into=again, seed=1))
    assert (again / "card.json").read_bytes() == (tmp_path / "card" / "card.json").read_bytes()


def test_what_a_study_file_says_is_escaped(tmp_path):
    path = tmp_path / "study.yaml"
    content = study(title="<script>alert(1)</script>", citation="<b>x</b>")
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    run_audit(Namespace(study=path, into=tmp_path / "out", seed=1))
    page = (tmp_path / "out" / "card.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<b>x</b>" not in page
