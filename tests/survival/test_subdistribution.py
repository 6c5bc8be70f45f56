"""The Fine-Gray model equals cmprsk::crr and survival::finegray, each in its own convention."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival import aalen_johansen, fine_gray, read_result, write_result
from discontinuation.survival.subdistribution import MECHANICAL
from survival.competing_reference import case_data, numbers, values_of

EXACT = {"rtol": 1e-8, "atol": 1e-12}
FITS = sorted(
    {
        (case, *name.split("|")[1:3])
        for case, name in zip(numbers()["case"], numbers()["quantity"], strict=True)
        if name.startswith("coef|")
    }
)


def r_values(case, quantity, kind, of):
    return np.array([v for key, v in values_of(case, quantity) if key[:2] == [kind, of]])


@pytest.mark.parametrize(("case", "kind", "of"), FITS)
def test_every_number_equals_r(case, kind, of):
    d = case_data(case)
    covariates = "x" if case == "last day" else "x + z"
    found = fine_gray(
        covariates,
        d,
        time="stop",
        of=int(of),
        ties_with_censoring="crr" if kind == "crr" else "finegray",
        weights="weight",
    )
    # Duplicated people of R's finegray are tied events of their own, weights are not: see below.
    if kind == "finegray replicated":
        copies = d.loc[d.index.repeat(d["weight"])]
        found = fine_gray(covariates, copies, "stop", of=int(of), ties_with_censoring="finegray")
    np.testing.assert_allclose(found.coef, r_values(case, "coef", kind, of), **EXACT)
    likelihood = r_values(case, "log-likelihood", kind, of)
    np.testing.assert_allclose(found.log_likelihood, likelihood, **EXACT)
    inverse = r_values(case, "inverse information", kind, of).reshape(found.covariance.shape)
    np.testing.assert_allclose(found.se, np.sqrt(np.diag(inverse)), **EXACT)
    if kind == "crr":
        sandwich = r_values(case, "sandwich", kind, of)
        np.testing.assert_allclose(found.covariance.ravel(), sandwich, **EXACT)
        names = covariates.split(" + ")
        profiles = pd.concat([d[names].mean().to_frame().T, d[names].iloc[:1]])
        middle = found.time[int(np.ceil(len(found.time) / 2)) - 1]
        curve = found.cumulative_incidence(profiles, [middle])["probability"]
        np.testing.assert_allclose(curve, r_values(case, "predicted", kind, of), **EXACT)


def test_mgus2_values(shared_data):
    d = pd.read_csv(shared_data / "reference-survival" / "mgus2.csv")
    first = d["pstat"] == 0
    d["time"] = np.where(first, d["futime"], d["ptime"])
    d["cause"] = np.where(first, 2 * d["death"], 1)
    summary = fine_gray("sex + age", d).summary
    assert list(summary["term"]) == ["sex[T.M]", "age"]
    # crr itself stops 2e-10 before the maximum here.
    np.testing.assert_allclose(summary["coef"], [-0.2600382379, -0.01733815349], atol=1e-9)
    np.testing.assert_allclose(summary["robust_se"], [0.1856810348, 0.005737103230], rtol=1e-8)
    other = fine_gray("sex + age", d, ties_with_censoring="finegray").summary
    np.testing.assert_allclose(other["coef"], [-0.2597567914, -0.01730170508], atol=1e-9)
    # Headline 10: among those at risk the rate does not differ, the subdistribution hazard does.
    assert summary["hazard_ratio"][0] < 0.8


def small_trial(people=60, seed=4, ties=True):
    rng = np.random.default_rng(seed)
    time = rng.integers(1, 15, people) if ties else rng.permutation(people) + 1.0
    return pd.DataFrame(
        {
            "time": time,
            "cause": rng.choice([0, 1, 2], people, p=[0.3, 0.4, 0.3]),
            "x": rng.normal(50, 10, people).round(1),
            "z": rng.integers(0, 2, people),
            "arm": rng.choice(["abrupt", "gradual", "maintain"], people),
            "site": rng.integers(0, 9, people),
        }
    )


def readable_likelihood(d, coef, same_day_at_risk):
    """Breslow likelihood, person by person, with weights G(t-) / G(T-)."""
    time, cause, x = d["time"].to_numpy(), d["cause"].to_numpy(), d[["x", "z"]].to_numpy() - [50, 0]

    def uncensored_before(t):
        g = 1.0
        for s in np.unique(time[(cause == 0) & (time < t)]):
            gone = (time == s) & (cause > 0) & (not same_day_at_risk)
            g *= 1 - ((time == s) & (cause == 0)).sum() / ((time >= s) & ~gone).sum()
        return g

    total = 0.0
    for i in np.flatnonzero(cause == 1):
        risk = 0.0
        for j in range(len(time)):
            if time[j] >= time[i]:
                risk += np.exp(x[j] @ coef)
            elif cause[j] == 2:
                share = uncensored_before(time[i]) / uncensored_before(time[j])
                risk += share * np.exp(x[j] @ coef)
        total += x[i] @ coef - np.log(risk)
    return total


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_estimate_maximises_the_likelihood_as_written(seed):
    d = small_trial(30, seed)
    found = fine_gray("x + z", d)
    best = readable_likelihood(d, found.coef, True)
    assert best == pytest.approx(found.log_likelihood[1], abs=1e-10)
    step = 1e-4 * np.array([0.1, 1])
    for k in range(2):
        move = np.eye(2)[k] * step
        sides = [readable_likelihood(d, found.coef + sign * move, True) for sign in (-1, 1)]
        assert max(sides) < best
        assert (sides[1] - sides[0]) / (2 * step[k]) == pytest.approx(0, abs=1e-4)


def jackknife(d, **options):
    """Covariance from the derivative of the estimate by each case weight."""
    step = 1e-4
    influence = []
    for i in range(len(d)):
        ends = []
        for sign in (-1, 1):
            w = np.ones(len(d))
            w[i] += sign * step
            ends.append(fine_gray("x + z", d.assign(w=w), weights="w", **options).coef)
        influence.append((ends[1] - ends[0]) / (2 * step))
    influence = np.array(influence)
    return influence.T @ influence


def test_the_sandwich_is_the_infinitesimal_jackknife():
    """It counts the estimated censoring distribution in; with ties in the exact convention."""
    tied = small_trial()
    exact = fine_gray("x + z", tied, ties_with_censoring="finegray").covariance
    expected = jackknife(tied, ties_with_censoring="finegray")
    np.testing.assert_allclose(exact, expected, rtol=1e-5)
    untied = small_trial(ties=False)
    alike = [fine_gray("x + z", untied, ties_with_censoring=c) for c in ("crr", "finegray")]
    np.testing.assert_allclose(alike[0].coef, alike[1].coef, rtol=1e-9)
    # crr divides the censoring hazard by n where the derivative has n - 1.
    np.testing.assert_allclose(alike[0].covariance, alike[1].covariance, rtol=0.02)


def test_weight_2_is_two_rows_of_one_cluster():
    """For Breslow; under Efron copies are further steps among ties, and weights are not."""
    d = small_trial()
    d["w"] = np.random.default_rng(1).integers(0, 4, len(d))
    d["person"] = np.arange(len(d))
    copies = d.loc[d.index.repeat(d["w"])]
    weighted = fine_gray("x + z", d, weights="w", cluster="person")
    repeated = fine_gray("x + z", copies, cluster="person")
    np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=1e-9)
    np.testing.assert_allclose(weighted.se, repeated.se, rtol=1e-9)
    np.testing.assert_allclose(weighted.robust_se, repeated.robust_se, rtol=1e-9)
    assert weighted.people == (d["w"] > 0).sum()


def test_clusters_add_residuals():
    d = small_trial(300)
    alone = fine_gray("x + z", d)
    each = fine_gray("x + z", d.assign(person=np.arange(300)), cluster="person")
    sites = fine_gray("x + z", d, cluster="site")
    np.testing.assert_allclose(each.covariance, alone.covariance, rtol=1e-12)
    assert sites.clusters == 9
    assert "9 clusters" in str(sites)
    assert not np.allclose(sites.robust_se, alone.robust_se, rtol=1e-3)
    np.testing.assert_array_equal(sites.coef, alone.coef)


@given(st.integers(0, 10_000), st.sampled_from(["crr", "finegray"]))
def test_order_and_units_do_not_matter(seed, convention):
    d = small_trial(80, seed)
    base = fine_gray("x + z", d, ties_with_censoring=convention)
    mixed = fine_gray("x + z", d.sample(frac=1, random_state=1), ties_with_censoring=convention)
    years = d.assign(time=d["time"] / 365.25, x=d["x"] / 10 + 3, cause=d["cause"] * 3)
    other = fine_gray("x + z", years, of=3, ties_with_censoring=convention)
    for fit, unit in ((mixed, 1), (other, 10)):
        np.testing.assert_allclose(fit.coef, base.coef * [unit, 1], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(fit.robust_se, base.robust_se * [unit, 1], rtol=1e-7)
        np.testing.assert_allclose(fit.log_likelihood, base.log_likelihood, rtol=1e-10)


def test_without_censoring_people_with_another_event_stay_at_risk_for_ever():
    """Fine and Gray's own starting point: a Cox model with the other events moved to the end."""
    d = small_trial(80)
    d["cause"] = d["cause"].replace(0, 2)
    moved = d.assign(time=d["time"].where(d["cause"] == 1, 999), cause=d["cause"] % 2)
    np.testing.assert_allclose(
        fine_gray("x + z", d).coef, fine_gray("x + z", moved).coef, rtol=1e-9
    )


