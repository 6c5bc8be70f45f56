"""Which numbers of a drug describe its pace, and which of them are doubtful?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from discontinuation.exposure.drugs import DOUBTFUL, Curve, Drug
from discontinuation.exposure.occupancy import level_for_occupancy, occupancy
from discontinuation.exposure.pharmacology import Pharmacology
from discontinuation.problems import Problem, allowed_values, refuse

FloatArray = npt.NDArray[np.float64]

HOURS = 24.0
ROUNDING = 1e-9  # of a dose that was computed
UNKNOWN_DRUG = "the drug is not in the reference tables"
BY_LEVEL = "its occupancy curve is by blood level, not by dose"


@dataclass(frozen=True)
class Parameters:
    """What is known of one drug, with the reason for each number that is not.

    Attributes
    ----------
    name, drug_class, formulation
        Of the drug; None if unknown.
    half_life_days
        Of the active moiety, or the apparent one of a depot (flip-flop); one first-order fall.
    k, emax, hill
        Occupancy curve: mg per day, share of receptors, exponent.
    fitted
        Lowest and highest dose the curve was fitted to, mg per day.
    minimum_effective_dose
        mg per day.
    curve
        Key of the occupancy curve.
    no_half_life, no_occupancy
        Why there is none; None if there is.
    tags
        Provenance of each number that is there, by its name.
    """

    name: str | None = None
    drug_class: str | None = None
    formulation: str | None = None
    half_life_days: float | None = None
    k: float | None = None
    emax: float | None = None
    hill: float = 1.0
    fitted: tuple[float, float] | None = None
    minimum_effective_dose: float | None = None
    curve: str | None = None
    no_half_life: str | None = UNKNOWN_DRUG
    no_occupancy: str | None = UNKNOWN_DRUG
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def doubtful(self) -> str:
        """Numbers that rest on memory or a proposal, to be marked wherever they are used."""
        return ", ".join(f"{name} ({tag})" for name, tag in self.tags if tag in DOUBTFUL)

    def tag(self, name: str) -> str | None:
        """Provenance of a number; None if it is not there."""
        return dict(self.tags).get(name)

    @property
    def pharmacology(self) -> Pharmacology | None:
        """What trajectories are computed from; None without a half-life."""
        if self.half_life_days is None:
            return None
        return Pharmacology(self.half_life_days, self.k, self.emax, self.hill)

    def under(self, pharmacology: Pharmacology) -> Parameters:
        """Give the same drug the half-life and the curve of one draw of a sensitivity analysis."""
        return replace(
            self,
            half_life_days=pharmacology.half_life_days,
            k=pharmacology.k,
            emax=pharmacology.emax,
            hill=pharmacology.hill,
        )

    def occupancy(self, dose: npt.ArrayLike) -> FloatArray:
        """Occupancy at a steady dose, as a share of receptors; NaN if there is no curve."""
        if self.k is None or self.emax is None:
            return np.full(np.shape(dose), np.nan)
        return occupancy(dose, self.k, self.emax, self.hill)

    def dose_for(self, share: npt.ArrayLike) -> FloatArray:
        """Steady dose of an occupancy, mg per day; NaN where no dose gives it."""
        if self.k is None or self.emax is None:
            return np.full(np.shape(share), np.nan)
        return level_for_occupancy(share, self.k, self.emax, self.hill)

    def outside_fitted(self, dose: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether a dose lies outside those the curve was fitted to; False if they are unknown."""
        low, high = self.fitted or (0.0, math.inf)
        given = np.asarray(dose, dtype=float)
        slack = 1 + ROUNDING
        return np.asarray((given > 0) & ((given * slack < low) | (given > high * slack)))


def parameters_of(drug: Drug | None, curve: str | None = None) -> Parameters:
    """Choose the numbers of a drug.

    Parameters
    ----------
    drug
        From the reference tables; None for a drug that is not there.
    curve
        Key of its occupancy curve; None: the default one.

    Raises
    ------
    InvalidInput
        If the drug has no such curve, or one that no occupancy by dose can be computed from.
    """
    if drug is None:
        return Parameters()
    half_life, minimum, fitted = drug.half_life, drug.minimum_effective_dose, drug.curve(curve)
    _refuse_curve(drug, curve, fitted)
    by_level = fitted is not None and fitted.unit != "mg/day"
    fitted = None if by_level else fitted
    tags = []
    for name, fact in (("half-life", half_life), ("minimum effective dose", minimum)):
        if fact is not None and fact.central is not None:
            tags.append((name, fact.tag))
    if fitted is not None:
        tags.append(("occupancy curve", fitted.tag))
    hours = half_life.central if half_life else None
    return Parameters(
        name=drug.name,
        drug_class=drug.drug_class,
        formulation=drug.formulation,
        half_life_days=None if hours is None else hours / HOURS,
        k=fitted.k if fitted else None,
        emax=fitted.emax / 100 if fitted and fitted.emax is not None else None,
        hill=(fitted.hill if fitted else None) or 1.0,
        fitted=_range(fitted),
        minimum_effective_dose=minimum.central if minimum else None,
        curve=fitted.curve if fitted else None,
        no_half_life=drug.why_no_half_life(),
        no_occupancy=BY_LEVEL if by_level else drug.why_no_occupancy(),
        tags=tuple(tags),
    )


def _range(curve: Curve | None) -> tuple[float, float] | None:
    if curve is None or curve.dose_high is None:
        return None
    return (curve.dose_low or 0.0, curve.dose_high)


def _refuse_curve(drug: Drug, key: str | None, found: Curve | None) -> None:
    by_dose = [row.curve for row in drug.curves if row.usable and row.unit == "mg/day"]
    if key is not None and (found is None or found.curve not in by_dose):
        rule = allowed_values(by_dose, key) if by_dose else str(drug.why_no_occupancy())
        refuse([Problem("the request", rule, column="curve", value=key)])
