"""What must not matter to a Cox model does not, and the traps of other packages are avoided."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival.cox_model import cox
from discontinuation.survival.episodes import split_follow_up
from survival.cox_cases import case


@st.composite
def people(draw):
    """Daily times with ties, delayed entry, strata."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(40, 80))
    d = pd.DataFrame({"x": rng.normal(size=n), "arm": rng.choice(["a", "b"], n)})
    d["time"] = rng.integers(1, draw(st.integers(6, 40)), n) + 5
    d["entry"] = rng.integers(0, 6, n)
    d["event"] = (rng.random(n) < 0.7).astype(int)
    d["stratum"] = rng.integers(0, 3, n)
    return d.assign(person=np.arange(n), weight=rng.integers(1, 4, n))


def fitted(d, **options):
    model = cox("x + arm", d, entry="entry", **{"strata": "stratum", **options})
    return np.concatenate(
        [model.coef, model.covariance.ravel(), [model.log_likelihood, model.score_test]]
    )


@settings(max_examples=15)
@given(people(), st.floats(0.01, 50))
def test_neither_the_unit_of_time_nor_the_order_of_rows_matters(d, unit):
    scaled = d.assign(time=d["time"] * unit, entry=d["entry"] * unit)
    shuffled = scaled.sample(frac=1, random_state=1)
    np.testing.assert_allclose(fitted(shuffled), fitted(d), rtol=1e-8, atol=1e-10)


@settings(max_examples=15)
@given(people(), st.lists(st.integers(1, 40), min_size=1, max_size=5, unique=True))
def test_splitting_follow_up_changes_nothing(d, cuts):
    for ties in ("efron", "breslow"):
        whole = cox("x + arm", d, entry="entry", ties=ties, robust=True)
        split = split_follow_up(d, sorted(cuts), entry="entry")
        pieces = cox("x + arm", split, entry="entry", ties=ties, cluster="person")
        np.testing.assert_allclose(pieces.coef, whole.coef, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            pieces.robust_covariance, whole.robust_covariance, rtol=1e-8, atol=1e-12
        )
        assert pieces.clusters == len(d) and pieces.events == whole.events


@settings(max_examples=15)
@given(people())
def test_a_weight_is_copies_with_breslow_and_a_multiplicity_with_efron(d):
    copies = d.loc[np.repeat(d.index, d["weight"])]
    np.testing.assert_allclose(
        fitted(d, weights="weight", ties="breslow"), fitted(copies, ties="breslow"), rtol=1e-8
    )
    model = cox("x + arm", d, entry="entry", strata="stratum")
    found = model.refit(d[["weight"]].T)[0]
    np.testing.assert_allclose(found, fitted(copies)[:2], rtol=1e-7)
    # The robust variance of weights does not care how large they are.
    robust = [
        cox("x", d.assign(w=d["weight"] * c), weights="w", robust=True).robust_covariance
        for c in (1, 10)
    ]
    np.testing.assert_allclose(*robust, rtol=1e-8)


@settings(max_examples=15)
@given(people(), st.floats(0.1, 1000), st.floats(-1000, 1000))
def test_covariates_may_be_on_any_scale(d, scale, shift):
    moved = fitted(d.assign(x=d["x"] * scale + shift))
    plain = fitted(d)
    assert moved[0] * scale == pytest.approx(plain[0], rel=1e-7, abs=1e-9)
    assert moved[1] == pytest.approx(plain[1], rel=1e-7, abs=1e-9)
    assert moved[-2:] == pytest.approx(plain[-2:], rel=1e-8)


@settings(max_examples=15)
@given(people())
def test_renaming_levels_turns_the_sign(d):
    turned = d.assign(arm=d["arm"].map({"a": "b", "b": "a"}))
    assert fitted(turned)[1] == pytest.approx(-fitted(d)[1], rel=1e-8, abs=1e-10)
    renamed = d.assign(stratum=d["stratum"].map({0: "z", 1: "k", 2: "q"}))
    np.testing.assert_allclose(fitted(renamed), fitted(d), rtol=1e-8, atol=1e-11)


@settings(max_examples=15)
@given(people())
def test_rows_of_weight_0_people_without_events_and_eventless_strata(d):
    """Trap 12: a stratum without an event does not spoil the standard errors."""
    more = d.assign(weight=1.0)
    nobody = d.assign(weight=0.0, x=99.0, event=1)
    alone = d.assign(weight=1.0, event=0, stratum=7)
    model = cox(
        "x + arm", pd.concat([more, nobody, alone]), entry="entry", strata="stratum",
        weights="weight",
    )  # fmt: skip
    np.testing.assert_allclose(model.coef, fitted(d)[:2], rtol=1e-8, atol=1e-11)
    assert model.eventless_strata >= 1 and np.isfinite(model.summary["se"]).all()
    assert model.n == 2 * len(d)