def test_prediction_follows_aalen_johansen_where_covariates_say_nothing():
    rng = np.random.default_rng(8)
    d = small_trial(3000)
    d["x"] = rng.normal(size=3000)
    found = fine_gray("x", d)
    curve = found.cumulative_incidence(pd.DataFrame({"x": [0.0]}, index=["average"]), [5, 10])
    crude = aalen_johansen(d["time"], d["cause"]).at([5, 10])
    crude = crude[crude["cause"] == 1]["probability"]
    np.testing.assert_allclose(curve["probability"], crude, atol=0.02)
    assert list(curve.columns) == ["profile", "time", "probability"]
    assert set(curve["profile"]) == {"average"}
    with pytest.raises(InvalidInput, match=r"no such column.*allowed: y"):
        found.cumulative_incidence(pd.DataFrame({"y": [0.0]}))


def test_the_ratio_falls_mechanically_when_another_cause_removes_people():
    """The rate of cause 1 is the same in both arms; cause 2 is five times as fast in one."""
    rng = np.random.default_rng(12)
    fast = rng.integers(0, 2, 6000)
    first, other = rng.exponential(1, 6000), rng.exponential(1 / np.where(fast == 1, 5, 1))
    time = np.minimum(first, other)
    d = pd.DataFrame({"time": time, "cause": np.where(first < other, 1, 2), "fast": fast})
    found = fine_gray("fast", d)
    assert found.summary["upper"][0] < 0.6
    assert MECHANICAL in str(found)


