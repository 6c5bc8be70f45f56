"""A likelihood without a maximum is refused, and one with a maximum is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from discontinuation.problems import InvalidInput
from discontinuation.survival.cox_model import cox


def has_no_maximum(d, ties):
    """Whether some direction puts every event above everybody else who was at risk.

    With Efron's ties those include the others who have the event then; with exact ties not.
    """
    x = d[["u", "v"]].to_numpy()
    above = [
        x[i] - x[j]
        for i in np.flatnonzero(d["event"])
        for j in np.flatnonzero(d["time"] >= d["time"].iloc[i])
        if i != j
        and not (ties == "exact" and d["event"].iloc[j] and d["time"].iloc[j] == d["time"].iloc[i])
    ]
    if not above:
        return True
    above = np.array(above)
    found = linprog(
        -above.sum(axis=0), A_ub=-above, b_ub=np.zeros(len(above)), bounds=[(-1, 1)] * 2
    )
    return -found.fun > 1e-9


@settings(max_examples=150)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["efron", "breslow", "exact"]))
@example(180, "efron")  # separated by so little that sums of hazards cancel before it shows
def test_separation_is_what_linear_programming_says(seed, ties):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 16))
    d = pd.DataFrame({"u": rng.integers(0, 3, n), "v": rng.normal(size=n).round(1)})
    d["time"], d["event"] = rng.integers(1, 8, n), rng.integers(0, 2, n)
    try:
        found = cox("u + v", d, ties=ties)
    except InvalidInput as error:
        told = str(error)
    else:
        told = ""
        assert np.isfinite(found.coef).all()
    if any(words in told for words in ("nobody", "same for everybody", "combinations")):
        return
    assert ("no maximum" in told) == has_no_maximum(d, ties), told
