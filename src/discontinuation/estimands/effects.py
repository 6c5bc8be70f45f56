"""How do two arms differ in a first event, by measure, window and clock?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, ndtri

from discontinuation.estimands.comparisons import LAST_CHANGE, RANDOMISATION, Comparison, Window
from discontinuation.problems import InvalidInput
from discontinuation.survival import (
    aalen_johansen,
    cox,
    e_value,
    kaplan_meier,
    logrank,
    maxcombo,
    nelson_aalen,
    rmst,
    treatment_weights,
)

if TYPE_CHECKING:
    from discontinuation.survival.cox_result import CoxModel

FloatArray = npt.NDArray[np.float64]
HAZARD = "cumulative_hazard"
SEPARATED = "firth=True"  # what the refusal of a model without a maximum offers

INDEPENDENT = "people leave for reasons that do not tell who would get worse, given the arm"
PROPORTIONAL = "the hazard ratio is the same at all times of the window"
SURVIVORS = "those still well at the landmark are alike in both arms; depletion makes them differ"
NO_CONFOUNDING = "the covariates are all that pace and getting worse have in common"
NET = "withdrawal and relapse are independent given the arm"
COLUMNS = [
    "estimand", "comparison", "clock", "window_from", "window_to", "measure", "group", "cause",
    "adjusted", "estimate", "se", "lower", "upper", "p_value", "people", "people_reference",
    "events", "events_reference", "method", "assumptions", "why_not",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Compared:
    """Two arms on one clock.

    Attributes
    ----------
    estimand, comparison, clock
        What is compared.
    people
        time, entry, event, cause, arm (1 the first, 0 the reference), study, covariates.
    window
        On this clock.
    covariates
        Columns to adjust for.
    confidence
        Level of the intervals.
    """

    estimand: str
    comparison: Comparison
    clock: str
    people: pd.DataFrame
    window: Window
    covariates: tuple[str, ...]
    confidence: float

    def row(self, measure: str, window: tuple[float, float], **cells: Any) -> dict[str, Any]:
        """One row of the table of estimates."""
        time = self.people["time"].to_numpy(dtype=float)
        people, reference = self.by_arm(time > window[0])
        events, events_reference = self.by_arm(
            (self.people["event"].to_numpy() == 1) & (time >= window[0]) & (time <= window[1])
        )
        return {
            "estimand": self.estimand,
            "comparison": self.comparison.name,
            "clock": self.clock,
            "window_from": window[0],
            "window_to": window[1],
            "measure": measure,
            "people": people,
            "people_reference": reference,
            "events": events,
            "events_reference": events_reference,
            **cells,
        }

    def by_arm(self, counted: npt.NDArray[np.bool_]) -> tuple[int, int]:
        """Count people of the first arm and of the reference."""
        first = int(np.count_nonzero(counted & (self.people["arm"].to_numpy() == 1)))
        return first, int(np.count_nonzero(counted)) - first

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """Time, event and entry as the survival functions take them."""
        found = {name: self.people[name].to_numpy(dtype=float) for name in ("time", "event")}
        entry = self.people["entry"].to_numpy(dtype=float)
        return found | ({"entry": entry} if (entry > 0).any() else {})

    @property
    def groups(self) -> npt.NDArray[np.object_]:
        """Labels with the reference first."""
        names = np.array([f"0 {self.comparison.reference}", f"1 {self.comparison.first}"], object)
        return np.asarray(names[self.people["arm"].to_numpy(dtype=int)])


def set_side_by_side(
    estimand: str,
    comparison: Comparison,
    people: pd.DataFrame,
    window: Window,
    covariates: Sequence[str],
    confidence: float = 0.95,
) -> list[Compared]:
    """Put two arms beside each other on both clocks.

    Parameters
    ----------
    estimand
        Its name.
    comparison
        Which arms.
    people
        From `event_times`.
    window
        Since randomisation.
    covariates
        Columns to adjust for.
    confidence
        Level of the intervals.

    Returns
    -------
    list
        Since randomisation, and since the last planned change of dose in either arm among those
        who were still free of events then. The second clock never starts for one arm alone; it is
        left out where the last change is on day 0 or is not known.
    """
    mine = people.loc[people["strategy"].isin([comparison.first, comparison.reference])]
    mine = mine.assign(arm=(mine["strategy"] == comparison.first).astype(int))
    whole = Compared(
        estimand, comparison, RANDOMISATION, mine, window, tuple(covariates), confidence
    )
    turn = comparison.changes_until
    if not turn or turn >= window.horizon:
        return [whole]
    later = mine.loc[(mine["time"] > turn) & (mine["entry"] <= turn)]
    later = later.assign(time=later["time"] - turn, entry=0.0)
    reset = Window(window.early_end - turn, window.horizon - turn)
    return [whole, replace(whole, clock=LAST_CHANGE, people=later, window=reset)]


def first_event_effects(compared: Compared) -> Iterator[dict[str, Any]]:
    """Every measure of a first event: risks, mean times, hazards, tests.

    Parameters
    ----------
    compared
        Two arms on one clock.

    Yields
    ------
    dict
        Cells of `COLUMNS`. A measure that these people do not identify has its reason in
        ``why_not`` instead of an estimate.
    """
    whole = (0.0, compared.window.horizon)
    sizes = compared.people["arm"].value_counts()
    if len(sizes) < 2 or not compared.window.horizon > 0:
        yield compared.row("all", whole, why_not="one of the arms has nobody under observation")
        return
    parts = (_risks, _mean_times, _excess_hazards, _hazard_ratios, _tests)
    for part in parts:
        try:
            yield from list(part(compared))
        except InvalidInput as refused:
            reason = _reason(refused)
            yield compared.row(part.__name__.strip("_"), whole, why_not=reason)


def _times(compared: Compared) -> list[float]:
    window = compared.window
    return [window.early_end, window.horizon] if window.splits else [window.horizon]


def _windows(compared: Compared) -> list[tuple[float, float]]:
    early, end = compared.window.early_end, compared.window.horizon
    return [(0.0, end), *([(0.0, early), (early, end)] if compared.window.splits else [])]


def _each_arm(compared: Compared) -> list[tuple[str, dict[str, FloatArray]]]:
    arm = compared.people["arm"].to_numpy()
    names = (compared.comparison.first, compared.comparison.reference)
    return [
        (name, {key: values[arm == code] for key, values in compared.arrays.items()})
        for name, code in zip(names, (1, 0), strict=True)
    ]


def _risks(compared: Compared) -> Iterator[dict[str, Any]]:
    times = _times(compared)
    found = []
    for name, arrays in _each_arm(compared):
        curve = kaplan_meier(**arrays, confidence=compared.confidence).at(times)
        found.append(curve)
        for line in curve.to_dict("records"):
            yield compared.row(
                "risk", (0.0, line["time"]), group=name, estimate=1 - line["survival"],
                se=line["se"], lower=1 - line["upper"], upper=1 - line["lower"],
                method="Kaplan-Meier, Greenwood, log-log interval", assumptions=INDEPENDENT,
            )  # fmt: skip
    first, reference = found
    for time, a, b in zip(
        times, first.to_dict("records"), reference.to_dict("records"), strict=True
    ):
        difference = b["survival"] - a["survival"]
        se = float(np.hypot(a["se"], b["se"]))
        yield compared.row(
            "risk difference", (0.0, time), **_normal(difference, se, compared.confidence),
            method="difference of Kaplan-Meier risks", assumptions=INDEPENDENT,
        )  # fmt: skip


def _mean_times(compared: Compared) -> Iterator[dict[str, Any]]:
    for low, high in _windows(compared):
        found = rmst(
            compared.arrays["time"], compared.arrays["event"], compared.groups, high, low,
            entry=compared.arrays.get("entry"), confidence=compared.confidence,
        )  # fmt: skip
        table = found.summary.set_index("measure")
        for measure, name in (("difference", "mean time difference"), ("ratio", "mean time ratio")):
            line = table.loc[measure]
            cells = {
                key: float(line[key]) for key in ("estimate", "se", "lower", "upper", "p_value")
            }
            yield compared.row(
                name, (low, high), **cells, method="restricted mean time without the event",
                assumptions=INDEPENDENT,
            )  # fmt: skip


def _excess_hazards(compared: Compared) -> Iterator[dict[str, Any]]:
    ends = sorted({edge for window in _windows(compared) for edge in window if edge > 0})
    curves = []
    for _, arrays in _each_arm(compared):
        table = nelson_aalen(**arrays, confidence=compared.confidence).at(ends)
        table = table.set_index("time")
        table.loc[0.0] = 0.0
        curves.append(table)
    for low, high in _windows(compared):
        steps = [float(table.loc[high, HAZARD] - table.loc[low, HAZARD]) for table in curves]
        variance = sum(
            float(table.loc[high, "se"] ** 2 - table.loc[low, "se"] ** 2) for table in curves
        )
        yield compared.row(
            "excess cumulative hazard", (low, high),
            **_normal(steps[0] - steps[1], float(np.sqrt(max(variance, 0.0))), compared.confidence),
            method="difference of Nelson-Aalen increments", assumptions=INDEPENDENT,
        )  # fmt: skip


def _hazard_ratios(compared: Compared) -> Iterator[dict[str, Any]]:
    frame, strata = _for_cox(compared)
    whole = (0.0, compared.window.horizon)
    inside = _cut(frame, compared.window.horizon)
    for formula, adjusted in _formulas(compared):
        kept = inside.dropna(subset=list(adjusted))
        note = "" if len(kept) == len(inside) else f"{len(inside) - len(kept)} with blanks left out"
        yield from _cox_rows(compared, formula, kept, strata, whole, adjusted, note)
        if compared.window.splits:
            yield from _by_window(compared, formula, kept, strata, adjusted)
    if not compared.comparison.randomised and compared.covariates:
        yield from _weighted(compared, inside, whole)


def _for_cox(compared: Compared) -> tuple[pd.DataFrame, str | None]:
    people = compared.people
    columns = ["time", "event", "entry", "arm", "study", "person", *compared.covariates]
    frame = people[columns].copy()
    return frame, "study" if _several(frame["study"]) else None


def _several(studies: pd.Series) -> bool:
    return len(studies.unique()) > 1


def _cut(frame: pd.DataFrame, horizon: float) -> pd.DataFrame:
    """End follow-up at the horizon."""
    later = frame["time"] > horizon
    return frame.assign(
        event=frame["event"].where(~later, 0), time=frame["time"].where(~later, horizon)
    )


def _formulas(compared: Compared) -> list[tuple[str, tuple[str, ...]]]:
    formulas: list[tuple[str, tuple[str, ...]]] = [("arm", ())]
    if compared.covariates:
        terms = " + ".join(f"`{name}`" for name in compared.covariates)
        formulas.append((f"arm + {terms}", compared.covariates))
    return formulas


def _cox_rows(
    compared: Compared,
    formula: str,
    frame: pd.DataFrame,
    strata: str | None,
    window: tuple[float, float],
    adjusted: tuple[str, ...],
    note: str,
    measure: str = "hazard ratio",
    assumptions: str = PROPORTIONAL,
    **options: Any,
) -> Iterator[dict[str, Any]]:
    entry = "entry" if (frame["entry"] > 0).any() else None
    fixed = {"entry": entry, "strata": strata, "level": compared.confidence}
    try:
        model = _fit(formula, frame, fixed, options)
    except InvalidInput as refused:
        reason = _reason(refused)
        yield compared.row(measure, window, adjusted=", ".join(adjusted), why_not=reason)
        return
    line = model.summary.set_index("term").loc["arm"]
    robust = float(line["robust_se"])
    method = f"Cox, Efron ties{', by study' if strata else ''}"
    if model.firth:
        method += "; Firth's penalty and profile limits, because events are separated"
    yield compared.row(
        measure, window, adjusted=", ".join(adjusted), estimate=float(line["hazard_ratio"]),
        se=float(line["se"]) if np.isnan(robust) else robust,
        lower=float(np.exp(model.lower[0])), upper=float(np.exp(model.upper[0])),
        p_value=float(line["p_value"]),
        method="; ".join(filter(None, [method, "se of the log", note])), assumptions=assumptions,
    )  # fmt: skip


def _fit(
    formula: str, frame: pd.DataFrame, fixed: dict[str, Any], options: dict[str, Any]
) -> CoxModel:
    """Fit a Cox model; where events are separated with Firth's penalty, if that has a maximum."""
    try:
        model: CoxModel = cox(formula, frame, **fixed, **options)
    except InvalidInput as refused:
        separated = any(SEPARATED in problem.message for problem in refused.problems)
        if options or not separated:
            raise
        try:
            model = cox(formula, frame, **fixed, firth=True)
        except InvalidInput:
            raise refused from None
    return model


