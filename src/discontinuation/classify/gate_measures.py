"""What does the model say of one made-up trial, and what is true of it?"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.criteria import Criteria
from discontinuation.classify.evidence import ROBUST
from discontinuation.classify.gate_scenarios import scenario_of
from discontinuation.classify.imputation import impute_causes
from discontinuation.classify.information import complete_score, observed_information
from discontinuation.classify.likelihood import expect
from discontinuation.classify.model import LatentCauseFit, fit
from discontinuation.classify.other_methods import other_methods
from discontinuation.classify.relapse_effects import imputed_effect
from discontinuation.classify.settings import Settings
from discontinuation.design.expected import expected_curves, expected_excess_share
from discontinuation.design.scenario import Scenario
from discontinuation.design.simulate import SimulatedTrial, simulate_trial
from discontinuation.exposure.trajectories import Exposure, exposure_of
from discontinuation.seeds import random_stream

FloatArray = npt.NDArray[np.float64]

IMPUTATIONS = 20
IMPROPER = ("S0", "S4", "S10")  # scenarios in which causes are imputed with fixed parameters too
KAPPA_TESTED = ("S0", "X19")
NORMAL_97_5 = 1.959963984540054
WARNED = ("X13", "X14", "X17")
DIFFERENTIATED = ("S0",)
PROTRACTED = ("S8",)


def measure_trial(
    name: str, number: int, seed: int, criteria: Criteria | None = None
) -> tuple[dict[str, object], pd.DataFrame]:
    """Simulate one trial of a scenario, fit it, and compare with the truth.

    Parameters
    ----------
    name
        Scenario, as `scenario_of` knows it.
    number
        Of the replicate; with `seed` it makes the trial.
    seed
        Of the whole run.
    criteria
        From `read_criteria`, to set other methods beside the model; None: they are left out.

    Returns
    -------
    row
        One value for each quantity; NaN or absent where it does not apply.
    events
        q and the true cause of each event of the stopping arms.
    """
    began = time.perf_counter()
    scenario = scenario_of(name)
    trial_seed = int(random_stream(seed, "gates", str(number)).integers(2**31))
    trials = [simulate_trial(scenario, trial_seed)]
    if name == "two trials":
        more = replace(scenario, study="second", relapse_per_year=(0.5,), alpha_per_day=0.03)
        trials.append(simulate_trial(more, trial_seed))
    anchor = "maintain" if any(arm.name == "maintain" for arm in scenario.arms) else None
    result = fit_trials(trials, anchor)
    truth = pd.concat([trial.truth for trial in trials])
    events = result.q.merge(truth[["person", "episode", "cause"]], on=["person", "episode"])
    stopped = events.loc[events["arm"] != "maintain", ["q", "cause", "decision"]]
    row: dict[str, object] = {"scenario": name, "replicate": number}
    row |= _shares(result, scenario, anchor)
    row |= _effects(result, anchor)
    people = sum(arm.people for arm in scenario.arms if arm.name != "maintain") * len(trials)
    attributed = float(stopped["q"].sum()) - float((stopped["cause"] == "withdrawal").sum())
    row["attribution_bias"] = attributed / people
    row["largest_fall"] = max(one.largest_fall for one in result.maxima)
    if anchor:
        row |= _imputed(result, trial_seed, improper=name in IMPROPER)
    if criteria is not None and anchor:
        cause = events["cause"].to_numpy(dtype=object)
        row |= other_methods(result.task, trials[0], cause, criteria)
    if name in KAPPA_TESTED:
        row["kappa_p"] = result.kappa_test.p_value
    if name in WARNED:
        row["warned"] = warned(result)
    if name in DIFFERENTIATED:
        row["louis"] = louis_difference(result)
    row["misfit"] = result.windows.misfit
    if name in PROTRACTED:
        row |= _with_slow_share(trials, anchor)
    row["seconds"] = time.perf_counter() - began
    return row, stopped.assign(scenario=name, replicate=number)


def exposure_of_trial(trial: SimulatedTrial) -> Exposure:
    """Exposure under what the planners believe of the drug."""
    scenario = trial.scenario
    return exposure_of(
        trial.doses,
        half_life_days=scenario.half_life_days,
        k=scenario.ed50_mg,
        emax=scenario.occupancy_max,
        hill=scenario.hill,
        dose_before=scenario.dose_mg,
    )


def fit_trials(
    trials: list[SimulatedTrial], maintenance: str | None, settings: Settings | None = None
) -> LatentCauseFit:
    """Fit the model to one trial, or to several at once."""
    tables = {
        name: pd.concat([getattr(trial, name) for trial in trials], ignore_index=True)
        for name in ("deteriorations", "people", "assessments", "follow_up")
    }
    return fit(
        tables["deteriorations"],
        tables["people"],
        {trial.scenario.study: exposure_of_trial(trial) for trial in trials},
        tables["assessments"],
        follow_up=tables["follow_up"],
        maintenance=maintenance,
        settings=settings,
    )


@cache
def truth_of(name: str) -> dict[str, float]:
    """True values of a scenario at its horizon; of shares where all start on day 0 as planned."""
    scenario = scenario_of(name)
    astray = scenario.stop_early_share or scenario.keep_taking_share
    if astray or scenario.concealed_start_days:
        return {"beta": scenario.beta}
    curves = expected_curves(scenario)
    day = scenario.horizon_days
    at_end = curves[curves["day"] == day].set_index("arm")
    found = {"beta": scenario.beta, "F_W": float(at_end["crude_withdrawal"].to_dict()["abrupt"])}
    if "maintain" in at_end.index:
        share = expected_excess_share(curves, "abrupt", "maintain", day)
        found |= {"psi_H": share.hazard, "psi_net": share.net}
    return found


def _shares(result: LatentCauseFit, scenario: Scenario, anchor: str | None) -> dict[str, object]:
    """Estimates of psi in the abrupt arm at the end, and the crude risk of withdrawal."""
    study, day = scenario.study, result.incidence["horizon"].max()
    incidence = result.incidence.set_index(["study", "arm", "cause", "horizon"])
    risk, error = incidence["incidence"], incidence["incidence_se"]
    key = (study, "abrupt", "withdrawal", day)
    value, half = float(risk[key]), NORMAL_97_5 * float(error[key])
    row: dict[str, object] = {"F_W": value, "F_W_lower": value - half, "F_W_upper": value + half}
    psi = result.psi[(result.psi["arm"] == "abrupt") & (result.psi["study"] == study)]
    row["psi_refused"] = bool(psi["estimate"].isna().all())
    if anchor:
        last = psi[psi["horizon"] == psi["horizon"].max()].set_index("measure")
        for measure in ("psi_H", "psi_net"):
            for column in ("estimate", "lower", "upper"):
                row[f"{measure}_{column}"] = float(last[column].to_dict()[measure])
    return row


def _effects(result: LatentCauseFit, anchor: str | None) -> dict[str, object]:
    table = result.estimates.set_index("parameter")
    beta = table.loc["beta"]
    return {
        "beta": float(beta["estimate"]),
        "beta_lower": float(beta["lower"]),
        "beta_upper": float(beta["upper"]),
        "beta_refused": beta["refused"] is not None and anchor is None,
        "kappa": float(table["estimate"].to_dict()["kappa"]),
        "LR": result.evidence.likelihood_ratio,
        "robust": result.evidence.label == ROBUST,
        "nocebo_called_for": result.evidence.nocebo_called_for,
        "converged": result.maximum.converged,
    }


def _with_slow_share(trials: list[SimulatedTrial], anchor: str | None) -> dict[str, object]:
    """Crude risk of withdrawal and its limits if a share may adapt slowly."""
    table = fit_trials(trials, anchor, Settings(protracted=True)).incidence
    rows = table.query("arm == 'abrupt' and cause == 'withdrawal'")
    value, se = (float(rows[name].iloc[-1]) for name in ("incidence", "incidence_se"))
    half = NORMAL_97_5 * se
    return {"slow": value, "slow_lower": value - half, "slow_upper": value + half}


def _imputed(result: LatentCauseFit, seed: int, improper: bool) -> dict[str, object]:
    """Relapse log hazard ratio from imputed causes, properly and with fixed parameters."""
    row: dict[str, object] = {}
    theta = result.maximum.found.theta
    kinds = [("proper", True), ("improper", False)] if improper else [("proper", True)]
    for kind, draw in kinds:
        drawn = impute_causes(theta, result.covariance, result.task, IMPUTATIONS, seed, draw=draw)
        combined = imputed_effect(result.task, drawn)
        row |= {
            f"MI_{kind}": combined.estimate[0],
            f"MI_{kind}_lower": combined.lower[0],
            f"MI_{kind}_upper": combined.upper[0],
        }
    return row


def warned(result: LatentCauseFit) -> bool:
    """Whether W4, W5 or W6 stands among the warnings; W6 is tried only if it decides."""
    codes = {caution.code for caution in result.first_cautions}
    if codes & {"W4", "W5"}:
        return True
    return any(caution.code == "W6" for caution in result.warnings)


def louis_difference(result: LatentCauseFit) -> float:
    """Largest difference of Louis' information from differences of the score, relative.

    Relative to the root of the product of the two diagonal elements.
    """
    task, found = result.task, result.maximum.found
    free = np.flatnonzero(task.free)
    step = 1e-5
    hessian = np.empty((free.size, free.size))
    for row, place in enumerate(free):
        sides = []
        for sign in (1, -1):
            moved = found.theta.copy()
            moved[place] += sign * step
            sides.append(complete_score(expect(moved, task), task)[0][free])
        hessian[row] = -(sides[0] - sides[1]) / (2 * step)
    louis = observed_information(found, task)[np.ix_(free, free)]
    scale = np.sqrt(np.abs(np.diag(louis)))
    return float(np.max(np.abs(louis - hessian) / np.outer(scale, scale)))
