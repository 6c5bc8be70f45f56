"""When did each symptom of a deterioration first rise above the person's own baseline?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from discontinuation.classify.clauses import SLACK
from discontinuation.classify.evidence_of_events import EventEvidence

ONSETS = [
    "person", "episode", "instrument", "item", "symptom", "baseline", "threshold", "rose_on",
    "days_since_reduction", "days_since_attempt_start", "status",
]  # fmt: skip
IN_A_ROW = 2  # rated days: a single high rating is no onset (a proposal)


def symptom_onsets(
    assessments: pd.DataFrame, evidence: EventEvidence, matched: pd.DataFrame | None
) -> pd.DataFrame:
    """Find the first rise of every matched symptom of every deterioration.

    Parameters
    ----------
    assessments
        Canonical table.
    evidence
        From `evidence_of_events`.
    matched
        From `match_items`; None: the table is empty.

    Returns
    -------
    DataFrame
        One row per deterioration and item: person, episode, instrument, item, symptom, baseline,
        threshold (baseline and the rise), rose_on, days_since_reduction (from the last reduction
        before the onset of the deterioration; below 0: the symptom came first),
        days_since_attempt_start, status: rose, no rise seen, no baseline, or not rated.

    Notes
    -----
    Looked at are the days after the first reduction of the attempt (without one, from the start of
    observation) until the drug was started again or the deterioration had passed. Each day is the
    mean of its ratings. A rise is two rated days in a row at the threshold or beyond; the first of
    them is the onset.
    """
    if matched is None or matched.empty or evidence.ratings.empty:
        return pd.DataFrame(columns=ONSETS)
    daily = _daily(assessments, matched)
    keys = ["instrument", "item", "symptom"]
    ratings = evidence.ratings.merge(matched[[*keys, "rise", "coded", "sign"]], on=keys)
    rows = [
        _one(rating, evidence.events.loc[rating["event"]], daily)
        for _, rating in ratings.iterrows()
    ]
    return pd.DataFrame(rows, columns=ONSETS)


def _daily(assessments: pd.DataFrame, matched: pd.DataFrame) -> dict[Any, pd.Series]:
    """Mean rating of each whole day, by person, instrument and item."""
    by = ["person", "instrument", "item"]
    rows = assessments.astype(dict.fromkeys(by, object))
    rows = rows.merge(matched[["instrument", "item"]].drop_duplicates(), on=["instrument", "item"])
    rows = rows.assign(day=np.floor(rows["day"].astype(float) + SLACK)).dropna(subset=["value"])
    means = rows.groupby([*by, "day"])["value"].mean()
    return {
        key: part.droplevel([0, 1, 2]).sort_index() for key, part in means.groupby(by, sort=False)
    }


def _one(rating: pd.Series, event: pd.Series, daily: dict[Any, pd.Series]) -> dict[str, Any]:
    base = rating["baseline"]
    if rating["coded"] == "change" and pd.isna(base):
        base = 0.0
    found = {name: rating[name] for name in ("instrument", "item", "symptom")}
    found |= {"person": event["person"], "episode": event["episode"], "baseline": base}
    series = daily.get((event["person"], rating["instrument"], rating["item"]))
    if series is None:
        return found | {"status": "not rated"}
    if pd.isna(base):
        return found | {"status": "no baseline"}
    # Of a scale that runs the other way, worse is less.
    threshold = base + rating["sign"] * rating["rise"]
    found["threshold"] = threshold
    begin, until = _window(event)
    inside = series.loc[(series.index > begin) & (series.index < until)]
    if inside.empty:
        return found | {"status": "not rated"}
    high = rating["sign"] * (inside.to_numpy() - threshold) >= -SLACK
    runs = np.convolve(high, np.ones(IN_A_ROW), "valid") == IN_A_ROW
    if not runs.any():
        return found | {"status": "no rise seen"}
    rose = float(inside.index[int(runs.argmax())])
    last, first = (event.get(name, np.nan) for name in ("last_reduction", "attempt_start"))
    return found | {
        "rose_on": rose,
        "days_since_reduction": rose - last,
        "days_since_attempt_start": rose - first,
        "status": "rose",
    }


def _window(event: pd.Series) -> tuple[float, float]:
    """Days between which a rise belongs to the deterioration."""
    start = event.get("attempt_start", np.nan)
    begin = event["start"] - 2 * SLACK if pd.isna(start) else start
    ends = [event["reinstated_on"], event["resolved"], event["end"]]
    return float(begin), float(np.nanmin([*map(float, ends), np.inf]))