@settings(max_examples=15)
@given(people())
def test_residuals_add_up(d):
    """Traps 7 and 15: martingale residuals sum to 0 in each stratum, with Efron's ties too."""
    for ties in ("efron", "breslow"):
        model = cox("x + arm", d, entry="entry", strata="stratum", ties=ties)
        by_stratum = model.residuals("martingale").groupby(d["stratum"]).sum()
        np.testing.assert_allclose(by_stratum, 0, atol=1e-9)
        np.testing.assert_allclose(model.residuals("score").sum(), 0, atol=1e-8)
        np.testing.assert_allclose(model.residuals("schoenfeld").sum(), 0, atol=1e-8)
        scaled = model.proportional_hazards().residuals[list(model.terms)]
        np.testing.assert_allclose(scaled.mean(), model.coef, rtol=1e-7, atol=1e-9)


def test_the_baseline_steps_at_the_event_and_not_after_it():
    """Trap 15: H(t), not H(t-)."""
    d = pd.DataFrame({"time": [1, 2, 3, 4], "event": [1, 1, 1, 0], "x": [0.0, 1.0, 0.5, 0.2]})
    model = cox("x", d)
    risk = np.exp(model.coef[0] * d["x"])
    expected = np.cumsum([1 / risk.sum(), 1 / risk[1:].sum(), 1 / risk[2:].sum()])
    table = model.baseline().summary
    assert table["time"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(table["cumulative_hazard"], expected)


def test_entry_on_an_event_day_is_after_the_event():
    """Trap 14."""
    d = case("entry")
    half_a_day_later = cox("x", d.assign(entry=d["entry"] + 0.5), entry="entry")
    assert cox("x", d, entry="entry").coef[0] == pytest.approx(half_a_day_later.coef[0], rel=1e-12)


def test_ties_are_efron_unless_asked():
    """Trap 11."""
    d = case("ties")
    assert cox("x", d).coef == cox("x", d, ties="efron").coef != cox("x", d, ties="breslow").coef


def test_the_robust_variance_knows_of_ties():
    """Traps 5 and 13: with ties, Breslow's residuals are not Efron's (R's values elsewhere)."""
    d = case("ties")
    efron = cox("x + z", d, cluster="cluster").summary["robust_se"]
    breslow = cox("x + z", d, cluster="cluster", ties="breslow").summary["robust_se"]
    assert (abs(efron / breslow - 1) > 1e-3).all()


def test_without_ties_all_ways_agree():
    d = case("gaps").drop_duplicates("time")
    coefs = [cox("x + z", d, ties=ties).coef for ties in ("efron", "breslow", "exact")]
    np.testing.assert_allclose(coefs[0], coefs[1], rtol=1e-10)
    np.testing.assert_allclose(coefs[0], coefs[2], rtol=1e-8)


def test_the_test_of_proportional_hazards_has_a_global_row_in_the_order_of_the_formula():
    """Trap 4."""
    table = cox("z + arm + x", case("gaps")).proportional_hazards().summary
    assert table.columns.tolist() == ["term", "statistic", "df", "p_value"]
    assert table["term"].tolist() == ["z", "arm", "x", "GLOBAL"]
    assert table["df"].tolist() == [1, 2, 1, 4]


def test_it_is_the_score_test_of_the_effect_that_changes():
    d = case("gaps")
    model = cox("x + z", d)
    test = model.proportional_hazards("log").summary
    bigger = cox("x + z", d, time_varying={"x": "log"})
    gain = 2 * (bigger.log_likelihood - model.log_likelihood)
    assert test["statistic"][0] == pytest.approx(gain, rel=0.25)
    given_by_hand = model.proportional_hazards(np.log).summary
    np.testing.assert_allclose(test["statistic"], given_by_hand["statistic"])
    with pytest.raises(InvalidInput, match="allowed: km, rank, identity, log"):
        model.proportional_hazards("kaplan")


def test_simulated_effects_are_found():
    rng = np.random.default_rng(11)
    n = 20_000
    x, z = rng.normal(size=n), rng.integers(0, 2, n)
    early = rng.exponential(np.exp(-0.5 * x - 1.0 * z))
    # The effect of z is gone from time 0.5 on.
    time = np.where(early <= 0.5, early, 0.5 + (early - 0.5) * np.exp(1.0 * z))
    d = pd.DataFrame({"x": x, "z": z, "time": np.minimum(time, 2), "event": (time <= 2) * 1})
    model = cox("x + z", d, piecewise={"z": [0.5]})
    truth = np.array([0.5, 1.0, 0.0])
    assert (abs(model.coef - truth) < 4 * model.summary["se"]).all()
    assert model.proportional_hazards().summary["p_value"].iloc[-1] > 1e-3
    assert cox("x + z", d).proportional_hazards().summary["p_value"][1] < 1e-8
