"""Simulated trials against the algebra, and the tables against each other."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from discontinuation.design.expected import expected_curves
from discontinuation.design.plans import planned_doses
from discontinuation.design.scenario import CAUSES, Arm, Scenario
from discontinuation.design.simulate import simulate_trial
from discontinuation.tables.canonical import DTYPES, failures
from discontinuation.tables.consistency import find_disagreements
from discontinuation.tables.instruments import Instrument, Item, Range
from discontinuation.tables.schema import read_schema

TABLES = ("people", "doses", "assessments", "follow_up", "deteriorations")
FRAMES = (*TABLES, "truth", "latent")
MANY = 8_000


def arms(people=MANY, **changes):
    return (
        Arm("maintain", "maintain", people),
        Arm("abrupt", "abrupt", people, **changes),
        Arm("taper", "taper", people, taper_days=84, **changes),
    )


def events(trial):
    """Recorded deteriorations with their truth and arm."""
    return trial.deteriorations.merge(trial.truth, on=["person", "episode"]).merge(trial.people)


def same(one, other):
    for name in FRAMES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


# --- determinism


def test_the_same_seed_gives_the_same_trial_whatever_ran_before():
    first = simulate_trial(Scenario(), 7)
    np.random.default_rng(0).random(5)
    simulate_trial(Scenario(study="another", frailty_variance=1), 8)
    same(first, simulate_trial(Scenario(), 7))


def test_another_seed_or_study_gives_another_trial():
    base = simulate_trial(Scenario(), 7).latent["relapse"]
    assert not base.equals(simulate_trial(Scenario(), 8).latent["relapse"])
    assert not base.equals(simulate_trial(Scenario(study="another"), 7).latent["relapse"])


def test_people_differ_only_where_the_scenarios_do():
    base = simulate_trial(Scenario(), 3).latent
    without = simulate_trial(Scenario(alpha_per_day=0, item_missing=0.5), 3).latent
    pd.testing.assert_series_equal(base["relapse"], without["relapse"])
    pd.testing.assert_series_equal(base["dropout"], without["dropout"])


def test_exchanging_the_labels_of_two_arms_exchanges_everything():
    plain = simulate_trial(Scenario(arms=(Arm("A", "abrupt"), Arm("M", "maintain"))), 5)
    mirror = simulate_trial(Scenario(arms=(Arm("M", "abrupt"), Arm("A", "maintain"))), 5)
    exchanged = plain.people["arm"].map({"A": "M", "M": "A"})
    assert (exchanged == mirror.people["arm"]).all()
    for name in set(FRAMES) - {"people"}:
        pd.testing.assert_frame_equal(getattr(plain, name), getattr(mirror, name))


# --- against the algebra

VARIANTS = {
    "base": {},
    "linear in w": {"kappa": 1.0, "alpha_per_day": 0.02},
    "surge": {"surge_ratio": 3.0},
    "frailty": {"frailty_variance": 1.0, "relapse_ratio": 2.5, "relapse_per_year": (0.6,)},
    "protracted": {"protracted_share": 0.3},
    "nocebo": {"nocebo_risk": 0.1},
    "piecewise": {"relapse_per_year": (1.0, 0.2), "relapse_cuts_days": (56,)},
    "wrong drug": {"true_ed50_ratio": 0.5, "true_half_life_ratio": 2.0},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_events_by_cause_match_the_integrals(name):
    """Without dropout the share of each cause is within 4 Monte-Carlo standard errors."""
    scenario = Scenario(arms=arms(), dropout_per_year=0, **VARIANTS[name])
    observed = events(simulate_trial(scenario, 11)).groupby(["arm", "cause"]).size() / MANY
    curves = expected_curves(scenario)
    end = curves[curves["day"] == scenario.horizon_days].set_index("arm")
    for arm in ("maintain", "abrupt", "taper"):
        for cause in CAUSES:
            expected = end.loc[arm, f"crude_{cause}"]
            error = np.sqrt(expected * (1 - expected) / MANY)
            assert abs(observed.get((arm, cause), 0.0) - expected) <= 4 * error, (arm, cause)


@pytest.mark.parametrize("name", ["base", "surge", "frailty", "protracted"])
def test_days_of_onset_follow_the_expected_curve(name):
    """Smirnov distance at every day, at a level of 1 in 10,000 for each arm."""
    scenario = Scenario(arms=arms(), dropout_per_year=0, **VARIANTS[name])
    found = events(simulate_trial(scenario, 12))
    curves = expected_curves(scenario)
    for arm in ("maintain", "abrupt", "taper"):
        mine = found[found["arm"] == arm]
        share = np.searchsorted(np.sort(mine["onset_latest"]), np.arange(365), side="right") / MANY
        expected = 1 - curves.loc[curves["arm"] == arm, "event_free"].to_numpy()
        assert np.abs(share - expected).max() < stats.kstwobign.isf(1e-4) / np.sqrt(MANY)


def test_cumulative_hazards_by_cause_are_recovered_under_dropout():
    """The hazard of a day is -log(1 - d / Y), shared among the causes as the events are."""
    scenario = Scenario(arms=arms(), dropout_per_year=0.5)
    trial = simulate_trial(scenario, 13)
    end = expected_curves(scenario).query("day == 364").set_index("arm")
    found = events(trial)
    people = trial.follow_up.merge(trial.people).merge(found[["person", "detected"]], how="left")
    exit_day = people["detected"].fillna(people["end"])
    days = np.arange(1, 365)
    for arm in ("maintain", "abrupt", "taper"):
        exits = np.sort(exit_day[people["arm"] == arm])
        at_risk = MANY - np.searchsorted(exits, days, side="left")
        mine = found[found["arm"] == arm]
        any_cause = mine["detected"].value_counts().reindex(days, fill_value=0).to_numpy()
        hazard = -np.log1p(-any_cause / at_risk)
        for cause in ("withdrawal", "relapse"):
            by_day = mine.loc[mine["cause"] == cause, "detected"].value_counts()
            count = by_day.reindex(days, fill_value=0).to_numpy()
            estimate = (hazard * count / np.maximum(any_cause, 1)).sum()
            error = np.sqrt((count / at_risk**2).sum())
            assert abs(estimate - end.loc[arm, f"hazard_{cause}"]) <= 4 * error


def test_no_withdrawal_at_all():
    trial = simulate_trial(Scenario(arms=arms(5000), alpha_per_day=0), 1)
    assert set(trial.truth["cause"]) == {"relapse"}
    assert trial.latent["withdrawal"].isna().all()


def test_without_a_relapse_effect_all_arms_relapse_alike():
    trial = simulate_trial(Scenario(arms=arms(), relapse_ratio=1, dropout_per_year=0), 2)
    expected = -np.expm1(-0.29 * 364 / 365)
    latent = trial.latent.assign(arm=trial.people["arm"])
    for _, mine in latent.groupby("arm"):
        error = np.sqrt(expected * (1 - expected) / MANY)
        assert abs(mine["relapse"].notna().mean() - expected) < 4 * error
    assert (trial.truth["hazard_relapse"] == 0.29 / 365).all()


def test_maintenance_never_has_withdrawal():
    trial = simulate_trial(Scenario(arms=arms(5000), alpha_per_day=1), 3)
    assert set(events(trial).query("arm == 'maintain'")["cause"]) == {"relapse"}


def test_hazards_of_the_truth_are_calibrated():
    """Among all events, the share by withdrawal is the mean of its share of the hazard."""
    trial = simulate_trial(Scenario(arms=arms(), nocebo_risk=0.1, frailty_variance=0.5), 4)
    hazards = trial.truth[[f"hazard_{cause}" for cause in CAUSES]].to_numpy()
    share = hazards / hazards.sum(axis=1, keepdims=True)
    for position, cause in enumerate(CAUSES):
        is_cause = (trial.truth["cause"] == cause).to_numpy()
        error = np.sqrt((share[:, position] * (1 - share[:, position])).sum())
        assert abs(is_cause.sum() - share[:, position].sum()) < 4 * error


# --- symptoms and course


@pytest.mark.parametrize("distinctiveness", [1.0, 0.5, 0.0])
def test_item_probabilities_are_recovered_by_cause(distinctiveness):
    scenario = Scenario(arms=arms(), item_distinctiveness=distinctiveness)
    trial = simulate_trial(scenario, 5)
    rated = trial.assessments.merge(trial.truth, on="person")
    profiles = dict(zip(("withdrawal", "relapse"), scenario.item_profiles(), strict=True))
    counts = rated.groupby(["cause", "item"])["value"].agg(["mean", "size"])
    for cause, profile in profiles.items():
        for item, p in zip(scenario.items, profile, strict=True):
            found = counts.loc[(cause, item)]
            assert abs(found["mean"] - p) < 4 * np.sqrt(p * (1 - p) / found["size"])
    share = len(trial.assessments) / (8 * len(trial.truth))
    assert abs(share - 0.8) < 4 * np.sqrt(0.16 / (8 * len(trial.truth)))


def test_off_drug_shift_moves_relapse_items_in_stopping_arms_only():
    shifted = Scenario(arms=arms(), off_drug_shift=(1.5,) + (0.0,) * 7)
    trial = simulate_trial(shifted, 6)
    rated = trial.assessments.merge(events(trial), on="person")
    dizzy = rated[(rated["item"] == "dizziness") & (rated["cause"] == "relapse")]
    off = dizzy[dizzy["protection_loss"] > 0.999]["value"]
    on = dizzy[dizzy["arm"] == "maintain"]["value"]
    moved = 1 / (1 + np.exp(-(np.log(0.12 / 0.88) + 1.5)))
    assert abs(on.mean() - 0.12) < 4 * np.sqrt(0.12 * 0.88 / on.size)
    assert abs(off.mean() - moved) < 4 * np.sqrt(moved * (1 - moved) / off.size)


def test_severity_makes_items_of_an_event_depend_on_each_other():
    def correlation(severity_sd):
        scenario = Scenario(arms=arms(), severity_sd=severity_sd, item_missing=0)
        trial = simulate_trial(scenario, 7)
        wide = trial.assessments.pivot_table(index="person", columns="item", values="value")
        wide = wide[(trial.truth.set_index("person")["cause"] == "relapse").loc[wide.index]]
        return wide["irritability"].corr(wide["insomnia"])

    assert abs(correlation(0)) < 0.07
    assert correlation(1) > 0.1


def test_reinstatement_and_resolution_by_cause():
    trial = simulate_trial(Scenario(arms=arms(), nocebo_risk=0.1), 8)
    found = events(trial)
    again = found["reinstated"].notna()
    assert abs(again.mean() - 0.3) < 4 * np.sqrt(0.21 / len(found))
    assert found.loc[~again, ["resolved", "resolution_censored"]].isna().all(axis=None)
    for cause, mean in (("withdrawal", 5), ("relapse", 35), ("nocebo", 5)):
        mine = found[again & (found["cause"] == cause)]
        days = (mine["resolved"] - mine["reinstated"]).fillna(28)
        resolved = (~mine["resolution_censored"].astype(bool)).sum()
        # The estimator of an exponential mean under censoring; its log has SE 1 / sqrt(events).
        assert abs(np.log(days.sum() / resolved / mean)) < 4 / np.sqrt(resolved)
        assert (days <= 28).all()


def test_relapse_after_withdrawal_has_the_ratio_asked_for():
    scenario = Scenario(
        arms=(Arm("abrupt", "abrupt", MANY),),
        relapse_after_withdrawal_ratio=3.0,
        reinstated_share=0.0,
        dropout_per_year=0.0,
    )
    trial = simulate_trial(scenario, 9)
    first = events(trial).query("episode == 1 and cause == 'withdrawal'")
    second = trial.deteriorations.query("episode == 2")
    assert set(second["person"]) <= set(first["person"])
    until = second.set_index("person")["onset"].reindex(first["person"]).fillna(364).to_numpy()
    hazard = 3 * 0.29 * 1.5 / 365  # protection is all but gone when withdrawal is recorded
    expected = hazard * (until - first["detected"].to_numpy()).sum()
    assert abs(len(second) - expected) < 4 * np.sqrt(expected) + 0.02 * expected
    ratio = trial.truth.query("episode == 2")["hazard_relapse"] / (0.29 * 1.5 / 365)
    assert ratio.median() == pytest.approx(3, rel=1e-6)


# --- observation


def test_dropout_is_exponential():
    trial = simulate_trial(Scenario(arms=arms()), 10)
    expected = -np.expm1(-0.25 * 364 / 365)
    found = trial.latent["dropout"].notna().mean()
    assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / len(trial.latent))


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0])
def test_informative_dropout_multiplies_the_hazard_in_the_window(ratio):
    scenario = Scenario(
        arms=arms(), relapse_per_year=(2.0,), dropout_per_year=1.0, dropout_ratio=ratio
    )
    latent = simulate_trial(scenario, 11).latent
    sick = latent[latent["onset"].notna()]
    dropout = sick["dropout"].fillna(np.inf)
    opens, onset = np.maximum(sick["onset"] - 28, 0), sick["onset"]
    for low, high, factor in ((0 * opens, opens, 1.0), (opens, onset, ratio)):
        leavers = ((dropout > low) & (dropout <= high)).sum()
        expected = factor / 365 * (np.clip(dropout, low, high) - low).sum()
        assert abs(leavers - expected) < 4 * np.sqrt(expected)


@pytest.mark.parametrize("visit_days", [1, 14, 42, 84])
@pytest.mark.parametrize("delay", [0, 28])
def test_visits_bracket_the_true_onset(visit_days, delay):
    scenario = Scenario(arms=arms(3000), visit_days=visit_days, definition_delay_days=delay)
    found = events(simulate_trial(scenario, 12))
    assert (found["onset_earliest"] <= found["onset_y"]).all()
    assert (found["onset_y"] <= found["onset_latest"]).all()
    assert (found["onset_latest"] - found["onset_earliest"] <= visit_days).all()
    assert (found["detected"] >= found["onset_y"] + delay).all()
    assert (found["detected"] - found["onset_y"] < delay + visit_days).all()
    on_schedule = (found["detected"] % visit_days == 0) | (found["detected"] == 364)
    assert on_schedule.all()


def test_concealed_start_is_uniform_and_shifts_the_doses():
    trial = simulate_trial(Scenario(arms=arms(5000), concealed_start_days=56), 13)
    start = trial.latent["start_day"]
    counts = start.value_counts().reindex(range(57), fill_value=0)
    assert stats.chisquare(counts).pvalue > 1e-4
    doses = trial.doses.merge(trial.people).merge(trial.latent)
    first_fall = doses[(doses["arm"] == "abrupt") & (doses["dose"] == 0)]
    assert (first_fall["start"] == first_fall["start_day"]).all()
    early = trial.truth.merge(trial.latent, on="person")
    early = early[early["onset_x"] < early["start_day"]]
    assert set(early["cause_x"]) == {"relapse"}


def test_adherence_shares_and_what_is_recorded():
    scenario = Scenario(
        arms=arms(5000), stop_early_share=0.2, keep_taking_share=0.2, dropout_per_year=0
    )
    trial = simulate_trial(scenario, 14)
    kinds = trial.latent.assign(arm=trial.people["arm"]).groupby("arm")["adherence"]
    shares = kinds.value_counts(normalize=True)
    error = 4 * np.sqrt(0.16 / 5000)
    assert abs(shares["maintain", "stop_early"] - 0.2) < error
    assert abs(shares["taper", "stop_early"] - 0.2) < error
    assert abs(shares["taper", "keep_taking"] - 0.2) < error
    assert abs(shares["abrupt", "keep_taking"] - 0.2) < error
    assert ("maintain", "keep_taking") not in shares.index
    assert ("abrupt", "stop_early") not in shares.index
    keepers = trial.latent.query("adherence == 'keep_taking'")["person"]
    assert (trial.doses[trial.doses["person"].isin(keepers)]["dose"] == 20).all()
    planned = simulate_trial(Scenario(**{**vars(scenario), "doses_recorded": "planned"}), 14)
    pd.testing.assert_frame_equal(trial.deteriorations, planned.deteriorations)
    stoppers = planned.people.query("arm == 'abrupt'")["person"]
    at_start = planned.doses[planned.doses["start"] == 0].set_index("person")["dose"]
    observed = planned.follow_up.set_index("person")["end"] > 0
    assert (at_start.loc[[p for p in stoppers if observed[p]]] == 0).all()


def test_recorded_doses_are_the_plan_until_the_end_or_reinstatement():
    trial = simulate_trial(Scenario(), 15)
    plans = {arm.name: planned_doses(arm, trial.scenario) for arm in trial.scenario.arms}
    reinstated = trial.deteriorations.dropna(subset="reinstated").set_index("person")["reinstated"]
    arm_of = trial.people.set_index("person")["arm"]
    for row in trial.doses.itertuples():
        if row.start >= reinstated.get(row.person, np.inf):
            assert row.dose == 20
            continue
        days = np.arange(max(row.start, 0), min(row.stop, reinstated.get(row.person, np.inf)))
        assert (plans[arm_of[row.person]][days.astype(int)] == row.dose).all()
        assert row.start >= 0 or row.dose == 20


# --- the tables together


@st.composite
def scenarios(draw):
    share = st.floats(0, 1)
    return Scenario(
        arms=(
            Arm("M", "maintain", draw(st.integers(1, 30))),
            Arm("A", "abrupt", draw(st.integers(1, 30)), blinded=draw(st.booleans())),
            Arm("T", "taper", 20, taper_days=28, step_days=7, rounded_to_mg=0.5),
        ),
        horizon_days=draw(st.integers(30, 200)),
        relapse_per_year=(draw(st.floats(0, 20)),),
        alpha_per_day=draw(st.floats(0, 1)),
        frailty_variance=draw(st.sampled_from([0.0, 2.0, 50.0])),
        nocebo_risk=draw(st.floats(0, 0.9)),
        dropout_per_year=draw(st.floats(0, 20)),
        dropout_ratio=draw(st.sampled_from([0.5, 1.0, 4.0])),
        visit_days=draw(st.integers(1, 30)),
        definition_delay_days=draw(st.integers(0, 28)),
        item_missing=draw(share),
        reinstated_share=draw(share),
        relapse_after_withdrawal_ratio=draw(st.sampled_from([None, 1.0, 5.0])),
        concealed_start_days=draw(st.integers(0, 20)),
        stop_early_share=draw(st.floats(0, 0.5)),
        keep_taking_share=draw(st.floats(0, 0.5)),
        doses_recorded=draw(st.sampled_from(["taken", "planned"])),
    )


@settings(max_examples=60, deadline=None)
@given(scenarios(), st.integers(0, 2**32))
def test_tables_agree_with_each_other(scenario, seed):
    trial = simulate_trial(scenario, seed)
    follow = trial.follow_up.set_index("person")
    assert list(follow.index) == list(trial.people["person"])
    assert (follow["start"] <= follow["end"]).all()
    _check_doses(trial, follow)
    _check_events(trial, follow)
    keys = ["person", "day", "instrument", "item"]
    assert not trial.assessments.duplicated(keys).any()
    detected = set(
        zip(trial.deteriorations["person"], trial.deteriorations["detected"], strict=True)
    )
    assert set(zip(trial.assessments["person"], trial.assessments["day"], strict=True)) <= detected
    assert trial.assessments["value"].isin([0, 1]).all()


def _check_doses(trial, follow):
    doses = trial.doses
    assert (doses["start"] < doses["stop"]).all()
    assert not doses.duplicated(["person", "start"]).any()
    by_person = doses.groupby("person", sort=False)
    following = by_person["start"].shift(-1)
    inner = following.notna()
    assert (doses["stop"][inner] == following[inner]).all()
    assert (doses["dose"][inner] != by_person["dose"].shift(-1)[inner]).all()
    assert (by_person["start"].first() == -180).all()
    assert (by_person["stop"].last() == follow["end"]).all()


def _check_events(trial, follow):
    found = trial.deteriorations
    end = follow["end"].loc[found["person"]].to_numpy()
    assert (found["onset_earliest"] <= found["onset"]).all()
    assert (found["onset"] <= found["onset_latest"]).all()
    assert (found["onset"] <= found["detected"]).all()
    assert (found["detected"] <= end).all()
    assert not (found["resolved"] > end).any()
    assert not (found["resolved"] < found["reinstated"]).any()
    assert not found.duplicated(["person", "episode"]).any()
    second = found[found["episode"] == 2]
    if len(second):
        first = found[found["episode"] == 1].set_index("person").loc[second["person"]]
        assert (first["detected"].to_numpy() <= second["onset_earliest"]).all()
        assert first["reinstated"].isna().all()
    pd.testing.assert_frame_equal(found[["person", "episode"]], trial.truth[["person", "episode"]])
    has_event = follow.index.isin(found["person"])
    ended_by_event = follow["end_reason"].isin(["event", "reinstated"])
    assert not (ended_by_event & ~has_event).any()
    if trial.scenario.relapse_after_withdrawal_ratio is None:
        assert (ended_by_event == has_event).all()
        assert (found["episode"] == 1).all()
    reinstated = follow["end_reason"] == "reinstated"
    assert set(follow.index[reinstated]) == set(found.dropna(subset="reinstated")["person"])


def complete(trial):
    """Every canonical table, the columns that the trial does not fill blank."""
    schemas = read_schema("canonical")
    filled = {name: getattr(trial, name) for name in TABLES}
    filled["studies"] = pd.DataFrame(
        [{"study": trial.scenario.study, "title": "made up", "drug_class": "other"}]
    ).assign(
        design="parallel_trial",
        allocation_randomised=True,
        pace_randomised=True,
        synthetic=True,
        source="made up",
    )
    filled["arms"] = pd.DataFrame(
        [{"study": trial.scenario.study, "arm": a.name, "strategy": a.strategy} for a in
         trial.scenario.arms]
    )  # fmt: skip
    tables = {}
    for name, table in schemas.items():
        frame = filled.get(name, pd.DataFrame())
        assert set(frame.columns) <= {column.name for column in table.columns}
        tables[name] = pd.DataFrame(
            {
                column.name: pd.Series(frame.get(column.name), frame.index, DTYPES[column.type])
                for column in table.columns
            }
        )
    return schemas, tables


@pytest.mark.parametrize("visit_days", [1, 14])
def test_tables_pass_the_projects_own_checks(visit_days):
    scenario = Scenario(
        arms=arms(200, rounded_to_mg=0.1),
        nocebo_risk=0.1,
        relapse_after_withdrawal_ratio=2,
        visit_days=visit_days,
    )
    trial = simulate_trial(scenario, 16)
    schemas, tables = complete(trial)
    for name, frame in tables.items():
        assert failures(schemas[name], frame).empty, name
    items = {item: Item(Range(0, 1)) for item in trial.scenario.items}
    instruments = {"symptoms": Instrument("symptoms", "Symptoms", items)}
    assert find_disagreements(tables, schemas, instruments, {}) == []


def test_nobody_falling_ill_gives_empty_tables_with_their_columns():
    trial = simulate_trial(Scenario(relapse_per_year=(0.0,), alpha_per_day=0.0), 17)
    assert trial.deteriorations.empty
    assert trial.assessments.empty
    assert "resolution_censored" in trial.deteriorations
    assert set(trial.latent["cause"]) == {"none"}


def test_six_hundred_people_take_well_under_a_tenth_of_a_second():
    simulate_trial(Scenario(), 0)
    best = np.inf
    for seed in range(5):
        begun = time.perf_counter()
        simulate_trial(Scenario(), seed)
        best = min(best, time.perf_counter() - begun)
    assert best < 0.1
