"""Each limit of the quality of a reconstruction, from both sides."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.synthesis import judge_contrast, reconstruct
from discontinuation.synthesis.curve_clicks import published_arm
from discontinuation.synthesis.curve_quality import (
    Asked,
    Check,
    CurveQuality,
    crossing,
    judge,
    read_curve,
)

# Ten people, one event a week from week 1 to 5.
CLICKS = pd.DataFrame({"time": [1.0, 2, 3, 4, 5, 10], "survival": [0.9, 0.8, 0.7, 0.6, 0.5, 0.5]})
TABLE = pd.DataFrame({"time": [0, 5], "at_risk": [10, 6]})
PEOPLE = pd.DataFrame({"time": [1.0, 2, 3, 4, 5] + [10.0] * 5, "event": [1] * 5 + [0] * 5})
CURVE = pd.DataFrame({"time": [0.0, 1, 2, 3, 4, 5], "survival": [1, 0.9, 0.8, 0.7, 0.6, 0.5]})


def verdicts(events=None, people=PEOPLE, curve=CURVE, clicks=CLICKS, table=TABLE, **asked):
    quality = judge(published_arm(clicks, table, events), people, curve, Asked(**asked))
    return {check.name: check.verdict for check in quality.checks}


def test_what_agrees_is_accepted_and_what_is_not_published_is_unverified():
    assert verdicts() == {
        "people": "accept",
        "events": "unverified",
        "risk table": "accept",
        "rmse": "accept",
        "largest error": "accept",
        "median": "accept",
    }
    found = verdicts(events=5, window=2.0, window_events=2, median=5.0)
    assert set(found.values()) == {"accept"}


@pytest.mark.parametrize(("events", "verdict"), [(4, "accept"), (6, "accept"), (7, "reject")])
def test_events_may_be_one_off_in_a_small_trial(events, verdict):
    assert verdicts(events=events)["events"] == verdict


@pytest.mark.parametrize(("found", "verdict"), [(196, "accept"), (195, "reject"), (205, "reject")])
def test_events_may_be_two_percent_off_in_a_large_trial(found, verdict):
    clicks = pd.DataFrame({"time": [1.0, 9.0], "survival": [0.5, 0.5]})
    people = pd.DataFrame({"time": 1.0, "event": [1] * found + [0] * (400 - found)})
    table = pd.DataFrame({"time": [0], "at_risk": [400]})
    assert verdicts(200, people, clicks=clicks, table=table)["events"] == verdict


def test_one_person_off_in_the_risk_table_is_accepted_two_are_not():
    for off, verdict in ((1, "accept"), (2, "reject")):
        table = TABLE.assign(at_risk=[10, 6 - off])
        assert verdicts(table=table)["risk table"] == verdict
    assert verdicts(people=PEOPLE.head(9))["people"] == "reject"


@pytest.mark.parametrize(
    ("off", "largest", "rmse"),
    [(0.009, "accept", "accept"), (0.011, "accept", "warn"), (0.029, "accept", "warn"),
     (0.031, "warn", "warn"), (0.049, "warn", "warn"), (0.051, "reject", "warn")],
)  # fmt: skip
def test_limits_of_the_shape(off, largest, rmse):
    curve = CURVE.assign(survival=[1, *(CURVE["survival"][1:] - off)])
    found = verdicts(curve=curve)
    assert (found["largest error"], found["rmse"]) == (largest, rmse)


@pytest.mark.parametrize(("off", "verdict"), [(0.009, "accept"), (0.011, "warn")])
def test_the_early_window_has_its_own_limit(off, verdict):
    survival = CURVE["survival"].to_list()
    survival[2] += off
    curve = CURVE.assign(survival=survival)
    assert verdicts(curve=curve, window=2.5)["survival at the window"] == verdict
    assert verdicts(curve=curve, window=3.5)["survival at the window"] == "accept"


def test_early_events_are_met_exactly_or_not_at_all():
    assert verdicts(window=2.0)["events in the window"] == "unverified"
    assert verdicts(window=2.0, window_events=2)["events in the window"] == "accept"
    assert verdicts(window=2.0, window_events=3)["events in the window"] == "reject"


def test_a_median_may_be_one_step_of_the_clicks_off():
    # After week 5 the next click is at 10: that is as far as the hand can tell.
    for median, verdict in ((5.0, "accept"), (4.0, "accept"), (9.9, "accept"), (3.0, "warn")):
        assert verdicts(median=median)["median"] == verdict
    above = CURVE.assign(survival=CURVE["survival"] * 0.4 + 0.6)
    quality = judge(published_arm(CLICKS, TABLE), PEOPLE, above, Asked())
    sentence = quality.summary.set_index("check").loc["median", "sentence"]
    assert "not reached in the reconstruction, 5 read from the clicks" in sentence
    dense = pd.DataFrame({"time": range(1, 1001), "survival": [0.9] * 499 + [0.5] * 501})
    late = pd.DataFrame({"time": [0.0, 508.0], "survival": [1.0, 0.5]})
    later = late.assign(time=[0.0, 512.0])
    for curve, verdict in ((late, "accept"), (later, "warn")):
        assert verdicts(clicks=dense, curve=curve)["median"] == verdict
    flat = CLICKS.assign(survival=0.8)
    assert verdicts(curve=CURVE.head(3), clicks=flat)["median"] == "accept"


def test_the_worst_check_decides_and_unverified_ones_do_not():
    def quality(*found):
        return CurveQuality(tuple(Check("x", 0, 0, verdict, f"{verdict}.") for verdict in found))

    assert quality("accept", "unverified").verdict == "accept"
    assert quality("accept", "warn", "unverified").verdict == "warn"
    assert quality("reject", "warn").verdict == "reject"
    assert [quality(v).tier for v in ("accept", "warn", "reject")] == [3, 3, 4]
    assert quality("reject", "warn").sentence.startswith("Rejected: reject.")
    assert "unverified." in quality("accept", "unverified").sentence


# Two arms

CONTINUED = pd.DataFrame({"time": [2.0, 4, 6, 8, 9, 9, 9, 9], "event": [1, 0, 1, 0, 1, 0, 0, 0]})
STOPPED = pd.DataFrame({"time": [1.0, 1, 2, 3, 5, 7, 9, 9], "event": [1, 1, 1, 1, 0, 1, 1, 0]})


def ratio_found(first=CONTINUED, second=STOPPED):
    from discontinuation.survival import cox

    both = pd.concat([first.assign(second=0.0), second.assign(second=1.0)])
    return math.exp(cox("second", both).coef[0])


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.049, "accept"), (1 / 1.049, "accept"), (1.051, "warn"), (1 / 1.099, "warn"),
     (1.101, "reject"), (1 / 1.101, "reject")],
)  # fmt: skip
def test_a_hazard_ratio_may_be_5_percent_off_and_not_10(factor, verdict):
    quality = judge_contrast(CONTINUED, STOPPED, hazard_ratio=factor * ratio_found())
    assert quality.verdict == verdict
    turned = judge_contrast(STOPPED, CONTINUED, hazard_ratio=1 / (factor * ratio_found()))
    assert turned.verdict == verdict
    assert turned.value("hazard ratio") == pytest.approx(quality.value("hazard ratio"))


def test_the_test_must_fall_on_the_same_side():
    p = judge_contrast(CONTINUED, STOPPED).checks[1].sentence
    assert "not verified" in p
    assert judge_contrast(CONTINUED, STOPPED, p_value=0.2).verdict == "accept"
    assert judge_contrast(CONTINUED, STOPPED, p_value=0.049).verdict == "warn"
    assert judge_contrast(STOPPED, CONTINUED, p_value=0.049).verdict == "warn"


def test_contrasts_that_are_none_are_refused_together():
    with pytest.raises(InvalidInput) as invalid:
        judge_contrast(CONTINUED.assign(event=0), STOPPED, hazard_ratio=-1, p_value=3)
    text = str(invalid.value)
    assert "3 problems" in text and "first arm: has no events" in text


# Reading


def test_a_curve_is_read_from_its_steps():
    assert read_curve(CURVE, [0.0, 0.99, 1.0, 4.5, 99.0]).tolist() == [1.0, 1.0, 0.9, 0.6, 0.5]
    assert crossing(CURVE["time"].to_numpy(), CURVE["survival"].to_numpy(), 0.7) == 3
    assert math.isinf(crossing(CURVE["time"].to_numpy(), CURVE["survival"].to_numpy(), 0.4))


def test_a_reconstruction_is_written_with_its_reasons():
    found = reconstruct(CLICKS, TABLE, events=9)
    text = str(found)
    assert "reject" in text and "9 published" in text
    row = found.summary.iloc[0]
    assert (row["verdict"], row["tier"]) == ("reject", 4)
    assert row["events"] + row["censored"] == row["people"] == 10
    with pytest.raises(KeyError):
        found.quality.value("colour")
