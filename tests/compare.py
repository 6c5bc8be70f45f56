"""What computed effects are compared with: closed forms, and what R's metafor gave."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discontinuation.synthesis import Effect

REFERENCE = Path(__file__).parent / "reference"


def exactly(value: float) -> object:
    return pytest.approx(value, rel=1e-12, abs=1e-15)


@cache
def reference() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "pooling.csv")


@cache
def trials() -> pd.DataFrame:
    table = pd.read_csv(REFERENCE / "made_up_trials.csv")
    names = "made_up " + table["meta"].astype(str) + "/" + table["trial"].astype(str)
    return table.set_index(names)


def assert_as_escalc(name: str, effect_of: Callable[[pd.DataFrame], Effect]) -> None:
    for column, short in (("estimate", "yi"), ("variance", "vi")):
        rows = reference()[reference()["quantity"] == f"{name} {short}"]
        assert len(rows) > 40
        got = getattr(effect_of(trials().loc[rows["dataset"]]), column)
        # NaN (nothing to estimate) must be NaN on both sides.
        np.testing.assert_array_equal(np.isnan(got), rows["value"].isna())
        assert np.all(~(np.abs(got - rows["value"]) > rows["tolerance"]))
