"""Effects that trials published themselves, turned to the pipeline's direction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from discontinuation.synthesis.effect import Effect
from discontinuation.synthesis.published import (
    hazard_ratio_from_logrank,
    log_hazard_ratio_from_interval,
    log_hazard_ratio_from_p,
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
LOGRANK = "logrank_p"
PRINTED = 0.95


def reported_effects(
    frames: dict[str, pd.DataFrame],
    study_columns: Sequence[str],
    computed: set[tuple[str, str, str]],
    confidence: float = PRINTED,
) -> Iterator[tuple[dict[str, Any], Effect, dict[str, float]]]:
    """Take over ratios that a trial or cohort published.

    Parameters
    ----------
    frames
        The tables studies, arms and effects.
    study_columns
        Columns of the study to carry along.
    computed
        Study, contrast and measure of effects that were computed from the arms with an interval;
        those published as well are not repeated.
    confidence
        Level of the intervals that are wanted; printed ones are 95 % intervals.

    Yields
    ------
    row : dict
        What the effect is about, without its numbers.
    effect : Effect
        On the log scale, the group that stopped, or stopped faster, first.
    limits : dict
        `lower` and `upper` as printed, in that direction; empty where none were printed, or
        not at this level.
    """
    effects = frames["effects"]
    of_a_trial = effects["kind"].isin(["trial", "cohort"]) & effects["contrast"].isin(DIRECTIONS)
    usable = effects.loc[of_a_trial & effects["measure"].isin([*RATIOS, LOGRANK])]
    studies = frames["studies"].set_index("study")
    for _, row in usable.iterrows():
        contrast, sign = DIRECTIONS[row["contrast"]]
        measure = "hazard_ratio" if row["measure"] == LOGRANK else row["measure"]
        if row["study"] not in studies.index or (row["study"], contrast, measure) in computed:
            continue
        study = studies.loc[row["study"]]
        published = _published(row)
        effect = Effect(sign * published.estimate, published.variance, "log", published.method)
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
                "outcome_group": OUTCOME_GROUPS.get(row["outcome_type"], "other"),
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
    lower, upper = sorted((float(row["lower"]) ** sign, float(row["upper"]) ** sign))
    return {"lower": lower, "upper": upper}


def _published(row: pd.Series) -> Effect:
    """Find a published ratio's precision: its interval, its standard error, or an exact P."""
    if row["measure"] == LOGRANK:
        counts = (float(row[name]) for name in ("events_1", "n_1", "events_2", "n_2"))
        return hazard_ratio_from_logrank(*counts, p=float(row["estimate"]))
    ratio = float(row["estimate"])
    if pd.notna(row["lower"]) and pd.notna(row["upper"]):
        return log_hazard_ratio_from_interval(ratio, float(row["lower"]), float(row["upper"]))
    if pd.notna(row["p_value"]) and row["p_relation"] == "exact" and ratio != 1:
        return log_hazard_ratio_from_p(ratio, float(row["p_value"]))
    return Effect(math.log(ratio), NAN, "log", "no interval and no exact P published")


def _taper_days(arms: pd.DataFrame, effect: pd.Series) -> float:
    mine = arms.loc[(arms["study"] == effect["study"]) & (arms["strategy"] == effect["strategy"])]
    days = mine["taper_days"].dropna().unique()
    return float(days[0]) if len(days) == 1 else NAN
