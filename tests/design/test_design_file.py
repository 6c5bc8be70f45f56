"""Reading a design: what is allowed, and what is said of what is not."""

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
        ({"assurance": {"withdrawal_risk": {"median": 1.2, "sd": 1}}}, "below 1"),
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
