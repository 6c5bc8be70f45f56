"""Bootstraps and permutations: what is drawn, exact answers, tables of counts against people."""

from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import minimize

from discontinuation.problems import InvalidInput
from discontinuation.survival import bootstrap, kaplan_meier, logrank, permute, rmst
from discontinuation.survival.resampling import counts_by_day

REFERENCE = Path(__file__).parents[1] / "reference"


@cache
def trial(seed=1, size=90, arms="abc", days=30):
    rng = np.random.default_rng(seed)
    group = np.array(list(arms))[np.arange(size) % len(arms)]
    time = rng.integers(1, days, size) + (group == "b") * rng.integers(0, 9, size)
    return time, (rng.random(size) < 0.6).astype(int), group


# ---- the table of counts --------------------------------------------------------------------


@pytest.mark.parametrize("case", ["ties", "weights", "strata", "floating"])
def test_hazard_ratios_equal_those_of_r(case):
    data = pd.read_csv(REFERENCE / "survival_nonparametric_data.csv")
    data = data[data["dataset"] == case]
    numbers = pd.read_csv(REFERENCE / "survival_nonparametric.csv")
    here = numbers[(numbers["case"] == case) & numbers["quantity"].str.match("efron")]["value"]
    table = counts_by_day(data["time"], data["event"], data["group"], data["weight"])
    np.testing.assert_allclose(table.log_hazard_ratios(), here, rtol=1e-8)


def test_a_table_holds_everything():
    time, event, group = trial()
    table = counts_by_day(time, event, group)
    curves = [kaplan_meier(time[group == one], event[group == one]) for one in "abc"]
    for one, curve in enumerate(curves):
        np.testing.assert_allclose(
            table.survival([0, 7, 20])[:, one], curve.at([0, 7, 20])["survival"]
        )
    np.testing.assert_allclose(table.rmst(25, 5), rmst(time, event, group, 25, 5).mean)
    for rho, gamma in ((0, 0), (1, 0), (0, 1), (0.5, 0.5)):
        expected = logrank(time, event, group, None, rho, gamma).statistic
        assert table.logrank(rho, gamma) == pytest.approx(expected, rel=1e-10)
    assert table.at_risk.sum(axis=1)[0] == 90
    assert "90 people" in str(table)


def slow_efron(time, event, group):
    """Log hazard ratios by maximising Efron's likelihood person by person."""
    x = np.array([[g == one for one in np.unique(group)[1:]] for g in group], dtype=float)

    def minus(beta):
        risk = np.exp(x @ beta)
        total = 0.0
        for t in np.unique(time[event == 1]):
            tied, at_risk = (time == t) & (event == 1), risk[time >= t].sum()
            shares = np.arange(tied.sum()) / tied.sum()
            total += (x[tied] @ beta).sum() - np.log(at_risk - shares * risk[tied].sum()).sum()
        return -total

    options = {"xatol": 1e-9, "fatol": 1e-12}
    return minimize(minus, np.zeros(x.shape[1]), method="Nelder-Mead", options=options).x


def test_hazard_ratios_maximise_the_likelihood_person_by_person():
    time, event, group = trial(4, 60)
    found = counts_by_day(time, event, group).log_hazard_ratios()
    np.testing.assert_allclose(found, slow_efron(time, event, group), atol=1e-6)


def test_an_arm_without_events_has_no_hazard_ratio():
    table = counts_by_day([1, 2, 3, 4], [1, 1, 0, 0], list("aabb"))
    assert np.isnan(table.log_hazard_ratios()).all()
    assert np.isnan(counts_by_day([1, 2], [0, 0], list("ab")).logrank())


def test_hazard_ratios_far_apart_are_found():
    rng = np.random.default_rng(6)
    time = np.concatenate([rng.integers(1, 5, 60), rng.integers(1, 400, 60)])
    event, group = np.ones(120), np.repeat([0, 1], 60)
    beta = counts_by_day(time, event, group).log_hazard_ratios()
    assert beta[0] < -3
    np.testing.assert_allclose(beta, slow_efron(time, event, group), atol=1e-5)
    swapped = counts_by_day(time, event, 1 - group)
    np.testing.assert_allclose(swapped.log_hazard_ratios(), -beta, rtol=1e-9)


