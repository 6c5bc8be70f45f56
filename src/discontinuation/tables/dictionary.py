"""What does each column of the canonical tables mean? Written for readers as docs/tables.md.

python -m discontinuation.tables.dictionary docs/tables.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from discontinuation.tables.schema import Column, Table, read_schema

HEAD = """\
# The canonical tables

Generated from `src/discontinuation/tables/canonical.yaml`; edit that file, then run
`python -m discontinuation.tables.dictionary docs/tables.md`.

Every dataset becomes these tables, in `results/datasets/<name>/tables/<table>.parquet`, and
every later step reads nothing else. Time is days since the dataset's declared origin, whole or
fractional, never a date; day 0 is the origin itself, so study day 1 of SDTM is day 0. Missing
values are blank, never a code. The metadata of each file hold the schema version, the code
version and the SHA-256 of the inputs.

In Python, `discontinuation.tables.canonical.schema("doses").validate(frame, lazy=True)` checks
a frame of your own with pandera.
"""


def dictionary() -> str:
    """Write the data dictionary of the canonical tables as Markdown."""
    return HEAD + "".join(_section(table) for table in read_schema("canonical").values())


def _section(table: Table) -> str:
    lines = ["", f"## {table.name}", "", table.description]
    lines += ["", f"Key: {', '.join(f'`{key}`' for key in table.primary_key)}."]
    for key in table.foreign_keys:
        lines.append(f"`{key.columns[0]}` must exist in `{key.table}`.")
    lines += [
        "",
        "| column | type | needed | meaning | unit | allowed |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(column) for column in table.columns]
    return "\n".join(lines) + "\n"


def _row(column: Column) -> str:
    cells = [
        f"`{column.name}`",
        column.type,
        "yes" if column.required else "",
        column.description,
        column.unit or "",
        _allowed(column),
    ]
    return f"| {' | '.join(cells)} |"


def _allowed(column: Column) -> str:
    if column.allowed:
        return ", ".join(f"`{value}`" for value in column.allowed)
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"{low:g} or more" if low is not None else ""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(dictionary(), encoding="utf-8", newline="\n")
