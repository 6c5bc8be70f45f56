"""A long run is cut so that it can be resumed and made longer, and says how far it is."""

import math

import pytest

from discontinuation.design.chunks import (
    TRIES,
    chunks_of,
    in_words,
    progress,
    time_one,
    with_progress,
)


def test_chunks_cover_every_replicate_once():
    found = chunks_of(["S0", "half-life x2"], 25, 10)
    for scenario in ("S0", "half-life x2"):
        mine = [one for one in found.values() if one["scenario"] == scenario]
        numbers = [n for one in mine for n in range(one["first"], one["last"])]
        assert numbers == list(range(25))
    assert all(name.replace("_", "").isalnum() for name in found)


def test_a_longer_run_keeps_the_finished_chunks_of_a_shorter_one():
    short, long = chunks_of(["S0"], 20, 10), chunks_of(["S0"], 40, 10)
    assert short.items() <= long.items()
    # One that was not full has a name of its own, so it is not taken for a full one.
    assert set(chunks_of(["S0"], 15, 10)) - set(long) != set()


def test_progress_says_done_rate_and_remaining():
    assert progress("job", 5, 20, 10.0) == "job: 5 of 20, 2.0 seconds each, about 30 seconds left"
    assert "4.0 per second" in progress("job", 20, 40, 5.0)
    assert in_words(7200) == "2.0 hours"


def test_work_passes_through_unchanged():
    said = []
    assert list(with_progress(range(7), 7, "job", said.append)) == list(range(7))
    assert said[0].startswith("job: 1 of 7")
    assert said[-1].startswith("job: 7 of 7")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_sizes_do_not_change_what_is_done(size):
    found = chunks_of(["a"], 7, size)
    assert sum(one["last"] - one["first"] for one in found.values()) == 7


def test_the_first_trial_that_does_not_fail_is_timed():
    tried = []

    def measure(number):
        tried.append(number)
        if number < 2:
            raise ZeroDivisionError

    assert time_one(measure, 2000) >= 0
    assert tried == [0, 1, 2]


def test_no_time_is_told_if_all_fail():
    tried = []

    def measure(number):
        tried.append(number)
        raise ZeroDivisionError

    assert math.isnan(time_one(measure, 2000)) and tried == list(range(TRIES))
    assert math.isnan(time_one(measure, 0))
