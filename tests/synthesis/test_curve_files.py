"""Files with clicked points: WebPlotDigitizer's, those of the digitising page, plain tables."""

from __future__ import annotations

import json

import pytest

from discontinuation.problems import InvalidInput
from discontinuation.synthesis import read_clicks, read_risk_table

POINTS = {"continued": [[0.02, 0.998], [10.4, 0.81]], "stopped": [[0.1, 1.001], [4.9, 0.6]]}
CALIBRATION = [
    {"px": 100.5, "py": 500.0, "dx": "0", "dy": "0", "dz": None},
    {"px": 700.5, "py": 500.0, "dx": "52", "dy": "0", "dz": None},
    {"px": 100.5, "py": 500.0, "dx": "0", "dy": "0", "dz": None},
    {"px": 100.5, "py": 100.0, "dx": "0", "dy": "1", "dz": None},
]


def datasets(**more):
    return [
        {"name": name, "data": [{"x": 1.0, "y": 2.0, "value": v} for v in values], **more}
        for name, values in POINTS.items()
    ]


def version_4():
    axes = {"name": "XY", "type": "XYAxes", "isLogX": False, "isLogY": False}
    return {
        "version": [4, 2],
        "axesColl": [{**axes, "calibrationPoints": CALIBRATION}],
        "datasetColl": datasets(axesName="XY", metadataKeys=[], autoDetectionData=None),
        "measurementColl": [],
    }


def version_3():
    axes = {"axesType": "XYAxes", "axesParameters": {"isLogX": False, "isLogY": False}}
    return {
        "wpd": {"version": [3, 8], **axes, "calibration": CALIBRATION, "dataSeries": datasets()}
    }


def page():
    return {
        "format": "discontinuation clicks",
        "version": 1,
        "time_unit": "weeks",
        "axes": {
            name: [{"pixel": [1, 2], "value": 0}, {"pixel": [1, 9], "value": 1}]
            for name in ("time", "survival")
        },
        "arms": [
            {
                "name": name,
                "events": None,
                "clicks": [{"pixel": [1, 2], "time": t, "survival": s} for t, s in values],
                "at_risk": [{"time": 0, "at_risk": 40}, {"time": 6, "at_risk": 20}],
            }
            for name, values in POINTS.items()
        ],
    }


def written(tmp_path, content, name="figure.json"):
    path = tmp_path / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path, **options):
    with pytest.raises(InvalidInput) as invalid:
        read_clicks(path, **options)
    return str(invalid.value)


@pytest.mark.parametrize("content", [version_3, version_4, page])
def test_json_files(tmp_path, content):
    figure = read_clicks(written(tmp_path, content()))
    assert {n: arm.clicks.to_numpy().tolist() for n, arm in figure.arms.items()} == POINTS
    assert figure.summary["clicks"].tolist() == [2, 2]
    if content is page:
        assert figure.time_unit == "weeks"
        assert figure.arms["stopped"].at_risk["at_risk"].tolist() == [40, 20]
    else:
        assert figure.arms["stopped"].at_risk is None


ALL_DATASETS = "continued,,stopped,\nX,Y,X,Y\n0.02,0.998,0.1,1.001\n10.4,0.81,4.9,0.6\n,,7,0.55\n"


def test_the_export_of_all_datasets(tmp_path):
    figure = read_clicks(written(tmp_path, ALL_DATASETS, "wpd_datasets.csv"))
    assert figure.arms["continued"].clicks.to_numpy().tolist() == POINTS["continued"]
    assert figure.arms["stopped"].clicks.to_numpy().tolist() == [*POINTS["stopped"], [7, 0.55]]


@pytest.mark.parametrize(
    "text",
    ["0.1, 1.001\n4.9, 0.6\n", "0,1; 1,001\n4,9; 0,6\n", "0.1\t1.001\n4.9\t0.6\n",
     "1e-1,1.001\n4.9,6.0e-1\n\n"],
)  # fmt: skip
def test_the_export_of_one_dataset_in_any_country(tmp_path, text):
    figure = read_clicks(written(tmp_path, text, "Default Dataset.csv"))
    assert figure.arms["all"].clicks.to_numpy().tolist() == POINTS["stopped"]


def test_a_table_with_arms_and_one_without(tmp_path):
    text = "arm,time,survival\nstopped,0.1,1.001\ncontinued,3,0.9\nstopped,4.9,0.6\n"
    figure = read_clicks(written(tmp_path, text, "a.csv"))
    assert list(figure.arms) == ["stopped", "continued"]
    assert figure.arms["stopped"].clicks.to_numpy().tolist() == POINTS["stopped"]
    figure = read_clicks(written(tmp_path, "survival,time\n1.0,0\n0.6,4\n", "b.csv"))
    assert figure.arms["all"].clicks["time"].tolist() == [0, 4]


