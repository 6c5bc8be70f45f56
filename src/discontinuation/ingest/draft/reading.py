"""What is in the files, read as they are?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from discontinuation.ingest.draft.source import Source, file_key
from discontinuation.ingest.places import RAW, mirror_folder
from discontinuation.ingest.readers import FORMATS, SourceTable, read_source
from discontinuation.problems import InvalidInput, Problem, refuse

# Words that never mean anything but a blank cell, and the formats that can be told so at once.
BLANK_WORDS = ("NA", "N/A", "#N/A", ".", "NULL", "NaN", "nan", "#NULL!")
TOLD_AT_ONCE = ("csv", "excel")
# How a reader says that a workbook or an R data file holds several tables.
SEVERAL = re.compile(r"set the option (sheet|object), one of: (.*?)( and \d+ more)?")


def read_sources(paths: Sequence[Path]) -> list[Source]:
    """Read every file, and every sheet or data frame of one that holds several.

    A word for blank cells in columns of numbers becomes an option of the file.

    Raises
    ------
    InvalidInput
        With the problems of all files, and those that are given twice.
    """
    sources: list[Source] = []
    problems: list[Problem] = []
    for path in paths:
        if any(path.resolve() == other.path.resolve() for other in sources):
            problems.append(Problem(str(path), "the file is given twice"))
            continue
        try:
            found = _read_all(path)
        except InvalidInput as error:
            problems += error.problems
            continue
        for options, table in found:
            key = file_key(options.get("sheet", options.get("object", path.stem)), sources)
            sources.append(Source(key, path, table, options))
    refuse(problems)
    return sources


def _read_all(path: Path) -> list[tuple[dict[str, Any], SourceTable]]:
    """Read the tables of a file, each with the options that it takes to read it."""
    try:
        return [_read(path, {})]
    except InvalidInput as error:
        several = SEVERAL.fullmatch(error.problems[0].message.partition("; ")[2])
        if several is None:
            raise
        return [_read(path, {several[1]: name}) for name in several[2].split(", ")]


def _read(path: Path, options: Mapping[str, Any]) -> tuple[dict[str, Any], SourceTable]:
    table = read_source(path, options=options)
    columns = Source("", path, table).columns.values()
    words = [word for word in BLANK_WORDS if any(word in c.blank_words for c in columns)]
    if not words or not _can_be_told(path):
        return dict(options), table
    further = {**options, "missing": words}
    return further, read_source(path, options=further)


def _can_be_told(path: Path) -> bool:
    return any(path.suffix.lower() in FORMATS[name].endings for name in TOLD_AT_ONCE)


def declared_path(path: Path) -> str:
    """Write a path as the declaration looks for it: below the local copy of the data, if there."""
    mirror = mirror_folder()
    for folder in (mirror, RAW, Path()):
        if folder is not None and path.resolve().is_relative_to(folder.resolve()):
            return path.resolve().relative_to(folder.resolve()).as_posix()
    return path.resolve().as_posix()
