"""Does the latent-cause model keep its promises on trials whose truth is known?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri, stdtrit

from discontinuation.classify._drive_kernel import drive
from discontinuation.classify.gate_measures import (
    exposure_of_trial,
    fit_trials,
    measure_trial,
    truth_of,
)
from discontinuation.classify.gate_scenarios import beyond_prototype, gate_scenarios
from discontinuation.classify.model import fit
from discontinuation.classify.settings import WEEK, Settings
from discontinuation.design.plans import planned_doses
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.design.simulate import SimulatedTrial, simulate_trial
from discontinuation.exposure.occupancy import occupancy
from discontinuation.exposure.trajectories import exposure_of
from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.seeds import random_stream

FloatArray = npt.NDArray[np.float64]
Value = tuple[float, float]  # and its Monte-Carlo standard error

COLUMNS = ["gate", "scenario", "quantity", "criterion", "value", "mcse", "passed"]
PASS, FAIL, INCONCLUSIVE, REPORTED = "pass", "fail", "inconclusive", ""
RESAMPLES = 100
BINS = 10


@dataclass(frozen=True)
class Criterion:
    """One promise of methods F4.

    Attributes
    ----------
    gate, scenario, quantity
        Which.
    low, high
        Limits between which the value must lie; None: no such limit.
    of
        Computes the value and its Monte-Carlo error from the rows of the scenario.
    """

    gate: str
    scenario: str
    quantity: str
    low: float | None
    high: float | None
    of: Callable[[pd.DataFrame], Value]

    @property
    def text(self) -> str:
        """The criterion in words."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        return f">= {self.low:g}" if self.low is not None else f"<= {self.high:g}"


def run_gates(replicates: int, seed: int, scenarios: Sequence[str] | None = None) -> pd.DataFrame:
    """Try the gates G1 to G15, without G12, of methods F4 on simulated trials.

    Parameters
    ----------
    replicates
        Trials of each scenario, at least 2. Few only check that nothing fails; 2,000 decide.
    seed
        Of the run.
    scenarios
        Which, names of `gate_scenarios`; None: all. Gates of the others are left out.

    Returns
    -------
    DataFrame
        gate, scenario, quantity, criterion, value, mcse, passed: "pass" if the value lies at
        least 2 Monte-Carlo errors inside the limits, "fail" if as far outside, "inconclusive" in
        between; blank where there is no criterion.

    Raises
    ------
    InvalidInput
        Fewer than 2 replicates, unknown scenarios.
    """
    known = list(gate_scenarios())
    chosen = known if scenarios is None else list(scenarios)
    problems = [
        Problem("gates", allowed_values(known, name), column="scenarios", value=name)
        for name in chosen
        if name not in known
    ]
    if replicates < 2:
        problems.append(
            Problem("gates", "allowed: at least 2", None, "replicates", str(replicates))
        )
    refuse(problems)
    trials, events = measure(chosen, range(replicates), seed)
    return pd.concat([judge(trials, events, seed), invariances(seed)], ignore_index=True)


