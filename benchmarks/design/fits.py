"""How fast are the fits of a simulation beside the same loop in R?

    python benchmarks/design/fits.py [trials]

1,000 three-arm trials of 500 people are simulated beforehand (maintenance, abrupt stop, 16-week
taper; 78 weeks; the base assumptions). Timed are the fits only, one thread: Cox with two log hazard
ratios and their standard errors (Efron), log-rank of the three arms, restricted mean time of each
arm with its standard error. Ours take the tables of counts by day and arm, or the people with the
counting timed too; R takes the people, in the same process, one trial after the other. Every number
is held against R's. Writes fits.csv beside this file. Where the machine is busy with other work,
two threads gain less; the load at the start is in the table.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit

from discontinuation.design._fit_kernels import efron_information
from discontinuation.design.day_tables import cells
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.survival._curve_kernels import (
    efron_coefficients,
    restricted_means,
    table_scores,
)

HERE = Path(__file__).parent
PEOPLE = (168, 166, 166)
HORIZON = 364.0
REPEATS = 25
PIECES = 8  # per pool, so that two threads end together
NAMES = ["beta1", "beta2", "se1", "se2", "chisq"]
NAMES += [f"{what}{arm}" for what in ("mean", "se_mean") for arm in range(3)]

COLUMNS = ["tool", "from", "threads", "seconds", "fastest", "processor_seconds"]

Array = np.ndarray


def simulated(trials: int) -> tuple[Array, Array, Array]:
    """Day of leaving and whether with an event, shape (trials, 500), and the arm of each."""
    scenario = Scenario(
        arms=(
            Arm("maintain", "maintain"),
            Arm("abrupt", "abrupt"),
            Arm("taper", "taper", taper_days=112),
        ),
        horizon_days=546,
    )
    chances, random = cells(scenario), np.random.default_rng(1)
    visits = len(chances.day)
    days, events = [], []
    for arm, people in enumerate(PEOPLE):
        seen = chances.seen[arm].sum(axis=0)
        chance = np.concatenate([seen, chances.censored[arm]]).cumsum()
        cell = np.searchsorted(chance[:-1], random.random((trials, people)), side="right")
        event = cell < visits
        days.append(np.where(event, cell + 1, np.maximum(cell - visits, 0.5)))
        events.append(event)
    arm_of = np.repeat(np.arange(3), PEOPLE)
    return np.concatenate(days, axis=1), np.concatenate(events, axis=1), arm_of


@njit(cache=True, nogil=True)
def counted(day: Array, event: Array, arm: Array, last: int) -> tuple[Array, Array]:
    """Count by day and arm; who leaves before the first day is never at risk."""
    trials, people = day.shape
    events = np.zeros((trials, last, 3))
    at_risk = np.zeros((trials, last, 3))
    for b in range(trials):
        for i in range(people):
            row = int(day[b, i]) - 1
            if row >= 0:
                at_risk[b, row, arm[i]] += 1
                if event[b, i]:
                    events[b, row, arm[i]] += 1
        for j in range(last - 2, -1, -1):
            for g in range(3):
                at_risk[b, j, g] += at_risk[b, j + 1, g]
    return events, at_risk


def fits(events: Array, at_risk: Array) -> Array:
    """Fit every trial; one row each in the order of NAMES."""
    day = np.arange(1.0, events.shape[1] + 1)
    beta = efron_coefficients(events, at_risk)
    information = efron_information(events, at_risk, beta)
    se = np.sqrt(np.diagonal(np.linalg.inv(information), axis1=1, axis2=2))
    score, covariance = table_scores(events, at_risk, 0.0, 0.0)
    solved = np.linalg.solve(covariance[:, 1:, 1:], score[:, 1:, None])[..., 0]
    statistic = (score[:, 1:] * solved).sum(axis=1)
    mean, variance = restricted_means(day, events, at_risk, 0.0, HORIZON)
    return np.column_stack([beta, se, statistic, mean, np.sqrt(variance)])


def on_threads(threads: int, work: Callable[[slice], Array], trials: int) -> Array:
    """Share the trials among threads."""
    edges = np.linspace(0, trials, threads * PIECES + 1).astype(int)
    pieces = [slice(a, b) for a, b in pairwise(edges)]
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(work, pieces)))


@njit(cache=True, nogil=True)
def looped(times: int) -> float:
    """Work that shares nothing with other threads."""
    total = 0.0
    for i in range(times):
        total += np.sqrt(i)
    return total


def seconds(work: Callable[[], object]) -> tuple[float, float, float]:
    """Median and smallest time of a call, and the processors' in it, after one that compiles."""
    work()
    taken = []
    for _ in range(REPEATS):
        begin = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    wall, processor = np.array(taken).T
    return float(np.median(wall)), float(wall.min()), float(np.median(processor))


def in_r(day: Array, event: Array, arm: Array) -> tuple[float, Array]:
    """Time of R's loop and what it found."""
    with tempfile.TemporaryDirectory() as folder:
        people, found, took = (Path(folder) / name for name in ("p.bin", "f.csv", "t.txt"))
        trial = np.repeat(np.arange(len(day)), day.shape[1])
        columns = [trial, day.ravel(), event.ravel(), np.tile(arm, len(day))]
        np.column_stack(columns).astype("<f8").tofile(people)
        command = ["Rscript", HERE / "fits.R", people, found, took, str(len(trial)), str(HORIZON)]
        subprocess.run(list(map(str, command)), check=True)
        table = pd.read_csv(found)
        return float(took.read_text()), table[NAMES].to_numpy()


def main(trials: int) -> None:
    """Measure, compare and write."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    day, event, arm = simulated(trials)
    last = int(day.max())
    events, at_risk = counted(day, event, arm, last)

    def from_tables(piece: slice) -> Array:
        return fits(events[piece], at_risk[piece])

    def from_people(piece: slice) -> Array:
        return fits(*counted(day[piece], event[piece], arm, last))

    def loop(piece: slice) -> Array:
        return np.array([looped((piece.stop - piece.start) * 20_000)])

    whole = slice(0, trials)
    found = from_tables(whole)
    rows = [
        ("discontinuation", "tables", 1, *seconds(lambda: from_tables(whole))),
        ("discontinuation", "people", 1, *seconds(lambda: from_people(whole))),
    ]
    for tool, work in (("discontinuation, pool", from_tables), ("counting loop", loop)):
        for threads in (1, 2):
            took = seconds(lambda threads=threads, work=work: on_threads(threads, work, trials))
            rows.append((tool, "tables", threads, *took))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    if shutil.which("Rscript"):
        r_seconds, theirs = in_r(day, event, arm)
        frame.loc[len(frame)] = ["R", "people", 1, r_seconds, np.nan, np.nan]
        ours = frame["tool"] != "counting loop"
        frame["r_over_this"] = (r_seconds / frame["seconds"]).where(ours)
        print(f"largest difference from R: {np.abs(found - theirs).max():.2g}")
    single = frame["fastest"].shift()
    frame["gain_of_threads"] = (single / frame["fastest"]).where(frame["threads"] == 2)
    frame = frame.assign(trials=trials, people=sum(PEOPLE), load_at_start=load)
    print(frame.to_string(index=False))
    frame.to_csv(HERE / "fits.csv", index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
