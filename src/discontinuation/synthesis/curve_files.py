"""What was clicked in a figure, and what does its risk table say, in the files that people have?"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from discontinuation.problems import Problem, refuse

FORMAT = "discontinuation clicks"
ONE_ARM = "all"  # name of the arm in a file that names none
AXIS_POINTS = 2
Rows = list[list[str]]
NO_AXES = (
    "no axes are set: set two points of known value on each axis, otherwise the clicks are places "
    "in an image and no times or shares"
)


@dataclass(frozen=True, eq=False)
class ClickedArm:
    """One arm of a figure as it was read.

    Attributes
    ----------
    name
        As in the file.
    clicks
        time, survival; nothing is checked yet.
    at_risk
        time, at_risk, if the file has a risk table.
    events
        Total of events, if the file has one.
    """

    name: str
    clicks: pd.DataFrame
    at_risk: pd.DataFrame | None = None
    events: int | None = None


@dataclass(frozen=True, eq=False)
class ClickedFigure:
    """A figure as it was read.

    Attributes
    ----------
    arms
        By name, in the order of the file.
    time_unit
        If the file says it; otherwise empty.
    source
        What kind of file it was.
    """

    arms: Mapping[str, ClickedArm]
    time_unit: str
    source: str

    @property
    def summary(self) -> pd.DataFrame:
        """One row per arm: arm, clicks, last_time, risk_table_rows, events."""
        rows = [
            {
                "arm": arm.name,
                "clicks": len(arm.clicks),
                "last_time": arm.clicks["time"].max(),
                "risk_table_rows": 0 if arm.at_risk is None else len(arm.at_risk),
                "events": arm.events,
            }
            for arm in self.arms.values()
        ]
        return pd.DataFrame(rows)


def read_clicks(path: Path | str, *, percent: bool = False, rising: bool = False) -> ClickedFigure:
    """Read the points that were clicked in a figure.

    Parameters
    ----------
    path
        A JSON file of the digitising page or of WebPlotDigitizer (project files of version 3 and
        4); or a CSV file: one with the columns time, survival and optionally arm, or
        WebPlotDigitizer's export of one dataset (two columns without a header) or of all (names,
        then X and Y, then pairs of columns).
    percent
        Whether the vertical axis is in percent; not for files of the digitising page, which know.
    rising
        Whether the curve shows the share with the event; not for the digitising page either.

    Returns
    -------
    ClickedFigure

    Raises
    ------
    InvalidInput
        A file that cannot be read or is none of these; no axes set; cells that are not numbers;
        two arms of one name; a figure without clicks.
    """
    path = Path(path)
    text = _text(path)
    if path.suffix.lower() == ".json":
        figure = _from_json(path.name, text)
    else:
        figure = _from_csv(path.name, text)
    refuse(_empty_arms(path.name, figure))
    if figure.source == FORMAT:
        return figure
    return ClickedFigure(
        {name: _turned(arm, percent, rising) for name, arm in figure.arms.items()},
        figure.time_unit,
        figure.source,
    )


def read_risk_table(path: Path | str) -> dict[str, pd.DataFrame]:
    """Read a printed risk table.

    Parameters
    ----------
    path
        A CSV file with the columns time, at_risk, and arm if there are several.

    Returns
    -------
    dict
        time, at_risk by arm; under "all" if the file names no arms.

    Raises
    ------
    InvalidInput
        A file that cannot be read, columns that are missing, cells that are not numbers.
    """
    path = Path(path)
    return _by_arm(path.name, _rows(_text(path)), "at_risk")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse([Problem(path.name, "is not text in UTF-8; is it an image?")])
    except OSError as error:
        refuse([Problem(path.name, f"cannot be read ({error.strerror or error})")])
    raise AssertionError


def _turned(arm: ClickedArm, percent: bool, rising: bool) -> ClickedArm:
    share = arm.clicks["survival"] / (100 if percent else 1)
    clicks = arm.clicks.assign(survival=1 - share if rising else share)
    return ClickedArm(arm.name, clicks, arm.at_risk, arm.events)


def _empty_arms(name: str, figure: ClickedFigure) -> Iterator[Problem]:
    if not figure.arms:
        yield Problem(name, "holds no clicks")
    for arm in figure.arms.values():
        if arm.clicks.empty:
            yield Problem(name, "has no clicks", column=arm.name)


# CSV


def _rows(text: str, delimiter: str = ",") -> Rows:
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, delimiter=delimiter)
    return [[cell.strip() for cell in row] for row in rows]


def _from_csv(name: str, text: str) -> ClickedFigure:
    rows = _rows(text)
    header = [cell.lower() for cell in rows[0]] if rows else []
    if {"time", "survival"} & set(header):
        frames = _by_arm(name, rows, "survival")
        source = "table"
    elif len(rows) > 1 and {cell.lower() for cell in rows[1]} == {"x", "y"}:
        frames = _pairs(name, rows)
        source = "WebPlotDigitizer, all datasets"
    else:
        frames = {ONE_ARM: _numbers(name, _two_columns(text), 0, (0, 1), ("time", "survival"))}
        source = "WebPlotDigitizer, one dataset"
    return ClickedFigure({arm: ClickedArm(arm, f) for arm, f in frames.items()}, "", source)


def _two_columns(text: str) -> Rows:
    """Read what WebPlotDigitizer writes: with a decimal comma where the reader's country has it."""
    delimiter = next((mark for mark in ";\t" if mark in text), ",")
    rows = _rows(text, delimiter)
    return rows if delimiter == "," else [[c.replace(",", ".") for c in row] for row in rows]


