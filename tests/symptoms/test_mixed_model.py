"""The mixed model recovers a known truth, keeps its invariances and refuses what it cannot do."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from discontinuation.problems import InvalidInput
from discontinuation.symptoms.mixed_model import contrasts, fit_mixed_model


def people(seed, count, visits, sd=(2.0, 0.1), correlation=0.0, phi=0.4, residual=1.0, every=7.0):
    """Measurements of people in two arms: 10 + 0.1 day, and 0.05 a day less in arm b."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(count), visits)
    visit = np.tile(np.arange(visits), count)
    day = every * visit
    z = rng.normal(size=(count, 2))
    slope = sd[1] * (correlation * z[:, 0] + np.sqrt(1 - correlation**2) * z[:, 1])
    e = rng.normal(size=(count, visits))
    for j in range(1, visits):
        e[:, j] = phi * e[:, j - 1] + np.sqrt(1 - phi**2) * e[:, j]
    arm = np.where(person % 2, "b", "a")
    mean = 10 + 0.1 * day - 0.05 * day * (arm == "b")
    value = mean + sd[0] * z[person, 0] + slope[person] * day + residual * e.ravel()
    return pd.DataFrame({"person": person, "arm": arm, "visit": visit, "day": day, "value": value})


def parts(fit):
    return fit.components.set_index("component")["estimate"]


def test_truth_is_recovered():
    truth = {
        "sd_intercept": 2.0,
        "sd_slope": 0.1,
        "correlation": 0.3,
        "sd_residual": 1.0,
        "phi": 0.4,
    }
    frame = people(1, 500, 8, correlation=0.3)
    fit = fit_mixed_model(frame, "value", "day * arm")
    assert fit.converged
    assert fit.boundary == ()
    for name, row in fit.components.set_index("component").iterrows():
        half = (row["upper"] - row["lower"]) / 2
        assert abs(row["estimate"] - truth[name]) < 2 * half, name
        assert half < 0.3 * truth[name] + 0.05
    fixed = fit.fixed.set_index("term")
    for term, value in {"intercept": 10, "day": 0.1, "arm[T.b]": 0, "day:arm[T.b]": -0.05}.items():
        assert abs(fixed.loc[term, "estimate"] - value) < 4 * fixed.loc[term, "se"]


def test_intervals_hold_what_they_promise():
    """60 small trials: the slopes' difference lies in its 95 % interval about 95 % of the time."""
    inside = []
    for seed in range(60):
        frame = people(seed, 14, 5)
        fit = fit_mixed_model(frame, "value", "day * arm", random="slope", correlation="none")
        row = fit.fixed.set_index("term").loc["day:arm[T.b]"]
        inside.append(row["lower"] < -0.05 < row["upper"])
    assert stats.binomtest(sum(inside), len(inside), 0.95).pvalue > 1e-3


def test_satterthwaite_is_exact_where_exact_numbers_exist():
    """Balanced: means of arms on people - 2, slopes that differ between people likewise."""
    fit = fit_mixed_model(people(3, 20, 6), "value", "day * arm", correlation="none")
    np.testing.assert_allclose(fit.fixed["df"], 18, rtol=1e-5)
    flat = fit_mixed_model(
        people(3, 20, 6, sd=(2.0, 0.0), phi=0), "value", "day * arm", random="intercept",
        correlation="none",
    )  # fmt: skip
    df = flat.fixed.set_index("term")["df"]
    assert df["day"] == pytest.approx(20 * 5 - 2, rel=1e-5)
    middle = pd.DataFrame({"arm[T.b]": [1.0], "day:arm[T.b]": [17.5]}, index=["mean of b less a"])
    assert contrasts(flat, middle)["df"].iloc[0] == pytest.approx(18, rel=1e-5)


def test_ordinary_least_squares_is_what_is_left_without_both():
    frame = people(4, 30, 1)
    fit = fit_mixed_model(frame, "value", "arm", random="none", correlation="none")
    a, b = (frame.loc[frame["arm"] == arm, "value"] for arm in "ab")
    t = stats.ttest_ind(b, a)
    row = fit.fixed.iloc[1]
    assert row["t"] == pytest.approx(t.statistic, rel=1e-10)
    assert row["p"] == pytest.approx(t.pvalue, rel=1e-8)
    assert row["df"] == pytest.approx(28, rel=1e-8)
    sd = fit.components.iloc[0]
    assert sd["upper"] == pytest.approx(
        sd["estimate"] * np.exp(1.959964 / np.sqrt(2 * 28)), rel=1e-5
    )


