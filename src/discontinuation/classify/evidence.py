"""Do the data need a withdrawal component at all, and does tapering matter to it?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, ndtr

from discontinuation.classify.em import Maximum, first_guesses, maximise, search
from discontinuation.classify.likelihood import Task, task_of

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NOT_SUPPORTED = "not supported"
SUPPORTED = "supported under the model"
ROBUST = "supported and robust"
NEEDED, ROBUST_FROM = 10.0, 20.0  # decision rule of methods F5
NOCEBO_FROM = 3.84  # gain of a third cause from which it counts: 95 % point on one parameter


@dataclass(frozen=True)
class Evidence:
    """Evidence for a withdrawal component.

    The statistic has no chi-square distribution, as tau, kappa and the symptoms of withdrawal
    mean nothing without withdrawal (methods B8); so there are classes, and no Wald test.

    Attributes
    ----------
    likelihood_ratio
        ``2 {l - l(alpha = 0)}`` without the priors, at the two penalised maxima. As these are not
        the maxima of l itself, the difference can come out below 0; it is then 0: nothing speaks
        for withdrawal.
    label
        "not supported" (up to 10), "supported under the model" (up to 20) or "supported and
        robust" to the adversarial null models that were tried (methods F5). A calibrated null
        point above the statistic makes it "not supported".
    beside_nocebo, nocebo_gain
        The same statistic if nocebo may act in the blinded arms as well, and what allowing that
        adds to the fit, ``2 {l(with) - l(without)}``, 0 where that is below 0. Where it adds more
        than 3.84 the smaller of the two statistics decides the class: a nocebo effect of all
        blinded arms would otherwise pass for withdrawal. NaN if nocebo is in the model anyway.
    null_point, p_value, draws
        95 % point of the statistic on trials of this design simulated without withdrawal, share
        of them that reach the statistic, and their number; NaN and 0 before `calibrate`.
    """

    likelihood_ratio: float
    label: str
    beside_nocebo: float = math.nan
    nocebo_gain: float = math.nan
    null_point: float = math.nan
    p_value: float = math.nan
    draws: int = 0

    @property
    def nocebo_called_for(self) -> bool:
        """Whether the data fit better if nocebo may act."""
        return self.nocebo_gain > NOCEBO_FROM

    @property
    def deciding(self) -> float:
        """The statistic that decides the class."""
        if self.nocebo_called_for:
            return min(self.likelihood_ratio, self.beside_nocebo)
        return self.likelihood_ratio

    def __str__(self) -> str:
        text = f"withdrawal component {self.label} (likelihood ratio {self.likelihood_ratio:.1f}"
        if self.nocebo_called_for:
            text += f", {self.beside_nocebo:.1f} if nocebo may act, which fits better"
        if self.draws:
            text += f"; without withdrawal 95 % are below {self.null_point:.1f}"
            text += f", p = {self.p_value:.3f} from {self.draws} simulated trials"
        return text + ")"


@dataclass(frozen=True)
class KappaTest:
    """Test of kappa = 1: a slower taper does not lower the total withdrawal hazard.

    Attributes
    ----------
    likelihood_ratio, p_value
        Two-sided, on one degree of freedom; NaN if refused.
    signed_root, p_above
        Above 0 if kappa is estimated above 1; one-sided p.
    refused
        Why there is no test, or None.
    """

    likelihood_ratio: float
    p_value: float
    signed_root: float
    p_above: float
    refused: str | None = None


def evidence_label(likelihood_ratio: float, null_point: float = math.nan) -> str:
    """Class of a likelihood ratio (methods F5)."""
    if not likelihood_ratio > NEEDED or likelihood_ratio <= null_point:
        return NOT_SUPPORTED
    return ROBUST if likelihood_ratio > ROBUST_FROM else SUPPORTED


def without_withdrawal(task: Task, blinded: BoolArray) -> Maximum:
    """Fit the same model with alpha = 0."""
    null = task_of(task.observed, task.settings, blinded, None, withdrawal=False)
    return search(null, first_guesses(null)[:1])[0]


def _ratio(one: Maximum, other: Maximum) -> float:
    """Twice the gain in log-likelihood; 0 where the priors turn it into a loss."""
    return max(0.0, 2 * (one.found.log_likelihood - other.found.log_likelihood))


def evidence_of(maximum: Maximum, null: Maximum) -> Evidence:
    """Compare a fit with the one without withdrawal."""
    statistic = _ratio(maximum, null)
    return Evidence(statistic, evidence_label(statistic))


def beside_nocebo(
    evidence: Evidence, maximum: Maximum, task: Task, blinded: BoolArray, kappa: float | None
) -> Evidence:
    """Look whether the evidence stands if nocebo may act in the blinded arms.

    Parameters
    ----------
    evidence
        Without nocebo.
    maximum, task
        The fit and its model.
    blinded
        Where nocebo can act.
    kappa
        None: estimated. A number: held fixed.
    """
    if task.settings.nocebo or not blinded.any():
        return evidence
    settings, theta = replace(task.settings, nocebo=True), maximum.found.theta
    third = maximise(task_of(task.observed, settings, blinded, kappa), theta)
    null = task_of(task.observed, settings, blinded, None, withdrawal=False)
    statistic = evidence_of(third, maximise(null, theta)).likelihood_ratio
    gain = _ratio(third, maximum)
    tried = replace(evidence, beside_nocebo=statistic, nocebo_gain=gain)
    return replace(tried, label=evidence_label(tried.deciding))


def calibrate(evidence: Evidence, statistics: FloatArray) -> Evidence:
    """Add what the statistic does without withdrawal.

    Parameters
    ----------
    evidence
        Of the data.
    statistics
        Likelihood ratios of trials simulated without withdrawal.
    """
    point = float(np.quantile(statistics, 0.95))
    reached = int((statistics >= evidence.likelihood_ratio).sum())
    return replace(
        evidence,
        label=evidence_label(evidence.deciding, point),
        null_point=point,
        p_value=(1 + reached) / (1 + len(statistics)),
        draws=len(statistics),
    )


def kappa_test(
    maximum: Maximum, task: Task, blinded: BoolArray, refused: str | None = None
) -> KappaTest:
    """Likelihood-ratio test of kappa = 1, under its own wider prior (methods B6, B8).

    Parameters
    ----------
    maximum
        The fit, from which the search begins.
    task, blinded
        The model and where nocebo can act.
    refused
        Why it would mean nothing, for example a single pace.
    """
    if refused:
        return KappaTest(math.nan, math.nan, math.nan, math.nan, refused)
    settings = replace(task.settings, log_kappa=task.settings.log_kappa_test)
    start = maximum.found.theta
    free = maximise(task_of(task.observed, settings, blinded, None), start)
    fixed = maximise(task_of(task.observed, settings, blinded, 1.0), start)
    statistic = _ratio(free, fixed)
    root = math.copysign(math.sqrt(statistic), free.found.theta[task.layout.kappa])
    return KappaTest(statistic, float(chdtrc(1, statistic)), root, float(ndtr(-root)))
