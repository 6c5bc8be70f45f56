"""Whatever happens to a file, reading it ends in a table or in a message, and soon.

Small valid files are cut off and have bytes changed at random. The formats of SAS, SPSS and
Stata are read in a process of their own, which costs a quarter of a second each: they get fewer
examples, and their headers more of the changes.
"""

import gzip
import io
import tempfile
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discontinuation.ingest.readers import SourceTable, read_source
from discontinuation.problems import InvalidInput
from ingest.readers import writers

quick = settings(max_examples=30, deadline=None, derandomize=True, database=None)
slow = settings(quick, max_examples=5)

TABLE = {
    "id": ["007", "é", None, "x y"],
    "dose": [10.5, None, -2.0, 0.0],
    "visit": [1, 2, 3, 4],
    "note": ['say "hi"', "two\nlines", "a,b;c", "1,5"],
}
ASCII = {"ID": ["007", "e", None], "DOSE": [10.5, None, -2.0], "VISIT": [1, 2, 3]}
LABELS = {"variable_value_labels": {"visit": {1: "one", 2: "two"}}}


def write_compressed_parquet(path, table):
    writers.write_parquet(path, table)
    pq.write_table(pq.read_table(path), path, compression="zstd", data_page_version="2.0")


def write_plain_parquet(path, table):
    columns = {"a": [1, None, 3] * 5, "b": ["x", "y", None] * 5}
    table = pa.table(columns).append_column("c", pa.array(["u"] * 15).dictionary_encode())
    pq.write_table(table, path, compression="none", use_dictionary=False)


def write_unpacked_excel(path, table):
    """Write a workbook whose parts are not compressed, so that changes reach the XML."""
    writers.write_excel(path, table)
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for name, content in parts.items():
            new.writestr(name, content)


def write_labelled(write):
    return lambda path, table: write(path, table, **LABELS)


QUICK = {
    "a.csv": writers.write_text,
    "semicolon.csv": lambda path, table: writers.write_text(path, table, ";", ","),
    "utf16.txt": lambda path, table: writers.write_text(path, table, encoding="utf-16"),
    "a.parquet": writers.write_parquet,
    "zstd.parquet": write_compressed_parquet,
    "plain.parquet": write_plain_parquet,
    "a.xlsx": writers.write_excel,
    "unpacked.xlsx": write_unpacked_excel,
    "a.json": writers.write_json,
    "a.ndjson": writers.write_ndjson,
    "old.json": writers.write_json_1_0,
}
R_FILES = {
    "xdr.rds": "saveRDS(x, f, compress = FALSE)",
    "gzip.rds": "saveRDS(x, f)",
    "ascii.rda": "save(x, file = f, ascii = TRUE)",
}
SLOW = {
    "v5.xpt": lambda path, table: writers.write_xpt(path, ASCII, 5),
    "v8.xpt": lambda path, table: writers.write_xpt(path, table, 8),
    "a.sav": write_labelled(writers.write_sav),
    "packed.sav": lambda path, table: writers.write_sav(path, table, row_compress=True, **LABELS),
    "a.zsav": lambda path, table: writers.write_sav(path, table, compress=True),
    "a.por": lambda path, table: writers.write_por(path, ASCII),
    "a.dta": write_labelled(writers.write_dta),
    "old.dta": lambda path, table: writers.write_dta(path, table, version=8, **LABELS),
}
SAS_FILES = {path.name: path for path in sorted(Path(__file__).parent.glob("*.sas7bdat"))}


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """Write every kind of file once and give what is in it."""
    folder = tmp_path_factory.mktemp("whole")
    made = {}
    for name, write in (QUICK | SLOW).items():
        write(folder / name, TABLE)
        made[name] = (folder / name).read_bytes()
    if writers.R:
        for name, save in R_FILES.items():
            code = f"x <- {writers.r_frame(TABLE)}; x$v <- factor(x$id); f <- commandArgs(TRUE)[1]"
            writers.run_r(f"{code}; {save}", folder / name)
            made[name] = (folder / name).read_bytes()
    return made | {name: path.read_bytes() for name, path in SAS_FILES.items()}


