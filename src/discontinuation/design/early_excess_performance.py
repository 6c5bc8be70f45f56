"""Does the late-anchored early excess find the truth, and where does it go wrong?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from discontinuation.bias.late_anchored import EarlyExcess, excess_of
from discontinuation.bias.two_arms import TwoArms, tabulate
from discontinuation.design.courses import Courses, draw_courses
from discontinuation.design.expected import expected_curves
from discontinuation.design.latent import draw_latent
from discontinuation.design.record import observe
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.problems import Problem, refuse
from discontinuation.seeds import random_stream

EARLY, END = 84, 364
ONE_SIDED = 0.05
CELLS = ("mean", "sd", "mean_se", "coverage", "rejection", "share")


@dataclass(frozen=True)
class Setting:
    """One setting in which the estimator is tried, and what the dossier found there.

    Attributes
    ----------
    name
        In words.
    people
        Per arm.
    scenario
        What happens; its arms are a continued and an abruptly stopped one.
    dossier
        Methods C4, 400 replicates: mean, SD, mean SE, coverage, one-sided rejection of 0; and the
        share of the total excess, NaN where none is given.
    """

    name: str
    people: int
    scenario: Scenario
    dossier: tuple[float, float, float, float, float, float]


def _setting(
    name: str, people: int, dossier: tuple[float, ...], **changes: float | tuple[float, ...]
) -> Setting:
    arms = (Arm("continued", "maintain", people), Arm("stopped", "abrupt", people))
    scenario = replace(
        Scenario(study=f"{name}, {people}", arms=arms, reinstated_share=0.0),
        **changes,  # type: ignore[arg-type]
    )
    mean, sd, se, coverage, rejection, *share = dossier
    return Setting(
        name, people, scenario, (mean, sd, se, coverage, rejection, share[0] if share else math.nan)
    )


SETTINGS = (
    _setting("withdrawal, HR 1.5", 200, (0.273, 0.061, 0.063, 0.960, 0.985)),
    _setting("withdrawal, HR 1.5", 1000, (0.272, 0.027, 0.028, 0.940, 1.000)),
    _setting("none, HR 1.5", 200, (-0.005, 0.046, 0.045, 0.955, 0.060), alpha_per_day=0.0),
    _setting(
        "none, HR 3",
        1000,
        (-0.010, 0.034, 0.036, 0.970, 0.030),
        alpha_per_day=0.0,
        relapse_ratio=3.0,
    ),
    _setting(
        "none, frailty var 1, HR 3",
        1000,
        (0.023, 0.030, 0.029, 0.843, 0.225),
        alpha_per_day=0.0,
        relapse_ratio=3.0,
        frailty_variance=1.0,
    ),
    _setting(
        "none, frailty var 2, HR 3, 0.5/yr",
        1000,
        (0.067, 0.032, 0.032, 0.448, 0.662, 0.20),
        alpha_per_day=0.0,
        relapse_ratio=3.0,
        frailty_variance=2.0,
        relapse_per_year=(0.5,),
    ),
)
DOSSIER_REPLICATES = 400
DECIMALS = {"share": 2}  # of the dossier's figures; 3 elsewhere


@dataclass(frozen=True, eq=False)
class OperatingCharacteristics:
    """How the late-anchored early excess behaves over simulated trials.

    Attributes
    ----------
    summary
        One row per setting: ``setting, people, truth, replicates, failed, mean, sd, mean_se,
        coverage, rejection, share`` and the Monte-Carlo standard error ``<cell>_mcse`` of each.
        `failed` are trials without a late event in an arm. `share` is the mean excess over the
        mean total excess.
    comparison
        One row per cell that the dossier gives: ``setting, people, cell, found, dossier,
        combined_mcse, difference`` (in combined Monte-Carlo errors).
    replicates, seed
        Of the run.
    """

    summary: pd.DataFrame
    comparison: pd.DataFrame
    replicates: int
    seed: int

    @property
    def agrees(self) -> bool:
        """Gate G12: at most 2 combined errors in 90 % of cells, at most 4 in all."""
        size = self.comparison["difference"].abs()
        return bool((size <= 2).mean() >= 0.9 and (size <= 4).all())


def operating_characteristics(
    replicates: int = 2000, seed: int = 1, settings: Sequence[Setting] = SETTINGS
) -> OperatingCharacteristics:
    """Simulate trials and estimate the early excess of each (methods C4, gate G12).

    Parameters
    ----------
    replicates
        Trials per setting, at least 2.
    seed
        Each trial has a seed drawn from this one; settings differ by the name of their study.
    settings
        Which.

    Returns
    -------
    OperatingCharacteristics

    Raises
    ------
    InvalidInput
        Fewer than two replicates.
    """
    if replicates < 2:
        refuse([Problem("options", "allowed: 2 or more", None, "replicates", str(replicates))])
    seeds = random_stream(seed, "early excess performance").integers(2**31, size=replicates)
    rows = [_performance(setting, seeds) for setting in settings]
    summary = pd.DataFrame(rows)
    return OperatingCharacteristics(summary, _compare(summary, settings), replicates, seed)


def _performance(setting: Setting, seeds: np.ndarray) -> dict[str, object]:
    scenario = setting.scenario
    curves = expected_curves(scenario).query("arm == 'stopped' and day == @EARLY")
    truth = float(curves["hazard_withdrawal"].iloc[0])
    courses = draw_courses(scenario, 0)  # everybody does as planned: nothing in it is random
    trials = (_trial(scenario, courses, int(seed)) for seed in seeds)
    found = [excess_of(trial, EARLY, END) for trial in trials]
    usable = [one for one in found if math.isfinite(one.se)]
    cells, errors = _cells(usable, truth)
    return {
        "setting": setting.name,
        "people": setting.people,
        "truth": truth,
        "replicates": len(found),
        "failed": len(found) - len(usable),
        **dict(zip(CELLS, cells, strict=True)),
        **{f"{cell}_mcse": error for cell, error in zip(CELLS, errors, strict=True)},
    }


def _trial(scenario: Scenario, courses: Courses, seed: int) -> TwoArms:
    """Risk table of one trial, on the days on which deteriorations are seen."""
    record = observe(scenario, courses, draw_latent(scenario, courses, seed), seed)
    event = np.isfinite(record.detected).astype(float)
    stopped = courses.arm == 1
    return tabulate((record.end[~stopped], event[~stopped]), (record.end[stopped], event[stopped]))


def _cells(found: Sequence[EarlyExcess], truth: float) -> tuple[list[float], list[float]]:
    """Performance measures and their Monte-Carlo standard errors (methods F3)."""
    n = len(found)
    estimate = np.array([one.excess.estimate for one in found])
    se = np.array([one.se for one in found])
    total = np.array([one.total.estimate for one in found])
    sd = float(estimate.std(ddof=1))
    covered = np.mean([one.excess.lower <= truth <= one.excess.upper for one in found])
    rejected = np.mean([one.p_above < ONE_SIDED for one in found])
    share = float(estimate.mean() / total.mean())
    cells = [float(estimate.mean()), sd, float(se.mean()), float(covered), float(rejected), share]
    residual = (estimate - share * total) / total.mean()
    errors = [
        sd / math.sqrt(n),
        sd / math.sqrt(2 * (n - 1)),
        float(se.std(ddof=1)) / math.sqrt(n),
        *(math.sqrt(p * (1 - p) / n) for p in cells[3:5]),
        float(residual.std(ddof=1)) / math.sqrt(n),
    ]
    return cells, errors


def _compare(summary: pd.DataFrame, settings: Sequence[Setting]) -> pd.DataFrame:
    """Set each cell beside the dossier's, in combined Monte-Carlo errors.

    The dossier's own error is that of its 400 replicates, with our spread for means and its own
    for shares of trials; its figures are rounded, which adds the variance of a rounding error.
    """
    rows = []
    for (_, row), setting in zip(summary.iterrows(), settings, strict=True):
        used = int(row["replicates"]) - int(row["failed"])
        for cell, dossier in zip(CELLS, setting.dossier, strict=True):
            if math.isnan(dossier):
                continue
            own = float(row[f"{cell}_mcse"])
            theirs = own * math.sqrt(used / DOSSIER_REPLICATES)
            if cell in ("coverage", "rejection"):
                own, theirs = _binomial_errors(float(row[cell]), used, dossier)
            rounding = 10 ** -DECIMALS.get(cell, 3) / math.sqrt(12)
            combined = math.sqrt(own**2 + theirs**2 + rounding**2)
            found = float(row[cell])
            difference = (found - dossier) / combined
            rows.append((setting.name, setting.people, cell, found, dossier, combined, difference))
    names = ["setting", "people", "cell", "found", "dossier", "combined_mcse", "difference"]
    return pd.DataFrame(rows, columns=names)


def _binomial_errors(found: float, used: int, dossier: float) -> tuple[float, float]:
    """Errors of two shares of trials from what both say together, as one may be 0 or 1."""
    joint = (found * used + dossier * DOSSIER_REPLICATES) / (used + DOSSIER_REPLICATES)
    spread = joint * (1 - joint)
    return math.sqrt(spread / used), math.sqrt(spread / DOSSIER_REPLICATES)
