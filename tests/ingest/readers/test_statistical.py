"""SAS, SPSS and Stata files: labels, codes, dates and special missing values survive."""

import datetime
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from discontinuation.ingest.readers import statistical
from discontinuation.ingest.readers.display_formats import clock
from ingest.readers.reading import cells, read, refused
from ingest.readers.writers import write_dta, write_por, write_sav, write_xpt

# Written with ReadStat's own writer of SAS data sets, which no library for Python has.
SAS_FILES = [Path(__file__).with_name(f"diary{kind}.sas7bdat") for kind in ("", "_compressed")]
DAYS = [datetime.date(2012, 1, 1), None, datetime.date(1899, 12, 31)]
TIMES = [datetime.datetime(2012, 1, 1, 8, 30, 0, 500000), None, datetime.datetime(1960, 1, 1)]
TABLE = {"id": ["007", "é", None], "dose": [10.0, None, -2.5], "day": DAYS, "at": TIMES}
STAMPS = [None if cell is None else pd.Timestamp(cell) for cell in TIMES]
DATES = [None if cell is None else pd.Timestamp(cell) for cell in DAYS]
EXPECTED = {"id": ["007", "é", None], "dose": [10, None, -2.5], "day": DATES, "at": STAMPS}


@pytest.mark.parametrize("version", [5, 8])
def test_transport_files(tmp_path, version):
    path = tmp_path / "x.xpt"
    labels = [
        "Person",
        "Dose, mg",
        None,
        "A label of more than forty letters, which version 5 has not",
    ]
    if version == 5:
        labels[3] = "At"
    write_xpt(path, TABLE, version, column_labels=labels, table_name="DIARY")
    table = read(path)
    assert cells(table) == EXPECTED
    assert table.frame.dtypes.astype(str).tolist() == [
        "object",
        "float64",
        "datetime64[us]",
        "datetime64[us]",
    ]
    assert table.labels == {"id": "Person", "dose": "Dose, mg", "at": labels[3]}
    assert table.formats["day"].startswith("DATE") and table.row_word == "record"
    assert table.rows.tolist() == [1, 2, 3]
    assert "SAS dates by their format: day" in table.statements
    assert "encoding UTF-8 (not declared; all text is valid)" in table.statements


@pytest.mark.parametrize("path", SAS_FILES, ids=["plain", "compressed"])
def test_sas_data_sets_agree_with_an_independent_reader(path):
    table = read(path)
    found = cells(table)
    other = pd.read_sas(path, encoding="utf-8")
    assert found["USUBJID"] == other["USUBJID"].tolist() == ["001", "002", "003", "004"]
    assert table.frame["ADT"].tolist() == other["ADT"].tolist()
    assert table.frame["ADTM"].tolist() == other["ADTM"].tolist()
    assert found["ADTM"][0] == pd.Timestamp("2012-01-01 08:30:00.5")
    assert (table.frame["ATM"] / np.timedelta64(1, "s")).tolist() == other["ATM"].tolist()
    assert found["NOTE"] == ["café au lait", None, None, None]
    # The other reader loses the special missing value.
    assert found["DOSE"] == [0.0, None, ".A", 7.5] and table.user_missing == {"DOSE": [".A"]}
    assert table.labels == {"USUBJID": "Person", "DOSE": "Dose, mg", "NOTE": "Rémarque"}
    assert table.formats == {"ADT": "DATE9", "ADTM": "DATETIME20", "ATM": "TIME8"}


def put_special_missing(path, letter, count):
    """Turn the first plain missing values of a transport file into special ones."""
    content = bytearray(path.read_bytes())
    for _ in range(count):
        content[content.index(b"\x2e" + bytes(7))] = ord(letter)
    path.write_bytes(content)


def test_special_missing_values_of_transport_files_are_not_lost(tmp_path):
    path = tmp_path / "x.xpt"
    write_xpt(path, {"x": [1.0, None, None, None], "y": [1.0, 2.0, 3.0, 4.0]})
    put_special_missing(path, "A", 1)
    put_special_missing(path, "_", 1)
    assert pyreadstat.read_xport(path)[0]["x"].isna().sum() == 3  # what the public reader does
    table = read(path)
    assert cells(table) == {"x": [1.0, ".A", "._", None], "y": [1, 2, 3, 4]}
    assert table.user_missing == {"x": [".A", "._"]}


def test_special_missing_values_among_dates(tmp_path):
    path = tmp_path / "x.xpt"
    write_xpt(path, {"day": [datetime.date(2012, 1, 1), None]})
    put_special_missing(path, "D", 1)
    table = read(path)
    assert table.frame["day"].tolist() == [pd.Timestamp("2012-01-01"), ".D"]
    assert table.frame["day"].dtype == object


