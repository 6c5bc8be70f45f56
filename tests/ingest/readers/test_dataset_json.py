"""CDISC Dataset-JSON in its three forms; what does not match its own description is refused."""

import json

import pandas as pd
import pytest

from ingest.readers.reading import cells, read, refused
from ingest.readers.writers import dataset_json, write_json, write_json_1_0, write_ndjson

TABLE = {"USUBJID": ["01", "02", "é"], "AGE": [50, None, 61], "AVAL": [1.5, 2.0, None]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "adsl.json"


def save(path, document):
    path.write_text(json.dumps(document), "utf-8")
    return path


@pytest.mark.parametrize("write", [write_json, write_json_1_0])
def test_documents(path, write):
    write(path, TABLE)
    table = read(path)
    assert cells(table) == TABLE
    assert table.frame.dtypes.astype(str).tolist() == ["object", "Int64", "float64"]
    assert table.row_word == "record" and table.rows.tolist() == [1, 2, 3]
    version = "1.1.0" if write is write_json else "1.0"
    assert f"Dataset-JSON {version}" in table.statements


@pytest.mark.parametrize("name", ["adsl.ndjson", "adsl.json"])
def test_lines_are_counted_in_ndjson(tmp_path, name):
    write_ndjson(tmp_path / name, TABLE, labels={"AGE": "Age, years"})
    table = read(tmp_path / name)
    assert cells(table) == TABLE and table.labels == {"AGE": "Age, years"}
    assert table.row_word == "row" and table.rows.tolist() == [2, 3, 4]
    assert "Dataset-NDJSON 1.1.0" in table.statements


def test_types_of_the_standard(path):
    columns = [
        {"name": "DTC", "dataType": "date"},
        {"name": "BMI", "dataType": "decimal", "targetDataType": "decimal"},
        {"name": "ADT", "dataType": "integer", "displayFormat": "DATE9."},
        {"name": "FL", "dataType": "boolean"},
        {"name": "N", "dataType": "integer"},
        {"name": "URI", "dataType": "URI"},
    ]
    rows = [
        ["2012-03", "30.8983333333232059", 18993, True, 2, "x"],
        [None, None, None, None, 2.5, ""],
    ]
    save(path, {"datasetJSONVersion": "1.1.0", "records": 2, "columns": columns, "rows": rows})
    table = read(path)
    assert cells(table) == {
        "DTC": ["2012-03", None],
        "BMI": ["30.8983333333232059", None],
        "ADT": [pd.Timestamp("2012-01-01"), None],
        "FL": [True, None],
        "N": [2.0, 2.5],
        "URI": ["x", None],
    }
    assert table.formats == {"ADT": "DATE9."}
    assert "SAS dates by their format: ADT (DATE9.)" in table.statements
    assert "N is declared integer but holds fractions" in table.statements


def test_records_of_wrong_length_are_all_named(path, tmp_path):
    document = dataset_json(TABLE)
    document["rows"][0].append(1)
    document["rows"][2] = {"USUBJID": "03"}
    text = refused(save(path, document))
    assert "adsl.json: record 1 has 4 values; allowed: 3, as the columns" in text
    assert "record 3 is not a list of values" in text
    lines = tmp_path / "adsl.ndjson"
    write_ndjson(lines, TABLE)
    lines.write_text(lines.read_text("utf-8").replace('["02", null, 2.0]', '["02"]'), "utf-8")
    assert "adsl.ndjson, row 3: has 1 values; allowed: 3" in refused(lines)


def test_values_of_wrong_type_are_all_named(path):
    document = dataset_json(TABLE)
    document["rows"][0][1] = "50"
    document["rows"][1][0] = 2
    document["rows"][2][2] = True
    text = refused(save(path, document))
    assert "column AGE: '\"50\"': record 1 is not a number, as its type integer demands" in text
    assert "column USUBJID: '2': record 2 is not text" in text
    assert "column AVAL: 'true': record 3 is not a number, as its type double" in text


def test_file_that_was_cut_off_is_refused(tmp_path):
    lines = tmp_path / "x.ndjson"
    write_ndjson(lines, TABLE)
    content = lines.read_text("utf-8")
    lines.write_text(content[: content.rindex("[")], "utf-8")
    assert "declares 3 records and holds 2; was it cut off?" in refused(lines)
    lines.write_text(content[:-4], "utf-8")
    assert "x.ndjson, row 4: cannot be read as JSON" in refused(lines)


def test_broken_lines_are_all_named(tmp_path):
    lines = tmp_path / "x.ndjson"
    write_ndjson(lines, TABLE)
    text = lines.read_text("utf-8")
    lines.write_text(text.replace('["01"', '["01').replace('["02", null', '["02", NaN'), "utf-8")
    found = refused(lines)
    assert "row 2: cannot be read as JSON" in found
    assert "row 3: cannot be read as JSON (NaN is not a JSON number)" in found
    lines.write_text(text.replace('["02"', '\n["02"'), "utf-8")
    assert "has blank lines between its records" in refused(lines)


@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1}',
        '{"columns": 3}',
        '{"columns": [], "rows": []}',
        '{"columns": [1], "rows": []}',
        '{"columns": [{"name": 5}], "rows": []}',
        '{"columns": [{"name": "A", "dataType": "strng"}], "rows": []}',
        '{"columns": [{"name": "A", "dataType": "string"}], "rows": 3}',
        '{"columns": [{"name": "A", "dataType": []}], "rows": []}',
        '{"clinicalData": {"itemGroupData": 5}}',
        '{"clinicalData": 7, "referenceData": []}',
        '{"clinicalData": {"itemGroupData": {"a": {"items": [], "itemData": []}, "b": {}}}}',
        '{"a": 1, "a": 2}',
        '{"a": ',
        "{" * 100_000,
        '{"columns": ' + "[" * 100_000,
        '{"columns": [{"name": "A", "dataType": "integer"}], "rows": [[' + "9" * 5000 + "]]}",
        '{"columns": [{"name": "A", "dataType": "integer"}], "rows": [[' + "9" * 400 + "]]}",
        '{"columns": [{"name": "A", "dataType": "integer"}], "rows": [[99999999999999999999]]}',
    ],
)
def test_what_is_not_dataset_json_is_refused(path, content):
    path.write_text(content)
    assert len(refused(path).splitlines()) == 1


def test_names_and_types_are_checked(path):
    columns = [{"name": "A", "dataType": "integr"}, {"name": "B", "dataType": "string"}]
    text = refused(save(path, {"columns": columns, "rows": []}))
    assert "column A: 'integr': unknown data type" in text and "did you mean 'integer'?" in text
    columns[0] = columns[1]
    assert "column B: the column stands there more than once" in refused(
        save(path, {"columns": columns, "rows": []})
    )


def test_metadata_without_records_is_an_empty_table(path, tmp_path):
    columns = [{"name": "A", "dataType": "integer"}, {"name": "B", "dataType": "string"}]
    document = {"records": 0, "columns": columns}
    table = read(save(path, document))
    assert table.frame.shape == (0, 2) and "there are no records" in table.statements
    assert read(save(tmp_path / "x.ndjson", document)).frame.shape == (0, 2)


def test_byte_order_mark_is_fine(path):
    path.write_text(json.dumps(dataset_json(TABLE)), "utf-8-sig")
    assert cells(read(path)) == TABLE
