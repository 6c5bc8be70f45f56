"""How far may a simulated share be off?"""

from __future__ import annotations

import math

ERRORS = 2.0  # Monte-Carlo errors on either side


def share_range(share: float, trials: int) -> tuple[float, float]:
    """Range of two Monte-Carlo errors about a simulated share.

    Wilson's form, whose width is not 0 where all of a few trials agree.

    Parameters
    ----------
    share
        Of the trials.
    trials
        How many.

    Returns
    -------
    lower, upper
        NaN where the share is.

    References
    ----------
    Wilson EB. J Am Stat Assoc 1927;22:209-212.
    """
    weight = ERRORS**2 / trials
    middle = (share + weight / 2) / (1 + weight)
    half = ERRORS * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return middle - half, middle + half
