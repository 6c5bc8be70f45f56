"""What does a dataset's YAML file declare?"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from discontinuation.config import complete_config
from discontinuation.fingerprint import ROOT
from discontinuation.ingest.yaml_text import read_yaml
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse
from discontinuation.tables.schema import Column, Table, read_schema

PROJECT = ROOT.parents[1]
SCHEMA = PROJECT / "workflow" / "schemas" / "dataset.schema.yaml"
FOLDER = PROJECT / "config" / "datasets"
NAME = re.compile(r"[a-z][a-z0-9_]*")

# The ways to make a value; each specification uses exactly one.
KINDS = ("column", "constant", "first", "paste", "date", "day", "study_day")
MOMENT_KINDS = ("date", "day", "study_day", "constant")


@dataclass(frozen=True)
class Declaration:
    """A dataset as declared, checked and completed.

    Attributes
    ----------
    name
        The name of its file.
    path
        The file.
    content
        What it says, with every default filled in and every shorthand written out.
    tables
        The canonical tables, with this dataset's covariates among the columns of `people`.
    """

    name: str
    path: Path
    content: dict[str, Any]
    tables: dict[str, Table]

    @property
    def file(self) -> str:
        """How messages call it."""
        return self.path.name


def find_declaration(name: str, folders: list[Path] | None = None) -> Path:
    """Find the YAML file of a dataset by its name or path.

    Raises
    ------
    InvalidInput
        If there is none; the nearest name is offered.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            refuse([Problem(name, "the file is missing")])
        return path
    searched = folders or [Path("config/datasets"), FOLDER]
    for folder in searched:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    known = sorted({path.stem for folder in searched for path in folder.glob("*.yaml")})
    message = "there is no dataset of this name; " + allowed_values(known, name)
    refuse([Problem("config/datasets", message, value=name)])
    raise AssertionError


def declarations_beside(folders: list[Path] | None = None) -> dict[str, Declaration]:
    """Read every declaration that has no problems, by its name."""
    found = {}
    for folder in folders or [FOLDER, Path("config/datasets")]:
        for path in sorted(folder.glob("*.yaml")):
            with contextlib.suppress(InvalidInput):
                found[path.stem] = read_declaration(path)
    return found


def read_declaration(path: Path) -> Declaration:
    """Read and check a dataset's YAML file.

    Raises
    ------
    InvalidInput
        With everything that is wrong in it: unknown keys, wrong types, specifications that say
        two things or nothing, columns that no canonical table has.
    """
    file = path.name
    if not NAME.fullmatch(path.stem):
        refuse([Problem(file, "allowed as a name: small letters, digits and '_', first a letter")])
    content = read_yaml(path, file)
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    content = complete_config(_write_out(content), schema, file)
    tables = _with_covariates(content["covariates"])
    refuse([*_block_problems(content, tables, file), *_origin_problems(content, file)])
    return Declaration(path.stem, path, content, tables)


def unconfirmed(declaration: Declaration) -> list[Problem]:
    """List the guesses that nobody has confirmed."""
    return [
        Problem(
            declaration.file,
            "is a guess that is not confirmed; look at it, correct it, and delete 'confirm'"
            + (f" (guessed because {spec['reason']})" if spec.get("reason") else ""),
            column=place,
        )
        for place, spec in _specifications(declaration.content)
        if spec.get("confirm")
    ]


def _write_out(content: Any) -> Any:
    """Write out the shorthands: `age: AGE` and `SEX: [F]`."""
    content = copy.deepcopy(content)
    if not isinstance(content, dict):
        return content
    tables = content.get("tables")
    blocks = [
        block
        for made in (tables.values() if isinstance(tables, dict) else ())
        for block in (made if isinstance(made, list) else ())
        if isinstance(block, dict)
    ]
    for block in blocks:
        _write_out_values(block.get("columns"))
        for part in [block, *_dicts(block.get("join"))]:
            _write_out_conditions(part.get("where"))
    time = content.get("time")
    if isinstance(time, dict):
        _write_out_values(time, ("person", "date", "day"))
        _write_out_conditions(time.get("where"))
    return content


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _write_out_values(columns: Any, keys: tuple[str, ...] | None = None) -> None:
    if isinstance(columns, dict):
        for key, spec in columns.items():
            if isinstance(spec, str) and (keys is None or key in keys):
                kind = key if keys and key in ("date", "day") else "column"
                columns[key] = {kind: spec}


def _write_out_conditions(where: Any) -> None:
    if isinstance(where, dict):
        for key, condition in where.items():
            if isinstance(condition, list):
                where[key] = {"is": condition}
            elif not isinstance(condition, dict):
                where[key] = {"is": [condition]}


def _with_covariates(covariates: Mapping[str, Mapping[str, Any]]) -> dict[str, Table]:
    tables = dict(read_schema("canonical"))
    people = tables["people"]
    further = tuple(
        Column(
            name=name,
            type=text["type"],
            description=text["description"],
            unit=text.get("unit"),
            allowed=tuple(text.get("allowed", ())),
            minimum=text.get("minimum"),
            maximum=text.get("maximum"),
        )
        for name, text in covariates.items()
        if name not in people.column_names
    )
    tables["people"] = Table(
        **{
            **{key: getattr(people, key) for key in people.__dataclass_fields__},
            "columns": people.columns + further,
        }
    )
    return tables


