"""How much of the drug is left over time, and how hard does its absence pull?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.exposure.drive import Grid, drive_integral, level_at, states_at
from discontinuation.exposure.histories import (
    DoseBefore,
    DoseHistories,
    Gaps,
    arrange_doses,
    dose_problems,
)
from discontinuation.exposure.pharmacology import Pharmacology
from discontinuation.problems import InvalidInput, Problem, allowed_values, refuse

FloatArray = npt.NDArray[np.float64]

SETTINGS = "exposure settings"
NONE_LEFT = 1e-6  # of the highest dose: a level below that is none


@dataclass(frozen=True, eq=False)
class States:
    """Where n people stand at m times; every array has the shape (n, m).

    NaN where the record says nothing, and from occupancy on where the drug's is not known.

    Attributes
    ----------
    people
        Their names, shape (n,).
    times
        Days, shape (n, m).
    dose
        Dose up to that moment, mg per day; an injection is spread over its interval.
    level
        Effect-site level in units of the steady dose, mg per day.
    occupancy
        Share of receptors.
    retained
        Occupancy relative to that at the reference day, o.
    set_point
        What the person has adapted to, A.
    drive
        Withdrawal drive, ``w = max(0, A - o)``.
    """

    people: npt.NDArray[np.object_]
    times: FloatArray
    dose: FloatArray
    level: FloatArray
    occupancy: FloatArray
    retained: FloatArray
    set_point: FloatArray
    drive: FloatArray

    @property
    def protection_lost(self) -> FloatArray:
        """Loss of protection, ``p = 1 - o``."""
        return 1.0 - self.retained


@dataclass(frozen=True, eq=False)
class Exposure:
    """Dose histories of one drug, and what follows from them.

    Attributes
    ----------
    histories
        What was taken.
    drug
        Parameters of the drug. ``dataclasses.replace`` gives the same doses under others.
    times
        Times of `trajectories`, days; None: every whole day of each person's record.
    grid
        ``"exact"`` or ``"daily"``.
    fitted_range
        Lowest and highest dose from which K and Emax were fitted, mg per day, if known.
    reference_day
        When retained occupancy is 1; for a record that begins later, at its beginning.
    reference
        Level then, shape (people,).
    """

    histories: DoseHistories
    drug: Pharmacology
    times: FloatArray | None = None
    grid: Grid = "exact"
    fitted_range: tuple[float, float] | None = None
    reference_day: float = 0.0
    reference: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        day = np.maximum(self.reference_day, self.histories.begins)
        object.__setattr__(self, "reference", level_at(self.histories, self.drug, day))
        refuse(self._reference_problems())

    @property
    def people(self) -> npt.NDArray[np.object_]:
        """Names of the people."""
        return self.histories.people

    @property
    def occupancy_refused(self) -> str | None:
        """Why there is no occupancy and no drive, or None if there are."""
        return self.drug.occupancy_refused

    def at(self, times: npt.ArrayLike) -> States:
        """State at some times.

        Parameters
        ----------
        times
            Days: one, or m for all people alike, shape (m,), or for each, shape (n, m). On the
            daily grid a time stands for the day that ends with or holds it.

        Returns
        -------
        States
            Six numbers for each person and time, so ask for some thousands of people at a time
            where there are many times.

        Raises
        ------
        InvalidInput
            Times that are not numbers, or not of one of these shapes.
        """
        asked = _as_times(times, len(self.people))
        order = np.argsort(asked, axis=1, kind="stable")
        rising = np.take_along_axis(asked, order, axis=1)
        found = states_at(self.histories, self.drug, self.reference, rising, self.grid)
        if (np.diff(order, axis=1) < 0).any():
            back = np.broadcast_to(np.argsort(order, axis=1)[None], found.shape)
            found = np.take_along_axis(found, back, axis=2)
        every = np.broadcast_to(asked, found.shape[1:])
        return States(self.people, every, *found)

    def integral(
        self, kappa: float, start: npt.ArrayLike = 0.0, stop: npt.ArrayLike | None = None
    ) -> pd.Series:
        """Integral of ``w^kappa`` between two times, in days.

        Parameters
        ----------
        kappa
            Exponent, greater than 0.
        start, stop
            Limits, one for all people or one each. Without `stop`: the end of each record.

        Returns
        -------
        Series
            By person; NaN where a limit lies outside the person's record.

        Raises
        ------
        InvalidInput
            A drug without occupancy parameters, an exponent or limits that make no sense.
        """
        until = self.histories.ends if stop is None else np.asarray(stop, dtype=float)
        refuse(self._integral_problems(kappa, np.asarray(start, dtype=float), until))
        found = drive_integral(
            self.histories, self.drug, self.reference, kappa, start, until, self.grid
        )
        return pd.Series(found, pd.Index(self.people, name="person"), name="integral")

    def trajectories(self) -> pd.DataFrame:
        """State of each person over time, at `times`.

        Returns
        -------
        DataFrame
            One row per person and time: person, day, dose, level, occupancy, retained,
            protection_lost, set_point, drive, as in `States`, and extrapolated (whether the
            level lies outside the doses from which the occupancy curve was fitted; False if
            their range is not known).
        """
        times, inside = self._grid_of_times()
        found = self.at(times)
        names = ["dose", "level", "occupancy", "retained", "protection_lost", "set_point", "drive"]
        columns = {name: getattr(found, name)[inside] for name in names}
        person = np.repeat(self.people, inside.sum(axis=1))
        frame = pd.DataFrame({"person": person, "day": found.times[inside], **columns})
        return frame.assign(extrapolated=self._outside(frame["level"]))

    def outside_fitted_range(self) -> pd.DataFrame:
        """List the intervals whose dose the occupancy curve was not fitted to.

        Returns
        -------
        DataFrame
            person, start, stop, dose (mg per day); empty if the range is not known.
        """
        frame = pd.DataFrame(
            {
                "person": self.histories.person_of_interval,
                "start": self.histories.start,
                "stop": self.histories.stop,
                "dose": self.histories.mean_dose,
            }
        )
        return frame.loc[self._outside(frame["dose"])].reset_index(drop=True)

    def _outside(self, amount: pd.Series) -> pd.Series:
        low, high = self.fitted_range or (0.0, np.inf)
        return (amount > 0) & ((amount < low) | (amount > high))

    def _grid_of_times(self) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Times of the trajectories and which of them each person has, shape (n, m)."""
        begins, ends = self.histories.begins, self.histories.ends
        if self.times is not None:
            times = _as_times(self.times, len(self.people))
            return times, np.ones((len(self.people), times.shape[1]), dtype=bool)
        times = np.arange(np.ceil(begins.min()), np.floor(ends.max()) + 1)[None, :]
        return times[0], (times >= begins[:, None]) & (times <= ends[:, None])

    def _reference_problems(self) -> Iterator[Problem]:
        if self.occupancy_refused:
            return
        day = f"{self.reference_day:g}"
        highest = np.maximum.reduceat(self.histories.mean_dose, self.histories.first[:-1])
        least = NONE_LEFT * np.maximum(highest, self.histories.before)
        wrong = ~(self.reference > least)
        for person, level in zip(self.people[wrong], self.reference[wrong], strict=True):
            message = (
                "takes none of the drug at the reference day, so there is nothing to retain; give "
                "the dose before (dose_before)"
            )
            if np.isnan(level):
                message = "the record ends before the reference day"
            yield Problem(SETTINGS, f"person {person}: {message}", None, "reference_day", day)

    def _integral_problems(
        self, kappa: float, start: FloatArray, stop: FloatArray
    ) -> Iterator[Problem]:
        if self.occupancy_refused:
            yield Problem(SETTINGS, self.occupancy_refused)
        if not (np.isfinite(kappa) and kappa > 0):
            rule = "allowed: a number greater than 0"
            yield Problem(SETTINGS, rule, column="kappa", value=str(kappa))
        for name, limit in (("start", start), ("stop", stop)):
            if limit.shape not in ((), (len(self.people),)) or not np.isfinite(limit).all():
                rule = f"allowed: one number, or one for each of the {len(self.people)} people"
                yield Problem(SETTINGS, rule, column=name, value=str(limit))
                return
        if (stop < start).any():
            yield Problem(SETTINGS, "an integral ends before it starts", column="stop")


