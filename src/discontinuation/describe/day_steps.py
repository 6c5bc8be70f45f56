"""Into which round steps are days divided?"""

from __future__ import annotations

STEPS = (0.25, 0.5, 1, 2, 7, 14, 28, 56, 84, 182, 364, 728, 1820, 3640)


def round_step(days: float, most: int) -> float:
    """Choose the smallest round step that divides a span into few enough parts.

    Parameters
    ----------
    days
        Length of the span.
    most
        How many parts there may be.

    Returns
    -------
    float
        A step in days; weeks and their multiples where the span is long.
    """
    enough = [step for step in STEPS if days / step <= most]
    return float(enough[0]) if enough else float(STEPS[-1])
