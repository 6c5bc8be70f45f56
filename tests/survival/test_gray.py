"""Gray's test equals cmprsk, and the sums of its paper."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival import gray_test, read_result, write_result
from survival.competing_reference import case_data, values_of


def test_every_case_equals_cmprsk():
    compared = 0
    for case in ("ties", "last day", "no censoring", "codes", "one person", "eventless stratum"):
        d = case_data(case)
        p_values = values_of(case, "gray p")
        for ((kind, rho, cause), statistic), (_, p) in zip(
            values_of(case, "gray"), p_values, strict=True
        ):
            strata = d["stratum"] if kind == "stratified" else None
            found = gray_test(d["stop"], d["cause"], d["group"], strata, float(rho)).summary
            row = found.set_index("cause").loc[int(cause)]
            # R says -1 where it cannot invert the variance.
            if statistic == -1:
                assert np.isnan(row["statistic"])
                continue
            assert row["statistic"] == pytest.approx(statistic, rel=1e-10)
            assert row["p_value"] == pytest.approx(p, rel=1e-9)
            compared += 1
    assert compared >= 20


def test_mgus2_values(shared_data):
    d = pd.read_csv(shared_data / "reference-survival" / "mgus2.csv")
    first = d["pstat"] == 0
    time = np.where(first, d["futime"], d["ptime"])
    cause = np.where(first, 2 * d["death"], 1)
    found = gray_test(time, cause, d["sex"]).summary
    np.testing.assert_allclose(found["statistic"], [1.194507825, 11.65125901], rtol=1e-9)
    np.testing.assert_allclose(found["p_value"], [0.2744221568, 0.0006415909764], rtol=1e-8)
    assert list(found.columns) == ["cause", "statistic", "df", "p_value"]


def readable(time, cause, group, of, rho):
    """Score and variance of Gray (1988), time by time and group by group."""
    groups = len(np.unique(group))
    free, incidence = np.ones(groups), np.zeros(groups)
    pooled, score = 0.0, np.zeros(groups)
    moments = []  # (a, u, variance, c at the time) of each martingale increment
    c = np.zeros((groups, groups))
    for t in np.unique(time[cause > 0]):
        y = np.array([((time >= t) & (group == g)).sum() for g in range(groups)])
        here = (time == t) & (cause > 0)
        own = np.array([(here & (group == g) & (cause == of)).sum() for g in range(groups)])
        all_events = np.array([(here & (group == g)).sum() for g in range(groups)])
        at = np.flatnonzero(y)
        h = np.array([y[g] / free[g] if y[g] else 0.0 for g in range(groups)])
        r = h * (1 - incidence)
        d = own.sum()
        score += (1 - pooled) ** rho * (own - d * r / r.sum())
        a = (1 - pooled) ** rho * (np.diag(h) - np.outer(h, h) / h.sum())
        c = c + a * d / (h.sum() * (1 - pooled))
        left = free.copy()
        for g in at:
            incidence[g] += free[g] * own[g] / y[g]
            left[g] = free[g] * (y[g] - all_events[g]) / y[g]
        pooled += d / h.sum()
        for g in at:
            ratio = (1 - pooled) / left[g] if left[g] > 0 else 0.0
            if d:
                ties = 1 - (d - 1) / (h.sum() * free[g] - 1) if d > 1 else 1.0
                moments.append((a[:, g], 1 - ratio, ties * d / (h.sum() * h[g]), c, g))
            others = all_events[g] - own[g]
            if others and left[g] > 0:
                ties = 1 - (others - 1) / (y[g] - 1) if others > 1 else 1.0
                moments.append((0 * h, -ratio, ties * others / h[g] ** 2, c, g))
        free = left
    variance = np.zeros((groups, groups))
    for direct, u, size, before, g in moments:
        integrand = direct + u * (c - before)[:, g]
        variance += size * np.outer(integrand, integrand)
    return score[:-1], variance[:-1, :-1]


@st.composite
def trials(draw):
    people = draw(st.integers(10, 40))
    numbers = st.lists(st.integers(1, 7), min_size=people, max_size=people)
    time, cause = np.array(draw(numbers), dtype=float), np.array(draw(numbers)) % 3
    group = np.array(draw(numbers)) % 3
    cause[:2], group[:3] = [1, 2], [0, 1, 2]
    return time, cause, group


@given(trials(), st.sampled_from([0, 0.5, 1]))
def test_arrays_equal_the_sums_of_the_paper(trial, rho):
    time, cause, group = trial
    found = gray_test(time, cause, group, rho=rho)
    for number, of in enumerate(found.causes):
        score, variance = readable(time, cause, group, of, rho)
        np.testing.assert_allclose(found.score[number], score, atol=1e-11)
        np.testing.assert_allclose(found.variance[number], variance, atol=1e-10)


@given(trials())
def test_order_units_and_labels_do_not_matter(trial):
    time, cause, group = trial
    base = gray_test(time, cause, group)
    order = np.random.default_rng(2).permutation(len(time))
    for other in (
        gray_test(time[order], cause[order], group[order]),
        gray_test(time / 365.25, cause, group),
        gray_test(time, cause, np.array(["z", "m", "a"])[group]),
    ):
        np.testing.assert_allclose(other.statistic, base.statistic, rtol=1e-7, atol=1e-9)
    relabelled = gray_test(time, np.array([0, 9, 4])[cause], group)
    np.testing.assert_allclose(relabelled.statistic[::-1], base.statistic, rtol=1e-9)


def test_equal_groups_do_not_differ_and_strata_add_up():
    d = case_data("ties")
    time, cause = np.tile(d["stop"], 2), np.tile(d["cause"], 2)
    group = np.repeat(["a", "b"], len(d))
    same = gray_test(time, cause, group)
    np.testing.assert_allclose(same.statistic, 0, atol=1e-20)
    np.testing.assert_allclose(same.p_value, 1)
    layers = np.tile(d["stratum"], 2)
    whole = gray_test(d["stop"], d["cause"], d["group"], d["stratum"])
    parts = [
        gray_test(part["stop"], part["cause"], part["group"]) for _, part in d.groupby("stratum")
    ]
    np.testing.assert_allclose(whole.score, sum(part.score for part in parts))
    np.testing.assert_allclose(whole.variance, sum(part.variance for part in parts))
    assert gray_test(time, cause, group, layers).strata == 2


def test_size_under_the_null_and_power_under_a_difference():
    rng = np.random.default_rng(5)
    rejected = []
    for ratio in (1, 2):
        p = []
        for _ in range(150):
            group = rng.integers(0, 2, 150)
            first = rng.exponential(1 / np.where(group == 1, ratio, 1))
            other, censored = rng.exponential(1.5, 150), rng.exponential(3, 150)
            time = np.minimum.reduce([first, other, censored])
            cause = np.where(time == first, 1, np.where(time == other, 2, 0))
            p.append(gray_test(time, cause, group).p_value[0])
        rejected.append(np.mean(np.array(p) < 0.05))
    assert rejected[0] < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
    assert rejected[1] > 0.6


def test_a_group_never_at_risk_leaves_no_test():
    result = gray_test([1, 5, 6, 7], [0, 1, 0, 1], ["a", "b", "c", "c"])
    assert np.isnan(result.statistic).all()
    assert "not positive" in result.note
    assert result.note in str(result)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": ["a", "a", "a", "a"]}, "at least 2 are needed"),
        ({"cause": [0, 0, 0, 0]}, "no event of any cause"),
        ({"cause": [1, 2, -1, 0]}, "the cause"),
        ({"strata": ["s", "s", None, "s"]}, "blank"),
        ({"rho": np.inf}, "finite"),
        ({"time": [1, 2, 3]}, "4 values for 3 times"),
    ],
)
def test_refusals(change, message):
    asked = {"time": [1, 2, 3, 4], "cause": [1, 2, 1, 0], "group": list("abab"), **change}
    with pytest.raises(InvalidInput, match=message):
        gray_test(**asked)


@pytest.mark.parametrize("ending", ["json", "parquet"])
def test_results_can_be_stored(tmp_path, ending):
    d = case_data("ties")
    result = gray_test(d["stop"], d["cause"], d["group"], d["stratum"])
    write_result(result, tmp_path / f"gray.{ending}")
    assert str(read_result(tmp_path / f"gray.{ending}")) == str(result)
    assert "150 people" in str(result)
    assert "2 strata" in str(result)
