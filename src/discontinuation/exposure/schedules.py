"""Which dose on which day would a schedule of this kind give?

For designing and describing trials; nothing here is advice to anybody.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.exposure.dose_records import arrange_record
from discontinuation.exposure.parameters import Parameters
from discontinuation.exposure.strengths import Strengths
from discontinuation.problems import Problem, refuse

FloatArray = npt.NDArray[np.float64]

STATEMENT = (
    "For designing and describing trials only: not advice to any patient, and no dose to take."
)
PLACE = "schedule"
PERSON = "schedule"
KINDS = (
    "linear",
    "exponential",
    "hyperbolic",
    "cut_and_hold",
    "micro",
    "alternate_day",
    "free_form",
)
LONGEST = 3650.0  # days
MOST_STEPS = 2000
BEFORE, AFTER = 14.0, 28.0  # days shown around a schedule, at least
HALF_LIVES_AFTER = 8.0
SAME = 1e-9


@dataclass(frozen=True, eq=False)
class Schedule:
    """A dose for every day, for designing and describing trials.

    Attributes
    ----------
    kind
        One of `KINDS`.
    drug
        Numbers of the drug.
    start_dose
        Dose before day 0, mg per day.
    changes
        One row per change: day, dose (mg per day), and wanted, the dose before it was rounded to
        what can be made, and made_of, from what; wanted equals dose and made_of is blank where
        nothing was rounded.
    statement
        What every output of a schedule carries.
    """

    kind: str
    drug: Parameters
    start_dose: float
    changes: pd.DataFrame
    statement: str = STATEMENT

    @property
    def days(self) -> float:
        """From the first change to the last."""
        return float(self.changes["day"].iloc[-1] - self.changes["day"].iloc[0])

    @property
    def changes_of_mean(self) -> pd.DataFrame:
        """The changes; of the mean dose per day, where it is taken in turns with breaks."""
        record = arrange_record(self.doses())
        if not record.in_turns.any():
            return self.changes
        changed = np.append(False, np.diff(record.smooth) != 0)
        return pd.DataFrame({"day": record.start[changed], "dose": record.smooth[changed]})

    def doses(self, after_days: float | None = None) -> pd.DataFrame:
        """Write the schedule as canonical doses of one person.

        Parameters
        ----------
        after_days
            Days after the last change; by default 4 weeks, or 8 half-lives if these are longer.

        Returns
        -------
        DataFrame
            person, start, stop, dose, unit.
        """
        if after_days is None:
            after_days = max(AFTER, HALF_LIVES_AFTER * (self.drug.half_life_days or 0.0))
        day = self.changes["day"].to_numpy(dtype=float)
        start = np.concatenate([[day[0] - BEFORE], day])
        stop = np.concatenate([day, [day[-1] + after_days]])
        dose = np.concatenate([[self.start_dose], self.changes["dose"].to_numpy(dtype=float)])
        return pd.DataFrame(
            {"person": PERSON, "start": start, "stop": stop, "dose": dose, "unit": "mg/day"}
        )

    def table(self) -> pd.DataFrame:
        """List the steps with what they take from the steady occupancy.

        Returns
        -------
        DataFrame
            step, day, days (until the next change), dose, share_of_previous (that the step takes
            away), occupancy and drop (shares of receptors, at steady state), outside_fitted, and
            the statement. After rounding also wanted, made_of, wanted_drop and same_as_before
            (whether rounding left nothing of the step). Where a dose is taken in turns with
            breaks, the dose is the mean per day.
        """
        changes = self.changes_of_mean
        dose = changes["dose"].to_numpy(dtype=float)
        before = np.append(self.start_dose, dose[:-1])
        occupancy, occupancy_before = self.drug.occupancy(dose), self.drug.occupancy(before)
        taken = np.divide(before - dose, before, out=np.zeros(len(dose)), where=before > 0)
        table = pd.DataFrame(
            {
                "step": np.arange(1, len(dose) + 1),
                "day": changes["day"],
                "days": changes["day"].diff().shift(-1),
                "dose": dose,
                "share_of_previous": taken,
                "occupancy": occupancy,
                "drop": occupancy_before - occupancy,
                "outside_fitted": self.drug.outside_fitted(dose),
            }
        )
        if "made_of" in changes and changes["made_of"].notna().any():
            wanted = self.drug.occupancy(changes["wanted"].to_numpy(dtype=float))
            first = self.drug.occupancy(np.array([self.start_dose]))
            table = table.assign(
                wanted=changes["wanted"],
                made_of=changes["made_of"],
                wanted_drop=-np.diff(np.append(first, wanted)),
                same_as_before=np.abs(before - dose) <= SAME * self.start_dose,
            )
        return table.assign(statement=self.statement)


def linear(drug: Parameters, start_dose: float, days: float, steps: int) -> Schedule:
    """Equal steps in milligrams, at equal intervals.

    Parameters
    ----------
    drug
        From `parameters_of`.
    start_dose
        mg per day.
    days
        From the first step (day 0) to the step to zero; 0 with one step.
    steps
        Number of steps, the one to zero included.

    Raises
    ------
    InvalidInput
        Numbers that make no schedule.
    """
    refuse(_problems(start_dose, days, steps))
    left = 1 - np.arange(1, steps + 1) / steps
    return _schedule("linear", drug, start_dose, _evenly(days, steps), start_dose * left)


def exponential(
    drug: Parameters, start_dose: float, days: float, steps: int, lowest_dose: float
) -> Schedule:
    """Steps that take equal shares of the dose before, down to the lowest dose, then to zero.

    Parameters
    ----------
    drug, start_dose, days, steps
        As in `linear`.
    lowest_dose
        Last dose above zero, mg per day.

    Raises
    ------
    InvalidInput
        Numbers that make no schedule.
    """
    problems = [*_problems(start_dose, days, steps), *_lowest_problems(lowest_dose, start_dose)]
    if steps < 2:
        problems.append(Problem(PLACE, "allowed: 2 or more", column="steps", value=str(steps)))
    refuse(problems)
    power = np.arange(1, steps) / (steps - 1)
    dose = start_dose * (lowest_dose / start_dose) ** power
    return _schedule("exponential", drug, start_dose, _evenly(days, steps), np.append(dose, 0.0))


def hyperbolic(drug: Parameters, start_dose: float, days: float, steps: int) -> Schedule:
    """Equal falls of steady occupancy, at equal intervals.

    Parameters
    ----------
    drug, start_dose, days, steps
        As in `linear`.

    Raises
    ------
    InvalidInput
        Numbers that make no schedule, or a drug without an occupancy curve.
    """
    refuse([*_problems(start_dose, days, steps), *_curve_problems(drug)])
    left = 1 - np.arange(1, steps + 1) / steps
    dose = drug.dose_for(left * drug.occupancy(np.array(start_dose)))
    return _schedule("hyperbolic", drug, start_dose, _evenly(days, steps), dose)


def hyperbolic_by_points(
    drug: Parameters, start_dose: float, points: float, hold_days: float
) -> Schedule:
    """Falls of steady occupancy by a fixed amount; the last step takes what is left.

    Parameters
    ----------
    drug, start_dose
        As in `linear`.
    points
        Fall of each step, as a share of receptors: 0.1 for 10 points.
    hold_days
        Days between steps.

    Raises
    ------
    InvalidInput
        Numbers that make no schedule, or a drug without an occupancy curve.
    """
    problems = [*_problems(start_dose, hold_days, 2), *_curve_problems(drug)]
    problems += _share_problems("points", points)
    refuse(problems)
    occupancy = float(drug.occupancy(np.array(start_dose)))
    steps = max(1, math.ceil(occupancy / points - SAME))
    refuse(_problems(start_dose, hold_days * (steps - 1), steps))
    dose = drug.dose_for(np.maximum(occupancy - points * np.arange(1, steps), 0.0))
    day = hold_days * np.arange(steps)
    return _schedule("hyperbolic", drug, start_dose, day, np.append(dose, 0.0))


def cut_and_hold(
    drug: Parameters, start_dose: float, cut: float, hold_days: float, lowest_dose: float
) -> Schedule:
    """Cut by a share of the latest dose and hold, until a cut would go below the lowest dose.

    Parameters
    ----------
    drug, start_dose
        As in `linear`.
    cut
        Share of the latest dose that each step takes, such as 0.25.
    hold_days
        Days between steps.
    lowest_dose
        The step after the last dose at or above it goes to zero, mg per day.

    Raises
    ------
    InvalidInput
        Numbers that make no schedule.
    """
    problems = [*_problems(start_dose, hold_days, 2), *_share_problems("cut", cut)]
    refuse([*problems, *_lowest_problems(lowest_dose, start_dose)])
    cuts = (
        math.floor(math.log(lowest_dose / start_dose) / math.log1p(-cut) + SAME) if cut < 1 else 0
    )
    refuse(_problems(start_dose, hold_days * cuts, cuts + 1))
    dose = start_dose * (1 - cut) ** np.arange(1, cuts + 1)
    day = hold_days * np.arange(cuts + 1)
    return _schedule("cut_and_hold", drug, start_dose, day, np.append(dose, 0.0))


def micro(drug: Parameters, start_dose: float, days: float) -> Schedule:
    """Equal falls of steady occupancy on every day.

    Parameters
    ----------
    drug, start_dose
        As in `linear`.
    days
        Whole days from the first step to the step to zero.

    Raises
    ------
    InvalidInput
        Numbers that make no schedule, or a drug without an occupancy curve.
    """
    steps = int(days) + 1 if math.isfinite(days) and days == int(days) else 0
    if not steps:
        refuse([Problem(PLACE, "allowed: whole days", column="days", value=str(days))])
    return replace(hyperbolic(drug, start_dose, days, steps), kind="micro")


def alternate_day(
    drug: Parameters, start_dose: float, days: float, longest_interval: int = 2
) -> Schedule:
    """The full dose on every second day; then, if wanted, on every third, and so on.

    Parameters
    ----------
    drug, start_dose
        As in `linear`; the dose of a day on which it is taken.
    days
        From the first day without a dose to the end of the last dose.
    longest_interval
        2: every second day to the end. 4: a third of the days each every second, third, fourth.

    Raises
    ------
    InvalidInput
        Numbers that make no schedule.
    """
    problems = list(_problems(start_dose, days, 2))
    if longest_interval < 2:
        rule = "allowed: 2 or more"
        problems.append(Problem(PLACE, rule, None, "longest_interval", str(longest_interval)))
    refuse(problems)
    fewest = longest_interval * (longest_interval - 1)
    if days < fewest:
        rule = f"allowed: {fewest} or more, for a round of each interval"
        refuse([Problem(PLACE, rule, column="days", value=f"{days:g}")])
    part = days / (longest_interval - 1)
    taken = []
    day = 0.0
    for interval in range(2, longest_interval + 1):
        while day + interval <= part * (interval - 1) + SAME:
            taken.append(day + interval - 1)
            day += interval
    rows = [(0.0, 0.0), *((at, start_dose) for at in taken), *((at + 1, 0.0) for at in taken)]
    table = pd.DataFrame(sorted(rows), columns=["day", "dose"]).drop_duplicates("day", keep="last")
    changed = table["dose"].ne(table["dose"].shift(1))
    chosen = table.loc[changed]
    return _schedule("alternate_day", drug, start_dose, chosen["day"], chosen["dose"])


def free_form(drug: Parameters, start_dose: float, table: pd.DataFrame) -> Schedule:
    """Any doses on any days.

    Parameters
    ----------
    drug, start_dose
        As in `linear`.
    table
        day, dose (mg per day) from then on. Rows at which the dose does not change are left out.

    Raises
    ------
    InvalidInput
        Missing columns, cells that are not numbers, days that do not rise, negative doses.
    """
    refuse([*_problems(start_dose, 0, 1), *_table_problems(table)])
    day, dose = table["day"].to_numpy(dtype=float), table["dose"].to_numpy(dtype=float)
    changed = np.diff(np.append(start_dose, dose)) != 0
    if not changed.any():
        refuse([Problem(PLACE, "the dose never changes", column="dose")])
    refuse(_problems(start_dose, float(np.ptp(day)), len(day)))
    return _schedule("free_form", drug, start_dose, day[changed], dose[changed])


def rounded(schedule: Schedule, strengths: Strengths) -> Schedule:
    """Round every dose of a schedule to the nearest that can be made.

    Parameters
    ----------
    schedule
        Any.
    strengths
        Tablets and liquid.

    Returns
    -------
    Schedule
        With the doses that can be made, and what was wanted. Steps that rounding leaves without a
        change are kept and marked; a dose above zero stays above zero.
    """
    made = [strengths.nearest(dose) for dose in schedule.changes["dose"]]
    start = strengths.nearest(schedule.start_dose)
    if abs(start.dose - schedule.start_dose) > SAME * schedule.start_dose:
        rule = f"cannot be made; the nearest that can is {start.dose:g} mg ({start})"
        refuse([Problem(PLACE, rule, column="start_dose", value=f"{schedule.start_dose:g}")])
    changes = schedule.changes.assign(
        wanted=schedule.changes["dose"],
        dose=[each.dose for each in made],
        made_of=[str(each) for each in made],
    )
    return replace(schedule, changes=changes)


def _schedule(
    kind: str, drug: Parameters, start_dose: float, day: npt.ArrayLike, dose: npt.ArrayLike
) -> Schedule:
    doses = np.asarray(dose, dtype=float)
    changes = pd.DataFrame({"day": np.asarray(day, dtype=float), "dose": doses, "wanted": doses})
    return Schedule(kind, drug, float(start_dose), changes.assign(made_of=None))


def _evenly(days: float, steps: int) -> FloatArray:
    return np.linspace(0.0, days, steps)


def _problems(start_dose: float, days: float, steps: int) -> Iterator[Problem]:
    if not (math.isfinite(start_dose) and start_dose > 0):
        rule = "allowed: a number greater than 0"
        yield Problem(PLACE, rule, column="start_dose", value=str(start_dose))
    if not (math.isfinite(days) and 0 <= days <= LONGEST):
        rule = f"allowed: 0 to {LONGEST:g} days (ten years)"
        yield Problem(PLACE, rule, column="days", value=f"{days:g}")
    if not (steps == int(steps) and 1 <= steps <= MOST_STEPS):
        rule = f"allowed: a whole number from 1 to {MOST_STEPS}"
        yield Problem(PLACE, rule, column="steps", value=str(steps))
    elif steps == 1 and days > 0:
        rule = "one step is a stop on one day; allowed: 2 or more steps, or 0 days"
        yield Problem(PLACE, rule, column="steps", value=str(steps))
    elif steps > 1 and days == 0:
        rule = "several steps need more than 0 days"
        yield Problem(PLACE, rule, column="days", value=f"{days:g}")


def _lowest_problems(lowest_dose: float, start_dose: float) -> Iterator[Problem]:
    if not 0 < lowest_dose < start_dose:
        rule = f"allowed: above 0 and below the starting dose, {start_dose:g}"
        yield Problem(PLACE, rule, column="lowest_dose", value=f"{lowest_dose:g}")


def _share_problems(name: str, share: float) -> Iterator[Problem]:
    if not 0 < share <= 1:
        rule = "allowed: a share above 0, up to 1"
        yield Problem(PLACE, rule, column=name, value=f"{share:g}")


def _curve_problems(drug: Parameters) -> Iterator[Problem]:
    if drug.no_occupancy is not None:
        rule = f"equal falls of occupancy cannot be computed: {drug.no_occupancy}"
        yield Problem(PLACE, rule, column="drug", value=drug.name)


def _table_problems(table: pd.DataFrame) -> Iterator[Problem]:
    missing = [name for name in ("day", "dose") if name not in table]
    for name in missing:
        yield Problem(PLACE, "this column is missing", column=name)
    if missing:
        return
    if not len(table):
        yield Problem(PLACE, "there are no rows")
    for name in ("day", "dose"):
        numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float)
        wrong = ~np.isfinite(numbers) | ((numbers < 0) if name == "dose" else False)
        rule = "allowed: a number of 0 or more" if name == "dose" else "allowed: a number"
        for row in np.flatnonzero(wrong):
            yield Problem(PLACE, rule, int(row) + 2, name, str(table[name].iloc[row]))
        if name == "day":
            for row in np.flatnonzero(np.diff(numbers) <= 0) + 1:
                text = str(table["day"].iloc[row])
                yield Problem(
                    PLACE, "does not come after the day before", int(row) + 2, "day", text
                )
