"""Where well-known libraries go wrong or surprise, on data small enough to work out by hand.

Ties, codes, entries and empty strata, each with the right answer beside it. What R says about more
data is in the reference tests.
"""

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.survival import (
    aalen_johansen,
    cox,
    fine_gray,
    kaplan_meier,
    logrank,
    rmst,
    royston_parmar,
    turnbull,
)

# Ten people, whole days, ties of events with events and with censorings.
TIME = np.array([1, 2, 2, 2, 3, 4, 4, 5, 5, 5])
EVENT = np.array([1, 1, 1, 0, 0, 1, 0, 1, 0, 0])
ARM = np.array([0, 1, 1, 0, 1, 0, 1, 1, 0, 0])
FRAME = pd.DataFrame({"time": TIME, "event": EVENT, "arm": ARM})


@pytest.fixture(scope="module")
def larger():
    stream = np.random.default_rng(11)
    n = 300
    frame = pd.DataFrame({"arm": np.arange(n) % 2, "x": stream.normal(size=n)})
    days = np.ceil(stream.exponential(120 / np.exp(0.6 * frame["arm"] + 0.3 * frame["x"])))
    frame["time"] = np.minimum(days, 365)
    frame["event"] = (days <= 365).astype(int)
    return frame


def efron_terms(frame, beta):
    """Efron's likelihood's weights at each distinct time: S0 of each tied event, by hand."""
    risk = np.exp(beta * frame["arm"])
    for time in np.unique(frame.loc[frame["event"] == 1, "time"]):
        at_risk = risk[frame["time"] >= time].sum()
        tied = risk[(frame["time"] == time) & (frame["event"] == 1)]
        yield time, [at_risk - k / len(tied) * tied.sum() for k in range(len(tied))]


def test_last_day_events_come_before_censorings():
    """With 100 at risk, half of whom fail on the last day, the risk is a half, not near 1."""
    time = np.full(100, 365)
    cause = np.repeat([1, 0], 50)
    assert aalen_johansen(time, cause).at([365])["probability"].iloc[0] == pytest.approx(0.5)
    day = np.array([3, 3, 3, 3, 7, 7])
    found = aalen_johansen(day, [1, 2, 0, 0, 1, 0]).at([3, 7])
    assert found["probability"].tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6 + 2 / 3 / 2, 1 / 6])


def test_splines_in_days_find_the_maximum(larger):
    days = royston_parmar("arm + x", larger, knots=4)
    years = royston_parmar("arm + x", larger.assign(time=larger["time"] / 365.25), knots=4)
    ours = days.summary.set_index("term")
    others = years.summary.set_index("term")
    for name in ("coef", "se"):
        assert ours.loc["arm", name] == pytest.approx(others.loc["arm", name], rel=1e-7)
    proportional = cox("arm + x", larger).summary.set_index("term")
    assert ours.loc["arm", "coef"] == pytest.approx(proportional.loc["arm", "coef"], abs=0.03)


def test_the_variance_of_a_mean_time_is_that_of_the_estimate():
    """Without censoring it is the variance of min(T, t) divided by n."""
    time = np.array([2.0, 4.0, 5.0, 9.0, 12.0])
    found = rmst(time, np.ones(5), horizon=10)
    lived = np.minimum(time, 10)
    assert found.mean[0] == pytest.approx(lived.mean())
    assert found.variance[0] == pytest.approx(lived.var() / 5)


def test_the_test_of_proportional_hazards_has_a_row_for_all_terms(larger):
    table = cox("x + arm", larger).proportional_hazards().summary
    assert list(table["term"]) == ["x", "arm", "GLOBAL"]
    assert table["df"].tolist() == [1, 1, 2]


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_robust_variance_under_ties_is_that_of_the_jackknife_to_first_order(ties):
    """dfbeta is the derivative by a person's weight: compared with a numerical one."""
    model = cox("arm", FRAME, ties=ties, robust=True)
    dfbeta = model.residuals("dfbeta")["arm"].to_numpy()
    step = 1e-5
    for person in range(len(FRAME)):
        weights = np.ones(len(FRAME))
        weights[person] += step
        moved = cox("arm", FRAME.assign(w=weights), weights="w", ties=ties, robust=True)
        derivative = (moved.coef[0] - model.coef[0]) / step
        assert dfbeta[person] == pytest.approx(derivative, abs=2e-4)
    assert model.summary["robust_se"].iloc[0] == pytest.approx(np.sqrt((dfbeta**2).sum()))


