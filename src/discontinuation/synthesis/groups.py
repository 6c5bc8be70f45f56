"""What do the trials say together, overall and by class, strategy and taper length?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from scipy.stats import chi2

from discontinuation.synthesis.eligibility import select_effects
from discontinuation.synthesis.pooling import PooledEffect, pool

NAN = math.nan
ALL = "all"


@dataclass(frozen=True)
class PoolingRule:
    """How estimates are pooled."""

    method: Literal["REML", "DL", "PM", "common"] = "REML"
    knapp_hartung: bool = True
    truncate: bool = True
    prediction: Literal["t_k-1", "t_k-2", "z"] = "t_k-1"
    confidence: float = 0.95

    def __str__(self) -> str:
        if self.method == "common":
            return "common effect, normal interval"
        hartung = "truncated Hartung-Knapp" if self.truncate else "Hartung-Knapp"
        return f"{self.method}, {hartung if self.knapp_hartung else 'normal'} interval"


SENSITIVITY_RULES = (
    PoolingRule("DL", knapp_hartung=False),
    PoolingRule("common", knapp_hartung=False),
)


def pool_trials(effects: pd.DataFrame, first: pd.DataFrame, rule: PoolingRule) -> pd.DataFrame:
    """Pool the effects of all trials, in every way that keeps unlike things apart.

    Parameters
    ----------
    effects
        Effects of the corrected table, from `contrasts.trial_effects`.
    first
        Effects of the table as first read.
    rule
        How to pool in the main analysis.

    Returns
    -------
    DataFrame
        One row per pool. `role`: main; sensitivity (another rule or another set of trials);
        check (the table as first read). Randomised and other trials are never in one number, nor
        are relapse and withdrawal; one trial is not pooled.
    """
    rows = list(_sets(effects, rule))
    check = (
        row for row in _pools(_check_set(first), SENSITIVITY_RULES[0]) if row["drug_class"] != ALL
    )
    rows += _labelled(check, "check", AS_FIRST_READ)
    return pd.DataFrame(rows, columns=COLUMNS)


MAIN = "corrected table"
AS_FIRST_READ = "table as first read: antidepressant trials with counts in both arms"


def _sets(effects: pd.DataFrame, rule: PoolingRule) -> Iterator[dict[str, Any]]:
    chosen = select_effects(effects)
    yield from _labelled(_pools(chosen, rule, subgroups=True), "main", MAIN)
    for other in SENSITIVITY_RULES:
        yield from _labelled(_pools(chosen, other), "sensitivity", MAIN)
    for name, subset in sensitivity_sets(effects).items():
        yield from _labelled(_pools(subset, rule), "sensitivity", name)


def _labelled(rows: Iterator[dict[str, Any]], role: str, name: str) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {"role": role, "set": name, **row}


def sensitivity_sets(effects: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Choose the trials differently, one decision at a time.

    Returns
    -------
    dict
        Effects with their `pooled` column, by the name of the decision.
    """
    reported = effects["basis"].eq("reported") | effects["measure"].eq("hazard_ratio")
    sure = ~effects["same_drug"].isin(["no", "not_stated"])
    known = effects["strategy"] != "unspecified"
    return {
        "reported counts only": select_effects(effects.loc[reported]),
        "without trials whose continued arm may have switched drug": select_effects(
            effects.loc[sure]
        ),
        "without trials that do not say how the drug was stopped": select_effects(
            effects.loc[known]
        ),
        "with Kaplan-Meier proportions as if nobody was censored": select_effects(
            effects, uncensored=True
        ),
        "without rows found after the first reading": select_effects(
            effects.loc[effects["reading"] == "first"]
        ),
    }


def _check_set(first: pd.DataFrame) -> pd.DataFrame:
    """Reproduce the whole-table check on the figures as first read.

    Its rule: antidepressant trials with a count of relapses in a maintained and in a stopped arm,
    last week each, several maintained arms added, arms with added therapy left out.
    """
    counted = first["method"].str.fullmatch("counts(; .*)?") & (first["outcome_group"] == "relapse")
    chosen = first.loc[counted & (first["drug_class"] == "antidepressant")]
    return select_effects(chosen.loc[chosen["contrast"] == "stop vs continue"])


