"""Which dose did each person take from when to when, and can the record be used?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, allowed_values

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

Gaps = Literal["refuse", "missed", "carried"]
DoseBefore = float | Mapping[object, float] | pd.Series | None

FILE = "doses"
MG_PER_DAY = {"mg/day": 1.0, "ug/day": 1e-3, "mg/week": 1 / 7}
INJECTION = "mg/injection"
WITHOUT_STRENGTH = ("ml/day", "drops/day", "other")
SAME_MOMENT = 1e-9  # days


@dataclass(frozen=True, eq=False)
class DoseHistories:
    """Unbroken dose histories of n people, one person's intervals after another.

    Attributes
    ----------
    people
        Their names, in the order in which they first appear, shape (n,).
    first
        Where each person's intervals begin, and the number of all intervals, shape (n + 1,).
    start, stop
        Limits of the intervals, days.
    dose
        Dose taken evenly over the interval, mg per day; 0 where it is injected.
    bolus
        Dose injected at the start of the interval, mg; else 0.
    before
        Steady dose before the person's record, mg per day, shape (n,).
    period
        Where the record begins with an injection in a steady rhythm: days between the
        injections; else 0, shape (n,).
    """

    people: npt.NDArray[np.object_]
    first: IntArray
    start: FloatArray
    stop: FloatArray
    dose: FloatArray
    bolus: FloatArray
    before: FloatArray
    period: FloatArray

    @property
    def begins(self) -> FloatArray:
        """Start of each person's record."""
        return self.start[self.first[:-1]]

    @property
    def ends(self) -> FloatArray:
        """End of each person's record."""
        return self.stop[self.first[1:] - 1]

    @property
    def mean_dose(self) -> FloatArray:
        """Dose of each interval in mg per day; an injection is spread over its interval."""
        return self.dose + self.bolus / (self.stop - self.start)

    @property
    def person_of_interval(self) -> npt.NDArray[np.object_]:
        """Whose each interval is."""
        return np.repeat(self.people, np.diff(self.first))


def dose_problems(
    doses: pd.DataFrame,
    *,
    start_steady: bool = True,
    dose_before: DoseBefore = None,
    gaps: Gaps = "refuse",
    depot: bool = False,
) -> list[Problem]:
    """Find everything that keeps doses from being a history.

    Parameters
    ----------
    doses, start_steady, dose_before, gaps
        As in `arrange_doses`.
    depot
        Whether the release from a depot is known, which injections need.

    Returns
    -------
    list of Problem
        Rows are counted as a spreadsheet does: the header is row 1.
    """
    missing = [name for name in ("person", "start", "stop", "dose") if name not in doses]
    if missing:
        return [Problem(FILE, "this column is missing", column=name) for name in missing]
    problems = [*_cell_problems(doses), *_unit_problems(doses, depot), *_drug_problems(doses)]
    if gaps not in ("refuse", "missed", "carried"):
        rule = allowed_values(["refuse", "missed", "carried"], str(gaps))
        problems.append(Problem(FILE, rule, column="gaps", value=str(gaps)))
    problems += _order_problems(doses, gaps)
    problems += _before_problems(doses, start_steady, dose_before)
    return problems


