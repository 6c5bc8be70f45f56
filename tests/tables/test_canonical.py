"""The canonical tables: their schemas refuse what they say they refuse, and documents agree."""

import numpy as np
import pandas as pd
import pandera.errors
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from discontinuation.tables.canonical import DTYPES, failures, schema
from discontinuation.tables.consistency import find_disagreements
from discontinuation.tables.dictionary import dictionary
from discontinuation.tables.files import new_folder, read_table, write_table
from discontinuation.tables.schema import read_schema

TABLES = read_schema("canonical")


def valid(name, count=3):
    """Make a valid table of a few rows."""
    frame = pd.DataFrame(index=range(count))
    for column in TABLES[name].columns:
        if column.allowed:
            frame[column.name] = [column.allowed[0]] * count
        elif column.type == "string":
            frame[column.name] = [f"{column.name} {i}" for i in range(count)]
        elif column.type == "boolean":
            frame[column.name] = [True] * count
        else:
            low = 0 if column.minimum is None else column.minimum
            frame[column.name] = [low + i for i in range(count)]
    return frame.astype({c.name: DTYPES[c.type] for c in TABLES[name].columns})


@pytest.mark.parametrize("name", TABLES)
def test_a_valid_table_passes_and_survives_parquet(name, tmp_path):
    frame = schema(name).validate(valid(name), lazy=True)
    path = tmp_path / f"{name}.parquet"
    write_table(frame, path, provenance={"dataset": "made up"})
    pd.testing.assert_frame_equal(read_table(path), frame, check_dtype=True)
    about = pq.read_metadata(path).metadata
    assert about[b"schema_version"] == b"1"
    assert b"made up" in about[b"provenance"]


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_keeps_its_types(name, tmp_path):
    frame = valid(name).iloc[:0]
    write_table(frame, tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet")
    assert list(read.columns) == list(frame.columns)
    assert failures(TABLES[name], read).empty


@pytest.mark.parametrize(
    ("name", "column"),
    [(name, column.name) for name, table in TABLES.items() for column in table.columns],
)
def test_each_column_refuses_what_it_must(name, column):
    declared = next(c for c in TABLES[name].columns if c.name == column)
    bad = []
    if declared.required:
        bad.append(None)
    if declared.allowed:
        bad.append("something else")
    if declared.minimum is not None:
        bad.append(declared.minimum - 1)
    if declared.maximum is not None:
        bad.append(declared.maximum + 1)
    if declared.type == "number":
        bad.append(np.inf)
    if declared.type == "string" and not declared.allowed:
        bad += ["=1+1", "a\x00b", "two\nlines"]
    for value in bad:
        frame = valid(name)
        frame.loc[1, column] = value
        found = failures(TABLES[name], frame)
        assert ((found["row"] == 1) & (found["column"] == column)).any(), (value, found)


def test_a_repeated_key_is_refused_once_per_row():
    frame = pd.concat([valid("doses"), valid("doses").iloc[[0]]], ignore_index=True)
    found = failures(TABLES["doses"], frame)
    assert found["row"].tolist() == [0, 3]
    with pytest.raises(pandera.errors.SchemaErrors):
        schema("doses").validate(frame, lazy=True)


def test_a_column_too_many_or_too_few_is_refused():
    for frame in (valid("arms").assign(more=1), valid("arms").drop(columns="n")):
        with pytest.raises(pandera.errors.SchemaErrors):
            schema("arms").validate(frame, lazy=True)


def test_the_dictionary_for_readers_is_in_step():
    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == dictionary()


def whole(**changes):
    """Make a set of tables that agree, with some of them changed."""
    tables = {name: valid(name).iloc[:0] for name in TABLES}
    tables["studies"] = valid("studies", 1).assign(study="s")
    tables["arms"] = valid("arms", 1).assign(study="s", arm="A")
    tables["people"] = valid("people", 2).assign(person=["a", "b"], study="s", arm="A")
    tables["follow_up"] = valid("follow_up", 2).assign(person=["a", "b"], start=0.0, end=100.0)
    return {**tables, **changes}


def doses(intervals, person="a"):
    frame = pd.DataFrame(intervals, columns=["start", "stop", "dose"]).astype("float64")
    frame = frame.assign(person=person, drug="x", unit="mg/day", route=None)
    return frame[TABLES["doses"].column_names]


def disagreements(tables, **more):
    found = find_disagreements(tables, TABLES, more.get("instruments", {}), more.get("limits", {}))
    return [(f.table, f.column, f.rows.tolist()) for f in found]


def test_tables_that_agree_have_no_disagreement():
    assert disagreements(whole(doses=doses([(0, 10, 20), (10, 20, 0), (30, 40, 5)]))) == []


def test_an_overlap_is_found_also_behind_a_shorter_interval():
    found = disagreements(whole(doses=doses([(0, 50, 20), (10, 20, 10), (30, 40, 5)])))
    assert found == [("doses", "start", [1, 2])]


def test_a_slow_taper_is_no_mix_up_of_units_but_a_factor_of_1000_is():
    steps = [20 * 0.7**i for i in range(25)]
    taper = doses([(i, i + 1, dose) for i, dose in enumerate(steps)] + [(25, 30, 20)])
    assert disagreements(whole(doses=taper)) == []
    mixed = doses([(0, 1, 20), (1, 2, 15_000), (2, 3, 10_000), (3, 4, 10)])
    assert disagreements(whole(doses=mixed)) == [("doses", "dose", [1, 2])]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 9)), max_size=12)
)
def test_overlaps_are_those_that_a_slow_search_finds(intervals):
    frame = pd.concat(
        [doses([(start, start + length, 5)], person) for person, start, length in intervals]
        or [doses([])],
        ignore_index=True,
    )
    keys = frame[["person", "start"]]
    frame = frame.loc[~keys.duplicated()].reset_index(drop=True)
    slow = [
        i
        for i, one in frame.iterrows()
        if any(
            other["person"] == one["person"] and other["start"] < one["start"] < other["stop"]
            for _, other in frame.iterrows()
        )
    ]
    found = [rows for table, column, rows in disagreements(whole(doses=frame)) if column == "start"]
    assert (found[0] if found else []) == slow


def test_a_folder_takes_the_place_of_the_earlier_one_only_when_it_is_whole(tmp_path):
    for text in ("old", "new"):
        with new_folder(tmp_path / "out") as folder:
            (folder / text).write_text(text, encoding="utf-8")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "out") as folder:
        (folder / "half").write_text("half", encoding="utf-8")
        raise ZeroDivisionError
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]
