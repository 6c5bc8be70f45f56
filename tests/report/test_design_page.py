"""The page of a planned trial: what it says, and that it needs nothing else."""

import argparse
import re

import pandas as pd
import pytest
import yaml

from design.planned_trials import SMALL
from discontinuation.power_command import add_arguments, run_power
from discontinuation.problems import InvalidInput

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


def test_bad_design_writes_nothing(tmp_path):
    with pytest.raises(InvalidInput, match="must end within"):
        ask(tmp_path, {**QUICK, "follow_up": {"weeks": 10}})
    assert not (tmp_path / "out").exists()