def _by_window(
    compared: Compared,
    formula: str,
    frame: pd.DataFrame,
    strata: str | None,
    adjusted: tuple[str, ...],
) -> Iterator[dict[str, Any]]:
    """Hazard ratios within the withdrawal window and, among those still well, after it."""
    early, end = compared.window.early_end, compared.window.horizon
    yield from _cox_rows(compared, formula, _cut(frame, early), strata, (0.0, early), adjusted, "")
    later = frame.loc[frame["time"] > early]
    later = later.assign(entry=later["entry"].clip(lower=early))
    yield from _cox_rows(
        compared, formula, later, strata, (early, end), adjusted, "landmark",
        assumptions=f"{PROPORTIONAL}; {SURVIVORS}",
    )  # fmt: skip


def _weighted(
    compared: Compared, frame: pd.DataFrame, window: tuple[float, float]
) -> Iterator[dict[str, Any]]:
    """Weigh by the inverse probability of the arm, because it was not allotted at random."""
    names = list(compared.covariates)
    kept = frame.dropna(subset=names)
    terms = " + ".join(f"`{name}`" for name in names)
    try:
        weights = treatment_weights(terms, kept, "arm", truncate=0.01)
    except InvalidInput as refused:
        reason = _reason(refused)
        yield compared.row("weighted hazard ratio", window, why_not=reason)
        return
    weighed = kept.assign(weight=weights.weights)
    note = f"weights: {weights.method}; {weights.note}".rstrip("; ")
    for row in _cox_rows(
        compared, "arm", weighed, None, window, (), note, "weighted hazard ratio",
        f"{PROPORTIONAL}; {NO_CONFOUNDING}", weights="weight", cluster="person",
    ):  # fmt: skip
        yield row
        if "estimate" in row:
            found = e_value(row["estimate"], row["lower"], row["upper"])
            yield compared.row(
                "E-value", window, estimate=found.estimate_e, lower=found.limit_e,
                method="VanderWeele and Ding 2017; lower: of the limit nearer to no effect",
                assumptions="one unmeasured confounder, as strong with pace as with the event",
            )  # fmt: skip


