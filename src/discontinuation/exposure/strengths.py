"""Which doses can be made from the tablets and the liquid at hand?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from discontinuation.problems import Problem, refuse

Pieces = tuple[tuple[Fraction, Fraction], ...]  # strength and share of each tablet in a dose

PLACE = "strengths"
MOST_PLACES = 20_000  # multiples of the finest amount in a dose; finer grids are not searched


@dataclass(frozen=True)
class MadeDose:
    """A dose that can be made.

    Attributes
    ----------
    dose
        mg.
    tablets
        How many of each tablet, by its strength in mg; halves count 0.5.
    millilitres
        Of the liquid.
    """

    dose: float
    tablets: tuple[tuple[float, float], ...] = ()
    millilitres: float = 0.0

    def __str__(self) -> str:
        parts = [f"{_count(number)} × {strength:g} mg" for strength, number in self.tablets]
        if self.millilitres:
            parts.append(f"{self.millilitres:g} ml")
        return " + ".join(parts) or "nothing"


@dataclass(frozen=True)
class Strengths:
    """Tablets and liquid of a drug.

    Attributes
    ----------
    tablets
        Strengths, mg.
    halved
        Whether tablets are halved.
    liquid
        Strength of the liquid, mg per ml; None: there is none.
    smallest_volume
        Smallest volume that is measured, ml; every volume is a multiple of it.

    Raises
    ------
    InvalidInput
        Nothing at hand, values that are not greater than 0, a volume without a liquid or the
        reverse.
    """

    tablets: tuple[float, ...] = ()
    halved: bool = False
    liquid: float | None = None
    smallest_volume: float | None = None

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterator[Problem]:
        amounts: list[tuple[str, float | None]] = [("tablets", value) for value in self.tablets]
        amounts += [("liquid", self.liquid), ("smallest_volume", self.smallest_volume)]
        for name, value in amounts:
            if value is not None and not (math.isfinite(value) and value > 0):
                rule = "allowed: a number greater than 0"
                yield Problem(PLACE, rule, column=name, value=str(value))
        if (self.liquid is None) != (self.smallest_volume is None):
            rule = "a liquid needs both its strength (mg per ml) and the smallest volume (ml)"
            yield Problem(PLACE, rule, column="liquid")
        if not self.tablets and self.liquid is None:
            yield Problem(PLACE, "neither tablets nor a liquid are given")
        if self.halved and not self.tablets:
            yield Problem(PLACE, "there are no tablets to halve", column="halved")

    def doses_up_to(self, most: float) -> list[float]:
        """List the doses that can be made, from 0 to `most` mg."""
        limit = Fraction(str(most))
        made = set(self._tablet_doses(limit))
        if self.liquid is not None:
            step = self._liquid_step()
            made = {
                tablets + volumes * step
                for tablets in made
                for volumes in range(int((limit - tablets) / step) + 1)
            }
        return sorted(map(float, made))

    def nearest(self, dose: float) -> MadeDose:
        """Find the nearest dose that can be made; a dose above 0 stays above 0.

        Parameters
        ----------
        dose
            mg, 0 or more.

        Returns
        -------
        MadeDose
            Of two equally near, the higher; made with as little liquid, then with as few tablets,
            as possible.
        """
        wanted = Fraction(str(dose))
        if wanted == 0:
            return MadeDose(0.0)
        largest = max([Fraction(str(strength)) for strength in self.tablets], default=Fraction(0))
        found = [
            (abs(tablets + liquid - wanted), -(tablets + liquid), liquid, len(pieces), pieces)
            for tablets, pieces in self._tablet_doses(wanted + largest).items()
            for liquid in self._liquid_beside(wanted - tablets)
            if tablets + liquid > 0
        ]
        _, negative, liquid, _, pieces = min(found)
        counts: dict[Fraction, Fraction] = {}
        for strength, number in pieces:
            counts[strength] = counts.get(strength, Fraction(0)) + number
        tablets = sorted(((float(s), float(n)) for s, n in counts.items()), reverse=True)
        volume = liquid / Fraction(str(self.liquid)) if self.liquid else Fraction(0)
        return MadeDose(float(-negative), tuple(tablets), float(volume))

    def _liquid_step(self) -> Fraction:
        return Fraction(str(self.liquid)) * Fraction(str(self.smallest_volume))

    def _liquid_beside(self, missing: Fraction) -> list[Fraction]:
        """Amounts of liquid that come nearest to what tablets leave missing."""
        if self.liquid is None or missing <= 0:
            return [Fraction(0)]
        step = self._liquid_step()
        volumes = int(missing / step)
        return [volumes * step, (volumes + 1) * step]

    def _tablet_doses(self, most: Fraction) -> dict[Fraction, Pieces]:
        """Doses that tablets alone give, each in the fewest pieces."""
        sizes = [Fraction(1), Fraction(1, 2)] if self.halved else [Fraction(1)]
        pieces = [(Fraction(str(strength)), size) for strength in self.tablets for size in sizes]
        if not pieces:
            return {Fraction(0): ()}
        common = math.lcm(*((strength * size).denominator for strength, size in pieces))
        amounts = [int(strength * size * common) for strength, size in pieces]
        finest = math.gcd(*amounts)
        places = int(most * common) // finest
        if places > MOST_PLACES:
            message = f"too fine for a dose of {float(most):g} mg"
            refuse([Problem(PLACE, message, column="tablets")])
        # Fewest pieces for every multiple of the finest amount, from the smallest up.
        best: list[Pieces | None] = [(), *[None] * places]
        for place in range(1, places + 1):
            for piece, amount in zip(pieces, amounts, strict=True):
                before = best[place - amount // finest] if amount // finest <= place else None
                here = best[place]
                if before is not None and (here is None or len(before) + 1 < len(here)):
                    best[place] = (*before, piece)
        return {
            Fraction(place * finest, common): made
            for place, made in enumerate(best)
            if made is not None
        }


def _count(number: float) -> str:
    whole, half = divmod(number, 1)
    text = f"{whole:g}" if whole else ""
    return text + ("½" if half else "")
