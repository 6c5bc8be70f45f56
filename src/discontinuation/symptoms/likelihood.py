"""How likely are repeated measurements under given variances and a given autocorrelation?

A person's measurements are y = X beta + Z b + e with b ~ N(0, sigma^2 D) and e a first-order
autoregression: the correlation of two errors is phi to the power of the distance of their
positions. Its inverse is banded, so that subtracting phi^gap times the row before makes the
errors independent. What remains is sums of products per person, and the cost is linear in rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Measurements of all people, ordered by person and position.

    Attributes
    ----------
    y : array of shape (n,)
    x : array of shape (n, p)
        Fixed-effects design of full rank.
    z : array of shape (n, q)
        Random-effects design, q from 0 to 2.
    gap : array of shape (n,)
        Distance to the person's row before, greater than 0; NaN in the first row of a person.
    """

    y: FloatArray
    x: FloatArray
    z: FloatArray
    gap: FloatArray

    @cached_property
    def starts(self) -> IntArray:
        """First row of each person."""
        return np.flatnonzero(np.isnan(self.gap))

    @cached_property
    def columns(self) -> FloatArray:
        """Z, X and y side by side."""
        return np.column_stack([self.z, self.x, self.y])

    @cached_property
    def before(self) -> FloatArray:
        """The row before each row; any row before a person's first."""
        return np.vstack([self.columns[:1], self.columns[:-1]])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Measurements, fixed effects, random effects."""
        return len(self.y), self.x.shape[1], self.z.shape[1]


@dataclass(frozen=True, eq=False)
class Products:
    """Sums of products of whitened columns, and their derivative by phi.

    Attributes
    ----------
    total, d_total : arrays of shape (p + 1, p + 1)
        Of (X, y) over all rows.
    own, d_own : arrays of shape (people, q, q + p + 1)
        Of Z with (Z, X, y) over the rows of each person.
    logdet, d_logdet
        Log determinant of the errors' correlation matrix.
    """

    total: FloatArray
    own: FloatArray
    logdet: float
    d_total: FloatArray
    d_own: FloatArray
    d_logdet: float


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The parts of the (restricted) log-likelihood at one D and phi, sigma profiled out.

    Attributes
    ----------
    rss
        Weighted residual sum of squares.
    logdet
        Log determinant of the covariance of all measurements over sigma^2, and for the restricted
        likelihood that of X' W^-1 X.
    information : array of shape (p, p)
        X' W^-1 X with sigma = 1.
    coefficients : array of shape (p,)
    effects : array of shape (people, q)
        Best linear unbiased predictions of b.
    d_rss, d_logdet : arrays of shape (q (q + 1) / 2 + 1,)
        Derivatives by the lower triangle (row by row) of the Cholesky factor of D, then phi.
    freedom
        Measurements, less the fixed effects for the restricted likelihood.
    """

    rss: float
    logdet: float
    information: FloatArray
    coefficients: FloatArray
    effects: FloatArray
    d_rss: FloatArray
    d_logdet: FloatArray
    freedom: int

    @property
    def criterion(self) -> float:
        """Minus the log-likelihood, without its constants."""
        return float(0.5 * (self.freedom * np.log(self.rss) + self.logdet))

    @property
    def gradient(self) -> FloatArray:
        """Derivative of `criterion`."""
        return 0.5 * (self.freedom * self.d_rss / self.rss + self.d_logdet)

    @property
    def sigma2(self) -> float:
        """Residual variance at which the likelihood is highest."""
        return self.rss / self.freedom

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood as R's nlme defines it: no constant left out, no log|X'X| added."""
        constant = self.freedom * (1 + np.log(2 * np.pi * self.sigma2))
        return float(-0.5 * (constant + self.logdet))


def whitened_products(rows: Rows, phi: float) -> Products:
    """Whiten the rows at one phi and sum their products.

    Parameters
    ----------
    rows
        The measurements.
    phi
        Correlation of errors at distance 1; negative only with whole distances.
    """
    first = np.isnan(rows.gap)
    gap = np.where(first, 1.0, rows.gap)
    rho = np.where(first, 0.0, np.power(phi, gap))
    d_rho = np.where(first, 0.0, gap * np.power(phi, gap - 1))
    # 1 - rho^2 without losing digits as rho comes close to 1.
    with np.errstate(divide="ignore"):
        rest = np.where(first, 1.0, -np.expm1(2 * gap * np.log(abs(phi))))
    scale = 1 / np.sqrt(rest)
    white = (rows.columns - rho[:, None] * rows.before) * scale[:, None]
    # d/drho of (u - rho v) / sqrt(1 - rho^2)
    d_white = (d_rho * scale**3)[:, None] * (rho[:, None] * rows.columns - rows.before)
    q = rows.z.shape[1]
    total = white[:, q:].T @ d_white[:, q:]
    own, d_own = _own_products(rows, white, d_white)
    return Products(
        total=white[:, q:].T @ white[:, q:],
        own=own,
        logdet=float(np.log(rest).sum()),
        d_total=total + total.T,
        d_own=d_own,
        d_logdet=float((-2 * rho * d_rho / rest).sum()),
    )


def _own_products(
    rows: Rows, white: FloatArray, d_white: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Sum the products of Z with every column within each person, and their derivative."""
    q = rows.z.shape[1]
    shape = (len(rows.starts), q, white.shape[1])
    own, d_own = np.zeros(shape), np.zeros(shape)
    for i in range(q):
        own[:, i] = np.add.reduceat(white[:, [i]] * white, rows.starts)
        change = white[:, [i]] * d_white + d_white[:, [i]] * white
        d_own[:, i] = np.add.reduceat(change, rows.starts)
    return own, d_own