def _tests(compared: Compared) -> Iterator[dict[str, Any]]:
    arrays = compared.arrays
    whole = (0.0, compared.window.horizon)
    cut = _cut(compared.people[["time", "event"]], compared.window.horizon)
    time, event = (cut[name].to_numpy(dtype=float) for name in ("time", "event"))
    studies = compared.people["study"]
    strata = studies.astype(str).to_numpy() if _several(studies) else None
    if "entry" in arrays:
        return
    for name, options in (("log-rank", {}), ("early-weighted log-rank", {"rho": 1.0})):
        test = logrank(time, event, compared.groups, strata, **options)
        yield compared.row(
            name, whole, estimate=float(test.statistic), p_value=float(test.p_value),
            method=f"{test.test}, chi-square on {test.df} df", assumptions=INDEPENDENT,
        )  # fmt: skip
    combined = maxcombo(time, event, compared.groups)
    yield compared.row(
        "MaxCombo", whole, estimate=float(combined.statistic), p_value=float(combined.p_value),
        method="largest of four weighted log-rank tests: whether curves differ, not which way",
        assumptions=INDEPENDENT,
    )  # fmt: skip


def cause_effects(compared: Compared) -> Iterator[dict[str, Any]]:
    """Effects on each cause: crude risks (E2), hazards (E3), net risks (E4).

    Parameters
    ----------
    compared
        Two arms on one clock; `cause` says in words what the first event was.
    """
    whole = (0.0, compared.window.horizon)
    causes = list(compared.people["cause"].dropna().value_counts().index)
    if not causes or compared.people["arm"].nunique() < 2:
        yield compared.row("all", whole, why_not="no event, or one of the arms has nobody")
        return
    part = {"E2": _crude_risks, "E3": _cause_hazards, "E4": _net_risks}[compared.estimand]
    for cause in causes:
        try:
            yield from list(part(compared, str(cause), list(map(str, causes))))
        except InvalidInput as refused:
            reason = _reason(refused)
            yield compared.row("all", whole, cause=cause, why_not=reason)


