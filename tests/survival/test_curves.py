"""Kaplan-Meier and Nelson-Aalen: R's numbers, a slow twin, known traps, refusals."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival import kaplan_meier, nelson_aalen

REFERENCE = Path(__file__).parents[1] / "reference"
RTOL = 1e-8


def make_data():
    """The data of survival_nonparametric_data.csv, nasty on purpose."""
    rng = np.random.default_rng(20)

    def people(dataset, size, days, groups, share=0.6, scale=1.0):
        return pd.DataFrame(
            {
                "dataset": dataset,
                "time": np.round(rng.integers(1, days + 1, size) * scale, 2),
                "event": (rng.random(size) < share).astype(int),
                "entry": 0.0,
                "weight": 1.0,
                "group": rng.choice(list(groups), size),
                "stratum": rng.choice(["x", "y", "z"], size),
            }
        )

    ties = people("ties", 60, 9, "abc")
    entry = people("entry", 50, 30, "ab", scale=7)  # weeks: not consecutive
    entry["entry"] = np.floor(entry["time"] * rng.random(50) / 7) * 7
    entry = entry[entry["entry"] < entry["time"]]
    weights = people("weights", 45, 12, "ab").assign(weight=lambda d: rng.integers(0, 4, len(d)))
    strata = people("strata", 60, 15, "abc")
    strata.loc[strata["stratum"] == "x", "event"] = 0  # a stratum without events
    strata = strata[(strata["stratum"] != "y") | (strata["group"] != "c")]
    single = people("single", 30, 8, "ab")
    single.loc[0, ["group", "time"]] = ["c", 8]  # one person in a group
    single.loc[(single["group"] == "b") & (single["time"] > 2), "event"] = 0
    floating = people("floating", 40, 5000, "abc", scale=0.37)
    half = pd.DataFrame(  # S is exactly 3/4, 1/2 and 1/4 on flat pieces
        {"dataset": "half", "time": [2, 3, 5, 9, 11, 11, 12, 14], "event": [1] * 6 + [0, 0]}
    ).assign(entry=0.0, weight=1.0, group="a", stratum="x")
    censored = people("censored", 12, 6, "ab", share=0)
    last = people("last", 15, 5, "a")  # everybody left has the event on the last day
    last.loc[last["time"] == 5, "event"] = 1
    fractional = people("fractional", 30, 10, "ab").assign(
        weight=lambda d: rng.integers(0, 9, len(d)) / 4
    )
    parts = [ties, entry, weights, strata, single, floating, half, censored, last, fractional]
    return pd.concat(parts, ignore_index=True)


@cache
def data():
    return pd.read_csv(REFERENCE / "survival_nonparametric_data.csv")


@cache
def numbers():
    return pd.read_csv(REFERENCE / "survival_nonparametric.csv")


def of(case, quantity):
    """R's numbers `quantity 1`, `quantity 2`, ... of a case."""
    here = numbers()[numbers()["case"] == case]
    found = here[here["quantity"].str.fullmatch(quantity + r" \d+")]["value"].to_numpy()
    assert len(found), (case, quantity)
    return found


def dataset(name):
    here = data()[data()["dataset"] == name]
    entry = here["entry"] if here["entry"].any() else None
    return here["time"], here["event"], entry, here["weight"]


CASES = list(pd.read_csv(REFERENCE / "survival_nonparametric_data.csv")["dataset"].unique())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("conf_type", ["log-log", "log", "plain"])
def test_curves_equal_those_of_r(case, conf_type):
    curve = kaplan_meier(*dataset(case), conf_type)
    at = curve.at(of(case, "time"))
    for column in ("survival", "se", "at_risk"):
        np.testing.assert_allclose(at[column], of(case, column), rtol=RTOL)
    for column in ("lower", "upper"):
        expected = of(case, f"{conf_type} {column}")
        np.testing.assert_allclose(at[column], expected, rtol=RTOL, atol=1e-15)
    quantiles = curve.quantile([0.1, 0.25, 0.5, 0.75])
    for column in ("time", "lower", "upper"):
        name = f"{conf_type} quantile" + ("" if column == "time" else f" {column}")
        if case == "entry" and name == "log-log quantile lower":
            continue  # this band rises once; see the next test
        np.testing.assert_allclose(quantiles[column], of(case, name), rtol=RTOL)