def test_paired_differences_give_the_paired_t_test():
    """Two visits and a random intercept: the classical test, with its degrees of freedom."""
    frame = people(5, 25, 2, sd=(2.0, 0.0), phi=0)
    fit = fit_mixed_model(frame, "value", "visit", random="intercept", correlation="none")
    wide = frame.pivot_table(index="person", columns="visit", values="value")
    t = stats.ttest_rel(wide[1], wide[0])
    assert fit.fixed["t"].iloc[1] == pytest.approx(t.statistic, rel=1e-8)
    assert fit.fixed["df"].iloc[1] == pytest.approx(24, rel=1e-5)
    assert fit.fixed["p"].iloc[1] == pytest.approx(t.pvalue, rel=1e-5)


@pytest.mark.parametrize("correlation", ["ar1", "car1"])
def test_order_and_names_of_people_do_not_matter(correlation):
    frame = people(6, 15, 6)
    mixed = frame.sample(frac=1, random_state=1)
    mixed["person"] = mixed["person"].map(lambda who: f"p{(7 * who) % 15:02d}")
    one, other = (
        fit_mixed_model(each, "value", "day * arm", correlation=correlation)
        for each in (frame, mixed)
    )
    np.testing.assert_allclose(one.fixed["estimate"], other.fixed["estimate"], rtol=1e-8)
    np.testing.assert_allclose(parts(one), parts(other), rtol=1e-6)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)


def test_shifting_the_origin_changes_the_intercept_as_the_algebra_says():
    frame = people(7, 30, 6, correlation=0.3)
    shift = 1000.0
    late = frame.assign(day=frame["day"] + shift)
    here, there = (fit_mixed_model(each, "value", "day") for each in (frame, late))
    a, b = here.fixed["estimate"].to_numpy(), there.fixed["estimate"].to_numpy()
    assert b[1] == pytest.approx(a[1], rel=1e-8)
    assert b[0] == pytest.approx(a[0] - shift * a[1], rel=1e-8)
    p, q = parts(here), parts(there)
    np.testing.assert_allclose(
        q[["sd_slope", "sd_residual", "phi"]], p[["sd_slope", "sd_residual", "phi"]], rtol=1e-6
    )
    shared = p["correlation"] * p["sd_intercept"] * p["sd_slope"]
    moved = p["sd_intercept"] ** 2 - 2 * shift * shared + shift**2 * p["sd_slope"] ** 2
    assert q["sd_intercept"] ** 2 == pytest.approx(moved, rel=1e-6)
    assert there.log_likelihood == pytest.approx(here.log_likelihood, rel=1e-10)
    np.testing.assert_allclose(
        there.random_effects["intercept"],
        here.random_effects["intercept"] - shift * here.random_effects["slope"],
        rtol=1e-5,
        atol=1e-5,
    )


def test_everybody_twice_changes_nothing_but_the_precision():
    frame = people(19, 20, 5)
    twice = pd.concat([frame, frame.assign(person=frame["person"] + 100)])
    one, two = (fit_mixed_model(each, "value", "day * arm", method="ML") for each in (frame, twice))
    assert two.log_likelihood == pytest.approx(2 * one.log_likelihood, rel=1e-10)
    np.testing.assert_allclose(two.fixed["estimate"], one.fixed["estimate"], rtol=1e-8)
    np.testing.assert_allclose(parts(two), parts(one), rtol=1e-6)
    # Less the factor n / (n - p) that full likelihood is printed with.
    ratio = np.sqrt((100 - 4) / (200 - 4))
    np.testing.assert_allclose(two.fixed["se"], one.fixed["se"] * ratio, rtol=1e-6)


def test_units_of_outcome_and_time_only_rescale():
    frame = people(8, 20, 6)
    other = frame.assign(value=100 * frame["value"], day=frame["day"] / 7)
    one, two = (
        fit_mixed_model(each, "value", "day", correlation="car1") for each in (frame, other)
    )
    p, q = parts(one), parts(two)
    assert q["sd_intercept"] == pytest.approx(100 * p["sd_intercept"], rel=1e-6)
    assert q["sd_slope"] == pytest.approx(700 * p["sd_slope"], rel=1e-6)
    assert q["phi"] == pytest.approx(p["phi"] ** 7, rel=1e-6)
    assert two.fixed["estimate"].iloc[1] == pytest.approx(
        700 * one.fixed["estimate"].iloc[1], rel=1e-8
    )
    assert two.fixed["df"].tolist() == pytest.approx(one.fixed["df"].tolist(), rel=1e-4)


