"""How likely are the times if the hazard is constant between cut points?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discontinuation.survival._parametric_data import Observed
from discontinuation.survival._parametric_kernels import (
    Error,
    Evaluated,
    log_between,
    log_survival,
)
from discontinuation.survival.follow_up import FloatArray, IntArray

EVENT: Error = "extreme value"


def time_in_pieces(times: FloatArray, cuts: FloatArray) -> FloatArray:
    """Return how much of each time lies in each piece, shape (n, pieces)."""
    starts, ends = np.append(0.0, cuts), np.append(cuts, np.inf)
    return np.asarray(np.clip(times[:, None], starts, ends) - starts)


def log_cumulative(
    cuts: FloatArray, coef: FloatArray, times: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Log cumulative hazard, and its slope in log t, with their derivatives.

    Parameters
    ----------
    cuts
        Ends of the pieces but the last.
    coef
        Log rates and log hazard ratios, shape (q,).
    times, x
        Shapes (m,) and (m, p).

    Returns
    -------
    z, z_gradient, slope, slope_gradient
        Shapes (m,), (m, q), (m,), (m, q).
    """
    pieces = len(cuts) + 1
    parts = time_in_pieces(times, cuts) * np.exp(coef[:pieces])
    total = parts.sum(axis=1)
    shares = parts / total[:, None]
    z = np.log(total) + x @ coef[pieces:]
    where = np.searchsorted(cuts, times)
    slope = times * np.exp(coef[where]) / total
    here = np.eye(pieces)[where]
    bend = slope[:, None] * (here - shares)
    return z, np.hstack([shares, x]), slope, np.hstack([bend, np.zeros_like(x)])


@dataclass(frozen=True, eq=False)
class PiecewiseLikelihood:
    """Log-likelihood of log rates and of standardised covariates' log hazard ratios.

    Attributes
    ----------
    x
        Covariates, of mean 0 and unit size and uncorrelated, shape (n, p).
    centre
        Their means, in which log rates at covariates 0 and at the mean differ, shape (p,).
    turn
        From these parameters to those of the covariates as given, shape (q, q).
    ends, lows, entries
        Time in each piece up to the end of what is known (the upper limit, the day, or the end
        of follow-up), the lower limit, and entry, shape (n, pieces).
    piece
        In which piece the end lies, shape (n,).
    exact, right, between, bounded, late
        Whose event was seen on the day; who had none; who had it between limits, and with the
        lower above 0; who entered after 0.
    weights
        Shape (n,).
    """

    x: FloatArray
    centre: FloatArray
    turn: FloatArray
    ends: FloatArray
    lows: FloatArray
    entries: FloatArray
    piece: IntArray
    exact: np.ndarray[tuple[int], np.dtype[np.bool_]]
    right: np.ndarray[tuple[int], np.dtype[np.bool_]]
    between: np.ndarray[tuple[int], np.dtype[np.bool_]]
    bounded: np.ndarray[tuple[int], np.dtype[np.bool_]]
    late: np.ndarray[tuple[int], np.dtype[np.bool_]]
    weights: FloatArray

    @classmethod
    def build(cls, observed: Observed, x: FloatArray, cuts: FloatArray) -> PiecewiseLikelihood:
        """Lay out the likelihood."""
        n, p = x.shape
        pieces = len(cuts) + 1
        centre = x.mean(axis=0)
        spread = np.linalg.qr(x - centre, mode="r") / np.sqrt(n)
        back = np.linalg.inv(spread)
        turn = np.eye(pieces + p)
        turn[pieces:, pieces:] = back
        turn[:pieces, pieces:] = -(centre @ back)
        end = np.where(observed.has_event, observed.upper, observed.lower)
        low = np.maximum(observed.lower, observed.entry)
        between = observed.has_event & ~observed.exact
        return cls(
            x=(x - centre) @ back,
            centre=centre,
            turn=turn,
            ends=time_in_pieces(end, cuts),
            lows=time_in_pieces(low, cuts),
            entries=time_in_pieces(observed.entry, cuts),
            piece=np.searchsorted(cuts, end).astype(np.int64),
            exact=observed.exact,
            right=~observed.has_event,
            between=between,
            bounded=between & (low > 0),
            late=observed.entry > 0,
            weights=observed.weights,
        )

    def _log_cumulative(self, theta: FloatArray, exposure: FloatArray) -> tuple[FloatArray, ...]:
        """Log cumulative hazards and shares of the pieces in them; minus infinity at time 0."""
        pieces = self.ends.shape[1]
        parts = exposure * np.exp(theta[:pieces])
        total = parts.sum(axis=1)
        shares = parts / np.where(total > 0, total, 1.0)[:, None]
        return np.log(total) + self.x @ theta[pieces:], shares

    def _pieces_of(
        self, theta: FloatArray
    ) -> tuple[FloatArray, list[tuple[FloatArray, FloatArray, FloatArray]], FloatArray]:
        """Return values, (shares, first, second) at end, lower limit and entry, and the cross."""
        end, end_shares = self._log_cumulative(theta, self.ends)
        low, low_shares = self._log_cumulative(theta, self.lows)
        start, start_shares = self._log_cumulative(theta, self.entries)
        low = np.where(self.bounded, low, -np.inf)
        inside = [np.where(self.between, part, 0.0) for part in log_between(low, end, EVENT)]
        outside = [np.where(self.between, 0.0, part) for part in log_survival(end, EVENT)]
        entered = [np.where(self.late, -part, 0.0) for part in log_survival(start, EVENT)]
        value = inside[0] + outside[0] + entered[0]
        parts = [
            (end_shares, inside[2] + outside[1], inside[5] + outside[2]),
            (low_shares, inside[1], inside[3]),
            (start_shares, entered[1], entered[2]),
        ]
        return value, parts, inside[4]

    def _log_hazards(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log hazards on the day of an event, and their derivatives."""
        pieces = self.ends.shape[1]
        here = np.eye(pieces)[self.piece]
        gradient = np.hstack([here, self.x]) * self.exact[:, None]
        return gradient @ theta, gradient

    def __call__(self, theta: FloatArray) -> Evaluated:
        """Log-likelihood, gradient and Hessian."""
        pieces = self.ends.shape[1]
        w = self.weights
        with np.errstate(all="ignore"):
            value, parts, cross = self._pieces_of(theta)
            hazard, gradient = self._log_hazards(theta)
            total = float(w @ (value + hazard))
            first = w @ gradient
            hessian = np.zeros((len(theta), len(theta)))
            designs = [np.hstack([shares, self.x]) for shares, _, _ in parts]
            for design, (shares, slope, bend) in zip(designs, parts, strict=True):
                first = first + design.T @ (w * slope)
                hessian += design.T @ ((w * bend)[:, None] * design)
                # Shares move with the log rates: their derivative is diag(s) - s s'.
                pull = w * slope
                hessian[:pieces, :pieces] += np.diag(pull @ shares)
                hessian[:pieces, :pieces] -= shares.T @ (pull[:, None] * shares)
            mixed = designs[1].T @ ((w * cross)[:, None] * designs[0])
        return total, first, hessian + mixed + mixed.T

    def scores(self, theta: FloatArray) -> FloatArray:
        """Weighted derivative of each person's contribution, shape (n, q)."""
        with np.errstate(all="ignore"):
            _, parts, _ = self._pieces_of(theta)
            gradient = self._log_hazards(theta)[1]
        for shares, first, _ in parts:
            gradient = gradient + first[:, None] * np.hstack([shares, self.x])
        return gradient * self.weights[:, None]
