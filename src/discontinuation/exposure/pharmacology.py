"""Which properties of a drug turn its doses into occupancy and drive?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from numbers import Real

from discontinuation.problems import Problem, refuse

PLACE = "drug parameters"
LARGEST_EMAX = 1.5  # fits a little above 1 exist (domain 4.1); a percentage is far above


@dataclass(frozen=True)
class Pharmacology:
    """Parameters of a drug (methods B1, B2).

    Attributes
    ----------
    half_life_days
        Elimination half-life of the active moiety.
    k
        Dose at half of Emax, mg per day; None if unknown.
    emax
        Largest occupancy as a share of receptors; None if unknown.
    hill
        Exponent of the occupancy curve.
    tau_days
        Time constant with which the set-point adapts. The default is the median of its prior
        (methods B6), not a finding.
    release_half_life_days
        Half-life of the release from a depot; None: no depot. The slower of release and
        elimination is what is seen after the last injection (flip-flop).

    Raises
    ------
    InvalidInput
        A value that is not a number greater than 0, or an Emax that looks like a percentage.
    """

    half_life_days: float
    k: float | None = None
    emax: float | None = None
    hill: float = 1.0
    tau_days: float = 14.0
    release_half_life_days: float | None = None

    def __post_init__(self) -> None:
        refuse(self._problems())

    @property
    def occupancy_refused(self) -> str | None:
        """Why there is no occupancy and no drive, or None if there are."""
        missing = [name for name in ("k", "emax") if getattr(self, name) is None]
        if not missing:
            return None
        return f"occupancy cannot be computed: {' and '.join(missing)} unknown for this drug"

    def _problems(self) -> Iterator[Problem]:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            if not _is_positive(value):
                rule = "allowed: a number greater than 0"
                yield Problem(PLACE, rule, column=field.name, value=str(value))
            elif field.name == "emax" and value > LARGEST_EMAX:
                rule = f"is a share, not a percentage; allowed: up to {LARGEST_EMAX}"
                yield Problem(PLACE, rule, column=field.name, value=str(value))


def _is_positive(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value) and float(value) > 0
