"""What do the data of a dataset say to the estimands that it declares?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.describe.given import Tables, complete
from discontinuation.estimands.comparisons import (
    MAINTAIN,
    RANDOMISATION,
    Comparison,
    Window,
    comparisons_of,
    planned_taper_days,
    window_days,
    window_of,
)
from discontinuation.estimands.effects import (
    COLUMNS,
    INDEPENDENT,
    PROPORTIONAL,
    Compared,
    cause_effects,
    first_event_effects,
    set_side_by_side,
)
from discontinuation.estimands.event_times import EventTimes, adjudicated_causes, event_times
from discontinuation.estimands.over_time import hazards_of_arms, ratios_over_time
from discontinuation.estimands.question import (
    BY_CAUSE,
    Question,
    estimand_table,
    happened,
    read_questions,
    why_not,
)
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival import (
    aalen_johansen,
    cox,
    kaplan_meier,
    state_probabilities,
)

GRID_DAYS = 7.0  # between the times at which curves are written down
PACE = "pace as a continuous exposure"
NO_STATES = "the data do not record the sequence of states (table states)"


@dataclass(frozen=True)
class Setting:
    """How the survival of a dataset is to be computed.

    Attributes
    ----------
    definition
        Of getting worse.
    withdrawal
        Definitions that count as withdrawal.
    clock
        "detected" or "onset".
    horizon
        Days since randomisation; None: the longest follow-up that both arms of a comparison have.
    window_days
        Length of the withdrawal window after the last planned change of dose.
    covariates
        Columns of `people` to adjust for.
    confidence
        Level of every interval.
    smallest_cell
        Smallest count of people that may be shown.
    """

    definition: str
    withdrawal: tuple[str, ...] = ()
    clock: str = "detected"
    horizon: float | None = None
    window_days: float = 47.0
    covariates: tuple[str, ...] = ()
    confidence: float = 0.95
    smallest_cell: int = 1


@dataclass(frozen=True, eq=False)
class Survived:
    """The survival of a dataset.

    Attributes
    ----------
    estimates
        One row per estimand, comparison, clock, window and measure; see `effects.COLUMNS`.
    curves
        By estimand, arm and time: event_free (E1, E7) or the probability of each cause (E2) or
        state (E6), with limits and people at risk.
    estimand_table
        From `question.estimand_table`.
    steps
        How many people were left after each step, by estimand.
    windows
        By comparison: end of the withdrawal window, horizon, last planned change of dose.
    hazards, ratios
        Of E1: smoothed hazard of each arm, hazard ratio of each comparison over time.
    """

    estimates: pd.DataFrame
    curves: pd.DataFrame
    estimand_table: pd.DataFrame
    steps: pd.DataFrame
    windows: pd.DataFrame
    hazards: pd.DataFrame
    ratios: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All of them by name."""
        names = ("estimates", "curves", "estimand_table", "steps", "windows", "hazards", "ratios")
        return {name: getattr(self, name) for name in names}


@dataclass(eq=False)
class _Found:
    estimates: list[dict[str, Any]] = field(default_factory=list)
    curves: list[pd.DataFrame] = field(default_factory=list)
    steps: list[pd.DataFrame] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)
    hazards: list[pd.DataFrame] = field(default_factory=list)
    ratios: list[pd.DataFrame] = field(default_factory=list)


def setting_of(
    content: Mapping[str, Any], tables: Tables, drugs: pd.DataFrame, tau_days: float
) -> Setting:
    """Take the settings from a dataset's declaration, with the defaults that hang on its data.

    Parameters
    ----------
    content
        Of the declaration: survival, events, smallest_cell.
    tables
        Canonical tables; any may be missing.
    drugs
        Table ``drugs`` of `expose_dataset`, for the half-life of the drug most people take.
    tau_days
        Adaptation time.
    """
    asked = content["survival"]
    events = content.get("events") or {}
    definitions = events.get("definitions") or []
    given = complete(tables)
    known = given["deteriorations"]["definition"].dropna().unique()
    definition = asked["definition"] or events.get("main") or (known[0] if len(known) else "")
    days = asked["window_days"]
    if days is None:
        days = window_days(_half_life(given["doses"], drugs), tau_days)
    return Setting(
        definition=str(definition),
        withdrawal=tuple(each["id"] for each in definitions if each["counts_as"] == "withdrawal"),
        clock=asked["clock"],
        horizon=asked["horizon_days"],
        window_days=days,
        covariates=tuple(asked["covariates"]),
        smallest_cell=content["smallest_cell"],
    )


