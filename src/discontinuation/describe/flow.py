"""How many people were allocated, reduced the drug, were rated, finished and were analysed?"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from discontinuation.describe.exposure_phases import reduction_started
from discontinuation.describe.given import Tables, arms_in_order, complete
from discontinuation.describe.masking import Key, Sum
from discontinuation.tables.schema import read_schema

ALL = "(all)"  # the arms together; no identifier looks like this
NO_FOLLOW_UP = "no_follow_up"
# The parts of each stage add up to the people in the data.
PARTS = {
    "reduction": ("started", "not_started", "no_dose_record"),
    "rated": ("rated", "never_rated"),
    "analysed": ("analysed", "not_analysed"),
}


def participant_flow(tables: Tables) -> pd.DataFrame:
    """Count people through the study, arm by arm.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.

    Returns
    -------
    DataFrame
    arm, stage, part, people. Stages: ``allocated`` (parts ``source``, blank where the source
        does not say; ``absent``, in the source but not in the data; ``beyond``, in the data beyond
        what the source says), ``present``, then ``reduction``, ``rated``, ``end`` (one part per
        reason) and ``analysed``, whose parts add up to the people present. A stage that the tables
        say nothing about has no rows. Analysed are people who were observed for longer than no
        time at all. The first two stages are also given for all arms together (`ALL`).
    """
    given = complete(tables)
    marked = _marked(given)
    arms = arms_in_order(given)
    rows = []
    for arm in arms["arm"]:
        rows += _stage_rows(arm, marked.loc[marked["arm"] == arm], _parts(marked))
    counted = pd.DataFrame(rows, columns=["arm", "stage", "part", "people"])
    counted = pd.concat([_allocation(arms, marked), counted], ignore_index=True)
    counted["people"] = counted["people"].astype("Int64")
    return pd.concat([counted, _all_arms(counted)], ignore_index=True)


def _marked(given: Tables) -> pd.DataFrame:
    """Say of each person, stage by stage, which part they belong to."""
    people = given["people"][["person", "arm"]].copy()
    persons = people["person"]
    if len(given["doses"]):
        started = persons.map(reduction_started(given))
        names = {True: "started", False: "not_started"}
        people["reduction"] = started.map(names).fillna("no_dose_record")
    if len(given["assessments"]):
        rated = persons.isin(given["assessments"]["person"].unique())
        people["rated"] = rated.map({True: "rated", False: "never_rated"})
    if len(given["follow_up"]):
        record = given["follow_up"].set_index("person")
        people["end"] = persons.map(record["end_reason"]).fillna(NO_FOLLOW_UP)
        observed = persons.map(record["end"] > record["start"]).eq(True)
        people["analysed"] = observed.map({True: "analysed", False: "not_analysed"})
    return people


def _parts(marked: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """List the parts of each stage in their order; of the reasons for ending, those that occur."""
    reasons = next(
        column.allowed
        for column in read_schema("canonical")["follow_up"].columns
        if column.name == "end_reason"
    )
    found = {}
    for stage in ("reduction", "rated", "end", "analysed"):
        if stage in marked:
            occurring = set(marked[stage])
            every = PARTS.get(stage) or tuple(
                reason for reason in (*reasons, NO_FOLLOW_UP) if reason in occurring
            )
            found[stage] = every
    return found


def _stage_rows(
    arm: str, marked: pd.DataFrame, parts: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, str, str, int]]:
    rows = [(arm, "present", "present", len(marked))]
    for stage, names in parts.items():
        counts = marked[stage].value_counts()
        rows += [(arm, stage, part, int(counts.get(part, 0))) for part in names]
    return rows


def _allocation(arms: pd.DataFrame, marked: pd.DataFrame) -> pd.DataFrame:
    """Set what the source says beside the people who are there."""
    present = arms["arm"].map(marked["arm"].value_counts()).fillna(0).astype("Int64")
    columns = {
        "source": arms["n"],
        "absent": (arms["n"] - present).clip(lower=0),
        "beyond": (present - arms["n"]).clip(lower=0),
    }
    frames = [
        pd.DataFrame({"arm": arms["arm"], "stage": "allocated", "part": part, "people": counts})
        for part, counts in columns.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _all_arms(counted: pd.DataFrame) -> pd.DataFrame:
    """Add the arms up; blank where one of them is blank."""
    people = counted.loc[counted["stage"].isin(["allocated", "present"])]
    grouped = people.groupby(["stage", "part"], sort=False)["people"]
    total = grouped.sum().where(grouped.count() == grouped.size())
    return total.astype("Int64").reset_index().assign(arm=ALL)[list(counted.columns)]


def flow_keys(flow: pd.DataFrame) -> list[Key]:
    """Name every count of the flow, as `mask_small` wants it."""
    columns = (flow["arm"], flow["stage"], flow["part"])
    return [("flow", *names) for names in zip(*columns, strict=True)]


def flow_sums(flow: pd.DataFrame) -> list[Sum]:
    """Say which counts of the flow add up to which."""
    found = []
    arms = [arm for arm in flow["arm"].unique() if arm != ALL]
    stages = flow.groupby("stage", sort=False)["part"].unique()
    for stage, parts in stages.items():
        if stage in ("allocated", "present"):
            found += [
                Sum(("flow", ALL, stage, part), tuple(("flow", arm, stage, part) for arm in arms))
                for part in parts
            ]
        else:
            found += [
                Sum(present_key(arm), tuple(("flow", arm, stage, part) for part in parts))
                for arm in arms
            ]
    for arm in arms:
        source, absent, beyond = (("flow", arm, "allocated", part) for part in ALLOCATED)
        more = flow.loc[(flow["arm"] == arm) & (flow["part"] == "beyond"), "people"]
        if more.gt(0).any():
            found.append(Sum(present_key(arm), (source, beyond)))
        else:
            found.append(Sum(source, (present_key(arm), absent)))
    return found


ALLOCATED = ("source", "absent", "beyond")


def headcounts(flow: pd.DataFrame) -> set[Key]:
    """Name the counts that a reader misses most: who was allocated and who is there."""
    whole = flow["part"].isin(["source", "present"])
    return set(flow_keys(flow.loc[whole]))


def present_key(arm: str) -> Key:
    """Name the count of people of an arm."""
    return ("flow", arm, "present", "present")


def analysed_key(arm: str) -> Key:
    """Name the count of people who were observed."""
    return ("flow", arm, "analysed", "analysed")
