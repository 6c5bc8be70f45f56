"""Made-up trials of two arms, shared by the tests of the bias measures."""

import numpy as np
import pandas as pd

YEAR = 365.0


def arm(random, people, rate, early_hazard=0.0, early=84.0, dropout=0.25, frailty=0.0, end=364.0):
    """Relapse at a constant rate per year; withdrawal of a total hazard spread before `early`."""
    share = random.gamma(1 / frailty, frailty, people) if frailty else np.ones(people)
    relapse = random.exponential(YEAR / rate, people) / share
    withdrawal = np.full(people, np.inf)
    if early_hazard:
        draws = random.exponential(early / early_hazard, people)
        withdrawal = np.where(draws < early, draws, np.inf)
    leave = np.minimum(random.exponential(YEAR / dropout, people), end)
    first = np.minimum(relapse, withdrawal)
    event = first <= leave
    return pd.DataFrame(
        {
            "time": np.minimum(first, leave),
            "event": event.astype(int),
            "withdrawal": event & (withdrawal < relapse),
            "ended": np.where(event, None, np.where(leave < end, "dropout", "completed")),
        }
    )


def trial(seed, people=300, rate=0.3, ratio=2.0, early_hazard=0.0, **more):
    random = np.random.default_rng(seed)
    return (
        arm(random, people, rate, **more),
        arm(random, people, ratio * rate, early_hazard, **more),
    )


def lung(shared_data):
    """Women as the continued arm and men as the stopped one, as in the worked checks."""
    data = pd.read_csv(shared_data / "reference-survival" / "lung.csv")
    data = data.assign(event=(data["status"] == 2).astype(int))[["time", "event", "sex"]]
    return data[data["sex"] == 2], data[data["sex"] == 1]
