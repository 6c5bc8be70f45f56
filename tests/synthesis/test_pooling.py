"""Pooling against closed forms, its own estimating equations and metafor."""

from __future__ import annotations

import itertools
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from discontinuation.synthesis import (
    generalised_q,
    mantel_haenszel,
    meta_regression,
    odds_ratio,
    peto,
    pool,
    reml_score,
    risk_difference,
    risk_ratio,
)

REFERENCE = Path(__file__).parents[1] / "reference"
BCG = Path(__file__).parents[2].parent / "shared/data/reference-survival/dat_bcg.csv"
METHODS = ["REML", "DL", "PM", "common"]
RANDOM = METHODS[:3]

property_test = settings(max_examples=50, deadline=None, derandomize=True, database=None)

Numbers = dict[str, float]
Columns = tuple[np.ndarray, np.ndarray]


def exactly(value: float) -> object:
    return pytest.approx(value, rel=1e-12, abs=1e-14)


# ---- R ----------------------------------------------------------------------------------------
# Functions named after those of pooling.R give the same quantities under the same names.


def pooled(y: np.ndarray, v: np.ndarray, method: str, tag: str = "") -> Iterator[tuple[str, float]]:
    prefix = f"{'FE' if method == 'common' else method} {tag}"
    fit = pool(y, v, method, knapp_hartung=False, prediction="z")
    values = {"mu": fit.estimate, "se": fit.se, "lower": fit.lower, "upper": fit.upper}
    values |= {"tau2": fit.tau2, "I2": fit.i2, "Q": fit.q, "Q p": fit.q_p}
    values |= {"prediction z lower": fit.prediction_lower}
    values |= {"prediction z upper": fit.prediction_upper}
    riley = pool(y, v, method, knapp_hartung=False, prediction="t_k-2")
    values |= {"prediction t_k-2 lower": riley.prediction_lower}
    values |= {"prediction t_k-2 upper": riley.prediction_upper}
    for test, truncate in (("knha", False), ("adhoc", True)):
        hk = pool(y, v, method, truncate=truncate)
        values |= {f"{test} se": hk.se, f"{test} lower": hk.lower, f"{test} upper": hk.upper}
        values |= {f"{test} p": hk.p, f"{test} prediction lower": hk.prediction_lower}
        values |= {f"{test} prediction upper": hk.prediction_upper}
    for name, value in values.items():
        yield prefix + name, value


def profile_ci(y: np.ndarray, v: np.ndarray, tag: str = "") -> Iterator[tuple[str, float]]:
    fit = pool(y, v)
    yield f"Q-profile {tag}tau2 lower", fit.tau2_lower
    yield f"Q-profile {tag}tau2 upper", fit.tau2_upper
    yield f"Q-profile {tag}I2 lower", fit.i2_lower
    yield f"Q-profile {tag}I2 upper", fit.i2_upper


def regression(
    y: np.ndarray, v: np.ndarray, x: object, method: str = "REML"
) -> Iterator[tuple[str, float]]:
    name = f"meta-regression {method}"
    for test, hartung, truncate in (
        ("z", False, False),
        ("knha", True, False),
        ("adhoc", True, True),
    ):
        fit = meta_regression(y, v, x, method, hartung, truncate)
        for i, (b, se) in enumerate(zip(fit.coefficients, fit.se, strict=True)):
            yield f"{name} {test} b{i}", b
            yield f"{name} {test} se{i}", se
        yield f"{name} {test} lower1", fit.lower[1]
        yield f"{name} {test} upper1", fit.upper[1]
        yield f"{name} {test} p1", fit.p[1]
        yield f"{name} {test} QM", fit.qm
        yield f"{name} {test} QM p", fit.qm_p
    yield f"{name} tau2", fit.tau2
    yield f"{name} I2", fit.i2
    yield f"{name} QE", fit.qe
    yield f"{name} R2", fit.r2


