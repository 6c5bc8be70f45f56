"""The bundled example is what its generator writes, and its files agree with each other."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT, variables
from discontinuation.design.example import write_example
from discontinuation.design.example_cases import CASES, daily_strengths
from discontinuation.design.example_trial import SCENARIO
from discontinuation.design.expected import expected_curves, expected_excess_share
from discontinuation.design.ratings import CHECKLIST, DEPRESSION_SCALE

EXAMPLE = ROOT / "data" / "example"
CORE = [f"hamd_{item}" for item in (1, 2, 3, 7, 8)]


def read(name):
    return pd.read_csv(EXAMPLE / name, keep_default_na=False, dtype=str)


def numbers(column):
    return pd.to_numeric(column.replace("", np.nan))


@pytest.fixture(scope="module")
def trial():
    """Files of the trial, their dates as days since randomisation."""
    names = ("people", "plans", "dose_log", "visits_wide", "events", "dispositions")
    files = {name: read(f"trial/{name}.csv") for name in names}
    origin = pd.to_datetime(files["people"].set_index("id")["randomised"])
    for file, column, form in (
        ("dose_log", "date", "%Y-%m-%d"),
        ("visits_wide", "date", "%Y-%m-%d"),
        ("dispositions", "last_contact", "%d/%m/%Y"),
        *(("events", name, "%Y-%m-%d") for name in files["events"].columns[2:8]),
    ):
        frame = files[file]
        dates = pd.to_datetime(frame[column].replace("", None), format=form)
        frame[column] = (dates - frame["id"].map(origin)).dt.days
    return files


# --- the generator


def test_committed_files_are_what_the_generator_writes(tmp_path):
    written = {path.relative_to(tmp_path): path.read_bytes() for path in write_example(tmp_path)}
    committed = {
        path.relative_to(EXAMPLE): path.read_bytes()
        for path in EXAMPLE.rglob("*")
        if path.is_file()
    }
    assert set(committed) == set(written)
    assert [name for name in written if written[name] != committed[name]] == []
    assert not any(b"\r" in content for content in written.values())
    assert sum(map(len, written.values())) < 1_500_000


def test_command_writes_the_same_in_a_process_of_its_own(tmp_path):
    command = [sys.executable, "-m", "discontinuation.design.example", str(tmp_path / "new")]
    done = subprocess.run(command, env=variables(PYTHONHASHSEED="5"), capture_output=True)
    assert done.returncode == 0, done.stderr
    name = "trial/visits_wide.csv"
    assert (tmp_path / "new" / name).read_bytes() == (EXAMPLE / name).read_bytes()


def test_command_without_a_folder_says_what_it_needs():
    command = [sys.executable, "-m", "discontinuation.design.example"]
    done = subprocess.run(command, env=variables(), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Name one folder")


def test_page_labels_every_file_and_states_the_truth():
    page = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLE.rglob("*.csv"):
        heading = f"`{path.relative_to(EXAMPLE).as_posix()}`"
        (line,) = [line for line in page.splitlines() if line.startswith(f"### {heading}")]
        assert "Synthetic" in line
    share = expected_excess_share(expected_curves(SCENARIO), "B", "A", SCENARIO.horizon_days)
    assert f"| {share.hazard:.4f} | {share.net:.4f} |" in page


# --- the trial


def test_every_file_speaks_of_the_same_people_once(trial):
    ids = set(trial["people"]["id"])
    assert len(ids) == len(trial["people"]) == 240
    assert trial["people"]["arm"].value_counts().to_dict() == {"A": 80, "B": 80, "C": 80}
    for name in ("dose_log", "visits_wide", "dispositions"):
        assert set(trial[name]["id"]) == ids
    assert set(trial["events"]["id"]) < ids
    assert not trial["visits_wide"].duplicated(["id", "date"]).any()
    assert not trial["dose_log"].duplicated(["id", "date"]).any()
    assert not trial["dispositions"].duplicated("id").any()
    assert not trial["events"].duplicated(["id", "nr"]).any()


def test_nothing_happens_after_the_last_contact(trial):
    last = trial["dispositions"].set_index("id")["last_contact"]
    assert (trial["visits_wide"]["date"] <= trial["visits_wide"]["id"].map(last)).all()
    assert (trial["dose_log"]["date"] < trial["dose_log"]["id"].map(last).clip(lower=1)).all()
    for column in ("recorded", "restarted", "resolved"):
        assert not (trial["events"][column] > trial["events"]["id"].map(last)).any()


def test_events_lie_between_the_visits_they_name(trial):
    events = trial["events"]
    assert (events["last_seen_well"] < events["first_seen_worse"]).all()
    assert (events["first_seen_worse"] < events["recorded"]).all()
    recalled = events[events["onset_recalled"].notna()]
    assert 0.7 < len(recalled) / len(events) < 0.9
    assert (recalled["onset_recalled"] >= recalled["last_seen_well"]).all()
    assert (recalled["onset_recalled"] <= recalled["first_seen_worse"]).all()
    seen = set(zip(trial["visits_wide"]["id"], trial["visits_wide"]["date"], strict=True))
    for column in ("last_seen_well", "first_seen_worse", "recorded"):
        assert set(zip(events["id"], events[column], strict=True)) <= seen
    watched = events["restarted"].notna()
    assert (events.loc[watched, "still_ill"] != "").all()
    assert (events.loc[~watched, "still_ill"] == "").all()
    assert (events["resolved"].notna() == (events["still_ill"] == "no")).all()
    ended = trial["dispositions"].set_index("id")["ended"].loc[events["id"]].to_numpy()
    assert (ended == np.where(watched, "restarted the drug", "deteriorated")).all()


def test_true_onsets_lie_where_the_events_say(trial):
    truth = read("truth.csv").query("part == 'trial'")
    recorded = truth[truth["recorded"] == "yes"]
    assert set(recorded["person"]) == set(trial["events"]["id"])
    both = trial["events"].merge(recorded, left_on="id", right_on="person")
    onset = numbers(both["onset_day"])
    assert (both["last_seen_well"] <= onset).all()
    assert (onset <= both["first_seen_worse"]).all()
    assert set(recorded["cause"]) == {"withdrawal", "relapse"}
    arm = trial["people"].set_index("id")["arm"]
    assert "withdrawal" not in set(both.loc[both["id"].map(arm) == "A", "cause"])


def test_counts_by_cause_are_what_the_scenario_expects(trial):
    """Dropout and the 14 days an episode must last lower the counts by less than a fifth."""
    end = expected_curves(SCENARIO).query("day == 252").set_index("arm")
    truth = read("truth.csv").query("part == 'trial'")
    for cause in ("withdrawal", "relapse"):
        expected = 80 * end[f"crude_{cause}"].sum()
        found = (truth["cause"] == cause).sum()
        assert 0.8 * expected - 4 * np.sqrt(expected) < found < expected + 4 * np.sqrt(expected)


def test_doses_follow_the_plan_until_reinstatement(trial):
    plan = trial["plans"].assign(day=7 * numbers(trial["plans"]["from_week"]))
    arm = trial["people"].set_index("id")["arm"]
    restarted = trial["events"].set_index("id")["restarted"].dropna()
    planned = {(row.arm, row.day): float(row.dose_mg) for row in plan.itertuples()}
    for row in trial["dose_log"].itertuples():
        if row.date == -180 or row.date == restarted.get(row.id):
            assert float(row.new_dose_mg) == 20
        else:
            assert float(row.new_dose_mg) == planned[arm[row.id], row.date]
    assert set(plan.loc[plan["arm"] == "A", "step"]) == {"sham"}
    assert plan.loc[plan["arm"] == "B", "step"].tolist() == ["real"] + ["sham"] * 12
    assert set(plan.loc[plan["arm"] == "C", "step"]) == {"real"}
    assert float(plan.loc[plan["arm"] == "C", "dose_mg"].iloc[-1]) == 0


def test_ratings_keep_to_their_ranges(trial):
    visits = trial["visits_wide"]
    for item in DEPRESSION_SCALE:
        allowed = {""} | {str(value) for value in range(item.largest + 1)}
        assert set(visits[f"hamd_{item.number}"]) <= allowed
    for question in CHECKLIST:
        assert set(visits[f"dess_{question.name}"]) <= {"0", "1", "2", "3", "9"}
    assert sum(item.largest for item in DEPRESSION_SCALE) == 52
    overlap = {4, 5, 6, 9, 10, 11, 12, 13, 16}
    assert sum(i.largest for i in DEPRESSION_SCALE if i.number in overlap) == 24


def test_withdrawal_reaches_the_scale_without_its_core(trial):
    """Domain 2.3: overlap items alone can carry a withdrawal episode over a threshold."""
    visits = trial["visits_wide"]
    scale = visits.filter(regex="^hamd").apply(numbers)
    seen = visits[["id", "date"]].assign(total=scale.sum(axis=1), core=scale[CORE].sum(axis=1))
    truth = read("truth.csv").query("part == 'trial'")
    at_event = (
        trial["events"]
        .merge(truth, left_on="id", right_on="person")
        .merge(seen, left_on=["id", "recorded_x"], right_on=["id", "date"])
    )
    mean = at_event.groupby("cause")[["total", "core"]].mean()
    assert mean.loc["withdrawal", "total"] > 14
    assert mean.loc["relapse", "total"] > 14
    assert mean.loc["withdrawal", "core"] < 4 < 7 < mean.loc["relapse", "core"]
    well = seen[~seen["id"].isin(truth["person"])]
    assert (well["total"] >= 14).mean() < 0.01


def test_visits_and_items_are_missing_but_never_the_last_visit(trial):
    visits = trial["visits_wide"]
    last = trial["dispositions"].set_index("id")["last_contact"]
    planned = (last // 7 + 1).sum()
    assert 0.02 < 1 - len(visits) / planned < 0.08
    assert (visits.groupby("id")["date"].max() >= last - 6).all()
    assert (visits.filter(regex="^hamd") == "").to_numpy().mean() == pytest.approx(0.01, abs=0.004)
    assert (visits.filter(regex="^dess") == "9").to_numpy().mean() == pytest.approx(0.02, abs=0.004)


# --- the case series


def test_case_series_has_the_stories_it_promises():
    episodes = read("cases/episodes.csv")
    truth = read("truth.csv").query("part == 'cases'").set_index("person")
    assert truth.loc["case-3", "cause"] == "none"
    assert "case-3" not in set(episodes["person"])
    protracted = episodes[(episodes["person"] == "case-2") & (episodes["nr"] == "2")].iloc[0]
    assert int(protracted["resolved_day"]) - int(protracted["onset_day"]) > 180
    assert truth.loc[["case-1"], "cause"].tolist() == ["withdrawal", "withdrawal"]
    assert truth.loc[["case-5"], "cause"].tolist() == ["withdrawal", "relapse"]
    assert truth.loc["case-4", "cause"] == "relapse"
    assert sum(len(case.attempts) > 1 for case in CASES) >= 4


def test_case_files_agree_with_each_other():
    people = read("cases/people.csv").set_index("person")
    last = numbers(people["last_day"])
    diary, doses, episodes = (read(f"cases/{name}.csv") for name in ("diary", "doses", "episodes"))
    for frame in (diary, doses):
        assert set(frame["person"]) == set(people.index)
        assert not frame.duplicated(["person", "day"]).any()
        assert (numbers(frame["day"]) <= frame["person"].map(last)).all()
    for column in ("onset_day", "told_day", "restarted_day", "resolved_day"):
        assert not (numbers(episodes[column]) > episodes["person"].map(last)).any()
    assert (numbers(episodes["onset_day"]) <= numbers(episodes["told_day"])).all()
    assert not (numbers(episodes["resolved_day"]) < numbers(episodes["restarted_day"])).any()
    values = diary.drop(columns=["person", "day"]).apply(numbers)
    assert values.isin(range(11)).all(axis=None)
    changes = {(row.person, int(row.day)) for row in doses.itertuples()}
    restarted = episodes[episodes["restarted_day"] != ""]
    assert {(row.person, int(row.restarted_day)) for row in restarted.itertuples()} <= changes


def test_diaries_show_the_cause_of_each_bout():
    diary = read("cases/diary.csv")
    for case in CASES:
        mine = diary[diary["person"] == case.person].drop(columns="person").apply(numbers)
        withdrawal, relapse = (strength[mine["day"]] for strength in daily_strengths(case))
        if (withdrawal > 0.3).any():
            strong = mine[withdrawal > 0.3].mean()
            assert strong["dizziness"] > strong["no_interest"]
            assert strong["shocks"] > 3 * mine[withdrawal < 0.02]["shocks"].mean()
        if (relapse > 0.8).any():
            ill = mine[relapse > 0.8].mean()
            assert ill["low_mood"] > 5
            assert ill["shocks"] < 1
