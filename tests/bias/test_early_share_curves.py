"""Early shares from curves: the worked check, the null table, and no false alarm."""

import math

import numpy as np
import pandas as pd
import pytest

from bias.two_arm_trials import lung, trial
from discontinuation.bias.early_share_curves import early_share, null_table
from discontinuation.problems import InvalidInput


def stream():
    return np.random.default_rng(1)


def test_worked_check_of_the_lung_data(shared_data):
    found = early_share(*lung(shared_data), 90, 365, stream(), replicates=200)
    assert found.share.estimate == pytest.approx(0.449151, abs=5e-7)
    assert found.share_se == pytest.approx(0.237442, abs=5e-7)
    assert (found.share.lower, found.share.upper) == pytest.approx((0.0408, 1.7062), abs=5e-5)
    assert found.verdict() == "cannot be judged"


# domain.md 6.3, in percent.
PUBLISHED = {
    ("MDD 56/76 % at 1 y", 52.0): {3: 9, 4: 11, 6: 17, 8: 22, 12: 32, 24: 58},
    ("MDD 56/76 % at 1 y", 38.9): {3: 10, 4: 14, 6: 20, 8: 27, 12: 38},
    ("MDD 56/76 % at 1 y", 26.0): {3: 14, 4: 18, 6: 27, 8: 36, 12: 52},
    ("MDD 56/76 % at 1 y", 24.0): {3: 15, 4: 20, 6: 29, 8: 38, 12: 55},
    ("MDD 56/76 % at 1 y", 16.0): {3: 21, 4: 28, 6: 41, 8: 53, 12: 78},
    ("schizophrenia 36/73 % at 1 y", 52.0): {3: 11, 4: 14, 6: 20, 8: 27, 12: 38, 24: 65},
    ("schizophrenia 36/73 % at 1 y", 26.0): {4: 20, 6: 30, 8: 39, 12: 55},
    ("schizophrenia 36/73 % at 1 y", 24.0): {4: 22, 6: 31, 8: 41, 12: 58},
    ("schizophrenia 36/73 % at 1 y", 12.0): {4: 37, 6: 54, 8: 70, 12: 100},
    ("stimulant-like 25/84 % at 6 wk", 6.0): {1: 30, 2: 53, 3: 71, 4: 84},
}


def test_null_table_to_the_percent():
    """The dossier rounded twice: 26.45, 77.49 and 21.46 became 26.5, ... and 27, 78, 22."""
    table = null_table().set_index(["setting", "horizon", "week"])
    for setting, row in PUBLISHED.items():
        for week, percent in row.items():
            found = table.loc[(*setting, week)]
            tenths = round(100 * found["share"], 1)
            assert math.floor(tenths + 0.5) == percent, (setting, week)
            assert found["fires"] == (percent >= 50)


def test_under_proportional_hazards_the_rule_fires_and_the_excess_is_not_called_one():
    found = early_share(*trial(3, 2000, 1.0, 3.0), 56, 364, stream(), replicates=200)
    calibration = found.calibration.iloc[0]
    assert calibration["fires"] and calibration["fires_without_withdrawal"]
    for excess in (found.excess_overall, found.excess_late):
        assert excess.lower < 0 < excess.upper
    assert found.verdict(margin=0.3) == (
        "no sign of an early excess or shortfall beyond the margin of 0.3"
    )


def test_with_early_withdrawal_the_excess_is_found_and_its_cause_left_open():
    found = early_share(
        *trial(4, 1500, 0.3, 1.5, early_hazard=0.28), 84, 364, stream(), replicates=200
    )
    assert found.verdict() == "early excess, cause not identified"
    assert found.expected_late < found.expected_overall < found.share.estimate


def test_shares_and_benchmarks_do_not_depend_on_the_unit_of_time():
    pair = trial(5)
    days = early_share(*pair, 84, 364, stream(), replicates=100)
    weeks = early_share(
        *[one.assign(time=one["time"] / 7) for one in pair], 12, 52, stream(), replicates=100
    )
    assert days.summary["estimate"].to_numpy() == pytest.approx(weeks.summary["estimate"])


def test_calibration_is_over_all_windows_and_horizons_that_go_together():
    found = early_share(
        *trial(6), 84, 364, stream(), windows=[28, 200], horizons=[182], replicates=100
    )
    pairs = list(zip(found.calibration["early"], found.calibration["end"], strict=True))
    assert pairs == [(28, 182), (84, 182), (28, 364), (84, 364), (200, 364)]
    # Within a horizon a later window has more of the difference.
    assert (
        found.calibration.groupby("end")["expected_overall"]
        .apply(lambda x: (np.diff(x) > 0).all())
        .all()
    )


def test_an_endpoint_difference_that_may_be_zero_gives_no_interval():
    found = early_share(*trial(7, 100, 0.3, 1.0), 84, 364, stream(), replicates=100)
    assert math.isnan(found.share.lower) and math.isnan(found.excess_late.lower)
    assert found.verdict() == "cannot be judged"
    assert "may be zero" in found.notes[0]


def test_everything_wrong_is_told_at_once():
    with pytest.raises(InvalidInput) as error:
        early_share(*trial(8), 400, 5000, stream(), windows=[-1], replicates=5, confidence=2)
    text = str(error.value)
    assert "the continued arm is followed to 364 only" in text
    assert "the stopped arm is followed to 364 only" in text
    for column in ("windows", "replicates", "confidence"):
        assert f"column {column}" in text
    with pytest.raises(InvalidInput, match="'364': allowed: above 0 and below 364"):
        early_share(*trial(8), 364, 364, stream())


def test_summary_has_a_row_for_each_measure():
    found = early_share(*trial(9), 84, 364, stream(), replicates=100)
    assert isinstance(found.summary, pd.DataFrame)
    assert found.summary["measure"].is_unique
    assert found.expected_linear == pytest.approx(84 / 364)
