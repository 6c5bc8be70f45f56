"""One dataset alone: check it, run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from discontinuation.fingerprint import ROOT
from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import find_declaration, read_declaration
from discontinuation.ingest.outline import outline
from discontinuation.ingest.places import mirror_folder
from discontinuation.ingest.yaml_text import UniqueKeyLoader, read_yaml

PROJECT = ROOT.parents[1]
CONFIG = Path("config") / "config.yaml"


def check_dataset(name: str, data: Path | None = None) -> str:
    """Read, map and validate a dataset without running anything else.

    Parameters
    ----------
    name
        Its name, or the path of its YAML file.
    data
        A folder with a copy of the data; otherwise that of the configuration, if any.

    Returns
    -------
    str
        What the dataset holds.

    Raises
    ------
    InvalidInput
        With every problem.
    """
    declaration = read_declaration(find_declaration(name))
    return outline(load_dataset(declaration, data or mirror_folder(_configured_mirror())))


def _configured_mirror() -> str | None:
    path = _config_file()
    mirror = read_yaml(path, str(path), UniqueKeyLoader).get("data_mirror")
    return str(mirror) if mirror else None


def _config_file() -> Path:
    """Find the configuration: that of the working folder, or the project's."""
    return CONFIG if CONFIG.exists() else PROJECT / CONFIG


def run_dataset(name: str, options: Sequence[str]) -> int:
    """Build the report of one dataset.

    Parameters
    ----------
    name
        Its name, or the path of its YAML file.
    options
        Further options of Snakemake.

    Returns
    -------
    int
        Snakemake's exit code.
    """
    path = find_declaration(name)
    snakefile = PROJECT / "Snakefile"
    if not snakefile.exists():
        sys.exit(
            "The workflow was not found beside the package: install the project's folder with "
            "'python3 reproduce.py' or 'pip install --editable'."
        )
    # JSON is YAML, and quotes what a path may hold.
    chosen = f"datasets={json.dumps([str(path.resolve())])}"
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
    command += ["--configfile", str(_config_file()), "--config", chosen, "--directory", "."]
    page = Path("results") / "datasets" / path.stem / "report.html"
    command += [*options, "--", page.as_posix()]
    code = subprocess.call(command, env={**os.environ, "PYTHONUTF8": "1"})
    if code == 0 and page.exists():
        print(f"The page of this dataset is {page.absolute()}")
    return code
