"""Models of recurrent events reduce to what they should, and refuse impossible histories."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.survival.cox_model import cox
from discontinuation.survival.recurrent import recurrent_model
from survival.cox_cases import case

KINDS = ("andersen-gill", "pwp-total", "pwp-gap", "wlw")


def first_events():
    d = case("recurrent")
    return d.groupby("person").head(1).reset_index(drop=True)


@pytest.mark.parametrize("kind", KINDS)
def test_with_one_event_each_all_are_the_same(kind):
    d = first_events()
    model = recurrent_model("x + arm", d, "person", kind)
    plain = cox("x + arm", d, robust=True)
    np.testing.assert_allclose(model.coef, plain.coef, rtol=1e-9)
    np.testing.assert_allclose(model.robust_covariance, plain.robust_covariance, rtol=1e-8)


def test_clusters_are_people():
    d = case("recurrent")
    model = recurrent_model("x", d, "person")
    assert model.clusters == d["person"].nunique() and model.n == len(d)
    assert model.robust


def test_gap_time_keeps_stretches_between_changes_of_a_covariate_together():
    """A stretch cut in two where nothing happens leaves every model as it was."""
    d = case("recurrent")
    middle = (d["entry"] + d["time"]) / 2
    cut = pd.concat([d.assign(time=middle, event=0), d.assign(entry=middle)])
    for kind in KINDS:
        whole, pieces = (recurrent_model("x + z", t, "person", kind) for t in (d, cut))
        np.testing.assert_allclose(pieces.coef, whole.coef, rtol=1e-8)
        np.testing.assert_allclose(
            pieces.robust_covariance, whole.robust_covariance, rtol=1e-7, atol=1e-12
        )


def test_most():
    d = case("recurrent")
    assert recurrent_model("x", d, "person", "wlw", most=1).strata == 1
    assert recurrent_model("x", d, "person", "pwp-total", most=2).strata == 2
    first = cox("x", first_events(), robust=True)
    model = recurrent_model("x", d, "person", "wlw", most=1)
    np.testing.assert_allclose(model.coef, first.coef, rtol=1e-9)


def test_a_rate_ratio_is_found():
    """LWYY: with a frailty the rate ratio stays, and the robust variance covers it."""
    rng = np.random.default_rng(9)
    rows = []
    for person in range(1500):
        arm, factor, now = person % 2, rng.gamma(2, 0.5), 0.0
        while now < 2:
            end = min(now + rng.exponential(1 / (factor * 1.2 * np.exp(0.5 * arm))), 2)
            rows.append((person, now, end, int(end < 2), arm))
            now = end
    d = pd.DataFrame(rows, columns=["person", "entry", "time", "event", "arm"])
    table = recurrent_model("arm", d, "person").summary
    assert abs(table["coef"][0] - 0.5) < 3 * table["robust_se"][0]
    assert table["robust_se"][0] > 1.2 * table["se"][0]


def test_refusals():
    d = case("recurrent")
    with pytest.raises(InvalidInput, match="begin before the one before has ended"):
        recurrent_model("x", d.assign(entry=d["entry"] * 0), "person")
    with pytest.raises(InvalidInput, match="did you mean 'pwp-gap'"):
        recurrent_model("x", d, "person", "pwp-gab")
    with pytest.raises(InvalidInput, match="did you mean 'person'"):
        recurrent_model("x", d, "persons")
    with pytest.raises(InvalidInput, match="1 or more"):
        recurrent_model("x", d, "person", "wlw", most=0)
    with pytest.raises(InvalidInput, match="1 values are blank"):
        recurrent_model("x", d.assign(person=d["person"].where(d.index != 3)), "person")
