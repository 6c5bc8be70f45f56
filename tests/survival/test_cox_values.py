"""The reference values of Cox models, on well-known data."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from conftest import SHARED
from discontinuation.survival.concordance_index import concordance
from discontinuation.survival.cox_model import cox
from discontinuation.survival.recurrent import recurrent_model

TABLES = SHARED / "data" / "reference-survival"
VALUES = SHARED / "knowledge" / "reference_values.csv"
pytestmark = pytest.mark.skipif(not TABLES.exists(), reason="the shared data are not here")


@cache
def data(name):
    table = pd.read_csv(TABLES / f"{name}.csv")
    table.columns = [column.replace(".", "_") for column in table.columns]
    if "status" in table:
        table["event"] = (table["status"] == (2 if name == "lung" else 1)).astype(int)
    if name == "mgus2":
        table = table.assign(
            etime=np.where(table["pstat"] == 0, table["futime"], table["ptime"]),
            cause=np.where(table["pstat"] == 0, 2 * table["death"], 1),
            male=(table["sex"] == "M").astype(int),
        )
    return table


def expect(quantity, found):
    """Compare with every row whose quantity begins like this, in order."""
    table = pd.read_csv(VALUES)
    rows = table[
        table["quantity"].str.startswith(f"{quantity} [") | (table["quantity"] == quantity)
    ]
    assert len(rows) == len(np.atleast_1d(found))
    for ours, value, tolerance in zip(
        np.atleast_1d(found), rows["value"], rows["tol"], strict=True
    ):
        assert ours == pytest.approx(value, abs=float(tolerance), rel=0)


def lung(**options):
    return cox("age + sex + ph_ecog", data("lung"), missing="drop", **options)


def test_lung():
    model = lung()
    expect("Cox Efron coef", model.coef)
    expect("Cox Efron SE", model.summary["se"])
    expect("Cox Efron partial loglik", [model.log_likelihood_null, model.log_likelihood])
    expect("Cox Breslow coef", lung(ties="breslow").coef)
    expect("Cox exact coef", lung(ties="exact").coef)
    assert (model.n, model.events, model.dropped) == (227, 164, 1)


def test_lung_sex():
    sex = cox("sex", data("lung"))
    expect("Cox HR sex", sex.summary[["hazard_ratio", "lower", "upper"]].iloc[0])
    expect("Cox robust SE sex", cox("sex", data("lung"), robust=True).summary["robust_se"])
    by_centre = cox("sex", data("lung"), cluster="inst", missing="drop")
    expect("Cox cluster(inst) robust SE sex", by_centre.summary["robust_se"])
    later = data("lung")[data("lung")["time"] > 100]
    expect("Landmark(100 d) HR sex", cox("sex", later).summary["hazard_ratio"])


def test_lung_concordance():
    people = data("lung").dropna(subset=["ph_ecog"])
    model = cox("age + sex + ph_ecog", people)
    score = people[["age", "sex", "ph_ecog"]].to_numpy() @ model.coef
    expect("Harrell C", concordance(people["time"], people["event"], score).concordance)


def test_veteran():
    people = data("veteran")
    expect("Stratified Cox coef", cox("trt + karno", people, strata="celltype").coef)
    test = cox("trt + prior + karno", people).proportional_hazards("km")
    expect("cox.zph chi2 (km)", test.statistic)
    expect("cox.zph p (km)", test.p_value)


def test_effects_that_change():
    people = data("veteran")
    changing = cox("trt + prior + karno", people, time_varying={"karno": lambda t: np.log(t + 20)})
    expect("Cox tt karno*log(t+20)", changing.coef)
    expect("Piecewise Cox trt coef", cox("trt", people, piecewise={"trt": [60]}).coef)


def test_left_truncation():
    model = cox("age + year + surgery + transplant", data("heart"), time="stop", entry="start")
    expect("Left-truncated Cox coef", model.coef)


def test_cause_specific():
    people = data("mgus2")
    for label, cause in (("pcm", 1), ("death", 2)):
        own = people.assign(event=(people["cause"] == cause).astype(int))
        expect(f"Cause-specific Cox coef {label}", cox("male + age", own, time="etime").coef)


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("andersen-gill", "Andersen-Gill"),
        ("pwp-total", "PWP total-time"),
        ("pwp-gap", "PWP gap-time"),
    ],
)
def test_recurrent_events(kind, label):
    model = recurrent_model(
        "rx + size + number", data("bladder2"), "id", kind, time="stop", entry="start"
    )
    expect(f"{label} coef", model.coef)
    if kind == "andersen-gill":
        expect(f"{label} robust SE", model.summary["robust_se"])


def test_gamma_frailty():
    model = cox("sex", data("kidney"), frailty="id")
    table = pd.read_csv(VALUES).set_index("quantity")["value"]
    name = "Gamma frailty (EM) sex, theta, I-loglik"
    assert model.theta == pytest.approx(table[f"{name} [theta]"], abs=1e-4)
    assert model.log_likelihood == pytest.approx(table[f"{name} [I-loglik]"], abs=1e-4)
    # The tabled coefficient is where R's loose default stops, 4e-4 away and lower; this one is R's
    # at the same theta when it goes on (eps = 1e-12, sparse = FALSE).
    assert model.log_likelihood > table[f"{name} [I-loglik]"]
    assert model.coef[0] == pytest.approx(-1.562431627569, abs=1e-5)
    assert model.coef[0] == pytest.approx(table[f"{name} [sex]"], abs=5e-4)