def test_a_design_matrix_does_what_the_formula_does():
    frame = people(9, 12, 5)
    b = (frame["arm"] == "b").astype(float)
    matrix = pd.DataFrame({"one": 1.0, "day": frame["day"], "b": b, "both": b * frame["day"]})
    fits = [fit_mixed_model(frame, "value", fixed) for fixed in ("day * arm", matrix)]
    np.testing.assert_allclose(fits[0].fixed["estimate"], fits[1].fixed["estimate"], rtol=1e-9)
    assert fits[1].fixed["term"].tolist() == ["one", "day", "b", "both"]


def test_visits_in_order_and_visits_by_number_differ_where_one_is_missed():
    frame = people(10, 25, 7).drop(index=range(3, 170, 5))
    by_order = fit_mixed_model(frame, "value", "day")
    by_number = fit_mixed_model(frame, "value", "day", position="visit")
    assert parts(by_order)["phi"] != pytest.approx(parts(by_number)["phi"], rel=1e-3)
    complete = people(10, 25, 7)
    one = fit_mixed_model(complete, "value", "day")
    two = fit_mixed_model(complete, "value", "day", position="visit")
    assert parts(one)["phi"] == pytest.approx(parts(two)["phi"], rel=1e-9)


def test_limits_come_from_the_curvature_of_the_likelihood():
    """Eight people: differenced by an independent likelihood, on the scale of the intervals."""
    frame = people(11, 8, 6)
    fit = fit_mixed_model(frame, "value", "day")
    x = np.column_stack([np.ones(len(frame)), frame["day"]])
    y, day = frame["value"].to_numpy(), frame["day"].to_numpy(dtype=float)
    person, visit = frame["person"].to_numpy(), frame["visit"].to_numpy()
    same, lag = np.equal.outer(person, person), np.abs(np.subtract.outer(visit, visit))

    def log_likelihood(bent):
        (s0, s1, s), (r, phi) = np.exp(bent[[0, 1, 3]]), np.tanh(bent[[2, 4]])
        v = s0**2 + r * s0 * s1 * np.add.outer(day, day) + s1**2 * np.outer(day, day)
        w = np.linalg.inv(same * (v + s**2 * np.power(phi, lag)))
        information = x.T @ w @ x
        residual = y - x @ np.linalg.solve(information, x.T @ w @ y)
        logdet = np.linalg.slogdet(information)[1] - np.linalg.slogdet(w)[1]
        constant = (len(y) - 2) * np.log(2 * np.pi)
        return -0.5 * (constant + logdet + residual @ w @ residual)

    bend = [np.log, np.log, np.arctanh, np.log, np.arctanh]
    table = fit.components[["estimate", "lower", "upper"]].to_numpy()
    at = np.array([f(value) for f, value in zip(bend, table[:, 0], strict=True)])
    assert log_likelihood(at) == pytest.approx(fit.log_likelihood, rel=1e-10)
    f, h = log_likelihood, 1e-3 * np.eye(5)
    hessian = [
        [(f(at + a - b) + f(at - a + b) - f(at + a + b) - f(at - a - b)) / 4e-6 for b in h]
        for a in h
    ]
    half = 1.959964 * np.sqrt(np.diag(np.linalg.inv(hessian)))
    for row, function in enumerate(bend):
        lower, upper = function(table[row, 1:])
        np.testing.assert_allclose([at[row] - lower, upper - at[row]], half[row], rtol=1e-3)


def test_people_who_do_not_differ_are_reported_as_the_edge():
    frame = people(12, 40, 6, sd=(0.0, 0.0), phi=0)
    frame["value"] -= frame.groupby("person")["value"].transform("mean") - 10
    fit = fit_mixed_model(frame, "value", "day", random="intercept", correlation="none")
    assert parts(fit)["sd_intercept"] == pytest.approx(0, abs=1e-6)
    assert "no variance" in fit.boundary[0]
    limits = fit.components.set_index("component").loc["sd_intercept", ["lower", "upper"]]
    assert limits.isna().all()
    assert fit.converged
    simple = fit_mixed_model(frame, "value", "day", random="none", correlation="none")
    np.testing.assert_allclose(fit.fixed["se"], simple.fixed["se"], rtol=1e-6)
    assert fit.log_likelihood == pytest.approx(simple.log_likelihood, rel=1e-9)


def test_slopes_that_follow_intercepts_exactly_are_singular_and_not_a_failure():
    frame = people(13, 30, 5, sd=(2.0, 0.1), correlation=1.0, phi=0, residual=2.0)
    fit = fit_mixed_model(frame, "value", "day", correlation="none")
    assert any("singular" in edge for edge in fit.boundary)
    assert abs(parts(fit)["correlation"]) == pytest.approx(1, abs=1e-6)
    assert fit.converged


