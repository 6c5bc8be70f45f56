"""What would a trial show if we knew why each person got worse?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.design._daily import FloatArray
from discontinuation.design.courses import (
    BoolArray,
    Courses,
    IntArray,
    draw_courses,
    started_plans,
    stream,
)
from discontinuation.design.latent import Latent, draw_latent
from discontinuation.design.record import Record, next_visit, observe
from discontinuation.design.scenario import CAUSES, Scenario

DRUG = "study drug"
DEFINITION = "protocol"
INSTRUMENT = "symptoms"

Names = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class SimulatedTrial:
    """A made-up trial: what would be recorded, and what lies behind it.

    Attributes
    ----------
    scenario
        The assumptions.
    people, doses, assessments, follow_up, deteriorations
        Canonical tables. Time is days since randomisation. `assessments` holds the symptoms
        (1 new or worse, 0 not) at each recorded deterioration. Doses are recorded from
        ``-stable_days`` on.
    truth
        One row per recorded deterioration: ``person``, ``episode``, its ``cause`` (withdrawal,
        relapse, nocebo), the true ``onset``, and on the day of onset ``protection_loss``,
        ``drive`` and the ``hazard_<cause>`` of this person, frailty included.
    latent
        One row per person: ``start_day`` of the reduction, ``adherence`` (as_planned,
        stop_early, keep_taking), ``frailty``, the latent times ``withdrawal``, ``relapse``,
        ``nocebo`` and ``dropout`` (NaN if after the horizon), the first ``onset`` and its
        ``cause`` (none if there is none), whether or not it was recorded.
    """

    scenario: Scenario
    people: pd.DataFrame
    doses: pd.DataFrame
    assessments: pd.DataFrame
    follow_up: pd.DataFrame
    deteriorations: pd.DataFrame
    truth: pd.DataFrame
    latent: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Events:
    """The recorded deteriorations, one entry each, by person and episode."""

    person: IntArray
    episode: IntArray
    cause: IntArray
    onset: FloatArray
    detected: FloatArray
    reinstated: BoolArray
    resolution: FloatArray
    protection_loss: FloatArray
    drive: FloatArray
    hazards: FloatArray  # (causes, events)


def simulate_trial(scenario: Scenario, seed: int) -> SimulatedTrial:
    """Simulate one trial (methods F2) on the daily scheme (methods B1 to B3).

    Hazards are constant within each day, with the exposure at its end; each latent time is where
    a cause's cumulative hazard meets an exponential of its own. Every random stream has a name
    and draws for all people, so that the people of two scenarios differ only where the scenarios
    do, and nothing depends on order or cores.

    Parameters
    ----------
    scenario
        The assumptions.
    seed
        Another one for each replicate.

    Returns
    -------
    SimulatedTrial
        The tables and the truth behind them.
    """
    courses = draw_courses(scenario, seed)
    latent = draw_latent(scenario, courses, seed)
    record = observe(scenario, courses, latent, seed)
    names = np.array([f"{scenario.study}-{i:05d}" for i in range(1, scenario.people + 1)], object)
    events = _events(scenario, courses, latent, record)
    return SimulatedTrial(
        scenario=scenario,
        people=_people(scenario, courses, names),
        doses=_doses(scenario, courses, record, names),
        assessments=_assessments(scenario, events, names, seed),
        follow_up=_follow_up(record, names),
        deteriorations=_deteriorations(scenario, events, names),
        truth=_truth(events, names),
        latent=_latent_frame(courses, latent, names),
    )


def _events(scenario: Scenario, courses: Courses, latent: Latent, record: Record) -> _Events:
    """List the recorded deteriorations with the exposure and the hazards on the day of onset."""
    first = np.flatnonzero(np.isfinite(record.detected))
    second = np.flatnonzero(np.isfinite(record.second_detected))
    person = np.concatenate([first, second])
    episode = np.repeat([1, 2], [first.size, second.size])
    order = np.lexsort([episode, person])
    person, episode = person[order], episode[order]
    again = episode == 2
    onset = np.where(again, record.second_onset[person], latent.onset[person])
    history, day = courses.history[person], np.maximum(np.ceil(onset).astype(np.int64) - 1, 0)
    exposure = courses.hazards
    relapse = exposure.relapse[history, day] * latent.frailty[person]
    if scenario.relapse_after_withdrawal_ratio is not None:
        relapse = np.where(again, scenario.relapse_after_withdrawal_ratio * relapse, relapse)
    others = np.where(
        again, 0.0, [exposure.withdrawal[history, day], exposure.nocebo[history, day]]
    )
    return _Events(
        person=person,
        episode=episode,
        cause=np.where(again, CAUSES.index("relapse"), latent.cause[person]),
        onset=onset,
        detected=np.where(again, record.second_detected[person], record.detected[person]),
        reinstated=record.reinstated[person] & ~again,
        resolution=record.resolution[person],
        protection_loss=exposure.protection_loss[history, day],
        drive=exposure.drive[history, day],
        hazards=np.array([others[0], relapse, others[1]]),
    )


def _people(scenario: Scenario, courses: Courses, names: Names) -> pd.DataFrame:
    arms = np.array([arm.name for arm in scenario.arms], dtype=object)
    return pd.DataFrame(
        {
            "person": names,
            "study": scenario.study,
            "arm": arms[courses.arm],
            "prior_exposure_days": float(scenario.stable_days),
        }
    )


def _doses(scenario: Scenario, courses: Courses, record: Record, names: Names) -> pd.DataFrame:
    """Intervals of constant dose: one row where each begins, until the next or the end."""
    if scenario.doses_recorded == "planned":
        daily = started_plans(scenario, courses.plans, courses.arm, courses.start_day)
    else:
        daily = courses.taken[courses.history]
    until = np.where(record.reinstated, record.detected, record.end)
    changed = np.diff(daily, axis=1, prepend=scenario.dose_mg) != 0
    changed &= np.arange(scenario.horizon_days) < until[:, None]
    who, day = np.nonzero(changed)
    everyone, again = np.arange(scenario.people), np.flatnonzero(record.reinstated)
    before = np.maximum(record.detected[again].astype(np.int64) - 1, 0)
    again = again[daily[again, before] != scenario.dose_mg]
    person = np.concatenate([everyone, who, again])
    full = np.full(person.size, float(scenario.dose_mg))
    full[everyone.size : everyone.size + who.size] = daily[who, day]
    stable = np.full(scenario.people, -float(scenario.stable_days))
    start = np.concatenate([stable, day, record.detected[again]])
    order = np.lexsort([start, person])
    person, start, dose = person[order], start[order], full[order]
    is_last = np.append(np.diff(person) != 0, True)
    stop = np.where(is_last, record.end[person], np.append(start[1:], 0.0))
    return pd.DataFrame(
        {
            "person": names[person],
            "drug": DRUG,
            "start": start,
            "stop": stop,
            "dose": dose,
            "unit": "mg/day",
            "route": "oral",
        }
    )


def _assessments(scenario: Scenario, events: _Events, names: Names, seed: int) -> pd.DataFrame:
    """Rate each symptom at each recorded deterioration; what is not rated has no row."""
    withdrawal, relapse = scenario.item_profiles()
    by_relapse = (events.cause == CAUSES.index("relapse"))[:, None]
    logit = np.where(
        by_relapse, np.log(relapse / (1 - relapse)), np.log(withdrawal / (1 - withdrawal))
    )
    shift = np.array(scenario.off_drug_shift) * events.protection_loss[:, None]
    logit = logit + by_relapse * shift
    place = (events.episode - 1, events.person)
    shape = (2, scenario.people, len(scenario.items))
    severity = stream(scenario, seed, "severity").standard_normal(shape[:2])[place]
    logit = logit + scenario.severity_sd * severity[:, None]
    present = stream(scenario, seed, "items").random(shape)[place] < 1 / (1 + np.exp(-logit))
    rated = stream(scenario, seed, "missing").random(shape)[place] >= scenario.item_missing
    event, item = np.nonzero(rated)
    return pd.DataFrame(
        {
            "person": names[events.person[event]],
            "day": events.detected[event],
            "instrument": INSTRUMENT,
            "item": np.array(scenario.items, dtype=object)[item],
            "value": present[event, item].astype(float),
        }
    )


def _follow_up(record: Record, names: Names) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person": names,
            "start": 0.0,
            "end": record.end,
            "end_reason": record.end_reason.astype(object),
        }
    )


def _deteriorations(scenario: Scenario, events: _Events, names: Names) -> pd.DataFrame:
    """Deteriorations as seen at the visits; the onset is when worsening is first seen."""
    seen = next_visit(scenario, events.onset)
    watched = events.resolution <= scenario.reinstatement_watch_days
    reinstated = np.where(events.reinstated, events.detected, np.nan)
    resolved = np.where(watched, reinstated + events.resolution, np.nan)
    censored = pd.array(~watched, dtype="boolean")
    censored[~events.reinstated] = pd.NA
    return pd.DataFrame(
        {
            "person": names[events.person],
            "episode": events.episode,
            "definition": DEFINITION,
            "onset": seen,
            "onset_earliest": np.floor(events.onset / scenario.visit_days) * scenario.visit_days,
            "onset_latest": seen,
            "detected": events.detected,
            "reinstated": reinstated,
            "resolved": resolved,
            "resolution_censored": censored,
            "source": "reported",
        }
    )


def _truth(events: _Events, names: Names) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "person": names[events.person],
            "episode": events.episode,
            "cause": np.array(CAUSES, dtype=object)[events.cause],
            "onset": events.onset,
            "protection_loss": events.protection_loss,
            "drive": events.drive,
        }
    )
    for cause, hazard in zip(CAUSES, events.hazards, strict=True):
        frame[f"hazard_{cause}"] = hazard
    return frame


def _latent_frame(courses: Courses, latent: Latent, names: Names) -> pd.DataFrame:
    adherence = np.where(courses.keeps, "keep_taking", "as_planned").astype(object)
    adherence[courses.stop_day < courses.taken.shape[1]] = "stop_early"
    frame = pd.DataFrame(
        {
            "person": names,
            "start_day": courses.start_day,
            "adherence": adherence,
            "frailty": latent.frailty,
        }
    )
    timed = zip(
        (*CAUSES, "dropout", "onset"), (*latent.times, latent.dropout, latent.onset), strict=True
    )
    for name, times in timed:
        frame[name] = np.where(times <= courses.taken.shape[1], times, np.nan)
    frame["cause"] = np.array([*CAUSES, "none"], dtype=object)[latent.cause]
    return frame
