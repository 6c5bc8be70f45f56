"""Estimands of a dataset: what may be answered, how events are counted, and known answers."""

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from discontinuation.describe.given import complete
from discontinuation.estimands.comparisons import window_days
from discontinuation.estimands.event_times import event_times
from discontinuation.estimands.of_dataset import Setting, survive_dataset
from discontinuation.estimands.question import read_questions
from discontinuation.ingest.dataset import load_dataset
from discontinuation.ingest.declaration import find_declaration, read_declaration
from discontinuation.problems import InvalidInput
from discontinuation.survival import cox, kaplan_meier

WITHDRAWAL = {"E1": "composite", "E7": "composite", "E4": "hypothetical"}


def estimand(name, **strategies):
    """An estimand that handles everything, or what is given."""
    usual = {
        "withdrawal_syndrome": WITHDRAWAL.get(name, "competing_risk"),
        "reinstatement": "composite",
        "dropout": "missing_data",
        "death": "competing_risk",
        "rescue": "while_on",
    }
    handled = {**usual, **strategies}
    return {
        "id": name,
        "population": "everybody",
        "treatment": {"A": "continue", "B": "stop"},
        "variable": "getting worse",
        "summary": "risk",
        "intercurrent_events": [
            {"event": event, "strategy": how} for event, how in handled.items() if how
        ],
    }


def trial(rows, arms=(("A", "maintain"), ("B", "abrupt"))):
    """Rows of person, arm, end, end_reason, day of deterioration, cause."""
    frame = pd.DataFrame(rows, columns=["person", "arm", "end", "end_reason", "worse", "cause"])
    worse = frame.dropna(subset=["worse"])
    return {
        "studies": pd.DataFrame(
            {"study": ["s"], "allocation_randomised": [True], "pace_randomised": [True]}
        ),
        "arms": pd.DataFrame(
            [{"study": "s", "arm": arm, "strategy": how} for arm, how in arms]
        ).assign(taper_days=np.nan),
        "people": frame[["person", "arm"]].assign(study="s"),
        "follow_up": frame[["person", "end", "end_reason"]].assign(start=0.0),
        "deteriorations": pd.DataFrame(
            {
                "person": worse["person"],
                "definition": "d",
                "episode": 1,
                "onset": worse["worse"],
                "detected": worse["worse"],
                "adjudicated": worse["cause"],
                "reinstated": np.nan,
                "source": "reported",
            }
        ),
    }


FOUR = [
    ("a1", "A", 100.0, "completed", None, None),
    ("a2", "A", 60.0, "event", 60.0, "relapse"),
    ("b1", "B", 20.0, "event", 20.0, "withdrawal"),
    ("b2", "B", 40.0, "reinstated", None, None),
    ("b3", "B", 90.0, "lost", None, None),
]


@pytest.fixture(scope="module")
def example():
    folder = [ROOT / "config" / "datasets"]
    declaration = read_declaration(find_declaration("example_trial", folder))
    tables = load_dataset(declaration, ROOT).tables
    return declaration.content["estimands"], tables


def times_of(name, rows=FOUR, causes=None, **strategies):
    (question,) = read_questions([estimand(name, **strategies)])
    found = event_times(question, complete(trial(rows)), "d", causes)
    return found.people.set_index("person")[["time", "event", "cause"]]


def test_each_strategy_counts_an_intercurrent_event_as_it_says():
    composite = times_of("E1")
    assert composite.loc["b2"].tolist() == [40.0, 1, "deterioration"]
    assert composite.loc["b3", "event"] == 0
    censored = times_of("E1", reinstatement="while_on")
    assert censored.loc["b2", ["time", "event"]].tolist() == [40.0, 0]
    failure = times_of("E1", dropout="composite")
    assert failure.loc["b3", ["time", "event"]].tolist() == [90.0, 1]


def test_causes_are_kept_apart_and_closed_as_declared():
    causes = pd.Series({"a2": "relapse", "b1": "withdrawal"})
    crude = times_of("E2", causes=causes)
    assert crude["cause"].dropna().to_dict() == {
        "a2": "relapse",
        "b1": "withdrawal",
        "b2": "reinstatement",
    }
    closed = times_of("E4", causes=causes)
    assert closed.loc["b1", ["time", "event"]].tolist() == [20.0, 0]


def test_what_is_undeclared_is_refused_with_who_it_happened_to():
    declared = [estimand("E1", reinstatement=None)]
    survived = survive_dataset(declared, trial(FOUR), Setting("d"))
    assert survived.estimates.empty
    table = survived.estimand_table.set_index(["estimand", "attribute"])["value"]
    assert "reinstatement (1 people)" in table["E1", "status"]
    assert table["E1", "status"].startswith("refused")
    assert table["E2", "status"] == "not declared, so not estimated"


@pytest.mark.parametrize(
    ("name", "strategies", "said"),
    [
        ("E1", {"withdrawal_syndrome": "competing_risk"}, "counts every deterioration"),
        ("E2", {"withdrawal_syndrome": "composite"}, "competing_risk"),
        ("E4", {"withdrawal_syndrome": "composite"}, "hypothetical"),
        ("E5", {}, "dismissible components"),
        ("E8", {}, "principal stratum"),
    ],
)
def test_contradictions_and_what_is_not_identified_are_refused(name, strategies, said):
    survived = survive_dataset([estimand(name, **strategies)], trial(FOUR), Setting("d"))
    table = survived.estimand_table.set_index(["estimand", "attribute"])["value"]
    assert said in table[name, "status"]
    assert survived.estimates.empty