def test_many_tables_are_computed_like_one():
    time, event, group = trial()
    table = counts_by_day(time, event, group)
    many = table.resampled(5, seed=3)
    assert many.events.shape == (5, len(table.day), 3)
    for one in range(5):
        events, censored = many.events[one], many.censored[one]
        single = type(table)(table.day, table.groups, events, censored)
        np.testing.assert_array_equal(single.rmst(20), many.rmst(20)[one])
        np.testing.assert_array_equal(single.logrank(), many.logrank()[one])
        np.testing.assert_array_equal(single.log_hazard_ratios(), many.log_hazard_ratios()[one])
        np.testing.assert_array_equal(single.survival(9), many.survival(9)[one])
    assert set(many.summary["table"]) == set(range(5))


def test_a_drawn_table_counts_people_like_drawn_people():
    """A table of multiplicities equals the table of the people drawn."""
    time, event, group = trial()
    drawn = np.random.default_rng(2).integers(0, 90, 90)
    weighted = counts_by_day(time, event, group, np.bincount(drawn, minlength=90))
    people = counts_by_day(time[drawn], event[drawn], group[drawn])
    np.testing.assert_array_equal(weighted.events, people.events)
    np.testing.assert_array_equal(weighted.censored, people.censored)


def test_tables_are_drawn_within_arms_or_from_all():
    time, event, group = trial()
    table = counts_by_day(time, event, group)
    within, all_ = (table.resampled(400, seed=1, within_groups=w) for w in (True, False))
    sizes = (within.events + within.censored).sum(axis=1)
    assert (sizes == 30).all()
    sizes = (all_.events + all_.censored).sum(axis=1)
    assert (sizes.sum(axis=1) == 90).all()
    assert sizes[:, 0].std() == pytest.approx(np.sqrt(90 / 3 * 2 / 3), rel=0.15)
    share = within.events.mean(axis=0)
    spread = np.sqrt(table.events * (1 - table.events / 30) / 400)
    assert (np.abs(share - table.events) <= 5 * spread + 1e-12).all()


def test_shuffled_tables_keep_all_margins():
    time, event, group = trial()
    table = counts_by_day(time, event, group)
    many = table.permuted(50, seed=1)
    np.testing.assert_array_equal(
        many.events.sum(axis=2), table.events.sum(axis=1)[None].repeat(50, 0)
    )
    assert ((many.events + many.censored).sum(axis=1) == 30).all()
    assert len(np.unique(many.logrank())) > 40


def test_bootstrap_of_a_table_spreads_like_the_formula():
    time, event, group = trial(2, 600)
    table = counts_by_day(time, event, group)
    drawn = table.resampled(2000, seed=1)
    se = rmst(time, event, group, 25).se
    np.testing.assert_allclose(drawn.rmst(25).std(axis=0), se, rtol=0.06)


def test_what_is_not_known_in_a_replicate_is_not_made_up():
    table = counts_by_day([2, 3, 9], [1, 0, 0])
    drawn = table.resampled(200, seed=1)
    last = (drawn.at_risk[:, 2, 0] == 0) & (drawn.censored[:, 1, 0] > 0)
    assert np.isnan(drawn.rmst(8)[last]).all()
    assert np.isfinite(drawn.rmst(8)[drawn.at_risk[:, 2, 0] > 0]).all()
    assert np.isnan(drawn.survival(5)[last]).all()


def test_tables_want_whole_multiplicities():
    with pytest.raises(InvalidInput, match="whole numbers"):
        counts_by_day([1, 2], [1, 0], None, [0.5, 1])
    with pytest.raises(InvalidInput, match="start < horizon"):
        counts_by_day([1, 2], [1, 0]).rmst(1, 2)
    many = counts_by_day([1, 2], [1, 0]).resampled(3, seed=1)
    with pytest.raises(InvalidInput, match="one table"):
        many.permuted(3, seed=1)


