"""The page of a planned trial: what it says, and that it needs nothing else."""

import argparse
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from design.planned_trials import ROLES, SMALL, design
from discontinuation.design.assurance import assurance
from discontinuation.design.needed_follow_up import needed_follow_up
from discontinuation.design.power import Power
from discontinuation.design.trial_plan import TrialPlan
from discontinuation.design.true_answers import true_answers
from discontinuation.power_command import add_arguments, run_power
from discontinuation.problems import InvalidInput
from discontinuation.report.design_words import (
    facts,
    hypotheses,
    limits,
    size_sentence,
    visits_words,
)

QUICK = {
    **SMALL,
    "title": "Stop <at once> & taper",
    "truths": {
        "both": {"label": "both causes"},
        "surge": {"label": "early <surge>", "alpha_per_day": 0, "surge_ratio": 3},
    },
    "people_per_arm": [60, 200],
    "replicates": 120,
    "visits": {"compare_days": [1, 84]},
    "assurance": {"draws": 5},
    "reestimation": {"trials": 10},
}


def ask(folder, content=QUICK, name="small.yaml"):
    path = folder / name
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run_power(parser.parse_args([str(path), "--into", str(folder / "out")]))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("design")
    return ask(folder), folder / "out"


def test_everything_is_written(made):
    text, folder = made
    assert "None of the sizes that were tried, up to 200 per arm" in text
    assert {path.name for path in folder.iterdir()} == {
        "design.html", "power.svg", "power.png", "power.csv", "formula.csv", "truths.csv",
        "follow_up.csv", "assurance.csv", "assurance_draws.csv", "visits.csv", "reestimation.csv",
    }  # fmt: skip
    power = pd.read_csv(folder / "power.csv")
    assert set(power["truth"]) == {"both", "surge"}
    assert power["mcse"].notna().all()


def test_page_says_what_it_could_not_show(made):
    page = (made[1] / "design.html").read_text(encoding="utf-8")
    assert "What it could not show" in page
    assert "so it settles nothing" in page
    assert "H1 (withdrawal exists), where it is not true" in page
    assert "H3 (maintenance is better), where it is true" in page
    assert "None of the sizes" in page
    assert "Nothing here advises anyone to stop or to reduce" in page


def test_page_needs_nothing_and_escapes_the_file(made):
    page = (made[1] / "design.html").read_text(encoding="utf-8")
    assert "<at once>" not in page and "&lt;at once&gt;" in page
    assert "<surge>" not in page
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)
    assert "{{" not in page


def test_same_file_same_bytes(made, tmp_path):
    ask(tmp_path)
    for path in made[1].iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes(), path.name


def test_a_size_is_recommended(tmp_path):
    plain = {**QUICK, "hypotheses": {"wanted": ["H1"], "power": 0.8}, "people_per_arm": [200]}
    text = ask(tmp_path, plain)
    assert "200 people per arm, 600 in all, have a power of at least 0.8 for H1" in text


def test_page_says_what_is_tested_when_and_against_which_arm():
    more = [
        {"name": "slower", "strategy": "taper", "taper_weeks": 24, "step_days": 14,
         "rounded_to_mg": 0.5},
    ]  # fmt: skip
    made = design(
        arms=[*ROLES, *more],
        hypotheses={"taper": "slower", "margin": 0.07, "share": 0.3},
        visits={"every_days": 84},
    )
    said = dict(hypotheses(made))
    assert "“abrupt” minus “slower”" in said["H2"] and "day 546" in said["H2"]
    assert "margin of 0.07" in said["H3"] and "52 weeks after the taper, day 532" in said["H3"]
    assert "by week 52, day 364, against 0.3" in said["H4"]
    found = dict(facts(made))
    assert (
        "12 equal falls of occupancy, one every 14 days, doses rounded to 0.5 mg" in found["Arms"]
    )
    assert "22.1 % of people are assumed to leave" in found["Follow-up"]
    assert "H4 at week 52, day 364 (the last visit by then is on day 336)" in found["Looks"]
    assert "day 532 (the last visit by then is on day 504)" in found["Looks"]


FEW = {"people_per_arm": [50], "assurance": {"draws": 2}}


def plan_of(made, **changes):
    """A plan without simulation."""
    empty = pd.DataFrame({"truth": [], "test": [], "true": []})
    rows = pd.DataFrame(
        {"truth": ["both"], "people_per_arm": [50], "kind": ["hypothesis"], "test": ["H1"],
         "contrast": [""], "simulated": [0.72], "lower": [0.70], "upper": [0.74],
         "formula": [0.61], "replicates": [2000]} | changes
    )  # fmt: skip
    power = Power(made, rows, pd.DataFrame(), {"H1": ["H1"]})
    return TrialPlan(
        power, true_answers(made), needed_follow_up(made), assurance(made), empty, None, 50
    )


def test_page_says_what_is_over_and_what_the_priors_allow():
    truths = {
        "both": {"label": "much", "alpha_per_day": 0.4},
        "slow": {"label": "slow one", "protracted_share": 0.5, "protracted_tau_days": 400},
        "never": {"label": "no relapse", "relapse_per_year": 0},
    }
    made = design(truths=truths, hypotheses={"tested": ["H1"]}, replicates=2000, **FEW)
    said = " ".join(limits(plan_of(made)))
    assert "“slow one”, withdrawal would not be over when follow-up ends in “abrupt”" in said
    assert "“much”, withdrawal would not be over" not in said
    assert "“no relapse”, there is no relapse to set withdrawal against" in said
    assert "there the risk of withdrawal after an abrupt stop is 0.89" in said
    assert "outside the central 95 % of its prior (0.0365 to 0.371)" in said
    assert "the formula is off with 50 per arm, by as much as 0.11 (72.0 % simulated" in said
    near = plan_of(design(hypotheses={"tested": ["H1"]}, **FEW), formula=[0.70])
    quiet = " ".join(limits(near))
    for words in ("not be over", "no relapse to set", "formula is off"):
        assert words not in quiet


def test_sparse_visits_leave_a_hypothesis_without_a_value():
    plan = plan_of(design(hypotheses={"tested": ["H1", "H4"], "share_weeks": 8}, **FEW))
    rows = {"visit_days": [42, 84], "test": ["H4", "H4"], "looks_on": [42.0, np.nan]}
    said = visits_words(replace(plan, visits=pd.DataFrame(rows)))
    assert "With 84 days between visits H4 has no value: it looks on day 56, before" in said
    assert "With 42 days" not in said


def test_few_replicates_recommend_nothing():
    made = design(hypotheses={"tested": ["H1"]}, replicates=99, **FEW)
    said = list(limits(plan_of(made, simulated=[1.0], lower=[0.96], replicates=[99])))
    assert said[0] == (
        "There is no recommended size after 99 simulated trials of each truth and size; that takes "
        "100 or more."
    )


def test_size_has_its_range_and_what_it_leaves_open():
    made = design(hypotheses={"tested": ["H1"], "power": 0.71}, **FEW)
    said = size_sentence(plan_of(made))
    assert said.startswith("None of the sizes that were tried, up to 50 per arm, has a power")
    assert "72.0 % of simulated trials, 70.0 % to 74.0 % with two Monte-Carlo errors" in said
    assert "Monte-Carlo error leaves open whether 50 per arm would do" in said


def test_bad_design_writes_nothing(tmp_path):
    with pytest.raises(InvalidInput, match="must end within"):
        ask(tmp_path, {**QUICK, "follow_up": {"weeks": 10}})
    assert not (tmp_path / "out").exists()
