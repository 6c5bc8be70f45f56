"""A planned trial through the workflow and through the command: the same numbers."""

import pandas as pd
import pytest
import yaml

from conftest import ROOT, run_snakemake
from discontinuation.cli import main

pytestmark = pytest.mark.workflow


def test_the_bundled_design_is_a_target():
    said = run_snakemake("--dry-run", "plan_trials", directory=ROOT).stdout
    assert "config/designs/settle.yaml" in said


@pytest.mark.long
def test_the_command_plans_and_its_numbers_do_not_depend_on_cores(tmp_path, capsys):
    design = yaml.safe_load((ROOT / "config/designs/settle.yaml").read_text(encoding="utf-8"))
    few = {name: design["truths"][name] for name in ("little", "relapse")}
    design |= {"people_per_arm": [150], "replicates": 40, "truths": few}
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(design), encoding="utf-8")
    for cores in ("1", "2"):
        into = str(tmp_path / cores)
        assert main(["power", str(file), "--into", into, "--cores", cores]) == 0
    said = capsys.readouterr().out
    assert "What it could not show" in said
    one, two = (pd.read_csv(tmp_path / cores / "power.csv") for cores in ("1", "2"))
    pd.testing.assert_frame_equal(one, two)
    page = (tmp_path / "1" / "design.html").read_text(encoding="utf-8")
    assert "Nothing here advises anyone" in page


def test_all_problems_of_a_design_are_told_at_once(tmp_path, capsys):
    design = yaml.safe_load((ROOT / "config/designs/settle.yaml").read_text(encoding="utf-8"))
    design["people_per_arm"] = [0]
    design["arms"][2]["taper_weeks"] = 500
    file = tmp_path / "impossible.yaml"
    file.write_text(yaml.safe_dump(design), encoding="utf-8")
    assert main(["power", str(file), "--into", str(tmp_path / "none")]) != 0
    said = capsys.readouterr()
    assert "people_per_arm" in said.out + said.err
    assert not (tmp_path / "none").exists()
