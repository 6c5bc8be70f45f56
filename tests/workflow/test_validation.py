"""The validation of the classifier through the workflow, in little."""

import pandas as pd
import pytest

from conftest import ROOT, run_snakemake

pytestmark = pytest.mark.workflow
DEFAULT = ROOT / "config" / "config.yaml"
LITTLE = "datasets: []\nvalidation: {replicates: 2, chunk: 1, scenarios: [S0]}\n"


def test_chunks_are_gathered_into_gates_and_are_not_done_twice(tmp_path):
    little = tmp_path / "little.yaml"
    little.write_text(LITTLE, encoding="utf-8")
    options = ("--configfile", DEFAULT, little, "--", "validate_classifier")
    run_snakemake(*options, directory=tmp_path / "run")
    gates = pd.read_csv(tmp_path / "run" / "results" / "validation" / "gates.csv")
    assert list(gates.columns) == [
        "gate", "scenario", "quantity", "criterion", "value", "mcse", "passed",
    ]  # fmt: skip
    assert set(gates["passed"].dropna()) <= {"pass", "fail", "inconclusive"}
    # What was interrupted goes on: the chunk that is there stays as it is.
    folder = tmp_path / "run" / "results" / "validation"
    before = (folder / "gates.csv").read_bytes()
    kept = folder / "chunks" / "s0_0.trials.parquet"
    stamp = kept.stat().st_mtime_ns
    (folder / "chunks" / "s0_1.trials.parquet").unlink()
    run_snakemake(*options, directory=tmp_path / "run")
    assert kept.stat().st_mtime_ns == stamp
    assert (folder / "gates.csv").read_bytes() == before
