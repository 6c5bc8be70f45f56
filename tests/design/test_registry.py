"""The made-up registry: what it records, and that its truth is the truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from discontinuation.design.dispensing import dose_intervals, held_doses, supply_intervals
from discontinuation.design.registry import (
    BLOCK,
    TABLES,
    RegistryScenario,
    draw_registry,
    true_effects,
    write_registry,
)
from discontinuation.design.registry_behaviour import Habits
from discontinuation.design.scenario import Arm, Scenario
from discontinuation.design.strategies import Strategy, TargetTrial, hyperbolic_floor
from discontinuation.exposure.histories import dose_problems
from discontinuation.problems import InvalidInput
from discontinuation.survival import kaplan_meier
from discontinuation.tables.canonical import schema

pytestmark = pytest.mark.long  # simulations

SMALL = RegistryScenario(people=2000)
FLOOR = hyperbolic_floor(16, 20.0, 2.7, 0.95)
TRIAL = TargetTrial(
    (Strategy("continue", "continue"), Strategy("stop", "stop"), Strategy("taper", "taper", FLOOR))
)


@pytest.fixture(scope="module")
def registry():
    return draw_registry(SMALL, 1)


def shares(registry):
    return registry.truth.filter(like="share_").to_numpy()


def test_dispensings_tell_the_dose_that_was_held_each_week(registry):
    names = registry.people["person"].to_numpy(dtype=object)
    held = held_doses(registry.dispensings, names, TRIAL)
    seen = np.arange(52) * 7 < registry.follow_up["end"].to_numpy()[:, None]
    assert np.abs(held.share - shares(registry))[seen].max() < 1e-12
    assert (held.full_dose == 20).all()


def test_early_packs_overlap_and_lapses_leave_gaps(registry):
    ordered = registry.dispensings.sort_values(["person", "day"])
    until = ordered["day"] + ordered["days_supply"]
    apart = (ordered["day"].shift(-1) - until)[ordered["person"].eq(ordered["person"].shift(-1))]
    assert (apart < 0).sum() > 1000
    assert (apart > 0).sum() > 100


def test_late_records_are_not_eligible(registry):
    names = registry.people["person"].to_numpy(dtype=object)
    held = held_doses(registry.dispensings, names, TRIAL)
    assert set(np.unique(held.stable_days)) == {84.0, 196.0}
    assert 0.02 < 1 - held.eligible(TRIAL).mean() < 0.08


def test_events_come_at_the_rate_of_the_hazards():
    """If everybody continues, Kaplan-Meier of the record is the expected curve."""
    loyal = RegistryScenario(people=8000, habits=Habits(lapse=0.0, taper=0.0))
    made = draw_registry(loyal, 3)
    first = made.deteriorations.query("definition == 'protocol'").set_index("person")["detected"]
    day = first.reindex(made.people["person"]).to_numpy()
    event = np.isfinite(day)
    time = np.where(event, day, made.follow_up["end"])
    found = kaplan_meier(time, event).at([90, 364])
    truth = true_effects(loyal, TRIAL, people=8000, seed=3).curves
    expected = truth.query("strategy == 'continue'").set_index("day")["event_free"].loc[[90, 364]]
    apart = np.abs(found["survival"].to_numpy() - expected.to_numpy())
    assert (apart < 3 * found["se"].to_numpy()).all()


def test_a_strategy_that_is_forced_is_followed():
    from discontinuation.design.registry import _Block
    from discontinuation.design.strategies import deviation_week

    made = _Block(SMALL, 1, 0, 2000, 0)
    for strategy in TRIAL.strategies:
        share = made.share(strategy, TRIAL)
        assert (deviation_week(share, strategy, TRIAL) == TRIAL.weeks).all()


def test_without_an_effect_of_the_drug_strategies_do_not_differ():
    nothing = Scenario(arms=(Arm("none", "maintain"),), alpha_per_day=0.0, relapse_ratio=1.0)
    truth = true_effects(replace(SMALL, hazards=nothing), TRIAL, people=500)
    assert np.abs(truth.contrasts["truth"]).max() < 1e-9


def test_a_block_is_the_same_however_many_follow():
    one = draw_registry(replace(SMALL, people=BLOCK), 2)
    more = draw_registry(replace(SMALL, people=BLOCK + 100), 2)
    for name in TABLES:
        whole, part = getattr(more, name), getattr(one, name)
        first = whole.loc[whole["person"] < f"P{BLOCK:08d}"].reset_index(drop=True)
        kept = part.reset_index(drop=True)
        if name == "deteriorations":
            keys = ["definition", "person"]
            first, kept = (f.sort_values(keys, ignore_index=True) for f in (first, kept))
        pd.testing.assert_frame_equal(first, kept)
    other = draw_registry(replace(SMALL, people=100), 5).people["age"]
    assert (other != one.people["age"][:100]).any()


def test_what_is_written_says_that_it_is_made_up(tmp_path, registry):
    write_registry(tmp_path / "registry", SMALL, 1)
    studies = pd.read_parquet(tmp_path / "registry" / "studies.parquet")
    assert studies["synthetic"].tolist() == [True]
    assert "nobody" in studies["title"][0]
    for name in TABLES:
        frame = pd.read_parquet(tmp_path / "registry" / name)
        pd.testing.assert_frame_equal(frame, getattr(registry, name), check_dtype=False)
        part = next((tmp_path / "registry" / name).glob("*.parquet"))
        assert b"synthetic" in pq.read_schema(part).metadata[b"provenance"]


def test_tables_are_canonical(registry):
    schema("follow_up").validate(registry.follow_up)
    doses = dose_intervals(registry.dispensings, registry.follow_up)
    schema("doses").validate(doses, lazy=True)
    assert dose_problems(doses) == []


def test_supplies_as_a_calendar_would_have_them():
    """Day by day: a new pack of the same dose is opened when the old one is used up."""
    stream = np.random.default_rng(5)
    for _ in range(200):
        count = stream.integers(1, 8)
        day = np.sort(stream.choice(60, count, replace=False)).astype(float)
        frame = pd.DataFrame(
            {
                "person": "a",
                "day": day,
                "dose": stream.choice([5.0, 10.0], count),
                "days_supply": stream.integers(1, 20, count).astype(float),
            }
        )
        assert calendar(supply_intervals(frame)) == by_day(frame)


def calendar(intervals):
    held = {}
    for start, stop, dose in intervals[["start", "stop", "dose"]].itertuples(index=False):
        held.update(dict.fromkeys(range(int(start), int(stop)), dose))
    return held


def by_day(frame):
    held, stock, dose = {}, 0, None
    packs = {row.day: (row.dose, int(row.days_supply)) for row in frame.itertuples()}
    for day in range(200):
        if day in packs:
            new, length = packs[day]
            stock = stock + length if new == dose else length
            dose = new
        if stock:
            held[day] = dose
            stock -= 1
    return held


def test_impossible_registries_are_refused():
    with pytest.raises(InvalidInput) as caught:
        RegistryScenario(people=0, weeks=-1, new_share=1.0, habits=Habits(lapse=-1, plans=()))
    assert len(caught.value.problems) == 5
    with pytest.raises(InvalidInput, match="nothing begins in between"):
        true_effects(SMALL, TargetTrial(TRIAL.strategies, grace_weeks=7), people=10)
