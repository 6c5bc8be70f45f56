"""How fast did each drug of a dataset really leave, in its people and in its arms?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import pandas as pd

from discontinuation.describe.given import Tables, complete
from discontinuation.exposure.arm_pace import (
    COMPARED,
    ArmPace,
    compare_with_plan,
    course_of_arms,
    first_stops,
    mask_arms,
    plans_as_doses,
    summarise_arms,
)
from discontinuation.exposure.authors import courses_of, find_changes, name_by_authors
from discontinuation.exposure.definitions import Definition
from discontinuation.exposure.drugs import Drug, Drugs
from discontinuation.exposure.histories import INJECTION, MG_PER_DAY, Gaps
from discontinuation.exposure.pace import pace_of
from discontinuation.exposure.parameters import Parameters, parameters_of
from discontinuation.exposure.strategy import Strategies, label_pace
from discontinuation.exposure.trajectories import Exposure, exposure_of
from discontinuation.exposure.uncertainty import Uncertainty, describe_uncertainty
from discontinuation.problems import InvalidInput

NOTES = ["drug", "concerns", "reason", "people"]
DELIVERED, PLANNED = "delivered", "planned"


@dataclass(frozen=True)
class Setting:
    """How the doses of a dataset are to be read.

    Attributes
    ----------
    before
        "steady": the first dose of a record had been taken for long; "none": the drug was new.
    gaps
        What happened between intervals: "unknown", "missed" or "carried".
    doses_before
        Steady dose before every record by drug, mg per day; each record's first dose where it is
        left out.
    reference_day
        When retained occupancy is 1.
    curves
        Key of the occupancy curve by drug; the default one where it is left out.
    tau_days
        Adaptation time behind the drive.
    """

    before: str = "steady"
    gaps: str = "unknown"
    doses_before: Mapping[str, float] = field(default_factory=dict)
    reference_day: float = 0.0
    curves: Mapping[str, str] = field(default_factory=dict)
    tau_days: float = 14.0


@dataclass(frozen=True, eq=False)
class DatasetExposure:
    """The exposure of a dataset.

    Attributes
    ----------
    trajectories
        Of single people: drug, arm, then the columns of `Exposure.trajectories`.
    pace
        Of single people: drug, arm, the columns of `Pace.table`, stop (whether it is the person's
        first stop from the reference day on), labels of `label_pace`.
    tables
        Of arms, masked: arm_quantities, arm_labels, arm_courses, authors (labels by published
        definitions), delivered_and_planned, uncertainty, drugs (the numbers that were used).
    notes
        What could not be computed, for how many people, and why.
    parameters
        The numbers of each drug.
    """

    trajectories: pd.DataFrame
    pace: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    notes: pd.DataFrame
    parameters: dict[str, Parameters]


@dataclass(eq=False)
class _Found:
    """What is collected drug by drug."""

    trajectories: list[pd.DataFrame] = field(default_factory=list)
    pace: list[pd.DataFrame] = field(default_factory=list)
    tables: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    parameters: dict[str, Parameters] = field(default_factory=dict)

    def add(self, table: str, frame: pd.DataFrame, drug: str) -> None:
        if len(frame):
            self.tables.setdefault(table, []).append(_with_drug(frame, drug))

    def note(self, drug: str, concerns: str, reason: str, people: int | None = None) -> None:
        self.notes.append({"drug": drug, "people": people, "concerns": concerns, "reason": reason})


def expose_dataset(
    tables: Tables,
    setting: Setting,
    drugs: Drugs,
    strategies: Strategies,
    definitions: Sequence[Definition],
    uncertainty: Uncertainty,
    smallest_cell: int = 1,
) -> DatasetExposure:
    """Describe how the drugs of a dataset left.

    Parameters
    ----------
    tables
        Canonical tables; any may be missing.
    setting
        How the doses are to be read.
    drugs
        From `read_drugs`. A drug that is not there, or has no curve, still gets the pace of its
        doses.
    strategies, definitions
        How the manner of stopping is named, here and by published authors.
    uncertainty
        From which ranges half-life and K are drawn.
    smallest_cell
        Smallest count of people that may be shown of an arm.

    Returns
    -------
    DatasetExposure
        Each drug on its own; nothing is added up over drugs.

    Raises
    ------
    InvalidInput
        Curves that do not exist, doses that cannot be put in order.
    """
    given = complete(tables)
    found = _Found()
    for name, doses in given["doses"].groupby("drug", sort=False, observed=True):
        reference = _reference(str(name), drugs, found)
        drug = parameters_of(reference, setting.curves.get(str(name)))
        found.parameters[str(name)] = drug
        if not (doses["dose"] > 0).any():
            found.note(str(name), "all", "every recorded dose is 0", doses["person"].nunique())
            continue
        one = _OneDrug(str(name), doses.reset_index(drop=True), drug, given, setting)
        paced = one.pace(strategies, found)
        one.compare(paced, strategies, definitions, smallest_cell, found)
        exposure = one.exposure(found)
        if exposure is not None:
            one.follow(exposure, reference, uncertainty, smallest_cell, found)
    return _gather(found, smallest_cell)


def exposure_of_main_drug(
    tables: Tables, setting: Setting, drugs: Drugs
) -> tuple[str | None, Exposure | None, pd.DataFrame]:
    """Arrange the doses of the drug that most people take, for models of single people.

    Parameters
    ----------
    tables, setting, drugs
        As in `expose_dataset`.

    Returns
    -------
    name
        Of the drug; None if nobody takes any.
    exposure
        Of the people whose doses are known and who have something to retain; None if there is no
        half-life or nobody is left.
    notes
        Why not, and who was left out.
    """
    given = complete(tables)
    taken = given["doses"].loc[given["doses"]["dose"] > 0]
    if taken.empty:
        return None, None, pd.DataFrame(columns=NOTES)
    name = str(taken.groupby("drug", observed=True)["person"].nunique().idxmax())
    found = _Found()
    drug = parameters_of(_reference(name, drugs, found), setting.curves.get(name))
    doses = given["doses"].loc[given["doses"]["drug"] == name].reset_index(drop=True)
    exposure = _OneDrug(name, doses, drug, given, setting).exposure(found)
    return name, exposure, _notes(found, 1)


@dataclass(frozen=True, eq=False)
class _OneDrug:
    name: str
    doses: pd.DataFrame
    drug: Parameters
    given: Mapping[str, pd.DataFrame]
    setting: Setting

    @property
    def arm_of(self) -> pd.Series:
        """Arm by person."""
        people = self.given["people"]
        return people.set_index("person")["arm"].astype(object)

    def pace(self, strategies: Strategies, found: _Found) -> pd.DataFrame:
        """Pace and labels of every run of every person."""
        pace = pace_of(
            self.doses,
            self.drug,
            start_steady=self.setting.before == "steady",
            dose_before=self.setting.doses_before.get(self.name),
            gaps=self.setting.gaps,
            gap_days=strategies.gap_days,
            stable_days=strategies.stable_days,
        )
        table = pace.table.join(label_pace(pace.table, strategies))
        stops = first_stops(table, self.setting.reference_day).index
        table.insert(1, "arm", table["person"].map(self.arm_of))
        table = table.assign(stop=table.index.isin(stops))
        found.pace.append(_with_drug(table, self.name))
        whole = table["refused"].where(table["stop"])
        fall = table["fall_refused"].where(table["stop"] & table["refused"].isna())
        for concerns, reasons in (("pace", whole), ("fall of occupancy", fall)):
            for reason, people in reasons.dropna().map(_without_numbers).value_counts().items():
                found.note(self.name, concerns, str(reason), int(people))
        return table

    def compare(
        self,
        table: pd.DataFrame,
        strategies: Strategies,
        definitions: Sequence[Definition],
        smallest: int,
        found: _Found,
    ) -> None:
        """Describe the arms: what was taken, what was planned, and what authors would call it."""
        stops = table.loc[table["stop"]]
        if stops["arm"].isna().all():
            return
        summary = summarise_arms(stops, stops, self.arm_of)
        self._add_arms(mask_arms(summary, smallest), DELIVERED, strategies, definitions, found)
        planned = self.given["planned_doses"]
        planned = planned.loc[(planned["drug"] == self.name) & (planned["step"] != "sham")]
        if planned.empty:
            return
        start = stops.set_index("person")["start_dose"].dropna()
        people = self.given["people"][["person", "arm"]]
        people = people.loc[people["person"].isin(start.index)]
        plans = _with_rest(plans_as_doses(planned, people))
        if plans.empty:
            return
        before = start.reindex(plans["person"].unique()).fillna(0.0)
        intended = pace_of(plans, self.drug, dose_before=before, gaps="carried",
                           gap_days=strategies.gap_days, stable_days=0).table  # fmt: skip
        intended = intended.join(label_pace(intended, strategies))
        intended = first_stops(intended, self.setting.reference_day)
        stopping = intended.loc[intended["ends_at"] != "record"]
        if len(stopping):
            arms = mask_arms(summarise_arms(stopping, stopping, self.arm_of), smallest)
            self._add_arms(arms, PLANNED, strategies, definitions, found)
        both = compare_with_plan(stops, intended)
        found.add("delivered_and_planned", _beside_plan(both, self.arm_of, smallest), self.name)

    def _add_arms(
        self,
        summary: ArmPace,
        doses: str,
        strategies: Strategies,
        definitions: Sequence[Definition],
        found: _Found,
    ) -> None:
        found.add("arm_quantities", summary.quantities.assign(doses=doses), self.name)
        found.add("arm_labels", summary.labels.assign(doses=doses), self.name)
        medians = summary.medians.loc[summary.medians["days_to_zero"].notna()]
        if medians.empty:
            return
        named = name_by_authors(courses_of(medians, self.drug), definitions)
        wide = named.join(find_changes(named, strategies)).assign(arm=medians["arm"])
        own = label_pace(medians, strategies)
        wide = wide.assign(doses=doses).join(own)
        keys = ["arm", "doses", *own, "changes", "quick", "slow", "other"]
        found.add("authors", wide[[*keys, *named.columns]], self.name)

    def exposure(self, found: _Found) -> Exposure | None:
        """Dose histories that can be followed, or None."""
        if self.drug.half_life_days is None:
            found.note(self.name, "level, occupancy and drive", str(self.drug.no_half_life))
            return None
        doses = _spread_injections(self.doses)
        known = doses["unit"].isin(list(MG_PER_DAY)) if "unit" in doses else True
        if not np.all(known):
            units = ", ".join(sorted(set(doses["unit"].astype(str)) - set(MG_PER_DAY)))
            reason = f"doses in {units} cannot be turned into mg without the strength"
            found.note(self.name, "level, occupancy and drive", reason)
            return None
        if self.drug.no_occupancy is not None:
            found.note(self.name, "occupancy and drive", self.drug.no_occupancy)
        doses = self._without_unknown_days(doses, found)
        doses = self._on_the_drug(doses, found)
        return self._arranged(doses) if len(doses) else None

    def _without_unknown_days(self, doses: pd.DataFrame, found: _Found) -> pd.DataFrame:
        if self.setting.gaps != "unknown":
            return doses
        ordered = doses.sort_values(["person", "start"], kind="stable")
        gap = ordered["start"] - ordered.groupby("person")["stop"].shift(1)
        broken = ordered.loc[gap > 1e-9, "person"].unique()
        if len(broken):
            reason = "the dose of some days is not known; declare what gaps are"
            found.note(self.name, "level, occupancy and drive", reason, len(broken))
        return doses.loc[~doses["person"].isin(broken)].reset_index(drop=True)

    def _on_the_drug(self, doses: pd.DataFrame, found: _Found) -> pd.DataFrame:
        """Leave out people who have nothing that could be retained at the reference day."""
        if self.drug.no_occupancy is not None or doses.empty:
            return doses
        without = replace(self.drug, k=None, emax=None, no_occupancy="not asked for")
        levels = replace(self, drug=without)._arranged(doses).at(self._reference(doses))
        level = pd.Series(levels.level[:, 0], levels.people)
        absent = level.index[~(level > 1e-6 * doses["dose"].max())]
        if len(absent):
            reason = "takes none of the drug at the reference day, so there is nothing to retain"
            found.note(self.name, "level, occupancy and drive", reason, len(absent))
        return doses.loc[~doses["person"].isin(absent)].reset_index(drop=True)

    def _reference(self, doses: pd.DataFrame) -> np.ndarray:
        """Reference day of each person, shape (n, 1); the last one of a record that ends before."""
        groups = doses.groupby("person", sort=False)
        begins, ends = groups["start"].min(), groups["stop"].max()
        day = np.maximum(self.setting.reference_day, begins)
        return np.asarray(np.minimum(day, ends), dtype=float)[:, None]

    def _arranged(self, doses: pd.DataFrame) -> Exposure:
        return exposure_of(
            doses,
            half_life_days=float(self.drug.half_life_days or np.nan),
            k=self.drug.k,
            emax=self.drug.emax,
            hill=self.drug.hill,
            tau_days=self.setting.tau_days,
            start_steady=self.setting.before == "steady",
            dose_before=self.setting.doses_before.get(self.name),
            gaps=cast(Gaps, "refuse" if self.setting.gaps == "unknown" else self.setting.gaps),
            reference_day=self.setting.reference_day,
            fitted_range=self.drug.fitted,
        )

    def follow(
        self,
        exposure: Exposure,
        reference: Drug | None,
        uncertainty: Uncertainty,
        smallest: int,
        found: _Found,
    ) -> None:
        """Level, occupancy and drive day by day, and how far they hang on the drug's numbers."""
        trajectories = exposure.trajectories()
        trajectories.insert(1, "arm", trajectories["person"].map(self.arm_of))
        found.trajectories.append(_with_drug(trajectories, self.name))
        courses = course_of_arms(trajectories, self.arm_of, smallest)
        found.add("arm_courses", courses, self.name)
        outside = int(trajectories.loc[trajectories["extrapolated"], "person"].nunique())
        if outside and self.drug.fitted is not None:
            low, high = self.drug.fitted
            reason = (
                f"levels outside the {low:g} to {high:g} mg/day that the curve was fitted to: "
                "computed and flagged"
            )
            found.note(self.name, "occupancy", reason, outside)
        if reference is not None and self.drug.no_occupancy is None:
            described = describe_uncertainty(
                exposure, reference, self.drug, self.arm_of, uncertainty, smallest
            )
            for table, frame in described.items():
                found.add(table, frame, self.name)


