"""Write tables in every format that is read, for tests.

Each table is a dict of columns; a column is a list of cells of one kind: str, int, float,
datetime.date, datetime.datetime, or None for a missing one.
"""

import datetime
import json
import shutil
import subprocess

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest

R = shutil.which("Rscript")
needs_r = [pytest.mark.r, pytest.mark.skipif(R is None, reason="R is not installed")]


def run_r(code, *arguments):
    """Run R code; its commandArgs(TRUE) are the arguments."""
    done = subprocess.run(
        [R, "--vanilla", "-e", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def kind_of(cells):
    kinds = {type(cell) for cell in cells} - {type(None)}
    return kinds.pop() if kinds else str


def write_text(path, table, delimiter=",", decimal=".", encoding="utf-8", quoting=0):
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in table.items()})
    for name, cells in table.items():
        if kind_of(cells) is float:
            frame[name] = [None if c is None else repr(c).replace(".", decimal) for c in cells]
    frame.to_csv(path, index=False, sep=delimiter, encoding=encoding, quoting=quoting)


def write_parquet(path, table):
    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    types |= {datetime.date: pa.date32(), datetime.datetime: pa.timestamp("us")}
    columns = {name: pa.array(cells, types[kind_of(cells)]) for name, cells in table.items()}
    pq.write_table(pa.table(columns), path)


def write_excel(path, table, epoch=None):
    book = openpyxl.Workbook()
    if epoch is not None:
        book.epoch = epoch
    sheet = book.active
    sheet.append(list(table))
    for record in zip(*table.values(), strict=True):
        sheet.append(list(record))
    book.save(path)


def as_frame(table):
    """Make the frame that pyreadstat and pandas write."""
    made = {}
    for name, cells in table.items():
        kind = kind_of(cells)
        if kind is str:
            made[name] = pd.Series(["" if cell is None else cell for cell in cells], dtype=object)
        elif kind in (int, float):
            has_gap = kind is float or None in cells
            made[name] = pd.Series(cells, dtype=float if has_gap else "int64")
        else:
            made[name] = pd.Series(cells, dtype="datetime64[us]" if cells else object)
            if kind is datetime.date:
                made[name] = pd.Series([pd.NaT if c is None else c for c in cells], dtype=object)
    return pd.DataFrame(made)


def write_xpt(path, table, version=5, **options):
    pyreadstat.write_xport(as_frame(table), path, file_format_version=version, **options)


def write_sav(path, table, **options):
    pyreadstat.write_sav(as_frame(table), path, **options)


def write_por(path, table):
    pyreadstat.write_por(as_frame(table), path)


def write_dta(path, table, **options):
    pyreadstat.write_dta(as_frame(table), path, **options)


def dataset_json(table, labels=None):
    """Make the parts of a Dataset-JSON 1.1 document."""
    types = {str: "string", int: "integer", float: "double"}
    columns = [
        {
            "itemOID": f"IT.X.{name}",
            "name": name,
            "label": (labels or {}).get(name, ""),
            "dataType": types.get(kind_of(cells), "date"),
        }
        for name, cells in table.items()
    ]
    dates = (datetime.date, datetime.datetime)
    rows = [
        [cell.isoformat() if isinstance(cell, dates) else cell for cell in record]
        for record in zip(*table.values(), strict=True)
    ]
    return {"datasetJSONVersion": "1.1.0", "records": len(rows), "columns": columns, "rows": rows}


def write_json(path, table, **options):
    path.write_text(json.dumps(dataset_json(table, **options), ensure_ascii=False), "utf-8")


def write_ndjson(path, table, **options):
    document = dataset_json(table, **options)
    rows = document.pop("rows")
    lines = [json.dumps(part, ensure_ascii=False) for part in (document, *rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def write_json_1_0(path, table):
    document = dataset_json(table)
    items = [
        {"OID": column["itemOID"], "name": column["name"], "label": column["label"]}
        | {"type": column["dataType"]}
        for column in document["columns"]
    ]
    group = {"records": document["records"], "items": items, "itemData": document["rows"]}
    path.write_text(json.dumps({"clinicalData": {"itemGroupData": {"IG.X": group}}}), "utf-8")


def r_literal(cells):
    """Write a column as an R expression."""
    kind = kind_of(cells)
    na = {str: "NA_character_", int: "NA_integer_", float: "NA_real_"}.get(kind, "NA")

    def one(cell):
        if cell is None:
            return na
        if kind is str:
            escaped = "".join(
                char
                if char.isascii() and char.isprintable() and char not in '"\\'
                else f"\\U{{{ord(char):x}}}"
                for char in cell
            )
            return f'"{escaped}"'
        if kind is int:
            return f"{cell}L"
        if kind is float:
            return cell.hex()  # R reads decimal digits to within a unit in the last place.
        return f'"{cell.isoformat(" ") if kind is datetime.datetime else cell.isoformat()}"'

    vector = f"c({', '.join(map(one, cells))})"
    if not cells:
        return {str: "character(0)", int: "integer(0)", float: "numeric(0)"}[kind]
    if kind is datetime.date:
        return f"as.Date({vector})"
    if kind is datetime.datetime:
        return f'as.POSIXct({vector}, tz = "UTC", format = "%Y-%m-%d %H:%M:%OS")'
    return vector


def r_frame(table):
    columns = ", ".join(f"`{name}` = {r_literal(cells)}" for name, cells in table.items())
    return f"data.frame({columns}, check.names = FALSE, stringsAsFactors = FALSE)"


def write_rds(path, table):
    run_r(f"x <- {r_frame(table)}; saveRDS(x, commandArgs(TRUE)[1])", path)
