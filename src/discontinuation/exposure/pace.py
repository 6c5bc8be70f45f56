"""How fast did the drug really leave: in milligrams, and at the receptor?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from discontinuation.exposure.descents import Descents, find_descents
from discontinuation.exposure.dose_records import Record, arrange_record
from discontinuation.exposure.histories import DoseBefore
from discontinuation.exposure.occupancy_fall import (
    FALL_QUANTITIES,
    describe_falls,
    self_taper_days,
)
from discontinuation.exposure.parameters import Parameters
from discontinuation.exposure.schedule_shape import shapes_of

HALF_LIVES_ADDED = 3.0  # methods E2: effective length of a taper
TENTH = 0.1 * (1 + 1e-9)
NOTHING_TAKEN = "takes none of the drug in the record"

DOSE_QUANTITIES = (
    "days_to_zero",
    "days_from_therapeutic",
    "days_to_tenth",
    "effective_taper_days",
    "steps",
    "increases",
    "step_days",
    "median_step_of_previous",
    "largest_step_of_previous",
    "largest_step_of_start",
    "largest_earlier_step_of_start",
    "final_drop_of_start",
    "final_step_of_largest",
    "lowest_dose",
    "lowest_dose_of_start",
    "linearity_in_dose",
)
OCCUPANCY_QUANTITIES = (
    "largest_step_occupancy",
    "final_drop_occupancy",
    "linearity_in_occupancy",
    "hyperbolicity",
)
START_QUANTITIES = ("start_dose", "starting_occupancy", "self_taper_days")
QUANTITIES = (*START_QUANTITIES, *DOSE_QUANTITIES, *OCCUPANCY_QUANTITIES, *FALL_QUANTITIES)


@dataclass(frozen=True, eq=False)
class Pace:
    """The pace of every run of dosing, and its steps.

    Attributes
    ----------
    table
        One row per person and run; see `pace_of`.
    steps
        One row per change of dose: person, run, step, day, from_dose, to_dose, share_of_previous,
        share_of_start, occupancy_before, occupancy_after, occupancy_drop (of steady doses, as
        shares of receptors).
    drug
        The numbers that were used.
    """

    table: pd.DataFrame
    steps: pd.DataFrame
    drug: Parameters


def pace_of(
    doses: pd.DataFrame,
    drug: Parameters,
    *,
    start_steady: bool = True,
    dose_before: DoseBefore = None,
    gaps: str = "unknown",
    gap_days: float = 13.0,
    stable_days: float = 7.0,
) -> Pace:
    """Describe how each person's drug left.

    Parameters
    ----------
    doses
        Canonical doses of one drug: person, start, stop (not included), dose, and perhaps unit
        (mg per day without it).
    drug
        From `parameters_of`.
    start_steady, dose_before
        As in `exposure_of`. In an arm that stops on day 0 the record begins with the dose 0, so
        `dose_before` says from what.
    gaps
        What happened between intervals: ``"unknown"``, ``"missed"`` doses, or the dose before
        ``"carried"`` on. A reduction with unknown days in it has no pace.
    gap_days
        A break of more than this many days ends a run; a shorter one is missed doses.
    stable_days
        The starting dose of a run is the highest that was reached for this many days in all.

    Returns
    -------
    Pace
        Columns of its table, besides person and run (0: takes nothing):

        start_dose, start_day, therapeutic_dose, therapeutic_basis, therapeutic_day, last_dose, \
