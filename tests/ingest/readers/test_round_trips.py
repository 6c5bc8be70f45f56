"""Any table survives being written and read, within what its format can hold."""

import datetime
import math
import string
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ingest.readers import writers
from ingest.readers.reading import cells, read

WITHOUT_SHRINKING = (Phase.explicit, Phase.generate)  # which takes minutes
quick = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, phases=WITHOUT_SHRINKING
)
# The formats of SAS, SPSS and Stata are read in a process of their own.
slow = settings(quick, max_examples=4)

LETTERS = string.ascii_letters
# What no format of text can hold: null bytes and half characters.
ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
# Excel's days begin with 1900-03-01: before, it counts a 29 February that never was.
EXCEL_DAYS = st.dates(datetime.date(1900, 3, 1), datetime.date(9999, 12, 31))
DAYS = st.dates()
TIMES = st.datetimes()


def in_milliseconds(times):
    return times.map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))


@st.composite
def tables(draw, text=ANY_TEXT, whole=None, floats=FLOATS, days=DAYS, times=TIMES, length=8):
    """Draw a table: the first column is never blank, so that no record is nothing but blanks."""
    kinds = [
        text,
        whole if whole is not None else st.integers(-(2**53), 2**53),
        floats,
        days,
        times,
    ]
    names = draw(
        st.lists(
            st.text(LETTERS, min_size=1, max_size=length),
            min_size=1,
            max_size=5,
            unique_by=str.upper,
        )
    )
    records = draw(st.integers(1, 6))
    column = st.lists(st.none() | st.nothing(), max_size=0)
    table = {}
    for position, name in enumerate(names):
        kind = draw(st.sampled_from([kind for kind in kinds if kind is not None]))
        column = st.lists(
            kind if position == 0 else st.none() | kind, min_size=records, max_size=records
        )
        if position == 0:
            column = st.lists(
                st.text(LETTERS, min_size=1, max_size=8), min_size=records, max_size=records
            )
        table[name] = draw(column)
    return table


def expected(table, show=lambda cell: cell):
    """Give what a reader returns: blank text is missing, dates are at midnight."""

    def one(cell):
        if isinstance(cell, str) and not cell.strip():
            return None
        if isinstance(cell, datetime.date):
            return pd.Timestamp(cell).as_unit("us")
        return None if cell is None else show(cell)

    return {name: [one(cell) for cell in column] for name, column in table.items()}


def survive(write, name, table, show=lambda cell: cell, read_options=None, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path, table, **options)
        found = read(path, options=read_options)
    assert cells(found) == expected(table, show)
    return found


# The writer does not quote a lone carriage return, which is refused.
@quick
@given(
    tables(ANY_TEXT.filter(lambda text: "\r" not in text)),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_text_survives_in_delimited_text(table, delimiter, encoding):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        writers.write_text(path, table, delimiter, encoding=encoding)
        # Text may look as if another character separated its cells.
        found = read(path, options={"delimiter": delimiter})
    written = {
        name: [None if cell is None or not str(cell).strip() else str(cell) for cell in column]
        for name, column in table.items()
    }
    assert cells(found) == written


@quick
@given(tables(text=st.text(LETTERS + "é '-", max_size=10)), st.sampled_from(",;\t|"), st.booleans())
def test_delimiter_is_found_where_cells_hold_none(table, delimiter, comma):
    decimal = "," if comma and delimiter != "," else "."
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.txt"
        writers.write_text(
            path, {**table, "last": ["x"] * len(next(iter(table.values())))}, delimiter, decimal
        )
        found = read(path)
    numbers = {
        name
        for name, column in table.items()
        if decimal == "," and any(isinstance(c, float) and "." in repr(c) for c in column)
    }
    # 1,125 alone may mark thousands; it is not taken for a decimal comma then.
    assert found.decimal_comma <= numbers
    if numbers - found.decimal_comma:
        assert any("may be decimal commas or mark thousands" in said for said in found.statements)


@quick
@given(tables(whole=st.integers(-(2**63), 2**63 - 1)))
def test_table_survives_in_parquet(table):
    survive(writers.write_parquet, "x.parquet", table)


# XML knows no control characters and writes all line breaks alike; a text that begins with = is
# a formula; one with _x0041_ an escaped letter.
EXCEL_TEXT = st.text(
    st.characters(exclude_characters="\r_=", exclude_categories=("Cc", "Cs", "Co", "Cn")),
    max_size=20,
)


# The library writes 16 digits; Excel itself shows 15.
EXCEL_FLOATS = FLOATS.filter(lambda x: abs(x) < 1e307).map(lambda x: float(f"{x:.15g}"))


@quick
@given(
    tables(
        EXCEL_TEXT,
        floats=EXCEL_FLOATS,
        days=EXCEL_DAYS,
        times=in_milliseconds(st.datetimes(datetime.datetime(1900, 3, 1))),
    )
)
def test_table_survives_in_excel(table):
    found = survive(writers.write_excel, "x.xlsx", table)
    for name, column in table.items():
        for cell, written in zip(found.frame[name], column, strict=True):
            # A whole float is a whole number in a workbook.
            if isinstance(written, float) and not written.is_integer():
                assert type(cell) is float


@quick
@given(tables(st.text(st.characters(exclude_categories=("Cs",)), max_size=20)))
def test_table_survives_in_dataset_json(table):
    def as_json(cells):
        return [cell.isoformat() if isinstance(cell, datetime.date) else cell for cell in cells]

    shown = {name: as_json(column) for name, column in table.items()}
    for write, name in (
        (writers.write_json, "x.json"),
        (writers.write_ndjson, "x.ndjson"),
        (writers.write_json_1_0, "x.json"),
    ):
        survive(write, name, shown)


# Text in these formats is padded with blanks, so that those at its end are lost.
PADDED = ANY_TEXT.map(lambda text: text.rstrip())
# IBM's hexadecimal floating point reaches less far than IEEE's.
IBM = FLOATS.filter(lambda x: x == 0 or 1e-77 < abs(x) < 1e75)
# Numbers of seconds hold milliseconds for some centuries around the origin.
NEAR = in_milliseconds(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)))