# ---- bootstrap ------------------------------------------------------------------------------


def test_a_mean_spreads_as_it_should():
    x = np.random.default_rng(1).normal(size=80)
    found = bootstrap(lambda drawn: drawn @ x / drawn.sum(), 80, seed=2, replicates=3000)
    assert found.estimate[0] == pytest.approx(x.mean())
    assert found.se[0] == pytest.approx(x.std() / np.sqrt(80), rel=0.05)
    np.testing.assert_allclose(
        [found.lower[0], found.upper[0]], np.quantile(found.replicates, [0.025, 0.975])
    )
    again = bootstrap(lambda drawn: drawn @ x / drawn.sum(), 80, seed=2, replicates=3000)
    np.testing.assert_array_equal(found.replicates, again.replicates)


def test_each_draw_has_as_many_people_as_there_are():
    seen = []
    strata = np.repeat(["x", "y", "z"], [10, 25, 5])
    shuffled = np.random.default_rng(1).permutation(strata)
    bootstrap(lambda drawn: seen.append(drawn) or 0.0, 40, seed=1, replicates=50, strata=shuffled)
    sizes = np.array([[drawn[shuffled == s].sum() for s in "xyz"] for drawn in seen])
    assert (sizes == [10, 25, 5]).all()
    draws = np.array(seen[1:])
    assert len(np.unique(draws, axis=0)) == 50
    spread = (1 - 1 / 25) / 25  # of the mean number of times in 25 draws of 25
    assert np.abs(draws[:, shuffled == "y"].mean() - 1) < 1e-12
    assert draws[:, shuffled == "y"].var() == pytest.approx(25 * spread, rel=0.2)


def test_clusters_are_drawn_whole():
    seen = []
    cluster = np.random.default_rng(1).permutation(np.repeat(np.arange(8), 5))
    strata = cluster % 2
    bootstrap(
        lambda drawn: seen.append(drawn) or 0.0,
        40, seed=1, replicates=40, cluster=cluster, strata=strata,
    )  # fmt: skip
    for drawn in seen:
        times = [set(drawn[cluster == one]) for one in range(8)]
        assert all(len(one) == 1 for one in times)
        assert sum(one.pop() for one in times[::2]) == 4


def test_clusters_that_are_alike_widen_the_interval():
    value = np.repeat(np.random.default_rng(3).normal(size=12), 10)
    mean = lambda drawn: drawn @ value / drawn.sum()  # noqa: E731
    people = bootstrap(mean, 120, seed=1, replicates=500)
    clusters = bootstrap(mean, 120, seed=1, replicates=500, cluster=np.repeat(range(12), 10))
    assert clusters.se[0] == pytest.approx(people.se[0] * np.sqrt(10), rel=0.15)
    assert "120 people in 12 clusters" in str(clusters)


def test_any_function_with_weights_can_be_bootstrapped():
    time, event, group = trial()
    found = bootstrap(
        lambda drawn: pd.Series(
            rmst(time, event, group, 20, weights=drawn).difference, index=["b - a", "c - a"]
        ),
        90, seed=1, replicates=200, strata=group,
    )  # fmt: skip
    assert found.names == ("b - a", "c - a")
    table = counts_by_day(time, event, group).resampled(2000, seed=1).rmst(20)
    np.testing.assert_allclose(found.se, (table[:, 1:] - table[:, :1]).std(axis=0), rtol=0.2)


def test_replicates_that_cannot_be_computed_are_counted():
    time, event, group = np.arange(1, 9), [1, 0, 0, 0, 0, 0, 0, 0], list("abababab")
    found = bootstrap(
        lambda drawn: logrank(time, event, group, weights=drawn).statistic,
        8, seed=1, replicates=300,
    )  # fmt: skip
    assert found.failed == np.isnan(found.replicates).sum()
    # At least the samples without the one person who had the event: (7/8)**8 of them.
    assert stats.binomtest(found.failed, 300, (7 / 8) ** 8, alternative="less").pvalue > 1e-3
    assert np.isfinite(found.lower[0])
    assert f"{found.failed} of them could not be computed" in str(found)


