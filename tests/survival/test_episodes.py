"""Follow-up is cut without losing or inventing any."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.problems import InvalidInput
from discontinuation.survival.episodes import split_follow_up


def two():
    return pd.DataFrame({"who": ["a", "b"], "time": [10.0, 5.0], "event": [1, 0]})


def test_by_hand():
    split = split_follow_up(two(), [5, 8])
    assert split["who"].tolist() == ["a", "a", "a", "b"]
    assert split["entry"].tolist() == [0, 5, 8, 0]
    assert split["time"].tolist() == [5, 8, 10, 5]
    assert split["event"].tolist() == [0, 0, 1, 0]
    assert split["episode"].tolist() == [0, 1, 2, 0]
    assert split.index.tolist() == [0, 0, 0, 1]


def test_at_all_event_times():
    d = pd.DataFrame({"time": [3, 7, 9], "event": [1, 2, 0]})
    split = split_follow_up(d, "events")
    assert split["time"].tolist() == [3, 3, 7, 3, 7, 9]
    assert split["event"].tolist() == [1, 0, 2, 0, 0, 0]


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 20), st.integers(0, 1)), min_size=1, max_size=9
    ),
    st.lists(st.floats(0, 45), max_size=6, unique=True),
)
def test_follow_up_and_events_stay(rows, cuts):
    d = pd.DataFrame(rows, columns=["begin", "length", "event"]).assign(
        time=lambda t: (t["begin"] + t["length"]).astype(float)
    )
    split = split_follow_up(d, sorted(cuts), entry="begin")
    lengths = (split["time"] - split["begin"]).groupby(level=0).sum()
    np.testing.assert_allclose(lengths, d["length"], rtol=1e-9)
    assert (split["time"] > split["begin"]).all()
    assert split["event"].groupby(level=0).sum().tolist() == d["event"].tolist()
    for cut in cuts:
        assert not ((split["begin"] < cut) & (cut < split["time"])).any()
    again = split_follow_up(split.drop(columns="episode"), sorted(cuts), entry="begin")
    assert len(again) == len(split)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"cuts": [8, 5]}, "increasing order"),
        ({"cuts": [np.nan]}, "finite"),
        ({"cuts": "event"}, "did you mean 'events'"),
        ({"time": "tiem"}, "did you mean 'time'"),
        ({"episode": "who"}, "such a column already"),
        ({"start": "who"}, "such a column already"),
    ],
)
def test_refusals(change, match):
    with pytest.raises(InvalidInput, match=match):
        split_follow_up(two(), **{"cuts": [5], **change})


def test_nobody_ends_before_they_begin():
    with pytest.raises(InvalidInput, match="must end after its entry"):
        split_follow_up(two().assign(time=0.0), [5])
