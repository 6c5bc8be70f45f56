"""The truth of a scenario against the values of the dossier."""

import dataclasses

import numpy as np
import pytest

from discontinuation.design.expected import expected_curves, expected_excess_share
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.problems import InvalidInput

BASE = Scenario()


def at_end(scenario):
    curves = expected_curves(scenario)
    return curves[curves["day"] == scenario.horizon_days].set_index("arm")


def test_base_scenario_of_methods_section_9():
    end = at_end(BASE)
    assert end.loc["abrupt", "hazard_withdrawal"] == pytest.approx(0.2783, abs=5e-5)
    assert end.loc["abrupt", "hazard_relapse"] == pytest.approx(0.4325, abs=5e-5)
    assert end.loc["maintain", "hazard_relapse"] == pytest.approx(0.2892, abs=5e-5)
    share = expected_excess_share(expected_curves(BASE), "abrupt", "maintain", 364)
    assert share.hazard == pytest.approx(0.6601, abs=5e-5)
    assert share.net == pytest.approx(0.6119, abs=5e-5)
    assert share.excess_risk == pytest.approx(0.2576, abs=5e-5)


def test_printed_crude_risk_is_the_sum_with_survival_at_the_start_of_each_day():
    """The dossier's F_W 0.2422 leaves out that people fall ill during a day: exactly 0.2402."""
    arm = expected_curves(BASE).query("arm == 'abrupt'")
    steps = np.diff(arm["hazard_withdrawal"])
    left = (arm["event_free"].to_numpy()[:-1] * steps).sum()
    right = (arm["event_free"].to_numpy()[1:] * steps).sum()
    assert left == pytest.approx(0.2422, abs=5e-5)
    assert right < arm["crude_withdrawal"].iloc[-1] < left
    assert arm["crude_withdrawal"].iloc[-1] == pytest.approx((left + right) / 2, abs=1e-4)


def test_continuous_time_values_of_methods_section_9():
    """One hundredth of a day as the step: Lambda_W 0.2986, psi_H 0.676, psi_net 0.627."""
    fine = Scenario(
        arms=(Arm("maintain", "maintain"), Arm("abrupt", "abrupt")),
        horizon_days=36400,
        half_life_days=100,
        tau_days=1400,
        alpha_per_day=0.0005,
        relapse_per_year=(0.0029,),
        surge_days=5600,
    )
    share = expected_excess_share(expected_curves(fine), "abrupt", "maintain", 36400)
    assert at_end(fine).loc["abrupt", "hazard_withdrawal"] == pytest.approx(0.2986, abs=2e-4)
    assert share.hazard == pytest.approx(0.676, abs=6e-4)
    assert share.net == pytest.approx(0.627, abs=6e-4)


# methods G3, column F_W of the tapered arm (net risk), 78 weeks.
@pytest.mark.parametrize(
    ("arm", "alpha", "kappa", "printed"),
    [
        (Arm("x", "abrupt"), 0.05, 2, 0.243),
        (Arm("x", "taper", taper_days=28), 0.05, 2, 0.168),
        (Arm("x", "taper", taper_days=112), 0.05, 2, 0.069),
        (Arm("x", "taper", taper_days=112, shape="linear"), 0.05, 2, 0.118),
        (Arm("x", "taper", taper_days=182), 0.05, 2, 0.045),
        (Arm("x", "taper", taper_days=112), 0.025, 2, 0.035),
        (Arm("x", "taper", taper_days=112), 0.02, 1, 0.237),
        (Arm("x", "abrupt"), 0.02, 1, 0.237),
    ],
)
def test_net_withdrawal_risks_of_the_power_table(arm, alpha, kappa, printed):
    scenario = Scenario(arms=(arm,), horizon_days=546, alpha_per_day=alpha, kappa=kappa)
    net = 1 - np.exp(-at_end(scenario).loc["x", "hazard_withdrawal"])
    assert net == pytest.approx(printed, abs=6e-4)


def test_protracted_share_reproduces_scenario_s8():
    curves = expected_curves(Scenario(protracted_share=0.3)).query("arm == 'abrupt'")
    left = (curves["event_free"].to_numpy()[:-1] * np.diff(curves["hazard_withdrawal"])).sum()
    assert left == pytest.approx(0.555, abs=5e-4)
    share = expected_excess_share(
        expected_curves(Scenario(protracted_share=0.3)), "abrupt", "maintain", 364
    )
    assert share.net == pytest.approx(0.79, abs=5e-3)


def test_causes_and_event_free_add_up_to_one():
    curves = expected_curves(Scenario(nocebo_risk=0.1, frailty_variance=1, surge_ratio=2))
    crude = curves[["crude_withdrawal", "crude_relapse", "crude_nocebo"]].sum(axis=1)
    assert (crude + curves["event_free"]).to_numpy() == pytest.approx(1, abs=1e-12)


def test_nocebo_risk_is_met_at_8_weeks_in_every_blinded_arm_only():
    open_arm = dataclasses.replace(Arm("open", "abrupt"), blinded=False)
    scenario = Scenario(arms=(Arm("m", "maintain"), open_arm), nocebo_risk=0.1)
    curves = expected_curves(scenario)
    week8 = curves[curves["day"] == 56].set_index("arm")["hazard_nocebo"]
    assert 1 - np.exp(-week8["m"]) == pytest.approx(0.1)
    assert week8["open"] == 0


def test_frailty_lowers_the_marginal_hazard_as_gamma_mixing_says():
    plain, mixed = at_end(BASE), at_end(Scenario(frailty_variance=2))
    expected = np.log1p(2 * plain["hazard_relapse"]) / 2
    assert mixed["hazard_relapse"].to_numpy() == pytest.approx(expected.to_numpy())


def test_piecewise_baseline_adds_up():
    scenario = Scenario(relapse_per_year=(1.0, 0.2), relapse_cuts_days=(56,), relapse_ratio=1)
    hazard = at_end(scenario)["hazard_relapse"]
    assert hazard.to_numpy() == pytest.approx((56 * 1.0 + (364 - 56) * 0.2) / 365)


def test_surge_acts_only_where_protection_is_lost_and_only_early():
    plain, surged = expected_curves(BASE), expected_curves(Scenario(surge_ratio=3))
    ratio = surged["hazard_relapse"].diff() / plain["hazard_relapse"].diff()
    by_arm = {name: ratio[surged["arm"] == name].to_numpy()[1:] for name in ("maintain", "abrupt")}
    assert by_arm["maintain"] == pytest.approx(1)
    assert by_arm["abrupt"][30:56] == pytest.approx(3, rel=1e-3)
    assert by_arm["abrupt"][56:] == pytest.approx(1)


def test_no_excess_gives_no_share():
    curves = expected_curves(Scenario(alpha_per_day=0, relapse_ratio=1))
    share = expected_excess_share(curves, "abrupt", "maintain", 364)
    assert np.isnan(share.hazard)
    assert share.excess_hazard == 0


def test_what_has_no_closed_form_is_refused_with_every_reason():
    scenario = Scenario(concealed_start_days=28, stop_early_share=0.1, keep_taking_share=0.1)
    with pytest.raises(InvalidInput) as refused:
        expected_curves(scenario)
    named = {problem.column for problem in refused.value.problems}
    assert named == {"concealed_start_days", "stop_early_share", "keep_taking_share"}
