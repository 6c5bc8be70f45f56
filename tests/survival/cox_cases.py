"""Small data for the Cox tests, nasty on purpose; `python cox_cases.py` writes them."""

from pathlib import Path

import numpy as np
import pandas as pd

REFERENCE = Path(__file__).parents[1] / "reference"
DATA = REFERENCE / "survival_cox_data.csv"
SEED = 20261


def make():
    """Make every case; R reads the same file."""
    rng = np.random.default_rng(SEED)
    cases = [
        people(rng, "ties", 60, times=lambda n: rng.integers(1, 8, n)),
        people(rng, "entry", 70, times=lambda n: rng.integers(1, 15, n) + 4, late=True),
        people(rng, "gaps", 45, times=lambda n: np.round(rng.exponential(40, n) ** 1.3 + 0.01, 2)),
        people(rng, "last", 30, times=lambda n: np.minimum(rng.integers(1, 20, n), 9)),
        separated(people(rng, "separated", 40, times=lambda n: rng.integers(1, 12, n))),
        recurrent(rng),
    ]
    table = pd.concat(cases, ignore_index=True)
    whole = ["entry", "event", "z", "stratum", "cluster", "count", "person"]
    return table.astype(dict.fromkeys(whole, int))


def people(rng, case, n, times, late=False):
    x = np.round(rng.normal(size=n), 2)
    stratum = rng.integers(1, 5, n)
    arm = rng.choice(["abrupt", "taper", "maintain"], n)
    arm[arm == "maintain"] = "abrupt"
    arm[: n // 3] = "maintain"
    time = times(n)
    event = (rng.random(n) < 0.7).astype(int)
    event[stratum == 4] = 0  # a stratum without events
    if case == "last":
        event[time == 9] = np.arange((time == 9).sum()) % 2  # events and censorings on the last day
        arm[arm == "maintain"] = "abrupt"
        arm[0], event[0], time[0] = "maintain", 1, 4  # a group with one person
    table = pd.DataFrame({"case": case, "person": np.arange(n), "entry": 0, "time": time})
    if late:
        table["entry"] = rng.integers(0, 5, n)
    return table.assign(
        event=event,
        x=x,
        z=rng.integers(0, 2, n),
        arm=arm,
        stratum=stratum,
        cluster=rng.integers(1, 11, n),
        count=rng.integers(0, 4, n),
        weight=np.round(rng.uniform(0.2, 3, n), 2) * (rng.random(n) < 0.9),
        offset=np.round(rng.normal(scale=0.3, size=n), 2),
    )


def separated(table):
    """Nobody with z = 1 has the event: the likelihood has no maximum."""
    return table.assign(event=table["event"].where(table["z"] == 0, 0))


def recurrent(rng):
    rows = []
    for person in range(40):
        x, z = round(rng.normal(), 2), int(rng.integers(0, 2))
        start, arm = 0, "abrupt" if person % 2 else "taper"
        for _ in range(int(rng.integers(1, 5))):
            end = start + int(rng.integers(1, 10))
            rows.append((person, start, end, 1, x, z, arm))
            start = end
        rows[-1] = (*rows[-1][:3], int(rng.random() < 0.3), *rows[-1][4:])
    names = ["person", "entry", "time", "event", "x", "z", "arm"]
    table = pd.DataFrame(rows, columns=names).assign(case="recurrent", stratum=1, offset=0.0)
    return table.assign(cluster=table["person"] % 8, count=1, weight=1.0)


def case(name):
    """Read one case as the tests use it."""
    table = pd.read_csv(DATA)
    table = table[table["case"] == name].reset_index(drop=True)
    return table.assign(arm=pd.Categorical(table["arm"]).remove_unused_categories())


if __name__ == "__main__":
    make().to_csv(DATA, index=False)
