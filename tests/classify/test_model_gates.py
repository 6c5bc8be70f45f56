"""The gates: how they judge, and that none fails on a few trials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from discontinuation.classify import run_gates
from discontinuation.classify.gate_measures import truth_of
from discontinuation.classify.gate_scenarios import beyond_prototype, gate_scenarios
from discontinuation.classify.gates import COLUMNS, judge, measure, verdict
from discontinuation.design.expected import expected_curves
from discontinuation.problems import InvalidInput


@pytest.mark.parametrize(
    ("value", "mcse", "low", "high", "expected"),
    [
        (0.95, 0.005, 0.93, 0.97, "pass"),
        (0.941, 0.005, 0.93, 0.97, "pass"),
        (0.935, 0.005, 0.93, 0.97, "inconclusive"),
        (0.925, 0.005, 0.93, 0.97, "inconclusive"),
        (0.919, 0.005, 0.93, 0.97, "fail"),
        (0.981, 0.005, 0.93, 0.97, "fail"),
        (0.02, 0.0, None, 0.02, "pass"),
        (0.0201, 0.0, None, 0.02, "fail"),
        (np.nan, np.nan, 0.9, None, "inconclusive"),
    ],
)
def test_verdicts(
    value: float, mcse: float, low: float | None, high: float | None, expected: str
) -> None:
    assert verdict(value, mcse, low, high) == expected


def test_scenarios_are_what_their_names_say() -> None:
    assert truth_of("F_W 0.03")["F_W"] == pytest.approx(0.03, abs=1e-9)
    assert truth_of("X19")["F_W"] == pytest.approx(0.24, abs=1e-9)
    assert truth_of("S1")["psi_net"] == 0
    assert truth_of("S2")["psi_H"] == pytest.approx(1.0)
    # The dossier's own base truths (methods 9).
    assert truth_of("S0")["psi_H"] == pytest.approx(0.6601, abs=5e-5)
    assert truth_of("S0")["psi_net"] == pytest.approx(0.6119, abs=5e-5)


def test_the_fairness_pair_has_the_timing_it_is_named_after() -> None:
    few = expected_curves(gate_scenarios()["few early"])
    stopped = few[few["arm"] == "abrupt"].set_index("day")
    any_cause = 1 - stopped["event_free"]
    assert any_cause[14] / any_cause[238] == pytest.approx(0.06, abs=0.03)
    most = expected_curves(gate_scenarios()["most early"])
    free = most.pivot_table(index="day", columns="arm", values="event_free")
    gap = free["maintain"] - free["abrupt"]
    assert gap[56] / gap[364] == pytest.approx(0.8, abs=1e-6)


def test_a_few_trials_fail_no_gate() -> None:
    names = ["S0", "S1", "S9", "X13", "F_W 0.03"]
    table = run_gates(3, 5, names)
    assert list(table.columns) == COLUMNS
    assert set(table["passed"]) <= {"pass", "fail", "inconclusive", ""}
    assert not (table["passed"] == "fail").any()
    exact = table[table["gate"].isin(["G8", "G13", "G14", "G15"])]
    assert (exact["passed"] == "pass").all()
    assert len(exact) == 6


def test_a_long_run_may_be_cut_and_put_together() -> None:
    whole = measure(["S1"], range(3), 2)
    parts = [measure(["S1"], numbers, 2) for numbers in ([0], [1, 2])]
    trials, events = (pd.concat(part, ignore_index=True) for part in zip(*parts, strict=True))
    pd.testing.assert_frame_equal(whole[0].drop(columns="seconds"), trials.drop(columns="seconds"))
    one, two = judge(*whole, 1), judge(trials, events, 1)
    timed = one["gate"] != "time"
    pd.testing.assert_frame_equal(one[timed], two[timed])


def test_a_wrong_model_fails_its_gate() -> None:
    trials, events = measure(["S1"], range(4), 2)
    table = judge(trials.assign(F_W=0.3 + 0.001 * np.arange(4)), events, 1)
    row = table[(table["gate"] == "G3") & (table["quantity"] == "mean F_W")]
    assert row["passed"].tolist() == ["fail"]


def test_either_way_passes_the_second_half_of_g10() -> None:
    trials = pd.DataFrame(
        {
            "scenario": "S8",
            "F_W": truth_of("S8")["F_W"],
            "slow_lower": 0.5,
            "slow_upper": 0.6,
            "misfit": [False] * 300,
            "largest_fall": 0.0,
            "converged": True,
            "seconds": 1.0,
        }
    )
    events = pd.DataFrame({"scenario": ["S8"], "replicate": [0]})
    for covered, expected in ((True, "pass"), (False, "fail")):
        moved = trials if covered else trials.assign(slow_lower=0.59)
        table = judge(moved, events, 1).set_index("quantity")
        assert table.loc["of these two, how many pass", "passed"] == expected
        assert table.loc["window check flags misfit", "passed"] == ""


def test_bad_requests_are_refused_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        run_gates(1, 1, ["S99"])
    assert "2 problems" in str(caught.value)


def test_no_scenario_has_two_meanings() -> None:
    assert set(beyond_prototype()) < set(gate_scenarios())
