"""Log-rank tests, MaxCombo and pairs: R's numbers, independent integrals, known traps, refusals."""

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import dblquad

from discontinuation.problems import InvalidInput
from discontinuation.survival import logrank, maxcombo, pairwise
from discontinuation.survival.rank_tests import COMBINATION, adjusted

REFERENCE = Path(__file__).parents[1] / "reference"
RTOL = 1e-8
CASES = ("ties", "entry", "weights", "strata", "single", "floating")
WEIGHTINGS = {
    "FH(0 0)": {},
    "FH(0 1)": {"gamma": 1},
    "FH(1 1)": {"rho": 1, "gamma": 1},
    "FH(1 0)": {"rho": 1},
    "FH(0.5 2)": {"rho": 0.5, "gamma": 2},
    "tarone-ware": {"weighting": "tarone-ware"},
    "gehan": {"weighting": "gehan"},
    "peto": {"weighting": "peto"},
}


@cache
def numbers():
    found = pd.read_csv(REFERENCE / "survival_nonparametric.csv")
    return found.set_index(["case", "quantity"])["value"].sort_index()


@cache
def dataset(name, groups=None):
    data = pd.read_csv(REFERENCE / "survival_nonparametric_data.csv")
    here = data[data["dataset"] == name]
    return here if groups is None else here[here["group"].isin(list(groups))]


def arguments(here, strata=False):
    """What a test is called with."""
    named = {"strata": here["stratum"] if strata else None, "weights": here["weight"]}
    if here["entry"].any():
        named["entry"] = here["entry"]
    return (here["time"], here["event"], here["group"]), named


def close(ours, case, quantity):
    np.testing.assert_allclose(ours, numbers()[case, quantity], rtol=RTOL, atol=1e-13)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", WEIGHTINGS)
@pytest.mark.parametrize("strata", [False, True])
def test_statistics_equal_those_of_r(case, name, strata):
    given, named = arguments(dataset(case), strata)
    found = logrank(*given, **named, **WEIGHTINGS[name])
    close(found.statistic, case, f"{name} {'strata' if strata else 'all'}")


@pytest.mark.parametrize("case", [case for case in CASES if case != "entry"])
@pytest.mark.parametrize("rho", [0, 0.5, 1])
def test_survdiff(case, rho):
    given, named = arguments(dataset(case))
    found = logrank(*given, **named, rho=rho)
    close(found.statistic, case, f"survdiff {rho} statistic")
    close(found.p_value, case, f"survdiff {rho} p_value")
    for name, values in (
        ("observed", found.observed),
        ("expected", found.expected),
        ("variance", np.diag(found.covariance)),
    ):
        for one, value in enumerate(values, 1):
            close(value, case, f"survdiff {rho} {name} {one}")
    if rho != 0.5:
        found = logrank(
            dataset(case)["time"], *given[1:], **arguments(dataset(case), True)[1], rho=rho
        )
        close(found.statistic, case, f"survdiff strata {rho} statistic")
        close(found.p_value, case, f"survdiff strata {rho} p_value")


def test_with_entry_times_it_is_the_score_test_of_an_exact_cox_model():
    for strata, name in ((False, "score test"), (True, "score test strata")):
        given, named = arguments(dataset("entry"), strata)
        close(logrank(*given, **named).statistic, "entry", name)


@pytest.mark.parametrize("case", CASES)
def test_maxcombo_equals_nested_integrals(case):
    given, named = arguments(dataset(case, "ab"))
    found = maxcombo(*given, **named)
    close(found.statistic, case, "maxcombo statistic")
    close(found.p_value, case, "maxcombo p_value")
    for one, z in enumerate(found.z, 1):
        close(z, case, f"maxcombo z {one}")


def test_maxcombo_with_strata():
    given, named = arguments(dataset("strata", "ab"), True)
    found = maxcombo(*given, **named)
    close(found.p_value, "strata", "maxcombo strata p_value")
    assert found.df == 3
    assert found.strata == 3


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("adjust", ["holm", "bonferroni", "BH"])
def test_pairs_equal_those_of_r(case, adjust):
    given, named = arguments(dataset(case))
    found = pairwise(*given, **named, adjust=adjust)
    for one, value in enumerate(found.adjusted_p_value, 1):
        close(value, case, f"pairwise {adjust} {one}")


