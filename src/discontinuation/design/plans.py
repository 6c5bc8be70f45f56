"""Which dose does each arm plan for each day?"""

from __future__ import annotations

import numpy as np

from discontinuation.design._daily import FloatArray, dose_for_occupancy, occupancy
from discontinuation.design.scenario import Arm, Scenario


def planned_doses(arm: Arm, scenario: Scenario) -> FloatArray:
    """Dose planned for each day of an arm whose reduction starts on day 0.

    Parameters
    ----------
    arm
        The arm.
    scenario
        The trial, with what its planners believe of the drug.

    Returns
    -------
    array
        mg per day, shape (horizon_days,).
    """
    dose = np.full(scenario.horizon_days, float(scenario.dose_mg))
    if arm.strategy == "abrupt":
        dose[:] = 0.0
    elif arm.strategy == "taper":
        falls = 1 + np.arange(scenario.horizon_days) // arm.step_days
        left = np.clip(1 - falls * arm.step_days / arm.taper_days, 0.0, 1.0)
        dose = _dose_left(left, arm, scenario)
    if arm.rounded_to_mg:
        dose = np.round(dose / arm.rounded_to_mg) * arm.rounded_to_mg
    return dose


def _dose_left(left: FloatArray, arm: Arm, scenario: Scenario) -> FloatArray:
    """Dose at which this share of the full dose, or of its occupancy, is left."""
    if arm.shape == "linear":
        return left * scenario.dose_mg
    drug = (scenario.ed50_mg, scenario.occupancy_max, scenario.hill)
    full = occupancy(np.array(scenario.dose_mg, dtype=float), *drug)
    return dose_for_occupancy(left * full, *drug)
