"""Pack a finished run as a Workflow Run RO-Crate, version 0.5 of the profile.

One archive holds the workflow, its configuration, its inputs and results, and a machine-readable
statement of what made what (https://w3id.org/ro/wfrun/workflow/0.5).
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

WORKFLOW = "Snakefile"
RUN_PROFILES = [f"https://w3id.org/ro/wfrun/{name}/0.5" for name in ("process", "workflow")]
WORKFLOW_PROFILE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
LICENCE = "https://spdx.org/licenses/BSD-3-Clause"
CARRIED = (
    WORKFLOW,
    "workflow",
    "config",
    "src",
    "data",
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "pyproject.toml",
    "requirements.lock",
)
# Zip archives cannot say "no time": the earliest they can is the same on every run.
NO_TIME = (1980, 1, 1, 0, 0, 0)

Entity = dict[str, Any]


def pack_crate(
    target: Path,
    project: Path,
    run_folder: Path,
    inputs: Sequence[Path],
    results: Sequence[Path],
    run: Mapping[str, Any],
    title: str,
) -> None:
    """Write the crate of one run.

    Parameters
    ----------
    target
        Archive to write.
    project
        Folder that holds the workflow.
    run_folder
        Folder in which the workflow ran.
    inputs
        Files it read; those outside the project, a review's workbook for instance, are packed
        under `evidence/`.
    results
        Files it made.
    run
        From `provenance.describe_run`.
    title
        Name of the run.
    """
    files = {path.relative_to(project).as_posix(): path for path in _carried(project)}
    for path in inputs:
        if not path.resolve().is_relative_to(project.resolve()):
            files[f"evidence/{path.resolve().parent.name}/{path.name}"] = path
    made = {path.relative_to(run_folder).as_posix(): path for path in sorted(results)}
    metadata = describe_crate(files, made, run, title)
    with zipfile.ZipFile(target, "w") as archive:
        text = json.dumps(metadata, indent=2, ensure_ascii=False)
        _add(archive, "ro-crate-metadata.json", text.encode())
        for name, path in (files | made).items():
            _add(archive, name, path.read_bytes())


def _carried(project: Path) -> list[Path]:
    found = []
    for name in CARRIED:
        path = project / name
        found += [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return [path for path in found if "__pycache__" not in path.parts]


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, NO_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def describe_crate(
    files: Mapping[str, Path], made: Mapping[str, Path], run: Mapping[str, Any], title: str
) -> Entity:
    """State what the crate holds and what made what.

    Returns
    -------
    dict
        The JSON-LD of `ro-crate-metadata.json`.
    """
    data = {name: _file(name, path) for name, path in {**files, **made}.items()}
    data[WORKFLOW] |= {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "discontinuation",
        "programmingLanguage": {"@id": "#snakemake"},
        "version": run["code"]["version"],
    }
    inputs = [name for name in files if name.startswith(("config/", "data/", "evidence/"))]
    return {
        "@context": [
            "https://w3id.org/ro/crate/1.1/context",
            {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
        ],
        "@graph": [
            _descriptor(),
            _root(title, run, list(data)),
            *(_profile(url) for url in (*RUN_PROFILES, WORKFLOW_PROFILE)),
            {"@id": LICENCE, "@type": "CreativeWork", "name": "BSD-3-Clause"},
            {
                "@id": "#snakemake",
                "@type": "ComputerLanguage",
                "name": "Snakemake",
                "url": {"@id": "https://snakemake.github.io"},
                "version": version("snakemake"),
            },
            {
                "@id": "#run",
                "@type": "CreateAction",
                "name": title,
                "instrument": {"@id": WORKFLOW},
                "endTime": run["written"],
                "actionStatus": "http://schema.org/CompletedActionStatus",
                "object": _references(inputs),
                "result": _references(list(made)),
            },
            *data.values(),
        ],
    }


def _descriptor() -> Entity:
    return {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": _references(["https://w3id.org/ro/crate/1.1", WORKFLOW_PROFILE]),
        "about": {"@id": "./"},
    }


def _root(title: str, run: Mapping[str, Any], names: list[str]) -> Entity:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": "One run of the discontinuation workflow, with its inputs and results.",
        "datePublished": run["written"][:10],
        "license": {"@id": LICENCE},
        "conformsTo": _references([*RUN_PROFILES, WORKFLOW_PROFILE]),
        "mainEntity": {"@id": WORKFLOW},
        "mentions": {"@id": "#run"},
        "hasPart": _references(names),
    }


def _profile(url: str) -> Entity:
    name, number = url.split("/")[-2:]
    return {"@id": url, "@type": "CreativeWork", "name": name, "version": number}


def _file(name: str, path: Path) -> Entity:
    content = path.read_bytes()
    return {
        "@id": name,
        "@type": "File",
        "name": path.name,
        "contentSize": str(len(content)),
        "encodingFormat": mimetypes.guess_type(path.name)[0] or "text/plain",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _references(names: Sequence[str]) -> list[Entity]:
    return [{"@id": name} for name in names]
