"""What effect did stopping, and the pace of stopping, have in each published trial?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from discontinuation.synthesis.arm_risk import INTERVAL, ArmRisk, arm_risk
from discontinuation.synthesis.counts import (
    design_effect,
    odds_ratio,
    risk_difference,
    risk_ratio,
)
from discontinuation.synthesis.effect import Effect, ZeroCells
from discontinuation.synthesis.means import (
    combine_arms_means,
    mean_difference,
    sd_from_interval,
    sd_from_se,
    standardised_mean_difference,
)
from discontinuation.synthesis.published import ratio_of_times
from discontinuation.synthesis.reported import reported_effects
from discontinuation.synthesis.survival import (
    difference_of_risks_from_variances,
    ratio_of_odds_from_variances,
    ratio_of_risks_from_variances,
)
from discontinuation.tables.comparisons import (
    OUTCOME_GROUPS,
    Comparison,
    comparisons,
    join_results,
)

NAN = math.nan
STUDY_COLUMNS = [
    "title", "cohort", "collection", "collection_rank", "use", "drug", "drug_class", "design",
]  # fmt: skip
SEVERAL = "several lengths"
# A ratio above one, or a difference above zero, means more of the outcome in the group named
# first; a ratio of times above one means later.
COLUMNS = [
    "study", *STUDY_COLUMNS, "reading", "randomised", "contrast", "strategy", "taper_days",
    "taper_band", "outcome", "outcome_type", "outcome_group", "week", "arms_a", "arms_b",
    "events_a", "n_a", "risk_a", "events_b", "n_b", "risk_b", "measure", "estimate", "lower",
    "upper", "scale", "analysis_estimate", "se", "method", "computed_from", "basis", "tier",
    "shared_parts", "design_effect", "same_drug", "tag", "source", "note",
]  # fmt: skip


def trial_effects(
    frames: dict[str, pd.DataFrame],
    zero_cells: ZeroCells = "add_half_if_zero",
    taper_bands: Sequence[float] = (0, 14, 28),
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compute every effect that the published figures of a trial allow.

    Parameters
    ----------
    frames
        The tables studies, arms, results and effects.
    zero_cells
        What to do with an empty cell.
    taper_bands
        Upper ends of the taper bands, days.
    confidence
        Level of the intervals.

    Returns
    -------
    DataFrame
        One row per study, comparison, outcome, time and measure. A hazard ratio is only ever one
        that was published as such or follows from a published log-rank test. `tier` is 4 where
        the same comparison is reported at two or more times, 5 otherwise.
    """
    joined = join_results(frames)
    rows = [row for pair in comparisons(joined) for row in _rows(pair, zero_cells, confidence)]
    computed = {
        (row["study"], row["contrast"], row["outcome_group"], row["measure"])
        for row in rows
        if math.isfinite(row["se"])
    }
    rows += [
        {**row, **_natural(effect, confidence), **limits}
        for row, effect, limits in reported_effects(frames, STUDY_COLUMNS, computed, confidence)
    ]
    table = pd.DataFrame(
        rows, columns=[name for name in COLUMNS if name not in ("taper_band", "tier")]
    )
    table["taper_band"] = [
        row.get("taper_band") or taper_band(row["taper_days"], row["strategy"], taper_bands)
        for row in rows
    ]
    table["tier"] = _tier(table)
    return table[COLUMNS].reset_index(drop=True)


def taper_band(days: float, strategy: str, bands: Sequence[float]) -> str:
    """Name the band of taper lengths that an arm falls into.

    Parameters
    ----------
    days
        Length of the taper; NaN when unknown.
    strategy
        Of the stopped arm.
    bands
        Rising upper ends, days.
    """
    if strategy == "unspecified" or strategy == "any" or pd.isna(days):
        return "not stated"
    lower = None
    for upper in bands:
        if days <= upper:
            return _band(lower, upper)
        lower = upper
    return f"over {bands[-1]:g} days"


def _band(lower: float | None, upper: float) -> str:
    if upper == 0:
        return "at once (0 days)"
    return f"up to {upper:g} days" if lower is None else f"over {lower:g} to {upper:g} days"


def _tier(table: pd.DataFrame) -> pd.Series:
    same = ["study", "contrast", "strategy", "outcome", "measure"]
    times = table.groupby(same, dropna=False)["week"].transform("nunique")
    return times.gt(1).map({True: 4, False: 5})


def _rows(pair: Comparison, zero_cells: ZeroCells, confidence: float) -> Iterator[dict[str, Any]]:
    estimator = str(pair.a["estimator"].iat[0])
    about = _about(pair)
    if estimator in ("crude", "kaplan_meier"):
        yield from _risk_rows(pair, about, zero_cells, confidence)
    elif estimator == "survival_quantile":
        yield from _time_rows(pair, about, confidence)
    else:
        yield from _mean_rows(pair, about, estimator, confidence)