def tables(
    a: np.ndarray, n1: np.ndarray, c: np.ndarray, n2: np.ndarray
) -> Iterator[tuple[str, float]]:
    for measure in ("OR", "RR", "RD"):
        fit = mantel_haenszel(a, n1, c, n2, measure)
        yield f"MH {measure} mu", fit.estimate
        yield f"MH {measure} se", fit.se
        yield f"MH {measure} lower", fit.lower
        yield f"MH {measure} Q", fit.q
        yield f"MH {measure} Q p", fit.q_p
    one_step = peto(a, n1, c, n2)
    yield "Peto mu", one_step.estimate
    yield "Peto se", one_step.se
    yield "Peto lower", one_step.lower
    yield "Peto Q", one_step.q
    yield "Peto Q p", one_step.q_p


@pytest.fixture(scope="module")
def reference() -> pd.DataFrame:
    table = pd.read_csv(REFERENCE / "pooling.csv")
    others = r"^(?:Egger|trim and fill|leave-one-out|influence)"  # in test_small_study.py
    return table[~table["quantity"].str.contains(others)]


def assert_all_match(rows: pd.DataFrame, got: Numbers) -> None:
    assert len(rows)
    missing = set(rows["quantity"]) - set(got)
    assert not missing
    computed = rows["quantity"].map(got)
    np.testing.assert_array_equal(computed.isna(), rows["value"].isna())
    off = (computed - rows["value"]).abs() > rows["tolerance"]
    assert not off.any(), rows[off].assign(computed=computed)


made_up = pd.read_csv(REFERENCE / "made_up_trials.csv")


@pytest.mark.parametrize("meta", sorted(made_up["meta"].unique()))
def test_made_up_trials_are_pooled_as_by_metafor(meta: int, reference: pd.DataFrame) -> None:
    here = made_up[made_up["meta"] == meta]
    counts = [here[c].to_numpy(float) for c in ("events_a", "n_a", "events_b", "n_b")]
    got = dict(tables(*counts))
    effect = odds_ratio(*counts)
    known = np.isfinite(effect.estimate)
    y, v = effect.estimate[known], effect.variance[known]
    if len(y) >= 2:
        for method in METHODS:
            got |= pooled(y, v, method)
        got |= profile_ci(y, v)
    if len(y) >= 5:
        for method in RANDOM:
            got |= regression(y, v, here["covariate"].to_numpy()[known], method)
    assert_all_match(reference[reference["dataset"] == f"made_up {meta}"], got)


@pytest.fixture(scope="module")
def bcg() -> pd.DataFrame:
    if not BCG.exists():
        pytest.skip("dat_bcg.csv (exported from metafor) does not lie beside the repository")
    return pd.read_csv(BCG)


@pytest.fixture(scope="module")
def bcg_effects(bcg: pd.DataFrame) -> Columns:
    effect = risk_ratio(bcg.tpos, bcg.tpos + bcg.tneg, bcg.cpos, bcg.cpos + bcg.cneg)
    return effect.estimate, effect.variance


def test_bcg_is_pooled_as_by_metafor(
    bcg: pd.DataFrame, bcg_effects: Columns, reference: pd.DataFrame
) -> None:
    y, v = bcg_effects
    got = {f"RR yi {i + 1}": value for i, value in enumerate(y)}
    got |= {f"RR vi {i + 1}": value for i, value in enumerate(v)}
    got |= tables(bcg.tpos, bcg.tpos + bcg.tneg, bcg.cpos, bcg.cpos + bcg.cneg)
    for method in METHODS:
        got |= pooled(y, v, method)
        got |= pooled(y, v, method, "default ")
    got |= itertools.chain(profile_ci(y, v), profile_ci(y, v, "default "))
    for method in RANDOM:
        got |= regression(y, v, bcg["ablat"], method)
    for name, value in regression(y, v, bcg["ablat"]):
        got[name.replace("REML z", "default").replace("REML", "default")] = value
    assert_all_match(reference[reference["dataset"] == "dat.bcg"], got)