def test_numbers_are_those_of_the_survival_room(example):
    declared, tables = example
    survived = survive_dataset(declared, tables, Setting("recorded_by_the_trial", ("checklist_4",)))
    found = survived.estimates
    (question,) = [q for q in read_questions(declared) if q.estimand == "E1"]
    people = event_times(question, complete(tables), "recorded_by_the_trial").people
    b = people.loc[people["arm"] == "B"]
    risk = 1 - kaplan_meier(b["time"], b["event"]).at([252])["survival"].iloc[0]
    chosen = (
        found.loc[
            (found["estimand"] == "E1")
            & (found["comparison"] == "abrupt vs maintain")
            & (found["clock"] == "randomisation")
            & (found["window_to"] == 252)
        ]
        .set_index(["measure", "group"])
        .sort_index()
    )
    assert chosen.loc[("risk", "abrupt"), "estimate"].iloc[0] == pytest.approx(risk, rel=1e-12)
    two = people.loc[people["arm"].isin(["A", "B"])].assign(arm=lambda t: (t["arm"] == "B") * 1)
    ratio = cox("arm", two).summary["hazard_ratio"].iloc[0]
    whole = chosen.loc["hazard ratio"]
    whole = whole.loc[(whole["window_from"] == 0) & (whole["adjusted"] == "")]
    assert whole["estimate"].iloc[0] == pytest.approx(ratio, rel=1e-10)


def test_windows_add_up_and_causes_do_too(example):
    declared, tables = example
    survived = survive_dataset(declared, tables, Setting("recorded_by_the_trial"))
    found = survived.estimates
    keys = ["estimand", "comparison", "clock"]
    for measure in ("mean time difference", "excess cumulative hazard"):
        for _, rows in found.loc[found["measure"] == measure].groupby(keys):
            whole = rows.loc[rows["window_to"] - rows["window_from"] == rows["window_to"].max()]
            parts = rows.drop(index=whole.index)
            if len(parts):
                total = parts["estimate"].sum()
                assert total == pytest.approx(whole["estimate"].iloc[0], abs=1e-9)
    curves = survived.curves
    causes = curves.loc[curves["estimand"] == "E2"].groupby(["arm", "time"])["probability"].sum()
    free = curves.loc[curves["estimand"] == "E1"].set_index(["arm", "time"])["probability"]
    both = pd.concat([causes, free], axis=1).dropna()
    np.testing.assert_allclose(both.sum(axis=1), 1, atol=1e-12)


def test_neither_clock_starts_for_one_arm_alone(example):
    declared, tables = example
    found = survive_dataset(declared, tables, Setting("recorded_by_the_trial")).estimates
    e1 = found.loc[found["estimand"] == "E1"]
    clocks = e1.groupby("comparison")["clock"].unique()
    assert set(clocks["abrupt vs gradual"]) == {"randomisation", "last dose change"}
    assert set(clocks["abrupt vs maintain"]) == {"randomisation"}
    late = e1.loc[(e1["clock"] == "last dose change") & (e1["measure"] == "risk")]
    assert (late["people"] < 80).all()


def test_success_of_stopping_is_failure_for_whoever_still_takes_the_drug(example):
    declared, tables = example
    found = survive_dataset(declared, tables, Setting("recorded_by_the_trial")).estimates
    e7 = found.loc[found["estimand"] == "E7"]
    assert set(e7["comparison"]) == {"abrupt vs gradual"}
    e1 = found.loc[(found["estimand"] == "E1") & (found["comparison"] == "abrupt vs gradual")]

    def risk(table):
        end = (table["measure"] == "risk") & (table["window_to"] == 252)
        return table.loc[end & (table["clock"] == "randomisation")].set_index("group")["estimate"]

    assert (risk(e7) >= risk(e1) - 1e-12).all()


def test_a_trial_without_an_effect_shows_none():
    stream = np.random.default_rng(7)
    time = stream.exponential(200, 400)
    rows = [
        (f"p{n}", "AB"[n % 2], min(t, 150.0), "event" if t < 150 else "completed",
         t if t < 150 else None, None)
        for n, t in enumerate(time)
    ]  # fmt: skip
    found = survive_dataset([estimand("E1")], trial(rows), Setting("d")).estimates
    tested = found.loc[found["measure"].isin(["risk difference", "hazard ratio", "log-rank"])]
    assert len(tested) > 4
    assert (tested["p_value"].dropna() > 0.01).all()


def test_small_counts_are_blank(example):
    declared, tables = example
    setting = Setting("recorded_by_the_trial", smallest_cell=30)
    found = survive_dataset(declared, tables, setting).estimates
    shown = found.loc[found["estimate"].notna()]
    counts = shown[["people", "people_reference", "events", "events_reference"]]
    assert ((counts == 0) | (counts >= 30)).all().all()


def test_settings_are_checked_all_at_once(example):
    declared, tables = example
    with pytest.raises(InvalidInput) as refused:
        survive_dataset(declared, tables, Setting("recorded", covariates=("agee", "sex")))
    said = str(refused.value)
    assert "did you mean 'age'" in said
    assert "recorded_by_the_trial" in said


def test_window_is_five_half_lives_and_three_adaptation_times():
    assert window_days(1.0, 14.0) == 47
    assert window_days(None, 14.0) == 42