def _half_life(doses: pd.DataFrame, drugs: pd.DataFrame) -> float | None:
    taken = doses.loc[doses["dose"] > 0].groupby("drug", observed=True)["person"].nunique()
    if taken.empty or drugs.empty:
        return None
    mine = (drugs["drug"] == taken.idxmax()) & (drugs["number"] == "half-life")
    value = drugs.loc[mine, "value"].astype(float)
    return float(value.iloc[0]) if len(value) and pd.notna(value.iloc[0]) else None


def survive_dataset(
    declared: Sequence[Mapping[str, Any]],
    tables: Tables,
    setting: Setting,
    causes: pd.Series | None = None,
) -> Survived:
    """Estimate every declared estimand of a dataset.

    Parameters
    ----------
    declared
        The estimands of the dataset's declaration.
    tables
        Canonical tables; any may be missing.
    setting
        How it is to be computed.
    causes
        Cause of each person's first deterioration, such as imputed ones; None: as adjudicated in
        the data.

    Returns
    -------
    Survived
        Nothing is estimated for an estimand that does not say how an intercurrent event is
        handled that happened; the estimand table says so.

    Raises
    ------
    InvalidInput
        Covariates that the people do not have, a definition that nobody was judged by.
    """
    given = complete(tables)
    refuse(_setting_problems(given, setting))
    questions = read_questions(declared)
    occurred = happened(given["follow_up"], given["deteriorations"], setting.withdrawal)
    found = _Found()
    comparisons = comparisons_of(given["arms"], given["studies"], given["planned_doses"])
    for question in questions:
        if not why_not(question, occurred):
            _answer(question, given, setting, comparisons, causes, found)
    sizes = given["people"]["arm"].value_counts().to_dict()
    estimates = pd.DataFrame(found.estimates).reindex(columns=COLUMNS)
    return Survived(
        _masked(estimates, setting.smallest_cell),
        _concat(found.curves),
        estimand_table(questions, occurred, {str(k): int(v) for k, v in sizes.items()}),
        _concat(found.steps),
        pd.DataFrame(found.windows).drop_duplicates(ignore_index=True),
        _concat(found.hazards),
        _concat(found.ratios),
    )


def _answer(
    question: Question,
    given: Mapping[str, pd.DataFrame],
    setting: Setting,
    comparisons: Sequence[Comparison],
    causes: pd.Series | None,
    found: _Found,
) -> None:
    if question.estimand == "E6":
        _time_in_states(question, given, setting, found)
        return
    cause = None
    if question.estimand in BY_CAUSE:
        cause = causes
        if cause is None:
            cause = adjudicated_causes(given["deteriorations"], setting.definition)
    times = event_times(question, given, setting.definition, cause, setting.clock)
    found.steps.append(times.steps.assign(estimand=question.estimand))
    for comparison in comparisons:
        window = window_of(comparison, times.people, setting.window_days, setting.horizon)
        mine = times
        if question.estimand == "E7":
            if MAINTAIN in (comparison.first, comparison.reference):
                continue  # nobody who is to continue can be off the drug
            mine = event_times(
                question, given, setting.definition, cause, setting.clock, window.horizon
            )
        found.windows.append(_window_row(comparison, window))
        for compared in set_side_by_side(
            question.estimand, comparison, mine.people, window, setting.covariates,
            setting.confidence,
        ):  # fmt: skip
            effects = cause_effects if question.estimand in BY_CAUSE else first_event_effects
            found.estimates += list(effects(compared))
    if question.estimand == "E1":
        found.estimates += list(_pace_effect(times, given, setting))
        smallest, level = setting.smallest_cell, setting.confidence
        found.hazards.append(hazards_of_arms(times.people, smallest, level))
        found.ratios.append(ratios_over_time(times.people, comparisons, smallest, level))
    found.curves.append(_curves(question, times, setting))


