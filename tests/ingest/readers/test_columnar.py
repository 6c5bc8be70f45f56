"""Parquet columns keep their types, and what is no column of a table is refused."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from discontinuation.ingest.readers import columnar
from ingest.readers.reading import cells, read, refused


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.parquet"


def test_types_survive(path):
    at = datetime.datetime(2020, 1, 2, 3, 4, 5, 678901)
    columns = {
        "text": pa.array(["007", None, ""]),
        "n": pa.array([1, None, 2**60]),
        "small": pa.array([1, 2, 3], pa.uint8()),
        "huge": pa.array([2**64 - 1, None, 0], pa.uint64()),
        "x": pa.array([0.1, None, 1.5]),
        "nan": pa.array([float("nan"), None, 1.0]),
        "half": pa.array([0.5, None, 2], pa.float16()),
        "ok": pa.array([True, None, False]),
        "day": pa.array([at.date(), None, datetime.date(9999, 12, 31)]),
        "at": pa.array([at, None, at], pa.timestamp("us")),
        "nano": pa.array([1, None, 2], pa.timestamp("ns")),
        "ms": pa.array([at.replace(microsecond=678000), None, None], pa.timestamp("ms")),
        "zone": pa.array([at, None, at], pa.timestamp("us", tz="Europe/Berlin")),
        "time": pa.array([datetime.time(8, 30), None, datetime.time(0)], pa.time32("s")),
        "span": pa.array([datetime.timedelta(days=2), None, None], pa.duration("us")),
        "arm": pa.array(["a", None, "b"]).dictionary_encode(),
        "gap": pa.array(["a", None, " "]).dictionary_encode(),
        "codes": pa.array([5, None, 5]).dictionary_encode(),
        "exact": pa.array([decimal.Decimal("1.10"), None, decimal.Decimal("2.25")]),
        "none": pa.array([None, None, None], pa.null()),
    }
    pq.write_table(pa.table(columns), path)
    table = read(path)
    found = cells(table)
    assert found["text"] == ["007", None, None]
    assert found["n"] == [1, None, 2**60] and found["huge"] == [2**64 - 1, None, 0]
    assert found["x"] == [0.1, None, 1.5] and found["half"] == [0.5, None, 2]
    assert table.frame["nan"].isna().tolist() == [False, True, False]
    assert found["ok"] == [True, None, False] and found["none"] == [None] * 3
    assert found["day"] == [pd.Timestamp(at.date()), None, datetime.datetime(9999, 12, 31)]
    assert found["at"] == [pd.Timestamp(at), None, pd.Timestamp(at)]
    assert found["nano"] == [pd.Timestamp(1), None, pd.Timestamp(2)]
    assert found["ms"][0] == pd.Timestamp(at.replace(microsecond=678000))
    assert found["zone"][0] == pd.Timestamp(at, tz="UTC").tz_convert("Europe/Berlin")
    assert found["time"] == [pd.Timedelta(hours=8.5), None, pd.Timedelta(0)]
    assert found["span"] == [pd.Timedelta(days=2), None, None]
    assert found["gap"] == ["a", None, None]
    assert found["arm"] == ["a", None, "b"] and found["codes"] == [5, None, 5]
    assert found["exact"] == [decimal.Decimal("1.10"), None, decimal.Decimal("2.25")]
    kinds = table.frame.dtypes.astype(str)
    expected = {"n": "Int64", "small": "Int64", "huge": "UInt64", "x": "float64", "nan": "Float64"}
    expected |= {"ok": "boolean", "day": "datetime64[us]", "nano": "datetime64[ns]"}
    expected |= {
        "zone": "datetime64[us, Europe/Berlin]",
        "time": "timedelta64[us]",
        "arm": "category",
    }
    assert {name: kinds[name] for name in expected} == expected
    assert "times with a time zone: zone (Europe/Berlin)" in table.statements
    assert table.formats["exact"] == "decimal128(3, 2)" and table.rows.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1, 2]]),
        pa.array([{"a": 1}]),
        pa.array([b"x"]),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    ],
)
def test_columns_that_hold_more_than_one_value_are_named(path, column):
    pq.write_table(pa.table({"id": ["x"], "inner": column}), path)
    text = refused(path)
    assert "column inner: holds" in text and "allowed: text, numbers" in text


def test_doubled_blank_and_no_columns(path):
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    assert "column a: the column stands there more than once" in refused(path)
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", " "]), path)
    assert "column 2 has no name" in refused(path)
    pq.write_table(pa.table({}), path)
    assert "holds no column" in refused(path)


def test_empty_table_is_stated(path):
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), path)
    table = read(path)
    assert table.frame.shape == (0, 1) and "there are no records" in table.statements


def test_small_file_that_declares_too_many_cells_is_refused(path, monkeypatch):
    pq.write_table(pa.table({"a": np.zeros(10_001, int)}), path)
    monkeypatch.setattr(columnar, "MOST_CELLS", 10_000)
    assert "declares 10001 records of 1 columns; allowed: 10000 cells" in refused(path)


def test_truncated_file_is_refused(path):
    pq.write_table(pa.table({"a": list(range(1000))}), path)
    content = path.read_bytes()
    for size in (4, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        assert "cannot be read as a Parquet file (" in refused(path)


def test_index_written_by_pandas_is_a_column(path):
    pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="id")).to_parquet(path)
    assert cells(read(path)) == {"a": [1, 2], "id": ["x", "y"]}
