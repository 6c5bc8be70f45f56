"""Events that were not in the fit: the same q as if they had been."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from discontinuation.classify import score
from discontinuation.classify.gate_measures import exposure_of_trial, fit_trials
from discontinuation.classify.settings import Settings
from discontinuation.design.scenario import Scenario
from discontinuation.design.simulate import simulate_trial
from discontinuation.problems import InvalidInput

SAME = ["q", "lower", "upper", "timing", "symptoms", "reinstatement"]


@pytest.fixture(scope="module")
def trials():
    second = replace(Scenario(study="second"), relapse_per_year=(0.5,), horizon_days=250)
    return [simulate_trial(Scenario(), 4), simulate_trial(second, 4)]


@pytest.fixture(scope="module")
def fitted(trials):
    return fit_trials(trials, "maintain")


def scored(fitted, trial, only=None, **changes):
    given = {"events": trial.deteriorations, "people": trial.people, "items": trial.assessments,
             "follow_up": trial.follow_up} | changes  # fmt: skip
    if only is not None:
        given = {
            name: table.loc[table["person"].isin(only)].reset_index(drop=True)
            for name, table in given.items()
        }
    study = str(given["people"]["study"].iloc[0])
    exposure = {study: exposure_of_trial(trial)}
    return score(fitted, given["events"], given["people"], exposure, given["items"],
                 follow_up=given["follow_up"])  # fmt: skip


@pytest.mark.parametrize("which", [0, 1])
def test_events_of_the_fit_have_the_q_of_the_fit(fitted, trials, which):
    trial = trials[which]
    expected = fitted.q.loc[fitted.q["study"] == trial.scenario.study].set_index("person")[SAME]
    everybody = scored(fitted, trial).set_index("person")[SAME]
    pd.testing.assert_frame_equal(everybody, expected, rtol=1e-10, check_like=True)
    own = scored(fitted, trial, set(trial.deteriorations["person"][::3])).set_index("person")
    assert len(own) == -(-len(expected) // 3)
    pd.testing.assert_frame_equal(own[SAME], expected.loc[own.index], rtol=1e-10)


def test_further_people_of_the_same_trial(fitted, trials):
    more = simulate_trial(replace(trials[0].scenario, horizon_days=500), 99)
    found = scored(fitted, more).merge(more.truth, on=["person", "episode"])
    assert found["onset_latest"].max() > 400  # past the end of the fit
    assert found["q"].between(0, 1).all()
    withdrawn = found["cause"] == "withdrawal"
    assert found.loc[withdrawn, "q"].mean() > 0.8
    assert found.loc[~withdrawn, "q"].mean() < 0.1
    assert (found.loc[found["arm"] == "maintain", "q"] == 0).all()


def test_symptoms_not_given_count_as_not_rated(fitted, trials):
    trial = trials[0]
    some = trial.assessments.query("item != 'dizziness'")
    without = scored(fitted, trial, items=some)
    blank = trial.assessments.copy()
    blank.loc[blank["item"] == "dizziness", "value"] = np.nan
    again = scored(fitted, trial, items=blank)
    assert without["q"].to_numpy() == pytest.approx(again["q"].to_numpy())
    none = scored(fitted, trial, items=some.iloc[:0])
    assert (none["symptoms"] == 0).all()


def test_a_stretch_of_nocebo_is_that_of_the_fit(trials):
    fitted = fit_trials(trials[:1], "maintain", Settings(nocebo=True))
    found = scored(fitted, trials[0])
    assert found["nocebo"].to_numpy() == pytest.approx(fitted.q["nocebo"].to_numpy(), abs=1e-12)


def test_what_the_fit_does_not_know_is_refused(fitted, trials):
    trial = trials[0]
    other = trial.assessments.assign(item=trial.assessments["item"].replace("nausea", "nausee"))
    elsewhere = trial.people.assign(study="third")
    with pytest.raises(InvalidInput, match=r"did you mean 'nausea'"):
        scored(fitted, trial, items=other)
    with pytest.raises(InvalidInput, match=r"'third'.*is not in the fit"):
        scored(fitted, trial, people=elsewhere)


def test_something_else_than_a_fit_is_refused(trials):
    trial = trials[0]
    with pytest.raises(InvalidInput) as caught:
        score(None, None, trial.people, trial.doses, follow_up=trial.follow_up)
    message = str(caught.value)
    assert "3 problems" in message
    assert "fitted: 'NoneType': allowed: a fit" in message