def _window_row(comparison: Comparison, window: Window) -> dict[str, Any]:
    return {
        "comparison": comparison.name,
        "last_change": comparison.changes_until,
        "early_end": window.early_end,
        "horizon": window.horizon,
        "randomised": comparison.randomised,
    }


def _pace_effect(
    times: EventTimes, given: Mapping[str, pd.DataFrame], setting: Setting
) -> Iterator[dict[str, Any]]:
    """Hazard ratio per four weeks of planned taper, among arms that stop.

    The plan is used, not what was delivered: who gets worse early has had a short taper.
    """
    days = planned_taper_days(given["arms"], given["planned_doses"])
    stopping = times.people.loc[times.people["strategy"].isin(["abrupt", "taper"])]
    stopping = stopping.assign(pace=stopping["arm"].map(days) / 28)
    known = stopping.dropna(subset=["pace"])
    comparison = Comparison(PACE, "taper", "abrupt", None, False)
    horizon = float(known["time"].max()) if len(known) else np.nan
    frame = known.assign(arm=1)
    compared = Compared("E1", comparison, RANDOMISATION, frame, Window(horizon, horizon), (), 0.95)
    cells = {"group": "per 4 weeks of planned taper"}
    if known["pace"].nunique() < 2:
        reason = "fewer than two planned paces are known"
        yield compared.row("hazard ratio", (0.0, horizon), **cells, why_not=reason)
        return
    strata = "study" if len(known["study"].unique()) > 1 else None
    model = cox("pace", known, strata=strata, level=setting.confidence)
    line = model.summary.iloc[0]
    paces = ", ".join(f"{28 * value:g}" for value in sorted(known["pace"].unique()))
    yield compared.row(
        "hazard ratio", (0.0, horizon), **cells,
        estimate=float(line["hazard_ratio"]), se=float(line["se"]),
        lower=float(np.exp(model.lower[0])), upper=float(np.exp(model.upper[0])),
        p_value=float(line["p_value"]),
        method=f"Cox, Efron ties; planned tapers of {paces} days; se of the log",
        assumptions=f"{PROPORTIONAL}; the log hazard is linear in the length; while a taper lasts "
        "the drug still protects",
    )  # fmt: skip


def _curves(question: Question, times: EventTimes, setting: Setting) -> pd.DataFrame:
    """Curves of each arm on a grid of weeks, as long as enough people are at risk."""
    parts = []
    everybody = question.estimand != "E7"  # who goes on cannot succeed in stopping
    for arm, people in times.people.groupby("arm", sort=False):
        continued = people["strategy"].iloc[0] == MAINTAIN and not everybody
        if continued or len(people) < max(setting.smallest_cell, 1):
            continue
        grid = np.arange(0.0, float(people["time"].max()) + GRID_DAYS, GRID_DAYS)
        grid = np.unique(np.minimum(grid, float(people["time"].max())))
        entry = people["entry"].to_numpy(dtype=float) if (people["entry"] > 0).any() else None
        time = people["time"].to_numpy(dtype=float)
        km = kaplan_meier(time, people["event"].to_numpy(), entry, confidence=setting.confidence)
        risk = km.numbers_at_risk(grid)
        at_risk = risk["at_risk"].to_numpy(dtype=float)
        if question.estimand in BY_CAUSE:
            table = _cause_curves(people, grid, entry)
        else:
            table = km.at(grid).rename(columns={"survival": "probability"})
            table = table.assign(what="event-free")
        table = table.assign(arm=arm, strategy=people["strategy"].iloc[0])
        table["at_risk"] = table["time"].map(dict(zip(grid, at_risk, strict=True)))
        parts.append(table.loc[table["at_risk"] >= setting.smallest_cell])
    columns = ["estimand", "arm", "strategy", "what", "time", "probability", "se", "lower",
               "upper", "at_risk"]  # fmt: skip
    return _concat(parts).assign(estimand=question.estimand).reindex(columns=columns)


