"""Cox models give what R's survival gives, on data that are nasty on purpose."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

import numpy as np
import pandas as pd
import pytest

from discontinuation.survival.concordance_index import concordance
from discontinuation.survival.cox_model import cox
from discontinuation.survival.cox_people import arrange
from discontinuation.survival.frailty import gamma_frailty
from discontinuation.survival.recurrent import recurrent_model
from survival.cox_cases import DATA, REFERENCE, case, make

SOME = [0, 1, 4, 8, 16, 29]
TIES = ("efron", "breslow")


def numbered(label, values):
    values = np.ravel(values)
    if len(values) == 1:
        return {label: values[0]}
    return {f"{label} {i + 1}": value for i, value in enumerate(values)}


def reported(label, model):
    table = model.summary
    found = numbered(f"{label} coef", table["coef"]) | numbered(f"{label} se", table["se"])
    if model.robust:
        found |= numbered(f"{label} robust se", table["robust_se"])
    if not model.penalty:
        found |= numbered(f"{label} loglik", [model.log_likelihood_null, model.log_likelihood])
        found[f"{label} score"] = model.score_test
    return found


def fits(name):
    """Strata, weights, clusters, offsets."""
    d, found = case(name), {}
    entry = {"entry": "entry"} if name == "entry" else {}
    for ties in (*TIES, "exact"):
        found |= reported(ties, cox("x + z + arm", d, ties=ties, **entry))
        if not entry:
            found |= reported(f"{ties} strata", cox("x + z", d, strata="stratum", ties=ties))
    for ties in TIES:
        o = {"ties": ties, "weights": None, **entry}
        both = {"strata": "stratum", "cluster": "cluster"}
        if entry:
            found |= reported(f"{ties} cluster", cox("x + z", d, **both, **o))
            o["weights"] = "weight"
            found |= reported(f"{ties} weights", cox("x + z", d, **both, **o))
            continue
        found |= reported(f"{ties} interaction", cox("x * z", d, offset="offset", **o))
        found |= reported(f"{ties} robust", cox("x + z", d, robust=True, **o))
        found |= reported(f"{ties} cluster strata", cox("x + z", d, **both, **o))
        o["weights"] = "weight"
        found |= reported(f"{ties} weights", cox("x + z", d, strata="stratum", **o))
        found |= reported(f"{ties} weights cluster", cox("x + z", d, cluster="cluster", **o))
    if not entry:
        found |= reported("ridge", cox("x + z", d, penalty=3))
    return found


def after_fits(name, label, formula, **options):
    """Residuals, tests of proportional hazards, baselines, predictions."""
    d, found = case(name), {}
    for ties in TIES:
        here = f"{label} {ties}"
        model = cox(formula, d, ties=ties, **options)
        for kind in ("martingale", "deviance"):
            found |= numbered(f"{here} {kind}", model.residuals(kind)[SOME])
        for kind in ("score", "dfbeta"):
            found |= numbered(f"{here} {kind}", model.residuals(kind).iloc[SOME, :2].T)
        squares = (model.residuals("schoenfeld") ** 2).sum()
        found |= numbered(f"{here} schoenfeld sum of squares", squares)
        for clock in ("km", "rank", "identity", "log"):
            test = model.proportional_hazards(clock)
            found |= numbered(f"{here} zph {clock}", test.statistic)
        found |= numbered(f"{here} baseline", baseline_at_all_times(model, d, options)[[1, 4]])
        new = pd.DataFrame({"x": [-1, 0.5], "z": [0, 1], "arm": ["abrupt", "taper"]})
        new["stratum"] = [1, 2]
        for kind in ("log-log", "log", "plain"):
            table = model.predict(new, conf_type=kind).at([6, 8])
            for person in (0, 1):
                own = table[table["curve"] == str(person)]
                values = own[["survival", "se", "lower", "upper"]].T
                found |= numbered(f"{here} predict {kind} {person + 1}", values)
    return found


def baseline_at_all_times(model, d, options):
    """R gives every time of each stratum, ours the event times."""
    found = []
    table = model.baseline().summary
    own = d.groupby("stratum") if options.get("strata") else [("", d)]
    for stratum, people in own:
        here = table[table["stratum"] == (f"stratum={stratum}" if stratum else "")]
        place = np.searchsorted(here["time"], np.unique(people["time"]), side="right")
        found.append(np.append(0, here["cumulative_hazard"])[place])
    return np.concatenate(found)


def changing(name):
    d, found = case(name), {}
    cut = {"ties": 3, "gaps": 60}[name]
    piecewise = {"piecewise": {"x": [cut]}}
    found |= reported("piecewise", cox("z + x", d, **piecewise))
    found |= reported("piecewise robust", cox("z + x", d, robust=True, **piecewise))
    if name == "gaps":
        found |= reported("tt log", cox("x + z", d, time_varying={"x": "log"}))
    else:
        model = cox("x + z", d, strata="stratum", time_varying={"z": np.sqrt})
        found |= reported("tt sqrt", model)
    for ties in TIES:
        model = cox("x + z", d, ties=ties, interval="profile")
        found |= numbered(f"profile {ties}", [model.lower[0], model.upper[0]])
    return found


def firth(name):
    d, found = case(name), {}
    formula = "x + z + arm" if name == "last" else "x + z"
    for ties in TIES:
        found |= reported(f"firth {ties}", cox(formula, d, ties=ties, firth=True))
        found.pop(f"firth {ties} score")
    if name == "separated":
        model = cox("z", d, firth=True)
        found |= {
            "firth profile lower": model.lower[0],
            "firth profile upper": model.upper[0],
        }
    return found


def frailty(name):
    d, found = case(name), {}
    group = "person" if name == "recurrent" else "cluster"
    entry = None if name == "ties" else "entry"
    people = arrange(
        "x + z", d, "time", "event", entry, None, group, None, None, {}, {}, "refuse"
    )  # fmt: skip
    for theta in (0.3, 1.2):
        shared = gamma_frailty(
            people.sets, "efron", people.names, people.group, people.groups, theta
        )
        label, scale = f"frailty {theta}", people.sets.scale
        found |= numbered(f"{label} coef", shared.fit.beta / scale)
        found |= numbered(f"{label} se", np.sqrt(np.diag(shared.fit.covariance)) / scale)
        found |= numbered(f"{label} loglik", shared.fit.log_likelihood)
        found |= numbered(f"{label} factor", shared.factor[:4])
    return found


def recurrent():
    found = {}
    for kind in ("andersen-gill", "pwp-total", "pwp-gap", "wlw"):
        d = case("recurrent").sample(frac=1, random_state=1)
        found |= reported(kind, recurrent_model("x + arm", d, "person", kind))
    return found


def concordances(name):
    d, found = case(name), {}
    entry = d["entry"] if name == "entry" else None
    asked = {
        "later": {"higher": "later"},
        "earlier": {"higher": "earlier"},
        "counts": {"higher": "later", "weights": d["count"]},
        "strata": {"higher": "later", "strata": d["stratum"], "cluster": d["cluster"]},
    }
    for label, options in asked.items():
        c = concordance(d["time"], d["event"], d["x"].round(), entry, **options)
        pairs = [c.concordant, c.discordant, c.tied_score, c.tied_time, c.tied_both]
        found |= numbered(f"concordance {label}", [c.concordance, c.se, *pairs])
    return found


@cache
def ours(name):
    """What the reference calls each number."""
    found = {} if name in ("separated", "recurrent") else fits(name) | concordances(name)
    if name in ("ties", "gaps", "entry"):
        o = {"entry": "entry"} if name == "entry" else {}
        found |= after_fits(name, "plain", "x + z + arm", **o)
        if name != "gaps":
            found |= after_fits(name, "strata", "x + z", strata="stratum", **o)
    if name in ("ties", "gaps"):
        found |= changing(name)
    if name in ("separated", "last"):
        found |= firth(name)
    if name in ("ties", "entry", "recurrent"):
        found |= frailty(name)
    if name == "recurrent":
        found |= recurrent()
    if name == "ties":
        found |= ties_only()
    return found


def ties_only():
    d = case("ties")
    copies = d.loc[np.repeat(d.index, d["count"])]
    found = reported("copies", cox("x + z", copies))
    model = cox("x + z", d, weights="weight")
    found |= numbered("weights efron zph km", model.proportional_hazards().statistic)
    residuals = model.residuals("martingale").to_numpy()
    return found | numbered("weights efron martingale", residuals[SOME])


@cache
def reference():
    return pd.read_csv(REFERENCE / "survival_cox.csv")


@pytest.mark.parametrize("name", ["ties", "gaps", "last", "entry", "separated", "recurrent"])
def test_every_number_is_that_of_r(name):
    rows = reference()[reference()["case"] == name]
    expected = dict(zip(rows["quantity"], rows["value"], strict=True))
    found = ours(name)
    assert set(found) == set(expected)
    wrong = {
        quantity: (found[quantity], value)
        for quantity, value in expected.items()
        if found[quantity] != pytest.approx(value, rel=1e-8, abs=1e-10)
    }
    assert not wrong, f"{len(wrong)} of {len(expected)}: {list(wrong.items())[:12]}"


def test_the_data_are_those_the_seed_makes(tmp_path):
    make().to_csv(tmp_path / "data.csv", index=False)
    assert (tmp_path / "data.csv").read_text() == DATA.read_text()


@pytest.mark.r
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="needs R")
def test_r_still_says_so(tmp_path):
    shutil.copy(DATA, tmp_path)
    subprocess.run(
        ["Rscript", str(REFERENCE / "survival_cox.R"), str(tmp_path)], check=True
    )  # fmt: skip
    again = pd.read_csv(tmp_path / "survival_cox.csv")
    assert again["quantity"].tolist() == reference()["quantity"].tolist()
    np.testing.assert_allclose(again["value"], reference()["value"], rtol=1e-7, atol=1e-9)