zero_day, days_off, ends_at
            See `Descents`; the therapeutic dose is the minimum effective one, or the starting
            dose where that is lower or no minimum is known.
        days_to_zero, days_from_therapeutic, days_to_tenth
            From the last day at the starting dose, or at the therapeutic dose, to dose 0; from the
            first of these to a tenth of the starting dose (methods B1).
        effective_taper_days
            days_to_zero + 3 half-lives (methods E2).
        steps, increases, step_days
            Reductions, the one to zero included; rises among them; median days between changes.
        median_step_of_previous, largest_step_of_previous
            Reductions as shares of the dose before, without the one to zero, which is all of it.
        largest_step_of_start, largest_earlier_step_of_start, final_drop_of_start
            Largest step, largest one before the step to zero, and step to zero, as shares of the
            starting dose.
        final_step_of_largest
            Step to zero as a share of the largest step.
        lowest_dose, lowest_dose_of_start
            Lowest dose above zero.
        linearity_in_dose, linearity_in_occupancy, hyperbolicity, shape
            See `shapes_of`. ``hyperbolicity = (1 - R2_dose) / ((1 - R2_dose) + (1 - R2_occ))``;
            the index of methods B1 is the difference ``R2_occ - R2_dose``, of steady occupancy.
        starting_occupancy, largest_step_occupancy, final_drop_occupancy
            Of steady doses, as shares of receptors.
        fall_90_10_days, drop_7_days, steepest_fall
            Of occupancy as it follows the doses; see `describe_falls`.
        half_life_days, self_taper_days, outside_fitted, doubtful
            Of the drug; days from 90 to 10 % of the starting occupancy after an abrupt stop;
            whether a dose lies outside those the occupancy curve was fitted to; numbers of the
            drug that rest on memory (UM) or a proposal (P).
        refused, occupancy_refused, fall_refused
            Why there are no quantities of pace, of steady occupancy, of its fall; None if there
            are.

    Raises
    ------
    InvalidInput
        With every problem of the doses.
    """
    record = arrange_record(doses, start_steady=start_steady, dose_before=dose_before, gaps=gaps)
    if record.unit != "mg/day":
        drug = _without_milligrams(drug, record.unit)
    descents = find_descents(
        record,
        minimum_effective_dose=drug.minimum_effective_dose,
        gap_days=gap_days,
        stable_days=stable_days,
    )
    steps = _describe_steps(descents, drug)
    turns = descents.table["share_in_turns"].to_numpy(dtype=float)
    table = pd.concat(
        [
            descents.table.drop(columns="share_in_turns"),
            _dose_quantities(descents.table, steps, drug),
            shapes_of(steps, turns),
            _occupancy_quantities(descents.table, steps, drug),
            describe_falls(record, descents, drug),
            _of_drug(descents.table, drug),
        ],
        axis=1,
    )
    table = _with_everybody(_blank_refused(table), record)
    named = descents.table[["person", "run"]].loc[steps["row"]].reset_index(drop=True)
    return Pace(table, named.join(steps.drop(columns="row")), drug)


def _without_milligrams(drug: Parameters, unit: str) -> Parameters:
    reason = f"doses in {unit!r} cannot be turned into mg without the strength"
    return replace(
        drug, k=None, emax=None, fitted=None, minimum_effective_dose=None, no_occupancy=reason
    )


def _describe_steps(descents: Descents, drug: Parameters) -> pd.DataFrame:
    steps = descents.steps
    before, after = (drug.occupancy(steps[name]) for name in ("from_dose", "to_dose"))
    fall = steps["from_dose"] - steps["to_dose"]
    start = descents.table["start_dose"].to_numpy(dtype=float)[steps["row"]]
    return steps.assign(
        share_of_previous=fall / steps["from_dose"],
        share_of_start=fall / start,
        occupancy_before=before,
        occupancy_after=after,
        occupancy_drop=before - after,
    )


def _dose_quantities(table: pd.DataFrame, steps: pd.DataFrame, drug: Parameters) -> pd.DataFrame:
    start, last = table["start_dose"], table["last_dose"]
    down, above_zero = steps["share_of_previous"] > 0, steps["to_dose"] > 0
    on_the_way = steps["share_of_previous"].where(down & above_zero)
    tenth = steps["to_dose"].to_numpy() <= TENTH * start.to_numpy(dtype=float)[steps["row"]]
    apart = steps.groupby("row")["day"].diff()

    def of_each(values: pd.Series, how: str) -> pd.Series:
        return values.groupby(steps["row"]).agg(how).reindex(range(len(table))).astype(float)

    lowest = of_each(steps["to_dose"].where(above_zero), "min").fillna(start)
    largest = of_each(steps["share_of_start"], "max")
    days = table["zero_day"] - table["start_day"]
    half_life = np.nan if drug.half_life_days is None else drug.half_life_days
    return pd.DataFrame(
        {
            "days_to_zero": days,
            "days_from_therapeutic": table["zero_day"] - table["therapeutic_day"],
            "days_to_tenth": of_each(steps["day"].where(tenth), "min") - table["start_day"],
            "effective_taper_days": days + HALF_LIVES_ADDED * half_life,
            "steps": of_each(down, "sum"),
            "increases": of_each(~down, "sum"),
            "step_days": of_each(apart, "median"),
            "median_step_of_previous": of_each(on_the_way, "median"),
            "largest_step_of_previous": of_each(on_the_way, "max"),
            "largest_step_of_start": largest,
            "largest_earlier_step_of_start": of_each(
                steps["share_of_start"].where(down & above_zero), "max"
            ),
            "final_drop_of_start": last / start,
            "final_step_of_largest": last / start / largest,
            "lowest_dose": lowest,
            "lowest_dose_of_start": lowest / start,
        }
    )


def _occupancy_quantities(
    table: pd.DataFrame, steps: pd.DataFrame, drug: Parameters
) -> pd.DataFrame:
    reasons = table["refused"].to_numpy(dtype=object).copy()
    reasons[table["refused"].isna()] = drug.no_occupancy
    largest = steps["occupancy_drop"].groupby(steps["row"]).max()
    return pd.DataFrame(
        {
            "starting_occupancy": drug.occupancy(table["start_dose"]),
            "largest_step_occupancy": largest.reindex(range(len(table))),
            "final_drop_occupancy": drug.occupancy(table["last_dose"]),
            "occupancy_refused": reasons,
        }
    )


def _of_drug(table: pd.DataFrame, drug: Parameters) -> pd.DataFrame:
    """Columns that depend on the drug and the starting dose alone."""
    least = drug.minimum_effective_dose
    if least is None:
        basis = np.full(len(table), "starting dose; no minimum effective dose is held")
    else:
        name = f"minimum effective dose {least:g} mg/day ({drug.tag('minimum effective dose')})"
        lower = f"starting dose, below the {name}"
        basis = np.where(table["start_dose"] >= least, name, lower)
    half_life = np.nan if drug.half_life_days is None else drug.half_life_days
    return pd.DataFrame(
        {
            "therapeutic_basis": basis.astype(object),
            "half_life_days": np.full(len(table), half_life),
            "self_taper_days": self_taper_days(table["start_dose"], drug),
            "outside_fitted": drug.outside_fitted(table["start_dose"]),
            "doubtful": np.full(len(table), drug.doubtful, dtype=object),
        }
    )


def _blank_refused(table: pd.DataFrame) -> pd.DataFrame:
    """Give no quantity of a descent that is refused."""
    fine = table["refused"].isna()
    names = [*DOSE_QUANTITIES, *OCCUPANCY_QUANTITIES]
    found = {name: table[name].where(fine) for name in names}
    shape = table["shape"].to_numpy(dtype=object).copy()
    shape[~fine] = None
    return table.assign(**found, shape=shape)


def _with_everybody(table: pd.DataFrame, record: Record) -> pd.DataFrame:
    """Add people who take nothing."""
    absent = record.people[~pd.Index(record.people).isin(table["person"])]
    if not len(absent):
        return table
    reasons = dict.fromkeys(["refused", "occupancy_refused", "fall_refused"], NOTHING_TAKEN)
    added = pd.DataFrame({"person": absent, "run": 0, **reasons})
    return pd.concat([table, added.reindex(columns=table.columns)], ignore_index=True)
