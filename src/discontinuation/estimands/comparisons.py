"""Which arms are compared with which, on which clock and in which window?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

GRADUAL, ABRUPT, MAINTAIN = "taper", "abrupt", "maintain"
PAIRS = ((ABRUPT, GRADUAL), (ABRUPT, MAINTAIN), (GRADUAL, MAINTAIN))
NAMES = {ABRUPT: "abrupt", GRADUAL: "gradual", MAINTAIN: "maintain"}
RANDOMISATION, LAST_CHANGE = "randomisation", "last dose change"


@dataclass(frozen=True)
class Comparison:
    """Two ways of handling the drug that are compared.

    Attributes
    ----------
    name
        Such as "abrupt vs gradual".
    first, reference
        Strategies; effects are those of the first against the reference.
    changes_until
        Day of the last planned change of dose in either; None if it is not known.
    randomised
        Whether people were allotted to these two at random.
    """

    name: str
    first: str
    reference: str
    changes_until: float | None
    randomised: bool


@dataclass(frozen=True)
class Window:
    """End of the withdrawal window and of follow-up, days on one clock."""

    early_end: float
    horizon: float

    @property
    def splits(self) -> bool:
        """Whether there is something after the window."""
        return 0 < self.early_end < self.horizon


def window_days(half_life_days: float | None, tau_days: float) -> float:
    """Length of the withdrawal window after the last change of dose (methods C): 5 t_half + 3 tau.

    Parameters
    ----------
    half_life_days
        Of the drug; None where it is not known, and then not added.
    tau_days
        Adaptation time.

    Returns
    -------
    float
        In whole days, rounded up.
    """
    return float(np.ceil(5 * (half_life_days or 0.0) + 3 * tau_days))


def comparisons_of(
    arms: pd.DataFrame, studies: pd.DataFrame, planned: pd.DataFrame
) -> list[Comparison]:
    """Find the comparisons that the arms of a dataset allow.

    Parameters
    ----------
    arms, studies, planned
        Canonical tables: arms, studies, planned_doses.
    """
    present = set(arms["strategy"].dropna())
    found = []
    for first, reference in PAIRS:
        if {first, reference} <= present:
            mine = arms.loc[arms["strategy"].isin([first, reference])]
            pace = {first, reference} == {ABRUPT, GRADUAL}
            found.append(
                Comparison(
                    f"{NAMES[first]} vs {NAMES[reference]}",
                    first,
                    reference,
                    _last_change(mine, planned),
                    _randomised(mine, studies, pace),
                )
            )
    return found


def planned_taper_days(arms: pd.DataFrame, planned: pd.DataFrame) -> pd.Series:
    """Day of the last planned change of dose by arm; NaN where it is not known."""
    known = {}
    for arm in arms.to_dict("records"):
        mine = planned.loc[(planned["arm"] == arm["arm"]) & (planned["step"] != "sham")]
        mine = mine.sort_values("start")
        changed = mine["dose"].diff().ne(0) & mine["dose"].shift().notna()
        if arm["strategy"] == MAINTAIN:
            known[arm["arm"]] = 0.0
        elif changed.any():
            known[arm["arm"]] = float(mine.loc[changed, "start"].max())
        elif pd.notna(arm["taper_days"]):
            known[arm["arm"]] = float(arm["taper_days"])
        else:
            known[arm["arm"]] = 0.0 if arm["strategy"] == ABRUPT else np.nan
    return pd.Series(known, dtype=float)


def window_of(
    comparison: Comparison, people: pd.DataFrame, after_change: float, horizon: float | None
) -> Window:
    """End of the withdrawal window and of follow-up since randomisation.

    Parameters
    ----------
    comparison
        Which arms.
    people
        From `event_times`.
    after_change
        Length of the window after the last change of dose, days.
    horizon
        As declared; None: the longest follow-up that every arm has.
    """
    mine = people.loc[people["strategy"].isin([comparison.first, comparison.reference])]
    common = float(mine.groupby("strategy")["time"].max().min()) if len(mine) else np.nan
    end = common if horizon is None else min(horizon, common)
    return Window((comparison.changes_until or 0.0) + after_change, end)


def _last_change(arms: pd.DataFrame, planned: pd.DataFrame) -> float | None:
    days = planned_taper_days(arms, planned)
    return None if days.isna().any() else float(days.max())


def _randomised(arms: pd.DataFrame, studies: pd.DataFrame, pace: bool) -> bool:
    """Whether arms were allotted at random, and paces where they are compared."""
    mine = studies.loc[studies["study"].isin(arms["study"])]
    names = ["allocation_randomised", *(["pace_randomised"] if pace else [])]
    flags: Mapping[str, pd.Series] = {name: mine[name] for name in names}
    return all(bool(column.fillna(False).astype(bool).all()) for column in flags.values()) and bool(
        len(mine)
    )
