"""Read published evidence: the bundled package, or a reviewer's own folder or workbook.

A collection of evidence is a folder that holds either CSV files named after the tables
(`studies.csv`, `arms.csv`, `results.csv`, `sources.csv`, ...) or one review workbook.
Reading it goes through three states, each a set of tables as text:

as written -> (checked) -> as first read -> (corrections applied, additions in) -> current
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from discontinuation.ingest.delimited import read_delimited
from discontinuation.ingest.workbook import read_workbook
from discontinuation.problems import InvalidInput, Problem, refuse
from discontinuation.tables.check import Cells, RawTable, check_references, check_table, number
from discontinuation.tables.evidence_rules import check_evidence_rules
from discontinuation.tables.schema import read_schema

REQUIRED = ("sources", "studies", "arms", "results")
CORRECTED = ("studies", "arms", "results")
RawTables = dict[str, RawTable]


@dataclass(frozen=True)
class Collection:
    """One collection of published evidence, checked.

    Attributes
    ----------
    name
        Name of its folder.
    use
        include (pooled), or compare (shown beside, never pooled).
    first
        Tables as first read: no corrections, no rows of later readings.
    current
        Tables as they are used: corrections applied, every reading in.
    corrections_applied
        Number of cells that corrections changed.
    """

    name: str
    use: str
    first: RawTables
    current: RawTables
    corrections_applied: int


def collection_files(folder: Path) -> list[Path]:
    """List the files that make up a collection.

    Raises
    ------
    InvalidInput
        If the folder does not exist, holds no evidence, or holds it twice.
    """
    tables = [folder / f"{name}.csv" for name in read_schema("evidence")]
    try:
        exists = folder.is_dir()
        present = [path for path in tables if path.exists()]
    except OSError as error:
        refuse([Problem(str(folder), f"cannot be read ({error.strerror})")])
        raise
    if not exists:
        refuse([Problem(str(folder), "there is no such folder of evidence")])
    # Spreadsheet programs keep a lock file of this name beside an open workbook.
    workbooks = sorted(path for path in folder.glob("*.xlsx") if not path.name.startswith("~$"))
    if len(workbooks) + bool(present) > 1:
        names = [path.name for path in workbooks + present]
        message = f"holds {', '.join(names)}; allowed: one workbook, or CSV tables"
        refuse([Problem(folder.name, message)])
    if workbooks:
        return workbooks
    refuse(
        Problem(f"{folder.name}/{name}.csv", "the file is missing")
        for name in REQUIRED
        if folder / f"{name}.csv" not in present
    )
    return present


def read_collection(folder: Path, use: str = "include") -> Collection:
    """Read and check a collection of published evidence.

    Parameters
    ----------
    folder
        Where it is.
    use
        include or compare.

    Raises
    ------
    InvalidInput
        With every problem of every table.
    """
    files = collection_files(folder)
    if files[0].suffix == ".xlsx":
        written, problems = read_workbook(files[0])
    else:
        written, problems = _read_csv_files(files)
    problems += check_tables(written)
    refuse(problems)
    first = _first_reading(written)
    current, applied, problems = _corrected(written)
    problems += check_tables(current)
    refuse(problems)
    return Collection(folder.resolve().name, use, first, current, applied)


def find_collections(
    sources: Sequence[Mapping[str, str]], roots: Sequence[Path]
) -> list[tuple[Path, str]]:
    """Find and check the collections that a configuration lists.

    Parameters
    ----------
    sources
        Entries with `folder` and `use`, in order.
    roots
        Folders in which a relative path is looked for, first match wins.

    Returns
    -------
    list of (Path, str)
        Folder and use of every collection that is not excluded.

    Raises
    ------
    InvalidInput
        With every problem of every collection.
    """
    found: list[tuple[Path, str]] = []
    problems: list[Problem] = []
    for source in sources:
        if source["use"] == "exclude":
            continue
        folder = _first_folder(source["folder"], roots)
        if folder.resolve().name in [known.resolve().name for known, _ in found]:
            message = "two folders of evidence have this name; rename one, it labels its rows"
            problems.append(
                Problem("configuration", message, column="evidence.sources", value=folder.name)
            )
        try:
            read_collection(folder, source["use"])
        except InvalidInput as error:
            problems += error.problems
        found.append((folder, source["use"]))
    if not found:
        message = "at least one source must be included or compared"
        problems.append(Problem("configuration", message, column="evidence.sources"))
    refuse(problems)
    return found


def _first_folder(folder: str, roots: Sequence[Path]) -> Path:
    # Unlike Path.is_dir, os.path.isdir passes over what may not be searched.
    found = (root / folder for root in roots if os.path.isdir(root / folder))  # noqa: PTH112
    return next(found, Path(folder))


def check_tables(raw: RawTables) -> list[Problem]:
    """Find every problem of a set of evidence tables."""
    tables = read_schema("evidence")
    problems = [
        Problem(raw[name].file, "holds no row")
        for name in REQUIRED
        if name in raw and not raw[name].records
    ]
    problems += [p for name, table in raw.items() for p in check_table(table, tables[name])]
    return problems + check_references(raw, tables) + check_evidence_rules(raw)


def _read_csv_files(files: list[Path]) -> tuple[RawTables, list[Problem]]:
    tables = read_schema("evidence")
    raw: RawTables = {}
    problems: list[Problem] = []
    for path in files:
        try:
            raw[path.stem], found = read_delimited(path, path.name, tables[path.stem])
        except InvalidInput as error:
            found = error.problems
        problems += found
    return raw, problems


def _first_reading(written: RawTables) -> RawTables:
    """Keep the rows of the first reading, untouched."""
    return {
        name: _keep(table, [cells.get("reading", "") in ("", "first") for cells in table.records])
        for name, table in written.items()
    }


def _keep(table: RawTable, keep: list[bool]) -> RawTable:
    chosen = [pair for pair, wanted in zip(table.numbered(), keep, strict=True) if wanted]
    return replace(table, records=[cells for _, cells in chosen], rows=[row for row, _ in chosen])


def _corrected(written: RawTables) -> tuple[RawTables, int, list[Problem]]:
    """Apply the corrections table; a correction that fits no cell is a problem."""
    current = {
        name: replace(table, records=[dict(cells) for cells in table.records])
        for name, table in written.items()
    }
    if "corrections" not in written:
        return current, 0, []
    applied, problems = 0, []
    for row, correction in written["corrections"].numbered():
        file = written["corrections"].file
        target = current.get(correction["table"])
        if target is None or correction["column"] not in target.header:
            message = f"there is no column {correction['column']} in {correction['table']}"
            problems.append(Problem(file, message, row, "column", correction["column"]))
            continue
        cells = [c for c in target.records if _is_meant(c, correction)]
        if not cells:
            message = f"no cell of {target.file} is named by this row and holds this first value"
            problems.append(Problem(file, message, row, "first_value", correction["first_value"]))
        for cell in cells:
            applied += cell[correction["column"]] != correction["used_value"]
            cell[correction["column"]] = correction["used_value"]
    return current, applied, problems


def _is_meant(cells: Cells, correction: Cells) -> bool:
    """Whether a correction means this row: its keys match and it holds the first value."""
    keys = ("study", "arm", "outcome", "week", "estimator")
    named = [key for key in keys if correction[key] and key in cells]
    same = all(_same(cells[key], correction[key]) for key in named)
    return same and _same(cells[correction["column"]], correction["first_value"])


def _same(left: str, right: str) -> bool:
    numbers = number(left), number(right)
    return left == right if None in numbers else numbers[0] == numbers[1]


def count_rows(collection: Collection) -> list[dict[str, object]]:
    """Count rows as written, as first read and as used, per table and reading.

    Returns
    -------
    list of dict
        One record per table: collection, table, first_read, added, other_reader, used.
    """
    counts = []
    for name, table in collection.current.items():
        readings = Counter(cells.get("reading", "") or "first" for cells in table.records)
        counts.append(
            {
                "collection": collection.name,
                "table": name,
                "first_read": len(collection.first[name].records),
                "added": readings["added"],
                "other_reader": readings["other_reader"],
                "used": len(table.records),
            }
        )
    return counts
