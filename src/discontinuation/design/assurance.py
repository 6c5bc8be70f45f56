"""With which power would the trial succeed, averaged over what is not known beforehand?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from discontinuation.design._daily import FloatArray
from discontinuation.design.design_file import TrialDesign
from discontinuation.design.drift import Drift
from discontinuation.design.hazards import daily_hazards
from discontinuation.design.hypotheses import covariates
from discontinuation.design.power import drift_of_one
from discontinuation.design.scenario import Scenario
from discontinuation.design.trial_tests import Z
from discontinuation.problems import Problem, refuse
from discontinuation.seeds import random_stream

ROUNDING = 1e-6  # of a prior without spread
SMALLEST = 1e-12  # total of the drive to its power below which it counts as none


@dataclass(frozen=True, eq=False)
class Assurance:
    """Power averaged over priors.

    Attributes
    ----------
    summary
        One row per test of a hypothesis and size: ``test, people_per_arm, assurance, mcse,
        enough`` (share of draws with at least the wanted power), ``draws``.
    draws
        One row per draw: ``draw, withdrawal_risk, kappa, relapse_ratio, relapse_per_year,
        alpha_per_day``, the drift of each test with one person per arm, and ``H1_spread``, the
        standard deviation of its z.
    """

    summary: pd.DataFrame
    draws: pd.DataFrame


def assurance(design: TrialDesign) -> Assurance:
    """Average the power by formula over the priors of the design (methods G4).

    Parameters
    ----------
    design
        The planned trial; what has no prior is as in the truth that it is planned for.

    Returns
    -------
    Assurance

    Raises
    ------
    InvalidInput
        Priors so wide that a draw cannot be worked out.
    """
    asked = design.content["assurance"]
    random = random_stream(design.content["seed"], "assurance", design.content["design"])
    risk = _drawn(asked, "withdrawal_risk", logit(asked["withdrawal_risk"]["median"]), random)
    columns = {"draw": np.arange(1, asked["draws"] + 1), "withdrawal_risk": expit(risk)}
    for name in ("kappa", "relapse_ratio", "relapse_per_year"):
        columns[name] = np.exp(_drawn(asked, name, math.log(asked[name]["median"]), random))
    drawn = pd.DataFrame(columns)
    known = covariates(design)
    rows, drifts = [], []
    for row in drawn.to_dict("records"):
        values = {str(name): float(value) for name, value in row.items()}
        truth = _assumed(design.scenario, values, design.file)
        content = {**design.content, "planned_for": "drawn"}
        one = replace(design, content=content, truths={"drawn": truth})
        drift = drift_of_one(one, "drawn", known)
        spread = {f"{test}_spread": of.spread for test, of in drift.items() if test == "H1"}
        one_person = {test: of.one for test, of in drift.items()}
        rows.append({"alpha_per_day": truth.alpha_per_day, **one_person, **spread})
        drifts.append(drift)
    draws = pd.concat([drawn, pd.DataFrame(rows)], axis=1)
    return Assurance(_summary(design, drifts), draws)


def outside_priors(design: TrialDesign) -> dict[str, tuple[float, float, float]]:
    """Find what the truth that is planned for assumes and the priors hardly allow.

    Parameters
    ----------
    design
        The planned trial.

    Returns
    -------
    dict
        By prior: the value planned for and the central 95 % of the prior, if it is outside.
    """
    asked, planned = design.content["assurance"], design.scenario
    total = planned.alpha_per_day * _total_withdrawal(replace(planned, alpha_per_day=1.0))
    values = {
        "withdrawal_risk": -math.expm1(-total),
        "kappa": planned.kappa,
        "relapse_ratio": planned.relapse_ratio,
        "relapse_per_year": planned.relapse_per_year[0],
    }
    found = {}
    for name, value in values.items():
        to, back = (logit, expit) if name == "withdrawal_risk" else (np.log, np.exp)
        middle = float(to(asked[name]["median"]))
        lower, upper = (float(back(middle + side * asked[name]["sd"])) for side in (-Z, Z))
        if not lower * (1 - ROUNDING) <= value <= upper * (1 + ROUNDING):
            found[name] = (value, lower, upper)
    return found


def _drawn(
    asked: Mapping[str, Any], name: str, middle: float, random: np.random.Generator
) -> FloatArray:
    return np.asarray(random.normal(middle, asked[name]["sd"], asked["draws"]))


def _total_withdrawal(truth: Scenario) -> float:
    """Cumulative hazard of withdrawal after an abrupt stop."""
    nothing = np.zeros((1, truth.horizon_days))
    start, blinded = np.zeros(1, dtype=np.int64), np.ones(1, dtype=bool)
    return float(daily_hazards(nothing, start, blinded, truth).withdrawal.sum())


def _assumed(planned: Scenario, drawn: Mapping[str, float], file: str) -> Scenario:
    """Assumptions of one draw; alpha gives the drawn risk of withdrawal after an abrupt stop."""
    unit = replace(
        planned,
        alpha_per_day=1.0,
        kappa=drawn["kappa"],
        relapse_ratio=drawn["relapse_ratio"],
        relapse_per_year=(drawn["relapse_per_year"],),
    )
    total = _total_withdrawal(unit)
    if not total > SMALLEST:
        rule = (
            "a draw leaves no withdrawal after an abrupt stop, so that no hazard gives the drawn "
            "risk; allowed: a smaller median or spread"
        )
        value = f"{drawn['kappa']:g}"
        refuse([Problem(file, rule, None, "assurance.kappa", value)])
    return replace(unit, alpha_per_day=-math.log1p(-drawn["withdrawal_risk"]) / total)


def _summary(design: TrialDesign, drifts: Sequence[Mapping[str, Drift]]) -> pd.DataFrame:
    wanted = design.content["hypotheses"]["power"]
    rows = []
    for test in drifts[0]:
        for size in design.content["people_per_arm"]:
            power = np.array([float(drift[test].power(size)) for drift in drifts])
            rows.append(
                {
                    "test": test,
                    "people_per_arm": size,
                    "assurance": float(power.mean()),
                    "mcse": float(power.std(ddof=1)) / math.sqrt(len(power)),
                    "enough": float((power >= wanted).mean()),
                    "draws": len(power),
                }
            )
    return pd.DataFrame(rows)
