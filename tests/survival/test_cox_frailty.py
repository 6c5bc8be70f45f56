"""Shared frailty finds how different groups are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from discontinuation.problems import InvalidInput
from discontinuation.survival.cox_model import cox
from survival.cox_cases import case


def centres(theta, groups=60, size=25, seed=2):
    rng = np.random.default_rng(seed)
    factor = rng.gamma(1 / theta, theta, groups) if theta else np.ones(groups)
    d = pd.DataFrame({"centre": np.repeat(np.arange(groups), size)})
    d["x"] = rng.normal(size=len(d))
    hazard = factor[d["centre"]] * np.exp(0.7 * d["x"])
    d["time"] = np.ceil(rng.exponential(40 / hazard))
    d["event"] = (d["time"] <= 90).astype(int)
    return d.assign(time=d["time"].clip(upper=90)), factor


def test_the_variance_is_found():
    d, factor = centres(0.5)
    model = cox("x", d, frailty="centre")
    assert model.theta == pytest.approx(0.5, abs=0.2)
    assert abs(model.coef[0] - 0.7) < 3 * model.summary["se"][0]
    assert np.corrcoef(np.log(model.frailties), np.log(factor))[0, 1] > 0.9
    assert model.frailties.mean() == pytest.approx(1, abs=1e-8)
    assert f"gamma frailty of variance {model.theta:.4g}" in str(model)
    # Left out, it draws the coefficient towards 0.
    assert cox("x", d).coef[0] < model.coef[0]
    table = model.tests.set_index("test")
    assert table.loc["frailty variance", "p_value"] < 1e-6


def test_no_difference_is_a_possible_answer():
    d, _ = centres(0, groups=30, seed=5)
    d = d.assign(centre=np.arange(len(d)) % 30)
    model = cox("x", d, frailty="centre")
    assert model.theta < 0.05
    if model.theta == 0:
        np.testing.assert_array_equal(model.coef, cox("x", d).coef)


def test_the_likelihood_is_the_integral_over_the_frailty():
    """Twin by quadrature, with the baseline that the model found."""
    d, _ = centres(0.8, groups=6, size=8, seed=3)
    d["time"] += np.arange(len(d)) / 1000  # no ties
    model = cox("x", d, frailty="centre")
    base = model.baseline().summary
    hazard = np.append(0, base["cumulative_hazard"])[
        np.searchsorted(base["time"], d["time"], side="right")
    ]
    lived = (hazard * np.exp(model.coef[0] * d["x"])).groupby(d["centre"]).sum()
    events = d.groupby("centre")["event"].sum()
    gamma = stats.gamma(1 / model.theta, scale=model.theta)
    value = np.log(base["hazard"]).sum() + (model.coef[0] * d["x"] * d["event"]).sum()
    for who in events.index:
        integral = integrate.quad(
            lambda u, n=events[who], lam=lived[who]: u**n * np.exp(-u * lam) * gamma.pdf(u), 0, 60,
            epsabs=0, limit=200,
        )[0]  # fmt: skip
        value += np.log(integral)
    # A partial likelihood leaves out one unit for each event.
    assert model.log_likelihood == pytest.approx(value + d["event"].sum(), rel=1e-6)


def test_what_a_frailty_does_not_have():
    d = case("entry")
    model = cox("x", d, frailty="cluster", entry="entry")
    with pytest.raises(InvalidInput, match="not there for models with a frailty"):
        model.predict(d)
    with pytest.raises(InvalidInput, match="2 to 10000 groups"):
        cox("x", d.assign(one=1), frailty="one")
    with pytest.raises(InvalidInput, match="the model has none"):
        _ = cox("x", d).frailties
