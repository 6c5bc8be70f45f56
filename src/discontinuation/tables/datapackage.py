"""Describe a folder of tables as a Frictionless data package, with its data dictionary.

Run `python -m discontinuation.tables.datapackage FOLDER` after a table or its schema has changed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

import discontinuation
from discontinuation.tables.schema import HERE, Table, read_schema

SCHEMA_OF = {"published": "evidence", "reference": "reference"}
TEXT = {
    "published": (
        "Numbers are facts taken from the publications that the table `sources` names; every "
        "sentence is our own. A cell that no text could fill is blank. Where two readings differ, "
        "the tables hold the first and `corrections.csv` holds both values, the one used, and why."
    ),
    "reference": "A cell without a source is blank. General knowledge that was found in no text is "
    "tagged UM and marked wherever it is used.",
}


def describe_package(folder: Path) -> dict[str, Any]:
    """Describe the tables of a folder.

    Parameters
    ----------
    folder
        `data/published` or `data/reference`.

    Returns
    -------
    dict
        The content of its `datapackage.json`.
    """
    name = SCHEMA_OF[folder.name]
    document = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    tables = read_schema(name)
    return {
        "profile": "tabular-data-package",
        "name": document["name"],
        "title": document["title"],
        "version": discontinuation.__version__,
        "description": TEXT[folder.name],
        "licenses": [
            {
                "name": "BSD-3-Clause",
                "path": "https://opensource.org/license/bsd-3-clause",
                "title": "BSD 3-Clause; the facts themselves belong to nobody",
            }
        ],
        "resources": [
            _resource(folder / f"{key}.csv", table)
            for key, table in tables.items()
            if (folder / f"{key}.csv").exists()
        ],
    }


def _resource(path: Path, table: Table) -> dict[str, Any]:
    content = path.read_bytes()
    schema: dict[str, Any] = {
        "fields": table.descriptor["fields"],
        "missingValues": [""],
    }
    for key in ("primaryKey", "foreignKeys"):
        if key in table.descriptor:
            schema[key] = table.descriptor[key]
    return {
        "name": table.name.replace("_", "-"),
        "path": path.name,
        "profile": "tabular-data-resource",
        "title": table.title,
        "description": table.description,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": len(content),
        "hash": "sha256:" + hashlib.sha256(content).hexdigest(),
        "schema": schema,
    }


def write_dictionary(folder: Path) -> str:
    """Write the data dictionary of a folder as Markdown."""
    name = SCHEMA_OF[folder.name]
    document = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    lines = [f"# {document['title']}", "", TEXT[folder.name], ""]
    schema = f"`src/discontinuation/tables/{name}.yaml`"
    lines += [f"This page and `datapackage.json` are generated from {schema}.", ""]
    for key, table in read_schema(name).items():
        path = folder / f"{key}.csv"
        if not path.exists():
            continue
        rows = len(path.read_text(encoding="utf-8").splitlines()) - 1
        lines += [f"## {table.title} (`{key}.csv`, {rows} lines)", "", table.description, ""]
        lines += ["| column | type | meaning | allowed |", "|---|---|---|---|"]
        for column in table.columns:
            unit = f" [{column.unit}]" if column.unit else ""
            allowed = ", ".join(column.allowed) or _limits(column.minimum, column.maximum)
            need = "must be filled; " if column.required else ""
            meaning = column.description.replace("|", "\\|") + unit
            rule = f"{need}{allowed}".removesuffix("; ")
            lines.append(f"| `{column.name}` | {column.type} | {meaning} | {rule} |")
        lines.append("")
    return "\n".join(lines)


def _limits(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:.10g} to {high:.10g}"
    return f"{low:.10g} or more" if low is not None else ""


def generate(folder: Path) -> dict[str, str]:
    """Generate `datapackage.json` and `README.md` of a folder, as text by file name."""
    package = json.dumps(describe_package(folder), indent=2, ensure_ascii=False)
    return {"datapackage.json": package + "\n", "README.md": write_dictionary(folder)}


def main() -> None:
    """Write both files of the folders named on the command line."""
    for argument in sys.argv[1:]:
        folder = Path(argument)
        for name, text in generate(folder).items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {folder / name}")


if __name__ == "__main__":
    main()
