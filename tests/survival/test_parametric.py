"""Parametric models are R's survreg, also where R has none."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival._parametric_data import Roles, code_covariates, observe
from discontinuation.survival._parametric_kernels import (
    build_likelihood,
    log_between,
    log_density,
    log_survival,
)
from discontinuation.survival._piecewise import PiecewiseLikelihood
from discontinuation.survival.parametric import parametric_model
from discontinuation.survival.stored import from_json, read_result, to_json, write_result
from survival.parametric_reference import (
    ARMS,
    REFERENCE,
    data,
    expected,
    lung,
    present,
    printed,
    same_as_r,
)

ACCELERATED = ["weibull", "exponential", "lognormal", "loglogistic"]
LIMITS = {"lower": "lower", "upper": "upper"}


@pytest.mark.parametrize("distribution", ACCELERATED)
@pytest.mark.parametrize("name", ["ties", "visits", "lone"])
def test_it_equals_survreg(name, distribution):
    case = f"{name} {distribution}"
    fit = parametric_model(
        "arm + x", data(name), distribution=distribution, weights="weight", **LIMITS
    )
    same_as_r(case, "coef", fit.coef)
    same_as_r(case, "se", np.sqrt(np.diag(fit.covariance)))
    same_as_r(case, "log-likelihood", fit.log_likelihood)
    profile = pd.DataFrame({"arm": ["gradual"], "x": [0.5]})
    same_as_r(case, "survival", fit.at([7, 30, 60], profile)["survival"])


@pytest.mark.parametrize("distribution", ACCELERATED)
@pytest.mark.parametrize("name", ["ties", "visits"])
def test_the_sandwich_by_cluster_is_made_of_survreg_scores(name, distribution):
    fit = parametric_model(
        "arm + x",
        data(name),
        distribution=distribution,
        weights="weight",
        cluster="cluster",
        **LIMITS,
    )
    same_as_r(f"{name} {distribution}", "robust se", fit.summary["robust_se"])


@pytest.mark.parametrize("distribution", ACCELERATED)
def test_limits_that_meet_are_the_same_as_time_and_event(distribution):
    dated = parametric_model("arm + x", data("ties"), distribution=distribution, weights="weight")
    same_as_r(f"ties {distribution}", "coef", dated.coef)


@pytest.mark.parametrize("name", ["ties", "late", "lone"])
def test_pieces_equal_poisson_regression_of_split_follow_up(name):
    fit = parametric_model(
        "arm + x",
        data(name),
        distribution="piecewise",
        cuts=[10, 30],
        entry="entry",
        weights="weight",
    )
    same_as_r(f"{name} piecewise", "coef", fit.coef)
    same_as_r(f"{name} piecewise", "se", np.sqrt(np.diag(fit.covariance)))
    same_as_r(f"{name} piecewise", "log-likelihood", fit.log_likelihood)


@pytest.mark.parametrize("name", ["ties", "late", "lone"])
def test_a_weibull_with_delayed_entry_is_what_r_finds(name):
    fit = parametric_model("arm + x", present(name), entry="entry")
    # R's spline without inner knots: log(-log S) is a straight line in log t.
    intercept, slope, *effects = expected(f"{name} hazard 0 knots", "coef")
    np.testing.assert_allclose(np.exp(-fit.coef[-1]), slope, rtol=1e-8)
    np.testing.assert_allclose(-fit.coef[0] / fit.scale, intercept, rtol=1e-8)
    np.testing.assert_allclose(fit.log_hazard_ratios[0], effects, rtol=1e-8)
    np.testing.assert_allclose(
        fit.log_hazard_ratios[1], expected(f"{name} hazard 0 knots", "se")[2:], rtol=1e-8
    )


def test_reference_values_of_lung():
    fit = parametric_model("sex", lung())
    assert fit.coef[0] == printed("Weibull AFT [(Intercept)]")
    assert fit.coef[1] == printed("Weibull AFT [sex]")
    assert fit.coef[2] == printed("Weibull AFT [log scale]")
    assert fit.log_likelihood == printed("Weibull AFT [loglik]")
    for name in ("lognormal", "loglogistic"):
        assert parametric_model("sex", lung(), distribution=name).coef[1] == printed(
            f"AFT sex coef [{name}]"
        )


def test_the_hazard_ratio_of_a_weibull_follows_from_shape_and_time():
    fit = parametric_model("x", data("ties"), weights="weight")
    row = fit.summary.set_index("term").loc["x"]
    b, log_scale = fit.coef[1], fit.coef[2]
    assert row["hazard_ratio"] == pytest.approx(np.exp(-b / fit.scale), rel=1e-12)
    gradient = np.array([0, -1 / fit.scale, b / fit.scale])
    se = np.sqrt(gradient @ fit.covariance @ gradient)
    assert row["lower"] == pytest.approx(np.exp(-b / fit.scale - 1.959963984540054 * se))
    assert np.exp(log_scale) == pytest.approx(fit.scale)
    profiles = pd.DataFrame({"x": [1.0, 0.0]})
    hazards = fit.hazard([20.0], profiles)["hazard"]
    assert hazards[0] / hazards[1] == pytest.approx(row["hazard_ratio"])


@pytest.mark.parametrize("distribution", ["lognormal", "loglogistic"])
def test_hazards_that_are_not_proportional_have_no_ratio(distribution):
    table = parametric_model("x", data("ties"), distribution=distribution).summary
    assert table["hazard_ratio"].isna().all()
    assert table.loc[1, "time_lower"] < table.loc[1, "time_ratio"] < table.loc[1, "time_upper"]


def test_an_exponential_without_covariates_is_events_per_time():
    here = data("late")
    rate = here["event"].sum() / (here["time"] - here["entry"]).sum()
    fit = parametric_model("1", here, distribution="exponential", entry="entry")
    assert fit.coef[0] == pytest.approx(-np.log(rate), rel=1e-12)
    assert fit.covariance[0, 0] == pytest.approx(1 / here["event"].sum(), rel=1e-12)
    assert fit.at([10.0])["survival"][0] == pytest.approx(np.exp(-10 * rate))


@given(unit=st.floats(1e-5, 1e5), distribution=st.sampled_from([*ACCELERATED, "piecewise"]))
def test_the_unit_of_time_does_not_matter(unit, distribution):
    here = data("visits")
    cuts = {"cuts": [20.0]} if distribution == "piecewise" else {}
    days = parametric_model("arm", here, distribution=distribution, **LIMITS, **cuts)
    other = here.assign(lower=here["lower"] * unit, upper=here["upper"] * unit)
    cuts = {"cuts": [20.0 * unit]} if cuts else {}
    found = parametric_model("arm", other, distribution=distribution, **LIMITS, **cuts)
    last = slice(1, 3) if not cuts else slice(2, 4)
    np.testing.assert_allclose(found.coef[last], days.coef[last], rtol=1e-7)
    np.testing.assert_allclose(
        np.diag(found.covariance)[last], np.diag(days.covariance)[last], rtol=1e-7
    )


@pytest.mark.parametrize("distribution", [*ACCELERATED, "piecewise"])
def test_a_weight_of_two_is_the_same_person_twice(distribution):
    here = data("visits")
    cuts = [20.0] if distribution == "piecewise" else ()
    how = {"distribution": distribution, "cuts": cuts, **LIMITS}
    twice = parametric_model("arm + x", pd.concat([here, here]), **how)
    weighted = parametric_model("arm + x", here.assign(weight=2), weights="weight", **how)
    np.testing.assert_allclose(twice.coef, weighted.coef, rtol=1e-9)
    np.testing.assert_allclose(twice.covariance, weighted.covariance, rtol=1e-8, atol=1e-14)
    assert twice.log_likelihood == pytest.approx(weighted.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("distribution", [*ACCELERATED, "piecewise"])
def test_follow_up_split_by_entry_changes_nothing(distribution):
    here = data("late")
    middle = (here["entry"] + here["time"]) / 2
    early = here.assign(time=middle, event=0)
    late = here.assign(entry=middle)
    cuts = [20.0] if distribution == "piecewise" else ()
    how = {"distribution": distribution, "cuts": cuts, "entry": "entry"}
    whole = parametric_model("arm + x", here, **how)
    split = parametric_model("arm + x", pd.concat([early, late]), **how)
    np.testing.assert_allclose(split.coef, whole.coef, rtol=1e-8)
    np.testing.assert_allclose(split.covariance, whole.covariance, rtol=1e-7, atol=1e-12)


def test_labels_may_be_named_otherwise():
    here = data("ties")
    renamed = here.assign(arm=here["arm"].map(dict(zip(ARMS, "zyx", strict=True))))
    one = parametric_model("arm", here.assign(arm=pd.Categorical(here["arm"], ARMS)))
    other = parametric_model("arm", renamed.assign(arm=pd.Categorical(renamed["arm"], list("zyx"))))
    np.testing.assert_array_equal(one.coef, other.coef)
    assert other.terms[1] == "arm[T.y]"


def differences(evaluate, theta, step=1e-5):
    """Gradient and Hessian by differences."""
    gradient, hessian = [], []
    for k in range(len(theta)):
        move = np.zeros(len(theta))
        move[k] = step
        above, below = evaluate(theta + move), evaluate(theta - move)
        gradient.append((above[0] - below[0]) / (2 * step))
        hessian.append((above[1] - below[1]) / (2 * step))
    return np.array(gradient), np.array(hessian)


def mixed():
    """Everything at once: days, intervals, never, late entry, weights."""
    here = data("visits")
    late = np.where(np.arange(len(here)) % 3 == 0, here["lower"] / 2, 0.0)
    return here.assign(entry=late)


@pytest.mark.parametrize("error", ["extreme value", "logistic", "normal"])
def test_derivatives_are_those_of_the_likelihood(error):
    roles = Roles(None, None, "entry", "lower", "upper", "weight")
    observed, rows = observe(mixed(), roles)
    x, _ = code_covariates("arm + x", rows)

    def z(log_time, people):
        return np.column_stack([np.ones(len(people)), log_time, x[people]])

    def slope(log_time, people):
        return np.eye(5)[[1]].repeat(len(people), axis=0)

    likelihood = build_likelihood(observed, z, slope, error)
    theta = np.array([-3.0, 0.9, 0.2, -0.1, 0.3])
    _, gradient, hessian = likelihood(theta)
    by_difference = differences(likelihood, theta)
    np.testing.assert_allclose(gradient, by_difference[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(hessian, by_difference[1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(likelihood.scores(theta).sum(axis=0), gradient, rtol=1e-10)


def test_derivatives_of_pieces_are_those_of_the_likelihood():
    roles = Roles(None, None, "entry", "lower", "upper", "weight")
    observed, rows = observe(mixed(), roles)
    x, _ = code_covariates("arm + x", rows)
    likelihood = PiecewiseLikelihood.build(observed, x, np.array([10.0, 30.0]))
    theta = np.array([-3.0, -3.5, -3.2, 0.2, -0.1, 0.3])
    _, gradient, hessian = likelihood(theta)
    by_difference = differences(likelihood, theta)
    np.testing.assert_allclose(gradient, by_difference[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(hessian, by_difference[1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(likelihood.scores(theta).sum(axis=0), gradient, rtol=1e-10)


def slow_weibull(theta, here):
    """Log-likelihood person by person, as in a textbook."""
    total = 0.0
    for row in here.itertuples():

        def survival(t, x=row.x):
            return np.exp(-np.exp((np.log(t) - theta[0] - theta[1] * x) / theta[2])) if t > 0 else 1

        scale = theta[2]
        if row.lower == row.upper:
            z = (np.log(row.lower) - theta[0] - theta[1] * row.x) / scale
            value = np.exp(z - np.exp(z)) / (scale * row.lower)
        elif np.isinf(row.upper):
            value = survival(row.lower)
        else:
            value = survival(max(row.lower, row.entry)) - survival(row.upper)
        total += row.weight * np.log(value / survival(row.entry))
    return total


def test_the_likelihood_is_the_textbook_one():
    fit = parametric_model("x", mixed(), entry="entry", weights="weight", **LIMITS)
    theta = [fit.coef[0], fit.coef[1], fit.scale]
    assert slow_weibull(theta, mixed()) == pytest.approx(fit.log_likelihood, rel=1e-12)


def test_one_piece_is_an_exponential_also_between_visits():
    how = {"entry": "entry", "weights": "weight", **LIMITS}
    piece = parametric_model("arm + x", mixed(), distribution="piecewise", **how)
    one = parametric_model("arm + x", mixed(), distribution="exponential", **how)
    np.testing.assert_allclose(piece.coef, -one.coef, rtol=1e-9)
    np.testing.assert_allclose(piece.covariance, one.covariance, rtol=1e-8, atol=1e-12)
    assert piece.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("error", ["extreme value", "logistic", "normal"])
@given(low=st.floats(-30, 2), width=st.floats(1e-6, 1))
def test_narrow_and_far_intervals_keep_their_digits(error, low, width):
    high = low + width
    nodes, weights = np.polynomial.legendre.leggauss(40)
    logs = log_density(low + (high - low) * (nodes + 1) / 2, error)[0]
    area = logs.max() + np.log((weights * np.exp(logs - logs.max())).sum() * (high - low) / 2)
    value = log_between(np.array([low]), np.array([high]), error)[0][0]
    # How wide it is, is only known to rounding of its ends.
    assert value == pytest.approx(area, rel=1e-12, abs=1e-12 + 1e-14 / width)


@pytest.mark.parametrize("error", ["extreme value", "logistic", "normal"])
def test_density_is_the_slope_of_survival(error):
    z, step = np.linspace(-4, 2, 30), 1e-5
    above, below = (np.exp(log_survival(z + s, error)[0]) for s in (step, -step))
    np.testing.assert_allclose(
        np.exp(log_density(z, error)[0]), (below - above) / (2 * step), rtol=1e-6, atol=1e-10
    )


def test_simulated_truth_lies_within_the_limits():
    random, inside = np.random.default_rng(8), 0
    for _ in range(60):
        x = random.normal(size=150)
        # Visits every two weeks; late entry cuts off who failed early.
        t = 40 * np.exp(0.5 * x) * random.weibull(1.5, 150)
        entry = random.uniform(0, 15, 150)
        lower, upper = 14 * np.floor(t / 14), 14 * np.ceil(t / 14)
        gone = t > 84
        frame = pd.DataFrame({"x": x, "entry": entry, "lower": np.where(gone, 84, lower)})
        frame["upper"] = np.where(gone, np.inf, upper)
        frame = frame[t > entry]
        frame["lower"] = np.maximum(frame["lower"], frame["entry"])
        fit = parametric_model("x", frame, entry="entry", **LIMITS)
        se = np.sqrt(fit.covariance[1, 1])
        inside += abs(fit.coef[1] - 0.5) < 1.96 * se
    assert 51 <= inside <= 60


def test_predicted_limits_hold_the_curve_and_the_curve_falls():
    fit = parametric_model("arm", data("ties"), distribution="lognormal")
    table = fit.at([5, 20, 60], pd.DataFrame({"arm": ARMS}, index=ARMS))
    assert table["profile"].tolist() == np.repeat(ARMS, 3).tolist()
    assert ((table["lower"] < table["survival"]) & (table["survival"] < table["upper"])).all()
    assert (table.groupby("profile")["survival"].diff().dropna() < 0).all()


def test_results_are_stored_and_print(tmp_path):
    fit = parametric_model("arm + x", data("ties"), cluster="cluster")
    again = from_json(to_json(fit))
    profile = pd.DataFrame({"arm": ["gradual"], "x": [0.0]})
    pd.testing.assert_frame_equal(again.at([9], profile), fit.at([9], profile))
    write_result(fit, tmp_path / "fit.parquet")
    pd.testing.assert_frame_equal(read_result(tmp_path / "fit.parquet").summary, fit.summary)
    for part in ("weibull", "90 people", "arm[T.gradual]", "95% Wald limits", "sandwich"):
        assert part in str(fit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"formula": "arm + z"}, "there is no such column"),
        ({"formula": "np.log(x)"}, "is not a column"),
        ({"formula": "0 + x"}, "intercept cannot be left out"),
        ({"formula": "y ~ x"}, "cannot be read"),
        ({"formula": "x + twice"}, "follows from the columns before it"),
        ({"formula": "same"}, "same for everybody"),
        ({"formula": "blank"}, "1 of 40 values are blank"),
        ({"event": "code"}, "allowed: 0 or 1"),
        ({"event": "none"}, "nobody has the event"),
        ({"entry": "time"}, "must end after its entry"),
        ({"time": "zero"}, "allowed: above 0"),
        ({"distribution": "weibul"}, "did you mean 'weibull'"),
        ({"cuts": [3]}, "only the distribution 'piecewise'"),
        ({"distribution": "piecewise", "cuts": [30, 20]}, "rising numbers"),
        ({"distribution": "piecewise", "cuts": [1]}, "no event in (0, 1]"),
        ({"formula": "eventless"}, "the likelihood has no maximum"),
        ({"formula": "eventless", "distribution": "lognormal"}, "has no maximum"),
        ({"formula": "eventless", "distribution": "piecewise"}, "has no maximum"),
        ({"time": "equal", "event": "all"}, "more parameters than different times"),
        ({"lower": "time"}, "both limits are needed"),
        ({"lower": "time", "upper": "zero"}, "the lower limit or more"),
        ({"lower": "zero", "upper": "endless"}, "must end after its entry"),
        ({"lower": "time", "upper": "blank"}, "inf for whoever never"),
        ({"weights": "x"}, "allowed: 0 or more"),
        ({"confidence": 95}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_a_sentence(change, message):
    here = data("lone")
    here["eventless"] = np.where(here["event"] == 0, np.arange(40) % 2, 0)
    here = here.assign(
        twice=2 * here["x"] + 1,
        same=1,
        blank=here["x"].where(here.index > 0),
        code=2,
        none=0,
        zero=0.0,
        all=1,
        equal=9.0,
        endless=np.inf,
    )
    with pytest.raises(InvalidInput) as raised:
        parametric_model(**{"formula": "x", "data": here, **change})
    assert message in str(raised.value)


def test_profiles_must_be_like_the_data():
    fit = parametric_model("arm + x", data("ties"))
    for profiles, message in [
        (None, "give profiles="),
        (pd.DataFrame({"arm": ["abrupt"]}), "there is no such column"),
        (pd.DataFrame({"arm": ["abrut"], "x": [0.0]}), "did you mean 'abrupt'"),
        (pd.DataFrame({"arm": ["abrupt"], "x": [np.nan]}), "blank"),
    ]:
        with pytest.raises(InvalidInput, match=message):
            fit.at([10], profiles)


@pytest.mark.r
def test_r_gives_these_numbers(tmp_path):
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed")
    shutil.copy(REFERENCE / "survival_parametric_data.csv", tmp_path)
    script = REFERENCE / "survival_parametric.R"
    subprocess.run([program, script, tmp_path], check=True, capture_output=True)
    kept, fresh = (pd.read_csv(f / "survival_parametric.csv") for f in (REFERENCE, tmp_path))
    pd.testing.assert_frame_equal(kept, fresh, rtol=1e-9)
