"""Which formats can be read, by which reader, with which options?"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from discontinuation.ingest.readers.columnar import read_parquet
from discontinuation.ingest.readers.content import recognise
from discontinuation.ingest.readers.dataset_json import read_dataset_json
from discontinuation.ingest.readers.delimited_text import read_csv
from discontinuation.ingest.readers.r_data import read_r
from discontinuation.ingest.readers.source import SourceFile, SourceTable
from discontinuation.ingest.readers.spreadsheets import read_excel
from discontinuation.ingest.readers.statistical import read_statistical
from discontinuation.problems import Problem, allowed_values

CHARACTERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "bar": "|"}


@dataclass(frozen=True)
class Option:
    """One option of a format.

    Attributes
    ----------
    meaning
        What it does, what is allowed, and what happens without it.
    parse
        Check the value as configured and return it as the reader wants it; raises ValueError
        with what is allowed.
    """

    meaning: str
    parse: Callable[[Any], Any]


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes
    ----------
    description
        What it is, with its article.
    endings
        File name endings, small letters.
    options
        Options that its reader accepts.
    read
        Its reader.
    """

    description: str
    endings: tuple[str, ...]
    options: Mapping[str, Option]
    read: Callable[[SourceFile], SourceTable]


def _character(value: Any) -> str:
    text = CHARACTERS.get(value, value) if isinstance(value, str) else value
    if not isinstance(text, str) or len(text) != 1 or not text.isascii() or text in "\r\n\"'\0":
        raise ValueError("allowed: one character, or the word tab, comma, semicolon, space or bar")
    return text


def _quote(value: Any) -> str:
    if value not in ('"', "'", "none"):
        raise ValueError("allowed: \", ' or none")
    return "" if value == "none" else str(value)


def _decimal(value: Any) -> str:
    if value not in (".", ","):
        raise ValueError("allowed: . or ,")
    return str(value)


def _encoding(value: Any) -> str:
    try:
        name = codecs.lookup(value).name
        "a".encode(name)
    except (LookupError, TypeError, ValueError):
        raise ValueError("allowed: a character encoding, such as utf-8 or windows-1252") from None
    return name


