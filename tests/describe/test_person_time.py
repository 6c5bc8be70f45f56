"""Time at risk and events fall into the right phases, with exact intervals."""

import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from describe.small_trial import trial
from discontinuation.describe.exposure_phases import (
    doses_of_arms,
    doses_of_people,
    main_drugs,
)
from discontinuation.describe.flow import ALL
from discontinuation.describe.given import complete
from discontinuation.describe.person_time import (
    ANY_PHASE,
    observation_time,
    onset_known,
    person_time,
    poisson_rate,
)

YEARS = 36525.0  # days of 100 person-years


def test_rates_have_the_closed_form_without_events():
    rate, lower, upper = poisson_rate([0], [YEARS])
    assert rate == 0 and lower == 0
    assert upper == pytest.approx(-np.log(0.025), rel=1e-12)


def test_no_time_has_no_rate():
    assert np.isnan(np.stack(poisson_rate([0, 2], [0.0, 0.0]))).all()


@pytest.mark.r
@pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not on this machine")
def test_intervals_equal_those_of_r():
    events, days = [0, 1, 2, 7, 30, 400], [10.0, 500.0, 36525.0, 812.5, 1e4, 123456.0]
    code = (
        f"e <- c({','.join(map(str, events))}); d <- c({','.join(map(str, days))}) / {YEARS}; "
        "x <- mapply(function(e, d) poisson.test(e, d, conf.level = 0.9)$conf.int, e, d); "
        "cat('[', paste(sprintf('%.17g', c(x)), collapse = ','), ']', sep = '')"
    )
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
    expected = np.array(json.loads(done.stdout)).reshape(-1, 2)
    _, lower, upper = poisson_rate(events, days, confidence=0.9)
    # R's own root is good to about 1e-8.
    np.testing.assert_allclose(np.stack([lower, upper], axis=1), expected, rtol=1e-7, atol=1e-12)


def by_phase(counted, **chosen):
    for name, value in chosen.items():
        counted = counted.loc[counted[name] == value]
    return counted.set_index("phase")


def test_follow_up_is_divided_by_the_dose_at_the_time():
    found = by_phase(observation_time(trial()), arm="taper")
    # t1, t2: 14 days full, 14 reduced, 72 off; t4: 14, 14, 32; t3: 14, 7, then full again for 79.
    assert found["days"].to_dict() == {"full": 135, "reduced": 49, "off": 176, ANY_PHASE: 360}
    assert found["people"].to_dict() == {"full": 4, "reduced": 4, "off": 3, ANY_PHASE: 4}
    whole = by_phase(observation_time(trial()), arm=ALL)
    assert whole.loc[ANY_PHASE, "days"] == 250 + 160 + 360


def test_time_without_a_dose_is_unknown_and_nothing_is_lost():
    tables = trial()
    tables["doses"] = tables["doses"].loc[lambda rows: ~rows["start"].eq(14)]
    found = by_phase(observation_time(tables), arm="taper")
    assert found.loc["unknown", "days"] == 14 + 14 + 7 + 14
    parts = found["days"].drop(ANY_PHASE)
    assert parts.sum() == found.loc[ANY_PHASE, "days"]


def test_without_doses_there_are_no_phases():
    tables = trial()
    del tables["doses"]
    assert set(observation_time(tables)["phase"]) == {ANY_PHASE}


def test_first_events_end_the_time_at_risk():
    found = by_phase(person_time(trial()), definition="relapse", arm="taper")
    # t3 met it on day 20, in the reduced phase, and is not followed to the second episode.
    assert found["events"].to_dict() == {"full": 0, "reduced": 1, "off": 0, ANY_PHASE: 1}
    assert found.loc["full", "days"] == 4 * 14
    assert found.loc["reduced", "days"] == 14 + 14 + 14 + 6
    assert found.loc[ANY_PHASE, "days"] == 100 + 100 + 20 + 60
    rate = found.loc[ANY_PHASE, "rate"]
    assert rate == pytest.approx(YEARS / 280)


def test_an_event_belongs_to_the_phase_just_before_it():
    tables = trial()
    tables["deteriorations"] = tables["deteriorations"].assign(detected=[14.0, 14.0, 70, 90, 10])
    found = by_phase(person_time(tables), definition="relapse", arm="taper")
    assert found["events"].to_dict()["full"] == 1
    assert found["events"].to_dict()["reduced"] == 0


