"""H1 to H4: what they test, and in which order."""

from dataclasses import replace

import numpy as np
import pytest

from design.planned_trials import ROLES, design
from discontinuation.design.hypotheses import (
    MAINTAINED,
    NON_INFERIOR,
    called,
    covariates,
    expected_calls,
    in_order,
    seen_share,
    z_values,
)
from discontinuation.design.true_answers import true_answers

pytestmark = pytest.mark.long  # simulations


def drift(made, truth="both"):
    counts, _ = expected_calls(made, truth)
    return {test: z[0] for test, z in z_values(made, counts, covariates(made)).items()}


def test_kappa_one_only_spreads_withdrawal():
    """The conservation law: H2 sees nothing if the hazard is linear in the drive."""
    truths = {"both": {"kappa": 1, "alpha_per_day": 0.02}, "convex": {}}
    made = design(truths=truths)
    assert abs(drift(made)["H2"]) < 0.003
    assert drift(made, "convex")["H2"] > 0.2


def test_share_at_its_bound_has_no_drift():
    share = float(seen_share(made := design(), expected_calls(made, "both")[0])[0])
    assert share == pytest.approx(0.64, abs=0.03)
    at_bound = design(hypotheses={"share": share})
    assert drift(at_bound)["H4"] == pytest.approx(0, abs=1e-12)


def test_no_withdrawal_no_drift():
    """However much protection is lost, H1 sees nothing, nor do H2 and H4 in their direction."""
    for ratio in (1.0, 1.5, 3.0):
        made = design(truths={"both": {"alpha_per_day": 0, "relapse_ratio": ratio}})
        found = drift(made)
        assert abs(found["H1"]) < 1e-3
        assert np.isnan(found["H2"])  # nothing is called withdrawal
        assert not found["H4"] > 0


def test_relapse_is_compared_without_withdrawal():
    """No loss of protection: risks of relapse are alike however much withdrawal there is."""
    made = design(truths={"both": {"relapse_ratio": 1, "alpha_per_day": 0.2}})
    found = drift(made)
    assert found[MAINTAINED] == pytest.approx(0, abs=1e-3)
    assert found[NON_INFERIOR] > 0.05


def test_raters_move_events_and_lose_none():
    events = np.arange(12.0).reshape(3, 4)
    poor = {"withdrawal_recognised": 0.8, "relapse_recognised": 0.7}
    withdrawal, relapse = called(events, poor)
    assert withdrawal + relapse == pytest.approx(events.sum(axis=0))
    assert withdrawal == pytest.approx(0.8 * (events[0] + events[2]) + 0.3 * events[1])


def test_poor_raters_weaken_h2():
    good, poor = design(), design(adjudication={"withdrawal_recognised": 0.6})
    assert drift(poor)["H2"] < drift(good)["H2"]
    assert drift(poor)["H1"] == pytest.approx(drift(good)["H1"])  # needs no raters


def test_order_holds_back():
    rejected = {
        "H1": np.array([True, True, False, True]),
        "H2": np.array([True, False, True, True]),
        NON_INFERIOR: np.array([False, True, True, False]),
        MAINTAINED: np.array([True, False, False, False]),
        "H4": np.array([True, True, True, True]),
    }
    held = in_order(rejected, ["H1", "H2", "H3", "H4"])
    assert held["H1"].tolist() == [True, True, False, True]
    assert held["H2"].tolist() == [True, False, False, True]
    assert held["H3"].tolist() == [True, False, False, False]
    assert held["H4"].tolist() == [True, False, False, False]


def test_only_what_is_asked_is_tested():
    made = design(arms=ROLES[:2], hypotheses={"tested": ["H1", "H4"]})
    assert list(drift(made)) == ["H1", "H4"]


def test_analysis_covariates_are_those_of_the_analysts():
    made = design(hypotheses={"drive_tau_days": 28})
    assert covariates(made).drive.sum() > covariates(design()).drive.sum()
    other = replace(made, truths={"both": replace(made.scenario, tau_days=60.0)})
    assert np.array_equal(covariates(other).drive, covariates(made).drive)


def test_truths_answer_the_hypotheses():
    truths = {
        "both": {},
        "withdrawal": {"relapse_ratio": 1},
        "relapse": {"alpha_per_day": 0},
        "delay": {"kappa": 1, "alpha_per_day": 0.02},
    }
    found = true_answers(design(truths=truths)).pivot_table(
        index="truth", columns="test", values="true", aggfunc="first"
    )
    assert found["H1"].to_dict() == {
        "both": True, "delay": True, "relapse": False, "withdrawal": True
    }  # fmt: skip
    assert not found.loc["delay", "H2"] and found.loc["both", "H2"]
    assert found.loc["withdrawal", NON_INFERIOR] and not found.loc["withdrawal", MAINTAINED]
    assert not found.loc["relapse", "H4"] and found.loc["withdrawal", "H4"]
    values = true_answers(design(truths=truths)).set_index(["truth", "test"])["value"]
    assert values["both", "H1"] == pytest.approx(0.2429, abs=5e-4)
    assert values["withdrawal", "H4"] == pytest.approx(1)


def test_a_taper_that_lowers_no_risk_prevents_nothing():
    made = design(truths={"both": {}})
    fast = replace(made.scenario.arms[2], step_days=112)  # one fall: the same as an abrupt stop
    arms = (*made.scenario.arms[:2], fast)
    same = replace(made, truths={"both": replace(made.scenario, arms=arms)})
    row = true_answers(same).set_index("test").loc["H2"]
    assert row["value"] == 0 and not row["true"]