def _yes(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("allowed: true or false")
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ValueError("allowed: text that is not blank")
    return str(value)


def _row(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("allowed: a row number, 1 or more")
    return int(value)


def _rows(value: Any) -> tuple[int, int | None]:
    bounds = list(value) if isinstance(value, list | tuple) else []
    good = all(type(bound) is int and bound > 0 for bound in bounds)
    if not good or len(bounds) not in (1, 2) or bounds != sorted(bounds):
        raise ValueError("allowed: the first and the last row of the records, such as [3, 120]")
    return bounds[0], bounds[1] if len(bounds) == 2 else None


def _missing(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in items):
        raise ValueError(
            "allowed: a list of texts, such as [NA, -99]; put words in quotation marks"
        )
    return tuple(str(item) for item in items)


HEADER_ROW = Option(
    "number of the row that holds the names of the columns, counted as a spreadsheet does; "
    "rows above it are not read. Without it: the first row that is not blank",
    _row,
)
ROWS = Option(
    "first and last row of the records, such as [3, 120] or [3] for all from there. "
    "Without it: all below the names",
    _rows,
)
MISSING = Option(
    "list of texts that mean a missing cell, besides a blank one, such as [NA, -99]. "
    "Without it: none",
    _missing,
)
ENCODING = Option(
    "encoding of the text, such as utf-8 or windows-1252. Without it: as the file declares; "
    "where it does not, UTF-8 if all text is valid UTF-8, else Windows-1252",
    _encoding,
)

FORMATS: dict[str, Format] = {
    "csv": Format(
        "delimited text, one record per row",
        (".csv", ".tsv", ".tab", ".txt"),
        {
            "delimiter": Option(
                "character between two cells, or the word tab, comma, semicolon, space or bar. "
                "Without it: found in the first rows",
                _character,
            ),
            "quote": Option(
                "quotation mark around cells: \", ' or none. Without it: found in the file",
                _quote,
            ),
            "decimal": Option(
                "decimal separator of all numbers: . or ,. Without it: a comma in columns where "
                "every cell is such a number, else a point",
                _decimal,
            ),
            "encoding": Option(
                "encoding of the text, such as utf-8 or windows-1252. Without it: UTF-8 or "
                "UTF-16, else Windows-1252 if the text can be that",
                _encoding,
            ),
            "header_row": HEADER_ROW,
            "rows": ROWS,
            "comment": Option("rows that start with this text are not read", _text),
            "row_names": Option(
                "true if each record begins with a name of the row and the first row has no cell "
                "above it, as write.table of R leaves it. Without it: such a file is refused",
                _yes,
            ),
            "missing": MISSING,
        },
        read_csv,
    ),
    "parquet": Format("an Apache Parquet file", (".parquet", ".pq"), {}, read_parquet),
    "excel": Format(
        "an Excel workbook",
        (".xlsx", ".xlsm", ".xls"),
        {
            "sheet": Option("name of the sheet; needed if several sheets hold cells", _text),
            "header_row": HEADER_ROW,
            "rows": ROWS,
            "missing": MISSING,
        },
        read_excel,
    ),
    "xpt": Format(
        "a SAS transport file (XPORT, version 5 or 8)",
        (".xpt", ".xport"),
        {"encoding": ENCODING},
        read_statistical,
    ),
    "sas7bdat": Format("a SAS data set", (".sas7bdat",), {"encoding": ENCODING}, read_statistical),
    "stata": Format("a Stata data set", (".dta",), {"encoding": ENCODING}, read_statistical),
    "spss": Format(
        "an SPSS data set or portable file",
        (".sav", ".zsav", ".por"),
        {"encoding": ENCODING},
        read_statistical,
    ),
    "r": Format(
        "an R data file",
        (".rda", ".rdata", ".rds"),
        {
            "object": Option(
                "name of the data frame, within a list as list$name; needed if several are there",
                _text,
            ),
            "encoding": ENCODING,
        },
        read_r,
    ),
    "dataset-json": Format(
        "a CDISC Dataset-JSON file (1.0 or 1.1, also as NDJSON)",
        (".json", ".ndjson"),
        {},
        read_dataset_json,
    ),
}


def read_source(
    path: Path,
    name: str | None = None,
    *,
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> SourceTable:
    """Read one table of a file without interpreting it.

    Parameters
    ----------
    path
        The file.
    name
        How messages call it; the path if None.
    format
        One of `FORMATS`; told by the ending of the path if None. The content has to agree.
    options
        Options of the format, see `FORMATS`.

    Returns
    -------
    SourceTable
        Every record of the table. It may have none: that is stated, and for the caller to judge.

    Raises
    ------
    InvalidInput
        The file is not there or not what it is said to be, is damaged, holds no table or
        several, or cannot be read without guessing; an unknown option. All that was found.
    """
    file = SourceFile(Path(path), str(path) if name is None else name)
    _must_be_file(file)
    chosen = _choose(file, format)
    settings = _settings(file, chosen, options or {})
    if not file.head(1):
        raise file.invalid("is empty: it has 0 bytes")
    ending = "" if format else file.path.suffix.lower()
    _must_hold(file, chosen, ending, recognise(file))
    return FORMATS[chosen].read(SourceFile(file.path, file.name, settings))


def _must_be_file(file: SourceFile) -> None:
    try:
        if file.path.is_file():
            return
        what = "does not exist"
        if file.path.exists():
            what = "is a folder" if file.path.is_dir() else "is a device or pipe"
    except (OSError, ValueError) as error:
        what = f"cannot be read ({error})"
    raise file.invalid(f"{what}; allowed: a file")


def _choose(file: SourceFile, format: str | None) -> str:
    if format is not None:
        if format not in FORMATS:
            raise file.invalid(
                f"unknown format; {allowed_values(list(FORMATS), format)}", None, "format", format
            )
        return format
    ending = file.path.suffix.lower()
    for name, known in FORMATS.items():
        if ending in known.endings:
            return name
    endings = [ending for known in FORMATS.values() for ending in known.endings]
    raise file.invalid(
        f"the ending {ending or '(none)'} is not known; {allowed_values(endings, ending)}, "
        f"or the option format, one of {', '.join(FORMATS)}"
    )


def _settings(file: SourceFile, chosen: str, options: Mapping[str, Any]) -> dict[str, Any]:
    known = FORMATS[chosen].options
    settings: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in options.items():
        if key not in known:
            rule = allowed_values(list(known), str(key)) if known else "allowed: none"
            message = f"unknown option of the format {chosen}; {rule}"
            problems.append(file.problem(message, column=str(key), value=value))
            continue
        if value is None:
            continue
        try:
            settings[key] = known[key].parse(value)
        except ValueError as error:
            problems.append(file.problem(str(error), column=key, value=value))
    file.refuse(problems)
    return settings


def _must_hold(file: SourceFile, chosen: str, ending: str, found: str | None) -> None:
    """Refuse content that belongs to another format."""
    if found == chosen or (found is None and chosen in ("csv", "r", "spss")):
        return
    wanted = f"its name ends in {ending}" if ending else f"it is said to be of format {chosen}"
    if found is None:
        message = f"is not {FORMATS[chosen].description}, though {wanted}"
    elif found in FORMATS:
        message = (
            f"holds {FORMATS[found].description}, though {wanted}; "
            f"rename it, or set the option format to {found}"
        )
    else:
        message = f"is {found}, though {wanted}; {_way_out(chosen)}"
    raise file.invalid(message)


def _way_out(chosen: str) -> str:
    if chosen == "excel":
        return "save it as an Excel workbook (.xlsx) without a password"
    return f"allowed: {FORMATS[chosen].description}"
