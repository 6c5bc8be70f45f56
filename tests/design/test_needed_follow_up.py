"""Follow-up after the taper until withdrawal is over (methods G5)."""

import numpy as np
import pytest

from design.planned_trials import design
from discontinuation.design.needed_follow_up import needed_follow_up, withdrawal_over
from discontinuation.problems import InvalidInput


def test_values_of_the_dossier():
    base = {"half_life_days": 1, "kappa": 2, "alpha_per_day": 0.05, "relapse_per_year": 0.29}
    assert withdrawal_over(tau_days=14, drive_at_end=1, **base) == pytest.approx(55, abs=0.5)
    assert withdrawal_over(tau_days=14, drive_at_end=0.125, **base) == pytest.approx(26, abs=0.5)
    assert withdrawal_over(tau_days=90, drive_at_end=1, **base) == pytest.approx(326, abs=0.5)


def test_little_withdrawal_is_over_at_once():
    assert withdrawal_over(1, 14, 2, 1e-6, 1, 0.29) == 0


def test_formula_is_near_the_daily_scheme():
    found = needed_follow_up(design()).set_index("arm")
    assert found["days_formula"].tolist() == pytest.approx([55, 25.8], abs=0.1)
    gap = found["days_daily"] - found["days_formula"]
    assert gap.abs().max() < 5
    assert found["followed_days"].tolist() == [546, 434]
    assert found["people_for_80"].tolist() == [154, 176]


def test_protracted_withdrawal_outlasts_the_quick_one():
    slow = {"protracted_share": 0.3}
    found = needed_follow_up(design(truths={"quick": {}, "slow": slow}))
    days = found.pivot_table(index="truth", columns="arm", values="days_daily")
    assert days.loc["slow", "abrupt"] > 200 > days.loc["quick", "abrupt"]


def test_no_relapse_to_compare_with():
    found = needed_follow_up(design(truths={"x": {"relapse_per_year": 0}}))
    assert found[["days_formula", "days_daily", "people_for_80"]].isna().to_numpy().all()
    assert np.isfinite(found["followed_days"]).all()


def test_impossible_values_are_all_named():
    with pytest.raises(InvalidInput) as invalid:
        withdrawal_over(-1, 0, 2, 0.05, 1, 0)
    columns = {problem.column for problem in invalid.value.problems}
    assert columns == {"half_life_days", "tau_days", "relapse_per_year"}
