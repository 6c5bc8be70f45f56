"""What made these results: configuration, code, inputs, packages, seed and time."""

from __future__ import annotations

import csv
import hashlib
import locale
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import discontinuation
from discontinuation.fingerprint import ROOT


def describe_run(
    config: Mapping[str, Any], inputs: Iterable[Path], benchmarks: Path, project: Path
) -> dict[str, Any]:
    """Describe one run of the workflow.

    Parameters
    ----------
    config
        The completed configuration.
    inputs
        Files that the run read.
    benchmarks
        Folder with one TSV per rule, and per dataset in a folder of the rule.
    project
        Folder of the project, from which paths are told.

    Returns
    -------
    dict
        Ready to be written as JSON.
    """
    return {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": describe_code(project),
        "config": dict(config),
        "seed": config["seed"],
        "inputs": hash_inputs(inputs, project),
        "seconds_per_rule": wall_seconds(benchmarks),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "locale": locale.setlocale(locale.LC_ALL),
        "packages": installed_packages(),
    }


def describe_code(project: Path) -> dict[str, str | None]:
    """Identify the code: version, digest of the sources, and commit where there is one."""
    digest = hashlib.sha256()
    for path in sorted(ROOT.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return {
        "version": discontinuation.__version__,
        "source_sha256": digest.hexdigest(),
        "commit": _commit(project),
    }


def _commit(project: Path) -> str | None:
    """Name the commit; a downloaded archive has none, a machine may lack git."""
    if not (project / ".git").exists():
        return None
    command = ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def hash_inputs(inputs: Iterable[Path], project: Path) -> dict[str, str]:
    """Digest the files that a run read, by their paths in the project."""
    return {_relative(path, project): sha256(path) for path in sorted(set(inputs))}


def sha256(path: Path) -> str:
    """Digest a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _relative(path: Path, project: Path) -> str:
    """Tell a path from the project, or only its name: no machine's folders in results."""
    path = path.resolve()
    inside = path.is_relative_to(project.resolve())
    return (path.relative_to(project.resolve()) if inside else Path(path.name)).as_posix()


def wall_seconds(benchmarks: Path) -> dict[str, float]:
    """Read the wall time of each rule from its benchmark file."""
    seconds = {}
    for path in sorted(benchmarks.rglob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as lines:
            job = path.relative_to(benchmarks).with_suffix("").as_posix()
            seconds[job] = float(next(csv.DictReader(lines, delimiter="\t"))["s"])
    return seconds


def installed_packages() -> dict[str, str]:
    """List the installed packages and their versions."""
    return {d.metadata["Name"].lower(): d.version for d in distributions() if d.metadata["Name"]}
