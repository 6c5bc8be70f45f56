"""What base R gave for the made-up data of classify_validation.R."""

from functools import cache

import pandas as pd

from conftest import ROOT

FOLDER = ROOT / "tests" / "reference"


@cache
def made_up() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "classify_validation_data.csv")


@cache
def reference() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "classify_validation.csv").set_index("quantity")


def assert_as_in_r(quantity: str, value: float) -> None:
    row = reference().loc[quantity]
    assert abs(value - row["value"]) <= row["tolerance"], (quantity, value, row["value"])