def test_recovers_a_true_subdistribution_hazard_ratio():
    rng = np.random.default_rng(7)
    n, coef, p = 20_000, 0.6, 0.5
    x = rng.normal(size=n)
    final = 1 - (1 - p) ** np.exp(coef * x)
    first = rng.random(n) < final
    u = rng.random(n) * final
    t1 = -np.log(1 - (1 - (1 - u) ** np.exp(-coef * x)) / p)
    time, censored = np.where(first, t1, rng.exponential(1, n)), rng.exponential(2, n)
    d = pd.DataFrame(
        {
            "x": x,
            "time": np.minimum(time, censored),
            "cause": np.where(time <= censored, np.where(first, 1, 2), 0),
        }
    )
    found = fine_gray("x", d)
    assert abs(found.coef[0] - coef) < 3.5 * found.robust_se[0]
    assert found.robust_se[0] < 0.02


def test_formulas():
    d = small_trial(200)
    labels = fine_gray("x + arm", d)
    assert labels.terms == ("x", "arm[T.gradual]", "arm[T.maintain]")
    without = fine_gray("0 + arm + x", d)
    assert set(without.terms) == set(labels.terms)
    flags = d.assign(g=d["arm"] == "gradual", m=(d["arm"] == "maintain").astype(int))
    np.testing.assert_allclose(fine_gray("x + g + m", flags).coef, labels.coef, rtol=1e-9)
    product = fine_gray("x * z", d)
    assert product.terms == ("x", "z", "x:z")
    assert fine_gray("~ np.log(x)", d).terms == ("np.log(x)",)
    ordered = pd.Categorical(d["arm"], ["maintain", "gradual", "abrupt"])
    assert fine_gray("arm", d.assign(arm=ordered)).terms == ("arm[T.gradual]", "arm[T.abrupt]")


