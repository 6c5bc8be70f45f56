"""Colours and marks, the same in every figure and safe for colour-blind readers.

Hues are those of Okabe and Ito (2008), https://jfly.uni-koeln.de/color/.
"""

from __future__ import annotations

INK = "#222222"
FAINT = "#999999"
GRID = "#e5e5e5"

STRATEGY_COLOURS = {
    "maintain": "#0072B2",
    "abrupt": "#D55E00",
    "taper": "#009E73",
    "unspecified": "#999999",
    "any": "#CC79A7",
}
STRATEGY_NAMES = {
    "maintain": "continued",
    "abrupt": "stopped abruptly",
    "taper": "tapered",
    "unspecified": "stopped, pace not stated",
    "any": "stopped in several ways",
}
CLASS_COLOURS = {
    "antidepressant": "#0072B2",
    "antipsychotic": "#D55E00",
    "stimulant": "#009E73",
    "nonstimulant": "#56B4E9",
    "benzodiazepine": "#CC79A7",
    "mood_stabiliser": "#E69F00",
    "gabapentinoid": "#999999",
    "opioid": "#222222",
    "other": "#999999",
}
CLASS_MARKS = {
    "antidepressant": "o",
    "antipsychotic": "s",
    "stimulant": "^",
    "nonstimulant": "v",
    "benzodiazepine": "D",
    "mood_stabiliser": "P",
    "gabapentinoid": "X",
    "opioid": "*",
    "other": "h",
}
BAND_COLOURS = ("#D55E00", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#CC79A7")

PHASE_COLOURS = {
    "before": "#999999",
    "full": "#0072B2",
    "reduced": "#56B4E9",
    "off": "#D55E00",
    "unknown": "#DDDDDD",
}
PHASE_NAMES = {
    "before": "before the first dose",
    "full": "at the highest dose so far",
    "reduced": "below the highest dose so far",
    "off": "at dose 0",
    "unknown": "dose not known",
    "all": "all together",
}
# From little to much; light to dark, so that they keep their order in grey.
SHADES = ("#DEEBF7", "#9ECAE1", "#6BAED6", "#3182BD", "#08519C")
NOTHING = "#F6C9A8"  # none at all, where there could have been some


def class_name(drug_class: str) -> str:
    """Write a drug class for people."""
    return drug_class.replace("_", " ")
