"""The checked configuration, the checked evidence, and helpers of all other files.

Everything that can be refused is refused here, before any job runs: a job that starts
has already removed its earlier outputs.
"""

import os
import re
import shlex
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

from discontinuation.config import complete_config
from discontinuation.fingerprint import source_digest
from discontinuation.exposure.strategy import read_strategies
from discontinuation.ingest.declaration import (
    declarations_beside,
    find_declaration,
    read_declaration,
)
from discontinuation.ingest.evidence import collection_files, find_collections
from discontinuation.ingest.places import locate, mirror_folder
from discontinuation.ingest.reference import check_reference
from discontinuation.problems import InvalidInput
from discontinuation.tables.schema import read_schema

# Snakemake starts scripts through this path without quoting it, and the project's folder may
# have a space in its name.
if Path(sys.executable).exists():
    sys.executable = shlex.quote(sys.executable)

# Small matrices are slower on several threads than on one, and jobs share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

PROJECT = Path(workflow.basedir)
SCHEMA = PROJECT / "workflow" / "schemas" / "config.schema.yaml"
INSTRUMENTS = str(PROJECT / "data" / "reference" / "instruments.yaml")
REFERENCE_TABLES = sorted(map(str, (PROJECT / "data" / "reference").glob("*.csv")))
# The survival room loads its modules when they are first used, so they are named here.
SURVIVAL_MODULES = [
    f"survival.{path.stem}"
    for path in sorted((PROJECT / "src" / "discontinuation" / "survival").glob("*.py"))
    if path.stem != "__init__"
]
WINDOWS = str(PROJECT / "data" / "reference" / "withdrawal_windows.csv")

try:
    config.update(
        complete_config(config, yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))
    )
    DATASETS = {
        path.stem: read_declaration(path)
        for path in map(find_declaration, config["datasets"])
    }
    COLLECTIONS = find_collections(config["evidence"]["sources"], [Path(), PROJECT])
    check_reference(Path(WINDOWS))
    read_strategies(config["strategies"])
except InvalidInput as error:
    raise WorkflowError(str(error)) from None

# Those that are switched off can still be fetched; one that is not finished is no obstacle.
DECLARATIONS = {**declarations_beside(), **DATASETS}

EVIDENCE_FILES = [
    str(path) for folder, _ in COLLECTIONS for path in collection_files(folder)
]
EVIDENCE_TABLES = list(read_schema("evidence"))


def code(*names):
    """Fingerprint parts of the package, so that editing them reruns what uses them."""
    return source_digest(*names)


def setting(*names):
    """Choose some settings of the evidence run, so that only their changes rerun a rule."""
    return {name: config["evidence"][name] for name in names}


def dataset_files(wildcards):
    """Find the files of a dataset, or say which are missing and how to get them."""
    declaration = DATASETS[wildcards.dataset]
    paths, problems = locate(
        declaration.content["files"],
        mirror_folder(config["data_mirror"]),
        declaration.name,
        declaration.file,
    )
    if problems:
        raise WorkflowError(str(InvalidInput(problems)))
    return [str(path) for path in paths.values()]


def both(stem):
    """Name a table's two files. `update` keeps the earlier ones when a job fails."""
    return [
        update(f"results/evidence/{stem}.{ending}") for ending in ("csv", "parquet")
    ]


def drawn(stem):
    """Name a figure's two files; kept like a table's."""
    return [update(f"results/figures/{stem}.{ending}") for ending in ("svg", "png")]
