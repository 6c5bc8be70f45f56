"""How fast did each arm stop, and was it what was planned?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from discontinuation.describe.masking import Key, Sum, mask_small
from discontinuation.exposure.pace import QUANTITIES

NO_LABEL = "not assessable"
VIEWS = ("in_milligrams", "at_receptor")
NO_END = 3650.0  # days; length of a planned interval without an end
COURSES = ("dose", "occupancy", "drive")
SPREAD = {"p25": 0.25, "median": 0.5, "p75": 0.75}
COMPARED = (
    "days_to_zero",
    "steps",
    "largest_step_of_previous",
    "lowest_dose",
    "fall_90_10_days",
    "drop_7_days",
)


@dataclass(frozen=True, eq=False)
class ArmPace:
    """The pace of arms.

    Attributes
    ----------
    quantities
        One row per arm and quantity: arm, quantity, people (who have it), not_assessable, p25,
        median, p75.
    labels
        One row per arm, view (in_milligrams, at_receptor) and label: people, share of all people
        of the arm. People without a label are counted as not assessable.
    medians
        One row per arm: the medians in the columns of `Pace.table`, for labels of whole arms.
    """

    quantities: pd.DataFrame
    labels: pd.DataFrame
    medians: pd.DataFrame


def first_stops(table: pd.DataFrame, from_day: float = 0.0) -> pd.DataFrame:
    """Choose each person's first run that ends on a day or later.

    Parameters
    ----------
    table
        `Pace.table`.
    from_day
        Earlier stops are no part of the study.

    Returns
    -------
    DataFrame
        One row per person; people who take nothing keep theirs.
    """
    later = table.loc[(table["zero_day"] >= from_day) | (table["run"] == 0)]
    return later.sort_values("run", kind="stable").drop_duplicates("person").sort_index()


def summarise_arms(table: pd.DataFrame, labels: pd.DataFrame, arm_of: pd.Series) -> ArmPace:
    """Summarise the pace of each arm.

    Parameters
    ----------
    table
        One row per person, such as from `first_stops`.
    labels
        From `label_pace`, with the same index.
    arm_of
        Arm by person.
    """
    arm = table["person"].map(arm_of)
    groups = {name: table.loc[(arm == name).to_numpy()] for name in pd.unique(arm.dropna())}
    quantities = [
        {"arm": name, "quantity": quantity, **_spread(rows[quantity])}
        for name, rows in groups.items()
        for quantity in QUANTITIES
    ]
    counted = [
        {"arm": name, "view": view, "label": label, "people": count, "share": count / len(rows)}
        for name, rows in groups.items()
        for view in VIEWS
        for label, count in labels.loc[rows.index, view].fillna(NO_LABEL).value_counts().items()
    ]
    medians = [{"arm": name, **_median_row(rows)} for name, rows in groups.items()]
    return ArmPace(pd.DataFrame(quantities), pd.DataFrame(counted), pd.DataFrame(medians))


def mask_arms(summary: ArmPace, smallest: int) -> ArmPace:
    """Blank what rests on too few people.

    Parameters
    ----------
    summary
        From `summarise_arms`.
    smallest
        Smallest count of people that may be shown; 1 masks nothing.

    Returns
    -------
    ArmPace
        With a column ``_shown`` beside each count of people: the count as it may be printed.
        Where that is masked, the count and the numbers that rest on it are blank; so are the
        medians of the arm.
    """
    quantities = summary.quantities.reset_index(drop=True)
    labels = summary.labels.reset_index(drop=True)
    counts: dict[Key, int] = {}
    sums = []
    for row, line in enumerate(quantities.to_dict("records")):
        parts = [("quantity", row, name) for name in ("people", "not_assessable")]
        counts |= dict(zip(parts, (line["people"], line["not_assessable"]), strict=True))
        counts["arm", line["arm"]] = line["people"] + line["not_assessable"]
        sums.append(Sum(("arm", line["arm"]), tuple(parts)))
    for (arm, _), rows in labels.groupby(["arm", "view"], sort=False):
        lines: list[Key] = [("label", row) for row in rows.index]
        counts |= dict(zip(lines, rows["people"], strict=True))
        sums.append(Sum(("arm", arm), tuple(lines)))
    shown = mask_small(counts, sums, smallest)
    for name in ("people", "not_assessable"):
        text = [shown["quantity", row, name] for row in quantities.index]
        quantities = _with_shown(quantities, name, text)
    few = quantities["people"].isna()
    quantities[list(SPREAD)] = quantities[list(SPREAD)].mask(few)
    labels = _with_shown(labels, "people", [shown["label", row] for row in labels.index])
    labels["share"] = labels["share"].mask(labels["people"].isna())
    medians = summary.medians.copy()
    for quantity, rows in quantities.loc[few].groupby("quantity"):
        medians.loc[medians["arm"].isin(rows["arm"]), str(quantity)] = np.nan
    return replace(summary, quantities=quantities, labels=labels, medians=medians)


def plans_as_doses(planned: pd.DataFrame, people: pd.DataFrame | None = None) -> pd.DataFrame:
    """Turn planned doses into doses that their pace can be computed of.

    Parameters
    ----------
    planned
        Canonical planned doses of one drug.
    people
        person and arm. Everybody gets their own plan, or that of their arm. None: the plans of
        arms only, each under the name of its arm.

    Returns
    -------
    DataFrame
        person, start, stop, dose, unit. An interval without an end lasts ten years.
    """
    stop = planned["stop"].fillna(planned["start"] + NO_END)
    plans = planned[["arm", "person", "start", "dose", "unit"]].assign(stop=stop)
    columns = ["person", "start", "stop", "dose", "unit"]
    shared = plans.loc[plans["person"].isna()].drop(columns="person")
    if people is None:
        return shared.rename(columns={"arm": "person"})[columns].reset_index(drop=True)
    own = plans.loc[plans["person"].notna()]
    others = people.loc[~people["person"].isin(own["person"]), ["person", "arm"]]
    return pd.concat([own[columns], others.merge(shared, on="arm")[columns]], ignore_index=True)


def compare_with_plan(delivered: pd.DataFrame, intended: pd.DataFrame) -> pd.DataFrame:
    """Set delivered beside intended pace.

    Parameters
    ----------
    delivered, intended
        One row per person, such as from `first_stops`: of the doses taken and of those planned.

    Returns
    -------
    DataFrame
        person, quantity, intended, delivered, difference (delivered - intended), and why_not: why
        one of them is missing. People without a plan are not in it.
    """
    both = intended.merge(delivered, on="person", how="left", suffixes=("_plan", "_taken"))
    why = pd.Series(
        np.select(
            [both["ends_at_plan"] == "record", both["run_taken"].isna()],
            ["no stop was planned", "no stop in the record"],
            both["refused_taken"],
        ),
        both.index,
        dtype=object,
    )
    parts = []
    for name in COMPARED:
        plan, taken = both[f"{name}_plan"], both[f"{name}_taken"]
        fall = both["fall_refused_taken"] if name in ("fall_90_10_days", "drop_7_days") else None
        reason = (why if fall is None else why.where(why.notna(), fall)).to_numpy(dtype=object)
        reason = reason.copy()
        reason[(taken - plan).notna()] = None
        parts.append(
            pd.DataFrame(
                {
                    "person": both["person"],
                    "quantity": name,
                    "intended": plan,
                    "delivered": taken,
                    "difference": taken - plan,
                    "why_not": reason,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def course_of_arms(
    trajectories: pd.DataFrame, arm_of: pd.Series, smallest: int = 1
) -> pd.DataFrame:
    """Describe dose, occupancy and drive of each arm day by day.

    Parameters
    ----------
    trajectories
        From `Exposure.trajectories`: person, day, dose, occupancy, drive.
    arm_of
        Arm by person.
    smallest
        Days on which fewer people are known are left out.

    Returns
    -------
    DataFrame
        arm, day, quantity (dose, occupancy, drive), people, p10, p25, median, p75, p90.
    """
    # Without an occupancy there is no drive, not one of 0.
    drive = trajectories["drive"].where(trajectories["occupancy"].notna())
    known = trajectories.assign(arm=trajectories["person"].map(arm_of), drive=drive)
    long = known.melt(["arm", "day"], list(COURSES), "quantity", "value")
    groups = long.dropna().groupby(["arm", "quantity", "day"], sort=True)["value"]
    shares = {"p10": 0.1, **SPREAD, "p90": 0.9}
    quantiles = {name: groups.quantile(share) for name, share in shares.items()}
    found = pd.DataFrame({"people": groups.size(), **quantiles})
    return found.loc[found["people"] >= smallest].reset_index()


def _spread(values: pd.Series) -> dict[str, float]:
    known = values.dropna().to_numpy(dtype=float)
    points = (
        np.quantile(known, list(SPREAD.values())) if len(known) else np.full(len(SPREAD), np.nan)
    )
    missing = len(values) - len(known)
    return {
        "people": len(known),
        "not_assessable": missing,
        **dict(zip(SPREAD, points.tolist(), strict=True)),
    }


def _median_row(rows: pd.DataFrame) -> dict[str, object]:
    """Medians of an arm under the columns of a table of paces."""
    fine = rows.loc[rows["refused"].isna()]
    names = (*QUANTITIES, "days_off", "half_life_days")
    medians = {name: _spread(fine[name])["median"] for name in names}
    return {
        "people": len(rows),
        **medians,
        "refused": None if len(fine) else _commonest(rows["refused"]),
        "occupancy_refused": _unless(medians["largest_step_occupancy"], rows["occupancy_refused"]),
        "fall_refused": _unless(medians["fall_90_10_days"], rows["fall_refused"]),
        "shape": _commonest(fine["shape"]),
    }


def _unless(known: float, reasons: pd.Series) -> str | None:
    return None if pd.notna(known) else _commonest(reasons)


def _commonest(words: pd.Series) -> str | None:
    counted = words.dropna().value_counts()
    return str(counted.index[0]) if len(counted) else None


def _with_shown(frame: pd.DataFrame, column: str, shown: list[str]) -> pd.DataFrame:
    masked = pd.Series([text[0] in "<≥–" for text in shown], frame.index, dtype=bool)
    frame = frame.assign(**{column: frame[column].mask(masked)})
    frame.insert(list(frame.columns).index(column) + 1, f"{column}_shown", shown)
    return frame
