"""Royston-Parmar models find the optimum in any unit of time, and hazards that cross."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival.flexible import _quantiles, royston_parmar, spline_basis
from discontinuation.survival.parametric import parametric_model
from discontinuation.survival.stored import from_json, read_result, to_json, write_result
from survival.parametric_reference import data, lung, present, printed, same_as_r

LIMITS = {"lower": "lower", "upper": "upper"}


@pytest.mark.parametrize("knots", [0, 2, 4])
@pytest.mark.parametrize("scale", ["hazard", "odds"])
@pytest.mark.parametrize("name", ["ties", "late", "lone"])
def test_it_equals_a_maximisation_in_r(name, scale, knots):
    fit = royston_parmar("arm + x", present(name), entry="entry", knots=knots, scale=scale)
    case = f"{name} {scale} {knots} knots"
    same_as_r(case, "log knot", np.log(fit.knots))
    same_as_r(case, "coef", fit.coef)
    same_as_r(case, "se", np.sqrt(np.diag(fit.covariance)))
    same_as_r(case, "log-likelihood", fit.log_likelihood, rtol=1e-12)


def test_reference_values_of_lung():
    fit = royston_parmar("arm", lung(), knots=2)
    for k, name in enumerate(["gamma0", "gamma1", "gamma2", "gamma3", "arm"]):
        if name != "gamma0":
            assert fit.coef[k] == printed(f"Royston-Parmar hazard k=2 [{name}]")
    assert fit.log_likelihood == printed("Royston-Parmar hazard k=2 [loglik]")
    for k in range(4):
        assert np.log(fit.knots[k]) == printed(f"Royston-Parmar hazard k=2 [knot{k + 1}]")


def test_the_printed_intercept_of_lung_lies_short_of_the_optimum():
    # flexsurv stopped with gamma0 0.0002 off (standard error 1.2): its likelihood is lower.
    fit = royston_parmar("arm", lung(), knots=2)
    names = ["gamma0", "gamma1", "gamma2", "gamma3", "arm"]
    theirs = np.array([printed(f"Royston-Parmar hazard k=2 [{n}]").expected for n in names])
    off = theirs - fit.coef
    loss = off @ np.linalg.solve(fit.covariance, off) / 2
    assert 1e-9 < loss < 1e-6
    assert abs(off[0]) < 3e-4


@pytest.mark.parametrize("knots", [0, 4, 6])
@given(unit=st.floats(1e-6, 1e6))
def test_the_unit_of_time_does_not_matter(knots, unit):
    here = data("late")
    days = royston_parmar("arm + x", here, entry="entry", knots=knots)
    scaled = here.assign(time=here["time"] * unit, entry=here["entry"] * unit)
    found = royston_parmar("arm + x", scaled, entry="entry", knots=knots)
    np.testing.assert_allclose(found.coef[-3:], days.coef[-3:], rtol=1e-6)
    moved = days.log_likelihood - here["event"].sum() * np.log(unit)
    assert found.log_likelihood == pytest.approx(moved, abs=1e-7)


def test_more_knots_never_fit_worse_in_days():
    # The trap: with time in days and four knots or more lifelines stops far from the optimum.
    here = lung()
    inner = [150.0, 300.0, 220.0, 80.0, 450.0, 600.0]
    values = [
        royston_parmar("sex + age", here, knots=sorted(inner[:k])).log_likelihood for k in range(7)
    ]
    assert (np.diff(values) > -1e-9).all()
    cox_like = royston_parmar("sex + age", here, knots=5).coef[-2:]
    weibull = royston_parmar("sex + age", here, knots=0).coef[-2:]
    np.testing.assert_allclose(cox_like, weibull, atol=0.05)


@pytest.mark.parametrize(
    ("scale", "distribution"),
    [("hazard", "weibull"), ("odds", "loglogistic"), ("normal", "lognormal")],
)
def test_without_inner_knots_it_is_an_accelerated_failure_time_model(scale, distribution):
    how = {"weights": "weight", **LIMITS}
    spline = royston_parmar("arm + x", data("visits"), knots=0, scale=scale, **how)
    straight = parametric_model("arm + x", data("visits"), distribution=distribution, **how)
    assert spline.log_likelihood == pytest.approx(straight.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(spline.coef[1], 1 / straight.scale, rtol=1e-9)
    np.testing.assert_allclose(spline.coef[2:], -straight.coef[1:4] / straight.scale, rtol=1e-8)
    profiles = pd.DataFrame({"arm": ["abrupt", "maintain"], "x": [0.0, 1.0]})
    one, other = (fit.at([5, 50], profiles) for fit in (spline, straight))
    pd.testing.assert_frame_equal(one, other, rtol=1e-8)
    one, other = (fit.hazard([5, 50], profiles) for fit in (spline, straight))
    pd.testing.assert_frame_equal(one, other, rtol=1e-8)


def test_a_moving_effect_per_group_is_a_fit_per_group():
    here = data("ties")[lambda d: d["arm"] != "maintain"]
    both = royston_parmar("arm", here, knots=[20.0], boundary=(3.0, 60.0), time_varying={"arm": 1})
    # The same inner knot for the movement needs positions that are quantiles; none is straight.
    straight = royston_parmar("arm", here, knots=0, time_varying={"arm": 0})
    apart = [royston_parmar("1", part, knots=0) for _, part in here.groupby("arm")]
    total = sum(fit.log_likelihood for fit in apart)
    assert straight.log_likelihood == pytest.approx(total, rel=1e-12)
    assert both.terms == (
        "gamma0",
        "gamma1",
        "gamma2",
        "arm[T.gradual]",
        "arm[T.gradual]:log time",
        "arm[T.gradual]:v1",
    )
    ratio = straight.hazard_ratio(
        [5, 20, 50], pd.DataFrame({"arm": ["gradual"]}), pd.DataFrame({"arm": ["abrupt"]})
    )
    hazards = [fit.hazard([5, 20, 50])["hazard"] for fit in apart]
    np.testing.assert_allclose(ratio["hazard_ratio"], hazards[1] / hazards[0], rtol=1e-8)
    spread = [fit.hazard([5, 20, 50])["se"] for fit in apart]
    np.testing.assert_allclose(ratio["se"], np.hypot(*spread), rtol=1e-7)
    assert straight.summary["hazard_ratio"].isna().all()


def test_a_hazard_ratio_that_is_constant_is_that_of_the_table():
    fit = royston_parmar("x", data("ties"), knots=3)
    row = fit.summary.set_index("term").loc["x"]
    ratio = fit.hazard_ratio([2, 9, 40], pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": [0.0]}))
    for column in ("hazard_ratio", "lower", "upper"):
        np.testing.assert_allclose(ratio[column], row[column], rtol=1e-9)


def test_the_hazard_is_the_slope_of_survival():
    fit = royston_parmar("x", data("ties"), knots=3)
    profile, times = pd.DataFrame({"x": [0.3]}), np.array([4.0, 15.0, 40.0])
    above, below = (fit.at(times + step, profile)["survival"] for step in (1e-4, -1e-4))
    hazard = -(np.log(above) - np.log(below)) / 2e-4
    np.testing.assert_allclose(fit.hazard(times, profile)["hazard"], hazard, rtol=1e-6)


def test_a_withdrawal_bump_is_found():
    # Hazard ratio 4 in the first 30 days, 1 afterwards.
    random = np.random.default_rng(4)
    group = np.repeat([0, 1], 3000)
    u = random.exponential(size=6000)
    early = np.where(group == 1, 0.04, 0.01)
    time = np.where(u < 30 * early, u / early, 30 + (u - 30 * early) / 0.01)
    frame = pd.DataFrame({"g": group, "time": np.minimum(time, 180), "event": time < 180})
    fit = royston_parmar("g", frame, knots=4, time_varying={"g": 3})
    ratio = fit.hazard_ratio([10, 120], pd.DataFrame({"g": [1]}), pd.DataFrame({"g": [0]}))
    assert ratio["lower"][0] > 2.5
    assert ratio["lower"][1] < 1 < ratio["upper"][1]


def test_a_weight_of_two_is_the_same_person_twice():
    here = data("late")
    twice = royston_parmar("arm", pd.concat([here, here]), entry="entry", knots=3)
    weighted = royston_parmar(
        "arm", here.assign(weight=2), entry="entry", weights="weight", knots=3
    )
    np.testing.assert_allclose(twice.knots, weighted.knots, rtol=1e-12)
    np.testing.assert_allclose(twice.coef, weighted.coef, rtol=1e-7)
    np.testing.assert_allclose(twice.covariance, weighted.covariance, rtol=1e-6, atol=1e-12)


def test_follow_up_split_by_entry_changes_nothing():
    here = data("late")
    middle = (here["entry"] + here["time"]) / 2
    split = pd.concat([here.assign(time=middle, event=0), here.assign(entry=middle)])
    whole = royston_parmar("arm", here, entry="entry", knots=2)
    found = royston_parmar("arm", split, entry="entry", knots=2)
    np.testing.assert_allclose(found.coef, whole.coef, rtol=1e-7)
    assert found.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=20), st.floats(0.05, 0.95))
def test_quantiles_are_type_7_and_weights_are_counts(values, share):
    values = np.array(values)
    shares = np.array([share])
    ones = np.ones(len(values))
    assert _quantiles(values, ones, shares)[0] == pytest.approx(np.quantile(values, share))
    twice = np.quantile(np.repeat(values, 2), share)
    assert _quantiles(values, 2 * ones, shares)[0] == pytest.approx(twice)


def test_the_spline_is_straight_outside_and_smooth_inside():
    knots = np.array([0.0, 1.0, 2.5, 4.0])
    x = np.linspace(-2, 6, 801)
    basis, slope = spline_basis(x, knots)
    np.testing.assert_allclose(np.gradient(basis, x, axis=0)[1:-1], slope[1:-1], atol=1e-3)
    bend = np.diff(slope, axis=0)
    outside = (x[:-1] < -0.01) | (x[:-1] > 4.01)
    assert np.abs(bend[outside]).max() < 1e-12
    assert np.abs(np.diff(bend, axis=0)).max() < 3e-3


def test_interval_censoring_recovers_what_exact_times_show():
    random = np.random.default_rng(2)
    x = random.normal(size=3000)
    time = 50 * np.exp(-0.5 * x) * random.weibull(0.8, 3000)
    visits = pd.DataFrame({"x": x, "lower": 7 * np.floor(time / 7), "upper": 7 * np.ceil(time / 7)})
    late = time > 140
    visits.loc[late, ["lower", "upper"]] = [140.0, np.inf]
    fit = royston_parmar("x", visits, knots=3, **LIMITS)
    assert fit.coef[-1] == pytest.approx(0.4, abs=0.06)
    survival = fit.at([14, 70], pd.DataFrame({"x": [0.0]}))["survival"]
    np.testing.assert_allclose(survival, np.exp(-((np.array([14, 70]) / 50) ** 0.8)), atol=0.025)
    assert fit.between == fit.events


def test_results_are_stored_and_print(tmp_path):
    fit = royston_parmar("arm", data("ties"), time_varying={"arm": 1}, cluster="cluster")
    profile = pd.DataFrame({"arm": ["gradual"]})
    again = from_json(to_json(fit))
    pd.testing.assert_frame_equal(again.at([9], profile), fit.at([9], profile))
    write_result(fit, tmp_path / "fit.parquet")
    pd.testing.assert_frame_equal(read_result(tmp_path / "fit.parquet").summary, fit.summary)
    for part in ("2 inner knots", "log cumulative hazard", "90 people", "sandwich"):
        assert part in str(fit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": "hazards"}, "did you mean 'hazard'"),
        ({"knots": -1}, "0 or more"),
        ({"knots": 30}, "ask for fewer"),
        ({"knots": [20.0, 10.0]}, "must rise"),
        ({"knots": [0.0]}, "must rise"),
        ({"boundary": (5.0, 5.0)}, "the first before the second"),
        ({"time_varying": {"arn": 1}}, "did you mean 'arm'"),
        ({"formula": "eventless"}, "has no maximum"),
        ({"data": data("lone").head(3), "formula": "x"}, "more parameters than"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_a_sentence(change, message):
    here = data("lone")
    here["eventless"] = np.where(here["event"] == 0, np.arange(40) % 2, 0)
    with pytest.raises(InvalidInput) as raised:
        royston_parmar(**{"formula": "arm", "data": here, **change})
    assert message in str(raised.value)
