"""How much of the receptor is occupied at a level of the drug?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def occupancy(level: npt.ArrayLike, k: float, emax: float, hill: float = 1.0) -> FloatArray:
    """Occupancy at a level (methods B1; domain 4.1): ``O = Emax x^h / (K^h + x^h)``.

    Parameters
    ----------
    level
        Level at the site of action in units of the steady dose (mg per day), not negative.
    k
        Dose at half of Emax, mg per day; not the dose of 50 % occupancy.
    emax
        Largest occupancy as a share. A fitted value above 1 is used as it is.
    hill
        Exponent h.

    Returns
    -------
    array
        Share of receptors, of the shape of `level`.
    """
    power = np.power(np.asarray(level, dtype=float) / k, hill)
    return np.asarray(emax * power / (1.0 + power))


def level_for_occupancy(
    occupancy: npt.ArrayLike, k: float, emax: float, hill: float = 1.0
) -> FloatArray:
    """Level, or steady dose, of an occupancy: ``x = K (O / (Emax - O))^(1/h)`` (methods B1).

    Parameters
    ----------
    occupancy
        Share of receptors.
    k, emax, hill
        As in `occupancy`.

    Returns
    -------
    array
        mg per day; NaN where no dose gives that occupancy (at or above Emax, or negative).
    """
    wanted = np.asarray(occupancy, dtype=float)
    possible = (wanted >= 0) & (wanted < emax)
    share = np.where(possible, wanted, 0.0)
    found = k * np.power(share / (emax - share), 1 / hill)
    return np.where(possible, found, np.nan)


def half_occupancy_dose(k: float, emax: float) -> float:
    """Dose of 50 % occupancy, ``D50 = K / (2 Emax - 1)`` (domain 4.1); NaN if Emax is at most 0.5.

    Parameters
    ----------
    k
        Dose at half of Emax, mg per day.
    emax
        Largest occupancy as a share.
    """
    return k / (2 * emax - 1) if emax > 0.5 else float("nan")
