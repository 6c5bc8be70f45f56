"""How much more happened early than the late hazard ratio explains?

The late-anchored early excess (methods C4). Assumption H: the true relapse hazard ratio is
constant in time, or acts through the loss of protection p(t); withdrawal is over by the early
point; susceptible people are not depleted. Under H the early excess is the cumulative hazard of
withdrawal; the data cannot tell whether H holds, so the result is called an early excess whose
cause is not identified.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from discontinuation.bias.early_share import Interval
from discontinuation.bias.two_arms import (
    TwoArms,
    confidence_problems,
    hazard_ratio,
    refuse_window,
    two_arms,
)
from discontinuation.bias.verdict_words import early_verdict
from discontinuation.bias.windows_effects import share_of
from discontinuation.problems import Problem, refuse
from discontinuation.survival.follow_up import FloatArray

Loss = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class EarlyExcess:
    """Early excess over what the late hazard ratio explains.

    Attributes
    ----------
    early, end
        The early point t1 and the horizon tau.
    excess
        Cumulative hazard of the stopped arm by t1 beyond theta times that of the continued one.
    se
        Its standard error.
    p_above
        One-sided test that it is not above 0.
    p_below
        One-sided test that it is not below 0.
    theta
        Late hazard ratio, at complete loss of protection.
    log_theta_se
        Standard error of its log.
    total, total_se
        Excess cumulative hazard of the stopped arm by tau.
    share
        psi_H: early excess over total, with Fieller's limits; all NaN if the interval of the
        total includes 0, as the ratio then means nothing.
    confidence
        Level of all limits.
    with_taper
        Whether the loss of protection over time was taken into account.
    """

    early: float
    end: float
    excess: Interval
    se: float
    p_above: float
    p_below: float
    theta: Interval
    log_theta_se: float
    total: Interval
    total_se: float
    share: Interval
    confidence: float
    with_taper: bool

    @property
    def summary(self) -> pd.DataFrame:
        """One row per measure: measure, estimate, se, lower, upper."""
        rows = [
            ("early excess cumulative hazard", self.excess, self.se),
            ("late hazard ratio", self.theta, self.log_theta_se),
            ("total excess cumulative hazard", self.total, self.total_se),
            ("share of the total", self.share, math.nan),
        ]
        return pd.DataFrame(
            [(name, part.estimate, se, part.lower, part.upper) for name, part, se in rows],
            columns=["measure", "estimate", "se", "lower", "upper"],
        )

    def verdict(self, margin: float = 0.2) -> str:
        """Read the interval of the share psi_H; where there is none that of the excess itself.

        Parameters
        ----------
        margin
            A share smaller than this counts as none. Without a share nothing can be called none.
        """
        return _verdict(self.excess, self.share, margin)


@dataclass(frozen=True)
class OverReconstructions:
    """Early excess over repeated reconstructions of the same published curves.

    Attributes
    ----------
    excess
        Mean over reconstructions, with limits that add the variance between them.
    se
        Root of the total variance.
    between_share
        Estimated share of the information that is lost to reconstruction.
    share
        Mean of psi_H, with limits on the same principle; NaN where a reconstruction has none.
    reconstructions
        How many.
    confidence
        Level of the limits.
    """

    excess: Interval
    se: float
    between_share: float
    share: Interval
    reconstructions: int
    confidence: float

    @property
    def summary(self) -> pd.DataFrame:
        """One row per measure: measure, estimate, se, lower, upper."""
        rows = [
            ("early excess cumulative hazard", *_values(self.excess, self.se)),
            ("share of the total", *_values(self.share, math.nan)),
        ]
        return pd.DataFrame(rows, columns=["measure", "estimate", "se", "lower", "upper"])

    def verdict(self, margin: float = 0.2) -> str:
        """Read it as `EarlyExcess.verdict` does."""
        return _verdict(self.excess, self.share, margin)


def _verdict(excess: Interval, share: Interval, margin: float) -> str:
    """Read the share, or without one the excess; in the stopped arm's direction.

    Where the continued arm had more events the total is below 0, and a share above 0 is then an
    early shortfall of the stopped arm.
    """
    if math.isnan(share.lower):
        return early_verdict(excess.lower, excess.upper, 0.0)
    if excess.estimate * share.estimate < 0:
        return early_verdict(-share.upper, -share.lower, margin)
    return early_verdict(share.lower, share.upper, margin)


def late_anchored_excess(
    continued: pd.DataFrame,
    stopped: pd.DataFrame,
    early: float,
    end: float,
    loss: Loss | None = None,
    *,
    confidence: float = 0.95,
) -> EarlyExcess:
    """Estimate the early excess over what the late hazard ratio explains.

    Parameters
    ----------
    continued, stopped
        People of the two arms: ``time, event``.
    early, end
        End of the withdrawal window t1 and horizon tau, in the unit of time of the data.
    loss
        For tapers: loss of protection p(t) of the stopped arm, 0 to 1, at an array of times. The
        hazard ratio at t then is ``theta ** p(t)``. None: complete loss throughout.
    confidence
        Level of all limits.

    Returns
    -------
    EarlyExcess
        ``NA_D(t1) - sum theta^p(t) dNA_M(t)`` with theta the Cox hazard ratio among those
        event-free at t1, and variance ``V(NA_D) + sum theta^2p d_M / Y_M^2 +
        {sum p theta^p dNA_M}^2 V(log theta)``. The covariance of the numerator and denominator
        of psi_H counts the part of theta that is in both, by martingale theory.

    Raises
    ------
    InvalidInput
        Follow-up that is none, an arm without events, before the horizon or after the early
        point; points out of order or past the end of follow-up; a loss outside 0 to 1, or one
        that is 0 at all late events.

    References
    ----------
    Aalen OO. Ann Stat 1978;6:701-726 (cumulative hazard and its variance); methods C4.
    """
    arms = two_arms(continued, stopped)
    refuse_window(arms, early, end, confidence_problems(confidence), both_sides=True)
    return excess_of(arms, early, end, loss, confidence)


def excess_of(
    arms: TwoArms, early: float, end: float, loss: Loss | None = None, confidence: float = 0.95
) -> EarlyExcess:
    """Estimate from a risk table that was checked before; see `late_anchored_excess`."""
    first, late = arms.between(-math.inf, early), arms.between(early, end)
    lost, late_lost = _loss_at(loss, first.time), _loss_at(loss, late.time, must_act=True)
    anchor = hazard_ratio(late, confidence, late_lost)
    ratio = np.exp(anchor.log_ratio * lost)
    steps = first.hazard_steps
    expected, slope = float(ratio @ steps[:, 0]), float((lost * ratio) @ steps[:, 0])
    estimate = float(steps[:, 1].sum()) - expected
    variance_theta = slope**2 * anchor.se**2
    scaled = float((ratio**2) @ _variance_steps(first)[:, 0])
    variance = float(first.hazard_variance[1]) + scaled + variance_theta
    se = math.sqrt(variance)
    score = estimate / se if se > 0 else math.nan
    total, total_variance = _total(first, late)
    early_covariance = float(first.hazard_variance[1] + ratio @ _variance_steps(first)[:, 0])
    covariance = early_covariance - slope * _anchor_covariance(late, anchor.log_ratio, late_lost)
    z = float(ndtri((1 + confidence) / 2))
    share = share_of((estimate, total), (variance, total_variance), covariance, confidence).share
    total_se = math.sqrt(total_variance)
    if abs(total) <= z * total_se:
        share = Interval(math.nan, math.nan, math.nan)
    return EarlyExcess(
        early=float(early),
        end=float(end),
        excess=_normal(estimate, se, z),
        se=se,
        p_above=float(ndtr(-score)),
        p_below=float(ndtr(score)),
        theta=Interval(anchor.ratio, anchor.lower, anchor.upper),
        log_theta_se=anchor.se,
        total=_normal(total, total_se, z),
        total_se=total_se,
        share=share,
        confidence=confidence,
        with_taper=loss is not None,
    )


def over_reconstructions(
    reconstructions: Iterable[tuple[pd.DataFrame, pd.DataFrame]],
    early: float,
    end: float,
    loss: Loss | None = None,
    *,
    confidence: float = 0.95,
) -> OverReconstructions:
    """Add the error of reconstruction to the interval of the early excess.

    Parameters
    ----------
    reconstructions
        Pairs (continued, stopped) of people, each reconstructed with click noise of its own; 20
        or more are advised (methods D10).
    early, end, loss, confidence
        As in `late_anchored_excess`.

    Returns
    -------
    OverReconstructions
        Rubin's rules: the variance between reconstructions, times 1 + 1/m, is added to the mean
        variance within. The share is combined with the width of its Fieller interval as its
        standard error.

    Raises
    ------
    InvalidInput
        Fewer than two reconstructions, and what `late_anchored_excess` refuses.
    """
    from discontinuation.survival import combine

    found = [
        late_anchored_excess(*pair, early, end, loss, confidence=confidence)
        for pair in reconstructions
    ]
    if len(found) < 2:
        rule = "at least two are needed to see how far they differ"
        refuse([Problem("reconstructions", rule, value=str(len(found)))])
    pooled = combine(
        [one.excess.estimate for one in found],
        [one.se**2 for one in found],
        confidence=confidence,
    )
    return OverReconstructions(
        excess=Interval(float(pooled.estimate[0]), float(pooled.lower[0]), float(pooled.upper[0])),
        se=float(pooled.se[0]),
        between_share=float(pooled.missing_information[0]),
        share=_pooled_share(found, confidence),
        reconstructions=len(found),
        confidence=confidence,
    )


def _pooled_share(found: Sequence[EarlyExcess], confidence: float) -> Interval:
    from discontinuation.survival import combine

    shares = [one.share for one in found]
    if any(math.isnan(one.lower) for one in shares):
        return Interval(math.nan, math.nan, math.nan)
    z = float(ndtri((1 + confidence) / 2))
    widths = [(one.upper - one.lower) / (2 * z) for one in shares]
    pooled = combine(
        [one.estimate for one in shares], [width**2 for width in widths], confidence=confidence
    )
    return Interval(float(pooled.estimate[0]), float(pooled.lower[0]), float(pooled.upper[0]))


def _loss_at(loss: Loss | None, times: FloatArray, must_act: bool = False) -> FloatArray:
    if loss is None:
        return np.ones(len(times))
    lost = np.asarray(loss(times), dtype=float)
    problems = []
    if lost.shape != times.shape or not ((lost >= 0) & (lost <= 1)).all():
        problems.append(Problem("loss of protection", "allowed: 0 to 1, one value per time"))
    elif must_act and not lost.any():
        rule = "is 0 throughout the late window, so there is no hazard ratio to anchor at"
        problems.append(Problem("loss of protection", rule))
    refuse(problems)
    return lost


def _variance_steps(arms: TwoArms) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(arms.events > 0, arms.events / arms.at_risk**2, 0.0)


def _total(first: TwoArms, late: TwoArms) -> tuple[float, float]:
    hazard = first.hazard + late.hazard
    variance = first.hazard_variance + late.hazard_variance
    return float(hazard[1] - hazard[0]), float(variance.sum())


def _anchor_covariance(late: TwoArms, beta: float, lost: FloatArray) -> float:
    """Covariance of the log late ratio with the late excess cumulative hazard.

    The estimate is, to first order, ``I^-1 sum (z_i - zbar) dM_i``, and the cumulative hazards
    are ``sum dM / Y``: both are integrals with respect to the same martingales.
    """
    ratio = np.exp(beta * lost)
    weighted = late.at_risk[:, 1] * ratio
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = lost * weighted / (late.at_risk[:, 0] + weighted)
        spread = lost * (lost - centre) * weighted / (late.at_risk[:, 0] + weighted)
    information = float(np.nansum(late.events.sum(axis=1) * spread))
    steps = late.hazard_steps
    shared = (lost - centre) * steps[:, 1] + centre * steps[:, 0]
    return float(np.nansum(shared)) / information


def _normal(estimate: float, se: float, z: float) -> Interval:
    return Interval(estimate, estimate - z * se, estimate + z * se)


def _values(part: Interval, se: float) -> tuple[float, float, float, float]:
    return part.estimate, se, part.lower, part.upper
