"""Power of a planned trial, simulated and by formula."""

import numpy as np
import pandas as pd
import pytest

from design.planned_trials import ROLES, design
from discontinuation.design.hypotheses import MAINTAINED, NON_INFERIOR, covariates, z_values
from discontinuation.design.monte_carlo import share_range
from discontinuation.design.power import (
    CHUNK,
    Power,
    called_cells,
    draw_counts,
    drift_of_one,
    plan_power,
    rejections,
)
from discontinuation.design.reestimation import reestimate
from discontinuation.design.true_answers import powered_tests
from discontinuation.problems import InvalidInput

pytestmark = pytest.mark.long  # simulations

TRUTHS = {"both": {}, "neither": {"alpha_per_day": 0, "relapse_ratio": 1}}


@pytest.fixture(scope="module")
def power():
    return plan_power(design(truths=TRUTHS, replicates=400))


def test_formula_is_near_the_simulation(power):
    rows = power.summary.loc[power.summary["formula"].notna()]
    gap = (rows["simulated"] - rows["formula"]).abs()
    assert (gap < 0.07 + 3 * rows["mcse"]).all(), rows.loc[gap >= 0.07 + 3 * rows["mcse"]]


def test_false_answers_are_rare(power):
    rows = power.summary.query("truth == 'neither' and kind == 'hypothesis'")
    rows = rows.loc[rows["test"] != "H3: taper not inferior"]
    assert (rows["simulated"] < 0.025 + 4 * np.sqrt(0.025 * 0.975 / 400) + 0.02).all()
    plain = power.summary.query("truth == 'neither' and kind == 'test'")
    assert (plain["simulated"].sub(0.05).abs() < 5 * np.sqrt(0.05 * 0.95 / 400)).all()


def test_more_people_more_power(power):
    rows = power.summary.query("truth == 'both' and test == 'H2' and kind == 'hypothesis'")
    assert rows["formula"].is_monotonic_increasing
    curve = power.curves.query("truth == 'both' and test == 'H2'")
    assert curve["formula"].is_monotonic_increasing and len(curve) > 30


def test_in_order_never_exceeds_what_comes_before(power):
    held = power.summary.query("kind == 'in order'")
    wide = held.pivot_table(index=["truth", "people_per_arm"], columns="test", values="simulated")
    assert (wide.diff(axis=1).iloc[:, 1:] <= 0).all().all()


def test_recommended_size_has_the_power(power):
    assert power.recommended is None  # H3 needs more than 300 per arm
    easier = plan_power(design(hypotheses={"wanted": ["H1"]}, replicates=200))
    assert easier.recommended == 150


@pytest.mark.parametrize(
    ("truth", "name"),
    [
        ({"alpha_per_day": 0, "surge_ratio": 5}, "H1"),
        ({"alpha_per_day": 0.02, "kappa": 1, "tau_days": 60}, "H2"),
        ({"alpha_per_day": 0}, "H4"),
        ({"alpha_per_day": 0, "relapse_ratio": 1}, "H4"),
    ],
)
def test_false_answers_are_no_power(truth, name, monkeypatch):
    """A wanted hypothesis that is false is refused before anything is simulated."""
    monkeypatch.setattr("discontinuation.design.power.rejections", None)
    made = design(truths={"x": truth}, hypotheses={"wanted": ["H3", name]})
    for plan in (plan_power, lambda made: reestimate(made, 100)):
        with pytest.raises(InvalidInput, match=rf"hypotheses.wanted: '{name}': not true .*'x'"):
            plan(made)


def test_only_sides_that_are_true_count(monkeypatch):
    """H3 with more relapse after the taper than the margin: its other side is a false answer."""
    made = design(
        truths={"both": {"relapse_ratio": 3}},
        hypotheses={"tested": ["H3"], "power": 0.5},
        people_per_arm=[50],
        replicates=100,
    )
    assert powered_tests(made) == {"H3": [MAINTAINED]}
    z = {NON_INFERIOR: np.full(100, 3.0), MAINTAINED: np.full(100, 1.0)}
    monkeypatch.setattr("discontinuation.design.power.z_values", lambda *_: z)
    monkeypatch.setattr("discontinuation.design.power.drift_of_one", lambda *_: {})
    found = plan_power(made)
    rows = (
        found.summary.query("kind != 'test'").set_index(["kind", "test"])["simulated"].sort_index()
    )
    assert rows["hypothesis", NON_INFERIOR] == 1
    assert rows["in order", "H3"] == 0
    assert found.recommended is None


