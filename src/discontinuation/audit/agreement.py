"""How well do two readings of the same publications agree?"""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd

FIELD_GROUPS = {
    "event_free": "event-free proportion",
    "share with the event": "event-free proportion",
    "events": "events",
    "n_randomised": "people randomised",
    "n_analysed": "people analysed",
    "strategy": "strategy",
    "taper_days": "taper length",
    "withdrawal_measured": "withdrawal measured",
    "median": "median or quantile",
    "quantile": "median or quantile",
    "estimate": "published effect",
    "lower": "published effect",
    "upper": "published effect",
    "n_studies": "published effect",
    "n_participants": "published effect",
}
CATEGORICAL = ("strategy", "withdrawal measured")
COLUMNS = [
    "reading_pair", "field_group", "fields", "compared", "agree", "worded_differently",
    "proportion", "lower", "upper", "kappa", "added_by_second", "only_second", "not_readable",
]  # fmt: skip
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def compare_readings(readings: pd.DataFrame) -> pd.DataFrame:
    """Set two readings side by side.

    Parameters
    ----------
    readings
        The table of that name.

    Returns
    -------
    DataFrame
        The same rows with `field_group`, `comparable` (both readings hold a value and the second
        reader gave a verdict on it) and `same` (the values are equal to the digits of the coarser
        one, as a machine sees it), beside the reader's own verdict in `agreement`.
    """
    table = readings.copy()
    table["field_group"] = table["field"].map(field_group)
    held = table["first_value"].notna() & table["second_value"].notna()
    table["comparable"] = held & table["agreement"].isin(["agree", "disagree"])
    table["same"] = [
        same_value(str(a), str(b)) if ok else None
        for a, b, ok in zip(
            table["first_value"], table["second_value"], table["comparable"], strict=True
        )
    ]
    return table


def field_group(field: str) -> str:
    """Name the kind of field, whatever week or arm it is about."""
    return next((group for key, group in FIELD_GROUPS.items() if key in field.lower()), "other")


def same_value(first: str, second: str) -> bool:
    """Whether two readings are equal to the digits of the coarser one.

    "41 or 42" equals either number; a fraction is compared part by part where both have one.
    """
    return any(_same_alternative(first, option) for option in re.split(r"\s+or\s+", second)) or any(
        _same_alternative(option, second) for option in re.split(r"\s+or\s+", first)
    )


def _same_alternative(first: str, second: str) -> bool:
    left, right = NUMBER.findall(first), NUMBER.findall(second)
    if not left or not right:
        return first.strip().lower() == second.strip().lower()
    pairs = list(zip(left, right, strict=False))
    return all(_close(a, b) for a, b in pairs)


def _close(a: str, b: str) -> bool:
    digits = min(len(text.partition(".")[2]) for text in (a, b))
    half_a_digit = 0.5 / 10**digits
    return bool(abs(float(a) - float(b)) <= half_a_digit * (1 + 1e-9))


def agreement_statistics(compared: pd.DataFrame) -> pd.DataFrame:
    """Count agreement, field by field.

    Parameters
    ----------
    compared
        From `compare_readings`.

    Returns
    -------
    DataFrame
        One row per pair of readings and kind of field, and one over all: fields; compared; agree,
        by the reader's verdict; worded_differently, those of them that a machine would not call
        equal; the proportion with Wilson's interval; Cohen's kappa for categories; and how many
        fields only one reading holds or could not be read again.
    """
    rows = []
    for pair, group in compared.groupby("reading_pair", sort=False):
        for name, fields in [("all", group), *group.groupby("field_group", sort=True)]:
            rows.append({"reading_pair": pair, "field_group": name, **_statistics(fields, name)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _statistics(fields: pd.DataFrame, name: str) -> dict[str, Any]:
    from statsmodels.stats.proportion import proportion_confint

    both = fields.loc[fields["comparable"]]
    verdict = both["agreement"] == "agree"
    agree = int(verdict.sum())
    limits = proportion_confint(agree, len(both), method="wilson") if len(both) else (math.nan,) * 2
    return {
        "fields": len(fields),
        "compared": len(both),
        "agree": agree,
        "worded_differently": int((verdict & ~both["same"].astype(bool)).sum()),
        "proportion": agree / len(both) if len(both) else math.nan,
        "lower": limits[0],
        "upper": limits[1],
        "kappa": cohens_kappa(both) if name in CATEGORICAL else math.nan,
        "added_by_second": int((fields["agreement"] == "added").sum()),
        "only_second": int((fields["agreement"] == "only_second").sum()),
        "not_readable": int((fields["agreement"] == "not_readable").sum()),
    }


def cohens_kappa(both: pd.DataFrame) -> float:
    """Cohen's kappa of two readings of a category; NaN when only one category occurs.

    A value that the reader judged to agree counts as the first reading's category, whatever
    word the second used for it.
    """
    from statsmodels.stats.inter_rater import cohens_kappa as kappa

    first = both["first_value"]
    second = both["second_value"].where(both["agreement"] != "agree", first)
    values = sorted(set(first) | set(second))
    if len(values) < 2:
        return math.nan
    table = pd.crosstab(pd.Categorical(first, values), pd.Categorical(second, values), dropna=False)
    return float(kappa(table.to_numpy(), return_results=False))
