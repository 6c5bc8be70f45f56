"""On which made-up trials is the model tried?"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from scipy.optimize import brentq

from discontinuation.design.expected import expected_curves
from discontinuation.design.scenario import BASE_ARMS, Scenario

USELESS = 0.0
SOMATIC = (1.5, 1.5, 1.5, 0.0, 0.0, 0.0, 0.0, 0.0)
WINDOW_DAYS = 56


@cache
def gate_scenarios() -> dict[str, Scenario]:
    """Scenarios of the gates (methods F4, F5), named as there, and those beyond the prototype."""
    base = Scenario()
    null = replace(base, alpha_per_day=0.0)
    surge = replace(null, surge_ratio=3.0)
    frail = replace(null, frailty_variance=1.0, relapse_ratio=2.5)
    few = tuple(replace(arm, people=80) for arm in BASE_ARMS)
    scenarios = {
        "S0": base,
        "S1": null,
        "S2": replace(base, relapse_ratio=1.0),
        "S4": replace(base, item_distinctiveness=USELESS),
        "S8": replace(base, protracted_share=0.3),
        "S9": replace(base, arms=BASE_ARMS[1:]),
        "S10": replace(base, arms=few),
        "X12": surge,
        "X13": replace(surge, item_distinctiveness=USELESS),
        "X14": replace(surge, off_drug_shift=SOMATIC),
        "X16": frail,
        "X17": replace(frail, item_distinctiveness=USELESS),
        "X19": _with_risk(replace(base, kappa=1.0), 0.24),
        "F_W 0.03": _with_risk(base, 0.03),
        "few early": replace(null, relapse_ratio=2.0, relapse_per_year=(0.6,), horizon_days=238),
        "most early": _with_gap(base, 0.8),
    }
    scenarios |= beyond_prototype()
    return {name: replace(one, study=name) for name, one in scenarios.items()}


def beyond_prototype() -> dict[str, Scenario]:
    """Scenarios that the prototype did not try: reported, without a criterion."""
    base = Scenario()
    planned = replace(base, doses_recorded="planned")
    return {
        "half-life x0.5": replace(base, true_half_life_ratio=0.5),
        "half-life x2": replace(base, true_half_life_ratio=2.0),
        "K x0.5": replace(base, true_ed50_ratio=0.5),
        "K x2": replace(base, true_ed50_ratio=2.0),
        "visits 2 weeks": replace(base, visit_days=14),
        "visits 6 weeks": replace(base, visit_days=42),
        "visits 12 weeks": replace(base, visit_days=84),
        "nocebo 0.10, no withdrawal": replace(base, nocebo_risk=0.10, alpha_per_day=0.0),
        "nocebo 0.05": replace(base, nocebo_risk=0.05),
        "nocebo 0.10": replace(base, nocebo_risk=0.10),
        "20 % stop early": replace(base, stop_early_share=0.2),
        "20 % stop early, plan recorded": replace(planned, stop_early_share=0.2),
        "20 % keep taking, plan recorded": replace(planned, keep_taking_share=0.2),
        "informative dropout x2": replace(base, dropout_ratio=2.0),
        "informative dropout x4": replace(base, dropout_ratio=4.0),
        "withdrawal triggers relapse": replace(base, relapse_after_withdrawal_ratio=3.0),
        "two trials": base,
    }


def _with_risk(scenario: Scenario, risk: float) -> Scenario:
    """Choose alpha so that the abrupt arm has this crude risk of withdrawal."""

    def off(alpha: float) -> float:
        curves = expected_curves(replace(scenario, alpha_per_day=alpha))
        stopped = curves[(curves["arm"] == "abrupt") & (curves["day"] == scenario.horizon_days)]
        return float(stopped["crude_withdrawal"].iloc[0]) - risk

    return replace(scenario, alpha_per_day=float(brentq(off, 1e-5, 1.0)))


def _with_gap(scenario: Scenario, share: float) -> Scenario:
    """Choose the relapse ratio so that this share of the final gap is there after 8 weeks."""

    def off(relapse_ratio: float) -> float:
        curves = expected_curves(replace(scenario, relapse_ratio=relapse_ratio))
        free = curves.pivot_table(index="day", columns="arm", values="event_free")
        gap = free["maintain"] - free["abrupt"]
        return float(gap[WINDOW_DAYS] / gap[scenario.horizon_days]) - share

    return replace(scenario, relapse_ratio=float(brentq(off, 1.0, 6.0)))
