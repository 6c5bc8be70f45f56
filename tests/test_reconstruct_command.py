"""`discontinuation reconstruct`: clicks and a risk table in, people, checks and an overlay out."""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.reconstruct_command import STATEMENT, add_arguments, run_reconstruct
from discontinuation.survival import kaplan_meier

ARMS = {"continued": 0.02, "stopped": 0.05}


def people(name):
    random = np.random.default_rng(7)
    event = random.exponential(1 / ARMS[name], 70)
    leaves = np.minimum(random.exponential(60, 70), 52.0)
    return np.minimum(event, leaves), (event <= leaves).astype(int)


@pytest.fixture
def files(tmp_path):
    clicks, tables = [], []
    for name in ARMS:
        time, event = people(name)
        curve = kaplan_meier(time, event).summary[["time", "survival"]]
        clicks.append(curve.assign(arm=name))
        rows = [(name, t, int((time >= t).sum())) for t in range(0, 52, 8)]
        tables.append(pd.DataFrame(rows, columns=["arm", "time", "at_risk"]))
    paths = tmp_path / "clicks.csv", tmp_path / "risk.csv"
    pd.concat(clicks).to_csv(paths[0], index=False)
    pd.concat(tables).to_csv(paths[1], index=False)
    return paths


def ask(*words, into):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run_reconstruct(parser.parse_args([*map(str, words), "--into", str(into)]))


def refused(*words, into):
    with pytest.raises(InvalidInput) as invalid:
        ask(*words, into=into)
    assert not into.exists()
    return str(invalid.value)


def test_both_arms_are_reconstructed_checked_and_drawn(files, tmp_path):
    clicks, risk = files
    totals = [f"{name}={people(name)[1].sum()}" for name in ARMS]
    into = tmp_path / "out"
    text = ask(
        clicks, "--at-risk", risk, "--events", *totals, "--window", 8, "--unit", "weeks", into=into
    )
    assert STATEMENT in text
    assert "70 people" in text and "accept     risk table" in text
    assert "hazard ratio, stopped over continued:" in text
    assert "error of reconstruction" in text
    found = pd.read_csv(into / "people.csv")
    assert found.groupby("arm")["event"].sum().to_dict() == pytest.approx(
        {name: people(name)[1].sum() for name in ARMS}, abs=2
    )
    repeats = pd.read_csv(into / "repeats.csv")
    assert list(repeats) == ["arm", "repeat", "time", "event"]
    assert repeats.groupby(["arm", "repeat"]).size().eq(70).all()
    assert repeats["repeat"].max() == 20
    table = pd.read_csv(into / "risk_table.csv")
    assert (table["published"] == table["reconstructed"]).all()
    quality = pd.read_csv(into / "quality.csv")
    assert set(quality["arm"]) == {*ARMS, "both arms"}
    assert "time (weeks)" in (into / "overlay.svg").read_text(encoding="utf-8")
    assert (into / "overlay.png").stat().st_size > 10_000
    assert all(f"wrote {path}" in text for path in into.iterdir())


def test_a_published_ratio_far_off_is_a_rejection_that_is_said(files, tmp_path):
    clicks, risk = files
    text = ask(clicks, "--at-risk", risk, "--hazard-ratio", "1", into=tmp_path / "out")
    assert "Rejected" in text and "rejected beyond 10%" in text


def test_people_of_a_rejected_arm_are_not_written(files, tmp_path):
    clicks, risk = files
    into = tmp_path / "out"
    text = ask(clicks, "--at-risk", risk, "--events", "stopped=20", into=into)
    assert "rejected, so their people are not written: stopped" in text
    assert set(pd.read_csv(into / "people.csv")["arm"]) == {"continued"}
    assert "rejected" in (into / "overlay.svg").read_text(encoding="utf-8")


def test_one_arm_needs_no_name(files, tmp_path):
    curve = pd.read_csv(files[0]).query("arm == 'stopped'")
    (100 * (1 - curve["survival"])).to_frame().assign(t=curve["time"])[["t", "survival"]].to_csv(
        tmp_path / "one.csv", index=False, header=False
    )
    risk = pd.read_csv(files[1]).query("arm == 'stopped'").drop(columns="arm")
    risk.to_csv(tmp_path / "risk_one.csv", index=False)
    total = str(people("stopped")[1].sum())
    text = ask(
        tmp_path / "one.csv", "--at-risk", tmp_path / "risk_one.csv", "--events", total,
        "--percent", "--rising", into=tmp_path / "out",
    )  # fmt: skip
    assert "Accepted" in text and f"{total} published" in text
    assert "hazard ratio" not in text


def test_every_problem_of_the_request_and_of_both_arms_is_named(files, tmp_path):
    clicks, risk = files
    wrong = pd.read_csv(clicks)
    wrong.loc[wrong.groupby("arm").tail(1).index, "survival"] = 0.99
    wrong.to_csv(clicks, index=False)
    text = refused(
        clicks, "--at-risk", risk, "--events", "stoped=20", "continued=2.5", "--repeats", "3",
        into=tmp_path / "out",
    )  # fmt: skip
    assert "did you mean 'stopped'?" in text
    assert "'continued=2.5': allowed: a whole number" in text
    assert text.count("20 or more") == 1
    for arm in ARMS:
        assert f"clicks of {arm}" in text and "rises" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "risk table of continued: is missing"),
        (("--repeats", "3"), "risk table of stopped: is missing"),
        (("--hazard-ratio", "-2"), "column hazard_ratio: '-2': allowed: a number above 0"),
    ],
)
def test_without_a_risk_table_nothing_is_written(files, tmp_path, words, said):
    assert said in refused(files[0], *words, into=tmp_path / "out")


def test_a_window_after_the_end_and_a_ratio_of_one_arm_are_refused(files, tmp_path):
    clicks, risk = files
    text = refused(clicks, "--at-risk", risk, "--window", "60", into=tmp_path / "out")
    assert "1 problem" in text and "up to the end of follow-up" in text
    only = pd.read_csv(clicks).query("arm == 'stopped'")
    only.to_csv(clicks, index=False)
    pd.read_csv(risk).query("arm == 'stopped'").to_csv(risk, index=False)
    text = refused(clicks, "--at-risk", risk, "--p-value", "0.01", into=tmp_path / "out")
    assert "needs a figure with two arms; this one has 1" in text


def test_a_risk_table_of_another_figure_is_refused(files, tmp_path):
    clicks, risk = files
    table = pd.read_csv(risk)
    table["arm"] = table["arm"].str.replace("stopped", "placebo")
    table.to_csv(risk, index=False)
    text = refused(clicks, "--at-risk", risk, into=tmp_path / "out")
    assert "'placebo': no arm of the figure has this name" in text
    assert "risk table of stopped: is missing" in text


def test_the_digitising_page_is_written(tmp_path):
    page = tmp_path / "pages" / "digitise.html"
    assert ask("--page", page, into=tmp_path / "out") == f"wrote {page}"
    assert "Everything stays on this computer" in page.read_text(encoding="utf-8")
    assert not (tmp_path / "out").exists()
    assert "has no use with --page" in refused("x.csv", "--page", page, into=tmp_path / "out")
    assert "--page FILE" in refused(into=tmp_path / "out")