@st.composite
def damage(draw):
    """Draw what happens to a file: where it is cut, and which bytes become what."""
    where = st.floats(0, 1, exclude_max=True)
    early = st.floats(0, 0.2)
    changes = draw(
        st.lists(
            st.tuples(where | early, st.sampled_from([0, 127, 128, 255]) | st.integers(0, 255)),
            max_size=6,
        )
    )
    cut = draw(st.none() | st.none() | where)
    insert = draw(st.none() | st.none() | st.tuples(where, st.binary(max_size=8)))
    return changes, cut, insert


def damaged(content, changes, cut, insert):
    content = bytearray(content)
    for at, byte in changes:
        content[int(at * len(content))] = byte
    if insert:
        at = int(insert[0] * len(content))
        content[at:at] = insert[1]
    return bytes(content[: int(cut * len(content))] if cut is not None else content)


def ends_well(name, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            table = read_source(path, name)
        except InvalidInput as error:
            assert error.problems and all(str(problem) for problem in error.problems)
        else:
            assert isinstance(table, SourceTable) and len(table.rows) == len(table.frame)
            assert table.frame.columns.is_unique


@pytest.mark.parametrize("name", QUICK)
@quick
@given(what=damage())
def test_damaged_file_ends_in_a_table_or_a_message(contents, name, what):
    ends_well(name, damaged(contents[name], *what))


@pytest.mark.r
@pytest.mark.skipif(writers.R is None, reason="R is not installed")
@pytest.mark.parametrize("name", R_FILES)
@quick
@given(what=damage())
def test_damaged_r_file_ends_in_a_table_or_a_message(contents, name, what):
    ends_well(name, damaged(contents[name], *what))


@pytest.mark.r
@pytest.mark.skipif(writers.R is None, reason="R is not installed")
@quick
@given(what=damage())
def test_damage_behind_the_compression(contents, what):
    ends_well("a.rds", gzip.compress(damaged(contents["xdr.rds"], *what), 1))


@quick
@given(what=damage(), part=st.integers(0, 7))
def test_damage_within_a_part_of_a_workbook(contents, what, part):
    with zipfile.ZipFile(io.BytesIO(contents["a.xlsx"])) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    name = sorted(parts)[part % len(parts)]
    parts[name] = damaged(parts[name], *what)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as new:
        for each, content in parts.items():
            new.writestr(each, content)
    ends_well("a.xlsx", made.getvalue())


@pytest.mark.parametrize("name", [*SLOW, *SAS_FILES])
@slow
@given(what=damage())
def test_damaged_statistical_file_ends_in_a_table_or_a_message(contents, name, what):
    ends_well(name, damaged(contents[name], *what))


@quick
@given(st.binary(max_size=200), st.sampled_from([*QUICK, "a.rds", "a.rda"]))
def test_any_bytes_end_in_a_table_or_a_message(content, name):
    ends_well(name, content)


@quick
@given(st.text(st.sampled_from("ab1,;\"\t\n\r' |.é0-"), max_size=60))
def test_any_text_comes_as_another_reader_reads_it(text):
    """What is read without doubt is what pandas reads of it, cell by cell."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(text.encode())
        try:
            table = read_source(path, "x.csv", options={"delimiter": ","})
        except InvalidInput:
            return
    if "lines end with a carriage return" in table.statements or "row.names" in table.frame:
        return
    quoting = 0 if '"' in text and "part of the text" not in str(table.statements) else 3
    if "quotation mark '" in table.statements:
        return
    other = pd.read_csv(
        io.StringIO(text, newline=""),
        dtype=str,
        keep_default_na=False,
        quoting=quoting,
        header=None,
        skip_blank_lines=True,
    )
    header = [name.strip() for name in other.iloc[0]]
    kept = [at for at, name in enumerate(header) if name]
    body = other.iloc[1:, kept]
    body = body[(body.apply(lambda column: column.str.strip()) != "").any(axis=1)]
    blank = body.apply(lambda column: column.str.strip()) == ""
    expected = body.astype(object).mask(blank, None).to_numpy(object).tolist()
    assert table.frame.to_numpy(object).tolist() == expected
