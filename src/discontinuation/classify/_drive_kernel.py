"""How does the withdrawal drive follow from retained occupancy? The loop, compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def drive(retained: FloatArray, steps: float) -> FloatArray:
    """Withdrawal drive at the end of each step and its derivatives (methods B2).

    The gap ``g = A - o`` between set-point and retained occupancy obeys
    ``g <- e^(-1/tau) (g + o_before - o_now)``, which stays exactly 0 while occupancy does not
    change; ``w = max(0, g)``.

    Parameters
    ----------
    retained
        Retained occupancy at the end of each step, shape (histories, steps); 1 before the first.
    steps
        Adaptation time tau, in steps.

    Returns
    -------
    array
        Shape (3, histories, steps): w, its first and second derivative by log tau.
    """
    keep = np.exp(-1.0 / steps)
    keep_1 = keep / steps
    keep_2 = keep_1 / steps - keep_1
    out = np.zeros((3, *retained.shape))
    for row in range(retained.shape[0]):
        gap, first, second, before = 0.0, 0.0, 0.0, 1.0
        for column in range(retained.shape[1]):
            now = retained[row, column]
            wider = gap + before - now
            second = keep_2 * wider + 2.0 * keep_1 * first + keep * second
            first = keep_1 * wider + keep * first
            gap = keep * wider
            before = now
            if gap > 0.0:
                out[0, row, column] = gap
                out[1, row, column] = first
                out[2, row, column] = second
    return out
