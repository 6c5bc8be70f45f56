"""Every observation belongs to one step, and days without any stay visible."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from discontinuation.problems import InvalidInput
from discontinuation.symptoms.steps import as_steps, dose_steps, last_doses
from discontinuation.symptoms.trajectory import align, scheduled_visits, trajectories

PEOPLE = pd.DataFrame({"person": ["a", "b", "c"], "arm": ["taper", "taper", "abrupt"]})
FOLLOW_UP = pd.DataFrame({"person": ["a", "b", "c"], "start": -10.0, "end": 21.0})


def steps_of(days):
    rows = [
        (who, "x", number, 1, float(day))
        for who, own in days.items()
        for number, day in enumerate(own, 1)
    ]
    return pd.DataFrame(rows, columns=["person", "drug", "step", "attempt", "day"])


def ratings(*rows):
    table = pd.DataFrame(rows, columns=["person", "day", "value"])
    return table.assign(instrument="PHQ-9", item="total")[
        ["person", "day", "instrument", "item", "value"]
    ]


STEPS = steps_of({"a": [0, 7], "b": [0, 7], "c": [0]})


def test_an_observation_belongs_to_the_latest_step_at_or_before_it():
    rows = ratings(
        ("a", 7.0, 1), ("a", 6.9, 2), ("a", -3, 3), ("a", -20, 4), ("d", 1, 5), ("c", 30, 6)
    )
    found = align(rows, STEPS, before=14)
    assert found["value"].tolist() == rows["value"].tolist()
    assert found["step"].tolist() == [2, 1, 0, pd.NA, pd.NA, 1]
    np.testing.assert_allclose(found["since_step"], [0, 6.9, -3, np.nan, np.nan, 30])
    assert found["step_day"].iloc[2] == 0


def test_a_day_that_is_the_steps_up_to_rounding_is_the_steps():
    steps = steps_of({"a": [0.3]})
    found = align(ratings(("a", 0.1 + 0.1 + 0.1 - 1e-16, 1)), steps)
    assert found["since_step"].tolist() == [0]
    assert found["step"].tolist() == [1]


def test_people_count_once_however_often_they_answer():
    rows = ratings(("a", 0, 2), ("a", 0.5, 4), ("b", 0, 9), ("c", 0, 1))
    found = trajectories(rows, STEPS, PEOPLE, FOLLOW_UP)
    cell = found.summary.query("arm == 'taper' and step == 1 and bin_start == 0").iloc[0]
    assert cell["n_people"] == 2
    assert cell["n_observations"] == 3
    assert cell["mean"] == 6
    assert cell["median"] == 6
    assert cell["sd"] == pytest.approx(np.std([3, 9], ddof=1))
    low, high = stats.t.interval(0.95, 1, loc=6, scale=np.std([3, 9], ddof=1) / np.sqrt(2))
    assert (cell["lower"], cell["upper"]) == (pytest.approx(low), pytest.approx(high))
    normal = trajectories(rows, STEPS, PEOPLE, FOLLOW_UP, interval="normal").summary
    cell = normal.query("arm == 'taper' and step == 1 and bin_start == 0").iloc[0]
    assert cell["upper"] == pytest.approx(6 + 1.959964 * 3, rel=1e-6)


def test_days_without_answers_stay_and_count_who_was_followed():
    found = trajectories(ratings(("a", 0, 2), ("a", 3, 2)), STEPS, PEOPLE, FOLLOW_UP).summary
    first = found.query("arm == 'taper' and step == 1")
    assert first["bin_start"].tolist() == list(range(7))
    assert first["n_people"].tolist() == [1, 0, 0, 1, 0, 0, 0]
    assert (first["n_followed"] == 2).all()
    assert first["mean"].notna().tolist() == [True, False, False, True, False, False, False]
    second = found.query("arm == 'taper' and step == 2")
    assert second["bin_start"].max() == 14
    abrupt = found.query("arm == 'abrupt'")
    assert abrupt["n_people"].sum() == 0
    assert abrupt["bin_start"].max() == 21


def test_the_window_before_the_first_step_has_negative_days():
    rows = ratings(("a", -1, 2), ("b", -10, 4), ("c", -11, 8))
    found = trajectories(rows, STEPS, PEOPLE, FOLLOW_UP, before=10)
    before = found.summary.query("step == 0 and arm == 'taper'")
    assert before["bin_start"].tolist() == list(range(-10, 0))
    assert before["n_people"].tolist() == [1, *[0] * 8, 1]
    assert found.not_placed == 1


def test_without_steps_apart_the_days_after_all_of_them_are_put_together():
    rows = ratings(("a", 1, 2), ("a", 8, 4), ("b", 8, 5))
    found = trajectories(rows, STEPS, PEOPLE, FOLLOW_UP, by=["arm"]).summary
    cell = found.query("arm == 'taper' and bin_start == 1").iloc[0]
    assert cell["n_people"] == 2
    assert cell["n_observations"] == 3
    assert cell["mean"] == 4


def test_scheduled_visits_are_counted_where_they_were_due():
    short = FOLLOW_UP.assign(end=[21.0, 5.0, 21.0])
    visits = scheduled_visits(short, [0, 3, 6, 10])
    assert len(visits) == 4 + 2 + 4
    found = trajectories(ratings(("a", 3, 2)), STEPS, PEOPLE, short, visits=visits).summary
    due = found.query("arm == 'taper' and step == 1").set_index("bin_start")
    assert due["n_people_expected"].to_dict() == {0: 2, 1: 0, 2: 0, 3: 2, 4: 0, 5: 0, 6: 1}
    assert due.loc[3, ["n_people", "n_followed"]].tolist() == [1, 2]
    without = trajectories(ratings(("a", 3, 2)), STEPS, PEOPLE, short).summary
    assert without["n_expected"].isna().all()


def test_equal_people_have_no_limits_rather_than_no_width():
    found = trajectories(ratings(("a", 0, 2), ("b", 0, 2)), STEPS, PEOPLE, FOLLOW_UP).summary
    cell = found.query("arm == 'taper' and step == 1 and bin_start == 0").iloc[0]
    assert cell["sd"] == 0
    assert np.isnan(cell["lower"])


def test_bins_leave_out_what_lies_beyond_and_say_how_much():
    rows = ratings(("c", 0, 1), ("c", 5, 2), ("c", 20, 3))
    found = trajectories(rows, STEPS, PEOPLE, FOLLOW_UP, bins=[0, 4, 10])
    assert found.not_placed == 1
    abrupt = found.summary.query("arm == 'abrupt'")
    assert abrupt["mean"].tolist() == [1, 2]
    assert abrupt["bin_end"].tolist() == [4, 10]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bins": [0, 0]}, "edges must rise"),
        ({"by": ["arms"]}, "did you mean 'arm'"),
        ({"interval": "z"}, "allowed: t, normal"),
        ({"confidence": 95}, "between 0 and 1"),
        ({"people": PEOPLE.head(2)}, "1 people with assessments are not in people: c"),
        ({"follow_up": FOLLOW_UP.head(1)}, "not in follow_up: b, c"),
        ({"assessments": ratings(("a", 0, 1)).drop(columns="value")}, "column value"),
        ({"steps": pd.concat([STEPS, STEPS])}, "choose the steps of one drug"),
    ],
)
def test_what_cannot_be_aligned_is_refused(changes, words):
    given_ = {
        "assessments": ratings(("a", 0, 2), ("b", 0, 2), ("c", 1, 1)),
        "steps": STEPS,
        "people": PEOPLE,
        "follow_up": FOLLOW_UP,
    } | changes
    with pytest.raises(InvalidInput) as refusal:
        trajectories(**given_)
    assert words in str(refusal.value)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-30, 40)), max_size=30),
    st.permutations(range(30)),
    st.integers(-1000, 1000),
)
@settings(max_examples=50, deadline=None)
def test_order_and_origin_do_not_matter(days, order, shift):
    rows = ratings(*((who, float(day), float(n)) for n, (who, day) in enumerate(days)))
    rows = rows.astype({"value": float, "day": float})
    found = align(rows, STEPS)
    shuffled = rows.iloc[[place for place in order if place < len(rows)]]
    again = align(shuffled, STEPS).sort_index()
    pd.testing.assert_frame_equal(found, again)
    moved = align(rows.assign(day=rows["day"] + shift), STEPS.assign(day=STEPS["day"] + shift))
    np.testing.assert_allclose(moved["since_step"], found["since_step"], atol=1e-9)
    assert moved["step"].equals(found["step"])


def test_every_placed_observation_is_in_exactly_one_cell():
    rng = np.random.default_rng(1)
    rows = ratings(*((w, d, v) for w, d, v in zip(
        rng.choice(list("abc"), 200), rng.uniform(-10, 21, 200), rng.normal(size=200), strict=True
    )))  # fmt: skip
    for bins in (None, [-14, 0, 0.5, 3, 40]):
        found = trajectories(rows, STEPS, PEOPLE, FOLLOW_UP, bins=bins, before=5)
        assert found.not_placed > 0
        assert found.summary["n_observations"].sum() + found.not_placed == 200
        assert (found.summary["n_people"] <= found.summary["n_followed"]).all()


def test_ctn0030_gives_the_published_course_after_a_taper(shared_data):
    """Mean withdrawal in days 0-3, 4-7, 8-14, 15-28, 29-56 after the last dose of a taper."""
    folder = shared_data / "ctn0094-moud-trials"
    runs = pd.read_csv(folder / "derived" / "ctn0030_dose_segments.csv")
    runs["run"] = runs["who"].astype(str) + "/" + runs["segment"].astype(str)
    runs["next"] = runs.groupby("who")["first_dose_day"].shift(-1).fillna(np.inf)
    level = pd.read_csv(folder / "csv" / "withdrawal.csv").merge(runs, on="who")
    level = level[(level["when"] >= level["first_dose_day"]) & (level["when"] < level["next"])]
    rows = pd.DataFrame(
        {"person": level["run"], "day": level["when"].astype(float), "instrument": "COWS",
         "item": "level", "value": level["withdrawal"].astype(float)}
    )  # fmt: skip
    doses = pd.DataFrame(
        {"person": runs["run"], "drug": "buprenorphine", "start": runs["first_dose_day"] - 1.0,
         "stop": runs["last_dose_day"].astype(float), "dose": runs["last_mg"], "unit": "mg/day"}
    )  # fmt: skip
    people = pd.DataFrame({"person": runs["run"], "arm": runs["stop_kind"]})
    end = np.minimum(runs["next"], runs["last_dose_day"] + 57.0)
    follow_up = pd.DataFrame({"person": runs["run"], "start": runs["first_dose_day"], "end": end})
    steps = as_steps(last_doses(doses))
    assert len(dose_steps(doses)) == 0
    found = trajectories(rows, steps, people, follow_up, bins=[0, 4, 8, 15, 29, 57])
    taper = found.summary.query("arm == 'taper' and step == 1")
    assert taper["n_followed"].iloc[0] == 606
    inside = found.aligned.merge(people, on="person").query("arm == 'taper' and step == 1")
    cut = pd.cut(inside["since_step"], [0, 4, 8, 15, 29, 57], right=False)
    by_rating = inside.groupby(cut, observed=True)["value"].agg(["mean", "size"])
    np.testing.assert_allclose(by_rating["mean"], [0.48, 0.69, 0.44, 0.26, 0.16], atol=0.005)
    assert taper["n_observations"].tolist() == by_rating["size"].tolist()