def _crude_risks(compared: Compared, cause: str, causes: list[str]) -> Iterator[dict[str, Any]]:
    codes = compared.people["cause"].map({name: n for n, name in enumerate(causes, 1)}).fillna(0)
    arrays = compared.arrays
    found = aalen_johansen(
        arrays["time"], codes.to_numpy(dtype=int), compared.groups, entry=arrays.get("entry")
    )
    times = _times(compared)
    table = found.at(times)
    mine = table.loc[table["cause"] == causes.index(cause) + 1]
    names = {f"1 {compared.comparison.first}": compared.comparison.first,
             f"0 {compared.comparison.reference}": compared.comparison.reference}  # fmt: skip
    for line in mine.to_dict("records"):
        # Nobody has had it yet: an interval cannot be estimated.
        known = {key: line[key] if line["se"] > 0 else np.nan for key in ("se", "lower", "upper")}
        yield compared.row(
            "crude risk", (0.0, line["time"]), group=names[line["group"]], cause=cause,
            estimate=line["probability"], **known,
            method=f"Aalen-Johansen, {found.variance}, {found.conf_type} interval",
            assumptions=INDEPENDENT, **_of_cause(compared, cause, (0.0, line["time"])),
        )  # fmt: skip
    for time in times:
        at = mine.loc[mine["time"] == time].set_index("group")
        pair = [at.loc[label] for label in sorted(names, reverse=True)]
        difference = float(pair[0]["probability"] - pair[1]["probability"])
        se = float(np.hypot(pair[0]["se"], pair[1]["se"]))
        yield compared.row(
            "crude risk difference", (0.0, time), cause=cause,
            **_normal(difference, se, compared.confidence),
            method="difference of Aalen-Johansen risks", assumptions=INDEPENDENT,
            **_of_cause(compared, cause, (0.0, time)),
        )  # fmt: skip


