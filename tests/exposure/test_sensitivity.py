"""Bands over what is not known about a drug."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from discontinuation.exposure.sensitivity import Spread, bands, draw_drugs
from discontinuation.exposure.trajectories import exposure_of
from discontinuation.problems import InvalidInput

DOSES = pd.DataFrame(
    {"person": ["a", "b", "b"], "start": [0.0, 0, 30], "stop": [90.0, 30, 90], "dose": [0.0, 5, 0]}
)
SPREADS = {"half_life_days": Spread(0.5, 2.0), "k": Spread(1.0, 6.0, "log-normal")}


@pytest.fixture(scope="module")
def taken():
    return exposure_of(DOSES, half_life_days=1.0, k=2.7, emax=0.95, dose_before=20.0)


def test_draws_have_the_declared_distribution():
    stream = np.random.default_rng(1)
    uniform = np.log(Spread(0.5, 2.0).draw(stream, 4000))
    low, width = np.log(0.5), np.log(4)
    assert stats.kstest(uniform, stats.uniform(low, width).cdf).pvalue > 0.01
    normal = np.log(Spread(1.0, 6.0, "log-normal").draw(stream, 4000))
    middle, sd = np.log(6) / 2, np.log(6) / 2 / 1.959964
    assert stats.kstest(normal, stats.norm(middle, sd).cdf).pvalue > 0.01


def test_one_more_parameter_does_not_change_the_draws_of_the_others(taken):
    one = draw_drugs(taken.drug, {"k": SPREADS["k"]}, seed=3, draws=20)
    two = draw_drugs(taken.drug, SPREADS, seed=3, draws=20)
    assert (one["k"] == two["k"]).all()
    assert (one["half_life_days"] == 1.0).all()
    other = draw_drugs(taken.drug, SPREADS, seed=4, draws=20)
    assert not (other["k"] == two["k"]).any()


def test_variants_share_their_draws(taken):
    factors = {"usual": 1.0, "slow metaboliser": 2.5}
    drugs = draw_drugs(taken.drug, SPREADS, seed=3, draws=20, half_life_factors=factors)
    usual, slow = (drugs[drugs["variant"] == name].reset_index() for name in factors)
    assert (slow["half_life_days"] == 2.5 * usual["half_life_days"]).all()
    assert (slow["k"] == usual["k"]).all()


def test_bands_of_an_integral_are_the_quantiles_of_what_each_drug_gives(taken):
    drugs = draw_drugs(
        taken.drug, SPREADS, seed=3, draws=60, half_life_factors={"usual": 1.0, "slow": 3.0}
    )
    found = bands(taken, drugs, lambda one: one.integral(2.0), quantiles=(0.1, 0.5, 0.9))
    assert found.columns.tolist() == ["variant", "person", "draws", "q10", "q50", "q90"]
    by_hand = [
        exposure_of(
            DOSES,
            half_life_days=row["half_life_days"],
            k=row["k"],
            emax=0.95,
            dose_before=20.0,
        ).integral(2.0)["b"]
        for row in drugs[drugs["variant"] == "slow"].to_dict("records")
    ]
    row = found[(found["variant"] == "slow") & (found["person"] == "b")].iloc[0]
    shown = row[["q10", "q50", "q90"]].to_numpy(dtype=float)
    assert shown == pytest.approx(np.quantile(by_hand, [0.1, 0.5, 0.9]), rel=1e-9)
    # A slower drug tapers itself: the same loss, less convex pull.
    middle = found.set_index(["variant", "person"])["q50"]
    assert middle["slow", "a"] < middle["usual", "a"]


def test_the_whole_pull_does_not_hang_on_the_drug(taken):
    """Conservation: with kappa 1 only tau matters, so the band is a line."""
    drugs = draw_drugs(taken.drug, SPREADS, seed=3, draws=30)
    long = exposure_of(
        DOSES.assign(stop=[900.0, 30, 900]), half_life_days=1.0, k=2.7, emax=0.95, dose_before=20.0
    )
    found = bands(long, drugs, lambda one: one.integral(1.0))
    assert found["q2.5"].to_numpy() == pytest.approx(14.0, rel=1e-8)
    assert found["q97.5"].to_numpy() == pytest.approx(14.0, rel=1e-8)
    adapting = draw_drugs(taken.drug, {"tau_days": Spread(7.0, 28.0)}, seed=3, draws=200)
    wide = bands(long, adapting, lambda one: one.integral(1.0))
    assert wide["q2.5"].to_numpy() == pytest.approx(7.0, rel=0.1)
    assert wide["q97.5"].to_numpy() == pytest.approx(28.0, rel=0.1)


def test_bands_of_trajectories_arrays_and_single_numbers(taken):
    drugs = draw_drugs(taken.drug, SPREADS, seed=3, draws=25)
    frame = bands(
        taken,
        drugs,
        lambda one: one.trajectories().set_index(["person", "day"])[["retained", "drive"]],
    )
    assert list(frame.columns[:4]) == ["variant", "person", "day", "quantity"]
    at = frame.set_index(["person", "day", "quantity"])
    first = at.loc[("a", 0.0, "retained"), ["q2.5", "q50", "q97.5"]]
    assert first.to_numpy(dtype=float) == pytest.approx([1, 1, 1], abs=1e-12)
    array = bands(taken, drugs, lambda one: one.at([0.0, 3.0]).drive)
    assert array[["axis_0", "axis_1"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert array["q50"].iloc[1] == pytest.approx(at.loc[("a", 3.0, "drive"), "q50"])

    def largest_fall_in_a_week(one):
        retained = one.at(np.arange(91.0)).retained
        return (retained[:, :-7] - retained[:, 7:]).max()

    single = bands(taken, drugs, largest_fall_in_a_week)
    assert len(single) == 1
    assert 0.3 < single["q2.5"].iloc[0] < single["q50"].iloc[0] < single["q97.5"].iloc[0] < 1


def test_numbers_that_are_none_are_counted_out(taken):
    drugs = draw_drugs(taken.drug, SPREADS, seed=3, draws=40)
    found = bands(
        taken, drugs, lambda one: np.nan if one.drug.half_life_days > 1 else one.drug.half_life_days
    )
    below = (drugs["half_life_days"] <= 1).sum()
    assert found["draws"].iloc[0] == below
    assert found["q97.5"].iloc[0] <= 1


def test_bad_settings(taken):
    with pytest.raises(InvalidInput) as caught:
        draw_drugs(
            taken.drug,
            {"half_live_days": Spread(1, 2), "release_half_life_days": Spread(1, 2)},
            seed=1,
            draws=0,
            half_life_factors={"slow": 0.0},
        )
    text = str(caught.value)
    assert "4 problems" in text
    assert "did you mean 'half_life_days'?" in text
    assert "slow: allowed: a number greater than 0" in text
    with pytest.raises(InvalidInput, match="a lower and a higher limit"):
        Spread(2.0, 1.0)
    with pytest.raises(InvalidInput, match="did you mean 'log-normal'"):
        Spread(1.0, 2.0, "lognormal")
    drugs = draw_drugs(taken.drug, SPREADS, seed=1, draws=2)
    with pytest.raises(InvalidInput, match="numbers from 0 to 1"):
        bands(taken, drugs, lambda one: 1.0, quantiles=(50,))
    lengths = iter([1, 2])
    with pytest.raises(InvalidInput, match="other labels"):
        bands(taken, drugs, lambda one: np.ones(next(lengths)))
