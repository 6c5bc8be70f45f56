"""How long does a whole registry take on one machine, with how much memory?

    python benchmarks/scale/registry.py [people ...]

A made-up registry is written to Parquet in parts of 10,000 people and goes through dispensings ->
doses -> exposure -> events -> classify -> survival, one part in memory at a time; only the last
stage looks at everybody, and only at a few columns. The classifier is fitted to a few thousand
people (parts are random samples) and scores the first deterioration of all; a registry has no
ratings of symptoms, so timing decides alone. Up to 100,000 people a target trial is emulated too.

Writes results.csv beside this file: seconds, processor seconds (which other work on the machine
does not change much) and peak memory of the process by stage, processor seconds per 100,000
people, and the slope of their log on the log of people between the smallest and the largest run.
Results of the same number of people are replaced.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from discontinuation.classify import fit, score
from discontinuation.classify.criteria import read_criteria
from discontinuation.classify.rules import apply_rules
from discontinuation.design.dispensing import dose_intervals
from discontinuation.design.registry import DEFINITION, STUDY, RegistryScenario, write_registry
from discontinuation.design.registry_cohort import RegistryTables
from discontinuation.design.strategies import Strategy, TargetTrial, hyperbolic_floor
from discontinuation.design.target_trial import emulate
from discontinuation.estimands.event_times import event_times
from discontinuation.estimands.question import Question
from discontinuation.exposure.trajectories import Exposure, exposure_of
from discontinuation.survival import aalen_johansen, cox, kaplan_meier

HERE = Path(__file__).parent
SIZES = (50_000, 100_000)
SEED = 1
TIMES = np.array([0.0, 28.0, 63.0, 182.0])
LANDMARK = 63.0  # arms are what people do by then, among those who are well
KAPPA = 2.0
MOST_EMULATED = 100_000  # people; the emulation holds everybody, and is measured up to here
FITTED = 4_000  # people to whom the classifier is fitted
RULE = "time_28"
CRITERIA = read_criteria(HERE.parents[1] / "data" / "reference" / "criteria.yaml")
CAUSES = {"withdrawal": 1, "relapse": 2, "indeterminate": 3}
COVARIATES = ("prior_episodes", "previous_attempts", "age", "sex", "poor_sleep")
QUESTION = Question("E1", "everybody", "time to deterioration", "hazard ratio", {})
ARMS = pd.DataFrame([{"study": STUDY, "arm": "registry", "strategy": "unspecified"}])


def parts(folder: Path, *tables: str) -> Iterator[tuple[str, list[pd.DataFrame]]]:
    """Same part of several tables, one after the other."""
    fragments = [sorted(ds.dataset(folder / t).get_fragments(), key=_path) for t in tables]
    for together in zip(*fragments, strict=True):
        yield Path(together[0].path).name, [one.to_table().to_pandas() for one in together]


def _path(fragment: ds.ParquetFileFragment) -> str:
    return str(fragment.path)


def write_part(frame: pd.DataFrame, folder: Path, table: str, name: str) -> int:
    """Write one part and say how many rows it has."""
    (folder / table).mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / table / name)
    return len(frame)


def make(folder: Path, people: int) -> int:
    """The registry itself."""
    write_registry(folder, RegistryScenario(people=people), SEED)
    return people


def doses(folder: Path) -> int:
    """Dispensings to canonical doses."""
    rows = 0
    for name, (dispensings, follow_up) in parts(folder, "dispensings", "follow_up"):
        rows += write_part(dose_intervals(dispensings, follow_up), folder, "doses", name)
    return rows


def exposed(taken: pd.DataFrame) -> Exposure:
    """Exposure to the registry's drug."""
    drug = RegistryScenario().hazards
    return exposure_of(
        taken,
        half_life_days=drug.half_life_days,
        k=drug.ed50_mg,
        emax=drug.occupancy_max,
        tau_days=drug.tau_days,
    )


def exposure(folder: Path) -> int:
    """Level, occupancy and drive at a few times, and the integral of drive^2."""
    rows = 0
    for name, (taken,) in parts(folder, "doses"):
        made = exposed(taken)
        states = made.at(TIMES)
        frame = pd.DataFrame({"person": made.people})
        for place, day in enumerate(TIMES):
            for quantity in ("dose", "level", "occupancy", "drive"):
                frame[f"{quantity}_{day:g}"] = getattr(states, quantity)[:, place]
        frame["drive_integral"] = made.integral(KAPPA).to_numpy()
        rows += write_part(frame, folder, "exposure", name)
    return rows


