"""The same validation through Slurm and on this machine: the same bytes."""

import shutil
import subprocess
from importlib.util import find_spec

import pytest

from conftest import ROOT, run_snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("slurm")]
DEFAULT = ROOT / "config" / "config.yaml"
LITTLE = "datasets: []\nvalidation: {replicates: 2, chunk: 1, scenarios: [S0]}\n"


def slurm_is_up():
    if shutil.which("sinfo") is None:
        return False
    return subprocess.run(["sinfo"], capture_output=True).returncode == 0


@pytest.fixture
def slurm():
    if find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("the packages of profiles/slurm/requirements.lock are not installed")
    if not slurm_is_up():
        pytest.skip("no Slurm runs on this machine (.ci/start-slurm starts one)")


def test_slurm_and_this_machine_give_the_same_bytes(slurm, tmp_path):
    little = tmp_path / "little.yaml"
    little.write_text(LITTLE, encoding="utf-8")
    options = ("--configfile", DEFAULT, little, "--", "validate_classifier")
    run_snakemake(*options, directory=tmp_path / "here")
    through_slurm = (
        "--workflow-profile", ROOT / "profiles" / "slurm",
        "--latency-wait", "5",
        # This Slurm keeps no accounts; on a cluster the plugin's own choice is right.
        "--slurm-status-command", "squeue",
        "--slurm-init-seconds-before-status-checks", "3",
    )  # fmt: skip
    said = run_snakemake(*through_slurm, *options, directory=tmp_path / "cluster").stdout
    # Both chunks in one job of the cluster, which would be too short each alone.
    assert said.count("group_chunks_measure_chunk") == 1, said
    here, cluster = (tmp_path / name / "results" / "validation" for name in ("here", "cluster"))
    files = sorted(path.relative_to(here) for path in here.rglob("*") if path.is_file())
    assert len(files) == 2 * 3 + 8
    for file in files:
        assert (cluster / file).read_bytes() == (here / file).read_bytes(), file
