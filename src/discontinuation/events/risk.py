"""Since when has a person been at risk?"""

from __future__ import annotations

import numpy as np

from discontinuation.events.definition import Risk
from discontinuation.events.dosing import end_of_dosing, latest_change
from discontinuation.events.lookup import SLACK, BoolArray, FloatArray, IntArray
from discontinuation.events.records import Records


def risk_start(risk: Risk, records: Records, person: IntArray, day: FloatArray) -> FloatArray:
    """Find the start of risk that counts on each of many days.

    Counted from the doses, it is the latest such moment before the day, never one that lies
    ahead: what a deterioration led to must not decide whether it is seen.

    Returns
    -------
    array of float
        NaN where there is no such start.
    """
    if risk.start == "origin":
        return np.zeros(len(person))
    if risk.start == "follow_up":
        return np.asarray(records.start[person])
    if risk.start == "last_dose":
        return end_of_dosing(records.doses, person, day, risk.drug)
    reductions = risk.start == "dose_reduction"
    return latest_change(records.doses, person, day, risk.drug, reductions_only=reductions)


def is_at_risk(risk: Risk, start: FloatArray, day: FloatArray) -> BoolArray:
    """Mark the days on which a person can count as worse."""
    since = day - start
    with np.errstate(invalid="ignore"):
        late = (since > SLACK) & (since >= risk.after_days - SLACK)
        return np.asarray(late & (since <= risk.until_days + SLACK))
