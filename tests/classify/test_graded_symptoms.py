"""Symptoms rated in grades: the likelihood is that of the grades, and more is learned from them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from discontinuation.classify.gate_measures import exposure_of_trial
from discontinuation.classify.likelihood import signs_of
from discontinuation.classify.model import fit
from discontinuation.classify.settings import ItemPrior, Settings
from discontinuation.classify.validation import validate
from discontinuation.design.scenario import Scenario
from discontinuation.design.simulate import simulate_trial
from discontinuation.problems import InvalidInput

GRADES = {"withdrawal": (0.2, 0.2, 0.2, 0.4), "relapse": (0.4, 0.3, 0.2, 0.1)}
GRADED = Settings(grades={"nausea": 3})


@pytest.fixture(scope="module")
def trial():
    """A trial in which nausea is all that is rated, from 0 to 3."""
    made = simulate_trial(replace(Scenario(), item_missing=0.0, reinstated_share=0.0), 8)
    stream = np.random.default_rng(8)
    cause = made.truth.query("episode == 1").set_index("person")["cause"]
    grade = [stream.choice(4, p=GRADES[one]) for one in cause]
    grade = pd.Series(grade, index=cause.index, dtype=float)
    grade[stream.random(len(grade)) < 0.1] = np.nan
    items = pd.DataFrame({"person": cause.index, "item": "nausea", "value": grade.to_numpy()})
    return made, items, cause


def fitted(trial, items, settings):
    return fit(trial.deteriorations, trial.people, exposure_of_trial(trial), items,
               follow_up=trial.follow_up, maintenance="maintain", settings=settings)  # fmt: skip


@pytest.fixture(scope="module")
def graded(trial):
    made, items, _ = trial
    return fitted(made, items, GRADED)


def grades_of(result, cause):
    """Probability of each grade from those of the steps."""
    table = result.estimates.query("parameter == @cause").set_index("item")["estimate"]
    steps = table[["nausea", "nausea >= 2", "nausea >= 3"]].to_numpy()
    reached = np.cumprod([1.0, *steps])
    return reached * np.append(1 - steps, 1.0)


def test_the_likelihood_is_that_of_the_grades(trial, graded):
    _, items, _ = trial
    signs = signs_of(graded.maximum.found.theta, graded.task)[:, :, 0]
    grade = items.set_index("person")["value"].reindex(graded.q["person"]).to_numpy()
    known = np.isfinite(grade)
    for column, cause in enumerate(("symptom by withdrawal", "symptom by relapse")):
        shares = grades_of(graded, cause)
        assert shares.sum() == pytest.approx(1)
        expected = np.log(shares)[grade[known].astype(int)]
        assert signs[known, column] == pytest.approx(expected, abs=1e-9)
    assert (signs[~known] == 0).all()


def test_frequencies_of_grades_are_found(graded):
    relapse = grades_of(graded, "symptom by relapse")
    withdrawal = grades_of(graded, "symptom by withdrawal")
    assert relapse == pytest.approx(GRADES["relapse"], abs=0.12)
    assert withdrawal == pytest.approx(GRADES["withdrawal"], abs=0.2)
    assert withdrawal[3] > 0.25 > relapse[3]


def test_grades_tell_more_than_their_presence(trial, graded):
    made, items, cause = trial
    halved = fitted(made, items.assign(value=items["value"].clip(upper=1)), Settings())
    assert halved.task.observed.items == ("nausea",)
    scores = {}
    for name, result in (("graded", graded), ("halved", halved)):
        stopped = result.q.loc[result.q["arm"] != "maintain"]
        true = cause.reindex(stopped["person"]).to_numpy() == "withdrawal"
        found = validate(stopped["q"].to_numpy(), true).measures.set_index("measure")["estimate"]
        scores[name] = found.to_dict()["Brier score"]
    assert scores["graded"] < scores["halved"]


def test_a_step_has_a_prior_of_its_own(trial):
    made, items, _ = trial
    sure = ItemPrior(withdrawal=0.9, withdrawal_weight=1e6, relapse=0.2, relapse_weight=1e6)
    result = fitted(made, items, replace(GRADED, items={"nausea >= 3": sure}))
    steps = result.estimates.loc[result.estimates["item"] == "nausea >= 3", "estimate"]
    assert steps.to_numpy() == pytest.approx([0.9, 0.2], abs=1e-3)


def test_grades_outside_are_refused(trial):
    made, items, _ = trial
    wrong = items.copy()
    wrong.loc[[0, 1], "value"] = [4.0, 1.5]
    with pytest.raises(InvalidInput, match="whole grades from 0 to 3") as refused:
        fitted(made, wrong, GRADED)
    assert len(refused.value.problems) == 2
    with pytest.raises(InvalidInput, match=r"allowed: 1 \(new or worse"):
        fitted(made, items, Settings())
    with pytest.raises(InvalidInput, match=r"grades\[nausea\].*at least 2"):
        Settings(grades={"nausea": 1})