def _specifications(content: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Pair every value specification with its place."""
    found = []
    for table, blocks in content["tables"].items():
        for number, block in enumerate(blocks):
            for column, spec in block.get("columns", {}).items():
                found.append((f"tables.{table}[{number}].columns.{column}", spec))
    for key in ("person", "date", "day"):
        if key in content["time"]:
            found.append((f"time.{key}", content["time"][key]))
    return found


def _block_problems(
    content: Mapping[str, Any], tables: Mapping[str, Table], file: str
) -> list[Problem]:
    problems = []
    for place, spec in _specifications(content):
        problems += _specification_problems(spec, place, file)
    for name, blocks in content["tables"].items():
        for number, block in enumerate(blocks):
            place = f"tables.{name}[{number}]"
            problems += _source_problems(block, place, content["files"], file)
            problems += _column_problems(block, place, tables[name], file)
    known = read_schema("canonical")["people"].column_names
    message = "is a column of every dataset's people already"
    problems += [
        Problem(file, message, column=f"covariates.{name}")
        for name in content["covariates"]
        if name in known
    ]
    return problems


def _specification_problems(spec: Mapping[str, Any], place: str, file: str) -> list[Problem]:
    kinds = [kind for kind in KINDS if kind in spec]
    problems = []
    if len(kinds) != 1:
        said = " and ".join(kinds) or "nothing"
        message = f"says {said}; allowed: exactly one of {', '.join(KINDS)}"
        problems.append(Problem(file, message, column=place))
    if "date" in spec and "confirm" not in spec and spec.get("order") is None:
        message = "a date needs its 'order' (iso, ymd, dmy, mdy, or the day count of a program)"
        problems.append(Problem(file, message, column=f"{place}.order"))
    return problems


def _source_problems(
    block: Mapping[str, Any], place: str, files: Mapping[str, Any], file: str
) -> list[Problem]:
    said = [key for key in ("from", "rows", "observed") if key in block]
    if len(said) != 1:
        message = "allowed: exactly one of 'from' (a file), 'rows' and, for follow_up, 'observed'"
        return [Problem(file, message, column=place)]
    if "observed" in block:
        return _observed_problems(block, place, file)
    names = [("from", block["from"])] if "from" in block else []
    names += [(f"join[{i}].file", join["file"]) for i, join in enumerate(block["join"])]
    return [
        Problem(
            file,
            f"is not among the files; {allowed_values(sorted(files), name)}",
            column=f"{place}.{key}",
            value=name,
        )
        for key, name in names
        if name not in files
    ]


def _observed_problems(block: Mapping[str, Any], place: str, file: str) -> list[Problem]:
    problems = []
    if not place.startswith("tables.follow_up"):
        message = "is for follow_up only"
        problems.append(Problem(file, message, column=f"{place}.observed"))
    if "constant" not in block["columns"].get("end_reason", {}):
        message = "the key is missing (why observation ended: {constant: unknown})"
        problems.append(Problem(file, message, column=f"{place}.columns.end_reason"))
    return problems


def _column_problems(
    block: Mapping[str, Any], place: str, table: Table, file: str
) -> list[Problem]:
    by_name = {column.name: column for column in table.columns}
    named = [(f"{place}.columns.{name}", name) for name in block.get("columns", {})]
    for i, row in enumerate(block.get("rows", ())):
        named += [(f"{place}.rows[{i}].{name}", name) for name in row]
    problems = [
        Problem(
            file,
            f"{table.name} has no such column; {allowed_values(list(by_name), str(name))}",
            column=where,
        )
        for where, name in named
        if name not in by_name
    ]
    for name, spec in block.get("columns", {}).items():
        moment = name in by_name and by_name[name].moment
        if moment and not set(MOMENT_KINDS) & set(spec):
            message = (
                "is a point in time; say how it is counted: {day: COLUMN}, "
                "{date: COLUMN, order: ...} or {study_day: COLUMN}"
            )
            problems.append(Problem(file, message, column=f"{place}.columns.{name}"))
    return problems


def _origin_problems(content: Mapping[str, Any], file: str) -> list[Problem]:
    time = content["time"]
    stated = [key for key in ("date", "day") if key in time]
    if not stated and "file" not in time:
        return []
    problems = []
    if "constant" in time.get("date", {}) and time["date"].get("order") is None:
        message = "a date needs its 'order', such as iso for 2024-03-31"
        problems.append(Problem(file, message, column="time.date.order"))
    if len(stated) != 1:
        problems.append(
            Problem(file, "allowed: either 'date' or 'day' of each person's origin", column="time")
        )
    constant = all("constant" in time[key] for key in stated)
    if not constant:
        problems += [
            Problem(file, f"the key is missing ({what})", column=f"time.{key}")
            for key, what in (("file", "the file with the origin"), ("person", "the person in it"))
            if key not in time
        ]
    if "file" in time and time["file"] not in content["files"]:
        known = allowed_values(sorted(content["files"]), time["file"])
        message = f"is not among the files; {known}"
        problems.append(Problem(file, message, column="time.file", value=time["file"]))
    return problems
