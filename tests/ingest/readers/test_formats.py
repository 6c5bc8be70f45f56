"""The format is told by the ending or an option, and the content has to agree."""

import os

import pytest

from discontinuation.ingest.readers import FORMATS, read_source
from discontinuation.problems import InvalidInput
from ingest.readers import writers
from ingest.readers.reading import cells, read, refused

TABLE = {"id": ["a", "b"], "x": [1.5, 2.5]}
WRITE = {
    "x.csv": writers.write_text,
    "x.parquet": writers.write_parquet,
    "x.xlsx": writers.write_excel,
    "x.xpt": writers.write_xpt,
    "x.dta": writers.write_dta,
    "x.sav": writers.write_sav,
    "x.json": writers.write_json,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("formats")
    for name, write in WRITE.items():
        write(made / name, TABLE)
    return made


def test_every_format_is_described_and_no_ending_is_ambiguous():
    endings = [ending for known in FORMATS.values() for ending in known.endings]
    assert len(endings) == len(set(endings))
    assert all(ending == ending.lower() and ending[0] == "." for ending in endings)
    for known in FORMATS.values():
        assert known.description and all(option.meaning for option in known.options.values())


@pytest.mark.parametrize("name", WRITE)
def test_content_is_read_under_any_name_if_the_format_is_given(folder, tmp_path, name):
    other = tmp_path / "data"
    other.write_bytes((folder / name).read_bytes())
    chosen = next(key for key, known in FORMATS.items() if name[1:] in known.endings)
    assert set(cells(read(other, format=chosen))) == {"id", "x"}
    assert "the ending (none) is not known; allowed: .csv" in refused(other)


@pytest.mark.parametrize("name", WRITE)
@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".xpt", ".parquet", ".rds", ".json", ".por"])
def test_wrong_ending_is_told_with_what_it_is(folder, tmp_path, name, ending):
    if name.endswith(ending) or (name, ending) in {("x.sav", ".por")}:
        return
    other = tmp_path / f"data{ending}"
    other.write_bytes((folder / name).read_bytes())
    text = refused(other)
    assert len(text.splitlines()) == 1
    if name != "x.csv":
        assert f"though its name ends in {ending}" in text and "set the option format to" in text


def test_endings_are_read_in_any_case(folder, tmp_path):
    other = tmp_path / "DATA.CSV"
    other.write_bytes((folder / "x.csv").read_bytes())
    assert cells(read(other)) == {"id": ["a", "b"], "x": ["1.5", "2.5"]}


def test_unknown_format_and_options_name_the_nearest(folder):
    assert "unknown format; allowed: csv" in refused(folder / "x.csv", format="cvs")
    text = refused(folder / "x.csv", options={"delimeter": ";", "rows": 5, "missing": True})
    assert "column delimeter: ';': unknown option of the format csv" in text
    assert "did you mean 'delimiter'?" in text
    assert "column rows: '5': allowed: the first and the last row" in text
    assert "column missing: 'True': allowed: a list of texts" in text
    assert "unknown option of the format parquet; allowed: none" in refused(
        folder / "x.parquet", options={"sheet": "x"}
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("delimiter", ""),
        ("delimiter", ",,"),
        ("delimiter", "\n"),
        ("delimiter", '"'),
        ("delimiter", "é"),
        ("delimiter", 3),
        ("quote", "|"),
        ("decimal", ";"),
        ("encoding", "latin-77"),
        ("encoding", "rot13"),
        ("encoding", 8),
        ("header_row", 0),
        ("header_row", True),
        ("header_row", "3"),
        ("rows", []),
        ("rows", [5, 3]),
        ("rows", [0, 3]),
        ("rows", [1, 2, 3]),
        ("rows", "3:5"),
        ("comment", " "),
        ("missing", [["NA"]]),
    ],
)
def test_values_of_options_are_checked(folder, option, value):
    text = refused(folder / "x.csv", options={option: value})
    assert f"column {option}" in text and "allowed: " in text


def test_options_that_are_none_are_not_set(folder):
    assert cells(read(folder / "x.csv", options={"delimiter": None, "missing": None}))["x"]


def test_what_is_not_a_file(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    assert "folder.csv: is a folder; allowed: a file" in refused(tmp_path / "folder.csv")
    assert "none.csv: does not exist; allowed: a file" in refused(tmp_path / "none.csv")
    (tmp_path / "empty.sav").write_bytes(b"")
    assert "empty.sav: is empty: it has 0 bytes" in refused(tmp_path / "empty.sav")
    assert "allowed: a file" in refused(tmp_path / "nul\0.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert "is a device or pipe; allowed: a file" in refused(tmp_path / "pipe.csv")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_file_without_permission_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    path.chmod(0)
    assert "cannot be read (Permission denied)" in refused(path)


def test_messages_call_the_file_by_the_name_of_the_caller(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1\n1,2\n3,4\n")
    with pytest.raises(InvalidInput, match="visits, row 2: has 1 cells"):
        read_source(path, "visits")
    with pytest.raises(InvalidInput) as refusal:
        read_source(path)
    assert refusal.value.problems[0].file == str(path)