@pytest.mark.parametrize(
    ("formula", "change", "options", "message"),
    [
        ("x + zz", {}, {}, "no such column.*did you mean 'z'"),
        ("x +* z", {}, {}, "cannot be read"),
        ("y ~ x", {}, {}, "cannot be read"),
        ("1", {}, {}, "names no covariate"),
        ("x", {"x": [np.nan] + [1.0] * 59}, {}, "1 of 60 values are blank"),
        ("x", {"x": [np.inf] + [1.0] * 59}, {}, "finite numbers"),
        ("x + z", {"z": 1}, {}, "column z: is the same for everybody"),
        ("x + y", {"y": lambda d: 2 * d["x"] - 7}, {}, "'x, y': no information"),
        ("x", {}, {"of": 4}, "allowed: 1, 2"),
        ("x", {"cause": 0}, {}, "nobody has this cause"),
        ("x", {}, {"time": "tiem"}, "did you mean 'time'"),
        ("x", {}, {"cluster": "sit"}, "did you mean 'site'"),
        ("x", {"time": 0.0 - np.arange(60)}, {}, "0 or more"),
        ("x", {}, {"ties_with_censoring": "finegrey"}, "did you mean 'finegray'"),
        ("x", {}, {"confidence": 1.5}, "between 0 and 1"),
    ],
)
def test_refusals(formula, change, options, message):
    with pytest.raises(InvalidInput, match=message):
        fine_gray(formula, small_trial().assign(**change), **options)


@pytest.mark.parametrize("sign", [-1, 1])
def test_separation_is_refused_by_name(sign):
    d = small_trial()
    d["flag"] = np.where(d["cause"] == 1, sign, 0)
    with pytest.raises(InvalidInput, match="column flag: separates"):
        fine_gray("x + flag", d)


def test_people_who_left_before_the_first_event_do_not_matter_however_odd():
    d = small_trial()
    odd = pd.DataFrame({"time": [0.5], "cause": 0, "x": 1e7, "z": 0, "arm": "abrupt", "site": 0})
    both = fine_gray("x + z", pd.concat([d, odd])), fine_gray("x + z", d)
    np.testing.assert_allclose(both[0].coef, both[1].coef, rtol=1e-6)
    assert np.isfinite(both[0].robust_se).all()


def test_a_covariate_constant_in_the_risk_sets_is_refused():
    d = small_trial()
    d["early"] = (d["time"] < 4).astype(int)
    d.loc[d["early"] == 1, "cause"] = 0
    with pytest.raises(InvalidInput, match="column early: does not differ among people at risk"):
        fine_gray("x + early", d)


def test_rows_of_weight_0_are_not_there():
    d = small_trial()
    d["w"] = (np.arange(60) % 3 > 0).astype(float)
    kept = d[d["w"] > 0]
    weighted, alone = fine_gray("x", d, weights="w"), fine_gray("x", kept)
    np.testing.assert_array_equal(weighted.coef, alone.coef)
    np.testing.assert_array_equal(weighted.robust_se, alone.robust_se)


@pytest.mark.parametrize("ending", ["json", "parquet"])
def test_results_can_be_stored(tmp_path, ending):
    found = fine_gray("x + arm", small_trial(), cluster="site")
    write_result(found, tmp_path / f"model.{ending}")
    again = read_result(tmp_path / f"model.{ending}")
    pd.testing.assert_frame_equal(again.summary, found.summary)
    assert str(again) == str(found)
    columns = "term coef se robust_se hazard_ratio lower upper z p_value"
    assert list(found.summary.columns) == columns.split()
