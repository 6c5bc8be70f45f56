"""What hazard and survival does a Cox model predict?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.problems import Problem, allowed_values, refuse
from discontinuation.survival._cox_kernels import FloatArray, IntArray
from discontinuation.survival.cox_design import RiskSets
from discontinuation.survival.cox_residuals import AtEstimate
from discontinuation.survival.follow_up import asked_times
from discontinuation.survival.stored import storable

ConfType = Literal["log-log", "log", "plain"]
CONF_TYPES = ("log-log", "log", "plain")


@storable
@dataclass(frozen=True, eq=False)
class CoxCurves:
    """Predicted cumulative hazard and survival of some people.

    Attributes
    ----------
    curve
        Label of each curve.
    stratum
        Of each curve; "" if there is one only.
    first
        Where in the arrays below each curve begins; one more at the end.
    time
        Event times of the stratum, curve after curve.
    cumulative_hazard, se_hazard
        There, with its standard error.
    conf_type, level
        Scale on which the limits of survival are symmetric, and their level.
    ties
        How tied events entered.
    people, events
        Rows and events of the model.
    """

    curve: tuple[str, ...]
    stratum: tuple[str, ...]
    first: IntArray
    time: FloatArray
    cumulative_hazard: FloatArray
    se_hazard: FloatArray
    conf_type: ConfType
    level: float
    ties: str
    people: int
    events: int

    @property
    def summary(self) -> pd.DataFrame:
        """One row per curve and event time.

        Columns ``curve, stratum, time, cumulative_hazard, survival, se, lower, upper``; standard
        error and limits are those of the survival.
        """
        which = np.repeat(np.arange(len(self.curve)), np.diff(self.first))
        return self._frame(which, self.time, self.cumulative_hazard, self.se_hazard)

    def at(self, times: npt.ArrayLike) -> pd.DataFrame:
        """Return the same columns at other times, each curve in turn.

        Beyond the last event time of its stratum a curve goes on as it was.
        """
        asked = asked_times(times)
        hazard, se = [], []
        for low, high in zip(self.first[:-1], self.first[1:], strict=True):
            place = np.searchsorted(self.time[low:high], asked, side="right")
            hazard.append(np.append(0.0, self.cumulative_hazard[low:high])[place])
            se.append(np.append(0.0, self.se_hazard[low:high])[place])
        which = np.repeat(np.arange(len(self.curve)), len(asked))
        every = np.tile(asked, len(self.curve))
        return self._frame(which, every, np.concatenate(hazard), np.concatenate(se))

    def _frame(
        self, which: npt.NDArray[np.intp], time: FloatArray, hazard: FloatArray, se: FloatArray
    ) -> pd.DataFrame:
        survival = np.exp(-hazard)
        lower, upper = _limits(hazard, se, self.conf_type, self.level)
        return pd.DataFrame(
            {
                "curve": np.asarray(self.curve, dtype=object)[which],
                "stratum": np.asarray(self.stratum, dtype=object)[which],
                "time": time,
                "cumulative_hazard": hazard,
                "survival": survival,
                "se": survival * se,
                "lower": lower,
                "upper": upper,
            }
        )

    def __str__(self) -> str:
        heading = (
            f"{len(self.curve)} predicted curves of a Cox model ({self.ties} ties, {self.people} "
            f"rows, {self.events} events); {self.level:.0%} {self.conf_type} limits of survival"
        )
        return f"{heading}\n{self.summary.to_string(index=False, max_rows=20)}"


def _limits(
    hazard: FloatArray, se: FloatArray, conf_type: ConfType, level: float
) -> tuple[FloatArray, FloatArray]:
    from scipy.special import ndtri

    width = float(ndtri(0.5 + level / 2)) * se
    if conf_type == "plain":
        survival = np.exp(-hazard)
        return np.maximum(survival * (1 - width), 0.0), np.minimum(survival * (1 + width), 1.0)
    if conf_type == "log":
        return np.exp(-hazard - width), np.exp(np.minimum(width - hazard, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.exp(np.where(hazard > 0, width / hazard, 0.0))
    return np.exp(-hazard * factor), np.exp(-hazard / factor)


@storable
@dataclass(frozen=True, eq=False)
class CoxBaseline:
    """Cumulative hazard of a person whose covariates are all 0, or all at their mean.

    Attributes
    ----------
    stratum, time, hazard, cumulative_hazard
        One per event time of each stratum; Efron's form with Efron's ties, else Breslow's.
    covariates
        "zero" or "mean".
    ties
        How tied events entered.
    people, events
        Rows and events of the model.
    """

    stratum: tuple[str, ...]
    time: FloatArray
    hazard: FloatArray
    cumulative_hazard: FloatArray
    covariates: str
    ties: str
    people: int
    events: int

    @property
    def summary(self) -> pd.DataFrame:
        """One row per event time: ``stratum, time, hazard, cumulative_hazard, survival``."""
        return pd.DataFrame(
            {
                "stratum": self.stratum,
                "time": self.time,
                "hazard": self.hazard,
                "cumulative_hazard": self.cumulative_hazard,
                "survival": np.exp(-self.cumulative_hazard),
            }
        )

    def __str__(self) -> str:
        heading = (
            f"Baseline hazard with covariates at {self.covariates} ({self.ties} ties, "
            f"{self.people} rows, {self.events} events)"
        )
        return f"{heading}\n{self.summary.to_string(index=False, max_rows=20)}"


def cumulate(steps: FloatArray, start: IntArray) -> FloatArray:
    """Cumulate over the slots of each stratum from its first slot on."""
    whole = np.concatenate([np.zeros((1, *steps.shape[1:])), np.cumsum(steps, axis=0)])
    own: FloatArray = whole[1:] - whole[start]
    return own


def baseline(
    sets: RiskSets, at: AtEstimate, beta: FloatArray, covariates: str, labels: Sequence[str],
    ties: str, people: int,
) -> CoxBaseline:  # fmt: skip
    """Build the baseline hazard; see `CoxBaseline`."""
    if covariates not in ("zero", "mean"):
        refuse(
            [Problem("baseline", allowed_values(("zero", "mean"), covariates), value=covariates)]
        )
    shift = 0.0
    if covariates == "zero":
        shift = -float(sets.centre / sets.scale @ beta) - sets.offset_mean
    hazard = at.hazard * np.exp(shift)
    return CoxBaseline(
        stratum=tuple(labels[code] for code in sets.stratum),
        time=sets.time,
        hazard=hazard,
        cumulative_hazard=cumulate(hazard, sets.start),
        covariates=covariates,
        ties=ties,
        people=people,
        events=int(sets.deaths.sum()),
    )


def curves(
    sets: RiskSets, at: AtEstimate, beta: FloatArray, covariance: FloatArray,
    person: FloatArray, changing: FloatArray, offset: FloatArray, stratum: IntArray,
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:  # fmt: skip
    """Predict cumulative hazards of new people.

    Parameters
    ----------
    sets, at, beta, covariance
        The model on its standardised scale; the covariance is the robust one if there is one.
    person
        Covariates as given, shape (m, p), m people.
    changing
        What each column is multiplied by at each slot, shape (K, p): 1 unless it changes.
    offset, stratum
        Of each person, shape (m,).

    Returns
    -------
    first, time, cumulative hazard, standard error
        As in `CoxCurves`.

    References
    ----------
    Tsiatis AA. Ann Stat 1981;9:93-108; Link CL. Biometrics 1984;40:601.
    """
    times, hazards, errors, lengths = [], [], [], [0]
    for own, shift, code in zip(person, offset - sets.offset_mean, stratum, strict=True):
        slots = np.flatnonzero(sets.stratum == code)
        x = (own * changing[slots] - sets.centre) / sets.scale
        risk = np.exp(x @ beta + shift)
        hazard = np.cumsum(at.hazard[slots] * risk)
        apart = np.cumsum(
            (x * at.hazard[slots, None] - at.mean[slots]) * risk[:, None], axis=0
        )  # fmt: skip
        variance = np.cumsum(at.hazard_square[slots] * risk**2)
        variance += np.einsum("kp,pq,kq->k", apart, covariance, apart)
        times.append(sets.time[slots])
        hazards.append(hazard)
        errors.append(np.sqrt(variance))
        lengths.append(len(slots))
    first = np.cumsum(lengths)
    return first, np.concatenate(times), np.concatenate(hazards), np.concatenate(errors)