def _without_numbers(reason: str) -> str:
    """Make one reason of those that differ in a day or a dose only."""
    return re.sub(r"\d+(\.\d+)?", "n", reason.split(" on day ")[0])


def _reference(name: str, drugs: Drugs, found: _Found) -> Drug | None:
    try:
        return drugs.find(name, "doses")
    except InvalidInput as unknown:
        found.note(name, "all that needs the drug's numbers", unknown.problems[0].message)
        return None


def _spread_injections(doses: pd.DataFrame) -> pd.DataFrame:
    """Spread injections over their intervals: the half-life held is the apparent one of a depot."""
    if "unit" not in doses or not (doses["unit"] == INJECTION).any():
        return doses
    injected = doses["unit"] == INJECTION
    daily = doses["dose"] / (doses["stop"] - doses["start"])
    return doses.assign(
        dose=doses["dose"].where(~injected, daily),
        unit=doses["unit"].astype(object).where(~injected, "mg/day"),
    )


def _with_rest(plans: pd.DataFrame) -> pd.DataFrame:
    """Let the last dose of each plan go on, so that a plan that ends at 0 has ended."""
    last = plans["start"].eq(plans.groupby("person")["start"].transform("max"))
    return plans.assign(stop=plans["stop"].where(~last, plans["stop"] + 365.0))


