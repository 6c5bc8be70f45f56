"""Which files would the sponsor of a made-up trial hand over?"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.design._daily import FloatArray
from discontinuation.design.hazards import daily_hazards
from discontinuation.design.plans import planned_doses
from discontinuation.design.ratings import (
    CHECKLIST,
    DEPRESSION_SCALE,
    rate_checklist,
    rate_depression,
)
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.design.simulate import SimulatedTrial
from discontinuation.seeds import random_stream

DRUG = "paroxetine"
FIRST_DAY = date(2021, 3, 1)

Ids = npt.NDArray[np.object_]

# Half-life 22.5 h (domain 3.1) and occupancy curve (domain 4.2) are those of the drug; every
# other number is invented.
SCENARIO = Scenario(
    study="example",
    arms=(
        Arm("A", "maintain", people=80),
        Arm("B", "abrupt", people=80),
        Arm("C", "taper", people=80, taper_days=91, step_days=7, rounded_to_mg=0.1),
    ),
    horizon_days=252,
    dose_mg=20.0,
    ed50_mg=5.60,
    occupancy_max=0.9714,
    half_life_days=22.5 / 24,
    relapse_per_year=(0.45,),
    relapse_ratio=1.8,
    alpha_per_day=0.07,
    dropout_per_year=0.30,
    visit_days=7,
    definition_delay_days=14,
    reinstated_share=0.4,
)

ENDED = {
    "completed": "completed",
    "event": "deteriorated",
    "reinstated": "restarted the drug",
}
LEFT = ("lost to follow-up", "withdrew consent", "side effects")


def trial_files(trial: SimulatedTrial, seed: int) -> dict[str, pd.DataFrame]:
    """Write a simulated trial as its sponsor would have it.

    Parameters
    ----------
    trial
        A trial simulated from `SCENARIO`.
    seed
        Seed of everything that the simulator does not know: dates, ages, ratings.

    Returns
    -------
    dict
        Frames of text by file name.
    """
    ids = _ids(trial, seed)
    stream = random_stream(seed, "example", "dates")
    randomised = [FIRST_DAY + timedelta(int(day)) for day in stream.integers(0, 500, ids.size)]
    visits = _visit_days(trial, seed)
    files = {
        "people.csv": _people(trial, ids, randomised, seed),
        "dose_log.csv": _dose_log(trial, ids, randomised),
        "visits_wide.csv": _visits(trial, visits, ids, randomised, seed),
        "events.csv": _events(trial, visits, ids, randomised, seed),
        "dispositions.csv": _dispositions(trial, ids, randomised, seed),
    }
    by_id = {name: file.sort_values("id", kind="stable") for name, file in files.items()}
    return by_id | {"plans.csv": _plans(trial.scenario)}


def trial_truth(trial: SimulatedTrial, seed: int) -> pd.DataFrame:
    """Cause and true onset of every deterioration that began before observation ended."""
    latent = trial.latent.assign(end=trial.follow_up["end"], person=_ids(trial, seed))
    began = latent[latent["onset"] <= latent["end"]]
    recorded = began.index.isin(_positions(trial, trial.deteriorations["person"]))
    truth = pd.DataFrame(
        {
            "part": "trial",
            "person": began["person"],
            "episode": 1,
            "cause": began["cause"],
            "onset_day": [f"{onset:.2f}" for onset in began["onset"]],
            "recorded": np.where(recorded, "yes", "no"),
        }
    )
    return truth.sort_values("person")


def _ids(trial: SimulatedTrial, seed: int) -> Ids:
    """Numbers in an order that does not tell the arm."""
    order = random_stream(seed, "example", "allocation").permutation(len(trial.people))
    return np.array([f"P{101 + number}" for number in order], dtype=object)


def _positions(trial: SimulatedTrial, persons: pd.Series) -> npt.NDArray[np.intp]:
    """Row of each person in the table of people."""
    return np.asarray(pd.Index(trial.people["person"]).get_indexer(pd.Index(persons)))


def _people(trial: SimulatedTrial, ids: Ids, randomised: list[date], seed: int) -> pd.DataFrame:
    stream = random_stream(seed, "example", "people")
    n = ids.size
    months = 6 + np.rint(stream.gamma(2.0, 15.0, n)).astype(int)
    return pd.DataFrame(
        {
            "id": ids,
            "arm": trial.people["arm"],
            "randomised": [day.isoformat() for day in randomised],
            "age": np.clip(np.rint(stream.normal(45, 13, n)), 18, 80).astype(int),
            "sex": np.where(stream.random(n) < 0.65, "F", "M"),
            "months_on_drug": months,
            "earlier_episodes": 1 + stream.poisson(1.5, n),
            "stopped_before": stream.poisson(0.6, n),
        }
    )


def _plans(scenario: Scenario) -> pd.DataFrame:
    """One row per week until the last apparent step; every arm sees a step in every week."""
    weeks = max(arm.taper_days for arm in scenario.arms) // 7
    rows = []
    for arm in scenario.arms:
        dose = planned_doses(arm, scenario)[: 7 * weeks : 7]
        before = np.append(scenario.dose_mg, dose[:-1])
        for week in range(weeks):
            rows.append(
                {
                    "arm": arm.name,
                    "from_week": week,
                    "to_week": str(week + 1) if week < weeks - 1 else "",
                    "dose_mg": f"{dose[week]:g}",
                    "step": "real" if dose[week] < before[week] else "sham",
                }
            )
    return pd.DataFrame(rows)


def _dose_log(trial: SimulatedTrial, ids: Ids, randomised: list[date]) -> pd.DataFrame:
    place = _positions(trial, trial.doses["person"])
    start = trial.doses["start"].astype(int)
    dates = [randomised[i] + timedelta(int(day)) for i, day in zip(place, start, strict=True)]
    return pd.DataFrame(
        {
            "id": ids[place],
            "date": [day.isoformat() for day in dates],
            "new_dose_mg": [f"{dose:g}" for dose in trial.doses["dose"]],
        }
    )


def _visit_days(trial: SimulatedTrial, seed: int) -> list[list[int]]:
    """Days on which each person was seen: weekly, some visits missed, never the last one.

    The visit at which worsening was first seen is kept too, so that what is reported as first
    seen was seen.
    """
    stream = random_stream(seed, "example", "missed")
    spacing = trial.scenario.visit_days
    slots = 2 + int(trial.follow_up["end"].max()) // spacing
    missed = stream.random((len(trial.people), slots)) < 0.05
    kept: list[set[int]] = [set() for _ in range(len(trial.people))]
    worse = trial.deteriorations
    for i, seen, found in zip(
        _positions(trial, worse["person"]), worse["onset"], worse["detected"], strict=True
    ):
        kept[i] |= {int(seen), int(found)}
    days = []
    for i, end in enumerate(trial.follow_up["end"]):
        last = int(np.ceil(end)) // spacing * spacing
        kept[i] |= {0, last}
        planned = range(0, last + 1, spacing)
        days.append([d for d in planned if d in kept[i] or not missed[i, d // spacing]])
    return days


def _strengths(
    trial: SimulatedTrial, person: npt.NDArray[np.int64], day: npt.NDArray[np.int64], seed: int
) -> tuple[FloatArray, FloatArray]:
    """How strong withdrawal and relapse are at each rating of a person on a day.

    Below the threshold of an episode everybody feels some of the withdrawal drive; an episode
    rises within 3 days (withdrawal) or 14 days (relapse) and, once the drug is started again,
    falls to nothing by the day of its resolution.
    """
    scenario, latent = trial.scenario, trial.latent
    arms = scenario.arms
    plans = np.array([planned_doses(arm, scenario) for arm in arms])
    blinded = np.array([arm.blinded for arm in arms])
    drive = daily_hazards(plans, np.zeros(len(arms), dtype=np.int64), blinded, scenario).drive
    arm_of = pd.Index([arm.name for arm in arms]).get_indexer(pd.Index(trial.people["arm"]))
    stream = random_stream(seed, "example", "strengths")
    sensitivity = stream.gamma(4.0, 0.1, len(latent))
    severity = np.exp(stream.normal(-0.05, 0.25, len(latent)))[person]
    restarted, resolved = _reinstatement(trial)
    last = np.clip(day - 1, 0, scenario.horizon_days - 1)
    felt = np.where(day > 0, drive[arm_of[person], last], 0.0) * sensitivity[person]
    felt = np.where(day <= restarted[person], felt, 0.0)
    since = day - latent["onset"].fillna(np.inf).to_numpy()[person]
    left = np.clip((resolved[person] - day) / (resolved - restarted)[person], 0, 1)
    left = np.where(day > restarted[person], left, 1.0)
    cause = latent["cause"].to_numpy()[person]
    withdrawal = np.where(cause == "withdrawal", np.clip(since / 3, 0, 1), 0.0) * left
    relapse = np.where(cause == "relapse", np.clip(since / 14, 0, 1), 0.0) * left
    return np.maximum(felt, severity * withdrawal), severity * relapse


def _reinstatement(trial: SimulatedTrial) -> tuple[FloatArray, FloatArray]:
    """Day of starting again and of resolution for each person; beyond all visits if never.

    An episode that had not passed when its watch ended is taken to pass three weeks later.
    """
    restarted = np.full(len(trial.people), 1e6)
    resolved = restarted + 1
    again = trial.deteriorations.dropna(subset="reinstated")
    place = _positions(trial, again["person"])
    watched = again["reinstated"] + trial.scenario.reinstatement_watch_days
    restarted[place] = again["reinstated"]
    resolved[place] = again["resolved"].fillna(watched + 21)
    return restarted, resolved


def _visits(
    trial: SimulatedTrial,
    visits: list[list[int]],
    ids: Ids,
    randomised: list[date],
    seed: int,
) -> pd.DataFrame:
    person = np.repeat(np.arange(len(visits)), [len(days) for days in visits])
    day = np.array([day for days in visits for day in days], dtype=np.int64)
    strengths = _strengths(trial, person, day, seed)
    scale = rate_depression(*strengths, person, random_stream(seed, "example", "scale"))
    unrated = random_stream(seed, "example", "unrated").random(scale.shape) < 0.01
    answers = rate_checklist(*strengths, person, random_stream(seed, "example", "checklist"))
    columns: dict[str, object] = {
        "id": ids[person],
        "visit": [f"W{d // trial.scenario.visit_days:02d}" for d in day],
        "date": [
            (randomised[i] + timedelta(int(d))).isoformat()
            for i, d in zip(person, day, strict=True)
        ],
    }
    for j, item in enumerate(DEPRESSION_SCALE):
        columns[f"hamd_{item.number}"] = np.where(unrated[:, j], "", scale[:, j].astype(str))
    for j, question in enumerate(CHECKLIST):
        columns[f"dess_{question.name}"] = answers[:, j]
    return pd.DataFrame(columns)


def _events(
    trial: SimulatedTrial,
    visits: list[list[int]],
    ids: Ids,
    randomised: list[date],
    seed: int,
) -> pd.DataFrame:
    worse = trial.deteriorations
    recalled = random_stream(seed, "example", "recall").random(len(worse)) < 0.8
    raters = _raters(trial, seed)
    rows = []
    for row, i in enumerate(_positions(trial, worse["person"])):
        event, onset = worse.iloc[row], int(np.floor(trial.truth["onset"].iloc[row]))
        well = max(day for day in visits[i] if day < event["onset"])
        ill = {True: "yes", False: "no"}.get(event["resolution_censored"], "")
        rows.append(
            {
                "id": ids[i],
                "nr": 1,
                "last_seen_well": _date(randomised[i], well),
                "first_seen_worse": _date(randomised[i], event["onset"]),
                "recorded": _date(randomised[i], event["detected"]),
                "onset_recalled": _date(randomised[i], max(onset, well)) if recalled[row] else "",
                "restarted": _date(randomised[i], event["reinstated"]),
                "resolved": _date(randomised[i], event["resolved"]),
                "still_ill": ill,
                "raters": raters[row],
            }
        )
    return pd.DataFrame(rows)


def _raters(trial: SimulatedTrial, seed: int) -> Ids:
    """Judgement of raters on half of the events: right in 3 of 4, undecided in 1 of 7."""
    stream = random_stream(seed, "example", "raters")
    asked, judged = stream.random((2, len(trial.truth)))
    is_withdrawal = (trial.truth["cause"] == "withdrawal").to_numpy()
    right = np.where(is_withdrawal, "W", "R")
    wrong = np.where(is_withdrawal, "R", "W")
    verdict = np.where(judged < 3 / 4, right, np.where(judged < 3 / 4 + 1 / 7, "U", wrong))
    return np.where(asked < 0.5, verdict, "").astype(object)


def _dispositions(
    trial: SimulatedTrial, ids: Ids, randomised: list[date], seed: int
) -> pd.DataFrame:
    reasons = random_stream(seed, "example", "reasons").choice(LEFT, len(ids), p=(0.5, 0.3, 0.2))
    ended = [
        ENDED.get(reason, left)
        for reason, left in zip(trial.follow_up["end_reason"], reasons, strict=True)
    ]
    last = [
        day + timedelta(int(np.ceil(end)))
        for day, end in zip(randomised, trial.follow_up["end"], strict=True)
    ]
    return pd.DataFrame(
        {"id": ids, "last_contact": [day.strftime("%d/%m/%Y") for day in last], "ended": ended}
    )


def _date(origin: date, day: float) -> str:
    """Calendar date of a day; blank if it never came."""
    return "" if np.isnan(day) else (origin + timedelta(int(np.ceil(day)))).isoformat()