def _about(pair: Comparison) -> dict[str, Any]:
    first = pair.a.iloc[0]
    days = pair.a["taper_days"].dropna().unique()
    randomised = (
        "allocation_randomised" if pair.contrast == "stop vs continue" else "pace_randomised"
    )
    same_drug = pair.b["same_drug"].dropna().unique()
    return {
        "study": first["study"],
        **{name: first[name] for name in STUDY_COLUMNS},
        "reading": _joined(pd.concat([pair.a["reading"], pair.b["reading"]]).fillna("first")),
        "randomised": first[randomised],
        "contrast": pair.contrast,
        "strategy": pair.strategy,
        "taper_days": days[0] if len(days) == 1 and pair.strategy != "any" else NAN,
        "taper_band": SEVERAL if len(days) > 1 and pair.strategy != "any" else None,
        "outcome": first["outcome"],
        "outcome_type": first["outcome_type"],
        "outcome_group": OUTCOME_GROUPS.get(first["outcome_type"], "other"),
        "week": first["week"],
        "arms_a": _joined(pair.a["arm"]),
        "arms_b": _joined(pair.b["arm"]),
        "basis": _joined(pd.concat([pair.a["basis"], pair.b["basis"]])),
        "shared_parts": pair.parts,
        "same_drug": _joined(same_drug) or None,
        "tag": _joined(pd.concat([pair.a["tag"], pair.b["tag"]])),
        "source": _joined(pd.concat([pair.a["source"], pair.b["source"]])),
        "note": _joined(pd.concat([pair.a["note"], pair.b["note"]])) or None,
        "computed_from": "results table",
    }


def _joined(values: Any) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values if pd.notna(value)))


def _risk_rows(
    pair: Comparison, about: dict[str, Any], zero_cells: ZeroCells, confidence: float
) -> Iterator[dict[str, Any]]:
    inflation = _design_effect(pair.a.iloc[0])
    a = arm_risk(pair.a).divided(inflation)
    b = arm_risk(pair.b).divided(inflation * pair.parts)
    counts = {"events_a": a.events, "n_a": a.n, "risk_a": a.risk}
    counts |= {"events_b": b.events, "n_b": b.n, "risk_b": b.risk, "design_effect": inflation}
    for measure, effect in _risk_effects(a, b, zero_cells).items():
        text = _joined([a.method, b.method]) + (f"; {effect.method}" if effect.method else "")
        yield {
            **about,
            **counts,
            "measure": measure,
            **_natural(effect, confidence),
            "method": text,
        }


def _design_effect(study: pd.Series) -> float:
    if pd.isna(study["cluster_size"]) or pd.isna(study["icc"]):
        return 1.0
    return float(design_effect(float(study["cluster_size"]), float(study["icc"])))


def _risk_effects(a: ArmRisk, b: ArmRisk, zero_cells: ZeroCells) -> dict[str, Effect]:
    if a.from_counts and b.from_counts:
        table = a.events, a.n, b.events, b.n
        return {
            "risk_ratio": risk_ratio(*table, zero_cells=zero_cells),
            "odds_ratio": odds_ratio(*table, zero_cells=zero_cells),
            "risk_difference": risk_difference(*table),
        }
    variances = _variance(a), _variance(b)
    if 0 < a.risk < 1 and 0 < b.risk < 1 and all(math.isfinite(v) for v in variances):
        pairs = a.risk, variances[0], b.risk, variances[1]
        return {
            "risk_ratio": ratio_of_risks_from_variances(*pairs),
            "odds_ratio": ratio_of_odds_from_variances(*pairs),
            "risk_difference": difference_of_risks_from_variances(*pairs),
        }
    return _point_effects(a.risk, b.risk)


def _variance(arm: ArmRisk) -> float:
    if arm.method == INTERVAL or not arm.from_counts:
        return arm.variance
    return arm.risk * (1 - arm.risk) / arm.n


def _point_effects(risk_a: float, risk_b: float) -> dict[str, Effect]:
    """Effects without precision: neither a number nor an interval is published."""
    if not math.isfinite(risk_a + risk_b):
        why = "not estimable: neither counts nor proportions in both groups"
        return {"risk_difference": Effect(NAN, NAN, "identity", why)}
    if not (0 < risk_a < 1 and 0 < risk_b < 1):
        why = "no interval: nobody or everybody had the event in a group"
        return {"risk_difference": Effect(risk_a - risk_b, NAN, "identity", why)}
    why = "no interval: sizes of the arms not published"
    odds = risk_a / (1 - risk_a) / (risk_b / (1 - risk_b))
    return {
        "risk_ratio": Effect(math.log(risk_a / risk_b), NAN, "log", why),
        "odds_ratio": Effect(math.log(odds), NAN, "log", why),
        "risk_difference": Effect(risk_a - risk_b, NAN, "identity", why),
    }


