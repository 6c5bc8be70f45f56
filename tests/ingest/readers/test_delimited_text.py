"""Delimited text comes as it was written; what was found out is stated; doubt is refused."""

import time

import numpy as np
import pandas as pd
import pytest

from discontinuation.ingest.readers import as_numbers, read_source
from ingest.readers.reading import cells, read, refused


@pytest.fixture
def file(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_cells_are_text_as_written(file):
    table = read(file("id,dose,note\n007,1.50,NA\n008,,nan\n 9,1e3,TRUE\n"))
    expected = {"id": ["007", "008", " 9"], "dose": ["1.50", None, "1e3"]}
    assert cells(table) == expected | {"note": ["NA", "nan", "TRUE"]}
    assert table.rows.tolist() == [2, 3, 4] and table.row_word == "row"
    assert set(map(type, table.frame["dose"])) == {str, type(None)}
    assert {str(kind) for kind in table.frame.dtypes} == {"object"}


def test_quoted_cells_keep_delimiters_marks_and_line_breaks(file):
    table = read(file('a,b\n1,"x,y"\n2,"say ""hi"""\n3,"two\r\nlines"\n\n4,""\n'))
    assert cells(table)["b"] == ["x,y", 'say "hi"', "two\r\nlines", None]
    # Rows are counted as a spreadsheet does: a cell with a line break is in one row.
    assert table.rows.tolist() == [2, 3, 4, 6]
    assert "blank rows are left out: 1" in table.statements


@pytest.mark.parametrize(
    ("delimiter", "shown"),
    [(",", "','"), (";", "';'"), ("\t", "tab"), ("|", "'|'"), (" ", "space")],
)
def test_delimiter_is_found_and_stated(file, delimiter, shown):
    table = read(file("a,b\n1,x\n2,y\n".replace(",", delimiter), "data.txt"))
    assert cells(table) == {"a": ["1", "2"], "b": ["x", "y"]}
    assert f"delimiter {shown}" in table.statements


def test_delimiter_is_never_guessed(file):
    both = file("a,b;c\n1,2;3\n4,5;6\n")
    assert "commas or semicolons; set the option delimiter" in refused(both)
    assert list(read(both, options={"delimiter": ";"}).frame) == ["a,b", "c"]
    assert list(read(both, options={"delimiter": "comma"}).frame) == ["a", "b;c"]
    text = file("remark\nwell, better\nworse\n")
    assert "cannot tell how cells are separated" in refused(text)


def test_wrong_delimiter_is_named_with_the_better_one(file):
    text = refused(file("a;b;c\n1;2;3\n"), options={"delimiter": ","})
    assert (
        "with the delimiter ',' the first row is one cell; the delimiter ';' would give 3" in text
    )


def test_semicolons_with_one_decimal_comma_in_every_row_are_not_two_columns(file):
    table = read(file("a;b;c\n1;2,5;x\n3;4,5;y\n"))
    assert cells(table) == {"a": ["1", "3"], "b": ["2,5", "4,5"], "c": ["x", "y"]}
    assert table.decimal_comma == {"b"} and "decimal comma in b" in table.statements


def test_decimal_comma_keeps_the_text(file):
    table = read(file("id;dose;day\n1;1,5;3\n2;-0,25;4\n3;;5\n4;2;6\n"))
    assert cells(table)["dose"] == ["1,5", "-0,25", None, "2"]
    values, bad = as_numbers(table.frame["dose"], ",")
    assert values.dropna().tolist() == [1.5, -0.25, 2] and not bad.any()


def test_comma_that_may_mark_thousands_is_not_decided(file):
    path = file("id;n\n1;1,500\n2;12,250\n")
    table = read(path)
    assert not table.decimal_comma
    assert any("n may be decimal commas or mark thousands" in said for said in table.statements)
    assert read(path, options={"decimal": ","}).decimal_comma == {"id", "n"}
    # Another column that can only be one settles it, unless a third has decimal points.
    assert read(file("n;x\n1,500;0,5\n2,250;0,7\n")).decimal_comma == {"n", "x"}
    assert read(file("n;x;y\n1,500;0,5;1.5\n2,250;0,7;2.5\n")).decimal_comma == {"x"}


def test_text_with_commas_is_not_a_decimal_comma(file):
    table = read(file("a;b;c\n1,2,3;1,5x;1,5\n4;2,5;2.5\n"))
    assert not table.decimal_comma


@pytest.mark.parametrize(
    ("encoding", "text", "statement"),
    [
        ("utf-8", "é", "encoding UTF-8"),
        ("utf-8-sig", "é", "encoding UTF-8 (told by its byte order mark)"),
        ("utf-16", "é漢", "encoding UTF-16-LE (told by its byte order mark)"),
        (
            "utf-16-be",
            "é",
            "encoding UTF-16-BE (told by its null bytes; it has no byte order mark)",
        ),
        ("utf-32", "é", "encoding UTF-32-LE (told by its byte order mark)"),
        ("cp1252", "O’é", "encoding Windows-1252 (assumed: not UTF-8, byte 0x92 at row 2, read as"),
        ("ascii", "e", "encoding ASCII"),
    ],
)
def test_encoding_is_found_and_stated(file, encoding, text, statement):
    table = read(file(f"id,name,site\n1,{text},x\n2,b,y\n".encode(encoding)))
    assert cells(table)["name"] == [text, "b"]
    assert table.statements[0].startswith(statement)


def test_assumed_encoding_shows_the_word_and_its_row(file):
    table = read(file("id,name\n1,Anna\n2,Frau Müller\n".encode("cp1252")))
    assert "byte 0xfc at row 3, read as 'Müller'" in table.statements[0]


def test_encoding_that_cannot_be_told_is_asked_for(file):
    russian = file("id,name\n1,Иванов\n".encode("cp1251"))
    assert "row 2: 'Èâàíîâ': is not UTF-8, and as Windows-1252" in refused(russian)
    assert cells(read(russian, options={"encoding": "windows-1251"}))["name"] == ["Иванов"]
    undefined = file(b"id,name\n1,M\x81ller\n")
    assert "row 2: byte 0x81 is neither UTF-8 nor Windows-1252" in refused(undefined)
    assert "byte 0x81 is not ascii" in refused(undefined, options={"encoding": "ascii"})


def test_byte_order_mark_settles_what_was_configured(file):
    big = file(b"\xfe\xff" + "a,b\n1,é\n".encode("utf-16-be"))
    assert cells(read(big, options={"encoding": "utf-16"}))["b"] == ["é"]
    text = refused(big, options={"encoding": "cp1252"})
    assert "is not Windows-1252: its byte order mark says UTF-16-BE" in text


def test_mixed_encodings_are_refused_with_every_row(file):
    text = refused(file(b"id,name\n1,\xc3\xa9\n2,\xe9\n3,x\n4,\xe9\n"))
    assert "row 3: 'é': byte 0xe9 is not UTF-8, but other rows are (such as 2)" in text
    assert "row 5: " in text and "row 4" not in text


def test_null_bytes_are_refused(file):
    assert "row 3: holds a null byte" in refused(file(b"a,b\n1,2\n3,\x004\n"))
    assert "row 3: holds a null byte" in refused(file(b"a,b\n1,\xe9\n3,\x004\n"))


def test_ragged_rows_are_all_named(file):
    text = refused(file("a,b,c\n1,2,3\n1,2\n\n1,2,3,4\n1,2,3\n"))
    assert "data.csv, row 3: has 2 cells; allowed: 3, as the header" in text
    assert "data.csv, row 5: has 4 cells; allowed: 3, as the header" in text


def test_thousands_of_ragged_rows_are_counted(file):
    text = refused(file("a,b\n" + "1,2\n" * 150 + "1\n" * 100))
    assert len(text.splitlines()) == 21 and "80 more problems of this file" in text


def test_quotation_marks_within_cells_are_refused_not_dropped(file):
    assert "row 2: a quotation mark" in refused(file('a,b\n1,"x" y\n2,"z"\n'))
    assert "row 3: a quotation mark" in refused(file('a,b\n1,"x"\n2,y "z"\n'))
    path = file('a,b\n1,"x\n2,y\n3,z\n')
    assert "row 2: a quotation mark" in refused(path)
    assert cells(read(path, options={"quote": "none"}))["b"] == ['"x', "y", "z"]


def test_marks_that_open_no_cell_are_text(file):
    table = read(file('a\tb\n1\t5" pipe\n2\tsaid "so"\n'))
    assert cells(table)["b"] == ['5" pipe', 'said "so"']
    assert "quotation marks are part of the text: no cell begins with one" in table.statements


def test_single_marks_are_found_in_the_header(file):
    table = read(file("'a','b'\n'1','x,y'\n'2','it''s'\n"))
    assert cells(table)["b"] == ["x,y", "it's"]


def test_carriage_returns(file):
    old = read(file("a,b\r1,2\r3,4\r"))
    assert cells(old) == {"a": ["1", "3"], "b": ["2", "4"]} and old.rows.tolist() == [2, 3]
    assert "lines end with a carriage return" in old.statements
    assert "row 2: holds a carriage return" in refused(file("a,b\n1,x\ry\n2,z\n"))


def test_last_row_without_a_line_break_is_stated(file):
    said = "the last row does not end with a line break"
    assert said in read(file("a,b\n1,2\n3,4")).statements
    assert said not in read(file("a,b\n1,2\n3,4\n")).statements


def test_names_are_settled(file):
    table = read(file(" a ,b,,\n1,2,,\n3,4,,\n"))
    assert list(table.frame) == ["a", "b"]
    assert "columns without a name and without a cell are left out: 2" in table.statements
    assert "spaces around names are left out: ' a '" in table.statements
    text = refused(file("x,a,,a,b\n0,1,2,3,4\n"))
    assert "row 1: column 3 has cells and no name" in text
    assert "row 1, column a: the column stands there more than once" in text
    assert "holds no name of a column" in refused(file(",\n1,2\n"))


def test_row_names_of_r_become_a_column(file):
    expected = {"row.names": ["x", "y"], "a": ["1", "3"], "b": ["2", "4"]}
    table = read(file('"","a","b"\n"x",1,2\n"y",3,4\n'))
    assert cells(table) == expected
    assert "the first column has no name and is called 'row.names'" in table.statements
    for text in ('"a","b"\n"x",1,2\n"y",3,4\n', '"a" "b"\n"x" 1 2\n"y" 3 4\n'):
        table = read(file(text, "data.txt"), options={"row_names": True})
        assert cells(table) == expected
        assert "the first column has no name and is called 'row.names'" in table.statements


@pytest.mark.parametrize("end", ["", "late"])
def test_one_cell_more_than_names_is_never_taken_for_row_names(file, end):
    # pandas takes the first column for an index here, and every name moves by one column.
    path = file(f"id,dose,day\n1,5,3,{end}\n2,6,4,{end}\n")
    text = refused(path)
    assert "has 3 names and 4 cells in every record; if the first cell is the name of" in text


def test_first_column_without_a_name_must_be_row_names(file):
    assert "column 1 has cells and no name" in refused(file(",a\nx,1\nx,2\n"))


def test_blank_cells_and_records(file):
    table = read(file("a,b\n1,  \n\t,\n2,x\n,\n"))
    assert cells(table) == {"a": ["1", "2"], "b": [None, "x"]}
    assert table.rows.tolist() == [2, 4]
    assert "rows of blank cells are left out: 2" in table.statements
    assert "cells of spaces only are blank, in a, b" in table.statements


def test_missing_texts_are_exactly_those_configured(file):
    path = file("a,b\nNA,-99\nna,-99.0\n.,NA\n")
    table = read(path, options={"missing": ["NA", "."]})
    assert cells(table) == {"a": [None, "na", None], "b": ["-99", "-99.0", None]}
    assert cells(read(path, options={"missing": [-99]}))["b"] == [None, "-99.0", "NA"]
    # A record of nothing but missing values is a record.
    assert len(read(file("a,b\nNA,NA\n1,2\n"), options={"missing": "NA"}).frame) == 2


def test_rows_to_read_can_be_configured(file):
    text = "Study X, exported\n\na,b\nmg,days\n1,2\n# late\n3,4\nTotal,6\n"
    options = {"header_row": 3, "rows": [5, 7], "comment": "#"}
    table = read(file(text), options=options)
    assert cells(table) == {"a": ["1", "3"], "b": ["2", "4"]} and table.rows.tolist() == [5, 7]
    assert "names are in row 3; rows above it are not read" in table.statements
    assert "rows that start with '#' are not read: 1" in table.statements
    assert "there is no row 30; the last is 8" in refused(file(text), options={"header_row": 30})
    assert "records cannot begin at row 2" in refused(
        file(text), options={"header_row": 3, "rows": [2]}
    )
    assert "holds only comments" in refused(file("#a\n#b\n"), options={"comment": "#"})


def test_empty_tables_are_stated_and_empty_files_refused(file):
    table = read(file("a,b\n"))
    assert table.frame.shape == (0, 2) and str(table.frame["a"].dtype) == "object"
    assert "there are no records below the names" in table.statements
    assert "holds no text: only blank rows" in refused(file("\n \n"))
    assert "has 0 bytes" in refused(file(""))


def test_one_column_is_stated(file):
    table = read(file("score\n1\n2\n"))
    assert cells(table) == {"score": ["1", "2"]}
    assert "one column: no delimiter in the first rows" in table.statements


def test_long_cells_and_rows_are_read(file):
    long = "x" * 6_000_000
    table = read(file(f'a,b\n1,"{long}\n"\n2,y\n'))
    assert cells(table)["b"] == [long + "\n", "y"]


def test_large_files_are_read_in_seconds(file):
    rng, records = np.random.default_rng(1), 500_000
    frame = pd.DataFrame(
        {
            "id": np.arange(records),
            "day": rng.integers(-10, 400, records),
            "dose": rng.normal(50, 10, records).round(2),
            "arm": rng.choice(["placebo", "drug"], records),
        }
    )
    path = file(frame.to_csv(index=False))
    start = time.perf_counter()
    table = read_source(path)
    values, bad = as_numbers(table.frame["dose"])
    # A quarter of the size aimed at, 2,000,000 x 4 in about 3 s on one idle core.
    assert time.perf_counter() - start < 3
    assert values.tolist() == frame["dose"].tolist() and not bad.any()
