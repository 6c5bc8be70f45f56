"""How long after a taper must people be followed for withdrawal to be over?"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from discontinuation.design.day_tables import expected_counts
from discontinuation.design.design_file import TrialDesign
from discontinuation.design.hazards import daily_hazards
from discontinuation.design.plans import planned_doses
from discontinuation.design.scenario import DAYS_PER_YEAR, Arm, Scenario
from discontinuation.problems import Problem, refuse

SMALL = 0.05  # of the hazard of relapse
HALF_LIVES = 5
LONGEST = 3650  # days after the taper that are looked at
EVENTS = 80  # per pair, for limits of a hazard ratio that are 2.4 apart


def withdrawal_over(
    half_life_days: float,
    tau_days: float,
    kappa: float,
    alpha_per_day: float,
    drive_at_end: float,
    relapse_per_year: float,
    small: float = SMALL,
) -> float:
    """Days after the last dose until the withdrawal hazard is a small part of that of relapse.

    ``5 t_half + (tau / kappa) log(alpha w_end^kappa / (small lambda_0))`` (methods G5).

    Parameters
    ----------
    half_life_days, tau_days, kappa, alpha_per_day
        Of the drug and of withdrawal (methods B1, B2).
    drive_at_end
        Drive when the last dose has been taken; 1 after an abrupt stop.
    relapse_per_year
        Hazard under full protection.
    small
        Which part of it counts as nothing.

    Returns
    -------
    float
        Days; 0 where withdrawal is never more than that.

    Raises
    ------
    InvalidInput
        A number below 0, or no hazard of relapse to compare with.
    """
    given = {"half_life_days": half_life_days, "alpha_per_day": alpha_per_day}
    above = {"tau_days": tau_days, "kappa": kappa, "drive_at_end": drive_at_end}
    above |= {"relapse_per_year": relapse_per_year, "small": small}
    problems = [
        Problem("options", "allowed: 0 or more", None, name, str(value))
        for name, value in given.items()
        if not value >= 0
    ]
    problems += [
        Problem("options", "allowed: a number above 0", None, name, str(value))
        for name, value in above.items()
        if not value > 0
    ]
    refuse(problems)
    threshold = small * relapse_per_year / DAYS_PER_YEAR
    hazard = alpha_per_day * drive_at_end**kappa
    if hazard <= threshold:
        return 0.0
    return HALF_LIVES * half_life_days + tau_days / kappa * math.log(hazard / threshold)


def needed_follow_up(design: TrialDesign) -> pd.DataFrame:
    """Tell for each truth and each arm that stops how long withdrawal lasts after its last dose.

    Parameters
    ----------
    design
        The planned trial.

    Returns
    -------
    DataFrame
        ``truth, arm, last_dose_day, days_formula, days_daily, followed_days, late_events,
        people_for_80``. Days after the last dose by the formula (blank for a linear taper, for
        which there is none) and on the daily scheme, infinite beyond ten years and blank where
        no relapse is assumed; the follow-up of the design after the last dose; events expected
        after withdrawal is over in one person of this arm and one of the maintenance arm; and
        the people per arm with whom these are 80, the number that gives a hazard ratio whose
        limits are 2.4 apart. Blank without a maintenance arm.
    """
    rows = []
    for name, truth in design.truths.items():
        for position, arm in enumerate(truth.arms):
            if arm.strategy != "maintain":
                row = _lasting(truth, arm)
                row |= _late(
                    design, truth, position, float(row["last_dose_day"] + row["days_daily"])
                )
                rows.append({"truth": name, "arm": arm.name, **row})
    return pd.DataFrame(rows)


def _lasting(truth: Scenario, arm: Arm) -> dict[str, float]:
    longer = replace(truth, horizon_days=arm.taper_days + LONGEST, concealed_start_days=0)
    doses = planned_doses(arm, longer)[None]
    blinded = np.ones(1, dtype=bool)
    hazard = daily_hazards(doses, np.zeros(1, dtype=np.int64), blinded, longer).withdrawal[0]
    last = int(np.flatnonzero(doses[0] == 0)[0])
    relapse = truth.relapse_per_year[0]
    row = {"last_dose_day": float(last), "days_formula": math.nan, "days_daily": math.nan}
    if not relapse:
        return row
    above = np.flatnonzero(hazard >= SMALL * relapse / DAYS_PER_YEAR)
    if above.size and above[-1] == len(hazard) - 1:
        row["days_daily"] = math.inf
    else:
        row["days_daily"] = max(0.0, float(above[-1] + 1 - last)) if above.size else 0.0
    if arm.strategy == "abrupt" or arm.shape == "hyperbolic":
        row["days_formula"] = _by_formula(truth, arm, relapse)
    return row


def _by_formula(truth: Scenario, arm: Arm, relapse: float) -> float:
    """Days by the formula, of the slower part of withdrawal where there are two."""
    slow, share = truth.protracted_tau_days, truth.protracted_share
    tau, alpha = (
        (slow, share * truth.alpha_per_day) if share else (truth.tau_days, truth.alpha_per_day)
    )
    length = arm.taper_days
    drive = tau / length * -math.expm1(-length / tau) if length else 1.0
    return withdrawal_over(truth.half_life_days, tau, truth.kappa, alpha, drive, relapse)


def _late(design: TrialDesign, truth: Scenario, position: int, over: float) -> dict[str, float]:
    last = truth.arms[position].taper_days
    row = {"followed_days": float(design.end - last), "late_events": math.nan}
    row["people_for_80"] = math.nan
    kept = design.place("maintain")
    if kept is None or not math.isfinite(over):
        return row
    counts = expected_counts(truth)
    events = float(counts.events[:, counts.day > over][..., [position, kept]].sum())
    row["late_events"] = events
    row["people_for_80"] = math.ceil(EVENTS / events) if events else math.inf
    return row