def test_onset_moves_the_event_to_an_earlier_phase():
    detected = by_phase(person_time(trial()), definition="relapse", arm="stop")
    onset = by_phase(person_time(trial(), ["relapse"], "onset"), arm="stop")
    assert detected.loc["off", "days"] - onset.loc["off", "days"] == 10
    assert onset_known(trial(), "relapse") and not onset_known(trial(), "hospital")


def test_a_declared_definition_that_nobody_met_has_its_zeros():
    found = person_time(trial(), ["never", "relapse"])
    assert list(dict.fromkeys(found["definition"])) == ["never", "relapse"]
    never = by_phase(found, definition="never", arm=ALL)
    assert never.loc[ANY_PHASE, "events"] == 0
    assert never.loc[ANY_PHASE, "days"] == 770
    assert never.loc[ANY_PHASE, "upper"] == pytest.approx(-np.log(0.025) * YEARS / 770)


def test_someone_who_was_worse_before_the_start_is_not_at_risk():
    tables = trial()
    tables["deteriorations"].loc[0, "detected"] = -3.0
    found = by_phase(person_time(tables), definition="relapse", arm="stop")
    assert found.loc[ANY_PHASE, "people"] == 2
    assert found.loc[ANY_PHASE, "events"] == 0


def test_no_phase_looks_ahead():
    """Going back to the drug because of an event does not undo the time off it."""
    tables = trial()
    doses = pd.DataFrame(
        [("s2", 0.0, 40.0, 0.0), ("s2", 40.0, 100.0, 20.0)],
        columns=["person", "start", "stop", "dose"],
    ).assign(drug="sertraline", unit="mg/day")
    others = tables["doses"].loc[lambda r: (r["person"] != "s2") | (r["start"] < 0)]
    tables["doses"] = pd.concat([others, doses])
    found = by_phase(person_time(tables), definition="relapse", arm="stop")
    assert found["events"].to_dict()["off"] == 1


def test_arms_are_compared_in_one_drug_and_people_followed_in_their_own():
    tables = trial()
    swapped = tables["doses"]["person"].str.startswith("s")
    tables["doses"].loc[swapped, "drug"] = "placebo"
    tables["doses"].loc[tables["doses"]["person"] == "s3", "drug"] = "sertraline"
    given = complete(tables)
    found = main_drugs(given).set_index("arm")["drug"].to_dict()
    assert found == {"keep": "sertraline", "stop": "placebo", "taper": "sertraline"}
    assert "s3" not in set(doses_of_arms(given)["person"])
    assert set(doses_of_people(given).loc[lambda r: r["person"] == "s3", "drug"]) == {"sertraline"}
    observed = by_phase(observation_time(tables), arm="stop")
    assert observed.loc["off", "people"] == 3


def test_someone_with_two_drugs_is_followed_in_the_arms():
    tables = trial()
    other = tables["doses"].loc[lambda r: r["person"] == "k1"].assign(drug="other", dose=1.0)
    tables["doses"] = pd.concat([tables["doses"], other])
    chosen = doses_of_people(complete(tables))
    assert set(chosen.loc[chosen["person"] == "k1", "drug"]) == {"sertraline"}


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_days_and_events_are_the_same_with_and_without_phases(data):
    tables = trial()
    detected = data.draw(st.lists(st.integers(0, 100), min_size=5, max_size=5))
    tables["deteriorations"]["detected"] = np.array(detected, dtype=float)
    dropped = data.draw(st.sets(st.integers(0, len(tables["doses"]) - 1)))
    tables["doses"] = tables["doses"].drop(index=list(dropped))
    counted = person_time(tables)
    for _, rows in counted.loc[counted["arm"] != ALL].groupby(["definition", "arm"]):
        whole = rows.loc[rows["phase"] == ANY_PHASE]
        parts = rows.loc[rows["phase"] != ANY_PHASE]
        if len(parts):
            assert parts["days"].sum() == pytest.approx(whole["days"].item())
            assert parts["events"].sum() == whole["events"].item()