@pytest.mark.parametrize("version", [5, 8])
@slow
@given(data=st.data())
def test_table_survives_in_transport_files(version, data):
    table = data.draw(tables(PADDED, None, IBM, times=NEAR, length=8 if version == 5 else 30))
    if version == 5:
        table = {name.upper(): column for name, column in table.items()}
    survive(writers.write_xpt, "x.xpt", table, float_if_int, version=version)


def float_if_int(cell):
    """Give a number as formats that know but one kind of numbers do."""
    return float(cell) if isinstance(cell, int) else cell


# The lowest number of all is SPSS's missing value.
SPSS_FLOATS = FLOATS.filter(lambda x: abs(x) < 1e300)


@pytest.mark.parametrize("options", [{}, {"row_compress": True}, {"compress": True}])
@slow
@given(data=st.data())
def test_table_survives_in_spss(options, data):
    # Days before 1582 have no number there.
    days = st.dates(datetime.date(1582, 10, 15))
    table = data.draw(tables(PADDED, None, SPSS_FLOATS, days, NEAR))
    name = "x.zsav" if "compress" in options else "x.sav"
    survive(writers.write_sav, name, table, float_if_int, **options)


# Stata's largest numbers are its missing values; its whole numbers have 32 bits.
STATA_FLOATS = FLOATS.filter(lambda x: abs(x) < 1e307)


@slow
@given(tables(ANY_TEXT, st.integers(-(2**31) + 1, 2**31 - 101), STATA_FLOATS, times=NEAR))
def test_table_survives_in_stata(table):
    survive(writers.write_dta, "x.dta", table)


@slow
@given(
    st.lists(st.integers(-(10**6), 10**6) | st.none(), min_size=1, max_size=5),
    st.text(LETTERS + string.digits, min_size=1, max_size=8),
)
def test_table_survives_in_portable_files(numbers, text):
    table = {"ID": [text] * len(numbers), "X": numbers}
    survive(writers.write_por, "x.por", table, float_if_int)


@writers.needs_r[0]
@writers.needs_r[1]
@slow
@given(tables(whole=st.integers(-(2**31) + 1, 2**31 - 1), times=NEAR))
def test_table_survives_in_r(table):
    found = None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.rds"
        writers.write_rds(path, table)
        found = read(path)
    for name, column in table.items():
        if writers.kind_of(column) is datetime.datetime:
            found.frame[name] = found.frame[name].dt.tz_localize(None)
    assert cells(found) == expected(table)


def test_numbers_survive_to_the_last_bit(tmp_path):
    numbers = [0.1, 1 / 3, math.pi, 1e-300, 123456789.123456789, 2.0**-1022, 1e15 + 0.3]
    table = {"id": ["x"] * len(numbers), "x": numbers}
    for write, name in (
        (writers.write_sav, "x.sav"),
        (writers.write_dta, "x.dta"),
        (writers.write_parquet, "x.parquet"),
    ):
        write(tmp_path / name, table)
        assert cells(read(tmp_path / name))["x"] == numbers