def test_two_covariates(bcg: pd.DataFrame, bcg_effects: Columns, reference: pd.DataFrame) -> None:
    got = dict(regression(*bcg_effects, bcg[["ablat", "year"]]))
    assert_all_match(reference[reference["dataset"] == "dat.bcg latitude and year"], got)
    assert meta_regression(*bcg_effects, bcg[["ablat", "year"]]).names == (
        "intercept",
        "ablat",
        "year",
    )


TOY = ([0.10, 0.12, 0.11, 0.13], [0.04, 0.05, 0.03, 0.06])


def test_trials_that_agree_too_well(reference: pd.DataFrame) -> None:
    got = dict(pooled(*map(np.array, TOY), "REML"))
    got["q"] = generalised_q(*TOY, 0) / 3
    assert_all_match(reference[reference["dataset"] == "homogeneous toy"], got)
    plain, truncated = pool(*TOY, truncate=False), pool(*TOY)
    assert plain.se == pytest.approx(0.006017995652, rel=1e-9)
    assert truncated.se == pytest.approx(0.1025978352, rel=1e-9)
    assert truncated.truncated
    assert not plain.truncated


@pytest.mark.r
def test_r_gives_these_numbers(tmp_path: Path) -> None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("Rscript is not installed")
    has_metafor = subprocess.run(
        [rscript, "-e", "stopifnot(nzchar(system.file(package = 'metafor')))"],
        capture_output=True,
        check=False,
    )
    if has_metafor.returncode:
        pytest.skip("the R package metafor is not installed")
    subprocess.run(
        [rscript, REFERENCE / "pooling.R", tmp_path], check=True, capture_output=True, text=True
    )
    kept, fresh = (pd.read_csv(folder / "pooling.csv") for folder in (REFERENCE, tmp_path))
    keys = ["quantity", "dataset"]
    pd.testing.assert_frame_equal(kept[keys], fresh[keys])
    np.testing.assert_array_equal(kept["value"].isna(), fresh["value"].isna())
    assert not ((kept["value"] - fresh["value"]).abs() > kept["tolerance"]).any()
    pd.testing.assert_frame_equal(made_up, pd.read_csv(tmp_path / "made_up_trials.csv"))


# ---- closed forms -----------------------------------------------------------------------------


def test_common_effect() -> None:
    y, v = np.array([0.3, -0.2, 0.5]), np.array([0.04, 0.09, 0.25])
    fit = pool(y, v, "common")
    w = 1 / v
    mean = (w * y).sum() / w.sum()
    q = (w * (y - mean) ** 2).sum()
    assert fit.estimate == exactly(mean)
    assert fit.se == exactly(1 / math.sqrt(w.sum()))
    assert fit.upper == exactly(mean + stats.norm.ppf(0.975) / math.sqrt(w.sum()))
    assert fit.q == exactly(q)
    assert fit.q_p == exactly(stats.chi2.sf(q, 2))
    assert fit.p == exactly(2 * stats.norm.sf(abs(mean) * math.sqrt(w.sum())))
    np.testing.assert_allclose(fit.weights, w / w.sum(), rtol=1e-14)
    # Knapp-Hartung was left on and does not apply; nothing random has an interval.
    assert not fit.knapp_hartung
    assert fit.df == math.inf
    nothing = (fit.tau2_lower, fit.i2_upper, fit.prediction_lower, fit.prediction_upper)
    assert all(map(math.isnan, nothing))


@pytest.mark.parametrize("method", RANDOM)
@pytest.mark.parametrize("difference", [0.0, 0.4, 3.0])
def test_two_trials_have_one_tau2_in_closed_form(method: str, difference: float) -> None:
    fit = pool([1.0, 1 + difference], [0.1, 0.3], method)
    assert fit.tau2 == exactly(max(0, difference**2 / 2 - 0.2))
    assert math.isnan(fit.prediction_lower)


