"""Scores of occasions, and earlier rows of the same person."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discontinuation.events.lookup import last_before, last_marked, starts_of
from discontinuation.events.scores import (
    arrange_ratings,
    disagreements,
    is_prorated,
    score_of,
)
from discontinuation.tables.instruments import instrument_from

THREE = {"items": {"a": [0, 4], "b": [0, 4], "c": [0, 4]}, "subscales": {"core": ["a", "b"]}}


def arranged(answers, **further):
    """Ratings of (person, day, item, value)."""
    instrument = instrument_from("three", {**THREE, **further})
    person, day, item, value = zip(*answers, strict=True)
    return arrange_ratings(
        instrument, np.array(person), np.array(day, float), list(item), np.array(value, float)
    )


COMPLETE = [(0, 7, "a", 1), (0, 7, "b", 2), (0, 7, "c", 4)]
PARTIAL = [(1, 7, "a", 1), (1, 7, "b", 3)]


def test_a_total_and_a_subscale_need_all_their_items():
    ratings = arranged([*PARTIAL, *COMPLETE])
    np.testing.assert_array_equal(ratings.person, [0, 1])
    np.testing.assert_array_equal(score_of(ratings, "total"), [7, np.nan])
    np.testing.assert_array_equal(score_of(ratings, "core"), [3, 4])
    np.testing.assert_array_equal(score_of(ratings, "c"), [4, np.nan])


def test_a_missing_item_is_replaced_by_the_mean_only_if_enough_are_there():
    ratings = arranged([*PARTIAL, *COMPLETE])
    np.testing.assert_allclose(score_of(ratings, "total", 2 / 3), [7, 6])
    np.testing.assert_allclose(score_of(ratings, "total", 0.7), [7, np.nan])
    assert is_prorated(ratings, "total", 2 / 3).tolist() == [False, True]
    assert not is_prorated(ratings, "total", 1.0).any()


def test_a_mean_is_a_mean():
    ratings = arranged(COMPLETE, scoring="mean")
    np.testing.assert_allclose(score_of(ratings, "total"), [7 / 3])
    assert not disagreements(arranged([*COMPLETE, (0, 7, "total", 2.33)], scoring="mean")).any()
    assert disagreements(arranged([*COMPLETE, (0, 7, "total", 2.5)], scoring="mean")).all()


def test_a_given_score_goes_before_its_items():
    ratings = arranged([*COMPLETE, (0, 7, "total", 8), (0, 7, "core", 2)])
    assert score_of(ratings, "total") == [8]
    assert score_of(ratings, "core") == [2]
    assert disagreements(ratings).all()
    assert not disagreements(arranged([*COMPLETE, (0, 7, "total", 7)])).any()
    # Incomplete items contradict nothing.
    assert not disagreements(arranged([*PARTIAL, (1, 7, "total", 9)])).any()


def test_items_without_a_scoring_rule_make_no_total():
    ratings = arranged(COMPLETE, scoring="none")
    assert np.isnan(score_of(ratings, "total")).all()
    assert score_of(ratings, "a") == [1]


def test_a_list_of_what_was_found_says_what_was_not():
    # At each rating, whatever is not listed was looked for and not found.
    found = [(0, 7, "a", 1), (0, 14, "total", 0), (1, 7, "b", 2)]
    plain, listing = arranged(found), arranged(found, unlisted=0)
    np.testing.assert_array_equal(score_of(plain, "a"), [1, np.nan, np.nan])
    np.testing.assert_array_equal(score_of(listing, "a"), [1, 0, 0])
    np.testing.assert_array_equal(score_of(listing, "total"), [1, 0, 2])
    np.testing.assert_array_equal(score_of(listing, "core"), [1, 0, 2])


@pytest.mark.parametrize(("higher", "kept"), [(True, 3), (False, 1)])
def test_of_two_answers_at_one_moment_the_worst_is_kept(higher, kept):
    twice = [(0, 7, "a", 1), (0, 7, "a", 3), (0, 7, "b", 2)]
    ratings = arranged(twice, higher_is_worse=higher)
    assert score_of(ratings, "a") == [kept]
    assert ratings.repeated == 1


def test_no_ratings_at_all():
    instrument = instrument_from("three", THREE)
    nothing = np.zeros(0)
    ratings = arrange_ratings(instrument, nothing.astype(int), nothing, [], nothing)
    assert len(score_of(ratings, "total")) == 0
    assert not disagreements(ratings).any()


rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=25)


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(rows, rows, st.booleans())
def test_the_last_row_before_a_time_is_the_one_a_loop_finds(known, asked, inclusive):
    known = sorted(known)
    expected = []
    for person, time in asked:
        earlier = [
            position
            for position, (other, moment) in enumerate(known)
            if other == person and (moment <= time if inclusive else moment < time)
        ]
        expected.append(earlier[-1] if earlier else -1)
    found = last_before(
        np.array([person for person, _ in known], dtype=np.int64),
        np.array([time for _, time in known], dtype=float),
        np.array([person for person, _ in asked], dtype=np.int64),
        np.array([time for _, time in asked], dtype=float),
        inclusive=inclusive,
    )
    assert found.tolist() == expected


def test_starts_and_last_marks():
    starts = starts_of(np.array([1, 1, 2, 2]), np.array([5, 6, 6, 6]))
    assert starts.tolist() == [True, True, True, False]
    assert last_marked(np.array([False, True, False, True])).tolist() == [-1, 1, 1, 3]
    assert starts_of(np.array([], dtype=int)).tolist() == []
