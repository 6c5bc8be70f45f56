"""The fitted model on simulated trials: what it finds, what it refuses, what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from discontinuation.classify import Settings, fit
from discontinuation.classify.evidence import evidence_label
from discontinuation.classify.excess_share import UPPER_ONLY, ratio
from discontinuation.classify.gate_measures import (
    exposure_of_trial,
    fit_trials,
    louis_difference,
)
from discontinuation.classify.imputation import impute_causes
from discontinuation.classify.lower_bound import upper_ratio
from discontinuation.classify.model import LatentCauseFit
from discontinuation.classify.observed import observe
from discontinuation.classify.relapse_effects import (
    imputed_effect,
    piecewise_exponential,
)
from discontinuation.classify.settings import ItemPrior, Normal
from discontinuation.classify.why import _timing, decide
from discontinuation.design.expected import expected_curves, expected_excess_share
from discontinuation.design.scenario import BASE_ARMS, Scenario
from discontinuation.design.simulate import SimulatedTrial, simulate_trial
from discontinuation.exposure.trajectories import exposure_of
from discontinuation.problems import InvalidInput

BASE = Scenario()
SMALL = replace(BASE, arms=tuple(replace(arm, people=60) for arm in BASE_ARMS))


@cache
def trial_of(scenario: Scenario = BASE, seed: int = 1) -> SimulatedTrial:
    return simulate_trial(scenario, seed)


@cache
def fitted(scenario: Scenario = BASE, seed: int = 1) -> LatentCauseFit:
    return fit_trials([trial_of(scenario, seed)], "maintain")


def tables(trial: SimulatedTrial) -> dict[str, pd.DataFrame]:
    return {
        "events": trial.deteriorations,
        "people": trial.people,
        "items": trial.assessments,
        "follow_up": trial.follow_up,
    }


def refit(trial: SimulatedTrial, **changes: object) -> LatentCauseFit:
    given = {"exposure": exposure_of_trial(trial), **tables(trial), **changes}
    return fit(**given)  # type: ignore[arg-type]


def estimate(result: LatentCauseFit, name: str) -> float:
    return float(result.estimates.set_index("parameter")["estimate"].to_dict()[name])


def risk(result: LatentCauseFit, arm: str) -> float:
    rows = result.incidence.query("arm == @arm and cause == 'withdrawal'")
    return float(rows["incidence"].iloc[-1])


# What is true is found ---------------------------------------------------------------------------


def test_the_truth_lies_within_the_limits_and_the_mean_error_is_small() -> None:
    curves = expected_curves(BASE)
    truth = expected_excess_share(curves, "abrupt", "maintain", 364)
    last = curves[(curves["arm"] == "abrupt") & (curves["day"] == 364)]
    errors = []
    for seed in range(1, 9):
        result = fitted(BASE, seed)
        share = result.psi.query("arm == 'abrupt' and measure == 'psi_H' and horizon == 364")
        errors.append(
            (
                estimate(result, "beta") - BASE.beta,
                risk(result, "abrupt") - float(last["crude_withdrawal"].iloc[0]),
                float(share["estimate"].iloc[0]) - truth.hazard,
                float(share["lower"].iloc[0]) < truth.hazard < float(share["upper"].iloc[0]),
            )
        )
    beta, crude, psi, covered = np.array(errors, dtype=float).T
    # Three Monte-Carlo errors of a mean of 8, from the standard errors of methods G4.
    assert abs(beta.mean()) < 3 * 0.19 / np.sqrt(8)
    assert abs(crude.mean()) < 3 * 0.03 / np.sqrt(8)
    assert abs(psi.mean()) < 3 * 0.15 / np.sqrt(8)
    assert covered.sum() >= 6


def test_q_is_calibrated() -> None:
    parts = []
    for seed in range(1, 9):
        truth = trial_of(BASE, seed).truth
        parts.append(fitted(BASE, seed).q.merge(truth, on=["person", "episode"]))
    events = pd.concat(parts)
    true = events["cause"] == "withdrawal"
    middle = events["q"].between(0.1, 0.9)
    spread = np.sqrt((events["q"] * (1 - events["q"]))[middle].sum())
    assert abs((true - events["q"])[middle].sum()) < 4 * spread
    assert true[events["decision"] == "withdrawal"].mean() > 0.9
    assert true[events["decision"] == "relapse"].mean() < 0.04


def test_without_withdrawal_the_model_says_not_supported() -> None:
    for seed in range(1, 5):
        result = fitted(replace(BASE, alpha_per_day=0.0), seed)
        assert result.evidence.label == "not supported"
        given = result.psi.dropna(subset="estimate")
        assert (given["lower"] <= 0).all()
        assert (given["interval"] == UPPER_ONLY).all()
        (few,) = [caution for caution in result.first_cautions if caution.code == "few"]
        assert "rough" in few.message and "bootstrap" not in few.message
        told = result.summary[result.summary["interval"] == UPPER_ONLY]
        assert told[["estimate", "lower"]].isna().all(axis=None) and told["upper"].notna().all()


def test_kappa_1_and_2_are_told_apart() -> None:
    straight = fitted(replace(BASE, kappa=1.0, alpha_per_day=0.0206), 2)
    assert straight.kappa_test.p_value > 0.01
    assert fitted(BASE, 2).kappa_test.p_value < 0.01
    assert fitted(BASE, 2).kappa_test.signed_root > 0


def test_psi_without_any_uncertainty_is_that_of_the_simulator() -> None:
    result = fitted()
    layout, theta = result.task.layout, result.maximum.found.theta.copy()
    theta[layout.baseline] = np.log(0.29 / 365)
    theta[layout.beta], theta[layout.eta] = BASE.beta, 0.0
    theta[layout.alpha], theta[layout.tau] = np.log(0.05), np.log(14)
    theta[layout.kappa] = np.log(2)
    from discontinuation.classify.arm_curves import arm_curves
    from discontinuation.classify.excess_share import numerators
    from discontinuation.classify.likelihood import expect

    curves = arm_curves(expect(theta, result.task), result.task)
    truth = expected_excess_share(expected_curves(BASE), "abrupt", "maintain", 364)
    parts = numerators(curves[1], curves[0], 364)
    found = {name: top[0] / bottom[0] for name, (top, bottom) in parts.items()}
    assert found["psi_H"] == pytest.approx(truth.hazard, rel=1e-9)
    assert found["psi_net"] == pytest.approx(truth.net, rel=1e-9)
    assert found["psi_crude"] == pytest.approx(truth.crude, rel=1e-9)


def test_slopes_of_the_shares_are_their_differences() -> None:
    from discontinuation.classify.arm_curves import arm_curves
    from discontinuation.classify.excess_share import numerators
    from discontinuation.classify.likelihood import expect

    result = fitted()
    task, theta = result.task, result.maximum.found.theta
    parts = numerators(result.curves[2], result.curves[0], 300)
    for place in range(8):
        moved = []
        for sign in (1, -1):
            other = theta.copy()
            other[place] += sign * 1e-5
            curves = arm_curves(expect(other, task), task)
            moved.append(numerators(curves[2], curves[0], 300))
        for name, sides in parts.items():
            for side in (0, 1):
                change = (moved[0][name][side][0] - moved[1][name][side][0]) / 2e-5
                assert sides[side][1][place] == pytest.approx(change, abs=1e-7)


# Words, addends, decisions -----------------------------------------------------------------------


def test_the_three_addends_are_the_log_odds() -> None:
    q = fitted().q
    stopped = q[q["q"].between(1e-12, 1 - 1e-12)]
    logit = np.log(stopped["q"] / (1 - stopped["q"]))
    total = stopped[["timing", "symptoms", "reinstatement"]].sum(axis=1)
    np.testing.assert_allclose(logit, total, atol=1e-9)
    assert ((q["lower"] <= q["q"]) & (q["q"] <= q["upper"])).all()


def test_nobody_who_keeps_the_drug_is_called_withdrawn() -> None:
    q = fitted().q
    kept = q[q["arm"] == "maintain"]
    assert (kept["q"] == 0).all()
    assert kept["why"].str.startswith("Occupancy had not fallen").all()


def test_decisions_mirror() -> None:
    q = np.array([0.0, 0.2, 0.2000001, 0.5, 0.7999999, 0.8, 1.0])
    mirrored = {"withdrawal": "relapse", "relapse": "withdrawal", "indeterminate": "indeterminate"}
    one = decide(q, 0.8, 0.2)
    assert [mirrored[name] for name in decide(1 - q, 0.8, 0.2)] == list(one)


def test_swapping_the_profiles_swaps_the_evidence_of_the_symptoms() -> None:
    from discontinuation.classify.likelihood import signs_of

    result = fitted()
    layout, theta = result.task.layout, result.maximum.found.theta.copy()
    before = signs_of(theta, result.task)
    theta[layout.item_withdrawal], theta[layout.item_relapse] = (
        theta[layout.item_relapse].copy(),
        theta[layout.item_withdrawal].copy(),
    )
    theta[layout.resolution] = theta[layout.resolution][::-1].copy()
    after = signs_of(theta, result.task)
    np.testing.assert_array_equal(before[:, 0] - before[:, 1], after[:, 1] - after[:, 0])


def test_every_sentence_names_a_probability_and_its_decision() -> None:
    q = fitted().q
    for row in q.itertuples():
        assert f"probability of withdrawal {row.q:.2f}" in row.why
        assert row.why.endswith(f"decision: {row.decision}.")


@pytest.mark.parametrize(
    ("earliest", "latest", "words"),
    [
        (1.0, 1.0, "1 day after the last reduction"),
        (0.0, 42.0, "between 0 and 42 days after the last reduction"),
        (-7.0, 5.0, "up to 5 days after the last reduction, or before it"),
    ],
)
def test_an_onset_between_two_visits_is_said_to_lie_between_them(
    earliest: float, latest: float, words: str
) -> None:
    row = SimpleNamespace(
        last_reduction=10.0, onset_earliest=10 + earliest, onset_latest=10 + latest
    )
    assert _timing(1.0, row) == f"timing speaks for withdrawal (odds times 2.72) (onset {words})"


@pytest.mark.parametrize(
    ("statistic", "null_point", "label"),
    [
        (10.0, np.nan, "not supported"),
        (10.1, np.nan, "supported under the model"),
        (20.0, np.nan, "supported under the model"),
        (20.1, np.nan, "supported and robust"),
        (25.0, 30.0, "not supported"),
        (np.nan, np.nan, "not supported"),
    ],
)
def test_evidence_classes(statistic: float, null_point: float, label: str) -> None:
    assert evidence_label(statistic, null_point) == label


# Ratios ------------------------------------------------------------------------------------------


def test_a_share_of_nothing_is_refused() -> None:
    share = ratio(
        (0.1, np.array([1.0, 0.0])), (0.1, np.array([0.0, 1.0])), 0.01 * np.eye(2), 0.95, True
    )
    assert np.isnan(share.estimate) and share.interval.startswith("refused")
    assert share.numerator == share.denominator == 0.1


def test_fieller_holds_exactly_what_it_should() -> None:
    """A ratio r is inside if ``top - r bottom`` is within 1.96 of its errors of 0."""
    spread = np.array([[0.0030, 0.0012], [0.0012, 0.0100]])
    share = ratio((0.2, np.array([1.0, 0.0])), (0.3, np.array([0.0, 1.0])), spread, 0.95, True)
    assert share.interval == "Fieller"
    for limit in (share.lower, share.upper):
        se = np.sqrt(spread[0, 0] - 2 * limit * spread[0, 1] + limit**2 * spread[1, 1])
        assert abs(0.2 - limit * 0.3) / se == pytest.approx(1.959963985, rel=1e-6)


# What cannot be known ----------------------------------------------------------------------------


def codes(result: LatentCauseFit) -> set[str]:
    return {caution.code for caution in result.warnings}


def test_without_a_maintenance_arm_psi_and_beta_are_refused() -> None:
    result = fit_trials([trial_of(replace(BASE, arms=BASE_ARMS[1:]))], None)
    assert result.psi["estimate"].isna().all()
    assert np.isnan(estimate(result, "beta"))
    assert "W2" in codes(result)
    assert result.q["q"].between(0, 1).all()
    assert result.lower_bound.empty and result.sensitivity.empty
    with pytest.raises(InvalidInput, match="no maintenance arm"):
        result.relapse_effects()


def test_of_several_maintenance_arms_the_first_is_named_as_the_reference() -> None:
    trial = trial_of(SMALL)
    second = trial.people["arm"].eq("maintain") & (np.arange(len(trial.people)) % 2 == 1)
    people = trial.people.assign(arm=trial.people["arm"].mask(second, "also maintain"))
    result = refit(trial, people=people, maintenance=["also maintain", "maintain"])
    assert set(result.psi["reference"]) == {"maintain"}
    said = next(str(caution) for caution in result.first_cautions if caution.code == "reference")
    assert "2 maintenance arms (maintain, also maintain)" in said
    assert "against the first, maintain" in said


def test_people_of_the_maintenance_arm_who_stop_on_their_own_are_counted() -> None:
    trial = trial_of(SMALL)
    kept = trial.people.loc[trial.people["arm"] == "maintain", "person"]
    mine = trial.doses["person"].isin(kept.iloc[:12])
    before = trial.doses.assign(stop=trial.doses["stop"].mask(mine, 0.0))
    after = trial.doses[mine].assign(start=0.0, dose=0.0)
    exposure = exposure_of(
        pd.concat([before, after]), half_life_days=1.0, k=2.7, emax=0.95, dose_before=20.0
    )
    result = refit(trial, exposure=exposure, maintenance="maintain")
    said = next(str(one) for one in result.first_cautions if one.code == "maintenance")
    assert "12 of the 60 people of maintenance arm maintain" in said
    assert "at most 1.00 of 1" in said


def test_with_a_single_pace_psi_is_shown_for_several_kappas() -> None:
    result = fit_trials([trial_of(replace(BASE, arms=BASE_ARMS[:2]))], "maintain")
    assert sorted(result.psi["kappa"].unique()) == [1.0, 1.5, 2.0, 3.0]
    kappa = result.estimates.set_index("parameter").loc["kappa"]
    assert kappa["refused"].startswith("W4")
    assert "W4" in codes(result)
    assert result.kappa_test.refused is not None and np.isnan(result.kappa_test.p_value)


def test_without_symptoms_timing_decides_alone_and_this_is_said() -> None:
    for items in (None, trial_of().assessments.assign(value=np.nan)):
        result = refit(trial_of(), items=items)
        assert result.timing_only
        assert any("timing-only" in str(caution) for caution in result.warnings)
        assert (result.q["symptoms"] == 0).all()
        assert result.q["why"].str.contains("no symptom was rated").all()


def test_useless_symptoms_are_noticed_and_useful_ones_are_not() -> None:
    assert fitted(replace(BASE, item_distinctiveness=0.0)).timing_only
    assert not fitted().timing_only
    assert codes(fitted()) == set()


def test_few_events_are_said() -> None:
    few = replace(BASE, arms=tuple(replace(arm, people=12) for arm in BASE_ARMS))
    result = fitted(few, 3)
    assert {"W1", "W2", "few"} <= codes(result)


def test_few_relapses_are_said_in_the_words_of_few_withdrawals() -> None:
    """The same events with their causes exchanged in the fit."""
    result = fitted()
    probability = result.maximum.found.probability.copy()
    probability[:, 1] = probability[:, 1] / probability[:, 1].sum() * 7.3
    probability[:, 0] = 1 - probability[:, 1]
    told = []
    for columns in ([0, 1], [1, 0]):
        found = replace(result.maximum.found, probability=probability[:, columns])
        other = replace(result, maximum=replace(result.maximum, found=found))
        told += [one.message for one in other.first_cautions if one.code == "few"]
    assert told[0].startswith("7.3 events of relapse are expected, fewer than 20")
    assert told[1] == told[0].replace("relapse", "withdrawal")
    assert len(told) == 2


def test_a_likelihood_ratio_is_never_below_0() -> None:
    """Unpenalised likelihoods at penalised maxima can turn round where there is little data."""
    trial = trial_of(SMALL)
    for place in (0, 20, -1):
        only = trial.deteriorations.iloc[[place]]
        quiet = ~trial.people["person"].isin(trial.deteriorations["person"])
        kept = trial.people.loc[quiet | trial.people["person"].isin(only["person"]), "person"]
        parts = {name: table[table["person"].isin(kept)] for name, table in tables(trial).items()}
        result = refit(trial, **parts | {"events": only})
        evidence = result.evidence
        raw = result.maximum.found.log_likelihood - result.null.found.log_likelihood
        assert evidence.likelihood_ratio == max(0.0, 2 * raw)
        assert evidence.nocebo_gain >= 0 and evidence.beside_nocebo >= 0
        assert evidence.label == "not supported"


def test_one_event_can_be_classified_but_nothing_claimed() -> None:
    trial = trial_of(SMALL)
    only = trial.deteriorations.iloc[[-1]]
    quiet = trial.follow_up[
        ~trial.follow_up["person"].isin(trial.deteriorations["person"].iloc[:-1])
    ]
    people = trial.people[trial.people["person"].isin(quiet["person"])]
    items = trial.assessments[trial.assessments["person"].isin(only["person"])]
    result = refit(trial, events=only, people=people, follow_up=quiet, items=items)
    assert len(result.q) == 1
    assert result.evidence.label == "not supported"
    assert {"W1", "W2", "W3"} <= codes(result)


def test_a_change_of_dose_before_the_reference_day_is_noticed() -> None:
    trial = trial_of(SMALL)
    doses = trial.doses.copy()
    opening = doses["start"] < 0
    earlier = doses[opening].assign(stop=-10.0, dose=40.0)
    doses.loc[opening, "start"] = -10.0
    exposure = exposure_of(
        pd.concat([earlier, doses]), half_life_days=1.0, k=2.7, emax=0.95, dose_before=40.0
    )
    assert "start" in codes(refit(trial, exposure=exposure))


# Variants of the data ----------------------------------------------------------------------------


def test_a_maintenance_arm_is_recognised_by_its_doses() -> None:
    arms = refit(trial_of()).task.observed.arms.set_index("arm")["maintenance"]
    assert arms.to_dict() == {"maintain": True, "abrupt": False, "taper": False}


def test_visits_every_two_weeks_cost_little() -> None:
    daily, seldom = fitted(), fitted(replace(BASE, visit_days=14))
    both = daily.q.merge(seldom.q, on="person")
    assert np.corrcoef(both["q_x"], both["q_y"])[0, 1] > 0.95
    assert risk(seldom, "abrupt") == pytest.approx(risk(daily, "abrupt"), abs=0.03)


def test_two_trials_share_profiles_and_keep_their_own_hazards() -> None:
    other = replace(BASE, study="second", relapse_per_year=(0.8,), alpha_per_day=0.02)
    result = fit_trials([trial_of(), simulate_trial(other, 5)], "maintain")
    table = result.estimates
    alphas = table[table["parameter"] == "alpha"].set_index("study")["estimate"]
    assert alphas["simulated"] > 1.5 * alphas["second"]
    rates = table[table["parameter"] == "baseline hazard"].groupby("study")["estimate"].mean()
    assert rates["second"] > 1.7 * rates["simulated"]
    assert (table["parameter"] == "beta").sum() == 1
    assert set(result.psi["study"]) == {"simulated", "second"}


def test_late_entry_without_early_people_changes_nothing_later() -> None:
    """Who enters on day 60 and is well then tells nothing of the days before."""
    trial = trial_of()
    ends = trial.follow_up.set_index("person")["end"]
    onset = trial.deteriorations.set_index("person")["onset_earliest"].reindex(ends.index)
    late = ends.index[(ends > 60) & ~(onset < 60)]
    parts = {name: table[table["person"].isin(late)] for name, table in tables(trial).items()}
    parts["follow_up"] = parts["follow_up"].assign(start=60.0)
    result = refit(trial, **parts)
    rates = result.estimates.query("parameter == 'baseline hazard'")
    full = fitted().estimates.query("parameter == 'baseline hazard'")
    later = rates["estimate"].to_numpy()[1:] / full["estimate"].to_numpy()[1:]
    np.testing.assert_allclose(later, 1.0, atol=0.25)
    assert rates["prior_share"].iloc[0] > full["prior_share"].iloc[0]


def test_nocebo_takes_what_is_alike_in_all_blinded_arms() -> None:
    scenario = replace(BASE, nocebo_risk=0.10)
    plain = fit_trials([trial_of(scenario)], "maintain")
    third = refit(trial_of(scenario), settings=Settings(nocebo=True), maintenance="maintain")
    truth = trial_of(scenario).truth["cause"].value_counts()
    assert third.q["nocebo"].sum() == pytest.approx(truth["nocebo"], abs=20)
    wrong = abs(plain.q["q"].sum() - truth["withdrawal"])
    assert abs(third.q["q"].sum() - truth["withdrawal"]) < wrong
    np.testing.assert_allclose(third.q[["q", "relapse", "nocebo"]].sum(axis=1), 1.0)
    assert louis_difference(third) < 1e-5


def test_a_nocebo_effect_without_withdrawal_is_not_called_withdrawal() -> None:
    """The likelihood ratio of the two-cause model alone would call it robust."""
    for seed in (1, 2, 3):
        result = fitted(replace(BASE, nocebo_risk=0.10, alpha_per_day=0.0), seed)
        assert result.evidence.likelihood_ratio > 20
        assert result.evidence.label == "not supported"
        assert "nocebo" in codes(result)
        given = result.psi.dropna(subset="estimate")
        assert (given["lower"] <= 0).all()


def test_nocebo_is_not_called_for_where_there_is_none() -> None:
    called = [fitted(BASE, seed).evidence.nocebo_called_for for seed in range(1, 9)]
    assert sum(called) <= 1
    assert all(fitted(BASE, s).evidence.label == "supported and robust" for s in range(1, 9))


def test_a_strong_prior_is_named_as_such() -> None:
    result = refit(trial_of(), settings=Settings(beta=Normal(0.0, 0.05)))
    assert any(c.code == "W3" and "beta" in c.message for c in result.warnings)
    share = result.estimates.set_index("parameter")["prior_share"].to_dict()
    assert share["beta"] > 0.5


def test_prior_and_posterior_of_a_symptom_stand_side_by_side() -> None:
    """A Beta prior worth m events beside n that were rated: its share is close to m / (m + n)."""
    lopsided = ItemPrior(withdrawal=0.3, relapse=0.3, withdrawal_weight=6.0, relapse_weight=200.0)
    name = fitted().task.observed.items[0]
    result = refit(trial_of(), settings=Settings(items={name: lopsided}))
    table = result.estimates.set_index(["parameter", "item"])
    rated = result.task.observed.rated[:, 0]
    q = result.q["q"].to_numpy()
    for cause, worth, n in (
        ("withdrawal", 6.0, float((q * rated).sum())),
        ("relapse", 200.0, float(((1 - q) * rated).sum())),
    ):
        row = table.loc[(f"symptom by {cause}", name)]
        assert row["prior_share"] == pytest.approx(worth / (worth + n), rel=0.15)
        assert row["prior"] == pytest.approx(stats.beta.median(1 + worth * 0.3, 1 + worth * 0.7))
    others = table.loc["symptom by withdrawal"].drop(name)
    assert (others["prior"] == 0.5).all()
    assert others["prior_share"].between(0.01, 0.5).all()
    share = result.estimates.set_index("parameter").loc["protracted share"]
    assert share["prior"] == pytest.approx(0.2) and np.isnan(share["prior_share"])


# Uncertainty -------------------------------------------------------------------------------------


def test_imputed_causes_agree_with_q_and_combine_by_rubin() -> None:
    result = fitted()
    drawn = result.impute(60, 4)
    share = (drawn.causes == "withdrawal").mean(axis=0)
    q = result.q["q"].to_numpy()
    assert share[q == 0].max() == 0
    assert abs(share.mean() - q.mean()) < 0.02
    combined = imputed_effect(result.task, drawn)
    table = result.estimates.set_index("parameter")
    # The same effect from the joint likelihood; the prior of eta accounts for the difference.
    assert combined.estimate[0] == pytest.approx(table["estimate"].to_dict()["beta"], abs=0.12)
    assert 0 < combined.missing_information[0] < 0.5
    again = result.impute(60, 4)
    assert (again.causes == drawn.causes).all()


RARE_VISITS = replace(BASE, visit_days=84)


def test_cause_and_onset_between_visits_are_drawn_together() -> None:
    result = fitted(RARE_VISITS)
    drawn = impute_causes(
        result.maximum.found.theta, result.covariance, result.task, 400, 5, draw=False
    )
    events = result.q
    assert (drawn.onsets > events["onset_earliest"].to_numpy()).all()
    assert (drawn.onsets < events["onset_latest"].to_numpy()).all()
    # Of one event: how often each day and cause was drawn, against their joint probability.
    abrupt = np.flatnonzero((events["arm"] == "abrupt") & (events["onset_latest"] == 84))[0]
    share = result.maximum.found.share[result.task.observed.event == abrupt]
    first = result.task.observed.first_slice[abrupt]
    seen = np.zeros_like(share)
    places = [result.task.causes.index(one) for one in drawn.causes[:, abrupt]]
    np.add.at(seen, (drawn.slices[:, abrupt] - first, places), 1 / 400)
    assert share.sum() == pytest.approx(1)
    assert np.abs(seen - share).sum() < 0.5  # 0.3 to 0.4 from chance alone
    assert np.cumsum(seen.sum(axis=1)) == pytest.approx(np.cumsum(share.sum(axis=1)), abs=0.09)
    assert seen.sum(axis=0) == pytest.approx(share.sum(axis=0), abs=0.09)
    completed = drawn.completed(7)
    assert (completed["onset"] == drawn.onsets[7]).all()


@pytest.mark.long
def test_rare_visits_do_not_bias_the_imputed_effect() -> None:
    # With every onset at the earliest day it could be, the mean would be 0.5 too low.
    found = [
        imputed_effect(result.task, result.impute(20, 1)).estimate[0]
        for result in (fitted(RARE_VISITS, seed) for seed in range(1, 13))
    ]
    assert np.mean(found) == pytest.approx(BASE.beta, abs=0.18)  # three standard errors


def test_bootstrap_limits_are_near_those_of_the_delta_method() -> None:
    result = fitted()
    boot = result.bootstrap_psi(60, 2).set_index(["arm", "horizon"])
    plain = result.psi.query("measure == 'psi_H'").set_index(["arm", "horizon"])
    at = ("abrupt", 364.0)
    assert boot.loc[at, "psi_H"] == pytest.approx(plain.loc[at, "estimate"])
    ratio_of_width = np.log(boot.loc[at, "upper"] / boot.loc[at, "lower"]) / np.log(
        plain.loc[at, "upper"] / plain.loc[at, "lower"]
    )
    assert 0.6 < ratio_of_width < 1.5


def test_the_null_is_calibrated_on_the_design() -> None:
    result = fitted(SMALL, 2).calibrated(19, 3)
    assert result.evidence.draws == 19
    assert 0.5 < result.evidence.null_point < 20
    assert result.evidence.p_value == pytest.approx(0.05)
    null = fitted(replace(SMALL, alpha_per_day=0.0), 2).calibrated(19, 3)
    assert null.evidence.label == "not supported"
    assert null.evidence.p_value > 0.05


def test_frailty_and_the_early_multiplier_are_tried() -> None:
    table = fitted().sensitivity
    assert set(table["variant"]) == {"main", "eta = 0", "frailty 0.5", "frailty 1", "frailty 2"}
    assert not table.isna().any().any()


def test_the_window_check_sees_what_the_model_cannot_be() -> None:
    assert not fitted().windows.misfit
    result = fitted()
    windows = result.windows.windows
    assert windows["seen"].sum() == pytest.approx(len(result.q))
    assert windows["seen"].sum() == pytest.approx(windows["expected"].sum(), rel=0.02)
    later = trial_of().deteriorations.copy()
    moved = later["onset_latest"].between(60, 120)
    assert moved.sum() > 10
    shift = {name: later[name].where(~moved, 100.0) for name in ("onset", "onset_latest")}
    later = later.assign(**shift, onset_earliest=later["onset_earliest"].where(~moved, 99.0))
    later.loc[moved, ["reinstated", "resolved"]] = np.nan  # some lie before the new onset
    ends = trial_of().follow_up.copy()
    ends["end"] = (
        ends["end"]
        .clip(lower=100.0)
        .where(ends["person"].isin(later.loc[moved, "person"]), ends["end"])
    )
    doses = trial_of().doses
    last = doses.groupby("person")["stop"].transform("max") == doses["stop"]
    doses = doses.assign(stop=doses["stop"].where(~last, 400.0))
    exposure = exposure_of(doses, half_life_days=1.0, k=2.7, emax=0.95, dose_before=20.0)
    heaped = refit(trial_of(), events=later, follow_up=ends, exposure=exposure)
    assert heaped.windows.statistic > result.windows.statistic


def test_the_bound_is_below_the_share_and_above_0_where_symptoms_tell() -> None:
    table = fitted().lower_bound.set_index("arm")
    truth = trial_of().truth.merge(trial_of().people, on="person")
    share = (truth[truth["arm"] == "abrupt"]["cause"] == "withdrawal").mean()
    assert 0 < table.loc["abrupt", "lower_limit"] < share
    assert table.loc["abrupt", "lower_limit"] < table.loc["abrupt", "bound"]
    assert table.loc["abrupt", "decided_by"] in {"loss_of_interest present", "low_mood present"}


def test_the_limit_of_the_bound_is_a_limit_where_symptoms_tell_nothing() -> None:
    """One answer in common: the limit is above 0 in at most 5 % of trials."""
    random = np.random.default_rng(5)
    n, m = np.full(4000, 80.0), np.full(4000, 30.0)
    a, b = random.binomial(80, 0.6, 4000), random.binomial(30, 0.6, 4000)
    above = (upper_ratio(a.astype(float), n, b.astype(float), m, 1.6448536) < 1).mean()
    assert 0.03 < above < 0.06


def test_everything_goes_into_json() -> None:
    import json

    text = json.dumps(fitted(SMALL, 2).as_dict(), allow_nan=False, default=str)
    assert "psi_H" in text


def test_the_naive_effect_is_too_large_and_the_others_agree() -> None:
    """Naive, the whole of withdrawal counts as relapse (methods F5: +0.61)."""
    table = fitted().relapse_effects(30, 2).set_index("way")["estimate"]
    assert list(table.index) == ["naive", "weighted", "imputed", "joint"]
    assert table["naive"] > table["imputed"] + 0.3
    assert table["weighted"] == pytest.approx(table["imputed"], abs=0.05)


def test_regression_on_counts_has_the_closed_form_of_two_groups() -> None:
    events = np.array([[30.0, 0.0], [48.0, 0.0]])
    risk = np.array([[1000.0, 10.0], [800.0, 10.0]])
    covariate = np.array([[0.0, 0.0], [1.0, 1.0]])
    stratum = np.array([[0, 1], [0, 1]])
    beta, variance = piecewise_exponential(events, risk, covariate, stratum)
    assert beta == pytest.approx(np.log((48 / 800) / (30 / 1000)))
    assert variance == pytest.approx(1 / 48 + 1 / 30)


# Bad input ---------------------------------------------------------------------------------------


def problems_of(**changes: object) -> str:
    with pytest.raises(InvalidInput) as caught:
        refit(trial_of(SMALL), **changes)
    return str(caught.value)


def test_all_problems_come_at_once() -> None:
    trial = trial_of(SMALL)
    events = trial.deteriorations.copy()
    events.loc[0, ["onset", "onset_earliest", "onset_latest"]] = 9999.0
    items = trial.assessments.copy()
    items.loc[3, "value"] = 2.0
    message = problems_of(events=events, items=items)
    assert "the onset lies after the end of follow-up" in message
    assert "row 5, column value: '2.0'" in message
    assert "2 problems" in message


def test_missing_parts_are_named() -> None:
    trial = trial_of(SMALL)
    assert "nothing to classify" in problems_of(events=trial.deteriorations.iloc[:0])
    assert "this column is missing" in problems_of(people=trial.people.drop(columns="arm"))
    assert "has no follow-up" in problems_of(follow_up=trial.follow_up.iloc[5:])
    assert "is not in people" in problems_of(people=trial.people.iloc[5:])
    assert "did you mean 'maintain'" in problems_of(maintenance="mantain")


def test_a_blank_arm_or_study_is_refused_with_its_row() -> None:
    people = trial_of(SMALL).people.astype({"arm": object}).assign(study="one")
    people.loc[4, "arm"] = None
    people.loc[7, "arm"] = " "
    people.loc[9, "study"] = None
    message = problems_of(people=people)
    assert "people, row 6, column arm: is blank" in message
    assert "people, row 9, column arm" in message
    assert "people, row 11, column study: is blank" in message
    assert "3 problems" in message


def test_an_arm_that_stopped_is_no_maintenance_arm() -> None:
    message = problems_of(maintenance=["maintain", "abrupt"])
    assert "maintenance: 'abrupt': this arm of study" in message
    assert "of its 60 people lost more than half" in message
    assert "lowest retained occupancy 0.00" in message
    assert "by their doses these do: maintain" in message
    assert "1 problem " in message


def test_people_without_doses_or_drugs_without_occupancy_are_refused() -> None:
    trial = trial_of(SMALL)
    few = trial.doses[trial.doses["person"] != trial.people["person"].iloc[0]]
    exposure = exposure_of(few, half_life_days=1.0, k=2.7, emax=0.95, dose_before=20.0)
    assert "has no doses" in problems_of(exposure=exposure)
    unknown = exposure_of(trial.doses, half_life_days=1.0, dose_before=20.0)
    assert "occupancy cannot be computed" in problems_of(exposure=unknown)
    short = trial.doses.assign(stop=trial.doses["stop"].clip(upper=50.0))
    short = short[short["stop"] > short["start"]]
    early = exposure_of(short, half_life_days=1.0, k=2.7, emax=0.95, dose_before=20.0)
    assert "the doses end before the observation" in problems_of(exposure=early)


ONSET = ["onset", "onset_earliest", "onset_latest"]


def without_onset(trial: SimulatedTrial, place: int, **known: float) -> pd.DataFrame:
    events = trial.deteriorations.copy()
    blank = dict.fromkeys([*ONSET, "detected", "reinstated", "resolved"], np.nan) | known
    events.loc[place, list(blank)] = list(blank.values())
    return events


def test_an_event_without_onset_is_bounded_by_what_is_known_of_it() -> None:
    trial = trial_of(SMALL)
    person = trial.deteriorations["person"].iloc[20]
    end = float(trial.follow_up.set_index("person").loc[person, "end"])
    rest = {name: table for name, table in tables(trial).items() if name != "events"}
    for known, earliest, latest in (
        ({}, 0.0, end),
        ({"detected": end - 0.5}, 0.0, end - 0.5),
        ({"detected": end - 0.25, "reinstated": end - 0.5}, 0.0, end - 0.5),
        ({"onset_earliest": 2.0}, 2.0, end),
        ({"onset_latest": end - 0.5}, 0.0, end - 0.5),
    ):
        events = without_onset(trial, 20, **known)
        data = observe(
            events, exposure=exposure_of_trial(trial), maintenance=None, settings=Settings(), **rest
        )
        row = data.events.set_index("person").loc[person]
        assert (row["onset_earliest"], row["onset_latest"]) == (earliest, latest)
        assert any("deteriorations without onset: 1," in note for note in data.notes)


def test_one_event_without_onset_moves_the_others_little() -> None:
    trial = trial_of(SMALL)
    whole = refit(trial).q.set_index("person")["q"]
    result = refit(trial, events=without_onset(trial, 20))
    q = result.q.set_index("person")["q"]
    assert list(q.index) == list(whole.index)
    assert np.abs(q - whole).drop(whole.index[20]).mean() < 0.01
    assert "(onset between " in result.q["why"].iloc[20].split(";")[0]
    assert louis_difference(result) < 1e-5


def test_an_event_that_the_doses_cannot_follow_is_left_out_and_counted() -> None:
    trial = trial_of(SMALL)
    person = trial.deteriorations["person"].iloc[20]
    doses = trial.doses.copy()
    doses.loc[doses["person"] == person, "stop"] = doses["stop"].clip(upper=3.0)
    exposure = exposure_of(
        doses[doses["stop"] > doses["start"]],
        half_life_days=1.0,
        k=2.7,
        emax=0.95,
        dose_before=20.0,
    )
    events = without_onset(trial, 20, onset_earliest=2.0)
    result = refit(trial, events=events, exposure=exposure)
    assert person not in set(result.q["person"])
    assert len(result.q) == len(events) - 1
    note = next(note for note in result.task.observed.notes if "not classified: 1" in note)
    assert person in note
    data = result.task.observed
    mine = np.flatnonzero(data.ends.person == trial.people["person"].tolist().index(person))
    assert data.ends.step[mine[0]] + data.ends.part[mine[0]] == 2.0


def test_a_course_that_turns_back_is_refused_with_every_row() -> None:
    trial = trial_of(SMALL)
    events = trial.deteriorations.copy()
    onset = events["onset_earliest"]
    events["reinstated"], events["resolved"] = onset + 10, onset + 12
    events.loc[1, "reinstated"] = onset[1] - 3
    events.loc[2, "resolved"] = onset[2] + 9
    events.loc[3, "resolved"] = onset[3] - 2
    events.loc[4, ["reinstated", "resolved"]] = [np.nan, onset[4] - 2]
    message = problems_of(events=events)
    assert "4 problems" in message
    assert "row 3, column reinstated" in message
    assert "the drug was reinstated before the onset" in message
    assert "row 4, column resolved" in message
    assert "it had resolved before the reinstatement" in message
    assert "row 5, column resolved" in message and "row 6, column resolved" in message
    assert message.count("it had resolved before its onset") == 2


def test_times_that_are_no_numbers_are_named_once() -> None:
    trial = trial_of(SMALL)
    dated = trial.deteriorations.assign(onset=pd.Timestamp("2020-01-01"))
    message = problems_of(events=dated)
    assert "1 problem " in message and "these are dates" in message
    words = trial.deteriorations.astype({"onset": object})
    words.loc[2, "onset"] = "later"
    follow = trial.follow_up.astype(object)
    follow.loc[0, "end"] = "soon"
    follow.loc[1, "start"] = None
    message = problems_of(events=words, follow_up=follow)
    assert "3 problems" in message
    assert "events, row 4, column onset: 'later': allowed: a finite number, or blank" in message
    assert "follow_up, row 2, column end: 'soon': allowed: a finite number" in message
    assert "follow_up, row 3, column start: allowed: a finite number" in message
    text = trial.deteriorations.astype({"onset": str, "onset_latest": "Float64"})
    assert refit(trial, events=text).q["q"].equals(refit(trial).q["q"])


def test_an_arm_without_anybody_at_risk_is_refused() -> None:
    trial = trial_of(SMALL)
    taper = trial.people.loc[trial.people["arm"] == "taper", "person"]
    gone = trial.follow_up["person"].isin(taper)
    follow = trial.follow_up.assign(end=trial.follow_up["end"].where(~gone, 0.0))
    events = trial.deteriorations[~trial.deteriorations["person"].isin(taper)]
    items = trial.assessments[~trial.assessments["person"].isin(taper)]
    message = problems_of(events=events, follow_up=follow, items=items)
    assert "nobody of this arm is at risk" in message


def test_other_things_in_the_place_of_tables_are_named_together() -> None:
    trial = trial_of(SMALL)
    message = problems_of(events=None, people=[1, 2], exposure=trial.doses, settings={"kappa": 1})
    assert "4 problems" in message
    assert "events: 'NoneType': allowed: a table" in message
    assert "people: 'list': allowed: a table" in message
    assert "exposure: 'DataFrame': allowed: what exposure_of returns" in message
    assert "settings: 'dict': allowed: Settings(...)" in message
    one = {"simulated": exposure_of_trial(trial), "other": None}
    assert "exposure, column other: 'NoneType'" in problems_of(exposure=one)
    twice = pd.concat([trial.follow_up, trial.follow_up[["end"]]], axis=1)
    assert "several columns of this name" in problems_of(follow_up=twice)


def test_one_arm_can_be_named_without_a_list_and_arms_can_be_numbers() -> None:
    trial = trial_of(SMALL)
    people = trial.people.assign(arm=trial.people["arm"].map({"maintain": 0, "abrupt": 1}))
    people["arm"] = people["arm"].fillna(2).astype(int)
    arms = refit(trial, people=people, maintenance=0, blinded=1)
    assert arms.task.observed.arms["maintenance"].tolist() == [True, False, False]
    assert arms.blinded.tolist() == [False, True, False]
    assert "allowed: 0, 1, 2" in problems_of(people=people, maintenance=[5])
    assert refit(trial, blinded="abrupt").blinded.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "call",
    [
        lambda fit: fit.impute("x"),
        lambda fit: fit.impute(2.5),
        lambda fit: fit.impute(1),
        lambda fit: fit.impute(5, -1),
        lambda fit: fit.impute(5, "a"),
        lambda fit: fit.relapse_effects(0),
        lambda fit: fit.calibrated(0),
        lambda fit: fit.calibrated(3, None),
        lambda fit: fit.bootstrap_psi(0),
        lambda fit: fit.bootstrap_psi(True),
    ],
)
def test_numbers_of_draws_and_seeds_that_cannot_be_are_refused(
    call: Callable[[LatentCauseFit], object],
) -> None:
    with pytest.raises(InvalidInput, match=r"1 problem .*\n.*allowed: a whole number"):
        call(fitted(SMALL, 2))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log_tau", 5),
        ("log_tau", Normal("x", 1.0)),  # type: ignore[arg-type]
        ("horizons", 5),
        ("horizons", ("x",)),
        ("horizons", ()),
        ("relapse_cuts", 5),
        ("relapse_cuts", "56"),
        ("starts", 5),
        ("starts", (14.0, 2.0)),
        ("items", {"a": 0.5}),
        ("items", 0.5),
        ("item", None),
        ("grades", 3),
        ("nocebo", "yes"),
        ("confidence", "high"),
        ("kappa", True),
    ],
)
def test_a_setting_of_another_kind_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=name.rstrip("s")) as caught:
        Settings(**{name: value})  # type: ignore[arg-type]
    assert "1 problem " in str(caught.value)


def test_a_unit_that_cannot_be_is_refused() -> None:
    for days in (0, -7.0, "week"):
        with pytest.raises(InvalidInput, match="allowed: a number above 0"):
            Settings().in_unit(days)  # type: ignore[arg-type]


def test_settings_that_cannot_be_are_refused_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        Settings(
            beta=Normal(0.0, 0.0),
            relapse_cuts=(10.0, 5.0),
            relapse_at=0.9,
            item=ItemPrior(withdrawal=1.0),
        )
    assert "4 problems" in str(caught.value)


def test_later_episodes_are_counted_and_not_classified() -> None:
    trial = trial_of(replace(BASE, relapse_after_withdrawal_ratio=3.0))
    result = fit_trials([trial], "maintain")
    assert result.q["person"].is_unique
    assert any("later deteriorations" in note for note in result.task.observed.notes)
    assert any("ratings do not belong" in note for note in result.task.observed.notes)
