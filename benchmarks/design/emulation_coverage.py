"""How often do the intervals of an emulated target trial cover the truth?

    python benchmarks/design/emulation_coverage.py [registries] [people]

Registries of people who do not exist are drawn with seeds 1000, 1001 and so on, and in each three
strategies are emulated as in docs/design.md, with the delete-a-group jackknife. The truth is that
of 100,000 other people made to follow each strategy. Writes emulation_coverage.csv beside this
file: one row per contrast and measure, with Monte-Carlo errors.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from discontinuation.design.registry import (
    DEFINITION,
    RegistryScenario,
    draw_registry,
    true_effects,
)
from discontinuation.design.registry_cohort import RegistryTables
from discontinuation.design.strategies import Strategy, TargetTrial, hyperbolic_floor
from discontinuation.design.target_trial import Emulation, emulate

HERE = Path(__file__).parent
FIRST_SEED = 1000
COVARIATES = ["prior_episodes", "previous_attempts", "age", "sex", "poor_sleep"]
KEYS = ["strategy", "reference", "measure"]
TRIAL = TargetTrial(
    (
        Strategy("continue", "continue"),
        Strategy("stop", "stop"),
        Strategy("taper", "taper", hyperbolic_floor(16, dose_mg=20, ed50_mg=2.7)),
    )
)


def emulated(people: int, seed: int) -> Emulation:
    """Draw one registry and emulate the trial in it."""
    made = draw_registry(RegistryScenario(people=people), seed)
    tables = RegistryTables(
        made.people, made.dispensings, made.follow_up, made.deteriorations, made.measures
    )
    return emulate(tables, TRIAL, COVARIATES, DEFINITION, seed=seed)


def performance(found: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Bias, standard errors and coverage of each contrast that has a known truth."""
    both = found.merge(truth, on=KEYS, suffixes=("", "_truth"))
    rows = []
    for keys, here in both.groupby(KEYS, sort=False):
        n, true = len(here), here["truth"].iloc[0]
        covered = float(((here["lower"] <= true) & (true <= here["upper"])).mean())
        spread = float(here["estimate"].std(ddof=1))
        rows.append(
            {
                **dict(zip(KEYS, keys, strict=True)),
                "registries": n,
                "truth": true,
                "bias": here["estimate"].mean() - true,
                "bias_mcse": np.hypot(spread / np.sqrt(n), here["mcse"].iloc[0]),
                "empirical_se": spread,
                "empirical_se_mcse": spread / np.sqrt(2 * (n - 1)),
                "mean_se": here["se"].mean(),
                "coverage": covered,
                "coverage_mcse": np.sqrt(covered * (1 - covered) / n),
                "below": float((here["upper"] < true).mean()),
                "above": float((here["lower"] > true).mean()),
            }
        )
    return pd.DataFrame(rows)


def main(registries: int, people: int) -> None:
    """Emulate in every registry and write what came of it."""
    truth = true_effects(RegistryScenario(), TRIAL, people=100_000, seed=77).contrasts
    contrasts, sizes = [], []
    for seed in range(FIRST_SEED, FIRST_SEED + registries):
        found = emulated(people, seed)
        contrasts.append(found.contrasts)
        sizes.append(found.weights)
    table = performance(pd.concat(contrasts), truth).assign(people=people)
    print(table.round(4).to_string(index=False))
    print(pd.concat(sizes).groupby(["strategy", "week"])["effective_size"].describe().round(0))
    path = HERE / "emulation_coverage.csv"
    table.to_csv(path, index=False, float_format="%.4g", lineterminator="\n")


if __name__ == "__main__":
    numbers = [int(number) for number in sys.argv[1:]]
    main(*(numbers + [100, 10_000][len(numbers) :]))