@pytest.mark.parametrize("case", ["ties", "entry", "floating", "strata", "half", "fractional"])
def test_limits_of_the_median_equal_those_of_r(case):
    """With few at risk early a limit can rise; what counts is the first time it is at 1/2."""
    median = kaplan_meier(*dataset(case)).quantile(0.5).iloc[0]
    np.testing.assert_array_equal(median[["lower", "upper"]], of(case, "median limit"))
    if case == "entry":
        lower = kaplan_meier(*dataset(case)).lower
        assert lower[1] > lower[0]
        assert of(case, "log-log quantile lower")[2] == 14 != median["lower"]


@pytest.mark.parametrize("case", CASES)
def test_hazards_equal_those_of_r(case):
    at = nelson_aalen(*dataset(case)).at(of(case, "time"))
    for column, name in (("cumulative_hazard", ""), ("se", "_se")):
        expected = of(case, f"cumulative_hazard{name}")
        np.testing.assert_allclose(at[column], expected, rtol=RTOL)


def test_reference_data_are_these():
    pd.testing.assert_frame_equal(make_data(), data(), check_dtype=False)


@pytest.mark.r
def test_r_gives_these_numbers(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    command = ["Rscript", REFERENCE / "survival_nonparametric.R", REFERENCE, tmp_path]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    fresh = pd.read_csv(tmp_path / "survival_nonparametric.csv")
    pd.testing.assert_frame_equal(fresh, numbers(), rtol=1e-9)


def slow_curve(time, event, entry, weights):
    """S, Greenwood's sum, H and its variance after each distinct time, over risk sets."""
    s, g, h, v = 1.0, 0.0, 0.0, 0.0
    for t in sorted(set(time)):
        risk = sum(w for a, b, w in zip(time, entry, weights, strict=True) if b < t <= a)
        d = sum(w for a, e, w in zip(time, event, weights, strict=True) if a == t and e)
        if d:
            s, h, v = s * (1 - d / risk), h + d / risk, v + d / risk**2
            g += d / (risk * (risk - d)) if risk > d else np.inf
        yield t, risk, s, g, h, v


FOLLOW_UP = st.lists(
    st.tuples(st.integers(1, 8), st.booleans(), st.integers(0, 7), st.integers(1, 3)),
    min_size=1,
    max_size=15,
).map(lambda rows: [(t, e, min(b, t - 1), w) for t, e, b, w in rows])


@given(FOLLOW_UP)
def test_a_slow_twin_finds_the_same(rows):
    time, event, entry, weights = map(list, zip(*rows, strict=True))
    twin = np.array(list(slow_curve(time, event, entry, weights))).T
    curve = kaplan_meier(time, event, entry, weights)
    hazard = nelson_aalen(time, event, entry, weights)
    np.testing.assert_array_equal(curve.time, twin[0])
    np.testing.assert_allclose(curve.at_risk, twin[1], rtol=1e-12)
    np.testing.assert_allclose(curve.survival, twin[2], rtol=1e-12)
    alive = curve.survival > 0
    se = twin[2] * np.sqrt(twin[3], where=alive, out=np.zeros(len(alive)))
    np.testing.assert_allclose(curve.se[alive], se[alive], rtol=1e-12)
    assert np.isnan(curve.se[~alive]).all()
    np.testing.assert_allclose(hazard.cumulative_hazard, twin[4], rtol=1e-12)
    np.testing.assert_allclose(hazard.se, np.sqrt(twin[5]), rtol=1e-12)


@given(FOLLOW_UP, st.floats(0, 9))
def test_numbers_at_risk_between_times(rows, t):
    time, event, entry, weights = map(list, zip(*rows, strict=True))
    curve = kaplan_meier(time, event, entry, weights)
    row = curve.numbers_at_risk(t).iloc[0]
    assert row["at_risk"] == sum(w for a, _, b, w in rows if b < t <= a)
    assert row["events"] == sum(w for a, e, _, w in rows if e and a <= t)
    assert row["censored"] == sum(w for a, e, _, w in rows if not e and a <= t)
    assert curve.at(t)["at_risk"].iloc[0] == row["at_risk"]


@given(FOLLOW_UP, st.floats(0.001, 1000))
def test_scale_order_and_duplicates_do_not_matter(rows, scale):
    time, event, entry, weights = map(np.array, zip(*rows, strict=True))
    curve = kaplan_meier(time, event, entry, weights)
    stretched = kaplan_meier(time * scale, event, entry * scale, weights)
    turned = kaplan_meier(time[::-1], event[::-1], entry[::-1], weights[::-1])
    copied = kaplan_meier(*(np.repeat(one, weights) for one in (time, event, entry)))
    for other in (stretched, turned, copied):
        for name in ("survival", "se", "lower", "upper", "at_risk"):
            np.testing.assert_allclose(getattr(other, name), getattr(curve, name), rtol=1e-9)


@given(FOLLOW_UP, st.integers(1, 7))
def test_splitting_follow_up_changes_nothing(rows, cut):
    split = []
    for t, e, b, w in rows:
        split += [(cut, 0, b, w), (t, e, cut, w)] if b < cut < t else [(t, e, b, w)]
    whole, parts = (kaplan_meier(*map(list, zip(*r, strict=True))) for r in (rows, split))
    events = whole.time[whole.events > 0]
    pd.testing.assert_frame_equal(whole.at(events), parts.at(events), rtol=1e-12)


def test_a_weight_of_zero_is_a_row_that_is_not_there():
    without = kaplan_meier([2, 3, 5], [1, 0, 1])
    with_it = kaplan_meier([2, 3, 5, 9], [1, 0, 1, 1], weights=[1, 1, 1, 0])
    assert with_it.people == 3
    pd.testing.assert_frame_equal(without.summary, with_it.summary)


def test_whole_and_other_times_take_the_same_road():
    rng = np.random.default_rng(1)
    time, event = rng.integers(1, 40, 200), rng.integers(0, 2, 200)
    counted, sorted_ = kaplan_meier(time, event), kaplan_meier(time + 0.5, event)
    np.testing.assert_array_equal(counted.survival, sorted_.survival)
    far = kaplan_meier(time * 1_000_000, event)  # whole, but too far apart to count
    np.testing.assert_array_equal(counted.lower, far.lower)


def test_events_come_before_censorings_at_the_same_time():
    assert kaplan_meier([4, 4, 6], [0, 1, 0]).survival[0] == pytest.approx(2 / 3)


def test_who_enters_on_an_event_day_is_not_at_risk_that_day():
    """Statsmodels counts them."""
    curve = kaplan_meier([5, 9, 9], [1, 0, 0], entry=[0, 0, 5])
    assert curve.at(5)["at_risk"].item() == 2
    assert curve.survival[0] == 0.5


def test_an_event_at_time_zero_counts():
    """Lifelines' Aalen-Johansen loses it."""
    assert kaplan_meier([0, 3], [1, 0]).at(0)["survival"].item() == 0.5


def test_the_default_interval_is_log_log_and_r_default_differs():
    time, event = np.arange(1, 21), np.tile([1, 0], 10)
    lower = kaplan_meier(time, event).at(9)["lower"].item()
    assert lower != pytest.approx(
        kaplan_meier(time, event, None, None, "log").at(9)["lower"].item()
    )
    assert "log-log" in str(kaplan_meier(time, event))


def test_beyond_follow_up_nothing_is_known_unless_all_had_the_event():
    assert np.isnan(kaplan_meier([1, 2], [1, 0]).at(3)["survival"].item())
    assert kaplan_meier([1, 2], [1, 1]).at(3)["survival"].item() == 0
    assert np.isnan(nelson_aalen([1, 2], [1, 1]).at(3)["cumulative_hazard"].item())


def test_the_quantile_is_in_the_middle_where_the_curve_equals_it():
    curve = kaplan_meier([2, 4, 6, 8], [1, 1, 1, 1])
    assert curve.quantile([0.5, 0.4, 0, 1])["time"].tolist() == [5, 4, 0, 8]
    flat_to_the_end = kaplan_meier([2, 4, 6, 8], [1, 1, 0, 0])
    assert flat_to_the_end.quantile(0.5)["time"].item() == 6


def test_gaps_and_early_zeros_are_said():
    gap = kaplan_meier([3, 9], [1, 1], entry=[0, 5])
    assert any("nobody is at risk just after 3" in note for note in gap.notes)
    assert any("S is 0 from 3" in note for note in gap.notes)
    assert any("no event" in note for note in kaplan_meier([1, 2], [0, 0]).notes)
    assert any("not whole" in note for note in kaplan_meier([1, 2], [0, 1], None, [0.5, 2]).notes)


def test_nelson_aalen_limits():
    curve = nelson_aalen([1, 2, 3, 4], [1, 0, 1, 0])
    z = 1.959963984540054
    h, se = curve.cumulative_hazard[-1], curve.se[-1]
    assert (h, se**2) == (pytest.approx(1 / 4 + 1 / 2), pytest.approx(1 / 16 + 1 / 4))
    assert curve.upper[-1] == pytest.approx(h * np.exp(z * se / h))
    plain = nelson_aalen([1, 2, 3, 4], [1, 0, 1, 0], conf_type="plain")
    assert (plain.lower[-1], plain.upper[-1]) == (0, pytest.approx(h + z * se))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(time=[1, 2], event=[1, 2]), "allowed: 0 or 1"),
        (dict(time=[1, np.inf], event=[1, 0]), "finite"),
        (dict(time=[1, 2], event=[1, 0], entry=[0, 2]), "end after its entry"),
        (dict(time=[1, 2], event=[1, 0], weights=[0, 0]), "every weight is 0"),
        (dict(time=[], event=[]), "nobody"),
        (dict(time=[1], event=[1], conf_type="loglog"), "did you mean 'log-log'"),
        (dict(time=[1], event=[1], confidence=95), "between 0 and 1"),
    ],
)
def test_refusals(arguments, said):
    with pytest.raises(InvalidInput, match=said):
        kaplan_meier(**arguments)


@pytest.mark.parametrize("times", [np.nan, ["soon"], [[1, 2], [3, 4]]])
def test_times_that_are_none(times):
    with pytest.raises(InvalidInput, match="column times"):
        kaplan_meier([1, 2], [1, 0]).at(times)


def test_published_values(shared_data):
    lung = pd.read_csv(shared_data / "reference-survival" / "lung.csv")
    expected = {
        1: [0.3360878346, 0.04342358884, 0.2527291433, 0.4213021682, 270, 210, 306],
        2: [0.5264630302, 0.05973685399, 0.4035798233, 0.6353162328, 426, 345, 524],
    }
    for sex, values in expected.items():
        here = lung[lung["sex"] == sex]
        curve = kaplan_meier(here["time"], here["status"] == 2)
        at = curve.at(365)[["survival", "se", "lower", "upper"]].to_numpy()[0]
        median = curve.quantile(0.5)[["time", "lower", "upper"]].to_numpy()[0]
        np.testing.assert_allclose([*at, *median], values, atol=1e-9)