def likelihood(rows: Rows, factor: FloatArray, phi: float, restricted: bool) -> Likelihood:
    """Evaluate the profiled likelihood and its derivatives.

    Parameters
    ----------
    rows
        The measurements.
    factor : array of shape (q, q)
        Lower Cholesky factor of D; its diagonal may be 0 or negative.
    phi
        Correlation of errors at distance 1.
    restricted
        Whether it is the restricted likelihood.

    Returns
    -------
    Likelihood
        With W = Z D Z' + R per person and A = (D^-1 + Z'R^-1 Z)^-1, Woodbury's identity gives
        W^-1 = R^-1 - R^-1 Z A Z' R^-1, |W| = |R| |I + Z'R^-1 Z D| and
        dA/dD = (I - A Z'R^-1 Z) dD (I - Z'R^-1 Z A), none of which needs D^-1.
    """
    n, p, q = rows.shape
    sums = whitened_products(rows, phi)
    zz, k = sums.own[:, :, :q], sums.own[:, :, q:]
    d_zz, d_k = sums.d_own[:, :, :q], sums.d_own[:, :, q:]
    inner = np.eye(q) + factor.T @ zz @ factor
    a = factor @ np.linalg.solve(inner, np.broadcast_to(factor.T, inner.shape))
    ak = a @ k
    s = sums.total - _sum_products(k, ak)
    ds = sums.d_total - 2 * _symmetric(_sum_products(d_k, ak)) + _sum_products(ak, d_zz @ ak)
    information, d_information = s[:p, :p], ds[:p, :p]
    coefficients = np.asarray(np.linalg.solve(information, s[:p, p]), dtype=np.float64)
    residual = np.append(-coefficients, 1.0)
    h = k - zz @ ak
    h_residual = h @ residual
    by_d_rss = -h_residual.T @ h_residual
    by_d_logdet = (zz - zz @ a @ zz).sum(axis=0)
    d_phi_logdet = sums.d_logdet + float(np.einsum("gij,gji->", a, d_zz))
    logdet = sums.logdet + float(np.linalg.slogdet(inner)[1].sum())
    if restricted:
        inverse = np.linalg.inv(information)
        logdet += float(np.linalg.slogdet(information)[1])
        by_d_logdet = by_d_logdet - _sum_products(
            (h[:, :, :p] @ inverse).swapaxes(1, 2), h[:, :, :p].swapaxes(1, 2)
        )
        d_phi_logdet += float((inverse * d_information).sum())
    lower = np.tril_indices(q)
    return Likelihood(
        rss=float(residual @ s @ residual),
        logdet=logdet,
        information=information,
        coefficients=coefficients,
        effects=ak @ residual,
        d_rss=np.append(2 * (by_d_rss @ factor)[lower], residual @ ds @ residual),
        d_logdet=np.append(2 * (by_d_logdet @ factor)[lower], d_phi_logdet),
        freedom=n - p if restricted else n,
    )


def _sum_products(left: FloatArray, right: FloatArray) -> FloatArray:
    """Sum left' right over people."""
    wide = left.shape[0] * left.shape[1]
    product = left.reshape(wide, left.shape[2]).T @ right.reshape(wide, right.shape[2])
    return np.asarray(product)


def _symmetric(matrix: FloatArray) -> FloatArray:
    return (matrix + matrix.T) / 2
