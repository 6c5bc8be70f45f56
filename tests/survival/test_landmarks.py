"""Landmarks: who is kept, who is left out and why, on which clock."""

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.survival import kaplan_meier, landmark, rmst


def people():
    return pd.DataFrame(
        {
            "time": [2, 4, 4, 5, 8, 9, 12],
            "event": [1, 1, 0, 0, 1, 1, 0],
            "entry": [0, 0, 0, 1, 4, 5, 0],
            "arm": list("ababaab"),
        },
        index=[10, 11, 12, 13, 14, 15, 16],
    )


def test_only_those_past_the_landmark_are_kept():
    found = landmark(people(), 4)
    assert found.data["time"].tolist() == [5, 8, 9, 12]
    assert found.data.index.tolist() == [13, 14, 15, 16]
    counts = dict(zip(found.reasons[1:], found.people[1:], strict=True))
    assert counts == {"had the event by then": 2, "were censored by then": 1}
    assert found.summary["people"].sum() == 7
    assert "4 of 7 people kept" in str(found)


def test_who_enters_later_is_left_out():
    found = landmark(people(), 4, entry="entry")
    assert found.data["time"].tolist() == [5, 8, 12]
    assert found.people == (3, 2, 1, 1)
    assert "1 entered later" in str(found)


def test_the_clock_can_be_reset():
    found = landmark(people(), 4, entry="entry", clock="reset")
    assert found.data["time"].tolist() == [1, 4, 8]
    assert found.data["entry"].tolist() == [0, 0, 0]
    assert people()["time"].tolist() == [2, 4, 4, 5, 8, 9, 12]  # the original is left alone


def test_the_curve_is_the_conditional_one_on_either_clock():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"time": rng.integers(1, 60, 200), "event": rng.integers(0, 2, 200)})
    whole = kaplan_meier(data["time"], data["event"]).at([20, 30, 50])["survival"].to_numpy()
    kept, reset = (landmark(data, 20, clock=clock).data for clock in ("kept", "reset"))
    later = kaplan_meier(kept["time"], kept["event"]).at([30, 50])["survival"]
    np.testing.assert_allclose(later, whole[1:] / whole[0])
    again = kaplan_meier(reset["time"], reset["event"]).at([10, 30])["survival"]
    np.testing.assert_allclose(again, whole[1:] / whole[0])
    window = rmst(kept["time"], kept["event"], horizon=50, start=20).mean
    np.testing.assert_allclose(window, rmst(reset["time"], reset["event"], horizon=30).mean)


def test_causes_count_as_events():
    data = people().assign(event=[2, 1, 0, 0, 3, 1, 0])
    assert landmark(data, 4).people == (4, 2, 1)


def test_size_of_a_published_landmark(shared_data):
    lung = pd.read_csv(shared_data / "reference-survival" / "lung.csv")
    found = landmark(lung.assign(event=lung["status"] == 2), 100)
    assert len(found.data) == (lung["time"] > 100).sum() == 196


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(at=20), "nobody is left: 4 had the event by then, 3 were censored by then"),
        (dict(at=-1), "0 or more"),
        (dict(at=4, clock="rest"), "did you mean 'reset'"),
        (dict(at=4, time="tme"), "did you mean 'time'"),
        (dict(at=4, entry="entree"), "did you mean 'entry'"),
    ],
)
def test_refusals(arguments, said):
    with pytest.raises(InvalidInput, match=said):
        landmark(people(), **arguments)