def _cause_hazards(compared: Compared, cause: str, causes: list[str]) -> Iterator[dict[str, Any]]:
    own = (compared.people["cause"] == cause).astype(int)
    only = replace(compared, people=compared.people.assign(event=own))
    for part in (_excess_hazards, _hazard_ratios):
        for row in part(only):
            if row["measure"] in ("weighted hazard ratio", "E-value"):
                continue
            yield {**row, "measure": f"cause-specific {row['measure']}", "cause": cause}


def _net_risks(compared: Compared, cause: str, causes: list[str]) -> Iterator[dict[str, Any]]:
    """1 - exp(-cumulative hazard), other causes being removed (methods A2, E4)."""
    own = (compared.people["cause"] == cause).astype(int)
    only = replace(compared, people=compared.people.assign(event=own))
    z = float(ndtri(0.5 + compared.confidence / 2))
    for time in _times(only):
        found = []
        for name, arrays in _each_arm(only):
            table = nelson_aalen(**arrays, confidence=compared.confidence).at([time]).iloc[0]
            hazard = float(table[HAZARD])
            se = float(table["se"])
            risk, risk_se = 1 - np.exp(-hazard), np.exp(-hazard) * se
            found.append((risk, risk_se))
            low, high = (1 - np.exp(-max(0.0, hazard + side * z * se)) for side in (-1, 1))
            yield only.row(
                "net risk", (0.0, time), group=name, cause=cause, estimate=float(risk),
                se=float(risk_se), lower=float(low), upper=float(high),
                method="1 - exp(-Nelson-Aalen), other causes censored",
                assumptions=f"{NET}; {INDEPENDENT}",
            )  # fmt: skip
        difference, se = found[0][0] - found[1][0], float(np.hypot(found[0][1], found[1][1]))
        yield only.row(
            "net risk difference", (0.0, time), cause=cause,
            **_normal(float(difference), se, compared.confidence),
            method="difference of net risks", assumptions=f"{NET}; {INDEPENDENT}",
        )  # fmt: skip


def _of_cause(compared: Compared, cause: str, window: tuple[float, float]) -> dict[str, int]:
    time = compared.people["time"].to_numpy(dtype=float)
    own = (compared.people["cause"] == cause).to_numpy()
    events, reference = compared.by_arm(own & (time >= window[0]) & (time <= window[1]))
    return {"events": events, "events_reference": reference}


def _reason(refused: InvalidInput) -> str:
    """Say why a measure was refused, without the options of a function."""
    said = "; ".join(problem.message for problem in refused.problems)
    return said.partition(f"; {SEPARATED}")[0]


def _normal(estimate: float, se: float, confidence: float) -> dict[str, float]:
    width = float(ndtri(0.5 + confidence / 2)) * se
    p_value = float(2 * ndtr(-abs(estimate / se))) if se > 0 else np.nan
    return {
        "estimate": float(estimate),
        "se": se,
        "lower": float(estimate - width),
        "upper": float(estimate + width),
        "p_value": p_value,
    }
