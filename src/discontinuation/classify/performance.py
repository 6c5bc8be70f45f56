"""How far from the truth is the model, in each scenario (ADEMP; Morris and others 2019)?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from discontinuation.classify.gate_measures import truth_of

# Column of the estimate, stem of its limits, key of the truth, what it is called.
QUANTITIES = (
    ("beta", "beta", "beta", "log HR of relapse, joint"),
    ("MI_proper", "MI_proper", "beta", "log HR of relapse, imputed"),
    ("psi_H_estimate", "psi_H", "psi_H", "withdrawal share, hazard"),
    ("psi_net_estimate", "psi_net", "psi_net", "withdrawal share, net risk"),
)
COLUMNS = [
    "scenario", "quantity", "name", "truth", "trials", "estimates", "intervals",
    "bias", "bias_mcse", "empirical_se", "empirical_se_mcse", "model_se",
    "coverage", "coverage_mcse", "excludes_0", "excludes_0_mcse",
]  # fmt: skip


def performance(trials: pd.DataFrame) -> pd.DataFrame:
    """Compare estimates with the truth of their scenario.

    Parameters
    ----------
    trials
        One row per simulated trial, from `measure_trial`.

    Returns
    -------
    DataFrame
        One row per scenario and quantity that has a truth there and was tried: trials; estimates
        and intervals that were given (the others are refusals or failed fits); bias, empirical
        standard error (spread of the estimates), model_se (root mean square of the widths of the
        intervals as standard errors), coverage of the truth, and how often the interval excludes
        0; ``_mcse``: Monte-Carlo standard errors.
    """
    rows = []
    for scenario, mine in trials.groupby("scenario", sort=False):
        truths = truth_of(str(scenario))
        for column, stem, key, name in QUANTITIES:
            tried = column in mine and (mine[column].notna().any() or stem != "MI_proper")
            if tried and np.isfinite(truths.get(key, np.nan)):
                rows.append((scenario, key if stem != "MI_proper" else "beta_imputed", name,
                             *_compared(mine, column, stem, truths[key])))  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _compared(trials: pd.DataFrame, column: str, stem: str, truth: float) -> tuple[float, ...]:
    known = trials[column].dropna().astype(float)
    given = trials.dropna(subset=[f"{stem}_lower", f"{stem}_upper"])
    lower = given[f"{stem}_lower"].astype(float)
    upper = given[f"{stem}_upper"].astype(float)
    spread = float(known.std()) if len(known) > 1 else np.nan
    width = (upper - lower) / (2 * float(ndtri(0.975)))
    return (
        truth,
        len(trials),
        len(known),
        len(given),
        float(known.mean()) - truth,
        spread / np.sqrt(max(len(known), 1)),
        spread,
        spread / np.sqrt(2 * max(len(known) - 1, 1)),
        float(np.sqrt((width**2).mean())),
        *_share((lower <= truth) & (truth <= upper)),
        *_share((lower > 0) | (upper < 0)),
    )


def _share(holds: pd.Series) -> tuple[float, float]:
    """Share and its Monte-Carlo error; at 0 and 1 that of one trial half there."""
    n = len(holds)
    if n == 0:
        return np.nan, np.nan
    share = float(holds.mean())
    kept = float(np.clip(share, 0.5 / n, 1 - 0.5 / n))
    return share, float(np.sqrt(kept * (1 - kept) / n))