# ---- permutation ----------------------------------------------------------------------------


def test_the_p_value_approaches_that_of_all_permutations():
    value = np.array([0.3, 1.1, 2.9, 0.2, 4.0, 3.1, 0.7, 5.2])
    group = np.array([0, 0, 0, 0, 1, 1, 1, 1])

    def difference(labels):
        return value[labels == 1].mean() - value[labels == 0].mean()

    observed = difference(group)
    everything = [
        difference(np.isin(np.arange(8), chosen).astype(int))
        for chosen in combinations(range(8), 4)
    ]
    exact = np.mean(np.abs(everything) >= abs(observed) - 1e-9)
    found = permute(difference, group, seed=1, permutations=4000)
    assert found.statistic == pytest.approx(observed)
    assert found.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 4000))


def test_labels_are_shuffled_within_strata():
    group = np.array(list("aab" * 10))
    strata = np.repeat(["x", "y"], 15)
    seen = []
    permute(
        lambda labels: seen.append(labels.copy()) or 1.0,
        group,
        seed=1,
        permutations=30,
        strata=strata,
    )
    for labels in seen:
        for one in ("x", "y"):
            assert sorted(labels[strata == one]) == sorted(group[strata == one])
    assert len({"".join(labels) for labels in seen}) > 25


def test_clusters_swap_their_group():
    cluster = np.random.default_rng(1).permutation(np.repeat(np.arange(10), 3))
    group = np.array(list("ab"))[cluster % 2]
    seen = []
    permute(
        lambda labels: seen.append(labels.copy()) or 1.0,
        group,
        seed=1,
        permutations=20,
        cluster=cluster,
    )
    for labels in seen:
        by_cluster = [set(labels[cluster == one]) for one in range(10)]
        assert all(len(one) == 1 for one in by_cluster)
        assert sum(one == {"a"} for one in by_cluster) == 5


def test_under_the_null_p_values_are_uniform():
    rng = np.random.default_rng(7)
    p_values = []
    for seed in range(100):
        time = rng.integers(1, 30, 30)
        table = counts_by_day(time, np.ones(30), np.arange(30) % 2)
        shuffled = table.permuted(99, seed=seed).logrank()
        p_values.append((1 + (shuffled >= table.logrank() - 1e-12).sum()) / 100)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3


def test_permutation_of_a_log_rank_test_agrees_with_chi_square():
    time, event, group = trial(8, 120, "ab")
    statistic = lambda labels: logrank(time, event, labels).statistic  # noqa: E731
    found = permute(statistic, group, seed=1, permutations=500)
    assert found.p_value == pytest.approx(logrank(time, event, group).p_value, abs=0.08)
    assert found.failed == 0
    assert "500 permutations of 120 labels" in str(found)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: bootstrap(np.mean, 0, seed=1), "at least 1"),
        (lambda: bootstrap(np.mean, 4, seed=1, replicates=1), "at least 2"),
        (lambda: bootstrap(np.mean, 4, seed=1, confidence=95), "between 0 and 1"),
        (lambda: bootstrap(np.mean, 4, seed=1, cluster=[1, 2]), "2 values for 4 times"),
        (
            lambda: bootstrap(np.mean, 4, seed=1, cluster=[1, 1, 2, 2], strata=list("abab")),
            "in two strata",
        ),
        (lambda: permute(np.mean, [1, 1, 1], seed=1), "at least 2 are needed"),
        (lambda: permute(np.mean, [1, 2, 1], seed=1, cluster=[1, 1, 2]), "in two groups"),
        (lambda: permute(np.mean, [1, 2], seed=1, permutations=0), "at least 1"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(InvalidInput, match=said):
        call()
