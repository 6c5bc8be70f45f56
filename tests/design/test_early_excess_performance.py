"""Operating characteristics of the late-anchored early excess (methods C4, gate G12)."""

import numpy as np
import pandas as pd
import pytest

from discontinuation.design.early_excess_performance import (
    CELLS,
    SETTINGS,
    operating_characteristics,
)
from discontinuation.problems import InvalidInput

pytestmark = pytest.mark.long  # simulations


@pytest.fixture(scope="module")
def performance():
    return operating_characteristics(200)


def test_dossier_table_is_reproduced(performance):
    assert performance.agrees, performance.comparison
    assert len(performance.comparison) == 31
    assert (performance.summary["failed"] == 0).all()


def test_truth_is_that_of_the_scenario(performance):
    truth = performance.summary["truth"].to_numpy()
    assert truth == pytest.approx([0.2783, 0.2783, 0, 0, 0, 0], abs=5e-5)


def test_depletion_is_taken_for_an_early_excess_and_shown(performance):
    """A limit of the method that must stay visible: frailty 2 gives a false share of a fifth."""
    last = performance.summary.iloc[-1]
    assert last["share"] == pytest.approx(0.20, abs=0.03)
    assert last["coverage"] < 0.7


def test_same_seed_same_numbers_another_seed_others():
    one, again = (operating_characteristics(5, 7, SETTINGS[:1]).summary for _ in range(2))
    pd.testing.assert_frame_equal(one, again)
    other = operating_characteristics(5, 8, SETTINGS[:1]).summary
    assert one["mean"][0] != other["mean"][0]


def test_monte_carlo_errors_are_those_of_repeated_runs():
    runs = [
        operating_characteristics(20, seed, SETTINGS[2:3]).summary.iloc[0] for seed in range(40)
    ]
    for cell in CELLS[:5]:
        spread = np.std([run[cell] for run in runs], ddof=1)
        stated = np.sqrt(np.mean([run[f"{cell}_mcse"] ** 2 for run in runs]))
        assert spread == pytest.approx(stated, rel=0.45), cell


def test_one_replicate_has_no_spread():
    with pytest.raises(InvalidInput, match="2 or more"):
        operating_characteristics(1)
