"""What an emulation refuses, how far its curves go, and how its intervals are made."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from discontinuation.design.cloning import clone, fit_models, follow_weights
from discontinuation.design.emulation_checks import too_short
from discontinuation.design.emulation_intervals import Resampled, Resampling, _samples
from discontinuation.design.registry import DEFINITION, RegistryScenario, draw_registry
from discontinuation.design.registry_cohort import RegistryTables, build_cohort
from discontinuation.design.strategies import Strategy, TargetTrial
from discontinuation.design.target_trial import emulate
from discontinuation.problems import InvalidInput

CONTINUE, STOP = Strategy("continue", "continue"), Strategy("stop", "stop")
TRIAL = TargetTrial((CONTINUE, STOP))
COVARIATES = ["prior_episodes", "poor_sleep"]
JACKKNIFE = Resampling(groups=20, replicates=None, confidence=0.95, seed=1)


@pytest.fixture(scope="module")
def tables():
    made = draw_registry(RegistryScenario(people=2000), 1)
    return RegistryTables(
        made.people, made.dispensings, made.follow_up, made.deteriorations, made.measures
    )


def problems_of(tables, trial=TRIAL, covariates=COVARIATES, **options):
    with pytest.raises(InvalidInput) as caught:
        emulate(tables, trial, covariates, DEFINITION, **options)
    return caught.value.problems


def test_nothing_is_said_beyond_what_was_recorded(tables):
    """The record ends on day 364; a curve beyond it would be its last value carried on."""
    found = problems_of(tables, replace(TRIAL, weeks=200))
    assert [one.file for one in found] == ["strategy 'continue'", "strategy 'stop'"]
    assert all("weeks=52 can be had" in one.message and one.value == "200" for one in found)


def test_ten_must_be_followed_to_the_last_day(tables):
    kept = tables.follow_up["end"].where(tables.follow_up["end"] < 364, 363.0)
    cohort, _ = build_cohort(
        replace(tables, follow_up=tables.follow_up.assign(end=kept)), TRIAL, [], DEFINITION
    )
    clones = [clone(cohort, one, TRIAL) for one in TRIAL.strategies]
    assert "weeks=51 can be had" in next(too_short(cohort, clones, TRIAL)).message
    whole, _ = build_cohort(tables, TRIAL, [], DEFINITION)
    followed = [clone(whole, one, TRIAL) for one in TRIAL.strategies]
    assert not list(too_short(whole, followed, TRIAL))
    stop = followed[1]
    to_end = np.flatnonzero((whole.day == 364) & (stop.deviation == 52))
    assert len(to_end) > 10
    for left, refused in ((10, False), (9, True)):
        day = whole.day.copy()
        day[to_end[left:]] = 363
        assert bool(list(too_short(replace(whole, day=day), followed, TRIAL))) == refused


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("replicates", 199),
        ("replicates", 200.5),
        ("replicates", float("nan")),
        ("groups", 9),
        ("groups", 20.0),
        ("groups", "20"),
        ("confidence", "x"),
        ("confidence", float("nan")),
        ("truncate", "x"),
        ("relevant_difference", "x"),
        ("seed", -1),
    ],
)
def test_options_of_the_wrong_kind_are_refused_by_name(tables, option, value):
    (found,) = problems_of(tables, **{option: value})
    assert found.column == option


def test_more_groups_than_people_are_refused(tables):
    (found,) = problems_of(tables, groups=2001)
    assert found.column == "groups"


def test_each_person_is_left_out_once():
    samples = np.array(list(_samples(1003, JACKKNIFE)))
    assert samples.shape == (20, 1003)
    assert (samples.sum(axis=0) == 19).all()
    assert set((1 - samples).sum(axis=1)) == {50, 51}
    assert (samples == np.array(list(_samples(1003, JACKKNIFE)))).all()
    assert (samples != np.array(list(_samples(1003, replace(JACKKNIFE, seed=2))))).any()


def test_the_jackknife_of_a_mean_is_the_spread_of_the_means_of_groups():
    """Equal groups: se^2 is the variance of their means over their number."""
    values = np.random.default_rng(1).standard_normal((20, 50))
    whole = values.mean()
    left_out = (values.sum() - values.sum(axis=1)) / 950
    again = Resampled(JACKKNIFE, np.empty(0), 0)
    lower, upper, se = again.limits(np.array(whole), left_out)
    assert se == pytest.approx(values.mean(axis=1).std(ddof=1) / np.sqrt(20), rel=1e-12)
    assert upper - whole == pytest.approx(t.ppf(0.975, 19) * se, rel=1e-12)
    assert lower + upper == pytest.approx(2 * whole)
    low, high, _ = again.ratio_limits(np.exp(whole), np.exp(left_out))
    assert np.log([low, high]) == pytest.approx([lower, upper], rel=1e-9)
    assert again.share_limits(np.array([0.99]), 0.9 + left_out[:, None])[1] == 1


def test_a_group_that_failed_costs_a_degree_of_freedom():
    """Had the failed group been as far off as the rest, the error would be the same."""
    off = np.array([-1.0, 1.0] * 10)
    some = Resampled(JACKKNIFE, np.empty(0), 2).limits(np.array(0.0), off[2:])
    everybody = Resampled(JACKKNIFE, np.empty(0), 0).limits(np.array(0.0), off)
    assert some[2] == pytest.approx(everybody[2])
    assert some[1] / everybody[1] == pytest.approx(t.ppf(0.975, 17) / t.ppf(0.975, 19))


def test_emulation_says_how_its_intervals_were_made(tables):
    found = emulate(tables, TRIAL, COVARIATES, DEFINITION)
    risk = found.contrasts.set_index("measure").loc["risk_difference"]
    assert risk["upper"] - risk["estimate"] == pytest.approx(t.ppf(0.975, 19) * risk["se"])
    ratio = found.contrasts.set_index("measure").loc["risk_ratio"]
    assert ratio["lower"] * ratio["upper"] == pytest.approx(ratio["estimate"] ** 2)
    assert 0 <= found.curves["lower"].min() <= found.curves["upper"].max() <= 1
    assert found.resampling == JACKKNIFE
    assert "jackknife with 20" in found.resampling.in_words()
    fragile = [note for note in found.notes if "fragile" in note]
    small = found.weights["effective_size"] < 300
    assert len(fragile) == small.sum() > 0


def test_who_is_not_in_a_sample_has_no_part_in_where_weights_are_cut(tables):
    cohort, _ = build_cohort(tables, TRIAL, COVARIATES, DEFINITION)
    clones = clone(cohort, STOP, TRIAL)
    ones = np.ones(len(cohort.people))
    fitted = fit_models(clones, ones)
    whole = follow_weights(clones, fitted)
    assert (
        follow_weights(clones, fitted, 0.05) == follow_weights(clones, fitted, 0.05, ones)
    ).all()
    large = whole.max(axis=1) > np.quantile(whole[clones.followed], 0.9)
    counts = np.where(large, 0.0, 2.0)
    cut = follow_weights(clones, fitted, 0.05, counts)
    held = whole[~large][clones.followed[~large]]
    assert cut.max() == pytest.approx(np.quantile(np.repeat(held, 2), 0.95))
    assert cut.max() < follow_weights(clones, fitted, 0.05).max()
