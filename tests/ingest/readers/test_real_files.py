"""Real files of trials read as their documentation says, and alike in every format."""

import datetime

import numpy as np
import pandas as pd
import pytest

from discontinuation.ingest.readers import as_numbers
from ingest.readers.reading import cells, read, refused

# Records and columns that the documentation of the CDISC pilot names.
SHAPES = {
    "sdtm/dm": (306, 25),
    "sdtm/ds": (596, 13),
    "sdtm/ex": (591, 17),
    "sdtm/ae": (1191, 35),
    "adam/adsl": (254, 48),
    "adam/adtte": (254, 26),
}


@pytest.fixture
def pilot(shared_data):
    return shared_data / "cdisc-pilot01-xpt"


@pytest.fixture
def opioid(shared_data):
    return shared_data / "ctn0094-moud-trials"


@pytest.fixture
def diary(shared_data):
    return shared_data / "kossakowski-esm"


@pytest.mark.parametrize("name", SHAPES)
def test_transport_files_have_the_documented_shape_and_the_cells_of_another_reader(pilot, name):
    path = pilot / f"{name}.xpt"
    table = read(path)
    assert table.frame.shape == SHAPES[name]
    assert set(table.labels) == set(table.frame) and "encoding ASCII" in table.statements
    other = pd.read_sas(path, encoding="ascii")
    for column in table.frame:
        ours, theirs = table.frame[column], other[column]
        if ours.dtype.kind == "f":
            # The other reader takes zero for 5e-79.
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-70, err_msg=column)
            continue
        if ours.dtype.kind == "M":
            theirs = pd.Timestamp("1960-01-01") + pd.to_timedelta(theirs, unit="D")
        else:
            theirs = theirs.mask(theirs == "")
        assert ours.isna().tolist() == theirs.isna().tolist(), column
        assert ours.dropna().tolist() == theirs.dropna().tolist(), column


def test_censoring_and_dispositions_are_those_documented(pilot):
    tte = read(pilot / "adam/adtte.xpt").frame
    events = tte["CNSR"].eq(0).groupby(tte["TRTA"]).sum()
    assert events.to_dict() == {
        "Placebo": 29,
        "Xanomeline High Dose": 61,
        "Xanomeline Low Dose": 62,
    }
    ds = read(pilot / "sdtm/ds.xpt").frame["DSDECOD"].value_counts()
    assert ds[["COMPLETED", "ADVERSE EVENT", "LOST TO FOLLOW-UP"]].tolist() == [110, 92, 2]


def test_windows_byte_of_the_trial_summary_is_read_and_stated(pilot):
    table = read(pilot / "sdtm/ts.xpt")
    assert "byte 0x92 in TSVAL, record 9" in table.statements[0]
    assert "Alzheimer’s" in table.frame["TSVAL"][8]
    assert "not in ascii" in refused(pilot / "sdtm/ts.xpt", options={"encoding": "ascii"})


def test_r_files_equal_their_csv_versions(opioid):
    compared = 0
    for path in sorted((opioid / "csv").glob("*.csv")):
        text = read(path).frame
        ours = read(opioid / "rda" / f"{path.stem}.rda").frame
        assert list(text) == list(ours) and len(text) == len(ours)
        for name in text:
            if isinstance(ours[name].dtype, pd.CategoricalDtype) or ours[name].dtype == object:
                saved = ours[name].astype(object).where(ours[name].notna(), None)
                assert saved.tolist() == text[name].tolist(), (path.stem, name)
            else:
                values, bad = as_numbers(text[name])
                saved, _ = as_numbers(ours[name])
                assert not bad.any()
                np.testing.assert_array_equal(values, saved, err_msg=f"{path.stem} {name}")
            compared += len(text)
    assert compared > 900_000


def test_r_files_without_a_csv_version_have_the_documented_records(opioid):
    for name, records in (("tlfb", 237_778), ("all_drugs", 307_523), ("visit", 53_899)):
        assert len(read(opioid / "rda" / f"{name}.rda").frame) == records


def plain(value):
    """Write a cell of a spreadsheet as the text files of the diary do."""
    if value is None:
        return None
    if isinstance(value, datetime.datetime):
        return value.strftime("%d/%m/%y")
    if isinstance(value, datetime.time):
        return value.strftime("%H:%M:%S")
    if isinstance(value, datetime.timedelta):  # 99:00:00 marks a missing time
        return f"{value // datetime.timedelta(hours=1)}:00:00"
    return value


def with_seconds(time):
    return time if time.count(":") == 2 else f"{time}:00"


def test_diary_agrees_in_its_three_formats(diary):
    comma = read(diary / "ESMdata.csv", options={"missing": ["NA"]})
    tabs, sheet = read(diary / "ESMdata.txt"), read(diary / "ESMdata.xlsx")
    assert "lines end with a carriage return" in tabs.statements
    assert next(iter(comma.frame)) == "row.names"
    assert comma.frame["row.names"].tolist() == [str(row) for row in range(1, 1477)]
    names = list(comma.frame)[1:]
    assert len(names) == len(tabs.frame.columns) == len(sheet.frame.columns) == 85
    # R wrote dots for the hyphens and blanks of the names.
    for one, other, third in zip(names, tabs.frame, sheet.frame, strict=True):
        assert one == other.replace("-", ".").replace(" ", ".") and third == other
    for at, name in enumerate(names):
        texts = [comma.frame.iloc[:, at + 1], tabs.frame.iloc[:, at]]
        cells_of_sheet = [plain(value) for value in sheet.frame.iloc[:, at]]
        if name == "date":
            assert texts[0].tolist() == texts[1].tolist() == cells_of_sheet
        elif "time" in name:
            whole = [[with_seconds(text) for text in column] for column in texts]
            assert whole[0] == whole[1] == cells_of_sheet
        else:
            numbers = [as_numbers(column) for column in texts]
            numbers.append(as_numbers(sheet.frame.iloc[:, at]))
            assert not any(bad.any() for _, bad in numbers), name
            np.testing.assert_array_equal(numbers[0][0], numbers[1][0], err_msg=name)
            # The sheet holds four decimals of some means, the text files three.
            np.testing.assert_allclose(numbers[0][0], numbers[2][0], atol=5.1e-4, err_msg=name)


def test_diary_of_another_package_agrees_with_the_csv(diary):
    comma = read(diary / "ESMdata.csv", options={"missing": ["NA"]}).frame
    path = diary / "symptom_data_mgm.RData"
    assert "holds 2 data frames" in refused(path)
    time = read(path, options={"object": "symptom_data$data_time"})
    assert time.file == "symptom_data_mgm.RData [object symptom_data$data_time]"
    assert time.frame["date"].astype(str).tolist() == comma["date"].tolist()
    assert cells(time)["dayno"] == as_numbers(comma["dayno"])[0].tolist()
    data = read(path, options={"object": "symptom_data$data"}).frame
    same = 0
    for name in data:
        ours, theirs = as_numbers(data[name])[0], as_numbers(comma[name])[0]
        there = theirs.notna()
        same += bool((ours[there] == theirs[there]).all())
    assert (same, len(data.columns)) == (41, 48)
