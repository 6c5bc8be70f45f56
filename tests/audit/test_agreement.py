"""Agreement of two readings: equal to the digits of the coarser, and counted."""

import pandas as pd
import pytest

from discontinuation.audit.agreement import agreement_statistics, compare_readings, same_value


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("0.6134", "0.61", True),
        ("0.6134", "0.62", False),
        ("42", "41 or 42", True),
        ("42", "43 or 44", False),
        ("60", "30 or 60", True),
        ("0.769 (0.691-0.847)", "0.769 (0.691-0.847)", True),
        ("0.58 (0.478-0.682)", "0.58 (0.478-0.69)", False),
        ("92/238", "92/238", True),
        ("taper", "Taper", True),
        ("unspecified", "abrupt", False),
        ("8", "0.43", False),
    ],
)
def test_same_value(first, second, same):
    assert same_value(first, second) is same


def readings(pairs, field="strategy"):
    return pd.DataFrame(
        {
            "reading_pair": "second_reading",
            "study": "x",
            "field": field,
            "first_value": [a for a, _ in pairs],
            "second_value": [b for _, b in pairs],
            "agreement": ["agree" if a == b else "disagree" for a, b in pairs],
        }
    )


def test_kappa_of_the_textbook_table():
    """Forty, nine, six and forty-five pairs: kappa 0.699519 , checked against R."""
    pairs = [("a", "a")] * 40 + [("a", "b")] * 9 + [("b", "a")] * 6 + [("b", "b")] * 45
    statistics = agreement_statistics(compare_readings(readings(pairs))).set_index("field_group")
    assert statistics.loc["strategy", "kappa"] == pytest.approx(0.699519, abs=5e-7)
    assert statistics.loc["strategy", "agree"] == 85


def test_proportion_has_wilsons_interval():
    pairs = [("1", "1")] * 9 + [("1", "2")]
    statistics = agreement_statistics(compare_readings(readings(pairs, "n_events_cum")))
    row = statistics.set_index("field_group").loc["events"]
    assert row["proportion"] == pytest.approx(0.9)
    assert (row["lower"], row["upper"]) == pytest.approx((0.5958, 0.9821), abs=5e-5)


def test_blank_readings_are_not_compared():
    table = readings([("1", "1"), (None, "2"), ("3", None)], "taper_days")
    statistics = agreement_statistics(compare_readings(table)).set_index("field_group")
    assert statistics.loc["taper length", "compared"] == 1
    assert statistics.loc["all", "fields"] == 3
