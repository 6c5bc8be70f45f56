"""Assurance, the cost of fewer visits, blinded re-estimation, and all of it together."""

import math

import numpy as np
import pytest

from design.planned_trials import ROLES, design
from discontinuation.design.assurance import assurance
from discontinuation.design.drift import Drift
from discontinuation.design.measurement import cost_of_visits
from discontinuation.design.power import plan_power
from discontinuation.design.reestimation import reestimate
from discontinuation.design.trial_plan import plan_trial
from discontinuation.problems import InvalidInput

pytestmark = pytest.mark.long  # simulations

CERTAIN = {
    "draws": 3,
    "withdrawal_risk": {"median": 0.24293666, "sd": 0},
    "kappa": {"median": 2, "sd": 0},
    "relapse_ratio": {"median": 1.5, "sd": 0},
    "relapse_per_year": {"median": 0.29, "sd": 0},
}


def test_certain_priors_give_the_power_of_the_formula():
    made = design(assurance=CERTAIN, replicates=10)
    found = assurance(made)
    assert found.draws["alpha_per_day"].to_numpy() == pytest.approx(0.05, rel=1e-6)
    exact = plan_power(made).summary.query("kind == 'hypothesis'")
    both = found.summary.merge(exact, on=["test", "people_per_arm"])
    assert len(both) == 10
    assert both["assurance"].to_numpy() == pytest.approx(both["formula"].to_numpy(), abs=1e-6)
    assert (found.summary["mcse"] < 1e-9).all()


def test_priors_that_cannot_be_drawn_are_refused():
    wide = {"draws": 200, "kappa": {"median": 20, "sd": 2}}
    with pytest.raises(InvalidInput, match=r"assurance\.kappa"):
        assurance(design(assurance=wide))


def test_uncertain_priors_draw_power_to_the_middle():
    found = assurance(design(assurance={"draws": 60, "withdrawal_risk": {"median": 0.24, "sd": 1}}))
    h2 = found.summary.query("test == 'H2' and people_per_arm == 300").iloc[0]
    sure = assurance(design(assurance=CERTAIN)).summary.query(
        "test == 'H2' and people_per_arm == 300"
    )
    assert h2["assurance"] < sure["assurance"].iloc[0]
    assert h2["mcse"] > 0
    assert found.draws["withdrawal_risk"].between(0, 1).all()


def test_no_value_where_nobody_is_looked_at_in_time():
    """H4 looks on day 56, H3 on day 70: before the first visit, if it is on day 84."""
    made = design(
        arms=[*ROLES[:2], {**ROLES[2], "taper_weeks": 4}],
        hypotheses={"share_weeks": 8, "relapse_weeks_after_taper": 6},
        visits={"compare_days": [1, 84]},
    )
    found = cost_of_visits(made, 30).set_index(["visit_days", "test"]).sort_index()
    late = found.loc[[(84, "H3: maintenance better"), (84, "H4")]]
    columns = ["looks_on", "simulated", "formula", "people_needed", "expected_share"]
    assert late[columns].isna().all().all()
    assert (late["failed"] == late["replicates"]).all()
    assert found.loc[(84, "H1"), "people_needed"] > 0
    assert found.loc[(1, "H4"), "looks_on"] == 56


def test_no_number_of_people_is_needed_for_a_false_answer():
    made = design(
        truths={"surge": {"alpha_per_day": 0, "surge_ratio": 5}}, visits={"compare_days": [1]}
    )
    found = cost_of_visits(made, 20).set_index("test")
    assert found.loc["H1", "formula"] > 0.025
    assert math.isnan(found.loc["H1", "people_needed"])
    assert found.loc["H3: maintenance better", "people_needed"] > 0


def test_needed_people_have_the_power():
    assert Drift(0.2).people_needed(0.9) == math.ceil(((1.959964 + 1.281552) / 0.2) ** 2)
    assert Drift(-0.1).people_needed(0.9) == math.inf
    narrow = Drift(0.2, spread=0.6)
    people = narrow.people_needed(0.9)
    assert narrow.power(people) >= 0.9 > narrow.power(people - 1)


def test_fewer_visits_cost_power_and_inflate_the_share():
    found = cost_of_visits(design(visits={"compare_days": [1, 84]}), 250)
    daily, rare = (found.query("visit_days == @days").set_index("test") for days in (1, 84))
    assert rare["visits_per_person"].iloc[0] < daily["visits_per_person"].iloc[0] / 50
    assert rare.loc["H1", "people_needed"] > daily.loc["H1", "people_needed"]
    assert rare.loc["H4", "expected_share"] > daily.loc["H4", "expected_share"] > 0.6
    gap = (found["simulated"] - found["formula"]).abs()
    assert (gap < 0.07 + 3 * found["mcse"]).all()


def test_reestimation_adds_people_only_where_they_are_needed():
    truths = {"both": {}, "less": {"alpha_per_day": 0.02}}
    made = design(
        truths=truths,
        hypotheses={"wanted": ["H2"], "power": 0.8},
        reestimation={"trials": 60},
    )
    found = reestimate(made, 150)
    table = found.summary.set_index(["truth", "test"])
    assert found.interim == 45 and found.largest == 300
    assert table.loc[("both", "H2"), "size_median"] == 150
    assert table.loc[("less", "H2"), "size_median"] > 200
    row = table.loc[("less", "H2")]
    assert row["reestimated"] > row["fixed"]
    assert table["size_low"].min() >= 150 and table["size_high"].max() <= 300


def test_reestimation_without_withdrawal_in_the_plan():
    """A degenerate grid: only relapse can be scaled."""
    truths = {"relapse": {"alpha_per_day": 0}}
    made = design(truths=truths, hypotheses={"wanted": ["H3"]}, reestimation={"trials": 20})
    found = reestimate(made, 100).summary
    assert found["size_median"].between(100, 200).all()


def test_everything_together_is_reproducible():
    made = design(
        replicates=40,
        people_per_arm=[60],
        assurance={"draws": 3},
        visits={"compare_days": [1, 42]},
        reestimation={"trials": 10},
    )
    one, again = plan_trial(made, 1), plan_trial(made, 2)
    assert one.size == 60
    for name, table in one.tables.items():
        assert len(table), name
        assert table.equals(again.tables[name]), name
    assert np.isfinite(one.power.summary["simulated"]).all()
