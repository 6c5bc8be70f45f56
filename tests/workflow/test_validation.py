"""The validation of the classifier through the workflow, in little."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from conftest import ROOT, run_snakemake, variables

pytestmark = [pytest.mark.workflow, pytest.mark.long, pytest.mark.xdist_group("validation")]
DEFAULT = ROOT / "config" / "config.yaml"
LITTLE = "datasets: []\nvalidation: {replicates: 2, chunk: 1, scenarios: [S0]}\n"
CROSSED = "people per arm 80, item contrast 0, relapse HR 1, withdrawal risk 0"


@pytest.fixture(scope="module")
def little(tmp_path_factory):
    """Options of a small validation."""
    file = tmp_path_factory.mktemp("config") / "little.yaml"
    file.write_text(LITTLE, encoding="utf-8")
    return "--configfile", DEFAULT, file, "--", "validate_classifier"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, little):
    """Folder of a small validation that ran through."""
    folder = tmp_path_factory.mktemp("whole")
    run_snakemake(*little, directory=folder)
    return folder


def test_chunks_are_gathered_into_gates(whole):
    gates = pd.read_csv(whole / "results" / "validation" / "gates.csv")
    assert list(gates.columns) == [
        "gate", "scenario", "quantity", "criterion", "value", "mcse", "passed",
    ]  # fmt: skip
    assert set(gates["passed"].dropna()) <= {"pass", "fail", "inconclusive"}
    plan = pd.read_csv(whole / "results" / "provenance" / "validation_time.csv")
    assert list(plan["trials"]) == [2]
    page = (whole / "results" / "validation" / "validation.html").read_text(encoding="utf-8")
    assert "2,000 decide" in page
    assert page.count("inconclusive") > 1


def test_a_longer_run_keeps_the_chunks_of_a_shorter_one(whole, tmp_path):
    longer = tmp_path / "longer.yaml"
    longer.write_text(LITTLE.replace("replicates: 2", "replicates: 3"), encoding="utf-8")
    options = ("--configfile", DEFAULT, longer, "--", "validate_classifier")
    planned = run_snakemake("--dry-run", *options, directory=whole).stdout
    assert "wildcards: chunk=s0_2" in planned
    assert "wildcards: chunk=s0_0" not in planned


def test_other_methods_are_set_beside_the_model(whole, tmp_path):
    more = tmp_path / "more.yaml"
    more.write_text(LITTLE.replace("[S0]", f'[S0, "{CROSSED}"]'), encoding="utf-8")
    done = run_snakemake("--configfile", DEFAULT, more, "--", "validate", directory=whole)
    assert "chunk=s0_0" not in done.stdout  # was there
    found = pd.read_csv(whole / "results" / "validation" / "methods.csv")
    assert set(found["scenario"]) == {"S0", CROSSED}
    assert {"model", "imputed", "oracle", "naive", "landmark", "late_anchored"} < set(
        found["method"]
    )
    assert (found["trials"] == 2).all()
    page = (whole / "results" / "validation" / "methods.html").read_text(encoding="utf-8")
    assert "so the order of biases is not judged" in page
    assert "0 further trials failed." in page
    assert len(pd.read_csv(whole / "results" / "validation" / "methods_failures.csv")) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_a_run_killed_in_the_middle_goes_on_to_the_same_bytes(whole, little, tmp_path):
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", tmp_path, "--cores", "1", *little]
    chunks = tmp_path / "results" / "validation" / "chunks"
    with (tmp_path / "said").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=said, stderr=said, env=variables(), start_new_session=True,
        )  # fmt: skip
        try:
            patience = time.monotonic() + 120
            while not list(chunks.glob("*.failures.csv")) and time.monotonic() < patience:
                time.sleep(0.05)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert len(list(chunks.glob("*.failures.csv"))) == 1, (tmp_path / "said").read_text("utf-8")
    assert not (tmp_path / "results" / "validation" / "gates.csv").exists()
    run_snakemake("--unlock", *little, directory=tmp_path)
    run_snakemake(*little, directory=tmp_path)
    for name in ("gates.csv", "failures.csv"):
        expected = (whole / "results" / "validation" / name).read_bytes()
        assert (tmp_path / "results" / "validation" / name).read_bytes() == expected
