"""What is this manner of stopping to be called: by its doses, and at the receptor?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.config import complete_config
from discontinuation.exposure.occupancy_fall import WINDOW_DAYS
from discontinuation.fingerprint import ROOT

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Span = tuple[FloatArray, FloatArray]  # lowest and highest value; minus and plus infinity: unknown
Held = tuple[BoolArray, BoolArray]  # surely, possibly

SCHEMA = ROOT.parents[1] / "workflow" / "schemas" / "strategies.schema.yaml"
WORDS = {"at_least": "at least", "above": "above", "at_most": "at most", "below": "below"}
FALL_AT_LEAST, FALL_AT_MOST = (
    np.log2(9),
    np.log2(81),
)  # half-lives from 90 to 10 %, of any hyperbola


@dataclass(frozen=True)
class Limit:
    """A quantity of pace against a threshold; `comparison` is at_least, above, at_most or below."""

    quantity: str
    comparison: str
    threshold: float

    def __str__(self) -> str:
        return f"{self.quantity} {WORDS[self.comparison]} {self.threshold:g}"


@dataclass(frozen=True)
class Rule:
    """A label and when it holds: all its limits, or any of them; without limits always."""

    label: str
    limits: tuple[Limit, ...]
    any_of_them: bool
    source: str
    tag: str

    @property
    def statement(self) -> str:
        """The rule in words."""
        words = " or " if self.any_of_them else " and "
        return words.join(map(str, self.limits)) or "none of the labels before"


@dataclass(frozen=True)
class Strategies:
    """How the manner of stopping is named; see the schema of `strategies`.

    Attributes
    ----------
    gap_days, stable_days
        As in `pace_of`.
    milligrams, receptor
        Rules in the order in which they are tried.
    quick, slow
        Published labels on either side of their author's line.
    """

    gap_days: float
    stable_days: float
    milligrams: tuple[Rule, ...]
    receptor: tuple[Rule, ...]
    quick: tuple[str, ...]
    slow: tuple[str, ...]


def read_strategies(block: Mapping[str, Any] | None = None) -> Strategies:
    """Read the block `strategies` of a configuration.

    Parameters
    ----------
    block
        As read from YAML; what it leaves out takes its default.

    Raises
    ------
    InvalidInput
        With every unknown key, wrong type and impossible value.
    """
    import yaml

    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    content = complete_config(dict(block or {}), schema, place="strategies")
    return Strategies(
        gap_days=content["gap_days"],
        stable_days=content["stable_days"],
        milligrams=_rules(content["milligrams"]),
        receptor=_rules(content["receptor"]),
        quick=tuple(content["quick"]),
        slow=tuple(content["slow"]),
    )


def _rules(rules: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            rule["label"],
            tuple(_limits(rule["limits"])),
            rule["hold"] == "any",
            rule["source"],
            rule["tag"],
        )
        for rule in rules
    )


def _limits(limits: Sequence[Mapping[str, Any]]) -> Iterator[Limit]:
    for limit in limits:
        for comparison in WORDS:
            if comparison in limit:
                yield Limit(limit["quantity"], comparison, float(limit[comparison]))


def label_pace(table: pd.DataFrame, strategies: Strategies) -> pd.DataFrame:
    """Name each manner of stopping, by its doses and at the receptor.

    Parameters
    ----------
    table
        With the columns of `Pace.table`: runs of people, or medians of arms.
    strategies
        From `read_strategies`.

    Returns
    -------
    DataFrame
        One row per row of `table`, with its index: in_milligrams, at_receptor (labels; None where
        they cannot be told), why_in_milligrams, why_at_receptor (the rule that held, or why none
        can be told).

    Notes
    -----
    Where a drug has a half-life but no occupancy curve and was stopped in one step, two things are
    known of its occupancy whatever the curve, as long as that is a hyperbola: the fall from 90 to
    10 % takes between log2 9 = 3.17 and log2 81 = 6.34 half-lives, and no 7 days take more than
    ``1 - 2^(-7 / half-life)`` of the occupancy at the start. A label at the receptor is given if
    these limits decide it; if they leave two, both are named.
    """
    doses = label_by_rules(table, strategies.milligrams, table["refused"])
    reasons = table["fall_refused"].where(table["fall_refused"].notna(), table["refused"])
    spans = _known_without_curve(table)
    receptor = label_by_rules(table, strategies.receptor, reasons, spans)
    return pd.DataFrame(
        {
            "in_milligrams": doses["label"],
            "why_in_milligrams": doses["why"],
            "at_receptor": receptor["label"],
            "why_at_receptor": receptor["why"],
        }
    )


def label_by_rules(
    table: pd.DataFrame,
    rules: Sequence[Rule],
    reasons: pd.Series,
    spans: Mapping[str, Span] | None = None,
) -> pd.DataFrame:
    """Apply rules in their order; the first that holds gives the label.

    Parameters
    ----------
    table
        Quantities; NaN where they are not known.
    rules
        What to try.
    reasons
        Why quantities are not known, by row.
    spans
        Lowest and highest possible value of a quantity, by its name, where its column is NaN.

    Returns
    -------
    DataFrame
        label and why, with the index of `table`. Nothing is guessed: a label is None where an
        unknown quantity could change it, and several labels are joined by "or" where the range of
        a quantity leaves several.
    """
    labels = np.full(len(table), None, dtype=object)
    why = np.full(len(table), None, dtype=object)
    candidates = np.zeros(len(table), dtype=int)
    undecided = np.ones(len(table), dtype=bool)
    unknown = np.zeros(len(table), dtype=bool)
    for rule in rules:
        surely, possibly = _holds(rule, table, spans or {})
        mine = undecided & possibly
        unknown |= mine & ~surely & _unknown(rule, table, spans or {})
        labels[mine] = [
            rule.label if label is None else f"{label} or {rule.label}" for label in labels[mine]
        ]
        why[mine & surely & (candidates == 0)] = rule.statement
        candidates += mine
        undecided &= ~surely
    why[candidates > 1] = "the range of a quantity reaches over a limit"
    told = reasons.fillna("a quantity is not known").to_numpy(dtype=object)
    none = candidates == 0
    told[none] = "none of the rules holds"
    untold = unknown | undecided
    labels[untold], why[untold] = None, told[untold]
    return pd.DataFrame({"label": labels, "why": why}, index=table.index)


def _holds(rule: Rule, table: pd.DataFrame, spans: Mapping[str, Span]) -> Held:
    """Whether a rule holds surely, and whether it may."""
    if not rule.limits:
        always = np.ones(len(table), dtype=bool)
        return always, always
    held = [_compare(limit, _span(limit.quantity, table, spans)) for limit in rule.limits]
    combine = np.logical_or if rule.any_of_them else np.logical_and
    surely, possibly = (combine.reduce(part) for part in zip(*held, strict=True))
    return surely, possibly


def _compare(limit: Limit, span: Span) -> Held:
    low, high = span
    compare = {
        "at_least": np.greater_equal,
        "above": np.greater,
        "at_most": np.less_equal,
        "below": np.less,
    }[limit.comparison]
    one, other = compare(low, limit.threshold), compare(high, limit.threshold)
    return one & other, one | other


def _span(quantity: str, table: pd.DataFrame, spans: Mapping[str, Span]) -> Span:
    value = table[quantity].to_numpy(dtype=float)
    low, high = spans.get(quantity, (np.full(len(table), -np.inf), np.full(len(table), np.inf)))
    return np.where(np.isnan(value), low, value), np.where(np.isnan(value), high, value)


def _unknown(rule: Rule, table: pd.DataFrame, spans: Mapping[str, Span]) -> BoolArray:
    ends = [_span(limit.quantity, table, spans) for limit in rule.limits]
    return np.asarray(np.logical_or.reduce([np.isinf(low) | np.isinf(high) for low, high in ends]))


def _known_without_curve(table: pd.DataFrame) -> dict[str, Span]:
    """Limits of the fall of a drug stopped in one step, for any hyperbolic occupancy curve."""
    half_life = table["half_life_days"].to_numpy(dtype=float)
    at_once = table["refused"].isna() & (table["steps"] == 1)
    # Another reason than a missing curve, such as unknown days, leaves nothing known.
    no_curve = table["starting_occupancy"].isna()
    fallen = table["days_off"] >= FALL_AT_MOST * half_life
    known = (at_once & no_curve & fallen).to_numpy(dtype=bool) & ~np.isnan(half_life)
    days = (FALL_AT_LEAST * half_life, FALL_AT_MOST * half_life)
    drop = -np.expm1(-np.log(2) * WINDOW_DAYS / half_life)
    return {
        "fall_90_10_days": (np.where(known, days[0], -np.inf), np.where(known, days[1], np.inf)),
        "drop_7_days": (np.where(known, 0.0, -np.inf), np.where(known, drop, np.inf)),
    }
