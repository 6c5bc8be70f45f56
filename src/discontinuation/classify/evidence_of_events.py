"""What do the tables of a dataset hold about each deterioration that a rule could ask for?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.classify.clauses import NEW, SLACK
from discontinuation.classify.criteria import JUDGED, Criteria
from discontinuation.classify.symptom_status import match_items, symptom_status
from discontinuation.describe.given import Tables, complete
from discontinuation.exposure.drugs import Drugs
from discontinuation.exposure.histories import INJECTION
from discontinuation.exposure.parameters import parameters_of
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse
from discontinuation.symptoms.steps import dose_steps
from discontinuation.tables.instruments import Instrument

FloatArray = npt.NDArray[np.float64]

KEYS = ["person", "episode", "definition", "study", "arm"]
SINCE_REDUCTION = [
    "last_reduction", "attempt_start", "days_since_reduction", "days_since_reduction_earliest",
    "days_since_reduction_latest",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class EventEvidence:
    """What rules ask for.

    Attributes
    ----------
    events
        One row per deterioration ("person/episode" in the index): person, episode, definition,
        study, arm, onset, detected, last_reduction, attempt_start (first reduction of the run of
        reductions), half_lives_since_reduction, and the columns of `rules.EVENT_COLUMNS`.
    status
        The same rows: each symptom that was asked for against the person's own baseline.
    ratings
        The means behind `status`.
    notes
        What could not be told, and of how many deteriorations.
    """

    events: pd.DataFrame
    status: pd.DataFrame
    ratings: pd.DataFrame
    notes: pd.DataFrame

    def __str__(self) -> str:
        lines = [f"{len(self.events)} deteriorations, {self.status.shape[1]} symptoms asked for"]
        lines += [f"  {one.note}: {one.count}" for one in self.notes.itertuples(index=False)]
        return "\n".join(lines)


def evidence_of_events(
    tables: Tables,
    criteria: Criteria,
    drugs: Drugs,
    instruments: Mapping[str, Instrument],
    definition: str,
    *,
    symptoms: Mapping[str, Mapping[str, Any]] | None = None,
    recorded: pd.DataFrame | None = None,
    declared: Mapping[str, str] | None = None,
    baseline_days: float = 14.0,
    onset_days: float = 7.0,
) -> EventEvidence:
    """Gather what the tables hold about each deterioration of one definition.

    Parameters
    ----------
    tables
        Canonical tables; any but `deteriorations` may be missing.
    criteria, drugs
        From `read_criteria` and `read_drugs`.
    instruments
        The dataset's instruments.
    definition
        Of getting worse.
    symptoms
        How items match symptoms; see `match_items`. Without it no symptom was asked for.
    recorded
        Words recorded of single deteriorations: person, episode and any of `criteria.JUDGED`.
    declared
        Words that hold for every deterioration of the dataset, such as ``{"other_cause": "no"}``
        where the protocol excludes it; a recorded word goes first.
    baseline_days
        The baseline is the mean of the ratings in so many days up to the first reduction of the
        run of reductions that came before (its day included: ratings come before the step), or up
        to the start of observation where there was none.
    onset_days
        The onset is the mean of the ratings in so many days from its day on, until the drug was
        started again.

    Returns
    -------
    EventEvidence
        A reduction counts until the dose is raised to what it was before it or more; one on the
        very day of an onset comes after it. Blank is "not known": a dose record that does not
        reach the onset, an onset without a day. A drug that `reinstated` does not name was not
        started again.

    Raises
    ------
    InvalidInput
        Unknown definitions, instruments, items, symptoms and words; doses that overlap.
    """
    given = complete(tables)
    known = sorted(given["deteriorations"]["definition"].dropna().astype(str).unique())
    if definition not in known:
        message = allowed_values(known, definition) if known else "the table is empty"
        raise InvalidInput([Problem("deteriorations", message, None, "definition", definition)])
    events = _cases(given, definition)
    refuse(_word_problems(recorded, declared or {}, events))
    events = events.join(_dosing(events, given["doses"], given["people"]))
    events = _with_drugs(events, drugs, given["studies"])
    events = events.join(_course(events))
    matched = match_items(instruments, criteria, symptoms or {})
    windows = _windows(events, baseline_days, onset_days)
    status, ratings = symptom_status(given["assessments"], windows, matched)
    events = _with_words(events, status, recorded, declared or {})
    return EventEvidence(events, status, ratings, _notes(events, status))


def _cases(given: Tables, definition: str) -> pd.DataFrame:
    mine = given["deteriorations"].loc[given["deteriorations"]["definition"] == definition]
    people = given["people"].drop_duplicates("person")[["person", "study", "arm"]]
    followed = given["follow_up"].drop_duplicates("person")[["person", "start", "end"]]
    frame = mine.merge(people, on="person", how="left").merge(followed, on="person", how="left")
    frame = frame.sort_values(["person", "episode"], kind="stable")
    frame.index = pd.Index(frame["person"].astype(str) + "/" + frame["episode"].astype(str))
    frame = frame.rename(columns={"reinstated": "reinstated_on"})
    times = ["onset", "onset_earliest", "onset_latest", "detected", "reinstated_on", "resolved"]
    return frame.astype(dict.fromkeys([*times, "start", "end"], float))


def _dosing(events: pd.DataFrame, doses: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """When the dose was last reduced and last taken, and for how long it had been taken."""
    wanted = doses.loc[doses["person"].isin(events["person"])]
    every = dose_steps(wanted)
    steps, taken = (dict(list(one.groupby("person", sort=False))) for one in (every, wanted))
    before = people.drop_duplicates("person").set_index("person")["prior_exposure_days"]
    rows = [
        _one_dosing(event, taken.get(event.person), steps.get(event.person, every.iloc[:0]),
                    _number(before.get(event.person)))
        for event in events.itertuples()
    ]  # fmt: skip
    found = pd.DataFrame(rows, index=events.index)
    # Also where no deterioration came after a reduction: blank, but there.
    found = found.reindex(columns=list(dict.fromkeys(["reduced", *found, *SINCE_REDUCTION])))
    return found.astype(dict.fromkeys(SINCE_REDUCTION, float))


def _number(value: Any) -> float:
    return np.nan if pd.isna(value) else float(value)


def _one_dosing(
    event: Any, doses: pd.DataFrame | None, steps: pd.DataFrame, prior: float
) -> dict[str, Any]:
    onset = event.onset
    if doses is None or np.isnan(onset):
        return {"reduced": None, "onset_exact": False}
    standing = _standing(steps, onset)
    drug = _drug_at(doses, standing, onset)
    mine = doses.loc[doses["drug"] == drug].sort_values("start")
    exact = bool(np.isnan(event.onset_earliest) and np.isnan(event.onset_latest))
    found: dict[str, Any] = {"drug": drug, "onset_exact": exact, "reduced": None}
    covered = bool((doses["start"] <= onset + SLACK).any() and doses["stop"].max() >= onset - SLACK)
    if covered or len(standing):
        found["reduced"] = len(standing) > 0
    reference = onset
    if len(standing):
        last = standing.iloc[-1]
        reference = float(last["day"])
        same = (standing["attempt"] == last["attempt"]) & (standing["drug"] == drug)
        start = float(standing.loc[same, "day"].min())
        low, high = _span(standing["day"].to_numpy(dtype=float), event)
        found |= {
            "last_reduction": reference,
            "attempt_start": start,
            "days_since_reduction": onset - reference,
            "days_since_reduction_earliest": low,
            "days_since_reduction_latest": high,
        }
    return found | _last_dose(mine, event) | _exposure(mine, reference, prior)


def _standing(steps: pd.DataFrame, onset: float) -> pd.DataFrame:
    """Reductions before an onset that no later increase has undone, in the order of their days."""
    earlier = steps.loc[steps["day"] < onset - SLACK]
    kept = []
    for place, row in earlier.loc[earlier["direction"] == "reduction"].iterrows():
        later = earlier.loc[(earlier["drug"] == row["drug"]) & (earlier["day"] > row["day"])]
        undone = (later["direction"] == "increase") & (later["unit"] == row["unit"])
        if not (undone & (later["to_dose"] >= row["from_dose"] - SLACK)).any():
            kept.append(place)
    return earlier.loc[kept].sort_values("day", kind="stable")


def _drug_at(doses: pd.DataFrame, standing: pd.DataFrame, onset: float) -> str | None:
    """The drug reduced last; without a reduction the one taken at the onset, or last before it."""
    if len(standing):
        return str(standing.iloc[-1]["drug"])
    taken = doses.loc[(doses["dose"] > 0) & (doses["start"] <= onset + SLACK)]
    return None if taken.empty else str(taken.sort_values("stop").iloc[-1]["drug"])


def _span(reductions: FloatArray, event: Any) -> tuple[float, float]:
    """Least and greatest days since the last reduction, of an onset between two visits."""
    first, last = event.onset_earliest, event.onset_latest
    last = event.onset if np.isnan(last) else last
    before = reductions[reductions <= first + SLACK]
    if np.isnan(first) or not len(before):
        return np.nan, np.nan
    inside = reductions[(reductions > first + SLACK) & (reductions < last - SLACK)]
    turns = np.concatenate([[before.max()], inside, [last]])
    return float(first - before.max()) if not len(inside) else 0.0, float(np.diff(turns).max())


def _last_dose(mine: pd.DataFrame, event: Any) -> dict[str, Any]:
    taken = mine.loc[(mine["dose"] > 0) & (mine["start"] < event.onset - SLACK)]
    if taken.empty:
        return {}
    last = taken.iloc[-1]
    # Of a depot the injection itself counts, not the end of its interval.
    day = float(last["start"] if last["unit"] == INJECTION else last["stop"])
    if day > event.onset + SLACK:
        return {}
    first, until = event.onset_earliest, event.onset_latest
    return {
        "days_since_last_dose": event.onset - day,
        "days_since_last_dose_earliest": max(first - day, 0.0) if first == first else np.nan,
        "days_since_last_dose_latest": (until if until == until else event.onset) - day,
    }


def _exposure(mine: pd.DataFrame, until: float, prior: float) -> dict[str, Any]:
    """Days of use without a break up to a day; open where the record begins within them."""
    taken = mine.loc[(mine["dose"] > 0) & (mine["start"] < until - SLACK)]
    if taken.empty:
        return {}
    start = taken["start"].to_numpy(dtype=float)
    stop = taken["stop"].to_numpy(dtype=float)
    breaks = np.flatnonzero(start[1:] > stop[:-1] + SLACK)
    begins = 0 if not len(breaks) else int(breaks[-1]) + 1
    if stop[-1] < until - SLACK:
        return {}
    days = until - start[begins]
    if begins > 0 or start[0] > mine["start"].min() + SLACK:
        return {"exposure_days": days, "exposure_open": False}
    if np.isnan(prior):
        return {"exposure_days": days, "exposure_open": True}
    return {"exposure_days": max(days, prior + until), "exposure_open": False}


def _with_drugs(events: pd.DataFrame, drugs: Drugs, studies: pd.DataFrame) -> pd.DataFrame:
    """Add class, formulation and half-life of the drug that was reduced."""
    known = {name: _drug_facts(name, drugs) for name in _names(events)}
    columns = ["drug_class", "subclass", "formulation", "half_life_days", "half_life_tag"]
    class_of = studies.drop_duplicates("study").set_index("study")["drug_class"]
    drug = events["drug"] if "drug" in events else pd.Series(None, events.index, dtype=object)
    for column in columns:
        events[column] = [known.get(name, {}).get(column) for name in drug]
    events["drug"] = drug
    events["drug_class"] = events["drug_class"].fillna(events["study"].map(class_of))
    half_life = events["half_life_days"].astype(float)
    since = events["days_since_reduction"] / half_life
    return events.assign(half_life_days=half_life, half_lives_since_reduction=since)


def _names(events: pd.DataFrame) -> list[str]:
    return [] if "drug" not in events else list(events["drug"].dropna().unique())


def _drug_facts(name: str, drugs: Drugs) -> dict[str, Any]:
    try:
        drug = drugs.find(name)
    except InvalidInput:
        return {}
    numbers = parameters_of(drug, None)
    return {
        "drug_class": drug.drug_class,
        "subclass": next(iter(drug.words("subclass")), None),
        "formulation": drug.formulation,
        "half_life_days": numbers.half_life_days,
        "half_life_tag": numbers.tag("half-life"),
    }


def _course(events: pd.DataFrame) -> pd.DataFrame:
    """How long it lasted, with and without the drug, and how it answered to the drug."""
    onset, resolved, again = events["onset"], events["resolved"], events["reinstated_on"]
    seen_ill = events["resolution_censored"].astype("boolean").fillna(False).astype(bool)
    until = events["end"].where(seen_ill, events["detected"])
    duration = resolved - onset
    least = (until - onset).clip(lower=0).where(resolved.isna())
    treated = again.notna() & ~(resolved <= again)
    response = (resolved - again).where(treated)
    still = (events["end"] - again).clip(lower=0).where(treated & resolved.isna() & seen_ill)
    return pd.DataFrame(
        {
            "reinstated": again.notna(),
            "response_days": response,
            "response_at_least": still,
            "duration_days": duration.where(duration >= 0),
            "duration_at_least": least,
            "untreated_days": duration.where((duration >= 0) & ~treated),
            "untreated_at_least": least.where(~treated, (again - onset).clip(lower=0)),
        }
    )


def _windows(events: pd.DataFrame, baseline_days: float, onset_days: float) -> pd.DataFrame:
    reference = events["attempt_start"].fillna(events["start"]).fillna(0.0)
    ends = (events["onset"] + onset_days).where(
        ~(events["reinstated_on"] < events["onset"] + onset_days), events["reinstated_on"]
    )
    # Started again on the day of onset: the rating of that day still comes before it.
    ends = ends.where(ends > events["onset"], events["onset"] + 1e-6)
    return pd.DataFrame(
        {
            "person": events["person"].astype(object),
            "baseline_from": reference - baseline_days,
            "baseline_to": np.minimum(reference, events["onset"] - 2 * SLACK),
            "onset_from": events["onset"],
            "onset_to": ends,
        }
    )


def _word_problems(
    recorded: pd.DataFrame | None, declared: Mapping[str, str], events: pd.DataFrame
) -> list[Problem]:
    problems = [
        Problem("declared words", allowed_values(list(JUDGED), column), None, column)
        for column in declared
        if column not in JUDGED
    ]
    problems += [
        Problem("declared words", allowed_values(JUDGED[column], word), None, column, word)
        for column, word in declared.items()
        if column in JUDGED and word not in JUDGED[column]
    ]
    if recorded is None:
        return problems
    missing = [name for name in ("person", "episode") if name not in recorded]
    problems += [Problem("recorded words", "the column is missing", None, n) for n in missing]
    for column in recorded.columns.difference(["person", "episode"]):
        words = JUDGED.get(column, ())
        wrong = sorted({str(word) for word in recorded[column].dropna()} - set(words))
        said = allowed_values(words or tuple(JUDGED), column)
        problems += [Problem("recorded words", said, None, column, word) for word in wrong]
    if not missing and recorded.duplicated(["person", "episode"]).any():
        problems.append(Problem("recorded words", "a deterioration stands there more than once"))
    return problems


def _with_words(
    events: pd.DataFrame,
    status: pd.DataFrame,
    recorded: pd.DataFrame | None,
    declared: Mapping[str, str],
) -> pd.DataFrame:
    words = pd.DataFrame(None, index=events.index, columns=list(JUDGED), dtype=object)
    if recorded is not None:
        names = recorded["person"].astype(str) + "/" + recorded["episode"].astype(str)
        told = recorded.set_axis(pd.Index(names)).reindex(events.index)
        for column in told.columns.intersection(words.columns):
            words[column] = told[column].astype(object)
    for column, word in declared.items():
        words[column] = words[column].where(words[column].notna(), word)
    # The core of a scale, which withdrawal can hardly raise, reached its own cut or did not.
    core = events["overlap_only"].astype("boolean").map({True: "no", False: "yes"}).astype(object)
    words["original_symptoms"] = words["original_symptoms"].where(
        words["original_symptoms"].notna(), core
    )
    return events.join(words.assign(novelty=_novelty(words, status)))


def _novelty(words: pd.DataFrame, status: pd.DataFrame) -> pd.Series:
    """New in kind or stronger, or as before; a recorded word goes first."""
    new = (status == NEW).any(axis=1)
    answered = status.notna().all(axis=1) & (status.shape[1] > 0)
    known_not_new = answered & status.isin(["worse", "not worse"]).all(axis=1)
    weak = words["intensity"] == "not greater"
    before = known_not_new & weak & (words["original_symptoms"] == "yes")
    derived = pd.Series(None, words.index, dtype=object)
    derived = derived.mask(before, "as before")
    derived = derived.mask(new | (words["intensity"] == "greater"), "new or stronger")
    return words["novelty"].where(words["novelty"].notna(), derived)


def _notes(events: pd.DataFrame, status: pd.DataFrame) -> pd.DataFrame:
    blank = events.reindex(columns=["reduced", "half_life_days", "exposure_days", "drug"]).isna()
    counts = {
        "without a day of onset": int(events["onset"].isna().sum()),
        "whether the dose was reduced before is not known": int(blank["reduced"].sum()),
        "the drug is not known": int(blank["drug"].sum()),
        "no half-life is held for the drug": int((blank["half_life_days"] & ~blank["drug"]).sum()),
        "days of use before are not known": int(blank["exposure_days"].sum()),
        "no symptom is known": int(status.isna().all(axis=1).sum()),
    }
    rows = [(note, count) for note, count in counts.items() if count]
    return pd.DataFrame(rows, columns=["note", "count"])
