"""How does a brief interruption act, for how long, and what does it leave behind?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.design._daily import FloatArray, level, occupancy, set_point, withdrawal_drive
from discontinuation.design._numbers import is_number
from discontinuation.design.interruption import (
    EXACT_BLOCKS,
    BoolArray,
    InterruptionDesign,
    orders_of,
    signed,
    window_means,
)
from discontinuation.exposure.pharmacology import Pharmacology
from discontinuation.problems import Problem, refuse

KEPT_OVER = 0.05  # of occupancy and set-point: a carry-over that is called small
MOST_RECOVERY = 365


@dataclass(frozen=True)
class InterruptionResponse:
    """How daily scores would behave; every default is a proposal without a source.

    Attributes
    ----------
    rise_points
        Mean rise of the score at a withdrawal drive of 1; 0: interruption does nothing.
    rise_sd
        Standard deviation of it between people.
    power
        Exponent of the drive.
    nocebo_points, nocebo_days
        Rise on the day of every step, real or sham, and with which time constant it decays.
    day_sd, autocorrelation
        Standard deviation of a day's error, and its correlation with the next day's.
    missing
        Probability that a day is not rated.
    dose_mg, drug
        The continued dose, and level, occupancy and adaptation (methods B1, B2).
    """

    rise_points: float = 3.0
    rise_sd: float = 1.0
    power: float = 1.0
    nocebo_points: float = 0.0
    nocebo_days: float = 3.0
    day_sd: float = 2.0
    autocorrelation: float = 0.5
    missing: float = 0.1
    dose_mg: float = 20.0
    drug: Pharmacology = field(default_factory=lambda: Pharmacology(1.0, 2.7, 0.95))

    def __post_init__(self) -> None:
        """Refuse what no score can do, with every reason.

        Raises
        ------
        InvalidInput
            All problems at once.
        """
        refuse(_response_problems(self))


def drive_of_orders(
    design: InterruptionDesign, response: InterruptionResponse, interrupted_first: BoolArray
) -> FloatArray:
    """Withdrawal drive on each day (methods B1, B2).

    Parameters
    ----------
    design, response
        The trial, the drug.
    interrupted_first
        Whether the interruption comes first, shape (histories, blocks).

    Returns
    -------
    array
        Shape (histories, days), state at the end of each day.
    """
    return _exposure(design, response, interrupted_first)[0]


def expected_difference(design: InterruptionDesign, response: InterruptionResponse) -> float:
    """Mean difference in the window over all orders: what the trial estimates.

    What an interruption leaves behind falls on both kinds of period, and is part of it.
    """
    blocks = min(design.blocks, EXACT_BLOCKS)  # what is left after that many is as before
    orders = orders_of(blocks)
    drive = drive_of_orders(replace(design, blocks=blocks), response, orders) ** response.power
    first = window_means(replace(design, blocks=blocks), drive)
    return response.rise_points * float(signed(first, orders).mean())


def carry_over(
    design: InterruptionDesign,
    response: InterruptionResponse,
    half_lives_days: npt.ArrayLike = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
) -> pd.DataFrame:
    """Ask whether interruption and recovery are long enough, by half-life.

    Returns
    -------
    DataFrame
        One row per half-life: half_life_days; peak_drive reached; window_share (of the drive of
        one interruption that falls in its window); left_over (drive in the window of the next
        period over that in its own); next_response (drive in the window of an interruption right
        after, over that of the first: below 1 the person is still adapted to less drug);
        recovery_days_needed until occupancy and set-point are within 0.05 of those before, blank
        if beyond a year.
    """
    rows = []
    for half_life in np.atleast_1d(np.asarray(half_lives_days, dtype=float)):
        here = replace(response, drug=replace(response.drug, half_life_days=float(half_life)))
        rows.append(
            {"half_life_days": half_life}
            | _carried(design, here)
            | {"recovery_days_needed": _recovery_needed(design, here)}
        )
    return pd.DataFrame(rows).astype({"recovery_days_needed": "Int64"})


def _carried(design: InterruptionDesign, response: InterruptionResponse) -> dict[str, float]:
    """Drive of one interruption in its own window and in the next period's."""
    two = replace(design, blocks=2)
    # Interruption, sham, sham, interruption; and one interruption right after another.
    drive = drive_of_orders(two, response, np.array([[True, False], [False, True]]))
    drive = drive**response.power
    means = window_means(two, drive)
    begin, end = two.run_in_days, two.run_in_days + 2 * two.period_days
    low, high = (begin + day for day in two.window_days)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "peak_drive": float(drive[0, begin:end].max() ** (1 / response.power)),
            "window_share": float(np.divide(drive[0, low:high].sum(), drive[0, begin:end].sum())),
            "left_over": float(np.divide(means[0, 0, 1], means[0, 0, 0])),
            "next_response": float(np.divide(means[1, 1, 0], means[1, 0, 1])),
        }


def _recovery_needed(design: InterruptionDesign, response: InterruptionResponse) -> int | None:
    """Days on the drug after which an interruption has left nothing that is worth mentioning."""
    one = replace(design, people=1, blocks=1, recovery_days=MOST_RECOVERY, run_in_days=0)
    drive, adapted = _exposure(one, response, np.array([[True]]))
    # o = A - w while the drive acts, and o >= A once it has gone.
    lost = 1 - adapted[0] + drive[0]
    after = lost[design.interruption_days - 1 : one.period_days]
    late = np.flatnonzero(after > KEPT_OVER)
    needed = int(late[-1]) + 1 if late.size else 0
    return needed if needed <= MOST_RECOVERY else None


def _exposure(
    design: InterruptionDesign, response: InterruptionResponse, first: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Drive and set-point of each day."""
    dose = np.full((len(first), design.days), float(response.dose_mg))
    for block, pair in enumerate(design.steps):
        for place, step in enumerate(pair):
            here = first[:, block] == (place == 0)
            dose[here, step : step + design.interruption_days] = 0.0
    drug = response.drug
    curve = (float(drug.k or 0), float(drug.emax or 0), drug.hill)
    full = float(occupancy(np.array(float(response.dose_mg)), *curve))
    retained = occupancy(level(dose, response.dose_mg, drug.half_life_days), *curve) / full
    return withdrawal_drive(retained, drug.tau_days), set_point(retained, drug.tau_days)


def _response_problems(response: InterruptionResponse) -> Iterator[Problem]:
    limits = {
        "rise_points": (-math.inf, math.inf), "rise_sd": (0, math.inf), "power": (1e-9, math.inf),
        "nocebo_points": (-math.inf, math.inf), "nocebo_days": (1e-9, math.inf),
        "day_sd": (0, math.inf), "autocorrelation": (-0.999, 0.999), "missing": (0, 1),
        "dose_mg": (1e-9, math.inf),
    }  # fmt: skip
    for name, (low, high) in limits.items():
        value = getattr(response, name)
        if not (is_number(value) and low <= value <= high):
            rule = f"allowed: a number from {low:g} to {high:g}"
            yield Problem("interruption response", rule, None, name, str(value))
    if response.drug.occupancy_refused:
        yield Problem("interruption response", response.drug.occupancy_refused, column="drug")