@pytest.mark.parametrize("method", RANDOM)
def test_equal_variances_have_one_tau2_in_closed_form(method: str) -> None:
    y = np.array([0.2, 1.4, -0.7, 0.9, 0.1])
    fit = pool(y, np.full(5, 0.15), method)
    assert fit.tau2 == exactly(y.var(ddof=1) - 0.15)
    assert fit.estimate == exactly(y.mean())
    # The Knapp-Hartung interval is then the t interval of the effects.
    assert fit.se == exactly(y.std(ddof=1) / math.sqrt(5))
    assert fit.upper == exactly(y.mean() + stats.t.ppf(0.975, 4) * fit.se)
    assert fit.i2 == exactly(100 * fit.tau2 / (fit.tau2 + 0.15))
    spread = math.sqrt(fit.tau2 + fit.se**2)
    assert fit.prediction_upper == exactly(y.mean() + stats.t.ppf(0.975, 4) * spread)


def test_a_standard_error_of_zero_has_no_p_value() -> None:
    fit = pool([0.2, 0.2, 0.2], [0.1, 0.1, 0.1], truncate=False)
    assert (fit.se, fit.lower, fit.upper) == (0, 0.2, 0.2)
    assert math.isnan(fit.p)


def test_q_profile_limits_in_closed_form() -> None:
    y = np.array([0.2, 1.4, -0.7, 0.9, 0.1])
    fit = pool(y, np.full(5, 0.15), confidence=0.9)
    squares = 4 * y.var(ddof=1)
    assert fit.tau2_lower == exactly(max(0, squares / stats.chi2.ppf(0.95, 4) - 0.15))
    assert fit.tau2_upper == exactly(squares / stats.chi2.ppf(0.05, 4) - 0.15)
    agreeing = pool([0.1, 0.1, 0.1], [1, 1, 1])
    assert (agreeing.tau2_lower, agreeing.tau2_upper) == (0, 0)


def test_dersimonian_laird_and_i2() -> None:
    y, v = np.array([0.3, -0.9, 0.5, 1.2]), np.array([0.04, 0.09, 0.25, 0.02])
    w = 1 / v
    q = (w * (y - (w * y).sum() / w.sum()) ** 2).sum()
    c = w.sum() - (w**2).sum() / w.sum()
    fit = pool(y, v, "DL")
    assert fit.tau2 == exactly((q - 3) / c)
    assert fit.i2_q == exactly(100 * (q - 3) / q)
    assert fit.i2 == exactly(100 * fit.tau2 / (fit.tau2 + 3 / c))


def test_a_binary_covariate_compares_two_groups() -> None:
    y, v = np.array([0.1, 0.4, 0.3, 1.1, 0.9]), np.array([0.04, 0.09, 0.05, 0.02, 0.06])
    late = np.array([0, 0, 0, 1, 1])
    fit = meta_regression(y, v, late, "common")
    first, second = pool(y[:3], v[:3], "common"), pool(y[3:], v[3:], "common")
    assert fit.coefficients == pytest.approx(
        [first.estimate, second.estimate - first.estimate], rel=1e-12
    )
    assert fit.se[1] == exactly(math.hypot(first.se, second.se))
    assert fit.qm == exactly((fit.coefficients[1] / fit.se[1]) ** 2)
    assert fit.qe == exactly(first.q + second.q)
    assert (fit.qm_df, fit.qe_df, fit.names) == (1, 3, ("intercept", "x1"))
    assert math.isnan(fit.r2)


@pytest.mark.parametrize(
    ("measure", "single"), [("OR", odds_ratio), ("RR", risk_ratio), ("RD", risk_difference)]
)
def test_identical_tables_pool_to_one_of_them(measure: str, single: object) -> None:
    table = (12.0, 40.0, 21.0, 45.0)
    fit = mantel_haenszel(*([cell] * 3 for cell in table), measure)
    one = single(*table)
    assert fit.estimate == exactly(one.estimate)
    if measure != "RD":  # Sato's variance is not the binomial one even then
        assert fit.se == exactly(one.se / math.sqrt(3))
    assert fit.q == pytest.approx(0, abs=1e-20)