def test_windows_text_in_a_transport_file_is_read_and_stated(tmp_path):
    path = tmp_path / "x.xpt"
    write_xpt(path, {"id": ["1", "2"], "name": ["plain", "O@Brien"]})
    path.write_bytes(path.read_bytes().replace(b"O@B", b"O\x92B"))
    table = read(path)
    assert cells(table)["name"] == ["plain", "O’Brien"]
    said = (
        "encoding Windows-1252 (assumed: not UTF-8, byte 0x92 in name, record 2, read as 'O’Brien')"
    )
    assert said in table.statements
    assert cells(read(path, options={"encoding": "cp1251"}))["name"][1] == "O’Brien"
    assert "holds text that is not in ascii" in refused(path, options={"encoding": "ascii"})


def test_mixed_text_in_a_transport_file_is_refused(tmp_path):
    path = tmp_path / "x.xpt"
    write_xpt(path, {"name": ["Zo@@", "O@Brien"]})
    path.write_bytes(path.read_bytes().replace(b"@@", b"\xc3\xab").replace(b"O@B", b"O\x92B"))
    assert "column name: 'ZoÃ«': record 1 is UTF-8, but other text is not" in refused(path)


@pytest.mark.parametrize("version", [5, 8])
def test_transport_file_that_was_cut_off_is_refused_at_every_length(tmp_path, version):
    path = tmp_path / "x.xpt"
    people = {"id": [f"person {i}" for i in range(60)], "x": [float(i) for i in range(60)]}
    write_xpt(path, people, version)
    content = path.read_bytes()
    records = content.index(b"OBS") - 20 + 80
    for size in [*range(80, len(content), 80), len(content) - 1, 500]:
        path.write_bytes(content[:size])
        if version == 5 and size == records:
            # Nothing tells it from a data set without records, which is what is stated.
            assert "there are no records" in read(path).statements
        else:
            assert "cut off" in (text := refused(path)) or "cannot be read as" in text, size


def test_transport_file_with_several_data_sets_is_refused(tmp_path):
    path, other = tmp_path / "x.xpt", tmp_path / "y.xpt"
    write_xpt(path, {"a": [1.0]})
    write_xpt(other, {"b": [1.0]})
    path.write_bytes(path.read_bytes() + other.read_bytes()[240:])
    assert "holds 2 data sets; allowed: one per file" in refused(path)


def test_spss_codes_stay_and_are_listed(tmp_path):
    frame = {
        "id": ["a", "b", "c"],
        "score": [1.0, 9.0, 97.5],
        "why": ["x", "NA", "y"],
        "sex": [1, 2, None],
    }
    path = tmp_path / "x.sav"
    write_sav(
        path,
        frame,
        column_labels={"id": "Person", "score": "HAM-D é"},
        variable_value_labels={"sex": {1: "männlich", 2: "weiblich"}},
        missing_ranges={"score": [9, {"lo": 97, "hi": 99}], "why": ["NA"]},
        variable_format={"score": "F8.1"},
    )
    table = read(path)
    assert cells(table) == frame | {"sex": [1.0, 2.0, None]}
    assert sorted(table.user_missing["score"], key=str) == [(97.0, 99.0), 9.0]
    assert table.user_missing["why"] == ["NA"]
    assert table.value_labels == {"sex": {1.0: "männlich", 2.0: "weiblich"}}
    assert table.labels == {"id": "Person", "score": "HAM-D é"}
    assert table.formats["score"] == "F8.1"
    assert "encoding UTF-8 (declared by the file)" in table.statements


@pytest.mark.parametrize("options", [{}, {"row_compress": True}, {"compress": True}])
def test_spss_dates(tmp_path, options):
    path = tmp_path / ("x.zsav" if "compress" in options else "x.sav")
    write_sav(path, TABLE, **options)
    table = read(path)
    assert cells(table) == EXPECTED
    assert "SPSS dates by their format: day" in table.statements


def test_user_missing_codes_among_spss_dates_stay_codes(tmp_path):
    frame = pd.DataFrame({"day": [13549852800.0, 0.0]})
    path = tmp_path / "x.sav"
    pyreadstat.write_sav(
        frame, path, variable_format={"day": "EDATE10"}, missing_ranges={"day": [0]}
    )
    table = read(path)
    assert table.frame["day"].tolist() == [pd.Timestamp("2012-02-29"), 0.0]
    assert table.user_missing == {"day": [0.0]}


def test_spss_portable_files(tmp_path):
    path = tmp_path / "x.por"
    write_por(path, {"ID": ["007", "x"], "SCORE": [1.5, None]})
    assert cells(read(path)) == {"ID": ["007", "x"], "SCORE": [1.5, None]}