def _by_arm(name: str, rows: Rows, value: str) -> dict[str, pd.DataFrame]:
    header = [cell.lower() for cell in rows[0]] if rows else []
    needed = ("time", value)
    refuse(
        Problem(name, "there is no such column", 1, column)
        for column in needed
        if column not in header
    )
    places = (header.index("time"), header.index(value))
    numbers = _numbers(name, rows, 1, places, needed)
    if "arm" not in header:
        return {ONE_ARM: numbers}
    arms = pd.Series([_cell(row, header.index("arm")) for row in rows[1:] if any(row)])
    blank = [Problem(name, "is blank and must not be", column="arm")] if (arms == "").any() else []
    refuse(blank)
    grouped = numbers.groupby(arms.to_numpy(), sort=False)
    return {str(arm): frame.reset_index(drop=True) for arm, frame in grouped}


def _pairs(name: str, rows: Rows) -> dict[str, pd.DataFrame]:
    """Read pairs of columns below the names of their datasets."""
    width = len(rows[1])
    names = [_cell(rows[0], place) for place in range(0, width, 2)]
    refuse(_twice(name, names))
    frames, problems = {}, []
    for place, arm in zip(range(0, width, 2), names, strict=True):
        pair = [[_cell(row, place), _cell(row, place + 1)] for row in rows]
        found, wrong = _parse(name, pair, 2, (0, 1), ("X", "Y"))
        frames[arm or ONE_ARM] = found.set_axis(["time", "survival"], axis=1)
        problems += wrong
    refuse(problems)
    return frames


def _cell(row: list[str], place: int) -> str:
    return row[place] if place < len(row) else ""


def _numbers(
    name: str,
    rows: Rows,
    skipped: int,
    places: tuple[int, int],
    columns: tuple[str, str],
) -> pd.DataFrame:
    frame, problems = _parse(name, rows, skipped, places, columns)
    refuse(problems)
    return frame


