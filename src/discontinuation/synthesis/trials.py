"""Which effects and covariates can be analysed together?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from discontinuation.synthesis.effect import FloatArray, bad_values


@dataclass(frozen=True, eq=False)
class Trials:
    """Estimates, variances and design in order of increasing variance.

    The order keeps the orthogonal factorisation accurate row by row, and it does not depend on
    tau2. The estimates are measured from their median, which loses no digits and leaves P y as
    it is.
    """

    y: FloatArray
    v: FloatArray
    x: FloatArray
    spread: float  # sum of squared residuals with equal weights

    @property
    def df(self) -> int:
        """Trials minus coefficients."""
        return int(self.x.shape[0] - self.x.shape[1])


def arrange(y: FloatArray, v: FloatArray, x: FloatArray | None = None) -> Trials:
    """Sort and centre checked trials; no design `x` means one common mean."""
    x = np.ones((len(y), 1)) if x is None else x
    order = np.argsort(v, kind="stable")
    centred, design = (y - np.median(y))[order], x[order]
    q = np.linalg.qr(design).Q
    residual = centred - q @ (q.T @ centred)
    return Trials(centred, v[order], design, float(residual @ residual))


def as_trials(
    estimates: npt.ArrayLike,
    variances: npt.ArrayLike,
    minimum: int = 2,
    purpose: str = "pooling (one trial is not pooled)",
) -> tuple[FloatArray, FloatArray, list[str]]:
    """Return effects and variances as arrays, and a sentence for each thing wrong with them."""
    y, v = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    problems = bad_values("estimates", y, np.isfinite(y), "finite")
    problems += bad_values("variances", v, np.isfinite(v) & (v > 0), "finite and greater than 0")
    if y.ndim != 1 or y.shape != v.shape:
        problems.append(
            "estimates and variances must be two sequences of the same length, "
            f"but their shapes are {y.shape} and {v.shape}"
        )
    elif len(y) < minimum:
        problems.append(f"{purpose} needs at least {minimum} trials, but there are {len(y)}")
    return y, v, problems


def with_intercept(
    covariates: npt.ArrayLike | pd.DataFrame, k: int
) -> tuple[FloatArray, tuple[str, ...], list[str]]:
    """Put an intercept before the covariates; return names and problems too."""
    frame = covariates if isinstance(covariates, pd.DataFrame) else None
    values = np.asarray(covariates, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) != k:
        shape = f"covariates must have one row per trial ({k}), but their shape is {values.shape}"
        return np.ones((k, 1)), ("intercept",), [shape]
    labels = [f"x{j + 1}" for j in range(values.shape[1])] if frame is None else frame.columns
    x = np.column_stack([np.ones(k), values])
    problems = bad_values("covariates", values, np.isfinite(values), "finite")
    if not problems:
        problems = _bad_design(x)
    return x, ("intercept", *map(str, labels)), problems


def _bad_design(x: FloatArray) -> list[str]:
    k, p = x.shape
    if k <= p:
        return [f"{p} coefficients need at least {p + 1} trials, but there are {k}"]
    # Rank is judged on centred and scaled columns: units must not decide it.
    centred = x[:, 1:] - x[:, 1:].mean(axis=0)
    scale = np.linalg.norm(centred, axis=0)
    size = np.linalg.norm(x[:, 1:], axis=0)
    constant = scale <= 1e-12 * size
    if constant.any() or np.linalg.matrix_rank(centred / scale, tol=1e-10) < p - 1:
        return ["covariates must not be constant or combinations of one another"]
    return []