def test_alternating_errors_put_a_continuous_phi_at_its_bound():
    frame = people(14, 30, 8, phi=-0.5)
    by_time = fit_mixed_model(frame, "value", "day", correlation="car1")
    by_visit = fit_mixed_model(frame, "value", "day", correlation="ar1")
    assert parts(by_time)["phi"] == 0
    assert any("bound 0" in edge for edge in by_time.boundary)
    assert parts(by_visit)["phi"] < -0.3
    assert by_visit.boundary == ()
    assert by_time.n_parameters == by_visit.n_parameters


def test_a_random_walk_puts_phi_at_1_and_says_what_that_means():
    rng = np.random.default_rng(15)
    frame = pd.DataFrame(
        {"person": 1, "day": np.arange(60.0), "value": rng.normal(1, 1, 60).cumsum()}
    )
    fit = fit_mixed_model(frame, "value", "1", random="none", correlation="car1")
    assert any("drift" in warning for warning in fit.warnings)


def test_the_summary_is_one_frame_with_counts():
    fit = fit_mixed_model(people(16, 10, 5), "value", "arm")
    table = fit.summary
    assert table["kind"].value_counts().to_dict() == {"variance component": 5, "fixed effect": 2}
    assert set(table["n_people"]) == {10}
    assert set(table["n_observations"]) == {50}


FEW = people(17, 6, 5)
REFUSED = {
    "one person": (FEW[FEW["person"] == 0], {}, "there is one person only"),
    "one visit each": (
        FEW[FEW["visit"] == 0], {"fixed": "arm", "random": "intercept", "correlation": "none"},
        "the visits (at most 1 of one person) tell 1 of 2 parameters apart",
    ),
    "two visits each, slope": (FEW[FEW["visit"] < 2], {}, "needed are more visits of a person"),
    "two visits each, intercept and phi": (
        FEW[FEW["visit"] < 2], {"random": "intercept"}, "tell 2 of 3"
    ),
    "constant": (FEW.assign(value=3.0), {}, "is the same everywhere"),
    "fitted exactly": (FEW.assign(value=2 * FEW["day"]), {}, "fitted exactly"),
    "blank outcome": (FEW.assign(value=FEW["value"].where(FEW["visit"] > 0)), {}, "6 of 30"),
    "blank covariate": (
        FEW.assign(age=np.where(FEW["person"] == 1, np.nan, 50.0 + FEW["person"])),
        {"fixed": "day + age"}, "5 of 30 values are blank",
    ),
    "text outcome": (FEW.assign(value="x"), {}, "not finite numbers"),
    "unknown column": (FEW, {"fixed": "dya"}, "did you mean 'day'"),
    "code": (FEW, {"fixed": "day + log(day)"}, "is not a column"),
    "worse code": (FEW, {"fixed": "{__import__('os').getcwd()}"}, "is not a column"),
    "not a formula": (FEW, {"fixed": "day +* arm"}, "cannot be read"),
    "two sides": (FEW, {"fixed": "value ~ day"}, "cannot be read"),
    "collinear": (FEW.assign(week=FEW["day"] / 7), {"fixed": "day + week"}, "combinations"),
    "too many": (FEW.assign(who=FEW["person"].astype(str)), {"fixed": "who"}, "more than 6 people"),
    "same day twice": (
        pd.concat([FEW, FEW.head(1)]), {"correlation": "car1"}, "one at a time"
    ),
    "fractional visits": (FEW.assign(v=FEW["visit"] / 2), {"position": "v"}, "which are whole"),
    "same time": (FEW.assign(day=1.0), {"fixed": "arm", "correlation": "none"}, "needs times"),
    "correlation": (FEW, {"correlation": "ar"}, "did you mean 'ar1'"),
    "confidence": (FEW, {"confidence": 95}, "between 0 and 1"),
    "empty": (FEW.head(0), {}, "no measurements"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_fitted_is_refused_with_what_is_missing(name):
    frame, options, words = REFUSED[name]
    fixed = options.pop("fixed", "day") if (options := dict(options)) else "day"
    with pytest.raises(InvalidInput, match="problem") as refusal:
        fit_mixed_model(frame, "value", fixed, **options)
    assert words in str(refusal.value)


def test_an_unknown_fixed_effect_in_a_contrast_is_named():
    fit = fit_mixed_model(people(18, 10, 5), "value", "day")
    with pytest.raises(InvalidInput, match="did you mean 'day'"):
        contrasts(fit, pd.DataFrame({"dya": [1.0]}))
