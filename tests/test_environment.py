"""environment.yml, pyproject.toml and requirements.lock say the same, and name no server."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from conftest import ROOT
from discontinuation.doctor import locked_versions

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
# Where conda's name for the same software differs.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "snakemake": "snakemake-minimal"}


def environment():
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_environment_yml_asks_for_what_pyproject_asks_for():
    entries = (e.partition(" ") for e in environment()["dependencies"] if isinstance(e, str))
    asked = {name: SpecifierSet(limits) for name, _, limits in entries}
    wanted = {
        CONDA_NAMES.get(r.name, r.name): r.specifier
        for r in map(Requirement, PROJECT["dependencies"])
    }
    wanted |= {"python": SpecifierSet(PROJECT["requires-python"]), "pip": SpecifierSet()}
    assert asked == wanted


def test_pip_section_holds_only_what_a_requirements_file_may():
    (section,) = [e["pip"] for e in environment()["dependencies"] if isinstance(e, dict)]
    assert section == ["--editable ."]


def test_lock_satisfies_every_requirement():
    locked = locked_versions(LOCK)
    extras = PROJECT["optional-dependencies"]
    asked = PROJECT["dependencies"] + [r for extra in extras.values() for r in extra]
    for requirement in map(Requirement, asked):
        for version in locked[requirement.name.lower().replace("_", "-")]:
            assert requirement.specifier.contains(version), requirement


def test_lock_names_no_server_and_hashes_everything():
    assert "://" not in LOCK
    assert not re.search(r"^--", LOCK, re.MULTILINE)
    for entry in re.split(r"^(?=\w)", LOCK, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["snakefmt", "--check", "Snakefile", "workflow"],
        pytest.param(["mypy"], marks=pytest.mark.long),  # a minute and more the first time
    ],
    ids=" ".join,
)
def test_code_is_clean(command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
