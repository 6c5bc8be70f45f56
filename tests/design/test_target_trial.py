"""The emulated target trial: simulated truth, closed forms, and what it refuses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from discontinuation.design._pooled_logistic import PersonWeeks, fit_pooled, log_stay
from discontinuation.design.cloning import clone, fit_models, follow_weights, weighted_curve
from discontinuation.design.registry import CONTROL, DEFINITION, RegistryScenario, draw_registry
from discontinuation.design.registry import true_effects as truth_of
from discontinuation.design.registry_behaviour import Habits
from discontinuation.design.registry_cohort import RegistryTables, build_cohort
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.design.strategies import Strategy, TargetTrial, hyperbolic_floor
from discontinuation.design.target_items import TO_BE_WRITTEN, target_table
from discontinuation.design.target_trial import emulate
from discontinuation.problems import InvalidInput
from discontinuation.survival import kaplan_meier
from discontinuation.survival._multinomial import fit_multinomial

pytestmark = pytest.mark.long  # simulations

CONTINUE, STOP = Strategy("continue", "continue"), Strategy("stop", "stop")
TAPER = Strategy("taper", "taper", hyperbolic_floor(16, 20.0, 2.7, 0.95))
TRIAL = TargetTrial((CONTINUE, STOP, TAPER))
COVARIATES = ["prior_episodes", "previous_attempts", "age", "sex", "poor_sleep"]
SCENARIO = RegistryScenario(people=12_000)
NULL = replace(
    SCENARIO,
    hazards=Scenario(arms=(Arm("none", "maintain"),), alpha_per_day=0.0, relapse_ratio=1.0),
)


def tables_of(registry):
    return RegistryTables(
        registry.people,
        registry.dispensings,
        registry.follow_up,
        registry.deteriorations,
        registry.measures,
    )


@pytest.fixture(scope="module")
def tables():
    return tables_of(draw_registry(SCENARIO, 1))


@pytest.fixture(scope="module")
def emulation(tables):
    return emulate(tables, TRIAL, COVARIATES, DEFINITION)


@pytest.fixture(scope="module")
def truth():
    return truth_of(SCENARIO, TRIAL, people=10_000, seed=9)


@pytest.fixture(scope="module")
def cohort(tables):
    return build_cohort(tables, TRIAL, COVARIATES, DEFINITION)[0]


def test_the_emulation_finds_the_truth(emulation, truth):
    keys = ["strategy", "reference", "measure"]
    both = emulation.contrasts.merge(truth.contrasts, on=keys)
    assert len(both) == 6
    error = np.hypot(both["se"], both["mcse"])
    assert (np.abs(both["estimate"] - both["truth"]) < 3 * error).all(), both
    weighted = np.abs(both["estimate"] - both["truth"])
    assert (weighted / error).mean() < 1.5


def test_without_weights_and_naively_the_truth_is_missed(emulation, truth, cohort):
    keys = ["strategy", "reference", "measure"]
    both = emulation.contrasts.merge(truth.contrasts, on=keys).set_index(keys)
    row = both.loc[("stop", "continue", "risk_difference")]
    errors = []
    for strategy in (CONTINUE, STOP):
        until = np.minimum(cohort.day, clone(cohort, strategy, TRIAL).deviation * 7)
        event = cohort.event & (cohort.day <= until)
        errors.append(kaplan_meier(until[until > 0], event[until > 0]).at([364])["se"][0])
    assert abs(row["unweighted"] - row["truth"]) > 3 * np.hypot(*errors)
    naive = emulation.naive.set_index("group")["risk"]
    # Whoever completes a taper was well until then, whoever goes on for long was well for long.
    assert naive["taper"] - naive["continue"] < -0.15
    assert both.loc[("taper", "continue", "risk_difference"), "truth"] > 0
    assert abs(naive["stop"] - naive["continue"] - row["truth"]) > 3 * row["se"]


def test_weights_balance_what_was_unbalanced(emulation):
    before, after = emulation.balance["before"].abs(), emulation.balance["after"].abs()
    assert before.max() > 0.3
    assert after.max() < 0.15
    assert after.mean() < before.mean() / 2
    assert (emulation.weights["effective_size"] <= emulation.weights["people"]).all()


def test_without_an_effect_no_difference_is_found():
    made = tables_of(draw_registry(NULL, 1))
    found = emulate(made, TRIAL, COVARIATES, DEFINITION, relevant_difference=0.3)
    risk = found.contrasts.query("measure == 'risk_difference'")
    assert (risk["estimate"].abs() < 3 * risk["se"]).all()
    assert set(risk["conclusion"]) <= {"no difference shown", "no difference of 0.3 or more"}
    naive = found.naive.set_index("group")["risk"]
    assert naive["taper"] - naive["continue"] < -0.15  # although nothing differs


def test_a_negative_control_shows_no_difference(tables):
    found = emulate(tables, TRIAL, COVARIATES, CONTROL)
    risk = found.contrasts.query("measure == 'risk_difference'")
    assert (risk["estimate"].abs() < 3 * risk["se"]).all(), risk


def test_weights_of_one_give_kaplan_meier_of_those_who_follow(cohort):
    ones = np.ones(len(cohort.people))
    for strategy in TRIAL.strategies:
        clones = clone(cohort, strategy, TRIAL)
        found = weighted_curve(cohort, clones, clones.followed.astype(float), ones, TRIAL)
        until = np.minimum(cohort.day, clones.deviation * 7)
        event = cohort.event & (cohort.day <= until)
        known = until > 0
        expected = kaplan_meier(until[known], event[known]).at(np.arange(1, 365))
        assert found[1:] == pytest.approx(expected["survival"].to_numpy(), rel=1e-10)


def test_without_covariates_weights_are_those_of_the_share_that_deviates():
    """Everybody full at the week of grace: 1 / share that begins, by hand."""
    made = draw_registry(replace(SCENARIO, people=3000, habits=Habits(by_trait=0.0)), 2)
    trial = TargetTrial((CONTINUE, STOP), grace_weeks=0)
    cohort, _ = build_cohort(tables_of(made), trial, [], DEFINITION)
    clones = clone(cohort, STOP, trial)
    weights = follow_weights(clones, fit_models(clones, np.ones(len(cohort.people))))
    begins = clones.followed[:, 0].mean()
    assert weights[clones.followed[:, 0], 0] == pytest.approx(1 / begins)
    second = clones.followed[:, 1].sum() / (clones.followed[:, 0] & (cohort.day > 7)).sum()
    assert weights[clones.followed[:, 1], 1] == pytest.approx(1 / begins / second)


def test_pooled_logistic_is_the_logistic_regression_of_survival():
    stream = np.random.default_rng(3)
    n, intervals = 4000, 4
    interval = stream.integers(0, intervals, n)
    x = stream.standard_normal((n, 3))
    linear = np.array([-1.0, 0.0, -0.5, 0.3])[interval] + x @ [0.5, -0.2, 0.0]
    y = (stream.random(n) < 1 / (1 + np.exp(-linear))).astype(float)
    counts = stream.integers(0, 3, n).astype(float)
    rows = PersonWeeks(np.arange(n), np.zeros(n, dtype=np.int64), interval, y, x)
    found = fit_pooled(rows, counts, None, "separated")
    design = np.column_stack([np.ones(n), np.eye(intervals)[interval][:, 1:], x])
    copies = np.repeat(np.arange(n), counts.astype(int))
    other = fit_multinomial(design[copies], y[copies].astype(np.int64), 2, "separated").coef[:, 0]
    assert found[0] == pytest.approx(other[0], abs=1e-6)
    assert found[1:4] == pytest.approx(other[0] + other[1:4], abs=1e-6)
    assert found[4:] == pytest.approx(other[4:], abs=1e-6)
    assert np.exp(log_stay(rows, found)) == pytest.approx(
        1 / (1 + np.exp(design @ other)), rel=1e-5
    )


def test_covariates_that_separate_are_refused_in_words():
    n = 200
    x = np.linspace(-1, 1, n)[:, None]
    whole = np.zeros(n, dtype=np.int64)
    rows = PersonWeeks(np.arange(n), whole, whole, (x[:, 0] > 0).astype(float), x)
    with pytest.raises(InvalidInput, match="nobody comparable"):
        fit_pooled(rows, np.ones(n), None, "nobody comparable is left")


def test_same_seed_same_intervals():
    made = tables_of(draw_registry(replace(SCENARIO, people=3000), 1))
    one, again, other = (
        emulate(made, TRIAL, COVARIATES, DEFINITION, seed=seed).contrasts for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, again)
    assert (one["lower"] != other["lower"]).all()


def test_the_bootstrap_agrees_with_the_jackknife():
    made, trial = tables_of(draw_registry(replace(SCENARIO, people=3000), 1)), (CONTINUE, TAPER)
    drawn, emulation = (
        emulate(made, TargetTrial(trial), COVARIATES, DEFINITION, replicates=replicates)
        for replicates in (200, None)
    )
    assert drawn.resampling.in_words() == "bootstrap of 200 samples of people"
    pair = ["strategy", "reference", "measure"]
    both = drawn.contrasts.merge(emulation.contrasts, on=pair, suffixes=("", "_jackknife"))
    assert (both["estimate"] == both["estimate_jackknife"]).all()
    ratio = both["se"] / both["se_jackknife"]
    assert ((ratio > 0.5) & (ratio < 1.6)).all(), ratio  # an error of 1 / sqrt(38) for one of them


def test_intervals_of_the_jackknife_cover_the_truth():
    """40 small registries; docs/design.md says what larger ones gave."""
    trial = TargetTrial((CONTINUE, STOP))
    scenario = replace(SCENARIO, people=2000)
    true = truth_of(SCENARIO, trial, people=20_000, seed=9).contrasts["truth"][0]
    made = (tables_of(draw_registry(scenario, seed)) for seed in range(1, 41))
    found = pd.concat(emulate(one, trial, COVARIATES, DEFINITION).contrasts[:1] for one in made)
    covered = ((found["lower"] <= true) & (true <= found["upper"])).mean()
    assert abs(covered - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 40)
    spread = found["estimate"].std(ddof=1)
    assert abs(found["se"].mean() / spread - 1) < 3 / np.sqrt(2 * 39)


def test_truncation_bounds_the_weights(tables, emulation):
    found = emulate(tables, TRIAL, COVARIATES, DEFINITION, truncate=0.01)
    assert found.weights["largest_weight"].max() < emulation.weights["largest_weight"].max()


def test_flow_counts_everybody(emulation):
    assert emulation.flow["people"].iloc[0] == 12_000
    assert emulation.flow["people"].is_monotonic_decreasing
    risks = emulation.risks.set_index("strategy")
    assert (risks["compatible"] <= emulation.flow["people"].iloc[-1]).all()
    assert risks.loc["continue", "risk"] == pytest.approx(
        1 - emulation.curves.query("strategy == 'continue'")["event_free"].iloc[-1]
    )


def test_target_items_are_all_there(emulation):
    table = target_table(emulation, {"17": "none needed: nobody in these data exists"})
    numbers = {int("".join(c for c in item.split(",")[0] if c.isdigit())) for item in table["item"]}
    assert numbers == set(range(1, 22)) - {7}
    pairs = table.loc[table["item"].str.startswith("6")]
    assert pairs["item"].str.contains("7").all()
    assert len(pairs) == 8
    assert (pairs[["target_trial", "emulation"]] != "").all(axis=None)
    rows = table.set_index("item")
    assert "nobody" in rows.loc["17", "emulation"]
    assert rows.loc["2", "emulation"] == TO_BE_WRITTEN
    with pytest.raises(InvalidInput, match="allowed"):
        target_table(emulation, {"13": "a large effect"})


def test_a_strategy_that_nobody_follows_is_refused(tables):
    never = Strategy("year", "taper", tuple(np.linspace(0.99, 0, 40)))
    trial = TargetTrial((CONTINUE, never), grace_weeks=8)
    with pytest.raises(InvalidInput, match="nothing can be said of it"):
        emulate(tables, trial, COVARIATES, DEFINITION)


def test_bad_tables_are_refused_with_every_reason(tables):
    broken = tables.dispensings.copy()
    broken.loc[3, "dose"] = -1
    wrong = replace(tables, dispensings=broken, follow_up=tables.follow_up.iloc[1:])
    with pytest.raises(InvalidInput) as caught:
        emulate(wrong, TRIAL, ["prior_episode"], "relapse")
    text = str(caught.value)
    assert len(caught.value.problems) == 4
    assert "did you mean 'prior_episodes'" in text
    assert "allowed: protocol, injury" in text
    assert "row 5" in text
    with pytest.raises(InvalidInput) as caught:
        emulate(replace(tables, people=tables.people.iloc[1:]), TRIAL, COVARIATES, DEFINITION)
    assert "without a row in people: 1" in str(caught.value)
    blank = tables.people.copy()
    blank.loc[:9, "age"] = np.nan
    with pytest.raises(InvalidInput, match="not known at time zero of"):
        emulate(replace(tables, people=blank), TRIAL, ["age"], DEFINITION)
    with pytest.raises(InvalidInput) as caught:
        emulate(tables, TRIAL, [], DEFINITION, truncate=0.7, confidence=2, replicates=1)
    assert len(caught.value.problems) == 3
    with pytest.raises(InvalidInput, match="nobody is eligible"):
        emulate(tables, replace(TRIAL, stable_days=9999), [], DEFINITION)
