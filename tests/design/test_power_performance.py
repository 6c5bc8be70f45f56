"""Methods G3: simulated columns, formula column, formula against simulation."""

import numpy as np
import pytest

from discontinuation.design.power_performance import COLUMNS, SETTINGS, reproduce_power
from discontinuation.problems import InvalidInput

pytestmark = pytest.mark.long  # simulations


@pytest.fixture(scope="module")
def reproduced():
    return reproduce_power(800, 1)


def test_dossier_table_is_reproduced(reproduced):
    size = reproduced.comparison["difference"].abs()
    assert len(size) == len(SETTINGS) * len(COLUMNS)
    assert (size <= 2).mean() >= 0.9
    assert (size <= 4).all()
    assert reproduced.agrees


def test_formula_column_to_half_a_hundredth(reproduced):
    assert len(reproduced.formulae) == 8
    assert reproduced.formulae["difference"].abs().max() < 0.0006


def test_formula_is_near_the_simulation(reproduced):
    assert reproduced.largest_gap < 0.07
    summary = reproduced.summary
    for test in ("FH(1,0)", "RMST", "risk at the end"):
        gap = (summary[f"{test}_formula"] - summary[test]).abs()
        assert gap.max() < 0.07, test


def test_nothing_fails_and_errors_are_binomial(reproduced):
    for test in COLUMNS:
        assert (reproduced.summary[f"{test}_failed"] == 0).all()
        share = reproduced.summary[test]
        error = np.sqrt(share * (1 - share) / 800)
        assert reproduced.summary[f"{test}_mcse"].to_numpy() == pytest.approx(error.to_numpy())


def test_another_seed_gives_other_trials():
    one, again, other = (reproduce_power(60, seed, SETTINGS[:1]) for seed in (3, 3, 4))
    assert one.summary.equals(again.summary)
    assert not one.summary.equals(other.summary)


def test_one_replicate_is_refused():
    with pytest.raises(InvalidInput, match="2 or more"):
        reproduce_power(1)