@pytest.mark.parametrize("version", [8, 10, 12, 13, 14, 15])
def test_stata_files(tmp_path, version):
    path = tmp_path / "x.dta"
    table = TABLE | {"n": [1, 2, 3]}
    write_dta(
        path,
        table,
        version=version,
        column_labels={"dose": "Dose, mg"},
        variable_value_labels={"n": {1: "eins", 2: "zwei"}},
    )
    found = read(path)
    assert cells(found) == EXPECTED | {"n": [1, 2, 3]}
    assert found.labels == {"dose": "Dose, mg"}
    assert found.value_labels == {"n": {1: "eins", 2: "zwei"}}
    assert found.formats["day"] == "%td" and found.formats["at"] == "%tc"


def test_stata_special_missing_values_and_their_labels(tmp_path):
    frame = pd.DataFrame({"x": pd.Series([1, "a", None, "z"], dtype=object), "y": [1, 2, 3, 4]})
    path = tmp_path / "x.dta"
    pyreadstat.write_dta(
        frame,
        path,
        missing_user_values={"x": ["a", "z"]},
        variable_value_labels={"x": {1: "yes", "a": "refused"}},
    )
    table = read(path)
    assert cells(table)["x"] == [1.0, ".a", None, ".z"]
    assert table.user_missing == {"x": [".a", ".z"]}
    assert table.value_labels == {"x": {1: "yes", ".a": "refused"}}


def test_stata_whole_numbers_with_a_gap(tmp_path):
    frame = pd.DataFrame({"n": pd.array([1, None, 3], dtype="Int16")})
    frame.to_stata(tmp_path / "x.dta", write_index=False)
    table = read(tmp_path / "x.dta")
    assert str(table.frame["n"].dtype) == "Int64" and cells(table)["n"] == [1, None, 3]


def test_old_stata_text_is_utf8_or_windows(tmp_path):
    path = tmp_path / "x.dta"
    pd.DataFrame({"name": ["Müller"]}).to_stata(path, version=114, write_index=False)
    table = read(path)
    assert cells(table)["name"] == ["Müller"]
    assert "encoding Windows-1252 (assumed: not UTF-8, byte 0xfc" in table.statements[0]


def test_stata_file_that_was_cut_off_is_refused_or_stated(tmp_path):
    path = tmp_path / "x.dta"
    write_dta(path, {"n": [1, 2]}, version=15, variable_value_labels={"n": {1: "a", 2: "b"}})
    content = path.read_bytes()
    for size in range(1, len(content), 97):
        path.write_bytes(content[:size])
        refused(path)
    # Nothing in old files marks their end: only the labels at the end can be lost unnoticed.
    write_dta(path, {"n": [1, 2]}, version=8, variable_value_labels={"n": {1: "a", 2: "b"}})
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"n0") - 4])
    table = read(path)
    assert cells(table) == {"n": [1, 2]}
    assert "value labels named but not in the file: n (n0)" in table.statements


def test_numbers_beyond_the_calendar_stay_numbers(tmp_path):
    path = tmp_path / "x.xpt"
    frame = pd.DataFrame({"day": [1.0, 1e9], "part": [5.0, 6.0], "half": [1.0, 1.5]})
    formats = {"day": "DATE9", "part": "MONYY7", "half": "DATE9"}
    pyreadstat.write_xport(frame, path, variable_format=formats)
    table = read(path)
    assert cells(table)["day"] == [1.0, 1e9] and cells(table)["part"] == [5.0, 6.0]
    assert table.frame["half"].tolist() == [
        pd.Timestamp("1960-01-02"),
        pd.Timestamp("1960-01-02 12:00"),
    ]
    assert "some dates of half have a time of day: kept" in table.statements
    said = "\n".join(table.statements)
    assert "beyond the calendar in spite of their format, left as numbers: day (DATE9)" in said
    assert "a part of a SAS date, left as numbers: part (MONYY7)" in said


@pytest.mark.parametrize(
    ("package", "display", "kind", "unit"),
    [
        ("SAS", "DATE9.", "dates", 86_400_000_000),
        ("SAS", "E8601DA10", "dates", 86_400_000_000),
        ("SAS", "YYMMDDN8.", "dates", 86_400_000_000),
        ("SAS", "DATETIME20.3", "dates and times", 1_000_000),
        ("SAS", "DTDATE9", "dates and times", 1_000_000),  # the date within a datetime: seconds
        ("SAS", "E8601DN10", "dates and times", 1_000_000),
        ("SAS", "TOD8", "times", 1_000_000),
        ("SAS", "YEAR4", "parts of dates", 1_000_000),
        ("SPSS", "SDATE10", "dates", 1_000_000),
        ("SPSS", "TIME8", "times", 1_000_000),
        ("SPSS", "MOYR8", "parts of dates", 1_000_000),
        ("Stata", "%td", "dates", 86_400_000_000),
        ("Stata", "%-tdD_m_Y", "dates", 86_400_000_000),
        ("Stata", "%d", "dates", 86_400_000_000),
        ("Stata", "%tcHH:MM:SS", "dates and times", 1000),
        ("Stata", "%tC", "leap-second times", 1_000_000),
        ("Stata", "%tm", "parts of dates", 1_000_000),
    ],
)
def test_display_formats_that_are_dates(package, display, kind, unit):
    found = clock(package, display)
    assert (found.kind, found.unit) == (kind, unit)