def _cause_curves(people: pd.DataFrame, grid: np.ndarray, entry: np.ndarray | None) -> pd.DataFrame:
    causes = list(people["cause"].dropna().value_counts().index)
    if not causes:
        return pd.DataFrame(columns=["time", "what", "probability", "se", "lower", "upper"])
    codes = people["cause"].map({name: n for n, name in enumerate(causes, 1)}).fillna(0).astype(int)
    found = aalen_johansen(people["time"].to_numpy(dtype=float), codes.to_numpy(), entry=entry)
    table = found.at(grid)
    named: pd.DataFrame = table.assign(what=table["cause"].map(dict(enumerate(causes, 1))))
    return named.drop(columns="cause")


def _time_in_states(
    question: Question, given: Mapping[str, pd.DataFrame], setting: Setting, found: _Found
) -> None:
    states = given["states"]
    if states.empty:
        row = {"estimand": question.estimand, "comparison": "all arms", "measure": "time in state"}
        found.estimates.append({**row, "why_not": NO_STATES})
        return
    people = given["people"][["person", "arm"]]
    rows = states.merge(people, on="person").sort_values(["person", "start"])
    entered = rows.groupby("person")["state"].shift(-1)
    rows = rows.assign(next=entered.where(entered != rows["state"]), group=rows["arm"])
    first = rows.groupby("person")["state"].transform("first")
    rows = rows.assign(initial=first)
    occupied = state_probabilities(
        rows, start="start", stop="stop", state="next", group="arm", entry_state="initial",
        horizon=setting.horizon, confidence=setting.confidence,
    )  # fmt: skip
    sizes = rows.groupby("arm")["person"].nunique()
    for line in occupied.time_in_state.to_dict("records"):
        found.estimates.append(
            {
                "estimand": question.estimand, "comparison": "each arm", "clock": RANDOMISATION,
                "window_from": occupied.origin, "window_to": occupied.horizon,
                "measure": "mean days in state", "group": line["group"], "cause": line["state"],
                "estimate": line["mean_time"], "se": line["se"], "lower": line["lower"],
                "upper": line["upper"], "people": int(sizes[line["group"]]),
                "method": "area under the state probability, infinitesimal jackknife",
                "assumptions": INDEPENDENT,
            }
        )  # fmt: skip
    curves = occupied.summary.rename(columns={"state": "what", "group": "arm"})
    found.curves.append(curves.assign(estimand=question.estimand))


def _masked(estimates: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Blank what rests on too few people or on a small count of events."""
    if smallest <= 1 or estimates.empty:
        return estimates
    counts = ["people", "people_reference", "events", "events_reference"]
    small = ((estimates[counts] > 0) & (estimates[counts] < smallest)).any(axis=1)
    numbers = ["estimate", "se", "lower", "upper", "p_value", *counts]
    masked = estimates.copy()
    masked[numbers] = masked[numbers].mask(small)
    why = f"rests on a count below {smallest}, which may not be shown"
    masked["why_not"] = masked["why_not"].where(~small, why)
    return masked


def _concat(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    kept = [part for part in parts if len(part)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()


def _setting_problems(given: Mapping[str, pd.DataFrame], setting: Setting) -> Iterator[Problem]:
    place = "survival settings"
    columns = [str(name) for name in given["people"].columns if name not in ("person", "arm")]
    for name in setting.covariates:
        if name not in columns:
            yield Problem(place, allowed_values(columns, name), None, "covariates", name)
    known = sorted(set(given["deteriorations"]["definition"].dropna().astype(str)))
    if known and setting.definition not in known:
        rule = "nobody met it; " + allowed_values(known, setting.definition)
        yield Problem(place, rule, None, "definition", setting.definition)
