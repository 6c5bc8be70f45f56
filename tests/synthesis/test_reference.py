"""The reference numbers themselves: metafor gives them, and every one is asked for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compare import REFERENCE, SUBJECTS, reference


def test_every_quantity_is_about_one_subject() -> None:
    quantities = reference()["quantity"]
    claims = sum(quantities.str.fullmatch(pattern).astype(int) for pattern in SUBJECTS.values())
    assert (claims == 1).all(), set(quantities[claims != 1])


@pytest.mark.r
def test_r_gives_these_numbers(tmp_path: Path) -> None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("Rscript is not installed")
    has_metafor = subprocess.run(
        [rscript, "-e", "stopifnot(nzchar(system.file(package = 'metafor')))"],
        capture_output=True,
        check=False,
    )
    if has_metafor.returncode:
        pytest.skip("the R package metafor is not installed")
    subprocess.run(
        [rscript, REFERENCE / "pooling.R", tmp_path], check=True, capture_output=True, text=True
    )
    kept, fresh = (pd.read_csv(folder / "pooling.csv") for folder in (REFERENCE, tmp_path))
    keys = ["quantity", "dataset"]
    pd.testing.assert_frame_equal(kept[keys], fresh[keys])
    np.testing.assert_array_equal(kept["value"].isna(), fresh["value"].isna())
    assert not ((kept["value"] - fresh["value"]).abs() > kept["tolerance"]).any()
    name = "made_up_trials.csv"
    kept, fresh = (pd.read_csv(folder / name) for folder in (REFERENCE, tmp_path))
    pd.testing.assert_frame_equal(kept, fresh)