def _parse(
    name: str,
    rows: Rows,
    skipped: int,
    places: tuple[int, int],
    columns: tuple[str, str],
) -> tuple[pd.DataFrame, list[Problem]]:
    found: list[list[float]] = []
    problems = []
    for number, row in enumerate(rows[skipped:], skipped + 1):
        if not any(row):
            continue
        values = []
        for place, column in zip(places, columns, strict=True):
            value = _number(_cell(row, place))
            if value is None:
                written = _cell(row, place) or None
                problems.append(Problem(name, "allowed: a number", number, column, written))
            values.append(float("nan") if value is None else value)
        found.append(values)
    return pd.DataFrame(found, columns=list(columns), dtype=float), problems


def _number(text: str) -> float | None:
    from discontinuation.tables.check import number

    return number(text)


def _twice(name: str, arms: list[str]) -> Iterator[Problem]:
    for arm in sorted({arm for arm in arms if arms.count(arm) > 1}):
        yield Problem(name, "two arms have this name", value=arm)


# JSON


def _from_json(name: str, text: str) -> ClickedFigure:
    try:
        content = json.loads(text)
    except ValueError as error:
        refuse([Problem(name, f"is not JSON ({error})")])
    if isinstance(content, dict):
        try:
            if content.get("format") == FORMAT:
                return _from_page(name, content)
            if "wpd" in content:
                return _from_version_3(name, content["wpd"])
            if "datasetColl" in content:
                return _from_version_4(name, content)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            refuse([Problem(name, f"is incomplete or was changed by hand ({error!r})")])
    message = "is neither of the digitising page nor of WebPlotDigitizer (version 3 or 4)"
    refuse([Problem(name, message)])
    raise AssertionError


def _from_page(name: str, content: dict[str, Any]) -> ClickedFigure:
    problems = []
    for axis in ("time", "survival"):
        points = (content.get("axes") or {}).get(axis) or []
        if len({float(point["value"]) for point in points}) < AXIS_POINTS:
            problems.append(Problem(name, NO_AXES, column=f"axes.{axis}"))
    problems += _twice(name, [str(arm["name"]) for arm in content["arms"]])
    refuse(problems)
    arms = {}
    for arm in content["arms"]:
        table = arm.get("at_risk") or []
        arms[str(arm["name"])] = ClickedArm(
            str(arm["name"]),
            _points([(point["time"], point["survival"]) for point in arm["clicks"]]),
            pd.DataFrame(table)[["time", "at_risk"]] if table else None,
            arm.get("events"),
        )
    return ClickedFigure(arms, str(content.get("time_unit") or ""), FORMAT)


def _from_version_3(name: str, content: dict[str, Any]) -> ClickedFigure:
    if content.get("axesType") != "XYAxes" or len(content.get("calibration") or []) < AXIS_POINTS:
        refuse([Problem(name, NO_AXES)])
    return _datasets(name, content["dataSeries"], "WebPlotDigitizer, version 3")


def _from_version_4(name: str, content: dict[str, Any]) -> ClickedFigure:
    usable = {
        axes["name"]
        for axes in content.get("axesColl") or []
        if axes["type"] == "XYAxes" and len(axes.get("calibrationPoints") or []) >= AXIS_POINTS
    }
    problems = [
        Problem(name, NO_AXES, column=str(dataset["name"]))
        for dataset in content["datasetColl"]
        if dataset.get("axesName") not in usable
    ]
    refuse(problems)
    return _datasets(name, content["datasetColl"], "WebPlotDigitizer, version 4")


def _datasets(name: str, datasets: list[dict[str, Any]], source: str) -> ClickedFigure:
    refuse(_twice(name, [str(dataset["name"]) for dataset in datasets]))
    without = [
        Problem(name, NO_AXES, column=str(dataset["name"]))
        for dataset in datasets
        if any(point.get("value") is None for point in dataset["data"])
    ]
    refuse(without)
    frames = {
        str(dataset["name"]): _points([point["value"][:2] for point in dataset["data"]])
        for dataset in datasets
    }
    return ClickedFigure({arm: ClickedArm(arm, f) for arm, f in frames.items()}, "", source)


def _points(pairs: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["time", "survival"])
