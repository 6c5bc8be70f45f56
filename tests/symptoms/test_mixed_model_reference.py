"""The mixed model gives what R's nlme gives, and nlme finds its likelihood as high."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discontinuation.symptoms.mixed_model import fit_mixed_model

REFERENCE = Path(__file__).parents[1] / "reference"
POSITION = {"ar1": "visit", "car1": "day", "none": None}
# nlme differences its likelihood coarsely for intervals of variance components.
SHARE_OF_WIDTH = 0.01


@cache
def numbers():
    return pd.read_csv(REFERENCE / "mixed_model.csv")


@cache
def data():
    return pd.read_csv(REFERENCE / "mixed_model_data.csv", dtype={"person": str})


@cache
def fit(dataset, model):
    random, correlation, method = model.split()
    one_person = dataset in ("series", "drifting")
    return fit_mixed_model(
        data()[data()["dataset"] == dataset],
        "value",
        "0 + phase" if one_person else "day * arm",
        random=random,
        correlation=correlation,
        position=POSITION[correlation],
        method=method,
        df="containment",
    )


def ours(found):
    """What the reference calls each number."""
    values = {"log-likelihood": found.log_likelihood, "AIC": found.aic, "BIC": found.bic}
    for column in ("estimate", "se", "df"):
        values |= {f"{column} {i + 1}": v for i, v in enumerate(found.fixed[column])}
    values |= dict(zip(found.components["component"], found.components["estimate"], strict=True))
    for column in found.random_effects.columns[1:]:
        shown = found.random_effects[column].head(8)
        values |= {f"random {column} {i + 1}": v for i, v in enumerate(shown)}
    return values


def models(interior):
    counted = numbers().groupby(["dataset", "model"], sort=False).size()
    return [pair for pair, count in counted.items() if (count > 1) == interior]


@pytest.mark.parametrize(("dataset", "model"), models(interior=True))
def test_every_number_equals_that_of_nlme(dataset, model):
    found = fit(dataset, model)
    here = numbers()[(numbers()["dataset"] == dataset) & (numbers()["model"] == model)]
    expected = here.set_index("quantity")["value"]
    limits = expected.index.str.match("lower|upper")
    values = pd.Series(ours(found))
    compared = expected[~limits].drop("nlme log-likelihood")
    assert set(compared.index) == set(values.index)
    np.testing.assert_allclose(values[compared.index], compared, rtol=1e-6, atol=1e-9)
    assert found.converged
    assert found.boundary == ()
    assert found.log_likelihood >= expected["nlme log-likelihood"] - 1e-9


@pytest.mark.parametrize(("dataset", "model"), models(interior=True))
def test_intervals_of_variance_components_are_those_of_nlme(dataset, model):
    here = numbers()[(numbers()["dataset"] == dataset) & (numbers()["model"] == model)]
    expected = here.set_index("quantity")["value"]
    components = fit(dataset, model).components.set_index("component")
    for name, (lower, upper) in components[["lower", "upper"]].iterrows():
        if f"lower {name}" not in expected:
            continue
        width = SHARE_OF_WIDTH * (upper - lower)
        assert lower == pytest.approx(expected[f"lower {name}"], abs=width)
        assert upper == pytest.approx(expected[f"upper {name}"], abs=width)


@pytest.mark.parametrize(("dataset", "model"), models(interior=False))
def test_at_the_edge_it_says_so_and_is_at_least_as_high(dataset, model):
    found = fit(dataset, model)
    here = numbers()[(numbers()["dataset"] == dataset) & (numbers()["model"] == model)]
    assert here["quantity"].tolist() == ["nlme log-likelihood"]
    assert found.log_likelihood >= here["value"].iloc[0] - 1e-9
    assert found.boundary
    assert set(found.boundary) <= set(found.warnings)


def rscript():
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed")
    return program


def run_r(*arguments):
    command = [rscript(), REFERENCE / "mixed_model.R", *arguments]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)


@pytest.mark.r
def test_r_gives_these_numbers(tmp_path):
    run_r(tmp_path)
    kept, fresh = (pd.read_csv(f / "mixed_model.csv") for f in (REFERENCE, tmp_path))
    keys = ["dataset", "model", "quantity"]
    pd.testing.assert_frame_equal(kept[keys], fresh[keys])
    limits = kept["quantity"].str.match("lower|upper")
    np.testing.assert_allclose(kept["value"][~limits], fresh["value"][~limits], rtol=1e-6)
    np.testing.assert_allclose(kept["value"][limits], fresh["value"][limits], rtol=1e-2, atol=1e-2)
    kept, fresh = (pd.read_csv(f / "mixed_model_data.csv") for f in (REFERENCE, tmp_path))
    pd.testing.assert_frame_equal(kept, fresh)


@pytest.mark.r
def test_nlme_finds_our_parameters_as_likely_as_we_do(tmp_path):
    rows = []
    for dataset, model in models(interior=True):
        found = fit(dataset, model)
        parts = dict(zip(found.components["component"], found.components["estimate"], strict=True))
        rows.append({"dataset": dataset, "model": model, **parts})
    points = pd.DataFrame(rows)
    points.to_csv(tmp_path / "points.csv", index=False)
    run_r(tmp_path, tmp_path / "points.csv")
    theirs = pd.read_csv(tmp_path / "likelihoods.csv")["value"]
    mine = [fit(dataset, model).log_likelihood for dataset, model in models(interior=True)]
    np.testing.assert_allclose(mine, theirs, rtol=1e-9)
