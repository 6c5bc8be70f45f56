"""Which power and which size follow from the expected z of a test?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from discontinuation.design._daily import FloatArray
from discontinuation.design.trial_tests import Z


@dataclass(frozen=True)
class Drift:
    """Normal approximation to the z of a test (methods G4).

    Attributes
    ----------
    one
        Expected z with one person per arm; it grows with the root of their number.
    spread
        Standard deviation of z between trials.
    """

    one: float
    spread: float = 1.0

    def power(self, people_per_arm: FloatArray | float) -> FloatArray:
        """Probability that z exceeds 1.96."""
        return np.asarray(ndtr((self.one * np.sqrt(people_per_arm) - Z) / self.spread))

    def people_needed(self, power: float) -> float:
        """People per arm for a power; infinite if no number has it."""
        if not self.one > 0:
            return math.inf
        return float(math.ceil((max(Z + self.spread * float(ndtri(power)), 0.0) / self.one) ** 2))
