"""How far can a coefficient move before the likelihood drops too far?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from discontinuation.survival._cox_kernels import FloatArray
from discontinuation.survival.cox_design import RiskSets
from discontinuation.survival.cox_fit import (
    MOST_STEPS,
    Fit,
    Ties,
    climb,
    climb_firth,
    evaluate,
    newton,
)


def profile_limits(
    sets: RiskSets, ties: Ties, names: Sequence[str], best: Fit, penalty: FloatArray, firth: bool,
    cutoff: float,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Find where twice the drop in the highest likelihood is `cutoff`, each coefficient in turn.

    Returns
    -------
    limits
        On the standardised scale, shape (p, 2); infinite where the likelihood never drops so far.
    drops
        By how much it drops when a coefficient is 0, shape (p,).
    """
    profile = _profile_firth if firth else _profile
    limits, drops = np.empty((len(names), 2)), np.empty(len(names))
    target = -cutoff / 2
    top = best.log_likelihood
    top -= float(np.log(sets.scale).sum() if firth else penalty @ best.beta**2 / 2)
    for j in range(len(names)):
        se = float(np.sqrt(best.covariance[j, j]))
        drop = profile(sets, ties, names, best, penalty, j, top)
        drops[j] = -drop(0.0)
        for side, sign in enumerate((-1, 1)):
            limits[j, side] = _crossing(drop, best.beta[j], sign * se, target)
    return limits, drops


def _crossing(drop: Callable[[float], float], centre: float, se: float, target: float) -> float:
    from scipy.optimize import brentq

    near, far = centre, centre + 2 * se
    for _ in range(12):
        if drop(far) < target:
            return float(brentq(lambda b: drop(b) - target, near, far, xtol=1e-12, rtol=1e-13))
        near, far = far, centre + 1.6 * (far - centre)
    return float(np.copysign(np.inf, se))


def _profile(
    sets: RiskSets, ties: Ties, names: Sequence[str], best: Fit, penalty: FloatArray, j: int,
    top: float,
) -> Callable[[float], float]:  # fmt: skip
    others = [m for m in range(len(names)) if m != j]
    fewer = replace(sets, x=np.ascontiguousarray(sets.x[:, others]))
    pull = penalty[others]

    def drop(value: float) -> float:
        moved = replace(fewer, offset=sets.offset + sets.x[:, j] * value)
        if ties == "exact":
            found = _top_exact(moved, best.beta[others])
        else:
            beta = best.beta[others].copy()
            found = newton(moved, ties, pull, beta).log_likelihood - float(pull @ beta**2) / 2
        return float(found - penalty[j] * value**2 / 2 - top)

    return drop


def _top_exact(sets: RiskSets, beta: FloatArray) -> float:
    free = np.arange(len(beta))
    return climb(sets, lambda b: evaluate(sets, "exact", b), beta, free, MOST_STEPS)[1][0]


def _profile_firth(
    sets: RiskSets, ties: Ties, names: Sequence[str], best: Fit, penalty: FloatArray, j: int,
    top: float,
) -> Callable[[float], float]:  # fmt: skip
    free = np.array([m for m in range(len(names)) if m != j], dtype=np.int64)

    def drop(value: float) -> float:
        start = best.beta.copy()
        start[j] = value
        return climb_firth(sets, ties, start, free)[1] - top

    return drop
