"""A review in its own folder: start it, check it, run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from discontinuation.fingerprint import ROOT
from discontinuation.ingest.evidence import Collection, read_collection
from discontinuation.ingest.workbook import WORKBOOK, write_workbook
from discontinuation.ingest.yaml_text import UniqueKeyLoader, read_yaml

PROJECT = ROOT.parents[1]
CONFIG = "config.yaml"

CONFIG_TEXT = """\
# The settings of this review. Every key is explained in the project's config/README.md.
title: {title}

evidence:
  sources:
    # This folder: the workbook beside this file.
    - {{folder: ".", use: include}}
    # The bundled evidence: include (pooled with yours), compare (shown beside), exclude.
    - {{folder: data/published, use: compare}}
"""


def new_review(folder: Path) -> list[Path]:
    """Start a review: a folder with an empty workbook and a configuration.

    Parameters
    ----------
    folder
        Made if it does not exist.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    FileExistsError
        If either file is there already; nothing is overwritten.
    """
    workbook, config = folder / WORKBOOK, folder / CONFIG
    for path in (workbook, config):
        if path.exists():
            raise FileExistsError(f"{path} exists already and is left as it is")
    folder.mkdir(parents=True, exist_ok=True)
    title = folder.resolve().name
    write_workbook(workbook, title)
    config.write_text(CONFIG_TEXT.format(title=_quoted(title)), encoding="utf-8")
    return [workbook, config]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def check_review(folder: Path) -> str:
    """Check the workbook of a review and summarise what it holds.

    Raises
    ------
    InvalidInput
        With every problem.
    """
    return summary(read_collection(folder))


def check_settings(folder: Path) -> None:
    """Check that a review's configuration can be read; the workflow checks what it says.

    Raises
    ------
    InvalidInput
        If it is missing, not UTF-8, not YAML, not a group of keys, or says something twice.
    """
    path = folder / CONFIG
    # Snakemake reads it as YAML 1.1.
    read_yaml(path, str(path), UniqueKeyLoader)


def summary(collection: Collection) -> str:
    """Say how much of what a collection holds."""
    lines = [f"{collection.name}: no problem found."]
    for name, table in collection.current.items():
        lines.append(f"  {name}: {len(table.records)} row{'s' if len(table.records) != 1 else ''}")
    arms = collection.current["arms"].records
    unknown = sum(cells["strategy"] == "unspecified" for cells in arms)
    if unknown:
        lines.append(f"  {unknown} of {len(arms)} arms do not say how the drug was stopped")
    return "\n".join(lines)


def run_review(folder: Path, options: Sequence[str]) -> int:
    """Run the workflow on a review; everything it makes stays in the review's folder.

    Parameters
    ----------
    folder
        The review.
    options
        Further options of Snakemake.

    Returns
    -------
    int
        Snakemake's exit code.
    """
    snakefile = PROJECT / "Snakefile"
    if not snakefile.exists():
        sys.exit(
            "The workflow was not found beside the package: install the project's folder with "
            "'python3 reproduce.py' or 'pip install --editable'."
        )
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
    command += ["--directory", str(folder), "--configfile", str(folder / CONFIG)]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    return subprocess.call([*command, *options], env=environment)