def test_percent_and_rising_curves_are_turned_only_when_said(tmp_path):
    path = written(tmp_path, "0, 0\n4, 40\n", "x.csv")
    assert read_clicks(path).arms["all"].clicks["survival"].tolist() == [0, 40]
    turned = read_clicks(path, percent=True, rising=True).arms["all"].clicks
    assert turned["survival"].tolist() == pytest.approx([1, 0.6])
    own = written(tmp_path, page())
    assert read_clicks(own, percent=True).arms["stopped"].clicks["survival"].iat[1] == 0.6


def test_a_risk_table(tmp_path):
    text = "arm,time,at_risk\na,0,40\na,6,20\nb,0,41\n"
    tables = read_risk_table(written(tmp_path, text, "risk.csv"))
    assert {arm: table["at_risk"].tolist() for arm, table in tables.items()} == {
        "a": [40, 20], "b": [41],
    }  # fmt: skip
    with pytest.raises(InvalidInput, match="column at_risk"):
        read_risk_table(written(tmp_path, "time,n\n0,40\n", "n.csv"))


# Refusals


def without_axes(content):
    if "wpd" in content:
        content["wpd"]["calibration"] = []
    elif "axesColl" in content:
        content["axesColl"] = []
    else:
        del content["axes"]
    return content


@pytest.mark.parametrize("content", [version_3, version_4, page])
def test_an_image_without_axes_has_no_times(tmp_path, content):
    path = written(tmp_path, without_axes(content()))
    assert "no axes are set" in refusal(path)


def test_axes_of_pixels_and_points_without_values_are_no_axes(tmp_path):
    content = version_4()
    content["axesColl"][0]["type"] = "ImageAxes"
    assert refusal(written(tmp_path, content)).count("no axes are set") == 2
    content = version_4()
    del content["datasetColl"][1]["data"][0]["value"]
    assert "column stopped: no axes" in refusal(written(tmp_path, content))
    content = page()
    content["axes"]["survival"][1]["value"] = 0
    assert "column axes.survival" in refusal(written(tmp_path, content))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not JSON", "is not JSON"),
        ("[1, 2]", "neither of the digitising page nor"),
        ('{"a": 1}', "neither of the digitising page nor"),
        ('{"format": "discontinuation clicks", "arms": [{}]}', "incomplete or was changed"),
        ('{"format": "discontinuation clicks", "axes": 3, "arms": []}', "incomplete"),
        ('{"wpd": 3}', "incomplete"),
        ('{"datasetColl": [3]}', "incomplete"),
        ('{"datasetColl": []}', "holds no clicks"),
    ],
)
def test_json_files_that_are_something_else(tmp_path, text, said):
    assert said in refusal(written(tmp_path, text))


def test_two_arms_of_one_name_are_refused(tmp_path):
    for content in (version_4(), page()):
        for arm in content.get("datasetColl") or content["arms"]:
            arm["name"] = "drug"
        assert "'drug': two arms have this name" in refusal(written(tmp_path, content))
    assert "two arms" in refusal(written(tmp_path, "a,,a,\nX,Y,X,Y\n0,1,0,1\n", "x.csv"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no clicks"),
        ("time,survival\n", "has no clicks"),
        ("time,share\n0,1\n", "row 1, column survival: there is no such column"),
        ("arm,time,survival\n,0,1\n", "column arm: is blank"),
        ("arm,time,survival\na,0,1\nb,x,0.9\na,3,\n", "2 problems"),
        ("a,,b,\nX,Y,X,Y\n0,1,0,\n2,.9,3,z\n", "2 problems"),
        ("figure 2\n0, 1\n", "row 1, column time: 'figure 2': allowed: a number"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, text, said):
    assert said in refusal(written(tmp_path, text, "clicks.csv"))


def test_rows_are_counted_as_a_spreadsheet_does(tmp_path):
    text = "a,,b,\nX,Y,X,Y\n0,1,0,1\n,,1,0.9\n2,oops,3,0.8\n"
    assert "row 5, column Y: 'oops'" in refusal(written(tmp_path, text, "x.csv"))


def test_files_that_are_not_there_or_are_images(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "none.csv")
    image = tmp_path / "figure.csv"
    image.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    assert "is it an image?" in refusal(image)
