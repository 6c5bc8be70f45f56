"""Cumulative incidences equal R's, and are right where libraries break ties at random."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival import aalen_johansen, read_result, time_lost, write_result
from survival.competing_reference import REFERENCE, case_data, numbers, values_of

EXACT = {"rtol": 1e-8, "atol": 1e-13}


@st.composite
def follow_ups(draw):
    """Time, cause and group of a few people, with many ties."""
    people = draw(st.integers(6, 40))
    numbers = st.lists(st.integers(1, 8), min_size=people, max_size=people)
    time = np.array(draw(numbers), dtype=float)
    cause = np.array(draw(numbers)) % 3
    cause[:2] = 1, 2
    return time, cause, np.array(draw(numbers)) % 2


def fit_case(case, **options):
    d = case_data(case)
    entry = d["start"] if (d["start"] > 0).any() else None
    weights = d["weight"] if case == "weights" else None
    return aalen_johansen(
        d["stop"], d["cause"], d["group"], entry=entry, weights=weights, **options
    )


def looked_up(result, column, keys):
    """One number of `result.at` for each (group, cause, time)."""
    frame = result.at(np.unique([float(key[2]) for key in keys]))
    indexed = frame.set_index(["group", "cause", "time"])[column]
    return [indexed[group, int(cause), float(time)] for group, cause, time in keys]


CASES = ["ties", "last day", "no censoring", "weights", "codes"]


@pytest.mark.parametrize(
    ("case", "column"),
    [("entry", "probability"), *((case, name) for case in CASES for name in ("probability", "se"))],
)
def test_curve_equals_survfit(case, column):
    keys, expected = zip(*values_of(case, column), strict=True)
    # survfit carries a curve on beyond the follow-up of its group; here it is unknown.
    found = np.array(looked_up(fit_case(case), column, keys))
    known = ~np.isnan(found)
    assert known.mean() > 0.7
    np.testing.assert_allclose(found[known], np.array(expected)[known], **EXACT)


def test_greenwood_with_late_entry_equals_kaplan_meier():
    d = case_data("entry")
    together = aalen_johansen(d["stop"], d["cause"] > 0, d["group"], entry=d["start"])
    keys, expected = zip(*values_of("entry", "se of all causes"), strict=True)
    np.testing.assert_allclose(looked_up(together, "se", keys), expected, **EXACT)


@pytest.mark.parametrize("conf_type", ["log-log", "log", "plain"])
@pytest.mark.parametrize("side", ["lower", "upper"])
@pytest.mark.parametrize("case", ["ties", "last day", "codes"])
def test_limits_equal_survfit(case, side, conf_type):
    keys, expected = zip(*values_of(case, f"{side} {conf_type}"), strict=True)
    found = looked_up(fit_case(case, conf_type=conf_type), side, keys)
    np.testing.assert_allclose(found, expected, **EXACT)


@pytest.mark.parametrize("case", ["ties", "last day", "no censoring", "codes"])
def test_aalen_variance_equals_cuminc(case):
    keys, expected = zip(*values_of(case, "variance"), strict=True)
    found = np.square(looked_up(fit_case(case, variance="aalen"), "se", keys))
    np.testing.assert_allclose(found, expected, **EXACT)


@pytest.mark.parametrize("case", ["ties", "last day", "no censoring", "codes"])
def test_time_lost_equals_the_area_and_jackknife_of_survfit(case):
    d = case_data(case)
    keys, expected = zip(*values_of(case, "time lost"), strict=True)
    se = [value for _, value in values_of(case, "time lost se")]
    found = time_lost(d["stop"], d["cause"], d["group"], horizon=float(keys[0][2])).summary
    indexed = found.set_index(["group", "cause"])
    rows = [(group, int(cause)) for group, cause, _ in keys]
    np.testing.assert_allclose(indexed.loc[rows, "time_lost"], expected, **EXACT)
    np.testing.assert_allclose(indexed.loc[rows, "se"], se, **EXACT)


@pytest.mark.r
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not on this machine")
def test_r_still_says_so(tmp_path):
    for name in ("survival_competing.R", "survival_competing_data.csv"):
        shutil.copy(REFERENCE / name, tmp_path)
    subprocess.run(
        ["Rscript", tmp_path / "survival_competing.R", tmp_path], check=True, capture_output=True
    )
    fresh = pd.read_csv(tmp_path / "survival_competing.csv")
    assert list(fresh["quantity"]) == list(numbers()["quantity"])
    np.testing.assert_allclose(fresh["value"], numbers()["value"], rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="session")
def mgus2(shared_data):
    d = pd.read_csv(shared_data / "reference-survival" / "mgus2.csv")
    first = d["pstat"] == 0
    return d.assign(
        time=np.where(first, d["futime"], d["ptime"]),
        cause=np.where(first, 2 * d["death"], 1),
        male=(d["sex"] == "M").astype(float),
    )


def test_mgus2_values(mgus2):
    result = aalen_johansen(mgus2["time"], mgus2["cause"], mgus2["sex"])
    at = result.at([120]).set_index(["group", "cause"])
    np.testing.assert_allclose(
        at["probability"], [0.07388566438, 0.4804900458, 0.05531024065, 0.5751784889], rtol=1e-9
    )
    np.testing.assert_allclose(at["se"].iloc[::2], [0.01076979738, 0.008644316552], rtol=1e-9)
    aalen = aalen_johansen(mgus2["time"], mgus2["cause"], mgus2["sex"], variance="aalen")
    se = aalen.at([120])["se"].iloc[::2]
    np.testing.assert_allclose(se**2, [0.0001162397817, 7.487352964e-05], rtol=1e-9)
    naive = aalen_johansen(mgus2["time"], mgus2["cause"] == 1, mgus2["sex"]).at([120])
    np.testing.assert_allclose(naive["probability"], [0.1030109110, 0.08822481744], rtol=1e-9)


def readable(time, cause, of, at):
    """Incidence and its variance at a time, as the formulas are written (methods D8)."""
    distinct = [t for t in np.unique(time[cause > 0]) if t <= at]
    steps, free, incidence = [], 1.0, 0.0
    for t in distinct:
        n = int((time >= t).sum())
        d = int(((time == t) & (cause > 0)).sum())
        own = int(((time == t) & (cause == of)).sum())
        incidence += free * own / n
        steps.append((incidence, free, n, d, own))
        free *= 1 - d / n
    variance = 0.0
    for reached, before, n, d, own in steps:
        rise = incidence - reached
        variance += before**2 * own * (n - own) / n**3 - 2 * rise * before * own / n**2
        variance += rise**2 * d / (n * (n - d)) if n > d else 0.0
    return incidence, variance


@given(follow_ups())
def test_one_pass_equals_the_formulas_as_written(people):
    time, cause, _ = people
    found = aalen_johansen(time, cause).at([3, 8])
    for row in found.dropna().itertuples():
        incidence, variance = readable(time, cause, row.cause, row.time)
        assert row.probability == pytest.approx(incidence, abs=1e-13)
        assert row.se**2 == pytest.approx(variance, abs=1e-13)


@given(follow_ups())
def test_incidences_add_up_to_what_kaplan_meier_leaves(people):
    time, cause, group = people
    result = aalen_johansen(time, cause, group)
    total = result.probability.sum(axis=1) + result.event_free
    np.testing.assert_allclose(total, 1, atol=1e-12)
    together = aalen_johansen(time, cause > 0, group)
    np.testing.assert_allclose(result.event_free, together.event_free, atol=1e-12)
    np.testing.assert_allclose(together.event_free, 1 - together.probability[:, 0], atol=1e-12)


@given(follow_ups(), st.sampled_from(["greenwood", "aalen"]))
def test_order_units_labels_and_duplicates(people, variance):
    time, cause, group = people
    base = aalen_johansen(time, cause, group, variance=variance)
    order = np.random.default_rng(1).permutation(len(time))
    mixed = aalen_johansen(time[order], cause[order], group[order], variance=variance)
    years = aalen_johansen(time / 365.25, cause, group, variance=variance)
    other = aalen_johansen(time, np.array([0, 7, 3])[cause], group, variance=variance)
    swapped = aalen_johansen(time, cause, 1 - group, variance=variance)
    for curves in (mixed, years):
        np.testing.assert_allclose(curves.probability, base.probability, atol=1e-12)
        np.testing.assert_allclose(curves.se, base.se, atol=1e-9)
    assert other.causes == (3, 7)
    np.testing.assert_allclose(other.probability[:, ::-1], base.probability, atol=1e-14)
    np.testing.assert_allclose(swapped.se[::-1], base.se, atol=1e-14)
    twice = np.concatenate([np.arange(len(time)), np.arange(len(time))])
    repeated = aalen_johansen(time[twice], cause[twice], group[twice], variance=variance)
    weights = np.full(len(time), 2.0)
    weighted = aalen_johansen(time, cause, group, weights=weights, variance=variance)
    np.testing.assert_allclose(weighted.probability, repeated.probability, atol=1e-13)
    np.testing.assert_allclose(weighted.se, repeated.se, atol=1e-9)


@given(follow_ups(), st.floats(0.5, 7.5))
def test_splitting_follow_up_changes_nothing(people, cut):
    time, cause, group = people
    later = time > cut
    start = np.concatenate([np.zeros(len(time)), np.full(later.sum(), cut)])
    stop = np.concatenate([np.minimum(time, cut), time[later]])
    what = np.concatenate([np.where(later, 0, cause), cause[later]])
    which = np.concatenate([group, group[later]])
    split = aalen_johansen(stop, what, which, entry=start)
    whole = aalen_johansen(time, cause, group)
    np.testing.assert_array_equal(split.time, whole.time)
    np.testing.assert_allclose(split.probability, whole.probability, atol=1e-13)
    np.testing.assert_allclose(split.se, whole.se, atol=1e-9)


def test_whole_numbers_and_fractions_are_counted_alike():
    d = case_data("ties")
    counted = aalen_johansen(d["stop"], d["cause"], d["group"])
    # 1e9 days apart is too far to count, halves are not whole: both are sorted instead.
    for time in (d["stop"] * 1e9, d["stop"] + 0.5):
        ranked = aalen_johansen(time, d["cause"], d["group"])
        np.testing.assert_array_equal(ranked.probability, counted.probability)
        np.testing.assert_array_equal(ranked.se, counted.se)


def test_events_on_the_last_day_share_its_risk_set():
    """The trap of ties broken at random: 30 events among 100 who reach the last day."""
    time = np.r_[np.full(100, 10.0), np.full(100, 365.0)]
    cause = np.r_[np.ones(100), np.ones(20), np.full(10, 2), np.zeros(70)].astype(int)
    ends = aalen_johansen(time, cause).at([365]).set_index("cause")["probability"]
    assert ends[1] == pytest.approx(0.5 + 0.5 * 0.2)
    assert ends[2] == pytest.approx(0.5 * 0.1)


def test_standard_error_stays_once_everybody_has_failed():
    result = aalen_johansen([1, 2, 3, 3], [1, 2, 1, 2])
    ends = result.at([3, 50])
    assert np.isfinite(ends["se"]).all()
    np.testing.assert_array_equal(ends["se"][:2], ends["se"][2:])
    np.testing.assert_allclose(ends["probability"], 0.5)
    # Without censoring each incidence is a binomial proportion.
    np.testing.assert_allclose(ends["se"], np.sqrt(0.25 / 4))


def test_events_at_time_0_count_and_before_them_nothing_has_happened():
    ends = aalen_johansen([0, 0, 5, 9], [1, 0, 1, 0]).at([0, 4, 5])
    np.testing.assert_allclose(ends["probability"], [0.25, 0.25, 0.625])
    assert aalen_johansen([2, 3], [1, 0]).at([1])["probability"][0] == 0


def test_beyond_the_follow_up_of_a_group_nothing_is_known():
    result = aalen_johansen([1, 5, 2, 9], [1, 0, 1, 0], ["a", "a", "b", "b"])
    ends = result.at([5, 6]).set_index(["group", "time"])["probability"]
    assert np.isnan(ends["a", 6.0])
    assert ends["a", 5.0] == ends["b", 6.0] == 0.5


def test_limits_lie_around_the_estimate_and_within_0_and_1():
    d = case_data("ties")
    for conf_type in ("complementary log-log", "log-log", "log", "plain"):
        result = aalen_johansen(d["stop"], d["cause"], d["group"], conf_type=conf_type)
        s = result.summary.dropna()
        assert (s["lower"] <= s["probability"]).all()
        assert (s["probability"] <= s["upper"]).all()
        assert (s["lower"] >= 0).all()
        assert (s["upper"] <= 1).all()
        assert conf_type in str(result)


def test_complementary_log_log_is_the_log_log_interval_of_freedom_from_the_cause():
    only = aalen_johansen([1, 2, 3, 4, 5], [1, 0, 1, 0, 1]).at([3]).iloc[0]
    free = 1 - only["probability"]
    factor = np.exp(1.959963984540054 * only["se"] / (free * abs(np.log(free))))
    assert only["lower"] == pytest.approx(1 - free ** (1 / factor))
    assert only["upper"] == pytest.approx(1 - free**factor)


def test_an_emptied_risk_set_is_noted():
    result = aalen_johansen([1, 5, 6], [1, 1, 2], entry=[0, 2, 2])
    assert "entered later" in result.note
    assert result.note in str(result)
    np.testing.assert_allclose(result.at([6])["probability"], [1, 0])


def test_large_samples_find_the_truth():
    rng = np.random.default_rng(3)
    time = rng.exponential(1 / 0.03, 40_000)
    cause = np.where(rng.random(40_000) < 1 / 3, 1, 2)
    censoring = rng.exponential(50, 40_000)
    seen = np.where(time <= censoring, cause, 0)
    ends = aalen_johansen(np.minimum(time, censoring), seen).at([20, 60])
    truth = np.outer(1 - np.exp(-0.03 * np.array([20, 60])), [1 / 3, 2 / 3]).ravel()
    assert (np.abs(ends["probability"] - truth) < 3.5 * ends["se"]).all()
    lost = time_lost(np.minimum(time, censoring), seen, horizon=60).summary
    area = (60 - (1 - np.exp(-0.03 * 60)) / 0.03) * np.array([1 / 3, 2 / 3])
    assert (np.abs(lost["time_lost"] - area) < 3.5 * lost["se"]).all()


@given(follow_ups(), st.floats(0.5, 3))
def test_time_lost_and_time_free_of_events_add_up(people, horizon):
    time, cause, group = people
    time[:2], group[:2] = 8, [0, 1]
    found = time_lost(time, cause, group, horizon=horizon)
    np.testing.assert_allclose(found.lost.sum(axis=1) + found.event_free, horizon, atol=1e-12)
    grid = np.linspace(0, horizon, 2001)[1:] - horizon / 4000
    curve = aalen_johansen(time, cause, group).at(grid)
    area = curve.groupby(["group", "cause"])["probability"].mean() * horizon
    np.testing.assert_allclose(found.lost.ravel(), area, atol=0.01)


def test_differences_in_time_lost():
    d = case_data("ties")
    found = time_lost(d["stop"], d["cause"], d["group"], horizon=9)
    frame = found.differences
    assert list(frame["group"].unique()) == ["gradual", "maintain"]
    assert (frame["reference"] == "abrupt").all()
    np.testing.assert_allclose(frame["difference"][:2], found.lost[1] - found.lost[0])
    np.testing.assert_allclose(frame["se"][:2] ** 2, found.se[1] ** 2 + found.se[0] ** 2)
    assert "Differences" in str(found)
    alone = time_lost(d["stop"], d["cause"], horizon=9)
    assert alone.differences.empty
    assert "group" not in alone.summary


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cause": [0, 0, 0, 0]}, "no event of any cause"),
        ({"cause": [0, 1.5, 2, 1]}, "the cause"),
        ({"cause": [0, -1, 2, 1]}, "the cause"),
        ({"time": [1, 2, np.nan, 4]}, "finite number"),
        ({"time": [1, 2, 3]}, "4 values for 3 times"),
        ({"entry": [0, 0, 3, 0]}, "must end after its entry"),
        ({"weights": [1, 1, -1, 1]}, "0 or more"),
        ({"weights": [0, 0, 0, 0]}, "weight above 0"),
        ({"group": ["a", None, "b", "b"]}, "blank"),
        ({"variance": "grenwood"}, "did you mean 'greenwood'"),
        ({"conf_type": "loglog"}, "did you mean 'log-log'"),
        ({"confidence": 95}, "between 0 and 1"),
    ],
)
def test_refusals(change, message):
    given_ = {"time": [1, 2, 3, 4], "cause": [0, 1, 2, 1], **change}
    with pytest.raises(InvalidInput, match=message):
        aalen_johansen(**given_)


@pytest.mark.parametrize(("horizon", "message"), [(9, "group a .* to 5"), (0, "above 0")])
def test_time_lost_refuses_a_horizon_beyond_what_is_known(horizon, message):
    with pytest.raises(InvalidInput, match=message):
        time_lost([1, 5, 2, 9], [1, 0, 1, 0], ["a", "a", "b", "b"], horizon=horizon)


def test_times_asked_for_must_be_numbers():
    result = aalen_johansen([1, 2], [1, 0])
    for times in ([np.nan], ["soon"], [[1, 2]]):
        with pytest.raises(InvalidInput, match="finite numbers"):
            result.at(times)


def test_weight_0_is_no_row_even_if_it_was_a_whole_group():
    result = aalen_johansen([1, 2, 3], [1, 2, 1], ["a", "a", "b"], weights=[1, 1, 0])
    assert result.groups == ("a",)
    np.testing.assert_array_equal(result.people, [2])
    np.testing.assert_array_equal(result.time, [1, 2])


@pytest.mark.parametrize("ending", ["json", "parquet"])
def test_results_can_be_stored(tmp_path, ending):
    d = case_data("ties")
    curve = aalen_johansen(d["stop"], d["cause"], d["group"])
    lost = time_lost(d["stop"], d["cause"], horizon=9)
    for result in (curve, lost):
        path = tmp_path / f"{type(result).__name__}.{ending}"
        write_result(result, path)
        again = read_result(path)
        pd.testing.assert_frame_equal(again.summary, result.summary)
        assert str(again) == str(result)


def test_nothing_is_uncertain_once_everybody_has_failed_of_one_cause():
    end = aalen_johansen([3, 6, 23, 31], [0, 1, 1, 1]).at([31]).iloc[0]
    assert (end["probability"], end["se"]) == (1, 0)
