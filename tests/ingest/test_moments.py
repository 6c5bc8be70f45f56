"""Dates are read in the declared order or not at all."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.ingest.moments import Clock, from_study_days, parse_dates, parse_times

PLAIN = {"order": "iso", "partial": "refuse", "keep_time": False}


def read(value, **spec):
    days, refused = parse_dates(pd.Series([value], dtype=object), {**PLAIN, **spec})
    return days.iloc[0], refused.get(value)


def days_since_1970(year, month, day):
    return (dt.date(year, month, day) - dt.date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("2012-08-13", {"order": "iso"}),
        ("2012-08-13T14:32:09", {"order": "iso"}),
        ("2012-08-13T14:32:09Z", {"order": "iso"}),
        ("13/08/2012", {"order": "dmy"}),
        ("13.8.2012", {"order": "dmy"}),
        ("13/08/12", {"order": "dmy", "century": 2000}),
        ("13AUG2012", {"order": "dmy"}),
        ("13-Aug-12", {"order": "dmy", "century": 2000}),
        ("08/13/2012", {"order": "mdy"}),
        ("August 13, 2012", {"order": "mdy"}),
        ("2012/08/13", {"order": "ymd"}),
        ("20120813", {"order": "ymd"}),
        (41134.0, {"order": "excel"}),
        ("41134", {"order": "excel"}),
        (39672, {"order": "excel1904"}),
        (19218, {"order": "sas"}),
        (19218, {"order": "stata"}),
        (13564195200, {"order": "spss"}),
        (15565, {"order": "unix"}),
        (dt.date(2012, 8, 13), {"order": None}),
        (dt.datetime(2012, 8, 13, 9, 30), {"order": None}),
    ],
)
def test_the_same_day_in_every_notation(text, spec):
    assert read(text, **spec) == (days_since_1970(2012, 8, 13), None)


@pytest.mark.parametrize(
    ("value", "spec", "words"),
    [
        ("13/08/12", {"order": "dmy"}, "century"),
        ("08/13/2012", {"order": "dmy"}, "no date of the calendar"),
        ("31/02/2012", {"order": "dmy"}, "no date of the calendar"),
        ("13/08-2012", {"order": "dmy"}, "not day, month, year"),
        ("2012-08-13", {"order": "dmy"}, "not day, month, year"),
        ("1382012", {"order": "dmy"}, "not day, month, year"),
        ("13 Mayor 2012", {"order": "dmy"}, "no month"),
        ("13 Foo 2012", {"order": "dmy"}, "no month"),
        ("2012-08", {"order": "iso"}, "without its day or month"),
        (41134.0, {"order": "dmy"}, "is a number"),
        ("soon", {"order": "excel"}, "not a number"),
        (1e12, {"order": "excel"}, "outside the years"),
        ("2012-13-01", {"order": "iso"}, "no date of the calendar"),
        ("2012-13", {"order": "iso", "partial": "first"}, "no date of the calendar"),
    ],
)
def test_what_does_not_fit_the_declared_order_is_refused(value, spec, words):
    day, reason = read(value, **spec)
    assert np.isnan(day)
    assert words in reason


@pytest.mark.parametrize(
    ("text", "rule", "expected"),
    [
        ("2012-02", "first", (2012, 2, 1)),
        ("2012-02", "middle", (2012, 2, 15)),
        ("2012-02", "last", (2012, 2, 29)),
        ("2012", "first", (2012, 1, 1)),
        ("2012", "last", (2012, 12, 31)),
    ],
)
def test_partial_dates_as_declared(text, rule, expected):
    assert read(text, partial=rule) == (days_since_1970(*expected), None)


def test_a_blank_partial_date_is_no_problem():
    day, reason = read("2012-02", partial="blank")
    assert np.isnan(day)
    assert reason is None


def test_the_time_of_day_is_kept_only_when_declared():
    whole, _ = read("2012-08-13T18:00")
    exact, _ = read("2012-08-13T18:00", keep_time=True)
    assert exact - whole == 0.75


def test_typed_dates_need_no_order():
    cells = pd.Series(pd.to_datetime(["2012-08-13 12:00", None]))
    days, refused = parse_dates(cells, PLAIN)
    assert days[0] == days_since_1970(2012, 8, 13)
    assert np.isnan(days[1])
    assert refused == {}


@given(st.dates(dt.date(1700, 1, 1), dt.date(2240, 1, 1)), st.sampled_from(["dmy", "mdy", "ymd"]))
def test_every_date_survives_its_own_order(date, order):
    form = {"dmy": "{d}/{m}/{y}", "mdy": "{m}/{d}/{y}", "ymd": "{y}-{m}-{d}"}[order]
    text = form.format(d=date.day, m=date.month, y=date.year)
    assert read(text, order=order) == ((date - dt.date(1970, 1, 1)).days, None)


def test_study_days_have_no_day_zero():
    days = from_study_days(pd.Series([-2.0, -1.0, 0.0, 1.0, 2.0, np.nan]))
    np.testing.assert_array_equal(days, [-2, -1, np.nan, 0, 1, np.nan])


def test_times_of_day():
    cells = pd.Series(["06:00", "18:30:36", None, "25:00", "noon", dt.time(12)], dtype=object)
    fraction, bad = parse_times(cells)
    np.testing.assert_allclose(fraction[[0, 1, 5]], [0.25, 0.7712500, 0.5])
    assert bad.tolist() == [False, False, False, True, True, False]


def test_times_of_day_as_a_program_keeps_them():
    fraction, bad = parse_times(pd.Series(pd.to_timedelta(["06:00:00", None])))
    assert fraction[0] == 0.25
    assert np.isnan(fraction[1])
    assert not bad.any()


def test_an_origin_shifts_only_its_own_person():
    clock = Clock("day", pd.Series({"a": 5.0, "b": 0.0}))
    days = clock.since_origin(pd.Series(["a", "b", "c"]), pd.Series([7.0, 7.0, 7.0]))
    np.testing.assert_array_equal(days, [2.0, 7.0, np.nan])
