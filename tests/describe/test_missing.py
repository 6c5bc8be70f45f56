"""What is missing is told from what was never due."""

import numpy as np
import pandas as pd
import pytest

from describe.small_trial import VISITS, trial
from discontinuation.describe.missing import (
    instruments_used,
    missing_columns,
    ratings_over_time,
    share_band,
)


def test_blank_columns_of_people_are_counted():
    found = missing_columns(trial()).set_index("column")
    assert found.loc["age", ["filled", "blank"]].tolist() == [11, 1]
    assert found.loc["prior_episodes", "share"] == 1
    assert found.loc["person", "blank"] == 0
    assert (found["filled"] + found["blank"] == 12).all()


def test_visits_are_due_while_people_are_observed():
    found = ratings_over_time(trial(), {"hamd": VISITS})
    cells = found.set_index(["arm", "visit"])
    # k3 is lost on day 50; k2 comes only once.
    assert cells.loc["keep", "expected"].tolist() == [3, 3, 3, 2, 2]
    assert cells.loc["keep", "observed"].tolist() == [3, 2, 2, 1, 1]
    assert cells.loc[("keep", 84.0), "share"] == 0.5
    # s4 was there on day 0 only, t5 never.
    assert cells.loc["stop", "expected"].tolist() == [4, 3, 2, 1, 1]
    assert cells.loc["taper", "expected"].tolist() == [4, 4, 4, 4, 3]
    assert (found["expected"] == found["observed"] + found["missing"]).all()


def test_a_rating_is_taken_for_the_nearest_visit():
    tables = trial()
    tables["assessments"] = pd.DataFrame(
        {"person": "k1", "day": [-9.0, 6.9, 7.1, 99.0], "instrument": "hamd", "item": "total",
         "value": 1.0}
    )  # fmt: skip
    found = ratings_over_time(tables, {"hamd": VISITS}).set_index(["arm", "visit"])
    assert found.loc["keep", "ratings"].tolist() == [2, 1, 0, 0, 1]
    assert found.loc["keep", "observed"].tolist() == [1, 1, 0, 0, 1]


def test_without_planned_visits_bins_count_those_under_observation():
    found = ratings_over_time(trial())
    assert found["visit"].isna().all()
    assert set(found["stop"] - found["start"]) == {7.0}
    cells = found.set_index(["arm", "start"])
    assert cells.loc[("keep", 49.0), "expected"] == 3
    assert cells.loc[("keep", 56.0), "expected"] == 2
    assert found.groupby("arm")["ratings"].sum().to_dict() == {
        "keep": 5 + 1 + 3, "stop": 5 + 3 + 2 + 1, "taper": 5 + 5 + 5 + 4,
    }  # fmt: skip


def test_a_planned_instrument_that_was_never_used_is_missing_altogether():
    found = ratings_over_time(trial(), {"dess": (0, 7)})
    never = found.loc[found["instrument"] == "dess"]
    assert never["observed"].sum() == 0
    assert never["missing"].sum() == never["expected"].sum() > 0


def test_people_are_looked_at_one_by_one():
    found = ratings_over_time(trial(), {"hamd": VISITS}, by="person").set_index("person")
    assert found.loc["k2", "observed"].tolist() == [1, 0, 0, 0, 0]
    assert found.loc["k3", "expected"].tolist() == [1, 1, 1, 0, 0]
    assert "t5" not in found.index


def test_instruments_are_listed_by_use():
    found = instruments_used(trial()).iloc[0]
    assert found["instrument"] == "hamd"
    assert found[["items", "people", "ratings"]].tolist() == [2, 11, 39]


@pytest.mark.parametrize(
    ("share", "band"), [(0, 0), (0.01, 1), (0.2, 2), (0.599, 3), (0.6, 4), (0.8, 5), (1, 5)]
)
def test_bands_are_fifths(share, band):
    assert share_band(share) == band
    assert np.isnan(share_band(np.nan))
