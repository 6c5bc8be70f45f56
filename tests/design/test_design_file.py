"""Reading a design: what is allowed, and what is said of what is not."""

import numpy as np
import pytest
import yaml

from conftest import ROOT
from design.planned_trials import ROLES, SMALL, content, design
from discontinuation.design.design_file import read_design
from discontinuation.problems import InvalidInput


def refused(**changes):
    with pytest.raises(InvalidInput) as invalid:
        design(**changes)
    return str(invalid.value)


def test_the_example_is_the_three_arm_trial_of_the_dossier():
    found = read_design(ROOT / "config" / "designs" / "settle.yaml")
    assert [arm.strategy for arm in found.arms] == ["maintain", "abrupt", "taper"]
    assert found.taper_end == 112
    assert found.end == 546
    assert found.scenario.horizon_days == 546 + 56
    assert found.scenario.dropout_per_year == pytest.approx(0.25, abs=1e-4)
    assert found.wanted == ["H1", "H2", "H3", "H4"]
    assert found.content["replicates"] == 2000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arms": [*ROLES[:2], {**ROLES[2], "taper_weeks": 80}]}, "must end within the 78 weeks"),
        ({"people_per_arm": [0, 100]}, "a number of 2 or more"),
        ({"people_per_arm": [300, 100]}, "numbers that rise"),
        ({"truths": {"x": {"protracted_share": 1.5}}}, "a number of 1 or less"),
        ({"follow_up": {"weeks": 78, "dropout_in_a_year": 1}}, "dropout_in_a_year"),
        ({"truths": {"x": {"relapse_per_year": 0, "alpha_per_day": 0}}}, "nobody would have"),
        ({"truths": {}}, "a group of at least 1 key"),
        ({"planned_for": "bothe"}, "did you mean 'both'"),
        ({"arms": ROLES[:2]}, "H2 needs an arm with the strategy taper"),
        ({"arms": ROLES[:1]}, "a list of at least 2"),
        ({"arms": [ROLES[0], *ROLES[1:2] * 5]}, "arms"),
        ({"arms": [ROLES[0], ROLES[0], *ROLES[1:]]}, "two arms have this name"),
        ({"visits": {"every_days": 600}}, "within the 546 days"),
        ({"hypotheses": {"taper": "tapr"}}, "did you mean 'taper'"),
        ({"hypotheses": {"tested": ["H1"], "wanted": ["H2"]}}, "allowed: H1"),
        ({"hypotheses": {"share_weeks": 100}}, "follow-up ends after 78 weeks"),
        ({"hypotheses": {"relapse_weeks_after_taper": 70}}, "week 86"),
        ({"assurance": {"withdrawal_risk": {"median": 1.2, "sd": 1}}}, "a number below 1"),
        ({"assurance": {"kappa": {"median": 2, "sd": 1000}}}, "assurance.kappa.sd: '1000'"),
        ({"truths": {"x": {"surge_ratio": 1e300}}}, "truths.x.surge_ratio"),
        ({"drug": {**SMALL["drug"], "ed50_mg": 1e-300}}, "drug.ed50_mg"),
        ({"follow_up": {"weeks": 0.01}}, "follow_up.weeks: '0.01': allowed: a day or more"),
        ({"truths": {2020: {}}}, "truths: '2020': allowed: names that are text"),
        ({"truths": {1: {"kappa": -1}, "x": {"kappa": -1}}}, "truths.x.kappa"),
        ({"arms": [*ROLES] * 2}, "'a list of 6': allowed: a list of at most 5"),
        ({"arms": [*ROLES[:2], {**ROLES[2], "taper_weeks": 0}]}, "taper_weeks: '0': a taper needs"),
        ({"arms": [*ROLES[:2], {**ROLES[2], "step_days": 13}]}, "multiple of the step of 13 days"),
        ({"arms": [*ROLES[:2], {**ROLES[2], "step_days": 112}]}, "that is an abrupt stop"),
        ({"arms": [{**ROLES[0], "rounded_to_mg": 15}, *ROLES[1:]]}, "not those of 'maintain'"),
        ({"arms": [*ROLES[:2], {**ROLES[2], "rounded_to_mg": 15}]}, "full dose of 20 mg is no"),
        ({"arms": [*ROLES[:2], {**ROLES[2], "rounded_to_mg": 20}]}, "rounded_to_mg: '20': leaves"),
        ({"arms": [*ROLES[:2], {**ROLES[2], "rounded_to_mg": 1e-300}]}, "1e-06 and more"),
        (
            {"visits": {"every_days": 84}, "hypotheses": {"share_weeks": 10}},
            "share_weeks: '10': that is day 70, and nobody is looked at before the first visit on "
            "day 84",
        ),
        ({"hypotheses": {"share_weeks": 0.05}}, "day 0.35"),
        ({"drug": {**SMALL["drug"], "half_life": 1}}, "did you mean 'half_life_days'"),
    ],
)
def test_impossible_designs_are_refused(changes, said):
    assert said in refused(**changes)


def test_all_problems_at_once():
    said = refused(
        arms=[*ROLES[:2], {**ROLES[2], "taper_weeks": 90}],
        planned_for="nothing",
        visits={"compare_days": [1, 1000]},
    )
    assert "taper_weeks" in said and "planned_for" in said and "compare_days" in said


def test_faults_of_keys_and_of_their_sense_are_told_together(tmp_path):
    """What rests on a key that is refused is not looked at; all else is."""
    first = {**ROLES[0], "name": "abrupt"}
    faulty = {
        **{key: value for key, value in SMALL.items() if key != "title"},
        "arms": [first, ROLES[1], {**ROLES[2], "taper_weeks": 100}],
        "follow_up": {"weeks": 78, "dropout_in_a_year": 2},
        "hypotheses": {"tested": ["H9"]},
        "planned_for": "bothe",
        "drgu": 1,
    }
    path = tmp_path / "d.yaml"
    path.write_text(yaml.safe_dump(faulty), encoding="utf-8")
    with pytest.raises(InvalidInput) as invalid:
        read_design(path)
    assert [problem.column for problem in invalid.value.problems] == [
        "drgu", "title", "follow_up.dropout_in_a_year", "hypotheses.tested[0]", "arms",
        "arms[2].taper_weeks", "planned_for",
    ]  # fmt: skip


def test_a_look_is_at_the_last_visit_before_it():
    made = design(visits={"every_days": 84}, hypotheses={"share_weeks": 52})
    assert made.look("H4") == 364 and made.looks_on("H4") == 336
    assert made.look("H3") == 476 and made.looks_on("H3") == 420
    assert made.looks_on("H1") == 546
    assert np.isnan(design(hypotheses={"share_weeks": 8}).seen_every(84).looks_on("H4"))


def test_a_file_is_read(tmp_path):
    path = tmp_path / "d.yaml"
    path.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    found = read_design(path)
    assert found.planned_for == "both"
    assert found.file == "d.yaml"
    assert found.content == content()


def test_tapers_are_found_by_name():
    second = {"name": "slower", "strategy": "taper", "taper_weeks": 26, "shape": "linear"}
    four = design(arms=[*ROLES, second], hypotheses={"taper": "slower"})
    assert four.place("taper") == 3
    assert four.taper_end == 182
    assert design(arms=[*ROLES, second]).place("taper") == 2