def test_peto_by_hand() -> None:
    fit = peto([1, 4], [50, 100], [3, 9], [50, 100])
    expected = [2.0, 6.5]
    v = [4 * 96 * 50 * 50 / (100**2 * 99), 13 * 187 * 100 * 100 / (200**2 * 199)]
    assert fit.estimate == exactly((1 - expected[0] + 4 - expected[1]) / sum(v))
    assert fit.se == exactly(1 / math.sqrt(sum(v)))
    q = 1 / v[0] + 2.5**2 / v[1] - 3.5**2 / sum(v)
    assert fit.q == pytest.approx(q, rel=1e-10)


def test_trials_without_events() -> None:
    none = mantel_haenszel([0, 0], [10, 20], [0, 0], [10, 20], "RR")
    assert math.isnan(none.estimate)
    assert (none.k, none.k_informative) == (2, 0)
    assert math.isnan(peto([0, 0], [10, 20], [0, 0], [10, 20]).estimate)
    # Eventless trials leave a ratio alone and pull a difference to 0.
    with_empty = ([3, 0, 5], [50, 60, 70], [8, 0, 9], [50, 60, 70])
    without = ([3, 5], [50, 70], [8, 9], [50, 70])
    for measure in ("OR", "RR"):
        assert mantel_haenszel(*with_empty, measure).estimate == exactly(
            mantel_haenszel(*without, measure).estimate
        )
    pulled = mantel_haenszel(*with_empty, "RD").estimate
    assert abs(pulled) < abs(mantel_haenszel(*without, "RD").estimate)


# ---- hard likelihoods -------------------------------------------------------------------------

MAXIMA = {
    "two maxima": ([1.6, -0.2, 1.4], [0.15, 0.62, 0.1]),
    "two maxima trap": ([-8.9, -3.2, -5.4, -3, 6.3], [4.9, 0.43, 18, 0.00067, 270]),
}


@pytest.mark.parametrize("name", MAXIMA)
def test_reml_takes_the_highest_of_two_maxima(name: str, reference: pd.DataFrame) -> None:
    y, v = MAXIMA[name]
    rows = reference[reference["dataset"] == name].set_index("quantity")["value"]
    inner = pool(y, v).tau2
    assert reml_score(y, v, 0) < 0  # so tau2 = 0 is a local maximum
    assert inner == pytest.approx(rows["inner tau2"], rel=1e-9)
    # metafor's own log-likelihood says that the inner one is the higher.
    gained, _ = integrate.quad(
        lambda log_tau2: reml_score(y, v, math.exp(log_tau2)) * math.exp(log_tau2),
        math.log(1e-12),
        math.log(inner),
        epsabs=1e-10,
        limit=500,
    )
    assert gained > 0
    assert gained == pytest.approx(rows["log-likelihood gained"], abs=1e-8)
    if name == "two maxima":
        assert inner == pytest.approx(rows["metafor tau2"], rel=1e-9)


@pytest.mark.parametrize("method", RANDOM)
@pytest.mark.parametrize(
    ("y", "v"),
    [
        ([0.1] * 4, [1e-8, 1.0, 1e8, 3.0]),
        ([1e6, 1e6 + 1, 1e6 - 2], [0.1, 0.2, 0.3]),
        ([0, 1, 2, 30], [1e-9, 1e-3, 1, 1e9]),
        ([0, 5e-7, 1e-6], [1e-12, 4e-12, 2e-13]),
        ([0, 400, -900], [1e-6, 1e-6, 1e-6]),
        ([0.1, 0.7, -0.3], [1e-22, 1e-22, 1e-22]),
        ([0.3, 1.1], [0.07, 0.07]),
        ([0.1, 0.9, 2.3, 0.4], [0.11, 0.11, 0.11, 0.11]),
    ],
)
def test_estimating_equations_hold_in_hard_cases(
    method: str, y: list[float], v: list[float]
) -> None:
    fit = pool(y, v, method)
    least = min(v)
    assert math.isfinite(fit.se)
    if method == "PM" and fit.tau2 > 0:
        assert abs(generalised_q(y, v, fit.tau2) - (len(y) - 1)) < 1e-10
    if method == "REML":
        # Multiplied by the scale of tau2 the score has no unit.
        score = reml_score(y, v, fit.tau2) * (fit.tau2 + least)
        assert abs(score) < 1e-10 if fit.tau2 > 0 else score <= 0
    if len(set(y)) == 1:
        assert fit.tau2 == 0


