"""What computed effects are compared with: closed forms, and what R's metafor gave."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import SHARED
from discontinuation.synthesis import Effect, odds_ratio, risk_ratio

REFERENCE = Path(__file__).parent / "reference"
BCG = SHARED / "data" / "reference-survival" / "dat_bcg.csv"
TOY = (np.array([0.10, 0.12, 0.11, 0.13]), np.array([0.04, 0.05, 0.03, 0.06]))

# What the quantities of pooling.csv are about; one test module asks for each.
SUBJECTS = {
    "effects": r"(?:RR|OR|RD|IRR|MD|SMD)\b.*",
    "heterogeneity": r"(?:REML|DL|PM|FE) (?:default )?(?:tau2|I2|Q|Q p)|Q-profile .*",
    "two maxima": r"inner tau2|metafor tau2|log-likelihood gained",
    "interval": r"q",
    "pooling": r"(?:REML|DL|PM|FE) (?:default )?(?!default|tau2|I2|Q).*",
    "regression": r"meta-regression .*",
    "stratified": r"(?:MH|Peto) .*",
    "small study": r"(?:Egger|trim and fill|leave-one-out|influence) .*",
}

Columns = tuple[np.ndarray, np.ndarray]


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


def asked(subject: str) -> pd.DataFrame:
    return reference()[reference()["quantity"].str.fullmatch(SUBJECTS[subject])]


def datasets(subject: str) -> list[str]:
    return sorted(asked(subject)["dataset"].unique())


def trials_of(dataset: str) -> pd.DataFrame:
    """Counts and covariates of the trials of one meta-analysis."""
    if not dataset.startswith("dat.bcg"):
        return trials()[trials()["meta"] == int(dataset.removeprefix("made_up "))]
    if not BCG.exists():
        pytest.skip("dat_bcg.csv (exported from metafor) does not lie beside the repository")
    bcg = pd.read_csv(BCG)
    sizes = {"n_a": bcg["tpos"] + bcg["tneg"], "n_b": bcg["cpos"] + bcg["cneg"]}
    return bcg.rename(columns={"tpos": "events_a", "cpos": "events_b"}).assign(**sizes)


def counts_of(dataset: str) -> list[np.ndarray]:
    here = trials_of(dataset)
    return [here[name].to_numpy(float) for name in ("events_a", "n_a", "events_b", "n_b")]


def effects_of(dataset: str) -> Columns:
    """Log ratios and variances of the trials that have them."""
    if dataset == "homogeneous toy":
        return TOY
    ratio = risk_ratio if dataset.startswith("dat.bcg") else odds_ratio
    effect = ratio(*counts_of(dataset))
    known = np.isfinite(effect.estimate)
    return effect.estimate[known], effect.variance[known]


def covariates_of(dataset: str) -> pd.DataFrame | np.ndarray:
    here = trials_of(dataset)
    if dataset == "dat.bcg latitude and year":
        return here[["ablat", "year"]]
    if dataset == "dat.bcg":
        return here["ablat"].to_numpy()
    return here["covariate"].to_numpy()[np.isfinite(odds_ratio(*counts_of(dataset)).estimate)]


def assert_as_metafor(subject: str, dataset: str, got: dict[str, float]) -> None:
    """Compare everything metafor gave about one subject and dataset, leaving nothing out."""
    rows = asked(subject)
    rows = rows[rows["dataset"] == dataset]
    assert len(rows)
    missing = set(rows["quantity"]) - set(got)
    assert not missing
    computed = rows["quantity"].map(got)
    np.testing.assert_array_equal(computed.isna(), rows["value"].isna())
    off = (computed - rows["value"]).abs() > rows["tolerance"]
    assert not off.any(), rows[off].assign(computed=computed)
