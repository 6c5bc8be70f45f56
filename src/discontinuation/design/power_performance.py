"""Does the simulation give the power that methods G3 found, and does the formula agree with it?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from discontinuation.design._daily import FloatArray
from discontinuation.design.day_tables import cells, draw_tables, expected_counts
from discontinuation.design.scenario import Arm, Scenario, Shape
from discontinuation.design.trial_tests import Z, drifts, log_rank, pair_of, plain_tests
from discontinuation.problems import Problem, refuse
from discontinuation.seeds import random_stream

MAINTAIN, ABRUPT, TAPER = 0, 1, 2
RELAPSE = 1
RELAPSE_ONLY = "log-rank relapse-only M v T"
COLUMNS = (
    "log-rank",
    "FH(1,0)",
    "FH(0,1)",
    "RMST",
    "risk at the end",
    "landmark at taper end",
    RELAPSE_ONLY,
)
DRAWN_AT_ONCE = 500


@dataclass(frozen=True)
class Setting:
    """A row of methods G3.

    Attributes
    ----------
    name
        In words.
    people
        Per arm.
    replicates
        Of the dossier, 400 or 300: those that its figures are fractions of.
    formula
        Its column of the formula as printed, blank where it gives none.
    printed
        Its columns in the order of `COLUMNS`, as printed: a number, or the range of several rows.
    taper_days, shape, alpha_per_day, kappa, relapse_ratio
        What differs from the base.
    """

    name: str
    people: int
    replicates: int
    formula: str
    printed: str
    taper_days: int = 112
    shape: Shape = "hyperbolic"
    alpha_per_day: float = 0.05
    kappa: float = 2.0
    relapse_ratio: float = 1.5

    @property
    def scenario(self) -> Scenario:
        """The three-arm trial."""
        n = self.people
        taper = Arm("taper", "taper", n, self.taper_days, shape=self.shape)
        return Scenario(
            study=f"{self.name}, {n}",
            arms=(Arm("maintain", "maintain", n), Arm("abrupt", "abrupt", n), taper),
            horizon_days=546,
            alpha_per_day=self.alpha_per_day,
            kappa=self.kappa,
            relapse_ratio=self.relapse_ratio,
        )


def _half(people: int, printed: str) -> Setting:
    return Setting("half withdrawal", people, 300, "", printed, alpha_per_day=0.025)


def _long(people: int, printed: str) -> Setting:
    return Setting("26-wk taper", people, 300, "", printed, taper_days=182)


def _false(people: int, printed: str) -> Setting:
    name = "no withdrawal, HR 2.5, 26-wk taper"
    return Setting(name, people, 300, "", printed, 182, alpha_per_day=0.0, relapse_ratio=2.5)


SETTINGS = (
    Setting("base", 150, 400, "0.781", "0.785 0.940 0.078 0.885 0.355 0.048 0.400"),
    Setting("base", 250, 400, "0.942", "0.940 0.995 0.085 0.980 0.565 0.058 0.590"),
    Setting("base", 400, 400, "0.994", "0.998 1.000 0.112 1.000 0.750 0.060 0.790"),
    Setting(
        "linear-dose taper",
        250,
        400,
        "0.880",
        "0.872 0.990 0.042 0.945 0.420 0.195 0.482",
        shape="linear",
    ),
    Setting(
        "4-wk hyperbolic",
        400,
        400,
        "0.564",
        "0.512 0.848 0.080 0.498 0.212 0.212 0.860",
        taper_days=28,
    ),
    _half(250, "0.583 0.777 0.05-0.06 0.747 0.25-0.49 0.06 0.54"),
    _half(400, "0.717 0.910 0.05-0.06 0.887 0.25-0.49 0.06 0.81"),
    _half(600, "0.903 0.987 0.05-0.06 0.977 0.25-0.49 0.06 0.93"),
    Setting(
        "small withdrawal",
        800,
        300,
        "0.582",
        "0.543 0.807 0.043 0.817 0.293 0.047 0.983",
        alpha_per_day=0.012,
    ),
    _long(150, "0.880 0.980 0.11-0.13 0.967 0.51 0.05 0.33"),
    _long(250, "0.980 0.993 0.11-0.13 0.993 0.71 0.05 0.45"),
    Setting(
        "kappa = 1",
        400,
        300,
        "0.235",
        "0.230 0.610 0.263 0.213 0.073 0.117 0.800",
        alpha_per_day=0.02,
        kappa=1.0,
    ),
    Setting(
        "no withdrawal, HR 1.5",
        400,
        400,
        "0.069",
        "0.072 0.085 0.038 0.095 0.065 0.038 0.802",
        alpha_per_day=0.0,
    ),
    _false(150, "0.243 0.337 0.04-0.09 0.330 0.13-0.23 0.05-0.06 0.99-1"),
    _false(250, "0.390 0.507 0.04-0.09 0.497 0.13-0.23 0.05-0.06 0.99-1"),
    _false(400, "0.537 0.723 0.04-0.09 0.717 0.13-0.23 0.05-0.06 0.99-1"),
)


@dataclass(frozen=True, eq=False)
class PowerReproduced:
    """Methods G3 again, with the simulator's own scheme.

    Attributes
    ----------
    summary
        One row per setting: ``setting, people, replicates``, then per test its rejection, its
        Monte-Carlo error ``<test>_mcse``, how many trials gave no z ``<test>_failed`` and, of the
        contrast of the abrupt and the tapered arm, the formula ``<test>_formula``.
    comparison
        One row per printed cell: ``setting, people, test, found, lower, upper`` (between which the
        dossier's number lies, given its digits or its range), ``combined_mcse, difference`` (of the
        nearest number between them, in combined Monte-Carlo errors).
    formulae
        One row per printed formula: ``setting, people, found, printed, difference``.
    """

    summary: pd.DataFrame
    comparison: pd.DataFrame
    formulae: pd.DataFrame

    @property
    def agrees(self) -> bool:
        """At most 2 combined errors in 90 % of cells, at most 4 in all; formula to 0.005."""
        size = self.comparison["difference"].abs()
        near = (self.formulae["difference"].abs() <= 0.005).all()
        return bool((size <= 2).mean() >= 0.9 and (size <= 4).all() and near)

    @property
    def largest_gap(self) -> float:
        """Largest difference of formula and simulation of the log-rank test."""
        gap = self.summary["log-rank_formula"] - self.summary["log-rank"]
        return float(gap.abs().max())


def reproduce_power(
    replicates: int = 2000, seed: int = 1, settings: Sequence[Setting] = SETTINGS
) -> PowerReproduced:
    """Simulate every row of methods G3 and hold the formula against it.

    Parameters
    ----------
    replicates
        Trials per setting, at least 2.
    seed
        Of streams named by setting.
    settings
        Which rows.

    Returns
    -------
    PowerReproduced

    Raises
    ------
    InvalidInput
        Fewer than two replicates.
    """
    if replicates < 2:
        refuse([Problem("options", "allowed: 2 or more", None, "replicates", str(replicates))])
    rows = [_performance(setting, replicates, seed) for setting in settings]
    summary = pd.DataFrame(rows)
    return PowerReproduced(summary, _compare(summary, settings), _formulae(summary, settings))


def _performance(setting: Setting, replicates: int, seed: int) -> dict[str, object]:
    random = random_stream(seed, "power performance", setting.scenario.study)
    row: dict[str, object] = {
        "setting": setting.name,
        "people": setting.people,
        "replicates": replicates,
    }
    sizes = np.diff(np.append(np.arange(0, replicates, DRAWN_AT_ONCE), replicates))
    drawn = [_z_values(setting, int(size), random) for size in sizes]
    for test in COLUMNS:
        z = np.concatenate([part[test] for part in drawn])
        share = float((np.abs(z) > Z).mean())
        row |= {test: share, f"{test}_mcse": math.sqrt(share * (1 - share) / replicates)}
        row[f"{test}_failed"] = int(np.isnan(z).sum())
    counts = expected_counts(setting.scenario)
    total = counts.events.sum(axis=0)[None]
    pair = pair_of(counts.day, total, counts.at_risk[None], ABRUPT, TAPER)
    for test, of in drifts(setting.scenario.horizon_days, setting.taper_days).items():
        z = math.sqrt(setting.people) * of(pair)
        row[f"{test}_formula"] = float(ndtr(np.abs(z) - Z)[0])
    return row


def _z_values(setting: Setting, trials: int, random: np.random.Generator) -> dict[str, FloatArray]:
    tables = draw_tables(cells(setting.scenario), (setting.people,) * 3, trials, random)
    pair = pair_of(tables.day, tables.any, tables.at_risk, ABRUPT, TAPER)
    found = {
        name: test(pair)
        for name, test in plain_tests(setting.scenario.horizon_days, setting.taper_days).items()
        if name in COLUMNS
    }
    relapse = tables.events[:, RELAPSE]
    found[RELAPSE_ONLY] = log_rank(pair_of(tables.day, relapse, tables.at_risk, MAINTAIN, TAPER))
    return found


def _printed(text: str) -> tuple[float, float]:
    """Between which numbers a printed one lies, or those of a printed range."""
    parts = text.split("-")
    half = 0.5 * 10.0 ** -len(parts[0].partition(".")[2])
    return float(parts[0]) - half, float(parts[-1]) + half


def _compare(summary: pd.DataFrame, settings: Sequence[Setting]) -> pd.DataFrame:
    """Set each cell beside the dossier's; shares of trials differ by their binomial errors."""
    rows: list[tuple[object, ...]] = []
    for (_, row), setting in zip(summary.iterrows(), settings, strict=True):
        for test, text in zip(COLUMNS, setting.printed.split(), strict=True):
            lower, upper = _printed(text)
            found = float(row[test])
            nearest = min(max(found, lower), upper)
            used = int(row["replicates"])
            joint = (found * used + nearest * setting.replicates) / (used + setting.replicates)
            error = math.sqrt(joint * (1 - joint) * (1 / used + 1 / setting.replicates))
            difference = (found - nearest) / error if error else 0.0
            rows.append(
                (setting.name, setting.people, test, found, lower, upper, error, difference)
            )
    names = ["setting", "people", "test", "found", "lower", "upper", "combined_mcse", "difference"]
    return pd.DataFrame(rows, columns=names)


def _formulae(summary: pd.DataFrame, settings: Sequence[Setting]) -> pd.DataFrame:
    def rows() -> Iterator[tuple[object, ...]]:
        for (_, row), setting in zip(summary.iterrows(), settings, strict=True):
            if setting.formula:
                found, printed = float(row["log-rank_formula"]), float(setting.formula)
                yield setting.name, setting.people, found, printed, found - printed

    return pd.DataFrame(rows(), columns=["setting", "people", "found", "printed", "difference"])
