"""Effects that trials published themselves, turned to the pipeline's direction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from scipy.stats import norm

from discontinuation.synthesis.effect import Effect, Scale
from discontinuation.synthesis.published import (
    hazard_ratio_from_logrank,
    se_from_interval,
    se_from_p,
)
from discontinuation.tables.comparisons import OUTCOME_GROUPS

NAN = math.nan
DIRECTIONS = {
    "stop_vs_continue": ("stop vs continue", 1),
    "continue_vs_stop": ("stop vs continue", -1),
    "abrupt_vs_taper": ("abrupt vs taper", 1),
    "taper_vs_abrupt": ("abrupt vs taper", -1),
}
RATIOS = ("hazard_ratio", "risk_ratio", "odds_ratio", "rate_ratio", "ratio_of_times")
DIFFERENCES = ("risk_difference", "mean_difference", "standardised_mean_difference")
LOGRANK = "logrank_p"
PRINTED = 0.95


def reported_effects(
    frames: dict[str, pd.DataFrame],
    study_columns: Sequence[str],
    computed: set[tuple[str, str, str, str]],
    confidence: float = PRINTED,
) -> Iterator[tuple[dict[str, Any], Effect, dict[str, float]]]:
    """Take over ratios and differences that a trial or cohort published.

    Parameters
    ----------
    frames
        The tables studies, arms and effects.
    study_columns
        Columns of the study to carry along.
    computed
        Study, contrast, group of outcomes and measure of effects that were computed from the arms
        with an interval; those published as well are not repeated.
    confidence
        Level of the intervals that are wanted; printed ones are 95 % intervals.

    Yields
    ------
    row : dict
        What the effect is about, without its numbers.
    effect : Effect
        The group that stopped, or stopped faster, first; ratios on the log scale.
    limits : dict
        `lower` and `upper` as printed, in that direction; empty where none were printed, or
        not at this level.
    """
    effects = frames["effects"]
    of_a_trial = effects["kind"].isin(["trial", "cohort"]) & effects["contrast"].isin(DIRECTIONS)
    usable = effects.loc[of_a_trial & effects["measure"].isin([*RATIOS, *DIFFERENCES, LOGRANK])]
    studies = frames["studies"].set_index("study")
    for _, row in usable.iterrows():
        contrast, sign = DIRECTIONS[row["contrast"]]
        measure = "hazard_ratio" if row["measure"] == LOGRANK else row["measure"]
        group = OUTCOME_GROUPS.get(row["outcome_type"], "other")
        known = (row["study"], contrast, group, measure) in computed
        if row["study"] not in studies.index or known:
            continue
        study = studies.loc[row["study"]]
        published = _published(row)
        effect = replace(published, estimate=sign * published.estimate)
        about = {name: study[name] for name in study_columns}
        paced = contrast == "abrupt vs taper"
        yield (
            {
                "study": row["study"],
                **about,
                "reading": row["reading"] or "first",
                "randomised": study["pace_randomised" if paced else "allocation_randomised"],
                "contrast": contrast,
                "strategy": row["strategy"] or ("abrupt" if paced else "unspecified"),
                "taper_days": _taper_days(frames["arms"], row),
                "outcome": row["comparison"],
                "outcome_type": row["outcome_type"],
                "outcome_group": group,
                "week": row["week"],
                "measure": measure,
                "method": effect.method,
                "computed_from": "effects table",
                "basis": "reported",
                "shared_parts": 1,
                "design_effect": 1.0,
                "tag": row["tag"],
                "source": row["source"],
                "note": row["note"],
            },
            effect,
            _printed_limits(row, sign) if confidence == PRINTED else {},
        )


def _printed_limits(row: pd.Series, sign: int) -> dict[str, float]:
    """Keep the printed interval, which rounding makes differ a little from a recomputed one."""
    if row["measure"] == LOGRANK or pd.isna(row["lower"]) or pd.isna(row["upper"]):
        return {}
    limits = float(row["lower"]), float(row["upper"])
    turned = [x**sign if row["measure"] in RATIOS else sign * x for x in limits]
    return {"lower": min(turned), "upper": max(turned)}


def _published(row: pd.Series) -> Effect:
    """Find a published effect's precision: its interval, its standard error, or an exact P."""
    if row["measure"] == LOGRANK:
        counts = (float(row[name]) for name in ("events_1", "n_1", "events_2", "n_2"))
        return hazard_ratio_from_logrank(*counts, p=float(row["estimate"]))
    is_ratio = row["measure"] in RATIOS
    scale: Scale = "log" if is_ratio else "identity"
    value = float(row["estimate"])
    estimate = math.log(value) if is_ratio else value
    se, source = _precision(row, value, is_ratio)
    text = f"{str(row['measure']).replace('_', ' ')} as published, {source}"
    return Effect(estimate, se**2, scale, text)


def _precision(row: pd.Series, value: float, is_ratio: bool) -> tuple[float, str]:
    if pd.notna(row["lower"]) and pd.notna(row["upper"]):
        limits = float(row["lower"]), float(row["upper"])
        if is_ratio:
            return float(se_from_interval(*limits)), "variance from its interval"
        return (limits[1] - limits[0]) / (2 * norm.ppf(0.975)), "variance from its interval"
    if pd.notna(row["se"]):
        return float(row["se"]), "with its standard error"
    if is_ratio and pd.notna(row["p_value"]) and row["p_relation"] == "exact" and value != 1:
        return float(se_from_p(value, float(row["p_value"]))), "variance from its exact P"
    return NAN, "no interval and no exact P published"


def _taper_days(arms: pd.DataFrame, effect: pd.Series) -> float:
    mine = arms.loc[(arms["study"] == effect["study"]) & (arms["strategy"] == effect["strategy"])]
    days = mine["taper_days"].dropna().unique()
    return float(days[0]) if len(days) == 1 else NAN
