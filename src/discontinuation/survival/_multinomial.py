"""How likely is each group, given covariates?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from discontinuation.survival._parametric_kernels import Evaluated, climb
from discontinuation.survival.follow_up import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Multinomial:
    """A multinomial logistic regression against group 0.

    Attributes
    ----------
    coef
        Of the design as given, shape (q, groups - 1).
    covariance
        Of the coefficients, group after group, shape (q (groups - 1), q (groups - 1)).
    log_likelihood
        Where it is highest.
    """

    coef: FloatArray
    covariance: FloatArray
    log_likelihood: float

    def probabilities(self, design: FloatArray) -> FloatArray:
        """Probability of each group, shape (n, groups)."""
        return np.exp(_log_probabilities(design, self.coef))


def fit_multinomial(
    design: FloatArray, codes: IntArray, groups: int, otherwise: str, prior: float = 0.0
) -> Multinomial:
    """Fit by Newton's method.

    Parameters
    ----------
    design
        Intercept and covariates of full rank, shape (n, q).
    codes
        Group per row, 0 to groups - 1; every group has somebody.
    groups
        How many.
    otherwise
        What to say where covariates separate groups.
    prior
        Precision of a normal prior around 0 for each coefficient but the intercept, of
        standardised and uncorrelated covariates; 0: none.

    Raises
    ------
    InvalidInput
        With that sentence.
    """
    n, q = design.shape
    triangle = np.linalg.qr(design, mode="r") / np.sqrt(n)
    turn = np.linalg.inv(triangle)
    turned, observed = design @ turn, np.eye(groups)[codes]
    precision = np.full((q, groups - 1), prior)
    precision[0] = 0.0

    def evaluate(theta: FloatArray) -> Evaluated:
        coef = theta.reshape(groups - 1, q).T
        log_p = _log_probabilities(turned, coef)
        p = np.exp(log_p)
        value = float((observed * log_p).sum() - 0.5 * (precision * coef**2).sum())
        gradient = turned.T @ (observed - p)[:, 1:] - precision * coef
        hessian = np.zeros((groups - 1, q, groups - 1, q))
        for a in range(groups - 1):
            for b in range(groups - 1):
                w = p[:, a + 1] * ((a == b) - p[:, b + 1])
                hessian[a, :, b, :] = -turned.T @ (w[:, None] * turned)
        flat = hessian.reshape(theta.size, theta.size) - np.diag(precision.T.ravel())
        return value, gradient.T.ravel(), flat

    top = climb(evaluate, np.zeros(q * (groups - 1)), otherwise)
    back = np.kron(np.eye(groups - 1), turn)
    coef = (back @ top.theta).reshape(groups - 1, q).T
    return Multinomial(coef, back @ top.covariance @ back.T, top.log_likelihood)


def _log_probabilities(design: FloatArray, coef: FloatArray) -> FloatArray:
    linear = np.column_stack([np.zeros(len(design)), design @ coef])
    return np.asarray(linear - logsumexp(linear, axis=1, keepdims=True))