def _beside_plan(both: pd.DataFrame, arm_of: pd.Series, smallest: int) -> pd.DataFrame:
    """Medians of intended and delivered pace by arm, of people who have both."""
    known = both.loc[both["difference"].notna()]
    known = known.assign(arm=known["person"].map(arm_of))
    numbers = ["intended", "delivered", "difference"]
    groups = known.groupby(["arm", "quantity"], sort=False)
    table = groups[numbers].median().assign(people=groups.size()).reset_index()
    order = table["quantity"].map({name: place for place, name in enumerate(COMPARED)})
    table = table.assign(order=order).sort_values(["arm", "order"]).drop(columns="order")
    hidden = table["people"] < smallest
    shown = table["people"].astype(str).mask(hidden, f"<{smallest}")
    table[numbers] = table[numbers].mask(hidden)
    return table.assign(people=table["people"].mask(hidden), people_shown=shown)


def _with_drug(frame: pd.DataFrame, drug: str) -> pd.DataFrame:
    frame = frame.copy()
    frame.insert(0, "drug", drug)
    return frame


def _gather(found: _Found, smallest_cell: int) -> DatasetExposure:
    together = {name: pd.concat(parts, ignore_index=True) for name, parts in found.tables.items()}
    together["drugs"] = _parameters_table(found.parameters)
    return DatasetExposure(
        _concat(found.trajectories),
        _concat(found.pace),
        together,
        _notes(found, smallest_cell),
        found.parameters,
    )