def arrange_doses(
    doses: pd.DataFrame,
    *,
    start_steady: bool = True,
    dose_before: DoseBefore = None,
    gaps: Gaps = "refuse",
) -> DoseHistories:
    """Arrange the doses of one drug into unbroken histories.

    Parameters
    ----------
    doses
        Canonical doses: person, start, stop (not included), dose, and perhaps unit (mg per day
        without it). Free of what `dose_problems` finds. With unit mg/injection the dose is given
        at `start` and nothing more until `stop`, when the next is due.
    start_steady
        Whether the dose before the record had been taken long enough for everything to settle.
        If not, the drug is new at the start of each record: level, occupancy and set-point are 0.
    dose_before
        That dose, mg per day, for all or by person. None: each person's first dose; if this is
        an injection, injections of it in the rhythm of the first interval.
    gaps
        What happened between intervals: ``"refuse"`` them (unknown), ``"missed"`` doses, or the
        dose before ``"carried"`` on.

    Returns
    -------
    DoseHistories
    """
    ordered = _ordered(doses)
    injected = (ordered["unit"] == INJECTION).to_numpy()
    factor = ordered["unit"].map({**MG_PER_DAY, INJECTION: 1.0}).to_numpy(dtype=float)
    amount = ordered["dose"].to_numpy(dtype=float) * factor
    frame = pd.DataFrame(
        {
            "code": ordered["code"].to_numpy(),
            "start": ordered["start"].to_numpy(dtype=float),
            "stop": ordered["stop"].to_numpy(dtype=float),
            "dose": np.where(injected, 0.0, amount),
            "bolus": np.where(injected, amount, 0.0),
        }
    )
    frame = _filled(frame, gaps)
    count = frame["code"].value_counts(sort=False).sort_index().to_numpy()
    first = np.append(0, np.cumsum(count)).astype(np.int64)
    people = _people(doses)
    opening = frame.iloc[first[:-1]].reset_index(drop=True)
    before, period = _steady_before(opening, people, start_steady, dose_before)
    columns = {name: frame[name].to_numpy() for name in ("start", "stop", "dose", "bolus")}
    return DoseHistories(people, first, **columns, before=before, period=period)


def _people(doses: pd.DataFrame) -> npt.NDArray[np.object_]:
    return np.asarray(doses["person"].unique(), dtype=object)


def _ordered(doses: pd.DataFrame) -> pd.DataFrame:
    """Sort by person, as they first appear, and start; add `code`, `unit` and the row number."""
    ordered = doses.assign(
        code=pd.factorize(doses["person"])[0],
        unit=doses.get("unit", "mg/day"),
        row=np.arange(len(doses)) + 2,
    )
    return ordered.sort_values(["code", "start"], kind="stable").reset_index(drop=True)


def _filled(frame: pd.DataFrame, gaps: Gaps) -> pd.DataFrame:
    """Close the gaps: with intervals without the drug, or by letting the dose go on."""
    follows = frame["code"].eq(frame["code"].shift(-1))
    until = frame["start"].shift(-1).where(follows, frame["stop"])
    if gaps == "missed":
        gap = frame.assign(start=frame["stop"], stop=until, dose=0.0, bolus=0.0)
        gap = gap.loc[until - frame["stop"] > SAME_MOMENT]
        both = pd.concat([frame, gap])
        frame = both.sort_values(["code", "start"], kind="stable").reset_index(drop=True)
        return _filled(frame, "carried")
    return frame.assign(stop=until)


def _steady_before(
    opening: pd.DataFrame,
    people: npt.NDArray[np.object_],
    start_steady: bool,
    dose_before: DoseBefore,
) -> tuple[FloatArray, FloatArray]:
    none = np.zeros(len(people))
    if not start_steady:
        return none, none.copy()
    if dose_before is not None:
        return _by_person(dose_before, people), none
    length = opening["stop"] - opening["start"]
    injected = opening["bolus"] > 0
    before = opening["dose"].where(~injected, opening["bolus"] / length)
    return before.to_numpy(dtype=float), length.where(injected, 0.0).to_numpy(dtype=float)


def _by_person(dose: DoseBefore, people: npt.NDArray[np.object_]) -> FloatArray:
    if isinstance(dose, Mapping | pd.Series):
        return _numbers(pd.Series([dose.get(person) for person in people], dtype=object))
    return _numbers(pd.Series([dose] * len(people), dtype=object))


