"""How far from the truth is each method, in each scenario (ADEMP; Morris and others 2019)?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from discontinuation.classify.gate_measures import truth_of

METHODS = {
    "model": "latent-cause model",
    "imputed": "causes imputed from the model",
    "oracle": "true causes known",
    "naive": "every event a relapse",
    "time_28": "rule: by 28 days after washout",
    "haddad1998": "rule: Haddad 1998",
    "horowitz_taylor2022": "rule: Horowitz and Taylor 2022",
    "landmark": "every event a relapse, from 12 weeks on",
    "late_anchored": "late-anchored early excess",
}
ESTIMANDS = {
    "beta": "log HR of relapse",
    "psi_H": "withdrawal share, hazard",
    "psi_net": "withdrawal share, net risk",
    "F_W": "crude risk of withdrawal",
}
# Where measurements of the model stand under other names: estimate and stem of its limits.
STANDS_AS = {
    ("beta", "model"): ("beta", "beta"),
    ("beta", "imputed"): ("MI_proper", "MI_proper"),
    ("psi_H", "model"): ("psi_H_estimate", "psi_H"),
    ("psi_net", "model"): ("psi_net_estimate", "psi_net"),
    ("F_W", "model"): ("F_W", "F_W"),
}
COLUMNS = [
    "scenario", "quantity", "method", "name", "truth", "trials", "estimates", "intervals",
    "bias", "bias_mcse", "empirical_se", "empirical_se_mcse", "model_se",
    "coverage", "coverage_mcse", "excludes_0", "excludes_0_mcse", "from_oracle", "from_oracle_mcse",
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
        One row per scenario, quantity and method that has a truth there and was tried: trials;
        estimates and intervals that were given (the others are refusals or failed fits); bias,
        empirical standard error (spread of the estimates), model_se (root mean square of the
        widths of the intervals as standard errors), coverage of the truth, how often the interval
        excludes 0, and the mean distance from the oracle, which knows the true causes: where an
        assumption is broken the parameter may no longer exist, and the oracle is what to compare
        with (methods F3). ``_mcse``: Monte-Carlo standard errors.
    """
    rows = []
    for scenario, mine in trials.groupby("scenario", sort=False):
        truths = truth_of(str(scenario))
        for quantity, name in ESTIMANDS.items():
            for method in METHODS:
                column, stem = STANDS_AS.get((quantity, method), (f"{quantity}_{method}",) * 2)
                always = stem != column or method == "model"
                tried = column in mine and (mine[column].notna().any() or always)
                if tried and np.isfinite(truths.get(quantity, np.nan)):
                    measures = _compared(mine, column, stem, truths[quantity])
                    distance = _from_oracle(mine, column, f"{quantity}_oracle")
                    rows.append((scenario, quantity, method, name, *measures, *distance))
    return pd.DataFrame(rows, columns=COLUMNS)


def _compared(trials: pd.DataFrame, column: str, stem: str, truth: float) -> tuple[float, ...]:
    known = trials[column].dropna().astype(float)
    lower, upper = _limits(trials, stem)
    spread = float(known.std()) if len(known) > 1 else np.nan
    width = (upper - lower) / (2 * float(ndtri(0.975)))
    return (
        truth,
        len(trials),
        len(known),
        len(lower),
        float(known.mean()) - truth,
        spread / np.sqrt(max(len(known), 1)),
        spread,
        spread / np.sqrt(2 * max(len(known) - 1, 1)),
        float(np.sqrt((width**2).mean())),
        *_share((lower <= truth) & (truth <= upper)),
        *_share((lower > 0) | (upper < 0)),
    )


def _limits(trials: pd.DataFrame, stem: str) -> tuple[pd.Series, pd.Series]:
    """Limits of those trials that have both."""
    names = [f"{stem}_lower", f"{stem}_upper"]
    if not set(names) <= set(trials):
        return pd.Series(dtype=float), pd.Series(dtype=float)
    given = trials[names].dropna().astype(float)
    return given[names[0]], given[names[1]]


def _from_oracle(trials: pd.DataFrame, column: str, oracle: str) -> tuple[float, float]:
    if oracle not in trials:
        return np.nan, np.nan
    distance = (trials[column].astype(float) - trials[oracle].astype(float)).dropna()
    if distance.empty:
        return np.nan, np.nan
    return float(distance.mean()), float(distance.std() / np.sqrt(len(distance)))


def _share(holds: pd.Series) -> tuple[float, float]:
    """Share and its Monte-Carlo error; at 0 and 1 that of one trial half there."""
    n = len(holds)
    if n == 0:
        return np.nan, np.nan
    share = float(holds.mean())
    kept = float(np.clip(share, 0.5 / n, 1 - 0.5 / n))
    return share, float(np.sqrt(kept * (1 - kept) / n))
