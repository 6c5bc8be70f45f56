"""How numbers are written in the report: one place for digits, signs and what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

MISSING = "–"
RATIOS = ("risk_ratio", "odds_ratio", "hazard_ratio", "ratio_of_times", "rate_ratio")
Writer = Callable[[float], str]


def is_number(value: Any) -> bool:
    """Whether there is a finite number to write."""
    return not isinstance(value, str) and bool(pd.notna(value)) and math.isfinite(float(value))


def full(value: Any) -> str:
    """Write a number so that reading it back gives the same number; blank when missing."""
    if not is_number(value):
        return ""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def written(value: Any, writer: Writer) -> str:
    """Write a number, or a dash where there is none."""
    return writer(float(value)) if is_number(value) else MISSING


def interval(lower: Any, upper: Any, writer: Writer) -> str:
    """Write an interval, or a dash unless both limits exist."""
    if not (is_number(lower) and is_number(upper)):
        return MISSING
    return f"{writer(float(lower))} to {writer(float(upper))}"


def count(value: float) -> str:
    """Write people, events or trials; a share of them keeps one decimal."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def ratio(value: float) -> str:
    """Write a ratio with two decimals, fewer when large and two digits when tiny."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


def decimal(value: float) -> str:
    """Write any number with two decimals."""
    return _minus(f"{value:.2f}")


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return _minus(f"{value:+.2f}")


def of_a_hundred(value: float) -> str:
    """Write a difference of proportions as people of a hundred, with its sign."""
    return _minus(f"{100 * value:+.1f}")


def percent(value: float) -> str:
    """Write a proportion as a percentage."""
    return _minus(f"{100 * value:.1f} %")


def whole_percent(value: float) -> str:
    """Write a proportion as a whole percentage."""
    return _minus(f"{100 * value:.0f} %")


def already_percent(value: float) -> str:
    """Write a number that is a percentage."""
    return f"{value:.0f} %"


def probability(value: float) -> str:
    """Write a P value."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def plain(value: float) -> str:
    """Write weeks, days and other measures with as many digits as they need."""
    return _minus(f"{value:.4g}")


def of_measure(measure: str) -> Writer:
    """Choose how estimates of a measure are written."""
    return ratio if measure in RATIOS else signed


def _minus(text: str) -> str:
    """Use a true minus sign, and none before zero."""
    if text.startswith("-") and not any(digit in text for digit in "123456789"):
        text = text[1:]
    return text.replace("-", "−")