def test_published_values(shared_data):
    folder = shared_data / "reference-survival"
    lung, veteran, ovarian = (
        pd.read_csv(folder / f"{name}.csv") for name in ("lung", "veteran", "ovarian")
    )
    sex = (lung["time"], lung["status"] == 2, lung["sex"])
    trt = (veteran["time"], veteran["status"], veteran["trt"])
    test = logrank(*sex)
    assert test.statistic == pytest.approx(10.32674195, abs=1e-8)
    assert test.covariance[0, 0] == pytest.approx(40.37143398, abs=1e-8)
    np.testing.assert_allclose(test.expected, [91.58173903, 73.41826097], atol=1e-8)
    assert logrank(*trt).statistic == pytest.approx(0.008227343202, abs=1e-9)
    assert logrank(*trt, rho=1).statistic == pytest.approx(0.8712094929, abs=1e-9)
    stratified = logrank(*trt, veteran["celltype"])
    assert stratified.statistic == pytest.approx(0.7017433468, abs=1e-9)
    rx = logrank(ovarian["futime"], ovarian["fustat"], ovarian["rx"])
    assert rx.statistic == pytest.approx(1.062739861, abs=1e-8)
    combo, other = maxcombo(*sex), maxcombo(*trt)
    expected = [3.213524849, 1.860103268, 2.768534446, 3.565690873]
    np.testing.assert_allclose(np.abs(combo.z), expected, atol=1e-8)
    expected = [0.09070470331, -0.8980243146, 0.6023465842, 0.9333860364]
    np.testing.assert_allclose(other.z, expected, atol=1e-9)
    assert combo.p_value == pytest.approx(0.0009839993822, abs=1e-7)
    assert other.p_value == pytest.approx(0.5879119587, abs=1e-7)


def polygon(limit, root, correlation):
    """P(all four within +-limit) by adaptive quadrature over (late, early) as they are."""
    late, middle, early = 1, 2, 3
    block = correlation[np.ix_([late, early], [late, early])]
    back = np.linalg.solve(block, correlation[middle, [late, early]])
    sd = np.sqrt(1 - back @ correlation[middle, [late, early]])
    flat = stats.multivariate_normal([0, 0], block)

    def inside(y, x):
        mean = back @ [x, y]
        upper, lower = stats.norm.cdf((limit - mean) / sd), stats.norm.cdf((-limit - mean) / sd)
        return flat.pdf([x, y]) * (upper - lower)

    def low(x):
        return max(-limit, (-limit * root[0] - root[late] * x) / root[early])

    def high(x):
        return max(low(x), min(limit, (limit * root[0] - root[late] * x) / root[early]))

    kink = limit * (root[0] - root[early]) / root[late]
    edges = sorted({-limit, limit, *(side for side in (-kink, kink) if abs(side) < limit)})
    return sum(
        dblquad(inside, a, b, low, high, epsabs=1e-8)[0] for a, b in itertools.pairwise(edges)
    )


def test_maxcombo_equals_an_integral_in_other_coordinates():
    rng = np.random.default_rng(3)
    time, group = rng.integers(1, 30, 60), np.repeat([0, 1], 30)
    found = maxcombo(time, np.ones(60), group)
    tests = [logrank(time, np.ones(60), group, None, *pair) for pair in COMBINATION]
    np.testing.assert_allclose(found.z, [test.z for test in tests], rtol=1e-12)
    root = np.sqrt([test.covariance[1, 1] for test in tests])
    inside = polygon(found.statistic, root, found.correlation)
    assert found.p_value == pytest.approx(1 - inside, abs=1e-8)


def test_maxcombo_of_events_at_one_time_is_one_test():
    found = maxcombo([3, 3, 3, 5, 5, 5], [1, 1, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1])
    one = logrank([3, 3, 3, 5, 5, 5], [1, 1, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1])
    assert found.p_value == pytest.approx(one.p_value, rel=1e-12)
    assert np.isnan(found.z[1:3]).all()
    assert found.df == 1


def test_maxcombo_of_events_at_two_times_has_two_tests():
    """With two times the middle test is the late one; three edges, no third dimension."""
    rng = np.random.default_rng(4)
    time = np.repeat([2, 4, 6], 20)
    event, group = np.repeat([1, 1, 0], 20), rng.integers(0, 2, 60)
    found = maxcombo(time, event, group)
    assert found.df == 2
    assert found.z[1] == pytest.approx(found.z[2])
    draws = rng.multivariate_normal(np.zeros(4), found.correlation, size=400_000, tol=1e-6)
    beyond = (np.abs(draws).max(axis=1) >= found.statistic).mean()
    assert found.p_value == pytest.approx(beyond, abs=4 * np.sqrt(beyond / 400_000))


