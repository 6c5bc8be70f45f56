"""On which made-up trials is the model tried?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product

from scipy.optimize import brentq

from discontinuation.design.expected import expected_curves
from discontinuation.design.scenario import BASE_ARMS, Scenario
from discontinuation.problems import Problem, allowed_values, refuse

USELESS = 0.0
SOMATIC = (1.5, 1.5, 1.5, 0.0, 0.0, 0.0, 0.0, 0.0)
WINDOW_DAYS = 56

# A part of block 1 of methods F2, crossed: people per arm, share of the item contrast that is
# kept, relapse hazard ratio, crude risk of withdrawal in the abrupt arm. Outermost first.
FACTORS: dict[str, tuple[float, ...]] = {
    "people per arm": (80, 200),
    "item contrast": (0.0, 1.0),
    "relapse HR": (1.0, 1.5, 2.5),
    "withdrawal risk": (0.0, 0.06, 0.24),
}


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


def factorial_names() -> dict[str, dict[str, float]]:
    """Name every combination of `FACTORS`, with its levels."""
    found = {}
    for levels in product(*FACTORS.values()):
        named = dict(zip(FACTORS, levels, strict=True))
        found[", ".join(f"{name} {level:g}" for name, level in named.items())] = named
    return found


def chosen_scenarios(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Sort names of scenarios into those of the gates and those crossed; none given: all.

    Raises
    ------
    InvalidInput
        Names that are neither.
    """
    single, crossed = list(gate_scenarios()), list(factorial_names())
    known = [*single, *crossed]
    refuse(
        Problem("config", allowed_values(known, name), None, "validation.scenarios", name)
        for name in names
        if name not in known
    )
    wanted = names or known
    return [n for n in single if n in wanted], [n for n in crossed if n in wanted]


@cache
def scenario_of(name: str) -> Scenario:
    """Make the scenario of this name: one of `gate_scenarios` or of `factorial_names`.

    Raises
    ------
    KeyError
        There is none.
    """
    if name in gate_scenarios():
        return gate_scenarios()[name]
    levels = factorial_names()[name]
    scenario = replace(
        Scenario(study=name),
        arms=tuple(replace(arm, people=int(levels["people per arm"])) for arm in BASE_ARMS),
        item_distinctiveness=levels["item contrast"],
        relapse_ratio=levels["relapse HR"],
        alpha_per_day=0.0,
    )
    return (
        _with_risk(scenario, levels["withdrawal risk"]) if levels["withdrawal risk"] else scenario
    )


def beyond_prototype() -> dict[str, Scenario]:
    """Scenarios that the prototype did not try: reported, without a criterion."""
    base = Scenario()
    planned = replace(base, doses_recorded="planned")
    kept, *stopping = BASE_ARMS
    told = replace(base, arms=(replace(kept, blinded=False), *stopping))
    concealed = replace(base, concealed_start_days=WINDOW_DAYS)
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
        "no sham steps, nocebo 0.10": replace(told, nocebo_risk=0.10),
        "no sham steps, nocebo 0.10, no withdrawal": replace(
            told, nocebo_risk=0.10, alpha_per_day=0.0
        ),
        "concealed start": concealed,
        "concealed start, nocebo 0.10": replace(concealed, nocebo_risk=0.10),
        "nobody reinstated": replace(base, reinstated_share=0.0),
        "everybody reinstated": replace(base, reinstated_share=1.0),
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