def _natural(effect: Effect, confidence: float) -> dict[str, Any]:
    estimate, lower, upper = effect.natural(confidence)
    return {
        "estimate": estimate,
        "lower": lower,
        "upper": upper,
        "scale": effect.scale,
        "analysis_estimate": effect.estimate,
        "se": math.sqrt(float(effect.variance)),
    }


def _time_rows(
    pair: Comparison, about: dict[str, Any], confidence: float
) -> Iterator[dict[str, Any]]:
    """Compare the times at which a given share is still well."""
    if len(pair.a) != 1 or len(pair.b) != 1:
        return
    a, b = pair.a.iloc[0], pair.b.iloc[0]
    times = float(a["week"]), float(b["week"])
    precision = _time_precision(a, "a") | _time_precision(b, "b")
    if len(precision) == 2:
        effect = ratio_of_times(*times, **precision, confidence=0.95)
    else:
        why = "no interval: none published for both times"
        effect = Effect(math.log(times[0] / times[1]), NAN, "log", why)
    level = float(a["event_free"])
    sizes = {
        "n_a": _number(a["n"]),
        "n_b": _number(b["n"]),
        "risk_a": 1 - level,
        "risk_b": 1 - level,
    }
    row = {**about, **sizes, "measure": "ratio_of_times", **_natural(effect, confidence)}
    text = f"weeks until {level:.0%} were event-free: {times[0]:g} and {times[1]:g}"
    yield {**row, "method": f"{text}; {effect.method}", "week": NAN}


def _time_precision(row: pd.Series, arm: str) -> dict[str, Any]:
    if pd.notna(row["week_se"]):
        return {f"se_{arm}": float(row["week_se"])}
    if pd.notna(row["week_lower"]) and pd.notna(row["week_upper"]):
        return {f"interval_{arm}": (float(row["week_lower"]), float(row["week_upper"]))}
    return {}


def _mean_rows(
    pair: Comparison, about: dict[str, Any], estimator: str, confidence: float
) -> Iterator[dict[str, Any]]:
    """Compare means of a scale, or restricted mean event-free times."""
    inflation = _design_effect(pair.a.iloc[0])
    a, b = _arm_mean(pair.a), _arm_mean(pair.b)
    a, b = replace(a, n=a.n / inflation), replace(b, n=b.n / (inflation * pair.parts))
    scores = pd.concat([pair.a["score"], pair.b["score"]])
    how = _joined([a.how, b.how, *scores])
    if math.isfinite(a.sd + b.sd + a.n + b.n):
        numbers = a.mean, a.sd, a.n, b.mean, b.sd, b.n
        effects = {"mean_difference": mean_difference(*numbers)}
        if estimator == "mean":
            effects["standardised_mean_difference"] = standardised_mean_difference(*numbers)
    else:
        effects = {"mean_difference": Effect(a.mean - b.mean, NAN, "identity", "no interval")}
    if estimator == "restricted_mean":
        effects = {"restricted_mean_difference": effects["mean_difference"]}
    for measure, effect in effects.items():
        sizes = {"n_a": a.n, "n_b": b.n, "design_effect": inflation, "measure": measure}
        text = f"{how}; {effect.method}"
        yield {**about, **sizes, **_natural(effect, confidence), "method": text}


@dataclass(frozen=True)
class ArmMean:
    """Mean, standard deviation and size of one group of arms, and where the deviation is from."""

    mean: float
    sd: float
    n: float
    how: str


def _arm_mean(rows: pd.DataFrame) -> ArmMean:
    """Take arms together; without all sizes and deviations only a single arm has a mean."""
    found = [_sd(row) for _, row in rows.iterrows()]
    means = rows["mean"].to_numpy(dtype=float)
    sizes = rows["n"].astype(float).to_numpy()
    deviations = np.array([sd for sd, _ in found])
    how = _joined(text for _, text in found)
    if len(rows) == 1:
        return ArmMean(float(means[0]), float(deviations[0]), float(sizes[0]), how)
    if not np.isfinite(means + sizes + deviations).all():
        return ArmMean(NAN, NAN, NAN, how)
    mean, sd, n = combine_arms_means(means, deviations, sizes)
    return ArmMean(float(mean), float(sd), float(n), f"{how}; arms combined")


def _number(value: Any) -> float:
    return float(value) if pd.notna(value) else NAN


def _sd(row: pd.Series) -> tuple[float, str]:
    """Find the standard deviation between people, published or recovered."""
    n = _number(row["n"])
    if pd.notna(row["sd"]):
        return float(row["sd"]), "SD published"
    if pd.notna(row["se"]) and math.isfinite(n):
        return float(sd_from_se(float(row["se"]), n)), "SD from the SE"
    if pd.notna(row["mean_lower"]) and pd.notna(row["mean_upper"]) and math.isfinite(n):
        limits = float(row["mean_lower"]), float(row["mean_upper"])
        return float(sd_from_interval(*limits, n)), "SD from the interval"
    return NAN, "SD not published"
