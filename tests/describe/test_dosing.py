"""Doses on a grid of days equal those looked up one by one."""

import numpy as np
import pandas as pd
import pytest

from describe.small_trial import trial
from discontinuation.describe.dosing import QUANTILES, dose_quantiles, plan_agreement


def looked_up(tables, arm, day):
    """Doses of an arm's people on a day, the slow way."""
    members = tables["people"].loc[lambda rows: rows["arm"] == arm, "person"]
    return [
        row.dose
        for row in tables["doses"].itertuples()
        if row.person in set(members) and row.start <= day < row.stop
    ]


@pytest.mark.parametrize("arm", ["keep", "stop", "taper"])
def test_quantiles_equal_those_of_the_doses_looked_up_one_by_one(arm):
    found = dose_quantiles(trial())
    found = found.loc[found["arm"] == arm]
    assert len(found) > 50
    for row in found.iloc[::3].itertuples():
        doses = looked_up(trial(), arm, row.day)
        assert row.people == len(doses)
        if doses:
            expected = np.quantile(doses, list(QUANTILES.values()))
            np.testing.assert_allclose([getattr(row, name) for name in QUANTILES], expected)


def test_the_plan_of_an_arm_is_everybodys_unless_they_have_their_own():
    tables = trial()
    found = dose_quantiles(tables).set_index(["arm", "day"])
    assert found.loc[("taper", 20.0), "planned"] == 10
    assert found.loc[("taper", 20.0), "planned_people"] == 5
    own = pd.DataFrame(
        {"arm": None, "person": [f"t{n}" for n in range(1, 6)], "drug": "sertraline",
         "start": 0.0, "stop": np.nan, "dose": 5.0, "unit": "mg/day", "step": "real"}
    )  # fmt: skip
    tables["planned_doses"] = pd.concat([tables["planned_doses"], own])
    found = dose_quantiles(tables).set_index(["arm", "day"])
    assert found.loc[("taper", 20.0), "planned"] == 5
    assert found.loc[("stop", 20.0), "planned"] == 0


def test_taken_is_compared_with_planned():
    found = plan_agreement(trial()).set_index("arm")
    assert found.loc["keep", "as_planned"] == 1
    # t3 took 20 mg in place of 10 (days 21 to 27) and of 0 (days 28 to 99); t5 has no doses.
    taper = found.loc["taper"]
    assert taper["people"] == 4
    assert taper["above"] == pytest.approx(79 / 400)
    assert taper["below"] == 0
    assert taper[["below", "as_planned", "above"]].sum() == pytest.approx(1)


def test_without_doses_or_plans_there_is_nothing():
    tables = trial()
    del tables["planned_doses"]
    assert plan_agreement(tables).empty
    assert dose_quantiles(tables)["planned"].isna().all()
    del tables["doses"]
    assert dose_quantiles(tables).empty
