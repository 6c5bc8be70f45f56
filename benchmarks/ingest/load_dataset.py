"""How long does it take to read, map and check a dataset, beside the same in plain pandas?

    python benchmarks/ingest/load_dataset.py [people ...]

Each size has 20 ratings per person and one change of dose in three. Every measurement is a
process of its own, so that its peak of memory is its own. "Plain pandas" reads the same files,
turns the columns into numbers, dates and days, and looks for duplicate keys, unknown people and
values out of range, without naming a row. Writes benchmarks/ingest/results.csv.
"""

from __future__ import annotations

import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
RATINGS = 20
SIZES = (25_000, 50_000, 100_000)
DECLARATION = """\
title: Benchmark
licence: none
citation: none
smallest_cell: 1
synthetic: true
files:
  people: {path: people.csv}
  doses: {path: doses.csv}
  ratings: {path: ratings.csv}
time:
  file: people
  person: id
  date: {date: randomised, order: iso}
instruments:
  scale: {every_item: [0, 4], items: ["1", "2", "3", "4"]}
drugs:
  sertraline: {smallest_dose: 5, largest_dose: 200}
tables:
  studies:
    - rows:
        - {study: s, title: Benchmark, drug_class: antidepressant, design: parallel_trial,
           allocation_randomised: true, pace_randomised: true, synthetic: true, source: none}
  arms:
    - rows:
        - {study: s, arm: A, strategy: maintain}
        - {study: s, arm: B, strategy: abrupt}
  people:
    - from: people
      columns:
        person: id
        study: {constant: s}
        arm: {column: grp, recode: {"1": A, "2": B}}
        age: age
  follow_up:
    - from: people
      columns:
        person: id
        start: {constant: 0}
        end: {date: last, order: iso}
        end_reason: {constant: completed}
  doses:
    - from: doses
      columns:
        person: id
        drug: {constant: sertraline}
        start: {date: date, order: iso}
        dose: mg
        unit: {constant: mg/day}
      intervals: {from: changes}
  assessments:
    - from: ratings
      columns:
        person: id
        day: {date: date, order: iso}
        instrument: {constant: scale}
        item: item
        value: value
"""


def write_files(folder: Path, people: int) -> None:
    """Write a dataset of a size."""
    random = np.random.default_rng(people)
    ids = [f"P{number:07d}" for number in range(people)]
    start = np.datetime64("2020-01-01") + random.integers(0, 365, people)
    with (folder / "people.csv").open("w", newline="", encoding="utf-8") as stream:
        write = csv.writer(stream, lineterminator="\n")
        write.writerow(["id", "grp", "randomised", "age", "last"])
        ages = random.integers(18, 80, people)
        write.writerows(
            zip(ids, random.integers(1, 3, people), start, ages, start + 180, strict=True)
        )
    with (folder / "doses.csv").open("w", newline="", encoding="utf-8") as stream:
        write = csv.writer(stream, lineterminator="\n")
        write.writerow(["id", "date", "mg"])
        write.writerows((ids[i], start[i], 50) for i in range(people))
        write.writerows((ids[i], start[i] + 28, 0) for i in range(0, people, 3))
    with (folder / "ratings.csv").open("w", newline="", encoding="utf-8") as stream:
        write = csv.writer(stream, lineterminator="\n")
        write.writerow(["id", "date", "item", "value"])
        for visit in range(RATINGS // 4):
            days = start + 30 * visit
            for item in range(1, 5):
                values = random.integers(0, 5, people)
                write.writerows(zip(ids, days, [item] * people, values, strict=True))
    (folder / "benchmark.yaml").write_text(DECLARATION, encoding="utf-8")


def with_this_package(folder: Path) -> int:
    """Read, map and check with this package."""
    from discontinuation.ingest.dataset import load_dataset
    from discontinuation.ingest.declaration import read_declaration

    dataset = load_dataset(read_declaration(folder / "benchmark.yaml"), folder)
    return len(dataset.tables["assessments"])


def with_plain_pandas(folder: Path) -> int:
    """Do the same by hand."""
    import pandas as pd

    people = pd.read_csv(folder / "people.csv", parse_dates=["randomised", "last"])
    doses = pd.read_csv(folder / "doses.csv", parse_dates=["date"])
    ratings = pd.read_csv(folder / "ratings.csv", parse_dates=["date"])
    origin = people.set_index("id")["randomised"]
    end = (people["last"] - people["randomised"]).dt.days.set_axis(people["id"])
    for frame in (doses, ratings):
        frame["day"] = (frame["date"] - frame["id"].map(origin)).dt.days
        assert frame["id"].isin(people["id"]).all()
    doses = doses.sort_values(["id", "day"])
    doses["stop"] = doses.groupby("id")["day"].shift(-1).fillna(doses["id"].map(end))
    assert not people["id"].duplicated().any()
    assert not ratings.duplicated(["id", "day", "item"]).any()
    assert not doses.duplicated(["id", "day"]).any()
    assert ratings["value"].between(0, 4).all()
    assert people["age"].between(0, 120).all()
    assert (doses["stop"] > doses["day"]).all()
    assert doses["mg"].between(0, 200).all()
    return len(ratings)


WAYS = {"discontinuation": with_this_package, "plain pandas": with_plain_pandas}


def measure(way: str, folder: Path) -> tuple[float, float]:
    """Run one way in a process of its own; seconds without imports, GiB at the peak."""
    command = [sys.executable, __file__, "--one", way, str(folder)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(said[0]), float(said[1])


def run_one(way: str, folder: Path) -> None:
    """Print the seconds and the peak of memory of one way."""
    import pandas as pd  # noqa: F401 (the import is not measured)

    begin = time.perf_counter()
    WAYS[way](folder)
    seconds = time.perf_counter() - begin
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def main(sizes: tuple[int, ...]) -> None:
    """Measure every size both ways."""
    rows = []
    for people in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_files(folder, people)
            for way in WAYS:
                seconds, memory = measure(way, folder)
                rows.append([people, people * RATINGS, way, round(seconds, 2), round(memory, 2)])
                print(*rows[-1], sep="\t", flush=True)
    with (HERE / "results.csv").open("w", newline="", encoding="utf-8") as stream:
        write = csv.writer(stream, lineterminator="\n")
        write.writerow(["people", "ratings", "way", "seconds", "peak_gib"])
        write.writerows(rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_one(sys.argv[2], Path(sys.argv[3]))
    else:
        main(tuple(map(int, sys.argv[1:])) or SIZES)