def pools_of_class(effects: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """Split effects into the sets that may be pooled, all drug classes and each.

    Parameters
    ----------
    effects
        With the `pooled` column of `eligibility.select_effects`.

    Yields
    ------
    about : dict
        contrast, outcome_group, measure, allocation, drug_class.
    group : DataFrame
        One effect per independent cohort.
    """
    overall = effects.loc[effects["pooled"].isin(["everywhere", "overall"])]
    for about, group in _apart(overall):
        yield {**about, "drug_class": ALL}, group
        for drug_class, members in group.groupby("drug_class", sort=True):
            yield {**about, "drug_class": str(drug_class)}, members


def _apart(effects: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """Keep contrasts, kinds of outcome, measures and kinds of allocation apart."""
    allocation = effects["randomised"].map({"yes": "randomised"})
    table = effects.assign(allocation=allocation.fillna("not randomised or not stated"))
    names = ["contrast", "outcome_group", "measure", "allocation"]
    for key, group in table.groupby(names, sort=False):
        yield dict(zip(names, map(str, key), strict=True)), group


def _pools(
    effects: pd.DataFrame, rule: PoolingRule, subgroups: bool = False
) -> Iterator[dict[str, Any]]:
    overall = effects.loc[effects["pooled"].isin(["everywhere", "overall"])]
    for about, group in _apart(overall):
        place = {**about, "subgroup_by": "none", "subgroup": ALL}
        yield {**place, "drug_class": ALL, **_pool_row(group, rule)}
        classes = [
            {**place, "drug_class": name, **_pool_row(members, rule)}
            for name, members in group.groupby("drug_class", sort=True)
        ]
        yield from _with_test(classes)
    if not subgroups:
        return
    stopped_one_way = effects.loc[effects["pooled"].isin(["everywhere", "by strategy"])]
    stopping = stopped_one_way["contrast"] == "stop vs continue"
    for about, group in _apart(stopped_one_way.loc[stopping]):
        for drug_class in (ALL, *sorted(group["drug_class"].unique())):
            members = group if drug_class == ALL else group.loc[group["drug_class"] == drug_class]
            for by in ("strategy", "taper_band"):
                yield from _subgroups(members, by, rule, {**about, "drug_class": drug_class})


def _subgroups(
    members: pd.DataFrame, by: str, rule: PoolingRule, about: dict[str, str]
) -> Iterator[dict[str, Any]]:
    rows = [
        {**about, "subgroup_by": by, "subgroup": level, **_pool_row(group, rule)}
        for level, group in members.groupby(by, sort=True)
    ]
    yield from _with_test(rows)


def _with_test(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Add the test of whether these pools differ to each of them."""
    test = _between(rows)
    yield from ({**row, **test} for row in rows)


def _between(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Test whether pooled subgroups differ, each with its own between-trial variance."""
    usable = [row for row in rows if math.isfinite(row["analysis_estimate"]) and row["trials"] > 1]
    if len(usable) < 2:
        return {"subgroup_q": NAN, "subgroup_df": NAN, "subgroup_p": NAN}
    weights = [row["se"] ** -2 for row in usable]
    estimates = [row["analysis_estimate"] for row in usable]
    mean = sum(w * y for w, y in zip(weights, estimates, strict=True)) / sum(weights)
    q = sum(w * (y - mean) ** 2 for w, y in zip(weights, estimates, strict=True))
    return {
        "subgroup_q": q,
        "subgroup_df": len(usable) - 1,
        "subgroup_p": float(chi2.sf(q, len(usable) - 1)),
    }


def _pool_row(group: pd.DataFrame, rule: PoolingRule) -> dict[str, Any]:
    counts = {
        "trials": len(group),
        "people": _total(group, "n_a", "n_b"),
        "events_a": _total(group, "events_a"),
        "n_a": _total(group, "n_a"),
        "events_b": _total(group, "events_b"),
        "n_b": _total(group, "n_b"),
        "trials_abrupt": int((group["strategy"] == "abrupt").sum()),
        "trials_taper": int((group["strategy"] == "taper").sum()),
        "trials_several": int((group["strategy"] == "any").sum()),
        "trials_unspecified": int((group["strategy"] == "unspecified").sum()),
        "rule": str(rule),
        "studies": "; ".join(group["study"]),
    }
    if len(group) < 2:
        empty = dict.fromkeys(NUMBERS, NAN)
        return {**counts, **empty, "note": "one trial is not pooled" if len(group) else "no trial"}
    result = pool(
        group["analysis_estimate"].to_numpy(dtype=float),
        group["se"].to_numpy(dtype=float) ** 2,
        method=rule.method,
        knapp_hartung=rule.knapp_hartung,
        truncate=rule.truncate,
        prediction=rule.prediction,
        confidence=rule.confidence,
    )
    return {**counts, **_numbers(result, str(group["scale"].iat[0])), "note": _note(result, group)}


NUMBERS = (
    "estimate", "lower", "upper", "prediction_lower", "prediction_upper", "reversed_estimate",
    "reversed_lower", "reversed_upper", "analysis_estimate", "se", "tau2", "tau2_lower",
    "tau2_upper", "i2", "i2_lower", "i2_upper", "i2_q", "q", "q_df", "q_p",
)  # fmt: skip


COLUMNS = [
    "role", "set", "contrast", "outcome_group", "measure", "allocation", "drug_class",
    "subgroup_by", "subgroup", "trials", "people", "events_a", "n_a", "events_b", "n_b",
    "trials_abrupt", "trials_taper", "trials_several", "trials_unspecified", "rule", "studies",
    *NUMBERS, "subgroup_q", "subgroup_df", "subgroup_p", "note",
]  # fmt: skip


def _numbers(result: PooledEffect, scale: str) -> dict[str, float]:
    limits = {
        "estimate": result.estimate,
        "lower": result.lower,
        "upper": result.upper,
        "prediction_lower": result.prediction_lower,
        "prediction_upper": result.prediction_upper,
    }
    turned = {
        "reversed_estimate": -result.estimate,
        "reversed_lower": -result.upper,
        "reversed_upper": -result.lower,
    }
    natural = {k: math.exp(v) if scale == "log" else v for k, v in (limits | turned).items()}
    names = NUMBERS[NUMBERS.index("se") :]
    as_is = {name: getattr(result, name) for name in names}
    return {**natural, "analysis_estimate": result.estimate, **as_is}


def _total(group: pd.DataFrame, *columns: str) -> float:
    """Add up people; NaN if any trial does not say."""
    numbers = group[list(columns)].astype(float)
    return float(numbers.sum().sum()) if numbers.notna().all(axis=None) and len(group) else NAN


def _note(result: PooledEffect, group: pd.DataFrame) -> str:
    """Say where Review Manager would print something else, and why."""
    if result.method == "common":
        return ""
    estimates = group["analysis_estimate"].to_numpy(dtype=float)
    variances = group["se"].to_numpy(dtype=float) ** 2
    scale = str(group["scale"].iat[0])
    notes = []
    if result.knapp_hartung and result.truncated:
        plain = pool(
            estimates,
            variances,
            method=result.method,
            truncate=False,
            confidence=result.confidence,
        )
        notes.append(f"untruncated Hartung-Knapp interval {_range(plain, scale)}")
    if result.knapp_hartung:
        level = result.confidence
        wald = pool(estimates, variances, method="DL", knapp_hartung=False, confidence=level)
        notes.append(f"RevMan's interval before 2025 (DL, normal) {_range(wald, scale)}")
    if round(result.i2) != round(result.i2_q):
        notes.append(f"I2 from Q (older RevMan) {result.i2_q:.0f} %, from tau2 {result.i2:.0f} %")
    return "; ".join(notes)


def _range(result: PooledEffect, scale: str) -> str:
    lower, upper = result.lower, result.upper
    if scale == "log":
        lower, upper = math.exp(lower), math.exp(upper)
    return f"{lower:.2f} to {upper:.2f}"