@pytest.mark.parametrize(
    ("package", "display"),
    [
        *[("SAS", name) for name in ("BEST12.", "8.2", "$DATE9", "DATEX", "", None)],
        *[("SPSS", name) for name in ("F8.2", "A10", "MONTH8")],
        *[("Stata", name) for name in ("%9.0g", "%12s")],
    ],
)
def test_display_formats_that_are_not(package, display):
    assert clock(package, display) is None


def crashing(path):
    """Write an SPSS file whose first variable has an impossible width: the library crashes."""
    table = {"id": ["001", "002"], "x": [1.0, 2.0]}
    write_sav(path, table, variable_value_labels={"x": {1: "one"}})
    content = bytearray(path.read_bytes())
    content[180] = 255
    path.write_bytes(content)
    return path


@pytest.mark.skipif(os.name == "nt", reason="signals are told otherwise")
def test_file_that_crashes_the_library_is_refused_and_nothing_else_happens(tmp_path):
    path = crashing(tmp_path / "x.sav")
    code = "import pyreadstat, sys; pyreadstat.read_sav(sys.argv[1])"
    alone = subprocess.run([sys.executable, "-c", code, path], capture_output=True)
    assert alone.returncode < 0, "the library no longer crashes on it: find another file"
    text = refused(path)
    assert (
        text
        == "x.sav: cannot be read as an SPSS data set (its reader crashed; the file is damaged)"
    )


def test_header_that_asks_for_all_memory_is_refused(tmp_path):
    path = tmp_path / "x.dta"
    write_dta(path, {"n": [1.0, 2.0]}, version=8)
    content = bytearray(path.read_bytes())
    content[6:10] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(content)
    text = refused(path)
    assert "cannot be read as a Stata data set" in text


def test_reader_that_does_not_end_is_stopped(tmp_path, monkeypatch):
    slow = tmp_path / "slow.py"
    slow.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(statistical, "CHILD", slow)
    monkeypatch.setattr(statistical, "SECONDS", 0.2)
    write_sav(tmp_path / "x.sav", {"x": [1.0]})
    assert "cannot be read as an SPSS data set within 0 seconds; is it damaged?" in refused(
        tmp_path / "x.sav"
    )


def test_library_that_is_not_there_is_not_the_fault_of_the_file(tmp_path, monkeypatch):
    broken = tmp_path / "child.py"
    answer = ("ModuleNotFoundError", "No module named 'pyreadstat'")
    broken.write_text(f"import pickle, sys; pickle.dump({answer!r}, sys.stdout.buffer)")
    monkeypatch.setattr(statistical, "CHILD", broken)
    write_sav(tmp_path / "x.sav", {"x": [1.0]})
    with pytest.raises(ImportError, match="pyreadstat"):
        read(tmp_path / "x.sav")


def test_empty_tables_are_stated(tmp_path):
    for name, write in (("x.sav", write_sav), ("x.xpt", write_xpt), ("x.dta", write_dta)):
        write(tmp_path / name, {"id": ["a"], "x": [1.0]})
        frame = pd.DataFrame({"id": pd.Series([], dtype=object), "x": pd.Series([], dtype=float)})
        if name == "x.sav":
            pyreadstat.write_sav(frame, tmp_path / name)
        elif name == "x.dta":
            pyreadstat.write_dta(frame, tmp_path / name)
        else:
            pyreadstat.write_xport(frame, tmp_path / name)
        table = read(tmp_path / name)
        assert table.frame.shape == (0, 2) and "there are no records" in table.statements


def test_long_texts(tmp_path):
    table = {"id": ["a", "b"], "text": ["é" * 1000, "x" * 20_000]}
    write_sav(tmp_path / "x.sav", table)
    assert cells(read(tmp_path / "x.sav")) == table
    write_dta(tmp_path / "x.dta", table, version=15)
    assert cells(read(tmp_path / "x.dta")) == table
    table["text"][1] = "x" * 1000
    write_xpt(tmp_path / "x.xpt", table, 8)
    assert cells(read(tmp_path / "x.xpt")) == table


def test_path_with_unusual_letters(tmp_path):
    folder = tmp_path / "ä b'c"
    folder.mkdir()
    write_sav(folder / "~é.sav", {"x": [1.0]})
    assert cells(read(folder / "~é.sav")) == {"x": [1.0]}
