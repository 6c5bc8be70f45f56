"""Would the change at a step look as large on the other days on which it could have come?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse

Alternative = Literal["greater", "less", "two_sided"]
FloatArray = npt.NDArray[np.float64]
NOT_RANDOMISED = (
    "The day of the step was not drawn at random, so that no randomisation test exists; the change "
    "is a description only."
)


@dataclass(frozen=True, eq=False)
class RandomisationTest:
    """A randomisation test of one step of one person.

    Attributes
    ----------
    statistic
        Mean from the day of the step on less the mean before it.
    p
        Share of the possible days whose statistic is at least as far out, the real one included;
        NaN where the day was not drawn at random.
    possible
        day, statistic: one row per day on which the step could have come; empty if none was drawn.
    alternative
        As asked for.
    sentence
        What the test can and cannot say.
    """

    statistic: float
    p: float
    possible: pd.DataFrame
    alternative: Alternative
    sentence: str


def randomisation_test(
    days: npt.ArrayLike,
    values: npt.ArrayLike,
    step: float,
    possible: Sequence[float] | None = None,
    alternative: Alternative = "greater",
) -> RandomisationTest:
    """Compare the change at a step with those on all days on which it could have come.

    The test is exact whatever the autocorrelation of the series, because it is the day that is
    random, not the values.

    Parameters
    ----------
    days, values : arrays of shape (n,)
        The person's series, from the step before to the step after this one.
    step
        First day of the new dose.
    possible
        Every day that the design could have drawn for it with equal probability, the real one among
        them. None if nothing was drawn: there is no test.
    alternative
        Which statistics are far out.

    Raises
    ------
    InvalidInput
        Days and values of unequal length, a possible day without observations before or after it,
        a list that lacks the real day or names one twice, an unknown alternative.

    References
    ----------
    Edgington ES, Onghena P. Randomization tests, 4th ed., Chapman & Hall 2007, ch. 11; Bulte I,
    Onghena P. Behav Res Methods 2008;40:467-478.
    """
    day, value = np.asarray(days, dtype=float), np.asarray(values, dtype=float)
    drawn = [float(one) for one in (possible if possible is not None else [step])]
    refuse(_problems(day, value, float(step), drawn, alternative))
    statistics = np.array([_change(day, value, one) for one in drawn])
    observed = _change(day, value, float(step))
    if possible is None:
        none = pd.DataFrame(columns=["day", "statistic"])
        return RandomisationTest(observed, float("nan"), none, alternative, NOT_RANDOMISED)
    sign = -1.0 if alternative == "less" else 1.0
    out, real = sign * statistics, sign * observed
    if alternative == "two_sided":
        out, real = np.abs(out), abs(real)
    # Sums in another order may differ in the last digit; equal statistics must count as equal.
    slack = 1e-9 * max(1.0, float(np.abs(statistics).max()))
    return RandomisationTest(
        statistic=observed,
        p=float((out >= real - slack).mean()),
        possible=pd.DataFrame({"day": drawn, "statistic": statistics}),
        alternative=alternative,
        sentence=f"{len(drawn)} days were possible, so that P cannot be below "
        f"{1 / len(drawn):.3g}; it speaks of this person only.",
    )


def _change(day: FloatArray, value: FloatArray, step: float) -> float:
    after = day >= step
    return float(value[after].mean() - value[~after].mean())


def _problems(
    day: FloatArray, value: FloatArray, step: float, drawn: list[float], alternative: str
) -> list[Problem]:
    about = "randomisation test"
    if day.shape != value.shape or not np.isfinite([*day, *value]).all():
        return [Problem(about, "needs as many days as values, all finite")]
    found = []
    if alternative not in get_args(Alternative):
        message = allowed_values(get_args(Alternative), alternative)
        found.append(Problem(about, message, None, "alternative", alternative))
    if step not in drawn:
        message = "the real day must be among the possible ones"
        found.append(Problem(about, message, None, "possible", f"{step:g}"))
    if len(set(drawn)) < len(drawn):
        found.append(Problem(about, "each day must be listed once", None, "possible"))
    for one in drawn:
        if not 0 < (day >= one).sum() < len(day):
            message = "needs observations before and after the step"
            found.append(Problem(about, message, None, "possible", f"{one:g}"))
    return found
