"""What is the effect of one trial, and which numbers cannot make one?

Arm ``a`` stands first everywhere: a ratio is a over b, a difference is a minus b.
Ratios are analysed on the log scale, differences as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Floats = float | FloatArray
Scale = Literal["log", "identity"]
ZeroCells = Literal["add_half_if_zero", "add_half_always", "none"]


@dataclass(frozen=True, eq=False)
class Effect:
    """A contrast of two arms on the scale on which it is pooled.

    Attributes
    ----------
    estimate
        Log ratio or difference; NaN where it cannot be estimated.
    variance
        Its sampling variance, in squared units of `estimate`.
    scale
        ``"log"`` for the logarithm of a ratio, ``"identity"`` for a difference.
    method
        How it was computed, one text per effect.
    """

    estimate: Floats
    variance: Floats
    scale: Scale
    method: str | npt.NDArray[np.str_]

    @property
    def se(self) -> Floats:
        """Standard error of `estimate`."""
        return plain(np.sqrt(self.variance))

    def natural(self, confidence: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """Return estimate and normal limits as they are printed, ratios as ratios."""
        half = normal_quantile(confidence) * self.se
        values = [
            np.asarray(v) for v in (self.estimate, self.estimate - half, self.estimate + half)
        ]
        if self.scale == "log":
            values = [np.exp(v) for v in values]
        return plain(values[0]), plain(values[1]), plain(values[2])


@dataclass(frozen=True)
class Risk:
    """A risk read from a survival curve, with its variance and how that was found."""

    risk: float
    variance: float
    method: str


def plain(values: npt.ArrayLike) -> Floats:
    """Give a number for a number and an array for an array."""
    array = np.asarray(values, dtype=float)
    return float(array) if array.ndim == 0 else array


def floats(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Return arrays of one common shape."""
    return np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values))


def normal_quantile(confidence: float) -> float:
    """Return how many standard errors an interval reaches to each side; refuse a bad level."""
    refuse(bad_confidence(confidence))
    return float(stats.norm.isf((1 - confidence) / 2))


def bad_values(name: str, values: FloatArray, good: BoolArray, allowed: str) -> list[str]:
    """Describe the values of one argument that are not allowed.

    Parameters
    ----------
    name
        Argument to name in the sentence.
    values
        What was given.
    good
        True where a value is allowed, same shape.
    allowed
        What is allowed, to follow "must be".

    Returns
    -------
    list of str
        Empty, or one sentence that gives each offending value with its position.
    """
    places = np.argwhere(~good)
    if not len(places):
        return []
    listed = ", ".join(
        f"{name}{list(map(int, place)) if place.size else ''} = {values[tuple(place)]:g}"
        for place in places
    )
    return [f"{name} must be {allowed}, but {listed}"]


def bad_choice(name: str, value: object, allowed: tuple[str, ...]) -> list[str]:
    """Describe a value that is not one of the allowed names."""
    if value in allowed:
        return []
    return [f"{name} must be one of {', '.join(allowed)}, but {name} = {value!r}"]


def bad_confidence(confidence: float) -> list[str]:
    """Describe a confidence level outside (0, 1)."""
    level = np.asarray(confidence, dtype=float)
    return bad_values("confidence", level, (level > 0) & (level < 1), "between 0 and 1")


def not_positive(**named: FloatArray) -> list[str]:
    """Describe values that are not finite and greater than 0, by the name of their argument."""
    return [
        problem
        for name, values in named.items()
        for problem in bad_values(
            name, values, np.isfinite(values) & (values > 0), "finite and greater than 0"
        )
    ]


def not_probability(**named: FloatArray) -> list[str]:
    """Describe values outside (0, 1), by the name of their argument."""
    return [
        problem
        for name, values in named.items()
        for problem in bad_values(name, values, (values > 0) & (values < 1), "between 0 and 1")
    ]


def refuse(problems: Iterable[str]) -> None:
    """Raise one ValueError that holds every problem, if there is any."""
    found = list(problems)
    if found:
        raise ValueError("; ".join(found) + ".")