def summary_with(made, shares):
    """A `Power` in which H1 was shown in these shares of trials, by size."""
    trials = made.content["replicates"]
    rows = [
        {
            "truth": "both", "people_per_arm": size, "kind": "hypothesis", "test": "H1",
            "simulated": share, "lower": share_range(share, trials)[0],
            "upper": share_range(share, trials)[1],
        }
        for size, share in shares.items()
    ]  # fmt: skip
    return Power(made, pd.DataFrame(rows), pd.DataFrame(), powered_tests(made))


def test_noise_is_not_recommended():
    asked = {"hypotheses": {"tested": ["H1"]}}
    two = summary_with(design(replicates=2, **asked), {30: 1.0, 60: 1.0})
    assert two.recommended is None
    many = summary_with(design(replicates=400, **asked), {30: 0.7, 60: 0.91, 80: 0.92, 100: 0.99})
    assert many.recommended == 100
    assert many.undecided == [60, 80]
    assert many.least.loc[60, "lower"] < 0.9 < many.least.loc[60, "upper"]
    none = summary_with(design(replicates=99, **asked), {30: 1.0})
    assert none.recommended is None and summary_with(none.design, {30: 0.9}).undecided == [30]


def test_range_of_a_share_is_wilsons():
    assert share_range(1.0, 2) == pytest.approx((1 / 3, 1.0))
    low, high = share_range(0.3, 100)
    for limit in (low, high):  # where the share is two standard errors of the limit away
        assert abs(0.3 - limit) == pytest.approx(2 * np.sqrt(limit * (1 - limit) / 100))
    assert np.isnan(share_range(np.nan, 10)).all()


def test_spread_of_the_drive_test_is_that_of_its_simulation():
    """Two arms: most early events are in one, so z spreads by 0.6 and not by 1."""
    truths = {"both": {}, "relapse": {"alpha_per_day": 0}}
    made = design(arms=ROLES[:2], truths=truths, hypotheses={"tested": ["H1"]})
    known, drawn = covariates(made), {}
    for truth in truths:
        random = np.random.default_rng(3)
        counts = draw_counts(made, called_cells(made, truth), 300, 400, random)
        drawn[truth] = np.std(z_values(made, counts, known)["H1"])
    found = {truth: drift_of_one(made, truth, known)["H1"].spread for truth in truths}
    assert found["relapse"] == pytest.approx(1, abs=0.005)
    assert found["both"] == pytest.approx(0.618, abs=0.02)
    assert found == pytest.approx(drawn, rel=0.1)


def test_formula_of_two_arms_is_near_the_simulation():
    two = {"arms": ROLES[:2], "hypotheses": {"tested": ["H1"]}, "people_per_arm": [55, 80]}
    rows = plan_power(design(replicates=1000, **two)).summary.query("test == 'H1'")
    rows = rows.query("kind == 'hypothesis'")
    assert (rows["simulated"] - rows["formula"]).abs().max() < 0.05


def test_numbers_do_not_depend_on_threads_or_chunks():
    made = design(replicates=CHUNK + 30, people_per_arm=[40])
    one, two = plan_power(made, 1), plan_power(made, 2)
    pd.testing.assert_frame_equal(one.summary, two.summary)
    parts = [rejections(made, "both", 40, 0, CHUNK), rejections(made, "both", 40, 1, 30)]
    found = np.concatenate([part["hypothesis", "H2", ""] for part in parts])
    row = one.summary.query("kind == 'hypothesis' and test == 'H2'").iloc[0]
    assert row["simulated"] == pytest.approx(np.nan_to_num(found).mean())
    assert row["replicates"] == CHUNK + 30


def test_progress_is_told():
    told = []
    plan_power(design(replicates=CHUNK * 2, people_per_arm=[30]), 1, lambda *at: told.append(at))
    assert told == [(1, 2), (2, 2)]


def test_tiny_trials_fail_and_are_counted():
    rows = plan_power(design(people_per_arm=[2], replicates=100)).summary
    assert rows["failed"].max() > 0
    assert ((rows["simulated"] * 100).round() + rows["failed"] <= 100).all()


def test_five_arms_and_two():
    more = [
        {"name": "linear", "strategy": "taper", "taper_weeks": 16, "shape": "linear"},
        {"name": "slow", "strategy": "taper", "taper_weeks": 26},
    ]
    five = plan_power(design(arms=[*ROLES, *more], replicates=60, people_per_arm=[100]))
    contrasts = set(five.summary["contrast"]) - {""}
    assert len(contrasts) == 11
    two = design(arms=ROLES[:2], hypotheses={"tested": ["H1", "H4"]}, replicates=60)
    assert set(plan_power(two).summary["contrast"]) == {"", "abrupt v maintain", "all arms"}


def test_no_core_is_refused():
    with pytest.raises(InvalidInput, match="1 or more"):
        plan_power(design(), 0)
