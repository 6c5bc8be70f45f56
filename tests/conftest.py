"""Shared by all tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Enough to find what is wrong within minutes; a test that needs more asks for it.
settings.register_profile("quick", max_examples=20, deadline=None)
settings.load_profile("quick")

# Before anything imports numpy: small matrices are slower on several threads than on one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Tests that need a copy of real data say so themselves.
os.environ.pop("DISCONTINUATION_DATA", None)

ROOT = Path(__file__).parents[1]
# Real datasets that are not ours to ship lie beside the project on developers' machines.
SHARED = ROOT.parent / "shared"


# Laid over the configuration where the datasets are not what is tested.
EVIDENCE_ONLY = [
    "--configfile", ROOT / "config" / "config.yaml",
    ROOT / "tests" / "workflow" / "no_datasets.yaml",
]  # fmt: skip
# Tests that look at the same run stay on one worker, so that it is made once.
RUNS = {"run": {"finished", "own_evidence"}, "default": {"finished_default"}}


def variables(**changes):
    """Environment of a subprocess: UTF-8, the package from this checkout, cached bytecode."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT / "src"), **changes}


def run_snakemake(*options, directory, check=True):
    """Run the workflow with everything it makes in another directory."""
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", directory, "--cores", "2", *options]
    if "--configfile" not in options:
        command += ["--configfile", ROOT / "config" / "config.yaml"]
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env=variables(),
    )
    assert not check or done.returncode == 0, done.stdout
    return done


@pytest.hookimpl(wrapper=True)  # before pytest-xdist looks at the marks
def pytest_collection_modifyitems(items):
    """Keep the tests that look at the same run on one worker."""
    for item in items:
        for group, fixtures in RUNS.items():
            if fixtures & set(item.fixturenames):
                item.add_marker(pytest.mark.xdist_group(group))
    return (yield)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Folder of one finished run on the published evidence."""
    directory = tmp_path_factory.mktemp("a run with é")
    run_snakemake(*EVIDENCE_ONLY, directory=directory)
    return directory


@pytest.fixture(scope="session")
def finished_default(tmp_path_factory):
    """Folder of one finished default run, with the bundled datasets; for long tests."""
    directory = tmp_path_factory.mktemp("default")
    run_snakemake(directory=directory)
    return directory


@pytest.fixture(scope="session")
def shared_data():
    """Folder of the real datasets, or skip."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the real datasets (../shared/data) are not on this machine")
    return folder
