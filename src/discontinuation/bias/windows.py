"""Until when could withdrawal explain a deterioration?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Window:
    """The withdrawal window of an arm, in days since randomisation.

    Attributes
    ----------
    end_days
        Taper plus the acute window of the drug; NaN where none is stated.
    rule
        Which row of the windows table applied.
    tag
        Provenance of that row.
    taper_known
        Whether the taper's length is known; where it is not, the window starts at
        randomisation and is too short if there was a taper.
    """

    end_days: float
    rule: str
    tag: str
    taper_known: bool


def window_end(arm: pd.Series, windows: pd.DataFrame, factor: float = 1.0) -> Window:
    """Find the end of an arm's withdrawal window.

    Parameters
    ----------
    arm
        drug, drug_class, formulation and taper_days of the arm.
    windows
        data/reference/withdrawal_windows.csv.
    factor
        Multiplies the acute window, not the taper.

    Returns
    -------
    Window
        Where several drugs were studied, the longest of their windows.
    """
    rows = _matching(arm, windows)
    taper = arm["taper_days"]
    known = bool(pd.notna(taper))
    days = rows["acute_end_days"]
    if rows.empty or days.isna().all():
        return Window(math.nan, f"none for {arm['drug_class']}", "", known)
    row = rows.iloc[int(days.argmax())]
    end = (float(taper) if known else 0.0) + factor * float(row["acute_end_days"])
    return Window(end, _rule(row), str(row["tag"]), known)


def _matching(arm: pd.Series, windows: pd.DataFrame) -> pd.DataFrame:
    """Rows for the drugs of an arm, or those of its class when no drug is named."""
    rows = windows.loc[windows["drug_class"] == arm["drug_class"]]
    depot = rows["formulation"].fillna("") == "depot"
    rows = rows.loc[depot] if arm["formulation"] == "depot" and depot.any() else rows.loc[~depot]
    named = rows.loc[[_names(match, arm["drug"]) for match in rows["match"]]]
    return pd.DataFrame(named if len(named) else rows.loc[rows["match"].isna()])


def _names(match: Any, drugs: str) -> bool:
    if not isinstance(match, str):
        return False
    return any(fragment in drugs.lower() for fragment in match.lower().split("|"))


def _rule(row: pd.Series) -> str:
    drugs = row["match"] if isinstance(row["match"], str) else f"any {row['drug_class']}"
    return f"{drugs}: {row['acute_end_days']:g} days"
