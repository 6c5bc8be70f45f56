"""The columns of every table, as one file describes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Column:
    """One column: its type, meaning, unit and limits; a moment is a point in time."""

    name: str
    type: str
    description: str
    unit: str | None = None
    required: bool = False
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    moment: bool = False

    @property
    def is_number(self) -> bool:
        """Whether its cells are numbers."""
        return self.type in ("integer", "number")


@dataclass(frozen=True)
class ForeignKey:
    """Columns whose values must exist in another table."""

    columns: tuple[str, ...]
    table: str
    referenced: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table: its columns and keys."""

    name: str
    title: str
    description: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    in_workbook: bool = False
    descriptor: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in their order."""
        return [column.name for column in self.columns]


@cache
def read_schema(name: str) -> dict[str, Table]:
    """Read the tables that a schema file describes.

    Parameters
    ----------
    name
        "evidence", "reference" or "canonical": a YAML file beside this module.

    Returns
    -------
    dict
        Table by name, in the order of the file.
    """
    document = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return {key: _table(key, text) for key, text in document["tables"].items()}


def _table(name: str, text: dict[str, Any]) -> Table:
    return Table(
        name=name,
        title=text["title"],
        description=text["description"],
        columns=tuple(_column(column) for column in text["fields"]),
        primary_key=tuple(text.get("primaryKey", ())),
        foreign_keys=tuple(_foreign_key(key) for key in text.get("foreignKeys", ())),
        in_workbook=text.get("workbook", False),
        descriptor=text,
    )


def _column(text: dict[str, Any]) -> Column:
    limits = text.get("constraints", {})
    return Column(
        name=text["name"],
        type=text["type"],
        description=text["description"],
        unit=text.get("unit"),
        required=limits.get("required", False),
        allowed=tuple(limits.get("enum", ())),
        minimum=limits.get("minimum"),
        maximum=limits.get("maximum"),
        pattern=limits.get("pattern"),
        moment=text.get("moment", False),
    )


def _foreign_key(text: dict[str, Any]) -> ForeignKey:
    reference = text["reference"]
    return ForeignKey(
        columns=_names(text["fields"]),
        table=reference["resource"],
        referenced=_names(reference["fields"]),
    )


def _names(names: str | list[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
