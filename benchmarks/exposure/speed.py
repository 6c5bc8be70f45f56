"""How fast is the exposure of many people, beside two usual ways to compute it?

Run from the top of the project, with nothing else running: python benchmarks/exposure/speed.py.
Everything printed was measured in that run and is kept in results.csv. Peers that would take too
long get fewer people, and their time is scaled up to all of them.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from discontinuation.design import _daily
from discontinuation.exposure.trajectories import Exposure, exposure_of

HERE = Path(__file__).parent
DAYS, STEPS, DOSE = 365, 12, 20.0
HALF_LIFE, K, EMAX, TAU = 1.0, 2.7, 0.95, 14.0
BLOCK = 10_000  # people whose states are held at a time


def drawn_doses(people: int) -> pd.DataFrame:
    """Tapers of 12 falling steps over up to half a year, each person's own, on whole days."""
    stream = np.random.default_rng(1)
    start = np.cumsum(stream.integers(1, 16, (people, STEPS)), axis=1) - 1.0
    start[:, 0] = 0.0
    dose = DOSE * np.sort(stream.random((people, STEPS)), axis=1)[:, ::-1]
    dose[:, -1] = 0.0
    stop = np.column_stack([start[:, 1:], np.full(people, float(DAYS))])
    person = np.repeat(np.arange(people), STEPS)
    columns = {"start": start.ravel(), "stop": stop.ravel(), "dose": dose.ravel()}
    return pd.DataFrame({"person": person, **columns})


def arranged(doses: pd.DataFrame, grid: str) -> Exposure:
    """Check and arrange the doses."""
    drug: dict[str, Any] = {"half_life_days": HALF_LIFE, "k": K, "emax": EMAX, "tau_days": TAU}
    return exposure_of(doses, **drug, dose_before=DOSE, grid=grid)  # type: ignore[arg-type]


def states(exposures: list[Exposure]) -> float:
    """Every state of everyone on every day; returns the sum of the drive."""
    return sum(float(block.at(np.arange(DAYS + 1.0)).drive.sum()) for block in exposures)


def integrals(exposures: list[Exposure], kappa: float) -> float:
    """Integral of drive^kappa of everyone over the year; returns the sum."""
    return sum(float(block.integral(kappa).sum()) for block in exposures)


def daily_dose(doses: pd.DataFrame) -> np.ndarray:
    """Dose of each person on each day, shape (people, days)."""
    length = (doses["stop"] - doses["start"]).to_numpy(dtype=int)
    return np.repeat(doses["dose"].to_numpy(), length).reshape(-1, DAYS)


def numpy_loop(dose: np.ndarray) -> float:
    """The daily scheme, one day after the other for all people at once."""
    level = _daily.level(dose, DOSE, HALF_LIFE)
    full = _daily.occupancy(np.array(DOSE), K, EMAX)
    return float(_daily.withdrawal_drive(_daily.occupancy(level, K, EMAX) / full, TAU).sum())


def plain_python(dose: np.ndarray) -> float:
    """The daily scheme, one person and one day after the other."""
    keep, adapt, full, total = 0.5 ** (1 / HALF_LIFE), np.exp(-1 / TAU), DOSE / (K + DOSE), 0.0
    for person in dose.tolist():
        level, adapted = DOSE, 1.0
        for amount in person:
            level = amount + (level - amount) * keep
            retained = level / (K + level) / full
            adapted = retained + (adapted - retained) * adapt
            total += max(0.0, adapted - retained)
    return total


def solver(doses: pd.DataFrame) -> list[float]:
    """Integral of drive^2 of each person by scipy's solver, to about the same error."""
    found = []
    for _, rows in doses.groupby("person"):
        state = np.array([DOSE, 1.0, 0.0])
        for start, stop, dose in rows[["start", "stop", "dose"]].itertuples(index=False):

            def flow(_: float, y: np.ndarray, dose: float = dose) -> list[float]:
                lack = y[1] - y[0] / (K + y[0]) * (K + DOSE) / DOSE
                return [np.log(2) / HALF_LIFE * (dose - y[0]), -lack / TAU, max(0.0, lack) ** 2]

            done = solve_ivp(flow, (start, stop), state, "DOP853", rtol=1e-9, atol=1e-12)
            state = done.y[:, -1]
        found.append(float(state[2]))
    return found


def seconds(job: Callable[[], Any], times: int = 3) -> float:
    """Shortest of several runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        job()
        taken.append(time.perf_counter() - start)
    return min(taken)


def blocks(doses: pd.DataFrame, grid: str) -> list[Exposure]:
    """Exposures of not too many people each."""
    rows = BLOCK * STEPS
    return [arranged(doses[low : low + rows], grid) for low in range(0, len(doses), rows)]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--people", type=int, default=100_000)
    people = options.parse_args().people
    doses = drawn_doses(people)
    exact, daily = blocks(doses, "exact"), blocks(doses, "daily")
    states(exact[:1]), states(daily[:1]), integrals(exact[:1], 2.0), integrals(daily[:1], 2.0)

    base = seconds(lambda: states(exact))
    print(f"{people:,} people x {DAYS} days, {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}")
    print(f"{'':58}seconds   ratio")

    rows = []

    def show(name: str, taken: float) -> None:
        print(f"{name:55} {taken:10.3f} {taken / base:7.2f}")
        rows.append({"job": name, "people": people, "seconds": taken, "ratio": taken / base})

    show("states on every day, exact (= 1)", base)
    show("states on every day, daily grid", seconds(lambda: states(daily)))
    for kappa in (1.0, 2.0, 1.5):
        show(f"integral of w^{kappa:g}, exact", seconds(lambda k=kappa: integrals(exact, k)))
    show("integral of w^2, daily grid", seconds(lambda: integrals(daily, 2.0)))
    show("checking and arranging the doses", seconds(lambda: blocks(doses, "exact"), 1))

    dose = daily_dose(doses)
    show("peer: numpy, day by day, daily grid", seconds(lambda: numpy_loop(dose)))
    few = max(1, people // 200)
    scale = people / few
    show(
        f"peer: plain Python, daily grid ({few:,} people, scaled)",
        scale * seconds(lambda: plain_python(dose[:few]), 1),
    )
    sample = doses[: 40 * STEPS]
    start = time.perf_counter()
    solved = solver(sample)
    show(
        "peer: solve_ivp, drive and its integral (40, scaled)",
        people / 40 * (time.perf_counter() - start),
    )

    print("\nlinear in people: states on every day, exact")
    for share in (4, 2, 1):
        part = exact[: max(1, len(exact) // share)]
        count = sum(len(block.people) for block in part)
        taken = seconds(lambda part=part: states(part))
        print(f"{count:>10,} people {taken:8.3f} s {1e6 * taken / count:8.2f} microseconds each")
        rows.append({"job": "states, exact", "people": count, "seconds": taken})
    pd.DataFrame(rows).round(4).to_csv(HERE / "results.csv", index=False)

    whole = arranged(sample, "exact").integral(2.0).to_numpy()
    print(f"\nlargest relative difference from solve_ivp: {np.abs(solved / whole - 1).max():.1e}")
    print(f"daily grid from numpy: {abs(integrals(daily, 1.0) / numpy_loop(dose) - 1):.1e}")


if __name__ == "__main__":
    main()
