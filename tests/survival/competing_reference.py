"""Data that are hard on purpose, and what R makes of them (tests/reference/survival_competing.R).

Run this file to make the data anew: python tests/survival/competing_reference.py
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

REFERENCE = Path(__file__).parents[1] / "reference"
COLUMNS = ["case", "person", "start", "stop", "cause", "group", "stratum", "x", "z", "weight"]
COLUMNS += ["present", "state"]
NEXT = {
    "stable": ["withdrawal", "relapse", "dead"],
    "withdrawal": ["recovered", "relapse", "recovered", "dead"],
    "recovered": ["relapse", "withdrawal"],
    "relapse": ["stable", "dead"],
}


def first_events(case, rng, people, times, causes=(0, 1, 2), share=(0.3, 0.4, 0.3)):
    """People with a first event or none, in three groups of unequal size."""
    return pd.DataFrame(
        {
            "case": case,
            "person": np.arange(people),
            "start": 0.0,
            "stop": rng.choice(times, people),
            "cause": rng.choice(causes, people, p=share),
            "group": rng.choice(["abrupt", "gradual", "maintain"], people, p=[0.4, 0.4, 0.2]),
            "stratum": rng.choice(["s1", "s2"], people),
            "x": np.round(rng.normal(40, 12, people), 1),
            "z": rng.integers(0, 2, people),
            "weight": 1,
        }
    )


def course(case, rng, people, late):
    """People who move between states; `late`: some enter late, or in another state."""
    rows = []
    for person in range(people):
        begins = int(rng.integers(1, 9)) if late and person % 4 == 0 else 0
        state = "withdrawal" if late and person % 7 == 0 else "stable"
        while begins < 70:
            ends = min(begins + int(rng.integers(1, 15)), 70)
            leaves = ends < 70 and rng.random() < 0.7
            entered = rng.choice(NEXT[state]) if leaves else ""
            rows.append((case, person, begins, ends, ["gradual", "abrupt"][person % 2]))
            rows[-1] += (state, entered)
            if entered == "dead" or (not leaves and rng.random() < 0.3):
                break
            begins, state = ends, entered or state
    columns = ["case", "person", "start", "stop", "group", "present", "state"]
    return pd.DataFrame(rows, columns=columns)


def make_data():
    """All cases in one frame."""
    rng = np.random.default_rng(20)
    ties = first_events("ties", rng, 150, np.arange(1, 13))
    daily = first_events("last day", rng, 90, np.array([1, 7, 30, 365, 365, 365]))
    full = first_events("no censoring", rng, 60, np.arange(1, 15), (1, 2), (0.5, 0.5))
    late = first_events("entry", rng, 120, np.arange(4, 13))
    late["start"] = np.where(rng.random(120) < 0.5, 0, late["stop"] - rng.integers(1, 4, 120))
    weighted = first_events("weights", rng, 60, np.arange(1, 10))
    weighted["weight"] = rng.choice([0, 1, 2, 3], 60)
    uneven = first_events("codes", rng, 70, [0.5, 1, 10, 10.25, 700.5, 999.25], (0, 1, 3))
    lonely = first_events("one person", rng, 40, np.arange(2, 11))
    lonely["group"] = np.where(
        np.arange(40) == 0, "maintain", lonely["group"].replace("maintain", "abrupt")
    )
    lonely.loc[0, ["stop", "cause"]] = [20, 2]
    silent = first_events("eventless stratum", rng, 80, np.arange(1, 20))
    silent.loc[silent["stratum"] == "s2", "cause"] = 0
    states = [course("course", rng, 40, False), course("late course", rng, 60, True)]
    frames = [ties, daily, full, late, weighted, uneven, lonely, silent, *states]
    return pd.concat(frames)[COLUMNS]


@cache
def case_data(case):
    data = pd.read_csv(REFERENCE / "survival_competing_data.csv")
    return data[data["case"] == case].reset_index(drop=True)


@cache
def numbers():
    return pd.read_csv(REFERENCE / "survival_competing.csv")


def values_of(case, quantity):
    """What R found: a list of (parts of the name, value)."""
    here = numbers()[numbers()["case"] == case]
    named = zip(here["quantity"], here["value"], strict=True)
    pairs = [(name.split("|"), value) for name, value in named]
    found = [(parts[1:], value) for parts, value in pairs if parts[0] == quantity]
    assert found, (case, quantity)
    return found


if __name__ == "__main__":
    make_data().to_csv(REFERENCE / "survival_competing_data.csv", index=False)