def slow_scores(time, event, group, stratum, entry, weights, rho, gamma):
    """Observed - expected of group 1, and its variance, over risk sets."""
    score = variance = 0.0
    people = list(zip(time, event, group, stratum, entry, weights, strict=True))
    for one in sorted(set(stratum)):
        here, s = [p for p in people if p[3] == one], 1.0
        for t in sorted({p[0] for p in here if p[1]}):
            risk = [p for p in here if p[4] < t <= p[0]]
            n, n1 = sum(p[5] for p in risk), sum(p[5] for p in risk if p[2])
            d = sum(p[5] for p in risk if p[0] == t and p[1])
            d1 = sum(p[5] for p in risk if p[0] == t and p[1] and p[2])
            w = s**rho * (1 - s) ** gamma
            score += w * (d1 - d * n1 / n)
            variance += w**2 * d * n1 / n * (1 - n1 / n) * (n - d) / (n - 1) if n > 1 else 0
            s *= 1 - d / n
    return score, variance


@given(st.integers(0, 10_000), st.sampled_from([(0, 0), (1, 0), (0, 1), (0.5, 2)]))
def test_a_slow_twin_finds_the_same(seed, rho_gamma):
    rng = np.random.default_rng(seed)
    time = rng.integers(1, 9, 25)
    entry = np.minimum(rng.integers(0, 6, 25), time - 1)
    event, group = rng.integers(0, 2, 25), np.arange(25) % 2
    stratum, weights = rng.integers(0, 3, 25), rng.integers(1, 4, 25)
    event[:4], entry[:4], stratum[:4], time[:4] = 1, 0, 0, [3, 3, 5, 5]
    score, variance = slow_scores(time, event, group, stratum, entry, weights, *rho_gamma)
    found = logrank(time, event, group, stratum, *rho_gamma, entry=entry, weights=weights)
    assert found.observed[1] - found.expected[1] == pytest.approx(score, abs=1e-11)
    assert found.covariance[1, 1] == pytest.approx(variance, rel=1e-10)
    assert found.covariance.sum() == pytest.approx(0, abs=1e-10)


@given(st.integers(0, 10_000), st.integers(2, 4))
def test_scale_labels_and_duplicates_do_not_matter(seed, groups):
    rng = np.random.default_rng(seed)
    time, event = rng.integers(1, 9, 40), rng.integers(0, 2, 40)
    event[0] = 1
    group, weights = np.arange(40) % groups, rng.integers(1, 3, 40)
    whole = logrank(time, event, group, weights=weights, rho=1, gamma=0.5)
    names = np.array(["d", "b", "a", "c"])[group]
    others = [
        logrank(time * 0.37, event, group, weights=weights, rho=1, gamma=0.5),
        logrank(time, event, names, weights=weights, rho=1, gamma=0.5),
        logrank(*(np.repeat(x, weights) for x in (time, event, group)), rho=1, gamma=0.5),
    ]
    for other in others:
        assert other.statistic == pytest.approx(whole.statistic, rel=1e-9, abs=1e-12)
        assert other.df == whole.df


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_splitting_follow_up_changes_nothing(seed, cut):
    rng = np.random.default_rng(seed)
    time, event, group = rng.integers(1, 9, 30), np.ones(30, dtype=int), np.arange(30) % 3
    late = time > cut
    split = {
        "time": np.concatenate([np.minimum(time, cut), time[late]]),
        "event": np.concatenate([event * ~late, event[late]]),
        "group": np.concatenate([group, group[late]]),
        "entry": np.concatenate([np.zeros(30), np.full(late.sum(), cut)]),
    }
    whole = logrank(time, event, group, rho=1)
    assert logrank(**split, rho=1).statistic == pytest.approx(whole.statistic, rel=1e-9)


def test_weights_are_left_continuous():
    """Right-continuous ones move the middle test of these data by a tenth."""
    time, event, group = [1, 2, 3, 4, 5, 6], [1] * 6, [0, 1, 0, 1, 1, 0]
    assert logrank(time, event, group, gamma=1).observed.sum() == pytest.approx(
        sum(1 - s for s in (1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6))
    )


