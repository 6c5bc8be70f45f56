"""How much do the pools depend on small trials, and on any one trial?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.synthesis.groups import PoolingRule, pools_of_class
from discontinuation.synthesis.pooling import PooledEffect, pool
from discontinuation.synthesis.small_study import egger, leave_one_out, trim_and_fill

# Fewer trials cannot show a small-study effect (Sterne et al. 2011, doi:10.1136/bmj.d4002).
FEWEST = 10
POOL = ["contrast", "outcome_group", "measure", "allocation", "drug_class", "trials"]
RESULT = ["estimate", "lower", "upper"]
SMALL_STUDY_COLUMNS = [
    *POOL, "egger_t", "egger_df", "egger_p", "trials_filled", "side_filled",
    *(f"filled_{name}" for name in RESULT), "note",
]  # fmt: skip
LEAVE_ONE_OUT_COLUMNS = [*POOL, "left_out", *RESULT, "tau2", "shift"]


def small_study_table(effects: pd.DataFrame, rule: PoolingRule) -> pd.DataFrame:
    """Test every pool of ten trials or more for small-study effects.

    Parameters
    ----------
    effects
        With the `pooled` column of `eligibility.select_effects`.
    rule
        How the main analysis pools.

    Returns
    -------
    DataFrame
        One row per pool, with Egger's test and trim-and-fill, or why there is none.
    """
    rows = []
    for about, group in pools_of_class(effects):
        row = {**about, "trials": len(group)}
        if len(group) < FEWEST:
            rows.append({**row, "note": f"not tested: fewer than {FEWEST} trials"})
            continue
        try:
            rows.append({**row, **_tests(group, rule), "note": ""})
        except (ValueError, ArithmeticError) as refusal:
            rows.append({**row, "note": f"not tested: {refusal}"})
    return pd.DataFrame(rows, columns=SMALL_STUDY_COLUMNS)


def _tests(group: pd.DataFrame, rule: PoolingRule) -> dict[str, Any]:
    """Test one pool.

    Raises
    ------
    ValueError
        If all trials are equally precise.
    ArithmeticError
        If trimming does not settle.
    """
    y, v = _numbers(group)
    test = egger(y, v)
    filled = trim_and_fill(
        y,
        v,
        method=rule.method,
        knapp_hartung=rule.knapp_hartung,
        truncate=rule.truncate,
        confidence=rule.confidence,
    )
    natural = _natural(filled.pooled, str(group["scale"].iat[0]))
    return {
        "egger_t": test.t,
        "egger_df": test.df,
        "egger_p": test.p,
        "trials_filled": filled.k0,
        "side_filled": filled.side,
        **{f"filled_{name}": value for name, value in natural.items()},
    }


def leave_one_out_table(effects: pd.DataFrame, rule: PoolingRule) -> pd.DataFrame:
    """Pool again without each trial in turn.

    Returns
    -------
    DataFrame
        One row per pool of three trials or more and trial left out.
    """
    rows = [
        row for about, group in pools_of_class(effects) for row in _without_each(about, group, rule)
    ]
    return pd.DataFrame(rows, columns=LEAVE_ONE_OUT_COLUMNS)


def _without_each(
    about: dict[str, Any], group: pd.DataFrame, rule: PoolingRule
) -> Iterator[dict[str, Any]]:
    if len(group) < 3:
        return
    y, v = _numbers(group)
    options: dict[str, Any] = {
        "method": rule.method,
        "knapp_hartung": rule.knapp_hartung,
        "truncate": rule.truncate,
        "prediction": rule.prediction,
        "confidence": rule.confidence,
    }
    scale = str(group["scale"].iat[0])
    whole = pool(y, v, **options)
    for study, without in zip(group["study"], leave_one_out(y, v, **options), strict=True):
        yield {
            **about,
            "left_out": study,
            "trials": len(group) - 1,
            **_natural(without, scale),
            "tau2": without.tau2,
            "shift": without.estimate - whole.estimate,
        }


def _numbers(group: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return group["analysis_estimate"].to_numpy(dtype=float), group["se"].to_numpy(dtype=float) ** 2


def _natural(result: PooledEffect, scale: str) -> dict[str, float]:
    values = {"estimate": result.estimate, "lower": result.lower, "upper": result.upper}
    return {k: math.exp(v) if scale == "log" else v for k, v in values.items()}
