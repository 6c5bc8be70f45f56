"""What would other methods have said of the same made-up trial?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from discontinuation.bias.late_anchored import excess_of
from discontinuation.bias.two_arms import TwoArms, tabulate
from discontinuation.classify.clauses import NEW, NOT_WORSE
from discontinuation.classify.criteria import RELAPSE, WITHDRAWAL, Criteria
from discontinuation.classify.likelihood import Task
from discontinuation.classify.observed import Observed
from discontinuation.classify.relapse_effects import regression
from discontinuation.classify.rules import apply_rules
from discontinuation.design.simulate import SimulatedTrial
from discontinuation.survival.cumulative_incidence import aalen_johansen

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# By time alone; two symptoms in ten days; early, bodily and mental signs or a prompt response.
RULES = ("time_28", "haddad1998", "horowitz_taylor2022")
LANDMARK_DAYS = 84  # withdrawal of the base scenario is then over (methods C4)
LONG_ENOUGH_DAYS = 180.0  # on the drug, for every rule
STOPPED, KEPT = "abrupt", "maintain"
ORACLE, EVERYBODY_IS_A_RELAPSE = "oracle", "naive"


def other_methods(
    task: Task, trial: SimulatedTrial, true_cause: npt.NDArray[np.object_], criteria: Criteria
) -> dict[str, float]:
    """Estimate what the model estimates, by simpler means.

    Parameters
    ----------
    task
        The model's view of the trial, or of several of which `trial` is one.
    trial
        The trial; it has an arm that keeps the drug and one that stops abruptly.
    true_cause
        Of each event of `task.observed.events`.
    criteria
        From `read_criteria`.

    Returns
    -------
    dict
        ``beta_<method>`` with ``_lower`` and ``_upper``: log hazard ratio of relapse at complete
        loss of protection, when events that the method does not take for relapses are censored.
        Methods: oracle (true causes), naive (all are relapses), each of `RULES` (what a rule does
        not call withdrawal is a relapse), landmark (all are relapses, from 12 weeks on).
        ``psi_H_<method>``: share of the excess hazard of the abrupt arm that is withdrawal, also
        by the late-anchored excess (with limits). ``F_W_<method>`` with limits: crude risk of
        withdrawal in that arm.
    """
    z = float(ndtri((1 + task.settings.confidence) / 2))
    called = withdrawals_by_method(
        task.observed, true_cause, criteria, trial.scenario.half_life_days
    )
    found: dict[str, float] = {}
    for method, withdrawal in called.items():
        relapse = true_cause == RELAPSE if method == ORACLE else ~withdrawal
        found |= _limits(f"beta_{method}", *regression(task, relapse.astype(np.float64)), z)
    everybody = np.ones(len(true_cause))
    after = LANDMARK_DAYS * task.settings.day
    found |= _limits("beta_landmark", *regression(task, everybody, after), z)
    found |= _of_abrupt_arm(task.observed, trial, called)
    return found


def withdrawals_by_method(
    observed: Observed,
    true_cause: npt.NDArray[np.object_],
    criteria: Criteria,
    half_life_days: float,
) -> dict[str, BoolArray]:
    """Tell which events each method calls withdrawal; what a rule cannot judge it does not."""
    verdicts = apply_rules(
        _timing(observed, half_life_days),
        _symptoms(observed, criteria),
        criteria,
        RULES,
        "recorded",
    )
    said = verdicts.labels
    return {
        ORACLE: np.asarray(true_cause == WITHDRAWAL),
        EVERYBODY_IS_A_RELAPSE: np.zeros(len(true_cause), dtype=bool),
        **{rule: np.asarray(said[rule] == WITHDRAWAL) for rule in RULES},
    }


def _timing(observed: Observed, half_life_days: float) -> pd.DataFrame:
    """What rules may ask of each event: drug, time since the last reduction, reinstatement."""
    events = observed.events
    responded = observed.followed & (observed.resolved > 0)
    waited = observed.followed & ~responded
    since = events["onset_latest"].to_numpy(float) - events["last_reduction"].to_numpy(float)
    return pd.DataFrame(
        {
            "drug_class": "antidepressant",
            "subclass": "SSRI",
            "half_life_days": half_life_days,
            "half_life_tag": "V",  # made up: nothing about it is in doubt
            "exposure_days": LONG_ENOUGH_DAYS,
            "reduced": np.isfinite(since),
            "days_since_reduction": since,
            "reinstated": observed.followed,
            "response_days": np.where(responded, observed.resolution, np.nan),
            "response_at_least": np.where(waited, observed.resolution, np.nan),
        }
    )


def _symptoms(observed: Observed, criteria: Criteria) -> pd.DataFrame:
    status = np.where(observed.present > 0, NEW, NOT_WORSE).astype(object)
    status[observed.rated == 0] = None
    frame = pd.DataFrame(status, columns=list(observed.items))
    return frame[[name for name in frame if name in criteria.symptoms]]


def _of_abrupt_arm(
    observed: Observed, trial: SimulatedTrial, called: dict[str, BoolArray]
) -> dict[str, float]:
    """Shares and risks of the abrupt arm, from who was at risk when."""
    people = trial.people.merge(trial.follow_up, on="person")
    mine = (observed.events["study"] == trial.scenario.study).to_numpy()
    row = pd.Index(people["person"]).get_indexer(pd.Index(observed.events.loc[mine, "person"]))
    time = people["end"].to_numpy(dtype=float, copy=True)
    time[row] = observed.events.loc[mine, "onset_latest"].to_numpy(dtype=float)
    arm = people["arm"].to_numpy()
    stopped, kept = arm == STOPPED, arm == KEPT

    def table(weight: FloatArray) -> TwoArms:
        event = np.zeros(len(time))
        event[row] = weight
        return tabulate((time[kept], event[kept]), (time[stopped], event[stopped]))

    every = table(np.ones(len(row)))
    excess = float(every.hazard[1] - every.hazard[0])
    share = excess_of(every, LANDMARK_DAYS, float(trial.scenario.horizon_days)).share
    found = _named("psi_H_late_anchored", share.estimate, share.lower, share.upper)
    for method, withdrawal in called.items():
        part = float(table(withdrawal[mine].astype(np.float64)).hazard[1])
        found[f"psi_H_{method}"] = part / excess if excess > 0 else math.nan
        if method != EVERYBODY_IS_A_RELAPSE:
            cause = np.zeros(len(time), dtype=np.int64)
            cause[row] = 2 - withdrawal[mine]  # 1 withdrawal, 2 any other
            found |= _risk(f"F_W_{method}", time[stopped], cause[stopped])
    return found


def _risk(name: str, time: FloatArray, cause: npt.NDArray[np.int64]) -> dict[str, float]:
    """Crude risk of withdrawal at the end; without any it is 0, and has no limits."""
    if not (cause == 1).any():
        return {name: 0.0}
    at_end = aalen_johansen(time, cause).at([time.max()]).query("cause == 1").iloc[0]
    return _named(name, *(float(at_end[one]) for one in ("probability", "lower", "upper")))


def _named(name: str, estimate: float, lower: float, upper: float) -> dict[str, float]:
    return {name: estimate, f"{name}_lower": lower, f"{name}_upper": upper}


def _limits(name: str, estimate: float, variance: float, z: float) -> dict[str, float]:
    half = z * math.sqrt(variance)
    return _named(name, estimate, estimate - half, estimate + half)
