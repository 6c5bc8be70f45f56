"""Which files would a small made-up case series consist of?

Six people keep a diary while they try to stop. The story of each is written out below; nothing
is claimed about the drugs whose half-lives and occupancy curves (domain 3.1 and 4.2) they take.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from discontinuation.design._daily import (
    FloatArray,
    dose_for_occupancy,
    first_order_lag,
    level,
    occupancy,
    withdrawal_drive,
)
from discontinuation.seeds import random_stream

TAU_DAYS = 14.0
# Intensity at which a bout of withdrawal is told as an episode, and below which it has passed.
TOLD, PASSED = 0.30, 0.12
RELAPSE_RISES_DAYS = 21.0
# How fast symptoms follow the drive.
SYMPTOM_LAG_DAYS = 2.5

# Diary symptom, 0 to 10: mean when well (below 0: hardly ever felt), and what full withdrawal and
# full relapse add.
SYMPTOMS = {
    "dizziness": (0.0, 7.0, 0.5),
    "shocks": (-1.0, 7.0, 0.0),
    "nausea": (0.0, 5.0, 0.5),
    "irritability": (0.5, 6.0, 3.0),
    "anxiety": (0.8, 6.0, 5.0),
    "low_mood": (0.7, 3.0, 8.0),
    "no_interest": (0.3, 1.5, 7.0),
    "poor_sleep": (0.8, 5.0, 5.0),
}


@dataclass(frozen=True)
class Drug:
    """A drug: half-life in days (tag V), dose at half of Emax and Emax (tag V2)."""

    name: str
    half_life_days: float
    ed50_mg: float
    occupancy_max: float


# Half-lives from the middle of the range; venlafaxine and fluoxetine by their active metabolites.
PAROXETINE = Drug("paroxetine", 22.5 / 24, 5.60, 0.9714)
VENLAFAXINE = Drug("venlafaxine", 11 / 24, 5.80, 0.9007)
SERTRALINE = Drug("sertraline", 26 / 24, 7.72, 0.9201)
ESCITALOPRAM = Drug("escitalopram", 29.5 / 24, 0.66, 0.7535)
FLUOXETINE = Drug("fluoxetine", 10.0, 1.89, 0.8612)


@dataclass(frozen=True)
class Relapse:
    """A relapse: day of onset, day of starting again if so, and day of resolution if seen."""

    onset: int
    restarted: int | None = None
    resolved: int | None = None


@dataclass(frozen=True)
class Case:
    """One person's story; days are counted from the first day of the diary, which is day 0.

    Attributes
    ----------
    person, age, sex, diagnosis, years_on_drug, stopped_before
        Who it is.
    drug, full_dose
        What was taken before the diary.
    changes
        Day and new dose of each change.
    attempts
        Day on which each attempt to stop starts.
    days
        Length of the diary.
    sensitivity
        Withdrawal felt per unit of withdrawal drive.
    slow_share, slow_tau_days
        Share of the adaptation that takes longer, and its time constant.
    relapses
        Relapses, if any.
    """

    person: str
    age: int
    sex: str
    diagnosis: str
    years_on_drug: float
    stopped_before: int
    drug: Drug
    full_dose: float
    changes: tuple[tuple[int, float], ...]
    attempts: tuple[int, ...]
    days: int
    sensitivity: float
    slow_share: float = 0.0
    slow_tau_days: float = 150.0
    relapses: tuple[Relapse, ...] = field(default_factory=tuple)


def _equal_falls(
    drug: Drug, full_dose: float, falls: int, first_day: int, step_days: int
) -> tuple[tuple[int, float], ...]:
    """Lower the dose in equal falls of occupancy to 0, rounded to 0.1 mg."""
    curve = (drug.ed50_mg, drug.occupancy_max)
    full = occupancy(np.array(full_dose), *curve)
    doses = dose_for_occupancy(full * (1 - np.arange(1, falls + 1) / falls), *curve)
    return tuple(
        (first_day + step_days * i, float(np.round(dose, 1))) for i, dose in enumerate(doses)
    )


CASES = (
    Case(
        "case-1", 41, "F", "depression", 6, 1, PAROXETINE, 20,
        # At once, then by half in two steps, then slowly.
        ((21, 0), (35, 20), (90, 10), (104, 0), (118, 20),
         *_equal_falls(PAROXETINE, 20, 10, 180, 14)),
        attempts=(21, 90, 180), days=360, sensitivity=1.0,
    ),
    Case(
        "case-2", 36, "M", "depression", 9, 2, VENLAFAXINE, 75,
        # Protracted: half of the adaptation takes five months.
        ((21, 37.5), (35, 0), (42, 75), (84, 37.5), (98, 0)),
        attempts=(21, 84), days=360, sensitivity=1.1, slow_share=0.5,
    ),
    Case(
        "case-3", 58, "F", "anxiety", 3, 0, SERTRALINE, 50,
        # Neither withdrawal nor relapse, twice.
        ((28, 0), (120, 50), (180, 25), (194, 0)),
        attempts=(28, 180), days=300, sensitivity=0.05,
    ),
    Case(
        "case-4", 29, "F", "depression", 2, 0, ESCITALOPRAM, 10,
        # Little withdrawal; ill again four months after the last dose.
        ((21, 5), (35, 2.5), (49, 0), (190, 10)),
        attempts=(21,), days=300, sensitivity=0.30,
        relapses=(Relapse(onset=165, restarted=190, resolved=232),),
    ),
    Case(
        "case-5", 47, "M", "depression", 12, 3, PAROXETINE, 30,
        # Withdrawal the first time; ill again after the second, slow attempt.
        ((14, 0), (24, 30), *_equal_falls(PAROXETINE, 30, 8, 80, 14)),
        attempts=(14, 80), days=330, sensitivity=0.9,
        relapses=(Relapse(onset=268),),
    ),
    Case(
        "case-6", 33, "F", "anxiety", 4, 1, FLUOXETINE, 20,
        # A drug that leaves slowly: late and little, the second time after one step less.
        ((21, 0), (100, 20), (160, 10), (188, 0)),
        attempts=(21, 160), days=300, sensitivity=1.6,
    ),
)  # fmt: skip


def case_files(seed: int) -> dict[str, pd.DataFrame]:
    """Write the case series as its collectors would have it.

    Parameters
    ----------
    seed
        Seed of the diaries.

    Returns
    -------
    dict
        Frames by file name.
    """
    told = [_episodes(case) for case in CASES]
    return {
        "people.csv": pd.DataFrame([_person(case) for case in CASES]),
        "doses.csv": pd.concat([_doses(case) for case in CASES]),
        "diary.csv": pd.concat([_diary(case, seed) for case in CASES]),
        "episodes.csv": pd.concat(told).drop(columns="cause"),
    }


def case_truth() -> pd.DataFrame:
    """Cause and onset of every episode; one row with the cause ``none`` where there is none."""
    truth = []
    for case in CASES:
        told = _episodes(case)
        if told.empty:
            told = pd.DataFrame({"nr": [0], "cause": ["none"], "onset_day": [""]})
        truth.append(told.assign(part="cases", person=case.person, recorded="yes"))
    frame = pd.concat(truth).rename(columns={"nr": "episode"})
    frame.loc[frame["cause"] == "none", "recorded"] = "no"
    return frame[["part", "person", "episode", "cause", "onset_day", "recorded"]]


def daily_strengths(case: Case) -> tuple[FloatArray, FloatArray]:
    """How strong withdrawal and relapse are on each day of the diary.

    Parameters
    ----------
    case
        The story.

    Returns
    -------
    tuple of array
        Withdrawal and relapse, 0 to 1 or a little more, shape (days,).
    """
    curve = (case.drug.ed50_mg, case.drug.occupancy_max)
    taken = level(_daily_doses(case)[None, :], case.full_dose, case.drug.half_life_days)
    retained = occupancy(taken, *curve) / float(occupancy(np.array(case.full_dose), *curve))
    fast, slow = (withdrawal_drive(retained, tau)[0] for tau in (TAU_DAYS, case.slow_tau_days))
    drive = (1 - case.slow_share) * fast + case.slow_share * slow
    felt = first_order_lag(drive[None, :], 0.0, 1 / SYMPTOM_LAG_DAYS)[0]
    return case.sensitivity * felt, _relapse_strength(case)


def _daily_doses(case: Case) -> FloatArray:
    dose = np.full(case.days, float(case.full_dose))
    for day, new in case.changes:
        dose[day:] = new
    return dose


def _relapse_strength(case: Case) -> FloatArray:
    """Rise within three weeks; fall, once treated, to nothing at the resolution."""
    day = np.arange(case.days)
    strength = np.zeros(case.days)
    for relapse in case.relapses:
        rise = np.clip((day - relapse.onset) / RELAPSE_RISES_DAYS, 0, 1)
        if relapse.restarted is not None and relapse.resolved is not None:
            rise *= np.clip((relapse.resolved - day) / (relapse.resolved - relapse.restarted), 0, 1)
        strength = np.maximum(strength, rise)
    return strength


def _episodes(case: Case) -> pd.DataFrame:
    """Tell each bout of withdrawal within an attempt and each relapse as an episode."""
    rows = [_withdrawal_episode(case, attempt) for attempt in range(len(case.attempts))]
    rows += [_relapse_episode(case, relapse) for relapse in case.relapses]
    found = sorted((row for row in rows if row), key=lambda row: int(str(row["onset_day"])))
    columns = ["person", "nr", "onset_day", "told_day", "restarted_day", "resolved_day", "ongoing"]
    numbered = [{"person": case.person, "nr": nr, **row} for nr, row in enumerate(found, 1)]
    return pd.DataFrame(numbered, columns=[*columns, "cause"])


def _withdrawal_episode(case: Case, attempt: int) -> dict[str, object] | None:
    """First bout of an attempt that is strong enough to be told, if any."""
    starts = (*case.attempts, case.days)[attempt : attempt + 2]
    strength = daily_strengths(case)[0]
    strong = np.flatnonzero(strength[starts[0] : starts[1]] >= TOLD)
    if not strong.size:
        return None
    onset = starts[0] + int(strong[0])
    restarts = [day for day, dose in case.changes if dose == case.full_dose and day > onset]
    until = starts[1]
    over = onset + np.flatnonzero(strength[onset:until] < PASSED)
    # A lull before the next step down is not the end of it.
    peak = onset + int(np.argmax(strength[onset:until]))
    over = over[over > peak]
    return {
        "onset_day": onset,
        "told_day": min(onset + 3, case.days - 1),
        "restarted_day": restarts[0] if restarts and restarts[0] < until else "",
        "resolved_day": int(over[0]) if over.size else "",
        "ongoing": "no" if over.size else "yes",
        "cause": "withdrawal",
    }


def _relapse_episode(case: Case, relapse: Relapse) -> dict[str, object]:
    return {
        "onset_day": relapse.onset,
        "told_day": relapse.onset + 14,
        "restarted_day": "" if relapse.restarted is None else relapse.restarted,
        "resolved_day": "" if relapse.resolved is None else relapse.resolved,
        "ongoing": "yes" if relapse.resolved is None else "no",
        "cause": "relapse",
    }


def _person(case: Case) -> dict[str, object]:
    return {
        "person": case.person,
        "age": case.age,
        "sex": case.sex,
        "diagnosis": case.diagnosis,
        "years_on_drug": case.years_on_drug,
        "stopped_before": case.stopped_before,
        "last_day": case.days - 1,
    }


def _doses(case: Case) -> pd.DataFrame:
    """Changes of dose; the first row stands for the half year before the diary."""
    changes = ((-182, case.full_dose), *case.changes)
    return pd.DataFrame(
        {
            "person": case.person,
            "day": [day for day, _ in changes],
            "drug": case.drug.name,
            "dose_mg": [f"{dose:g}" for _, dose in changes],
        }
    )


def _diary(case: Case, seed: int) -> pd.DataFrame:
    """Rate each symptom from 0 to 10 every day; some days, and one week, have no entry."""
    stream = random_stream(seed, "example", "diary", case.person)
    withdrawal, relapse = daily_strengths(case)
    well, by_withdrawal, by_relapse = np.array(list(SYMPTOMS.values())).T
    mean = well + np.outer(withdrawal, by_withdrawal) + np.outer(relapse, by_relapse)
    wave = _waves(stream, case.days)
    noise = stream.normal(0, 0.6, mean.shape)
    rated = np.clip(np.rint(mean * wave[:, None] + noise), 0, 10).astype(int)
    missing = stream.random(case.days) < 0.08
    gap = int(stream.integers(40, case.days - 60))
    missing[gap : gap + 7] = True
    day = np.flatnonzero(~missing)
    diary = pd.DataFrame(rated[day], columns=list(SYMPTOMS))
    diary.insert(0, "day", day)
    diary.insert(0, "person", case.person)
    return diary


def _waves(stream: np.random.Generator, days: int) -> FloatArray:
    """Good and bad days: a factor around 1 that drifts from day to day."""
    shocks = stream.normal(0, 0.12, days)
    drift = np.zeros(days)
    for day in range(1, days):
        drift[day] = 0.7 * drift[day - 1] + shocks[day]
    return np.asarray(np.exp(drift))