# ---- properties -------------------------------------------------------------------------------

effect_lists = st.lists(
    st.tuples(
        st.floats(-3, 3).map(lambda x: round(x, 3)),
        st.floats(-6, 1).map(lambda x: round(math.exp(x), 5)),
    ),
    min_size=2,
    max_size=8,
).map(lambda rows: (np.array([r[0] for r in rows]), np.array([r[1] for r in rows])))
methods = st.sampled_from(METHODS)
random_methods = st.sampled_from(RANDOM)


@property_test
@given(effect_lists)
def test_reml_and_paule_mandel_solve_their_equations(trials: Columns) -> None:
    y, v = trials
    tau2 = pool(y, v, "REML").tau2
    score = reml_score(y, v, tau2)
    if tau2 > 0:
        assert abs(score) < 1e-10 * max(1, 1 / (tau2 + v.min()))
    else:
        assert score <= 0
    tau2 = pool(y, v, "PM").tau2
    if tau2 > 0:
        assert abs(generalised_q(y, v, tau2) - (len(y) - 1)) < 1e-10
    else:
        assert generalised_q(y, v, 0) <= len(y) - 1


@property_test
@given(effect_lists)
def test_the_score_is_the_slope_of_the_restricted_likelihood(trials: Columns) -> None:
    y, v = trials

    def loglik(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = (w * y).sum() / w.sum()
        return -(-np.log(w).sum() + np.log(w.sum()) + (w * (y - mean) ** 2).sum()) / 2

    h = 1e-4
    slope = (loglik(0.5 + h) - loglik(0.5 - h)) / (2 * h)
    assert reml_score(y, v, 0.5) == pytest.approx(slope, abs=1e-5)


@property_test
@given(effect_lists, methods, st.floats(-50, 50))
def test_shifting_all_effects_shifts_the_result(trials: Columns, method: str, shift: float) -> None:
    y, v = trials
    one, other = pool(y, v, method), pool(y + shift, v, method)
    assert other.estimate == pytest.approx(one.estimate + shift, abs=1e-8)
    assert other.tau2 == pytest.approx(one.tau2, abs=1e-8)
    assert other.se == pytest.approx(one.se, abs=1e-8)


@property_test
@given(effect_lists, methods, st.integers(-8, 8))
def test_changing_the_unit_changes_the_result_by_the_unit(
    trials: Columns, method: str, power: int
) -> None:
    y, v = trials
    unit = 2.0**power  # a power of two is exact, so the results must be too
    one, other = pool(y, v, method), pool(unit * y, unit**2 * v, method)
    assert other.estimate == pytest.approx(unit * one.estimate, rel=1e-12, abs=1e-300)
    assert other.tau2 == pytest.approx(unit**2 * one.tau2, rel=1e-12)
    assert other.upper == pytest.approx(unit * one.upper, rel=1e-12)
    assert other.tau2_upper == pytest.approx(unit**2 * one.tau2_upper, rel=1e-12, nan_ok=True)
    assert other.i2 == pytest.approx(one.i2, rel=1e-12)


@property_test
@given(effect_lists, methods, st.randoms(use_true_random=False))
def test_the_order_of_trials_does_not_matter(trials: Columns, method: str, random: object) -> None:
    y, v = trials
    order = list(range(len(y)))
    random.shuffle(order)
    one, other = pool(y, v, method), pool(y[order], v[order], method)
    assert other.estimate == pytest.approx(one.estimate, abs=1e-10)
    assert other.tau2 == pytest.approx(one.tau2, abs=1e-10)
    np.testing.assert_allclose(other.weights, one.weights[order], atol=1e-10)


@property_test
@given(effect_lists, methods)
def test_swapping_arms_mirrors_the_pooled_effect_exactly(trials: Columns, method: str) -> None:
    y, v = trials
    one, other = pool(y, v, method), pool(-y, v, method)
    assert other.estimate == -one.estimate
    assert (other.lower, other.upper) == (-one.upper, -one.lower)
    assert (other.tau2, other.q, other.se) == (one.tau2, one.q, one.se)


@property_test
@given(effect_lists, random_methods)
def test_truncation_never_narrows(trials: Columns, method: str) -> None:
    y, v = trials
    fit, plain = pool(y, v, method), pool(y, v, method, truncate=False)
    at_one = stats.t.ppf(0.975, len(y) - 1) / math.sqrt((1 / (v + fit.tau2)).sum())
    half = (fit.upper - fit.lower) / 2
    assert half >= at_one * (1 - 1e-12)
    assert half >= (plain.upper - plain.lower) / 2 * (1 - 1e-12)
    q = generalised_q(y, v, fit.tau2) / (len(y) - 1)
    assert fit.truncated == (q < 1)
    if not fit.truncated:
        assert half == pytest.approx(at_one * math.sqrt(q), rel=1e-9)


@property_test
@given(effect_lists, random_methods, st.booleans(), st.sampled_from(["t_k-1", "t_k-2", "z"]))
def test_a_new_trial_is_less_certain_than_the_mean(
    trials: Columns, method: str, hartung: bool, prediction: str
) -> None:
    y, v = trials
    assume(len(y) >= 3)
    assume(not (hartung and prediction == "z"))  # a normal quantile beside a t interval
    fit = pool(y, v, method, hartung, prediction=prediction)
    slack = 1e-12 * (1 + abs(fit.estimate) + fit.se)
    assert fit.prediction_lower <= fit.lower + slack
    assert fit.prediction_upper >= fit.upper - slack


@property_test
@given(effect_lists)
def test_homogeneous_trials_have_no_tau2(trials: Columns) -> None:
    y, v = trials
    q, df = generalised_q(y, v, 0), len(y) - 1
    # Shrink the effects towards their mean until Cochran's Q is below its expectation.
    calm = y * math.sqrt(0.99 * df / q) if q > df else y
    for method in ("DL", "PM"):
        assert pool(calm, v, method).tau2 == 0
    assert pool(np.full(len(y), y[0]), v).tau2 == 0


@property_test
@given(effect_lists, st.floats(0.5, 0.99))
def test_q_profile_limits_hit_the_quantiles(trials: Columns, confidence: float) -> None:
    y, v = trials
    fit = pool(y, v, confidence=confidence)
    df, tail = len(y) - 1, (1 - confidence) / 2
    for limit, target in (
        (fit.tau2_lower, stats.chi2.isf(tail, df)),
        (fit.tau2_upper, stats.chi2.ppf(tail, df)),
    ):
        if limit > 0:
            assert generalised_q(y, v, limit) == pytest.approx(target, rel=1e-10)
        else:
            assert generalised_q(y, v, 0) <= target * (1 + 1e-12)
    assert fit.tau2_lower <= fit.tau2_upper


@property_test
@given(effect_lists, methods)
def test_the_estimate_is_an_average(trials: Columns, method: str) -> None:
    y, v = trials
    fit = pool(y, v, method)
    assert y.min() - 1e-12 <= fit.estimate <= y.max() + 1e-12
    assert fit.weights.sum() == pytest.approx(1, rel=1e-12)
    assert np.all(np.diff(fit.weights[np.argsort(v)]) <= 1e-15)
    assert fit.i2_q == pytest.approx(max(0, 100 * (1 - (len(y) - 1) / fit.q)) if fit.q else 0)


@property_test
@given(effect_lists, random_methods, st.floats(-100, 100), st.floats(0.01, 100))
def test_rescaling_a_covariate_rescales_its_coefficient(
    trials: Columns, method: str, shift: float, unit: float
) -> None:
    y, v = trials
    assume(len(y) >= 4)
    x = np.linspace(-1, 1, len(y)) ** 3
    one = meta_regression(y, v, x, method)
    other = meta_regression(y, v, shift + unit * x, method)
    assert other.tau2 == pytest.approx(one.tau2, abs=1e-6)
    assert other.coefficients[1] * unit == pytest.approx(one.coefficients[1], abs=1e-6)
    assert other.qm == pytest.approx(one.qm, rel=1e-5, abs=1e-6)
    if method == "REML" and one.tau2 > 0:
        assert abs(reml_score(y, v, one.tau2, x)) < 1e-10 * max(1, 1 / (one.tau2 + v.min()))
    if method == "PM" and one.tau2 > 0:
        assert generalised_q(y, v, one.tau2, x) == pytest.approx(one.qe_df, abs=1e-10)


tables_of_trials = st.lists(
    st.tuples(st.integers(5, 60), st.integers(5, 60), st.floats(0, 1), st.floats(0, 1)),
    min_size=2,
    max_size=6,
).map(
    lambda rows: tuple(
        np.array(column, dtype=float)
        for column in zip(*((round(n * p), n, round(m * r), m) for n, m, p, r in rows), strict=True)
    )
)


@property_test
@given(tables_of_trials)
def test_swapping_arms_mirrors_stratified_effects(
    counts: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    ea, na, eb, nb = counts
    for measure in ("OR", "RR", "RD"):
        one = mantel_haenszel(ea, na, eb, nb, measure)
        other = mantel_haenszel(eb, nb, ea, na, measure)
        assert other.estimate == pytest.approx(-one.estimate, abs=1e-12, nan_ok=True)
        assert other.se == pytest.approx(one.se, rel=1e-9, abs=1e-12, nan_ok=True)
    one, other = peto(ea, na, eb, nb), peto(eb, nb, ea, na)
    assert other.estimate == pytest.approx(-one.estimate, abs=1e-12, nan_ok=True)


# ---- what is refused --------------------------------------------------------------------------


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="estimates must be finite") as error:
        pool(
            [0.1, math.nan, 0.3],
            [0.0, 0.2, -1, math.inf],
            method="ML",
            prediction="t",
            confidence=95,
        )
    text = str(error.value)
    for part in (
        "estimates[1] = nan",
        "variances[0] = 0, variances[2] = -1, variances[3] = inf",
        "(3,) and (4,)",
        "method must be one of REML, DL, PM, common, but method = 'ML'",
        "prediction must be one of t_k-1, t_k-2, z, but prediction = 't'",
        "confidence must be between 0 and 1, but confidence = 95",
    ):
        assert part in text


@pytest.mark.parametrize(("y", "v", "k"), [([0.3], [0.1], 1), ([], [], 0)])
def test_one_trial_is_not_pooled(y: list[float], v: list[float], k: int) -> None:
    sentence = rf"pooling \(one trial is not pooled\) needs at least 2 trials, but there are {k}\."
    with pytest.raises(ValueError, match=sentence):
        pool(y, v)
    with pytest.raises(ValueError, match="one trial is not pooled"):
        mantel_haenszel([3], [10], [4], [10])
    with pytest.raises(ValueError, match="one trial is not pooled"):
        peto(3, 10, 4, 10)


def test_useless_covariates_are_refused() -> None:
    y, v = [0.1, 0.4, 0.2, 0.9], [0.1, 0.2, 0.1, 0.3]
    with pytest.raises(ValueError, match=r"covariates\[2, 0\] = nan"):
        meta_regression(y, v, [1, 2, math.nan, 3])
    with pytest.raises(ValueError, match=r"one row per trial \(4\).*\(3, 1\)"):
        meta_regression(y, v, [1, 2, 3])
    with pytest.raises(ValueError, match="must not be constant"):
        meta_regression(y, v, [0.1, 0.1, 0.1, 0.1])
    with pytest.raises(ValueError, match="combinations of one another"):
        meta_regression(y, v, np.array([[1, 2], [2, 4], [3, 6], [4, 8]]))
    with pytest.raises(ValueError, match="4 coefficients need at least 5 trials"):
        meta_regression(y, v, np.eye(4)[:, :3])
    with pytest.raises(ValueError, match=r"tau2 must be .*tau2 = -1"):
        reml_score(y, v, -1)