def measure(
    scenarios: Iterable[str], numbers: Iterable[int], seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate and fit; a long run can be cut into ranges of replicates and put together.

    Returns
    -------
    trials, events
        One row per trial, and one per event of a stopping arm, as `measure_trial` gives them.
    """
    measured = [measure_trial(name, n, seed) for name in scenarios for n in numbers]
    rows, events = zip(*measured, strict=True)
    return pd.DataFrame(list(rows)), pd.concat(events, ignore_index=True)


def judge(trials: pd.DataFrame, events: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Hold what was measured against the criteria.

    Parameters
    ----------
    trials, events
        Results of `measure`.
    seed
        Of the resampling behind some Monte-Carlo errors.
    """
    rows = []
    present = set(trials["scenario"])
    for criterion in _criteria():
        if criterion.scenario not in present:
            continue
        mine = trials[trials["scenario"] == criterion.scenario]
        rows.append(_row(criterion, criterion.of(mine)))
    if "S0" in present:
        rows += _classifier_rows("G2", events[events["scenario"] == "S0"], seed)
    if "S4" in present:
        own = events[events["scenario"] == "S4"]
        value = _resampled(own, _indeterminate, seed)
        rows.append(_judged("G9", "S4", "indeterminate fraction", 0.15, None, value))
    if "S8" in present:
        rows += _protracted(trials[trials["scenario"] == "S8"])
    rows += _everywhere(trials)
    for name in [*beyond_prototype()]:
        if name in present:
            rows += _reported(trials[trials["scenario"] == name], name)
    return pd.DataFrame(rows, columns=COLUMNS)


def verdict(value: float, mcse: float, low: float | None, high: float | None) -> str:
    """Pass, fail, or inconclusive within 2 Monte-Carlo errors of a limit (methods F4)."""
    if not np.isfinite(value):
        return INCONCLUSIVE
    room = min(
        np.inf if low is None else value - low,
        np.inf if high is None else high - value,
    )
    if room < 0 and -room > 2 * mcse:
        return FAIL
    return PASS if room >= 2 * mcse else INCONCLUSIVE


def _row(criterion: Criterion, value: Value) -> tuple[object, ...]:
    passed = verdict(*value, criterion.low, criterion.high)
    names = (criterion.gate, criterion.scenario, criterion.quantity, criterion.text)
    return (*names, *value, passed)


def _judged(
    gate: str, scenario: str, quantity: str, low: float | None, high: float | None, value: Value
) -> tuple[object, ...]:
    return _row(Criterion(gate, scenario, quantity, low, high, lambda _: value), value)


def _criteria() -> list[Criterion]:
    """Criteria that are read off one row per trial."""
    return [*_base_criteria(), *_null_criteria(), *_other_criteria()]


def _base_criteria() -> list[Criterion]:
    return [
        Criterion("G1", "S0", "bias of beta", -0.05, 0.05, _bias("beta", "S0", "beta")),
        Criterion("G1", "S0", "coverage of beta", 0.93, 0.97, _coverage("beta", "S0", "beta")),
        Criterion(
            "G1",
            "S0",
            "coverage of beta, imputed",
            0.93,
            0.97,
            _coverage("MI_proper", "S0", "beta"),
        ),
        *(
            part
            for psi in ("psi_H", "psi_net")
            for part in (
                Criterion(
                    "G1", "S0", f"bias of {psi}", -0.06, 0.06, _bias(f"{psi}_estimate", "S0", psi)
                ),
                Criterion("G1", "S0", f"coverage of {psi}", 0.92, 0.98, _coverage(psi, "S0", psi)),
            )
        ),
        Criterion("G1", "S0", "bias of F_W", -0.01, 0.01, _bias("F_W", "S0", "F_W")),
        Criterion("G4", "S2", "rejection of beta = 0", None, 0.07, _share(_rejects_beta)),
        Criterion("G4", "S2", "median psi_net", 0.95, 1.10, _median("psi_net_estimate")),
        Criterion("G4", "S2", "median psi_H", 0.95, 1.10, _median("psi_H_estimate")),
        Criterion("G6", "F_W 0.03", "LR > 10", 0.90, None, _share(lambda t: t["LR"] > 10)),
        Criterion("G7", "X19", "median kappa", None, 1.3, _median("kappa")),
        Criterion("G7", "X19", "bias of F_W", -0.015, 0.015, _bias("F_W", "X19", "F_W")),
        Criterion("G7", "X19", "rejection of kappa = 1", None, 0.08, _share(_rejects_kappa)),
        Criterion("G7", "S0", "rejection of kappa = 1", 0.95, None, _share(_rejects_kappa)),
    ]


def _null_criteria() -> list[Criterion]:
    found = [
        Criterion("G3", "S1", "mean F_W", None, 0.015, _mean("F_W")),
        Criterion("G3", "S1", "LR > 10", None, 0.02, _share(lambda t: t["LR"] > 10)),
        Criterion("G3", "S1", "bias of beta", -0.03, 0.03, _bias("beta", "S1", "beta")),
        Criterion("G3", "S1", "lower limit of psi_H <= 0", 0.95, None, _share(_not_above_0)),
    ]
    for name in ("X12", "X13", "X14", "X16", "X17"):
        found.append(Criterion("G5", name, "LR > 20", None, 0.02, _share(lambda t: t["LR"] > 20)))
        found.append(Criterion("G5", name, "mean F_W", None, 0.04, _mean("F_W")))
    for name in ("X13", "X17"):
        warned = _share(lambda t: t["warned"])
        found.append(Criterion("G5", name, "W4, W5 or W6 given", 0.95, None, warned))
    return found


def _other_criteria() -> list[Criterion]:
    refused = _share(lambda t: t["psi_refused"] & t["beta_refused"])
    few, most = ("fairness", "few early"), ("fairness", "most early")
    zero, above = "lower limit of psi_H <= 0", "lower limit of psi_H > 0.2"
    return [
        Criterion("G8", "S9", "psi and beta refused", 1.0, None, _exactly(refused)),
        Criterion("G9", "S4", "bias of beta", -0.06, 0.06, _bias("beta", "S4", "beta")),
        Criterion("G9", "S4", "coverage of beta", 0.92, None, _coverage("beta", "S4", "beta")),
        Criterion("G10", "S8", "bias of F_W", -0.05, 0.05, _bias("F_W", "S8", "F_W")),
        *(
            Criterion("G11", name, "coverage lost without drawing", 0.0, None, _coverage_lost(name))
            for name in ("S4", "S10")
        ),
        Criterion(*few, "LR <= 10", 0.95, None, _share(lambda t: t["LR"] <= 10)),
        Criterion(*few, zero, 0.95, None, _share(_not_above_0)),
        Criterion(*most, "LR > 20", 0.95, None, _share(lambda t: t["LR"] > 20)),
        Criterion(*most, above, 0.95, None, _share(lambda t: t["psi_H_lower"] > 0.2)),
    ]


def _rejects_beta(trials: pd.DataFrame) -> pd.Series:
    return (trials["beta_lower"] > 0) | (trials["beta_upper"] < 0)


def _rejects_kappa(trials: pd.DataFrame) -> pd.Series:
    return trials["kappa_p"] < 0.05


def _not_above_0(trials: pd.DataFrame) -> pd.Series:
    return ~(trials["psi_H_lower"] > 0)


def _bias(column: str, scenario: str, quantity: str) -> Callable[[pd.DataFrame], Value]:
    return lambda trials: _mean_of(trials[column] - truth_of(scenario)[quantity])


def _mean(column: str) -> Callable[[pd.DataFrame], Value]:
    return lambda trials: _mean_of(trials[column])


def _mean_of(values: pd.Series) -> Value:
    """Mean; with few trials its error is widened as Student's t is."""
    known = values.dropna().astype(float)
    n = len(known)
    if n < 2:
        return np.nan, np.nan
    wider = float(stdtrit(n - 1, 0.975) / ndtri(0.975))
    return float(known.mean()), wider * float(known.std() / np.sqrt(n))


def _median(column: str) -> Callable[[pd.DataFrame], Value]:
    """Median; its error from the normal approximation, widened as that of a mean."""

    def of(trials: pd.DataFrame) -> Value:
        known = trials[column].dropna().astype(float)
        if len(known) < 2:
            return np.nan, np.nan
        return float(known.median()), 1.2533 * _mean_of(known)[1]

    return of


def _share(holds: Callable[[pd.DataFrame], pd.Series]) -> Callable[[pd.DataFrame], Value]:
    return lambda trials: _proportion(holds(trials).astype(bool))


def _proportion(holds: pd.Series) -> Value:
    """Share; its error at (x + 1) / (n + 2), so that none of a few is not taken for never."""
    n = len(holds)
    near = (float(holds.sum()) + 1) / (n + 2)
    return float(holds.mean()), float(np.sqrt(near * (1 - near) / n))


def _exactly(of: Callable[[pd.DataFrame], Value]) -> Callable[[pd.DataFrame], Value]:
    """Something that must always hold has no Monte-Carlo error."""
    return lambda trials: (of(trials)[0], 0.0)


def _coverage(column: str, scenario: str, quantity: str) -> Callable[[pd.DataFrame], Value]:
    """Share of limits that hold the truth, of those that were given."""

    def of(trials: pd.DataFrame) -> Value:
        given = trials.dropna(subset=[f"{column}_lower", f"{column}_upper"])
        return _proportion(_covers(given, column, truth_of(scenario)[quantity]))

    return of


def _covers(trials: pd.DataFrame, column: str, truth: float) -> pd.Series:
    return (trials[f"{column}_lower"] <= truth) & (truth <= trials[f"{column}_upper"])


def _coverage_lost(scenario: str) -> Callable[[pd.DataFrame], Value]:
    """Coverage with drawn parameters less that with fixed ones, paired; 2 errors above 0 passes."""

    def of(trials: pd.DataFrame) -> Value:
        truth = truth_of(scenario)["beta"]
        proper, improper = (
            _covers(trials, f"MI_{kind}", truth).astype(float) for kind in ("proper", "improper")
        )
        value, error = _mean_of(proper - improper)
        return value, max(error, 0.5 / len(trials))

    return of


def _classifier_rows(gate: str, events: pd.DataFrame, seed: int) -> list[tuple[object, ...]]:
    """Gates on q in the stopping arms; trials are resampled for the Monte-Carlo error."""
    promises: list[tuple[str, float | None, float | None, Callable[[pd.DataFrame], float]]] = [
        ("AUC", 0.97, None, _auc),
        ("ECE", None, 0.03, _calibration_error),
        ("calibration slope", 0.85, 1.15, _calibration_slope),
        ("PPV at q >= 0.8", 0.93, None, _ppv),
        ("FOR at q <= 0.2", None, 0.03, _false_omission),
        ("indeterminate fraction", None, 0.15, _indeterminate),
    ]
    return [
        _judged(gate, "S0", name, low, high, _resampled(events, of, seed))
        for name, low, high, of in promises
    ]


def _resampled(events: pd.DataFrame, of: Callable[[pd.DataFrame], float], seed: int) -> Value:
    random = random_stream(seed, "gates", "resampled")
    groups = [group for _, group in events.groupby("replicate")]
    drawn = [
        of(pd.concat([groups[i] for i in random.integers(len(groups), size=len(groups))]))
        for _ in range(RESAMPLES)
    ]
    return of(events), float(np.std(drawn, ddof=1))


def _true(events: pd.DataFrame) -> FloatArray:
    return np.asarray(events["cause"] == "withdrawal", dtype=float)


def _auc(events: pd.DataFrame) -> float:
    true = _true(events)
    rank = events["q"].rank().to_numpy()
    ones = true.sum()
    pairs = ones * (len(true) - ones)
    return float((rank[true == 1].sum() - ones * (ones + 1) / 2) / pairs)


def _calibration_error(events: pd.DataFrame) -> float:
    q, true = events["q"].to_numpy(), _true(events)
    order = np.array_split(np.argsort(q, kind="stable"), BINS)
    gaps = [len(part) * abs(true[part].mean() - q[part].mean()) for part in order if len(part)]
    return float(sum(gaps) / len(q))


def _calibration_slope(events: pd.DataFrame) -> float:
    """Slope b of ``logit y = a + b logit q``; q is kept from 0 and 1 by 1e-6."""
    q = np.clip(events["q"].to_numpy(), 1e-6, 1 - 1e-6)
    design = np.column_stack([np.ones(len(q)), np.log(q / (1 - q))])
    true, coefficient = _true(events), np.array([0.0, 1.0])
    for _ in range(30):
        p = 1 / (1 + np.exp(-design @ coefficient))
        weight = p * (1 - p)
        step = np.linalg.solve(design.T @ (weight[:, None] * design), design.T @ (true - p))
        coefficient = coefficient + step
        if np.abs(step).max() < 1e-8:
            break
    return float(coefficient[1])


def _ppv(events: pd.DataFrame) -> float:
    return float(_true(events[events["decision"] == "withdrawal"]).mean())


def _false_omission(events: pd.DataFrame) -> float:
    return float(_true(events[events["decision"] == "relapse"]).mean())


def _indeterminate(events: pd.DataFrame) -> float:
    return float((events["decision"] == "indeterminate").mean())


def _protracted(trials: pd.DataFrame) -> list[tuple[object, ...]]:
    """The two ways to pass the second half of G10, each shown, and the better verdict of them."""
    ways = [
        Criterion("G10", "S8", "window check flags misfit", 0.5, None, _share(_misfit)),
        Criterion(
            "G10", "S8", "coverage of F_W, slow share", 0.92, None, _coverage("slow", "S8", "F_W")
        ),
    ]
    values = [way.of(trials) for way in ways]
    verdicts = [verdict(*value, way.low, way.high) for way, value in zip(ways, values, strict=True)]
    rows: list[tuple[object, ...]] = [
        ("G10", "S8", way.quantity, f"{way.text} (one of two)", *value, REPORTED)
        for way, value in zip(ways, values, strict=True)
    ]
    best = next(word for word in (PASS, INCONCLUSIVE, FAIL) if word in verdicts)
    held = float(verdicts.count(PASS))
    rows.append(("G10", "S8", "of these two, how many pass", ">= 1", held, 0.0, best))
    return rows


def _misfit(trials: pd.DataFrame) -> pd.Series:
    return trials["misfit"].astype(bool)


def _everywhere(trials: pd.DataFrame) -> list[tuple[object, ...]]:
    """What must hold in every fit."""
    fall = (float(trials["largest_fall"].max()), 0.0)
    rows = [_judged("G13", "all", "largest fall of the log-likelihood", None, 1e-8, fall)]
    if "louis" in trials and trials["louis"].notna().any():
        worst = (float(trials["louis"].max()), 0.0)
        rows.append(_judged("G13", "S0", "Louis against differences", None, 1e-5, worst))
    failed = _proportion(~trials["converged"].astype(bool))
    rows.append(_judged("F3", "all", "fits that did not converge", None, 0.01, failed))
    if "seconds" in trials:  # not kept where results must not depend on the machine
        seconds = _mean_of(trials["seconds"])
        rows.append(("time", "all", "seconds per trial", "", *seconds, REPORTED))
    if "warned" in trials and (trials["scenario"] == "X14").any():
        share = _proportion(trials.loc[trials["scenario"] == "X14", "warned"].astype(bool))
        rows.append(("G5", "X14", "W4, W5 or W6 given", "", *share, REPORTED))
    return rows


def _reported(trials: pd.DataFrame, name: str) -> list[tuple[object, ...]]:
    """Quantities beyond the prototype: withdrawals attributed less true ones, and biases."""
    truth = truth_of(name)
    quantities = {"attributed less true withdrawals, per person": trials["attribution_bias"]}
    columns = (("beta", "beta"), ("psi_net_estimate", "psi_net"), ("F_W", "F_W"))
    for column, quantity in columns:
        if quantity in truth:
            quantities[f"bias of {quantity}"] = trials[column] - truth[quantity]
    rows: list[tuple[object, ...]] = [
        ("beyond", name, quantity, "", *_mean_of(values), REPORTED)
        for quantity, values in quantities.items()
    ]
    for quantity, holds in (
        ("supported and robust", trials["robust"]),
        ("LR > 20", trials["LR"] > 20),
        ("misfit flagged", trials["misfit"]),
        ("nocebo called for", trials["nocebo_called_for"]),
    ):
        share = _proportion(holds.astype(bool))
        rows.append(("beyond", name, quantity, "", *share, REPORTED))
    return rows


def invariances(seed: int) -> pd.DataFrame:
    """G14 and G15: the conservation law, and q under other names and another unit of time."""
    rows = [
        _judged(
            "G14", "tapers", "relative spread of the integral of w", None, 1e-3, (_spread(), 0.0)
        )
    ]
    trial = simulate_trial(gate_scenarios()["S0"], seed)
    q = fit_trials([trial], "maintain").q.set_index("person")["q"]
    for quantity, other in (
        ("q with other names and order", _relabelled(trial)),
        ("q in weeks", _in_weeks(trial)),
    ):
        change = float((other.reindex(q.index) - q).abs().max())
        rows.append(_judged("G15", "S0", quantity, None, 1e-6, (change, 0.0)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _spread() -> float:
    """Relative spread of the daily sum of the drive over tapers of all shapes."""
    scenario = Scenario(horizon_days=1000)
    drug = (scenario.ed50_mg, scenario.occupancy_max, scenario.hill)
    full = float(occupancy(scenario.dose_mg, *drug))
    arms = [Arm("abrupt", "abrupt"), Arm("a", "taper", taper_days=14, shape="linear")]
    arms += [Arm(str(days), "taper", taper_days=days) for days in (28, 84, 182)]
    retained = np.array([occupancy(planned_doses(arm, scenario), *drug) / full for arm in arms])
    worst = 0.0
    for tau in (7.0, 14.0, 28.0):
        total = drive(np.ascontiguousarray(retained), tau)[0].sum(axis=1)
        worst = max(worst, float(np.ptp(total) / total.mean()))
    return worst


def _relabelled(trial: SimulatedTrial) -> pd.Series:
    """Give people and symptoms other names, and everything another order."""
    exposure = exposure_of_trial(trial)
    random = random_stream(1, "gates", "order")
    items = trial.assessments.assign(item="z" + trial.assessments["item"].str[::-1])
    tables = [
        table.sample(frac=1, random_state=random)
        for table in (trial.deteriorations, trial.people, items, trial.follow_up)
    ]
    result = fit(tables[0], tables[1], exposure, tables[2], follow_up=tables[3])
    return result.q.set_index("person")["q"]


def _in_weeks(trial: SimulatedTrial) -> pd.Series:
    """Divide all times by 7 and give the settings in weeks."""
    scenario = trial.scenario
    times = ["onset", "onset_earliest", "onset_latest", "detected", "reinstated", "resolved"]
    doses = trial.doses.assign(start=trial.doses["start"] / WEEK, stop=trial.doses["stop"] / WEEK)
    follow = trial.follow_up
    exposure = exposure_of(
        doses,
        half_life_days=scenario.half_life_days / WEEK,
        k=scenario.ed50_mg,
        emax=scenario.occupancy_max,
        dose_before=scenario.dose_mg,
    )
    events = trial.deteriorations.copy()
    events[times] /= WEEK
    result = fit(
        events,
        trial.people,
        exposure,
        trial.assessments.assign(day=trial.assessments["day"] / WEEK),
        follow_up=follow.assign(start=follow["start"] / WEEK, end=follow["end"] / WEEK),
        settings=Settings().in_unit(WEEK),
    )
    return result.q.set_index("person")["q"]
