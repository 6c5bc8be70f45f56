"""When was each person on the full dose, on less of it, and off the drug?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from discontinuation.describe.given import Tables, arm_of_person

# In the order in which a person who stops passes through them.
PHASES = ("before", "full", "reduced", "off", "unknown")
EQUAL = 1e-9  # relative difference below which two doses are the same


def main_drugs(given: Tables) -> pd.DataFrame:
    """Name the drug of each arm: the one that most of its people have a dose of.

    Parameters
    ----------
    given
        From `complete`.

    Returns
    -------
    DataFrame
        arm, drug, unit; one row per arm with doses.
    """
    people = _with_arm(given).groupby(["arm", "drug", "unit"])["person"].nunique().reset_index()
    most = people.sort_values(["arm", "person"], ascending=[True, False], kind="stable")
    return most.drop_duplicates("arm")[["arm", "drug", "unit"]].reset_index(drop=True)


def doses_of_arms(given: Tables) -> pd.DataFrame:
    """Keep the doses of each arm's main drug, which can be laid on one scale.

    Returns
    -------
    DataFrame
        arm, person, drug, unit, start, stop, dose. Doses of other drugs are left aside.
    """
    return _with_arm(given).merge(main_drugs(given), on=["arm", "drug", "unit"])


def doses_of_people(given: Tables) -> pd.DataFrame:
    """Keep the doses of one drug per person: the arm's, or else the one taken longest.

    Returns
    -------
    DataFrame
        As `doses_of_arms`; doses of different people are not to be compared.
    """
    doses = _with_arm(given)
    drugs = main_drugs(given).assign(main=True)
    doses = doses.merge(drugs, on=["arm", "drug", "unit"], how="left")
    days = (doses["stop"] - doses["start"]).where(doses["dose"] > 0, 0.0)
    kinds = doses.assign(days=days, main=doses["main"].eq(True))
    each = kinds.groupby(["person", "drug", "unit"]).agg(main=("main", "any"), days=("days", "sum"))
    ordered = each.reset_index().sort_values(
        ["person", "main", "days"], ascending=[True, False, False], kind="stable"
    )
    chosen = ordered.drop_duplicates("person")[["person", "drug", "unit"]]
    return doses.drop(columns="main").merge(chosen, on=["person", "drug", "unit"])


def _with_arm(given: Tables) -> pd.DataFrame:
    doses = given["doses"][["person", "drug", "unit", "start", "stop", "dose"]]
    doses = doses.assign(arm=doses["person"].map(arm_of_person(given)))
    return doses.dropna(subset="arm")


def dose_phases(given: Tables) -> pd.DataFrame:
    """Say of every interval of a person's drug which phase of stopping it belongs to.

    Parameters
    ----------
    given
        From `complete`.

    Returns
    -------
    DataFrame
        person, start, stop (days), dose, highest (highest dose of the person up to then), phase:
        ``before`` (dose 0, no dose before), ``full`` (the highest dose so far), ``reduced`` (less
        than that), ``off`` (dose 0). What is not listed is unknown.

    Notes
    -----
    No phase looks ahead. To call only that time "after the last dose" in which nobody took the
    drug again would take out of it just those who got worse and went back to the drug.
    """
    ordered = doses_of_people(given).sort_values(["person", "start"], kind="stable")
    ordered = ordered[["person", "start", "stop", "dose"]].reset_index(drop=True)
    highest = ordered.groupby("person", sort=False)["dose"].cummax()
    phase = np.select(
        [
            highest == 0,
            ordered["dose"] == 0,
            ordered["dose"] < highest * (1 - EQUAL),
        ],
        ["before", "off", "reduced"],
        "full",
    )
    return ordered.assign(highest=highest, phase=phase)


def reduction_started(given: Tables) -> pd.Series:
    """Say of each person with doses whether the dose fell below its highest during follow-up.

    Parameters
    ----------
    given
        From `complete`. Without a follow-up record the whole record of doses counts.

    Returns
    -------
    Series
        True or False by person; people without doses are not in it.
    """
    phases = dose_phases(given)
    begins = phases["person"].map(given["follow_up"].set_index("person")["start"])
    below = phases["phase"].isin(["reduced", "off"]) & ~(phases["stop"] <= begins)
    return below.groupby(phases["person"]).any()