def test_the_score_is_0_at_the_estimate():
    beta = cox("arm", FRAME).coef[0]
    score = FRAME.loc[FRAME["event"] == 1, "arm"].sum()
    step = 1e-6
    for sign in (1, -1):
        logs = sum(np.log(s) for _, terms in efron_terms(FRAME, beta + sign * step) for s in terms)
        score -= sign * logs / (2 * step)
    assert score == pytest.approx(0, abs=1e-8)


def test_the_baseline_hazard_is_efrons_and_holds_its_own_day():
    model = cox("arm", FRAME)
    steps = {time: sum(1 / s for s in terms) for time, terms in efron_terms(FRAME, model.coef[0])}
    found = model.baseline().summary.set_index("time")["cumulative_hazard"]
    total = 0.0
    for time, step in steps.items():
        total += step
        assert found[time] == pytest.approx(total, rel=1e-9)
    assert model.residuals("martingale").sum() == pytest.approx(0, abs=1e-9)


def test_intervals_that_touch_do_not_share_an_end():
    """(0, 14] and (14, 56] hold two people each: a half is left after day 14."""
    found = turnbull([0, 0, 14, 14], [14, 14, 56, 56]).at([14, 56])
    assert found["survival"].tolist() == pytest.approx([0.5, 0.0])


@pytest.mark.parametrize("call", [kaplan_meier, lambda t, e: logrank(t, e, ARM)])
def test_a_code_for_a_cause_is_no_event_and_no_weight(call):
    with pytest.raises(InvalidInput, match="allowed: 0 or 1"):
        call(TIME, np.where(ARM == 1, 2 * EVENT, EVENT))


def test_ties_are_efrons_unless_asked_otherwise():
    assert cox("arm", FRAME).ties == "efron"
    assert cox("arm", FRAME).coef[0] != cox("arm", FRAME, ties="breslow").coef[0]


def test_a_stratum_without_events_changes_nothing():
    alone = cox("arm", FRAME.assign(place="a"), strata="place")
    quiet = FRAME.assign(place="b", event=0)
    both = cox("arm", pd.concat([FRAME.assign(place="a"), quiet]), strata="place")
    assert both.summary["se"].iloc[0] == pytest.approx(alone.summary["se"].iloc[0], rel=1e-12)
    assert both.eventless_strata == 1


def test_who_enters_on_the_day_of_an_event_is_not_at_risk_for_it():
    late = pd.DataFrame({"time": [9], "event": [0], "arm": [1]})
    joined = pd.concat([FRAME, late], ignore_index=True)
    entry = np.append(np.zeros(len(FRAME)), 4)
    at_4 = kaplan_meier(joined["time"], joined["event"], entry).summary.set_index("time")
    assert at_4.loc[4, "at_risk"] == (TIME >= 4).sum()
    assert at_4.loc[5, "at_risk"] == (TIME >= 5).sum() + 1


def test_the_standard_error_stays_when_everybody_has_failed():
    found = aalen_johansen([1, 2, 3, 4], [1, 2, 1, 2]).at([4])
    assert np.isfinite(found["se"]).all()
    assert found["probability"].sum() == pytest.approx(1)


def test_a_curve_weighs_two_people_as_two():
    twice = kaplan_meier(np.repeat(TIME, 2), np.repeat(EVENT, 2)).summary
    weighed = kaplan_meier(TIME, EVENT, weights=np.full(10, 2)).summary
    np.testing.assert_allclose(twice, weighed)


def test_the_scale_of_the_limits_is_named():
    found = {
        kind: kaplan_meier(TIME, EVENT, conf_type=kind) for kind in ("log-log", "log", "plain")
    }
    assert kaplan_meier(TIME, EVENT).conf_type == "log-log"
    lower = [curve.at([4])["lower"].iloc[0] for curve in found.values()]
    assert len({round(value, 6) for value in lower}) == 3
    assert all(kind in str(curve) for kind, curve in found.items())


def test_both_tie_conventions_of_the_subdistribution_are_named_and_converged(larger):
    data = larger.assign(cause=np.where(np.arange(len(larger)) % 3 == 0, 2, 1) * larger["event"])
    data["cause"] = data["cause"].where(np.arange(len(data)) % 5 > 0, 0)
    fits = {
        kind: fine_gray("arm + x", data, ties_with_censoring=kind) for kind in ("crr", "finegray")
    }
    first, second = (fit.summary["coef"].to_numpy() for fit in fits.values())
    assert not np.allclose(first, second, rtol=1e-9)
    np.testing.assert_allclose(first, second, atol=0.05)
    assert all(kind in str(fit) for kind, fit in fits.items())