def _notes(found: _Found, smallest: int) -> pd.DataFrame:
    """Notes with the number of people as it may be printed; blank where they concern the drug."""
    notes = pd.DataFrame(found.notes, columns=NOTES)
    people = notes["people"].astype("Int64")
    hidden = (people < smallest).fillna(False)
    shown = people.astype("string").fillna("").where(~hidden, f"<{smallest}")
    return notes.assign(people=people.mask(hidden), people_shown=shown.astype(object))


def _concat(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _parameters_table(parameters: Mapping[str, Parameters]) -> pd.DataFrame:
    """One row per drug and number: value, unit, provenance, or why it is missing."""
    rows = []
    for name, drug in parameters.items():
        low, high = drug.fitted or (None, None)
        numbers = (
            ("half-life", drug.half_life_days, "days", drug.no_half_life, "half-life"),
            ("K", drug.k, "mg/day", drug.no_occupancy, "occupancy curve"),
            ("Emax", drug.emax, "share", drug.no_occupancy, "occupancy curve"),
            ("fitted from", low, "mg/day", None, "occupancy curve"),
            ("fitted to", high, "mg/day", None, "occupancy curve"),
            (
                "minimum effective dose",
                drug.minimum_effective_dose,
                "mg/day",
                None,
                "minimum effective dose",
            ),
        )
        for what, value, unit, missing, tagged in numbers:
            tag = drug.tag(tagged) if value is not None else None
            why = (missing or "no source is held") if value is None else None
            rows.append(
                {
                    "drug": name,
                    "number": what,
                    "value": value,
                    "unit": unit,
                    "tag": tag,
                    "curve": drug.curve if tagged == "occupancy curve" else None,
                    "missing": why,
                }
            )
    return pd.DataFrame(rows)
