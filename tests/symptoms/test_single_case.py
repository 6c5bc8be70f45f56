"""One person: levels with honest intervals, missing days, and a test only where days were drawn."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from discontinuation.problems import InvalidInput
from discontinuation.symptoms.mixed_model import fit_mixed_model
from discontinuation.symptoms.randomisation import NOT_RANDOMISED, randomisation_test
from discontinuation.symptoms.single_case import describe_single_case
from discontinuation.symptoms.smooth import smooth_mean

DOSES = pd.DataFrame(
    {"person": "a", "drug": "x", "start": [0.0, 30, 60], "stop": [30.0, 60, 100],
     "dose": [20.0, 10, 0], "unit": "mg/day"}
)  # fmt: skip


def diary(seed, days=100, phi=0.5, jump=(0.0, 0.0, 0.0)):
    rng = np.random.default_rng(seed)
    e = rng.normal(size=days)
    for j in range(1, days):
        e[j] = phi * e[j - 1] + np.sqrt(1 - phi**2) * e[j]
    day = np.arange(float(days))
    return pd.DataFrame({"day": day, "value": 3 + e + np.asarray(jump)[np.digitize(day, [30, 60])]})


def test_levels_are_generalised_least_squares_by_dose():
    series = diary(1, jump=(0, 1, 3)).drop(index=[4, 5, 33, 70])
    case = describe_single_case(series, DOSES, (0, 99))
    frame = series.assign(person="a", dose=np.digitize(series["day"], [30, 60]).astype(str))
    gls = fit_mixed_model(
        frame, "value", "0 + dose", random="none", correlation="car1", position="day"
    )
    for column in ("estimate", "se", "df", "lower", "upper"):
        np.testing.assert_allclose(case.summary[column], gls.fixed[column], rtol=1e-6)
    np.testing.assert_allclose(
        case.summary["change"][1:], np.diff(gls.fixed["estimate"]), rtol=1e-6
    )
    assert case.summary["dose"].tolist() == [20, 10, 0]
    assert case.summary["n_observed"].tolist() == [28, 29, 39]
    assert case.summary["n_missing"].tolist() == [2, 1, 1]
    assert case.missing.tolist() == [4, 5, 33, 70]
    assert (case.n_observed, case.n_expected, case.n_missing) == (96, 100, 4)


def test_intervals_under_autocorrelation_hold_and_naive_ones_do_not():
    """No change at all, phi 0.6: how often does the interval of a change leave 0 out?"""
    honest, naive = 0, 0
    for seed in range(40):
        frame = diary(100 + seed, days=60, phi=0.6).assign(person="a")
        columns = pd.DataFrame({"first": 1.0, "change": 1.0 * (frame["day"] >= 30)})
        fit = fit_mixed_model(frame, "value", columns, random="none", correlation="car1")
        change = fit.fixed.iloc[1]
        honest += not change["lower"] < 0 < change["upper"]
        first, second = (frame["value"][frame["day"] // 30 == k] for k in (0, 1))
        naive += stats.ttest_ind(first, second).pvalue < 0.05
    assert honest <= 6
    assert naive >= 10


def test_several_answers_of_a_day_are_averaged_first():
    series = diary(2)
    three = pd.concat([series.assign(day=series["day"] + h, value=series["value"] + d)
                       for h, d in ((0.3, -1), (0.5, 0), (0.8, 1))])  # fmt: skip
    one, other = (describe_single_case(each, DOSES, (0, 99)) for each in (series, three))
    np.testing.assert_allclose(one.summary["estimate"], other.summary["estimate"], rtol=1e-8)
    assert set(other.observed["n_answers"]) == {3}


def test_days_of_unknown_dose_are_kept_apart_and_counted():
    gap = DOSES.assign(stop=[25.0, 60, 100])
    case = describe_single_case(diary(3), gap, (0, 99))
    assert case.n_unknown_dose == 5
    assert case.summary["n_observed"].tolist() == [25, 30, 40]
    assert case.observed["level"].isna().sum() == 5
    same = pd.concat([gap, DOSES.iloc[:1].assign(start=28.0)]).sort_values("start")
    assert describe_single_case(diary(3), same, (0, 99)).n_unknown_dose == 3


def test_a_weekly_score_misses_weeks_not_days():
    weekly = diary(4).iloc[3::7].drop(index=[24, 31])
    case = describe_single_case(weekly, DOSES, (0, 99), every=7)
    assert case.missing.tolist() == [24, 31]
    assert case.n_missing == 2
    assert case.bandwidth == 28
    assert case.summary["n_expected"].sum() == case.n_expected


def test_levels_without_answers_stay_blank():
    case = describe_single_case(diary(5).query("day < 30 or day >= 60"), DOSES, (0, 99))
    empty = case.summary.iloc[1]
    assert empty["n_missing"] == 30
    assert np.isnan(empty["estimate"])
    assert np.isnan(empty["change"])
    last = case.summary.iloc[2]
    assert last["change"] == pytest.approx(last["estimate"] - case.summary["estimate"].iloc[0])


def test_a_straight_line_is_found_as_a_trend():
    series = diary(6, phi=0.2)
    series["value"] += 0.05 * series["day"]
    trends = describe_single_case(series, DOSES, (0, 99)).trends.set_index("trend")
    whole = trends.loc["whole series"]
    assert whole["lower"] < 0.05 < whole["upper"]
    assert abs(whole["estimate"] - 0.05) < 0.02
    assert trends.loc["within levels", "se"] > whole["se"]


@pytest.mark.parametrize(
    ("series", "doses", "options", "words"),
    [
        (diary(7), pd.concat([DOSES, DOSES.assign(person="b")]), {}, "one person, not 2"),
        (diary(7), pd.concat([DOSES, DOSES.assign(drug="y")]), {}, "one drug, not 2"),
        (diary(7).assign(person=["a", "b"] * 50), DOSES, {}, "one person, not 2"),
        (diary(7).assign(day=lambda f: f["day"] + 500), DOSES, {}, "whose dose is known"),
        (diary(7).head(2), DOSES, {}, "needed are more visits|more than"),
        (diary(7).assign(value=1.0), DOSES, {}, "the same everywhere"),
        (diary(7), DOSES, {"every": 0}, "greater than 0"),
        (diary(7).drop(columns="value"), DOSES, {}, "column value"),
    ],
)
def test_what_is_no_single_case_is_refused(series, doses, options, words):
    with pytest.raises(InvalidInput, match=words):
        describe_single_case(series, doses, (0, 99), **options)


def test_a_constant_stretch_of_a_line_is_smoothed_to_itself():
    day = np.arange(0.0, 60)
    found = smooth_mean(day, 2 + 0.5 * day, day, 10)
    np.testing.assert_allclose(found["mean"], 2 + 0.5 * day, atol=1e-9)
    assert found["lower"].isna().all()


def test_smoothing_leaves_gaps_blank_and_covers_a_slow_wave():
    rng = np.random.default_rng(8)
    day = np.r_[0:80, 120:200].astype(float)
    wave = np.sin(2 * np.pi * day / 200)
    found = smooth_mean(day, wave + rng.normal(0, 0.3, len(day)), np.arange(200.0), 14)
    found = found.set_index("day")
    assert found.loc[90:110, "mean"].isna().all()
    assert found.loc[[0, 79, 120, 199], "mean"].notna().all()
    inside = (found.loc[day, "lower"] < wave) & (wave < found.loc[day, "upper"])
    assert inside.mean() > 0.85
    assert (found["n_near"].loc[95:105] == 0).all()


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_the_band_holds_what_it_promises_where_nothing_moves(phi):
    inside = []
    for seed in range(25):
        series = diary(300 + seed, days=150, phi=phi)
        found = smooth_mean(series["day"], series["value"], np.arange(5.0, 145, 7), 14)
        inside.append(((found["lower"] < 3) & (found["upper"] > 3)).mean())
    assert 0.9 < np.mean(inside) < 0.99


def test_bad_bandwidth_is_refused():
    with pytest.raises(InvalidInput, match="bandwidth"):
        smooth_mean([1, 2], [1, 2], [1], 0)


def test_randomisation_p_is_the_share_of_possible_days():
    values = [1.0, 1, 1, 1, 5, 5, 5, 5]
    found = randomisation_test(range(8), values, 4, range(2, 7))
    assert found.statistic == 4
    assert found.p == 1 / 5
    assert found.possible["day"].tolist() == [2, 3, 4, 5, 6]
    assert randomisation_test(range(8), values, 4, range(2, 7), "less").p == 1
    assert randomisation_test(range(8), np.negative(values), 4, range(2, 7), "two_sided").p == 1 / 5


def test_randomisation_p_is_valid_whatever_the_autocorrelation():
    """Under no effect P <= 0.1 comes about in 10 % of drawn days, at phi 0.9 as well."""
    possible = np.arange(10.0, 50)
    rng = np.random.default_rng(10)
    hits = []
    for seed in range(200):
        values = diary(seed, days=60, phi=0.9)["value"]
        hits.append(randomisation_test(range(60), values, rng.choice(possible), possible).p <= 0.1)
    assert stats.binomtest(sum(hits), 200, 0.1).pvalue > 1e-3


def test_without_randomisation_there_is_no_test():
    found = randomisation_test(range(6), [1.0, 1, 1, 3, 3, 3], 3)
    assert found.statistic == 2
    assert np.isnan(found.p)
    assert found.sentence == NOT_RANDOMISED
    assert found.possible.empty


@pytest.mark.parametrize(
    ("step", "possible", "alternative", "words"),
    [
        (3, [2, 4], "greater", "must be among the possible ones"),
        (3, [3, 3], "greater", "listed once"),
        (3, [3, 0], "greater", "observations before and after"),
        (9, None, "greater", "observations before and after"),
        (3, [3], "grater", "did you mean 'greater'"),
    ],
)
def test_designs_that_cannot_be_are_refused(step, possible, alternative, words):
    with pytest.raises(InvalidInput, match=words):
        randomisation_test(range(6), np.arange(6.0), step, possible, alternative)


def test_kossakowski_dose_levels_and_weekly_scores(shared_data):
    table = pd.read_csv(shared_data / "kossakowski-esm" / "ESMdata.csv", index_col=0)
    date = pd.to_datetime(table["date"], format="%d/%m/%y")
    table["day"] = (date - date.min()).dt.days.astype(float)
    begins = table.drop_duplicates("concentrat")
    doses = pd.DataFrame(
        {"person": "p", "drug": "venlafaxine", "start": begins["day"].to_numpy(),
         "stop": [*begins["day"].iloc[1:], 239.0], "dose": begins["concentrat"].to_numpy(float),
         "unit": "mg/day"}
    )  # fmt: skip
    weekly = table[["day", "dep"]].dropna().rename(columns={"dep": "value"})
    case = describe_single_case(weekly, doses, (0, 238), every=7)
    assert case.summary["dose"].tolist() == [150, 105, 73, 51, 37, 25, 18, 12, 9, 0]
    assert case.summary["start"].tolist() == [0, 43, 49, 56, 63, 70, 77, 84, 91, 98]
    first = case.summary.iloc[0]
    assert (first["mean"], first["sd"]) == (
        pytest.approx(1.12, abs=0.005),
        pytest.approx(0.14, abs=0.005),
    )
    high = case.observed.loc[case.observed["value"] > 1.8, "day"]
    assert high.iloc[0] + 1 == 120
    assert case.n_observed == 28
    diary_item = table[["day", "pat_restl"]].dropna().rename(columns={"pat_restl": "value"})
    daily = describe_single_case(diary_item, doses, (0, 238))
    # The one calendar day without rows is 15 December 2012.
    assert daily.missing.tolist() == [124]
    assert daily.observed["n_answers"].sum() == len(diary_item)