def events(folder: Path) -> int:
    """First deterioration or end of follow-up, beside what was taken by the landmark."""
    rows = 0
    tables = ("people", "follow_up", "deteriorations", "exposure")
    for name, (people, follow_up, worse, states) in parts(folder, *tables):
        canonical = {"people": people, "arms": ARMS, "follow_up": follow_up,
                     "deteriorations": worse.assign(reinstated=np.nan)}  # fmt: skip
        timed = event_times(QUESTION, canonical, DEFINITION).people
        taken = states.set_index("person")[f"dose_{LANDMARK:g}"].reindex(timed["person"])
        full = states.set_index("person")["dose_0"].max()
        arm = np.select([taken >= 0.99 * full, taken > 0], ["continued", "tapering"], "stopped")
        frame = timed[["person", "time", "event", "prior_episodes"]].assign(pace=arm)
        rows += write_part(frame.loc[frame["time"] > LANDMARK], folder, "events", name)
    return rows


def of_people(who: pd.Series, *tables: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows of these people."""
    return [one.loc[one["person"].isin(who)].reset_index(drop=True) for one in tables]


def classify(folder: Path) -> int:
    """Fit the model to some people, then score every first deterioration and apply a rule."""
    tables = ("people", "doses", "deteriorations", "follow_up", "events")
    model, rows = None, 0
    for name, (people, taken, worse, follow_up, timed) in parts(folder, *tables):
        worse = worse.loc[worse["definition"] == DEFINITION].assign(reinstated=np.nan)
        if model is None:
            some = people["person"].head(FITTED)
            people_, taken_, worse_, follow_ = of_people(some, people, taken, worse, follow_up)
            model = fit(worse_, people_, exposed(taken_), follow_up=follow_)
        had = worse["person"]
        people, taken, follow_up = of_people(had, people, taken, follow_up)
        found = score(model, worse, people, exposed(taken), follow_up=follow_up)
        found[RULE] = by_rule(found)
        rows += write_part(found.drop(columns="why"), folder, "classified", name)
        called = found.set_index("person")["decision"].map(CAUSES).reindex(timed["person"])
        cause = np.where(timed["event"] == 1, called.to_numpy(), 0).astype(np.int64)
        write_part(timed.assign(cause=cause), folder, "causes", name)
    return rows


def by_rule(found: pd.DataFrame) -> npt.NDArray[np.object_]:
    """What the rule of time says of scored events."""
    since = (found["onset_latest"] - found["last_reduction"]).astype(float)
    drug = RegistryScenario().hazards
    asked = pd.DataFrame(
        {
            "drug_class": "antidepressant", "half_life_days": drug.half_life_days,
            "half_life_tag": "V", "reduced": since.notna(), "days_since_reduction": since,
        }
    )  # fmt: skip
    none = pd.DataFrame(index=asked.index)
    return apply_rules(asked, none, CRITERIA, [RULE], "recorded").labels[RULE].to_numpy(object)


def survival(folder: Path) -> int:
    """Kaplan-Meier and causes of each pace from the landmark, Cox of everybody."""
    columns = ["time", "event", "cause", "pace", "prior_episodes"]
    people = ds.dataset(folder / "causes").to_table(columns=columns).to_pandas()
    people["time"] -= LANDMARK
    by_cause = aalen_johansen(people["time"], people["cause"], people["pace"]).at([182.0])
    print(by_cause[["group", "cause", "probability", "lower", "upper"]].round(4).to_string())
    for pace, rows in people.groupby("pace"):
        free = kaplan_meier(rows["time"], rows["event"]).at([182.0])["survival"].iloc[0]
        print(f"    {pace:10} {len(rows):>9,} people, {free:.4f} well after half a year")
    shown = ["term", "hazard_ratio", "lower", "upper"]
    relapses = people.assign(event=(people["cause"] == CAUSES["relapse"]).astype(int))
    for words, rows in (("any deterioration", people), ("called a relapse", relapses)):
        print(f"    {words}")
        model = cox("pace + prior_episodes", rows)
        print(model.summary[shown].round(3).to_string(index=False))
    return len(people)


def emulation(folder: Path) -> int:
    """Clone-censor-weight of three strategies, a jackknife of 20 groups, everybody in memory."""
    names = ("people", "dispensings", "follow_up", "deteriorations", "measures")
    tables = RegistryTables(*(ds.dataset(folder / name).to_table().to_pandas() for name in names))
    drug = RegistryScenario().hazards
    lowest = hyperbolic_floor(16, drug.dose_mg, drug.ed50_mg, drug.occupancy_max)
    strategies = (
        Strategy("continue", "continue"),
        Strategy("stop", "stop"),
        Strategy("taper", "taper", lowest),
    )
    found = emulate(tables, TargetTrial(strategies), COVARIATES, DEFINITION)
    print(found.risks[["strategy", "events", "risk", "risk_lower", "risk_upper"]].round(3))
    return int(found.flow["people"].iloc[-1])


def memory(kind: str) -> float:
    """Memory of this process, GiB: VmRSS now, VmHWM the peak since the last reset (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(kind + ":")]
    return int(line.split()[1]) / 2**20


def measure(stage: str, people: int, work: Callable[[], int]) -> dict[str, object]:
    """Time and peak memory of one stage."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    begin, used = time.perf_counter(), time.process_time()
    rows = work()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    peak = memory("VmHWM")
    print(f"{people:>9,} {stage:9} {seconds:8.1f} s {peak:6.2f} GiB {rows:>12,} rows", flush=True)
    return {"people": people, "stage": stage, "rows": rows, "seconds": seconds,
            "cpu_seconds": cpu, "peak_gib": peak}  # fmt: skip


STAGES = {"doses": doses, "exposure": exposure, "events": events, "classify": classify,
          "survival": survival}  # fmt: skip


def run(people: int) -> pd.DataFrame:
    """Every stage for one number of people."""
    folder = Path(tempfile.mkdtemp(prefix="registry-")) / "registry"
    try:
        rows = [measure("make", people, lambda: make(folder, people))]
        rows += [measure(name, people, lambda w=work: w(folder)) for name, work in STAGES.items()]
        if people <= MOST_EMULATED:
            rows.append(measure("emulation", people, lambda: emulation(folder)))
        size = sum(path.stat().st_size for path in folder.rglob("*.parquet")) / 2**30
    finally:
        shutil.rmtree(folder.parent)
    frame = pd.DataFrame(rows)
    used = frame.loc[frame["stage"].isin(list(STAGES))]
    whole = {"people": people, "stage": "doses to survival", "rows": people,
             "seconds": used["seconds"].sum(), "cpu_seconds": used["cpu_seconds"].sum(),
             "peak_gib": used["peak_gib"].max()}  # fmt: skip
    return pd.concat([frame, pd.DataFrame([whole])], ignore_index=True).assign(disk_gib=size)


def slopes(results: pd.DataFrame) -> pd.Series:
    """Slope of log processor seconds on log people by stage, smallest to largest run."""
    ordered = results.sort_values("people")
    ends = ordered.groupby("stage")[["people", "cpu_seconds"]].agg(["first", "last"])
    times = np.log(ends["cpu_seconds"]["last"] / ends["cpu_seconds"]["first"])
    people = np.log(ends["people"]["last"] / ends["people"]["first"])
    return results["stage"].map(times / people.where(people > 0))


def main(sizes: list[int]) -> None:
    """Measure every size and keep what was measured of others."""
    with tempfile.TemporaryDirectory() as folder:  # kernels compiled or loaded beforehand
        small = Path(folder) / "registry"
        make(small, 2000)
        for work in (*STAGES.values(), emulation):
            work(small)
    found = pd.concat([run(people) for people in sizes], ignore_index=True)
    path = HERE / "results.csv"
    if path.exists():
        before = pd.read_csv(path)
        found = pd.concat([before.loc[~before["people"].isin(sizes)], found], ignore_index=True)
    found["cpu_per_100k"] = found["cpu_seconds"] / found["people"] * 1e5
    found["slope"] = slopes(found)
    columns = ["people", "stage", "rows", "seconds", "cpu_seconds", "cpu_per_100k", "peak_gib",
               "disk_gib", "slope"]  # fmt: skip
    found = found.sort_values("people", kind="stable")[columns]
    found.to_csv(path, index=False, float_format="%.4g")
    print(found.to_string(index=False, float_format="{:.3g}".format))


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or list(SIZES))
