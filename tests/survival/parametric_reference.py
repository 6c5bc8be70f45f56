"""What parametric models and weights are compared with: R on our own data, printed values."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import SHARED

REFERENCE = Path(__file__).parents[1] / "reference"
ARMS = ["abrupt", "gradual", "maintain"]


@cache
def _data():
    return pd.read_csv(REFERENCE / "survival_parametric_data.csv")


@cache
def _values():
    return pd.read_csv(REFERENCE / "survival_parametric.csv").groupby("case")


def data(name):
    """People of one dataset, with follow-up as time and event beside the limits."""
    here = _data()[_data()["dataset"] == name].reset_index(drop=True)
    event = np.isfinite(here["upper"])
    return here.assign(time=here["upper"].where(event, here["lower"]), event=event.astype(int))


def present(name):
    """The same without the people of weight 0."""
    here = data(name)
    return here[here["weight"] > 0].reset_index(drop=True)


def expected(case, what):
    """R's numbers, in order."""
    here = _values().get_group(case)
    return here.loc[here["quantity"].str.fullmatch(rf"{what}( \d+)?"), "value"].to_numpy()


def same_as_r(case, what, found, rtol=1e-8, atol=1e-12):
    np.testing.assert_allclose(np.atleast_1d(found), expected(case, what), rtol=rtol, atol=atol)


def shared_table(name):
    path = SHARED / "data" / "reference-survival" / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"{name}.csv (exported from R) does not lie beside the repository")
    return pd.read_csv(path)


def lung():
    table = shared_table("lung")
    return table.assign(event=table["status"] - 1, arm=(table["sex"] == 2).astype(int))


def printed(quantity):
    """Value and tolerance of a row of the table of reference values."""
    path = SHARED / "knowledge" / "reference_values.csv"
    if not path.exists():
        pytest.skip("the table of reference values does not lie beside the repository")
    row = pd.read_csv(path).set_index("quantity").loc[quantity]
    return pytest.approx(float(row["value"]), abs=float(row["tol"]))
