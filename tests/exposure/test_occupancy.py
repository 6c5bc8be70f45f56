"""The occupancy curve and the printed tables that follow from it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discontinuation.exposure.occupancy import (
    half_occupancy_dose,
    level_for_occupancy,
    occupancy,
)
from discontinuation.exposure.trajectories import exposure_of

# Domain 4.2 (K and Emax of Sorensen 2022, tag V2; D50 and the doses, tag D).
CITALOPRAM = (2.33, 0.8398)
TABLE = {
    "citalopram": (CITALOPRAM, 3.43, [46.8, 11.7, 5.83, 3.43, 2.12, 1.29, 0.73, 0.31]),
    "sertraline": ((7.72, 0.9201), 9.19, [51.4, 24.6, 14.5, 9.19, 5.94, 3.73, 2.14, 0.94]),
    "paroxetine": ((5.60, 0.9714), 5.94, [26.1, 14.4, 9.05, 5.94, 3.92, 2.50, 1.45, 0.64]),
    "desvenlafaxine": ((11.57, 1.0643), 10.3, [35.0, 22.2, 15.0, 10.3, 6.97, 4.54, 2.68, 1.20]),
}

# Domain 4.5 (tag D): K, Emax, dose, and occupancy in percent at 0 to 6 half-lives after the stop.
AFTER_STOP = {
    "citalopram": (2.33, 0.8398, 20, [75, 68, 57, 44, 29, 18, 10]),
    "sertraline": (7.72, 0.9201, 50, [80, 70, 57, 41, 27, 16, 9]),
    "paroxetine": (5.60, 0.9714, 20, [76, 62, 46, 30, 18, 10, 5]),
    "fluoxetine": (1.89, 0.8612, 20, [79, 72, 63, 49, 34, 21, 12]),
    "venlafaxine": (5.80, 0.9007, 75, [84, 78, 69, 56, 40, 26, 15]),
    "duloxetine": (6.27, 0.9075, 60, [82, 75, 64, 49, 34, 21, 12]),
    "escitalopram": (2.10, 0.7867, 10, [65, 55, 43, 29, 18, 10, 5]),
}
# Cells in which the dossier rounds up what its own K and Emax put below the half.
ROUNDED_UP = {
    ("citalopram", 44): 43.47,
    ("sertraline", 16): 15.49,
    ("sertraline", 9): 8.46,
    ("fluoxetine", 63): 62.50,
}


@pytest.mark.parametrize("drug", TABLE)
def test_doses_of_the_dossier_for_each_tenth_of_occupancy(drug):
    curve, half, doses = TABLE[drug]
    assert half_occupancy_dose(*curve) == pytest.approx(half, abs=0.05)
    found = level_for_occupancy(np.arange(0.8, 0.05, -0.1), *curve)
    assert found == pytest.approx(doses, rel=0.01, abs=0.005)
    assert occupancy(found, *curve) == pytest.approx(np.arange(0.8, 0.05, -0.1))


@pytest.mark.parametrize("drug", AFTER_STOP)
@pytest.mark.parametrize("half_life", [0.5, 3.0])
def test_occupancy_after_an_abrupt_stop(drug, half_life):
    k, emax, dose, printed = AFTER_STOP[drug]
    stopped = pd.DataFrame({"person": ["x"], "start": [0.0], "stop": [60.0], "dose": [0.0]})
    taken = exposure_of(stopped, half_life_days=half_life, k=k, emax=emax, dose_before=dose)
    found = 100 * taken.at(half_life * np.arange(7)).occupancy[0]
    expected = [ROUNDED_UP.get((drug, percent), percent) for percent in printed]
    assert found == pytest.approx(expected, abs=0.5)


def test_halvings_of_risperidone():
    """Domain 4.3: Kapur's parameters."""
    doses = [8, 4, 2, 1, 0.5, 0.25, 0.125]
    printed = [82.7, 75.8, 65.0, 50.6, 35.0, 21.7, 12.3]
    assert 100 * occupancy(doses, 0.8, 0.91) == pytest.approx(printed, abs=0.06)


def test_no_dose_gives_an_occupancy_at_or_above_the_largest():
    found = level_for_occupancy([0.0, 0.5, 0.8398, 0.9, -0.1], *CITALOPRAM)
    assert np.isnan(found).tolist() == [False, False, True, True, True]
    assert found[0] == 0
    assert np.isnan(half_occupancy_dose(3.0, 0.5))


@given(
    share=st.floats(0.001, 0.99),
    k=st.floats(0.05, 200),
    emax=st.floats(0.2, 1.1),
    hill=st.floats(0.4, 3),
)
def test_level_for_occupancy_inverts_occupancy(share, k, emax, hill):
    level = level_for_occupancy(share * emax, k, emax, hill)
    assert occupancy(level, k, emax, hill) == pytest.approx(share * emax, rel=1e-9)
