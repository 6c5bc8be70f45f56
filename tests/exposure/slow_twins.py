"""Slow, readable twins of the kernels: one person, one thing at a time, by other methods.

A history is a list of (start, stop, dose, bolus): days, mg per day taken evenly, mg injected at the
start. The exact twins hand the differential equations of methods B1 and B2 to scipy's solver; the
daily twin is the recursion of methods B2 as it is printed.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.integrate import solve_ivp


@dataclass
class Drug:
    half_life: float
    k: float
    emax: float = 1.0
    hill: float = 1.0
    tau: float = 14.0
    release_half_life: float | None = None

    @property
    def elimination(self):
        return np.log(2) / self.half_life

    @property
    def release(self):
        return np.log(2) / self.release_half_life

    def occupancy(self, level):
        level = max(level, 0.0)
        return self.emax * level**self.hill / (self.k**self.hill + level**self.hill)


def flow(drug, dose):
    """d/dt of (release, level) at one dose."""

    def derivative(release, level):
        if drug.release_half_life is None:
            return 0.0, drug.elimination * (dose - level)
        return drug.release * (dose - release), drug.elimination * (release - level)

    return derivative


def steady_cycle(drug, bolus, period):
    """Release and level just before an injection, after very many of them: the sum of them all."""
    release, level = 0.0, 0.0
    doses = int(60 * max(drug.half_life, drug.release_half_life) / period) + 2
    for age in period * np.arange(1, doses):
        slow, fast = np.exp(-drug.release * age), np.exp(-drug.elimination * age)
        release += bolus * drug.release * slow
        level += (
            bolus
            * drug.release
            * drug.elimination
            * (slow - fast)
            / (drug.elimination - drug.release)
        )
    return release, level


def solve(history, drug, begin, reference, kappa=1.0, window=(-np.inf, np.inf), times=()):
    """Follow (release, level, set-point, integral of drive^kappa).

    `begin` is (release, level, set-point) at the start. Returns the states at `times` and the
    integral over `window`.
    """
    full = drug.occupancy(reference)
    state, found, total = np.array([*begin, 0.0]), {}, 0.0
    for start, stop, dose, bolus in history:
        if drug.release_half_life is not None:
            state[0] += drug.release * bolus
        moved = flow(drug, dose)

        def derivative(_, y, moved=moved):
            lack = y[2] - drug.occupancy(y[1]) / full
            return [*moved(y[0], y[1]), -lack / drug.tau, max(0.0, lack) ** kappa]

        def crossing(_, y):
            return y[2] - drug.occupancy(y[1]) / full

        def run(low, high, state, derivative=derivative, crossing=crossing):
            return solve_ivp(
                derivative, (low, high), state, "DOP853", rtol=1e-12, atol=1e-15, events=crossing
            )

        # The solver stumbles where the drive begins or ends: find these moments, then stop there.
        kinks = run(start, stop, state).t_events[0]
        edges = sorted({start, stop, *(t for t in [*times, *window, *kinks] if start < t < stop)})
        for low, high in pairwise(edges):
            found[low] = state.copy()
            done = run(low, high, state)
            if low >= window[0] and high <= window[1]:
                total += done.y[3, -1] - state[3]
            state = done.y[:, -1]
            found[high] = state.copy()
    return [found[t] for t in times], total


def daily(history, drug, before, reference, days):
    """Dose, level, retained occupancy, set-point and drive at the end of each day (methods B2)."""
    full = drug.occupancy(reference)
    level, adapted = before, drug.occupancy(before) / full
    rows = []
    for day in range(days):
        given = 0.0
        for start, stop, dose, _ in history:
            low, high = max(start, day), min(stop, day + 1)
            if high > low:
                level = dose + (level - dose) * np.exp(-drug.elimination * (high - low))
                given += dose * (high - low)
        retained = drug.occupancy(level) / full
        adapted = adapted * np.exp(-1 / drug.tau) + retained * (1 - np.exp(-1 / drug.tau))
        rows.append((given, level, retained, adapted, max(0.0, adapted - retained)))
    return np.array(rows)