def _cell_problems(doses: pd.DataFrame) -> Iterator[Problem]:
    if not len(doses):
        yield Problem(FILE, "there are no doses")
    blank = doses["person"].isna().to_numpy() | (doses["person"] == "").to_numpy()
    for row in np.flatnonzero(blank):
        yield Problem(FILE, "is blank and must not be", int(row) + 2, "person")
    for name in ("start", "stop", "dose"):
        numbers = _numbers(doses[name])
        rule = "allowed: a number of 0 or more" if name == "dose" else "allowed: a number"
        wrong = ~np.isfinite(numbers) | ((numbers < 0) if name == "dose" else False)
        for row in np.flatnonzero(wrong):
            yield Problem(FILE, rule, int(row) + 2, name, str(doses[name].iloc[row]))
    start, stop = _numbers(doses["start"]), _numbers(doses["stop"])
    for row in np.flatnonzero(stop <= start):
        message = f"does not end after its start, {start[row]:g}"
        yield Problem(FILE, message, int(row) + 2, "stop", f"{stop[row]:g}")


def _unit_problems(doses: pd.DataFrame, depot: bool) -> Iterator[Problem]:
    if "unit" not in doses:
        return
    known = [*MG_PER_DAY, INJECTION]
    usable = doses["unit"].isin(known if depot else list(MG_PER_DAY)).to_numpy()
    for row in np.flatnonzero(~usable):
        unit = str(doses["unit"].iloc[row])
        if unit in WITHOUT_STRENGTH:
            rule = "cannot be turned into mg without the strength; " + allowed_values(known)
        elif unit == INJECTION:
            rule = "an injection needs the half-life of its release (release_half_life_days)"
        else:
            rule = allowed_values(known, unit)
        yield Problem(FILE, rule, int(row) + 2, "unit", unit)


def _drug_problems(doses: pd.DataFrame) -> Iterator[Problem]:
    names = [str(name) for name in doses.get("drug", pd.Series(dtype=object)).unique()]
    if len(names) > 1:
        message = "one drug at a time: each has its own half-life"
        yield Problem(FILE, message, None, "drug", ", ".join(names))


def _order_problems(doses: pd.DataFrame, gaps: Gaps) -> Iterator[Problem]:
    """Overlaps always; gaps unless it is declared what they are."""
    numbers = {name: _numbers(doses[name]) for name in ("start", "stop")}
    ordered = _ordered(doses.assign(**numbers))
    usable = ordered["start"].notna() & ordered["stop"].notna() & (ordered["code"] >= 0)
    ordered = ordered.loc[usable & (ordered["stop"] > ordered["start"])]
    same = ordered["code"].eq(ordered["code"].shift(1))
    # A long interval may reach beyond the one that follows it.
    reached = ordered.groupby("code")["stop"].cummax().shift(1)
    apart = (ordered["start"] - reached).where(same, 0.0)
    after_injection = ordered["unit"].shift(1) == INJECTION
    refused = (gaps == "refuse") | ((gaps == "carried") & after_injection)
    wrong = (apart < -SAME_MOMENT) | ((apart > SAME_MOMENT) & refused)
    found = ordered.assign(apart=apart).loc[wrong, ["row", "person", "start", "apart"]]
    for row, person, start, days in found.itertuples(index=False, name=None):
        if days < 0:
            message = f"overlaps the interval before by {-days:g} days"
        elif gaps == "carried":
            message = "an injection is not carried on over a gap; list the injections"
        else:
            message = (
                f"nothing is known of the {days:g} days before; add them, or declare gaps as "
                "'missed' or 'carried'"
            )
        yield Problem(FILE, f"person {person}: {message}", row, "start", f"{start:g}")


def _before_problems(
    doses: pd.DataFrame, start_steady: bool, dose_before: DoseBefore
) -> Iterator[Problem]:
    if dose_before is None:
        return
    if not start_steady:
        yield Problem(FILE, "is for a steady start only (start_steady)", column="dose_before")
    people = _people(doses)
    for person, dose in zip(people, _by_person(dose_before, people), strict=True):
        if not (np.isfinite(dose) and dose >= 0):
            message = f"person {person}: allowed: a number of 0 or more"
            yield Problem(FILE, message, column="dose_before", value=str(dose))


def _numbers(values: pd.Series) -> FloatArray:
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
