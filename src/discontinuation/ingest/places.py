"""Where on this machine do the files of a dataset lie?"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from discontinuation.fingerprint import ROOT
from discontinuation.problems import Problem

PROJECT = ROOT.parents[1]
RAW = Path("data") / "raw"
MIRROR_VARIABLE = "DISCONTINUATION_DATA"


def mirror_folder(configured: str | None = None) -> Path | None:
    """Find the local copy of the data: the variable DISCONTINUATION_DATA, or the configured one."""
    folder = os.environ.get(MIRROR_VARIABLE) or configured
    return Path(folder) if folder else None


def candidates(path: str, mirror: Path | None) -> list[Path]:
    """List the places in which a file is looked for, in their order."""
    if Path(path).is_absolute():
        return [Path(path)]
    places = [mirror / path] if mirror else []
    return [*places, RAW / path, Path(path), PROJECT / path]


def locate(
    files: Mapping[str, Mapping[str, Any]], mirror: Path | None, dataset: str, declared_in: str
) -> tuple[dict[str, Path], list[Problem]]:
    """Find every file of a dataset and compare its SHA-256 with the declared one.

    Parameters
    ----------
    files
        The `files` of the declaration.
    mirror
        A local copy of the data, or None.
    dataset
        Name of the dataset.
    declared_in
        How messages call the declaration.
    """
    found: dict[str, Path] = {}
    problems = []
    for name, file in files.items():
        places = candidates(file["path"], mirror)
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            message = "the file is missing; looked for " + ", ".join(
                map(str, dict.fromkeys(places))
            )
            if "address" in file:
                message += f"; fetch it with: python3 reproduce.py fetch_{dataset}"
            problems.append(Problem(declared_in, message, column=f"files.{name}.path"))
            continue
        found[name] = path
        if "sha256" in file and sha256(path) != file["sha256"]:
            message = f"{path} is not the declared file: its SHA-256 is {sha256(path)}"
            problems.append(Problem(declared_in, message, column=f"files.{name}.sha256"))
    return found, problems


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