def test_sign_says_which_group_has_more_events():
    early_in_b = logrank([5, 6, 7, 8, 1, 2, 3, 4], [1] * 8, list("aaaabbbb"))
    assert early_in_b.z > 0
    assert early_in_b.z**2 == pytest.approx(early_in_b.statistic)
    assert np.isnan(logrank([1, 2, 3], [1] * 3, list("abc")).z)


def test_groups_that_never_meet_cost_a_degree_of_freedom():
    """Group c is alone in its stratum: nothing is known about it."""
    time, event = np.arange(1, 13), np.ones(12)
    group, strata = list("abababab") + list("cccc"), [1] * 8 + [2] * 4
    alone, without = logrank(time, event, group, strata), logrank(time[:8], event[:8], group[:8])
    assert (alone.df, alone.statistic) == (1, pytest.approx(without.statistic))


def test_a_group_with_weight_zero_is_not_there():
    found = logrank([1, 2, 3, 4, 5], [1] * 5, list("ababc"), weights=[1, 1, 1, 1, 0])
    assert found.groups == ("a", "b")
    assert found.df == 1


def test_a_pair_without_events_does_not_count():
    time, event = np.arange(1, 13), np.repeat([1, 0, 0], 4)
    found = pairwise(time, event, np.repeat(list("abc"), 4))
    assert np.isnan(found.p_value[2])
    assert found.adjusted_p_value[:2].min() == pytest.approx(2 * np.nanmin(found.p_value))
    assert "b and c" in found.notes[0]
    assert "holm" in str(found)


def test_adjusted_p_values():
    p = [0.01, 0.04, np.nan, 0.03]
    np.testing.assert_allclose(adjusted(p, "holm"), [0.03, 0.06, np.nan, 0.06])
    np.testing.assert_allclose(adjusted(p, "BH"), [0.03, 0.04, np.nan, 0.04])
    np.testing.assert_allclose(adjusted(p, "bonferroni"), [0.03, 0.12, np.nan, 0.09])
    np.testing.assert_allclose(adjusted(p, "none"), p)


def test_size_of_the_tests():
    """Under the null one in twenty is below 0.05."""
    rng = np.random.default_rng(5)
    group = np.repeat([0, 1], 40)
    p = np.array(
        [
            (lambda t, e: (logrank(t, e, group).p_value, maxcombo(t, e, group).p_value))(
                rng.integers(1, 60, 80), rng.random(80) < 0.7
            )
            for _ in range(300)
        ]
    )
    for column in p.T:
        assert stats.binomtest(int((column < 0.05).sum()), 300, 0.05).pvalue > 1e-3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(group=["a", "a", "a"]), "at least 2 are needed"),
        (dict(group=["a", "b", None]), "is blank"),
        (dict(group=["a", "b"]), "2 values for 3 times"),
        (dict(event=[0, 0, 0]), "nothing to compare"),
        (dict(event=[0, 1, 2]), "allowed: 0 or 1"),
        (dict(rho=-1), "0 or more"),
        (dict(weighting="peta"), "did you mean 'peto'"),
        (dict(weighting="peto", rho=1), "belong to fleming-harrington"),
        (dict(time=[1, 2, 3], entry=[0, 2, 0]), "end after its entry"),
    ],
)
def test_refusals(arguments, said):
    here = {"time": [1, 2, 3], "event": [1, 1, 1], "group": ["a", "b", "a"]} | arguments
    with pytest.raises(InvalidInput, match=said):
        logrank(**here)


def test_refusals_of_the_others():
    with pytest.raises(InvalidInput, match="compares two groups"):
        maxcombo([1, 2, 3], [1, 1, 1], list("abc"))
    with pytest.raises(InvalidInput, match="did you mean 'holm'"):
        pairwise([1, 2, 3], [1, 1, 1], list("abc"), adjust="Holmes")
    with pytest.raises(InvalidInput, match="nothing to compare"):
        maxcombo([1, 2], [0, 0], [0, 1])


def test_labels_that_name_people_are_no_groups():
    with pytest.raises(InvalidInput, match="do these labels name people"):
        logrank(np.arange(1, 601), np.ones(600), np.arange(600))


def test_labels_must_be_as_many_as_the_rows_that_are_not_there_too():
    with pytest.raises(InvalidInput, match="column strata: 2 values for 3 times"):
        logrank([1, 2, 3], [1, 1, 1], [0, 1, 0], [1, 1], weights=[1, 1, 0])
