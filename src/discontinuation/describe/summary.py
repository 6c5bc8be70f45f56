"""What may be shown of a dataset: every summary of it, small counts of people masked."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from discontinuation.describe import flow, missing, person_time
from discontinuation.describe.dosing import dose_quantiles, plan_agreement
from discontinuation.describe.given import Tables, complete
from discontinuation.describe.shown import mask_summaries

MOST_PEOPLE = 60  # more are not looked at one by one


def individuals_shown(smallest_cell: int, individual_figures: bool) -> bool:
    """Say whether anything about a single person may be shown.

    Parameters
    ----------
    smallest_cell
        Smallest count of people that may be printed.
    individual_figures
        Whether the dataset is declared public.
    """
    return smallest_cell == 1 or individual_figures


def summarise(
    tables: Tables,
    *,
    definitions: Sequence[str] | None = None,
    schedule: missing.Schedule | None = None,
    smallest_cell: int = 5,
    individual_figures: bool = False,
    confidence: float = 0.95,
) -> dict[str, pd.DataFrame]:
    """Make every summary that the report of a dataset shows.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.
    definitions
        Declared definitions of getting worse.
    schedule
        Days of the planned visits by instrument.
    smallest_cell
        Smallest count of people that may be printed; 1 masks nothing.
    individual_figures
        Whether the dataset is declared public, so that people may be shown one by one.
    confidence
        Level of the intervals.

    Returns
    -------
    dict
        Frames ``flow``, ``observation``, ``person_time``, ``dose_quantiles``, ``plan_agreement``,
        ``missing_columns``, ``instruments``, ``ratings``, ``tables``, and, where individuals may
        be shown and are few, ``ratings_by_person``; small counts masked by `mask_summaries`.
    """
    frames = {
        "flow": flow.participant_flow(tables),
        "observation": person_time.observation_time(tables),
        "person_time": _times(tables, definitions, confidence),
        "dose_quantiles": dose_quantiles(tables),
        "plan_agreement": plan_agreement(tables),
        "missing_columns": missing.missing_columns(tables),
        "instruments": missing.instruments_used(tables),
        "ratings": missing.ratings_over_time(tables, schedule),
        "tables": tables_filled(tables),
    }
    masked = mask_summaries(frames, smallest_cell)
    people = len(complete(tables)["people"])
    if individuals_shown(smallest_cell, individual_figures) and people <= MOST_PEOPLE:
        masked["ratings_by_person"] = missing.ratings_over_time(tables, schedule, by="person")
    return masked


def _times(tables: Tables, definitions: Sequence[str] | None, confidence: float) -> pd.DataFrame:
    """Count every definition on each of its clocks."""
    declared = list(definitions or [])
    occurring = set(complete(tables)["deteriorations"]["definition"])
    names = [*declared, *sorted(occurring - set(declared))]
    detected = person_time.person_time(tables, names, "detected", confidence)
    timed = [name for name in names if person_time.onset_known(tables, name)]
    if not timed:
        return detected
    onset = person_time.person_time(tables, timed, "onset", confidence)
    return pd.concat([detected, onset], ignore_index=True)


def tables_filled(tables: Tables) -> pd.DataFrame:
    """List the canonical tables with their rows.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.
    """
    rows = [(name, len(frame)) for name, frame in complete(tables).items()]
    return pd.DataFrame(rows, columns=["table", "rows"]).astype({"rows": "Int64"})
