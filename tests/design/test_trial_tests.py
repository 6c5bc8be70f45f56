"""Tests of many trials at once equal the plain functions, and R."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from discontinuation.design.day_tables import cells, draw_tables, expected_counts
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.design.trial_tests import (
    Pair,
    cox_wald,
    drift,
    drifts,
    drive_test,
    hazard_contrast,
    log_rank,
    mean_time,
    omnibus,
    omnibus_drift,
    pair_of,
    plain_tests,
    risk_by,
    risk_difference,
)
from discontinuation.survival import cox, kaplan_meier, logrank, nelson_aalen, rmst

SCENARIO = Scenario(
    arms=(
        Arm("maintain", "maintain"),
        Arm("abrupt", "abrupt"),
        Arm("taper", "taper", taper_days=112),
    ),
    horizon_days=364,
)


@pytest.fixture(scope="module")
def tables():
    return draw_tables(cells(SCENARIO), (120, 120, 120), 4, np.random.default_rng(5))


def people_of(tables, trial, arms=(0, 1, 2)):
    """One row per person of a table."""
    rows = []
    for arm in arms:
        events, at_risk = tables.any[trial, :, arm], tables.at_risk[trial, :, arm]
        leaving = at_risk - np.append(at_risk[1:], 0)
        for day, event, left in zip(tables.day, events, leaving, strict=True):
            rows += [(day, 1, arm)] * int(event) + [(day, 0, arm)] * int(left - event)
    return pd.DataFrame(rows, columns=["time", "event", "arm"])


def test_each_test_is_the_public_one(tables):
    pair = pair_of(tables.day, tables.any, tables.at_risk, 1, 2)
    for trial in range(len(tables.at_risk)):
        people = people_of(tables, trial, (1, 2))
        time, event, arm = people["time"], people["event"], people["arm"]
        for rho, gamma in ((0, 0), (1, 0), (0, 1)):
            z = logrank(time, event, arm, rho=rho, gamma=gamma).z
            assert log_rank(pair, rho, gamma)[trial] == pytest.approx(z, rel=1e-9)
        model = cox("arm", people)
        assert cox_wald(pair)[trial] == pytest.approx(model.summary["z"].iloc[0], rel=1e-6)
        means = rmst(time, event, arm, horizon=300)
        z = -float(means.difference[0] / means.difference_se[0])
        assert mean_time(pair, 300.0)[trial] == pytest.approx(z, rel=1e-9)
        later = people.loc[time > 112]
        z = logrank(later["time"], later["event"], later["arm"]).z
        assert log_rank(pair.after(112))[trial] == pytest.approx(z, rel=1e-9)


def test_risks_and_hazards_are_the_public_ones(tables):
    pair = pair_of(tables.day, tables.any, tables.at_risk, 1, 2)
    difference, variance = risk_by(pair, 250)
    contrast, spread = hazard_contrast({"any": pair}, {"any": 1.0}, 250)
    for trial in range(len(tables.at_risk)):
        at = []
        for arm in (1, 2):
            people = people_of(tables, trial, (arm,))
            curve = kaplan_meier(people["time"], people["event"])
            hazard = nelson_aalen(people["time"], people["event"])
            last = np.searchsorted(curve.time, 250, side="right") - 1
            at.append((curve.survival[last], curve.se[last], hazard.cumulative_hazard[last]))
        assert difference[trial] == pytest.approx(at[0][0] - at[1][0], rel=1e-9)
        assert variance[trial] == pytest.approx(at[0][1] ** 2 + at[1][1] ** 2, rel=1e-9)
        assert contrast[trial] == pytest.approx(at[1][2] - at[0][2], rel=1e-9)
    assert risk_difference(pair, 250) == pytest.approx(difference / np.sqrt(variance))
    assert (spread > 0).all()


def test_all_arms_together_are_the_public_log_rank(tables):
    for trial, statistic in enumerate(omnibus(tables.any, tables.at_risk)):
        people = people_of(tables, trial)
        found = logrank(people["time"], people["event"], people["arm"])
        assert statistic == pytest.approx(found.statistic, rel=1e-9)


def test_trial_without_events_gives_no_z():
    day = np.arange(1.0, 5)
    nothing = Pair(day, np.zeros((1, 4, 2)), np.full((1, 4, 2), 10.0))
    for name, test in plain_tests(4.0, 2.0).items():
        assert np.isnan(test(nothing)).all(), name
    three = np.full((1, 4, 3), 10.0)
    assert np.isnan(omnibus(np.zeros((1, 4, 3)), three)).all()
    flat = np.zeros((4, 3))
    assert np.isnan(drive_test(np.zeros((1, 4, 3)), three, flat, flat)).all()


def test_drift_follows_its_definition():
    """Methods G4 by hand on three days."""
    events = np.array([[[1.0, 2.0], [0.5, 0.5], [0.2, 0.1]]])
    at_risk = np.array([[[10.0, 10.0], [8.0, 7.0], [5.0, 5.0]]])
    total, share = events.sum(-1)[0], (at_risk[..., 1] / at_risk.sum(-1))[0]
    score = (events[0, :, 1] - total * share).sum()
    variance = (total * share * (1 - share)).sum()
    pair = Pair(np.arange(1.0, 4), events, at_risk)
    assert drift(pair)[0] == pytest.approx(score / np.sqrt(variance), rel=1e-12)
    assert omnibus_drift(events, at_risk)[0] == pytest.approx(score**2 / variance, rel=1e-12)


def test_drift_under_proportional_hazards_is_schoenfelds():
    """A weak constant ratio: events times the log ratio, share one half."""
    scenario = Scenario(
        arms=(Arm("kept", "maintain"), Arm("stopped", "abrupt")),
        alpha_per_day=0.0,
        relapse_ratio=1.05,
        half_life_days=0.01,
    )
    counts = expected_counts(scenario)
    total = counts.events.sum(axis=0)[None]
    pair = Pair(counts.day, total, counts.at_risk[None])
    expected = np.log(1.05) * np.sqrt(total.sum() / 4)
    for name in ("log-rank", "Cox"):
        found = drifts(364.0, 100.0)[name](pair)[0]
        assert found == pytest.approx(expected, rel=0.01), name


def test_drive_test_has_its_level_however_much_protection_matters():
    """The false evidence of methods G3, last rows, is gone: no withdrawal, HR 2.5, 26 weeks."""
    scenario = Scenario(
        arms=(
            Arm("maintain", "maintain"),
            Arm("abrupt", "abrupt"),
            Arm("taper", "taper", taper_days=182),
        ),
        horizon_days=546,
        alpha_per_day=0.0,
        relapse_ratio=2.5,
    )
    counts = expected_counts(scenario)
    drawn = draw_tables(cells(scenario), (250,) * 3, 1500, np.random.default_rng(2))
    z = drive_test(drawn.any, drawn.at_risk, counts.protection_loss, counts.drive**2)
    assert np.abs(z.mean()) < 0.1
    assert z.std() == pytest.approx(1, abs=0.07)
    assert (np.abs(z) > 1.96).mean() < 0.075
    plain = log_rank(pair_of(drawn.day, drawn.any, drawn.at_risk, 1, 2), 1.0, 0.0)
    assert (np.abs(plain) > 1.96).mean() > 0.4


@pytest.mark.r
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_drive_test_is_the_score_test_of_r(tmp_path):
    counts = expected_counts(SCENARIO)
    drawn = draw_tables(cells(SCENARIO), (60,) * 3, 1, np.random.default_rng(9))
    loss, drive = counts.protection_loss, counts.drive**2
    z = drive_test(drawn.any, drawn.at_risk, loss, drive)[0]
    rows = []
    for day, d, n, p, w in zip(drawn.day, drawn.any[0], drawn.at_risk[0], loss, drive, strict=True):
        for arm in range(3):
            rows += [(day - 1, day, int(i < d[arm]), p[arm], w[arm]) for i in range(int(n[arm]))]
    frame = pd.DataFrame(rows, columns=["start", "stop", "event", "p", "w"])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    script = """
    library(survival); d <- read.csv(commandArgs(TRUE)[1])
    one <- coxph(Surv(start, stop, event) ~ p, d, ties = "breslow")
    both <- coxph(Surv(start, stop, event) ~ p + w, d, ties = "breslow",
                  init = c(coef(one), 0), control = coxph.control(iter.max = 0))
    cat(format(both$score, digits = 15))
    """
    (tmp_path / "score.R").write_text(script)
    command = ["Rscript", str(tmp_path / "score.R"), str(tmp_path / "rows.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert z**2 == pytest.approx(float(done.stdout), rel=1e-6)


def test_power_by_formula_is_that_of_the_normal():
    pair = Pair(np.array([1.0]), np.array([[[0.2, 0.4]]]), np.array([[[1.0, 1.0]]]))
    z = drift(pair)[0] * np.sqrt(100)
    assert ndtr(z - 1.96) > 0.5