def exposure_of(
    doses: pd.DataFrame,
    *,
    half_life_days: float,
    k: float | None = None,
    emax: float | None = None,
    hill: float = 1.0,
    tau_days: float = 14.0,
    release_half_life_days: float | None = None,
    start_steady: bool = True,
    dose_before: DoseBefore = None,
    gaps: Gaps = "refuse",
    times: npt.ArrayLike | None = None,
    grid: Grid = "exact",
    reference_day: float = 0.0,
    fitted_range: tuple[float, float] | None = None,
) -> Exposure:
    """Work out level, occupancy and withdrawal drive from doses of one drug (methods B1, B2).

    Parameters
    ----------
    doses
        Canonical doses: person, start, stop (not included), dose, and perhaps unit (mg per day
        without it).
    half_life_days, k, emax, hill, tau_days, release_half_life_days
        As in `Pharmacology`. Without `k` and `emax` only dose and level are computed.
    start_steady, dose_before, gaps
        As in `arrange_doses`. In an arm that stops on day 0 the record begins with the dose 0,
        so `dose_before` says from what.
    times
        Days of `Exposure.trajectories`; None: every whole day of each person's record.
    grid
        ``"exact"`` in time, or ``"daily"``: state at the end of each day, which counts for all
        of that day; every simulation of methods F uses it.
    reference_day
        When retained occupancy is 1, days; a whole day on the daily grid.
    fitted_range
        Lowest and highest dose from which the occupancy curve was fitted. Doses outside are
        computed and flagged.

    Returns
    -------
    Exposure

    Raises
    ------
    InvalidInput
        All of: missing columns; values that are not numbers; negative doses; intervals that end
        before they start or overlap; gaps that are not declared; unknown units; several drugs;
        parameters that are not greater than 0; a person without the drug at the reference day.
    """
    problems = dose_problems(
        doses,
        start_steady=start_steady,
        dose_before=dose_before,
        gaps=gaps,
        depot=release_half_life_days is not None,
    )
    problems += _setting_problems(grid, reference_day, fitted_range)
    try:
        drug = Pharmacology(half_life_days, k, emax, hill, tau_days, release_half_life_days)
    except InvalidInput as invalid:
        problems += invalid.problems
    refuse(problems)
    histories = arrange_doses(doses, start_steady=start_steady, dose_before=dose_before, gaps=gaps)
    asked = None if times is None else _as_times(times, len(histories.people))
    return Exposure(histories, drug, asked, grid, fitted_range, reference_day)


def _setting_problems(
    grid: str, reference_day: float, fitted_range: tuple[float, float] | None
) -> Iterator[Problem]:
    if grid not in get_args(Grid):
        yield Problem(SETTINGS, allowed_values(get_args(Grid), str(grid)), None, "grid", str(grid))
    whole = grid != "daily" or reference_day == np.floor(reference_day)
    if not (np.isfinite(reference_day) and whole):
        rule = "allowed: a number, a whole one on the daily grid"
        yield Problem(SETTINGS, rule, None, "reference_day", str(reference_day))
    if fitted_range is not None and not 0 <= fitted_range[0] < fitted_range[1]:
        rule = "allowed: a lower and a higher dose"
        yield Problem(SETTINGS, rule, None, "fitted_range", str(fitted_range))


def _as_times(times: npt.ArrayLike, people: int) -> FloatArray:
    """Give times the shape (1, m) or (n, m)."""
    asked = np.atleast_2d(np.asarray(times, dtype=float))
    wrong = asked.ndim != 2 or len(asked) not in (1, people) or not np.isfinite(asked).all()
    if wrong:
        rule = f"allowed: numbers, m for all or m for each of the {people} people"
        refuse([Problem(SETTINGS, rule, column="times")])
    return asked
