"""With what hazard does each cause act in each step, and how does it move with the parameters?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from discontinuation.classify._drive_kernel import drive
from discontinuation.classify.observed import Observed
from discontinuation.classify.parameters import Layout, cuts_within
from discontinuation.classify.settings import Settings

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WITHDRAWAL, RELAPSE, NOCEBO = "withdrawal", "relapse", "nocebo"


@dataclass(frozen=True, eq=False)
class Grid:
    """What stays the same while the parameters move; shapes (histories, steps).

    Attributes
    ----------
    retained
        Retained occupancy o.
    lost
        Loss of protection ``p = 1 - o``.
    early_lost
        p within the early window, else 0.
    stratum
        Study and period of the baseline hazard.
    study
        Study of each history, everywhere.
    nocebo
        Log of the nocebo hazard over nu; minus infinity where it cannot act.
    step
        Length of a step.
    slow_steps
        Adaptation time of protracted withdrawal, in steps; None: there is none.
    """

    retained: FloatArray
    lost: FloatArray
    early_lost: FloatArray
    stratum: IntArray
    study: IntArray
    nocebo: FloatArray
    step: float
    slow_steps: float | None


@dataclass(frozen=True, eq=False)
class CauseHazard:
    """Hazard of one cause: ``log h = intercept of the stratum + covariates' parameters``.

    Attributes
    ----------
    cause
        Its name.
    log, value
        Hazard per step, shape (histories, steps).
    stratum
        Which intercept acts, shape (histories, steps).
    intercepts
        Places of the intercepts in the parameter vector.
    first_covariate
        Place of the first covariate; the others follow it.
    covariates
        Derivatives of the log hazard by the covariates' parameters.
    curvature
        Its second derivatives by pairs of covariates' parameters, where they are not 0.
    """

    cause: str
    log: FloatArray
    value: FloatArray
    stratum: IntArray
    intercepts: slice
    first_covariate: int
    covariates: tuple[FloatArray, ...]
    curvature: Mapping[tuple[int, int], FloatArray] = field(default_factory=dict)


def grid_of(observed: Observed, settings: Settings, blinded: npt.NDArray[np.bool_]) -> Grid:
    """Work out what does not depend on the parameters.

    Parameters
    ----------
    observed
        The data.
    settings
        The assumptions.
    blinded
        Whether nocebo can act in each arm.
    """
    retained = observed.retained
    steps = np.arange(retained.shape[1])
    lost = 1.0 - retained
    above = lost > settings.early_loss
    opens = np.where(above.any(axis=1), above.argmax(axis=1), 0)
    early = steps * settings.step < opens[:, None] * settings.step + settings.early_days - 1e-9
    start = observed.begins[observed.study_of_history][:, None] + settings.step * steps
    cuts = cuts_within(observed, settings)
    period = np.searchsorted(cuts, start + 1e-9, side="right")
    study = np.broadcast_to(observed.study_of_history[:, None], retained.shape)
    elapsed = settings.step * (steps + 1) + observed.begins[observed.study_of_history][:, None]
    acts = blinded[observed.arm_of_history][:, None] & (elapsed > 0)
    return Grid(
        retained=retained,
        lost=lost,
        early_lost=lost * early,
        stratum=study * (len(cuts) + 1) + period,
        study=study,
        nocebo=np.where(acts, -elapsed / settings.nocebo_days, -np.inf),
        step=settings.step,
        slow_steps=settings.protracted_days / settings.step if settings.protracted else None,
    )


def hazards_of(
    theta: FloatArray, layout: Layout, grid: Grid, causes: tuple[str, ...]
) -> list[CauseHazard]:
    """Hazards per step of the causes that can act (methods B2, B3)."""
    makers = {WITHDRAWAL: _withdrawal, RELAPSE: _relapse, NOCEBO: _nocebo}
    return [makers[cause](theta, layout, grid) for cause in causes]


def _relapse(theta: FloatArray, layout: Layout, grid: Grid) -> CauseHazard:
    log = theta[layout.baseline][grid.stratum]
    log = log + theta[layout.beta] * grid.lost + theta[layout.eta] * grid.early_lost
    return CauseHazard(
        cause=RELAPSE,
        log=log,
        value=np.exp(log),
        stratum=grid.stratum,
        intercepts=layout.baseline,
        first_covariate=layout.beta,
        covariates=(grid.lost, grid.early_lost),
    )


@dataclass(frozen=True, eq=False)
class _Power:
    """``kappa log w`` with its derivatives by log tau; by log kappa it is its own.

    Where there is no drive `log` is minus infinity and the rest 0.
    """

    log: FloatArray
    finite: FloatArray
    slope: FloatArray
    bend: FloatArray


def _power(retained: FloatArray, steps: float, kappa: float) -> _Power:
    w, first, second = drive(retained, steps)
    acts = w > 0
    safe = np.where(acts, w, 1.0)
    finite, slope = kappa * np.log(safe), kappa * first / safe
    bend = kappa * second / safe - slope**2 / kappa
    return _Power(np.where(acts, finite, -np.inf), finite, slope, bend)


def _withdrawal(theta: FloatArray, layout: Layout, grid: Grid) -> CauseHazard:
    """``alpha w^kappa``; exactly 0 where there is no drive, with all its derivatives."""
    kappa = float(np.exp(theta[layout.kappa]))
    quick = _power(grid.retained, float(np.exp(theta[layout.tau])) / grid.step, kappa)
    if grid.slow_steps is not None:
        slow = _power(grid.retained, grid.slow_steps, kappa)
        log, covariates, curvature = _mixture(quick, slow, float(theta[layout.protracted]))
    else:
        log, covariates = quick.log, (quick.slope, quick.finite)
        curvature = {(0, 0): quick.bend, (0, 1): quick.slope, (1, 1): quick.finite}
    log = theta[layout.alpha][grid.study] + log
    return CauseHazard(
        cause=WITHDRAWAL,
        log=log,
        value=np.exp(log),
        stratum=grid.study,
        intercepts=layout.alpha,
        first_covariate=layout.tau,
        covariates=covariates,
        curvature=curvature,
    )


def _mixture(
    quick: _Power, slow: _Power, logit: float
) -> tuple[FloatArray, tuple[FloatArray, ...], dict[tuple[int, int], FloatArray]]:
    """Log of ``(1 - s) w^kappa + s w_slow^kappa`` and its derivatives.

    The parameters are log tau, log kappa and the logit of s. With u the share of each component,
    the second derivative is the mean of those of the components' logs plus the covariance of
    their first.
    """
    share = 1 / (1 + np.exp(-logit))
    parts = np.array([np.log1p(-share) + quick.log, np.log(share) + slow.log])
    log = np.logaddexp(*parts)
    acts = np.isfinite(log)
    weight = np.where(acts, np.exp(parts - np.where(acts, log, 0.0)), 0.0)
    ones, none = np.ones_like(log), np.zeros_like(log)
    first = np.array(
        [
            [quick.slope, quick.finite, -share * ones],
            [none, slow.finite, (1 - share) * ones],
        ]
    )
    second = {
        (0, 0): weight[0] * quick.bend,
        (0, 1): weight[0] * quick.slope,
        (0, 2): none,
        (1, 1): weight[0] * quick.finite + weight[1] * slow.finite,
        (1, 2): none,
        (2, 2): np.where(acts, -share * (1 - share), 0.0),
    }
    mean = (weight[:, None] * first).sum(axis=0)
    curvature = {
        (i, j): bend + (weight * first[:, i] * first[:, j]).sum(axis=0) - mean[i] * mean[j]
        for (i, j), bend in second.items()
    }
    return log, tuple(mean), curvature


def _nocebo(theta: FloatArray, layout: Layout, grid: Grid) -> CauseHazard:
    log = theta[layout.nocebo][grid.study] + grid.nocebo
    return CauseHazard(
        cause=NOCEBO,
        log=log,
        value=np.exp(log),
        stratum=grid.study,
        intercepts=layout.nocebo,
        first_covariate=layout.nocebo.stop,
        covariates=(),
    )
